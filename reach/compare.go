package reach

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
)

// A Diff is what two Graphs answer differently. The zero Diff is empty.
type Diff struct {
	Before, After *Graph

	// Opened are the flows that only After allows, Closed those that only Before
	// does, in the order of their first ends. A flow is in one Change, and two
	// changes of one list that have the same ports and families differ in both
	// ends.
	Opened, Closed []Change

	// Added are those of the Pods and Nodes of After that Before does not have,
	// and Removed the reverse. Their flows are among Opened and Closed.
	Added, Removed []Endpoint
}

// Compare returns what two Graphs answer differently, of whatever clusters and
// Profiles. A pod, workload or node is the same in both if its kind, namespace and
// name are, and an address outside the cluster is itself; one that is outside in one
// Graph only is not compared. A Graph allows no flow of an endpoint that it does not
// have. Pods and nodes with several addresses in both are compared at each of these
// besides, if policies tell that apart.
//
// Flows are compared over each address family. [Equivalent] and [Graph.Contains]
// answer whether anything differs at all, which takes less.
//
// The cost is that of ClassEdges for both Graphs and both families, and of the pairs
// of classes that differ. If one Graph comes from the other by [Graph.With], and
// neither pods nor nodes have come or gone, only the pods that it changes are looked
// at.
func Compare(before, after *Graph) *Diff {
	p := newPairing(before, after, false)
	d := &Diff{Before: before, After: after}
	d.Removed, d.Added = p.unpaired(0), p.unpaired(1)
	b := newChanges(p)
	for c := range p.cells() {
		b.add(c)
	}
	d.Closed, d.Opened = b.changes(0), b.changes(1)
	return d
}

// IsEmpty reports whether the two Graphs answer all flows alike and have the same
// endpoints.
func (d *Diff) IsEmpty() bool {
	return len(d.Opened)+len(d.Closed)+len(d.Added)+len(d.Removed) == 0
}

// String returns all changes, one a line.
func (d *Diff) String() string {
	var lines []string
	for _, list := range [...]struct {
		what string
		ends []Endpoint
	}{{"removed", d.Removed}, {"added", d.Added}} {
		for _, e := range list.ends {
			lines = append(lines, list.what+" "+e.g.fullName(e.id))
		}
	}
	for _, c := range slices.Concat(d.Opened, d.Closed) {
		lines = append(lines, c.String())
	}
	if len(lines) == 0 {
		return "no difference"
	}
	return strings.Join(lines, "\n")
}

// A Change is flows that one of two Graphs allows and the other does not: from each
// of From to each other of To, on each of Ports. A workload to itself means two of
// its pods. Flows between a pod and the node that it runs on, in either of the
// Graphs, belong to it only if OwnNode is set; then there are no others.
// The zero Change has no flow.
type Change struct {
	Opened   bool // the second Graph allows them, else the first
	From, To Ends
	Ports    policy.PortSet
	Family   Family // AnyFamily: over each family that the ends share in the Graph that allows them
	OwnNode  bool
}

// IsZero reports whether c is the zero Change.
func (c Change) IsZero() bool { return c.From.p == nil }

// Flow returns one of the flows, as an example, in the Graph that allows it. An end
// outside the cluster stands there for addresses of which the first of
// [Ends.Outside] is one. The zero Change has the zero Flow.
func (c Change) Flow() Flow {
	if c.IsZero() {
		return Flow{}
	}
	p, s := c.From.p, c.From.side
	var x, y int32
	if c.OwnNode {
		x, y = c.From.classes[0], c.To.classes[0]
	} else {
		x, y, _ = p.pair(c.From.classes, c.To.classes)
	}
	f := Flow{From: p.endpoint(s, x), To: p.endpoint(s, y), Family: c.Family}
	if x == y {
		f.To, _ = p.graphs[s].replica(f.From)
	}
	for r := range c.Ports.Ranges() {
		f.Port = policy.Port{Protocol: r.Protocol, Number: r.First}
		if !r.Protocol.HasPorts() {
			f.Port.Protocol = policy.ICMP
		}
		break
	}
	return f
}

