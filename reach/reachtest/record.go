package reachtest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	networkingv1 "k8s.io/api/networking/v1"
)

// A record tells Coverages which items the assertions about one Graph depend on.
// The nil record does nothing.
//
// It asks for no more verdicts than it needs: flows of which the same items match
// share one.
type record struct {
	graph    *reach.Graph
	objects  *policy.Cluster
	watchers []watcher

	mu   sync.Mutex // of all below
	view *view
	// By what matches: the effects of flows, how the ends of flows decide, and the
	// effects of two of these.
	known  map[string]effect
	halves map[string]*half
	joined map[[2]*half]effect
}

// A watcher is a Coverage with those policies that it is about.
type watcher struct {
	coverage *Coverage
	policies map[*networkingv1.NetworkPolicy]*entry
}

// record returns a record of c as it is, or nil if nobody wants to know.
func (c *Cluster) record() *record {
	if c.asked == nil || c.asked.graph == c.graph {
		return c.asked
	}
	return c.asked.of(c) // c was copied and has another graph now
}

// of returns the record of another state of the same cluster.
func (r *record) of(c *Cluster) *record {
	if r == nil {
		return nil
	}
	return &record{graph: c.graph, objects: c.objects, watchers: r.watchers}
}

// note tells the Coverages what f finds about an assertion of t.
func (c *Cluster) note(t TB, f func(*record) []effect) {
	r := c.record()
	if r == nil {
		return
	}
	for _, w := range r.watchers {
		w.coverage.until(t)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.view == nil {
		v, err := newView(r)
		if err != nil {
			return // what is compiled has no error
		}
		r.view, r.known = v, make(map[string]effect)
		r.halves, r.joined = make(map[string]*half), make(map[[2]*half]effect)
	}
	for _, e := range f(r) {
		for i, w := range r.watchers {
			w.coverage.raise(r.view.entries[i], e)
		}
	}
}

// noteAll notes that something is asserted of every one of pairs, on the ports that
// they ask for or on all.
func (c *Cluster) noteAll(t TB, pairs []pair, onAll bool) {
	c.note(t, func(r *record) []effect {
		var all []effect
		for _, q := range pairs {
			if onAll && q.service == nil {
				q.asked = everyPort
			}
			all = append(all, r.effects(&q)...)
		}
		return all
	})
}

// noteSome notes that it is asserted that some of pairs reach each other.
func (c *Cluster) noteSome(t TB, pairs []pair) {
	c.note(t, func(r *record) []effect {
		var all []effect
		for i := range pairs {
			all = append(all, r.effects(&pairs[i])...)
		}
		return []effect{some(all)}
	})
}

// noteIsolated notes that it is asserted that an end is isolated, as s says.
func (c *Cluster) noteIsolated(t TB, d policy.Direction, s reach.Side) {
	c.note(t, func(r *record) []effect {
		e := effect{levels: make(map[item]Level)}
		r.view.denial(e, d, s, true)
		return []effect{e}
	})
}

// noteDNS notes that it is asserted that some of traces get through.
func (c *Cluster) noteDNS(t TB, traces []reach.Trace) {
	c.note(t, func(r *record) []effect {
		var all []effect
		for _, t := range traces {
			all = append(all, r.view.trace(t, cidr.Set{})...)
		}
		return []effect{some(all)}
	})
}

// An item of a policy is what can be covered.
type item struct {
	policy    int32 // in the Policies of the Model
	direction policy.Direction
	kind      Kind
	rule      int32
	index     int32 // in the list of the rule
}

// An effect is how a verdict depends on items.
type effect struct {
	allowed bool
	levels  map[item]Level
}

func (e effect) raise(it item, l Level) { e.levels[it] = max(e.levels[it], l) }

// some returns the effect of the assertion that one of several flows is allowed.
func some(all []effect) effect {
	all = slices.DeleteFunc(all, func(e effect) bool { return !e.allowed })
	sum := effect{allowed: true, levels: make(map[item]Level)}
	for _, e := range all {
		for it := range e.levels {
			sum.levels[it] = Covered
		}
	}
	for it := range sum.levels {
		if slices.ContainsFunc(all, func(e effect) bool { return e.levels[it] < Covered }) {
			sum.levels[it] = Shared // without it, another flow is allowed still
		}
	}
	return sum
}

// effects returns the effects of all flows that a pair stands for.
func (r *record) effects(q *pair) []effect {
	var all []effect
	if q.service != nil {
		for ports := range q.asked.Ranges() {
			for n := int(ports.First); n <= int(ports.Last); n++ {
				c := reach.Connection{From: q.from, To: *q.service, Port: ports.Protocol.Port(uint16(n))}
				all = append(all, r.view.trace(r.graph.Trace(c), q.sets[0].addrs(q.from))...)
			}
		}
		return all
	}
	to := r.view.alike(q.like[1])
	for _, a := range r.view.alike(q.like[0]) {
		for _, b := range to {
			if x, y, ok := r.subject(a, b); ok {
				all = append(all, r.flows(x, y, q)...)
			}
		}
	}
	return all
}

// subject returns members of two groups between which policies have a say. It
// reports false if there are none.
func (r *record) subject(a, b members) (from, to reach.Endpoint, ok bool) {
	for _, x := range a {
		for _, y := range b {
			if !r.graph.Exempt(x, y) {
				return x, y, true
			}
		}
	}
	return from, to, false
}

// flows returns the effects of the flows from one endpoint to another on the ports
// that a pair asks for: one for all ports that the same items match.
func (r *record) flows(from, to reach.Endpoint, q *pair) []effect {
	v := r.view
	a, b := v.facts(from), v.facts(to)
	sides := [...]candidates{v.candidates(policy.Egress, a, b), v.candidates(policy.Ingress, b, a)}
	spans := slices.Concat(sides[0].spans, sides[1].spans)
	var addrs [2]cidr.Set
	whole := sides[0].hasBlock || sides[1].hasBlock || a.families != 0 && b.families != 0 && a.families&b.families == 0
	if whole {
		for i, e := range [...]reach.Endpoint{from, to} {
			if _, ok := v.outside[e]; ok {
				addrs[i] = q.sets[i].addrs(e)
			}
		}
	}
	var all []effect
	for _, port := range representatives(q.asked, spans) {
		f := reach.Flow{From: from, To: to, Port: port}
		if whole { // it matters at which addresses the ends are
			key := fmt.Sprintf("%s%s%d%d%q%s", sides[0].key, sides[1].key, a.families, b.families, addrs, like(spans, port))
			e, ok := r.known[key]
			if !ok {
				e = v.ask(f, addrs)
				r.known[key] = e
			}
			all = append(all, e)
			continue
		}
		all = append(all, r.joint(f, sides))
	}
	return all
}

// joint returns the effect of a flow whose ends decide each for themselves.
func (r *record) joint(f reach.Flow, sides [2]candidates) effect {
	v := r.view
	var halves [2]*half
	for i := range sides {
		halves[i] = r.halves[sides[i].key+like(sides[i].spans, f.Port)]
	}
	if halves[0] == nil || halves[1] == nil {
		verdict := v.graph.Explain(f)
		switch verdict.Reason {
		case reach.Policies, reach.NotSubject:
		default:
			return v.effect(verdict, [2]cidr.Set{}) // the ends do not decide
		}
		halves = [...]*half{{verdict.Egress}, {verdict.Ingress}}
		for i := range sides {
			key := sides[i].key + like(sides[i].spans, f.Port)
			if known := r.halves[key]; known != nil {
				halves[i] = known
			}
			r.halves[key] = halves[i]
		}
	}
	e, ok := r.joined[halves]
	if !ok {
		e = v.effect(reach.Verdict{
			Reason: reach.Policies, Egress: halves[0].side, Ingress: halves[1].side,
			Allowed: halves[0].side.Passes() && halves[1].side.Passes(),
		}, [2]cidr.Set{})
		r.joined[halves] = e
	}
	if v.graph.Allows(f) != e.allowed {
		return v.ask(f, [2]cidr.Set{})
	}
	return e
}

// A half is how one end decides.
type half struct{ side reach.Side }

// A candidates is what matches a flow at one end, if the port does too.
type candidates struct {
	key      string // the same if the same does
	spans    []span
	hasBlock bool
}

// candidates returns what matches at the end self.
func (v *view) candidates(d policy.Direction, self, other *facts) candidates {
	var c candidates
	hasName, declared := false, self.ports
	if d == policy.Egress {
		declared = other.ports
	}
	key := strconv.AppendQuote(nil, self.shape)
	key = append(strconv.AppendQuote(key, other.shape), byte('0'+d))
	for _, p := range self.policies {
		h := v.model.Policies[p].Half(d)
		if !h.Isolates {
			continue
		}
		key = binary.AppendUvarint(append(key, 'p'), uint64(p))
		n := v.peers[p][d] // the number of the first peer of the rule
		for _, rule := range h.Rules {
			matches := false
			for i, peer := range rule.Peers {
				families := other.matches[n+i]
				if families == 0 {
					continue
				}
				key = binary.AppendUvarint(append(key, families), uint64(n+i))
				matches = true
				if _, ok := peer.(policy.Block); ok {
					c.hasBlock = true
				}
			}
			if matches {
				c.spans = appendSpans(c.spans, rule.Ports, declared)
				hasName = hasName || slices.ContainsFunc(rule.Ports, func(it policy.PortItem) bool { return it.Name != "" })
			}
			n += len(rule.Peers)
		}
	}
	if hasName {
		key = fmt.Append(key, declared)
	}
	c.key = string(append(key, '|'))
	return c
}

// A span is ports that an item matches, or could.
type span struct {
	protocol    policy.Protocol
	first, last int
}

// appendSpans appends the spans of items at an endpoint that declares some ports.
func appendSpans(spans []span, items []policy.PortItem, declared []policy.ContainerPort) []span {
	for _, it := range items {
		switch {
		case it.Name != "":
			for _, p := range declared {
				if p.Name == it.Name && p.Port.Protocol == it.Protocol {
					spans = append(spans, span{it.Protocol, int(p.Port.Number), int(p.Port.Number)})
				}
			}
		case it.Protocol != 0 && it.First == 0:
			spans = append(spans, span{it.Protocol, 1, 65535})
		case it.Protocol != 0:
			spans = append(spans, span{it.Protocol, int(it.First), int(it.Last)})
			if it.First < it.Last {
				spans = append(spans, span{it.Protocol, int(it.First), int(it.First)}) // for a plugin that ignores endPort
			}
		}
	}
	return spans
}

// like returns the same for ports that the same spans hold.
func like(spans []span, p policy.Port) string {
	text := make([]byte, 0, 16)
	if p.Protocol == policy.SCTP {
		text = append(text, "SCTP"...) // plugins treat it in their own ways
	}
	for i, s := range spans {
		if s.protocol == p.Protocol && s.first <= int(p.Number) && int(p.Number) <= s.last {
			text = binary.AppendUvarint(text, uint64(i))
		}
	}
	return string(text)
}

// representatives returns one of ports for each set of spans that hold some of them
// alone.
func representatives(ports policy.PortSet, spans []span) []policy.Port {
	var list []policy.Port
	found := make(map[string]bool)
	add := func(p policy.Port) {
		if text := like(spans, p); !found[text] {
			found[text] = true
			list = append(list, p)
		}
	}
	for r := range ports.Ranges() {
		if r == (policy.PortRange{}) {
			add(policy.Port{Protocol: policy.ICMP})
			continue
		}
		begins := []int{int(r.First)}
		for _, s := range spans {
			for _, n := range [...]int{s.first, s.last + 1} {
				if s.protocol == r.Protocol && int(r.First) < n && n <= int(r.Last) {
					begins = append(begins, n)
				}
			}
		}
		slices.Sort(begins)
		for _, n := range begins {
			add(r.Protocol.Port(uint16(n)))
		}
	}
	return list
}

// A view is what tells which flows the same items match.
type view struct {
	graph    *reach.Graph
	model    *policy.Model
	entries  [][]*entry // by watcher and policy; nil for a policy that it is not about
	policies map[reach.PolicyRef]int32
	rules    map[reach.RuleRef]int32 // the policy
	peers    [][2]int                // of each policy, by direction, the number of the first peer
	all      int                     // the number of peers

	pods    map[reach.Endpoint]*policy.Pod
	nodes   map[reach.Endpoint]bool
	outside map[reach.Endpoint]cidr.Set
	labels  map[string]map[string]string // of namespaces
	known   map[reach.Endpoint]*facts
}

func newView(r *record) (*view, error) {
	m, err := r.objects.Model()
	if err != nil {
		return nil, err
	}
	v := &view{
		graph: r.graph, model: m,
		policies: make(map[reach.PolicyRef]int32),
		rules:    make(map[reach.RuleRef]int32),
		peers:    make([][2]int, len(m.Policies)),
		pods:     make(map[reach.Endpoint]*policy.Pod),
		nodes:    make(map[reach.Endpoint]bool),
		outside:  make(map[reach.Endpoint]cidr.Set),
		labels:   make(map[string]map[string]string),
		known:    make(map[reach.Endpoint]*facts),
	}
	for i, p := range m.Policies {
		v.policies[reach.PolicyRef{Name: p.Name, Place: p.Place("")}] = int32(i)
		for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
			v.peers[i][d] = v.all
			for n, rule := range p.Half(d).Rules {
				v.rules[reach.RuleRef{Policy: p.Name, Direction: d, Index: n, Place: p.Place(ruleField(d, n))}] = int32(i)
				v.all += len(rule.Peers)
			}
		}
	}
	for _, w := range r.watchers {
		entries := make([]*entry, len(m.Policies))
		for _, np := range r.objects.Policies {
			if e := w.policies[np]; e != nil {
				if i, ok := v.policies[e.ref]; ok {
					entries[i] = e
				}
			}
		}
		v.entries = append(v.entries, entries)
	}
	endpoints := r.graph.Pods()
	for i := range m.Pods {
		if !m.Pods[i].Terminated && len(endpoints) > 0 {
			v.pods[endpoints[0]], endpoints = &m.Pods[i], endpoints[1:]
		}
	}
	for _, e := range r.graph.Nodes() {
		v.nodes[e] = true
	}
	for _, e := range r.graph.Outside() {
		v.outside[e] = e.Addrs()
	}
	for _, ns := range m.Namespaces {
		v.labels[ns.Name] = ns.Labels
	}
	return v, nil
}

