package reach

import (
	"cmp"
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
		_, found := slices.BinarySearch(g.staffed[i/2].pods, pod)
		return found
	}
	return false
}

// exposuresBy returns the doors of a Service port to a pod.
func (g *Graph) exposuresBy(service, port, pod int32) []Exposure {
	s := &g.services.list[service]
	backends := slices.DeleteFunc(slices.Clone(s.ports[port]), func(b backend) bool { return !g.standsFor(pod, b.end) })
	var ready flags // the families over which some backend is
	for _, b := range s.ports[port] {
		if b.ready {
			ready |= b.fams
		}
	}
	var list []Exposure
	index := make(map[exposureKey]int)
	for _, client := range g.Outside() {
		results := make(map[int]*clientResult)
		possible := make(map[Door]flags) // the families of a Service of which that is not known
		at := func(door Door, port policy.Port) *clientResult {
			k := exposureKey{door, port}
			n, ok := index[k]
			if !ok {
				n = len(list)
				index[k] = n
				list = append(list, Exposure{Door: door, Pod: Endpoint{g, pod}, Port: port, SeenAs: g.seenBehind(s, door)})
			}
			if results[n] == nil {
				results[n] = new(clientResult)
			}
			return results[n]
		}
		g.walkDoors(Connection{From: client, Port: s.Ports[port].Port}, service, port, func(h hop) {
			if !h.sure {
				for _, fam := range h.family.each() {
					possible[h.door] |= fam.flag()
				}
			}
			if h.kind == stopHop {
				for _, b := range backends {
					fams := b.fams
					if known := s.families(); known != 0 {
						fams &= known
					}
					if h.sure && !h.door.Proxied && h.family != AnyFamily {
						fams &= h.family.flag()
					}
					usable := fams != 0 && (b.ready || fams&^ready != 0 || s.ExternalLocal)
					if h.concerns(g, pod) && (usable || h.missing.what == missingNode) {
						at(h.door, b.port).add(g, &h, h.stop)
					}
				}
				return
			}
			if g.standsFor(pod, h.backend) {
				at(h.door, h.port).add(g, &h, g.glance(&h))
			}
		})
		for n, r := range results {
			o := r.sum.outcome()
			if o.Reachable() && possible[list[n].Door] == hasBoth && r.sum.oneFamily() {
				o = Unknown // the pod is no backend if the Service has the other
			}
			switch {
			case o.Reachable():
				list[n].Clients = list[n].Clients.Union(client.Addrs())
				list[n].OwnNode = list[n].OwnNode || !r.fair
			case o == Unknown:
				list[n].Unknown = list[n].Unknown.Union(client.Addrs())
				if list[n].Missing == "" {
					list[n].Missing = cmp.Or(r.missing, "the address family of "+g.serviceName(service))
				}
			}
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
	sum     tally
	fair    bool // some get in not only by the own node of the pod
	missing string
}

func (r *clientResult) add(g *Graph, h *hop, result Outcome) {
	r.sum.add(h, result)
	r.fair = r.fair || result == All && !g.onlyByOwnNode(h)
	if result == Unknown && r.missing == "" {
		r.missing = g.missing(h)
	}
}

// concerns reports whether a way that ends before any backend could have led to
// a pod.
func (h *hop) concerns(g *Graph, pod int32) bool {
	switch h.missing.what {
	case missingNode:
		return g.standsFor(pod, h.missing.id)
	case missingOwner:
		return false
	}
	return h.stop == Unknown || h.stop == OutsideSourceRanges || !h.sure
}

// seenBehind tells whom the policies of the backends of s see in place of a
// client that comes by a door.
func (g *Graph) seenBehind(s *service, door Door) Seen {
	switch {
	case door.Proxied:
		return SeenAsBalancer
	case g.profile.ServiceSNAT == SNATNever, g.profile.ServiceSNAT == SNATKubeProxy && s.ExternalLocal:
		return SeenAsClient
	}
	return SeenAsNode
}

// onlyByOwnNode reports whether an allowed hop passes only because its source is
// the node of the backend.
func (g *Graph) onlyByOwnNode(h *hop) bool {
	source, backend := &g.ends[h.source], &g.ends[h.backend]
	f := 0
	if h.family != AnyFamily {
		f = h.family.index()
		if source.flags&h.family.flag() == 0 {
			// It is the own node, whose address of the family is not known.
			return h.hidden && !g.bit(g.row(backend.ingress, key(h.port)), g.ends[g.first.unknown].class[f])
		}
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
