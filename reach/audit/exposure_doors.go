package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"k8s.io/apimachinery/pkg/types"
)

// exposedPods are pods that have the same doors, which let the same clients in.
type exposedPods struct {
	pods  []*subjectPod
	doors []reach.Exposure // of the first of pods
}

// lettingIn returns the doors of a Service that let somebody in.
func (e *exposedPods) lettingIn(service types.NamespacedName) []reach.Exposure {
	var list []reach.Exposure
	for _, x := range e.doors {
		if x.Door.Service == service && !x.Clients.IsEmpty() {
			list = append(list, x)
		}
	}
	return list
}

// doorsOutside returns the Services that have doors for clients outside.
func (s *subject) doorsOutside() []*policy.Service {
	var list []*policy.Service
	for _, svc := range s.model.Services {
		plain := svc.Kind != policy.Headless && svc.Kind != policy.ExternalName
		if svc.Kind == policy.NodePort || svc.Kind == policy.LoadBalancer || plain && len(svc.ExternalIPs) > 0 {
			list = append(list, svc)
		}
	}
	return list
}

// A standing is where a pod stands behind Services that have doors for clients outside.
type standing struct {
	services string // those whose selectors pick it
	listed   bool   // some list of endpoints has an address of it
}

// standings returns the standing of each pod that has one.
func (s *subject) standings(services []*policy.Service) map[*subjectPod]standing {
	inside := make(map[string][]*subjectPod) // by namespace, also those that policies cannot select
	owners := make(map[netip.Addr][]*subjectPod)
	for _, pod := range s.pods {
		inside[pod.Name.Namespace] = append(inside[pod.Name.Namespace], pod)
		for _, a := range pod.Addrs {
			owners[a] = append(owners[a], pod)
		}
	}
	all := make(map[*subjectPod]standing)
	for i, svc := range services {
		for _, pod := range inside[svc.Name.Namespace] {
			if inFront(svc, pod) {
				of := all[pod]
				of.services += strconv.Itoa(i) + " "
				all[pod] = of
			}
		}
		for _, e := range svc.Endpoints {
			for _, pod := range owners[e.Addr] {
				of := all[pod]
				of.listed = true
				all[pod] = of
			}
		}
	}
	return all
}

// families are those of addresses that are known.
type families [2]bool

func familiesOf(addrs []netip.Addr) (f families) {
	for _, a := range addrs {
		f[familyIndex(a)] = true
	}
	return f
}

// A nodeKind is nodes that are alike when they hide a client.
type nodeKind struct {
	class    reach.Class
	families families
}

// exposed returns the pods behind Services that have doors for clients outside.
//
// Pods that no policy tells apart, on nodes that none tells apart, and behind the
// same Services, have the same doors: to ask for one of them is enough, and to ask
// for all takes long. But a door at the address of a node may lead to the pods on
// that node only, and what lists of endpoints name is for each pod.
func (x *exposer) exposed() []exposedPods {
	services := x.s.doorsOutside()
	standings := x.s.standings(services)
	atNodes := slices.ContainsFunc(services, x.s.atNode)
	nodes := make(map[string]nodeKind)
	for i, n := range x.s.g.Nodes() { // in the order of the model
		class, _ := x.s.g.ClassOf(n)
		nodes[n.Name().Name] = nodeKind{class, familiesOf(x.s.model.Nodes[i].Addrs)}
	}
	type key struct {
		class                      reach.Class
		families                   families
		ports                      string
		of                         standing
		ready, pending, terminates bool
		on                         nodeKind
		node                       string // if there are doors at nodes
		index                      int    // of a pod that is listed
	}
	index := make(map[key]int)
	var groups []exposedPods
	for _, pod := range x.s.pods {
		of, ok := standings[pod]
		if !ok {
			continue
		}
		k := key{
			families: familiesOf(pod.Addrs), ports: pod.portsText, of: of, on: nodes[pod.Node],
			ready: pod.Ready, pending: pod.Pending, terminates: pod.Terminating,
		}
		k.class, _ = x.s.g.ClassOf(pod.end)
		if atNodes {
			k.node = pod.Node
		}
		if of.listed {
			k.index = pod.index
		}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, exposedPods{doors: x.s.g.Exposures(pod.end)})
		}
		groups[i].pods = append(groups[i].pods, pod)
	}
	return groups
}

// atNode reports whether a Service has a door at the address of a node.
func (s *subject) atNode(svc *policy.Service) bool {
	at := slices.Clone(svc.ExternalIPs)
	for _, b := range svc.Balancers {
		at = append(at, b.Addr)
	}
	return slices.ContainsFunc(s.model.Nodes, func(n policy.Node) bool {
		return slices.ContainsFunc(n.Addrs, func(a netip.Addr) bool { return slices.Contains(at, a) })
	})
}

// findDoors reports the Services through which clients outside come to pods.
func (x *exposer) findDoors() {
	x.behind = x.exposed()
	for _, svc := range x.s.doorsOutside() {
		x.findOpenDoors(svc)
		x.findBypass(svc)
	}
}

// doorways are doors of a Service that let clients outside in to pods.
type doorways struct {
	pods  []*subjectPod
	names []string
	first reach.Exposure
	ports policy.PortSet
}

