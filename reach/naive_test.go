package reach_test

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A naive answers what a Graph answers, by walking the raw API objects anew
// for every question. It is the yardstick for the engine and shares neither
// code nor ideas with it: there are no classes, no normal form, no order that
// matters, and every function names the rules that it spells out. Where a rule
// shows, it is noted; the notes have no influence on any answer.
type naive struct {
	c     *policy.Cluster
	p     reach.Profile
	known []naiveEnd // everything that can be named without an address
	notes []string   // rules in the order in which they showed; nil takes no notes

	family  reach.Family // that Services have in this world if nothing tells it
	guessed bool         // it made a difference
}

// A naiveEnd is an end of a flow.
type naiveEnd struct {
	id      string       // canonical text; ends are the same if their ids are
	dead    bool         // a terminated pod
	policed bool         // a pod to which policies apply
	isNode  bool         // a node, or a pod that counts as one
	node    string       // id of the node that it is or runs on; "" outside the cluster
	addrs   []netip.Addr // empty if none is known
	at      bool         // one of several addresses is asked about
	ns      string
	labels  map[string]string
	spec    *corev1.PodSpec // nil unless a pod
}

// A naiveFlow is a question over one family.
type naiveFlow struct {
	src, dst naiveEnd
	port     policy.Port
	fam      reach.Family
}

// newNaive returns the evaluator of a valid cluster.
func newNaive(c *policy.Cluster, p reach.Profile) *naive {
	n := &naive{c: c, p: p}
	n.learn()
	return n
}

// newNotingNaive returns an evaluator that takes notes.
func newNotingNaive(c *policy.Cluster, p reach.Profile) *naive {
	n := &naive{c: c, p: p, notes: []string{}}
	n.learn()
	return n
}

// learn fills in known.
func (n *naive) learn() {
	for _, pod := range n.c.Pods {
		n.known = append(n.known, n.podEnd(pod))
	}
	for _, w := range n.workloads() {
		if n.when(n.standsForPods(w), "SEM-228") {
			n.known = append(n.known, n.workloadEnd(w, ""), n.workloadEnd(w, "replica:"))
		}
	}
}

// reach notes rules.
func (n *naive) reach(rules ...string) { n.when(true, rules...) }

// when returns is, and notes rules if it is true.
func (n *naive) when(is bool, rules ...string) bool {
	if is && n.notes != nil {
		n.notes = append(n.notes, rules...)
	}
	return is
}

// since reports whether rule is among the notes but the first ones.
func (n *naive) since(first int, rule string) bool { return slices.Contains(n.notes[first:], rule) }

// ends returns the canonical texts of the pods, terminated ones too, of the
// workloads that stand for pods and their replicas, of the nodes that have an
// object or live pods, and of the nodes of those pods and workloads whose node
// is not known.
func (n *naive) ends() []string {
	var pods, nodes, nodesOf []string
	for _, node := range n.c.Nodes {
		nodes = append(nodes, "node:"+node.Name)
	}
	for _, e := range n.known {
		pods = append(pods, e.id)
		switch {
		case e.dead: // has left its node
		case strings.HasPrefix(e.node, "node:"):
			nodes = append(nodes, e.node)
		case !strings.HasPrefix(e.id, "replica:"):
			nodesOf = append(nodesOf, e.node)
		}
	}
	slices.Sort(nodes)
	return slices.Concat(pods, slices.Compact(nodes), nodesOf)
}

// knows reports whether text names exactly one end. It is false for the
// address of several pods (SEM-224).
func (n *naive) knows(text string) bool { return len(n.find(text)) == 1 }

// end returns the end that text names.
func (n *naive) end(text string) naiveEnd {
	ends := n.find(text)
	if len(ends) != 1 {
		panic(fmt.Sprintf("%q names %d ends", text, len(ends)))
	}
	return ends[0]
}

// find returns every end that text can mean.
func (n *naive) find(text string) []naiveEnd {
	if addr, err := netip.ParseAddr(text); err == nil {
		n.when(addr.Is4In6(), "SEM-124")
		return n.withAddr(addr.Unmap())
	}
	kind, rest, hasKind := strings.Cut(text, ":")
	if !hasKind {
		kind, rest = "", text
	}
	var found []naiveEnd
	switch kind {
	case "node":
		return []naiveEnd{n.nodeEnd(text)}
	case "node-of":
		for _, e := range n.find(rest) {
			if e.spec != nil {
				found = append(found, n.nodeEnd(e.node))
			}
		}
	case "replica":
		for _, e := range n.find(rest) {
			found = append(found, n.named("replica:"+e.id)...)
		}
	case "pod":
		return n.named(text)
	default:
		for _, k := range naiveKinds {
			if kind == "" || kind == k.short || strings.EqualFold(kind, k.kind) {
				found = append(found, n.named(k.short+":"+rest)...)
			}
		}
		if kind == "" {
			found = append(found, n.named("pod:"+rest)...)
		}
	}
	return found
}

