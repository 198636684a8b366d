package policy

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/selector"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A Direction tells the two halves of a policy apart.
type Direction uint8

// The halves of a policy.
const (
	Egress Direction = iota
	Ingress
)

// String returns "egress" or "ingress".
func (d Direction) String() string {
	if d == Ingress {
		return "ingress"
	}
	return "egress"
}

// policyType returns the name of d in policyTypes.
func (d Direction) policyType() networkingv1.PolicyType {
	if d == Ingress {
		return networkingv1.PolicyTypeIngress
	}
	return networkingv1.PolicyTypeEgress
}

// peersField returns the name of the field with the peers of a rule.
func (d Direction) peersField() string {
	if d == Ingress {
		return "from"
	}
	return "to"
}

// A Policy is a NetworkPolicy in normal form: defaults filled in, selectors,
// blocks and ports parsed. What it means does not depend on whether a list in
// the API object was absent, null or empty: that is settled here, once.
// Treat a Policy as read-only; it shares nothing with the API object.
type Policy struct {
	Name     types.NamespacedName
	Pods     selector.Selector // which pods of its namespace it applies to
	Egress   Half
	Ingress  Half
	Warnings []Warning // legal but suspicious, in the order of the API object

	source *source // where the NetworkPolicy was read, if Model made this from a file
}

// Place returns where a field of the NetworkPolicy stands in the input, or if
// that is not known, where the nearest field around it does. File and Line are
// zero unless [Cluster.Model] made p of a policy that was read from a file.
func (p *Policy) Place(field string) Place {
	at := Place{Object: "NetworkPolicy " + p.Name.String(), Field: field}
	if s := p.source; s != nil {
		at.File, at.Line = s.file, s.lineOf(field)
	}
	return at
}

// New returns the normal form of np, or everything that is wrong with np, by
// the rules of the API server, joined, each an [*Error] without File and Line.
// A namespace that is absent is "default"; a name that is still to be generated
// is its prefix and a star.
//
// Blocks that API servers have stored over the years but refuse since
// Kubernetes 1.36 are accepted with a warning, see [Loader.StrictCIDR]. Of the
// metadata, New looks at names and labels only.
func New(np *networkingv1.NetworkPolicy) (*Policy, error) {
	p, r := inspect(np, false)
	if err := r.err(); err != nil {
		return nil, err
	}
	p.Warnings = r.warnings
	return p, nil
}

// Half returns what p says of direction d.
func (p *Policy) Half(d Direction) *Half {
	if d == Ingress {
		return &p.Ingress
	}
	return &p.Egress
}

// A Half is what a policy says of one direction. If it isolates, its pods may
// use only what Rules allow, which is nothing when there are none. If it does
// not isolate, it has no rules.
type Half struct {
	Isolates bool
	Rules    []Rule // Rules[i] is spec.ingress[i] or spec.egress[i]
}

// A Rule allows traffic with any of its peers on any of its ports.
// Neither list is ever empty.
type Rule struct {
	Peers []Peer     // in the order of from or to; [Anyone] alone for an omitted list
	Ports []PortItem // in the order of ports; the zero PortItem alone for an omitted list
}

// A PortItem is one item of the ports of a rule.
//
//	Protocol 0            every port of every protocol, with ports or without
//	Name not empty        the container ports of this name and Protocol, on the pod that receives the traffic
//	First 0               every port of Protocol
//	otherwise             the ports from First to Last of Protocol; Last is above First only if endPort is given
//
// PortItems are comparable.
type PortItem struct {
	Protocol    Protocol
	Name        string
	First, Last uint16
}

// String returns the item, such as "443/TCP", "8000-8080/TCP", "UDP",
// "postgres/TCP", and "any port" for the zero PortItem.
func (it PortItem) String() string {
	protocol := it.Protocol.String()
	switch {
	case it.Protocol == 0:
		return "any port"
	case it.Name != "":
		return it.Name + "/" + protocol
	case it.First == 0:
		return protocol
	case it.First == it.Last:
		return strconv.Itoa(int(it.First)) + "/" + protocol
	}
	return strconv.Itoa(int(it.First)) + "-" + strconv.Itoa(int(it.Last)) + "/" + protocol
}

// A Peer is [Anyone], [Block] or [Pods].
type Peer interface {
	peer()
	String() string
}

type (
	// Anyone is every pod and every address.
	Anyone struct{}

	// Block is the set of addresses that an ipBlock describes.
	Block struct{ Addrs cidr.Set }

	// Pods is what a pair of selectors picks. If Namespace is not empty, only
	// pods of that namespace are meant, and Namespaces picks everything.
	Pods struct {
		Namespace  string
		Namespaces selector.Selector // by the labels of the namespace
		Pods       selector.Selector // by the labels of the pod
	}
)

