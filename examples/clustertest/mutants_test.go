package clustertest

import (
	"os"
	"testing"

	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
)

// A test that passes does not tell what it would overlook. Mutate finds out: it makes
// one mistake at a time in the manifests, such as a policy that is gone or a selector
// that has lost a label, and runs the suite on the cluster that comes out. Each
// mistake that changes what is reachable, and that no assertion notices, is printed
// with a flow that it opens or closes.
//
// Then write the assertion that is missing, and run it again. What should stay
// unnoticed goes to NoneSurvives by name, with the reason.
func TestMutants(t *testing.T) {
	c := reachtest.FS(t, os.DirFS("../../testdata/shop/manifests"))
	reachtest.Mutate(t, c, suite).NoneSurvives(t)
}

// The numbers in the comments below, so that these stay true.
func TestSurvivors(t *testing.T) {
	c := reachtest.FS(t, os.DirFS("../../testdata/shop/manifests"))
	parts := []func(reachtest.TB, *reachtest.Cluster){requirements, wires, rooms, doors}
	for i, want := range []int{177, 28, 12, 0} {
		m := reachtest.Mutate(t, c, func(t reachtest.TB, c *reachtest.Cluster) {
			for _, part := range parts[:i+1] {
				part(t, c)
			}
		})
		assert.Len(t, m.Survivors, want)
		assert.Equal(t, 237, m.Killed+len(m.Survivors))
	}
}

// The whole suite: what the team wrote down first, and what the survivors taught it.
func suite(t reachtest.TB, c *reachtest.Cluster) {
	requirements(t, c)
	wires(t, c)
	rooms(t, c)
	doors(t, c)
}

// The first suite, as the requirements came. Of 237 mistakes that change something it
// overlooks 177, for instance these:
//
//	NetworkPolicy data/allow-dns: drop spec.egress[0].to[0]
//	opens data/backup -> 192.0.2.9 53/TCP and 1 more port
//
//	Deployment shop/cart: rename label shop.example.com/redis-client
//	closes shop/cart -> data/redis 6379/TCP
func requirements(t reachtest.TB, c *reachtest.Cluster) {
	c.Reaches(t, "shop/frontend", "shop/api", "http", "the pages come from the api")
	c.Reaches(t, "shop/api", "data/postgres", "postgres", "the shop needs its database")
	c.DoesNotReach(t, "everything except pods in shop except pods in data", "data/postgres", "5432", "no one else does")
	c.DoesNotReach(t, "shop/frontend", "data/postgres", "5432", "the pages never talk to the database")
	c.DoesNotReach(t, "outside", "pods in shop", "all", "the only door is the ingress controller")
	c.ResolvesDNS(t, "pods", "without DNS nothing works")
}

// Most survivors close a flow that nobody has asked for: "closes shop/cart ->
// data/redis". So write down each connection of the architecture. ReachesOnlyOn
// notices, too, when a rule loses its ports and opens all of them. With these, 28
// mistakes are left.
func wires(t reachtest.TB, c *reachtest.Cluster) {
	for _, w := range []struct{ from, to, ports string }{
		{"ingress/controller", "shop/frontend and shop/api and monitoring/grafana", "http"},
		{"shop/frontend", "shop/api", "http"},
		{"shop/api", "shop/cart and shop/catalog and shop/checkout", "http"},
		{"shop/checkout", "shop/cart and shop/payments", "http"},
		{"shop/api and shop/catalog and shop/checkout and shop/worker", "data/postgres", "postgres"},
		{"shop/cart and shop/worker", "data/redis", "redis"},
		{"data/postgres", "data/postgres", "postgres"},
		{"data/backup", "data/postgres", "postgres"},
		{"data/backup", "203.0.113.64/26", "443"},
		{"shop/payments", "198.51.100.0/29", "443"},
		{"monitoring/grafana", "monitoring/prometheus", "http"},
		{"monitoring/prometheus and ingress/controller", "172.16.0.10", "6443"},
		{"monitoring/prometheus", "pods in shop and data/postgres and data/redis and ingress/controller", "metrics"},
		{"pods except pods in kube-system except monitoring/prometheus", "kube-system/coredns", "53/UDP, 53/TCP"},
		{"monitoring/prometheus", "kube-system/coredns", "53/UDP, 53/TCP, metrics"},
	} {
		c.ReachesOnlyOn(t, w.from, w.to, w.ports)
	}
}

// The survivors that are left open a flow: "opens shop/frontend -> shop/cart". Instead
// of forbidding these one by one, say of each workload what it may reach at all. That
// leaves 12.
func rooms(t reachtest.TB, c *reachtest.Cluster) {
	for _, r := range []struct{ from, to string }{
		{"ingress/controller", "shop/frontend and shop/api and monitoring/grafana and 172.16.0.10"},
		{"shop/frontend", "shop/api"},
		{"shop/api", "shop/cart and shop/catalog and shop/checkout and data/postgres"},
		{"shop/cart", "data/redis"},
		{"shop/catalog", "data/postgres"},
		{"shop/checkout", "shop/cart and shop/payments and data/postgres"},
		{"shop/worker", "data/postgres and data/redis"},
		{"shop/payments", "198.51.100.0/29"},
		{"data/postgres", "data/postgres"},
		{"data/backup", "data/postgres and 203.0.113.64/26"},
		{"monitoring/grafana", "monitoring/prometheus"},
		{"monitoring/prometheus", "pods in shop and data/postgres and data/redis and ingress/controller and 172.16.0.10"},
	} {
		c.ReachesOnly(t, r.from, r.to+" and kube-system/coredns", "all")
	}
	c.ReachesOnly(t, "data/redis", "kube-system/coredns", "all", "a cache calls nobody")
}

// The last ones open a flow from the DNS servers, which may call anyone: "opens
// kube-system/coredns -> data/redis". Neither they nor the outside may find a way in
// but the door. Nothing is left.
func doors(t reachtest.TB, c *reachtest.Cluster) {
	c.DoesNotReach(t, "outside and pods in kube-system", "pods except pods in kube-system except ingress/controller", "all")
	c.ReachesOnlyOn(t, "outside and pods in kube-system", "ingress/controller", "http, https")
}
