package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"k8s.io/apimachinery/pkg/types"
)

// A spelled flow is one in the words of [reach.Graph.Lookup], which mean the same in
// every Graph of the same pods and nodes.
type spelled struct {
	from, to string
	port     policy.Port
	family   reach.Family
}

// spell returns the example of a change.
func spell(c reach.Change) spelled {
	text := func(e reach.Endpoint, ends reach.Ends) string {
		if isOutside(e) {
			return ends.Outside().First().String()
		}
		return e.String()
	}
	f := c.Flow()
	return spelled{text(f.From, c.From), text(f.To, c.To), f.Port, f.Family}
}

// in returns the flow as one of g. It reports false if several pods have an address
// at which one of several addresses is meant.
func (f spelled) in(g *reach.Graph) (reach.Flow, bool) {
	from, err := g.Lookup(f.from)
	to, err2 := g.Lookup(f.to)
	return reach.Flow{From: from, To: to, Port: f.port, Family: f.family}, err == nil && err2 == nil
}

// isOutside reports whether an endpoint is outside the cluster. It is not for nodes
// of which no name is known.
func isOutside(e reach.Endpoint) bool { return e.Name() == types.NamespacedName{} }

// sideOf returns what the policies of one end say of a flow.
func sideOf(v *reach.Verdict, d policy.Direction) *reach.Side {
	if d == policy.Ingress {
		return &v.Ingress
	}
	return &v.Egress
}

// An explainer tells why flows are allowed and denied, with the policies of a subject.
type explainer struct {
	s     *subject
	g     *reach.Graph // of the same pods and nodes
	byKey map[types.NamespacedName]*subjectPolicy
}

func newExplainer(s *subject, g *reach.Graph) *explainer {
	x := &explainer{s, g, make(map[types.NamespacedName]*subjectPolicy)}
	for _, p := range s.policies {
		x.byKey[types.NamespacedName{Namespace: p.Name.Namespace, Name: p.key}] = p
	}
	return x
}

// unspoken is the proof by a flow that no text names.
var unspoken = Proof{Text: "a flow from or to an address that several pods have"}

// end returns the end of a flow that its policies for a direction judge.
func end(f reach.Flow, d policy.Direction) reach.Endpoint {
	if d == policy.Ingress {
		return f.To
	}
	return f.From
}

// denial proves that one end denies a flow in a Graph with policies as in that of x,
// and returns which policies do. It returns false if the end does not deny it.
func (x *explainer) denial(g *reach.Graph, sp spelled, d policy.Direction) (_ Proof, by []policy.Place, denied bool) {
	f, ok := sp.in(g)
	if !ok {
		return unspoken, nil, false
	}
	v := g.Explain(f)
	side := sideOf(&v, d)
	if v.Reason != reach.Policies || side.Passes() {
		return Proof{}, nil, false
	}
	var names []string
	for _, ref := range side.Isolating {
		if p := x.byKey[ref.Name]; p != nil {
			ref = reach.PolicyRef{Name: p.Name, Place: x.s.cluster.Place(p.object, "")}
		}
		names = append(names, ref.Name.String())
		by = append(by, ref.Place)
	}
	text := fmt.Sprintf("denied: for %v, %v is isolated by %s %s, and no rule allows it", d, end(f, d), noun(len(names), "policy"), list(names))
	f, _ = sp.in(x.s.g)
	return Proof{f, text}, fewPlaces(by), true
}

// permission proves that a flow that an item matches is allowed at its end by others,
// and returns by which. In the Graph of x, each policy must have its key for a name.
func (x *explainer) permission(sp spelled, it item) (_ Proof, by []policy.Place) {
	f, ok := sp.in(x.g)
	if !ok {
		return unspoken, nil
	}
	v := x.g.Explain(f)
	side := sideOf(&v, it.direction)
	other := sp.from // the end that peers pick
	if it.direction == policy.Egress {
		other = sp.to
	}
	var proof Proof
	proof.Flow, _ = sp.in(x.s.g)
	switch {
	case v.Reason == reach.Self:
		proof.Text = "allowed: a pod reaches itself in any case"
		return proof, nil
	case side.OwnNode:
		proof.Text = "passes: policies have no say between a pod and its own node"
		return proof, nil
	case side.Bypassed:
		proof.Text = "passes: the plugin does not filter the protocol"
		return proof, nil
	}
	var names []string
	for _, m := range side.Allowing {
		p := x.byKey[m.Rule.Policy]
		if !isLeft(&m, p, it, other) {
			continue
		}
		m.Rule.Policy = p.Name
		m.Rule.Place = x.s.cluster.Place(p.object, fmt.Sprintf("spec.%v[%d]", it.direction, m.Rule.Index))
		names = append(names, m.String())
		by = append(by, m.Rule.Place)
	}
	proof.Text = "passes by " + strings.Join(names, "; and by ")
	if it.kind == exceptItem {
		proof.Text = other + " " + proof.Text // the Graph may not tell it from others of the block
	}
	return proof, fewPlaces(by)
}

// isLeft takes an item out of a match of a rule of p, and what does not hold the end
// called other. It reports whether something is left.
func isLeft(m *reach.Match, p *subjectPolicy, it item, other string) bool {
	in := p == it.of && m.Rule.Index == it.rule
	if in && it.kind == ruleItem {
		return false
	}
	addr, err := netip.ParseAddr(other)
	hadPeers, hadPorts := len(m.Peers) > 0, len(m.Ports) > 0
	m.Peers = slices.DeleteFunc(m.Peers, func(i int) bool {
		// To the Graph, an address may be like others that are in other blocks.
		b, ok := p.Half(it.direction).Rules[m.Rule.Index].Peers[i].(policy.Block)
		return in && it.kind == peerItem && i == it.peer || err == nil && ok && !b.Addrs.Contains(addr)
	})
	m.Ports = slices.DeleteFunc(m.Ports, func(i int) bool { return in && it.kind == portItem && i == it.port })
	return len(m.Peers) > 0 == hadPeers && len(m.Ports) > 0 == hadPorts
}

// isolation tells how the pods of a policy that changes nothing are isolated without
// it, and returns which policies do it.
func (x *explainer) isolation(p *subjectPolicy) (Proof, []policy.Place) {
	var text []string
	var by []policy.Place
	for _, d := range directions {
		if !p.Half(d).Isolates {
			continue
		}
		var names []string
		for _, other := range x.s.policiesIn[p.Name.Namespace] {
			if other != p && other.Half(d).Isolates && slices.ContainsFunc(p.pods, func(pod *subjectPod) bool { return slices.Contains(pod.policies, other) }) {
				names = append(names, other.Name.String())
				by = append(by, x.s.cluster.Place(other.object, ""))
			}
		}
		if len(names) > 0 {
			text = append(text, fmt.Sprintf("for %v, %s %s %s as well", d, noun(len(names), "policy"), list(names), verb(len(names), "isolate")))
		}
		if alone := x.s.isolatedBy(p, d); len(alone) > 0 {
			text = append(text, fmt.Sprintf("for %v, nothing is denied to %s", d, podNames(alone)))
		}
	}
	return Proof{Text: strings.Join(text, "; ")}, fewPlaces(by)
}

// fewPlaces returns the first of places, each once, as many as a reader looks up.
func fewPlaces(places []policy.Place) []policy.Place {
	var list []policy.Place
	for _, at := range places {
		if len(list) < 4 && !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return list
}