// named returns the pod or workload with this id, if there is one.
func (n *naive) named(id string) []naiveEnd {
	for _, e := range n.known {
		if e.id == id {
			return []naiveEnd{e}
		}
	}
	return nil
}

// withAddr returns who has address a. A terminated pod has none any more
// (SEM-222). Pods on the host network share the address of their node, which
// goes first (SEM-224). If no Node object has it, those that count as one node
// are one end.
func (n *naive) withAddr(a netip.Addr) []naiveEnd {
	var pods, nodes, hosts []naiveEnd
	for _, e := range n.known {
		sameNode := func(o naiveEnd) bool { return e.isNode && e.node == o.node }
		switch {
		case !slices.Contains(e.addrs, a):
		case n.when(e.dead, "SEM-222"):
		case !e.spec.HostNetwork:
			pods = append(pods, e)
		case !slices.ContainsFunc(hosts, sameNode):
			hosts = append(hosts, e)
		default:
			n.reach("SEM-224")
		}
	}
	for _, id := range n.nodeIDs() {
		if e := n.nodeEnd(id); slices.Contains(e.addrs, a) {
			nodes = append(nodes, e)
		}
	}
	n.when(len(nodes) > 0 && len(hosts) > 0, "SEM-224")
	for _, ends := range [][]naiveEnd{pods, nodes, hosts} {
		for i := range ends {
			ends[i].at = slices.ContainsFunc(ends[i].addrs, func(b netip.Addr) bool { return a != b })
			ends[i].addrs = []netip.Addr{a} // the others are not asked about
		}
		if len(ends) > 0 {
			return ends
		}
	}
	return []naiveEnd{{id: "addr:" + a.String(), addrs: []netip.Addr{a}}}
}

// allows reports whether from can open a connection to to. It panics if one of
// them is not known. Over AnyFamily one family is enough (SEM-128).
func (n *naive) allows(from, to string, port policy.Port, fam reach.Family) bool {
	f := naiveFlow{n.end(from), n.end(to), port, fam}
	if fam != reach.AnyFamily {
		return n.allowed(f)
	}
	v4, v6 := f, f
	v4.fam, v6.fam = reach.IPv4, reach.IPv6
	return n.allowed(v4) || n.allowed(v6)
}

// allowed goes through the rules in their order. Each side is judged by itself
// (SEM-075), and only pods have policies (SEM-078).
func (n *naive) allowed(f naiveFlow) bool {
	switch {
	case n.when(f.src.dead || f.dst.dead, "SEM-222"):
		return false
	case n.when(!n.speaks(f.dst, f.fam) || !n.speaks(f.src, f.fam) && !f.fromOwnNode(), "SEM-128"):
		return false
	case n.when(n.p.NotEnforced, "SEM-354"):
		return true
	case n.when(f.src.id == f.dst.id, "SEM-200"):
		return true
	case n.when(!f.src.policed && !f.dst.policed, "SEM-079"):
		n.when(f.src.spec != nil || f.dst.spec != nil, "SEM-210")
		return true
	case n.when(f.port.Protocol == policy.SCTP && n.p.SCTP == reach.SCTPBypasses, "SEM-163"):
		return true
	}
	egress, ingress := n.passes(f, networkingv1.PolicyTypeEgress), n.passes(f, networkingv1.PolicyTypeIngress)
	n.when(egress != ingress && f.src.policed && f.dst.policed, "SEM-075")
	n.when(f.src.policed != f.dst.policed, "SEM-078")
	return egress && ingress
}

// fromOwnNode reports whether the source is the node of the destination, and not
// one of its addresses: it reaches its pods over any family (SEM-203).
func (f naiveFlow) fromOwnNode() bool {
	return f.src.isNode && !f.src.at && f.src.node == f.dst.node
}

// speaks reports whether e can be an end of a flow over fam. An end without a
// known address is taken to have both families (SEM-221).
func (n *naive) speaks(e naiveEnd, fam reach.Family) bool {
	return n.when(len(e.addrs) == 0, "SEM-221") || len(e.addrsOf(fam)) > 0
}

