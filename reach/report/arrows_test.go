package report

import (
	"slices"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawMatrix(t *rapid.T) *Matrix {
	c := reachtest.Draw(t, reachtest.Gen{MaxNamespaces: 4}.Clusters(), "cluster")
	g, err := reach.Compile(c)
	require.NoError(t, err)
	m, err := Of(g, Options{Detail: rapid.SampledFrom([]Detail{Each, Alike, Namespaces}).Draw(t, "detail")})
	require.NoError(t, err)
	return m
}

func drawDiff(t *rapid.T) *Matrix {
	gen := reachtest.Gen{MaxNamespaces: 4}
	c := reachtest.Draw(t, gen.Clusters(), "cluster")
	g, err := reach.Compile(c)
	require.NoError(t, err)
	h, err := g.With(reachtest.Draw(t, gen.Edits(c, 3), "edits")...)
	if err != nil {
		t.Skip("an edit that no cluster takes: ", err)
	}
	m, err := OfDiff(reach.Compare(g, h), Options{Detail: rapid.SampledFrom([]Detail{Each, Alike, Namespaces}).Draw(t, "detail")})
	require.NoError(t, err)
	return m
}

// The arrows between two groups, and those of larger spots that they are in, say
// together what the cell says, and none says more.
func TestPropertyArrowsAreCells(t *testing.T) {
	joined := make([]int, 2) // arrows of larger spots, by layer
	check := func(t *rapid.T, m *Matrix) {
		for layer, g := range m.graphs() {
			for i := range m.Groups {
				for j := range m.Groups {
					c := m.At(i, j)
					if c.Pairs == 0 {
						continue
					}
					want := [...]policy.PortSet{c.Ports, c.Closed}[layer]
					var got policy.PortSet
					for _, a := range g.arrows {
						if !slices.Contains(g.spots[a.from].groups, i) || !slices.Contains(g.spots[a.to].groups, j) {
							continue
						}
						require.True(t, !a.some || c.Some && a.ports.Equal(want), "%v -> %v", g.spots[a.from], g.spots[a.to])
						got = unionOf(got, a.ports)
					}
					require.Equal(t, want.String(), got.String(), "%s -> %s", m.Groups[i].Name, m.Groups[j].Name)
				}
			}
			for _, a := range g.arrows {
				require.False(t, a.ports.IsEmpty())
				if len(g.spots[a.from].groups)+len(g.spots[a.to].groups) > 2 {
					joined[layer]++
				}
			}
		}
	}
	t.Run("matrix", rapid.MakeCheck(func(t *rapid.T) { check(t, drawMatrix(t)) }))
	t.Run("difference", rapid.MakeCheck(func(t *rapid.T) { check(t, drawDiff(t)) }))
	require.NotContains(t, joined, 0)
}

// Two groups of one kind and namespace are not alike: a third one tells them apart, or
// they themselves.
func TestPropertyGroupsDiffer(t *testing.T) {
	joined := 0
	rapid.Check(t, func(t *rapid.T) {
		m := drawMatrix(t)
		if m.Detail != Alike {
			t.Skip("only groups of the like are meant to differ")
		}
		r := m.relation
		value := func(a, b int32) int32 { return r.between(r.sets[a].members[0], r.sets[b].members[0]) }
		for a := range r.sets {
			joined += len(r.sets[a].members) - 1
			for b := range r.sets[:a] {
				a, b := int32(a), int32(b)
				x, y := &r.ends[r.sets[a].members[0]], &r.ends[r.sets[b].members[0]]
				if x.kind != y.kind {
					continue
				}
				v := value(a, b)
				same := value(b, a) == v
				for _, k := range []int32{a, b} {
					if len(r.sets[k].members) > 1 || r.ends[r.sets[k].members[0]].replicas {
						same = same && value(k, k) == v
					}
				}
				for c := range r.sets {
					if c := int32(c); c != a && c != b {
						same = same && value(a, c) == value(b, c) && value(c, a) == value(c, b)
					}
				}
				require.False(t, same, "%v and %v are alike", x.Endpoint, y.Endpoint)
			}
		}
	})
	require.NotZero(t, joined)
}
