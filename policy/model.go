package policy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/selector"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A Model is the normal form of a Cluster: defaults filled in, workloads
// replaced by pods of their templates, missing namespaces added, everything
// validated and sorted by name. Treat it as read-only; it shares nothing with
// the API objects but strings and label maps.
type Model struct {
	Namespaces []Namespace      // by name
	Nodes      []Node           // by name; also those that only pods and EndpointSlices mention
	Pods       []Pod            // by namespace, name and kind
	Services   []*Service       // by namespace and name
	Ingresses  []*IngressObject // by namespace and name
	Policies   []*Policy        // by namespace and name

	ServiceCIDRs cidr.Set                // the addresses that Services get, as far as it is known
	PodCIDRs     cidr.Set                // those that pods get, as far as nodes say
	Hosts        map[string][]netip.Addr // as in the Cluster, addresses unmapped, sorted and each once
	Warnings     []Warning               // of the Cluster, of its objects and of what they mean together
}

// A Namespace is a namespace with all its labels, kubernetes.io/metadata.name
// among them.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// A Node is a node with its addresses.
type Node struct {
	Name      string
	Addrs     []netip.Addr // internal ones, then external ones, in the order of the API object, then what its pods report; unmapped
	Mentioned bool         // there is no Node object
}

// A Pod is a pod, or a workload that stands for the pods it makes.
type Pod struct {
	Kind        string // "Pod", or the kind of the workload
	Name        types.NamespacedName
	Owner       Owner // of a Pod, the outermost workload that made it
	Labels      map[string]string
	Addrs       []netip.Addr // at most one of each family, unmapped; none if unknown
	Node        string       // empty if unknown
	HostNetwork bool
	Terminated  bool // Succeeded or Failed: it has left the network
	Pending     bool // phase Pending
	Ready       bool // of a Pod: its Ready condition, or that it has none and is not Pending; a workload is
	Terminating bool // it is being deleted
	Ports       []ContainerPort

	// Generated are the labels that the controller of a workload adds to its
	// pods. The pods have them, with values that are not known.
	Generated []string
}

// An Owner names a workload. The zero Owner is none.
type Owner struct {
	Kind string // "Deployment"
	Name string // in the namespace of the pod
}

// A ContainerPort is a port that a container of a pod declares under a name.
type ContainerPort struct {
	Name string
	Port Port
	By   ContainerKind
}

// A ContainerKind tells which kind of container declares a port.
type ContainerKind uint8

// The kinds of containers that can declare ports. In the Ports of a [Pod] the
// containers come first, then the sidecars, then the others, each in the order
// of the API object.
const (
	Container     ContainerKind = iota // an ordinary container
	Sidecar                            // an init container with restartPolicy Always
	InitContainer                      // any other init container
)

// Model returns the normal form of c, or everything that is wrong with its
// objects, joined, each an [*Error]: what the API server would refuse, and two
// objects of the same kind and name. Errors and warnings come in the order of
// the input; objects that were not read from a file come last, by kind, in the
// order of the fields of Cluster, and by name; those of Hosts are the very last.
// Nil pointers are passed over.
//
// An object whose name is still to be generated gets one that no object can
// have: its prefix, # and a number.
//
// A workload becomes one Pod of its own Kind and Name, made from its template,
// unless another workload of c controls it, or c holds pods of it that have not
// terminated. Pods and workloads are tied by owner references, and where a
// ReplicaSet or Job in between is missing from c, by how controllers name it.
//
// Model takes time and memory in proportion to c, apart from sorting. What lists
// endpoints counts as many times as it lists ports.
func (c *Cluster) Model() (*Model, error) {
	b := &modelBuilder{
		cluster: c,
		objects: c.objects(),
		byKey:   map[objectKey]*object{},
		hostIPs: map[string][]netip.Addr{},
		strays:  map[types.NamespacedName][]netip.Addr{},
	}
	if err := b.inspect(); err != nil {
		return nil, err
	}
	b.addPods()
	b.addNodes()
	b.addNamespaces()
	b.addServices()
	b.addRanges()
	b.warnOfLabels()

	slices.SortFunc(b.model.Policies, func(x, y *Policy) int { return compareNames(x.Name, y.Name) })
	b.model.Warnings = slices.Concat(c.Warnings, b.model.Warnings)
	m := b.model // without what it was made from
	return &m, nil
}

