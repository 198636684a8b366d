package generate

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"

	"github.com/polreach/polreach/selector"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pick returns selectors that together pick, of the pods of a namespace, exactly
// those in the list, which is ascending and not empty. Where pods have equal labels
// they pick all of these or none.
//
// It takes the wish if it does that, else the selector of a workload, and else the
// one with the fewest labels that there is. Of pods that share a label it does not say
// "all pods", even if there are no others yet.
func (w *world) pick(ns *namespace, list []int, wish *selector.Selector) []selector.Selector {
	if wish != nil && w.picksExactly(ns, *wish, list) {
		return []selector.Selector{*wish}
	}
	var key []byte
	for _, i := range list {
		key = binary.AppendUvarint(key, uint64(i-ns.lo))
	}
	if found, ok := ns.picked[string(key)]; ok {
		return found
	}
	found := w.findSelectors(ns, list)
	ns.picked[string(key)] = found
	return found
}

func (w *world) findSelectors(ns *namespace, list []int) []selector.Selector {
	for _, s := range ns.workloads {
		if w.picksExactly(ns, s, list) {
			return []selector.Selector{s}
		}
	}
	search, apart := w.newSearch(ns, list, generated)
	if !apart {
		search, _ = w.newSearch(ns, list, nil)
	}
	if len(search.out) == 0 {
		return []selector.Selector{search.together()}
	}
	return search.selectors()
}

// together returns a selector for pods that are all of a namespace: the best label
// that they share, or if there is none, all.
func (s *search) together() selector.Selector {
	for _, key := range s.keys {
		if c := s.constraint(key, s.in); len(c.values) == 1 && !c.absent {
			return s.selector([]constraint{c})
		}
	}
	return selector.Selector{}
}

// picksExactly reports whether s picks, of the pods of a namespace, exactly those
// in the list.
func (w *world) picksExactly(ns *namespace, s selector.Selector, list []int) bool {
	for i := ns.lo; i < ns.hi; i++ {
		if !w.pods[i].subject {
			continue
		}
		in := len(list) > 0 && list[0] == i
		if in {
			list = list[1:]
		}
		if s.Matches(w.pods[i].Labels) != in {
			return false
		}
	}
	return true
}

// generated are the labels that controllers add to pods, of which nobody decides
// the values and many change with every rollout.
var generated = map[string]bool{
	appsv1.DefaultDeploymentUniqueLabelKey: true,
	appsv1.ControllerRevisionHashLabelKey:  true,
	appsv1.StatefulSetPodNameLabel:         true,
	appsv1.PodIndexLabel:                   true,
	"pod-template-generation":              true,
	"job-name":                             true,
	batchv1.JobNameLabel:                   true,
	"controller-uid":                       true,
	batchv1.ControllerUidLabel:             true,
	batchv1.JobCompletionIndexAnnotation:   true, // also a label
}

// readable are the labels by which people know pods, the best ones first.
var readable = []string{
	"app.kubernetes.io/name", "app", "k8s-app", "name",
	"app.kubernetes.io/component", "component", "role", "tier", "app.kubernetes.io/instance",
}

// A search is for selectors that pick some of the sets of labels in a namespace
// and none of the others.
//
// What a selector says of one key is a set of values that the pods may have, where
// to have none is a value, too. So the tightest one that picks some sets of labels
// says of every key that its value is one of those that these sets have. A good one
// says it of few keys: those that suffice to tell the others apart.
type search struct {
	in, out []unit
	keys    []string // the best ones first
}

// A unit is a set of labels that some pods have.
type unit struct {
	labels map[string]string
	made   []string // labels that pods get when they are made, with values that are not known
}

