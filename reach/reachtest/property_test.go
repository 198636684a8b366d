package reachtest_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// drawCluster draws manifests of pods in two namespaces, of a workload, of nodes,
// and of policies that mention no other ports than telling.
func drawCluster(t *rapid.T) string {
	pick := func(choices ...string) string { return rapid.SampledFrom(choices).Draw(t, "") }
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n---\n", args...) }
	for i := range 2 {
		add("{apiVersion: v1, kind: Node, metadata: {name: n%d}, status: {addresses: [{type: InternalIP, address: 192.168.0.%d}]}}", i, i+1)
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "pods") {
		ips := fmt.Sprintf("{ip: 10.0.0.%d}", i+1)
		if rapid.Bool().Draw(t, "") {
			ips += fmt.Sprintf(", {ip: \"fd00::%d\"}", i+1)
		}
		add("{apiVersion: v1, kind: Pod, metadata: {name: p%d, namespace: %s, labels: {l: \"%s\"}}, spec: {nodeName: n%s, containers: [{name: c}]}, status: {podIPs: [%s]}}",
			i, pick("x", "z"), pick("1", "2"), pick("0", "1"), ips)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "workloads") {
		l := pick("1", "2")
		add("{apiVersion: apps/v1, kind: Deployment, metadata: {name: w%d, namespace: x}, spec: {selector: {matchLabels: {l: \"%s\"}}, template: {metadata: {labels: {l: \"%s\"}}, spec: {containers: [{name: c}]}}}}",
			i, l, l)
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "policies") {
		direction, peers := "Ingress", "from"
		if rapid.Bool().Draw(t, "") {
			direction, peers = "Egress", "to"
		}
		rule := pick("", "", "", "{}",
			"{PEERS: [{podSelector: {matchLabels: {l: '1'}}}]}",
			"{PEERS: [{namespaceSelector: {}}], ports: [{port: 80}]}",
			"{PEERS: [{podSelector: {}, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: z}}}], ports: [{port: 80}, {port: 81}]}",
			"{PEERS: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 53, protocol: UDP}]}",
			"{PEERS: [{ipBlock: {cidr: 10.0.0.0/30}}]}",
			"{PEERS: [{ipBlock: {cidr: 0.0.0.0/0, except: [203.0.113.0/24]}}, {ipBlock: {cidr: \"::/0\"}}], ports: [{port: 81}]}")
		add("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np%d, namespace: %s}, spec: {podSelector: %s, policyTypes: [%s], %s: [%s]}}",
			i, pick("x", "z"), pick("{}", "{matchLabels: {l: '1'}}"), direction, strings.ToLower(direction), strings.ReplaceAll(rule, "PEERS", peers))
	}
	return b.String()
}

// telling has a port of each kind that the policies of drawCluster tell apart.
var telling = []policy.Port{
	policy.TCP.Port(80), policy.TCP.Port(81), policy.TCP.Port(82), policy.UDP.Port(53), policy.UDP.Port(80), policy.SCTP.Port(80), {Protocol: policy.ICMP},
}

// A world is a cluster with what sets can hold: its pods and nodes, and addresses
// outside, some of each part that policies and sets tell apart.
type world struct {
	c   *reachtest.Cluster
	all []thing
}

type thing struct {
	reach.Endpoint
	addr netip.Addr // outside
	l    string     // the label of a pod
	ns   string
}

