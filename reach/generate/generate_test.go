package generate_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/generate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
)

// parse reads a cluster.
func parse(t testing.TB, manifests string) *policy.Cluster {
	t.Helper()
	c, err := policy.Parse("cluster.yaml", strings.NewReader(manifests))
	require.NoError(t, err)
	return c
}

// A named policy is what a test compares.
type named struct {
	Namespace, Name string
	Spec            networkingv1.NetworkPolicySpec
}

func namesAndSpecs(policies []*networkingv1.NetworkPolicy) []named {
	var list []named
	for _, np := range policies {
		list = append(list, named{np.Namespace, np.Name, np.Spec})
	}
	return list
}

// assertPolicies asserts that a Result has the policies of a text, in their order, and
// that what it writes is read as these again.
func assertPolicies(t *testing.T, want string, r *generate.Result) {
	t.Helper()
	wanted := namesAndSpecs(parse(t, want).Policies)
	assert.Equal(t, wanted, namesAndSpecs(r.Policies), r.YAML())
	assert.Equal(t, wanted, namesAndSpecs(parse(t, r.YAML()).Policies))
}

func lines(list []generate.Flows) []string {
	var all []string
	for _, f := range list {
		all = append(all, f.String())
	}
	return all
}

// np returns policies in flow style: each begins with its namespace and name.
func np(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		head, spec, _ := strings.Cut(strings.TrimSpace(text), ": ")
		ns, name, _ := strings.Cut(head, "/")
		b.WriteString("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: " + ns + ", name: " + name + "}\nspec: " + spec + "\n")
	}
	return b.String()
}

// pod returns a pod in flow style, with labels and more of the object.
func pod(name, labels string, more ...string) string {
	ns, name, _ := strings.Cut(name, "/")
	spec := "spec: {containers: [{name: c, image: i}]}"
	if len(more) > 0 {
		spec = strings.Join(more, "\n")
	}
	return "---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: " + ns + ", name: " + name + ", labels: {" + labels + "}}\n" + spec + "\n"
}

func object(kind, apiVersion, name, rest string) string {
	ns, name, _ := strings.Cut(name, "/")
	ns = cmp.Or(ns, `""`)
	return "---\napiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {namespace: " + ns + ", name: " + name + "}\n" + rest + "\n"
}

const denyShop = "shop/default-deny: {podSelector: {}, policyTypes: [Ingress, Egress]}"

