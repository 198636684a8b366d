package reach_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// An outcomeSample counts the answers that a property saw.
type outcomeSample map[reach.Outcome]int

// check fails if the sample lacks one of those that there are.
func (o outcomeSample) check(t *testing.T, want ...reach.Outcome) {
	t.Helper()
	t.Log(o)
	for _, outcome := range want {
		assert.Positive(t, o[outcome], "%s is not in the sample", outcome)
	}
}

// ask returns the connection that q is in g.
func (q connecting) ask(g *reach.Graph) reach.Connection {
	return reach.Connection{From: g.MustLookup(q.from), To: g.MustTarget(q.to), Port: q.port, Family: q.fam, Balancer: q.balancer}
}

// Reaches, the Outcome of Trace and that of the naive evaluator are equal, and
// Trace has the paths of the naive evaluator, those by nodes that no policy
// tells apart as one.
func TestPropertyTraceNaive(t *testing.T) {
	seen := outcomeSample{}
	rapid.Check(t, func(t *rapid.T) { checkTrace(t, seen) })
	// The rare ones are in the sample of TestSampleReachesEveryServiceRule.
	seen.check(t, reach.All, reach.Some, reach.None, reach.Unknown, reach.NoEndpoints, reach.NoFamily, reach.NoServicePort, reach.NotExposed)
}

// FuzzTraceNaive lets the fuzzer look for clusters that break the property.
func FuzzTraceNaive(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { checkTrace(t, outcomeSample{}) }))
}

func checkTrace(t *rapid.T, seen outcomeSample) {
	c, p := genServiceCluster(t), genServiceProfile(t)
	g, n := compile(t, p, c), newNaive(c, p)
	for range 24 {
		q := genConnection(t, c, n)
		if !q.asked(n) {
			continue
		}
		connection := q.ask(g)
		want, got := n.trace(q.from, q.to, q.port, q.fam, q.balancer), g.Trace(connection)
		seen[want.outcome]++
		if o := g.Reaches(connection); o != want.outcome || got.Outcome != want.outcome {
			t.Fatalf("%+v, profile %+v: naive %s, Reaches %s, Trace %s\nnaive paths:\n%v\n%v", q, p, want.outcome, o, got.Outcome, listOfPaths(want), got)
		}
		if o := sumOf(got.Paths); o != got.Outcome {
			t.Fatalf("%+v: the paths come to %s, not %s\n%v", q, o, got.Outcome, got)
		}
		if want.differs {
			continue // the paths of both worlds are unknown, each in its own way
		}
		if err := samePaths(g, n, q, want, got); err != nil {
			t.Fatalf("%+v, profile %+v: %v\n%v\n%v", q, p, err, listOfPaths(want), got)
		}
	}
}

func listOfPaths(trace naiveTrace) string {
	var b strings.Builder
	for _, p := range trace.paths {
		fmt.Fprintf(&b, "%s %s %v over %v, allowed %v\n", p.door, p.addr, p, p.fam, p.allowed)
	}
	return b.String()
}

// sumOf is what the paths come to (SEM-281).
func sumOf(paths []reach.Path) reach.Outcome {
	count := map[reach.Outcome]int{}
	for _, p := range paths {
		switch {
		case p.Stop != "":
			count[p.Stop]++
		case p.Verdict.Allowed:
			count[reach.All]++
		default:
			count[reach.None]++
		}
	}
	if count[reach.All] > 0 && count[reach.None]+count[reach.Unknown] > 0 {
		return reach.Some
	}
	for _, o := range []reach.Outcome{reach.All, reach.Unknown, reach.None, reach.OutsideSourceRanges, reach.NoLocalEndpoints,
		reach.NoEndpoints, reach.NoFamily, reach.NoServicePort, reach.Gone, reach.NotExposed} {
		if count[o] > 0 {
			return o
		}
	}
	return ""
}

// A pathKey is what tells paths apart, but for the nodes.
type pathKey struct {
	door    reach.DoorKind
	service string
	addr    netip.Addr // of the door
	fam     reach.Family
	backend string
	port    policy.Port
	hidden  bool
	allowed bool
	stop    reach.Outcome
}

