package reach

import (
	"cmp"
	"iter"
	"slices"
	"strconv"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// This file holds what a query touches. What may fail or allocate while
// compiling is in compile.go.

// A Graph is a compiled cluster. It is immutable, and safe for concurrent use.
// Use the pointer that Compile returns, and do not copy what it points to: an
// Endpoint belongs to that pointer. The methods of the zero Graph panic.
type Graph struct {
	ends     []end   // by Endpoint.id
	profiles []int32 // where the steps of each begin, and where the last ones end
	steps    []step
	bits     []uint64

	ports []uint8 // the classes of ports that some profile tells apart; see port
	table []int32 // the row of each profile for each of them; nil if it would be too large
	width int32   // the number of them

	over *overlay // what With has changed; nil if Compile made the Graph

	*facts // what Explain, Lookup and String need; queries ask it only whether two ends on one host are the same
}

// An end is what a query needs to know of an endpoint.
//
// In the place of "no policy isolates it" stands a profile whose only row is
// all ones, so that queries have no case for it.
type end struct {
	class   [2]int32 // peer class over IPv4 and over IPv6; the same if it has but one of them
	egress  int32    // profile of its egress policies
	ingress int32    // profile of its ingress policies
	host    int32    // the node it is or runs on; no other end has that of an address
	flags   flags
}

type flags uint8

const (
	hasIPv4 flags = 1 << iota
	hasIPv6
	isNode    // a node, or a host-network pod that counts as its node
	isSplit   // its peer class over IPv4 is not that over IPv6
	ownNodeOK // its egress to its own node always passes
	isAt      // a pod or node as it is reached at one address

	hasBoth = hasIPv4 | hasIPv6
)

// A step says that from port key on the peers of row are allowed, until the
// next step. The first step of a profile is from key 0 on.
type step struct{ from, row int32 }

// key orders all ports: those of TCP, UDP and SCTP, then all protocols that
// have no ports.
func key(p policy.Port) int32 {
	switch p.Protocol {
	case policy.TCP:
		return int32(p.Number)
	case policy.UDP:
		return 1<<16 | int32(p.Number)
	case policy.SCTP:
		return 2<<16 | int32(p.Number)
	}
	return keyOther
}

const keyOther = 3 << 16

// row returns the row of a profile for the port with key k: a bit for each
// peer class.
func (g *Graph) row(profile, k int32) int32 { return g.rowAt(profile, g.port(k)) }

// port returns what rowAt takes for the port with key k: its class, if there is
// a table. The classes are in pages of 256 ports. The number of the page is where
// those of the first pages would be, which no port is on.
func (g *Graph) port(k int32) int32 {
	if g.table == nil {
		return k
	}
	return int32(g.ports[int32(g.ports[k>>8])<<8|k&255])
}

func (g *Graph) rowAt(profile, port int32) int32 {
	if g.table == nil {
		return g.stepAt(profile, port)
	}
	return g.table[profile*g.width+port]
}

// stepAt is row without the table.
func (g *Graph) stepAt(profile, k int32) int32 {
	steps := g.stepsOf(profile)
	i, found := slices.BinarySearchFunc(steps, k, func(s step, k int32) int { return cmp.Compare(s.from, k) })
	if !found {
		i--
	}
	return steps[i].row
}

func (g *Graph) bit(row, class int32) bool {
	return g.bits[row+class>>6]>>(uint(class)&63)&1 != 0
}

// egress returns the profile of the egress policies of an end, and ingress that
// of its ingress policies. One below 0 is of the overlay.
func (g *Graph) egress(id int32) int32 {
	if g.over != nil {
		return g.over.profile(id, policy.Egress)
	}
	return g.ends[id].egress
}

func (g *Graph) ingress(id int32) int32 {
	if g.over != nil {
		return g.over.profile(id, policy.Ingress)
	}
	return g.ends[id].ingress
}

// holds reports whether a profile allows the port with key k to an end over the
// family of index fam.
func (g *Graph) holds(profile, k, id int32, fam int) bool {
	if profile < 0 {
		return g.over.holds(g.over.row(^profile, k), id, fam)
	}
	return g.bit(g.row(profile, k), g.ends[id].class[fam])
}

// Allows reports whether the policies allow f. It does not allocate. Its time
// does not depend on the number of pods and policies, and grows with the
// logarithm of the number of port ranges in the policies of one end. For a Flow
// over any family it is enough that the policies allow one.
//
// Allows panics if an end of f is not an endpoint of g, if f.Port is not valid,
// or if there is no such Family.
func (g *Graph) Allows(f Flow) bool {
	if f.From.g != g || f.To.g != g || !f.Port.Valid() {
		panic(f.fault(g))
	}
	k := key(f.Port)
	from, to := &g.ends[f.From.id], &g.ends[f.To.id]
	if from.host == to.host || (from.flags|to.flags)&isSplit != 0 || f.Family != AnyFamily || g.over != nil {
		return g.allowsOver(f, k)
	}
	port := g.port(k)
	return from.flags&to.flags&hasBoth != 0 &&
		g.bit(g.rowAt(from.egress, port), to.class[0]) &&
		g.bit(g.rowAt(to.ingress, port), from.class[0])
}

// allowsOver answers the flows that Allows has no shortcut for: those over a
// given family, or whose ends are on one node or differ by family, and all of a
// Graph that With made.
func (g *Graph) allowsOver(f Flow, k int32) bool {
	from, to := &g.ends[f.From.id], &g.ends[f.To.id]
	for _, fam := range f.Family.each() {
		if commonFamilies(from, to)&fam.flag() == 0 {
			continue
		}
		if g.owner(f.From.id) == g.owner(f.To.id) ||
			(g.egressPasses(from, to) || g.holds(g.egress(f.From.id), k, f.To.id, fam.index())) &&
				(g.ingressPasses(from, to) || g.holds(g.ingress(f.To.id), k, f.From.id, fam.index())) {
			return true
		}
	}
	return false
}

// commonFamilies returns the families over which from can connect to to. A
// node reaches its pods over any that they have: what is known of its own
// addresses need not be all.
func commonFamilies(from, to *end) flags {
	if from.host == to.host && from.flags&(isNode|isAt) == isNode {
		return to.flags & hasBoth
	}
	return from.flags & to.flags & hasBoth
}

// egressPasses reports whether egress policies have no say.
func (g *Graph) egressPasses(from, to *end) bool {
	return from.host == to.host && from.flags&ownNodeOK != 0 && to.flags&isNode != 0
}

// ingressPasses reports whether ingress policies have no say: from is the node
// that to runs on.
func (g *Graph) ingressPasses(from, to *end) bool {
	return from.host == to.host && from.flags&isNode != 0
}

// Exempt reports whether policies have no say between two endpoints, over any
// family: they are one pod or node, or from is the node that to runs on or counts
// as it, or to is that of from and the Profile exempts it. It is false between
// addresses outside, which are many: whether one endpoint stands for them depends on
// the policies.
//
// Exempt panics if from or to is not an endpoint of g.
func (g *Graph) Exempt(from, to Endpoint) bool {
	from.mustBeOf(g)
	to.mustBeOf(g)
	a, b := &g.ends[from.id], &g.ends[to.id]
	return from.id < g.first.addr && g.owner(from.id) == g.owner(to.id) || g.egressPasses(a, b) || g.ingressPasses(a, b)
}

// Ports returns the ports on which from can reach to, over some family.
// It is PortsOver with AnyFamily.
func (g *Graph) Ports(from, to Endpoint) policy.PortSet { return g.PortsOver(AnyFamily, from, to) }

// PortsOver returns the ports on which from can reach to over a family.
// Its cost grows with the number of port ranges in the policies of both ends.
//
// PortsOver panics if from or to is not an endpoint of g, or if there is no
// such Family.
func (g *Graph) PortsOver(family Family, from, to Endpoint) policy.PortSet {
	from.mustBeOf(g)
	to.mustBeOf(g)
	var ranges []policy.PortRange
	a, b := &g.ends[from.id], &g.ends[to.id]
	for _, fam := range family.each() {
		if commonFamilies(a, b)&fam.flag() == 0 {
			continue
		}
		if g.owner(from.id) == g.owner(to.id) {
			return policy.NewPortSet(allPorts[:]...)
		}
		egress, ingress := g.egress(from.id), g.ingress(to.id)
		if g.egressPasses(a, b) {
			egress = unisolated
		}
		if g.ingressPasses(a, b) {
			ingress = unisolated
		}
		out, in := g.stepsOf(egress), g.stepsOf(ingress)
		for i, j := 0, 0; i < len(out) && j < len(in); {
			first := max(out[i].from, in[j].from)
			last := min(until(out, i), until(in, j))
			if g.holdsIn(egress, out[i].row, to.id, fam.index()) && g.holdsIn(ingress, in[j].row, from.id, fam.index()) {
				ranges = appendRanges(ranges, first, last)
			}
			if until(out, i) == last {
				i++
			}
			if until(in, j) == last {
				j++
			}
		}
		if (a.flags|b.flags)&isSplit == 0 && !g.over.hasMoved(from.id) && !g.over.hasMoved(to.id) {
			break // the other family says the same
		}
	}
	return policy.NewPortSet(ranges...)
}

func (g *Graph) stepsOf(p int32) []step {
	if p < 0 {
		return g.over.steps[^p]
	}
	return g.steps[g.profiles[p]:g.profiles[p+1]]
}

// holdsIn is holds for a row of a profile.
func (g *Graph) holdsIn(profile, row, id int32, fam int) bool {
	if profile < 0 {
		return g.over.holds(row, id, fam)
	}
	return g.bit(row, g.ends[id].class[fam])
}

// until returns the last key of steps[i].
func until(steps []step, i int) int32 {
	if i+1 < len(steps) {
		return steps[i+1].from - 1
	}
	return keyOther
}

var allPorts = [...]policy.PortRange{
	{Protocol: policy.TCP, First: 1, Last: 65535},
	{Protocol: policy.UDP, First: 1, Last: 65535},
	{Protocol: policy.SCTP, First: 1, Last: 65535},
	{},
}

// appendRanges appends the ports with keys from first to last.
func appendRanges(ranges []policy.PortRange, first, last int32) []policy.PortRange {
	for i, whole := range allPorts[:3] {
		lo, hi := max(first-int32(i)<<16, 1), min(last-int32(i)<<16, 65535)
		if lo <= hi {
			ranges = append(ranges, policy.PortRange{Protocol: whole.Protocol, First: uint16(lo), Last: uint16(hi)})
		}
	}
	if last == keyOther {
		ranges = append(ranges, policy.PortRange{})
	}
	return ranges
}

// An Edge is an ordered pair of endpoints and the ports open from the first to
// the second.
type Edge struct {
	From, To Endpoint
	Ports    policy.PortSet
}

// Edges returns the ordered pairs of distinct endpoints, at least one of them
// a pod, of which the first can reach the second on some port, in the order of
// Pods, then Nodes, then Outside. That a workload reaches another pod of its
// own is the pair of the workload and its replica.
//
// Its cost grows with that of ClassEdges, and with the number of edges.
func (g *Graph) Edges() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		r := g.relation()
		w := r.newWalker(newPortSets())
		near := make(map[int32][]int32) // what is a node of, or on, each endpoint
		for from, to := range r.neighbors(g) {
			near[from] = append(near[from], to)
		}
		all := append(append(g.Pods(), g.Nodes()...), g.Outside()...)
		place := make([]int32, len(g.ends)) // in all
		for i, e := range all {
			place[e.id] = int32(i)
		}
		var found []Edge // of one class
		class := int32(-1)
		for _, from := range all {
			if c := r.of[from.id]; c != class {
				class, found = c, found[:0]
				for _, x := range w.from(c, families[:]) {
					for _, id := range r.classes[x.class].members {
						found = append(found, Edge{To: Endpoint{g, id}, Ports: w.sets[x.ports]})
					}
				}
				slices.SortFunc(found, func(a, b Edge) int { return cmp.Compare(place[a.To.id], place[b.To.id]) })
			}
			if !g.yieldEdges(from, found, near[from.id], place, yield) {
				return
			}
		}
	}
}

