package reachtest

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// A Gen makes generators for property tests with rapid. The zero Gen is a good
// choice: it draws small clusters with every feature but Services.
//
// What is drawn is valid: [policy.Cluster.Model] finds no fault, and what can be
// written down is read again by [policy.Parse]. Names, labels, addresses and ports
// come from so few that they meet often, and the corners that the rules of
// reach/semantics.md are about are likely choices. It shrinks to few objects and
// empty lists. For one version of this module and of rapid, the same seed draws
// the same.
//
// [Draw] makes the log of a failed test say what was drawn as YAML.
type Gen struct {
	// The most objects of a kind that a cluster has; 0 means the number that
	// is given. A cluster has at least one pod.
	MaxNamespaces int // 4
	MaxNodes      int // 2
	MaxWorkloads  int // 2
	MaxPods       int // 7
	MaxPolicies   int // 8
	MaxServices   int // none

	// NoEgress: policies have no egress rules, and none lists Egress.
	NoEgress bool

	// NoBlocks: no peer is an ipBlock.
	NoBlocks bool

	// NoExcepts: no ipBlock has exceptions.
	NoExcepts bool

	// NoLegacyBlocks: blocks are written as API servers since Kubernetes 1.36
	// demand, see [policy.Loader.StrictCIDR].
	NoLegacyBlocks bool

	// NoExpressions: selectors have no matchExpressions.
	NoExpressions bool

	// NoNamedPorts: neither policies nor Services name ports of containers.
	NoNamedPorts bool

	// NoRanges: no policy has an endPort.
	NoRanges bool

	// NoSCTP: the protocols are TCP and UDP.
	NoSCTP bool

	// NoPortless: no question is about a protocol without ports, such as ICMP.
	NoPortless bool

	// NoIPv6: all addresses and blocks are IPv4, and written as such.
	NoIPv6 bool

	// NoHostNetwork: no pod is on the network of its node.
	NoHostNetwork bool

	// NoWorkloads: there are pods, and nothing that makes them.
	NoWorkloads bool

	// NoNodes: there are no nodes, and nothing mentions one.
	NoNodes bool

	// OnlyRunning: every pod runs and has an address, and no object is being
	// deleted.
	OnlyRunning bool

	// Complete: nothing is left to guess. All namespaces and nodes that are
	// mentioned have an object, and objects have a name and a namespace.
	Complete bool
}

// Clusters draws clusters, each with at least one pod.
//
// Live pods share an address only if both are on the network of one node; then
// they have all addresses in common with each other and with their node's
// internal ones. With Services, node ports and the addresses of Services are
// unique, and an external IP can be anything's.
func (g Gen) Clusters() *rapid.Generator[*policy.Cluster] {
	return rapid.Custom(func(t *rapid.T) *policy.Cluster {
		c := g.cluster(t)
		if g.MaxServices > 0 {
			if len(c.Policies) > 3 { // with many, nothing is open
				c.Policies = c.Policies[:rapid.IntRange(1, 4).Draw(t, "")]
			}
			g.addServices(t, c)
		}
		return c
	})
}

func (g Gen) cluster(t *rapid.T) *policy.Cluster {
	d := g.drawing(&policy.Cluster{})
	all := d.namespaces
	d.namespaces = all[:rapid.IntRange(1, len(all)).Draw(t, "")]
	for _, name := range d.namespaces {
		if rapid.IntRange(0, 3).Draw(t, "") > 0 || g.Complete { // else the object is missing
			d.c.Namespaces = append(d.c.Namespaces, g.namespace(t, name))
		}
	}
	if !g.NoNodes {
		listOf(t, 0, most(g.MaxNodes, 2), d.addNode)
	}
	if !g.NoWorkloads {
		listOf(t, 0, most(g.MaxWorkloads, 2), d.addWorkload)
	}
	d.c.Pods = listOf(t, 1, most(g.MaxPods, 7), d.pod)
	d.c.Policies = d.drawPolicies(t, most(g.MaxPolicies, 8))
	return d.c
}

// drawPolicies draws up to most policies, seldom less than three, which leave most
// rules out. A list of at least three would not shrink to fewer.
func (g *drawing) drawPolicies(t *rapid.T, most int) []*networkingv1.NetworkPolicy {
	var policies []*networkingv1.NetworkPolicy
	for len(policies) < most {
		next := rapid.Custom(func(t *rapid.T) *networkingv1.NetworkPolicy {
			last := 1 << 20
			if len(policies) >= 3 {
				last = 6
			}
			if rapid.IntRange(0, last).Draw(t, "") == 0 {
				return nil
			}
			return g.policy(t)
		}).Draw(t, "")
		if next == nil {
			break
		}
		policies = append(policies, next)
	}
	return policies
}

