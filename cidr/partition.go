package cidr

import (
	"fmt"
	"iter"
	"math/bits"
	"net/netip"
	"slices"
)

// A Partition sorts all addresses into classes: two addresses share a class
// exactly when every set given to [NewPartition] holds both or neither.
// It is immutable and safe for concurrent use.
type Partition struct {
	// The intervals of addresses that no set separates: the number of the first
	// address of each and its class. Those of IPv4 come first, then those of
	// IPv6, each ascending and beginning at the family's first address.
	// Neighbors of one family have different classes.
	starts  []number
	classes []int32
	ipv6    int // the first interval of IPv6

	// To find classes by number, with a root for each family.
	index          index
	rootV4, rootV6 int32

	// The intervals of class c are byClass[ends[c-1]:ends[c]], ascending.
	byClass []int32
	ends    []int32

	members members
}

// A Class is a class of a Partition, from 0 up to its Len. Classes are numbered
// in the order of their first addresses, IPv4 before IPv6.
type Class int

// NewPartition returns the partition that sets induce.
//
// If the sets have n runs of addresses in all, then there are at most 2n+2
// intervals of addresses that no set separates, and NewPartition takes time
// O(n log n) and, for each interval, the time to compare two lists of the sets
// that hold it. A list takes 4 bytes for each set in it, or one bit for each of
// all sets if that is less; one is kept for each class.
func NewPartition(sets ...Set) *Partition { return newPartition(sets, scramble) }

// newPartition is NewPartition with any hash function of set numbers, which
// bears on the speed only.
func newPartition(sets []Set, hash func(set uint32) uint64) *Partition {
	p := &Partition{}
	g := newGrouping(len(sets), hash)
	p.sweep(g, roots[0], sets)
	p.ipv6 = len(p.starts)
	p.sweep(g, roots[1], sets)
	p.rootV4 = p.addRoot(0, p.ipv6)
	p.rootV6 = p.addRoot(p.ipv6, len(p.starts))
	p.members = g.members
	p.sortByClass()
	return p
}

// addRoot adds a node for the intervals of a family to the index.
func (p *Partition) addRoot(from, to int) int32 {
	return p.index.addNode(p.starts[from+1:to], p.classes[from+1:to], p.classes[from])
}

// A border is the first number of a run of the given set, or the first one
// after such a run.
type border struct {
	at  number
	set uint32
}

// sweep appends the intervals of the family that has the given root.
func (p *Partition) sweep(g *grouping, root netip.Prefix, sets []Set) {
	all, _ := runOf(root)
	var borders []border
	for i, s := range sets {
		for _, r := range within(s.runs, all) {
			borders = append(borders, border{numberOf(r.first), uint32(i)})
			if r.last != all.last {
				borders = append(borders, border{numberOf(next(r.last)), uint32(i)})
			}
		}
	}
	slices.SortFunc(borders, func(a, b border) int { return a.at.compare(b.at) })

	g.clear()
	for at := numberOf(all.first); ; at = borders[0].at {
		for len(borders) > 0 && borders[0].at == at {
			g.toggle(borders[0].set)
			borders = borders[1:]
		}
		p.starts = append(p.starts, at)
		p.classes = append(p.classes, int32(g.class()))
		if len(borders) == 0 {
			return
		}
	}
}

// sortByClass fills in byClass and ends by counting.
func (p *Partition) sortByClass() {
	at := make([]int32, p.Len()+1)
	for _, c := range p.classes {
		at[c+1]++
	}
	for c := range p.Len() {
		at[c+1] += at[c]
	}
	p.byClass = make([]int32, len(p.classes))
	for i, c := range p.classes {
		p.byClass[at[c]] = int32(i)
		at[c]++
	}
	p.ends = at[:p.Len()]
}

// Len returns the number of classes. There is at least one.
func (p *Partition) Len() int { return len(p.members.ends) }

// Class returns the class of a, or -1 if a has a zone or is the zero Addr.
// It does not allocate.
func (p *Partition) Class(a netip.Addr) Class {
	if !a.IsValid() || a.Zone() != "" {
		return -1
	}
	k := numberOf(a)
	root := p.rootV6
	if k.isMapped() {
		root = p.rootV4
	}
	return Class(p.index.find(root, k))
}

// In reports whether the addresses of c are in the i'th set. It is false for
// class -1. It panics if c is no other class of p, or if there is no i'th set.
func (p *Partition) In(c Class, i int) bool {
	if i < 0 || i >= p.members.sets {
		panic(fmt.Sprintf("cidr: no set %d among %d", i, p.members.sets))
	}
	return c != -1 && p.members.has(c, uint32(i))
}

// Sets returns the indices of the sets that hold the addresses of c, ascending.
// There are none for class -1. It panics if c is no other class of p.
func (p *Partition) Sets(c Class) iter.Seq[int] {
	if c == -1 {
		return func(func(int) bool) {}
	}
	return p.members.all(c)
}

