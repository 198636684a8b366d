package scale

import (
	"fmt"
	"strconv"

	"github.com/polreach/polreach/policy"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The labels that the selectors of a realistic cluster look at.
const (
	labelName      = "app.kubernetes.io/name"
	labelPartOf    = "app.kubernetes.io/part-of"
	labelVersion   = "app.kubernetes.io/version"
	labelTier      = "tier"
	labelDNS       = "k8s-app"
	labelPodName   = "statefulset.kubernetes.io/pod-name"
	labelTeam      = "team"
	labelEnv       = "environment"
	labelNamespace = "kubernetes.io/metadata.name"
)

// A builder makes one realistic cluster.
type builder struct {
	size    Size
	cluster *policy.Cluster
	spaces  []space

	onNode    []int // pods with an address of their own, by node
	services  int
	nodePorts int
	balancers int
	selectors int
	apps      int
}

// A space is the namespace of a team.
type space struct {
	name, team, env string
	apps            []app
	called          map[string]bool // the names of its policies
}

// An app is what one workload runs.
type app struct {
	component
	id       int
	name     string // of the workload, and its label
	versions []string
}

// A component is what several apps have in common.
type component struct {
	name, tier, portName string
	port                 int32
	owner                string // the kind of what makes the pods
	hostNetwork          bool
}

// components returns what a team runs, in the order of importance.
func components() []component {
	const rs, sts = "ReplicaSet", "StatefulSet"
	return []component{
		{name: "web", tier: "frontend", portName: "http", port: 8080, owner: rs},
		{name: "api", tier: "backend", portName: "http", port: 8080, owner: rs},
		{name: "postgres", tier: "data", portName: "postgres", port: 5432, owner: sts},
		{name: "worker", tier: "backend", portName: "http", port: 8081, owner: rs},
		{name: "redis", tier: "data", portName: "redis", port: 6379, owner: sts},
		{name: "auth", tier: "backend", portName: "https", port: 8443, owner: rs},
		{name: "search", tier: "backend", portName: "http", port: 9200, owner: rs},
		{name: "kafka", tier: "data", portName: "kafka", port: 9092, owner: sts},
		{name: "mailer", tier: "backend", portName: "smtp", port: 2525, owner: rs},
		{name: "admin", tier: "frontend", portName: "http", port: 8000, owner: rs},
		{name: "reports", tier: "backend", portName: "http", port: 8082, owner: rs},
		{name: "images", tier: "backend", portName: "grpc", port: 50051, owner: rs},
	}
}

const (
	podsOfNode  = 30
	podsOfSpace = 100
)

func newBuilder(s Size) *builder {
	b := &builder{size: s, cluster: &policy.Cluster{}, onNode: make([]int, max(3, s.Pods/podsOfNode))}
	for i := range b.onNode {
		v4, v6 := nodeAddrs(i)
		cidr4, cidr6 := podCIDRs(i)
		name := nodeName(i)
		b.cluster.Nodes = append(b.cluster.Nodes, &corev1.Node{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid(forUID, 0, i), Labels: map[string]string{
				"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
				"topology.kubernetes.io/zone": "zone-" + string(rune('a'+i%3)),
			}},
			Spec: corev1.NodeSpec{PodCIDR: cidr4, PodCIDRs: []string{cidr4, cidr6}},
			Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: v4},
				{Type: corev1.NodeInternalIP, Address: v6},
				{Type: corev1.NodeHostName, Address: name},
			}},
		})
	}
	for i := range max(2, s.Pods/podsOfSpace) {
		team := teams[i/2%len(teams)]
		if n := i / 2 / len(teams); n > 0 {
			team += "-" + strconv.Itoa(n+1)
		}
		env := []string{"production", "staging"}[i%2]
		b.spaces = append(b.spaces, space{name: team + "-" + env, team: team, env: env, called: make(map[string]bool)})
	}
	return b
}

// teams are the names of the first teams.
var teams = [...]string{
	"checkout", "catalog", "payments", "ledger", "search", "identity", "shipping", "billing", "pricing", "media",
	"support", "fraud", "loyalty", "inventory", "partners", "analytics", "messaging", "content", "risk", "mobile",
}

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

// nodeAddrs returns the addresses of a node.
func nodeAddrs(i int) (v4, v6 string) {
	n := i + 1
	return fmt.Sprintf("192.168.%d.%d", n>>8, n&0xff), fmt.Sprintf("fd00:1::%x", n)
}

// podCIDRs returns the blocks of addresses from which the pods of a node get
// theirs.
func podCIDRs(i int) (v4, v6 string) {
	return fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff), fmt.Sprintf("fd00:2:0:%x::/64", i+1)
}

// full reports whether there are as many pods as there should be.
func (b *builder) full() bool { return len(b.cluster.Pods) >= b.size.Pods }

