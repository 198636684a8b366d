package reach

import (
	"maps"
	"slices"
	"sync"

	"github.com/polreach/polreach/policy"
)

// This file takes pods out of a Graph and puts others in, by what it knows of the
// pods that stay.

// A shift tells where the pods of a list are in another one, which lacks some of
// them and has others.
type shift struct {
	before []int32  // of each pod, its index in the first list; -1 for a new one
	after  []int32  // of each pod of the first list, its index; -1 if it is gone
	first  firstIDs // of the endpoints before
}

// shift returns how the pods of g are shifted by p, and the index of each pod that
// p adds.
func (g *Graph) shift(p *patch) (sh shift, added []int32) {
	sh.first = g.first
	sh.after = make([]int32, len(g.pods))
	sh.before = make([]int32, 0, len(g.pods)+len(p.added))
	slices.SortFunc(p.added, func(a, b *policy.Pod) int { return comparePods(a, b) })
	next := 0
	for i := 0; i <= len(g.pods); i++ {
		for ; next < len(p.added) && (i == len(g.pods) || comparePods(p.added[next], &g.pods[i]) <= 0); next++ {
			added = append(added, int32(len(sh.before)))
			sh.before = append(sh.before, -1)
		}
		if i == len(g.pods) {
			break
		}
		sh.after[i] = -1
		if !p.removed[int32(i)] {
			sh.after[i] = int32(len(sh.before))
			sh.before = append(sh.before, int32(i))
		}
	}
	return sh, added
}

// shifted returns a list with an element for each pod in its new order. That of a
// new pod is what made returns.
func shifted[T any](list []T, sh shift, made func(i int32) T) []T {
	n := make([]T, len(sh.before))
	for i, old := range sh.before {
		if old >= 0 {
			n[i] = list[old]
		} else {
			n[i] = made(int32(i))
		}
	}
	return n
}

// shiftAll returns those of the pods that are still there, as they are numbered now.
func (sh shift) shiftAll(pods []int32) []int32 {
	var list []int32
	for _, i := range pods {
		if n := sh.after[i]; n >= 0 {
			list = append(list, n)
		}
	}
	return list
}

// node returns what an endpoint is numbered now that is a node, at one of its
// addresses or not, or one of those of which nothing is known.
func (sh shift) node(id int32, first *firstIDs) int32 {
	switch {
	case id >= sh.first.at: // those of nodes come last
		return id - sh.first.addr + first.addr
	case id >= sh.first.unknown:
		return id - sh.first.unknown + first.unknown
	}
	return id - sh.first.node + first.node
}

