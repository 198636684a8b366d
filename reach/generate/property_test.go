package generate_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/generate"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

// namespacesOf returns the namespaces of a cluster.
func namespacesOf(t require.TestingT, c *policy.Cluster) []string {
	m, err := c.Model()
	require.NoError(t, err)
	var names []string
	for _, ns := range m.Namespaces {
		names = append(names, ns.Name)
	}
	return names
}

func drawNamespaces(t *rapid.T, c *policy.Cluster, least int) []string {
	all := namespacesOf(t, c)
	return rapid.SliceOfNDistinct(rapid.SampledFrom(all), least, len(all), rapid.ID[string]).Draw(t, "namespaces")
}

// With complementary policies every flow stays as it was under any plugin, but for those
// that the Result tells, which do not.
func TestComplementKeepsFlows(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	gen := reachtest.Gen{MaxPods: 5}
	exact, inexact := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		d := rapid.SampledFrom([]policy.Direction{policy.Egress, policy.Ingress}).Draw(t, "direction")
		p := reachtest.Draw(t, gen.Profiles(), "profile")
		closed := drawNamespaces(t, c, 1)
		g := compile(t, p, c, "")
		r, err := generate.Complement(g, d, closed...)
		if p.NotEnforced && len(g.Pods()) > 0 {
			assert.ErrorContains(t, err, "no plugin")
			return
		}
		require.NoError(t, err)
		b := newBrute(c, g, compile(t, p, c, r.YAML()), r)
		b.each(func(f bruteFlow) {
			was, is := b.before.Allows(f.inBefore()), b.after.Allows(f.inAfter())
			extra, missing := b.tells(r, f)
			if ((is && !was) != extra || (was && !is) != missing) && b.hasPath(f) {
				t.Fatalf("%s: was %v, is %v, told as extra %v, as missing %v\n%s", f, was, is, extra, missing, r.YAML())
			}
		})
		assert.Empty(t, b.neverSeen(r))
		for _, np := range r.Policies {
			assert.Contains(t, closed, np.Namespace)
		}
		assertNames(t, c, r)
		if r.IsExact() {
			exact++
		} else {
			inexact++
		}
	})
	assert.Greater(t, exact, inexact)
	assert.Positive(t, inexact)
}

// assertNames asserts that the names of policies are DNS labels, and nobody else's.
func assertNames(t require.TestingT, c *policy.Cluster, r *generate.Result) {
	taken := make(map[types.NamespacedName]bool)
	for _, np := range c.Policies {
		taken[types.NamespacedName{Namespace: cmp.Or(np.Namespace, "default"), Name: np.Name}] = true
	}
	for _, np := range r.Policies {
		assert.Empty(t, validation.IsDNS1123Label(np.Name), np.Name)
		name := types.NamespacedName{Namespace: np.Namespace, Name: np.Name}
		assert.False(t, taken[name], "%s is taken", name)
		taken[name] = true
	}
}

// What is made does not depend on the order of objects, of needs and of namespaces.
func TestOrderDoesNotMatter(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	gen := reachtest.Gen{MaxPods: 6}
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		g := compile(t, reach.Profile{}, c, "")
		var needs []generate.Need
		for _, n := range rapid.SliceOfN(drawNeed(g), 1, 4).Draw(t, "needs") {
			needs = append(needs, n.need)
		}
		closed := drawNamespaces(t, c, 1)
		d := c.Clone()
		d.Pods = rapid.Permutation(d.Pods).Draw(t, "pods")
		d.Policies = rapid.Permutation(d.Policies).Draw(t, "policies")
		h := compile(t, reach.Profile{}, d, "")
		text := func(r *generate.Result, err error) string {
			if err != nil {
				return "error"
			}
			return fmt.Sprint(r.YAML(), r.Extra, r.Missing, r.Warnings)
		}
		others := rapid.Permutation(closed).Draw(t, "closed")
		assert.Equal(t, text(generate.Complement(g, policy.Egress, closed...)), text(generate.Complement(h, policy.Egress, others...)))
		assert.Equal(t, text(generate.Tightest(g, needs, closed...)), text(generate.Tightest(h, rapid.Permutation(needs).Draw(t, "other needs"), others...)))
	})
}

// A drawnEnd is an end of a Need, with what it means.
type drawnEnd struct {
	text    string
	indices []int    // of pods and nodes
	addrs   cidr.Set // of blocks
}

