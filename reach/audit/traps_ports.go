package audit

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// receivers returns the pods to which the flows of a rule go, if they are pods.
func (t *trapper) receivers(rule item) []*subjectPod {
	if rule.direction == policy.Ingress {
		return rule.of.pods
	}
	var pods []*subjectPod
	for _, peer := range rule.normal().Peers {
		pods = append(pods, t.held.by(peer)...)
	}
	return distinct(pods)
}

// findNames reports port names that no receiver declares, or that mean different
// numbers.
func (t *trapper) findNames() {
	t.rules(func(rule item) {
		for i, port := range rule.normal().Ports {
			if port.Name == "" {
				continue
			}
			pods := t.receivers(rule)
			if len(pods) == 0 {
				return // which is a matter of its peers, or its policy
			}
			byNumber := make(map[string][]*subjectPod)
			var order []string
			for _, pod := range pods {
				numbers := t.s.numbers(pod, port)
				if len(numbers) == 0 {
					continue
				}
				text := portText(t.s.portsAt([]policy.PortItem{port}, pod))
				if byNumber[text] == nil {
					order = append(order, text)
				}
				byNumber[text] = append(byNumber[text], pod)
			}
			f := t.s.about(rule.of.object, rule.part(portItem, i).field()+".port")
			switch len(order) {
			case 0:
				f.Check = "named-port-unresolved"
				f.Message = fmt.Sprintf("no receiving pod declares a port %v", port)
				if isNamedInInit(port, pods) {
					f.Message += "; that of an init container does not count"
				}
				if svc, sp := t.serviceNaming(port, pods); svc != nil {
					f.Message += fmt.Sprintf("; it is the name of a port of svc:%v, which policies do not see", svc.Name)
					f.Related = append(f.Related, svc.Place(fmt.Sprintf("spec.ports[%d].name", sp)))
				}
				f.Proof.Text = fmt.Sprintf("it is for %s, %s", whom(pods), t.s.namesText(pods))
				f.Suggestion = "use the name or the number of a port of the containers"
			case 1:
				continue
			default:
				f.Check = "named-port-varies"
				var words []string
				for _, n := range order {
					words = append(words, fmt.Sprintf("%s at %s", n, whom(byNumber[n])))
				}
				f.Message = fmt.Sprintf("the name means different ports: %v is %s", port, list(words))
				f.Proof.Text = fmt.Sprintf("%d meanings at %s", len(order), count(len(pods), "receiving pod"))
				f.Suggestion = "nothing if it is meant so: each pod is open on its own number only"
			}
			t.report(f)
		}
	})
}

// isNamedInInit reports whether an init container of some of pods declares the name of
// an item.
func isNamedInInit(it policy.PortItem, pods []*subjectPod) bool {
	return slices.ContainsFunc(pods, func(pod *subjectPod) bool {
		return slices.ContainsFunc(pod.Ports, func(cp policy.ContainerPort) bool {
			return cp.By != policy.Container && cp.Name == it.Name && cp.Port.Protocol == it.Protocol
		})
	})
}

