package reach_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach/reachtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// quickEdits are the edits for which With often need not compile. The first ones
// are drawn most.
var quickEdits = []string{"policy", "label", "ports", "ready", "namespace", "remove pod", "add pod", "move pod",
	"workload", "service", "slice", "endpoints", "ingress", "node"}

// complete adds to most clusters the namespaces and nodes of which there are no
// objects: without them, hardly anything can come or go and change nothing else.
func complete(t *rapid.T, c *policy.Cluster) {
	if oneIn(t, 4) {
		return
	}
	for _, name := range []string{"x", "y", "z", "default"} {
		if !slices.ContainsFunc(c.Namespaces, func(ns *corev1.Namespace) bool { return ns.Name == name }) {
			ns := genPlain.Namespaces().Draw(t, "namespace")
			ns.Name = name
			c.Namespaces = append(c.Namespaces, ns)
		}
	}
	for _, name := range []string{"n1", "n2", "n3"} {
		if oneIn(t, 4) || slices.ContainsFunc(c.Nodes, func(n *corev1.Node) bool { return n.Name == name }) {
			continue
		}
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.168.0." + name[1:]}}
		c.Nodes = append(c.Nodes, n)
	}
}

// genEdits draws edits that can be made in c, mostly one, and says of which kind
// they are. A few of them are faulty.
func genEdits(t *rapid.T, c *policy.Cluster) ([]policy.Edit, string) {
	var edits []policy.Edit
	what := ""
	for range pick(t, 1, 1, 1, 2, 3) {
		more := reachtest.Draw(t, genServed.Edits(c, 1), "edits")
		kind := what
		for _, e := range more[:min(1, len(more))] {
			kind = kindOfEdit(c, e)
		}
		if what != "" && what != kind {
			kind = "several"
		}
		if oneIn(t, 40) {
			more = append(more, policy.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "A"}}))
		}
		edits, what = append(edits, more...), kind
		d, err := c.With(more...)
		if err != nil {
			t.Fatal(err)
		}
		c = d
	}
	return edits, what
}

// kindOfEdit returns what e changes in c, in the words of quickEdits.
func kindOfEdit(c *policy.Cluster, e policy.Edit) string {
	kind, name := e.Object()
	how, _, _ := strings.Cut(e.String(), " ")
	switch kind {
	case "NetworkPolicy":
		return "policy"
	case "EndpointSlice":
		return "slice"
	case "Namespace", "Service", "Endpoints", "Ingress":
		return strings.ToLower(kind)
	case "Node":
		if how == "remove" {
			return "remove node"
		}
		return "node"
	case "Pod":
	default:
		return "workload"
	}
	if how != "put" {
		return map[string]string{"remove": "remove pod", "relabel": "label"}[how]
	}
	find := func(c *policy.Cluster) *corev1.Pod {
		for _, pod := range c.Pods {
			if rawNamespace(pod.ObjectMeta) == name.Namespace && pod.Name == name.Name {
				return pod
			}
		}
		return nil
	}
	d, err := c.With(e)
	if err != nil {
		panic(err)
	}
	before, after := find(c), find(d)
	switch {
	case before == nil:
		return "add pod"
	case !maps.Equal(before.Labels, after.Labels):
		return "label"
	case !reflect.DeepEqual(before.Spec.Containers, after.Spec.Containers):
		return "ports"
	case !reflect.DeepEqual(before.Status.Conditions, after.Status.Conditions):
		return "ready"
	}
	return "move pod"
}
