package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// A Connection is what a client tries: to connect to a Target. Through Services
// it becomes flows. Connections are comparable.
type Connection struct {
	From   Endpoint
	To     Target
	Port   policy.Port // as the client names it: of the Service, the node, the pod
	Family Family      // the zero Family is any

	// Balancer is the address from which a load balancer that proxies connects
	// to the cluster. The zero Addr says that it is not known.
	Balancer netip.Addr
}

// String returns the connection in one line: "shop/web -> svc:shop/db 5432/TCP".
func (c Connection) String() string {
	s := c.From.String() + " -> " + c.To.String() + " " + c.Port.String()
	if c.Family != AnyFamily {
		s += " over " + c.Family.String()
	}
	return s
}

// An Outcome sums up the paths of a connection.
type Outcome string

// The outcomes. The policies decide the first three; in all others no path to a
// backend is known that they could decide.
const (
	All  Outcome = "all"  // every path is allowed
	Some Outcome = "some" // some path is allowed
	None Outcome = "none" // every path is denied

	Unknown             Outcome = "unknown"               // the input lacks what the answer depends on
	OutsideSourceRanges Outcome = "outside-source-ranges" // loadBalancerSourceRanges do not hold the client
	NoLocalEndpoints    Outcome = "no-local-endpoints"    // a traffic policy is Local and no backend is
	NoEndpoints         Outcome = "no-endpoints"          // the Service has no usable backend
	NoFamily            Outcome = "no-common-family"      // no address family that both sides have
	Gone                Outcome = "terminated"            // an end is a pod that has left the network
	NoServicePort       Outcome = "no-such-port"          // the Service does not list the port
	NotExposed          Outcome = "not-exposed"           // the client is outside, and no door of the Service leads there
)

// Reachable reports whether o is All or Some.
func (o Outcome) Reachable() bool { return o == All || o == Some }

// A Trace is the answer to a Connection, with its paths.
// The zero Trace answers nothing. The slices belong to the caller.
type Trace struct {
	Connection Connection
	Outcome    Outcome
	Paths      []Path
	DependsOn  []string // the fields of [Profile] of which another value alone turns Outcome; never NotEnforced or ServiceAddressPoliced
}

// A Path is one way that a connection can take: to one backend over one family,
// or to where it ends before.
//
// The policies of the client see it connect to Egress.To, those of the backend
// see a connection from Ingress.From. Without a Service between them, both are
// the connection itself.
type Path struct {
	Door    Door     // how it enters; the zero Door if no Service is involved
	Node    Endpoint // the node that translates, where that matters; or the zero Endpoint
	Nodes   int      // how many nodes Node stands for, which no policy tells apart
	Family  Family   // AnyFamily if it is the same over both, or there is no Service
	Egress  Flow
	Ingress Flow
	Addr    netip.Addr // of a backend outside the cluster, where one has been named; Ingress.To stands for all like it

	// Stop is empty if the policies decided, and then Verdict is their answer:
	// Verdict.Egress to the flow Egress, and Verdict.Ingress to the flow Ingress,
	// which is also Verdict.Flow. Otherwise Stop tells why the path ends: any
	// Outcome but All, Some and None.
	Stop    Outcome
	Missing string // what the input lacks, if Stop is Unknown
	Verdict Verdict
}

// A Door is a way into a Service.
type Door struct {
	Kind    DoorKind
	Service types.NamespacedName
	Addr    netip.Addr  // zero if it is not known, or that of any node
	Port    policy.Port // as the client names it; the Number is 0 if it is not assigned yet
	Proxied bool        // the balancer connects to the cluster by itself: ipMode Proxy, or known by host name only
}

// A DoorKind is a kind of door.
type DoorKind string

// The kinds of doors.
const (
	ClusterIP    DoorKind = "ClusterIP"
	NodePort     DoorKind = "NodePort"
	LoadBalancer DoorKind = "LoadBalancer"
	ExternalIP   DoorKind = "ExternalIP"
	Headless     DoorKind = "Headless"     // the DNS names the backends
	ExternalName DoorKind = "ExternalName" // the DNS names another name
)

// Reaches returns the outcome of c. Its time grows with the number of backends;
// for a client outside the cluster, with that of nodes that policies tell apart,
// too. It allocates only where the input lacks something, backends are
// terminating, or c.To is a workload that has pods of its own or one of several
// addresses of a node or pod.
//
// Reaches panics if an end of c is not of g, or where [Graph.Allows] does.
func (g *Graph) Reaches(c Connection) Outcome {
	c.mustBeOf(g)
	w := g.newWalk(&g.profile, c, nil)
	w.target()
	return w.sum.outcome()
}

