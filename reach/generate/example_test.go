package generate_test

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/generate"
)

// The shop before anybody wrote policies: the tightest ones for five needs of its
// namespace.
func ExampleTightest() {
	cluster, err := policy.ParseFS(os.DirFS("../../testdata/shop"), "manifests")
	if err != nil {
		log.Fatal(err)
	}
	cluster.Policies = nil
	g, err := reach.Compile(cluster)
	if err != nil {
		log.Fatal(err)
	}
	r, err := generate.Tightest(g, []generate.Need{
		{From: "ingress/controller", To: "svc:shop/frontend", Ports: "http"},
		{From: "shop/frontend", To: "svc:shop/api", Ports: "http"},
		{From: "pods shop.example.com/postgres-client=true in shop", To: "svc:data/postgres", Ports: "postgres"},
		{From: "shop/payments", To: "198.51.100.0/29", Ports: "443"},
		{From: "monitoring/prometheus", To: "pods in shop", Ports: "metrics"},
	}, "shop")
	if err != nil {
		log.Fatal(err) // every need that cannot be met, and why
	}
	for _, np := range r.Policies {
		fmt.Println(np.Name)
	}
	fmt.Println("exact:", r.IsExact())
	first, _, _ := strings.Cut(r.YAML(), "---\n")
	fmt.Print(first)
	// Output:
	// allow-api
	// allow-frontend
	// allow-payments
	// allow-pods
	// allow-postgres-client
	// default-deny
	// exact: true
	// apiVersion: networking.k8s.io/v1
	// kind: NetworkPolicy
	// metadata:
	//   name: allow-api
	//   namespace: shop
	// spec:
	//   podSelector:
	//     matchLabels:
	//       app.kubernetes.io/name: api
	//   policyTypes:
	//   - Ingress
	//   ingress:
	//   - from:
	//     - podSelector:
	//         matchLabels:
	//           app.kubernetes.io/name: frontend
	//     ports:
	//     - protocol: TCP
	//       port: 8080
}

// Two pods with equal labels cannot be told apart: what is allowed to the one is to the
// other.
func ExampleResult() {
	cluster, err := policy.Parse("cluster.yaml", strings.NewReader(`
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
`))
	if err != nil {
		log.Fatal(err)
	}
	g, err := reach.Compile(cluster)
	if err != nil {
		log.Fatal(err)
	}
	r, err := generate.Tightest(g, []generate.Need{{From: "shop/web-1", To: "shop/db", Ports: "5432"}}, "shop")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("exact:", r.IsExact())
	for _, f := range r.Extra {
		fmt.Println("extra:", f)
	}
	// Output:
	// exact: false
	// extra: shop/web-2 -> shop/db 5432/TCP
}

// The egress policies that say the same as an ingress policy.
func ExampleComplement() {
	cluster, err := policy.Parse("cluster.yaml", strings.NewReader(`
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
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
	g, err := reach.Compile(cluster)
	if err != nil {
		log.Fatal(err)
	}
	r, err := generate.Complement(g, policy.Egress, "shop")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("exact:", r.IsExact())
	fmt.Print(r.YAML())
	// Output:
	// exact: true
	// apiVersion: networking.k8s.io/v1
	// kind: NetworkPolicy
	// metadata:
	//   name: default-deny-egress
	//   namespace: shop
	// spec:
	//   podSelector: {}
	//   policyTypes:
	//   - Egress
	// ---
	// apiVersion: networking.k8s.io/v1
	// kind: NetworkPolicy
	// metadata:
	//   name: outside-egress
	//   namespace: shop
	// spec:
	//   podSelector: {}
	//   policyTypes:
	//   - Egress
	//   egress:
	//   - to:
	//     - ipBlock:
	//         cidr: 0.0.0.0/0
	//     - ipBlock:
	//         cidr: ::/0
	// ---
	// apiVersion: networking.k8s.io/v1
	// kind: NetworkPolicy
	// metadata:
	//   name: pods-egress
	//   namespace: shop
	// spec:
	//   podSelector: {}
	//   policyTypes:
	//   - Egress
	//   egress:
	//   - to:
	//     - podSelector:
	//         matchLabels:
	//           app: web
	// ---
	// apiVersion: networking.k8s.io/v1
	// kind: NetworkPolicy
	// metadata:
	//   name: web-egress
	//   namespace: shop
	// spec:
	//   podSelector:
	//     matchLabels:
	//       app: web
	//   policyTypes:
	//   - Egress
	//   egress:
	//   - to:
	//     - podSelector:
	//         matchLabels:
	//           app: db
	//     ports:
	//     - protocol: TCP
	//       port: 5432
}
