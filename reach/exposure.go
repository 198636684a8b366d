package reach

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
)

// An Exposure is a door through which clients outside the cluster can come to a
// pod, and whom the policies let in.
type Exposure struct {
	Door   Door
	Pod    Endpoint
	Port   policy.Port // at the pod
	SeenAs Seen

	Clients cidr.Set // the addresses outside the cluster that get in, by some node at least
	Unknown cidr.Set // those of which it is not known whether they do
	Missing string   // what the input lacks to know it

	// OwnNode tells that some of Clients get in only because the node that
	// hides them is the pod's own, which policies cannot keep out.
	OwnNode bool
}

// Seen tells whom the policies of a pod see in place of a client outside.
type Seen string

// Whom the policies see.
const (
	SeenAsClient   Seen = "client"
	SeenAsNode     Seen = "node"
	SeenAsBalancer Seen = "balancer" // of which the address is not known
)

// Exposures returns the doors through which clients outside the cluster can come
// to a pod or workload, by Service and port. A door that lets nobody in is among
// them. There are none for anything else.
//
// Its cost grows with the doors, times the backends behind them, times the
// classes of addresses outside that policies tell apart.
func (g *Graph) Exposures(pod Endpoint) []Exposure {
	pod.mustBeOf(g)
	id := g.owner(pod.id)
	var list []Exposure
	for i := range g.services.list {
		s := &g.services.list[i]
		if !s.exposed() {
			continue
		}
		for port := range s.Ports {
			if slices.ContainsFunc(s.ports[port], func(b backend) bool { return g.standsFor(id, b.end) }) {
				list = append(list, g.exposuresBy(int32(i), int32(port), id)...)
			}
		}
	}
	return list
}

// standsFor reports whether what is known of pod id is known of a workload or
// replica, if id is one of these.
func (g *Graph) standsFor(id, pod int32) bool {
	switch kind, i := g.kind(id); kind {
	case podEnd:
		return id == pod
	case replicaEnd:
		return g.replicas[i] == pod
	case staffedEnd:
		return slices.Contains(g.staffed[i/2].pods, pod)
	}
	return false
}

// exposuresBy returns the doors of a Service port to a pod.
func (g *Graph) exposuresBy(service, port, pod int32) []Exposure {
	s := &g.services.list[service]
	var list []Exposure
	index := make(map[exposureKey]int)
	for _, client := range g.Outside() {
		c := Connection{From: client, Port: s.Ports[port].Port}
		addrs := client.Addrs()
		results := make(map[int]*clientResult)
		g.walkDoors(c, service, port, func(h hop) {
			if h.kind == stopHop || !g.standsFor(pod, h.backend) {
				return
			}
			k := exposureKey{h.door, h.port}
			n, ok := index[k]
			if !ok {
				n = len(list)
				index[k] = n
				list = append(list, Exposure{Door: h.door, Pod: Endpoint{g, pod}, Port: h.port, SeenAs: seenIn(&h)})
			}
			r := results[n]
			if r == nil {
				r = new(clientResult)
				results[n] = r
			}
			switch g.glance(&h) {
			case All:
				r.in = true
				r.fair = r.fair || !g.onlyByOwnNode(&h)
			case Unknown:
				r.unknown = true
				if list[n].Missing == "" {
					list[n].Missing = g.missing(&h)
				}
			}
		})
		for n, r := range results {
			switch {
			case r.in:
				list[n].Clients = list[n].Clients.Union(addrs)
				list[n].OwnNode = list[n].OwnNode || !r.fair
			case r.unknown:
				list[n].Unknown = list[n].Unknown.Union(addrs)
			}
		}
	}
	for n := range list {
		if list[n].Unknown.IsEmpty() {
			list[n].Missing = ""
		}
	}
	return list
}

type exposureKey struct {
	door Door
	port policy.Port
}

// A clientResult tells what became of the ways of a client through a door.
type clientResult struct {
	in, fair, unknown bool // fair: not only by the own node of the pod
}

func seenIn(h *hop) Seen {
	switch {
	case h.anySource:
		return SeenAsBalancer
	case h.hidden:
		return SeenAsNode
	}
	return SeenAsClient
}

// onlyByOwnNode reports whether an allowed hop passes only because its source is
// the node of the backend.
func (g *Graph) onlyByOwnNode(h *hop) bool {
	source, backend := &g.ends[h.source], &g.ends[h.backend]
	f := 0
	if h.family != AnyFamily {
		f = h.family.index()
	}
	return h.hidden && g.ingressPasses(source, backend) && !g.bit(g.row(backend.ingress, key(h.port)), source.class[f])
}

// String returns x in one line. It tells the addresses as [Endpoint.String] does.
func (x Exposure) String() string {
	s := fmt.Sprintf("%s, to %s %s, where policies see the %s: ", x.Door, x.Pod, x.Port, x.SeenAs)
	switch {
	case !x.Clients.IsEmpty():
		s += "lets in " + x.classes(x.Clients)
		if x.OwnNode {
			s += " (some only because the node that hides them is the pod's own)"
		}
		if !x.Unknown.IsEmpty() {
			s += "; unknown for " + x.classes(x.Unknown)
		}
	case !x.Unknown.IsEmpty():
		s += "unknown for " + x.classes(x.Unknown)
	default:
		s += "lets nobody in"
	}
	if x.Missing != "" {
		s += ", what is missing is " + x.Missing
	}
	return s
}

// classes returns the text of a set of clients with all addresses that are not
// told apart from theirs, also those in the cluster.
func (x Exposure) classes(clients cidr.Set) string {
	g := x.Pod.g
	var all cidr.Set
	for _, e := range g.Outside() {
		if clients.Contains(e.Addrs().First()) {
			all = all.Union(g.classSet(e.id - g.first.addr))
		}
	}
	return all.String()
}
