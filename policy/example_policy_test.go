package policy_test

import (
	"fmt"
	"log"

	"github.com/polreach/polreach/policy"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

func ExampleNew() {
	var np networkingv1.NetworkPolicy
	err := yaml.UnmarshalStrict([]byte(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: db}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: web}}
    - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}
    ports:
    - port: 5432
`), &np)
	if err != nil {
		log.Fatal(err)
	}

	p, err := policy.New(&np)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Name, "applies to", p.Pods)
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		half := p.Half(d)
		fmt.Println(d, "isolated:", half.Isolates)
		for _, rule := range half.Rules {
			fmt.Println("  from", rule.Peers, "on", rule.Ports)
		}
	}
	// Output:
	// shop/db applies to app=db
	// ingress isolated: true
	//   from [pods [app=web] in shop 10.0.0.0/8 except 10.1.0.0/16] on [5432/TCP]
	// egress isolated: false
}

// All faults of a policy come at once, each with its place.
func ExampleNew_errors() {
	var np networkingv1.NetworkPolicy
	err := yaml.UnmarshalStrict([]byte(`
metadata: {namespace: shop, name: db}
spec:
  ingress:
  - ports: [{port: "5432"}]
    from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]
`), &np)
	if err != nil {
		log.Fatal(err)
	}

	_, err = policy.New(&np)
	fmt.Println(err)
	// Output:
	// NetworkPolicy shop/db: spec.ingress[0].ports[0].port: "5432": must contain at least one letter (a-z)
	// NetworkPolicy shop/db: spec.ingress[0].from[0].ipBlock.except[0]: 11.0.0.0/8 is not inside 10.0.0.0/8: an exception must be a strict subset of its block
}
