package reachtest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
)

// A set is endpoints of a Graph. Of an endpoint outside it may hold some of the
// addresses only, which reach the same.
type set struct {
	members []reach.Endpoint                  // each once
	index   map[reach.Endpoint]bool           // of members; nil until somebody asks
	within  map[reach.Endpoint]cidr.Set       // of endpoints outside, the addresses meant; all if there is no entry
	owners  map[reach.Endpoint]reach.Endpoint // of a pod or node as it is reached at one address, the pod or node
	service *reach.Target                     // instead of members
	at      []int                             // of a mutant, where the members are listed before the edit, if that is known
}

// set returns what a text names. It is an error if that is nothing.
func (c *Cluster) set(text string) (set, error) {
	return c.remember(ends{text: text}, func() (set, error) {
		s, err := c.parseSet(text, set{})
		if err != nil {
			return set{}, fmt.Errorf("%q: %w", text, err)
		}
		if len(s.members) == 0 && s.service == nil {
			return set{}, fmt.Errorf("%q holds nothing", text)
		}
		return s, nil
	})
}

// parseSet is set for a text in which "*" is rest, unless that is empty.
func (c *Cluster) parseSet(text string, rest set) (set, error) {
	terms, except := cutTerms(text)
	var s set
	for i, term := range terms {
		var t set
		var err error
		if term == "*" && len(rest.members) > 0 {
			t = rest
		} else {
			t, err = c.term(term)
		}
		switch {
		case err != nil:
			return set{}, err
		case len(terms) == 1:
			return t, nil
		case t.service != nil:
			return set{}, errors.New("a Service stands alone")
		}
		if err := s.apply(c.graph, t, except[i]); err != nil {
			return set{}, err
		}
	}
	return s, nil
}

// cutTerms cuts a text at each "and" and "except", and tells which of the parts
// come after an "except".
func cutTerms(text string) (terms []string, except []bool) {
	var words []string
	isExcept := false
	end := func() {
		terms, except = append(terms, strings.Join(words, " ")), append(except, isExcept)
		words = nil
	}
	for _, w := range strings.Fields(text) {
		if w == "and" || w == "except" {
			end()
			isExcept = w == "except"
			continue
		}
		words = append(words, w)
	}
	end()
	return terms, except
}

// apply adds t to s, or takes it away.
func (s *set) apply(g *reach.Graph, t set, except bool) error {
	if except {
		return s.less(g, t)
	}
	s.join(t)
	return nil
}

func (s *set) join(t set) {
	for _, e := range t.members {
		part, isPart := t.within[e]
		had := s.has(e)
		before, wasPart := s.within[e]
		switch {
		case !had:
			s.add(e)
			if isPart {
				s.limit(e, part)
			}
		case wasPart && isPart:
			s.limit(e, before.Union(part))
		case wasPart:
			delete(s.within, e)
		}
		if owner, ok := t.owners[e]; ok {
			s.own(e, owner)
		}
	}
}

// less takes t away from s. Of a pod or node, one of whose addresses is in t, the
// others stay.
func (s *set) less(g *reach.Graph, t set) error {
	var gone cidr.Set // addresses of pods and nodes
	touched := make(map[reach.Endpoint]bool)
	for at, owner := range t.owners {
		if t.has(at) {
			gone = gone.Union(at.Addrs())
			touched[owner] = true
		}
	}
	before := *s
	*s = set{}
	for _, e := range before.members {
		part, isPart := before.within[e]
		owner, isAt := before.owners[e]
		switch {
		case t.has(e):
			if taken, ok := t.within[e]; ok {
				if rest := before.addrs(e).Minus(taken); !rest.IsEmpty() {
					s.add(e)
					s.limit(e, rest)
				}
			}
		case isAt && t.has(owner):
		case touched[e]:
			for p := range e.Addrs().Minus(gone).Prefixes() {
				if err := s.addAt(g, e, p); err != nil {
					return err
				}
			}
		default:
			s.add(e)
			if isPart {
				s.limit(e, part)
			}
			if isAt {
				s.own(e, owner)
			}
		}
	}
	return nil
}

