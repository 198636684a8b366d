package reachtest_test

import (
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach/reachtest"
)

// BenchmarkMutants measures how many mutants a second are made and judged, of 300
// pods under 60 policies, by about 20 assertions of the kinds that people write.
func BenchmarkMutants(b *testing.B) {
	c := reachtest.Objects(b, scale.Size{Pods: 300, Policies: 60}.Cluster())
	suite := suiteOf(b, c)
	n := 0
	b.ResetTimer()
	for b.Loop() {
		m := reachtest.Mutate(b, c, suite)
		n += m.Killed + m.Equivalent + len(m.Survivors)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "mutants/s")
	b.ReportMetric(float64(n)/float64(b.N), "mutants")
}

// suiteOf returns assertions that hold for a cluster: that each namespace is
// isolated and resolves names, and of some pods by whom they are reached.
func suiteOf(b *testing.B, c *reachtest.Cluster) func(reachtest.TB, *reachtest.Cluster) {
	var list []func(reachtest.TB, *reachtest.Cluster)
	g := c.Graph()
	namespaces := make(map[string]bool)
	apps := make(map[string]bool)
	for _, e := range g.Pods() {
		ns := e.Name().Namespace
		if !namespaces[ns] {
			namespaces[ns] = true
			set := "pods in " + ns
			for _, d := range []policy.Direction{policy.Egress, policy.Ingress} {
				list = append(list, func(t reachtest.TB, c *reachtest.Cluster) { c.IsIsolated(t, set, d) })
			}
			list = append(list,
				func(t reachtest.TB, c *reachtest.Cluster) { c.ResolvesDNS(t, set) },
				func(t reachtest.TB, c *reachtest.Cluster) { c.DoesNotReach(t, "outside", set, "22!") },
				func(t reachtest.TB, c *reachtest.Cluster) { c.DoesNotReach(t, set, "outside", "25!") })
		}
	}
	for e := range g.ClassEdges() {
		to := e.To.First()
		if e.From.First().Name().Namespace == "" || to.Name().Namespace == "" || apps[to.String()] || e.Ports.Contains(policy.TCP.Port(1)) {
			continue
		}
		apps[to.String()] = true
		if len(apps) > 8 {
			break
		}
		from, to1, ports := e.From.First().String(), to.String(), e.Ports.String()
		list = append(list,
			func(t reachtest.TB, c *reachtest.Cluster) { c.ReachesOnlyOn(t, from, to1, ports) },
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.DoesNotReach(t, "everything except pods in "+to.Name().Namespace, to1, "8080!")
			})
	}
	var good []func(reachtest.TB, *reachtest.Cluster)
	for _, a := range list {
		if r := run(func(t reachtest.TB) { a(t, c) }); r.log == "" {
			good = append(good, a)
		}
	}
	if len(good) < 20 {
		b.Fatalf("only %d of %d assertions hold", len(good), len(list))
	}
	good = good[:20]
	return func(t reachtest.TB, c *reachtest.Cluster) {
		for _, a := range good {
			a(t, c)
		}
	}
}
