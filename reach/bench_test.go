package reach_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var sizes = []scale.Size{scale.S, scale.M, scale.L, scale.XL}

// graphs are the compiled clusters of the sizes that a run has asked for, each
// compiled once.
var graphs sync.Map

func graph(b *testing.B, s scale.Size) *reach.Graph {
	b.Helper()
	once, _ := graphs.LoadOrStore(s, sync.OnceValues(func() (*reach.Graph, error) { return reach.Compile(s.Cluster()) }))
	g, err := once.(func() (*reach.Graph, error))()
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// flows returns random flows between pods, a power of two of them. Few random
// pairs can talk, so every other flow is one that is allowed: a denied one is
// mostly decided by egress alone, and would flatter. The allowed ones are
// between a random pod and one that stands near it in the order of pods, since
// most of what is allowed is within a namespace.
func flows(b *testing.B, g *reach.Graph) []reach.Flow {
	b.Helper()
	const near = 100
	r := rand.New(rand.NewPCG(1, 2))
	pods := g.Pods()
	ports := []uint16{8080, 8081, 8443, 5432, 6379, 9092, 9100, 9103, 443}
	port := func() policy.Port { return policy.TCP.Port(ports[r.IntN(len(ports))]) }
	var open []reach.Flow
	for try := 0; len(open) < 1<<13 && try < 10_000_000; try++ {
		i := r.IntN(len(pods))
		to := min(max(0, i+r.IntN(2*near)-near), len(pods)-1)
		f := reach.Flow{From: pods[i], To: pods[to], Port: port()}
		if f.From != f.To && g.Allows(f) {
			open = append(open, f)
		}
	}
	if len(open) < 1<<7 {
		b.Fatalf("only %d allowed flows were found", len(open))
	}
	flows := make([]reach.Flow, 1<<14)
	for i := range flows {
		flows[i] = reach.Flow{From: pods[r.IntN(len(pods))], To: pods[r.IntN(len(pods))], Port: port()}
		if i%2 == 0 {
			flows[i] = open[r.IntN(len(open))]
		}
	}
	return flows
}

// perFlow measures what is asked about one flow after the other.
func perFlow(b *testing.B, ask func(*reach.Graph, reach.Flow)) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			g := graph(b, s)
			flows := flows(b, g)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				ask(g, flows[i&(len(flows)-1)])
				i++
			}
		})
	}
}

// compiles measures Compile on clusters from which less takes something.
func compiles(b *testing.B, sizes []scale.Size, less func(*policy.Cluster)) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			c := s.Cluster()
			less(c)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reach.Compile(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	compiles(b, sizes, func(c *policy.Cluster) { c.Services = nil })
}

func BenchmarkCompileServices(b *testing.B) {
	compiles(b, sizes[:3], func(*policy.Cluster) {})
}

