package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// This file finds the ways that a connection can take through Services. It asks
// no policy; both Reaches and Trace judge what it finds.

// A hop is one way: to a backend over one family, or to where it ends before.
type hop struct {
	kind    hopKind
	door    Door
	family  Family
	worlds  flags // see tally
	service int32 // of which the family is not known, unless worlds is hasBoth

	node  int32 // the node that translates, -1 if that is of no importance
	nodes int32 // how many nodes it stands for

	client    int32
	outTo     int32 // what the policies of the client see
	outAddr   netip.Addr
	outFamily Family // AnyFamily if it is the same
	outPort   policy.Port
	source    int32 // whom the policies of the backend see
	hidden    bool  // the source is how node looks, and not the client
	backend   int32
	addr      netip.Addr // of a backend outside the cluster, if it has been named
	port      policy.Port

	// anySource: the source is not known; it is taken to be any address outside.
	// anyDestination: outTo likewise, and there is no backend to be judged.
	anySource, anyDestination bool

	stop     Outcome
	missing  missing
	doubtful bool // it may end before the backend, for want of what is missing
}

type hopKind uint8

const (
	plainHop      hopKind = iota // no translation: a flow as any other
	translatedHop                // client and backend may see different addresses
	hairpinHop                   // from a pod through a Service to itself
	stopHop
)

// missing is what the input lacks.
type missing struct {
	what missingKind
	id   int32 // of an endpoint, or of a Service
	text string

	service types.NamespacedName
	addr    netip.Addr
}

type missingKind uint8

const (
	missingByHop    missingKind = iota // see Graph.missing
	missingNode                        // of endpoint id
	missingBalancer                    // the address that it connects from
	missingHost                        // the addresses of the name in text
	missingLoop                        // where the alias of Service id ends
	missingOwner                       // which endpoint has the address
	missingRanges                      // whether the ranges of Service id hold the client
	missingFilter                      // whether the balancer of Service id heeds them
	missingPods                        // the pods of Service id
	missingService                     // the Service of that name, or with that address
	missingVirtual                     // what is behind the address, which is one of Services
)

// A walk goes all ways of one connection.
type walk struct {
	g       *Graph
	profile *Profile
	c       Connection
	yield   func(hop)
	sum     tally // if yield is nil, what a glance at each hop tells

	outside  bool // the client is no endpoint of the cluster
	isNode   bool // the client is a node or counts as one
	host     int32
	entry    flags         // the families of what it connects to first
	alike    bool          // both families are possible, and the backends are the same over both
	ownOnly  bool          // over this family, it reaches only what is on its own node
	localTo  bool          // only backends on the host of the client count
	filtered bool          // the door is a balancer address, which source ranges protect
	aliases  int           // followed so far
	alias    Door          // the last of them
	selves   []policy.Port // at which the client has been its own backend
	port     policy.Port   // of the backends; zero if each has its own, or the client chooses
	hop      hop           // the next one, as far as it is known
}

// walk calls yield with every hop of c under a profile, in a fixed order.
func (g *Graph) walk(p *Profile, c Connection, yield func(hop)) {
	w := g.newWalk(p, c, yield)
	w.target()
}

// send passes a hop on. It is passed by value, since what a pointer goes to is
// allocated.
func (w *walk) send(h *hop) {
	if w.yield == nil {
		w.sum.add(h, w.g.glance(h))
		return
	}
	w.yield(*h)
}

// target goes to what the connection names.
func (w *walk) target() {
	g, to := w.g, w.c.To
	if pod := g.pod(w.c.From.id); pod != nil && pod.Terminated {
		w.stop(Gone, missing{})
		return
	}
	switch to.kind {
	case endpointTarget:
		w.endpoint(to.id)
	case addrTarget:
		w.addr(to.addr)
	case serviceTarget:
		w.service(to.id)
	case hostTarget:
		for _, a := range g.hosts[g.names[to.id]] {
			w.addr(a)
		}
	}
}

func (g *Graph) newWalk(p *Profile, c Connection, yield func(hop)) walk {
	w := walk{g: g, profile: p, c: c, yield: yield, host: g.ends[c.From.id].host}
	pod := g.pod(c.From.id)
	switch kind, i := g.kind(c.From.id); {
	case pod != nil:
		w.isNode = p.isNode(pod)
	case kind == outsideEnd, kind == unknownEnd && i == 1:
		w.outside = true
	default:
		w.isNode = true
	}
	w.entry = hasBoth
	w.hop = hop{client: c.From.id, node: -1, outPort: c.Port, port: c.Port, worlds: hasBoth}
	return w
}

// walkDoors is walk for a client outside and all doors of one Service port.
func (g *Graph) walkDoors(c Connection, service, port int32, yield func(hop)) {
	w := g.newWalk(&g.profile, c, yield)
	w.doorsOf(service, port)
}

// walkBackends is walk for a client that connects to the backends of a Service
// port themselves.
func (g *Graph) walkBackends(p *Profile, c Connection, service, port int32, yield func(hop)) {
	w := g.newWalk(p, c, yield)
	if pod := g.pod(w.c.From.id); pod != nil && pod.Terminated {
		w.stop(Gone, missing{})
		return
	}
	backends := &g.services.list[service].ports[port]
	w.families(service, backends, hasBoth, func(fam Family) {
		w.usable(backends, fam, func(b *backend) {
			if !w.ambiguous(b) {
				w.each(b, func(end int32) { w.direct(b, end) })
			}
		})
	})
}

