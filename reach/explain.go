package reach

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
)

// This file derives the answers a second time, from the normal form of the
// policies and in the order of the API text. It shares no table with Allows,
// so that tests can hold the two equal.

// Explain is like Allows but also tells why.
// For every f, g.Explain(f).Allowed equals g.Allows(f).
//
// Its cost grows with the number of policies in the namespaces of both ends,
// which it judges about ten times: once for each choice of the Profile.
//
// Explain panics where Allows does.
func (g *Graph) Explain(f Flow) Verdict {
	if f.From.g != g || f.To.g != g || !f.Port.Valid() {
		panic(f.fault(g))
	}
	v := g.judge(question{profile: g.profile, reasons: true}, f)
	if g.profile.NotEnforced {
		return v
	}
	for _, alt := range g.profile.alternatives() {
		if !slices.Contains(v.DependsOn, alt.field) && g.judge(question{profile: alt.profile}, f).Allowed != v.Allowed {
			v.DependsOn = append(v.DependsOn, alt.field)
		}
	}
	return v
}

// An alternative is a Profile that makes one choice differently.
type alternative struct {
	field   string
	profile Profile
}

// alternatives returns the Profiles that make one choice differently than p.
// NotEnforced is none of the choices: that without enforcement all is allowed is
// no news.
func (p Profile) alternatives() []alternative {
	var list []alternative
	change := func(field string, set func(*Profile)) {
		alt := p
		if set(&alt); alt != p {
			list = append(list, alternative{field, alt})
		}
	}
	change("IPBlockSkipsPods", func(p *Profile) { p.IPBlockSkipsPods = !p.IPBlockSkipsPods })
	change("IPBlockSkipsNodes", func(p *Profile) { p.IPBlockSkipsNodes = !p.IPBlockSkipsNodes })
	change("HostNetworkAsPods", func(p *Profile) { p.HostNetworkAsPods = !p.HostNetworkAsPods })
	change("EgressToOwnNodeAllowed", func(p *Profile) { p.EgressToOwnNodeAllowed = !p.EgressToOwnNodeAllowed })
	change("EndPortIgnored", func(p *Profile) { p.EndPortIgnored = !p.EndPortIgnored })
	for _, s := range [...]SCTPHandling{SCTPEnforced, SCTPDropped, SCTPBypasses} {
		change("SCTP", func(p *Profile) { p.SCTP = s })
	}
	for _, n := range [...]NamedPortSource{NamedPortsOfSidecars, NamedPortsOfContainers, NamedPortsOfAllContainers} {
		change("NamedPorts", func(p *Profile) { p.NamedPorts = n })
	}
	change("NamedPortFirst", func(p *Profile) { p.NamedPortFirst = !p.NamedPortFirst })
	return list
}

// An actor is an end of a flow as a Profile sees it.
type actor struct {
	pod   *policy.Pod // nil for nodes and outside
	node  bool        // a node, or a pod that counts as one
	addrs []netip.Addr
	class cidr.Set // of an endpoint outside, all addresses that it stands for
	host  int32
	fixed bool // the host is a node of the input
	alien bool // nothing is known of it
	at    bool // it is asked about at one of its addresses
}

// policed reports whether policies can select the actor.
func (a *actor) policed() bool { return a.pod != nil && !a.node }

// has reports whether the actor can use a family. One without known addresses
// may have any.
func (a *actor) has(fam Family) bool {
	return len(a.addrs) == 0 ||
		slices.ContainsFunc(a.addrs, func(addr netip.Addr) bool { return familyOf(addr) == fam })
}

func (g *Graph) actor(p Profile, id int32) actor {
	host := g.ends[id].host
	a := actor{pod: g.pod(id), host: host, fixed: int(host) < len(g.nodes)}
	switch kind, i := g.kind(id); kind {
	case podEnd, replicaEnd, staffedEnd:
		a.addrs = a.pod.Addrs
		a.node = p.isNode(a.pod)
	case nodeEnd:
		a.addrs = g.nodes[i].Addrs
		a.node = true
	case ownNodeEnd:
		a.node = true
	case unknownEnd:
		a.node, a.alien = i == 0, true
	case atEnd:
		a.at = true
		a.addrs = []netip.Addr{g.at[i].addr}
		a.node = a.pod == nil || p.isNode(a.pod)
	case outsideEnd:
		a.class = g.outside()[i]
		a.addrs = g.samples()[i : i+1]
	}
	return a
}

