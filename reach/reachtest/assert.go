package reachtest

import (
	"fmt"
	"iter"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// Reaches asserts that every endpoint of from reaches every one of to on all of the
// ports, over some address family. A connection to a Service must get through to
// all of its backends.
//
// Ports are written as [policy.ParsePortSet] reads them, such as "80, 53/UDP" and
// "all", or by names that to declares. At least one of them must be declared by a
// container or a Service, or be in a policy: a port that nothing declares is most
// likely misspelled. To ask for such a one, write an exclamation mark behind it all:
// "22!".
func (c *Cluster) Reaches(t TB, from, to, ports string, why ...any) bool {
	t.Helper()
	return c.check(t, from, to, ports, why, "%s should reach %s on %s", func(q pair) policy.PortSet {
		return q.asked.Minus(q.open)
	})
}

// DoesNotReach asserts that no endpoint of from reaches any of to on any of the
// ports, over any address family. Connections to a Service count even if no policy
// can deny them, such as those of a backend to itself and of a node to a backend on
// it. Of ports see [Cluster.Reaches].
func (c *Cluster) DoesNotReach(t TB, from, to, ports string, why ...any) bool {
	t.Helper()
	return c.check(t, from, to, ports, why, "%s should not reach %s on %s", func(q pair) policy.PortSet {
		return q.asked.Intersect(q.reached())
	})
}

// ReachesOnlyOn asserts that every endpoint of from reaches every one of to on
// exactly these ports. To may not be a Service: name what is behind it.
func (c *Cluster) ReachesOnlyOn(t TB, from, to, ports string, why ...any) bool {
	t.Helper()
	return c.check(t, from, to, ports, why, onlyOn, func(q pair) policy.PortSet {
		return union(q.asked.Minus(q.open), q.open.Minus(q.asked))
	})
}

// IsReachedOnlyBy asserts that nothing but the endpoints of by reaches any endpoint
// of to on any of the ports, and that some of by do.
func (c *Cluster) IsReachedOnlyBy(t TB, to, ports, by string, why ...any) bool {
	t.Helper()
	return c.only(t, by, ports, why, "nothing but "+by+" should reach "+to, func(set ends) (ends, ends) { return set, ends{text: to} })
}

// ReachesOnly asserts that no endpoint of from reaches anything but the endpoints of
// to on any of the ports, and that some of these are reached.
func (c *Cluster) ReachesOnly(t TB, from, to, ports string, why ...any) bool {
	t.Helper()
	return c.only(t, to, ports, why, from+" should reach nothing but "+to, func(set ends) (ends, ends) { return ends{text: from}, set })
}

// only asserts that flows with others than allowed are denied, and that some with
// the allowed ones are not.
func (c *Cluster) only(t TB, allowed, ports string, why []any, claim string, flows func(set ends) (from, to ends)) bool {
	t.Helper()
	from, to := flows(ends{text: allowed})
	return c.assert(t, call{claim, from.text, to.text, ports}, func(c *Cluster) bool {
		t.Helper()
		return c.judgeOnly(t, allowed, ports, why, claim, flows)
	})
}

func (c *Cluster) judgeOnly(t TB, allowed, ports string, why []any, claim string, flows func(set ends) (from, to ends)) bool {
	t.Helper()
	from, to := flows(ends{text: allowed})
	var pairs []pair
	some := false
	for q, err := range c.whole().pairs(from, to, ports) {
		if err != nil {
			return c.fail(t, why, "%v", err)
		}
		some = some || !q.asked.Intersect(q.reached()).IsEmpty()
		if some && c.keepsSets() {
			break // what is wrong with the others was so before
		}
		pairs = append(pairs, q)
	}
	c.noteSome(t, pairs)
	if !some {
		return c.fail(t, why, "%s on %s, but %s does not reach %s at all", claim, ports, from.text, to.text)
	}
	from, to = flows(ends{text: allowed, others: true})
	faults := faults{Cluster: c, wrong: func(q pair) policy.PortSet { return q.asked.Intersect(q.reached()) }}
	for q, err := range c.pairs(from, to, ports) {
		if err != nil {
			return c.fail(t, why, "%v", err)
		}
		if q.exempt {
			return c.fail(t, why, "%s on %s, but policies have no say about anything else", claim, ports)
		}
		if !faults.add(q) {
			break
		}
	}
	c.noteAll(t, faults.pairs, false)
	return faults.none(t, why, claim+" on "+ports)
}

// IsIsolated asserts that some policy isolates every pod of a set in a direction:
// what no rule allows is denied.
func (c *Cluster) IsIsolated(t TB, pods string, d policy.Direction, why ...any) bool {
	t.Helper()
	return c.assert(t, call{what: "isolated for " + d.String(), from: pods}, func(c *Cluster) bool {
		t.Helper()
		return c.judgeIsolated(t, pods, d, why)
	})
}

func (c *Cluster) judgeIsolated(t TB, pods string, d policy.Direction, why []any) bool {
	t.Helper()
	s, err := c.set(pods)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	if s.service != nil {
		return c.fail(t, why, "%q: policies isolate pods, not Services", pods)
	}
	other, err := c.graph.Lookup("outside:*")
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	c.looks().at(d, s.members...)
	var open []string
	near := c.concerned()
	for n, e := range s.members {
		if near != nil && !s.isConcerned(near[d], n) || c.asked == nil && c.graph.Isolated(e, d) {
			continue // the policies need not be recorded
		}
		if c.isMutant() {
			return c.fail(t, why, "%v is not isolated", e)
		}
		f := reach.Flow{From: e, To: other, Port: policy.TCP.Port(1)}
		if d == policy.Ingress {
			f.From, f.To = other, e
		}
		v := c.graph.Explain(f)
		side := v.Egress
		if d == policy.Ingress {
			side = v.Ingress
		}
		switch {
		case v.Reason != reach.Policies:
			open = append(open, fmt.Sprintf("%v: policies have no say (%s)", e, v.Reason))
		case len(side.Isolating) == 0:
			open = append(open, fmt.Sprintf("%v: no policy isolates it", e))
		}
		c.noteIsolated(t, d, side)
	}
	if len(open) > 0 {
		return c.fail(t, why, "%s: not all are isolated for %v\n%s", pods, d, firstOf(open))
	}
	return true
}

// ResolvesDNS asserts that every pod of a set can resolve names: that it reaches a
// DNS server of the cluster over UDP.
func (c *Cluster) ResolvesDNS(t TB, pods string, why ...any) bool {
	t.Helper()
	return c.assert(t, call{what: "resolves DNS", from: pods}, func(c *Cluster) bool {
		t.Helper()
		return c.judgeDNS(t, pods, why)
	})
}

func (c *Cluster) judgeDNS(t TB, pods string, why []any) bool {
	t.Helper()
	s, err := c.set(pods)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	if s.service != nil {
		return c.fail(t, why, "%q: pods resolve names, not Services", pods)
	}
	var failed []string
	servers, near := c.graph.DNSServers(), c.concerned()
	for n, e := range s.members {
		if near != nil && !s.isConcerned(near[policy.Egress], n) {
			continue
		}
		resolves := false
		for _, to := range servers {
			conn := reach.Connection{From: e, To: to, Port: policy.UDP.Port(53)}
			if c.looks() != nil {
				c.looks().through(c.graph.Trace(conn))
			}
			resolves = resolves || c.graph.Reaches(conn).Reachable()
		}
		if resolves && c.asked == nil {
			continue // nobody wants to know how
		}
		if c.isMutant() {
			return c.fail(t, why, "%v cannot resolve names", e)
		}
		dns, err := c.graph.DNS(e)
		if err != nil {
			return c.fail(t, why, "%v", err)
		}
		c.noteDNS(t, dns.UDP)
		if !dns.Resolves() {
			failed = append(failed, dns.String())
		}
	}
	if len(failed) > 0 {
		return c.fail(t, why, "%s: not all can resolve names\n%s", pods, firstOf(failed))
	}
	return true
}

const few = 3 // faults are told, and how many more there are

func firstOf(faults []string) string {
	n := min(few, len(faults))
	return listed(faults[:n], len(faults)-n)
}

func listed(faults []string, more int) string {
	text := strings.Join(faults, "\n")
	if more > 0 {
		text += fmt.Sprintf("\nand %d more", more)
	}
	return text
}

// A pair is two endpoints that stand for all pairs like them, or an endpoint and a
// Service.
type pair struct {
	from, to reach.Endpoint
	at       reach.Endpoint // the member of the second set that to is or stands for, which declares ports
	exempt   bool           // policies have no say
	service  *reach.Target
	like     [2]members // the groups that it stands for
	sets     [2]*set    // that they are of
	asked    policy.PortSet
	open     policy.PortSet // those of asked that are open, or of all; of a Service, that reach all of its backends
	partly   policy.PortSet // of a Service, those of asked that reach some
}

// meant returns of from and to the addresses that are meant, or nothing if it is all
// of them.
func (q pair) meant() [2]string {
	var texts [2]string
	for i, e := range [...]reach.Endpoint{q.from, q.to} {
		if q.sets[i] != nil {
			texts[i] = q.sets[i].meant(e)
		}
	}
	return texts
}

// reached returns the ports on which anything is reached.
func (q pair) reached() policy.PortSet {
	if q.service != nil {
		return q.partly
	}
	return q.open
}

// onlyOn is the claim of an assertion about all ports.
const onlyOn = "%s should reach %s only on %s"

// check asserts that wrong returns no port for any pair. The claim is a format for
// the two sets and the ports.
func (c *Cluster) check(t TB, from, to, ports string, why []any, claim string, wrong func(pair) policy.PortSet) bool {
	t.Helper()
	return c.assert(t, call{claim, from, to, ports}, func(c *Cluster) bool {
		t.Helper()
		return c.judgePairs(t, from, to, ports, why, claim, wrong)
	})
}

func (c *Cluster) judgePairs(t TB, from, to, ports string, why []any, claim string, wrong func(pair) policy.PortSet) bool {
	t.Helper()
	if claim == onlyOn {
		if s, err := c.set(to); err == nil && s.service != nil {
			return c.fail(t, why, "%q: only of endpoints can be told on which ports alone they are reached; name those behind the Service", to)
		}
	}
	faults := faults{Cluster: c, wrong: wrong}
	for q, err := range c.pairs(ends{text: from}, ends{text: to}, ports) {
		if err != nil {
			return c.fail(t, why, "%v", err)
		}
		if claim == onlyOn {
			q.open = c.graph.Ports(q.from, q.to)
		}
		if !faults.add(q) {
			break
		}
	}
	c.noteAll(t, faults.pairs, claim == onlyOn)
	return faults.none(t, why, fmt.Sprintf(claim, from, to, ports))
}

// A faults is the pairs of an assertion, of which wrong should return no port.
type faults struct {
	*Cluster
	wrong func(pair) policy.PortSet
	pairs []pair
	texts []string // of the first that are not as they should be
	more  int
}

// add adds a pair. It reports false if no more are wanted: of a mutant, nothing is
// recorded or told.
func (f *faults) add(q pair) bool {
	bad := f.wrong(q)
	if f.isMutant() {
		if !bad.IsEmpty() {
			f.more++
		}
		return f.more == 0
	}
	f.pairs = append(f.pairs, q)
	switch {
	case bad.IsEmpty():
	case len(f.texts) < few:
		f.texts = append(f.texts, f.witness(q, bad))
	default:
		f.more++
	}
	return true
}

// none asserts that there is no fault.
func (f *faults) none(t TB, why []any, claim string) bool {
	t.Helper()
	if len(f.texts)+f.more > 0 {
		return f.fail(t, why, "%s, but:\n%s", claim, listed(f.texts, f.more))
	}
	return true
}

// witness explains a pair and a port that are not as they should be.
func (c *Cluster) witness(q pair, bad policy.PortSet) string {
	var port policy.Port
	for r := range bad.Ranges() {
		port = policy.Port{Protocol: r.Protocol, Number: r.First}
		if r == (policy.PortRange{}) {
			port = policy.Port{Protocol: policy.ICMP}
		}
		break
	}
	if q.service != nil {
		text := c.graph.Trace(reach.Connection{From: q.from, To: *q.service, Port: port}).String()
		if meant := q.meant()[0]; meant != "" {
			text += fmt.Sprintf("\nwhere %v stands for %s", q.from, meant)
		}
		return text
	}
	text := c.graph.Explain(reach.Flow{From: q.from, To: q.to, Port: port}).String()
	if bad.Minus(policy.NewPortSet(rangeOf(port))).IsEmpty() {
		bad = policy.PortSet{}
	}
	if !bad.IsEmpty() {
		text += fmt.Sprintf("\nso on %v", bad)
	}
	for i, e := range [...]reach.Endpoint{q.from, q.to} {
		if meant := q.meant()[i]; meant != "" {
			text += fmt.Sprintf("\nwhere %v stands for %s", e, meant)
		}
	}
	if n := c.count(q.like) - 1; n > 0 {
		text += "\nand " + morePairs(n) + " like this one"
	}
	return text
}

func morePairs(n int) string {
	if n == 1 {
		return "1 more pair"
	}
	return fmt.Sprintf("%d more pairs", n)
}

// count returns for how many pairs of two groups the policies have a say.
func (c *Cluster) count(groups [2]members) int {
	n := 0
	for _, x := range groups[0] {
		for _, y := range groups[1] {
			if !c.graph.Exempt(x, y) {
				n++
			}
		}
	}
	return n
}

// An ends is the text of a set, or of all that is not in it.
type ends struct {
	text   string
	others bool
}

func (c *Cluster) ends(e ends) (set, error) {
	if !e.others {
		return c.set(e.text)
	}
	return c.remember(e, func() (set, error) { return c.others(e) })
}

func (c *Cluster) others(e ends) (set, error) {
	s, err := c.set(e.text)
	if err != nil {
		return set{}, err
	}
	if s.service != nil {
		return set{}, fmt.Errorf("%q: name the endpoints behind the Service", e.text)
	}
	all, err := c.set("everything")
	if err != nil {
		return set{}, err
	}
	if err := all.less(c.graph, s); err != nil {
		return set{}, err
	}
	if len(all.members) == 0 {
		return set{}, fmt.Errorf("there is nothing but %s", e.text)
	}
	return all, nil
}

// pairs yields the pairs of two sets, those alike once, with what is open between
// them, or an error.
func (c *Cluster) pairs(from, to ends, ports string) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		src, dst, err := c.bothEnds(from, to)
		if err != nil {
			yield(pair{}, err)
			return
		}
		c.looks().at(policy.Egress, src.members...)
		c.looks().at(policy.Ingress, dst.members...)
		text, declared := strings.CutSuffix(strings.TrimSpace(ports), "!")
		asked := false
		all := c.toEndpoints(src, dst, text)
		if dst.service != nil {
			all = c.toService(src, *dst.service, text)
		}
		for q, err := range all {
			if err == nil {
				asked, declared = true, declared || c.isDeclared(&q)
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
		if asked && !declared && c.concerned() == nil {
			yield(pair{}, undeclared(text))
		}
	}
}

// bothEnds returns the sets of a question.
func (c *Cluster) bothEnds(from, to ends) (src, dst set, err error) {
	if src, err = c.ends(from); err != nil {
		return src, dst, err
	}
	if src.service != nil {
		return src, dst, fmt.Errorf("%q: connections come from endpoints, not from a Service", from.text)
	}
	dst, err = c.ends(to)
	return src, dst, err
}

const mostPorts = 256 // of a Service in one assertion

// toService yields pairs of a client and a Service.
func (c *Cluster) toService(src set, to reach.Target, ports string) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		asked, err := portsOf(ports, to)
		if err != nil {
			yield(pair{}, err)
			return
		}
		n := 0
		for r := range asked.Ranges() {
			if n += int(r.Last) - int(r.First) + 1; n > mostPorts || r == (policy.PortRange{}) {
				yield(pair{}, fmt.Errorf("%v: name the ports of %v one by one", r, to))
				return
			}
		}
		near := c.concerned()
		for n, from := range src.members {
			if near != nil && !src.isConcerned(near[policy.Egress], n) {
				continue
			}
			q := pair{from: from, service: &to, asked: asked, sets: [2]*set{&src, nil}}
			q.open, q.partly, err = c.served(from, to, asked)
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

// served returns those of the ports of a Service on which a client reaches all of its
// backends, and those on which it reaches some.
func (c *Cluster) served(from reach.Endpoint, to reach.Target, ports policy.PortSet) (all, some policy.PortSet, err error) {
	var open, partly []policy.PortRange
	for r := range ports.Ranges() {
		for n := int(r.First); n <= int(r.Last); n++ {
			conn := reach.Connection{From: from, To: to, Port: r.Protocol.Port(uint16(n))}
			if c.looks() != nil {
				c.looks().through(c.graph.Trace(conn))
			}
			switch outcome := c.graph.Reaches(conn); outcome {
			case reach.All:
				open = append(open, rangeOf(conn.Port))
				partly = append(partly, rangeOf(conn.Port))
			case reach.Some:
				partly = append(partly, rangeOf(conn.Port))
			case reach.None, reach.NotExposed, reach.OutsideSourceRanges:
			default:
				return all, some, fmt.Errorf("whether %v reaches %v on %v cannot be said: %s\n%v", from, to, conn.Port, outcome, c.graph.Trace(conn))
			}
		}
	}
	return policy.NewPortSet(open...), policy.NewPortSet(partly...), nil
}

// toEndpoints yields pairs of endpoints.
func (c *Cluster) toEndpoints(src, dst set, ports string) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		_, err := policy.ParsePortSet(ports)
		byName, asked := err != nil, policy.PortSet{}
		for q := range c.between(src, dst, byName) {
			if byName || asked.IsEmpty() {
				asked, err = portsOf(ports, q.at.Target())
			}
			q.asked = asked
			if err == nil {
				q.open = c.open(q.from, q.to, asked)
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

// open returns those of ports that are open from one endpoint to another.
func (c *Cluster) open(from, to reach.Endpoint, ports policy.PortSet) policy.PortSet {
	asked, denied := 0, 0
	for r := range ports.Ranges() {
		if asked++; asked > few || r.First != r.Last {
			return c.graph.Ports(from, to).Intersect(ports)
		}
		port := policy.Port{Protocol: policy.ICMP}
		if r != (policy.PortRange{}) {
			port = r.Protocol.Port(r.First)
		}
		if !c.graph.Allows(reach.Flow{From: from, To: to, Port: port}) {
			denied++
		}
	}
	switch denied {
	case 0:
		return ports
	case asked:
		return policy.PortSet{}
	}
	return c.graph.Ports(from, to).Intersect(ports)
}

// between yields the pairs of two sets, those alike once. Those about which policies
// have no say are left out, unless there are no others.
func (c *Cluster) between(src, dst set, alone bool) iter.Seq[pair] {
	return func(yield func(pair) bool) {
		found := false
		add := func(a, b members) bool {
			q, ok := c.pair(a, b)
			if !ok {
				return true
			}
			found = true
			q.at, q.sets = b[0], [2]*set{&src, &dst}
			return yield(q)
		}
		near := c.concerned()
		single := c.isMutant() && len(src.members)*len(dst.members) <= mostAlone || near != nil
		from, to := c.groups(src, single), c.groups(dst, alone || single)
		for j, b := range to {
			isNear := near == nil || dst.isConcerned(near[policy.Ingress], j)
			for i, a := range from {
				if (isNear || src.isConcerned(near[policy.Egress], i)) && !add(a, b) {
					return
				}
			}
		}
		if found || near != nil {
			return
		}
		// The caller wants to know of a pod and itself, or its own node.
		for _, y := range dst.members {
			for _, x := range src.members {
				if !yield(pair{from: x, to: y, at: y, exempt: true}) {
					return
				}
			}
		}
	}
}

// mostAlone is how many pairs cost less than to find the classes of a mutant.
const mostAlone = 1 << 16

// A members is endpoints of a set that no policy tells apart.
type members []reach.Endpoint

// groups returns the members of a set by class, or each alone.
func (c *Cluster) groups(s set, alone bool) []members {
	all := make([]members, 0, len(s.members))
	index := make(map[reach.Class]int)
	for n, e := range s.members {
		var class reach.Class
		ok := false
		if !alone {
			class, ok = c.graph.ClassOf(e)
		}
		if !ok {
			all = append(all, s.members[n:n+1:n+1])
			continue
		}
		i, known := index[class]
		if !known {
			i = len(all)
			index[class] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], e)
	}
	return all
}

// pair returns a pair that stands for all of two groups about which policies have a
// say. It reports false if there is none.
func (c *Cluster) pair(a, b members) (pair, bool) {
	for _, x := range a {
		for _, y := range b {
			if !c.graph.Exempt(x, y) {
				return pair{from: x, to: y, like: [2]members{a, b}}, true
			}
		}
	}
	if len(a) == 1 && len(b) == 1 && a[0] == b[0] {
		// A workload stands for one of its pods, which reaches another one.
		if other, err := c.graph.Lookup("replica:" + a[0].String()); err == nil {
			return pair{from: a[0], to: other, like: [2]members{a, {other}}}, true
		}
	}
	return pair{}, false
}