// direct goes to a backend, as one of its endpoints, without translation.
func (w *walk) direct(b *backend, end int32) {
	if w.leavesOut(end) {
		return
	}
	h := w.hop
	h.kind, h.outTo, h.backend, h.source = plainHop, end, end, h.client
	h.addr = w.g.outsideAddr(b)
	if port := w.portOf(b); port.Valid() {
		h.outPort, h.port = port, port
	}
	w.emit(&h)
}

// portOf returns the port of a backend, or zero if the client chooses.
func (w *walk) portOf(b *backend) policy.Port {
	if b.port != (policy.Port{}) {
		return b.port
	}
	return w.port
}

// stop ends a way.
func (w *walk) stop(why Outcome, m missing) {
	h := w.hop
	h.kind, h.stop, h.missing = stopHop, why, m
	w.send(&h)
}

// endpoint goes to an endpoint of the cluster, or a class of addresses outside.
func (w *walk) endpoint(id int32) {
	plain := true
	pod := w.g.pod(id)
	if kind, _ := w.g.kind(id); kind != outsideEnd && !(pod != nil && pod.Terminated) {
		addrs := w.g.knownAddrs(id)
		taken := 0 // addresses that are a Service's alone
		for _, a := range addrs {
			if found, shared := w.doorsAt(a); found && !shared {
				taken++
			}
		}
		plain = taken == 0 || taken < len(addrs)
	}
	if plain && !w.nodePorts(id) {
		w.plain(id)
	}
}

// addr goes to an address.
func (w *walk) addr(a netip.Addr) {
	if found, shared := w.doorsAt(a); found && !(shared && len(w.g.owners()[a]) > 0) {
		return
	}
	id := w.g.at1(a)
	if ids := w.g.owners()[a]; len(ids) == 1 {
		id = ids[0]
	}
	if id < 0 {
		w.stop(Unknown, missing{what: missingOwner, addr: a})
		return
	}
	if id >= w.g.first.addr && w.g.services.cidrs.Contains(a) {
		w.stop(Unknown, missing{what: missingService, addr: a})
		return
	}
	if id >= w.g.first.addr {
		w.hop.addr = a
	}
	if !w.nodePorts(id) {
		w.plain(id)
	}
	w.hop.addr = netip.Addr{}
}

// plain goes to an endpoint as it is.
func (w *walk) plain(id int32) {
	h := w.hop
	h.kind, h.family = plainHop, w.c.Family
	h.outTo, h.backend, h.source = id, id, h.client
	h.door = w.alias
	w.send(&h)
}

// doorsAt goes through the doors at an address. It reports whether there are
// any for the port, or the address is a ClusterIP, and whether a pod or node that
// has the address may get the connection all the same.
func (w *walk) doorsAt(a netip.Addr) (found, shared bool) {
	for _, ref := range w.g.services.doors[a] {
		s := &w.g.services.list[ref.service]
		port := s.portIndex(w.c.Port)
		if port < 0 && ref.kind != ClusterIP {
			continue // other ports of such an address are not the cluster's
		}
		found = true
		shared = shared || ref.kind == ExternalIP
		w.hop.door = Door{Kind: ref.kind, Service: s.Name, Addr: a, Port: w.c.Port}
		fams := familyOf(a).flag()
		switch {
		case port < 0:
			w.stop(NoServicePort, missing{})
		case ref.kind == ClusterIP:
			w.clusterIP(ref.service, port, fams)
		case ref.kind == LoadBalancer:
			w.hop.door.Proxied = s.Balancers[ref.index].Proxied
			w.balancer(ref.service, port, fams)
		default:
			w.anyNode(ref.service, port, fams)
		}
		w.hop.door = Door{}
	}
	return found, shared
}

// nodePorts goes through the node ports of an endpoint that has the addresses
// of a node. It reports whether there are any for the port.
func (w *walk) nodePorts(id int32) (found bool) {
	refs := w.g.services.nodePorts[w.c.Port]
	if len(refs) == 0 {
		return false
	}
	node := w.g.owner(id)
	if pod := w.g.pod(id); pod != nil {
		if !pod.HostNetwork || pod.Terminated {
			return false
		}
		node = w.g.nodeOf(id)
	} else if node < w.g.first.node || node > w.g.first.unknown {
		return false
	}
	for _, ref := range refs {
		s := &w.g.services.list[ref.service]
		w.hop.door = Door{Kind: NodePort, Service: s.Name, Port: w.c.Port}
		if addrs := w.g.knownAddrs(id); len(addrs) == 1 {
			w.hop.door.Addr = addrs[0]
		}
		w.nodePort(ref.service, ref.port, id, node)
		w.hop.door = Door{}
	}
	return true
}

// service goes to a Service by name.
func (w *walk) service(i int32) {
	s := &w.g.services.list[i]
	if w.outside {
		w.fromOutside(i)
		return
	}
	switch s.Kind {
	case policy.ExternalName:
		w.follow(i)
		return
	case policy.Headless:
		w.hop.door = Door{Kind: Headless, Service: s.Name, Port: w.c.Port}
		w.headless(i)
	default:
		w.hop.door = Door{Kind: ClusterIP, Service: s.Name, Port: w.c.Port}
		if port := s.portIndex(w.c.Port); port < 0 {
			w.stop(NoServicePort, missing{})
		} else {
			w.clusterIP(i, port, hasBoth)
		}
	}
	w.hop.door = Door{}
}

