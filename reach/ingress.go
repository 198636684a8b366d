package reach

import (
	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// A Route is what an Ingress object forwards to one backend.
type Route struct {
	Ingress types.NamespacedName
	Place   policy.Place // of the backend in the input
	Host    string       // empty for every host
	Path    string       // empty for every path
	Service types.NamespacedName
	Port    string // name or number, as the Ingress has it

	// Fault tells why the route leads nowhere whatever the policies say, such
	// as a Service that is not there. It is empty if there is no fault.
	Fault string

	// Traces are the connections of the controllers to the backends, one for
	// each controller. There are none if Fault is set or no controller is known.
	Traces []Trace
}

// String explains r, the same way every time.
func (r Route) String() string { panic("todo") }

// Routes returns the routes of all Ingress objects, by namespace, name and order
// in the object. Nothing in the objects tells which pods the controllers are:
// the caller does, see [Graph.Select].
func (g *Graph) Routes(controllers ...Endpoint) []Route { panic("todo") }
