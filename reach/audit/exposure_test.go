package audit_test

import (
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A row of the tables of single checks: some policies in namespace shop, and more
// manifests, and where the checks find something.
type row struct {
	reason   string
	profile  reach.Profile
	policies []string
	more     string
	want     []string
}

func (r row) run(t *testing.T, checks ...string) {
	t.Helper()
	t.Run(r.reason, func(t *testing.T) {
		want := append([]string{}, r.want...)
		assert.ElementsMatch(t, want, found(t, r.profile, pods+policies(r.policies...)+r.more, checks...))
	})
}

// findings returns what checks find in the manifests of a row.
func findings(t *testing.T, r row, checks ...string) []audit.Finding {
	t.Helper()
	c, err := policy.Parse("shop.yaml", strings.NewReader(pods+policies(r.policies...)+r.more))
	require.NoError(t, err)
	g, err := r.profile.Compile(c)
	require.NoError(t, err)
	list, err := audit.Run(g, checks...)
	require.NoError(t, err)
	return list
}

const (
	web = "podSelector: {matchLabels: {app: web}}"
	db  = "podSelector: {matchLabels: {app: db}}"
)

// lab is a third namespace with a pod.
const lab = `---
apiVersion: v1
kind: Namespace
metadata: {name: lab}
---
apiVersion: v1
kind: Pod
metadata: {name: bench, namespace: lab, labels: {app: bench}}
spec: {containers: [{name: c}]}
status: {podIP: 10.0.2.1}
`

func TestAddressExposed(t *testing.T) {
	for _, tt := range []row{
		{
			reason: "a pod that nothing isolates is no matter of a rule",
		},
		{
			reason:   "a rule for anyone is for addresses outside, too",
			policies: []string{"x {" + web + ", ingress: [{}]}"},
			want:     []string{"shop/x spec.ingress[0]: address-exposed"},
		},
		{
			reason:   "of two rules, the second one has a block outside",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {}}]}, {from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}"},
			want:     []string{"shop/x spec.ingress[1]: address-exposed"},
		},
		{
			reason:   "labels pick pods only",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {}}]}]}"},
		},
		{
			reason:   "the block holds a pod and nothing else",
			policies: []string{"x {" + web + ", ingress: [{from: [{ipBlock: {cidr: 10.0.1.1/32}}]}]}"},
		},
		{
			reason:   "web declares no port nope, so that the rule opens nothing",
			policies: []string{"x {" + web + ", ingress: [{ports: [{port: nope}]}]}"},
		},
		{
			reason:   "web has no IPv6 address that anybody could connect to",
			policies: []string{"x {" + web + ", ingress: [{from: [{ipBlock: {cidr: '::/0'}}]}]}"},
		},
		{
			reason:   "policyTypes do not list Ingress, so that the rule means nothing",
			policies: []string{"x {" + web + ", policyTypes: [Egress], ingress: [{}]}"},
		},
		{
			reason:   "the plugin drops SCTP, so that the rule opens nothing",
			profile:  reach.Profile{SCTP: reach.SCTPDropped},
			policies: []string{"x {" + web + ", ingress: [{ports: [{protocol: SCTP, port: 80}]}]}"},
		},
		{
			reason:   "nothing is enforced",
			profile:  reach.Profile{NotEnforced: true},
			policies: []string{"x {" + web + ", ingress: [{}]}"},
		},
	} {
		tt.run(t, "address-exposed")
	}
}

