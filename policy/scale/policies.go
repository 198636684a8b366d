package scale

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The kinds of policies after the first three, in the order of the pattern.
const (
	aboutApp = iota
	aboutNeighbor
	aboutBlocks
	aboutFirstPod
	aboutRange
	aboutFrontend
	aboutVersion
)

// policy returns the k'th policy of the i'th namespace of a team.
func (b *builder) policy(i, k int) *networkingv1.NetworkPolicy {
	s := &b.spaces[i]
	if k == 0 || len(s.apps) == 0 {
		return named("default-deny", metav1.LabelSelector{}, networkingv1.NetworkPolicySpec{})
	}
	switch k {
	case 1:
		return named("allow-dns", metav1.LabelSelector{}, networkingv1.NetworkPolicySpec{
			Egress: []networkingv1.NetworkPolicyEgressRule{{
				To: []networkingv1.NetworkPolicyPeer{{
					NamespaceSelector: b.selector(label{labelNamespace, "kube-system"}),
					PodSelector:       b.selector(label{labelDNS, "kube-dns"}),
				}},
				Ports: []networkingv1.NetworkPolicyPort{
					{Protocol: new(corev1.ProtocolUDP), Port: new(intstr.FromInt32(53))}, tcp(53),
				},
			}},
		})
	case 2:
		return named("allow-metrics", metav1.LabelSelector{}, networkingv1.NetworkPolicySpec{
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{{
					NamespaceSelector: b.selector(label{labelNamespace, "monitoring"}),
					PodSelector:       b.selector(label{labelName, "prometheus"}),
				}},
				Ports: []networkingv1.NetworkPolicyPort{tcpName("metrics")},
			}},
		})
	}
	pattern := [...]int{
		aboutApp, aboutNeighbor, aboutApp, aboutBlocks, aboutApp, aboutFirstPod,
		aboutApp, aboutRange, aboutApp, aboutFrontend, aboutApp, aboutVersion,
	}
	at := k - 3 + 3*(i%4)
	switch pattern[at%len(pattern)] {
	case aboutNeighbor:
		return b.aboutNeighbor(i)
	case aboutBlocks:
		return b.aboutBlocks(i, k)
	case aboutFirstPod:
		if a := s.find("StatefulSet", k); a != nil {
			return b.aboutFirstPod(s, a)
		}
	case aboutRange:
		return b.aboutRange(s, k)
	case aboutFrontend:
		return b.aboutFrontend(s)
	case aboutVersion:
		return b.aboutVersion(s, k)
	}
	return b.aboutApp(s, (k-2)/2)
}

// find returns an app of which owner makes the pods, from the k'th on, or nil if
// there is none.
func (s *space) find(owner string, k int) *app {
	for i := range s.apps {
		if a := &s.apps[(i+k)%len(s.apps)]; a.owner == owner {
			return a
		}
	}
	return nil
}

// aboutApp returns the policy of the k'th app: the one before it calls it, it
// calls the one after it.
func (b *builder) aboutApp(s *space, k int) *networkingv1.NetworkPolicy {
	app := func(k int) *app { return &s.apps[(k+len(s.apps))%len(s.apps)] }
	a, before, after := app(k%len(s.apps)), app(k%len(s.apps)-1), app(k%len(s.apps)+1)
	in := tcp(a.port)
	if k%2 == 0 {
		in = tcpName(a.portName)
	}
	out := tcp(after.port)
	if k%4 == 1 {
		out = tcpName(after.portName)
	}
	return named(a.name, *b.selector(label{labelName, a.name}), networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From:  []networkingv1.NetworkPolicyPeer{b.peer(label{labelName, before.name})},
			Ports: []networkingv1.NetworkPolicyPort{in},
		}},
		Egress: []networkingv1.NetworkPolicyEgressRule{{
			To:    []networkingv1.NetworkPolicyPeer{b.peer(label{labelName, after.name})},
			Ports: []networkingv1.NetworkPolicyPort{out},
		}},
	})
}

