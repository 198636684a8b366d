package cidr

import (
	"cmp"
	"encoding/binary"
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
	// The intervals of addresses that no set separates, those of IPv4 before
	// those of IPv6, each ascending. They are numbered through. Neighbors of one
	// family have different classes.
	index index

	byClass byClass
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
	v4, v6 := bordersOf(sets)
	sortBorders(v4)
	sortBorders(v6)
	g := newGrouping(len(sets), starts(v4)+starts(v6)+2, hash)
	v4 = g.sweep(v4)
	v6 = g.sweep(v6)
	g.members.trim()
	return &Partition{
		index:   newIndex(v4, v6, g.classes),
		byClass: newByClass(g.classes, g.members.len()),
		members: g.members,
	}
}

// Len returns the number of classes. There is at least one.
func (p *Partition) Len() int { return p.members.len() }

// Class returns the class of a, or -1 if a has a zone or is the zero Addr.
// It does not allocate.
func (p *Partition) Class(a netip.Addr) Class {
	// The bytes of As16 are copied before they can be read as words, for which a
	// processor waits. Those of AsSlice, which stay on the stack, are not.
	switch b := a.AsSlice(); len(b) {
	case 4:
		return Class(p.index.find4(binary.BigEndian.Uint32(b)))
	case 16:
		if a.Zone() != "" {
			return -1
		}
		k := number{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
		if k.isMapped() {
			return Class(p.index.find4(uint32(k.lo)))
		}
		return Class(p.index.find6(k))
	}
	return -1
}

// In reports whether the addresses of c are in the i'th set. It is false for
// class -1. It panics if c is no other class of p, or if there is no i'th set.
func (p *Partition) In(c Class, i int) bool {
	if i < 0 || i >= p.members.sets {
		panic(fmt.Sprintf("cidr: no set %d among %d", i, p.members.sets))
	}
	return p.members.has(c, uint32(i))
}

// Sets returns the indices of the sets that hold the addresses of c, ascending.
// There are none for class -1. It panics if c is no other class of p.
// A loop over them does not allocate.
func (p *Partition) Sets(c Class) iter.Seq[int] {
	p.members.check(c)
	return func(yield func(int) bool) { p.members.each(c, yield) }
}

// Addrs returns the addresses of c, in time linear in the number of their runs,
// and logarithmic in that of all intervals. There are none for class -1. It
// panics if c is no other class of p.
func (p *Partition) Addrs(c Class) Set {
	p.members.check(c)
	if c == -1 {
		return Set{}
	}
	runs := []run{p.index.interval(p.byClass.first(c))}
	again := p.byClass.again
	next, _ := slices.BinarySearchFunc(again, c, func(i uint32, c Class) int {
		return cmp.Compare(Class(p.index.classOf(i)), c)
	})
	for _, i := range again[next:] {
		if Class(p.index.classOf(i)) != c {
			break
		}
		runs = append(runs, p.index.interval(i))
	}
	return Set{runs}
}

// A byClass finds the intervals of a class. Most classes have only one, and as
// they are numbered by it, a bit for each interval tells which is the first one
// of which class.
type byClass struct {
	firsts []firsts
	again  []uint32 // the other intervals, by class and ascending
}

// A firsts tells which of 64 neighboring intervals are the first of a class.
type firsts struct {
	bits   uint64
	before uint32 // how many classes begin before these intervals
}

// newByClass returns the intervals of each of n classes by the classes of the
// intervals.
func newByClass(classes []uint32, n int) byClass {
	b := byClass{make([]firsts, (len(classes)+63)/64), make([]uint32, len(classes)-n)}
	at := make([]uint32, n) // where in again the intervals of each class go
	seen := uint32(0)
	for i, c := range classes {
		f := &b.firsts[i/64]
		if i%64 == 0 {
			f.before = seen
		}
		if c == seen {
			f.bits |= 1 << (i % 64)
			seen++
		} else {
			at[c]++
		}
	}
	sum := uint32(0)
	for c, count := range at {
		at[c] = sum
		sum += count
	}
	for i, c := range classes {
		if b.firsts[i/64].bits>>(i%64)&1 == 0 {
			b.again[at[c]] = uint32(i)
			at[c]++
		}
	}
	return b
}

// first returns the first interval of c.
func (b *byClass) first(c Class) uint32 {
	// The last intervals that do not begin behind c.
	i, _ := slices.BinarySearchFunc(b.firsts, c, func(f firsts, c Class) int {
		if Class(f.before) <= c {
			return -1
		}
		return 1
	})
	f := b.firsts[i-1]
	for range int(c) - int(f.before) {
		f.bits &= f.bits - 1
	}
	return uint32(64*(i-1) + bits.TrailingZeros64(f.bits))
}
