package reachtest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// In house, pods of shop with role=frontend may reach the database, as may those of
// a namespace monitoring that there is not, to scrape it, and a partner. Pods of
// shop reach data only. The database replicates to what calls a port so.
const house = `-- objects.yaml --
{apiVersion: v1, kind: Namespace, metadata: {name: data}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: web}}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: data, labels: {app: db}}
spec:
  containers:
  - {name: db, image: db, ports: [{name: pg, containerPort: 5432}, {name: metrics, containerPort: 9187}]}
status: {podIP: 10.244.0.5}
---
{apiVersion: v1, kind: Pod, metadata: {name: done, namespace: data}, status: {phase: Succeeded}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: data}, spec: {selector: {app: db}, ports: [{port: 5432}]}}
-- policies.yaml --
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: data}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
      podSelector: {matchLabels: {role: frontend}}
    ports: [{port: pg}]
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
    ports: [{port: metrics}]
  - from:
    - ipBlock: {cidr: 203.0.113.0/30}
    ports: [{port: 7000}, {port: 7001}]
  egress:
  - to:
    - podSelector: {matchExpressions: [{key: standby, operator: Exists}]}
    ports: [{port: replication}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}
`

func TestNeverReachesHolds(t *testing.T) {
	c := reachtest.Text(t, house)
	for _, q := range []struct{ from, to, ports, why string }{
		{"any pod role!=frontend", "data/db", "5432", "the label is what lets in"},
		{"any pod in data", "data/db", "5432,9187", "only pods of other namespaces are let in"},
		{"any pod in namespaces kubernetes.io/metadata.name!=shop", "data/db", "pg", "not even a new namespace can be called shop"},
		{"any pod at 10.244.0.0/16", "data/db", "7000,7001", "pods do not get the addresses of the partner"},
		{"any pod in namespaces kubernetes.io/metadata.name=monitoring", "data/db", "pg", "scrapes only"},
		{"any pod in shop", "outside", "all", "a policy selects every pod of shop"},
		{"data/db", "any pod !standby", "all", "the label is what it replicates to"},
		{"data/db", "any pod in shop", "all", "standbys are in its own namespace"},
		{"data/db", "any pod standby", "53/UDP!", "a name alone is one of TCP"},
		{"data/db", "any pod", "ICMP", "its rule has a port"},
		{"any pod", "data/db", "ICMP, 5433", "every rule has ports, and ICMP is never declared"},
	} {
		assert.True(t, c.NeverReaches(t, q.from, q.to, q.ports), q.why)
	}
}

