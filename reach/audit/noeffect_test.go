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

// pods are those that the tables of checks are about.
const pods = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: sales}}
---
apiVersion: v1
kind: Namespace
metadata: {name: ops}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  containers: [{name: c, ports: [{containerPort: 80, name: http}]}]
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
spec:
  containers: [{name: c, ports: [{containerPort: 8080, name: http}]}]
status: {podIP: 10.0.0.2}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec:
  containers: [{name: c, ports: [{containerPort: 5432}, {containerPort: 9187, name: metrics}]}]
status: {podIP: 10.0.0.3}
---
apiVersion: v1
kind: Pod
metadata: {name: scan, namespace: ops, labels: {app: scan}}
spec:
  containers: [{name: c}]
status: {podIP: 10.0.1.1}
`

// policies returns the manifests of policies in namespace shop. Each is its name and
// its spec as flow of YAML.
func policies(specs ...string) string {
	var b strings.Builder
	for _, s := range specs {
		name, spec, _ := strings.Cut(s, " ")
		b.WriteString("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name + ", namespace: shop}\nspec: " + spec + "\n")
	}
	return b.String()
}

// found returns what checks find, such as "shop/db spec.ingress[0]: rule-shadowed".
func found(t *testing.T, p reach.Profile, text string, checks ...string) []string {
	t.Helper()
	c, err := policy.Parse("shop.yaml", strings.NewReader(text))
	require.NoError(t, err)
	g, err := p.Compile(c)
	require.NoError(t, err)
	findings, err := audit.Run(g, checks...)
	require.NoError(t, err)
	list := []string{}
	for _, f := range findings {
		at := f.Name.String()
		if f.Name.Namespace == "" {
			at = f.Name.Name
		}
		if f.Place.Field != "" {
			at += " " + f.Place.Field
		}
		list = append(list, at+": "+f.Check)
		assert.NotEmpty(t, f.Message)
		assert.NotEmpty(t, f.Proof.String(), "%v", f)
		assert.NotEmpty(t, f.Suggestion)
	}
	return list
}

// checksOf returns the checks whose identifiers begin with one of the words.
func checksOf(words ...string) []string {
	var ids []string
	for _, c := range audit.Checks() {
		for _, w := range words {
			if strings.HasPrefix(c.ID, w+"-") {
				ids = append(ids, c.ID)
			}
		}
	}
	return ids
}

const (
	denyIn  = "deny-in {policyTypes: [Ingress]}"
	denyOut = "deny-out {policyTypes: [Egress]}"
)

func TestNoEffect(t *testing.T) {
	for _, tt := range []struct {
		reason   string
		profile  reach.Profile
		policies []string
		more     string // manifests
		want     []string
	}{
		{
			reason:   "a policy without rules isolates, which is an effect",
			policies: []string{denyIn},
		},
		{
			reason:   "no policies, no findings",
			policies: nil,
		},
		{
			reason: "the one peer is the rule, and lets api in",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]}",
			},
		},
		{
			reason: "either of two equal rules can go",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}]}, {from: [{podSelector: {matchLabels: {app: api}}}]}]}",
			},
			want: []string{"shop/db spec.ingress[0]: rule-shadowed", "shop/db spec.ingress[1]: rule-shadowed"},
		},
		{
			reason: "the rule of db is a part of that of all, which also concerns others; isolated is db by all as well",
			policies: []string{
				"all {ingress: [{from: [{podSelector: {}}]}]}",
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]}",
			},
			want: []string{"shop/db: policy-shadowed"},
		},
		{
			reason: "the first rule of db is a part of that of all, the second lets scan in",
			policies: []string{
				"all {ingress: [{from: [{podSelector: {}}]}]}",
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}]}, {from: [{namespaceSelector: {}}], ports: [{port: 9187}]}]}",
			},
			want: []string{"shop/db spec.ingress[0]: rule-shadowed"},
		},
		{
			reason: "web is in the second peer as well; the second alone holds api",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {podSelector: {matchExpressions: [{key: app, operator: In, values: [web, api]}]}}]}]}",
			},
			want: []string{"shop/db spec.ingress[0].from[0]: peer-shadowed"},
		},
		{
			reason: "80 is in the range, and 81 is in the range alone",
			policies: []string{
				"web {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}, {port: 80, endPort: 81}]}]}",
			},
			want: []string{"shop/web spec.ingress[0].ports[0]: port-shadowed"},
		},
		{
			reason:  "a plugin that takes the range for its first port: either can go",
			profile: reach.Profile{EndPortIgnored: true},
			policies: []string{
				"web {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}, {port: 80, endPort: 81}]}]}",
			},
			want: []string{"shop/web spec.ingress[0].ports[0]: port-shadowed", "shop/web spec.ingress[0].ports[1]: port-shadowed"},
		},
		{
			reason: "http is 80 at web, and nothing else",
			policies: []string{
				"web {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}, {port: http}]}]}",
			},
			want: []string{"shop/web spec.ingress[0].ports[0]: port-shadowed", "shop/web spec.ingress[0].ports[1]: port-shadowed"},
		},
		{
			reason: "no pod has app=x and not; the other peer is api",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [x]}, {key: app, operator: NotIn, values: [x]}]}}, {podSelector: {matchLabels: {app: api}}}]}]}",
			},
			want: []string{"shop/db spec.ingress[0].from[0]: peer-impossible"},
		},
		{
			reason: "the only peer can be nobody; the policy still isolates",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchExpressions: [{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]}}]}]}",
			},
			want: []string{"shop/db spec.ingress[0]: rule-impossible"},
		},
		{
			reason: "every namespace has the label with its name",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: DoesNotExist}]}}]}]}",
			},
			want: []string{"shop/db spec.ingress[0]: rule-impossible"},
		},
		{
			reason: "the policy can select nobody, and its rules are not looked at",
			policies: []string{
				"db {podSelector: {matchExpressions: [{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]}, ingress: [{from: [{podSelector: {matchLabels: {app: nobody}}}]}]}",
			},
			want: []string{"shop/db spec.podSelector: policy-impossible"},
		},
		{
			reason:   "a label with a slip",
			policies: []string{"db {podSelector: {matchLabels: {app: bd}}, ingress: [{from: [{podSelector: {matchLabels: {app: nobody}}}]}]}"},
			want:     []string{"shop/db spec.podSelector: policy-unmatched"},
		},
		{
			reason: "peers with slips in the labels of pods, of the namespace, and in both; scan is in another namespace",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: wbe}}}, {namespaceSelector: {matchLabels: {team: sale}}}, {podSelector: {matchLabels: {app: scan}}}, {podSelector: {matchLabels: {app: web}}}]}]}",
			},
			want: []string{
				"shop/db spec.ingress[0].from[0]: peer-unmatched",
				"shop/db spec.ingress[0].from[1]: peer-unmatched",
				"shop/db spec.ingress[0].from[2]: peer-unmatched",
			},
		},
		{
			reason:   "no rule is left if its only peer is nobody here",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: wbe}}}]}]}"},
			want:     []string{"shop/db spec.ingress[0]: rule-unmatched"},
		},
		{
			reason:   "a pod reaches itself in any case",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: db}}}]}]}"},
			want:     []string{"shop/db spec.ingress[0]: rule-shadowed"},
		},
		{
			reason:   "the exceptions are the whole block",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/25, 192.0.2.128/25]}}, {podSelector: {matchLabels: {app: web}}}]}]}"},
			want:     []string{"shop/db spec.ingress[0].from[0]: peer-impossible"},
		},
		{
			reason: "192.0.2.0/26 is in 192.0.2.0/25, and each of two equal exceptions can go",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/26, 192.0.2.0/25, 192.0.2.255/32, 192.0.2.255/32]}}]}]}",
			},
			want: []string{
				"shop/db spec.ingress[0].from[0].ipBlock.except[0]: except-shadowed",
				"shop/db spec.ingress[0].from[0].ipBlock.except[2]: except-shadowed",
				"shop/db spec.ingress[0].from[0].ipBlock.except[3]: except-shadowed",
			},
		},
		{
			reason: "the second block lets the first exception in; the second exception keeps out",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/26, 192.0.2.255/32]}}, {ipBlock: {cidr: 192.0.2.0/25}}]}]}",
			},
			want: []string{"shop/db spec.ingress[0].from[0].ipBlock.except[0]: except-defeated"},
		},
		{
			reason: "another policy lets the metadata service be reached",
			policies: []string{
				"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}]}",
				"meta {policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 169.254.0.0/16}}]}]}",
			},
			want: []string{"shop/out spec.egress[0].to[0].ipBlock.except[0]: except-defeated"},
		},
		{
			reason: "on another port only, so that the exception keeps out on the others",
			policies: []string{
				"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}]}",
				"meta {policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 169.254.0.0/16}}], ports: [{port: 80}]}]}",
			},
		},
		{
			reason: "db, at 10.0.0.3, lets nobody in",
			policies: []string{
				"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24, except: [10.0.0.3/32]}}]}]}",
				"db {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}",
			},
			want: []string{"shop/out spec.egress[0].to[0].ipBlock.except[0]: except-blocked"},
		},
		{
			reason:  "a plugin whose blocks hold no pods: nothing else is at 10.0.0.3",
			profile: reach.Profile{IPBlockSkipsPods: true},
			policies: []string{
				"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24, except: [10.0.0.3/32]}}]}]}",
			},
			want: []string{"shop/out spec.egress[0].to[0].ipBlock.except[0]: except-unmatched"},
		},
		{
			reason: "a name of a port means nothing outside, and a pod in the block would have to declare it",
			policies: []string{
				"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: https}, {port: 443}]}]}",
			},
			want: []string{"shop/out spec.egress[0].ports[0]: port-unmatched"},
		},
		{
			reason: "db is in the block and has the name",
			policies: []string{
				"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24}}], ports: [{port: metrics}, {port: 443}]}]}",
			},
		},
		{
			reason:  "for a plugin whose blocks hold no pods the name can never mean anything",
			profile: reach.Profile{IPBlockSkipsPods: true},
			policies: []string{
				"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24}}], ports: [{port: metrics}, {port: 443}]}]}",
			},
			want: []string{"shop/out spec.egress[0].ports[0]: port-impossible"},
		},
		{
			reason: "db calls it metrics, and not metric",
			policies: []string{
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: metric}]}]}",
			},
			want: []string{"shop/db spec.ingress[0]: rule-unmatched"},
		},
		{
			reason:   "a pod on the host network is its node, on which names mean nothing",
			policies: []string{"out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{ports: [{port: agent}, {port: 443}]}]}"},
			more: `---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: ops}
