package reachtest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An assertion is one of those of the kit, bound to its arguments.
type assertion func(c *reachtest.Cluster, t reachtest.TB) bool

func reaches(from, to, ports string, why ...any) assertion {
	return func(c *reachtest.Cluster, t reachtest.TB) bool { return c.Reaches(t, from, to, ports, why...) }
}

func doesNotReach(from, to, ports string, why ...any) assertion {
	return func(c *reachtest.Cluster, t reachtest.TB) bool { return c.DoesNotReach(t, from, to, ports, why...) }
}

func reachesOnlyOn(from, to, ports string, why ...any) assertion {
	return func(c *reachtest.Cluster, t reachtest.TB) bool { return c.ReachesOnlyOn(t, from, to, ports, why...) }
}

func isReachedOnlyBy(to, ports, by string, why ...any) assertion {
	return func(c *reachtest.Cluster, t reachtest.TB) bool { return c.IsReachedOnlyBy(t, to, ports, by, why...) }
}

func reachesOnly(from, to, ports string, why ...any) assertion {
	return func(c *reachtest.Cluster, t reachtest.TB) bool { return c.ReachesOnly(t, from, to, ports, why...) }
}

func isIsolated(pods string, d policy.Direction, why ...any) assertion {
	return func(c *reachtest.Cluster, t reachtest.TB) bool { return c.IsIsolated(t, pods, d, why...) }
}

func resolvesDNS(pods string, why ...any) assertion {
	return func(c *reachtest.Cluster, t reachtest.TB) bool { return c.ResolvesDNS(t, pods, why...) }
}

// office has what the shop has not: pods with addresses on nodes, pods of a
// workload, bare pods, and a Service in front of some.
const office = `
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}
---
# Reached by front on 80 and 443, and by nobody else.
apiVersion: v1
kind: Pod
metadata: {name: back, namespace: x, labels: {app: back}}
spec:
  nodeName: n1
  containers: [{name: c, ports: [{name: web, containerPort: 80}, {name: tls, containerPort: 443}]}]
status: {podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: front, namespace: x, labels: {app: front}}
spec: {nodeName: n2, containers: [{name: c}]}
status: {podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-1, namespace: x, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: "1", controller: true}]}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-1-a
  namespace: x
  labels: {app: web}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: "2", controller: true}]
spec: {nodeName: n1, containers: [{name: c}]}
status: {podIPs: [{ip: 10.0.0.3}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-1-b
  namespace: x
  labels: {app: web}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: "2", controller: true}]
spec: {nodeName: n2, containers: [{name: c}]}
status: {podIPs: [{ip: 10.0.0.4}]}
---
apiVersion: v1
kind: Service
metadata: {name: back, namespace: x}
spec:
  selector: {app: back}
  ports: [{name: web, port: 80}, {name: tls, port: 443}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: back, namespace: x}
spec:
  podSelector: {matchLabels: {app: back}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: front}}}]
    ports: [{port: 80}, {port: 443}]
`

func officeOf(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, office) }