func TestNeverReachesFails(t *testing.T) {
	for _, test := range []struct {
		why, from, to, ports, want string
		profile                    reach.Profile
	}{
		{
			why:  "only shop is let in, and its policy lets pods go to data",
			from: "any pod", to: "data/db", ports: "5432",
			want: `any pod should never reach data/db on 5432, but a new pod could:
shop/new, a pod with labels [role=frontend] at 10.244.0.0
shop/new -> data/db 5432/TCP: allowed
  egress of shop/new: passes
    isolated by shop/closed
    allowed by shop/closed egress[0] (policies.yaml:30), to[0]
  ingress of data/db: passes
    isolated by data/db
    allowed by data/db ingress[0] (policies.yaml:8), from[0], ports[0]
`,
		},
		{
			why:  "a namespace monitoring, which there is not, gets in whoever makes it",
			from: "any pod role!=frontend", to: "data/db", ports: "metrics",
			want: `any pod role!=frontend should never reach data/db on metrics, but a new pod could:
monitoring/new, a pod with no labels in a new namespace with labels [kubernetes.io/metadata.name=monitoring] at 10.244.0.0
monitoring/new -> data/db 9187/TCP: allowed
  egress of monitoring/new: passes, no policy isolates it
  ingress of data/db: passes
    isolated by data/db
    allowed by data/db ingress[1] (policies.yaml:12), from[0], ports[0]
`,
		},
		{
			why: "an address of the partner gets in, unless the policy of the namespace keeps it: data has none that selects " +
				"all, shop lets pods go to data, and a new namespace has none",
			from: "any pod app!=db,role!=frontend", to: "data/db", ports: "7000-7002",
			want: `any pod app!=db,role!=frontend should never reach data/db on 7000-7002, but a new pod could:
data/new, a pod with no labels at 203.0.113.0, which is in 203.0.113.0/30
data/new -> data/db 7000/TCP: allowed
  egress of data/new: passes, no policy isolates it
  ingress of data/db: passes
    isolated by data/db
    allowed by data/db ingress[2] (policies.yaml:15), from[0], ports[0]
  note: plugins differ here; the answer could be another with IPBlockSkipsPods
so on 7000-7001/TCP
shop/new, a pod with no labels at 203.0.113.0, which is in 203.0.113.0/30
shop/new -> data/db 7000/TCP: allowed
  egress of shop/new: passes
    isolated by shop/closed
    allowed by shop/closed egress[0] (policies.yaml:30), to[0]
  ingress of data/db: passes
    isolated by data/db
    allowed by data/db ingress[2] (policies.yaml:15), from[0], ports[0]
  note: plugins differ here; the answer could be another with IPBlockSkipsPods
so on 7000-7001/TCP
new/new, a pod with no labels in a new namespace with labels [kubernetes.io/metadata.name=new] at 203.0.113.0, which is in 203.0.113.0/30
new/new -> data/db 7000/TCP: allowed
  egress of new/new: passes, no policy isolates it
  ingress of data/db: passes
    isolated by data/db
    allowed by data/db ingress[2] (policies.yaml:15), from[0], ports[0]
  note: plugins differ here; the answer could be another with IPBlockSkipsPods
so on 7000-7001/TCP
`,
		},
		{
			why:  "a pod may call any port so, and app=db would isolate it",
			from: "data/db", to: "any pod", ports: "22!",
			want: `data/db should never reach any pod on 22!, but a new pod could:
data/new, a pod with labels [standby=other] at 10.244.0.0, that calls 22/TCP replication
data/db -> data/new 22/TCP: allowed
  egress of data/db: passes
    isolated by data/db
    allowed by data/db egress[0] (policies.yaml:19), to[0], ports[0]
  ingress of data/new: passes, no policy isolates it
`,
		},
		{
			why:     "where policies are not enforced, no label is needed",
			profile: reach.Profile{NotEnforced: true},
			from:    "any pod in shop", to: "data/db", ports: "5432",
			want: `any pod in shop should never reach data/db on 5432, but a new pod could:
shop/new, a pod with no labels at 10.244.0.0
shop/new -> data/db 5432/TCP: allowed
  no plugin enforces network policies
`,
		},
	} {
		r := run(func(t reachtest.TB) {
			c := reachtest.Text(t, house).Under(t, test.profile)
			assert.False(t, c.NeverReaches(t, test.from, test.to, test.ports))
		})
		assert.Equal(t, test.want, r.log, test.why)
	}
}

