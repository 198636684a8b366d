package reachtest

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A field is what all mutants of a cluster have in common: the cluster before any
// edit, and what a suite looks at there.
type field struct {
	origin *Cluster
	base   *Cluster         // origin with keepers of blocks, of which the mutants are made
	listed []reach.Endpoint // of the base: pods, nodes and the outside
	pods   int              // how many of listed are pods
	others int              // and how many are outside
	index  map[reach.Endpoint]int
	byName map[types.NamespacedName]bits // the pods of a name

	picked sync.Map // the pods that policies select, as bits by namespace and selector

	mu   sync.Mutex
	held map[call]*footprint // of the assertions that hold before any edit
	sets map[ends]set        // of the base
}

// newField returns the field of the mutants that alterations make of c.
func newField(c *Cluster, list []alteration) (*field, error) {
	base := *c
	base.asked = nil
	var err error
	if base.graph, err = c.graph.With(blockKeepers(c.objects, list)...); err != nil {
		return nil, err
	}
	f := &field{
		origin: c, base: &base, listed: slices.Concat(base.graph.Pods(), base.graph.Nodes(), base.graph.Outside()), index: make(map[reach.Endpoint]int),
		byName: make(map[types.NamespacedName]bits), held: make(map[call]*footprint), sets: make(map[ends]set),
	}
	pods := c.graph.Pods()
	f.pods, f.others = len(pods), len(base.graph.Outside())
	for i, e := range pods {
		f.index[e] = i
		if f.byName[e.Name()] == nil {
			f.byName[e.Name()] = newBits(f.pods)
		}
		f.byName[e.Name()].add(i)
	}
	for i, e := range f.listed {
		f.index[e] = i
	}
	return f, nil
}

// isPod reports whether an endpoint, of the base or the origin, is one of its Pods.
func (f *field) isPod(e reach.Endpoint) bool {
	i, ok := f.index[e]
	return ok && i < f.pods
}

// set returns a set of the base, which is empty if there is none.
func (f *field) set(e ends) set {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sets[e]
	if ok {
		return s
	}
	s, _ = f.base.ends(e)
	for _, e := range s.members {
		i, ok := f.index[e]
		if !ok {
			s.at = nil
			break
		}
		s.at = append(s.at, i)
	}
	f.sets[e] = s
	return s
}

// blockKeepers returns edits that put policies for no pod. They have all rules of
// mutants that are for blocks or for anyone, so that the base tells apart all
// addresses that a mutant does: then With need not compile it. Nothing is open or
// closed by them, but more endpoints outside stand for the same addresses, and the
// pods of a workload may be told apart.
func blockKeepers(c *policy.Cluster, list []alteration) []policy.Edit {
	rules := make(map[string][]networkingv1.NetworkPolicyIngressRule)
	keep := func(o metav1.Object) {
		np, ok := o.(*networkingv1.NetworkPolicy)
		if !ok {
			return
		}
		ns := namespaceOf(np)
		add := func(peers []networkingv1.NetworkPolicyPeer) {
			if len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil }) {
				rules[ns] = append(rules[ns], networkingv1.NetworkPolicyIngressRule{From: peers})
			}
		}
		for _, r := range np.Spec.Ingress {
			add(r.From)
		}
		for _, r := range np.Spec.Egress {
			add(r.To)
		}
	}
	for _, a := range list {
		for i := range a.before {
			keep(a.before[i])
			keep(a.after[i])
		}
	}
	taken := make(map[types.NamespacedName]bool)
	for _, np := range byName(c.Policies) {
		taken[types.NamespacedName{Namespace: namespaceOf(np), Name: np.Name}] = true
	}
	var edits []policy.Edit
	for _, ns := range slices.Sorted(maps.Keys(rules)) {
		np := &networkingv1.NetworkPolicy{}
		np.Namespace, np.Name = ns, "reachtest"
		for taken[types.NamespacedName{Namespace: ns, Name: np.Name}] {
			np.Name += "-x"
		}
		// No label is and is not there.
		np.Spec.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{
			{Key: keeperLabel, Operator: metav1.LabelSelectorOpExists}, {Key: keeperLabel, Operator: metav1.LabelSelectorOpDoesNotExist},
		}
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		np.Spec.Ingress = rules[ns]
		edits = append(edits, policy.Put(np))
	}
	return edits
}

const keeperLabel = "reachtest"

// A role is what a Cluster is for while Mutate runs a suite on it: to keep footprints,
// or to be a mutant.
type role struct {
	*field
	looks *footprint // of the assertion that is being made, if it is kept

	// Of a mutant. What the suite asks without assertions it asks of a Graph without
	// keepers.
	touch   *touch
	plain   func() *reach.Graph
	inside  func() []reach.Endpoint // as listed: pods and nodes
	outside func() []reach.Endpoint // and the rest; empty if it is divided otherwise

	// Of the assertion that is being made on a mutant: whether its sets are as they
	// are before the edit, and whether only what is near can have changed.
	same, part bool
}

// rehearsed returns the origin, to run a suite on and keep footprints.
func (f *field) rehearsed() *Cluster {
	c := *f.origin
	c.role = &role{field: f}
	return &c
}

