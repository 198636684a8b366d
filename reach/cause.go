package reach

import (
	"cmp"
	"math/bits"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// A Cause is an object that differs between two clusters.
type Cause struct {
	Kind  string // "NetworkPolicy", or "Profile" if that differs
	Name  types.NamespacedName
	How   string       // "added", "removed" or "changed"
	Place policy.Place // of the object in the cluster that has it, in the second one if both have
}

// String returns the cause in words:
// "NetworkPolicy shop/db removed (deploy/db.yaml:14)".
func (c Cause) String() string {
	s := c.Kind
	if c.Name.Name != "" {
		s += " " + strings.TrimPrefix(c.Name.String(), "/")
	}
	s += " " + c.How
	if c.Place.File != "" {
		s += " (" + policy.Place{File: c.Place.File, Line: c.Place.Line}.String() + ")"
	}
	return s
}

// Causes returns the smallest set of objects of which it is enough that they change
// to turn the answer to c.Flow, over the first family of c that is turned. Of several
// sets as small it returns that with the most policies, and then the first by kind and
// name. The zero Change has none.
//
// It is exact for policies, for the two ends and their namespaces and nodes, and for
// the Profile. If it takes the change of other objects as well, it returns a set of
// which nothing can be left out.
//
// Its cost is that of With for the policies that have changed in the namespaces of
// both ends, twice for each choice among the other objects that have changed; and
// once for a Diff, that of comparing all objects.
func (c Change) Causes() []Cause {
	if c.IsZero() {
		return nil
	}
	f, ok := newFault(c)
	if !ok {
		return nil
	}
	return f.causes()
}

// edits returns what has changed between the clusters.
func (p *pairing) edits() []policy.Edit {
	p.once.Do(func() { p.between = p.graphs[0].cluster.EditsTo(p.graphs[1].cluster) })
	return p.between
}

// A fault is a flow that two sides answer differently, and what has changed that
// could be the cause.
type fault struct {
	p        *pairing
	from, to endText
	port     policy.Port
	family   Family
	opened   bool // the second side allows it
	policies []policy.Edit
	near     []policy.Edit // of what else could matter to these ends
	far      []policy.Edit
	profile  bool // the Profiles differ
}

// An endText tells an end in whatever cluster.
type endText struct {
	kind endKind
	pod  policy.Pod // its kind and name
	node string
	addr netip.Addr // outside, or of a pod or node
}

func newFault(c Change) (*fault, bool) {
	flow, p := c.Flow(), c.From.p
	f := &fault{p: p, port: flow.Port, opened: c.Opened, profile: p.graphs[0].profile != p.graphs[1].profile}
	f.from, f.to = textOf(flow.From, c.From), textOf(flow.To, c.To)
	for _, fam := range c.Family.each() {
		f.family = fam
		if f.answer(p.graphs[0]) != c.Opened && f.answer(p.graphs[1]) == c.Opened {
			f.sort()
			return f, true
		}
	}
	return nil, false
}

// textOf returns the text of an end of a flow that a Change has.
func textOf(e Endpoint, ends Ends) endText {
	kind, i := e.g.kind(e.id)
	t := endText{kind: kind}
	switch kind {
	case outsideEnd:
		t.addr = ends.Outside().Intersect(e.Addrs()).First()
		return t
	case atEnd:
		t.addr = e.g.at[i].addr
	}
	if pod := e.g.pod(e.id); pod != nil {
		t.pod = policy.Pod{Kind: pod.Kind, Name: pod.Name}
	} else {
		t.node = e.Name().Name
	}
	return t
}

// in returns the end of a Graph. It reports false if the Graph has not got it.
func (t endText) in(g *Graph) (Endpoint, bool) {
	id := int32(-1)
	switch {
	case t.kind == outsideEnd:
		e, err := g.Addr(t.addr)
		kind, _ := g.kind(e.id)
		return e, err == nil && kind == outsideEnd
	case t.node != "":
		n, ok := g.node(t.node)
		if !ok {
			return Endpoint{}, false
		}
		id = n
	default:
		for _, n := range g.named(t.pod.Name, t.pod.Kind) {
			if kind, _ := g.kind(n); kind == podEnd && !g.pods[n].Terminated {
				id = n
			}
		}
	}
	if id < 0 {
		return Endpoint{}, false
	}
	switch t.kind {
	case replicaEnd:
		return g.replica(Endpoint{g, id})
	case atEnd:
		n, ok := g.idAt(id, t.addr)
		return Endpoint{g, n}, ok
	}
	return Endpoint{g, id}, true
}

// flow returns the flow in a Graph.
func (f *fault) flow(g *Graph) (Flow, bool) {
	from, ok := f.from.in(g)
	to, also := f.to.in(g)
	return Flow{From: from, To: to, Port: f.port, Family: f.family}, ok && also
}

// answer reports whether a Graph allows the flow.
func (f *fault) answer(g *Graph) bool {
	flow, ok := f.flow(g)
	return ok && g.Allows(flow)
}

// sort sorts what has changed by what it can do.
func (f *fault) sort() {
	namespaces := [...]string{f.from.pod.Name.Namespace, f.to.pod.Name.Namespace}
	for _, e := range f.p.edits() {
		kind, name := e.Object()
		near := false
		for _, t := range [...]endText{f.from, f.to} {
			switch kind {
			case t.pod.Kind:
				near = near || name == t.pod.Name
			case "Namespace":
				near = near || name.Name == t.pod.Name.Namespace
			case "Node":
				near = near || name.Name == t.node || name.Name == f.nodeOf(t)
			}
		}
		switch {
		case kind == "NetworkPolicy" && slices.Contains(namespaces[:], name.Namespace):
			f.policies = append(f.policies, e)
		case kind == "NetworkPolicy":
			// It selects neither end.
		case near && f.isNews(kind, name):
			f.near = append(f.near, e)
		case near:
			// Of two snapshots of a cluster, most objects differ in what matters to nobody.
		default:
			f.far = append(f.far, e)
		}
	}
	slices.SortStableFunc(f.near, func(a, b policy.Edit) int {
		kind, _ := a.Object()
		other, _ := b.Object()
		return cmp.Compare(kind, other)
	})
}

// isNews reports whether an object means something else in one cluster than in the
// other.
func (f *fault) isNews(kind string, name types.NamespacedName) bool {
	var models [2]*policy.Model
	var clusters [2]*policy.Cluster
	for s, g := range f.p.graphs {
		c, ok := only(g.cluster, kind, name)
		if !ok {
			return true
		}
		m, err := c.Model()
		if err != nil {
			return true
		}
		models[s], clusters[s] = m, c
	}
	x, y := models[0], models[1]
	return !reflect.DeepEqual(x.Pods, y.Pods) || !reflect.DeepEqual(x.Nodes, y.Nodes) || !reflect.DeepEqual(x.Namespaces, y.Namespaces) ||
		!x.PodCIDRs.Equal(y.PodCIDRs) || !reflect.DeepEqual(ownersIn(clusters[0]), ownersIn(clusters[1]))
}

// nodeOf returns the name of the node of a pod, of the first side that has it.
func (f *fault) nodeOf(t endText) string {
	for _, g := range f.p.graphs {
		if e, ok := t.in(g); ok && g.isFixed(g.ends[e.id].host) && t.kind != outsideEnd {
			return g.nodes[g.ends[e.id].host].Name
		}
	}
	return ""
}

// causes looks for the smallest set: first among policies, the ends and what belongs
// to them, and then among all.
func (f *fault) causes() []Cause {
	choices := len(f.near) // no more than two ends, their namespaces and nodes, and the Profile
	if f.profile {
		choices++
	}
	var masks []uint
	for m := range uint(1) << choices {
		masks = append(masks, m)
	}
	slices.SortFunc(masks, func(a, b uint) int { // the sets of fewer first, and then the first by their order
		return cmp.Or(cmp.Compare(bits.OnesCount(a), bits.OnesCount(b)), cmp.Compare(bits.Reverse(b), bits.Reverse(a)))
	})
	var best []policy.Edit
	profile, found := false, false
	size := func() int {
		if profile {
			return len(best) + 1
		}
		return len(best)
	}
	for _, m := range masks {
		if found && bits.OnesCount(m) >= size() {
			break
		}
		var edits []policy.Edit
		for i, e := range f.near {
			if m>>i&1 != 0 {
				edits = append(edits, e)
			}
		}
		withProfile := m>>len(f.near)&1 != 0
		if policies, ok := f.solve(edits, withProfile); ok && (!found || bits.OnesCount(m)+len(policies) < size()) {
			best, profile, found = slices.Concat(edits, policies), withProfile, true
		}
	}
	if !found {
		return f.leaveOut()
	}
	return f.list(best, profile)
}

// leaveOut starts from everything that has changed, and leaves out what can be.
func (f *fault) leaveOut() []Cause {
	edits, profile := slices.Concat(f.near, f.far), f.profile
	if _, ok := f.solve(edits, profile); !ok {
		return nil
	}
	// Halves first, so that what does not matter goes in few steps.
	for n := len(edits); n > 0; n /= 2 {
		for at := 0; at < len(edits); {
			rest := slices.Concat(edits[:at], edits[min(at+n, len(edits)):])
			if _, ok := f.solve(rest, profile); ok {
				edits = rest
			} else {
				at += n
			}
		}
	}
	if profile {
		if _, ok := f.solve(edits, false); ok {
			profile = false
		}
	}
	policies, _ := f.solve(edits, profile)
	return f.list(slices.Concat(edits, policies), profile)
}

// solve returns the fewest changes of policies that turn the answer once other
// objects, and perhaps the Profile, have changed.
func (f *fault) solve(edits []policy.Edit, profile bool) ([]policy.Edit, bool) {
	old, ok := f.state(edits, profile)
	if !ok {
		return nil, false
	}
	if f.answer(old) == f.opened {
		return nil, true
	}
	changed, ok := f.state(slices.Concat(edits, f.policies), profile)
	if !ok {
		return nil, false
	}
	flow, ok := f.flow(old)
	after, also := f.flow(changed)
	if !ok || !also {
		return nil, false
	}
	x := old.judge(question{profile: old.profile, reasons: true}, flow)
	y := changed.judge(question{profile: changed.profile, reasons: true}, after)
	if !x.isDecided() || !y.isDecided() {
		return nil, false // policies have no say
	}
	s := solver{policies: f.policies}
	egress, ingress := s.side(x.Egress, y.Egress), s.side(x.Ingress, y.Ingress)
	if f.opened {
		s.both(egress.passing(), ingress.passing())
	} else {
		s.both(egress.stopping(), []option{{}})
		s.both([]option{{}}, ingress.stopping())
	}
	var best []policy.Edit
	for _, i := range s.best {
		best = append(best, f.policies[i])
	}
	return best, s.found
}

// isDecided reports whether policies can decide.
func (v *Verdict) isDecided() bool { return v.Reason == Policies || v.Reason == OwnNode }

// state returns the Graph of the first side after edits, and perhaps with the Profile
// of the second.
func (f *fault) state(edits []policy.Edit, profile bool) (*Graph, bool) {
	g := f.p.graphs[0]
	if !profile {
		h, err := g.With(edits...)
		return h, err == nil
	}
	c, err := g.cluster.With(edits...)
	if err != nil {
		return nil, false
	}
	h, err := f.p.graphs[1].profile.Compile(c)
	return h, err == nil
}

// A solver finds the fewest changes of policies with which sides decide as wanted.
type solver struct {
	policies []policy.Edit
	best     []int // by number, ascending
	found    bool
}

// An option is that some policies change and others do not, by number.
type option struct{ changed, kept []int }

// A sideState is what policies do to one end: those that have changed, by number,
// before and after, and all others together.
type sideState struct {
	exempt bool // the policies have no say
	before []effect
	after  []effect
	others effect
}

// An effect is what a policy does to a flow at one end.
type effect struct{ isolates, allows bool }

func (s *solver) side(before, after Side) sideState {
	st := sideState{
		exempt: before.OwnNode || before.Bypassed,
		before: make([]effect, len(s.policies)), after: make([]effect, len(s.policies)),
	}
	for i, side := range [...]Side{before, after} {
		list := [...][]effect{st.before, st.after}[i]
		of := func(name types.NamespacedName) *effect {
			for n, e := range s.policies {
				if _, changed := e.Object(); changed == name {
					return &list[n]
				}
			}
			return &st.others
		}
		for _, p := range side.Isolating {
			of(p.Name).isolates = true
		}
		for _, m := range side.Allowing {
			of(m.Rule.Policy).allows = true
		}
	}
	return st
}

// passing returns the options with which the side lets the flow pass: some policy
// allows it, or none isolates the end.
func (st *sideState) passing() []option {
	if st.exempt || st.others.allows {
		return []option{{}}
	}
	var list []option
	for i := range st.before {
		if st.before[i].allows {
			list = append(list, option{kept: []int{i}})
		}
		if st.after[i].allows {
			list = append(list, option{changed: []int{i}})
		}
	}
	if st.others.isolates {
		return list
	}
	var none option
	for i := range st.before {
		if !none.need(i, !st.before[i].isolates, !st.after[i].isolates) {
			return list
		}
	}
	return append(list, none)
}

// stopping returns the options with which the side stops the flow: no policy allows
// it, and one isolates the end.
func (st *sideState) stopping() []option {
	if st.exempt || st.others.allows {
		return nil
	}
	var none option
	for i := range st.before {
		if !none.need(i, !st.before[i].allows, !st.after[i].allows) {
			return nil
		}
	}
	if st.others.isolates {
		return []option{none}
	}
	var list []option
	for i := range st.before {
		isKept, isChanged := slices.Contains(none.kept, i), slices.Contains(none.changed, i)
		if st.before[i].isolates && !isChanged {
			list = append(list, none.with(option{kept: []int{i}}))
		}
		if st.after[i].isolates && !isKept {
			list = append(list, none.with(option{changed: []int{i}}))
		}
	}
	return list
}

// need adds to o what policy i must be: as before, changed, or either. It reports
// false if it can be neither.
func (o *option) need(i int, before, after bool) bool {
	switch {
	case before && !after:
		o.kept = append(o.kept, i)
	case after && !before:
		o.changed = append(o.changed, i)
	}
	return before || after
}

// with returns what both demand.
func (o option) with(p option) option {
	union := func(a, b []int) []int {
		list := slices.Concat(a, b)
		slices.Sort(list)
		return slices.Compact(list)
	}
	return option{union(o.changed, p.changed), union(o.kept, p.kept)}
}

// both looks for the best among what two lists demand together.
func (s *solver) both(a, b []option) {
	for _, x := range a {
		for _, y := range b {
			o := x.with(y)
			if s.found && cmp.Or(cmp.Compare(len(o.changed), len(s.best)), slices.Compare(o.changed, s.best)) >= 0 ||
				slices.ContainsFunc(o.changed, func(i int) bool { return slices.Contains(o.kept, i) }) {
				continue
			}
			s.best, s.found = o.changed, true
		}
	}
}

// list returns edits as causes.
func (f *fault) list(edits []policy.Edit, profile bool) []Cause {
	var all []Cause
	for _, e := range edits {
		kind, name := e.Object()
		c := Cause{Kind: kind, Name: name, How: "changed"}
		before, had := f.p.graphs[0].cluster.Object(kind, name)
		after, has := f.p.graphs[1].cluster.Object(kind, name)
		switch {
		case !has:
			c.How, c.Place = "removed", f.p.graphs[0].cluster.Place(before, "")
		case !had:
			c.How = "added"
			fallthrough
		default:
			c.Place = f.p.graphs[1].cluster.Place(after, "")
		}
		all = append(all, c)
	}
	if profile {
		all = append(all, Cause{Kind: "Profile", How: "changed"})
	}
	slices.SortFunc(all, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name.Namespace, b.Name.Namespace), cmp.Compare(a.Name.Name, b.Name.Name))
	})
	return all
}
