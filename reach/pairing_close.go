package reach

import (
	"iter"
	"maps"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
)

// This file pairs Graphs of which With has made one of the other, so that all but a
// few ends are known to be the same.

// areClose reports whether two Graphs have the same ends, and the same rows below what
// With has changed.
func areClose(g, h *Graph) bool { return &g.ends[0] == &h.ends[0] && &g.bits[0] == &h.bits[0] }

// A roll is the ends of a Graph that a pairing is about, and classes of those that
// nothing tells apart as long as With has changed nothing.
type roll struct {
	ids          [][2]int32 // as in a pairing, of two sides that have the same
	owners       []int32
	firstOutside int32
	addrs        []cidr.Set
	outside      *cidr.Set // the first of the sets that addrs come from, if a Graph has them
	thing        []int32   // of each end; -1 for none
	classOf      []int32   // of each thing; -1 for what is as the pod or node that it is an address of
	classes      []pairedClass
	at           [][]int32 // by peer class, over either family, the classes that have it
}

func (g *Graph) findRoll() *roll {
	r := g.rollWith(g.outside())
	r.outside = &g.outside()[0]
	return r
}

// rollWith returns the roll with some of the addresses outside, by class.
func (g *Graph) rollWith(outside []cidr.Set) *roll {
	r := &roll{thing: make([]int32, len(g.ends))}
	for i := range r.thing {
		r.thing[i] = -1
	}
	add := func(id int32) {
		r.thing[id] = int32(len(r.ids))
		r.ids = append(r.ids, [2]int32{id, id})
	}
	for i := range g.pods {
		if !g.pods[i].Terminated {
			add(int32(i))
		}
	}
	for i := range g.nodes {
		add(g.first.node + int32(i))
	}
	for t := range r.ids {
		r.owners = append(r.owners, int32(t))
	}
	for i, at := range g.at {
		if _, single := g.idAt(at.owner, at.addr); single && r.thing[at.owner] >= 0 {
			add(g.first.at + int32(i))
			r.owners = append(r.owners, r.thing[at.owner])
		}
	}
	r.firstOutside = int32(len(r.ids))
	for i, set := range outside {
		if !set.IsEmpty() {
			add(g.first.addr + int32(i))
			r.addrs = append(r.addrs, set)
		}
	}
	type key struct {
		end  end
		kind endKind
	}
	index := make(map[key]int32)
	for t, id := range r.ids {
		if g.owner(id[0]) != id[0] && !g.differsAt(id[0]) {
			r.classOf = append(r.classOf, -1)
			continue
		}
		kind, _ := g.kind(g.owner(id[0]))
		k := key{g.ends[id[0]], kind}
		k.end.host = 0
		i, ok := index[k]
		if !ok {
			i = int32(len(r.classes))
			index[k] = i
			r.classes = append(r.classes, pairedClass{})
		}
		r.classOf = append(r.classOf, i)
		r.classes[i].members = append(r.classes[i].members, int32(t))
	}
	r.at = make([][]int32, g.words*64)
	for i, c := range r.classes {
		e := &g.ends[r.ids[c.members[0]][0]]
		for f, peer := range e.class {
			if f == 0 || peer != e.class[0] {
				r.at[peer] = append(r.at[peer], int32(i))
			}
		}
	}
	return r
}

// closeRoll returns the roll of close sides. If the addresses of Services have changed,
// classes of addresses that are outside on one side only are not in it.
func (p *pairing) closeRoll() *roll {
	g, h := p.graphs[0], p.graphs[1]
	r, x, y := g.roll(), g.outside(), h.outside()
	if &x[0] == r.outside && &y[0] == r.outside {
		return r
	}
	both := make([]cidr.Set, len(x))
	for i := range both {
		both[i] = x[i].Intersect(y[i])
	}
	return g.rollWith(both)
}

