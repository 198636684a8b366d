package audit_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"
)

// isJoinable reports whether one of two peers has a namespaceSelector only and the
// other a podSelector only, and returns what they are together.
func isJoinable(a, b networkingv1.NetworkPolicyPeer) (networkingv1.NetworkPolicyPeer, bool) {
	for range 2 {
		if a.NamespaceSelector != nil && a.PodSelector == nil && b.NamespaceSelector == nil && b.PodSelector != nil {
			return networkingv1.NetworkPolicyPeer{NamespaceSelector: a.NamespaceSelector, PodSelector: b.PodSelector}, true
		}
		a, b = b, a
	}
	return networkingv1.NetworkPolicyPeer{}, false
}

// Two peers are reported exactly if they can be joined and some answer changes then,
// unless the first of them has been reported with the one before; and the proof is a
// flow that is allowed and would not be.
func TestPropertySelectorsApart(t *testing.T) {
	reported, idle := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 3, MaxPods: 4, Complete: true, NoBlocks: rapid.Bool().Draw(t, "no blocks")}
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		c.Policies = slices.DeleteFunc(c.Policies, func(np *networkingv1.NetworkPolicy) bool { return np == nil })
		for _, np := range c.Policies {
			for i := range np.Spec.Ingress {
				if rapid.Bool().Draw(t, "joinable") { // as few are by chance
					ns, pod := gen.NamespaceSelectors().Draw(t, "namespaces"), gen.PodSelectors().Draw(t, "pods")
					np.Spec.Ingress[i].From = append(np.Spec.Ingress[i].From, networkingv1.NetworkPolicyPeer{NamespaceSelector: &ns}, networkingv1.NetworkPolicyPeer{PodSelector: &pod})
				}
			}
		}
		profile := gen.Profiles().Draw(t, "profile")
		g, err := profile.Compile(c)
		require.NoError(t, err)
		w := worldOf(t, c, profile)
		before := w.answers(t, c, profile)
		joined := make(map[string]*reach.Graph)
		want := []string{}
		for i, np := range c.Policies {
			for _, d := range [...]policy.Direction{policy.Ingress, policy.Egress} {
				half := toward(np, d)
				if half == nil {
					continue
				}
				for rule := range len(half.Spec.Ingress) + len(half.Spec.Egress) {
					var from peers
					change(np, d, rule, func(f *peers, _ *ports) { from = *f })
					for j := 0; j+1 < len(from); j++ {
						one, ok := isJoinable(from[j], from[j+1])
						if !ok {
							continue
						}
						b := brute{t: t, c: c, profile: profile, w: w}
						edited := b.replaced(i, change(np, d, rule, func(f *peers, _ *ports) { *f = slices.Replace(*f, j, j+2, one) }), same)
						if b.answers(edited) == before {
							idle++
							continue
						}
						list := map[policy.Direction]string{policy.Ingress: "from", policy.Egress: "to"}[d]
						place := c.Place(np, fmt.Sprintf("spec.%v[%d].%s[%d]", d, rule, list, j+1))
						want = append(want, place.String())
						after := c.Clone()
						after.Policies = edited
						h, err := profile.Compile(after)
						require.NoError(t, err)
						joined[place.String()] = h
						j++
					}
				}
			}
		}
		findings, err := audit.Run(g, "selectors-apart")
		require.NoError(t, err)
		got := []string{}
		for _, f := range findings {
			got = append(got, f.Place.String())
			if h := joined[f.Place.String()]; h != nil {
				assert.True(t, g.Allows(f.Proof.Flow), "%v", f.Proof)
				assert.False(t, h.Allows(moved(t, f.Proof.Flow, h)), "%v", f.Proof)
			}
		}
		assert.ElementsMatch(t, want, got)
		reported += len(got)
	})
	t.Log(reported, idle)
	assert.NotZero(t, idle)
}