// addAt adds a pod or node as it is reached at the addresses of block, which are
// a few of its own.
func (s *set) addAt(g *reach.Graph, e reach.Endpoint, block netip.Prefix) error {
	for a := block.Addr(); block.Contains(a); a = a.Next() {
		at, err := g.Addr(a)
		if err != nil {
			return err
		}
		s.add(at)
		if at != e && at.Name() == e.Name() {
			s.own(at, e)
		}
	}
	return nil
}

func (s *set) add(e reach.Endpoint) {
	if !s.has(e) {
		s.index[e], s.at = true, nil
		s.members = append(s.members, e)
	}
}

func (s *set) has(e reach.Endpoint) bool {
	if s.index == nil {
		s.index = make(map[reach.Endpoint]bool, len(s.members))
		for _, e := range s.members {
			s.index[e] = true
		}
	}
	return s.index[e]
}

// setOf returns the set of members that differ.
func setOf(members ...reach.Endpoint) set { return set{members: members} }

func (s *set) limit(e reach.Endpoint, addrs cidr.Set) {
	if s.within == nil {
		s.within = make(map[reach.Endpoint]cidr.Set)
	}
	s.within[e] = addrs
}

func (s *set) own(at, owner reach.Endpoint) {
	if s.owners == nil {
		s.owners = make(map[reach.Endpoint]reach.Endpoint)
	}
	s.owners[at] = owner
}

// addrs returns the addresses of a member that are meant.
func (s *set) addrs(e reach.Endpoint) cidr.Set {
	if part, ok := s.within[e]; ok {
		return part
	}
	return e.Addrs()
}

// meant returns the addresses of a member that are meant, or nothing if they are all
// that its name says.
func (s *set) meant(e reach.Endpoint) string {
	if part, ok := s.within[e]; ok && part.String() != e.String() {
		return part.String()
	}
	return ""
}

// term returns the set that has neither "and" nor "except" in its text.
func (c *Cluster) term(text string) (set, error) {
	g := c.graph
	switch text {
	case "":
		return set{}, errors.New("a set is missing")
	case "everything":
		return notEmpty(slices.Concat(g.Pods(), g.Nodes(), g.Outside()), "there is nothing")
	case "pods":
		return notEmpty(g.Pods(), "there is no pod")
	case "nodes":
		return notEmpty(g.Nodes(), "there is no node")
	case "outside":
		return notEmpty(g.Outside(), "there is no address outside")
	}
	if which, ok := strings.CutPrefix(text, "pods "); ok {
		return c.pods(which)
	}
	if addr, _, isBlock := strings.Cut(text, "/"); isBlock {
		block, err := cidr.ParsePrefix(text)
		if err == nil {
			return c.block(cidr.Of(block))
		}
		if _, addrErr := netip.ParseAddr(addr); addrErr == nil {
			return set{}, err
		}
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return c.addr(a)
	}
	if target, err := g.Target(text); err == nil && strings.HasPrefix(target.String(), "svc:") {
		return set{service: &target}, nil
	} else if strings.HasPrefix(text, "svc:") {
		return set{}, err
	}
	e, err := g.Lookup(text)
	if err != nil {
		return set{}, err
	}
	c.looks().named(e, text)
	s, err := c.podsOf(e, text)
	if err == nil && slices.ContainsFunc(s.members, c.hasTerminated) {
		err = fmt.Errorf("%v has terminated: nothing reaches it, and it reaches nothing", e)
	}
	return s, err
}

// hasTerminated reports whether an endpoint is a pod that has left the network.
func (c *Cluster) hasTerminated(e reach.Endpoint) bool {
	if e.Name().Namespace == "" || slices.Contains(c.graph.Pods(), e) {
		return false
	}
	return c.graph.Explain(reach.Flow{From: e, To: c.graph.MustLookup("outside:*"), Port: policy.TCP.Port(1)}).Reason == reach.Terminated
}

