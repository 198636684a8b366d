package audit

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// noEffect finds what could be taken away, one at a time, and nothing would change.
var noEffect = analysis{
	group: "no effect",
	checks: []Check{
		{"policy-not-enforced", Error, "the Profile is that of a plugin that enforces no policies"},
		{"policy-impossible", Error, "a policy changes nothing: no labels satisfy its podSelector"},
		{"policy-unmatched", Warning, "a policy changes nothing: it selects no pod that there is"},
		{"policy-shadowed", Note, "a policy changes nothing: its pods are isolated without it, or not kept from anything by it, and what it allows is allowed anyway"},
		{"policy-standby", Note, "a policy changes nothing for the pods that there are, which is as with policy-shadowed, but it isolates pods to come that no other does"},
		{"policy-blocked", Warning, "a policy changes nothing: the flows that it alone allows or denies are denied at their other ends"},
		{"rule-impossible", Error, "a rule changes nothing: it matches no flow, whatever pods there are"},
		{"rule-unmatched", Warning, "a rule changes nothing: it matches no flow between what there is"},
		{"rule-shadowed", Note, "a rule changes nothing: what it allows is allowed anyway"},
		{"rule-blocked", Warning, "a rule changes nothing: the flows that it alone allows are denied at their other ends"},
		{"peer-impossible", Error, "a peer changes nothing: it matches no flow, whatever pods there are"},
		{"peer-unmatched", Warning, "a peer changes nothing: it matches no flow between what there is"},
		{"peer-shadowed", Note, "a peer changes nothing: what it allows is allowed anyway"},
		{"peer-blocked", Warning, "a peer changes nothing: the flows that it alone allows are denied at their other ends"},
		{"port-impossible", Error, "a port item changes nothing: it matches no flow, whatever pods there are"},
		{"port-unmatched", Warning, "a port item changes nothing: it matches no flow between what there is"},
		{"port-shadowed", Note, "a port item changes nothing: what it allows is allowed anyway"},
		{"port-blocked", Warning, "a port item changes nothing: the flows that it alone allows are denied at their other ends"},
		{"except-unmatched", Warning, "an exception changes nothing: no flow that there is goes to or comes from its addresses"},
		{"except-shadowed", Note, "an exception changes nothing: others of the same block hold all of its addresses"},
		{"except-defeated", Error, "an exception changes nothing: its addresses are allowed all the same"},
		{"except-blocked", Note, "an exception changes nothing: the flows that it alone keeps out are denied at their other ends"},
	},
	find: func(s *subject, report func(Finding)) error {
		if s.profile.NotEnforced {
			s.notEnforced(report)
			return nil
		}
		t := trial{s: s, decisive: make(map[item]bool), report: report}
		return t.run()
	},
}

// notEnforced reports all policies.
func (s *subject) notEnforced(report func(Finding)) {
	for _, p := range s.policies {
		f := s.about(p.object, "")
		f.Check = "policy-not-enforced"
		f.Message = "the policy changes nothing: the plugin enforces no policies"
		f.Proof.Text = "the Profile says NotEnforced"
		f.Suggestion = runPlugin
		report(f)
	}
}

// A trial takes away one item after the other.
type trial struct {
	s        *subject
	decisive map[item]bool // what some flow has shown to change something
	report   func(Finding)

	grounds      *grounds
	explainer    *explainer // with the Graph of all grounds
	firstOutside []peerEnd  // see outside
}

