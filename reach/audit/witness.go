package audit

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// A witness is a flow that may show that an item changes something.
type witness struct {
	flow reach.Flow
	own  *subjectPod // that the policy of the item selects
	peer peerEnd
}

// A peerEnd is an end that a peer may pick: a pod, or an address outside.
type peerEnd struct {
	end  reach.Endpoint
	pod  *subjectPod // nil for an address
	addr netip.Addr  // to the Graph, it may be like others that are in other blocks
}

// isDecisive reports whether one of a few likely flows shows that an item changes
// something. If none does, that is open.
func (t *trial) isDecisive(it item) bool {
	const most = 20
	n := 0
	for w := range t.likely(it) {
		if t.shows(w, it) {
			return true
		}
		if n++; n == most {
			break
		}
	}
	return false
}

// shows reports whether a flow shows that an item changes something. It need not see
// all that shows it.
func (t *trial) shows(w witness, it item) bool {
	allowed := t.s.g.Allows(w.flow)
	switch {
	case w.flow.Port.Protocol == policy.SCTP && t.s.profile.SCTP == reach.SCTPBypasses:
		return false
	case it.kind == exceptItem, it.kind == policyItem && !allowed:
		// Without it the pod lets the flow pass, and an address outside always does.
		return !allowed && w.peer.pod == nil && w.own.has(familyOf(w.peer.addr)) &&
			(it.kind == exceptItem || t.isolatesAlone(it.of, w))
	case !allowed:
		return false
	case it.kind == policyItem && t.isolatesAlone(it.of, w):
		return false // without it the pod would be open
	}
	return !t.isAllowedWithout(w, it)
}

// isolatesAlone reports whether a policy isolates the own end of w for the direction of
// the flow, and no other one does.
func (t *trial) isolatesAlone(p *subjectPolicy, w witness) bool {
	d := w.direction()
	return p.Half(d).Isolates && !slices.ContainsFunc(w.own.policies, func(q *subjectPolicy) bool { return q != p && q.Half(d).Isolates })
}

// direction returns that in which the policies of the own end judge the flow.
func (w witness) direction() policy.Direction {
	if w.flow.From == w.own.end {
		return policy.Egress
	}
	return policy.Ingress
}

// isAllowedWithout reports whether rules of the own end of w allow the flow by other
// items than one, over some family.
func (t *trial) isAllowedWithout(w witness, it item) bool {
	d := w.direction()
	receiver := w.own
	if d == policy.Egress {
		receiver = w.peer.pod
	}
	for _, p := range w.own.policies {
		for i := range p.Half(d).Rules {
			// The item is in this rule, if it is not all of it.
			in := it.of == p && it.direction == d && it.rule == i
			if it.of == p && it.kind == policyItem || in && it.kind == ruleItem {
				continue
			}
			rule := &p.Half(d).Rules[i]
			holds := indexExcept(rule.Peers, in && it.kind == peerItem, it.peer, func(peer policy.Peer) bool { return t.s.picks(peer, w.peer) })
			if holds && indexExcept(rule.Ports, in && it.kind == portItem, it.port, func(port policy.PortItem) bool {
				return t.s.allowsPort(port, w.flow.Port, receiver)
			}) {
				return true
			}
		}
	}
	return false
}

// indexExcept reports whether one of list is so, but if skip is set not that at i.
func indexExcept[T any](list []T, skip bool, i int, is func(T) bool) bool {
	for j, x := range list {
		if !(skip && i == j) && is(x) {
			return true
		}
	}
	return false
}

// picks reports whether a peer picks an end, over some family.
func (s *subject) picks(peer policy.Peer, e peerEnd) bool {
	if e.pod != nil {
		return s.holds(peer, e.pod)
	}
	switch peer := peer.(type) {
	case policy.Anyone:
		return true
	case policy.Block:
		return peer.Addrs.Contains(e.addr)
	}
	return false
}

// allowsPort reports whether a port item means a port of a pod, or if that is nil, of
// an address outside.
func (s *subject) allowsPort(it policy.PortItem, p policy.Port, receiver *subjectPod) bool {
	switch {
	case p.Protocol == policy.SCTP && s.profile.SCTP == reach.SCTPDropped:
		return false
	case it.Name == "":
		return s.means(it, p)
	}
	return receiver != nil && it.Protocol == p.Protocol && slices.Contains(s.numbers(receiver, it), p.Number)
}

// likely yields flows that an item matches, or keeps out if it is an exception, or
// that a policy allows or keeps out.
func (t *trial) likely(it item) iter.Seq[witness] {
	return func(yield func(witness) bool) {
		if it.kind == policyItem {
			t.likelyOfPolicy(it, yield)
			return
		}
		rule := it.normal()
		for _, own := range t.few(it.of.pods) {
			for i := range rule.Peers {
				if it.peer != i && (it.kind == peerItem || it.kind == exceptItem) {
					continue
				}
				for _, peer := range t.ends(it, i) {
					w := witness{reach.Flow{From: peer.end, To: own.end}, own, peer}
					receiver := own
					if it.direction == policy.Egress {
						w.flow.From, w.flow.To, receiver = own.end, peer.end, peer.pod
					}
					for j, port := range rule.Ports {
						if own == peer.pod || it.kind == portItem && it.port != j {
							continue
						}
						for _, w.flow.Port = range t.ports(port, receiver) {
							if !yield(w) {
								return
							}
						}
					}
				}
			}
		}
	}
}

