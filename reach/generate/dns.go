package generate

import (
	"errors"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
)

// DefaultDeny returns policies that close the given namespaces in both directions,
// but for the way of their pods to the DNS servers of the cluster, see
// [reach.Graph.DNSServers], at the ports that are behind port 53 over UDP and TCP. A
// DNS server in one of these namespaces still answers the pods of all namespaces, but
// not nodes and pods on their network; its own way to other servers is closed.
//
// It is an error if there is no namespace or no DNS server, and else as in
// [Tightest].
func DefaultDeny(g *reach.Graph, namespaces ...string) (*Result, error) {
	t, err := newTightening(g, [...]string{policy.Egress: "allow-dns", policy.Ingress: "serve-dns"}, namespaces)
	if err != nil {
		return nil, err
	}
	if len(namespaces) == 0 {
		return nil, errNoNamespace
	}
	if err := t.wantDNS(); err != nil {
		return nil, err
	}
	return t.result()
}

// wantDNS adds what pods of the closed namespaces need to resolve names, and what
// all pods have of the servers there.
func (t *tightening) wantDNS() error {
	servers := t.g.DNSServers()
	if len(servers) == 0 {
		return errors.New("the cluster has no DNS Service and no DNS pods with the usual labels: name the servers to Tightest")
	}
	everything := selector.Selector{}
	everyone := end{wish: &everything}
	for _, ns := range t.model.Namespaces {
		everyone.pods = append(everyone.pods, t.subjects(t.namespaces[ns.Name])...)
	}
	for _, server := range servers {
		n := Need{To: server.String(), Ports: t.dnsPorts(server.String())}
		for _, name := range t.closed {
			n.From = "pods in " + name
			from := end{pods: t.subjects(t.namespaces[name]), wishes: map[string]selector.Selector{name: everything}}
			wants, calls, err := t.to(n, from)
			if err != nil {
				return err
			}
			t.wants, t.calls = append(t.wants, wants...), append(t.calls, calls...)
		}
		n.From = "pods"
		wants, _, err := t.to(n, everyone)
		if err != nil {
			return err
		}
		for _, wt := range wants {
			wt.kept, wt.to, wt.rule.to = true, t.inClosed(wt.to), t.inClosed(wt.rule.to)
			if len(wt.to.pods) > 0 {
				t.wants = append(t.wants, wt)
			}
		}
	}
	return nil
}

// inClosed returns the pods of an end that are in closed namespaces.
func (t *tightening) inClosed(e end) end {
	var in end
	for _, i := range e.pods {
		if t.closes(i) {
			in.pods = append(in.pods, i)
		}
	}
	return in
}

// dnsPorts returns the ports at which a DNS server is asked.
func (t *tightening) dnsPorts(server string) string {
	ports := "53/UDP, 53/TCP"
	if !strings.HasPrefix(server, "svc:") {
		return ports
	}
	s := t.service(server)
	lists := func(p policy.Port) bool {
		return s.Kind == policy.Headless || slices.ContainsFunc(s.Ports, func(sp policy.ServicePort) bool { return sp.Port == p })
	}
	if !lists(policy.TCP.Port(53)) {
		ports = "53/UDP"
	}
	return ports
}
