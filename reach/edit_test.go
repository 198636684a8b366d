package reach_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// What With makes of a Graph, edit after edit, is what Compile makes of the
// edited cluster; and the Graphs before stay as they are.
func TestPropertyWith(t *testing.T) {
	var seen sample
	fast, slow := make(map[string]int), make(map[string]int) // by what is edited
	rapid.Check(t, func(t *rapid.T) {
		c, p := genServiceCluster(t), genServiceProfile(t)
		complete(t, c)
		g := compile(t, p, c)
		first, before := g, edited(g)
		var all []policy.Edit
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			edits, what := genEdits(t, c)
			all = append(all, edits...)
			d, err := c.With(edits...)
			if err != nil {
				t.Fatal(err)
			}
			want, errWant := p.Compile(d)
			got, errGot := g.With(edits...)
			if fmt.Sprint(errWant) != fmt.Sprint(errGot) || (got == nil) != (want == nil) {
				t.Fatalf("%v: Compile says %v, With %v", all, errWant, errGot)
			}
			if errWant != nil {
				continue // and then the old Graph is what one still has
			}
			if got.MadeByEdit() {
				fast[what]++
			} else {
				slow[what]++
			}
			equalGraphs(t, d, want, got, &seen, fmt.Sprint(all))
			c, g = d, got
		}
		if after := edited(first); before != after {
			t.Fatalf("%v: the first Graph was\n%s\nand is\n%s", all, before, after)
		}
	})
	seen.check(t)
	t.Logf("Graphs by edit: %v\ncompiled: %v", fast, slow)
	kinds := 0
	for _, what := range quickEdits {
		if fast[what] > 0 {
			kinds++
		}
	}
	assert.Greater(t, kinds, len(quickEdits)/2)
	assert.NotEmpty(t, slow)
}

// Ten sequences of edits, each from the same Graph, come to what Compile makes of
// the edited clusters. This looks at the ports between all endpoints only, so
// that many sequences can be tried.
func TestPropertyWithSequences(t *testing.T) {
	sequences, fast := 0, make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		complete(t, c)
		g := compile(t, p, c)
		for range 10 {
			var all []policy.Edit
			last := ""
			d, h := c, g
			for range pick(t, 1, 1, 2, 3) {
				edits, what := genEdits(t, d)
				all, last = append(all, edits...), what
				next, err := h.With(edits...)
				if err != nil {
					if e, errCompile := d.With(edits...); errCompile != nil {
						t.Fatal(errCompile)
					} else if _, errCompile := p.Compile(e); fmt.Sprint(errCompile) != fmt.Sprint(err) {
						t.Fatalf("%v: Compile says %v, With %v", all, errCompile, err)
					}
					break
				}
				h = next
				if d, err = d.With(edits...); err != nil {
					t.Fatal(err)
				}
			}
			want := compile(t, p, d)
			sequences++
			if h.MadeByEdit() {
				fast[last]++
			}
			ends := slices.Concat(want.Pods(), want.Nodes(), want.Outside())
			others := slices.Concat(h.Pods(), h.Nodes(), h.Outside())
			if len(ends) != len(others) {
				t.Fatalf("%v: endpoints\n%v\nand with With\n%v", all, ends, others)
			}
			for i := range ends {
				for j := range ends {
					if a, b := want.Ports(ends[i], ends[j]), h.Ports(others[i], others[j]); !a.Equal(b) {
						t.Fatalf("%v: %v -> %v: ports %v, With says %v", all, ends[i], ends[j], a, b)
					}
				}
			}
		}
	})
	t.Logf("%d sequences; without compiling, by the last edit: %v", sequences, fast)
	for _, what := range quickEdits[:6] {
		assert.Positive(t, fast[what], what)
	}
}

// FuzzWith lets the fuzzer look for edits that break the property.
func FuzzWith(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		c, p := genServiceCluster(t), genServiceProfile(t)
		complete(t, c)
		g := compile(t, p, c)
		edits, _ := genEdits(t, c)
		d, err := c.With(edits...)
		if err != nil {
			t.Fatal(err)
		}
		want, errWant := p.Compile(d)
		got, errGot := g.With(edits...)
		if fmt.Sprint(errWant) != fmt.Sprint(errGot) {
			t.Fatalf("%v: Compile says %v, With %v", edits, errWant, errGot)
		}
		if errWant == nil {
			equalGraphs(t, d, want, got, new(sample), fmt.Sprint(edits))
		}
	}))
}

