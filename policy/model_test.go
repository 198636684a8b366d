package policy

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

// insert puts an object into the slice of its kind.
func insert(c *Cluster, obj metav1.Object) {
	switch o := obj.(type) {
	case *corev1.Namespace:
		c.Namespaces = append(c.Namespaces, o)
	case *corev1.Node:
		c.Nodes = append(c.Nodes, o)
	case *corev1.Pod:
		c.Pods = append(c.Pods, o)
	case *appsv1.Deployment:
		c.Deployments = append(c.Deployments, o)
	case *appsv1.ReplicaSet:
		c.ReplicaSets = append(c.ReplicaSets, o)
	case *appsv1.StatefulSet:
		c.StatefulSets = append(c.StatefulSets, o)
	case *appsv1.DaemonSet:
		c.DaemonSets = append(c.DaemonSets, o)
	case *batchv1.Job:
		c.Jobs = append(c.Jobs, o)
	case *batchv1.CronJob:
		c.CronJobs = append(c.CronJobs, o)
	case *corev1.ReplicationController:
		c.ReplicationControllers = append(c.ReplicationControllers, o)
	case *corev1.Service:
		c.Services = append(c.Services, o)
	case *discoveryv1.EndpointSlice:
		c.EndpointSlices = append(c.EndpointSlices, o)
	case *endpoints:
		c.Endpoints = append(c.Endpoints, o)
	case *networkingv1.ServiceCIDR:
		c.ServiceCIDRs = append(c.ServiceCIDRs, o)
	case *networkingv1.Ingress:
		c.Ingresses = append(c.Ingresses, o)
	case *networkingv1.NetworkPolicy:
		c.Policies = append(c.Policies, o)
	default:
		panic(fmt.Sprintf("no place for a %T", obj))
	}
}

// clusterOf returns a Cluster of objects written as "Kind name: yaml", all in
// namespace x, which exists.
func clusterOf(t testing.TB, objects ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	insert(c, objectOf(t, "Namespace", "metadata: {name: x}"))
	for _, text := range objects {
		head, body, _ := strings.Cut(text, ": ")
		kind, name, ok := strings.Cut(head, " ")
		require.True(t, ok, "%q has no kind and name", text)
		obj := objectOf(t, kind, body)
		if name != "-" {
			obj.SetName(name)
		}
		insert(c, obj)
	}
	return c
}

func modelOf(t testing.TB, objects ...string) *Model {
	t.Helper()
	m, err := clusterOf(t, objects...).Model()
	require.NoError(t, err)
	return m
}