// stopKey is the key of a path that ends at a door.
func (k pathKey) stopKey() pathKey {
	if k.door == reach.ExternalName {
		return pathKey{stop: k.stop}
	}
	return pathKey{door: k.door, service: k.service, addr: k.addr, stop: k.stop}
}

// samePaths tells how the paths differ. Of those that end before a backend it
// looks at the doors and the reasons, and at the lack of a family only where a
// door has nothing else.
func samePaths(g *reach.Graph, n *naive, q connecting, naive naiveTrace, trace reach.Trace) error {
	isNode := n.end(q.from).isNode
	want, wantStops := map[pathKey][]naivePath{}, map[pathKey]bool{}
	for _, p := range naive.paths {
		k := pathKey{door: p.door, service: p.service, addr: p.addr, fam: p.fam, stop: p.stop}
		if p.door == reach.ClusterIP || p.door == reach.NodePort {
			k.addr = netip.Addr{} // the way to ask for it makes no difference
		}
		wantStops[k.stopKey()] = true
		if p.stop != "" {
			continue
		}
		k.port, k.allowed = p.port, p.allowed
		k.hidden = p.hidden && !isNode && !q.balancer.IsValid() // a balancer may have the address of a node
		switch k.backend = p.backend; {
		case p.backend == anyone:
		case p.door != "" && p.backend == n.end(q.from).id:
			k.backend = nameOf(g, q.from) // the client is itself as it was called
		default:
			k.backend = backendOf(g, p.backend)
		}
		want[k] = append(want[k], p)
	}
	got, gotStops := map[pathKey][]reach.Path{}, map[pathKey]bool{}
	for _, p := range trace.Paths {
		if (p.Missing != "") != (p.Stop == reach.Unknown) {
			return fmt.Errorf("stops for %q, what is missing is %q", p.Stop, p.Missing)
		}
		k := pathKey{door: p.Door.Kind, addr: p.Door.Addr, stop: p.Stop}
		if p.Door.Kind != "" {
			k.service = p.Door.Service.String()
		}
		switch p.Door.Kind {
		case reach.ClusterIP, reach.NodePort:
			k.addr = netip.Addr{}
		case reach.ExternalName:
			if k.addr.IsValid() || p.Stop != "" { // an address like any other, or none
				k = pathKey{stop: p.Stop}
			}
		}
		gotStops[k.stopKey()] = true
		if p.Stop != "" {
			continue
		}
		k.backend, k.port, k.allowed = p.Ingress.To.String(), p.Ingress.Port, p.Verdict.Allowed
		if p.Addr.IsValid() {
			k.backend = p.Addr.String()
		}
		if p.Door.Kind == reach.ExternalName && k.door != "" {
			k.backend = anyone
		}
		byBalancer := q.balancer.IsValid() || p.Ingress.From.String() == "outside:*"
		k.hidden = k.door != "" && !isNode && !byBalancer && p.Ingress.From != trace.Connection.From
		switch {
		case k.door == "": // it is one flow
			got[k] = append(got[k], p)
		case p.Family != reach.AnyFamily:
			k.fam = p.Family
			got[k] = append(got[k], p)
		default:
			for _, k.fam = range []reach.Family{reach.IPv4, reach.IPv6} {
				got[k] = append(got[k], p)
			}
		}
	}
	for k, paths := range got {
		if err := sameWays(g, n, q, k, want[k], paths); err != nil {
			return fmt.Errorf("%+v: %w", k, err)
		}
	}
	for k := range want {
		if got[k] == nil {
			return fmt.Errorf("Trace lacks %+v", k)
		}
	}
	if a, b := reasons(wantStops), reasons(gotStops); !slices.Equal(a, b) {
		return fmt.Errorf("the naive ways end for\n%s\nand those of Trace for\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	return nil
}

// anyone is the backend of a path that may lead anywhere.
const anyone = "any"

// reasons lists why ways end at doors, or that they do not.
func reasons(stops map[pathKey]bool) []string {
	var list []string
	for k := range stops {
		other := k.stop != reach.NoFamily
		for o := range stops {
			other = other || o != k && o.door == k.door && o.service == k.service && o.addr == k.addr
		}
		if other && k.stop == reach.NoFamily {
			continue
		}
		list = append(list, fmt.Sprintf("%s at %s %s %s", k.stop, k.door, k.service, k.addr))
	}
	slices.Sort(list)
	return list
}

// sameWays tells how paths of one key differ: by their nodes, of which one of
// Trace can stand for several, and by what the policies of both sides see.
func sameWays(g *reach.Graph, n *naive, q connecting, k pathKey, want []naivePath, got []reach.Path) error {
	byNode := map[string]naivePath{}
	ways := map[string]bool{}
	for _, p := range want {
		ways[p.node] = true
		if p.node != "" {
			byNode[nameOf(g, p.node)] = p
		}
	}
	count := 0
	for _, p := range got {
		count += max(1, p.Nodes)
		if k.door == "" || k.backend == anyone {
			continue
		}
		var w naivePath
		switch ok := true; {
		case len(want) == 0:
		case p.Node == reach.Endpoint{}:
			w = want[0]
		default:
			if w, ok = byNode[p.Node.String()]; !ok {
				return fmt.Errorf("the naive evaluator has none by %v", p.Node)
			}
			delete(byNode, p.Node.String())
		}
		switch from := p.Ingress.From; {
		case w.backend == "":
		case w.sourceAt.IsValid() && !from.Addrs().Contains(w.sourceAt):
			return fmt.Errorf("the backend sees %v, and not %v", from, w.sourceAt)
		case strings.HasPrefix(w.source, "pod:") && nameOf(g, w.source) != from.String():
			return fmt.Errorf("the backend sees %v, and not %v", from, w.source)
		case n.end(q.from).policed && w.backend != n.end(q.from).id && !sees(g, n, w, p):
			return fmt.Errorf("the client sees %v %v, and not %v %v", p.Egress.To, p.Egress.Port, w.egressTo, w.egressAt)
		}
	}
	if k.door == "" && count != len(want) || k.door != "" && count != len(ways) {
		return fmt.Errorf("%d paths, naive %d by %d nodes", count, len(want), len(ways))
	}
	return nil
}

// sees reports whether the policies of the client see in p what they see in w.
func sees(g *reach.Graph, n *naive, w naivePath, p reach.Path) bool {
	if p.Egress.Port != w.egressAt {
		return false
	}
	if a, err := netip.ParseAddr(w.egressTo); err == nil {
		ofService := slices.Contains(serviceAddrsOf(n.c), a) // it has a class, but is none of its Addrs
		return ofService || p.Egress.To.Addrs().Contains(a)
	}
	return w.egressTo == "service" || w.egressTo == "balancer" || nameOf(g, w.egressTo) == p.Egress.To.String()
}

// backendOf is nameOf, but an address outside is itself.
func backendOf(g *reach.Graph, text string) string {
	if a, err := netip.ParseAddr(text); err == nil {
		if e := g.MustLookup(text); e.Addrs().Contains(a) && !slices.Contains(slices.Concat(g.Pods(), g.Nodes()), e) && e.Name().Name == "" {
			return text
		}
	}
	return nameOf(g, text)
}

// nameOf returns what g calls an end.
func nameOf(g *reach.Graph, text string) string {
	if text == aNode {
		return text
	}
	return g.MustLookup(text).String()
}

// A Service with one ready backend, and the same port there, answers a pod as
// that backend does, over each family.
func TestPropertyOneBackend(t *testing.T) {
	var seen sample
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		if len(c.Pods) == 0 {
			t.Skip("no pod")
		}
		pod := pick(t, c.Pods...)
		pod.Labels = withLabel(maps.Clone(pod.Labels), "only", "this")
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		pod.DeletionTimestamp = nil
		n := newNaive(c, p)
		backend := "pod:" + rawNamespace(pod.ObjectMeta) + "/" + pod.Name
		if isTerminated(pod) || pod.Status.Phase == corev1.PodPending && len(statusAddrs(pod)) == 0 {
			t.Skip("no backend")
		}
		port := genPort(t, c)
		if !port.Protocol.HasPorts() {
			t.Skip("no port of a Service")
		}
		svc := &corev1.Service{}
		svc.Name, svc.Namespace = "one", pod.Namespace
		svc.Spec.Selector = map[string]string{"only": "this"}
		svc.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
		svc.Spec.Ports = []corev1.ServicePort{{Port: int32(port.Number), Protocol: corev1.Protocol(port.Protocol.String()), TargetPort: pick(t, intstr.FromInt32(0), intstr.FromInt32(int32(port.Number)))}}
		c.Services = append(c.Services, svc)
		g := compile(t, p, c)
		for _, e := range n.known {
			if e.id == backend || e.dead || !e.policed {
				continue
			}
			for _, fam := range families {
				f := reach.Flow{From: g.MustLookup(e.id), To: g.MustLookup(backend), Port: port, Family: fam}
				got := g.Reaches(reach.Connection{From: f.From, To: g.MustTarget("svc:" + rawNamespace(svc.ObjectMeta) + "/one"), Port: port, Family: fam})
				seen.add(g.Allows(f))
				if got.Reachable() != g.Allows(f) {
					t.Fatalf("%v: the Service says %s, the backend %v", f, got, g.Allows(f))
				}
			}
		}
	})
	seen.check(t)
}

