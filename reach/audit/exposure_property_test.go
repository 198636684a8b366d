package audit_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// A plain is a cluster as the definitions of exposure in plain words see it: they ask
// for each flow.
type plain struct {
	t       require.TestingT
	c       *policy.Cluster
	profile reach.Profile
	g       *reach.Graph
	model   []policy.Pod // as g.Pods
	ends    []reach.Endpoint
	ports   []policy.Port
	outside []reach.Endpoint
}

func newPlain(t require.TestingT, c *policy.Cluster, profile reach.Profile) *plain {
	g, err := profile.Compile(c)
	require.NoError(t, err)
	m, err := c.Model()
	require.NoError(t, err)
	p := &plain{t: t, c: c, profile: profile, g: g, ends: g.Pods(), outside: g.Outside()}
	p.model = slices.DeleteFunc(m.Pods, func(p policy.Pod) bool { return p.Terminated })
	p.ports = worldOf(t, c, profile).ports
	for _, n := range []uint16{22, 53, 2379, 3306, 5432, 6379, 8000} {
		p.ports = append(p.ports, policy.TCP.Port(n), policy.UDP.Port(n))
	}
	for _, s := range m.Services {
		for _, sp := range s.Ports {
			p.ports = append(p.ports, sp.Port)
			if sp.Target != 0 {
				p.ports = append(p.ports, sp.Port.Protocol.Port(sp.Target))
			}
		}
	}
	if profile.SCTP == reach.SCTPBypasses { // policies do not decide about it
		p.ports = slices.DeleteFunc(p.ports, func(p policy.Port) bool { return p.Protocol == policy.SCTP })
	}
	return p
}

// policed reports whether policies can select the i'th pod.
func (p *plain) policed(i int) bool { return !p.model[i].HostNetwork || p.profile.HostNetworkAsPods }

func (p *plain) isolated(i int, d policy.Direction) bool {
	return p.policed(i) && !p.profile.NotEnforced && p.g.Isolated(p.ends[i], d)
}

func (p *plain) allows(from, to reach.Endpoint, port policy.Port) bool {
	return p.g.Allows(reach.Flow{From: from, To: to, Port: port})
}

func (p *plain) anyPort(holds func(policy.Port) bool) bool {
	return slices.ContainsFunc(p.ports, holds)
}

// others yields pods that policies can select, other than the i'th, or if that is a
// workload, its replica.
func (p *plain) others(i int) []reach.Endpoint {
	var list []reach.Endpoint
	for j, e := range p.ends {
		if j != i && p.policed(j) {
			list = append(list, e)
		}
	}
	if e, err := p.g.Lookup("replica:" + p.ends[i].String()); err == nil && p.policed(i) {
		list = append(list, e)
	}
	return list
}

// declared returns the ports that containers of the i'th pod declare.
func (p *plain) declared(i int) []policy.Port {
	var list []policy.Port
	for _, c := range containersOf(p.c)[p.model[i].Kind+" "+p.model[i].Name.String()] {
		for _, cp := range c.Ports {
			list = append(list, map[string]policy.Protocol{"": policy.TCP, "TCP": policy.TCP, "UDP": policy.UDP, "SCTP": policy.SCTP}[string(cp.Protocol)].Port(uint16(cp.ContainerPort)))
		}
	}
	return list
}

// isPublic reports whether an endpoint outside has public addresses of a family: the
// first or the last one of some block, or the block is that large.
func isPublic(e reach.Endpoint, f reach.Family) bool {
	special := cidr.Set{}
	for _, text := range []string{"100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/8", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "::/3", "4000::/2", "8000::/1"} {
		set, err := cidr.Parse(text)
		if err != nil {
			panic(err)
		}
		special = special.Union(set)
	}
	public := func(a netip.Addr) bool {
		return a.IsGlobalUnicast() && !a.IsPrivate() && !special.Contains(a)
	}
	for pre := range e.Addrs().Prefixes() {
		large := pre.Addr().Is4() && pre.Bits() < 3 || pre.Contains(netip.MustParseAddr("2600::"))
		if pre.Addr().Is4() == (f == reach.IPv4) && (large || public(pre.Addr()) || public(lastOf(pre))) {
			return true
		}
	}
	return false
}

