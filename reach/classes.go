package reach

import (
	"cmp"
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
	"strconv"

	"github.com/polreach/polreach/policy"
)

// A Class is a set of endpoints that no policy tells apart: of all flows whose
// ends are members of two classes, the policies allow the same ports, unless the
// ends are the same, or one is the node that the other runs on. Classes are
// comparable. They mean something only to the Graph that returned them; the zero
// Class means nothing to any.
type Class struct {
	g  *Graph
	id int32
}

// Classes returns the classes of Pods, Nodes and Outside, in the order of their
// first members. Every one of these endpoints is in one of them, and pods, nodes
// and addresses are never together.
func (g *Graph) Classes() []Class {
	list := make([]Class, len(g.relation().classes))
	for i := range list {
		list[i] = Class{g, int32(i)}
	}
	return list
}

// ClassOf returns the class of e. It reports false if e is none of Pods, Nodes
// and Outside, as the replica of a workload is not.
func (g *Graph) ClassOf(e Endpoint) (_ Class, ok bool) {
	e.mustBeOf(g)
	if id := g.relation().of[e.id]; id >= 0 {
		return Class{g, id}, true
	}
	return Class{}, false
}

// Len returns the number of members of c, which is never 0.
func (c Class) Len() int { return len(c.members()) }

// First returns the first member of c, which can stand for all of them.
func (c Class) First() Endpoint { return Endpoint{c.g, c.members()[0]} }

// Members returns the members of c, in the order of Pods, Nodes or Outside.
func (c Class) Members() iter.Seq[Endpoint] {
	return func(yield func(Endpoint) bool) {
		for _, id := range c.members() {
			if !yield(Endpoint{c.g, id}) {
				return
			}
		}
	}
}

func (c Class) members() []int32 {
	if c.g == nil {
		panic("reach: the zero Class is not a class of any Graph")
	}
	return c.g.relation().classes[c.id].members
}

// String returns the first member, and how many others there are:
// "shop/web-1 and 2 like it".
func (c Class) String() string {
	if c.g == nil {
		return "no class"
	}
	s := c.First().String()
	if n := c.Len() - 1; n > 0 {
		s += " and " + strconv.Itoa(n) + " like it"
	}
	return s
}

// GoString returns String, to keep the logs of property tests readable.
func (c Class) GoString() string { return c.String() }

// A ClassEdge is an ordered pair of classes and the ports that are open from
// each member of the first to each other member of the second.
type ClassEdge struct {
	From, To Class
	Ports    policy.PortSet
}

// Pairs returns how many ordered pairs of endpoints e stands for. That a
// workload reaches another pod of its own counts as one.
func (e ClassEdge) Pairs() int {
	n := e.From.Len() * e.To.Len()
	if e.From == e.To {
		n -= e.From.Len() - e.From.g.replicasIn(e.From.members())
	}
	return n
}

// replicasIn returns how many of ids are workloads.
func (g *Graph) replicasIn(ids []int32) int {
	n := 0
	for _, id := range ids {
		if _, ok := slices.BinarySearch(g.replicas, id); ok {
			n++
		}
	}
	return n
}

// ClassEdges returns the pairs of classes, at least one of them of pods, of which
// a member of the first can reach another member of the second on some port, in
// the order of Classes. [Graph.Edges] is the same pod by pod, and has the flows
// between pods and their own nodes besides.
//
// Its cost grows with the number of pairs of classes that the egress policies of
// the first let through, and not with the number of pods. Where a policy has many
// ports, each for other peers, it grows with the product of these and the classes.
func (g *Graph) ClassEdges() iter.Seq[ClassEdge] {
	return func(yield func(ClassEdge) bool) {
		r := g.relation()
		w := r.newWalker(newPortSets())
		for from := range r.classes {
			for _, x := range w.from(int32(from), families[:]) {
				e := ClassEdge{Class{g, int32(from)}, Class{g, x.class}, w.sets[x.ports]}
				if e.Pairs() > 0 && !yield(e) {
					return
				}
			}
		}
	}
}

