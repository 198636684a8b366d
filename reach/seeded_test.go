package reach_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// A seededBug is a mistake that evaluators of policies make. One that makes it
// answers as the naive evaluator does for the policies that policy returns for a
// copy of each, or for the profile.
type seededBug struct {
	name    string
	policy  func(*networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy
	profile reach.Profile
}

// eachRule is the bug that changes the parts of every rule, and drops the rule if
// change returns false.
func eachRule(change func(ports *[]networkingv1.NetworkPolicyPort, peers *[]networkingv1.NetworkPolicyPeer) bool) func(*networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	return func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
		if len(np.Spec.PolicyTypes) == 0 && len(np.Spec.Egress) > 0 { // whatever becomes of the rules
			np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
		}
		ingress, egress := np.Spec.Ingress, np.Spec.Egress
		np.Spec.Ingress, np.Spec.Egress = nil, nil
		for _, r := range ingress {
			if change(&r.Ports, &r.From) {
				np.Spec.Ingress = append(np.Spec.Ingress, r)
			}
		}
		for _, r := range egress {
			if change(&r.Ports, &r.To) {
				np.Spec.Egress = append(np.Spec.Egress, r)
			}
		}
		return one(np)
	}
}

// eachPeer is the bug that puts other peers in the place of each.
func eachPeer(change func(networkingv1.NetworkPolicyPeer) []networkingv1.NetworkPolicyPeer) func(*networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	return eachRule(func(_ *[]networkingv1.NetworkPolicyPort, peers *[]networkingv1.NetworkPolicyPeer) bool {
		var all []networkingv1.NetworkPolicyPeer
		for _, peer := range *peers {
			all = append(all, change(peer)...)
		}
		*peers = all
		return true
	})
}

// eachSelector is the bug that changes every selector.
func eachSelector(change func(*metav1.LabelSelector)) func(*networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	return func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
		change(&np.Spec.PodSelector)
		eachPeers(np, func(peers *[]networkingv1.NetworkPolicyPeer) {
			for _, peer := range *peers {
				for _, sel := range []*metav1.LabelSelector{peer.PodSelector, peer.NamespaceSelector} {
					if sel != nil {
						change(sel)
					}
				}
			}
		})
		return one(np)
	}
}

var seededBugs = []seededBug{
	{name: "endPort is ignored", policy: eachRule(func(ports *[]networkingv1.NetworkPolicyPort, _ *[]networkingv1.NetworkPolicyPeer) bool {
		for i := range *ports {
			(*ports)[i].EndPort = nil
		}
		return true
	})},
	{name: "both selectors of a peer are alternatives", policy: eachPeer(func(peer networkingv1.NetworkPolicyPeer) []networkingv1.NetworkPolicyPeer {
		if peer.PodSelector == nil || peer.NamespaceSelector == nil {
			return []networkingv1.NetworkPolicyPeer{peer}
		}
		return []networkingv1.NetworkPolicyPeer{{PodSelector: peer.PodSelector}, {NamespaceSelector: peer.NamespaceSelector}}
	})},
	{name: "exceptions of blocks are ignored", policy: eachPeer(func(peer networkingv1.NetworkPolicyPeer) []networkingv1.NetworkPolicyPeer {
		if peer.IPBlock != nil {
			peer.IPBlock.Except = nil
		}
		return []networkingv1.NetworkPolicyPeer{peer}
	})},
	{name: "egress is forgotten", policy: func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
		if len(np.Spec.PolicyTypes) > 0 && !slices.Contains(np.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			return nil
		}
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		return one(np)
	}},
	{name: "an empty selector selects nothing", policy: eachSelector(func(sel *metav1.LabelSelector) {
		if len(sel.MatchLabels) == 0 && len(sel.MatchExpressions) == 0 {
			sel.MatchExpressions = []metav1.LabelSelectorRequirement{
				{Key: "a", Operator: metav1.LabelSelectorOpExists}, {Key: "a", Operator: metav1.LabelSelectorOpDoesNotExist}}
		}
	})},
	{name: "NotIn needs the key", policy: eachSelector(func(sel *metav1.LabelSelector) {
		for _, r := range sel.MatchExpressions {
			if r.Operator == metav1.LabelSelectorOpNotIn {
				sel.MatchExpressions = append(sel.MatchExpressions, metav1.LabelSelectorRequirement{Key: r.Key, Operator: metav1.LabelSelectorOpExists})
			}
		}
	})},
	{name: "policyTypes default to Ingress alone", policy: func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
		if len(np.Spec.PolicyTypes) == 0 {
			np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		}
		return one(np)
	}},
	{name: "egress rules isolate without being listed", policy: func(np *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
		if len(np.Spec.PolicyTypes) > 0 && len(np.Spec.Egress) > 0 {
			np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
		return one(np)
	}},
	{name: "a podSelector alone is one of all namespaces", policy: eachPeer(func(peer networkingv1.NetworkPolicyPeer) []networkingv1.NetworkPolicyPeer {
		if peer.PodSelector != nil && peer.NamespaceSelector == nil {
			peer.NamespaceSelector = &metav1.LabelSelector{}
		}
		return []networkingv1.NetworkPolicyPeer{peer}
	})},
	{name: "no podSelector is all pods of all namespaces", policy: eachPeer(func(peer networkingv1.NetworkPolicyPeer) []networkingv1.NetworkPolicyPeer {
		if peer.PodSelector == nil && peer.NamespaceSelector != nil {
			peer.NamespaceSelector = &metav1.LabelSelector{}
		}
		return []networkingv1.NetworkPolicyPeer{peer}
	})},
	{name: "no protocol is every protocol", policy: eachRule(func(ports *[]networkingv1.NetworkPolicyPort, _ *[]networkingv1.NetworkPolicyPeer) bool {
		for _, item := range *ports {
			if item.Protocol == nil {
				for _, proto := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolSCTP} {
					*ports = append(*ports, networkingv1.NetworkPolicyPort{Protocol: &proto, Port: item.Port, EndPort: item.EndPort})
				}
			}
		}
		return true
	})},
	{name: "no ports are none", policy: eachRule(func(ports *[]networkingv1.NetworkPolicyPort, _ *[]networkingv1.NetworkPolicyPeer) bool {
		return len(*ports) > 0
	})},
	{name: "no peers are none", policy: eachRule(func(_ *[]networkingv1.NetworkPolicyPort, peers *[]networkingv1.NetworkPolicyPeer) bool {
		return len(*peers) > 0
	})},
	{name: "pods on the host network are pods", profile: reach.Profile{HostNetworkAsPods: true}},
	{name: "blocks have no pods", profile: reach.Profile{IPBlockSkipsPods: true}},
	{name: "port names of init containers count", profile: reach.Profile{NamedPorts: reach.NamedPortsOfAllContainers}},
}

