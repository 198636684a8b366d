package reachtest

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A field is what all mutants of a cluster have in common: its endpoints, in groups
// that no mutant tells apart, and what is open between them in the base, which is
// the cluster without any edit.
//
// The endpoints of every mutant are those of the field, in the same order. Between
// two groups of which an edit touches neither, all is as it was.
type field struct {
	origin *Cluster
	base   *Cluster         // origin with keepers of blocks
	extra  []netip.Addr     // of nodes that have several
	all    []reach.Endpoint // pods, nodes, addresses outside, and the nodes at each of extra
	pods   int              // how many of all are pods
	pos    map[reach.Endpoint]ref
	group  []int32                          // of each of all
	groups [][]ref                          // the members of each
	names  map[types.NamespacedName][]int32 // the groups of the pods of a name
	picked map[string][]int32               // the groups that policies select, by namespace and selector

	manifests sync.Map // the lines of objects of the base

	mu      sync.Mutex
	others  []reach.Endpoint // of the base, that assertions name
	otherID map[reach.Endpoint]ref
	between map[[2]int32]*open
}

// A ref is an index of field.all, or if it is negative, the complement of one of
// field.others.
type ref int32

// An around is two endpoints that stand for all of two groups.
type around struct {
	from, to ref
	ok       bool // there are two about which the policies have a say
}

// An open is what the base lets through from one group to another.
type open struct {
	around
	ports [2]policy.PortSet // by family
}

// newField returns the field of the mutants that alterations make of c, and finds
// which groups each touches.
func newField(c *Cluster, list []alteration) (*field, error) {
	base := *c
	base.asked = nil
	var err error
	if base.graph, err = c.graph.With(blockKeepers(c.objects, list)...); err != nil {
		return nil, err
	}
	f := &field{
		origin: c, base: &base, pos: make(map[reach.Endpoint]ref),
		names: make(map[types.NamespacedName][]int32), picked: make(map[string][]int32),
		otherID: make(map[reach.Endpoint]ref), between: make(map[[2]int32]*open),
	}
	for _, n := range base.graph.Nodes() {
		var addrs []netip.Addr
		for a := range single(n.Addrs()) {
			addrs = append(addrs, a)
		}
		if len(addrs) > 1 {
			f.extra = append(f.extra, addrs...)
		}
	}
	f.all, f.pods = f.endpoints(base.graph)
	for i, e := range f.all {
		f.pos[e] = ref(i)
	}
	if err := f.findGroups(list); err != nil {
		return nil, err
	}
	for i := range list {
		f.prepare(&list[i])
	}
	return f, nil
}

// single yields the addresses of a set of a few.
func single(s cidr.Set) func(func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		for p := range s.Prefixes() {
			for a := p.Addr(); p.Contains(a); a = a.Next() {
				if !yield(a) {
					return
				}
			}
		}
	}
}

// endpoints returns the endpoints of a graph, and how many are pods.
func (f *field) endpoints(g *reach.Graph) (all []reach.Endpoint, pods int) {
	all = g.Pods()
	pods = len(all)
	all = append(append(all, g.Nodes()...), g.Outside()...)
	for _, a := range f.extra {
		if e, err := g.Addr(a); err == nil { // else several have it, and nobody can ask for it
			all = append(all, e)
		}
	}
	return all, pods
}

// blockKeepers returns edits that put policies for no pod. They have all rules of
// mutants that are for blocks or for anyone, so that the base tells apart all
// addresses that a mutant does: then With need not compile it.
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

// findGroups sorts the endpoints into groups. Members of a group look alike to all
// that a policy of a mutant can say: they have one namespace, the same labels among
// those that policies look at, the same names of ports, and addresses in the same
// blocks. Pods that an alteration relabels are apart from all others.
func (f *field) findGroups(list []alteration) error {
	m, err := f.base.objects.Model()
	if err != nil {
		return err
	}
	keys := make(map[string]bool)
	var blocks []cidr.Set
	look := func(o metav1.Object) {
		np, ok := o.(*networkingv1.NetworkPolicy)
		if !ok {
			return
		}
		p, err := policy.New(np)
		if err != nil {
			return // no cluster takes it
		}
		addPodKeys(keys, p)
		for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
			for _, r := range p.Half(d).Rules {
				for _, peer := range r.Peers {
					if b, ok := peer.(policy.Block); ok {
						blocks = append(blocks, b.Addrs)
					}
				}
			}
		}
	}
	for _, np := range f.base.objects.Policies {
		if np != nil {
			look(np)
		}
	}
	relabels := make(map[string][]int) // the alterations that relabel a pod or workload
	for n, a := range list {
		for i := range a.before {
			if a.key != "" {
				name := kindAndName(a.before[i])
				relabels[name] = append(relabels[name], n)
			} else if hasBlock(a.after[i]) {
				look(a.after[i])
			}
		}
	}
	addrs := cidr.NewPartition(blocks...)
	order := slices.Sorted(maps.Keys(keys))
	pods := slices.DeleteFunc(slices.Clone(m.Pods), func(p policy.Pod) bool { return p.Terminated })
	ids := make(map[string]int32)
	for i, e := range f.all {
		var key []byte
		if i < f.pods {
			p := &pods[i]
			key = append(key, p.Name.Namespace+"\x00"...)
			for _, k := range order {
				if v, ok := p.Labels[k]; ok {
					key = append(key, k+"="+v+"\x00"...)
				}
				if slices.Contains(p.Generated, k) {
					key = append(key, k+"\x00"...)
				}
			}
			key = fmt.Appendf(key, "%t %t %v %d", p.HostNetwork, p.Kind == "Pod", p.Ports, relabels[p.Kind+" "+p.Name.String()])
			for a := range single(e.Addrs()) {
				key = fmt.Appendf(key, " %d:%d", a.BitLen(), addrs.Class(a))
			}
		} else {
			key = strconv.AppendInt(key, int64(i), 10) // alone
		}
		id, ok := ids[string(key)]
		if !ok {
			id = int32(len(f.groups))
			ids[string(key)] = id
			f.groups = append(f.groups, nil)
		}
		f.group = append(f.group, id)
		f.groups[id] = append(f.groups[id], ref(i))
		if name := e.Name(); i < f.pods && !slices.Contains(f.names[name], id) {
			f.names[name] = append(f.names[name], id)
		}
	}
	return nil
}