// Trace is like Reaches but tells every path and why.
// For every c, g.Trace(c).Outcome equals g.Reaches(c).
func (g *Graph) Trace(c Connection) Trace {
	c.mustBeOf(g)
	return g.trace(c, func(p *Profile, yield func(hop)) { g.walk(p, c, yield) })
}

// trace judges the hops that walk finds under a profile.
func (g *Graph) trace(c Connection, walk func(*Profile, func(hop))) Trace {
	t := Trace{Connection: c}
	var sum tally
	var open []int // the paths that are there in one world only
	var of []int32 // the Service of each
	walk(&g.profile, func(h hop) {
		path, result := g.path(&h)
		sum.add(&h, result)
		if h.worlds != hasBoth && result != Unknown && result != NoFamily {
			open, of = append(open, len(t.Paths)), append(of, h.service)
		}
		t.Paths = append(t.Paths, path)
	})
	t.Outcome = sum.outcome()
	if sum.differs() {
		for n, i := range open {
			t.Paths[i].Stop, t.Paths[i].Missing = Unknown, g.familyOfService(of[n])
		}
	}
	t.Paths = slices.CompactFunc(t.Paths, func(a, b Path) bool {
		a.Family, a.Egress.Family, a.Ingress.Family = b.Family, b.Egress.Family, b.Ingress.Family
		return a.Stop != "" && a.Verdict.Reason == "" && b.Verdict.Reason == "" && a.same(b)
	})
	if g.profile.NotEnforced {
		return t
	}
	for _, alt := range g.profile.serviceAlternatives() {
		if slices.Contains(t.DependsOn, alt.field) {
			continue
		}
		var sum tally
		walk(&alt.profile, func(h hop) {
			_, result := g.judgeHop(&alt.profile, &h, false)
			sum.add(&h, result)
		})
		if sum.outcome() != t.Outcome {
			t.DependsOn = append(t.DependsOn, alt.field)
		}
	}
	return t
}

// same reports whether two paths end in the same way at the same door.
func (p Path) same(o Path) bool {
	return p.Door == o.Door && p.Node == o.Node && p.Nodes == o.Nodes &&
		p.Egress == o.Egress && p.Ingress == o.Ingress && p.Stop == o.Stop && p.Missing == o.Missing
}

// serviceAlternatives returns alternatives, and those that concern Services.
func (p Profile) serviceAlternatives() []alternative {
	list := p.alternatives()
	change := func(field string, set func(*Profile)) {
		alt := p
		if set(&alt); alt != p {
			list = append(list, alternative{field, alt})
		}
	}
	for _, h := range [...]Hairpin{HairpinAllowed, HairpinMasqueraded, HairpinPoliced} {
		change("Hairpin", func(p *Profile) { p.Hairpin = h })
	}
	for _, s := range [...]ServiceSNAT{SNATKubeProxy, SNATNever, SNATAlways} {
		change("ServiceSNAT", func(p *Profile) { p.ServiceSNAT = s })
	}
	return list
}

func (c *Connection) mustBeOf(g *Graph) {
	c.From.mustBeOf(g)
	if c.To.g != g {
		panic("reach: " + c.To.describe() + " is not a Target of this Graph")
	}
	if !c.Port.Valid() {
		panic("reach: " + c.Port.String() + " is not a valid port")
	}
	c.Family.each() // there must be such a Family
	c.Balancer = c.Balancer.Unmap()
	if c.Balancer.Zone() != "" {
		c.Balancer = netip.Addr{}
	}
}

// A tally counts the results of hops, by world. In one world the Services of
// which the input does not tell the family have IPv4, in the other they have
// IPv6.
type tally [2]counts

type counts struct {
	allowed, denied, unknown int
	stops                    [len(stopOrder)]bool
}

// stopOrder is the order in which reasons that are not the policies' count.
var stopOrder = [...]Outcome{Unknown, OutsideSourceRanges, NoLocalEndpoints, NoEndpoints, NoFamily, NoServicePort, NotExposed, Gone}

// add counts a hop with its result: All, None, or why it ends.
func (t *tally) add(h *hop, result Outcome) {
	for f, fam := range families {
		if h.worlds&fam.flag() != 0 {
			t[f].add(result)
		}
	}
}

