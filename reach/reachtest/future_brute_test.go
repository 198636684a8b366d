package reachtest_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// The small world of TestNeverReachesIsExact: all that its policies mention, and one
// value of each kind that they do not. So every pod that there could be is like one
// of those that are tried.
var (
	smallAddrs = []string{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.8", "10.0.0.9", "192.0.2.1", "192.0.2.2", "fd00::1", "fd00::9"}
	smallPorts = []policy.Port{
		policy.TCP.Port(80), policy.TCP.Port(85), policy.TCP.Port(7777), policy.UDP.Port(53), policy.UDP.Port(80),
		policy.UDP.Port(85), policy.UDP.Port(7777), policy.SCTP.Port(80), policy.SCTP.Port(85), policy.SCTP.Port(7777), {Protocol: policy.ICMP},
	}
	smallPods  = spanned(map[string][]string{"app": {"", "x", "y", "fresh"}, "env": {"", "x", "fresh"}})
	smallTeams = spanned(map[string][]string{"team": {"", "t", "u", "fresh"}})
	smallNames = []string{"c", "fresh"} // of namespaces that there are not
)

// spanned returns every combination of labels, of which the empty value stands for
// none.
func spanned(values map[string][]string) []map[string]string {
	all := []map[string]string{{}}
	for _, key := range slices.Sorted(maps.Keys(values)) { // the draws of a test must not depend on chance
		var more []map[string]string
		for _, labels := range all {
			for _, v := range values[key] {
				n := map[string]string{}
				for k, w := range labels {
					n[k] = w
				}
				if v != "" {
					n[key] = v
				}
				more = append(more, n)
			}
		}
		all = more
	}
	return all
}

func smallSelector(t *rapid.T, name string, texts ...string) *metav1.LabelSelector {
	s, err := metav1.ParseToLabelSelector(strings.ReplaceAll(rapid.SampledFrom(texts).Draw(t, name), "!=x", " notin (x)"))
	require.NoError(t, err)
	return s
}

func smallPodSelector(t *rapid.T, name string) *metav1.LabelSelector {
	return smallSelector(t, name, "", "app=x", "app=y", "app!=x", "app", "!app", "env=x", "!env", "app=x,env=x", "app=x,env!=x", "app in (x,y),env", "app,env")
}

func smallNamespaceSelector(t *rapid.T, name string) *metav1.LabelSelector {
	return smallSelector(t, name, "", "team=t", "team notin (t)", "team", "!team", "team=u", "kubernetes.io/metadata.name=c", "kubernetes.io/metadata.name=a", "kubernetes.io/metadata.name notin (a,c)")
}

func smallPeer(t *rapid.T) networkingv1.NetworkPolicyPeer {
	switch rapid.IntRange(0, 4).Draw(t, "kind of peer") {
	case 0:
		block := networkingv1.IPBlock{CIDR: rapid.SampledFrom([]string{"0.0.0.0/0", "10.0.0.0/30", "10.0.0.1/32", "10.0.0.2/31", "10.0.0.9/32", "192.0.2.1/32", "fd00::1/128", "::/0"}).Draw(t, "cidr")}
		if block.CIDR == "10.0.0.0/30" && rapid.Bool().Draw(t, "except") {
			block.Except = []string{"10.0.0.2/32"}
		}
		return networkingv1.NetworkPolicyPeer{IPBlock: &block}
	case 1:
		return networkingv1.NetworkPolicyPeer{NamespaceSelector: smallNamespaceSelector(t, "namespaces")}
	case 2:
		return networkingv1.NetworkPolicyPeer{PodSelector: smallPodSelector(t, "pods")}
	}
	return networkingv1.NetworkPolicyPeer{NamespaceSelector: smallNamespaceSelector(t, "namespaces"), PodSelector: smallPodSelector(t, "pods")}
}

func smallPort(t *rapid.T) networkingv1.NetworkPolicyPort {
	protocol := rapid.SampledFrom([]corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}).Draw(t, "protocol")
	item := networkingv1.NetworkPolicyPort{Protocol: &protocol}
	port := intstr.FromInt32(80)
	switch rapid.IntRange(0, 4).Draw(t, "kind of port") {
	case 0:
		return item
	case 1:
		port = intstr.FromString("web")
	case 2:
		end := int32(90)
		item.EndPort = &end
	case 3:
		if protocol == corev1.ProtocolUDP {
			port = intstr.FromInt32(53)
		}
	}
	item.Port = &port
	return item
}

