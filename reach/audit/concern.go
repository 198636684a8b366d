package audit

import (
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// difference returns a flow that one of two Graphs allows and the other does not, if
// there is one.
func difference(g, h *reach.Graph) (spelled, bool) {
	c, same := reach.Equivalent(g, h)
	if same {
		return spelled{}, false
	}
	return spell(c), true
}

// differenceBy is difference for two Graphs that differ by an item only, for some
// directions. Most items concern but the flows between a few pods, and to ask for
// these takes less than to compare the Graphs.
func (t *trial) differenceBy(g, h *reach.Graph, it item, ds []policy.Direction) (spelled, bool) {
	pairs, ok := t.s.concerned(it, ds)
	if !ok {
		return difference(g, h)
	}
	for _, p := range pairs {
		if f, differs := p.difference(g, h); differs {
			return f, true
		}
	}
	return spelled{}, false
}

// A podPair is two pods, which stand for others like them, in the words of
// [reach.Graph.Lookup].
type podPair struct{ from, to string }

// concerned returns pairs of pods that stand for all those of which an item can
// decide a flow: one is selected by the policy, the other is a peer. It reports false
// if there are others, that are not all pods picked by labels.
func (s *subject) concerned(it item, ds []policy.Direction) (pairs []podPair, ok bool) {
	if it.kind != policyItem {
		if it.kind == exceptItem {
			return nil, false
		}
		return s.concernedByRule(it, pairs)
	}
	for _, d := range ds {
		if len(s.isolatedBy(it.of, d)) > 0 {
			return nil, false // they would be open
		}
		for i := range it.of.Half(d).Rules {
			rule := item{of: it.of, kind: ruleItem, direction: d, rule: i}
			if pairs, ok = s.concernedByRule(rule, pairs); !ok {
				return nil, false
			}
		}
	}
	return pairs, true
}

// concernedByRule appends the pairs that a rule or a part of one concerns.
func (s *subject) concernedByRule(it item, pairs []podPair) (_ []podPair, ok bool) {
	var peers []*subjectPod
	for i, peer := range it.normal().Peers {
		if it.kind == peerItem && i != it.peer {
			continue
		}
		p, ok := peer.(policy.Pods)
		if !ok {
			return nil, false
		}
		peers = append(peers, s.picked(p)...)
	}
	others := s.alike(distinct(peers), func(pod *subjectPod) string {
		// Without one of several peers, a rule tells apart pods that it does not now.
		var by []byte
		for i, peer := range it.normal().Peers {
			if it.kind == peerItem && s.holds(peer, pod) {
				by = append(by, byte(i), byte(i>>8))
			}
		}
		return string(by)
	})
	for _, own := range s.alike(it.of.pods, nil) {
		for _, other := range others {
			from, to := other, own
			if it.direction == policy.Egress {
				from, to = to, from
			}
			if p, ok := apart(from, to); ok {
				pairs = append(pairs, p)
			}
		}
	}
	return pairs, true
}

// apart returns different pods of two groups, or a workload and its replica if both
// are nothing but this one. It reports false if both are one and the same pod.
func apart(from, to []*subjectPod) (podPair, bool) {
	a, b := from[0], to[0]
	switch {
	case a != b:
	case len(to) > 1:
		b = to[1]
	case len(from) > 1:
		a = from[1]
	default:
		name := a.end.String()
		return podPair{name, "replica:" + name}, a.Kind != "Pod"
	}
	return podPair{a.end.String(), b.end.String()}, true
}

// difference returns a flow from the one to the other that one of two Graphs allows
// and the other does not, if there is one.
func (p podPair) difference(g, h *reach.Graph) (spelled, bool) {
	f := spelled{from: p.from, to: p.to, port: policy.TCP.Port(1)}
	x, ok := f.in(g)
	y, ok2 := f.in(h)
	if !ok || !ok2 {
		panic("audit: cannot happen: a pod that has no name")
	}
	for _, f.family = range [...]reach.Family{reach.IPv4, reach.IPv6} {
		a, b := g.PortsOver(f.family, x.From, x.To), h.PortsOver(f.family, y.From, y.To)
		for _, only := range [...]policy.PortSet{a.Minus(b), b.Minus(a)} {
			for r := range only.Ranges() {
				f.port = policy.Port{Protocol: r.Protocol, Number: r.First}
				if r == (policy.PortRange{}) {
					f.port.Protocol = policy.ICMP
				}
				return f, true
			}
		}
	}
	return spelled{}, false
}

// alike returns pods in groups that no policy tells apart, that the same policies
// select, that declare the same ports, and if by is not nil, of
// which it says the same.
func (s *subject) alike(pods []*subjectPod, by func(*subjectPod) string) [][]*subjectPod {
	type kind struct {
		class                 reach.Class
		ports, selectedBy, by string
	}
	return grouped(pods, func(pod *subjectPod) (kind, bool) {
		class, _ := s.g.ClassOf(pod.end)
		k := kind{class, pod.portsText, pod.selectedBy, ""}
		if by != nil {
			k.by = by(pod)
		}
		return k, true
	})
}

// grouped returns pods in groups of one key, but for those that have none.
func grouped[K comparable](pods []*subjectPod, keyOf func(*subjectPod) (K, bool)) [][]*subjectPod {
	index := make(map[K]int)
	var groups [][]*subjectPod
	for _, pod := range pods {
		k, ok := keyOf(pod)
		if !ok {
			continue
		}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], pod)
	}
	return groups
}

// distinct returns pods in the order of the Graph, each once.
func distinct(pods []*subjectPod) []*subjectPod {
	slices.SortFunc(pods, func(a, b *subjectPod) int { return a.index - b.index })
	return slices.Compact(pods)
}
