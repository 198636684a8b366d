package reachtest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An other is endpoints with which any pod may have a connection: one, or pods that
// differ in nothing but their addresses, or addresses outside the cluster.
type other struct {
	members []member
	pod     *policy.Pod // whose labels and ports they have; nil if policies select none of them
	asked   policy.PortSet

	addrs cidr.Set // of all members; empty if they are not known
	node  bool     // they are one node, which may have several addresses of one family
}

// A member is an endpoint by the text that [reach.Graph.Lookup] understands, or if
// that is empty the outside at some addresses.
type member struct {
	text  string
	addrs cidr.Set
}

// find returns the member of o that has the address of m, in a graph that may not
// be that of the cluster.
func (o *other) find(g *reach.Graph, m meeting) (reach.Endpoint, error) {
	for _, e := range o.members {
		if o.node || o.addrs.IsEmpty() || e.addrs.Contains(m.other) {
			if e.text != "" {
				return g.Lookup(e.text)
			}
			for _, out := range g.Outside() {
				if out.Addrs().Contains(m.other) {
					return out, nil
				}
			}
		}
	}
	return reach.Endpoint{}, fmt.Errorf("nothing has the address %v", m.other)
}

// readOthers fills in the ends that exist, and the ports asked of each.
func (f *future) readOthers(text, ports string) error {
	s, err := f.set(text)
	if err != nil {
		return err
	}
	if s.service != nil {
		return fmt.Errorf("%q: policies do not see Services: name the pods behind it", text)
	}
	ports, anyPort := strings.CutSuffix(strings.TrimSpace(ports), "!")
	if none, err := policy.ParsePortSet(ports); err == nil && none.IsEmpty() {
		return fmt.Errorf("no port is asked about")
	}
	f.looks().at(policy.Ingress-f.direction, s.members...)
	asked, err := portsOf(ports, f.graph.MustLookup("outside:*").Target()) // which declares none
	if err != nil && f.direction == policy.Ingress {
		return fmt.Errorf("ports %q: name them by numbers; which names a pod declares that does not exist is not known", ports)
	}
	byName := err != nil
	alike := f.newGrouping()
	declared := false
	for _, e := range s.members {
		if byName {
			if asked, err = portsOf(ports, e.Target()); err != nil {
				return err
			}
		}
		declared = declared || !asked.Intersect(union(f.declared(), portless)).IsEmpty() || f.direction == policy.Egress && e.Name().Namespace == ""
		if err := alike.add(e, s.addrs(e), asked); err != nil {
			return err
		}
	}
	f.others = alike.groups
	if !declared && !anyPort {
		return undeclared(ports)
	}
	return nil
}

// A grouping puts together pods that differ in nothing but their addresses, as far
// as selectors and rules look at them.
type grouping struct {
	*future
	keys   map[string]bool // of labels that selectors of pods mention
	groups []other
	index  map[string]int
}

func (f *future) newGrouping() *grouping {
	gr := &grouping{future: f, keys: make(map[string]bool), index: make(map[string]int)}
	mention := func(s selector.Selector) {
		for key := range s.Keys() {
			gr.keys[key] = true
		}
	}
	for _, p := range f.model.Policies {
		mention(p.Pods)
		for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
			for _, rule := range p.Half(d).Rules {
				for _, peer := range rule.Peers {
					if pods, ok := peer.(policy.Pods); ok {
						mention(pods.Pods)
					}
				}
			}
		}
	}
	return gr
}

// add adds an endpoint at the given addresses.
func (gr *grouping) add(e reach.Endpoint, addrs cidr.Set, asked policy.PortSet) error {
	name := e.Name()
	if name.Namespace == "" {
		o := other{asked: asked, addrs: addrs, node: name.Name != ""}
		m := member{addrs: addrs}
		if o.node || addrs.IsEmpty() {
			m.text = e.String()
		}
		o.members = []member{m}
		gr.groups = append(gr.groups, o)
		return nil
	}
	pods := gr.podsOf(e)
	if len(pods) == 0 {
		return fmt.Errorf("%v has terminated: nothing reaches it, and it reaches nothing", e)
	}
	for _, p := range pods {
		o := other{asked: asked, addrs: addrs, pod: p}
		m := member{addrs: addrs, text: shortOf(p.Kind) + ":" + p.Name.String()}
		switch {
		case len(pods) > 1:
			o.addrs = addrsOf(p.Addrs)
			m.addrs = o.addrs
		case isAddr(e.String()):
			m.text = e.String() // it is asked about at one of its addresses
		}
		if p.HostNetwork && !gr.profile.HostNetworkAsPods {
			o.pod, o.node = nil, true
		}
		o.members = []member{m}
		gr.join(o)
	}
	return nil
}