// follow goes where the alias of a Service leads.
func (w *walk) follow(i int32) {
	s := &w.g.services.list[i]
	w.alias = Door{Kind: ExternalName, Service: s.Name, Port: w.c.Port}
	w.hop.door = w.alias
	if w.aliases++; w.aliases > len(w.g.services.list) {
		w.stop(Unknown, missing{what: missingLoop, id: i})
		return
	}
	if s.aliased.Name != "" {
		if next, ok := w.g.services.find(s.aliased); ok {
			w.service(next)
			return
		}
	}
	if addrs := w.g.hosts[s.Alias]; len(addrs) > 0 {
		for _, a := range addrs {
			w.alias.Addr = a
			w.addr(a)
		}
		return
	}
	if s.aliased.Name != "" {
		w.stop(Unknown, missing{what: missingService, service: s.aliased})
		return
	}
	if isOfCluster(s.Alias) {
		w.stop(Unknown, missing{what: missingHost, text: s.Alias})
		return
	}
	// The name has addresses of one family, or of both.
	client := w.clientFamilies()
	if client == 0 {
		w.stop(NoFamily, missing{})
		return
	}
	for _, fam := range families {
		if client&fam.flag() == 0 {
			continue
		}
		h := w.hop
		h.kind, h.family, h.service = translatedHop, fam, i
		if client == hasBoth {
			h.worlds = fam.flag()
		}
		h.outTo, h.anyDestination = w.g.first.unknown+1, true
		h.source, h.backend = h.client, h.outTo
		h.missing = missing{what: missingHost, text: s.Alias}
		w.send(&h)
	}
}

// isOfCluster reports whether a DNS name, in lower case and without final dot, is
// none that anybody outside the cluster could have.
func isOfCluster(name string) bool {
	return strings.HasSuffix(name, ".cluster.local") || strings.HasSuffix(name, ".svc")
}

// serviceOfDNS returns the Service that a DNS name of the cluster means, which
// is in lower case and without final dot.
func serviceOfDNS(name string) (types.NamespacedName, bool) {
	labels := strings.Split(strings.TrimSuffix(name, ".cluster.local"), ".")
	if len(labels) != 3 || labels[2] != "svc" {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: labels[1], Name: labels[0]}, true
}

// fromOutside goes through all doors of a Service that lead outside.
func (w *walk) fromOutside(i int32) {
	s := &w.g.services.list[i]
	if !s.exposed() {
		w.hop.door = Door{Service: s.Name}
		w.stop(NotExposed, missing{})
		w.hop.door = Door{}
		return
	}
	port := s.portIndex(w.c.Port)
	if port < 0 {
		w.hop.door = Door{Service: s.Name}
		w.stop(NoServicePort, missing{})
		w.hop.door = Door{}
		return
	}
	w.doorsOf(i, port)
}

// doorsOf goes through all doors of a Service port that lead outside.
func (w *walk) doorsOf(i, port int32) {
	s := &w.g.services.list[i]
	sp := &s.Ports[port]
	if s.HasNodePort(int(port)) {
		w.hop.door = Door{Kind: NodePort, Service: s.Name, Port: sp.Port.Protocol.Port(sp.NodePort)}
		w.anyNode(i, port, hasBoth)
	}
	if s.Kind == policy.LoadBalancer {
		for _, b := range s.Balancers {
			w.hop.door = Door{Kind: LoadBalancer, Service: s.Name, Addr: b.Addr, Port: sp.Port, Proxied: b.Proxied}
			w.balancer(i, port, famsOf(b.Addr))
		}
		if len(s.Balancers) == 0 {
			w.hop.door = Door{Kind: LoadBalancer, Service: s.Name, Port: sp.Port}
			w.balancer(i, port, hasBoth)
		}
	}
	for _, a := range s.ExternalIPs {
		w.hop.door = Door{Kind: ExternalIP, Service: s.Name, Addr: a, Port: sp.Port}
		w.anyNode(i, port, famsOf(a))
	}
	w.hop.door = Door{}
}

// famsOf returns the family of a, or both if it is not known.
func famsOf(a netip.Addr) flags {
	if !a.IsValid() {
		return hasBoth
	}
	return familyOf(a).flag()
}

