package audit

import (
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"k8s.io/apimachinery/pkg/types"
)

// plugins finds the flows that network plugins answer differently.
var plugins = analysis{
	group: "plugins",
	checks: []Check{
		{"plugin-block-pods", Note, "an answer depends on whether the blocks of the plugin match addresses of pods"},
		{"plugin-block-nodes", Note, "an answer depends on whether the blocks of the plugin match addresses of nodes"},
		{"plugin-host-network", Note, "an answer depends on whether pods on the host network are pods for the plugin"},
		{"plugin-own-node", Note, "an answer depends on whether the plugin lets a pod connect to its own node in any case"},
		{"plugin-end-port", Warning, "an answer depends on whether the plugin handles endPort"},
		{"plugin-sctp", Warning, "an answer depends on how the plugin handles SCTP"},
		{"plugin-port-names", Note, "an answer depends on which containers give meaning to port names for the plugin"},
		{"plugin-repeated-port-name", Note, "an answer depends on what the plugin makes of a port name that several containers declare"},
		{"plugin-together", Note, "an answer depends on several choices of a ready-made Profile together"},
	},
	find: func(s *subject, report func(Finding)) error {
		var zero reach.Profile
		base := s.g
		if s.profile != zero {
			var err error
			if base, err = zero.Compile(s.cluster); err != nil {
				return err
			}
		}
		v := variation{newExplainer(s, base), base, make(map[string]*reach.Graph), report}
		for _, c := range choices {
			if c.matters(s) {
				if err := v.tryChoice(c); err != nil {
					return err
				}
			}
		}
		for _, r := range readyMade {
			if err := v.tryTogether(r.name, r.Profile); err != nil {
				return err
			}
		}
		return nil
	},
}

// A choice is one that a Profile makes otherwise than the zero Profile.
type choice struct {
	check      string
	name       string
	set        func(*reach.Profile)
	matters    func(*subject) bool // it cannot turn an answer unless this is true
	suggestion string
}

// choices are those that have a bearing on flows. That without enforcement all is
// allowed is no news.
var choices = [...]choice{
	{
		"plugin-block-pods", "IPBlockSkipsPods", func(p *reach.Profile) { p.IPBlockSkipsPods = true },
		(*subject).hasBlock, "name pods by their labels, and keep their addresses out of blocks",
	},
	{
		"plugin-block-nodes", "IPBlockSkipsNodes", func(p *reach.Profile) { p.IPBlockSkipsNodes = true },
		(*subject).hasBlock, "count on no block to allow nodes or to keep them out",
	},
	{
		"plugin-host-network", "HostNetworkAsPods", func(p *reach.Profile) { p.HostNetworkAsPods = true },
		func(s *subject) bool {
			return slices.ContainsFunc(s.pods, func(pod *subjectPod) bool { return pod.HostNetwork })
		},
		"count on no policy for pods on the host network",
	},
	{
		"plugin-own-node", "EgressToOwnNodeAllowed", func(p *reach.Profile) { p.EgressToOwnNodeAllowed = true },
		func(s *subject) bool {
			return slices.ContainsFunc(s.policies, func(p *subjectPolicy) bool { return p.Egress.Isolates })
		},
		"count on no policy between a pod and its own node",
	},
	{
		"plugin-end-port", "EndPortIgnored", func(p *reach.Profile) { p.EndPortIgnored = true },
		func(s *subject) bool {
			return s.hasPort(func(it policy.PortItem) bool { return it.First < it.Last })
		},
		"list the ports one by one for a plugin that does not handle endPort",
	},
	{
		"plugin-sctp", "SCTPDropped", func(p *reach.Profile) { p.SCTP = reach.SCTPDropped },
		(*subject).namesSCTP, "use another protocol under a plugin that drops SCTP",
	},
	{
		"plugin-sctp", "SCTPBypasses", func(p *reach.Profile) { p.SCTP = reach.SCTPBypasses },
		(*subject).namesSCTP, "count on no policy for SCTP under a plugin that does not filter it",
	},
	{
		"plugin-port-names", "NamedPortsOfContainers", func(p *reach.Profile) { p.NamedPorts = reach.NamedPortsOfContainers },
		(*subject).namesPort, "use the number of the port",
	},
	{
		"plugin-port-names", "NamedPortsOfAllContainers", func(p *reach.Profile) { p.NamedPorts = reach.NamedPortsOfAllContainers },
		(*subject).namesPort, "use the number of the port",
	},
	{
		"plugin-repeated-port-name", "NamedPortFirst", func(p *reach.Profile) { p.NamedPortFirst = true },
		(*subject).namesPort, "use the number of the port",
	},
}

