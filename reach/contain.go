package reach

import (
	"cmp"
	"fmt"

	"github.com/polreach/polreach/policy"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Isolated reports whether some policy isolates e in a direction, so that only what
// rules allow passes there. Nothing isolates a node, what counts as one, and what is
// outside. Its cost grows with the number of policies in the namespace of e, if they
// let everything pass that goes from e or comes to it.
//
// Isolated panics if e is not an endpoint of g.
func (g *Graph) Isolated(e Endpoint, d policy.Direction) bool {
	e.mustBeOf(g)
	return g.isolates(e.id, d)
}

// Equivalent reports whether two Graphs answer all flows alike, as [Compare] sees
// them. If they do not, it returns a Change, as After against Before.
func Equivalent(before, after *Graph) (counter Change, ok bool) {
	p := newPairing(before, after, false)
	for c := range p.cells() {
		for _, side := range [...]int{1, 0} {
			if counter, found := p.change(c, side, p.only(c, side)); found {
				return counter, false
			}
		}
	}
	return Change{}, true
}

// Contains reports whether g allows all flows that another Graph allows. If not, it
// returns some that g does not, as closed by g.
func (g *Graph) Contains(other *Graph) (counter Change, ok bool) {
	p := newPairing(other, g, false)
	for c := range p.cells() {
		if counter, found := p.change(c, 0, p.only(c, 0)); found {
			return counter, false
		}
	}
	return Change{}, true
}

// Permits reports whether g allows all flows that required allows explicitly: those
// that pass policies of required, as one end at least is isolated in the direction of
// the flow. If not, it returns some that g does not allow, as closed by g.
//
// So required may hold policies that say what must be possible, and nothing about
// the pods that they do not select.
func (g *Graph) Permits(required *Graph) (counter Change, ok bool) {
	p := newPairing(required, g, true)
	for c := range p.cells() {
		if p.isExplicit(c, 0) {
			if counter, found := p.change(c, 0, p.only(c, 0)); found {
				return counter, false
			}
		}
	}
	return Change{}, true
}

// Forbids reports whether g allows none of the flows that forbidden allows explicitly,
// see [Graph.Permits]. If not, it returns some that both allow, as opened by g.
func (g *Graph) Forbids(forbidden *Graph) (counter Change, ok bool) {
	p := newPairing(forbidden, g, true)
	for c := range p.cells() {
		if p.isExplicit(c, 0) {
			if counter, found := p.change(c, 1, p.both(c)); found {
				return counter, false
			}
		}
	}
	return Change{}, true
}

// Intersects reports whether some flow is allowed explicitly by both Graphs, see
// [Graph.Permits]. If so, it returns some, as opened by other.
func (g *Graph) Intersects(other *Graph) (witness Change, ok bool) {
	p := newPairing(g, other, true)
	for c := range p.cells() {
		if p.isExplicit(c, 0) && p.isExplicit(c, 1) {
			if witness, found := p.change(c, 1, p.both(c)); found {
				return witness, true
			}
		}
	}
	return Change{}, false
}

// Interferes reports whether the policies of set, put beside those of g, would open
// flows that g denies. If so, it returns some. Policies of set that have the name of
// one of g are put beside it, not in its place. Of set, only the policies matter; it
// is an error if the cluster of g does not take them.
func (g *Graph) Interferes(set *Graph) (witness Change, ok bool, err error) {
	h, err := g.beside(set.cluster.Policies)
	if err != nil {
		return Change{}, false, err
	}
	witness, contained := g.Contains(h)
	if contained {
		return Change{}, false, nil
	}
	witness.Opened = true
	return witness, true, nil
}

// beside returns g with more policies, under names that it does not have.
func (g *Graph) beside(policies []*networkingv1.NetworkPolicy) (*Graph, error) {
	taken := make(map[[2]string]bool)
	name := func(np *networkingv1.NetworkPolicy) [2]string {
		return [2]string{cmp.Or(np.Namespace, metav1.NamespaceDefault), np.Name}
	}
	for _, np := range g.cluster.Policies {
		if np != nil {
			taken[name(np)] = true
		}
	}
	var edits []policy.Edit
	for _, np := range policies {
		if np == nil {
			continue
		}
		own := np.DeepCopy()
		for i := 2; own.Name != "" && taken[name(own)]; i++ {
			own.Name = fmt.Sprintf("%s-%d", np.Name, i)
		}
		taken[name(own)] = true
		edits = append(edits, policy.Put(own))
	}
	return g.With(edits...)
}

// change returns entries of a cell, of which the first will do, as a Change that a
// side allows. It reports false if there is none, or no pair of things that it is
// about.
func (p *pairing) change(c cell, side int, entries []entry) (Change, bool) {
	if len(entries) == 0 {
		return Change{}, false
	}
	x := entries[0]
	ch := Change{
		Opened: side == 1, OwnNode: c.near, Ports: p.sets.sets[x.ports], Family: x.family,
		From: Ends{p, side, []int32{c.from}, c.near}, To: Ends{p, side, []int32{c.to}, c.near},
	}
	if c.near {
		return ch, true
	}
	_, _, ok := p.pair(ch.From.classes, ch.To.classes)
	return ch, ok
}

// both returns what both sides let through in a cell, for the second side.
func (p *pairing) both(c cell) []entry {
	for f, fam := range families {
		ports := p.sets.sets[c.ports[0][f]].Intersect(p.sets.sets[c.ports[1][f]])
		if !ports.IsEmpty() {
			if p.common(c, 1) != hasBoth {
				fam = AnyFamily
			}
			return []entry{{c.to, p.sets.number(ports), fam}}
		}
	}
	return nil
}

// isExplicit reports whether policies of a side have a say in a cell.
func (p *pairing) isExplicit(c cell, side int) bool {
	if !c.near {
		return p.classes[c.from].isolated[side][policy.Egress] || p.classes[c.to].isolated[side][policy.Ingress]
	}
	g := p.graphs[side]
	from, to := p.ids[c.from][side], p.ids[c.to][side]
	if from < 0 || to < 0 {
		return false
	}
	a, b := &g.ends[from], &g.ends[to]
	return g.isolates(from, policy.Egress) && !g.egressPasses(a, b) || g.isolates(to, policy.Ingress) && !g.ingressPasses(a, b)
}