// mayHave reports whether a flow over a family may have an end there.
func (e drawnEnd) mayHave(x bruteEnd, family reach.Family) bool {
	if e.mustHave(x) || x.index < 0 {
		return e.mustHave(x)
	}
	for p := range e.addrs.Intersect(x.before.Addrs()).Prefixes() {
		if p.Addr().Is4() == (family == reach.IPv4) {
			return true
		}
	}
	return false
}

// mustHave reports whether flows must be allowed that have an end there.
func (e drawnEnd) mustHave(x bruteEnd) bool {
	return x.index < 0 && e.addrs.Contains(x.addr) || slices.Contains(e.indices, x.index)
}

func drawEnd(t *rapid.T, g *reach.Graph) drawnEnd {
	pods, nodes, known := g.Pods(), g.Nodes(), livePods(t, g.Cluster())
	which := func(text string, is func(p *policy.Pod) bool) drawnEnd {
		e := drawnEnd{text: text}
		for i := range known {
			if is(&known[i]) {
				e.indices = append(e.indices, i)
			}
		}
		return e
	}
	kind := rapid.SampledFrom([]string{"pod", "pod", "pod", "pods", "workload", "namespace", "labels", "node", "block"}).Draw(t, "kind of end")
	if len(pods) == 0 && kind != "node" || len(nodes) == 0 && kind == "node" {
		kind = "block"
	}
	switch kind {
	case "block":
		block := reachtest.Draw(t, reachtest.Gen{NoLegacyBlocks: true}.Blocks(), "block")
		set, err := cidr.Parse(block.CIDR, block.Except...)
		require.NoError(t, err)
		if set.IsEmpty() {
			break
		}
		text := block.CIDR
		if len(block.Except) > 0 {
			text += " except " + strings.Join(block.Except, " and ")
		}
		return drawnEnd{text: text, addrs: set}
	case "node":
		i := rapid.IntRange(0, len(nodes)-1).Draw(t, "node")
		return drawnEnd{text: nodes[i].String(), indices: []int{len(pods) + i}}
	case "pods":
		return which("pods", func(*policy.Pod) bool { return true })
	}
	if len(pods) == 0 {
		return drawnEnd{text: "0.0.0.0/0", addrs: cidr.Of(everything...)}
	}
	i := rapid.IntRange(0, len(pods)-1).Draw(t, "pod")
	pod := known[i]
	switch ns := pod.Name.Namespace; {
	case kind == "workload" && pod.Owner.Kind == "Deployment":
		return which("deploy:"+ns+"/"+pod.Owner.Name, func(p *policy.Pod) bool { return p.Owner == pod.Owner && p.Name.Namespace == ns })
	case kind == "namespace":
		return which("pods in "+ns, func(p *policy.Pod) bool { return p.Name.Namespace == ns })
	case kind == "labels" && len(pod.Labels) > 0:
		k := slices.Min(slices.Collect(maps.Keys(pod.Labels)))
		return which(fmt.Sprintf("pods %s=%s in %s", k, pod.Labels[k], ns), func(p *policy.Pod) bool {
			v, ok := p.Labels[k]
			return ok && v == pod.Labels[k] && p.Name.Namespace == ns
		})
	}
	return drawnEnd{text: pods[i].String(), indices: []int{i}}
}

func livePods(t require.TestingT, c *policy.Cluster) []policy.Pod {
	m, err := c.Model()
	require.NoError(t, err)
	return slices.DeleteFunc(m.Pods, func(p policy.Pod) bool { return p.Terminated })
}

type drawnNeed struct {
	need     generate.Need
	from, to drawnEnd
	ports    policy.PortSet
	byName   bool
}

func (n drawnNeed) GoString() string { return n.need.String() }

func drawNeed(g *reach.Graph) *rapid.Generator[drawnNeed] {
	return rapid.Custom(func(t *rapid.T) drawnNeed {
		n := drawnNeed{from: drawEnd(t, g), to: drawEnd(t, g)}
		ports := rapid.SampledFrom([]string{"80", "81", "53/UDP", "80, 8000-8080", "all", "SCTP", "TCP"}).Draw(t, "ports")
		n.need = generate.Need{From: n.from.text, To: n.to.text, Ports: ports}
		var err error
		n.ports, err = policy.ParsePortSet(ports)
		require.NoError(t, err)
		if pods := g.Pods(); len(n.to.indices) == 1 && n.to.indices[0] < len(pods) && rapid.Bool().Draw(t, "by name") {
			for _, cp := range livePods(t, g.Cluster())[n.to.indices[0]].Ports {
				if p, err := pods[n.to.indices[0]].Target().Port(cp.Name + "/" + cp.Port.Protocol.String()); err == nil {
					n.need.Ports, n.byName = cp.Name+"/"+cp.Port.Protocol.String(), true
					n.ports = policy.NewPortSet(policy.PortRange{Protocol: p.Protocol, First: p.Number, Last: p.Number})
				}
			}
		}
		return n
	})
}

