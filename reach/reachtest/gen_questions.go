package reachtest

import (
	"net/netip"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// Blocks draws ipBlocks. Their exceptions may nest, overlap, repeat, and cover
// all of the block.
func (g Gen) Blocks() *rapid.Generator[*networkingv1.IPBlock] {
	return rapid.Custom(g.block)
}

// Peers draws peers of rules: blocks, and selectors of pods, of namespaces or of
// both.
func (g Gen) Peers() *rapid.Generator[networkingv1.NetworkPolicyPeer] {
	return rapid.Custom(g.peer)
}

// PolicyPorts draws the ports of rules: nil or an empty list, which is any port,
// or a few.
func (g Gen) PolicyPorts() *rapid.Generator[[]networkingv1.NetworkPolicyPort] {
	return rapid.Custom(g.ports)
}

// Policies draws NetworkPolicies.
func (g Gen) Policies() *rapid.Generator[*networkingv1.NetworkPolicy] {
	return rapid.Custom(func(t *rapid.T) *networkingv1.NetworkPolicy {
		return g.drawing(nil).policy(t)
	})
}

// Ports draws ports to ask about: mostly one that c names or one beside it, one
// that a container declares, or a protocol without ports.
func (g Gen) Ports(c *policy.Cluster) *rapid.Generator[policy.Port] {
	return rapid.Custom(func(t *rapid.T) policy.Port {
		if declared := g.declared(c); len(declared) > 0 && oneIn(t, 2) {
			return pick(t, declared...)
		}
		proto := g.protocol(t)
		if !proto.HasPorts() {
			return policy.Port{Protocol: proto}
		}
		numbers := numbersOf(c)
		if oneIn(t, 4) {
			numbers = beside(numbers)
		}
		return proto.Port(uint16(pick(t, numbers...)))
	})
}

func (g Gen) protocol(t *rapid.T) policy.Protocol {
	var without []policy.Protocol
	if g.NoSCTP {
		without = append(without, policy.SCTP)
	}
	if g.NoPortless {
		without = append(without, policy.ICMP, policy.ICMPv6, 47)
	}
	return pickBut(t, without, policy.TCP, policy.TCP, policy.TCP, policy.TCP, policy.TCP, policy.TCP, policy.UDP, policy.SCTP, policy.UDP, policy.SCTP, policy.ICMP, policy.ICMPv6, 47)
}

// Addrs draws addresses to ask about: mostly the first or last one of a block or
// an exception in c or one beside it, or the address of a pod or a node or one
// beside that. Some are in the IPv4-mapped form.
func (g Gen) Addrs(c *policy.Cluster) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		addrs := slices.Concat(addrsOfTexts("203.0.113.9", "2001:db8::9", "169.254.169.254"), edgesOf(c), statusAddrs(c))
		if g.NoIPv6 {
			addrs = slices.DeleteFunc(addrs, netip.Addr.Is6)
		}
		a := pick(t, addrs...)
		switch pick(t, 0, 0, 0, 1, 2) {
		case 1:
			if next := a.Next(); next.IsValid() {
				a = next
			}
		case 2:
			if prev := a.Prev(); prev.IsValid() {
				a = prev
			}
		}
		if a.Is4() && oneIn(t, 6) && !g.NoIPv6 {
			a = netip.AddrFrom16(a.As16())
		}
		return a
	})
}

// Flows draws flows between the pods, the nodes and the outside of a Graph:
// mostly to a port at which the answer may turn, over any family or one. The
// outside stands for every address there is, so that a property of all flows is
// one of the whole internet.
//
// NoSCTP, NoPortless and NoIPv6 count, and NoNodes: nodes are no ends then.
func (g Gen) Flows(of *reach.Graph) *rapid.Generator[reach.Flow] {
	var outside []reach.Endpoint
	for _, e := range of.Outside() {
		if !g.NoIPv6 || e.Addrs().First().Is4() {
			outside = append(outside, e)
		}
	}
	ends := slices.Concat(of.Pods(), outside)
	if !g.NoNodes {
		ends = slices.Concat(of.Pods(), of.Nodes(), outside)
	}
	return rapid.Custom(func(t *rapid.T) reach.Flow {
		f := reach.Flow{From: pick(t, ends...), To: pick(t, ends...)}
		f.Port = g.protocol(t).Port(0)
		if f.Port.Protocol.HasPorts() {
			f.Port.Number = uint16(pick(t, numbersIn(of.Ports(f.From, f.To), f.Port.Protocol)...))
			if oneIn(t, 4) {
				f.Port.Number = rapid.Uint16Min(1).Draw(t, "")
			}
		}
		families := []reach.Family{reach.AnyFamily, reach.AnyFamily, reach.IPv4, reach.IPv6}
		if g.NoIPv6 {
			families = families[:3]
		}
		f.Family = pick(t, families...)
		return f
	})
}

// numbersIn returns the ports at and beside the ends of the ranges in set, and
// some others.
func numbersIn(set policy.PortSet, proto policy.Protocol) []int32 {
	numbers := []int32{80}
	for r := range set.Ranges() {
		if r.Protocol == proto {
			edges := []int32{int32(r.First), int32(r.Last)}
			numbers = append(append(numbers, edges...), beside(edges)...)
		}
	}
	return append(numbers, portNumbers...)
}