func TestNeverReachesRefuses(t *testing.T) {
	for _, q := range []struct{ from, to, ports, want string }{
		{"any pod a,!a", "data/db", "5432", `"any pod a,!a": no labels can satisfy this selector`},
		{"any pod a>1", "data/db", "5432", `"a>1" is no label selector: policies know no operator "gt"`},
		{"any pod in shpo", "data/db", "5432", `there is no namespace "shpo"`},
		{"any pod in namespaces !kubernetes.io/metadata.name", "data/db", "5432", "the cluster has no such namespace, and a new one cannot be such either"},
		{"any pod in namespaces kubernetes.io/metadata.name=No_Name", "data/db", "5432", "a new one cannot be such either"},
		{"any pod in namespaces kubernetes.io/metadata.name=shop,team!=web", "data/db", "5432", "a new one cannot be such either"},
		{"any pod at fd00::/8", "data/db", "5432", `"any pod at fd00::/8" has no address from which or at which there could be a connection with "data/db"`},
		{"any pod at 10.244.0.5", "data/db", "5432", "has no address from which"},
		{"any pod at home", "data/db", "5432", "home"},
		{"any pod", "data/db", "5433", "nothing declares the port 5433"},
		{"data/db", "any pod", "5433", "nothing declares the port 5433"},
		{"data/db", "any pod", "pg", "which names a pod declares that does not exist is not known"},
		{"any pod", "data/db", "postgres", `postgres`},
		{"any pod", "data/db", "none!", "no port is asked about"},
		{"any pod", "any pod", "5432", "one of the ends must be endpoints that exist"},
		{"shop/web", "data/db", "5432", "to ask of endpoints that exist, use DoesNotReach"},
		{"any pod", "svc:data/db", "5432", "name the pods behind it"},
		{"any pod", "data/done", "5432", "data/done has terminated"},
		{"any pod", "data/bd", "5432", "did you mean data/db?"},
		{"any podling", "data/db", "5432", `neither "any podling" nor "data/db" is any pod`},
	} {
		r := run(func(t reachtest.TB) {
			assert.False(t, reachtest.Text(t, house).NeverReaches(t, q.from, q.to, q.ports, "for %s", "a reason"))
		})
		assert.Contains(t, r.log, q.want)
		assert.Contains(t, r.log, "for a reason\n")
		assert.NotContains(t, r.log, "but a new pod could", "a mistake is not an answer")
	}
}

// Pods of a workload that are reached alike now need not be so for ever.
func TestNeverReachesOfPodsOfWorkload(t *testing.T) {
	c := reachtest.Text(t, `
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web, ports: [{containerPort: 80}]}]}}}}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web-1, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: a, controller: true}]}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-1-a, namespace: shop, labels: {app: web}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: b, controller: true}]}, spec: {containers: [{name: web, image: web}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-1-b, namespace: shop, labels: {app: web, canary: "yes"}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: b, controller: true}]}, spec: {containers: [{name: web, image: web}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: shop}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: canary, namespace: shop}
spec:
  podSelector: {matchLabels: {canary: "yes"}}
  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}}]}]
`)
	for _, set := range []string{"shop/web", "deploy:shop/web", "replica:shop/web", "pods app=web", "pods and shop/web", "shop/web-1-b"} {
		assert.True(t, c.DoesNotReach(t, "everything", set, "80"), "there is no namespace lab yet")
		r := run(func(t reachtest.TB) { c.NeverReaches(t, "any pod", set, "80") })
		assert.Contains(t, r.log, "lab/new -> shop/web-1-b 80/TCP: allowed", set)
	}
	assert.True(t, c.NeverReaches(t, "any pod", "shop/web-1-a", "80"))
}

// A name may stand for several ports of a pod that exists.
func TestNeverReachesOfPortsOfOneName(t *testing.T) {
	c := reachtest.Text(t, `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers:
  - {name: a, image: a, ports: [{name: http, containerPort: 80}]}
  - {name: b, image: b, ports: [{name: http, containerPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec: {ingress: [{ports: [{port: http}]}]}
`)
	assert.Contains(t, run(func(t reachtest.TB) { c.NeverReaches(t, "any pod", "shop/web", "80") }).log, "80/TCP: allowed")
	assert.Contains(t, run(func(t reachtest.TB) { c.NeverReaches(t, "any pod", "shop/web", "8080") }).log, "8080/TCP: allowed")
	assert.True(t, c.Under(t, reach.Profile{NamedPortFirst: true}).NeverReaches(t, "any pod", "shop/web", "8080"), "only the first counts")
}