// yieldEdges yields the edges from an endpoint: those of its class, but to the
// endpoints near it, with which it shares a node, its own.
func (g *Graph) yieldEdges(from Endpoint, ofClass []Edge, near, place []int32, yield func(Edge) bool) bool {
	slices.SortFunc(near, func(a, b int32) int { return cmp.Compare(place[a], place[b]) })
	for _, e := range ofClass {
		for len(near) > 0 && place[near[0]] < place[e.To.id] {
			if !g.yieldEdge(from, near[0], yield) {
				return false
			}
			near = near[1:]
		}
		if len(near) > 0 && near[0] == e.To.id {
			continue // comes next
		}
		if e.From = from; e.To == from {
			var ok bool
			if e.To, ok = g.replica(from); !ok {
				continue
			}
		}
		if !yield(e) {
			return false
		}
	}
	for _, to := range near {
		if !g.yieldEdge(from, to, yield) {
			return false
		}
	}
	return true
}

func (g *Graph) yieldEdge(from Endpoint, to int32, yield func(Edge) bool) bool {
	e := Edge{from, Endpoint{g, to}, g.Ports(from, Endpoint{g, to})}
	return e.Ports.IsEmpty() || yield(e)
}

// Cluster returns the objects that g answers for. They must not change, as With
// reads them.
func (g *Graph) Cluster() *policy.Cluster { return g.cluster }