// findCloseClasses puts those things in classes of their own that With has changed, so
// that all members of a class have the same profiles on each side and are in the same
// rows.
func (p *pairing) findCloseClasses() {
	r := p.roll
	touched := make(map[int32]bool) // ends
	for _, g := range p.graphs {
		g.over.touch(touched)
	}
	ids := slices.Sorted(maps.Keys(touched))
	p.classes = slices.Clone(r.classes)
	type key struct {
		end      end
		profiles [2][2]int32
		seats    [2][2]int32
		kind     endKind
		lists    string
	}
	index := make(map[key]int32)
	left := make(map[int32]bool) // classes that are without some of their members
	var lists []byte
	for _, id := range ids {
		t := r.thing[id]
		if t < 0 || !p.isTold(t) {
			continue
		}
		if of := r.classOf[t]; of >= 0 {
			left[of] = true
		}
		g := p.graphs[0]
		kind, _ := g.kind(g.owner(id))
		k := key{end: g.ends[id], kind: kind}
		k.end.host = 0
		lists = lists[:0]
		for s, g := range p.graphs {
			k.profiles[s] = [2]int32{policy.Egress: g.egress(id), policy.Ingress: g.ingress(id)}
			if g.over != nil {
				k.seats[s] = g.over.seats(id)
				for i, l := range g.over.lists {
					if l.has(id) {
						lists = appendInts(lists, int32(s), int32(i))
					}
				}
			}
		}
		k.lists = string(lists)
		i, ok := index[k]
		if !ok {
			i = int32(len(p.classes))
			index[k] = i
			c := pairedClass{}
			for d := range c.changed {
				x, y := k.profiles[0][d], k.profiles[1][d]
				c.changed[d] = x != y || x < 0 && p.graphs[0].over != p.graphs[1].over
			}
			p.classes = append(p.classes, c)
		}
		p.classes[i].members = append(p.classes[i].members, t)
	}
	for i := range left {
		c := &p.classes[i]
		c.members = slices.DeleteFunc(slices.Clone(c.members), func(t int32) bool { return touched[p.ids[t][0]] })
	}
}

// isTold reports whether a thing is told of by itself: it is not as the pod or node of
// which it is an address.
func (p *pairing) isTold(t int32) bool {
	id := p.ids[t][0]
	return p.owners[t] == t || p.graphs[0].isApart(id) || p.graphs[1].isApart(id)
}

// touch adds the ends that are not as in the Graph below, or that rows of the overlay
// know by themselves.
func (o *overlay) touch(ids map[int32]bool) {
	if o == nil {
		return
	}
	for n, page := range o.pages {
		if page == nil {
			continue
		}
		for i, place := range page {
			id := int32(n<<pageBits + i)
			if int(id) >= len(o.below.ends) {
				break
			}
			e := &o.below.ends[id]
			if place.seats[0] >= 0 || place.profiles != [2]int32{policy.Egress: e.egress, policy.Ingress: e.ingress} {
				ids[id] = true
			}
		}
	}
	for _, list := range o.lists {
		for id := range list.all() {
			ids[id] = true
		}
	}
}

// closeCells is classCells for close sides.
func (p *pairing) closeCells() iter.Seq[cell] {
	return func(yield func(cell) bool) {
		p.rows = [2][][][2]int32{make([][][2]int32, len(p.classes)), make([][][2]int32, len(p.classes))}
		r := p.roll
		var pairs []uint64                                             // from and to
		for class := len(r.classes); class < len(p.classes); class++ { // the others have not changed
			for _, d := range directions {
				if !p.classes[class].changed[d] {
					continue
				}
				for peer := range p.peersThatMayDiffer(r, int32(class), d) {
					if d == policy.Egress {
						pairs = append(pairs, uint64(class)<<32|uint64(peer))
					} else {
						pairs = append(pairs, uint64(peer)<<32|uint64(class))
					}
				}
			}
		}
		slices.Sort(pairs)
		for _, pair := range slices.Compact(pairs) {
			c := cell{from: int32(pair >> 32), to: int32(pair)}
			if p.fillClose(&c) && !yield(c) {
				return
			}
		}
	}
}

