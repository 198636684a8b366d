package reach_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"
)

// A twin is two clusters with their Graphs and naive evaluators.
type twin struct {
	clusters [2]*policy.Cluster
	graphs   [2]*reach.Graph
	naives   [2]*naive
	ends     []string // of either
	known    [2]map[string]reach.Endpoint
}

// drawTwin draws a cluster, and what edits make of it or another one.
func drawTwin(t *rapid.T) *twin {
	c, p := genCluster(t), genProfile(t)
	complete(t, c)
	g := compile(t, p, c)
	switch pick(t, "edit", "edit", "edit", "compile", "profile", "other") {
	case "profile":
		q := genProfile(t)
		return newTwin(t, c, g, p, c, compile(t, q, c), q)
	case "other":
		d := genCluster(t)
		return newTwin(t, c, g, p, d, compile(t, p, d), p)
	case "compile":
		d := c
		for range 2 {
			edits, _ := genEdits(t, d)
			if next, err := d.With(edits...); err == nil {
				if _, err := p.Compile(next); err == nil {
					d = next
				}
			}
		}
		return newTwin(t, c, g, p, d, compile(t, p, d), p)
	}
	d, h := c, g
	for range pick(t, 1, 1, 2) {
		edits, _ := genEdits(t, d)
		next, err := h.With(edits...)
		if err != nil {
			break
		}
		if d, err = d.With(edits...); err != nil {
			t.Fatal(err)
		}
		if oneIn(t, 3) {
			c, g = h.Cluster(), h // the edits before are in both
		}
		h = next
	}
	return newTwin(t, c, g, p, d, h, p)
}

func newTwin(t *rapid.T, c *policy.Cluster, g *reach.Graph, p reach.Profile, d *policy.Cluster, h *reach.Graph, q reach.Profile) *twin {
	w := &twin{[2]*policy.Cluster{c, d}, [2]*reach.Graph{g, h}, [2]*naive{newNaive(c, p), newNaive(d, q)}, nil,
		[2]map[string]reach.Endpoint{make(map[string]reach.Endpoint), make(map[string]reach.Endpoint)}}
	known := func(n *naive, id string) bool { return n.knows(id) && !n.end(id).dead }
	for s, n := range w.naives {
		for _, id := range n.ends() {
			if !strings.HasPrefix(id, "node-of:") && !strings.HasPrefix(id, "replica:") && known(n, id) {
				w.ends = append(w.ends, id)
			}
		}
		addrs := append(boundariesOf(w.clusters[s]), statusAddrsOf(w.clusters[s])...)
		addrs = rapid.Permutation(addrs).Draw(t, "addresses")
		for _, a := range append(addrs[:min(6, len(addrs))], netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")) {
			if _, err := g.Addr(a); err != nil || !w.naives[0].knows(a.String()) {
				continue
			}
			if _, err := h.Addr(a); err == nil && w.naives[1].knows(a.String()) {
				w.ends = append(w.ends, a.String())
			}
		}
	}
	slices.Sort(w.ends)
	w.ends = slices.Compact(w.ends)
	for s, n := range w.naives {
		for _, text := range w.ends {
			for _, text := range [...]string{text, "replica:" + text} {
				if n.knows(text) && !n.end(text).dead {
					if e, err := w.graphs[s].Lookup(text); err == nil {
						w.known[s][text] = e
					}
				}
			}
		}
	}
	return w
}

// has returns the endpoint that a text names on a side, as far as a Diff compares it.
func (w *twin) has(side int, text string) (reach.Endpoint, bool) {
	e, ok := w.known[side][text]
	return e, ok
}

// compared reports whether a Diff compares the pair at all: addresses outside on one
// side only are not, nor is a pod as it is at one address of several if the other side
// does not know it there.
func (w *twin) compared(text string) bool {
	if _, err := netip.ParseAddr(text); err != nil {
		return true
	}
	x, okX := w.has(0, text)
	y, okY := w.has(1, text)
	if !okX || !okY {
		return false
	}
	a, b := w.naives[0].end(text), w.naives[1].end(text)
	if a.node == "" || b.node == "" {
		return a.node == b.node // both outside
	}
	return strings.HasPrefix(x.String(), text) == strings.HasPrefix(y.String(), text) && ownerOf(x) == ownerOf(y)
}

// ownerOf returns the name of the pod or node that e is.
func ownerOf(e reach.Endpoint) string { return e.Name().String() }