func (Anyone) peer() {}
func (Block) peer()  {}
func (Pods) peer()   {}

// String returns "anyone".
func (Anyone) String() string { return "anyone" }

// String returns the addresses, such as "10.0.0.0/8 except 10.1.0.0/16".
func (b Block) String() string { return b.Addrs.String() }

// String returns the selectors in words, such as "pods [app=web] in shop",
// "all pods in namespaces [team=a]" and "all pods in all namespaces".
func (p Pods) String() string {
	pods, in := "all pods", "all namespaces"
	if !p.Pods.IsEverything() {
		pods = "pods [" + p.Pods.String() + "]"
	}
	switch {
	case p.Namespace != "":
		in = p.Namespace
	case !p.Namespaces.IsEverything():
		in = "namespaces [" + p.Namespaces.String() + "]"
	}
	return pods + " in " + in
}

// policy returns the normal form of np and reports what is wrong or odd in its
// spec. The result means nothing if there are errors.
func (r *report) policy(np *networkingv1.NetworkPolicy, strictCIDR bool) *Policy {
	p := &Policy{Name: types.NamespacedName{Namespace: namespaceOf(np), Name: nameOf(np)}}
	at := pathTo("spec")
	p.Pods = r.selector(at.field("podSelector"), &np.Spec.PodSelector)

	specs := r.specs[:0]
	for i := range np.Spec.Ingress {
		specs = append(specs, ruleSpec{np.Spec.Ingress[i].From, np.Spec.Ingress[i].Ports})
	}
	for i := range np.Spec.Egress {
		specs = append(specs, ruleSpec{np.Spec.Egress[i].To, np.Spec.Egress[i].Ports})
	}
	r.specs = specs
	ingress, egress := specs[:len(np.Spec.Ingress)], specs[len(np.Spec.Ingress):]
	policyTypes := np.Spec.PolicyTypes
	if len(policyTypes) == 0 {
		// An absent list means Ingress, whatever rules there are, and Egress
		// only if it has rules.
		policyTypes = defaultTypes[:1]
		if len(egress) > 0 {
			policyTypes = defaultTypes[:]
		}
	}
	for _, d := range []Direction{Ingress, Egress} {
		p.Half(d).Isolates = slices.Contains(policyTypes, d.policyType())
	}
	rp := ruleParser{r, p.Name.Namespace, strictCIDR}
	rp.half(p, Ingress, ingress)
	rp.half(p, Egress, egress)

	at = at.field("policyTypes")
	if len(policyTypes) > 2 {
		r.fail(at, field.ErrorTypeInvalid, "%v: %s", policyTypes, "may not specify more than two policyTypes, Ingress and Egress")
		return p
	}
	for i, t := range policyTypes {
		if t != networkingv1.PolicyTypeIngress && t != networkingv1.PolicyTypeEgress {
			r.notSupported(at.element(i), string(t), "Ingress", "Egress")
		}
	}
	return p
}

var defaultTypes = [...]networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}

// A ruleSpec is a rule of either direction.
type ruleSpec struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// A ruleParser turns the rules of one policy into their normal form.
type ruleParser struct {
	*report
	namespace  string // of the policy
	strictCIDR bool
}

// half fills in the rules of one direction of p. If the policy does not list
// the direction they are checked, but mean nothing.
func (r ruleParser) half(p *Policy, d Direction, rules []ruleSpec) {
	at, h := pathTo("spec").field(d.String()), p.Half(d)
	if !h.Isolates && len(rules) > 0 {
		r.warn(at, "unlisted-direction", "these rules have no effect: policyTypes does not list %s", d.policyType())
	}
	parsed := carve(&r.rules, len(rules))
	for i, spec := range rules {
		parsed[i] = r.rule(at.element(i), d, spec)
	}
	if h.Isolates && len(rules) > 0 {
		h.Rules = parsed
	}
}

func (r ruleParser) rule(at *fieldPath, d Direction, spec ruleSpec) Rule {
	// What a rule leaves out is one item that says so.
	rule := Rule{
		Peers: carve(&r.peers, max(1, len(spec.peers))),
		Ports: carve(&r.items, max(1, len(spec.ports))),
	}
	for i := range spec.ports {
		rule.Ports[i] = r.portItem(at.field("ports").element(i), &spec.ports[i])
	}
	rule.Peers[0] = Anyone{}
	for i := range spec.peers {
		rule.Peers[i] = r.peer(at.field(d.peersField()).element(i), &spec.peers[i])
	}
	return rule
}

// carve returns a new slice of length n. It takes it from free, and makes that
// anew when it is used up: many short slices in few allocations.
func carve[T any](free *[]T, n int) []T {
	if n > len(*free) {
		*free = make([]T, max(n, 16, min(2*cap(*free), 1<<10)))
	}
	s := (*free)[:n:n]
	*free = (*free)[n:]
	return s
}

