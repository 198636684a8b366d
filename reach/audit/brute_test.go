package audit_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
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

// This file says once more what changes nothing, and asks for every flow. It takes
// its items from the API objects, and compiles what it compares.

// A world is the questions that tell clusters with the same pods, nodes and blocks
// apart.
type world struct {
	ends  []string // as Lookup takes them
	ports []policy.Port
}

// worldOf returns the questions for what c and edits of its policies can be asked.
func worldOf(t require.TestingT, c *policy.Cluster, p reach.Profile) world {
	g, err := p.Compile(c)
	require.NoError(t, err)
	var w world
	for _, e := range slices.Concat(g.Pods(), g.Nodes()) {
		w.ends = append(w.ends, e.String())
	}
	for _, e := range g.Pods() {
		if _, err := g.Lookup("replica:" + e.String()); err == nil {
			w.ends = append(w.ends, "replica:"+e.String())
		}
	}
	addrs := []string{"192.0.2.1", "2001:db8:ffff::1"}
	numbers := []uint16{1, 65535}
	blocks := func(peers []networkingv1.NetworkPolicyPeer) {
		for _, peer := range peers {
			if peer.IPBlock == nil {
				continue
			}
			for _, text := range append([]string{peer.IPBlock.CIDR}, peer.IPBlock.Except...) {
				set, err := cidr.Parse(text)
				require.NoError(t, err)
				for pre := range set.Prefixes() {
					for _, a := range []netip.Addr{pre.Addr(), pre.Addr().Prev(), lastOf(pre), lastOf(pre).Next()} {
						if a.IsValid() {
							addrs = append(addrs, a.String())
						}
					}
				}
			}
		}
	}
	ports := func(list []networkingv1.NetworkPolicyPort) {
		for _, port := range list {
			if port.Port != nil {
				n := port.Port.IntVal
				last := n
				if port.EndPort != nil {
					last = *port.EndPort
				}
				for _, x := range []int32{n - 1, n, last, last + 1} {
					numbers = append(numbers, uint16(x))
				}
			}
		}
	}
	for _, np := range c.Policies {
		for _, r := range np.Spec.Ingress {
			blocks(r.From)
			ports(r.Ports)
		}
		for _, r := range np.Spec.Egress {
			blocks(r.To)
			ports(r.Ports)
		}
	}
	m, err := c.Model()
	require.NoError(t, err)
	for _, n := range m.Nodes {
		for _, a := range n.Addrs {
			addrs = append(addrs, a.String())
		}
	}
	for _, pod := range m.Pods {
		for _, a := range pod.Addrs {
			addrs = append(addrs, a.String())
		}
		for _, cp := range pod.Ports {
			numbers = append(numbers, cp.Port.Number)
		}
	}
	slices.Sort(addrs)
	for _, a := range slices.Compact(addrs) {
		if _, err := g.Lookup(a); err == nil {
			w.ends = append(w.ends, a)
		}
	}
	slices.Sort(numbers)
	w.ports = []policy.Port{{Protocol: policy.ICMP}}
	for _, n := range slices.Compact(numbers) {
		for _, protocol := range []policy.Protocol{policy.TCP, policy.UDP, policy.SCTP} {
			if n != 0 {
				w.ports = append(w.ports, protocol.Port(n))
			}
		}
	}
	return w
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// answers returns all answers of a cluster to the questions of w, with only some
// directions of its policies if any are given.
func (w world) answers(t require.TestingT, c *policy.Cluster, p reach.Profile) string {
	g, err := p.Compile(c)
	require.NoError(t, err)
	ends := make([]reach.Endpoint, len(w.ends))
	for i, text := range w.ends {
		ends[i], err = g.Lookup(text)
		require.NoError(t, err)
	}
	var b strings.Builder
	for i, from := range ends {
		for j, to := range ends {
			if i == j {
				continue
			}
			for _, port := range w.ports {
				for _, fam := range [...]reach.Family{reach.IPv4, reach.IPv6} {
					bit := byte('0')
					if g.Allows(reach.Flow{From: from, To: to, Port: port, Family: fam}) {
						bit = '1'
					}
					b.WriteByte(bit)
				}
			}
		}
	}
	return b.String()
}

// A part is a part of a policy with its place in the tree of parts.
type part struct {
	kind, field string
	direction   policy.Direction
	without     *networkingv1.NetworkPolicy // nil for all of a policy
	with, none  *networkingv1.NetworkPolicy // of which the first matches what the part alone matches
	covered     bool                        // an exception that the others of its block hold
	parts       []part
}

// explicit returns a copy of a policy that lists its policyTypes.
func explicit(np *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	np = np.DeepCopy()
	if len(np.Spec.PolicyTypes) == 0 {
		np.Spec.PolicyTypes = []networkingv1.PolicyType{"Ingress"}
		if len(np.Spec.Egress) > 0 {
			np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, "Egress")
		}
	}
	return np
}

