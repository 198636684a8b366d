package reachtest

import (
	"fmt"
	"slices"
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
		return minus(q.asked, q.open)
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
	if s, err := c.set(to); err == nil && s.service != nil {
		return c.fail(t, why, "%q: only of endpoints can be told on which ports alone they are reached; name those behind the Service", to)
	}
	return c.check(t, from, to, ports, why, onlyOn, func(q pair) policy.PortSet {
		return union(minus(q.asked, q.open), minus(q.open, q.asked))
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
	pairs, err := c.pairs(from, to, ports)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	c.noteSome(t, pairs)
	if !slices.ContainsFunc(pairs, func(q pair) bool { return !q.asked.Intersect(q.reached()).IsEmpty() }) {
		return c.fail(t, why, "%s on %s, but %s does not reach %s at all", claim, ports, from.text, to.text)
	}
	from, to = flows(ends{text: allowed, others: true})
	pairs, err = c.pairs(from, to, ports)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	if len(pairs) > 0 && pairs[0].exempt {
		return c.fail(t, why, "%s on %s, but policies have no say about anything else", claim, ports)
	}
	c.noteAll(t, pairs, false)
	return c.judge(t, pairs, why, claim+" on "+ports, func(q pair) policy.PortSet { return q.asked.Intersect(q.reached()) })
}

// IsIsolated asserts that some policy isolates every pod of a set in a direction:
// what no rule allows is denied.
func (c *Cluster) IsIsolated(t TB, pods string, d policy.Direction, why ...any) bool {
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
	var open []string
	for _, e := range s.members {
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
	s, err := c.set(pods)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	if s.service != nil {
		return c.fail(t, why, "%q: pods resolve names, not Services", pods)
	}
	var failed []string
	servers := c.graph.DNSServers()
	for _, e := range s.members {
		// Of what is recorded, the traces are wanted too.
		if c.asked == nil && slices.ContainsFunc(servers, func(to reach.Target) bool {
			return c.graph.Reaches(reach.Connection{From: e, To: to, Port: policy.UDP.Port(53)}).Reachable()
		}) {
			continue
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
	meant    [2]string  // of from and to, the addresses that are meant; empty if it is all of them
	sets     [2]*set    // that they are of
	asked    policy.PortSet
	open     policy.PortSet // of a Service, those of asked that reach all of its backends
	partly   policy.PortSet // of a Service, those of asked that reach some
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
	pairs, err := c.pairs(ends{text: from}, ends{text: to}, ports)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	c.noteAll(t, pairs, claim == onlyOn)
	return c.judge(t, pairs, why, fmt.Sprintf(claim, from, to, ports), wrong)
}

func (c *Cluster) judge(t TB, pairs []pair, why []any, claim string, wrong func(pair) policy.PortSet) bool {
	t.Helper()
	var faults []string
	more := 0
	for _, q := range pairs {
		switch bad := wrong(q); {
		case bad.IsEmpty():
		case len(faults) < few:
			faults = append(faults, c.witness(q, bad))
		default:
			more++
		}
	}
	if len(faults) > 0 {
		return c.fail(t, why, "%s, but:\n%s", claim, listed(faults, more))
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
		if q.meant[0] != "" {
			text += fmt.Sprintf("\nwhere %v stands for %s", q.from, q.meant[0])
		}
		return text
	}
	text := c.graph.Explain(reach.Flow{From: q.from, To: q.to, Port: port}).String()
	if bad.Intersect(minus(bad, policy.NewPortSet(rangeOf(port)))).IsEmpty() {
		bad = policy.PortSet{}
	}
	if !bad.IsEmpty() {
		text += fmt.Sprintf("\nso on %v", bad)
	}
	for i, e := range [...]reach.Endpoint{q.from, q.to} {
		if q.meant[i] != "" {
			text += fmt.Sprintf("\nwhere %v stands for %s", e, q.meant[i])
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
	s, err := c.set(e.text)
	if err != nil || !e.others {
		return s, err
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

// pairs returns the pairs of two sets, those alike once, with what is open between
// them.
func (c *Cluster) pairs(from, to ends, ports string) ([]pair, error) {
	src, err := c.ends(from)
	if err != nil {
		return nil, err
	}
	if src.service != nil {
		return nil, fmt.Errorf("%q: connections come from endpoints, not from a Service", from.text)
	}
	dst, err := c.ends(to)
	if err != nil {
		return nil, err
	}
	text, undeclared := strings.CutSuffix(strings.TrimSpace(ports), "!")
	var all []pair
	if dst.service != nil {
		all, err = c.toService(src, *dst.service, text)
	} else {
		all, err = c.toEndpoints(src, dst, text)
	}
	if err != nil {
		return nil, err
	}
	if !undeclared {
		if err := c.checkDeclared(all, text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

const mostPorts = 256 // of a Service in one assertion

func (c *Cluster) toService(src set, to reach.Target, ports string) ([]pair, error) {
	asked, err := portsOf(ports, to)
	if err != nil {
		return nil, err
	}
	n := 0
	for r := range asked.Ranges() {
		if n += int(r.Last) - int(r.First) + 1; n > mostPorts || r == (policy.PortRange{}) {
			return nil, fmt.Errorf("%v: name the ports of %v one by one", r, to)
		}
	}
	var all []pair
	for _, from := range src.members {
		q := pair{from: from, service: &to, asked: asked, meant: [2]string{src.meant(from), ""}, sets: [2]*set{&src, nil}}
		var open, partly []policy.PortRange
		for r := range asked.Ranges() {
			for n := int(r.First); n <= int(r.Last); n++ {
				port := r.Protocol.Port(uint16(n))
				switch outcome := c.graph.Reaches(reach.Connection{From: from, To: to, Port: port}); outcome {
				case reach.All:
					open = append(open, rangeOf(port))
					partly = append(partly, rangeOf(port))
				case reach.Some:
					partly = append(partly, rangeOf(port))
				case reach.None, reach.NotExposed, reach.OutsideSourceRanges:
				default:
					return nil, fmt.Errorf("whether %v reaches %v on %v cannot be said: %s\n%v", from, to, port, outcome,
						c.graph.Trace(reach.Connection{From: from, To: to, Port: port}))
				}
			}
		}
		q.open, q.partly = policy.NewPortSet(open...), policy.NewPortSet(partly...)
		all = append(all, q)
	}
	return all, nil
}

func (c *Cluster) toEndpoints(src, dst set, ports string) ([]pair, error) {
	_, byName := policy.ParsePortSet(ports)
	all := c.between(src, dst, byName != nil)
	for i := range all {
		q := &all[i]
		var err error
		if q.asked, err = portsOf(ports, q.at.Target()); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// between returns the pairs of two sets, those alike once, with what is open.
// Those about which policies have no say are left out, unless there are no others.
func (c *Cluster) between(src, dst set, alone bool) []pair {
	var all []pair
	from, to := c.groups(src, false), c.groups(dst, alone)
	for _, b := range to {
		for _, a := range from {
			if q, ok := c.pair(a, b); ok {
				q.at, q.open = b[0], c.graph.Ports(q.from, q.to)
				q.meant, q.sets = [2]string{src.meant(q.from), dst.meant(q.to)}, [2]*set{&src, &dst}
				all = append(all, q)
			}
		}
	}
	if len(all) > 0 {
		return all
	}
	// The caller wants to know of a pod and itself, or its own node.
	for _, y := range dst.members {
		for _, x := range src.members {
			all = append(all, pair{from: x, to: y, at: y, exempt: true, open: c.graph.Ports(x, y)})
		}
	}
	return all
}

// A members is endpoints of a set that no policy tells apart.
type members []reach.Endpoint

// groups returns the members of a set by class, or each alone.
func (c *Cluster) groups(s set, alone bool) []members {
	var all []members
	index := make(map[any]int)
	for _, e := range s.members {
		class, ok := c.graph.ClassOf(e)
		if !ok || alone {
			all = append(all, members{e})
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