// The shapes that are hard in one respect.
func BenchmarkCompileHard(b *testing.B) {
	for _, tt := range []struct {
		name    string
		cluster func() *policy.Cluster
	}{
		{"OneNamespace/pods=1000", func() *policy.Cluster { return scale.OneNamespace(1_000) }},
		{"OneNamespace/pods=10000", func() *policy.Cluster { return scale.OneNamespace(10_000) }},
		{"UniqueLabels/pods=1000", func() *policy.Cluster { return scale.UniqueLabels(1_000) }},
		{"UniqueLabels/pods=10000", func() *policy.Cluster { return scale.UniqueLabels(10_000) }},
		{"Blocks/blocks=2000/policies=1", func() *policy.Cluster { return scale.Blocks(2_000, 1) }},
		{"Blocks/blocks=2000/policies=500", func() *policy.Cluster { return scale.Blocks(2_000, 500) }},
	} {
		b.Run(tt.name, func(b *testing.B) {
			c := tt.cluster()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reach.Compile(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// How Compile grows in one thing alone, over two orders of magnitude.
func BenchmarkCompileGrowth(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		growth(b, fmt.Sprintf("pods=%d", n), func() *policy.Cluster { return noServices(scale.Size{Pods: n, Policies: 200}) })
	}
	for _, n := range []int{100, 1_000, 10_000} {
		growth(b, fmt.Sprintf("policies=%d", n), func() *policy.Cluster { return noServices(scale.Size{Pods: 10_000, Policies: n}) })
	}
	for _, n := range []int{100, 1_000, 10_000} {
		growth(b, fmt.Sprintf("labels=%d", n), func() *policy.Cluster { return scale.UniqueLabels(n) })
	}
	for _, n := range []int{100, 1_000, 10_000} {
		growth(b, fmt.Sprintf("blocks=%d", n), func() *policy.Cluster { return scale.Blocks(n, 1) })
	}
	for _, n := range []int{30, 300, 3_000} {
		growth(b, fmt.Sprintf("namespaces=%d", n), func() *policy.Cluster { return spread(n) })
	}
	for _, n := range []int{30, 300, 3_000} {
		growth(b, fmt.Sprintf("namespaces=%d/but=1", n), func() *policy.Cluster { return others(n) })
	}
	for _, n := range []int{100, 1_000, 10_000} {
		growth(b, fmt.Sprintf("ranges=%d/peers=10", n), func() *policy.Cluster { return nested(n, 10) })
	}
	for _, n := range []int{100, 1_000, 10_000} {
		growth(b, fmt.Sprintf("ranges=%d/peers=%d", n, n), func() *policy.Cluster { return nested(n, n) })
	}
	for _, n := range []int{40, 400, 4_000} {
		growth(b, fmt.Sprintf("service/ports=%d/pods=%d", n, n), func() *policy.Cluster { return wide(n) })
	}
}

func growth(b *testing.B, name string, cluster func() *policy.Cluster) {
	b.Run(name, func(b *testing.B) {
		c := cluster()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := reach.Compile(c); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func noServices(s scale.Size) *policy.Cluster {
	c := s.Cluster()
	c.Services = nil
	return c
}

// wide returns a Service with n node ports and n pods
// that declare up to ten ports each. Every tenth port of the Service leads to a
// named one.
func wide(n int) *policy.Cluster {
	labels := map[string]string{"app": "wide"}
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "wide", Namespace: "team"}}
	svc.Spec.Selector, svc.Spec.ClusterIP, svc.Spec.Type = labels, "172.20.0.1", corev1.ServiceTypeNodePort
	for i := range n {
		p := corev1.ServicePort{Name: fmt.Sprintf("p%d", i), Port: int32(1 + i), TargetPort: intstr.FromInt(10_000 + i)}
		if i%10 == 0 {
			p.TargetPort = intstr.FromString(p.Name)
		}
		svc.Spec.Ports = append(svc.Spec.Ports, p)
	}
	c := &policy.Cluster{Services: []*corev1.Service{svc}}
	for i := range n {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d", i), Namespace: "team", Labels: labels},
			Status: corev1.PodStatus{
				PodIP:      fmt.Sprintf("10.0.%d.%d", i>>8, i&255),
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			},
		}
		ports := make([]corev1.ContainerPort, min(10, n/10))
		for j := range ports {
			number := 10 * ((i + j) % (n / 10))
			ports[j] = corev1.ContainerPort{Name: fmt.Sprintf("p%d", number), ContainerPort: int32(10_000 + number)}
		}
		pod.Spec.Containers = []corev1.Container{{Name: "main", Ports: ports}}
		c.Pods = append(c.Pods, pod)
	}
	return c
}

// others returns a pod in each of n namespaces, which lets in all namespaces but
// the next one.
func others(n int) *policy.Cluster {
	c := spread(n)
	c.Pods = c.Pods[:n]
	for i, np := range c.Policies {
		np.Spec.Ingress[0].From[0].NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "team", Operator: metav1.LabelSelectorOpNotIn, Values: []string{fmt.Sprintf("team-%d", (i+1)%n)}},
		}}
	}
	return c
}

// nested returns a pod whose policy has n port ranges, each inside the one before,
// that are dealt out to as many pods as there are peers.
func nested(n, peers int) *policy.Cluster {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "nested", Namespace: "team"}}
	np.Spec.PodSelector.MatchLabels = map[string]string{"app": "server"}
	c := &policy.Cluster{Policies: []*networkingv1.NetworkPolicy{np}}
	add := func(name string, i int) {
		c.Pods = append(c.Pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team", Labels: map[string]string{"app": name}},
			Status:     corev1.PodStatus{PodIP: fmt.Sprintf("10.0.%d.%d", i>>8, i&255)},
		})
	}
	add("server", 0)
	name := func(i int) string { return fmt.Sprintf("client-%d", i) }
	for i := range peers {
		add(name(i), 1+i)
	}
	for i := range n {
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
			From:  []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name(i % peers)}}}},
			Ports: []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromInt(1 + i)), EndPort: new(int32(65_535 - i))}},
		})
	}
	return c
}

