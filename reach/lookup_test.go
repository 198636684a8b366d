package reach_test

import (
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A rollout: the Deployment web has a pod on each of two nodes and one that is
// still starting. Policies deny everything in x.
const rollout = `
apiVersion: v1
kind: Namespace
metadata: {name: x}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec: {template: {metadata: {labels: {app: web}}}}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-5f-a
  namespace: x
  labels: {app: web, pod-template-hash: 5f}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5f, uid: u, controller: true}]
spec: {nodeName: n1}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-5f-b
  namespace: x
  labels: {app: web, pod-template-hash: 5f}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5f, uid: u, controller: true}]
spec: {nodeName: n2}
status: {podIP: 10.0.0.2}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-5f-c
  namespace: x
  labels: {app: web, pod-template-hash: 5f}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5f, uid: u, controller: true}]
status: {phase: Pending}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: x}
spec: {policyTypes: [Ingress, Egress]}
`

func compileText(t *testing.T, text string) *reach.Graph {
	t.Helper()
	c, err := policy.Parse("cluster.yaml", strings.NewReader(text))
	require.NoError(t, err)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	return g
}

// ask checks question lines, which give their reasons.
func ask(t *testing.T, g *reach.Graph, lines []string) {
	t.Helper()
	for _, line := range lines {
		q, err := parseQuestion(line)
		require.NoError(t, err)
		require.NotEmpty(t, q.Why, line)
		q.check(t, g)
	}
}

func TestWorkloadWithPods(t *testing.T) {
	g := compileText(t, rollout)
	ask(t, g, []string{
		"node:n1 -> x/web-5f-a 80/TCP allow (own-node)     # it runs there",
		"node:n2 -> x/web-5f-a 80/TCP deny                 # it does not run there",
		"node:n1 -> x/web 80/TCP deny (unknown-node)       # the workload is on no node in particular",
		"node-of:x/web -> x/web 80/TCP allow (own-node)    # whichever its node is",
		"node-of:x/web -> x/web-5f-a 80/TCP deny           # which need not be that of one of its pods",
		"x/web -> replica:x/web 80/TCP deny (policies)     # one pod to another is an ordinary flow",
		"x/web -> x/web 80/TCP allow (self)                # a pod to itself is not",
		"203.0.113.9 -> deploy:x/web 80/TCP deny           # isolated as its pods are",
	})
	for _, text := range []string{"x/web", "replica:x/web", "node-of:x/web", "node-of:replica:x/web", "x/web-5f-a"} {
		e := g.MustLookup(text)
		assert.Equal(t, text, e.String())
		assert.Equal(t, e, g.MustLookup(e.String()))
	}
	assert.Equal(t, "10.0.0.1/32, 10.0.0.2/32", g.MustLookup("x/web").Addrs().String())
	assert.Equal(t, "x/web", g.MustLookup("x/web").Name().String())
	assert.Len(t, g.Pods(), 3, "the workload is not a fourth pod")
}

// A namespace may be called nearly like a prefix.
func TestNamespaceCalledNode(t *testing.T) {
	g := compileText(t, strings.ReplaceAll(rollout, "namespace: x", "namespace: node-x"))
	for _, text := range []string{"node-x/web", "replica:node-x/web", "node-of:node-x/web", "node-of:replica:node-x/web"} {
		assert.Equal(t, text, g.MustLookup(text).String())
	}
}

func TestWorkloadOnOneNode(t *testing.T) {
	g := compileText(t, strings.ReplaceAll(rollout, "nodeName: n2", "nodeName: n1"))
	ask(t, g, []string{
		"node:n1 -> x/web 80/TCP allow (own-node)             # all of its pods run there",
		"node:n1 -> replica:x/web 80/TCP deny (unknown-node)  # another one may run elsewhere",
	})
	assert.Equal(t, "node:n1", g.MustLookup("node-of:x/web").String())
}

func TestLookupRefuses(t *testing.T) {
	labeled := strings.Replace(rollout, "labels: {app: web, pod-template-hash: 5f}", "labels: {app: web, pod-template-hash: 5f, canary: yes-it-is}", 1)
	apart := labeled + `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: canary, namespace: x}
spec: {podSelector: {matchLabels: {canary: yes-it-is}}, ingress: [{}]}
`
	for _, tt := range []struct{ text, cluster, says, why string }{
		{"x/web", apart, "not reached alike; name one: pod:x/web-5f-a, pod:x/web-5f-b", "a policy selects one of the two"},
		{"x/web", rollout + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: x}\n", "ambiguous: pod:x/web, deploy:x/web", "a pod and a Deployment have the name"},
		{"x/wed", rollout, "did you mean x/web?", "a slip of the finger"},
		{"deploy:x/webb", rollout, "did you mean deploy:x/web?", "the kind stays"},
		{"node:n3", rollout, "did you mean node:n1 or node:n2?", "nodes have names too"},
		{"x/entirely-different", rollout, "no name like it", "nothing is near"},
		{"web", rollout, "neither namespace/name nor an address; did you mean x/web?", "a name needs its namespace"},
		{"x/", rollout, "neither namespace/name nor an address", "no name"},
		{"10.0.0.300", rollout, "neither namespace/name nor an address", "no address"},
		{"fe80::1%eth0", rollout, "without zone", "a zone means something on one host only"},
		{"svc:x/web", rollout, "svc:x/web is a Service, which is no end of a flow", "Services are not endpoints"},
		{"replica:x/web-5f-a", rollout, "is not a workload", "a pod has no replica"},
		{"replica:replica:x/web", rollout, "is not a workload", "there is one other, not a third"},
		{"node-of:node:n1", rollout, "is not a pod", "a node runs on no node"},
		{"node-of:203.0.113.9", rollout, "is not a pod", "nor does the outside"},
		{strings.Repeat("node-of:", 1_000_000) + "x/web", rollout, "is not a pod", "in no time"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			e, err := compileText(t, tt.cluster).Lookup(tt.text)
			assert.ErrorContains(t, err, tt.says)
			assert.Equal(t, reach.Endpoint{}, e, "no endpoint comes with an error")
		})
	}
}

