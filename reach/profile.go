package reach

import (
	"slices"

	"github.com/polreach/polreach/policy"
)

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

	Hairpin Hairpin

	ServiceSNAT ServiceSNAT

	// ServiceAddressPoliced: egress policies see the address and port of a
	// Service. By default they see those of the backend.
	ServiceAddressPoliced bool

	// DenyServiceExternalIPs: Services with externalIPs are an error, as under
	// the admission plugin of this name.
	DenyServiceExternalIPs bool

	// NotEnforced: no plugin enforces network policies. Every flow that has a
	// path is allowed.
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

// Hairpin tells how a plugin treats a pod that reaches itself through a Service.
type Hairpin uint8

// The ways to treat a hairpin.
const (
	HairpinAllowed     Hairpin = iota // policies have no say
	HairpinMasqueraded                // egress with itself as peer; ingress sees its own node
	HairpinPoliced                    // egress and ingress with itself as peer
)

// ServiceSNAT tells whom the policies of a backend see after a Service.
type ServiceSNAT uint8

// The ways to treat the address of the client.
const (
	SNATKubeProxy ServiceSNAT = iota // the client or a node, as kube-proxy has it
	SNATNever                        // always the client
	SNATAlways                       // always a node
)

// resolve returns the numbers that the port name of item means on pod, in the
// memory of numbers, which holds none.
func (p Profile) resolve(numbers []uint16, pod *policy.Pod, item policy.PortItem) []uint16 {
	for _, cp := range pod.Ports {
		if cp.Name != item.Name || cp.Port.Protocol != item.Protocol || !p.counts(cp.By) {
			continue
		}
		if p.NamedPortFirst {
			return append(numbers, cp.Port.Number)
		}
		if !slices.Contains(numbers, cp.Port.Number) {
			numbers = append(numbers, cp.Port.Number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// counts reports whether the ports of a kind of container give meaning to
// port names.
func (p Profile) counts(k policy.ContainerKind) bool {
	switch p.NamedPorts {
	case NamedPortsOfContainers:
		return k == policy.Container
	case NamedPortsOfAllContainers:
		return true
	}
	return k != policy.InitContainer
}

// Calico returns the Profile of Calico: the upstream reading, except that the
// ports of all init containers give meaning to names. (Sources: conversion.go
// of libcalico-go, pull request 8885 and issue 6634 of projectcalico/calico.
// Egress to the own node passes the policies first; what happens then is
// DefaultEndpointToHostAction, which is not modeled.)
func Calico() Profile { return Profile{NamedPorts: NamedPortsOfAllContainers} }

// Cilium returns the Profile of Cilium in its default configuration: blocks
// match neither pods nor nodes (issues 9209, 19601 and 20550 of cilium/cilium,
// policy-cidr-match-mode), and neither endPort nor SCTP is handled, which its
// page "Network Policy" lists as missing. Later releases and other
// configurations differ: change the fields that they change.
func Cilium() Profile {
	return Profile{IPBlockSkipsPods: true, IPBlockSkipsNodes: true, EndPortIgnored: true, SCTP: SCTPDropped}
}

// Antrea returns the Profile of Antrea: the upstream reading. (Sources: its
// documentation of NetworkPolicy support, which names endPort and SCTP, and
// issue 6507 of antrea-io/antrea.)
func Antrea() Profile { return Profile{} }

// KubeNetworkPolicies returns the Profile of kube-network-policies: the
// upstream reading, except that only ordinary containers give meaning to port
// names. (Sources: pkg/networkpolicy and pkg/podinfo of
// kubernetes-sigs/kube-network-policies at 5f81cc3; issue 283 for egress to
// the own node.)
func KubeNetworkPolicies() Profile { return Profile{NamedPorts: NamedPortsOfContainers} }

// Flannel returns the Profile of Flannel, which provides the network only and
// enforces no policy. (Source: its documentation, which refers users who need
// policies to other plugins.)
func Flannel() Profile { return Profile{NotEnforced: true} }