// String returns the change in one line:
// "opened shop/web -> shop/db 5432/TCP".
func (c Change) String() string {
	if c.IsZero() {
		return "no change"
	}
	verb := "closed"
	if c.Opened {
		verb = "opened"
	}
	s := fmt.Sprintf("%s %v -> %v %v", verb, c.From, c.To, c.Ports)
	if c.Family != AnyFamily {
		s += " over " + c.Family.String()
	}
	if c.OwnNode {
		s += ", on one node"
	}
	return s
}

// GoString returns String, to keep the logs of property tests readable.
func (c Change) GoString() string { return c.String() }

// Ends are endpoints of one of two Graphs, the one that allows the flows of a
// Change. The zero Ends is empty.
type Ends struct {
	p       *pairing
	side    int
	classes []int32 // of p, or things if one of them is alone
	alone   bool
}

// Len returns how many pods, workloads and nodes there are in e.
func (e Ends) Len() int {
	n := 0
	for range e.things() {
		n++
	}
	return n
}

// Members returns the pods, workloads and nodes in e, in the order of Pods and Nodes.
// One that is in e as it is reached at one of its addresses comes after them.
func (e Ends) Members() iter.Seq[Endpoint] {
	return func(yield func(Endpoint) bool) {
		for _, t := range e.sorted() {
			if !yield(e.p.endpoint(e.side, t)) {
				return
			}
		}
	}
}

// Outside returns the addresses outside the cluster that are in e.
func (e Ends) Outside() cidr.Set {
	var prefixes []netip.Prefix
	for _, c := range e.classes {
		for _, t := range e.members(c) {
			if set := e.p.outside(t); !set.IsEmpty() {
				prefixes = slices.AppendSeq(prefixes, set.Prefixes())
			}
		}
	}
	return cidr.Of(prefixes...)
}

func (e Ends) members(c int32) []int32 {
	if e.alone {
		return []int32{c}
	}
	return e.p.classes[c].members
}

// things yields what is in e but addresses outside.
func (e Ends) things() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for _, c := range e.classes {
			for _, t := range e.members(c) {
				if t < e.p.firstOutside && !yield(t) {
					return
				}
			}
		}
	}
}

func (e Ends) sorted() []int32 {
	list := slices.Collect(e.things())
	slices.Sort(list)
	return list
}

