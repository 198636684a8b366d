package reach

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// A Target is what a client can name to connect to: an [Endpoint], an address,
// a Service or a DNS name. Targets are comparable. They mean something only to
// the Graph that returned them; the zero Target means nothing to any.
type Target struct {
	g    *Graph
	kind targetKind
	id   int32      // of an Endpoint, a Service or a name, by kind
	addr netip.Addr // of an address
}

type targetKind uint8

const (
	endpointTarget targetKind = iota
	addrTarget
	serviceTarget
	hostTarget
)

// Target returns what text names: what [Graph.Lookup] understands, and
//
//	svc:shop/db        the Service
//	db.shop.svc        the same, also with .cluster.local
//	db.example.com     a name that Cluster.Hosts has
//	10.96.0.7          any address, also one of a Service
//
// What is not there is an error that lists the nearest names, and what is
// ambiguous one that lists the candidates.
func (g *Graph) Target(text string) (Target, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap()
		if g.services.doors[a] == nil {
			if _, err := g.Addr(a); err != nil {
				return Target{}, err
			}
		}
		return Target{g: g, kind: addrTarget, addr: a}, nil
	}
	if name, ok := strings.CutPrefix(text, "svc:"); ok {
		return g.serviceTarget(name)
	}
	if !strings.ContainsAny(text, "/:") && (strings.Contains(text, ".") || g.isHost(text)) {
		return g.hostTarget(text)
	}
	id, err := g.lookup(text)
	if err == nil {
		return Target{g: g, id: id}, nil
	}
	if errors.Is(err, errNoKind) {
		return Target{}, fmt.Errorf("%w, or svc", err)
	}
	if ns, name, ok := strings.Cut(text, "/"); ok {
		if i, ok := g.services.find(types.NamespacedName{Namespace: ns, Name: name}); ok {
			return Target{}, didYouMean(fmt.Errorf("the cluster has no pod or workload %s", text), []string{g.serviceName(i)})
		}
	}
	return Target{}, err
}

// serviceTarget returns the Service of a name such as "shop/db".
func (g *Graph) serviceTarget(text string) (Target, error) {
	ns, name, ok := strings.Cut(text, "/")
	if !ok || ns == "" || name == "" {
		return Target{}, didYouMean(fmt.Errorf("%q is not namespace/name of a Service", text), g.nearest("svc:", text))
	}
	i, ok := g.services.find(types.NamespacedName{Namespace: ns, Name: name})
	if !ok {
		return Target{}, g.unknown("Service", "svc:", text)
	}
	return Target{g: g, kind: serviceTarget, id: i}, nil
}

// hostTarget returns what a DNS name stands for.
func (g *Graph) hostTarget(text string) (Target, error) {
	host := hostName(text)
	name, isService := serviceOfDNS(host)
	if isService {
		if i, ok := g.services.find(name); ok {
			return Target{g: g, kind: serviceTarget, id: i}, nil
		}
	}
	if i, ok := slices.BinarySearch(g.names, host); ok {
		return Target{g: g, kind: hostTarget, id: int32(i)}, nil
	}
	if isService {
		return g.serviceTarget(name.String())
	}
	err := fmt.Errorf("the addresses of %s are not known: the caller must supply them in Cluster.Hosts", text)
	return Target{}, didYouMean(err, g.nearest("host:", host))
}

// hostName returns a DNS name as Cluster.Hosts has it.
func hostName(text string) string { return strings.TrimSuffix(strings.ToLower(text), ".") }

// isHost reports whether the addresses of a DNS name are known.
func (g *Graph) isHost(text string) bool {
	_, ok := slices.BinarySearch(g.names, hostName(text))
	return ok
}

// MustTarget is like Target but panics where Target returns an error.
// It is for tests.
func (g *Graph) MustTarget(text string) Target {
	t, err := g.Target(text)
	if err != nil {
		panic("reach: " + err.Error())
	}
	return t
}

// Services returns the Services, sorted by namespace and name.
func (g *Graph) Services() []Target {
	list := make([]Target, len(g.services.list))
	for i := range list {
		list[i] = Target{g: g, kind: serviceTarget, id: int32(i)}
	}
	return list
}

