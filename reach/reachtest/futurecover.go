package reachtest

import (
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
)

// effect returns how it depends on items that no pod gets through. No rule matters,
// as less would be allowed without it.
func (f *future) effect() effect {
	e := effect{levels: make(map[item]Level)}
	for i, p := range f.model.Policies {
		for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
			if !p.Half(d).Isolates || !f.isAbout(p, d) {
				continue
			}
			level := Shared
			if f.turnsWithout(p, d) {
				level = Covered
			}
			e.raise(item{policy: int32(i), direction: d, kind: Isolation}, level)
		}
	}
	return e
}

// isAbout reports whether a policy selects one of the other ends or could select any
// pod, if that is the end at which it says something for the direction.
func (f *future) isAbout(p *policy.Policy, d policy.Direction) bool {
	if d != f.direction {
		return slices.ContainsFunc(f.others, func(o other) bool {
			return o.pod != nil && o.pod.Name.Namespace == p.Name.Namespace && p.Pods.Matches(o.pod.Labels)
		})
	}
	if !f.inNamespaces.Matches(f.namespaces[p.Name.Namespace]) {
		return false
	}
	_, ok, err := f.solver.find([]selector.Selector{f.pods, p.Pods}, nil, nil)
	return ok && err == nil
}

// turnsWithout reports whether a pod gets through if a policy does not isolate for a
// direction.
func (f *future) turnsWithout(p *policy.Policy, d policy.Direction) bool {
	without := *p
	*without.Half(d) = policy.Half{}
	n := *f
	n.byName = map[string][]*policy.Policy{p.Name.Namespace: slices.Clone(f.byName[p.Name.Namespace])}
	list := n.byName[p.Name.Namespace]
	list[slices.Index(list, p)] = &without
	for namespace, policies := range f.byName {
		if namespace != p.Name.Namespace {
			n.byName[namespace] = policies
		}
	}
	if d != f.direction {
		found, _ := n.search()
		return len(found) > 0
	}
	for i := range n.others { // in other namespaces all is as it was
		w, err := n.between(p.Name.Namespace, &n.others[i], n.waysOfOther(&n.others[i]))
		if w != nil || err != nil {
			return w != nil
		}
	}
	return false
}