// families calls do for each family that the connection can use to the backends
// of a Service, by a door of the families fams. It ends the way if there is none.
// A door that has one family has that of the Service.
func (w *walk) families(i int32, backends *backendList, fams flags, do func(Family)) {
	s := &w.g.services.list[i]
	if backends.isEmpty() {
		if s.noPods && s.Mirrored {
			w.stop(Unknown, missing{what: missingPods, id: i})
		} else {
			w.stop(NoEndpoints, missing{})
		}
		return
	}
	w.port = backends.port
	known := s.families()
	client := w.clientFamilies() & w.entry
	if w.hop.outFamily != AnyFamily {
		client = hasBoth // it is not the client that connects to the Service
	}
	open := false // in either world it has another one
	switch {
	case known != 0:
		fams &= known
	case fams == hasBoth:
		fams = w.possibleFamilies(backends)
		open = fams == hasBoth
		w.alike = open && client == hasBoth && w.hop.outFamily == AnyFamily && w.knownFamilies(backends) == 0
	}
	w.hop.service = i
	done := false
	for _, fam := range families {
		if fams&fam.flag() == 0 {
			continue
		}
		if open {
			w.hop.worlds, done = fam.flag(), false
		}
		w.hop.family, w.selves = fam, w.selves[:0]
		w.ownOnly = client&fam.flag() == 0
		if !w.ownOnly || w.entry&fam.flag() != 0 && w.reachesOwn(backends, fam) {
			done = true
			do(fam)
		}
		if open && !done {
			w.stop(NoFamily, missing{})
		}
	}
	w.hop.family = AnyFamily
	if !open && !done {
		w.stop(NoFamily, missing{})
	}
	w.hop.worlds, w.ownOnly, w.alike = hasBoth, false, false
}

// possibleFamilies returns those of which a Service has one, if the input does
// not tell which: of the backends, else of anything in the input, else of the
// client, as far as their addresses are known.
func (w *walk) possibleFamilies(backends *backendList) flags {
	return cmp.Or(w.knownFamilies(backends), w.g.services.families, w.g.ends[w.c.From.id].flags&hasBoth)
}

// reachesOwn reports whether the client is a node and may reach some backend over
// a family of which it has no known address, if the backend is on it.
func (w *walk) reachesOwn(backends *backendList, fam Family) bool {
	if !w.isNode || w.g.ends[w.c.From.id].flags&isAt != 0 || !w.asks(fam) {
		return false
	}
	for b := range backends.all() {
		if b.end >= 0 && b.fams&fam.flag() != 0 && (w.isOwn(b.end) || w.mayBeOwn(b.end)) {
			return true
		}
	}
	return false
}

// isOwn reports whether a backend is on the node that the client is, and mayBeOwn
// whether that is not known.
func (w *walk) isOwn(end int32) bool { return w.g.ends[end].host == w.host }

func (w *walk) mayBeOwn(end int32) bool {
	return !w.isOwn(end) && end < w.g.first.node && w.c.From.id != w.g.first.unknown &&
		!(w.g.isFixed(w.g.ends[end].host) && w.g.isFixed(w.host))
}

// leavesOut ends the way to a backend that the client only reaches if it is on
// the client's node.
func (w *walk) leavesOut(end int32) bool {
	switch {
	case !w.ownOnly || w.isOwn(end):
		return false
	case w.mayBeOwn(end):
		w.stop(Unknown, missing{what: missingNode, id: end})
	default:
		w.stop(NoFamily, missing{})
	}
	return true
}

// asks reports whether the connection may use a family.
func (w *walk) asks(fam Family) bool { return w.c.Family == AnyFamily || w.c.Family == fam }

// knownFamilies returns the families of those addresses of backends that are
// known.
func (w *walk) knownFamilies(backends *backendList) flags {
	var fams flags
	for b := range backends.all() {
		if b.end < 0 || w.g.hasAddrs(b.end) {
			fams |= b.fams
		}
	}
	return fams
}

// clientFamilies returns the families that the client can use, of those that
// the connection may.
func (w *walk) clientFamilies() flags {
	fams := w.g.ends[w.c.From.id].flags & hasBoth
	for _, fam := range families {
		if !w.asks(fam) {
			fams &^= fam.flag()
		}
	}
	return fams
}

// clusterIP goes to the ClusterIP of a Service port.
func (w *walk) clusterIP(i, port int32, fams flags) {
	s := &w.g.services.list[i]
	backends := &s.ports[port]
	w.families(i, backends, fams, func(fam Family) {
		switch {
		case w.outside && s.InternalLocal:
			w.atOwnNodes(backends, fam, func(b *backend) { w.translate(b, fam, w.snat(true)) })
		case w.outside:
			w.usable(backends, fam, func(b *backend) { w.fromNodes(b, fam, w.snat(true)) })
		case s.InternalLocal:
			w.localTo = true
			w.local(backends, fam, w.host, w.c.From.id, func(b *backend) { w.inside(b, fam, w.snat(false)) })
			w.localTo = false
		default:
			w.usable(backends, fam, func(b *backend) { w.inside(b, fam, w.snat(false)) })
		}
	})
}

// snat reports whether the policies of a backend see a node, where kube-proxy
// hides the client or not.
func (w *walk) snat(hides bool) bool {
	switch w.profile.ServiceSNAT {
	case SNATNever:
		return false
	case SNATAlways:
		return true
	}
	return hides
}

// headless goes to the backends as DNS names them.
func (w *walk) headless(i int32) {
	backends := &w.g.services.list[i].backends
	w.families(i, backends, hasBoth, func(fam Family) {
		found := false
		for b := range backends.all() {
			if !b.ready || b.fams&fam.flag() == 0 {
				continue
			}
			found = true
			if !w.ambiguous(b) {
				w.each(b, func(end int32) { w.direct(b, end) })
			}
		}
		if !found {
			w.stop(NoEndpoints, missing{})
		}
	})
}

