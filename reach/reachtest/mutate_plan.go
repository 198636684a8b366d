package reachtest

import (
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	appsv1 "k8s.io/api/apps/v1"
)

// A planKey is what an assertion asks about pairs of two sets.
type planKey struct {
	from, to ends
	ports    string
}

// A plan is what an assertion asks about pairs, and how the base answers. It is made
// once, and then a mutant is asked only for the pairs that its edit may concern.
type plan struct {
	from, to []portion
	asked    []policy.PortSet // by to
	around   [][]around       // by from and to
	answers  []answer

	service string // instead of to
	ports   policy.PortSet
	visits  []visit
}

// A portion is members of a set that are in one group.
type portion struct {
	group int32 // -1 if they are none of the field, and then it is touched always
	at    []ref
	known int // its index in a plan, or -1
}

// An answer is given to pairs of portions, by their indices, or to visits. It means the
// same for an assertion, whoever gets it.
type answer struct {
	asked, open, partly policy.PortSet
	pairs               [][2]int
}

// A visit is of a client to a Service.
type visit struct {
	from   ref
	groups []int32 // of the client and the backends; -1 as in a portion
	answer int
}

// plan returns the plan for an assertion. It is nil if the base cannot answer, or has
// only pairs about which policies have no say.
func (f *field) plan(k planKey) *plan {
	f.planMu.Lock()
	defer f.planMu.Unlock()
	p, ok := f.plans[k]
	if !ok {
		p = f.newPlan(k)
		f.plans[k] = p
	}
	return p
}

func (f *field) newPlan(k planKey) *plan {
	c := f.base
	if f.namesWorkload(k.from.text) || f.namesWorkload(k.to.text) {
		return nil
	}
	if _, err := c.pairs(k.from, k.to, k.ports); err != nil {
		return nil
	}
	src, err := c.ends(k.from)
	if err != nil {
		return nil
	}
	dst, err := c.ends(k.to)
	if err != nil {
		return nil
	}
	p := &plan{from: f.portions(src.members, f.refTo)}
	if dst.service != nil {
		p.service = dst.service.String()
		err = f.planVisits(p, src, *dst.service, portsText(k.ports))
	} else {
		p.to = f.portions(dst.members, f.refTo)
		err = f.planPairs(p, portsText(k.ports))
	}
	if err != nil || len(p.answers) == 0 {
		return nil
	}
	return p
}

// namesWorkload reports whether the text of a set names a workload that has pods of
// its own: where they are no longer reached alike, it can no more be asked about.
func (f *field) namesWorkload(text string) bool {
	terms, _ := cutTerms(text)
	return slices.ContainsFunc(terms, func(term string) bool {
		e, err := f.base.graph.Lookup(term)
		if err != nil {
			return false
		}
		_, isOne := f.pos[e]
		return !isOne && f.owners[e.Name()]
	})
}

// portsText returns a text of ports without the mark that they need not be declared.
func portsText(text string) string {
	text, _ = strings.CutSuffix(strings.TrimSpace(text), "!")
	return text
}

// portions returns members of a set by group, and those without a group alone.
func (f *field) portions(members []reach.Endpoint, refTo func(reach.Endpoint) ref) []portion {
	var list []portion
	index := make(map[int32]int)
	for _, e := range members {
		r := refTo(e)
		if r < 0 {
			list = append(list, portion{-1, []ref{r}, len(list)})
			continue
		}
		i, ok := index[f.group[r]]
		if !ok {
			i = len(list)
			index[f.group[r]] = i
			list = append(list, portion{f.group[r], nil, i})
		}
		list[i].at = append(list[i].at, r)
	}
	return list
}

// note returns the number of an answer.
func (p *plan) note(asked, open, partly policy.PortSet) int {
	for n, a := range p.answers {
		if a.asked.Equal(asked) && a.open.Equal(open) && a.partly.Equal(partly) {
			return n
		}
	}
	p.answers = append(p.answers, answer{asked: asked, open: open, partly: partly})
	return len(p.answers) - 1
}

func (f *field) planPairs(p *plan, ports string) error {
	for _, b := range p.to {
		asked, err := portsOf(ports, f.endpoint(b.at[0]).Target())
		if err != nil {
			return err
		}
		p.asked = append(p.asked, asked)
	}
	for i, a := range p.from {
		p.around = append(p.around, make([]around, len(p.to)))
		for j, b := range p.to {
			q := f.findPair(a.at, b.at)
			p.around[i][j] = q
			if q.ok {
				n := p.note(p.asked[j], f.base.graph.Ports(f.endpoint(q.from), f.endpoint(q.to)), policy.PortSet{})
				p.answers[n].pairs = append(p.answers[n].pairs, [2]int{i, j})
			}
		}
	}
	return nil
}