// allows is what the naive evaluator of a side says; nothing is allowed to or from
// what it does not have.
func (w *twin) allows(side int, from, to string, port policy.Port, fam reach.Family) bool {
	if _, ok := w.has(side, from); !ok {
		return false
	}
	if _, ok := w.has(side, to); !ok {
		return false
	}
	return w.naives[side].allows(from, to, port, fam)
}

// A region is the pairs of ends that a Change is about.
type region struct {
	reach.Change
	from, to map[string]bool
}

func (w *twin) regions(list []reach.Change, side int) []region {
	in := func(ends reach.Ends) map[string]bool {
		members := make(map[reach.Endpoint]bool)
		for m := range ends.Members() {
			members[m] = true
		}
		outside, texts := ends.Outside(), make(map[string]bool)
		for _, text := range w.ends {
			e, ok := w.has(side, text)
			a, err := netip.ParseAddr(text)
			texts[text] = ok && (members[e] || err == nil && outside.Contains(a))
		}
		return texts
	}
	var all []region
	for _, c := range list {
		all = append(all, region{c, in(c.From), in(c.To)})
	}
	return all
}

// changes returns the changes of a list that have a flow.
func (w *twin) changes(list []region, side int, from, to string, port policy.Port, fam reach.Family) []reach.Change {
	var found []reach.Change
	for _, c := range list {
		if c.from[from] && c.to[to] && c.Ports.Contains(port) && (c.Family == reach.AnyFamily && w.shares(side, from, to, fam) || c.Family == fam) &&
			c.OwnNode == (from != to && w.near(from, to)) {
			found = append(found, c.Change)
		}
	}
	return found
}

// isPod reports whether a text names a pod or workload.
func (w *twin) isPod(text string) bool {
	for s, n := range w.naives {
		if _, ok := w.has(s, text); ok {
			return n.end(text).spec != nil
		}
	}
	return false
}

// near reports whether one is the node of the other on some side, or counts as it.
func (w *twin) near(from, to string) bool {
	for s, n := range w.naives {
		_, okX := w.has(s, from)
		_, okY := w.has(s, to)
		if okX && okY {
			x, y := n.end(from), n.end(to)
			if x.node == y.node && strings.HasPrefix(x.node, "node:") && (x.isNode || y.isNode) {
				return true
			}
		}
	}
	return false
}

// Of every pair of ends, port and family, a Diff has those flows that the naive
// evaluators answer differently, each once, and no others.
func TestPropertyCompare(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	var seen sample
	rapid.Check(t, func(t *rapid.T) {
		w := drawTwin(t)
		d := reach.Compare(w.graphs[0], w.graphs[1])
		opens, closes := w.regions(d.Opened, 1), w.regions(d.Closed, 0)
		ports := []policy.Port{genPort(t, w.clusters[0]), genPort(t, w.clusters[0]), genPort(t, w.clusters[1]), policy.UDP.Port(9), policy.ICMP.Port(0)}
		for _, from := range w.ends {
			for _, to := range w.ends {
				if !w.compared(from) || !w.compared(to) || !w.isPod(from) && !w.isPod(to) || w.unasked(from, to) {
					continue
				}
				for _, port := range ports {
					for _, fam := range families[1:] {
						other := to
						if from == to {
							other = "replica:" + to // that is what a workload to itself means
						}
						before, after := w.allows(0, from, other, port, fam), w.allows(1, from, other, port, fam)
						opened := w.changes(opens, 1, from, to, port, fam)
						closed := w.changes(closes, 0, from, to, port, fam)
						seen.add(before == after)
						if len(opened)+len(closed) == 0 && before == after {
							continue
						}
						text := fmt.Sprintf("%s -> %s %v over %v: before %v, after %v\n%v", from, to, port, fam, before, after, d)
						switch {
						case before == after:
							require.Empty(t, opened, text)
							require.Empty(t, closed, text)
						case after:
							require.Len(t, opened, 1, text)
							require.Empty(t, closed, text)
						default:
							require.Len(t, closed, 1, text)
							require.Empty(t, opened, text)
						}
					}
				}
			}
		}
		for _, c := range slices.Concat(d.Opened, d.Closed) {
			checkFlow(t, w, c)
		}
		for _, list := range [...][]reach.Change{d.Opened, d.Closed} {
			seen := make(map[string]reach.Change)
			for _, c := range list {
				for i, ends := range [...]reach.Ends{c.From, c.To} {
					key := fmt.Sprint(i, slices.Collect(ends.Members()), ends.Outside(), c.Ports, c.Family, c.OwnNode)
					require.NotContains(t, seen, key, "two changes that could be one: %v and %v", seen[key], c)
					seen[key] = c
				}
			}
		}
		_, same := reach.Equivalent(w.graphs[0], w.graphs[1])
		require.Equal(t, len(d.Opened)+len(d.Closed) == 0, same, "%v", d)
	})
	t.Logf("%d the same, %d different", seen.allowed, seen.denied)
	require.Greater(t, seen.denied, 1000)
}

