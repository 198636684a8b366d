package reach_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// families are those that a Flow can ask for.
var families = []reach.Family{reach.AnyFamily, reach.IPv4, reach.IPv6}

// A sample counts the answers that a property saw, so that one that only ever
// saw the same answer fails.
type sample struct{ allowed, denied int }

func (s *sample) add(allowed bool) {
	if allowed {
		s.allowed++
	} else {
		s.denied++
	}
}

func (s *sample) check(t *testing.T) {
	t.Helper()
	t.Logf("%d allowed, %d denied", s.allowed, s.denied)
	total := s.allowed + s.denied
	if total < 100 || s.allowed < total/50 || s.denied < total/50 {
		t.Errorf("the sample is one-sided: %d allowed, %d denied", s.allowed, s.denied)
	}
}

func compile(t *rapid.T, p reach.Profile, c *policy.Cluster) *reach.Graph {
	g, err := p.Compile(c)
	if err != nil {
		t.Fatalf("a generated cluster does not compile: %v", err)
	}
	return g
}

// drawEnds returns the texts of all ends of c that are not outside, and some
// addresses.
func drawEnds(t *rapid.T, c *policy.Cluster, n *naive) []string {
	ends := n.ends()
	for range 3 {
		if a := genAddr(t, c).String(); n.knows(a) && !slices.Contains(ends, a) {
			ends = append(ends, a)
		}
	}
	return ends
}

// The compiled answer, the explained answer and that of the naive evaluator are
// equal for every pair of ends, over every family, under every profile.
func TestPropertyCompiledExplainedNaive(t *testing.T) {
	var seen sample
	rapid.Check(t, func(t *rapid.T) { checkAgainstNaive(t, &seen) })
	seen.check(t)
}

// FuzzCompiledExplainedNaive lets the fuzzer look for clusters that break the
// property.
func FuzzCompiledExplainedNaive(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { checkAgainstNaive(t, new(sample)) }))
}

func checkAgainstNaive(t *rapid.T, seen *sample) {
	c, p := genCluster(t), genProfile(t)
	g, n := compile(t, p, c), newNaive(c, p)
	ends := drawEnds(t, c, n)
	ports := []policy.Port{genPort(t, c), genPort(t, c), genPort(t, c)}
	for _, from := range ends {
		for _, to := range ends {
			for _, port := range ports {
				for _, fam := range families {
					f := reach.Flow{From: g.MustLookup(from), To: g.MustLookup(to), Port: port, Family: fam}
					want := n.allows(from, to, port, fam)
					seen.add(want)
					if got := g.Allows(f); got != want {
						t.Fatalf("%s -> %s %s over %v, profile %+v: compiled %v, naive %v\n%v", from, to, port, fam, p, got, want, g.Explain(f))
					}
					if v := g.Explain(f); v.Allowed != want {
						t.Fatalf("%s -> %s %s over %v, profile %+v: explained %v, naive %v\n%v", from, to, port, fam, p, v.Allowed, want, v)
					} else if v.Reason == reach.Policies && (g.Isolated(f.From, policy.Egress) != (len(v.Egress.Isolating) > 0) ||
						g.Isolated(f.To, policy.Ingress) != (len(v.Ingress.Isolating) > 0)) {
						t.Fatalf("isolated as not explained, profile %+v\n%v", p, v)
					}
				}
			}
		}
	}
}

// A pod, a workload or a node that Lookup finds is found again by its text.
func FuzzLookup(f *testing.F) {
	g := shop(f)
	for _, text := range []string{
		"shop/web", "shop/api", "pod:shop/api", "deploy:shop/api", "sts:data/postgres", "replica:shop/api",
		"node:n1", "node-of:shop/api", "node-of:replica:shop/api", "203.0.113.9", "2001:db8::9", "fe80::1%eth0",
		"::ffff:10.0.0.1", "", "/", ":", "svc:shop/api", "replica:replica:shop/api",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := g.Lookup(text)
		if err != nil {
			require.Equal(t, reach.Endpoint{}, e)
			return
		}
		if _, isAddr := netip.ParseAddr(text); isAddr == nil {
			return // prints as all the addresses that it stands for
		}
		again, err := g.Lookup(e.String())
		require.NoError(t, err)
		require.Equal(t, e, again)
	})
}

