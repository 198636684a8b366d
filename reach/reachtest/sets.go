package reachtest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A set is endpoints of a Graph. Of an endpoint outside it may hold some of the
// addresses only, which reach the same.
type set struct {
	members []reach.Endpoint // each once
	has     map[reach.Endpoint]bool
	within  map[reach.Endpoint]cidr.Set // of endpoints outside, the addresses meant; all if there is no entry
	service *reach.Target               // instead of members
}

// set returns what a text names. It is an error if that is nothing.
func (c *Cluster) set(text string) (set, error) {
	var s set
	op := "and"
	for rest := text; rest != ""; {
		term, nextOp, more := nextTerm(rest)
		t, err := c.term(strings.TrimSpace(term))
		if err != nil {
			return set{}, fmt.Errorf("%q: %w", text, err)
		}
		if (op != "and" || len(s.members) > 0 || nextOp != "") && t.service != nil {
			return set{}, fmt.Errorf("%q: a Service stands alone", text)
		}
		if op == "and" {
			s.join(t)
		} else {
			s.less(t)
		}
		rest, op = more, nextOp
	}
	if len(s.members) == 0 && s.service == nil {
		return set{}, fmt.Errorf("%q holds nothing", text)
	}
	return s, nil
}

// nextTerm cuts a text at the first "and" or "except".
func nextTerm(text string) (term, op, rest string) {
	words := strings.Fields(text)
	for i, w := range words {
		if w == "and" || w == "except" {
			return strings.Join(words[:i], " "), w, strings.Join(words[i+1:], " ")
		}
	}
	return text, "", ""
}

func (s *set) join(t set) {
	if t.service != nil {
		s.service = t.service
		return
	}
	for _, e := range t.members {
		part, isPart := t.within[e]
		had := s.has[e]
		whole := s.within[e]
		_, hadPart := s.within[e]
		switch {
		case !had:
			s.add(e)
			if isPart {
				s.limit(e, part)
			}
		case hadPart && isPart:
			s.limit(e, whole.Union(part))
		case hadPart:
			delete(s.within, e)
		}
	}
}

func (s *set) less(t set) {
	s.members = slices.DeleteFunc(slices.Clone(s.members), func(e reach.Endpoint) bool {
		if !t.has[e] {
			return false
		}
		if part, isPart := t.within[e]; isPart {
			if rest := s.addrs(e).Minus(part); !rest.IsEmpty() {
				s.limit(e, rest)
				return false
			}
		}
		delete(s.has, e)
		return true
	})
}

func (s *set) add(e reach.Endpoint) {
	if s.has == nil {
		s.has = make(map[reach.Endpoint]bool)
	}
	if !s.has[e] {
		s.has[e] = true
		s.members = append(s.members, e)
	}
}

func setOf(members ...reach.Endpoint) set {
	var s set
	for _, e := range members {
		s.add(e)
	}
	return s
}

func (s *set) limit(e reach.Endpoint, addrs cidr.Set) {
	if s.within == nil {
		s.within = make(map[reach.Endpoint]cidr.Set)
	}
	s.within[e] = addrs
}

// addrs returns the addresses of a member that are meant.
func (s *set) addrs(e reach.Endpoint) cidr.Set {
	if part, ok := s.within[e]; ok {
		return part
	}
	return e.Addrs()
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
	if block, err := cidr.ParsePrefix(text); err == nil && strings.Contains(text, "/") {
		return c.block(cidr.Of(block))
	}
	if target, err := g.Target(text); err == nil && strings.HasPrefix(target.String(), "svc:") {
		return set{service: &target}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return c.block(cidr.Of(netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())))
	}
	e, err := g.Lookup(text)
	if err != nil {
		return set{}, err
	}
	return setOf(e), nil
}

func notEmpty(members []reach.Endpoint, otherwise string) (set, error) {
	if len(members) == 0 {
		return set{}, errors.New(otherwise)
	}
	return setOf(members...), nil
}

// pods returns the pods that the words after "pods" pick.
func (c *Cluster) pods(which string) (set, error) {
	labels, in := which, ""
	if i := strings.LastIndex(" "+which, " in "); i >= 0 && !strings.HasPrefix(strings.TrimSpace(which[i+2:]), "(") {
		labels, in = which[:max(0, i-1)], strings.TrimSpace(which[i+2:])
	}
	pods, err := parseSelector(labels)
	if err != nil {
		return set{}, err
	}
	namespaces := selector.Selector{}
	if text, ok := strings.CutPrefix(in, "namespaces "); ok {
		if namespaces, err = parseSelector(text); err != nil {
			return set{}, err
		}
	} else if in != "" {
		if !c.hasNamespace(in) {
			return set{}, fmt.Errorf("there is no namespace %q", in)
		}
		byName := metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: in}}
		if namespaces, err = selector.New(byName); err != nil {
			return set{}, err
		}
	}
	return notEmpty(c.graph.Select(namespaces, pods), "no pod is picked")
}

func (c *Cluster) hasNamespace(name string) bool {
	for _, e := range c.graph.Pods() {
		if e.Name().Namespace == name {
			return true
		}
	}
	return slices.ContainsFunc(c.objects.Namespaces, func(ns *corev1.Namespace) bool { return ns != nil && ns.Name == name })
}

// parseSelector parses a label selector as kubectl writes it.
func parseSelector(text string) (selector.Selector, error) {
	if strings.TrimSpace(text) == "" {
		return selector.Selector{}, nil
	}
	ls, err := metav1.ParseToLabelSelector(text)
	if err != nil {
		return selector.Selector{}, fmt.Errorf("%q is no label selector: %w", text, err)
	}
	return selector.New(*ls)
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
		for p := range inside.Prefixes() { // a few single addresses
			for a := p.Addr(); p.Contains(a); a = a.Next() {
				at, err := g.Addr(a)
				if err != nil {
					return set{}, err
				}
				s.add(at)
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
func portsOf(text string, to reach.Target) (policy.PortSet, error) {
	if ports, err := policy.ParsePortSet(text); err == nil {
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
