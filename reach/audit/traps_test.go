package audit_test

import (
	"testing"

	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSelectorsApart(t *testing.T) {
	const item = "shop/x spec.ingress[0].from[1]: selectors-apart"
	for _, tt := range []row{
		{
			reason:   "api comes in by the second peer, and would not from namespace ops",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}, {podSelector: {matchLabels: {app: api}}}]}]}"},
			want:     []string{item},
		},
		{
			reason:   "it does not matter which of them comes first",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {matchLabels: {app: api}}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]}]}"},
			want:     []string{item},
		},
		{
			reason:   "for egress it is the same",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}, {podSelector: {matchLabels: {app: api}}}]}]}"},
			want:     []string{"shop/x spec.egress[0].to[1]: selectors-apart"},
		},
		{
			reason:   "one item with both",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}, podSelector: {matchLabels: {app: scan}}}]}]}"},
		},
		{
			reason:   "two items that both have both",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: scan}}}, {namespaceSelector: {}, podSelector: {matchLabels: {app: api}}}]}]}"},
		},
		{
			reason:   "two podSelectors cannot be one",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {matchLabels: {app: db}}}, {podSelector: {matchLabels: {app: api}}}]}]}"},
		},
		{
			reason:   "the items are not side by side",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}, {ipBlock: {cidr: 10.9.0.0/16}}, {podSelector: {matchLabels: {app: api}}}]}]}"},
		},
		{
			reason:   "each of three may be joined once",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {matchLabels: {app: db}}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}, {podSelector: {matchLabels: {app: api}}}]}]}"},
			want:     []string{item},
		},
		{
			reason:   "nothing would be lost: of all namespaces, only ops has pods with the label, and it has no others",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}, {podSelector: {matchLabels: {app: scan}}}]}]}"},
		},
		{
			reason: "another rule allows all the same",
			policies: []string{
				"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}, {podSelector: {matchLabels: {app: api}}}]}]}",
				"z {" + web + ", ingress: [{}]}",
			},
		},
		{
			reason:   "the pods that would lose may not connect anyway",
			policies: []string{denyOut, "x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: gone}}}, {podSelector: {matchLabels: {app: api}}}]}]}"},
		},
	} {
		tt.run(t, "selectors-apart")
	}
}

// A workload may lose what its pods allow each other.
func TestSelectorsApartOfReplicas(t *testing.T) {
	const deployment = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: set, namespace: shop}
spec: {selector: {matchLabels: {app: set}}, template: {metadata: {labels: {app: set}}, spec: {containers: [{name: c}]}}}
`
	row{
		reason:   "set comes in to set by the second peer, and would not from namespace gone",
		policies: []string{"x {podSelector: {matchLabels: {app: set}}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: gone}}}, {podSelector: {matchLabels: {app: set}}}]}]}"},
		more:     deployment,
		want:     []string{"shop/x spec.ingress[0].from[1]: selectors-apart"},
	}.run(t, "selectors-apart")
}

func TestNamespaceSelectorMissing(t *testing.T) {
	for _, tt := range []row{
		{
			reason:   "scan is in ops",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {matchLabels: {app: api}}}, {podSelector: {matchLabels: {app: scan}}}]}]}"},
			want:     []string{"shop/x spec.ingress[0].from[1].podSelector: namespace-selector-missing"},
		},
		{
			reason:   "nobody has the label",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {matchLabels: {app: gone}}}]}]}"},
		},
		{
			reason:   "there is a namespaceSelector",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: scan}}}]}]}"},
		},
		{
			reason:   "the podSelector of the policy can be about nothing else",
			policies: []string{"x {podSelector: {matchLabels: {app: scan}}}"},
		},
	} {
		tt.run(t, "namespace-selector-missing")
	}
}

func TestBlocks(t *testing.T) {
	const pods, services = "shop/x spec.ingress[0].from[0].ipBlock: block-holds-pods", "shop/x spec.ingress[0].from[0].ipBlock: block-holds-services"
	block := func(cidr string) []string {
		return []string{"x {" + web + ", ingress: [{from: [{ipBlock: {cidr: " + cidr + "}}]}]}"}
	}
	const node = `---
