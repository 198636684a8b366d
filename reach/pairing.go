package reach

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"sync"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
)

// A pairing is the endpoints of two Graphs, the first and the second side. Each thing
// is an endpoint of one or of both: pods and workloads, then nodes, then either as it
// is reached at one address, then addresses outside.
type pairing struct {
	graphs       [2]*Graph
	ids          [][2]int32
	owners       []int32 // of each thing but those outside, the pod or node that it is
	firstOutside int32
	addrs        []cidr.Set // of the things outside
	classes      []pairedClass
	sets         *portSets
	differences  map[[2]int32]int32 // of two of sets
	whole        bool               // classes are told apart by isolation, and all cells are wanted
	relations    [2]*relation       // nil if the sides are close

	roll *roll           // if they are
	rows [2][][][2]int32 // by direction and class, the rows of both sides that some port has together

	allOutside func() [2]cidr.Set // by family

	once    sync.Once     // of what comes
	between []policy.Edit // that make the second cluster of the first
}

// A pairedClass is things that neither side tells apart.
type pairedClass struct {
	at       [2]int32   // the class of the relation of each side, -1 if the side has them not
	isolated [2][2]bool // by side and direction, if all cells are wanted
	changed  [2]bool    // by direction, whether the sides have different profiles, if they are close
	members  []int32
}

// A cell is what both sides let through from one class to another, or if it is near,
// between two things that are a pod and the node that it runs on.
type cell struct {
	from, to int32
	near     bool
	ports    [2][2]int32 // by side and family, numbers of sets
}

// newPairing returns the pairing of two Graphs, for the cells that differ or for the
// whole of them.
func newPairing(g, h *Graph, whole bool) *pairing {
	p := &pairing{graphs: [2]*Graph{g, h}, sets: newPortSets(), whole: whole}
	p.differences = make(map[[2]int32]int32)
	p.allOutside = sync.OnceValue(p.findAllOutside)
	if !whole && areClose(g, h) {
		p.roll = p.closeRoll()
		p.ids, p.owners, p.firstOutside, p.addrs = p.roll.ids, p.roll.owners, p.roll.firstOutside, p.roll.addrs
		p.findCloseClasses()
	} else {
		p.findThings()
		p.findClasses()
	}
	return p
}

// findThings pairs the endpoints.
func (p *pairing) findThings() {
	g, h := p.graphs[0], p.graphs[1]
	p.merge(g.Pods(), h.Pods(), func(a, b Endpoint) int {
		x, y := &g.pods[a.id], &h.pods[b.id]
		return cmp.Or(cmp.Compare(x.Name.Namespace, y.Name.Namespace), cmp.Compare(x.Name.Name, y.Name.Name), cmp.Compare(x.Kind, y.Kind))
	})
	p.merge(g.Nodes(), h.Nodes(), func(a, b Endpoint) int {
		return cmp.Compare(a.Name().Name, b.Name().Name)
	})
	for i := range p.ids {
		p.owners = append(p.owners, int32(i))
	}
	for t := range p.owners {
		p.addAddrs(int32(t))
	}
	p.firstOutside = int32(len(p.ids))
	p.pairOutside(g.Outside(), h.Outside())
}

// merge pairs two sorted lists.
func (p *pairing) merge(a, b []Endpoint, compare func(a, b Endpoint) int) {
	for len(a)+len(b) > 0 {
		c := 0
		switch {
		case len(a) == 0:
			c = 1
		case len(b) == 0:
			c = -1
		default:
			c = compare(a[0], b[0])
		}
		id := [2]int32{-1, -1}
		if c <= 0 {
			id[0], a = a[0].id, a[1:]
		}
		if c >= 0 {
			id[1], b = b[0].id, b[1:]
		}
		p.ids = append(p.ids, id)
	}
}

// addAddrs adds a thing as it is reached at those of its addresses that both sides
// know, if both know several and policies tell that apart.
func (p *pairing) addAddrs(t int32) {
	ids := p.ids[t]
	if ids[0] < 0 || ids[1] < 0 {
		return
	}
	g, h := p.graphs[0], p.graphs[1]
	if min(len(g.knownAddrs(ids[0])), len(h.knownAddrs(ids[1]))) < 2 {
		return
	}
	for _, a := range g.knownAddrs(ids[0]) {
		x, ok := g.idAt(ids[0], a)
		y, also := h.idAt(ids[1], a)
		if ok && also && (g.isApart(x) || h.isApart(y)) {
			p.ids = append(p.ids, [2]int32{x, y})
			p.owners = append(p.owners, t)
		}
	}
}

