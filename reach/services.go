package reach

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// services are the Services as questions see them, by namespace and name.
type services struct {
	list       []service
	clusterIPs map[netip.Addr]int32 // the Service that has each; the first if several claim it
	doors      map[netip.Addr][]doorRef
	nodePorts  map[policy.Port][]doorRef

	nodes  nodeGroups
	masks  [2][]int32 // the endpoint that each node shows when it hides a client
	closed bool       // every node is in the input, as far as that can be known
	routes []*policy.IngressObject

	onHost   map[netip.Addr]bool // of pods on the network of a node
	families flags               // of the known addresses of pods and nodes
	cidrs    cidr.Set            // the addresses that Services have, as far as it is known
}

type service struct {
	*policy.Service
	ports    []backendList // of each of Ports
	backends backendList   // the ready ones whatever the port, which DNS names
	isDNS    bool
	aliased  types.NamespacedName // the Service that the alias means, which DNS follows by its full name only
	picked   []int32              // the pods that its selector picks
	noPods   bool                 // it has no selector, or that picks no pod at all
}

// A backendList is the backends of a Service port. Ports that lead to the same
// pods share them, so that nothing is kept for each port and pod.
type backendList struct {
	pods   []backend   // that the selector picks, ascending
	port   policy.Port // of pods; zero if each has its own, or the client chooses
	listed []backend   // others, of EndpointSlices
}