// anyNode goes to an external IP or a balancer address, or to a node port
// without saying at which node.
func (w *walk) anyNode(i, port int32, fams flags) {
	s := &w.g.services.list[i]
	backends := &s.ports[port]
	node, isNodes := w.g.nodeAt(w.hop.door.Addr)
	w.families(i, backends, fams, func(fam Family) {
		switch {
		case w.filter(i, fam):
		case !w.outside:
			w.usable(backends, fam, func(b *backend) { w.inside(b, fam, w.snat(!s.ExternalLocal)) })
		case isNodes:
			w.hop.node, w.hop.nodes = node, 1
			arrive := func(b *backend) { w.translate(b, fam, w.snat(!s.ExternalLocal)) }
			if s.ExternalLocal {
				w.local(backends, fam, w.g.ends[node].host, node, arrive)
			} else {
				w.usable(backends, fam, arrive)
			}
			w.hop.node, w.hop.nodes = -1, 0
		case s.ExternalLocal:
			w.atOwnNodes(backends, fam, func(b *backend) { w.translate(b, fam, w.snat(false)) })
		default:
			w.usable(backends, fam, func(b *backend) { w.fromNodes(b, fam, w.snat(true)) })
		}
	})
}

// nodeAt returns the node that alone has address a.
func (g *Graph) nodeAt(a netip.Addr) (node int32, ok bool) {
	if ids := g.owners()[a]; len(ids) == 1 {
		id := g.owner(ids[0])
		return id, g.first.node <= id && id < g.first.ownNode
	}
	return 0, false
}

// nodePort goes to a node port of a node, as endpoint id.
func (w *walk) nodePort(i, port, id, node int32) {
	s := &w.g.services.list[i]
	backends := &s.ports[port]
	host := w.g.ends[node].host
	own := !w.outside && host == w.host
	if !w.outside && !own && node != w.g.first.unknown && !(w.g.isFixed(host) && w.g.isFixed(w.host)) {
		who := w.c.From.id
		if w.g.isFixed(w.host) {
			who = id
		}
		w.stop(Unknown, missing{what: missingNode, id: who})
		return
	}
	w.entry = w.g.ends[id].flags & hasBoth
	if !own {
		w.entry &= w.clientFamilies() // to another node there is no other way
	}
	w.families(i, backends, hasBoth, func(fam Family) {
		w.hop.outTo = id
		if own {
			w.usable(backends, fam, func(b *backend) { w.inside(b, fam, w.snat(!s.ExternalLocal)) })
			return
		}
		w.hop.node, w.hop.nodes = node, 1
		arrive := func(b *backend) {
			if w.ambiguous(b) {
				return
			}
			w.each(b, func(end int32) {
				h := w.hop
				h.kind, h.backend, h.port, h.source = translatedHop, end, w.portOf(b), h.client
				h.addr = w.g.outsideAddr(b)
				if w.snat(!s.ExternalLocal) {
					h.source, h.hidden = w.mask(node, fam, end), true
				}
				w.emit(&h)
			})
		}
		if s.ExternalLocal {
			w.local(backends, fam, host, node, arrive)
		} else {
			w.usable(backends, fam, arrive)
		}
		w.hop.node, w.hop.nodes = -1, 0
	})
	w.entry = hasBoth
}

// balancer goes to the address of a load balancer.
func (w *walk) balancer(i, port int32, fams flags) {
	if w.hop.door.Proxied {
		w.proxied(i, port, fams)
		return
	}
	w.filtered = true
	w.anyNode(i, port, fams)
	w.filtered = false
}

// filter ends the way if the source ranges of a Service refuse the client, or
// may do so.
func (w *walk) filter(i int32, fam Family) bool {
	s := &w.g.services.list[i]
	if !w.filtered || !s.restricts(fam.index()) {
		return false
	}
	switch in, out := w.countClientAddrs(s.SourceRanges[fam.index()], fam); {
	case in > 0 && out == 0:
		return false
	case out > 0 && in == 0:
		w.stop(OutsideSourceRanges, missing{})
	default:
		w.stop(Unknown, missing{what: missingRanges, id: i})
	}
	return true
}

// proxied goes to the address of a load balancer that connects to the cluster by
// itself, over whatever family. The side of the client ends there. The balancer
// may heed the source ranges or not.
func (w *walk) proxied(i, port int32, fams flags) {
	s := &w.g.services.list[i]
	if backends := &s.ports[port]; backends.isEmpty() {
		w.families(i, backends, hasBoth, nil)
		return
	}
	fams &= w.clientFamilies()
	if fams == 0 {
		w.stop(NoFamily, missing{})
		return
	}
	var held flags
	for f, fam := range families {
		if in, out := w.countClientAddrs(s.SourceRanges[f], fam); !s.restricts(f) || in > 0 && out == 0 {
			held |= fams & fam.flag()
		}
	}
	w.fromProxy(i, port, held)
	w.hop.doubtful, w.hop.missing = true, missing{what: missingFilter, id: i}
	w.fromProxy(i, port, fams&^held)
	w.hop.doubtful, w.hop.missing = false, missing{}
}