// TestAssertionsHold has what must pass. Each case says why it does.
func TestAssertionsHold(t *testing.T) {
	shop := shop(t)
	for _, tt := range []struct {
		why  string
		does assertion
	}{
		{"all carry the label of clients", reaches("pods shop.example.com/postgres-client=true", "data/postgres", "5432")},
		{"of no namespace but data is more open than the Service says", reaches("shop/api", "svc:data/postgres", "postgres")},
		{"the name is another number at each", reaches("monitoring/prometheus", "pods in shop", "metrics")},
		{"the standby is another pod of the workload", reaches("data/postgres", "data/postgres", "5432")},
		{"an address inside the block of the gateway", reaches("shop/payments", "198.51.100.0/29", "443")},
		{"nothing declares port 1, and the mark says that it is meant", reaches("kube-system/coredns", "outside", "1!")},
		{"no egress policy in kube-system, and ICMP is never declared", reaches("kube-system/coredns", "outside", "ICMP, 443")},
		{"through the api only", doesNotReach("shop/frontend and shop/cart and shop/payments", "data/postgres", "all")},
		{"the exporter has a port of its own", doesNotReach("everything except monitoring/prometheus", "data/postgres", "9187")},
		{"the exception in the block", doesNotReach("shop/payments", "198.51.100.8/29", "all")},
		{"not one of the backends", doesNotReach("shop/cart", "svc:data/postgres", "postgres")},
		{"one rule of each side, on one port", reachesOnlyOn("shop/api", "data/postgres", "5432")},
		{"both rules of DNS", reachesOnlyOn("pods in shop", "kube-system/coredns", "53/UDP, 53/TCP")},
		{"label, backup and standby", isReachedOnlyBy("data/postgres", "5432", "pods shop.example.com/postgres-client=true and data/backup and data/postgres")},
		{"the policy names the half of the block alone", reachesOnly("shop/payments", "198.51.100.0/29", "443")},
		{"a default deny in each", isIsolated("pods in shop and pods in data and pods in monitoring and pods in ingress", policy.Ingress)},
		{"a default deny in each", isIsolated("pods in namespaces team=platform", policy.Egress)},
		{"a rule in each namespace, and none about kube-system", resolvesDNS("pods")},
	} {
		r := run(func(tb reachtest.TB) { assert.True(t, tt.does(shop, tb), tt.why) })
		assert.Empty(t, r.log, tt.why)
	}
}

// failures are assertions that must fail. What they report is in
// testdata/failures.txt under their names, after the reason why it is right.
var failures = []struct {
	name    string
	cluster func(reachtest.TB) *reachtest.Cluster
	does    assertion
}{
	{"reaches one", shop, reaches("shop/frontend", "data/postgres", "5432", "the pages want it")},
	{"reaches some of many", shop, reaches("pods in shop", "data/postgres", "5432")},
	{"reaches on one of two ports", shop, reaches("shop/api", "data/postgres", "5432, 9187")},
	{"reaches a Service that is closed", shop, reaches("shop/cart", "svc:data/postgres", "postgres")},
	{"reaches one backend of two", shop, reaches("data/postgres", "svc:data/postgres", "9187!")},
	{"does not reach", shop, doesNotReach("shop/api", "data/postgres", "all", "%s should be %d hops away", "postgres", 2)},
	{"does not reach on several ports", shop, doesNotReach("outside", "ingress/controller", "all")},
	{"does not reach a part of the outside", shop, doesNotReach("data/backup", "203.0.113.0/24", "443")},
	{"does not reach any backend", shop, doesNotReach("data/postgres", "svc:data/postgres", "9187!")},
	{"reaches only on less", shop, reachesOnlyOn("203.0.113.9", "ingress/controller", "8443")},
	{"reaches only on more", shop, reachesOnlyOn("shop/api", "data/postgres", "5432, 9187")},
	{"is reached by others", shop, isReachedOnlyBy("data/postgres", "5432", "pods in shop")},
	{"is reached in part by others", shop, isReachedOnlyBy("svc:data/postgres", "9187!", "monitoring/prometheus")},
	{"is reached by nobody", shop, isReachedOnlyBy("data/postgres", "5432", "shop/frontend")},
	{"reaches others", shop, reachesOnly("shop/payments", "198.51.100.0/30", "443")},
	{"reaches nobody", shop, reachesOnly("shop/payments", "data/postgres", "5432")},
	{"is not isolated", shop, isIsolated("pods", policy.Ingress, "every namespace has a default deny")},
	{"nodes are not isolated", officeOf, isIsolated("nodes", policy.Ingress)},
	{"does not resolve", noDNS, resolvesDNS("pods in data")},
	{"classes stand for pairs", officeOf, reaches("x/front and pods app=web", "x/back", "80")},
}

// noDNS is the shop without the policy that lets data ask for names.
func noDNS(t reachtest.TB) *reachtest.Cluster {
	return shop(t).With(t, policy.Remove("NetworkPolicy", "data", "allow-dns"))
}

