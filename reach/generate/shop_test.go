package generate_test

import (
	"os"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/generate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The needs of the shop are what its policies say in words. The policies that are made of
// them do the same as those that people wrote.
func TestShopNeeds(t *testing.T) {
	c, err := policy.ParseFS(os.DirFS("../../testdata/shop"), "manifests")
	require.NoError(t, err)
	written := compile(t, reach.Profile{}, c, "")
	c.Policies = nil
	bare := compile(t, reach.Profile{}, c, "")

	namespaces := []string{"data", "ingress", "monitoring", "shop"}
	var needs []generate.Need
	for _, ns := range namespaces {
		needs = append(needs, generate.Need{From: "pods in " + ns, To: "svc:kube-system/kube-dns", Ports: "dns, dns-tcp"})
	}
	const clients = "pods shop.example.com/"
	needs = append(needs, []generate.Need{
		// Prometheus scrapes what has metrics, where it is let in.
		{From: "monitoring/prometheus", To: "pods in shop", Ports: "metrics"},
		{From: "monitoring/prometheus", To: "pods app.kubernetes.io/name in (postgres, redis) in data", Ports: "metrics"},
		{From: "monitoring/prometheus", To: "ingress/controller", Ports: "metrics"},
		{From: "monitoring/prometheus", To: "kube-system/coredns", Ports: "metrics"},
		{From: "monitoring/prometheus", To: "172.16.0.10", Ports: "6443"},
		{From: "monitoring/grafana", To: "svc:monitoring/prometheus", Ports: "http"},

		// The databases, their clients, and the backup.
		{From: clients + "postgres-client=true in shop", To: "svc:data/postgres", Ports: "postgres"},
		{From: "data/backup", To: "svc:data/postgres", Ports: "postgres"},
		{From: "data/postgres", To: "data/postgres", Ports: "postgres"},
		{From: clients + "redis-client=true in shop", To: "svc:data/redis", Ports: "redis"},
		{From: "data/backup", To: "203.0.113.64/26", Ports: "443"},

		// The door, for anybody outside and for those inside that nothing isolates.
		{From: "0.0.0.0/0, ::/0", To: "ingress/controller", Ports: "http, https"},
		{From: "pods in kube-system", To: "ingress/controller", Ports: "http, https"},
		{From: "ingress/controller", To: "172.16.0.10", Ports: "6443"},
		{From: "ingress/controller", To: "svc:shop/frontend", Ports: "http"},
		{From: "ingress/controller", To: "svc:shop/api", Ports: "http"},
		{From: "ingress/controller", To: "svc:monitoring/grafana", Ports: "http"},

		// The shop itself.
		{From: "shop/frontend", To: "svc:shop/api", Ports: "http"},
		{From: "shop/api", To: "svc:shop/cart", Ports: "http"},
		{From: "shop/api", To: "svc:shop/catalog", Ports: "http"},
		{From: "shop/api", To: "svc:shop/checkout", Ports: "http"},
		{From: "shop/checkout", To: "svc:shop/cart", Ports: "http"},
		{From: "shop/checkout", To: "svc:shop/payments", Ports: "http"},
		{From: "shop/payments", To: "198.51.100.0/28 except 198.51.100.8/29", Ports: "443"},
	}...)

	r, err := generate.Tightest(bare, needs, namespaces...)
	require.NoError(t, err)
	assert.True(t, r.IsExact(), "%v %v", r.Extra, r.Missing)
	counter, same := reach.Equivalent(written, r.After)
	assert.True(t, same, "%v", counter)

	// Without one of them, it is not the same any more.
	for i := range needs {
		fewer := append(append([]generate.Need{}, needs[:i]...), needs[i+1:]...)
		r, err := generate.Tightest(bare, fewer, namespaces...)
		require.NoError(t, err)
		_, same := reach.Equivalent(written, r.After)
		assert.False(t, same, "without %v", needs[i])
	}
}