// internet returns the endpoints outside that are public, by family.
func (p *plain) internet(f reach.Family) []reach.Endpoint {
	var list []reach.Endpoint
	for _, e := range p.outside {
		if isPublic(e, f) {
			list = append(list, e)
		}
	}
	return list
}

// everywhere returns the ports on which the i'th pod reaches all public addresses.
func (p *plain) everywhere(i int, f reach.Family) []policy.Port {
	world := p.internet(f)
	var list []policy.Port
	for _, port := range p.ports {
		if len(world) > 0 && !slices.ContainsFunc(world, func(e reach.Endpoint) bool { return !p.allows(p.ends[i], e, port) }) {
			list = append(list, port)
		}
	}
	return list
}

var queryPorts = []policy.Port{policy.UDP.Port(53), policy.TCP.Port(53)}

func hasQuery(ports []policy.Port) bool {
	return slices.Contains(ports, queryPorts[0]) || slices.Contains(ports, queryPorts[1])
}

// hasAll reports whether ports are all of TCP and UDP that are asked for.
func (p *plain) hasAll(ports []policy.Port) bool {
	return !p.anyPort(func(q policy.Port) bool {
		return (q.Protocol == policy.TCP || q.Protocol == policy.UDP) && !slices.Contains(ports, q)
	})
}

func (p *plain) reachesInternet(i int) bool {
	return p.isolated(i, policy.Egress) && (len(p.everywhere(i, reach.IPv4)) > 0 || len(p.everywhere(i, reach.IPv6)) > 0)
}

func (p *plain) dnsOpen(i int, f reach.Family) bool {
	ports := p.everywhere(i, f)
	return hasQuery(ports) && !p.hasAll(ports)
}

func (p *plain) dnsExternal(i int, f reach.Family) bool {
	if hasQuery(p.everywhere(i, f)) {
		return false
	}
	return slices.ContainsFunc(p.outside, func(e reach.Endpoint) bool {
		var open []policy.Port
		for _, port := range p.ports {
			if p.allows(p.ends[i], e, port) {
				open = append(open, port)
			}
		}
		a := e.Addrs().First()
		return a.Is4() == (f == reach.IPv4) && hasQuery(open) && !p.hasAll(open)
	})
}

// blocked reports whether the i'th pod has no way to DNS servers over a protocol that
// policies leave open.
func (p *plain) blocked(i int, over policy.Protocol) bool {
	d, err := p.g.DNS(p.ends[i])
	if err != nil {
		return false
	}
	traces := d.UDP
	if over == policy.TCP {
		traces = d.TCP
	}
	denied := false
	for _, t := range traces {
		if t.Outcome.Reachable() || t.Outcome == reach.Unknown {
			return false
		}
		denied = denied || t.Outcome == reach.None
	}
	return denied
}

// admitsAll reports whether, if policies are for ingress only, all pods of all other
// namespaces reach the i'th on some port.
func (p *plain) admitsAll(i int) bool {
	c := p.c.Clone()
	c.Policies = nil
	for _, np := range p.c.Policies {
		if np = toward(np, policy.Ingress); np != nil {
			c.Policies = append(c.Policies, np)
		}
	}
	g, err := p.profile.Compile(c)
	require.NoError(p.t, err)
	ends := g.Pods()
	var others []reach.Endpoint
	namespaces := make(map[string]bool)
	for j := range ends {
		if ns := p.model[j].Name.Namespace; p.policed(j) {
			namespaces[ns] = true
			if ns != p.model[i].Name.Namespace {
				others = append(others, ends[j])
			}
		}
	}
	return len(namespaces) > 2 && p.anyPort(func(port policy.Port) bool {
		return !slices.ContainsFunc(others, func(e reach.Endpoint) bool {
			return !g.Allows(reach.Flow{From: e, To: ends[i], Port: port})
		})
	})
}