func (c *counts) add(result Outcome) {
	switch result {
	case All:
		c.allowed++
	case None:
		c.denied++
	case Unknown:
		c.unknown++
	default:
		if i := slices.Index(stopOrder[:], result); i >= 0 {
			c.stops[i] = true
		}
	}
}

func (c *counts) outcome() Outcome {
	switch {
	case c.allowed > 0 && c.denied == 0 && c.unknown == 0:
		return All
	case c.allowed > 0:
		return Some
	case c.unknown > 0:
		return Unknown
	case c.denied > 0:
		return None
	}
	if i := slices.Index(c.stops[:], true); i >= 0 {
		return stopOrder[i]
	}
	return ""
}

// outcome returns that of both worlds, or what is true in both.
func (t *tally) outcome() Outcome {
	switch a, b := t[0].outcome(), t[1].outcome(); {
	case a == b:
		return a
	case a.Reachable() && b.Reachable():
		return Some
	}
	return Unknown
}

// differs reports whether the outcome is only unknown because of the worlds.
func (t *tally) differs() bool {
	return t.outcome() == Unknown && (t[0].outcome() != Unknown || t[1].outcome() != Unknown)
}

// familyOfService names what is missing where the worlds differ.
func (g *Graph) familyOfService(i int32) string { return "the address family of " + g.serviceName(i) }

// glance judges a hop by the rows, as Allows does. It goes on to the policies
// only where the answer may depend on an address that is not known.
func (g *Graph) glance(h *hop) Outcome { return h.doubt(g.glanceSure(h)) }

// doubt returns the result of a hop that has one if it is not doubtful.
func (h *hop) doubt(result Outcome) Outcome {
	if h.doubtful && result == All {
		return Unknown
	}
	return result
}

func (g *Graph) glanceSure(h *hop) Outcome {
	switch h.kind {
	case stopHop:
		return h.stop
	case plainHop:
		f := Flow{Endpoint{g, h.client}, Endpoint{g, h.backend}, h.port, h.family}
		if g.Allows(f) {
			return All
		}
		if pod := g.pod(h.backend); pod != nil && pod.Terminated {
			return Gone
		}
		if g.noFamily(h) {
			return NoFamily
		}
		return None
	case hairpinHop:
		if g.profile.Hairpin == HairpinAllowed {
			return All
		}
	}
	client, to := &g.ends[h.client], &g.ends[h.outTo]
	source, backend := &g.ends[h.source], &g.ends[h.backend]
	f := 0
	if h.family != AnyFamily {
		f = h.family.index()
	}
	out := f
	if h.outFamily != AnyFamily {
		out = h.outFamily.index()
	}
	outProfile, inProfile := g.egress(h.client), g.ingress(h.backend)
	egress := g.egressPasses(client, to) || g.holds(outProfile, key(h.outPort), h.outTo, out) ||
		h.anyDestination && g.holdsOutside(outProfile, key(h.outPort), families[out])
	ingress := h.anyDestination || g.returns(&g.profile, h) ||
		g.ingressPasses(source, backend) || g.holds(inProfile, key(h.port), h.source, f) ||
		h.anySource && g.holdsOutside(inProfile, key(h.port), families[f])
	switch {
	case egress && ingress:
		return All
	case !egress && g.addressless(h.outTo) && !h.outAddr.IsValid(), !ingress && g.addressless(h.source):
		_, result := g.judgeHop(&g.profile, h, false)
		return result
	case (egress || h.anyDestination) && (ingress || h.anySource || g.unsureNode(h, source.flags&isNode != 0)):
		return Unknown
	}
	return None
}

// returns reports whether another node or a balancer sends a connection back to
// the pod that it comes from, which lets itself in.
func (g *Graph) returns(p *Profile, h *hop) bool {
	return h.kind == translatedHop && g.owner(h.source) == g.owner(h.backend) && p.Hairpin != HairpinPoliced
}

// holdsOutside reports whether a profile allows a port to all addresses of a
// family outside the cluster.
func (g *Graph) holdsOutside(profile, k int32, fam Family) bool {
	for i, set := range g.outside() {
		if i%2 == fam.index() && !set.IsEmpty() && !g.holds(profile, k, g.first.addr+int32(i), 0) {
			return false
		}
	}
	return true
}