// fromProxy goes on from a balancer to which the client connects over one of
// the families fams.
func (w *walk) fromProxy(i, port int32, fams flags) {
	if fams == 0 {
		return
	}
	w.hop.outFamily = IPv4
	if fams&hasIPv4 == 0 {
		w.hop.outFamily = IPv6
	}
	w.hop.outTo = w.g.first.unknown + 1
	if a := w.hop.door.Addr; a.IsValid() {
		w.hop.outTo = w.g.first.addr + w.g.outsideIndex(a)
	}
	s := &w.g.services.list[i]
	backends, byNode := &s.ports[port], s.HasNodePort(int(port))
	w.families(i, backends, hasBoth, func(fam Family) {
		next := func(b *backend) { w.fromBalancer(b, fam, byNode && w.snat(!s.ExternalLocal)) }
		if byNode && s.ExternalLocal {
			w.atOwnNodes(backends, fam, next)
		} else {
			w.usable(backends, fam, next)
		}
	})
	w.hop.outTo, w.hop.outFamily = 0, AnyFamily
}

// fromBalancer goes on from a balancer that connects to the cluster by itself,
// and that nodes hide or not.
func (w *walk) fromBalancer(b *backend, fam Family, hides bool) {
	if w.ambiguous(b) {
		return
	}
	h := w.hop
	h.kind, h.backend, h.port, h.source = translatedHop, b.end, w.portOf(b), -1
	h.addr = w.g.outsideAddr(b)
	if a := w.c.Balancer; a.IsValid() && familyOf(a) == fam {
		h.source = w.g.at1(a)
	}
	switch {
	case h.source < 0:
		h.source = w.g.first.unknown + 1
		h.anySource, h.missing = true, cmp.Or(h.missing, missing{what: missingBalancer})
		h.node, h.nodes = -1, 0
		w.emit(&h)
	case hides && h.node >= 0: // a local one
		h.source, h.hidden = w.mask(h.node, fam, h.backend), true
		w.emit(&h)
	case hides:
		w.nodesBefore(b, fam)
	default:
		w.emit(&h)
	}
}

// usable calls do with the backends that connections go to: the ready ones, or
// if there are none, those that are terminating and still serve.
func (w *walk) usable(backends *backendList, fam Family, do func(*backend)) {
	ready, found := false, false
	for b := range backends.all() {
		ready = ready || b.ready && b.fams&fam.flag() != 0
	}
	for b := range backends.all() {
		if b.ready == ready && b.fams&fam.flag() != 0 {
			found = true
			do(b)
		}
	}
	if !found {
		w.stop(NoEndpoints, missing{})
	}
}

// local is like usable for the backends on one host, that of an endpoint. Of
// some it may not be known whether they are.
func (w *walk) local(backends *backendList, fam Family, host, of int32, do func(*backend)) {
	var any, found, ready bool
	var unknown [2]*backend // by whether it is ready, the first
	several := !w.g.isFixed(host) && w.isSeveral()
	maybe := func(b *backend) bool {
		switch {
		case b.fams&fam.flag() == 0:
			return false
		case b.host == host || w.isSelf(b):
			return w.isSelf(b) && several // the other pods of the client
		}
		return b.host >= 0 && of != w.g.first.unknown && !(w.g.isFixed(b.host) && w.g.isFixed(host))
	}
	for b := range backends.all() {
		if b.fams&fam.flag() == 0 {
			continue
		}
		any = true
		if b.host == host || w.isSelf(b) {
			found = true
			ready = ready || b.ready
		}
		if i := b.index(); unknown[i] == nil && maybe(b) {
			unknown[i] = b
		}
	}
	if found && (ready || unknown[1] == nil) {
		for b := range backends.all() {
			if (b.host == host || w.isSelf(b)) && b.ready == ready && b.fams&fam.flag() != 0 {
				do(b)
			}
		}
	}
	b := unknown[1]
	if b == nil && !ready {
		b = unknown[0]
	}
	switch {
	case b != nil && w.g.isFixed(host):
		for o := range backends.all() {
			if o.ready == b.ready && maybe(o) {
				w.stop(Unknown, missing{what: missingNode, id: o.end})
			}
		}
	case b != nil:
		w.stop(Unknown, missing{what: missingNode, id: of})
	case !any:
		w.stop(NoEndpoints, missing{})
	case !found:
		w.stop(NoLocalEndpoints, missing{})
	}
}

// index returns 1 if b is ready, and else 0.
func (b *backend) index() int {
	if b.ready {
		return 1
	}
	return 0
}

// isSelf reports whether the client is local to b because it is b, or one of
// the pods that b is known by.
func (w *walk) isSelf(b *backend) bool {
	return w.localTo && b.host >= 0 && b.end >= 0 && w.g.standsFor(w.g.owner(w.c.From.id), b.end)
}

// isSeveral reports whether the client stands for one of several pods.
func (w *walk) isSeveral() bool {
	kind, _ := w.g.kind(w.c.From.id)
	_, isWorkload := w.g.replica(w.c.From)
	return isWorkload || kind == replicaEnd || kind == staffedEnd
}

// atOwnNodes calls do with the backends that a connection from outside reaches
// by way of the nodes that they are on.
func (w *walk) atOwnNodes(backends *backendList, fam Family, do func(*backend)) {
	any, found := false, false
	var ready *readyHosts // only needed if some are not
	for b := range backends.all() {
		if b.fams&fam.flag() == 0 {
			continue
		}
		any = true
		if b.host < 0 {
			continue
		}
		if !b.ready {
			if ready == nil {
				ready = w.readyHosts(backends, fam)
			}
			if ready.on[b.host] {
				continue
			}
			if ready.unfixed || len(ready.on) > 0 && !w.g.isFixed(b.host) {
				found = true
				w.stop(Unknown, missing{what: missingNode, id: b.end})
				continue
			}
		}
		found = true
		w.hop.node, w.hop.nodes = w.g.first.node+b.host, 1
		if !w.g.isFixed(b.host) {
			w.hop.node = w.g.nodeOf(b.end)
		}
		do(b)
		w.hop.node, w.hop.nodes = -1, 0
	}
	switch {
	case !any:
		w.stop(NoEndpoints, missing{})
	case !found:
		w.stop(NoLocalEndpoints, missing{})
	}
}