spec: {hostNetwork: true, nodeName: n1, containers: [{name: c, ports: [{containerPort: 9000, name: agent}]}]}
status: {podIP: 10.9.0.1, hostIP: 10.9.0.1}
`,
			want: []string{"shop/out spec.egress[0].ports[0]: port-unmatched"},
		},
		{
			reason: "near is reached by its own node in any case, which the block holds alone; the rest of the rule is decisive",
			policies: []string{
				"db {podSelector: {matchLabels: {app: near}}, ingress: [{from: [{ipBlock: {cidr: 10.9.0.1/32}}, {podSelector: {matchLabels: {app: web}}}]}]}",
			},
			more: `---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: near, namespace: shop, labels: {app: near}}
spec: {nodeName: n1, containers: [{name: c}]}
status: {podIP: 10.0.0.9}
`,
			want: []string{"shop/db spec.ingress[0].from[0]: peer-unmatched"},
		},
		{
			reason:   "SCTP is a protocol like others",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 5432}, {port: 5432, protocol: SCTP}]}]}"},
		},
		{
			reason:   "for a plugin that drops SCTP, the item can never match",
			profile:  reach.Profile{SCTP: reach.SCTPDropped},
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 5432}, {port: 5432, protocol: SCTP}]}]}"},
			want:     []string{"shop/db spec.ingress[0].ports[1]: port-impossible"},
		},
		{
			reason:   "for one that does not filter SCTP, it passes anyway",
			profile:  reach.Profile{SCTP: reach.SCTPBypasses},
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 5432}, {port: 5432, protocol: SCTP}]}]}"},
			want:     []string{"shop/db spec.ingress[0].ports[1]: port-shadowed"},
		},
		{
			reason:   "the pods have addresses of IPv4 only",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: '2001:db8::/32'}}]}]}"},
			want:     []string{"shop/db spec.ingress[0]: rule-unmatched"},
		},
		{
			reason: "api may not connect to anything, so the rule that lets it in is in vain",
			policies: []string{
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress]}",
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}]}]}",
			},
			want: []string{"shop/db spec.ingress[0]: rule-blocked"},
		},
		{
			reason: "likewise the second peer, while web may connect",
			policies: []string{
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress]}",
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {podSelector: {matchLabels: {app: api}}}]}]}",
			},
			want: []string{"shop/db spec.ingress[0].from[1]: peer-blocked"},
		},
		{
			reason: "api may connect to 5432 only",
			policies: []string{
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]}",
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}, {port: 9187}]}]}",
			},
			want: []string{"shop/db spec.ingress[0].ports[1]: port-blocked"},
		},
		{
			reason: "deny-in keeps api out of web, and deny-out isolates api as the policy does",
			policies: []string{
				denyIn, denyOut,
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]}",
			},
			want: []string{"shop/api: policy-blocked"},
		},
		{
			reason:   "two policies say the same: either can go",
			policies: []string{denyIn, "deny-again {policyTypes: [Ingress]}"},
			want:     []string{"shop/deny-in: policy-shadowed", "shop/deny-again: policy-shadowed"},
		},
		{
			reason: "web, api and db are isolated by policies of their own; the next pod would be by deny-in alone",
			policies: []string{
				denyIn,
				"each {podSelector: {matchExpressions: [{key: app, operator: In, values: [web, api, db]}]}, policyTypes: [Ingress]}",
			},
			want: []string{"shop/deny-in: policy-standby", "shop/each: policy-shadowed"},
		},
		{
			reason:   "it isolates and lets everybody in; but for it pods to come would not be isolated",
			policies: []string{"open {ingress: [{}]}"},
			want:     []string{"shop/open: policy-standby"},
		},
		{
			reason:   "the rules of a direction that is not listed are a matter of unlisted-direction",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], egress: [{to: [{podSelector: {matchLabels: {app: nobody}}}]}]}"},
		},
		{
			reason:   "without the last egress rule the policy would still isolate for egress",
			policies: []string{"db {podSelector: {matchLabels: {app: db}}, egress: [{to: [{podSelector: {matchLabels: {app: nobody}}}]}]}"},
			want:     []string{"shop/db spec.egress[0]: rule-unmatched"},
		},
		{
			reason:   "nobody enforces anything, and nothing else is said",
			profile:  reach.Flannel(),
			policies: []string{denyIn, "db {podSelector: {matchLabels: {app: nobody}}}"},
			want:     []string{"shop/deny-in: policy-not-enforced", "shop/db: policy-not-enforced"},
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			want := append([]string{}, tt.want...)
			assert.Equal(t, want, found(t, tt.profile, pods+policies(tt.policies...)+tt.more, checksOf("policy", "rule", "peer", "port", "except")...))
		})
	}
}

// Pods on the host network have the labels, so that it is not the selector that is wrong.
func TestUnmatchedButOnHosts(t *testing.T) {
	const host = `---
