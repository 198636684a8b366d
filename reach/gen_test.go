package reach_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// genCluster draws a small valid cluster. Everything comes from alphabets so
// small that labels, addresses, ports and names meet often, and every corner
// that a rule talks about is a likely choice. It shrinks towards few objects
// with empty lists.
//
// Live pods share an address only if both are on the network of one node; then
// they have all addresses in common with each other and with their node's
// internal ones.
func genCluster(t *rapid.T) *policy.Cluster {
	return clusterGenerator.Draw(t, "cluster").Cluster
}

// genProfile draws the zero Profile or any other.
func genProfile(t *rapid.T) reach.Profile {
	return profileGenerator.Draw(t, "profile")
}

// genPort draws a port, mostly one that c names or one beside it, one that a
// container declares, or a protocol without ports.
func genPort(t *rapid.T, c *policy.Cluster) policy.Port {
	return rapid.Custom(func(t *rapid.T) policy.Port {
		if declared := declaredIn(c); len(declared) > 0 && oneIn(t, 2) {
			return pick(t, declared...)
		}
		proto := pick(t, policy.TCP, policy.TCP, policy.TCP, policy.TCP, policy.TCP, policy.TCP, policy.UDP, policy.SCTP, policy.UDP, policy.SCTP, policy.ICMP, policy.ICMPv6, 47)
		if proto != policy.TCP && proto != policy.UDP && proto != policy.SCTP {
			return policy.Port{Protocol: proto}
		}
		numbers := portsOf(c)
		if oneIn(t, 4) {
			numbers = beside(numbers)
		}
		return policy.Port{Protocol: proto, Number: uint16(pick(t, numbers...))}
	}).Draw(t, "port")
}

// genAddr draws an address: mostly the first or last one of a block or an
// exception in c or one beside it, or the address of a pod or a node or one
// beside that. Some are in the IPv4-mapped form.
func genAddr(t *rapid.T, c *policy.Cluster) netip.Addr {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		addrs := slices.Concat(
			[]netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr("169.254.169.254")},
			boundariesOf(c), statusAddrsOf(c))
		a := pick(t, addrs...)
		switch pick(t, 0, 0, 0, 1, 2) {
		case 1:
			if next := a.Next(); next.IsValid() {
				a = next
			}
		case 2:
			if prev := a.Prev(); prev.IsValid() {
				a = prev
			}
		}
		if a.Is4() && oneIn(t, 6) {
			a = netip.AddrFrom16(a.As16())
		}
		return a
	}).Draw(t, "addr")
}

// A drawnCluster is a Cluster that prints as YAML, to keep the logs of
// property tests readable.
type drawnCluster struct{ *policy.Cluster }

func (d drawnCluster) GoString() string {
	var b strings.Builder
	b.WriteByte('\n')
	printObjects(&b, "Namespace", d.Namespaces)
	printObjects(&b, "Node", d.Nodes)
	printObjects(&b, "Pod", d.Pods)
	printObjects(&b, "Deployment", d.Deployments)
	printObjects(&b, "ReplicaSet", d.ReplicaSets)
	printObjects(&b, "StatefulSet", d.StatefulSets)
	printObjects(&b, "DaemonSet", d.DaemonSets)
	printObjects(&b, "Job", d.Jobs)
	printObjects(&b, "CronJob", d.CronJobs)
	printObjects(&b, "ReplicationController", d.ReplicationControllers)
	printObjects(&b, "NetworkPolicy", d.Policies)
	return b.String()
}

func printObjects[O any](b *strings.Builder, kind string, objects []O) {
	for _, o := range objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(b, "--- # %s\n%s", kind, text)
	}
}

var profileGenerator = rapid.Custom(func(t *rapid.T) reach.Profile {
	if !oneIn(t, 2) {
		return reach.Profile{}
	}
	return reach.Profile{
		IPBlockSkipsPods:       oneIn(t, 4),
		IPBlockSkipsNodes:      oneIn(t, 4),
		HostNetworkAsPods:      oneIn(t, 3),
		EgressToOwnNodeAllowed: oneIn(t, 3),
		EndPortIgnored:         oneIn(t, 4),
		SCTP:                   pick(t, reach.SCTPEnforced, reach.SCTPDropped, reach.SCTPBypasses),
		NamedPorts:             pick(t, reach.NamedPortsOfSidecars, reach.NamedPortsOfContainers, reach.NamedPortsOfAllContainers),
		NamedPortFirst:         oneIn(t, 3),
		NotEnforced:            oneIn(t, 16),
	}
})