// readyHosts are the hosts that have ready backends.
type readyHosts struct {
	on      map[int32]bool
	unfixed bool // some of them are not known
}

func (w *walk) readyHosts(backends *backendList, fam Family) *readyHosts {
	r := &readyHosts{on: make(map[int32]bool)}
	for b := range backends.all() {
		if b.ready && b.fams&fam.flag() != 0 && b.host >= 0 {
			r.on[b.host] = true
			r.unfixed = r.unfixed || !w.g.isFixed(b.host)
		}
	}
	return r
}

// outsideAddr returns the address of a backend outside the cluster.
func (g *Graph) outsideAddr(b *backend) netip.Addr {
	if b.end < g.first.addr {
		return netip.Addr{}
	}
	return b.addr
}

// isUnknown reports whether it is not known which endpoint b is: a pod on the
// network of a node is another one than the node if policies apply to it.
func (b *backend) isUnknown(p *Profile) bool {
	return b.end < 0 || b.orPod && p.HostNetworkAsPods
}

// ambiguous ends the way if it is not known which endpoint b is.
func (w *walk) ambiguous(b *backend) bool {
	if !b.isUnknown(w.profile) {
		return false
	}
	what := missingOwner
	if w.g.services.isVirtual(b.addr) {
		what = missingVirtual
	}
	w.stop(Unknown, missing{what: what, addr: b.addr})
	return true
}

// inside goes from a client in the cluster to a backend. The client's own node
// translates.
func (w *walk) inside(b *backend, fam Family, hides bool) {
	if w.ambiguous(b) {
		return
	}
	w.each(b, func(end int32) {
		if w.leavesOut(end) {
			return
		}
		h := w.hop
		h.kind, h.backend, h.port, h.addr = translatedHop, end, w.portOf(b), w.g.outsideAddr(b)
		h.outTo, h.outPort = end, w.portOf(b)
		if w.profile.ServiceAddressPoliced {
			h.outPort = w.c.Port
			h.outTo, h.outAddr = w.serviceAddr(fam)
		}
		h.source = h.client
		switch {
		case end == h.client && !w.isNode:
			h.kind = hairpinHop
			if w.profile.Hairpin == HairpinMasqueraded {
				h.source = w.mask(w.g.nodeOf(h.client), fam, end)
			}
		case hides || w.isNode && w.snat(true):
			h.node, h.nodes = w.g.nodeOf(h.client), 1
			h.source, h.hidden = w.mask(h.node, fam, h.backend), true
		}
		w.emit(&h)
	})
}

// serviceAddr returns the address of the door, as an endpoint and by itself, if
// that is one of a Service.
func (w *walk) serviceAddr(fam Family) (int32, netip.Addr) {
	a := w.hop.door.Addr
	switch {
	case w.hop.door.Kind == NodePort:
		return w.hop.outTo, netip.Addr{}
	case !a.IsValid():
		i, _ := w.g.services.find(w.hop.door.Service)
		for _, ip := range w.g.services.list[i].ClusterIPs {
			if familyOf(ip) == fam {
				a = ip
			}
		}
	}
	if !a.IsValid() {
		return w.g.first.unknown + 1, a
	}
	if id := w.g.at1(a); id >= 0 && id < w.g.first.addr {
		return id, netip.Addr{}
	}
	return w.g.first.addr + w.g.outsideIndex(a), a
}

// each calls do with b, or with the endpoints that b is to a client that is a
// workload and b one of its pods: the client itself and another one.
func (w *walk) each(b *backend, do func(end int32)) {
	client := w.g.owner(w.c.From.id)
	kind, i := w.g.kind(client)
	if w.isSelf(b) && !w.g.isFixed(w.host) {
		// Where the others are is not known.
		if w.isFirstSelf(b) {
			do(w.c.From.id)
		}
		return
	}
	switch {
	case b.end == client:
		do(w.c.From.id)
		if other, ok := w.g.replica(Endpoint{w.g, client}); ok {
			do(other.id)
		}
		return
	case kind == replicaEnd && w.g.replicas[i] == b.end:
		do(w.c.From.id)
	case kind == staffedEnd && w.g.standsFor(client, b.end):
		if w.isFirstSelf(b) {
			do(w.c.From.id)
		}
	}
	do(b.end)
}

// isFirstSelf reports whether b is the first of the pods that the client stands
// for that comes by at its port: as that one, the client is its own backend.
func (w *walk) isFirstSelf(b *backend) bool {
	if slices.Contains(w.selves, w.portOf(b)) {
		return false
	}
	w.selves = append(w.selves, w.portOf(b))
	return true
}

