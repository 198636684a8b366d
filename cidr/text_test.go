package cidr

import (
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// parseText reads what String prints.
func parseText(t require.TestingT, text string) Set {
	var all Set
	if text == "none" {
		return all
	}
	for item := range strings.SplitSeq(text, ", ") {
		block, exceptions, found := strings.Cut(item, " except ")
		var except []string
		if found {
			except = strings.Split(exceptions, " and ")
		}
		s, err := Parse(block, except...)
		require.NoError(t, err, text)
		all = all.Union(s)
	}
	return all
}

func TestString(t *testing.T) {
	for _, tt := range []struct {
		why    string
		blocks [][]string
		want   string
	}{
		{"one block", [][]string{{"10.0.0.0/8"}}, "10.0.0.0/8"},
		{"one exception", [][]string{{"10.0.0.0/8", "10.1.0.0/16"}}, "10.0.0.0/8 except 10.1.0.0/16"},
		{"two exceptions", [][]string{{"10.0.0.0/8", "10.3.0.0/16", "10.1.0.0/16"}}, "10.0.0.0/8 except 10.1.0.0/16 and 10.3.0.0/16"},
		{"IPv4 comes first", [][]string{{"fd00::/8"}, {"10.0.0.0/9"}}, "10.0.0.0/9, fd00::/8"},
		{"all", [][]string{{"::/0"}, {"0.0.0.0/0"}}, "0.0.0.0/0, ::/0"},
		{"neighbors are one block if they can be", [][]string{{"10.0.0.0/9"}, {"10.128.0.0/9"}}, "10.0.0.0/8"},
		{"two blocks rather than a block with an exception", [][]string{{"10.0.0.0/9"}, {"10.128.0.0/10"}}, "10.0.0.0/9, 10.128.0.0/10"},
		{"an exception rather than three blocks", [][]string{{"10.0.0.0/9"}, {"10.128.0.0/10"}, {"10.192.0.0/11"}}, "10.0.0.0/8 except 10.224.0.0/11"},
		{"an exception to everything", [][]string{{"0.0.0.0/0", "169.254.169.254/32"}}, "0.0.0.0/0 except 169.254.169.254/32"},
		{"an exception to one block that is in another does not matter", [][]string{{"10.0.0.0/8", "10.1.0.0/16"}, {"10.1.0.0/16"}}, "10.0.0.0/8"},
		{"a block inside an exception", [][]string{{"10.0.0.0/8", "10.1.0.0/16", "10.9.0.0/16"}, {"10.1.2.0/24"}}, "10.0.0.0/8 except 10.1.0.0/16 and 10.9.0.0/16, 10.1.2.0/24"},
		{
			"a block with an exception inside an exception",
			[][]string{{"10.0.0.0/8", "10.1.0.0/16"}, {"10.1.64.0/18", "10.1.80.7/32"}},
			"10.0.0.0/8 except 10.1.0.0/16, 10.1.64.0/18 except 10.1.80.7/32",
		},
		{"exceptions that leave nothing", [][]string{{"10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9"}}, "none"},
		{"all of IPv6 is one block although it lacks the mapped addresses", [][]string{{"::/0"}}, "::/0"},
		{"IPv6 around the mapped addresses", [][]string{{"::/80"}, {"::1:0:0:0/80"}}, "::/79"},
		{"mapped is IPv4", [][]string{{"::ffff:10.0.0.0/104", "::ffff:10.1.0.0/112"}}, "10.0.0.0/8 except 10.1.0.0/16"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			require.Equal(t, tt.want, mustParse(t, tt.blocks...).String())
		})
	}
}

// TestStringRoundTrip: the text of a set describes the set.
func TestStringRoundTrip(t *testing.T) {
	var exceptions seen
	checkBoth(t, func(t *rapid.T) {
		s := genSample.Draw(t, "set").set
		text := s.String()
		exceptions.add(strings.Contains(text, "except"))
		require.True(t, parseText(t, text).Equal(s), text)
	}, &exceptions)
}