// String names the members: those of a whole namespace as "pods in shop", all nodes
// as "nodes", all addresses outside as "outside", and of many others the first.
func (e Ends) String() string {
	if e.p == nil {
		return "nothing"
	}
	const most = 5
	var names []string // no more than may be needed
	n := 0
	add := func(name func() string) {
		if n++; n <= most+1 {
			names = append(names, name())
		}
	}
	list := e.sorted()
	for len(list) > 0 {
		part, whole := e.p.together(e.side, list)
		if whole != "" {
			add(func() string { return whole })
		} else {
			for _, t := range list[:part] {
				add(func() string { return e.p.name(e.side, t) })
			}
		}
		list = list[part:]
	}
	if n > most+1 {
		names = append(names[:most], fmt.Sprintf("%d more", n-most))
	}
	if set := e.Outside(); !set.IsEmpty() {
		names = append(names, e.p.outsideName(e.side, set))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return names[0]
}

// GoString returns String, to keep the logs of property tests readable.
func (e Ends) GoString() string { return e.String() }

// name returns the name of a thing on a side, with its kind if the other side has
// something else of that name.
func (p *pairing) name(side int, t int32) string {
	g, id := p.graphs[side], p.ids[t][side]
	if p.ids[t][1-side] < 0 && len(p.graphs[1-side].named(g.objectName(id), "")) > 0 {
		return g.fullName(id)
	}
	return g.nameOf(id)
}

// together returns how many of the first of list are pods of one namespace, or nodes,
// and what to call them if these are all that there are, and several.
func (p *pairing) together(side int, list []int32) (n int, whole string) {
	kind := func(t int32) string {
		e := p.endpoint(side, t)
		switch k, _ := e.g.kind(e.id); k {
		case podEnd:
			return "pods in " + e.Name().Namespace
		case nodeEnd:
			return "nodes"
		}
		return ""
	}
	first := kind(list[0])
	for n = 1; n < len(list) && kind(list[n]) == first; n++ {
	}
	if first == "" || n == 1 {
		return n, ""
	}
	if next := list[n-1] + 1; next < p.firstOutside && p.ids[next][side] >= 0 && kind(next) == first {
		return n, ""
	}
	if t := list[0] - 1; t >= 0 && p.ids[t][side] >= 0 && kind(t) == first {
		return n, ""
	}
	if int(list[n-1]-list[0]) != n-1 {
		for t := list[0]; t < list[n-1]; t++ {
			if _, in := slices.BinarySearch(list[:n], t); !in && p.ids[t][side] >= 0 {
				return n, ""
			}
		}
	}
	return n, first
}

// outsideName returns the shortest name of addresses outside the cluster.
func (p *pairing) outsideName(side int, set cidr.Set) string {
	all := p.allOutside()
	switch {
	case set.Equal(all[0].Union(all[1])):
		return "outside"
	case set.Equal(all[0]):
		return "outside over IPv4"
	case set.Equal(all[1]):
		return "outside over IPv6"
	}
	const most = 70 // bytes, about
	text := set.String()
	if len(text) <= most {
		return text
	}
	cut := max(strings.LastIndex(text[:most], ", "), strings.LastIndex(text[:most], " and "), strings.LastIndex(text[:most], " except "))
	return text[:cut] + " ..."
}

// findAllOutside returns all addresses outside the cluster, by family.
func (p *pairing) findAllOutside() (all [2]cidr.Set) {
	var prefixes [2][]netip.Prefix
	for _, s := range p.addrs {
		f := familyOf(s.First()).index()
		prefixes[f] = slices.AppendSeq(prefixes[f], s.Prefixes())
	}
	for f := range all {
		all[f] = cidr.Of(prefixes[f]...)
	}
	return all
}

// changes collects what differs between two Graphs into few rows.
type changes struct {
	p    *pairing
	rows [2]map[string]*changeRow // by side and what they are to, on which ports, over which family
	keys [2][]string
	near [2][]*changeRow // between pods and their own nodes; they hold things
	list [2][]entry      // of class from
	from int32
	key  []byte
}

// A changeRow is the flows from some classes, or the like.
type changeRow struct {
	from, to []int32
	ports    int32
	family   Family
}

// An entry is the flows from one class to another that one side alone allows.
type entry struct {
	to, ports int32
	family    Family
}

func newChanges(p *pairing) *changes {
	b := &changes{p: p, from: -1}
	for s := range b.rows {
		b.rows[s] = make(map[string]*changeRow)
	}
	return b
}

// add adds a cell. Those from one class come together.
func (b *changes) add(c cell) {
	if c.near {
		for s := range b.near {
			for _, x := range b.p.only(c, s) {
				b.near[s] = append(b.near[s], &changeRow{[]int32{c.from}, []int32{c.to}, x.ports, x.family})
			}
		}
		return
	}
	if c.from != b.from {
		b.flush()
		b.from = c.from
	}
	for s := range b.list {
		b.list[s] = append(b.list[s], b.p.only(c, s)...)
	}
}

// flush makes rows of the entries from one class.
func (b *changes) flush() {
	for s, list := range b.list {
		b.list[s] = list[:0]
		slices.SortStableFunc(list, func(x, y entry) int {
			return cmp.Or(cmp.Compare(x.ports, y.ports), cmp.Compare(x.family, y.family), cmp.Compare(x.to, y.to))
		})
		for len(list) > 0 {
			n := 1
			for n < len(list) && list[n].ports == list[0].ports && list[n].family == list[0].family {
				n++
			}
			b.key = appendInts(b.key[:0], list[0].ports, int32(list[0].family))
			for _, x := range list[:n] {
				b.key = appendInts(b.key, x.to)
			}
			r := b.rows[s][string(b.key)]
			if r == nil {
				r = &changeRow{ports: list[0].ports, family: list[0].family}
				for _, x := range list[:n] {
					r.to = append(r.to, x.to)
				}
				key := string(b.key)
				b.rows[s][key] = r
				b.keys[s] = append(b.keys[s], key)
			}
			r.from = append(r.from, b.from)
			list = list[n:]
		}
	}
}

// changes returns the rows of a side.
func (b *changes) changes(side int) []Change {
	b.flush()
	b.from = -1
	var rows []*changeRow
	for _, key := range b.keys[side] {
		rows = append(rows, b.rows[side][key])
	}
	for {
		n := len(rows)
		rows = slices.DeleteFunc(rows, func(r *changeRow) bool { return !b.trim(r) })
		rows = joinBoth(rows)
		if len(rows) == n {
			break
		}
	}
	var list []Change
	add := func(rows []*changeRow, isNear bool) {
		for _, r := range rows {
			list = append(list, Change{
				Opened: side == 1, OwnNode: isNear, Ports: b.p.sets.sets[r.ports], Family: r.family,
				From: Ends{b.p, side, r.from, isNear}, To: Ends{b.p, side, r.to, isNear},
			})
		}
	}
	add(rows, false)
	near := joinBoth(b.near[side])
	for n := len(near) + 1; len(near) < n; near = joinBoth(near) {
		n = len(near)
	}
	add(near, true)
	sortChanges(list)
	return list
}

// sortChanges sorts by the first things at both ends, which it looks for once: each row
// may have thousands of classes.
func sortChanges(list []Change) {
	type place struct {
		from, to int32
		ports    string
		change   Change
	}
	first := func(e Ends) int32 {
		n := int32(len(e.p.ids))
		for _, c := range e.classes {
			n = min(n, e.members(c)[0])
		}
		return n
	}
	places := make([]place, len(list))
	for i, c := range list {
		places[i] = place{first(c.From), first(c.To), c.Ports.String(), c}
	}
	slices.SortStableFunc(places, func(x, y place) int {
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(x.to, y.to), cmp.Compare(x.change.Family, y.change.Family), cmp.Compare(x.ports, y.ports))
	})
	for i := range places {
		list[i] = places[i].change
	}
}