func newWorld(t *rapid.T, manifests string) world {
	w := world{c: reachtest.Text(t, manifests)}
	g := w.c.Graph()
	m, err := policy.Parse("manifests", strings.NewReader(manifests))
	assert.NoError(t, err)
	labels := make(map[string]string)
	for _, p := range m.Pods {
		labels[p.Namespace+"/"+p.Name] = p.Labels["l"]
	}
	for _, d := range m.Deployments {
		labels[d.Namespace+"/"+d.Name] = d.Spec.Template.Labels["l"]
	}
	for _, e := range g.Pods() {
		w.all = append(w.all, thing{Endpoint: e, l: labels[e.Name().String()], ns: e.Name().Namespace})
	}
	for _, e := range g.Nodes() {
		w.all = append(w.all, thing{Endpoint: e})
	}
	for _, text := range []string{"203.0.113.9", "203.0.113.200", "198.51.100.1", "10.0.0.0", "2001:db8::9"} {
		a := netip.MustParseAddr(text)
		e, err := g.Addr(a)
		assert.NoError(t, err)
		w.all = append(w.all, thing{Endpoint: e, addr: a})
	}
	return w
}

// drawSet draws a text, and what it holds by definition.
func (w world) drawSet(t *rapid.T) (string, []thing) {
	terms := map[string]func(thing) bool{
		"pods":              func(x thing) bool { return x.ns != "" },
		"pods l=1":          func(x thing) bool { return x.l == "1" },
		"pods l!=1 in x":    func(x thing) bool { return x.ns == "x" && x.l != "1" },
		"nodes":             func(x thing) bool { return x.ns == "" && !x.addr.IsValid() },
		"node:n0":           func(x thing) bool { return x.String() == "node:n0" },
		"outside":           func(x thing) bool { return x.addr.IsValid() },
		"203.0.113.0/25":    func(x thing) bool { return x.addr == netip.MustParseAddr("203.0.113.9") },
		"203.0.113.200":     func(x thing) bool { return x.addr == netip.MustParseAddr("203.0.113.200") },
		"everything":        func(thing) bool { return true },
		w.all[0].String():   func(x thing) bool { return x == w.all[0] },
		w.all[0].ns + "/no": nil,
	}
	for _, ns := range []string{"x", "z"} {
		if slices.ContainsFunc(w.all, func(x thing) bool { return x.ns == ns }) {
			terms["pods in "+ns] = func(x thing) bool { return x.ns == ns }
		} else {
			delete(terms, "pods l!=1 in x")
		}
	}
	for term, holds := range terms {
		// A part that holds nothing is an error by itself.
		if holds == nil || !slices.ContainsFunc(w.all, holds) {
			delete(terms, term)
		}
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for term := range terms {
			if !yield(term) {
				return
			}
		}
	})
	text, in := "", make(map[thing]bool)
	for i := range rapid.IntRange(1, 3).Draw(t, "terms") {
		op := "and"
		if i > 0 && rapid.Bool().Draw(t, "except") {
			op = "except"
		}
		name := rapid.SampledFrom(names).Draw(t, "term")
		if i == 0 && rapid.Bool().Draw(t, "nearly all") {
			name = "everything"
		}
		if text += " " + op + " " + name; i == 0 {
			text = name
		}
		for _, x := range w.all {
			if terms[name](x) {
				in[x] = op == "and"
			}
		}
	}
	return text, slices.DeleteFunc(slices.Clone(w.all), func(x thing) bool { return !in[x] })
}

// others returns all that is not in a set.
func (w world) others(set []thing) []thing {
	return slices.DeleteFunc(slices.Clone(w.all), func(x thing) bool { return slices.Contains(set, x) })
}

// allBut returns everything but the pods and nodes of which is does not hold, and
// but the outside if it holds of no address.
func (w world) allBut(is func(thing) bool) (string, []thing) {
	text, in := "everything", slices.Clone(w.all)
	if !slices.ContainsFunc(in, func(x thing) bool { return x.addr.IsValid() && is(x) }) {
		text += " except outside"
		in = slices.DeleteFunc(in, func(x thing) bool { return x.addr.IsValid() })
	}
	in = slices.DeleteFunc(in, func(x thing) bool {
		if x.addr.IsValid() || is(x) {
			return false
		}
		text += " except " + x.String()
		return true
	})
	return text, in
}

