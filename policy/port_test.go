package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParsePort(t *testing.T) {
	tests := []struct {
		in   string
		want Port
		why  string
	}{
		{"80/TCP", TCP.Port(80), "the form that String returns"},
		{"80/tcp", TCP.Port(80), "protocols may be written in any case"},
		{"80/Tcp", TCP.Port(80), "protocols may be written in any case"},
		{"80", TCP.Port(80), "TCP is what the API assumes, too"},
		{"53/UDP", UDP.Port(53), "UDP has ports"},
		{"7777/sctp", SCTP.Port(7777), "SCTP has ports"},
		{"1/TCP", TCP.Port(1), "the lowest port"},
		{"65535/TCP", TCP.Port(65535), "the highest port"},
		{"ICMP", ICMP.Port(0), "ICMP has no ports"},
		{"icmpv6", ICMPv6.Port(0), "ICMPv6 has no ports"},
		{"IP/47", Protocol(47).Port(0), "GRE, by its number"},
		{"ip/255", Protocol(255).Port(0), "the highest protocol"},
		{"IP/1", ICMP.Port(0), "another way to write ICMP"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParsePort(tt.in)
			require.NoError(t, err, tt.why)
			assert.Equal(t, tt.want, got, tt.why)
		})
	}
}

func TestParsePortRefuses(t *testing.T) {
	tests := []struct {
		in, says string
		why      string
	}{
		{"", "digits", "nothing is no port"},
		{"0", "between 1 and 65535", "port 0 is reserved"},
		{"0/UDP", "between 1 and 65535", "port 0 is reserved"},
		{"65536", "between 1 and 65535", "ports have 16 bits"},
		{"99999999999999999999", "between 1 and 65535", "too large for any integer"},
		{"+80", "digits", "a sign is not a digit"},
		{"-80", "digits", "a sign is not a digit"},
		{" 80", "digits", "a blank is not a digit"},
		{"80 ", "digits", "a blank is not a digit"},
		{"8_0", "digits", "not a Go literal"},
		{"0x50", "digits", "not a Go literal"},
		{"٨٠", "digits", "only ASCII digits"},
		{"080", "write 80", "it would not print as it was written, and could be octal"},
		{"00", "between 1 and 65535", "still zero"},
		{"80.5", "digits", "a fraction"},
		{"http", "digits", "names mean something to one pod only"},
		{"80/", `no protocol is called ""`, "the protocol is missing"},
		{"/TCP", "digits", "the port is missing"},
		{"/", "digits", "both are missing"},
		{"80/QUIC", `no protocol is called "QUIC"`, "a protocol that no policy can name"},
		{"80/ TCP", `no protocol is called " TCP"`, "a blank is no part of a protocol"},
		{"80/TCP/UDP", `no protocol is called "TCP/UDP"`, "two protocols"},
		{"80/ſctp", "no protocol is called", "a letter that folds to s, beyond ASCII"},
		{"TCP/80", "digits", "the wrong way round"},
		{"TCP", "80/TCP", "all ports at once are no port"},
		{"sctp", "80/SCTP", "all ports at once are no port"},
		{"80/ICMP", "write ICMP alone", "ICMP has no ports"},
		{"IP/0", "between 1 and 255", "the zero Protocol is none"},
		{"IP/256", "between 1 and 255", "protocols have 8 bits"},
		{"IP/047", "write 47", "it would not print as it was written"},
		{"IP/", "digits", "the number is missing"},
		{"IP", "digits", "the number is missing"},
		{"IP/6", "80/TCP", "TCP, by its number, without a port"},
		{"80/IP", "no protocol is called", "no protocol"},
		{"none", "digits", "how the zero Port prints"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParsePort(tt.in)
			require.ErrorContains(t, err, tt.says, tt.why)
			assert.ErrorContains(t, err, fmt.Sprintf("%q", tt.in), "the error quotes the input")
			assert.Zero(t, got)
		})
	}
}

func FuzzParsePort(f *testing.F) {
	for _, s := range []string{"80/TCP", "80", "icmp", "ICMPv6", "IP/47", "IP/6", "080", "0", "65536/udp", "", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePort(s)
		if err != nil {
			require.Zero(t, p)
			return
		}
		require.True(t, p.Valid(), "%q parses to a port that is not valid", s)
		again, err := ParsePort(p.String())
		require.NoError(t, err)
		require.Equal(t, p, again, "what %q prints parses to another port", s)
	})
}

