package reach_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// On large clusters, too, Allows and the naive evaluator say the same, and of
// some flows Explain as well. A third of the flows are random, a third are
// between ends that are near each other, and a third are such ones of which
// Allows says that they are allowed.
func TestLargeClusterNaive(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	for _, size := range []scale.Size{scale.L, scale.XL} {
		t.Run(size.String(), func(t *testing.T) {
			t.Parallel()
			c := size.Cluster()
			g, err := reach.Compile(c)
			require.NoError(t, err)
			large := newLargeCluster(c)
			r := rand.New(rand.NewPCG(3, 4))
			seen := make(map[string]*sample)
			for i := range 100_000 {
				q := large.draw(r, i%3 > 0)
				f := q.flow(g)
				for try := 0; i%3 == 2 && !g.Allows(f) && try < 50; try++ {
					q = large.draw(r, true)
					f = q.flow(g)
				}
				want := large.allows(q)
				if g.Allows(f) != want {
					t.Fatalf("Allows says %v, the naive evaluator %v\n%v", g.Allows(f), want, g.Explain(f))
				}
				if i%10 == 0 {
					if v := g.Explain(f); v.Allowed != want {
						t.Fatalf("Allows says %v, Explain\n%v", want, v)
					}
				}
				if seen[q.kind] == nil {
					seen[q.kind] = new(sample)
				}
				seen[q.kind].add(want)
			}
			for kind, s := range seen {
				t.Logf("%s: %d allowed, %d denied", kind, s.allowed, s.denied)
				require.Greater(t, min(s.allowed, s.denied), (s.allowed+s.denied)/10, "the flows between %s are one-sided", kind)
			}
			require.Len(t, seen, 3)
		})
	}
}

// What the naive evaluator says from a part of a cluster, it says from all of it.
func TestPartOfLargeCluster(t *testing.T) {
	large := newLargeCluster(scale.M.Cluster())
	all := newNaive(large.c, reach.Profile{})
	r := rand.New(rand.NewPCG(5, 6))
	var seen sample
	for range 1_000 {
		q := large.draw(r, r.IntN(2) == 0)
		want := all.allows(q.from.text, q.to.text, q.port, q.fam)
		require.Equal(t, want, large.allows(q), "%s -> %s %v over %v", q.from.text, q.to.text, q.port, q.fam)
		seen.add(want)
	}
	seen.check(t)
}

var largePorts = []policy.Port{
	policy.TCP.Port(8080), policy.TCP.Port(8081), policy.TCP.Port(8443), policy.TCP.Port(443), policy.TCP.Port(5432),
	policy.TCP.Port(6379), policy.TCP.Port(9092), policy.TCP.Port(9100), policy.UDP.Port(53), policy.TCP.Port(1),
	policy.SCTP.Port(80), {Protocol: policy.ICMP},
}

// A largeCluster is a cluster with its objects by where they belong, so that the
// naive evaluator needs to walk only few of them for each question.
type largeCluster struct {
	c          *policy.Cluster
	namespaces map[string]*corev1.Namespace
	policies   map[string][]*networkingv1.NetworkPolicy // by namespace
	podsIn     map[string][]*corev1.Pod                 // by namespace
	podsOn     map[string][]*corev1.Pod                 // by node
	nodes      map[string]*corev1.Node
	blocks     []blockOf
	chosen     map[*networkingv1.NetworkPolicy][]*corev1.Pod // what chosenBy has returned
	taken      map[netip.Addr]bool                           // by a pod, a node or a Service
}

// A blockOf is a block in a policy.
type blockOf struct {
	policy *networkingv1.NetworkPolicy
	cidr   string
}

func newLargeCluster(c *policy.Cluster) *largeCluster {
	l := &largeCluster{
		c:          c,
		namespaces: map[string]*corev1.Namespace{},
		policies:   map[string][]*networkingv1.NetworkPolicy{},
		podsIn:     map[string][]*corev1.Pod{},
		podsOn:     map[string][]*corev1.Pod{},
		nodes:      map[string]*corev1.Node{},
		chosen:     map[*networkingv1.NetworkPolicy][]*corev1.Pod{},
		taken:      map[netip.Addr]bool{},
	}
	for _, ns := range c.Namespaces {
		l.namespaces[ns.Name] = ns
	}
	for _, np := range c.Policies {
		l.policies[np.Namespace] = append(l.policies[np.Namespace], np)
		for _, d := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			for _, r := range naiveRules(np, d) {
				for _, p := range r.peers {
					if p.IPBlock != nil {
						for _, cidr := range append([]string{p.IPBlock.CIDR}, p.IPBlock.Except...) {
							l.blocks = append(l.blocks, blockOf{np, cidr})
						}
					}
				}
			}
		}
	}
	for _, pod := range c.Pods {
		l.podsIn[pod.Namespace] = append(l.podsIn[pod.Namespace], pod)
		l.podsOn[pod.Spec.NodeName] = append(l.podsOn[pod.Spec.NodeName], pod)
		for _, a := range append(statusAddrs(pod), rawHostIPs(pod)...) {
			l.taken[a] = true
		}
	}
	for _, a := range serviceAddrsOf(c) {
		l.taken[a] = true
	}
	for _, node := range c.Nodes {
		l.nodes[node.Name] = node
		for _, a := range node.Status.Addresses {
			if addr, err := netip.ParseAddr(a.Address); err == nil {
				l.taken[addr] = true
			}
		}
	}
	return l
}

// A largeEnd is an end of a flow: a pod, a node, an address of one of these, or
// one outside.
type largeEnd struct {
	text string
	pod  *corev1.Pod
	node string
}

