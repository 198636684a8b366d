package audit

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// findBlocks reports blocks that hold addresses of pods, or are for those of Services.
func (t *trapper) findBlocks() {
	var pods, services []netip.Prefix
	for _, a := range t.held.addrs {
		pods = append(pods, netip.PrefixFrom(a.addr, a.addr.BitLen()))
	}
	names := make(map[netip.Addr]string)
	for _, svc := range t.s.model.Services {
		for _, a := range svc.ClusterIPs {
			services = append(services, netip.PrefixFrom(a, a.BitLen()))
			if names[a] == "" {
				names[a] = "svc:" + svc.Name.String()
			}
		}
	}
	found := blockFacts{t, cidr.Of(pods...), cidr.Of(services...), names, make(map[string]blockText)}
	t.rules(func(rule item) {
		for i, peer := range rule.normal().Peers {
			block, ok := peer.(policy.Block)
			if !ok {
				continue
			}
			text := found.about(block, rule.spec().peers[i].IPBlock.CIDR)
			if text.check == "" || text.check == "block-holds-services" && rule.direction == policy.Egress && t.s.profile.ServiceAddressPoliced {
				continue
			}
			f := t.s.about(rule.of.object, rule.part(peerItem, i).field()+".ipBlock")
			f.Check = text.check
			f.Message, f.Proof.Text, f.Suggestion = text.message, text.proof, text.suggestion
			t.report(f)
		}
	})
}

// blockFacts tell what blocks hold.
type blockFacts struct {
	t              *trapper
	pods, services cidr.Set // addresses that are known
	serviceAt      map[netip.Addr]string
	known          map[string]blockText
}

// A blockText is what there is to say of a block: nothing if it has no check.
type blockText struct{ check, message, proof, suggestion string }

func (b *blockFacts) about(block policy.Block, text string) blockText {
	key := text + blockKey(block)
	said, ok := b.known[key]
	if !ok {
		said = b.find(block, text)
		b.known[key] = said
	}
	return said
}

func (b *blockFacts) find(block policy.Block, text string) blockText {
	m := b.t.s.model
	if pods := block.Addrs.Intersect(b.pods); !pods.IsEmpty() {
		said := blockText{
			check: "block-holds-pods", message: "the block holds addresses of pods",
			proof:      fmt.Sprintf("it holds %s: those of %s", countAddrs(pods), whom(b.t.held.at(policy.Block{Addrs: pods}))),
			suggestion: "except the addresses of pods, and pick pods by labels: their addresses change",
		}
		if b.t.s.profile.IPBlockSkipsPods {
			said.message = "the block holds addresses of pods, and the plugin matches pods by no block"
		}
		return said
	}
	if pods := block.Addrs.Intersect(m.PodCIDRs); !pods.IsEmpty() {
		return blockText{
			"block-holds-pods", "the block holds addresses that pods get", fmt.Sprintf("nodes give %v to pods", pods),
			"except the addresses of pods, and pick pods by labels: their addresses change",
		}
	}
	prefix, err := cidr.ParsePrefix(text)
	if err != nil || prefix.Bits() == 0 {
		return blockText{} // it is for the world, and not for Services
	}
	said := blockText{check: "block-holds-services", suggestion: "pick the pods behind the Services by labels"}
	said.message = "the block holds addresses of Services, which policies do not see: they see the pods behind a Service"
	if services := block.Addrs.Intersect(b.services); !services.IsEmpty() {
		said.proof = fmt.Sprintf("it holds %s of Services, such as %v of %s", countAddrs(services), services.First(), b.serviceAt[services.First()])
		return said
	}
	if services := block.Addrs.Intersect(m.ServiceCIDRs); !services.IsEmpty() {
		said.proof = fmt.Sprintf("Services get %v", services)
		return said
	}
	return blockText{}
}

// countAddrs tells how many of the addresses there are.
func countAddrs(set cidr.Set) string {
	if n := set.Size(); n.IsInt64() && n.Int64() == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%v addresses", set.Size())
}

// findClosedFamilies reports blocks for all addresses of one family, if pods have
// addresses of both and nothing opens the same ports over the other.
func (t *trapper) findClosedFamilies() {
	outside := t.s.g.Outside()
	t.rules(func(rule item) {
		for i := range rule.spec().peers {
			family, ok := wholeFamily(rule, i)
			if !ok {
				continue
			}
			other := 1 - family
			closed := false
			for j, peer := range rule.normal().Peers {
				f, whole := wholeFamily(rule, j)
				_, anyone := peer.(policy.Anyone)
				closed = closed || anyone || whole && f == other
			}
			if !closed {
				t.findClosed(rule.part(peerItem, i), family, outside)
			}
			return
		}
	})
}

// wholeFamily returns the family of which the i'th peer of a rule is for all
// addresses, but for exceptions. It reports false if it is for others.
func wholeFamily(rule item, i int) (family int, ok bool) {
	block := rule.spec().peers[i].IPBlock
	if block == nil {
		return 0, false
	}
	prefix, err := cidr.ParsePrefix(block.CIDR)
	return familyIndex(prefix.Addr()), err == nil && prefix.Bits() == 0
}

// findClosed reports a block if some pod of its policy has both families, and there
// are ports of the rule that are open to an address of the block and to no address of
// the other family.
func (t *trapper) findClosed(it item, family int, outside []reach.Endpoint) {
	block := it.normal().Peers[it.peer].(policy.Block)
	dual := slices.DeleteFunc(slices.Clone(it.of.pods), func(pod *subjectPod) bool { return len(pod.Addrs) < 2 })
	var pods []*subjectPod
	var proof Proof
	for _, group := range t.s.alike(dual, nil) {
		pod := group[0]
		ports := t.s.ruled(t.s.portsAt(it.normal().Ports, pod))
		var open, over policy.PortSet
		var closed reach.Endpoint
		for _, e := range outside {
			from, to := e, pod.end
			if it.direction == policy.Egress {
				from, to = to, from
			}
			a := e.Addrs().First()
			switch {
			case familyIndex(a) != family:
				over = union(over, t.s.g.Ports(from, to))
				if closed == (reach.Endpoint{}) {
					closed = e
				}
			case open.IsEmpty() && block.Addrs.Contains(a):
				open = t.s.g.Ports(from, to).Intersect(ports)
			}
		}
		if open = open.Minus(over); open.IsEmpty() || closed == (reach.Endpoint{}) {
			continue
		}
		if len(pods) == 0 {
			flow := reach.Flow{From: closed, To: pod.end, Port: onePort(open, pod.declared...)}
			if it.direction == policy.Egress {
				flow = reach.Flow{From: pod.end, To: closed, Port: onePort(open, likelyPorts...)}
			}
			proof = Proof{flow, fmt.Sprintf("denied, as is every other %v address, and over %v the port is open", familyOrder[1-family], familyOrder[family])}
		}
		pods = append(pods, group...)
	}
	if len(pods) == 0 {
		return
	}
	f := t.s.about(it.of.object, it.field()+".ipBlock")
	f.Check = "family-left-closed"
	f.Message = fmt.Sprintf("the block is for %v only, and leaves %v closed to %s, which %s both", familyOrder[family], familyOrder[1-family], whom(pods), hasOrHave(len(pods)))
	f.Proof = proof
	f.Suggestion = fmt.Sprintf("add a block for %v, such as %v", familyOrder[1-family], everyAddress[1-family])
	t.report(f)
}

func hasOrHave(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}
