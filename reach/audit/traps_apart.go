package audit

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	networkingv1 "k8s.io/api/networking/v1"
)

// findApart reports adjacent peers of which one has a namespaceSelector only and the
// other a podSelector only, if as one peer they would allow less.
func (t *trapper) findApart() error {
	var g *reach.Graph
	var failed error
	t.rules(func(rule item) {
		peers := rule.spec().peers
		for i := 0; i+1 < len(peers); i++ {
			joined, ok := join(peers[i], peers[i+1])
			if !ok || failed != nil {
				continue
			}
			if g == nil {
				if g, failed = t.s.named(); failed != nil {
					return
				}
			}
			var flow reach.Flow
			if flow, ok, failed = t.lost(g, rule, i, joined); ok {
				t.reportApart(rule, i, flow)
				i++ // a peer is not joined twice
			}
		}
	})
	return failed
}

// join returns one peer with the selectors of two, if one has a namespaceSelector
// only and the other a podSelector only.
func join(a, b networkingv1.NetworkPolicyPeer) (networkingv1.NetworkPolicyPeer, bool) {
	if a.NamespaceSelector == nil {
		a, b = b, a
	}
	ok := a.NamespaceSelector != nil && a.PodSelector == nil && b.PodSelector != nil && b.NamespaceSelector == nil
	return networkingv1.NetworkPolicyPeer{NamespaceSelector: a.NamespaceSelector, PodSelector: b.PodSelector}, ok
}

// lost returns a flow that would be denied if the i'th peer of a rule and the next one
// were joined. In g every policy has a name.
func (t *trapper) lost(g *reach.Graph, rule item, i int, joined networkingv1.NetworkPolicyPeer) (reach.Flow, bool, error) {
	rules := rule.of.halves()
	spec := rule.spec()
	spec.peers = slices.Replace(slices.Clone(spec.peers), i, i+2, joined)
	rules[rule.direction] = slices.Replace(slices.Clone(rules[rule.direction]), rule.rule, rule.rule+1, spec)
	h, err := g.With(policy.Put(rule.of.isolating(rules)))
	if err != nil {
		return reach.Flow{}, false, err
	}
	less := comparison{t.s, g, h, g.Pods(), h.Pods()}
	// Only flows with pods that one of the peers holds can be lost.
	one, other := t.held.by(rule.normal().Peers[i]), t.held.by(rule.normal().Peers[i+1])
	for _, pod := range distinct(slices.Concat(one, other)) {
		for _, own := range rule.of.pods {
			from, to := pod, own
			if rule.direction == policy.Egress {
				from, to = to, from
			}
			if flow, ok := less.lost(from, to); ok {
				return flow, true, nil
			}
		}
	}
	return reach.Flow{}, false, nil
}

// A comparison asks two Graphs of the same pods.
type comparison struct {
	s             *subject
	g, h          *reach.Graph
	before, after []reach.Endpoint // the pods of each, in the order of the subject
}

// lost returns a flow from a pod to another, or from a workload to its replica, that g
// allows and h does not, if there is one.
func (c *comparison) lost(from, to *subjectPod) (reach.Flow, bool) {
	before := reach.Flow{From: c.before[from.index], To: c.before[to.index]}
	after := reach.Flow{From: c.after[from.index], To: c.after[to.index]}
	flow := reach.Flow{From: from.end, To: to.end}
	if from == to {
		replica := "replica:" + from.end.String()
		var err error
		if before.To, err = c.g.Lookup(replica); err != nil {
			return reach.Flow{}, false // a pod that is alone
		}
		if after.To, err = c.h.Lookup(replica); err != nil {
			return reach.Flow{}, false
		}
		if flow.To, err = c.s.g.Lookup(replica); err != nil {
			return reach.Flow{}, false
		}
	}
	for _, flow.Family = range familyOrder {
		less := c.g.PortsOver(flow.Family, before.From, before.To).Minus(c.h.PortsOver(flow.Family, after.From, after.To))
		if !less.IsEmpty() {
			flow.Port = onePort(less, to.declared...)
			return flow, true
		}
	}
	return reach.Flow{}, false
}

func (t *trapper) reportApart(rule item, i int, flow reach.Flow) {
	field := peersField(rule.direction)
	f := t.s.about(rule.of.object, rule.part(peerItem, i+1).field())
	f.Check = "selectors-apart"
	f.Message = fmt.Sprintf("%s[%d] and %s[%d] are two peers, and the rule allows each: %v, or %v", field, i, field, i+1, rule.normal().Peers[i], rule.normal().Peers[i+1])
	f.Related = append(f.Related, t.s.cluster.Place(rule.of.object, rule.part(peerItem, i).field()))
	f.Proof = Proof{flow, "allowed, and would not be if the selectors were in one item"}
	f.Suggestion = "write the selectors in one item if both must hold, or apart from each other if it is meant so"
	t.report(f)
}