// hasBlock reports whether some policy has a block.
func (s *subject) hasBlock() bool {
	return s.hasRule(func(r *policy.Rule) bool {
		return slices.ContainsFunc(r.Peers, func(p policy.Peer) bool {
			_, ok := p.(policy.Block)
			return ok
		})
	})
}

// namesPort reports whether some policy names a port.
func (s *subject) namesPort() bool {
	return s.hasPort(func(it policy.PortItem) bool { return it.Name != "" })
}

// namesSCTP reports whether a policy, a container or a Service names SCTP. If none
// does, nobody asks what becomes of it.
func (s *subject) namesSCTP() bool {
	return s.hasPort(func(it policy.PortItem) bool { return it.Protocol == policy.SCTP }) ||
		slices.ContainsFunc(s.pods, func(pod *subjectPod) bool {
			return slices.ContainsFunc(pod.declared, func(p policy.Port) bool { return p.Protocol == policy.SCTP })
		}) ||
		slices.ContainsFunc(s.model.Services, func(svc *policy.Service) bool {
			return slices.ContainsFunc(svc.Ports, func(p policy.ServicePort) bool { return p.Port.Protocol == policy.SCTP })
		})
}

// hasPort reports whether some policy has such a port item.
func (s *subject) hasPort(is func(policy.PortItem) bool) bool {
	return s.hasRule(func(r *policy.Rule) bool { return slices.ContainsFunc(r.Ports, is) })
}

// hasRule reports whether some policy has such a rule.
func (s *subject) hasRule(is func(*policy.Rule) bool) bool {
	for _, p := range s.policies {
		for _, d := range directions {
			for i := range p.Half(d).Rules {
				if is(&p.Half(d).Rules[i]) {
					return true
				}
			}
		}
	}
	return false
}

// profile returns the Profile that makes this choice alone.
func (c choice) profile() (p reach.Profile) {
	c.set(&p)
	return p
}

// isOf reports whether a Profile makes the choice.
func (c choice) isOf(p reach.Profile) bool {
	q := p
	c.set(&q)
	return p == q
}

// words returns what messages call the choice: its name, and whose it is.
func (c choice) words() string {
	var names []string
	for _, r := range readyMade {
		if c.isOf(r.Profile) {
			names = append(names, r.name)
		}
	}
	if len(names) == 0 {
		return c.name
	}
	return fmt.Sprintf("%s (%s)", c.name, list(names))
}

// readyMade are the ready-made Profiles of plugins that enforce policies.
var readyMade = [...]struct {
	name string
	reach.Profile
}{{"Antrea", reach.Antrea()}, {"Calico", reach.Calico()}, {"Cilium", reach.Cilium()}, {"KubeNetworkPolicies", reach.KubeNetworkPolicies()}}

// A variation compares answers under other Profiles with those under the zero one.
type variation struct {
	*explainer
	base   *reach.Graph
	graphs map[string]*reach.Graph // by the name of a choice
	report func(Finding)
}

// graph returns the Graph with one choice made otherwise.
func (v *variation) graph(c choice) (*reach.Graph, error) {
	if g := v.graphs[c.name]; g != nil {
		return g, nil
	}
	g, err := c.profile().Compile(v.s.cluster)
	v.graphs[c.name] = g
	return g, err
}

// tryChoice reports what one choice changes.
func (v *variation) tryChoice(c choice) error {
	other, err := v.graph(c)
	if err != nil {
		return err
	}
	v.compare(other, c.check, c.words(), c.suggestion, nil)
	return nil
}

// tryTogether reports what a ready-made Profile changes and none of its choices alone.
func (v *variation) tryTogether(name string, p reach.Profile) error {
	var of []choice
	matter := 0
	for _, c := range choices {
		if c.isOf(p) {
			of = append(of, c)
			if c.matters(v.s) {
				matter++
			}
		}
	}
	if matter < 2 {
		return nil
	}
	var alone []*reach.Graph
	for _, c := range of {
		g, err := v.graph(c)
		if err != nil {
			return err
		}
		alone = append(alone, g)
	}
	other, err := p.Compile(v.s.cluster)
	if err != nil {
		return err
	}
	v.compare(other, "plugin-together", "the Profile of "+name, "find out which plugin there is before you count on the answer", alone)
	return nil
}