// join adds one pod.
func (gr *grouping) join(o other) {
	if o.pod == nil {
		gr.groups = append(gr.groups, o)
		return
	}
	var key strings.Builder
	fmt.Fprintf(&key, "%s %v %v %t", o.pod.Name.Namespace, o.pod.Ports, o.asked, o.addrs.IsEmpty())
	for _, k := range slices.Sorted(maps.Keys(o.pod.Labels)) {
		if gr.keys[k] {
			key.WriteString(" " + k + strconv.Quote(o.pod.Labels[k]))
		}
	}
	if i, ok := gr.index[key.String()]; ok {
		g := &gr.groups[i]
		g.members = append(g.members, o.members...)
		g.addrs = g.addrs.Union(o.addrs)
		return
	}
	gr.index[key.String()] = len(gr.groups)
	gr.groups = append(gr.groups, o)
}

// podsOf returns the pods that an endpoint stands for and that have not terminated:
// the pod or workload that it is, or those of the workload.
func (gr *grouping) podsOf(e reach.Endpoint) []*policy.Pod {
	text := strings.TrimPrefix(e.String(), "replica:")
	kind := ""
	if prefix, _, ok := strings.Cut(text, ":"); ok && !isAddr(text) {
		for _, k := range podKinds {
			if k.short == prefix {
				kind = k.kind
			}
		}
	}
	var pods []*policy.Pod
	for i := range gr.model.Pods {
		p := &gr.model.Pods[i]
		if p.Name == e.Name() && !p.Terminated && (kind == "" || kind == p.Kind) &&
			(!isAddr(text) || slices.Contains(p.Addrs, e.Addrs().First())) {
			pods = append(pods, p)
		}
	}
	if len(pods) > 0 {
		return pods[:1]
	}
	direct := make(map[string]metav1.OwnerReference)
	for _, p := range gr.objects.Pods {
		if p == nil {
			continue
		}
		if owner := metav1.GetControllerOfNoCopy(p); owner != nil {
			direct[p.Namespace+"/"+p.Name] = *owner
		}
	}
	for i := range gr.model.Pods {
		p := &gr.model.Pods[i]
		if p.Terminated || p.Kind != "Pod" || p.Owner == (policy.Owner{}) || p.Name.Namespace != e.Name().Namespace {
			continue
		}
		maker := direct[p.Name.String()]
		if p.Owner.Name == e.Name().Name && (kind == "" || kind == p.Owner.Kind) ||
			maker.Name == e.Name().Name && (kind == "" || kind == maker.Kind) {
			pods = append(pods, p)
		}
	}
	return pods
}

// podKinds are the kinds of pods and workloads as [reach.Graph.Lookup] has them.
var podKinds = [...]struct{ short, kind string }{
	{"pod", "Pod"}, {"deploy", "Deployment"}, {"rs", "ReplicaSet"}, {"sts", "StatefulSet"}, {"ds", "DaemonSet"},
	{"job", "Job"}, {"cj", "CronJob"}, {"rc", "ReplicationController"},
}

func shortOf(kind string) string {
	for _, k := range podKinds {
		if k.kind == kind {
			return k.short
		}
	}
	return kind
}

