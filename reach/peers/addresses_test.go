package peers

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/gaissmai/bart"
	"github.com/polreach/polreach/cidr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yl2chen/cidranger"
	"go4.org/netipx"
)

var (
	families = []string{"IPv4", "IPv6"}
	numbers  = []int{1_000, 100_000, 1_000_000}
)

// most is how many prefixes cidranger gets.
const most = 100_000

// randomAddr returns an address of a family, of IPv6 one that is in 2000::/3.
func randomAddr(r *rand.Rand, family string) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], r.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	if family == "IPv4" {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	b[0] = 0x20 | b[0]&0x1f
	return netip.AddrFrom16(b)
}

// prefixes returns n different prefixes, of lengths as in routing tables: half
// of them have the usual length, and of the others, each length further away from
// it has half as many. A fourth lie within others or around them.
func prefixes(family string, n int) []netip.Prefix {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	usual, shortest, longest := 24, 8, 32
	if family == "IPv6" {
		usual, shortest, longest = 48, 19, 64
	}
	seen := make(map[netip.Prefix]bool, n)
	list := make([]netip.Prefix, 0, n)
	for len(list) < n {
		length, addr := usual, randomAddr(r, family)
		switch r.IntN(6) {
		case 0, 1:
			length = max(shortest, usual-steps(r))
		case 2:
			length = min(longest, usual+steps(r))
		}
		if len(list) > 0 && r.IntN(4) == 0 { // within another one, or around it
			addr = within(r, list[r.IntN(len(list))])
		}
		p := netip.PrefixFrom(addr, length).Masked()
		if !seen[p] {
			seen[p] = true
			list = append(list, p)
		}
	}
	return list
}

// steps returns a number from 1 up, each half as often as the one before.
func steps(r *rand.Rand) int { return 1 + bits.TrailingZeros64(r.Uint64()|1<<63) }

