package cidr

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"slices"
)

// An index finds the interval of an address among those of its family.
//
// A node spreads the borders between intervals over slots by leading bits, so
// that a slot has few of them. What a slot has too many of it leaves to another
// node. As long as that is rare, a lookup has no branch that a processor cannot
// foresee, so that it begins with the next lookup while this one waits for
// memory. For that, a lookup always looks at as many intervals as a slot can
// need, and counts borders instead of searching for one.
type index struct {
	v4           []end4
	v6           []end6
	root4, root6 node
	nodes        []node
	slots        []uint32
}

// An end4 is the last address of an interval of IPv4, and the class of the
// interval as the lower 32 bits.
type end4 uint64

func (e end4) last() uint32  { return uint32(e >> 32) }
func (e end4) class() uint32 { return uint32(e) }

// before returns 1 if the interval is before address k, else 0.
func (e end4) before(k uint32) uint64 {
	_, less := bits.Sub64(uint64(e), uint64(k)<<32, 0)
	return less
}

// An end6 is the same for IPv6.
type end6 struct {
	last  number
	class uint32
}

func (e *end6) before(k number) uint64 {
	_, less := e.last.minus(k)
	return less
}

// A density says how many borders a slot has at most without a node of its own,
// and the limit of what slots have on average. The ends of IPv4 are smaller, so
// that a lookup may look at more of them and slots may be fewer.
type density struct{ most, average int }

var (
	density4 = density{most4, 2}
	density6 = density{most6, 1}
)

const (
	most4 = 8
	most6 = 4
)

// Behind the ends there are some that are before no address, as a lookup looks
// at that many from the interval on with which a slot begins.
const (
	pad4 = most4 - 1
	pad6 = most6 - 1
)

// A node tells apart intervals by a word of each address: the one that IPv4 has,
// or one of the two that IPv6 has.
type node struct {
	// The words of the first and the last border, shifted. All words before and
	// behind count as these.
	first, last uint64
	shift       uint8
	offset      uint64 // from a shifted word to its slot, modulo 2^64

	low  bool   // whether the word is the low one of IPv6, and then
	high uint64 // the high one of all borders
}

// A slot is the number of an interval of its family: that of the first address
// in the slot. Or it is child plus the number of a node.
const child = 1 << 31

func (n *node) slot(word uint64) uint64 {
	return min(max(word>>(n.shift&63), n.first), n.last) + n.offset
}

// word returns the word of k that n goes by. It is the least or the greatest one
// if the other word of k decides.
func (n *node) word(k number) uint64 {
	switch {
	case !n.low:
		return k.hi
	case k.hi < n.high:
		return 0
	case k.hi > n.high:
		return math.MaxUint64
	}
	return k.lo
}

// isStart reports whether k is the first address of a slot.
func (n *node) isStart(k number) bool {
	below := uint64(1)<<n.shift - 1
	if n.low {
		return k.lo&below == 0
	}
	return k.lo == 0 && k.hi&below == 0
}

// find4 returns the class of an address of IPv4.
func (x *index) find4(k uint32) uint32 {
	n := &x.root4
	for {
		s := x.slots[n.slot(uint64(k))]
		if s >= child {
			n = &x.nodes[s-child]
			continue
		}
		e := (*[most4]end4)(x.v4[s:])
		count := e[0].before(k) + e[1].before(k) + e[2].before(k) + e[3].before(k) +
			e[4].before(k) + e[5].before(k) + e[6].before(k) + e[7].before(k)
		return x.v4[uint64(s)+count].class()
	}
}

// find6 returns the class of an address of IPv6.
func (x *index) find6(k number) uint32 {
	n := &x.root6
	for {
		s := x.slots[n.slot(n.word(k))]
		if s >= child {
			n = &x.nodes[s-child]
			continue
		}
		e := (*[most6]end6)(x.v6[s:])
		count := e[0].before(k) + e[1].before(k) + e[2].before(k) + e[3].before(k)
		return x.v6[uint64(s)+count].class
	}
}