// CountAllowed returns the number of ordered pairs of Edges that have the port,
// without going through them. Its cost is that of ClassEdges, and grows with the
// number of pods besides.
//
// CountAllowed panics if port is not valid.
func (g *Graph) CountAllowed(port policy.Port) int {
	if !port.Valid() {
		panic("reach: " + port.String() + " is not a valid port")
	}
	n := 0
	for e := range g.ClassEdges() {
		if e.Ports.Contains(port) {
			n += e.Pairs()
		}
	}
	for from, to := range g.relation().neighbors(g) {
		apart := g.allowedApart(from, to, port)
		if g.Allows(Flow{From: Endpoint{g, from}, To: Endpoint{g, to}, Port: port}) != apart {
			if apart {
				n--
			} else {
				n++
			}
		}
	}
	return n
}

// allowedApart reports whether a flow would be allowed if its ends were not on
// one node.
func (g *Graph) allowedApart(from, to int32, port policy.Port) bool {
	a, b, k := &g.ends[from], &g.ends[to], key(port)
	for f, fam := range families {
		if a.flags&b.flags&fam.flag() != 0 && g.holds(g.egress(from), k, to, f) && g.holds(g.ingress(to), k, from, f) {
			return true
		}
	}
	return false
}

// A relation is who reaches whom, by classes of endpoints.
type relation struct {
	g       *Graph // whose rows it comes from
	classes []relationClass
	of      []int32 // the class of each endpoint, or -1

	at      [2][][]int32 // by family and peer class, the classes that have it
	hosts   [][]int32    // by host, its nodes and the pods that count as such, and then its other pods
	nodesOn []int32      // of each of hosts, how many are nodes
	admits  admissions
}

type relationClass struct {
	end             // of the first member
	kind    endKind // podEnd, nodeEnd or outsideEnd
	members []int32
}

func (g *Graph) findRelation() *relation { return g.relationWith(nil) }

// relationWith returns the relation of g with pods and nodes as they are reached
// at some of their addresses besides.
func (g *Graph) relationWith(at []Endpoint) *relation {
	type classKey struct {
		end  end
		kind endKind
	}
	r := &relation{g: g, of: make([]int32, len(g.ends))}
	for i := range r.of {
		r.of[i] = -1
	}
	ids := make(map[classKey]int32)
	for _, list := range [...][]Endpoint{g.Pods(), g.Nodes(), at, g.Outside()} {
		for _, e := range list {
			kind, _ := g.kind(g.owner(e.id))
			k := classKey{g.ends[e.id], kind}
			k.end.host = 0
			id, ok := ids[k]
			if !ok {
				id = int32(len(r.classes))
				ids[k] = id
				r.classes = append(r.classes, relationClass{end: k.end, kind: kind})
			}
			r.of[e.id] = id
			r.classes[id].members = append(r.classes[id].members, e.id)
		}
	}
	for f, fam := range families {
		r.at[f] = make([][]int32, g.words*64)
		for id := range r.classes {
			if c := &r.classes[id]; c.flags&fam.flag() != 0 {
				r.at[f][c.class[f]] = append(r.at[f][c.class[f]], int32(id))
			}
		}
	}
	r.hosts = make([][]int32, len(g.nodes))
	r.nodesOn = make([]int32, len(g.nodes))
	for _, isNodes := range [...]bool{true, false} {
		for id, class := range r.of {
			e := &g.ends[id]
			if class < 0 || !g.isFixed(e.host) || (e.flags&isNode != 0) != isNodes {
				continue
			}
			r.hosts[e.host] = append(r.hosts[e.host], int32(id))
			if isNodes {
				r.nodesOn[e.host]++
			}
		}
	}
	r.admits = g.findAdmissions()
	return r
}

