package reach

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A patch is what edits change in the normal form of a cluster. It holds the new
// values; nil stands for what is gone.
type patch struct {
	policies   map[types.NamespacedName]*policy.Policy
	pods       map[int32]*policy.Pod // by index, with all their labels
	removed    map[int32]bool        // by index
	added      []*policy.Pod         // with all their labels
	shift      *shift                // nil as long as the indices are those before the edits
	namespaces map[int32]map[string]string
	services   map[types.NamespacedName]*policy.Service
	ingresses  map[types.NamespacedName]*policy.IngressObject
}

// patchOf returns what edits change that have made c of g.cluster. It reports
// false if they change more than a patch can say, or if an object is faulty.
func (g *Graph) patchOf(c *policy.Cluster, edits []policy.Edit) (*patch, bool) {
	p := &patch{
		policies:   make(map[types.NamespacedName]*policy.Policy),
		pods:       make(map[int32]*policy.Pod),
		removed:    make(map[int32]bool),
		namespaces: make(map[int32]map[string]string),
		services:   make(map[types.NamespacedName]*policy.Service),
		ingresses:  make(map[types.NamespacedName]*policy.IngressObject),
	}
	type object struct {
		kind string
		name types.NamespacedName
	}
	done := make(map[object]bool)
	for _, e := range edits {
		kind, name := e.Object()
		switch kind {
		case "Namespace", "Node", "ServiceCIDR":
			name.Namespace = ""
		default:
			name.Namespace = cmp.Or(name.Namespace, metav1.NamespaceDefault)
		}
		o := object{kind, name}
		if kind == "" || done[o] {
			continue
		}
		done[o] = true
		if name.Name == "" || !p.add(g, c, kind, name) {
			return nil, false
		}
	}
	return p, true
}

// add adds what has become of one object. Its namespace is filled in.
func (p *patch) add(g *Graph, c *policy.Cluster, kind string, name types.NamespacedName) bool {
	if kind == "NetworkPolicy" {
		return p.addPolicy(c, name)
	}
	before, ok := only(g.cluster, kind, name)
	after, known := only(c, kind, name)
	if !ok || !known {
		return false
	}
	x, errX := before.Model()
	y, errY := after.Model()
	if errX != nil || errY != nil {
		return false
	}
	switch kind {
	case "Namespace":
		return p.addNamespace(g, name.Name, x, y)
	case "Node":
		return reflect.DeepEqual(x.Nodes, y.Nodes) && x.PodCIDRs.Equal(y.PodCIDRs)
	case "ServiceCIDR":
		return x.ServiceCIDRs.Equal(y.ServiceCIDRs)
	case "Service":
		return p.addService(g, c, name)
	case "EndpointSlice", "Endpoints":
		return p.addEndpoints(g, c, name, [...]*policy.Model{x, y}, before, after)
	case "Ingress":
		p.ingresses[name] = nil
		if len(y.Ingresses) > 0 {
			p.ingresses[name] = y.Ingresses[0]
		}
		return true
	}
	return p.addPod(g, c, kind, name, x, y, before, after)
}

// addPolicy adds a policy. It leaves those to Compile that stand in a namespace of
// which there is no object: they alone can make it known.
func (p *patch) addPolicy(c *policy.Cluster, name types.NamespacedName) bool {
	if !hasNamespace(c, name.Namespace) {
		return false
	}
	p.policies[name] = nil
	if np := find(c.Policies, name); np != nil {
		n, err := policy.New(np)
		if err != nil || c.Place(np, "").File != "" {
			return false // there is more to say about it
		}
		p.policies[name] = n
	}
	return true
}

// addNamespace adds the labels of a namespace that there is before and after.
func (p *patch) addNamespace(g *Graph, name string, before, after *policy.Model) bool {
	if len(before.Namespaces) == 0 && len(after.Namespaces) == 0 {
		return true
	}
	i, ok := slices.BinarySearchFunc(g.namespaces, name, func(ns policy.Namespace, name string) int { return cmp.Compare(ns.Name, name) })
	if !ok {
		return false
	}
	labels := map[string]string{corev1.LabelMetadataName: name}
	if len(after.Namespaces) > 0 {
		labels = after.Namespaces[0].Labels
	} else if !g.hasPods(name) {
		return false
	}
	p.namespaces[int32(i)] = labels
	return true
}

func (f *facts) hasPods(namespace string) bool {
	for range f.podsIn(namespace) {
		return true
	}
	return false
}

