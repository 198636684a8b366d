package reach

import (
	"iter"
	"net/netip"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
)

// A Graph is a compiled cluster. It is immutable, and safe for concurrent use.
type Graph struct{}

// Lookup returns the endpoint that text names:
//
//	shop/web            the pod of this name, or the workload of this name
//	pod:shop/web        the pod
//	deploy:shop/web     the workload; also rs, sts, ds, job, cj, rc, or the kind in full
//	replica:shop/web    another pod of the same workload
//	node:n1             the node
//	node-of:shop/web    the node that the pod runs on, known or not
//	203.0.113.9         the address, see Addr
//
// A name that the cluster does not hold is an error that lists the nearest
// names, an ambiguous one lists the candidates.
func (g *Graph) Lookup(text string) (Endpoint, error) { panic("todo") }

// MustLookup is like Lookup but panics where Lookup returns an error.
// It is for tests.
func (g *Graph) MustLookup(text string) Endpoint { panic("todo") }

// Addr returns the pod or the node that has address a, or else the endpoint
// that stands for a and for every other address outside the cluster that no
// policy tells apart from it. It is an error if several pods have the address,
// or if a is not valid or has a zone.
func (g *Graph) Addr(a netip.Addr) (Endpoint, error) { panic("todo") }

// Pods returns the pods and the workloads that stand for their pods, sorted by
// namespace, name and kind. Terminated pods are left out.
func (g *Graph) Pods() []Endpoint { panic("todo") }

// Nodes returns the nodes, sorted by name.
func (g *Graph) Nodes() []Endpoint { panic("todo") }

// Outside returns one endpoint for each class of addresses outside the cluster
// that the policies tell apart, in address order.
func (g *Graph) Outside() []Endpoint { panic("todo") }

// Allows reports whether the policies allow f. It does not allocate.
// For a Flow over any family, it is enough that one allows it.
//
// Allows panics if an end of f is not an endpoint of g, or if f.Port is not
// valid.
func (g *Graph) Allows(f Flow) bool { panic("todo") }

// Explain is like Allows but also tells why.
// For every f, g.Explain(f).Allowed equals g.Allows(f).
func (g *Graph) Explain(f Flow) Verdict { panic("todo") }

// Ports returns the ports on which from can reach to.
func (g *Graph) Ports(from, to Endpoint) policy.PortSet { panic("todo") }

// Edges returns the ordered pairs of distinct endpoints, at least one of them
// a pod, of which the first can reach the second on some port, in the order of
// Pods, then Nodes, then Outside. A workload that reaches another pod of its
// own is the pair of the workload and its replica.
func (g *Graph) Edges() iter.Seq[Edge] { panic("todo") }

// Warnings returns what is legal but suspicious in the cluster.
func (g *Graph) Warnings() []policy.Warning { panic("todo") }

// An Endpoint is an end of a flow: a pod, a node, or a class of addresses
// outside the cluster. Endpoints are comparable. They mean something only to
// the Graph that returned them; the zero Endpoint means nothing to any.
type Endpoint struct {
	g  *Graph
	id int32
}

// Addrs returns the addresses of e. It is empty for a pod or a node whose
// addresses are not known.
func (e Endpoint) Addrs() cidr.Set { panic("todo") }

// String returns a text that Lookup understands for a pod or a node, and the
// addresses for an endpoint outside the cluster.
func (e Endpoint) String() string { panic("todo") }

// GoString returns String, to keep the logs of property tests readable.
func (e Endpoint) GoString() string { return e.String() }

// A Flow is one connection attempt. Flows are comparable.
type Flow struct {
	From, To Endpoint
	Port     policy.Port // of To
	Family   Family      // the zero Family is any
}

// String returns the flow in one line: "shop/web -> shop/db 5432/TCP".
func (f Flow) String() string { panic("todo") }

// A Family is an address family.
type Family uint8

// The address families. A flow over AnyFamily may go over either.
const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

// An Edge is an ordered pair of endpoints and the ports open from the first to
// the second.
type Edge struct {
	From, To Endpoint
	Ports    policy.PortSet
}
