package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// impossible tells why an item cannot match anything, whatever pods there are; it is
// empty if it can.
func (s *subject) impossible(it item) string {
	switch it.kind {
	case policyItem:
		if it.of.Pods.IsNothing() {
			return unsatisfiable(&it.of.object.Spec.PodSelector)
		}
	case ruleItem:
		if why := s.impossiblePeers(it); why != "" {
			return why
		}
		return s.impossiblePorts(it)
	case peerItem:
		return s.impossiblePeer(it)
	case portItem:
		return s.impossiblePort(it)
	}
	return ""
}

func unsatisfiable(ls *metav1.LabelSelector) string {
	return fmt.Sprintf("no labels satisfy %q", metav1.FormatLabelSelector(ls))
}

// impossiblePeers tells why no peer of a rule can match.
func (s *subject) impossiblePeers(it item) string {
	var all []string
	for i := range it.spec().peers {
		it.peer = i
		why := s.impossiblePeer(it)
		if why == "" {
			return ""
		}
		all = append(all, why)
	}
	return strings.Join(all, ", and ")
}

// impossiblePeer tells why the peer of an item can never match.
func (s *subject) impossiblePeer(it item) string {
	peer := it.spec().peers[it.peer]
	switch p := it.normal().Peers[it.peer].(type) {
	case policy.Block:
		if p.Addrs.IsEmpty() {
			return fmt.Sprintf("the exceptions hold all of %s", peer.IPBlock.CIDR)
		}
	case policy.Pods:
		switch {
		case p.Pods.IsNothing():
			return unsatisfiable(peer.PodSelector)
		case peer.NamespaceSelector != nil && noNamespace(peer.NamespaceSelector):
			return unsatisfiable(peer.NamespaceSelector) + " of a namespace"
		}
	}
	return ""
}

// noNamespace reports whether a selector picks no namespace that there could be. All
// have the label with their name.
func noNamespace(ls *metav1.LabelSelector) bool {
	named := ls.DeepCopy()
	named.MatchExpressions = append(named.MatchExpressions,
		metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpExists})
	sel, err := selector.New(*named)
	return err == nil && sel.IsNothing()
}

// impossiblePorts tells why no port item of a rule can match.
func (s *subject) impossiblePorts(it item) string {
	var all []string
	for i := range it.spec().ports {
		it.port = i
		why := s.impossiblePort(it)
		if why == "" {
			return ""
		}
		if !slices.Contains(all, why) {
			all = append(all, why)
		}
	}
	return strings.Join(all, ", and ")
}

// impossiblePort tells why the port item of an item can never match.
func (s *subject) impossiblePort(it item) string {
	port := it.normal().Ports[it.port]
	switch {
	case port.Protocol == policy.SCTP && s.profile.SCTP == reach.SCTPDropped:
		return "the plugin drops SCTP"
	case port.Name != "" && it.direction == policy.Egress && s.profile.IPBlockSkipsPods && onlyBlocks(it.normal()):
		return fmt.Sprintf("%v is the name of a port of pods, and the blocks of the rule hold no pods for the plugin", port)
	}
	return ""
}

// onlyBlocks reports whether all peers of a rule are blocks.
func onlyBlocks(r *policy.Rule) bool {
	return !slices.ContainsFunc(r.Peers, func(p policy.Peer) bool {
		_, ok := p.(policy.Block)
		return !ok
	})
}

// unmatched tells why an item matches nothing between the ends that there are.
func (s *subject) unmatched(it item) string {
	if it.kind == exceptItem {
		return it.exception() + ": there is nothing that the block would match"
	}
	var why []string
	rule := it.normal()
	if it.kind != portItem {
		for i := range it.spec().peers {
			if it.kind == ruleItem || i == it.peer {
				why = append(why, s.unmatchedPeer(it.of, rule.Peers[i]))
			}
		}
	}
	if it.kind == ruleItem || it.kind == portItem {
		for i := range it.spec().ports {
			if it.kind == ruleItem || i == it.port {
				why = append(why, s.unmatchedPort(it, rule.Ports[i]))
			}
		}
	}
	why = slices.DeleteFunc(why, func(w string) bool { return w == "" })
	if len(why) == 0 {
		return "what it picks has no address family or no such port in common with the pods of the policy, or reaches them in any case, as their node does"
	}
	return strings.Join(slices.Compact(why), ", and ")
}

// unmatchedPeer tells what a peer matches that is not enough; empty if that is
// nothing special.
func (s *subject) unmatchedPeer(p *subjectPolicy, peer policy.Peer) string {
	switch peer := peer.(type) {
	case policy.Pods:
		if len(s.picked(peer)) == 0 {
			if hosts := s.onHosts(peer); len(hosts) > 0 {
				return fmt.Sprintf("%v: there are none but on the host network, where peers pick none: %s", peer, podNames(hosts))
			}
			return fmt.Sprintf("%v: there are none", peer)
		}
	case policy.Block:
		if family := familyOf(peer.Addrs.First()); !slices.ContainsFunc(p.pods, func(pod *subjectPod) bool { return pod.has(family) }) {
			return fmt.Sprintf("%v: no pod that the policy selects has an %v address", peer, family)
		}
	}
	return ""
}