// Profile returns the choices by which g answers.
func (g *Graph) Profile() Profile { return g.profile }

// Warnings returns what is legal but suspicious in the cluster, sorted by
// place. The caller may change the slice.
func (g *Graph) Warnings() []policy.Warning {
	return append([]policy.Warning(nil), g.warnings()...)
}

// An Endpoint is an end of a flow: a pod, a node, or a class of addresses
// outside the cluster. Endpoints are comparable. They mean something only to
// the Graph that returned them; the zero Endpoint means nothing to any.
type Endpoint struct {
	g  *Graph
	id int32
}

func (e Endpoint) mustBeOf(g *Graph) {
	if e.g != g {
		panic("reach: " + e.describe() + " is not an endpoint of this Graph")
	}
}

func (e Endpoint) describe() string {
	if e.g == nil {
		return "the zero Endpoint"
	}
	return e.String()
}

// GoString returns String, to keep the logs of property tests readable.
func (e Endpoint) GoString() string { return e.String() }

// Addrs returns the addresses of e: those of a pod or a node as far as they
// are known, and for an endpoint outside the cluster those that it stands for.
func (e Endpoint) Addrs() cidr.Set {
	if e.g == nil {
		return cidr.Set{}
	}
	return e.g.addrsOf(e.id)
}