// A field is in DependsOn exactly if some other value of it turns the answer.
func TestPropertyDependsOn(t *testing.T) {
	depends := 0
	rapid.Check(t, func(t *rapid.T) {
		c := genCluster(t)
		g := compile(t, reach.Profile{}, c)
		n := newNaive(c, reach.Profile{})
		ends := drawEnds(t, c, n)
		from, to := rapid.SampledFrom(ends).Draw(t, "from"), rapid.SampledFrom(ends).Draw(t, "to")
		port := genPort(t, c)
		v := g.Explain(reach.Flow{From: g.MustLookup(from), To: g.MustLookup(to), Port: port})
		for field, others := range map[string][]reach.Profile{
			"IPBlockSkipsPods":       {{IPBlockSkipsPods: true}},
			"IPBlockSkipsNodes":      {{IPBlockSkipsNodes: true}},
			"HostNetworkAsPods":      {{HostNetworkAsPods: true}},
			"EgressToOwnNodeAllowed": {{EgressToOwnNodeAllowed: true}},
			"EndPortIgnored":         {{EndPortIgnored: true}},
			"SCTP":                   {{SCTP: reach.SCTPDropped}, {SCTP: reach.SCTPBypasses}},
			"NamedPorts":             {{NamedPorts: reach.NamedPortsOfContainers}, {NamedPorts: reach.NamedPortsOfAllContainers}},
			"NamedPortFirst":         {{NamedPortFirst: true}},
		} {
			want := slices.ContainsFunc(others, func(p reach.Profile) bool {
				other := newNaive(c, p)
				if !other.knows(from) || !other.knows(to) {
					t.Skip("an address that belongs to several ends of the other profile")
				}
				return other.allows(from, to, port, reach.AnyFamily) != v.Allowed
			})
			if got := slices.Contains(v.DependsOn, field); got != want {
				t.Fatalf("depends on %s: got %v, want %v\n%v", field, got, want, v)
			}
			if want {
				depends++
			}
		}
	})
	require.NotZero(t, depends, "no answer in the sample depends on the profile")
}

// probes are ports of every protocol, in and around those that c mentions.
func probes(t *rapid.T, c *policy.Cluster) []policy.Port {
	ports := []policy.Port{policy.TCP.Port(1), policy.TCP.Port(65535), policy.UDP.Port(53), policy.SCTP.Port(9), policy.ICMP.Port(0)}
	for range 4 {
		ports = append(ports, genPort(t, c))
	}
	return ports
}

// sameAnswers fails unless g and h, whose ends have the same texts after
// rename, allow the same flows.
func sameAnswers(t *rapid.T, g, h *reach.Graph, ends []string, rename func(string) string, ports []policy.Port, seen *sample) {
	for _, from := range ends {
		for _, to := range ends {
			for _, port := range ports {
				for _, fam := range families {
					a := reach.Flow{From: g.MustLookup(from), To: g.MustLookup(to), Port: port, Family: fam}
					b := reach.Flow{From: h.MustLookup(rename(from)), To: h.MustLookup(rename(to)), Port: port, Family: fam}
					if g.Allows(a) != h.Allows(b) {
						t.Fatalf("before: %v\nafter: %v", g.Explain(a), h.Explain(b))
					}
					seen.add(g.Allows(a))
				}
			}
		}
	}
}

func same(s string) string { return s }

// unchanged is the property that a change of the cluster changes no answer.
func unchanged(t *testing.T, change func(*rapid.T, *policy.Cluster) *policy.Cluster) {
	var seen sample
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		d := change(t, c)
		ends := drawEnds(t, c, newNaive(c, p))
		sameAnswers(t, compile(t, p, c), compile(t, p, d), ends, same, probes(t, c), &seen)
	})
	seen.check(t)
}

// Shuffling the input changes no answer, no warning and no list.
//
// Tables built by interning and merging depend on the order in which things
// come, and it takes only one map or one early exit for that to show. Keep this
// test even if it has never failed.
func TestPropertyShuffle(t *testing.T) {
	unchanged(t, func(t *rapid.T, c *policy.Cluster) *policy.Cluster {
		d := shuffled(c, rapid.Uint64().Draw(t, "seed"))
		g, h := compile(t, reach.Profile{}, c), compile(t, reach.Profile{}, d)
		if got, want := fmt.Sprint(h.Warnings()), fmt.Sprint(g.Warnings()); got != want {
			t.Fatalf("warnings differ:\n%s\n%s", got, want)
		}
		if got, want := listing(h), listing(g); got != want {
			t.Fatalf("lists differ:\n%s\n%s", got, want)
		}
		return d
	})
}

func listing(g *reach.Graph) string {
	var b strings.Builder
	fmt.Fprintln(&b, g.Pods(), g.Nodes(), g.Outside())
	for e := range g.Edges() {
		fmt.Fprintln(&b, e.From, e.To, e.Ports)
	}
	return b.String()
}

func shuffled(c *policy.Cluster, seed uint64) *policy.Cluster {
	r := rand.New(rand.NewPCG(seed, 0))
	d := *c
	d.Namespaces = shuffle(r, c.Namespaces)
	d.Nodes = shuffle(r, c.Nodes)
	d.Pods = shuffle(r, c.Pods)
	d.Policies = shuffle(r, c.Policies)
	d.Deployments = shuffle(r, c.Deployments)
	d.ReplicaSets = shuffle(r, c.ReplicaSets)
	d.StatefulSets = shuffle(r, c.StatefulSets)
	d.DaemonSets = shuffle(r, c.DaemonSets)
	d.Jobs = shuffle(r, c.Jobs)
	d.CronJobs = shuffle(r, c.CronJobs)
	d.ReplicationControllers = shuffle(r, c.ReplicationControllers)
	d.Services = shuffle(r, c.Services)
	d.EndpointSlices = shuffle(r, c.EndpointSlices)
	return &d
}

// Shuffling the rules of the policies, and the items of the rules, changes no
// answer.
func TestPropertyShuffleRules(t *testing.T) {
	unchanged(t, func(t *rapid.T, c *policy.Cluster) *policy.Cluster {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		return changePolicies(c, func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
			np.Spec.PolicyTypes = shuffle(r, np.Spec.PolicyTypes)
			np.Spec.Ingress = shuffle(r, np.Spec.Ingress)
			np.Spec.Egress = shuffle(r, np.Spec.Egress)
			for i := range np.Spec.Ingress {
				np.Spec.Ingress[i].Ports = shuffle(r, np.Spec.Ingress[i].Ports)
			}
			for i := range np.Spec.Egress {
				np.Spec.Egress[i].Ports = shuffle(r, np.Spec.Egress[i].Ports)
			}
			eachPeers(np, func(peers *[]networkingv1.NetworkPolicyPeer) { *peers = shuffle(r, *peers) })
			return one(np)
		})
	})
}

func shuffle[T any](r *rand.Rand, list []T) []T {
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// changePolicies returns c with each policy replaced by those that change
// returns for a copy of it.
func changePolicies(c *policy.Cluster, change func(*networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy) *policy.Cluster {
	d := *c
	d.Policies = nil
	for _, np := range c.Policies {
		d.Policies = append(d.Policies, change(np.DeepCopy())...)
	}
	return &d
}

func one(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	return []*networkingv1.NetworkPolicy{np}
}

// eachPeers calls f for the peers of every rule.
func eachPeers(np *networkingv1.NetworkPolicy, f func(*[]networkingv1.NetworkPolicyPeer)) {
	for i := range np.Spec.Ingress {
		f(&np.Spec.Ingress[i].From)
	}
	for i := range np.Spec.Egress {
		f(&np.Spec.Egress[i].To)
	}
}

// Splitting a block into its halves changes no answer.
func TestPropertySplitBlock(t *testing.T) {
	split := 0
	unchanged(t, func(t *rapid.T, c *policy.Cluster) *policy.Cluster {
		return changePolicies(c, func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
			eachPeers(np, func(peers *[]networkingv1.NetworkPolicyPeer) {
				var out []networkingv1.NetworkPolicyPeer
				for _, peer := range *peers {
					if peer.IPBlock != nil && len(peer.IPBlock.Except) == 0 {
						if halves, ok := halvesOf(peer.IPBlock.CIDR); ok {
							split++
							for _, h := range halves {
								out = append(out, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: h}})
							}
							continue
						}
					}
					out = append(out, peer)
				}
				*peers = out
			})
			return one(np)
		})
	})
	require.NotZero(t, split, "no block was split")
}

func halvesOf(cidr string) ([2]string, bool) {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || p.Bits() == p.Addr().BitLen() || p.Addr().Is4In6() {
		return [2]string{}, false
	}
	p = p.Masked()
	high := p.Addr().AsSlice()
	high[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	a, _ := netip.AddrFromSlice(high)
	return [2]string{netip.PrefixFrom(p.Addr(), p.Bits()+1).String(), netip.PrefixFrom(a, p.Bits()+1).String()}, true
}

// Splitting a range of ports in two changes no answer, as long as endPort
// counts.
func TestPropertySplitPortRange(t *testing.T) {
	var seen sample
	split := 0
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		p.EndPortIgnored = false
		halve := func(ports []networkingv1.NetworkPolicyPort) []networkingv1.NetworkPolicyPort {
			var out []networkingv1.NetworkPolicyPort
			for _, it := range ports {
				if it.EndPort == nil || *it.EndPort == it.Port.IntVal {
					out = append(out, it)
					continue
				}
				split++
				first, last := it.Port.IntVal, *it.EndPort
				mid := (first + last) / 2
				above := intstr.FromInt32(mid + 1)
				out = append(out,
					networkingv1.NetworkPolicyPort{Protocol: it.Protocol, Port: it.Port, EndPort: &mid},
					networkingv1.NetworkPolicyPort{Protocol: it.Protocol, Port: &above, EndPort: &last})
			}
			return out
		}
		d := changePolicies(c, func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
			for i := range np.Spec.Ingress {
				np.Spec.Ingress[i].Ports = halve(np.Spec.Ingress[i].Ports)
			}
			for i := range np.Spec.Egress {
				np.Spec.Egress[i].Ports = halve(np.Spec.Egress[i].Ports)
			}
			return one(np)
		})
		sameAnswers(t, compile(t, p, c), compile(t, p, d), drawEnds(t, c, newNaive(c, p)), same, probes(t, c), &seen)
	})
	seen.check(t)
	require.NotZero(t, split, "no range was split")
}

// Splitting a policy into one for each of its rules changes no answer.
func TestPropertySplitPolicy(t *testing.T) {
	split := 0
	unchanged(t, func(t *rapid.T, c *policy.Cluster) *policy.Cluster {
		return changePolicies(c, func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
			if len(np.Spec.PolicyTypes) == 0 {
				return one(np) // the parts would have other defaults
			}
			var parts []*networkingv1.NetworkPolicy
			part := func() *networkingv1.NetworkPolicy {
				p := np.DeepCopy()
				p.Name = fmt.Sprintf("part-%d-%d", split, len(parts))
				p.GenerateName = ""
				p.Spec.Ingress, p.Spec.Egress = nil, nil
				parts = append(parts, p)
				return p
			}
			part() // isolates
			for _, r := range np.Spec.Ingress {
				part().Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{r}
			}
			for _, r := range np.Spec.Egress {
				part().Spec.Egress = []networkingv1.NetworkPolicyEgressRule{r}
			}
			split++
			return parts
		})
	})
	require.NotZero(t, split, "no policy was split")
}

// Adding a policy only closes flows at an end that nothing isolated before, and
// only opens flows at an end that something did.
func TestPropertyAddPolicy(t *testing.T) {
	opened, closed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		if len(c.Policies) == 0 {
			t.Skip("no policy to add")
		}
		before := *c
		before.Policies = c.Policies[1:]
		g, h := compile(t, p, &before), compile(t, p, c)
		added := c.Policies[0].Namespace + "/" + c.Policies[0].Name
		ends := drawEnds(t, c, newNaive(c, p))
		for _, from := range ends {
			for _, to := range ends {
				for _, port := range probes(t, c)[:3] {
					f := reach.Flow{From: g.MustLookup(from), To: g.MustLookup(to), Port: port, Family: reach.IPv4}
					v := g.Explain(f)
					w := h.Explain(reach.Flow{From: h.MustLookup(from), To: h.MustLookup(to), Port: port, Family: reach.IPv4})
					if v.Allowed == w.Allowed {
						continue
					}
					isolated := len(v.Egress.Isolating) > 0 || len(v.Ingress.Isolating) > 0
					switch {
					case w.Allowed && !isolated:
						t.Fatalf("%s opened a flow between ends that nothing isolated:\n%v\n%v", added, v, w)
					case len(v.Egress.Isolating) > 0 && v.Egress.Passes() && !w.Egress.Passes(),
						len(v.Ingress.Isolating) > 0 && v.Ingress.Passes() && !w.Ingress.Passes():
						t.Fatalf("%s closed a flow at an end that was isolated:\n%v\n%v", added, v, w)
					case w.Allowed:
						opened++
					default:
						closed++
					}
				}
			}
		}
	})
	require.NotZero(t, opened, "nothing was opened")
	require.NotZero(t, closed, "nothing was closed")
}

// Renaming label keys, label values and namespaces throughout changes no answer.
func TestPropertyRename(t *testing.T) {
	var seen sample
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		d := renamed(c)
		rename := func(text string) string {
			prefix, rest, ok := strings.Cut(text, "/")
			if !ok {
				return text
			}
			i := strings.LastIndex(prefix, ":") + 1
			return prefix[:i] + "q" + prefix[i:] + "/" + rest
		}
		sameAnswers(t, compile(t, p, c), compile(t, p, d), drawEnds(t, c, newNaive(c, p)), rename, probes(t, c), &seen)
	})
	seen.check(t)
}

// Ports holds exactly the ports that Allows, at each boundary and one beside
// it, and Edges holds exactly the pairs whose Ports is not empty.
func TestPropertyPortsAndEdges(t *testing.T) {
	var seen sample
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		g := compile(t, p, c)
		edges := make(map[[2]reach.Endpoint]policy.PortSet)
		for e := range g.Edges() {
			pair := [2]reach.Endpoint{e.From, e.To}
			if _, twice := edges[pair]; twice {
				t.Fatalf("%v -> %v is listed twice", e.From, e.To)
			}
			if e.From == e.To || e.Ports.IsEmpty() {
				t.Fatalf("%v -> %v on %v is no edge", e.From, e.To, e.Ports)
			}
			edges[pair] = e.Ports
		}
		pods := g.Pods()
		ends := slices.Concat(pods, g.Nodes(), g.Outside())
		for i, from := range ends {
			for j, to := range ends {
				set := g.Ports(from, to)
				family := families[(i+j)%len(families)]
				over := g.PortsOver(family, from, to)
				if i != j && (i < len(pods) || j < len(pods)) && !edges[[2]reach.Endpoint{from, to}].Equal(set) {
					t.Fatalf("%v -> %v: Edges has %v, Ports %v", from, to, edges[[2]reach.Endpoint{from, to}], set)
				}
				try := probes(t, c)
				for r := range set.Ranges() {
					if r.Protocol != 0 {
						for _, n := range []int{int(r.First) - 1, int(r.First), int(r.Last), int(r.Last) + 1} {
							if n >= 1 && n <= 65535 {
								try = append(try, r.Protocol.Port(uint16(n)))
							}
						}
					}
				}
				for _, port := range try {
					allowed := g.Allows(reach.Flow{From: from, To: to, Port: port})
					seen.add(allowed)
					if set.Contains(port) != allowed {
						t.Fatalf("%v -> %v %v: Ports %v, Allows %v", from, to, port, set, allowed)
					}
					if f := (reach.Flow{From: from, To: to, Port: port, Family: family}); over.Contains(port) != g.Allows(f) {
						t.Fatalf("%v: PortsOver %v, Allows %v", f, over, g.Allows(f))
					}
				}
			}
		}
	})
	seen.check(t)
}

// renamed returns c with "q" before every namespace, label key and label value.
func renamed(c *policy.Cluster) *policy.Cluster {
	labels := func(m map[string]string) map[string]string {
		out := make(map[string]string)
		for k, v := range m {
			out[renamedKey(k)] = "q" + v
		}
		return out
	}
	meta := func(m *metav1.ObjectMeta) {
		m.Namespace = "q" + cmp.Or(m.Namespace, "default")
		m.Labels = labels(m.Labels)
	}
	template := func(t *corev1.PodTemplateSpec) { t.Labels = labels(t.Labels) }
	selector := func(s *metav1.LabelSelector) {
		if s == nil {
			return
		}
		s.MatchLabels = labels(s.MatchLabels)
		for i := range s.MatchExpressions {
			e := &s.MatchExpressions[i]
			e.Key = renamedKey(e.Key)
			for j := range e.Values {
				e.Values[j] = "q" + e.Values[j]
			}
		}
	}
	d := &policy.Cluster{
		Nodes: c.Nodes,
		Namespaces: changed(c.Namespaces, func(ns *corev1.Namespace) {
			ns.Name = "q" + ns.Name
			ns.Labels = labels(ns.Labels)
		}),
		Pods:         changed(c.Pods, func(p *corev1.Pod) { meta(&p.ObjectMeta) }),
		Deployments:  changed(c.Deployments, func(w *appsv1.Deployment) { meta(&w.ObjectMeta); template(&w.Spec.Template) }),
		ReplicaSets:  changed(c.ReplicaSets, func(w *appsv1.ReplicaSet) { meta(&w.ObjectMeta); template(&w.Spec.Template) }),
		StatefulSets: changed(c.StatefulSets, func(w *appsv1.StatefulSet) { meta(&w.ObjectMeta); template(&w.Spec.Template) }),
		DaemonSets:   changed(c.DaemonSets, func(w *appsv1.DaemonSet) { meta(&w.ObjectMeta); template(&w.Spec.Template) }),
		Jobs:         changed(c.Jobs, func(w *batchv1.Job) { meta(&w.ObjectMeta); template(&w.Spec.Template) }),
		CronJobs: changed(c.CronJobs, func(w *batchv1.CronJob) {
			meta(&w.ObjectMeta)
			template(&w.Spec.JobTemplate.Spec.Template)
		}),
		ReplicationControllers: changed(c.ReplicationControllers, func(w *corev1.ReplicationController) {
			meta(&w.ObjectMeta)
			if w.Spec.Template != nil {
				template(w.Spec.Template)
			}
		}),
	}
	for _, np := range c.Policies {
		np = np.DeepCopy()
		meta(&np.ObjectMeta)
		selector(&np.Spec.PodSelector)
		eachPeers(np, func(peers *[]networkingv1.NetworkPolicyPeer) {
			for _, p := range *peers {
				selector(p.PodSelector)
				selector(p.NamespaceSelector)
			}
		})
		d.Policies = append(d.Policies, np)
	}
	return d
}

func renamedKey(key string) string {
	if key == corev1.LabelMetadataName {
		return key // the API server sets it
	}
	return "q" + key
}

// changed returns copies of objects, each changed.
func changed[T any, P interface {
	*T
	DeepCopy() *T
}](objects []*T, change func(*T)) []*T {
	out := make([]*T, len(objects))
	for i, o := range objects {
		out[i] = P(o).DeepCopy()
		change(out[i])
	}
	return out
}