// pairs returns all pairs of two sets about which policies have a say, or if there
// are none, all pairs. A workload reaches another pod of its own.
func (w world) pairs(from, to []thing) (pairs [][2]reach.Endpoint, exempt bool) {
	g := w.c.Graph()
	var all [][2]reach.Endpoint
	for _, x := range from {
		for _, y := range to {
			q := [2]reach.Endpoint{x.Endpoint, y.Endpoint}
			if replica, err := g.Lookup("replica:" + x.String()); x.ns != "" && x == y && err == nil {
				q[1] = replica
			}
			all = append(all, q)
			if !g.Exempt(q[0], q[1]) {
				pairs = append(pairs, q)
			}
		}
	}
	if len(pairs) == 0 {
		return all, true
	}
	return pairs, false
}

// TestPropertyDefinitions compares assertions with their definitions, over all
// pairs of endpoints and all telling ports.
func TestPropertyDefinitions(t *testing.T) {
	held := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, drawCluster(t))
		g := w.c.Graph()
		from, fromSet := w.drawSet(t)
		to, toSet := w.drawSet(t)
		ports := rapid.SampledFrom([]string{"80", "81", "80-81,53/UDP", "UDP", "53/UDP,other protocols", "all"}).Draw(t, "ports")
		asked, err := policy.ParsePortSet(ports)
		assert.NoError(t, err)
		count := func(pairs [][2]reach.Endpoint) (allowed, denied int) {
			for _, q := range pairs {
				for _, port := range telling {
					switch {
					case !asked.Contains(port):
					case g.Allows(reach.Flow{From: q[0], To: q[1], Port: port}):
						allowed++
					default:
						denied++
					}
				}
			}
			return allowed, denied
		}
		pairs, _ := w.pairs(fromSet, toSet)
		allowed, denied := count(pairs)
		type test struct {
			name string
			does assertion
			want bool
		}
		tests := []test{
			{"Reaches", reaches(from, to, ports+"!"), len(pairs) > 0 && denied == 0},
			{"DoesNotReach", doesNotReach(from, to, ports+"!"), len(pairs) > 0 && allowed == 0},
		}

		// Nothing but: of two drawn sets, and of one that nearly holds all that it must.
		by, bySet, only, onlySet := from, fromSet, to, toSet
		if rapid.Bool().Draw(t, "fits") {
			reached := func(from, to []thing) bool {
				pairs, exempt := w.pairs(from, to)
				allowed, _ := count(pairs)
				return allowed > 0 && !exempt
			}
			by, bySet = w.allBut(func(x thing) bool { return reached([]thing{x}, toSet) })
			only, onlySet = w.allBut(func(x thing) bool { return reached(fromSet, []thing{x}) })
		}
		nothingBut := func(allowed, others [][2]reach.Endpoint, exempt bool) bool {
			some, _ := count(allowed)
			more, _ := count(others)
			return some > 0 && !exempt && more == 0
		}
		allowedPairs, _ := w.pairs(bySet, toSet)
		others, exempt := w.pairs(w.others(bySet), toSet)
		tests = append(tests, test{"IsReachedOnlyBy", isReachedOnlyBy(to, ports+"!", by), nothingBut(allowedPairs, others, exempt)})
		allowedPairs, _ = w.pairs(fromSet, onlySet)
		others, exempt = w.pairs(fromSet, w.others(onlySet))
		tests = append(tests, test{"ReachesOnly", reachesOnly(from, only, ports+"!"), nothingBut(allowedPairs, others, exempt)})

		for _, tt := range tests {
			var got bool
			r := run(func(t reachtest.TB) { got = tt.does(w.c, t) })
			assert.Equal(t, tt.want, got, "%s: from %s or %s, to %s or %s, on %s\n%s", tt.name, from, by, to, only, ports, r.log)
			assert.Equal(t, got, r.log == "", tt.name)
			if got {
				held[tt.name]++
			}
		}
	})
	for _, name := range []string{"Reaches", "DoesNotReach", "IsReachedOnlyBy", "ReachesOnly"} {
		assert.Positive(t, held[name], "%s never held", name)
	}
}
