package audit

import (
	"fmt"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	networkingv1 "k8s.io/api/networking/v1"
)

// isolation finds what is open because no policy isolates it, and rules that mean
// nothing because their policy does not isolate.
var isolation = analysis{
	group: "isolation",
	checks: []Check{
		{"no-default-deny-ingress", Warning, "pods of a namespace can be connected to by everybody, since no policy isolates them for ingress"},
		{"no-default-deny-egress", Note, "pods of a namespace can connect to everybody, since no policy isolates them for egress"},
		{"pod-unselected", Warning, "no policy selects the pod, although its namespace has policies"},
		{"pod-half-isolated", Note, "policies isolate the pod for one direction and leave the other one open"},
		{"unlisted-direction", Error, "a policy has rules for a direction that its policyTypes do not list, so that they mean nothing"},
	},
	find: func(s *subject, report func(Finding)) error {
		for i := range s.model.Namespaces {
			if ns := s.model.Namespaces[i].Name; len(s.podsIn[ns]) > 0 {
				s.openNamespace(ns, report)
				s.openPods(ns, report)
			}
		}
		return s.unlistedDirections(report)
	},
}

// isolated reports whether a policy isolates the pod, by direction, and whether one
// selects it at all.
func (s *subject) isolated(pod *subjectPod) (by [2]bool, selected bool) {
	for _, p := range pod.policies {
		for _, d := range directions {
			by[d] = by[d] || p.Half(d).Isolates && !s.profile.NotEnforced
		}
	}
	return by, len(pod.policies) > 0
}

// openNamespace reports the directions for which pods of a namespace are open.
func (s *subject) openNamespace(ns string, report func(Finding)) {
	var open [2][]*subjectPod
	for _, pod := range s.podsIn[ns] {
		by, _ := s.isolated(pod)
		for _, d := range directions {
			if !by[d] {
				open[d] = append(open[d], pod)
			}
		}
	}
	for _, d := range directions {
		if len(open[d]) == 0 {
			continue
		}
		f := s.aboutNamespace(open[d])
		f.Check = "no-default-deny-" + d.String()
		some := "its pods"
		if n, m := len(open[d]), len(s.podsIn[ns]); n < m {
			some = fmt.Sprintf("%d of its %d pods", n, m)
		}
		why := ""
		if s.profile.NotEnforced {
			why = ", as the plugin enforces none"
		}
		f.Message = fmt.Sprintf("no policy of the namespace isolates %s for %v%s: %s", some, d, why, podNames(open[d]))
		f.Proof = s.openProof(open[d][0], d)
		f.Suggestion = fmt.Sprintf("add a policy with an empty podSelector and the policyTypes [%s] that has no rules, and allow what is needed by others", policyType(d))
		if s.profile.NotEnforced {
			f.Suggestion = runPlugin
		}
		report(f)
	}
}

// openPods reports the pods of a namespace that no policy selects, and those that
// are isolated for one direction only. The pods of a workload are one finding.
func (s *subject) openPods(ns string, report func(Finding)) {
	if len(s.policiesIn[ns]) == 0 {
		return // the namespace says it all
	}
	type group struct {
		of       objectKey
		by       [2]bool
		selected bool
	}
	var used [2]bool // whether some pod is isolated; if none is, the namespace says it all
	for _, pod := range s.podsIn[ns] {
		by, _ := s.isolated(pod)
		for _, d := range directions {
			used[d] = used[d] || by[d]
		}
	}
	groups := make(map[group][]*subjectPod)
	var order []group
	for _, pod := range s.podsIn[ns] {
		g := group{of: pod.workload()}
		if g.by, g.selected = s.isolated(pod); g.selected && g.by[policy.Egress] == g.by[policy.Ingress] {
			continue
		}
		if len(groups[g]) == 0 {
			order = append(order, g)
		}
		groups[g] = append(groups[g], pod)
	}
	for _, g := range order {
		pods := groups[g]
		f := s.aboutWorkload(pods)
		if !g.selected {
			f.Check = "pod-unselected"
			f.Message = fmt.Sprintf("no policy selects %s: the namespace has %s", podNames(pods), count(len(s.policiesIn[ns]), "policy"))
			f.Proof = s.openProof(pods[0], policy.Ingress)
			f.Suggestion = "give it labels that the policy meant for it selects, or a policy of its own"
			report(f)
			continue
		}
		open := policy.Ingress
		if g.by[open] {
			open = policy.Egress
		}
		if !used[open] {
			continue
		}
		f.Check = "pod-half-isolated"
		f.Message = fmt.Sprintf("policies isolate %s for %v only, and leave %v open", podNames(pods), opposite(open), open)
		f.Proof = s.openProof(pods[0], open)
		f.Suggestion = fmt.Sprintf("list %s in the policyTypes of a policy that selects it, and allow what is needed", policyType(open))
		report(f)
	}
}

// openProof proves that a pod is open for a direction by a flow from or to an
// address outside, of which nothing but the policies of the pod decides.
func (s *subject) openProof(pod *subjectPod, d policy.Direction) Proof {
	port := policy.TCP.Port(80)
	if len(pod.declared) > 0 && d == policy.Ingress {
		port = pod.declared[0]
	}
	for _, outside := range s.g.Outside() {
		f := reach.Flow{From: outside, To: pod.end, Port: port}
		if d == policy.Egress {
			f.From, f.To = f.To, f.From
		}
		if s.g.Allows(f) {
			return Proof{f, "allowed, as is every port and every other address"}
		}
	}
	return Proof{Text: "every port and every address"} // of which the cluster has all
}

// unlistedDirections reports the rules of directions that policyTypes do not list.
func (s *subject) unlistedDirections(report func(Finding)) error {
	for _, p := range s.policies {
		for _, d := range directions {
			n := len(p.object.Spec.Ingress)
			if d == policy.Egress {
				n = len(p.object.Spec.Egress)
			}
			if n == 0 || p.Half(d).Isolates {
				continue
			}
			f := s.about(p.object, "spec."+d.String())
			f.Check = "unlisted-direction"
			f.Message = fmt.Sprintf("%s no effect: policyTypes does not list %s", haveRules(n, d), policyType(d))
			f.Related = []policy.Place{s.cluster.Place(p.object, "spec.policyTypes")}
			f.Suggestion = fmt.Sprintf("add %s to policyTypes, or remove the rules", policyType(d))
			var err error
			if f.Proof, err = s.listedProof(p, d); err != nil {
				return err
			}
			report(f)
		}
	}
	return nil
}

// listedProof tells what would change if policyTypes of a policy listed a direction.
func (s *subject) listedProof(p *subjectPolicy, d policy.Direction) (Proof, error) {
	np := p.object.DeepCopy()
	np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	if np.Name == "" {
		return Proof{Text: fmt.Sprintf("policyTypes is %v", p.object.Spec.PolicyTypes)}, nil // With would add another one
	}
	h, err := s.g.With(policy.Put(np))
	if err != nil {
		return Proof{}, err
	}
	c, same := reach.Equivalent(s.g, h)
	if same {
		return Proof{Text: fmt.Sprintf("nothing would change if policyTypes listed %s", policyType(d))}, nil
	}
	is, would := "allowed", "denied"
	if c.Opened {
		is, would = would, is
	}
	f, _ := spell(c).in(s.g)
	return Proof{f, fmt.Sprintf("%s, and would be %s if policyTypes listed %s", is, would, policyType(d))}, nil
}

func haveRules(n int, d policy.Direction) string {
	if n == 1 {
		return fmt.Sprintf("the %v rule", d) + " has"
	}
	return fmt.Sprintf("the %d %v rules", n, d) + " have"
}