// A facts is what decides about the items that match an endpoint.
type facts struct {
	shape    string // which kind of endpoint it is, as far as that decides
	families byte   // of its addresses
	policies []int  // those that select it
	matches  []byte // of each peer, the families over which it matches
	ports    []policy.ContainerPort
	id       string // the same for endpoints with the same of all these
}

func (v *view) facts(e reach.Endpoint) *facts {
	if f := v.known[e]; f != nil {
		return f
	}
	pod, addrs := v.pods[e], e.Addrs()
	_, outside := v.outside[e]
	f := &facts{matches: make([]byte, 0, v.all)}
	v.known[e] = f
	switch {
	case pod != nil:
		f.ports = pod.Ports
		f.shape = fmt.Sprint("pod", pod.HostNetwork)
	case v.nodes[e]:
		f.shape = "node"
	case outside:
		f.shape = "outside"
	default:
		// It is none of those that the Graph lists. What cannot be known matches.
		f.shape = fmt.Sprint("another", len(v.known))
		for i := range v.model.Pods {
			f.ports = append(f.ports, v.model.Pods[i].Ports...)
		}
	}
	unlisted := pod == nil && !v.nodes[e] && !outside
	for i, p := range v.model.Policies {
		if p.Name.Namespace == e.Name().Namespace && (unlisted || pod != nil && p.Pods.Matches(pod.Labels)) {
			f.policies = append(f.policies, i)
		}
		for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
			for _, rule := range p.Half(d).Rules {
				for _, peer := range rule.Peers {
					m := bothFamilies
					if !unlisted {
						m = v.matches(peer, pod, addrs)
					}
					f.matches = append(f.matches, m)
				}
			}
		}
	}
	f.families = familiesOf(addrs)
	f.id = fmt.Sprint(f.shape, f.families, f.policies, f.matches, f.ports)
	return f
}