apiVersion: v1
kind: Node
metadata: {name: worker}
spec: {podCIDR: 10.244.0.0/24}
`
	const serviceCIDR = `---
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: services}
spec: {cidrs: [10.96.0.0/12]}
`
	for _, tt := range []row{
		{
			reason:   "scan has 10.0.1.1",
			policies: block("10.0.1.0/24"),
			want:     []string{pods},
		},
		{
			reason:   "nobody has an address in it",
			policies: block("10.9.0.0/16"),
		},
		{
			reason:   "all addresses, so those of pods as well",
			policies: block("0.0.0.0/0"),
			want:     []string{pods},
		},
		{
			reason:   "all addresses but those of pods",
			policies: block("0.0.0.0/0, except: [10.0.0.0/8]"),
		},
		{
			reason:   "the plugin matches no pods by blocks, and somebody may mean them",
			profile:  reach.Profile{IPBlockSkipsPods: true},
			policies: block("10.0.1.0/24"),
			want:     []string{pods},
		},
		{
			reason:   "what the node gives to pods",
			policies: block("10.244.0.0/16"),
			more:     node,
			want:     []string{pods},
		},
		{
			reason:   "the ClusterIP of a Service",
			policies: block("10.96.0.7/32"),
			more:     service("db", "clusterIP: 10.96.0.7, ports: [{port: 80}]"),
			want:     []string{services},
		},
		{
			reason:   "what Services get",
			policies: block("10.97.0.0/16"),
			more:     serviceCIDR,
			want:     []string{services},
		},
		{
			reason:   "all addresses are not meant for Services",
			policies: block("0.0.0.0/0, except: [10.0.0.0/12]"),
			more:     serviceCIDR,
		},
		{
			reason:   "pods matter more, and one finding is enough",
			policies: block("10.0.0.0/8"),
			more:     serviceCIDR,
			want:     []string{pods},
		},
		{
			reason:   "the plugin lets egress policies see the address of the Service",
			profile:  reach.Profile{ServiceAddressPoliced: true},
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.7/32}}]}]}"},
			more:     service("db", "clusterIP: 10.96.0.7, ports: [{port: 80}]"),
		},
	} {
		tt.run(t, "block-holds-pods", "block-holds-services")
	}
}

func TestFamilyLeftClosed(t *testing.T) {
	const dual = `---
apiVersion: v1
kind: Pod
metadata: {name: dual, namespace: shop, labels: {app: dual}}
spec: {containers: [{name: c}]}
status: {podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}, {ip: 'fd00::9'}]}
`
	const out = "{podSelector: {matchLabels: {app: dual}}, policyTypes: [Egress], egress: [{to: ["
	for _, tt := range []row{
		{
			reason:   "IPv6 is closed",
			policies: []string{"x " + out + "{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}], ports: [{port: 443}]}]}"},
			more:     dual,
			want:     []string{"shop/x spec.egress[0].to[0].ipBlock: family-left-closed"},
		},
		{
			reason:   "IPv4 is closed",
			policies: []string{"x " + out + "{podSelector: {}}, {ipBlock: {cidr: '::/0'}}]}]}"},
			more:     dual,
			want:     []string{"shop/x spec.egress[0].to[1].ipBlock: family-left-closed"},
		},
		{
			reason:   "ingress",
			policies: []string{"x {podSelector: {matchLabels: {app: dual}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}"},
			more:     dual,
			want:     []string{"shop/x spec.ingress[0].from[0].ipBlock: family-left-closed"},
		},
		{
			reason:   "both are in the rule",
			policies: []string{"x " + out + "{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: '::/0'}}]}]}"},
			more:     dual,
		},
		{
			reason: "another policy opens the port over IPv6",
			policies: []string{
				"x " + out + "{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}]}",
				"z " + out + "{ipBlock: {cidr: '2000::/3'}}]}]}",
			},
			more: dual,
		},
		{
			reason: "another policy opens another port over IPv6",
			policies: []string{
				"x " + out + "{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}]}",
				"z " + out + "{ipBlock: {cidr: '2000::/3'}}], ports: [{port: 80}]}]}",
			},
			more: dual,
			want: []string{"shop/x spec.egress[0].to[0].ipBlock: family-left-closed"},
		},
		{
			reason:   "web has IPv4 only",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}"},
			more:     dual,
		},
		{
			reason:   "a part of IPv4 does not call for IPv6",
			policies: []string{"x " + out + "{ipBlock: {cidr: 8.0.0.0/8}}]}]}"},
			more:     dual,
		},
	} {
		tt.run(t, "family-left-closed")
	}
}

// Pods that have one family are not among those of which the other one is closed, even
// if no policy tells them from these.
func TestFamilyLeftClosedToDualStack(t *testing.T) {
	const both = `---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: shop, labels: {app: dual}}
