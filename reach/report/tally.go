package report

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// An ownPair is a pair of ends of a pod and its own node, or what counts as such.
type ownPair struct {
	from, to int32 // ends
	value    int32 // what is open
	apart    int32 // what would be open if they were not on one node
	same     bool  // they are one pod or node as it is reached at different addresses, and no pair
}

// ownPairs returns the pairs of different ends of a Graph in which policies have no say.
func (r *relation) ownPairs(g *reach.Graph) []ownPair {
	var list []ownPair
	ids := make([]int32, len(r.ends))
	for i := range ids {
		ids[i] = int32(i)
	}
	for i, j := range r.neighbors(g, ids, func(i int32) reach.Endpoint { return r.ends[i].Endpoint }) {
		if !g.Exempt(r.ends[i].Endpoint, r.ends[j].Endpoint) {
			continue
		}
		list = append(list, ownPair{i, j, r.values.of(value{ports: g.Ports(r.ends[i].Endpoint, r.ends[j].Endpoint)}), r.between(i, j), false})
	}
	return list
}

// neighbors returns the pairs of different ends, of those that are asked for, of which
// one is the node that the other runs on, or counts as it, in a Graph where an end is
// an endpoint in it.
func (r *relation) neighbors(g *reach.Graph, ids []int32, in func(int32) reach.Endpoint) iter.Seq2[int32, int32] {
	nodes := make(map[string]int)
	var on [][]int32 // by node, itself and its pods
	for _, e := range g.Nodes() {
		nodes[e.Name().Name] = len(on)
		on = append(on, nil)
	}
	for _, i := range ids {
		node := in(i)
		if r.ends[i].kind == Outside || len(on) == 0 {
			continue
		}
		if r.ends[i].kind == Pods {
			var err error
			if node, err = g.Lookup("node-of:" + node.String()); err != nil {
				panic("report: a pod without a node: " + err.Error())
			}
		}
		if n, ok := nodes[node.Name().Name]; ok {
			on[n] = append(on[n], i)
		}
	}
	return func(yield func(int32, int32) bool) {
		for _, ids := range on {
			special := make([]bool, len(ids)) // the node, and pods that count as it
			for n, i := range ids {
				special[n] = r.isSpecial(g, i, ids, in)
			}
			for n, i := range ids {
				for m, j := range ids {
					if n != m && (special[n] || special[m]) && r.isAsked(i, j) && !yield(i, j) {
						return
					}
				}
			}
		}
	}
}

// isSpecial reports whether policies let one of the ends on a node through to others
// whatever they say: it is the node, or counts as it.
func (r *relation) isSpecial(g *reach.Graph, i int32, ids []int32, in func(int32) reach.Endpoint) bool {
	for _, j := range ids {
		if j != i && r.ends[j].kind == Pods && !isSame(g, in(i), in(j)) {
			return g.Exempt(in(i), in(j))
		}
	}
	return r.ends[i].kind == Nodes
}

// isSame reports whether two endpoints are one pod or node, as it is reached at
// different addresses.
func isSame(g *reach.Graph, a, b reach.Endpoint) bool {
	return a.Name() == b.Name() && (isAddr(a) || isAddr(b)) && g.Exempt(a, b) && g.Exempt(b, a)
}

func isAddr(e reach.Endpoint) bool {
	_, err := netip.ParseAddr(e.String())
	return err == nil
}

// isAsked reports whether a Matrix says something of a pair of ends.
func (r *relation) isAsked(from, to int32) bool {
	a, b := &r.ends[from], &r.ends[to]
	return (a.kind == Pods || b.kind == Pods) && !(a.other && b.other)
}

// between returns the value of two different ends, if they are not on one node.
func (r *relation) between(from, to int32) int32 {
	a, b := r.ends[from].set, r.ends[to].set
	if a == b {
		return r.sets[a].among
	}
	return at(r.rows[a], b)
}

// A share is pairs of a group with another one that have a value.
type share struct {
	to, value int32
	pairs     int
}

func compareShares(a, b share) int {
	return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.value, b.value))
}

