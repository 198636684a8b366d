package reach_test

import (
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

// What is told as the cause of a change turns its flow, and nothing smaller does: of
// all that has changed between two clusters, every set of fewer objects is tried.
func TestPropertyCauses(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	sizes := make(map[int]int)
	rapid.Check(t, func(t *rapid.T) {
		c, p := genCluster(t), genProfile(t)
		complete(t, c)
		g, d := compile(t, p, c), c
		for range rapid.IntRange(1, 5).Draw(t, "edits") {
			edits, _ := genEdits(t, d)
			if next, err := d.With(edits...); err == nil {
				if _, err := p.Compile(next); err == nil {
					d = next
				}
			}
		}
		h := compile(t, p, d)
		edits := c.EditsTo(d)
		const most = 7
		if len(edits) > most {
			t.Skip("too many sets of edits")
		}
		diff := reach.Compare(g, h)
		list := slices.Concat(diff.Opened, diff.Closed)
		if len(list) > 4 {
			list = rapid.Permutation(list).Draw(t, "changes")[:4]
		}
		for _, ch := range list {
			causes := ch.Causes()
			sizes[len(causes)]++
			require.NotEmpty(t, causes, "%v", ch)
			turns := func(m uint) bool {
				var some []policy.Edit
				for i, e := range edits {
					if m>>i&1 != 0 {
						some = append(some, e)
					}
				}
				state, err := c.With(some...)
				require.NoError(t, err)
				k, err := p.Compile(state)
				return err == nil && reach.Turns(ch, k)
			}
			told := uint(0)
			for i, e := range edits {
				kind, name := e.Object()
				if slices.ContainsFunc(causes, func(c reach.Cause) bool { return c.Kind == kind && c.Name == name }) {
					told |= 1 << i
				}
			}
			require.Equal(t, len(causes), bits.OnesCount(told), "%v: %v", ch, causes)
			require.True(t, turns(told), "%v: %v", ch, causes)
			for m := range uint(1) << len(edits) {
				if bits.OnesCount(m) < len(causes) && (m&told == m || near(ch, edits, m)) {
					require.False(t, turns(m), "%v: %v, but %b of %v", ch, causes, m, edits)
				}
			}
		}
	})
	t.Logf("by size: %v", sizes)
	require.Greater(t, sizes[1], 20, "the sample has hardly any change")
}

// near reports whether a set of edits is of policies, the ends of a change, and their
// namespaces and nodes only.
func near(ch reach.Change, edits []policy.Edit, set uint) bool {
	f := ch.Flow()
	for i, e := range edits {
		if set>>i&1 == 0 {
			continue
		}
		switch kind, name := e.Object(); kind {
		case "NetworkPolicy", "Namespace":
		case "Node":
			if name.Name != f.From.Name().Name && name.Name != f.To.Name().Name {
				return false
			}
		default:
			if name != f.From.Name() && name != f.To.Name() {
				return false
			}
		}
	}
	return true
}

func TestCauses(t *testing.T) {
	const pods = `
apiVersion: v1
kind: Namespace
metadata: {name: x}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {app: a}}
spec: {containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x, labels: {app: b}}
spec: {containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.0.2}
`
	policyOf := func(name, spec string) string {
		return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name + ", namespace: x}\nspec: " + spec + "\n"
	}
	deny := func(name string) string { return policyOf(name, "{podSelector: {matchLabels: {app: b}}}") }
	fromA := policyOf("from-a", "{podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]}")
	toB := policyOf("to-b", "{podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: b}}}]}]}")
	denyEgress := policyOf("egress", "{podSelector: {}, policyTypes: [Egress]}")
	for _, tt := range []struct{ why, before, after, want string }{
		{"two policies isolate b, and both must go", deny("d1") + deny("d2"), "", "NetworkPolicy x/d1 removed, NetworkPolicy x/d2 removed"},
		{"one that allows is less than two that go", deny("d1") + deny("d2"), fromA, "NetworkPolicy x/from-a added"},
		{"each end needs a rule of its own", deny("d1") + denyEgress, deny("d1") + denyEgress + fromA + toB, "NetworkPolicy x/from-a added, NetworkPolicy x/to-b added"},
		{"any of two closes, and the first is told", "", deny("d1") + deny("d2"), "NetworkPolicy x/d1 added"},
		{"any of two closes, and the first is told, though it is at the other end", "", policyOf("a", "{podSelector: {matchLabels: {app: b}}}") + denyEgress,
			"NetworkPolicy x/a added"},
		{"what allows twice must go twice", deny("d1") + fromA + policyOf("more", "{podSelector: {}, ingress: [{}]}"), deny("d1"),
			"NetworkPolicy x/from-a removed, NetworkPolicy x/more removed"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			g, h := parsed(t, pods+tt.before), parsed(t, pods+tt.after)
			d := reach.Compare(g, h)
			from, to := g.MustLookup("x/a"), g.MustLookup("x/b")
			for _, c := range slices.Concat(d.Opened, d.Closed) {
				f := c.Flow()
				if f.From.Name() != from.Name() || f.To.Name() != to.Name() {
					continue
				}
				var causes []string
				for _, cause := range c.Causes() {
					require.NotZero(t, cause.Place.Line)
					cause.Place = policy.Place{}
					causes = append(causes, cause.String())
				}
				require.Equal(t, tt.want, strings.Join(causes, ", "), "%v", c)
				return
			}
			t.Fatalf("no change from a to b:\n%v", d)
		})
	}
}

func parsed(t *testing.T, text string) *reach.Graph {
	c, err := policy.Parse("cluster.yaml", strings.NewReader(text))
	require.NoError(t, err)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	return g
}

func TestCauseString(t *testing.T) {
	c := reach.Cause{Kind: "NetworkPolicy", Name: types.NamespacedName{Namespace: "shop", Name: "db"}, How: "removed",
		Place: policy.Place{File: "db.yaml", Line: 14, Object: "NetworkPolicy shop/db"}}
	require.Equal(t, "NetworkPolicy shop/db removed (db.yaml:14)", c.String())
	require.Equal(t, "Profile changed", reach.Cause{Kind: "Profile", How: "changed"}.String())
}
