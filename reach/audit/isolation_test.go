package audit_test

import (
	"testing"

	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
)

func TestIsolation(t *testing.T) {
	// Namespace ops has no policies.
	ops := []string{"ops: no-default-deny-egress", "ops: no-default-deny-ingress"}
	for _, tt := range []struct {
		reason   string
		profile  reach.Profile
		policies []string
		more     string // manifests
		want     []string
	}{
		{
			reason: "no policies: the namespaces say it all",
			want:   []string{"shop: no-default-deny-egress", "shop: no-default-deny-ingress"},
		},
		{
			reason:   "both directions are denied to all pods",
			policies: []string{denyIn, denyOut},
		},
		{
			reason:   "for egress all pods are open, so that each is not worth a word",
			policies: []string{denyIn},
			want:     []string{"shop: no-default-deny-egress"},
		},
		{
			reason:   "policies without rules isolate web and api; db is in none",
			policies: []string{"two {podSelector: {matchExpressions: [{key: app, operator: In, values: [web, api]}]}, policyTypes: [Ingress, Egress]}"},
			want:     []string{"shop: no-default-deny-egress", "shop: no-default-deny-ingress", "shop/db: pod-unselected"},
		},
		{
			reason: "web is open for egress while others are not",
			policies: []string{
				denyIn,
				"two {podSelector: {matchExpressions: [{key: app, operator: In, values: [db, api]}]}, policyTypes: [Egress]}",
			},
			want: []string{"shop: no-default-deny-egress", "shop/web: pod-half-isolated"},
		},
		{
			reason: "web is open for ingress while others are not",
			policies: []string{
				denyOut,
				"two {podSelector: {matchExpressions: [{key: app, operator: In, values: [db, api]}]}}",
			},
			want: []string{"shop: no-default-deny-ingress", "shop/web: pod-half-isolated"},
		},
		{
			reason: "all pods are isolated, each by a policy of its own",
			policies: []string{
				denyOut,
				"web {podSelector: {matchLabels: {app: web}}}", "api {podSelector: {matchLabels: {app: api}}}", "db {podSelector: {matchLabels: {app: db}}}",
			},
		},
		{
			reason:   "it allows everything, and isolates all the same",
			policies: []string{"all {policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}"},
		},
		{
			reason:   "policies cannot isolate a pod on the host network",
			policies: []string{denyIn, denyOut},
			more: `---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: host}
spec: {hostNetwork: true, containers: [{name: c}]}
`,
		},
		{
			reason:   "unless the plugin takes it for a pod like others",
			profile:  reach.Profile{HostNetworkAsPods: true},
			policies: []string{denyIn, denyOut},
			more: `---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: host}
spec: {hostNetwork: true, containers: [{name: c}]}
`,
			want: []string{"host: no-default-deny-egress", "host: no-default-deny-ingress"},
		},
		{
			reason:   "pods that have terminated do not count",
			policies: []string{denyIn, denyOut},
			more: `---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: jobs}
spec: {containers: [{name: c}]}
status: {phase: Succeeded}
`,
		},
		{
			reason:   "the pods of a ReplicaSet are one finding, about their Deployment; the pods are the last in the file",
			policies: []string{denyIn, denyOut, "x {podSelector: {matchLabels: {app: web}}}"},
			more: `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: x, namespace: jobs}
spec: {podSelector: {matchLabels: {app: x}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: crunch, namespace: jobs, uid: u1}
spec: {selector: {matchLabels: {app: crunch}}, template: {metadata: {labels: {app: crunch}}, spec: {containers: [{name: c}]}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: crunch-1, namespace: jobs, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: crunch, uid: u1, controller: true}]}
spec: {selector: {matchLabels: {app: crunch}}, template: {metadata: {labels: {app: crunch}}, spec: {containers: [{name: c}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: crunch-1-a, namespace: jobs, labels: {app: crunch}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: crunch-1, uid: u2, controller: true}]}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: crunch-1-b, namespace: jobs, labels: {app: crunch}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: crunch-1, uid: u2, controller: true}]}
spec: {containers: [{name: c}]}
`,
			want: []string{"jobs: no-default-deny-egress", "jobs: no-default-deny-ingress", "jobs/crunch: pod-unselected"},
		},
		{
			reason:   "egress rules, and policyTypes without Egress",
			policies: []string{denyIn, denyOut, "db {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], egress: [{}], ingress: [{}]}"},
			want:     []string{"shop/db spec.egress: unlisted-direction"},
		},
		{
			reason:   "ingress rules, and policyTypes without Ingress",
			policies: []string{denyIn, denyOut, "db {podSelector: {matchLabels: {app: db}}, policyTypes: [Egress], ingress: [{}]}"},
			want:     []string{"shop/db spec.ingress: unlisted-direction"},
		},
		{
			reason:   "without policyTypes, rules are enough",
			policies: []string{denyIn, denyOut, "db {podSelector: {matchLabels: {app: db}}, egress: [{}]}"},
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			checks := append(checksOf("no-default-deny", "pod"), "unlisted-direction")
			want := append(append([]string{}, ops...), tt.want...)
			assert.ElementsMatch(t, want, found(t, tt.profile, pods+policies(tt.policies...)+tt.more, checks...))
		})
	}
}
