package policy

import (
	"net/netip"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/selector"
	"k8s.io/apimachinery/pkg/types"
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

	// Endpoints are what the EndpointSlices and the Endpoints object of the
	// Service list, in the order of their names, everything once. For a Service
	// with a selector they only tell of pods that the Cluster does not hold.
	Endpoints []ServiceEndpoint

	Ports []ServicePort // in the order of the API object

	// Families are the address families of the Service, by 0 for IPv4 and 1 for
	// IPv6. Both are false if they are not known; it has one then.
	Families [2]bool

	ClusterIPs   []netip.Addr // none if headless or not assigned yet
	ExternalIPs  []netip.Addr
	Balancers    []Balancer // of the kind LoadBalancer; none if not assigned yet
	SourceRanges [2]cidr.Set
	HasRanges    [2]bool // whether SourceRanges restrict the family at all
	NodePorts    bool    // it has node ports, assigned or not
	Alias        string  // of the kind ExternalName: the name, in lower case and without final dot

	InternalLocal, ExternalLocal bool // the traffic policies
	PublishNotReady              bool

	source *source
}

// Place returns where a field of the Service stands in the input, as
// [Cluster.Place] does.
func (s *Service) Place(field string) Place { panic("todo") }

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
	NodePort   uint16 // 0 if it has none, or none yet
	Target     uint16 // 0 if TargetName says it
	TargetName string
}

// A Balancer is an address of a load balancer.
type Balancer struct {
	Addr    netip.Addr // zero if it is known by host name only
	Proxied bool       // traffic comes back from the balancer: ipMode Proxy, or a host name
}

// A ServiceEndpoint is an address and port that an EndpointSlice or an Endpoints
// object lists.
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
func (i *IngressObject) Place(field string) Place { panic("todo") }

// An IngressBackend is where an Ingress sends a request.
type IngressBackend struct {
	Host, Path string // empty for any
	Default    bool   // it is the default backend
	Field      string // where it stands, such as "spec.rules[0].http.paths[1].backend"

	Service    string // in the namespace of the Ingress; empty if there is none
	PortName   string
	PortNumber uint16
	Resource   string // kind and name of what it forwards to instead of a Service
}