const bothFamilies byte = 1 | 2

// familiesOf returns those of which a set has addresses.
func familiesOf(addrs cidr.Set) byte {
	var f byte
	for p := range addrs.Prefixes() {
		if p.Addr().Is4() {
			f |= 1
		} else {
			f |= 2
		}
	}
	return f
}

// matches returns the families over which a peer matches a pod, or addresses alone.
func (v *view) matches(peer policy.Peer, pod *policy.Pod, addrs cidr.Set) byte {
	switch peer := peer.(type) {
	case policy.Anyone:
		return bothFamilies
	case policy.Block:
		return familiesOf(addrs.Intersect(peer.Addrs))
	case policy.Pods:
		if pod != nil && peer.Pods.Matches(pod.Labels) &&
			(peer.Namespace == pod.Name.Namespace || peer.Namespace == "" && peer.Namespaces.Matches(v.labels[pod.Name.Namespace])) {
			return bothFamilies
		}
	}
	return 0
}

// alike divides endpoints into groups of those that the same items match.
func (v *view) alike(list members) []members {
	var all []members
	index := make(map[string]int)
	for _, e := range list {
		id := v.facts(e).id
		if _, ok := v.outside[e]; ok {
			id = e.String() // each has addresses of its own
		}
		i, ok := index[id]
		if !ok {
			i = len(all)
			index[id] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], e)
	}
	return all
}