func TestAdminPortExposed(t *testing.T) {
	for _, tt := range []row{
		{
			reason: "nothing isolates db, which declares 5432",
			want:   []string{"shop: admin-port-exposed"},
		},
		{
			reason:   "a policy that isolates db closes the port",
			policies: []string{"x {" + db + "}"},
		},
		{
			reason:   "a rule opens every port of db to a block outside, and db declares 5432",
			policies: []string{"x {" + db + ", ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}"},
			want:     []string{"shop/x spec.ingress[0]: admin-port-exposed"},
		},
		{
			reason:   "a rule opens another port of db",
			policies: []string{"x {" + db + ", ingress: [{ports: [{port: 9187}]}]}"},
		},
		{
			reason:   "a rule opens 5432 to pods only",
			policies: []string{"x {" + db + ", ingress: [{from: [{podSelector: {}}], ports: [{port: 5432}]}]}"},
		},
		{
			reason:   "a rule opens every port of web, which declares none of these",
			policies: []string{"x {" + db + "}", "two {" + web + ", ingress: [{}]}"},
		},
		{
			reason:   "a rule asks for port 22 of web, which does not declare it: somebody means it",
			policies: []string{"x {" + db + "}", "two {" + web + ", ingress: [{ports: [{port: 22}]}]}"},
			want:     []string{"shop/two spec.ingress[0]: admin-port-exposed"},
		},
		{
			reason:   "a range that has port 22 is not meant for it",
			policies: []string{"x {" + db + "}", "two {" + web + ", ingress: [{ports: [{port: 1, endPort: 1024}]}]}"},
		},
		{
			reason:   "SSH is TCP",
			policies: []string{"x {" + db + "}", "two {" + web + ", ingress: [{ports: [{protocol: UDP, port: 22}]}]}"},
		},
		{
			reason:   "db is closed, but its node hides those who come by the node port",
			policies: []string{"x {" + db + "}"},
			more:     service("db", "type: NodePort, ports: [{port: 80, targetPort: 5432, nodePort: 30001}]"),
			want:     []string{"shop/db spec.type: admin-port-exposed"},
		},
		{
			reason:   "a load balancer at port 22, whatever the port of the pod is",
			policies: []string{"x {" + db + "}"},
			more:     service("web", "type: LoadBalancer, ports: [{port: 22, targetPort: 80}]"),
			want:     []string{"shop/web spec.type: admin-port-exposed"},
		},
		{
			reason:   "a ClusterIP is for the cluster",
			policies: []string{"x {" + db + "}"},
			more:     service("db", "ports: [{port: 5432}]"),
		},
	} {
		tt.run(t, "admin-port-exposed")
	}
}

// service returns a Service in namespace shop of the app that has its name.
func service(name, spec string) string {
	return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: shop}\nspec: {selector: {app: " + name + "}, " + spec + "}\n"
}

func TestServiceExposed(t *testing.T) {
	for _, tt := range []row{
		{
			reason: "a ClusterIP and a headless Service are for the cluster",
			more:   service("web", "ports: [{port: 80}]") + service("api", "clusterIP: None, externalIPs: [198.51.100.1], ports: [{port: 80}]"),
		},
		{
			reason: "a node port, even one that is not assigned yet",
			more:   service("web", "type: NodePort, ports: [{port: 80}]"),
			want:   []string{"shop/web spec.type: service-exposed"},
		},
		{
			reason: "a load balancer",
			more:   service("web", "type: LoadBalancer, ports: [{port: 80}]"),
			want:   []string{"shop/web spec.type: service-exposed"},
		},
		{
			reason: "an external IP",
			more:   service("web", "externalIPs: [198.51.100.1], ports: [{port: 80}]"),
			want:   []string{"shop/web spec.externalIPs: service-exposed"},
		},
		{
			reason: "no pod is behind it",
			more:   service("nobody", "type: NodePort, ports: [{port: 80}]"),
		},
		{
			reason:   "policies see the node, which may always reach its pods",
			policies: []string{denyIn},
			more:     service("web", "type: NodePort, ports: [{port: 80}]"),
			want:     []string{"shop/web spec.type: service-exposed"},
		},
		{
			reason:   "policies see the client, and deny",
			policies: []string{denyIn},
			more:     service("web", "type: NodePort, externalTrafficPolicy: Local, ports: [{port: 80}]"),
		},
	} {
		tt.run(t, "service-exposed")
	}
}

