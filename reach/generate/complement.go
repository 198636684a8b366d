package generate

import (
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
)

// Complement returns policies for direction d that say the same as those which the
// cluster has for the other direction: with them, the given namespaces are closed in
// direction d as well, and every flow stays as it was. For Egress, it lets the pods
// of these namespaces out to what the ingress policies let them into, with the
// selectors and ports of these policies, and for Ingress, it lets in what the egress
// policies let out.
//
// Pods that are isolated in direction d already stay as they are. What no policy
// isolates in the other direction stays open: pods by their labels, and everything
// else by blocks of all addresses, in policies of their own, which are named
// outside-egress or outside-ingress. Most plugins compare blocks with the addresses of
// pods, too; then these policies leave the other end alone to decide, until somebody
// narrows their blocks to what is really used.
//
// What the policies cannot express is in the Result: a node of which no address is
// known, for example, is in no block.
//
// It is an error if there is no namespace, or none of the name.
func Complement(g *reach.Graph, d policy.Direction, namespaces ...string) (*Result, error) {
	w, err := newWorld(g)
	if err != nil {
		return nil, err
	}
	closed, err := w.distinct(namespaces)
	if err != nil {
		return nil, err
	}
	if len(closed) == 0 {
		return nil, errNoNamespace
	}
	m := mirror{builder: newBuilder(w), d: d, near: make([]bool, len(w.pods))}
	for _, name := range closed {
		for _, i := range w.subjects(w.namespaces[name]) {
			m.near[i] = !w.pods[i].isolated[d]
		}
	}
	for _, p := range w.model.Policies {
		m.policy(p)
	}
	m.open()
	denies, allows := m.denies(closed, d), m.policies()
	after, err := g.With(puts(append(denies, allows...))...)
	if err != nil {
		return nil, err
	}
	r := newResult(after, denies, allows)
	diff := reach.Compare(g, after)
	r.Extra = w.flowsOf(newView(after), diff.Opened, nil)
	r.Missing = w.flowsOf(newView(g), diff.Closed, nil)
	return r, nil
}

// A mirror makes policies for direction d of those for the other one.
type mirror struct {
	*builder
	d    policy.Direction
	near []bool // the pods that get policies
}

func (m *mirror) other() policy.Direction { return 1 - m.d }

// policy adds what a policy says of its pods, from the side of its peers.
func (m *mirror) policy(p *policy.Policy) {
	half := p.Half(m.other())
	far := end{wishes: map[string]selector.Selector{p.Name.Namespace: p.Pods}}
	for _, i := range m.w.subjects(m.w.namespaces[p.Name.Namespace]) {
		if p.Pods.Matches(m.w.pods[i].Labels) {
			far.pods = append(far.pods, i)
		}
	}
	if len(far.pods) == 0 {
		return
	}
	for _, rule := range half.Rules {
		for _, peer := range rule.Peers {
			m.allow("*-"+m.d.String(), m.d, m.matches(peer), far, portsOf(rule.Ports))
		}
	}
}

// matches returns those of the pods that get policies which a peer matches.
func (m *mirror) matches(peer policy.Peer) end {
	e := end{wish: new(selector.Selector)}
	inside := func(policy.Namespace) bool { return true }
	matches := func(*policy.Pod) bool { return true }
	switch peer := peer.(type) {
	case policy.Block:
		matches = func(p *policy.Pod) bool { return slices.ContainsFunc(p.Addrs, peer.Addrs.Contains) }
	case policy.Pods:
		e.wish = &peer.Pods
		inside = func(ns policy.Namespace) bool {
			return peer.Namespace == ns.Name || peer.Namespace == "" && peer.Namespaces.Matches(ns.Labels)
		}
		matches = func(p *policy.Pod) bool { return peer.Pods.Matches(p.Labels) }
	}
	for _, ns := range m.w.model.Namespaces {
		if !inside(ns) {
			continue
		}
		for i := m.w.namespaces[ns.Name].lo; i < m.w.namespaces[ns.Name].hi; i++ {
			if m.near[i] && matches(m.w.pods[i].Pod) {
				e.pods = append(e.pods, i)
			}
		}
	}
	return e
}

// open adds what no policy isolates in the other direction.
func (m *mirror) open() {
	near, far := end{wish: new(selector.Selector)}, end{wishes: make(map[string]selector.Selector)}
	all := true
	for i, p := range m.w.pods {
		if m.near[i] {
			near.pods = append(near.pods, i)
		}
		if p.subject && !p.isolated[m.other()] {
			far.pods = append(far.pods, i)
			far.wishes[p.Name.Namespace] = selector.Selector{}
		} else if p.subject {
			all = false
		}
	}
	if all {
		far.wish = new(selector.Selector)
	}
	every := ports{set: everyPort}
	m.allow("*-"+m.d.String(), m.d, near, far, every)
	outside := end{addrs: addresses[0].Union(addresses[1])}
	m.allow("outside-"+m.d.String(), m.d, near, outside, every)
}

// portsOf returns the ports of a rule.
func portsOf(items []policy.PortItem) ports {
	var p ports
	for _, it := range items {
		q := ports{}
		switch {
		case it.Protocol == 0:
			q.set = everyPort
		case it.Name != "":
			q.named = []policy.PortItem{it}
		case it.First == 0:
			q.set = policy.NewPortSet(policy.PortRange{Protocol: it.Protocol, First: 1, Last: 65535})
		default:
			q.set = policy.NewPortSet(policy.PortRange{Protocol: it.Protocol, First: it.First, Last: it.Last})
		}
		p = p.union(q)
	}
	return p
}