// A question is what both sides of a flow judge, over one family.
type question struct {
	profile  Profile
	reasons  bool // wanted, and not only whether the flow is allowed
	from, to actor
	port     policy.Port
	family   Family
}

// judge answers f as a plugin with the profile of q would. It fills in the rest
// of q.
func (g *Graph) judge(q question, f Flow) Verdict {
	v := Verdict{Flow: f, Reason: NoCommonFamily}
	q.from, q.to, q.port = g.actor(q.profile, f.From.id), g.actor(q.profile, f.To.id), f.Port
	for _, a := range [...]*actor{&q.from, &q.to} {
		if a.pod != nil && a.pod.Terminated {
			v.Reason, v.Notes = Terminated, nil
			return v
		}
		if a.pod != nil && a.pod.Pending && len(a.addrs) == 0 {
			v.add(NoAddress)
		}
	}
	for _, fam := range f.Family.each() {
		if !q.to.has(fam) || !q.from.has(fam) && !(q.from.node && !q.from.at && q.from.host == q.to.host) {
			continue // a node reaches its pods over any family that they have
		}
		q.family = fam
		one := Verdict{Reason: Policies}
		switch {
		case q.profile.NotEnforced:
			one.Reason = NotEnforced
		case q.from.pod != nil && g.owner(f.From.id) == g.owner(f.To.id):
			one.Reason = Self
		case !q.from.policed() && !q.to.policed():
			one.Reason = NotSubject
		default:
			one.Egress = g.side(&q, policy.Egress)
			one.Ingress = g.side(&q, policy.Ingress)
			if one.Egress.OwnNode || one.Ingress.OwnNode {
				one.Reason = OwnNode
			}
		}
		one.Allowed = one.Egress.Passes() && one.Ingress.Passes()
		answer := Denied
		if one.Allowed {
			answer = Allowed
		}
		if fam == IPv4 {
			v.IPv4 = answer
		} else {
			v.IPv6 = answer
		}
		if v.Reason == NoCommonFamily || one.Allowed && !v.Allowed {
			v.Allowed, v.Reason, v.Egress, v.Ingress = one.Allowed, one.Reason, one.Egress, one.Ingress
		}
	}
	g.note(&v, &q)
	return v
}

// note adds what the input lacks or the API leaves open.
func (g *Graph) note(v *Verdict, q *question) {
	if v.Reason != Policies {
		return
	}
	for _, a := range [...]*actor{&q.from, &q.to} {
		if a.policed() && len(a.pod.Generated) > 0 {
			v.add(GeneratedLabel)
		}
	}
	for _, s := range [...]*Side{&v.Egress, &v.Ingress} {
		if !q.port.Protocol.HasPorts() && len(s.Isolating) > 0 {
			v.add(OtherProtocol)
		}
		for _, m := range s.NearMisses {
			if slices.ContainsFunc(m.Peers, func(p PeerMiss) bool { return p.Why == UnknownAddress }) {
				v.add(NoAddress)
			}
		}
	}
	unsure := func(s *Side, pod, node *actor) bool {
		return !s.Passes() && node.node && !node.alien && !(pod.fixed && node.fixed)
	}
	if unsure(&v.Ingress, &q.to, &q.from) || q.profile.EgressToOwnNodeAllowed && unsure(&v.Egress, &q.from, &q.to) {
		v.add(UnknownNode)
	}
}

// side judges a flow by the policies of one end.
func (g *Graph) side(q *question, d policy.Direction) Side {
	self, other := &q.from, &q.to
	if d == policy.Ingress {
		self, other = other, self
	}
	if !self.policed() {
		return Side{}
	}
	s := Side{
		OwnNode: other.node && other.host == self.host &&
			(d == policy.Ingress || q.profile.EgressToOwnNodeAllowed),
		Bypassed: q.profile.SCTP == SCTPBypasses && q.port.Protocol == policy.SCTP,
	}
	for _, p := range g.policiesIn(self.pod.Name.Namespace) {
		h := p.Half(d)
		if !h.Isolates || !p.Pods.Matches(self.pod.Labels) {
			continue
		}
		ref := PolicyRef{Name: p.Name}
		if q.reasons {
			ref.Place = p.Place("")
		}
		s.Isolating = append(s.Isolating, ref)
		for i := range h.Rules {
			match, miss := g.matchRule(q, &h.Rules[i], other)
			if !q.reasons {
				if match != nil {
					s.Allowing = append(s.Allowing, *match)
					return s // one is enough
				}
				continue
			}
			switch ref := (RuleRef{Policy: p.Name, Direction: d, Index: i}); {
			case match != nil:
				match.Rule = ref.at(p)
				s.Allowing = append(s.Allowing, *match)
			case miss != nil:
				miss.Rule = ref.at(p)
				s.NearMisses = append(s.NearMisses, *miss)
			}
		}
	}
	if s.Passes() {
		s.NearMisses = nil
	}
	return s
}

