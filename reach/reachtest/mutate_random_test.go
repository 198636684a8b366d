package reachtest

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// Whether a mutant is killed or equivalent must not depend on how Mutate finds out:
// here the suite runs on the mutant compiled afresh, and all pairs of endpoints are
// asked for all ports that the policies can tell apart.
func TestFatesAreThoseOfFreshClusters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Objects(t, drawCluster(t))
		var suite []func(TB, *Cluster)
		for range rapid.IntRange(0, 12).Draw(t, "assertions") {
			if a := drawAssertion(t, c); holds(c, a) {
				suite = append(suite, a)
			}
		}
		checkFates(t, c, rapid.IntRange(0, 11).Draw(t, "first"), 12, func(t TB, c *Cluster) {
			for _, a := range suite {
				a(t, c)
			}
		})
	})
}

// The same for the shop, of which each mutant is checked, and the relation of some.
func TestFatesOfTheShop(t *testing.T) {
	c := FS(t, os.DirFS("../../testdata/shop/manifests"))
	checkFates(t, c, 0, 25, func(t TB, c *Cluster) {
		c.Reaches(t, "shop/api", "svc:data/postgres", "5432")
		c.DoesNotReach(t, "everything except pods in shop except pods in data", "data/postgres", "5432")
		c.IsReachedOnlyBy(t, "pods app.kubernetes.io/name=redis", "redis", "pods shop.example.com/redis-client=true")
		c.ReachesOnly(t, "shop/payments", "198.51.100.0/29", "443")
		c.ReachesOnlyOn(t, "monitoring/grafana", "monitoring/prometheus", "http")
		c.IsIsolated(t, "pods in shop", policy.Egress)
		c.ResolvesDNS(t, "pods in monitoring")
	})
}

// holds reports whether an assertion holds for a cluster.
func holds(c *Cluster, a func(TB, *Cluster)) bool {
	t := &trial{}
	t.run(func() { a(t, c) })
	return !t.failed()
}

// checkFates checks the fate of every mutant of c, and of each step'th from first on
// whether it is equivalent.
func checkFates(t TB, c *Cluster, first, step int, suite func(TB, *Cluster)) {
	list := alterations(c.objects)
	f, err := newField(c, list)
	require.NoError(t, err)
	before, err := reach.Compile(c.objects)
	require.NoError(t, err)
	suite(t, f.rehearsed())
	for i := range list {
		a := &list[i]
		got := f.try(a, suite)
		objects, err := c.objects.With(a.edits...)
		require.NoError(t, err, a.name)
		after, err := reach.Compile(objects)
		require.Equal(t, err != nil, got.refused, a.name)
		if err != nil {
			continue
		}
		fresh := &Cluster{objects: objects, graph: after, model: objects.Model, declared: c.declared}
		require.Equal(t, !holds(fresh, suite), got.killed, "killed: %s\n%s", a.name, diffOf(a))
		if i%step != first {
			continue
		}
		m, ok := f.mutant(a)
		require.True(t, ok)
		ch, same := reach.Equivalent(f.base.graph, m.graph)
		if !got.killed {
			require.Equal(t, same, got.survivor == nil, a.name)
		}
		flow := firstChange(before, after)
		require.Equal(t, flow == "", same, "changes: %s\n%s%s", a.name, diffOf(a), flow)
		if !same {
			checkWitness(t, *f.survivor(a, ch), before, after)
		}
	}
}

// checkWitness checks that the flow that is told of a mutant is as it says.
func checkWitness(t TB, m Mutant, before, after *reach.Graph) {
	allows := func(g *reach.Graph) bool {
		from, err := g.Lookup(m.From)
		require.NoError(t, err)
		to, err := g.Lookup(m.To)
		require.NoError(t, err)
		return g.Allows(reach.Flow{From: from, To: to, Port: m.Port, Family: m.Family})
	}
	require.Equal(t, !m.Opened, allows(before), "before: %v", m)
	require.Equal(t, m.Opened, allows(after), "after: %v", m)
}