func addrs(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range texts {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

// controlled is the metadata of an object that another controls.
func controlled(apiVersion, kind, name string) string {
	return fmt.Sprintf("metadata: {ownerReferences: [{controller: true, apiVersion: %s, kind: %s, name: %s, uid: u}]}", apiVersion, kind, name)
}

func TestModelOfNothing(t *testing.T) {
	nothing := &Model{ServiceCIDRs: cidr.Of(), PodCIDRs: cidr.Of()}
	m, err := new(Cluster).Model()
	require.NoError(t, err)
	assert.Equal(t, nothing, m)

	m, err = (&Cluster{
		Pods: []*corev1.Pod{nil}, Services: []*corev1.Service{nil}, EndpointSlices: []*discoveryv1.EndpointSlice{nil},
		Endpoints: []*endpoints{nil}, ServiceCIDRs: []*networkingv1.ServiceCIDR{nil}, Ingresses: []*networkingv1.Ingress{nil},
		Policies: []*networkingv1.NetworkPolicy{nil},
	}).Model()
	require.NoError(t, err)
	assert.Equal(t, nothing, m, "nil pointers are passed over")
}

func TestModelPods(t *testing.T) {
	const n1 = "Node n1: {status: {addresses: [{type: Hostname, address: n1}, {type: ExternalIP, address: 203.0.113.1}, {type: InternalIP, address: 192.168.0.1}, {type: InternalIP, address: 192.168.0.9}]}}"
	tests := []struct {
		rule string
		pod  string
		want Pod
		why  string
	}{
		{"SEM-221", `{}`, Pod{Ready: true}, "nothing is known but the name"},
		{"SEM-051", `{metadata: {labels: {a: b}}}`, Pod{Ready: true, Labels: map[string]string{"a": "b"}}, "labels"},
		{"SEM-225", `{status: {podIP: 10.0.1.1, podIPs: [{ip: 10.0.1.2}, {ip: "fd00::11"}]}}`, Pod{Ready: true, Addrs: addrs("10.0.1.2", "fd00::11")}, "the list counts"},
		{"SEM-225", `{status: {podIP: 10.0.1.1}}`, Pod{Ready: true, Addrs: addrs("10.0.1.1")}, "the single address, if there is no list"},
		{"SEM-124", `{status: {podIP: "::ffff:10.0.1.1"}}`, Pod{Ready: true, Addrs: addrs("10.0.1.1")}, "IPv4-mapped is IPv4"},
		{"SEM-222", `{status: {phase: Succeeded, podIP: 10.0.1.1}}`, Pod{Ready: true, Terminated: true, Addrs: addrs("10.0.1.1")}, "the object keeps its address"},
		{"SEM-222", `{status: {phase: Failed}}`, Pod{Ready: true, Terminated: true}, "failed is terminated, too"},
		{"SEM-222", `{status: {phase: Unknown}}`, Pod{Ready: true}, "unknown counts as live"},
		{"SEM-221", `{status: {phase: Pending}}`, Pod{Pending: true}, "pending"},
		{"SEM-223", `{metadata: {deletionTimestamp: "2026-01-01T00:00:00Z"}, status: {phase: Running}}`, Pod{Ready: true, Terminating: true}, "terminating is not terminated"},
		{"SEM-256", `{status: {phase: Pending, conditions: [{type: Ready, status: "True"}]}}`, Pod{Pending: true, Ready: true}, "the condition counts, if there is one"},
		{"SEM-256", `{status: {phase: Running, conditions: [{type: Initialized, status: "True"}, {type: Ready, status: "False"}]}}`, Pod{}, "it is not true"},
		{"SEM-256", `{status: {conditions: [{type: Ready, status: Unknown}]}}`, Pod{}, "unknown is not true"},
		{"SEM-256", `{status: {phase: Running, conditions: [{type: Initialized, status: "False"}]}}`, Pod{Ready: true}, "other conditions have no bearing"},
		{"SEM-213", `{spec: {nodeName: n1}, status: {hostIP: 192.168.0.1}}`, Pod{Ready: true, Node: "n1"}, "its address is not that of its node"},
		{"SEM-213", `{status: {hostIP: 192.168.0.1}}`, Pod{Ready: true, Node: "n1"}, "the address tells the node"},
		{"SEM-213", `{status: {hostIPs: [{ip: "fd00::1"}, {ip: 203.0.113.1}]}}`, Pod{Ready: true, Node: "n1"}, "any address of the node does"},
		{"SEM-213", `{status: {hostIP: 192.168.0.7}}`, Pod{Ready: true}, "an address of no node that is known"},
		{"SEM-207", `{spec: {nodeName: n1, hostNetwork: true}, status: {podIPs: [{ip: 192.168.0.2}]}}`, Pod{Ready: true, Node: "n1", HostNetwork: true, Addrs: addrs("192.168.0.2")}, "its own list counts"},
		{"SEM-207", `{spec: {nodeName: n1, hostNetwork: true}, status: {hostIPs: [{ip: 192.168.0.2}, {ip: 192.168.0.3}]}}`, Pod{Ready: true, Node: "n1", HostNetwork: true, Addrs: addrs("192.168.0.2")}, "one address of each family"},
		{"SEM-207", `{spec: {nodeName: n1, hostNetwork: true}, status: {hostIP: 192.168.0.2}}`, Pod{Ready: true, Node: "n1", HostNetwork: true, Addrs: addrs("192.168.0.2")}, "what the pod says of its node"},
		{"SEM-207", `{spec: {nodeName: n1, hostNetwork: true}}`, Pod{Ready: true, Node: "n1", HostNetwork: true, Addrs: addrs("192.168.0.1")}, "the first internal address of the node"},
		{"SEM-207", `{spec: {hostNetwork: true}}`, Pod{Ready: true, HostNetwork: true}, "no node is known"},
		{"SEM-179", `{spec: {initContainers: [{ports: [{name: i, containerPort: 1}]}, {restartPolicy: Always, ports: [{name: s, containerPort: 2}]}], containers: [{ports: [{containerPort: 3}, {name: c, containerPort: 4, hostPort: 5, protocol: UDP}]}, {ports: [{name: c, containerPort: 6}]}]}}`,
			Pod{Ready: true, Ports: []ContainerPort{
				{"c", UDP.Port(4), Container}, {"c", TCP.Port(6), Container}, {"s", TCP.Port(2), Sidecar}, {"i", TCP.Port(1), InitContainer},
			}}, "named ports: containers, sidecars, other init containers"},
		{"SEM-176", `{spec: {containers: [{ports: [{name: dns, containerPort: 53, protocol: UDP}]}, {ports: [{name: dns, containerPort: 53, protocol: SCTP}]}]}}`,
			Pod{Ready: true, Ports: []ContainerPort{{"dns", UDP.Port(53), Container}, {"dns", SCTP.Port(53), Container}}}, "a name for several protocols"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.why, func(t *testing.T) {
			m := modelOf(t, n1, "Pod a: "+tt.pod)
			tt.want.Kind, tt.want.Name = "Pod", types.NamespacedName{Namespace: "x", Name: "a"}
			require.Len(t, m.Pods, 1)
			assert.Equal(t, tt.want, m.Pods[0])
		})
	}
}

// cast lists the pods of a model with their owners, sorted.
func cast(m *Model) []string {
	var lines []string
	for _, p := range m.Pods {
		line := p.Kind + " " + p.Name.Name
		if p.Owner != (Owner{}) {
			line += " of " + p.Owner.Kind + " " + p.Owner.Name
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func TestModelWorkloads(t *testing.T) {
	ofHash := func(rs, hash string) string {
		return strings.Replace(controlled("apps/v1", "ReplicaSet", rs), "metadata: {", "metadata: {labels: {pod-template-hash: "+hash+"}, ", 1)
	}
	const rc = "ReplicationController web: {spec: {template: {}}}"
	tests := []struct {
		objects []string
		want    []string
		why     string
	}{
		{[]string{"Deployment web: {}", "StatefulSet web: {}", "DaemonSet web: {}", "Job web: {}", "CronJob web: {}", "ReplicaSet web: {}", rc},
			[]string{"CronJob web", "DaemonSet web", "Deployment web", "Job web", "ReplicaSet web", "ReplicationController web", "StatefulSet web"}, "a workload stands for its pods; names are apart for each kind"},
		{[]string{"Deployment web: {}", "Pod web: {}"}, []string{"Deployment web", "Pod web"}, "the same name is no tie"},
		{[]string{"Deployment web: {}", "ReplicaSet web-1: " + controlled("apps/v1", "Deployment", "web")}, []string{"Deployment web"}, "a Deployment speaks for its ReplicaSets"},
		{[]string{"CronJob tick: {}", "Job tick-1: " + controlled("batch/v1", "CronJob", "tick")}, []string{"CronJob tick"}, "a CronJob speaks for its Jobs"},
		{[]string{"ReplicaSet web-1: " + controlled("apps/v1", "Deployment", "web")}, []string{"ReplicaSet web-1"}, "the Deployment is not here"},
		{[]string{"ReplicaSet web-1: " + controlled("argoproj.io/v1alpha1", "Rollout", "web")}, []string{"ReplicaSet web-1"}, "a kind that is not modeled"},
		{[]string{"ReplicaSet web-1: " + controlled("example.com/v1", "Deployment", "web"), "Deployment web: {}"}, []string{"Deployment web", "ReplicaSet web-1"}, "another kind of the same name"},
		{[]string{"StatefulSet db: {}", "Pod db-0: " + controlled("apps/v1", "StatefulSet", "db"), "Pod db-1: " + controlled("apps/v1", "StatefulSet", "db")},
			[]string{"Pod db-0 of StatefulSet db", "Pod db-1 of StatefulSet db"}, "the pods themselves are here"},
		{[]string{"Pod ds: " + controlled("apps/v1", "DaemonSet", "ds"), "DaemonSet ds: {}", rc, "Pod web-1: " + controlled("v1", "ReplicationController", "web")},
			[]string{"Pod ds of DaemonSet ds", "Pod web-1 of ReplicationController web"}, "the other kinds alike"},
		{[]string{"Deployment web: {}", "ReplicaSet web-1: " + controlled("apps/v1", "Deployment", "web"), "Pod p: " + controlled("apps/v1", "ReplicaSet", "web-1")},
			[]string{"Pod p of Deployment web"}, "by way of the ReplicaSet"},
		{[]string{"ReplicaSet web-1: " + controlled("apps/v1", "Deployment", "web"), "ReplicaSet web-2: " + controlled("apps/v1", "Deployment", "web"), "Pod p: " + controlled("apps/v1", "ReplicaSet", "web-1")},
			[]string{"Pod p of Deployment web"}, "the Deployment is not here; its pods speak for its old ReplicaSets"},
		{[]string{"Deployment web: {}", "Pod p: " + ofHash("web-abc", "abc")}, []string{"Pod p of Deployment web"}, "the ReplicaSet is not here, but named as by the controller"},
		{[]string{"Pod p: " + ofHash("web-abc", "abc")}, []string{"Pod p of Deployment web"}, "nor is the Deployment"},
		{[]string{"Deployment web: {}", "Pod p: " + ofHash("web-abc", "xyz")}, []string{"Deployment web", "Pod p of ReplicaSet web-abc"}, "the hash differs"},
		{[]string{"Deployment web: {}", "Pod p: " + controlled("apps/v1", "ReplicaSet", "web-abc")}, []string{"Deployment web", "Pod p of ReplicaSet web-abc"}, "there is no hash"},
		{[]string{"ReplicaSet web-abc: {}", "Deployment web: {}", "Pod p: " + ofHash("web-abc", "abc")}, []string{"Deployment web", "Pod p of ReplicaSet web-abc"}, "the ReplicaSet is here and says that nothing controls it"},
		{[]string{"CronJob tick: {}", "Pod p: " + controlled("batch/v1", "Job", "tick-29012345")}, []string{"Pod p of CronJob tick"}, "the Job is not here, but named as by the controller"},
		{[]string{"CronJob tick: {}", "Pod p: " + controlled("batch/v1", "Job", "tick-2")}, []string{"CronJob tick", "Pod p of Job tick-2"}, "a short number is no time"},
		{[]string{"CronJob tick: {}", "Pod p: " + controlled("batch/v1", "Job", "tick-2901234x")}, []string{"CronJob tick", "Pod p of Job tick-2901234x"}, "not a number"},
		{[]string{"CronJob tick: {}", "Job tick-29012345: {}", "Pod p: " + controlled("batch/v1", "Job", "tick-29012345")}, []string{"CronJob tick", "Pod p of Job tick-29012345"}, "the Job is here and says that nothing controls it"},
		{[]string{"Pod p: " + controlled("batch/v1", "Job", "-29012345")}, []string{"Pod p of Job -29012345"}, "no name is left for a CronJob"},
		{[]string{"Job once: {}", "Pod p: {" + controlled("batch/v1", "Job", "once") + ", status: {phase: Succeeded}}"}, []string{"Job once", "Pod p of Job once"}, "a pod that has terminated stands for nothing"},
		{[]string{"Job once: {}", "Pod p: {" + controlled("batch/v1", "Job", "once") + ", status: {phase: Failed}}", "Pod q: {" + controlled("batch/v1", "Job", "once") + ", status: {phase: Pending}}"},
			[]string{"Pod p of Job once", "Pod q of Job once"}, "a later one does"},
		{[]string{"Pod p: {metadata: {ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: u}]}}", "StatefulSet db: {}"}, []string{"Pod p", "StatefulSet db"}, "an owner that is no controller"},
		{[]string{"ReplicaSet a-1: " + controlled("apps/v1", "ReplicaSet", "b-1"), "ReplicaSet b-1: " + controlled("apps/v1", "ReplicaSet", "a-1")}, []string{"ReplicaSet a-1", "ReplicaSet b-1"}, "a ring is not followed"},
		{[]string{"StatefulSet db: {}", "Pod db-0: {metadata: {namespace: w, ownerReferences: [{controller: true, apiVersion: apps/v1, kind: StatefulSet, name: db, uid: u}]}}"},
			[]string{"Pod db-0 of StatefulSet db", "StatefulSet db"}, "a pod of another namespace"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			assert.Equal(t, tt.want, cast(modelOf(t, tt.objects...)))
		})
	}
}

func TestModelMakesPodsOfTemplates(t *testing.T) {
	const template = "{metadata: {labels: {outer: no}}, spec: {template: {metadata: {labels: {a: b}}, spec: {hostNetwork: true, nodeName: n1, containers: [{ports: [{name: web, containerPort: 80}]}]}}}}"
	want := Pod{
		Labels: map[string]string{"a": "b"}, Node: "n1", HostNetwork: true, Addrs: addrs("192.168.0.1"), Ready: true,
		Ports: []ContainerPort{{"web", TCP.Port(80), Container}},
	}
	generated := map[string][]string{ // as the controllers document
		"Deployment":  {"pod-template-hash"},
		"StatefulSet": {"controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"},
		"DaemonSet":   {"controller-revision-hash", "pod-template-generation"},
		"Job": {"job-name", "batch.kubernetes.io/job-name", "controller-uid", "batch.kubernetes.io/controller-uid",
			"batch.kubernetes.io/job-completion-index"},
	}
	for _, kind := range []string{"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"} {
		t.Run(kind, func(t *testing.T) {
			want.Generated = generated[kind]
			m := modelOf(t, kind+" w: "+template, "Node n1: {status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}}")
			want.Kind, want.Name = kind, types.NamespacedName{Namespace: "x", Name: "w"}
			assert.Equal(t, []Pod{want}, m.Pods)
		})
	}
	m := modelOf(t, "CronJob w: {spec: {jobTemplate: {metadata: {labels: {outer: no}}, spec: {template: {metadata: {labels: {a: b}}}}}}}")
	assert.Equal(t, map[string]string{"a": "b"}, m.Pods[0].Labels, "the template of the pod, not that of the job")
}

func TestModelNodes(t *testing.T) {
	tests := []struct {
		objects []string
		want    []Node
		why     string
	}{
		{[]string{"Node b: {}", "Node a: {status: {addresses: [{type: ExternalIP, address: 203.0.113.1}, {type: Hostname, address: a}, {type: InternalIP, address: 192.168.0.1}, {type: InternalIP, address: '::ffff:192.168.0.1'}]}}"},
			[]Node{{"a", addrs("192.168.0.1", "203.0.113.1"), false}, {"b", nil, false}}, "SEM-284: by name; internal addresses first, each once"},
		{[]string{"Pod p: {spec: {nodeName: n1}}"}, []Node{{"n1", nil, true}}, "a pod mentions it"},
		{[]string{"Deployment d: {spec: {template: {spec: {nodeName: n1}}}}"}, []Node{{"n1", nil, true}}, "a template mentions it"},
		{[]string{"EndpointSlice s: {addressType: IPv4, endpoints: [{addresses: [203.0.113.9], nodeName: n1}]}"}, []Node{{"n1", nil, true}}, "an EndpointSlice mentions it"},
		{[]string{"Pod p: {spec: {nodeName: n1}, status: {hostIPs: [{ip: 192.168.0.1}, {ip: 'fd00::1'}], hostIP: 192.168.0.1}}"}, []Node{{"n1", addrs("192.168.0.1", "fd00::1"), true}}, "a pod knows its addresses"},
		{[]string{"Pod p: {spec: {nodeName: n1}, status: {hostIP: 192.168.0.1}}", "Node n1: {}"}, []Node{{"n1", addrs("192.168.0.1"), false}}, "a pod knows the addresses that the object lacks"},
		{[]string{"Pod p: {spec: {nodeName: n1}, status: {hostIP: 192.168.0.2}}", "Node n1: {status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}}"}, []Node{{"n1", addrs("192.168.0.1", "192.168.0.2"), false}}, "what a pod knows counts beside the object"},
		{[]string{"Pod p: {spec: {nodeName: n1}, status: {hostIP: 192.168.0.2}}", "Pod q: {spec: {nodeName: n1}, status: {hostIP: 192.168.0.1}}", "Pod r: {spec: {nodeName: n1}, status: {hostIP: 192.168.0.1}}"}, []Node{{"n1", addrs("192.168.0.1", "192.168.0.2"), true}}, "several pods, each address once"},
		{[]string{"Pod p: {spec: {nodeName: n1}, status: {phase: Failed, hostIP: 192.168.0.2}}"}, []Node{{"n1", nil, true}}, "what a terminated pod knew may be out of date"},
		{[]string{"Pod p: {status: {hostIP: 192.168.0.2}}"}, nil, "an address without a name"},
		{[]string{"Pod p: {spec: {nodeName: n1}, status: {hostIP: 192.168.0.2}}", "Pod q: {status: {hostIP: 192.168.0.2}}"}, []Node{{"n1", addrs("192.168.0.2"), true}}, "an address that belongs to a name"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			assert.Equal(t, tt.want, modelOf(t, tt.objects...).Nodes)
		})
	}
	t.Run("an address of two nodes tells neither", func(t *testing.T) {
		const addr = ": {status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}}"
		m := modelOf(t, "Node a"+addr, "Node b"+addr, "Pod p: {status: {hostIP: 192.168.0.1}}")
		assert.Empty(t, m.Pods[0].Node)
	})
	t.Run("pods on its network share them", func(t *testing.T) {
		m := modelOf(t, "Pod a: {spec: {nodeName: n1, hostNetwork: true}}", "Pod b: {spec: {nodeName: n1}, status: {hostIP: 192.168.0.2}}")
		assert.Equal(t, addrs("192.168.0.2"), m.Pods[0].Addrs)
	})
}

func TestModelNamespaces(t *testing.T) {
	name := func(ns string) map[string]string { return map[string]string{"kubernetes.io/metadata.name": ns} }
	tests := []struct {
		rule     string
		objects  []string
		want     []Namespace
		warnings []string
		why      string
	}{
		{"SEM-232", nil, []Namespace{{"x", name("x")}}, nil, "the automatic label"},
		{"SEM-232", []string{"Namespace a: {metadata: {labels: {team: a, kubernetes.io/metadata.name: a}}}"}, []Namespace{{"a", map[string]string{"team": "a", "kubernetes.io/metadata.name": "a"}}, {"x", name("x")}}, nil, "beside its own"},
		{"SEM-233", []string{"Namespace a: {metadata: {labels: {kubernetes.io/metadata.name: x}}}"}, []Namespace{{"a", name("a")}, {"x", name("x")}}, []string{`metadata.labels: reserved-label: "x" is ignored`}, "nobody can give it another value"},
		{"SEM-231", []string{"Pod p: {metadata: {namespace: q}}", "Pod o: {metadata: {namespace: q}}"}, []Namespace{{"q", name("q")}, {"x", name("x")}}, []string{"metadata.namespace: missing-namespace: no Namespace q"}, "one warning for each namespace"},
		{"SEM-230", []string{"NetworkPolicy p: {metadata: {namespace: w}}", "Deployment d: {metadata: {namespace: q}}"}, []Namespace{{"q", name("q")}, {"w", name("w")}, {"x", name("x")}}, []string{"metadata.namespace: missing-namespace: q", "metadata.namespace: missing-namespace: w"}, "policies and workloads need namespaces"},
		{"SEM-011", []string{`Pod p: {metadata: {namespace: ""}}`}, []Namespace{{"default", name("default")}, {"x", name("x")}}, []string{"metadata.namespace: missing-namespace: default"}, "no namespace is default"},
		{"SEM-250", []string{"Service s: {metadata: {namespace: q}, spec: {ports: [{port: 80}]}}", "EndpointSlice s: {metadata: {namespace: q}, addressType: IPv4}", "Endpoints s: {metadata: {namespace: q}}",
			"Ingress s: {metadata: {namespace: q}, spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}}", "ServiceCIDR s: {metadata: {namespace: q}, spec: {cidrs: [10.96.0.0/12]}}"}, []Namespace{{"x", name("x")}}, nil, "nothing that a policy could concern is in q"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.why, func(t *testing.T) {
			m := modelOf(t, tt.objects...)
			assert.Equal(t, tt.want, m.Namespaces)
			checkWarnings(t, tt.warnings, m.Warnings, tt.why)
		})
	}
	m := modelOf(t, "Pod a: {metadata: {namespace: q}}", "NetworkPolicy p: {metadata: {namespace: q}}", "NetworkPolicy o: {metadata: {namespace: q}}")
	assert.Equal(t, "NetworkPolicy q/o", m.Warnings[0].Object, "best a policy, the first by name")
}

func TestModelWarnsOfLabels(t *testing.T) {
	tests := []struct {
		rule    string
		objects []string
		want    []string
		why     string
	}{
		{"SEM-228", []string{"Deployment d: {}", "NetworkPolicy p: {spec: {podSelector: {matchExpressions: [{key: pod-template-hash, operator: Exists}]}}}"},
			[]string{"spec.podSelector: generated-label: Deployment x/d"}, "pods get the label when they are made"},
		{"SEM-228", []string{"StatefulSet d: {}", "NetworkPolicy p: {spec: {egress: [{}, {to: [{ipBlock: {cidr: 10.0.0.0/8}}, {podSelector: {matchLabels: {apps.kubernetes.io/pod-index: '0'}}}]}]}}"},
			[]string{"spec.egress[1].to[1].podSelector: generated-label: pod-index"}, "in a peer"},
		{"SEM-228", []string{"StatefulSet d: {}", "NetworkPolicy p: {spec: {podSelector: {matchLabels: {pod-template-hash: abc}}}}"}, nil, "a StatefulSet does not add this label"},
		{"SEM-228", []string{"NetworkPolicy p: {spec: {podSelector: {matchLabels: {pod-template-hash: abc}}}}", "Pod p: {}"}, nil, "no template stands for pods"},
		{"SEM-228", []string{"NetworkPolicy p: {spec: {podSelector: {matchLabels: {job-name: abc}}}}", "Job j: {spec: {template: {metadata: {labels: {job-name: abc}}}}}"}, nil, "an exported Job has the label in its template"},
		{"SEM-228", []string{"NetworkPolicy p: {spec: {podSelector: {matchLabels: {batch.kubernetes.io/job-name: abc}}}}", "CronJob j: {}"}, []string{"spec.podSelector: generated-label: CronJob x/j"}, "the Jobs of a CronJob are made later"},
		{"SEM-228", []string{"Deployment d: {}", "NetworkPolicy p: {spec: {policyTypes: [Egress], ingress: [{from: [{podSelector: {matchLabels: {pod-template-hash: abc}}}]}]}}"}, []string{"spec.ingress: unlisted-direction: Ingress"}, "rules without effect need no more warnings"},
		{"SEM-228", []string{"Deployment d: {}", "NetworkPolicy p: {spec: {ingress: [{from: [{namespaceSelector: {matchLabels: {pod-template-hash: abc}}}]}]}}"}, nil, "namespaces do not have it"},
		{"SEM-231", []string{"Pod p: {metadata: {namespace: q}}", "NetworkPolicy p: {spec: {ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: q}}}]}]}}"},
			[]string{"metadata.namespace: missing-namespace: q", "spec.ingress[0].from[0].namespaceSelector: missing-namespace-labels: whether namespace q has the label team"}, "its own labels are not known, the automatic one is"},
		{"SEM-231", []string{"NetworkPolicy p: {spec: {ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]}}"}, nil, "no namespace is missing"},
		{"SEM-231", []string{"Pod p: {metadata: {namespace: q}}", "NetworkPolicy p: {spec: {ingress: [{from: [{podSelector: {matchLabels: {team: a}}}]}]}}"}, []string{"metadata.namespace: missing-namespace: q"}, "pod labels are known"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.why, func(t *testing.T) {
			checkWarnings(t, tt.want, modelOf(t, tt.objects...).Warnings, tt.why)
		})
	}
}

func TestModelKeepsWarnings(t *testing.T) {
	c := clusterOf(t, "NetworkPolicy p: {spec: {policyTypes: [Ingress], egress: [{}]}}",
		"Pod a: {spec: {containers: [{ports: [{name: web, containerPort: 1}]}, {ports: [{name: web, containerPort: 2}]}]}}")
	c.Warnings = []Warning{{Code: "unknown-field"}}
	m, err := c.Model()
	require.NoError(t, err)
	var codes []string
	for _, w := range m.Warnings {
		codes = append(codes, w.Code)
	}
	assert.Equal(t, []string{"unknown-field", "repeated-port-name", "unlisted-direction"}, codes, "of reading, then of the objects")
	assert.Equal(t, m.Warnings[2:], m.Policies[0].Warnings)
	assert.Len(t, c.Warnings, 1)
}

func TestModelRefusesDuplicates(t *testing.T) {
	tests := []struct {
		objects []string
		want    string
		why     string
	}{
		{[]string{"Pod a: {}", "Pod a: {}"}, "Pod x/a: duplicate of another object: a cluster holds one object of a kind and name", "the same pod twice"},
		{[]string{"NetworkPolicy a: {metadata: {namespace: ''}}", "NetworkPolicy a: {metadata: {namespace: default}}"}, "NetworkPolicy default/a: duplicate of another object: a cluster holds one object of a kind and name", "no namespace is default"},
		{[]string{"Service a: {spec: {ports: [{port: 80}]}}", "Service a: {spec: {ports: [{port: 81}]}}"}, "Service x/a: duplicate of another object: a cluster holds one object of a kind and name", "any kind"},
		{[]string{"Node a: {}", "Node a: {metadata: {namespace: q}}"}, "Node a: duplicate of another object: a cluster holds one object of a kind and name", "nodes have no namespace"},
		{[]string{"Endpoints a: {}", "Endpoints a: {}"}, "Endpoints x/a: duplicate of another object: a cluster holds one object of a kind and name", "Endpoints as well"},
		{[]string{"Pod a: {}", "Deployment a: {}", "Service a: {spec: {ports: [{port: 80}]}}", "Endpoints a: {}", "NetworkPolicy a: {}", "Node a: {}", "Namespace a: {}"}, "", "kinds are apart"},
		{[]string{"Pod a: {metadata: {namespace: q}}", "Pod a: {}"}, "", "namespaces are apart"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			m, err := clusterOf(t, tt.objects...).Model()
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.want)
			assert.Nil(t, m)
			assert.Empty(t, errorsOf(t, err)[0].Type)
		})
	}
	_, err := clusterOf(t, "Pod -: {metadata: {name: ''}}", "Pod -: {metadata: {name: ''}}").Model()
	assert.Len(t, errorsOf(t, err), 2, "objects without a name are no duplicates, they lack names")
}

func TestModelGeneratesNames(t *testing.T) {
	gen := func(kind, spec string) string {
		return kind + " -: {metadata: {name: '', generateName: web-}, spec: " + spec + "}"
	}
	objects := []string{
		gen("NetworkPolicy", "{policyTypes: [Ingress]}"), gen("NetworkPolicy", "{policyTypes: [Egress]}"), gen("NetworkPolicy", "{policyTypes: [Egress]}"),
		gen("Pod", "{nodeName: b}"), gen("Pod", "{nodeName: a}"), gen("Deployment", "{}"),
		"Pod -: {metadata: {name: '', generateName: web}}", "Pod -: {metadata: {name: '', generateName: web-, namespace: q}}",
	}
	m := modelOf(t, objects...)
	var policies []string
	for _, p := range m.Policies {
		policies = append(policies, fmt.Sprint(p.Name, " ", p.Egress.Isolates))
	}
	assert.Equal(t, []string{"x/web-#1 true", "x/web-#2 true", "x/web-#3 false"}, policies, "numbered by what they hold; equal ones are not merged")
	var pods []string
	for _, p := range m.Pods {
		pods = append(pods, fmt.Sprint(p.Kind, " ", p.Name, " ", p.Node))
	}
	assert.Equal(t, []string{"Pod q/web-#1 ", "Pod x/web#1 ", "Deployment x/web-#1 ", "Pod x/web-#1 a", "Pod x/web-#2 b"}, pods)
}

// Managed fields can hold what is no JSON. That has no bearing on names.
func TestModelGeneratesNamesWhateverIsManaged(t *testing.T) {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", ManagedFields: []metav1.ManagedFieldsEntry{
		{FieldsV1: metav1.NewFieldsV1("{")},
	}}}
	m, err := (&Cluster{Pods: []*corev1.Pod{p, p.DeepCopy()}}).Model()
	require.NoError(t, err)
	assert.Equal(t, []string{"Pod web-#1", "Pod web-#2"}, cast(m))
}

