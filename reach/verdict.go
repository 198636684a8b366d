package reach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// A Verdict is the answer to a Flow, with its reasons.
// The zero Verdict says denied. The slices belong to the caller.
type Verdict struct {
	Flow    Flow
	Allowed bool
	Reason  Reason // what decided

	// IPv4 and IPv6 are the answers over each family. If Flow asks for one
	// family, the other is NoPath.
	IPv4, IPv6 Answer

	// Egress and Ingress tell how the policies of the two ends decided, if
	// Reason is Policies or OwnNode: over the first family that allows the
	// flow, or if none does, the first that has a path.
	Egress, Ingress Side

	Notes     []Note   // what else to know, such as facts that are missing
	DependsOn []string // the fields of [Profile] of which another value alone turns the answer, in their order; never NotEnforced
}

// A Reason tells what decided a flow.
type Reason string

// The reasons, in the order in which they are looked at.
const (
	Terminated     Reason = "terminated"       // an end is a pod that has left the network
	NoCommonFamily Reason = "no-common-family" // no address family that both ends have
	NotEnforced    Reason = "not-enforced"     // no plugin enforces policies, see [Profile]
	Self           Reason = "self"             // a pod always reaches itself
	HairpinPasses  Reason = "hairpin"          // a pod reaches itself through a Service, and the plugin lets it
	NotSubject     Reason = "not-subject"      // neither end is a pod that policies can select
	OwnNode        Reason = "own-node"         // between a pod and the node it runs on policies have no say
	Policies       Reason = "policies"         // the policies of the ends
)

// An Answer is the answer to a flow over one address family.
type Answer uint8

// The answers. NoPath means that an end has no address of the family.
const (
	NoPath Answer = iota
	Denied
	Allowed
)

// String returns "no path", "denied" or "allowed".
func (a Answer) String() string {
	switch a {
	case Denied:
		return "denied"
	case Allowed:
		return "allowed"
	}
	return "no path"
}

// A Note tells what the input lacks or the API leaves open.
type Note string

// The notes.
const (
	// NoAddress: no address of an end is known, and it is Pending or there is a
	// rule with an ipBlock that could match if one were.
	NoAddress Note = "no-address"

	// UnknownNode: policies deny a flow between a pod and a node, and it is not
	// known whether the pod runs on the node. If it does, they have no say.
	UnknownNode Note = "unknown-node"

	// GeneratedLabel: an end is a workload that stands for its pods, and some
	// selector asks for a label that its controller adds to them, with a value
	// that is not known here. The answer is that for pods without the label.
	GeneratedLabel Note = "generated-label"

	// OtherProtocol: NetworkPolicy is only defined for TCP, UDP and SCTP. Most
	// plugins treat other protocols as this answer says.
	OtherProtocol Note = "other-protocol"

	// HiddenByOwnNode: the policies of a backend would not let the client in. But
	// the node that translates hides the client, and is the backend's own, which
	// policies cannot keep out.
	HiddenByOwnNode Note = "hidden-by-own-node"
)

// A Side tells how the policies of one end decided a flow.
type Side struct {
	Isolating  []PolicyRef // policies that isolate the end; if none, it passes
	OwnNode    bool        // the other end is the node of this one, so it passes
	Bypassed   bool        // the plugin does not filter the protocol, so it passes
	Allowing   []Match     // rules of theirs that let the flow pass, also if it passes anyway
	NearMisses []Miss      // if nothing lets it pass, the rules that nearly do
}

// Passes reports whether the end lets the flow pass.
func (s Side) Passes() bool {
	return len(s.Isolating) == 0 || s.OwnNode || s.Bypassed || len(s.Allowing) > 0
}

// A PolicyRef names a policy. PolicyRefs are comparable.
type PolicyRef struct {
	Name  types.NamespacedName
	Place policy.Place // where the policy stands in the input
}

// A RuleRef names one rule of a policy. RuleRefs are comparable.
type RuleRef struct {
	Policy    types.NamespacedName
	Direction policy.Direction
	Index     int          // in spec.egress or spec.ingress
	Place     policy.Place // where the rule stands in the input
}