// spread returns 3,000 pods in n namespaces, each of which lets in the next one.
func spread(n int) *policy.Cluster {
	c := &policy.Cluster{}
	name := func(i int) string { return fmt.Sprintf("team-%d", i%n) }
	for i := range n {
		c.Namespaces = append(c.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name(i), Labels: map[string]string{"team": name(i)}}})
		np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "next", Namespace: name(i)}}
		np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
			{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name(i + 1)}}},
		}}}
		c.Policies = append(c.Policies, np)
	}
	for i := range 3_000 {
		c.Pods = append(c.Pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d", i), Namespace: name(i), Labels: map[string]string{"app": "web"}},
			Status:     corev1.PodStatus{PodIP: fmt.Sprintf("10.0.%d.%d", i>>8, i&255)},
		})
	}
	return c
}

func BenchmarkAllows(b *testing.B) {
	// Through perFlow, the call of a func would count as well.
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			g := graph(b, s)
			flows := flows(b, g)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				g.Allows(flows[i&(len(flows)-1)])
				i++
			}
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	perFlow(b, func(g *reach.Graph, f reach.Flow) { g.Explain(f) })
}

func BenchmarkPorts(b *testing.B) {
	perFlow(b, func(g *reach.Graph, f reach.Flow) { g.Ports(f.From, f.To) })
}