func TestModelReturnsAllErrors(t *testing.T) {
	c := clusterOf(t,
		"NetworkPolicy p: {spec: {policyTypes: [a], ingress: [{from: [{}]}]}}",
		"Pod b: {status: {phase: x}}", "Pod a: {status: {phase: x}}", "Deployment d: {spec: {template: {metadata: {labels: {'a b': c}}}}}",
		"Node n: {}", "Node n: {}")
	_, err := c.Model()
	var places []string
	for _, e := range errorsOf(t, err) {
		places = append(places, e.Place.String())
	}
	assert.Equal(t, []string{
		"Node n",
		"Pod x/a: status.phase",
		"Pod x/b: status.phase",
		"Deployment x/d: spec.template.metadata.labels",
		"NetworkPolicy x/p: spec.ingress[0].from[0]",
		"NetworkPolicy x/p: spec.policyTypes[0]",
	}, places, "by kind, in the order of the fields of Cluster, and by name")
}

func TestModelLocates(t *testing.T) {
	c := clusterOf(t, "Pod b: {status: {phase: x}}", "Pod a: {status: {phase: x}}", "Pod a: {}", "Pod c: {status: {phase: x}}")
	c.setSource(c.Pods[0], &source{file: "a.yaml", order: 0, line: 3})
	c.setSource(c.Pods[2], &source{file: "a.yaml", order: 1, line: 7})
	c.setSource(c.Pods[1], &source{file: "b.yaml", order: 2, line: 1})
	_, err := c.Model()
	var lines []string
	for _, e := range errorsOf(t, err) {
		lines = append(lines, e.Error())
	}
	require.Len(t, lines, 4)
	assert.True(t, strings.HasPrefix(lines[0], "a.yaml:3: Pod x/b: status.phase: "), lines[0])
	assert.True(t, strings.HasPrefix(lines[1], "b.yaml:1: Pod x/a: duplicate of the object at a.yaml:7: "), lines[1])
	assert.True(t, strings.HasPrefix(lines[2], "b.yaml:1: Pod x/a: status.phase: "), lines[2])
	assert.True(t, strings.HasPrefix(lines[3], "Pod x/c: status.phase: "), "what was not read comes last: %s", lines[3])

	c = clusterOf(t, "NetworkPolicy p: {spec: {policyTypes: [Ingress], egress: [{}]}}", "Pod a: {metadata: {namespace: q}}")
	c.setSource(c.Policies[0], &source{file: "a.yaml", line: 1, lines: map[string]int{"spec.egress": 5}})
	c.setSource(c.Pods[0], &source{file: "a.yaml", line: 9})
	m, err := c.Model()
	require.NoError(t, err)
	assert.Equal(t, Place{"a.yaml", 5, "NetworkPolicy x/p", "spec.egress"}, m.Warnings[0].Place)
	assert.Equal(t, Place{"a.yaml", 5, "NetworkPolicy x/p", "spec.egress"}, m.Policies[0].Warnings[0].Place)
	assert.Equal(t, Place{"a.yaml", 9, "Pod q/a", "metadata.namespace"}, m.Warnings[1].Place)
}