// addPod adds what has become of a pod or workload.
func (p *patch) addPod(g *Graph, c *policy.Cluster, kind string, name types.NamespacedName, x, y *policy.Model, before, after *policy.Cluster) bool {
	if len(x.Pods) == 0 && len(y.Pods) == 0 {
		return true
	}
	if !staysInPlace(x, y, before, after) {
		return p.removePod(g, c, kind, name, x, before) && p.joinPod(g, c, kind, name, y, after)
	}
	if i, ok := g.podOf(kind, name); ok {
		pod := g.pods[i]
		n := &y.Pods[0]
		pod.Labels, pod.Ports, pod.Generated = n.Labels, n.Ports, n.Generated
		pod.Ready, pod.Pending, pod.Terminating = n.Ready, n.Pending, n.Terminating
		p.pods[i] = &pod
	} // else others stand for the workload
	return true
}

// staysInPlace reports whether a pod or workload is there before and after and
// differs in nothing that tells where it is or which workload it belongs to.
func staysInPlace(x, y *policy.Model, before, after *policy.Cluster) bool {
	if len(x.Pods) != 1 || len(y.Pods) != 1 || !reflect.DeepEqual(x.Nodes, y.Nodes) {
		return false
	}
	place := func(p policy.Pod) policy.Pod {
		p.Labels, p.Ports, p.Generated = nil, nil, nil
		p.Ready, p.Pending, p.Terminating = false, false, false
		return p
	}
	if !reflect.DeepEqual(place(x.Pods[0]), place(y.Pods[0])) || !reflect.DeepEqual(ownersIn(before), ownersIn(after)) {
		return false
	}
	if len(before.Pods) == 0 {
		return true
	}
	a, b := &before.Pods[0].Status, &after.Pods[0].Status
	return a.HostIP == b.HostIP && slices.Equal(a.HostIPs, b.HostIPs)
}

// removePod takes away a pod or workload, if there is one.
func (p *patch) removePod(g *Graph, c *policy.Cluster, kind string, name types.NamespacedName, x *policy.Model, before *policy.Cluster) bool {
	if len(x.Pods) == 0 {
		return true
	}
	i, ok := g.podOf(kind, name)
	if _, stands := p.standsAlone(g, c, kind, name, before); !ok || !stands {
		return false
	}
	for _, n := range x.Nodes {
		m, err := (&policy.Cluster{Nodes: one(c.Nodes, types.NamespacedName{Name: n.Name})}).Model()
		if err != nil || len(m.Nodes) == 0 || !holdsAll(m.Nodes[0].Addrs, n.Addrs) {
			return false // nothing else may know as much of the node
		}
	}
	p.removed[i] = true
	return true
}

// joinPod adds a pod or workload, if there is one.
func (p *patch) joinPod(g *Graph, c *policy.Cluster, kind string, name types.NamespacedName, y *policy.Model, after *policy.Cluster) bool {
	if len(y.Pods) == 0 {
		return true
	}
	pod := y.Pods[0]
	owner, stands := p.standsAlone(g, c, kind, name, after)
	if !stands || pod.Terminated || pod.HostNetwork {
		return false
	}
	if kind == "Pod" && pod.Node == "" && (after.Pods[0].Status.HostIP != "" || len(after.Pods[0].Status.HostIPs) > 0) {
		return false // the address may tell the node
	}
	for _, n := range y.Nodes {
		id, ok := g.node(n.Name)
		if !ok || !holdsAll(g.nodes[id-g.first.node].Addrs, n.Addrs) {
			return false
		}
	}
	pod.Owner = owner
	p.added = append(p.added, &pod)
	return true
}

func holdsAll(list, some []netip.Addr) bool {
	return !slices.ContainsFunc(some, func(a netip.Addr) bool { return !slices.Contains(list, a) })
}