func TestTightest(t *testing.T) {
	webAndDB := pod("shop/web", "app: web") + pod("shop/db", "app: db") + pod("shop/job", "app: job")
	for _, tt := range []struct {
		reason  string
		cluster string
		needs   []generate.Need
		close   []string
		want    []string // policies
		extra   []string
	}{{
		"both ends of a flow in a closed namespace get a policy, and what is in no need gets none",
		webAndDB,
		[]generate.Need{{From: "shop/web", To: "shop/db", Ports: "5432"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			"shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			denyShop,
		},
		nil,
	}, {
		"without a namespace to close nothing is isolated, so nothing needs to be allowed",
		webAndDB,
		[]generate.Need{{From: "shop/web", To: "shop/db", Ports: "5432"}},
		nil, nil, nil,
	}, {
		"a pod elsewhere gets a policy if it is isolated, and none if that would isolate it",
		pod("shop/web", "app: web") + pod("data/db", "app: db") + pod("data/cache", "app: cache") +
			np("data/db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}"),
		[]generate.Need{{From: "shop/web", To: "data/db", Ports: "5432"}, {From: "shop/web", To: "data/cache", Ports: "6379"}},
		[]string{"shop"},
		[]string{
			"data/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			`shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [
				{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}, podSelector: {matchLabels: {app: cache}}}], ports: [{protocol: TCP, port: 6379}]},
				{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}, podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 5432}]}]}`,
			denyShop,
		},
		nil,
	}, {
		"a need that is allowed already gets no policies, nor does a namespace that is closed already",
		webAndDB + np("shop/closed: {podSelector: {}, policyTypes: [Ingress, Egress]}",
			"shop/web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{}]}",
			"shop/db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{ports: [{port: 5432}]}]}"),
		[]generate.Need{{From: "shop/web", To: "shop/db", Ports: "5432"}},
		[]string{"shop"}, nil, nil,
	}, {
		"a namespace that is closed in one direction is closed in the other",
		webAndDB + np("shop/closed: {podSelector: {}, policyTypes: [Ingress]}"),
		nil,
		[]string{"shop"},
		[]string{"shop/default-deny-egress: {podSelector: {}, policyTypes: [Egress]}"},
		nil,
	}, {
		"a name that is taken gets a number",
		webAndDB + np("shop/allow-db: {podSelector: {matchLabels: {app: none}}}", "shop/default-deny: {podSelector: {matchLabels: {app: none}}}"),
		[]generate.Need{{From: "203.0.113.0/24", To: "shop/db", Ports: "5432"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db-2: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{protocol: TCP, port: 5432}]}]}",
			"shop/default-deny-2: {podSelector: {}, policyTypes: [Ingress, Egress]}",
		},
		nil,
	}, {
		"pods with equal labels get the same, which is told: what the other pod may do as well",
		pod("shop/web-1", "app: web") + pod("shop/web-2", "app: web") + pod("shop/db", "app: db"),
		[]generate.Need{{From: "shop/web-1", To: "shop/db", Ports: "5432"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			"shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			denyShop,
		},
		[]string{"shop/web-2 -> shop/db 5432/TCP"},
	}, {
		"the pods of a namespace are selected as a whole, and the one that they do not share is a difference of none",
		webAndDB,
		[]generate.Need{{From: "pods in shop", To: "shop/db", Ports: "all"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}",
			"shop/allow-pods: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}",
			denyShop,
		},
		nil,
	}, {
		"all pods are those of all namespaces; the others are not isolated and get no policy",
		webAndDB + pod("data/x", "app: x"),
		[]generate.Need{{From: "pods", To: "shop/db", Ports: "5432, 53/UDP"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {}}], ports: [{protocol: TCP, port: 5432}, {protocol: UDP, port: 53}]}]}",
			"shop/allow-pods: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 5432}, {protocol: UDP, port: 53}]}]}",
			denyShop,
		},
		nil,
	}, {
		"pods of several namespaces with the same labels are one peer, ranges have an endPort, and a whole protocol no port",
		pod("a/web", "app: web") + pod("b/web", "app: web") + pod("shop/db", "app: db"),
		[]generate.Need{{From: "a/web", To: "shop/db", Ports: "8000-8010, UDP"}, {From: "b/web", To: "shop/db", Ports: "UDP, 8000-8010"}},
		[]string{"shop"},
		[]string{
			`shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [
				{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [a, b]}]}, podSelector: {matchLabels: {app: web}}}],
				ports: [{protocol: TCP, port: 8000, endPort: 8010}, {protocol: UDP}]}]}`,
			denyShop,
		},
		nil,
	}, {
		"a block with exceptions, and what it says of a pod whose address it holds is as it was asked for",
		pod("shop/web", "app: web", "spec: {containers: [{name: c, image: i}]}", "status: {podIP: 10.0.0.1}") +
			pod("shop/db", "app: db", "spec: {containers: [{name: c, image: i}]}", "status: {podIP: 10.0.0.2}"),
		[]generate.Need{{From: "shop/web", To: "10.0.0.0/8 except 10.1.0.0/16 and 10.3.0.0/16, fd00::/8", Ports: "443"}},
		[]string{"shop"},
		[]string{
			`shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [
				{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.3.0.0/16]}}, {ipBlock: {cidr: "fd00::/8"}}], ports: [{protocol: TCP, port: 443}]}]}`,
			denyShop,
		},
		nil,
	}, {
		"an address of a pod means the pod, and that of nothing in the cluster a block of one",
		pod("shop/web", "app: web", "spec: {containers: [{name: c, image: i}]}", `status: {podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}`) +
			pod("shop/db", "app: db", "spec: {containers: [{name: c, image: i}]}", "status: {podIP: 10.0.0.2}"),
		[]generate.Need{{From: "10.0.0.1", To: "10.0.0.2", Ports: "5432"}, {From: "2001:db8::9", To: "shop/web", Ports: "443"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			`shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress],
				ingress: [{from: [{ipBlock: {cidr: "2001:db8::9/128"}}], ports: [{protocol: TCP, port: 443}]}],
				egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 5432}]}]}`,
			denyShop,
		},
		nil,
	}, {
		"a port by name stays a name, which means something else on each pod",
		pod("shop/web", "app: web", "spec: {containers: [{name: c, image: i, ports: [{name: metrics, containerPort: 9090}]}]}") +
			pod("shop/db", "app: db", "spec: {containers: [{name: c, image: i, ports: [{name: metrics, containerPort: 9187}]}]}") +
			pod("ops/scraper", "app: scraper"),
		[]generate.Need{{From: "ops/scraper", To: "pods in shop", Ports: "metrics, 8080"}},
		[]string{"shop", "ops"},
		[]string{
			`ops/allow-scraper: {podSelector: {matchLabels: {app: scraper}}, policyTypes: [Egress], egress: [{to: [
				{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}], ports: [{protocol: TCP, port: 8080}, {protocol: TCP, port: metrics}]}]}`,
			"ops/default-deny: {podSelector: {}, policyTypes: [Ingress, Egress]}",
			`shop/allow-pods: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [
				{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}, podSelector: {matchLabels: {app: scraper}}}],
				ports: [{protocol: TCP, port: 8080}, {protocol: TCP, port: metrics}]}]}`,
			denyShop,
		},
		nil,
	}, {
		"a Service is what is behind it: its pods, ready or not, at the port that it stands for",
		webAndDB + pod("shop/db-2", "app: db", "spec: {containers: [{name: c, image: i}]}", `status: {conditions: [{type: Ready, status: "False"}]}`) +
			object("Service", "v1", "shop/db", "spec: {selector: {app: db}, ports: [{name: sql, port: 80, targetPort: 5432}, {name: other, port: 81}]}"),
		[]generate.Need{{From: "shop/web", To: "svc:shop/db", Ports: "sql"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			"shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			denyShop,
		},
		nil,
	}, {
		"a headless Service translates nothing, so that the port is that of its pods",
		webAndDB + object("Service", "v1", "shop/db", "spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80, targetPort: 5432}]}"),
		[]generate.Need{{From: "shop/web", To: "svc:shop/db", Ports: "81"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 81}]}]}",
			"shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 81}]}]}",
			denyShop,
		},
		nil,
	}, {
		"a Service that lists an address outside the cluster is a block",
		webAndDB + object("Service", "v1", "shop/ext", "spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}") +
			object("Endpoints", "v1", "shop/ext", "subsets: [{addresses: [{ip: 203.0.113.9}], ports: [{port: 8443}]}]"),
		[]generate.Need{{From: "shop/web", To: "svc:shop/ext", Ports: "80"}},
		[]string{"shop"},
		[]string{
			"shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.9/32}}], ports: [{protocol: TCP, port: 8443}]}]}",
			denyShop,
		},
		nil,
	}, {
		"a node is its addresses, which the pods on its network have, too",
		webAndDB + object("Node", "v1", "/n1", "status: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: ExternalIP, address: 198.51.100.1}]}") +
			pod("ops/agent", "app: agent", "spec: {nodeName: n1, hostNetwork: true, containers: [{name: c, image: i}]}"),
		[]generate.Need{{From: "shop/web", To: "node:n1", Ports: "6443"}},
		[]string{"shop"},
		[]string{
			`shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [
				{ipBlock: {cidr: 192.168.0.1/32}}, {ipBlock: {cidr: 198.51.100.1/32}}], ports: [{protocol: TCP, port: 6443}]}]}`,
			denyShop,
		},
		[]string{"shop/web -> ops/agent 6443/TCP"},
	}, {
		"a block may hold one of the addresses of a node only, which then counts as asked for",
		webAndDB + object("Node", "v1", "/n1", "status: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: ExternalIP, address: 198.51.100.1}]}"),
		[]generate.Need{{From: "192.168.0.0/24", To: "shop/web", Ports: "80"}},
		[]string{"shop"},
		[]string{
			"shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 192.168.0.0/24}}], ports: [{protocol: TCP, port: 80}]}]}",
			denyShop,
		},
		nil,
	}, {
		"all nodes; the one that a pod runs on reaches it anyway",
		pod("shop/web", "app: web", "spec: {nodeName: n1, containers: [{name: c, image: i}]}") +
			object("Node", "v1", "/n1", "status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}") +
			object("Node", "v1", "/n2", "status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}"),
		[]generate.Need{{From: "nodes", To: "shop/web", Ports: "80"}},
		[]string{"shop"},
		[]string{
			`shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [
				{ipBlock: {cidr: 192.168.0.1/32}}, {ipBlock: {cidr: 192.168.0.2/32}}], ports: [{protocol: TCP, port: 80}]}]}`,
			denyShop,
		},
		nil,
	}, {
		"a Service that lists the address of a pod means the pod",
		pod("shop/web", "app: web") + pod("shop/db", "app: db", "spec: {containers: [{name: c, image: i}]}", "status: {podIP: 10.0.0.2}") +
			object("Service", "v1", "shop/db", "spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}") +
			object("Endpoints", "v1", "shop/db", "subsets: [{addresses: [{ip: 10.0.0.2}], ports: [{name: sql, port: 5432}]}]"),
		[]generate.Need{{From: "shop/web", To: "svc:shop/db", Ports: "sql, 80"}},
		[]string{"shop"},
		[]string{
			"shop/allow-db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 80}, {protocol: TCP, port: 5432}]}]}",
			"shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 80}, {protocol: TCP, port: 5432}]}]}",
			denyShop,
		},
		nil,
	}} {
		t.Run(tt.reason, func(t *testing.T) {
			g := compile(t, reach.Profile{}, parse(t, tt.cluster), "")
			r, err := generate.Tightest(g, tt.needs, tt.close...)
			require.NoError(t, err)
			assertPolicies(t, np(tt.want...), r)
			assert.Equal(t, tt.extra, lines(r.Extra))
			assert.Empty(t, r.Missing)
			assert.Empty(t, r.Warnings)
		})
	}
}

// A pod of a StatefulSet can be told from the others by a label that its controller
// makes, and the Result says where that is needed.
func TestWarnings(t *testing.T) {
	g := compile(t, reach.Profile{}, parse(t,
		pod("shop/db-0", "app: db, statefulset.kubernetes.io/pod-name: db-0")+
			pod("shop/db-1", "app: db, statefulset.kubernetes.io/pod-name: db-1")+pod("shop/web", "app: web")), "")
	r, err := generate.Tightest(g, []generate.Need{{From: "shop/web", To: "shop/db-0", Ports: "5432"}}, "shop")
	require.NoError(t, err)
	assertPolicies(t, np(
		"shop/allow-db-0: {podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: db-0}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 5432}]}]}",
		"shop/allow-web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: db-0}}}], ports: [{protocol: TCP, port: 5432}]}]}",
		denyShop), r)
	assert.True(t, r.IsExact())
	var places []string
	for _, w := range r.Warnings {
		assert.Equal(t, "generated-label", w.Code)
		places = append(places, w.Place.String())
	}
	assert.Equal(t, []string{"NetworkPolicy shop/allow-db-0: spec.podSelector", "NetworkPolicy shop/allow-web: spec.egress[0].to[0].podSelector"}, places)
}

func TestTightestErrors(t *testing.T) {
	g := compile(t, reach.Profile{}, parse(t, pod("shop/web", "app: web", "spec: {containers: [{name: c, image: i}]}", "status: {podIP: 10.0.0.1}")+
		pod("shop/db", "app: db", "spec: {containers: [{name: c, image: i, ports: [{name: sql, containerPort: 5432}]}]}", `status: {podIP: "fd00::1"}`)+
		pod("shop/old", "app: old", "spec: {containers: [{name: c, image: i}]}", "status: {phase: Succeeded}")+
		object("Deployment", "apps/v1", "shop/web", "spec: {selector: {matchLabels: {app: x}}, template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: i}]}}}")+
		object("Service", "v1", "shop/db", "spec: {selector: {app: db}, ports: [{name: sql, port: 80, targetPort: 5432}]}")+
		object("Service", "v1", "shop/none", "spec: {selector: {app: none}, ports: [{port: 80}]}")+
		object("Service", "v1", "shop/alias", "spec: {type: ExternalName, externalName: db.example.com}")+
		pod("ops/agent", "app: agent", "spec: {nodeName: n1, hostNetwork: true, containers: [{name: c, image: i}]}")), "")
	for _, tt := range []struct {
		reason string
		need   generate.Need
		want   string
	}{
		{"a pod that is not there", generate.Need{From: "shop/wbe", To: "shop/db", Ports: "80"}, "did you mean"},
		{"a pod and a workload of one name", generate.Need{From: "shop/web", To: "shop/db", Ports: "80"}, "a Deployment and a Pod"},
		{"a pod that has left the network", generate.Need{From: "shop/old", To: "shop/db", Ports: "80"}, "no pods that are running"},
		{"a kind that is none", generate.Need{From: "x:shop/web", To: "shop/db", Ports: "80"}, "deploy"},
		{"no namespace in the name", generate.Need{From: "web", To: "shop/db", Ports: "80"}, "neither namespace/name nor an address"},
		{"a Service as a client", generate.Need{From: "svc:shop/db", To: "shop/db", Ports: "80"}, "from: "},
		{"a namespace that is not there", generate.Need{From: "pods in shpo", To: "shop/db", Ports: "80"}, `no namespace "shpo"`},
		{"labels that no pod has", generate.Need{From: "pods app=none in shop", To: "shop/db", Ports: "80"}, "no such pods"},
		{"a selector that is none", generate.Need{From: "pods app==,", To: "shop/db", Ports: "80"}, "no label selector"},
		{"an operator that policies lack", generate.Need{From: "pods a>1", To: "shop/db", Ports: "80"}, "no operator"},
		{"a node of which nothing is known", generate.Need{From: "node:*", To: "shop/db", Ports: "80"}, "no node of the cluster"},
		{"a node that is not there", generate.Need{From: "node:n2", To: "shop/db", Ports: "80"}, "no node n2"},
		{"a block that is none", generate.Need{From: "10.0.0.0/33", To: "shop/db", Ports: "80"}, "10.0.0.0/33"},
		{"an exception that is none of the block", generate.Need{From: "10.0.0.0/8 except 11.0.0.0/16", To: "shop/db", Ports: "80"}, "11.0.0.0/16"},
		{"a block of nothing", generate.Need{From: "10.0.0.0/8 except 10.0.0.0/9 and 10.128.0.0/9", To: "shop/db", Ports: "80"}, "holds no address"},
		{"no ports", generate.Need{From: "pod:shop/web", To: "shop/db"}, "no ports"},
		{"no ports, in words", generate.Need{From: "pod:shop/web", To: "shop/db", Ports: "none"}, "no ports"},
		{"a number that is no port", generate.Need{From: "pod:shop/web", To: "shop/db", Ports: "80, 99999"}, "99999"},
		{"a name that the pod does not declare", generate.Need{From: "pod:shop/web", To: "shop/db", Ports: "http"}, "sql"},
		{"a name of a port outside", generate.Need{From: "pod:shop/web", To: "203.0.113.0/24", Ports: "http"}, "only pods give names"},
		{"ICMP, which no policy allows alone", generate.Need{From: "pod:shop/web", To: "shop/db", Ports: "80, other protocols"}, `write "all"`},
		{"ends of two families", generate.Need{From: "pod:shop/web", To: "shop/db", Ports: "80"}, "no address family in common"},
		{"a node of which no address is known", generate.Need{From: "pod:shop/web", To: "node:n1", Ports: "80"}, "no policy can allow this"},
		{"a pod on the network of that node", generate.Need{From: "pod:shop/web", To: "ops/agent", Ports: "80"}, "no policy can allow this"},
		{"a Service that is not there", generate.Need{From: "pod:shop/web", To: "svc:shop/bd", Ports: "80"}, "did you mean svc:shop/db"},
		{"a port that the Service does not list", generate.Need{From: "pod:shop/web", To: "svc:shop/db", Ports: "5432"}, "no port 5432/TCP"},
		{"a port name that it does not list", generate.Need{From: "pod:shop/web", To: "svc:shop/db", Ports: "http"}, "no port http"},
		{"a Service of nothing", generate.Need{From: "pod:shop/web", To: "svc:shop/none", Ports: "80"}, "nothing is behind"},
		{"a Service that is a name", generate.Need{From: "pod:shop/web", To: "svc:shop/alias", Ports: "80"}, "db.example.com"},
		{"a client outside of a Service", generate.Need{From: "203.0.113.0/24", To: "svc:shop/db", Ports: "80"}, "name the pods behind it"},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			r, err := generate.Tightest(g, []generate.Need{tt.need}, "shop")
			assert.ErrorContains(t, err, tt.want)
			assert.ErrorContains(t, err, tt.need.String())
			assert.Nil(t, r)
		})
	}
	_, err := generate.Tightest(g, []generate.Need{{From: "a/b", To: "c/d", Ports: "80"}, {From: "e/f", To: "g/h", Ports: "80"}}, "nowhere")
	assert.ErrorContains(t, err, "nowhere")
	assert.ErrorContains(t, err, "a/b")
	assert.ErrorContains(t, err, "e/f")
}

func TestDefaultDeny(t *testing.T) {
	dns := pod("kube-system/dns", "k8s-app: kube-dns") +
		object("Service", "v1", "kube-system/kube-dns", "spec: {selector: {k8s-app: kube-dns}, ports: [{name: dns, protocol: UDP, port: 53}, {name: dns-tcp, port: 53}]}")
	toDNS := "to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]"
	for _, tt := range []struct {
		reason  string
		cluster string
		close   []string
		want    []string
		err     string
	}{{
		"the pods of the namespace may ask the servers, over both protocols",
		dns + pod("shop/web", "app: web"),
		[]string{"shop", "shop"},
		[]string{
			"shop/allow-dns: {podSelector: {}, policyTypes: [Egress], egress: [{" + toDNS + ", ports: [{protocol: TCP, port: 53}, {protocol: UDP, port: 53}]}]}",
			denyShop,
		},
		"",
	}, {
		"so may those that come to a namespace without pods",
		dns + object("Namespace", "v1", "/shop", ""),
		[]string{"shop"},
		[]string{
			"shop/allow-dns: {podSelector: {}, policyTypes: [Egress], egress: [{" + toDNS + ", ports: [{protocol: TCP, port: 53}, {protocol: UDP, port: 53}]}]}",
			denyShop,
		},
		"",
	}, {
		"policies see the port behind the Service",
		pod("openshift-dns/dns", "dns.operator.openshift.io/daemonset-dns: default",
			"spec: {containers: [{name: dns, image: i, ports: [{name: dns, protocol: UDP, containerPort: 5353}, {name: dns-tcp, containerPort: 5353}]}]}") +
			`---