// firstChange returns a flow that two graphs of the same pods answer differently, or
// nothing. It asks for ports around all that the policies name, and for an address of
// each class outside that either tells apart.
func firstChange(g, h *reach.Graph) string {
	var names []string
	for _, e := range slices.Concat(g.Pods(), g.Nodes()) {
		names = append(names, e.String())
		for a := range addrsIn(e.Addrs()) {
			if _, err := g.Addr(a); err == nil {
				names = append(names, a.String())
			}
		}
		if _, err := g.Lookup("replica:" + e.String()); err == nil {
			names = append(names, "replica:"+e.String())
		}
	}
	for _, x := range g.Outside() {
		for _, y := range h.Outside() {
			if both := x.Addrs().Intersect(y.Addrs()); !both.IsEmpty() {
				names = append(names, both.First().String())
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var ends [2][]reach.Endpoint
	for i, g := range [...]*reach.Graph{g, h} {
		for _, name := range names {
			ends[i] = append(ends[i], g.MustLookup(name))
		}
	}
	for x := range names {
		for y := range names {
			for _, port := range somePorts {
				for _, fam := range [...]reach.Family{reach.IPv4, reach.IPv6} {
					a := g.Allows(reach.Flow{From: ends[0][x], To: ends[0][y], Port: port, Family: fam})
					b := h.Allows(reach.Flow{From: ends[1][x], To: ends[1][y], Port: port, Family: fam})
					if a != b {
						return fmt.Sprintf("%s -> %s %v over %v: %t, then %t", names[x], names[y], port, fam, a, b)
					}
				}
			}
		}
	}
	return ""
}

// somePorts are one or more of each kind that the policies in these tests tell apart.
var somePorts = func() []policy.Port {
	list := []policy.Port{{Protocol: policy.ICMP}, policy.SCTP.Port(80), policy.UDP.Port(53), policy.UDP.Port(80)}
	for _, n := range []uint16{53, 79, 80, 81, 82, 83, 443, 3000, 5432, 6379, 6443, 8080, 8443, 9090, 9121, 9187, 9153, 2112, 10254} {
		list = append(list, policy.TCP.Port(n))
	}
	return list
}()

// drawCluster draws a small cluster: pods and workloads in three namespaces, two
// nodes, two Services, and policies that use all that the mutants edit.
func drawCluster(t *rapid.T) *policy.Cluster {
	c := &policy.Cluster{}
	for _, ns := range spaces {
		if rapid.IntRange(0, 5).Draw(t, "no object") == 5 {
			continue // it is known of what is in it
		}
		o := &corev1.Namespace{}
		o.Name, o.Labels = ns, map[string]string{"team": ns[:1], corev1.LabelMetadataName: ns}
		c.Namespaces = append(c.Namespaces, o)
	}
	for i, addrs := range [][]string{{"10.0.0.1"}, {"10.0.0.2", "10.0.1.1"}} {
		o := &corev1.Node{}
		o.Name = fmt.Sprintf("n%d", i)
		for _, a := range addrs {
			o.Status.Addresses = append(o.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
		}
		c.Nodes = append(c.Nodes, o)
	}
	for i := range rapid.IntRange(2, 5).Draw(t, "pods") {
		c.Pods = append(c.Pods, drawPod(t, i))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "workloads") {
		d := &appsv1.Deployment{}
		d.Namespace, d.Name = rapid.SampledFrom(spaces).Draw(t, "namespace"), fmt.Sprintf("d%d", i)
		d.Spec.Template.Labels = drawFewLabels(t)
		d.Spec.Template.Labels["d"] = d.Name
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"d": d.Name}}
		d.Spec.Template.Spec.Containers = drawContainers(t)
		c.Deployments = append(c.Deployments, d)
	}
	service := func(name, addr string, labels map[string]string, ports ...corev1.ServicePort) {
		o := &corev1.Service{}
		o.Namespace, o.Name, o.Labels = "a", name, labels
		o.Spec.Selector = map[string]string{"app": "x"}
		o.Spec.ClusterIP, o.Spec.ClusterIPs = addr, []string{addr}
		o.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
		o.Spec.Ports = ports
		c.Services = append(c.Services, o)
	}
	service("s", "10.96.0.10", nil, corev1.ServicePort{Port: 80, Protocol: corev1.ProtocolTCP})
	service("dns", "10.96.0.11", map[string]string{"k8s-app": "kube-dns"},
		corev1.ServicePort{Name: "u", Port: 53, Protocol: corev1.ProtocolUDP}, corev1.ServicePort{Name: "t", Port: 53, Protocol: corev1.ProtocolTCP})
	for i := range rapid.IntRange(1, 4).Draw(t, "policies") {
		np := &networkingv1.NetworkPolicy{}
		np.Namespace, np.Name = rapid.SampledFrom(spaces).Draw(t, "namespace"), fmt.Sprintf("np%d", i)
		np.Spec.PodSelector = drawSelector(t)
		np.Spec.PolicyTypes = rapid.SampledFrom([][]networkingv1.PolicyType{nil, {"Ingress"}, {"Egress"}, {"Ingress", "Egress"}}).Draw(t, "types")
		for range rapid.IntRange(0, 2).Draw(t, "ingress") {
			np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: drawPeers(t), Ports: drawPorts(t)})
		}
		for range rapid.IntRange(0, 2).Draw(t, "egress") {
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: drawPeers(t), Ports: drawPorts(t)})
		}
		c.Policies = append(c.Policies, np)
	}
	return c
}