func smallPolicy(t *rapid.T, name string) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: rapid.SampledFrom([]string{"a", "a", "b"}).Draw(t, "namespace"), Name: name}}
	np.Spec.PodSelector = *smallPodSelector(t, "selector")
	np.Spec.PolicyTypes = rapid.SampledFrom([][]networkingv1.PolicyType{{"Ingress"}, {"Egress"}, {"Ingress", "Egress"}}).Draw(t, "types")
	for range rapid.IntRange(0, 2).Draw(t, "ingress rules") {
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
			From:  drawn(t, rapid.IntRange(0, 2).Draw(t, "peers"), smallPeer),
			Ports: drawn(t, rapid.IntRange(0, 2).Draw(t, "ports"), smallPort),
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "egress rules") {
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{
			To:    drawn(t, rapid.IntRange(0, 2).Draw(t, "peers"), smallPeer),
			Ports: drawn(t, rapid.IntRange(0, 2).Draw(t, "ports"), smallPort),
		})
	}
	return np
}

func drawn[T any](t *rapid.T, n int, draw func(*rapid.T) T) []T {
	var list []T
	for range n {
		list = append(list, draw(t))
	}
	return list
}

func smallPod(namespace, name string, labels map[string]string, ips ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}}
	for _, ip := range ips {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	return p
}

// smallCluster returns two namespaces with a few pods, a node and some policies.
func smallCluster(t *rapid.T) *policy.Cluster {
	c := &policy.Cluster{
		Namespaces: []*corev1.Namespace{
			{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: rapid.SampledFrom(smallTeams).Draw(t, "labels of a")}},
			{ObjectMeta: metav1.ObjectMeta{Name: "b", Labels: rapid.SampledFrom(smallTeams).Draw(t, "labels of b")}},
		},
		Nodes: []*corev1.Node{{
			ObjectMeta: metav1.ObjectMeta{Name: "n1"},
			Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: "10.0.0.3"}, {Type: corev1.NodeInternalIP, Address: "192.0.2.2"},
			}},
		}},
	}
	labels := func() map[string]string { return rapid.SampledFrom(smallPods).Draw(t, "labels") }
	alike, other := labels(), labels()
	if rapid.Bool().Draw(t, "alike") {
		other = alike
	}
	p, q, s, r, h := smallPod("a", "p", labels(), "10.0.0.1", "fd00::1"), smallPod("a", "q", alike, "10.0.0.2"), smallPod("a", "s", other, "10.0.0.9"),
		smallPod("b", "r", labels()), smallPod("b", "h", labels(), "10.0.0.3")
	p.Spec.Containers = []corev1.Container{
		{Name: "one", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 80}}},
		{Name: "two", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 85}, {Name: "dns", ContainerPort: 53, Protocol: "UDP"}}},
	}
	r.Spec.InitContainers = []corev1.Container{{Name: "init", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 85}}}}
	h.Spec.HostNetwork, h.Spec.NodeName = true, "n1"
	c.Pods = []*corev1.Pod{p, q, s, r, h}
	for _, ns := range rapid.SampledFrom([][]string{{}, {"a"}, {"a", "b"}}).Draw(t, "closed namespaces") {
		c.Policies = append(c.Policies, &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "deny"},
			Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"}},
		})
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "policies") {
		c.Policies = append(c.Policies, smallPolicy(t, fmt.Sprint("np", i)))
	}
	return c
}

