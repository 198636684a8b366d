package policy

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// A Protocol is a protocol on top of IP, by its assigned number.
// The zero Protocol stands for none in a [Port] and for every protocol in a
// [PortItem].
type Protocol uint8

// The protocols that a NetworkPolicy can name have ports. All others have
// none, and the policies do not tell them apart.
const (
	TCP    Protocol = 6
	UDP    Protocol = 17
	SCTP   Protocol = 132
	ICMP   Protocol = 1
	ICMPv6 Protocol = 58
)

// HasPorts reports whether p is TCP, UDP or SCTP.
func (p Protocol) HasPorts() bool { return p == TCP || p == UDP || p == SCTP }

// String returns "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", or for any other
// protocol "IP/" and its number.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	case SCTP:
		return "SCTP"
	case ICMP:
		return "ICMP"
	case ICMPv6:
		return "ICMPv6"
	}
	return "IP/" + strconv.Itoa(int(p))
}

// parseProtocol returns the protocol that has the given name, in any case.
func parseProtocol(name string) (_ Protocol, ok bool) {
	for _, p := range [...]Protocol{TCP, UDP, SCTP, ICMP, ICMPv6} {
		// Equal lengths keep out letters beyond ASCII that fold to letters in it.
		if s := p.String(); len(s) == len(name) && strings.EqualFold(s, name) {
			return p, true
		}
	}
	return 0, false
}

// Port returns port n of p.
func (p Protocol) Port(n uint16) Port { return Port{p, n} }

// A Port is a port of a protocol, or a protocol without ports, whose Number is 0.
// Ports are comparable. The zero Port is none.
type Port struct {
	Protocol Protocol
	Number   uint16
}

// Valid reports whether p is a port from 1 to 65535 of a protocol that has
// ports, or a protocol without ports and the number 0. The zero Port is not
// valid.
func (p Port) Valid() bool {
	return p.Protocol != 0 && p.Protocol.HasPorts() == (p.Number != 0)
}

// ParsePort parses what String returns for a Port that is Valid, and returns
// no other. A number alone is a TCP port, and protocols may be written in any
// case.
func ParsePort(s string) (Port, error) {
	p, err := parsePort(s)
	if err != nil {
		return Port{}, fmt.Errorf("port %q: %w", s, err)
	}
	return p, nil
}

func parsePort(s string) (Port, error) {
	number, name, ok := strings.Cut(s, "/")
	if ok && len(number) == 2 && strings.EqualFold(number, "IP") {
		n, err := parseNumber(name, 255)
		if err != nil {
			return Port{}, fmt.Errorf("the protocol %w", err)
		}
		return portless(Protocol(n))
	}
	if !ok {
		if p, ok := parseProtocol(number); ok {
			return portless(p)
		}
		name = "TCP"
	}
	n, err := parseNumber(number, 65535)
	if err != nil {
		return Port{}, fmt.Errorf("the port %w", err)
	}
	p, ok := parseProtocol(name)
	switch {
	case !ok:
		return Port{}, fmt.Errorf("no protocol is called %q: write TCP, UDP, SCTP, or ICMP, ICMPv6 or IP/47 without a port", name)
	case !p.HasPorts():
		return Port{}, fmt.Errorf("%v has no ports: write %v alone", p, p)
	}
	return p.Port(uint16(n)), nil
}

// portless returns the Port that is a whole protocol.
func portless(p Protocol) (Port, error) {
	if p.HasPorts() {
		return Port{}, fmt.Errorf("%v has ports: write one, such as 80/%v", p, p)
	}
	return Port{Protocol: p}, nil
}

// parseNumber returns the number from 1 to most that s is, in plain decimal
// digits.
func parseNumber(s string, most int) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n == 0 || n > uint64(most)):
		return 0, fmt.Errorf("must be between 1 and %d", most)
	case err != nil:
		return 0, fmt.Errorf("must be a number between 1 and %d, in digits only", most)
	case s[0] == '0':
		return 0, fmt.Errorf("must not have leading zeros: write %d", n)
	}
	return int(n), nil
}

