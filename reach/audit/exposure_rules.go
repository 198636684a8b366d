package audit

import (
	"fmt"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// findRules reports ingress rules that let in addresses outside, and those that open
// ports which nothing declares; and open pods that declare ports for administration.
func (x *exposer) findRules() {
	if !x.s.profile.NotEnforced {
		for _, p := range x.s.policies {
			for i := range p.Ingress.Rules {
				it := item{of: p, kind: ruleItem, direction: policy.Ingress, rule: i}
				ends := x.admits(it.normal())
				x.findAddresses(it, ends)
				x.findUndeclared(it, ends)
			}
		}
	}
	x.findOpenAdmins()
}

// entries are flows that are allowed to or from pods.
type entries struct {
	pods  []*subjectPod
	flow  reach.Flow // of the first of them
	ports policy.PortSet
}

// add adds pods, and the ports of a flow that is allowed to or from the first of them.
func (e *entries) add(pods []*subjectPod, flow reach.Flow, ports policy.PortSet) {
	if len(e.pods) == 0 {
		e.flow = flow
	}
	e.pods = append(e.pods, pods...)
	e.ports = union(e.ports, ports)
}

// admits returns an endpoint outside of each family that the peers of a rule hold,
// as far as there is one.
func (x *exposer) admits(rule *policy.Rule) []reach.Endpoint {
	var found [2]bool
	var list []reach.Endpoint
	for _, peer := range rule.Peers {
		holds := func(reach.Endpoint) bool { return true }
		if block, ok := peer.(policy.Block); ok {
			// No block tells apart the addresses of an endpoint.
			holds = func(e reach.Endpoint) bool { return block.Addrs.Contains(e.Addrs().First()) }
			first := block.Addrs.First()
			if !first.IsValid() || found[familyIndex(first)] {
				continue
			}
			if e, err := x.s.g.Addr(first); err == nil && isOutside(e) {
				found[familyIndex(first)] = true
				list = append(list, e)
				continue
			}
		} else if _, ok := peer.(policy.Anyone); !ok {
			continue
		}
		for _, e := range x.outside {
			if f := familyIndex(e.Addrs().First()); !found[f] && holds(e) {
				found[f] = true
				list = append(list, e)
			}
		}
	}
	return list
}

// enter returns a flow from one of the ends to a pod, and those of ports that are open
// to the end.
func (x *exposer) enter(ends []reach.Endpoint, pod *subjectPod, ports policy.PortSet) (reach.Flow, policy.PortSet) {
	for _, e := range ends {
		if open := x.s.g.Ports(e, pod.end).Intersect(ports); !open.IsEmpty() {
			return reach.Flow{From: e, To: pod.end, Port: onePort(open, pod.declared...)}, open
		}
	}
	return reach.Flow{}, policy.PortSet{}
}

// findAddresses reports an ingress rule that lets in endpoints outside.
func (x *exposer) findAddresses(it item, ends []reach.Endpoint) {
	if len(ends) == 0 {
		return
	}
	rule := it.normal()
	var all, admin entries
	for _, pods := range x.alike(it.of.pods) {
		pod := pods[0]
		flow, open := x.enter(ends, pod, x.s.ruled(x.s.portsAt(rule.Ports, pod)))
		if open.IsEmpty() {
			continue
		}
		all.add(pods, flow, open)
		meant := union(portSet(pod.declared...), x.s.portsAt(single(rule.Ports), pod))
		if open = open.Intersect(adminSet).Intersect(meant); !open.IsEmpty() {
			flow.Port = onePort(open)
			admin.add(pods, flow, open)
		}
	}
	if len(all.pods) > 0 {
		f := x.s.about(it.of.object, it.field())
		f.Check = "address-exposed"
		f.Message = fmt.Sprintf("the rule lets addresses outside the cluster connect to %s on %s: %s", whom(all.pods), portText(all.ports), outsidePeers(rule))
		f.Proof = Proof{all.flow, "allowed"}
		f.Suggestion = "name the peers that need it, or narrow the blocks"
		x.report(f, all.pods)
	}
	if len(admin.pods) > 0 {
		f := x.s.about(it.of.object, it.field())
		f.Check = "admin-port-exposed"
		f.Message = fmt.Sprintf("the rule lets addresses outside the cluster connect to %s at %s: %s", adminText(admin.ports), whom(admin.pods), outsidePeers(rule))
		f.Proof = Proof{admin.flow, "allowed"}
		f.Suggestion = "name the peers that need the port"
		x.report(f, admin.pods)
	}
}

// single returns the items that mean one port, by number or by name.
func single(items []policy.PortItem) []policy.PortItem {
	var list []policy.PortItem
	for _, it := range items {
		if it.Name != "" || it.First > 0 && it.First == it.Last {
			list = append(list, it)
		}
	}
	return list
}

// outsidePeers returns those peers of a rule that can hold addresses outside.
func outsidePeers(rule *policy.Rule) string {
	var peers []policy.Peer
	for _, peer := range rule.Peers {
		if _, ok := peer.(policy.Pods); !ok {
			peers = append(peers, peer)
		}
	}
	const most = 3 // texts of blocks can be long
	var words []string
	for _, peer := range peers[:min(most, len(peers))] {
		words = append(words, peer.String())
	}
	if n := len(peers) - most; n > 0 {
		return strings.Join(words, ", ") + " and " + count(n, "other peer")
	}
	return list(words)
}

// findUndeclared reports an ingress rule that opens ports which its pods do not
// declare, to ends outside or to pods. A pod that declares no ports at all is passed
// over, as declaring them is optional.
func (x *exposer) findUndeclared(it item, ends []reach.Endpoint) {
	var all entries
	var peers [][]*subjectPod
	for _, pods := range x.alike(it.of.pods) {
		pod := pods[0]
		left := x.s.ruled(x.s.portsAt(it.normal().Ports, pod)).Minus(portSet(pod.declared...))
		if len(pod.declared) == 0 || left.IsEmpty() {
			continue
		}
		flow, open := x.enter(ends, pod, left)
		if !open.Equal(left) && peers == nil {
			peers = x.alike(x.peersOf(it.normal()))
		}
		for _, from := range peers {
			if open.Equal(left) {
				break
			}
			f, ok := x.between(from, pods)
			if !ok {
				continue
			}
			if more := x.s.g.Ports(f.From, f.To).Intersect(left); !more.IsEmpty() {
				if f.Port = onePort(more); open.IsEmpty() {
					flow = f
				}
				open = union(open, more)
			}
		}
		if !open.IsEmpty() {
			all.add(pods, flow, open)
		}
	}
	if len(all.pods) == 0 {
		return
	}
	f := x.s.about(it.of.object, it.field())
	f.Check = "undeclared-port-open"
	f.Message = fmt.Sprintf("the rule opens ports that no container of %s declares: %s", whom(all.pods), portText(all.ports))
	f.Proof = Proof{all.flow, "allowed, and the pod declares " + portText(portSet(all.pods[0].declared...))}
	f.Suggestion = "list the ports that are meant, or declare them"
	x.report(f, all.pods)
}

// between returns a flow without port from a pod to another one of two groups, or
// from a workload to another of its pods. It reports false if both groups are one and
// the same pod.
func (x *exposer) between(from, to []*subjectPod) (reach.Flow, bool) {
	a, b := from[0], to[0]
	switch {
	case a != b:
	case len(to) > 1:
		b = to[1]
	case len(from) > 1:
		a = from[1]
	default:
		replica, err := x.s.g.Lookup("replica:" + a.end.String())
		return reach.Flow{From: a.end, To: replica}, err == nil
	}
	return reach.Flow{From: a.end, To: b.end}, true
}

// peersOf returns the pods that the peers of a rule hold.
func (x *exposer) peersOf(rule *policy.Rule) []*subjectPod {
	var pods []*subjectPod
	for _, peer := range rule.Peers {
		pods = append(pods, x.held.by(peer)...)
	}
	return distinct(pods)
}

// findOpenAdmins reports pods that no policy isolates for ingress and that declare
// ports for administration, by namespace.
func (x *exposer) findOpenAdmins() {
	open := make(map[string]*entries)
	var order []string
	for _, k := range x.kinds {
		pod := k.pods[0]
		ports := portSet(pod.declared...).Intersect(adminSet)
		if k.isolated[policy.Ingress] || ports.IsEmpty() {
			continue
		}
		flow, ports := x.enter(x.outside, pod, ports)
		if ports.IsEmpty() {
			continue
		}
		flow.Port = onePort(ports)
		ns := pod.Name.Namespace
		if open[ns] == nil {
			open[ns] = new(entries)
			order = append(order, ns)
		}
		open[ns].add(k.pods, flow, ports)
	}
	for _, ns := range order {
		pods := distinct(open[ns].pods)
		f := x.s.aboutNamespace(pods)
		f.Check = "admin-port-exposed"
		f.Message = fmt.Sprintf("no policy isolates %s for ingress, so that addresses outside the cluster can connect to %s", whom(pods), adminText(open[ns].ports))
		f.Proof = Proof{open[ns].flow, "allowed"}
		f.Suggestion = "add a policy for ingress that names the peers that need the port"
		if x.s.profile.NotEnforced {
			f.Suggestion = runPlugin
		}
		x.report(f, pods)
	}
}