// A terminated pod gives way to whatever else has its name, and is found where
// nothing has.
func TestLookupTerminated(t *testing.T) {
	failed := "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: x}\nstatus: {phase: Failed}\n"
	g := compileText(t, rollout+failed)
	assert.Equal(t, g.MustLookup("deploy:x/web"), g.MustLookup("x/web"))
	pod := g.MustLookup("pod:x/web")
	assert.Equal(t, "pod:x/web", pod.String())
	assert.Equal(t, reach.Terminated, g.Explain(reach.Flow{From: pod, To: pod, Port: policy.TCP.Port(80)}).Reason)
}

// A node reaches its pods over every family that they have, but not at an
// address of its own that is of another one.
func TestOwnNodeOverEveryFamily(t *testing.T) {
	g := compileText(t, `
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: ExternalIP, address: 198.51.100.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: six, namespace: x}
spec: {nodeName: n1}
status: {podIP: "fd00::1"}
`)
	ask(t, g, []string{
		"node:n1 -> x/six 80/TCP allow (own-node)                # kubelet probes it, whatever is known of its addresses",
		"node:n1 -> x/six 80/TCP deny over IPv4 (no-common-family) # the pod has no such address",
		"192.168.0.1 -> x/six 80/TCP deny (no-common-family)     # from this address there is no path",
		"x/six -> node:n1 80/TCP deny (no-common-family)         # nor to the node, as far as is known",
	})
}

func TestCompileRefusesUnknownChoices(t *testing.T) {
	for _, p := range []reach.Profile{{SCTP: 9}, {NamedPorts: 9}} {
		_, err := p.Compile(&policy.Cluster{})
		assert.ErrorContains(t, err, "9")
	}
}

// A policy that selects pods by a label that only controllers know is not said
// to select nothing, and a verdict that may hang on it says so.
func TestGeneratedLabel(t *testing.T) {
	g := compileText(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec: {template: {metadata: {labels: {app: web}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: made, namespace: x}
spec:
  podSelector: {matchExpressions: [{key: pod-template-hash, operator: Exists}]}
`)
	var codes []string
	for _, w := range g.Warnings() {
		codes = append(codes, w.Code)
	}
	assert.Contains(t, codes, "generated-label")
	assert.NotContains(t, codes, "selects-nothing")
	ask(t, g, []string{"203.0.113.9 -> x/web 443/TCP allow (generated-label) # its pods will be isolated"})
}

// An endpoint outside matches the blocks that hold some of its addresses, and
// none that only holds addresses of the cluster.
func TestMatchedBlocks(t *testing.T) {
	g := compileText(t, `
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x}
status: {podIP: 10.0.0.1}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: x}
spec:
  ingress:
  - from:
    - ipBlock: {cidr: 10.0.0.1/32}
    - ipBlock: {cidr: 203.0.113.0/24}
    - ipBlock: {cidr: 198.51.100.0/24}
    - ipBlock: {cidr: "2001:db8::/32"}
`)
	to := g.MustLookup("x/a")
	for _, from := range []string{"203.0.113.9", "198.51.100.9"} {
		v := g.Explain(reach.Flow{From: g.MustLookup(from), To: to, Port: policy.TCP.Port(80)})
		require.Len(t, v.Ingress.Allowing, 1)
		assert.Equal(t, []int{1, 2}, v.Ingress.Allowing[0].Peers, "no policy tells the addresses of the two blocks apart")
	}
}
