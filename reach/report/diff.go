package report

import (
	"cmp"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/reach"
)

// OfDiff returns what d opens and closes. Its groups are the endpoints that have such
// flows, and those that one Graph alone has. It is an error if opts name what neither
// Graph has.
//
// Its cost grows with the members of all changes, and with the pairs of endpoints that
// these tell apart.
func OfDiff(d *reach.Diff, opts Options) (*Matrix, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	df := differ{diff: d, graphs: [...]*reach.Graph{d.Before, d.After}} // nil, if d is zero
	var pods [2][]reach.Endpoint
	for s, g := range df.graphs {
		if g != nil {
			pods[s] = g.Pods()
		}
	}
	zones, err := zonesOf(opts.Namespaces, pods[:]...)
	if err != nil {
		return nil, err
	}
	df.zones = zones
	df.collect()
	r := df.relation()
	r.names = namesOf(pods[:]...)
	for s, g := range df.graphs {
		if g == nil {
			break
		}
		used := addrsOfPods(g, pods[s])
		for c, a := range df.samples {
			if a.IsValid() {
				r.outside = r.outside.Union(df.classes[c].Intersect(used))
			}
		}
	}
	src := source{relation: r, own: df.ownPairs(r), opts: opts, changes: df.changes}
	return src.matrix(opts.Limit), nil
}

// The Graphs of a Diff by number.
const (
	before = iota
	after
)

var sides = [...]Side{Before, After}

// A differ makes a relation of a Diff.
type differ struct {
	diff   *reach.Diff
	graphs [2]*reach.Graph
	zones  map[string]int32 // of the namespaces that are shown; empty if all are

	alone   map[reach.Endpoint]bool
	classes []cidr.Set   // of addresses that policies tell apart in one of the Graphs
	samples []netip.Addr // of each, one that is outside in both; zero if there is none

	changes []reach.Change // of flows that are shown
	boxes   []box          // likewise
	keys    []diffKey      // of all ends, sorted
	numbers map[diffKey]int32
}

// A diffKey is what an end is known by: an endpoint of the second Graph, or if it is
// not there, of the first; outside, a number of a class besides.
type diffKey struct {
	reach.Endpoint
	side  int
	class int
}

// A box is a Change.
type box struct {
	value    value
	ownNode  bool
	from, to []diffKey
}

// collect finds the boxes and the keys.
func (df *differ) collect() {
	d := df.diff
	if d.Before != nil {
		df.findClasses()
	}
	df.alone = make(map[reach.Endpoint]bool)
	for _, e := range slices.Concat(d.Removed, d.Added) {
		df.alone[e] = true
	}
	found := make(map[diffKey]bool)
	for s, list := range [...][]reach.Endpoint{d.Removed, d.Added} {
		for _, e := range list {
			if k := (diffKey{Endpoint: e, side: s}); df.isShown(k) {
				found[k] = true
			}
		}
	}
	for _, c := range slices.Concat(d.Opened, d.Closed) {
		s, v := before, value{closed: c.Ports}
		if c.Opened {
			s, v = after, value{ports: c.Ports}
		}
		v.oneFamily = c.Family != reach.AnyFamily
		b := box{value: v, ownNode: c.OwnNode}
		from, to := df.keysOf(s, c.From), df.keysOf(s, c.To)
		b.from, b.to = df.facing(from, to), df.facing(to, from)
		if len(b.from) == 0 {
			continue
		}
		for _, k := range slices.Concat(b.from, b.to) {
			found[k] = true
		}
		df.changes, df.boxes = append(df.changes, c), append(df.boxes, b)
	}
	for k := range found {
		df.keys = append(df.keys, k)
	}
	slices.SortFunc(df.keys, func(a, b diffKey) int {
		x, y := a.Name(), b.Name()
		return cmp.Or(cmp.Compare(a.kind().order(), b.kind().order()), cmp.Compare(a.class, b.class), cmp.Compare(x.Namespace, y.Namespace),
			cmp.Compare(x.Name, y.Name), cmp.Compare(a.String(), b.String()), cmp.Compare(a.side, b.side))
	})
	df.numbers = make(map[diffKey]int32, len(df.keys))
	for i, k := range df.keys {
		df.numbers[k] = int32(i)
	}
}