// open reports whether the i'th pod is open to some of ends on a port that is none of
// those given.
func (p *plain) open(i int, ends []reach.Endpoint, but []policy.Port) bool {
	return slices.ContainsFunc(ends, func(e reach.Endpoint) bool {
		return p.anyPort(func(port policy.Port) bool { return !slices.Contains(but, port) && p.allows(e, p.ends[i], port) })
	})
}

func (p *plain) hasDoor(i int) bool {
	return slices.ContainsFunc(p.g.Exposures(p.ends[i]), func(x reach.Exposure) bool { return !x.Clients.IsEmpty() })
}

// dnsServices returns the Services for DNS that have the i'th pod behind them.
func (p *plain) dnsServices(i int) []*policy.Service {
	m, err := p.c.Model()
	require.NoError(p.t, err)
	var list []*policy.Service
	for _, svc := range m.Services {
		isServer := slices.ContainsFunc(p.g.DNSServers(), func(s reach.Target) bool { return s.String() == "svc:"+svc.Name.String() })
		picked := svc.HasSelector && svc.Name.Namespace == p.model[i].Name.Namespace && svc.Selector.Matches(p.model[i].Labels)
		listed := slices.ContainsFunc(svc.Endpoints, func(e policy.ServiceEndpoint) bool { return slices.Contains(p.model[i].Addrs, e.Addr) })
		if isServer && (picked || listed) {
			list = append(list, svc)
		}
	}
	return list
}

func (p *plain) servesDNS(i int) bool {
	return p.policed(i) && (len(p.dnsServices(i)) > 0 || slices.Contains(p.g.DNSServers(), p.ends[i].Target()))
}

// dnsPorts returns the ports of the i'th pod to which its only Service for DNS leads
// from port 53, and 53.
func (p *plain) dnsPorts(i int) []policy.Port {
	ports := slices.Clone(queryPorts)
	for _, svc := range p.dnsServices(i) {
		for _, sp := range svc.Ports {
			if sp.Port.Number != 53 {
				continue
			}
			if sp.TargetName == "" {
				ports = append(ports, sp.Port.Protocol.Port(sp.Target))
			}
			for _, cp := range p.model[i].Ports {
				if cp.Name == sp.TargetName && cp.Port.Protocol == sp.Port.Protocol && cp.By != policy.InitContainer {
					ports = append(ports, cp.Port)
					break
				}
			}
			for _, e := range svc.Endpoints {
				if slices.Contains(p.model[i].Addrs, e.Addr) && e.PortName == sp.Name && e.Port.Protocol == sp.Port.Protocol {
					ports = append(ports, e.Port)
				}
			}
		}
	}
	return ports
}

// bypassed reports whether an address outside that the source ranges of a load
// balancer keep out gets to the i'th pod, directly or by another door of the Service.
func (p *plain) bypassed(i int) bool {
	m, err := p.c.Model()
	require.NoError(p.t, err)
	for _, x := range p.g.Exposures(p.ends[i]) {
		n := slices.IndexFunc(m.Services, func(svc *policy.Service) bool { return svc.Name == x.Door.Service })
		svc := m.Services[n]
		if svc.Kind != policy.LoadBalancer {
			continue
		}
		for _, e := range p.outside {
			a := e.Addrs().First() // ranges do not tell apart the addresses of an endpoint
			f := 0
			if a.Is6() {
				f = 1
			}
			keptOut := svc.HasRanges[f] && !svc.SourceRanges[f].Contains(a)
			direct := p.policed(i) && p.allows(e, p.ends[i], x.Port)
			if keptOut && (direct || x.Door.Kind != reach.LoadBalancer && x.Clients.Contains(a)) {
				return true
			}
		}
	}
	return false
}

// adminPorts are those of the list that the clusters can have.
var adminPorts = []policy.Port{
	policy.TCP.Port(22), policy.TCP.Port(2379), policy.TCP.Port(3306), policy.TCP.Port(5432), policy.TCP.Port(6379),
}