// A backend more does not make a Service unreachable that was reachable, unless
// pods that terminate stood in for it.
func TestPropertyAddBackend(t *testing.T) {
	reachable := 0
	rapid.Check(t, func(t *rapid.T) {
		c, p := genServiceCluster(t), genServiceProfile(t)
		n := newNaive(c, p)
		var services []*corev1.Service
		for _, svc := range c.Services {
			if len(svc.Spec.Selector) > 0 && len(n.familiesOf(svc)) > 0 {
				services = append(services, svc)
			}
		}
		if len(services) == 0 {
			t.Skip("no Service with a selector")
		}
		svc := pick(t, services...)
		for _, pod := range c.Pods {
			if pod.DeletionTimestamp != nil {
				pod.DeletionTimestamp = nil
			}
		}
		pod := &corev1.Pod{}
		pod.Name, pod.Namespace, pod.Labels = "more", svc.Namespace, maps.Clone(svc.Spec.Selector)
		pod.Spec.NodeName = "n1"
		pod.Status.PodIP = "10.0.0.200"
		d := *c
		d.Pods = append(slices.Clone(c.Pods), pod)
		g, h := compile(t, p, c), compile(t, p, &d)
		for _, from := range append(n.ends(), "203.0.113.9") {
			if strings.HasPrefix(from, "node") {
				continue // the pod can change what is known of nodes
			}
			for _, sp := range svc.Spec.Ports {
				ask := func(g *reach.Graph) reach.Connection {
					return reach.Connection{From: g.MustLookup(from), To: g.MustTarget("svc:" + rawNamespace(svc.ObjectMeta) + "/" + svc.Name), Port: rawPort(sp, sp.Port)}
				}
				before, after := g.Reaches(ask(g)), h.Reaches(ask(h))
				if !before.Reachable() {
					continue
				}
				reachable++
				if !after.Reachable() {
					t.Fatalf("%s became %s\n%v\n%v", before, after, g.Trace(ask(g)), h.Trace(ask(h)))
				}
			}
		}
	})
	require.NotZero(t, reachable)
}