// Every valid Port parses back from its text; no other does.
func TestPortText(t *testing.T) {
	valid, invalid := 0, 0
	for protocol := range 256 {
		for _, n := range []uint16{0, 1, 2, 80, 65534, 65535} {
			p := Protocol(protocol).Port(n)
			got, err := ParsePort(p.String())
			if p.Valid() {
				valid++
				require.NoError(t, err)
				require.Equal(t, p, got)
			} else {
				invalid++
				require.Error(t, err, "%#v parses to %#v", p, got)
			}
		}
	}
	assert.Equal(t, 3*5+252, valid, "five numbers of three protocols, and the protocols without ports but 0")
	assert.NotZero(t, invalid)
}

func TestPortString(t *testing.T) {
	assert.Equal(t, "443/TCP", TCP.Port(443).String())
	assert.Equal(t, "ICMPv6", ICMPv6.Port(0).String())
	assert.Equal(t, "IP/47", Port{Protocol: 47}.String())
	assert.Equal(t, "none", Port{}.String())
	assert.Equal(t, "0/TCP", TCP.Port(0).String(), "not valid, yet not taken for a protocol")
	assert.Equal(t, "443/TCP", fmt.Sprintf("%#v", TCP.Port(443)))
}

func TestPortRangeString(t *testing.T) {
	assert.Equal(t, "443/TCP", PortRange{TCP, 443, 443}.String())
	assert.Equal(t, "8000-8080/TCP", PortRange{TCP, 8000, 8080}.String())
	assert.Equal(t, "UDP", PortRange{UDP, 1, 65535}.String())
	assert.Equal(t, "1-65534/UDP", PortRange{UDP, 1, 65534}.String())
	assert.Equal(t, "other protocols", PortRange{}.String())
}

func TestPortSetString(t *testing.T) {
	tests := []struct {
		want   string
		ranges []PortRange
		why    string
	}{
		{"none", nil, "the empty set"},
		{"80/TCP", []PortRange{{TCP, 80, 80}}, "one port"},
		{"80/TCP, 8000-8080/TCP, 53/UDP", []PortRange{{UDP, 53, 53}, {TCP, 8000, 8080}, {TCP, 80, 80}}, "sorted"},
		{"80-82/TCP", []PortRange{{TCP, 80, 80}, {TCP, 82, 82}, {TCP, 81, 81}}, "adjacent ranges are one"},
		{"80-90/TCP", []PortRange{{TCP, 80, 90}, {TCP, 82, 83}, {TCP, 80, 81}}, "a range inside another adds nothing"},
		{"80-81/TCP, 82-83/UDP", []PortRange{{TCP, 80, 81}, {UDP, 82, 83}}, "protocols stay apart"},
		{"TCP", []PortRange{{TCP, 1, 30000}, {TCP, 30001, 65535}}, "a whole protocol"},
		{"SCTP, other protocols", []PortRange{{}, {SCTP, 1, 65535}, {}}, "protocols without ports come last, once"},
		{"TCP, UDP, SCTP", []PortRange{{TCP, 1, 65535}, {UDP, 1, 65535}, {SCTP, 1, 65535}}, "not all: ICMP is missing (SEM-165)"},
		{"all", []PortRange{{}, {TCP, 1, 65535}, {UDP, 1, 65535}, {SCTP, 1, 65535}}, "everything"},
		{"65535/TCP", []PortRange{{TCP, 65535, 65535}, {TCP, 65535, 65535}}, "nothing comes after the last port"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			s := NewPortSet(tt.ranges...)
			assert.Equal(t, tt.want, s.String(), tt.why)
			assert.Equal(t, tt.want, fmt.Sprintf("%#v", s))
			assert.Equal(t, len(tt.ranges) == 0, s.IsEmpty())
		})
	}
}

