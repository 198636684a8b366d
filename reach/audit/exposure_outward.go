package audit

import (
	"fmt"
	"net/netip"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// everyAddress is all addresses, by family.
var everyAddress = [...]cidr.Set{parsed("0.0.0.0/0"), parsed("::/0")}

// public is the addresses of the internet, by family: all but those for multicast and
// for special purposes, as the registries of IANA list them.
var public = [...]cidr.Set{
	everyAddress[0].Minus(parsed("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
		"172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3")),
	parsed("2000::/3").Minus(parsed("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")),
}

var (
	linkLocal = parsed("169.254.0.0/16")
	nodeLocal = parsed("169.254.20.10/32") // where pods find the DNS cache of their node by default
)

func parsed(blocks ...string) cidr.Set {
	var all cidr.Set
	for _, b := range blocks {
		all = all.Union(cidr.Of(netip.MustParsePrefix(b)))
	}
	return all
}

var familyOrder = [...]reach.Family{reach.IPv4, reach.IPv6}

// familyIndex returns the index of the family of an address.
func familyIndex(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

var (
	dnsPorts    = portSet(policy.UDP.Port(53), policy.TCP.Port(53))
	tcpAndUDP   = policy.NewPortSet(allOf(policy.UDP), allOf(policy.TCP))
	likelyPorts = []policy.Port{policy.TCP.Port(443), policy.TCP.Port(80)}
)

// isAboutDNS reports whether ports have one of DNS, and not simply all.
func isAboutDNS(ports policy.PortSet) bool {
	return !ports.Intersect(dnsPorts).IsEmpty() && !tcpAndUDP.Minus(ports).IsEmpty()
}

// A reached is what the pods of a class reach outside.
type reached struct {
	at map[reach.Endpoint]policy.PortSet

	// everywhere are the ports on which they reach all public addresses, by family,
	// and example is one of these.
	everywhere [2]policy.PortSet
	example    [2]reach.Endpoint
}

// reachOutside returns what those classes of pods reach outside that have isolated
// pods.
func (x *exposer) reachOutside() map[reach.Class]*reached {
	all := make(map[reach.Class]*reached)
	for _, k := range x.kinds {
		if class, _ := x.s.g.ClassOf(k.pods[0].end); k.isolated[policy.Egress] {
			all[class] = &reached{at: make(map[reach.Endpoint]policy.PortSet)}
		}
	}
	for e := range x.s.g.ClassEdges() {
		r := all[e.From]
		if r == nil || !isOutside(e.To.First()) {
			continue
		}
		ports := x.s.ruled(e.Ports)
		for end := range e.To.Members() {
			r.at[end] = ports
		}
	}
	world := x.world()
	for _, r := range all {
		for f, ends := range world {
			for i, end := range ends {
				if r.everywhere[f] = r.at[end].Intersect(r.everywhere[f]); i == 0 {
					r.everywhere[f], r.example[f] = r.at[end], end
				}
			}
		}
	}
	return all
}

// world returns the endpoints outside that have public addresses, by family.
func (x *exposer) world() (world [2][]reach.Endpoint) {
	for _, e := range x.outside {
		for f := range world {
			if !e.Addrs().Intersect(public[f]).IsEmpty() {
				world[f] = append(world[f], e)
			}
		}
	}
	return world
}

// findOutward reports isolated pods that reach the internet, or port 53 outside.
func (x *exposer) findOutward() {
	internet, dns, external := x.byRule(policy.Egress), x.byRule(policy.Egress), x.byRule(policy.Egress)
	outside := x.reachOutside()
	for _, k := range x.kinds {
		class, _ := x.s.g.ClassOf(k.pods[0].end)
		r := outside[class]
		if r == nil || !k.isolated[policy.Egress] {
			continue
		}
		var world, queries, servers [2]way // by family
		for f := range familyOrder {
			to := func(e reach.Endpoint, ports policy.PortSet, likely ...policy.Port) way {
				if ports.IsEmpty() {
					return way{}
				}
				return way{reach.Flow{From: k.pods[0].end, To: e, Port: onePort(ports, likely...)}, ports}
			}
			ports := r.everywhere[f]
			world[f] = to(r.example[f], ports, likelyPorts...)
			if open := ports.Intersect(dnsPorts); open.IsEmpty() {
				e, open := x.dnsOutside(r, f)
				servers[f] = to(e, open, policy.UDP.Port(53))
			} else if isAboutDNS(ports) {
				queries[f] = to(r.example[f], open, policy.UDP.Port(53))
			}
		}
		internet.add(k.pods, world)
		dns.add(k.pods, queries)
		external.add(k.pods, servers)
	}
	for _, o := range internet.list {
		f := x.aboutOpened(o)
		f.Check = "internet-open"
		f.Message = fmt.Sprintf("%s can connect to all public %s addresses on %s", whom(o.pods), o.by.familyText(), portText(o.ports))
		f.Proof = Proof{o.flow, "allowed, as is every other public address"}
		f.Suggestion = "name the addresses that are needed, or send the traffic through a proxy"
		x.report(f, o.pods)
	}
	for _, o := range dns.list {
		f := x.aboutOpened(o)
		f.Check = "dns-open"
		f.Message = fmt.Sprintf("%s can connect to all public %s addresses on %s, by which data can leave in DNS queries", whom(o.pods), o.by.familyText(), portText(o.ports))
		f.Proof = Proof{o.flow, "allowed, as is every other public address"}
		f.Suggestion = "allow port 53 of the DNS servers of the cluster only"
		x.report(f, o.pods)
	}
	for _, o := range external.list {
		f := x.aboutOpened(o)
		f.Check = "dns-external"
		f.Message = fmt.Sprintf("%s can resolve names outside the cluster: %s at addresses such as %v", whom(o.pods), portText(o.ports), o.flow.To.Addrs().First())
		f.Proof = Proof{o.flow, "allowed"}
		f.Suggestion = "allow port 53 of the DNS servers of the cluster only, unless the pods are meant to ask others"
		x.report(f, o.pods)
	}
}

// dnsOutside returns the first endpoint outside of a family of which port 53 is
// reached, and is not just one of all ports.
func (x *exposer) dnsOutside(r *reached, family int) (reach.Endpoint, policy.PortSet) {
	for _, e := range x.outside {
		if ports := r.at[e]; isAboutDNS(ports) && !e.Addrs().Intersect(everyAddress[family]).Minus(nodeLocal).IsEmpty() {
			return e, ports.Intersect(dnsPorts)
		}
	}
	return reach.Endpoint{}, policy.PortSet{}
}

// A ruleIndex sorts what is open by the rules of a direction that open it.
type ruleIndex struct {
	x     *exposer
	d     policy.Direction
	index map[opener]*opened
	list  []*opened
}

// An opener is a rule that opens something, or where none is found, a namespace.
type opener struct {
	rule      item
	namespace string
	families  [2]bool // over which it is open
}

type opened struct {
	by opener
	entries
}

// A way is a flow that is allowed, on each of some ports. The zero way is none.
type way struct {
	flow  reach.Flow
	ports policy.PortSet
}

func (x *exposer) byRule(d policy.Direction) *ruleIndex {
	return &ruleIndex{x: x, d: d, index: make(map[opener]*opened)}
}

// add adds pods, and the ways that are open to the first of them, by family. Two ways
// are one if the same rule opens the same ports.
func (r *ruleIndex) add(pods []*subjectPod, ways [2]way) {
	var by [2]opener
	for f, w := range ways {
		if by[f] = r.opener(w, pods[0]); !w.ports.IsEmpty() {
			by[f].families[f] = true
		}
	}
	if ways[0].ports.Equal(ways[1].ports) && by[0].rule == by[1].rule && by[0].namespace == by[1].namespace {
		by[0].families[1] = true
		ways[1] = way{}
	}
	for f, w := range ways {
		if w.ports.IsEmpty() {
			continue
		}
		o := r.index[by[f]]
		if o == nil {
			o = &opened{by: by[f]}
			r.index[by[f]] = o
			r.list = append(r.list, o)
		}
		o.add(pods, w.flow, w.ports)
	}
}

// opener returns what opens a way to or from a pod.
func (r *ruleIndex) opener(w way, pod *subjectPod) opener {
	if w.ports.IsEmpty() {
		return opener{}
	}
	if rule, ok := r.x.allowing(w.flow, r.d); ok {
		return opener{rule: rule}
	}
	return opener{namespace: pod.Name.Namespace}
}

// aboutOpened returns a Finding about what opens something.
func (x *exposer) aboutOpened(o *opened) Finding {
	if o.by.namespace != "" {
		return x.s.aboutNamespace(o.pods)
	}
	return x.s.about(o.by.rule.of.object, o.by.rule.field())
}

// familyText returns the families in words.
func (o *opener) familyText() string {
	switch o.families {
	case [...]bool{true, true}:
		return "IPv4 and IPv6"
	case [...]bool{false, true}:
		return "IPv6"
	}
	return "IPv4"
}