func TestSourceRangesBypassed(t *testing.T) {
	const local = "type: LoadBalancer, externalTrafficPolicy: Local, loadBalancerSourceRanges: [203.0.113.0/24], "
	const bypassed = "shop/web spec.loadBalancerSourceRanges: source-ranges-bypassed"
	for _, tt := range []row{
		{
			reason: "nothing isolates web: every address reaches it directly, and by the node port",
			more:   service("web", local+"ports: [{port: 80}]"),
			want:   []string{bypassed},
		},
		{
			reason: "there are no ranges to keep anybody out",
			more:   service("web", "type: LoadBalancer, ports: [{port: 80}]"),
		},
		{
			reason: "the ranges are for everybody",
			more:   service("web", "type: LoadBalancer, loadBalancerSourceRanges: [0.0.0.0/0], ports: [{port: 80}]"),
		},
		{
			reason:   "the policy has the same range, and sees the client at the node port",
			policies: []string{"x {" + web + ", ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}"},
			more:     service("web", local+"ports: [{port: 80}]"),
		},
		{
			reason:   "the policy has a wider range",
			policies: []string{"x {" + web + ", ingress: [{from: [{ipBlock: {cidr: 203.0.112.0/23}}]}]}"},
			more:     service("web", local+"ports: [{port: 80}]"),
			want:     []string{bypassed},
		},
		{
			reason:   "the policy has a wider range for another port",
			policies: []string{"x {" + web + ", ingress: [{from: [{ipBlock: {cidr: 203.0.112.0/23}}], ports: [{port: 81}]}]}"},
			more:     service("web", local+"ports: [{port: 80}]"),
		},
		{
			reason:   "the policy has the same range, and at the node port it sees the node",
			policies: []string{"x {" + web + ", ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}"},
			more:     service("web", "type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.0/24], ports: [{port: 80}]"),
			want:     []string{bypassed},
		},
		{
			reason:   "so it does, but there is no node port",
			policies: []string{"x {" + web + ", ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}"},
			more:     service("web", "type: LoadBalancer, allocateLoadBalancerNodePorts: false, loadBalancerSourceRanges: [203.0.113.0/24], ports: [{port: 80}]"),
		},
	} {
		tt.run(t, "source-ranges-bypassed")
	}
}

func TestUndeclaredPortOpen(t *testing.T) {
	for _, tt := range []row{
		{
			reason: "every port is open where nothing isolates, which is another matter",
		},
		{
			reason:   "a rule without ports opens more than 80 of web",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {}}]}]}"},
			want:     []string{"shop/x spec.ingress[0]: undeclared-port-open"},
		},
		{
			reason:   "a rule for the declared port, by number and by name",
			policies: []string{"x {" + web + ", ingress: [{ports: [{port: 80}, {port: http}]}]}"},
		},
		{
			reason:   "the first rule is for a declared port; the second one is not, and its peers are outside",
			policies: []string{"x {" + web + ", ingress: [{ports: [{port: 80}]}, {from: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 81}]}]}"},
			want:     []string{"shop/x spec.ingress[1]: undeclared-port-open"},
		},
		{
			reason:   "the peer may not connect to the port, so that it is not open",
			policies: []string{denyOut, "x {" + web + ", ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 81}]}]}"},
		},
		{
			reason:   "there is no such peer",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {matchLabels: {app: gone}}}], ports: [{port: 81}]}]}"},
		},
		{
			reason:   "the peer is web alone, which may always connect to itself",
			policies: []string{"x {" + web + ", ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 81}]}]}"},
		},
		{
			reason: "a pod that declares nothing may listen anywhere",
			more: `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: x, namespace: ops}
spec: {ingress: [{ports: [{port: 81}]}]}
`,
		},
	} {
		tt.run(t, "undeclared-port-open")
	}
}

func TestEveryNamespaceAdmitted(t *testing.T) {
	for _, tt := range []row{
		{
			reason: "every namespace comes in where nothing isolates, which is another matter",
			more:   lab,
		},
		{
			reason:   "an empty namespaceSelector",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]}"},
			more:     lab,
			want:     []string{"shop/x spec.ingress[0]: every-namespace-admitted"},
		},
		{
			reason:   "ops is the only other namespace, so that it cannot be told from all",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {}}]}]}"},
		},
		{
			reason:   "only ops comes in",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]}]}"},
			more:     lab,
		},
		{
			reason:   "two rules together let in both",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]}, {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}}]}]}"},
			more:     lab,
			want:     []string{"shop/x spec.ingress[1]: every-namespace-admitted"}, // lab comes first in the alphabet
		},
		{
			reason:   "both come in, but on different ports",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}], ports: [{port: 80}]}, {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}}], ports: [{port: 81}]}]}"},
			more:     lab,
		},
		{
			reason:   "of every namespace only the pods with a label",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: scan}}}]}]}"},
			more:     lab,
		},
		{
			reason:   "what the others may do does not matter: web would let them in",
			policies: []string{"x {" + web + ", ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]}"},
			more: lab + `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-out, namespace: lab}
spec: {policyTypes: [Egress]}
`,
			want: []string{"shop/x spec.ingress[0]: every-namespace-admitted"},
		},
	} {
		tt.run(t, "every-namespace-admitted")
	}
}