func TestParsePortSet(t *testing.T) {
	tests := []struct {
		in   string
		want []PortRange
		why  string
	}{
		{"none", nil, "the empty set"},
		{"80/TCP", []PortRange{{TCP, 80, 80}}, "one port"},
		{"80", []PortRange{{TCP, 80, 80}}, "TCP is what the API assumes, too"},
		{"8000-8080", []PortRange{{TCP, 8000, 8080}}, "the same for a range"},
		{"80-80/UDP", []PortRange{{UDP, 80, 80}}, "a range of one port"},
		{"1-65535/SCTP", []PortRange{{SCTP, 1, 65535}}, "a range of all ports"},
		{"UDP", []PortRange{{UDP, 1, 65535}}, "a whole protocol"},
		{"udp, 80/tcp", []PortRange{{TCP, 80, 80}, {UDP, 1, 65535}}, "protocols may be written in any case"},
		{"other protocols", []PortRange{{}}, "the protocols without ports"},
		{"all", []PortRange{{TCP, 1, 65535}, {UDP, 1, 65535}, {SCTP, 1, 65535}, {}}, "every port of every protocol"},
		{"80/TCP, all", []PortRange{{TCP, 1, 65535}, {UDP, 1, 65535}, {SCTP, 1, 65535}, {}}, "all includes the others"},
		{"TCP, UDP, SCTP", []PortRange{{TCP, 1, 65535}, {UDP, 1, 65535}, {SCTP, 1, 65535}}, "not all: ICMP is missing"},
		{"53/UDP, other protocols, 80/TCP", []PortRange{{TCP, 80, 80}, {UDP, 53, 53}, {}}, "in any order"},
		{"80-90/TCP, 85-95/TCP, 96", []PortRange{{TCP, 80, 96}}, "parts may overlap and touch"},
		{"80,81/UDP", []PortRange{{TCP, 80, 80}, {UDP, 81, 81}}, "a protocol belongs to one part; no blank is needed"},
		{"  80/TCP  ,  UDP ", []PortRange{{TCP, 80, 80}, {UDP, 1, 65535}}, "blanks around the parts do not matter"},
		{" none ", nil, "blanks around the parts do not matter"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParsePortSet(tt.in)
			require.NoError(t, err, tt.why)
			assert.Equal(t, tt.want, slices.Collect(got.Ranges()), tt.why)
		})
	}
}

func TestParsePortSetRefuses(t *testing.T) {
	tests := []struct {
		in, part, says string
		why            string
	}{
		{"", "", "write ports such as 80/TCP, all or none", "no ports are none, which has to be said"},
		{" ", "", "nothing is written here", "blanks are nothing"},
		{"80/TCP,", "", "nothing is written here", "a comma too many, or a part too few"},
		{",", "", "nothing is written here", "two empty parts"},
		{"80/TCP, none", "none", "write it alone", "a contradiction"},
		{"none, none", "none", "write it alone", "one is enough"},
		{"80/TCP, 0/UDP", "0/UDP", "the port must be between 1 and 65535", "the error names the part"},
		{"65536", "65536", "the port must be between 1 and 65535", "ports have 16 bits"},
		{"99999999999999999999", "99999999999999999999", "between 1 and 65535", "too large for any integer"},
		{"080", "080", "write 80", "it could be octal"},
		{"+80", "+80", "digits", "a sign is not a digit"},
		{"http", "http", "digits", "names mean something to one pod only"},
		{"80-/TCP", "80-/TCP", "the last port must be a number", "the end is missing"},
		{"-80/TCP", "-80/TCP", "the port must be a number", "the start is missing"},
		{"80-90-95", "80-90-95", "the last port must be a number", "two ranges in one"},
		{"80 - 90", "80 - 90", "digits", "blanks inside a part"},
		{"0-80/TCP", "0-80/TCP", "the port must be between", "port 0 is reserved"},
		{"80-65536/TCP", "80-65536/TCP", "the last port must be between", "ports have 16 bits"},
		{"90-80/udp", "90-80/udp", "write 80-90/UDP", "an empty range is a mistake"},
		{"80/", "80/", `"" is no protocol with ports: write TCP, UDP or SCTP`, "the protocol is missing"},
		{"80/QUIC", "80/QUIC", `"QUIC" is no protocol with ports`, "a protocol that no policy can name"},
		{"80/TCP/UDP", "80/TCP/UDP", `"TCP/UDP" is no protocol with ports`, "two protocols"},
		{"/TCP", "/TCP", "the port must be a number", "the port is missing"},
		{"ICMP", "ICMP", "or other protocols", "a set holds all protocols without ports or none"},
		{"80/ICMP", "80/ICMP", "or other protocols", "ICMP has no ports"},
		{"IP/47", "IP/47", "or other protocols", "a set holds all protocols without ports or none"},
		{"ALL", "ALL", "digits", "only names of protocols come in any case"},
		{"80/TCP 53/UDP", "80/TCP 53/UDP", `"TCP 53/UDP" is no protocol with ports`, "a comma is missing"},
		{"80/TCP;53/UDP", "80/TCP;53/UDP", "is no protocol with ports", "not a comma"},
		{"80/TCP\n", "80/TCP\n", "is no protocol with ports", "only blanks are passed over"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParsePortSet(tt.in)
			require.ErrorContains(t, err, tt.says, tt.why)
			assert.ErrorContains(t, err, fmt.Sprintf("ports %q: ", tt.part), "the error quotes the part")
			assert.True(t, got.IsEmpty())
		})
	}
}