// addr returns what has an address.
func (c *Cluster) addr(a netip.Addr) (set, error) {
	e, err := c.graph.Addr(a)
	if err != nil {
		return set{}, err
	}
	a = a.Unmap()
	if e.Addrs().Contains(a) && e.Name().Name == "" {
		s := setOf(e)
		s.limit(e, cidr.Of(netip.PrefixFrom(a, a.BitLen())))
		return s, nil
	}
	return c.block(cidr.Of(netip.PrefixFrom(a, a.BitLen())))
}

// podsOf returns the pods of e, if it is a workload of which the cluster holds
// pods, and else e. If it has only one of them, the workload is there too, to ask
// what a second one would reach.
func (c *Cluster) podsOf(e reach.Endpoint, text string) (set, error) {
	kind, _, _ := strings.Cut(text, ":")
	switch kind {
	case "pod", "replica", "node", "node-of", "outside":
		return setOf(e), nil
	}
	listed := c.graph.Pods()
	if slices.Contains(listed, e) {
		return setOf(e), nil
	}
	m, err := c.model()
	if err != nil {
		return set{}, err
	}
	kinds := map[string]string{
		"deploy": "Deployment", "rs": "ReplicaSet", "sts": "StatefulSet", "ds": "DaemonSet",
		"job": "Job", "cj": "CronJob", "rc": "ReplicationController",
	}
	owned := make(map[types.NamespacedName]bool)
	for i := range m.Pods {
		p := &m.Pods[i]
		if p.Kind == "Pod" && p.Name.Namespace == e.Name().Namespace && p.Owner.Name == e.Name().Name &&
			(kinds[kind] == "" || kinds[kind] == p.Owner.Kind) {
			owned[p.Name] = true
		}
	}
	var s set
	for name := range owned {
		pod, err := c.graph.Lookup("pod:" + name.String())
		if err != nil {
			return set{}, err
		}
		if slices.Contains(listed, pod) { // else it has terminated
			s.add(pod)
		}
	}
	slices.SortFunc(s.members, func(a, b reach.Endpoint) int { return cmp.Compare(a.Name().Name, b.Name().Name) })
	c.looks().employs(e, s.members)
	if len(s.members) < 2 {
		s.add(e)
	}
	return s, nil
}

func notEmpty(members []reach.Endpoint, otherwise string) (set, error) {
	if len(members) == 0 {
		return set{}, errors.New(otherwise)
	}
	return setOf(members...), nil
}

// pods returns the pods that the words after "pods" pick.
func (c *Cluster) pods(which string) (set, error) {
	namespaces, pods, err := c.selectors(which)
	if err != nil {
		return set{}, err
	}
	return notEmpty(c.graph.Select(namespaces, pods), "no pod is picked")
}

// selectors returns what the words after "pods" say of namespaces and of labels.
func (c *Cluster) selectors(which string) (namespaces, pods selector.Selector, err error) {
	text, in := which, ""
	words := strings.Fields(which)
	for i, w := range words {
		// In a selector, a list comes after "in".
		if w != "in" || i+1 < len(words) && strings.HasPrefix(words[i+1], "(") {
			continue
		}
		text, in = strings.Join(words[:i], " "), strings.Join(words[i+1:], " ")
		if in == "" {
			return namespaces, pods, errors.New(`a namespace is missing after "in"`)
		}
		break
	}
	if pods, err = parseSelector(text); err != nil {
		return namespaces, pods, err
	}
	c.looks().picks(pods)
	if text, ok := strings.CutPrefix(in+" ", "namespaces "); ok {
		if strings.TrimSpace(text) == "" {
			return namespaces, pods, errors.New(`a label selector is missing after "in namespaces"; for those of all namespaces, write "pods"`)
		}
		namespaces, err = parseSelector(text)
	} else if in != "" {
		if !c.hasNamespace(in) {
			return namespaces, pods, fmt.Errorf("there is no namespace %q", in)
		}
		namespaces, err = selector.New(metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: in}})
	}
	return namespaces, pods, err
}