// findClasses finds the classes of addresses. They include those of the cluster that no
// policy tells apart from others, which would leave holes.
func (df *differ) findClasses() {
	var sets []cidr.Set
	for _, g := range df.graphs {
		for _, e := range g.Outside() {
			sets = append(sets, addrsOf(e.String()))
		}
	}
	p := cidr.NewPartition(sets...)
	for c := range p.Len() {
		set := p.Addrs(cidr.Class(c))
		df.classes = append(df.classes, set)
		df.samples = append(df.samples, df.sample(set))
	}
}

// sample returns an address of a set that is outside in both Graphs, or the zero Addr if
// there is none. It passes over no more addresses than the clusters have.
func (df *differ) sample(s cidr.Set) netip.Addr {
	for p := range s.Prefixes() {
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			if isOutside(df.graphs[before], a) && isOutside(df.graphs[after], a) {
				return a
			}
		}
	}
	return netip.Addr{}
}

func isOutside(g *reach.Graph, a netip.Addr) bool {
	e, err := g.Addr(a)
	return err == nil && e.Name().Name == ""
}

// keysOf returns the keys of ends on a side.
func (df *differ) keysOf(s int, ends reach.Ends) []diffKey {
	var keys []diffKey
	for e := range ends.Members() {
		switch {
		case df.alone[e] || s == after:
			keys = append(keys, diffKey{Endpoint: e, side: s})
		default:
			keys = append(keys, diffKey{Endpoint: counterpart(e, df.graphs[before], df.graphs[after]), side: after})
		}
	}
	if set := ends.Outside(); !set.IsEmpty() {
		for c, a := range df.samples {
			if set.Contains(a) {
				keys = append(keys, diffKey{Endpoint: mustAddr(df.graphs[after], a), side: after, class: c + 1})
			}
		}
	}
	return keys
}

func mustAddr(g *reach.Graph, a netip.Addr) reach.Endpoint {
	e, err := g.Addr(a)
	if err != nil {
		panic("report: an address outside is not one: " + err.Error())
	}
	return e
}

// counterpart returns what an endpoint of g is in h, where it is too. Texts may have
// a kind in front in one of them only, if that alone has other objects of the name.
func counterpart(e reach.Endpoint, g, h *reach.Graph) reach.Endpoint {
	if o, err := h.Lookup(e.String()); err == nil {
		return o
	}
	for _, kind := range [...]string{"pod", "deploy", "rs", "sts", "ds", "job", "cj", "rc"} {
		text := kind + ":" + e.Name().String()
		if own, err := g.Lookup(text); err == nil && own == e {
			if o, err := h.Lookup(text); err == nil {
				return o
			}
		}
	}
	panic("report: an endpoint of both Graphs is in one only: " + e.String())
}

func (k diffKey) kind() Kind {
	switch {
	case k.class > 0:
		return Outside
	case k.Name().Namespace != "":
		return Pods
	}
	return Nodes
}

func (k Kind) order() int { return slices.Index([]Kind{Pods, Nodes, Outside}, k) }

func (df *differ) isShown(k diffKey) bool {
	return len(df.zones) == 0 || k.kind() == Pods && df.zones[k.Name().Namespace] > 0
}

// facing returns those of keys that are shown, or if any of the others are, all.
func (df *differ) facing(keys, others []diffKey) []diffKey {
	if slices.ContainsFunc(others, df.isShown) {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k diffKey) bool { return !df.isShown(k) })
}

// end returns the end of a key.
func (df *differ) end(k diffKey) end {
	e := end{Endpoint: k.Endpoint, text: k.String(), kind: k.kind(), other: !df.isShown(k)}
	switch {
	case e.kind == Outside:
		e.addrs = df.classes[k.class-1]
		e.text = e.addrs.String()
	case e.kind == Pods:
		e.namespace = k.Name().Namespace
		_, err := df.graphs[k.side].Lookup("replica:" + e.text)
		e.replicas = err == nil
	}
	if df.alone[k.Endpoint] {
		e.only = sides[k.side]
	}
	return e
}