// likelyOfPolicy yields flows that a policy allows, and others that it may keep out of
// pods that no other policy isolates.
func (t *trial) likelyOfPolicy(it item, yield func(witness) bool) {
	for _, rule := range it.parts() {
		n := 0
		for w := range t.likely(rule) {
			if !t.s.g.Allows(w.flow) {
				continue
			}
			if !yield(w) {
				return
			}
			if n++; n == 4 {
				break // the next rule
			}
		}
	}
	for _, d := range directions {
		for _, own := range t.few(t.s.isolatedBy(it.of, d)) {
			for _, peer := range t.outside() {
				for _, port := range [...]policy.Port{policy.TCP.Port(1), {Protocol: policy.ICMP}} {
					w := witness{reach.Flow{From: peer.end, To: own.end, Port: port}, own, peer}
					if d == policy.Egress {
						w.flow.From, w.flow.To = w.flow.To, w.flow.From
					}
					if !t.s.g.Allows(w.flow) && !yield(w) {
						return
					}
				}
			}
		}
	}
}

// few returns a few of pods, of different classes.
func (t *trial) few(pods []*subjectPod) []*subjectPod {
	var list []*subjectPod
	var classes []reach.Class
	for _, pod := range pods {
		if class, ok := t.s.g.ClassOf(pod.end); ok && !slices.Contains(classes, class) {
			classes = append(classes, class)
			list = append(list, pod)
		}
		if len(list) == 4 {
			break
		}
	}
	return list
}

// ends returns a few endpoints that a peer of a rule picks, none of them a node: of
// flows from and to the node of a pod, policies do not decide. Those of a block have
// addresses that no other block of the rule holds, or for an exception, no other
// exception of the block.
func (t *trial) ends(it item, i int) []peerEnd {
	var list []peerEnd
	rule := it.normal()
	switch peer := rule.Peers[i].(type) {
	case policy.Anyone:
		list = append(list, t.outside()...)
		for _, pod := range t.few(t.s.policed) {
			list = append(list, peerEnd{end: pod.end, pod: pod})
		}
	case policy.Pods:
		for _, pod := range t.few(t.s.picked(peer)) {
			list = append(list, peerEnd{end: pod.end, pod: pod})
		}
	case policy.Block:
		addrs := peer.Addrs
		if it.kind == exceptItem {
			addrs = it.exceptedAlone()
		} else {
			for j, other := range rule.Peers {
				if b, ok := other.(policy.Block); ok && i != j {
					addrs = addrs.Minus(b.Addrs)
				}
			}
		}
		for prefix := range addrs.Prefixes() {
			if end, err := t.s.g.Addr(prefix.Addr()); err == nil && isOutside(end) {
				list = append(list, peerEnd{end: end, addr: prefix.Addr()})
			}
			if len(list) == 3 {
				break
			}
		}
	}
	return list
}

// outside returns the first address outside of each family.
func (t *trial) outside() []peerEnd {
	if t.firstOutside != nil {
		return t.firstOutside
	}
	for _, e := range t.s.g.Outside() {
		addr := e.Addrs().First()
		if !slices.ContainsFunc(t.firstOutside, func(o peerEnd) bool { return o.addr.Is4() == addr.Is4() }) {
			t.firstOutside = append(t.firstOutside, peerEnd{end: e, addr: addr})
		}
	}
	return t.firstOutside
}

// exceptedAlone returns the addresses of an exception that no other one of its block
// holds.
func (it item) exceptedAlone() cidr.Set {
	block := it.spec().peers[it.peer].IPBlock
	addrs, err := cidr.Parse(it.exception())
	if err != nil {
		return cidr.Set{} // what compiles has no such fault
	}
	for i, text := range block.Except {
		if other, err := cidr.Parse(text); err == nil && i != it.except {
			addrs = addrs.Minus(other)
		}
	}
	return addrs
}

// ports returns a few ports that a port item means of a pod, or if that is nil, of an
// address outside.
func (t *trial) ports(it policy.PortItem, receiver *subjectPod) []policy.Port {
	switch {
	case it.Protocol == 0:
		return []policy.Port{policy.TCP.Port(1), {Protocol: policy.ICMP}}
	case it.Protocol == policy.SCTP && t.s.profile.SCTP == reach.SCTPDropped, it.Name != "" && receiver == nil:
		return nil
	}
	var list []policy.Port
	for _, n := range t.s.numbers(receiver, it) {
		list = append(list, it.Protocol.Port(n))
	}
	if it.Last > it.First && !t.s.profile.EndPortIgnored {
		list = append(list, it.Protocol.Port(it.Last))
	}
	return list
}
