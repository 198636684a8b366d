package reach_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
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
	fast, slow := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c, p := genServiceCluster(t), genServiceProfile(t)
		g := compile(t, p, c)
		first, before := g, edited(g)
		var all []policy.Edit
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			edits := genEdits(t, c)
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
				fast++
			} else {
				slow++
			}
			equalGraphs(t, d, want, got, &seen, fmt.Sprint(all))
			c, g = d, got
		}
		if after := edited(first); before != after {
			t.Fatalf("%v: the first Graph was\n%s\nand is\n%s", all, before, after)
		}
	})
	seen.check(t)
	t.Logf("%d Graphs by edit, %d compiled", fast, slow)
	assert.Positive(t, fast)
	assert.Positive(t, slow)
}

// Ten sequences of edits, each from the same Graph, come to what Compile makes of
// the edited clusters. This looks at the ports between all endpoints only, so
// that many sequences can be tried.
func TestPropertyWithSequences(t *testing.T) {
	sequences, fast := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		g := compile(t, p, c)
		for range 10 {
			var all []policy.Edit
			d, h := c, g
			for range pick(t, 1, 1, 2, 3) {
				edits := genEdits(t, d)
				all = append(all, edits...)
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
				fast++
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
	t.Logf("%d sequences, %d of them without compiling", sequences, fast)
	assert.Greater(t, fast, sequences/20)
}

// FuzzWith lets the fuzzer look for edits that break the property.
func FuzzWith(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		c := genCluster(t)
		g := compile(t, reach.Profile{}, c)
		edits := genEdits(t, c)
		d, err := c.With(edits...)
		if err != nil {
			t.Fatal(err)
		}
		want, errWant := reach.Compile(d)
		got, errGot := g.With(edits...)
		if fmt.Sprint(errWant) != fmt.Sprint(errGot) {
			t.Fatalf("%v: Compile says %v, With %v", edits, errWant, errGot)
		}
		if errWant == nil {
			equalGraphs(t, d, want, got, new(sample), fmt.Sprint(edits))
		}
	}))
}

// genEdits draws edits that can be made in c, mostly of policies, and mostly such
// as change a policy that is there.
func genEdits(t *rapid.T, c *policy.Cluster) []policy.Edit {
	var edits []policy.Edit
	for range pick(t, 1, 1, 1, 2, 3) {
		edit := genEdit(t, c)
		edits = append(edits, edit)
		d, err := c.With(edit)
		if err != nil {
			t.Fatal(err)
		}
		c = d
	}
	return edits
}

func genEdit(t *rapid.T, c *policy.Cluster) policy.Edit {
	var named []*networkingv1.NetworkPolicy
	for _, np := range c.Policies {
		if np != nil && np.Name != "" {
			named = append(named, np)
		}
	}
	kind := pick(t, "change", "change", "change", "mix", "mix", "copy", "new", "remove", "remove", "label", "pod", "namespace", "service")
	switch {
	case kind == "new" || len(named) == 0:
		g := clusterGen{c: &policy.Cluster{}, namespaces: clusterNamespaces}
		np := g.policy(t)
		np.Name = pick(t, "new", "a")
		np.GenerateName = ""
		return policy.Put(np)
	case kind == "remove":
		np := pick(t, named...)
		return policy.Remove("NetworkPolicy", np.Namespace, np.Name)
	case kind == "copy":
		np := pick(t, named...).DeepCopy()
		np.Name, np.Namespace = "copy", pick(t, named...).Namespace
		return policy.Put(np)
	case kind == "change":
		np := pick(t, named...).DeepCopy()
		mutate(t, np)
		return policy.Put(np)
	case kind == "mix":
		np, other := pick(t, named...).DeepCopy(), pick(t, named...).DeepCopy()
		np.Spec.Ingress = append(np.Spec.Ingress, other.Spec.Ingress...)
		np.Spec.Egress = append(np.Spec.Egress, other.Spec.Egress...)
		if oneIn(t, 2) {
			np.Spec.PodSelector = other.Spec.PodSelector
		}
		return policy.Put(np)
	case kind == "service" && len(c.Services) > 0:
		svc := pick(t, c.Services...)
		if svc.Name != "" {
			return policy.Remove("Service", svc.Namespace, svc.Name)
		}
	case kind == "namespace" && len(c.Namespaces) > 0:
		ns := pick(t, c.Namespaces...)
		if oneIn(t, 2) {
			return policy.Remove("Namespace", "", ns.Name)
		}
		return policy.Relabel("Namespace", "", ns.Name, drawLabels(t))
	case len(c.Pods) > 0:
		pod := pick(t, c.Pods...)
		switch {
		case pod.Name == "":
		case kind == "label":
			return policy.Relabel("Pod", pod.Namespace, pod.Name, drawLabels(t))
		case oneIn(t, 2):
			return policy.Remove("Pod", pod.Namespace, pod.Name)
		default:
			other := pod.DeepCopy()
			other.Name, other.Labels = "more", drawLabels(t)
			other.Status.PodIP, other.Status.PodIPs = "", nil
			return policy.Put(other)
		}
	}
	return policy.Edit{}
}

