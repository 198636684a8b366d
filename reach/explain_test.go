package reach_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// A trial is a drawn cluster that can be asked, of the engine and of the naive
// evaluator.
type trial struct {
	c    *policy.Cluster // every policy has a name, so that a reference leads back to it
	p    reach.Profile
	g    *reach.Graph
	n    *naive
	ends []string
}

func drawTrial(t *rapid.T) *trial {
	unnamed := 0
	c := changePolicies(genCluster(t), func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
		if np.Name == "" {
			unnamed++
			np.Name = fmt.Sprintf("unnamed-%d", unnamed)
		}
		return one(np)
	})
	p := genProfile(t)
	n := newNaive(c, p)
	return &trial{c, p, compile(t, p, c), n, drawEnds(t, c, n)}
}

// drawPair draws two ends and a port.
func (tr *trial) drawPair(t *rapid.T) (from, to string, port policy.Port) {
	return rapid.SampledFrom(tr.ends).Draw(t, "from"), rapid.SampledFrom(tr.ends).Draw(t, "to"), genPort(t, tr.c)
}

// flow returns the question in the form that the naive evaluator takes.
func (tr *trial) flow(from, to string, port policy.Port, fam reach.Family) naiveFlow {
	return naiveFlow{tr.n.end(from), tr.n.end(to), port, fam}
}

func explain(g *reach.Graph, from, to string, port policy.Port, fam reach.Family) reach.Verdict {
	return g.Explain(reach.Flow{From: g.MustLookup(from), To: g.MustLookup(to), Port: port, Family: fam})
}

// sideOf returns the side whose policies have direction dir.
func sideOf(v reach.Verdict, dir networkingv1.PolicyType) reach.Side {
	if dir == networkingv1.PolicyTypeEgress {
		return v.Egress
	}
	return v.Ingress
}

var policyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress}

// A tally counts what a sample held, under names that say what.
type tally map[string]int

// check fails unless each of what was seen at least as often as given.
func (c tally) check(t *testing.T, least int, what ...string) {
	t.Helper()
	t.Log(map[string]int(c))
	for _, w := range what {
		assert.GreaterOrEqual(t, c[w], least, "too few samples of %q", w)
	}
}

// withPath reports whether both ends are there and have the family of f.
func (tr *trial) withPath(f naiveFlow) bool {
	return !f.src.dead && !f.dst.dead && (tr.n.speaks(f.src, f.fam) || f.fromOwnNode()) && tr.n.speaks(f.dst, f.fam)
}

// reason returns what decides f, by the order in the API of reach.
func (tr *trial) reason(f naiveFlow) reach.Reason {
	switch {
	case f.src.dead || f.dst.dead:
		return reach.Terminated
	case !tr.withPath(f):
		return reach.NoCommonFamily
	case tr.p.NotEnforced:
		return reach.NotEnforced
	case f.src.spec != nil && f.src.id == f.dst.id:
		return reach.Self
	case !f.src.policed && !f.dst.policed:
		return reach.NotSubject
	case tr.n.exempt(f, networkingv1.PolicyTypeEgress), tr.n.exempt(f, networkingv1.PolicyTypeIngress):
		return reach.OwnNode
	}
	return reach.Policies
}

// Over each family the answer is NoPath exactly if an end lacks the family, or
// else what Allows says. The reasons are those of the first family that allows
// the flow, or else of the first that has a path.
func TestPropertyAnswers(t *testing.T) {
	seen := tally{}
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTrial(t)
		port := genPort(t, tr.c)
		for _, from := range tr.ends {
			for _, to := range rapid.SliceOfN(rapid.SampledFrom(tr.ends), 3, 3).Draw(t, "to") {
				var want [2]reach.Answer
				var one [2]reach.Verdict
				for i, fam := range families[1:] {
					f := tr.flow(from, to, port, fam)
					v := explain(tr.g, from, to, port, fam)
					if tr.withPath(f) {
						want[i] = reach.Denied
						if tr.g.Allows(v.Flow) {
							want[i] = reach.Allowed
						}
					}
					var answers [2]reach.Answer
					answers[i] = want[i]
					if v.IPv4 != answers[0] || v.IPv6 != answers[1] || v.Allowed != (want[i] == reach.Allowed) {
						t.Fatalf("profile %+v: got IPv4 %v, IPv6 %v, want %v\n%v", tr.p, v.IPv4, v.IPv6, answers, v)
					}
					if reason := tr.reason(f); v.Reason != reason {
						t.Fatalf("profile %+v: reason %s, want %s\n%v", tr.p, v.Reason, reason, v)
					}
					seen[string(v.Reason)]++
					one[i] = v
				}

				v := explain(tr.g, from, to, port, reach.AnyFamily)
				if v.IPv4 != want[0] || v.IPv6 != want[1] {
					t.Fatalf("profile %+v: got IPv4 %v, IPv6 %v, want %v\n%v", tr.p, v.IPv4, v.IPv6, want, v)
				}
				reasons := one[0]
				if want[1] > want[0] { // NoPath < Denied < Allowed
					reasons = one[1]
				}
				if !reflect.DeepEqual(bare(v), bare(reasons)) {
					t.Fatalf("profile %+v: the reasons over any family are not those over %v:\n%v\n%v", tr.p, reasons.Flow.Family, v, reasons)
				}
			}
		}
	})
	seen.check(t, 5, "terminated", "no-common-family", "self", "not-subject", "own-node", "policies")
}

// bare returns v without what depends on more than one family or on the
// policies that have no say.
func bare(v reach.Verdict) reach.Verdict {
	v.Egress, v.Ingress = blur(v.Egress, v.Flow.To), blur(v.Ingress, v.Flow.From)
	v.Flow, v.IPv4, v.IPv6, v.DependsOn = reach.Flow{}, 0, 0, nil
	return v
}

