package generate

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
)

// A Need is flows that must be allowed: from every one of From to every other one
// of To, on each of Ports, over every address family that both have. From and To
// are
//
//	shop/web                        a pod, or the pods of a workload
//	deploy:shop/web                 the same, where others have the name; also pod, rs, sts, ds, job, cj, rc
//	pods, pods in shop              all pods, and those of a namespace
//	pods tier=db in shop            those that a label selector picks, as kubectl writes it
//	nodes, node:n1                  all nodes, and one
//	203.0.113.9                     the pod or node that has the address, or what is there outside the cluster
//	10.0.0.0/8 except 10.1.0.0/16, fd00::/8
//	                                what is at these addresses outside the cluster; pods and nodes there may, but need not, do the same
//	svc:shop/db                     what is behind a Service; for To only, with pods and nodes as From
//
// What Ports are for To is written as [policy.ParsePortSet] reads it, such as
// "443, 53/UDP" and "all", or by the names that the pods give them. Those of a
// Service are its own, and stand for what it makes of them.
type Need struct {
	From, To string
	Ports    string
}

// String returns the need in one line: "shop/web -> shop/db 5432".
func (n Need) String() string { return n.From + " -> " + n.To + " " + n.Ports }

// A want is flows that must be allowed, as policies see them.
type want struct {
	need     Need
	from, to end
	ports    policy.PortSet
	rule     rule
	kept     bool // only what the cluster allows already, and only closed namespaces get policies for it
}

// A rule is how policies say a want, perhaps together with others of the same need.
type rule struct {
	to    end
	ports ports
}

func newWant(n Need, from, to end, p policy.PortSet) want {
	return want{need: n, from: from, to: to, ports: p, rule: rule{to, ports{set: p}}}
}

// resolve returns what a Need is about.
func (w *world) resolve(n Need) ([]want, []call, error) {
	from, err := w.end(n.From)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: from: %w", n, err)
	}
	return w.to(n, from)
}

// to is resolve from an end.
func (w *world) to(n Need, from end) ([]want, []call, error) {
	if strings.HasPrefix(n.To, "svc:") {
		wants, c, err := w.behind(n, from)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", n, err)
		}
		return wants, []call{c}, nil
	}
	to, err := w.end(n.To)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: to: %w", n, err)
	}
	wants, err := w.toPorts(n, from, to)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", n, err)
	}
	return wants, nil, nil
}

// end returns what a text names.
func (w *world) end(text string) (end, error) {
	if words := strings.Fields(text); len(words) > 0 && words[0] == "pods" {
		return w.selected(words[1:])
	}
	if text == "nodes" {
		var e end
		for i := range w.nodes {
			e.nodes = append(e.nodes, len(w.pods)+i)
		}
		if len(e.nodes) == 0 {
			return end{}, errors.New("the cluster has no nodes")
		}
		return e, nil
	}
	if i := strings.IndexAny(text, "/, "); isAddr(text) || i > 0 && isAddr(text[:i]) {
		return w.at(text)
	}
	if strings.HasPrefix(text, "node:") {
		e, err := w.g.Lookup(text)
		if err != nil {
			return end{}, err
		}
		i, ok := w.numbers[e.Name()]
		if !ok {
			return end{}, fmt.Errorf("%s is no node of the cluster", text)
		}
		return end{nodes: []int{i}}, nil
	}
	return w.named(text)
}

func isAddr(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// selected returns the pods of a text such as "tier=db in shop".
func (w *world) selected(words []string) (end, error) {
	lo, hi := 0, len(w.pods)
	var ns *namespace
	if n := len(words) - 2; n >= 0 && words[n] == "in" && !strings.ContainsAny(words[n+1], "()") {
		var err error
		if ns, err = w.namespace(words[n+1]); err != nil {
			return end{}, err
		}
		lo, hi, words = ns.lo, ns.hi, words[:n]
	}
	s, err := parseSelector(strings.Join(words, " "))
	if err != nil {
		return end{}, err
	}
	e := end{wish: &s}
	if ns != nil {
		e = end{wishes: map[string]selector.Selector{ns.name: s}}
	}
	for i := lo; i < hi; i++ {
		if s.Matches(w.pods[i].Labels) {
			e.pods = append(e.pods, i)
		}
	}
	if len(e.pods) == 0 {
		return end{}, errors.New("there are no such pods")
	}
	return e, nil
}

// at returns what is at addresses.
func (w *world) at(text string) (end, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		at, err := w.g.Addr(a)
		if err != nil {
			return end{}, err
		}
		if i, ok := w.podAt(a); ok {
			return end{pods: []int{i}}, nil
		}
		if slices.Contains(w.nodes, at) {
			return end{nodes: []int{w.numbers[at.Name()]}}, nil
		}
		return end{addrs: cidr.Of(netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))}, nil
	}
	var e end
	for _, item := range strings.Split(text, ",") {
		block, rest, hasExcept := strings.Cut(strings.TrimSpace(item), " except ")
		var except []string
		if hasExcept {
			for _, x := range strings.Split(rest, " and ") {
				except = append(except, strings.TrimSpace(x))
			}
		}
		if a, err := netip.ParseAddr(block); err == nil {
			block = netip.PrefixFrom(a, a.BitLen()).String()
		}
		set, err := cidr.Parse(block, except...)
		if err != nil {
			return end{}, err
		}
		e.addrs = e.addrs.Union(set)
	}
	if e.addrs.IsEmpty() {
		return end{}, fmt.Errorf("%s holds no address", text)
	}
	return e, nil
}