// One edit, and the same cluster compiled.
func BenchmarkWith(b *testing.B) {
	for _, s := range sizes {
		c := s.Cluster()
		for _, e := range editsOf(c) {
			b.Run(s.String()+"/"+e.name, func(b *testing.B) {
				g := graph(b, s)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := g.With(e.edit); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(s.String()+"/Compile", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reach.Compile(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type namedEdit struct {
	name string
	edit policy.Edit
}

// editsOf returns an edit of each kind that With takes on without compiling.
func editsOf(c *policy.Cluster) []namedEdit {
	pod := c.Pods[len(c.Pods)/2]
	return []namedEdit{
		{"Policy", withoutIngress(c)},
		{"Relabel", unlabeled(c)},
		{"Ready", unready(c)},
		{"Service", otherPort(c)},
		{"Namespace", otherTeam(c)},
		{"AddPod", another(c)},
		{"RemovePod", policy.Remove("Pod", pod.Namespace, pod.Name)},
	}
}

// withoutIngress takes its ingress rules from a policy.
func withoutIngress(c *policy.Cluster) policy.Edit {
	i := slices.IndexFunc(c.Policies, func(np *networkingv1.NetworkPolicy) bool { return len(np.Spec.Ingress) > 0 })
	np := c.Policies[i].DeepCopy()
	np.Spec.Ingress = nil
	return policy.Put(np)
}

// unlabeled takes from a pod the label that most selectors look at.
func unlabeled(c *policy.Cluster) policy.Edit {
	pod := c.Pods[len(c.Pods)/2].DeepCopy()
	delete(pod.Labels, "app.kubernetes.io/name")
	return policy.Put(pod)
}

func unready(c *policy.Cluster) policy.Edit {
	pod := c.Pods[len(c.Pods)/2].DeepCopy()
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	return policy.Put(pod)
}

// another adds a pod of a workload that has some.
func another(c *policy.Cluster) policy.Edit {
	pod := c.Pods[len(c.Pods)/2].DeepCopy()
	pod.Name += "-another"
	return policy.Put(pod)
}

// otherPort gives a Service another target port.
func otherPort(c *policy.Cluster) policy.Edit {
	s := c.Services[len(c.Services)/2].DeepCopy()
	s.Spec.Ports[0].TargetPort.StrVal += "x"
	return policy.Put(s)
}

// otherTeam takes a namespace from its team.
func otherTeam(c *policy.Cluster) policy.Edit {
	ns := c.Namespaces[len(c.Namespaces)/2]
	labels := make(map[string]string)
	for key := range ns.Labels {
		labels[key] = "nobody"
	}
	return policy.Relabel("Namespace", "", ns.Name, labels)
}

// All pairs on all ports, pod by pod.
func BenchmarkEdges(b *testing.B) {
	for _, s := range sizes[:3] {
		b.Run(s.String(), func(b *testing.B) {
			g := graph(b, s)
			n := 0
			for b.Loop() {
				n = 0
				for range g.Edges() {
					n++
				}
			}
			b.ReportMetric(float64(n), "edges")
		})
	}
}

// All pairs on all ports, class by class, with what is worked out before the
// first time.
func BenchmarkClassEdges(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			c := s.Cluster()
			b.ReportAllocs()
			edges, classes := 0, 0
			for b.Loop() {
				b.StopTimer()
				g, err := reach.Compile(c)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				edges, classes = 0, len(g.Classes())
				for range g.ClassEdges() {
					edges++
				}
			}
			b.ReportMetric(float64(edges), "edges")
			b.ReportMetric(float64(classes), "classes")
		})
	}
}

// How what ClassEdges works out before the first edge grows in the port ranges of
// one pod, over two orders of magnitude, if each is for another peer.
func BenchmarkClassEdgesGrowth(b *testing.B) {
	for _, n := range []int{30, 300, 3_000} {
		b.Run(fmt.Sprintf("ranges=%d", n), func(b *testing.B) {
			c := nested(n, n)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				g, err := reach.Compile(c)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				for range g.ClassEdges() {
					break
				}
			}
		})
	}
}

// All pairs on one port, counted without going through them.
func BenchmarkCountAllowed(b *testing.B) {
	for _, s := range sizes[:3] {
		b.Run(s.String(), func(b *testing.B) {
			g := graph(b, s)
			pairs := 0
			for b.Loop() {
				pairs = g.CountAllowed(policy.TCP.Port(8080))
			}
			b.ReportMetric(float64(pairs), "pairs")
		})
	}
}

// connections measures what is asked about one connection to a Service after
// the other: from pods, every other one of which gets there, and from outside
// through node ports.
func connections(b *testing.B, ask func(*reach.Graph, reach.Connection)) {
	for _, s := range sizes {
		for _, from := range []string{"pod", "outside"} {
			b.Run(s.String()+"/from="+from, func(b *testing.B) {
				g := graph(b, s)
				var list []reach.Connection
				if from == "pod" {
					list = fromPods(b, g, s)
				} else {
					list = fromOutside(g, s)
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					ask(g, list[i%len(list)])
					i++
				}
			})
		}
	}
}

func connection(g *reach.Graph, from reach.Endpoint, s *corev1.Service) reach.Connection {
	to := g.MustTarget("svc:" + s.Namespace + "/" + s.Name)
	p, protocol := s.Spec.Ports[0], policy.TCP
	if p.Protocol == corev1.ProtocolUDP {
		protocol = policy.UDP
	}
	return reach.Connection{From: from, To: to, Port: protocol.Port(uint16(p.Port))}
}

func fromOutside(g *reach.Graph, s scale.Size) []reach.Connection {
	outside := g.MustLookup("203.0.113.9")
	var list []reach.Connection
	for _, s := range s.Cluster().Services {
		if s.Spec.Ports[0].NodePort != 0 {
			list = append(list, connection(g, outside, s))
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func fromPods(b *testing.B, g *reach.Graph, s scale.Size) []reach.Connection {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	services, pods := s.Cluster().Services, g.Pods()
	in := make(map[string][]reach.Endpoint)
	for _, p := range pods {
		in[p.Name().Namespace] = append(in[p.Name().Namespace], p)
	}
	list := make([]reach.Connection, 0, 1<<11)
	for try := 0; len(list) < cap(list); try++ {
		if try > 1_000_000 {
			b.Fatalf("only %d connections from pods were found", len(list))
		}
		s := services[r.IntN(len(services))]
		from := pods
		if len(list)%2 == 0 {
			from = in[s.Namespace]
		}
		c := connection(g, from[r.IntN(len(from))], s)
		if len(list)%2 == 1 || g.Reaches(c).Reachable() {
			list = append(list, c)
		}
	}
	return list
}

func BenchmarkReaches(b *testing.B) {
	connections(b, func(g *reach.Graph, c reach.Connection) { g.Reaches(c) })
}

func BenchmarkTrace(b *testing.B) {
	connections(b, func(g *reach.Graph, c reach.Connection) { g.Trace(c) })
}

// The doors of a pod that has some.
func BenchmarkExposures(b *testing.B) {
	for _, s := range sizes[:3] {
		b.Run(s.String(), func(b *testing.B) {
			g, err := reach.Compile(s.Cluster())
			if err != nil {
				b.Fatal(err)
			}
			pods := slices.DeleteFunc(g.Pods()[:min(200, len(g.Pods()))], func(e reach.Endpoint) bool { return len(g.Exposures(e)) == 0 })
			if len(pods) == 0 {
				b.Skip("no pod has a door")
			}
			i := 0
			for b.Loop() {
				g.Exposures(pods[i%len(pods)])
				i++
			}
		})
	}
}

// BenchmarkCompare compares a Graph with what With makes of it, whether anything
// differs and what does, and with what Compile makes of the same cluster afresh.
func BenchmarkCompare(b *testing.B) {
	for _, s := range sizes {
		g := graph(b, s)
		c := g.Cluster()
		edited := c.Policies[len(c.Policies)/2].DeepCopy()
		edited.Spec.Ingress, edited.Spec.Egress = nil, nil
		h, err := g.With(policy.Put(edited))
		if err != nil {
			b.Fatal(err)
		}
		d, err := c.With(policy.Put(edited))
		if err != nil {
			b.Fatal(err)
		}
		b.Run("equivalent/"+s.String(), func(b *testing.B) {
			twice := c.Policies[len(c.Policies)/2].DeepCopy()
			twice.Spec.Ingress = append(twice.Spec.Ingress, twice.Spec.Ingress...)
			twice.Spec.Egress = append(twice.Spec.Egress, twice.Spec.Egress...)
			same, err := g.With(policy.Put(twice))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, ok := reach.Equivalent(g, same); !ok {
					b.Fatal("saying the same twice changes something")
				}
			}
		})
		b.Run("edit/"+s.String(), func(b *testing.B) {
			for b.Loop() {
				reach.Compare(g, h)
			}
		})
		if s == scale.XL {
			continue // it takes 13 s
		}
		b.Run("compiled/"+s.String(), func(b *testing.B) {
			k, err := reach.Compile(d)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				reach.Compare(g, k)
			}
		})
	}
}

// BenchmarkCauses looks for the cause of a change between two snapshots of a cluster, in
// which every object has another resourceVersion.
func BenchmarkCauses(b *testing.B) {
	g := graph(b, scale.M)
	c := g.Cluster().Clone()
	for i, pod := range c.Pods {
		c.Pods[i] = pod.DeepCopy()
		c.Pods[i].ResourceVersion = "2"
	}
	for i, ns := range c.Namespaces {
		c.Namespaces[i] = ns.DeepCopy()
		c.Namespaces[i].ResourceVersion = "2"
	}
	for i, n := range c.Nodes {
		c.Nodes[i] = n.DeepCopy()
		c.Nodes[i].ResourceVersion = "2"
	}
	edited := c.Policies[len(c.Policies)/2].DeepCopy()
	edited.Spec.Ingress, edited.Spec.Egress = nil, nil
	c.Policies[len(c.Policies)/2] = edited
	h, err := reach.Compile(c)
	if err != nil {
		b.Fatal(err)
	}
	d := reach.Compare(g, h)
	if len(d.Closed) == 0 {
		b.Fatal("nothing has closed")
	}
	for b.Loop() {
		if causes := d.Closed[0].Causes(); len(causes) != 1 {
			b.Fatal(causes)
		}
	}
}