// neighbors returns the ordered pairs of different endpoints on one node, at
// least one of them a pod, of which one is a node or counts as one.
func (r *relation) neighbors(g *Graph) iter.Seq2[int32, int32] {
	return func(yield func(from, to int32) bool) {
		for host, ids := range r.hosts {
			for i, a := range ids {
				for j, b := range ids {
					nodes := int(r.nodesOn[host])
					if i == j || i >= nodes && j >= nodes || r.isNoPod(a) && r.isNoPod(b) {
						continue
					}
					if !yield(a, b) {
						return
					}
				}
			}
		}
	}
}

func (r *relation) isNoPod(id int32) bool { return r.classes[r.of[id]].kind != podEnd }

// A span is the ports with keys from first to last.
type span struct{ first, last int32 }

// spans numbers distinct lists of spans. Number 0 is the empty list.
type spans struct {
	interner[[]span]
	ids table
	key []byte
}

func newSpans() spans {
	var s spans
	s.id(&s.ids, nil, func() []span { return nil })
	return s
}

func (s *spans) of(list []span) int32 {
	b := s.key[:0]
	for _, sp := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(sp.first))
		b = binary.LittleEndian.AppendUint32(b, uint32(sp.last))
	}
	s.key = b
	return s.id(&s.ids, b, func() []span { return slices.Clone(list) })
}

// A portGroup is peer classes that a profile gives the same ports.
type portGroup struct {
	spans []span
	peers memberSet
	size  int32 // of peers
}

// A grouper finds the groups of peer classes that profiles tell apart, of one
// profile after the other. It starts with one group and splits, step by step,
// each that is allowed in part.
type grouper struct {
	g     *Graph
	of    []int32  // the group of each peer class; 0 between two profiles
	moved []int32  // the peer classes that have left group 0
	diff  []uint64 // a row
	parts []part   // by group
	cut   []int32  // the groups of which a step allows a part
}

// A part is what a step allows of a group.
type part struct {
	size, inside int32
	rest         int32 // the group that those inside go to
}

func newGrouper(g *Graph) *grouper {
	return &grouper{g: g, of: make([]int32, g.words*64), diff: make([]uint64, g.words)}
}

// groups returns the groups of a profile.
func (gr *grouper) groups(profile int32) []portGroup {
	g, steps := gr.g, gr.g.stepsOf(profile)
	gr.parts = append(gr.parts[:0], part{size: int32(len(gr.of))})
	for i, st := range steps {
		copy(gr.diff, g.bits[st.row:st.row+g.words])
		if i > 0 {
			// Classes that are alike so far are told apart by what changes.
			for w, before := range g.bits[steps[i-1].row : steps[i-1].row+g.words] {
				gr.diff[w] ^= before
			}
		}
		gr.split()
	}

	lists := make([][]int32, len(gr.parts))
	for _, c := range gr.moved {
		lists[gr.of[c]] = append(lists[gr.of[c]], c)
	}
	groups := make([]portGroup, len(gr.parts))
	for i := range groups {
		// What one member may do, all may.
		if i == 0 {
			groups[i] = portGroup{g.spansTo(steps, int32(slices.Index(gr.of, 0))), gr.unmoved(), gr.parts[i].size}
		} else {
			groups[i] = portGroup{g.spansTo(steps, lists[i][0]), newMemberSet(lists[i], len(gr.of)), gr.parts[i].size}
		}
	}
	for _, c := range gr.moved {
		gr.of[c] = 0
	}
	gr.moved = gr.moved[:0]
	return groups
}

