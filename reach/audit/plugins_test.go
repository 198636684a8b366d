package audit_test

import (
	"testing"

	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
)

func TestPlugins(t *testing.T) {
	const (
		// The node of web has the address 10.9.0.1.
		host = `---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop, labels: {app: agent}}
spec: {hostNetwork: true, nodeName: n1, containers: [{name: c}]}
status: {podIP: 10.9.0.1, hostIP: 10.9.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: cache, namespace: shop, labels: {app: cache}}
spec: {nodeName: n1, containers: [{name: c}]}
status: {podIP: 10.0.0.7}
`
		setup = `---
apiVersion: v1
kind: Pod
metadata: {name: multi, namespace: shop, labels: {app: multi}}
spec:
  initContainers:
  - {name: i, ports: [{containerPort: 1000, name: admin}]}
  - {name: s, restartPolicy: Always, ports: [{containerPort: 2000, name: proxy}]}
  containers:
  - {name: c, ports: [{containerPort: 3000, name: web}]}
  - {name: d, ports: [{containerPort: 4000, name: web}]}
status: {podIP: 10.0.0.8}
`
	)
	for _, tt := range []struct {
		reason   string
		profile  reach.Profile
		policies []string
		more     string
		want     []string
	}{
		{
			reason:   "labels and numbers of TCP are all the same to plugins",
			policies: []string{denyIn, "db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]}"},
		},
		{
			reason:   "the block holds the pods of the namespace",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]}"},
			want:     []string{"shop/db spec.ingress[0].from[0]: plugin-block-pods"},
		},
		{
			reason:   "the block holds nobody who is in the cluster",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}"},
		},
		{
			reason:   "the pods of the namespace are let in by their labels as well",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}, {podSelector: {}}]}]}"},
		},
		{
			reason:   "the answers under the zero Profile count, also if the Graph has another one",
			profile:  reach.Cilium(),
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]}"},
			want:     []string{"shop/db spec.ingress[0].from[0]: plugin-block-pods"},
		},
		{
			reason:   "the block holds the node; db runs nobody knows where, and agent is its node",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.9.0.0/24}}]}]}"},
			more:     host,
			want: []string{
				"shop/db spec.ingress[0].from[0]: plugin-block-nodes",
				// As a pod, agent is still in the block.
			},
		},
		{
			reason:   "agent is let in if it is a pod; as a node it has no labels",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: agent}}}]}]}"},
			more:     host,
			want:     []string{"shop/db spec.ingress[0].from[0]: plugin-host-network"},
		},
		{
			reason:   "agent is isolated if it is a pod, and cache is not let out to its own node",
			policies: []string{"agent {podSelector: {matchLabels: {app: agent}}}", "cache {podSelector: {matchLabels: {app: cache}}, policyTypes: [Egress]}"},
			more:     host,
			want:     []string{"shop/agent: plugin-host-network", "shop/cache: plugin-own-node"},
		},
		{
			reason:   "8001 to 8010 are no ports for a plugin that takes the first of the range only",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 22}, {port: 8000, endPort: 8010}]}]}"},
			want:     []string{"shop/db spec.ingress[0].ports[1]: plugin-end-port"},
		},
		{
			reason:   "a range of one port is one",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 8000, endPort: 8000}]}]}"},
		},
		{
			reason:   "nobody asks for SCTP",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {}}]}]}"},
		},
		{
			reason:   "SCTP is dropped at the rule, or passes where the policy isolates",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 5000, protocol: SCTP}]}]}"},
			want:     []string{"shop/db: plugin-sctp", "shop/db spec.ingress[0].ports[0]: plugin-sctp"},
		},
		{
			reason:   "proxy is of a sidecar, which some pass over",
			policies: []string{"multi {podSelector: {matchLabels: {app: multi}}, ingress: [{ports: [{port: proxy}]}]}"},
			more:     setup,
			want:     []string{"shop/multi spec.ingress[0].ports[0]: plugin-port-names"},
		},
		{
			reason:   "admin is of an init container, which others take",
			policies: []string{"multi {podSelector: {matchLabels: {app: multi}}, ingress: [{ports: [{port: admin}]}]}"},
			more:     setup,
			want:     []string{"shop/multi spec.ingress[0].ports[0]: plugin-port-names"},
		},
		{
			reason:   "web is 3000 and 4000, or the first alone",
			policies: []string{"multi {podSelector: {matchLabels: {app: multi}}, ingress: [{ports: [{port: web}]}]}"},
			more:     setup,
			want:     []string{"shop/multi spec.ingress[0].ports[0]: plugin-repeated-port-name"},
		},
		{
			reason: "each of two rules lets api in on 8001 by what Cilium does not do: one by a block that holds a pod, the other by endPort",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.2/32}}], ports: [{port: 8001}]}, {from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8000, endPort: 8001}, {port: 7000}]}]}",
			},
			want: []string{"shop/db spec.ingress[0].from[0]: plugin-together"},
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			want := append([]string{}, tt.want...)
			assert.Equal(t, want, found(t, tt.profile, pods+policies(tt.policies...)+tt.more, checksOf("plugin")...))
		})
	}
}
