package clustertest

import (
	"os"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach/reachtest"
)

// A test that passes tells little of what it would overlook. Mutate finds out: it
// makes one mistake at a time in the manifests, such as a policy that is gone or a
// selector that lost a label, and runs the tests on the cluster that comes out. A
// mistake that changes what is reachable, and that no assertion notices, is printed
// with a flow that it opens or closes. Write the assertion that misses there, and
// run it again.
func TestMutants(t *testing.T) {
	c := reachtest.FS(t, os.DirFS("../../testdata/shop/manifests"))
	reachtest.Mutate(t, c, everything).NoneSurvives(t)
}

// everything is the whole suite: what the team wrote down first, and then what the
// survivors taught it.
func everything(t reachtest.TB, c *reachtest.Cluster) {
	requirements(t, c)
	wires(t, c)
	doors(t, c)
	walls(t, c)
}

// The first suite: a requirement a line, as in the runbook.
func requirements(t reachtest.TB, c *reachtest.Cluster) {
	c.Reaches(t, "shop/frontend", "shop/api", "http", "the pages come from the api")
	c.Reaches(t, "shop/api", "data/postgres", "postgres", "the shop needs its database")
	c.DoesNotReach(t, "everything except pods in shop except pods in data", "data/postgres", "5432", "nor does anyone else")
	c.DoesNotReach(t, "shop/frontend", "data/postgres", "5432", "the pages never talk to the database")
	c.DoesNotReach(t, "outside", "pods in shop", "all", "the only door is the ingress controller")
	c.ResolvesDNS(t, "pods", "without DNS nothing works")
}
func wires(t reachtest.TB, c *reachtest.Cluster) {}
func doors(t reachtest.TB, c *reachtest.Cluster) {}
func walls(t reachtest.TB, c *reachtest.Cluster) { _ = policy.Egress }
