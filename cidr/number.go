package cidr

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// A number is an address as a number of 128 bits. An IPv4 address has the
// number of the IPv6 address that maps it, which no other address has.
type number struct{ hi, lo uint64 }

func numberOf(a netip.Addr) number {
	b := a.As16()
	return number{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// addr returns the IPv6 address of number n, even if it is IPv4-mapped.
func (n number) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], n.hi)
	binary.BigEndian.PutUint64(b[8:], n.lo)
	return netip.AddrFrom16(b)
}

// isMapped reports whether n is the number of an IPv4 address.
func (n number) isMapped() bool { return n.hi == 0 && n.lo>>32 == 0xffff }

func (n number) compare(m number) int {
	switch _, less := n.minus(m); {
	case less != 0:
		return -1
	case n == m:
		return 0
	}
	return 1
}

// minus returns n-m, modulo 2^128, and 1 if n is less than m, else 0.
func (n number) minus(m number) (d number, less uint64) {
	d.lo, less = bits.Sub64(n.lo, m.lo, 0)
	d.hi, less = bits.Sub64(n.hi, m.hi, less)
	return d, less
}

func (n number) or(m number) number { return number{n.hi | m.hi, n.lo | m.lo} }

// ones returns the number whose k lowest bits are set, for k from 0 to 128.
func ones(k int) number {
	return number{^uint64(0) >> (128 - k), 1<<k - 1}
}

// next returns the number of the address after that of n, modulo 2^128. The one
// after the last before the IPv4-mapped ones is the first behind them.
func (n number) next() number {
	n.lo++
	if n.lo == 0 {
		n.hi++
	}
	if n.isMapped() {
		n.lo = 1 << 48
	}
	return n
}