// Profiles draws the zero Profile or, half of the time, any other.
// DenyServiceExternalIPs is never set.
func (g Gen) Profiles() *rapid.Generator[reach.Profile] {
	return rapid.Custom(func(t *rapid.T) reach.Profile {
		p := g.profile(t)
		if g.MaxServices > 0 {
			if oneIn(t, 3) {
				return reach.Profile{}
			}
			p.Hairpin = pick(t, reach.HairpinAllowed, reach.HairpinMasqueraded, reach.HairpinPoliced)
			p.ServiceSNAT = pick(t, reach.SNATKubeProxy, reach.SNATKubeProxy, reach.SNATNever, reach.SNATAlways)
			p.ServiceAddressPoliced = oneIn(t, 4)
		}
		return p
	})
}

func (g Gen) profile(t *rapid.T) reach.Profile {
	if !oneIn(t, 2) {
		return reach.Profile{}
	}
	return reach.Profile{
		IPBlockSkipsPods:       oneIn(t, 4),
		IPBlockSkipsNodes:      oneIn(t, 4),
		HostNetworkAsPods:      oneIn(t, 3),
		EgressToOwnNodeAllowed: oneIn(t, 3),
		EndPortIgnored:         oneIn(t, 4),
		SCTP:                   pick(t, reach.SCTPEnforced, reach.SCTPDropped, reach.SCTPBypasses),
		NamedPorts:             pick(t, reach.NamedPortsOfSidecars, reach.NamedPortsOfContainers, reach.NamedPortsOfAllContainers),
		NamedPortFirst:         oneIn(t, 3),
		NotEnforced:            oneIn(t, 16),
	}
}

// Labels draws labels of pods and namespaces: none, nil or not, or a few.
func (g Gen) Labels() *rapid.Generator[map[string]string] {
	return rapid.Custom(drawLabels)
}

// Selectors draws selectors of pods or of namespaces: a third are empty, some
// select nothing.
func (g Gen) Selectors() *rapid.Generator[metav1.LabelSelector] {
	return rapid.Custom(func(t *rapid.T) metav1.LabelSelector {
		return g.selector(t, pick(t, podLabelKeys, nsLabelKeys))
	})
}

// PodSelectors draws selectors with the keys that pods have, as Selectors does.
func (g Gen) PodSelectors() *rapid.Generator[metav1.LabelSelector] {
	return rapid.Custom(func(t *rapid.T) metav1.LabelSelector { return g.selector(t, podLabelKeys) })
}

// NamespaceSelectors draws selectors with the keys that namespaces have, as
// Selectors does.
func (g Gen) NamespaceSelectors() *rapid.Generator[metav1.LabelSelector] {
	return rapid.Custom(func(t *rapid.T) metav1.LabelSelector { return g.selector(t, nsLabelKeys) })
}

// Namespaces draws namespaces.
func (g Gen) Namespaces() *rapid.Generator[*corev1.Namespace] {
	return rapid.Custom(func(t *rapid.T) *corev1.Namespace {
		return g.namespace(t, pick(t, g.drawing(nil).namespaces...))
	})
}

// Pods draws pods that no workload made.
func (g Gen) Pods() *rapid.Generator[*corev1.Pod] {
	return rapid.Custom(func(t *rapid.T) *corev1.Pod {
		return g.drawing(&policy.Cluster{}).pod(t)
	})
}

// A drawing is a cluster that is being drawn, with what its objects must know of
// each other.
type drawing struct {
	Gen
	c          *policy.Cluster
	namespaces []string   // of all objects
	owners     []podOwner // one for each workload
	pods       int        // drawn so far
	policies   int        // drawn so far
}

func (g Gen) drawing(c *policy.Cluster) *drawing {
	d := &drawing{Gen: g, c: c}
	for i := range most(g.MaxNamespaces, len(namespaceNames)) {
		if i < len(namespaceNames) {
			d.namespaces = append(d.namespaces, namespaceNames[i])
		} else {
			d.namespaces = append(d.namespaces, fmt.Sprintf("x%d", i))
		}
	}
	return d
}

// most returns a size of a Gen, or what it is by default.
func most(size, standard int) int {
	if size > 0 {
		return size
	}
	return standard
}

// oneIn draws true about once in n times. It shrinks to false.
func oneIn(t *rapid.T, n int) bool {
	return rapid.IntRange(0, n-1).Draw(t, "") == n-1
}

// pick draws one of choices. It shrinks to the first.
func pick[E any](t *rapid.T, choices ...E) E {
	return rapid.SampledFrom(choices).Draw(t, "")
}

// pickBut is pick without some of the choices, of which others are left.
func pickBut[E comparable](t *rapid.T, without []E, choices ...E) E {
	choices = slices.Clone(choices)
	return pick(t, slices.DeleteFunc(choices, func(e E) bool { return slices.Contains(without, e) })...)
}

// listOf draws a list of least to most elements. An empty one can be nil.
func listOf[E any](t *rapid.T, least, most int, draw func(*rapid.T) E) []E {
	list := rapid.SliceOfN(rapid.Custom(draw), least, most).Draw(t, "")
	if len(list) == 0 && !oneIn(t, 2) {
		return nil
	}
	return list
}