// unmatchedPort tells which port no pod declares; empty if it is not that.
func (s *subject) unmatchedPort(it item, port policy.PortItem) string {
	if port.Name == "" {
		return ""
	}
	receivers := "pod that the policy selects"
	pods := it.of.pods
	if it.direction == policy.Egress {
		receivers, pods = "peer of the rule", nil
		for _, peer := range it.normal().Peers {
			switch peer := peer.(type) {
			case policy.Anyone:
				pods = append(pods, s.pods...)
			case policy.Pods:
				pods = append(pods, s.picked(peer)...)
			}
		}
	}
	if slices.ContainsFunc(pods, func(pod *subjectPod) bool { return len(s.numbers(pod, port)) > 0 }) {
		return ""
	}
	return fmt.Sprintf("%v: no %s declares a port of this name", port, receivers)
}

// picked returns the pods that a peer picks.
func (s *subject) picked(peer policy.Pods) []*subjectPod {
	var list []*subjectPod
	for i := range s.model.Namespaces {
		ns := &s.model.Namespaces[i]
		if peer.Namespace != "" && peer.Namespace != ns.Name || !peer.Namespaces.Matches(ns.Labels) {
			continue
		}
		for _, pod := range s.podsIn[ns.Name] {
			if peer.Pods.Matches(pod.Labels) {
				list = append(list, pod)
			}
		}
	}
	return list
}

// onHosts returns the pods that count as their nodes and that a peer would pick if they
// did not.
func (s *subject) onHosts(peer policy.Pods) []*subjectPod {
	var list []*subjectPod
	for _, pod := range s.pods {
		ns := pod.Name.Namespace
		if !pod.policed && (peer.Namespace == "" || peer.Namespace == ns) &&
			peer.Namespaces.Matches(s.namespaceLabels[ns]) && peer.Pods.Matches(pod.Labels) {
			list = append(list, pod)
		}
	}
	return list
}

func familyOf(a netip.Addr) reach.Family {
	if a.Is4() {
		return reach.IPv4
	}
	return reach.IPv6
}

// has reports whether the pod can have an address of a family: it does, or none of
// its addresses is known.
func (p *subjectPod) has(family reach.Family) bool {
	for _, a := range p.Addrs {
		if familyOf(a) == family {
			return true
		}
	}
	return len(p.Addrs) == 0
}

// numbers returns port numbers that an item means on a pod that receives the traffic:
// all of them if it is a name, and else one. A pod that counts as its node has no names.
func (s *subject) numbers(pod *subjectPod, it policy.PortItem) []uint16 {
	switch {
	case it.Name == "":
		return []uint16{max(it.First, 1)}
	case !pod.policed:
		return nil
	}
	var numbers []uint16
	for _, cp := range pod.Ports {
		counts := cp.By == policy.Container || cp.By == policy.Sidecar && s.profile.NamedPorts != reach.NamedPortsOfContainers ||
			s.profile.NamedPorts == reach.NamedPortsOfAllContainers
		if !counts || cp.Name != it.Name || cp.Port.Protocol != it.Protocol {
			continue
		}
		numbers = append(numbers, cp.Port.Number)
		if s.profile.NamedPortFirst {
			break
		}
	}
	return numbers
}

// matchesSelf returns a flow of a pod to itself that an item matches, if there is
// one. Policies have no say about it.
func (s *subject) matchesSelf(it item) (reach.Flow, bool) {
	rule := it.normal()
	for _, pod := range it.of.pods {
		for i, peer := range rule.Peers {
			if it.kind == peerItem && i != it.peer || !s.holds(peer, pod) {
				continue
			}
			for j, port := range rule.Ports {
				if it.kind == portItem && j != it.port {
					continue
				}
				for _, n := range s.numbers(pod, port) {
					p := policy.TCP.Port(n)
					if port.Protocol != 0 {
						p.Protocol = port.Protocol
					}
					return reach.Flow{From: pod.end, To: pod.end, Port: p}, true
				}
			}
		}
	}
	return reach.Flow{}, false
}

// holds reports whether a peer picks a pod.
func (s *subject) holds(peer policy.Peer, pod *subjectPod) bool {
	switch peer := peer.(type) {
	case policy.Anyone:
		return true
	case policy.Pods:
		return pod.policed && (peer.Namespace == "" || peer.Namespace == pod.Name.Namespace) &&
			peer.Namespaces.Matches(s.namespaceLabels[pod.Name.Namespace]) && peer.Pods.Matches(pod.Labels)
	case policy.Block:
		hidden := pod.policed && s.profile.IPBlockSkipsPods || !pod.policed && s.profile.IPBlockSkipsNodes
		return !hidden && slices.ContainsFunc(pod.Addrs, peer.Addrs.Contains)
	}
	panic(fmt.Sprintf("audit: unknown kind of peer %T", peer))
}