// addrsOf returns the addresses of e of family fam.
func (e naiveEnd) addrsOf(fam reach.Family) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range e.addrs {
		if a.Is4() == (fam == reach.IPv4) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// passes reports whether the policies of the source (egress) or of the
// destination (ingress) let f pass: one rule of one of them is enough
// (SEM-071), and nothing takes back what it allows (SEM-073, SEM-074).
func (n *naive) passes(f naiveFlow, dir networkingv1.PolicyType) bool {
	if !n.isolated(f, dir) || n.exempt(f, dir) {
		return true
	}
	if n.when(f.port.Protocol == policy.SCTP && n.p.SCTP == reach.SCTPDropped, "SEM-163", "SEM-240") {
		return false
	}
	self, peer := f.sides(dir)
	rules, silent, first := 0, 0, len(n.notes)
	for _, np := range n.c.Policies {
		if !n.applies(np, dir, self) {
			continue
		}
		for _, r := range naiveRules(np, dir) {
			before := len(n.notes)
			if n.ruleMatches(np, r, peer, f) {
				n.when(rules+silent > 0, "SEM-071")
				n.when(silent > 0, "SEM-074")
				n.when(silent > 0 && n.since(before, "SEM-072"), "SEM-073")
				n.when(n.since(first, "SEM-115"), "SEM-116")
				n.when(n.since(before, "SEM-170") && dir == networkingv1.PolicyTypeEgress, "SEM-172")
				n.when(n.since(before, "SEM-170") && n.since(before, "SEM-110"), "SEM-175")
				return true
			}
			rules++
		}
		silent++
	}
	n.when(rules > 1 && n.since(first, "SEM-070"), "SEM-077") // no port of another rule helps
	n.when(rules == 0 && dir == networkingv1.PolicyTypeIngress, "SEM-062")
	n.when(rules == 0 && dir == networkingv1.PolicyTypeEgress, "SEM-063")
	n.when(f.port.Protocol.HasPorts(), "SEM-240")
	return false
}

// sides returns the end whose policies are asked and the end they see.
func (f naiveFlow) sides(dir networkingv1.PolicyType) (self, peer naiveEnd) {
	if dir == networkingv1.PolicyTypeEgress {
		return f.src, f.dst
	}
	return f.dst, f.src
}

// exempt reports whether no policy is asked because the peer is the node that
// the pod runs on. A node that is not known is nobody else's (SEM-213,
// SEM-227).
func (n *naive) exempt(f naiveFlow, dir networkingv1.PolicyType) bool {
	self, peer := f.sides(dir)
	ingress, ownNode := dir == networkingv1.PolicyTypeIngress, peer.isNode && peer.node == self.node
	unknown := peer.isNode && !ownNode && strings.HasPrefix(self.node, "node-of:")
	n.when(unknown, "SEM-213", "SEM-227")
	n.when(peer.isNode && !ownNode && !unknown && ingress, "SEM-204")
	n.when(peer.isNode && !ownNode && !unknown && !ingress, "SEM-206")
	switch {
	case !ownNode:
		return false
	case ingress:
		n.when(peer.spec != nil, "SEM-209")
		return n.when(true, "SEM-203")
	}
	n.reach("SEM-205")
	return n.p.EgressToOwnNodeAllowed
}

// isolated reports whether some policy applies (SEM-061). Others stay open, be
// they selected for the other direction (SEM-064) or not at all (SEM-068).
func (n *naive) isolated(f naiveFlow, dir networkingv1.PolicyType) bool {
	self, _ := f.sides(dir)
	selected := false
	for _, np := range n.c.Policies {
		if n.applies(np, dir, self) {
			n.when(len(naiveRules(np, dir)) == 0, "SEM-066")
			return n.when(true, "SEM-061")
		}
		selected = selected || n.chooses(np, self)
	}
	n.when(selected, "SEM-064")
	n.when(self.policed && !selected, "SEM-068")
	return false
}

// applies reports whether np selects e and lists dir. The rules of a direction
// that it does not list mean nothing (SEM-065). A policy that is being deleted
// still applies (SEM-353).
func (n *naive) applies(np *networkingv1.NetworkPolicy, dir networkingv1.PolicyType, e naiveEnd) bool {
	if !n.chooses(np, e) {
		return false
	}
	if !slices.Contains(n.types(np), dir) {
		n.when(len(naiveRules(np, dir)) > 0, "SEM-065")
		return false
	}
	n.when(np.DeletionTimestamp != nil, "SEM-353")
	return true
}

// chooses reports whether np selects e, which must be a pod of its namespace
// (SEM-060), and one that counts as a pod (SEM-207). The empty selector is all
// of them (SEM-024).
func (n *naive) chooses(np *networkingv1.NetworkPolicy, e naiveEnd) bool {
	if e.spec == nil || n.when(rawNamespace(np.ObjectMeta) != e.ns, "SEM-060", "SEM-069") {
		return false
	}
	before := len(n.notes)
	if !n.selects(&np.Spec.PodSelector, e.labels) {
		return false
	}
	n.when(n.since(before, "SEM-040"), "SEM-024")
	n.when(e.spec.HostNetwork, "SEM-207")
	return e.policed
}

// types returns the directions that np isolates: those that it lists (SEM-023),
// or else Ingress (SEM-020), and Egress if there are rules for it.
func (n *naive) types(np *networkingv1.NetworkPolicy) []networkingv1.PolicyType {
	if n.when(len(np.Spec.PolicyTypes) > 0, "SEM-023") {
		return np.Spec.PolicyTypes
	}
	n.reach("SEM-020")
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if n.when(len(np.Spec.Egress) > 0, "SEM-021") {
		types = append(types, networkingv1.PolicyTypeEgress)
	}
	n.when(np.Spec.Egress != nil && len(np.Spec.Egress) == 0, "SEM-025")
	return types
}

// A naiveRule is an ingress or an egress rule.
type naiveRule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// naiveRules returns the rules of np for dir.
func naiveRules(np *networkingv1.NetworkPolicy, dir networkingv1.PolicyType) []naiveRule {
	var rules []naiveRule
	if dir == networkingv1.PolicyTypeEgress {
		for _, r := range np.Spec.Egress {
			rules = append(rules, naiveRule{r.To, r.Ports})
		}
		return rules
	}
	for _, r := range np.Spec.Ingress {
		rules = append(rules, naiveRule{r.From, r.Ports})
	}
	return rules
}

// ruleMatches: both parts must match (SEM-070), each peer with each port
// (SEM-077).
func (n *naive) ruleMatches(np *networkingv1.NetworkPolicy, r naiveRule, peer naiveEnd, f naiveFlow) bool {
	if !n.peersMatch(np, r.peers, peer, f.fam) || n.when(!n.portsMatch(r.ports, f), "SEM-070") {
		return false
	}
	n.when(len(r.peers) == 0 && len(r.ports) == 0, "SEM-072")
	n.when(len(r.peers) > 1 && len(r.ports) > 1, "SEM-077")
	return true
}

// peersMatch: no peers are everybody (SEM-090), several are alternatives
// (SEM-095), blocks too (SEM-127).
func (n *naive) peersMatch(np *networkingv1.NetworkPolicy, peers []networkingv1.NetworkPolicyPeer, e naiveEnd, fam reach.Family) bool {
	if n.when(len(peers) == 0, "SEM-090") {
		return true
	}
	for i, peer := range peers {
		if n.peerMatches(np, peer, e, fam) {
			n.when(i > 0, "SEM-095")
			n.when(i > 0 && peer.IPBlock != nil && peers[i-1].IPBlock != nil, "SEM-127")
			return true
		}
	}
	return false
}

// peerMatches: a block looks at addresses only (SEM-110), selectors at pods
// only (SEM-094, SEM-208). A selector that is not there leaves its half open
// (SEM-049): all pods of the namespaces (SEM-092, SEM-098), or the own
// namespace (SEM-091). Other selectors do not mean the own one (SEM-099).
func (n *naive) peerMatches(np *networkingv1.NetworkPolicy, peer networkingv1.NetworkPolicyPeer, e naiveEnd, fam reach.Family) bool {
	if peer.IPBlock != nil {
		return n.blockMatches(peer.IPBlock, e, fam)
	}
	n.when(e.spec != nil && e.spec.HostNetwork, "SEM-208")
	if n.when(!e.policed, "SEM-094") {
		return false
	}
	if peer.PodSelector != nil && !n.selects(peer.PodSelector, e.labels) {
		return false
	}
	ownNamespace := e.ns == rawNamespace(np.ObjectMeta)
	if n.when(peer.NamespaceSelector == nil, "SEM-049", "SEM-091") {
		n.when(ownNamespace && n.chooses(np, e), "SEM-101")
		return ownNamespace
	}
	before := len(n.notes)
	if !n.selects(peer.NamespaceSelector, n.namespaceLabels(e.ns)) {
		n.when(ownNamespace, "SEM-099")
		return false
	}
	n.when(peer.PodSelector == nil, "SEM-049", "SEM-092", "SEM-098")
	n.when(peer.PodSelector == nil && n.since(before, "SEM-040"), "SEM-093")
	n.when(peer.PodSelector != nil, "SEM-096")
	return true
}

// blockMatches: the block must hold the address of e of the flow's family
// (SEM-111, SEM-123), whatever e is (SEM-112, SEM-113, SEM-211), and no
// exception may hold it (SEM-115), of which there can be several (SEM-118). No
// range is special (SEM-126). A node can have several addresses of one family;
// one in the block is enough, unless the question names an address. An end
// whose addresses are not known is in no block (SEM-129).
func (n *naive) blockMatches(block *networkingv1.IPBlock, e naiveEnd, fam reach.Family) bool {
	if e.policed && n.when(n.p.IPBlockSkipsPods, "SEM-112") {
		return false
	}
	if e.isNode && n.when(n.p.IPBlockSkipsNodes, "SEM-113") {
		return false
	}
	n.when(len(e.addrs) == 0, "SEM-129")
	n.when(e.policed && len(e.addrs) > 1, "SEM-123")
	for _, a := range e.addrsOf(fam) {
		if !n.holds(block.CIDR, a) {
			continue
		}
		excepts := 0
		for _, except := range block.Except {
			if n.holds(except, a) {
				excepts++
			}
		}
		n.when(excepts > 0, "SEM-115")
		n.when(excepts > 1, "SEM-118")
		if excepts == 0 {
			n.when(e.policed, "SEM-112")
			n.when(e.isNode, "SEM-113")
			n.when(e.isNode && e.spec != nil, "SEM-211")
			n.when(a.IsLinkLocalUnicast(), "SEM-126")
			return n.when(true, "SEM-110", "SEM-111")
		}
	}
	return false
}

// portsMatch: no ports are all of them (SEM-150), with all protocols
// (SEM-165), several are alternatives (SEM-160). Protocols without ports have
// nothing else to match (SEM-164, SEM-241).
func (n *naive) portsMatch(ports []networkingv1.NetworkPolicyPort, f naiveFlow) bool {
	n.when(!f.port.Protocol.HasPorts(), "SEM-241")
	if n.when(len(ports) == 0, "SEM-150") {
		n.when(!f.port.Protocol.HasPorts(), "SEM-165")
		return true
	}
	n.when(!f.port.Protocol.HasPorts(), "SEM-164")
	for i, item := range ports {
		if n.itemMatches(item, f) {
			n.when(i > 0, "SEM-160")
			return true
		}
	}
	return false
}

// itemMatches: protocol and port must match (SEM-152). Without a port the item
// is all of its protocol (SEM-153, SEM-154). A number need not be declared
// (SEM-161).
func (n *naive) itemMatches(item networkingv1.NetworkPolicyPort, f naiveFlow) bool {
	n.when(item.Protocol == nil, "SEM-022")
	if n.when(rawProtocol(item.Protocol) != f.port.Protocol, "SEM-152") {
		return false
	}
	n.when(f.port.Protocol == policy.SCTP, "SEM-155")
	if item.Port == nil {
		n.when(item.Protocol != nil, "SEM-153")
		n.when(item.Protocol == nil, "SEM-154")
		return true
	}
	number := int32(f.port.Number)
	if item.Port.Type == intstr.String {
		return n.when(slices.Contains(n.numbersNamed(item.Port.StrVal, f.port.Protocol, f.dst), number), "SEM-170")
	}
	first, last := item.Port.IntVal, item.Port.IntVal
	if item.EndPort != nil && !n.when(n.p.EndPortIgnored, "SEM-159") {
		last = *item.EndPort
		n.when(first < last, "SEM-157")
		n.when(first == last, "SEM-158")
	}
	if number < first || last < number {
		return false
	}
	n.when(first == last, "SEM-151")
	n.when(f.dst.spec != nil && !declares(f.dst.spec, number), "SEM-161")
	return true
}

// rawProtocol: no protocol means TCP (SEM-022, SEM-027).
func rawProtocol(p *corev1.Protocol) policy.Protocol {
	if p == nil {
		return policy.TCP
	}
	switch *p {
	case "", corev1.ProtocolTCP:
		return policy.TCP
	case corev1.ProtocolUDP:
		return policy.UDP
	case corev1.ProtocolSCTP:
		return policy.SCTP
	}
	panic("no protocol of a policy: " + *p)
}

// numbersNamed returns the ports that name means on the destination (SEM-170,
// SEM-172), by what that declares and nothing else (SEM-183). It means none on
// what is not a pod (SEM-174, SEM-185).
func (n *naive) numbersNamed(name string, proto policy.Protocol, dst naiveEnd) []int32 {
	n.when(dst.spec != nil && dst.spec.HostNetwork, "SEM-185")
	if n.when(!dst.policed, "SEM-174") {
		return nil
	}
	var numbers []int32
	declared := n.declaredPorts(dst.spec, name)
	for _, port := range declared {
		if rawProtocol(&port.Protocol) == proto {
			n.when(port.Protocol == "", "SEM-027")
			n.when(port.HostPort != 0, "SEM-181")
			numbers = append(numbers, port.ContainerPort)
		}
	}
	n.when(len(declared) == 0, "SEM-174")
	n.when(len(declared) == 0 && name == "http", "SEM-183")
	n.when(len(declared) > 0 && len(numbers) == 0, "SEM-171")
	n.when(len(declared) > len(numbers) && len(numbers) > 0, "SEM-176")
	if n.when(len(numbers) > 1, "SEM-178") && n.p.NamedPortFirst {
		numbers = numbers[:1]
	}
	return numbers
}

// declaredPorts returns the ports called name of the containers that count: the
// containers first, then the sidecars (SEM-180), then the other init containers
// (SEM-179).
func (n *naive) declaredPorts(spec *corev1.PodSpec, name string) []corev1.ContainerPort {
	var main, sidecars, others []corev1.ContainerPort
	for _, c := range spec.Containers {
		main = append(main, portsNamed(c, name)...)
	}
	for _, c := range spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars = append(sidecars, portsNamed(c, name)...)
		} else {
			others = append(others, portsNamed(c, name)...)
		}
	}
	n.when(len(sidecars) > 0, "SEM-180")
	n.when(len(others) > 0, "SEM-179")
	switch n.p.NamedPorts {
	case reach.NamedPortsOfContainers:
		return main
	case reach.NamedPortsOfAllContainers:
		return slices.Concat(main, sidecars, others)
	}
	return slices.Concat(main, sidecars)
}