// all yields the backends, first the pods.
func (l *backendList) all() iter.Seq[*backend] {
	return func(yield func(*backend) bool) {
		for _, list := range [...][]backend{l.pods, l.listed} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

func (l *backendList) isEmpty() bool { return len(l.pods)+len(l.listed) == 0 }

// portOf returns the port of a backend, or zero if the client chooses.
func (l *backendList) portOf(b *backend) policy.Port {
	if b.port != (policy.Port{}) {
		return b.port
	}
	return l.port
}

// A backend is a usable backend of a Service port.
type backend struct {
	end   int32       // -1 if several endpoints have its address
	addr  netip.Addr  // of an endpoint that an EndpointSlice lists
	port  policy.Port // zero if the list tells it; see backendList.portOf
	fams  flags
	host  int32 // the host that it is local to; -1 for none
	orPod bool  // end is a node, and pods on its network have its address, too
	ready bool  // otherwise it is terminating but still serves
}

// A doorRef is a door of a Service port, or of all its ports if port is -1.
type doorRef struct {
	kind    DoorKind
	service int32
	port    int32
	index   int32 // of the address in its list
}

// nodeGroups are the nodes that can receive a connection, by family.
type nodeGroups struct {
	groups [2][]nodeGroup
	of     [2][]int32 // by host
}

// A nodeGroup is nodes that no policy tells apart when they hide a client.
type nodeGroup struct {
	count   int32    // how many there are
	members [2]int32 // hosts: the first two
}

func (g *Graph) findServices(m *policy.Model, labels []map[string]string) *services {
	s := &services{
		list:       make([]service, len(m.Services)),
		clusterIPs: make(map[netip.Addr]int32),
		doors:      make(map[netip.Addr][]doorRef),
		nodePorts:  make(map[policy.Port][]doorRef),
		closed:     slices.ContainsFunc(m.Nodes, func(n policy.Node) bool { return !n.Mentioned }),
		routes:     m.Ingresses,
		cidrs:      m.ServiceCIDRs,
	}
	s.noteAddrs(m.Pods, m.Nodes)
	picked := g.pickBackends(m, labels)
	for i := range s.list {
		s.list[i] = newService(m.Services[i])
		s.addDoors(int32(i))
	}
	for i := range s.list {
		svc := &s.list[i]
		g.addPods(svc, picked[i])
		g.addEndpoints(s, svc)
	}
	if len(s.list) > 0 {
		g.groupNodes(s)
	}
	return s
}

// noteAddrs notes what addresses there are.
func (s *services) noteAddrs(pods []policy.Pod, nodes []policy.Node) {
	s.onHost, s.families = make(map[netip.Addr]bool), 0
	for i := range pods {
		p := &pods[i]
		if p.Terminated {
			continue
		}
		for _, a := range p.Addrs {
			s.families |= familyOf(a).flag()
			if p.HostNetwork {
				s.onHost[a] = true
			}
		}
	}
	for _, n := range nodes {
		for _, a := range n.Addrs {
			s.families |= familyOf(a).flag()
		}
	}
}

// newService returns a Service without backends.
func newService(s *policy.Service) service {
	svc := service{Service: s, ports: make([]backendList, len(s.Ports))}
	if name, ok := serviceOfDNS(s.Alias); ok && strings.HasSuffix(s.Alias, ".cluster.local") {
		svc.aliased = name
	}
	svc.isDNS = isDNS(s.Labels) || s.Name.Namespace == "kube-system" && s.Name.Name == "kube-dns"
	s.Labels = nil // they are those of the API object
	return svc
}

// pickBackends returns the pods that the selector of each Service picks, by the
// sets of labels.
func (g *Graph) pickBackends(m *policy.Model, labels []map[string]string) [][]int32 {
	picked := make([][]int32, len(m.Services))
	var selectors []selector.Selector
	var of []int
	for i, s := range m.Services {
		if s.HasSelector {
			selectors, of = append(selectors, s.Selector), append(of, i)
		}
	}
	if len(selectors) == 0 {
		return picked
	}
	// Pods of one namespace and class are picked alike.
	classes := selector.NewPartition(selectors, labels)
	type key struct {
		namespace string
		class     selector.Class
	}
	pods := make(map[key][]int32)
	perNamespace := make(map[string][]selector.Class)
	for i := range g.pods {
		k := key{g.pods[i].Name.Namespace, classes.Class(int(g.labels.of[i]))}
		if pods[k] == nil {
			perNamespace[k.namespace] = append(perNamespace[k.namespace], k.class)
		}
		pods[k] = append(pods[k], int32(i))
	}
	for n, i := range of {
		namespace := m.Services[i].Name.Namespace
		for _, c := range perNamespace[namespace] {
			if classes.In(c, n) {
				picked[i] = append(picked[i], pods[key{namespace, c}]...)
			}
		}
		slices.Sort(picked[i])
	}
	return picked
}

// A portName is the name of a port, which tells it together with the protocol.
type portName struct {
	name     string
	protocol policy.Protocol
}

// addPods adds the backends among the pods that the selector picks. Other than
// for policies, the first of the containers that declares a name counts.
func (g *Graph) addPods(s *service, pods []int32) {
	s.picked, s.noPods = pods, len(pods) == 0
	named := make(map[portName][]backend) // what the ports of that name lead to
	numbered := false
	for _, sp := range s.Ports {
		if sp.TargetName == "" {
			numbered = true
		} else {
			named[portName{sp.TargetName, sp.Port.Protocol}] = nil
		}
	}
	var all []backend
	for _, id := range pods {
		p := &g.pods[id]
		if p.Terminated || p.Pending && len(p.Addrs) == 0 {
			continue
		}
		b := backend{end: id, fams: g.ends[id].flags & hasBoth, host: g.ends[id].host}
		b.ready = s.PublishNotReady || p.Ready && !p.Terminating
		if !b.ready && !p.Ready {
			continue
		}
		if b.ready {
			s.backends.pods = append(s.backends.pods, b)
		}
		if numbered {
			all = append(all, b)
		}
		if len(named) == 0 {
			continue
		}
		for _, cp := range p.Ports {
			k := portName{cp.Name, cp.Port.Protocol}
			list, ok := named[k]
			if !ok || cp.By == policy.InitContainer || len(list) > 0 && list[len(list)-1].end == id {
				continue
			}
			b.port = cp.Port
			named[k] = append(list, b)
		}
	}
	for i, sp := range s.Ports {
		if sp.TargetName == "" {
			s.ports[i] = backendList{pods: all, port: sp.Port.Protocol.Port(sp.Target)}
		} else {
			s.ports[i] = backendList{pods: named[portName{sp.TargetName, sp.Port.Protocol}]}
		}
	}
}

// addEndpoints adds the backends that EndpointSlices list, unless they are there
// already.
func (g *Graph) addEndpoints(all *services, s *service) {
	if len(s.Endpoints) == 0 {
		return
	}
	type key struct {
		list int // of the ports, or -1
		end  int32
		addr netip.Addr
		port policy.Port
		fams flags
	}
	seen := make(map[key]bool)
	add := func(list int, to *backendList, b backend) {
		k := key{list, b.end, b.addr, b.port, b.fams}
		if 0 <= b.end && b.end < g.first.addr {
			k.addr = netip.Addr{} // the end and the family tell it
		}
		if !seen[k] && !to.hasPod(&b) {
			seen[k] = true
			to.listed = append(to.listed, b)
		}
	}
	named := make(map[portName][]int)
	for i, sp := range s.Ports {
		name := portName{sp.Name, sp.Port.Protocol}
		named[name] = append(named[name], i)
	}
	for _, e := range s.Endpoints {
		b := backend{addr: e.Addr, port: e.Port, fams: familyOf(e.Addr).flag(), host: -1, ready: e.Ready}
		if !e.Ready && !(e.Serving && e.Terminating) {
			continue
		}
		b.end = g.backendAt(all, e.Addr)
		if _, isNodes := g.nodeAt(e.Addr); isNodes {
			b.orPod = all.onHost[e.Addr]
		}
		if e.Node != "" {
			if id, ok := g.node(e.Node); ok {
				b.host = id - g.first.node
			}
		}
		for _, i := range named[portName{e.PortName, e.Port.Protocol}] {
			add(i, &s.ports[i], b)
		}
		b.port = policy.Port{}
		if b.ready {
			add(-1, &s.backends, b)
		}
	}
}

// hasPod reports whether b is one of the pods, over its family and at its port.
func (l *backendList) hasPod(b *backend) bool {
	i, ok := slices.BinarySearchFunc(l.pods, b.end, func(pod backend, end int32) int { return cmp.Compare(pod.end, end) })
	return ok && l.pods[i].fams&b.fams != 0 && l.portOf(&l.pods[i]) == b.port
}

// backendAt returns the endpoint that a list of endpoints means by address a, or
// -1 if that is not known: if several have it, or if it is an address of Services.
func (g *Graph) backendAt(svc *services, a netip.Addr) int32 {
	if svc.isVirtual(a) {
		return -1
	}
	return g.at1(a)
}

// isVirtual reports whether a is, or is for, an address of a Service itself.
func (s *services) isVirtual(a netip.Addr) bool {
	_, taken := s.clusterIPs[a]
	return taken || s.cidrs.Contains(a)
}

// at1 returns the endpoint that has address a, or -1 if several have.
func (g *Graph) at1(a netip.Addr) int32 {
	switch ids := g.owners()[a]; len(ids) {
	case 0:
		return g.first.addr + g.outsideIndex(a)
	case 1:
		if id := g.owner(ids[0]); id < g.first.node {
			return id // the family says which address it is
		}
		return ids[0]
	}
	return -1
}

// addDoors enters the doors of a Service where questions by address find them.
func (s *services) addDoors(i int32) {
	svc := &s.list[i]
	for n, a := range svc.ClusterIPs {
		if _, ok := s.clusterIPs[a]; !ok {
			s.clusterIPs[a] = i
		}
		s.doors[a] = append(s.doors[a], doorRef{ClusterIP, i, -1, int32(n)})
	}
	for n, b := range svc.Balancers {
		if b.Addr.IsValid() {
			s.doors[b.Addr] = append(s.doors[b.Addr], doorRef{LoadBalancer, i, -1, int32(n)})
		}
	}
	if svc.Kind != policy.Headless && svc.Kind != policy.ExternalName {
		for n, a := range svc.ExternalIPs {
			s.doors[a] = append(s.doors[a], doorRef{ExternalIP, i, -1, int32(n)})
		}
	}
	for n, sp := range svc.Ports {
		if sp.NodePort != 0 {
			p := sp.Port.Protocol.Port(sp.NodePort)
			s.nodePorts[p] = append(s.nodePorts[p], doorRef{NodePort, i, int32(n), 0})
		}
	}
}

// exposed reports whether a Service has a door that leads outside.
func (s *service) exposed() bool {
	return s.Kind == policy.NodePort || s.Kind == policy.LoadBalancer ||
		len(s.ExternalIPs) > 0 && s.Kind != policy.Headless && s.Kind != policy.ExternalName
}

// families returns the families of the Service, or none if they are not known.
func (s *service) families() flags {
	var known flags
	for f, fam := range families {
		if s.Families[f] {
			known |= fam.flag()
		}
	}
	return known
}

// restricts reports whether source ranges keep out any client of a family.
func (s *service) restricts(family int) bool {
	return s.HasRanges[family] && !s.SourceRanges[family].Equal(everything[family])
}

// portIndex returns the index of a port of the Service, or -1.
func (s *service) portIndex(p policy.Port) int32 {
	for i := range s.Ports {
		if s.Ports[i].Port == p {
			return int32(i)
		}
	}
	return -1
}

// groupNodes finds how nodes look when they hide a client.
func (g *Graph) groupNodes(s *services) {
	for f, fam := range families {
		s.masks[f] = make([]int32, len(g.nodes))
		s.nodes.of[f] = make([]int32, len(g.nodes))
		groups := make(map[[2]int32]int)
		for i := range g.nodes {
			host := int32(i)
			mask := g.first.unknown
			known := int32(0)
			for _, a := range g.nodes[i].Addrs {
				if familyOf(a) == fam {
					mask, known = g.atAddr(g.first.node+host, a), 1
					break
				}
			}
			s.masks[f][i] = mask
			key := [2]int32{g.ends[mask].class[f], known}
			n, ok := groups[key]
			if !ok {
				n = len(s.nodes.groups[f])
				groups[key] = n
				s.nodes.groups[f] = append(s.nodes.groups[f], nodeGroup{members: [2]int32{host, -1}})
			}
			s.nodes.of[f][i] = int32(n)
			ng := &s.nodes.groups[f][n]
			if ng.count == 1 {
				ng.members[1] = host
			}
			ng.count++
		}
	}
}

// atAddr returns the endpoint that node id is at one of its addresses.
func (g *Graph) atAddr(id int32, a netip.Addr) int32 {
	for _, e := range g.owners()[a] {
		if g.owner(e) == id {
			return e
		}
	}
	return id
}

// serviceName returns the text of the i'th Service.
func (g *Graph) serviceName(i int32) string {
	return "svc:" + g.services.list[i].Name.String()
}

// findService returns the index of a Service.
func (s *services) find(name types.NamespacedName) (int32, bool) {
	i, ok := slices.BinarySearchFunc(s.list, name, func(svc service, name types.NamespacedName) int {
		return cmp.Or(cmp.Compare(svc.Name.Namespace, name.Namespace), cmp.Compare(svc.Name.Name, name.Name))
	})
	return int32(i), ok
}

// admit returns an error for each Service that the cluster would not admit.
func (p Profile) admit(list []*policy.Service) error {
	if !p.DenyServiceExternalIPs {
		return nil
	}
	var errs []*policy.Error
	for _, s := range list {
		if len(s.ExternalIPs) > 0 {
			errs = append(errs, &policy.Error{
				Place: s.Place("spec.externalIPs"),
				Type:  field.ErrorTypeForbidden,
				Err:   fmt.Errorf("%v: the cluster admits no Service with external IPs (DenyServiceExternalIPs)", s.ExternalIPs),
			})
		}
	}
	slices.SortStableFunc(errs, func(a, b *policy.Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	var joined []error
	for _, e := range errs {
		joined = append(joined, e)
	}
	return errors.Join(joined...)
}

// serviceWarnings returns what is suspicious about Services together with pods,
// nodes and policies.
func (g *Graph) serviceWarnings(m *policy.Model) []policy.Warning {
	var list []policy.Warning
	warn := func(s *service, code, field, format string, args ...any) {
		list = append(list, policy.Warning{Place: s.Place(field), Code: code, Text: fmt.Sprintf(format, args...)})
	}
	type claim struct {
		addr netip.Addr
		port policy.Port
	}
	claimed := make(map[claim]int32)
	traps := trap{g, make(map[trapKey]bool)}
	for i := range g.services.list {
		s := &g.services.list[i]
		claims := func(addr netip.Addr, port policy.Port, field string, args ...any) {
			c := claim{addr, port}
			if first, ok := claimed[c]; !ok {
				claimed[c] = int32(i)
			} else if first != int32(i) {
				at := "every node"
				if addr.IsValid() {
					at = addr.String()
				}
				warn(s, "claimed-twice", fmt.Sprintf(field, args...), "%s claims %s at %s, too", g.serviceName(first), port, at)
			}
		}
		for n, sp := range s.Ports {
			if sp.NodePort != 0 {
				claims(netip.Addr{}, sp.Port.Protocol.Port(sp.NodePort), "spec.ports[%d].nodePort", n)
			}
			for j, a := range s.ClusterIPs {
				claims(a, sp.Port, "spec.clusterIPs[%d]", j)
			}
			for j, a := range s.ExternalIPs {
				claims(a, sp.Port, "spec.externalIPs[%d]", j)
			}
			for j, b := range s.Balancers {
				if b.Addr.IsValid() {
					claims(b.Addr, sp.Port, "status.loadBalancer.ingress[%d]", j)
				}
			}
		}
		for j, a := range s.ExternalIPs {
			if use := g.useOf(m, int32(i), a); use != "" {
				warn(s, "external-ip-in-use", fmt.Sprintf("spec.externalIPs[%d]", j), "%s %s: connections to it on the ports of this Service may end here or there", a, use)
			}
		}
		if backend, port, ok := traps.of(s); ok {
			warn(s, "own-node-opens", "spec.externalTrafficPolicy",
				"clients outside that the policies of %s keep out reach it on %s all the same, by way of its own node, which hides them", backend, port)
		}
	}
	return list
}

// useOf tells who else uses an external IP of a Service, or "".
func (g *Graph) useOf(m *policy.Model, service int32, a netip.Addr) string {
	if ids := g.owners()[a]; len(ids) > 0 {
		return "is the address of " + g.fullName(g.owner(ids[0]))
	}
	for _, ref := range g.services.doors[a] {
		if ref.service != service {
			return "is an address of " + g.serviceName(ref.service)
		}
	}
	switch {
	case m.ServiceCIDRs.Contains(a):
		return "is in the range of the Services"
	case m.PodCIDRs.Contains(a):
		return "is in the range of the pods"
	}
	return ""
}

// A trap finds the backends that clients outside reach only because the node
// that hides them is the backend's own.
type trap struct {
	g      *Graph
	closed map[trapKey]bool // whether a row keeps out some class of addresses
}

type trapKey struct {
	row      int32
	families flags
}

// of returns the first backend of s that is in the trap, and its port.
func (t *trap) of(s *service) (Endpoint, policy.Port, bool) {
	g := t.g
	hides := !s.ExternalLocal
	switch g.profile.ServiceSNAT {
	case SNATNever:
		hides = false
	case SNATAlways:
		hides = true
	}
	if !hides || !s.exposed() {
		return Endpoint{}, policy.Port{}, false
	}
	pods := make(map[*backend][]*backend) // the heads of lists that ports share
	for port := range s.ports {
		list := &s.ports[port]
		var heads []*backend
		if len(list.pods) > 0 {
			var ok bool
			if heads, ok = pods[&list.pods[0]]; !ok {
				heads = g.heads(s, list.pods)
				pods[&list.pods[0]] = heads
			}
		}
		for _, b := range slices.Concat(heads, g.heads(s, list.listed)) {
			k := trapKey{g.row(g.ends[b.end].ingress, key(list.portOf(b))), b.fams}
			if known := s.families(); known != 0 {
				k.families &= known
			}
			closed := false
			if s.HasNodePort(port) {
				closed = t.isClosed(k)
			} else {
				closed = g.keepsOut(k, func(client int32) bool { return g.comesIn(s, b, client) })
			}
			if closed {
				return Endpoint{g, b.end}, list.portOf(b), true
			}
		}
	}
	return Endpoint{}, policy.Port{}, false
}

// heads returns those pods among backends of s that no other before is like: with
// the same policies and families, and on no node at whose address s has a door
// unless it is the same node.
func (g *Graph) heads(s *service, list []backend) []*backend {
	type alike struct {
		ingress, host int32
		fams          flags
	}
	if len(list) == 0 {
		return nil
	}
	var doors []int32
	addDoor := func(a netip.Addr) {
		if node, isNodes := g.nodeAt(a); isNodes {
			doors = append(doors, g.ends[node].host)
		}
	}
	for _, a := range s.ExternalIPs {
		addDoor(a)
	}
	for _, b := range s.Balancers {
		addDoor(b.Addr)
	}
	slices.Sort(doors)
	var heads []*backend
	seen := make(map[alike]bool)
	for i := range list {
		b := &list[i]
		if b.end < 0 || b.end >= g.first.node || g.ends[b.end].flags&isNode != 0 {
			continue
		}
		k := alike{g.ends[b.end].ingress, -1, b.fams}
		if _, isDoor := slices.BinarySearch(doors, g.ends[b.end].host); isDoor {
			k.host = g.ends[b.end].host
		}
		if !seen[k] {
			seen[k] = true
			heads = append(heads, b)
		}
	}
	return heads
}

func (t *trap) isClosed(k trapKey) bool {
	closed, ok := t.closed[k]
	if !ok {
		closed = t.g.keepsOut(k, func(int32) bool { return true })
		t.closed[k] = closed
	}
	return closed
}

// keepsOut reports whether a row holds not all of those endpoints outside, of
// the families, that come.
func (g *Graph) keepsOut(k trapKey, comes func(client int32) bool) bool {
	for id := g.first.addr; id < int32(len(g.ends)); id++ {
		if e := &g.ends[id]; e.flags&k.families != 0 && !g.bit(k.row, e.class[0]) && comes(id) {
			return true
		}
	}
	return false
}

// comesIn reports whether an endpoint outside comes by way of the node of a
// backend through some door of s that has an address.
func (g *Graph) comesIn(s *service, b *backend, client int32) bool {
	passes := func(a netip.Addr) bool {
		node, isNodes := g.nodeAt(a)
		return !isNodes || g.ends[node].host == g.ends[b.end].host
	}
	if slices.ContainsFunc(s.ExternalIPs, passes) {
		return true
	}
	direct := len(s.Balancers) == 0 && s.Kind == policy.LoadBalancer ||
		slices.ContainsFunc(s.Balancers, func(b policy.Balancer) bool { return !b.Proxied && passes(b.Addr) })
	a := g.samples()[client-g.first.addr]
	if !direct || !a.IsValid() {
		return false
	}
	f := familyOf(a).index()
	return !s.HasRanges[f] || s.SourceRanges[f].Contains(a)
}