// podAt returns the pod that alone has an address.
func (w *world) podAt(a netip.Addr) (int, bool) {
	at, err := w.g.Addr(a)
	if err != nil || at.Name().Namespace == "" {
		return 0, false
	}
	i, ok := w.numbers[at.Name()]
	return i, ok
}

// named returns the pods of a name.
func (w *world) named(text string) (end, error) {
	kind, rest, ok := strings.Cut(text, ":")
	if !ok {
		kind, rest = "", text
	} else if kind, ok = kinds[kind]; !ok {
		return end{}, fmt.Errorf("%q is neither pods nor nodes, want one of %q", text, slices.Sorted(maps.Keys(kinds)))
	}
	ns, name, ok := strings.Cut(rest, "/")
	if !ok || ns == "" || name == "" {
		return end{}, fmt.Errorf("%q is neither namespace/name nor an address", text)
	}
	var e end
	found := make(map[string]bool) // kinds
	if ns := w.namespaces[ns]; ns != nil {
		for i := ns.lo; i < ns.hi; i++ {
			p := &w.pods[i]
			switch {
			case p.Name.Name == name && (kind == "" || kind == p.Kind):
				found[p.Kind] = true
			case p.Owner.Name == name && (kind == "" || kind == p.Owner.Kind):
				found[p.Owner.Kind] = true
			default:
				continue
			}
			e.pods = append(e.pods, i)
		}
	}
	switch len(found) {
	case 0:
		if _, err := w.g.Lookup(text); err != nil {
			return end{}, err
		}
		return end{}, fmt.Errorf("%s has no pods that are running", text)
	case 1:
		return e, nil
	}
	return end{}, fmt.Errorf("%s is ambiguous: it is a %s", text, strings.Join(slices.Sorted(maps.Keys(found)), " and a "))
}

// kinds are the kinds of pods and workloads by what they are called before a colon,
// as in [reach.Graph.Lookup].
var kinds = map[string]string{
	"pod":    "Pod",
	"deploy": "Deployment",
	"rs":     "ReplicaSet",
	"sts":    "StatefulSet",
	"ds":     "DaemonSet",
	"job":    "Job",
	"cj":     "CronJob",
	"rc":     "ReplicationController",
}

// toPorts returns the wants for the ports of n at to: one for each set of numbers
// that names stand for.
func (w *world) toPorts(n Need, from, to end) ([]want, error) {
	numbers, names, err := splitPorts(n.Ports)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return []want{newWant(n, from, to, numbers)}, nil
	}
	if len(to.nodes) > 0 || !to.addrs.IsEmpty() {
		return nil, fmt.Errorf("only pods give names to ports, not %s: write numbers instead of %q", n.To, names)
	}
	said := rule{to: end{wish: to.wish, wishes: to.wishes}, ports: ports{set: numbers}}
	var wants []want
	for _, i := range to.pods {
		set := numbers
		for _, name := range names {
			p, err := w.ends[i].Target().Port(name)
			if err != nil {
				return nil, err
			}
			set = union(set, one(p))
			name, _, _ = strings.Cut(name, "/")
			said.ports = said.ports.union(ports{named: []policy.PortItem{{Protocol: p.Protocol, Name: name}}})
		}
		at := slices.IndexFunc(wants, func(wt want) bool {
			return wt.ports.Equal(set) && w.pods[wt.to.pods[0]].subject == w.pods[i].subject
		})
		if at < 0 {
			at = len(wants)
			wants = append(wants, newWant(n, from, end{}, set))
		}
		wants[at].to.pods = append(wants[at].to.pods, i)
	}
	w.sayNames(wants, said)
	return wants, nil
}

// sayNames lets wants say the names of ports, where they are about pods that policies
// can select; others have no names. Each is about the one or the other. The rule lacks
// the pods.
func (w *world) sayNames(wants []want, said rule) {
	isNamed := func(e end) bool { return len(e.pods) > 0 && w.pods[e.pods[0]].subject }
	for i := range wants {
		if to := wants[i].to; isNamed(to) {
			said.to.pods = append(said.to.pods, to.pods...)
		} else {
			wants[i].rule.to = to
		}
	}
	slices.Sort(said.to.pods)
	for i := range wants {
		if isNamed(wants[i].to) {
			wants[i].rule = said
		}
	}
}
