package reach_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// This file is the part of the naive evaluator that translates Services.

// A naiveTrace is the answer to a connection.
type naiveTrace struct {
	outcome reach.Outcome
	paths   []naivePath
	differs bool // by world, see eachWorld
}

// A naivePath is one way to one backend, over one family, and if the connection
// comes to a node from outside, by one node.
type naivePath struct {
	door    reach.DoorKind // empty without a Service
	service string
	addr    netip.Addr   // of the door, if it has one
	fam     reach.Family // AnyFamily without a Service
	node    string       // id of the node that translates; empty if none does

	backend  string // text of the backend; empty if the path ends before
	port     policy.Port
	egressTo string // text of what the policies of the client see
	egressAt policy.Port
	source   string // text of what the policies of the backend see
	sourceAt netip.Addr
	hidden   bool // the source is the node that translates and hides the client

	stop    reach.Outcome // empty if the policies decide
	perhaps []string      // the backends that it would be, if it is unknown whether
	many    netip.Addr    // of a backend of which it is unknown who it is
	allowed bool
}

// A naiveAsk is what a client asks for.
type naiveAsk struct {
	client   naiveEnd
	port     policy.Port
	fams     []reach.Family
	balancer netip.Addr
}

// A naiveSay is what the policies of one side say.
type naiveSay int

const (
	refused naiveSay = iota
	unsure           // the input lacks what the answer depends on
	admitted
)

// aNode is the node of which nothing is known, and which is nobody's own
// (SEM-282).
const aNode = "node:*"

// trace follows a connection to whatever to names.
func (n *naive) trace(from, to string, port policy.Port, fam reach.Family, balancer netip.Addr) naiveTrace {
	q := naiveAsk{client: n.end(from), port: port, fams: []reach.Family{fam}, balancer: balancer.Unmap()}
	if fam == reach.AnyFamily {
		q.fams = []reach.Family{reach.IPv4, reach.IPv6}
	}
	return n.inBothWorlds(func() []naivePath {
		addr, err := netip.ParseAddr(to)
		ns, name, isService := n.serviceCalled(to)
		switch {
		case n.when(q.client.dead, "SEM-222"):
			return []naivePath{{stop: reach.Gone}}
		case err == nil:
			return n.toAddr(q, addr.Unmap())
		case isService:
			return n.toService(q, n.service(ns, name), nil)
		case strings.ContainsAny(to, ":/"):
			return n.toNamed(q, n.end(to))
		}
		n.reach("SEM-290")
		var paths []naivePath
		for _, a := range n.hosts(to) {
			paths = append(paths, n.toAddr(q, a)...)
		}
		return paths
	})
}

// eachWorld calls do once for each family that Services have if nothing tells
// theirs, or only once if that makes no difference (SEM-275).
func (n *naive) eachWorld(do func()) {
	n.family, n.guessed = reach.IPv4, false
	do()
	if n.guessed {
		n.family = reach.IPv6
		do()
	}
}

// inBothWorlds sums up the paths of each world. What is not the same in both is
// unknown, but for that some path is allowed (SEM-275).
func (n *naive) inBothWorlds(follow func() []naivePath) naiveTrace {
	var t naiveTrace
	n.eachWorld(func() {
		paths := follow()
		switch o := n.summary(paths); {
		case t.outcome == "" || o == t.outcome:
			t.outcome = o
		case o.Reachable() && t.outcome.Reachable():
			t.outcome = reach.Some
		default:
			t.outcome, t.differs = reach.Unknown, true
		}
		for _, p := range paths {
			if !slices.ContainsFunc(t.paths, func(o naivePath) bool { return fmt.Sprintf("%#v", o) == fmt.Sprintf("%#v", p) }) || !n.guessed {
				t.paths = append(t.paths, p)
			}
		}
	})
	return t
}

// names reports whether to is something that trace can follow.
func (n *naive) names(to string) bool {
	addr, err := netip.ParseAddr(to)
	ns, name, isService := n.serviceCalled(to)
	switch {
	case err == nil:
		return n.knows(addr.String())
	case isService:
		return n.service(ns, name) != nil
	case strings.ContainsAny(to, ":/"):
		return n.knows(to)
	}
	return len(n.hosts(to)) > 0
}

// summary: the paths that lead to a backend decide (SEM-261, SEM-281). If none
// does, there is one reason, the first that holds. An unknown path leads
// somewhere.
func (n *naive) summary(paths []naivePath) reach.Outcome {
	n.reach("SEM-281")
	allowed, denied := 0, 0
	stops := map[reach.Outcome]bool{}
	for _, p := range paths {
		switch {
		case p.stop != "":
			stops[p.stop] = true
		case p.allowed:
			allowed++
		default:
			denied++
		}
	}
	switch {
	case allowed > 0 && denied == 0 && !stops[reach.Unknown]:
		return reach.All
	case n.when(allowed > 0, "SEM-261"):
		return reach.Some
	case denied > 0 && !stops[reach.Unknown]:
		return reach.None
	}
	for _, o := range []reach.Outcome{reach.Unknown, reach.OutsideSourceRanges, reach.NoLocalEndpoints,
		reach.NoEndpoints, reach.NoFamily, reach.NoServicePort, reach.Gone, reach.NotExposed} {
		if stops[o] {
			return o
		}
	}
	panic("a connection without paths")
}

// serviceCalled returns the namespace and name of the Service that text names:
// with svc:, or as a DNS name of the cluster in any letter case and with or
// without a final dot (SEM-290).
func (n *naive) serviceCalled(text string) (ns, name string, ok bool) {
	if rest, isService := strings.CutPrefix(text, "svc:"); isService {
		ns, name, ok = strings.Cut(rest, "/")
		return ns, name, ok
	}
	labels := strings.Split(strings.TrimSuffix(dnsName(text), ".cluster.local"), ".")
	if len(labels) != 3 || labels[2] != "svc" || strings.ContainsAny(text, ":/") {
		return "", "", false
	}
	n.reach("SEM-290")
	return labels[1], labels[0], true
}

func dnsName(text string) string { return strings.ToLower(strings.TrimSuffix(text, ".")) }

// service returns the Service of this name, or nil.
func (n *naive) service(ns, name string) *corev1.Service {
	for _, s := range n.c.Services {
		if s.Name == name && rawNamespace(s.ObjectMeta) == ns {
			return s
		}
	}
	return nil
}

