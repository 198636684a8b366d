package policy

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A kind is a kind of objects that a Cluster holds.
type kind struct {
	apiVersion, name string
	global           bool   // not in a namespace
	located          bool   // the lines of all fields are kept, for what is found out later
	reads            fields // what is looked into; nil for everything, and then unknown fields are errors
	object           reflect.Type
	shape            func() *shape // of object
	make             func() metav1.Object
	add              func(*Cluster, metav1.Object)
	join             func(to, from *Cluster)

	// For edits.
	objects func(*Cluster) iter.Seq[metav1.Object]
	find    func(c *Cluster, namespace, name string) int // -1 for none
	copy    func(*Cluster)                               // the list
	set     func(c *Cluster, i int, obj metav1.Object)   // nil to take it away
	relabel func(c *Cluster, i int, labels map[string]string)
}

// kindIn makes the kind of the objects in a list of a Cluster.
func kindIn[T any, P interface {
	*T
	metav1.Object
}](apiVersion string, reads fields, list func(*Cluster) *[]P) kind {
	object := reflect.TypeFor[T]()
	return kind{
		apiVersion: apiVersion,
		name:       object.Name(),
		reads:      reads,
		object:     object,
		shape:      sync.OnceValue(func() *shape { return shapeOf(make(typeTable), object, reads) }),
		make:       func() metav1.Object { return P(new(T)) },
		add: func(c *Cluster, obj metav1.Object) {
			l := list(c)
			*l = append(*l, obj.(P))
		},
		join: func(to, from *Cluster) {
			l := list(to)
			*l = append(*l, *list(from)...)
		},
		objects: func(c *Cluster) iter.Seq[metav1.Object] {
			return func(yield func(metav1.Object) bool) {
				for _, obj := range *list(c) {
					if obj != nil && !yield(obj) {
						return
					}
				}
			}
		},
		find: func(c *Cluster, namespace, name string) int {
			return slices.IndexFunc(*list(c), func(obj P) bool {
				return obj != nil && obj.GetName() == name && namespaceOf(obj) == namespace
			})
		},
		copy: func(c *Cluster) {
			l := list(c)
			*l = slices.Clone(*l)
		},
		set: func(c *Cluster, i int, obj metav1.Object) {
			l := list(c)
			if obj == nil {
				*l = slices.Delete(*l, i, i+1)
			} else {
				(*l)[i] = obj.(P)
			}
		},
		relabel: func(c *Cluster, i int, labels map[string]string) {
			obj := *(*list(c))[i]
			P(&obj).SetLabels(labels)
			(*list(c))[i] = &obj
		},
	}
}

// everywhere returns k as a kind that is not in a namespace.
func everywhere(k kind) kind {
	k.global = true
	return k
}

// located returns k as a kind of which the lines of all fields are kept.
func located(k kind) kind {
	k.located = true
	return k
}

// What is read of the kinds: a plan for each, by the names of fields. A name
// without names below it stands for everything in it.
var (
	metadataFields = fields{
		"name": nil, "generateName": nil, "namespace": nil, "uid": nil,
		"labels":            nil,
		"deletionTimestamp": nil,
		"ownerReferences":   {"apiVersion": nil, "kind": nil, "name": nil, "uid": nil, "controller": nil},
	}
	containerFields = fields{
		"name": nil, "restartPolicy": nil,
		"ports": {"name": nil, "hostPort": nil, "containerPort": nil, "protocol": nil, "hostIP": nil},
	}
	podSpecFields = fields{
		"nodeName": nil, "hostNetwork": nil,
		"containers": containerFields, "initContainers": containerFields,
	}
	addressFields  = fields{"ip": nil}
	templateFields = fields{"metadata": metadataFields, "spec": podSpecFields}
	workloadFields = fields{"metadata": metadataFields, "spec": {"template": templateFields}}

	endpointFields = fields{"ip": nil, "nodeName": nil}
	backendFields  = fields{
		"service":  {"name": nil, "port": {"name": nil, "number": nil}},
		"resource": {"kind": nil, "name": nil},
	}
)