// Each side lists exactly the policies that isolate the end, the rules of
// theirs that match with the items that do, and if nothing lets the flow pass,
// the rules of which one half matches, with all items of the other half and
// why.
func TestPropertySides(t *testing.T) {
	seen := tally{}
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTrial(t)
		ports := [2]policy.Port{genPort(t, tr.c), genPort(t, tr.c)}
		if tr.p.SCTP != reach.SCTPEnforced {
			ports[1] = policy.SCTP.Port(80)
		}
		for i, from := range tr.ends {
			for j, to := range tr.ends {
				fam, port := families[1+j%2], ports[(i+j/2)%2]
				f := tr.flow(from, to, port, fam)
				v := explain(tr.g, from, to, port, fam)
				for _, dir := range policyTypes {
					got, want := sideOf(v, dir), reach.Side{}
					if v.Reason == reach.Policies || v.Reason == reach.OwnNode {
						want = tr.side(f, dir)
					}
					count(seen, want)
					peer := v.Flow.From
					if dir == networkingv1.PolicyTypeEgress {
						peer = v.Flow.To
					}
					got, want = blur(got, peer), blur(want, peer)
					if !reflect.DeepEqual(got, want) {
						t.Fatalf("profile %+v, %s:\ngot  %+v\nwant %+v\n%v", tr.p, dir, got, want, v)
					}
				}
			}
		}
	})
	seen.check(t, 3,
		"several policies", "own node", "bypassed",
		"several rules", "several peers", "several ports", "a gap in peers", "a gap in ports",
		"near but for the peers", "near but for the ports")
}

// blur returns s without the indices of peers if the peer is outside the
// cluster. Such an endpoint stands for many addresses; if a rule lists them by
// more than one block, each block matches some of them.
func blur(s reach.Side, peer reach.Endpoint) reach.Side {
	if peer.Name() != (types.NamespacedName{}) {
		return s
	}
	s.Allowing = slices.Clone(s.Allowing)
	for i, m := range s.Allowing {
		if len(m.Peers) > 0 {
			s.Allowing[i].Peers = []int{}
		}
	}
	return s
}

// count notes what makes s worth comparing.
func count(seen tally, s reach.Side) {
	note := func(is bool, what string) {
		if is {
			seen[what]++
		}
	}
	gap := func(list []int) bool { return len(list) > 0 && list[len(list)-1] >= len(list) }
	note(len(s.Isolating) > 1, "several policies")
	note(len(s.Isolating) > 0 && s.OwnNode, "own node")
	note(len(s.Isolating) > 0 && s.Bypassed, "bypassed")
	note(len(s.Allowing) > 1, "several rules")
	for _, m := range s.Allowing {
		note(len(m.Peers) > 1, "several peers")
		note(len(m.Ports) > 1, "several ports")
		note(gap(m.Peers), "a gap in peers")
		note(gap(m.Ports), "a gap in ports")
	}
	for _, m := range s.NearMisses {
		note(len(m.Peers) > 0, "near but for the peers")
		note(len(m.Ports) > 0, "near but for the ports")
	}
}

// side returns what the raw policies say about one end of f.
func (tr *trial) side(f naiveFlow, dir networkingv1.PolicyType) reach.Side {
	self, _ := f.sides(dir)
	if !self.policed {
		return reach.Side{}
	}
	s := reach.Side{
		OwnNode:  tr.n.exempt(f, dir),
		Bypassed: tr.p.SCTP == reach.SCTPBypasses && f.port.Protocol == policy.SCTP,
	}
	for _, np := range tr.sorted() {
		if !tr.n.applies(np, dir, self) {
			continue
		}
		name := types.NamespacedName{Namespace: rawNamespace(np.ObjectMeta), Name: np.Name}
		object := "NetworkPolicy " + name.String()
		s.Isolating = append(s.Isolating, reach.PolicyRef{Name: name, Place: policy.Place{Object: object}})
		for i, r := range naiveRules(np, dir) {
			ref := reach.RuleRef{Policy: name, Direction: policy.Egress, Index: i}
			if dir == networkingv1.PolicyTypeIngress {
				ref.Direction = policy.Ingress
			}
			ref.Place = policy.Place{Object: object, Field: fmt.Sprintf("spec.%s[%d]", ref.Direction, i)}

			peersMatch, peers, peerMisses := tr.judgePeers(np, r, f, ref)
			portsMatch, ports, portMisses := tr.judgePorts(np, r, f, ref)
			switch {
			case peersMatch && portsMatch:
				s.Allowing = append(s.Allowing, reach.Match{Rule: ref, Peers: peers, Ports: ports})
			case peersMatch:
				s.NearMisses = append(s.NearMisses, reach.Miss{Rule: ref, Ports: portMisses})
			case portsMatch:
				s.NearMisses = append(s.NearMisses, reach.Miss{Rule: ref, Peers: peerMisses})
			}
		}
	}
	if len(s.Isolating) == 0 || s.OwnNode || s.Bypassed || len(s.Allowing) > 0 {
		s.NearMisses = nil
	}
	return s
}

// sorted returns the policies by namespace and name.
func (tr *trial) sorted() []*networkingv1.NetworkPolicy {
	return slices.SortedFunc(slices.Values(tr.c.Policies), func(a, b *networkingv1.NetworkPolicy) int {
		return cmp.Or(cmp.Compare(rawNamespace(a.ObjectMeta), rawNamespace(b.ObjectMeta)), cmp.Compare(a.Name, b.Name))
	})
}

// normal returns the rule that ref names in normal form, to compare what the
// explanations quote.
func normal(np *networkingv1.NetworkPolicy, ref reach.RuleRef) policy.Rule {
	p, err := policy.New(np)
	if err != nil {
		panic(err)
	}
	return p.Half(ref.Direction).Rules[ref.Index]
}

// judgePeers tells whether some peer of r matches, which do, and why the others
// do not.
func (tr *trial) judgePeers(np *networkingv1.NetworkPolicy, r naiveRule, f naiveFlow, ref reach.RuleRef) (ok bool, match []int, miss []reach.PeerMiss) {
	e := f.src
	if ref.Direction == policy.Egress {
		e = f.dst
	}
	for i, peer := range r.peers {
		if tr.n.peerMatches(np, peer, e, f.fam) {
			match = append(match, i)
		} else {
			miss = append(miss, reach.PeerMiss{Index: i, Peer: normal(np, ref).Peers[i], Why: tr.whyNotPeer(np, peer, e)})
		}
	}
	return len(r.peers) == 0 || len(match) > 0, match, miss
}