// emit yields h. Where the family of a Service is not known, and nothing that
// is judged differs by family, one hop stands for both.
func (w *walk) emit(h *hop) {
	if w.alike && !h.hidden {
		same := true
		for _, id := range [...]int32{h.client, h.outTo, h.source, h.backend} {
			e := &w.g.ends[id]
			same = same && e.flags&hasBoth == hasBoth && !w.g.addressless(id) && !w.g.isSplit(id)
		}
		if same && h.family == IPv6 {
			return
		}
		if same {
			h.family, h.worlds = AnyFamily, hasBoth
		}
	}
	w.send(h)
}

// translate goes from a client outside to a backend at the node of the hop.
func (w *walk) translate(b *backend, fam Family, hides bool) {
	if w.ambiguous(b) {
		return
	}
	h := w.hop
	h.kind, h.backend, h.port, h.source = translatedHop, b.end, w.portOf(b), h.client
	h.addr = w.g.outsideAddr(b)
	h.outTo, h.outPort = b.end, w.portOf(b)
	if hides {
		h.source, h.hidden = w.mask(h.node, fam, h.backend), true
	}
	w.emit(&h)
}

// fromNodes goes from a client outside to a backend, by way of any node.
func (w *walk) fromNodes(b *backend, fam Family, hides bool) {
	if w.ambiguous(b) {
		return
	}
	if !hides {
		w.translate(b, fam, false)
		return
	}
	w.hop.outTo, w.hop.outPort = b.end, w.portOf(b)
	w.nodesBefore(b, fam)
	w.hop.outTo, w.hop.outPort = 0, w.c.Port
}

// nodesBefore goes to a backend by way of each node, which hides the client:
// first its own, then those that no policy tells apart, as one.
func (w *walk) nodesBefore(b *backend, fam Family) {
	by := func(node, nodes, source int32) {
		h := w.hop
		h.kind, h.backend, h.port, h.addr = translatedHop, b.end, w.portOf(b), w.g.outsideAddr(b)
		h.node, h.nodes, h.source, h.hidden = node, nodes, source, true
		w.emit(&h)
	}
	own := int32(-1)
	if b.end < w.g.first.addr {
		own = w.g.nodeOf(b.end)
		by(own, 1, w.mask(own, fam, b.end))
	}
	s := w.g.services
	nodes := w.g.nodeGroups()
	for i, ng := range nodes.groups[fam.index()] {
		count, host := ng.count, ng.members[0]
		if own >= 0 && own < w.g.first.ownNode && nodes.of[fam.index()][own-w.g.first.node] == int32(i) {
			count--
			if w.g.first.node+host == own {
				host = ng.members[1]
			}
		}
		if count > 0 {
			by(w.g.first.node+host, count, s.masks[fam.index()][host])
		}
	}
	if !s.closed {
		by(w.g.first.unknown, 1, w.g.first.unknown)
	}
}

// mask returns the endpoint that the policies of a backend see when a node hides
// the client. The own node of a backend is that even if its address is not known.
func (w *walk) mask(node int32, fam Family, backend int32) int32 {
	if node >= w.g.first.ownNode {
		return node
	}
	mask := w.g.services.masks[fam.index()][node-w.g.first.node]
	if mask == w.g.first.unknown && w.g.ends[backend].host == w.g.ends[node].host {
		return node
	}
	return mask
}

// countClientAddrs counts the addresses of a family by which the client
// connects, those in a set and the others. For a workload they are those of its
// pods.
func (w *walk) countClientAddrs(set cidr.Set, fam Family) (in, out int) {
	count := func(addrs []netip.Addr) {
		for _, a := range addrs {
			switch {
			case familyOf(a) != fam:
			case set.Contains(a):
				in++
			default:
				out++
			}
		}
	}
	g, id := w.g, w.c.From.id
	switch kind, i := g.kind(id); {
	case kind == nodeEnd:
		if mask := g.services.masks[fam.index()][i]; mask != g.first.unknown {
			count(g.knownAddrs(mask)[:1])
		}
	case kind == outsideEnd:
		count(g.samples()[i : i+1])
	case kind == replicaEnd, kind == staffedEnd && i%2 == 1:
		// Such a pod may not be there yet.
	default:
		count(g.knownAddrs(id))
	}
	return in, out
}

// knownAddrs returns the addresses of an endpoint of the cluster, as far as they
// are known.
func (f *facts) knownAddrs(id int32) []netip.Addr {
	switch kind, i := f.kind(id); kind {
	case podEnd, replicaEnd:
		return f.pod(id).Addrs
	case staffedEnd:
		var addrs []netip.Addr
		for _, p := range f.staffed[i/2].pods {
			addrs = append(addrs, f.pods[p].Addrs...)
		}
		return addrs
	case nodeEnd:
		return f.nodes[i].Addrs
	case atEnd:
		return []netip.Addr{f.at[i].addr}
	}
	return nil
}

// isFixed reports whether a host is a node of the input.
func (g *Graph) isFixed(host int32) bool { return host >= 0 && int(host) < len(g.nodes) }

// nodeOf returns the node that a pod of the cluster runs on, known or not, and
// a node itself.
func (g *Graph) nodeOf(id int32) int32 {
	id = g.owner(id)
	if id >= g.first.node {
		return id
	}
	if n, unknown := slices.BinarySearch(g.ownNodes, id); unknown {
		return g.first.ownNode + int32(n)
	}
	return g.first.node + g.ends[id].host
}