// add adds a door to the first of pods. It may be to the same pods as the one before.
func (d *doorways) add(pods []*subjectPod, door reach.Exposure, ports policy.PortSet) {
	if len(d.pods) == 0 {
		d.first = door
	}
	if n := len(d.pods); n == 0 || d.pods[n-1] != pods[len(pods)-1] {
		d.pods = append(d.pods, pods...)
	}
	if name := doorText(door.Door); !slices.Contains(d.names, name) {
		d.names = append(d.names, name)
	}
	d.ports = union(d.ports, ports)
}

// findOpenDoors reports a Service through which clients outside come to pods, and
// again if they come to ports for administration.
func (x *exposer) findOpenDoors(svc *policy.Service) {
	var all, admin doorways
	for i := range x.behind {
		e := &x.behind[i]
		for _, o := range e.lettingIn(svc.Name) {
			ports := portSet(o.Port, o.Door.Port)
			all.add(e.pods, o, ports)
			if ports = ports.Intersect(adminSet); !ports.IsEmpty() {
				admin.add(e.pods, o, ports)
			}
		}
	}
	if pods := distinct(all.pods); len(pods) > 0 {
		f := aboutPlace(svc.Place(doorField(svc)))
		f.Check = "service-exposed"
		f.Message = fmt.Sprintf("clients outside the cluster reach %s through %s", whom(pods), list(all.names))
		f.Proof.Text = all.first.String()
		f.Suggestion = "make it a ClusterIP if only pods use it; otherwise let the policies of the pods, and loadBalancerSourceRanges, say who may come"
		x.report(f, pods)
	}
	if pods := distinct(admin.pods); len(pods) > 0 {
		f := aboutPlace(svc.Place(doorField(svc)))
		f.Check = "admin-port-exposed"
		f.Message = fmt.Sprintf("clients outside the cluster reach %s at %s through %s", adminText(admin.ports), whom(pods), list(admin.names))
		f.Proof.Text = admin.first.String()
		f.Suggestion = "make it a ClusterIP, and let those who need the port come by way of the cluster"
		x.report(f, pods)
	}
}

// doorField returns the field that opens a Service to the world.
func doorField(svc *policy.Service) string {
	if svc.Kind == policy.NodePort || svc.Kind == policy.LoadBalancer {
		return "spec.type"
	}
	return "spec.externalIPs"
}

// doorText returns a door without its Service.
func doorText(d reach.Door) string {
	text, _, _ := strings.Cut(d.String(), " of svc:")
	return text
}

// findBypass reports a Service of which the source ranges of its load balancer keep
// out addresses that get in otherwise.
func (x *exposer) findBypass(svc *policy.Service) {
	if svc.Kind != policy.LoadBalancer || !svc.HasRanges[0] && !svc.HasRanges[1] {
		return
	}
	var pods []*subjectPod
	var ways []string
	var proof Proof
	way := func(text string, p Proof) {
		if len(ways) == 0 {
			proof = p
		}
		if !slices.Contains(ways, text) {
			ways = append(ways, text)
		}
	}
	for i := range x.behind {
		e := &x.behind[i]
		found := false
		for _, o := range e.doors {
			if o.Door.Service != svc.Name {
				continue
			}
			if f, ok := x.direct(svc, e.pods[0], o.Port); ok {
				way("directly at "+o.Port.String(), Proof{f, "allowed, and loadBalancerSourceRanges do not hold the address"})
				found = true
			}
			if o.Door.Kind != reach.LoadBalancer && !keptOut(svc, o.Clients).IsEmpty() {
				way("through "+doorText(o.Door), Proof{Text: o.String()})
				found = true
			}
		}
		if found {
			pods = append(pods, e.pods...)
		}
	}
	if pods = distinct(pods); len(pods) == 0 {
		return
	}
	f := aboutPlace(svc.Place("spec.loadBalancerSourceRanges"))
	f.Check = "source-ranges-bypassed"
	f.Message = fmt.Sprintf("addresses that loadBalancerSourceRanges keep out reach %s all the same, %s", whom(pods), list(ways))
	f.Proof = proof
	f.Suggestion = "allow only the same ranges in the policies of the pods; and set allocateLoadBalancerNodePorts to false, or externalTrafficPolicy to Local, so that the policies see who comes to a node port"
	x.report(f, pods)
}

// direct returns a flow to a backend from an address outside that source ranges keep
// out, if policies allow one.
func (x *exposer) direct(svc *policy.Service, pod *subjectPod, port policy.Port) (reach.Flow, bool) {
	if x.kindOf[pod.index] < 0 {
		return reach.Flow{}, false // it is a node to policies
	}
	for _, e := range x.outside {
		f := reach.Flow{From: e, To: pod.end, Port: port}
		if !keptOut(svc, e.Addrs()).IsEmpty() && x.s.g.Allows(f) {
			return f, true
		}
	}
	return reach.Flow{}, false
}

// keptOut returns those of addresses that the source ranges of a Service keep out.
func keptOut(svc *policy.Service, addrs cidr.Set) cidr.Set {
	var out cidr.Set
	for f, all := range everyAddress {
		if svc.HasRanges[f] {
			out = out.Union(addrs.Intersect(all).Minus(svc.SourceRanges[f]))
		}
	}
	return out
}
