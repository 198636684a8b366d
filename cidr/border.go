package cidr

import (
	"math"
	"slices"
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

// sortBorders sorts borders by address.
func sortBorders(borders []border) {
	slices.SortFunc(borders, func(a, b border) int { return a.at.compare(b.at) })
}
