package audit

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// findDNS reports pods that are isolated for egress and cannot resolve names at the
// DNS servers of the cluster, or only over UDP, by namespace.
func (x *exposer) findDNS() {
	servers := x.s.g.DNSServers()
	if len(servers) == 0 {
		return
	}
	type namespace struct{ blocked, noTCP []*subjectPod }
	found := make(map[string]*namespace)
	var order []string
	for _, pod := range x.held.pods {
		if !x.kinds[x.kindOf[pod.index]].isolated[policy.Egress] || x.asksCache(pod) {
			continue
		}
		udp := x.asks(pod, servers, policy.UDP)
		noTCP := udp.Reachable() && x.asks(pod, servers, policy.TCP) == reach.None
		if udp != reach.None && !noTCP {
			continue
		}
		ns := found[pod.Name.Namespace]
		if ns == nil {
			ns = new(namespace)
			found[pod.Name.Namespace] = ns
			order = append(order, pod.Name.Namespace)
		}
		if noTCP {
			ns.noTCP = append(ns.noTCP, pod)
		} else {
			ns.blocked = append(ns.blocked, pod)
		}
	}
	for _, name := range order {
		ns := found[name]
		if pods := ns.blocked; len(pods) > 0 {
			f := x.aboutDenied(pods, policy.UDP, servers)
			f.Check = "dns-blocked"
			f.Message = fmt.Sprintf("%s cannot resolve names: policies deny UDP to the DNS servers of the cluster, %s", whom(pods), targetNames(servers))
			f.Suggestion = "allow egress to the pods of the DNS servers over UDP and TCP, on the ports that port 53 leads to, for all pods of the namespace"
			x.report(f, pods)
		}
		if pods := ns.noTCP; len(pods) > 0 {
			f := x.aboutDenied(pods, policy.TCP, servers)
			f.Check = "dns-no-tcp"
			f.Message = fmt.Sprintf("%s can resolve names over UDP only: policies deny TCP to the DNS servers of the cluster, %s", whom(pods), targetNames(servers))
			f.Suggestion = "allow the same port over TCP"
			x.report(f, pods)
		}
	}
}

// asks returns All if a pod reaches port 53 of some of servers, else Unknown if it is
// not known whether it does, None if policies deny it and nothing else keeps it from
// all of them, and otherwise anything else.
func (x *exposer) asks(pod *subjectPod, servers []reach.Target, over policy.Protocol) reach.Outcome {
	sum := reach.NoEndpoints
	for _, server := range servers {
		switch o := x.s.g.Reaches(dnsQuery(pod, server, over)); {
		case o.Reachable():
			return reach.All
		case o == reach.Unknown || o == reach.None && sum != reach.Unknown:
			sum = o
		}
	}
	return sum
}

// asksCache reports whether policies let a pod ask the DNS cache of its node, and tell
// the address of that apart from others than link-local ones: somebody means it.
func (x *exposer) asksCache(pod *subjectPod) bool {
	e, err := x.s.g.Addr(nodeLocal.First())
	return err == nil && isOutside(e) && e.Addrs().Minus(linkLocal).IsEmpty() &&
		x.s.g.Allows(reach.Flow{From: pod.end, To: e, Port: policy.UDP.Port(53)})
}

func dnsQuery(pod *subjectPod, server reach.Target, over policy.Protocol) reach.Connection {
	return reach.Connection{From: pod.end, To: server, Port: over.Port(53)}
}

// aboutDenied returns a Finding about a namespace, of whose pods policies deny the
// queries, with a flow that shows it.
func (x *exposer) aboutDenied(pods []*subjectPod, over policy.Protocol, servers []reach.Target) Finding {
	f := x.s.aboutNamespace(pods)
	for _, server := range servers {
		for _, path := range x.s.g.Trace(dnsQuery(pods[0], server, over)).Paths {
			if path.Stop != "" {
				continue
			}
			for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
				flow := path.Egress
				if d == policy.Ingress {
					flow = path.Ingress
				}
				var denied bool
				if f.Proof, f.Related, denied = x.why.denial(x.why.g, spellFlow(flow), d); denied {
					return f
				}
			}
		}
	}
	f.Proof, f.Related = Proof{Text: "every way to port 53 of the servers is denied"}, nil
	return f
}

func targetNames(targets []reach.Target) string {
	var names []string
	for _, t := range targets {
		names = append(names, t.String())
	}
	return list(names)
}

// A dnsServer is what resolves names for the cluster: a Service and its pods, or a pod.
type dnsServer struct {
	about   Finding
	name    string
	service *policy.Service // nil for a pod
	pods    []*subjectPod   // that policies can select
}