// ask returns the effect of a flow. Of ends outside, only some addresses are meant.
func (v *view) ask(f reach.Flow, addrs [2]cidr.Set) effect {
	verdict := v.graph.Explain(f)
	if verdict.IPv4 != verdict.IPv6 {
		return v.effect(verdict, addrs) // of the family that decides
	}
	var each [2]effect
	for i, family := range [...]reach.Family{reach.IPv4, reach.IPv6} {
		f.Family = family
		each[i] = v.effect(v.graph.Explain(f), addrs)
	}
	if verdict.Allowed {
		return some(each[:])
	}
	for it, l := range each[1].levels {
		each[0].raise(it, l) // one family that is open is enough
	}
	return each[0]
}

// trace returns the effects of the paths of a connection. Of a client outside, only
// some addresses may be meant.
func (v *view) trace(t reach.Trace, client cidr.Set) []effect {
	var all []effect
	for _, p := range t.Paths {
		if p.Stop != "" {
			continue
		}
		addrs := [2]cidr.Set{v.outside[p.Ingress.From], v.outside[p.Egress.To]}
		if !addrs[0].IsEmpty() && p.Ingress.From == t.Connection.From && !client.IsEmpty() {
			addrs[0] = client
		}
		all = append(all, v.effect(p.Verdict, addrs))
	}
	return all
}