// Target returns e as a Target. An endpoint outside the cluster stands for
// addresses that no policy tells apart, and as a Target for none of them that is
// an address of a Service: to ask for such a one, name it to [Graph.Target].
func (e Endpoint) Target() Target { return Target{g: e.g, id: e.id} }

// Port returns the port that text means where t is: a number, as
// [policy.ParsePort] reads it, or a name, with or without protocol: "postgres",
// "dns/UDP". A Service has the names of its ports; a headless one gives the
// port at its backends. A pod has those of its containers. A name that is not
// there, or means several ports, is an error that lists what there is.
func (t Target) Port(text string) (policy.Port, error) {
	if t.g == nil {
		return policy.Port{}, fmt.Errorf("%s has no ports", t.describe())
	}
	port, err := policy.ParsePort(text)
	if err == nil {
		return port, nil
	}
	name, protocol, _ := strings.Cut(text, "/")
	if !isPortName(name) {
		return policy.Port{}, err
	}
	var named []namedPort
	switch t.kind {
	case serviceTarget:
		named = t.g.servicePorts(t.id)
	case endpointTarget:
		named = t.g.podPorts(t.id)
	case addrTarget:
		for _, ref := range t.g.services.doors[t.addr] {
			named = append(named, t.g.servicePorts(ref.service)...)
		}
		if ids := t.g.owners()[t.addr]; len(ids) == 1 {
			named = append(named, t.g.podPorts(ids[0])...)
		}
	}
	var found []policy.Port
	var all []string
	for _, np := range named {
		all = append(all, np.name+" ("+np.port.String()+")")
		if np.name == name && (protocol == "" || strings.EqualFold(protocol, np.port.Protocol.String())) &&
			!slices.Contains(found, np.port) {
			found = append(found, np.port)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	const most = 10
	if n := len(all) - most; n > 0 {
		all = append(all[:most], fmt.Sprintf("and %d more", n))
	}
	if n := len(found) - most; n > 0 {
		found = found[:most]
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return policy.Port{}, fmt.Errorf("port %s of %s is ambiguous: %v", text, t, found)
	case len(all) == 0:
		return policy.Port{}, fmt.Errorf("port %s: %s names no ports; write a number", text, t)
	}
	return policy.Port{}, fmt.Errorf("%s has no port %s, only %s", t, text, strings.Join(all, ", "))
}

// isPortName reports whether a text can be the name of a port, of a Service
// too, and not just something else that is misspelled.
func isPortName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-' && 0 < i && i < len(s)-1:
		default:
			return false
		}
	}
	return strings.ContainsAny(s, "abcdefghijklmnopqrstuvwxyz")
}

type namedPort struct {
	name string
	port policy.Port
}

// servicePorts returns the named ports of a Service as clients see them.
func (g *Graph) servicePorts(i int32) []namedPort {
	s := &g.services.list[i]
	var list []namedPort
	for n, sp := range s.Ports {
		switch {
		case sp.Name == "":
		case s.Kind == policy.Headless && !s.backends.isEmpty():
			for b := range s.ports[n].all() {
				np := namedPort{sp.Name, s.ports[n].portOf(b)}
				if b.ready && (len(list) == 0 || list[len(list)-1] != np) { // DNS names no others
					list = append(list, np)
				}
			}
		default:
			list = append(list, namedPort{sp.Name, sp.Port})
		}
	}
	return list
}

// podPorts returns the named ports of a pod as policies see them.
func (g *Graph) podPorts(id int32) []namedPort {
	var list []namedPort
	if pod := g.pod(id); pod != nil {
		for _, cp := range pod.Ports {
			if g.profile.counts(cp.By) {
				list = append(list, namedPort{cp.Name, cp.Port})
			}
		}
	}
	return list
}

// String returns a text that [Graph.Target] understands, unless t is an
// Endpoint outside the cluster, see [Endpoint.String].
func (t Target) String() string {
	if t.g == nil {
		return "no target"
	}
	switch t.kind {
	case addrTarget:
		return t.addr.String()
	case serviceTarget:
		return t.g.serviceName(t.id)
	case hostTarget:
		return t.g.names[t.id]
	}
	return t.g.nameOf(t.id)
}

// GoString returns String, to keep the logs of property tests readable.
func (t Target) GoString() string { return t.String() }

func (t Target) describe() string {
	if t.g == nil {
		return "the zero Target"
	}
	return t.String()
}
