package clustertest

import (
	"os"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach/reachtest"
)

// load reads the manifests as they are applied. What is wrong with them fails the
// test with file and line.
func load(t *testing.T) *reachtest.Cluster {
	t.Helper()
	return reachtest.FS(t, os.DirFS("../../testdata/shop/manifests"))
}

// Each line is a requirement, in the words of the one who has it. A misspelled name
// fails its line, as does a selector that picks no pod: nothing passes because
// nothing was asked.
func TestRequirements(t *testing.T) {
	c := load(t)
	c.Reaches(t, "shop/frontend", "shop/api", "http", "the pages come from the api")
	c.Reaches(t, "shop/api", "svc:data/postgres", "postgres", "the shop needs its database")
	c.ReachesOnly(t, "shop/payments", "198.51.100.0/29 and pods in kube-system", "all", "card data leaves to the gateway only")
	c.DoesNotReach(t, "pods in monitoring", "data/postgres", "5432", "dashboards must not see customers")
	c.DoesNotReach(t, "outside", "pods in shop", "all", "the only door is the ingress controller")
	c.ResolvesDNS(t, "pods", "without DNS nothing works")
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		c.IsIsolated(t, "pods except pods in kube-system", d, "deny by default")
	}
}

// What holds for all endpoints is asked of all endpoints: of every pod, every node
// and every class of outside addresses that the policies tell apart.
func TestOnlyClientsReachTheDatabase(t *testing.T) {
	c := load(t)
	c.IsReachedOnlyBy(t, "data/postgres", "5432",
		"pods shop.example.com/postgres-client=true in shop and data/backup and data/postgres")
}

// It holds for pods that nobody has written yet, too: whatever labels they get, in
// whatever namespace.
func TestNobodyElseEverReachesTheDatabase(t *testing.T) {
	c := load(t)
	c.NeverReaches(t, "any pod in namespaces kubernetes.io/metadata.name notin (shop,data)", "data/postgres", "5432")
	c.NeverReaches(t, "any pod !shop.example.com/postgres-client in shop", "data/postgres", "5432")
}

// A table says exactly who has which ports, the empty cells included: they are the
// default, which is nothing.
func TestDatabases(t *testing.T) {
	load(t).MatchesTable(t, `
clients := pods shop.example.com/postgres-client=true except shop/worker # the label is granted by review
default := -

from \ to     | data/postgres | data/redis
clients       | 5432          |
shop/worker   | 5432          | 6379       # has both labels
shop/cart     |               | 6379
shop/frontend |               |            # the pages go through the api
`)
}