apiVersion: v1
kind: Service
metadata: {namespace: openshift-dns, name: dns-default, labels: {dns.operator.openshift.io/owning-dns: default}}
spec: {selector: {dns.operator.openshift.io/daemonset-dns: default}, ports: [{name: dns, protocol: UDP, port: 53, targetPort: dns}, {name: dns-tcp, port: 53, targetPort: dns-tcp}]}
` + pod("shop/web", "app: web"),
		[]string{"shop"},
		[]string{
			`shop/allow-dns: {podSelector: {}, policyTypes: [Egress], egress: [{to: [
				{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: openshift-dns}}, podSelector: {matchLabels: {dns.operator.openshift.io/daemonset-dns: default}}}],
				ports: [{protocol: TCP, port: 5353}, {protocol: UDP, port: 5353}]}]}`,
			denyShop,
		},
		"",
	}, {
		"a name where servers differ in the number, and nothing for a protocol that the Service does not have",
		pod("kube-system/dns-1", "k8s-app: kube-dns", "spec: {containers: [{name: c, image: i, ports: [{name: dns, protocol: UDP, containerPort: 53}]}]}") +
			pod("kube-system/dns-2", "k8s-app: kube-dns", "spec: {containers: [{name: c, image: i, ports: [{name: dns, protocol: UDP, containerPort: 5353}]}]}") +
			object("Service", "v1", "kube-system/kube-dns", "spec: {selector: {k8s-app: kube-dns}, ports: [{protocol: UDP, port: 53, targetPort: dns}]}") +
			pod("shop/web", "app: web"),
		[]string{"shop"},
		[]string{
			"shop/allow-dns: {podSelector: {}, policyTypes: [Egress], egress: [{" + toDNS + ", ports: [{protocol: UDP, port: dns}]}]}",
			denyShop,
		},
		"",
	}, {
		"a server in a closed namespace answers everybody",
		dns + pod("kube-system/agent", "app: agent") + pod("shop/web", "app: web"),
		[]string{"kube-system"},
		[]string{
			"kube-system/allow-dns: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{protocol: TCP, port: 53}, {protocol: UDP, port: 53}]}]}",
			"kube-system/default-deny: {podSelector: {}, policyTypes: [Ingress, Egress]}",
			"kube-system/serve-dns: {podSelector: {matchLabels: {k8s-app: kube-dns}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {}}], ports: [{protocol: TCP, port: 53}, {protocol: UDP, port: 53}]}]}",
		},
		"",
	}, {
		"a server that is isolated, in a namespace that stays as it is, lets the pods in",
		dns + np("kube-system/dns: {podSelector: {}, policyTypes: [Ingress]}") + pod("shop/web", "app: web"),
		[]string{"shop"},
		[]string{
			"kube-system/serve-dns: {podSelector: {matchLabels: {k8s-app: kube-dns}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}], ports: [{protocol: TCP, port: 53}, {protocol: UDP, port: 53}]}]}",
			"shop/allow-dns: {podSelector: {}, policyTypes: [Egress], egress: [{" + toDNS + ", ports: [{protocol: TCP, port: 53}, {protocol: UDP, port: 53}]}]}",
			denyShop,
		},
		"",
	}, {
		"what is there already is not made again",
		dns + pod("shop/web", "app: web") + np("shop/deny: {podSelector: {}, policyTypes: [Ingress, Egress]}",
			"shop/dns: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53}, {port: 53, protocol: UDP}]}]}"),
		[]string{"shop"}, nil, "",
	}, {
		"servers without a Service are asked themselves",
		pod("kube-system/dns", "k8s-app: kube-dns") + pod("shop/web", "app: web"),
		[]string{"shop"},
		[]string{
			"shop/allow-dns: {podSelector: {}, policyTypes: [Egress], egress: [{" + toDNS + ", ports: [{protocol: TCP, port: 53}, {protocol: UDP, port: 53}]}]}",
			denyShop,
		},
		"",
	},
		{"a cluster without servers", pod("shop/web", "app: web"), []string{"shop"}, nil, "no DNS Service"},
		{"a Service that does not listen", pod("shop/web", "app: web") + object("Service", "v1", "kube-system/kube-dns", "spec: {selector: {a: b}, ports: [{port: 80}]}"),
			[]string{"shop"}, nil, "no port 53/UDP"},
		{"no namespace", dns, nil, nil, "no namespace to close"},
		{"a namespace that is not there", dns, []string{"shop"}, nil, `no namespace "shop"`},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			r, err := generate.DefaultDeny(compile(t, reach.Profile{}, parse(t, tt.cluster), ""), tt.close...)
			if tt.err != "" {
				assert.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assertPolicies(t, np(tt.want...), r)
			assert.True(t, r.IsExact(), "%v %v", r.Extra, r.Missing)
		})
	}
}

func TestComplement(t *testing.T) {
	const toAll = `{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: "::/0"}}`
	const denyEgress = "shop/default-deny-egress: {podSelector: {}, policyTypes: [Egress]}"
	const outside = "shop/outside-egress: {podSelector: {}, policyTypes: [Egress], egress: [{to: [" + toAll + "]}]}"
	webAndDB := pod("shop/web", "app: web") + pod("shop/db", "app: db") + pod("data/x", "app: x")
	for _, tt := range []struct {
		reason  string
		cluster string
		d       policy.Direction
		want    []string
		missing []string
	}{{
		"an ingress rule is an egress rule of its peers, with their selectors; what is not isolated stays open",
		webAndDB + np("shop/db: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: sql}, {port: 80, endPort: 90}]}]}"),
		policy.Egress,
		[]string{
			denyEgress, outside,
			`shop/pods-egress: {podSelector: {}, policyTypes: [Egress], egress: [{to: [
				{podSelector: {matchLabels: {app: web}}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}]}]}`,
			`shop/web-egress: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}],
				ports: [{protocol: TCP, port: 80, endPort: 90}, {protocol: TCP, port: sql}]}]}`,
		},
		nil,
	}, {
		"the other way round, the pods that egress rules lead to let in whom they come from",
		webAndDB + np("data/x: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]}"),
		policy.Ingress,
		[]string{
			"shop/db-ingress: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}], ports: [{protocol: TCP, port: 5432}]}]}",
			"shop/default-deny-ingress: {podSelector: {}, policyTypes: [Ingress]}",
			"shop/outside-ingress: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [" + toAll + "]}]}",
			"shop/pods-ingress: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}",
		},
		nil,
	}, {
		"without policies all pods stay open to all",
		webAndDB,
		policy.Egress,
		[]string{denyEgress, outside, "shop/pods-egress: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}"},
		nil,
	}, {
		"a rule for everyone is for all pods, and one for all ports for all protocols",
		webAndDB + np("shop/db: {podSelector: {matchLabels: {app: db}}, ingress: [{}]}"),
		policy.Egress,
		[]string{denyEgress, outside, `shop/pods-egress: {podSelector: {}, policyTypes: [Egress], egress: [{to: [
			{podSelector: {matchLabels: {app: db}}}, {podSelector: {matchLabels: {app: web}}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}]}]}`},
		nil,
	}, {
		"pods that are isolated in both directions already get nothing more",
		webAndDB + np("shop/web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}",
			"shop/db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}"),
		policy.Egress,
		[]string{
			`shop/db-egress: {podSelector: {matchLabels: {app: db}}, policyTypes: [Egress], egress: [{to: [
				{podSelector: {matchLabels: {app: db}}}, {podSelector: {matchLabels: {app: web}}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}]}]}`,
			denyEgress,
			"shop/outside-egress: {podSelector: {matchLabels: {app: db}}, policyTypes: [Egress], egress: [{to: [" + toAll + "]}]}",
		},
		nil,
	}, {
		"a rule for a block is one for the pods at its addresses, by their labels",
		pod("shop/web", "app: web", "spec: {containers: [{name: c, image: i}]}", "status: {podIP: 10.0.0.1}") +
			pod("shop/db", "app: db", "spec: {containers: [{name: c, image: i}]}", "status: {podIP: 10.0.1.1}") +
			np("shop/db: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}], ports: [{port: 80}]}]}"),
		policy.Egress,
		[]string{
			denyEgress, outside,
			"shop/pods-egress: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]}",
			"shop/web-egress: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 80}]}]}",
		},
		nil,
	}, {
		"a node of which no address is known is in no block, which is told",
		pod("shop/web", "app: web", "spec: {nodeName: n1, containers: [{name: c, image: i}]}"),
		policy.Egress,
		[]string{denyEgress, outside, "shop/pods-egress: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}"},
		[]string{"shop/web -> node:n1 all, on one node"},
	}} {
		t.Run(tt.reason, func(t *testing.T) {
			r, err := generate.Complement(compile(t, reach.Profile{}, parse(t, tt.cluster), ""), tt.d, "shop")
			require.NoError(t, err)
			assertPolicies(t, np(tt.want...), r)
			assert.Empty(t, r.Extra)
			assert.Equal(t, tt.missing, lines(r.Missing))
		})
	}
	_, err := generate.Complement(compile(t, reach.Profile{}, parse(t, webAndDB), ""), policy.Egress)
	assert.ErrorContains(t, err, "no namespace to close")
	_, err = generate.Complement(compile(t, reach.Profile{}, parse(t, webAndDB), ""), policy.Egress, "none")
	assert.ErrorContains(t, err, `no namespace "none"`)
}

// What is written has the fields in the order of the API and no more, and quotes what
// YAML takes for something else.
func TestYAML(t *testing.T) {
	g := compile(t, reach.Profile{}, parse(t, pod("shop/web", `app: web, "on": "true"`)+pod("shop/db", "app: db")+pod("shop/api", "app: api")), "")
	r, err := generate.Tightest(g, []generate.Need{
		{From: "pods on=true in shop", To: "10.0.0.0/8 except 10.1.0.0/16, ::/0", Ports: "443, 8000-8010, UDP"},
		{From: "pods app in (api, web) in shop", To: "shop/db", Ports: "all"},
	}, "shop")
	require.NoError(t, err)
	assert.Equal(t, `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-api-web
  namespace: shop
