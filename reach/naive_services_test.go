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
	var paths []naivePath
	addr, err := netip.ParseAddr(to)
	ns, name, isService := n.serviceCalled(to)
	switch {
	case err == nil:
		paths = n.toAddr(q, addr.Unmap())
	case isService:
		paths = n.toService(q, n.service(ns, name), nil)
	case strings.ContainsAny(to, ":/"):
		paths = n.toEnd(q, n.end(to))
	default:
		n.reach("SEM-290")
		for _, a := range n.hosts(to) {
			paths = append(paths, n.toAddr(q, a)...)
		}
	}
	return naiveTrace{n.summary(paths), paths}
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
		reach.NoEndpoints, reach.NoFamily, reach.NoServicePort, reach.NotExposed} {
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
		addrs = append(addrs, a.Unmap())
	}
	return addrs
}

// toAddr: the address of a Service is translated, and everything else is an
// ordinary endpoint (SEM-286). The ports of a ClusterIP are those that the
// Service lists (SEM-259); on other addresses only these are translated
// (SEM-269). An external IP that a pod or a node has can mean either, and one
// that several Services claim all of them.
func (n *naive) toAddr(q naiveAsk, a netip.Addr) []naivePath {
	var paths []naivePath
	external := false
	for _, svc := range n.c.Services {
		sp := n.listed(svc, q.port)
		if isHeadless(svc) || svc.Spec.Type == corev1.ServiceTypeExternalName {
			continue // these have no addresses of their own (SEM-262, SEM-263)
		}
		if n.when(slices.Contains(clusterIPs(svc), a), "SEM-286") {
			if n.when(sp == nil, "SEM-259") {
				paths = append(paths, naivePath{stop: reach.NoServicePort})
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
				external = true
				paths = append(paths, n.through(q, naiveDoor{kind: reach.ExternalIP, svc: svc, port: sp, addr: a})...)
			}
		}
	}
	ends := n.withAddr(a)
	owned := len(ends) > 1 || !strings.HasPrefix(ends[0].id, "addr:")
	if len(paths) > 0 && !n.when(external && owned, "SEM-269") {
		return paths
	}
	if len(ends) > 1 {
		return append(paths, naivePath{stop: reach.Unknown}) // it is not known whose it is (SEM-224)
	}
	return append(paths, n.toEnd(q, ends[0])...)
}

// toEnd: a node translates its node ports (SEM-286).
func (n *naive) toEnd(q naiveAsk, e naiveEnd) []naivePath {
	if e.isNode && e.spec == nil {
		for _, svc := range n.c.Services {
			for i, sp := range svc.Spec.Ports {
				if hasNodePorts(svc) && sp.NodePort != 0 && rawPort(sp, sp.NodePort) == q.port {
					n.reach("SEM-286")
					return n.through(q, naiveDoor{kind: reach.NodePort, svc: svc, port: &svc.Spec.Ports[i], node: &e})
				}
			}
		}
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
		if client.dead || e.dead || n.speaks(e, fam) && (n.speaks(client, fam) || f.fromOwnNode()) {
			p.stop = ""
		}
	}
	return p
}

// toService: who asks for a Service by name uses its ClusterIP or what the DNS
// says; who is outside uses the doors that lead there (SEM-285).
func (n *naive) toService(q naiveAsk, svc *corev1.Service, aliases []*corev1.Service) []naivePath {
	outside := q.client.node == ""
	switch {
	case isHeadless(svc) && n.when(outside, "SEM-285"), svc.Spec.Type == corev1.ServiceTypeExternalName && n.when(outside, "SEM-285"):
		return []naivePath{{stop: reach.NotExposed}}
	case svc.Spec.Type == corev1.ServiceTypeExternalName:
		return n.toAlias(q, svc, aliases)
	case isHeadless(svc):
		return n.perFamily(q.client, svc, func(of []reach.Family) []naivePath { return n.headless(q, svc, of) })
	}
	doors := []naiveDoor{{kind: reach.ClusterIP, svc: svc}}
	if outside {
		doors = n.doors(svc)
		if n.when(len(doors) == 0, "SEM-285") {
			return []naivePath{{stop: reach.NotExposed}}
		}
	}
	sp := n.listed(svc, q.port)
	if n.when(sp == nil, "SEM-259") {
		return []naivePath{{stop: reach.NoServicePort}}
	}
	return n.perFamily(q.client, svc, func(of []reach.Family) []naivePath {
		var paths []naivePath
		for _, d := range doors {
			d.port = sp
			paths = append(paths, n.throughOver(q, d, of)...)
		}
		return paths
	})
}