func smallProfile(t *rapid.T) reach.Profile {
	if rapid.IntRange(0, 1).Draw(t, "upstream") == 0 {
		return reach.Profile{}
	}
	flag := func(name string) bool { return rapid.IntRange(0, 2).Draw(t, name) == 0 }
	return reach.Profile{
		IPBlockSkipsPods:       flag("blocks skip pods"),
		IPBlockSkipsNodes:      flag("blocks skip nodes"),
		HostNetworkAsPods:      flag("host network as pods"),
		EgressToOwnNodeAllowed: flag("own node"),
		EndPortIgnored:         flag("no endPort"),
		SCTP:                   rapid.SampledFrom([]reach.SCTPHandling{reach.SCTPEnforced, reach.SCTPDropped, reach.SCTPBypasses}).Draw(t, "SCTP"),
		NamedPorts:             rapid.SampledFrom([]reach.NamedPortSource{reach.NamedPortsOfSidecars, reach.NamedPortsOfContainers, reach.NamedPortsOfAllContainers}).Draw(t, "named ports"),
		NamedPortFirst:         flag("first name"),
		NotEnforced:            rapid.IntRange(0, 30).Draw(t, "enforced") == 0,
	}
}

// A smallSet is a set of the small world, by the names of its pods and nodes and by
// what it holds of smallAddrs outside.
type smallSet struct {
	text, ends, outside string
}

var smallSets = []smallSet{
	{text: "a/p", ends: "a/p"},
	{text: "a/q", ends: "a/q"},
	{text: "b/r", ends: "b/r"},
	{text: "b/h", ends: "b/h"},
	{text: "pods in a", ends: "a/p a/q a/s"},
	{text: "pods", ends: "a/p a/q a/s b/r b/h"},
	{text: "a/q and a/s", ends: "a/q a/s"},
	{text: "node:n1", ends: "node:n1"},
	{text: "192.0.2.2", ends: "192.0.2.2"}, // the node there
	{text: "fd00::1", ends: "fd00::1"},     // a/p there
	{text: "outside", outside: "10.0.0.0 10.0.0.8 192.0.2.1 fd00::9"},
	{text: "192.0.2.1", outside: "192.0.2.1"},
	{text: "10.0.0.0/30", ends: "10.0.0.1 a/q 10.0.0.3", outside: "10.0.0.0"},
	{text: "outside:*", ends: "outside:*"},
}

// A smallQuestion is one of what any pod reaches, or what reaches it.
type smallQuestion struct {
	pods, namespaces, at string
	other                smallSet
	ports                string
	incoming             bool
}

func (q smallQuestion) anyPod() string {
	text := "any pod"
	if q.pods != "" {
		text += " " + q.pods
	}
	if q.namespaces != "" {
		text += " in " + q.namespaces
	}
	if q.at != "" {
		text += " at " + q.at
	}
	return text
}