// Shuffling the input changes no trace, no exposure, no route and no list.
func TestPropertyShuffleServices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, p := genServiceCluster(t), genServiceProfile(t)
		seed := rapid.Uint64().Draw(t, "seed")
		d := shuffled(c, seed)
		r := rand.New(rand.NewPCG(seed, 1))
		d.Endpoints, d.Ingresses = shuffle(r, c.Endpoints), shuffle(r, c.Ingresses)
		g, h, n := compile(t, p, c), compile(t, p, d), newNaive(c, p)
		if a, b := servedListing(g), servedListing(h); a != b {
			t.Fatalf("lists differ:\n%s\n%s", a, b)
		}
		for range 8 {
			if q := genConnection(t, c, n); q.asked(n) {
				if a, b := g.Trace(q.ask(g)), h.Trace(q.ask(h)); a.String() != b.String() {
					t.Fatalf("before: %v\nafter: %v", a, b)
				}
			}
		}
	})
}

func servedListing(g *reach.Graph) string {
	var b strings.Builder
	fmt.Fprintln(&b, g.Warnings(), g.DNSServers())
	for _, s := range g.Services() {
		fmt.Fprintln(&b, s)
	}
	for _, e := range g.Pods() {
		for _, x := range g.Exposures(e) {
			fmt.Fprintln(&b, x)
		}
	}
	for _, r := range g.Routes(g.Pods()...) {
		fmt.Fprintln(&b, r)
	}
	return b.String()
}