// genCluster draws clusters in which much depends on much else: names, labels,
// namespaces and owners are few. Some have objects with errors.
var genCluster = rapid.Custom(func(t *rapid.T) *Cluster {
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	meta := func() metav1.ObjectMeta {
		m := metav1.ObjectMeta{
			Namespace: rapid.SampledFrom([]string{"x", "y", "", "default"}).Draw(t, "namespace"),
			Labels:    rapid.MapOfN(name, rapid.SampledFrom([]string{"", "v"}), 0, 2).Draw(t, "labels"),
		}
		if rapid.IntRange(0, 2).Draw(t, "generated") == 0 {
			m.GenerateName = "g-"
		} else {
			m.Name = rapid.StringMatching("[a-c][0-9]{1,3}").Draw(t, "name")
		}
		if rapid.IntRange(0, 60).Draw(t, "bad") == 0 {
			m.Labels = map[string]string{"a b": "", "c d": "e f"}
		}
		return m
	}
	owned := func(m metav1.ObjectMeta, kinds ...string) metav1.ObjectMeta {
		if rapid.Bool().Draw(t, "owned") {
			yes := true
			m.OwnerReferences = []metav1.OwnerReference{{
				Controller: &yes, APIVersion: "apps/v1", Kind: rapid.SampledFrom(kinds).Draw(t, "ownerKind"),
				Name: rapid.StringMatching("[a-c][0-9]").Draw(t, "owner"), UID: "u",
			}}
		}
		return m
	}
	spec := func() corev1.PodSpec {
		return corev1.PodSpec{NodeName: name.Draw(t, "node"), HostNetwork: rapid.Bool().Draw(t, "hostNetwork")}
	}
	c := &Cluster{}
	for range rapid.IntRange(0, 3).Draw(t, "namespaces") {
		insert(c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: rapid.SampledFrom([]string{"x", "y", "w", "u", "v"}).Draw(t, "name")}})
	}
	for range rapid.IntRange(0, 2).Draw(t, "nodes") {
		insert(c, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: rapid.StringMatching("[a-c][0-9]?").Draw(t, "name")}})
	}
	for range rapid.IntRange(0, 6).Draw(t, "pods") {
		p := &corev1.Pod{ObjectMeta: owned(meta(), "ReplicaSet", "StatefulSet"), Spec: spec()}
		p.Status.HostIP = rapid.SampledFrom([]string{"", "192.168.0.1", "192.168.0.2"}).Draw(t, "hostIP")
		p.Status.Phase = rapid.SampledFrom([]corev1.PodPhase{"", "Failed"}).Draw(t, "phase")
		insert(c, p)
	}
	for range rapid.IntRange(0, 2).Draw(t, "deployments") {
		d := &appsv1.Deployment{ObjectMeta: meta()}
		d.Spec.Template.Spec = spec()
		insert(c, d)
	}
	for range rapid.IntRange(0, 2).Draw(t, "replicaSets") {
		insert(c, &appsv1.ReplicaSet{ObjectMeta: owned(meta(), "Deployment")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "services") {
		s := &corev1.Service{ObjectMeta: meta()}
		s.Spec.Ports = []corev1.ServicePort{{Port: rapid.Int32Range(1, 2).Draw(t, "port")}}
		insert(c, s)
		if rapid.Bool().Draw(t, "endpoints") {
			e := &endpoints{ObjectMeta: *s.ObjectMeta.DeepCopy()}
			e.Subsets = slices.Grow(e.Subsets, 1)[:1]
			e.Subsets[0].Addresses = slices.Grow(e.Subsets[0].Addresses, 1)[:1]
			e.Subsets[0].Addresses[0].IP = rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2"}).Draw(t, "ip")
			e.Subsets[0].Ports = slices.Grow(e.Subsets[0].Ports, 1)[:1]
			e.Subsets[0].Ports[0].Port = 80
			insert(c, e)
		}
		for range rapid.IntRange(0, 2).Draw(t, "slices") {
			e := &discoveryv1.EndpointSlice{ObjectMeta: meta(), AddressType: "IPv4"}
			e.Namespace, e.Labels = s.Namespace, map[string]string{"kubernetes.io/service-name": s.Name}
			e.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2"}).Draw(t, "ip")}}}
			e.Endpoints[0].Conditions.Ready = new(rapid.Bool().Draw(t, "ready"))
			e.Ports = []discoveryv1.EndpointPort{{Port: new(int32(80))}}
			insert(c, e)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "ingresses") {
		in := &networkingv1.Ingress{ObjectMeta: meta()}
		in.Spec.Rules = []networkingv1.IngressRule{{Host: rapid.StringMatching("[a-c][.]d").Draw(t, "host")}}
		insert(c, in)
	}
	for range rapid.IntRange(0, 3).Draw(t, "policies") {
		np := genPolicy.Draw(t, "policy")
		np.ObjectMeta = meta()
		insert(c, np)
	}
	return c
})

// permuted returns a Cluster with the objects of c in another order.
func permuted(t *rapid.T, c *Cluster) *Cluster {
	d := *c
	d.Namespaces = rapid.Permutation(c.Namespaces).Draw(t, "namespaces")
	d.Nodes = rapid.Permutation(c.Nodes).Draw(t, "nodes")
	d.Pods = rapid.Permutation(c.Pods).Draw(t, "pods")
	d.Deployments = rapid.Permutation(c.Deployments).Draw(t, "deployments")
	d.ReplicaSets = rapid.Permutation(c.ReplicaSets).Draw(t, "replicaSets")
	d.Services = rapid.Permutation(c.Services).Draw(t, "services")
	d.EndpointSlices = rapid.Permutation(c.EndpointSlices).Draw(t, "slices")
	d.Endpoints = rapid.Permutation(c.Endpoints).Draw(t, "endpoints")
	d.Ingresses = rapid.Permutation(c.Ingresses).Draw(t, "ingresses")
	d.Policies = rapid.Permutation(c.Policies).Draw(t, "policies")
	return &d
}

// The Model of a Cluster, or its errors, depend on what the Cluster holds and
// not on the order in which it does; and Model changes none of it.
//
// This is what makes every answer of the module reproducible. A map that is
// walked on the way to a result shows up here.
func TestModelDoesNotDependOnOrder(t *testing.T) {
	models, failures, listed := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := genCluster.Draw(t, "cluster")
		var before []*corev1.Pod
		for _, p := range c.Pods {
			before = append(before, p.DeepCopy())
		}
		want, wantErr := c.Model()
		require.Equal(t, before, c.Pods, "an API object has changed")
		got, gotErr := permuted(t, c).Model()
		if wantErr != nil {
			failures++
			require.Nil(t, want)
			require.EqualError(t, gotErr, wantErr.Error())
			return
		}
		models++
		require.NoError(t, gotErr)
		require.Equal(t, want, got)

		require.True(t, slices.IsSortedFunc(want.Pods, func(a, b Pod) int {
			return strings.Compare(a.Name.String()+" "+a.Kind, b.Name.String()+" "+b.Kind)
		}), "pods are sorted")
		for _, s := range want.Services {
			listed += len(s.Endpoints)
		}
		names := map[types.NamespacedName]bool{}
		for _, p := range want.Policies {
			require.False(t, names[p.Name], "two policies are called %s", p.Name)
			names[p.Name] = true
		}
		namespaces := map[string]bool{}
		for _, ns := range want.Namespaces {
			require.False(t, namespaces[ns.Name], "two namespaces are called %s", ns.Name)
			require.Equal(t, ns.Name, ns.Labels["kubernetes.io/metadata.name"])
			namespaces[ns.Name] = true
		}
		for _, p := range want.Pods {
			require.True(t, namespaces[p.Name.Namespace], "the namespace of %s is missing", p.Name)
		}
	})
	assert.NotZero(t, models)
	assert.NotZero(t, failures)
	assert.NotZero(t, listed)
}