// declares reports whether a container of the pod declares number.
func declares(spec *corev1.PodSpec, number int32) bool {
	for _, c := range spec.Containers {
		for _, port := range c.Ports {
			if port.ContainerPort == number {
				return true
			}
		}
	}
	return false
}

// portsNamed returns the ports of c called name.
func portsNamed(c corev1.Container, name string) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for _, port := range c.Ports {
		if port.Name == name {
			ports = append(ports, port)
		}
	}
	return ports
}

// selects: all requirements must hold (SEM-047), so no requirement selects
// everything (SEM-040).
func (n *naive) selects(sel *metav1.LabelSelector, labels map[string]string) bool {
	held, all := 0, len(sel.MatchLabels)+len(sel.MatchExpressions)
	for key, want := range sel.MatchLabels {
		got, present := n.label(labels, key)
		n.when(!present && want == "", "SEM-046")
		if n.when(present && got == want, "SEM-041") {
			held++
		}
	}
	for _, r := range sel.MatchExpressions {
		if n.meets(r, labels) {
			held++
		}
	}
	n.when(all == 0, "SEM-040")
	n.when(0 < held && held < all, "SEM-047")
	return held == all
}

// meets: an absent label has no value, not even the empty one (SEM-046).
func (n *naive) meets(r metav1.LabelSelectorRequirement, labels map[string]string) bool {
	value, present := n.label(labels, r.Key)
	listed := slices.Contains(r.Values, value)
	n.when(!present && listed, "SEM-046")
	switch r.Operator {
	case metav1.LabelSelectorOpIn:
		return n.when(present && listed, "SEM-042")
	case metav1.LabelSelectorOpNotIn:
		n.when(listed && r.Key == corev1.LabelMetadataName, "SEM-234")
		return n.when(!present, "SEM-043") || !listed
	case metav1.LabelSelectorOpExists:
		return n.when(present, "SEM-044")
	case metav1.LabelSelectorOpDoesNotExist:
		return n.when(!present, "SEM-045")
	}
	panic("no operator of a selector: " + r.Operator)
}