// A pod whose address is not known may have one of any family, unlike another that
// only its address tells apart.
func TestNeverReachesOfUnknownAddress(t *testing.T) {
	c := reachtest.Text(t, `
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, status: {podIP: 10.244.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: shop}}
`)
	r := run(func(t reachtest.TB) { c.NeverReaches(t, "any pod in shop at fd00::/64", "pods in shop", "80!") })
	assert.Contains(t, r.log, "shop/new, a pod with no labels at fd00::\nshop/new -> shop/b 80/TCP: allowed")
}

// TestNeverReachesIsBounded asks whether a pod can escape all policies, each of which
// selects the pods whose labels say that two pigeons sit in one hole. With fewer
// holes than pigeons none can, but to find that out takes very long.
func TestNeverReachesIsBounded(t *testing.T) {
	pigeons := func(n int) *policy.Cluster {
		c := &policy.Cluster{Pods: []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}}}
		name := func(i int) string { return fmt.Sprintf("pigeon%d", i) }
		for i := range n {
			for j := range i {
				for hole := range n - 1 {
					at := fmt.Sprintf("hole%d", hole)
					c.Policies = append(c.Policies, &networkingv1.NetworkPolicy{
						ObjectMeta: metav1.ObjectMeta{Namespace: "loft", Name: fmt.Sprintf("p-%d-%d-%d", i, j, hole)},
						Spec: networkingv1.NetworkPolicySpec{
							PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{name(i): at, name(j): at}},
							PolicyTypes: []networkingv1.PolicyType{"Egress"},
						},
					})
				}
			}
		}
		return c
	}
	ask := func(t reachtest.TB, n int) bool {
		var holes, pigeonsIn []string
		for i := range n - 1 {
			holes = append(holes, fmt.Sprintf("hole%d", i))
		}
		for i := range n {
			pigeonsIn = append(pigeonsIn, fmt.Sprintf("pigeon%d in (%s)", i, strings.Join(holes, ",")))
		}
		return reachtest.Objects(t, pigeons(n)).NeverReaches(t, "any pod "+strings.Join(pigeonsIn, ",")+" in loft", "a/b", "80!")
	}
	assert.True(t, ask(t, 5), "four holes for five pigeons")

	begin := time.Now()
	r := run(func(t reachtest.TB) { assert.False(t, ask(t, 12)) })
	assert.Contains(t, r.log, "but this cannot be said: the search for labels that no policy selects was given up")
	t.Log("given up after ", time.Since(begin))
}

// What a Cluster has learned from edits counts.
func TestNeverReachesAfterEdits(t *testing.T) {
	c := reachtest.Text(t, house)
	monitoring := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}}
	deny := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "deny"},
		Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Egress"}},
	}
	assert.True(t, c.With(t, policy.Put(monitoring), policy.Put(deny)).NeverReaches(t, "any pod", "data/db", "metrics"))
	assert.False(t, run(func(t reachtest.TB) { c.Require().NeverReaches(t, "any pod role!=frontend", "data/db", "5432") }).ended)
	assert.True(t, run(func(t reachtest.TB) { c.Require().NeverReaches(t, "any pod", "data/db", "5432") }).ended)
}

func ExampleCluster_NeverReaches() {
	var t printer // in a test, the *testing.T
	c := reachtest.Text(t, `
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: data, labels: {app: db}}
spec:
  containers:
  - {name: db, image: db, ports: [{containerPort: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: data}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {team: web}}
    ports: [{port: 5432}]
`)
	c.NeverReaches(t, "any pod in data", "data/db", "5432", "its neighbors have no business with it")
	c.NeverReaches(t, "any pod role!=frontend", "data/db", "5432", "only frontends use the database")
	// Output:
	// only frontends use the database
	// any pod role!=frontend should never reach data/db on 5432, but a new pod could:
	// new/new, a pod with no labels in a new namespace with labels [kubernetes.io/metadata.name=new,team=web] at 10.244.0.0
	// new/new -> data/db 5432/TCP: allowed
	//   egress of new/new: passes, no policy isolates it
	//   ingress of data/db: passes
	//     isolated by data/db
	//     allowed by data/db ingress[0] (manifests:15), from[0], ports[0]
}