// mutate changes a policy as people do: it drops something, or says it otherwise.
func mutate(t *rapid.T, np *networkingv1.NetworkPolicy) {
	drop := func(n int, cut func(i int)) {
		if n > 0 {
			cut(rapid.IntRange(0, n-1).Draw(t, "at"))
		}
	}
	switch pick(t, "rule", "peers", "ports", "selector", "types", "empty", "range") {
	case "rule":
		drop(len(np.Spec.Ingress), func(i int) { np.Spec.Ingress = slices.Delete(np.Spec.Ingress, i, i+1) })
	case "peers":
		drop(len(np.Spec.Ingress), func(i int) {
			r := &np.Spec.Ingress[i]
			drop(len(r.From), func(j int) { r.From = slices.Delete(r.From, j, j+1) })
		})
		drop(len(np.Spec.Egress), func(i int) { np.Spec.Egress[i].To = nil })
	case "ports":
		drop(len(np.Spec.Egress), func(i int) { np.Spec.Egress[i].Ports = nil })
		drop(len(np.Spec.Ingress), func(i int) {
			r := &np.Spec.Ingress[i]
			drop(len(r.Ports), func(j int) { r.Ports = slices.Delete(r.Ports, j, j+1) })
		})
	case "selector":
		np.Spec.PodSelector = drawSelector(t, []string{"a", "b"})
	case "types":
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	case "empty":
		np.Spec.Ingress, np.Spec.Egress = nil, nil
	case "range":
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
			From: []networkingv1.NetworkPolicyPeer{{PodSelector: new(drawSelector(t, []string{"a", "b"})), NamespaceSelector: &metav1.LabelSelector{}}},
		})
	}
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
	for _, from := range want.Pods() {
		if services := want.Services(); len(services) > 0 {
			s, port := pick(t, services...), pick(t, ports...)
			x := reach.Connection{From: from, To: s, Port: port}
			y := reach.Connection{From: got.MustLookup(from.String()), To: got.MustTarget(s.String()), Port: port}
			if a, b := want.Trace(x).String(), got.Trace(y).String(); a != b || want.Reaches(x) != got.Reaches(y) {
				t.Fatalf("%s: Compile says\n%s\nand With\n%s", what, a, b)
			}
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
		fmt.Fprintln(&b, e, err)
	}
	return b.String() + servedListing(g)
}

func TestWithOnLargeCluster(t *testing.T) {
	c := scale.M.Cluster()
	g, err := reach.Compile(c)
	require.NoError(t, err)
	i := slices.IndexFunc(c.Policies, func(np *networkingv1.NetworkPolicy) bool {
		return len(np.Spec.Ingress) > 0 && len(np.Spec.Ingress[0].From) > 0
	})
	np := c.Policies[i].DeepCopy()
	np.Spec.Ingress[0].From, np.Spec.Ingress[0].Ports = nil, nil
	h, err := g.With(policy.Put(np))
	require.NoError(t, err)
	assert.True(t, h.MadeByEdit())
	d, err := c.With(policy.Put(np))
	require.NoError(t, err)
	want, err := reach.Compile(d)
	require.NoError(t, err)
	differ := 0
	ends, after, afresh := g.Pods(), h.Pods(), want.Pods()
	for i := range ends {
		for j := range ends {
			f := func(list []reach.Endpoint) reach.Flow {
				return reach.Flow{From: list[i], To: list[j], Port: policy.TCP.Port(8080)}
			}
			if h.Allows(f(after)) != want.Allows(f(afresh)) {
				t.Fatalf("%v: With says %v", f(after), h.Allows(f(after)))
			}
			if g.Allows(f(ends)) != h.Allows(f(after)) {
				differ++
			}
		}
	}
	assert.Positive(t, differ, "the edit opens something")
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