// aboutNeighbor returns the policy by which the API of a team calls that of the
// next team in the same environment.
func (b *builder) aboutNeighbor(i int) *networkingv1.NetworkPolicy {
	step := 2
	if len(b.spaces) <= step {
		step = 1
	}
	s := &b.spaces[i]
	before, after := &b.spaces[(i+len(b.spaces)-step)%len(b.spaces)], &b.spaces[(i+step)%len(b.spaces)]
	api := func(s *space) *app { return &s.apps[min(1, len(s.apps)-1)] }
	np := named("neighbors", *b.selector(label{labelName, api(s).name}), networkingv1.NetworkPolicySpec{})
	if len(before.apps) > 0 {
		np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{
			From: []networkingv1.NetworkPolicyPeer{{
				NamespaceSelector: b.selector(label{labelTeam, before.team}, label{labelEnv, before.env}),
				PodSelector:       b.selector(label{labelName, api(before).name}),
			}},
			Ports: []networkingv1.NetworkPolicyPort{tcp(api(s).port)},
		}}
	}
	if len(after.apps) > 0 {
		np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{
			To: []networkingv1.NetworkPolicyPeer{{
				NamespaceSelector: b.selector(label{labelNamespace, after.name}),
				PodSelector:       b.selector(label{labelName, api(after).name}),
			}},
			Ports: []networkingv1.NetworkPolicyPort{tcp(api(after).port)},
		}}
	}
	return np
}

// aboutBlocks returns the policy of an app that calls the world outside, and a
// partner of the team.
func (b *builder) aboutBlocks(i, k int) *networkingv1.NetworkPolicy {
	s := &b.spaces[i]
	a := &s.apps[k%len(s.apps)]
	partner := pick(1<<14, forBlock, i/2)
	prefix := fmt.Sprintf("45.%d.%d", 64+partner>>8, partner&0xff)
	to := []networkingv1.NetworkPolicyPeer{
		block("0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32"),
	}
	if i%2 == 0 {
		to = append(to, block("::/0", "fd00::/8"))
	}
	return named(a.name+"-outside", *b.selector(label{labelName, a.name}), networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From:  []networkingv1.NetworkPolicyPeer{block(prefix+".0/24", prefix+".64/27", prefix+".200/32")},
			Ports: []networkingv1.NetworkPolicyPort{tcpName(a.portName)},
		}},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{To: to, Ports: []networkingv1.NetworkPolicyPort{tcp(443), tcp(80)}},
			{To: []networkingv1.NetworkPolicyPeer{block(prefix+".0/24", prefix+".0/28")}},
		},
	})
}

// aboutFirstPod returns the policy of the first pod of a StatefulSet, to which
// all others of the team write.
func (b *builder) aboutFirstPod(s *space, a *app) *networkingv1.NetworkPolicy {
	return named(a.name+"-primary", *b.selector(label{labelPodName, a.name + "-0"}), networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From:  []networkingv1.NetworkPolicyPeer{b.peer(label{labelPartOf, s.team}, label{labelTier, "backend"}), b.peer(label{labelName, a.name})},
			Ports: []networkingv1.NetworkPolicyPort{tcpName(a.portName)},
		}},
	})
}

// aboutRange returns the policy of all pods of the tier of an app, which talk to
// each other on ranges of ports.
func (b *builder) aboutRange(s *space, k int) *networkingv1.NetworkPolicy {
	a := &s.apps[k%len(s.apps)]
	peers := func() []networkingv1.NetworkPolicyPeer {
		return []networkingv1.NetworkPolicyPeer{b.peer(label{labelTier, a.tier})}
	}
	ports := func() []networkingv1.NetworkPolicyPort {
		gossip := 7000 + int32(k%3)*100
		return []networkingv1.NetworkPolicyPort{
			{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(a.port)), EndPort: new(a.port + 2)},
			{Protocol: new(corev1.ProtocolUDP), Port: new(intstr.FromInt32(gossip)), EndPort: new(gossip + 99)},
		}
	}
	return named(a.tier+"-cluster", *b.selector(label{labelTier, a.tier}), networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{From: peers(), Ports: ports()}},
		Egress:  []networkingv1.NetworkPolicyEgressRule{{To: peers(), Ports: ports()}},
	})
}

