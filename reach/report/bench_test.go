package report_test

import (
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/report"
)

var sizes = []scale.Size{scale.S, scale.M, scale.L}

// graphs are the compiled clusters of the sizes that a run has asked for, each
// compiled once.
var graphs sync.Map

func graph(tb testing.TB, s scale.Size) *reach.Graph {
	tb.Helper()
	once, _ := graphs.LoadOrStore(s, sync.OnceValues(func() (*reach.Graph, error) { return reach.Compile(s.Cluster()) }))
	g, err := once.(func() (*reach.Graph, error))()
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// BenchmarkWrite measures the whole way from a Graph to what is written.
func BenchmarkWrite(b *testing.B) {
	for _, s := range sizes {
		for _, f := range report.Formats() {
			b.Run(fmt.Sprintf("%v/%s", s, f), func(b *testing.B) {
				g := graph(b, s)
				g.Classes() // the first call costs as much as a part of Compile
				b.ReportAllocs()
				for b.Loop() {
					m, err := report.Of(g, report.Options{})
					if err != nil {
						b.Fatal(err)
					}
					if err := m.Write(io.Discard, f); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkNamespace measures what one namespace has to do with.
func BenchmarkNamespace(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			g := graph(b, s)
			opts := report.Options{Namespaces: []string{g.Pods()[0].Name().Namespace}}
			g.Classes()
			b.ReportAllocs()
			for b.Loop() {
				m, err := report.Of(g, opts)
				if err != nil {
					b.Fatal(err)
				}
				if err := m.Write(io.Discard, report.HTML); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDifference measures all that a policy less changes, without Compare.
func BenchmarkDifference(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			g := graph(b, s)
			p := g.Cluster().Policies[0]
			h, err := g.With(policy.Remove("NetworkPolicy", p.Namespace, p.Name))
			if err != nil {
				b.Fatal(err)
			}
			d := reach.Compare(g, h)
			b.ReportAllocs()
			for b.Loop() {
				m, err := report.OfDiff(d, report.Options{})
				if err != nil {
					b.Fatal(err)
				}
				if err := m.Write(io.Discard, report.HTML); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