// Model leaves the labels of a Namespace as they are, and what it returns does
// not share lists with the Cluster.
func TestModelKeepsTheCluster(t *testing.T) {
	c := clusterOf(t, "Namespace a: {metadata: {labels: {kubernetes.io/metadata.name: b}}}")
	c.Warnings = make([]Warning, 1, 8)
	before := maps.Clone(c.Namespaces[1].Labels)
	m, err := c.Model()
	require.NoError(t, err)
	assert.Equal(t, before, c.Namespaces[1].Labels)
	m.Warnings[0].Code = "changed"
	assert.Empty(t, c.Warnings[0].Code)
	assert.Equal(t, Warning{}, c.Warnings[:2][1])
}

func TestErrorsAs(t *testing.T) {
	_, err := clusterOf(t, "Pod a: {status: {phase: x}}").Model()
	var e *Error
	require.True(t, errors.As(err, &e))
	assert.Equal(t, "status.phase", e.Field)
}

func BenchmarkModel(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("pods=%d", n), func(b *testing.B) {
			c := &Cluster{Namespaces: []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "x"}}}}
			yes := true
			for i := range n {
				p := &corev1.Pod{}
				p.Namespace, p.Name = "x", fmt.Sprintf("pod-%d", i)
				p.Labels = map[string]string{"app": fmt.Sprintf("app-%d", i%100), "pod-template-hash": "abc"}
				p.OwnerReferences = []metav1.OwnerReference{{Controller: &yes, APIVersion: "apps/v1", Kind: "ReplicaSet", Name: fmt.Sprintf("app-%d-abc", i%100)}}
				p.Spec.NodeName = fmt.Sprintf("node-%d", i%50)
				p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}
				p.Status.PodIPs = []corev1.PodIP{{IP: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)}}
				p.Status.HostIPs = []corev1.HostIP{{IP: fmt.Sprintf("192.168.0.%d", i%50)}}
				c.Pods = append(c.Pods, p)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Model(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
