package property

import (
	"os"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

func compile(t *testing.T) *reach.Graph {
	t.Helper()
	cluster, err := policy.ParseFS(os.DirFS("../../testdata/shop"), "manifests")
	require.NoError(t, err)
	g, err := reach.Compile(cluster)
	require.NoError(t, err)
	return g
}

// Whatever reaches the database comes from the shop or stands beside the
// database, and uses no other port than 5432.
func TestDatabase(t *testing.T) {
	g := compile(t)
	db, scraper := g.MustLookup("data/postgres"), g.MustLookup("monitoring/prometheus")
	reached := 0
	rapid.Check(t, func(t *rapid.T) {
		f := reachtest.Draw(t, reachtest.Gen{}.Flows(g), "flow")
		f.To = db
		if rapid.Bool().Draw(t, "its port") {
			f.Port = policy.TCP.Port(5432)
		}
		if f.From == db || f.From == scraper || !g.Allows(f) {
			return
		}
		reached++
		from := f.From.Name().Namespace
		near := from == "shop" || from == "data"
		if !near || f.Port != policy.TCP.Port(5432) {
			t.Fatal(g.Explain(f))
		}
	})
	assert.Positive(t, reached, "no flow that was drawn reached the database")
}

// PortsOver says the same as Allows. With a library that is tested this is a
// sanity check of the test itself; with your own it is the test.
func TestPortsAgree(t *testing.T) {
	g := compile(t)
	rapid.Check(t, func(t *rapid.T) {
		f := reachtest.Draw(t, reachtest.Gen{}.Flows(g), "flow")
		if g.PortsOver(f.Family, f.From, f.To).Contains(f.Port) != g.Allows(f) {
			t.Fatal(g.Explain(f))
		}
	})
}

// denyAll is the controller under test: it adds to every namespace the policy that
// closes it in both directions.
func denyAll(c *policy.Cluster) []policy.Edit {
	var edits []policy.Edit
	for _, ns := range c.Namespaces {
		np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "deny-all"}}
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
		edits = append(edits, policy.Put(np))
	}
	return edits
}

// in returns the end in g that e is in another Graph.
func in(g *reach.Graph, e reach.Endpoint) reach.Endpoint {
	if e.Name().Name == "" { // outside: any of its addresses will do
		return g.MustLookup(e.Addrs().First().String())
	}
	return g.MustLookup(e.String())
}

// A controller is tested with clusters that are drawn: whatever the cluster is, and
// however it changes, what the controller adds never opens a flow that was closed.
func TestControllerOnlyCloses(t *testing.T) {
	gen := reachtest.Gen{Complete: true, MaxPods: 4}
	closed := 0
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		g, err := reach.Compile(c)
		require.NoError(t, err)
		for range 3 {
			edits := reachtest.Draw(t, gen.Edits(c, 1), "edits")
			c, err = c.With(edits...)
			require.NoError(t, err)
			g, err = g.With(edits...)
			require.NoError(t, err)
			after, err := g.With(denyAll(c)...)
			require.NoError(t, err)
			f := reachtest.Draw(t, gen.Flows(g), "flow")
			from, to := in(after, f.From), in(after, f.To)
			was, is := g.Allows(f), after.Allows(reach.Flow{From: from, To: to, Port: f.Port, Family: f.Family})
			if is && !was {
				t.Fatalf("opened:\n%s", reachtest.YAML(c, f))
			}
			if was && !is {
				closed++
			}
		}
	})
	assert.Positive(t, closed, "nothing was closed")
}
