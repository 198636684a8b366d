package reachtest

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An alteration is one edit of a cluster that a person could make by mistake.
type alteration struct {
	name   string
	edits  []policy.Edit
	before []metav1.Object // what the edits change
	after  []metav1.Object // what becomes of each; nil if it is gone
	key    string          // of the label of pods that is renamed; empty if a policy changes
}

// alterations returns the edits that are tried on a cluster, in the order of the
// names of its objects.
func alterations(c *policy.Cluster) []alteration {
	var all []alteration
	policies := byName(c.Policies)
	namespaces := make(map[string]bool)
	taken := make(map[[2]string]bool)
	for _, ns := range c.Namespaces {
		if ns != nil {
			namespaces[ns.Name] = true
		}
	}
	for _, np := range policies {
		taken[[2]string{namespaceOf(np), np.Name}] = true
		namespaces[namespaceOf(np)] = true
	}
	for _, np := range policies {
		ns := namespaceOf(np)
		name := "NetworkPolicy " + ns + "/" + np.Name
		add := func(what string, after metav1.Object, edits ...policy.Edit) {
			all = append(all, alteration{name: name + ": " + what, edits: edits, before: []metav1.Object{np}, after: []metav1.Object{after}})
		}
		remove := policy.Remove("NetworkPolicy", ns, np.Name)
		add("drop it", nil, remove)
		e := policyEditor{np, func(what string, after *networkingv1.NetworkPolicy) { add(what, after, policy.Put(after)) }}
		e.all()
		for _, to := range slices.Sorted(maps.Keys(namespaces)) {
			if taken[[2]string{to, np.Name}] {
				continue // its own, or one that would be overwritten
			}
			after := np.DeepCopy()
			after.Namespace = to
			add("move it to namespace "+to, after, remove, policy.Put(after))
		}
	}
	return append(all, relabelings(c)...)
}

// byName returns the objects of a list that have a name, by namespace and name.
func byName[T any, P interface {
	*T
	metav1.Object
}](list []P) []P {
	var all []P
	for _, o := range list {
		if o != nil && o.GetName() != "" {
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(a, b P) int {
		return cmp.Or(cmp.Compare(namespaceOf(a), namespaceOf(b)), cmp.Compare(a.GetName(), b.GetName()))
	})
	return all
}

func namespaceOf(o metav1.Object) string { return cmp.Or(o.GetNamespace(), metav1.NamespaceDefault) }

// A policyEditor makes the edits of one policy. Each changes a copy of its own.
type policyEditor struct {
	before *networkingv1.NetworkPolicy
	add    func(what string, after *networkingv1.NetworkPolicy)
}

type spec = networkingv1.NetworkPolicySpec

func (e *policyEditor) edit(what string, change func(*spec)) {
	after := e.before.DeepCopy()
	change(&after.Spec)
	e.add(what, after)
}

func (e *policyEditor) all() {
	before := &e.before.Spec
	e.selector("spec.podSelector", func(s *spec) *metav1.LabelSelector { return &s.PodSelector })
	for i, t := range before.PolicyTypes {
		e.edit(fmt.Sprintf("drop %s of spec.policyTypes", t), func(s *spec) { s.PolicyTypes = slices.Delete(s.PolicyTypes, i, i+1) })
	}
	for i := range before.Ingress {
		at := fmt.Sprintf("spec.ingress[%d]", i)
		e.edit("drop "+at, func(s *spec) { s.Ingress = slices.Delete(s.Ingress, i, i+1) })
		e.peers(at+".from", func(s *spec) *[]networkingv1.NetworkPolicyPeer { return &s.Ingress[i].From })
		e.ports(at+".ports", func(s *spec) *[]networkingv1.NetworkPolicyPort { return &s.Ingress[i].Ports })
	}
	for i := range before.Egress {
		at := fmt.Sprintf("spec.egress[%d]", i)
		e.edit("drop "+at, func(s *spec) { s.Egress = slices.Delete(s.Egress, i, i+1) })
		e.peers(at+".to", func(s *spec) *[]networkingv1.NetworkPolicyPeer { return &s.Egress[i].To })
		e.ports(at+".ports", func(s *spec) *[]networkingv1.NetworkPolicyPort { return &s.Egress[i].Ports })
	}
}

// selector makes the edits of a selector, if it is there.
func (e *policyEditor) selector(at string, of func(*spec) *metav1.LabelSelector) {
	before := of(&e.before.Spec)
	if before == nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(before.MatchLabels)) {
		e.edit(fmt.Sprintf("drop %s=%s of %s", key, before.MatchLabels[key], at), func(s *spec) { delete(of(s).MatchLabels, key) })
	}
	for i, r := range before.MatchExpressions {
		words := strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Key, r.Operator, strings.Join(r.Values, ",")))
		e.edit(fmt.Sprintf("drop %s of %s", words, at), func(s *spec) {
			l := &of(s).MatchExpressions
			*l = slices.Delete(*l, i, i+1)
		})
	}
	if len(before.MatchLabels)+len(before.MatchExpressions) > 1 {
		e.edit("empty "+at, func(s *spec) { *of(s) = metav1.LabelSelector{} })
	}
}

