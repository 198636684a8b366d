package policy

import "iter"

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
func (p Protocol) HasPorts() bool { panic("todo") }

// String returns "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", or for any other
// protocol "IP/" and its number.
func (p Protocol) String() string { panic("todo") }

// Port returns port n of p.
func (p Protocol) Port(n uint16) Port { return Port{p, n} }

// A Port is a port of a protocol, or a protocol without ports, whose Number is 0.
// Ports are comparable. The zero Port is none.
type Port struct {
	Protocol Protocol
	Number   uint16
}

// Valid reports whether p is a port from 1 to 65535 of a protocol that has
// ports, or a protocol without ports and the number 0.
func (p Port) Valid() bool { panic("todo") }

// ParsePort parses what String returns. A number alone is a TCP port, and
// protocols may be written in any case.
func ParsePort(s string) (Port, error) { panic("todo") }

// String returns the number and the protocol, such as "443/TCP", or for a
// protocol without ports its name.
func (p Port) String() string { panic("todo") }

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
func (r PortRange) String() string { panic("todo") }

// A PortSet is an immutable set of ports and of protocols without ports.
// The policies do not tell the latter apart: a PortSet holds all or none.
// The zero PortSet is empty.
type PortSet struct{ ranges []PortRange } // sorted TCP, UDP, SCTP, then portless; disjoint, not adjacent

// NewPortSet returns the set of the ports in ranges, in any order, which may
// overlap. A range that is not the zero PortRange must have a protocol with
// ports, and 1 <= First <= Last; NewPortSet panics otherwise.
func NewPortSet(ranges ...PortRange) PortSet { panic("todo") }

// Contains reports whether s holds p. It is false for a Port that is not Valid.
func (s PortSet) Contains(p Port) bool { panic("todo") }

// IsEmpty reports whether s holds nothing.
func (s PortSet) IsEmpty() bool { return len(s.ranges) == 0 }

// Equal reports whether s and t hold the same ports.
func (s PortSet) Equal(t PortSet) bool { panic("todo") }

// Ranges returns the fewest ranges that make up s: TCP, UDP, SCTP, each in
// ascending order, then the zero PortRange if s holds the protocols without
// ports.
func (s PortSet) Ranges() iter.Seq[PortRange] { panic("todo") }

// String returns the ranges of s, such as "80/TCP, 8000-8080/TCP, 53/UDP",
// "all" for every port of every protocol, and "none" for the empty set.
func (s PortSet) String() string { panic("todo") }

// GoString returns String, to keep the logs of property tests readable.
func (s PortSet) GoString() string { return s.String() }