// tally returns the cells of a partition.
func (m *Matrix) tally(p partition) cells {
	r := m.relation
	parts := make([][]share, len(r.sets)) // of each set, how many members are in which groups
	for k := range r.sets {
		for _, i := range r.sets[k].members {
			parts[k] = append(parts[k], share{to: p.of[i], pairs: 1})
		}
		parts[k] = merge(parts[k])
	}
	replicas := make(map[[2]int32]int) // by set and group
	for i := range r.ends {
		if r.ends[i].replicas {
			replicas[[2]int32{r.ends[i].set, p.of[i]}]++
		}
	}
	shares := make([][]share, p.n) // by the first group
	for k := range r.sets {
		var reached []share
		for _, l := range r.rows[k] {
			for _, part := range parts[l.to] {
				reached = append(reached, share{part.to, l.value, part.pairs})
			}
		}
		reached = merge(reached)
		for _, from := range parts[k] {
			row := shares[from.to]
			for _, s := range reached {
				row = append(row, share{s.to, s.value, s.pairs * from.pairs})
			}
			if v := r.sets[k].among; v != 0 {
				for _, to := range parts[k] {
					n := from.pairs * to.pairs
					if from.to == to.to {
						n -= from.pairs - replicas[[2]int32{int32(k), from.to}]
					}
					row = append(row, share{to.to, v, n})
				}
			}
			shares[from.to] = row
		}
	}
	own := make([]ownPair, len(m.own))
	for i, o := range m.own {
		o.from, o.to = p.of[o.from], p.of[o.to]
		own[i] = o
	}
	slices.SortFunc(own, func(a, b ownPair) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	rows := make([][]entry, p.n)
	u := unions{values: r.values.clone(), known: make(map[[2]int32]int32)}
	for from := range rows {
		n := 0
		for n < len(own) && int(own[n].from) == from {
			n++
		}
		rows[from] = m.row(from, merge(shares[from]), own[:n], u)
		shares[from], own = nil, own[n:]
	}
	return cells{rows, u.values.list}
}

// merge sorts shares and joins those of one value.
func merge(list []share) []share {
	slices.SortFunc(list, compareShares)
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && compareShares(out[n-1], s) == 0 {
			out[n-1].pairs += s.pairs
		} else if s.pairs > 0 {
			out = append(out, s)
		}
	}
	return out
}

// row returns the entries of a group from what all pairs have that are not on one
// node, and those that are. Both are sorted.
func (m *Matrix) row(from int, shares []share, own []ownPair, u unions) []entry {
	var row []entry
	for len(shares) > 0 || len(own) > 0 {
		to := int32(len(m.Groups))
		if len(shares) > 0 {
			to = shares[0].to
		}
		if len(own) > 0 {
			to = min(to, own[0].to)
		}
		var here []share
		for len(shares) > 0 && shares[0].to == to {
			here, shares = append(here, shares[0]), shares[1:]
		}
		var near []share
		e := entry{to: to, pairs: m.pairs(from, int(to))}
		for len(own) > 0 && own[0].to == to {
			if v := own[0].apart; v != 0 {
				here[slices.IndexFunc(here, func(s share) bool { return s.value == v })].pairs--
			}
			if !own[0].same {
				near = append(near, share{to, own[0].value, 1})
			}
			e.left = true
			e.pairs--
			own = own[1:]
		}
		e.own = len(near) > 0
		if e.pairs == 0 {
			here, e.pairs, e.own = merge(near), len(near), false
		}
		for _, s := range here {
			if s.pairs > 0 && s.value != 0 {
				e.some = e.some || s.pairs < e.pairs
				e.value = u.of(e.value, s.value)
			}
		}
		if e.value != 0 || e.left {
			row = append(row, e)
		}
	}
	return row
}

// unions numbers the values that have all ports of two others.
type unions struct {
	values *values
	known  map[[2]int32]int32
}

func (u unions) of(a, b int32) int32 {
	if a == 0 || a == b {
		return b
	}
	k := [2]int32{min(a, b), max(a, b)}
	n, ok := u.known[k]
	if !ok {
		n = u.values.of(u.values.list[a].union(u.values.list[b]))
		u.known[k] = n
	}
	return n
}

func unionOf(a, b policy.PortSet) policy.PortSet {
	return policy.NewPortSet(slices.AppendSeq(slices.Collect(a.Ranges()), b.Ranges())...)
}
