package cidr

import "math/bits"

// An index finds the class of a number. It is a tree of nodes that spread the
// starts of intervals over slots by their leading bits. What a node cannot tell
// apart it leaves to a node for one of its slots. A node begins at its first
// start and not at a power of two, so that numbers that begin alike, as those
// of a cluster do, need few nodes.
type index struct {
	nodes   []node
	entries []entry
}

// A node tells apart some neighboring intervals.
type node struct {
	base, span   number // the first start, and how far the last one is from it
	below, above int32  // the classes before the first start and from the last one
	scale        scale
	slots        []slot
}

// A scale turns a distance from the base of a node into a slot and, as the last
// 32 bits, a place in that slot: distance << left >> right. One of the two
// shifts is 0.
type scale struct{ left, right uint }

// of returns the slot and the place for distance d, which is within the span.
func (s scale) of(d number) (slot uint64, place uint32) {
	// A shift by 64 or more gives 0, and so does one that is negative, as it
	// wraps around. So the terms with hi are for shifts up to 64 and from 64.
	scaled := (d.lo>>s.right | d.hi<<(64-s.right) | d.hi>>(s.right-64)) << s.left
	return scaled >> 32, uint32(scaled)
}

// exact reports whether no other distance has the slot and the place of d.
func (s scale) exact(d number) bool {
	m := ones(int(s.right))
	return d.lo&m.lo == 0 && d.hi&m.hi == 0
}

// A slot is for the numbers that begin alike. If n is 0, all of them have the
// class at. If n is positive, entries[at:at+n] tell the class; if it is
// negative, nodes[at] does.
type slot struct{ at, n int32 }

// An entry says that numbers have the class from this place on, up to that of
// the next entry. The first entry of a slot has place 0.
type entry struct {
	place uint32
	class int32
}

// maxScan is the most starts that a slot holds without a node of its own.
const maxScan = 8

// addNode adds a node for the intervals that begin at starts and the one before
// them, which is of class before, and returns its number.
func (x *index) addNode(starts []number, classes []int32, before int32) int32 {
	id := len(x.nodes)
	x.nodes = append(x.nodes, node{})
	n := node{below: before, above: before}
	if count := len(starts); count > 0 {
		n.base, n.above = starts[0], classes[count-1]
		n.span, _ = starts[count-1].minus(n.base)
		// There are at most two slots for each start. The first and the last
		// start have different slots, so that no child has as many starts.
		shift := n.span.bitLen() - bits.Len(uint(count))
		n.scale = scale{uint(max(0, 32-max(0, shift))), uint(max(0, shift-32))}
		last, _ := n.scale.of(n.span)
		n.slots = make([]slot, last+1)
	}
	for i := range n.slots {
		end := 0
		exact := true
		for end < len(starts) {
			d, _ := starts[end].minus(n.base)
			if s, _ := n.scale.of(d); s != uint64(i) {
				break
			}
			exact = exact && n.scale.exact(d)
			end++
		}
		switch {
		case end == 0:
			n.slots[i] = slot{before, 0}
		case end <= maxScan && exact:
			n.slots[i] = slot{int32(len(x.entries)), int32(end + 1)}
			x.entries = append(x.entries, entry{0, before})
			for k, start := range starts[:end] {
				d, _ := start.minus(n.base)
				_, place := n.scale.of(d)
				x.entries = append(x.entries, entry{place, classes[k]})
			}
		default:
			n.slots[i] = slot{x.addNode(starts[:end], classes[:end], before), -1}
		}
		if end > 0 {
			before = classes[end-1]
		}
		starts, classes = starts[end:], classes[end:]
	}
	x.nodes[id] = n
	return int32(id)
}

// find returns the class of k by the node of the given number.
func (x *index) find(root int32, k number) int32 {
	for n := &x.nodes[root]; ; {
		d, less := k.minus(n.base)
		if less != 0 {
			return n.below
		}
		if _, less := d.minus(n.span); less == 0 {
			return n.above
		}
		i, place := n.scale.of(d)
		s := n.slots[i]
		if s.n == 0 {
			return s.at
		}
		if s.n < 0 {
			n = &x.nodes[s.at]
			continue
		}
		last := s.at
		for _, e := range x.entries[s.at+1 : s.at+s.n] {
			if e.place <= place {
				last++
			}
		}
		return x.entries[last].class
	}
}