// Name returns the namespace and name of a pod or workload, and the name of a
// node. It is zero for a node of which no name is known and outside the cluster.
func (e Endpoint) Name() types.NamespacedName {
	if e.g == nil {
		return types.NamespacedName{}
	}
	return e.g.objectName(e.id)
}

// String returns a text that [Graph.Lookup] understands for a pod or a node,
// and for an endpoint outside the cluster the addresses that no policy tells
// apart from its own, be they of the cluster or not.
func (e Endpoint) String() string {
	if e.g == nil {
		return "no endpoint"
	}
	return e.g.nameOf(e.id)
}

// A Flow is one connection attempt. Flows are comparable.
type Flow struct {
	From, To Endpoint
	Port     policy.Port // of To
	Family   Family      // the zero Family is any
}

// String returns the flow in one line: "shop/web -> shop/db 5432/TCP".
func (f Flow) String() string {
	s := f.From.String() + " -> " + f.To.String() + " " + f.Port.String()
	if f.Family != AnyFamily {
		s += " over " + f.Family.String()
	}
	return s
}

// fault tells what is wrong with a flow that Allows refuses.
func (f Flow) fault(g *Graph) string {
	f.From.mustBeOf(g)
	f.To.mustBeOf(g)
	return "reach: " + f.Port.String() + " is not a valid port"
}

// A Family is an address family.
type Family uint8

// The address families. A Flow over AnyFamily may go over either.
const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

// String returns "any family", "IPv4" or "IPv6".
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return "any family"
}

var families = [...]Family{IPv4, IPv6}

// each returns the single families of f.
func (f Family) each() []Family {
	switch f {
	case AnyFamily:
		return families[:]
	case IPv4:
		return families[:1]
	case IPv6:
		return families[1:]
	}
	panic("reach: unknown Family " + strconv.Itoa(int(f)))
}

func (f Family) index() int  { return int(f - IPv4) }
func (f Family) flag() flags { return hasIPv4 << f.index() }