// namesText tells which port names pods declare that count.
func (s *subject) namesText(pods []*subjectPod) string {
	var names []string
	for _, pod := range pods {
		for _, cp := range pod.Ports {
			if cp.Name == "" || len(s.numbers(pod, policy.PortItem{Name: cp.Name, Protocol: cp.Port.Protocol})) == 0 {
				continue
			}
			if text := fmt.Sprintf("%s/%v", cp.Name, cp.Port.Protocol); !slices.Contains(names, text) {
				names = append(names, text)
			}
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "where no port has a name"
	}
	return "where the names are " + list(names)
}

// serviceNaming returns a Service in front of some of pods that has a port of the name
// of an item, and the index of the port.
func (t *trapper) serviceNaming(it policy.PortItem, pods []*subjectPod) (*policy.Service, int) {
	for _, svc := range t.s.model.Services {
		for i, sp := range svc.Ports {
			if sp.Name == it.Name && sp.Port.Protocol == it.Protocol && slices.ContainsFunc(pods, func(pod *subjectPod) bool { return inFront(svc, pod) }) {
				return svc, i
			}
		}
	}
	return nil, 0
}

// inFront reports whether the selector of a Service picks a pod.
func inFront(svc *policy.Service, pod *subjectPod) bool {
	return svc.HasSelector && svc.Name.Namespace == pod.Name.Namespace && svc.Selector.Matches(pod.Labels)
}

// findServicePorts reports numbers of ports of Services where those are meant to which
// the Services lead.
func (t *trapper) findServicePorts() {
	in := make(map[string][]*policy.Service)
	for _, svc := range t.s.model.Services {
		in[svc.Name.Namespace] = append(in[svc.Name.Namespace], svc)
	}
	front := make(map[*subjectPod][]*policy.Service)
	for _, pod := range t.held.pods {
		for _, svc := range in[pod.Name.Namespace] {
			if inFront(svc, pod) {
				front[pod] = append(front[pod], svc)
			}
		}
	}
	t.rules(func(rule item) {
		if rule.direction == policy.Egress && t.s.profile.ServiceAddressPoliced {
			return
		}
		var pods []*subjectPod
		for i, port := range rule.normal().Ports {
			if port.Name != "" || port.First == 0 || port.First != port.Last {
				continue
			}
			if pods == nil {
				if pods = t.receivers(rule); len(pods) == 0 {
					return
				}
			}
			t.findServicePort(rule.part(portItem, i), pods, front)
		}
	})
}

// findServicePort reports a port item with a number that no receiver has a use for,
// and that is the port of a Service in front of some. The rule does not allow what the
// Service leads to.
func (t *trapper) findServicePort(it item, receivers []*subjectPod, front map[*subjectPod][]*policy.Service) {
	port := it.normal().Ports[it.port]
	number := port.Protocol.Port(port.First)
	var by *policy.Service
	var index int
	var target policy.Port
	var pods []*subjectPod
	for _, pod := range receivers {
		if slices.Contains(pod.declared, number) {
			return
		}
		allowed := t.s.portsAt(it.normal().Ports, pod)
		wrong := false
		for _, svc := range front[pod] {
			for i, sp := range svc.Ports {
				for _, n := range targetNumbers(sp, pod) {
					leads := sp.Port.Protocol.Port(n)
					switch {
					case leads == number:
						return
					case sp.Port == number && !allowed.Contains(leads):
						if wrong = true; by == nil {
							by, index, target = svc, i, leads
						}
					}
				}
			}
		}
		if wrong {
			pods = append(pods, pod)
		}
	}
	if len(pods) == 0 {
		return
	}
	f := t.s.about(it.of.object, it.field()+".port")
	f.Check = "service-port"
	f.Message = fmt.Sprintf("%v is the port of svc:%v, and policies see the port that it leads to, which the rule does not allow: %v of %s", number, by.Name, target, whom(pods))
	f.Related = append(f.Related, by.Place(fmt.Sprintf("spec.ports[%d]", index)))
	f.Proof.Text = fmt.Sprintf("svc:%v leads from %v to %v, and no receiving pod declares %v", by.Name, number, target, number)
	if flow, ok := t.denied(it, pods[0], target); ok {
		f.Proof.Flow = flow
		f.Proof.Text = "denied; " + f.Proof.Text
	}
	f.Suggestion = fmt.Sprintf("allow %v", target)
	t.report(f)
}

// denied returns a flow between a pod of a rule and one that receives on a port, which
// is denied, if there is one.
func (t *trapper) denied(it item, to *subjectPod, port policy.Port) (reach.Flow, bool) {
	from := it.of.pods
	if it.direction == policy.Ingress {
		from = nil
		for _, peer := range it.normal().Peers {
			from = append(from, t.held.by(peer)...)
		}
	}
	for _, pod := range from {
		if f := (reach.Flow{From: pod.end, To: to.end, Port: port}); pod != to && !t.s.g.Allows(f) {
			return f, true
		}
	}
	return reach.Flow{}, false
}