func TestInternetOpen(t *testing.T) {
	const private = "except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]"
	for _, tt := range []row{
		{
			reason: "a pod that nothing isolates reaches everything, which is another matter",
		},
		{
			reason:   "one port of everyone",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}"},
			want:     []string{"shop/x spec.egress[0]: internet-open"},
		},
		{
			reason:   "what is private may be excepted",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, " + private + "}}]}]}"},
			want:     []string{"shop/x spec.egress[0]: internet-open"},
		},
		{
			reason:   "half of it in a rule each",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 128.0.0.0/1}}]}, {to: [{ipBlock: {cidr: 0.0.0.0/1}}]}]}"},
			want:     []string{"shop/x spec.egress[1]: internet-open"}, // which has the lowest public address
		},
		{
			reason:   "one public address is excepted",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [8.8.8.8/32]}}]}]}"},
		},
		{
			reason:   "a part of it",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 8.0.0.0/8}}]}]}"},
		},
		{
			reason:   "a port of the one half and another of the other",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 128.0.0.0/1}}], ports: [{port: 443}]}, {to: [{ipBlock: {cidr: 0.0.0.0/1}}], ports: [{port: 80}]}]}"},
		},
		{
			reason:   "web has no IPv6 address from which it could connect",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: '::/0'}}]}]}"},
		},
		{
			reason:   "pods are not the internet",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}"},
		},
	} {
		tt.run(t, "internet-open")
	}
}

// dns is the DNS of a cluster, which listens at 5353.
const dns = `---
apiVersion: v1
kind: Namespace
metadata: {name: kube-system}
---
apiVersion: v1
kind: Pod
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {containers: [{name: c, ports: [{containerPort: 5353, protocol: UDP}, {containerPort: 5353}, {containerPort: 9153}]}]}
status: {podIP: 10.0.3.1}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: 10.96.0.10
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, targetPort: 5353, protocol: UDP}, {name: dns-tcp, port: 53, targetPort: 5353}]
`

