package audit_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every check, with a cluster in which it finds something. What it says of that is in
// testdata/messages.txt, in this order.
func TestMessages(t *testing.T) {
	const (
		nobody  = "{matchExpressions: [{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]}"
		apiShut = "api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress]}"
		toDB    = "{podSelector: {matchLabels: {app: db}}}"
		ofAPI   = "{podSelector: {matchLabels: {app: api}}}"
		node    = `---
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
spec:
  nodeName: n1
  initContainers: [{name: i, ports: [{containerPort: 1000, name: admin}]}]
  containers: [{name: c, ports: [{containerPort: 3000, name: main}]}, {name: d, ports: [{containerPort: 4000, name: main}]}]
status: {podIP: 10.0.0.7}
`
	)
	db := func(rules string) string {
		return "db {podSelector: {matchLabels: {app: db}}, ingress: [" + rules + "]}"
	}
	tests := []struct {
		check    string
		profile  reach.Profile
		policies []string
	}{
		{"policy-not-enforced", reach.Flannel(), []string{denyIn}},
		{"policy-impossible", reach.Profile{}, []string{"db {podSelector: " + nobody + "}"}},
		{"policy-unmatched", reach.Profile{}, []string{"db {podSelector: {matchLabels: {app: bd}}}"}},
		{"policy-shadowed", reach.Profile{}, []string{denyIn, denyOut, apiShut}},
		{"policy-standby", reach.Profile{}, []string{"open {ingress: [{}]}"}},
		{"policy-blocked", reach.Profile{}, []string{denyIn, denyOut, "api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [" + toDB + "]}]}"}},
		{"rule-impossible", reach.Profile{}, []string{db("{from: [{podSelector: " + nobody + "}, {ipBlock: {cidr: 192.0.2.0/31, except: [192.0.2.0/32, 192.0.2.1/32]}}]}")}},
		{"rule-unmatched", reach.Profile{}, []string{db("{from: [{podSelector: {matchLabels: {app: bakcup}}}], ports: [{port: pg}]}")}},
		{"rule-shadowed", reach.Profile{}, []string{db("{from: [" + ofAPI + "], ports: [{port: 5432}]}, {from: [" + ofAPI + "]}")}},
		{"rule-blocked", reach.Profile{}, []string{apiShut, db("{from: [" + ofAPI + "]}")}},
		{"peer-impossible", reach.Profile{}, []string{db("{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: DoesNotExist}]}}, " + ofAPI + "]}")}},
		{"peer-unmatched", reach.Profile{}, []string{db("{from: [{ipBlock: {cidr: '2001:db8::/32'}}, " + ofAPI + "]}")}},
		{"peer-shadowed", reach.Profile{}, []string{db("{from: [{podSelector: {}}, " + ofAPI + "], ports: [{port: 5432}]}")}},
		{"peer-blocked", reach.Profile{}, []string{apiShut, db("{from: [{podSelector: {matchLabels: {app: web}}}, " + ofAPI + "]}")}},
		{"port-impossible", reach.Profile{SCTP: reach.SCTPDropped}, []string{db("{ports: [{port: 5432}, {protocol: SCTP}]}")}},
		{"port-unmatched", reach.Profile{}, []string{"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [" + toDB + "], ports: [{port: pg}, {port: 5432}]}]}"}},
		{"port-shadowed", reach.Profile{}, []string{db("{from: [" + ofAPI + "], ports: [{port: 5000, endPort: 6000}, {port: 5432}]}")}},
		{"port-blocked", reach.Profile{}, []string{db("{from: [" + ofAPI + "], ports: [{port: 5432}, {port: metrics}]}"), "api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [" + toDB + "], ports: [{port: 5432}]}]}"}},
		{"except-unmatched", reach.Profile{IPBlockSkipsPods: true}, []string{"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24, except: [10.0.0.3/32]}}]}]}"}},
		{"except-shadowed", reach.Profile{}, []string{db("{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/26, 192.0.2.0/25]}}]}")}},
		{"except-defeated", reach.Profile{}, []string{"out {policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 128.0.0.0/1, except: [169.254.169.254/32]}}]}, {to: [{ipBlock: {cidr: 169.254.0.0/16}}]}]}"}},
		{"except-blocked", reach.Profile{}, []string{"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24, except: [10.0.0.3/32]}}]}]}", db("")}},
		{"no-default-deny-ingress", reach.Profile{}, nil},
		{"no-default-deny-egress", reach.Profile{}, nil},
		{"pod-unselected", reach.Profile{}, []string{apiShut, db("")}},
		{"pod-half-isolated", reach.Profile{}, []string{denyIn, apiShut}},
		{"unlisted-direction", reach.Profile{}, []string{"db {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], egress: [{to: [" + ofAPI + "]}, {to: [{namespaceSelector: {}}], ports: [{port: 53}]}]}"}},
		{"half-open-egress", reach.Profile{}, []string{denyIn, "api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [" + toDB + "]}]}"}},
		{"half-open-ingress", reach.Profile{}, []string{denyOut, db("{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, api]}]}}], ports: [{port: 5432}]}")}},
		{"plugin-block-pods", reach.Profile{}, []string{db("{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}")}},
		{"plugin-block-nodes", reach.Profile{}, []string{db("{from: [{ipBlock: {cidr: 10.9.0.0/24}}]}")}},
		{"plugin-host-network", reach.Profile{}, []string{"agent {podSelector: {matchLabels: {app: agent}}}"}},
		{"plugin-own-node", reach.Profile{}, []string{"cache {podSelector: {matchLabels: {app: cache}}, policyTypes: [Egress]}"}},
		{"plugin-end-port", reach.Profile{}, []string{db("{ports: [{port: 8000, endPort: 8010}]}")}},
		{"plugin-sctp", reach.Profile{}, []string{db("{ports: [{port: 5000, protocol: SCTP}]}")}},
		{"plugin-port-names", reach.Profile{}, []string{"cache {podSelector: {matchLabels: {app: cache}}, ingress: [{ports: [{port: admin}]}]}"}},
		{"plugin-repeated-port-name", reach.Profile{}, []string{"cache {podSelector: {matchLabels: {app: cache}}, ingress: [{ports: [{port: main}]}]}"}},
		{"plugin-together", reach.Profile{}, []string{db("{from: [{ipBlock: {cidr: 10.0.0.2/32}}], ports: [{port: 8001}]}, {from: [" + ofAPI + "], ports: [{port: 8000, endPort: 8001}, {port: 7000}]}")}},
	}
	var got bytes.Buffer
	var covered []string
	for _, tt := range tests {
		manifests := pods + policies(tt.policies...)
		if strings.HasPrefix(tt.check, "plugin-") {
			manifests += node
		}
		c, err := policy.Parse("shop.yaml", strings.NewReader(manifests))
		require.NoError(t, err)
		g, err := tt.profile.Compile(c)
		require.NoError(t, err)
		findings, err := audit.Run(g, tt.check)
		require.NoError(t, err)
		require.NoError(t, audit.Text(&got, findings))
		require.NotEmpty(t, findings, tt.check)
		covered = append(covered, tt.check)
	}
	var ids []string
	for _, c := range audit.Checks() {
		if !slices.Contains(exposureChecks, c.ID) && !slices.Contains(trapChecks, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	assert.Equal(t, ids, covered)
	want, err := os.ReadFile("testdata/messages.txt")
	require.NoError(t, err)
	assert.Equal(t, string(want), got.String())
}
