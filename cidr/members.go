package cidr

import (
	"math/bits"
	"slices"
)

// members lists for each class the sets that hold it.
type members struct {
	sets int // how many there are

	// The list of a class. If it has one word for each 32 sets, it is a bitmap
	// of all sets. Else it is shorter, and holds the numbers of the sets,
	// ascending.
	lists []uint32

	// The list of class c begins where start says for c+1, and ends where the one
	// of the next class begins; that of class -1 is empty. As there can be more
	// than 2^32 words, but not in few classes, every perBase'th begins at a base and
	// those after it at an offset from there.
	bases   []int
	offsets []uint32
}

const perBase = 16

func (m *members) start(i int) int { return m.bases[i/perBase] + int(m.offsets[i]) }

// end makes the words of lists that are in no list yet that of a new class.
func (m *members) end() {
	if len(m.offsets)%perBase == 0 {
		m.bases = append(m.bases, len(m.lists))
	}
	m.offsets = append(m.offsets, uint32(len(m.lists)-m.bases[len(m.bases)-1]))
}

// trim frees memory that was reserved for more classes.
func (m *members) trim() {
	m.lists, m.bases, m.offsets = trim(m.lists), trim(m.bases), trim(m.offsets)
}

// trim returns a copy of s if much of its memory is not used.
func trim[E any](s []E) []E {
	if unused := cap(s) - len(s); unused > 100 && unused > len(s)/16 {
		return slices.Clone(s)
	}
	return s
}

// len returns the number of classes.
func (m *members) len() int { return len(m.offsets) - 2 }

// check panics if there is no class c and c is not -1.
func (m *members) check(c Class) { _, _ = m.offsets[c+1], m.offsets[c+2] }

// words returns the length of a bitmap.
func (m *members) words() int { return (m.sets + 31) / 32 }

// list returns the list of c, and whether it is a bitmap. The list of class -1
// has no members.
func (m *members) list(c Class) (list []uint32, bitmap bool) {
	list = m.lists[m.start(int(c)+1):m.start(int(c)+2)]
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

// each yields the sets that hold c, until yield returns false.
func (m *members) each(c Class, yield func(int) bool) {
	list, bitmap := m.list(c)
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

func hasBit(bitmap []uint32, i uint32) bool { return bitmap[i/32]>>(i%32)&1 != 0 }

// A grouping finds the classes while the sets that hold the current address
// come and go.
type grouping struct {
	members members
	classes []uint32 // of the intervals so far

	// The current sets, as a bitmap and as a list in no order. If the i'th set
	// is among them, it is list[place[i]].
	bitmap []uint32
	list   []uint32
	place  []uint32

	hash  func(set uint32) uint64
	sum   uint64   // of the hashes of the current sets, by XOR
	sums  []uint64 // of each class
	table []uint32 // a hash table of the classes, plus one, by sum; 0 is free
}

// newGrouping returns a grouping for at most so many intervals.
func newGrouping(sets, intervals int, hash func(uint32) uint64) grouping {
	g := grouping{members: members{sets: sets}, hash: hash}
	words := g.members.words()
	slots := 1 << bits.Len(uint(intervals+intervals/2)) // a third are free, or more
	buffer := make([]uint32, words+2*sets+intervals+slots)
	next := func(n int) []uint32 {
		part := buffer[:n:n]
		buffer = buffer[n:]
		return part
	}
	g.bitmap, g.list, g.place = next(words), next(sets)[:0], next(sets)
	g.classes, g.table = next(intervals)[:0], next(slots)
	g.sums = make([]uint64, 0, intervals)
	m := &g.members
	m.lists = make([]uint32, 0, intervals)
	m.offsets = make([]uint32, 0, intervals+2)
	m.bases = make([]int, 0, (intervals+2)/perBase+1)
	m.end() // the one of class -1
	m.end() // where that of class 0 begins
	return g
}

// sweep finds the classes of the intervals of a family by its borders, which
// are sorted. It returns one border for each interval but the first.
func (g *grouping) sweep(borders []border) []border {
	for len(g.list) > 0 { // what the family before left
		g.toggle(g.list[len(g.list)-1])
	}
	first := number{}
	if len(borders) == 0 || borders[0].at != first {
		g.classes = append(g.classes, g.class())
	}
	starts := borders[:0]
	for i := 0; i < len(borders); {
		at := borders[i].at
		for ; i < len(borders) && borders[i].at == at; i++ {
			g.toggle(borders[i].set)
		}
		g.classes = append(g.classes, g.class())
		if at != first {
			starts = append(starts, border{at: at})
		}
	}
	return starts
}

// toggle adds set to the current ones, or removes it if it is there.
func (g *grouping) toggle(set uint32) {
	g.sum ^= g.hash(set)
	if !hasBit(g.bitmap, set) {
		g.place[set] = uint32(len(g.list))
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
func (g *grouping) class() uint32 {
	mask := uint64(len(g.table) - 1)
	at := g.sum & mask
	for ; g.table[at] != 0; at = (at + 1) & mask {
		if c := g.table[at] - 1; g.is(c) {
			return c
		}
	}
	c := uint32(len(g.sums))
	g.table[at] = c + 1
	g.sums = append(g.sums, g.sum)
	m := &g.members
	if len(g.list) < m.words() {
		start := len(m.lists)
		m.lists = append(m.lists, g.list...)
		slices.Sort(m.lists[start:])
	} else {
		m.lists = append(m.lists, g.bitmap...)
	}
	m.end()
	return c
}

// is reports whether the current sets are those that hold c.
func (g *grouping) is(c uint32) bool {
	if g.sums[c] != g.sum {
		return false
	}
	list, bitmap := g.members.list(Class(c))
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
