package reach_test

import (
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
)

// shop compiles testdata/shop.
func shop(t testing.TB) *reach.Graph {
	t.Helper()
	c, err := policy.ParseFS(os.DirFS("../testdata/shop"), "manifests")
	require.NoError(t, err)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	return g
}

// readPolicy reads the policies in text.
func readPolicy(t testing.TB, text string) []*networkingv1.NetworkPolicy {
	t.Helper()
	c, err := policy.Parse("policy.yaml", strings.NewReader(text))
	require.NoError(t, err)
	return c.Policies
}

// Read a folder of manifests, compile it, ask, and print the reason.
func Example() {
	cluster, err := policy.ParseFS(os.DirFS("../testdata/shop"), "manifests")
	if err != nil {
		log.Fatal(err) // every fault in the manifests, with file and line
	}
	g, err := reach.Compile(cluster)
	if err != nil {
		log.Fatal(err)
	}
	frontend, err := g.Lookup("shop/frontend")
	if err != nil {
		log.Fatal(err) // a name that is not there is never an answer
	}
	flow := reach.Flow{
		From: frontend,
		To:   g.MustLookup("data/postgres"),
		Port: policy.TCP.Port(5432),
	}
	fmt.Println(g.Allows(flow))
	fmt.Println(g.Explain(flow))
	// Output:
}
