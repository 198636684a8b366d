package audit_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/polreach/polreach/reach/audit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every check of exposure and of traps, with a cluster in which it finds something.
// What it says of that is in testdata/exposure_messages.txt, in this order.
func TestExposureMessages(t *testing.T) {
	ranges := service("web", "type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.0/24], ports: [{port: 443, targetPort: 80, nodePort: 30443}]") +
		"status: {loadBalancer: {ingress: [{ip: 198.51.100.5}]}}\n"
	ingress := func(rule string) []string { return []string{"x {" + web + ", ingress: [{" + rule + "}]}"} }
	egress := func(rule string) []string {
		return []string{"x {" + web + ", policyTypes: [Egress], egress: [{" + rule + "}]}"}
	}
	const dual = `---
apiVersion: v1
kind: Pod
metadata: {name: dual, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c}]}
status: {podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}, {ip: 'fd00::9'}]}
`
	const agent = `---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop, labels: {app: agent}}
spec: {hostNetwork: true, containers: [{name: c}]}
`
	const absent = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, namespace: shopp}
spec: {}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: b, namespace: shopp}
spec: {}
`
	tests := []struct {
		check string
		row
	}{
		{"service-exposed", row{more: ranges}},
		{"address-exposed", row{policies: ingress("from: [{ipBlock: {cidr: 203.0.113.0/24}}, {podSelector: {}}], ports: [{port: http}]")}},
		{"source-ranges-bypassed", row{more: ranges}},
		{"admin-port-exposed", row{}},
		{"admin-port-exposed", row{policies: []string{"x {ingress: [{ports: [{port: 5432}]}]}"}}},
		{"admin-port-exposed", row{policies: []string{denyIn}, more: service("db", "type: NodePort, ports: [{port: 5432, nodePort: 30001}]")}},
		{"undeclared-port-open", row{policies: ingress("from: [{podSelector: {matchLabels: {app: api}}}]")}},
		{"every-namespace-admitted", row{policies: ingress("from: [{namespaceSelector: {}}], ports: [{port: 80}]"), more: lab}},
		{"internet-open", row{policies: egress("ports: [{port: 443}]")}},
		{"dns-blocked", row{policies: []string{denyOut}, more: dns}},
		{"dns-no-tcp", row{policies: egress("to: [{namespaceSelector: {}}], ports: [{port: 5353, protocol: UDP}]"), more: dns}},
		{"dns-open", row{policies: egress("ports: [{port: 53}, {port: 53, protocol: UDP}]")}},
		{"dns-external", row{policies: egress("to: [{ipBlock: {cidr: 8.8.8.8/32}}], ports: [{port: 53, protocol: UDP}]")}},
		{"dns-server-exposed", row{more: dns}},
		{"dns-server-ports", row{more: dns + denyDNS + "{ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 9153}]}]}\n"}},
		{"selectors-apart", row{policies: ingress("from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}, {podSelector: {matchLabels: {app: api}}}]")}},
		{"namespace-selector-missing", row{policies: ingress("from: [{podSelector: {matchLabels: {app: scan}}}]")}},
		{"block-holds-pods", row{policies: ingress("from: [{ipBlock: {cidr: 10.0.0.0/24}}]")}},
		{"block-holds-services", row{policies: egress("to: [{ipBlock: {cidr: 10.96.0.10/32}}]"), more: dns}},
		{"family-left-closed", row{policies: egress("to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]"), more: dual}},
		{"service-port", row{policies: egress("to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]"), more: service("api", "ports: [{port: 80, targetPort: http}]")}},
		{"named-port-unresolved", row{policies: ingress("ports: [{port: web}]"), more: service("web", "ports: [{port: 80, name: web}]")}},
		{"named-port-varies", row{policies: []string{"x {ingress: [{ports: [{port: http}]}]}"}}},
		{"host-network-selected", row{policies: []string{denyIn, denyOut}, more: agent}},
		{"volatile-label", row{policies: []string{"x {podSelector: {matchLabels: {pod-template-hash: abc}}}"}}},
		{"generated-label", row{policies: ingress("from: [{podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: db-0}}}]")}},
		{"namespace-absent", row{more: absent}},
		{"namespace-name-unknown", row{policies: ingress("from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: opps}}}]")}},
		{"namespace-key-misspelt", row{policies: ingress("from: [{namespaceSelector: {matchLabels: {name: ops}}}, {podSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]")}},
	}
	var got bytes.Buffer
	var covered []string
	for _, tt := range tests {
		list := findings(t, tt.row, tt.check)
		require.NotEmpty(t, list, tt.check)
		require.NoError(t, audit.Text(&got, list))
		covered = append(covered, tt.check)
	}
	assert.Equal(t, slices.Concat(exposureChecks, trapChecks), slices.Compact(covered))
	want, err := os.ReadFile("testdata/exposure_messages.txt")
	require.NoError(t, err)
	assert.Equal(t, string(want), got.String())
}