// whyNotPeer tells why a peer that does not match e does not.
func (tr *trial) whyNotPeer(np *networkingv1.NetworkPolicy, peer networkingv1.NetworkPolicyPeer, e naiveEnd) reach.Why {
	switch hidden := e.isNode && tr.p.IPBlockSkipsNodes || e.policed && tr.p.IPBlockSkipsPods; {
	case peer.IPBlock != nil && hidden:
		return reach.HiddenAddress
	case peer.IPBlock != nil && len(e.addrs) == 0:
		return reach.UnknownAddress
	case peer.IPBlock != nil:
		return reach.WrongAddress
	case !e.policed:
		return reach.NotAPod
	}
	ns := networkingv1.NetworkPolicyPeer{NamespaceSelector: peer.NamespaceSelector}
	labels := networkingv1.NetworkPolicyPeer{NamespaceSelector: new(metav1.LabelSelector), PodSelector: peer.PodSelector}
	switch {
	case tr.n.peerMatches(np, ns, e, reach.AnyFamily):
		return reach.WrongLabels
	case tr.n.peerMatches(np, labels, e, reach.AnyFamily):
		return reach.WrongNamespace
	}
	return reach.WrongBoth
}

// judgePorts is judgePeers for the ports. Nothing matches SCTP if the plugin
// drops it, not even an omitted list, which is quoted as the zero PortItem.
func (tr *trial) judgePorts(np *networkingv1.NetworkPolicy, r naiveRule, f naiveFlow, ref reach.RuleRef) (ok bool, match []int, miss []reach.PortMiss) {
	dropped := tr.p.SCTP == reach.SCTPDropped && f.port.Protocol == policy.SCTP
	if dropped && len(r.ports) == 0 {
		return false, nil, []reach.PortMiss{{Why: reach.SCTPNotHandled}}
	}
	for i, item := range r.ports {
		switch matches := tr.n.itemMatches(item, f); {
		case matches && !dropped:
			match = append(match, i)
		case matches:
			miss = append(miss, reach.PortMiss{Index: i, Item: normal(np, ref).Ports[i], Why: reach.SCTPNotHandled})
		default:
			miss = append(miss, reach.PortMiss{Index: i, Item: normal(np, ref).Ports[i], Why: tr.whyNotItem(item, f)})
		}
	}
	return len(r.ports) == 0 || len(match) > 0, match, miss
}

// whyNotItem tells why a port item that does not match f does not.
func (tr *trial) whyNotItem(item networkingv1.NetworkPolicyPort, f naiveFlow) reach.Why {
	switch {
	case rawProtocol(item.Protocol) != f.port.Protocol:
		return reach.WrongProtocol
	case item.Port.Type == intstr.Int:
		return reach.WrongNumber
	case !f.dst.policed:
		return reach.NameNotAPod
	case len(tr.n.numbersNamed(item.Port.StrVal, f.port.Protocol, f.dst)) == 0:
		return reach.NameNotThere
	}
	return reach.NameElsewhere
}

// A cluster cut down to the policies that a Verdict says isolate its ends has
// the same Verdict.
func TestPropertyIsolatingIsEnough(t *testing.T) {
	seen := tally{}
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTrial(t)
		for range 8 {
			from, to, port := tr.drawPair(t)
			v := explain(tr.g, from, to, port, reach.AnyFamily)
			if v.Reason != reach.Policies && v.Reason != reach.OwnNode {
				continue
			}
			isolating := make(map[string]bool)
			for _, ref := range slices.Concat(v.Egress.Isolating, v.Ingress.Isolating) {
				isolating[ref.Name.String()] = true
			}
			cut := changePolicies(tr.c, func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
				if !isolating[rawNamespace(np.ObjectMeta)+"/"+np.Name] {
					return nil
				}
				return one(np)
			})
			w := explain(compile(t, tr.p, cut), from, to, port, reach.AnyFamily)
			if v.IPv4 != w.IPv4 || v.IPv6 != w.IPv6 || !reflect.DeepEqual(bare(v), bare(w)) {
				t.Fatalf("profile %+v:\nbefore: %v\nafter: %v", tr.p, v, w)
			}
			if len(isolating) > 0 && len(cut.Policies) < len(tr.c.Policies) {
				seen[fmt.Sprintf("%t, policies left out", v.Allowed)]++
			}
		}
	})
	seen.check(t, 20, "true, policies left out", "false, policies left out")
}

// Without the rules that a Verdict says let a flow pass at an end that is
// isolated, the end does not let it pass, unless it would without any rule.
func TestPropertyAllowingIsNeeded(t *testing.T) {
	seen := tally{}
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTrial(t)
		for range 8 {
			from, to, port := tr.drawPair(t)
			fam := rapid.SampledFrom(families[1:]).Draw(t, "family")
			v := explain(tr.g, from, to, port, fam)
			for _, dir := range policyTypes {
				s := sideOf(v, dir)
				if len(s.Isolating) == 0 || s.OwnNode || s.Bypassed || !s.Passes() {
					continue
				}
				g := compile(t, tr.p, tr.without(s.Allowing))
				if w := explain(g, from, to, port, fam); sideOf(w, dir).Passes() || w.Allowed || g.Allows(w.Flow) {
					t.Fatalf("profile %+v: %s passes without %v:\nbefore: %v\nafter: %v", tr.p, dir, s.Allowing, v, w)
				}
				seen[string(dir)]++
			}
		}
	})
	seen.check(t, 5, "Egress", "Ingress")
}

// without returns the cluster without some rules. The policies isolate as
// before, because they list their directions.
func (tr *trial) without(rules []reach.Match) *policy.Cluster {
	return changePolicies(tr.c, func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
		np.Spec.PolicyTypes = slices.Clone(tr.n.types(np))
		for _, m := range slices.Backward(rules) { // the later ones first, to keep the indices right
			switch {
			case m.Rule.Policy.String() != rawNamespace(np.ObjectMeta)+"/"+np.Name:
			case m.Rule.Direction == policy.Egress:
				np.Spec.Egress = slices.Delete(np.Spec.Egress, m.Rule.Index, m.Rule.Index+1)
			default:
				np.Spec.Ingress = slices.Delete(np.Spec.Ingress, m.Rule.Index, m.Rule.Index+1)
			}
		}
		return one(np)
	})
}