// isLike reports whether policies cannot tell an end from what a Need means: it is a pod
// with the same labels, or has an address in common.
func (b *brute) isLike(x bruteEnd, e drawnEnd) bool {
	addrs := e.addrs
	for _, i := range e.indices {
		if i == x.index {
			return true
		}
		if i < len(b.pods) && x.index >= 0 && x.index < len(b.pods) {
			p, q := b.pods[i], b.pods[x.index]
			if p.Name.Namespace == q.Name.Namespace && maps.Equal(p.Labels, q.Labels) {
				return true
			}
		}
		if i >= len(b.pods) || b.pods[i].HostNetwork {
			n := slices.IndexFunc(b.ends, func(y bruteEnd) bool { return y.index == i })
			addrs = addrs.Union(b.ends[n].before.Addrs())
		}
	}
	if x.index < 0 {
		return addrs.Contains(x.addr)
	}
	return !addrs.Intersect(x.before.Addrs()).IsEmpty()
}

// The tightest policies allow every need, and close nothing that default deny does not.
// They open nothing else but what the Result tells, and of that only what policies
// cannot tell apart from a need.
func TestTightestIsTight(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	gen := reachtest.Gen{MaxPods: 5, MaxPolicies: 3}
	made, inexact, impossible := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		p := reach.Profile{HostNetworkAsPods: rapid.Bool().Draw(t, "host network as pods")}
		g := compile(t, p, c, "")
		needs := rapid.SliceOfN(drawNeed(g), 1, 4).Draw(t, "needs")
		closed := drawNamespaces(t, c, 0)
		var list []generate.Need
		for _, n := range needs {
			list = append(list, n.need)
		}
		r, err := generate.Tightest(g, list, closed...)
		if err != nil {
			impossible++
			assert.ErrorContains(t, err, "no policy can allow this")
			assert.True(t, slices.ContainsFunc(needs, func(n drawnNeed) bool { return mayBeImpossible(g, n) }), "%v", err)
			return
		}
		made++
		require.Empty(t, r.Missing)
		assertNames(t, c, r)
		again, err := generate.Tightest(r.After, list, closed...)
		require.NoError(t, err)
		assert.Empty(t, again.Policies, "what is there already is made again")
		if len(r.Extra) > 0 {
			inexact++
		}
		b := newBrute(c, compile(t, p, denyAll(c, closed), ""), compile(t, p, c, r.YAML()), r)
		b.each(func(f bruteFlow) {
			was, is := b.before.Allows(f.inBefore()), b.after.Allows(f.inAfter())
			extra, _ := b.tells(r, f)
			may, must, like := false, false, false
			for _, n := range needs {
				// Another pod with the same labels can mean another port by the name.
				like = like || (n.byName || n.ports.Contains(f.port)) && b.isLike(f.from, n.from) && b.isLike(f.to, n.to)
				if !n.ports.Contains(f.port) {
					continue
				}
				may = may || n.from.mayHave(f.from, f.family) && n.to.mayHave(f.to, f.family)
				must = must || n.from.mustHave(f.from) && n.to.mustHave(f.to)
			}
			switch {
			case was && !is:
				t.Fatalf("%s: closed by\n%s", f, r.YAML())
			case must && !is && b.hasPath(f):
				t.Fatalf("%s: needed, and not allowed by\n%s", f, r.YAML())
			case (is && !was && !may) != extra && b.hasPath(f):
				t.Fatalf("%s: was %v, is %v, wanted %v, told as extra %v\n%s", f, was, is, may, extra, r.YAML())
			case is && !was && !like:
				t.Fatalf("%s: opened though nothing like it is needed by\n%s", f, r.YAML())
			}
		})
		assert.Empty(t, b.neverSeen(r))
	})
	assert.Greater(t, made, impossible)
	assert.Positive(t, inexact)
	assert.Positive(t, impossible)
}