// String returns the number and the protocol, such as "443/TCP", or for a
// protocol without ports its name. The zero Port is "none".
func (p Port) String() string {
	switch {
	case p == Port{}:
		return "none"
	case p.Number != 0 || p.Protocol.HasPorts():
		return strconv.Itoa(int(p.Number)) + "/" + p.Protocol.String()
	}
	return p.Protocol.String()
}

// GoString returns String, to keep the logs of property tests readable.
func (p Port) GoString() string { return p.String() }

// A PortRange is the ports from First to Last of a protocol, both included.
// The zero PortRange is all protocols that have no ports.
type PortRange struct {
	Protocol    Protocol
	First, Last uint16
}

// String returns the range, such as "443/TCP", "8000-8080/TCP", "UDP" for all
// ports of UDP, and "other protocols" for the zero PortRange.
func (r PortRange) String() string {
	switch {
	case r == PortRange{}:
		return "other protocols"
	case r.First == 1 && r.Last == 65535:
		return r.Protocol.String()
	case r.First == r.Last:
		return r.Protocol.Port(r.First).String()
	}
	return strconv.Itoa(int(r.First)) + "-" + r.Protocol.Port(r.Last).String()
}

// A PortSet is an immutable set of ports and of protocols without ports.
// The policies do not tell the latter apart: a PortSet holds all or none.
// The zero PortSet is empty. PortSets may be copied and used concurrently;
// compare them with Equal.
type PortSet struct{ ranges []PortRange } // sorted TCP, UDP, SCTP, then portless; disjoint, not adjacent

// everyPort are the ranges of the set of everything.
var everyPort = [...]PortRange{{TCP, 1, 65535}, {UDP, 1, 65535}, {SCTP, 1, 65535}, {}}

// NewPortSet returns the set of the ports in ranges, in any order, which may
// overlap. A range that is not the zero PortRange must have a protocol with
// ports, and 1 <= First <= Last; NewPortSet panics otherwise.
func NewPortSet(ranges ...PortRange) PortSet {
	for _, r := range ranges {
		if (r != PortRange{}) && (!r.Protocol.HasPorts() || r.First < 1 || r.First > r.Last) {
			panic(fmt.Sprintf("policy: NewPortSet: %d to %d of %v is not a range of ports", r.First, r.Last, r.Protocol))
		}
	}
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, compareRanges)
	var merged []PortRange
	for _, r := range sorted {
		if n := len(merged); n > 0 {
			last := &merged[n-1]
			if r.Protocol == last.Protocol && int(r.First) <= int(last.Last)+1 {
				last.Last = max(last.Last, r.Last)
				continue
			}
		}
		merged = append(merged, r)
	}
	return PortSet{merged}
}

// compareRanges orders by protocol and first port.
func compareRanges(a, b PortRange) int {
	// Less one, the zero Protocol comes last.
	return cmp.Or(cmp.Compare(a.Protocol-1, b.Protocol-1), cmp.Compare(a.First, b.First))
}

// Contains reports whether s holds p. It is false for a Port that is not Valid.
// It does not allocate, and takes time logarithmic in the number of ranges.
func (s PortSet) Contains(p Port) bool {
	if !p.Valid() {
		return false
	}
	want := PortRange{p.Protocol, p.Number, p.Number}
	if !p.Protocol.HasPorts() {
		want = PortRange{}
	}
	i, found := slices.BinarySearchFunc(s.ranges, want, compareRanges)
	if found {
		return true
	}
	// The range before is the only one that can begin below p and reach it.
	return i > 0 && s.ranges[i-1].Protocol == want.Protocol && p.Number <= s.ranges[i-1].Last
}

// IsEmpty reports whether s holds nothing.
func (s PortSet) IsEmpty() bool { return len(s.ranges) == 0 }

// Intersect returns the ports that both s and t hold.
func (s PortSet) Intersect(t PortSet) PortSet {
	var common []PortRange
	for i, j := 0, 0; i < len(s.ranges) && j < len(t.ranges); {
		a, b := s.ranges[i], t.ranges[j]
		if a.Protocol == b.Protocol && a.First <= b.Last && b.First <= a.Last {
			common = append(common, PortRange{a.Protocol, max(a.First, b.First), min(a.Last, b.Last)})
		}
		if cmp.Or(cmp.Compare(a.Protocol-1, b.Protocol-1), cmp.Compare(a.Last, b.Last)) < 0 {
			i++
		} else {
			j++
		}
	}
	return PortSet{common}
}