func drawQuestion(t *rapid.T) smallQuestion {
	return smallQuestion{
		pods:       rapid.SampledFrom([]string{"", "", "app!=x", "app=x", "!env", "app,env=x"}).Draw(t, "pods"),
		namespaces: rapid.SampledFrom([]string{"", "a", "b", "namespaces team=t", "namespaces !team", "namespaces kubernetes.io/metadata.name=c", "namespaces team=u,kubernetes.io/metadata.name!=a"}).Draw(t, "namespaces"),
		at:         rapid.SampledFrom([]string{"", "", "10.0.0.0/30", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.3,192.0.2.2", "10.0.0.9", "192.0.2.0/24,fd00::/64", "fd00::1"}).Draw(t, "at"),
		other:      rapid.SampledFrom(smallSets).Draw(t, "other"),
		ports:      rapid.SampledFrom([]string{"80", "80", "85", "80,85", "53/UDP", "80/SCTP", "other protocols", "all"}).Draw(t, "ports"),
		incoming:   rapid.Bool().Draw(t, "incoming"),
	}
}

// tried returns what happens with every pod of the small world: whether any gets
// through, and whether any has something to connect with.
func (q smallQuestion) tried(t require.TestingT, c *policy.Cluster, p reach.Profile) (through, asked bool) {
	ports, err := policy.ParsePortSet(q.ports)
	require.NoError(t, err)
	podSelector, err := labels.Parse(q.pods)
	require.NoError(t, err)
	for _, at := range smallAddrs {
		if q.at != "" && !slices.ContainsFunc(strings.Split(q.at, ","), func(s string) bool {
			if s == at {
				return true
			}
			p, err := netip.ParsePrefix(s)
			return err == nil && p.Contains(netip.MustParseAddr(at))
		}) {
			continue
		}
		// Whoever has the address in the question cannot be the peer.
		var ends, outside []string
		for _, e := range strings.Fields(q.other.ends) {
			taken := map[string]string{"a/p": "10.0.0.1 fd00::1", "a/q": "10.0.0.2", "a/s": "10.0.0.9", "b/h": "10.0.0.3", "node:n1": "10.0.0.3 192.0.2.2"}[e]
			if e != at && !slices.Contains(strings.Fields(taken), at) {
				ends = append(ends, e)
			}
		}
		for _, a := range strings.Fields(q.other.outside) {
			if a != at {
				outside = append(outside, a)
			}
		}
		try := func(namespace string, team map[string]string) {
			namespaceLabels := map[string]string{"kubernetes.io/metadata.name": namespace}
			for k, v := range team {
				namespaceLabels[k] = v
			}
			if name, ok := strings.CutPrefix(q.namespaces, "namespaces "); ok {
				if s, err := labels.Parse(name); err != nil || !s.Matches(labels.Set(namespaceLabels)) {
					return
				}
			} else if q.namespaces != "" && q.namespaces != namespace {
				return
			}
			ok, any := q.tryIn(t, c, p, namespace, team, at, podSelector, ports, ends, outside)
			through, asked = through || ok, asked || any
		}
		for _, ns := range c.Namespaces {
			try(ns.Name, ns.Labels)
		}
		for _, name := range smallNames {
			for _, team := range smallTeams {
				try(name, team)
			}
		}
	}
	return through, asked
}

// tryIn puts all pods with one address into a namespace and compiles the cluster.
func (q smallQuestion) tryIn(t require.TestingT, c *policy.Cluster, p reach.Profile, namespace string, team map[string]string, at string,
	podSelector labels.Selector, ports policy.PortSet, ends, outside []string,
) (through, asked bool) {
	d := c.Clone()
	if !slices.ContainsFunc(c.Namespaces, func(ns *corev1.Namespace) bool { return ns.Name == namespace }) {
		d.Namespaces = append(d.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: team}})
	}
	// A pod calls no port "web", or one of them.
	var names []string
	for _, set := range smallPods {
		if !podSelector.Matches(labels.Set(set)) {
			continue
		}
		for _, port := range append([]policy.Port{{}}, smallPorts...) {
			if port.Number != 0 && !q.incoming || port.Protocol == policy.ICMP {
				continue
			}
			name := fmt.Sprint("new", len(names))
			names = append(names, namespace+"/"+name)
			pod := smallPod(namespace, name, set, at)
			if port.Number != 0 {
				pod.Spec.Containers = []corev1.Container{{Name: "main", Ports: []corev1.ContainerPort{
					{Name: "web", ContainerPort: int32(port.Number), Protocol: corev1.Protocol(port.Protocol.String())},
				}}}
			}
			d.Pods = append(d.Pods, pod)
		}
	}
	g, err := p.Compile(d)
	require.NoError(t, err)
	var others []reach.Endpoint
	for _, text := range slices.Concat(ends, outside) {
		e, err := g.Lookup(text)
		require.NoError(t, err)
		others = append(others, e)
	}
	for _, name := range names {
		self := g.MustLookup(name)
		for _, o := range others {
			flow := reach.Flow{From: self, To: o}
			if q.incoming {
				flow.From, flow.To = o, self
			}
			for _, port := range smallPorts {
				if !ports.Contains(port) {
					continue
				}
				flow.Port = port
				through = through || g.Allows(flow)
				if !asked {
					asked = g.Explain(flow).Reason != reach.NoCommonFamily
				}
			}
		}
	}
	return through, asked
}

