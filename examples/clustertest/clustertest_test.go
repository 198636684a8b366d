package clustertest

import (
	"os"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// compile reads the manifests as they are applied. What is wrong with them
// fails the test with file and line.
func compile(t *testing.T) *reach.Graph {
	t.Helper()
	cluster, err := policy.ParseFS(os.DirFS("../../testdata/shop"), "manifests")
	require.NoError(t, err)
	g, err := reach.Compile(cluster)
	require.NoError(t, err)
	return g
}

// Each row is a requirement, in the words of the one who has it. A misspelled
// name fails its row: Lookup never turns it into an answer.
func TestRequirements(t *testing.T) {
	g := compile(t)
	for _, tt := range []struct {
		from, to, port string
		allowed        bool
		why            string
	}{
		{"shop/frontend", "shop/api", "8080", true, "the pages come from the api"},
		{"shop/api", "data/postgres", "5432", true, "the shop needs its database"},
		{"shop/frontend", "data/postgres", "5432", false, "the pages never talk to the database"},
		{"monitoring/grafana", "data/postgres", "5432", false, "dashboards must not see customers"},
		{"203.0.113.9", "shop/api", "8080", false, "the only door is the ingress controller"},
		{"shop/payments", "198.51.100.7", "443", true, "the payment gateway"},
		{"shop/payments", "203.0.113.9", "443", false, "card data leaves to the gateway only"},
		{"shop/api", "kube-system/coredns", "53/UDP", true, "without DNS nothing works"},
	} {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			from, err := g.Lookup(tt.from)
			require.NoError(t, err)
			to, err := g.Lookup(tt.to)
			require.NoError(t, err)
			port, err := policy.ParsePort(tt.port)
			require.NoError(t, err)
			v := g.Explain(reach.Flow{From: from, To: to, Port: port})
			assert.Equal(t, tt.allowed, v.Allowed, "%s\n%v", tt.why, v)
		})
	}
}

// What holds for all endpoints is asked of all endpoints: of every pod, and of
// every class of outside addresses that the policies tell apart.
func TestOnlyClientsReachTheDatabase(t *testing.T) {
	g := compile(t)
	db := g.MustLookup("data/postgres")
	clients := map[string]bool{
		"shop/api": true, "shop/catalog": true, "shop/checkout": true, "shop/worker": true,
		"data/backup": true, "data/postgres": true,
	}
	reached := 0
	for e := range g.Edges() {
		if e.To == db && e.Ports.Contains(policy.TCP.Port(5432)) {
			reached++
			assert.True(t, clients[e.From.String()], "%v reaches the database", e.From)
		}
	}
	assert.Positive(t, reached, "nobody reaches the database")
}