func (r ruleParser) portItem(at *fieldPath, port *networkingv1.NetworkPolicyPort) PortItem {
	it := PortItem{Protocol: TCP}
	if port.Protocol != nil {
		it.Protocol = r.protocol(at.field("protocol"), *port.Protocol)
	}
	end := at.field("endPort")
	switch {
	case port.Port == nil:
		if port.EndPort != nil {
			r.invalidNumber(end, *port.EndPort, "may not be specified when port is not specified: an endPort needs a port to begin with")
		}
	case port.Port.Type != intstr.Int:
		it.Name = port.Port.StrVal
		r.portName(at.field("port"), it.Name)
		if port.EndPort != nil {
			r.invalidNumber(end, *port.EndPort, "may not be specified when port is non-numeric: a named port has no range")
		}
	default:
		first := port.Port.IntVal
		last := first
		r.portNumber(at.field("port"), first)
		if port.EndPort != nil {
			last = *port.EndPort
			if last < first {
				r.invalidNumber(end, last, "must be greater than or equal to port, which is "+strconv.Itoa(int(first)))
			}
			r.portNumber(end, last)
		}
		it.First, it.Last = uint16(first), uint16(last)
	}
	return it
}

func (r ruleParser) peer(at *fieldPath, peer *networkingv1.NetworkPolicyPeer) Peer {
	// A selector that is nil is not the one that picks nothing: that half of
	// the peer is just not used.
	pods := Pods{Namespace: r.namespace}
	if peer.PodSelector != nil {
		pods.Pods = r.selector(at.field("podSelector"), peer.PodSelector)
	}
	if peer.NamespaceSelector != nil {
		pods.Namespace = ""
		pods.Namespaces = r.selector(at.field("namespaceSelector"), peer.NamespaceSelector)
	}
	hasSelector := peer.PodSelector != nil || peer.NamespaceSelector != nil
	if peer.IPBlock == nil {
		if !hasSelector {
			r.fail(at, field.ErrorTypeRequired, "must specify a peer: podSelector, namespaceSelector or ipBlock")
		}
		return pods
	}
	block := Block{r.knownBlock(at.field("ipBlock"), peer.IPBlock)}
	if hasSelector {
		r.fail(at, field.ErrorTypeForbidden, "may not specify both ipBlock and another peer: write two items")
	}
	return block
}

// knownBlock is block, but parses the same text only once.
func (r ruleParser) knownBlock(at *fieldPath, block *networkingv1.IPBlock) cidr.Set {
	r.key = append(binary.AppendUvarint(r.key[:0], uint64(len(block.CIDR))), block.CIDR...)
	for _, s := range block.Except {
		r.key = append(binary.AppendUvarint(r.key, uint64(len(s))), s...)
	}
	if s, ok := r.blocks[string(r.key)]; ok {
		return s
	}
	said := len(r.errs) + len(r.warnings)
	s := r.block(at, block)
	if len(r.errs)+len(r.warnings) == said {
		if r.blocks == nil {
			r.blocks = make(map[string]cidr.Set)
		}
		r.blocks[string(r.key)] = s
	}
	return s
}

func (r ruleParser) block(at *fieldPath, block *networkingv1.IPBlock) cidr.Set {
	if block.CIDR == "" {
		r.fail(at.field("cidr"), field.ErrorTypeRequired, "an ipBlock needs a cidr, such as 10.0.0.0/8")
		return cidr.Set{}
	}
	whole, ok := r.prefix(at.field("cidr"), block.CIDR, r.strictCIDR)
	if !ok {
		return cidr.Set{}
	}
	var parts []netip.Prefix
	for i, s := range block.Except {
		at := at.field("except").element(i)
		part, ok := r.prefix(at, s, r.strictCIDR)
		switch {
		case !ok:
			continue
		case !whole.Contains(part.Addr()):
			r.fail(at, field.ErrorTypeInvalid, "%s is not inside %s: an exception must be a strict subset of its block", s, block.CIDR)
		case lengthOf(part, s) <= lengthOf(whole, block.CIDR):
			r.fail(at, field.ErrorTypeInvalid, "%s has no longer prefix than %s: an exception must be a strict subset of its block", s, block.CIDR)
		}
		parts = append(parts, part)
	}
	addrs := cidr.Of(whole).Minus(cidr.Of(parts...))
	if addrs.IsEmpty() {
		r.warn(at, "empty-block", "the exceptions cover all of %s: this block holds no address", block.CIDR)
	}
	return addrs
}

// lengthOf returns the length of the prefix p as it is written in s. The API
// server compares these, without taking IPv4-mapped IPv6 for IPv4.
func lengthOf(p netip.Prefix, s string) int {
	if p.Addr().Is4() && strings.Contains(s, ":") {
		return p.Bits() + 96
	}
	return p.Bits()
}