// toward returns a policy with one direction alone, or nil if it does not isolate for
// it.
func toward(np *networkingv1.NetworkPolicy, d policy.Direction) *networkingv1.NetworkPolicy {
	if np == nil {
		return nil
	}
	np = explicit(np)
	name := networkingv1.PolicyType("Ingress")
	if d == policy.Egress {
		name = "Egress"
	}
	if !slices.Contains(np.Spec.PolicyTypes, name) {
		return nil
	}
	np.Spec.PolicyTypes = []networkingv1.PolicyType{name}
	if d == policy.Ingress {
		np.Spec.Egress = nil
	} else {
		np.Spec.Ingress = nil
	}
	return np
}

// partsOf returns a policy as a tree of parts.
func partsOf(np *networkingv1.NetworkPolicy) part {
	np = explicit(np)
	all := part{kind: "policy"}
	for _, d := range [...]policy.Direction{policy.Ingress, policy.Egress} {
		half := toward(np, d)
		if half == nil {
			continue
		}
		n := len(half.Spec.Ingress) + len(half.Spec.Egress)
		for i := range n {
			all.parts = append(all.parts, ruleOf(np, d, i))
		}
	}
	return all
}

type (
	peers = []networkingv1.NetworkPolicyPeer
	ports = []networkingv1.NetworkPolicyPort
)

// change returns a copy of np of which the lists of one rule are changed. If lists is
// nil the rule is dropped.
func change(np *networkingv1.NetworkPolicy, d policy.Direction, i int, lists func(*peers, *ports)) *networkingv1.NetworkPolicy {
	np = np.DeepCopy()
	switch {
	case d == policy.Ingress && lists == nil:
		np.Spec.Ingress = slices.Delete(np.Spec.Ingress, i, i+1)
	case d == policy.Ingress:
		lists(&np.Spec.Ingress[i].From, &np.Spec.Ingress[i].Ports)
	case lists == nil:
		np.Spec.Egress = slices.Delete(np.Spec.Egress, i, i+1)
	default:
		lists(&np.Spec.Egress[i].To, &np.Spec.Egress[i].Ports)
	}
	return np
}

// lone returns the policy with one rule and without the other direction.
func lone(np *networkingv1.NetworkPolicy, d policy.Direction, i int, lists func(*peers, *ports)) *networkingv1.NetworkPolicy {
	np = toward(change(np, d, i, lists), d)
	if d == policy.Ingress {
		np.Spec.Ingress = np.Spec.Ingress[i : i+1]
	} else {
		np.Spec.Egress = np.Spec.Egress[i : i+1]
	}
	return np
}

func denying(np *networkingv1.NetworkPolicy, d policy.Direction) *networkingv1.NetworkPolicy {
	np = toward(np, d)
	np.Spec.Ingress, np.Spec.Egress = nil, nil
	return np
}

