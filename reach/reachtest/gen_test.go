package reachtest_test

import (
	"fmt"
	"net/netip"
	"regexp"
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
	"pgregory.net/rapid"
)

var served = reachtest.Gen{MaxServices: 4}

// answers lists what the Graph of c answers.
func answers(t *rapid.T, c *policy.Cluster) string {
	g, err := reach.Compile(c)
	if err != nil {
		t.Fatalf("%v\n%s", err, reachtest.YAML(c))
	}
	var b strings.Builder
	fmt.Fprintln(&b, g.Pods(), g.Nodes(), g.Outside(), g.Services())
	for e := range g.Edges() {
		fmt.Fprintln(&b, e.From, e.To, e.Ports)
	}
	return b.String()
}

// What is drawn is valid, and is read again as it was.
func TestClustersRoundTrip(t *testing.T) {
	for name, g := range map[string]reachtest.Gen{"plain": {}, "with Services": served} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			c := g.Clusters().Draw(t, "cluster")
			if _, err := c.Model(); err != nil {
				t.Fatalf("%v\n%s", err, reachtest.YAML(c))
			}
			text := reachtest.YAML(c)
			d, err := policy.Parse("drawn", strings.NewReader(text))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			d.Hosts = c.Hosts
			if want, got := answers(t, c), answers(t, d); want != got {
				t.Fatalf("drawn:\n%s\nread:\n%s\n%s", want, got, text)
			}
		}))
	}
}

