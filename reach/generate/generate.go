package generate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	networkingv1 "k8s.io/api/networking/v1"
)

// A Result is policies made for a cluster, and what they do to it. The zero Result
// is none. The slices belong to the caller.
type Result struct {
	Policies []*networkingv1.NetworkPolicy // by namespace and name
	After    *reach.Graph                  // of the cluster with them

	// Extra are the flows that the policies open and nobody asked for, between
	// endpoints of After. Missing are those that they close and should not, between
	// endpoints of the Graph that the policies were made for. Both are complete, and
	// sorted.
	Extra, Missing []Flows

	// Warnings are what is suspicious about the policies.
	Warnings []policy.Warning
}

// IsExact reports whether the policies do what they should and nothing else.
func (r *Result) IsExact() bool { return len(r.Extra)+len(r.Missing) == 0 }

// Tightest returns policies that close the given namespaces in both directions and
// let needs pass, and as little else as NetworkPolicy can express: pods with equal
// labels, for example, get the same. What policies of the cluster allow in these
// namespaces already stays allowed, and is not in [Result.Extra].
//
// Without namespaces it closes nothing. A pod elsewhere gets policies only if it is
// isolated and a need is not allowed yet.
//
// A need that cannot be met is an error that tells why, and so is a name that is not
// there. All of them come joined, and then no Result.
func Tightest(g *reach.Graph, needs []Need, namespaces ...string) (*Result, error) {
	t, err := newTightening(g, [...]string{"allow-*", "allow-*"}, namespaces)
	errs := []error{err}
	for _, n := range needs {
		wants, calls, err := t.resolve(n)
		t.wants, t.calls = append(t.wants, wants...), append(t.calls, calls...)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t.result()
}

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

var errNoNamespace = errors.New("there is no namespace to close")

// A tightening is policies by which namespaces are closed but for what is wanted.
type tightening struct {
	*world
	purposes [2]string // of the policies, by direction
	closed   []string  // namespaces
	wants    []want
	calls    []call
}

func newTightening(g *reach.Graph, purposes [2]string, namespaces []string) (*tightening, error) {
	w, err := newWorld(g)
	if err != nil {
		return nil, err
	}
	t := &tightening{world: w, purposes: purposes}
	t.closed, err = w.distinct(namespaces)
	return t, err
}

// distinct returns names of namespaces, sorted and each once.
func (w *world) distinct(namespaces []string) ([]string, error) {
	list := slices.Compact(slices.Sorted(slices.Values(namespaces)))
	var errs []error
	for _, name := range list {
		_, err := w.namespace(name)
		errs = append(errs, err)
	}
	return list, errors.Join(errs...)
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

// closes reports whether a pod is in a namespace that is closed.
func (t *tightening) closes(i int) bool { return slices.Contains(t.closed, t.pods[i].Name.Namespace) }

// result makes the policies, and proves what they do.
func (t *tightening) result() (*Result, error) {
	b := newBuilder(t.world)
	denies := b.denies(t.closed, directions[:]...)
	base, err := t.g.With(puts(denies)...)
	if err != nil {
		return nil, err
	}
	was, closed := newView(t.g), newView(base)
	for _, wt := range t.wants {
		t.reserve(b, wt)
		if t.check(closed, was, wt) != nil {
			t.allow(b, wt, policy.Egress, wt.from, wt.rule.to)
			t.allow(b, wt, policy.Ingress, wt.rule.to, wt.from)
		}
	}
	allows := b.policies()
	after, err := base.With(puts(allows)...)
	if err != nil {
		return nil, err
	}
	v := newView(after)
	var errs []error
	for _, wt := range t.wants {
		errs = append(errs, t.check(v, was, wt))
	}
	for _, c := range t.calls {
		errs = append(errs, c.check(v))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	diff := reach.Compare(base, after)
	if len(diff.Closed) > 0 {
		return nil, fmt.Errorf("cannot happen: a policy that allows something has %s", diff.Closed[0])
	}
	r := newResult(after, denies, allows)
	r.Extra = t.flowsOf(v, diff.Opened, t.wants)
	return r, nil
}

// allow makes the policies of one direction for what is wanted. Only pods that are
// isolated get them, for no others must become so.
func (t *tightening) allow(b *builder, wt want, d policy.Direction, near, far end) {
	isolated := end{wish: near.wish, wishes: near.wishes}
	for _, i := range near.pods {
		if t.closes(i) || t.pods[i].isolated[d] && !wt.kept {
			isolated.pods = append(isolated.pods, i)
		}
	}
	b.allow(t.purposes[d], d, isolated, far, wt.rule.ports)
}

// reserve lets pods to come in closed namespaces that have none do what is wanted.
func (t *tightening) reserve(b *builder, wt want) {
	for _, name := range t.closed {
		if s, ok := wt.from.wishes[name]; ok && len(t.subjects(t.namespaces[name])) == 0 {
			b.add(draftKey{name, t.purposes[policy.Egress], s.String()}, policy.Egress, b.atoms(wt.rule.to), wt.rule.ports)
		}
	}
}

func newResult(after *reach.Graph, policies ...[]*networkingv1.NetworkPolicy) *Result {
	r := &Result{Policies: slices.Concat(policies...), After: after}
	slices.SortFunc(r.Policies, func(a, b *networkingv1.NetworkPolicy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, np := range r.Policies {
		r.Warnings = append(r.Warnings, warningsOf(np)...)
	}
	return r
}

// warningsOf tells where a policy looks at labels that controllers make.
func warningsOf(np *networkingv1.NetworkPolicy) []policy.Warning {
	p, err := policy.New(np)
	if err != nil {
		panic("cannot happen: " + err.Error())
	}
	var list []policy.Warning
	warn := func(field string, s selector.Selector) {
		for key := range s.Keys() {
			if generated[key] {
				text := fmt.Sprintf("nothing but the label %s tells these pods from others: its values are made by a controller, and others come", key)
				list = append(list, policy.Warning{Place: p.Place(field), Code: "generated-label", Text: text})
			}
		}
	}
	warn("spec.podSelector", p.Pods)
	for _, d := range directions {
		for i, rule := range p.Half(d).Rules {
			for j, peer := range rule.Peers {
				if pods, ok := peer.(policy.Pods); ok {
					warn(fmt.Sprintf("spec.%s[%d].%s[%d].podSelector", d, i, peersField[d], j), pods.Pods)
				}
			}
		}
	}
	return append(list, p.Warnings...)
}

var peersField = [...]string{policy.Egress: "to", policy.Ingress: "from"}

func puts(list []*networkingv1.NetworkPolicy) []policy.Edit {
	var edits []policy.Edit
	for _, np := range list {
		edits = append(edits, policy.Put(np))
	}
	return edits
}
