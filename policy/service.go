package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/selector"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A Service is the normal form of a Service: defaults filled in, addresses
// unmapped.
type Service struct {
	Name   types.NamespacedName
	Labels map[string]string // of the object itself
	Kind   ServiceKind

	// Selector picks the backends among the pods of the namespace. HasSelector
	// is false if the object has none, or an empty one; Endpoints are the
	// backends then.
	Selector    selector.Selector
	HasSelector bool

	// Endpoints are what EndpointSlices and the Endpoints object of the Service
	// list, in the order of their names, everything once. Of a Service with a
	// selector, they are what others than its controller add.
	Endpoints []ServiceEndpoint

	// Mirrored tells that there are lists of endpoints that repeat what the pods
	// or other lists say. They are not among Endpoints.
	Mirrored bool

	Ports []ServicePort // in the order of the API object

	// Families are the address families of the Service, by 0 for IPv4 and 1 for
	// IPv6. Both are false if they are not known; it has one then.
	Families [2]bool

	ClusterIPs   []netip.Addr // none if headless or not assigned yet
	ExternalIPs  []netip.Addr
	Balancers    []Balancer // of the kind LoadBalancer; none if not assigned yet
	SourceRanges [2]cidr.Set
	HasRanges    [2]bool // whether SourceRanges restrict the family at all
	NodePorts    bool    // every port has a node port, assigned or not; otherwise those that name one
	Alias        string  // of the kind ExternalName: the name, in lower case and without final dot

	InternalLocal, ExternalLocal bool // the traffic policies
	PublishNotReady              bool

	source *source
}

// Place returns where a field of the Service stands in the input, as
// [Cluster.Place] does.
func (s *Service) Place(field string) Place {
	return s.source.place("Service "+s.Name.String(), field)
}

// A ServiceKind is a type of Service. Headless ones are a kind of their own.
type ServiceKind uint8

// The kinds of Services.
const (
	ClusterIP ServiceKind = iota
	Headless
	NodePort
	LoadBalancer
	ExternalName
)

// A ServicePort is a port of a Service.
type ServicePort struct {
	Name       string // empty if it has none
	Port       Port   // of the Service
	Target     uint16 // 0 if TargetName says it
	TargetName string
	NodePort   uint16 // 0 if it has none, or none yet
}

// A Balancer is an address of a load balancer.
type Balancer struct {
	Addr    netip.Addr // zero if it is known by host name only
	Proxied bool       // traffic comes back from the balancer: ipMode Proxy, or a host name
}

// A ServiceEndpoint is an address and port that an EndpointSlice or an Endpoints
// object lists. Of a headless Service, addresses without a port of the Service
// count as well, and their Port is zero.
type ServiceEndpoint struct {
	PortName    string // of the port of the Service
	Addr        netip.Addr
	Port        Port
	Node        string // empty if it is not said
	Ready       bool
	Serving     bool
	Terminating bool
}

// An IngressObject is what an Ingress object forwards.
type IngressObject struct {
	Name     types.NamespacedName
	Backends []IngressBackend // of the rules in their order, then the default one

	source *source
}

// Place returns where a field of the Ingress stands in the input, as
// [Cluster.Place] does.
func (i *IngressObject) Place(field string) Place {
	return i.source.place("Ingress "+i.Name.String(), field)
}

// An IngressBackend is where an Ingress sends a request.
type IngressBackend struct {
	Host, Path string // empty for any
	Default    bool   // it is the default backend, or a rule without paths sends requests there
	Field      string // where it stands, such as "spec.rules[0].http.paths[1].backend"; of a rule without paths, the rule

	Service    string // in the namespace of the Ingress; empty if there is none
	PortName   string
	PortNumber uint16
	Resource   string // kind and name of what it forwards to instead of a Service
}

// newService returns the normal form of a Service without its name and its
// endpoints.
func newService(svc *corev1.Service) *Service {
	spec := &svc.Spec
	s := &Service{
		Labels:          svc.Labels,
		Kind:            kindOfService(spec),
		ExternalIPs:     distinct(parsed(spec.ExternalIPs)),
		PublishNotReady: spec.PublishNotReadyAddresses,
	}
	switch s.Kind {
	case ExternalName:
		s.Alias = hostName(spec.ExternalName)
	case LoadBalancer:
		s.Balancers = balancers(svc.Status.LoadBalancer.Ingress)
		s.setRanges(blocks(spec.LoadBalancerSourceRanges))
	}
	if s.Kind != ExternalName {
		s.setSelector(spec.Selector)
		s.InternalLocal = isLocal(spec.InternalTrafficPolicy)
	}
	if s.Kind != ExternalName && s.Kind != Headless {
		s.ClusterIPs = parsed(clusterIPs(spec))
	}
	s.setFamilies(spec)
	s.setPorts(spec)
	outside := s.Kind == NodePort || s.Kind == LoadBalancer || s.Kind == ClusterIP && len(s.ExternalIPs) > 0
	s.ExternalLocal = outside && spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	return s
}

