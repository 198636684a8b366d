package reach

import (
	"errors"
	"strings"

	"github.com/polreach/polreach/policy"
)

// A DNS is the answer to whether a client can resolve names.
type DNS struct {
	UDP, TCP []Trace // to port 53 of each server, in their order
}

// Resolves reports whether UDP reaches some server. Without TCP, long answers
// are lost.
func (d DNS) Resolves() bool {
	for _, t := range d.UDP {
		if t.Outcome.Reachable() {
			return true
		}
	}
	return false
}

// String explains d, the same way every time.
func (d DNS) String() string {
	var parts []string
	for i := range d.UDP {
		parts = append(parts, d.UDP[i].String(), d.TCP[i].String())
	}
	return strings.Join(parts, "\n")
}

// DNS tells whether from can resolve names at the given servers, or if there are
// none given, at those of [Graph.DNSServers]. It is an error if there is none at
// all.
func (g *Graph) DNS(from Endpoint, servers ...Target) (DNS, error) {
	if len(servers) == 0 {
		servers = g.DNSServers()
	}
	if len(servers) == 0 {
		return DNS{}, errors.New("the cluster has no DNS Service and no DNS pods with the usual labels; name the server")
	}
	var d DNS
	for _, s := range servers {
		d.UDP = append(d.UDP, g.Trace(Connection{From: from, To: s, Port: policy.UDP.Port(53)}))
		d.TCP = append(d.TCP, g.Trace(Connection{From: from, To: s, Port: policy.TCP.Port(53)}))
	}
	return d, nil
}

// DNSServers returns the Services that resolve names for pods: those with the
// labels that CoreDNS, kube-dns and OpenShift give them, or called
// kube-system/kube-dns. If there are none, it returns the pods with such labels.
func (g *Graph) DNSServers() []Target {
	var list []Target
	for i := range g.services.list {
		if g.services.list[i].isDNS {
			list = append(list, Target{g: g, kind: serviceTarget, id: int32(i)})
		}
	}
	if len(list) > 0 {
		return list
	}
	for _, e := range g.Pods() {
		if isDNS(g.labels.set(g.labels.of[e.id])) {
			list = append(list, e.Target())
		}
	}
	return list
}

// isDNS reports whether labels are those of a DNS server.
func isDNS(labels map[string]string) bool {
	_, openShift := labels["dns.operator.openshift.io/owning-dns"]
	app := labels["k8s-app"]
	return openShift || app == "kube-dns" || app == "coredns" || labels["app.kubernetes.io/name"] == "coredns"
}
