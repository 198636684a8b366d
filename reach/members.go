package reach

import (
	"iter"
	"math/bits"
	"slices"
)

// A memberSet is a set of small numbers: seats, or classes. It takes the smaller
// of two forms, so that many selectors which pick nearly everything do not take
// the memory of as many lists.
type memberSet struct {
	list []int32  // ascending; not used if dense
	bits []uint64 // a bit for each number; nil unless dense
}

// newMemberSet returns the set of the numbers in list, all below n. It may change
// the order of list and keeps no reference to it.
func newMemberSet(list []int32, n int) memberSet {
	s := membersIn(list, n)
	s.list = slices.Clone(s.list)
	return s
}

// newMembers is newMemberSet with the memory of the compiler.
func (co *compiler) newMembers(list []int32, n int) memberSet {
	s := membersIn(list, n)
	s.list = co.lists.clone(s.list)
	return s
}

// membersIn is newMemberSet but for a list that it keeps.
func membersIn(list []int32, n int) memberSet {
	words := (n + 63) / 64
	if len(list) > 2*words {
		s := memberSet{bits: make([]uint64, words)}
		setAll(s.bits, list)
		distinct := 0
		for _, w := range s.bits {
			distinct += bits.OnesCount64(w)
		}
		if distinct > 2*words {
			return s
		}
	}
	slices.Sort(list)
	return memberSet{list: slices.Compact(list)}
}

// all returns the numbers, ascending.
func (s memberSet) all() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for _, m := range s.list {
			if !yield(m) {
				return
			}
		}
		for i, w := range s.bits {
			for ; w != 0; w &= w - 1 {
				if !yield(int32(64*i + bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}

// has reports whether m is in s.
func (s memberSet) has(m int32) bool {
	if s.bits != nil {
		return s.bits[m>>6]>>(uint(m)&63)&1 != 0
	}
	_, found := slices.BinarySearch(s.list, m)
	return found
}

// addTo adds the numbers to those of a row.
func (s memberSet) addTo(row []uint64) {
	setAll(row, s.list)
	for i, w := range s.bits {
		row[i] |= w
	}
}

// both calls yield for the numbers that are also in list, which is ascending,
// until it returns false.
func (s memberSet) both(list []int32, yield func(int32) bool) {
	if s.bits != nil {
		for _, m := range list {
			if s.bits[m>>6]>>(uint(m)&63)&1 != 0 && !yield(m) {
				return
			}
		}
		return
	}
	for a, b := s.list, list; len(a) > 0 && len(b) > 0; {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			if !yield(a[0]) {
				return
			}
			a, b = a[1:], b[1:]
		}
	}
}

func setAll(row []uint64, members []int32) {
	for _, m := range members {
		row[m>>6] |= 1 << (uint(m) & 63)
	}
}