func isLocal(p *corev1.ServiceInternalTrafficPolicy) bool {
	return p != nil && *p == corev1.ServiceInternalTrafficPolicyLocal
}

func kindOfService(spec *corev1.ServiceSpec) ServiceKind {
	switch {
	case spec.Type == corev1.ServiceTypeExternalName:
		return ExternalName
	case isHeadless(spec):
		return Headless
	case spec.Type == corev1.ServiceTypeNodePort:
		return NodePort
	case spec.Type == corev1.ServiceTypeLoadBalancer:
		return LoadBalancer
	}
	return ClusterIP
}

func (s *Service) setRanges(ranges []netip.Prefix) {
	for f := range s.SourceRanges {
		other := func(p netip.Prefix) bool { return familyIndex(p.Addr()) != f }
		if own := slices.DeleteFunc(slices.Clone(ranges), other); len(own) > 0 {
			s.SourceRanges[f], s.HasRanges[f] = cidr.Of(own...), true
		}
	}
}

func (s *Service) setSelector(labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	sel, err := selector.New(metav1.LabelSelector{MatchLabels: labels})
	if err != nil {
		panic(fmt.Sprintf("policy: a selector of labels that are checked: %v", err))
	}
	s.Selector, s.HasSelector = sel, true
}

// HasNodePort reports whether the i'th port has a node port, assigned or not.
func (s *Service) HasNodePort(i int) bool { return s.NodePorts || s.Ports[i].NodePort != 0 }

// setFamilies sets the families: what is settled counts before what is wanted.
// A list of clusterIPs is settled, unless it must still grow.
func (s *Service) setFamilies(spec *corev1.ServiceSpec) {
	policy := corev1.IPFamilyPolicySingleStack
	switch {
	case spec.IPFamilyPolicy != nil:
		policy = *spec.IPFamilyPolicy
	case s.Kind == Headless && len(spec.Selector) == 0:
		policy = corev1.IPFamilyPolicyRequireDualStack // what the API server fills in
	}
	switch {
	case policy == corev1.IPFamilyPolicyRequireDualStack,
		policy == corev1.IPFamilyPolicyPreferDualStack &&
			(len(spec.ClusterIPs) == 0 || isHeadless(spec) && (len(spec.Selector) == 0 || len(spec.IPFamilies) == 0)):
		s.Families = [2]bool{true, true}
	case len(s.ClusterIPs) > 0:
		for _, a := range s.ClusterIPs {
			s.Families[familyIndex(a)] = true
		}
	default:
		s.Families[0] = slices.Contains(spec.IPFamilies, corev1.IPv4Protocol)
		s.Families[1] = slices.Contains(spec.IPFamilies, corev1.IPv6Protocol)
	}
}