// effect returns how a verdict depends on items.
func (v *view) effect(verdict reach.Verdict, addrs [2]cidr.Set) effect {
	e := effect{allowed: verdict.Allowed, levels: make(map[item]Level)}
	switch {
	case verdict.Reason != reach.Policies && verdict.Reason != reach.OwnNode:
	case verdict.Allowed:
		v.allowance(e, policy.Egress, verdict.Egress, addrs[1])
		v.allowance(e, policy.Ingress, verdict.Ingress, addrs[0])
	default:
		alone := verdict.Egress.Passes() || verdict.Ingress.Passes()
		if !verdict.Egress.Passes() {
			v.denial(e, policy.Egress, verdict.Egress, alone)
		}
		if !verdict.Ingress.Passes() {
			v.denial(e, policy.Ingress, verdict.Ingress, alone)
		}
	}
	return e
}

// denial adds that an end that is isolated denies a flow, and whether it does alone.
func (v *view) denial(e effect, d policy.Direction, s reach.Side, alone bool) {
	level := Shared
	if alone && len(s.Isolating) == 1 {
		level = Covered
	}
	for _, ref := range s.Isolating {
		if p, ok := v.policies[ref]; ok {
			e.raise(item{policy: p, direction: d, kind: Isolation}, level)
		}
	}
}