// TestStringShortest tries all sets of eight neighboring addresses: the text has
// as few prefixes as possible, and among those as few exceptions.
func TestStringShortest(t *testing.T) {
	// The parts of the eight addresses that prefixes can make up, as bitmaps.
	var prefixes []uint8
	for size := 8; size > 0; size /= 2 {
		for at := 0; at < 8; at += size {
			prefixes = append(prefixes, uint8((1<<size-1)<<at))
		}
	}
	const never = 1 << 20
	// unions returns the least total cost of items whose union is each bitmap.
	unions := func(cost map[uint8]int) (best [256]int) {
		for m := range best {
			best[m] = never
		}
		best[0] = 0
		for range 8 { // more than eight items are never needed
			for m := range best {
				for part, c := range cost {
					u := uint8(m) | part
					best[u] = min(best[u], best[m]+c)
				}
			}
		}
		return best
	}
	items := map[uint8]int{} // a block with exceptions
	for _, block := range prefixes {
		inside := map[uint8]int{}
		for _, p := range prefixes {
			if p != block && p&^block == 0 {
				inside[p] = 101
			}
		}
		for except, cost := range unions(inside) {
			if m := block &^ uint8(except); cost < never {
				if old, found := items[m]; !found || 100+cost < old {
					items[m] = 100 + cost
				}
			}
		}
	}
	want := unions(items)

	for _, base := range []string{"10.0.0.8", "255.255.255.248", "::", "::fffe:ffff:fff8", "::1:0:0:0", "fd00::10"} {
		addr := netip.MustParseAddr(base)
		for m := range 256 {
			var list []netip.Prefix
			a := addr
			for i := range 8 {
				if m>>i&1 != 0 {
					list = append(list, netip.PrefixFrom(a, a.BitLen()))
				}
				a = a.Next()
			}
			text := Of(list...).String()
			blocks := strings.Count(text, "/")
			exceptions := strings.Count(text, " except ") + strings.Count(text, " and ")
			require.Equal(t, want[m], 100*blocks+exceptions, "%s for %08b", text, bits.Reverse8(uint8(m)))
		}
	}
}

// TestPrefixes: the prefixes of a set make up the set, are in order and
// disjoint, and no two of them are the halves of one.
func TestPrefixes(t *testing.T) {
	var several seen
	checkBoth(t, func(t *rapid.T) {
		s := genSample.Draw(t, "set").set
		list := slices.Collect(s.Prefixes())
		several.add(len(list) > 1)
		require.True(t, Of(list...).Equal(s))
		for i, p := range list {
			require.Equal(t, p.Masked(), p)
			require.False(t, p.Addr().Is4In6())
			if i == 0 {
				continue
			}
			before := list[i-1]
			require.True(t, before.Addr().Less(p.Addr()))
			require.False(t, before.Overlaps(p))
			if p.Bits() > 0 && p.Bits() == before.Bits() && p.Addr().Is4() == before.Addr().Is4() {
				parent := netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked()
				require.False(t, parent.Contains(before.Addr()), "%v and %v", before, p)
			}
		}
	}, &several)
}

func TestPrefixesTable(t *testing.T) {
	for _, tt := range []struct {
		why  string
		set  Set
		want []string
	}{
		{"an exception leaves one prefix for each bit of difference", mustParse(t, []string{"10.0.0.0/8", "10.0.0.0/11"}), []string{"10.32.0.0/11", "10.64.0.0/10", "10.128.0.0/9"}},
		{"neighbors join across the borders of larger blocks", of(t, "10.0.3.0/24", "10.0.4.0/24"), []string{"10.0.3.0/24", "10.0.4.0/24"}},
		{"one address", of(t, "fd00::1/128"), []string{"fd00::1/128"}},
		{"everything", of(t, "::/0", "0.0.0.0/0"), []string{"0.0.0.0/0", "::/0"}},
		{"what lacks only mapped addresses is whole", of(t, "::/81", "::8000:0:0/82", "::c000:0:0/83", "::e000:0:0/84", "::f000:0:0/85", "::f800:0:0/86", "::fc00:0:0/87", "::fe00:0:0/88", "::ff00:0:0/89", "::ff80:0:0/90", "::ffc0:0:0/91", "::ffe0:0:0/92", "::fff0:0:0/93", "::fff8:0:0/94", "::fffc:0:0/95", "::fffe:0:0/96"), []string{"::/80"}},
	} {
		t.Run(tt.why, func(t *testing.T) {
			var got []string
			for p := range tt.set.Prefixes() {
				got = append(got, p.String())
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// TestPrefixesStop: a loop over prefixes can be left at any of them.
func TestPrefixesStop(t *testing.T) {
	s := mustParse(t, []string{"10.0.0.0/8", "10.0.0.0/11"}, []string{"fd00::/8"})
	all := slices.Collect(s.Prefixes())
	for n := 1; n <= len(all); n++ {
		var got []netip.Prefix
		for p := range s.Prefixes() {
			got = append(got, p)
			if len(got) == n {
				break
			}
		}
		require.Equal(t, all[:n], got)
	}
}
