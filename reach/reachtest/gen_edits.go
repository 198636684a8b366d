//lint:file-ignore SA1019 What Endpoints hold still counts for Services, deprecated or not.

package reachtest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/polreach/polreach/policy"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// Edits draws from one to most changes of c, one after the other, as one list. A
// change is mostly one edit; a new Service comes with what lists its endpoints.
// The edits are valid in their order: [policy.Cluster.With] applies all of them or
// any number of the first ones, and what it returns is valid.
//
// They change objects of the kinds that are given, as [policy.Remove] names them,
// or of any kind, those of Services only if g has any. There are none if nothing
// in c can change. A pod or a Service that is added can have the address of another.
func (g Gen) Edits(c *policy.Cluster, most int, kinds ...string) *rapid.Generator[[]policy.Edit] {
	return rapid.Custom(func(t *rapid.T) []policy.Edit {
		var edits []policy.Edit
		d := c
		for range rapid.IntRange(1, max(1, most)).Draw(t, "") {
			more := g.change(t, d, kinds)
			next, err := d.With(more...)
			if err != nil {
				t.Fatalf("edits that are drawn cannot be made: %v", err)
			}
			edits, d = append(edits, more...), next
		}
		return edits
	})
}

// changes are what can change, with the kind of object. Policies and labels of
// pods are drawn most.
var changes = []struct{ what, kind string }{
	{"policy", "NetworkPolicy"}, {"policy", "NetworkPolicy"}, {"policy", "NetworkPolicy"}, {"policy", "NetworkPolicy"},
	{"label", "Pod"}, {"label", "Pod"}, {"label", "Pod"}, {"ports", "Pod"}, {"ready", "Pod"},
	{"workload", ""}, {"namespace", "Namespace"}, {"service", "Service"}, {"service", "Service"},
	{"slice", "EndpointSlice"}, {"endpoints", "Endpoints"}, {"ingress", "Ingress"}, {"node", "Node"},
	{"remove pod", "Pod"}, {"remove pod", "Pod"}, {"add pod", "Pod"}, {"add pod", "Pod"}, {"move pod", "Pod"},
	{"remove node", "Node"},
}

// change draws a change of one thing.
func (g Gen) change(t *rapid.T, c *policy.Cluster, kinds []string) []policy.Edit {
	pods := named(c.Pods)
	workloads := slices.DeleteFunc(workloadsOf(c), func(w workload) bool {
		return w.Name == "" || len(kinds) > 0 && !slices.Contains(kinds, kindOf(w.object))
	})
	possible := func(what string) bool {
		switch what {
		case "label", "ports", "remove pod", "add pod":
			return len(pods) > 0
		case "ready":
			return len(pods) > 0 && !g.OnlyRunning
		case "move pod":
			return len(pods) > 0 && !(g.OnlyRunning && g.NoNodes && g.NoWorkloads)
		case "workload":
			return len(workloads) > 0
		case "service", "ingress":
			return g.MaxServices > 0 && len(pods) > 0
		case "slice":
			return g.MaxServices > 0 && len(named(c.EndpointSlices)) > 0
		case "endpoints":
			return g.MaxServices > 0 && slices.ContainsFunc(there(c.Endpoints), func(e *corev1.Endpoints) bool { return len(e.Subsets) > 0 })
		case "node":
			return len(named(c.Nodes)) > 0 && !g.NoNodes
		case "remove node":
			return len(named(c.Nodes)) > 0 && !g.NoNodes && !g.Complete
		}
		return true
	}
	var whats []string
	for _, change := range changes {
		if possible(change.what) && (len(kinds) == 0 || change.kind == "" || slices.Contains(kinds, change.kind)) {
			whats = append(whats, change.what)
		}
	}
	if len(whats) == 0 {
		return nil
	}
	switch what := pick(t, whats...); what {
	case "policy":
		return []policy.Edit{g.editPolicy(t, c)}
	case "workload":
		return []policy.Edit{g.editWorkload(t, pick(t, workloads...))}
	case "namespace":
		return []policy.Edit{g.editNamespace(t, c)}
	case "service":
		return g.editService(t, c)
	case "slice":
		return []policy.Edit{g.editSlice(t, pick(t, named(c.EndpointSlices)...))}
	case "endpoints":
		return editEndpoints(t, c)
	case "ingress":
		if old := named(c.Ingresses); len(old) > 0 && oneIn(t, 2) {
			return []policy.Edit{policy.Remove("Ingress", old[0].Namespace, old[0].Name)}
		}
		return []policy.Edit{policy.Put((&serviceDrawing{Gen: g, c: c}).ingress(t))}
	case "node":
		return []policy.Edit{policy.Relabel("Node", "", pick(t, named(c.Nodes)...).Name, drawLabels(t))}
	case "remove node":
		return []policy.Edit{policy.Remove("Node", "", pick(t, named(c.Nodes)...).Name)}
	default:
		return []policy.Edit{g.editPod(t, c, pick(t, pods...), what)}
	}
}