// What a Gen is told to leave out is in none of the clusters, edited or not, nor in
// the questions; and a Gen that leaves nothing out draws it.
func TestGenLeavesOut(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	var all []string
	for i := range 60 {
		all = append(all, rapid.Custom(func(t *rapid.T) string { return drawAll(t, served) }).Example(i))
	}
	for _, tt := range []struct {
		name string
		gen  reachtest.Gen
		sign string // a regular expression that finds the feature in YAML or among questions
	}{
		{"NoEgress", reachtest.Gen{NoEgress: true}, `(?m)^  egress:|- Egress$`},
		{"NoBlocks", reachtest.Gen{NoBlocks: true}, `ipBlock:`},
		{"NoExcepts", reachtest.Gen{NoExcepts: true}, `except:`},
		{"NoLegacyBlocks", reachtest.Gen{NoLegacyBlocks: true}, `legacy block`},
		{"NoExpressions", reachtest.Gen{NoExpressions: true}, `matchExpressions:`},
		{"NoNamedPorts", reachtest.Gen{NoNamedPorts: true}, `(?m)(port|targetPort): (web|dns|http)$`},
		{"NoRanges", reachtest.Gen{NoRanges: true}, `endPort:`},
		{"NoSCTP", reachtest.Gen{NoSCTP: true}, `SCTP`},
		{"NoPortless", reachtest.Gen{NoPortless: true}, `ICMP|IP protocol 47|(?m)^port 47$`},
		{"NoIPv6", reachtest.Gen{NoIPv6: true}, `(?i)::|[0-9a-f]{4}:[0-9a-f]{4}:`},
		{"NoHostNetwork", reachtest.Gen{NoHostNetwork: true}, `hostNetwork:`},
		{"NoWorkloads", reachtest.Gen{NoWorkloads: true}, `ownerReferences:|template:`},
		{"NoNodes", reachtest.Gen{NoNodes: true}, `kind: Node|nodeName:|hostIP`},
		{"OnlyRunning", reachtest.Gen{OnlyRunning: true}, `deletionTimestamp|phase: (Pending|Unknown|Failed|Succeeded|Terminating)|pod without address|status: "False"`},
		{"Complete", reachtest.Gen{Complete: true}, `generateName:|object without namespace|no object`},
		{"without Services", reachtest.Gen{}, `kind: (Service|Endpoints|EndpointSlice|Ingress)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sign := regexp.MustCompile(tt.sign)
			if tt.gen != (reachtest.Gen{}) {
				tt.gen.MaxServices = 4
			}
			rapid.Check(t, func(t *rapid.T) {
				if text := drawAll(t, tt.gen); sign.MatchString(text) {
					t.Fatalf("%q in\n%s", sign.FindString(text), text)
				}
			})
			found := 0
			for _, text := range all {
				if sign.MatchString(text) {
					found++
				}
			}
			assert.Positive(t, found, "a Gen that leaves nothing out draws it")
		})
	}
}

// drawAll draws a cluster, edits and questions, and returns them as text, with what
// is missing as words.
func drawAll(t *rapid.T, g reachtest.Gen) string {
	c := g.Clusters().Draw(t, "cluster")
	d, err := c.With(g.Edits(c, 3).Draw(t, "edits")...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	objects := make(map[string]bool) // also the nodes and namespaces that are mentioned
	for _, c := range []*policy.Cluster{c, d} {
		text := reachtest.YAML(c)
		b.WriteString(text)
		if _, err := (policy.Loader{StrictCIDR: true}).Parse("drawn", strings.NewReader(text)); err != nil {
			b.WriteString("legacy block\n")
		}
		clear(objects)
		for _, ns := range c.Namespaces {
			objects[ns.Name] = true
		}
		for _, n := range c.Nodes {
			objects["node "+n.Name] = true
		}
		mention := func(meta metav1.ObjectMeta, node string) {
			if meta.Namespace == "" {
				b.WriteString("object without namespace\n")
			}
			if !objects[meta.Namespace] || node != "" && !objects["node "+node] {
				b.WriteString("no object\n")
			}
		}
		for _, p := range c.Pods {
			mention(p.ObjectMeta, p.Spec.NodeName)
			if p.Status.PodIP == "" && len(p.Status.PodIPs) == 0 && p.Status.HostIP == "" && len(p.Status.HostIPs) == 0 {
				b.WriteString("pod without address\n")
			}
		}
		for _, w := range c.Deployments {
			mention(w.ObjectMeta, w.Spec.Template.Spec.NodeName)
		}
		for _, np := range c.Policies {
			mention(np.ObjectMeta, "")
		}
		for _, s := range c.Services {
			mention(s.ObjectMeta, "")
		}
	}
	graph, err := reach.Compile(d)
	if err != nil {
		t.Fatalf("%v\n%s", err, reachtest.YAML(d))
	}
	for range 3 {
		fmt.Fprintf(&b, "port %v\naddress %v\nport %v\n", g.Ports(d).Draw(t, "port"), g.Addrs(d).Draw(t, "address"), g.Flows(graph).Draw(t, "flow").Port)
	}
	return b.String()
}

// The parts that can be drawn alone are valid in a policy of their own.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := reachtest.Gen{}
		np := reachtest.Draw(t, g.Policies(), "policy")
		np.Spec.PodSelector = reachtest.Draw(t, g.Selectors(), "selector")
		np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{
			Ports: reachtest.Draw(t, g.PolicyPorts(), "ports"),
			From: []networkingv1.NetworkPolicyPeer{
				{IPBlock: reachtest.Draw(t, g.Blocks(), "block")},
				reachtest.Draw(t, g.Peers(), "peer"),
			},
		}}
		ns := reachtest.Draw(t, g.Namespaces(), "namespace")
		pod := reachtest.Draw(t, g.Pods(), "pod")
		pod.Labels = reachtest.Draw(t, g.Labels(), "labels")
		c := &policy.Cluster{Namespaces: []*corev1.Namespace{ns}, Pods: []*corev1.Pod{pod}, Policies: []*networkingv1.NetworkPolicy{np}}
		if _, err := c.Model(); err != nil {
			t.Fatalf("%v\n%s", err, reachtest.YAML(c))
		}
	})
}

// Sizes are limits that are reached, and no name is given twice.
func TestSizes(t *testing.T) {
	g := reachtest.Gen{MaxNamespaces: 6, MaxNodes: 5, MaxWorkloads: 4, MaxPods: 40, MaxPolicies: 12, MaxServices: 12, Complete: true}
	most := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		c := g.Clusters().Draw(t, "cluster")
		if _, err := c.Model(); err != nil {
			t.Fatalf("%v\n%s", err, reachtest.YAML(c))
		}
		for name, size := range map[string][2]int{"namespaces": {len(c.Namespaces), 6}, "nodes": {len(c.Nodes), 5}, "pods": {len(c.Pods), 40}, "policies": {len(c.Policies), 12}, "Services": {len(c.Services), 13}} { // and that of DNS
			if size[0] > size[1] {
				t.Fatalf("%d %s", size[0], name)
			}
			most[name] = max(most[name], size[0])
		}
	})
	for name, least := range map[string]int{"namespaces": 5, "nodes": 3, "pods": 10, "policies": 4, "Services": 5} {
		assert.GreaterOrEqual(t, most[name], least, name)
	}
	one := reachtest.Gen{MaxNamespaces: 1, MaxPods: 1, MaxPolicies: 1}.Clusters()
	for i := range 50 {
		c := one.Example(i)
		assert.LessOrEqual(t, len(c.Namespaces), 1)
		assert.Len(t, c.Pods, 1)
		assert.LessOrEqual(t, len(c.Policies), 1)
	}
}

// Edits are valid one after the other, and of the kinds that are asked for.
func TestEdits(t *testing.T) {
	kinds := []string{"NetworkPolicy", "Pod", "Namespace", "Node", "Deployment", "Service", "EndpointSlice", "Endpoints", "Ingress"}
	seen := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Draw(t, served.Clusters(), "cluster")
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		for _, e := range reachtest.Draw(t, served.Edits(c, 4, kind), "edits") {
			if got, _ := e.Object(); got != kind && kind != "Service" {
				t.Fatalf("%v", e)
			}
			seen[kind]++
			d, err := c.With(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Model(); err != nil {
				t.Fatalf("%v: %v", e, err)
			}
			c = d
		}
	})
	t.Log(seen)
	assert.Greater(t, len(seen), 6)
	assert.Empty(t, reachtest.Gen{}.Edits(&policy.Cluster{}, 3, "Node").Example(1))
}

// Flows are answered yes and no, between ends of all kinds, and Ports and Addrs
// also of a cluster that is empty.
func TestQuestions(t *testing.T) {
	answered := make(map[bool]int)
	rapid.Check(t, func(t *rapid.T) {
		c := reachtest.Gen{}.Clusters().Draw(t, "cluster")
		g, err := reach.Compile(c)
		require.NoError(t, err)
		for range 5 {
			answered[g.Allows(reachtest.Draw(t, reachtest.Gen{}.Flows(g), "flow"))]++
		}
	})
	assert.Greater(t, 10*answered[true], answered[false])
	assert.Greater(t, 10*answered[false], answered[true])

	empty := &policy.Cluster{Pods: []*corev1.Pod{nil}, Policies: []*networkingv1.NetworkPolicy{nil}}
	assert.True(t, reachtest.Gen{}.Ports(empty).Example(1).Valid())
	assert.True(t, reachtest.Gen{}.Addrs(empty).Example(1).IsValid())
	g, err := reach.Compile(empty)
	require.NoError(t, err)
	assert.True(t, reachtest.Gen{}.Flows(g).Example(1).Port.Valid())
}

// A drawing shrinks to one pod, no policy and empty lists.
func TestShrinksToLittle(t *testing.T) {
	for i := range 3 {
		// The least data that rapid can draw from are zeros.
		var c *policy.Cluster
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			rapid.MakeFuzz(func(t *rapid.T) { c = reachtest.Gen{}.Clusters().Draw(t, "cluster") })(t, make([]byte, 4096))
		})
		require.NotNil(t, c)
		assert.Len(t, c.Pods, 1)
		assert.Empty(t, c.Policies)
		assert.Empty(t, c.Nodes)
		assert.Nil(t, c.Pods[0].Labels)
	}
}

// Draw logs what is drawn as YAML.
func TestDrawLogs(t *testing.T) {
	var log logTB
	func() {
		defer func() { _ = recover() }()
		rapid.Check(&log, func(t *rapid.T) {
			c := reachtest.Draw(t, reachtest.Gen{NoWorkloads: true}.Clusters(), "cluster")
			reachtest.Draw(t, reachtest.Gen{}.Edits(c, 1, "Pod"), "edits")
			reachtest.Draw(t, rapid.Just([]policy.Edit{policy.Relabel("Pod", "x", "a", map[string]string{"k": "v"})}), "edits")
			reachtest.Draw(t, rapid.Just(netip.MustParseAddr("10.0.0.1")), "address")
			t.Fatal("shown")
		})
	}()
	text := log.String()
	for _, want := range []string{"draw cluster: \n---\napiVersion: v1\nkind: Pod\n", "# relabel Pod x/a: map[k:v]\n", "draw address: 10.0.0.1"} {
		assert.Contains(t, text, want)
	}
}

// A logTB keeps what a failing property logs, and panics where a test would end.
type logTB struct {
	rapid.TB
	strings.Builder
	failed bool
}

func (l *logTB) Helper()      {}
func (l *logTB) Name() string { return "log" }
func (l *logTB) Failed() bool { return l.failed }
func (l *logTB) FailNow()     { panic("failed") }
func (l *logTB) Log(args ...any) {
	fmt.Fprintln(l, args...)
}
func (l *logTB) Logf(format string, args ...any) {
	fmt.Fprintf(l, format+"\n", args...)
}
func (l *logTB) Errorf(format string, args ...any) {
	l.failed = true
	l.Logf(format, args...)
}