// A Target that prints as a text is found again by that text.
func TestPropertyTargetString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genServiceCluster(t)
		g, n := compile(t, reach.Profile{}, c), newNaive(c, reach.Profile{})
		texts := slices.Concat(serviceHosts, n.ends())
		for _, svc := range c.Services {
			texts = append(texts, "svc:"+rawNamespace(svc.ObjectMeta)+"/"+svc.Name, strings.ToUpper(svc.Name)+"."+rawNamespace(svc.ObjectMeta)+".svc.")
		}
		for _, a := range serviceAddrsOf(c) {
			texts = append(texts, a.String())
		}
		for _, text := range texts {
			if !n.names(text) {
				if target, err := g.Target(text); err == nil {
					t.Fatalf("%q should name nothing, and names %v", text, target)
				}
				continue
			}
			target := g.MustTarget(text)
			again, err := g.Target(target.String())
			if err != nil || again != target {
				t.Fatalf("%q is %v, which is %v, %v", text, target, again, err)
			}
		}
	})
}

// Exposures are the doors that the naive evaluator knows, and let in those of a
// sample of addresses that it lets in.
func TestPropertyExposures(t *testing.T) {
	in, unknown, ownNode := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c, p := genServiceCluster(t), genServiceProfile(t)
		g, n := compile(t, p, c), newNaive(c, p)
		var sample []netip.Addr
		for _, fam := range []reach.Family{reach.IPv4, reach.IPv6} {
			most := len(sample) + 16
			for _, a := range n.anyOutside(fam) {
				if !slices.Contains(serviceAddrsOf(c), a) && len(sample) < most {
					sample = append(sample, a)
				}
			}
		}
		for _, svc := range c.Services {
			for _, text := range svc.Spec.LoadBalancerSourceRanges {
				prefix := netip.PrefixFrom(rawCIDR(strings.TrimSpace(text)))
				for _, a := range []netip.Addr{prefix.Masked().Addr(), prefix.Masked().Addr().Next(), lastOf(prefix)} {
					if !n.isOwned(a) && !slices.Contains(sample, a) {
						sample = append(sample, a)
					}
				}
			}
		}
		for _, e := range n.known {
			if e.dead || strings.HasPrefix(e.id, "replica:") {
				continue
			}
			want := map[string]naiveExposure{}
			for _, x := range n.exposures(e.id, sample) {
				want[x.key()] = x
			}
			got := map[string]reach.Exposure{}
			for _, x := range g.Exposures(g.MustLookup(e.id)) {
				key := naiveExposure{service: x.Door.Service.String(), kind: x.Door.Kind, addr: x.Door.Addr, at: x.Door.Port,
					port: x.Port, proxied: x.Door.Proxied}.key()
				got[key] = x
			}
			if a, b := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)); !slices.Equal(a, b) {
				t.Fatalf("%s: naive has the doors\n%s\nand Exposures\n%s", e.id, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
			for key, w := range want {
				x := got[key]
				for _, a := range sample {
					if x.Clients.Contains(a) != slices.Contains(w.in, a) || x.Unknown.Contains(a) != slices.Contains(w.unknown, a) {
						t.Fatalf("%s, %s, %s: in %v, unknown %v; naive %v, %v\n%v", e.id, key, a, x.Clients.Contains(a), x.Unknown.Contains(a),
							slices.Contains(w.in, a), slices.Contains(w.unknown, a), x)
					}
				}
				if x.OwnNode != w.ownNode || x.SeenAs != w.seenAs {
					t.Fatalf("%s, %s: own node %v, seen as %s; naive %v, %s\n%v", e.id, key, x.OwnNode, x.SeenAs, w.ownNode, w.seenAs, x)
				}
				in, unknown = in+len(w.in), unknown+len(w.unknown)
				if w.ownNode {
					ownNode++
				}
			}
		}
	})
	require.NotZero(t, in)
	require.NotZero(t, unknown)
	require.NotZero(t, ownNode)
}