// named returns the objects that have a name.
func named[O any, P interface {
	*O
	metav1.Object
}](objects []P) []P {
	return slices.DeleteFunc(slices.Clone(objects), func(o P) bool { return o == nil || o.GetName() == "" })
}

// kindOf returns the kind of an object that a Cluster can hold.
func kindOf(o metav1.Object) string {
	kind, _ := policy.Put(o).Object()
	return kind
}

// editEndpoints removes Endpoints, or turns which of its addresses are ready.
func editEndpoints(t *rapid.T, c *policy.Cluster) []policy.Edit {
	all := slices.DeleteFunc(there(c.Endpoints), func(e *corev1.Endpoints) bool { return len(e.Subsets) == 0 })
	e := pick(t, all...).DeepCopy()
	if oneIn(t, 2) {
		return []policy.Edit{policy.Remove("Endpoints", e.Namespace, e.Name)}
	}
	e.Subsets[0].Addresses, e.Subsets[0].NotReadyAddresses = e.Subsets[0].NotReadyAddresses, e.Subsets[0].Addresses
	return []policy.Edit{policy.Put(e)}
}

// editPolicy draws a new policy, or mostly such a change of one that is there as
// needs nothing new.
func (g Gen) editPolicy(t *rapid.T, c *policy.Cluster) policy.Edit {
	named := named(c.Policies)
	kind := pick(t, "change", "change", "change", "mix", "mix", "copy", "new", "remove", "remove")
	if kind == "new" || len(named) == 0 {
		d := g.drawing(nil)
		if g.Complete {
			d.namespaces = namesOf(c.Namespaces)
		}
		np := d.policy(t)
		np.Name = pick(t, "new", "a")
		np.GenerateName = ""
		return policy.Put(np)
	}
	np := pick(t, named...).DeepCopy()
	switch kind {
	case "remove":
		return policy.Remove("NetworkPolicy", np.Namespace, np.Name)
	case "copy":
		np.Name, np.Namespace = "copy", pick(t, named...).Namespace
	case "change":
		g.changePolicy(t, np)
	case "mix":
		other := pick(t, named...).DeepCopy()
		np.Spec.Ingress = append(np.Spec.Ingress, other.Spec.Ingress...)
		np.Spec.Egress = append(np.Spec.Egress, other.Spec.Egress...)
		if oneIn(t, 2) {
			np.Spec.PodSelector = other.Spec.PodSelector
		}
	}
	return policy.Put(np)
}

