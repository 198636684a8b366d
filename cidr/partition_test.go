package cidr

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPartitionTable(t *testing.T) {
	p := NewPartition(
		mustParse(t, []string{"10.0.0.0/8", "10.1.0.0/16"}),
		mustParse(t, []string{"10.0.0.0/8"}, []string{"fd00::/8"}),
		of(t, "0.0.0.0/0"),
	)
	require.Equal(t, 5, p.Len())
	for _, tt := range []struct {
		why  string
		addr string
		want Class
		sets []int
	}{
		{"the first address has class 0", "0.0.0.0", 0, []int{2}},
		{"beyond the last block of IPv4", "255.255.255.255", 0, []int{2}},
		{"in all three sets", "10.0.0.0", 1, []int{0, 1, 2}},
		{"behind the exception", "10.255.255.255", 1, []int{0, 1, 2}},
		{"a mapped address is the address that it maps", "::ffff:10.2.0.0", 1, []int{0, 1, 2}},
		{"in the exception", "10.1.0.0", 2, []int{1, 2}},
		{"IPv6 starts in no set", "::", 3, nil},
		{"the last address of all", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3, nil},
		{"an IPv6 address in a set", "fd00::1", 4, []int{1}},
	} {
		t.Run(tt.why, func(t *testing.T) {
			a := netip.MustParseAddr(tt.addr)
			require.Equal(t, tt.want, p.Class(a))
			require.Equal(t, tt.sets, slices.Collect(p.Sets(tt.want)))
			require.True(t, p.Addrs(tt.want).Contains(a))
			for i := range 3 {
				require.Equal(t, slices.Contains(tt.sets, i), p.In(tt.want, i), i)
			}
		})
	}
	require.Equal(t, "10.0.0.0/8 except 10.1.0.0/16", p.Addrs(1).String())
	require.Equal(t, "0.0.0.0/0 except 10.0.0.0/8", p.Addrs(0).String())
	require.Equal(t, "::/0 except fd00::/8", p.Addrs(3).String())
}

func TestPartitionNoClass(t *testing.T) {
	p := NewPartition(of(t, "0.0.0.0/0", "::/0"))
	for _, tt := range []struct {
		why  string
		addr netip.Addr
	}{
		{"the zero Addr is no address", netip.Addr{}},
		{"an address with a zone is in no class", netip.MustParseAddr("fe80::1%eth0")},
		{"even if unmapping would drop the zone", netip.MustParseAddr("::ffff:10.0.0.1").WithZone("eth0")},
	} {
		t.Run(tt.why, func(t *testing.T) { require.Equal(t, Class(-1), p.Class(tt.addr)) })
	}
	require.False(t, p.In(-1, 0))
	require.Empty(t, slices.Collect(p.Sets(-1)))
	require.True(t, p.Addrs(-1).IsEmpty())
}

func TestPartitionPanics(t *testing.T) {
	p := NewPartition(of(t, "10.0.0.0/8"))
	require.PanicsWithValue(t, "cidr: no set 1 among 1", func() { p.In(0, 1) })
	require.PanicsWithValue(t, "cidr: no set -1 among 1", func() { p.In(0, -1) })
	require.Panics(t, func() { p.In(2, 0) })
	require.Panics(t, func() { p.In(-2, 0) })
	require.Panics(t, func() { p.Sets(2) })
	require.Panics(t, func() { p.Addrs(2) })
}

func TestPartitionTrivial(t *testing.T) {
	for _, tt := range []struct {
		why  string
		sets []Set
	}{
		{"no sets", nil},
		{"an empty set tells nothing apart", []Set{{}}},
		{"nor does a set of all addresses", []Set{of(t, "0.0.0.0/0", "::/0")}},
	} {
		t.Run(tt.why, func(t *testing.T) {
			p := NewPartition(tt.sets...)
			require.Equal(t, 1, p.Len())
			for _, a := range corners {
				require.Equal(t, Class(0), p.Class(a), a)
			}
			require.Equal(t, "0.0.0.0/0, ::/0", p.Addrs(0).String())
		})
	}
}