// idAt returns what Addr returns for an address of a pod or node. It reports false
// if others have the address too.
func (g *Graph) idAt(owner int32, a netip.Addr) (int32, bool) {
	for _, id := range g.owners()[a] {
		if len(g.owners()[a]) == 1 && g.owner(id) == owner {
			return id, true
		}
	}
	return -1, false
}

// isApart reports whether policies treat an end differently from the pod or node of
// which it is one address.
func (g *Graph) isApart(id int32) bool {
	owner := g.owner(id)
	return id != owner && (g.differsAt(id) || g.over != nil && g.over.differAt(id, owner))
}

// differAt reports whether an overlay has an end elsewhere than the pod or node of which
// it is one address.
func (o *overlay) differAt(id, owner int32) bool {
	at, whole := o.seats(id), o.seats(owner)
	for f, fam := range families {
		if o.below.ends[id].flags&fam.flag() != 0 && at[f] != whole[f] {
			return true
		}
	}
	return slices.ContainsFunc(o.lists, func(l memberSet) bool { return l.has(id) != l.has(owner) })
}

// differsAt is isApart for a Graph that Compile made.
func (g *Graph) differsAt(id int32) bool {
	at, whole := &g.ends[id], &g.ends[g.owner(id)]
	for f, fam := range families {
		if at.flags&fam.flag() != 0 && at.class[f] != whole.class[f] {
			return true
		}
	}
	return false
}

// pairOutside pairs classes of addresses outside that have some in common.
func (p *pairing) pairOutside(a, b []Endpoint) {
	sets := func(list []Endpoint) []cidr.Set {
		s := make([]cidr.Set, len(list))
		for i, e := range list {
			s[i] = e.Addrs()
		}
		return s
	}
	x, y := sets(a), sets(b)
	both := cidr.NewPartition(slices.Concat(x, y)...)
	for c := range both.Len() {
		id := [2]int32{-1, -1}
		for i := range both.Sets(cidr.Class(c)) {
			if i < len(a) {
				id[0] = a[i].id
			} else {
				id[1] = b[i-len(a)].id
			}
		}
		if id[0] >= 0 && id[1] >= 0 {
			p.ids = append(p.ids, id)
			p.addrs = append(p.addrs, both.Addrs(cidr.Class(c)))
		}
	}
}

// outside returns the addresses of a thing outside, and none for others.
func (p *pairing) outside(t int32) cidr.Set {
	if t < p.firstOutside {
		return cidr.Set{}
	}
	return p.addrs[t-p.firstOutside]
}

func (p *pairing) endpoint(side int, t int32) Endpoint {
	return Endpoint{p.graphs[side], p.ids[t][side]}
}

// unpaired returns the pods and nodes that one side alone has.
func (p *pairing) unpaired(side int) []Endpoint {
	var list []Endpoint
	for t, id := range p.ids {
		if id[1-side] < 0 {
			list = append(list, p.endpoint(side, int32(t)))
		}
	}
	return list
}

// isPod reports whether a thing is a pod, or a pod at an address.
func (p *pairing) isPod(t int32) bool {
	if t >= p.firstOutside {
		return false
	}
	for s, id := range p.ids[t] {
		if id >= 0 {
			return p.graphs[s].pod(id) != nil
		}
	}
	return false
}

// findClasses sorts the things into classes, by the relations of both sides.
func (p *pairing) findClasses() {
	for s, g := range p.graphs {
		if g.over != nil {
			g = g.fresh()
		}
		var at []Endpoint
		for _, id := range p.ids[len(p.owners)-p.countAt() : p.firstOutside] {
			if kind, _ := g.kind(id[s]); kind == atEnd {
				at = append(at, Endpoint{g, id[s]})
			}
		}
		if at == nil {
			p.relations[s] = g.relation()
		} else {
			p.relations[s] = g.relationWith(at)
		}
	}
	type key struct {
		at       [2]int32
		isolated [2][2]bool
	}
	index := make(map[key]int32)
	for t, id := range p.ids {
		k := key{at: [2]int32{-1, -1}}
		for s := range id {
			if id[s] < 0 {
				continue
			}
			k.at[s] = p.relations[s].of[id[s]]
			if p.whole && p.isPod(int32(t)) {
				for d := range k.isolated[s] {
					k.isolated[s][d] = p.graphs[s].isolates(id[s], policy.Direction(d))
				}
			}
		}
		i, ok := index[k]
		if !ok {
			i = int32(len(p.classes))
			index[k] = i
			p.classes = append(p.classes, pairedClass{at: k.at, isolated: k.isolated})
		}
		p.classes[i].members = append(p.classes[i].members, int32(t))
	}
}