// equalGraphs fails unless two Graphs of c answer everything alike.
func equalGraphs(t *rapid.T, c *policy.Cluster, want, got *reach.Graph, seen *sample, what string) {
	ends := slices.Concat(want.Pods(), want.Nodes(), want.Outside())
	others := slices.Concat(got.Pods(), got.Nodes(), got.Outside())
	if a, b := fmt.Sprint(ends), fmt.Sprint(others); a != b {
		t.Fatalf("%s: endpoints\n%s\nand with With\n%s", what, a, b)
	}
	for i := range ends {
		for _, prefix := range []string{"replica:", "node-of:"} {
			if e, err := want.Lookup(prefix + ends[i].String()); err == nil {
				ends, others = append(ends, e), append(others, got.MustLookup(e.String()))
			}
		}
	}
	ports := probes(t, c)
	for i := range ends {
		for j := range ends {
			a, b := want.Ports(ends[i], ends[j]), got.Ports(others[i], others[j])
			if !a.Equal(b) {
				t.Fatalf("%s: %v -> %v: ports %v, With says %v\n%v", what, ends[i], ends[j], a, b,
					got.Explain(reach.Flow{From: others[i], To: others[j], Port: pick(t, ports...)}))
			}
			if fam := pick(t, families...); !want.PortsOver(fam, ends[i], ends[j]).Equal(got.PortsOver(fam, others[i], others[j])) {
				t.Fatalf("%s: %v -> %v over %v: Compile and With say different ports", what, ends[i], ends[j], fam)
			}
			f := reach.Flow{From: ends[i], To: ends[j], Port: pick(t, ports...), Family: pick(t, families...)}
			h := reach.Flow{From: others[i], To: others[j], Port: f.Port, Family: f.Family}
			seen.add(want.Allows(f))
			if want.Allows(f) != got.Allows(h) {
				t.Fatalf("%s: %v: Compile says %v, With %v", what, f, want.Allows(f), got.Allows(h))
			}
			if i == j || i == (j*7+3)%len(ends) {
				if a, b := want.Explain(f).String(), got.Explain(h).String(); a != b {
					t.Fatalf("%s: %v: Compile says\n%s\nand With\n%s", what, f, a, b)
				}
			}
		}
	}
	if a, b := edited(want), edited(got); a != b {
		t.Fatalf("%s: Compile says\n%s\nand With\n%s", what, a, b)
	}
	equalNames(t, c, want, got, what)
	for i, from := range ends {
		if services := want.Services(); len(services) > 0 {
			s, port := pick(t, services...), pick(t, ports...)
			x := reach.Connection{From: from, To: s, Port: port}
			y := reach.Connection{From: others[i], To: got.MustTarget(s.String()), Port: port}
			if a, b := want.Trace(x).String(), got.Trace(y).String(); a != b || want.Reaches(x) != got.Reaches(y) {
				t.Fatalf("%s: Compile says\n%s\nand With\n%s", what, a, b)
			}
		}
	}
}

// equalNames fails unless two Graphs of c find the same by names, addresses and
// selectors.
func equalNames(t *rapid.T, c *policy.Cluster, want, got *reach.Graph, what string) {
	lookup := func(g *reach.Graph, text string) string {
		e, err := g.Lookup(text)
		target, errTarget := g.Target(text)
		if err != nil {
			return fmt.Sprint(err, target, errTarget)
		}
		class, ok := g.ClassOf(e)
		return fmt.Sprint(e, e.Addrs(), class, ok, target, errTarget)
	}
	texts := []string{"10.0.0.99", "203.0.113.9"}
	for _, w := range newNaive(c, reach.Profile{}).workloads() {
		texts = append(texts, rawNamespace(w.meta)+"/"+w.meta.Name)
	}
	for _, a := range slices.Concat(statusAddrsOf(c), serviceAddrsOf(c)) {
		texts = append(texts, a.String())
	}
	for _, text := range texts {
		if a, b := lookup(want, text), lookup(got, text); a != b {
			t.Fatalf("%s: %s: Compile says %s, With %s", what, text, a, b)
		}
	}
	pods, err := selector.New(genPlain.PodSelectors().Draw(t, "pods"))
	namespaces, errNamespaces := selector.New(genPlain.NamespaceSelectors().Draw(t, "namespaces"))
	if err == nil && errNamespaces == nil {
		if a, b := fmt.Sprint(want.Select(namespaces, pods)), fmt.Sprint(got.Select(namespaces, pods)); a != b {
			t.Fatalf("%s: %v %v: Compile selects %s, With %s", what, namespaces, pods, a, b)
		}
	}
	for _, e := range want.Pods() {
		dns := func(g *reach.Graph) string {
			d, err := g.DNS(g.MustLookup(e.String()))
			return fmt.Sprint(d, err)
		}
		if a, b := dns(want), dns(got); a != b {
			t.Fatalf("%s: DNS of %s: Compile says %s, With %s", what, e, a, b)
		}
	}
}

// edited lists what a Graph holds as a whole.
func edited(g *reach.Graph) string {
	var b strings.Builder
	for e := range g.Edges() {
		fmt.Fprintln(&b, e.From, e.To, e.Ports)
	}
	for _, c := range g.Classes() {
		fmt.Fprintln(&b, c)
	}
	for e := range g.ClassEdges() {
		fmt.Fprintln(&b, e.From, e.To, e.Ports, e.Pairs())
	}
	for _, e := range g.Pods() {
		_, err := g.Lookup(e.Name().String())
		fmt.Fprintln(&b, e, err, g.Isolated(e, policy.Egress), g.Isolated(e, policy.Ingress))
	}
	return b.String() + servedListing(g)
}