// system makes the namespaces of the cluster itself.
func (b *builder) system() {
	b.namespace("kube-system", nil)
	b.namespace("monitoring", map[string]string{labelTeam: "platform", labelEnv: "production"})
	dns := b.app(component{name: "coredns", tier: "system", portName: "dns", port: 53, owner: "ReplicaSet"}, "coredns")
	b.pods("kube-system", "kube-system", &dns, 2)
	b.service("kube-system", &dns)
	prometheus := b.app(component{name: "prometheus", tier: "system", portName: "web", port: 9091, owner: "StatefulSet"}, "prometheus")
	b.pods("monitoring", "platform", &prometheus, min(2, 1+b.size.Pods/200))
	b.service("monitoring", &prometheus)
	proxy := b.app(component{name: "kube-proxy", tier: "system", portName: "health", port: 10256, owner: "DaemonSet", hostNetwork: true}, "kube-proxy")
	b.pods("kube-system", "kube-system", &proxy, len(b.onNode))
	agent := b.app(component{name: "log-agent", tier: "system", portName: "forward", port: 24224, owner: "DaemonSet"}, "log-agent")
	b.pods("kube-system", "kube-system", &agent, len(b.onNode))
}

// teams makes the namespaces of the teams, of unequal sizes, with their apps.
func (b *builder) teams() {
	weight := func(i int) int { return 3 + pick(5, forWeight, i) }
	total, first := 0, len(b.cluster.Pods)
	for i := range b.spaces {
		total += weight(i)
	}
	kinds := components()
	for i, sum := 0, 0; i < len(b.spaces); i++ {
		s := &b.spaces[i]
		b.namespace(s.name, map[string]string{labelTeam: s.team, labelEnv: s.env})
		sum += weight(i)
		last := first + (b.size.Pods-first)*sum/total
		most := max(2, (last-len(b.cluster.Pods))/6)
		for c := 0; len(b.cluster.Pods) < last; c++ {
			kind := kinds[c%len(kinds)]
			name := kind.name
			if kind.owner == "ReplicaSet" {
				name = s.team + "-" + name
			}
			if n := c / len(kinds); n > 0 {
				name += "-" + strconv.Itoa(n+1)
			}
			a := b.app(kind, name)
			replicas := 2 + pick(14, forReplicas, a.id)
			if kind.owner == "StatefulSet" {
				replicas = 3 + 2*pick(2, forReplicas, a.id)
			}
			b.pods(s.name, s.team, &a, min(replicas, most, last-len(b.cluster.Pods)))
			b.service(s.name, &a)
			s.apps = append(s.apps, a)
		}
	}
}

func (b *builder) namespace(name string, labels map[string]string) {
	all := map[string]string{labelNamespace: name}
	for k, v := range labels {
		all[k] = v
	}
	b.cluster.Namespaces = append(b.cluster.Namespaces, &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid(forUID, 1, len(b.cluster.Namespaces)), Labels: all},
	})
}

// app makes an app of a component. It has two versions during a rollout.
func (b *builder) app(c component, name string) app {
	a := app{component: c, id: b.apps, name: name}
	b.apps++
	n := 1 + pick(5, forVersion, a.id)
	a.versions = []string{fmt.Sprintf("v1.%d.0", n)}
	if c.owner == "ReplicaSet" && pick(7, forRollout, a.id) == 0 {
		a.versions = append(a.versions, fmt.Sprintf("v1.%d.0", n+1))
	}
	return a
}

// pods makes n pods of an app, or as many as may still be made. Of one with two
// versions, the last fourth has the second.
func (b *builder) pods(namespace, partOf string, a *app, n int) {
	if n < 4 {
		a.versions = a.versions[:1]
	}
	for i := 0; i < n && !b.full(); i++ {
		v := 0
		if len(a.versions) > 1 && i >= n-n/4 {
			v = 1
		}
		b.cluster.Pods = append(b.cluster.Pods, b.pod(namespace, partOf, a, v, i))
	}
}

// pod makes the i'th pod of an app, of its v'th version.
func (b *builder) pod(namespace, partOf string, a *app, v, i int) *corev1.Pod {
	number := len(b.cluster.Pods)
	labels := map[string]string{
		labelName: a.name, labelPartOf: partOf, labelVersion: a.versions[v], labelTier: a.tier,
		"app.kubernetes.io/component": a.component.name,
	}
	node := number % len(b.onNode)
	owner, name := a.name, ""
	switch a.owner {
	case "ReplicaSet":
		hash := word(10, mix(forHash, a.id, v))
		labels["pod-template-hash"] = hash
		owner += "-" + hash
		name = owner + "-" + suffix(a.id, i)
	case "StatefulSet":
		name = fmt.Sprintf("%s-%d", a.name, i)
		labels[labelPodName] = name
		labels["apps.kubernetes.io/pod-index"] = strconv.Itoa(i)
		labels["controller-revision-hash"] = a.name + "-" + word(10, mix(forHash, a.id, v))
	case "DaemonSet":
		name = a.name + "-" + suffix(a.id, i)
		labels["pod-template-generation"] = "1"
		labels["controller-revision-hash"] = word(10, mix(forHash, a.id, v))
		node = i
	}
	if a.name == "coredns" {
		labels[labelDNS] = "kube-dns"
	}
	if a.name == "kube-proxy" {
		labels[labelDNS] = "kube-proxy"
	}
	host4, host6 := nodeAddrs(node)
	ips := []corev1.PodIP{{IP: host4}, {IP: host6}}
	if !a.hostNetwork {
		at := b.onNode[node] + 2
		b.onNode[node]++
		ips = []corev1.PodIP{{IP: fmt.Sprintf("10.%d.%d.%d", node>>8, node&0xff, at)}}
		if number%5 == 2 {
			ips = append(ips, corev1.PodIP{IP: fmt.Sprintf("fd00:2:0:%x::%x", node+1, at)})
		}
	}
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, UID: uid(forUID, 2, number), Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: a.owner, Name: owner, UID: uid(forUID, 3, a.id, v),
				Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			NodeName:    nodeName(node),
			HostNetwork: a.hostNetwork,
			Containers: []corev1.Container{{
				Name:  a.component.name,
				Image: "registry.example.com/" + partOf + "/" + a.component.name + ":" + a.versions[v],
				Ports: a.containerPorts(),
			}},
		},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			HostIP:     host4,
			HostIPs:    []corev1.HostIP{{IP: host4}, {IP: host6}},
			PodIP:      ips[0].IP,
			PodIPs:     ips,
		},
	}
}