var clusterGenerator = rapid.Custom(func(t *rapid.T) drawnCluster {
	g := clusterGen{c: &policy.Cluster{}}
	g.namespaces = clusterNamespaces[:rapid.IntRange(1, len(clusterNamespaces)).Draw(t, "")]
	for _, name := range g.namespaces {
		if rapid.IntRange(0, 3).Draw(t, "") > 0 { // else the object is missing
			g.c.Namespaces = append(g.c.Namespaces, drawNamespace(t, name))
		}
	}
	listOf(t, 0, 2, g.addNode)
	listOf(t, 0, 2, g.addWorkload)
	g.c.Pods = listOf(t, 1, 7, g.pod)
	least := pick(t, 0, 3, 3, 3, 3, 3, 3, 3) // few policies leave most rules out
	g.c.Policies = listOf(t, least, 8, g.policy)
	return drawnCluster{g.c}
})

// The alphabets. The name y is a boolean in YAML 1.1.
var (
	clusterNamespaces = []string{"x", "y", "z", "default"}
	podLabelKeys      = []string{"a", "a", "b", "b", "example.com/a", "kubernetes.io/metadata.name"}
	nsLabelKeys       = []string{"a", "a", "b", "kubernetes.io/metadata.name", "kubernetes.io/metadata.name", "kubernetes.io/metadata.name"}
	labelValues       = []string{"1", "1", "2", ""}
	phases            = []corev1.PodPhase{"", "Running", "Running", "Running", "Running", "Running", "Running", "Running", "Pending", "Pending", "Unknown", "Succeeded", "Failed"}
	portNames         = []string{"web", "web", "web", "dns", "http"}
	portNumbers       = []int32{80, 80, 81, 8080, 53}
	portProtocols     = []corev1.Protocol{"TCP", "TCP", "UDP", "SCTP"}

	// The addresses that blocks are made around: pods, nodes, the outside.
	blockAddrs = addrsOfTexts(
		"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.5",
		"fd00::1", "fd00::2", "fd00::4",
		"192.168.0.1", "192.168.0.2", "fd01::1", "192.168.1.1",
		"203.0.113.9", "203.0.113.129", "2001:db8::9", "169.254.169.254", "255.255.255.255",
	)
	blockBits = map[bool][]int{ // by whether it is IPv4
		true:  {24, 0, 8, 24, 29, 30, 31, 32, 1, 0},
		false: {64, 0, 8, 64, 112, 126, 127, 128, 1, 0},
	}
)

// A clusterGen has what objects of one cluster must know of each other.
type clusterGen struct {
	c          *policy.Cluster
	namespaces []string   // of all objects
	owners     []podOwner // one for each workload
	pods       int        // drawn so far
	policies   int        // drawn so far
}

// A podOwner is the workload that pods of the cluster can belong to.
type podOwner struct {
	namespace string
	ref       metav1.OwnerReference // in their own metadata
	labels    map[string]string
}

// meta draws the metadata of object number k of its kind, from 1. Objects of
// different kinds share names. The namespace default can be left out.
func (g *clusterGen) meta(t *rapid.T, k int) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Name: string(rune('a' + k - 1)), Namespace: g.namespaces[0]}
	if oneIn(t, 2) {
		meta.Namespace = pick(t, g.namespaces...)
	}
	if meta.Namespace == "default" && oneIn(t, 2) {
		meta.Namespace = ""
	}
	return meta
}

func drawNamespace(t *rapid.T, name string) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: drawLabels(t)}}
	switch {
	case oneIn(t, 3):
		ns.Labels = withLabel(ns.Labels, "kubernetes.io/metadata.name", name)
	case oneIn(t, 3): // overwritten by the API server
		ns.Labels = withLabel(ns.Labels, "kubernetes.io/metadata.name", pick(t, clusterNamespaces...))
	}
	if oneIn(t, 12) { // terminating, without meaning
		ns.DeletionTimestamp = &metav1.Time{Time: time.Unix(1700000000, 0)}
		ns.Status.Phase = corev1.NamespaceTerminating
	}
	return ns
}