// editPod draws a change of a pod.
func (g Gen) editPod(t *rapid.T, c *policy.Cluster, pod *corev1.Pod, what string) policy.Edit {
	other := pod.DeepCopy()
	switch what {
	case "label":
		if oneIn(t, 2) && len(pod.Labels) > 0 { // one less
			other.Labels = maps.Clone(pod.Labels)
			delete(other.Labels, pick(t, slices.Sorted(maps.Keys(pod.Labels))...))
			return policy.Put(other)
		}
		return policy.Relabel("Pod", pod.Namespace, pod.Name, drawLabels(t))
	case "ports":
		other.Spec.Containers = listOf(t, 1, 2, g.container)
		for i := range other.Spec.Containers {
			other.Spec.Containers[i].Name = fmt.Sprintf("c%d", i)
		}
	case "ready":
		other.DeletionTimestamp = nil
		g.readiness(t, other)
	case "remove pod":
		return policy.Remove("Pod", pod.Namespace, pod.Name)
	case "add pod":
		other.Name = pick(t, "0", "more", "zz")
		if oneIn(t, 2) {
			other.Labels = drawLabels(t)
		}
		if other.Spec.HostNetwork && oneIn(t, 2) {
			other.Spec.HostNetwork = false
		}
		other.Status.PodIP, other.Status.PodIPs = "", nil
		addrs := [][]string{nil, {"10.0.0.77"}, {"10.0.0.78", "fd00::78"}}
		if g.NoIPv6 {
			addrs[2] = addrs[2][:1]
		}
		if g.OnlyRunning {
			addrs = addrs[1:]
		}
		setPodIPs(t, other, pick(t, addrs...))
	case "move pod":
		var without []string
		if g.OnlyRunning {
			without = []string{"address", "phase"}
		}
		switch pickBut(t, without, "address", "phase", "node", "owner") {
		case "address":
			other.Status.PodIP, other.Status.PodIPs = "", nil
		case "phase":
			other.Status.Phase = pick(t, phases...)
		case "node":
			other.Spec.NodeName = (&drawing{Gen: g, c: c}).nodeName(t, "", "n1", "n2")
		case "owner":
			other.OwnerReferences = nil
		}
	}
	return policy.Put(other)
}

// changePolicy changes a policy as people do: it drops something, or says it otherwise.
func (g Gen) changePolicy(t *rapid.T, np *networkingv1.NetworkPolicy) {
	drop := func(n int, cut func(i int)) {
		if n > 0 {
			cut(rapid.IntRange(0, n-1).Draw(t, "at"))
		}
	}
	var without []string
	if g.NoEgress {
		without = []string{"types"}
	}
	switch pickBut(t, without, "rule", "peers", "ports", "selector", "types", "empty", "range") {
	case "rule":
		drop(len(np.Spec.Ingress), func(i int) { np.Spec.Ingress = slices.Delete(np.Spec.Ingress, i, i+1) })
	case "peers":
		drop(len(np.Spec.Ingress), func(i int) {
			r := &np.Spec.Ingress[i]
			drop(len(r.From), func(j int) { r.From = slices.Delete(r.From, j, j+1) })
		})
		drop(len(np.Spec.Egress), func(i int) { np.Spec.Egress[i].To = nil })
	case "ports":
		drop(len(np.Spec.Egress), func(i int) { np.Spec.Egress[i].Ports = nil })
		drop(len(np.Spec.Ingress), func(i int) {
			r := &np.Spec.Ingress[i]
			drop(len(r.Ports), func(j int) { r.Ports = slices.Delete(r.Ports, j, j+1) })
		})
	case "selector":
		np.Spec.PodSelector = g.selector(t, []string{"a", "b"})
	case "types":
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	case "empty":
		np.Spec.Ingress, np.Spec.Egress = nil, nil
	case "range":
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
			From: []networkingv1.NetworkPolicyPeer{{PodSelector: new(g.selector(t, []string{"a", "b"})), NamespaceSelector: &metav1.LabelSelector{}}},
		})
	}
}

// editWorkload draws another template for a workload, or removes it.
func (g Gen) editWorkload(t *rapid.T, w workload) policy.Edit {
	kind := kindOf(w.object)
	var without []string
	if g.Complete {
		without = []string{"remove"}
	}
	how := pickBut(t, without, "labels", "labels", "labels", "ports", "relabel", "remove")
	switch how {
	case "relabel":
		return policy.Relabel(kind, w.Namespace, w.Name, drawLabels(t))
	case "remove":
		return policy.Remove(kind, w.Namespace, w.Name)
	}
	w = copyOf(w)
	if how == "labels" {
		w.template.Labels = withLabel(drawLabels(t), "b", "1")
	} else {
		w.template.Spec.Containers = []corev1.Container{g.container(t)}
		w.template.Spec.Containers[0].Name = "c"
	}
	return policy.Put(w.object)
}