// TestServicesPassNothingOver asks for what is passed over between endpoints.
func TestServicesPassNothingOver(t *testing.T) {
	c := reachtest.Text(t, strings.Replace(office, "selector: {app: back}\n", "selector: {app: back}\n  clusterIPs: [10.96.0.1]\n  clusterIP: 10.96.0.1\n", 1))
	assert.True(t, c.DoesNotReach(t, "everything except x/front", "x/back", "80"))
	assert.True(t, c.DoesNotReach(t, "everything except x/front except x/back except node:n1", "svc:x/back", "80"))
	for _, from := range []string{"x/back", "node:n1", "everything except x/front"} {
		r := run(func(tb reachtest.TB) { assert.False(t, c.DoesNotReach(tb, from, "svc:x/back", "80")) })
		assert.Contains(t, r.log, "should not reach svc:x/back on 80, but:\n")
	}
}

// withDone is the shop with a pod that has terminated.
func withDone(t reachtest.TB) *reachtest.Cluster {
	done := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "done"}, Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}
	return shop(t).With(t, policy.Put(done))
}

// TestAssertionsFail compares the whole of each report.
func TestAssertionsFail(t *testing.T) {
	want := readReports(t, "testdata/failures.txt")
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.cluster(t)
			r := run(func(tb reachtest.TB) { assert.False(t, tt.does(c, tb)) })
			assert.Equal(t, want[tt.name], r.log)
			assert.False(t, r.ended)

			r = run(func(tb reachtest.TB) { tt.does(c.Require(), tb) })
			assert.Equal(t, want[tt.name], r.log)
			assert.True(t, r.ended, "a test that requires it must end")
		})
		delete(want, tt.name)
	}
	assert.Empty(t, want, "reports of no case")
}

// readReports reads reports: each has a line "-- name --", then comments that say
// why it is right, then the text.
func readReports(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	reports := make(map[string]string)
	name, reasoned := "", false
	for line := range strings.Lines(string(data)) {
		mark, ok := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		if n, isMark := strings.CutSuffix(mark, " --"); ok && isMark {
			require.NotContains(t, reports, n)
			name, reasoned = n, false
			reports[name] = ""
			continue
		}
		if name != "" && strings.HasPrefix(line, "# ") && reports[name] == "" {
			reasoned = true
			continue
		}
		if name == "" {
			continue
		}
		require.True(t, reasoned, "%s: a report needs a reason", name)
		reports[name] += line
	}
	for name := range reports {
		reports[name] = strings.TrimRight(reports[name], "\n") + "\n"
	}
	return reports
}

