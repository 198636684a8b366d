package reach

import (
	"net/netip"

	"github.com/polreach/polreach/policy"
)

// A Target is what a client can name to connect to: an [Endpoint], an address,
// a Service or a DNS name. Targets are comparable. They mean something only to
// the Graph that returned them; the zero Target means nothing to any.
type Target struct {
	g    *Graph
	kind targetKind
	id   int32      // of an Endpoint, a Service or a name, by kind
	addr netip.Addr // of an address
}

type targetKind uint8

const (
	endpointTarget targetKind = iota
	addrTarget
	serviceTarget
	hostTarget
)

// Target returns what text names: what [Graph.Lookup] understands, and
//
//	svc:shop/db               the Service
//	db.shop.svc               the same, also with .cluster.local
//	db.example.com            a name that Cluster.Hosts has
//	10.96.0.7                 any address, also one of a Service
//
// What is not there is an error that lists the nearest names, and what is
// ambiguous one that lists the candidates.
func (g *Graph) Target(text string) (Target, error) { panic("todo") }

// MustTarget is like Target but panics where Target returns an error.
// It is for tests.
func (g *Graph) MustTarget(text string) Target { panic("todo") }

// Services returns the Services, sorted by namespace and name.
func (g *Graph) Services() []Target { panic("todo") }

// Target returns e as a Target.
func (e Endpoint) Target() Target { return Target{g: e.g, id: e.id} }

// Port returns the port that text means where t is: a number, as
// [policy.ParsePort] reads it, or a name, with or without protocol: "postgres",
// "dns/UDP". A Service has the names of its ports; a headless one gives the
// port at its backends. A pod has those of its containers. A name that is not
// there, or means several ports, is an error that lists what there is.
func (t Target) Port(text string) (policy.Port, error) { panic("todo") }

// String returns a text that [Graph.Target] understands, unless t is an
// Endpoint outside the cluster, see [Endpoint.String].
func (t Target) String() string { panic("todo") }
