package cidr

import (
	"cmp"
	"encoding/binary"
	"math/big"
	"net/netip"
	"slices"
)

// A Set is an immutable set of IPv4 and IPv6 addresses.
// The zero Set is empty. Sets may be copied and used concurrently; compare
// them with Equal.
//
// Union, Intersect, Minus and Equal take time linear in the number of runs of
// addresses that the sets consist of, Contains takes logarithmic time.
type Set struct {
	// The maximal runs of addresses, in order. So no two of them overlap or
	// touch, none goes over from IPv4 to IPv6, and equal sets have equal runs.
	runs []run
}

// A run is the addresses of one family from first to last, both included and
// neither of them IPv4-mapped.
type run struct{ first, last netip.Addr }

// holds reports whether all of t is in r.
func (r run) holds(t run) bool {
	return r.first.Compare(t.first) <= 0 && t.last.Compare(r.last) <= 0
}

// The IPv6 addresses between these two are IPv4-mapped. They are no addresses
// of their own, so these two are neighbors.
var (
	belowMapped = netip.MustParseAddr("::fffe:ffff:ffff")
	aboveMapped = netip.MustParseAddr("::1:0:0:0")
)

// next returns the address after a, or the zero Addr, which is less than any
// other, if a is the last of its family.
func next(a netip.Addr) netip.Addr {
	if a == belowMapped {
		return aboveMapped
	}
	return a.Next()
}

// prev returns the address before a, or the zero Addr if a is the first of its
// family.
func prev(a netip.Addr) netip.Addr {
	if a == aboveMapped {
		return belowMapped
	}
	return a.Prev()
}

// runOf returns the addresses of p. It returns false if there are none, because
// p is a prefix of IPv6 that holds IPv4-mapped addresses only.
func runOf(p netip.Prefix) (run, bool) {
	r := run{p.Addr(), lastAddr(p)}
	if r.first.Is4In6() {
		r.first = aboveMapped
	}
	if r.last.Is4In6() {
		r.last = belowMapped
	}
	return r, r.first.Compare(r.last) <= 0
}

// lastAddr returns the last address of p, which may be IPv4-mapped.
func lastAddr(p netip.Prefix) netip.Addr {
	a := p.Addr()
	if a.Is4() {
		b := a.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|uint32(1<<(32-p.Bits())-1))
		return netip.AddrFrom4(b)
	}
	return numberOf(a).or(ones(a.BitLen() - p.Bits())).addr()
}

