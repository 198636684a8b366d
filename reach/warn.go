package reach

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
)

// warnings returns what is suspicious about what the policies mean together
// with the pods.
func (co *compiler) warnings() []policy.Warning {
	var list []policy.Warning
	known, unknown := co.knownAddrs()
	unsure := co.generatedLabels()
	for i, p := range co.model.Policies {
		warn := func(code, field, format string, args ...any) {
			list = append(list, policy.Warning{Place: p.Place(field), Code: code, Text: fmt.Sprintf(format, args...)})
		}
		if !co.selects[i] && !unsure(p) {
			warn("selects-nothing", "spec.podSelector", "the policy selects no pod, so it has no effect")
		}
		for _, d := range directions {
			for r, rule := range p.Half(d).Rules {
				unknown := unknown // one warning for each rule is enough
				for j, peer := range rule.Peers {
					b, ok := peer.(policy.Block)
					if !ok || co.profile.IPBlockSkipsPods {
						continue
					}
					field := func() string { return fmt.Sprintf("spec.%s[%d].%s[%d].ipBlock", d, r, peerField(d), j) }
					if unknown != nil {
						warn("unknown-address", field(), "the addresses of some pods are not known, such as that of %s %s; the block is taken to hold none of them", unknown.Kind, unknown.Name)
						unknown = nil
					}
					for k, all := range everything {
						if known[k] && b.Addrs.Equal(all) {
							warn("block-holds-pods", field(), "the block also holds the addresses of the cluster's pods")
						}
					}
				}
				for j, it := range rule.Ports {
					if it.Name != "" && !co.resolves(i, d, rule, it) {
						warn("unresolved-port-name", fmt.Sprintf("spec.%s[%d].ports[%d].port", d, r, j),
							"no pod that the rule could concern declares a port %s", it)
					}
				}
			}
		}
	}
	return list
}

// generatedLabels returns a func that reports whether a policy selects pods by a
// label that workloads of its namespace get from their controllers, with a value
// that is not known.
func (co *compiler) generatedLabels() func(*policy.Policy) bool {
	type label struct{ namespace, key string }
	generated := make(map[label]bool)
	for i := range co.model.Pods {
		for _, key := range co.model.Pods[i].Generated {
			generated[label{co.model.Pods[i].Name.Namespace, key}] = true
		}
	}
	return func(p *policy.Policy) bool {
		if len(generated) == 0 {
			return false
		}
		for key := range p.Pods.Keys() {
			if generated[label{p.Name.Namespace, key}] {
				return true
			}
		}
		return false
	}
}

// everything is all addresses of each of families.
var everything = [...]cidr.Set{
	cidr.Of(netip.MustParsePrefix("0.0.0.0/0")),
	cidr.Of(netip.MustParsePrefix("::/0")),
}

// knownAddrs reports of which families pods have known addresses, and returns
// a pod that has none, if there is one.
func (co *compiler) knownAddrs() (known [2]bool, unknown *policy.Pod) {
	for i := range co.model.Pods {
		if co.groupOf[i] < 0 {
			continue // policies see no pod here
		}
		p := &co.model.Pods[i]
		if len(p.Addrs) == 0 && unknown == nil {
			unknown = p
		}
		for _, a := range p.Addrs {
			known[familyOf(a).index()] = true
		}
	}
	return known, unknown
}

// resolves reports whether some pod that a rule of the i'th policy could
// concern declares the port that item names.
func (co *compiler) resolves(i int, d policy.Direction, rule policy.Rule, item policy.PortItem) bool {
	name, _ := co.portName(item)
	if d == policy.Ingress {
		p := co.policies[i]
		return slices.ContainsFunc(co.speakers[speaker{p.ns, name}], func(id int32) bool {
			return co.labels.In(selector.Class(co.groups[id].label), int(p.pods))
		})
	}
	peers := co.peerList(rule.Peers)
	for _, number := range co.numbers[name] {
		receivers := co.receivers[portMeaning{name, number}]
		meet := co.peerLists.values[peers].anyone
		co.members[peers].both(receivers, func(int32) bool {
			meet = true
			return false
		})
		if meet {
			return true
		}
	}
	return false
}