// adminExposed reports whether an address outside gets to the i'th pod on an admin
// port that it declares or that a rule or a Service asks for.
func (p *plain) adminExposed(i int) bool {
	m, err := p.c.Model()
	require.NoError(p.t, err)
	for _, x := range p.g.Exposures(p.ends[i]) {
		if !x.Clients.IsEmpty() && (slices.Contains(adminPorts, x.Port) || slices.Contains(adminPorts, x.Door.Port)) {
			return true
		}
	}
	for _, port := range adminPorts {
		for _, e := range p.outside {
			if !p.policed(i) || !p.allows(e, p.ends[i], port) {
				continue
			}
			if slices.Contains(p.declared(i), port) {
				return true
			}
			for _, match := range p.g.Explain(reach.Flow{From: e, To: p.ends[i], Port: port}).Ingress.Allowing {
				n := slices.IndexFunc(m.Policies, func(np *policy.Policy) bool { return np.Name == match.Rule.Policy })
				if n < 0 {
					continue
				}
				items := m.Policies[n].Ingress.Rules[match.Rule.Index].Ports
				for _, j := range match.Ports {
					if it := items[j]; it.Name != "" || it.First == it.Last && it.First != 0 {
						return true
					}
				}
			}
		}
	}
	return false
}

// renumber gives another number to a port wherever it stands alone.
func renumber(c *policy.Cluster, old, number int32) {
	for _, np := range c.Policies {
		for i := range np.Spec.Ingress {
			renumberRule(np.Spec.Ingress[i].Ports, old, number)
		}
		for i := range np.Spec.Egress {
			renumberRule(np.Spec.Egress[i].Ports, old, number)
		}
	}
	for _, pod := range c.Pods {
		for _, container := range pod.Spec.Containers {
			for i := range container.Ports {
				if cp := &container.Ports[i]; cp.ContainerPort == old && cp.HostPort == 0 {
					cp.ContainerPort = number
				}
			}
		}
	}
	for _, svc := range c.Services {
		for i := range svc.Spec.Ports {
			if sp := &svc.Spec.Ports[i]; sp.TargetPort == intstr.FromInt32(old) {
				sp.TargetPort = intstr.FromInt32(number)
			}
		}
	}
}

func renumberRule(list []networkingv1.NetworkPolicyPort, old, number int32) {
	for i := range list {
		if p := &list[i]; p.Port != nil && *p.Port == intstr.FromInt32(old) && p.EndPort == nil {
			p.Port = new(intstr.FromInt32(number))
		}
	}
}