// Two Graphs that With has made differ as those do that Compile makes of their clusters,
// however they come from each other.
func TestPropertyCompareMade(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	made := 0
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		complete(t, c)
		graphs := []*reach.Graph{compile(t, p, c)}
		for range rapid.IntRange(1, 6).Draw(t, "edits") {
			g := graphs[rapid.IntRange(0, len(graphs)-1).Draw(t, "of")]
			edits, _ := genEdits(t, g.Cluster())
			if h, err := g.With(edits...); err == nil {
				graphs = append(graphs, h)
			}
		}
		g, h := rapid.SampledFrom(graphs).Draw(t, "before"), rapid.SampledFrom(graphs).Draw(t, "after")
		if g != h && g.MadeByEdit() && h.MadeByEdit() {
			made++
		}
		d, want := reach.Compare(g, h), reach.Compare(compile(t, p, g.Cluster()), compile(t, p, h.Cluster()))
		require.Equal(t, pairsOf(want), pairsOf(d), "%v\n\n%v", want, d)
	})
	require.NotZero(t, made, "the sample has no two Graphs that With made")
}

// pairsOf returns the flows of d, one end and prefix at a time.
func pairsOf(d *reach.Diff) map[string]string {
	names := func(e reach.Ends) []string {
		var list []string
		for m := range e.Members() {
			list = append(list, fmt.Sprint(reach.FullName(m), m.Addrs()))
		}
		for p := range e.Outside().Prefixes() {
			list = append(list, p.String())
		}
		return list
	}
	ports := make(map[string]policy.PortSet)
	for _, c := range slices.Concat(d.Opened, d.Closed) {
		for _, from := range names(c.From) {
			for _, to := range names(c.To) {
				k := fmt.Sprintf("%v %s -> %s %v %v", c.Opened, from, to, c.Family, c.OwnNode)
				ports[k] = policy.NewPortSet(slices.AppendSeq(slices.Collect(ports[k].Ranges()), c.Ports.Ranges())...)
			}
		}
	}
	texts := make(map[string]string)
	for k, set := range ports {
		texts[k] = set.String()
	}
	return texts
}

// unasked reports whether a pair is none that a Diff has under these names: a pod and
// itself, or a pod at an address that policies do not tell apart from the pod.
func (w *twin) unasked(from, to string) bool {
	if from == to {
		return !slices.ContainsFunc(w.naives[:], func(n *naive) bool { return n.knows("replica:" + to) })
	}
	for s := range w.graphs {
		x, okX := w.has(s, from)
		y, okY := w.has(s, to)
		if okX && okY && w.graphs[s].Exempt(x, y) && !w.near(from, to) {
			return true
		}
	}
	for _, text := range []string{from, to} {
		if _, err := netip.ParseAddr(text); err == nil && !strings.HasPrefix(w.naives[0].end(text).id, "outside") {
			x, _ := w.has(0, text)
			y, _ := w.has(1, text)
			if !reach.IsAt(x) || !reach.IsAt(y) || !reach.IsApart(x) && !reach.IsApart(y) {
				return true
			}
		}
	}
	return false
}

// shares reports whether two ends have addresses of a family in common.
func (w *twin) shares(side int, from, to string, fam reach.Family) bool {
	x, okX := w.has(side, from)
	y, okY := w.has(side, to)
	if !okX || !okY {
		return false
	}
	v := w.graphs[side].Explain(reach.Flow{From: x, To: y, Port: policy.TCP.Port(80), Family: fam})
	return v.IPv4 != reach.NoPath || v.IPv6 != reach.NoPath
}

