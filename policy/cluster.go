package policy

import (
	"net/netip"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Cluster is what is known of a cluster: plain API objects, in any order.
// The zero Cluster is an empty one. [Parse] and [ParseFS] fill a Cluster from
// manifests; a program that has the objects already, from informers say, puts
// its slices into the fields. Nothing in this module changes the objects.
// A Cluster may be copied; the copy shares the objects and knows their places.
//
// Objects without a namespace are in the namespace "default".
type Cluster struct {
	Namespaces []*corev1.Namespace
	Nodes      []*corev1.Node
	Pods       []*corev1.Pod

	// Workloads stand for the pods that they make, unless the Cluster holds
	// some of these pods themselves.
	Deployments            []*appsv1.Deployment
	ReplicaSets            []*appsv1.ReplicaSet
	StatefulSets           []*appsv1.StatefulSet
	DaemonSets             []*appsv1.DaemonSet
	Jobs                   []*batchv1.Job
	CronJobs               []*batchv1.CronJob
	ReplicationControllers []*corev1.ReplicationController

	Services       []*corev1.Service
	EndpointSlices []*discoveryv1.EndpointSlice
	Endpoints      []*corev1.Endpoints //lint:ignore SA1019 They count as EndpointSlices of their Services.
	ServiceCIDRs   []*networkingv1.ServiceCIDR
	Ingresses      []*networkingv1.Ingress

	Policies []*networkingv1.NetworkPolicy

	// Hosts are the addresses of DNS names outside the cluster. Letter case and
	// a final dot do not matter. No manifest has them.
	Hosts map[string][]netip.Addr

	// Skipped counts the objects that were read and passed over, because they
	// have no bearing on reachability, by kind and group: "ConfigMap",
	// "Certificate.cert-manager.io".
	Skipped map[string]int

	// Warnings are what reading found legal but suspicious, in source order.
	Warnings []Warning

	sources map[metav1.Object]*source // where each object was read
}

// A source is the place of one object in the input.
type source struct {
	file  string
	order int            // the object's number in the input, to sort by
	line  int            // the object's first line
	lines map[string]int // of its fields, if its kind is located or it has warnings; else nil
	text  *objectText    // where to find lines, if they are needed
}

// lineOf returns the line of a field, or that of the nearest field around it.
func (s *source) lineOf(field string) int {
	lines := s.lines
	if s.text != nil {
		lines = s.text.lines()
	}
	return nearestLine(lines, field, s.line)
}

// place returns where a field of the object called name stands. The source is
// nil if the object was not read from a file.
func (s *source) place(name, field string) Place {
	at := Place{Object: name, Field: field}
	if s != nil {
		at.File, at.Line = s.file, s.lineOf(field)
	}
	return at
}

// Place returns where the field of obj stands in the input, or if that is not
// known, where the nearest field around it or obj itself does. File and Line
// are zero for an object that was not read from a file, as is a copy of one.
func (c *Cluster) Place(obj metav1.Object, field string) Place {
	return c.sources[obj].place(objectName(obj), field)
}

func (c *Cluster) setSource(obj metav1.Object, s *source) {
	if c.sources == nil {
		c.sources = make(map[metav1.Object]*source)
	}
	c.sources[obj] = s
}

func (c *Cluster) skip(kind string, n int) {
	if c.Skipped == nil {
		c.Skipped = make(map[string]int)
	}
	c.Skipped[kind] += n
}
