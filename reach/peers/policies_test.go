package peers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// A cluster is what the engines are asked about.
type cluster struct {
	*policy.Cluster
	pods       []*corev1.Pod                // off the host network
	namespaces map[string]map[string]string // labels by name
}

func clusterOf(s scale.Size) *cluster {
	c := &cluster{Cluster: s.Cluster(), namespaces: make(map[string]map[string]string)}
	for _, p := range c.Pods {
		if !p.Spec.HostNetwork {
			c.pods = append(c.pods, p)
		}
	}
	for _, ns := range c.Namespaces {
		c.namespaces[ns.Name] = ns.Labels
	}
	return c
}

// A question asks whether one of the pods of a cluster can connect to another
// one over IPv4.
type question struct {
	from, to int
	port     int32 // of TCP
}

// portName returns the name of a port of a pod, or "".
func portName(p *corev1.Pod, port int32) string {
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			if cp.ContainerPort == port && cp.Protocol == corev1.ProtocolTCP {
				return cp.Name
			}
		}
	}
	return ""
}

// An engine answers questions about a cluster. What ask returns answers the i'th
// of questions; what can be prepared for them before they are asked, is.
type engine interface {
	ask(questions []question) func(i int) bool
}

// engines are the ways to build an engine.
var engines = []struct {
	name  string
	build func(*cluster) engine
}{
	{"polreach", func(c *cluster) engine { return newPolreach(c) }},
	{"cyclonus", func(c *cluster) engine { return newCyclonus(c) }},
	{"kano", func(c *cluster) engine { return newKano(c) }},
	{"parsed", func(c *cluster) engine { return newParsed(c) }},
	{"naive", func(c *cluster) engine { return &naive{c} }},
}

type polreach struct {
	graph *reach.Graph
	pods  []reach.Endpoint
}

func newPolreach(c *cluster) *polreach {
	g, err := reach.Compile(c.Cluster)
	if err != nil {
		panic(err)
	}
	e := &polreach{graph: g}
	for _, p := range c.pods {
		e.pods = append(e.pods, g.MustLookup("pod:"+p.Namespace+"/"+p.Name))
	}
	return e
}

func (e *polreach) ask(questions []question) func(i int) bool {
	flows := make([]reach.Flow, len(questions))
	for i, q := range questions {
		flows[i] = reach.Flow{From: e.pods[q.from], To: e.pods[q.to], Port: policy.TCP.Port(uint16(q.port)), Family: reach.IPv4}
	}
	return func(i int) bool { return e.graph.Allows(flows[i]) }
}

type cyclonus struct {
	cluster *cluster
	policy  *matcher.Policy
	pods    []*matcher.TrafficPeer
}

func newCyclonus(c *cluster) *cyclonus {
	e := &cyclonus{cluster: c, policy: matcher.BuildNetworkPolicies(true, c.Policies)}
	for _, p := range c.pods {
		e.pods = append(e.pods, &matcher.TrafficPeer{
			Internal: &matcher.InternalPeer{PodLabels: p.Labels, NamespaceLabels: c.namespaces[p.Namespace], Namespace: p.Namespace},
			IP:       p.Status.PodIP,
		})
	}
	return e
}

func (e *cyclonus) ask(questions []question) func(i int) bool {
	traffic := make([]matcher.Traffic, len(questions))
	for i, q := range questions {
		traffic[i] = matcher.Traffic{
			Source: e.pods[q.from], Destination: e.pods[q.to],
			ResolvedPort: int(q.port), ResolvedPortName: portName(e.cluster.pods[q.to], q.port), Protocol: corev1.ProtocolTCP,
		}
	}
	return func(i int) bool { return e.policy.IsTrafficAllowed(&traffic[i]).IsAllowed() }
}

// ports are what is asked about: kano needs a matrix for each.
var ports = []int32{8080, 5432, 9103}

// questions returns random questions, every other one of which is answered
// with yes. The pods of those are near each other in the order of pods, since
// most of what is allowed is within a namespace.
func questions(t testing.TB, c *cluster, n int) []question {
	t.Helper()
	const near = 100
	r := rand.New(rand.NewPCG(1, 2))
	truth := newPolreach(c)
	list := make([]question, 0, n)
	for try := 0; len(list) < n; try++ {
		require.Less(t, try, 10_000_000, "no more than %d questions were found", len(list))
		q := question{r.IntN(len(c.pods)), r.IntN(len(c.pods)), ports[r.IntN(len(ports))]}
		if len(list)%2 == 0 {
			q.to = min(max(0, q.from+r.IntN(2*near)-near), len(c.pods)-1)
		}
		if q.from != q.to && (len(list)%2 == 1 || truth.ask([]question{q})(0)) {
			list = append(list, q)
		}
	}
	return list
}

// pairs returns the questions about all pairs of different pods on one port.
func pairs(c *cluster, port int32) []question {
	list := make([]question, 0, len(c.pods)*len(c.pods))
	for from := range c.pods {
		for to := range c.pods {
			if from != to {
				list = append(list, question{from, to, port})
			}
		}
	}
	return list
}

// agree fails unless the engine called name gives the answers of polreach.
func agree(t testing.TB, name string, c *cluster, e engine, questions []question) {
	t.Helper()
	got, want := e.ask(questions), newPolreach(c).ask(questions)
	for i, q := range questions {
		if got(i) != want(i) {
			from, to := c.pods[q.from], c.pods[q.to]
			t.Fatalf("%s says %v: %s/%s -> %s/%s %d/TCP", name, got(i), from.Namespace, from.Name, to.Namespace, to.Name, q.port)
		}
	}
}

