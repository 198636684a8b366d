package cidr

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// randomPrefixes returns n different prefixes with the usual lengths of a
// routing table, IPv4 from all over and IPv6 from 2000::/3.
func randomPrefixes(rng *rand.Rand, family string, n int) []netip.Prefix {
	found := map[netip.Prefix]bool{}
	list := make([]netip.Prefix, 0, n)
	for len(list) < n {
		p := netip.PrefixFrom(randomAddr(rng, family), 12+rng.IntN(17))
		if family == "v6" {
			p = netip.PrefixFrom(p.Addr(), 24+rng.IntN(41))
		}
		p = p.Masked()
		if !found[p] {
			found[p] = true
			list = append(list, p)
		}
	}
	return list
}

func randomAddr(rng *rand.Rand, family string) netip.Addr {
	if family == "v4" {
		return number{0, 0xffff<<32 | uint64(rng.Uint32())}.addr().Unmap()
	}
	return number{1<<61 | rng.Uint64()>>3, rng.Uint64()}.addr()
}

// crowdedPrefixes returns n different single addresses of one IPv4 /8 or one
// IPv6 /64, as the pods of a cluster have them.
func crowdedPrefixes(rng *rand.Rand, family string, n int) []netip.Prefix {
	list := make([]netip.Prefix, n)
	for i, k := range rng.Perm(1 << 20)[:n] {
		a := number{0, 0xffff0a<<24 | uint64(k)*16}.addr().Unmap()
		if family == "v6" {
			a = number{0xfd00 << 48, uint64(k) * 7919}.addr()
		}
		list[i] = netip.PrefixFrom(a, a.BitLen())
	}
	return list
}

func BenchmarkPartitionClass(b *testing.B) {
	for _, family := range []string{"v4", "v6"} {
		for _, n := range []int{1_000, 100_000, 1_000_000} {
			for _, shape := range []struct {
				name string
				make func(*rand.Rand, string, int) []netip.Prefix
			}{
				{"spread", randomPrefixes},
				{"crowded", crowdedPrefixes},
			} {
				b.Run(fmt.Sprintf("%s/prefixes=%d/%s", family, n, shape.name), func(b *testing.B) {
					rng := rand.New(rand.NewPCG(1, uint64(n)))
					prefixes := shape.make(rng, family, n)
					p := NewPartition(oneEach(prefixes)...)
					// Half of the addresses are in a prefix, half anywhere.
					addrs := make([]netip.Addr, 1<<16)
					for i := range addrs {
						addrs[i] = randomAddr(rng, family)
						if i%2 == 0 {
							q := prefixes[rng.IntN(n)]
							k := numberOf(addrs[i])
							mask := ones(q.Addr().BitLen() - q.Bits())
							k = number{k.hi & mask.hi, k.lo & mask.lo}.or(numberOf(q.Addr()))
							addrs[i] = k.addr().Unmap()
						}
					}
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						sink = p.Class(addrs[i%len(addrs)])
						i++
					}
				})
			}
		}
	}
}

var sink Class

// oneEach returns a set for each prefix.
func oneEach(prefixes []netip.Prefix) []Set {
	sets := make([]Set, len(prefixes))
	for i, p := range prefixes {
		sets[i] = Of(p)
	}
	return sets
}

func BenchmarkNewPartition(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	prefixes := append(randomPrefixes(rng, "v4", 50_000), randomPrefixes(rng, "v6", 50_000)...)
	rng.Shuffle(len(prefixes), func(i, j int) { prefixes[i], prefixes[j] = prefixes[j], prefixes[i] })
	shared := make([]Set, 500)
	for i := range shared {
		shared[i] = Of(append(prefixes[:2000:2000], prefixes[2000+i])...)
	}
	holes := make([]Set, 10_000)
	for i, p := range prefixes[:len(holes)] {
		holes[i] = Of(roots[:]...).Minus(Of(p))
	}
	for _, bb := range []struct {
		name string
		sets []Set
	}{
		{"sets=5/prefixes=1", fewSets(b)},
		{"sets=1/prefixes=100000", []Set{Of(prefixes...)}},
		{"sets=100/prefixes=1", oneEach(prefixes[:100])},
		{"sets=10000/prefixes=1", oneEach(prefixes[:10_000])},
		{"sets=100000/prefixes=1", oneEach(prefixes)},
		{"sets=500/prefixes=2001", shared},
		{"sets=10000/exceptions=1", holes},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewPartition(bb.sets...)
			}
		})
	}
}

func BenchmarkPartitionSets(b *testing.B) {
	for _, n := range []int{5, 1_000, 100_000} {
		b.Run(fmt.Sprintf("sets=%d", n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			p := NewPartition(oneEach(randomPrefixes(rng, "v4", n))...)
			b.ReportAllocs()
			c := Class(0)
			for b.Loop() {
				for i := range p.Sets(c) {
					sink = Class(i)
				}
				if c++; int(c) == p.Len() {
					c = 0
				}
			}
		})
	}
}

func BenchmarkPartitionAddrs(b *testing.B) {
	for _, n := range []int{5, 1_000, 100_000} {
		b.Run(fmt.Sprintf("sets=%d", n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			p := NewPartition(oneEach(randomPrefixes(rng, "v4", n))...)
			b.ReportAllocs()
			c := Class(1) // 0 has as many runs as there are gaps
			for b.Loop() {
				p.Addrs(c)
				if c++; int(c) == p.Len() {
					c = 1
				}
			}
		})
	}
}

func BenchmarkSetString(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 100, 10_000} {
		s := Of(append(randomPrefixes(rng, "v4", n), randomPrefixes(rng, "v6", n)...)...)
		b.Run(fmt.Sprintf("prefixes=%d", 2*n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = s.String()
			}
		})
	}
}