// newSearch returns the search for the pods in a list, by the labels that are not
// excepted. It reports false if there are others with equal labels.
func (w *world) newSearch(ns *namespace, list []int, except map[string]bool) (_ *search, apart bool) {
	type side struct{ in, out bool }
	sides := make(map[string]*side)
	units := make(map[string]unit)
	var order []string
	keys := make(map[string]bool)
	for _, i := range w.subjects(ns) {
		u := unit{labels: maps.Clone(w.pods[i].Labels), made: slices.Clone(w.pods[i].Generated)}
		maps.DeleteFunc(u.labels, func(k, _ string) bool { return except[k] })
		u.made = slices.DeleteFunc(u.made, func(k string) bool { return except[k] })
		text := u.String()
		if sides[text] == nil {
			sides[text], units[text] = new(side), u
			order = append(order, text)
			for k := range u.labels {
				keys[k] = true
			}
		}
		if _, found := slices.BinarySearch(list, i); found {
			sides[text].in = true
		} else {
			sides[text].out = true
		}
	}
	s := &search{}
	apart = true
	for _, text := range order {
		switch side := sides[text]; {
		case side.in:
			s.in = append(s.in, units[text])
			apart = apart && !side.out
		default:
			s.out = append(s.out, units[text])
		}
	}
	s.keys = slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	return s, apart
}

// String returns a text that tells units apart.
func (u unit) String() string {
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(u.labels)) {
		b = append(b, k...)
		b = append(b, '=')
		b = append(b, u.labels[k]...)
		b = append(b, ',')
	}
	for _, k := range u.made {
		b = append(b, k...)
		b = append(b, ',')
	}
	return string(b)
}

// rank orders keys by how well they tell people which pods are meant.
func rank(key string) int {
	if generated[key] {
		return len(readable) + 1
	}
	if i := slices.Index(readable, key); i >= 0 {
		return i
	}
	return len(readable)
}

// selectors returns selectors that together pick what is in, and nothing that is
// out: one if there is one, else each for as much as one can pick.
func (s *search) selectors() []selector.Selector {
	if found, ok := s.one(s.in); ok {
		return []selector.Selector{found}
	}
	var list []selector.Selector
	for rest := s.in; len(rest) > 0; {
		part := rest[:1:1]
		var left []unit
		for _, u := range rest[1:] {
			if more := append(part, u); s.isApart(more) {
				part = more
			} else {
				left = append(left, u)
			}
		}
		found, ok := s.one(part)
		if !ok { // by a label that is yet to be made alone
			found = s.selector(s.constraints(part))
		}
		list, rest = append(list, found), left
	}
	return list
}

// isApart reports whether one selector can pick some sets of labels and nothing
// that is out.
func (s *search) isApart(in []unit) bool {
	rest := s.all()
	for _, c := range s.constraints(in) {
		rest.less(c.out)
	}
	return rest.isEmpty()
}

// all returns the set of all that is out.
func (s *search) all() bitset {
	all := newBitset(len(s.out))
	for i := range s.out {
		all.add(i)
	}
	return all
}

// A constraint is what a selector can say of a key.
type constraint struct {
	key    string
	values []string // of what is in, sorted
	absent bool     // something that is in does not have the key
	out    bitset   // what it tells apart of what is out
}

// constraints returns what can be said of each key to pick some units, if it tells
// anything apart.
func (s *search) constraints(in []unit) []constraint {
	var list []constraint
	for _, key := range s.keys {
		isMade := slices.ContainsFunc(in, func(u unit) bool { return slices.Contains(u.made, key) })
		if c := s.constraint(key, in); !isMade && !c.out.isEmpty() {
			list = append(list, c)
		}
	}
	return list
}

// constraint returns what can be said of a key to pick some units.
func (s *search) constraint(key string, in []unit) constraint {
	c := constraint{key: key, out: newBitset(len(s.out))}
	for _, u := range in {
		if v, ok := u.labels[key]; !ok {
			c.absent = true
		} else if i, found := slices.BinarySearch(c.values, v); !found {
			c.values = slices.Insert(c.values, i, v)
		}
	}
	for i, u := range s.out {
		v, ok := u.labels[key]
		_, found := slices.BinarySearch(c.values, v)
		if ok && !found || !ok && !c.absent {
			c.out.add(i)
		}
	}
	return c
}

