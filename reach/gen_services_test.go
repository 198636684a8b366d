package reach_test

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"pgregory.net/rapid"
)

// genServiceCluster draws a small valid cluster with Services.
func genServiceCluster(t *rapid.T) *policy.Cluster {
	return reachtest.Draw(t, genServed.Clusters(), "cluster")
}

// genServiceProfile draws a Profile for questions about Services.
func genServiceProfile(t *rapid.T) reach.Profile {
	return reachtest.Draw(t, genServed.Profiles(), "profile")
}

// serviceHosts are DNS names outside clusters. The last one is never known.
var serviceHosts = []string{"db.example.com", "pod.example.com", "lb.example.com", "gone.example.com"}

// serviceAddrsOf returns all addresses that Services have.
func serviceAddrsOf(c *policy.Cluster) []netip.Addr {
	var addrs []netip.Addr
	for _, svc := range c.Services {
		addrs = append(addrs, clusterIPs(svc)...)
		for _, in := range svc.Status.LoadBalancer.Ingress {
			if in.IP != "" {
				addrs = append(addrs, rawAddr(in.IP))
			}
		}
		for _, ip := range svc.Spec.ExternalIPs {
			addrs = append(addrs, rawAddr(ip))
		}
	}
	return addrs
}

// A connecting is a question about a connection, as text.
type connecting struct {
	from, to string
	port     policy.Port
	fam      reach.Family
	balancer netip.Addr
}

// genConnection draws a connection, mostly one that concerns a Service.
func genConnection(t *rapid.T, c *policy.Cluster, n *naive) connecting {
	return rapid.Custom(func(t *rapid.T) connecting {
		q := connecting{fam: pick(t, reach.AnyFamily, reach.AnyFamily, reach.AnyFamily, reach.IPv4, reach.IPv6)}
		clients := append(n.ends(), "203.0.113.9", "2001:db8::9", genAddr(t, c).String())
		q.from = pick(t, clients...)
		var ports []policy.Port
		to := []string{"203.0.113.9"}
		for _, svc := range c.Services {
			name := rawNamespace(svc.ObjectMeta) + "/" + svc.Name
			to = append(to, "svc:"+name, "svc:"+name, "svc:"+name)
			if oneIn(t, 4) {
				to = append(to, strings.ToUpper(svc.Name)+"."+rawNamespace(svc.ObjectMeta)+".svc"+pick(t, "", ".", ".cluster.local", ".Cluster.Local."))
			}
			for _, p := range svc.Spec.Ports {
				ports = append(ports, rawPort(p, p.Port))
			}
			for _, in := range svc.Status.LoadBalancer.Ingress {
				if in.IP != "" && len(svc.Spec.LoadBalancerSourceRanges) > 0 { // few connections come to the ranges
					to = append(to, slices.Repeat([]string{in.IP}, 8)...)
				}
			}
		}
		for _, a := range serviceAddrsOf(c) {
			to = append(to, a.String(), a.String(), a.String())
		}
		for _, name := range serviceHosts {
			if oneIn(t, 3) {
				to = append(to, name)
			}
		}
		q.to = pick(t, append(to, n.ends()...)...)
		if strings.HasPrefix(q.to, "node") || oneIn(t, 6) {
			for _, svc := range c.Services {
				for _, p := range svc.Spec.Ports {
					if p.NodePort != 0 {
						ports = append(ports, rawPort(p, p.NodePort))
					}
				}
			}
			var nodes []string
			for _, e := range n.ends() {
				if strings.HasPrefix(e, "node") {
					nodes = append(nodes, e)
				}
			}
			for _, a := range statusAddrsOf(c) {
				nodes = append(nodes, a.String())
			}
			if len(nodes) > 0 {
				q.to = pick(t, nodes...)
			}
		}
		if len(ports) == 0 || oneIn(t, 6) {
			ports = append(ports, genPort(t, c))
			q.port = ports[len(ports)-1]
		} else {
			q.port = pick(t, ports...)
		}
		if ns, name, ok := n.serviceCalled(q.to); ok && !oneIn(t, 8) { // mostly a port that it lists
			if svc := n.service(ns, name); svc != nil && len(svc.Spec.Ports) > 0 {
				p := pick(t, svc.Spec.Ports...)
				q.port = rawPort(p, p.Port)
			}
		}
		if oneIn(t, 3) {
			q.balancer = genAddr(t, c)
		}
		return q
	}).Draw(t, "connection")
}

// asked reports whether the graph and the naive evaluator can be asked q.
func (q connecting) asked(n *naive) bool {
	return n.knows(q.from) && n.names(q.to) && (!q.balancer.IsValid() || n.knows(q.balancer.String()))
}