// mayBeImpossible reports whether a need is about ends of which no address of some
// family is known: what has no address policies cannot name, unless it is a pod, and
// ends with addresses of one family each have no way to each other.
func mayBeImpossible(g *reach.Graph, n drawnNeed) bool {
	ends := append(g.Pods(), g.Nodes()...)
	for _, e := range []drawnEnd{n.from, n.to} {
		var sets []cidr.Set
		for _, i := range e.indices {
			sets = append(sets, ends[i].Addrs())
		}
		if !e.addrs.IsEmpty() {
			sets = append(sets, e.addrs)
		}
		for _, s := range sets {
			for _, family := range everything {
				if s.Intersect(cidr.Of(family)).IsEmpty() {
					return true
				}
			}
		}
	}
	return false
}

// addDNS adds DNS servers to a cluster, behind a Service with some target ports.
func addDNS(t *rapid.T, c *policy.Cluster) {
	target := rapid.SampledFrom([]intstr.IntOrString{{}, intstr.FromInt32(5353), intstr.FromString("dns")}).Draw(t, "target port")
	s := &corev1.Service{}
	s.Namespace, s.Name = "kube-system", "kube-dns"
	s.Spec.Selector = map[string]string{"k8s-app": "kube-dns"}
	for _, p := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "dns-" + strings.ToLower(string(p)), Protocol: p, Port: 53, TargetPort: target})
	}
	if rapid.Bool().Draw(t, "headless") {
		s.Spec.ClusterIP = corev1.ClusterIPNone
	}
	c.Services = append(c.Services, s)
	for i := range rapid.IntRange(1, 2).Draw(t, "servers") {
		p := &corev1.Pod{}
		p.Namespace, p.Name = "kube-system", fmt.Sprintf("dns-%d", i)
		p.Labels = map[string]string{"k8s-app": "kube-dns"}
		p.Spec.Containers = []corev1.Container{{Name: "dns", Image: "dns"}}
		for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "of-" + strings.ToLower(string(protocol)), Image: "dns",
				Ports: []corev1.ContainerPort{{Name: "dns", Protocol: protocol, ContainerPort: int32(1053 + i)}}})
		}
		c.Pods = append(c.Pods, p)
	}
	if rapid.Bool().Draw(t, "another") {
		p := &corev1.Pod{}
		p.Namespace, p.Name = "kube-system", "agent"
		p.Spec.Containers = []corev1.Container{{Name: "agent", Image: "agent"}}
		c.Pods = append(c.Pods, p)
	}
}

// Under default deny, every pod of the closed namespaces resolves names over both
// protocols, and opens nothing else.
func TestDefaultDenyLeavesDNS(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	gen := reachtest.Gen{MaxPods: 4, MaxPolicies: 3}
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		addDNS(t, c)
		closed := drawNamespaces(t, c, 1)
		g := compile(t, reach.Profile{}, c, "")
		r, err := generate.DefaultDeny(g, closed...)
		require.NoError(t, err)
		require.True(t, r.IsExact(), "%v", r.Extra)
		b := newBrute(c, compile(t, reach.Profile{}, denyAll(c, closed), ""), compile(t, reach.Profile{}, c, r.YAML()), r)
		for _, x := range b.ends {
			if x.index < 0 || x.index >= len(b.pods) || b.pods[x.index].HostNetwork {
				continue
			}
			was, err := g.DNS(g.MustLookup(x.after.String()))
			require.NoError(t, err)
			is, err := b.after.DNS(x.after)
			require.NoError(t, err)
			if was.Resolves() && !is.Resolves() {
				t.Fatalf("%s no longer resolves names:\n%s", x.after, is)
			}
			for _, trace := range slices.Concat(is.UDP, is.TCP) {
				if slices.Contains(closed, x.after.Name().Namespace) && (trace.Outcome == reach.None || trace.Outcome == reach.Some) {
					t.Fatalf("%s\n%s", trace, r.YAML())
				}
			}
		}
		b.each(func(f bruteFlow) {
			if !b.after.Allows(f.inAfter()) || b.before.Allows(f.inBefore()) {
				return
			}
			to := b.pods[max(f.to.index, 0)]
			if f.to.index < 0 || f.to.index >= len(b.pods) || to.Labels["k8s-app"] != "kube-dns" || f.port.Protocol == policy.SCTP ||
				!slices.Contains([]uint16{53, 5353, 1053, 1054}, f.port.Number) {
				t.Fatalf("%s: opened by\n%s", f, r.YAML())
			}
		})
	})
}