// peersThatMayDiffer yields the classes of peers of which the rows of a class may say
// something else on one side than on the other: of those that With has not touched,
// the ones that are in peer classes of which they do; and all others. It may yield one
// twice.
func (p *pairing) peersThatMayDiffer(r *roll, class int32, d policy.Direction) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		g, h := p.graphs[0], p.graphs[1]
		end := p.ids[p.classes[class].members[0]][0]
		x, y := g.profileOf(end, d), h.profileOf(end, d)
		diff := make([]uint64, g.words)
		for _, pair := range p.rowPairs(d, class, end) {
			other := h.rowBits(y, pair[1])
			for i, w := range g.rowBits(x, pair[0]) {
				diff[i] |= w ^ other[i]
			}
		}
		peers := memberSet{bits: diff}
		for peer := range peers.all() {
			for _, c := range r.at[peer] {
				if len(p.classes[c].members) > 0 && !yield(c) {
					return
				}
			}
		}
		for c := len(r.classes); c < len(p.classes); c++ {
			if !yield(int32(c)) {
				return
			}
		}
	}
}

// rowBits returns the peer classes in a row of a profile.
func (g *Graph) rowBits(profile, row int32) []uint64 {
	if profile < 0 {
		return g.over.rows[row].classes
	}
	return g.bits[row : row+g.words]
}

// fillClose fills in what the sides let through between two classes. It reports false
// if that is the same.
func (p *pairing) fillClose(c *cell) bool {
	x, y := p.classes[c.from].members[0], p.classes[c.to].members[0]
	if !p.isPod(x) && !p.isPod(y) {
		return false
	}
	g, h := p.graphs[0], p.graphs[1]
	from, to := p.ids[x][0], p.ids[y][0]
	isDifferent := false
	for f, fam := range families {
		if g.ends[from].flags&g.ends[to].flags&fam.flag() == 0 ||
			!p.mayDiffer(policy.Egress, c.from, from, to, f) && !p.mayDiffer(policy.Ingress, c.to, to, from, f) ||
			p.sameApart(from, to, f) {
			continue
		}
		isDifferent = true
		for s, g := range [...]*Graph{g, h} {
			c.ports[s][f] = p.sets.number(g.portsApart(from, to, f))
		}
	}
	return isDifferent
}

// mayDiffer reports whether, on some port, the policies of one side and not those of
// the other let a peer through at an end, which is of the given class.
func (p *pairing) mayDiffer(d policy.Direction, class, end, peer int32, fam int) bool {
	if !p.classes[class].changed[d] {
		return false
	}
	g, h := p.graphs[0], p.graphs[1]
	x, y := g.profileOf(end, d), h.profileOf(end, d)
	for _, pair := range p.rowPairs(d, class, end) {
		if g.holdsIn(x, pair[0], peer, fam) != h.holdsIn(y, pair[1], peer, fam) {
			return true
		}
	}
	return false
}

// rowPairs returns the rows of both sides that some port has together, for a member of
// a class.
func (p *pairing) rowPairs(d policy.Direction, class, end int32) [][2]int32 {
	if rows := p.rows[d][class]; rows != nil {
		return rows
	}
	rows := [][2]int32{}
	g, h := p.graphs[0], p.graphs[1]
	for a, b := g.stepsOf(g.profileOf(end, d)), h.stepsOf(h.profileOf(end, d)); ; {
		if pair := [2]int32{a[0].row, b[0].row}; !slices.Contains(rows, pair) {
			rows = append(rows, pair)
		}
		last, other := until(a, 0), until(b, 0)
		if min(last, other) == keyOther {
			break
		}
		if last <= other {
			a = a[1:]
		}
		if other <= last {
			b = b[1:]
		}
	}
	p.rows[d][class] = rows
	return rows
}

// profileOf returns the profile of an end in a direction.
func (g *Graph) profileOf(id int32, d policy.Direction) int32 {
	if d == policy.Egress {
		return g.egress(id)
	}
	return g.ingress(id)
}