// The text of a Verdict is the same on every call, and for a shuffled cluster.
func TestPropertyVerdictText(t *testing.T) {
	seen := tally{}
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTrial(t)
		h := compile(t, tr.p, shuffled(tr.c, rapid.Uint64().Draw(t, "seed")))
		for range 10 {
			from, to, port := tr.drawPair(t)
			v := explain(tr.g, from, to, port, reach.AnyFamily)
			want := v.String()
			if got := v.String(); got != want {
				t.Fatalf("the second text of a verdict:\n%s\nwant:\n%s", got, want)
			}
			if got := explain(tr.g, from, to, port, reach.AnyFamily).String(); got != want {
				t.Fatalf("the second verdict:\n%s\nwant:\n%s", got, want)
			}
			if got := explain(h, from, to, port, reach.AnyFamily).String(); got != want {
				t.Fatalf("of the shuffled cluster:\n%s\nwant:\n%s", got, want)
			}
			if len(v.Egress.Isolating) > 1 || len(v.Ingress.Isolating) > 1 {
				seen["several policies"]++
			}
		}
	})
	seen.check(t, 20, "several policies")
}

// explainWorld is the cluster of TestVerdictText. The policies of the rows
// select x/a and x/nomad for egress, and x/b and x/drifter for ingress. Of
// x/nomad and x/drifter no node is known.
const explainWorld = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: made, namespace: z}
spec: {template: {metadata: {labels: {app: made}}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: x, labels: {team: a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: z, labels: {team: b}}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {app: a}}
spec: {nodeName: n1}
status: {phase: Running, podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x, labels: {app: b}}
spec:
  nodeName: n2
  containers:
  - {name: main, ports: [{name: web, containerPort: 80}, {name: admin, containerPort: 9000}]}
  - {name: more, ports: [{name: web, containerPort: 8080}]}
  initContainers:
  - {name: init, ports: [{name: setup, containerPort: 7000}]}
status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: drifter, namespace: x, labels: {app: b}}
status: {phase: Running, podIP: 10.0.0.3}
---
apiVersion: v1
kind: Pod
metadata: {name: nomad, namespace: x, labels: {app: a}}
status: {phase: Running, podIP: 10.0.0.4}
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: z, labels: {app: c}}
spec: {nodeName: n2}
status: {phase: Running, podIP: 10.0.0.5}
---
apiVersion: v1
kind: Pod
metadata: {name: dual, namespace: z}
spec: {nodeName: n2}
status: {phase: Running, podIP: 10.0.0.7, podIPs: [{ip: 10.0.0.7}, {ip: "fd00::7"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: six, namespace: z}
spec: {nodeName: n2}
status: {phase: Running, podIP: "fd00::6"}
---
apiVersion: v1
kind: Pod
metadata: {name: soon, namespace: z}
spec: {nodeName: n2}
status: {phase: Pending, podIP: 10.0.0.8}
---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: z}
status: {phase: Succeeded, podIP: 10.0.0.9}
---
apiVersion: v1
kind: Pod
metadata: {name: starting, namespace: z}
status: {phase: Pending}
---
apiVersion: v1
kind: Pod
metadata: {name: lost, namespace: z}
spec: {nodeName: n2}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: z}
spec: {hostNetwork: true, nodeName: n1}
status: {phase: Running, podIP: 192.168.0.1}
`

// A textRow is a question and the whole text of its Verdict.
type textRow struct {
	name, why string
	in, out   string // the rules of the policies x/in and x/out, from line 8 of in.yaml and out.yaml on; empty for no policy
	profile   reach.Profile
	ask       string // as parseQuestion reads it
	want      string
}

const noRules = "    []"

var textRows = []textRow{
	// Reasons.
	{
		name: "terminated",
		why:  "before anything else, a pod that is gone can be no end",
		ask:  "x/a -> z/done 80/TCP deny",
		want: `
x/a -> z/done 80/TCP: denied
  an end is a pod that has terminated`,
	},
	{
		name: "no common family",
		why:  "x/a has IPv4 only, z/six has IPv6 only",
		ask:  "x/a -> z/six 80/TCP deny",
		want: `
x/a -> z/six 80/TCP: denied
  the ends have no address family in common`,
	},
	{
		name: "no address of the family asked for",
		why:  "asked for one family, the text names it",
		ask:  "x/b -> x/a 80/TCP deny over IPv6",
		want: `
x/b -> x/a 80/TCP over IPv6: denied
  an end has no IPv6 address`,
	},
	{
		name:    "not enforced",
		why:     "without a plugin that enforces policies there is nothing else to say, nor to depend on",
		in:      noRules,
		profile: reach.Profile{NotEnforced: true},
		ask:     "x/a -> x/b 80/TCP allow",
		want: `
x/a -> x/b 80/TCP: allowed
  no plugin enforces network policies`,
	},
	{
		name: "self",
		why:  "that x/b lets nobody in does not matter to itself",
		in:   noRules,
		ask:  "x/b -> x/b 80/TCP allow",
		want: `
x/b -> x/b 80/TCP: allowed
  a pod always reaches itself`,
	},
	{
		name: "not subject",
		why:  "a pod on the host network is its node, and nodes have no policies",
		ask:  "z/host -> node:n2 80/TCP allow",
		want: `
z/host -> node:n2 80/TCP: allowed
  neither end is a pod that network policies can select`,
	},
	{
		name: "own node",
		why:  "a node always reaches the pods on it",
		in:   noRules,
		ask:  "node:n2 -> x/b 80/TCP allow",
		want: `
node:n2 -> x/b 80/TCP: allowed
  egress of node:n2: passes, no policy isolates it
  ingress of x/b: passes, the other end is its own node
    isolated by x/in`,
	},
	{
		name:    "own node as destination",
		why:     "the way back is open only under this profile, which is the note",
		out:     noRules,
		profile: reach.Profile{EgressToOwnNodeAllowed: true},
		ask:     "x/a -> node:n1 80/TCP allow",
		want: `