// addNode draws a node with any kinds of addresses. The last number in them is
// the one in its name.
func (g *clusterGen) addNode(t *rapid.T) *corev1.Node {
	k := len(g.c.Nodes) + 1
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", k)}}
	add := func(kind corev1.NodeAddressType, text string) {
		node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: kind, Address: text})
	}
	form := pick(t, "none", "v4", "v4", "v6", "v4 v6", "v6 v4")
	for _, family := range strings.Fields(form) {
		switch family {
		case "v4":
			add(corev1.NodeInternalIP, fmt.Sprintf("192.168.0.%d", k))
		case "v6":
			add(corev1.NodeInternalIP, fmt.Sprintf("fd01::%d", k))
		}
	}
	if oneIn(t, 4) {
		add(corev1.NodeExternalIP, fmt.Sprintf("203.0.113.%d", k))
	}
	if oneIn(t, 4) { // of no kind that counts, though it looks like one
		add(corev1.NodeHostName, fmt.Sprintf("192.168.9.%d", k))
	}
	g.c.Nodes = append(g.c.Nodes, node)
	return node
}

// hostAddrs returns the addresses that pods on the network of the node have.
func (g *clusterGen) hostAddrs(name string) []string {
	var addrs []string
	for _, node := range g.c.Nodes {
		for _, a := range node.Status.Addresses {
			if node.Name == name && a.Type == corev1.NodeInternalIP {
				addrs = append(addrs, a.Address)
			}
		}
	}
	if len(addrs) == 0 {
		addrs = []string{"192.168.0." + name[1:]}
	}
	return addrs
}

