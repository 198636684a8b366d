package reachtest_test

import (
	"strings"
	"testing"

	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// three are pods in two namespaces; only the policy differs from test to test.
const three = `
apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {team: one}}
---
apiVersion: v1
kind: Namespace
metadata: {name: b, labels: {team: two}}
---
apiVersion: v1
kind: Pod
metadata: {name: x, namespace: a, labels: {app: x, tier: front}}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: z, namespace: a, labels: {app: z, tier: front}}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: x, namespace: b, labels: {app: x}}
spec: {containers: [{name: c}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
spec:
`

// Each kind of edit, with the lines that it takes away and puts in. The suite asserts
// something that no edit changes, so that all survive which change anything.
func TestMutantsOfEachKind(t *testing.T) {
	for _, tt := range []struct {
		kind, spec string
		name       string // of the mutant, after that of the policy
		diff       string // its lines that change
		flow       string // in words of the report; empty if it is equivalent
	}{
		// a/z is isolated and takes what x says, so without the policy b/x gets in.
		{"drop a policy", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]",
			"drop it",
			"-apiVersion: networking.k8s.io/v1 -kind: NetworkPolicy -metadata: -  name: p -  namespace: a -spec: -  ingress: -  - from: -    - podSelector: -        matchLabels: -          app: x -  podSelector: -    matchLabels: -      app: z",
			"opens b/x -> a/z"},
		// Nothing is left that lets a/x in.
		{"drop a rule", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]",
			"drop spec.ingress[0]",
			"-  ingress: -  - from: -    - podSelector: -        matchLabels: -          app: x",
			"closes a/x -> a/z"},
		// A rule without peers is for everyone.
		{"drop the last peer", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]",
			"drop spec.ingress[0].from[0]",
			"-  - from: -    - podSelector: -        matchLabels: -          app: x +  - {}",
			"opens b/x -> a/z"},
		// The second peer is not in the namespace a, so it never lets anyone in.
		{"drop a peer that picks nothing", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: x}}}, {podSelector: {matchLabels: {app: none}}}]}]",
			"drop spec.ingress[0].from[1]",
			"-    - podSelector: -        matchLabels: -          app: none",
			""},
		// The policy then isolates a/x, too, and nothing lets b/x in there.
		{"drop a requirement of the pods", "  podSelector: {matchLabels: {app: z, tier: front}}\n  ingress: [{from: [{podSelector: {}}]}]",
			"drop app=z of spec.podSelector",
			"-      app: z",
			"closes b/x -> a/x"},
		// No pod that has app=z lacks the tier.
		{"drop a requirement that says nothing", "  podSelector: {matchLabels: {app: z, tier: front}}\n  ingress: [{from: [{podSelector: {}}]}]",
			"drop tier=front of spec.podSelector",
			"-      tier: front",
			""},
		{"empty a selector", "  podSelector: {matchLabels: {app: z, tier: front}}\n  ingress: [{from: [{podSelector: {}}]}]",
			"empty spec.podSelector",
			"-  podSelector: -    matchLabels: -      app: z -      tier: front +  podSelector: {}",
			"closes b/x -> a/x"},
		// The namespace b is of another team.
		{"drop a requirement of namespaces", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{from: [{namespaceSelector: {matchLabels: {team: one}}}]}]",
			"drop team=one of spec.ingress[0].from[0].namespaceSelector",
			"-    - namespaceSelector: -        matchLabels: -          team: one +    - namespaceSelector: {}",
			"opens b/x -> a/z"},
		{"drop an expression", "  podSelector: {matchExpressions: [{key: app, operator: In, values: [z]}]}\n  ingress: [{from: [{podSelector: {}}]}]",
			"drop app In z of spec.podSelector",
			"-  podSelector: -    matchExpressions: -    - key: app -      operator: In -      values: -      - z +  podSelector: {}",
			"closes b/x -> a/x"},
		// Of pods with app=x in namespaces of team one there is a/x. Split, all pods of
		// team one and all with app=x in a: that is a/x and a/z, which is no other than
		// the one that the policy is for.
		{"split a peer, and nothing changes", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{from: [{namespaceSelector: {matchLabels: {team: one}}, podSelector: {matchLabels: {app: x}}}]}]",
			"split spec.ingress[0].from[0] in two",
			"-      podSelector: +    - podSelector:",
			""},
		// Of team two there is b/x, which has no app=z.
		{"split a peer", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{from: [{namespaceSelector: {matchLabels: {team: two}}, podSelector: {matchLabels: {app: z}}}]}]",
			"split spec.ingress[0].from[0] in two",
			"-      podSelector: +    - podSelector:",
			"opens b/x -> a/z"},
		{"widen a block", "  podSelector: {matchLabels: {app: z}}\n  egress: [{to: [{ipBlock: {cidr: 198.51.100.0/28}}]}]",
			"widen 198.51.100.0/28 of spec.egress[0].to[0].ipBlock to 198.51.100.0/27",
			"-        cidr: 198.51.100.0/28 +        cidr: 198.51.100.0/27",
			"opens a/z -> 198.51.100.16"},
		{"widen a block to all", "  podSelector: {matchLabels: {app: z}}\n  egress: [{to: [{ipBlock: {cidr: 2001:db8::/32}}]}]",
			"widen 2001:db8::/32 of spec.egress[0].to[0].ipBlock to ::/0",
			"-        cidr: 2001:db8::/32 +        cidr: ::/0",
			"opens a/z -> ::"},
		{"drop an exception", "  podSelector: {matchLabels: {app: z}}\n  egress: [{to: [{ipBlock: {cidr: 198.51.100.0/28, except: [198.51.100.8/29]}}]}]",
			"drop except 198.51.100.8/29 of spec.egress[0].to[0].ipBlock",
			"-        except: -        - 198.51.100.8/29",
			"opens a/z -> 198.51.100.9"},
		{"drop a port", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{ports: [{port: 80}, {port: 81}]}]",
			"drop spec.ingress[0].ports[0]",
			"-    - port: 80",
			"closes a/x -> a/z 80/TCP"},
		// Without ports, all are open: 3*65535 and the protocols without, less two.
		{"drop all ports", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{ports: [{port: 80}, {port: 81}]}]",
			"drop spec.ingress[0].ports",
			"-  - ports: -    - port: 80 -    - port: 81 +  - {}",
			"opens a/x -> a/z 1/TCP and 196603 more ports"},
		{"extend a range upwards", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{ports: [{port: 80, endPort: 90}]}]",
			"extend spec.ingress[0].ports[0] to 80-91",
			"-    - endPort: 90 +    - endPort: 91",
			"opens a/x -> a/z 91/TCP"},
		{"extend a range downwards", "  podSelector: {matchLabels: {app: z}}\n  ingress: [{ports: [{port: 80, endPort: 90}]}]",
			"extend spec.ingress[0].ports[0] to 79-90",
			"-      port: 80 +      port: 79",
			"opens a/x -> a/z 79/TCP"},
		// Without Egress, a/z is no longer isolated there.
		{"remove a policyType", "  podSelector: {matchLabels: {app: z}}\n  policyTypes: [Ingress, Egress]",
			"drop Egress of spec.policyTypes",
			"-  - Egress",
			"opens a/z -> a/x"},
		// A list that is empty means Ingress, as there are no rules for egress: which
		// closes one direction and opens the other.
		{"remove the only policyType", "  podSelector: {matchLabels: {app: z}}\n  policyTypes: [Egress]",
			"drop Egress of spec.policyTypes",
			"-  policyTypes: -  - Egress",
			"closes a/x -> a/z"},
		// In b no pod has app=z.
		{"move a policy", "  podSelector: {matchLabels: {app: z}}\n  policyTypes: [Ingress]",
			"move it to namespace b",
			"-  namespace: a +  namespace: b",
			"opens a/x -> a/z"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			c := reachtest.Text(t, three+tt.spec)
			m := reachtest.Mutate(t, c, func(t reachtest.TB, c *reachtest.Cluster) { t.Helper() })
			name := "NetworkPolicy a/p: " + tt.name
			for _, x := range m.Survivors {
				if x.Name != name {
					continue
				}
				assert.Equal(t, tt.diff, changed(x.Diff()))
				require.NotEmpty(t, tt.flow, "it is equivalent, but %v", x)
				assert.Contains(t, x.String(), "\n"+tt.flow)
				return
			}
			assert.Empty(t, tt.flow, "%s does not survive:\n%v", name, m)
		})
	}
}

