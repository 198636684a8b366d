package cidr

import (
	"math/big"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSetOracle: a Set made by any operations holds exactly the addresses that
// the prefixes and the operations on them say.
func TestSetOracle(t *testing.T) {
	var answers seen
	checkBoth(t, func(t *rapid.T) {
		s := genSample.Draw(t, "set")
		checkInvariant(t, s.set)
		for _, a := range probes(t, s.set) {
			want := s.has(a)
			answers.add(want)
			require.Equal(t, want, s.set.Contains(a), "%v in %v", a, s.set)
		}
	}, &answers)
}

// TestOfShuffled: neither the order of prefixes, nor repeating one, nor
// splitting one into its halves changes the set. The exception is ::fffe:0:0/95,
// whose upper half, written by itself, is IPv4.
func TestOfShuffled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefixes := rapid.SliceOfN(genPrefix, 1, 6).Draw(t, "prefixes")
		want := Of(prefixes...)
		require.True(t, want.Equal(Of(rapid.Permutation(prefixes).Draw(t, "shuffled")...)))
		one := rapid.SampledFrom(prefixes).Draw(t, "one")
		require.True(t, want.Equal(Of(append(slices.Clone(prefixes), one)...)))
		if one.Bits() < one.Addr().BitLen() {
			rest := slices.DeleteFunc(slices.Clone(prefixes), func(p netip.Prefix) bool { return p == one })
			low, high := halves(one.Masked())
			if one.Masked() == netip.MustParsePrefix("::fffe:0:0/95") {
				return
			}
			require.True(t, want.Equal(Of(append(rest, low, high)...)))
		}
	})
}

// TestSetLaws: the operations obey the laws of sets, and change no operand.
func TestSetLaws(t *testing.T) {
	all := of(t, "0.0.0.0/0", "::/0")
	var equal, empty seen
	checkBoth(t, func(t *rapid.T) {
		a := genSample.Draw(t, "a").set
		b := genSample.Draw(t, "b").set
		c := genSample.Draw(t, "c").set
		before := []Set{{slices.Clone(a.runs)}, {slices.Clone(b.runs)}, {slices.Clone(c.runs)}}
		same := func(law string, x, y Set) {
			checkInvariant(t, x)
			checkInvariant(t, y)
			require.True(t, x.Equal(y), "%s: %v and %v", law, x, y)
		}
		same("union commutes", a.Union(b), b.Union(a))
		same("union associates", a.Union(b).Union(c), a.Union(b.Union(c)))
		same("union of one", a.Union(a), a)
		same("union with none", a.Union(Set{}), a)
		same("intersection commutes", a.Intersect(b), b.Intersect(a))
		same("intersection associates", a.Intersect(b).Intersect(c), a.Intersect(b.Intersect(c)))
		same("intersection with all", a.Intersect(all), a)
		same("intersection distributes", a.Intersect(b.Union(c)), a.Intersect(b).Union(a.Intersect(c)))
		same("De Morgan", all.Minus(a.Union(b)), all.Minus(a).Intersect(all.Minus(b)))
		same("minus as intersection", a.Minus(b), a.Intersect(all.Minus(b)))
		same("minus itself", a.Minus(a), Set{})
		same("in two parts", a.Minus(b).Union(a.Intersect(b)), a)
		same("complement twice", all.Minus(all.Minus(a)), a)

		sum := new(big.Int).Add(a.Size(), b.Size())
		parts := new(big.Int).Add(a.Union(b).Size(), a.Intersect(b).Size())
		require.Zero(t, sum.Cmp(parts), "sizes of %v and %v", a, b)

		equal.add(a.Equal(b))
		require.Equal(t, a.Equal(b), a.Minus(b).IsEmpty() && b.Minus(a).IsEmpty())
		empty.add(a.IsEmpty())
		require.Equal(t, a.IsEmpty(), a.Size().Sign() == 0)
		require.Equal(t, a.IsEmpty(), !a.First().IsValid())
		if !a.IsEmpty() {
			require.True(t, a.Contains(a.First()))
			below := prev(a.First())
			require.False(t, below.IsValid() && a.Contains(below))
		}

		for i, s := range []Set{a, b, c} {
			require.True(t, s.Equal(before[i]), "an operation changed an operand")
		}
	}, &equal, &empty)
}

func TestOfIgnoresInvalid(t *testing.T) {
	require.True(t, Of(netip.Prefix{}).IsEmpty())
	require.True(t, Of(netip.Prefix{}, netip.MustParsePrefix("10.0.0.0/8")).Equal(of(t, "10.0.0.0/8")))
	require.True(t, Of(netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), 33)).IsEmpty())
	require.True(t, Of().IsEmpty())
}