spec: {containers: [{name: c}]}
status: {podIP: 10.0.0.8}
---
apiVersion: v1
kind: Pod
metadata: {name: two, namespace: shop, labels: {app: dual}}
spec: {containers: [{name: c}]}
status: {podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}, {ip: 'fd00::9'}]}
`
	list := findings(t, row{
		policies: []string{"x {podSelector: {matchLabels: {app: dual}}, policyTypes: [Ingress, Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}"},
		more:     both,
	}, "family-left-closed")
	require.Len(t, list, 1)
	assert.Equal(t, "the block is for IPv4 only, and leaves IPv6 closed to shop/two, which has both", list[0].Message)
}

func TestServicePort(t *testing.T) {
	api := service("api", "ports: [{port: 80, targetPort: 8080}]")
	const item = "shop/x spec.ingress[0].ports[0].port: service-port"
	ingress := func(ports string) []string {
		return []string{"x {podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {}}], ports: [" + ports + "]}]}"}
	}
	for _, tt := range []row{
		{
			reason:   "80 of the Service leads to 8080",
			policies: ingress("{port: 80}"),
			more:     api,
			want:     []string{item},
		},
		{
			reason:   "a target port by its name",
			policies: ingress("{port: 80}"),
			more:     service("api", "ports: [{port: 80, targetPort: http}]"),
			want:     []string{item},
		},
		{
			reason:   "8080 is that of the pod",
			policies: ingress("{port: 8080}"),
			more:     api,
		},
		{
			reason:   "the rule has both",
			policies: ingress("{port: 80}, {port: http}"),
			more:     api,
		},
		{
			reason:   "nothing has to do with a port 81",
			policies: ingress("{port: 81}"),
			more:     api,
		},
		{
			reason:   "80/UDP is another port",
			policies: ingress("{port: 80, protocol: UDP}"),
			more:     api,
		},
		{
			reason:   "a second Service leads to port 80 of the pod",
			policies: ingress("{port: 80}"),
			more: api + `---
apiVersion: v1
kind: Service
metadata: {name: second, namespace: shop}
spec: {selector: {app: api}, ports: [{port: 1, targetPort: 80}]}
`,
		},
		{
			reason:   "web declares port 80, and the policy is about both",
			policies: []string{"x {ingress: [{ports: [{port: 80}]}]}"},
			more:     api,
		},
		{
			reason:   "the Service is that of another namespace",
			policies: ingress("{port: 80}"),
			more: `---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: ops}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}
