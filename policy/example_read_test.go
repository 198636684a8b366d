package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/polreach/polreach/policy"
)

// What a manifest says is read, and what it does not say is known as well.
func ExampleParse() {
	const manifests = `apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
`
	cluster, err := policy.Parse("shop.yaml", strings.NewReader(manifests))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range cluster.Policies {
		fmt.Println(cluster.Place(p, "spec.podSelector"))
	}
	fmt.Println("skipped:", cluster.Skipped)
	// Output:
	// shop.yaml:9: NetworkPolicy shop/db: spec.podSelector
	// skipped: map[ConfigMap:1]
}

// All mistakes are told at once, each with its place.
func ExampleParse_errors() {
	const manifests = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {enabled: yes}}
  ingres: []
`
	_, err := policy.Parse("shop.yaml", strings.NewReader(manifests))
	fmt.Println(err)
	// Output:
	// shop.yaml:5: NetworkPolicy shop/db: spec.podSelector.matchLabels[enabled]: want text, have yes, which YAML reads as the boolean true: write "yes" in quotes
	// shop.yaml:6: NetworkPolicy shop/db: spec.ingres: unknown field "ingres" (did you mean "ingress"?)
}

// A program finds the parts of an error in its fields.
func ExampleError() {
	files := fstest.MapFS{"deploy/db.yaml": {Data: []byte("apiVersion: apps/v1\nkind: Deploymnet\n")}}
	_, err := policy.ParseFS(files, "deploy")
	var e *policy.Error
	if errors.As(err, &e) {
		fmt.Println(e.File, e.Line, e.Field)
		fmt.Println(e.Err)
	}
	// Output:
	// deploy/db.yaml 2 kind
	// unknown kind "Deploymnet": did you mean Deployment of apps/v1?
}

// Policies that are not modeled are an error, unless the caller accepts
// answers that leave them out.
func ExampleLoader() {
	const manifest = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: db, namespace: shop}
`
	loader := policy.Loader{Accept: []string{"CiliumNetworkPolicy.cilium.io"}}
	cluster, err := loader.Parse("cilium.yaml", strings.NewReader(manifest))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range cluster.Warnings {
		fmt.Println(w.Code, w.Place)
	}
	// Output:
	// accepted-kind cilium.yaml:2: CiliumNetworkPolicy shop/db: kind
}