// checkPartition fails if p is not the partition that samples induce, as far as
// the given addresses tell.
func checkPartition(t require.TestingT, p *Partition, samples []sample, addrs []netip.Addr, in *seen) {
	byMembers := map[string]Class{}
	for _, a := range addrs {
		c := p.Class(a)
		members := ""
		var sets []int
		for i, s := range samples {
			want := s.has(a)
			in.add(want)
			require.Equal(t, want, p.In(c, i), "%v in set %d", a, i)
			if want {
				sets = append(sets, i)
				members += fmt.Sprint(i, " ")
			}
		}
		require.Equal(t, sets, slices.Collect(p.Sets(c)), "%v", a)
		for range p.Sets(c) {
			break // a loop can be left
		}
		if other, found := byMembers[members]; found {
			require.Equal(t, other, c, "classes of %v and of an address in the same sets", a)
		}
		byMembers[members] = c
		require.True(t, p.Addrs(c).Contains(a), "%v", a)
	}

	var union Set
	var before netip.Addr
	for c := range p.Len() {
		addrs := p.Addrs(Class(c))
		checkInvariant(t, addrs)
		require.False(t, addrs.IsEmpty(), "class %d", c)
		require.True(t, before.Less(addrs.First()), "class %d is out of order", c)
		require.Equal(t, Class(c), p.Class(addrs.First()))
		require.True(t, union.Intersect(addrs).IsEmpty(), "class %d overlaps another", c)
		before, union = addrs.First(), union.Union(addrs)
	}
	require.Equal(t, "0.0.0.0/0, ::/0", union.String())
}

// TestPartitionOracle: two addresses share a class exactly if each set holds
// both or neither, and the class tells which do. A hash function that is no
// help changes nothing.
func TestPartitionOracle(t *testing.T) {
	var in, shared seen
	checkBoth(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(genSample, 0, 5).Draw(t, "sets")
		// So many sets that the lists of some classes are shorter than bitmaps.
		for range rapid.SampledFrom([]int{0, 0, 40, 130}).Draw(t, "more") {
			a := genAddr.Draw(t, "addr")
			samples = append(samples, prefixSample([]netip.Prefix{netip.PrefixFrom(a, a.BitLen())}))
		}
		var sets []Set
		for _, s := range samples {
			sets = append(sets, s.set)
		}
		addrs := probes(t, sets...)
		p := NewPartition(sets...)
		checkPartition(t, p, samples, addrs, &in)
		shared.add(p.Class(addrs[0]) == p.Class(addrs[1]))

		same := newPartition(sets, func(uint32) uint64 { return 0 })
		require.Equal(t, p, same)
	}, &in, &shared)
}

// TestPartitionShuffled: the order of the sets does not bear on the classes.
func TestPartitionShuffled(t *testing.T) {
	var several seen
	checkBoth(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(genSample, 1, 6).Draw(t, "sets")
		numbers := make([]int, len(samples))
		sets := make([]Set, len(samples))
		for i, s := range samples {
			numbers[i], sets[i] = i, s.set
		}
		numbers = rapid.Permutation(numbers).Draw(t, "shuffled")
		shuffled := make([]Set, len(sets))
		for i, n := range numbers {
			shuffled[i] = sets[n]
		}
		p, q := NewPartition(sets...), NewPartition(shuffled...)
		require.Equal(t, p.Len(), q.Len())
		several.add(p.Len() > 1)
		for c := range Class(p.Len()) {
			require.True(t, p.Addrs(c).Equal(q.Addrs(c)))
			for i, n := range numbers {
				require.Equal(t, p.In(c, n), q.In(c, i))
			}
		}
	}, &several)
}

