package audit_test

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
)

// manifest has a policy for db with a slip in a label, an exception that another rule
// makes void, and a client that may not connect.
const manifest = `apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
spec: {containers: [{name: c, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: c, ports: [{containerPort: 5432}]}]}
status: {podIP: 10.0.0.2}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: api}}
    - podSelector: {matchLabels: {app: backpu}}
    ports:
    - port: 5432
  - from:
    - ipBlock:
        cidr: 192.0.2.0/24
        except: [192.0.2.64/26]
    - ipBlock:
        cidr: 192.0.2.64/27
    - ipBlock:
        cidr: 192.0.2.96/27
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
    ports:
    - {port: 53, protocol: UDP}
  ingress:
  - from:
    - podSelector: {}
`

func compiled() *reach.Graph {
	c, err := policy.Parse("shop.yaml", strings.NewReader(manifest))
	if err != nil {
		log.Fatal(err)
	}
	g, err := reach.Compile(c)
	if err != nil {
		log.Fatal(err)
	}
	return g
}

// All that is wrong, for people to read.
func ExampleText() {
	findings, err := audit.Run(compiled())
	if err != nil {
		log.Fatal(err)
	}
	if err := audit.Text(os.Stdout, findings); err != nil {
		log.Fatal(err)
	}
	// Output:
	// shop.yaml:1: Namespace shop: warning: no policy of the namespace isolates 1 of its 2 pods for ingress: shop/api [no-default-deny-ingress]
	//     proof: 0.0.0.0/0 except 192.0.2.0/24 -> shop/api 8080/TCP: allowed, as is every port and every other address
	//     suggestion: add a policy with an empty podSelector and the policyTypes [Ingress] that has no rules, and allow what is needed by others
	// shop.yaml:1: Pod shop/api: note: policies isolate shop/api for egress only, and leave ingress open [pod-half-isolated]
	//     proof: 0.0.0.0/0 except 192.0.2.0/24 -> shop/api 8080/TCP: allowed, as is every port and every other address
	//     suggestion: list Ingress in the policyTypes of a policy that selects it, and allow what is needed
	// shop.yaml:7: Namespace shop: note: no policy of the namespace isolates 1 of its 2 pods for egress: shop/db [no-default-deny-egress]
	//     proof: shop/db -> 0.0.0.0/0 except 192.0.2.0/24 80/TCP: allowed, as is every port and every other address
	//     suggestion: add a policy with an empty podSelector and the policyTypes [Egress] that has no rules, and allow what is needed by others
	// shop.yaml:7: Pod shop/db: note: policies isolate shop/db for ingress only, and leave egress open [pod-half-isolated]
	//     proof: shop/db -> 0.0.0.0/0 except 192.0.2.0/24 80/TCP: allowed, as is every port and every other address
	//     suggestion: list Egress in the policyTypes of a policy that selects it, and allow what is needed
	// shop.yaml:19: NetworkPolicy shop/db: spec.ingress[0]: warning: the rule allows flows that the egress of the other end denies: 1 of 1, from shop/api to shop/db on 5432/TCP [half-open-ingress]
	//     proof: shop/api -> shop/db 5432/TCP: denied: for egress, shop/api is isolated by policy shop/api, and no rule allows it
	//     see: shop.yaml:33: NetworkPolicy shop/api
	//     suggestion: allow them in a policy for egress that selects shop/api, or narrow the rule
	// shop.yaml:19: NetworkPolicy shop/db: spec.ingress[0]: warning: the rule changes nothing: the egress of the other end denies all flows that it alone allows [rule-blocked]
	//     proof: shop/api -> shop/db 5432/TCP over IPv4: denied: for egress, shop/api is isolated by policy shop/api, and no rule allows it
	//     see: shop.yaml:33: NetworkPolicy shop/api
	//     suggestion: allow the flows in the egress of the other end, or remove it
	// shop.yaml:24: NetworkPolicy shop/db: spec.ingress[1]: note: the rule lets addresses outside the cluster connect to shop/db on all ports: 192.0.2.0/26, 192.0.2.128/25, 192.0.2.64/27 and 192.0.2.96/27 [address-exposed]
	//     proof: 192.0.2.0/24 -> shop/db 5432/TCP: allowed
	//     suggestion: name the peers that need it, or narrow the blocks
	// shop.yaml:24: NetworkPolicy shop/db: spec.ingress[1]: warning: the rule lets addresses outside the cluster connect to 5432/TCP (PostgreSQL) at shop/db: 192.0.2.0/26, 192.0.2.128/25, 192.0.2.64/27 and 192.0.2.96/27 [admin-port-exposed]
	//     proof: 192.0.2.0/24 -> shop/db 5432/TCP: allowed
	//     suggestion: name the peers that need the port
	// shop.yaml:24: NetworkPolicy shop/db: spec.ingress[1]: note: the rule opens ports that no container of shop/db declares: all ports but 5432/TCP [undeclared-port-open]
	//     proof: 192.0.2.0/24 -> shop/db 1/TCP: allowed, and the pod declares 5432/TCP
	//     suggestion: list the ports that are meant, or declare them
	// shop.yaml:27: NetworkPolicy shop/db: spec.ingress[1].from[0].ipBlock.except[0]: error: the exception does not keep its addresses out: they are allowed all the same [except-defeated]
	//     proof: 192.0.2.0/24 -> shop/db 1/TCP: 192.0.2.64 passes by shop/db ingress[1] (shop.yaml:24), from[1]
	//     see: shop.yaml:24: NetworkPolicy shop/db: spec.ingress[1]
	//     suggestion: narrow what else allows them, or remove the exception
	// shop.yaml:40: NetworkPolicy shop/api: spec.egress[0]: warning: the rule changes nothing: it matches no flow here [rule-unmatched]
	//     proof: all pods in namespaces [kubernetes.io/metadata.name=kube-system]: there are none
	//     suggestion: correct it, or remove it if what it is meant for will not come
	// shop.yaml:44: NetworkPolicy shop/api: spec.ingress: error: the ingress rule has no effect: policyTypes does not list Ingress [unlisted-direction]
	//     proof: 0.0.0.0/0 except 192.0.2.0/24 -> shop/api 1/TCP: allowed, and would be denied if policyTypes listed Ingress
	//     see: shop.yaml:38: NetworkPolicy shop/api: spec.policyTypes
	//     suggestion: add Ingress to policyTypes, or remove the rules
}