func (f *field) planVisits(p *plan, src set, to reach.Target, ports string) error {
	var err error
	if p.ports, err = portsOf(ports, to); err != nil {
		return err
	}
	pairs, err := f.base.toService(src, to, ports)
	if err != nil {
		return err
	}
	for _, q := range pairs {
		v := visit{from: f.refTo(q.from), answer: p.note(q.asked, q.open, q.partly)}
		v.groups = f.groupsAt(nil, q.from)
		for r := range q.asked.Ranges() {
			for n := int(r.First); n <= int(r.Last); n++ {
				v.groups = f.groupsIn(v.groups, f.base.graph.Trace(reach.Connection{From: q.from, To: to, Port: r.Protocol.Port(uint16(n))}))
			}
		}
		slices.Sort(v.groups)
		v.groups = slices.Compact(v.groups)
		p.visits = append(p.visits, v)
	}
	return nil
}

// groupsIn appends the groups of the ends of a connection.
func (f *field) groupsIn(groups []int32, t reach.Trace) []int32 {
	for _, path := range t.Paths {
		for _, e := range [...]reach.Endpoint{path.Egress.From, path.Egress.To, path.Ingress.From, path.Ingress.To} {
			groups = f.groupsAt(groups, e)
		}
	}
	return groups
}

// groupsAt appends the groups of the pods that have the name of an endpoint. No edit
// touches a node or the outside.
func (f *field) groupsAt(groups []int32, e reach.Endpoint) []int32 {
	name := e.Name()
	if name.Namespace == "" {
		return groups
	}
	list, ok := f.names[name]
	if _, isOne := f.pos[e]; !isOne && f.owners[name] || !ok {
		return append(groups, -1) // a workload that has pods of its own
	}
	return append(groups, list...)
}

// pairs returns what [Cluster.pairs] does, or less: of the pairs that the edit does
// not concern, one for each answer. It reports false if it cannot tell.
func (m *mutant) pairs(c *Cluster, k planKey) ([]pair, bool, error) {
	p := m.plan(k)
	switch {
	case p == nil, p.service != "" && m.key != "", m.key == appsv1.DefaultDeploymentUniqueLabelKey:
		return nil, false, nil // labels make backends, and this one tells which workload a pod is of
	case p.service != "":
		all, err := m.revisit(c, p)
		return all, true, err
	}
	var all []pair
	for _, a := range p.answers {
		for _, at := range a.pairs {
			if !m.concerns(p.from[at[0]].group, p.to[at[1]].group) {
				all = append(all, pair{asked: a.asked, open: a.open})
				break
			}
		}
	}
	from, err := m.cellsNow(c, p.from, k.from)
	if err != nil {
		return nil, true, err
	}
	to, err := m.cellsNow(c, p.to, k.to)
	if err != nil {
		return nil, true, err
	}
	for _, b := range to {
		var asked policy.PortSet
		if b.known >= 0 {
			asked = p.asked[b.known]
		} else if asked, err = portsOf(portsText(k.ports), m.field.endpoint(b.at[0]).Target()); err != nil {
			return nil, true, err
		}
		for _, a := range from {
			if !m.concerns(a.group, b.group) {
				continue
			}
			var q around
			if a.known >= 0 && b.known >= 0 {
				q = p.around[a.known][b.known]
			} else {
				q = m.findPair(a.at, b.at)
			}
			if !q.ok {
				continue
			}
			x, err := m.endpoint(q.from)
			if err != nil {
				return nil, true, err
			}
			y, err := m.endpoint(q.to)
			if err != nil {
				return nil, true, err
			}
			all = append(all, pair{from: x, to: y, asked: asked, open: m.graph.Ports(x, y)})
		}
	}
	return all, len(all) > 0, nil
}

// cellsNow returns the portions of a set in the mutant.
func (m *mutant) cellsNow(c *Cluster, before []portion, e ends) ([]portion, error) {
	if m.key == "" || !looksAtLabels(e.text) {
		return before, nil
	}
	s, err := c.ends(e)
	if err != nil {
		return nil, err
	}
	var now []portion
	for _, cl := range before {
		if !m.touched(cl.group) {
			now = append(now, cl) // it has the same members
		}
	}
	for _, cl := range m.portions(s.members, m.refNow) {
		if m.touched(cl.group) {
			cl.known = -1
			now = append(now, cl)
		}
	}
	return now, nil
}

// looksAtLabels reports whether the text of a set picks pods by label.
func looksAtLabels(text string) bool {
	terms, _ := cutTerms(text)
	return slices.ContainsFunc(terms, func(term string) bool {
		which, ok := strings.CutPrefix(term, "pods ")
		return ok && !strings.HasPrefix(which, "in ")
	})
}

// refNow returns the ref of an endpoint of the mutant. The base has one of its name,
// as the edit changes labels only.
func (m *mutant) refNow(e reach.Endpoint) ref {
	if r, ok := m.posNow()[e]; ok {
		return r
	}
	return m.refTo(m.base.graph.MustLookup(e.String()))
}