// checkFlow checks that the example of a change is one.
func checkFlow(t *rapid.T, w *twin, c reach.Change) {
	f := c.Flow()
	s := 0
	if c.Opened {
		s = 1
	}
	require.True(t, w.graphs[s].Allows(f), "%v: %v", c, f)
	text := func(e reach.Endpoint, ends reach.Ends) string {
		if set := ends.Outside(); !set.IsEmpty() && ends.Len() == 0 {
			return set.First().String()
		}
		return reach.FullName(e)
	}
	from, to := text(f.From, c.From), text(f.To, c.To)
	x, okX := w.has(1-s, from)
	y, okY := w.has(1-s, to)
	if okX && okY && c.From.Outside().IsEmpty() && c.To.Outside().IsEmpty() {
		fams := []reach.Family{f.Family}
		if f.Family == reach.AnyFamily {
			fams = families[1:]
		}
		for _, fam := range fams {
			require.False(t, w.shares(s, from, to, fam) && w.graphs[1-s].Allows(reach.Flow{From: x, To: y, Port: f.Port, Family: fam}), "%v: %v", c, f)
		}
	}
}

// explicit reports whether a flow is allowed on a side and policies of that side have
// a say.
func (w *twin) explicit(side int, from, to string, port policy.Port, fam reach.Family) bool {
	if w.naives[side].p.NotEnforced || !w.allows(side, from, to, port, fam) {
		return false
	}
	n := w.naives[side]
	f := naiveFlow{n.end(from), n.end(to), port, fam}
	for _, dir := range [...]networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress} {
		if n.isolated(f, dir) && !n.exempt(f, dir) {
			return true
		}
	}
	return false
}

// What two Graphs are to each other is what the naive evaluators say of all their
// flows: where these find an exception, there is a counter-example, and each
// counter-example is one for them too.
func TestPropertyContains(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	var seen [6]sample
	rapid.Check(t, func(t *rapid.T) {
		w := drawTwin(t)
		g, h := w.graphs[0], w.graphs[1]
		var set *naive // both sets of policies together
		beside := w.clusters[0].Clone()
		for i, np := range w.clusters[1].Policies {
			np = np.DeepCopy()
			np.Name = fmt.Sprintf("set-%d", i)
			beside.Policies = append(beside.Policies, np)
		}
		if _, err := w.naives[0].p.Compile(beside); err == nil {
			set = newNaive(beside, w.naives[0].p)
		}
		type query struct {
			name string
			bad  func(from, to string, port policy.Port, fam reach.Family) bool // is a counter-example, or an example
			run  func() (reach.Change, bool)                                    // whether there is one
		}
		not := func(c reach.Change, ok bool) (reach.Change, bool) { return c, !ok }
		a := func(f func(int, string, string, policy.Port, reach.Family) bool, side int) func(string, string, policy.Port, reach.Family) bool {
			return func(from, to string, port policy.Port, fam reach.Family) bool { return f(side, from, to, port, fam) }
		}
		allowed0, allowed1, explicit0, explicit1 := a(w.allows, 0), a(w.allows, 1), a(w.explicit, 0), a(w.explicit, 1)
		queries := []query{
			{"equivalent", func(from, to string, port policy.Port, fam reach.Family) bool {
				return allowed0(from, to, port, fam) != allowed1(from, to, port, fam)
			}, func() (reach.Change, bool) { return not(reach.Equivalent(g, h)) }},
			{"contains", func(from, to string, port policy.Port, fam reach.Family) bool {
				return !allowed0(from, to, port, fam) && allowed1(from, to, port, fam)
			}, func() (reach.Change, bool) { return not(g.Contains(h)) }},
			{"permits", func(from, to string, port policy.Port, fam reach.Family) bool {
				return !allowed0(from, to, port, fam) && explicit1(from, to, port, fam)
			}, func() (reach.Change, bool) { return not(g.Permits(h)) }},
			{"forbids", func(from, to string, port policy.Port, fam reach.Family) bool {
				return allowed0(from, to, port, fam) && explicit1(from, to, port, fam)
			}, func() (reach.Change, bool) { return not(g.Forbids(h)) }},
			{"intersects", func(from, to string, port policy.Port, fam reach.Family) bool {
				return explicit0(from, to, port, fam) && explicit1(from, to, port, fam)
			}, func() (reach.Change, bool) { return g.Intersects(h) }},
			{"interferes", func(from, to string, port policy.Port, fam reach.Family) bool {
				_, okX := w.has(0, from)
				_, okY := w.has(0, to)
				return okX && okY && set != nil && !allowed0(from, to, port, fam) && set.allows(from, to, port, fam)
			}, func() (reach.Change, bool) {
				c, ok, err := g.Interferes(h)
				if set == nil {
					require.Error(t, err)
				} else {
					require.NoError(t, err)
				}
				return c, ok
			}},
		}
		ports := []policy.Port{genPort(t, w.clusters[0]), genPort(t, w.clusters[1]), policy.UDP.Port(9)}
		for i, q := range queries {
			c, found := q.run()
			seen[i].add(found)
			require.Equal(t, found, !c.IsZero(), q.name)
			if found {
				w.checkExample(t, q.name, c, q.bad)
				continue
			}
			for _, from := range w.ends {
				for _, to := range w.ends {
					if !w.compared(from) || !w.compared(to) || !w.isPod(from) && !w.isPod(to) || w.unasked(from, to) || from == to {
						continue
					}
					for _, port := range ports {
						for _, fam := range families[1:] {
							require.False(t, q.bad(from, to, port, fam), "%s: %s -> %s %v over %v", q.name, from, to, port, fam)
						}
					}
				}
			}
		}
	})
	for i := range seen {
		require.Greater(t, min(seen[i].allowed, seen[i].denied), 3, "query %d", i)
	}
}