// sameApart reports whether both sides let through the same ports from one end to
// another over the family of index fam, if they are on different nodes.
func (p *pairing) sameApart(from, to int32, fam int) bool {
	var walks [2]stepWalk
	for s, g := range p.graphs {
		walks[s] = newStepWalk(g, from, to, fam)
	}
	for {
		if walks[0].holds() != walks[1].holds() {
			return false
		}
		last := min(walks[0].last(), walks[1].last())
		if last == keyOther {
			return true
		}
		walks[0].pass(last)
		walks[1].pass(last)
	}
}

// portsApart is PortsOver for ends on different nodes.
func (g *Graph) portsApart(from, to int32, fam int) policy.PortSet {
	var ranges []policy.PortRange
	w, first := newStepWalk(g, from, to, fam), int32(0)
	for {
		last := w.last()
		if w.holds() {
			ranges = appendRanges(ranges, first, last)
		}
		if last == keyOther {
			return policy.NewPortSet(ranges...)
		}
		w.pass(last)
		first = last + 1
	}
}

// A stepWalk goes through the steps of the two profiles that decide about flows from
// one end to another.
type stepWalk struct {
	g        *Graph
	from, to int32
	fam      int
	profiles [2]int32
	steps    [2][]step // the rest
}

func newStepWalk(g *Graph, from, to int32, fam int) stepWalk {
	w := stepWalk{g: g, from: from, to: to, fam: fam, profiles: [2]int32{g.egress(from), g.ingress(to)}}
	for i, p := range w.profiles {
		w.steps[i] = g.stepsOf(p)
	}
	return w
}

// holds reports whether the present ports are let through.
func (w *stepWalk) holds() bool {
	return w.g.holdsIn(w.profiles[0], w.steps[0][0].row, w.to, w.fam) &&
		w.g.holdsIn(w.profiles[1], w.steps[1][0].row, w.from, w.fam)
}

// last returns the last key up to which nothing changes.
func (w *stepWalk) last() int32 { return min(until(w.steps[0], 0), until(w.steps[1], 0)) }

// pass goes on behind a key.
func (w *stepWalk) pass(last int32) {
	for i, steps := range w.steps {
		if until(steps, 0) == last {
			w.steps[i] = steps[1:]
		}
	}
}

// closeNearPairs is nearPairs for close sides: only what a pod that has changed may
// send to its node can differ. The node gets in whatever policies say.
func (p *pairing) closeNearPairs() iter.Seq2[int32, int32] {
	return func(yield func(x, y int32) bool) {
		ends := p.graphs[0].ends
		var nodes []int32
		for t := range p.firstOutside {
			if e := &ends[p.ids[t][0]]; e.flags&isNode != 0 && p.graphs[0].isFixed(e.host) && p.isTold(t) {
				nodes = append(nodes, t)
			}
		}
		for class := range p.classes {
			if !p.classes[class].changed[policy.Egress] {
				continue
			}
			for _, x := range p.classes[class].members {
				for _, y := range nodes {
					from, to := p.ids[x][0], p.ids[y][0]
					if ends[from].host != ends[to].host || p.owners[x] == p.owners[y] ||
						!p.mayDiffer(policy.Egress, int32(class), from, to, 0) && !p.mayDiffer(policy.Egress, int32(class), from, to, 1) {
						continue
					}
					if !yield(x, y) {
						return
					}
				}
			}
		}
	}
}

// isolates reports whether some policy isolates an end in a direction.
func (g *Graph) isolates(id int32, d policy.Direction) bool {
	profile := g.egress(id)
	if d == policy.Ingress {
		profile = g.ingress(id)
	}
	if profile != unisolated {
		return true
	}
	// Policies that allow everything make the same profile as none.
	pod := g.pod(id)
	if pod == nil || g.profile.NotEnforced || g.profile.isNode(pod) {
		return false
	}
	return slices.ContainsFunc(g.policiesIn(pod.Name.Namespace), func(p *policy.Policy) bool {
		return p.Half(d).Isolates && p.Pods.Matches(pod.Labels)
	})
}