// servers returns the DNS servers that have pods.
func (x *exposer) servers() []dnsServer {
	var list []dnsServer
	for _, target := range x.s.g.DNSServers() {
		server := dnsServer{name: target.String()}
		if i := slices.IndexFunc(x.s.model.Services, func(svc *policy.Service) bool { return "svc:"+svc.Name.String() == server.name }); i >= 0 {
			server.service = x.s.model.Services[i]
			server.about = aboutPlace(server.service.Place(""))
		}
		for _, pod := range x.held.pods {
			switch {
			case server.service != nil:
				if inFront(server.service, pod) || slices.ContainsFunc(server.service.Endpoints, pod.isAt) {
					server.pods = append(server.pods, pod)
				}
			case pod.end.Target() == target:
				server.pods = append(server.pods, pod)
				server.about = x.s.aboutNamed(pod.Kind, pod.Name)
			}
		}
		if len(server.pods) > 0 {
			list = append(list, server)
		}
	}
	return list
}

// isAt reports whether an endpoint of a Service is an address of the pod.
func (p *subjectPod) isAt(e policy.ServiceEndpoint) bool { return slices.Contains(p.Addrs, e.Addr) }

// ports returns the ports at a pod that are for DNS: 53, and those to which port 53 of
// the Service leads.
func (d *dnsServer) ports(pod *subjectPod) policy.PortSet {
	if d.service == nil {
		return dnsPorts
	}
	var ports []policy.Port
	for _, sp := range d.service.Ports {
		if sp.Port.Number != 53 {
			continue
		}
		for _, n := range targetNumbers(sp, pod) {
			ports = append(ports, sp.Port.Protocol.Port(n))
		}
		for _, e := range d.service.Endpoints {
			if pod.isAt(e) && e.PortName == sp.Name && e.Port.Protocol == sp.Port.Protocol {
				ports = append(ports, e.Port)
			}
		}
	}
	return union(dnsPorts, portSet(ports...))
}

// targetNumbers returns the number of a pod to which a port of a Service leads; none
// if the pod has no port of the name.
func targetNumbers(sp policy.ServicePort, pod *subjectPod) []uint16 {
	if sp.TargetName == "" {
		return []uint16{sp.Target}
	}
	for _, cp := range pod.Ports {
		if cp.Name == sp.TargetName && cp.Port.Protocol == sp.Port.Protocol && cp.By != policy.InitContainer {
			return []uint16{cp.Port.Number}
		}
	}
	return nil
}

// findServers reports DNS servers that are reached from outside, or on other ports
// than those of DNS.
func (x *exposer) findServers() {
	for _, server := range x.servers() {
		x.findServerOutside(&server)
		x.findServerPorts(&server)
	}
}

func (x *exposer) findServerOutside(server *dnsServer) {
	var direct entries
	for _, pods := range x.alike(server.pods) {
		if flow, open := x.enter(x.outside, pods[0], x.s.ruled(allPorts)); !open.IsEmpty() {
			flow.Port = onePort(open, policy.UDP.Port(53))
			direct.add(pods, flow, open)
		}
	}
	var doors []*subjectPod
	var first string
	for i := range x.behind {
		e := &x.behind[i]
		j := slices.IndexFunc(e.doors, func(o reach.Exposure) bool { return !o.Clients.IsEmpty() })
		for _, pod := range e.pods {
			if j >= 0 && slices.Contains(server.pods, pod) {
				if doors = append(doors, pod); first == "" {
					first = e.doors[j].String()
				}
			}
		}
	}
	pods := distinct(slices.Concat(direct.pods, doors))
	if len(pods) == 0 {
		return
	}
	f := server.about
	f.Check = "dns-server-exposed"
	f.Message = fmt.Sprintf("addresses outside the cluster reach its DNS servers, %s: %s", server.name, whom(pods))
	f.Proof.Text = first
	if len(direct.pods) == 0 {
		f.Message += " through a Service"
	} else {
		f.Message += " directly on " + portText(direct.ports)
		f.Proof = Proof{direct.flow, "allowed"}
	}
	f.Suggestion = "add a policy for ingress that allows port 53 to pods of the cluster only"
	x.report(f, pods)
}

func (x *exposer) findServerPorts(server *dnsServer) {
	var other entries
	for _, pods := range x.alike(server.pods) {
		pod := pods[0]
		wrong := x.s.ruled(allPorts).Minus(server.ports(pod))
		flow, open := x.enter(x.outside, pod, wrong)
		for i := range x.kinds {
			f, ok := x.between(x.kinds[i].pods, pods)
			if !ok || open.Equal(wrong) {
				continue
			}
			if more := x.s.g.Ports(f.From, f.To).Intersect(wrong); !more.IsEmpty() {
				if f.Port = onePort(more, pod.declared...); open.IsEmpty() {
					flow = f
				}
				open = union(open, more)
			}
		}
		if !open.IsEmpty() {
			other.add(pods, flow, open)
		}
	}
	if len(other.pods) == 0 {
		return
	}
	f := server.about
	f.Check = "dns-server-ports"
	f.Message = fmt.Sprintf("the DNS servers of the cluster, %s, are open on other ports than those of DNS: %s on %s", server.name, whom(other.pods), portText(other.ports))
	f.Proof = Proof{other.flow, "allowed"}
	f.Suggestion = "add a policy for ingress that allows port 53, and other ports to those only that need them"
	x.report(f, other.pods)
}
