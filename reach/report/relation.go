package report

import (
	"cmp"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// A relation is who reaches whom, or what changes in that, by sets of ends that have the
// same values to and from everything.
type relation struct {
	ends   []end
	sets   []set
	rows   [][]link // by set, the values of its members to those of others, ascending
	values *values

	names   []string // of all pods there are, as namespace/name, ascending
	outside cidr.Set // all there is, as ends have it
}

// An end is an endpoint that is shown.
type end struct {
	reach.Endpoint
	text      string
	kind      Kind
	namespace string
	only      Side
	addrs     cidr.Set // outside, also those of the cluster that no policy tells apart from them; they would leave holes
	other     bool     // nothing is said about pairs of others
	replicas  bool     // it is a workload, which stands for several pods
	set       int32    // the one that it is in
}

// A set is ends that have the same values to and from everything, and among themselves.
type set struct {
	members []int32
	among   int32 // the value of two different members, and of two pods of a workload
}

// A link is the value of pairs of which the first is known.
type link struct{ to, value int32 }

// A value is the ports of a pair of ends.
type value struct {
	ports, closed policy.PortSet
	oneFamily     bool
}

func (v value) isZero() bool { return v.ports.IsEmpty() && v.closed.IsEmpty() }

func (v value) equal(w value) bool {
	return v.oneFamily == w.oneFamily && v.ports.Equal(w.ports) && v.closed.Equal(w.closed)
}

// union returns all that is in v or w.
func (v value) union(w value) value {
	return value{unionOf(v.ports, w.ports), unionOf(v.closed, w.closed), v.oneFamily || w.oneFamily}
}

// values numbers values. Number 0 is that without ports.
type values struct {
	list   []value
	byHash map[uint64][]int32
}

func newValues() *values { return &values{list: make([]value, 1), byHash: make(map[uint64][]int32)} }

func (vs *values) clone() *values {
	c := newValues()
	for _, v := range vs.list[1:] {
		c.of(v)
	}
	return c
}

// of returns the number of v.
func (vs *values) of(v value) int32 {
	if v.isZero() {
		return 0
	}
	h := hashPorts(hashPorts(0, v.ports), v.closed)
	for _, n := range vs.byHash[h] {
		if vs.list[n].equal(v) {
			return n
		}
	}
	n := int32(len(vs.list))
	vs.list = append(vs.list, v)
	vs.byHash[h] = append(vs.byHash[h], n)
	return n
}

func hashPorts(h uint64, s policy.PortSet) uint64 {
	h = mix(h + 1)
	for r := range s.Ranges() {
		h = mix(h ^ uint64(r.Protocol)<<32 ^ uint64(r.First)<<16 ^ uint64(r.Last))
	}
	return h
}

// mix spreads what differs in x over all bits.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// An atom is endpoints that are known to be alike, before those that turn out to be
// are joined.
type atom struct {
	kind    Kind
	zone    int32 // atoms of different zones are never joined
	members []int32
	pairs   bool // there are two different members, or a workload
}

// join returns the relation of atoms, ascending by their first members, of which the
// row of each holds the others that it reaches and itself, ascending.
//
// Two atoms are joined if all others have the same values to and from both, and all
// pairs within both together have one value. That is an equivalence: from the values
// of the pairs between them follows that of three in a row all have the same one.
func join(ends []end, atoms []atom, rows [][]link, vs *values) *relation {
	columns := transpose(rows)
	of := twins(atoms, rows, columns)
	r := &relation{ends: ends, values: vs}
	first := make([]int, len(atoms)) // of each set, its first atom
	number := make([]int32, len(atoms))
	for i := range atoms {
		if of[i] == i {
			number[i] = int32(len(r.sets))
			first[len(r.sets)] = i
			r.sets = append(r.sets, set{})
		}
		n := number[of[i]]
		k := &r.sets[n]
		k.members = append(k.members, atoms[i].members...)
		if of[i] != i {
			k.among = at(rows[of[i]], int32(i)) // the same for all pairs
		} else if atoms[i].pairs {
			k.among = at(rows[i], int32(i))
		}
	}
	r.rows = make([][]link, len(r.sets))
	seen := make([]int, len(r.sets)) // the row that has it already, from 1
	for n := range r.sets {
		k := &r.sets[n]
		slices.Sort(k.members)
		for _, m := range k.members {
			r.ends[m].set = int32(n)
		}
		seen[n] = n + 1
		for _, l := range rows[first[n]] {
			to := number[of[l.to]]
			if seen[to] != n+1 {
				seen[to] = n + 1
				r.rows[n] = append(r.rows[n], link{to, l.value})
			}
		}
		slices.SortFunc(r.rows[n], func(a, b link) int { return cmp.Compare(a.to, b.to) })
	}
	return r
}

// at returns the value of a row for one end, or 0.
func at(row []link, to int32) int32 {
	if i, ok := slices.BinarySearchFunc(row, to, func(l link, to int32) int { return cmp.Compare(l.to, to) }); ok {
		return row[i].value
	}
	return 0
}

func transpose(rows [][]link) [][]link {
	columns := make([][]link, len(rows))
	for from, row := range rows {
		for _, l := range row {
			columns[l.to] = append(columns[l.to], link{int32(from), l.value})
		}
	}
	return columns
}

// twins returns for each atom the first one that it is joined with, which may be
// itself.
func twins(atoms []atom, rows, columns [][]link) []int {
	// Two atoms with the value v between them are twins if their rows are equal once
	// each has itself in it with v, and so are their columns.
	type key struct {
		kind    Kind
		zone    int32
		value   int32
		out, in uint64
	}
	of := make([]int, len(atoms))
	firsts := make(map[key][]int) // atoms that are not twins of one before
	for i := range atoms {
		a := &atoms[i]
		of[i] = i
		out, in := hashRow(rows[i], int32(i)), hashRow(columns[i], int32(i))
		var keys []key
		for _, v := range among(a, atoms, rows[i], int32(i)) {
			k := key{a.kind, a.zone, v, out, in}
			if v != 0 {
				self := hashLink(link{int32(i), v})
				k.out, k.in = out+self, in+self
			}
			keys = append(keys, k)
			for _, j := range firsts[k] {
				if equalWith(rows[i], rows[j], int32(i), int32(j), v) && equalWith(columns[i], columns[j], int32(i), int32(j), v) {
					of[i] = j
				}
			}
		}
		if of[i] == i {
			for _, k := range keys {
				firsts[k] = append(firsts[k], i)
			}
		}
	}
	return of
}

// among returns the values that a pair of an atom and a twin of it could have.
func among(a *atom, atoms []atom, row []link, self int32) []int32 {
	if a.pairs {
		return []int32{at(row, self)}
	}
	list := []int32{0}
	for _, l := range row {
		if b := &atoms[l.to]; b.kind == a.kind && b.zone == a.zone && !slices.Contains(list, l.value) {
			list = append(list, l.value)
		}
	}
	return list
}

// hashRow returns a number that is the same for equal rows. It leaves out self.
func hashRow(row []link, self int32) uint64 {
	var h uint64
	for _, l := range row {
		if l.to != self {
			h += hashLink(l)
		}
	}
	return h
}

func hashLink(l link) uint64 { return mix(uint64(l.to)<<32 ^ uint64(l.value)) }

// equalWith reports whether the row of a and that of b are equal once both have the
// value v for a and for b.
func equalWith(rowA, rowB []link, a, b, v int32) bool {
	if at(rowA, b) != v || at(rowB, a) != v {
		return false
	}
	skip := func(row []link) []link {
		for len(row) > 0 && (row[0].to == a || row[0].to == b) {
			row = row[1:]
		}
		return row
	}
	for rowA, rowB = skip(rowA), skip(rowB); len(rowA) > 0 && len(rowB) > 0; rowA, rowB = skip(rowA[1:]), skip(rowB[1:]) {
		if rowA[0] != rowB[0] {
			return false
		}
	}
	return len(rowA) == 0 && len(rowB) == 0
}