func TestEnginesAgree(t *testing.T) {
	for _, tt := range []struct {
		size      scale.Size
		questions func(*cluster) []question
	}{
		{scale.S, func(c *cluster) []question {
			return slices.Concat(pairs(c, 8080), pairs(c, 5432), pairs(c, 9103), pairs(c, 443), pairs(c, 9093))
		}},
		{scale.Size{Pods: 200, Policies: 100}, func(c *cluster) []question { return pairs(c, 8080) }},
		{scale.M, func(c *cluster) []question { return questions(t, c, 4_000) }},
	} {
		c := clusterOf(tt.size)
		list := tt.questions(c)
		allowed, ask := 0, newPolreach(c).ask(list)
		for i := range list {
			if ask(i) {
				allowed++
			}
		}
		assert.Greater(t, allowed, len(list)/200)
		assert.Less(t, allowed, len(list)*9/10)
		for _, e := range engines {
			agree(t, e.name, c, e.build(c), list)
		}
	}
}

// All ways to count pairs count the same.
func TestCountsAgree(t *testing.T) {
	c := clusterOf(scale.S)
	for _, port := range ports {
		want := count(newPolreach(c), pairs(c, port))
		for _, way := range counters {
			assert.Equal(t, want, way.build(c, port)(), way.name)
		}
	}
	c = clusterOf(scale.M)
	assert.Equal(t, newKano(c).count(ports[0]), newPolreach(c).countByClass(ports[0]))
}

// count returns how many questions are answered with yes.
func count(e engine, questions []question) int {
	n, ask := 0, e.ask(questions)
	for i := range questions {
		if ask(i) {
			n++
		}
	}
	return n
}

func BenchmarkQuestion(b *testing.B) {
	for _, s := range []scale.Size{scale.S, scale.M, scale.L} {
		c := clusterOf(s)
		list := questions(b, c, 1<<12)
		for _, e := range engines {
			b.Run(fmt.Sprintf("%v/engine=%s", s, e.name), func(b *testing.B) {
				engine := e.build(c)
				agree(b, e.name, c, engine, list)
				ask := engine.ask(list)
				i := 0
				for b.Loop() {
					ask(i & (len(list) - 1))
					i++
				}
			})
		}
	}
}

// counters are the ways to count the pairs of different pods that are allowed on
// a port, and the most pods for which they are measured. What build returns
// counts.
var counters = []struct {
	name  string
	most  int
	build func(*cluster, int32) func() int
}{
	{"polreach.ClassEdges", scale.L.Pods, func(c *cluster, port int32) func() int {
		e := newPolreach(c)
		return func() int { return e.countByClass(port) }
	}},
	{"polreach", scale.M.Pods, func(c *cluster, port int32) func() int { return pairwise(newPolreach(c), pairs(c, port)) }},
	{"cyclonus", scale.M.Pods, func(c *cluster, port int32) func() int { return pairwise(newCyclonus(c), pairs(c, port)) }},
	{"kano", scale.L.Pods, func(c *cluster, port int32) func() int {
		e := newKano(c)
		return func() int { return e.count(port) }
	}},
	{"parsed", scale.M.Pods, func(c *cluster, port int32) func() int { return pairwise(newParsed(c), pairs(c, port)) }},
	{"naive", scale.S.Pods, func(c *cluster, port int32) func() int { return pairwise(&naive{c}, pairs(c, port)) }},
}

func pairwise(e engine, questions []question) func() int {
	return func() int { return count(e, questions) }
}

// countByClass goes through the classes of pods instead of the pods. What it
// goes through holds all ports, of which it looks at one.
func (e *polreach) countByClass(port int32) int {
	asked := make(map[reach.Endpoint]bool, len(e.pods))
	for _, p := range e.pods {
		asked[p] = true
	}
	members := make(map[reach.Class]int)
	for _, c := range e.graph.Classes() {
		for m := range c.Members() {
			if asked[m] {
				members[c]++
			}
		}
	}
	n := 0
	for edge := range e.graph.ClassEdges() {
		if edge.Ports.Contains(policy.TCP.Port(uint16(port))) {
			n += members[edge.From] * members[edge.To]
			if edge.From == edge.To {
				n -= members[edge.From]
			}
		}
	}
	return n
}

func BenchmarkAllPairs(b *testing.B) {
	const port = 8080
	for _, s := range []scale.Size{scale.S, scale.M, scale.L} {
		c := clusterOf(s)
		want := newKano(c).count(port)
		for _, way := range counters {
			if s.Pods > way.most {
				continue
			}
			b.Run(fmt.Sprintf("%v/engine=%s", s, way.name), func(b *testing.B) {
				count := way.build(c, port)
				for b.Loop() {
					if got := count(); got != want {
						b.Fatalf("%s allows %d of the pairs, not %d", way.name, got, want)
					}
				}
			})
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, s := range []scale.Size{scale.S, scale.M, scale.L} {
		c := clusterOf(s)
		for _, e := range engines {
			if e.name == "naive" {
				continue // there is nothing to build
			}
			b.Run(fmt.Sprintf("%v/engine=%s", s, e.name), func(b *testing.B) {
				for b.Loop() {
					e.build(c).ask([]question{{0, 1, ports[0]}})
				}
			})
		}
	}
}
