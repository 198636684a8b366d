package report_test

import (
	"slices"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/polreach/polreach/reach/report"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawOptions draws options for g.
func drawOptions(t *rapid.T, g *reach.Graph) report.Options {
	opts := report.Options{
		Detail: rapid.SampledFrom([]report.Detail{"", report.Each, report.Alike, report.Namespaces}).Draw(t, "detail"),
		Limit:  rapid.SampledFrom([]int{0, 0, 4, 5}).Draw(t, "limit"),
	}
	seen := make(map[string]bool)
	for _, e := range g.Pods() {
		if ns := e.Name().Namespace; !seen[ns] {
			seen[ns] = true
			if rapid.IntRange(0, 3).Draw(t, "keep") == 0 {
				opts.Namespaces = append(opts.Namespaces, ns)
			}
		}
	}
	return opts
}

// A cell holds what Graph.Ports says of each pair of its groups that policies decide,
// or of all if they decide none; if it is one of some pairs, it holds what they have
// together, and they differ. Every pair is in one cell.
func TestPropertyCellsArePorts(t *testing.T) {
	if report.RaceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	gen := reachtest.Gen{MaxNamespaces: 4, MaxNodes: 3}
	var joined, some, own, closed, open int
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		g, err := gen.Profiles().Draw(t, "profile").Compile(c)
		require.NoError(t, err)
		opts := drawOptions(t, g)
		m, err := report.Of(g, opts)
		require.NoError(t, err)
		if opts.Limit > 0 && opts.Detail == "" {
			require.LessOrEqual(t, len(m.Groups), opts.Limit)
		}

		shown := make(map[reach.Endpoint]int)
		for _, gr := range m.Groups {
			for _, e := range gr.Members {
				shown[e]++
			}
		}
		for _, e := range append(g.Pods(), g.Nodes()...) {
			require.Equal(t, 1, shown[e], "%v", e)
		}
		isKept := func(gr report.Group) bool {
			return gr.Kind == report.Pods && (len(opts.Namespaces) == 0 || slices.Contains(opts.Namespaces, gr.Members[0].Name().Namespace))
		}
		for i, from := range m.Groups {
			for j, to := range m.Groups {
				cell := m.At(i, j)
				require.Equal(t, [2]int{i, j}, [2]int{cell.From, cell.To})
				var decided, exempt []policy.PortSet
				if (from.Kind == report.Pods || to.Kind == report.Pods) && (isKept(from) || isKept(to)) {
					for _, a := range from.Members {
						for _, b := range to.Members {
							if a == b {
								if r, err := g.Lookup("replica:" + a.String()); err == nil {
									decided = append(decided, g.Ports(a, r))
								}
							} else if g.Exempt(a, b) {
								exempt = append(exempt, g.Ports(a, b))
							} else {
								decided = append(decided, g.Ports(a, b))
							}
						}
					}
				}
				require.Equal(t, len(exempt) > 0 && len(decided) > 0, cell.OwnNode)
				if len(decided) == 0 {
					decided = exempt
				}
				require.Equal(t, len(decided), cell.Pairs, "%s -> %s", from.Name, to.Name)
				var union policy.PortSet
				differ := false
				for _, s := range decided {
					differ = differ || !s.Equal(decided[0])
					var ranges []policy.PortRange
					for r := range union.Ranges() {
						ranges = append(ranges, r)
					}
					for r := range s.Ranges() {
						ranges = append(ranges, r)
					}
					union = policy.NewPortSet(ranges...)
				}
				require.Equal(t, union.String(), cell.Ports.String(), "%s -> %s", from.Name, to.Name)
				require.Equal(t, differ, cell.Some, "%s -> %s", from.Name, to.Name)
				for n, when := range map[*int]bool{&some: differ, &own: cell.OwnNode, &closed: union.IsEmpty(), &open: !union.IsEmpty(),
					&joined: m.Detail == report.Alike && cell.Pairs > 1} {
					if when {
						*n++
					}
				}
				if m.Detail != report.Namespaces {
					require.False(t, differ && len(exempt) == 0)
				}
			}
		}
		for _, e := range g.Outside() { // of a family that no pod has
			if shown[e] == 0 {
				for _, pod := range g.Pods() {
					require.True(t, g.Ports(pod, e).IsEmpty() && g.Ports(e, pod).IsEmpty(), "%v", e)
				}
			}
		}
	})
	for _, n := range []int{joined, some, own, closed, open} {
		require.NotZero(t, n)
	}
}

// The order of objects in the input does not reach what is written.
func TestPropertyOrderDoesNotMatter(t *testing.T) {
	if report.RaceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	gen := reachtest.Gen{Complete: true, MaxServices: 3}
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		g, err := reach.Compile(c)
		require.NoError(t, err)
		opts := drawOptions(t, g)
		shuffled := *c
		shuffled.Namespaces = rapid.Permutation(c.Namespaces).Draw(t, "namespaces")
		shuffled.Nodes = rapid.Permutation(c.Nodes).Draw(t, "nodes")
		shuffled.Pods = rapid.Permutation(c.Pods).Draw(t, "pods")
		shuffled.Policies = rapid.Permutation(c.Policies).Draw(t, "policies")
		shuffled.Services = rapid.Permutation(c.Services).Draw(t, "services")
		h, err := reach.Compile(&shuffled)
		require.NoError(t, err)
		for _, f := range report.Formats() {
			require.Equal(t, write(t, g, opts, f), write(t, h, opts, f))
		}
	})
}
