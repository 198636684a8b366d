package peers

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// An end is a pod as naive and parsed look at it.
type end struct {
	namespace string
	labels    labels.Set
	spaces    labels.Set // labels of the namespace
	addr      netip.Addr
}

func endOf(c *cluster, i int) end {
	p := c.pods[i]
	return end{p.Namespace, p.Labels, c.namespaces[p.Namespace], netip.MustParseAddr(p.Status.PodIP)}
}

// An attempt is a question with all that is to know of it.
type attempt struct {
	from, to end
	port     int32
	portName string
}

func attempts(c *cluster, questions []question) []attempt {
	list := make([]attempt, len(questions))
	for i, q := range questions {
		list[i] = attempt{endOf(c, q.from), endOf(c, q.to), q.port, portName(c.pods[q.to], q.port)}
	}
	return list
}

// A half is what a policy says of one direction.
type half struct {
	namespace string
	pods      labels.Selector
	rules     []rule
}

type rule struct {
	peers []peer // nil for everyone
	ports []networkingv1.NetworkPolicyPort
}

type peer struct {
	spaces, pods labels.Selector // spaces is nil for the namespace of the policy
	block        netip.Prefix    // valid if the peer is a block
	except       []netip.Prefix
}

// halfOf reads what np says of direction d. It reports false if that is nothing.
func halfOf(np *networkingv1.NetworkPolicy, d networkingv1.PolicyType) (half, bool) {
	if !slices.Contains(np.Spec.PolicyTypes, d) {
		return half{}, false
	}
	h := half{namespace: np.Namespace, pods: selectorOf(&np.Spec.PodSelector)}
	if d == networkingv1.PolicyTypeIngress {
		for _, r := range np.Spec.Ingress {
			h.rules = append(h.rules, rule{peersOf(r.From), r.Ports})
		}
	} else {
		for _, r := range np.Spec.Egress {
			h.rules = append(h.rules, rule{peersOf(r.To), r.Ports})
		}
	}
	return h, true
}

func peersOf(list []networkingv1.NetworkPolicyPeer) []peer {
	var peers []peer
	for _, p := range list {
		var q peer
		if p.IPBlock != nil {
			q.block = netip.MustParsePrefix(p.IPBlock.CIDR)
			for _, e := range p.IPBlock.Except {
				q.except = append(q.except, netip.MustParsePrefix(e))
			}
		} else {
			q.pods = labels.Everything()
			if p.PodSelector != nil {
				q.pods = selectorOf(p.PodSelector)
			}
			if p.NamespaceSelector != nil {
				q.spaces = selectorOf(p.NamespaceSelector)
			}
		}
		peers = append(peers, q)
	}
	return peers
}

func selectorOf(ls *metav1.LabelSelector) labels.Selector {
	s, err := metav1.LabelSelectorAsSelector(ls)
	if err != nil {
		panic(err)
	}
	return s
}

// applies reports whether h is about the pod e.
func (h *half) applies(e *end) bool { return h.namespace == e.namespace && h.pods.Matches(e.labels) }

// allows reports whether h lets a pass, with other at the far end.
func (h *half) allows(other *end, a *attempt) bool {
	for i := range h.rules {
		r := &h.rules[i]
		if r.hasPort(a) && (r.peers == nil || slices.ContainsFunc(r.peers, func(p peer) bool { return p.is(other, h.namespace) })) {
			return true
		}
	}
	return false
}

func (p *peer) is(e *end, namespace string) bool {
	if p.block.IsValid() {
		return p.block.Contains(e.addr) && !slices.ContainsFunc(p.except, func(x netip.Prefix) bool { return x.Contains(e.addr) })
	}
	if p.spaces == nil && e.namespace != namespace || p.spaces != nil && !p.spaces.Matches(e.spaces) {
		return false
	}
	return p.pods.Matches(e.labels)
}

func (r *rule) hasPort(a *attempt) bool {
	return len(r.ports) == 0 || slices.ContainsFunc(r.ports, func(p networkingv1.NetworkPolicyPort) bool {
		return (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP) && isPort(p, a.port, a.portName)
	})
}

// isPort reports whether an item of a list of ports means a port, which has a
// name at the pod that receives the traffic.
func isPort(p networkingv1.NetworkPolicyPort, port int32, name string) bool {
	switch {
	case p.Port == nil:
		return true
	case p.Port.Type == intstr.String:
		return p.Port.StrVal == name
	case p.EndPort != nil:
		return p.Port.IntVal <= port && port <= *p.EndPort
	default:
		return p.Port.IntVal == port
	}
}

// A naive engine reads the policies at each question.
type naive struct{ cluster *cluster }

func (e *naive) ask(questions []question) func(i int) bool {
	list := attempts(e.cluster, questions)
	passes := func(a *attempt, d networkingv1.PolicyType, one, other *end) bool {
		isolated := false
		for _, np := range e.cluster.Policies {
			if np.Namespace != one.namespace {
				continue
			}
			h, ok := halfOf(np, d)
			if !ok || !h.applies(one) {
				continue
			}
			if h.allows(other, a) {
				return true
			}
			isolated = true
		}
		return !isolated
	}
	return func(i int) bool {
		a := &list[i]
		return passes(a, networkingv1.PolicyTypeEgress, &a.from, &a.to) && passes(a, networkingv1.PolicyTypeIngress, &a.to, &a.from)
	}
}

// A parsed engine has read the policies before.
type parsed struct {
	cluster         *cluster
	egress, ingress []half
}

func newParsed(c *cluster) *parsed {
	e := &parsed{cluster: c}
	for _, np := range c.Policies {
		if h, ok := halfOf(np, networkingv1.PolicyTypeEgress); ok {
			e.egress = append(e.egress, h)
		}
		if h, ok := halfOf(np, networkingv1.PolicyTypeIngress); ok {
			e.ingress = append(e.ingress, h)
		}
	}
	return e
}

func (e *parsed) ask(questions []question) func(i int) bool {
	list := attempts(e.cluster, questions)
	passes := func(a *attempt, halves []half, one, other *end) bool {
		isolated := false
		for i := range halves {
			if h := &halves[i]; h.applies(one) {
				if h.allows(other, a) {
					return true
				}
				isolated = true
			}
		}
		return !isolated
	}
	return func(i int) bool {
		a := &list[i]
		return passes(a, e.egress, &a.from, &a.to) && passes(a, e.ingress, &a.to, &a.from)
	}
}
