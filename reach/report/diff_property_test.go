package report

import (
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// minus returns the ports of a that b does not have.
func minus(a, b policy.PortSet) policy.PortSet {
	all := everyPort
	for r := range b.Ranges() {
		var rest []policy.PortRange
		for x := range all.Ranges() {
			if x.Protocol != r.Protocol {
				rest = append(rest, x)
				continue
			}
			if x.First < r.First {
				rest = append(rest, policy.PortRange{Protocol: x.Protocol, First: x.First, Last: min(x.Last, r.First-1)})
			}
			if x.Last > r.Last {
				rest = append(rest, policy.PortRange{Protocol: x.Protocol, First: max(x.First, r.Last+1), Last: x.Last})
			}
		}
		all = policy.NewPortSet(rest...)
	}
	return a.Intersect(all)
}

// A cell of a difference holds what both Graphs say differently of each pair of its
// groups, over some family; if it is one of some pairs, they differ in that. What is in
// no cell does not differ.
func TestPropertyDifferencesAreThoseOfPorts(t *testing.T) {
	if RaceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	gen := reachtest.Gen{MaxNodes: 3}
	var opened, closed, some, own, alone, joined, outside int
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		before, err := reach.Compile(c)
		require.NoError(t, err)
		edited, err := c.With(reachtest.Draw(t, gen.Edits(c, 3), "edits")...)
		if err != nil {
			t.Skip("an edit that no cluster takes: ", err)
		}
		after, err := reach.Compile(edited)
		if err != nil {
			t.Skip("an edit that no cluster takes: ", err)
		}
		d := reach.Compare(before, after)
		m, err := OfDiff(d, Options{Detail: rapid.SampledFrom([]Detail{Each, Alike, Namespaces}).Draw(t, "detail")})
		require.NoError(t, err)
		r := m.relation

		// in returns what an end is in a Graph.
		in := func(g *reach.Graph, side Side, e *end) (reach.Endpoint, bool) {
			switch {
			case e.kind == Outside:
				o, err := g.Addr(e.addrs.Intersect(outsideOf(before)).Intersect(outsideOf(after)).First())
				require.NoError(t, err)
				return o, true
			case e.only != "":
				return e.Endpoint, e.only == side
			case side == After:
				return e.Endpoint, true
			}
			return counterpart(e.Endpoint, after, before), true
		}
		for i := range m.Groups {
			a := &m.Groups[i]
			if a.Only != "" {
				alone++
			}
			joined += len(a.Members) - 1
			for j := range m.Groups {
				b := &m.Groups[j]
				cell := m.At(i, j)
				var want []value
				var near []value
				for x := range r.ends {
					for y := range r.ends {
						from, to := &r.ends[x], &r.ends[y]
						if !has(a, from) || !has(b, to) || from.kind != Pods && to.kind != Pods {
							continue
						}
						var v value
						exempt, same := false, false
						for _, f := range []reach.Family{reach.IPv4, reach.IPv6} {
							var ports [2]policy.PortSet
							for s, g := range []*reach.Graph{before, after} {
								p, ok := in(g, sides[s], from)
								q, also := in(g, sides[s], to)
								if !ok || !also {
									continue
								}
								if p == q {
									if q, err = g.Lookup("replica:" + p.String()); err != nil {
										same = true
										continue
									}
								} else if isSame(g, p, q) {
									same = true
								} else if g.Exempt(p, q) || g.Exempt(q, p) {
									exempt = true
								}
								ports[s] = g.PortsOver(f, p, q)
							}
							v = v.union(value{ports: minus(ports[1], ports[0]), closed: minus(ports[0], ports[1])})
						}
						switch {
						case same:
						case exempt:
							near = append(near, v)
						default:
							want = append(want, v)
						}
					}
				}
				require.Equal(t, len(want) > 0 && len(near) > 0, cell.OwnNode, "%s -> %s %v", a.Name, b.Name, d)
				if len(want) == 0 {
					want = near
				}
				var all value
				differ := false
				for _, v := range want {
					differ = differ || !v.equal(want[0])
					all = all.union(v)
				}
				require.Equal(t, len(want), cell.Pairs, "%s -> %s", a.Name, b.Name)
				require.Equal(t, all.ports.String(), cell.Ports.String(), "%s -> %s opened %v", a.Name, b.Name, d)
				require.Equal(t, all.closed.String(), cell.Closed.String(), "%s -> %s closed", a.Name, b.Name)
				require.Equal(t, differ, cell.Some && !cell.OneFamily || differ && cell.OneFamily, "%s -> %s some", a.Name, b.Name)
				count := func(n *int, when bool) {
					if when {
						*n++
					}
				}
				count(&opened, !cell.Ports.IsEmpty())
				count(&closed, !cell.Closed.IsEmpty())
				count(&some, cell.Some)
				count(&own, cell.OwnNode)
				count(&outside, !cell.isEmpty() && (a.Kind == Outside || b.Kind == Outside))
			}
		}
	})
	for _, n := range []int{opened, closed, some, own, alone, joined, outside} {
		require.NotZero(t, n)
	}
}

func outsideOf(g *reach.Graph) cidr.Set {
	var s cidr.Set
	for _, e := range g.Outside() {
		s = s.Union(e.Addrs())
	}
	return s
}

func has(g *Group, e *end) bool {
	for i, m := range g.Members {
		if m == e.Endpoint && g.texts[i] == e.text {
			return true
		}
	}
	return false
}
