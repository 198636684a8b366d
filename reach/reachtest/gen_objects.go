package reachtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// The alphabets. The name y is a boolean in YAML 1.1.
var (
	namespaceNames = []string{"x", "y", "z", "default"}
	podLabelKeys   = []string{"a", "a", "b", "b", "example.com/a", "kubernetes.io/metadata.name"}
	nsLabelKeys    = []string{"a", "a", "b", "kubernetes.io/metadata.name", "kubernetes.io/metadata.name", "kubernetes.io/metadata.name"}
	labelValues    = []string{"1", "1", "2", ""}
	phases         = []corev1.PodPhase{"", "Running", "Running", "Running", "Running", "Running", "Running", "Running", "Pending", "Pending", "Unknown", "Succeeded", "Failed"}
	portNames      = []string{"web", "web", "web", "dns", "http"}
	portNumbers    = []int32{80, 80, 81, 8080, 53}
	portProtocols  = []corev1.Protocol{"TCP", "TCP", "UDP", "SCTP"}
)

// A podOwner is the workload that pods of the cluster can belong to.
type podOwner struct {
	namespace string
	ref       metav1.OwnerReference // in their own metadata
	labels    map[string]string
}

// meta draws the metadata of object number k of its kind, from 1. Objects of
// different kinds share names. The namespace default can be left out.
func (g *drawing) meta(t *rapid.T, k int) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Name: string(rune('a' + (k-1)%26)), Namespace: g.namespaces[0]}
	if k > 26 {
		meta.Name += fmt.Sprint(k / 26)
	}
	if oneIn(t, 2) {
		meta.Namespace = pick(t, g.namespaces...)
	}
	if meta.Namespace == "default" && oneIn(t, 2) && !g.Complete {
		meta.Namespace = ""
	}
	return meta
}

func (g Gen) namespace(t *rapid.T, name string) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: drawLabels(t)}}
	switch {
	case oneIn(t, 3):
		ns.Labels = withLabel(ns.Labels, "kubernetes.io/metadata.name", name)
	case oneIn(t, 3): // overwritten by the API server
		ns.Labels = withLabel(ns.Labels, "kubernetes.io/metadata.name", pick(t, namespaceNames...))
	}
	if oneIn(t, 12) && !g.OnlyRunning { // terminating, without meaning
		ns.DeletionTimestamp = &metav1.Time{Time: time.Unix(1700000000, 0)}
		ns.Status.Phase = corev1.NamespaceTerminating
	}
	return ns
}

// addNode draws a node with any kinds of addresses. The last number in them is
// the one in its name.
func (g *drawing) addNode(t *rapid.T) *corev1.Node {
	k := len(g.c.Nodes) + 1
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", k)}}
	add := func(kind corev1.NodeAddressType, text string) {
		node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: kind, Address: text})
	}
	form := pickBut(t, g.ipv6Forms(), "none", "v4", "v4", "v6", "v4 v6", "v6 v4")
	for _, family := range strings.Fields(form) {
		switch family {
		case "v4":
			add(corev1.NodeInternalIP, nodeAddr(k))
		case "v6":
			add(corev1.NodeInternalIP, fmt.Sprintf("fd01::%d", k))
		}
	}
	if oneIn(t, 4) {
		add(corev1.NodeExternalIP, fmt.Sprintf("203.0.%d.%d", 113-(k>>8), k&255))
	}
	if oneIn(t, 4) { // of no kind that counts, though it looks like one
		add(corev1.NodeHostName, fmt.Sprintf("192.168.9.%d", k&255))
	}
	g.c.Nodes = append(g.c.Nodes, node)
	return node
}

// hostAddrs returns the addresses that pods on the network of the node have.
func (g *drawing) hostAddrs(name string) []string {
	var addrs []string
	for _, node := range g.c.Nodes {
		for _, a := range node.Status.Addresses {
			if node.Name == name && a.Type == corev1.NodeInternalIP {
				addrs = append(addrs, a.Address)
			}
		}
	}
	if len(addrs) == 0 {
		k, _ := strconv.Atoi(name[1:])
		addrs = []string{nodeAddr(k)}
	}
	return addrs
}