// standsAlone reports whether a pod or workload, which is the one of own, can come
// or go and change nothing else: neither the namespaces that are known, nor which
// pods and workloads belong together. It returns the owner of a pod.
func (p *patch) standsAlone(g *Graph, c *policy.Cluster, kind string, name types.NamespacedName, own *policy.Cluster) (policy.Owner, bool) {
	if !hasNamespace(c, name.Namespace) || !hasNamespace(g.cluster, name.Namespace) {
		return policy.Owner{}, false
	}
	owners := ownersIn(own)
	if kind != "Pod" {
		return policy.Owner{}, len(owners) == 0 && !owns(g.cluster, kind, name) && !owns(c, kind, name)
	}
	if len(owners) == 0 {
		return policy.Owner{}, true
	}
	// Another pod of the same workload must be there before and after.
	const hash = appsv1.DefaultDeploymentUniqueLabelKey
	for _, other := range c.Pods {
		if other == nil || other.Name == "" || other.Name == name.Name || cmp.Or(other.Namespace, metav1.NamespaceDefault) != name.Namespace {
			continue
		}
		i, ok := g.podOf("Pod", types.NamespacedName{Namespace: name.Namespace, Name: other.Name})
		if ok && !g.pods[i].Terminated && find(g.cluster.Pods, g.pods[i].Name) == other &&
			other.Labels[hash] == own.Pods[0].Labels[hash] && reflect.DeepEqual(other.OwnerReferences, owners) {
			return g.pods[i].Owner, true
		}
	}
	return policy.Owner{}, false
}

// owns reports whether a workload owns something in c.
func owns(c *policy.Cluster, kind string, name types.NamespacedName) bool {
	return owned(c.Pods, kind, name) || owned(c.ReplicaSets, kind, name) || owned(c.Jobs, kind, name)
}

func owned[T any, P interface {
	*T
	metav1.Object
}](list []P, kind string, name types.NamespacedName) bool {
	return slices.ContainsFunc(list, func(o P) bool {
		return o != nil && cmp.Or(o.GetNamespace(), metav1.NamespaceDefault) == name.Namespace &&
			slices.ContainsFunc(o.GetOwnerReferences(), func(ref metav1.OwnerReference) bool {
				// A ReplicaSet or Job that is not there names its maker.
				return ref.Kind == kind && ref.Name == name.Name || strings.HasPrefix(ref.Name, name.Name+"-")
			})
	})
}

// hasNamespace reports whether there is a Namespace of that name. Without one, what
// is in a namespace makes it known.
func hasNamespace(c *policy.Cluster, name string) bool {
	return slices.ContainsFunc(c.Namespaces, func(ns *corev1.Namespace) bool { return ns != nil && ns.Name == name })
}

// podOf returns the index of the pod, or of the workload that stands for its pods.
func (f *facts) podOf(kind string, name types.NamespacedName) (int32, bool) {
	i, ok := slices.BinarySearchFunc(f.pods, policy.Pod{Kind: kind, Name: name}, func(a, b policy.Pod) int { return comparePods(&a, &b) })
	return int32(i), ok
}