x/a -> node:n1 80/TCP: allowed
  egress of x/a: passes, the other end is its own node
    isolated by x/out
  ingress of node:n1: passes, no policy isolates it
  note: plugins differ here; the answer could be another with EgressToOwnNodeAllowed`,
	},
	{
		name: "policies that are not there",
		why:  "an end that nothing isolates passes",
		ask:  "x/a -> x/b 80/TCP allow",
		want: `
x/a -> x/b 80/TCP: allowed
  egress of x/a: passes, no policy isolates it
  ingress of x/b: passes, no policy isolates it`,
	},

	// Sides.
	{
		name: "two rules allow",
		why:  "all rules that match are listed with their items, and what nearly matches is of no interest",
		in: `
  - from:
    - podSelector: {matchLabels: {app: a}}
    - podSelector: {matchLabels: {app: z}}
    - podSelector: {}
    ports:
    - {port: 81}
    - {port: 80}
    - {protocol: TCP}
  - {}
  - ports: [{port: 443}]`,
		ask: "x/a -> x/b 80/TCP allow",
		want: `
x/a -> x/b 80/TCP: allowed
  egress of x/a: passes, no policy isolates it
  ingress of x/b: passes
    isolated by x/in
    allowed by x/in ingress[0] (in.yaml:8), from[0,2], ports[1,2]
    allowed by x/in ingress[1] (in.yaml:16)`,
	},
	{
		name: "both ends allow",
		why:  "the peers of an egress rule are called to",
		out: `
  - ports: [{port: 443}]
  - to:
    - podSelector: {matchLabels: {app: a}}
    - podSelector: {matchLabels: {app: b}}
    ports: [{port: 80}]`,
		in: `
  - from: [{podSelector: {}}]`,
		ask: "x/a -> x/b 80/TCP allow",
		want: `
x/a -> x/b 80/TCP: allowed
  egress of x/a: passes
    isolated by x/out
    allowed by x/out egress[1] (out.yaml:9), to[1], ports[0]
  ingress of x/b: passes
    isolated by x/in
    allowed by x/in ingress[0] (in.yaml:8), from[0]`,
	},
	{
		name: "only the source denies",
		why:  "each side stands by itself: one passes, the other does not",
		out:  noRules,
		in: `
  - {}`,
		ask: "x/a -> x/b 80/TCP deny",
		want: `
x/a -> x/b 80/TCP: denied
  egress of x/a: no rule allows it
    isolated by x/out
  ingress of x/b: passes
    isolated by x/in
    allowed by x/in ingress[0] (in.yaml:8)`,
	},
	{
		name: "near misses",
		why:  "one half of each of the first two rules matches, nothing of the third",
		in: `
  - from: [{podSelector: {matchLabels: {app: z}}}]
  - ports: [{port: 81}]
  - from: [{podSelector: {matchLabels: {app: z}}}]
    ports: [{port: 81}]`,
		ask: "x/a -> x/b 80/TCP deny",
		want: `
x/a -> x/b 80/TCP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is pods [app=z] in x: its labels do not match
    near miss: x/in ingress[1] (in.yaml:9): a peer matches, but no port
      ports[0] is 81/TCP: it is another port`,
	},
	{
		name:    "bypassed",
		why:     "SCTP passes by policies that allow nothing; two other ways to handle it deny, which is one field",
		in:      noRules,
		profile: reach.Profile{SCTP: reach.SCTPBypasses},
		ask:     "x/a -> x/b 9/SCTP allow",
		want: `
x/a -> x/b 9/SCTP: allowed
  egress of x/a: passes, no policy isolates it
  ingress of x/b: passes, the plugin does not filter SCTP
    isolated by x/in
  note: plugins differ here; the answer could be another with SCTP`,
	},

	// Why a peer does not match.
	{
		name: "wrong labels",
		why:  "z/c is in team b but is not app a",
		in: `
  - from: [{namespaceSelector: {matchLabels: {team: b}}, podSelector: {matchLabels: {app: a}}}]`,
		ask: "z/c -> x/b 80/TCP deny",
		want: `
z/c -> x/b 80/TCP: denied
  egress of z/c: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is pods [app=a] in namespaces [team=b]: its labels do not match`,
	},
	{
		name: "wrong namespace",
		why:  "z/c has the labels; a podSelector alone means the namespace of the policy; all pods have the labels of no selector",
		in: `
  - from:
    - podSelector: {matchLabels: {app: c}}
    - namespaceSelector: {matchLabels: {team: a}}`,
		ask: "z/c -> x/b 80/TCP deny",
		want: `
z/c -> x/b 80/TCP: denied
  egress of z/c: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is pods [app=c] in x: its namespace does not match
      from[1] is all pods in namespaces [team=a]: its namespace does not match`,
	},
	{
		name: "wrong namespace and labels",
		why:  "z/c is neither in team a nor app a",
		in: `
  - from: [{namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: a}}}]`,
		ask: "z/c -> x/b 80/TCP deny",
		want: `
z/c -> x/b 80/TCP: denied
  egress of z/c: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is pods [app=a] in namespaces [team=a]: neither its namespace nor its labels match`,
	},
	{
		name: "not a pod",
		why:  "no selector picks a node",
		in: `
  - from: [{namespaceSelector: {}}]`,
		ask: "node:n1 -> x/b 80/TCP deny",
		want: `
node:n1 -> x/b 80/TCP: denied
  egress of node:n1: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is all pods in all namespaces: it does not count as a pod, and selectors match only pods`,
	},
	{
		name: "a pod that does not count as one",
		why:  "plugins that see the pods of the host network as pods would let it in",
		in: `
  - from: [{namespaceSelector: {}}]`,
		ask: "z/host -> x/b 80/TCP deny",
		want: `
z/host -> x/b 80/TCP: denied
  egress of z/host: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is all pods in all namespaces: it does not count as a pod, and selectors match only pods
  note: plugins differ here; the answer could be another with HostNetworkAsPods`,
	},
	{
		name: "wrong address",
		why:  "10.0.0.5 comes after the first block and is in the exception of the second",
		in: `
  - from:
    - ipBlock: {cidr: 10.0.0.0/30}
    - ipBlock: {cidr: 10.0.0.0/24, except: [10.0.0.4/30]}`,
		ask: "z/c -> x/b 80/TCP deny",
		want: `