// doors returns those that lead outside (SEM-285), the ports left out.
func (n *naive) doors(svc *corev1.Service) []naiveDoor {
	var doors []naiveDoor
	if isHeadless(svc) || svc.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	if n.when(hasNodePorts(svc), "SEM-285") {
		doors = append(doors, naiveDoor{kind: reach.NodePort, svc: svc})
	}
	doors = append(doors, n.balancers(svc)...)
	for _, ip := range svc.Spec.ExternalIPs {
		n.reach("SEM-269")
		doors = append(doors, naiveDoor{kind: reach.ExternalIP, svc: svc, addr: rawAddr(ip)})
	}
	return doors
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

// hasNodePorts: a load balancer has them too, unless it does without (SEM-285).
func hasNodePorts(svc *corev1.Service) bool {
	switch svc.Spec.Type {
	case corev1.ServiceTypeNodePort:
		return true
	case corev1.ServiceTypeLoadBalancer:
		return svc.Spec.AllocateLoadBalancerNodePorts == nil || *svc.Spec.AllocateLoadBalancerNodePorts
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

// perFamily: of a Service whose one family is not known, the answer is unknown
// unless it is the same for all that are possible (SEM-275).
func (n *naive) perFamily(client naiveEnd, svc *corev1.Service, follow func([]reach.Family) []naivePath) []naivePath {
	if fams := n.familiesOf(svc); len(fams) > 0 {
		return follow(fams)
	}
	possible := n.possibleFamilies(client, svc)
	if len(possible) == 1 {
		return follow(possible)
	}
	v4, v6 := follow([]reach.Family{reach.IPv4}), follow([]reach.Family{reach.IPv6})
	return n.ifEqual(v4, v6, slices.Concat(v4, v6))
}

// possibleFamilies returns those of which backends have known addresses, or if
// there are none, pods or nodes, or else the client, or else both (SEM-275).
func (n *naive) possibleFamilies(client naiveEnd, svc *corev1.Service) []reach.Family {
	var backends, all []netip.Addr
	for _, fam := range []reach.Family{reach.IPv4, reach.IPv6} {
		for _, b := range n.backends(svc, nil, fam) {
			backends = append(backends, b.end.addrs...)
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

// ifEqual returns paths if a and b come to the same, and that it is unknown if
// they do not.
func (n *naive) ifEqual(a, b, paths []naivePath) []naivePath {
	if n.summary(a) != n.summary(b) {
		return []naivePath{{stop: reach.Unknown}}
	}
	return paths
}

// familiesOf: a policy of two families means both, unless there is a list of
// addresses and the policy only prefers them; else the addresses decide, else
// the list of families. Nil is one of the two (SEM-275).
func (n *naive) familiesOf(svc *corev1.Service) []reach.Family {
	n.reach("SEM-275")
	both, spec := []reach.Family{reach.IPv4, reach.IPv6}, svc.Spec
	if p := spec.IPFamilyPolicy; p != nil {
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
	if len(fams) == 0 && isHeadless(svc) && len(spec.Selector) == 0 && spec.IPFamilyPolicy == nil {
		return both
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
	name := svc.Spec.ExternalName
	if ns, name, ok := n.serviceCalled(name); ok {
		if next := n.service(ns, name); next != nil {
			return n.toService(q, next, append(slices.Clone(aliases), svc))
		}
		return []naivePath{{stop: reach.Unknown}}
	}
	var paths []naivePath
	for _, a := range n.hosts(name) {
		paths = append(paths, n.toAddr(q, a)...)
	}
	if len(paths) > 0 {
		return paths
	}
	for _, fam := range q.fams {
		if !n.speaks(q.client, fam) {
			paths = append(paths, naivePath{fam: fam, stop: reach.NoFamily})
			continue
		}
		for _, a := range n.anyOutside(fam) {
			if p := n.direct(q.client, n.end(a.String()), q.port, []reach.Family{fam}); !p.allowed {
				return []naivePath{{stop: reach.Unknown}}
			}
		}
		paths = append(paths, naivePath{door: reach.ExternalName, fam: fam, backend: "any", port: q.port, allowed: true})
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
	many  bool // it is not known who has the address
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
	var paths []naivePath
	for _, fam := range q.fams {
		switch found := n.backends(svc, nil, fam); {
		case !slices.Contains(of, fam):
			paths = append(paths, naivePath{fam: fam, stop: n.withoutBackends(svc, nil, of, onlyReady)})
		default:
			found = onlyReady(n.withReplicas(q.client, found))
			if len(found) == 0 {
				n.reach("SEM-257")
				paths = append(paths, naivePath{fam: fam, stop: n.withoutBackends(svc, nil, of, onlyReady)})
			}
			for _, b := range found {
				p := naivePath{door: reach.Headless, service: rawNamespace(svc.ObjectMeta) + "/" + svc.Name, fam: fam, backend: textOfEnd(b.end), port: q.port}
				if b.many {
					p.stop = reach.Unknown
					paths = append(paths, p)
					continue
				}
				paths = append(paths, n.asFlow(p, plainSight(q.client, b.end, q.port)))
			}
		}
	}
	return paths
}

func onlyReady(found []naiveBackend) []naiveBackend {
	return slices.DeleteFunc(slices.Clone(found), func(b naiveBackend) bool { return !b.ready })
}

// withoutBackends tells why there are none of one family: the Service has none
// at all (SEM-260), or only of the other family (SEM-281).
func (n *naive) withoutBackends(svc *corev1.Service, sp *corev1.ServicePort, of []reach.Family, usable func([]naiveBackend) []naiveBackend) reach.Outcome {
	for _, fam := range of {
		if len(usable(n.backends(svc, sp, fam))) > 0 {
			return reach.NoFamily
		}
	}
	n.reach("SEM-260")
	return reach.NoEndpoints
}

// backends returns what can be behind a port of a Service over a family, also
// what is not ready. Without a port it is every address of the Service.
func (n *naive) backends(svc *corev1.Service, sp *corev1.ServicePort, fam reach.Family) []naiveBackend {
	if n.when(len(svc.Spec.Selector) == 0, "SEM-264") {
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
		if !mine || n.when(s.AddressType == discoveryv1.AddressTypeFQDN, "SEM-264") {
			continue
		}
		for _, e := range s.Endpoints {
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			serving := e.Conditions.Serving == nil || *e.Conditions.Serving
			terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
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
		for _, subset := range o.Subsets {
			for _, port := range subset.Ports {
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
		b := naiveBackend{port: e.port, node: e.node, ready: e.state.ready, last: e.state.last}
		ends := n.withAddr(e.addr)
		b.end, b.many = ends[0], len(ends) > 1
		b.end.at = false // it is the pod or the node itself, over this family
		if b.node == "" {
			b.node = b.end.node
		}
		same := func(o naiveBackend) bool { return o.end.id == b.end.id && (sp == nil || o.port == b.port) }
		if i := slices.IndexFunc(found, same); i >= 0 { // one is as good as the other
			found[i].ready, found[i].last = found[i].ready || b.ready, found[i].last || b.last
			continue
		}
		found = append(found, b)
	}
	return found
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

// local returns the usable ones on a node, and whether others of them may be
// there too (SEM-270).
func (n *naive) local(found []naiveBackend, node string) (there []naiveBackend, unknown bool) {
	var here, maybe []naiveBackend
	for _, b := range found {
		if b.node == node {
			here = append(here, b)
		} else if mayBeOne(b.node, node) {
			maybe = append(maybe, b)
		}
	}
	there = n.usable(here)
	preferred := func(b naiveBackend) bool { return b.ready || b.last && (len(there) == 0 || !there[0].ready) }
	return there, slices.ContainsFunc(maybe, preferred)
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

// through follows a connection through a door.
func (n *naive) through(q naiveAsk, d naiveDoor) []naivePath {
	return n.perFamily(q.client, d.svc, func(of []reach.Family) []naivePath { return n.throughOver(q, d, of) })
}

// throughOver is through for a Service of the families of.
func (n *naive) throughOver(q naiveAsk, d naiveDoor, of []reach.Family) []naivePath {
	var paths []naivePath
	d.of = of
	if why := n.withoutBackends(d.svc, d.port, of, n.usable); why == reach.NoEndpoints {
		paths = d.stopped(reach.AnyFamily, why)
	}
	for _, fam := range q.fams {
		switch {
		case !q.client.dead && !q.client.isNode && n.when(!n.speaks(q.client, fam), "SEM-128"):
			paths = append(paths, naivePath{fam: fam, stop: reach.NoFamily})
		case !slices.Contains(of, fam), d.addr.IsValid() && familyOfAddr(d.addr) != fam,
			d.node != nil && !n.speaks(*d.node, fam):
			n.reach("SEM-275")
			paths = append(paths, naivePath{fam: fam, stop: reach.NoFamily})
		case d.proxied && n.when(n.inRanges(d.svc, q.client, fam) != admitted, "SEM-273"): // it may heed them
			paths = append(paths, d.stopped(fam, reach.Unknown)...)
		case d.proxied:
			paths = append(paths, n.proxied(q, d, fam)...)
		default:
			paths = append(paths, n.translated(q, d, fam)...)
		}
	}
	return paths
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
// cluster by itself (SEM-268). If its address is not known, it is unknown
// whether a backend admits it, unless it admits everything.
func (n *naive) proxied(q naiveAsk, d naiveDoor, fam reach.Family) []naivePath {
	found := n.usable(n.backends(d.svc, d.port, fam))
	if len(found) == 0 {
		return d.stopped(fam, n.withoutBackends(d.svc, d.port, d.of, n.usable))
	}
	var paths []naivePath
	for _, b := range found {
		p := d.newPath(fam)
		p.backend, p.port = textOfEnd(b.end), b.port
		if b.many {
			p.stop = reach.Unknown
			paths = append(paths, p)
			continue
		}
		sight := naiveSight{client: q.client, out: naiveEnd{id: "balancer"}, outPort: q.port, backend: b.end, port: b.port}
		if d.addr.IsValid() {
			sight.out = naiveEnd{id: "addr:" + d.addr.String(), addrs: []netip.Addr{d.addr}}
		}
		paths = append(paths, n.fromBalancer(q, p, sight))
	}
	return paths
}

// fromBalancer judges a path of proxied.
func (n *naive) fromBalancer(q naiveAsk, p naivePath, s naiveSight) naivePath {
	if q.balancer.IsValid() && familyOfAddr(q.balancer) == p.fam {
		s.in = n.end(q.balancer.String())
		return n.judge(p, s)
	}
	everyone := true
	var one naivePath
	for _, a := range n.anyOutside(p.fam) {
		s.in = n.end(a.String())
		one = n.judge(p, s)
		everyone = everyone && one.allowed
	}
	one.source, one.sourceAt = "balancer", netip.Addr{}
	refuses := n.side(naiveFlow{s.client, s.out, s.outPort, p.fam}, networkingv1.PolicyTypeEgress) == refused
	if one.stop != reach.NoFamily && n.when(!everyone && !s.client.dead && !refuses, "SEM-268") {
		one.allowed, one.stop = false, reach.Unknown
	}
	return one
}

// translated: a node translates the connection, and may hide the client.
func (n *naive) translated(q naiveAsk, d naiveDoor, fam reach.Family) []naivePath {
	outside := q.client.node == ""
	if !outside && d.node != nil && d.node.node != q.client.node {
		if !n.when(mayBeOne(d.node.node, q.client.node), "SEM-213") {
			n.reach("SEM-283")
			return n.byNodes(q, d, fam, []string{d.node.node}, true)
		}
		// The node that is asked may be that of the client or not.
		own := n.byNodes(q, d, fam, []string{d.node.node}, false)
		other := n.byNodes(q, d, fam, []string{d.node.node}, true)
		return n.ifEqual(own, other, other)
	}
	if n.when(d.kind == reach.LoadBalancer, "SEM-273") {
		switch n.inRanges(d.svc, q.client, fam) {
		case refused:
			return d.stopped(fam, reach.OutsideSourceRanges)
		case unsure:
			return d.stopped(fam, reach.Unknown)
		}
	}
	switch {
	case !outside:
		return n.byNodes(q, d, fam, []string{q.client.node}, false)
	case d.node != nil:
		return n.byNodes(q, d, fam, []string{d.node.node}, false)
	}
	return n.byNodes(q, d, fam, nil, false)
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
	if client.isNode && !client.at {
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

// receivers: every node receives what comes from outside, those of the backends
// among them, and without Node objects one more (SEM-282).
func (n *naive) receivers(found []naiveBackend) []string {
	n.reach("SEM-282")
	nodes := n.nodeIDs()
	for _, b := range found {
		if b.node != "" {
			nodes = append(nodes, b.node)
		}
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

// byNodes returns the paths by each of the nodes, or if there are none given, by
// all that receive. If away, the client sends to a node that is not its own,
// which sees it as a client from outside (SEM-271, SEM-283).
func (n *naive) byNodes(q naiveAsk, d naiveDoor, fam reach.Family, nodes []string, away bool) []naivePath {
	found := n.withReplicas(q.client, n.backends(d.svc, d.port, fam))
	cluster := n.usable(found)
	if len(cluster) == 0 {
		return d.stopped(fam, n.withoutBackends(d.svc, d.port, d.of, n.usable))
	}
	onlyLocal, hides := n.table(d, q.client, q.client.node == "" || away)
	anyNode := nodes == nil
	switch {
	case anyNode && onlyLocal: // each backend is local to its node
		nodes = n.receivers(slices.DeleteFunc(slices.Clone(found), func(b naiveBackend) bool { return !b.ready && !b.last }))
	case anyNode:
		nodes = n.receivers(cluster)
	}
	var paths []naivePath
	for _, node := range nodes {
		there, unknown := cluster, false
		if onlyLocal {
			there, unknown = n.local(found, node)
		}
		if n.when(unknown && !anyNode, "SEM-270", "SEM-213") {
			paths = append(paths, d.stopped(fam, reach.Unknown)...)
		}
		for _, b := range there {
			paths = append(paths, n.toBackend(q, d, fam, b, node, hides, away))
		}
	}
	if len(paths) == 0 {
		return d.stopped(fam, reach.NoLocalEndpoints)
	}
	return paths
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

// toBackend judges the path to one backend (SEM-250) by one node.
func (n *naive) toBackend(q naiveAsk, d naiveDoor, fam reach.Family, b naiveBackend, node string, hides, away bool) naivePath {
	n.reach("SEM-250")
	p := d.newPath(fam)
	p.node, p.backend, p.port = node, textOfEnd(b.end), b.port
	if n.when(b.many, "SEM-224") {
		p.stop = reach.Unknown
		return p
	}
	sight := plainSight(q.client, b.end, b.port)
	translating := n.nodeEnd(node)
	translating.addrs = n.masquerade(node, fam)
	if hides {
		sight.in = translating
		p.hidden = true
		n.when(node == b.end.node && b.end.policed, "SEM-272")
	}
	switch {
	case away: // the client's own node lets it pass untranslated
		sight.out, sight.outPort = *d.node, q.port
	case n.when(n.p.ServiceAddressPoliced, "SEM-255"):
		sight.out, sight.outPort = n.serviceEnd(q, d, fam), q.port
	default:
		n.when(q.client.policed && hides, "SEM-283")
	}
	if !away && n.when(q.client.id == b.end.id, "SEM-274", "SEM-201") {
		switch n.p.Hairpin {
		case reach.HairpinAllowed:
			sight.out, sight.in = q.client, q.client // as the pod by its own address
			p.hidden = false
			sight.free = true
		case reach.HairpinMasqueraded:
			sight.in = translating
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
	in      naiveEnd // who connects, as the policies of the backend see it
	backend naiveEnd
	port    policy.Port

	hairpin bool // the client is the backend, but its policies may have a say
	free    bool // and have none
}

// plainSight is what they see of a connection from client to backend.
func plainSight(client, backend naiveEnd, port policy.Port) naiveSight {
	return naiveSight{client: client, out: backend, outPort: port, in: client, backend: backend, port: port}
}

// asFlow fills in p without a translation: a flow like any other (SEM-213).
func (n *naive) asFlow(p naivePath, s naiveSight) naivePath {
	p = n.judge(p, s)
	if p.stop == reach.Unknown {
		p.stop = ""
	}
	return p
}

// judge fills in p, each side by what it sees (SEM-283).
func (n *naive) judge(p naivePath, s naiveSight) naivePath {
	p.egressTo, p.egressAt, p.source = textOfEnd(s.out), s.outPort, textOfEnd(s.in)
	if len(s.in.addrs) == 1 {
		p.sourceAt = s.in.addrs[0]
	}
	whole := naiveFlow{s.client, s.backend, s.port, p.fam}
	direct := s.client.id == s.in.id && s.out.id == s.backend.id
	switch {
	case n.when(s.client.dead || s.backend.dead, "SEM-222"):
		return p
	case n.when(!n.speaks(s.backend, p.fam) || !n.speaks(s.client, p.fam) && !whole.fromOwnNode(), "SEM-128"):
		p.stop = reach.NoFamily
		return p
	case n.when(n.p.NotEnforced, "SEM-354"), s.free, n.when(direct && !s.hairpin && s.client.id == s.backend.id, "SEM-200"),
		n.when(p.port.Protocol == policy.SCTP && n.p.SCTP == reach.SCTPBypasses, "SEM-163"):
		p.allowed = true
		return p
	}
	egress := n.side(naiveFlow{s.client, s.out, s.outPort, p.fam}, networkingv1.PolicyTypeEgress)
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
	if peer.isNode && mayBeOne(self.node, peer.node) && (dir == networkingv1.PolicyTypeIngress || n.p.EgressToOwnNodeAllowed) {
		return unsure
	}
	if peer.policed || len(peer.addrsOf(f.fam)) > 0 {
		return refused
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
		for _, d := range n.doors(svc) {
			for i := range svc.Spec.Ports {
				d.port = &svc.Spec.Ports[i]
				for _, fam := range []reach.Family{reach.IPv4, reach.IPv6} {
					if x, ok := n.exposure(d, e, fam, sample); ok {
						all = append(all, x)
					}
				}
			}
		}
	}
	return all
}

// exposure is that of one door over one family.
func (n *naive) exposure(d naiveDoor, pod naiveEnd, fam reach.Family, sample []netip.Addr) (naiveExposure, bool) {
	x := naiveExposure{service: rawNamespace(d.svc.ObjectMeta) + "/" + d.svc.Name, kind: d.kind, addr: d.addr, proxied: d.proxied}
	x.at = rawPort(*d.port, d.port.Port)
	if d.kind == reach.NodePort {
		x.at = rawPort(*d.port, d.port.NodePort)
	}
	of := n.familiesOf(d.svc)
	if possible := n.possibleFamilies(naiveEnd{}, d.svc); len(of) == 0 && len(possible) == 1 {
		of = possible
	}
	if len(of) > 0 && !slices.Contains(of, fam) || d.addr.IsValid() && familyOfAddr(d.addr) != fam {
		return x, false
	}
	found := n.backends(d.svc, d.port, fam)
	mine := func(b naiveBackend) bool { return b.end.id == pod.id }
	usable := n.usable(found)
	if onlyLocal, _ := n.table(d, naiveEnd{}, true); onlyLocal && !d.proxied {
		usable = nil
		for _, b := range found {
			if b.node == pod.node {
				usable, _ = n.local(found, b.node)
			}
		}
	}
	i := slices.IndexFunc(usable, mine)
	if i < 0 {
		return x, false
	}
	n.reach("SEM-289")
	x.port = usable[i].port
	for _, a := range sample {
		if familyOfAddr(a) != fam {
			continue
		}
		q := naiveAsk{client: n.end(a.String()), port: rawPort(*d.port, d.port.Port), fams: []reach.Family{fam}}
		in, unknown, openly := false, false, false
		for _, p := range n.throughOver(q, d, []reach.Family{fam}) {
			if p.backend != "" && p.backend != textOfEnd(usable[i].end) {
				continue
			}
			in = in || p.allowed
			unknown = unknown || p.stop == reach.Unknown
			if p.allowed && !(p.hidden && p.node == pod.node && n.needsOwnNode(pod, x.port, fam)) {
				openly = true
			}
		}
		unknown = unknown || in && len(of) == 0 // the Service may be of the other family
		switch {
		case in && len(of) > 0:
			x.in = append(x.in, a)
			x.ownNode = x.ownNode || !openly
		case unknown:
			x.unknown = append(x.unknown, a)
		}
	}
	return x, true
}

// needsOwnNode reports whether policies would keep out the node of the pod, if
// it were another's (SEM-272, SEM-289).
func (n *naive) needsOwnNode(pod naiveEnd, port policy.Port, fam reach.Family) bool {
	node := n.nodeEnd(pod.node)
	node.addrs, node.node = n.masquerade(pod.node, fam), aNode
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
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return n.summary(n.toAlias(q, svc, nil))
	}
	return n.summary(n.perFamily(q.client, svc, func(of []reach.Family) []naivePath {
		var paths []naivePath
		for _, fam := range q.fams {
			if !slices.Contains(of, fam) {
				paths = append(paths, naivePath{fam: fam, stop: n.withoutBackends(svc, sp, of, n.usable)})
				continue
			}
			found := n.usable(n.withReplicas(controller, n.backends(svc, sp, fam)))
			if len(found) == 0 {
				paths = append(paths, naivePath{fam: fam, stop: n.withoutBackends(svc, sp, of, n.usable)})
			}
			for _, b := range found {
				p := naivePath{fam: fam, backend: textOfEnd(b.end), port: b.port}
				if b.many {
					p.stop = reach.Unknown
					paths = append(paths, p)
					continue
				}
				paths = append(paths, n.asFlow(p, plainSight(controller, b.end, b.port)))
			}
		}
		return paths
	}))
}
