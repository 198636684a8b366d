package reach

import "github.com/polreach/polreach/policy"

// A Profile holds the points that Kubernetes leaves to the network plugin.
// The zero Profile is the upstream reading: what the end-to-end tests of
// Kubernetes demand, else what most plugins do. Profiles are comparable.
type Profile struct {
	// IPBlockSkipsPods: an ipBlock never matches the address of a pod.
	// By default it does.
	IPBlockSkipsPods bool

	// IPBlockSkipsNodes: an ipBlock never matches the address of a node, nor
	// that of a host-network pod that counts as its node. By default it does.
	IPBlockSkipsNodes bool

	// HostNetworkAsPods: pods on the host network are pods like any other: they
	// are isolated by policies and picked by selectors. By default they are
	// the node that they run on.
	HostNetworkAsPods bool

	// EgressToOwnNodeAllowed: a pod may always connect to the node it runs on.
	// By default its policies decide.
	EgressToOwnNodeAllowed bool

	// EndPortIgnored: a range of ports is its first port only.
	EndPortIgnored bool

	SCTP SCTPHandling

	NamedPorts NamedPortSource

	// NamedPortFirst: when several containers of a pod declare one name and
	// protocol, only the first counts. By default all do.
	NamedPortFirst bool

	// NotEnforced: no plugin enforces network policies. Everything is allowed.
	NotEnforced bool
}

// SCTPHandling tells what a plugin does with SCTP.
type SCTPHandling uint8

// The ways to handle SCTP.
const (
	SCTPEnforced SCTPHandling = iota // as TCP and UDP
	SCTPDropped                      // no rule lets SCTP pass at an isolated end
	SCTPBypasses                     // SCTP passes whatever the policies say
)

// NamedPortSource tells which containers of a pod give meaning to a port name.
type NamedPortSource uint8

// The containers that can give meaning to a port name.
const (
	NamedPortsOfSidecars      NamedPortSource = iota // containers and restartable init containers
	NamedPortsOfContainers                           // containers only
	NamedPortsOfAllContainers                        // containers and all init containers
)

// Compile works out who can reach whom in c. It reports every faulty object,
// joined, each a [*policy.Error], and then returns no Graph.
// The Graph keeps no reference to c.
func (p Profile) Compile(c *policy.Cluster) (*Graph, error) { panic("todo") }

// Compile is Profile{}.Compile.
func Compile(c *policy.Cluster) (*Graph, error) { return Profile{}.Compile(c) }
