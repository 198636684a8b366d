package reach

import (
	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
)

// An Exposure is a door through which clients outside the cluster can come to a
// pod, as far as Services are concerned, and whom the policies let in.
type Exposure struct {
	Door   Door
	Port   policy.Port // at the pod
	Family Family
	SeenAs Seen

	Clients cidr.Set // the addresses outside the cluster that get in by some node
	Unknown cidr.Set // those of which that is not known
	Missing string   // why

	// OwnNode tells that some get in only because the node that hides them is
	// the pod's own, which policies cannot keep out.
	OwnNode bool
}

// Seen tells whom the policies of a backend see in place of the client.
type Seen string

// Whom policies see.
const (
	SeenAsClient  Seen = "client"
	SeenAsNode    Seen = "node"
	SeenAsUnknown Seen = "unknown" // a balancer whose address is not known
)

// Exposures returns the doors that lead from outside the cluster to the pod or
// workload e, in the order of their Services. There are none if e is something
// else. A door that lets nobody in is among them.
func (g *Graph) Exposures(e Endpoint) []Exposure { panic("todo") }

// String returns x in one line.
func (x Exposure) String() string { panic("todo") }