// String returns the rule and its place, such as
// "shop/db ingress[0] (deploy/db.yaml:14)".
func (r RuleRef) String() string {
	s := fmt.Sprintf("%s %s[%d]", r.Policy, r.Direction, r.Index)
	if r.Place.File != "" {
		s += fmt.Sprintf(" (%s:%d)", r.Place.File, r.Place.Line)
	}
	return s
}

// A Match is a rule that matches a flow.
type Match struct {
	Rule  RuleRef
	Peers []int // which items of from or to match, outside the cluster some of the addresses; none if the rule has no such list
	Ports []int // which items of ports match; none if the rule has no such list
}

// String returns the rule and the items that match.
func (m Match) String() string {
	s := m.Rule.String()
	if len(m.Peers) > 0 {
		s += ", " + peerField(m.Rule.Direction) + indices(m.Peers)
	}
	if len(m.Ports) > 0 {
		s += ", ports" + indices(m.Ports)
	}
	return s
}

func peerField(d policy.Direction) string {
	if d == policy.Ingress {
		return "from"
	}
	return "to"
}

func indices(list []int) string {
	return strings.ReplaceAll(fmt.Sprint(list), " ", ",")
}

// A Miss is a rule of which one half matches a flow, its peers or its ports,
// and the other does not.
type Miss struct {
	Rule  RuleRef
	Peers []PeerMiss // why no peer matches; none if one does
	Ports []PortMiss // why no port item matches; none if one does
}

// A PeerMiss is a peer that does not match, and why.
type PeerMiss struct {
	Index int // in from or to
	Peer  policy.Peer
	Why   Why
}

// A PortMiss is a port item that does not match, and why. For a rule without
// ports, which matches all of them unless the plugin drops the protocol, it has
// the index 0 and the zero PortItem.
type PortMiss struct {
	Index int // in ports
	Item  policy.PortItem
	Why   Why
}

// A Why tells why an item of a rule does not match.
type Why string

// Why a peer does not match.
const (
	WrongLabels    Why = "its labels do not match"
	WrongNamespace Why = "its namespace does not match"
	WrongBoth      Why = "neither its namespace nor its labels match"
	NotAPod        Why = "it does not count as a pod, and selectors match only pods"
	WrongAddress   Why = "the block does not hold its address"
	UnknownAddress Why = "its address is not known"
	HiddenAddress  Why = "the plugin does not compare its address with blocks"
)

// Why a port item does not match.
const (
	WrongProtocol  Why = "it is for another protocol"
	WrongNumber    Why = "it is another port"
	NameNotThere   Why = "the destination declares no such port"
	NameElsewhere  Why = "the destination declares the name for another port"
	NameNotAPod    Why = "the destination does not count as a pod, and only pods declare names"
	SCTPNotHandled Why = "the plugin drops SCTP"
)

// String returns the rule and which of its parts fails.
func (m Miss) String() string {
	if len(m.Ports) == 0 {
		return m.Rule.String() + ": the port matches, but no peer"
	}
	return m.Rule.String() + ": a peer matches, but no port"
}

// items explains each item of the part that fails, one a line.
func (m Miss) items() []string {
	var lines []string
	for _, p := range m.Peers {
		lines = append(lines, fmt.Sprintf("%s[%d] is %s: %s", peerField(m.Rule.Direction), p.Index, p.Peer, p.Why))
	}
	for _, p := range m.Ports {
		if p.Item == (policy.PortItem{}) {
			lines = append(lines, string(p.Why)) // there is no list of ports
			continue
		}
		lines = append(lines, fmt.Sprintf("ports[%d] is %s: %s", p.Index, p.Item, p.Why))
	}
	return lines
}