func ruleOf(np *networkingv1.NetworkPolicy, d policy.Direction, i int) part {
	at := fmt.Sprintf("spec.%v[%d]", d, i)
	rule := part{
		kind: "rule", field: at, direction: d, without: change(np, d, i, nil),
		with: lone(np, d, i, func(*peers, *ports) {}), none: denying(np, d),
	}
	var from peers
	var items ports
	change(np, d, i, func(f *peers, p *ports) { from, items = *f, *p })
	list := map[policy.Direction]string{policy.Ingress: "from", policy.Egress: "to"}[d]
	for j, p := range from {
		peer := part{
			kind: "peer", field: fmt.Sprintf("%s.%s[%d]", at, list, j), direction: d,
			without: change(np, d, i, func(f *peers, _ *ports) { *f = slices.Delete(*f, j, j+1) }),
			with:    lone(np, d, i, func(f *peers, _ *ports) { *f = (*f)[j : j+1] }), none: denying(np, d),
		}
		if p.IPBlock != nil {
			for k := range p.IPBlock.Except {
				block, err := cidr.Parse(p.IPBlock.CIDR, p.IPBlock.Except...)
				wider, err2 := cidr.Parse(p.IPBlock.CIDR, slices.Delete(slices.Clone(p.IPBlock.Except), k, k+1)...)
				drop := func(b *networkingv1.IPBlock) { b.Except = slices.Delete(b.Except, k, k+1) }
				peer.parts = append(peer.parts, part{
					kind: "except", covered: err == nil && err2 == nil && block.Equal(wider), field: fmt.Sprintf("%s.%s[%d].ipBlock.except[%d]", at, list, j, k), direction: d,
					without: change(np, d, i, func(f *peers, _ *ports) { drop((*f)[j].IPBlock) }),
					with: lone(np, d, i, func(f *peers, _ *ports) {
						*f = (*f)[j : j+1]
						drop((*f)[0].IPBlock)
					}),
					none: lone(np, d, i, func(f *peers, _ *ports) { *f = (*f)[j : j+1] }),
				})
			}
		}
		if len(from) > 1 {
			rule.parts = append(rule.parts, peer)
		} else {
			rule.parts = append(rule.parts, peer.parts...)
		}
	}
	for j := range items {
		if len(items) > 1 {
			rule.parts = append(rule.parts, part{
				kind: "port", field: fmt.Sprintf("%s.ports[%d]", at, j), direction: d,
				without: change(np, d, i, func(_ *peers, p *ports) { *p = slices.Delete(*p, j, j+1) }),
				with:    lone(np, d, i, func(_ *peers, p *ports) { *p = (*p)[j : j+1] }), none: denying(np, d),
			})
		}
	}
	return rule
}

// A brute finds what changes nothing by asking for every flow.
type brute struct {
	t       require.TestingT
	c       *policy.Cluster
	profile reach.Profile
	w       world
	before  string
	own     [2]string // by direction, with that alone

	decisive, idle int
	found          []string
}

func (b *brute) answers(policies []*networkingv1.NetworkPolicy) string {
	c := b.c.Clone()
	c.Policies = slices.DeleteFunc(policies, func(np *networkingv1.NetworkPolicy) bool { return np == nil })
	return b.w.answers(b.t, c, b.profile)
}