z/c -> x/b 80/TCP: denied
  egress of z/c: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is 10.0.0.0/30: the block does not hold its address
      from[1] is 10.0.0.0/24 except 10.0.0.4/30: the block does not hold its address`,
	},
	{
		name: "unknown address",
		why:  "if the address of z/lost were known the block could hold it",
		in: `
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]`,
		ask: "z/lost -> x/b 80/TCP deny",
		want: `
z/lost -> x/b 80/TCP: denied
  egress of z/lost: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is 10.0.0.0/8: its address is not known
  note: no address of an end is known, so no ipBlock is taken to hold it`,
	},
	{
		name: "hidden address of a pod",
		why:  "the block holds 10.0.0.5, but this plugin does not look",
		in: `
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]`,
		profile: reach.Profile{IPBlockSkipsPods: true},
		ask:     "z/c -> x/b 80/TCP deny",
		want: `
z/c -> x/b 80/TCP: denied
  egress of z/c: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is 10.0.0.0/8: the plugin does not compare its address with blocks
  note: plugins differ here; the answer could be another with IPBlockSkipsPods`,
	},
	{
		name: "hidden address of a node",
		why:  "the block holds 192.168.0.1, but this plugin does not look",
		in: `
  - from: [{ipBlock: {cidr: 192.168.0.0/16}}]`,
		profile: reach.Profile{IPBlockSkipsNodes: true},
		ask:     "node:n1 -> x/b 80/TCP deny",
		want: `
node:n1 -> x/b 80/TCP: denied
  egress of node:n1: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is 192.168.0.0/16: the plugin does not compare its address with blocks
  note: plugins differ here; the answer could be another with IPBlockSkipsNodes`,
	},

	// Why a port item does not match.
	{
		name: "wrong protocol",
		why:  "an item is for one protocol, with a number or without",
		in: `
  - ports: [{protocol: UDP, port: 80}, {protocol: SCTP}]`,
		ask: "x/a -> x/b 80/TCP deny",
		want: `
x/a -> x/b 80/TCP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is 80/UDP: it is for another protocol
      ports[1] is SCTP: it is for another protocol`,
	},
	{
		name: "wrong number",
		why:  "80 is beside the first port and below the range",
		in: `
  - ports: [{port: 79}, {port: 81, endPort: 90}]`,
		ask: "x/a -> x/b 80/TCP deny",
		want: `
x/a -> x/b 80/TCP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is 79/TCP: it is another port
      ports[1] is 81-90/TCP: it is another port`,
	},
	{
		name: "end of a range that does not count",
		why:  "for this plugin the range is 79 alone",
		in: `
  - ports: [{port: 79, endPort: 81}]`,
		profile: reach.Profile{EndPortIgnored: true},
		ask:     "x/a -> x/b 80/TCP deny",
		want: `
x/a -> x/b 80/TCP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is 79-81/TCP: it is another port
  note: plugins differ here; the answer could be another with EndPortIgnored`,
	},
	{
		name: "name not there",
		why:  "no container of x/b declares metrics",
		in: `
  - ports: [{port: metrics}]`,
		ask: "x/a -> x/b 80/TCP deny",
		want: `
x/a -> x/b 80/TCP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is metrics/TCP: the destination declares no such port`,
	},
	{
		name: "name of a container that does not count",
		why:  "setup is 7000 in an init container, of which some plugins take note",
		in: `
  - ports: [{port: setup}]`,
		ask: "x/a -> x/b 7000/TCP deny",
		want: `
x/a -> x/b 7000/TCP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is setup/TCP: the destination declares no such port
  note: plugins differ here; the answer could be another with NamedPorts`,
	},
	{
		name: "name elsewhere",
		why:  "x/b declares admin, but for 9000",
		in: `
  - ports: [{port: admin}]`,
		ask: "x/a -> x/b 80/TCP deny",
		want: `
x/a -> x/b 80/TCP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is admin/TCP: the destination declares the name for another port`,
	},
	{
		name: "name on what is not a pod",
		why:  "nodes declare nothing",
		out: `
  - ports: [{port: web}]`,
		ask: "x/a -> node:n2 80/TCP deny",
		want: `
x/a -> node:n2 80/TCP: denied
  egress of x/a: no rule allows it
    isolated by x/out
    near miss: x/out egress[0] (out.yaml:8): a peer matches, but no port
      ports[0] is web/TCP: the destination does not count as a pod, and only pods declare names
  ingress of node:n2: passes, no policy isolates it`,
	},
	{
		name: "SCTP that is not handled",
		why:  "the item is for 9/SCTP, but this plugin drops all of it",
		in: `
  - ports: [{protocol: SCTP, port: 9}]`,
		profile: reach.Profile{SCTP: reach.SCTPDropped},
		ask:     "x/a -> x/b 9/SCTP deny",
		want: `
x/a -> x/b 9/SCTP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is 9/SCTP: the plugin drops SCTP
  note: plugins differ here; the answer could be another with SCTP`,
	},

	// Answers by family.
	{
		name: "allowed over IPv4 only",
		why:  "the block holds the IPv4 address of z/dual; the reasons are those of IPv4",
		in: `
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]`,
		ask: "z/dual -> x/b 80/TCP allow",
		want: `
z/dual -> x/b 80/TCP: allowed
  over IPv4 allowed, over IPv6 denied
  egress of z/dual: passes, no policy isolates it
  ingress of x/b: passes
    isolated by x/in
    allowed by x/in ingress[0] (in.yaml:8), from[0]
  note: plugins differ here; the answer could be another with IPBlockSkipsPods`,
	},
	{
		name: "allowed over IPv6 only",
		why:  "the block holds the IPv6 address of z/dual; the reasons are those of IPv6",
		in: `
  - from: [{ipBlock: {cidr: "fd00::/16"}}]`,
		ask: "z/dual -> x/b 80/TCP allow",
		want: `
