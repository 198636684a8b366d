package reachtest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

var (
	// The addresses that blocks are made around: pods, nodes, the outside.
	blockAddrs = addrsOfTexts(
		"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.5",
		"fd00::1", "fd00::2", "fd00::4",
		"192.168.0.1", "192.168.0.2", "fd01::1", "192.168.1.1",
		"203.0.113.9", "203.0.113.129", "2001:db8::9", "169.254.169.254", "255.255.255.255",
	)
	blockBits = map[bool][]int{ // by whether it is IPv4
		true:  {24, 0, 8, 24, 29, 30, 31, 32, 1, 0},
		false: {64, 0, 8, 64, 112, 126, 127, 128, 1, 0},
	}
)

// policy draws the next policy.
func (g *drawing) policy(t *rapid.T) *networkingv1.NetworkPolicy {
	g.policies++
	np := &networkingv1.NetworkPolicy{ObjectMeta: g.meta(t, g.policies)}
	if oneIn(t, 12) && !g.Complete {
		np.Name, np.GenerateName = "", "made-"
	}
	if oneIn(t, 12) && !g.OnlyRunning {
		np.DeletionTimestamp = &metav1.Time{Time: time.Unix(1700000000, 0)}
		np.Finalizers = []string{"example.com/wait"}
	}
	if oneIn(t, 2) {
		np.Spec.PodSelector = g.selector(t, podLabelKeys)
	}
	const in, out = networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	types := [][]networkingv1.PolicyType{nil, {}, {in}, {in}, {out}, {out}, {in, out}, {out, in}, {in, in}, {out, out}}
	if g.NoEgress {
		types = types[:4]
	}
	np.Spec.PolicyTypes = slices.Clone(pick(t, types...))
	np.Spec.Ingress = listOf(t, 0, 3, func(t *rapid.T) networkingv1.NetworkPolicyIngressRule {
		ports, from := g.rule(t)
		return networkingv1.NetworkPolicyIngressRule{Ports: ports, From: from}
	})
	if g.NoEgress {
		return np
	}
	np.Spec.Egress = listOf(t, 0, 3, func(t *rapid.T) networkingv1.NetworkPolicyEgressRule {
		ports, to := g.rule(t)
		return networkingv1.NetworkPolicyEgressRule{Ports: ports, To: to}
	})
	return np
}

// rule draws the parts of a rule.
func (g Gen) rule(t *rapid.T) ([]networkingv1.NetworkPolicyPort, []networkingv1.NetworkPolicyPeer) {
	if oneIn(t, 8) && !g.NoNamedPorts && !g.NoBlocks { // names and addresses, which seldom meet otherwise
		name := intstr.FromString(pick(t, portNames...))
		return []networkingv1.NetworkPolicyPort{{Port: &name}}, []networkingv1.NetworkPolicyPeer{{IPBlock: g.block(t)}}
	}
	return g.ports(t), listOf(t, 0, 3, g.peer)
}

// ports draws the ports of a rule.
func (g Gen) ports(t *rapid.T) []networkingv1.NetworkPolicyPort {
	return listOf(t, 0, 3, g.item)
}

// item draws an item of the ports of a rule.
func (g Gen) item(t *rapid.T) networkingv1.NetworkPolicyPort {
	var item networkingv1.NetworkPolicyPort
	if oneIn(t, 2) {
		proto := pickBut(t, g.noProtocols(), portProtocols...)
		item.Protocol = &proto
	}
	var without []string
	if g.NoNamedPorts {
		without = append(without, "name")
	}
	if g.NoRanges {
		without = append(without, "range")
	}
	switch pickBut(t, without, "none", "number", "name", "name", "name", "range", "range") {
	case "number":
		port := intstr.FromInt32(pick(t, slices.Concat(portNumbers, []int32{1, 65535})...))
		item.Port = &port
	case "name":
		port := intstr.FromString(pick(t, portNames...))
		item.Port = &port
	case "range":
		ends := pick(t, [][2]int32{{80, 81}, {80, 8080}, {1, 65535}, {80, 80}, {53, 79}, {81, 65535}}...)
		port := intstr.FromInt32(ends[0])
		item.Port, item.EndPort = &port, &ends[1]
	}
	return item
}

// peer draws a peer of any form.
func (g Gen) peer(t *rapid.T) networkingv1.NetworkPolicyPeer {
	var peer networkingv1.NetworkPolicyPeer
	var without []string
	if g.NoBlocks {
		without = append(without, "block")
	}
	form := pickBut(t, without, "block", "pods", "namespaces", "both", "block")
	if form == "pods" || form == "both" {
		sel := g.selector(t, podLabelKeys)
		peer.PodSelector = &sel
	}
	if form == "namespaces" || form == "both" {
		sel := g.selector(t, nsLabelKeys)
		peer.NamespaceSelector = &sel
	}
	if form == "block" {
		peer.IPBlock = g.block(t)
	}
	return peer
}