// One check, and what a program sees of a finding.
func ExampleRun() {
	findings, err := audit.Run(compiled(), "half-open-ingress")
	if err != nil {
		log.Fatal(err) // no such check
	}
	for _, f := range findings {
		fmt.Println(f.Place.File, f.Place.Line, f.Place.Field)
		fmt.Println(f.Proof.Flow)
		fmt.Println(f.Proof.Text)
	}
	// Output:
	// shop.yaml 19 spec.ingress[0]
	// shop/api -> shop/db 5432/TCP
	// denied: for egress, shop/api is isolated by policy shop/api, and no rule allows it
}

// The checks that there are.
func ExampleChecks() {
	n := make(map[audit.Severity]int)
	for _, c := range audit.Checks() {
		n[c.Severity]++
		if c.ID == "except-defeated" {
			fmt.Printf("%s (%v): %s\n", c.ID, c.Severity, c.Doc)
		}
	}
	fmt.Println(n[audit.Error] > 0, n[audit.Warning] > 0, n[audit.Note] > 0)
	// Output:
	// except-defeated (error): an exception changes nothing: its addresses are allowed all the same
	// true true true
}

// A list for programs.
func ExampleJSON() {
	findings, err := audit.Run(compiled(), "unlisted-direction")
	if err != nil {
		log.Fatal(err)
	}
	if err := audit.JSON(os.Stdout, findings); err != nil {
		log.Fatal(err)
	}
	// Output:
	// [
	//   {
	//     "check": "unlisted-direction",
	//     "severity": "error",
	//     "kind": "NetworkPolicy",
	//     "namespace": "shop",
	//     "name": "api",
	//     "field": "spec.ingress",
	//     "file": "shop.yaml",
	//     "line": 44,
	//     "message": "the ingress rule has no effect: policyTypes does not list Ingress",
	//     "proof": {
	//       "flow": {
	//         "from": "0.0.0.0/0 except 192.0.2.0/24",
	//         "to": "shop/api",
	//         "port": "1/TCP",
	//         "family": "any family"
	//       },
	//       "text": "allowed, and would be denied if policyTypes listed Ingress"
	//     },
	//     "suggestion": "add Ingress to policyTypes, or remove the rules",
	//     "related": [
	//       {
	//         "file": "shop.yaml",
	//         "line": 38,
	//         "object": "NetworkPolicy shop/api",
	//         "field": "spec.policyTypes"
	//       }
	//     ]
	//   }
	// ]
}