// kinds are the kinds that a Cluster holds, in the order of its fields.
var kinds = []kind{
	everywhere(kindIn("v1", fields{"metadata": metadataFields},
		func(c *Cluster) *[]*corev1.Namespace { return &c.Namespaces })),
	everywhere(kindIn("v1", fields{
		"metadata": metadataFields,
		"spec":     {"podCIDR": nil, "podCIDRs": nil},
		"status":   {"addresses": {"type": nil, "address": nil}},
	}, func(c *Cluster) *[]*corev1.Node { return &c.Nodes })),
	kindIn("v1", fields{
		"metadata": metadataFields,
		"spec":     podSpecFields,
		"status": {
			"phase": nil, "podIP": nil, "podIPs": addressFields, "hostIP": nil, "hostIPs": addressFields,
			"conditions": {"type": nil, "status": nil},
		},
	}, func(c *Cluster) *[]*corev1.Pod { return &c.Pods }),
	kindIn("apps/v1", workloadFields, func(c *Cluster) *[]*appsv1.Deployment { return &c.Deployments }),
	kindIn("apps/v1", workloadFields, func(c *Cluster) *[]*appsv1.ReplicaSet { return &c.ReplicaSets }),
	kindIn("apps/v1", workloadFields, func(c *Cluster) *[]*appsv1.StatefulSet { return &c.StatefulSets }),
	kindIn("apps/v1", workloadFields, func(c *Cluster) *[]*appsv1.DaemonSet { return &c.DaemonSets }),
	kindIn("batch/v1", workloadFields, func(c *Cluster) *[]*batchv1.Job { return &c.Jobs }),
	kindIn("batch/v1", fields{
		"metadata": metadataFields,
		"spec":     {"jobTemplate": {"spec": {"template": templateFields}}},
	}, func(c *Cluster) *[]*batchv1.CronJob { return &c.CronJobs }),
	kindIn("v1", workloadFields,
		func(c *Cluster) *[]*corev1.ReplicationController { return &c.ReplicationControllers }),
	located(kindIn("v1", fields{
		"metadata": metadataFields,
		"spec": {
			"type": nil, "selector": nil,
			"ports":     {"name": nil, "protocol": nil, "port": nil, "targetPort": nil, "nodePort": nil},
			"clusterIP": nil, "clusterIPs": nil, "externalIPs": nil, "externalName": nil,
			"ipFamilies": nil, "ipFamilyPolicy": nil,
			"internalTrafficPolicy": nil, "externalTrafficPolicy": nil,
			"publishNotReadyAddresses": nil,
			"loadBalancerSourceRanges": nil, "allocateLoadBalancerNodePorts": nil, "loadBalancerClass": nil,
			"sessionAffinity": nil, "healthCheckNodePort": nil,
		},
		"status": {"loadBalancer": {"ingress": {"ip": nil, "hostname": nil, "ipMode": nil}}},
	}, func(c *Cluster) *[]*corev1.Service { return &c.Services })),
	kindIn("discovery.k8s.io/v1", fields{
		"metadata":    metadataFields,
		"addressType": nil,
		"endpoints": {
			"addresses": nil, "nodeName": nil,
			"conditions": {"ready": nil, "serving": nil, "terminating": nil},
		},
		"ports": {"name": nil, "protocol": nil, "port": nil},
	}, func(c *Cluster) *[]*discoveryv1.EndpointSlice { return &c.EndpointSlices }),
	kindIn("v1", fields{
		"metadata": metadataFields,
		"subsets": {
			"addresses": endpointFields, "notReadyAddresses": endpointFields,
			"ports": {"name": nil, "protocol": nil, "port": nil},
		},
	}, func(c *Cluster) *[]*endpoints { return &c.Endpoints }),
	everywhere(kindIn("networking.k8s.io/v1", fields{
		"metadata": metadataFields,
		"spec":     {"cidrs": nil},
	}, func(c *Cluster) *[]*networkingv1.ServiceCIDR { return &c.ServiceCIDRs })),
	located(kindIn("networking.k8s.io/v1", fields{
		"metadata": metadataFields,
		"spec": {
			"defaultBackend": backendFields,
			"rules":          {"host": nil, "http": {"paths": {"path": nil, "pathType": nil, "backend": backendFields}}},
		},
	}, func(c *Cluster) *[]*networkingv1.Ingress { return &c.Ingresses })),
	located(kindIn("networking.k8s.io/v1", nil,
		func(c *Cluster) *[]*networkingv1.NetworkPolicy { return &c.Policies })),
}