// countAt returns how many things are pods or nodes at an address.
func (p *pairing) countAt() int {
	n := 0
	for t, owner := range p.owners {
		if int32(t) != owner {
			n++
		}
	}
	return n
}

// pair returns the first pair of things of two lists of classes that a row is about:
// they are not one pod or node, unless a workload has more pods, and not a pod and
// the node that it runs on.
func (p *pairing) pair(from, to []int32) (x, y int32, ok bool) {
	for _, a := range from {
		for _, x := range p.classes[a].members {
			for _, b := range to {
				for _, y := range p.classes[b].members {
					if p.isPair(x, y) {
						return x, y, true
					}
				}
			}
		}
	}
	return 0, 0, false
}

func (p *pairing) isPair(x, y int32) bool {
	if !p.isPod(x) && !p.isPod(y) {
		return false
	}
	if x >= p.firstOutside || y >= p.firstOutside {
		return true
	}
	if p.owners[x] == p.owners[y] {
		if x != y {
			return false
		}
		for s, id := range p.ids[x] {
			if id < 0 {
				continue
			}
			if _, ok := p.graphs[s].replica(Endpoint{p.graphs[s], id}); ok {
				return true
			}
		}
		return false
	}
	return !p.isNear(x, y)
}

// isNear reports whether two things share a node in some Graph, and one is the node or
// counts as it.
func (p *pairing) isNear(x, y int32) bool {
	for s, g := range p.graphs {
		a, b := p.ids[x][s], p.ids[y][s]
		if a < 0 || b < 0 {
			continue
		}
		e, f := &g.ends[a], &g.ends[b]
		if e.host == f.host && g.isFixed(e.host) && (e.flags|f.flags)&isNode != 0 {
			return true
		}
	}
	return false
}

// cells yields the pairs of classes between which the sides differ, or of a whole
// pairing, those between which any lets something through; and then the pairs of near
// things likewise. Those from one class come together.
func (p *pairing) cells() iter.Seq[cell] {
	classes, near := p.classCells, p.nearPairs
	if p.relations[0] == nil {
		classes, near = p.closeCells, p.closeNearPairs
	}
	return func(yield func(cell) bool) {
		for c := range classes() {
			if !yield(c) {
				return
			}
		}
		for x, y := range near() {
			c := p.nearCell(x, y)
			if (c.ports[0] != c.ports[1] || p.whole && c.ports[0] != [2]int32{}) && !yield(c) {
				return
			}
		}
	}
}

// classCells yields cells by the relations of both sides.
func (p *pairing) classCells() iter.Seq[cell] {
	return func(yield func(cell) bool) {
		var walkers [2]*relationWalker
		var have [2][][]int32 // by side and class of the relation, the classes here
		for s, r := range p.relations {
			walkers[s] = r.newWalker(p.sets)
			have[s] = make([][]int32, len(r.classes))
			for i, c := range p.classes {
				if c.at[s] >= 0 {
					have[s][c.at[s]] = append(have[s][c.at[s]], int32(i))
				}
			}
		}
		ports := make([][2][2]int32, len(p.classes))
		var touched []int32
		for from, c := range p.classes {
			for s, w := range walkers {
				if c.at[s] < 0 {
					continue
				}
				for f := range families {
					for _, x := range w.from(c.at[s], families[f:f+1]) {
						for _, to := range have[s][x.class] {
							if ports[to] == ([2][2]int32{}) {
								touched = append(touched, to)
							}
							ports[to][s][f] = x.ports
						}
					}
				}
			}
			slices.Sort(touched)
			for i, to := range touched {
				c := cell{from: int32(from), to: to, ports: ports[to]}
				ports[to] = [2][2]int32{}
				if (p.whole || c.ports[0] != c.ports[1]) && !yield(c) {
					for _, to := range touched[i:] {
						ports[to] = [2][2]int32{}
					}
					return
				}
			}
			touched = touched[:0]
		}
	}
}

