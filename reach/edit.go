package reach

import (
	"maps"
	"slices"
	"sync"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// With returns the Graph of the cluster after edits, one after the other: what
// Compile makes of it, or the errors that Compile returns, and those of
// [policy.Cluster.With]. g stays as it is.
//
// With takes time for what changes, and the new Graph shares all else with g, if
// the edits do no more than this:
//
//   - They put or remove policies that need nothing new, and leave out no block that
//     nothing else has: label keys, blocks, port names and namespaces are those that
//     the cluster has.
//   - They change labels or readiness of pods and workloads, or labels of
//     namespaces, or named ports, if some pod has the same numbers under all names
//     that policies ask for.
//   - They put or remove Services, lists of endpoints and Ingress objects, but for
//     source ranges and for nodes that nothing else mentions.
//   - They put or remove pods and workloads that leave the others as they are: their
//     nodes and namespaces are there as objects, and another pod of the same
//     workload is there before and after. One that is put is on no host network,
//     and the blocks of policies hold its addresses as they do those of some pod of
//     its namespace. This takes time for all pods besides, as they are numbered
//     anew, but less than Compile.
//   - Since the last Compile, edits have changed no more than 64 policies, pods and
//     namespaces in what policies see.
//
// Then what concerns the cluster as a whole, such as Warnings, Edges and Classes,
// costs as much as Compile the first time that it is asked for. All other edits cost
// as much as Compile at once.
//
// The objects of the cluster must not change as long as With, or a Graph that it
// has made, is in use: put a changed copy. Otherwise these answer for the one or
// the other, and may panic if an object has become faulty.
func (g *Graph) With(edits ...policy.Edit) (*Graph, error) {
	c, err := g.cluster.With(edits...)
	if err != nil {
		return nil, err
	}
	if p, ok := g.patchOf(c, edits); ok {
		if h := g.patched(c, p); h != nil {
			return h, nil
		}
	}
	return g.profile.compile(c)
}

// sharing returns a Graph that shares all with g but its endpoints and facts, and
// the overlay.
func (g *Graph) sharing(ends []end, f *facts) *Graph {
	h := *g
	h.ends, h.facts, h.over = ends, f, nil
	return &h
}

// patched returns the Graph of c, which p has made of g.cluster, or nil if that
// cannot be told from g.
func (g *Graph) patched(c *policy.Cluster, p *patch) *Graph {
	f := *g.facts
	h := g.sharing(g.ends, &f)
	f.cluster = c
	o := &overlay{policies: make(map[types.NamespacedName]*policy.Policy), pods: make(map[int32]bool), namespaces: make(map[int32]bool)}
	o.below = g
	if g.over != nil {
		o.below, o.loose = g.over.below, g.over.loose
		maps.Copy(o.policies, g.over.policies)
		maps.Copy(o.pods, g.over.pods)
		maps.Copy(o.namespaces, g.over.namespaces)
	}
	if len(p.added)+len(p.removed) > 0 && !h.restaff(g, o, p) {
		return nil
	}
	f.putPods(p)
	if len(p.namespaces) > 0 {
		f.namespaces = slices.Clone(f.namespaces)
		for i, labels := range p.namespaces {
			f.namespaces[i].Labels = labels
		}
	}
	var ok bool
	if h.over, ok = h.cover(g, o, p); !ok {
		return nil
	}
	h.putServices(p)
	f.fresh = sync.OnceValue(func() *Graph {
		g, err := f.profile.compile(c)
		if err != nil {
			panic("reach: what With took is refused: " + err.Error())
		}
		return g
	})
	f.warnings = func() []policy.Warning { return f.fresh().warnings() }
	if h.over != nil {
		f.nodeGroups = func() nodeGroups { return f.fresh().services.nodes }
		f.relation = func() *relation { return f.fresh().relation() }
	} else {
		f.nodeGroups = func() nodeGroups { return f.services.nodes }
		f.relation = sync.OnceValue(h.findRelation)
	}
	return h
}

// restaff takes pods out of g and puts others in. p then has those among the pods
// that change, and numbers all as they are in h, which g becomes. It reports false
// if g has no pod like a new one.
func (h *Graph) restaff(g *Graph, o *overlay, p *patch) bool {
	sh, indices := g.shift(p)
	added := make(map[int32]*policy.Pod)
	for n, i := range indices {
		added[i] = p.added[n]
	}
	below, ok := o.below.restaffed(sh, added)
	if !ok {
		return false
	}
	o.below, o.loose = below, true
	o.pods = shiftKeys(o.pods, sh)
	p.pods = shiftKeys(p.pods, sh)
	maps.Copy(p.pods, added)
	p.shift = &sh

	f, b := h.facts, below.facts
	h.ends = below.ends
	f.pods = shifted(g.pods, sh, func(i int32) policy.Pod { return *added[i] })
	f.labels = g.labels.shifted(sh)
	f.co, f.first, f.replicas, f.staffed, f.ownNodes, f.at = b.co, b.first, b.replicas, b.staffed, b.ownNodes, b.at
	f.lookAgain()
	f.roll = sync.OnceValue(h.findRoll)
	return true
}

// shiftKeys returns m with the pods as they are numbered now.
func shiftKeys[T any](m map[int32]T, sh shift) map[int32]T {
	n := make(map[int32]T, len(m))
	for i, v := range m {
		if i = sh.after[i]; i >= 0 {
			n[i] = v
		}
	}
	return n
}

// putPods puts pods in the place of those that there are.
func (f *facts) putPods(p *patch) {
	if len(p.pods) == 0 {
		return
	}
	f.pods = slices.Clone(f.pods)
	f.labels = f.labels.with(p.pods)
	for i, pod := range p.pods {
		f.pods[i] = *pod
		f.pods[i].Labels, f.pods[i].Generated = f.co.trimmed(pod.Labels, pod.Generated)
	}
}
