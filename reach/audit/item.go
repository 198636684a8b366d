package audit

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An item is a policy, or a part of one that could be taken away. Items are
// comparable.
type item struct {
	of   *subjectPolicy
	kind itemKind

	direction                policy.Direction // for all but policies
	rule, peer, port, except int              // as far as the kind has them
}

type itemKind uint8

const (
	policyItem itemKind = iota
	ruleItem
	peerItem
	portItem
	exceptItem
)

// String returns what checks call the kind.
func (k itemKind) String() string {
	return [...]string{"policy", "rule", "peer", "port", "except"}[k]
}

// words returns what messages call an item of the kind.
func (k itemKind) words() string {
	return [...]string{"the policy", "the rule", "the peer", "the port item", "the exception"}[k]
}

// A ruleSpec is a rule of either direction.
type ruleSpec struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// ruleSpecs returns the rules of a direction, none if the policy does not isolate
// for it.
func (p *subjectPolicy) ruleSpecs(d policy.Direction) []ruleSpec {
	var list []ruleSpec
	switch spec := &p.object.Spec; {
	case !p.Half(d).Isolates:
	case d == policy.Ingress:
		for _, r := range spec.Ingress {
			list = append(list, ruleSpec{r.From, r.Ports})
		}
	default:
		for _, r := range spec.Egress {
			list = append(list, ruleSpec{r.To, r.Ports})
		}
	}
	return list
}

// isolating returns a policy that isolates the pods it selects for the directions
// of rules, and has these rules. All else is as in p.
func (p *subjectPolicy) isolating(rules map[policy.Direction][]ruleSpec) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: p.Name.Namespace, Name: p.key}}
	np.Spec.PodSelector = p.object.Spec.PodSelector
	for _, d := range directions {
		if _, ok := rules[d]; ok {
			np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, networkingv1.PolicyType(policyType(d)))
		}
	}
	for _, r := range rules[policy.Ingress] {
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: r.peers, Ports: r.ports})
	}
	for _, r := range rules[policy.Egress] {
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: r.peers, Ports: r.ports})
	}
	return np
}

// halves returns the rules of the directions for which the policy isolates.
func (p *subjectPolicy) halves() map[policy.Direction][]ruleSpec {
	rules := make(map[policy.Direction][]ruleSpec)
	for _, d := range directions {
		if p.Half(d).Isolates {
			rules[d] = p.ruleSpecs(d)
		}
	}
	return rules
}

// parts returns the items of which it consists, as far as each can be taken away
// alone: the last peer of a rule is the rule, and so is the last port item.
func (it item) parts() []item {
	var list []item
	switch it.kind {
	case policyItem:
		for _, d := range directions {
			for i := range it.of.ruleSpecs(d) {
				list = append(list, item{of: it.of, kind: ruleItem, direction: d, rule: i})
			}
		}
	case ruleItem:
		spec := it.spec()
		for i := range spec.peers {
			part := it
			if part.kind, part.peer = peerItem, i; len(spec.peers) > 1 {
				list = append(list, part)
			} else {
				list = append(list, part.parts()...)
			}
		}
		for i := range spec.ports {
			part := it
			if part.kind, part.port = portItem, i; len(spec.ports) > 1 {
				list = append(list, part)
			}
		}
	case peerItem:
		if block := it.spec().peers[it.peer].IPBlock; block != nil {
			for i := range block.Except {
				part := it
				part.kind, part.except = exceptItem, i
				list = append(list, part)
			}
		}
	}
	return list
}

// all appends it, its parts and theirs to list.
func (it item) all(list []item) []item {
	list = append(list, it)
	for _, part := range it.parts() {
		list = part.all(list)
	}
	return list
}

// spec returns the rule that it is or is in.
func (it item) spec() ruleSpec { return it.of.ruleSpecs(it.direction)[it.rule] }

// normal returns the normal form of the rule that it is or is in.
func (it item) normal() *policy.Rule { return &it.of.Half(it.direction).Rules[it.rule] }

// field returns the path of it, or of the policy, which is empty.
func (it item) field() string {
	if it.kind == policyItem {
		return ""
	}
	at := fmt.Sprintf("spec.%v[%d]", it.direction, it.rule)
	switch it.kind {
	case peerItem:
		at += fmt.Sprintf(".%s[%d]", peersField(it.direction), it.peer)
	case portItem:
		at += fmt.Sprintf(".ports[%d]", it.port)
	case exceptItem:
		at += fmt.Sprintf(".%s[%d].ipBlock.except[%d]", peersField(it.direction), it.peer, it.except)
	}
	return at
}

// without returns the policy without it, which is a part of the policy. If directions
// are given, it isolates for these only.
func (it item) without(only ...policy.Direction) *networkingv1.NetworkPolicy {
	rules := it.of.halves()
	for d := range rules {
		if len(only) > 0 && !slices.Contains(only, d) {
			delete(rules, d)
		}
	}
	rules[it.direction] = slices.Replace(slices.Clone(rules[it.direction]), it.rule, it.rule+1, it.ruleWithout()...)
	return it.of.isolating(rules)
}

// ruleWithout returns the rule without it, or none if it is all of the rule.
func (it item) ruleWithout() []ruleSpec {
	spec := it.spec()
	switch it.kind {
	case peerItem:
		spec.peers = slices.Delete(slices.Clone(spec.peers), it.peer, it.peer+1)
	case portItem:
		spec.ports = slices.Delete(slices.Clone(spec.ports), it.port, it.port+1)
	case exceptItem:
		spec.peers = slices.Clone(spec.peers)
		spec.peers[it.peer] = it.peerWithout()
	default:
		return nil
	}
	return []ruleSpec{spec}
}

// peerWithout returns the peer that has the exception, without it.
func (it item) peerWithout() networkingv1.NetworkPolicyPeer {
	block := *it.spec().peers[it.peer].IPBlock
	block.Except = slices.Delete(slices.Clone(block.Except), it.except, it.except+1)
	return networkingv1.NetworkPolicyPeer{IPBlock: &block}
}

// alone returns rules that match what it alone is about, and rules that match none
// of that.
func (it item) alone() (with, without []ruleSpec) {
	spec := it.spec()
	switch it.kind {
	case peerItem:
		spec.peers = spec.peers[it.peer : it.peer+1]
	case portItem:
		spec.ports = spec.ports[it.port : it.port+1]
	case exceptItem:
		spec.peers = spec.peers[it.peer : it.peer+1]
		without = []ruleSpec{spec}
		spec.peers = []networkingv1.NetworkPolicyPeer{it.peerWithout()}
	}
	return []ruleSpec{spec}, without
}

// hasBlock reports whether a rule has an ipBlock.
func (r ruleSpec) hasBlock() bool {
	return slices.ContainsFunc(r.peers, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil })
}