// Of returns the addresses of prefixes. Bits beyond a prefix's length do not
// matter. Of ignores prefixes that are not valid.
func Of(prefixes ...netip.Prefix) Set {
	runs := make([]run, 0, len(prefixes))
	for _, p := range prefixes {
		if !p.IsValid() {
			continue
		}
		if r, ok := runOf(unmap(p)); ok {
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, byFirst)
	return Set{join(runs)}
}

func byFirst(r, t run) int { return r.first.Compare(t.first) }

// join makes one run of those that overlap or touch. It takes runs sorted by
// their first addresses and overwrites them.
func join(runs []run) []run {
	joined := runs[:0]
	for _, r := range runs {
		if n := len(joined); n > 0 {
			before := &joined[n-1]
			overlap := r.first.Compare(before.last) <= 0
			touch := r.first == next(before.last)
			if overlap || touch {
				before.last = maxAddr(before.last, r.last)
				continue
			}
		}
		joined = append(joined, r)
	}
	return joined
}

func minAddr(a, b netip.Addr) netip.Addr {
	if a.Less(b) {
		return a
	}
	return b
}

func maxAddr(a, b netip.Addr) netip.Addr {
	if a.Less(b) {
		return b
	}
	return a
}

// Contains reports whether s holds a.
func (s Set) Contains(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	i, _ := slices.BinarySearchFunc(s.runs, a, func(r run, a netip.Addr) int { return r.last.Compare(a) })
	return i < len(s.runs) && s.runs[i].first.Compare(a) <= 0
}

// IsEmpty reports whether s holds no address.
func (s Set) IsEmpty() bool { return len(s.runs) == 0 }

// Equal reports whether s and t hold the same addresses.
func (s Set) Equal(t Set) bool { return slices.Equal(s.runs, t.runs) }

// AppendBinary appends bytes to b that are the same for two sets only if they
// are Equal, to use as a key. They mean something to one version of this package
// only. It returns no error.
func (s Set) AppendBinary(b []byte) ([]byte, error) {
	for _, r := range s.runs {
		for _, a := range [...]netip.Addr{r.first, r.last} {
			if a.Is4() {
				four := a.As4()
				b = append(append(b, 4), four[:]...)
			} else {
				sixteen := a.As16()
				b = append(append(b, 6), sixteen[:]...)
			}
		}
	}
	return b, nil
}

// Union returns the addresses that are in s or in t.
func (s Set) Union(t Set) Set {
	a, b := s.runs, t.runs
	merged := make([]run, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if byFirst(a[0], b[0]) > 0 {
			a, b = b, a
		}
		merged = append(merged, a[0])
		a = a[1:]
	}
	merged = append(append(merged, a...), b...)
	return Set{join(merged)}
}

// Intersect returns the addresses that are in s and in t.
func (s Set) Intersect(t Set) Set {
	a, b := s.runs, t.runs
	var both []run
	for len(a) > 0 && len(b) > 0 {
		common := run{maxAddr(a[0].first, b[0].first), minAddr(a[0].last, b[0].last)}
		if common.first.Compare(common.last) <= 0 {
			both = append(both, common)
		}
		if a[0].last.Less(b[0].last) {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return Set{both}
}

// Minus returns the addresses that are in s but not in t.
func (s Set) Minus(t Set) Set {
	var rest []run
	holes := t.runs
	for _, r := range s.runs {
		for len(holes) > 0 && holes[0].last.Less(r.first) {
			holes = holes[1:]
		}
		// Cut away from the front of r until nothing of it or no hole is left.
		// A hole that reaches beyond r may cut the next run too.
		for r.first.IsValid() && len(holes) > 0 && holes[0].first.Compare(r.last) <= 0 {
			if r.first.Less(holes[0].first) {
				rest = append(rest, run{r.first, prev(holes[0].first)})
			}
			if r.last.Compare(holes[0].last) <= 0 {
				r.first = netip.Addr{}
				break
			}
			r.first = next(holes[0].last)
			holes = holes[1:]
		}
		if r.first.IsValid() {
			rest = append(rest, r)
		}
	}
	return Set{rest}
}

// Size returns the number of addresses in s. The 2^32 IPv4-mapped addresses
// count as IPv4 only, so ::/0 has 2^128 - 2^32.
func (s Set) Size() *big.Int {
	size, n := new(big.Int), new(big.Int)
	for _, r := range s.runs {
		d, _ := numberOf(r.last).minus(numberOf(r.first))
		n.SetUint64(d.hi)
		n.Lsh(n, 64)
		size.Add(size, n)
		size.Add(size, n.SetUint64(d.lo))
		size.Add(size, n.SetUint64(1))
		if !r.first.Is4() && r.first.Less(aboveMapped) && belowMapped.Less(r.last) {
			size.Sub(size, n.SetUint64(1<<32))
		}
	}
	return size
}

// First returns the lowest address of s, IPv4 before IPv6, or the zero Addr if
// s is empty.
func (s Set) First() netip.Addr {
	if s.IsEmpty() {
		return netip.Addr{}
	}
	return s.runs[0].first
}

// within returns those of runs that have addresses in common with r.
func within(runs []run, r run) []run {
	from, _ := slices.BinarySearchFunc(runs, r.first, func(t run, a netip.Addr) int { return t.last.Compare(a) })
	to, _ := slices.BinarySearchFunc(runs[from:], r.last, func(t run, a netip.Addr) int {
		return cmp.Or(t.first.Compare(a), -1)
	})
	return runs[from : from+to]
}
