package generate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// An end is one end of flows that are to be allowed.
type end struct {
	pods  []int    // ascending
	nodes []int    // ascending
	addrs cidr.Set // of blocks

	wishes map[string]selector.Selector // by namespace, how to select the pods if that is exact
	wish   *selector.Selector           // how to select the pods of all namespaces, which is exact
}

func (e end) isEmpty() bool { return len(e.pods)+len(e.nodes) == 0 && e.addrs.IsEmpty() }

// wishIn returns how to select the pods of a namespace, or nil if that is left open.
func (e end) wishIn(namespace string) *selector.Selector {
	if s, ok := e.wishes[namespace]; ok {
		return &s
	}
	return e.wish
}

// A builder collects rules for sets of pods and makes policies of them.
type builder struct {
	w      *world
	taken  map[types.NamespacedName]bool
	drafts map[draftKey]*draft
}

type draftKey struct{ namespace, purpose, pods string }

// A draft is a policy that is being made. The ports are by direction and peer.
type draft struct {
	draftKey
	rules [2]map[atom]ports
}

// An atom is what a rule can name: pods of a namespace, or of all of them, or a
// block with exceptions.
type atom struct {
	block     string
	namespace string // empty for all
	pods      string // a selector
}

func newBuilder(w *world) *builder {
	b := &builder{w: w, taken: make(map[types.NamespacedName]bool), drafts: make(map[draftKey]*draft)}
	for _, p := range w.model.Policies {
		b.taken[p.Name] = true
	}
	return b
}

// allow lets flows pass at the pods of near, in direction d. The purpose tells which
// rules for the same pods belong in one policy.
func (b *builder) allow(purpose string, d policy.Direction, near, far end, p ports) {
	atoms := b.atoms(far)
	for name, list := range b.w.byNamespace(near.pods) {
		for _, s := range b.w.pick(b.w.namespaces[name], list, near.wishIn(name)) {
			b.add(draftKey{name, purpose, s.String()}, d, atoms, p)
		}
	}
}

func (b *builder) add(key draftKey, d policy.Direction, atoms []atom, p ports) {
	if len(atoms) == 0 {
		return // a rule without peers would be for everyone
	}
	f := b.drafts[key]
	if f == nil {
		f = &draft{draftKey: key}
		b.drafts[key] = f
	}
	if f.rules[d] == nil {
		f.rules[d] = make(map[atom]ports)
	}
	for _, a := range atoms {
		f.rules[d][a] = f.rules[d][a].union(p)
	}
}

// atoms returns what names an end.
func (b *builder) atoms(e end) []atom {
	var list []atom
	addrs := e.addrs
	for _, i := range e.pods {
		if !b.w.pods[i].subject {
			addrs = addrs.Union(b.w.ends[i].Addrs())
		}
	}
	for _, i := range e.nodes {
		addrs = addrs.Union(b.w.nodes[i-len(b.w.pods)].Addrs())
	}
	if e.wish != nil {
		list = append(list, atom{pods: e.wish.String()})
	} else {
		for name, pods := range b.w.byNamespace(e.pods) {
			for _, s := range b.w.pick(b.w.namespaces[name], pods, e.wishIn(name)) {
				list = append(list, atom{namespace: name, pods: s.String()})
			}
		}
	}
	if !addrs.IsEmpty() {
		for _, block := range strings.Split(addrs.String(), ", ") {
			list = append(list, atom{block: block})
		}
	}
	return list
}

// byNamespace yields the pods of a list that policies can select, by namespace.
func (w *world) byNamespace(list []int) func(yield func(string, []int) bool) {
	return func(yield func(string, []int) bool) {
		var same []int
		for n, i := range list {
			if w.pods[i].subject {
				same = append(same, i)
			}
			name := w.pods[i].Name.Namespace
			if n+1 < len(list) && w.pods[list[n+1]].Name.Namespace == name || len(same) == 0 {
				continue
			}
			if !yield(name, same) {
				return
			}
			same = nil
		}
	}
}

// policies returns the policies of all drafts, sorted by namespace and name.
func (b *builder) policies() []*networkingv1.NetworkPolicy {
	drafts := slices.SortedFunc(maps.Values(b.drafts), func(x, y *draft) int {
		return cmp.Or(cmp.Compare(x.namespace, y.namespace), cmp.Compare(x.purpose, y.purpose), cmp.Compare(x.pods, y.pods))
	})
	var list []*networkingv1.NetworkPolicy
	for _, f := range drafts {
		np := b.newPolicy(f.namespace, b.nameOf(f))
		np.Spec.PodSelector = labelSelector(f.pods)
		for _, d := range directions {
			if f.rules[d] != nil {
				setRules(np, d, f.namespace, f.rules[d])
			}
		}
		list = append(list, np)
	}
	return list
}

