package reach_test

import (
	"slices"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Every endpoint is in one class, and the ports between two endpoints that are
// not on one node are those between their classes.
func TestPropertyClasses(t *testing.T) {
	var seen sample
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		g := compile(t, p, c)
		pods := g.Pods()
		ends := slices.Concat(pods, g.Nodes(), g.Outside())
		members, count := make(map[reach.Endpoint]reach.Class), 0
		for _, class := range g.Classes() {
			count += class.Len()
			for e := range class.Members() {
				members[e] = class
				if of, ok := g.ClassOf(e); !ok || of != class {
					t.Fatalf("%v is in %v, and ClassOf says %v, %v", e, class, of, ok)
				}
			}
		}
		if count != len(ends) || len(members) != len(ends) {
			t.Fatalf("%d members, %d of them different, for %d endpoints", count, len(members), len(ends))
		}
		ports := make(map[[2]reach.Class]policy.PortSet)
		for e := range g.ClassEdges() {
			pair := [2]reach.Class{e.From, e.To}
			if _, twice := ports[pair]; twice || e.Ports.IsEmpty() || e.Pairs() <= 0 {
				t.Fatalf("%v -> %v on %v for %d pairs, twice %v", e.From, e.To, e.Ports, e.Pairs(), twice)
			}
			ports[pair] = e.Ports
		}
		for i, from := range ends {
			for j, to := range ends {
				if i == j || i >= len(pods) && j >= len(pods) || shareNode(g, from, to) {
					continue
				}
				want, got := g.Ports(from, to), ports[[2]reach.Class{members[from], members[to]}]
				if !got.Equal(want) {
					t.Fatalf("%v -> %v: %v by class, Ports %v", from, to, got, want)
				}
				seen.add(!want.IsEmpty())
			}
		}
		port := genPort(t, c)
		n := 0
		for e := range g.Edges() {
			if e.Ports.Contains(port) {
				n++
			}
		}
		if got := g.CountAllowed(port); got != n {
			t.Fatalf("%v: %d pairs, CountAllowed says %d", port, n, got)
		}
	})
	seen.check(t)
}

// shareNode reports whether two endpoints are on one node, or one is the node of
// the other.
func shareNode(g *reach.Graph, a, b reach.Endpoint) bool {
	under := func(e reach.Endpoint) string {
		name := e.String()
		if n, err := g.Lookup("node-of:" + name); err == nil {
			name = n.String()
		}
		return name
	}
	return under(a) == under(b)
}

func TestClasses(t *testing.T) {
	g := shop(t)
	class, ok := g.ClassOf(g.MustLookup("shop/api"))
	require.True(t, ok)
	assert.Equal(t, 1, class.Len(), "no other workload has the policies of the api")
	assert.Equal(t, g.MustLookup("shop/api"), class.First())
	assert.Equal(t, "shop/api", class.String())
	_, ok = g.ClassOf(g.MustLookup("replica:shop/api"))
	assert.False(t, ok, "a replica is in no list of endpoints")

	assert.Equal(t, "no class", reach.Class{}.String())
	assert.Panics(t, func() { reach.Class{}.Len() })
	assert.Panics(t, func() { g.ClassOf(reach.Endpoint{}) })
	assert.Panics(t, func() { g.CountAllowed(policy.Port{}) })
	for range g.ClassEdges() {
		break // stops early
	}
	for range g.Edges() {
		break
	}
}

// On a large cluster, a sample of flows is what the classes say.
func TestClassesOfLargeCluster(t *testing.T) {
	g, err := reach.Compile(scale.M.Cluster())
	require.NoError(t, err)
	want := 0
	port := policy.TCP.Port(8080)
	for e := range g.Edges() {
		if e.Ports.Contains(port) {
			want++
		}
	}
	assert.Equal(t, want, g.CountAllowed(port))
	assert.Greater(t, want, 1000)
}