func (t *trial) run() error {
	var open []item // that no flow has shown to be decisive
	for _, p := range t.s.policies {
		for _, it := range (item{of: p, kind: policyItem}).all(nil) {
			if t.decisive[it] = t.isDecisive(it); !t.decisive[it] {
				open = append(open, it)
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	t.grounds = newGrounds(t.s, open)
	g, err := t.grounds.all()
	if err != nil {
		return err
	}
	t.explainer = newExplainer(t.s, g)
	for _, p := range t.s.policies {
		if err := t.try(item{of: p, kind: policyItem}); err != nil {
			return err
		}
	}
	return nil
}

// try reports an item that changes nothing. Of one that does, it tries the parts.
func (t *trial) try(it item) error {
	changes := t.decisive[it]
	if !changes {
		var err error
		if _, changes, err = t.differs(t.explainer.g, it); err != nil {
			return err
		}
	}
	if !changes {
		f, err := t.finding(it)
		if err != nil {
			return err
		}
		t.report(f)
		return nil
	}
	for _, part := range it.parts() {
		if err := t.try(part); err != nil {
			return err
		}
	}
	return nil
}

// differs reports whether g answers otherwise without an item, and a flow to which it
// does. The policies of g isolate for some directions only.
func (t *trial) differs(g *reach.Graph, it item, isolating ...policy.Direction) (_ spelled, differs bool, _ error) {
	edit := policy.Remove("NetworkPolicy", it.of.Name.Namespace, it.of.key)
	if it.kind != policyItem {
		edit = policy.Put(it.without(isolating...))
	}
	h, err := g.With(edit)
	if err != nil {
		return spelled{}, false, err
	}
	if len(isolating) == 0 {
		isolating = directions[:]
	}
	f, differs := t.differenceBy(g, h, it, isolating)
	return f, differs, nil
}

// finding returns what there is to say of an item that changes nothing.
func (t *trial) finding(it item) (Finding, error) {
	f := t.s.about(it.of.object, it.field())
	reason, err := t.reason(it, &f)
	f.Check = it.kind.String() + "-" + reason
	return f, err
}

// reason tells why an item changes nothing, and fills in f.
func (t *trial) reason(it item, f *Finding) (string, error) {
	if why := t.s.impossible(it); why != "" {
		return t.sayImpossible(it, why, f), nil
	}
	switch it.kind {
	case policyItem:
		return t.policyReason(it, f)
	case exceptItem:
		if by := it.coveredBy(); len(by) > 0 {
			f.Message = "the exception changes nothing: others of the same block hold all of its addresses"
			f.Proof.Text = fmt.Sprintf("%s is in %s", it.exception(), list(by))
			f.Suggestion = "remove it, and keep the others"
			return "shadowed", nil
		}
	}
	matched, ok, err := t.matched(it)
	if err != nil {
		return "", err
	}
	if !ok {
		return t.sayUnmatched(it, f), nil
	}
	own, _, blocked, err := t.own(it)
	if err != nil {
		return "", err
	}
	if blocked {
		return t.sayBlocked(it, own, f), nil
	}
	return t.sayShadowed(it, matched, f), nil
}

func (t *trial) sayImpossible(it item, why string, f *Finding) string {
	f.Message = it.kind.words() + " changes nothing: it can never match"
	if it.kind == policyItem {
		f.Place = t.s.cluster.Place(it.of.object, "spec.podSelector")
		f.Message = "the policy changes nothing: it can never select a pod"
	}
	f.Proof.Text = why
	f.Suggestion = "correct it, or remove it"
	return "impossible"
}

// sayUnmatched says that an item matches nothing between different ends.
func (t *trial) sayUnmatched(it item, f *Finding) string {
	if self, ok := t.s.matchesSelf(it); ok {
		f.Message = it.kind.words() + " changes nothing: what it allows is allowed anyway"
		f.Proof = Proof{self, "allowed: a pod reaches itself in any case"}
		f.Suggestion = "remove it, unless there are to be more such pods"
		return "shadowed"
	}
	f.Message = it.kind.words() + " changes nothing: it matches no flow here"
	f.Proof.Text = t.s.unmatched(it)
	f.Suggestion = "correct it, or remove it if what it is meant for will not come"
	return "unmatched"
}

// sayBlocked says that the other ends deny all that an item alone decides, such as a
// flow.
func (t *trial) sayBlocked(it item, own spelled, f *Finding) string {
	there := opposite(it.direction)
	f.Message = fmt.Sprintf("%s changes nothing: the %v of the other end denies all flows that it alone allows", it.kind.words(), there)
	f.Suggestion = fmt.Sprintf("allow the flows in the %v of the other end, or remove it", there)
	if it.kind == exceptItem {
		f.Message = fmt.Sprintf("the exception changes nothing: the %v of the other end denies all flows that it alone keeps out", there)
		f.Suggestion = "remove it if that will stay so"
	}
	f.Proof, f.Related, _ = t.explainer.denial(t.explainer.g, own, there)
	return "blocked"
}

// sayShadowed says that others allow what an item matches, such as a flow.
func (t *trial) sayShadowed(it item, matched spelled, f *Finding) string {
	f.Proof, f.Related = t.explainer.permission(matched, it)
	if it.kind == exceptItem {
		f.Message = "the exception does not keep its addresses out: they are allowed all the same"
		f.Suggestion = "narrow what else allows them, or remove the exception"
		return "defeated"
	}
	f.Message = it.kind.words() + " changes nothing: what it allows is allowed anyway"
	f.Suggestion = "remove it, and keep what allows the same"
	return "shadowed"
}

// policyReason is reason for all of a policy.
func (t *trial) policyReason(it item, f *Finding) (string, error) {
	if len(it.of.pods) == 0 {
		f.Place = t.s.cluster.Place(it.of.object, "spec.podSelector")
		f.Message = "the policy changes nothing: it selects no pod"
		f.Suggestion = "correct the podSelector, or remove the policy if no pod is to come"
		ns := it.of.Name.Namespace
		hosts := t.s.onHosts(policy.Pods{Namespace: ns, Pods: it.of.Pods})
		switch n := len(t.s.podsIn[ns]); {
		case len(hosts) > 0:
			f.Message = "the policy changes nothing: it selects no pod but on the host network, which is not isolated"
			f.Proof.Text = "on the host network: " + podNames(hosts)
			f.Suggestion = "take the pods off the host network, or remove the policy"
		case n == 0:
			f.Proof.Text = "there is no pod in the namespace that policies can select"
			f.Suggestion = "correct the namespace, or remove the policy if no pod is to come"
		default:
			f.Proof.Text = fmt.Sprintf("none of the %s of the namespace that policies can select has labels that satisfy %q",
				count(n, "pod"), metav1.FormatLabelSelector(&it.of.object.Spec.PodSelector))
		}
		return "unmatched", nil
	}
	own, d, blocked, err := t.own(it)
	if err != nil {
		return "", err
	}
	if blocked {
		f.Message = "the policy changes nothing: the flows that it alone allows or denies are denied at their other ends"
		var denied bool
		if f.Proof, f.Related, denied = t.explainer.denial(t.explainer.g, own, opposite(d)); !denied {
			// The policy allows the flow at the other end, and denies it at this one.
			without, err := t.explainer.g.With(policy.Remove("NetworkPolicy", it.of.Name.Namespace, it.of.key))
			if err != nil {
				return "", err
			}
			f.Proof, f.Related, _ = t.explainer.denial(without, own, opposite(d))
			f.Proof.Text = "without the policy " + f.Proof.Text
		}
		f.Suggestion = "allow the flows at their other ends, or remove the policy"
		return "blocked", nil
	}
	f.Proof, f.Related = t.explainer.isolation(it.of)
	if t.s.awaits(it.of) {
		f.Message = "the policy changes nothing for the pods that there are: it isolates them as others do, or keeps them from nothing, and what it allows is allowed anyway"
		f.Suggestion = "keep it if it is meant for pods to come: no other policy isolates all that it selects"
		return "standby", nil
	}
	f.Message = "the policy changes nothing: its pods are isolated by others or kept from nothing by it, and what it allows is allowed anyway"
	f.Suggestion = "remove it, and keep what isolates and allows the same"
	return "shadowed", nil
}

// awaits reports whether a policy isolates pods that there could be and that no
// other policy isolates: for some direction, none that isolates selects all pods, or
// has the same selector.
func (s *subject) awaits(p *subjectPolicy) bool {
	for _, d := range directions {
		if p.Half(d).Isolates && !slices.ContainsFunc(s.policiesIn[p.Name.Namespace], func(q *subjectPolicy) bool {
			return q != p && q.Half(d).Isolates && (q.Pods.IsEverything() || q.Pods.Equal(p.Pods))
		}) {
			return true
		}
	}
	return false
}

// own reports whether an item would change something if the policies of one direction
// alone isolated, and a flow of which it would: one that the other end denies, as the
// item changes nothing.
func (t *trial) own(it item) (_ spelled, d policy.Direction, changes bool, _ error) {
	for _, d := range directions {
		if it.kind != policyItem && d != it.direction || !it.of.Half(d).Isolates {
			continue
		}
		g, err := t.grounds.only(d)
		if err != nil {
			return spelled{}, d, false, err
		}
		if f, differs, err := t.differs(g, it, d); differs || err != nil {
			return f, d, differs, err
		}
	}
	return spelled{}, 0, false, nil
}

// matched returns a flow that an item matches between ends that there are, if there
// is one: it is allowed or kept out if there is no other policy.
func (t *trial) matched(it item) (_ spelled, ok bool, _ error) {
	bare, err := t.grounds.none()
	if err != nil {
		return spelled{}, false, err
	}
	with, without := it.alone()
	var graphs [2]*reach.Graph
	for i, rules := range [...][]ruleSpec{with, without} {
		np := it.of.isolating(map[policy.Direction][]ruleSpec{it.direction: rules})
		if graphs[i], err = bare.With(policy.Put(np)); err != nil {
			return spelled{}, false, err
		}
	}
	f, ok := t.differenceBy(graphs[0], graphs[1], it, []policy.Direction{it.direction})
	return f, ok, nil
}

// exception returns the text of an exception.
func (it item) exception() string {
	return it.spec().peers[it.peer].IPBlock.Except[it.except]
}

// coveredBy returns the other exceptions of its block that hold its addresses, none
// if they do not hold all of them.
func (it item) coveredBy() []string {
	block := it.spec().peers[it.peer].IPBlock
	all, err := cidr.Parse(it.exception())
	if err != nil {
		return nil // what compiles has no such fault
	}
	left := all
	var by []string
	for i, text := range block.Except {
		if other, err := cidr.Parse(text); err == nil && i != it.except && !other.Intersect(all).IsEmpty() {
			left = left.Minus(other)
			by = append(by, text)
		}
	}
	if !left.IsEmpty() {
		return nil
	}
	return by
}
