package report

import (
	"cmp"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
)

// A graph is a Matrix as arrows. Where arrows would come from, or go to, every group
// of a namespace or every pod, there is one of them all.
type graph struct {
	m      *Matrix
	layer  layer
	spots  []spot // first one for each group, by its number, then the larger ones
	arrows []arrow
}

// A spot is an end of arrows: one group, or several.
type spot struct {
	name   string
	groups []int
}

// An arrow is what each group at its first end can do to each other one at the
// second. It may be less than some can do, for which there is another arrow then.
type arrow struct {
	from, to int // spots
	ports    policy.PortSet
	some     bool
}

// A layer is some ports of each value, and the sign that they have.
type layer struct {
	sign string
	of   func(v *value) policy.PortSet
}

func openPorts(v *value) policy.PortSet   { return v.ports }
func closedPorts(v *value) policy.PortSet { return v.closed }

// graphs returns a graph, or those of what is opened and what is closed. They have the
// same spots.
func (m *Matrix) graphs() []*graph {
	if m.isDiff() {
		return []*graph{m.arrows(layer{"+", openPorts}), m.arrows(layer{"-", closedPorts})}
	}
	return []*graph{m.arrows(layer{"", openPorts})}
}

func (m *Matrix) arrows(l layer) *graph {
	g := &graph{m: m, layer: l}
	for i := range m.Groups {
		g.spots = append(g.spots, spot{m.Groups[i].Name, []int{i}})
	}
	g.addSpots()
	g.joinTargets(g.joinSources())
	return g
}

// addSpots adds the spots of several groups, the larger ones first.
func (g *graph) addSpots() {
	all := make([]int, len(g.m.Groups))
	kinds := make(map[Kind][]int)
	spaces := make(map[string][]int)
	var names []string
	for i := range g.m.Groups {
		all[i] = i
		gr := &g.m.Groups[i]
		kinds[gr.Kind] = append(kinds[gr.Kind], i)
		if ns := gr.Namespace; ns != "" && !gr.other {
			if spaces[ns] == nil {
				names = append(names, ns)
			}
			spaces[ns] = append(spaces[ns], i)
		}
	}
	add := func(name string, groups []int) {
		if len(groups) > 1 && !slices.Equal(groups, g.spots[len(g.spots)-1].groups) {
			g.spots = append(g.spots, spot{name, groups})
		}
	}
	call := func(every, shown string) string {
		if g.m.isDiff() {
			return shown // there may be more
		}
		return every
	}
	add(call("everything", "all of these"), all)
	add(call("every pod", "all of these pods"), kinds[Pods])
	for _, ns := range names {
		add(call("every pod", "all of these")+" in "+ns, spaces[ns])
	}
	add(call("every node", "all of these nodes"), kinds[Nodes])
	for _, f := range [...]cidr.Set{families[0].Union(families[1]), families[0], families[1]} {
		var addrs cidr.Set
		var groups []int
		for _, i := range kinds[Outside] {
			if s := g.m.Groups[i].addrs; s.Minus(f).IsEmpty() {
				addrs = addrs.Union(s)
				groups = append(groups, i)
			}
		}
		name := addrsName(addrs, g.m.outside)
		if name == "outside" {
			name = call("everything outside", name)
		}
		add(name, groups)
	}
}

// text returns what an arrow says.
func (g *graph) text(a arrow, ports func(policy.PortSet) string) string {
	text := g.layer.sign + ports(a.ports)
	if a.some {
		text = "(" + text + ")"
	}
	return text
}

// larger returns the numbers of the spots of several groups.
func (g *graph) larger() (first, end int) { return len(g.m.Groups), len(g.spots) }

// A flow is the ports of an arrow.
type flow struct {
	ports policy.PortSet
	some  bool
}

func (f flow) equal(g flow) bool { return f.some == g.some && f.ports.Equal(g.ports) }

// holds reports whether f has all that g has.
func (f flow) holds(g flow) bool {
	return f.equal(g) || !f.some && !g.some && f.ports.Intersect(g.ports).Equal(g.ports)
}

