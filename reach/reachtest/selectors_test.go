package reachtest_test

import (
	"testing"

	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
)

// Sets have the label selectors of kubectl, which are more than those that objects
// have: nothing is open to e and f here but what the selectors say.
func TestSelectorsOfSets(t *testing.T) {
	c := reachtest.Text(t, `
{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {team: x}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b, labels: {team: z}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: e, namespace: a, labels: {app: e, in: here}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: f, namespace: b, labels: {app: f}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: a}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: lonely}}
`)
	for _, set := range []string{"app!=f", "app==e", "app notin (f, g)", "in namespaces team in (x, w)", "app in (e,f) in a", "app in (e) in namespaces team!=z"} {
		assert.True(t, c.DoesNotReach(t, "outside", "pods "+set, "80!"), set)
	}
	for _, set := range []string{"app=f", "!in", "in b", "app in (e,f) in namespaces team notin (x)"} {
		assert.True(t, c.Reaches(t, "outside", "pods "+set, "80!"), set)
	}
	for set, want := range map[string]string{
		"app>1":      `"app>1" is no label selector: policies know no operator`,
		"app in a b": `there is no namespace "a b"`,
		"in lonely":  "no pod is picked",
		"in nowhere": `there is no namespace "nowhere"`,
	} {
		r := run(func(t reachtest.TB) { c.DoesNotReach(t, "outside", "pods "+set, "80!") })
		assert.Contains(t, r.log, want)
	}
}