spec:
  podSelector:
    matchExpressions:
    - key: app
      operator: In
      values:
      - api
      - web
  policyTypes:
  - Egress
  egress:
  - to:
    - podSelector:
        matchLabels:
          app: db
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-db
  namespace: shop
spec:
  podSelector:
    matchLabels:
      app: db
  policyTypes:
  - Ingress
  ingress:
  - from:
    - podSelector:
        matchExpressions:
        - key: app
          operator: In
          values:
          - api
          - web
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-web
  namespace: shop
spec:
  podSelector:
    matchLabels:
      "on": "true"
  policyTypes:
  - Egress
  egress:
  - to:
    - ipBlock:
        cidr: 10.0.0.0/8
        except:
        - 10.1.0.0/16
    - ipBlock:
        cidr: ::/0
    ports:
    - protocol: TCP
      port: 443
    - protocol: TCP
      port: 8000
      endPort: 8010
    - protocol: UDP
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: default-deny
  namespace: shop
spec:
  podSelector: {}
  policyTypes:
  - Ingress
  - Egress
`, r.YAML())
	assert.Empty(t, new(generate.Result).YAML())
}

// Where a plugin hides clients from the policies of what is behind a Service, what the
// policies allow is not enough.
func TestTightestUnderSNAT(t *testing.T) {
	c := parse(t, pod("shop/web", "app: web", "spec: {nodeName: n1, containers: [{name: c, image: i}]}")+
		pod("shop/db", "app: db", "spec: {nodeName: n2, containers: [{name: c, image: i}]}")+
		object("Node", "v1", "/n1", "status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}")+
		object("Node", "v1", "/n2", "status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}")+
		object("Service", "v1", "shop/db", "spec: {selector: {app: db}, ports: [{port: 5432}]}"))
	needs := []generate.Need{{From: "shop/web", To: "svc:shop/db", Ports: "5432"}}
	_, err := generate.Tightest(compile(t, reach.Profile{ServiceSNAT: reach.SNATAlways}, c, ""), needs, "shop")
	assert.ErrorContains(t, err, "see node:n1 -> shop/db 5432/TCP")

	needs = append(needs, generate.Need{From: "node:n1", To: "shop/db", Ports: "5432"})
	r, err := generate.Tightest(compile(t, reach.Profile{ServiceSNAT: reach.SNATAlways}, c, ""), needs, "shop")
	require.NoError(t, err)
	assert.True(t, r.IsExact())
}

// Whatever is asked for, the answer is a Result or an error.
func FuzzNeed(f *testing.F) {
	c := parse(f, pod("shop/web", "app: web", "spec: {nodeName: n1, containers: [{name: c, image: i, ports: [{name: http, containerPort: 80}]}]}", "status: {podIP: 10.0.0.1}")+
		pod("shop/db", "app: db")+object("Service", "v1", "shop/db", "spec: {selector: {app: db}, ports: [{name: sql, port: 80}]}")+
		object("Service", "v1", "shop/headless", "spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 80}]}"))
	g := compile(f, reach.Profile{}, c, "")
	for _, n := range []generate.Need{
		{From: "shop/web", To: "shop/db", Ports: "80"},
		{From: "pods app in (a, b) in shop", To: "svc:shop/db", Ports: "sql"},
		{From: "10.0.0.0/8 except 10.1.0.0/16 and 10.2.0.0/16, ::/0", To: "deploy:shop/web", Ports: "http/TCP, 53/UDP"},
		{From: "node:n1", To: "svc:shop/headless", Ports: "all"},
		{From: "nodes", To: "10.0.0.1", Ports: "other protocols"},
	} {
		f.Add(n.From, n.To, n.Ports)
	}
	f.Fuzz(func(t *testing.T, from, to, ports string) {
		r, err := generate.Tightest(g, []generate.Need{{From: from, To: to, Ports: ports}}, "shop")
		if err == nil {
			parse(t, r.YAML())
		}
	})
}