// noFamily reports whether the ends of a hop have no address family in common.
func (g *Graph) noFamily(h *hop) bool {
	common := commonFamilies(&g.ends[h.client], &g.ends[h.backend])
	for _, fam := range h.family.each() {
		if common&fam.flag() != 0 {
			return false
		}
	}
	return true
}

// unsureNode reports whether the policies of the backend, which deny a hop, have
// no say if the node that it comes from is the backend's own, which is not
// known. If h hides no client, isNode tells whether its source is a node.
func (g *Graph) unsureNode(h *hop, isNode bool) bool {
	node := h.source
	switch {
	case h.hidden:
		node = h.node
	case !isNode:
		return false
	}
	return node != g.first.unknown && !(g.isFixed(g.ends[node].host) && g.isFixed(g.ends[h.backend].host))
}

// addressless reports whether id is a node, or outside the cluster, and nothing
// is known of its addresses.
func (g *Graph) addressless(id int32) bool {
	switch kind, i := g.kind(id); kind {
	case nodeEnd:
		return len(g.nodes[i].Addrs) == 0
	case ownNodeEnd, unknownEnd:
		return true
	}
	return false
}

// judgeHop judges a hop by the policies, as a plugin with the given profile
// would, and returns All, None, Unknown or why it ends.
func (g *Graph) judgeHop(p *Profile, h *hop, reasons bool) (Verdict, Outcome) {
	v, result := g.judgeSure(p, h, reasons)
	return v, h.doubt(result)
}

func (g *Graph) judgeSure(p *Profile, h *hop, reasons bool) (Verdict, Outcome) {
	egress, ingress := g.flows(h)
	result := func(allowed bool) Outcome {
		if allowed {
			return All
		}
		return None
	}
	switch h.kind {
	case stopHop:
		return Verdict{}, h.stop
	case plainHop:
		v := g.judge(question{profile: *p, reasons: reasons}, ingress)
		switch v.Reason {
		case NoCommonFamily:
			return v, NoFamily
		case Terminated:
			return v, Gone
		}
		return v, result(v.Allowed)
	}

	v := Verdict{Flow: ingress, Reason: Policies}
	out := question{profile: *p, reasons: reasons || g.addressless(h.outTo), port: h.outPort, family: egress.Family}
	in := question{profile: *p, reasons: reasons || g.addressless(h.source), port: h.port, family: h.family}
	if h.family == AnyFamily {
		out.family, in.family = IPv4, IPv4 // IPv6 would do as well
	}
	out.from, out.to = g.actor(*p, egress.From.id), g.actor(*p, egress.To.id)
	in.from, in.to = g.actor(*p, ingress.From.id), g.actor(*p, ingress.To.id)
	if h.outAddr.IsValid() {
		out.to.addrs, out.to.class = []netip.Addr{h.outAddr}, cidr.Set{}
	}
	switch {
	case p.NotEnforced:
		v.Reason = NotEnforced
	case h.kind == hairpinHop && p.Hairpin == HairpinAllowed:
		v.Reason = HairpinPasses
	case !out.from.policed() && !in.to.policed():
		v.Reason = NotSubject
	default:
		v.Egress = g.side(&out, policy.Egress)
		if h.anyDestination {
			g.sideOfAll(&v.Egress, out, policy.Egress)
			break
		}
		if g.returns(p, h) {
			break
		}
		v.Ingress = g.side(&in, policy.Ingress)
		if h.anySource {
			g.sideOfAll(&v.Ingress, in, policy.Ingress)
		}
	}
	if v.Egress.OwnNode || v.Ingress.OwnNode {
		v.Reason = OwnNode
	}
	v.Allowed = v.Egress.Passes() && v.Ingress.Passes()
	for _, fam := range h.family.each() {
		answer := Denied
		if v.Allowed {
			answer = Allowed
		}
		if fam == IPv4 {
			v.IPv4 = answer
		} else {
			v.IPv6 = answer
		}
	}
	g.note(&v, &out)
	g.note(&v, &in)
	hiddenByOwn := h.hidden && !out.from.node && v.Ingress.OwnNode && len(v.Ingress.Isolating) > 0 && len(v.Ingress.Allowing) == 0
	if hiddenByOwn {
		v.add(HiddenByOwnNode)
	}
	if !v.Allowed &&
		(v.Egress.Passes() || h.anyDestination || g.addressless(h.outTo) && !h.outAddr.IsValid() && v.Egress.couldHold(out.family)) &&
		(v.Ingress.Passes() || h.anySource || g.unsureNode(h, in.from.node) || g.addressless(h.source) && v.Ingress.couldHold(in.family)) {
		return v, Unknown
	}
	return v, result(v.Allowed)
}

