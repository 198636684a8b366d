package generate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	networkingv1 "k8s.io/api/networking/v1"
)

// A Result is policies made for a cluster, and what they do to it. The zero Result
// is none. The slices belong to the caller.
type Result struct {
	Policies []*networkingv1.NetworkPolicy // by namespace and name
	After    *reach.Graph                  // of the cluster with them

	// Extra are the flows that the policies open and nobody asked for, between
	// endpoints of After. Missing are those that they close and should not, between
	// endpoints of the Graph that the policies were made for. Both are complete, and
	// sorted.
	Extra, Missing []Flows

	// Warnings are what is suspicious about the policies.
	Warnings []policy.Warning
}

// IsExact reports whether the policies do what they should and nothing else.
func (r *Result) IsExact() bool { return len(r.Extra)+len(r.Missing) == 0 }

// Tightest returns policies that close the given namespaces in both directions and
// let needs pass, and as little else as NetworkPolicy can express: pods with equal
// labels, for example, get the same. What policies of the cluster allow in these
// namespaces already stays allowed, and is not in [Result.Extra].
//
// Without namespaces it closes nothing. A pod elsewhere gets policies only if it is
// isolated and a need is not allowed yet.
//
// A need that cannot be met is an error that tells why, and so is a name that is not
// there. All of them come joined, and then no Result. So nothing is in
// [Result.Missing].
func Tightest(g *reach.Graph, needs []Need, namespaces ...string) (*Result, error) {
	t, err := newTightening(g, [...]string{"allow-*", "allow-*"}, namespaces)
	errs := []error{err}
	for _, n := range needs {
		wants, calls, err := t.resolve(n)
		t.wants, t.calls = append(t.wants, wants...), append(t.calls, calls...)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t.result()
}

var errNoNamespace = errors.New("there is no namespace to close")

// A tightening is policies by which namespaces are closed but for what is wanted.
type tightening struct {
	*world
	purposes [2]string // of the policies, by direction
	closed   []string  // namespaces, sorted
	wants    []want
	calls    []call
}

func newTightening(g *reach.Graph, purposes [2]string, namespaces []string) (*tightening, error) {
	w, err := newWorld(g)
	if err != nil {
		return nil, err
	}
	t := &tightening{world: w, purposes: purposes}
	t.closed, err = w.distinct(namespaces)
	return t, err
}

// distinct returns names of namespaces, sorted and each once.
func (w *world) distinct(namespaces []string) ([]string, error) {
	list := slices.Compact(slices.Sorted(slices.Values(namespaces)))
	var errs []error
	for _, name := range list {
		_, err := w.namespace(name)
		errs = append(errs, err)
	}
	return list, errors.Join(errs...)
}

// closes reports whether a pod is in a namespace that is closed.
func (t *tightening) closes(i int) bool {
	_, found := slices.BinarySearch(t.closed, t.pods[i].Name.Namespace)
	return found
}

// result makes the policies, and proves what they do.
func (t *tightening) result() (*Result, error) {
	b := newBuilder(t.world)
	denies := b.denies(t.closed, directions[:]...)
	base, err := t.g.With(puts(denies)...)
	if err != nil {
		return nil, err
	}
	was, closed := newView(t.g), newView(base)
	for _, wt := range t.wants {
		t.reserve(b, wt)
		if t.check(closed, was, wt) != nil {
			t.allow(b, wt, policy.Egress, wt.from, wt.rule.to)
			t.allow(b, wt, policy.Ingress, wt.rule.to, wt.from)
		}
	}
	allows := b.policies()
	after, err := base.With(puts(allows)...)
	if err != nil {
		return nil, err
	}
	v := newView(after)
	var errs []error
	for _, wt := range t.wants {
		errs = append(errs, t.check(v, was, wt))
	}
	for _, c := range t.calls {
		errs = append(errs, c.check(v))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	diff := reach.Compare(base, after)
	if len(diff.Closed) > 0 {
		return nil, fmt.Errorf("cannot happen: a policy that allows something has %s", diff.Closed[0])
	}
	r := newResult(after, denies, allows)
	r.Extra = t.flowsOf(v, diff.Opened, t.wants)
	return r, nil
}

// allow makes the policies of one direction for what is wanted. Only pods that are
// isolated get them, for no others must become so.
func (t *tightening) allow(b *builder, wt want, d policy.Direction, near, far end) {
	isolated := end{wish: near.wish, wishes: near.wishes}
	for _, i := range near.pods {
		if t.closes(i) || t.pods[i].isolated[d] && !wt.kept {
			isolated.pods = append(isolated.pods, i)
		}
	}
	b.allow(t.purposes[d], d, isolated, far, wt.rule.ports)
}

// reserve makes the policies for what is wanted of namespaces in which there are no
// pods yet.
func (t *tightening) reserve(b *builder, wt want) {
	if !wt.from.isEmpty() {
		return
	}
	for name, s := range wt.from.wishes {
		b.add(draftKey{name, t.purposes[policy.Egress], s.String()}, policy.Egress, b.atoms(wt.rule.to), wt.rule.ports)
	}
}

func newResult(after *reach.Graph, policies ...[]*networkingv1.NetworkPolicy) *Result {
	r := &Result{Policies: slices.Concat(policies...), After: after}
	slices.SortFunc(r.Policies, func(a, b *networkingv1.NetworkPolicy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, np := range r.Policies {
		r.Warnings = append(r.Warnings, warningsOf(np)...)
	}
	return r
}

// warningsOf tells where a policy looks at labels that controllers make.
func warningsOf(np *networkingv1.NetworkPolicy) []policy.Warning {
	p, err := policy.New(np)
	if err != nil {
		panic("cannot happen: " + err.Error())
	}
	var list []policy.Warning
	warn := func(field string, s selector.Selector) {
		for key := range s.Keys() {
			if generated[key] {
				text := fmt.Sprintf("a controller makes the label %s: pods that come later may have another value", key)
				list = append(list, policy.Warning{Place: p.Place(field), Code: "generated-label", Text: text})
			}
		}
	}
	warn("spec.podSelector", p.Pods)
	for _, d := range directions {
		for i, rule := range p.Half(d).Rules {
			for j, peer := range rule.Peers {
				if pods, ok := peer.(policy.Pods); ok {
					warn(fmt.Sprintf("spec.%s[%d].%s[%d].podSelector", d, i, peersField[d], j), pods.Pods)
				}
			}
		}
	}
	return append(list, p.Warnings...)
}

var peersField = [...]string{policy.Egress: "to", policy.Ingress: "from"}

func puts(list []*networkingv1.NetworkPolicy) []policy.Edit {
	var edits []policy.Edit
	for _, np := range list {
		edits = append(edits, policy.Put(np))
	}
	return edits
}