// checkExample checks that an example is one for the naive evaluators.
func (w *twin) checkExample(t *rapid.T, name string, c reach.Change, bad func(from, to string, port policy.Port, fam reach.Family) bool) {
	f := c.Flow()
	text := func(e reach.Endpoint, ends reach.Ends) string {
		if set := ends.Outside(); !set.IsEmpty() {
			return set.First().String()
		}
		return reach.FullName(e)
	}
	from, to := text(f.From, c.From), text(f.To, c.To)
	if strings.HasPrefix(to, "replica:") {
		to = "replica:" + from
	}
	known := func(text string) bool {
		return slices.ContainsFunc(w.naives[:], func(n *naive) bool { return n.knows(text) })
	}
	if !known(from) || !known(to) {
		return // no name that the evaluators know
	}
	for s := range w.naives {
		for _, x := range [...]string{from, to} {
			if e, err := w.graphs[s].Lookup(x); err == nil && w.naives[s].knows(x) {
				w.known[s][x] = e
			}
		}
	}
	fams := []reach.Family{f.Family}
	if f.Family == reach.AnyFamily {
		fams = families[1:]
	}
	require.True(t, slices.ContainsFunc(fams, func(fam reach.Family) bool { return bad(from, to, f.Port, fam) }), "%s: %v: %v", name, c, f)
}

// A ClusterIP is outside the cluster no more: flows to it are not compared with a Graph
// that has it, and are between two that have it not, whichever Graph came first.
func TestCompareClusterIP(t *testing.T) {
	const objects = `
apiVersion: v1
kind: Namespace
metadata: {name: x}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {app: a}}
status: {podIP: 10.0.0.1}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: x}
spec: {podSelector: {}, policyTypes: [Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow, namespace: x}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.1/32}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: other, namespace: x}
spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.1/32}}]}]}
`
	const service = `---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: x}
spec: {clusterIP: 203.0.113.1, ports: [{port: 80}]}
`
	with := func(g *reach.Graph, e policy.Edit) *reach.Graph {
		h, err := g.With(e)
		require.NoError(t, err)
		require.True(t, h.MadeByEdit())
		return h
	}
	remove := policy.Remove("NetworkPolicy", "x", "allow")
	const closed = "closed x/a -> 203.0.113.1/32 all"
	const same = "no difference"

	had := parsed(t, objects+service)
	gone := with(had, policy.Remove("Service", "x", "s"))
	has := parsed(t, objects)
	svc := had.Cluster().Services[0]
	got := with(has, policy.Put(svc))
	for _, tt := range []struct {
		why           string
		before, after *reach.Graph
		want          string
	}{
		{"it is a ClusterIP before", had, with(gone, remove), same},
		{"it is one no more", gone, with(gone, remove), closed},
		{"it is one on both sides", got, with(got, remove), same},
		{"it is one after", has, with(got, remove), same},
		{"it is one on neither side", has, with(has, remove), closed},
	} {
		require.Equal(t, tt.want, reach.Compare(tt.before, tt.after).String(), tt.why)
	}
}

// What both of two Graphs allow over one family only is not told of another.
func TestIntersectsFamily(t *testing.T) {
	text := func(a string) string {
		return `
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {app: a}}
status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}` + a + `]}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x, labels: {app: b}}
status: {podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: b, namespace: x}
spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]}
`
	}
	one, two := parsed(t, text("")), parsed(t, text(`, {ip: "fd00::1"}`))
	c, ok := one.Intersects(two)
	require.True(t, ok)
	require.Equal(t, "opened x/a -> x/b all over IPv4", c.String(), "a has no IPv6 address before")
	c, ok = two.Intersects(one)
	require.True(t, ok)
	require.Equal(t, "opened x/a -> x/b all", c.String(), "a has no other after")
}
