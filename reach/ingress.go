package reach

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// A Route is what an Ingress object forwards to one backend.
type Route struct {
	Ingress types.NamespacedName
	Place   policy.Place // of the backend in the input
	Host    string       // empty for every host
	Path    string       // empty for every path
	Service types.NamespacedName
	Port    string // name or number, as the Ingress has it

	// Fault tells why the route leads nowhere whatever the policies say, such
	// as a Service that is not there. It is empty if there is no fault.
	Fault string

	// Traces are the connections of the controllers to the Service, one for each
	// controller; controllers connect to its backends and not to its ClusterIP.
	// There are none if Fault is set or no controller is known.
	Traces []Trace
}

// Outcome sums up the traces: Unknown if no controller is known, and empty if
// there is a Fault.
func (r Route) Outcome() Outcome {
	if r.Fault != "" {
		return ""
	}
	var sum counts
	for _, t := range r.Traces {
		switch t.Outcome {
		case Some:
			sum.add(All)
			sum.add(None)
		default:
			sum.add(t.Outcome)
		}
	}
	if len(r.Traces) == 0 {
		return Unknown
	}
	return sum.outcome()
}

// String explains r, the same way every time.
func (r Route) String() string {
	var b strings.Builder
	where := "every host"
	if r.Host != "" {
		where = r.Host
	}
	fmt.Fprintf(&b, "Ingress %s, %s%s", r.Ingress, where, r.Path)
	switch {
	case r.Fault != "":
		fmt.Fprintf(&b, ": leads nowhere, %s", r.Fault)
		return b.String()
	case len(r.Traces) == 0:
		fmt.Fprintf(&b, ", to svc:%s %s: unknown, what is missing is the controller", r.Service, r.Port)
		return b.String()
	}
	fmt.Fprintf(&b, ", to svc:%s %s: %s", r.Service, r.Port, r.Outcome().text())
	for _, t := range r.Traces {
		b.WriteString("\n  " + strings.ReplaceAll(t.String(), "\n", "\n  "))
	}
	return b.String()
}

// Routes returns the routes of all Ingress objects, by namespace, name and order
// in the object. Nothing in the objects tells which pods the controllers are:
// the caller does, see [Graph.Select].
func (g *Graph) Routes(controllers ...Endpoint) []Route {
	for _, c := range controllers {
		c.mustBeOf(g)
	}
	var list []Route
	faults := make(map[types.NamespacedName]string) // of Services that are not there
	for _, in := range g.services.routes {
		for _, b := range in.Backends {
			list = append(list, g.route(in, b, controllers, faults))
		}
	}
	return list
}

// portTexts returns the first ports of a Service in words, such as
// "http (80/TCP)".
func (s *service) portTexts() []string {
	const most = 10
	var texts []string
	for i, sp := range s.Ports {
		if i == most {
			return append(texts, fmt.Sprintf("and %d more", len(s.Ports)-most))
		}
		text := sp.Port.String()
		if sp.Name != "" {
			text = sp.Name + " (" + text + ")"
		}
		texts = append(texts, text)
	}
	return texts
}

func (g *Graph) route(in *policy.IngressObject, b policy.IngressBackend, controllers []Endpoint, faults map[types.NamespacedName]string) Route {
	r := Route{Ingress: in.Name, Place: in.Place(b.Field), Host: b.Host, Path: b.Path, Port: b.PortName}
	if b.PortNumber != 0 {
		r.Port = strconv.Itoa(int(b.PortNumber))
	}
	switch {
	case b.Resource != "":
		r.Fault = "the backend is no Service but " + b.Resource
		return r
	case b.Service == "":
		r.Fault = "there is no backend"
		return r
	}
	r.Service = types.NamespacedName{Namespace: in.Name.Namespace, Name: b.Service}
	i, ok := g.services.find(r.Service)
	if !ok {
		if faults[r.Service] == "" {
			faults[r.Service] = g.unknown("Service", "svc:", r.Service.String()).Error()
		}
		r.Fault = faults[r.Service]
		return r
	}
	s := &g.services.list[i]
	port := int32(-1)
	for n, sp := range s.Ports {
		if sp.Port.Protocol == policy.TCP &&
			(b.PortName != "" && sp.Name == b.PortName || b.PortNumber != 0 && sp.Port.Number == b.PortNumber) {
			port = int32(n)
		}
	}
	if port < 0 {
		r.Fault = fmt.Sprintf("%s has no TCP port %s", g.serviceName(i), r.Port)
		if ports := s.portTexts(); len(ports) > 0 {
			r.Fault += ", only " + strings.Join(ports, ", ")
		}
		return r
	}
	for _, controller := range controllers {
		c := Connection{From: controller, To: Target{g: g, kind: serviceTarget, id: i}, Port: s.Ports[port].Port}
		if s.Kind == policy.ExternalName {
			r.Traces = append(r.Traces, g.Trace(c))
			continue
		}
		r.Traces = append(r.Traces, g.trace(c, func(p *Profile, yield func(hop)) {
			g.walkBackends(p, c, i, port, yield)
		}))
	}
	return r
}