// TestAssertionsRefuse has assertions that ask nothing, or what nobody can know.
func TestAssertionsRefuse(t *testing.T) {
	for _, tt := range []struct {
		cluster func(reachtest.TB) *reachtest.Cluster
		does    assertion
		want    string
	}{
		// Names.
		{shop, reaches("shop/apu", "data/postgres", "5432"), `"shop/apu": the cluster has no pod or workload shop/apu; did you mean shop/api?`},
		{shop, reaches("shop/api", "data/postgre", "5432"), `"data/postgre": the cluster has no pod or workload data/postgre; did you mean data/postgres?`},
		{shop, doesNotReach("shop/api", "svc:data/postgre", "5432"), `"svc:data/postgre": the cluster has no Service data/postgre; did you mean svc:data/postgres?`},
		{shop, doesNotReach("pods in shpo", "data/postgres", "5432"), `"pods in shpo": there is no namespace "shpo"`},
		{shop, isReachedOnlyBy("data/nobody", "5432", "pods in shop"), `"data/nobody": the cluster has no pod or workload data/nobody, and no name like it`},
		{shop, reachesOnly("shop/api", "data/nobody", "5432"), `"data/nobody": the cluster has no pod or workload data/nobody, and no name like it`},
		{shop, isIsolated("shop/nobody", policy.Egress), `"shop/nobody": the cluster has no pod or workload shop/nobody, and no name like it`},
		{shop, resolvesDNS("shop/nobody"), `"shop/nobody": the cluster has no pod or workload shop/nobody, and no name like it`},

		// Sets that hold nothing.
		{shop, doesNotReach("pods tier=db", "data/postgres", "5432"), `"pods tier=db": no pod is picked`},
		{shop, doesNotReach("pods in namespaces team=none", "data/postgres", "5432"), `"pods in namespaces team=none": no pod is picked`},
		{shop, doesNotReach("shop/api except pods", "data/postgres", "5432"), `"shop/api except pods" holds nothing`},
		{shop, isIsolated("nodes", policy.Egress), `"nodes": there is no node`},
		{shop, isReachedOnlyBy("data/postgres", "5432", "everything"), `there is nothing but everything`},
		{officeOf, doesNotReach("10.99.0.0/16 except 10.99.0.0/16", "x/back", "80"), `"10.99.0.0/16 except 10.99.0.0/16" holds nothing`},

		{withDone, doesNotReach("shop/api", "shop/done", "9464"), `"shop/done": shop/done has terminated: nothing reaches it, and it reaches nothing`},
		{withDone, doesNotReach("pod:shop/done and shop/api", "data/redis", "9187"), `"pod:shop/done and shop/api": shop/done has terminated: nothing reaches it, and it reaches nothing`},

		// Sets that are not written right.
		{shop, reaches("", "data/postgres", "5432"), `"": a set is missing`},
		{shop, reaches("pods except", "data/postgres", "5432"), `"pods except": a set is missing`},
		{shop, reaches("pods and and nodes", "data/postgres", "5432"), `"pods and and nodes": a set is missing`},
		{shop, reaches("pods app>1", "data/postgres", "5432"), `"pods app>1": "app>1" is no label selector: policies know no operator "gt"`},
		{shop, reaches("pods app in (", "data/postgres", "5432"), `"pods app in (": "app in (" is no label selector: unable to parse requirement: found '', expected: ',', ')' or identifier`},
		{shop, reaches("pods in", "data/postgres", "5432"), `"pods in": a namespace is missing after "in"`},
		{shop, reaches("pods in namespaces", "data/postgres", "5432"), `"pods in namespaces": a label selector is missing after "in namespaces"; for those of all namespaces, write "pods"`},
		{shop, reaches("10.0.0.0/33", "data/postgres", "5432"), `"10.0.0.0/33": "10.0.0.0/33" has the prefix length "33"; it must be a number from 0 to 32`},
		{shop, reaches("fe80::1%eth0", "data/postgres", "5432"), `"fe80::1%eth0": "fe80::1%eth0" is not an address without zone`},
		{shop, reaches("*", "data/postgres", "5432"), `"*": "*" is neither namespace/name nor an address`},

		// Services.
		{shop, reaches("svc:shop/api", "data/postgres", "5432"), `"svc:shop/api": connections come from endpoints, not from a Service`},
		{shop, reaches("shop/api", "data/postgres and svc:data/redis", "5432"), `"data/postgres and svc:data/redis": a Service stands alone`},
		{shop, reaches("shop/api", "pods except svc:data/redis", "5432"), `"pods except svc:data/redis": a Service stands alone`},
		{shop, reaches("shop/api", "shop/api except shop/api and svc:data/redis", "5432"), `"shop/api except shop/api and svc:data/redis": a Service stands alone`},
		{shop, isReachedOnlyBy("data/postgres", "5432", "svc:shop/api"), `"svc:shop/api": connections come from endpoints, not from a Service`},
		{shop, reachesOnly("shop/api", "svc:data/postgres", "postgres"), `"svc:data/postgres": name the endpoints behind the Service`},
		{shop, reachesOnlyOn("shop/api", "svc:data/postgres", "postgres"), `"svc:data/postgres": only of endpoints can be told on which ports alone they are reached; name those behind the Service`},
		{shop, isIsolated("svc:data/postgres", policy.Ingress), `"svc:data/postgres": policies isolate pods, not Services`},
		{shop, resolvesDNS("svc:data/postgres"), `"svc:data/postgres": pods resolve names, not Services`},
		{shop, reaches("shop/api", "svc:data/postgres", "all"), `TCP: name the ports of svc:data/postgres one by one`},
		{shop, reaches("shop/api", "svc:data/postgres", "1-200,1000-1100"), `1000-1100/TCP: name the ports of svc:data/postgres one by one`},
		{shop, reaches("shop/api", "svc:data/postgres", "other protocols"), `other protocols: name the ports of svc:data/postgres one by one`},
		{shop, reaches("shop/api", "svc:shop/cart", "9464"), "whether shop/api reaches svc:shop/cart on 9464/TCP cannot be said: no-such-port\n" +
			"shop/api -> svc:shop/cart 9464/TCP: the Service has no such port\n  ClusterIP 9464/TCP of svc:shop/cart: the Service has no such port"},

		// Ports.
		{shop, doesNotReach("shop/api", "data/postgres", "5423"), `nothing declares the port 5423: no container, Service or policy; if it is meant, write "5423!"`},
		{shop, doesNotReach("shop/cart", "svc:data/postgres", "5423"), `nothing declares the port 5423: no container, Service or policy; if it is meant, write "5423!"`}, // headless: any port goes to the pods
		{shop, doesNotReach("shop/api", "data/postgres", "5432/SCTP"), `nothing declares the port 5432/SCTP: no container, Service or policy; if it is meant, write "5432/SCTP!"`},
		{shop, doesNotReach("shop/api", "data/postgres", "postgre"), `data/postgres has no port postgre, only metrics (9187/TCP), postgres (5432/TCP)`},
		{shop, doesNotReach("shop/api", "data/postgres", ""), `port "": the port must be a number between 1 and 65535, in digits only`},
		{shop, doesNotReach("shop/api", "data/postgres", "none"), `ports "none" ask nothing; to say that nothing is reached, assert DoesNotReach on "all"`},
		{shop, doesNotReach("shop/api", "outside", "none!"), `ports "none" ask nothing; to say that nothing is reached, assert DoesNotReach on "all"`},
		{shop, doesNotReach("shop/api", "svc:data/postgres", "none"), `ports "none" ask nothing; to say that nothing is reached, assert DoesNotReach on "all"`},
		{shop, reaches("shop/api", "2001:db8::9", "http"), `port http: ::/0 names no ports; write a number`},

		// What policies have no say about.
		{officeOf, isReachedOnlyBy("x/back", "80", "everything except x/back"),
			`nothing but everything except x/back should reach x/back on 80, but policies have no say about anything else`},
	} {
		r := run(func(tb reachtest.TB) { assert.False(t, tt.does(tt.cluster(t), tb)) })
		assert.Equal(t, tt.want+"\n", r.log)
	}
}