func TestNeverReachesIsExact(t *testing.T) {
	var passed, failed, refused, inNew, inOld int
	rapid.Check(t, func(t *rapid.T) {
		c, p, q := smallCluster(t), smallProfile(t), drawQuestion(t)
		through, asked := q.tried(t, c, p)
		from, to := q.anyPod(), q.other.text
		if q.incoming {
			from, to = to, from
		}
		var holds bool
		r := run(func(tb reachtest.TB) {
			holds = reachtest.Objects(tb, c).Under(tb, p).NeverReaches(tb, from, to, q.ports+"!")
		})
		t.Logf("%s -> %s on %s: through %t, asked %t; %s", from, to, q.ports, through, asked, r.log)
		switch {
		case !asked:
			refused++
			assert.False(t, holds)
			assert.Contains(t, r.log, "has no address from which")
		case through:
			failed++
			assert.False(t, holds)
			assert.Contains(t, r.log, " should never reach ")
			assert.Contains(t, r.log, ", but a new pod could:\n")
			if strings.Contains(r.log, " in a new namespace ") {
				inNew++
			} else {
				inOld++
			}
		default:
			passed++
			assert.True(t, holds)
			assert.Empty(t, r.log)
		}
	})
	t.Logf("%d held, %d did not (%d of them in a new namespace), %d were refused", passed, failed, inNew, refused)
	assert.Greater(t, passed, 10)
	assert.Greater(t, inNew, 5)
	assert.Greater(t, inOld, 5)
}

// TestCoverageOfNeverReachesIsExact takes from policies, one by one, that they isolate
// for a direction.
func TestCoverageOfNeverReachesIsExact(t *testing.T) {
	turned := 0
	rapid.Check(t, func(t *rapid.T) {
		c, p, q := smallCluster(t), smallProfile(t), drawQuestion(t)
		from, to := q.anyPod(), q.other.text
		if q.incoming {
			from, to = to, from
		}
		holds := func(c *reachtest.Cluster) (holds bool) {
			run(func(tb reachtest.TB) { holds = c.NeverReaches(tb, from, to, q.ports+"!") })
			return holds
		}
		var cov reachtest.Coverage
		base := cov.Watch(reachtest.Objects(t, c)).Under(t, p)
		held := holds(base)
		for _, it := range cov.Items() {
			if it.Kind != reachtest.Isolation || !held {
				assert.Equal(t, reachtest.Uncovered, it.Level, "%v", it)
				continue
			}
			i := slices.IndexFunc(c.Policies, func(np *networkingv1.NetworkPolicy) bool {
				return "NetworkPolicy "+np.Namespace+"/"+np.Name == it.Place.Object
			})
			without := c.Policies[i].DeepCopy()
			without.Spec.PolicyTypes = slices.DeleteFunc(without.Spec.PolicyTypes, func(d networkingv1.PolicyType) bool {
				return strings.EqualFold(string(d), it.Direction.String())
			})
			edit := policy.Put(without)
			if len(without.Spec.PolicyTypes) == 0 {
				edit = policy.Remove("NetworkPolicy", without.Namespace, without.Name)
			}
			turns := !holds(reachtest.Objects(t, c).Under(t, p).With(t, edit))
			assert.Equal(t, turns, it.Level == reachtest.Covered, "%v, of %s -> %s on %s under %+v", it, from, to, q.ports, p)
			if turns {
				turned++
			}
		}
	})
	assert.Greater(t, turned, 10)
}