var spaces = []string{"a", "aa", "b"}

func drawPod(t *rapid.T, i int) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name = rapid.SampledFrom(spaces).Draw(t, "namespace"), fmt.Sprintf("p%d", i)
	p.Labels = drawFewLabels(t)
	p.Spec.NodeName = rapid.SampledFrom([]string{"", "n0", "n1"}).Draw(t, "node")
	ips := []string{fmt.Sprintf("10.1.0.%d", i+1)}
	if rapid.Bool().Draw(t, "dual") {
		ips = append(ips, fmt.Sprintf("fd00::%d", i+1))
	}
	if p.Spec.NodeName == "n0" && rapid.IntRange(0, 3).Draw(t, "host") == 0 {
		p.Spec.HostNetwork, ips = true, []string{"10.0.0.1"}
	}
	p.Status.PodIP = ips[0]
	for _, ip := range ips {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	p.Spec.Containers = drawContainers(t)
	if rapid.IntRange(0, 2).Draw(t, "owned") == 0 {
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "set", UID: "u", Controller: &yes}}
	}
	return p
}

func drawFewLabels(t *rapid.T) map[string]string {
	labels := make(map[string]string)
	for _, key := range []string{"app", "tier"} {
		if v := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, key); v != "" {
			labels[key] = v
		}
	}
	return labels
}

func drawContainers(t *rapid.T) []corev1.Container {
	n := rapid.SampledFrom([]int32{0, 80, 81}).Draw(t, "web")
	if n == 0 {
		return []corev1.Container{{Name: "c"}}
	}
	return []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: n}}}}
}

func drawSelector(t *rapid.T) metav1.LabelSelector {
	var s metav1.LabelSelector
	for _, key := range []string{"app", "tier"} {
		switch rapid.IntRange(0, 4).Draw(t, "requirement") {
		case 0:
			s.MatchLabels = map[string]string{key: "x"}
		case 1:
			op := rapid.SampledFrom([]metav1.LabelSelectorOperator{"Exists", "DoesNotExist", "In", "NotIn"}).Draw(t, "operator")
			r := metav1.LabelSelectorRequirement{Key: key, Operator: op}
			if strings.HasSuffix(string(op), "In") {
				r.Values = []string{"x"}
			}
			s.MatchExpressions = append(s.MatchExpressions, r)
		}
	}
	return s
}

func drawPeers(t *rapid.T) []networkingv1.NetworkPolicyPeer {
	var list []networkingv1.NetworkPolicyPeer
	for range rapid.IntRange(0, 2).Draw(t, "peers") {
		var p networkingv1.NetworkPolicyPeer
		kind := rapid.IntRange(0, 3).Draw(t, "peer")
		if kind == 0 {
			p.IPBlock = &networkingv1.IPBlock{CIDR: rapid.SampledFrom([]string{
				"10.1.0.0/30", "10.0.0.1/32", "0.0.0.0/0", "198.51.100.0/28", "fd00::/120", "::/0", "0.0.0.0/1",
			}).Draw(t, "block")}
			if p.IPBlock.CIDR == "198.51.100.0/28" && rapid.Bool().Draw(t, "except") {
				p.IPBlock.Except = []string{"198.51.100.8/29", "198.51.100.0/30"}
			}
		}
		if kind == 1 || kind == 2 {
			s := drawSelector(t)
			p.PodSelector = &s
		}
		if kind == 2 || kind == 3 {
			p.NamespaceSelector = &metav1.LabelSelector{}
			if rapid.Bool().Draw(t, "team") {
				p.NamespaceSelector.MatchLabels = map[string]string{"team": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "of")}
			}
		}
		list = append(list, p)
	}
	return list
}

func drawPorts(t *rapid.T) []networkingv1.NetworkPolicyPort {
	var list []networkingv1.NetworkPolicyPort
	for range rapid.IntRange(0, 2).Draw(t, "ports") {
		var p networkingv1.NetworkPolicyPort
		switch rapid.IntRange(0, 3).Draw(t, "port") {
		case 0:
			n := intstr.FromString("web")
			p.Port = &n
		case 1:
			n := intstr.FromInt32(80)
			p.Port = &n
		case 2:
			n, last := intstr.FromInt32(80), int32(82)
			p.Port, p.EndPort = &n, &last
		case 3:
			udp := corev1.ProtocolUDP
			p.Protocol = &udp
		}
		list = append(list, p)
	}
	return list
}

