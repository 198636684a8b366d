package scale

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/polreach/polreach/policy"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OneNamespace makes a cluster of one namespace with n pods that all have labels
// of their own, and n policies: each isolates one pod and lets the next one in.
// The documented figure is for 10,000.
func OneNamespace(n int) *policy.Cluster {
	n = max(n, 0)
	c := &policy.Cluster{}
	plainNamespace(c, "everyone")
	app := func(i int) map[string]string { return map[string]string{"app": fmt.Sprintf("app-%d", i%n)} }
	for i := range n {
		plainPod(c, "everyone", app(i))
		np := named(fmt.Sprintf("app-%d", i), metav1.LabelSelector{MatchLabels: app(i)}, networkingv1.NetworkPolicySpec{
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: app(i + 1)}}},
				Ports: []networkingv1.NetworkPolicyPort{tcp(8080)},
			}},
		})
		plainPolicy(c, "everyone", np)
	}
	return c
}

// UniqueLabels makes a cluster of n pods, a hundred in each namespace, that all
// have a label value of their own and a label key of their own. There is one
// policy for every ten pods, which picks these ten by value; it lets in ten pods
// of any namespace by value, and one by key.
func UniqueLabels(n int) *policy.Cluster {
	const each = 10
	n = max(n, 0)
	c := &policy.Cluster{}
	space := func(i int) string { return fmt.Sprintf("space-%d", i/(each*each)) }
	key := func(i int) string { return fmt.Sprintf("labels.example.com/only-%d", i) }
	ids := func(first int) []metav1.LabelSelectorRequirement {
		r := metav1.LabelSelectorRequirement{Key: "id", Operator: metav1.LabelSelectorOpIn}
		for i := first; i < min(first+each, n); i++ {
			r.Values = append(r.Values, strconv.Itoa(i))
		}
		return []metav1.LabelSelectorRequirement{r}
	}
	for i := range n {
		if i%(each*each) == 0 {
			plainNamespace(c, space(i))
		}
		plainPod(c, space(i), map[string]string{"id": strconv.Itoa(i), key(i): "true"})
		if i%each != 0 {
			continue
		}
		caller := pick((n+each-1)/each, forCaller, i) * each
		np := named(fmt.Sprintf("pods-%d", i), metav1.LabelSelector{MatchExpressions: ids(i)}, networkingv1.NetworkPolicySpec{
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{
					{NamespaceSelector: &metav1.LabelSelector{}, PodSelector: &metav1.LabelSelector{MatchExpressions: ids(caller)}},
					{NamespaceSelector: &metav1.LabelSelector{}, PodSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
						{Key: key(pick(n, forKey, i)), Operator: metav1.LabelSelectorOpExists},
					}}},
				},
				Ports: []networkingv1.NetworkPolicyPort{tcp(8080)},
			}},
		})
		plainPolicy(c, space(i), np)
	}
	return c
}

// Blocks makes a cluster of one namespace in which each of the policies isolates
// one pod and lets in the same n blocks of addresses, all different, each with one
// to three exceptions. A fifth of the blocks are of IPv6, and some lie within
// others. The documented figures are for 2,000 blocks in 1 and in 500 policies.
func Blocks(n, policies int) *policy.Cluster {
	c := &policy.Cluster{}
	plainNamespace(c, "blocks")
	blocks := distinctBlocks(max(n, 0))
	for i := range max(policies, 0) {
		app := func() map[string]string { return map[string]string{"app": fmt.Sprintf("app-%d", i)} }
		plainPod(c, "blocks", app())
		from := make([]networkingv1.NetworkPolicyPeer, len(blocks))
		for j, b := range blocks {
			from[j] = block(b.CIDR, append([]string(nil), b.Except...)...)
		}
		spec := networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}
		if len(from) > 0 { // without, the rule would let everyone in
			spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: from, Ports: []networkingv1.NetworkPolicyPort{tcp(443)}}}
		}
		plainPolicy(c, "blocks", named(fmt.Sprintf("app-%d", i), metav1.LabelSelector{MatchLabels: app()}, spec))
	}
	return c
}

// distinctBlocks returns n different blocks with exceptions.
func distinctBlocks(n int) []networkingv1.IPBlock {
	blocks := make([]networkingv1.IPBlock, 0, n)
	seen := make(map[netip.Prefix]bool)
	for try := 0; len(blocks) < n; try++ {
		h := mix(forBlock, try)
		b := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(h), byte(h >> 8), byte(h >> 16), byte(h >> 24)}
		addr, bits := netip.AddrFrom16(b), 40+int(h>>32%24)
		if len(blocks)%5 != 4 {
			addr = netip.AddrFrom4([4]byte{11 + byte(h%80), byte(h >> 8), byte(h >> 16), byte(h >> 24)})
			bits = 12 + int(h>>32%16)
		}
		p := netip.PrefixFrom(addr, bits).Masked()
		if seen[p] {
			continue
		}
		seen[p] = true
		block := networkingv1.IPBlock{CIDR: p.String()}
		part := p.Addr()
		for i := range 1 + int(h>>48%3) {
			block.Except = append(block.Except, netip.PrefixFrom(part, bits+2+i).Masked().String())
			part = after(netip.PrefixFrom(part, bits+2+i))
		}
		blocks = append(blocks, block)
	}
	return blocks
}

// after returns the first address that follows those of p.
func after(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i, carry := (p.Bits()-1)/8, 1<<(7-(p.Bits()-1)%8); i >= 0 && carry > 0; i-- {
		sum := int(b[i]) + carry
		b[i], carry = byte(sum), sum>>8
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func plainNamespace(c *policy.Cluster, name string) {
	c.Namespaces = append(c.Namespaces, &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelNamespace: name}},
	})
}

func plainPod(c *policy.Cluster, namespace string, labels map[string]string) {
	i := len(c.Pods)
	ip := fmt.Sprintf("10.%d.%d.%d", i>>16&0xff, i>>8&0xff, i&0xff)
	c.Pods = append(c.Pods, &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d", i), Namespace: namespace, Labels: labels},
		Spec: corev1.PodSpec{
			NodeName:   nodeName(i / podsOfNode),
			Containers: []corev1.Container{{Name: "main", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}},
	})
}

func plainPolicy(c *policy.Cluster, namespace string, np *networkingv1.NetworkPolicy) {
	np.TypeMeta = metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}
	np.Namespace = namespace
	c.Policies = append(c.Policies, np)
}