// newPolicy returns a policy without pods or rules. If the name is taken, it gets a
// number.
func (b *builder) newPolicy(namespace, name string) *networkingv1.NetworkPolicy {
	free := types.NamespacedName{Namespace: namespace, Name: name}
	for n := 2; b.taken[free]; n++ {
		free.Name = fmt.Sprintf("%s-%d", name, n)
	}
	b.taken[free] = true
	np := &networkingv1.NetworkPolicy{}
	np.APIVersion, np.Kind = networkingv1.SchemeGroupVersion.String(), "NetworkPolicy"
	np.Namespace, np.Name = free.Namespace, free.Name
	return np
}

// denies returns the policies that isolate all pods of namespaces in directions in
// which no policy does that yet.
func (b *builder) denies(namespaces []string, ds ...policy.Direction) []*networkingv1.NetworkPolicy {
	var list []*networkingv1.NetworkPolicy
	for _, name := range namespaces {
		open := slices.Clone(ds)
		for _, p := range b.w.model.Policies {
			if p.Name.Namespace == name && p.Pods.IsEverything() {
				open = slices.DeleteFunc(open, func(d policy.Direction) bool { return p.Half(d).Isolates })
			}
		}
		if len(open) == 0 {
			continue
		}
		title := "default-deny"
		if len(open) == 1 {
			title += "-" + open[0].String()
		}
		np := b.newPolicy(name, title)
		for _, d := range open {
			np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, typeOf(d))
		}
		list = append(list, np)
	}
	return list
}

func typeOf(d policy.Direction) networkingv1.PolicyType {
	if d == policy.Ingress {
		return networkingv1.PolicyTypeIngress
	}
	return networkingv1.PolicyTypeEgress
}

// setRules writes the rules of one direction: one for each set of ports.
func setRules(np *networkingv1.NetworkPolicy, d policy.Direction, own string, rules map[atom]ports) {
	byPorts := make(map[string][]atom)
	of := make(map[string]ports)
	for a, p := range rules {
		if isCovered(a, rules) {
			continue
		}
		text := p.String()
		byPorts[text] = append(byPorts[text], a)
		of[text] = p
	}
	for _, atoms := range byPorts {
		slices.SortFunc(atoms, func(a, b atom) int { return a.compare(b, own) })
	}
	order := slices.SortedFunc(maps.Keys(byPorts), func(s, t string) int {
		return cmp.Or(byPorts[s][0].compare(byPorts[t][0], own), cmp.Compare(s, t))
	})
	for _, text := range order {
		peers, items := peersOf(byPorts[text], own), of[text].items()
		if d == policy.Ingress {
			np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: peers, Ports: items})
		} else {
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: peers, Ports: items})
		}
	}
	np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, typeOf(d))
}

// isCovered reports whether another peer stands for more pods on the same ports.
func isCovered(a atom, rules map[atom]ports) bool {
	if a.block != "" {
		return false
	}
	for _, b := range []atom{{namespace: a.namespace}, {pods: a.pods}, {}} {
		if p, ok := rules[b]; ok && a != b && rules[a].union(p).String() == p.String() {
			return true
		}
	}
	return false
}

// compare orders the peers of a policy: its own namespace first, blocks last.
func (a atom) compare(b atom, own string) int {
	last := func(a atom) int {
		switch {
		case a.block != "":
			return 2
		case a.namespace != own:
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.pods, b.pods), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.block, b.block))
}

// peersOf returns the peers that atoms stand for, which are sorted. The namespaces
// of which the same pods are meant are one peer.
func peersOf(atoms []atom, own string) []networkingv1.NetworkPolicyPeer {
	var peers []networkingv1.NetworkPolicyPeer
	for len(atoms) > 0 {
		a := atoms[0]
		n := 1
		var peer networkingv1.NetworkPolicyPeer
		pods := labelSelector(a.pods)
		switch {
		case a.block != "":
			peer.IPBlock = ipBlock(a.block)
		case a.namespace == own:
			peer.PodSelector = &pods
		default:
			if a.pods != "" {
				peer.PodSelector = &pods
			}
			names := []string{a.namespace}
			for ; n < len(atoms) && atoms[n].block == "" && atoms[n].pods == a.pods && a.namespace != ""; n++ {
				names = append(names, atoms[n].namespace)
			}
			peer.NamespaceSelector = namespaceSelector(names)
		}
		peers, atoms = append(peers, peer), atoms[n:]
	}
	return peers
}

// namespaceSelector returns the selector of the namespaces with the given names,
// or if there is one that is empty, of all.
func namespaceSelector(names []string) *metav1.LabelSelector {
	switch {
	case names[0] == "":
		return &metav1.LabelSelector{}
	case len(names) == 1:
		return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: names[0]}}
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: names},
	}}
}

func ipBlock(text string) *networkingv1.IPBlock {
	block, except, ok := strings.Cut(text, " except ")
	b := &networkingv1.IPBlock{CIDR: block}
	if ok {
		b.Except = strings.Split(except, " and ")
	}
	return b
}
