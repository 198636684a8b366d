package policy

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/types"
)

// A Model is the normal form of a Cluster: defaults filled in, workloads
// replaced by pods of their templates, missing namespaces added, everything
// validated and sorted by name. Treat it as read-only; it shares nothing with
// the API objects but strings and label maps.
type Model struct {
	Namespaces []Namespace // by name
	Nodes      []Node      // by name; also those that only pods mention
	Pods       []Pod       // by namespace, name and kind
	Policies   []*Policy   // by namespace and name
	Warnings   []Warning   // of the Cluster, of its objects and of what they mean together
}

// Model returns the normal form of c, or everything that is wrong with its
// objects, joined, each an [*Error]: what the API server would refuse, and two
// objects of the same kind and name.
func (c *Cluster) Model() (*Model, error) { panic("todo") }

// A Namespace is a namespace with all its labels, kubernetes.io/metadata.name
// among them.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// A Node is a node with its addresses.
type Node struct {
	Name  string
	Addrs []netip.Addr // of the types InternalIP and ExternalIP; unmapped, in the order of the API object
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
	Ports       []ContainerPort
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