func (e *policyEditor) peers(field string, of func(*spec) *[]networkingv1.NetworkPolicyPeer) {
	for j, p := range *of(&e.before.Spec) {
		at := fmt.Sprintf("%s[%d]", field, j)
		peer := func(s *spec) *networkingv1.NetworkPolicyPeer { return &(*of(s))[j] }
		e.edit("drop "+at, func(s *spec) {
			l := of(s)
			*l = slices.Delete(*l, j, j+1)
		})
		e.selector(at+".namespaceSelector", func(s *spec) *metav1.LabelSelector { return peer(s).NamespaceSelector })
		e.selector(at+".podSelector", func(s *spec) *metav1.LabelSelector { return peer(s).PodSelector })
		if p.NamespaceSelector != nil && p.PodSelector != nil {
			e.edit("split "+at+" in two", func(s *spec) {
				l := of(s)
				pods := (*l)[j].PodSelector
				(*l)[j].PodSelector = nil
				*l = slices.Insert(*l, j+1, networkingv1.NetworkPolicyPeer{PodSelector: pods})
			})
		}
		if p.IPBlock != nil {
			e.block(at+".ipBlock", p.IPBlock, func(s *spec) *networkingv1.IPBlock { return peer(s).IPBlock })
		}
	}
}

func (e *policyEditor) block(at string, b *networkingv1.IPBlock, of func(*spec) *networkingv1.IPBlock) {
	if p, err := cidr.ParsePrefix(b.CIDR); err == nil {
		var wider []netip.Prefix
		if p.Bits() > 1 {
			wider = append(wider, netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked())
		}
		if p.Bits() > 0 {
			wider = append(wider, netip.PrefixFrom(p.Addr(), 0).Masked())
		}
		for _, w := range wider {
			e.edit(fmt.Sprintf("widen %s of %s to %s", b.CIDR, at, w), func(s *spec) { of(s).CIDR = w.String() })
		}
	}
	for i, except := range b.Except {
		e.edit(fmt.Sprintf("drop except %s of %s", except, at), func(s *spec) {
			l := &of(s).Except
			*l = slices.Delete(*l, i, i+1)
		})
	}
}

func (e *policyEditor) ports(field string, of func(*spec) *[]networkingv1.NetworkPolicyPort) {
	ports := *of(&e.before.Spec)
	for j, p := range ports {
		at := fmt.Sprintf("%s[%d]", field, j)
		port := func(s *spec) *networkingv1.NetworkPolicyPort { return &(*of(s))[j] }
		e.edit("drop "+at, func(s *spec) {
			l := of(s)
			*l = slices.Delete(*l, j, j+1)
		})
		if p.Port == nil || p.EndPort == nil {
			continue
		}
		first, last := p.Port.IntVal, *p.EndPort
		if last < 65535 {
			e.edit(fmt.Sprintf("extend %s to %d-%d", at, first, last+1), func(s *spec) { *port(s).EndPort++ })
		}
		if first > 1 {
			e.edit(fmt.Sprintf("extend %s to %d-%d", at, first-1, last), func(s *spec) { port(s).Port.IntVal-- })
		}
	}
	if len(ports) > 1 {
		e.edit("drop "+field, func(s *spec) { *of(s) = nil })
	}
}
