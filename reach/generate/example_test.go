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

// The shop as it was before anybody wrote policies: the tightest ones for five needs of
// its namespace, and for DNS.
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
		{From: "shop/payments", To: "198.51.100.0/28", Ports: "443"},
		{From: "monitoring/prometheus", To: "pods in shop", Ports: "metrics"},
	}, "shop")
	if err != nil {
		log.Fatal(err) // every need that cannot be met, and why
	}
	fmt.Println("exact:", r.IsExact())
	for _, np := range r.Policies {
		fmt.Println(np.Namespace, np.Name)
	}
	fmt.Println(r.YAML()[:strings.Index(r.YAML(), "---")])
	// Output:
}