// nearCell returns the cell between two things that are near each other.
func (p *pairing) nearCell(x, y int32) cell {
	c := cell{from: x, to: y, near: true}
	for s, g := range p.graphs {
		from, to := p.ids[x][s], p.ids[y][s]
		if from < 0 || to < 0 {
			continue
		}
		for f, fam := range families {
			c.ports[s][f] = p.sets.number(g.PortsOver(fam, Endpoint{g, from}, Endpoint{g, to}))
		}
	}
	return c
}

// nearPairs yields the pairs of things that are near each other, both ways, in the
// order of the first and then of the second.
func (p *pairing) nearPairs() iter.Seq2[int32, int32] {
	return func(yield func(x, y int32) bool) {
		type place struct {
			side int
			host int32
		}
		on := make(map[place][]int32) // the things on a host
		nodes := make(map[place][]int32)
		for t := range p.firstOutside {
			for s, g := range p.graphs {
				id := p.ids[t][s]
				if id < 0 || !g.isFixed(g.ends[id].host) {
					continue
				}
				at := place{s, g.ends[id].host}
				on[at] = append(on[at], t)
				if g.ends[id].flags&isNode != 0 {
					nodes[at] = append(nodes[at], t)
				}
			}
		}
		for x := range p.firstOutside {
			var near []int32
			for s, g := range p.graphs {
				id := p.ids[x][s]
				if id < 0 || !g.isFixed(g.ends[id].host) {
					continue
				}
				at := place{s, g.ends[id].host}
				if g.ends[id].flags&isNode != 0 {
					near = append(near, on[at]...)
				} else {
					near = append(near, nodes[at]...)
				}
			}
			slices.Sort(near)
			for _, y := range slices.Compact(near) {
				if p.owners[x] != p.owners[y] && (p.isPod(x) || p.isPod(y)) && !yield(x, y) {
					return
				}
			}
		}
	}
}

// only returns what one side alone lets through in a cell.
func (p *pairing) only(c cell, side int) []entry {
	var extra [2]int32
	for f := range extra {
		extra[f] = p.minus(c.ports[side][f], c.ports[1-side][f])
	}
	if extra == [2]int32{} {
		return nil
	}
	common := p.common(c, side)
	if common != hasBoth {
		return []entry{{c.to, extra[common.only()], AnyFamily}}
	}
	if extra[0] == extra[1] {
		return []entry{{c.to, extra[0], AnyFamily}}
	}
	x, y := p.sets.sets[extra[0]], p.sets.sets[extra[1]]
	both := x.Intersect(y)
	var list []entry
	for _, x := range [...]struct {
		ports  policy.PortSet
		family Family
	}{{both, AnyFamily}, {x.Minus(both), IPv4}, {y.Minus(both), IPv6}} {
		if !x.ports.IsEmpty() {
			list = append(list, entry{c.to, p.sets.number(x.ports), x.family})
		}
	}
	return list
}

// minus returns the number of the ports in one set and not in another. Many cells ask
// for the same.
func (p *pairing) minus(a, b int32) int32 {
	switch {
	case a == b || a == 0:
		return 0
	case b == 0:
		return a
	}
	k := [2]int32{a, b}
	n, ok := p.differences[k]
	if !ok {
		n = p.sets.number(p.sets.sets[a].Minus(p.sets.sets[b]))
		p.differences[k] = n
	}
	return n
}

// only returns the index of the one family in f.
func (f flags) only() int {
	if f&hasIPv4 != 0 {
		return 0
	}
	return 1
}

// common returns the families that the ends of a cell share at a side.
func (p *pairing) common(c cell, side int) flags {
	x, y := c.from, c.to
	if !c.near {
		x, y = p.classes[x].members[0], p.classes[y].members[0]
	}
	g := p.graphs[side]
	a, b := p.ids[x][side], p.ids[y][side]
	if a < 0 || b < 0 {
		return 0
	}
	if !c.near {
		return g.ends[a].flags & g.ends[b].flags & hasBoth
	}
	return commonFamilies(&g.ends[a], &g.ends[b])
}
