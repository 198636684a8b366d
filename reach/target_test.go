package reach_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// namesCluster has something of each kind that a Target can name.
func namesCluster(t testing.TB) *reach.Graph {
	t.Helper()
	c, err := policy.Parse("names.yaml", strings.NewReader(`
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: ExternalIP, address: 198.51.100.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop, labels: {app: db}}
spec:
  nodeName: n1
  containers:
  - name: main
    ports: [{name: sql, containerPort: 5432}, {name: both, containerPort: 53}]
  - {name: exporter, ports: [{name: metrics, containerPort: 9090}, {name: both, containerPort: 53, protocol: UDP}]}
  - {name: second, ports: [{name: metrics, containerPort: 9091}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, labels: {app: db}}
spec: {nodeName: n1, containers: [{name: main, ports: [{name: sql, containerPort: 5433}]}]}
status: {podIP: 10.0.0.2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec:
  selector: {app: db}
  clusterIP: 10.96.0.7
  externalIPs: [198.51.100.9]
  ports: [{name: sql, port: 80, targetPort: sql}, {name: tcp, port: 81}, {name: tcp-2, port: 81, protocol: UDP}]
---
apiVersion: v1
kind: Service
metadata: {name: db-headless, namespace: shop}
spec: {selector: {app: db}, clusterIP: None, ports: [{name: sql, port: 80, targetPort: sql}, {name: same, port: 81, targetPort: 8081}]}
---
apiVersion: v1
kind: Service
metadata: {name: idle, namespace: shop}
spec: {selector: {app: nobody}, clusterIP: None, ports: [{name: sql, port: 80, targetPort: sql}]}
`))
	require.NoError(t, err)
	c.Hosts = map[string][]netip.Addr{
		"db.example.com": {netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("203.0.113.10")},
	}
	g, err := reach.Compile(c)
	require.NoError(t, err)
	return g
}

func TestTarget(t *testing.T) {
	g := namesCluster(t)
	for _, tt := range []struct{ text, want, why string }{
		{"shop/db-0", "shop/db-0", "a text without prefix is a pod"},
		{"pod:shop/db-0", "shop/db-0", "the prefix is not needed"},
		{"shop/web", "shop/web", "or a workload"},
		{"replica:shop/web", "replica:shop/web", "whatever Lookup knows"},
		{"node:n1", "node:n1", "nodes are targets"},
		{"node:*", "node:*", "so is a node of which nothing is known"},
		{"svc:shop/db", "svc:shop/db", "a Service has a prefix, since pods may have its name"},
		{"db.shop.svc", "svc:shop/db", "the name that DNS has for it"},
		{"DB.shop.svc.cluster.local.", "svc:shop/db", "DNS ignores case and a final dot"},
		{"db.example.com", "db.example.com", "the caller knows its addresses"},
		{"Db.Example.COM.", "db.example.com", "DNS ignores case and a final dot"},
		{"10.96.0.7", "10.96.0.7", "the address of a Service"},
		{"::ffff:10.96.0.7", "10.96.0.7", "an IPv4 address in IPv6 form is the IPv4 address"},
		{"203.0.113.9", "203.0.113.9", "an address outside keeps what was asked"},
		{"10.0.0.1", "10.0.0.1", "and so does one of a pod"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got, err := g.Target(tt.text)
			require.NoError(t, err, tt.why)
			assert.Equal(t, tt.want, got.String(), tt.why)
			again, err := g.Target(got.String())
			require.NoError(t, err)
			assert.Equal(t, got, again, "what is printed is read again")
		})
	}
	assert.Equal(t, g.MustTarget("svc:shop/db"), g.MustTarget("db.shop.svc"))
	assert.Equal(t, g.MustLookup("shop/db-0").Target(), g.MustTarget("shop/db-0"))
	assert.Equal(t, "[svc:shop/db svc:shop/db-headless svc:shop/idle]", fmt.Sprint(g.Services()))
}

func TestTargetErrors(t *testing.T) {
	g := namesCluster(t)
	for _, tt := range []struct{ text, says, why string }{
		{"svc:shop/dv", "did you mean svc:shop/db?", "the nearest name"},
		{"svc:shop/metrics", "the cluster has no Service shop/metrics", "nothing is near"},
		{"svc:db", "namespace/name of a Service; did you mean svc:shop/db?", "a Service has a namespace"},
		{"svc:/db", "namespace/name", "which is not empty"},
		{"dv.shop.svc", "did you mean svc:shop/db?", "the name that DNS would have for it"},
		{"db.example.org", "Cluster.Hosts; did you mean db.example.com?", "its addresses are not known"},
		{"db.shop", "Cluster.Hosts", "DNS completes names, and how is not known here"},
		{"db", "neither namespace/name nor an address", "a word alone could be anything"},
		{"shop/db", "no pod or workload shop/db; did you mean svc:shop/db?", "a Service is not found without its prefix"},
		{"fe80::1%eth0", "without zone", "no cluster has zones"},
		{"service:shop/db", "node or node-of, or svc", "the prefix is misspelled"},
		{"", "neither", "nothing is no name"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got, err := g.Target(tt.text)
			assert.ErrorContains(t, err, tt.says, tt.why)
			assert.Equal(t, reach.Target{}, got)
		})
	}
	assert.PanicsWithValue(t, "reach: the cluster has no Service shop/dv; did you mean svc:shop/db?", func() { g.MustTarget("svc:shop/dv") })

	_, err := g.Lookup("svc:shop/db")
	assert.ErrorContains(t, err, "no end of a flow", "a Service is no Endpoint")
	_, err = g.Lookup("10.96.0.7")
	assert.ErrorContains(t, err, "address of svc:shop/db", "nor is its address, which policies never see")
}