// TestClustersRefuse has manifests and edits that are no cluster.
func TestClustersRefuse(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x}\nspec: {containers: [{name: c}]}\n"
	file := func(name string) string { return "-- " + name + " --\n" + pod }
	broken := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: x}\nspec: {egres: []}\n"
	for _, tt := range []struct {
		name  string
		makes func(t reachtest.TB) *reachtest.Cluster
		want  string // in the report
	}{
		{"FS", func(t reachtest.TB) *reachtest.Cluster {
			return reachtest.FS(t, fstest.MapFS{"db/a.yaml": {Data: []byte(broken)}})
		}, "db/a.yaml:4"},
		{"FS without manifests", func(t reachtest.TB) *reachtest.Cluster { return reachtest.FS(t, fstest.MapFS{}) }, "the manifests cannot be read:"},
		{"a root that is not there", func(t reachtest.TB) *reachtest.Cluster {
			return reachtest.FS(t, fstest.MapFS{"a.yaml": {Data: []byte(pod)}}, "deploy")
		}, "deploy"},
		{"Text", func(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, broken) }, "manifests:4"},
		{"an archive", func(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, "-- db/a.yaml --\n"+broken) }, "db/a.yaml:4"},
		{"one file twice", func(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, file("a.yaml")+file("a.yaml")) }, "line 6: a second file a.yaml"},
		{"a file without a name", func(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, file("a.yaml")+file("")) }, `line 6: "" is no name of a file`},
		{"a file outside", func(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, file("/a.yaml")) }, `line 1: "/a.yaml" is no name of a file`},
		{"a file that is no manifest", func(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, file("a.yaml")+file("b.txt")) }, "line 6: b.txt would not be read"},
		{"a hidden file", func(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, file(".git/b.yaml")) }, "line 1: .git/b.yaml would not be read"},
		{"a text before the files", func(t reachtest.TB) *reachtest.Cluster { return reachtest.Text(t, "text\n"+file("a.yaml")) }, "the manifests cannot be read:"},
		{"Objects", func(t reachtest.TB) *reachtest.Cluster {
			return reachtest.Objects(t, &policy.Cluster{Pods: []*corev1.Pod{{}}})
		}, "the cluster cannot be compiled:"},
		{"Under", func(t reachtest.TB) *reachtest.Cluster {
			return reachtest.Text(t, pod).Under(t, reach.Profile{SCTP: 99})
		}, "the cluster cannot be compiled:"},
		{"With", func(t reachtest.TB) *reachtest.Cluster {
			return reachtest.Text(t, pod).With(t, policy.Remove("Pod", "x", "b"))
		}, "the edits cannot be made:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := run(func(tb reachtest.TB) {
				tt.makes(tb)
				t.Error("the test goes on")
			})
			assert.Contains(t, r.log, tt.want)
			assert.True(t, r.ended)
		})
	}
}