// compare reports what another Graph of the cluster answers otherwise than the base: a
// finding for each rule or policy that opens flows, and for each that closes some, with
// the first of its changes. It passes over changes that one of alone makes as well.
func (v *variation) compare(other *reach.Graph, check, profile, suggestion string, alone []*reach.Graph) {
	type key struct {
		place  policy.Place
		opened bool
	}
	index := make(map[key]int)
	var found []Finding
	var more []int // by finding, how many other changes are like the first one
	diff := reach.Compare(v.base, other)
	for _, c := range slices.Concat(diff.Closed, diff.Opened) {
		sp := spell(c)
		made := slices.ContainsFunc(alone, func(g *reach.Graph) bool {
			f, ok := sp.in(g)
			return ok && g.Allows(f) == c.Opened
		})
		before, ok := sp.in(v.base)
		after, ok2 := sp.in(other)
		if made || !ok || !ok2 { // not ok: of an address that several pods have
			continue
		}
		f := v.culprit(v.base.Explain(before), other.Explain(after))
		k := key{f.Place, c.Opened}
		if i, ok := index[k]; ok {
			more[i]++
			continue
		}
		index[k] = len(found)
		is, was := "denied", "allowed"
		if c.Opened {
			is, was = was, is
		}
		f.Check, f.Suggestion = check, suggestion
		f.Message = fmt.Sprintf("plugins differ: with %s, flows are %s that otherwise are %s", profile, is, was)
		f.Proof.Flow, _ = sp.in(v.s.g)
		f.Proof.Text = fmt.Sprintf("%s, and %s with %s", was, is, profile)
		found, more = append(found, f), append(more, 0)
	}
	for i, f := range found {
		if more[i] > 0 {
			f.Proof.Text += fmt.Sprintf("; likewise %s of flows", count(more[i], "other group"))
		}
		v.report(f)
	}
}

// culprit returns a Finding about what decides a flow otherwise in one of two
// verdicts: the item of a rule, a policy that isolates, or a pod.
func (v *variation) culprit(x, y reach.Verdict) Finding {
	if !x.Allowed {
		x, y = y, x
	}
	for _, d := range directions {
		allows, denies := sideOf(&x, d), sideOf(&y, d)
		if denies.Passes() {
			continue
		}
		if len(allows.Allowing) > 0 {
			return v.aboutItem(allows.Allowing[0], denies.NearMisses)
		}
		return v.aboutPolicy(denies.Isolating[0].Name, denies.Isolating[0].Place, "")
	}
	// A pod on the host network has no path to what its node reaches over any family.
	for _, pod := range v.s.pods {
		if pod.HostNetwork && (pod.Name == x.Flow.From.Name() || pod.Name == x.Flow.To.Name()) {
			return v.s.aboutNamed(pod.Kind, pod.Name)
		}
	}
	panic("audit: cannot happen: a flow that both ends let pass, and denied")
}

// aboutItem returns a Finding about the item of a rule that matches a flow for one
// plugin and misses it for another.
func (v *variation) aboutItem(m reach.Match, misses []reach.Miss) Finding {
	field := fmt.Sprintf("spec.%v[%d]", m.Rule.Direction, m.Rule.Index)
	for _, miss := range misses {
		switch {
		case miss.Rule.Policy != m.Rule.Policy || miss.Rule.Index != m.Rule.Index:
		case len(miss.Peers) > 0 && len(m.Peers) > 0:
			field += fmt.Sprintf(".%s[%d]", peersField(m.Rule.Direction), m.Peers[0])
		case len(miss.Ports) > 0 && len(m.Ports) > 0:
			field += fmt.Sprintf(".ports[%d]", m.Ports[0])
		}
	}
	return v.aboutPolicy(m.Rule.Policy, m.Rule.Place, field)
}

// aboutPolicy returns a Finding about a field of a policy, or if its name is still to
// be generated, at the place that is given.
func (v *variation) aboutPolicy(name types.NamespacedName, place policy.Place, field string) Finding {
	if p := v.byKey[name]; p != nil {
		return v.s.about(p.object, field)
	}
	return Finding{Kind: "NetworkPolicy", Name: name, Place: place}
}
