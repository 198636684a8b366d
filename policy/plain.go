package policy

import (
	"net/netip"
	"strings"
)

// The functions of this file say at a glance what the validation of the API
// server says with regular expressions.

// isDNSLabel reports whether s is a label of a DNS name as RFC 1123 has it.
func isDNSLabel(s string) bool {
	return len(s) <= 63 && isDNSPart(s)
}

// isDNSName reports whether s is a DNS name as RFC 1123 has it, in lower case.
func isDNSName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for {
		part, rest, more := strings.Cut(s, ".")
		if !isDNSPart(part) {
			return false
		}
		if !more {
			return true
		}
		s = rest
	}
}

// isDNSPart is isDNSLabel for any length.
func isDNSPart(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	all := uint8(1) // no branch for each byte: which kind comes next cannot be predicted
	for i := range len(s) {
		all &= inDNS[s[i]]
	}
	return all != 0
}

// inDNS is 1 for the bytes that can be inside a label of a DNS name.
var inDNS = func() (in [256]uint8) {
	for c := range in {
		if isLowerOrDigit(byte(c)) || c == '-' {
			in[c] = 1
		}
	}
	return in
}()

// isPortName reports whether s can be the name of a container port.
func isPortName(s string) bool {
	letter := false
	for i := range len(s) {
		c := s[i]
		if !isLowerOrDigit(c) && (c != '-' || i == 0 || i == len(s)-1 || s[i-1] == '-') {
			return false
		}
		letter = letter || 'a' <= c && c <= 'z'
	}
	return letter && len(s) <= 15
}

func isLowerOrDigit(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// plainPrefix returns the block that s describes, if it does so in the one form
// that nobody objects to.
func plainPrefix(s string) (_ netip.Prefix, ok bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p != p.Masked() || p.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	var buf [64]byte
	return p, string(p.AppendTo(buf[:0])) == s
}
