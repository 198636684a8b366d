package reach_test

import (
	"fmt"
	"net/netip"
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
// matters, and every function names the rule that it spells out.
type naive struct {
	c     *policy.Cluster
	p     reach.Profile
	known []naiveEnd // everything that can be named without an address
}

// A naiveEnd is an end of a flow.
type naiveEnd struct {
	id      string       // canonical text; ends are the same if their ids are
	dead    bool         // a terminated pod
	policed bool         // a pod to which policies apply
	isNode  bool         // a node, or a pod that counts as one
	node    string       // id of the node that it is or runs on; "" outside the cluster
	addrs   []netip.Addr // empty if none is known
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
	for _, pod := range c.Pods {
		n.known = append(n.known, n.podEnd(pod))
	}
	for _, w := range n.workloads() {
		if n.standsForPods(w) {
			n.known = append(n.known, n.workloadEnd(w, ""), n.workloadEnd(w, "replica:"))
		}
	}
	return n
}

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
		return n.withAddr(addr.Unmap()) // SEM-124
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
		case e.dead || !slices.Contains(e.addrs, a):
		case !e.spec.HostNetwork:
			pods = append(pods, e)
		case !slices.ContainsFunc(hosts, sameNode):
			hosts = append(hosts, e)
		}
	}
	for _, id := range n.nodeIDs() {
		if e := n.nodeEnd(id); slices.Contains(e.addrs, a) {
			nodes = append(nodes, e)
		}
	}
	for _, ends := range [][]naiveEnd{pods, nodes, hosts} {
		for i := range ends {
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

// allowed goes through the rules in their order.
func (n *naive) allowed(f naiveFlow) bool {
	switch {
	case f.src.dead || f.dst.dead: // SEM-222
		return false
	case !f.src.speaks(f.fam) || !f.dst.speaks(f.fam): // SEM-128
		return false
	case n.p.NotEnforced: // SEM-354
		return true
	case f.src.id == f.dst.id: // SEM-200
		return true
	case !f.src.policed && !f.dst.policed: // SEM-079
		return true
	case f.port.Protocol == policy.SCTP && n.p.SCTP == reach.SCTPBypasses: // SEM-163
		return true
	}
	return n.passes(f, networkingv1.PolicyTypeEgress) && // SEM-075
		n.passes(f, networkingv1.PolicyTypeIngress)
}

// speaks reports whether e can be an end of a flow over fam. An end without a
// known address is taken to have both families (SEM-221).
func (e naiveEnd) speaks(fam reach.Family) bool {
	return len(e.addrs) == 0 || len(e.addrsOf(fam)) > 0
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
// destination (ingress) let f pass.
func (n *naive) passes(f naiveFlow, dir networkingv1.PolicyType) bool {
	if n.exempt(f, dir) || !n.isolated(f, dir) {
		return true
	}
	if f.port.Protocol == policy.SCTP && n.p.SCTP == reach.SCTPDropped { // SEM-163
		return false
	}
	self, peer := f.sides(dir)
	for _, np := range n.c.Policies {
		if !n.applies(np, dir, self) {
			continue
		}
		for _, r := range naiveRules(np, dir) {
			if n.peersMatch(np, r.peers, peer, f.fam) && n.portsMatch(r.ports, f) { // SEM-070
				return true
			}
		}
	}
	return false // SEM-062, SEM-063
}

// sides returns the end whose policies are asked and the end they see.
func (f naiveFlow) sides(dir networkingv1.PolicyType) (self, peer naiveEnd) {
	if dir == networkingv1.PolicyTypeEgress {
		return f.src, f.dst
	}
	return f.dst, f.src
}

// exempt reports whether no policy is asked because the peer is the node that
// the pod runs on (SEM-203, SEM-205, SEM-209). A node that is not known is
// nobody else's (SEM-213).
func (n *naive) exempt(f naiveFlow, dir networkingv1.PolicyType) bool {
	self, peer := f.sides(dir)
	ownNode := peer.isNode && peer.node == self.node
	return ownNode && (dir == networkingv1.PolicyTypeIngress || n.p.EgressToOwnNodeAllowed)
}

// isolated reports whether some policy applies (SEM-061); others stay open
// (SEM-064, SEM-068).
func (n *naive) isolated(f naiveFlow, dir networkingv1.PolicyType) bool {
	self, _ := f.sides(dir)
	for _, np := range n.c.Policies {
		if n.applies(np, dir, self) {
			return true
		}
	}
	return false
}

// applies reports whether np selects e and lists dir (SEM-060, SEM-061). A
// policy that is being deleted still does (SEM-353).
func (n *naive) applies(np *networkingv1.NetworkPolicy, dir networkingv1.PolicyType, e naiveEnd) bool {
	return e.policed &&
		rawNamespace(np.ObjectMeta) == e.ns &&
		rawSelects(&np.Spec.PodSelector, e.labels) && // SEM-024
		slices.Contains(rawTypes(np), dir)
}

// rawTypes returns the directions that np isolates (SEM-020, SEM-021, SEM-023,
// SEM-025).
func rawTypes(np *networkingv1.NetworkPolicy) []networkingv1.PolicyType {
	if len(np.Spec.PolicyTypes) > 0 {
		return np.Spec.PolicyTypes
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(np.Spec.Egress) > 0 {
		types = append(types, networkingv1.PolicyTypeEgress)
	}
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

// peersMatch: no peers are everybody (SEM-090), several are alternatives
// (SEM-095).
func (n *naive) peersMatch(np *networkingv1.NetworkPolicy, peers []networkingv1.NetworkPolicyPeer, e naiveEnd, fam reach.Family) bool {
	if len(peers) == 0 {
		return true
	}
	for _, peer := range peers {
		if n.peerMatches(np, peer, e, fam) {
			return true
		}
	}
	return false
}

// peerMatches: a block looks at addresses only (SEM-110), selectors at pods
// only (SEM-094, SEM-208). A selector that is not there leaves its half open
// (SEM-049): all pods of the namespaces (SEM-098), or the own namespace
// (SEM-091).
func (n *naive) peerMatches(np *networkingv1.NetworkPolicy, peer networkingv1.NetworkPolicyPeer, e naiveEnd, fam reach.Family) bool {
	if peer.IPBlock != nil {
		return n.blockMatches(peer.IPBlock, e, fam)
	}
	if !e.policed {
		return false
	}
	if peer.PodSelector != nil && !rawSelects(peer.PodSelector, e.labels) {
		return false
	}
	if peer.NamespaceSelector == nil {
		return e.ns == rawNamespace(np.ObjectMeta)
	}
	return rawSelects(peer.NamespaceSelector, n.namespaceLabels(e.ns))
}

// blockMatches: the block must hold the address of e of the flow's family
// (SEM-111, SEM-123), and no exception may hold it (SEM-115, SEM-118). A node
// can have several addresses of one family; one in the block is enough, unless
// the question names an address. An end whose addresses are not known is in no
// block (SEM-129).
func (n *naive) blockMatches(block *networkingv1.IPBlock, e naiveEnd, fam reach.Family) bool {
	if e.policed && n.p.IPBlockSkipsPods { // SEM-112
		return false
	}
	if e.isNode && n.p.IPBlockSkipsNodes { // SEM-113, SEM-211
		return false
	}
	for _, a := range e.addrsOf(fam) {
		in := cidrHolds(block.CIDR, a)
		for _, except := range block.Except {
			in = in && !cidrHolds(except, a)
		}
		if in {
			return true
		}
	}
	return false
}

// portsMatch: no ports are all of them (SEM-150), several are alternatives
// (SEM-160).
func (n *naive) portsMatch(ports []networkingv1.NetworkPolicyPort, f naiveFlow) bool {
	if len(ports) == 0 {
		return true
	}
	for _, item := range ports {
		if n.itemMatches(item, f) {
			return true
		}
	}
	return false
}

// itemMatches: protocol and port must match (SEM-152), so protocols without
// ports never do (SEM-164). Without a port the item is all of its protocol
// (SEM-153, SEM-154).
func (n *naive) itemMatches(item networkingv1.NetworkPolicyPort, f naiveFlow) bool {
	if rawProtocol(item.Protocol) != f.port.Protocol {
		return false
	}
	if item.Port == nil {
		return true
	}
	number := int32(f.port.Number)
	if item.Port.Type == intstr.String {
		return slices.Contains(n.numbersNamed(item.Port.StrVal, f.port.Protocol, f.dst), number)
	}
	first, last := item.Port.IntVal, item.Port.IntVal
	if item.EndPort != nil && !n.p.EndPortIgnored { // SEM-157, SEM-159
		last = *item.EndPort
	}
	return first <= number && number <= last
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
// SEM-172). It means none on what is not a pod (SEM-174, SEM-185).
func (n *naive) numbersNamed(name string, proto policy.Protocol, dst naiveEnd) []int32 {
	if !dst.policed {
		return nil
	}
	var numbers []int32
	for _, port := range n.declaredPorts(dst.spec) {
		if port.Name == name && rawProtocol(&port.Protocol) == proto { // SEM-171
			numbers = append(numbers, port.ContainerPort) // SEM-181
		}
	}
	if n.p.NamedPortFirst && len(numbers) > 1 { // SEM-178
		numbers = numbers[:1]
	}
	return numbers
}

// declaredPorts returns the ports of the containers that count: the containers
// first, then the sidecars (SEM-180), then the other init containers (SEM-179).
func (n *naive) declaredPorts(spec *corev1.PodSpec) []corev1.ContainerPort {
	var main, sidecars, others []corev1.ContainerPort
	for _, c := range spec.Containers {
		main = append(main, c.Ports...)
	}
	for _, c := range spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars = append(sidecars, c.Ports...)
		} else {
			others = append(others, c.Ports...)
		}
	}
	switch n.p.NamedPorts {
	case reach.NamedPortsOfContainers:
		return main
	case reach.NamedPortsOfAllContainers:
		return slices.Concat(main, sidecars, others)
	}
	return slices.Concat(main, sidecars)
}

// rawSelects: all requirements must hold (SEM-047), so no requirement selects
// everything (SEM-040).
func rawSelects(sel *metav1.LabelSelector, labels map[string]string) bool {
	for key, want := range sel.MatchLabels {
		if got, ok := labels[key]; !ok || got != want { // SEM-041, SEM-046
			return false
		}
	}
	for _, r := range sel.MatchExpressions {
		value, present := labels[r.Key]
		ok := false
		switch r.Operator {
		case metav1.LabelSelectorOpIn: // SEM-042
			ok = present && slices.Contains(r.Values, value)
		case metav1.LabelSelectorOpNotIn: // SEM-043
			ok = !present || !slices.Contains(r.Values, value)
		case metav1.LabelSelectorOpExists: // SEM-044
			ok = present
		case metav1.LabelSelectorOpDoesNotExist: // SEM-045
			ok = !present
		default:
			panic("no operator of a selector: " + r.Operator)
		}
		if !ok {
			return false
		}
	}
	return true
}

// namespaceLabels returns the labels of a namespace, with the one that every
// namespace has (SEM-232, SEM-233). It is the only one of a namespace without
// an object (SEM-231).
func (n *naive) namespaceLabels(name string) map[string]string {
	labels := map[string]string{}
	for _, ns := range n.c.Namespaces {
		if ns.Name == name {
			for k, v := range ns.Labels {
				labels[k] = v
			}
		}
	}
	labels["kubernetes.io/metadata.name"] = name
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
	if pod.Spec.NodeName == "" {
		e.node = n.nodeOfHost(pod, e.node)
	}
	if addrs := statusAddrs(pod); len(addrs) > 0 {
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
	if len(hosts) != 1 {
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
	for _, pod := range n.c.Pods {
		if id == "node:"+pod.Spec.NodeName && !isTerminated(pod) {
			addrs = append(addrs, rawHostIPs(pod)...)
		}
	}
	return addrs
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

// cidrHolds reports whether cidr holds a. Only the bits of the prefix count
// (SEM-121), and the families never meet (SEM-122).
func cidrHolds(cidr string, a netip.Addr) bool {
	base, bits := rawCIDR(cidr)
	x, y := base.AsSlice(), a.AsSlice()
	if len(x) != len(y) {
		return false
	}
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