// String explains v, one reason a line, the same way every time.
func (v Verdict) String() string {
	var b strings.Builder
	line := func(indent int, format string, args ...any) {
		b.WriteString(strings.Repeat("  ", indent))
		fmt.Fprintf(&b, format, args...)
		b.WriteByte('\n')
	}
	word := "denied"
	if v.Allowed {
		word = "allowed"
	}
	line(0, "%s: %s", v.Flow, word)
	if v.Flow.Family == AnyFamily && v.IPv4 != v.IPv6 && v.IPv4 != NoPath && v.IPv6 != NoPath {
		line(1, "over IPv4 %s, over IPv6 %s", v.IPv4, v.IPv6)
	}
	v.reasons(line, v.Flow.From)
	return strings.TrimSuffix(b.String(), "\n")
}

// reasons writes why v is as it is. The egress side is that of client.
func (v Verdict) reasons(line func(int, string, ...any), client Endpoint) {
	switch v.Reason {
	case Terminated:
		line(1, "an end is a pod that has terminated")
	case NoCommonFamily:
		if v.Flow.Family == AnyFamily {
			line(1, "the ends have no address family in common")
		} else {
			line(1, "an end has no %s address", v.Flow.Family)
		}
	case NotEnforced:
		line(1, "no plugin enforces network policies")
	case Self:
		line(1, "a pod always reaches itself")
	case HairpinPasses:
		line(1, "a pod that reaches itself through a Service is let through")
	case NotSubject:
		line(1, "neither end is a pod that network policies can select")
	case OwnNode, Policies:
		halves := [...]struct {
			side      Side
			what, end string
		}{
			{v.Egress, "egress", "of " + client.String()},
			{v.Ingress, "ingress", "of " + v.Flow.To.String()},
		}
		for _, h := range halves {
			h.side.explain(line, h.what+" "+h.end)
		}
	}
	for _, n := range v.Notes {
		line(1, "note: %s", n.text())
	}
	if len(v.DependsOn) > 0 {
		line(1, "note: plugins differ here; the answer could be another with %s", strings.Join(v.DependsOn, " or "))
	}
}

// explain writes one end's part of an explanation.
func (s Side) explain(line func(int, string, ...any), what string) {
	switch {
	case len(s.Isolating) == 0:
		line(1, "%s: passes, no policy isolates it", what)
	case s.OwnNode:
		line(1, "%s: passes, the other end is its own node", what)
	case s.Bypassed:
		line(1, "%s: passes, the plugin does not filter SCTP", what)
	case s.Passes():
		line(1, "%s: passes", what)
	default:
		line(1, "%s: no rule allows it", what)
	}
	if len(s.Isolating) == 0 {
		return
	}
	names := make([]string, len(s.Isolating))
	for i, n := range s.Isolating {
		names[i] = n.Name.String()
	}
	line(2, "isolated by %s", strings.Join(names, ", "))
	for _, m := range s.Allowing {
		line(2, "allowed by %s", m)
	}
	// People read the first few; the rest are in NearMisses.
	const most = 10
	for i, m := range s.NearMisses {
		if i == most {
			line(2, "and %d more near misses", len(s.NearMisses)-most)
			break
		}
		line(2, "near miss: %s", m)
		items := m.items()
		for j, item := range items {
			if j == most {
				line(3, "and %d more", len(items)-most)
				break
			}
			line(3, "%s", item)
		}
	}
}

func (n Note) text() string {
	switch n {
	case NoAddress:
		return "no address of an end is known, so no ipBlock is taken to hold it"
	case UnknownNode:
		return "it is not known whether the pod runs on this node; if it does, the node counts as its own"
	case GeneratedLabel:
		return "some selector asks for a label that controllers add to pods, and whose value is not known here"
	case HiddenByOwnNode:
		return "the policies would not let the client in, but they see the pod's own node, which they cannot keep out"
	case OtherProtocol:
		return "NetworkPolicy is not defined for this protocol; most plugins answer like this"
	}
	return string(n)
}

// add appends n unless it is there.
func (v *Verdict) add(n Note) {
	if !slices.Contains(v.Notes, n) {
		v.Notes = append(v.Notes, n)
	}
}
