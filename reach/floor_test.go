package reach

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/polreach/polreach/policy/scale"
)

// BenchmarkFloor measures what no query can do without: to load the two ends of
// a random flow, and then a bit that depends on both, from tables as large as
// those of the Graph. Compare it with BenchmarkAllows of the same run.
func BenchmarkFloor(b *testing.B) {
	for _, s := range []scale.Size{scale.L, scale.XL} {
		b.Run(s.String(), func(b *testing.B) {
			g, err := Compile(s.Cluster())
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			pairs := make([][2]int32, 1<<14)
			for i := range pairs {
				pairs[i] = [2]int32{r.Int32N(g.first.replica), r.Int32N(g.first.replica)}
			}
			ends, bits := g.ends, g.bits
			i, set := 0, uint64(0)
			for b.Loop() {
				p := pairs[i&(len(pairs)-1)]
				x, y := &ends[p[0]], &ends[p[1]]
				n := uint64(uint32(x.class[0])*0x9E3779B1+uint32(y.class[0])) * uint64(len(bits)) >> 32
				set += bits[n] >> (uint(y.egress) & 63) & 1
				i++
			}
			runtime.KeepAlive(set)
			b.ReportMetric(float64(len(ends)*24)/1e6, "MB-ends")
			b.ReportMetric(float64(len(bits)*8)/1e6, "MB-rows")
		})
	}
}

// BenchmarkGraphMemory tells what a Graph keeps beside the objects that it was
// compiled from.
func BenchmarkGraphMemory(b *testing.B) {
	for _, s := range []scale.Size{scale.M, scale.L, scale.XL} {
		b.Run(s.String(), func(b *testing.B) {
			c := s.Cluster()
			c.Services = nil
			var g *Graph
			var with, without float64
			for b.Loop() {
				var err error
				if g, err = Compile(c); err != nil {
					b.Fatal(err)
				}
				with = heap()
				runtime.KeepAlive(g)
				g = nil
				without = heap()
			}
			runtime.KeepAlive(c)
			b.ReportMetric((with-without)/float64(s.Pods), "B/pod")
		})
	}
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