// within returns an address in p.
func within(r *rand.Rand, p netip.Prefix) netip.Addr {
	family := "IPv6"
	if p.Addr().Is4() {
		family = "IPv4"
	}
	b, first := randomAddr(r, family).AsSlice(), p.Addr().AsSlice()
	for i := range b {
		fixed := min(max(p.Bits()-8*i, 0), 8)
		mask := byte(0xff << (8 - fixed))
		b[i] = first[i]&mask | b[i]&^mask
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// addrs returns a power of two of addresses, half of them in one of list and
// half anywhere.
func addrs(family string, list []netip.Prefix) []netip.Addr {
	r := rand.New(rand.NewPCG(4, 5))
	all := make([]netip.Addr, 1<<16)
	for i := range all {
		all[i] = randomAddr(r, family)
		if i%2 == 0 {
			all[i] = within(r, list[r.IntN(len(list))])
		}
	}
	return all
}

func setsOf(list []netip.Prefix) []cidr.Set {
	sets := make([]cidr.Set, len(list))
	for i, p := range list {
		sets[i] = cidr.Of(p)
	}
	return sets
}

func ipNet(p netip.Prefix) net.IPNet { return *netipx.PrefixIPNet(p) }

// A numbered prefix is an entry of cidranger.
type numbered struct {
	network net.IPNet
	index   int32
}

func (n numbered) Network() net.IPNet { return n.network }

// tables are the ways to find the longest of many prefixes that holds an
// address. What build returns gives its index, or -1.
var tables = []struct {
	name  string
	build func([]netip.Prefix) func(netip.Addr) int32
}{
	{"polreach", func(list []netip.Prefix) func(netip.Addr) int32 {
		p := cidr.NewPartition(setsOf(list)...)
		longest := make([]int32, p.Len())
		for c := range longest {
			longest[c] = -1
			for i := range p.Sets(cidr.Class(c)) {
				if longest[c] < 0 || list[i].Bits() > list[longest[c]].Bits() {
					longest[c] = int32(i)
				}
			}
		}
		return func(a netip.Addr) int32 { return longest[p.Class(a)] }
	}},
	{"bart", func(list []netip.Prefix) func(netip.Addr) int32 {
		t := new(bart.Table[int32])
		for i, p := range list {
			t.Insert(p, int32(i))
		}
		return func(a netip.Addr) int32 {
			if i, ok := t.Lookup(a); ok {
				return i
			}
			return -1
		}
	}},
	{"bart.Fast", func(list []netip.Prefix) func(netip.Addr) int32 {
		t := new(bart.Fast[int32])
		for i, p := range list {
			t.Insert(p, int32(i))
		}
		return func(a netip.Addr) int32 {
			if i, ok := t.Lookup(a); ok {
				return i
			}
			return -1
		}
	}},
	{"cidranger", func(list []netip.Prefix) func(netip.Addr) int32 {
		if len(list) > most {
			return nil
		}
		t := newRanger(list)
		return func(a netip.Addr) int32 {
			in, err := t.ContainingNetworks(a.AsSlice())
			if err != nil {
				panic(err)
			}
			if len(in) == 0 {
				return -1
			}
			return in[len(in)-1].(numbered).index
		}
	}},
}

func newRanger(list []netip.Prefix) cidranger.Ranger {
	t := cidranger.NewPCTrieRanger()
	for i, p := range list {
		if err := t.Insert(numbered{ipNet(p), int32(i)}); err != nil {
			panic(err)
		}
	}
	return t
}

// members are the ways to tell whether any of many prefixes holds an address.
var members = []struct {
	name  string
	build func([]netip.Prefix) func(netip.Addr) bool
}{
	{"polreach", func(list []netip.Prefix) func(netip.Addr) bool {
		p := cidr.NewPartition(cidr.Of(list...))
		in := make([]bool, p.Len())
		for c := range in {
			in[c] = p.In(cidr.Class(c), 0)
		}
		return func(a netip.Addr) bool { return in[p.Class(a)] }
	}},
	{"polreach.Set", func(list []netip.Prefix) func(netip.Addr) bool { return cidr.Of(list...).Contains }},
	{"bart.Lite", func(list []netip.Prefix) func(netip.Addr) bool {
		t := new(bart.Lite)
		for _, p := range list {
			t.Insert(p)
		}
		return t.Contains
	}},
	{"bart.Fast", func(list []netip.Prefix) func(netip.Addr) bool {
		t := new(bart.Fast[struct{}])
		for _, p := range list {
			t.Insert(p, struct{}{})
		}
		return t.Contains
	}},
	{"netipx", func(list []netip.Prefix) func(netip.Addr) bool {
		var b netipx.IPSetBuilder
		for _, p := range list {
			b.AddPrefix(p)
		}
		s, err := b.IPSet()
		if err != nil {
			panic(err)
		}
		return s.Contains
	}},
}

// A block is a prefix without some that lie within it.
type block struct {
	prefix netip.Prefix
	except []netip.Prefix
}

// blocks returns n blocks with one or two exceptions.
func blocks(family string, n int) []block {
	r := rand.New(rand.NewPCG(6, uint64(n)))
	list := make([]block, 0, n)
	for _, p := range prefixes(family, n) {
		b := block{prefix: p}
		for range 1 + r.IntN(2) {
			if length := p.Bits() + 2 + r.IntN(4); length <= p.Addr().BitLen() {
				b.except = append(b.except, netip.PrefixFrom(within(r, p), length).Masked())
			}
		}
		list = append(list, b)
	}
	return list
}

// holders are the ways to find which of many blocks hold an address. What build
// returns appends their indices to a list, in any order.
var holders = []struct {
	name  string
	build func([]block) func([]int32, netip.Addr) []int32
}{
	{"polreach", func(list []block) func([]int32, netip.Addr) []int32 {
		sets := make([]cidr.Set, len(list))
		for i, b := range list {
			sets[i] = cidr.Of(b.prefix).Minus(cidr.Of(b.except...))
		}
		p := cidr.NewPartition(sets...)
		return func(in []int32, a netip.Addr) []int32 {
			for i := range p.Sets(p.Class(a)) {
				in = append(in, int32(i))
			}
			return in
		}
	}},
	{"bart", func(list []block) func([]int32, netip.Addr) []int32 {
		type entry struct{ blocks, except []int32 }
		t := new(bart.Table[*entry])
		at := func(p netip.Prefix) *entry {
			e, ok := t.Get(p)
			if !ok {
				e = new(entry)
				t.Insert(p, e)
			}
			return e
		}
		for i, b := range list {
			e := at(b.prefix)
			e.blocks = append(e.blocks, int32(i))
			for _, x := range b.except {
				e := at(x)
				e.except = append(e.except, int32(i))
			}
		}
		var except []int32
		return func(in []int32, a netip.Addr) []int32 {
			except = except[:0]
			for _, e := range t.Supernets(netip.PrefixFrom(a, a.BitLen())) { // the longest first
				except = append(except, e.except...)
				for _, i := range e.blocks {
					if !slices.Contains(except, i) {
						in = append(in, i)
					}
				}
			}
			return in
		}
	}},
	{"cidranger", func(list []block) func([]int32, netip.Addr) []int32 {
		if len(list) > most {
			return nil
		}
		prefixes := make([]netip.Prefix, len(list))
		for i, b := range list {
			prefixes[i] = b.prefix
		}
		t := newRanger(prefixes)
		return func(in []int32, a netip.Addr) []int32 {
			found, err := t.ContainingNetworks(a.AsSlice())
			if err != nil {
				panic(err)
			}
			for _, e := range found {
				i := e.(numbered).index
				if !slices.ContainsFunc(list[i].except, func(x netip.Prefix) bool { return x.Contains(a) }) {
					in = append(in, i)
				}
			}
			return in
		}
	}},
	{"naive", func(list []block) func([]int32, netip.Addr) []int32 {
		if len(list) > 1_000 {
			return nil
		}
		type text struct {
			prefix string
			except []string
		}
		texts := make([]text, len(list))
		for i, b := range list {
			texts[i].prefix = b.prefix.String()
			for _, x := range b.except {
				texts[i].except = append(texts[i].except, x.String())
			}
		}
		holds := func(s string, ip net.IP) bool {
			_, n, err := net.ParseCIDR(s)
			if err != nil {
				panic(err)
			}
			return n.Contains(ip)
		}
		return func(in []int32, a netip.Addr) []int32 {
			ip := net.IP(a.AsSlice())
			for i, b := range texts {
				if holds(b.prefix, ip) && !slices.ContainsFunc(b.except, func(x string) bool { return holds(x, ip) }) {
					in = append(in, int32(i))
				}
			}
			return in
		}
	}},
}

// agreeing fails unless all engines answer as polreach does.
func agreeing[A, F any](t *testing.T, addrs []netip.Addr, answer func(F, netip.Addr) A, engines map[string]F) {
	t.Helper()
	want := engines["polreach"]
	for name, got := range engines {
		for _, a := range addrs {
			if w, g := answer(want, a), answer(got, a); !assert.ObjectsAreEqual(w, g) {
				t.Fatalf("%s says %v of %v, not %v", name, g, a, w)
			}
		}
	}
}

func sorted(f func([]int32, netip.Addr) []int32, a netip.Addr) []int32 {
	in := f(make([]int32, 0, 8), a)
	slices.Sort(in)
	return in
}

func TestAddressesAgree(t *testing.T) {
	for _, family := range families {
		for _, n := range []int{1, 50, 1_000, 5_000} {
			list := prefixes(family, n)
			all := addrs(family, list)[:4_000]
			found := make(map[string]func(netip.Addr) int32)
			for _, tt := range tables {
				found[tt.name] = tt.build(list)
			}
			agreeing(t, all, func(f func(netip.Addr) int32, a netip.Addr) int32 { return f(a) }, found)
			in := make(map[string]func(netip.Addr) bool)
			for _, m := range members {
				in[m.name] = m.build(list)
			}
			agreeing(t, all, func(f func(netip.Addr) bool, a netip.Addr) bool { return f(a) }, in)
			hit := 0
			for _, a := range all {
				if i := found["polreach"](a); i >= 0 {
					require.True(t, list[i].Contains(a))
					hit++
				}
			}
			assert.GreaterOrEqual(t, hit, len(all)/2)

			held := make(map[string]func([]int32, netip.Addr) []int32)
			some := blocks(family, n)
			for _, h := range holders {
				if f := h.build(some); f != nil {
					held[h.name] = f
				}
			}
			agreeing(t, all[:500], sorted, held)
		}
	}
}

func BenchmarkLongest(b *testing.B) {
	perTable(b, func(family string, n int, each func(name string, run func(*testing.B))) {
		list := prefixes(family, n)
		all := addrs(family, list)
		truth := tables[0].build(list)
		for _, tt := range tables {
			each(tt.name, func(b *testing.B) {
				find := tt.build(list)
				if find == nil {
					b.Skip("too many")
				}
				for _, a := range all[:10_000] {
					if find(a) != truth(a) {
						b.Fatalf("%s says %d of %v, not %d", tt.name, find(a), a, truth(a))
					}
				}
				i := 0
				for b.Loop() {
					find(all[i&(len(all)-1)])
					i++
				}
			})
		}
	})
}

func BenchmarkContains(b *testing.B) {
	perTable(b, func(family string, n int, each func(name string, run func(*testing.B))) {
		list := prefixes(family, n)
		all := addrs(family, list)
		truth := members[0].build(list)
		for _, m := range members {
			each(m.name, func(b *testing.B) {
				holds := m.build(list)
				for _, a := range all[:10_000] {
					if holds(a) != truth(a) {
						b.Fatalf("%s says %v of %v", m.name, holds(a), a)
					}
				}
				i := 0
				for b.Loop() {
					holds(all[i&(len(all)-1)])
					i++
				}
			})
		}
	})
}

func BenchmarkBlocks(b *testing.B) {
	perTable(b, func(family string, n int, each func(name string, run func(*testing.B))) {
		list := blocks(family, n)
		all := addrs(family, prefixes(family, n))
		truth := holders[0].build(list)
		for _, h := range holders {
			each(h.name, func(b *testing.B) {
				find := h.build(list)
				if find == nil {
					b.Skip("too many")
				}
				for _, a := range all[:1_000] {
					if g, w := sorted(find, a), sorted(truth, a); !slices.Equal(g, w) {
						b.Fatalf("%s says %v of %v, not %v", h.name, g, a, w)
					}
				}
				var in []int32
				i := 0
				for b.Loop() {
					in = find(in[:0], all[i&(len(all)-1)])
					i++
				}
			})
		}
	})
}

// perTable calls f for every family and number.
func perTable(b *testing.B, f func(family string, n int, each func(name string, run func(*testing.B)))) {
	for _, family := range families {
		for _, n := range numbers {
			b.Run(fmt.Sprintf("family=%s/prefixes=%d", family, n), func(b *testing.B) {
				f(family, n, func(name string, run func(*testing.B)) { b.Run("engine="+name, run) })
			})
		}
	}
}

// BenchmarkPrefixBuild measures time and what memory remains.
func BenchmarkPrefixBuild(b *testing.B) {
	perTable(b, func(family string, n int, each func(name string, run func(*testing.B))) {
		list := prefixes(family, n)
		for _, tt := range tables {
			each(tt.name, func(b *testing.B) {
				var find func(netip.Addr) int32
				before := heap()
				for b.Loop() {
					find = tt.build(list)
				}
				if find == nil {
					b.Skip("too many")
				}
				b.ReportMetric(float64(heap()-before)/float64(n), "B/prefix")
				runtime.KeepAlive(find)
			})
		}
	})
}

// heap returns how many bytes are in use after a garbage collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
