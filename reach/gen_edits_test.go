package reach_test

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
	for _, name := range clusterNamespaces {
		if !slices.ContainsFunc(c.Namespaces, func(ns *corev1.Namespace) bool { return ns.Name == name }) {
			c.Namespaces = append(c.Namespaces, drawNamespace(t, name))
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
// they are.
func genEdits(t *rapid.T, c *policy.Cluster) ([]policy.Edit, string) {
	var edits []policy.Edit
	what := ""
	for range pick(t, 1, 1, 1, 2, 3) {
		more, kind := genEdit(t, c)
		switch {
		case len(more) == 0:
			kind = what
		case what != "" && what != kind:
			kind = "several"
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

// genEdit draws a change of one thing, and what it changes.
func genEdit(t *rapid.T, c *policy.Cluster) ([]policy.Edit, string) {
	what := pick(t, "policy", "policy", "policy", "policy", "label", "label", "label", "ports", "ready", "workload",
		"namespace", "service", "service", "slice", "endpoints", "ingress", "node", "remove pod", "remove pod", "add pod", "add pod", "move pod", "remove node")
	var edits []policy.Edit
	switch what {
	case "policy":
		edits = append(edits, editPolicy(t, c))
	case "label", "ports", "ready", "remove pod", "add pod", "move pod":
		if len(c.Pods) > 0 {
			if pod := pick(t, c.Pods...); pod.Name != "" {
				edits = append(edits, editPod(t, pod, what))
			}
		}
	case "workload":
		edits = append(edits, editWorkload(t, c)...)
	case "namespace":
		edits = append(edits, editNamespace(t, c))
	case "service":
		edits = editService(t, c)
	case "slice":
		if len(c.EndpointSlices) > 0 {
			edits = append(edits, editSlice(t, pick(t, c.EndpointSlices...)))
		}
	case "endpoints":
		if len(c.Endpoints) > 0 {
			e := pick(t, c.Endpoints...).DeepCopy()
			edits = append(edits, policy.Remove("Endpoints", e.Namespace, e.Name))
			if oneIn(t, 2) {
				e.Subsets[0].Addresses, e.Subsets[0].NotReadyAddresses = e.Subsets[0].NotReadyAddresses, e.Subsets[0].Addresses
				edits = append(edits, policy.Put(e))
			}
		}
	case "ingress":
		switch {
		case len(c.Ingresses) > 0 && oneIn(t, 2):
			edits = append(edits, policy.Remove("Ingress", c.Ingresses[0].Namespace, c.Ingresses[0].Name))
		case len(c.Pods) > 0:
			edits = append(edits, policy.Put((&serviceGen{c: c}).ingress(t)))
		}
	case "node":
		if len(c.Nodes) > 0 {
			edits = append(edits, policy.Relabel("Node", "", pick(t, c.Nodes...).Name, drawLabels(t)))
		}
	case "remove node":
		if len(c.Nodes) > 0 {
			edits = append(edits, policy.Remove("Node", "", pick(t, c.Nodes...).Name))
		}
	}
	return edits, what
}

// editPolicy draws a new policy, or mostly such a change of one that is there as
// needs nothing new.
func editPolicy(t *rapid.T, c *policy.Cluster) policy.Edit {
	var named []*networkingv1.NetworkPolicy
	for _, np := range c.Policies {
		if np != nil && np.Name != "" {
			named = append(named, np)
		}
	}
	kind := pick(t, "change", "change", "change", "mix", "mix", "copy", "new", "remove", "remove")
	if kind == "new" || len(named) == 0 {
		g := clusterGen{c: &policy.Cluster{}, namespaces: clusterNamespaces}
		np := g.policy(t)
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
		mutate(t, np)
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
func editPod(t *rapid.T, pod *corev1.Pod, what string) policy.Edit {
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
		other.Spec.Containers = listOf(t, 1, 2, drawContainer)
		for i := range other.Spec.Containers {
			other.Spec.Containers[i].Name = fmt.Sprintf("c%d", i)
		}
	case "ready":
		other.DeletionTimestamp = nil
		new(serviceGen).readiness(t, other)
	case "remove pod":
		return policy.Remove("Pod", pod.Namespace, pod.Name)
	case "add pod":
		other.Name = pick(t, "A", "more", "zz")
		if oneIn(t, 2) {
			other.Labels = drawLabels(t)
		}
		if other.Spec.HostNetwork && oneIn(t, 2) {
			other.Spec.HostNetwork = false
		}
		other.Status.PodIP, other.Status.PodIPs = "", nil
		setPodIPs(t, other, pick(t, nil, []string{"10.0.0.77"}, []string{"10.0.0.78", "fd00::78"}))
	case "move pod":
		switch pick(t, "address", "phase", "node", "owner") {
		case "address":
			other.Status.PodIP, other.Status.PodIPs = "", nil
		case "phase":
			other.Status.Phase = pick(t, phases...)
		case "node":
			other.Spec.NodeName = pick(t, "", "n1", "n2")
		case "owner":
			other.OwnerReferences = nil
		}
	}
	return policy.Put(other)
}

// editWorkload draws another template for a workload, or removes it.
func editWorkload(t *rapid.T, c *policy.Cluster) []policy.Edit {
	var all []metav1.Object
	var templates []*corev1.PodTemplateSpec
	add := func(o metav1.Object, template *corev1.PodTemplateSpec) {
		if o.GetName() != "" && template != nil {
			all, templates = append(all, o), append(templates, template)
		}
	}
	for _, w := range c.Deployments {
		w = w.DeepCopy()
		add(w, &w.Spec.Template)
	}
	for _, w := range c.ReplicaSets {
		w = w.DeepCopy()
		add(w, &w.Spec.Template)
	}
	for _, w := range c.StatefulSets {
		w = w.DeepCopy()
		add(w, &w.Spec.Template)
	}
	for _, w := range c.DaemonSets {
		w = w.DeepCopy()
		add(w, &w.Spec.Template)
	}
	for _, w := range c.Jobs {
		w = w.DeepCopy()
		add(w, &w.Spec.Template)
	}
	for _, w := range c.CronJobs {
		w = w.DeepCopy()
		add(w, &w.Spec.JobTemplate.Spec.Template)
	}
	for _, w := range c.ReplicationControllers {
		w = w.DeepCopy()
		add(w, w.Spec.Template)
	}
	if len(all) == 0 {
		return nil
	}
	i := rapid.IntRange(0, len(all)-1).Draw(t, "workload")
	kind, _ := policy.Put(all[i]).Object()
	switch pick(t, "labels", "labels", "labels", "ports", "relabel", "remove") {
	case "labels":
		templates[i].Labels = withLabel(drawLabels(t), "b", "1")
	case "ports":
		templates[i].Spec.Containers = []corev1.Container{drawContainer(t)}
		templates[i].Spec.Containers[0].Name = "c"
	case "relabel":
		return []policy.Edit{policy.Relabel(kind, all[i].GetNamespace(), all[i].GetName(), drawLabels(t))}
	case "remove":
		return []policy.Edit{policy.Remove(kind, all[i].GetNamespace(), all[i].GetName())}
	}
	return []policy.Edit{policy.Put(all[i])}
}

// editNamespace relabels a namespace, makes one or takes it away.
func editNamespace(t *rapid.T, c *policy.Cluster) policy.Edit {
	if len(c.Namespaces) == 0 || oneIn(t, 4) {
		return policy.Put(drawNamespace(t, pick(t, clusterNamespaces...)))
	}
	ns := pick(t, c.Namespaces...)
	if oneIn(t, 5) {
		return policy.Remove("Namespace", "", ns.Name)
	}
	return policy.Relabel("Namespace", "", ns.Name, drawLabels(t))
}

// editService removes a Service, changes it, or adds one with its endpoints.
func editService(t *rapid.T, c *policy.Cluster) []policy.Edit {
	how := pick(t, "remove", "add", "selector", "selector", "ports", "ranges", "kind")
	if len(c.Services) == 0 || how == "add" {
		if len(c.Pods) == 0 {
			return nil
		}
		d := *c
		d.Services, d.EndpointSlices, d.Endpoints = nil, nil, nil
		g := serviceGen{c: &d, services: 10, slices: 10, nodePort: 31000}
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
	s := pick(t, c.Services...).DeepCopy()
	g := serviceGen{c: c, services: 20}
	switch how {
	case "remove":
		return []policy.Edit{policy.Remove("Service", s.Namespace, s.Name)}
	case "selector":
		s.Spec.Selector = g.selector(t, rawNamespace(s.ObjectMeta))
	case "ports":
		for i := range s.Spec.Ports {
			s.Spec.Ports[i].TargetPort = g.port(t).TargetPort
		}
	case "ranges":
		s.Spec.LoadBalancerSourceRanges = nil
	case "kind":
		s.Spec.ClusterIP, s.Spec.ClusterIPs, s.Spec.IPFamilies, s.Spec.IPFamilyPolicy = "", nil, nil, nil
		if s.Spec.ExternalName == "" {
			g.families(t, &s.Spec)
		}
	}
	return []policy.Edit{policy.Put(s)}
}

// editSlice changes an EndpointSlice.
func editSlice(t *rapid.T, s *discoveryv1.EndpointSlice) policy.Edit {
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
		s.Endpoints[0].NodeName = pick(t, nil, new("n1"), new("n2"), new("n3"))
	}
	return policy.Put(s)
}