func TestContains(t *testing.T) {
	all := of(t, "0.0.0.0/0", "::/0")
	for _, tt := range []struct {
		why  string
		addr netip.Addr
		want bool
	}{
		{"IPv4", netip.MustParseAddr("10.0.0.1"), true},
		{"IPv6", netip.MustParseAddr("fd00::1"), true},
		{"mapped IPv6 is IPv4", netip.MustParseAddr("::ffff:10.0.0.1"), true},
		{"an address with a zone is in no set", netip.MustParseAddr("fe80::1%eth0"), false},
		{"even if unmapping would drop the zone", netip.MustParseAddr("::ffff:10.0.0.1").WithZone("eth0"), false},
		{"the zero Addr is no address", netip.Addr{}, false},
	} {
		t.Run(tt.why, func(t *testing.T) {
			require.Equal(t, tt.want, all.Contains(tt.addr))
			require.False(t, Set{}.Contains(tt.addr))
		})
	}
}

func TestZeroSet(t *testing.T) {
	var s Set
	require.True(t, s.IsEmpty())
	require.True(t, s.Equal(Of()))
	require.True(t, s.Union(s).Intersect(s).Minus(s).Equal(s))
	require.Zero(t, s.Size().Sign())
	require.Equal(t, netip.Addr{}, s.First())
	require.Empty(t, slices.Collect(s.Prefixes()))
	require.Equal(t, "none", s.String())
}

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		why  string
		a, b Set
		want bool
	}{
		{"two halves are the whole", of(t, "10.0.0.0/9", "10.128.0.0/9"), of(t, "10.0.0.0/8"), true},
		{"neighbors that are no halves of one block join too", of(t, "10.0.1.0/24", "10.0.2.0/23"), of(t, "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"), true},
		{"the end of IPv4 does not touch the start of IPv6", of(t, "255.255.255.255/32"), of(t, "255.255.255.255/32", "::/128"), false},
		{"0.0.0.1 is not ::1", of(t, "0.0.0.1/32"), of(t, "::1/128"), false},
		{"mapped is IPv4", of(t, "::ffff:10.0.0.0/104"), of(t, "10.0.0.0/8"), true},
		{"mapped addresses are no part of IPv6", of(t, "::fffe:0:0/95"), of(t, "::fffe:0:0/96"), true},
		{"taking mapped addresses from IPv6 takes nothing", of(t, "::/0").Minus(of(t, "::ffff:0:0/96")), of(t, "::/0"), true},
		{
			"IPv6 up to and from the mapped addresses is all of IPv6",
			of(t, "::/0").Minus(of(t, "::1:0:0:0/80")).Union(of(t, "::1:0:0:0/80")), of(t, "::/0"), true,
		},
	} {
		t.Run(tt.why, func(t *testing.T) {
			require.Equal(t, tt.want, tt.a.Equal(tt.b))
			require.Equal(t, tt.want, tt.b.Equal(tt.a))
		})
	}
}

func TestSize(t *testing.T) {
	for _, tt := range []struct {
		why  string
		set  Set
		want string
	}{
		{"nothing", Set{}, "0"},
		{"one address", of(t, "10.0.0.1/32"), "1"},
		{"one IPv6 address", of(t, "fd00::/128"), "1"},
		{"all of IPv4 is 2^32", of(t, "0.0.0.0/0"), "4294967296"},
		{"a /64 is 2^64", of(t, "fd00::/64"), "18446744073709551616"},
		{"all of IPv6 is 2^128 without the 2^32 of IPv4", of(t, "::/0"), "340282366920938463463374607427473244160"},
		{"both families are 2^128", of(t, "0.0.0.0/0", "::/0"), "340282366920938463463374607431768211456"},
		{"up to the mapped addresses nothing is missing", of(t, "::fffe:0:0/96"), "4294967296"},
		{"IPv6 with mapped addresses at the end", of(t, "::/80"), "281470681743360"}, // 2^48 - 2^32
		{"several runs add up", of(t, "10.0.0.0/24", "10.0.2.0/24", "fd00::/120"), "768"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			require.Equal(t, tt.want, tt.set.Size().String())
		})
	}
}

func TestFirst(t *testing.T) {
	for _, tt := range []struct {
		why  string
		set  Set
		want string
	}{
		{"the lowest", of(t, "10.0.0.0/8", "9.0.0.0/16"), "9.0.0.0"},
		{"IPv4 comes before IPv6", of(t, "::/128", "255.0.0.0/8"), "255.0.0.0"},
		{"an exception may take the front", mustParse(t, []string{"::/0", "::/1"}), "8000::"},
		{"mapped addresses are passed over", of(t, "::/0").Minus(of(t, "::/81", "::8000:0:0/82", "::c000:0:0/83", "::e000:0:0/84", "::f000:0:0/85", "::f800:0:0/86", "::fc00:0:0/87", "::fe00:0:0/88", "::ff00:0:0/88")), "::1:0:0:0"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			require.Equal(t, tt.want, tt.set.First().String())
		})
	}
}

func TestSetDoesNotAllocate(t *testing.T) {
	s := of(t, "10.0.0.0/8", "192.168.0.0/16", "fd00::/8")
	other := of(t, "10.0.0.0/8", "192.168.0.0/16", "fe00::/8")
	a, b := netip.MustParseAddr("192.168.3.4"), netip.MustParseAddr("::ffff:11.0.0.1")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if !s.Contains(a) || s.Contains(b) || s.Equal(other) || s.IsEmpty() || !s.First().IsValid() {
			t.Error("wrong answer")
		}
	}))
}