func comparePods(a, b *policy.Pod) int {
	return cmp.Or(compareNames(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// ownersIn returns the owners of the one pod or workload of c.
func ownersIn(c *policy.Cluster) []metav1.OwnerReference {
	for _, list := range [...][]metav1.Object{
		objects(c.Pods), objects(c.Deployments), objects(c.ReplicaSets), objects(c.StatefulSets),
		objects(c.DaemonSets), objects(c.Jobs), objects(c.CronJobs), objects(c.ReplicationControllers),
	} {
		for _, o := range list {
			return o.GetOwnerReferences()
		}
	}
	return nil
}

func objects[P metav1.Object](list []P) []metav1.Object {
	var all []metav1.Object
	for _, o := range list {
		all = append(all, o)
	}
	return all
}

// addService adds a Service with all that lists its endpoints. It leaves to Compile
// those whose source ranges come, go or change: they tell addresses apart.
func (p *patch) addService(g *Graph, c *policy.Cluster, name types.NamespacedName) bool {
	s, ok := serviceIn(c, name)
	if !ok || s != nil && g.profile.admit([]*policy.Service{s}) != nil {
		return false
	}
	before, after := new(policy.Service), cmp.Or(s, new(policy.Service))
	if i, ok := g.services.find(name); ok {
		before = g.services.list[i].Service
	}
	for f := range families {
		if before.HasRanges[f] != after.HasRanges[f] || before.HasRanges[f] && !before.SourceRanges[f].Equal(after.SourceRanges[f]) {
			return false
		}
	}
	p.services[name] = s
	return true
}

// serviceIn returns the normal form of a Service of c, or nil if there is none.
func serviceIn(c *policy.Cluster, name types.NamespacedName) (*policy.Service, bool) {
	svc := find(c.Services, name)
	if svc == nil {
		return nil, true
	}
	own := policy.Cluster{Services: append(c.Services[:0:0], svc)}
	for _, e := range c.EndpointSlices {
		if e != nil && e.Labels[discoveryv1.LabelServiceName] == name.Name && cmp.Or(e.Namespace, metav1.NamespaceDefault) == name.Namespace {
			if e.Name == "" {
				return nil, false // its place among the others depends on others
			}
			own.EndpointSlices = append(own.EndpointSlices, e)
		}
	}
	if e := find(c.Endpoints, name); e != nil {
		own.Endpoints = append(own.Endpoints, e)
	}
	m, err := own.Model()
	if err != nil {
		return nil, false
	}
	return m.Services[0], true
}

// addEndpoints adds the Services that a list of endpoints was for, and is for now.
// The nodes that it mentions must stay known, and be known.
func (p *patch) addEndpoints(g *Graph, c *policy.Cluster, name types.NamespacedName, models [2]*policy.Model, before, after *policy.Cluster) bool {
	mentioned := make(map[string]bool)
	for _, n := range models[1].Nodes {
		if _, ok := g.node(n.Name); !ok {
			return false
		}
		mentioned[n.Name] = true
	}
	for _, n := range models[0].Nodes {
		if id, ok := g.node(n.Name); !mentioned[n.Name] && (!ok || g.nodes[id-g.first.node].Mentioned) {
			return false
		}
	}
	services := []string{name.Name}
	for _, c := range [...]*policy.Cluster{before, after} {
		for _, e := range c.EndpointSlices {
			services = append(services, e.Labels[discoveryv1.LabelServiceName])
		}
	}
	if len(before.EndpointSlices)+len(after.EndpointSlices) > 0 {
		services = services[1:]
	}
	for _, s := range services {
		if s != "" && !p.addService(g, c, types.NamespacedName{Namespace: name.Namespace, Name: s}) {
			return false
		}
	}
	return true
}

// only returns a Cluster that holds no object of c but that of a kind and name, if
// there is one. It reports false for a kind that it does not know.
func only(c *policy.Cluster, kind string, name types.NamespacedName) (*policy.Cluster, bool) {
	var own policy.Cluster
	switch kind {
	case "Namespace":
		own.Namespaces = one(c.Namespaces, name)
	case "Node":
		own.Nodes = one(c.Nodes, name)
	case "Pod":
		own.Pods = one(c.Pods, name)
	case "Deployment":
		own.Deployments = one(c.Deployments, name)
	case "ReplicaSet":
		own.ReplicaSets = one(c.ReplicaSets, name)
	case "StatefulSet":
		own.StatefulSets = one(c.StatefulSets, name)
	case "DaemonSet":
		own.DaemonSets = one(c.DaemonSets, name)
	case "Job":
		own.Jobs = one(c.Jobs, name)
	case "CronJob":
		own.CronJobs = one(c.CronJobs, name)
	case "ReplicationController":
		own.ReplicationControllers = one(c.ReplicationControllers, name)
	case "Service":
		own.Services = one(c.Services, name)
	case "EndpointSlice":
		own.EndpointSlices = one(c.EndpointSlices, name)
	case "Endpoints":
		own.Endpoints = one(c.Endpoints, name)
	case "ServiceCIDR":
		own.ServiceCIDRs = one(c.ServiceCIDRs, name)
	case "Ingress":
		own.Ingresses = one(c.Ingresses, name)
	default:
		return nil, false
	}
	return &own, true
}

// one returns a list of the object of that name, or an empty one.
func one[T any, P interface {
	*T
	metav1.Object
}](list []P, name types.NamespacedName) []P {
	if obj := find(list, name); obj != nil {
		return []P{obj}
	}
	return nil
}

// find returns the object of that name, or nil.
func find[T any, P interface {
	*T
	metav1.Object
}](list []P, name types.NamespacedName) P {
	namespace := func(o P) string {
		if name.Namespace == "" {
			return "" // the kind is in none
		}
		return cmp.Or(o.GetNamespace(), metav1.NamespaceDefault)
	}
	for _, o := range list {
		if o != nil && o.GetName() == name.Name && namespace(o) == name.Namespace {
			return o
		}
	}
	return nil
}

// trimmed returns labels, and keys of labels, without those that no selector of
// pods mentions.
func (co *compiler) trimmed(labels map[string]string, keys []string) (map[string]string, []string) {
	labels = maps.Clone(labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return !co.keys[key] })
	var few []string
	for _, key := range keys {
		if co.keys[key] {
			few = append(few, key)
		}
	}
	return labels, few
}
