package reachtest_test

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// lockdown is a controller that is to be tested: it makes the policies that close
// every namespace for ingress, and forgets one.
func lockdown(namespaces []string) []*networkingv1.NetworkPolicy {
	var policies []*networkingv1.NetworkPolicy
	for _, ns := range namespaces {
		if ns == "y" {
			continue
		}
		policies = append(policies, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "lockdown"}})
	}
	return policies
}

// A controller is tested on clusters that are drawn, with the Graph as the oracle:
// no flow from elsewhere may reach a pod. A test has the body of the loop in
// rapid.Check and draws with Draw, which shrinks and prints what it finds.
func ExampleGen() {
	gen := reachtest.Gen{NoHostNetwork: true, NoNodes: true, NoWorkloads: true, OnlyRunning: true, Complete: true}
	for seed := range 100 {
		c := gen.Clusters().Example(seed)
		var namespaces []string
		for _, ns := range c.Namespaces {
			namespaces = append(namespaces, ns.Name)
		}
		c.Policies = lockdown(namespaces)
		g, err := reach.Compile(c)
		if err != nil {
			fmt.Println(err)
			return
		}
		f := gen.Flows(g).Example(seed)
		if f.From != f.To && slices.Contains(g.Pods(), f.To) && g.Allows(f) {
			fmt.Println("a flow reaches a pod in namespace", f.To.Name().Namespace)
			return
		}
	}
	// Output: a flow reaches a pod in namespace y
}

// Where a tool answers itself what may talk to what, its answers are compared with
// those of a Graph, after every change of the cluster too.
func ExampleGen_Edits() {
	gen := reachtest.Gen{MaxPods: 4, NoSCTP: true}
	c := gen.Clusters().Example(7) // in a test, Draw(t, "cluster")
	for _, e := range gen.Edits(c, 3, "NetworkPolicy", "Pod").Example(7) {
		d, err := c.With(e)
		if err != nil {
			fmt.Println(err)
		}
		c = d
	}
	g, err := reach.Compile(c)
	fmt.Println(err)
	f := gen.Flows(g).Example(7)
	fmt.Println(g.Allows(f) == g.Explain(f).Allowed) // on one side, what is tested
	// Output:
	// <nil>
	// true
}

// What is drawn can be kept as a file.
func ExampleYAML() {
	c := &policy.Cluster{Policies: lockdown([]string{"x"})}
	fmt.Print(reachtest.YAML(c))
	// Output:
	// ---
	// apiVersion: networking.k8s.io/v1
	// kind: NetworkPolicy
	// metadata:
	//   name: lockdown
	//   namespace: x
	// spec:
	//   podSelector: {}
}