apiVersion: v1
kind: Pod
metadata: {name: exporter, namespace: shop, labels: {app: exporter}}
spec: {hostNetwork: true, nodeName: n1, containers: [{name: c}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: bare}
`
	list := findings(t, row{
		policies: []string{
			"a {podSelector: {matchLabels: {app: exporter}}}",
			"b {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: exporter}}}]}]}",
		},
		more: host,
	}, "policy-unmatched", "rule-unmatched")
	proofs := make(map[string]string)
	for _, f := range list {
		proofs[f.Name.String()] = f.Proof.Text
	}
	assert.Equal(t, map[string]string{
		"shop/a": "on the host network: shop/exporter",
		"shop/b": "pods [app=exporter] in shop: there are none but on the host network, where peers pick none: shop/exporter",
		"bare/p": "there is no pod in the namespace that policies can select",
	}, proofs)
}

// To add a policy is no help if none is enforced.
func TestSuggestionWithoutEnforcement(t *testing.T) {
	list := findings(t, row{profile: reach.Flannel(), policies: []string{"x {policyTypes: [Ingress, Egress]}"}},
		"no-default-deny-ingress", "no-default-deny-egress", "admin-port-exposed")
	require.NotEmpty(t, list)
	for _, f := range list {
		assert.Equal(t, "run a plugin that enforces policies", f.Suggestion, f.Check)
	}
}