// TestPartitionLists: classes in few of many sets, in most, and in all have the
// right members, whichever way their lists are kept.
func TestPartitionLists(t *testing.T) {
	const n = 1000
	base := netip.MustParseAddr("10.0.0.0").As4()
	// The i'th address is in the sets from 0 to i, the last one in all.
	var sets []Set
	for i := range n {
		from := base
		from[2], from[3] = byte(i>>8), byte(i)
		sets = append(sets, Set{[]run{{netip.AddrFrom4(from), netip.MustParseAddr("10.0.3.231")}}})
	}
	p := NewPartition(sets...)
	require.Equal(t, n+1, p.Len()) // and the class of all other addresses
	kinds := seen{}
	for i := range n {
		a := base
		a[2], a[3] = byte(i>>8), byte(i)
		c := p.Class(netip.AddrFrom4(a))
		require.Equal(t, Class(i+1), c)
		_, bitmap := p.members.list(c)
		kinds.add(bitmap)
		next := 0
		for s := range p.Sets(c) {
			require.Equal(t, next, s)
			next++
		}
		require.Equal(t, i+1, next)
		require.True(t, p.In(c, 0))
		require.True(t, p.In(c, i))
		if i+1 < n {
			require.False(t, p.In(c, i+1))
			require.False(t, p.In(c, n-1))
		}
	}
	require.True(t, kinds.yes > 0 && kinds.no > 0, "a bitmap and a list")
}

// TestPartitionMany: among thousands of prefixes, as they are spread and crowded,
// a class has the sets that hold its addresses, and all of the addresses.
func TestPartitionMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var prefixes []netip.Prefix
	for _, family := range []string{"v4", "v6"} {
		prefixes = append(prefixes, randomPrefixes(rng, family, 500)...)
		prefixes = append(prefixes, crowdedPrefixes(rng, family, 500)...)
		for _, p := range prefixes[len(prefixes)-1000:] { // some that lie in others
			prefixes = append(prefixes, netip.PrefixFrom(p.Addr(), min(p.Bits()+3, p.Addr().BitLen())))
		}
	}
	p := NewPartition(oneEach(prefixes)...)
	for _, q := range prefixes {
		last := lastAddr(q)
		for _, a := range []netip.Addr{q.Addr(), q.Addr().Prev(), last, last.Next()} {
			var want []int
			for i, q := range prefixes {
				if q.Contains(a) {
					want = append(want, i)
				}
			}
			require.Equal(t, want, slices.Collect(p.Sets(p.Class(a))), "%v", a)
		}
	}
	var runs []run
	for c := range Class(p.Len()) {
		addrs := p.Addrs(c)
		checkInvariant(t, addrs)
		for _, r := range addrs.runs {
			require.Equal(t, c, p.Class(r.first))
			require.Equal(t, c, p.Class(r.last))
		}
		runs = append(runs, addrs.runs...)
	}
	slices.SortFunc(runs, byFirst)
	require.True(t, Set{join(runs)}.Equal(Of(roots[:]...)))
	require.Len(t, runs, p.index.len4()+len(p.index.v6)-pad6, "as many as there are intervals")
}

// crowds are ways in which numbers can crowd.
var crowds = []struct {
	why  string
	next func(rng *rand.Rand, i int) number
}{
	{"spread evenly", func(rng *rand.Rand, _ int) number { return randomNumber(rng) }},
	{"all in one /64", func(rng *rand.Rand, _ int) number { return number{0xfd00 << 48, rng.Uint64()} }},
	{"all in the first of two slots but one", func(_ *rand.Rand, i int) number { return number{uint64(i/999) << 63, uint64(i)} }},
	{"crowded around each power of two", func(_ *rand.Rand, i int) number {
		n := ones(i % 128)
		n.lo ^= uint64(i) / 128
		return n
	}},
	{"crowded at the end", func(_ *rand.Rand, i int) number { return number{^uint64(0), ^uint64(i)} }},
	{"in crowds of crowds", func(rng *rand.Rand, _ int) number {
		shift := 8 * rng.UintN(16)
		n := randomNumber(rng)
		n.lo, n.hi = n.lo>>shift|n.hi<<(64-shift)|n.hi>>(shift-64), n.hi>>shift
		return n
	}},
}

func randomNumber(rng *rand.Rand) number { return number{rng.Uint64(), rng.Uint64()} }