// A port name is reported as unresolved exactly where the Graph warns of it, unless
// nobody at all receives what the rule is about; and a block as holding pods exactly if
// it has the address of one.
func TestPropertyTraps(t *testing.T) {
	reported := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 4, MaxPods: 4, MaxServices: 2, Complete: true}
		c := reachtest.Draw(t, gen.Clusters(), "cluster")
		c.Policies = slices.DeleteFunc(c.Policies, func(np *networkingv1.NetworkPolicy) bool { return np == nil })
		profile := gen.Profiles().Draw(t, "profile")
		g, err := profile.Compile(c)
		require.NoError(t, err)
		findings, err := audit.Run(g, trapChecks...)
		require.NoError(t, err)
		found := make(map[string]map[policy.Place]bool)
		for _, f := range findings {
			reported[f.Check]++
			if found[f.Check] == nil {
				found[f.Check] = make(map[policy.Place]bool)
			}
			found[f.Check][f.Place] = true
			assert.NotEmpty(t, f.Proof.String(), "%v", f)
			if f.Check == "family-left-closed" || f.Check == "service-port" && f.Proof.Flow != (reach.Flow{}) {
				assert.False(t, g.Allows(f.Proof.Flow), "%v: %v", f, f.Proof)
			}
		}

		p := newPlain(t, c, profile)
		warned := make(map[policy.Place]bool)
		for _, w := range g.Warnings() {
			if w.Code == "unresolved-port-name" {
				warned[w.Place] = true
			}
		}
		for at := range found["named-port-unresolved"] {
			assert.True(t, warned[at], "%v", at)
		}
		m, err := c.Model()
		require.NoError(t, err)
		for _, np := range m.Policies {
			for _, d := range [...]policy.Direction{policy.Ingress, policy.Egress} {
				for i, r := range np.Half(d).Rules {
					for j, it := range r.Ports {
						at := np.Place(fmt.Sprintf("spec.%v[%d].ports[%d].port", d, i, j))
						if it.Name != "" && warned[at] && !found["named-port-unresolved"][at] {
							assert.Empty(t, p.receivers(np, d, r), "%v", at)
						}
					}
					for j, peer := range r.Peers {
						block, ok := peer.(policy.Block)
						if !ok {
							continue
						}
						holds := p.holdsPod(block) || !block.Addrs.Intersect(m.PodCIDRs).IsEmpty()
						at := np.Place(fmt.Sprintf("spec.%v[%d].%s[%d].ipBlock", d, i, map[policy.Direction]string{policy.Ingress: "from", policy.Egress: "to"}[d], j))
						assert.Equal(t, holds, found["block-holds-pods"][at], "%v", at)
					}
				}
			}
		}
	})
	t.Log(reported)
	for _, check := range []string{"block-holds-pods", "named-port-unresolved", "host-network-selected", "namespace-key-misspelt"} {
		assert.NotZero(t, reported[check], check)
	}
}

// receivers returns the pods to which the flows of a rule go.
func (p *plain) receivers(np *policy.Policy, d policy.Direction, r policy.Rule) []reach.Endpoint {
	var list []reach.Endpoint
	m, err := p.c.Model()
	require.NoError(p.t, err)
	for i, pod := range p.model {
		ns := m.Namespaces[slices.IndexFunc(m.Namespaces, func(ns policy.Namespace) bool { return ns.Name == pod.Name.Namespace })]
		receives := d == policy.Ingress && ns.Name == np.Name.Namespace && np.Pods.Matches(pod.Labels)
		for _, peer := range r.Peers {
			if d == policy.Ingress {
				break
			}
			switch peer := peer.(type) {
			case policy.Anyone:
				receives = true
			case policy.Pods:
				receives = receives || (peer.Namespace == "" || peer.Namespace == ns.Name) && peer.Namespaces.Matches(ns.Labels) && peer.Pods.Matches(pod.Labels)
			case policy.Block:
				receives = receives || !p.profile.IPBlockSkipsPods && slices.ContainsFunc(pod.Addrs, peer.Addrs.Contains)
			}
		}
		if receives && p.policed(i) {
			list = append(list, p.ends[i])
		}
	}
	return list
}

func (p *plain) holdsPod(block policy.Block) bool {
	for i, pod := range p.model {
		if p.policed(i) && slices.ContainsFunc(pod.Addrs, func(a netip.Addr) bool {
			return !block.Addrs.Intersect(cidr.Of(netip.PrefixFrom(a, a.BitLen()))).IsEmpty()
		}) {
			return true
		}
	}
	return false
}