// hasBlock reports whether a policy has a block. Mutants look at no label that no
// policy looks at, so of the others there is nothing to be known.
func hasBlock(o metav1.Object) bool {
	np, ok := o.(*networkingv1.NetworkPolicy)
	if !ok {
		return false
	}
	in := func(peers []networkingv1.NetworkPolicyPeer) bool {
		return slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil })
	}
	return slices.ContainsFunc(np.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool { return in(r.From) }) ||
		slices.ContainsFunc(np.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool { return in(r.To) })
}

func kindAndName(o metav1.Object) string {
	kind := fmt.Sprintf("%T", o) // *v1.Pod
	return kind[strings.LastIndex(kind, ".")+1:] + " " + namespaceOf(o) + "/" + o.GetName()
}

// prepare finds the groups that an alteration may concern: those of the pods that
// the policy selects before or after it, or that get other labels.
func (f *field) prepare(a *alteration) {
	for i := range a.before {
		if before, ok := a.before[i].(*networkingv1.NetworkPolicy); ok {
			after, _ := a.after[i].(*networkingv1.NetworkPolicy)
			f.preparePolicy(a, before, after)
			continue
		}
		a.touched = append(a.touched, f.names[types.NamespacedName{Namespace: namespaceOf(a.before[i]), Name: a.before[i].GetName()}]...)
		a.sides = [2]bool{true, true}
	}
	slices.Sort(a.touched)
	a.touched = slices.Compact(a.touched)
}

// preparePolicy is prepare for a policy, which is nil after the edit if it is gone.
func (f *field) preparePolicy(a *alteration, before, after *networkingv1.NetworkPolicy) {
	said := [2]*policy.Policy{}
	for i, np := range [...]*networkingv1.NetworkPolicy{before, after} {
		if np == nil {
			continue
		}
		p, err := policy.New(np)
		if err != nil {
			return // no cluster takes it
		}
		said[i] = p
		groups := f.selected(np)
		a.touched = append(a.touched, groups...)
	}
	same := after != nil && namespaceOf(before) == namespaceOf(after) && said[0].Pods.String() == said[1].Pods.String()
	for d := range a.sides {
		switch x, y := said[0].Half(policy.Direction(d)), said[1]; {
		case same:
			a.sides[d] = !reflect.DeepEqual(x, y.Half(policy.Direction(d)))
		default:
			a.sides[d] = x.Isolates || y != nil && y.Half(policy.Direction(d)).Isolates
		}
	}
}

// selected returns the groups of the pods that a policy selects.
func (f *field) selected(np *networkingv1.NetworkPolicy) []int32 {
	pods, err := selector.New(np.Spec.PodSelector)
	if err != nil {
		return nil // no cluster takes it
	}
	key := namespaceOf(np) + "/" + pods.String()
	groups, ok := f.picked[key]
	if ok {
		return groups
	}
	namespace, err := selector.New(metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespaceOf(np)}})
	if err != nil {
		return nil
	}
	for _, e := range f.base.graph.Select(namespace, pods) {
		groups = append(groups, f.group[f.pos[e]])
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	f.picked[key] = groups
	return groups
}

// A mutant is a cluster after one alteration, by its field.
type mutant struct {
	*field
	graph   *reach.Graph
	all     []reach.Endpoint
	touches []bool // by group
	*alteration

	othersMu sync.Mutex
	others   map[ref]reach.Endpoint
}

