package reach

import (
	"cmp"
	"fmt"
	"net/netip"
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
			list = append(list, g.exposuresBy(int32(i), int32(port), id)...)
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

// mayBe reports whether b is what is known of pod id, or is not known and has an
// address of it.
func (g *Graph) mayBe(id int32, b *backend) bool {
	if b.isUnknown(&g.profile) {
		return g.hasAddr(id, b.addr)
	}
	return g.standsFor(id, b.end)
}

func (g *Graph) hasAddr(id int32, a netip.Addr) bool {
	pod := g.pod(id)
	return pod != nil && !pod.Terminated && slices.Contains(g.knownAddrs(id), a)
}

// exposuresBy returns the doors of a Service port to a pod.
func (g *Graph) exposuresBy(service, port, pod int32) []Exposure {
	s := &g.services.list[service]
	var ports []policy.Port // of the pod
	backends := &s.ports[port]
	for b := range backends.all() {
		if p := backends.portOf(b); g.mayBe(pod, b) && !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	if len(ports) == 0 {
		return nil
	}
	var list []Exposure
	index := make(map[exposureKey]int)
	var clients, unknown [][]cidr.Set // of each of list; united at the end, as each may have many runs
	for _, client := range g.Outside() {
		results := make(map[exposureKey]*clientResult)
		g.walkDoors(Connection{From: client, Port: s.Ports[port].Port}, service, port, func(h hop) {
			for _, p := range ports {
				k := exposureKey{h.door, p}
				if _, ok := index[k]; !ok {
					index[k] = len(list)
					list = append(list, Exposure{Door: h.door, Pod: Endpoint{g, pod}, Port: p, SeenAs: g.seenBehind(s, h.door)})
					clients, unknown = append(clients, nil), append(unknown, nil)
				}
				if !g.leadsTo(&h, pod, p) {
					continue
				}
				if results[k] == nil {
					results[k] = new(clientResult)
				}
				results[k].add(g, &h)
			}
		})
		for k, r := range results {
			i := index[k]
			x := &list[i]
			switch a, b := r.sum[0].outcome(), r.sum[1].outcome(); {
			case a.Reachable() && b.Reachable():
				clients[i] = append(clients[i], client.Addrs())
				x.OwnNode = x.OwnNode || !r.fair[0] || !r.fair[1]
			case a.Reachable() || b.Reachable() || a == Unknown || b == Unknown:
				unknown[i] = append(unknown[i], client.Addrs())
				if x.Missing == "" {
					x.Missing = cmp.Or(r.missing, g.familyOfService(service))
				}
			}
		}
	}
	for i := range list {
		list[i].Clients, list[i].Unknown = unite(clients[i]), unite(unknown[i])
	}
	return list
}

// unite returns the addresses that are in some of sets.
func unite(sets []cidr.Set) cidr.Set {
	switch n := len(sets); n {
	case 0:
		return cidr.Set{}
	case 1:
		return sets[0]
	default:
		return unite(sets[:n/2]).Union(unite(sets[n/2:]))
	}
}

type exposureKey struct {
	door Door
	port policy.Port
}

// A clientResult tells what became of the ways of a client through a door.
type clientResult struct {
	sum     tally
	fair    [2]bool // by world: some get in not only by the own node of the pod
	missing string
}

func (r *clientResult) add(g *Graph, h *hop) {
	result := g.glance(h)
	r.sum.add(h, result)
	if result == Unknown && r.missing == "" {
		r.missing = g.missing(h)
	}
	if result != All || g.onlyByOwnNode(h) {
		return
	}
	for f, fam := range families {
		r.fair[f] = r.fair[f] || h.worlds&fam.flag() != 0
	}
}

// leadsTo reports whether a way leads to a port of a pod, or would if it were
// known that the pod is local.
func (g *Graph) leadsTo(h *hop, pod int32, port policy.Port) bool {
	if h.kind == stopHop {
		return h.stop == Unknown && (h.missing.what == missingNode && g.standsFor(pod, h.missing.id) ||
			h.missing.what == missingOwner && g.hasAddr(pod, h.missing.addr))
	}
	return h.port == port && g.standsFor(pod, h.backend)
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
			return h.hidden && !g.holds(g.ingress(h.backend), key(h.port), g.first.unknown, f)
		}
	}
	return h.hidden && g.ingressPasses(source, backend) && !g.holds(g.ingress(h.backend), key(h.port), h.source, f)
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