// containerPorts returns the ports that the pods of an app declare.
func (a *app) containerPorts() []corev1.ContainerPort {
	port := func(name string, number int32, protocol corev1.Protocol) corev1.ContainerPort {
		p := corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: protocol}
		if a.hostNetwork {
			p.HostPort = number
		}
		return p
	}
	ports := []corev1.ContainerPort{port(a.portName, a.port, corev1.ProtocolTCP)}
	if a.port == 53 {
		ports = []corev1.ContainerPort{port("dns", 53, corev1.ProtocolUDP), port("dns-tcp", 53, corev1.ProtocolTCP)}
	}
	return append(ports, port("metrics", a.metricsPort(), corev1.ProtocolTCP))
}

// metricsPort returns the port named metrics, which differs from app to app.
func (a *app) metricsPort() int32 { return 9100 + int32(a.id%7) }

// service makes the Service of an app.
func (b *builder) service(namespace string, a *app) {
	ports := a.containerPorts()
	s := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Name: a.name, Namespace: namespace, UID: uid(forUID, 4, b.services),
			Labels: map[string]string{labelName: a.name, "app.kubernetes.io/component": a.component.name},
		},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{labelName: a.name}},
	}
	for _, p := range ports[:len(ports)-1] {
		number := p.ContainerPort
		if p.Name == "http" {
			number = 80
		}
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
			Name: p.Name, Protocol: p.Protocol, Port: number, TargetPort: intstr.FromString(p.Name),
		})
	}
	b.services++
	s.Spec.ClusterIP = fmt.Sprintf("172.%d.%d.%d", 20+b.services>>16, b.services>>8&0xff, b.services&0xff)
	switch {
	case a.name == "coredns":
		s.Name, s.Spec.Selector, s.Labels[labelDNS] = "kube-dns", map[string]string{labelDNS: "kube-dns"}, "kube-dns"
	case a.owner == "StatefulSet":
		s.Spec.ClusterIP = corev1.ClusterIPNone
	case a.tier == "frontend" && b.balancers < 250 && b.nodePorts%8 == 7:
		b.balancers++
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: fmt.Sprintf("198.51.100.%d", b.balancers)}}
		b.nodePort(s)
	case a.tier == "frontend":
		b.nodePort(s)
	}
	s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	b.cluster.Services = append(b.cluster.Services, s)
}

// nodePort gives s a port at each node, while there are any.
func (b *builder) nodePort(s *corev1.Service) {
	if b.nodePorts > 2767 {
		return
	}
	if s.Spec.Type == corev1.ServiceTypeClusterIP {
		s.Spec.Type = corev1.ServiceTypeNodePort
	}
	s.Spec.Ports[0].NodePort = 30000 + int32(b.nodePorts)
	b.nodePorts++
}

// add puts a policy into the namespace of a team, under a name that it has
// once.
func (b *builder) add(s *space, np *networkingv1.NetworkPolicy) {
	name := np.Name
	for i := 2; s.called[np.Name]; i++ {
		np.Name = name + "-" + strconv.Itoa(i)
	}
	s.called[np.Name] = true
	np.TypeMeta = metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}
	np.Namespace = s.name
	np.UID = uid(forUID, 5, len(b.cluster.Policies))
	b.cluster.Policies = append(b.cluster.Policies, np)
}

// The letters of what Kubernetes generates.
const letters = "bcdfghjklmnpqrstvwxz2456789"

// word returns n letters that number chooses.
func word(n int, number uint64) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = letters[number%uint64(len(letters))]
		number /= uint64(len(letters))
	}
	return string(text)
}

// suffix returns what the name of the i'th pod of an app ends in. Those of one
// app differ.
func suffix(id, i int) string { return word(5, mix(forSuffix, id)%1e9+uint64(i)*9_999_991) }

func uid(parts ...int) types.UID {
	a, b := mix(append(parts, 0)...), mix(append(parts, 1)...)
	return types.UID(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&0xffff_ffff_ffff))
}
