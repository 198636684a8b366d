package audit

import (
	"fmt"
	"maps"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// grounds are Graphs in which edits of policies are tried. They answer as the
// Graph of the subject would with other policies, and every edit of one policy is
// fast in them.
//
// For that they have, besides, policies that select nothing: they hold the rules
// with blocks that edits bring about, so that an edit neither leaves out a block nor
// needs a new one.
type grounds struct {
	s     *subject
	known map[string][2][]ruleSpec // by namespace and direction, the rules with blocks that edits need
	names map[string]bool          // of policies that there are

	whole *reach.Graph                  // with the policies as they are
	apart [len(directions)]*reach.Graph // by direction, with policies that isolate for it alone
	bare  *reach.Graph                  // without policies
}

// newGrounds returns the grounds on which the items can be tried.
func newGrounds(s *subject, items []item) *grounds {
	g := &grounds{s: s, known: make(map[string][2][]ruleSpec), names: make(map[string]bool)}
	for _, p := range s.policies {
		g.names[p.key] = true
	}
	for _, it := range items {
		ns := it.of.Name.Namespace
		known := g.known[ns]
		if it.kind == policyItem {
			for _, d := range directions {
				known[d] = appendBlocks(known[d], it.of.ruleSpecs(d)...)
			}
		} else if it.spec().hasBlock() {
			with, without := it.alone()
			known[it.direction] = appendBlocks(known[it.direction], slices.Concat([]ruleSpec{it.spec()}, it.ruleWithout(), with, without)...)
		}
		g.known[ns] = known
	}
	return g
}

// appendBlocks appends those of rules that have blocks.
func appendBlocks(list []ruleSpec, rules ...ruleSpec) []ruleSpec {
	for _, r := range rules {
		if r.hasBlock() {
			list = append(list, r)
		}
	}
	return list
}

// nothing is a selector that picks nothing.
var nothing = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
	{Key: "polreach", Operator: metav1.LabelSelectorOpExists},
	{Key: "polreach", Operator: metav1.LabelSelectorOpDoesNotExist},
}}

// compile compiles the cluster with other policies, and with those that hold blocks.
func (g *grounds) compile(policies []*networkingv1.NetworkPolicy) (*reach.Graph, error) {
	c := g.s.cluster.Clone()
	c.Policies = policies
	for _, ns := range slices.Sorted(maps.Keys(g.known)) {
		name := "known-to-audit"
		for g.names[name] {
			name += "-too"
		}
		known := g.known[ns]
		p := subjectPolicy{Policy: &policy.Policy{}, key: name, object: &networkingv1.NetworkPolicy{}}
		p.Name.Namespace = ns
		p.object.Spec.PodSelector = nothing
		c.Policies = append(c.Policies, p.isolating(map[policy.Direction][]ruleSpec{
			policy.Ingress: known[policy.Ingress], policy.Egress: known[policy.Egress],
		}))
	}
	// A namespace that is known by what is in it has no other labels.
	there := make(map[string]bool)
	for _, ns := range c.Namespaces {
		if ns != nil {
			there[ns.Name] = true
		}
	}
	for _, ns := range g.s.model.Namespaces {
		if !there[ns.Name] {
			c.Namespaces = append(c.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns.Name}})
		}
	}
	h, err := g.s.profile.Compile(c)
	if err != nil {
		return nil, fmt.Errorf("cannot try edits: %w", err)
	}
	return h, nil
}

// all returns the Graph with the policies as they are.
func (g *grounds) all() (*reach.Graph, error) {
	if g.whole != nil {
		return g.whole, nil
	}
	var policies []*networkingv1.NetworkPolicy
	for _, p := range g.s.policies {
		policies = append(policies, p.isolating(p.halves()))
	}
	var err error
	g.whole, err = g.compile(policies)
	return g.whole, err
}

// only returns the Graph with policies that isolate for one direction alone, so that
// one end alone decides about each flow.
func (g *grounds) only(d policy.Direction) (*reach.Graph, error) {
	if g.apart[d] != nil {
		return g.apart[d], nil
	}
	var policies []*networkingv1.NetworkPolicy
	for _, p := range g.s.policies {
		if p.Half(d).Isolates {
			policies = append(policies, p.isolating(map[policy.Direction][]ruleSpec{d: p.ruleSpecs(d)}))
		}
	}
	var err error
	g.apart[d], err = g.compile(policies)
	return g.apart[d], err
}

// none returns the Graph with policies that select nothing. They ask for what those
// of the subject ask for.
func (g *grounds) none() (*reach.Graph, error) {
	if g.bare != nil {
		return g.bare, nil
	}
	var policies []*networkingv1.NetworkPolicy
	for _, p := range g.s.policies {
		rules := p.halves()
		for d := range rules {
			selected := networkingv1.NetworkPolicyPeer{PodSelector: &p.object.Spec.PodSelector}
			rules[d] = append(rules[d], ruleSpec{peers: []networkingv1.NetworkPolicyPeer{selected}})
		}
		np := p.isolating(rules)
		np.Spec.PodSelector = nothing
		policies = append(policies, np)
	}
	var err error
	g.bare, err = g.compile(policies)
	return g.bare, err
}