// changed returns the lines of a diff that change, in one.
func changed(diff string) string {
	var lines []string
	for line := range strings.Lines(diff) {
		if line = strings.TrimSuffix(line, "\n"); line[0] == '-' || line[0] == '+' {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// The web has two labels, of which only app is one that a policy looks at.
func TestMutantsOfLabels(t *testing.T) {
	c := reachtest.Text(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: a}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, color: red}}
    spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: a}
spec: {containers: [{name: c}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: a}
spec:
  podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]
`)
	m := reachtest.Mutate(t, c, func(t reachtest.TB, c *reachtest.Cluster) { t.Helper() })
	last := m.Survivors[len(m.Survivors)-1]
	assert.Equal(t, "Deployment a/web: rename label app", last.Name)
	assert.Equal(t, "-        app: web +        app-renamed: web", changed(last.Diff()))
	// The policy is for web now, and lets nobody in that has no app.
	assert.Contains(t, last.String(), " -> a/web 1/TCP and 196605 more ports")
	assert.False(t, last.Opened)
	// The edits make of the cluster what the report says.
	r := run(func(t reachtest.TB) { c.With(t, last.Edits...).Reaches(t, "a/db", "a/web", "1!") })
	assert.Contains(t, r.log, "a/db should reach a/web on 1!")
}

// What says nothing about the suite is an error.
func TestMutateRefuses(t *testing.T) {
	nothing := func(reachtest.TB, *reachtest.Cluster) {}
	for _, tt := range []struct {
		name, cluster, want string
		suite               func(reachtest.TB, *reachtest.Cluster)
	}{
		{"a suite that fails", three + "  podSelector: {}", "the suite fails without any edit:\nno", func(t reachtest.TB, c *reachtest.Cluster) { t.Errorf("no") }},
		{"a suite that panics", three + "  podSelector: {}", "the suite fails without any edit:\npanic: no", func(reachtest.TB, *reachtest.Cluster) { panic("no") }},
		{"a suite that asserts nothing", three + "  podSelector: {}", "the suite asserts nothing", nothing},
		{"a cluster without policies", strings.Split(three, "apiVersion: networking")[0], "no edit changes what is reachable", nothing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := run(func(t reachtest.TB) { reachtest.Mutate(t, reachtest.Text(t, tt.cluster), tt.suite) })
			assert.Contains(t, r.log, tt.want)
			assert.True(t, r.ended)
		})
	}
}

// However a suite fails on a mutant, that kills it.
func TestMutantsDieOfAnyFailure(t *testing.T) {
	c := reachtest.Text(t, three+"  podSelector: {matchLabels: {tier: front}}")
	closed := func(c *reachtest.Cluster) bool {
		g := c.Graph()
		return g.Ports(g.MustLookup("b/x"), g.MustLookup("a/x")).IsEmpty() && g.Ports(g.MustLookup("b/x"), g.MustLookup("a/z")).IsEmpty()
	}
	for name, fail := range map[string]func(reachtest.TB){
		"Errorf":  func(t reachtest.TB) { t.Errorf("open"); panic("it goes on") },
		"FailNow": func(t reachtest.TB) { t.FailNow() },
		"panic":   func(reachtest.TB) { panic("open") },
		"another goroutine": func(t reachtest.TB) {
			done := make(chan bool)
			go func() {
				t.Errorf("open")
				done <- true // nobody would come this far if Errorf ended the goroutine
			}()
			<-done
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := reachtest.Mutate(t, c, func(t reachtest.TB, c *reachtest.Cluster) {
				if !closed(c) {
					fail(t)
				}
			})
			// Without the policy, in the namespace b, and without the label of either pod.
			assert.Equal(t, 4, m.Killed, "%v", m)
		})
	}
}

func TestAccepted(t *testing.T) {
	m := &reachtest.Mutants{Killed: 1, Survivors: []reachtest.Mutant{{Name: "one"}, {Name: "two"}}}
	good := []reachtest.Accepted{{Mutant: "one", Why: "because"}, {Mutant: "two", Why: "because"}}
	assert.True(t, m.NoneSurvives(t, good...))
	for _, tt := range []struct {
		accepted []reachtest.Accepted
		want     string
	}{
		{good[:1], "no assertion notices some edits\n2 mutants: 1 killed, 0 equivalent, 1 survive\n\ntwo\n"},
		{append(good[:2:2], reachtest.Accepted{Mutant: "three", Why: "because"}), "accepted, but it does not survive: three\n"},
		{[]reachtest.Accepted{good[0], {Mutant: "two"}}, "accepted without a reason: two\n"},
	} {
		r := run(func(t reachtest.TB) { assert.False(t, m.NoneSurvives(t, tt.accepted...)) })
		assert.Contains(t, r.log, tt.want)
	}
}
