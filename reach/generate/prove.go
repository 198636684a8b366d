package generate

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// Flows are flows of a Graph: from every one of From to every other one of To, on
// each of Ports. Of a workload, other pods of its own are meant, too. Flows between a
// pod and the node that it runs on are among them only if OwnNode is set; then there
// are no others.
type Flows struct {
	From, To Ends
	Ports    policy.PortSet
	Family   reach.Family // AnyFamily: over every family that both ends have
	OwnNode  bool
}

// Ends are endpoints of a Graph. Those of Members that are reached at one of their
// addresses only, see [reach.Graph.Addr], stand for themselves there.
type Ends struct {
	Members []reach.Endpoint // pods, workloads and nodes
	Outside cidr.Set         // addresses outside the cluster
}

// String names the first of the members, and the addresses.
func (e Ends) String() string {
	const few = 3
	var parts []string
	for i, m := range e.Members {
		if n := len(e.Members) - i; i == few && n > 1 {
			parts = append(parts, fmt.Sprintf("%d more", n))
			break
		}
		parts = append(parts, m.String())
	}
	if !e.Outside.IsEmpty() {
		parts = append(parts, e.Outside.String())
	}
	return strings.Join(parts, " and ")
}

// String returns the flows in one line: "shop/web-1 and shop/web-2 -> shop/db 5432/TCP".
func (f Flows) String() string {
	s := fmt.Sprintf("%s -> %s %s", f.From, f.To, f.Ports)
	if f.Family != reach.AnyFamily {
		s += " over " + f.Family.String()
	}
	if f.OwnNode {
		s += ", on one node"
	}
	return s
}

// A view is a Graph of the world, with the numbers of its endpoints.
type view struct {
	*reach.Graph
	ends    []reach.Endpoint
	number  map[reach.Endpoint]int
	outside []reach.Endpoint
}

func newView(g *reach.Graph) *view {
	v := &view{Graph: g, ends: append(g.Pods(), g.Nodes()...), outside: g.Outside()}
	v.number = make(map[reach.Endpoint]int, len(v.ends))
	for i, e := range v.ends {
		v.number[e] = i
	}
	return v
}

var families = [...]reach.Family{reach.IPv4, reach.IPv6}

// check returns an error that tells what of a want a Graph does not allow, if
// anything, or that its ends share no family. Of pods and nodes that no policy tells
// apart it asks once.
func (w *world) check(v, was *view, wt want) error {
	to := v.groups(was, wt.to)
	var last reach.Flow
	some := false
	for _, from := range v.groups(was, wt.from) {
		for _, to := range to {
			f, answer := v.ask(was, wt, from, to)
			switch answer {
			case reach.Denied:
				return fmt.Errorf("%s: no policy can allow this: %s", wt.need, v.Explain(f))
			case reach.Allowed:
				some = true
			}
			last = f
		}
	}
	if !some && last != (reach.Flow{}) {
		return fmt.Errorf("%s: no policy can allow this: %s", wt.need, v.Explain(last))
	}
	return nil
}

// A group is endpoints of an end that policies do not tell apart, before or after.
type group struct {
	numbers []int
	outside reach.Endpoint // instead
}

func (v *view) groups(was *view, e end) []group {
	var list []group
	index := make(map[[2]reach.Class]int)
	for _, i := range slices.Concat(e.pods, e.nodes) {
		a, _ := v.ClassOf(v.ends[i])
		b, _ := was.ClassOf(was.ends[i])
		k := [2]reach.Class{a, b}
		at, ok := index[k]
		if !ok {
			at = len(list)
			index[k] = at
			list = append(list, group{})
		}
		list[at].numbers = append(list[at].numbers, i)
	}
	for _, x := range v.outside {
		if !x.Addrs().Intersect(e.addrs).IsEmpty() {
			list = append(list, group{outside: x})
		}
	}
	return list
}

// pair returns a pair of different endpoints of two groups between which policies
// have a say.
func (v *view) pair(from, to group) (a, b reach.Endpoint, ok bool) {
	for a := range v.members(from) {
		for b := range v.members(to) {
			if a == b {
				replica, err := v.Lookup("replica:" + a.String())
				if err != nil {
					continue
				}
				b = replica
			}
			if !v.Exempt(a, b) {
				return a, b, true
			}
		}
	}
	return a, b, false
}