// The servers that resolve names, and whether a client can ask them, are those
// of the naive evaluator.
func TestPropertyDNS(t *testing.T) {
	var seen sample
	check := func(t *rapid.T) {
		c, p := genServiceCluster(t), genServiceProfile(t)
		g, n := compile(t, p, c), newNaive(c, p)
		want := n.dnsServers()
		var got []string
		for _, target := range g.DNSServers() {
			got = append(got, target.String())
		}
		var known []string
		for _, text := range want {
			known = append(known, g.MustTarget(text).String())
		}
		slices.Sort(got)
		slices.Sort(known)
		if !slices.Equal(got, known) {
			t.Fatalf("servers %v, naive %v", got, known)
		}
		for _, from := range n.ends() {
			dns, err := g.DNS(g.MustLookup(from))
			if len(want) == 0 {
				if err == nil {
					t.Fatal("no error without servers")
				}
				continue
			}
			_, _, resolves := n.dns(from, want)
			seen.add(resolves)
			if err != nil || dns.Resolves() != resolves {
				t.Fatalf("%s: resolves %v, naive %v, %v", from, dns, resolves, err)
			}
		}
	}
	// Few of the clusters have servers.
	rapid.Check(t, func(t *rapid.T) {
		for range 5 {
			check(t)
		}
	})
	seen.check(t)
}

// Routes are those of the naive evaluator, with the same outcomes.
func TestPropertyRoutes(t *testing.T) {
	faults, seen := 0, outcomeSample{}
	check := func(t *rapid.T) {
		c, p := genServiceCluster(t), genServiceProfile(t)
		g, n := compile(t, p, c), newNaive(c, p)
		var controllers []string
		var ends []reach.Endpoint
		for _, e := range n.known {
			if len(ends) < 3 && !e.dead {
				controllers, ends = append(controllers, e.id), append(ends, g.MustLookup(e.id))
			}
		}
		want, got := n.routes(controllers...), g.Routes(ends...)
		if len(want) != len(got) {
			t.Fatalf("%d routes, naive %d: %v\n%+v", len(got), len(want), got, want)
		}
		for i, w := range want {
			r := got[i]
			var outcomes []reach.Outcome
			for _, trace := range r.Traces {
				outcomes = append(outcomes, trace.Outcome)
				seen[trace.Outcome]++
			}
			if r.Host != w.host || r.Path != w.path || r.Port != w.port || (r.Fault != "") != w.fault || !slices.Equal(outcomes, w.outcomes) {
				t.Fatalf("route %+v, naive %+v", r, w)
			}
			if w.fault {
				faults++
			}
		}
	}
	// Few of the Ingress objects lead to backends.
	rapid.Check(t, func(t *rapid.T) {
		for range 10 {
			check(t)
		}
	})
	require.NotZero(t, faults)
	seen.check(t, reach.All, reach.None)
}