// familyIndex returns 0 for IPv4 and 1 for IPv6.
func familyIndex(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

func (s *Service) setPorts(spec *corev1.ServiceSpec) {
	allocates := spec.AllocateLoadBalancerNodePorts == nil || *spec.AllocateLoadBalancerNodePorts
	s.NodePorts = s.Kind == NodePort || s.Kind == LoadBalancer && allocates
	for _, p := range spec.Ports {
		port := ServicePort{
			Name: p.Name,
			Port: protocolOf(cmp.Or(p.Protocol, corev1.ProtocolTCP)).Port(uint16(p.Port)),
		}
		switch t := p.TargetPort; {
		case t.Type == intstr.String && t.StrVal != "":
			port.TargetName = t.StrVal
		case t.Type == intstr.Int && t.IntVal != 0:
			port.Target = uint16(t.IntVal)
		default:
			port.Target = port.Port.Number
		}
		if s.Kind == NodePort || s.Kind == LoadBalancer {
			port.NodePort = uint16(p.NodePort)
		}
		s.Ports = append(s.Ports, port)
	}
}

func balancers(ingress []corev1.LoadBalancerIngress) []Balancer {
	var all []Balancer
	for _, in := range ingress {
		addr, ok := parseAddr(in.IP)
		switch {
		case ok:
			proxied := in.IPMode != nil && *in.IPMode == corev1.LoadBalancerIPModeProxy
			all = append(all, Balancer{addr, proxied})
		case in.Hostname != "":
			all = append(all, Balancer{Proxied: true})
		}
	}
	return distinct(all)
}

// An endpointCollector gathers the endpoints of a Service.
type endpointCollector struct {
	service *Service
	ports   map[portKey]bool // those of the Service
	seen    map[endpointKey]bool
}

// A portKey is what ports of a Service and of its endpoints have in common.
type portKey struct {
	name     string
	protocol Protocol
}

type endpointKey struct {
	addr netip.Addr
	port endpointPort
}

// An endpointPort is a port of all endpoints of a list.
type endpointPort struct {
	name string
	port Port
}

func newEndpointCollector(s *Service) *endpointCollector {
	c := &endpointCollector{s, map[portKey]bool{}, map[endpointKey]bool{}}
	for _, p := range s.Ports {
		c.ports[portKey{p.Name, p.Port.Protocol}] = true
	}
	return c
}

// addSlice adds what an EndpointSlice lists. What the controller of a Service
// with a selector writes repeats the pods.
func (c *endpointCollector) addSlice(s *discoveryv1.EndpointSlice) {
	if c.service.HasSelector && s.Labels[discoveryv1.LabelManagedBy] == "endpointslice-controller.k8s.io" {
		c.service.Mirrored = c.service.Mirrored || len(s.Endpoints) > 0
		return
	}
	if s.AddressType == discoveryv1.AddressTypeFQDN {
		return
	}
	var ports []endpointPort
	for _, p := range s.Ports {
		protocol := protocolOf(deref(p.Protocol, corev1.ProtocolTCP))
		ports = append(ports, endpointPort{deref(p.Name, ""), protocol.Port(uint16(deref(p.Port, 0)))})
	}
	ports = c.served(ports)
	for _, e := range s.Endpoints {
		addr, _ := parseAddr(e.Addresses[0]) // the others mean nothing
		c.add(ports, ServiceEndpoint{
			Addr:        addr,
			Node:        deref(e.NodeName, ""),
			Ready:       deref(e.Conditions.Ready, true),
			Serving:     deref(e.Conditions.Serving, true),
			Terminating: deref(e.Conditions.Terminating, false),
		})
	}
}

// addEndpoints adds what an Endpoints object lists. That of a Service with a
// selector repeats the pods, and one that no controller mirrors to slices repeats
// these.
func (c *endpointCollector) addEndpoints(list *endpoints) {
	if c.service.HasSelector || list.Labels[discoveryv1.LabelSkipMirror] == "true" {
		c.service.Mirrored = c.service.Mirrored || len(list.Subsets) > 0
		return
	}
	for _, s := range list.Subsets {
		var ports []endpointPort
		for _, p := range s.Ports {
			protocol := protocolOf(cmp.Or(p.Protocol, corev1.ProtocolTCP))
			ports = append(ports, endpointPort{p.Name, protocol.Port(uint16(p.Port))})
		}
		ports = c.served(ports)
		for i, a := range slices.Concat(s.Addresses, s.NotReadyAddresses) {
			ready := i < len(s.Addresses)
			addr, _ := parseAddr(a.IP)
			c.add(ports, ServiceEndpoint{Addr: addr, Node: deref(a.NodeName, ""), Ready: ready, Serving: ready})
		}
	}
}

// served returns those of ports that the Service leads to. A headless Service
// names its endpoints whatever their ports are.
func (c *endpointCollector) served(ports []endpointPort) []endpointPort {
	ports = slices.DeleteFunc(ports, func(p endpointPort) bool {
		return p.port.Number == 0 || !c.ports[portKey{p.name, p.port.Protocol}]
	})
	if len(ports) == 0 && c.service.Kind == Headless {
		return []endpointPort{{}}
	}
	return ports
}

// add adds e with each of ports, unless it is known already.
func (c *endpointCollector) add(ports []endpointPort, e ServiceEndpoint) {
	for _, p := range ports {
		if key := (endpointKey{e.Addr, p}); !c.seen[key] {
			c.seen[key] = true
			e.PortName, e.Port = p.name, p.port
			c.service.Endpoints = append(c.service.Endpoints, e)
		}
	}
}

// deref returns what p points to, or else if it is nil.
func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// ingressBackends returns where an Ingress sends requests. A rule without paths
// catches all requests for its host, for the default backend.
func ingressBackends(spec *networkingv1.IngressSpec) []IngressBackend {
	fallback := func(host, at string) IngressBackend {
		b := IngressBackend{}
		if spec.DefaultBackend != nil {
			b = newIngressBackend(spec.DefaultBackend)
		}
		b.Default, b.Host, b.Field = true, host, at
		return b
	}
	var all []IngressBackend
	for i, rule := range spec.Rules {
		at := fmt.Sprintf("spec.rules[%d]", i)
		if rule.HTTP == nil {
			all = append(all, fallback(rule.Host, at))
			continue
		}
		for j, path := range rule.HTTP.Paths {
			b := newIngressBackend(&path.Backend)
			b.Host, b.Path = rule.Host, path.Path
			b.Field = fmt.Sprintf("%s.http.paths[%d].backend", at, j)
			all = append(all, b)
		}
	}
	if spec.DefaultBackend != nil {
		all = append(all, fallback("", "spec.defaultBackend"))
	}
	return all
}

func newIngressBackend(b *networkingv1.IngressBackend) IngressBackend {
	var to IngressBackend
	if s := b.Service; s != nil {
		to.Service, to.PortName, to.PortNumber = s.Name, s.Port.Name, uint16(s.Port.Number)
	}
	if r := b.Resource; r != nil {
		to.Resource = r.Kind + " " + r.Name
	}
	return to
}