func (v *view) members(g group) iter.Seq[reach.Endpoint] {
	return func(yield func(reach.Endpoint) bool) {
		if len(g.numbers) == 0 {
			yield(g.outside)
		}
		for _, i := range g.numbers {
			if !yield(v.ends[i]) {
				return
			}
		}
	}
}

// ask answers whether a Graph allows a want between two groups, with a flow that it
// denies, or that has no path over any family. There is no flow if the groups are one
// endpoint.
func (v *view) ask(was *view, wt want, from, to group) (reach.Flow, reach.Answer) {
	a, b, ok := v.pair(from, to)
	if !ok {
		return reach.Flow{}, reach.Allowed
	}
	f := reach.Flow{From: a, To: b, Port: firstOf(wt.ports)}
	best := reach.NoPath
	for _, fam := range families {
		ports := wt.ports
		if wt.kept {
			c, d, _ := was.pair(from, to)
			ports = ports.Intersect(was.PortsOver(fam, c, d))
		}
		lacks := minus(ports, v.PortsOver(fam, a, b))
		if lacks.IsEmpty() {
			best = reach.Allowed
			continue
		}
		denied := reach.Flow{From: a, To: b, Port: firstOf(lacks), Family: fam}
		if v.answer(denied) == reach.Denied {
			return denied, reach.Denied
		}
	}
	return f, best
}

// answer returns the answer to a flow over its one family.
func (v *view) answer(f reach.Flow) reach.Answer {
	if f.Family == reach.IPv4 {
		return v.Explain(f).IPv4
	}
	return v.Explain(f).IPv6
}

// firstOf returns a port of a set that is not empty.
func firstOf(s policy.PortSet) policy.Port {
	for r := range s.Ranges() {
		if r.Protocol.HasPorts() {
			return r.Protocol.Port(r.First)
		}
	}
	return policy.ICMP.Port(0)
}

// check returns an error if policies keep a connection to a Service from getting
// through.
func (c call) check(v *view) error {
	target, err := v.Target(c.need.To)
	if err != nil {
		return err
	}
	for _, i := range c.from {
		for _, p := range c.ports {
			q := reach.Connection{From: v.ends[i], To: target, Port: p}
			switch v.Reaches(q) {
			case reach.All, reach.NoEndpoints, reach.NoLocalEndpoints, reach.Unknown:
			default:
				return fmt.Errorf("%s: no policy can allow this: %s", c.need, v.Trace(q))
			}
		}
	}
	return nil
}