// Minus returns the ports that s holds and t does not.
func (s PortSet) Minus(t PortSet) PortSet {
	var rest []PortRange
	for _, r := range s.ranges {
		first, last := int(r.First), int(r.Last)
		for _, x := range t.ranges {
			if x.Protocol != r.Protocol || int(x.Last) < first || int(x.First) > last {
				continue
			}
			if int(x.First) > first {
				rest = append(rest, PortRange{r.Protocol, uint16(first), x.First - 1})
			}
			first = int(x.Last) + 1
		}
		if first <= last {
			rest = append(rest, PortRange{r.Protocol, uint16(first), r.Last})
		}
	}
	return PortSet{rest}
}

// Equal reports whether s and t hold the same ports.
func (s PortSet) Equal(t PortSet) bool { return slices.Equal(s.ranges, t.ranges) }

// Ranges returns the fewest ranges that make up s: TCP, UDP, SCTP, each in
// ascending order, then the zero PortRange if s holds the protocols without
// ports.
func (s PortSet) Ranges() iter.Seq[PortRange] { return slices.Values(s.ranges) }

// String returns the ranges of s, such as "80/TCP, 8000-8080/TCP, 53/UDP",
// "all" for every port of every protocol, and "none" for the empty set.
func (s PortSet) String() string {
	if s.IsEmpty() {
		return "none"
	}
	if slices.Equal(s.ranges, everyPort[:]) {
		return "all"
	}
	var b strings.Builder
	for i, r := range s.ranges {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(r.String())
	}
	return b.String()
}

// ParsePortSet parses what String returns for a PortSet: ports and ranges such
// as "80/TCP, 8000-8080/TCP, 53/UDP", "UDP", "other protocols", "all", "none".
// Numbers without protocol are TCP. The parts may overlap, and come in any
// order. TCP, UDP and SCTP may be written in any case, and blanks around the
// parts do not matter.
func ParsePortSet(s string) (PortSet, error) {
	if strings.Trim(s, " ") == "none" {
		return PortSet{}, nil
	}
	var ranges []PortRange
	for part := range strings.SplitSeq(s, ",") {
		part = strings.Trim(part, " ")
		if part == "all" {
			ranges = append(ranges, everyPort[:]...)
			continue
		}
		r, err := parsePortRange(part)
		if err != nil {
			return PortSet{}, fmt.Errorf("ports %q: %w", part, err)
		}
		ranges = append(ranges, r)
	}
	return NewPortSet(ranges...), nil
}

// parsePortRange parses what String returns for a PortRange.
func parsePortRange(s string) (PortRange, error) {
	switch s {
	case "":
		return PortRange{}, errors.New("nothing is written here: write ports such as 80/TCP, all or none")
	case "none":
		return PortRange{}, errors.New("none excludes other ports: write it alone, or leave it out")
	case "other protocols":
		return PortRange{}, nil
	}
	numbers, name, ok := strings.Cut(s, "/")
	if _, whole := parseProtocol(s); whole {
		numbers, name = "1-65535", s
	} else if !ok {
		name = "TCP"
	}
	p, _ := parseProtocol(name)
	if !p.HasPorts() {
		return PortRange{}, fmt.Errorf("%q is no protocol with ports: write TCP, UDP or SCTP, "+
			"or other protocols for all without ports, which are not told apart", name)
	}
	first, last, ok := strings.Cut(numbers, "-")
	if !ok {
		last = first
	}
	from, err := parseNumber(first, 65535)
	if err != nil {
		return PortRange{}, fmt.Errorf("the port %w", err)
	}
	to, err := parseNumber(last, 65535)
	if err != nil {
		return PortRange{}, fmt.Errorf("the last port %w", err)
	}
	if from > to {
		return PortRange{}, fmt.Errorf("the range runs backward: write %d-%d/%v", to, from, p)
	}
	return PortRange{p, uint16(from), uint16(to)}, nil
}

// GoString returns String, to keep the logs of property tests readable.
func (s PortSet) GoString() string { return s.String() }
