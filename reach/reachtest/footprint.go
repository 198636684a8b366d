package reachtest

import (
	"reflect"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

// This file tells which assertions an edit cannot concern, so that [Mutate] need not
// make them again. What an assertion says depends on what it looks at and on nothing
// else, and of that it leaves a footprint where it holds before any edit.
//
// An edit of a policy changes what may leave, or what may come to, the pods that it
// selects before or after, for the directions of which it says something else. An
// edit of a label changes what is open from and to the pods that have it, whom it
// helps to pick, and what is behind the Services of their namespace. All else that
// assertions look at stays:
//
//   - Pods, nodes, their addresses and names, whether policies have a say between two
//     of them, and by what ways connections go to a Service. Where a workload has pods
//     of its own, its name is an error unless these are reached alike, which any edit
//     may change. So such names are looked up each time.
//   - The outside. Policies divide it into endpoints, and pods into classes, but an
//     assertion about these is one about each of their addresses and pods, however many
//     are judged at once.
//   - Which ports something declares, which is asked of the cluster before the edit.
//   - Namespaces, unless nothing but a policy makes one known. Then no footprint counts.
//   - For pods that could come: the policies of all other namespaces.

// A call is an assertion and what it asks.
type call struct{ what, from, to, ports string }

// A footprint is what an assertion has looked at. Pods are in the order of
// [reach.Graph.Pods]. The nil footprint keeps nothing.
type footprint struct {
	of *field

	sides     [2]bits                 // by direction, the pods of which it matters what their policies say
	newcomers [2]map[string]bool      // by direction, the namespaces in which that matters of pods to come
	ends      bits                    // the pods that it is about
	keys      map[string]bool         // of labels by which it picks pods
	names     []string                // which may be of workloads that have pods of their own
	staff     map[reach.Endpoint]bits // the pods of such a workload
	services  map[string]bool         // the namespaces of Services that connections go to
	odd       bool                    // they are reached at one address, or in another way
	all       bool                    // it cannot be told
}

func newFootprint(f *field) *footprint {
	return &footprint{
		of: f, sides: [2]bits{newBits(f.pods), newBits(f.pods)}, newcomers: [2]map[string]bool{make(map[string]bool), make(map[string]bool)},
		ends: newBits(f.pods), keys: make(map[string]bool), staff: make(map[reach.Endpoint]bits), services: make(map[string]bool),
	}
}

// at notes that it matters what the policies of endpoints say for a direction.
func (f *footprint) at(d policy.Direction, list ...reach.Endpoint) {
	if f == nil {
		return
	}
	for _, e := range list {
		pods, ok := f.podsOf(e)
		f.odd = f.odd || e.Name().Namespace != "" && !f.of.isPod(e)
		f.all = f.all || !ok
		f.ends.join(pods)
		f.sides[d].join(pods)
	}
}

// podsOf returns the pods of which the policies decide about an endpoint. It reports
// false if that cannot be told.
func (f *footprint) podsOf(e reach.Endpoint) (pods bits, ok bool) {
	if e.Name().Namespace == "" {
		return nil, true // policies select no node, and nothing outside
	}
	if f.of.isPod(e) || isAddr(e.String()) {
		return f.of.byName[e.Name()], true
	}
	pods, ok = f.staff[e]
	return pods, ok
}

// named notes that an endpoint has been found by its name.
func (f *footprint) named(e reach.Endpoint, text string) {
	if f == nil || f.of.isPod(e) || strings.HasPrefix(text, "node:") || strings.HasPrefix(text, "outside:") {
		return
	}
	f.names = append(f.names, text)
}

// employs notes that an endpoint is a workload that has pods of its own.
func (f *footprint) employs(e reach.Endpoint, pods []reach.Endpoint) {
	if f == nil {
		return
	}
	f.staff[e] = newBits(f.of.pods)
	for _, p := range pods {
		own, _ := f.podsOf(p)
		f.staff[e].join(own)
	}
}

// through notes the ends of a connection, and the Services that it goes to.
func (f *footprint) through(t reach.Trace) {
	name, isService := strings.CutPrefix(t.Connection.To.String(), "svc:")
	f.all = f.all || !isService // it is found by its labels
	namespace, _, _ := strings.Cut(name, "/")
	f.services[namespace] = true
	f.at(policy.Egress, t.Connection.From)
	for _, p := range t.Paths {
		f.services[p.Door.Service.Namespace] = true
		f.at(policy.Egress, p.Egress.From, p.Ingress.From)
		f.at(policy.Ingress, p.Egress.To, p.Ingress.To)
	}
}

// picks notes that pods are picked by their labels.
func (f *footprint) picks(s selector.Selector) {
	if f == nil {
		return
	}
	for key := range s.Keys() {
		f.keys[key] = true
	}
}

// couldCome notes that it matters what the policies of a namespace say for a
// direction.
func (f *footprint) couldCome(d policy.Direction, namespace string) {
	if f == nil {
		return
	}
	f.newcomers[d][namespace] = true
}

// A touch is what an edit may change: what a policy says, or a label of pods.
type touch struct {
	before, after *policy.Policy // after is nil if it is gone
	sides         [2]bits        // by direction, the pods of which the policies say something else
	directions    [2]bool        // for which the policy does

	relabeled bits
	keys      []string // of the label before and after

	namespaces []string // of the objects that change
	near       [2]bits  // by direction, sides and relabeled
	all        bool     // it cannot be told
}

// meets reports whether an edit may change what an assertion says that has left a
// footprint.
func (t *touch) meets(f *footprint) bool {
	if t.all || f.all || !t.keepsKeys(f) || t.relabeled.meets(f.ends) {
		return true
	}
	for d := range t.sides {
		if t.sides[d].meets(f.sides[d]) || t.directions[d] && t.isIn(f.newcomers[d]) {
			return true
		}
	}
	return len(t.keys) > 0 && t.isIn(f.services)
}

// isIn reports whether an object that changes is in one of some namespaces.
func (t *touch) isIn(namespaces map[string]bool) bool {
	return slices.ContainsFunc(t.namespaces, func(ns string) bool { return namespaces[ns] })
}

// keepsKeys reports whether no label changes by which pods are picked for an
// assertion, or told to be those of a workload.
func (t *touch) keepsKeys(f *footprint) bool {
	return !slices.ContainsFunc(t.keys, func(key string) bool { return f.keys[key] || key == appsv1.DefaultDeploymentUniqueLabelKey })
}

// keepsSets reports whether the sets of an assertion are what they were.
func (t *touch) keepsSets(f *footprint) bool {
	return !t.all && !f.all && t.keepsKeys(f)
}

// isPart reports whether an assertion whose sets are what they were, and which has
// held before the edit, need be made again only about the pods that the edit concerns.
// Those behind Services must be none of them: of them alone it matters, for an
// assertion about Services, what their policies say for ingress.
func (t *touch) isPart(f *footprint) bool {
	if len(f.services) > 0 && (t.sides[policy.Ingress].meets(f.sides[policy.Ingress]) || t.relabeled.meets(f.sides[policy.Ingress]) ||
		len(t.keys) > 0 && t.isIn(f.services)) {
		return false
	}
	return !f.odd
}

// bits are a set of small numbers.
type bits []uint64

func newBits(n int) bits { return make(bits, (n+63)/64) }

func (b bits) add(i int) { b[i>>6] |= 1 << (i & 63) }

func (b bits) has(i int) bool { return i < 64*len(b) && b[i>>6]>>(i&63)&1 != 0 }

func (b bits) join(o bits) {
	for i, w := range o {
		b[i] |= w
	}
}

func (b bits) meets(o bits) bool {
	for i, w := range b {
		if w&o[i] != 0 {
			return true
		}
	}
	return false
}

// touchOf returns what an edit may change.
func (f *field) touchOf(a *alteration) *touch {
	t := &touch{sides: [2]bits{newBits(f.pods), newBits(f.pods)}, relabeled: newBits(f.pods)}
	if a.key != "" {
		t.keys = []string{a.key, a.key + renamed}
		for _, o := range a.before {
			t.namespaces = append(t.namespaces, namespaceOf(o))
			t.relabeled.join(f.byName[types.NamespacedName{Namespace: namespaceOf(o), Name: o.GetName()}])
		}
		t.near = [2]bits{t.relabeled, t.relabeled}
		return t
	}
	var err error
	if t.before, err = policy.New(a.before[0].(*networkingv1.NetworkPolicy)); err != nil {
		return &touch{all: true} // no cluster takes it
	}
	t.namespaces = append(t.namespaces, t.before.Name.Namespace)
	if a.after[0] != nil {
		if t.after, err = policy.New(a.after[0].(*networkingv1.NetworkPolicy)); err != nil {
			return &touch{all: true}
		}
		t.namespaces = append(t.namespaces, t.after.Name.Namespace)
	}
	// A namespace may be known of nothing but its policies.
	t.all = !f.hasNamespace(t.namespaces[0]) || !f.hasNamespace(t.namespaces[len(t.namespaces)-1])
	for d := range t.sides {
		if t.directions[d] = t.tells(policy.Direction(d)); t.directions[d] {
			t.sides[d].join(f.selected(t.before))
			t.sides[d].join(f.selected(t.after))
		}
	}
	t.near = t.sides
	return t
}

// tells reports whether a policy says something else for a direction.
func (t *touch) tells(d policy.Direction) bool {
	x, y := t.before.Half(d), new(policy.Half)
	if t.after != nil {
		y = t.after.Half(d)
		if t.before.Name.Namespace == t.after.Name.Namespace && t.before.Pods.String() == t.after.Pods.String() {
			return !reflect.DeepEqual(x, y)
		}
	}
	return x.Isolates || y.Isolates
}

// selected returns the pods that a policy selects, which may be nil.
func (f *field) selected(p *policy.Policy) bits {
	if p == nil {
		return nil
	}
	key := p.Name.Namespace + "/" + p.Pods.String()
	if known, ok := f.picked.Load(key); ok {
		return known.(bits)
	}
	found := newBits(f.pods)
	for _, e := range f.base.graph.Select(selector.Selector{}, p.Pods) {
		if e.Name().Namespace == p.Name.Namespace {
			found.add(f.index[e])
		}
	}
	f.picked.Store(key, found)
	return found
}

// hasNamespace reports whether there is a namespace, whatever the policies.
func (f *field) hasNamespace(name string) bool {
	return slices.ContainsFunc(f.origin.objects.Namespaces, func(ns *corev1.Namespace) bool { return ns != nil && ns.Name == name }) ||
		slices.ContainsFunc(f.listed[:f.pods], func(e reach.Endpoint) bool { return e.Name().Namespace == name })
}