// somewhere is an address to stand for an endpoint that has none.
var somewhere = cidr.Of(netip.PrefixFrom(netip.IPv4Unspecified(), 32))

// allowance adds that the rules of an end let a flow pass. The other end may be
// outside, at some addresses, of which different peers may hold different ones.
func (v *view) allowance(e effect, d policy.Direction, s reach.Side, other cidr.Set) {
	if len(s.Isolating) == 0 || s.OwnNode || s.Bypassed {
		return // it passes anyway
	}
	outside := !other.IsEmpty()
	if !outside {
		other = somewhere
	}
	byRule := make([]cidr.Set, len(s.Allowing))
	byPeer := make([][]cidr.Set, len(s.Allowing))
	for i, m := range s.Allowing {
		if len(m.Peers) == 0 {
			byRule[i] = other
		}
		for _, n := range m.Peers {
			held := other
			if p, ok := v.rules[m.Rule]; ok && outside {
				if b, ok := v.model.Policies[p].Half(d).Rules[m.Rule.Index].Peers[n].(policy.Block); ok {
					held = held.Intersect(b.Addrs)
				}
			}
			byPeer[i] = append(byPeer[i], held)
			byRule[i] = byRule[i].Union(held)
		}
	}
	needed := exclusive(byRule)
	for i, m := range s.Allowing {
		p, ok := v.rules[m.Rule]
		if !ok || byRule[i].IsEmpty() {
			continue
		}
		at := item{policy: p, direction: d, rule: int32(m.Rule.Index)}
		raise := func(kind Kind, index int, isNeeded bool) {
			at.kind, at.index = kind, int32(index)
			if isNeeded {
				e.raise(at, Covered)
			} else {
				e.raise(at, Shared)
			}
		}
		raise(Rule, 0, !needed[i].IsEmpty())
		for n, held := range exclusive(byPeer[i]) {
			if !byPeer[i][n].IsEmpty() {
				raise(Peer, m.Peers[n], !held.Intersect(needed[i]).IsEmpty())
			}
		}
		for _, n := range m.Ports {
			raise(Port, n, !needed[i].IsEmpty() && len(m.Ports) == 1)
		}
	}
}

// exclusive returns for each of sets the addresses that no other one holds.
func exclusive(sets []cidr.Set) []cidr.Set {
	own := make([]cidr.Set, len(sets))
	var before cidr.Set
	for i, s := range sets {
		own[i] = s.Minus(before)
		before = before.Union(s)
	}
	var after cidr.Set
	for i, s := range slices.Backward(sets) {
		own[i] = own[i].Minus(after)
		after = after.Union(s)
	}
	return own
}

// watch returns r, which may be nil, with one more watcher of the cluster c.
func (r *record) watch(c *Cluster, w watcher) *record {
	n := &record{graph: c.graph, objects: c.objects}
	if r != nil {
		n.watchers = slices.Clone(r.watchers)
	}
	n.watchers = append(n.watchers, w)
	return n
}