// TestText reads an archive and a plain text of the same.
func TestText(t *testing.T) {
	a := "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x}\nspec: {containers: [{name: c, ports: [{containerPort: 80}]}]}\n"
	b := strings.ReplaceAll(a, "name: a", "name: b")
	for _, text := range []string{
		a + "---\n" + b,
		"-- a.yaml --\n" + a + "-- deploy/b.YML --\n" + b,
		"# Two pods.\n\n-- a.yaml --\r\n" + a + "-- b.json --  \n" + `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b","namespace":"x"},"spec":{"containers":[{"name":"c"}]}}`,
	} {
		assert.True(t, reachtest.Text(t, text).Reaches(t, "x/a", "x/b", "80"))
	}
}

// Addresses outside reach each other, whether a policy tells them apart or not.
func TestOutsideReachesItself(t *testing.T) {
	alike := reachtest.Text(t, "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}, spec: {containers: [{name: c}]}}")
	toldApart := alike.With(t, policy.Put(&networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "block", Namespace: "x"},
		Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
			{IPBlock: &networkingv1.IPBlock{CIDR: "198.51.100.0/28"}},
		}}}},
	}))
	for _, c := range []*reachtest.Cluster{alike, toldApart} {
		r := run(func(t reachtest.TB) { c.DoesNotReach(t, "198.51.100.0/24", "outside", "80!") })
		assert.Contains(t, r.log, "198.51.100.0/24 should not reach outside on 80!, but:")
		assert.True(t, c.Reaches(t, "198.51.100.0/24", "198.51.100.0/24", "80!"))
	}
}

// TestWith knows the ports that edits bring, and forgets those that they take.
func TestWith(t *testing.T) {
	c := shop(t)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "smtp", Namespace: "data"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{ContainerPort: 2525}}}}},
	}
	with := c.With(t, policy.Put(pod))
	assert.True(t, with.DoesNotReach(t, "shop/api", "data/smtp", "2525"))
	assert.True(t, with.Under(t, reach.Profile{NotEnforced: true}).Reaches(t, "shop/api", "data/smtp", "2525"))
	r := run(func(t reachtest.TB) {
		with.With(t, policy.Remove("Pod", "data", "smtp")).DoesNotReach(t, "shop/api", "data/redis", "2525")
	})
	assert.Contains(t, r.log, "nothing declares the port 2525")
	assert.True(t, c.DoesNotReach(t, "shop/api", "data/redis", "6379"), "the Cluster that was edited is as it was")

	r = run(func(t reachtest.TB) {
		c.Require().With(t, policy.Remove("NetworkPolicy", "shop", "cart")).Reaches(t, "shop/api", "shop/cart", "8080")
		c.Require().Under(t, reach.Profile{}).Reaches(t, "shop/cart", "shop/api", "8080")
		c.Reaches(t, "shop/nobody", "shop/api", "8080")
	})
	assert.True(t, r.ended, "what is required stays required")
	assert.NotContains(t, r.log, "shop/nobody")
	assert.NotNil(t, c.Graph())
}