// hasNamespace reports whether there is a namespace, be it without an object.
func (c *Cluster) hasNamespace(name string) bool {
	for _, e := range c.graph.Pods() {
		if e.Name().Namespace == name {
			return true
		}
	}
	return slices.ContainsFunc(c.objects.Namespaces, func(ns *corev1.Namespace) bool { return ns != nil && ns.Name == name }) ||
		slices.ContainsFunc(c.objects.Policies, func(np *networkingv1.NetworkPolicy) bool {
			return np != nil && cmp.Or(np.Namespace, metav1.NamespaceDefault) == name
		})
}

// parseSelector parses a label selector as kubectl writes it.
func parseSelector(text string) (selector.Selector, error) {
	if strings.TrimSpace(text) == "" {
		return selector.Selector{}, nil
	}
	parsed, err := labels.Parse(text)
	if err != nil {
		return selector.Selector{}, fmt.Errorf("%q is no label selector: %w", text, err)
	}
	requirements, _ := parsed.Requirements()
	var ls metav1.LabelSelector
	for _, r := range requirements {
		operator, ok := labelOperators[r.Operator()]
		if !ok {
			return selector.Selector{}, fmt.Errorf("%q is no label selector: policies know no operator %q", text, r.Operator())
		}
		ls.MatchExpressions = append(ls.MatchExpressions,
			metav1.LabelSelectorRequirement{Key: r.Key(), Operator: operator, Values: slices.Sorted(maps.Keys(r.Values()))})
	}
	return selector.New(ls)
}

// labelOperators are the operators that label selectors have as text and as
// objects.
var labelOperators = map[selection.Operator]metav1.LabelSelectorOperator{
	selection.Equals:       metav1.LabelSelectorOpIn,
	selection.DoubleEquals: metav1.LabelSelectorOpIn,
	selection.In:           metav1.LabelSelectorOpIn,
	selection.NotEquals:    metav1.LabelSelectorOpNotIn,
	selection.NotIn:        metav1.LabelSelectorOpNotIn,
	selection.Exists:       metav1.LabelSelectorOpExists,
	selection.DoesNotExist: metav1.LabelSelectorOpDoesNotExist,
}

// block returns the endpoints that have an address of block: pods, nodes and the
// classes outside.
func (c *Cluster) block(block cidr.Set) (set, error) {
	g := c.graph
	var s set
	for _, e := range slices.Concat(g.Pods(), g.Nodes()) {
		inside := e.Addrs().Intersect(block)
		if inside.IsEmpty() {
			continue
		}
		for p := range inside.Prefixes() {
			if err := s.addAt(g, e, p); err != nil {
				return set{}, err
			}
		}
	}
	for _, e := range g.Outside() {
		if part := e.Addrs().Intersect(block); !part.IsEmpty() {
			s.add(e)
			s.limit(e, part)
		}
	}
	if len(s.members) == 0 {
		return set{}, fmt.Errorf("no endpoint has an address of %v", block)
	}
	return s, nil
}

// portsOf returns the ports that a text means at an endpoint: numbers, ranges and
// protocols as [policy.ParsePortSet] reads them, and names that the endpoint
// declares.
//
// It is an error if the text means no port.
func portsOf(text string, to reach.Target) (policy.PortSet, error) {
	if ports, err := policy.ParsePortSet(text); err == nil {
		if ports.IsEmpty() {
			return policy.PortSet{}, fmt.Errorf("ports %q ask nothing; to say that nothing is reached, assert DoesNotReach on \"all\"", text)
		}
		return ports, nil
	}
	var ranges []policy.PortRange
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		ports, err := policy.ParsePortSet(part)
		if err != nil {
			port, nameErr := to.Port(part)
			if nameErr != nil {
				return policy.PortSet{}, nameErr
			}
			ports = policy.NewPortSet(rangeOf(port))
		}
		ranges = slices.AppendSeq(ranges, ports.Ranges())
	}
	return policy.NewPortSet(ranges...), nil
}

func rangeOf(p policy.Port) policy.PortRange {
	if !p.Protocol.HasPorts() {
		return policy.PortRange{}
	}
	return policy.PortRange{Protocol: p.Protocol, First: p.Number, Last: p.Number}
}