// hosts returns the addresses that were supplied for a name (SEM-290).
func (n *naive) hosts(name string) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range n.c.Hosts[dnsName(name)] {
		if a = a.Unmap(); !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// toAddr: the address of a Service is translated, and everything else is an
// ordinary endpoint (SEM-286). An external IP that a pod or a node has can mean
// either (SEM-269).
func (n *naive) toAddr(q naiveAsk, a netip.Addr) []naivePath {
	paths, either := n.atDoors(q, a)
	ends := n.withAddr(a)
	owned := len(ends) > 1 || !strings.HasPrefix(ends[0].id, "addr:")
	if len(paths) > 0 && !n.when(either && owned, "SEM-269") {
		return paths
	}
	if len(ends) > 1 {
		return append(paths, naivePath{stop: reach.Unknown}) // it is not known whose it is (SEM-224)
	}
	for _, r := range n.c.ServiceCIDRs {
		for _, text := range r.Spec.CIDRs {
			if n.when(!owned && netip.MustParsePrefix(text).Contains(a), "SEM-286") {
				return append(paths, naivePath{stop: reach.Unknown}) // a Service that the input lacks
			}
		}
	}
	return append(paths, n.toEnd(q, ends[0])...)
}

// toNamed is toAddr for each address of an end that is called by its name.
func (n *naive) toNamed(q naiveAsk, e naiveEnd) []naivePath {
	var paths []naivePath
	itself := e.dead || len(e.addrs) == 0
	for _, a := range e.addrs {
		doors, either := n.atDoors(q, a)
		itself = itself || either || len(doors) == 0
		if !e.dead {
			paths = append(paths, doors...)
		}
	}
	if itself {
		paths = append(paths, n.toEnd(q, e)...)
	}
	return paths
}

// atDoors goes through the doors of all Services that claim an address. The
// ports of a ClusterIP are those that the Service lists (SEM-259); on other
// addresses only these are translated (SEM-269). It reports whether who has the
// address may get the connection, too.
func (n *naive) atDoors(q naiveAsk, a netip.Addr) (paths []naivePath, either bool) {
	for _, svc := range n.c.Services {
		sp := n.listed(svc, q.port)
		if isHeadless(svc) || svc.Spec.Type == corev1.ServiceTypeExternalName {
			continue // these have no addresses of their own (SEM-262, SEM-263)
		}
		if n.when(slices.Contains(clusterIPs(svc), a), "SEM-286") {
			if n.when(sp == nil, "SEM-259") {
				paths = append(paths, naiveDoor{kind: reach.ClusterIP, svc: svc, addr: a}.stopped(reach.AnyFamily, reach.NoServicePort)...)
			} else {
				paths = append(paths, n.through(q, naiveDoor{kind: reach.ClusterIP, svc: svc, port: sp, addr: a})...)
			}
		}
		if sp == nil {
			continue
		}
		for _, d := range n.balancers(svc) {
			if n.when(d.addr == a, "SEM-286") {
				d.port = sp
				paths = append(paths, n.through(q, d)...)
			}
		}
		for _, ip := range svc.Spec.ExternalIPs {
			if n.when(rawAddr(ip) == a, "SEM-269") {
				either = true
				paths = append(paths, n.through(q, naiveDoor{kind: reach.ExternalIP, svc: svc, port: sp, addr: a})...)
			}
		}
	}
	return paths, either
}

// toEnd: a node translates its node ports (SEM-286), and so do the addresses of
// a node that a pod on its host network has. Of several Services with one node
// port, either can be meant (SEM-269).
func (n *naive) toEnd(q naiveAsk, e naiveEnd) []naivePath {
	var paths []naivePath
	if !e.dead && (e.isNode || e.spec != nil && e.spec.HostNetwork) {
		for _, svc := range n.c.Services {
			for i, sp := range svc.Spec.Ports {
				if hasNodePort(svc, &sp) && sp.NodePort != 0 && rawPort(sp, sp.NodePort) == q.port {
					n.reach("SEM-286")
					paths = append(paths, n.through(q, naiveDoor{kind: reach.NodePort, svc: svc, port: &svc.Spec.Ports[i], node: &e})...)
				}
			}
		}
	}
	if len(paths) > 0 {
		return paths
	}
	return []naivePath{n.direct(q.client, e, q.port, q.fams)}
}

// direct is a connection that nothing translates: a flow like any other, for
// which one family is enough (SEM-128), and a node that is not known to be the
// own one is another (SEM-213).
func (n *naive) direct(client, e naiveEnd, port policy.Port, fams []reach.Family) naivePath {
	p := naivePath{backend: textOfEnd(e), port: port, stop: reach.NoFamily}
	for _, fam := range fams {
		f := naiveFlow{client, e, port, fam}
		p.allowed = p.allowed || n.allowed(f)
		if n.speaks(e, fam) && (n.speaks(client, fam) || f.fromOwnNode()) {
			p.stop = ""
		}
	}
	if n.when(e.dead, "SEM-222") {
		p.stop = reach.Gone
	}
	return p
}

// toService: who asks for a Service by name uses its ClusterIP or what the DNS
// says; who is outside uses the doors that lead there (SEM-285).
func (n *naive) toService(q naiveAsk, svc *corev1.Service, aliases []*corev1.Service) []naivePath {
	outside := q.client.node == ""
	switch {
	case outside && n.when(!n.isExposed(svc), "SEM-285"):
		return []naivePath{{stop: reach.NotExposed}}
	case svc.Spec.Type == corev1.ServiceTypeExternalName:
		return n.toAlias(q, svc, aliases)
	case isHeadless(svc):
		return n.headless(q, svc, n.families(q.client, svc, nil))
	}
	sp := n.listed(svc, q.port)
	clusterIP := naiveDoor{kind: reach.ClusterIP, svc: svc, port: sp}
	doors := []naiveDoor{clusterIP}
	switch {
	case n.when(sp == nil, "SEM-259") && outside:
		return []naivePath{{stop: reach.NoServicePort}}
	case sp == nil:
		return clusterIP.stopped(reach.AnyFamily, reach.NoServicePort)
	case outside:
		doors = n.doors(svc, sp)
	}
	var paths []naivePath
	for _, d := range doors {
		paths = append(paths, n.through(q, d)...)
	}
	return paths
}

// doors returns those of a port that lead outside (SEM-285).
func (n *naive) doors(svc *corev1.Service, sp *corev1.ServicePort) []naiveDoor {
	var doors []naiveDoor
	if n.when(hasNodePort(svc, sp), "SEM-285") {
		doors = append(doors, naiveDoor{kind: reach.NodePort, svc: svc})
	}
	doors = append(doors, n.balancers(svc)...)
	for _, ip := range svc.Spec.ExternalIPs {
		n.reach("SEM-269")
		doors = append(doors, naiveDoor{kind: reach.ExternalIP, svc: svc, addr: rawAddr(ip)})
	}
	for i := range doors {
		doors[i].port = sp
	}
	return doors
}

// isExposed reports whether some port has a door that leads outside.
func (n *naive) isExposed(svc *corev1.Service) bool {
	if isHeadless(svc) || svc.Spec.Type == corev1.ServiceTypeExternalName {
		return false
	}
	return slices.ContainsFunc(svc.Spec.Ports, func(sp corev1.ServicePort) bool { return len(n.doors(svc, &sp)) > 0 })
}

// balancers returns the addresses of the load balancer. Before one is assigned
// there is one that is not known (SEM-285).
func (n *naive) balancers(svc *corev1.Service) []naiveDoor {
	if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	var doors []naiveDoor
	for _, in := range svc.Status.LoadBalancer.Ingress {
		d := naiveDoor{kind: reach.LoadBalancer, svc: svc, proxied: in.IP == ""}
		if in.IP != "" {
			d.addr = rawAddr(in.IP)
		}
		if in.IPMode != nil && *in.IPMode == corev1.LoadBalancerIPModeProxy {
			d.proxied = true
		}
		n.when(d.proxied, "SEM-268")
		n.when(!d.proxied, "SEM-267")
		doors = append(doors, d)
	}
	if n.when(len(doors) == 0, "SEM-285") {
		doors = append(doors, naiveDoor{kind: reach.LoadBalancer, svc: svc})
	}
	return doors
}

// isHeadless: its ClusterIP is None (SEM-262).
func isHeadless(svc *corev1.Service) bool {
	return svc.Spec.Type != corev1.ServiceTypeExternalName &&
		(svc.Spec.ClusterIP == corev1.ClusterIPNone || slices.Contains(svc.Spec.ClusterIPs, corev1.ClusterIPNone))
}

// clusterIPs returns the addresses of the Service itself.
func clusterIPs(svc *corev1.Service) []netip.Addr {
	texts := svc.Spec.ClusterIPs
	if len(texts) == 0 {
		texts = []string{svc.Spec.ClusterIP}
	}
	var addrs []netip.Addr
	for _, text := range texts {
		if text != "" && text != corev1.ClusterIPNone {
			addrs = append(addrs, rawAddr(text))
		}
	}
	return addrs
}

// hasNodePort: those of a load balancer that does without have none, unless they
// name one (SEM-285).
func hasNodePort(svc *corev1.Service, sp *corev1.ServicePort) bool {
	switch svc.Spec.Type {
	case corev1.ServiceTypeNodePort:
		return true
	case corev1.ServiceTypeLoadBalancer:
		return svc.Spec.AllocateLoadBalancerNodePorts == nil || *svc.Spec.AllocateLoadBalancerNodePorts || sp.NodePort != 0
	}
	return false
}

// rawPort returns the port with a number and the protocol of a Service port.
func rawPort(sp corev1.ServicePort, number int32) policy.Port {
	return rawProtocol(&sp.Protocol).Port(uint16(number))
}

// listed returns the port of the Service that the client names (SEM-259).
func (n *naive) listed(svc *corev1.Service, port policy.Port) *corev1.ServicePort {
	for i, sp := range svc.Spec.Ports {
		if rawPort(sp, sp.Port) == port {
			return &svc.Spec.Ports[i]
		}
	}
	return nil
}

// families returns those of a Service in this world (SEM-275).
func (n *naive) families(client naiveEnd, svc *corev1.Service, sp *corev1.ServicePort) []reach.Family {
	if fams := n.familiesOf(svc); len(fams) > 0 {
		return fams
	}
	if possible := n.possibleFamilies(client, svc, sp); len(possible) == 1 {
		return possible
	}
	n.guessed = true
	return []reach.Family{n.family}
}

// possibleFamilies returns those of which backends have known addresses, or if
// there are none, pods or nodes, or else the client, or else both (SEM-275).
func (n *naive) possibleFamilies(client naiveEnd, svc *corev1.Service, sp *corev1.ServicePort) []reach.Family {
	var backends, all []netip.Addr
	for _, fam := range []reach.Family{reach.IPv4, reach.IPv6} {
		for _, b := range n.backends(svc, sp, fam) {
			if b.ready || b.last && sp != nil { // DNS names ready ones only
				backends = append(backends, b.end.addrs...)
			}
		}
	}
	for _, e := range n.known {
		if !e.dead {
			all = append(all, e.addrs...)
		}
	}
	for _, id := range n.nodeIDs() {
		all = append(all, n.nodeAddrs(id)...)
	}
	for _, addrs := range [][]netip.Addr{backends, all, client.addrs} {
		var fams []reach.Family
		for _, a := range addrs {
			if fam := familyOfAddr(a); !slices.Contains(fams, fam) {
				fams = append(fams, fam)
			}
		}
		if len(fams) > 0 {
			return fams
		}
	}
	return []reach.Family{reach.IPv4, reach.IPv6}
}

// familiesOf: a policy of two families means both, unless there is a list of
// addresses and the policy only prefers them; else the addresses decide, else
// the list of families. Nil is one of the two (SEM-275).
func (n *naive) familiesOf(svc *corev1.Service) []reach.Family {
	n.reach("SEM-275")
	both, spec := []reach.Family{reach.IPv4, reach.IPv6}, svc.Spec
	p := spec.IPFamilyPolicy
	if isHeadless(svc) && len(spec.Selector) == 0 && (p == nil || *p != corev1.IPFamilyPolicySingleStack) {
		return both
	}
	if p != nil {
		noList := len(spec.ClusterIPs) == 0 || isHeadless(svc)
		if *p == corev1.IPFamilyPolicyRequireDualStack || *p == corev1.IPFamilyPolicyPreferDualStack && noList {
			return both
		}
	}
	var fams []reach.Family
	for _, a := range clusterIPs(svc) {
		fams = append(fams, familyOfAddr(a))
	}
	if len(fams) == 0 {
		for _, f := range spec.IPFamilies {
			fams = append(fams, map[corev1.IPFamily]reach.Family{corev1.IPv4Protocol: reach.IPv4, corev1.IPv6Protocol: reach.IPv6}[f])
		}
	}
	return fams
}

func familyOfAddr(a netip.Addr) reach.Family {
	if a.Is4() {
		return reach.IPv4
	}
	return reach.IPv6
}

// toAlias: an ExternalName is another name (SEM-263): a Service of the cluster,
// or one whose addresses were supplied. A name that leads back to itself or
// that nobody knows is unknown, unless any address will do.
func (n *naive) toAlias(q naiveAsk, svc *corev1.Service, aliases []*corev1.Service) []naivePath {
	n.reach("SEM-263")
	if slices.Contains(aliases, svc) {
		return []naivePath{{stop: reach.Unknown}}
	}
	alias := svc.Spec.ExternalName
	ns, name, ok := n.serviceCalled(alias)
	ok = ok && strings.HasSuffix(dnsName(alias), ".cluster.local") // only full names lead on
	if ok && n.service(ns, name) != nil {
		return n.toService(q, n.service(ns, name), append(slices.Clone(aliases), svc))
	}
	var paths []naivePath
	for _, a := range n.hosts(alias) {
		paths = append(paths, n.toAddr(q, a)...)
	}
	switch {
	case len(paths) > 0:
		return paths
	case ok, strings.HasSuffix(dnsName(alias), ".cluster.local"), strings.HasSuffix(dnsName(alias), ".svc"):
		return []naivePath{{stop: reach.Unknown}} // nobody outside can have the name
	}
	d := naiveDoor{kind: reach.ExternalName, svc: svc}
	for _, fam := range q.fams {
		if !n.speaks(q.client, fam) {
			continue
		}
		p := d.newPath(fam)
		p.backend, p.port, p.allowed = anyone, q.port, true
		for _, a := range n.anyOutside(fam) {
			if !n.direct(q.client, n.end(a.String()), q.port, []reach.Family{fam}).allowed {
				return d.stopped(fam, reach.Unknown) // and it may have addresses of this family only
			}
		}
		paths = append(paths, p)
	}
	if len(paths) == 0 {
		return d.stopped(reach.AnyFamily, reach.NoFamily)
	}
	return paths
}

// anyOutside returns addresses outside the cluster that stand for all of their
// family: each set of addresses that the blocks do not tell apart has one.
func (n *naive) anyOutside(fam reach.Family) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range n.anywhere(fam) {
		for a.IsValid() && n.isOwned(a) {
			a = a.Next()
		}
		if a.IsValid() {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// anywhere is anyOutside for all addresses, those of pods and nodes included:
// such a set begins at the first or the last address of a block, or beside it.
func (n *naive) anywhere(fam reach.Family) []netip.Addr {
	addrs := addrsOfTexts("198.51.100.77", "2001:db8:7::7")
	for _, a := range boundariesOf(n.c) {
		addrs = append(addrs, a, a.Next(), a.Prev())
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool { return !a.IsValid() || familyOfAddr(a) != fam })
}

// isOwned reports whether a pod or a node has the address.
func (n *naive) isOwned(a netip.Addr) bool {
	ends := n.withAddr(a)
	return len(ends) > 1 || !strings.HasPrefix(ends[0].id, "addr:")
}

// A naiveBackend is a pod behind a port of a Service, or what stands in its
// place.
type naiveBackend struct {
	end   naiveEnd
	addr  netip.Addr // of a listed one
	many  bool       // it is not known who has it
	port  policy.Port
	node  string // where it counts as local; empty if nowhere
	ready bool
	last  bool // terminating, but still serving
}

// headless: the DNS gives the addresses of the ready pods and of no others
// (SEM-257), whatever ports they have, and the client chooses the port
// (SEM-262).
func (n *naive) headless(q naiveAsk, svc *corev1.Service, of []reach.Family) []naivePath {
	n.reach("SEM-262")
	d := naiveDoor{kind: reach.Headless, svc: svc, of: of}
	if why, stops := n.withoutBackends(d, onlyReady); stops {
		return d.stopped(reach.AnyFamily, why)
	}
	var paths []naivePath
	for _, fam := range q.fams {
		found := onlyReady(n.withReplicas(q.client, n.backends(svc, nil, fam)))
		switch {
		case !slices.Contains(of, fam), !n.speaks(q.client, fam) && !n.holdsSome(q.client, false, found):
			paths = append(paths, d.stopped(fam, reach.NoFamily)...)
			continue
		case n.when(len(found) == 0, "SEM-257", "SEM-275"):
			paths = append(paths, d.stopped(fam, reach.NoEndpoints)...)
		}
		for _, b := range found {
			b.port = q.port
			paths = append(paths, n.untranslated(q.client, d.newPath(fam), b))
		}
	}
	return paths
}

// untranslated is the path of a client that connects to a backend itself: a
// flow like any other (SEM-213).
func (n *naive) untranslated(client naiveEnd, p naivePath, b naiveBackend) naivePath {
	p.backend, p.port = textOfEnd(b.end), b.port
	if n.when(b.many, "SEM-224") {
		p.stop, p.many = reach.Unknown, b.addr
		return p
	}
	if n.lacks(client, b.end, p.fam) {
		p.stop = reach.Unknown
		return p
	}
	if p = n.judge(p, plainSight(client, b.end, b.port)); p.stop == reach.Unknown {
		p.stop = ""
	}
	return p
}

// lacks reports whether a node that has no address of a family is known to be
// that of a pod or not, on which it depends whether it reaches it (SEM-203,
// SEM-281).
func (n *naive) lacks(client, backend naiveEnd, fam reach.Family) bool {
	return n.when(client.isNode && !client.at && !n.speaks(client, fam) && n.speaks(backend, fam) && mayBeItsOwn(client, backend), "SEM-281")
}

// mayBeItsOwn reports whether it is not known if a pod runs on a node.
func mayBeItsOwn(node, pod naiveEnd) bool { return pod.spec != nil && mayBeOne(node.node, pod.node) }

func onlyReady(found []naiveBackend) []naiveBackend {
	return slices.DeleteFunc(slices.Clone(found), func(b naiveBackend) bool { return !b.ready })
}

// withoutBackends reports whether the way ends since there are no backends,
// whatever their families, and why: there are none (SEM-260), or they are listed
// but not in the input (SEM-264).
func (n *naive) withoutBackends(d naiveDoor, usable func([]naiveBackend) []naiveBackend) (reach.Outcome, bool) {
	for _, fam := range []reach.Family{reach.IPv4, reach.IPv6} {
		if len(usable(n.backends(d.svc, d.port, fam))) > 0 {
			return "", false
		}
	}
	if n.when(n.lacksPods(d.svc), "SEM-264") {
		return reach.Unknown, true
	}
	n.reach("SEM-260")
	return reach.NoEndpoints, true
}

// lacksPods reports whether there are lists of endpoints that only repeat what
// the input does not hold: the selector picks no pod (SEM-264).
func (n *naive) lacksPods(svc *corev1.Service) bool {
	for _, e := range n.known {
		if isSelected(svc) && e.ns == rawNamespace(svc.ObjectMeta) && n.holdsPairs(e, svc.Spec.Selector) {
			return false
		}
	}
	for _, s := range n.c.EndpointSlices {
		mine := rawNamespace(s.ObjectMeta) == rawNamespace(svc.ObjectMeta) && s.Labels[discoveryv1.LabelServiceName] == svc.Name
		if mine && isSelected(svc) && s.Labels[discoveryv1.LabelManagedBy] == sliceController && len(s.Endpoints) > 0 {
			return true
		}
	}
	for _, o := range n.c.Endpoints {
		mine := rawNamespace(o.ObjectMeta) == rawNamespace(svc.ObjectMeta) && o.Name == svc.Name
		if mine && (isSelected(svc) || o.Labels[discoveryv1.LabelSkipMirror] == "true") && len(o.Subsets) > 0 {
			return true
		}
	}
	return false
}

func isSelected(svc *corev1.Service) bool { return len(svc.Spec.Selector) > 0 }

// sliceController is what writes the slices of Services with a selector.
const sliceController = "endpointslice-controller.k8s.io"

// backends returns what can be behind a port of a Service over a family, also
// what is not ready. Without a port it is every address of the Service.
func (n *naive) backends(svc *corev1.Service, sp *corev1.ServicePort, fam reach.Family) []naiveBackend {
	if n.when(!isSelected(svc), "SEM-264") {
		return n.listedBackends(svc, sp, fam)
	}
	var found []naiveBackend
	for _, e := range n.known {
		b := naiveBackend{end: e, node: e.node}
		if strings.HasPrefix(e.id, "replica:") || e.ns != rawNamespace(svc.ObjectMeta) || !n.holdsPairs(e, svc.Spec.Selector) {
			continue
		}
		if n.when(e.dead, "SEM-256") || n.when(!n.speaks(e, fam), "SEM-275") {
			continue
		}
		b.ready = true // a workload that stands for its pods (SEM-256)
		if pod := n.podOfID(e.id); pod != nil {
			if n.when(pod.Status.Phase == corev1.PodPending && len(e.addrs) == 0, "SEM-256") {
				continue
			}
			leaving := pod.DeletionTimestamp != nil
			b.ready, b.last = n.isReady(pod) && !leaving, n.isReady(pod) && leaving
			n.when(!b.ready, "SEM-256")
			if n.when(svc.Spec.PublishNotReadyAddresses && !b.ready, "SEM-258") {
				b.ready, b.last = true, false
			}
		}
		if sp != nil {
			number, ok := n.targetOf(*sp, e.spec)
			if n.when(!ok, "SEM-253") {
				continue
			}
			b.port = rawPort(*sp, number)
		}
		n.when(e.spec.HostNetwork, "SEM-276")
		found = append(found, b)
	}
	for _, b := range n.listedBackends(svc, sp, fam) { // others than the controller add backends
		usable := func(o naiveBackend) bool {
			return (o.ready || o.last && sp != nil) && o.end.id == b.end.id && slices.Equal(o.end.addrsOf(fam), b.end.addrs) && (sp == nil || o.port == b.port)
		}
		if !slices.ContainsFunc(found, usable) {
			found = append(found, b)
		}
	}
	return found
}

// holdsPairs: the labels of the pod hold all pairs of the selector (SEM-256).
func (n *naive) holdsPairs(e naiveEnd, pairs map[string]string) bool {
	for key, want := range pairs {
		if got, ok := e.labels[key]; !ok || got != want {
			return false
		}
	}
	return n.when(true, "SEM-256")
}

// podOfID returns the pod with the id of an end, or nil.
func (n *naive) podOfID(id string) *corev1.Pod {
	for _, pod := range n.c.Pods {
		if id == "pod:"+rawNamespace(pod.ObjectMeta)+"/"+pod.Name {
			return pod
		}
	}
	return nil
}

// isReady: by the condition, or if there is none by the phase (SEM-256).
func (n *naive) isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return pod.Status.Phase != corev1.PodPending
}

// targetOf returns the port at a pod: the number (SEM-252), or the first
// declaration of the name and protocol in a container or a sidecar (SEM-253).
func (n *naive) targetOf(sp corev1.ServicePort, spec *corev1.PodSpec) (int32, bool) {
	switch t := sp.TargetPort; {
	case t.Type == intstr.Int && t.IntVal != 0:
		n.when(t.IntVal != sp.Port, "SEM-252", "SEM-254")
		return t.IntVal, true
	case t.Type == intstr.Int || t.StrVal == "":
		n.reach("SEM-252")
		return sp.Port, true
	}
	containers := slices.Clone(spec.Containers)
	for _, c := range spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, port := range c.Ports {
			if port.Name == sp.TargetPort.StrVal && rawProtocol(&port.Protocol) == rawProtocol(&sp.Protocol) {
				n.reach("SEM-253")
				return port.ContainerPort, true
			}
		}
	}
	return 0, false
}

// listedBackends returns what the EndpointSlices of the Service and the
// Endpoints object of its name list (SEM-264). Of several addresses of an
// endpoint, proxies use the first.
func (n *naive) listedBackends(svc *corev1.Service, sp *corev1.ServicePort, fam reach.Family) []naiveBackend {
	type entry struct {
		addr  netip.Addr
		port  policy.Port
		node  string
		state naiveBackend
	}
	var entries []entry
	add := func(text, name string, proto corev1.Protocol, number int32, node *string, ready, last bool) {
		port := rawProtocol(&proto).Port(uint16(number))
		if sp != nil && (name != sp.Name || port.Protocol != rawProtocol(&sp.Protocol)) || familyOfAddr(rawAddr(text)) != fam {
			return
		}
		e := entry{addr: rawAddr(text), port: port, state: naiveBackend{ready: ready, last: last}}
		if node != nil && *node != "" {
			e.node = "node:" + *node
		}
		entries = append(entries, e)
	}
	for _, s := range n.c.EndpointSlices {
		mine := rawNamespace(s.ObjectMeta) == rawNamespace(svc.ObjectMeta) && s.Labels[discoveryv1.LabelServiceName] == svc.Name
		if mine && isSelected(svc) && s.Labels[discoveryv1.LabelManagedBy] == sliceController {
			n.reach("SEM-264")
			continue // it repeats the pods
		}
		if !mine || n.when(s.AddressType == discoveryv1.AddressTypeFQDN, "SEM-264") {
			continue
		}
		for _, e := range s.Endpoints {
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			serving := e.Conditions.Serving == nil || *e.Conditions.Serving
			terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
			if sp == nil { // DNS names an address whatever its ports are (SEM-262)
				add(e.Addresses[0], "", corev1.ProtocolTCP, 0, e.NodeName, ready, !ready && serving && terminating)
				continue
			}
			for _, port := range s.Ports {
				if n.when(port.Port == nil, "SEM-264") {
					continue
				}
				name, proto := "", corev1.ProtocolTCP
				if port.Name != nil {
					name = *port.Name
				}
				if port.Protocol != nil {
					proto = *port.Protocol
				}
				add(e.Addresses[0], name, proto, *port.Port, e.NodeName, ready, !ready && serving && terminating)
			}
		}
	}
	for _, o := range n.c.Endpoints {
		if rawNamespace(o.ObjectMeta) != rawNamespace(svc.ObjectMeta) || o.Name != svc.Name {
			continue
		}
		if n.when(isSelected(svc) || o.Labels[discoveryv1.LabelSkipMirror] == "true", "SEM-264") {
			continue // it repeats the pods, or other slices
		}
		for _, subset := range o.Subsets {
			if sp == nil {
				for _, a := range subset.Addresses {
					add(a.IP, "", corev1.ProtocolTCP, 0, a.NodeName, true, false)
				}
			}
			for _, port := range subset.Ports {
				if sp == nil {
					break
				}
				n.reach("SEM-264")
				for _, a := range subset.Addresses {
					add(a.IP, port.Name, port.Protocol, port.Port, a.NodeName, true, false)
				}
				for _, a := range subset.NotReadyAddresses {
					add(a.IP, port.Name, port.Protocol, port.Port, a.NodeName, false, false)
				}
			}
		}
	}
	var found []naiveBackend
	for _, e := range entries {
		b := naiveBackend{addr: e.addr, port: e.port, node: e.node, ready: e.state.ready, last: e.state.last}
		ends := n.withAddr(e.addr)
		b.end, b.many = ends[0], len(ends) > 1 || n.isVirtual(e.addr) || ends[0].isNode && n.isShared(e.addr)
		if b.end.spec != nil {
			b.end.at = false // it is the pod itself, over this family
		}
		same := func(o naiveBackend) bool {
			return o.end.id == b.end.id && slices.Equal(o.end.addrs, b.end.addrs) && (sp == nil || o.port == b.port)
		}
		if i := slices.IndexFunc(found, same); i >= 0 { // one is as good as the other
			found[i].ready, found[i].last = found[i].ready || b.ready, found[i].last || b.last
			continue
		}
		found = append(found, b)
	}
	return found
}

// isVirtual reports whether a is, or is for, the address of a Service, behind
// which a backend cannot be (SEM-264).
func (n *naive) isVirtual(a netip.Addr) bool {
	for _, svc := range n.c.Services {
		if slices.Contains(clusterIPs(svc), a) {
			return true
		}
	}
	for _, r := range n.c.ServiceCIDRs {
		for _, text := range r.Spec.CIDRs {
			if netip.MustParsePrefix(text).Contains(a) {
				return true
			}
		}
	}
	return false
}

// isShared reports whether a can mean a node, or a pod on its network that
// policies apply to (SEM-207).
func (n *naive) isShared(a netip.Addr) bool {
	return n.p.HostNetworkAsPods && slices.ContainsFunc(n.known, func(e naiveEnd) bool {
		return !e.dead && e.spec != nil && e.spec.HostNetwork && slices.Contains(e.addrs, a)
	})
}

// withReplicas: a workload that is its own backend also reaches another pod of
// its own, and so does that (SEM-287).
func (n *naive) withReplicas(client naiveEnd, found []naiveBackend) []naiveBackend {
	all := slices.Clone(found)
	for _, b := range found {
		of := strings.TrimPrefix(client.id, "replica:")
		if replica := n.named("replica:" + b.end.id); b.end.id == of && n.when(len(replica) == 1, "SEM-287") {
			b.end = replica[0]
			b.node = b.end.node
			all = append(all, b)
		}
	}
	return all
}

// usable: the ready ones, or if there are none, those that terminate but still
// serve (SEM-257).
func (n *naive) usable(found []naiveBackend) []naiveBackend {
	var ready, last []naiveBackend
	for _, b := range found {
		if b.ready {
			ready = append(ready, b)
		} else if b.last {
			last = append(last, b)
		}
	}
	if len(ready) > 0 {
		return ready
	}
	n.when(len(last) > 0, "SEM-257")
	return last
}

// local returns the usable ones on a node, and whether others may be there,
// too, or in their place (SEM-270). Those in whose place others may be are left
// out.
func (n *naive) local(found []naiveBackend, node string) (there []naiveBackend, unknown bool) {
	var here []naiveBackend
	readyHere, readyMaybe, lastMaybe := false, false, false
	for _, b := range found {
		switch maybe := mayBeOne(b.node, node); {
		case b.node == node:
			here = append(here, b)
			readyHere = readyHere || b.ready
		case maybe:
			readyMaybe, lastMaybe = readyMaybe || b.ready, lastMaybe || b.last
		}
	}
	if readyMaybe && !readyHere {
		return nil, true
	}
	return n.usable(here), readyMaybe || lastMaybe && !readyHere
}

// mayBeOne reports whether two different ids can stand for one node, because
// the node behind one of them is not known (SEM-213). Outside is no node.
func mayBeOne(a, b string) bool {
	guess := strings.HasPrefix(a, "node-of:") || strings.HasPrefix(b, "node-of:")
	return a != b && guess && a != "" && b != "" && a != aNode && b != aNode
}

// A naiveDoor is a way into a Service.
type naiveDoor struct {
	kind    reach.DoorKind
	svc     *corev1.Service
	port    *corev1.ServicePort
	addr    netip.Addr // the zero Addr if it is not known, or that of any node
	node    *naiveEnd  // of a node port, the node that is asked; nil for any
	proxied bool
	of      []reach.Family // of the Service
}

// through follows a connection through a door. A Service of which nothing tells
// the family has that of the address of the door.
func (n *naive) through(q naiveAsk, d naiveDoor) []naivePath {
	if len(n.familiesOf(d.svc)) == 0 && d.addr.IsValid() && !d.proxied {
		return n.throughOver(q, d, []reach.Family{familyOfAddr(d.addr)})
	}
	return n.throughOver(q, d, n.families(q.client, d.svc, d.port))
}

// throughOver is through for a Service of the families of.
func (n *naive) throughOver(q naiveAsk, d naiveDoor, of []reach.Family) []naivePath {
	d.of = of
	if d.node != nil && n.when(mayBeOne(d.node.node, q.client.node), "SEM-213") {
		return d.stopped(reach.AnyFamily, reach.Unknown)
	}
	if d.proxied {
		return n.proxied(q, d)
	}
	if why, stops := n.withoutBackends(d, n.usable); stops {
		return d.stopped(reach.AnyFamily, why)
	}
	var paths, filtered []naivePath
	var left []reach.Family
	for _, fam := range q.fams {
		switch {
		case !slices.Contains(of, fam), d.addr.IsValid() && familyOfAddr(d.addr) != fam,
			d.node != nil && !n.speaks(*d.node, fam):
			n.reach("SEM-275")
			paths = append(paths, d.stopped(fam, reach.NoFamily)...)
		case n.when(!n.speaks(q.client, fam) && !n.holdsSome(q.client, d.node != nil && d.node.node != q.client.node, n.backends(d.svc, d.port, fam)), "SEM-128"):
			paths = append(paths, d.stopped(fam, reach.NoFamily)...)
		case d.kind == reach.LoadBalancer && n.inRanges(d.svc, q.client, fam) == refused:
			n.reach("SEM-273")
			filtered = append(filtered, d.stopped(fam, reach.OutsideSourceRanges)...)
		case d.kind == reach.LoadBalancer && n.inRanges(d.svc, q.client, fam) != admitted:
			n.reach("SEM-273")
			filtered = append(filtered, d.stopped(fam, reach.Unknown)...)
		default:
			left = append(left, fam)
		}
	}
	paths = append(paths, filtered...)
	if len(left) == 0 && len(filtered) > 0 {
		return paths
	}
	for _, fam := range left {
		switch {
		case n.when(len(n.usable(n.backends(d.svc, d.port, fam))) == 0, "SEM-275"):
			paths = append(paths, d.stopped(fam, reach.NoEndpoints)...)
		default:
			paths = append(paths, n.translated(q, d, fam)...)
		}
	}
	return paths
}

// holdsSome reports whether the client is the node of some of the backends,
// which it reaches over any family (SEM-203). One that terminates can be the
// only local one.
func (n *naive) holdsSome(client naiveEnd, away bool, found []naiveBackend) bool {
	own := func(b naiveBackend) bool {
		return (b.ready || b.last) && (b.end.node == client.node || mayBeItsOwn(client, b.end))
	}
	return client.isNode && !client.at && !away && n.when(slices.ContainsFunc(found, own), "SEM-203")
}

// newPath returns a path that begins at d.
func (d naiveDoor) newPath(fam reach.Family) naivePath {
	return naivePath{door: d.kind, service: rawNamespace(d.svc.ObjectMeta) + "/" + d.svc.Name, addr: d.addr, fam: fam}
}

// stopped returns a path that ends at d.
func (d naiveDoor) stopped(fam reach.Family, why reach.Outcome) []naivePath {
	p := d.newPath(fam)
	p.stop = why
	return []naivePath{p}
}

// proxied: the connection leaves for the balancer, which connects to the
// cluster by itself, over any family of the Service (SEM-268). It may heed the
// source ranges (SEM-273).
func (n *naive) proxied(q naiveAsk, d naiveDoor) []naivePath {
	if why, stops := n.withoutBackends(d, n.usable); stops {
		return d.stopped(reach.AnyFamily, why)
	}
	var paths []naivePath
	var held, others []reach.Family // by which the client comes to the balancer
	for _, fam := range q.fams {
		switch {
		case d.addr.IsValid() && familyOfAddr(d.addr) != fam, !n.speaks(q.client, fam):
			paths = append(paths, d.stopped(fam, reach.NoFamily)...)
		case n.when(n.inRanges(d.svc, q.client, fam) != admitted, "SEM-273"):
			others = append(others, fam)
		default:
			held = append(held, fam)
		}
	}
	if len(held)+len(others) == 0 {
		return paths
	}
	for _, fam := range d.of {
		if n.when(len(n.usable(n.backends(d.svc, d.port, fam))) == 0, "SEM-275") {
			paths = append(paths, d.stopped(fam, reach.NoEndpoints)...)
			continue
		}
		if len(held) > 0 {
			paths = append(paths, n.beyond(q, d, fam, held[0])...)
		}
		if len(others) > 0 {
			for _, p := range n.beyond(q, d, fam, others[0]) {
				if p.allowed { // but the balancer may keep it out
					p.allowed, p.stop = false, reach.Unknown
				}
				paths = append(paths, p)
			}
		}
	}
	return paths
}

// beyond: a balancer connects to a node port, or if there is none, to the pods.
// If its address is not known, it is unknown whether a backend admits it, unless
// that admits everything (SEM-268).
func (n *naive) beyond(q naiveAsk, d naiveDoor, fam, outFam reach.Family) []naivePath {
	found := n.backends(d.svc, d.port, fam)
	known := q.balancer.IsValid() && familyOfAddr(q.balancer) == fam
	var as naiveEnd
	if known {
		as = n.end(q.balancer.String())
	}
	onlyLocal, hides := false, false
	if hasNodePort(d.svc, d.port) {
		onlyLocal, hides = n.table(naiveDoor{kind: reach.NodePort, svc: d.svc}, as, true)
	}
	ways, perhaps := n.waysFromOutside(found, onlyLocal, known && hides)
	paths := n.unlessLocal(d, fam, ways, len(perhaps) > 0)
	if len(perhaps) > 0 {
		paths[0].perhaps = perhaps
	}
	for _, w := range ways {
		p := d.newPath(fam)
		p.backend, p.port = textOfEnd(w.to.end), w.to.port
		if n.when(w.to.many, "SEM-224") {
			p.stop, p.many = reach.Unknown, w.to.addr
			paths = append(paths, p)
			continue
		}
		s := naiveSight{client: q.client, out: naiveEnd{id: "balancer"}, outPort: q.port, outFam: outFam, backend: w.to.end, port: w.to.port, in: as}
		if d.addr.IsValid() {
			s.out = naiveEnd{id: "addr:" + d.addr.String(), addrs: []netip.Addr{d.addr}}
		}
		switch {
		case !known:
			paths = append(paths, n.fromSomeone(p, s))
			continue
		case hides:
			s.in, p.hidden = n.hiding(w, fam), true
			n.when(w.node == w.to.end.node && w.to.end.policed, "SEM-272")
		}
		if hides || onlyLocal {
			p.node = w.node
		}
		paths = append(paths, n.judge(p, s))
	}
	return paths
}

// fromSomeone judges a path of a balancer that is not known.
func (n *naive) fromSomeone(p naivePath, s naiveSight) naivePath {
	everyone := true
	var one naivePath
	for _, a := range n.anyOutside(p.fam) {
		s.in = n.end(a.String())
		one = n.judge(p, s)
		everyone = everyone && one.allowed
	}
	one.source, one.sourceAt = "balancer", netip.Addr{}
	refuses := n.side(naiveFlow{s.client, s.out, s.outPort, s.outFam}, networkingv1.PolicyTypeEgress) == refused
	if one.stop != reach.NoFamily && n.when(!everyone && !refuses, "SEM-268") {
		one.allowed, one.stop = false, reach.Unknown
	}
	return one
}

// translated: a node translates the connection, and may hide the client.
func (n *naive) translated(q naiveAsk, d naiveDoor, fam reach.Family) []naivePath {
	outside := q.client.node == ""
	away := !outside && d.node != nil && d.node.node != q.client.node
	found := n.withReplicas(q.client, n.backends(d.svc, d.port, fam))
	onlyLocal, hides := n.table(d, q.client, outside || away)
	var ways []naiveWay
	var unknown bool
	var perhaps []string
	switch {
	case outside && d.node == nil && n.nodeOfDoor(d) != "":
		n.reach("SEM-282")
		ways, unknown = n.waysBy(found, onlyLocal, n.nodeOfDoor(d))
		for _, b := range found {
			if unknown && mayBeOne(b.node, n.nodeOfDoor(d)) && n.couldStandIn(found, b, n.nodeOfDoor(d)) {
				perhaps = append(perhaps, textOfEnd(b.end))
			}
		}
	case outside && d.node == nil:
		ways, perhaps = n.waysFromOutside(found, onlyLocal, hides)
		unknown = len(perhaps) > 0
	case outside || away:
		n.when(away, "SEM-283")
		ways, unknown = n.waysBy(found, onlyLocal, d.node.node)
	default:
		for i, b := range found {
			if b.end.id == q.client.id && b.end.spec != nil && b.node != "" {
				found[i].node = q.client.node // whatever else is known of that (SEM-287)
			}
		}
		ways, unknown = n.waysBy(found, onlyLocal, q.client.node)
	}
	paths := n.unlessLocal(d, fam, ways, unknown)
	if len(perhaps) > 0 {
		paths[0].perhaps = perhaps
	}
	for _, w := range ways {
		paths = append(paths, n.toBackend(q, d, fam, w, hides, away))
	}
	return paths
}

// nodeOfDoor returns the id of the node that has the address of a door, or "":
// what comes to it is received by that node alone (SEM-282).
func (n *naive) nodeOfDoor(d naiveDoor) string {
	if !d.addr.IsValid() || d.kind == reach.ClusterIP {
		return ""
	}
	if ends := n.withAddr(d.addr); len(ends) == 1 && ends[0].isNode && ends[0].spec == nil {
		return ends[0].node
	}
	return ""
}

// couldStandIn reports whether b is among the backends that are used if they
// are on a node: a ready one, or where no ready one is or may be there, any.
func (n *naive) couldStandIn(found []naiveBackend, b naiveBackend, node string) bool {
	return b.ready || b.last && !slices.ContainsFunc(found, func(o naiveBackend) bool {
		return o.ready && (o.node == node || mayBeOne(o.node, node))
	})
}

// unlessLocal returns the path that ends because backends must be local.
func (n *naive) unlessLocal(d naiveDoor, fam reach.Family, ways []naiveWay, unknown bool) []naivePath {
	switch {
	case n.when(unknown, "SEM-270", "SEM-213"):
		return d.stopped(fam, reach.Unknown)
	case len(ways) == 0:
		return d.stopped(fam, reach.NoLocalEndpoints)
	}
	return nil
}

// A naiveWay is a backend and the node that translates on the way to it.
type naiveWay struct {
	to   naiveBackend
	node string
}

// waysFromOutside: each backend can be reached by each node, or if only local
// ones count, by its own (SEM-282). Where nodes do not matter, one way stands
// for those by all of them.
func (n *naive) waysFromOutside(found []naiveBackend, onlyLocal, nodes bool) (ways []naiveWay, perhaps []string) {
	if onlyLocal {
		seen := map[string]bool{}
		for _, b := range found {
			if b.node != "" && !seen[b.node] {
				seen[b.node] = true
				there, maybe := n.local(found, b.node)
				for _, o := range there {
					ways = append(ways, naiveWay{o, b.node})
				}
				for _, o := range found {
					if maybe && len(there) == 0 && o.node == b.node && o.last {
						perhaps = append(perhaps, textOfEnd(o.end))
					}
				}
			}
		}
		return ways, perhaps
	}
	for _, b := range n.usable(found) {
		by := []string{""}
		if nodes {
			by = n.receivers(b)
		}
		for _, node := range by {
			ways = append(ways, naiveWay{b, node})
		}
	}
	return ways, nil
}

// waysBy is the ways by one node.
func (n *naive) waysBy(found []naiveBackend, onlyLocal bool, node string) (ways []naiveWay, unknown bool) {
	there := n.usable(found)
	if onlyLocal {
		there, unknown = n.local(found, node)
	}
	for _, b := range there {
		ways = append(ways, naiveWay{b, node})
	}
	return ways, unknown
}

// inRanges: the source ranges of one family do not restrict the other, and
// nodes pass only if the ranges hold them (SEM-273).
func (n *naive) inRanges(svc *corev1.Service, client naiveEnd, fam reach.Family) naiveSay {
	var ranges []string
	for _, r := range svc.Spec.LoadBalancerSourceRanges {
		if base, _ := rawCIDR(strings.TrimSpace(r)); familyOfAddr(base) == fam {
			ranges = append(ranges, strings.TrimSpace(r))
		}
	}
	if len(ranges) == 0 {
		return admitted
	}
	held := func(a netip.Addr) bool {
		return slices.ContainsFunc(ranges, func(r string) bool { base, bits := rawCIDR(r); return base.Is4() == a.Is4() && rawHolds(base, bits, a) })
	}
	addrs := client.addrsOf(fam)
	if client.isNode && client.spec == nil && !client.at {
		addrs = n.masquerade(client.node, fam)
	}
	switch {
	case len(addrs) == 0 && slices.ContainsFunc(ranges, func(r string) bool { _, bits := rawCIDR(r); return bits == 0 }):
		return admitted
	case len(addrs) == 0:
		return unsure
	case held(addrs[0]):
		return admitted
	}
	return refused
}

// receivers: for each backend, what comes from outside is received by each node,
// by its own one, and without Node objects by one more (SEM-282).
func (n *naive) receivers(b naiveBackend) []string {
	n.reach("SEM-282")
	nodes := n.nodeIDs()
	for _, pod := range n.c.Pods { // also those that have ended
		if pod.Spec.NodeName != "" {
			nodes = append(nodes, "node:"+pod.Spec.NodeName)
		}
	}
	for _, s := range n.c.EndpointSlices {
		for _, e := range s.Endpoints {
			if e.NodeName != nil && *e.NodeName != "" {
				nodes = append(nodes, "node:"+*e.NodeName)
			}
		}
	}
	for _, o := range n.c.Endpoints {
		for _, s := range o.Subsets {
			for _, a := range slices.Concat(s.Addresses, s.NotReadyAddresses) {
				if a.NodeName != nil && *a.NodeName != "" {
					nodes = append(nodes, "node:"+*a.NodeName)
				}
			}
		}
	}
	if b.end.node != "" {
		nodes = append(nodes, b.end.node)
	}
	if len(n.c.Nodes) == 0 {
		nodes = append(nodes, aNode)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// masquerade returns the address by which a node hides clients, or none if it
// is not known (SEM-284).
func (n *naive) masquerade(id string, fam reach.Family) []netip.Addr {
	of := func(addrs []netip.Addr) []netip.Addr {
		return slices.DeleteFunc(addrs, func(a netip.Addr) bool { return familyOfAddr(a) != fam })
	}
	for _, kind := range []corev1.NodeAddressType{corev1.NodeInternalIP, corev1.NodeExternalIP} {
		for _, node := range n.c.Nodes {
			for _, a := range node.Status.Addresses {
				if id == "node:"+node.Name && a.Type == kind && familyOfAddr(rawAddr(a.Address)) == fam {
					n.reach("SEM-284")
					return []netip.Addr{rawAddr(a.Address)}
				}
			}
		}
	}
	reported := of(n.nodeAddrs(id))
	slices.SortFunc(reported, netip.Addr.Compare)
	if len(reported) > 0 {
		return reported[:1]
	}
	return nil
}

// table is that of SEM-271: which backends, and whether the source is the node.
// What the client is decides whether it is masqueraded (SEM-278).
func (n *naive) table(d naiveDoor, client naiveEnd, outside bool) (onlyLocal, hides bool) {
	s := d.svc.Spec
	internalLocal := s.InternalTrafficPolicy != nil && *s.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal
	externalLocal := s.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	n.reach("SEM-271")
	switch isClusterIP := d.kind == reach.ClusterIP; {
	case outside && isClusterIP:
		onlyLocal, hides = internalLocal, true
	case outside:
		onlyLocal, hides = externalLocal, !externalLocal
		n.when(!externalLocal, "SEM-265")
		n.when(externalLocal, "SEM-266")
	case client.isNode && isClusterIP:
		onlyLocal, hides = internalLocal, true
	case client.isNode:
		onlyLocal, hides = false, true
	case isClusterIP:
		onlyLocal, hides = internalLocal, false
		n.reach("SEM-251")
	default:
		onlyLocal, hides = false, !externalLocal
	}
	n.when(onlyLocal && d.kind == reach.ClusterIP, "SEM-270")
	switch n.p.ServiceSNAT {
	case reach.SNATNever:
		n.reach("SEM-278")
		hides = false
	case reach.SNATAlways:
		n.reach("SEM-278")
		hides = true
	}
	return onlyLocal, hides
}

// hiding returns the node that a backend sees in place of a client.
func (n *naive) hiding(w naiveWay, fam reach.Family) naiveEnd {
	node := n.nodeEnd(w.node)
	node.addrs = n.masquerade(w.node, fam)
	return node
}

// toBackend judges the path to one backend (SEM-250) by one node.
func (n *naive) toBackend(q naiveAsk, d naiveDoor, fam reach.Family, w naiveWay, hides, away bool) naivePath {
	n.reach("SEM-250")
	p, b := d.newPath(fam), w.to
	p.node, p.backend, p.port = w.node, textOfEnd(b.end), b.port
	if n.when(b.many, "SEM-224") {
		p.stop, p.many = reach.Unknown, b.addr
		return p
	}
	sight := plainSight(q.client, b.end, b.port)
	sight.away = away
	if hides {
		sight.in = n.hiding(w, fam)
		p.hidden = true
		n.when(w.node == b.end.node && b.end.policed, "SEM-272")
	}
	switch {
	case away: // the client's own node lets it pass untranslated
		sight.out, sight.outPort = *d.node, q.port
	case n.when(n.p.ServiceAddressPoliced, "SEM-255"):
		sight.out, sight.outPort = n.serviceEnd(q, d, fam), q.port
	default:
		n.when(q.client.policed && hides, "SEM-283")
	}
	if !away && n.when(q.client.id == b.end.id && q.client.spec != nil && !q.client.isNode, "SEM-274", "SEM-201") {
		switch n.p.Hairpin {
		case reach.HairpinAllowed:
			sight.out, sight.in = q.client, q.client // as the pod by its own address
			p.hidden = false
			sight.free = true
		case reach.HairpinMasqueraded:
			sight.in = n.hiding(w, fam)
			p.hidden = true
		case reach.HairpinPoliced:
			sight.in = q.client
			p.hidden = false
		}
		sight.hairpin = true
	}
	return n.judge(p, sight)
}

// serviceEnd is what egress policies see that look at the address of the
// Service (SEM-255): whoever has the address otherwise, or nobody.
func (n *naive) serviceEnd(q naiveAsk, d naiveDoor, fam reach.Family) naiveEnd {
	if d.node != nil {
		return *d.node
	}
	e := naiveEnd{id: "service"}
	a := d.addr
	if d.kind == reach.ClusterIP {
		for _, ip := range clusterIPs(d.svc) {
			if familyOfAddr(ip) == fam {
				a = ip
			}
		}
	}
	if a.IsValid() {
		e = naiveEnd{id: "addr:" + a.String(), addrs: []netip.Addr{a}}
		if ends := n.withAddr(a); len(ends) == 1 && d.kind != reach.ClusterIP {
			e = ends[0]
		}
	}
	return e
}

// A naiveSight is what the policies of both sides see of a path.
type naiveSight struct {
	client  naiveEnd
	out     naiveEnd // where the client connects to, as its policies see it
	outPort policy.Port
	outFam  reach.Family // to the balancer; AnyFamily for that of the path
	in      naiveEnd     // who connects, as the policies of the backend see it
	backend naiveEnd
	port    policy.Port

	away    bool // by another node than the client's
	hairpin bool // the client is the backend, but its policies may have a say
	free    bool // and have none
}

// plainSight is what they see of a connection from client to backend.
func plainSight(client, backend naiveEnd, port policy.Port) naiveSight {
	return naiveSight{client: client, out: backend, outPort: port, in: client, backend: backend, port: port}
}

// judge fills in p, each side by what it sees (SEM-283).
func (n *naive) judge(p naivePath, s naiveSight) naivePath {
	p.egressTo, p.egressAt, p.source = textOfEnd(s.out), s.outPort, textOfEnd(s.in)
	if len(s.in.addrs) == 1 {
		p.sourceAt = s.in.addrs[0]
	}
	if s.outFam == reach.AnyFamily && !s.away && n.lacks(s.client, s.backend, p.fam) {
		p.stop = reach.Unknown
		return p
	}
	whole := naiveFlow{s.client, s.backend, s.port, p.fam}
	direct := s.client.id == s.in.id && s.out.id == s.backend.id
	switch {
	case n.when(!n.speaks(s.backend, p.fam) || s.outFam == reach.AnyFamily && !n.speaks(s.client, p.fam) && !whole.fromOwnNode(), "SEM-128"):
		p.stop = reach.NoFamily
		return p
	case n.when(n.p.NotEnforced, "SEM-354"), s.free, n.when(direct && !s.hairpin && s.client.id == s.backend.id, "SEM-200"),
		n.when(p.port.Protocol == policy.SCTP && n.p.SCTP == reach.SCTPBypasses, "SEM-163"):
		p.allowed = true
		return p
	}
	if s.outFam == reach.AnyFamily {
		s.outFam = p.fam
	}
	egress := n.side(naiveFlow{s.client, s.out, s.outPort, s.outFam}, networkingv1.PolicyTypeEgress)
	ingress := n.side(naiveFlow{s.in, s.backend, s.port, p.fam}, networkingv1.PolicyTypeIngress)
	if !s.hairpin && s.in.id == s.backend.id && n.p.Hairpin != reach.HairpinPoliced {
		ingress = admitted // another node sends it back to where it comes from
	}
	switch {
	case egress == refused || ingress == refused:
	case egress == admitted && ingress == admitted:
		p.allowed = true
	default:
		n.reach("SEM-281")
		p.stop = reach.Unknown
	}
	return p
}

// side: what the input lacks refuses nothing (SEM-281): not that a node may be
// the own one, and not the address of a node or of a Service.
func (n *naive) side(f naiveFlow, dir networkingv1.PolicyType) naiveSay {
	if n.passes(f, dir) {
		return admitted
	}
	self, peer := f.sides(dir)
	if peer.isNode && mayBeOne(self.node, peer.node) && dir == networkingv1.PolicyTypeIngress {
		return unsure
	}
	if peer.spec != nil || len(peer.addrsOf(f.fam)) > 0 {
		return refused // the address of a pod that is not known is in no block (SEM-129)
	}
	for _, a := range n.anywhere(f.fam) {
		guess := f
		peer.addrs = []netip.Addr{a}
		if dir == networkingv1.PolicyTypeIngress {
			guess.src = peer
		} else {
			guess.dst = peer
		}
		if n.passes(guess, dir) {
			n.when(peer.isNode, "SEM-284")
			return unsure
		}
	}
	return refused
}

// textOfEnd returns a text that finds e, but for the ends that have none.
func textOfEnd(e naiveEnd) string {
	if e.at || strings.HasPrefix(e.id, "addr:") {
		return e.addrs[0].String()
	}
	return e.id
}

// A naiveExposure is a door that leads from outside to a pod.
type naiveExposure struct {
	service string
	kind    reach.DoorKind
	addr    netip.Addr
	at      policy.Port // of the door
	port    policy.Port // of the pod
	proxied bool
	seenAs  reach.Seen
	in      []netip.Addr // of the sample, those that get in
	unknown []netip.Addr // those of which that is not known
	ownNode bool
}

func (x naiveExposure) key() string {
	return fmt.Sprintf("%s %s %s %s %s %v", x.service, x.kind, x.addr, x.at, x.port, x.proxied)
}

// exposures: the doors that lead from outside to each Service that the pod is a
// usable backend of, and who of the sample, which is outside, gets in
// (SEM-289).
func (n *naive) exposures(pod string, sample []netip.Addr) []naiveExposure {
	e := n.end(pod)
	var all []naiveExposure
	for _, svc := range n.c.Services {
		if !n.isExposed(svc) {
			continue
		}
		for i := range svc.Spec.Ports {
			for _, d := range n.doors(svc, &svc.Spec.Ports[i]) {
				all = append(all, n.exposure(d, e, sample)...)
			}
		}
	}
	return all
}

// exposure is that of one door, or none if it does not lead to the pod.
func (n *naive) exposure(d naiveDoor, pod naiveEnd, sample []netip.Addr) []naiveExposure {
	var ports []policy.Port // of the pod, behind the door
	for _, fam := range []reach.Family{reach.IPv4, reach.IPv6} {
		for _, b := range n.backends(d.svc, d.port, fam) {
			if n.mayBe(b, pod) && (b.ready || b.last) && !slices.Contains(ports, b.port) {
				ports = append(ports, b.port)
			}
		}
	}
	var all []naiveExposure
	for _, port := range ports {
		n.reach("SEM-289")
		all = append(all, n.exposureAt(d, pod, port, sample))
	}
	return all
}

// mayBe reports whether a backend is the pod, or is not known and can be it.
func (n *naive) mayBe(b naiveBackend, pod naiveEnd) bool {
	if b.many {
		return slices.Contains(pod.addrs, b.addr)
	}
	return b.end.id == pod.id
}

// exposureAt is that of one port of the pod.
func (n *naive) exposureAt(d naiveDoor, pod naiveEnd, port policy.Port, sample []netip.Addr) naiveExposure {
	x := naiveExposure{service: rawNamespace(d.svc.ObjectMeta) + "/" + d.svc.Name, kind: d.kind, addr: d.addr, proxied: d.proxied, port: port}
	x.at = rawPort(*d.port, d.port.Port)
	if d.kind == reach.NodePort {
		x.at = rawPort(*d.port, d.port.NodePort)
	}
	onlyLocal, hides := n.table(d, naiveEnd{}, true)
	switch {
	case d.proxied:
		x.seenAs = reach.SeenAsBalancer
	case hides || n.p.ServiceSNAT != reach.SNATNever && !onlyLocal:
		x.seenAs = reach.SeenAsNode
	default:
		x.seenAs = reach.SeenAsClient
	}
	for _, a := range sample {
		q := naiveAsk{client: n.end(a.String()), port: rawPort(*d.port, d.port.Port), fams: []reach.Family{familyOfAddr(a)}}
		inAll, inSome, openlyInAll := true, false, true
		n.eachWorld(func() {
			var in, unknown, openly bool
			for _, p := range n.through(q, d) {
				unknown = unknown || p.stop == reach.Unknown && slices.Contains(p.perhaps, textOfEnd(pod))
				if p.many.IsValid() {
					unknown = unknown || p.stop == reach.Unknown && slices.Contains(pod.addrs, p.many) && !n.isVirtual(p.many)
					continue
				}
				if p.backend != textOfEnd(pod) || p.port != port {
					continue
				}
				in = in || p.allowed
				unknown = unknown || p.stop == reach.Unknown
				if p.allowed && !(p.hidden && p.node == pod.node && n.needsOwnNode(pod, port, p.fam)) {
					openly = true
				}
			}
			inAll, inSome, openlyInAll = inAll && in, inSome || in || unknown, openlyInAll && openly
		})
		switch {
		case inAll:
			x.in = append(x.in, a)
			x.ownNode = x.ownNode || !openlyInAll
		case inSome:
			x.unknown = append(x.unknown, a)
		}
	}
	return x
}

// needsOwnNode reports whether policies would keep out the node of the pod, if
// it were another's (SEM-272, SEM-289).
func (n *naive) needsOwnNode(pod naiveEnd, port policy.Port, fam reach.Family) bool {
	node := n.nodeEnd(pod.node)
	node.addrs, node.node = n.masquerade(pod.node, fam), aNode
	if port.Protocol == policy.SCTP && n.p.SCTP == reach.SCTPBypasses {
		return false
	}
	return !n.p.NotEnforced && !n.passes(naiveFlow{node, pod, port, fam}, networkingv1.PolicyTypeIngress)
}

// dnsServers: the Services that are labeled as such or called kube-dns, or if
// there are none, the pods that are labeled so (SEM-279).
func (n *naive) dnsServers() []string {
	labeled := func(labels map[string]string) bool {
		_, openshift := labels["dns.operator.openshift.io/owning-dns"]
		return labels["k8s-app"] == "kube-dns" || labels["k8s-app"] == "coredns" || labels["app.kubernetes.io/name"] == "coredns" || openshift
	}
	found := map[string]bool{}
	for _, svc := range n.c.Services {
		if labeled(svc.Labels) || rawNamespace(svc.ObjectMeta) == "kube-system" && svc.Name == "kube-dns" {
			found["svc:"+rawNamespace(svc.ObjectMeta)+"/"+svc.Name] = true
		}
	}
	if len(found) == 0 {
		for _, e := range n.known {
			if !e.dead && !strings.HasPrefix(e.id, "replica:") && labeled(e.labels) {
				found[e.id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// dns: the outcomes over UDP and TCP for each server, and whether one of them
// can be asked (SEM-279).
func (n *naive) dns(from string, servers []string) (udp, tcp []reach.Outcome, resolves bool) {
	n.reach("SEM-279")
	for _, server := range servers {
		udp = append(udp, n.trace(from, server, policy.UDP.Port(53), reach.AnyFamily, netip.Addr{}).outcome)
		tcp = append(tcp, n.trace(from, server, policy.TCP.Port(53), reach.AnyFamily, netip.Addr{}).outcome)
	}
	return udp, tcp, slices.ContainsFunc(udp, reach.Outcome.Reachable)
}

// A naiveRoute is what an Ingress forwards to one backend.
type naiveRoute struct {
	ingress, host, path, service, port string
	fault                              bool
	outcomes                           []reach.Outcome // of each controller
}

// routes: the rules in their order, then the default backend. A controller
// connects to the pods themselves (SEM-288).
func (n *naive) routes(controllers ...string) []naiveRoute {
	var all []naiveRoute
	for _, in := range n.c.Ingresses {
		name := rawNamespace(in.ObjectMeta) + "/" + in.Name
		add := func(host, path string, b *networkingv1.IngressBackend) {
			r := naiveRoute{ingress: name, host: host, path: path}
			n.reach("SEM-288", "SEM-280")
			if b == nil || b.Service == nil {
				r.fault = true
				all = append(all, r)
				return
			}
			r.service = rawNamespace(in.ObjectMeta) + "/" + b.Service.Name
			r.port = b.Service.Port.Name
			if r.port == "" {
				r.port = fmt.Sprint(b.Service.Port.Number)
			}
			svc := n.service(rawNamespace(in.ObjectMeta), b.Service.Name)
			var sp *corev1.ServicePort
			if svc != nil {
				for i, p := range svc.Spec.Ports {
					named := p.Name != "" && p.Name == b.Service.Port.Name || b.Service.Port.Name == "" && p.Port == b.Service.Port.Number
					if named && rawProtocol(&p.Protocol) == policy.TCP { // HTTP has no other
						sp = &svc.Spec.Ports[i]
						break
					}
				}
			}
			if sp == nil {
				r.fault = true
			} else {
				for _, c := range controllers {
					r.outcomes = append(r.outcomes, n.forwarded(n.end(c), svc, sp))
				}
			}
			all = append(all, r)
		}
		for _, rule := range in.Spec.Rules {
			if rule.HTTP == nil || len(rule.HTTP.Paths) == 0 {
				if in.Spec.DefaultBackend == nil {
					add(rule.Host, "", nil)
				}
				continue
			}
			for _, p := range rule.HTTP.Paths {
				add(rule.Host, p.Path, &p.Backend)
			}
		}
		if in.Spec.DefaultBackend != nil {
			add("", "", in.Spec.DefaultBackend)
		}
	}
	return all
}

// forwarded is the connection of a controller to the pods behind a port.
func (n *naive) forwarded(controller naiveEnd, svc *corev1.Service, sp *corev1.ServicePort) reach.Outcome {
	q := naiveAsk{client: controller, port: rawPort(*sp, sp.Port), fams: []reach.Family{reach.IPv4, reach.IPv6}}
	if n.when(controller.dead, "SEM-222") {
		return reach.Gone
	}
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return n.summary(n.toAlias(q, svc, nil))
	}
	return n.inBothWorlds(func() []naivePath {
		d := naiveDoor{svc: svc, port: sp, of: n.families(q.client, svc, sp)}
		if why, stops := n.withoutBackends(d, n.usable); stops {
			return d.stopped(reach.AnyFamily, why)
		}
		var paths []naivePath
		for _, fam := range q.fams {
			found := n.usable(n.withReplicas(controller, n.backends(svc, sp, fam)))
			switch {
			case !slices.Contains(d.of, fam), !n.speaks(controller, fam) && !n.holdsSome(controller, false, found):
				paths = append(paths, d.stopped(fam, reach.NoFamily)...)
				continue
			case len(found) == 0:
				paths = append(paths, d.stopped(fam, reach.NoEndpoints)...)
			}
			for _, b := range found {
				paths = append(paths, n.untranslated(controller, d.newPath(fam), b))
			}
		}
		return paths
	}).outcome
}
