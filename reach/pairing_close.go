package reach

import (
	"iter"
	"slices"

	"github.com/polreach/polreach/policy"
)

// This file pairs Graphs of which With has made one of the other, so that all but a
// few ends are known to be the same.

// areClose reports whether two Graphs have the same ends, and the same rows below what
// With has changed.
func areClose(g, h *Graph) bool { return &g.ends[0] == &h.ends[0] && &g.bits[0] == &h.bits[0] }

// findCloseThings is findThings for close sides, on which all ends have the same ids.
func (p *pairing) findCloseThings() {
	g, h := p.graphs[0], p.graphs[1]
	p.ids = make([][2]int32, 0, len(g.pods)+len(g.nodes)+len(g.at)+len(g.outside()))
	p.owners = make([]int32, 0, len(g.pods)+len(g.nodes)+len(g.at))
	add := func(id, owner int32) {
		p.ids = append(p.ids, [2]int32{id, id})
		p.owners = append(p.owners, owner)
	}
	things := make(map[int32]int32) // of owners of several addresses
	for i := range g.pods {
		if !g.pods[i].Terminated {
			if len(g.pods[i].Addrs) > 1 {
				things[int32(i)] = int32(len(p.ids))
			}
			add(int32(i), int32(len(p.ids)))
		}
	}
	for i := range g.nodes {
		id := g.first.node + int32(i)
		things[id] = int32(len(p.ids))
		add(id, int32(len(p.ids)))
	}
	for i, at := range g.at {
		id := g.first.at + int32(i)
		owner, ok := things[at.owner]
		if _, single := g.idAt(at.owner, at.addr); ok && single && (g.isApart(id) || h.isApart(id)) {
			add(id, owner)
		}
	}
	p.firstOutside = int32(len(p.ids))
	mine, other := g.outside(), h.outside()
	for i, set := range mine {
		if &mine[0] != &other[0] {
			set = set.Intersect(other[i])
		}
		if !set.IsEmpty() {
			id := g.first.addr + int32(i)
			p.ids = append(p.ids, [2]int32{id, id})
			p.addrs = append(p.addrs, set)
		}
	}
}

// findCloseClasses sorts the things into classes, of which all members have the same
// profiles on each side and are in the same rows.
func (p *pairing) findCloseClasses() {
	type key struct {
		end      end
		profiles [2][2]int32
		seats    [2][2]int32
		kind     endKind
		lists    string
	}
	index := make(map[key]int32, 64)
	var lists []byte
	for t, id := range p.ids {
		g := p.graphs[0]
		kind, _ := g.kind(g.owner(id[0]))
		k := key{end: g.ends[id[0]], kind: kind}
		k.end.host = 0
		lists = lists[:0]
		for s, g := range p.graphs {
			k.profiles[s] = [2]int32{policy.Egress: g.egress(id[0]), policy.Ingress: g.ingress(id[0])}
			if g.over != nil {
				k.seats[s] = g.over.seats(id[0])
				for i, l := range g.over.lists {
					if l.has(id[0]) {
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
		p.classes[i].members = append(p.classes[i].members, int32(t))
	}
}

// closeCells is classCells for close sides.
func (p *pairing) closeCells() iter.Seq[cell] {
	return func(yield func(cell) bool) {
		if p.rows[0] == nil {
			p.rows = [2][][][2]int32{make([][][2]int32, len(p.classes)), make([][][2]int32, len(p.classes))}
		}
		all := make([]int32, len(p.classes))
		var changed []int32 // those whose ingress has
		for i := range p.classes {
			all[i] = int32(i)
			if p.classes[i].changed[policy.Ingress] {
				changed = append(changed, int32(i))
			}
		}
		for from := range p.classes {
			others := changed
			if p.classes[from].changed[policy.Egress] {
				others = all
			}
			for _, to := range others {
				c := cell{from: int32(from), to: to}
				if p.fillClose(&c) && !yield(c) {
					return
				}
			}
		}
	}
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
	rows := p.rows[d][class]
	if rows == nil {
		rows = [][2]int32{}
		for a, b := g.stepsOf(x), h.stepsOf(y); ; {
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
	}
	for _, pair := range rows {
		if g.holdsIn(x, pair[0], peer, fam) != h.holdsIn(y, pair[1], peer, fam) {
			return true
		}
	}
	return false
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
			if e := &ends[p.ids[t][0]]; e.flags&isNode != 0 && p.graphs[0].isFixed(e.host) {
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
	pod := g.pod(id)
	if pod == nil || g.profile.NotEnforced || g.profile.isNode(pod) {
		return false
	}
	return slices.ContainsFunc(g.policiesIn(pod.Name.Namespace), func(p *policy.Policy) bool {
		return p.Half(d).Isolates && p.Pods.Matches(pod.Labels)
	})
}
