package generate

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// A call is connections to a Service that must get through.
type call struct {
	need  Need
	from  []int
	ports []policy.Port // as clients name them
}

// behind returns the wants for what is behind the Service of n, and the call to it.
func (w *world) behind(n Need, from end) ([]want, call, error) {
	none := func(err error) ([]want, call, error) { return nil, call{}, err }
	if !from.addrs.IsEmpty() {
		return none(errors.New("whom policies see of clients outside depends on how they come to a Service: name the pods behind it, and whom their policies see"))
	}
	target, err := w.g.Target(n.To)
	if err != nil {
		return none(err)
	}
	s := w.service(n.To)
	if s.Kind == policy.ExternalName {
		return none(fmt.Errorf("%s is another name of %s: name addresses", n.To, s.Alias))
	}
	numbers, names, err := splitPorts(n.Ports)
	if err != nil {
		return none(err)
	}
	c := call{need: n, from: slices.Concat(from.pods, from.nodes)}
	var wants []want
	if s.Kind == policy.Headless && !numbers.IsEmpty() { // nothing translates
		wants = append(wants, newWant(n, from, w.backing(s), numbers))
		for r := range numbers.Ranges() {
			c.ports = append(c.ports, firstOf(policy.NewPortSet(r)))
		}
	} else {
		rest := numbers
		for i, sp := range s.Ports {
			if numbers.Contains(sp.Port) {
				wants = append(wants, w.toBackends(n, from, s, i)...)
				c.ports = append(c.ports, sp.Port)
				rest = minus(rest, one(sp.Port))
			}
		}
		if !rest.IsEmpty() && !numbers.Equal(everyPort) {
			return none(fmt.Errorf("%s has no port %s", n.To, rest))
		}
	}
	for _, name := range names {
		p, err := target.Port(name)
		if err != nil {
			return none(err)
		}
		name, _, _ = strings.Cut(name, "/")
		i := slices.IndexFunc(s.Ports, func(sp policy.ServicePort) bool {
			return sp.Name == name && sp.Port.Protocol == p.Protocol
		})
		wants = append(wants, w.toBackends(n, from, s, i)...)
		c.ports = append(c.ports, p)
	}
	if len(wants) == 0 {
		return none(fmt.Errorf("nothing is behind %s", n.To))
	}
	return wants, c, nil
}

// service returns the Service of a text such as "svc:shop/db", which is there.
func (w *world) service(text string) *policy.Service {
	ns, name, _ := strings.Cut(strings.TrimPrefix(text, "svc:"), "/")
	for _, s := range w.model.Services {
		if s.Name == (types.NamespacedName{Namespace: ns, Name: name}) {
			return s
		}
	}
	panic("cannot happen: the Graph has found " + text)
}

// toBackends returns the wants for what is behind the i'th port of a Service, ready or
// not: one for each port that this stands for.
func (w *world) toBackends(n Need, from end, s *policy.Service, i int) []want {
	sp := s.Ports[i]
	var wants []want
	at := func(p policy.Port, subject bool) *end {
		for i := range wants {
			if to := &wants[i].to; wants[i].ports.Equal(one(p)) && subject == (len(to.pods) > 0 && w.pods[to.pods[0]].subject) {
				return to
			}
		}
		wants = append(wants, newWant(n, from, end{}, one(p)))
		return &wants[len(wants)-1].to
	}
	for _, pod := range w.picked(s) {
		if p, ok := targetPort(sp, w.pods[pod].Pod); ok {
			to := at(p, w.pods[pod].subject)
			to.pods = append(to.pods, pod)
		}
	}
	for _, e := range s.Endpoints {
		if e.PortName == sp.Name && e.Port.Valid() {
			pod, ok := w.podAt(e.Addr)
			w.addEndpoint(at(e.Port, ok && w.pods[pod].subject), e.Addr)
		}
	}
	if sp.TargetName != "" && len(wants) > 1 {
		name := policy.PortItem{Protocol: sp.Port.Protocol, Name: sp.TargetName}
		w.sayNames(wants, rule{ports: ports{named: []policy.PortItem{name}}})
		return wants
	}
	for i := range wants {
		wants[i].rule.to = wants[i].to
	}
	return wants
}

// backing returns what is behind a Service, whatever the port.
func (w *world) backing(s *policy.Service) end {
	e := end{pods: w.picked(s)}
	for _, x := range s.Endpoints {
		w.addEndpoint(&e, x.Addr)
	}
	return e
}

// picked returns the pods that the selector of a Service picks.
func (w *world) picked(s *policy.Service) []int {
	ns := w.namespaces[s.Name.Namespace]
	if ns == nil || !s.HasSelector {
		return nil
	}
	var list []int
	for i := ns.lo; i < ns.hi; i++ {
		if s.Selector.Matches(w.pods[i].Labels) {
			list = append(list, i)
		}
	}
	return list
}

// addEndpoint adds what has an address, which a Service lists.
func (w *world) addEndpoint(e *end, a netip.Addr) {
	if i, ok := w.podAt(a); !ok {
		e.addrs = e.addrs.Union(cidr.Of(netip.PrefixFrom(a, a.BitLen())))
	} else if n, found := slices.BinarySearch(e.pods, i); !found {
		e.pods = slices.Insert(e.pods, n, i)
	}
}

// targetPort returns the port of a pod that a port of a Service stands for.
func targetPort(sp policy.ServicePort, p *policy.Pod) (policy.Port, bool) {
	if sp.TargetName == "" {
		return sp.Port.Protocol.Port(sp.Target), true
	}
	for _, cp := range p.Ports {
		if cp.By != policy.InitContainer && cp.Name == sp.TargetName && cp.Port.Protocol == sp.Port.Protocol {
			return cp.Port, true
		}
	}
	return policy.Port{}, false
}