// aboutFrontend returns the policy that opens the frontends to everyone.
func (b *builder) aboutFrontend(s *space) *networkingv1.NetworkPolicy {
	return named("public", *b.selector(label{labelTier, "frontend"}, label{labelPartOf, s.team}), networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{tcpName("http")}}},
	})
}

// aboutVersion returns the policy of the newest version of an app, which may
// call a service for experiments.
func (b *builder) aboutVersion(s *space, k int) *networkingv1.NetworkPolicy {
	a := &s.apps[k%len(s.apps)]
	newest := a.versions[len(a.versions)-1]
	return named(a.name+"-canary", *b.selector(label{labelName, a.name}, label{labelVersion, newest}), networkingv1.NetworkPolicySpec{
		Egress: []networkingv1.NetworkPolicyEgressRule{{
			To:    []networkingv1.NetworkPolicyPeer{block("203.0.113.0/24", "203.0.113.128/25")},
			Ports: []networkingv1.NetworkPolicyPort{tcp(443)},
		}},
	})
}

// named returns a policy of pods. Unless spec says otherwise, it isolates in the
// directions for which it has rules, and if it has none, in both.
func named(name string, pods metav1.LabelSelector, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	const in, out = networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	spec.PodSelector = pods
	switch {
	case len(spec.PolicyTypes) > 0:
	case len(spec.Egress) == 0 && len(spec.Ingress) > 0:
		spec.PolicyTypes = []networkingv1.PolicyType{in}
	case len(spec.Ingress) == 0 && len(spec.Egress) > 0:
		spec.PolicyTypes = []networkingv1.PolicyType{out}
	default:
		spec.PolicyTypes = []networkingv1.PolicyType{in, out}
	}
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

// A label is a key and the value that a selector asks for.
type label struct{ key, value string }

// selector returns a selector that picks what has all of labels. One in twenty
// says it with expressions.
func (b *builder) selector(labels ...label) *metav1.LabelSelector {
	b.selectors++
	ls := &metav1.LabelSelector{}
	if b.selectors%20 == 7 {
		first := labels[0]
		labels = labels[1:]
		ls.MatchExpressions = []metav1.LabelSelectorRequirement{
			{Key: first.key, Operator: metav1.LabelSelectorOpIn, Values: []string{first.value, first.value + "-next"}},
		}
		switch b.selectors / 20 % 4 {
		case 0:
			ls.MatchExpressions = append(ls.MatchExpressions, metav1.LabelSelectorRequirement{Key: first.key, Operator: metav1.LabelSelectorOpExists})
		case 1:
			ls.MatchExpressions = append(ls.MatchExpressions, metav1.LabelSelectorRequirement{Key: "job-name", Operator: metav1.LabelSelectorOpDoesNotExist})
		case 2:
			ls.MatchExpressions = append(ls.MatchExpressions, metav1.LabelSelectorRequirement{Key: labelTier, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"batch", "test"}})
		}
	}
	for _, l := range labels {
		if ls.MatchLabels == nil {
			ls.MatchLabels = make(map[string]string)
		}
		ls.MatchLabels[l.key] = l.value
	}
	return ls
}

// peer returns the peer that picks the pods of the namespace that have labels.
func (b *builder) peer(labels ...label) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{PodSelector: b.selector(labels...)}
}

func block(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
}

func tcp(port int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))}
}

func tcpName(name string) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromString(name))}
}