// addWorkload draws a workload with what may be in the cluster between it and
// its pods, and the owner that its pods name.
func (g *drawing) addWorkload(t *rapid.T) podOwner {
	meta := g.meta(t, len(g.owners)+1)
	if oneIn(t, 3) { // without meaning
		meta.Labels = drawLabels(t)
	}
	kind := pick(t, "Deployment", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController")

	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: drawLabels(t)},
		Spec:       g.podSpec(t, oneIn(t, 6) || kind == "DaemonSet" && oneIn(t, 2)),
	}
	if oneIn(t, 8) { // without meaning
		template.Namespace = pick(t, namespaceNames...)
	}
	if oneIn(t, 8) {
		template.Spec.NodeName = g.nodeName(t, "n1", "n2")
	}
	switch {
	case kind == "Job" || kind == "CronJob":
		template.Spec.RestartPolicy = corev1.RestartPolicyNever
	case len(template.Labels) == 0: // the selector must not be empty
		template.Labels = map[string]string{"a": "1"}
	}
	selector := &metav1.LabelSelector{MatchLabels: maps.Clone(template.Labels)}

	ref := controlledBy(kind, meta.Name)
	switch kind {
	case "Deployment":
		g.c.Deployments = append(g.c.Deployments, &appsv1.Deployment{
			ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}})
		child := metav1.ObjectMeta{Name: meta.Name + "-1", Namespace: meta.Namespace, OwnerReferences: []metav1.OwnerReference{ref}}
		ref = controlledBy("ReplicaSet", child.Name)
		if oneIn(t, 2) || g.Complete {
			g.c.ReplicaSets = append(g.c.ReplicaSets, &appsv1.ReplicaSet{
				ObjectMeta: child, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: *template.DeepCopy()}})
		}
	case "ReplicaSet":
		switch {
		case g.Complete:
		case oneIn(t, 4): // the Deployment is not in the cluster
			meta.OwnerReferences = append(meta.OwnerReferences, controlledBy("Deployment", "gone"))
		case oneIn(t, 4): // nor would it be a kind that is known
			meta.OwnerReferences = append(meta.OwnerReferences, controlledBy("Rollout", "gone"))
		}
		g.c.ReplicaSets = append(g.c.ReplicaSets, &appsv1.ReplicaSet{
			ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}})
	case "StatefulSet":
		g.c.StatefulSets = append(g.c.StatefulSets, &appsv1.StatefulSet{
			ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}})
	case "DaemonSet":
		g.c.DaemonSets = append(g.c.DaemonSets, &appsv1.DaemonSet{
			ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}})
	case "Job":
		g.c.Jobs = append(g.c.Jobs, &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: template}})
	case "CronJob":
		g.c.CronJobs = append(g.c.CronJobs, &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{
			Schedule: "@daily", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template}}}})
		child := metav1.ObjectMeta{Name: meta.Name + "-1", Namespace: meta.Namespace, OwnerReferences: []metav1.OwnerReference{ref}}
		ref = controlledBy("Job", child.Name)
		if oneIn(t, 2) || g.Complete {
			g.c.Jobs = append(g.c.Jobs, &batchv1.Job{ObjectMeta: child, Spec: batchv1.JobSpec{Template: *template.DeepCopy()}})
		}
	case "ReplicationController":
		g.c.ReplicationControllers = append(g.c.ReplicationControllers, &corev1.ReplicationController{
			ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Selector: selector.MatchLabels, Template: &template}})
	}
	owner := podOwner{meta.Namespace, ref, template.Labels}
	g.owners = append(g.owners, owner)
	return owner
}

// controlledBy returns the reference to a controller.
func controlledBy(kind, name string) metav1.OwnerReference {
	version := map[string]string{"Job": "batch/v1", "CronJob": "batch/v1", "ReplicationController": "v1", "Rollout": "argoproj.io/v1alpha1"}[kind]
	if version == "" {
		version = "apps/v1"
	}
	yes := true
	return metav1.OwnerReference{APIVersion: version, Kind: kind, Name: name, Controller: &yes}
}

