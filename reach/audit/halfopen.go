package audit

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// halfOpen finds rules that allow flows between pods which the other end denies: what
// comes of writing one side only.
var halfOpen = analysis{
	group: "half-open flows",
	checks: []Check{
		{"half-open-egress", Warning, "an egress rule is for pods that do not let its own pods in on ports that they declare"},
		{"half-open-ingress", Warning, "an ingress rule is for pods that may not connect to declared ports of its own pods"},
	},
	find: func(s *subject, report func(Finding)) error {
		if s.profile.NotEnforced {
			return nil
		}
		x := newExplainer(s, s.g)
		for _, p := range s.policies {
			for _, d := range directions {
				for i := range p.Half(d).Rules {
					x.halfOpen(item{of: p, kind: ruleItem, direction: d, rule: i}, report)
				}
			}
		}
		return nil
	},
}

// halfOpen reports the flows that a rule allows and the other end denies.
func (x *explainer) halfOpen(it item, report func(Finding)) {
	byLabels := x.s.pickedBy(it, func(p policy.Pods) bool { return !p.Pods.IsEverything() })
	byNamespace := x.s.pickedBy(it, func(p policy.Pods) bool {
		return p.Pods.IsEverything() && (p.Namespace != "" || !p.Namespaces.IsEverything())
	})
	named := x.denied(it, byLabels)
	wide := x.denied(it, slices.DeleteFunc(byNamespace, func(pod *subjectPod) bool { return slices.Contains(byLabels, pod) }))
	if wide.flows < wide.wanted {
		wide = deniedFlows{}
	}
	all := deniedFlows{
		named.wanted + wide.wanted, named.flows + wide.flows, named.witness,
		distinct(append(named.clients, wide.clients...)), distinct(append(named.servers, wide.servers...)), append(named.ports, wide.ports...),
	}
	if named.flows == 0 {
		all.witness = wide.witness
	}
	if all.flows == 0 {
		return
	}
	there := opposite(it.direction)
	f := x.s.about(it.of.object, it.field())
	f.Check = "half-open-" + it.direction.String()
	f.Message = fmt.Sprintf("the rule allows flows that the %v of the other end denies: %d of %d, from %s to %s on %v",
		there, all.flows, all.wanted, podNames(all.clients), podNames(all.servers), policy.NewPortSet(all.ports...))
	f.Proof, f.Related, _ = x.denial(x.g, spelled{all.witness.From.String(), all.witness.To.String(), all.witness.Port, reach.AnyFamily}, there)
	f.Suggestion = fmt.Sprintf("allow them in a policy for %v that selects %v, or narrow the rule", there, end(all.witness, there))
	report(f)
}

// deniedFlows are flows that a rule is for and the other end denies.
type deniedFlows struct {
	wanted, flows    int // how many the rule is for, and how many of them these are
	witness          reach.Flow
	clients, servers []*subjectPod
	ports            []policy.PortRange
}

// denied returns the flows of a rule to or from some of its peers.
func (x *explainer) denied(it item, peers []*subjectPod) deniedFlows {
	var d deniedFlows
	others := x.s.alike(peers, nil)
	for _, own := range x.s.alike(it.of.pods, nil) {
		for _, other := range others {
			from, to := other, own
			if it.direction == policy.Egress {
				from, to = to, from
			}
			f, pairs := pair(from, to)
			if pairs == 0 {
				continue
			}
			before := d.flows
			for _, port := range x.s.wantedPorts(it, to[0]) {
				d.wanted += pairs
				if f.Port = port; x.s.g.Allows(f) {
					continue
				}
				if d.flows == 0 {
					d.witness = f
				}
				d.flows += pairs
				d.ports = append(d.ports, policy.PortRange{Protocol: port.Protocol, First: port.Number, Last: port.Number})
			}
			if d.flows > before {
				d.clients, d.servers = append(d.clients, from...), append(d.servers, to...)
			}
		}
	}
	return d
}

// pair returns a flow without port between two groups of pods that are alike, and how
// many pairs of different pods there are. It is none without a common address family.
func pair(from, to []*subjectPod) (f reach.Flow, pairs int) {
	for _, a := range from {
		i := slices.IndexFunc(to, func(b *subjectPod) bool { return a != b })
		if i < 0 {
			continue
		}
		if b := to[i]; f == (reach.Flow{}) {
			if !(a.has(reach.IPv4) && b.has(reach.IPv4)) && !(a.has(reach.IPv6) && b.has(reach.IPv6)) {
				return reach.Flow{}, 0
			}
			f = reach.Flow{From: a.end, To: b.end}
		}
		pairs += len(to)
		if slices.Contains(to, a) {
			pairs--
		}
	}
	return f, pairs
}

// pickedBy returns the pods that those peers of a rule pick which count.
func (s *subject) pickedBy(it item, counts func(policy.Pods) bool) []*subjectPod {
	var list []*subjectPod
	for _, peer := range it.normal().Peers {
		if p, ok := peer.(policy.Pods); ok && counts(p) {
			list = append(list, s.picked(p)...)
		}
	}
	return distinct(list)
}

// wantedPorts returns the ports that a rule is for on a pod: those that it allows and
// the pod declares, or if the pod declares none, each that it allows by its number.
func (s *subject) wantedPorts(it item, to *subjectPod) []policy.Port {
	var list []policy.Port
	for _, port := range it.normal().Ports {
		switch {
		case port.Protocol == policy.SCTP && s.profile.SCTP == reach.SCTPDropped:
		case port.Name != "":
			for _, n := range s.numbers(to, port) {
				list = append(list, port.Protocol.Port(n))
			}
		case len(to.declared) == 0 && port.First > 0 && (port.First == port.Last || s.profile.EndPortIgnored):
			list = append(list, port.Protocol.Port(port.First))
		default:
			for _, p := range to.declared {
				if s.means(port, p) {
					list = append(list, p)
				}
			}
		}
	}
	slices.SortFunc(list, comparePorts)
	return slices.Compact(list)
}

// means reports whether a port item, which is no name, means a port.
func (s *subject) means(it policy.PortItem, p policy.Port) bool {
	last := it.Last
	if s.profile.EndPortIgnored {
		last = it.First
	}
	return it.Protocol == 0 || it.Protocol == p.Protocol && (it.First == 0 || it.First <= p.Number && p.Number <= last)
}