func (m *mutant) revisit(c *Cluster, p *plan) ([]pair, error) {
	var all []pair
	var to *reach.Target
	seen := make([]bool, len(p.answers))
	for _, v := range p.visits {
		if !m.touched(v.groups...) {
			if a := p.answers[v.answer]; !seen[v.answer] {
				seen[v.answer] = true
				all = append(all, pair{service: &reach.Target{}, asked: a.asked, open: a.open, partly: a.partly})
			}
			continue
		}
		if to == nil {
			t, err := m.graph.Target(p.service)
			if err != nil {
				return nil, err
			}
			to = &t
		}
		from, err := m.endpoint(v.from)
		if err != nil {
			return nil, err
		}
		more, err := c.toService(setOf(from), *to, p.ports.String())
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// A judgedKey is an assertion about each pod of a set.
type judgedKey struct{ what, pods string }

// A subject is a member of a set, and the groups on which the answer for it depends.
type subject struct {
	ref
	groups []int32
}

// subjects returns the pods of a set. If c is a mutant, and an assertion about them
// holds for the base, it returns those only for which it may hold no more. others
// returns the connections on which the answer for one depends; it is nil if that
// depends on the policies that select it alone.
func (c *Cluster) subjects(pods, what string, holds func(TB, *Cluster), others func(*Cluster, reach.Endpoint) []reach.Trace) (set, error) {
	m := c.mutant
	if !m.is(c) || m.key != "" && (others != nil || looksAtLabels(pods) || m.key == appsv1.DefaultDeploymentUniqueLabelKey) {
		return c.set(pods)
	}
	if m.namesWorkload(pods) {
		return c.set(pods)
	}
	list := m.judgedOf(judgedKey{what, pods}, holds, others)
	if list == nil {
		return c.set(pods)
	}
	var s set
	for _, sub := range list {
		if m.touched(sub.groups...) && !m.isIsolated(what, sub.groups) {
			e, err := m.endpoint(sub.ref)
			if err != nil {
				return set{}, err
			}
			s.members = append(s.members, e)
		}
	}
	return s, nil
}

// isolated is what IsIsolated asserts.
func isolated(d policy.Direction) string { return "isolated for " + d.String() }

// isIsolated reports whether that is what is asserted, and it is certain for a group
// of which it holds in the base.
func (m *mutant) isIsolated(what string, groups []int32) bool {
	if m.key != "" || len(groups) != 1 || groups[0] < 0 {
		return false
	}
	for d, more := range m.isolates {
		if what == isolated(policy.Direction(d)) {
			n := m.isolating[d][groups[0]]
			for _, by := range more {
				if slices.Contains(by.groups, groups[0]) {
					n += by.count
				}
			}
			return n > 0
		}
	}
	return false
}

// judgedOf returns the members of a set if an assertion about it holds for the base,
// or else nil.
func (f *field) judgedOf(k judgedKey, holds func(TB, *Cluster), others func(*Cluster, reach.Endpoint) []reach.Trace) []subject {
	f.planMu.Lock()
	defer f.planMu.Unlock()
	list, ok := f.judged[k]
	if ok {
		return list
	}
	if s, err := f.base.set(k.pods); err == nil && s.service == nil {
		t := &trial{}
		if t.run(func() { holds(t, f.base) }); !t.failed() {
			seen := make(map[int32]bool)
			for _, e := range s.members {
				sub := subject{f.refTo(e), f.groupsAt(nil, e)}
				if others == nil && sub.ref >= 0 {
					// One of a group stands for all.
					group := f.group[sub.ref]
					if seen[group] {
						continue
					}
					seen[group], sub.groups = true, []int32{group}
				}
				if others != nil {
					for _, trace := range others(f.base, e) {
						sub.groups = f.groupsIn(sub.groups, trace)
					}
				}
				slices.Sort(sub.groups)
				sub.groups = slices.Compact(sub.groups)
				list = append(list, sub)
			}
		}
	}
	f.judged[k] = list
	return list
}

// tracesOfDNS returns how a pod gets to the servers that resolve names.
func tracesOfDNS(c *Cluster, e reach.Endpoint) []reach.Trace {
	dns, err := c.graph.DNS(e)
	if err != nil {
		return nil
	}
	return dns.UDP
}

// isService reports whether a text names a Service. No edit makes or removes one.
func (c *Cluster) isService(text string) bool {
	if m := c.mutant; m.is(c) {
		return m.setOfBase(text).service != nil
	}
	s, err := c.set(text)
	return err == nil && s.service != nil
}

// setOfBase returns a set of the base, which is empty if the text is wrong.
func (f *field) setOfBase(text string) *set {
	f.planMu.Lock()
	defer f.planMu.Unlock()
	s, ok := f.sets[text]
	if !ok {
		s = new(set)
		if found, err := f.base.set(text); err == nil {
			s = &found
		}
		f.sets[text] = s
	}
	return s
}

// classOf returns the class of an endpoint, or in a mutant its group, which costs
// less.
func (c *Cluster) classOf(e reach.Endpoint) (any, bool) {
	if m := c.mutant; m.is(c) {
		r, ok := m.posNow()[e]
		if !ok || int(r) >= len(m.all)-len(m.extra) {
			return nil, false
		}
		return m.group[r], true
	}
	return c.graph.ClassOf(e)
}
