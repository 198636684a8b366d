package cidr

import (
	"go/parser"
	"go/token"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParsePrefix(t *testing.T) {
	for _, tt := range []struct{ why, text, want string }{
		{"the plain form of IPv4", "10.0.0.0/8", "10.0.0.0/8"},
		{"the plain form of IPv6", "fd00::/8", "fd00::/8"},
		{"the shortest IPv4 prefix is all of IPv4", "0.0.0.0/0", "0.0.0.0/0"},
		{"the shortest IPv6 prefix is all of IPv6", "::/0", "::/0"},
		{"the longest IPv4 prefix is one address", "192.0.2.1/32", "192.0.2.1/32"},
		{"the longest IPv6 prefix is one address", "2001:db8::1/128", "2001:db8::1/128"},
		{"host bits are masked away (SEM-121)", "10.0.0.7/24", "10.0.0.0/24"},
		{"host bits are masked away beyond a short length (SEM-121)", "10.0.1.1/4", "0.0.0.0/4"},
		{"host bits of IPv6 are masked away (SEM-121)", "fd00::1/64", "fd00::/64"},
		{"leading zeros are decimal, not octal (SEM-324)", "010.011.000.0/16", "10.11.0.0/16"},
		{"any number of leading zeros (SEM-324)", "00000010.0.0.0/0000000000008", "10.0.0.0/8"},
		{"leading zeros beyond four digits of IPv6 (SEM-324)", "0fd00:00000::/8", "fd00::/8"},
		{"leading zeros of IPv4 inside IPv6 (SEM-324)", "::ffff:010.000.0.0/104", "10.0.0.0/8"},
		{"the spelling of IPv6 does not matter (SEM-125)", "FD00:0:0::/64", "fd00::/64"},
		{"mapped IPv6 is IPv4 (SEM-124)", "::ffff:10.0.0.0/104", "10.0.0.0/8"},
		{"mapped IPv6 in hexadecimal is IPv4 (SEM-124)", "::ffff:0a00:0/104", "10.0.0.0/8"},
		{"all of mapped IPv6 is all of IPv4 (SEM-124)", "::ffff:0:0/96", "0.0.0.0/0"},
		{"one mapped address (SEM-124)", "::ffff:192.0.2.1/128", "192.0.2.1/32"},
		{"a mapped prefix shorter than 96 is IPv6 (SEM-124)", "::ffff:10.0.0.0/95", "::fffe:0:0/95"},
		{"IPv4 at the end of IPv6 that is not mapped stays IPv6", "64:ff9b::10.0.0.0/104", "64:ff9b::a00:0/104"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			got, err := ParsePrefix(tt.text)
			require.NoError(t, err)
			require.Equal(t, netip.MustParsePrefix(tt.want), got)

			set, err := Parse(tt.text)
			require.NoError(t, err)
			require.True(t, set.Equal(Of(got)))
		})
	}
}