// Each check of exposure that is about flows speaks of exactly those pods of which its
// definition holds, asked for each flow.
func TestPropertyExposure(t *testing.T) {
	reported := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 5, MaxPods: 5, MaxServices: 2}
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		c.Policies = slices.DeleteFunc(c.Policies, func(np *networkingv1.NetworkPolicy) bool { return np == nil })
		renumber(c, 8080, 5432)
		p := newPlain(t, c, gen.Profiles().Draw(t, "profile"))
		got, findings, err := audit.Opened(p.g)
		require.NoError(t, err)

		definitions := map[string]func(i int) bool{
			"address-exposed": func(i int) bool {
				return p.isolated(i, policy.Ingress) && p.open(i, p.outside, nil)
			},
			"undeclared-port-open": func(i int) bool {
				declared := p.declared(i)
				return p.isolated(i, policy.Ingress) && len(declared) > 0 && p.open(i, slices.Concat(p.outside, p.others(i)), declared)
			},
			"every-namespace-admitted": func(i int) bool { return p.isolated(i, policy.Ingress) && p.admitsAll(i) },
			"internet-open":            p.reachesInternet,
			"dns-open": func(i int) bool {
				return p.isolated(i, policy.Egress) && (p.dnsOpen(i, reach.IPv4) || p.dnsOpen(i, reach.IPv6))
			},
			"dns-external": func(i int) bool {
				return p.isolated(i, policy.Egress) && (p.dnsExternal(i, reach.IPv4) || p.dnsExternal(i, reach.IPv6))
			},
			"dns-blocked": func(i int) bool { return p.isolated(i, policy.Egress) && p.blocked(i, policy.UDP) },
			"dns-no-tcp": func(i int) bool {
				d, err := p.g.DNS(p.ends[i])
				return p.isolated(i, policy.Egress) && err == nil && d.Resolves() && p.blocked(i, policy.TCP)
			},
			"service-exposed":        p.hasDoor,
			"source-ranges-bypassed": p.bypassed,
			"admin-port-exposed":     p.adminExposed,
			"dns-server-exposed":     func(i int) bool { return p.servesDNS(i) && (p.open(i, p.outside, nil) || p.hasDoor(i)) },
			"dns-server-ports": func(i int) bool {
				return p.servesDNS(i) && p.open(i, slices.Concat(p.outside, p.others(i)), p.dnsPorts(i))
			},
		}
		for check, holds := range definitions {
			for i, e := range p.ends {
				if want := holds(i); want != got[check][e] {
					t.Fatalf("%s of %v: is %v, found %v", check, e, want, got[check][e])
				}
			}
		}
		denied := []string{"dns-blocked", "dns-no-tcp"}
		for _, f := range findings {
			reported[f.Check]++
			assert.NotEmpty(t, f.Proof.String(), f.Check)
			if flow := f.Proof.Flow; flow != (reach.Flow{}) && f.Check != "every-namespace-admitted" {
				assert.Equal(t, !slices.Contains(denied, f.Check), p.g.Allows(flow), "%s: %v", f.Check, f.Proof)
			}
		}
	})
	t.Log(reported)
	for _, check := range []string{"address-exposed", "undeclared-port-open", "internet-open", "service-exposed", "admin-port-exposed"} {
		assert.NotZero(t, reported[check], check)
	}
}

// Pods that are asked about together have the same doors, and the others have none.
func TestPropertyDoors(t *testing.T) {
	groups, together := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 2, MaxPods: 9, MaxServices: 2, NoBlocks: rapid.Bool().Draw(t, "no blocks"), NoHostNetwork: true}
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		for _, pod := range c.Pods { // so that more of them are alike
			if first := c.Pods[0]; rapid.IntRange(0, 3).Draw(t, "alike") > 0 {
				pod.Spec.Containers, pod.Labels, pod.Namespace, pod.OwnerReferences = first.Spec.Containers, first.Labels, first.Namespace, nil
				pod.Status.Conditions, pod.Status.Phase, pod.DeletionTimestamp = first.Status.Conditions, first.Status.Phase, first.DeletionTimestamp
			}
		}
		for _, svc := range c.Services {
			if len(svc.Spec.Selector) > 0 && svc.Namespace == c.Pods[0].Namespace {
				svc.Spec.Selector = c.Pods[0].Labels
			}
		}
		for i, pod := range c.Pods {
			pod.Name = fmt.Sprintf("pod-%d", i)
		}
		g, err := gen.Profiles().Draw(t, "profile").Compile(c)
		require.NoError(t, err)
		behind, err := audit.Behind(g)
		require.NoError(t, err)
		seen := make(map[reach.Endpoint]bool)
		for _, group := range behind {
			groups++
			if len(group) > 1 {
				together++
			}
			for _, e := range group {
				seen[e] = true
				if !assert.Equal(t, doorsOf(g, group[0]), doorsOf(g, e), "%v and %v", group[0], e) {
					t.FailNow()
				}
			}
		}
		for _, e := range g.Pods() {
			if !seen[e] {
				assert.Empty(t, g.Exposures(e), "%v", e)
			}
		}
	})
	t.Log(groups, together)
	assert.NotZero(t, together)
}

// doorsOf returns what there is to say of the doors of a pod, without its name.
func doorsOf(g *reach.Graph, e reach.Endpoint) []string {
	var list []string
	for _, x := range g.Exposures(e) {
		list = append(list, fmt.Sprint(x.Door, x.Port, x.SeenAs, x.Clients, x.Unknown, x.OwnNode))
	}
	return list
}
