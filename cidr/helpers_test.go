package cidr

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// mustParse returns the addresses of the blocks, each given as Parse takes it:
// a block and its exceptions.
func mustParse(t testing.TB, blocks ...[]string) Set {
	t.Helper()
	var all Set
	for _, b := range blocks {
		s, err := Parse(b[0], b[1:]...)
		require.NoError(t, err)
		all = all.Union(s)
	}
	return all
}

// of returns the addresses of the prefixes, which are given as text.
func of(t testing.TB, prefixes ...string) Set {
	t.Helper()
	var list []netip.Prefix
	for _, s := range prefixes {
		p, err := netip.ParsePrefix(s)
		require.NoError(t, err)
		list = append(list, p)
	}
	return Of(list...)
}

// A sample is a Set with what it is made of, for an oracle that knows nothing
// of runs: package net decides what a single prefix holds.
type sample struct {
	set   Set
	holds func(net.IP) bool
}

// has is the oracle's answer for an address without a zone.
func (s sample) has(a netip.Addr) bool { return s.holds(net.IP(a.AsSlice())) }

func prefixSample(prefixes []netip.Prefix) sample {
	var nets []*net.IPNet
	for _, p := range prefixes {
		_, n, err := net.ParseCIDR(p.String())
		if err != nil {
			panic(err)
		}
		nets = append(nets, n)
	}
	return sample{Of(prefixes...), func(ip net.IP) bool {
		return slices.ContainsFunc(nets, func(n *net.IPNet) bool { return n.Contains(ip) })
	}}
}

// Addresses around which something can go wrong: the ends of the families, the
// borders of the IPv4-mapped addresses, and some ordinary ones.
var corners = []netip.Addr{
	netip.MustParseAddr("0.0.0.0"),
	netip.MustParseAddr("10.0.0.0"),
	netip.MustParseAddr("127.255.255.255"),
	netip.MustParseAddr("255.255.255.255"),
	netip.MustParseAddr("::"),
	netip.MustParseAddr("::fffe:ffff:ffff"),
	netip.MustParseAddr("::ffff:0.0.0.0"),
	netip.MustParseAddr("::ffff:10.0.0.0"),
	netip.MustParseAddr("::ffff:255.255.255.255"),
	netip.MustParseAddr("::1:0:0:0"),
	netip.MustParseAddr("fd00::"),
	netip.MustParseAddr("fd00::ffff:ffff:ffff:ffff"),
	netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
}

// genAddr returns a corner with some of its bits flipped, mostly low ones.
var genAddr = rapid.Custom(func(t *rapid.T) netip.Addr {
	a := rapid.SampledFrom(corners).Draw(t, "corner")
	bytes := a.AsSlice()
	for range rapid.IntRange(0, 3).Draw(t, "flips") {
		bit := rapid.OneOf(
			rapid.IntRange(a.BitLen()-5, a.BitLen()-1),
			rapid.IntRange(0, a.BitLen()-1),
		).Draw(t, "bit")
		bytes[bit/8] ^= 0x80 >> (bit % 8)
	}
	a, _ = netip.AddrFromSlice(bytes)
	return a
})

// genPrefix returns a prefix that is often very short, very long, or about as
// long as one of IPv4-mapped addresses can be.
var genPrefix = rapid.Custom(func(t *rapid.T) netip.Prefix {
	a := genAddr.Draw(t, "addr")
	lengths := []*rapid.Generator[int]{
		rapid.IntRange(0, 2),
		rapid.IntRange(a.BitLen()-5, a.BitLen()),
		rapid.IntRange(0, a.BitLen()),
	}
	if a.Is6() {
		lengths = append(lengths, rapid.IntRange(92, 99))
	}
	return netip.PrefixFrom(a, rapid.OneOf(lengths...).Draw(t, "length"))
})

// genSample returns the prefixes, or two samples with an operation on them.
var genSample = genSampleOfDepth(2)

func genSampleOfDepth(depth int) *rapid.Generator[sample] {
	return rapid.Custom(func(t *rapid.T) sample {
		leaf := prefixSample(rapid.SliceOfN(genPrefix, 0, 4).Draw(t, "prefixes"))
		if depth == 0 {
			return leaf
		}
		op := rapid.SampledFrom([]string{"leaf", "union", "intersect", "minus"}).Draw(t, "op")
		if op == "leaf" {
			return leaf
		}
		x := genSampleOfDepth(depth-1).Draw(t, "x")
		y := genSampleOfDepth(depth-1).Draw(t, "y")
		switch op {
		case "union":
			return sample{x.set.Union(y.set), func(ip net.IP) bool { return x.holds(ip) || y.holds(ip) }}
		case "intersect":
			return sample{x.set.Intersect(y.set), func(ip net.IP) bool { return x.holds(ip) && y.holds(ip) }}
		default:
			return sample{x.set.Minus(y.set), func(ip net.IP) bool { return x.holds(ip) && !y.holds(ip) }}
		}
	})
}

// probes returns the addresses that s must be asked about: each end of each run
// and one beside it, the corners, and some at random.
func probes(t *rapid.T, sets ...Set) []netip.Addr {
	around := slices.Clone(corners)
	for _, s := range sets {
		for _, r := range s.runs {
			around = append(around, r.first, r.last)
		}
	}
	all := rapid.SliceOfN(genAddr, 8, 8).Draw(t, "probes")
	for _, a := range around {
		all = append(all, a, a.Prev(), a.Next())
	}
	return slices.DeleteFunc(all, func(a netip.Addr) bool { return !a.IsValid() })
}

// checkInvariant fails if s is not in the normal form that Equal relies on.
func checkInvariant(t require.TestingT, s Set) {
	for i, r := range s.runs {
		require.True(t, r.first.Compare(r.last) <= 0, "run %v is empty", r)
		require.Equal(t, r.first.BitLen(), r.last.BitLen(), "run %v is of two families", r)
		require.False(t, r.first.Is4In6() || r.last.Is4In6(), "run %v ends at a mapped address", r)
		if i == 0 {
			continue
		}
		before := s.runs[i-1]
		require.True(t, before.last.Less(r.first), "runs %v and %v are out of order", before, r)
		gap := before.last.Next()
		if gap.Is4In6() {
			gap = netip.MustParseAddr("::1:0:0:0")
		}
		require.NotEqual(t, gap, r.first, "runs %v and %v touch", before, r)
	}
}

// seen counts answers, to tell that a property was not checked on one kind only.
type seen struct{ yes, no int }

func (s *seen) add(answer bool) {
	if answer {
		s.yes++
	} else {
		s.no++
	}
}

// checkBoth checks a property as rapid.Check does, again and again until each of
// sought has seen both answers. Chance alone does not keep it from that for
// twenty rounds.
func checkBoth(t *testing.T, property func(*rapid.T), sought ...*seen) {
	t.Helper()
	short := func(s *seen) bool { return s.yes == 0 || s.no == 0 }
	for range 20 {
		rapid.Check(t, property)
		if !slices.ContainsFunc(sought, short) {
			return
		}
	}
	t.Fatalf("the sample has only one answer: %+v", sought)
}