// Addrs returns the addresses of c, in time linear in the number of their runs.
// There are none for class -1. It panics if c is no other class of p.
func (p *Partition) Addrs(c Class) Set {
	if c == -1 {
		return Set{}
	}
	from := int32(0)
	if c > 0 {
		from = p.ends[c-1]
	}
	intervals := p.byClass[from:p.ends[c]]
	runs := make([]run, len(intervals))
	for k, i := range intervals {
		runs[k] = p.interval(int(i))
	}
	return Set{runs}
}

// interval returns the addresses of the i'th interval.
func (p *Partition) interval(i int) run {
	root, end := roots[0], p.ipv6
	if i >= p.ipv6 {
		root, end = roots[1], len(p.starts)
	}
	r := run{p.starts[i].addr().Unmap(), lastAddr(root)}
	if i+1 < end {
		r.last = prev(p.starts[i+1].addr().Unmap())
	}
	return r
}

// members lists for each class the sets that hold it.
type members struct {
	sets int // how many there are

	// The list of class c is lists[ends[c-1]:ends[c]]. If it has one word for
	// each 32 sets, it is a bitmap of all sets. Else it is shorter, and holds
	// the numbers of the sets, ascending.
	lists []uint32
	ends  []int
}

// words returns the length of a bitmap.
func (m *members) words() int { return (m.sets + 31) / 32 }

// list returns the list of c, and whether it is a bitmap.
func (m *members) list(c Class) (list []uint32, bitmap bool) {
	from := 0
	if c > 0 {
		from = m.ends[c-1]
	}
	list = m.lists[from:m.ends[c]]
	return list, len(list) == m.words()
}

func (m *members) has(c Class, set uint32) bool {
	list, bitmap := m.list(c)
	if bitmap {
		return hasBit(list, set)
	}
	_, found := slices.BinarySearch(list, set)
	return found
}

func (m *members) all(c Class) iter.Seq[int] {
	list, bitmap := m.list(c)
	return func(yield func(int) bool) {
		if !bitmap {
			for _, set := range list {
				if !yield(int(set)) {
					return
				}
			}
			return
		}
		for i, word := range list {
			for ; word != 0; word &= word - 1 {
				if !yield(32*i + bits.TrailingZeros32(word)) {
					return
				}
			}
		}
	}
}

func hasBit(bitmap []uint32, i uint32) bool { return bitmap[i/32]>>(i%32)&1 != 0 }

// A grouping finds the classes while the sets that hold the current address
// come and go.
type grouping struct {
	members members

	// The current sets, as a bitmap and as a list in no order. If the i'th set
	// is among them, it is list[place[i]].
	bitmap []uint32
	list   []uint32
	place  []int32

	hash   func(set uint32) uint64
	sum    uint64           // of the hashes of the current sets, by XOR
	bySum  map[uint64]Class // the latest class with that sum
	before []Class          // of each class, the one before it with its sum, or -1
}

func newGrouping(sets int, hash func(uint32) uint64) *grouping {
	g := &grouping{members: members{sets: sets}, hash: hash, bySum: map[uint64]Class{}}
	g.bitmap = make([]uint32, g.members.words())
	g.place = make([]int32, sets)
	return g
}

// clear removes all current sets.
func (g *grouping) clear() {
	for len(g.list) > 0 {
		g.toggle(g.list[len(g.list)-1])
	}
}

// toggle adds set to the current ones, or removes it if it is there.
func (g *grouping) toggle(set uint32) {
	g.sum ^= g.hash(set)
	if !hasBit(g.bitmap, set) {
		g.place[set] = int32(len(g.list))
		g.list = append(g.list, set)
	} else {
		end := len(g.list) - 1
		moved := g.list[end]
		g.list[g.place[set]], g.place[moved] = moved, g.place[set]
		g.list = g.list[:end]
	}
	g.bitmap[set/32] ^= 1 << (set % 32)
}

// class returns the class that the current sets hold, a new one if need be.
func (g *grouping) class() Class {
	latest, found := g.bySum[g.sum]
	if !found {
		latest = -1
	}
	for c := latest; c != -1; c = g.before[c] {
		if g.isClass(c) {
			return c
		}
	}
	m := &g.members
	c := Class(len(m.ends))
	if len(g.list) < m.words() {
		start := len(m.lists)
		m.lists = append(m.lists, g.list...)
		slices.Sort(m.lists[start:])
	} else {
		m.lists = append(m.lists, g.bitmap...)
	}
	m.ends = append(m.ends, len(m.lists))
	g.before = append(g.before, latest)
	g.bySum[g.sum] = c
	return c
}

// isClass reports whether the current sets are those that hold c.
func (g *grouping) isClass(c Class) bool {
	list, bitmap := g.members.list(c)
	if bitmap {
		return slices.Equal(list, g.bitmap)
	}
	return len(list) == len(g.list) && !slices.ContainsFunc(list, func(set uint32) bool { return !hasBit(g.bitmap, set) })
}

// scramble is the finalizer of SplitMix64: it makes sums of different sets of
// numbers differ in practice.
func scramble(set uint32) uint64 {
	x := (uint64(set) + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