// relation joins the ends that are in the same boxes.
func (df *differ) relation() *relation {
	ends := make([]end, len(df.keys))
	boxes := make([][]byte, len(df.keys)) // of each end, those that it is in
	for i, k := range df.keys {
		ends[i] = df.end(k)
	}
	for n, b := range df.boxes {
		for side, keys := range [...][]diffKey{b.from, b.to} {
			for _, k := range keys {
				i := df.numbers[k]
				boxes[i] = binary.AppendUvarint(boxes[i], uint64(2*n+side))
			}
		}
	}
	type atomKey struct {
		kind  Kind
		only  Side
		zone  int32
		boxes string
	}
	var atoms []atom
	index := make(map[atomKey]int32)
	of := make([]int32, len(ends))
	for i := range ends {
		e := &ends[i]
		zone := df.zones[e.namespace]*int32(len(sides)+1) + int32(slices.Index(sides[:], e.only)+1)
		k := atomKey{e.kind, e.only, zone, string(boxes[i])}
		n, ok := index[k]
		if !ok {
			n = int32(len(atoms))
			index[k] = n
			atoms = append(atoms, atom{kind: e.kind, zone: zone})
		}
		of[i] = n
		a := &atoms[n]
		a.members = append(a.members, int32(i))
		a.pairs = e.kind == Pods && !e.other && (a.pairs || e.replicas || len(a.members) > 1)
	}

	cells := make(map[[2]int32]value)
	for _, b := range df.boxes {
		if b.ownNode {
			continue
		}
		for _, from := range df.atomsOf(b.from, of) {
			for _, to := range df.atomsOf(b.to, of) {
				if from == to && !atoms[from].pairs || ends[atoms[from].members[0]].other && ends[atoms[to].members[0]].other {
					continue
				}
				p := [2]int32{from, to}
				cells[p] = cells[p].union(b.value)
			}
		}
	}
	pairs := slices.SortedFunc(maps.Keys(cells), comparePairs)
	rows, values := make([][]link, len(atoms)), newValues()
	for _, p := range pairs {
		rows[p[0]] = append(rows[p[0]], link{p[1], values.of(cells[p])})
	}
	return join(ends, atoms, rows, values)
}

// atomsOf returns the atoms of keys, each once, in the order of their first keys.
func (df *differ) atomsOf(keys []diffKey, of []int32) []int32 {
	var list []int32
	seen := make(map[int32]bool)
	for _, k := range keys {
		if n := of[df.numbers[k]]; !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	return list
}

// ownPairs returns the pairs of ends of which one is the node that the other runs on in
// one of the Graphs, with what changes for them. Other changes are not about them.
func (df *differ) ownPairs(r *relation) []ownPair {
	changed := make(map[[2]int32]value)
	for _, b := range df.boxes {
		if !b.ownNode {
			continue
		}
		for _, from := range b.from {
			for _, to := range b.to {
				p := [2]int32{df.numbers[from], df.numbers[to]}
				changed[p] = changed[p].union(b.value)
			}
		}
	}
	same := make(map[[2]int32]bool)
	for s, g := range df.graphs {
		if g == nil {
			continue
		}
		in := make(map[int32]reach.Endpoint)
		var ids []int32
		for i, k := range df.keys {
			i := int32(i)
			switch {
			case k.kind() == Outside || df.alone[k.Endpoint] && k.side != s:
				continue
			case k.side == s:
				in[i] = k.Endpoint
			default:
				in[i] = counterpart(k.Endpoint, df.graphs[k.side], g)
			}
			for n := len(ids) - 1; n >= 0 && df.keys[ids[n]].Name() == k.Name() && df.keys[ids[n]].kind() == k.kind(); n-- {
				if j := ids[n]; r.isAsked(i, j) && isSame(g, in[i], in[j]) {
					same[[2]int32{i, j}], same[[2]int32{j, i}] = true, true
				}
			}
			ids = append(ids, i)
		}
		for i, j := range r.neighbors(g, ids, func(i int32) reach.Endpoint { return in[i] }) {
			p := [2]int32{i, j}
			if _, ok := changed[p]; !ok {
				changed[p] = value{}
			}
		}
	}
	for p := range same {
		changed[p] = value{}
	}
	var list []ownPair
	for _, p := range slices.SortedFunc(maps.Keys(changed), comparePairs) {
		list = append(list, ownPair{p[0], p[1], r.values.of(changed[p]), r.between(p[0], p[1]), same[p]})
	}
	return list
}

func comparePairs(a, b [2]int32) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }
