package generate_test

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/generate"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
)

// A brute judges a Result by asking for every flow there is: between all ends, at the
// ports where an answer can turn, over both families. It asks Graphs that are compiled
// from scratch.
type brute struct {
	before, after *reach.Graph // the flows that count are those that only one of them allows
	ends          []bruteEnd
	ports         []policy.Port
	near          map[[2]int]bool // one is the node of the other, or counts as it
	pods          []policy.Pod
	told          map[string]bool // the rows of the Result of which there was a flow
}

// A bruteEnd is a pod, a node or an address, in both Graphs.
type bruteEnd struct {
	before, after reach.Endpoint // to ask about
	lost, found   reach.Endpoint // as the Result tells it; of the replica of a workload, the workload
	addr          netip.Addr     // outside the cluster
	index         int            // in Pods, or the number of pods more in Nodes; -1 outside
	twin          bool           // the replica of a workload
}

// compile compiles a cluster with more policies, of which it reads the text.
func compile(t require.TestingT, p reach.Profile, c *policy.Cluster, manifests string) *reach.Graph {
	all := c
	if manifests != "" {
		more, err := policy.Parse("generated.yaml", strings.NewReader(manifests))
		require.NoError(t, err, manifests)
		all = c.Clone()
		all.Policies = append(all.Policies, more.Policies...)
	}
	g, err := p.Compile(all)
	require.NoError(t, err, manifests)
	return g
}

// denyAll returns a cluster in which every pod of some namespaces is isolated.
func denyAll(c *policy.Cluster, namespaces []string) *policy.Cluster {
	c = c.Clone()
	for _, name := range namespaces {
		np := &networkingv1.NetworkPolicy{}
		np.Namespace, np.Name = name, "deny-everything"
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
		c.Policies = append(c.Policies, np)
	}
	return c
}

var everything = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

func newBrute(c *policy.Cluster, before, after *reach.Graph, r *generate.Result) *brute {
	b := &brute{before: before, after: after, near: make(map[[2]int]bool), told: make(map[string]bool)}
	ends := func(g *reach.Graph) []reach.Endpoint { return append(g.Pods(), g.Nodes()...) }
	for i, e := range ends(before) {
		x := bruteEnd{before: e, after: ends(after)[i], lost: e, found: ends(r.After)[i], index: i}
		b.ends = append(b.ends, x)
		var err error
		if x.before, err = before.Lookup("replica:" + e.String()); err == nil {
			x.after, x.twin = after.MustLookup("replica:"+e.String()), true
			b.ends = append(b.ends, x)
		}
	}
	addrs := make(map[netip.Addr]bool)
	for _, g := range []*reach.Graph{before, after} {
		for _, e := range g.Outside() {
			addrs[e.Addrs().First()] = true
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(addrs), netip.Addr.Compare) {
		b.ends = append(b.ends, bruteEnd{before: before.MustLookup(a.String()), after: after.MustLookup(a.String()), addr: a, index: -1})
	}
	b.ports = portsIn(slices.Concat(c.Policies, r.Policies), before)
	for _, x := range b.ends {
		for _, y := range b.ends {
			b.near[[2]int{x.index, y.index}] = b.onOneNode(x, y)
		}
	}
	m, err := before.Cluster().Model()
	if err != nil {
		panic(err)
	}
	b.pods = slices.DeleteFunc(m.Pods, func(p policy.Pod) bool { return p.Terminated })
	return b
}

// portsIn returns the ports in policies and of pods, those beside them, and a few more.
func portsIn(policies []*networkingv1.NetworkPolicy, g *reach.Graph) []policy.Port {
	numbers := map[int]bool{1: true, 65535: true, 7777: true}
	for _, np := range policies {
		p, err := policy.New(np)
		if err != nil {
			panic(err)
		}
		for _, half := range []policy.Half{p.Egress, p.Ingress} {
			for _, rule := range half.Rules {
				for _, it := range rule.Ports {
					numbers[int(it.First)], numbers[int(it.Last)] = true, true
				}
			}
		}
	}
	m, err := g.Cluster().Model()
	if err != nil {
		panic(err)
	}
	for _, p := range m.Pods {
		for _, cp := range p.Ports {
			numbers[int(cp.Port.Number)] = true
		}
	}
	all := map[policy.Port]bool{policy.ICMP.Port(0): true}
	for n := range numbers {
		for _, k := range []int{n - 1, n, n + 1} {
			if 1 <= k && k <= 65535 {
				for _, p := range []policy.Protocol{policy.TCP, policy.UDP, policy.SCTP} {
					all[p.Port(uint16(k))] = true
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b policy.Port) int { return strings.Compare(a.String(), b.String()) })
}

// A bruteFlow is a flow in both Graphs.
type bruteFlow struct {
	from, to bruteEnd
	port     policy.Port
	family   reach.Family
}

func (f bruteFlow) String() string { return f.inAfter().String() }

func (f bruteFlow) inAfter() reach.Flow {
	return reach.Flow{From: f.from.after, To: f.to.after, Port: f.port, Family: f.family}
}

func (f bruteFlow) inBefore() reach.Flow {
	return reach.Flow{From: f.from.before, To: f.to.before, Port: f.port, Family: f.family}
}

// each calls yield for every flow between two ends of which one is a pod.
func (b *brute) each(yield func(f bruteFlow)) {
	for _, from := range b.ends {
		for _, to := range b.ends {
			if from.twin || from.index == to.index && !to.twin || from.index >= len(b.pods) && to.index >= len(b.pods) || from.index < 0 && to.index < 0 {
				continue // a replica is as good as the workload itself; nobody asks for oneself
			}
			for _, family := range []reach.Family{reach.IPv4, reach.IPv6} {
				for _, port := range b.ports {
					yield(bruteFlow{from, to, port, family})
				}
			}
		}
	}
}

// onOneNode reports whether one of two ends is the node of the other, or counts as it.
func (b *brute) onOneNode(from, to bruteEnd) bool {
	nodeOf := func(e bruteEnd) (string, bool) {
		if e.index < 0 {
			return "", false
		}
		if name := e.before.Name(); name.Namespace == "" {
			return e.before.String(), true
		}
		n, err := b.before.Lookup("node-of:" + e.before.String())
		if err != nil {
			return "", false
		}
		return n.String(), b.before.Explain(reach.Flow{From: e.before, To: b.before.MustLookup("outside:*"), Port: policy.TCP.Port(1)}).Reason == reach.NotSubject
	}
	x, xIsNode := nodeOf(from)
	y, yIsNode := nodeOf(to)
	return x == y && x != "" && (xIsNode || yIsNode)
}

// tells reports whether a Result tells of a flow as extra or as missing.
func (b *brute) tells(r *generate.Result, f bruteFlow) (extra, missing bool) {
	in := func(e generate.Ends, x bruteEnd, m reach.Endpoint) bool {
		if x.index < 0 {
			return e.Outside.Contains(x.addr)
		}
		return slices.Contains(e.Members, m)
	}
	about := func(fl generate.Flows) bool {
		return (fl.Family == reach.AnyFamily || fl.Family == f.family) && fl.Ports.Contains(f.port) &&
			fl.OwnNode == b.near[[2]int{f.from.index, f.to.index}]
	}
	for _, fl := range r.Extra {
		if about(fl) && in(fl.From, f.from, f.from.found) && in(fl.To, f.to, f.to.found) {
			extra, b.told[fl.String()] = true, true
		}
	}
	for _, fl := range r.Missing {
		if about(fl) && in(fl.From, f.from, f.from.lost) && in(fl.To, f.to, f.to.lost) {
			missing, b.told[fl.String()] = true, true
		}
	}
	return extra, missing
}

// neverSeen returns what a Result tells of which there was no flow. What is told of one
// of several addresses of a pod or node is not among the ends.
func (b *brute) neverSeen(r *generate.Result) []generate.Flows {
	isEnd := func(e generate.Ends) bool {
		return !e.Outside.IsEmpty() || slices.ContainsFunc(b.ends, func(x bruteEnd) bool {
			return slices.Contains(e.Members, x.lost) || slices.Contains(e.Members, x.found)
		})
	}
	return slices.DeleteFunc(slices.Concat(r.Extra, r.Missing), func(fl generate.Flows) bool {
		return b.told[fl.String()] || !isEnd(fl.From) || !isEnd(fl.To)
	})
}

// hasPath reports whether the ends of a flow share its family.
func (b *brute) hasPath(f bruteFlow) bool {
	v := b.after.Explain(f.inAfter())
	return f.family == reach.IPv4 && v.IPv4 != reach.NoPath || f.family == reach.IPv6 && v.IPv6 != reach.NoPath
}