// TestIndex: the index finds what a binary search finds, wherever the numbers
// crowd.
func TestIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, tt := range crowds {
		t.Run(tt.why, func(t *testing.T) {
			var v4, v6 []number
			for i := range 1000 {
				n := tt.next(rng, i)
				v6 = append(v6, n)
				v4 = append(v4, number{hi: (n.hi ^ n.lo) >> (i % 2 * 32) & math.MaxUint32})
			}
			borders4, borders6 := bordersAt(&v4), bordersAt(&v6)
			x := newIndex(borders4, borders6, classesFrom0(len(v4)+len(v6)))
			find := func(starts []number, n number, got uint32) {
				want, found := slices.BinarySearchFunc(starts, n, number.compare)
				if !found {
					want--
				}
				require.EqualValues(t, want, got, "%x", n)
			}
			for _, n := range v6 {
				below, _ := n.minus(number{0, 1})
				above, _ := n.minus(ones(128))
				for _, n := range []number{n, below, above, randomNumber(rng)} {
					find(v6, n, x.find6(n)-uint32(len(v4)))
				}
			}
			for _, n := range v4 {
				k := uint32(n.hi)
				for _, k := range []uint32{k, k - 1, k + 1, rng.Uint32()} {
					find(v4, number{hi: uint64(k)}, x.find4(k))
				}
			}
		})
	}
}

// TestSortBorders: sorting by digits gives what sorting by comparisons does.
func TestSortBorders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, tt := range crowds {
		t.Run(tt.why, func(t *testing.T) {
			for _, n := range []int{0, 1, fewBorders, fewBorders + 1, 5000} {
				borders := make([]border, n)
				for i := range borders {
					borders[i].at = tt.next(rng, i)
				}
				rng.Shuffle(n, func(i, j int) { borders[i], borders[j] = borders[j], borders[i] })
				borders = append(borders, borders...) // equal ones
				for i := range borders {
					borders[i].set = uint32(i)
				}
				want := slices.Clone(borders)
				slices.SortStableFunc(want, func(a, b border) int { return a.at.compare(b.at) })
				for range 2 { // the second time they are sorted
					sortBorders(borders)
					require.Equal(t, want, borders)
				}
			}
		})
	}
}

// bordersAt sorts starts, adds 0, and returns the borders at the other ones.
func bordersAt(starts *[]number) []border {
	*starts = append(*starts, number{})
	slices.SortFunc(*starts, number.compare)
	*starts = slices.Compact(*starts)
	var borders []border
	for _, n := range (*starts)[1:] {
		borders = append(borders, border{at: n})
	}
	return borders
}

func classesFrom0(n int) []uint32 {
	classes := make([]uint32, n)
	for i := range classes {
		classes[i] = uint32(i)
	}
	return classes
}

func TestPartitionDoesNotAllocate(t *testing.T) {
	sets := make([]Set, 100)
	for i := range sets {
		sets[i] = of(t, fmt.Sprintf("10.%d.0.0/16", i), fmt.Sprintf("fd00:%x::/32", i))
	}
	p := NewPartition(sets...)
	for _, text := range []string{"10.7.0.1", "::ffff:10.7.0.1", "fd00:7::1"} {
		a := netip.MustParseAddr(text)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if c := p.Class(a); !p.In(c, 7) || p.In(c, 8) {
				t.Error("wrong answer")
			}
		}), text)
	}
	many := 0
	for _, p := range []*Partition{p, NewPartition(sets[:40]...)} { // lists and bitmaps
		require.Zero(t, testing.AllocsPerRun(100, func() {
			for c := Class(-1); c < Class(p.Len()); c++ {
				for i := range p.Sets(c) {
					many += i
				}
			}
		}))
	}
	require.Positive(t, many)
	zoned := netip.MustParseAddr("fe80::1%eth0")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if p.Class(zoned) != -1 {
			t.Error("wrong answer")
		}
	}))
}

// TestNewPartitionAllocates: small partitions are made by the ten thousand.
func TestNewPartitionAllocates(t *testing.T) {
	sets := fewSets(t)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { NewPartition(sets...) }), 12.0)
}

// fewSets returns sets as the policies of a small cluster have them.
func fewSets(t testing.TB) []Set {
	return []Set{
		of(t, "10.0.0.0/8"),
		mustParse(t, []string{"0.0.0.0/0", "10.0.0.0/8", "192.168.0.0/16"}),
		of(t, "10.1.2.0/24"),
		mustParse(t, []string{"::/0", "fd00::/8"}),
		of(t, "192.0.2.1/32"),
	}
}