func isAddr(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

func addrsOf(addrs []netip.Addr) cidr.Set {
	var all []netip.Prefix
	for _, a := range addrs {
		all = append(all, netip.PrefixFrom(a, a.BitLen()))
	}
	return cidr.Of(all...)
}

// families are the addresses of each family.
var families = [...]cidr.Set{
	cidr.Of(netip.PrefixFrom(netip.IPv4Unspecified(), 0)),
	cidr.Of(netip.PrefixFrom(netip.IPv6Unspecified(), 0)),
}

// A meeting is the addresses of any pod and of the other end.
type meeting struct {
	pod, other netip.Addr // other is zero if it is not known, or any of a node
}

// meet returns addresses of one family with which both ends pass: theirs is the way
// of o, and ours that of any pod. It reports false if there are none.
func (f *future) meet(o *other, theirs, ours way, family cidr.Set) (meeting, bool) {
	pod := f.at.Intersect(family)
	if theirs.block != nil {
		pod = pod.Intersect(*theirs.block)
	}
	if o.addrs.IsEmpty() { // it may have either family, and is in no block
		return meeting{pod: pod.First()}, !pod.IsEmpty() && ours.block == nil
	}
	rest := o.addrs.Intersect(family)
	if ours.block != nil {
		rest = rest.Intersect(*ours.block)
	}
	if o.node {
		pod = pod.Minus(o.addrs)
		return meeting{pod: pod.First()}, !pod.IsEmpty() && !rest.IsEmpty()
	}
	if pod.IsEmpty() || rest.IsEmpty() {
		return meeting{}, false
	}
	// They cannot have the same address.
	m := meeting{pod: pod.First()}
	m.other = rest.Minus(addrsOf([]netip.Addr{m.pod})).First()
	if !m.other.IsValid() {
		m.other = rest.First()
		m.pod = pod.Minus(rest).First()
	}
	return m, m.pod.IsValid()
}

// usual is where clusters often have their pods.
var usual = [...]cidr.Set{
	cidr.Of(netip.MustParsePrefix("10.244.0.0/16")), cidr.Of(netip.MustParsePrefix("10.0.0.0/8")), cidr.Of(netip.MustParsePrefix("fd00::/8")),
}

// plain returns the address of w, or one that does as well and that a reader takes
// for that of a new pod.
func (f *future) plain(w *witness) netip.Addr {
	a := w.meeting.pod
	free := f.at.Intersect(families[a.BitLen()>>7])
	if w.block != nil {
		free = free.Intersect(*w.block)
	}
	var used []netip.Addr
	for _, p := range f.model.Pods {
		used = append(used, p.Addrs...)
	}
	for _, n := range f.model.Nodes {
		used = append(used, n.Addrs...)
	}
	if w.meeting.other.IsValid() {
		used = append(used, w.meeting.other)
	}
	free = free.Minus(addrsOf(used))
	for _, s := range append([]cidr.Set{f.model.PodCIDRs}, usual[:]...) {
		if s = s.Intersect(free); !s.IsEmpty() {
			return s.First()
		}
	}
	if !free.IsEmpty() {
		return free.First()
	}
	return a
}

// waysOfOther returns the ways in which the policies of o let connections with any
// pod pass.
func (f *future) waysOfOther(o *other) []way {
	open := []way{{ports: o.asked}}
	if o.pod == nil || f.profile.NotEnforced {
		return open
	}
	direction := policy.Ingress
	if f.direction == policy.Ingress {
		direction = policy.Egress
	}
	ways := f.bypass(o)
	isolated := false
	for _, p := range f.byName[o.pod.Name.Namespace] {
		half := p.Half(direction)
		if !half.Isolates || !p.Pods.Matches(o.pod.Labels) {
			continue
		}
		isolated = true
		for _, rule := range half.Rules {
			w := f.wayOf(rule, o)
			if w.ports.IsEmpty() {
				continue
			}
			var block cidr.Set
			for _, peer := range rule.Peers {
				switch peer := peer.(type) {
				case policy.Anyone:
					ways = append(ways, w)
				case policy.Block:
					block = block.Union(peer.Addrs)
				case policy.Pods:
					w := w
					w.in, w.picked = peer, []selector.Selector{peer.Pods}
					ways = append(ways, w)
				}
			}
			if !block.IsEmpty() && !f.profile.IPBlockSkipsPods {
				w.block = &block
				ways = append(ways, w)
			}
		}
	}
	if !isolated {
		return open
	}
	return ways
}

// waysOfPod returns the ways in which the policies of a namespace let connections of
// any pod in it with o pass.
func (f *future) waysOfPod(namespace string, o *other) []way {
	open := way{ports: o.asked}
	if f.profile.NotEnforced {
		return []way{open}
	}
	var ways []way
	for _, p := range f.byName[namespace] {
		half := p.Half(f.direction)
		if !half.Isolates {
			continue
		}
		open.not = append(open.not, p.Pods)
		for _, rule := range half.Rules {
			w := f.wayOf(rule, o)
			w.picked = []selector.Selector{p.Pods}
			if w.ports.IsEmpty() {
				continue
			}
			var block cidr.Set
			passes := false
			for _, peer := range rule.Peers {
				switch peer := peer.(type) {
				case policy.Anyone:
					passes = true
				case policy.Block:
					block = block.Union(peer.Addrs)
				case policy.Pods:
					passes = passes || o.pod != nil && f.inScope(peer, o.pod.Name.Namespace) && peer.Pods.Matches(o.pod.Labels)
				}
			}
			skips := o.pod != nil && f.profile.IPBlockSkipsPods || o.node && f.profile.IPBlockSkipsNodes
			switch {
			case passes:
				ways = append(ways, w)
			case !block.IsEmpty() && !skips:
				w.block = &block
				ways = append(ways, w)
			}
		}
	}
	return slices.Concat([]way{open}, ways, f.bypass(o))
}

// bypass returns the way of what no policy filters.
func (f *future) bypass(o *other) []way {
	sctp := o.asked.Intersect(policy.NewPortSet(policy.PortRange{Protocol: policy.SCTP, First: 1, Last: 65535}))
	if f.profile.SCTP != reach.SCTPBypasses || sctp.IsEmpty() {
		return nil
	}
	return []way{{ports: sctp}}
}

// wayOf returns the way of a rule through its ports.
func (f *future) wayOf(rule policy.Rule, o *other) way {
	var w way
	var ranges []policy.PortRange
	whole := func(p policy.Protocol) { ranges = append(ranges, policy.PortRange{Protocol: p, First: 1, Last: 65535}) }
	for _, it := range rule.Ports {
		switch {
		case it.Protocol != 0 && it.Protocol == policy.SCTP && f.profile.SCTP == reach.SCTPDropped:
		case it.Protocol == 0:
			whole(policy.TCP)
			whole(policy.UDP)
			if f.profile.SCTP != reach.SCTPDropped {
				whole(policy.SCTP)
			}
			ranges = append(ranges, policy.PortRange{})
		case it.Name != "" && f.direction == policy.Ingress:
			whole(it.Protocol) // any pod may call any port so
			w.names = append(w.names, it)
		case it.Name != "":
			for _, n := range f.numbers(o.pod, it) {
				ranges = append(ranges, rangeOf(it.Protocol.Port(n)))
			}
		case it.First == 0:
			whole(it.Protocol)
		case f.profile.EndPortIgnored:
			ranges = append(ranges, rangeOf(it.Protocol.Port(it.First)))
		default:
			ranges = append(ranges, policy.PortRange{Protocol: it.Protocol, First: it.First, Last: it.Last})
		}
	}
	w.ports = policy.NewPortSet(ranges...).Intersect(o.asked)
	return w
}

// numbers returns the ports that a pod calls by the name of an item.
func (f *future) numbers(pod *policy.Pod, it policy.PortItem) []uint16 {
	var numbers []uint16
	if pod == nil {
		return nil
	}
	for _, p := range pod.Ports {
		counts := p.By == policy.Container || f.profile.NamedPorts == reach.NamedPortsOfAllContainers ||
			p.By == policy.Sidecar && f.profile.NamedPorts == reach.NamedPortsOfSidecars
		if !counts || p.Name != it.Name || p.Port.Protocol != it.Protocol {
			continue
		}
		if numbers = append(numbers, p.Port.Number); f.profile.NamedPortFirst {
			break
		}
	}
	return numbers
}