func compareNames(a, b types.NamespacedName) int {
	if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// A modelBuilder makes the Model of a Cluster, step by step.
type modelBuilder struct {
	cluster *Cluster
	objects []object                              // sorted
	byKey   map[objectKey]*object                 // namespaces, workloads, and what has a name that others have
	hostIPs map[string][]netip.Addr               // of nodes, as their pods know them
	strays  map[types.NamespacedName][]netip.Addr // of pods that name no node, the addresses of the node
	missing []string                              // namespaces without object, sorted
	model   Model

	addrs []netip.Addr    // what is left of the memory for addresses of pods
	ports []ContainerPort // likewise

	lastPorts []ContainerPort // of the pod before
}

// An object is an API object of a Cluster.
type object struct {
	metav1.Object
	key    objectKey
	again  bool    // others of its kind have its name, or have none either
	text   string  // what it holds, if again
	source *source // nil if it was not read from a file
	policy *Policy // the normal form of a NetworkPolicy
}

// An objectKey tells objects apart. The name is filled in even where it is
// still to be generated.
type objectKey struct {
	kind string
	name types.NamespacedName
}

// objects returns the objects of c in an order that does not depend on that in
// the slices: those read from files first, in source order, then the others by
// kind and name.
func (c *Cluster) objects() []object {
	all := make([]object, 0, len(c.Namespaces)+len(c.Nodes)+len(c.Pods)+len(c.Policies)+len(c.Services)+
		len(c.Deployments)+len(c.ReplicaSets)+len(c.EndpointSlices)) // and mostly few others
	all = appendObjects(all, c, c.Namespaces)
	all = appendObjects(all, c, c.Nodes)
	all = appendObjects(all, c, c.Pods)
	all = appendObjects(all, c, c.Deployments)
	all = appendObjects(all, c, c.ReplicaSets)
	all = appendObjects(all, c, c.StatefulSets)
	all = appendObjects(all, c, c.DaemonSets)
	all = appendObjects(all, c, c.Jobs)
	all = appendObjects(all, c, c.CronJobs)
	all = appendObjects(all, c, c.ReplicationControllers)
	all = appendObjects(all, c, c.Services)
	all = appendObjects(all, c, c.EndpointSlices)
	all = appendObjects(all, c, c.Endpoints)
	all = appendObjects(all, c, c.ServiceCIDRs)
	all = appendObjects(all, c, c.Ingresses)
	all = appendObjects(all, c, c.Policies)
	if len(c.sources) > 0 {
		slices.SortStableFunc(all, compareSources)
	}
	return all
}

// appendObjects appends the objects of one kind, sorted by name, and names
// those that have only a prefix. Objects of one name or prefix are sorted, and
// numbered, by what they hold and not by where they stand.
func appendObjects[T any, P interface {
	*T
	metav1.Object
}](all []object, c *Cluster, objs []P) []object {
	n := len(all)
	prefixed := false
	for _, obj := range objs {
		if obj != nil {
			name := types.NamespacedName{Namespace: namespaceOf(obj), Name: nameOf(obj)}
			all = append(all, object{Object: obj, key: objectKey{kindOf(obj), name}, source: c.sources[obj]})
			prefixed = prefixed || obj.GetName() == ""
		}
	}
	objects := all[n:]
	byName := func(a, b object) int { return compareNames(a.key.name, b.key.name) }
	slices.SortFunc(objects, byName)
	for i := 1; i < len(objects); i++ {
		if objects[i-1].key != objects[i].key {
			continue
		}
		first := i - 1
		for i < len(objects) && objects[i].key == objects[first].key {
			i++
		}
		same := objects[first:i]
		for j := range same {
			same[j].text, same[j].again = textOf(same[j].Object), true
		}
		slices.SortFunc(same, func(a, b object) int {
			return cmp.Or(strings.Compare(a.text, b.text), compareSources(a, b))
		})
	}
	if !prefixed {
		return all
	}
	number := map[types.NamespacedName]int{}
	for i := range objects {
		o := &objects[i]
		if prefix := o.GetGenerateName(); o.GetName() == "" && prefix != "" {
			number[o.key.name]++
			o.key.name.Name = fmt.Sprintf("%s#%d", prefix, number[o.key.name])
		}
	}
	slices.SortStableFunc(objects, byName)
	return all
}

// compareSources orders objects as they were read. Those that were not read
// come last, and are equal.
func compareSources(a, b object) int {
	switch {
	case a.source != nil && b.source != nil:
		return cmp.Compare(a.source.order, b.source.order)
	case a.source != nil:
		return -1
	case b.source != nil:
		return 1
	}
	return 0
}

// textOf returns a text that tells obj from objects that differ in anything
// that has a bearing.
func textOf(obj metav1.Object) string {
	text, err := json.Marshal(obj)
	if err != nil {
		// Managed fields can be what JSON cannot hold, and nothing else can.
		return err.Error()
	}
	return string(text)
}

// locate fills in where in the input p stands, which is a place in o.
func (b *modelBuilder) locate(o *object, p *Place) {
	at := b.cluster.Place(o.Object, p.Field)
	p.File, p.Line = at.File, at.Line
}

func (b *modelBuilder) warn(o *object, code, field, format string, args ...any) {
	w := Warning{Place{Object: objectName(o.Object), Field: field}, code, fmt.Sprintf(format, args...)}
	b.locate(o, &w.Place)
	b.model.Warnings = append(b.model.Warnings, w)
}

// inspect checks all objects and makes the normal form of policies.
func (b *modelBuilder) inspect() error {
	var errs []error
	var r report
	for i := range b.objects {
		o := &b.objects[i]
		if _, workload := groupOf(o.key.kind); workload || o.again || o.key.kind == "Namespace" {
			if first := b.byKey[o.key]; first == nil {
				b.byKey[o.key] = o
			} else if o.key.name.Name != "" {
				errs = append(errs, b.duplicate(o, first))
			}
		}
		p := r.inspect(o.Object, false)
		for _, e := range r.errs {
			b.locate(o, &e.Place)
			errs = append(errs, e)
		}
		for i := range r.warnings {
			b.locate(o, &r.warnings[i].Place)
		}
		b.model.Warnings = append(b.model.Warnings, r.warnings...)
		if p != nil {
			p.Name, p.Warnings, p.source = o.key.name, r.warnings, o.source
			o.policy = p
			b.model.Policies = append(b.model.Policies, p)
		}
	}
	return errors.Join(append(errs, b.addHosts()...)...)
}

// addHosts adds the names outside the cluster, or returns what is wrong with
// them.
func (b *modelBuilder) addHosts() []error {
	if len(b.cluster.Hosts) == 0 {
		return nil
	}
	var errs []error
	b.model.Hosts = make(map[string][]netip.Addr, len(b.cluster.Hosts))
	for _, name := range slices.Sorted(maps.Keys(b.cluster.Hosts)) {
		fail := func(t field.ErrorType, format string, args ...any) {
			at := Place{Object: strings.TrimSpace("Hosts " + name)}
			errs = append(errs, &Error{Place: at, Type: t, Err: fmt.Errorf(format, args...)})
		}
		host, addrs := hostName(name), b.cluster.Hosts[name]
		for _, fault := range validation.IsDNS1123Subdomain(host) {
			fail(field.ErrorTypeInvalid, "%q: %s", name, fault)
		}
		if len(addrs) == 0 {
			fail(field.ErrorTypeRequired, "a name needs an address: leave it out if none is known")
		}
		for _, a := range addrs {
			if !a.IsValid() || a.Zone() != "" {
				fail(field.ErrorTypeInvalid, "%q: must be an IP address without zone", a)
			}
			b.model.Hosts[host] = append(b.model.Hosts[host], a.Unmap())
		}
	}
	for host, addrs := range b.model.Hosts {
		slices.SortFunc(addrs, netip.Addr.Compare)
		b.model.Hosts[host] = slices.Compact(addrs)
	}
	return errs
}

// hostName returns the normal form of a DNS name.
func hostName(name string) string {
	return strings.TrimSuffix(strings.ToLower(name), ".")
}

// duplicate returns the error that a cluster cannot hold both objects.
func (b *modelBuilder) duplicate(o, first *object) error {
	place, there := Place{Object: objectName(o.Object)}, Place{}
	b.locate(o, &place)
	b.locate(first, &there)
	another := "another object"
	if there != (Place{}) {
		another = "the object at " + there.String()
	}
	return &Error{Place: place, Err: fmt.Errorf("duplicate of %s: a cluster holds one object of a kind and name", another)}
}

// addPods adds the pods, and the workloads that stand for pods.
func (b *modelBuilder) addPods() {
	staffed := map[objectKey]bool{}     // workloads with pods that have not terminated
	var lastDirect, lastOwner objectKey // of the last pod: that of the next is mostly the same
	var scratch []netip.Addr
	for i := range b.objects {
		o := &b.objects[i]
		pod, ok := o.Object.(*corev1.Pod)
		if !ok {
			continue
		}
		if b.model.Pods == nil {
			b.model.Pods = make([]Pod, 0, len(b.cluster.Pods))
		}
		b.model.Pods = append(b.model.Pods, b.newPod(pod))
		p := &b.model.Pods[len(b.model.Pods)-1]
		p.Name = o.key.name
		ips := appendHostIPs(scratch[:0], &pod.Status)
		scratch = ips
		if len(ips) == 0 && p.HostNetwork {
			ips = p.Addrs // those of its node
		}
		switch {
		case len(ips) == 0 || p.Terminated:
		case p.Node == "":
			b.strays[p.Name] = slices.Clone(ips)
		default:
			b.addHostIPs(p.Node, ips)
		}
		if direct, ok := o.controller(); ok {
			owner := b.outermost(direct, pod.Labels)
			p.Owner = Owner{owner.kind, owner.name.Name}
			if !p.Terminated && (direct != lastDirect || owner != lastOwner) {
				staffed[direct], staffed[owner] = true, true
				lastDirect, lastOwner = direct, owner
			}
		}
	}
	for i := range b.objects {
		o := &b.objects[i]
		if _, ok := groupOf(o.key.kind); !ok || staffed[o.key] {
			continue
		}
		// A Deployment speaks for its ReplicaSets, and so do its pods.
		if maker, ok := o.maker(); ok && (b.byKey[maker] != nil || staffed[maker]) {
			continue
		}
		_, template := templateOf(o.Object)
		p := b.fromSpec(&template.Spec)
		p.Kind, p.Name, p.Labels, p.Ready = o.key.kind, o.key.name, template.Labels, true
		for _, key := range addedLabels(p.Kind) {
			if _, ok := p.Labels[key]; !ok {
				p.Generated = append(p.Generated, key)
			}
		}
		b.model.Pods = append(b.model.Pods, p)
	}
	slices.SortFunc(b.model.Pods, func(x, y Pod) int {
		return cmp.Or(compareNames(x.Name, y.Name), strings.Compare(x.Kind, y.Kind))
	})
}

// addHostIPs adds addresses of a node, most of which are there already.
func (b *modelBuilder) addHostIPs(node string, ips []netip.Addr) {
	known := b.hostIPs[node]
	const few = 8 // up to here, comparing is faster than sorting later
	if len(known) <= few && !slices.ContainsFunc(ips, func(a netip.Addr) bool { return !slices.Contains(known, a) }) {
		return
	}
	b.hostIPs[node] = append(known, ips...)
}

// outermost returns the workload that made the workload direct, which controls
// a pod with the given labels, or direct itself if none did.
func (b *modelBuilder) outermost(direct objectKey, labels map[string]string) objectKey {
	if o := b.byKey[direct]; o != nil {
		if maker, ok := o.maker(); ok {
			return maker
		}
		return direct
	}
	i := strings.LastIndex(direct.name.Name, "-")
	if i <= 0 {
		return direct
	}
	suffix := direct.name.Name[i+1:]
	made := objectKey{makerOf(direct.kind), types.NamespacedName{Namespace: direct.name.Namespace, Name: direct.name.Name[:i]}}
	switch {
	case direct.kind == "ReplicaSet" && suffix != "" && suffix == labels[appsv1.DefaultDeploymentUniqueLabelKey]:
		return made
	case direct.kind == "Job" && isScheduledTime(suffix):
		return made
	}
	return direct
}

// isScheduledTime reports whether s can be what a CronJob adds to its name for
// a Job: the time in minutes, in old versions in seconds, since 1970. Such a
// number has eight digits or more; a shorter one is somebody's own numbering.
func isScheduledTime(s string) bool {
	return len(s) >= 8 && strings.Trim(s, "0123456789") == ""
}

// controller returns the key of the workload that controls o, if it is of a
// kind that a Cluster holds.
func (o *object) controller() (_ objectKey, ok bool) {
	ref := metav1.GetControllerOfNoCopy(o.Object)
	if ref == nil {
		return objectKey{}, false
	}
	group, _, found := strings.Cut(ref.APIVersion, "/")
	if !found {
		group = ""
	}
	want, ok := groupOf(ref.Kind)
	return objectKey{ref.Kind, types.NamespacedName{Namespace: o.key.name.Namespace, Name: ref.Name}}, ok && group == want
}

// maker returns the key of the workload that made the workload o.
func (o *object) maker() (_ objectKey, ok bool) {
	key, ok := o.controller()
	return key, ok && key.kind == makerOf(o.key.kind)
}

// makerOf returns the kind of the workloads that make workloads of the given
// kind. It is empty for a kind that people make themselves.
func makerOf(kind string) string {
	switch kind {
	case "ReplicaSet":
		return "Deployment"
	case "Job":
		return "CronJob"
	}
	return ""
}

// groupOf returns the API group of a kind of workload. It reports false for
// other kinds.
func groupOf(kind string) (group string, ok bool) {
	switch kind {
	case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet":
		return "apps", true
	case "Job", "CronJob":
		return "batch", true
	case "ReplicationController":
		return "", true
	}
	return "", false
}

// addedLabels returns the keys of the labels that controllers add to pods of
// workloads of the given kind.
func addedLabels(kind string) []string {
	switch kind {
	case "Deployment":
		return []string{appsv1.DefaultDeploymentUniqueLabelKey}
	case "StatefulSet":
		return []string{appsv1.ControllerRevisionHashLabelKey, appsv1.StatefulSetPodNameLabel, appsv1.PodIndexLabel}
	case "DaemonSet":
		return []string{appsv1.ControllerRevisionHashLabelKey, "pod-template-generation"}
	case "Job", "CronJob":
		return []string{
			"job-name", batchv1.JobNameLabel,
			"controller-uid", batchv1.ControllerUidLabel,
			batchv1.JobCompletionIndexAnnotation, // also a label
		}
	}
	return nil
}

// addNodes adds the nodes. It finds the node of pods that know only its
// address, and gives pods on the network of a node its addresses if theirs are
// unknown.
func (b *modelBuilder) addNodes() {
	nodes := map[string]Node{}
	primary := map[string][]netip.Addr{} // of each node, at most one of each family
	mention := func(name string) {
		if _, ok := nodes[name]; !ok && name != "" {
			nodes[name] = Node{Name: name, Mentioned: true}
		}
	}
	for i := range b.model.Pods {
		mention(b.model.Pods[i].Node)
	}
	for i := range b.objects {
		switch obj := b.objects[i].Object.(type) {
		case *corev1.Node:
			name := b.objects[i].key.name.Name
			nodes[name] = Node{Name: name, Addrs: nodeAddrs(obj)}
		case *discoveryv1.EndpointSlice:
			for _, e := range obj.Endpoints {
				mention(deref(e.NodeName, ""))
			}
		case *endpoints:
			for _, s := range obj.Subsets {
				for _, a := range slices.Concat(s.Addresses, s.NotReadyAddresses) {
					mention(deref(a.NodeName, ""))
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[name]
		known := b.hostIPs[name]
		slices.SortFunc(known, netip.Addr.Compare)
		n.Addrs = distinct(append(n.Addrs, known...))
		primary[name] = onePerFamily(n.Addrs)
		b.model.Nodes = append(b.model.Nodes, n)
	}
	holders := map[netip.Addr][]string{} // names of nodes
	for _, n := range b.model.Nodes {
		for _, a := range n.Addrs {
			holders[a] = append(holders[a], n.Name)
		}
	}
	for i := range b.model.Pods {
		p := &b.model.Pods[i]
		if p.Kind == "Pod" && p.Node == "" {
			var names []string
			for _, a := range b.strays[p.Name] {
				names = append(names, holders[a]...)
			}
			slices.Sort(names)
			if names = slices.Compact(names); len(names) == 1 {
				p.Node = names[0]
			}
		}
		if p.HostNetwork && len(p.Addrs) == 0 {
			p.Addrs = slices.Clone(primary[p.Node])
		}
	}
}

// addServices adds the Services with their endpoints, and the Ingress objects.
func (b *modelBuilder) addServices() {
	services := map[types.NamespacedName]*Service{}
	var lists []*object // EndpointSlices and Endpoints
	for i := range b.objects {
		o := &b.objects[i]
		switch obj := o.Object.(type) {
		case *corev1.Service:
			s := newService(obj)
			s.Name, s.source = o.key.name, o.source
			services[s.Name] = s
			b.model.Services = append(b.model.Services, s)
		case *networkingv1.Ingress:
			in := &IngressObject{Name: o.key.name, Backends: ingressBackends(&obj.Spec), source: o.source}
			b.model.Ingresses = append(b.model.Ingresses, in)
		case *discoveryv1.EndpointSlice, *endpoints:
			lists = append(lists, o)
		}
	}
	slices.SortFunc(b.model.Services, func(x, y *Service) int { return compareNames(x.Name, y.Name) })
	slices.SortFunc(b.model.Ingresses, func(x, y *IngressObject) int { return compareNames(x.Name, y.Name) })

	// EndpointSlices come before Endpoints: they know more, and what names an
	// endpoint first counts.
	slices.SortFunc(lists, func(x, y *object) int {
		return cmp.Or(strings.Compare(x.key.kind, y.key.kind), compareNames(x.key.name, y.key.name))
	})
	collectors := map[types.NamespacedName]*endpointCollector{}
	for _, o := range lists {
		// A name that is still to be generated is nobody else's.
		name := types.NamespacedName{Namespace: o.key.name.Namespace, Name: o.GetName()}
		slice, isSlice := o.Object.(*discoveryv1.EndpointSlice)
		if isSlice {
			name.Name = slice.Labels[discoveryv1.LabelServiceName]
		}
		s := services[name]
		if s == nil || s.Kind == ExternalName {
			continue // nothing leads there
		}
		if collectors[name] == nil {
			collectors[name] = newEndpointCollector(s)
		}
		if isSlice {
			collectors[name].addSlice(slice)
		} else {
			collectors[name].addEndpoints(o.Object.(*endpoints))
		}
	}
}

// addRanges adds the addresses that Services and pods get.
func (b *modelBuilder) addRanges() {
	var services, pods []netip.Prefix
	for i := range b.objects {
		switch obj := b.objects[i].Object.(type) {
		case *networkingv1.ServiceCIDR:
			services = append(services, blocks(obj.Spec.CIDRs)...)
		case *corev1.Node:
			pods = append(pods, blocks(podCIDRs(&obj.Spec))...)
		}
	}
	b.model.ServiceCIDRs, b.model.PodCIDRs = cidr.Of(services...), cidr.Of(pods...)
}

// addNamespaces adds the namespaces, and those that are only mentioned.
func (b *modelBuilder) addNamespaces() {
	inside := map[string]*object{} // something in each namespace, best a policy
	for i := range b.objects {
		o := &b.objects[i]
		ns := o.key.name.Namespace
		switch obj := o.Object.(type) {
		case *corev1.Namespace:
			b.model.Namespaces = append(b.model.Namespaces, newNamespace(o.key.name.Name, obj.Labels))
			if given, ok := obj.Labels[corev1.LabelMetadataName]; ok && given != o.key.name.Name {
				b.warn(o, "reserved-label", "metadata.labels", "the label %s is always the name of the namespace: %q is ignored",
					corev1.LabelMetadataName, given)
			}
		case *corev1.Node, *corev1.Service, *discoveryv1.EndpointSlice, *endpoints,
			*networkingv1.ServiceCIDR, *networkingv1.Ingress:
			// These have no bearing on what namespace selectors pick.
		default:
			if first := inside[ns]; first == nil || first.policy == nil && o.policy != nil {
				inside[ns] = o
			}
		}
	}
	for _, ns := range slices.Sorted(maps.Keys(inside)) {
		if b.byKey[objectKey{"Namespace", types.NamespacedName{Name: ns}}] != nil {
			continue
		}
		b.missing = append(b.missing, ns)
		b.model.Namespaces = append(b.model.Namespaces, newNamespace(ns, nil))
		b.warn(inside[ns], "missing-namespace", "metadata.namespace",
			"there is no Namespace %s: it is taken to have no labels of its own", ns)
	}
	slices.SortFunc(b.model.Namespaces, func(x, y Namespace) int { return strings.Compare(x.Name, y.Name) })
}

// newNamespace returns a namespace with the given labels and the automatic one.
func newNamespace(name string, labels map[string]string) Namespace {
	all := make(map[string]string, len(labels)+1)
	maps.Copy(all, labels)
	all[corev1.LabelMetadataName] = name
	return Namespace{name, all}
}

// warnOfLabels warns of selectors that look at labels whose values the input
// does not tell.
func (b *modelBuilder) warnOfLabels() {
	added := map[string]*Pod{} // of each label, the first pod that lacks it here
	for i := range b.model.Pods {
		p := &b.model.Pods[i]
		for _, key := range p.Generated {
			if added[key] == nil {
				added[key] = p
			}
		}
	}
	if len(added) == 0 && len(b.missing) == 0 {
		return
	}
	ofPods := func(o *object, field string, s selector.Selector) {
		for key := range s.Keys() {
			if p := added[key]; p != nil {
				b.warn(o, "generated-label", field, "the values of the label %s are not known here: pods of the %s %s get it when they are made",
					key, p.Kind, p.Name)
				return
			}
		}
	}
	ofNamespaces := func(o *object, field string, s selector.Selector) {
		for key := range s.Keys() {
			if key != corev1.LabelMetadataName && len(b.missing) > 0 {
				b.warn(o, "missing-namespace-labels", field, "whether namespace %s has the label %s is not known: there is no such Namespace here",
					b.missing[0], key)
				return
			}
		}
	}
	for i := range b.objects {
		o := &b.objects[i]
		if o.policy == nil {
			continue
		}
		ofPods(o, "spec.podSelector", o.policy.Pods)
		for _, d := range []Direction{Ingress, Egress} {
			for i, rule := range o.policy.Half(d).Rules {
				for j, peer := range rule.Peers {
					if pods, ok := peer.(Pods); ok {
						at := fmt.Sprintf("spec.%s[%d].%s[%d]", d, i, d.peersField(), j)
						ofPods(o, at+".podSelector", pods.Pods)
						ofNamespaces(o, at+".namespaceSelector", pods.Namespaces)
					}
				}
			}
		}
	}
}