// at returns r with the place where p has it.
func (r RuleRef) at(p *policy.Policy) RuleRef {
	r.Place = p.Place(fmt.Sprintf("spec.%s[%d]", r.Direction, r.Index))
	return r
}

// matchRule matches a rule against a flow whose other end is peer. It returns
// a Match, or a Miss if it is a near one, or neither.
func (g *Graph) matchRule(q *question, r *policy.Rule, peer *actor) (*Match, *Miss) {
	var match Match
	var miss Miss
	peerOK, portOK := false, false
	for i, p := range r.Peers {
		if p == (policy.Anyone{}) {
			peerOK = true
		} else if why := g.missesPeer(q, p, peer); why == "" {
			peerOK = true
			match.Peers = append(match.Peers, i)
		} else {
			miss.Peers = append(miss.Peers, PeerMiss{i, p, why})
		}
	}
	for i, it := range r.Ports {
		why := missesPort(q, it)
		if why == "" && q.profile.SCTP == SCTPDropped && q.port.Protocol == policy.SCTP {
			why = SCTPNotHandled
		}
		switch {
		case why != "":
			miss.Ports = append(miss.Ports, PortMiss{i, it, why})
		case it == policy.PortItem{}:
			portOK = true
		default:
			portOK = true
			match.Ports = append(match.Ports, i)
		}
	}
	switch {
	case peerOK && portOK:
		return &match, nil
	case peerOK:
		return nil, &Miss{Ports: miss.Ports}
	case portOK:
		return nil, &Miss{Peers: miss.Peers}
	}
	return nil, nil
}

// missesPeer tells why a peer does not match an actor; empty if it does.
func (g *Graph) missesPeer(q *question, p policy.Peer, a *actor) Why {
	switch p := p.(type) {
	case policy.Block:
		return missesBlock(q, p, a)
	case policy.Pods:
		if !a.policed() {
			return NotAPod
		}
		inNamespace := p.Namespace == a.pod.Name.Namespace
		if p.Namespace == "" {
			inNamespace = p.Namespaces.Matches(g.namespace(a.pod.Name.Namespace).Labels)
		}
		switch labels := p.Pods.Matches(a.pod.Labels); {
		case inNamespace && labels:
			return ""
		case inNamespace:
			return WrongLabels
		case labels:
			return WrongNamespace
		}
		return WrongBoth
	}
	panic(fmt.Sprintf("reach: unknown kind of peer %T", p))
}

func missesBlock(q *question, b policy.Block, a *actor) Why {
	switch {
	case a.node && q.profile.IPBlockSkipsNodes, a.policed() && q.profile.IPBlockSkipsPods:
		return HiddenAddress
	case len(a.addrs) == 0:
		return UnknownAddress
	}
	for _, addr := range a.addrs {
		if familyOf(addr) == q.family && b.Addrs.Contains(addr) {
			return ""
		}
	}
	if !b.Addrs.Intersect(a.class).IsEmpty() {
		return "" // another block of the same rule holds the rest
	}
	return WrongAddress
}

// missesPort tells why a port item does not match; empty if it does.
func missesPort(q *question, it policy.PortItem) Why {
	switch {
	case it.Protocol == 0: // the omitted list
		return ""
	case it.Protocol != q.port.Protocol:
		return WrongProtocol
	case it.Name != "":
		return missesName(q, it)
	case it.First == 0:
		return ""
	}
	last := it.Last
	if q.profile.EndPortIgnored {
		last = it.First
	}
	if q.port.Number < it.First || q.port.Number > last {
		return WrongNumber
	}
	return ""
}

func missesName(q *question, it policy.PortItem) Why {
	if !q.to.policed() {
		return NameNotAPod
	}
	numbers := q.profile.resolve(nil, q.to.pod, it)
	switch {
	case len(numbers) == 0:
		return NameNotThere
	case !slices.Contains(numbers, q.port.Number):
		return NameElsewhere
	}
	return ""
}