const denyDNS = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns, namespace: kube-system}
spec: `

func TestDNS(t *testing.T) {
	blocked := "shop: dns-blocked"
	for _, tt := range []row{
		{
			reason: "nothing isolates anything",
			more:   dns,
		},
		{
			reason:   "isolated for egress, all pods of the namespace are one finding",
			policies: []string{denyOut},
			more:     dns,
			want:     []string{blocked},
		},
		{
			reason:   "isolated for ingress only",
			policies: []string{denyIn},
			more:     dns,
		},
		{
			reason:   "nothing is known of DNS servers",
			policies: []string{denyOut},
		},
		{
			reason:   "policies see port 5353 of the pods and not 53 of the Service",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}"},
			more:     dns,
			want:     []string{blocked},
		},
		{
			reason:   "so it is right",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: 5353, protocol: UDP}, {port: 5353}]}]}"},
			more:     dns,
		},
		{
			reason:   "without TCP",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: 5353, protocol: UDP}]}]}"},
			more:     dns,
			want:     []string{"shop: dns-no-tcp"},
		},
		{
			reason:   "the servers let nobody in",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{}]}"},
			more:     dns + denyDNS + "{}\n",
			want:     []string{blocked},
		},
		{
			reason:   "no server is there, whatever policies say",
			policies: []string{denyOut},
			more:     dns[strings.LastIndex(dns, "---"):],
		},
	} {
		tt.run(t, "dns-blocked", "dns-no-tcp")
	}
}

func TestDNSOutside(t *testing.T) {
	for _, tt := range []row{
		{
			reason: "a pod that nothing isolates reaches everything, which is another matter",
		},
		{
			reason:   "port 53 of everyone",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}]}]}"},
			want:     []string{"shop/x spec.egress[0]: dns-open"},
		},
		{
			reason:   "over TCP it is the same",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{ports: [{port: 53}]}]}"},
			want:     []string{"shop/x spec.egress[0]: dns-open"},
		},
		{
			reason:   "every port of everyone: it is not about DNS",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{}]}"},
		},
		{
			reason:   "another port of everyone",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}"},
		},
		{
			reason:   "one server outside",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 8.8.8.8/32}}], ports: [{port: 53, protocol: UDP}]}]}"},
			want:     []string{"shop/x spec.egress[0]: dns-external"},
		},
		{
			reason:   "every port of a partner: it is not about DNS",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}"},
		},
		{
			reason:   "the DNS cache of the node",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53, protocol: UDP}]}]}"},
		},
		{
			reason:   "the block holds more than the DNS cache of the node",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 169.254.20.0/24}}], ports: [{port: 53, protocol: UDP}]}]}"},
			want:     []string{"shop/x spec.egress[0]: dns-external"},
		},
		{
			reason:   "DNS servers in the cluster",
			policies: []string{"x {" + web + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}]}]}"},
			more:     dns,
		},
	} {
		tt.run(t, "dns-open", "dns-external")
	}
}

func TestDNSServers(t *testing.T) {
	const outside, ports = "kube-system/kube-dns: dns-server-exposed", "kube-system/kube-dns: dns-server-ports"
	for _, tt := range []row{
		{
			reason: "there is none",
		},
		{
			reason: "nothing isolates it",
			more:   dns,
			want:   []string{outside, ports},
		},
		{
			reason: "port 5353 is that of DNS here, and 53 would be in any case; pods come in only",
			more:   dns + denyDNS + "{ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 5353, protocol: UDP}, {port: 5353}, {port: 53}]}]}\n",
		},
		{
			reason: "the port of metrics, to pods",
			more:   dns + denyDNS + "{ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 9153}]}]}\n",
			want:   []string{ports},
		},
		{
			reason: "port 5353 to everyone",
			more:   dns + denyDNS + "{ingress: [{ports: [{port: 5353, protocol: UDP}]}]}\n",
			want:   []string{outside},
		},
		{
			reason: "a load balancer leads to it, and hides the client from the policy",
			more:   strings.ReplaceAll(dns, "clusterIP: 10.96.0.10", "type: LoadBalancer") + denyDNS + "{}\n",
			want:   []string{outside},
		},
		{
			reason: "without a Service it is the pod",
			more:   dns[:strings.LastIndex(dns, "---")] + denyDNS + "{ingress: [{ports: [{port: 53, protocol: UDP}]}]}\n",
			want:   []string{"kube-system/coredns: dns-server-exposed"},
		},
	} {
		tt.run(t, "dns-server-exposed", "dns-server-ports")
	}
}

// What findings say of the pods of a workload, in words.
func TestExposureInWords(t *testing.T) {
	r := row{
		policies: []string{"x {egress: [{ports: [{port: 53, protocol: UDP}]}], ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}"},
		more: `---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: set, namespace: shop, uid: u}
spec: {selector: {matchLabels: {app: set}}, template: {metadata: {labels: {app: set}}, spec: {containers: [{name: c}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: set-0, namespace: shop, labels: {app: set}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: set, uid: u, controller: true}]}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: set-1, namespace: shop, labels: {app: set}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: set, uid: u, controller: true}]}
spec: {containers: [{name: c}]}
`,
	}
	var messages []string
	for _, f := range findings(t, r, "address-exposed", "dns-open", "undeclared-port-open") {
		messages = append(messages, f.Message)
	}
	assert.Equal(t, []string{
		// Of the pods of the StatefulSet no address is known: they may have one of IPv6.
		"2 pods of StatefulSet shop/set can connect to all public IPv4 and IPv6 addresses on 53/UDP, by which data can leave in DNS queries",
		"shop/api, shop/db and shop/web can connect to all public IPv4 addresses on 53/UDP, by which data can leave in DNS queries",
		"the rule lets addresses outside the cluster connect to shop/api, shop/db, 2 pods of StatefulSet shop/set and shop/web on all ports: 203.0.113.0/24",
		"the rule opens ports that no container of shop/api, shop/db and shop/web declares: all ports",
	}, messages)
}

// A namespace without an object is known by its pods, and code scanning wants a file.
func TestNamespaceWithoutObject(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: q, namespace: bare}\n" +
		"spec: {containers: [{name: c, ports: [{containerPort: 22}]}]}\nstatus: {podIP: 10.0.9.1}\n"
	c, err := policy.Parse("bare.yaml", strings.NewReader("---\n"+pod))
	require.NoError(t, err)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	list, err := audit.Run(g, "admin-port-exposed", "no-default-deny-ingress")
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, f := range list {
		assert.Equal(t, policy.Place{File: "bare.yaml", Line: 2, Object: "Namespace bare"}, f.Place, f.Check)
	}
}