// flow returns what one group can do to another one. It reports false if there are
// no pairs and they are the same, so that nothing is left out if it is taken for
// granted.
func (g *graph) flow(from, to int) (_ flow, asked bool) {
	row := g.m.cells().rows[from]
	i, ok := slices.BinarySearchFunc(row, int32(to), func(e entry, to int32) int { return cmp.Compare(e.to, to) })
	if !ok {
		return flow{}, from != to || g.m.pairs(from, to) > 0
	}
	if row[i].pairs == 0 {
		return flow{}, false
	}
	return flow{g.layer.of(&g.m.cells().values[row[i].value]), row[i].some}, true
}

// common returns what each group of a spot can do to one group: as much as all have in
// common, or if some pairs differ within groups, what all have exactly.
func (g *graph) common(s spot, to int) (_ flow, ok bool) {
	var all flow
	for _, from := range s.groups {
		f, asked := g.flow(from, to)
		switch {
		case !asked:
			continue
		case !ok:
			all, ok = f, true
		case f.some || all.some:
			if !f.equal(all) {
				return flow{}, false
			}
		default:
			all.ports = all.ports.Intersect(f.ports)
		}
		if all.ports.IsEmpty() {
			return flow{}, false
		}
	}
	return all, ok
}

// joinSources returns the arrows to single groups, by target, from as few spots as it
// finds.
func (g *graph) joinSources() [][]arrow {
	from := make([][]int, len(g.m.Groups)) // by group, those that reach it
	for i, row := range g.m.cells().rows {
		for _, e := range row {
			if !g.layer.of(&g.m.cells().values[e.value]).IsEmpty() {
				from[e.to] = append(from[e.to], i)
			}
		}
	}
	arrows := make([][]arrow, len(g.m.Groups))
	first, end := g.larger()
	for to := range arrows {
		left := from[to]
		for n := first; n < end; n++ {
			s := g.spots[n]
			if len(left) < 2 || len(s.groups) > len(from[to])+1 {
				continue
			}
			f, ok := g.common(s, to)
			if !ok {
				continue
			}
			isJoined := func(i int) bool {
				h, _ := g.flow(i, to)
				return h.equal(f) && contains(s.groups, i)
			}
			if rest := slices.DeleteFunc(slices.Clone(left), isJoined); len(rest) < len(left)-1 {
				arrows[to] = append(arrows[to], arrow{n, to, f.ports, f.some})
				left = rest
			}
		}
		for _, i := range left {
			f, _ := g.flow(i, to)
			arrows[to] = append(arrows[to], arrow{i, to, f.ports, f.some})
		}
	}
	return arrows
}

// contains reports whether an ascending list has i.
func contains(list []int, i int) bool {
	_, ok := slices.BinarySearch(list, i)
	return ok
}

// joinTargets joins arrows of equal ports from one spot to all groups of another one.
func (g *graph) joinTargets(byTarget [][]arrow) {
	bySource := make([][]arrow, len(g.spots))
	for _, list := range byTarget {
		for _, a := range list {
			bySource[a.from] = append(bySource[a.from], a)
		}
	}
	first, end := g.larger()
	for from, left := range bySource {
		for n := first; n < end; n++ {
			for i := 0; i < len(left); i++ {
				f := flow{left[i].ports, left[i].some}
				isJoined := func(a arrow) bool {
					return f.equal(flow{a.ports, a.some}) && a.to < first && contains(g.spots[n].groups, a.to)
				}
				if !isJoined(left[i]) || !g.reachAll(g.spots[from], g.spots[n], f) {
					continue
				}
				if rest := slices.DeleteFunc(slices.Clone(left), isJoined); len(rest) < len(left)-1 {
					left = slices.Insert(rest, 0, arrow{from, n, f.ports, f.some})
					i = 0
				}
			}
		}
		g.arrows = append(g.arrows, left...)
	}
	slices.SortStableFunc(g.arrows, func(a, b arrow) int { return cmp.Or(g.compareSpots(a.from, b.from), g.compareSpots(a.to, b.to)) })
}

// compareSpots puts larger spots before the smaller ones in them.
func (g *graph) compareSpots(a, b int) int {
	x, y := g.spots[a].groups, g.spots[b].groups
	return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(len(y), len(x)))
}

// reachAll reports whether each group of a spot can do f to each other one of another
// spot.
func (g *graph) reachAll(from, to spot, f flow) bool {
	asked := false
	for _, j := range to.groups {
		for _, i := range from.groups {
			h, ok := g.flow(i, j)
			if ok && !h.holds(f) {
				return false
			}
			asked = asked || ok
		}
	}
	return asked
}