// Every PortSet parses back from its text, and so do its ranges in any order,
// more than once, without TCP where it goes without saying.
func TestPortSetText(t *testing.T) {
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		ranges := rapid.SliceOfN(rapid.OneOf(genRange, rapid.SampledFrom(everyPort[:])), 0, 8).Draw(t, "ranges")
		if rapid.IntRange(0, 9).Draw(t, "all") == 9 {
			ranges = append(ranges, everyPort[:]...)
		}
		s := NewPortSet(ranges...)
		got, err := ParsePortSet(s.String())
		require.NoError(t, err)
		require.True(t, got.Equal(s), "%v parses to %v", s, got)

		switch text := s.String(); {
		case text == "all" || text == "none":
			seen[text] = true
			return
		case strings.Contains(text, "other protocols"):
			seen["other protocols"] = true
		default:
			seen["ports only"] = true
		}
		var parts []string
		for _, r := range slices.Concat(ranges, ranges) {
			text := r.String()
			if rapid.Bool().Draw(t, "short") {
				text = strings.TrimSuffix(text, "/TCP")
			}
			parts = append(parts, text)
		}
		mixed := strings.Join(rapid.Permutation(parts).Draw(t, "parts"), ",")
		got, err = ParsePortSet(mixed)
		require.NoError(t, err)
		require.True(t, got.Equal(s), "%s parses to %v, not %v", mixed, got, s)
	})
	for _, want := range []string{"all", "none", "other protocols", "ports only"} {
		assert.True(t, seen[want], "the sample has no set of the kind: %s", want)
	}
}

func FuzzParsePortSet(f *testing.F) {
	for _, s := range []string{
		"80/TCP, 8000-8080/TCP, 53/UDP", "all", "none", "UDP, other protocols", "80,81-90/sctp", "90-80", "ICMP", "IP/47", ",", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := ParsePortSet(s)
		if err != nil {
			require.True(t, set.IsEmpty())
			return
		}
		again, err := ParsePortSet(set.String())
		require.NoError(t, err)
		require.True(t, again.Equal(set), "what %q prints parses to another set", s)
	})
}

func TestNewPortSetPanics(t *testing.T) {
	for _, r := range []PortRange{
		{TCP, 0, 80}, {TCP, 81, 80}, {ICMP, 0, 0}, {ICMP, 1, 1}, {0, 1, 65535}, {0, 0, 1}, {TCP, 0, 0},
	} {
		assert.Panics(t, func() { NewPortSet(r) }, "%d %d-%d", r.Protocol, r.First, r.Last)
	}
}

func TestNewPortSetKeepsItsArguments(t *testing.T) {
	ranges := []PortRange{{UDP, 53, 53}, {TCP, 80, 80}, {TCP, 81, 81}}
	before := slices.Clone(ranges)
	s := NewPortSet(ranges...)
	assert.Equal(t, before, ranges)
	ranges[0] = PortRange{}
	assert.Equal(t, "80-81/TCP, 53/UDP", s.String())
}

// genRange draws ranges that often touch and overlap, at both ends of the
// ports.
var genRange = rapid.Custom(func(t *rapid.T) PortRange {
	if rapid.IntRange(0, 5).Draw(t, "portless") == 0 {
		return PortRange{}
	}
	end := rapid.Custom(func(t *rapid.T) uint16 {
		n := rapid.Uint16Range(1, 12).Draw(t, "port")
		if rapid.Bool().Draw(t, "high") {
			n = 65535 - n + 1
		}
		return n
	})
	first, last := end.Draw(t, "first"), end.Draw(t, "last")
	return PortRange{rapid.SampledFrom([]Protocol{TCP, UDP, SCTP}).Draw(t, "protocol"), min(first, last), max(first, last)}
})

