package reachtest

import (
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// In a, the policy p is for x, which the Service s leads to, and in b, q is for z.
const footprintCluster = `
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
apiVersion: v1
kind: Pod
metadata: {name: x, namespace: a, labels: {app: x}}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: w, namespace: a, labels: {app: w}}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: z, namespace: b, labels: {app: z}}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: a}
spec: {clusterIP: 10.96.0.1, selector: {app: x}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
spec:
  podSelector: {matchLabels: {app: x}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {}}]}]
  egress: [{to: [{namespaceSelector: {}}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: q, namespace: b}
spec:
  podSelector: {matchLabels: {app: z}}
  policyTypes: [Egress]
`

// Which assertions are made again after an edit.
func TestEditsConcernAssertions(t *testing.T) {
	c := Text(t, footprintCluster)
	list := alterations(c.objects)
	f, err := newField(c, list)
	require.NoError(t, err)
	touch := func(name string) *touch {
		for i := range list {
			if list[i].name == name {
				return f.touchOf(&list[i])
			}
		}
		require.Fail(t, "no edit", name)
		return nil
	}
	type asserts = func(*Cluster) bool
	toX := func(c *Cluster) bool { return c.Reaches(t, "a/w", "a/x", "80!") }
	fromX := func(c *Cluster) bool { return c.Reaches(t, "a/x", "a/w", "80!") }
	byLabel := func(c *Cluster) bool { return c.Reaches(t, "pods app=w", "a/w and outside except ::/0", "80!") }
	toService := func(c *Cluster) bool { return c.Reaches(t, "a/w", "svc:a/s", "80") }
	never := func(c *Cluster) bool { return c.NeverReaches(t, "any pod in b", "a/x", "80!") }
	for _, tt := range []struct {
		edit   string
		does   asserts
		want   bool
		reason string
	}{
		{"NetworkPolicy a/p: drop it", toX, true, "x is isolated no more"},
		{"NetworkPolicy a/p: drop it", byLabel, false, "it is not for w"},
		{"NetworkPolicy a/p: drop spec.ingress[0]", toX, true, "this rule lets w in"},
		{"NetworkPolicy a/p: drop spec.ingress[0]", fromX, false, "it says the same for egress, and nothing about w"},
		{"NetworkPolicy a/p: drop spec.egress[0]", toX, false, "it says the same for ingress"},
		{"NetworkPolicy a/p: drop app=x of spec.podSelector", byLabel, true, "it is then for w, too"},
		{"NetworkPolicy a/p: move it to namespace b", toX, true, "it is for x no more"},
		{"NetworkPolicy b/q: drop it", toX, false, "it is for z alone"},
		{"NetworkPolicy b/q: drop app=z of spec.podSelector", toX, false, "it is for pods in b alone"},
		{"NetworkPolicy a/p: drop spec.ingress[0]", func(c *Cluster) bool { return c.IsIsolated(t, "a/x", policy.Egress) }, false, "it is about egress"},
		{"NetworkPolicy a/p: drop it", func(c *Cluster) bool { return c.IsIsolated(t, "a/x", policy.Egress) }, true, "it isolates x"},
		{"NetworkPolicy a/p: drop spec.ingress[0]", toService, true, "x is behind the Service"},
		{"NetworkPolicy b/q: drop it", toService, false, "z is neither the client nor behind the Service"},
		{"NetworkPolicy b/q: drop it", never, true, "a pod that comes to b may be isolated by it"},
		{"NetworkPolicy a/p: drop spec.ingress[0]", never, true, "it decides whom x lets in"},
		{"NetworkPolicy a/p: drop spec.egress[0]", never, false, "pods that come to b are not in a, and x does not connect"},
		{"Pod b/z: rename label app", toX, false, "z is none of the ends"},
		{"Pod a/x: rename label app", toX, true, "no policy is for x then"},
		{"Pod b/z: rename label app", byLabel, true, "who is picked depends on the label"},
		{"Pod a/w: rename label app", toService, true, "w is the client"},
		{"Pod b/z: rename label app", toService, false, "Services in a pick pods in a"},
	} {
		cluster := f.rehearsed()
		require.True(t, tt.does(cluster), tt.reason)
		require.Len(t, f.held, 1)
		for _, looks := range f.held {
			assert.Equal(t, tt.want, touch(tt.edit).meets(looks), "%s: %s", tt.edit, tt.reason)
		}
		clear(f.held)
	}
}