// TestSets lists what sets hold.
func TestSets(t *testing.T) {
	c := officeOf(t)
	one := c.With(t, policy.Remove("Pod", "x", "web-1-b"))
	for _, tt := range []struct {
		cluster *reachtest.Cluster
		set     string
		want    string // nothing if the set is empty
		why     string
	}{
		{c, "pods", "x/back; x/front; x/web-1-a; x/web-1-b", "in the order of names"},
		{c, "nodes and x/front", "node:n1; node:n2; x/front", "in the order of the text"},
		{c, " pods\tapp=web   in x ", "x/web-1-a; x/web-1-b", "white space is free"},
		{c, "pods app in (web, nothing) in namespaces kubernetes.io/metadata.name in (x, y)", "x/web-1-a; x/web-1-b", `"in" before a list belongs to the selector`},
		{c, "pods app notin (web,front) in x", "x/back", `"notin" does too`},
		{c, "pods app,app!=web,app!=back,!tier", "x/front", "all that kubectl writes"},
		{c, "pods app==web", "x/web-1-a; x/web-1-b", "all that kubectl writes"},
		{c, "everything except pods except outside", "node:n1; node:n2", "from left to right"},
		{c, "pods except pods and x/front", "x/front", "from left to right"},

		// Workloads.
		{c, "x/web", "x/web-1-a; x/web-1-b", "a workload is its pods"},
		{c, "deploy:x/web", "x/web-1-a; x/web-1-b", "also by its kind"},
		{c, "pods except x/web", "x/back; x/front", "so it can be taken away from them"},
		{c, "replica:x/web", "replica:x/web", "but its replica is another one"},
		{one, "x/web", "x/web-1-a; x/web", "of a single pod, the workload is another one that it may have"},
		{one, "pods except x/web", "x/back; x/front", "and takes the pod away"},

		// Addresses.
		{c, "192.168.0.1", "node:n1", "what has one address is the same at it"},
		{c, "10.0.0.1", "10.0.0.1", "a pod as it is reached at one of two addresses"},
		{c, "10.0.0.0/30", "10.0.0.1; 10.0.0.2; x/web-1-a; 10.0.0.0/32", "pods, and the rest of the block is outside"},
		{c, "x/back except 10.0.0.1", "fd00::1", "the pod stays at its other address"},
		{c, "x/back except 10.0.0.1 except fd00::1", "", "at which it can be taken away too"},
		{c, "x/back except 10.0.0.0/8", "fd00::1", "or by a block"},
		{c, "10.0.0.0/30 except x/back except outside", "10.0.0.2; x/web-1-a", "a pod is all its addresses"},
		{c, "x/web-1-a except 10.0.0.3", "", "also if there is but one"},
		{c, "203.0.113.0/25 and 203.0.113.128/25", "203.0.113.0/24", "two parts of a class"},
		{c, "203.0.113.0/24 except 203.0.113.9", "203.0.113.0/24 except 203.0.113.9/32", "a part less a part"},
		{c, "203.0.113.0/24 and outside", "0.0.0.0/0; ::/0", "a part and the whole"},
		{c, "outside and 203.0.113.0/24", "0.0.0.0/0; ::/0", "the whole and a part"},
		{c, "203.0.113.0/24 except outside and outside", "0.0.0.0/0; ::/0", "a part that was taken away is forgotten"},
		{c, "::ffff:203.0.113.9", "203.0.113.9/32", "an IPv4 address in another form"},
		{c, "outside:*", "outside:*", "an address of which nothing is known"},
	} {
		got, err := tt.cluster.SetText(tt.set)
		if tt.want == "" {
			assert.ErrorContains(t, err, "holds nothing", tt.set)
			continue
		}
		assert.NoError(t, err, tt.set)
		assert.Equal(t, tt.want, got, "%s: %s", tt.set, tt.why)
	}
	assert.True(t, c.Reaches(t, "x/front", "10.0.0.1 and fd00::1", "80"))
	assert.True(t, c.IsReachedOnlyBy(t, "x/back", "80", "10.0.0.2 and fd00::2"), "they are all of x/front")
}