// A PortSet holds a port exactly when one of its ranges does, an intersection
// exactly when both sets do, what Minus leaves exactly when the first
// set alone does, and two sets are Equal, and print alike, exactly when they hold the same ports.
func TestPortSetIsASet(t *testing.T) {
	var universe []Port
	for _, p := range []Protocol{TCP, UDP, SCTP} {
		for n := range uint16(14) {
			universe = append(universe, p.Port(n), p.Port(65535-n))
		}
	}
	universe = append(universe, ICMP.Port(0), ICMPv6.Port(0), Protocol(47).Port(0), Port{}, ICMP.Port(5))

	slow := func(ranges []PortRange, p Port) bool {
		for _, r := range ranges {
			if r == (PortRange{}) && p != (Port{}) && !p.Protocol.HasPorts() && p.Number == 0 {
				return true
			}
			if r.Protocol == p.Protocol && r.First <= p.Number && p.Number <= r.Last && r != (PortRange{}) {
				return true
			}
		}
		return false
	}
	held, left, equal, unequal := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(genRange, 0, 6).Draw(t, "x")
		y := rapid.SliceOfN(genRange, 0, 2).Draw(t, "y")
		if rapid.Bool().Draw(t, "same") {
			y = rapid.Permutation(slices.Concat(x, x)).Draw(t, "again")
		}
		s, u := NewPortSet(x...), NewPortSet(y...)
		both, rest := s.Intersect(u), s.Minus(u)
		require.True(t, rest.Equal(NewPortSet(slices.Collect(rest.Ranges())...)), "what is left has the fewest ranges, too")
		require.True(t, both.Equal(NewPortSet(slices.Collect(both.Ranges())...)), "an intersection has the fewest ranges, too")
		same := true
		for _, p := range universe {
			want := slow(x, p)
			require.Equal(t, want, s.Contains(p), "%v in %v", p, s)
			same = same && want == slow(y, p)
			require.Equal(t, want && slow(y, p), both.Contains(p), "%v in both %v and %v", p, s, u)
			require.Equal(t, want && !slow(y, p), rest.Contains(p), "%v in %v without %v", p, s, u)
			if want {
				held++
			} else {
				left++
			}
		}
		require.Equal(t, same, s.Equal(u))
		require.Equal(t, same, s.String() == u.String())
		require.True(t, s.Equal(NewPortSet(slices.Collect(s.Ranges())...)), "its own ranges make the same set")
		if same {
			equal++
		} else {
			unequal++
		}
	})
	for name, n := range map[string]int{"held": held, "left": left, "equal": equal, "unequal": unequal} {
		assert.NotZero(t, n, "the sample has none that is %s", name)
	}
}

func TestPortSetContainsDoesNotAllocate(t *testing.T) {
	s := NewPortSet(PortRange{TCP, 80, 90}, PortRange{UDP, 53, 53}, PortRange{})
	ports := []Port{TCP.Port(80), TCP.Port(91), UDP.Port(53), ICMP.Port(0)}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		for _, p := range ports {
			s.Contains(p)
		}
	}))
}

func BenchmarkPortSetContains(b *testing.B) {
	for _, n := range []int{1, 16, 1024} {
		b.Run(fmt.Sprintf("ranges=%d", n), func(b *testing.B) {
			var ranges []PortRange
			for i := range n {
				ranges = append(ranges, PortRange{TCP, uint16(2*i + 1), uint16(2*i + 1)})
			}
			s := NewPortSet(ranges...)
			p := TCP.Port(uint16(n))
			for b.Loop() {
				s.Contains(p)
			}
		})
	}
}

func ExamplePortSet() {
	s := NewPortSet(
		PortRange{UDP, 53, 53},
		PortRange{TCP, 8000, 8080},
		PortRange{TCP, 8081, 8081},
	)
	fmt.Println(s)
	fmt.Println(s.Contains(TCP.Port(8081)))
	// Output:
	// 8000-8081/TCP, 53/UDP
	// true
}

func ExampleParsePortSet() {
	s, err := ParsePortSet("443, 8000-8080/tcp, 8081, udp")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s)
	fmt.Println(s.Contains(UDP.Port(53)))
	// Output:
	// 443/TCP, 8000-8081/TCP, UDP
	// true
}