func TestTargetPort(t *testing.T) {
	g := namesCluster(t)
	for _, tt := range []struct{ to, text, want, why string }{
		{"svc:shop/db", "80", "80/TCP", "a number is TCP"},
		{"svc:shop/db", "53/UDP", "53/UDP", "a number need not be listed: whether it is, is part of the answer"},
		{"svc:shop/db", "sql", "80/TCP", "a name is that of a port of the Service"},
		{"svc:shop/db", "tcp", "81/TCP", "a port may be called like a protocol"},
		{"svc:shop/db", "tcp-2/UDP", "81/UDP", "a name may come with its protocol"},
		{"10.96.0.7", "sql", "80/TCP", "an address of the Service has its names"},
		{"198.51.100.9", "sql", "80/TCP", "an external one too"},
		{"svc:shop/db-headless", "same", "8081/TCP", "headless: the port that clients learn is the one at the backends"},
		{"svc:shop/idle", "sql", "80/TCP", "without a backend there is only the port of the Service"},
		{"shop/db-0", "sql", "5432/TCP", "a pod has the names of its containers"},
		{"shop/db-0", "both/UDP", "53/UDP", "one name for two protocols"},
		{"10.0.0.1", "sql", "5432/TCP", "the address of a pod is the pod"},
	} {
		t.Run(tt.to+" "+tt.text, func(t *testing.T) {
			got, err := g.MustTarget(tt.to).Port(tt.text)
			require.NoError(t, err, tt.why)
			assert.Equal(t, tt.want, got.String(), tt.why)
		})
	}
	for _, tt := range []struct{ to, text, says, why string }{
		{"svc:shop/db", "mysql", "has no port mysql, only sql (80/TCP), tcp (81/TCP), tcp-2 (81/UDP)", "all that there are"},
		{"svc:shop/db", "sql/UDP", "has no port sql/UDP", "the protocol is another"},
		{"svc:shop/db-headless", "sql", "ambiguous", "the backends mean two numbers"},
		{"shop/db-0", "both", "ambiguous", "two protocols"},
		{"shop/db-0", "metrics", "ambiguous", "two containers"},
		{"node:n1", "ssh", "names no ports", "a node has no names"},
		{"db.example.com", "https", "names no ports", "nor has anything outside"},
		{"svc:shop/db", "80/QUIC", "QUIC", "no such protocol"},
		{"svc:shop/db", "0", "between 1 and 65535", "no such number"},
		{"svc:shop/db", "8000-8080/TCP", "digits", "a range is no port"},
		{"svc:shop/db", "SQL", "digits", "names are in lower case"},
	} {
		t.Run(tt.to+" "+tt.text, func(t *testing.T) {
			_, err := g.MustTarget(tt.to).Port(tt.text)
			assert.ErrorContains(t, err, tt.says, tt.why)
		})
	}
	_, err := reach.Target{}.Port("80")
	assert.ErrorContains(t, err, "zero Target")
}

// What Target finds is found again by its text, and what Port finds by its own.
func FuzzTarget(f *testing.F) {
	g := namesCluster(f)
	for _, text := range []string{
		"shop/db-0", "svc:shop/db", "db.shop.svc", "db.example.com", "10.96.0.7", "node:n1", "node:*", "outside:*",
		"::ffff:10.0.0.1", "replica:shop/web", "svc:", "svc:/", ".", "..svc", "a.b.svc.cluster.local.", "2001:db8::9",
	} {
		f.Add(text, "sql")
	}
	for _, port := range []string{"80", "53/UDP", "icmp", "tcp", "sql/", "/TCP", "-", "8000-8080/TCP", "IP/47"} {
		f.Add("svc:shop/db", port)
	}
	f.Fuzz(func(t *testing.T, text, port string) {
		target, err := g.Target(text)
		if err != nil {
			require.Equal(t, reach.Target{}, target)
			return
		}
		again, err := g.Target(target.String())
		require.NoError(t, err)
		require.Equal(t, target, again)

		p, err := target.Port(port)
		if err != nil {
			require.Equal(t, policy.Port{}, p)
			return
		}
		same, err := target.Port(p.String())
		require.NoError(t, err)
		require.Equal(t, p, same)
		client := g.MustLookup("shop/db-1")
		c := reach.Connection{From: client, To: target, Port: p}
		require.Equal(t, g.Reaches(c), g.Trace(c).Outcome)
	})
}