// sideOfAll judges a flow with a peer outside the cluster that is not known: if
// every address of the family passes, s becomes what it is for one of them.
func (g *Graph) sideOfAll(s *Side, q question, d policy.Direction) {
	peer := &q.to
	if d == policy.Ingress {
		peer = &q.from
	}
	all := *s
	for i, set := range g.outside() {
		if s.Passes() || i%2 != q.family.index() || set.IsEmpty() {
			continue
		}
		*peer = g.actor(q.profile, g.first.addr+int32(i))
		if all = g.side(&q, d); !all.Passes() {
			return
		}
	}
	*s = all
}

// couldHold reports whether some block could let the flow pass if an address of
// the family were known.
func (s *Side) couldHold(fam Family) bool {
	return slices.ContainsFunc(s.NearMisses, func(m Miss) bool {
		return slices.ContainsFunc(m.Peers, func(p PeerMiss) bool {
			b, ok := p.Peer.(policy.Block)
			return ok && p.Why == UnknownAddress && !b.Addrs.Intersect(everything[fam.index()]).IsEmpty()
		})
	})
}

// flows returns what the policies of both sides see of a hop.
func (g *Graph) flows(h *hop) (egress, ingress Flow) {
	egress = Flow{Endpoint{g, h.client}, Endpoint{g, h.outTo}, h.outPort, h.family}
	if h.outFamily != AnyFamily {
		egress.Family = h.outFamily
	}
	return egress, Flow{Endpoint{g, h.source}, Endpoint{g, h.backend}, h.port, h.family}
}

// path returns a hop in readable form, and its result.
func (g *Graph) path(h *hop) (Path, Outcome) {
	v, result := g.judgeHop(&g.profile, h, true)
	p := Path{Door: h.door, Family: h.family, Verdict: v}
	if h.node >= 0 {
		p.Node, p.Nodes = Endpoint{g, h.node}, int(h.nodes)
	}
	if h.kind != stopHop {
		p.Egress, p.Ingress = g.flows(h)
		p.Addr = h.addr
	}
	switch {
	case result == All || result == None:
	case result == Unknown:
		p.Stop, p.Missing = Unknown, g.missing(h)
	default:
		p.Stop = result
	}
	return p, result
}

// missing tells what the input lacks to judge a hop.
func (g *Graph) missing(h *hop) string {
	m := h.missing
	switch m.what {
	case missingNode:
		return "the node of " + g.nameOf(m.id)
	case missingBalancer:
		return "the address from which the load balancer connects"
	case missingHost:
		return "the addresses of " + m.text
	case missingLoop:
		return "an end of the aliases, which lead in a circle"
	case missingOwner:
		return "which of several endpoints has address " + m.addr.String()
	case missingPods:
		return "the pods of " + g.serviceName(m.id) + ", of which there are only EndpointSlices"
	case missingService:
		if m.addr.IsValid() {
			return "the Service with address " + m.addr.String()
		}
		return "svc:" + m.service.String()
	case missingVirtual:
		return "what is behind " + m.addr.String() + ", which is an address of Services"
	case missingFilter:
		return "whether the load balancer of " + g.serviceName(m.id) + " heeds the source ranges, which do not hold " + g.nameOf(h.client)
	case missingRanges:
		return "whether the source ranges of " + g.serviceName(m.id) + " hold " + g.nameOf(h.client)
	}
	node := h.source
	if h.hidden {
		node = h.node
	}
	switch {
	case g.unsureNode(h, true) && g.ends[node].flags&isNode != 0 && g.pod(h.backend) != nil:
		if g.isFixed(g.ends[h.backend].host) {
			return "whether " + g.nameOf(node) + " is the node of " + g.nameOf(h.backend)
		}
		return "the node of " + g.nameOf(h.backend)
	case g.addressless(h.outTo) && h.outTo != h.backend:
		return "an address of " + g.nameOf(h.outTo)
	}
	return "an address of " + g.nameOf(node)
}

