package policy

import (
	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/selector"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A Direction tells the two halves of a policy apart.
type Direction uint8

// The halves of a policy.
const (
	Egress Direction = iota
	Ingress
)

// String returns "egress" or "ingress".
func (d Direction) String() string { panic("todo") }

// A Policy is a NetworkPolicy in normal form: defaults filled in, selectors,
// blocks and ports parsed. What it means does not depend on whether a list in
// the API object was absent, null or empty: that is settled here, once.
// Treat a Policy as read-only; it shares nothing with the API object.
type Policy struct {
	Name     types.NamespacedName
	Pods     selector.Selector // which pods of its namespace it applies to
	Egress   Half
	Ingress  Half
	Warnings []Warning // legal but suspicious, in the order of the API object
}

// New returns the normal form of np, or everything that is wrong with np, by
// the rules of the API server, joined, each an [*Error] without File and Line.
// A namespace that is absent is "default".
func New(np *networkingv1.NetworkPolicy) (*Policy, error) { panic("todo") }

// Half returns what p says of direction d.
func (p *Policy) Half(d Direction) *Half { panic("todo") }

// A Half is what a policy says of one direction. If it isolates, its pods may
// use only what Rules allow, which is nothing when there are none. If it does
// not isolate, it has no rules.
type Half struct {
	Isolates bool
	Rules    []Rule // Rules[i] is spec.ingress[i] or spec.egress[i]
}

// A Rule allows traffic with any of its peers on any of its ports.
// Neither list is ever empty.
type Rule struct {
	Peers []Peer     // in the order of from or to; [Anyone] alone for an omitted list
	Ports []PortItem // in the order of ports; the zero PortItem alone for an omitted list
}

// A PortItem is one item of the ports of a rule.
//
//	Protocol 0            every port of every protocol, with ports or without
//	Name not empty        the container ports of this name and Protocol, on the pod that receives the traffic
//	First 0               every port of Protocol
//	otherwise             the ports from First to Last of Protocol; Last is above First only if endPort is given
//
// PortItems are comparable.
type PortItem struct {
	Protocol    Protocol
	Name        string
	First, Last uint16
}

// String returns the item, such as "443/TCP", "8000-8080/TCP", "UDP",
// "postgres/TCP", and "any port" for the zero PortItem.
func (it PortItem) String() string { panic("todo") }

// A Peer is [Anyone], [Block] or [Pods].
type Peer interface {
	peer()
	String() string
}

type (
	// Anyone is every pod and every address.
	Anyone struct{}

	// Block is the set of addresses that an ipBlock describes.
	Block struct{ Addrs cidr.Set }

	// Pods is what a pair of selectors picks. If Namespace is not empty, only
	// pods of that namespace are meant, and Namespaces picks everything.
	Pods struct {
		Namespace  string
		Namespaces selector.Selector // by the labels of the namespace
		Pods       selector.Selector // by the labels of the pod
	}
)