// newIndex returns the index of the intervals that start at the first address
// of each family and at those borders, with their classes.
func newIndex(v4, v6 []border, classes []uint32) index {
	x := index{v4: make([]end4, 0, len(v4)+1+pad4), v6: make([]end6, 0, len(v6)+1+pad6)}
	for i, b := range v4 {
		x.v4 = append(x.v4, end4((b.at.hi-1)<<32)|end4(classes[i]))
	}
	x.v4 = append(x.v4, math.MaxUint32<<32|end4(classes[len(v4)]))
	for range pad4 {
		x.v4 = append(x.v4, math.MaxUint32<<32)
	}
	classes = classes[len(v4)+1:]
	for i, b := range v6 {
		last, _ := b.at.minus(number{0, 1})
		x.v6 = append(x.v6, end6{last, classes[i]})
	}
	x.v6 = append(x.v6, end6{ones(128), classes[len(v6)]})
	for range pad6 {
		x.v6 = append(x.v6, end6{last: ones(128)})
	}

	x.slots = make([]uint32, 0, len(v4)+len(v6)+2)
	x.root4 = x.addNode(v4, 0, density4)
	x.root6 = x.addNode(v6, 0, density6)
	x.slots, x.nodes = trim(x.slots), trim(x.nodes)
	return x
}

// len4 returns the number of intervals of IPv4.
func (x *index) len4() int { return len(x.v4) - pad4 }

// classOf returns the class of the i'th interval.
func (x *index) classOf(i uint32) uint32 {
	if n := uint32(x.len4()); i >= n {
		return x.v6[i-n].class
	}
	return x.v4[i].class()
}

// interval returns the addresses of the i'th interval.
func (x *index) interval(i uint32) run {
	if n := uint32(x.len4()); i >= n {
		return x.interval6(i - n)
	}
	first := uint32(0)
	if i > 0 {
		first = x.v4[i-1].last() + 1
	}
	return run{addr4(first), addr4(uint32(x.v4[i] >> 32))}
}

// interval6 returns the addresses of the i'th interval of IPv6.
func (x *index) interval6(i uint32) run {
	r := run{number{}.addr(), x.v6[i].last.addr()}
	if i > 0 {
		r.first = next(x.v6[i-1].last.addr())
	}
	if r.last.Is4In6() {
		r.last = belowMapped
	}
	return r
}

func addr4(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// addNode adds slots, and returns a node that leads to them, for some borders,
// ascending, the first of which is where the given interval ends.
func (x *index) addNode(borders []border, interval uint32, d density) node {
	count := len(borders)
	if count <= d.most {
		x.slots = append(x.slots, interval)
		return node{offset: uint64(len(x.slots) - 1)}
	}
	from, to := borders[0].at, borders[count-1].at
	n := node{low: from.hi == to.hi, high: from.hi}
	first, last := n.word(from), n.word(to)
	// The first and the last border have different slots, so that no node for a
	// slot has as many borders.
	n.shift = uint8(max(0, bits.Len64(last-first)-bits.Len(uint(count/d.average))))
	n.first, n.last = first>>n.shift, last>>n.shift
	begin := len(x.slots)
	n.offset = uint64(begin) - n.first
	slots := int(n.last-n.first) + 1
	x.slots = slices.Grow(x.slots, slots)[:begin+slots]
	at := 0 // the first border that is in no slot yet
	for s := begin; s < begin+slots; s++ {
		end := at
		for end < count && n.slot(n.word(borders[end].at)) == uint64(s) {
			end++
		}
		// All addresses of a slot are behind a border at its very start, except
		// that the first slot also has those before it.
		if s > begin && at < end && n.isStart(borders[at].at) {
			at++
		}
		x.slots[s] = interval + uint32(at)
		if end-at > d.most {
			c := x.addNode(borders[at:end], interval+uint32(at), d)
			x.slots[s] = child + uint32(len(x.nodes))
			x.nodes = append(x.nodes, c)
		}
		at = end
	}
	return n
}