var kindNames = func() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}()

// A refusal says why objects of a kind cannot be passed over.
type refusal struct {
	field  string // "kind" or "apiVersion"
	text   string
	accept bool // Loader.Accept can allow it
}

// lookUp returns the kind called name of apiVersion. It returns neither a kind
// nor a refusal for those that have no bearing on what can reach what.
//
// It fails closed: a misspelled policy must not vanish among these.
func lookUp(apiVersion, name string) (*kind, *refusal) {
	for i := range kinds {
		if k := &kinds[i]; k.apiVersion == apiVersion && k.name == name {
			return k, nil
		}
	}
	group := apiGroup(apiVersion)
	if ofKubernetes(group) {
		if k := meant(name); k != nil && k.name == name {
			return nil, &refusal{
				field: "apiVersion",
				text:  fmt.Sprintf("%s has no %s: want apiVersion: %s", quote(apiVersion), name, k.apiVersion),
			}
		} else if k != nil {
			return nil, &refusal{
				field: "kind",
				text:  fmt.Sprintf("unknown kind %s: did you mean %s of %s?", quote(name), k.name, k.apiVersion),
			}
		}
	}
	full := qualified(name, group)
	lower := strings.ToLower(name)
	switch {
	case strings.Contains(lower, "networkpol"), slices.Contains(unmodeled, name), full == "Template.template.openshift.io":
		return nil, &refusal{
			field: "kind",
			text: fmt.Sprintf("a %s changes what can reach what and is not modeled: "+
				"to leave it out of the answers, list %q in Loader.Accept", shorten(name), full),
			accept: true,
		}
	}
	if others, ok := otherKinds[group]; ok && !slices.Contains(others, strings.TrimSuffix(name, "List")) {
		return nil, &refusal{
			field: "kind",
			text:  fmt.Sprintf("unknown kind %s of %s", quote(name), apiVersion),
		}
	}
	return nil, nil
}

// unmodeled are kinds, besides those with NetworkPolicy in their names, that
// change what can reach what, whatever their group.
var unmodeled = []string{"AuthorizationPolicy", "EgressFirewall", "MeshTrafficPermission"}

// otherKinds are the kinds without bearing, in the groups of those that have
// one. A kind that is not among them is a misspelled or a new one, which could
// change the answers.
var otherKinds = map[string][]string{
	"": {
		"Binding", "ComponentStatus", "ConfigMap", "Event", "LimitRange", "PersistentVolume",
		"PersistentVolumeClaim", "PodTemplate", "ResourceQuota", "Secret", "ServiceAccount",
	},
	"apps":              {"ControllerRevision"},
	"batch":             {},
	"discovery.k8s.io":  {},
	"networking.k8s.io": {"IngressClass", "IPAddress"},
}

// meant returns the kind that name is, or of which it is probably a plural or
// a misspelling, or nil.
func meant(name string) *kind {
	i := slices.Index(kindNames, name)
	for _, s := range []string{name, strings.TrimSuffix(name, "s"), strings.TrimSuffix(name, "ies") + "y"} {
		if near := nearest(s, kindNames); i < 0 && near != "" {
			i = slices.Index(kindNames, near)
		}
	}
	if i < 0 {
		return nil
	}
	return &kinds[i]
}

func apiGroup(apiVersion string) string {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return group
}

// qualified returns kind and group as in Loader.Accept and Cluster.Skipped.
func qualified(kind, group string) string {
	if group == "" {
		return kind
	}
	return kind + "." + group
}

// ofKubernetes reports whether the group belongs to Kubernetes itself.
func ofKubernetes(group string) bool {
	return !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
}
