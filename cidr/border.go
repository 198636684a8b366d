package cidr

import (
	"math"
	"math/bits"
)

// A border is the first address of a run of the given set, or the first one
// after such a run. In borders, an address of IPv4 is the high word of a number
// whose low word is 0.
type border struct {
	at  number
	set uint32
}

// bordersOf returns the borders of each family, in no order.
func bordersOf(sets []Set) (v4, v6 []border) {
	runs := 0
	for _, s := range sets {
		runs += len(s.runs)
	}
	// Those of IPv4 from the front, those of IPv6 from the back.
	all := make([]border, 2*runs)
	begin, end := 0, len(all)
	for i, s := range sets {
		for _, r := range s.runs {
			first, last := numberOf(r.first), numberOf(r.last)
			if r.first.Is4() {
				all[begin] = border{number{hi: first.lo & math.MaxUint32}, uint32(i)}
				begin++
				if after := last.lo&math.MaxUint32 + 1; after <= math.MaxUint32 {
					all[begin] = border{number{hi: after}, uint32(i)}
					begin++
				}
				continue
			}
			end--
			all[end] = border{first, uint32(i)}
			if after := last.next(); after != (number{}) {
				end--
				all[end] = border{after, uint32(i)}
			}
		}
	}
	return all[:begin], all[end:]
}

// starts returns the number of different addresses among sorted borders.
func starts(borders []border) int {
	n := 0
	for i := range borders {
		if i == 0 || borders[i].at != borders[i-1].at {
			n++
		}
	}
	return n
}

// A sorter sorts borders by address. It spreads them over buckets by the leading
// bits in which they differ, and sorts each bucket likewise.
type sorter struct {
	spare  []border
	counts []uint32 // of each bucket, after those before it
}

// maxDigit is the most bits by which borders are spread at a time: the ends of
// that many buckets are in a fast cache.
const maxDigit = 10

// fewBorders is the number of borders up to which insertion is faster.
const fewBorders = 16

// sortBorders sorts borders by address.
func sortBorders(borders []border) {
	s := sorter{}
	if len(borders) > fewBorders {
		s.spare = make([]border, len(borders))
		s.counts = make([]uint32, 1<<digitFor(len(borders))+1)
	}
	s.sort(borders)
}

// digitFor returns by how many bits to spread n borders.
func digitFor(n int) int { return min(maxDigit, bits.Len(uint(n))) }

func insertionSort(borders []border) {
	for i := 1; i < len(borders); i++ {
		b := borders[i]
		at := i
		for ; at > 0; at-- {
			if _, less := b.at.minus(borders[at-1].at); less == 0 {
				break
			}
			borders[at] = borders[at-1]
		}
		borders[at] = b
	}
}

func (s *sorter) sort(borders []border) {
	if len(borders) <= fewBorders {
		insertionSort(borders)
		return
	}
	least, greatest, sorted := borders[0].at, borders[0].at, true
	for i := 1; i < len(borders); i++ {
		at := borders[i].at
		if _, less := at.minus(borders[i-1].at); less != 0 {
			sorted = false
		}
		if _, less := at.minus(least); less != 0 {
			least = at
		}
		if _, less := greatest.minus(at); less != 0 {
			greatest = at
		}
	}
	if sorted {
		return
	}
	d := digitOf(least, greatest, digitFor(len(borders)))
	counts := s.counts[:d.of(greatest)+2]
	clear(counts)
	for _, b := range borders {
		counts[d.of(b.at)+1]++
	}
	for i := range counts[1:] {
		counts[i+1] += counts[i]
	}
	spare := s.spare[:len(borders)]
	for _, b := range borders {
		at := &counts[d.of(b.at)]
		spare[*at] = b
		*at++
	}
	copy(borders, spare)
	// The least and the greatest are in different buckets.
	for len(borders) > 0 {
		end := 1
		for end < len(borders) && d.of(borders[end].at) == d.of(borders[0].at) {
			end++
		}
		s.sort(borders[:end])
		borders = borders[end:]
	}
}

// A digit is some bits of a number, less those of the least one.
type digit struct {
	low   bool // of the low word, else of the high one
	shift int
	least uint64
}

// digitOf returns a digit of up to n bits by which the numbers from least to
// greatest ascend, and by which these two differ.
func digitOf(least, greatest number, n int) digit {
	d := digit{low: least.hi == greatest.hi}
	d.shift = max(0, bits.Len64(d.word(greatest)-d.word(least))-n)
	d.least = d.word(least)
	return d
}

func (d digit) word(k number) uint64 {
	if d.low {
		return k.lo
	}
	return k.hi
}

func (d digit) of(k number) uint64 { return (d.word(k) - d.least) >> (d.shift & 63) }