func TestReachesDoesNotAllocate(t *testing.T) {
	g := shop(t)
	n := namesCluster(t)
	for _, c := range []reach.Connection{
		{From: g.MustLookup("shop/api"), To: g.MustTarget("svc:data/postgres"), Port: policy.TCP.Port(5432)},
		{From: g.MustLookup("shop/api"), To: g.MustTarget("data/postgres"), Port: policy.TCP.Port(5432)},
		{From: n.MustLookup("shop/db-0"), To: n.MustTarget("svc:shop/db"), Port: policy.TCP.Port(80)},
		{From: n.MustLookup("shop/db-0"), To: n.MustTarget("10.96.0.7"), Port: policy.TCP.Port(80)},
		{From: n.MustLookup("203.0.113.9"), To: n.MustTarget("198.51.100.9"), Port: policy.TCP.Port(80)},
		{From: n.MustLookup("shop/db-0"), To: n.MustTarget("db.example.com"), Port: policy.TCP.Port(443)},
	} {
		ask := g.Reaches
		if c.From == n.MustLookup("shop/db-0") || c.From == n.MustLookup("203.0.113.9") {
			ask = n.Reaches
		}
		assert.Zero(t, testing.AllocsPerRun(100, func() { ask(c) }), "%v", c)
	}
}

// Reaches and Trace panic on what is not of the Graph, and on nothing else.
func TestConnectionPanics(t *testing.T) {
	g, other := namesCluster(t), namesCluster(t)
	good := reach.Connection{From: g.MustLookup("shop/db-0"), To: g.MustTarget("svc:shop/db"), Port: policy.TCP.Port(80)}
	for _, tt := range []struct {
		says   string
		change func(*reach.Connection)
	}{
		{"reach: the zero Endpoint is not an endpoint of this Graph", func(c *reach.Connection) { c.From = reach.Endpoint{} }},
		{"reach: shop/db-0 is not an endpoint of this Graph", func(c *reach.Connection) { c.From = other.MustLookup("shop/db-0") }},
		{"reach: the zero Target is not a Target of this Graph", func(c *reach.Connection) { c.To = reach.Target{} }},
		{"reach: svc:shop/db is not a Target of this Graph", func(c *reach.Connection) { c.To = other.MustTarget("svc:shop/db") }},
		{"reach: none is not a valid port", func(c *reach.Connection) { c.Port = policy.Port{} }},
		{"reach: unknown Family 9", func(c *reach.Connection) { c.Family = 9 }},
	} {
		c := good
		tt.change(&c)
		assert.PanicsWithValue(t, tt.says, func() { g.Reaches(c) })
		assert.PanicsWithValue(t, tt.says, func() { g.Trace(c) })
	}
	good.Balancer = netip.MustParseAddr("fe80::1%eth0")
	assert.Equal(t, reach.All, g.Reaches(good), "an address that cannot be is as one that is not known")
}

func TestSelect(t *testing.T) {
	g := namesCluster(t)
	db, err := selector.New(metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}})
	require.NoError(t, err)
	kube, err := selector.New(metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "kube-system"}})
	require.NoError(t, err)
	all := selector.Selector{}
	assert.Equal(t, []string{"shop/db-0", "shop/db-1"}, texts(g.Select(all, db)), "by labels that no policy mentions")
	assert.Equal(t, []string{"shop/db-0", "shop/db-1", "shop/web"}, texts(g.Select(all, all)), "workloads have the labels of their pods")
	assert.Empty(t, g.Select(kube, all), "no pod is in such a namespace")
}

// Many goroutines may ask about Services at once.
func TestConcurrentConnections(t *testing.T) {
	g := namesCluster(t)
	c := reach.Connection{From: g.MustLookup("203.0.113.9"), To: g.MustTarget("svc:shop/db"), Port: policy.TCP.Port(80)}
	want := g.Trace(c).String()
	fresh := namesCluster(t)
	c.From, c.To = fresh.MustLookup("203.0.113.9"), fresh.MustTarget("svc:shop/db")
	var wg sync.WaitGroup
	texts := make([]string, 8)
	for i := range texts {
		wg.Go(func() {
			fresh.Reaches(c)
			fresh.Exposures(fresh.MustLookup("shop/db-0"))
			texts[i] = fresh.Trace(c).String()
		})
	}
	wg.Wait()
	for _, text := range slices.Compact(texts) {
		assert.Equal(t, want, text)
	}
}