// A field is in DependsOn of a Trace exactly if some other value of it turns the
// outcome.
func TestPropertyTraceDependsOn(t *testing.T) {
	depends := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		c := genServiceCluster(t)
		g, n := compile(t, reach.Profile{}, c), newNaive(c, reach.Profile{})
		q := genConnection(t, c, n)
		if !q.asked(n) {
			t.Skip("not one end")
		}
		trace := g.Trace(q.ask(g))
		for field, others := range map[string][]reach.Profile{
			"IPBlockSkipsPods":       {{IPBlockSkipsPods: true}},
			"IPBlockSkipsNodes":      {{IPBlockSkipsNodes: true}},
			"HostNetworkAsPods":      {{HostNetworkAsPods: true}},
			"EgressToOwnNodeAllowed": {{EgressToOwnNodeAllowed: true}},
			"EndPortIgnored":         {{EndPortIgnored: true}},
			"SCTP":                   {{SCTP: reach.SCTPDropped}, {SCTP: reach.SCTPBypasses}},
			"NamedPorts":             {{NamedPorts: reach.NamedPortsOfContainers}, {NamedPorts: reach.NamedPortsOfAllContainers}},
			"NamedPortFirst":         {{NamedPortFirst: true}},
			"Hairpin":                {{Hairpin: reach.HairpinMasqueraded}, {Hairpin: reach.HairpinPoliced}},
			"ServiceSNAT":            {{ServiceSNAT: reach.SNATNever}, {ServiceSNAT: reach.SNATAlways}},
		} {
			want := slices.ContainsFunc(others, func(p reach.Profile) bool {
				other := newNaive(c, p)
				if !q.asked(other) {
					t.Skip("an address that belongs to several ends of the other profile")
				}
				return other.trace(q.from, q.to, q.port, q.fam, q.balancer).outcome != trace.Outcome
			})
			if got := slices.Contains(trace.DependsOn, field); got != want {
				t.Fatalf("%+v depends on %s: got %v, want %v\n%v", q, field, got, want, trace)
			}
			if want {
				depends[field]++
			}
		}
	})
	require.NotEmpty(t, depends, "no outcome in the sample depends on the profile")
	t.Log(depends)
}

// TestSampleReachesEveryServiceRule checks that the draws of
// TestPropertyTraceNaive reach every outcome and every rule of part 12 in
// several clusters.
func TestSampleReachesEveryServiceRule(t *testing.T) {
	const clusters, enough = 400, 3
	type drawing struct {
		c         *policy.Cluster
		p         reach.Profile
		questions []connecting
	}
	drawings := rapid.Custom(func(t *rapid.T) drawing {
		d := drawing{c: genServiceCluster(t), p: genServiceProfile(t)}
		n := newNaive(d.c, d.p)
		for range 24 {
			if q := genConnection(t, d.c, n); q.asked(n) {
				d.questions = append(d.questions, q)
			}
		}
		return d
	})
	reached, seen := map[string]int{}, outcomeSample{}
	for i := range clusters {
		d := drawings.Example(i)
		n := newNotingNaive(d.c, d.p)
		for _, q := range d.questions {
			seen[n.trace(q.from, q.to, q.port, q.fam, q.balancer).outcome]++
		}
		for _, e := range n.known {
			n.exposures(e.id, addrsOfTexts("203.0.113.9", "2001:db8::9"))
			n.dns(e.id, n.dnsServers())
			n.routes(e.id)
		}
		for _, rule := range slices.Compact(slices.Sorted(slices.Values(n.notes))) {
			reached[rule]++
		}
	}
	seen.check(t, allOutcomes...)
	for _, o := range allOutcomes {
		assert.GreaterOrEqual(t, seen[o], 5, "%s", o)
	}

	text, err := os.ReadFile("semantics.md")
	require.NoError(t, err)
	_, part, ok := strings.Cut(string(text), "\n## 12. ")
	require.True(t, ok)
	part, _, ok = strings.Cut(part, "\n## 13. ")
	require.True(t, ok)
	var rules []string
	for line := range strings.Lines(part) {
		if strings.HasPrefix(line, "**SEM-") {
			rules = append(rules, ruleNumber.FindString(line))
		}
	}
	require.Greater(t, len(rules), 40)
	for _, rule := range append(rules, "SEM-201") {
		if why, exempt := exemptServiceRules[rule]; exempt {
			assert.Zero(t, reached[rule], "%s is reached, but exempt: %s", rule, why)
		} else {
			assert.GreaterOrEqual(t, reached[rule], enough, "clusters that reach %s", rule)
		}
	}
}
