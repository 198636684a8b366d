package property

import (
	"os"
	"slices"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// genFlow draws a flow. Outside stands for every address there is: a property of
// all its endpoints is a property of the whole internet. Pods is sorted, so that
// a failure shrinks toward the first pod.
func genFlow(g *reach.Graph) *rapid.Generator[reach.Flow] {
	ends := slices.Concat(g.Pods(), g.Outside())
	return rapid.Custom(func(t *rapid.T) reach.Flow {
		proto := rapid.SampledFrom([]policy.Protocol{policy.TCP, policy.UDP, policy.SCTP}).Draw(t, "protocol")
		return reach.Flow{
			From: rapid.SampledFrom(ends).Draw(t, "from"),
			To:   rapid.SampledFrom(ends).Draw(t, "to"),
			Port: proto.Port(rapid.Uint16Min(1).Draw(t, "number")),
		}
	})
}

// Whatever reaches the database comes from the shop or stands beside the
// database, and uses no other port than 5432.
func TestDatabase(t *testing.T) {
	g := compile(t)
	db, scraper := g.MustLookup("data/postgres"), g.MustLookup("monitoring/prometheus")
	reached := 0
	rapid.Check(t, func(t *rapid.T) {
		f := genFlow(g).Draw(t, "flow")
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

// Ports says the same as Allows. With a library that is tested this is a
// sanity check of the test itself; with your own it is the test.
func TestPortsAgree(t *testing.T) {
	g := compile(t)
	rapid.Check(t, func(t *rapid.T) {
		f := genFlow(g).Draw(t, "flow")
		if g.Ports(f.From, f.To).Contains(f.Port) != g.Allows(f) {
			t.Fatal(g.Explain(f))
		}
	})
}