// drawAssertion draws an assertion about c, which need not hold.
func drawAssertion(t *rapid.T, c *Cluster) func(TB, *Cluster) {
	sets := []string{
		"pods", "everything", "nodes", "outside", "pods app=x", "pods app=x,tier!=y", "pods in a", "pods app=y in b", "pods in namespaces team=a",
		"a/p0", "a/p1", "b/p1", "aa/d0", "a/set", "b/set", "everything except pods app=x", "pods except a/p0", "10.0.1.1", "10.1.0.2", "fd00::2",
		"198.51.100.0/29", "node:n0 and pods in a", "outside:*", "svc:a/s", "198.51.100.9 and 10.0.0.0/8",
		"sts:a/set", "replica:aa/d0", "replica:a/set", "node-of:a/set", "pods in b", "pods in b except b/p1",
	}
	sets = slices.DeleteFunc(sets, func(text string) bool {
		_, err := c.set(text)
		return err != nil
	})
	from, to := rapid.SampledFrom(sets).Draw(t, "from"), rapid.SampledFrom(sets).Draw(t, "to")
	port := rapid.SampledFrom([]string{"80!", "web", "80, 53/UDP!", "all", "81-83!"}).Draw(t, "on")
	switch rapid.IntRange(0, 8).Draw(t, "assertion") {
	case 0:
		return func(t TB, c *Cluster) { c.Reaches(t, from, to, port) }
	case 1:
		return func(t TB, c *Cluster) { c.DoesNotReach(t, from, to, port) }
	case 2:
		return func(t TB, c *Cluster) { c.ReachesOnlyOn(t, from, to, port) }
	case 3:
		from = otherEnds(c, policy.Ingress, to, port)
		return func(t TB, c *Cluster) { c.IsReachedOnlyBy(t, to, port, from) }
	case 4:
		to = otherEnds(c, policy.Egress, from, port)
		return func(t TB, c *Cluster) { c.ReachesOnly(t, from, to, port) }
	case 5:
		d := rapid.SampledFrom([]policy.Direction{policy.Egress, policy.Ingress}).Draw(t, "direction")
		return func(t TB, c *Cluster) { c.IsIsolated(t, from, d) }
	case 6:
		future := rapid.SampledFrom([]string{
			"any pod", "any pod app!=x", "any pod in a", "any pod tier in b", "any pod in namespaces team=a", "any pod at 10.1.0.0/24",
		}).Draw(t, "future")
		if rapid.Bool().Draw(t, "is from") {
			return func(t TB, c *Cluster) { c.NeverReaches(t, future, to, port) }
		}
		return func(t TB, c *Cluster) { c.NeverReaches(t, from, future, port) }
	case 7:
		table := fmt.Sprintf("from \\ to | %[2]s | *\n%[1]s | ? | ?\n* | ? | .\n", from, to)
		if tab, err := parseTable("table", table); err == nil {
			if _, err := c.fill(tab); err == nil {
				table = strings.NewReplacer("| ?", "| .", "?", "").Replace(tab.String())
			}
		}
		return func(t TB, c *Cluster) { c.MatchesTable(t, table) }
	}
	return func(t TB, c *Cluster) { c.ResolvesDNS(t, from) }
}

// otherEnds returns the text of a set of those that a set reaches for egress, or that
// reach it, or of some who do.
func otherEnds(c *Cluster, d policy.Direction, text, port string) string {
	s := "everything"
	for _, e := range slices.Concat(c.graph.Pods(), c.graph.Nodes()) {
		never := func(t TB, c *Cluster) { c.DoesNotReach(t, e.String(), text, port) }
		if d == policy.Egress {
			never = func(t TB, c *Cluster) { c.DoesNotReach(t, text, e.String(), port) }
		}
		if holds(c, never) {
			s += " except " + e.String()
		}
	}
	return s
}

// addrsIn yields the addresses of a set of a few.
func addrsIn(s cidr.Set) func(func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		for p := range s.Prefixes() {
			for a := p.Addr(); p.Contains(a); a = a.Next() {
				if !yield(a) {
					return
				}
			}
		}
	}
}

func diffOf(a *alteration) string { return Mutant{before: a.before, after: a.after}.Diff() }