`,
		},
		{
			reason:   "egress to the pods behind a Service",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]}]}"},
			more:     api,
			want:     []string{"shop/x spec.egress[0].ports[0].port: service-port"},
		},
		{
			reason:   "the plugin lets egress policies see the port of the Service",
			profile:  reach.Profile{ServiceAddressPoliced: true},
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]}]}"},
			more:     api,
		},
	} {
		tt.run(t, "service-port")
	}
}

func TestNamedPorts(t *testing.T) {
	for _, tt := range []row{
		{
			reason:   "db declares no port postgres",
			policies: []string{"x {" + db + ", ingress: [{ports: [{port: 5432}, {port: postgres}]}]}"},
			want:     []string{"shop/x spec.ingress[0].ports[1].port: named-port-unresolved"},
		},
		{
			reason:   "it declares metrics, but for TCP",
			policies: []string{"x {" + db + ", ingress: [{ports: [{port: metrics, protocol: UDP}]}]}"},
			want:     []string{"shop/x spec.ingress[0].ports[0].port: named-port-unresolved"},
		},
		{
			reason:   "names are those of the receiving pod, and scan declares none",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}], ports: [{port: http}]}]}"},
			want:     []string{"shop/x spec.egress[0].ports[0].port: named-port-unresolved"},
		},
		{
			reason:   "api, at its address, declares it",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.2/32}}], ports: [{port: http}]}]}"},
		},
		{
			reason:   "the plugin finds no pod at the address",
			profile:  reach.Profile{IPBlockSkipsPods: true},
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.2/32}}], ports: [{port: http}]}]}"},
		},
		{
			reason:   "nobody receives anything: that is a matter of the selector",
			policies: []string{"x {podSelector: {matchLabels: {app: gone}}, ingress: [{ports: [{port: http}]}]}"},
		},
		{
			reason:   "http is 80 at web and 8080 at api",
			policies: []string{"x {ingress: [{ports: [{port: http}]}]}"},
			want:     []string{"shop/x spec.ingress[0].ports[0].port: named-port-varies"},
		},
		{
			reason:   "http is 80 at web, and db declares none",
			policies: []string{"x {podSelector: {matchExpressions: [{key: app, operator: In, values: [web, db]}]}, ingress: [{ports: [{port: http}]}]}"},
		},
	} {
		tt.run(t, "named-port-unresolved", "named-port-varies")
	}
}

// A name that is that of a port of a Service is told as such.
func TestNamedPortOfService(t *testing.T) {
	list := findings(t, row{
		policies: []string{"x {" + db + ", ingress: [{ports: [{port: postgres}]}]}"},
		more:     service("db", "ports: [{port: 5432, name: postgres}]"),
	}, "named-port-unresolved")
	require.Len(t, list, 1)
	assert.Equal(t, "no receiving pod declares a port postgres/TCP; it is the name of a port of svc:shop/db, which policies do not see", list[0].Message)
	require.Len(t, list[0].Related, 1)
	assert.Equal(t, "spec.ports[0].name", list[0].Related[0].Field)
}

func TestHostNetworkSelected(t *testing.T) {
	const agent = `---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop, labels: {app: agent}}