// split splits the groups of which diff holds a part. It goes through diff or the
// classes that are not in it, which come to the same.
func (gr *grouper) split() {
	n := 0
	for _, w := range gr.diff {
		n += bits.OnesCount64(w)
	}
	if 2*n > len(gr.of) {
		for w := range gr.diff {
			gr.diff[w] = ^gr.diff[w]
		}
	}
	diff := memberSet{bits: gr.diff}
	cut := gr.cut[:0]
	for c := range diff.all() {
		p := &gr.parts[gr.of[c]]
		if p.inside == 0 {
			cut = append(cut, gr.of[c])
		}
		p.inside++
	}
	for _, i := range cut {
		p := &gr.parts[i]
		if p.rest = i; p.inside < p.size {
			p.rest = int32(len(gr.parts))
			p.size -= p.inside
			gr.parts = append(gr.parts, part{size: p.inside})
		}
	}
	for c := range diff.all() {
		before := gr.of[c]
		after := gr.parts[before].rest
		if before == 0 && after != 0 {
			gr.moved = append(gr.moved, c)
		}
		gr.of[c] = after
	}
	for _, i := range cut {
		gr.parts[i].inside = 0
	}
	gr.cut = cut
}

// unmoved returns group 0.
func (gr *grouper) unmoved() memberSet {
	s := memberSet{bits: make([]uint64, len(gr.diff))}
	for i := range s.bits {
		s.bits[i] = ^uint64(0)
	}
	for _, c := range gr.moved {
		s.bits[c>>6] &^= 1 << (uint(c) & 63)
	}
	return s
}

// spansTo returns the ports that steps of g allow to a peer class.
func (g *Graph) spansTo(steps []step, class int32) []span {
	var list []span
	for i, st := range steps {
		switch n := len(list); {
		case !g.bit(st.row, class):
		case n > 0 && list[n-1].last+1 == st.from:
			list[n-1].last = until(steps, i)
		default:
			list = append(list, span{st.from, until(steps, i)})
		}
	}
	return list
}

// admissions are the ports that ingress profiles give to peer classes.
type admissions struct {
	spans    spans
	profiles []int32         // the distinct ones
	index    map[int32]int32 // of a profile in profiles
	most     []int32         // by index, the spans that most peer classes get
	others   [][]admission   // by peer class, where it gets others
}

type admission struct{ profile, spans int32 } // profile is an index

func (g *Graph) findAdmissions() admissions {
	a := admissions{spans: newSpans(), index: make(map[int32]int32), others: make([][]admission, g.words*64)}
	gr := newGrouper(g)
	for id := range g.ends {
		p := g.ends[id].ingress
		if _, ok := a.index[p]; ok {
			continue
		}
		index := int32(len(a.profiles))
		a.index[p] = index
		a.profiles = append(a.profiles, p)
		groups := gr.groups(p)
		most := 0
		for i := range groups {
			if groups[i].size > groups[most].size {
				most = i
			}
		}
		for i, group := range groups {
			ports := a.spans.of(group.spans)
			if i == most {
				a.most = append(a.most, ports)
				continue
			}
			for c := range group.peers.all() {
				a.others[c] = append(a.others[c], admission{index, ports})
			}
		}
	}
	return a
}

// A relationWalker finds what classes reach, one after the other.
type relationWalker struct {
	g     *Graph
	r     *relation
	spans spans // of egress profiles

	grouper *grouper
	profile int32       // the one that groups is of
	groups  []portGroup // those with ports
	ports   []int32     // the spans of each of groups

	admitted []int32 // by index of ingress profiles, the spans that they admit
	found    []int32 // by class, a number of sets; 0 for what is not found
	touched  []reached

	*portSets
	both   map[[2]int32]int32 // what spans of egress and of ingress have in common
	either map[[2]int32]int32 // unions
}

// portSets numbers sets of ports.
type portSets struct {
	sets  []policy.PortSet // 0 is empty
	texts map[string]int32 // the number of each set
}

func newPortSets() *portSets {
	return &portSets{make([]policy.PortSet, 1), map[string]int32{policy.PortSet{}.String(): 0}}
}

type reached struct{ class, ports int32 }