// selector draws a selector: a third are empty, some are impossible.
func (g Gen) selector(t *rapid.T, keys []string) metav1.LabelSelector {
	var sel metav1.LabelSelector
	var without []string
	if g.NoExpressions {
		without = []string{"expressions", "both"}
	}
	form := pickBut(t, without, "empty", "empty", "labels", "expressions", "labels", "expressions", "both")
	if form == "empty" && oneIn(t, 3) {
		return metav1.LabelSelector{MatchLabels: map[string]string{}, MatchExpressions: []metav1.LabelSelectorRequirement{}}
	}
	if form == "labels" || form == "both" {
		for range 1 + pick(t, 0, 0, 0, 1) {
			key := pick(t, keys...)
			sel.MatchLabels = withLabel(sel.MatchLabels, key, pick(t, valuesOf(key)...))
		}
	}
	if form == "expressions" || form == "both" {
		sel.MatchExpressions = listOf(t, 1, 2, func(t *rapid.T) metav1.LabelSelectorRequirement {
			r := metav1.LabelSelectorRequirement{Key: pick(t, keys...)}
			r.Operator = pick(t, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpDoesNotExist)
			if r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpNotIn {
				r.Values = listOf(t, 1, 3, func(t *rapid.T) string { return pick(t, valuesOf(r.Key)...) })
			}
			return r
		})
	}
	if form != "empty" && oneIn(t, 16) && !g.NoExpressions {
		key := pick(t, keys...)
		sel.MatchExpressions = append(sel.MatchExpressions,
			metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpExists},
			metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpDoesNotExist})
	}
	return sel
}

// valuesOf returns the values that key is likely to have.
func valuesOf(key string) []string {
	if key == "kubernetes.io/metadata.name" {
		return namespaceNames
	}
	return labelValues
}

// block draws an ipBlock whose exceptions are strictly inside, and may
// nest, overlap, repeat, and cover all of it.
func (g Gen) block(t *rapid.T) *networkingv1.IPBlock {
	if oneIn(t, 24) && !g.NoIPv6 && !g.NoLegacyBlocks { // plain IPv6: the prefix is too short for the mapped form
		return &networkingv1.IPBlock{CIDR: "::ffff:10.0.0.0/90"}
	}
	bases := blockAddrs
	if g.NoIPv6 {
		bases = slices.DeleteFunc(slices.Clone(bases), netip.Addr.Is6)
	}
	base := pick(t, bases...)
	prefix := netip.PrefixFrom(base, pick(t, blockBits[base.Is4()]...))
	mapped := base.Is4() && oneIn(t, 8) && !g.NoIPv6 && !g.NoLegacyBlocks
	block := &networkingv1.IPBlock{CIDR: g.spellPrefix(t, prefix, mapped)}
	if prefix.IsSingleIP() || g.NoExcepts {
		return block
	}
	if oneIn(t, 10) {
		for _, half := range halves(prefix) {
			block.Except = append(block.Except, g.spellPrefix(t, half, mapped))
		}
	}
	if oneIn(t, 2) {
		block.Except = append(block.Except, listOf(t, 1, 3, func(t *rapid.T) string {
			return g.spellPrefix(t, insideOf(t, prefix), mapped || base.Is4() && oneIn(t, 8) && !g.NoIPv6 && !g.NoLegacyBlocks)
		})...)
	}
	if len(block.Except) == 0 && oneIn(t, 4) {
		block.Except = []string{}
	}
	return block
}

// insideOf draws a block that is smaller than prefix and inside it.
func insideOf(t *rapid.T, prefix netip.Prefix) netip.Prefix {
	bases := []netip.Addr{prefix.Masked().Addr(), lastOf(prefix)}
	for _, a := range blockAddrs {
		if prefix.Contains(a) {
			bases = append(bases, a)
		}
	}
	base := pick(t, bases...)
	most := base.BitLen()
	bits := pick(t, most, prefix.Bits()+1, prefix.Bits()+1, prefix.Bits()+2, most-1, most-3)
	return netip.PrefixFrom(base, min(max(bits, prefix.Bits()+1), most))
}

// halves returns the two blocks that prefix consists of.
func halves(prefix netip.Prefix) [2]netip.Prefix {
	return [2]netip.Prefix{
		netip.PrefixFrom(prefix.Masked().Addr(), prefix.Bits()+1).Masked(),
		netip.PrefixFrom(lastOf(prefix), prefix.Bits()+1).Masked(),
	}
}

// lastOf returns the last address of prefix.
func lastOf(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Addr().AsSlice()
	for i := prefix.Bits(); i < prefix.Addr().BitLen(); i++ {
		bytes[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// spellPrefix writes prefix in one of the forms in which the API server has
// accepted it at some time.
func (g Gen) spellPrefix(t *rapid.T, prefix netip.Prefix, mapped bool) string {
	var without []string
	if g.NoLegacyBlocks {
		without = []string{"host bits", "odd"}
	}
	form := pickBut(t, without, "plain", "plain", "host bits", "odd")
	if form != "host bits" {
		prefix = prefix.Masked()
	}
	switch a := prefix.Addr(); {
	case mapped:
		return fmt.Sprintf("::ffff:%s/%d", a, prefix.Bits()+96)
	case form != "odd":
		return prefix.String()
	case a.Is4():
		b := a.As4()
		return fmt.Sprintf("%03d.%d.%02d.%d/%02d", b[0], b[1], b[2], b[3], prefix.Bits())
	default:
		return fmt.Sprintf("%s/%d", strings.ToUpper(a.StringExpanded()), prefix.Bits())
	}
}