// restaffed returns a Graph, of which only an overlay must ask, with other pods
// than g, which has no overlay. It takes a new pod to be like one that it has, and
// reports false if there is none such. What the policies see of a new pod beside its
// address is for the overlay.
func (g *Graph) restaffed(sh shift, added map[int32]*policy.Pod) (*Graph, bool) {
	twins := make(map[int32]int32) // of each new pod
	for i, pod := range added {
		twin, ok := g.twin(pod)
		if !ok {
			return nil, false
		}
		twins[i] = twin
	}
	f, co := *g.facts, *g.co
	f.pods = shifted(g.pods, sh, func(i int32) policy.Pod {
		pod, twin := *added[i], &g.pods[twins[i]]
		pod.Labels, pod.Generated = twin.Labels, twin.Generated
		return pod
	})
	asTwin := func(list []int32) []int32 {
		return shifted(list, sh, func(i int32) int32 { return list[twins[i]] })
	}
	co.nsOf, co.dialect, co.groupOf = asTwin(co.nsOf), asTwin(co.dialect), asTwin(co.groupOf)
	co.allLabels = &labels{co.allLabels.pairs, co.allLabels.sets, asTwin(co.allLabels.of), co.allLabels.more}

	m := *co.model
	m.Pods, co.model = f.pods, &m
	co.staffed, co.ownNodes, co.at = nil, nil, nil
	co.profile.IPBlockSkipsPods, co.profile.IPBlockSkipsNodes = true, true // addresses are told apart below
	co.makeEnds()
	co.profile = g.profile
	ends := co.ends
	co.release() // the next ones are copied from this, perhaps at once

	f.co, f.first, f.staffed, f.ownNodes, f.at = &co, co.first, co.staffed, co.ownNodes, co.at
	f.replicas = nil
	for i := range f.pods {
		if isWorkload(&f.pods[i]) {
			f.replicas = append(f.replicas, int32(i))
		}
	}
	f.lookAgain()

	// like gives an end the classes and profiles of one that g has.
	like := func(id, old int32) {
		e, o := &ends[id], &g.ends[old]
		e.class, e.egress, e.ingress = o.class, o.egress, o.ingress
	}
	for i := range f.pods {
		old := sh.before[i]
		if old < 0 {
			old = twins[int32(i)]
		}
		like(int32(i), old)
	}
	copies := func(id, pod int32) {
		e, p := &ends[id], &ends[pod]
		e.class, e.egress, e.ingress = p.class, p.egress, p.ingress
	}
	for n, pod := range f.replicas {
		copies(f.first.replica+int32(n), pod)
	}
	for n, s := range f.staffed {
		copies(f.first.staffed+2*int32(n), s.pods[0])
		copies(f.first.staffed+2*int32(n)+1, s.pods[0])
	}
	for i := range f.nodes {
		like(f.first.node+int32(i), g.first.node+int32(i))
	}
	for i := range f.ownNodes {
		like(f.first.ownNode+int32(i), g.first.unknown)
	}
	for i := range f.first.at - f.first.unknown {
		like(f.first.unknown+i, g.first.unknown+i)
	}
	// The nodes are the same, and so are their addresses.
	fewer := int32(len(g.at) - len(f.at))
	for i, at := range f.at {
		id := f.first.at + int32(i)
		if at.owner >= f.first.node {
			like(id, g.first.at+int32(i)+fewer)
			continue
		}
		copies(id, at.owner)
		class := ends[at.owner].class[familyOf(at.addr).index()]
		ends[id].class = [2]int32{class, class}
	}
	for i := range int32(len(ends)) - f.first.addr {
		like(f.first.addr+i, g.first.addr+i)
	}
	for i := range ends {
		e := &ends[i]
		e.flags &^= isSplit
		if e.class[0] != e.class[1] {
			e.flags |= isSplit
		}
	}
	return g.sharing(ends, &f), true
}

// twin returns a pod of the namespace of pod whose addresses are as far as policies
// tell like those of pod, best one whose labels are so, too.
func (g *Graph) twin(pod *policy.Pod) (twin int32, ok bool) {
	spots := g.spotsOf(pod)
	labels, _ := g.co.trimmed(pod.Labels, nil)
	for i := range g.podsIn(pod.Name.Namespace) {
		if g.co.groupOf[i] < 0 || g.spotsOf(&g.pods[i]) != spots {
			continue
		}
		if maps.Equal(g.pods[i].Labels, labels) {
			return i, true
		}
		twin, ok = i, true
	}
	return twin, ok
}

// spotsOf tells by family what policies see of the addresses of a pod: their class,
// or -1 if they see none, or -2 if the pod has none.
func (g *Graph) spotsOf(pod *policy.Pod) [2]int32 {
	spots := [2]int32{-2, -2}
	if len(pod.Addrs) == 0 {
		return [2]int32{-1, -1}
	}
	for _, a := range pod.Addrs {
		spots[familyOf(a).index()] = -1
		if !g.profile.IPBlockSkipsPods {
			spots[familyOf(a).index()] = int32(g.partition.Class(a))
		}
	}
	return spots
}

// lookAgain lets everything be found anew that comes from the pods.
func (f *facts) lookAgain() {
	f.staffedByName = sync.OnceValue(f.findStaffed)
	f.staffedBy = sync.OnceValue(f.findStaffedBy)
	f.owners = sync.OnceValue(f.findOwners)
	f.outside = sync.OnceValue(f.findOutside)
	f.samples = sync.OnceValue(f.findSamples)
}