// label returns the value of the label that has all of key, prefix included
// (SEM-050).
func (n *naive) label(labels map[string]string, key string) (value string, present bool) {
	value, present = labels[key]
	_, namesake := labels[path.Base(key)]
	n.when(!present && namesake, "SEM-050")
	return value, present
}

// namespaceLabels returns the labels of a namespace, with the one that every
// namespace has (SEM-232, SEM-233). It is the only one of a namespace without
// an object (SEM-231).
func (n *naive) namespaceLabels(name string) map[string]string {
	labels := map[string]string{}
	known := false
	for _, ns := range n.c.Namespaces {
		if ns.Name == name {
			maps.Copy(labels, ns.Labels)
			known = true
		}
	}
	n.when(!known, "SEM-231")
	given, ok := labels[corev1.LabelMetadataName]
	n.when(!ok, "SEM-232")
	n.when(ok && given != name, "SEM-233")
	labels[corev1.LabelMetadataName] = name
	return labels
}

// rawNamespace returns the namespace of an object (SEM-011).
func rawNamespace(meta metav1.ObjectMeta) string {
	if meta.Namespace == "" {
		return "default"
	}
	return meta.Namespace
}

// podEnd returns the end that a pod is.
func (n *naive) podEnd(pod *corev1.Pod) naiveEnd {
	id := "pod:" + rawNamespace(pod.ObjectMeta) + "/" + pod.Name
	e := n.templateEnd(id, rawNamespace(pod.ObjectMeta), pod.Labels, &pod.Spec)
	e.dead = isTerminated(pod)
	n.when(!e.dead && pod.DeletionTimestamp != nil, "SEM-223")
	if pod.Spec.NodeName == "" {
		e.node = n.nodeOfHost(pod, e.node)
	}
	if addrs := statusAddrs(pod); len(addrs) > 0 {
		n.when(pod.Status.PodIP == "" || len(pod.Status.PodIPs) != 1, "SEM-225")
		e.addrs = addrs
	}
	return e
}