// genSeeded has fewer objects than others, to shrink fast.
var genSeeded = reachtest.Gen{MaxPods: 5, MaxPolicies: 5, MaxWorkloads: 1}

// A search is for a flow that two evaluators answer otherwise.
type search struct {
	c     *policy.Cluster // the last one that was found
	flow  reach.Flow
	tries int  // since the first one was found
	found bool // by the last try
}

// enough are the tries after which a cluster counts as shrunk. They end the
// search at the same point on every machine, as a time would not.
const enough = 1500

// differ fails if an evaluator with the bug answers otherwise than the Graph.
func (b seededBug) differ(t *rapid.T, s *search) {
	if s.tries > enough && !s.found { // rapid tries again what it found
		return
	}
	s.found = false
	if s.c != nil {
		s.tries++
	}
	c := genSeeded.Clusters().Draw(t, "cluster")
	g := compile(t, reach.Profile{}, c)
	wrong := c
	if b.policy != nil {
		wrong = changePolicies(c, b.policy)
	}
	n := newNaive(wrong, b.profile)
	port := genSeeded.Ports(c).Draw(t, "port")
	ends := n.ends()
	for range 3 {
		if a := genSeeded.Addrs(c).Draw(t, "address").String(); n.knows(a) {
			ends = append(ends, a)
		}
	}
	one := rapid.SampledFrom(ends).Draw(t, "end")
	for _, other := range ends {
		for _, flow := range [][2]string{{one, other}, {other, one}} {
			from, to := flow[0], flow[1]
			f := reach.Flow{From: g.MustLookup(from), To: g.MustLookup(to), Port: port}
			if g.Allows(f) != n.allows(from, to, port, reach.AnyFamily) {
				s.c, s.flow, s.found = c, f, true
				t.Fatalf("%s -> %s %s", from, to, port)
			}
		}
	}
}

// Every seeded bug is found, and the cluster that shows it shrinks to one that a
// person can judge.
func TestSeededBugs(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.nofailfile": "true", "rapid.checks": "1000", "rapid.shrinktime": "10m"} {
		f := flag.Lookup(name)
		before := f.Value.String()
		require.NoError(t, f.Value.Set(value))
		t.Cleanup(func() { _ = f.Value.Set(before) })
	}
	for _, b := range seededBugs {
		t.Run(b.name, func(t *testing.T) {
			var s search
			tb := &silentTB{name: t.Name()}
			done := make(chan struct{})
			go func() {
				defer close(done) // rapid ends the goroutine
				rapid.Check(tb, func(t *rapid.T) { b.differ(t, &s) })
			}()
			<-done
			require.True(t, tb.failed, "not found")
			require.NotNil(t, s.c, tb.errors)
			text := reachtest.YAML(s.c, s.flow)
			t.Log("\n" + text)
			assert.LessOrEqual(t, len(s.c.Policies), 2)
			assert.LessOrEqual(t, len(s.c.Pods), 3)
		})
	}
}

// A silentTB takes the failure of a property that must fail.
type silentTB struct {
	rapid.TB // nothing else is called
	name     string
	failed   bool
	errors   []string
}

func (tb *silentTB) Helper()             {}
func (tb *silentTB) Name() string        { return tb.name }
func (tb *silentTB) Logf(string, ...any) {}
func (tb *silentTB) Log(...any)          {}
func (tb *silentTB) Failed() bool        { return tb.failed }
func (tb *silentTB) Fail()               { tb.failed = true }
func (tb *silentTB) FailNow()            { tb.failed = true; runtime.Goexit() }
func (tb *silentTB) Errorf(format string, args ...any) {
	tb.failed = true
	tb.errors = append(tb.errors, fmt.Sprintf(format, args...))
}
