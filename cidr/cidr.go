// Package cidr holds sets of IP addresses and tells apart the addresses that
// different sets hold. It knows nothing of Kubernetes.
//
//   - A [Set] is any set of IPv4 and IPv6 addresses; [Parse] reads a block with
//     exceptions, [Of] takes prefixes, and the methods are the usual algebra.
//   - A [Partition] sorts all addresses into the classes that a list of sets
//     tells apart. Finding the class of an address is one walk that does not
//     allocate, however many sets there are.
//
// IPv4 and IPv6 are apart: 0.0.0.0/0 holds no IPv6 address, ::/0 no IPv4
// address. An IPv4-mapped IPv6 address is the IPv4 address that it maps.
// Addresses with a zone are in no set.
package cidr

import (
	"iter"
	"math/big"
	"net/netip"
)

// A Set is an immutable set of IPv4 and IPv6 addresses.
// The zero Set is empty. Sets may be copied and used concurrently; compare
// them with Equal.
type Set struct{}

// Parse returns the addresses of block less those of the exceptions. Every
// exception must be a part of block, and smaller.
//
// Parse accepts what Kubernetes has stored over the years: bits set beyond the
// prefix length are cleared, leading zeros of decimal numbers are ignored, and
// IPv4-mapped IPv6 of at least 96 bits is IPv4.
func Parse(block string, except ...string) (Set, error) { panic("todo") }

// Of returns the addresses of prefixes. Bits beyond a prefix's length do not
// matter. Of ignores prefixes that are not valid.
func Of(prefixes ...netip.Prefix) Set { panic("todo") }

// Contains reports whether s holds a.
func (s Set) Contains(a netip.Addr) bool { panic("todo") }

// IsEmpty reports whether s holds no address.
func (s Set) IsEmpty() bool { panic("todo") }

// Equal reports whether s and t hold the same addresses.
func (s Set) Equal(t Set) bool { panic("todo") }

// Union returns the addresses that are in s or in t.
func (s Set) Union(t Set) Set { panic("todo") }

// Intersect returns the addresses that are in s and in t.
func (s Set) Intersect(t Set) Set { panic("todo") }

// Minus returns the addresses that are in s but not in t.
func (s Set) Minus(t Set) Set { panic("todo") }

// Size returns the number of addresses in s.
func (s Set) Size() *big.Int { panic("todo") }

// First returns the lowest address of s, IPv4 before IPv6, or the zero Addr if
// s is empty.
func (s Set) First() netip.Addr { panic("todo") }

// Prefixes returns the fewest prefixes that make up s, in address order.
func (s Set) Prefixes() iter.Seq[netip.Prefix] { panic("todo") }

// String returns s in the shortest form that lists blocks with exceptions:
// "10.0.0.0/8 except 10.1.0.0/16", "10.0.0.0/9, fd00::/8", and "none" for the
// empty set.
func (s Set) String() string { panic("todo") }

// A Partition sorts all addresses into classes: two addresses share a class
// exactly when every set given to [NewPartition] holds both or neither.
// It is immutable and safe for concurrent use.
type Partition struct{}

// A Class is a class of a Partition, from 0 up to its Len.
type Class int

// NewPartition returns the partition that sets induce.
func NewPartition(sets ...Set) *Partition { panic("todo") }

// Len returns the number of classes. There is at least one.
func (p *Partition) Len() int { panic("todo") }

// Class returns the class of a, or -1 if a has a zone or is the zero Addr.
// It does not allocate.
func (p *Partition) Class(a netip.Addr) Class { panic("todo") }

// In reports whether the addresses of c are in the i'th set. It is false for
// class -1.
func (p *Partition) In(c Class, i int) bool { panic("todo") }

// Sets returns the indices of the sets that hold the addresses of c, ascending.
func (p *Partition) Sets(c Class) iter.Seq[int] { panic("todo") }

// Addrs returns the addresses of c.
func (p *Partition) Addrs(c Class) Set { panic("todo") }