// nodeOfHost returns the one node that has an address which the pod reports as
// that of its host, or else unknown (SEM-213).
func (n *naive) nodeOfHost(pod *corev1.Pod, unknown string) string {
	var hosts []string
	for _, id := range n.nodeIDs() {
		for _, a := range rawHostIPs(pod) {
			if slices.Contains(n.nodeAddrs(id), a) && !slices.Contains(hosts, id) {
				hosts = append(hosts, id)
			}
		}
	}
	if !n.when(len(hosts) == 1, "SEM-213") {
		return unknown
	}
	return hosts[0]
}

// isTerminated: the pod has terminated (SEM-222). A pod that is being deleted has
// not (SEM-223).
func isTerminated(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// statusAddrs returns the addresses in the status of pod (SEM-225). Those of its
// host count only on the host's network (SEM-211).
func statusAddrs(pod *corev1.Pod) []netip.Addr {
	var addrs []netip.Addr
	for _, ip := range pod.Status.PodIPs {
		addrs = append(addrs, rawAddr(ip.IP))
	}
	if len(addrs) == 0 && pod.Status.PodIP != "" {
		addrs = append(addrs, rawAddr(pod.Status.PodIP))
	}
	if !pod.Spec.HostNetwork || len(addrs) > 0 {
		return addrs
	}
	return rawHostIPs(pod)
}

// templateEnd returns the end of a pod of which only labels and spec are
// known. On the host network it is its node unless the profile makes it a pod
// (SEM-207, SEM-208), and has the addresses of its node either way.
func (n *naive) templateEnd(id, ns string, labels map[string]string, spec *corev1.PodSpec) naiveEnd {
	e := naiveEnd{
		id:     id,
		isNode: spec.HostNetwork && !n.p.HostNetworkAsPods,
		node:   "node-of:" + id,
		ns:     ns,
		labels: labels,
		spec:   spec,
	}
	e.policed = !e.isNode
	if spec.NodeName != "" {
		e.node = "node:" + spec.NodeName
	}
	if spec.HostNetwork {
		for _, a := range n.nodeAddrs(e.node) { // the first of each family
			if !slices.ContainsFunc(e.addrs, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
				e.addrs = append(e.addrs, a)
			}
		}
	}
	return e
}

// nodeEnd returns the node with this id: "node:" and its name, or "node-of:"
// and the pod whose node it is, of which nothing else is known (SEM-213).
func (n *naive) nodeEnd(id string) naiveEnd {
	return naiveEnd{id: id, isNode: true, node: id, addrs: n.nodeAddrs(id)}
}

// nodeAddrs returns the addresses of the node with this id: the internal ones,
// the external ones (SEM-113), and those that its live pods report (SEM-213).
func (n *naive) nodeAddrs(id string) []netip.Addr {
	var addrs []netip.Addr
	for _, kind := range []corev1.NodeAddressType{corev1.NodeInternalIP, corev1.NodeExternalIP} {
		for _, node := range n.c.Nodes {
			for _, a := range node.Status.Addresses {
				if id == "node:"+node.Name && a.Type == kind {
					addrs = append(addrs, rawAddr(a.Address))
				}
			}
		}
	}
	var reported []netip.Addr // lowest first: pods have no order
	for _, pod := range n.c.Pods {
		if id == "node:"+pod.Spec.NodeName && !isTerminated(pod) {
			reported = append(reported, rawHostIPs(pod)...)
		}
	}
	slices.SortFunc(reported, netip.Addr.Compare)
	return append(addrs, reported...)
}

// nodeIDs returns the ids of the nodes that have an object or a live pod.
func (n *naive) nodeIDs() []string {
	var ids []string
	for _, node := range n.c.Nodes {
		ids = append(ids, "node:"+node.Name)
	}
	for _, pod := range n.c.Pods {
		if pod.Spec.NodeName != "" && !isTerminated(pod) {
			ids = append(ids, "node:"+pod.Spec.NodeName)
		}
	}
	for _, w := range n.workloads() {
		if w.template.Spec.NodeName != "" && n.standsForPods(w) {
			ids = append(ids, "node:"+w.template.Spec.NodeName)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// rawHostIPs returns the addresses of its node that a pod reports (SEM-207,
// SEM-213).
func rawHostIPs(pod *corev1.Pod) []netip.Addr {
	var addrs []netip.Addr
	for _, ip := range pod.Status.HostIPs {
		addrs = append(addrs, rawAddr(ip.IP))
	}
	if len(addrs) == 0 && pod.Status.HostIP != "" {
		addrs = append(addrs, rawAddr(pod.Status.HostIP))
	}
	if len(addrs) == 0 && pod.Spec.HostNetwork { // its addresses are those of the node
		for _, ip := range pod.Status.PodIPs {
			addrs = append(addrs, rawAddr(ip.IP))
		}
		if len(addrs) == 0 && pod.Status.PodIP != "" {
			addrs = append(addrs, rawAddr(pod.Status.PodIP))
		}
	}
	return addrs
}

// naiveKinds are the kinds of workloads.
var naiveKinds = []struct{ short, kind, group string }{
	{"deploy", "Deployment", "apps"},
	{"rs", "ReplicaSet", "apps"},
	{"sts", "StatefulSet", "apps"},
	{"ds", "DaemonSet", "apps"},
	{"job", "Job", "batch"},
	{"cj", "CronJob", "batch"},
	{"rc", "ReplicationController", ""},
}

// A naiveWorkload is an object that makes pods.
type naiveWorkload struct {
	short    string // of naiveKinds
	meta     metav1.ObjectMeta
	template *corev1.PodTemplateSpec
}

func (n *naive) workloads() []naiveWorkload {
	var all []naiveWorkload
	for _, o := range n.c.Deployments {
		all = append(all, naiveWorkload{"deploy", o.ObjectMeta, &o.Spec.Template})
	}
	for _, o := range n.c.ReplicaSets {
		all = append(all, naiveWorkload{"rs", o.ObjectMeta, &o.Spec.Template})
	}
	for _, o := range n.c.StatefulSets {
		all = append(all, naiveWorkload{"sts", o.ObjectMeta, &o.Spec.Template})
	}
	for _, o := range n.c.DaemonSets {
		all = append(all, naiveWorkload{"ds", o.ObjectMeta, &o.Spec.Template})
	}
	for _, o := range n.c.Jobs {
		all = append(all, naiveWorkload{"job", o.ObjectMeta, &o.Spec.Template})
	}
	for _, o := range n.c.CronJobs {
		all = append(all, naiveWorkload{"cj", o.ObjectMeta, &o.Spec.JobTemplate.Spec.Template})
	}
	for _, o := range n.c.ReplicationControllers {
		template := o.Spec.Template
		if template == nil {
			template = new(corev1.PodTemplateSpec)
		}
		all = append(all, naiveWorkload{"rc", o.ObjectMeta, template})
	}
	return all
}

func (w naiveWorkload) id() string { return w.short + ":" + rawNamespace(w.meta) + "/" + w.meta.Name }

// workloadEnd returns the pod that w stands for, or another one with the same
// facts (SEM-228). It lives in the namespace of w, whatever the template says.
func (n *naive) workloadEnd(w naiveWorkload, prefix string) naiveEnd {
	return n.templateEnd(prefix+w.id(), rawNamespace(w.meta), w.template.Labels, &w.template.Spec)
}

// standsForPods: no other workload makes the pods of w, and none of them is in
// the cluster, alive, nor are other pods of the workload that made w (SEM-228).
func (n *naive) standsForPods(w naiveWorkload) bool {
	if _, controlled := n.controller(w.meta); controlled {
		return false
	}
	maker := controllerID(w.meta)
	for _, pod := range n.c.Pods {
		if isTerminated(pod) {
			continue
		}
		owner, ok := n.controller(pod.ObjectMeta)
		for range n.workloads() { // no chain of owners is longer
			if ok && (owner.id() == w.id() || maker != "" && controllerID(owner.meta) == maker) {
				return false
			}
			if ok {
				owner, ok = n.controller(owner.meta)
			}
		}
	}
	return true
}

// controller returns the workload that controls the object with this meta, if
// the cluster holds it.
func (n *naive) controller(meta metav1.ObjectMeta) (naiveWorkload, bool) {
	for _, w := range n.workloads() {
		if w.id() == controllerID(meta) {
			return w, true
		}
	}
	return naiveWorkload{}, false
}

// controllerID returns the id of the workload that controls the object with
// this meta, or "" if there is none. Owners are in the namespace of what they
// own, and their kinds mean something together with their API group only.
func controllerID(meta metav1.ObjectMeta) string {
	for _, ref := range meta.OwnerReferences {
		if ref.Controller == nil || !*ref.Controller {
			continue
		}
		group, _, grouped := strings.Cut(ref.APIVersion, "/")
		if !grouped {
			group = ""
		}
		for _, k := range naiveKinds {
			if k.kind == ref.Kind && k.group == group {
				return k.short + ":" + rawNamespace(meta) + "/" + ref.Name
			}
		}
	}
	return ""
}

// holds reports whether cidr holds a. Only the bits of the prefix count
// (SEM-121), and the families never meet (SEM-122), not even in the block of
// all addresses (SEM-119). The first address is like any other (SEM-120).
func (n *naive) holds(cidr string, a netip.Addr) bool {
	base, bits := rawCIDR(cidr)
	n.when(bits == 0, "SEM-119")
	if n.when(base.Is4() != a.Is4(), "SEM-122") || !rawHolds(base, bits, a) {
		return false
	}
	first := netip.PrefixFrom(base, bits).Masked().Addr()
	n.when(a == first, "SEM-120")
	n.when(base != first, "SEM-121")
	n.when(strings.HasPrefix(cidr, "::ffff:"), "SEM-124")
	n.when(base.Is6() && !strings.HasPrefix(cidr, base.String()), "SEM-125")
	return true
}

// rawHolds reports whether a, of the same family, begins with the first bits of
// base.
func rawHolds(base netip.Addr, bits int, a netip.Addr) bool {
	x, y := base.AsSlice(), a.AsSlice()
	for i := range bits {
		mask := byte(0x80) >> (i % 8)
		if x[i/8]&mask != y[i/8]&mask {
			return false
		}
	}
	return true
}

// rawCIDR returns an address of the block and the length of its prefix. A
// prefix in the IPv4-mapped range is IPv4 if it is long enough to stay inside
// (SEM-124).
func rawCIDR(cidr string) (netip.Addr, int) {
	text, length, _ := strings.Cut(cidr, "/")
	bits, err := strconv.Atoi(length)
	if err != nil {
		panic(err)
	}
	base := rawAnyAddr(text)
	if base.Is4In6() && bits >= 96 {
		return base.Unmap(), bits - 96
	}
	return base, bits
}

// rawAddr returns the address that text means; the IPv4-mapped form is IPv4
// (SEM-124).
func rawAddr(text string) netip.Addr { return rawAnyAddr(text).Unmap() }

// rawAnyAddr reads an address whose decimal parts may have leading zeros
// (SEM-324).
func rawAnyAddr(text string) netip.Addr {
	head, tail := "", text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		head, tail = text[:i+1], text[i+1:]
	}
	if strings.Contains(tail, ".") {
		parts := strings.Split(tail, ".")
		for i, part := range parts {
			number, err := strconv.Atoi(part)
			if err != nil {
				panic(err)
			}
			parts[i] = strconv.Itoa(number)
		}
		tail = strings.Join(parts, ".")
	}
	return netip.MustParseAddr(head + tail)
}