// flowsOf returns the flows of changes that no want is about, sorted. The changes are
// of the Graph of the view.
func (w *world) flowsOf(v *view, changes []reach.Change, wants []want) []Flows {
	s := sorter{w, v}
	from, to := make([]membership, len(wants)), make([]membership, len(wants))
	for i, wt := range wants {
		from[i], to[i] = w.newMembership(wt.from), w.newMembership(wt.to)
	}
	var list []Flows
	for _, c := range changes {
		targets := s.parts(c.To, to)
		for _, a := range s.parts(c.From, from) {
			for _, b := range targets {
				list = append(list, s.rest(c, a, b, wants)...)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Flows) int { return cmp.Compare(a.String(), b.String()) })
	return list
}

// rest returns what is left of a change between two parts of its ends.
func (s *sorter) rest(c reach.Change, from, to part, wants []want) []Flows {
	var list []Flows
	same := c.Family == reach.AnyFamily // for all families that they have
	for i, fam := range families {
		f := Flows{From: from.Ends, To: to.Ends, Ports: c.Ports, Family: fam, OwnNode: c.OwnNode}
		if c.Family != reach.AnyFamily && c.Family != fam || !s.isPossible(f, i) {
			continue
		}
		for _, n := range from.wants[i] {
			if slices.Contains(to.wants[i], n) {
				f.Ports = minus(f.Ports, wants[n].ports)
			}
		}
		list = append(list, f)
		same = same && f.Ports.Equal(list[0].Ports)
	}
	if same && len(list) > 0 {
		list = list[:1]
		list[0].Family = reach.AnyFamily
	}
	return slices.DeleteFunc(list, func(f Flows) bool { return f.Ports.IsEmpty() })
}

// isPossible reports whether there is a flow over a family among f. Of the parts of a
// change, some may hold nothing but one pod, or a pod and its own node.
func (s *sorter) isPossible(f Flows, family int) bool {
	from, to := s.inFamily(f.From.Members, family), s.inFamily(f.To.Members, family)
	outside := func(e Ends) bool { return !e.Outside.Intersect(addresses[family]).IsEmpty() }
	if outside(f.From) && len(to) > 0 || outside(f.To) && len(from) > 0 {
		return true
	}
	for _, a := range from {
		for _, b := range to {
			if a == b {
				if a < len(s.w.pods) && s.w.pods[a].Kind != "Pod" {
					return true // another pod of the workload
				}
			} else if f.OwnNode == s.w.onOneNode(a, b) {
				return true
			}
		}
	}
	return false
}

// inFamily returns the numbers of the members that may have an address of a family.
func (s *sorter) inFamily(members []reach.Endpoint, family int) []int {
	var list []int
	for _, m := range members {
		if addrs := m.Addrs(); addrs.IsEmpty() || !addrs.Intersect(addresses[family]).IsEmpty() {
			list = append(list, s.numberOf(m))
		}
	}
	return list
}

// onOneNode reports whether one of two pods or nodes is the node of the other, or
// counts as it.
func (w *world) onOneNode(a, b int) bool {
	nodeOf := func(i int) (name string, isNode bool) {
		if i < len(w.pods) {
			return w.pods[i].Node, !w.pods[i].subject
		}
		return w.nodes[i-len(w.pods)].Name().Name, true
	}
	x, xIsNode := nodeOf(a)
	y, yIsNode := nodeOf(b)
	return x == y && x != "" && (xIsNode || yIsNode)
}

// A membership tells which endpoints are at one end of a want.
type membership struct {
	numbers bitset
	addrs   cidr.Set
}

func (w *world) newMembership(e end) membership {
	m := membership{newBitset(len(w.pods) + len(w.nodes)), e.addrs}
	for _, i := range slices.Concat(e.pods, e.nodes) {
		m.numbers.add(i)
	}
	return m
}

// A part is endpoints that are an end of the same wants, over each family.
type part struct {
	Ends
	wants [2][]int // ascending
}

// A sorter sorts endpoints by the wants that they are an end of.
type sorter struct {
	w *world
	v *view
}

func (s *sorter) parts(e reach.Ends, of []membership) []part {
	var list []part
	index := make(map[string]int)
	at := func(wants [2][]int) *part {
		key := fmt.Sprint(wants)
		i, ok := index[key]
		if !ok {
			i = len(list)
			index[key] = i
			list = append(list, part{wants: wants})
		}
		return &list[i]
	}
	for m := range e.Members() {
		p := at(s.wantsOf(m, of))
		p.Members = append(p.Members, m)
	}
	for set, wants := range split(e.Outside(), of) {
		p := at([2][]int{wants, wants})
		p.Outside = p.Outside.Union(set)
	}
	return list
}

// numberOf returns the number of a pod or node, also of one at one of its addresses.
func (s *sorter) numberOf(m reach.Endpoint) int {
	if i, ok := s.v.number[m]; ok {
		return i
	}
	return s.w.numbers[m.Name()]
}

// wantsOf returns the wants that a pod or node is an end of.
func (s *sorter) wantsOf(m reach.Endpoint, of []membership) [2][]int {
	number := s.numberOf(m)
	var wants [2][]int
	addrs := m.Addrs()
	for n := range of {
		for i, all := range addresses {
			if of[n].numbers.has(number) || !of[n].addrs.IsEmpty() && !of[n].addrs.Intersect(addrs).Intersect(all).IsEmpty() {
				wants[i] = append(wants[i], n)
			}
		}
	}
	return wants
}

var addresses = [...]cidr.Set{cidr.Of(netip.MustParsePrefix("0.0.0.0/0")), cidr.Of(netip.MustParsePrefix("::/0"))}

// split yields the parts of a set of addresses that are at one end of the same wants.
func split(set cidr.Set, of []membership) iter.Seq2[cidr.Set, []int] {
	return func(yield func(cidr.Set, []int) bool) {
		if set.IsEmpty() {
			return
		}
		sets := make([]cidr.Set, len(of))
		for n := range of {
			sets[n] = of[n].addrs
		}
		classes := cidr.NewPartition(append(sets, set)...)
		for c := range cidr.Class(classes.Len()) {
			wants := slices.Collect(classes.Sets(c))
			if n := len(wants) - 1; n >= 0 && wants[n] == len(of) && !yield(classes.Addrs(c), wants[:n]) {
				return
			}
		}
	}
}