// String explains t, path by path, the same way every time.
func (t Trace) String() string {
	var b strings.Builder
	line := func(indent int, format string, args ...any) {
		b.WriteString(strings.Repeat("  ", indent))
		fmt.Fprintf(&b, format, args...)
		b.WriteByte('\n')
	}
	line(0, "%s: %s", t.Connection, t.Outcome.text())
	const most = 10 // of those that are allowed, and of the others
	var shown, more [2]int
	for _, p := range t.Paths {
		i := 0
		if p.Stop == "" && p.Verdict.Allowed {
			i = 1
		}
		if shown[i] == most {
			more[i]++
			continue
		}
		shown[i]++
		p.explain(line, len(t.Paths) == 1)
	}
	if n := more[0] + more[1]; n > 0 {
		line(1, "and %d more paths, %d of them allowed", n, more[1])
	}
	if len(t.DependsOn) > 0 {
		line(1, "note: plugins differ here; the outcome could be another with %s", strings.Join(t.DependsOn, " or "))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// explain writes how a path leads on and who decided.
func (p Path) explain(line func(int, string, ...any), only bool) {
	over := ""
	if p.Family != AnyFamily {
		over = " over " + p.Family.String()
	}
	if p.Ingress.To == (Endpoint{}) {
		door := p.Door.String()
		switch {
		case p.Stop == Gone:
			door = "nowhere"
		case p.Door == (Door{}):
			door = "to its backends"
		}
		line(1, "%s%s%s: %s", door, p.atNode(), over, p.why())
		return
	}
	indent := 1
	to := p.Ingress.To.String()
	if p.Addr.IsValid() {
		to = p.Addr.String()
	}
	if p.Door != (Door{}) {
		line(1, "%s%s, to %s %s%s: %s", p.Door, p.atNode(), to, p.Ingress.Port, over, p.why())
		indent = 2
	} else if !only || p.Stop != "" {
		line(1, "to %s %s%s: %s", to, p.Ingress.Port, over, p.why())
		indent = 2
	}
	if p.Egress.From.isPoliced() && (p.Egress.To != p.Ingress.To || p.Egress.Port != p.Ingress.Port) {
		line(indent, "the policies of %s see %s", p.Egress.From, p.Egress)
	}
	if p.Ingress.To.isPoliced() && p.Ingress.From != p.Egress.From {
		line(indent, "the policies of %s see %s", p.Ingress.To, p.Ingress)
	}
	p.Verdict.reasons(func(more int, format string, args ...any) {
		line(indent-1+more, format, args...)
	}, p.Egress.From)
}

// isPoliced reports whether policies can select e.
func (e Endpoint) isPoliced() bool {
	pod := e.g.pod(e.id)
	return pod != nil && !e.g.profile.isNode(pod)
}

func (p Path) atNode() string {
	switch {
	case p.Nodes == 0:
		return ""
	case p.Nodes == 1:
		return " at " + p.Node.String()
	}
	return fmt.Sprintf(" at %s and %d like it", p.Node, p.Nodes-1)
}

// why says in words how the path ends.
func (p Path) why() string {
	switch {
	case p.Stop == Unknown:
		return "unknown, what is missing is " + p.Missing
	case p.Stop != "":
		return p.Stop.text()
	case p.Verdict.Allowed:
		return "allowed"
	}
	return "denied"
}

// text says in words what o means.
func (o Outcome) text() string {
	switch o {
	case All:
		return "allowed"
	case Some:
		return "allowed on some paths"
	case None:
		return "denied"
	case OutsideSourceRanges:
		return "refused, the source ranges of the Service do not hold the client"
	case NoLocalEndpoints:
		return "dropped, the Service has no local endpoints there"
	case NoEndpoints:
		return "refused, the Service has no endpoints"
	case NoFamily:
		return "there is no address family that both sides have"
	case Gone:
		return "an end is a pod that has terminated"
	case NoServicePort:
		return "the Service has no such port"
	case NotExposed:
		return "the Service is not exposed outside the cluster"
	}
	return string(o)
}

// String returns the door in words: "LoadBalancer 198.51.100.5 443/TCP of svc:shop/web".
func (d Door) String() string {
	s := string(d.Kind)
	if d.Addr.IsValid() {
		s += " " + d.Addr.String()
	}
	switch {
	case d.Port.Number != 0 || d.Port.Protocol != 0 && !d.Port.Protocol.HasPorts():
		s += " " + d.Port.String()
	case d.Port.Protocol != 0:
		s += " with a " + d.Port.Protocol.String() + " port still to be assigned"
	}
	if d.Service.Name != "" {
		s += " of svc:" + d.Service.String()
	}
	return strings.TrimPrefix(s, " of ")
}