spec: {hostNetwork: true, containers: [{name: c}]}
`
	for _, tt := range []row{
		{
			reason:   "by its label",
			policies: []string{"x {podSelector: {matchLabels: {app: agent}}}"},
			more:     agent,
			want:     []string{"shop/x spec.podSelector: host-network-selected"},
		},
		{
			reason:   "with all pods; the second policy says the same, and one finding is enough",
			policies: []string{denyIn, denyOut},
			more:     agent,
			want:     []string{"shop/deny-in spec.podSelector: host-network-selected"},
		},
		{
			reason:   "others",
			policies: []string{"x {" + web + "}"},
			more:     agent,
		},
		{
			reason:   "it has terminated",
			policies: []string{denyIn},
			more:     agent + "status: {phase: Failed}\n",
		},
		{
			reason:   "for the plugin it is a pod like others",
			profile:  reach.Profile{HostNetworkAsPods: true},
			policies: []string{denyIn},
			more:     agent,
		},
	} {
		tt.run(t, "host-network-selected")
	}
}

func TestGeneratedLabels(t *testing.T) {
	for _, tt := range []row{
		{
			reason:   "the hash of a Deployment, and the ordinal of a StatefulSet",
			policies: []string{"x {podSelector: {matchLabels: {pod-template-hash: abc}}, ingress: [{from: [{podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: db-0}}}]}]}"},
			want:     []string{"shop/x spec.podSelector: volatile-label", "shop/x spec.ingress[0].from[0].podSelector: generated-label"},
		},
		{
			reason:   "all but one job",
			policies: []string{"x {podSelector: {matchExpressions: [{key: job-name, operator: NotIn, values: [a]}]}}"},
			want:     []string{"shop/x spec.podSelector: generated-label"},
		},
		{
			reason:   "whether there is a job or not does not depend on a value",
			policies: []string{"x {podSelector: {matchExpressions: [{key: job-name, operator: DoesNotExist}, {key: controller-uid, operator: Exists}]}}"},
		},
		{
			reason:   "namespaces have no controllers of this kind",
			policies: []string{"x {ingress: [{from: [{namespaceSelector: {matchLabels: {job-name: a}}}]}]}"},
		},
	} {
		tt.run(t, "volatile-label", "generated-label")
	}
}

func TestNamespaces(t *testing.T) {
	from := func(peer string) []string { return []string{"x {" + web + ", ingress: [{from: [{" + peer + "}]}]}"} }
	const unknown = "shop/x spec.ingress[0].from[0].namespaceSelector: namespace-name-unknown"
	const key = "shop/x spec.ingress[0].from[0].namespaceSelector: namespace-key-misspelt"
	for _, tt := range []row{
		{
			reason:   "ops is there",
			policies: from("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}"),
		},
		{
			reason:   "opps is not",
			policies: from("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: opps}}"),
			want:     []string{unknown},
		},
		{
			reason:   "one of two is not",
			policies: from("namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [ops, opps]}]}"),
			want:     []string{unknown},
		},
		{
			reason:   "every cluster has kube-system, whether the input says so or not",
			policies: from("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}"),
		},
		{
			reason:   "a dash for the dot",
			policies: from("namespaceSelector: {matchLabels: {kubernetes.io/metadata-name: ops}}"),
			want:     []string{key},
		},
		{
			reason:   "the key that people gave to namespaces before there was one",
			policies: from("namespaceSelector: {matchLabels: {name: ops}}"),
			want:     []string{key},
		},
		{
			reason:   "people gave it to this one",
			policies: from("namespaceSelector: {matchLabels: {name: named}}"),
			more:     "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: named, labels: {name: named}}\n",
		},
		{
			reason:   "another label, that no namespace has and whose value is none",
			policies: from("namespaceSelector: {matchLabels: {tier: gold}}"),
		},
		{
			reason:   "pods do not have the label",
			policies: from("podSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}"),
			want:     []string{"shop/x spec.ingress[0].from[0].podSelector: namespace-key-misspelt"},
		},
		{
			reason: "a policy in shopp, where nothing else is; the second one is the same",
			more: `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, namespace: shopp}
spec: {}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: b, namespace: shopp}
spec: {}
`,
			want: []string{"shopp/a metadata.namespace: namespace-absent"},
		},
		{
			reason: "there is a Service, so somebody uses the namespace",
			more: `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, namespace: shopp}
spec: {}
---
apiVersion: v1
kind: Service
metadata: {name: a, namespace: shopp}
spec: {ports: [{port: 80}]}
`,
		},
	} {
		tt.run(t, "namespace-absent", "namespace-name-unknown", "namespace-key-misspelt")
	}
}

// What is misspelt comes with what it may mean.
func TestNearestNames(t *testing.T) {
	list := findings(t, row{
		policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: opps}}}]}]}"},
		more:     "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: shopp}\nspec: {}\n",
	}, "namespace-absent", "namespace-name-unknown")
	var messages []string
	for _, f := range list {
		messages = append(messages, f.Message)
	}
	assert.ElementsMatch(t, []string{
		"there is no namespace opps; did you mean ops?",
		"there is nothing in namespace shopp but 1 policy, and no such Namespace; did you mean shop?",
	}, messages)
}

// The names that are told are those that could have been meant.
func TestNamesOfInitContainers(t *testing.T) {
	list := findings(t, row{
		policies: []string{"x {podSelector: {matchLabels: {app: moved}}, ingress: [{ports: [{port: migrate}]}]}"},
		more: `---
apiVersion: v1
kind: Pod
metadata: {name: moved, namespace: shop, labels: {app: moved}}
spec:
  initContainers: [{name: i, ports: [{containerPort: 9000, name: migrate}]}]
  containers: [{name: c, ports: [{containerPort: 8080, name: web}]}]
`,
	}, "named-port-unresolved")
	require.Len(t, list, 1)
	assert.Equal(t, "no receiving pod declares a port migrate/TCP; that of an init container does not count", list[0].Message)
	assert.Equal(t, "it is for shop/moved, where the names are web/TCP", list[0].Proof.Text)
}