// pod draws a pod, of its own or of a workload.
func (g *drawing) pod(t *rapid.T) *corev1.Pod {
	g.pods++
	pod := &corev1.Pod{ObjectMeta: g.meta(t, g.pods)}
	pod.Labels = drawLabels(t)
	if len(g.owners) > 0 && oneIn(t, 3) {
		g.adopt(t, pod)
	}
	if oneIn(t, 12) && !g.OnlyRunning { // terminating, which is not terminated
		pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1700000000, 0)}
	}
	pod.Spec = g.podSpec(t, oneIn(t, 5))
	pod.Spec.NodeName = g.nodeName(t, "", "n1", "n1", "n1", "n2", "n3")
	pod.Status.Phase = pickBut(t, g.noPhases(), phases...)
	if oneIn(t, 8) && !g.OnlyRunning { // without meaning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	}
	if oneIn(t, 8) { // which cannot have ports
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "image"}}}
	}
	if pod.Spec.HostNetwork {
		g.hostStatus(t, pod)
	} else {
		g.podStatus(t, pod)
	}
	return pod
}

// adopt makes pod one of a workload, or nearly so.
func (g *drawing) adopt(t *rapid.T, pod *corev1.Pod) {
	owner := pick(t, g.owners...)
	ref := owner.ref
	no := false
	switch pick(t, "", "", "", "", "", "elsewhere", "not controlled", "unset", "group") {
	case "elsewhere":
		pod.OwnerReferences = []metav1.OwnerReference{ref}
		return
	case "not controlled":
		ref.Controller = &no
	case "unset":
		ref.Controller = nil
	case "group":
		ref.APIVersion = "batch.volcano.sh/v1alpha1"
	}
	pod.Namespace = owner.namespace
	pod.Labels = maps.Clone(owner.labels)
	pod.OwnerReferences = []metav1.OwnerReference{ref}
}

// podStatus draws the addresses of a pod with a network of its own. The number
// of a live pod in them is its own; a terminated pod can have that of another.
func (g *drawing) podStatus(t *rapid.T, pod *corev1.Pod) {
	k := g.pods
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		k = rapid.IntRange(1, 7).Draw(t, "")
	}
	v4, v6 := fmt.Sprintf("10.0.%d.%d", k>>8, k&255), fmt.Sprintf("fd00::%x", k)
	forms := [][]string{{v4}, {}, {v4}, {v4}, {v4, v6}, {v6, v4}, {v6}, {"::ffff:" + v4}}
	if g.NoIPv6 {
		forms = forms[:4]
	}
	if g.OnlyRunning {
		forms = slices.Delete(forms, 1, 2)
	}
	if pod.Status.Phase == corev1.PodPending {
		forms = [][]string{{}, {v4}}
	}
	setPodIPs(t, pod, pick(t, forms...))
	if pod.Spec.NodeName != "" && oneIn(t, 2) { // not an address of the pod
		setHostIPs(t, pod, g.hostAddrs(pod.Spec.NodeName))
	}
}

// hostStatus draws the addresses of a pod on its node's network: those of the
// node, others, or none.
func (g *drawing) hostStatus(t *rapid.T, pod *corev1.Pod) {
	addrs := []string{fmt.Sprintf("192.168.%d.%d", 1+2*(g.pods>>8), g.pods&255)}
	switch form := pick(t, "shared", "shared", "none", "own"); {
	case form == "none" && g.OnlyRunning:
	case form == "none":
		return
	case form == "shared" && pod.Spec.NodeName != "":
		addrs = g.hostAddrs(pod.Spec.NodeName)
	case oneIn(t, 3) && !g.NoIPv6:
		addrs = append(addrs, fmt.Sprintf("fd01::1:%x", g.pods))
	}
	var without []string
	if g.NoNodes {
		without = []string{"host", "both"}
	}
	switch pickBut(t, without, "pod", "host", "both") {
	case "pod":
		setPodIPs(t, pod, addrs)
	case "host":
		setHostIPs(t, pod, addrs)
	case "both":
		setPodIPs(t, pod, addrs)
		setHostIPs(t, pod, addrs)
	}
}

// setPodIPs fills in one of the fields for the pod's addresses or both.
func setPodIPs(t *rapid.T, pod *corev1.Pod, addrs []string) {
	if len(addrs) == 0 {
		return
	}
	form := pick(t, "both", "list", "one")
	if form != "list" {
		pod.Status.PodIP = addrs[0]
	}
	if form == "one" && len(addrs) == 1 {
		return
	}
	for _, a := range addrs {
		pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: a})
	}
}