// trim takes those classes out of a row between which and all of the other end there
// is no pair. It reports false if nothing is left.
func (b *changes) trim(r *changeRow) bool {
	r.from = slices.DeleteFunc(r.from, func(c int32) bool {
		_, _, ok := b.p.pair([]int32{c}, r.to)
		return !ok
	})
	r.to = slices.DeleteFunc(r.to, func(c int32) bool {
		_, _, ok := b.p.pair(r.from, []int32{c})
		return !ok
	})
	return len(r.from) > 0
}

// joinBoth joins rows that are the same at their first end, and then those that are at
// the other.
func joinBoth(rows []*changeRow) []*changeRow {
	rows = join(rows, func(r *changeRow) (same, other *[]int32) { return &r.from, &r.to })
	return join(rows, func(r *changeRow) (same, other *[]int32) { return &r.to, &r.from })
}

// join joins rows that are the same at one end.
func join(rows []*changeRow, ends func(*changeRow) (same, other *[]int32)) []*changeRow {
	known := make(map[string]*changeRow)
	var key []byte
	var joined []*changeRow
	for _, r := range rows {
		same, other := ends(r)
		key = appendInts(appendInts(key[:0], r.ports, int32(r.family)), *same...)
		first := known[string(key)]
		if first == nil {
			known[string(key)] = r
			joined = append(joined, r)
			continue
		}
		_, to := ends(first)
		*to = append(*to, *other...)
		slices.Sort(*to)
	}
	return joined
}
