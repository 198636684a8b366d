package reach_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A size is a cluster to measure on. Its pods belong to deployments of ten in
// namespaces of ten deployments. Every namespace denies by default, and the
// other policies let each deployment talk to the next one, every fifth also to
// that of another namespace, and to a block with an exception.
type size struct{ pods, policies int }

var sizes = []size{{30, 10}, {1_000, 200}, {10_000, 2_000}}

func (s size) String() string { return fmt.Sprintf("pods=%d/policies=%d", s.pods, s.policies) }

func (s size) cluster() *policy.Cluster {
	const replicas, deployments = 10, 10
	c := &policy.Cluster{}
	namespaces := (s.pods + replicas*deployments - 1) / (replicas * deployments)
	namespace := func(i int) string { return fmt.Sprintf("team-%d", i%namespaces) }
	app := func(i int) map[string]string { return map[string]string{"app": fmt.Sprintf("app-%d", i%deployments)} }
	for i := range namespaces {
		c.Namespaces = append(c.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: namespace(i), Labels: map[string]string{"team": fmt.Sprint(i)},
		}})
	}
	for i := range s.pods {
		n, d := i/(replicas*deployments), i/replicas%deployments
		labels := app(d)
		labels["pod-template-hash"] = fmt.Sprintf("%x", i/replicas)
		labels["app.kubernetes.io/part-of"] = namespace(n)
		ip := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		c.Pods = append(c.Pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("app-%d-%d", d, i), Namespace: namespace(n), Labels: labels},
			Spec: corev1.PodSpec{NodeName: fmt.Sprintf("node-%d", i%(1+s.pods/50)), Containers: []corev1.Container{{
				Name: "main", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}, {Name: "metrics", ContainerPort: int32(9090 + d)}},
			}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}},
		})
	}
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	for i := range s.policies {
		np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("policy-%d", i), Namespace: namespace(i)}}
		np.Spec.PolicyTypes = both
		c.Policies = append(c.Policies, np)
		k := i / namespaces
		if k == 0 {
			continue // default deny
		}
		np.Spec.PodSelector.MatchLabels = app(k)
		peers := func(k int) []networkingv1.NetworkPolicyPeer {
			list := []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: app(k)}}}
			if k%5 == 0 {
				list = append(list, networkingv1.NetworkPolicyPeer{
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": fmt.Sprint((i + 1) % namespaces)}},
					PodSelector:       &metav1.LabelSelector{MatchLabels: app(k)},
				})
			}
			return list
		}
		port := func(k int) *intstr.IntOrString { return new(intstr.FromInt32(int32(8080 + k%7))) }
		np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{
			{From: peers(k - 1), Ports: []networkingv1.NetworkPolicyPort{{Port: port(k - 1)}, {Port: new(intstr.FromString("metrics"))}}},
		}
		block := networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: []string{fmt.Sprintf("10.%d.0.0/16", k)}}}
		np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{
			{To: append(peers(k+1), block), Ports: []networkingv1.NetworkPolicyPort{{Port: port(k)}}},
		}
	}
	return c
}

func (s size) graph(b *testing.B) *reach.Graph {
	b.Helper()
	g, err := reach.Compile(s.cluster())
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// flows returns random flows between pods, a power of two of them. Few random
// pairs can talk, so every other flow is one that is allowed: a denied one is
// mostly decided by egress alone, and would flatter.
func (s size) flows(b *testing.B, g *reach.Graph) []reach.Flow {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	pods := g.Pods()
	flow := func() reach.Flow {
		return reach.Flow{From: pods[r.IntN(len(pods))], To: pods[r.IntN(len(pods))], Port: policy.TCP.Port(uint16(8080 + r.IntN(8)))}
	}
	var open []reach.Flow
	for try := 0; len(open) < 1<<10 && try < 10_000_000; try++ {
		if f := flow(); f.From != f.To && g.Allows(f) {
			open = append(open, f)
		}
	}
	if len(open) < 1<<7 {
		b.Fatalf("only %d allowed flows were found", len(open))
	}
	flows := make([]reach.Flow, 1<<14)
	for i := range flows {
		flows[i] = flow()
		if i%2 == 0 {
			flows[i] = open[r.IntN(len(open))]
		}
	}
	return flows
}

func BenchmarkCompile(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			c := s.cluster()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reach.Compile(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAllows(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			g := s.graph(b)
			flows := s.flows(b, g)
			i := 0
			for b.Loop() {
				g.Allows(flows[i&(len(flows)-1)])
				i++
			}
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			g := s.graph(b)
			flows := s.flows(b, g)
			i := 0
			for b.Loop() {
				g.Explain(flows[i&(len(flows)-1)])
				i++
			}
		})
	}
}

func BenchmarkPorts(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			g := s.graph(b)
			flows := s.flows(b, g)
			i := 0
			for b.Loop() {
				f := flows[i&(len(flows)-1)]
				g.Ports(f.From, f.To)
				i++
			}
		})
	}
}

func BenchmarkEdges(b *testing.B) {
	for _, s := range sizes[:2] {
		b.Run(s.String(), func(b *testing.B) {
			g := s.graph(b)
			for b.Loop() {
				for range g.Edges() {
				}
			}
		})
	}
}

// services adds a Service in front of each deployment, which has ten pods in
// each namespace, and the nodes.
func (s size) services(c *policy.Cluster) *policy.Cluster {
	const deployments = 10
	for i := range 1 + s.pods/50 {
		c.Nodes = append(c.Nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i)},
			Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.%d.%d", i>>8, i&255)},
			}},
		})
	}
	for n, ns := range c.Namespaces {
		for d := range deployments {
			c.Services = append(c.Services, &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("app-%d", d), Namespace: ns.Name},
				Spec: corev1.ServiceSpec{
					Type:      corev1.ServiceTypeNodePort,
					ClusterIP: fmt.Sprintf("10.96.%d.%d", n, d),
					Selector:  map[string]string{"app": fmt.Sprintf("app-%d", d)},
					Ports:     []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
				},
			})
		}
	}
	return c
}

func BenchmarkCompileServices(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.String(), func(b *testing.B) {
			c := s.services(s.cluster())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reach.Compile(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// connections calls bench for connections from pods to Services of ten backends,
// and from outside through their node ports.
func (s size) connections(b *testing.B, bench func(*testing.B, *reach.Graph, []reach.Connection)) {
	b.Helper()
	g, err := reach.Compile(s.services(s.cluster()))
	if err != nil {
		b.Fatal(err)
	}
	outside := g.MustLookup("203.0.113.9")
	r := rand.New(rand.NewPCG(1, 2))
	pods, services := g.Pods(), g.Services()
	for _, from := range []string{"pod", "outside"} {
		list := make([]reach.Connection, 1<<10)
		for i := range list {
			list[i] = reach.Connection{From: outside, To: services[r.IntN(len(services))], Port: policy.TCP.Port(80)}
			if from == "pod" {
				list[i].From = pods[r.IntN(len(pods))]
			}
		}
		b.Run(s.String()+"/from="+from, func(b *testing.B) { bench(b, g, list) })
	}
}

func BenchmarkReaches(b *testing.B) {
	for _, s := range sizes {
		s.connections(b, func(b *testing.B, g *reach.Graph, list []reach.Connection) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				g.Reaches(list[i&(len(list)-1)])
				i++
			}
		})
	}
}

func BenchmarkTrace(b *testing.B) {
	for _, s := range sizes {
		s.connections(b, func(b *testing.B, g *reach.Graph, list []reach.Connection) {
			i := 0
			for b.Loop() {
				g.Trace(list[i&(len(list)-1)])
				i++
			}
		})
	}
}