// mutate returns the mutant of an alteration, or nil if no cluster takes what it
// makes.
func (f *field) mutate(a *alteration) (*mutant, error) {
	g, err := f.base.graph.With(a.edits...)
	if err != nil {
		return nil, nil
	}
	m := &mutant{field: f, graph: g, touches: make([]bool, len(f.groups)), alteration: a}
	var pods int
	m.all, pods = f.endpoints(g)
	same := func(a, b reach.Endpoint) bool { return a.Addrs().Equal(b.Addrs()) }
	if pods != f.pods || !slices.EqualFunc(m.all[pods:], f.all[pods:], same) {
		return nil, errors.New("the edit makes other endpoints")
	}
	for _, group := range a.touched {
		m.touches[group] = true
	}
	return m, nil
}

// concerns reports whether the edit may concern the flows between two groups. Those
// with a label that is renamed do in both directions, and a policy only in those of
// which it says something else.
func (m *mutant) concerns(from, to int32) bool {
	return from < 0 || to < 0 || m.sides[policy.Egress] && m.touches[from] || m.sides[policy.Ingress] && m.touches[to] ||
		m.key != "" && (m.touches[from] || m.touches[to])
}

// endpoint returns the endpoint of the mutant that r stands for.
func (m *mutant) endpoint(r ref) (reach.Endpoint, error) {
	if r >= 0 {
		return m.all[r], nil
	}
	m.othersMu.Lock()
	defer m.othersMu.Unlock()
	e, ok := m.others[r]
	if !ok {
		var err error
		if e, err = m.graph.Lookup(m.field.endpoint(r).String()); err != nil {
			return e, err
		}
		if m.others == nil {
			m.others = make(map[ref]reach.Endpoint)
		}
		m.others[r] = e
	}
	return e, nil
}

// endpoint returns the endpoint of the base that r stands for.
func (f *field) endpoint(r ref) reach.Endpoint {
	if r >= 0 {
		return f.all[r]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.others[^r]
}

// refTo returns the ref of an endpoint of the base.
func (f *field) refTo(e reach.Endpoint) ref {
	if r, ok := f.pos[e]; ok {
		return r
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.otherID[e]
	if !ok {
		r = ref(^len(f.others))
		f.otherID[e] = r
		f.others = append(f.others, e)
	}
	return r
}

// openOf returns what the base lets through from one group to another.
func (f *field) openOf(a, b int32) *open {
	k := [2]int32{a, b}
	f.mu.Lock()
	o, ok := f.between[k]
	f.mu.Unlock()
	if ok {
		return o
	}
	o = &open{around: f.findPair(f.groups[a], f.groups[b])}
	if o.ok {
		for i, family := range reachFamilies {
			o.ports[i] = f.base.graph.PortsOver(family, f.endpoint(o.from), f.endpoint(o.to))
		}
	}
	f.mu.Lock()
	f.between[k] = o
	f.mu.Unlock()
	return o
}

var reachFamilies = [...]reach.Family{reach.IPv4, reach.IPv6}

// findPair returns two of endpoints about which policies have a say.
func (f *field) findPair(a, b []ref) around {
	g := f.base.graph
	for _, x := range a {
		for _, y := range b {
			if !g.Exempt(f.endpoint(x), f.endpoint(y)) {
				return around{x, y, true}
			}
		}
	}
	if len(a) == 1 && len(b) == 1 && a[0] == b[0] {
		// A workload stands for one of its pods, which reaches another one.
		if other, err := g.Lookup("replica:" + f.endpoint(a[0]).String()); err == nil {
			return around{a[0], f.refTo(other), true}
		}
	}
	return around{}
}

// A change is what an edit makes of the flows between two endpoints of the base.
type change struct {
	from, to      reach.Endpoint
	family        reach.Family
	before, after policy.PortSet
}

// difference returns the first change of the relation, in the order of endpoints, or
// nil if the mutant is equivalent to the base: the same ports are open between every
// two endpoints, over each family.
func (m *mutant) difference() (*change, error) {
	for a := range m.groups {
		for b := range m.groups {
			if !m.concerns(int32(a), int32(b)) {
				continue
			}
			o := m.openOf(int32(a), int32(b))
			if !o.ok {
				continue
			}
			from, err := m.endpoint(o.from)
			if err != nil {
				return nil, err
			}
			to, err := m.endpoint(o.to)
			if err != nil {
				return nil, err
			}
			for i, family := range reachFamilies {
				if after := m.graph.PortsOver(family, from, to); !after.Equal(o.ports[i]) {
					return m.changeOf(o, from, to, change{family: family, before: o.ports[i], after: after}), nil
				}
			}
		}
	}
	return nil, nil
}

// changeOf returns a change between two endpoints of the mutant over one family, or
// over any, if there is one.
func (m *mutant) changeOf(o *open, from, to reach.Endpoint, ch change) *change {
	ch.from, ch.to = m.field.endpoint(o.from), m.field.endpoint(o.to)
	before, after := m.base.graph.Ports(ch.from, ch.to), m.graph.Ports(from, to)
	if !before.Equal(after) {
		ch.family, ch.before, ch.after = reach.AnyFamily, before, after
	}
	return &ch
}