// A largeFlow is a flow and what its ends are.
type largeFlow struct {
	kind     string
	from, to largeEnd
	port     policy.Port
	fam      reach.Family
}

func (q largeFlow) flow(g *reach.Graph) reach.Flow {
	return reach.Flow{From: g.MustLookup(q.from.text), To: g.MustLookup(q.to.text), Port: q.port, Family: q.fam}
}

// draw draws a flow. If its ends are to be near each other, they are pods that
// stand so in the order of pods, or a pod and its own node, or an address and a
// pod that a policy with a block for the address chooses; and the port is mostly
// one that may be meant.
func (l *largeCluster) draw(r *rand.Rand, near bool) largeFlow {
	q := largeFlow{port: largePorts[r.IntN(len(largePorts))], fam: families[r.IntN(len(families))]}
	i := r.IntN(len(l.c.Pods))
	pod := l.c.Pods[i]
	switch r.IntN(16) {
	case 0:
		q.kind = "pods and nodes"
		node := l.c.Nodes[r.IntN(len(l.c.Nodes))]
		if near {
			node = l.nodes[pod.Spec.NodeName]
		}
		q.to = nodeEnd(r, node)
	case 1, 2, 3, 4:
		q.kind = "pods and addresses"
		var block blockOf
		for ok := false; !ok; {
			block = l.blocks[r.IntN(len(l.blocks))]
			q.to.text, ok = l.outside(r, block.cidr)
		}
		if pods := l.chosenBy(block.policy); near && len(pods) > 0 {
			pod = pods[r.IntN(len(pods))]
		}
	default:
		q.kind = "pods"
		other := l.c.Pods[r.IntN(len(l.c.Pods))]
		if near {
			other = l.c.Pods[min(max(0, i+r.IntN(200)-100), len(l.c.Pods)-1)]
		}
		q.to = podEnd(r, other)
	}
	q.from = podEnd(r, pod)
	if r.IntN(2) == 0 {
		q.from, q.to = q.to, q.from
	}
	if near && r.IntN(4) > 0 {
		q.port = policy.TCP.Port(443)
		if q.to.pod != nil {
			for _, c := range q.to.pod.Spec.Containers {
				for _, p := range c.Ports {
					q.port = rawProtocol(&p.Protocol).Port(uint16(p.ContainerPort))
				}
			}
		}
	}
	return q
}

// chosenBy returns the pods that a policy chooses.
func (l *largeCluster) chosenBy(np *networkingv1.NetworkPolicy) []*corev1.Pod {
	pods, ok := l.chosen[np]
	if ok {
		return pods
	}
	for _, pod := range l.podsIn[np.Namespace] {
		if new(naive).selects(&np.Spec.PodSelector, pod.Labels) {
			pods = append(pods, pod)
		}
	}
	l.chosen[np] = pods
	return pods
}

// podEnd returns a pod by its name, and now and then by an address.
func podEnd(r *rand.Rand, pod *corev1.Pod) largeEnd {
	e := largeEnd{"pod:" + pod.Namespace + "/" + pod.Name, pod, pod.Spec.NodeName}
	if addrs := statusAddrs(pod); r.IntN(8) == 0 && len(addrs) > 0 {
		e.text = addrs[r.IntN(len(addrs))].String()
	}
	return e
}

func nodeEnd(r *rand.Rand, node *corev1.Node) largeEnd {
	e := largeEnd{text: "node:" + node.Name, node: node.Name}
	if addrs := node.Status.Addresses; r.IntN(8) == 0 {
		if a, err := netip.ParseAddr(addrs[r.IntN(len(addrs))].Address); err == nil {
			e.text = a.String()
		}
	}
	return e
}

// outside draws an address in a block, and reports false if somebody in the
// cluster has it.
func (l *largeCluster) outside(r *rand.Rand, cidr string) (string, bool) {
	block := netip.MustParsePrefix(cidr)
	bytes := block.Addr().AsSlice()
	for i := range bytes {
		host := byte(0xff) >> min(8, max(0, block.Bits()-8*i)) // the bits that the prefix leaves open
		bytes[i] = bytes[i]&^host | byte(r.Uint32())&host
	}
	a, _ := netip.AddrFromSlice(bytes)
	return a.String(), !l.taken[a]
}

// allows asks an evaluator that knows both ends and the objects that matter to
// flows between them. A policy matters to the pods of its namespace only, and a
// Namespace to the pods in it. A node matters where it is an end or a pod has
// its addresses, which its object tells and the pods on it.
func (l *largeCluster) allows(q largeFlow) bool {
	n := &naive{c: &policy.Cluster{}}
	var nodes, spaces []string
	for i, e := range [...]largeEnd{q.from, q.to} {
		if e.node != "" && (e.pod == nil || e.pod.Spec.HostNetwork) && !slices.Contains(nodes, e.node) {
			nodes = append(nodes, e.node)
			n.c.Nodes = append(n.c.Nodes, l.nodes[e.node])
			n.c.Pods = append(n.c.Pods, l.podsOn[e.node]...)
		}
		if e.pod != nil && !slices.Contains(spaces, e.pod.Namespace) {
			spaces = append(spaces, e.pod.Namespace)
			n.c.Policies = append(n.c.Policies, l.policies[e.pod.Namespace]...)
			n.c.Namespaces = append(n.c.Namespaces, l.namespaces[e.pod.Namespace])
		}
		if e.pod != nil && (i == 0 || e.pod != q.from.pod) {
			n.known = append(n.known, n.podEnd(e.pod))
		}
	}
	return n.allows(q.from.text, q.to.text, q.port, q.fam)
}