// replaced returns the policies of which the i'th is another one, perhaps none, and
// all are changed by form.
func (b *brute) replaced(i int, np *networkingv1.NetworkPolicy, form func(*networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	var list []*networkingv1.NetworkPolicy
	for j, other := range b.c.Policies {
		if j == i {
			other = np
		}
		if other != nil {
			list = append(list, form(other))
		}
	}
	return list
}

func same(np *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy { return np }

// visit tells of a part of the i'th policy, and of the parts within it if it is
// decisive.
func (b *brute) visit(i int, p part) {
	if b.answers(b.replaced(i, p.without, same)) != b.before {
		b.decisive++
		for _, q := range p.parts {
			b.visit(i, q)
		}
		return
	}
	b.idle++
	place := b.c.Place(b.c.Policies[i], p.field)
	b.found = append(b.found, fmt.Sprintf("%s %s: %s-%s", place.Object, p.field, p.kind, b.reason(i, p)))
}

func (b *brute) reason(i int, p part) string {
	own := false
	for _, d := range [...]policy.Direction{policy.Ingress, policy.Egress} {
		half := func(np *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy { return toward(np, d) }
		own = own || b.answers(b.replaced(i, p.without, half)) != b.own[d]
	}
	if p.kind == "policy" {
		if p, err := policy.New(b.c.Policies[i]); b.selectsNone(p, err) {
			return "unmatched"
		}
	} else if p.covered {
		return "shadowed"
	} else if b.answers([]*networkingv1.NetworkPolicy{p.with}) == b.answers([]*networkingv1.NetworkPolicy{p.none}) {
		return "unmatched"
	}
	switch {
	case own:
		return "blocked"
	case p.kind == "except":
		return "defeated"
	}
	return "shadowed"
}

func (b *brute) selectsNone(p *policy.Policy, err error) bool {
	require.NoError(b.t, err)
	m, err := b.c.Model()
	require.NoError(b.t, err)
	return !slices.ContainsFunc(m.Pods, func(pod policy.Pod) bool {
		return pod.Name.Namespace == p.Name.Namespace && p.Pods.Matches(pod.Labels) && !pod.Terminated &&
			(!pod.HostNetwork || b.profile.HostNetworkAsPods)
	})
}

// An item is reported exactly if all flows are answered the same without it, and no
// item around it is reported; with the reason that other clusters show.
func TestPropertyNoEffect(t *testing.T) {
	if raceDetector {
		t.Skip("it shares nothing between goroutines")
	}
	decisive, idle := 0, 0
	reasons := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 4, MaxPods: 5}
		c := gen.Clusters().Draw(t, "cluster")
		c.Policies = slices.DeleteFunc(c.Policies, func(np *networkingv1.NetworkPolicy) bool { return np == nil })
		profile := gen.Profiles().Draw(t, "profile")
		profile.NotEnforced = false
		g, err := profile.Compile(c)
		require.NoError(t, err)

		b := brute{t: t, c: c, profile: profile, w: worldOf(t, c, profile)}
		b.before = b.answers(b.replaced(-1, nil, same))
		for _, d := range [...]policy.Direction{policy.Ingress, policy.Egress} {
			b.own[d] = b.answers(b.replaced(-1, nil, func(np *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy { return toward(np, d) }))
		}
		for i, np := range c.Policies {
			b.visit(i, partsOf(np))
		}
		var ids []string
		for _, c := range audit.Checks() {
			if slices.Contains([]string{"policy", "rule", "peer", "port", "except"}, strings.Split(c.ID, "-")[0]) {
				ids = append(ids, c.ID)
			}
		}
		findings, err := audit.Run(g, ids...)
		require.NoError(t, err)
		var found []string
		for _, f := range findings {
			kind, reason, _ := strings.Cut(f.Check, "-")
			field := f.Place.Field
			switch {
			case kind == "policy":
				field = ""
				reason = strings.ReplaceAll(reason, "standby", "shadowed")
				reason = strings.ReplaceAll(reason, "impossible", "unmatched")
			default:
				reason = strings.ReplaceAll(reason, "impossible", "unmatched")
			}
			if flow := f.Proof.Flow; flow != (reach.Flow{}) && flow.From == flow.To {
				reason = "unmatched" // but by the pod itself
			}
			found = append(found, fmt.Sprintf("%s %s: %s-%s", f.Place.Object, field, kind, reason))
			reasons[f.Check]++
			assert.NotEmpty(t, f.Proof.String(), "%v", f)
		}
		if !assert.ElementsMatch(t, b.found, found) {
			t.FailNow()
		}
		decisive += b.decisive
		idle += b.idle
	})
	t.Log(decisive, idle, reasons)
}