// addWorkload draws a workload with what may be in the cluster between it and
// its pods, and the owner that its pods name.
func (g *clusterGen) addWorkload(t *rapid.T) podOwner {
	meta := g.meta(t, len(g.owners)+1)
	if oneIn(t, 3) { // without meaning
		meta.Labels = drawLabels(t)
	}
	kind := pick(t, "Deployment", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController")

	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: drawLabels(t)},
		Spec:       drawPodSpec(t, oneIn(t, 6) || kind == "DaemonSet" && oneIn(t, 2)),
	}
	if oneIn(t, 8) { // without meaning
		template.Namespace = pick(t, clusterNamespaces...)
	}
	if oneIn(t, 8) {
		template.Spec.NodeName = pick(t, "n1", "n2")
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
		if oneIn(t, 2) {
			g.c.ReplicaSets = append(g.c.ReplicaSets, &appsv1.ReplicaSet{
				ObjectMeta: child, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: *template.DeepCopy()}})
		}
	case "ReplicaSet":
		switch {
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
		if oneIn(t, 2) {
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
func (g *clusterGen) pod(t *rapid.T) *corev1.Pod {
	g.pods++
	pod := &corev1.Pod{ObjectMeta: g.meta(t, g.pods)}
	pod.Labels = drawLabels(t)
	if len(g.owners) > 0 && oneIn(t, 3) {
		g.adopt(t, pod)
	}
	if oneIn(t, 12) { // terminating, which is not terminated
		pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1700000000, 0)}
	}
	pod.Spec = drawPodSpec(t, oneIn(t, 5))
	pod.Spec.NodeName = pick(t, "", "n1", "n1", "n1", "n2", "n3")
	pod.Status.Phase = pick(t, phases...)
	if oneIn(t, 8) { // without meaning
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
func (g *clusterGen) adopt(t *rapid.T, pod *corev1.Pod) {
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
func (g *clusterGen) podStatus(t *rapid.T, pod *corev1.Pod) {
	k := g.pods
	if isTerminated(pod) {
		k = rapid.IntRange(1, 7).Draw(t, "")
	}
	v4, v6 := fmt.Sprintf("10.0.0.%d", k), fmt.Sprintf("fd00::%x", k)
	forms := [][]string{{v4}, {}, {v4}, {v4}, {v4, v6}, {v6, v4}, {v6}, {"::ffff:" + v4}}
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
func (g *clusterGen) hostStatus(t *rapid.T, pod *corev1.Pod) {
	addrs := []string{fmt.Sprintf("192.168.1.%d", g.pods)}
	switch form := pick(t, "shared", "shared", "none", "own"); {
	case form == "none":
		return
	case form == "shared" && pod.Spec.NodeName != "":
		addrs = g.hostAddrs(pod.Spec.NodeName)
	case oneIn(t, 3):
		addrs = append(addrs, fmt.Sprintf("fd01::1:%x", g.pods))
	}
	switch pick(t, "pod", "host", "both") {
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

// drawPodSpec draws containers with ports. Names are unique in a container,
// but not in the pod.
func drawPodSpec(t *rapid.T, hostNetwork bool) corev1.PodSpec {
	spec := corev1.PodSpec{HostNetwork: hostNetwork}
	spec.Containers = listOf(t, 1, 2, drawContainer)
	spec.InitContainers = listOf(t, 0, 2, func(t *rapid.T) corev1.Container {
		c := drawContainer(t)
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

func drawContainer(t *rapid.T) corev1.Container {
	c := corev1.Container{Image: "image"}
	c.Ports = listOf(t, 0, 3, func(t *rapid.T) corev1.ContainerPort {
		return corev1.ContainerPort{
			Name:          pick(t, slices.Concat([]string{""}, portNames)...),
			ContainerPort: pick(t, portNumbers...),
			Protocol:      pick(t, slices.Concat([]corev1.Protocol{""}, portProtocols)...),
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

func (g *clusterGen) policy(t *rapid.T) *networkingv1.NetworkPolicy {
	g.policies++
	np := &networkingv1.NetworkPolicy{ObjectMeta: g.meta(t, g.policies)}
	if oneIn(t, 12) {
		np.Name, np.GenerateName = "", "made-"
	}
	if oneIn(t, 12) {
		np.DeletionTimestamp = &metav1.Time{Time: time.Unix(1700000000, 0)}
		np.Finalizers = []string{"example.com/wait"}
	}
	if oneIn(t, 2) {
		np.Spec.PodSelector = drawSelector(t, podLabelKeys)
	}
	const in, out = networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	np.Spec.PolicyTypes = slices.Clone(pick(t, [][]networkingv1.PolicyType{
		nil, {}, {in}, {in}, {out}, {out}, {in, out}, {out, in}, {in, in}, {out, out}}...))
	np.Spec.Ingress = listOf(t, 0, 3, func(t *rapid.T) networkingv1.NetworkPolicyIngressRule {
		ports, from := drawRule(t)
		return networkingv1.NetworkPolicyIngressRule{Ports: ports, From: from}
	})
	np.Spec.Egress = listOf(t, 0, 3, func(t *rapid.T) networkingv1.NetworkPolicyEgressRule {
		ports, to := drawRule(t)
		return networkingv1.NetworkPolicyEgressRule{Ports: ports, To: to}
	})
	return np
}

// drawRule draws the parts of a rule.
func drawRule(t *rapid.T) ([]networkingv1.NetworkPolicyPort, []networkingv1.NetworkPolicyPeer) {
	if oneIn(t, 8) { // names and addresses, which seldom meet otherwise
		name := intstr.FromString(pick(t, portNames...))
		return []networkingv1.NetworkPolicyPort{{Port: &name}}, []networkingv1.NetworkPolicyPeer{{IPBlock: drawBlock(t)}}
	}
	return listOf(t, 0, 3, drawItem), listOf(t, 0, 3, drawPeer)
}

// drawItem draws an item of the ports of a rule.
func drawItem(t *rapid.T) networkingv1.NetworkPolicyPort {
	var item networkingv1.NetworkPolicyPort
	if oneIn(t, 2) {
		proto := pick(t, portProtocols...)
		item.Protocol = &proto
	}
	switch pick(t, "none", "number", "name", "name", "name", "range", "range") {
	case "number":
		port := intstr.FromInt32(pick(t, slices.Concat(portNumbers, []int32{1, 65535})...))
		item.Port = &port
	case "name":
		port := intstr.FromString(pick(t, portNames...))
		item.Port = &port
	case "range":
		ends := pick(t, [][2]int32{{80, 81}, {80, 8080}, {1, 65535}, {80, 80}, {53, 79}, {81, 65535}}...)
		port := intstr.FromInt32(ends[0])
		item.Port, item.EndPort = &port, &ends[1]
	}
	return item
}

// drawPeer draws a peer of any form.
func drawPeer(t *rapid.T) networkingv1.NetworkPolicyPeer {
	var peer networkingv1.NetworkPolicyPeer
	form := pick(t, "block", "pods", "namespaces", "both", "block")
	if form == "pods" || form == "both" {
		sel := drawSelector(t, podLabelKeys)
		peer.PodSelector = &sel
	}
	if form == "namespaces" || form == "both" {
		sel := drawSelector(t, nsLabelKeys)
		peer.NamespaceSelector = &sel
	}
	if form == "block" {
		peer.IPBlock = drawBlock(t)
	}
	return peer
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

// drawSelector draws a selector: a third are empty, some are impossible.
func drawSelector(t *rapid.T, keys []string) metav1.LabelSelector {
	var sel metav1.LabelSelector
	form := pick(t, "empty", "empty", "labels", "labels", "expressions", "expressions", "both")
	if form == "empty" && oneIn(t, 3) {
		return metav1.LabelSelector{MatchLabels: map[string]string{}, MatchExpressions: []metav1.LabelSelectorRequirement{}}
	}
	if form == "labels" || form == "both" {
		for range 1 + pick(t, 0, 0, 0, 1) {
			key := pick(t, keys...)
			sel.MatchLabels = withLabel(sel.MatchLabels, key, pick(t, valuesOf(key)...))
		}
	}
	if form == "expressions" || form == "both" {
		sel.MatchExpressions = listOf(t, 1, 2, func(t *rapid.T) metav1.LabelSelectorRequirement {
			r := metav1.LabelSelectorRequirement{Key: pick(t, keys...)}
			r.Operator = pick(t, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpDoesNotExist)
			if r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpNotIn {
				r.Values = listOf(t, 1, 3, func(t *rapid.T) string { return pick(t, valuesOf(r.Key)...) })
			}
			return r
		})
	}
	if form != "empty" && oneIn(t, 16) {
		key := pick(t, keys...)
		sel.MatchExpressions = append(sel.MatchExpressions,
			metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpExists},
			metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpDoesNotExist})
	}
	return sel
}

// valuesOf returns the values that key is likely to have.
func valuesOf(key string) []string {
	if key == "kubernetes.io/metadata.name" {
		return clusterNamespaces
	}
	return labelValues
}

// drawBlock draws an ipBlock whose exceptions are strictly inside, and may
// nest, overlap, repeat, and cover all of it.
func drawBlock(t *rapid.T) *networkingv1.IPBlock {
	if oneIn(t, 24) { // plain IPv6: the prefix is too short for the mapped form
		return &networkingv1.IPBlock{CIDR: "::ffff:10.0.0.0/90"}
	}
	base := pick(t, blockAddrs...)
	prefix := netip.PrefixFrom(base, pick(t, blockBits[base.Is4()]...))
	mapped := base.Is4() && oneIn(t, 8)
	block := &networkingv1.IPBlock{CIDR: spellPrefix(t, prefix, mapped)}
	if prefix.IsSingleIP() {
		return block
	}
	if oneIn(t, 10) {
		for _, half := range halves(prefix) {
			block.Except = append(block.Except, spellPrefix(t, half, mapped))
		}
	}
	if oneIn(t, 2) {
		block.Except = append(block.Except, listOf(t, 1, 3, func(t *rapid.T) string {
			return spellPrefix(t, drawInside(t, prefix), mapped || base.Is4() && oneIn(t, 8))
		})...)
	}
	if len(block.Except) == 0 && oneIn(t, 4) {
		block.Except = []string{}
	}
	return block
}

// drawInside draws a block that is smaller than prefix and inside it.
func drawInside(t *rapid.T, prefix netip.Prefix) netip.Prefix {
	bases := []netip.Addr{prefix.Masked().Addr(), lastOf(prefix)}
	for _, a := range blockAddrs {
		if prefix.Contains(a) {
			bases = append(bases, a)
		}
	}
	base := pick(t, bases...)
	most := base.BitLen()
	bits := pick(t, most, prefix.Bits()+1, prefix.Bits()+1, prefix.Bits()+2, most-1, most-3)
	return netip.PrefixFrom(base, min(max(bits, prefix.Bits()+1), most))
}

// halves returns the two blocks that prefix consists of.
func halves(prefix netip.Prefix) [2]netip.Prefix {
	return [2]netip.Prefix{
		netip.PrefixFrom(prefix.Masked().Addr(), prefix.Bits()+1).Masked(),
		netip.PrefixFrom(lastOf(prefix), prefix.Bits()+1).Masked(),
	}
}

// lastOf returns the last address of prefix.
func lastOf(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Addr().AsSlice()
	for i := prefix.Bits(); i < prefix.Addr().BitLen(); i++ {
		bytes[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// spellPrefix writes prefix in one of the forms in which the API server has
// accepted it at some time.
func spellPrefix(t *rapid.T, prefix netip.Prefix, mapped bool) string {
	form := pick(t, "plain", "plain", "host bits", "odd")
	if form != "host bits" {
		prefix = prefix.Masked()
	}
	switch a := prefix.Addr(); {
	case mapped:
		return fmt.Sprintf("::ffff:%s/%d", a, prefix.Bits()+96)
	case form != "odd":
		return prefix.String()
	case a.Is4():
		b := a.As4()
		return fmt.Sprintf("%03d.%d.%02d.%d/%02d", b[0], b[1], b[2], b[3], prefix.Bits())
	default:
		return fmt.Sprintf("%s/%d", strings.ToUpper(a.StringExpanded()), prefix.Bits())
	}
}

// portsOf returns the numbers that c gives a meaning to, sorted.
func portsOf(c *policy.Cluster) []int32 {
	numbers := []int32{80}
	for _, np := range c.Policies {
		for _, dir := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			for _, rule := range naiveRules(np, dir) {
				for _, item := range rule.ports {
					if item.Port != nil && item.Port.Type == intstr.Int {
						numbers = append(numbers, item.Port.IntVal)
					}
					if item.EndPort != nil {
						numbers = append(numbers, *item.EndPort)
					}
				}
			}
		}
	}
	for _, spec := range podSpecsOf(c) {
		for _, container := range slices.Concat(spec.Containers, spec.InitContainers) {
			for _, port := range container.Ports {
				numbers = append(numbers, port.ContainerPort)
			}
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// declaredIn returns the ports with a name that containers in c declare.
func declaredIn(c *policy.Cluster) []policy.Port {
	var ports []policy.Port
	for _, spec := range podSpecsOf(c) {
		for _, container := range slices.Concat(spec.Containers, spec.InitContainers) {
			for _, port := range container.Ports {
				if port.Name != "" {
					ports = append(ports, rawProtocol(&port.Protocol).Port(uint16(port.ContainerPort)))
				}
			}
		}
	}
	return ports
}

// beside returns the ports that are one below or above one of numbers.
func beside(numbers []int32) []int32 {
	var all []int32
	for _, n := range numbers {
		if n > 1 {
			all = append(all, n-1)
		}
		if n < 65535 {
			all = append(all, n+1)
		}
	}
	return all
}

// podSpecsOf returns the specs of all pods and templates in c.
func podSpecsOf(c *policy.Cluster) []*corev1.PodSpec {
	var specs []*corev1.PodSpec
	for _, pod := range c.Pods {
		specs = append(specs, &pod.Spec)
	}
	for _, w := range newNaive(c, reach.Profile{}).workloads() {
		specs = append(specs, &w.template.Spec)
	}
	return specs
}

// blocksOf returns the blocks in c, in their order.
func blocksOf(c *policy.Cluster) []*networkingv1.IPBlock {
	var blocks []*networkingv1.IPBlock
	for _, np := range c.Policies {
		for _, dir := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			for _, rule := range naiveRules(np, dir) {
				for _, peer := range rule.peers {
					if peer.IPBlock != nil {
						blocks = append(blocks, peer.IPBlock)
					}
				}
			}
		}
	}
	return blocks
}

// boundariesOf returns the first and the last address of every block and
// exception in c.
func boundariesOf(c *policy.Cluster) []netip.Addr {
	var addrs []netip.Addr
	for _, block := range blocksOf(c) {
		for _, cidr := range append([]string{block.CIDR}, block.Except...) {
			prefix := netip.PrefixFrom(rawCIDR(cidr))
			addrs = append(addrs, prefix.Masked().Addr().Unmap(), lastOf(prefix).Unmap())
		}
	}
	return addrs
}

// statusAddrsOf returns the addresses of the pods, terminated ones too, and of
// the nodes in c.
func statusAddrsOf(c *policy.Cluster) []netip.Addr {
	var addrs []netip.Addr
	for _, pod := range c.Pods {
		addrs = append(addrs, statusAddrs(pod)...)
	}
	for _, node := range c.Nodes {
		for _, a := range node.Status.Addresses {
			addrs = append(addrs, rawAddr(a.Address))
		}
	}
	return addrs
}

func addrsOfTexts(texts ...string) []netip.Addr {
	var addrs []netip.Addr
	for _, text := range texts {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs
}

// oneIn draws true about once in n times. It shrinks to false.
func oneIn(t *rapid.T, n int) bool {
	return rapid.IntRange(0, n-1).Draw(t, "") == n-1
}

// pick draws one of choices. It shrinks to the first.
func pick[E any](t *rapid.T, choices ...E) E {
	return rapid.SampledFrom(choices).Draw(t, "")
}

// listOf draws a list of least to most elements. An empty one can be nil.
func listOf[E any](t *rapid.T, least, most int, draw func(*rapid.T) E) []E {
	list := rapid.SliceOfN(rapid.Custom(draw), least, most).Draw(t, "")
	if len(list) == 0 && !oneIn(t, 2) {
		return nil
	}
	return list
}
