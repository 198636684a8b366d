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
	from, err := g.Lookup("shop/frontend")
	if err != nil {
		log.Fatal(err) // a name that is not there is an error, never an answer
	}
	to := g.MustLookup("data/postgres") // for tests: panics instead
	flow := reach.Flow{From: from, To: to, Port: policy.TCP.Port(5432)}

	fmt.Println(g.Allows(flow))
	fmt.Println(g.Explain(flow))

	redis := g.MustTarget("svc:data/redis") // a Service: the question goes on to its backends
	port, err := redis.Port("redis")
	if err != nil {
		log.Fatal(err)
	}
	question := reach.Connection{From: g.MustLookup("shop/cart"), To: redis, Port: port}

	fmt.Println(g.Reaches(question))
	fmt.Println(g.Trace(question))
	// Output:
	// false
	// shop/frontend -> data/postgres 5432/TCP: denied
	//   egress of shop/frontend: no rule allows it
	//     isolated by shop/allow-dns, shop/default-deny, shop/frontend
	//   ingress of data/postgres: no rule allows it
	//     isolated by data/allow-metrics, data/default-deny, data/postgres
	//     near miss: data/postgres ingress[0] (manifests/data/policies.yaml:78): the port matches, but no peer
	//       from[0] is pods [shop.example.com/postgres-client=true] in namespaces [kubernetes.io/metadata.name=shop]: its labels do not match
	//       from[1] is pods [app.kubernetes.io/name=backup] in data: neither its namespace nor its labels match
	//       from[2] is pods [app.kubernetes.io/name=postgres] in data: neither its namespace nor its labels match
	// all
	// shop/cart -> svc:data/redis 6379/TCP: allowed
	//   ClusterIP 6379/TCP of svc:data/redis, to data/redis 6379/TCP: allowed
	//     egress of shop/cart: passes
	//       isolated by shop/allow-dns, shop/default-deny, shop/redis-clients
	//       allowed by shop/redis-clients egress[0] (manifests/shop/policies.yaml:273), to[0], ports[0]
	//     ingress of data/redis: passes
	//       isolated by data/allow-metrics, data/default-deny, data/redis
	//       allowed by data/redis ingress[0] (manifests/data/policies.yaml:114), from[0], ports[0]
	//   note: plugins differ here; the outcome could be another with ServiceSNAT
}

// Ports tells everything that is open between two endpoints at once.
func ExampleGraph_Ports() {
	g := shopGraph()
	controller := g.MustLookup("ingress/controller")
	fmt.Println(g.Ports(g.MustLookup("203.0.113.9"), controller))
	fmt.Println(g.Ports(g.MustLookup("monitoring/prometheus"), controller))
	// Output:
	// 8080/TCP, 8443/TCP
	// 10254/TCP
}

// Edges walks all pairs. Outside the cluster there are a few classes of
// addresses instead of four billion.
func ExampleGraph_Edges() {
	g := shopGraph()
	db := g.MustLookup("data/redis")
	for e := range g.Edges() {
		if e.To == db {
			fmt.Println(e.From, e.Ports)
		}
	}
	// Output:
	// monitoring/prometheus 9121/TCP
	// shop/cart 6379/TCP
	// shop/worker 6379/TCP
}

// With answers what an edit would change, before anybody makes it.
func ExampleGraph_With() {
	g := shopGraph()
	after, err := g.With(policy.Remove("NetworkPolicy", "data", "redis"))
	if err != nil {
		log.Fatal(err)
	}
	flow := func(g *reach.Graph) reach.Flow {
		return reach.Flow{From: g.MustLookup("shop/cart"), To: g.MustLookup("data/redis"), Port: policy.TCP.Port(6379)}
	}
	fmt.Println(g.Allows(flow(g)))
	fmt.Println(after.Allows(flow(after)))
	// Output:
	// true
	// false
}

// Classes are what is left of a cluster if endpoints that no policy tells apart
// count once.
func ExampleGraph_ClassEdges() {
	c, err := policy.Parse("cluster.yaml", strings.NewReader(`
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-2, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]
`))
	if err != nil {
		log.Fatal(err)
	}
	g, err := reach.Compile(c)
	if err != nil {
		log.Fatal(err)
	}
	db, _ := g.ClassOf(g.MustLookup("shop/db"))
	for e := range g.ClassEdges() {
		if e.To == db {
			fmt.Println(e.From, "->", e.To, e.Ports)
		}
	}
	// Six between the pods, six from them to outside over one or the other
	// family, and four from there to the web pods.
	fmt.Println(g.CountAllowed(policy.TCP.Port(5432)), "pairs on 5432/TCP")
	// Output:
	// shop/web-1 and 1 like it -> shop/db 5432/TCP
	// 16 pairs on 5432/TCP
}

// A Profile answers for a plugin that differs. Here it has pods compared with
// no block, and says which verdicts depend on that.
func ExampleProfile_Compile() {
	cluster, err := policy.Parse("cluster.yaml", strings.NewReader(`
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: data}
status: {podIP: 10.0.0.2}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to:
    - ipBlock: {cidr: 10.0.0.0/8}
`))
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range []reach.Profile{reach.Calico(), reach.Cilium()} {
		g, err := p.Compile(cluster)
		if err != nil {
			log.Fatal(err)
		}
		v := g.Explain(reach.Flow{From: g.MustLookup("shop/web"), To: g.MustLookup("data/db"), Port: policy.TCP.Port(5432)})
		fmt.Println(v.Allowed, v.DependsOn)
	}
	// Output:
	// true [IPBlockSkipsPods]
	// false [IPBlockSkipsPods]
}

func shopGraph() *reach.Graph {
	c, err := policy.ParseFS(os.DirFS("../testdata/shop"), "manifests")
	if err != nil {
		log.Fatal(err)
	}
	g, err := reach.Compile(c)
	if err != nil {
		log.Fatal(err)
	}
	return g
}

// What does a change of policies open and close?
func ExampleCompare() {
	before := shopGraph()
	after, err := before.With(policy.Remove("NetworkPolicy", "data", "redis"))
	if err != nil {
		log.Fatal(err)
	}
	d := reach.Compare(before, after)
	fmt.Println(len(d.Opened))
	for _, c := range d.Closed {
		fmt.Println(c)
		fmt.Println("for example", c.Flow())
	}
	// Output:
	// 0
	// closed shop/cart and shop/worker -> data/redis 6379/TCP
	// for example shop/cart -> data/redis 6379/TCP
}