z/dual -> x/b 80/TCP: allowed
  over IPv4 denied, over IPv6 allowed
  egress of z/dual: passes, no policy isolates it
  ingress of x/b: passes
    isolated by x/in
    allowed by x/in ingress[0] (in.yaml:8), from[0]
  note: plugins differ here; the answer could be another with IPBlockSkipsPods`,
	},
	{
		name: "allowed over both",
		why:  "IPv4 comes first, so the reasons are its own, and no line tells the families apart",
		in: `
  - from: [{ipBlock: {cidr: "fd00::/16"}}]
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]`,
		ask: "z/dual -> x/b 80/TCP allow",
		want: `
z/dual -> x/b 80/TCP: allowed
  egress of z/dual: passes, no policy isolates it
  ingress of x/b: passes
    isolated by x/in
    allowed by x/in ingress[1] (in.yaml:9), from[0]
  note: plugins differ here; the answer could be another with IPBlockSkipsPods`,
	},
	{
		name: "denied over both",
		why:  "over IPv4, which comes first, the peer matches; over IPv6 neither half would",
		in: `
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]
    ports: [{port: 81}]`,
		ask: "z/dual -> x/b 80/TCP deny",
		want: `
z/dual -> x/b 80/TCP: denied
  egress of z/dual: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is 81/TCP: it is another port`,
	},
	{
		name: "denied over the family asked for",
		why:  "over IPv6 the block of IPv4 holds nothing, whatever the plugin; the other family was not asked for",
		in: `
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]`,
		ask: "z/dual -> x/b 80/TCP deny over IPv6",
		want: `
z/dual -> x/b 80/TCP over IPv6: denied
  egress of z/dual: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is 10.0.0.0/8: the block does not hold its address`,
	},

	// Notes.
	{
		name: "no address yet",
		why:  "a pending pod without address is noted even where no block is",
		ask:  "z/starting -> x/b 80/TCP allow",
		want: `
z/starting -> x/b 80/TCP: allowed
  egress of z/starting: passes, no policy isolates it
  ingress of x/b: passes, no policy isolates it
  note: no address of an end is known, so no ipBlock is taken to hold it`,
	},
	{
		name: "an address in time",
		why:  "a pending pod may have its address already",
		ask:  "z/soon -> x/b 80/TCP allow",
		want: `
z/soon -> x/b 80/TCP: allowed
  egress of z/soon: passes, no policy isolates it
  ingress of x/b: passes, no policy isolates it`,
	},
	{
		name: "an address that does not matter",
		why:  "no block could match if the address of z/lost were known",
		ask:  "z/lost -> x/b 80/TCP allow",
		want: `
z/lost -> x/b 80/TCP: allowed
  egress of z/lost: passes, no policy isolates it
  ingress of x/b: passes, no policy isolates it`,
	},
	{
		name: "unknown node",
		why:  "x/drifter may run on n1, which could then always reach it",
		in:   noRules,
		ask:  "node:n1 -> x/drifter 80/TCP deny",
		want: `
node:n1 -> x/drifter 80/TCP: denied
  egress of node:n1: passes, no policy isolates it
  ingress of x/drifter: no rule allows it
    isolated by x/in
  note: it is not known whether the pod runs on this node; if it does, the node counts as its own`,
	},
	{
		name: "generated label",
		why:  "the pods of z/made will have the label, and nothing here says with which value",
		in: `
  - from: [{namespaceSelector: {}, podSelector: {matchLabels: {pod-template-hash: abc}}}]`,
		ask: "z/made -> x/b 80/TCP deny",
		want: `
z/made -> x/b 80/TCP: denied
  egress of z/made: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): the port matches, but no peer
      from[0] is pods [pod-template-hash=abc] in all namespaces: its labels do not match
  note: some selector asks for a label that controllers add to pods, and whose value is not known here`,
	},
	{
		name: "a node that does not matter",
		why:  "the rule lets n1 in whether x/drifter runs on it or not",
		in: `
  - {}`,
		ask: "node:n1 -> x/drifter 80/TCP allow",
		want: `
node:n1 -> x/drifter 80/TCP: allowed
  egress of node:n1: passes, no policy isolates it
  ingress of x/drifter: passes
    isolated by x/in
    allowed by x/in ingress[0] (in.yaml:8)`,
	},
	{
		name: "a node that decides nothing",
		why:  "policies decide about egress to the own node as to any other",
		out:  noRules,
		ask:  "x/nomad -> node:n1 80/TCP deny",
		want: `
x/nomad -> node:n1 80/TCP: denied
  egress of x/nomad: no rule allows it
    isolated by x/out
  ingress of node:n1: passes, no policy isolates it`,
	},
	{
		name:    "unknown node as destination",
		why:     "this plugin lets x/nomad out to n1 if it runs there",
		out:     noRules,
		profile: reach.Profile{EgressToOwnNodeAllowed: true},
		ask:     "x/nomad -> node:n1 80/TCP deny",
		want: `
x/nomad -> node:n1 80/TCP: denied
  egress of x/nomad: no rule allows it
    isolated by x/out
  ingress of node:n1: passes, no policy isolates it
  note: it is not known whether the pod runs on this node; if it does, the node counts as its own`,
	},
	{
		name: "other protocol",
		why:  "the API says nothing about ICMP, and policies have items for other protocols only",
		in: `
  - ports: [{port: 80}]`,
		ask: "x/a -> x/b ICMP deny",
		want: `
x/a -> x/b ICMP: denied
  egress of x/a: passes, no policy isolates it
  ingress of x/b: no rule allows it
    isolated by x/in
    near miss: x/in ingress[0] (in.yaml:8): a peer matches, but no port
      ports[0] is 80/TCP: it is for another protocol
  note: NetworkPolicy is not defined for this protocol; most plugins answer like this`,
	},
	{
		name: "other protocol without policies",
		why:  "where no policy isolates, there is nothing to be read in two ways",
		ask:  "x/a -> x/b ICMP allow",
		want: `
x/a -> x/b ICMP: allowed
  egress of x/a: passes, no policy isolates it
  ingress of x/b: passes, no policy isolates it`,
	},

	// What else the answer depends on.
	{
		name: "depends on egress to the own node",
		why:  "by default the policies of x/a decide about its own node too",
		out:  noRules,
		ask:  "x/a -> node:n1 80/TCP deny",
		want: `
