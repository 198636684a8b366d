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
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Parse returns the addresses of block less those of the exceptions. Every
// exception must be a part of block, and smaller. The error names everything
// that is wrong, joined.
//
// Parse accepts what Kubernetes has stored over the years: bits set beyond the
// prefix length are cleared, leading zeros of numbers are ignored, and
// IPv4-mapped IPv6 of at least 96 bits is IPv4.
func Parse(block string, except ...string) (Set, error) {
	outer, err := ParsePrefix(block)
	errs := []error{err}
	parts := make([]netip.Prefix, 0, len(except))
	for _, e := range except {
		part, err := ParsePrefix(e)
		if err == nil && outer.IsValid() {
			if why := notInside(part, outer); why != "" {
				err = fmt.Errorf("%s %s %s; an exception must be a part of its block, and smaller", e, why, block)
			}
		}
		errs = append(errs, err)
		parts = append(parts, part)
	}
	if err := errors.Join(errs...); err != nil {
		return Set{}, err
	}
	return Of(outer).Minus(Of(parts...)), nil
}

// notInside returns how part fails to be a smaller part of outer, as the words
// between the two, or "" if it does not fail.
func notInside(part, outer netip.Prefix) string {
	switch {
	case part == outer:
		return "is the whole of"
	case part.Addr().BitLen() != outer.Addr().BitLen():
		return "is not of the same address family as"
	case !part.Overlaps(outer):
		return "is not inside"
	case part.Bits() < outer.Bits():
		return "is wider than"
	}
	return ""
}

// ParsePrefix parses one block as [Parse] does. The prefix that it returns has
// no bits set beyond its length, and is of IPv4 if s is IPv4-mapped IPv6 of at
// least 96 bits.
func ParsePrefix(s string) (netip.Prefix, error) {
	text, length, found := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(trimZeros(text))
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is not an address, a slash and a prefix length, such as 10.0.0.0/8 or fd00::/8", s)
	case addr.Zone() != "":
		return netip.Prefix{}, fmt.Errorf("%q has the zone %q; blocks have no zone", s, addr.Zone())
	case !found:
		return netip.Prefix{}, fmt.Errorf("%q has no prefix length; write %s/%d for the one address", s, addr, addr.BitLen())
	}
	bits, err := strconv.ParseUint(length, 10, 8)
	if err != nil || int(bits) > addr.BitLen() {
		return netip.Prefix{}, fmt.Errorf("%q has the prefix length %q; it must be a number from 0 to %d", s, length, addr.BitLen())
	}
	return unmap(netip.PrefixFrom(addr, int(bits))), nil
}

// trimZeros removes the leading zeros of all numbers in an address, because
// netip takes those of IPv4 for octal and limits those of IPv6.
func trimZeros(addr string) string {
	var b strings.Builder
	inNumber := false // a digit of the current number is in b
	for i := range len(addr) {
		if addr[i] == '0' && !inNumber && i+1 < len(addr) && isHex(addr[i+1]) {
			continue
		}
		inNumber = isHex(addr[i])
		b.WriteByte(addr[i])
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unmap returns the valid prefix p with the bits beyond its length cleared,
// and as a prefix of IPv4 if all its addresses are IPv4-mapped.
func unmap(p netip.Prefix) netip.Prefix {
	p = p.Masked()
	if p.Addr().Is4In6() {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}