func TestWithOnLargeCluster(t *testing.T) {
	c := scale.M.Cluster()
	g, err := reach.Compile(c)
	require.NoError(t, err)
	before := equalFlows(t, g, c, "no edit")
	last, all, differ := g, c, 0
	for _, e := range editsOf(c) {
		h, err := g.With(e.edit)
		require.NoError(t, err)
		assert.True(t, h.MadeByEdit(), e.name)
		d, err := c.With(e.edit)
		require.NoError(t, err)
		after := equalFlows(t, h, d, e.name)
		if after != before {
			differ++
		}
		// And on top of those before.
		last, err = last.With(e.edit)
		require.NoError(t, err)
		assert.True(t, last.MadeByEdit(), e.name)
		all, err = all.With(e.edit)
		require.NoError(t, err)
	}
	equalFlows(t, last, all, "all edits")
	assert.Greater(t, differ, 1, "some edits change what is allowed")
}

// equalFlows fails unless g allows what Compile makes of c, between pods on one
// port: from all of them to every fifth one. It returns how many flows are allowed.
func equalFlows(t *testing.T, g *reach.Graph, c *policy.Cluster, what string) int {
	t.Helper()
	want, err := reach.Compile(c)
	require.NoError(t, err)
	a, b := want.Pods(), g.Pods()
	require.Equal(t, fmt.Sprint(a), fmt.Sprint(b), what)
	allowed := 0
	for i := range a {
		for j := i % 5; j < len(a); j += 5 {
			x := reach.Flow{From: a[i], To: a[j], Port: policy.TCP.Port(8080)}
			y := reach.Flow{From: b[i], To: b[j], Port: x.Port}
			if want.Allows(x) != g.Allows(y) {
				t.Fatalf("%s: %v: With says %v", what, x, g.Allows(y))
			}
			if g.Allows(y) {
				allowed++
			}
		}
	}
	return allowed
}

func TestWithErrors(t *testing.T) {
	g := shop(t)
	_, err := g.With(policy.Remove("NetworkPolicy", "shop", "nobody"))
	assert.ErrorContains(t, err, "the cluster has none")
	bad := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "bad"}}
	bad.Spec.PodSelector.MatchLabels = map[string]string{"not a key!": ""}
	h, err := g.With(policy.Put(bad))
	assert.Nil(t, h)
	require.Len(t, policy.Errors(err), 1)
	assert.Equal(t, "NetworkPolicy shop/bad", policy.Errors(err)[0].Object)

	same, err := g.With(policy.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "more"}}))
	require.NoError(t, err)
	assert.Len(t, same.Pods(), len(g.Pods())+1)
}

// pairIn returns a cluster of a namespace, default, with two pods.
func pairIn(t *testing.T) (*reach.Graph, func(name, addr string) *corev1.Pod) {
	pod := func(name, addr string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}}
		p.Labels = map[string]string{"name": name}
		p.Status.PodIP = addr
		return p
	}
	g, err := reach.Compile(&policy.Cluster{
		Namespaces: []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceDefault}}},
		Pods:       []*corev1.Pod{pod("a", "10.0.0.1"), pod("b", "10.0.0.2")},
	})
	require.NoError(t, err)
	return g, pod
}

// Edits of one object are of one object however they name its namespace.
func TestWithDefaultNamespace(t *testing.T) {
	g, pod := pairIn(t)
	h, err := g.With(policy.Remove("Pod", "", "a"), policy.Put(pod("a", "10.0.0.9")))
	require.NoError(t, err)
	assert.True(t, h.MadeByEdit())
	assert.Equal(t, "[default/a default/b]", fmt.Sprint(h.Pods()))
}

// A Graph keeps nothing of pods that have come and gone.
func TestWithComingAndGoing(t *testing.T) {
	g, pod := pairIn(t)
	sets := g.LabelSets()
	for range 100 {
		var err error
		g, err = g.With(policy.Put(pod("c", "10.0.0.3")))
		require.NoError(t, err)
		g, err = g.With(policy.Remove("Pod", metav1.NamespaceDefault, "c"))
		require.NoError(t, err)
	}
	assert.True(t, g.MadeByEdit())
	assert.Equal(t, sets, g.LabelSets())
}

// Graphs from one Graph can be made and asked at once.
func TestWithAtOnce(t *testing.T) {
	c := scale.S.Cluster()
	g, err := reach.Compile(c)
	require.NoError(t, err)
	more, err := g.With(another(c))
	require.NoError(t, err)
	require.True(t, more.MadeByEdit())
	var wg sync.WaitGroup
	for _, g := range []*reach.Graph{g, g, more, more} {
		for _, e := range editsOf(c) {
			wg.Go(func() {
				h, err := g.With(e.edit)
				if !assert.NoError(t, err) {
					return
				}
				again, err := h.With(withoutIngress(c), unlabeled(c))
				if !assert.NoError(t, err) {
					return
				}
				for _, g := range []*reach.Graph{g, h, again} {
					edited(g)
				}
			})
		}
	}
	wg.Wait()
}