// copyOf returns a copy of a workload.
func copyOf(w workload) workload {
	c, err := new(policy.Cluster).With(policy.Put(w.object))
	if err != nil {
		panic(err) // nothing prevents adding
	}
	return workloadsOf(c)[0]
}

// editNamespace relabels a namespace, makes one or takes it away.
func (g Gen) editNamespace(t *rapid.T, c *policy.Cluster) policy.Edit {
	all := named(c.Namespaces)
	if len(all) == 0 || oneIn(t, 4) {
		return policy.Put(g.namespace(t, pick(t, g.drawing(nil).namespaces...)))
	}
	ns := pick(t, all...)
	if oneIn(t, 5) && !g.Complete {
		return policy.Remove("Namespace", "", ns.Name)
	}
	return policy.Relabel("Namespace", "", ns.Name, drawLabels(t))
}

// editService removes a Service, changes it, or adds one with its endpoints.
func (g Gen) editService(t *rapid.T, c *policy.Cluster) []policy.Edit {
	how := pick(t, "remove", "add", "selector", "selector", "ports", "ranges", "kind")
	all := named(c.Services)
	if len(all) == 0 || how == "add" {
		d := *c
		d.Services, d.EndpointSlices, d.Endpoints = nil, nil, nil
		g := serviceDrawing{Gen: g, c: &d, services: 10, slices: 10, nodePort: 31000}
		g.add(t)
		var edits []policy.Edit
		for _, s := range d.Services {
			edits = append(edits, policy.Put(s))
		}
		for _, s := range d.EndpointSlices {
			edits = append(edits, policy.Put(s))
		}
		for _, s := range d.Endpoints {
			edits = append(edits, policy.Put(s))
		}
		return edits
	}
	s := pick(t, all...).DeepCopy()
	d := serviceDrawing{Gen: g, c: c, services: 20}
	switch how {
	case "remove":
		return []policy.Edit{policy.Remove("Service", s.Namespace, s.Name)}
	case "selector":
		s.Spec.Selector = d.podLabels(t, namespaceOf(s))
	case "ports":
		for i := range s.Spec.Ports {
			s.Spec.Ports[i].TargetPort = d.port(t).TargetPort
		}
	case "ranges":
		s.Spec.LoadBalancerSourceRanges = nil
	case "kind":
		s.Spec.ClusterIP, s.Spec.ClusterIPs, s.Spec.IPFamilies, s.Spec.IPFamilyPolicy = "", nil, nil, nil
		if s.Spec.ExternalName == "" {
			d.families(t, &s.Spec)
		}
	}
	return []policy.Edit{policy.Put(s)}
}

// editSlice changes an EndpointSlice.
func (g Gen) editSlice(t *rapid.T, s *discoveryv1.EndpointSlice) policy.Edit {
	s = s.DeepCopy()
	how := pick(t, "remove", "service", "less", "ready", "node")
	if len(s.Endpoints) == 0 {
		how = "remove"
	}
	switch how {
	case "remove":
		return policy.Remove("EndpointSlice", s.Namespace, s.Name)
	case "service":
		s.Labels = map[string]string{discoveryv1.LabelServiceName: pick(t, "s1", "s2")}
	case "less":
		s.Endpoints = s.Endpoints[1:]
	case "ready":
		s.Endpoints[0].Conditions = discoveryv1.EndpointConditions{Ready: new(oneIn(t, 2))}
	case "node":
		names := []*string{nil, new("n1"), new("n2"), new("n3")}
		if g.NoNodes || g.Complete {
			names = names[:1]
		}
		s.Endpoints[0].NodeName = pick(t, names...)
	}
	return policy.Put(s)
}

// namesOf returns the names of objects, or that of the default namespace if there
// are none.
func namesOf(namespaces []*corev1.Namespace) []string {
	var names []string
	for _, ns := range named(namespaces) {
		names = append(names, ns.Name)
	}
	if len(names) == 0 {
		return []string{metav1.NamespaceDefault}
	}
	return names
}