func (r *relation) newWalker(sets *portSets) *relationWalker {
	return &relationWalker{
		g: r.g, r: r, spans: newSpans(), grouper: newGrouper(r.g), profile: -1,
		admitted: make([]int32, len(r.admits.most)),
		found:    make([]int32, len(r.classes)),
		portSets: sets,
		both:     make(map[[2]int32]int32),
		either:   make(map[[2]int32]int32),
	}
}

// from returns the classes that a class reaches over one of some families,
// ascending. The slice is good until the next call.
func (w *relationWalker) from(class int32, over []Family) []reached {
	c := &w.r.classes[class]
	w.egress(c.egress)
	w.touched = w.touched[:0]
	for _, fam := range over {
		f := fam.index()
		if c.flags&fam.flag() == 0 {
			continue
		}
		copy(w.admitted, w.r.admits.most)
		for _, a := range w.r.admits.others[c.class[f]] {
			w.admitted[a.profile] = a.spans
		}
		for i, gr := range w.groups {
			for peer := range gr.peers.all() {
				for _, to := range w.r.at[f][peer] {
					w.reach(c, to, fam, w.ports[i], len(over) == 1)
				}
			}
		}
	}
	for i := range w.touched {
		x := &w.touched[i]
		x.ports, w.found[x.class] = w.found[x.class], 0
	}
	slices.SortFunc(w.touched, func(a, b reached) int { return cmp.Compare(a.class, b.class) })
	return w.touched
}

// egress sets groups to those of a profile.
func (w *relationWalker) egress(profile int32) {
	if w.profile == profile {
		return
	}
	w.profile, w.groups, w.ports = profile, w.groups[:0], w.ports[:0]
	for _, gr := range w.grouper.groups(profile) {
		if len(gr.spans) > 0 {
			w.groups, w.ports = append(w.groups, gr), append(w.ports, w.spans.of(gr.spans))
		}
	}
}

// reach notes that a class gets to another one over a family, on those of the
// ports that its policies let out which the other one lets in.
func (w *relationWalker) reach(from *relationClass, to int32, fam Family, out int32, alone bool) {
	c := &w.r.classes[to]
	in := w.admitted[w.r.admits.index[c.ingress]]
	switch {
	case in == 0, from.kind != podEnd && c.kind != podEnd:
		return
	case !alone && fam == IPv6 && (from.flags|c.flags)&isSplit == 0 && from.flags&c.flags&hasIPv4 != 0:
		return // IPv4 says the same
	}
	k := [2]int32{out, in}
	ports, ok := w.both[k]
	if !ok {
		ports = w.set(w.spans.values[out], w.r.admits.spans.values[in])
		w.both[k] = ports
	}
	switch before := w.found[to]; {
	case ports == 0 || ports == before:
	case before == 0:
		w.found[to] = ports
		w.touched = append(w.touched, reached{class: to})
	default:
		k := [2]int32{before, ports}
		union, ok := w.either[k]
		if !ok {
			union = w.number(policy.NewPortSet(slices.AppendSeq(slices.Collect(w.sets[before].Ranges()), w.sets[ports].Ranges())...))
			w.either[k] = union
		}
		w.found[to] = union
	}
}

// set returns the number of the ports that two lists of spans have in common.
func (w *relationWalker) set(a, b []span) int32 {
	var ranges []policy.PortRange
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if first, last := max(a[i].first, b[j].first), min(a[i].last, b[j].last); first <= last {
			ranges = appendRanges(ranges, first, last)
		}
		if a[i].last < b[j].last {
			i++
		} else {
			j++
		}
	}
	return w.number(policy.NewPortSet(ranges...))
}

// number returns the number of a set of ports.
func (p *portSets) number(s policy.PortSet) int32 {
	text := s.String()
	n, ok := p.texts[text]
	if !ok {
		n = int32(len(p.sets))
		p.texts[text] = n
		p.sets = append(p.sets, s)
	}
	return n
}