func TestParsePrefixErrors(t *testing.T) {
	const form = " is not an address, a slash and a prefix length, such as 10.0.0.0/8 or fd00::/8"
	for _, tt := range []struct{ why, text, want string }{
		{"no text", "", `""` + form},
		{"no address", "/8", `"/8"` + form},
		{"an address without a length", "10.0.0.1", `"10.0.0.1" has no prefix length; write 10.0.0.1/32 for the one address`},
		{"an IPv6 address without a length", "fd00:0::1", `"fd00:0::1" has no prefix length; write fd00::1/128 for the one address`},
		{"an empty length", "10.0.0.0/", `"10.0.0.0/" has the prefix length ""; it must be a number from 0 to 32`},
		{"too long for IPv4", "10.0.0.0/33", `"10.0.0.0/33" has the prefix length "33"; it must be a number from 0 to 32`},
		{"too long for IPv6", "::/129", `"::/129" has the prefix length "129"; it must be a number from 0 to 128`},
		{"long enough to overflow", "::/18446744073709551616", `"::/18446744073709551616" has the prefix length "18446744073709551616"; it must be a number from 0 to 128`},
		{"a negative length", "10.0.0.0/-1", `"10.0.0.0/-1" has the prefix length "-1"; it must be a number from 0 to 32`},
		{"a length with a sign", "10.0.0.0/+8", `"10.0.0.0/+8" has the prefix length "+8"; it must be a number from 0 to 32`},
		{"a netmask is not a length", "10.0.0.0/255.0.0.0", `"10.0.0.0/255.0.0.0" has the prefix length "255.0.0.0"; it must be a number from 0 to 32`},
		{"two lengths", "10.0.0.0/8/8", `"10.0.0.0/8/8" has the prefix length "8/8"; it must be a number from 0 to 32`},
		{"a blank before", " 10.0.0.0/8", `" 10.0.0.0/8"` + form},
		{"a blank after", "10.0.0.0/8 ", `"10.0.0.0/8 " has the prefix length "8 "; it must be a number from 0 to 32`},
		{"a blank inside", "10.0.0.0 /8", `"10.0.0.0 /8"` + form},
		{"a zone", "fe80::1%eth0/64", `"fe80::1%eth0/64" has the zone "eth0"; blocks have no zone`},
		{"a zone on IPv4", "10.0.0.0%eth0/8", `"10.0.0.0%eth0/8"` + form},
		{"too few numbers", "10.0.0/24", `"10.0.0/24"` + form},
		{"too many numbers", "10.0.0.0.0/24", `"10.0.0.0.0/24"` + form},
		{"a number over 255", "10.0.0.256/24", `"10.0.0.256/24"` + form},
		{"a name", "localhost/8", `"localhost/8"` + form},
		{"an unprintable letter is shown escaped", "10.0.0.0\n/8", `"10.0.0.0\n/8"` + form},
	} {
		t.Run(tt.why, func(t *testing.T) {
			got, err := ParsePrefix(tt.text)
			require.EqualError(t, err, tt.want)
			require.Equal(t, netip.Prefix{}, got)

			set, err := Parse(tt.text)
			require.EqualError(t, err, tt.want)
			require.True(t, set.IsEmpty())

			_, err = Parse("0.0.0.0/0", tt.text)
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestParseExceptions(t *testing.T) {
	for _, tt := range []struct {
		why     string
		blocks  []string
		in, out []string
	}{
		{
			why:    "an exception is taken out, its neighbors stay (SEM-115)",
			blocks: []string{"10.0.0.0/8", "10.1.0.0/16"},
			in:     []string{"10.0.255.255", "10.2.0.0"},
			out:    []string{"10.1.0.0", "10.1.255.255", "9.255.255.255", "11.0.0.0"},
		},
		{
			why:    "exceptions may nest; an inner one does not bring back (SEM-118)",
			blocks: []string{"10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/16"},
			in:     []string{"10.128.0.0"},
			out:    []string{"10.0.0.1", "10.1.0.1"},
		},
		{
			why:    "exceptions may overlap, repeat and come in any order (SEM-118)",
			blocks: []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/15", "10.1.0.0/16"},
			in:     []string{"10.2.0.0"},
			out:    []string{"10.0.0.0", "10.1.0.0"},
		},
		{
			why:    "exceptions may together cover the block (SEM-117)",
			blocks: []string{"10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9"},
			out:    []string{"10.0.0.0", "10.127.255.255", "10.128.0.0", "10.255.255.255"},
		},
		{
			why:    "the smallest case: one of two addresses (SEM-326)",
			blocks: []string{"10.0.0.0/31", "10.0.0.1/32"},
			in:     []string{"10.0.0.0"},
			out:    []string{"10.0.0.1"},
		},
		{
			why:    "the first and the last address of a block are ordinary (SEM-120)",
			blocks: []string{"10.0.1.0/24"},
			in:     []string{"10.0.1.0", "10.0.1.255"},
			out:    []string{"10.0.0.255", "10.0.2.0"},
		},
		{
			why:    "a block and its exception may be spelled differently (SEM-124)",
			blocks: []string{"::ffff:10.0.0.0/104", "010.1.0.7/16"},
			in:     []string{"10.2.0.0", "::ffff:10.2.0.0"},
			out:    []string{"10.1.0.0", "::ffff:10.1.0.0"},
		},
		{
			why:    "all of IPv6 holds no mapped address (SEM-119, SEM-124)",
			blocks: []string{"::/0", "fd00::/8"},
			in:     []string{"::", "2001:db8::1", "::fffe:ffff:ffff", "::1:0:0:0"},
			out:    []string{"fd00::1", "10.0.0.1", "::ffff:10.0.0.1"},
		},
		{
			why:    "all of IPv4 holds no IPv6 address (SEM-119)",
			blocks: []string{"0.0.0.0/0"},
			in:     []string{"0.0.0.0", "255.255.255.255", "::ffff:10.0.0.1"},
			out:    []string{"::", "::1", "fd00::1"},
		},
	} {
		t.Run(tt.why, func(t *testing.T) {
			s, err := Parse(tt.blocks[0], tt.blocks[1:]...)
			require.NoError(t, err)
			for _, a := range tt.in {
				require.True(t, s.Contains(netip.MustParseAddr(a)), a)
			}
			for _, a := range tt.out {
				require.False(t, s.Contains(netip.MustParseAddr(a)), a)
			}
		})
	}
}

func TestParseExceptionErrors(t *testing.T) {
	const rule = "; an exception must be a part of its block, and smaller"
	for _, tt := range []struct {
		why    string
		blocks []string
		want   []string
	}{
		{"outside", []string{"10.0.0.0/8", "11.0.0.0/8"}, []string{"11.0.0.0/8 is not inside 10.0.0.0/8" + rule}},
		{"outside and smaller", []string{"10.0.0.0/8", "11.0.0.0/16"}, []string{"11.0.0.0/16 is not inside 10.0.0.0/8" + rule}},
		{"equal", []string{"10.0.0.0/8", "10.0.0.0/8"}, []string{"10.0.0.0/8 is the whole of 10.0.0.0/8" + rule}},
		{"equal once masked", []string{"10.0.0.0/8", "10.1.2.3/8"}, []string{"10.1.2.3/8 is the whole of 10.0.0.0/8" + rule}},
		{"equal once unmapped", []string{"10.0.0.0/8", "::ffff:10.0.0.0/104"}, []string{"::ffff:10.0.0.0/104 is the whole of 10.0.0.0/8" + rule}},
		{"wider", []string{"10.0.0.0/8", "10.0.0.0/7"}, []string{"10.0.0.0/7 is wider than 10.0.0.0/8" + rule}},
		{"everything", []string{"10.0.0.0/8", "0.0.0.0/0"}, []string{"0.0.0.0/0 is wider than 10.0.0.0/8" + rule}},
		{"IPv6 in IPv4", []string{"0.0.0.0/0", "fd00::/8"}, []string{"fd00::/8 is not of the same address family as 0.0.0.0/0" + rule}},
		{"IPv4 in IPv6", []string{"::/0", "10.0.0.0/8"}, []string{"10.0.0.0/8 is not of the same address family as ::/0" + rule}},
		{
			why:    "all errors, in the order of the exceptions",
			blocks: []string{"10.0.0.0/8", "11.0.0.0/8", "10.1.0.0/16", "x", "10.0.0.0/7"},
			want: []string{
				"11.0.0.0/8 is not inside 10.0.0.0/8" + rule,
				`"x" is not an address, a slash and a prefix length, such as 10.0.0.0/8 or fd00::/8`,
				"10.0.0.0/7 is wider than 10.0.0.0/8" + rule,
			},
		},
		{
			why:    "of a faulty block nothing can be outside",
			blocks: []string{"10.0.0.0", "fd00::/8", "10.0.0.0/40"},
			want: []string{
				`"10.0.0.0" has no prefix length; write 10.0.0.0/32 for the one address`,
				`"10.0.0.0/40" has the prefix length "40"; it must be a number from 0 to 32`,
			},
		},
	} {
		t.Run(tt.why, func(t *testing.T) {
			s, err := Parse(tt.blocks[0], tt.blocks[1:]...)
			require.EqualError(t, err, strings.Join(tt.want, "\n"))
			require.True(t, s.IsEmpty())
		})
	}
}

var leadingZeros = regexp.MustCompile(`\b0+([0-9a-fA-F])`)

// lenientParse is how Kubernetes has always parsed a block: package net without
// its refusal of leading zeros.
func lenientParse(s string) (*net.IPNet, bool) {
	_, n, err := net.ParseCIDR(leadingZeros.ReplaceAllString(s, "$1"))
	return n, err == nil
}

// checkParse fails if ParsePrefix and package net disagree on s.
func checkParse(t require.TestingT, s string) (accepted bool) {
	want, ok := lenientParse(s)
	got, err := ParsePrefix(s)
	if !ok {
		require.Error(t, err, "%q", s)
		require.Contains(t, err.Error(), strconv.Quote(s))
		return false
	}
	require.NoError(t, err, "%q", s)
	_, same, err := net.ParseCIDR(got.String())
	require.NoError(t, err)
	a, b := prefixHolder(same), prefixHolder(want)
	require.Equal(t, b, a, "%q", s)
	require.Equal(t, got.Masked(), got)
	require.False(t, got.Addr().Is4In6())
	return true
}

// prefixHolder returns n in the form in which two equal blocks are equal,
// whether they were written mapped or not.
func prefixHolder(n *net.IPNet) string {
	ones, _ := n.Mask.Size()
	if n.IP.To4() != nil && len(n.Mask) == net.IPv6len {
		ones -= 96
	}
	return n.IP.String() + "/" + strconv.Itoa(ones)
}

// TestParsePrefixLenient: ParsePrefix accepts a text exactly if package net
// accepts it without its leading zeros, and both see the same block.
func TestParsePrefixLenient(t *testing.T) {
	var answers seen
	checkBoth(t, func(t *rapid.T) {
		addr := rapid.OneOf(
			rapid.StringMatching(`(0{0,3}[0-9]{1,3}\.){3}0{0,3}[0-9]{1,2}`),
			rapid.StringMatching(`(0{0,2}[0-9a-fA-F]{1,4}:){0,7}:?([0-9a-f]{1,4}:){0,2}[0-9a-f]{1,5}`),
			rapid.StringMatching(`(0{1,6}:){0,3}:((ffff|0ffff|FFFF):)?(0?[0-9]{1,2}\.){3}[0-9]{1,2}`),
			rapid.StringMatching(`[0-9a-f:.%g ]{0,9}`),
			rapid.Map(genAddr, netip.Addr.String),
			rapid.Map(genAddr, netip.Addr.StringExpanded),
		).Draw(t, "addr")
		length := rapid.OneOf(
			rapid.StringMatching(`0{0,2}[0-9]{1,2}`),
			rapid.StringMatching(`1[0-2][0-9]`),
			rapid.StringMatching(`[0-9+ -/]{0,3}`),
		).Draw(t, "length")
		slash := rapid.SampledFrom([]string{"/", "/", "/", "/", "", "//", " /"}).Draw(t, "slash")
		answers.add(checkParse(t, addr+slash+length))
	}, &answers)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"10.0.0.0/8", "10.0.0.7/24", "010.0.0.0/08", "fd00::/8", "::/0", "::ffff:10.0.0.0/104",
		"::ffff:0:0/95", "fe80::1%eth0/64", "1:2:3:4:5:6:7:8/128", "1:2:3:4:5:6:7::/127", "10.0.0.0",
	} {
		f.Add(s, "10.1.0.0/16")
	}
	f.Fuzz(func(t *testing.T, block, except string) {
		checkParse(t, block)
		checkParse(t, except)
		s, err := Parse(block, except)
		if err != nil {
			require.True(t, s.IsEmpty())
			return
		}
		outer, inner := mustParse(t, []string{block}), mustParse(t, []string{except})
		checkInvariant(t, s)
		require.False(t, s.IsEmpty(), "one exception cannot take all")
		require.True(t, s.Equal(outer.Minus(inner)))
		require.True(t, inner.Minus(outer).IsEmpty())
		require.True(t, parseText(t, s.String()).Equal(s))
	})
}

// TestImports holds the package to the standard library.
func TestImports(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	files := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			first, _, _ := strings.Cut(path, "/")
			require.NotContains(t, first, ".", "%s imports %s", e.Name(), path)
			require.NotContains(t, []string{"os", "net", "log", "unsafe"}, path, e.Name())
		}
	}
	require.Positive(t, files)
}
