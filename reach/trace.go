package reach

import (
	"net/netip"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// A Connection is what a client tries: to connect to a Target. Through Services
// it becomes flows. Connections are comparable.
type Connection struct {
	From   Endpoint
	To     Target
	Port   policy.Port // as the client names it: of the Service, the node, the pod
	Family Family      // the zero Family is any

	// Balancer is the address from which a load balancer that proxies connects
	// to the cluster. The zero Addr says that it is not known.
	Balancer netip.Addr
}

// String returns the connection in one line: "shop/web -> svc:shop/db 5432/TCP".
func (c Connection) String() string { panic("todo") }

// An Outcome sums up the paths of a connection.
type Outcome string

// The outcomes. The policies decide the first three; in all others no path to a
// backend is known that they could decide.
const (
	All  Outcome = "all"  // every path is allowed
	Some Outcome = "some" // some path is allowed
	None Outcome = "none" // every path is denied

	Unknown             Outcome = "unknown"               // the input lacks what the answer depends on
	OutsideSourceRanges Outcome = "outside-source-ranges" // loadBalancerSourceRanges do not hold the client
	NoLocalEndpoints    Outcome = "no-local-endpoints"    // a traffic policy is Local and no backend is
	NoEndpoints         Outcome = "no-endpoints"          // the Service has no usable backend
	NoFamily            Outcome = "no-common-family"      // no address family that both sides have
	NoServicePort       Outcome = "no-such-port"          // the Service does not list the port
	NotExposed          Outcome = "not-exposed"           // the client is outside, and no door of the Service leads there
)

// Reachable reports whether o is All or Some.
func (o Outcome) Reachable() bool { return o == All || o == Some }

// Reaches returns the outcome of c. It does not allocate unless the input lacks
// something, and its time grows with the number of backends; for a client
// outside the cluster, with that of nodes that policies tell apart, too.
//
// Reaches panics if an end of c is not of g, or where [Graph.Allows] does.
func (g *Graph) Reaches(c Connection) Outcome { panic("todo") }

// Trace is like Reaches but tells every path and why.
// For every c, g.Trace(c).Outcome equals g.Reaches(c).
func (g *Graph) Trace(c Connection) Trace { panic("todo") }

// A Trace is the answer to a Connection, with its paths.
// The zero Trace answers nothing. The slices belong to the caller.
type Trace struct {
	Connection Connection
	Outcome    Outcome
	Paths      []Path
	DependsOn  []string // the fields of [Profile] of which another value alone turns Outcome
}

// String explains t, path by path, the same way every time.
func (t Trace) String() string { panic("todo") }

// A Path is one way that a connection can take: to one backend over one family,
// or to where it ends before.
//
// The policies of the client see it connect to Egress.To, those of the backend
// see a connection from Ingress.From. Without a Service between them, both are
// the connection itself.
type Path struct {
	Door    Door     // how it enters; the zero Door if no Service is involved
	Node    Endpoint // the node that translates, where that matters; or the zero Endpoint
	Nodes   int      // how many nodes Node stands for, which no policy tells apart
	Egress  Flow
	Ingress Flow

	// Stop is empty if the policies decided, and then Verdict is their answer:
	// Verdict.Egress to the flow Egress, and Verdict.Ingress to the flow Ingress,
	// which is also Verdict.Flow. Otherwise Stop tells why the path ends: any
	// Outcome but All, Some and None.
	Stop    Outcome
	Missing string // what the input lacks, if Stop is Unknown
	Verdict Verdict
}

// A Door is a way into a Service.
type Door struct {
	Kind    DoorKind
	Service types.NamespacedName
	Addr    netip.Addr  // zero if it is not known, or that of any node
	Port    policy.Port // as the client names it; the Number is 0 if it is not assigned yet
	Proxied bool        // the balancer connects to the cluster by itself: ipMode Proxy, or known by host name only
}

// A DoorKind is a kind of door.
type DoorKind string

// The kinds of doors.
const (
	ClusterIP    DoorKind = "ClusterIP"
	NodePort     DoorKind = "NodePort"
	LoadBalancer DoorKind = "LoadBalancer"
	ExternalIP   DoorKind = "ExternalIP"
	Headless     DoorKind = "Headless"     // the DNS names the backends
	ExternalName DoorKind = "ExternalName" // the DNS names another name
)

// String returns the door in words: "LoadBalancer 198.51.100.5 443/TCP of svc:shop/web".
func (d Door) String() string { panic("todo") }