// cost tells what is better to be avoided: expressions, and labels of controllers.
func (c *constraint) cost() int {
	switch isOne := len(c.values) == 1 && !c.absent; {
	case generated[c.key]:
		return 2
	case !isOne:
		return 1
	}
	return 0
}

// one returns the best selector that picks some sets of labels and nothing that is
// out. It reports false if there is none.
func (s *search) one(in []unit) (selector.Selector, bool) {
	all := s.constraints(in)
	slices.SortStableFunc(all, func(a, b constraint) int { return cmp.Compare(a.cost(), b.cost()) })
	for cost := range 3 {
		n, _ := slices.BinarySearchFunc(all, cost+1, func(c constraint, cost int) int { return cmp.Compare(c.cost(), cost) })
		if chosen, ok := s.fewest(all[:n]); ok {
			return s.selector(chosen), true
		}
	}
	return selector.Selector{}, false
}

// fewest returns the fewest constraints that tell apart all that is out, the first
// ones of as many. If it takes more than three, they may be more than the fewest.
func (s *search) fewest(from []constraint) ([]constraint, bool) {
	rest := s.all()
	for _, c := range from {
		rest.less(c.out)
	}
	if !rest.isEmpty() {
		return nil, false
	}
	const most = 20 // keys to try in all combinations
	for n := range 4 {
		if chosen, ok := combine(from[:min(most, len(from))], s.all(), n); ok {
			return chosen, true
		}
	}
	var chosen []constraint
	for rest = s.all(); !rest.isEmpty(); {
		best := slices.MaxFunc(from, func(a, b constraint) int { return cmp.Compare(rest.common(a.out), rest.common(b.out)) })
		rest.less(best.out)
		chosen = append(chosen, best)
	}
	return chosen, true
}

// combine returns the first n constraints that tell apart all of rest.
func combine(from []constraint, rest bitset, n int) ([]constraint, bool) {
	if rest.isEmpty() {
		return nil, true
	}
	if n == 0 {
		return nil, false
	}
	for i := range from {
		left := slices.Clone(rest)
		left.less(from[i].out)
		if chosen, ok := combine(from[i+1:], left, n-1); ok {
			return append(chosen, from[i]), true
		}
	}
	return nil, false
}

// selector returns the selector of some constraints.
func (s *search) selector(chosen []constraint) selector.Selector {
	var ls metav1.LabelSelector
	say := func(key string, operator metav1.LabelSelectorOperator, values ...string) {
		ls.MatchExpressions = append(ls.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: values})
	}
	for _, c := range chosen {
		var others []string // values of what is out
		lacks := false
		for i, u := range s.out {
			if !c.out.has(i) {
				continue
			}
			if v, ok := u.labels[c.key]; !ok {
				lacks = true
			} else {
				others = append(others, v)
			}
		}
		slices.Sort(others)
		others = slices.Compact(others)
		const few = 5 // values to list rather than what they are not
		switch {
		case len(c.values) == 0:
			say(c.key, metav1.LabelSelectorOpDoesNotExist)
		case c.absent:
			say(c.key, metav1.LabelSelectorOpNotIn, others...)
		case len(c.values) <= max(few, len(others)):
			say(c.key, metav1.LabelSelectorOpIn, c.values...)
		default:
			if lacks {
				say(c.key, metav1.LabelSelectorOpExists)
			}
			if len(others) > 0 {
				say(c.key, metav1.LabelSelectorOpNotIn, others...)
			}
		}
	}
	found, err := selector.New(ls)
	if err != nil {
		panic("cannot happen: the labels of a cluster are valid: " + err.Error())
	}
	return found
}

// A bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) add(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bitset) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }

// less takes away what is in c.
func (b bitset) less(c bitset) {
	for i := range b {
		b[i] &^= c[i]
	}
}

func (b bitset) isEmpty() bool {
	return !slices.ContainsFunc(b, func(w uint64) bool { return w != 0 })
}

// common returns how many numbers are in both.
func (b bitset) common(c bitset) int {
	n := 0
	for i := range b {
		n += bits.OnesCount64(b[i] & c[i])
	}
	return n
}