// numbersOf returns the numbers that c gives a meaning to, sorted.
func numbersOf(c *policy.Cluster) []int32 {
	numbers := []int32{80}
	for _, r := range rulesOf(c) {
		for _, item := range r.ports {
			if item.Port != nil && item.Port.Type == intstr.Int {
				numbers = append(numbers, item.Port.IntVal)
			}
			if item.EndPort != nil {
				numbers = append(numbers, *item.EndPort)
			}
		}
	}
	for _, port := range containerPorts(c) {
		numbers = append(numbers, port.ContainerPort)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// declared returns the ports with a name that containers in c declare.
func (g Gen) declared(c *policy.Cluster) []policy.Port {
	var ports []policy.Port
	for _, port := range containerPorts(c) {
		if p := portWith(port.Protocol, port.ContainerPort); port.Name != "" && !(g.NoSCTP && p.Protocol == policy.SCTP) {
			ports = append(ports, p)
		}
	}
	return ports
}

// beside returns the ports that are one below or above one of numbers.
func beside(numbers []int32) []int32 {
	var all []int32
	for _, n := range numbers {
		if n > 1 {
			all = append(all, n-1)
		}
		if n < 65535 {
			all = append(all, n+1)
		}
	}
	return all
}

// portWith returns a port of the API. No protocol means TCP.
func portWith(proto corev1.Protocol, number int32) policy.Port {
	switch proto {
	case corev1.ProtocolUDP:
		return policy.UDP.Port(uint16(number))
	case corev1.ProtocolSCTP:
		return policy.SCTP.Port(uint16(number))
	}
	return policy.TCP.Port(uint16(number))
}

// A drawnRule is an ingress or an egress rule.
type drawnRule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// rulesOf returns the rules of c, in their order.
func rulesOf(c *policy.Cluster) []drawnRule {
	var rules []drawnRule
	for _, np := range there(c.Policies) {
		for _, r := range np.Spec.Ingress {
			rules = append(rules, drawnRule{r.From, r.Ports})
		}
		for _, r := range np.Spec.Egress {
			rules = append(rules, drawnRule{r.To, r.Ports})
		}
	}
	return rules
}

// containerPorts returns the ports of all pods and templates in c.
func containerPorts(c *policy.Cluster) []corev1.ContainerPort {
	var specs []*corev1.PodSpec
	for _, pod := range there(c.Pods) {
		specs = append(specs, &pod.Spec)
	}
	for _, w := range workloadsOf(c) {
		specs = append(specs, &w.template.Spec)
	}
	var ports []corev1.ContainerPort
	for _, spec := range specs {
		for _, container := range slices.Concat(spec.Containers, spec.InitContainers) {
			ports = append(ports, container.Ports...)
		}
	}
	return ports
}

// edgesOf returns the first and the last address of every block and exception in
// c.
func edgesOf(c *policy.Cluster) []netip.Addr {
	var addrs []netip.Addr
	for _, r := range rulesOf(c) {
		for _, peer := range r.peers {
			if peer.IPBlock == nil {
				continue
			}
			for _, text := range append([]string{peer.IPBlock.CIDR}, peer.IPBlock.Except...) {
				if prefix, err := cidr.ParsePrefix(text); err == nil {
					addrs = append(addrs, prefix.Addr().Unmap(), lastOf(prefix).Unmap())
				}
			}
		}
	}
	return addrs
}

// statusAddrs returns the addresses of the pods, terminated ones too, and of the
// nodes in c.
func statusAddrs(c *policy.Cluster) []netip.Addr {
	var addrs []netip.Addr
	add := func(one string, list ...string) {
		if len(list) == 0 {
			list = []string{one}
		}
		for _, text := range list {
			if a, err := netip.ParseAddr(text); err == nil {
				addrs = append(addrs, a.Unmap())
			}
		}
	}
	for _, pod := range there(c.Pods) {
		var ips, hosts []string
		for _, ip := range pod.Status.PodIPs {
			ips = append(ips, ip.IP)
		}
		for _, ip := range pod.Status.HostIPs {
			hosts = append(hosts, ip.IP)
		}
		if pod.Spec.HostNetwork && len(ips) == 0 && pod.Status.PodIP == "" {
			add(pod.Status.HostIP, hosts...)
		} else {
			add(pod.Status.PodIP, ips...)
		}
	}
	for _, node := range there(c.Nodes) {
		for _, a := range node.Status.Addresses {
			add(a.Address)
		}
	}
	return addrs
}

// serviceAddrs returns all addresses that Services have.
func serviceAddrs(c *policy.Cluster) []netip.Addr {
	var addrs []netip.Addr
	add := func(text string) {
		if a, err := netip.ParseAddr(text); err == nil {
			addrs = append(addrs, a.Unmap())
		}
	}
	for _, svc := range there(c.Services) {
		ips := svc.Spec.ClusterIPs
		if len(ips) == 0 {
			ips = []string{svc.Spec.ClusterIP}
		}
		for _, ip := range ips {
			add(ip)
		}
		for _, in := range svc.Status.LoadBalancer.Ingress {
			add(in.IP)
		}
		for _, ip := range svc.Spec.ExternalIPs {
			add(ip)
		}
	}
	return addrs
}

func addrsOfTexts(texts ...string) []netip.Addr {
	var addrs []netip.Addr
	for _, text := range texts {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs
}