x/a -> node:n1 80/TCP: denied
  egress of x/a: no rule allows it
    isolated by x/out
  ingress of node:n1: passes, no policy isolates it
  note: plugins differ here; the answer could be another with EgressToOwnNodeAllowed`,
	},
	{
		name: "depends on the first port of a name",
		why:  "web is 80 in the first container and 8080 in the second",
		in: `
  - ports: [{port: web}]`,
		ask: "x/a -> x/b 8080/TCP allow",
		want: `
x/a -> x/b 8080/TCP: allowed
  egress of x/a: passes, no policy isolates it
  ingress of x/b: passes
    isolated by x/in
    allowed by x/in ingress[0] (in.yaml:8), ports[0]
  note: plugins differ here; the answer could be another with NamedPortFirst`,
	},
	{
		name: "depends on two choices",
		why:  "the rule needs the address of a pod and the end of a range; the fields come in the order of Profile",
		in: `
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]
    ports: [{port: 79, endPort: 81}]`,
		ask: "z/c -> x/b 80/TCP allow",
		want: `
z/c -> x/b 80/TCP: allowed
  egress of z/c: passes, no policy isolates it
  ingress of x/b: passes
    isolated by x/in
    allowed by x/in ingress[0] (in.yaml:8), from[0], ports[0]
  note: plugins differ here; the answer could be another with IPBlockSkipsPods or EndPortIgnored`,
	},
}

// cluster returns explainWorld with the policies of the row.
func (r textRow) cluster(t *testing.T) *policy.Cluster {
	parts := []*policy.Cluster{parse(t, "world.yaml", explainWorld)}
	for _, half := range []struct{ name, app, kind, field, rules string }{
		{"in", "b", "Ingress", "ingress", r.in},
		{"out", "a", "Egress", "egress", r.out},
	} {
		if half.rules != "" {
			parts = append(parts, parse(t, half.name+".yaml", fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: %s, namespace: x}
spec:
  podSelector: {matchLabels: {app: %s}}
  policyTypes: [%s]
  %s:
%s
`, half.name, half.app, half.kind, half.field, strings.TrimPrefix(half.rules, "\n"))))
		}
	}
	return policy.Join(parts...)
}

func parse(t *testing.T, name, text string) *policy.Cluster {
	t.Helper()
	c, err := policy.Parse(name, strings.NewReader(text))
	require.NoError(t, err)
	return c
}

// The text of a Verdict says what decided, where, and what to know.
func TestVerdictText(t *testing.T) {
	seen := make(map[string]bool) // values of Reason, Note and Why, and fields of Profile
	for _, r := range textRows {
		t.Run(r.name, func(t *testing.T) {
			require.NotEmpty(t, r.why, "a row says why")
			q, err := parseQuestion(r.ask)
			require.NoError(t, err)
			c := r.cluster(t)
			g, err := r.profile.Compile(c)
			require.NoError(t, err)

			v := explain(g, q.From, q.To, q.Port, q.Family)
			assert.Equal(t, strings.TrimPrefix(r.want, "\n"), v.String(), r.why)
			assert.Equal(t, q.Allow, v.Allowed, r.why)
			assert.Equal(t, q.Allow, newNaive(c, r.profile).allows(q.From, q.To, q.Port, q.Family), r.why)

			seen[string(v.Reason)] = true
			for _, n := range v.Notes {
				seen[string(n)] = true
			}
			for _, field := range v.DependsOn {
				seen[field] = true
			}
			for _, m := range slices.Concat(v.Egress.NearMisses, v.Ingress.NearMisses) {
				for _, p := range m.Peers {
					seen[string(p.Why)] = true
				}
				for _, p := range m.Ports {
					seen[string(p.Why)] = true
				}
			}
		})
	}
	for _, name := range []string{"Reason", "Note", "Why"} {
		values := constantsOf(t, name)
		require.NotEmpty(t, values)
		for _, value := range values {
			if value == string(reach.HairpinPasses) || value == string(reach.HiddenByOwnNode) {
				continue // of Services: see TestTraceText
			}
			assert.True(t, seen[value], "no row has the %s %q", name, value)
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[reach.Profile]()) {
		if field.Name != "NotEnforced" && !isServiceField(field.Name) {
			assert.True(t, seen[field.Name], "no row depends on %s", field.Name)
		}
	}
}

// constantsOf returns the values of the constants in verdict.go that are
// declared with the string type of this name.
func constantsOf(t *testing.T, name string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "verdict.go", nil, 0)
	require.NoError(t, err)
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == name {
			for _, v := range spec.Values {
				value, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				require.NoError(t, err)
				values = append(values, value)
			}
		}
		return true
	})
	return values
}

// Where nothing is known of files, the texts name objects alone.
func TestTextWithoutPlace(t *testing.T) {
	rule := reach.RuleRef{Policy: types.NamespacedName{Namespace: "x", Name: "p"}, Direction: policy.Ingress, Index: 2}
	out := rule
	out.Direction = policy.Egress
	for _, c := range []struct {
		why  string
		text fmt.Stringer
		want string
	}{
		{"no place to add", rule, "x/p ingress[2]"},
		{"a rule without lists has no items", reach.Match{Rule: rule}, "x/p ingress[2]"},
		{"sources are from", reach.Match{Rule: rule, Peers: []int{0, 11}, Ports: []int{3}}, "x/p ingress[2], from[0,11], ports[3]"},
		{"destinations are to", reach.Match{Rule: out, Peers: []int{1}}, "x/p egress[2], to[1]"},
		{"the peers fail", reach.Miss{Rule: rule, Peers: []reach.PeerMiss{{}}}, "x/p ingress[2]: the port matches, but no peer"},
		{"the ports fail", reach.Miss{Rule: out, Ports: []reach.PortMiss{{}}}, "x/p egress[2]: a peer matches, but no port"},
		{"the zero Verdict is no answer to rely on, so it says denied", reach.Verdict{}, "no endpoint -> no endpoint none: denied"},
		{"the zero Answer", reach.NoPath, "no path"},
		{"the answer that denies", reach.Denied, "denied"},
		{"the answer that allows", reach.Allowed, "allowed"},
	} {
		assert.Equal(t, c.want, c.text.String(), c.why)
	}
}