// mutant returns the cluster after an edit. It reports false if no cluster takes what
// it makes.
func (f *field) mutant(a *alteration) (*Cluster, bool) {
	c := *f.base
	var err, errObjects error
	c.graph, err = f.base.graph.With(a.edits...)
	c.objects, errObjects = f.origin.objects.With(a.edits...)
	if cmp.Or(err, errObjects) != nil {
		return nil, false
	}
	g, t := c.graph, f.touchOf(a)
	c.model = sync.OnceValues(func() (*policy.Model, error) { return f.modelAfter(t, c.objects) })
	c.role = &role{
		field: f,
		touch: t,
		plain: sync.OnceValue(func() *reach.Graph {
			g, err := f.origin.graph.With(a.edits...)
			if err != nil {
				panic("reachtest: the base takes what the cluster refuses: " + err.Error())
			}
			return g
		}),
		inside: sync.OnceValue(func() []reach.Endpoint { return slices.Concat(g.Pods(), g.Nodes()) }),
		outside: sync.OnceValue(func() []reach.Endpoint {
			list := g.Outside()
			same := func(a, b reach.Endpoint) bool { return a.Addrs().Equal(b.Addrs()) }
			if !slices.EqualFunc(list, f.listed[len(f.listed)-f.others:], same) {
				return nil
			}
			return list
		}),
	}
	return &c, true
}

// now returns what is listed at i in the mutant. It reports false if it cannot tell.
func (r *role) now(i int) (e reach.Endpoint, ok bool) {
	inside := r.inside()
	if i < len(inside) {
		return inside[i], true
	}
	outside := r.outside()
	if len(outside) == 0 {
		return e, false
	}
	return outside[i-len(inside)], true
}

// modelAfter returns the normal form of what an edit has made of the objects.
func (f *field) modelAfter(t *touch, objects *policy.Cluster) (*policy.Model, error) {
	before, err := f.origin.model()
	if err != nil || t.all || len(t.keys) > 0 {
		return objects.Model()
	}
	// Nothing but one policy is another.
	m := *before
	m.Policies = slices.DeleteFunc(slices.Clone(m.Policies), func(p *policy.Policy) bool { return p.Name == t.before.Name })
	if t.after != nil {
		i, _ := slices.BinarySearchFunc(m.Policies, t.after.Name, func(p *policy.Policy, name types.NamespacedName) int {
			return cmp.Or(cmp.Compare(p.Name.Namespace, name.Namespace), cmp.Compare(p.Name.Name, name.Name))
		})
		m.Policies = slices.Insert(m.Policies, i, t.after)
	}
	return &m, nil
}

// assert makes an assertion. Of a mutant it makes only those that may fail.
func (c *Cluster) assert(t TB, k call, judge func(c *Cluster) bool) bool {
	t.Helper()
	if c.role == nil {
		return judge(c)
	}
	if c.role.touch == nil {
		n := c.as(func(r *role) { r.looks = newFootprint(r.field) })
		if !judge(n) {
			return false
		}
		c.role.mu.Lock()
		c.role.held[k] = n.role.looks
		c.role.mu.Unlock()
		return true
	}
	c.role.mu.Lock()
	before := c.role.held[k]
	c.role.mu.Unlock()
	if before == nil || !finds(c.graph, before.names) {
		n := *c
		n.graph = c.role.plain() // keepers may tell apart more
		return judge(&n)
	}
	if !c.role.touch.meets(before) {
		return true
	}
	return judge(c.as(func(r *role) {
		r.same = r.touch.keepsSets(before)
		r.part = r.same && r.touch.isPart(before)
	}))
}

// as returns c in another role.
func (c *Cluster) as(change func(*role)) *Cluster {
	n, r := *c, *c.role
	change(&r)
	n.role = &r
	return &n
}

// finds reports whether each name means one endpoint.
func finds(g *reach.Graph, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		_, err := g.Lookup(name)
		return err != nil
	})
}

// looks returns the footprint that is being made, or nil.
func (c *Cluster) looks() *footprint {
	if c.role == nil {
		return nil
	}
	return c.role.looks
}

// isMutant reports whether c is one on which Mutate runs a suite.
func (c *Cluster) isMutant() bool { return c.role != nil && c.role.touch != nil }

// keepsSets reports whether c is a mutant, and the assertion that is being made is
// about the sets that it is about before the edit.
func (c *Cluster) keepsSets() bool { return c.role != nil && c.role.same }

// concerned returns the pods that may open something else than before an edit, and
// those that may take something else, by direction, if the assertion that is being made
// holds for all others. It returns nil if that is not so.
func (c *Cluster) concerned() *[2]bits {
	if c.role == nil || !c.role.part {
		return nil
	}
	return &c.role.touch.near
}

// isConcerned reports whether the n'th member of s is one of the pods concerned.
func (s *set) isConcerned(near bits, n int) bool { return s.at == nil || near.has(s.at[n]) }

// whole returns c to ask what it is not enough to ask of the pods concerned.
func (c *Cluster) whole() *Cluster {
	if c.concerned() == nil {
		return c
	}
	return c.as(func(r *role) { r.part = false })
}

// remember returns the set that find does, which may be the same as before an edit.
func (c *Cluster) remember(e ends, find func() (set, error)) (set, error) {
	if !c.keepsSets() {
		return find()
	}
	before := c.role.set(e)
	if len(before.at) == 0 {
		return find()
	}
	now := setOf(make([]reach.Endpoint, len(before.at))...)
	now.at = before.at
	for n, i := range before.at {
		e, ok := c.role.now(i)
		if !ok {
			return find()
		}
		now.members[n] = e
		if part, ok := before.within[before.members[n]]; ok {
			now.limit(e, part)
		}
	}
	return now, nil
}