// setHostIPs is setPodIPs for the addresses of the host.
func setHostIPs(t *rapid.T, pod *corev1.Pod, addrs []string) {
	form := pick(t, "both", "list", "one")
	if form != "list" {
		pod.Status.HostIP = addrs[0]
	}
	if form == "one" && len(addrs) == 1 {
		return
	}
	for _, a := range addrs {
		pod.Status.HostIPs = append(pod.Status.HostIPs, corev1.HostIP{IP: a})
	}
}

// podSpec draws containers with ports. Names are unique in a container,
// but not in the pod.
func (g Gen) podSpec(t *rapid.T, hostNetwork bool) corev1.PodSpec {
	hostNetwork = hostNetwork && !g.NoHostNetwork
	spec := corev1.PodSpec{HostNetwork: hostNetwork}
	spec.Containers = listOf(t, 1, 2, g.container)
	spec.InitContainers = listOf(t, 0, 2, func(t *rapid.T) corev1.Container {
		c := g.container(t)
		if oneIn(t, 2) {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		}
		return c
	})
	for i := range spec.Containers {
		spec.Containers[i].Name = fmt.Sprintf("c%d", i)
	}
	for i := range spec.InitContainers {
		spec.InitContainers[i].Name = fmt.Sprintf("i%d", i)
	}
	if ports := spec.Containers[0].Ports; len(ports) > 0 && !hostNetwork && oneIn(t, 3) {
		ports[0].HostPort = 81
	}
	return spec
}

func (g Gen) container(t *rapid.T) corev1.Container {
	c := corev1.Container{Image: "image"}
	c.Ports = listOf(t, 0, 3, func(t *rapid.T) corev1.ContainerPort {
		return corev1.ContainerPort{
			Name:          pickBut(t, g.noPortNames(), slices.Concat([]string{""}, portNames)...),
			ContainerPort: pick(t, portNumbers...),
			Protocol:      pickBut(t, g.noProtocols(), slices.Concat([]corev1.Protocol{""}, portProtocols)...),
		}
	})
	seen := map[string]bool{"": true}
	for i, port := range c.Ports {
		if seen[port.Name] {
			c.Ports[i].Name = ""
		}
		seen[port.Name] = true
	}
	return c
}

// drawLabels draws labels for a pod or a namespace. None can be nil.
func drawLabels(t *rapid.T) map[string]string {
	const absent = "absent"
	labels := map[string]string{}
	for _, key := range []string{"a", "b"} {
		if value := pick(t, slices.Concat([]string{absent, absent}, labelValues)...); value != absent {
			labels[key] = value
		}
	}
	for _, key := range []string{"example.com/a", "kubernetes.io/metadata.name"} {
		if oneIn(t, 8) {
			labels[key] = pick(t, "x", "1")
		}
	}
	if len(labels) == 0 && !oneIn(t, 2) {
		return nil
	}
	return labels
}

// withLabel returns labels with one more, or another value.
func withLabel(labels map[string]string, key, value string) map[string]string {
	if labels == nil {
		labels = map[string]string{}
	}
	labels[key] = value
	return labels
}

// nodeName draws the name of a node, one with an object if there must be one.
func (g *drawing) nodeName(t *rapid.T, names ...string) string {
	names = slices.DeleteFunc(names, func(name string) bool {
		there := slices.ContainsFunc(g.c.Nodes, func(n *corev1.Node) bool { return n.Name == name })
		return name != "" && (g.NoNodes || g.Complete && !there)
	})
	if len(names) == 0 {
		return ""
	}
	return pick(t, names...)
}

// nodeAddr returns an address of node k.
func nodeAddr(k int) string { return fmt.Sprintf("192.168.%d.%d", 2*(k>>8), k&255) }

// The following return what is not to be drawn.

func (g Gen) ipv6Forms() []string {
	if g.NoIPv6 {
		return []string{"v6", "v4 v6", "v6 v4"}
	}
	return nil
}

func (g Gen) noPortNames() []string {
	if g.NoNamedPorts {
		return portNames
	}
	return nil
}

func (g Gen) noProtocols() []corev1.Protocol {
	if g.NoSCTP {
		return []corev1.Protocol{corev1.ProtocolSCTP}
	}
	return nil
}

func (g Gen) noPhases() []corev1.PodPhase {
	if g.OnlyRunning {
		return []corev1.PodPhase{"", corev1.PodPending, corev1.PodUnknown, corev1.PodSucceeded, corev1.PodFailed}
	}
	return nil
}
