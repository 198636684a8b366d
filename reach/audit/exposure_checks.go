package audit

import (
	"strconv"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// exposure finds what is open to more than it is likely meant for, though something
// isolates it, and pods that cannot resolve names.
var exposure = analysis{
	group: "exposure",
	checks: []Check{
		{"service-exposed", Note, "clients outside the cluster reach pods through a Service: a load balancer, a node port or an external IP"},
		{"address-exposed", Note, "an ingress rule lets addresses outside the cluster connect to its pods directly"},
		{"source-ranges-bypassed", Warning, "addresses that the loadBalancerSourceRanges of a Service keep out reach its pods all the same, directly or at another door of it"},
		{"admin-port-exposed", Warning, "a port for administration, or of a data store, is reachable from outside the cluster"},
		{"undeclared-port-open", Note, "an ingress rule opens ports that no container of its pods declares"},
		{"every-namespace-admitted", Note, "the policies of a pod let in all pods of all other namespaces on some port"},
		{"internet-open", Note, "a pod is isolated for egress and reaches all public addresses of a family on some port"},
		{"dns-blocked", Warning, "a pod is isolated for egress and cannot resolve names at the DNS servers of the cluster"},
		{"dns-no-tcp", Note, "a pod is isolated for egress and reaches the DNS servers of the cluster over UDP only, so that long answers are lost"},
		{"dns-open", Warning, "a pod is isolated for egress and reaches port 53 of all public addresses of a family: a way out for data"},
		{"dns-external", Note, "a pod is isolated for egress and reaches port 53 of some addresses outside the cluster"},
		{"dns-server-exposed", Warning, "addresses outside the cluster reach its DNS servers"},
		{"dns-server-ports", Note, "pods or addresses outside reach the DNS servers of the cluster on other ports than that of DNS"},
	},
	find: func(s *subject, report func(Finding)) error {
		list, err := s.openings()
		if err != nil {
			return err
		}
		for _, o := range list {
			report(o.Finding)
		}
		return nil
	},
}

// An opening is a finding that speaks of pods.
type opening struct {
	Finding
	pods []*subjectPod // all of which it is true
}

// openings returns what the checks of exposure find.
func (s *subject) openings() ([]opening, error) {
	x, err := newExposer(s)
	if err != nil {
		return nil, err
	}
	x.findDoors()
	x.findRules()
	x.findDNS()
	x.findOutward()
	x.findServers()
	return x.list, x.findAdmitted()
}

// An exposer finds openings.
type exposer struct {
	s       *subject
	why     *explainer
	held    *holding
	kinds   []podKind // of the pods that policies can select
	kindOf  []int     // of each pod of the subject; -1 if policies cannot select it
	outside []reach.Endpoint
	behind  []exposedPods
	list    []opening
}

// A podKind is pods that are alike here: they are of one namespace, no policy tells
// them apart, the same policies select them, and they declare the same ports.
type podKind struct {
	pods     []*subjectPod
	isolated [2]bool
}

func newExposer(s *subject) (*exposer, error) {
	x := &exposer{s: s, kindOf: make([]int, len(s.pods)), outside: s.g.Outside(), held: newHolding(s)}
	g, err := s.named()
	if err != nil {
		return nil, err
	}
	x.why = newExplainer(s, g)
	isolated, selected := make([][2]bool, len(s.pods)), make([]string, len(s.pods))
	for i, p := range s.policies {
		for _, pod := range p.pods {
			selected[pod.index] += strconv.Itoa(i) + " "
			for _, d := range directions {
				if p.Half(d).Isolates && !s.profile.NotEnforced {
					isolated[pod.index][d] = true
				}
			}
		}
	}
	type key struct {
		namespace       string
		class           reach.Class
		selected, ports string
	}
	index := make(map[key]int)
	for i := range x.kindOf {
		x.kindOf[i] = -1
	}
	for i := range s.model.Namespaces {
		for _, pod := range s.podsIn[s.model.Namespaces[i].Name] {
			class, _ := s.g.ClassOf(pod.end)
			k := key{pod.Name.Namespace, class, selected[pod.index], pod.portsText}
			n, ok := index[k]
			if !ok {
				n = len(x.kinds)
				index[k] = n
				x.kinds = append(x.kinds, podKind{isolated: isolated[pod.index]})
			}
			x.kinds[n].pods = append(x.kinds[n].pods, pod)
			x.kindOf[pod.index] = n
		}
	}
	return x, nil
}

// named returns a Graph of the cluster in which every policy has a name.
func (s *subject) named() (*reach.Graph, error) {
	for _, p := range s.policies {
		if p.key != p.object.Name {
			return newGrounds(s, nil).all()
		}
	}
	return s.g, nil
}

// report adds a finding about pods.
func (x *exposer) report(f Finding, pods []*subjectPod) {
	x.list = append(x.list, opening{f, pods})
}

// alike returns pods in groups of one kind.
func (x *exposer) alike(pods []*subjectPod) [][]*subjectPod {
	return grouped(pods, func(pod *subjectPod) (int, bool) { return x.kindOf[pod.index], true })
}

// allowing returns the first rule that lets a flow pass at one of its ends, if a rule
// does.
func (x *exposer) allowing(f reach.Flow, d policy.Direction) (item, bool) {
	if x.why.g != x.s.g {
		var ok bool
		if f, ok = spellFlow(f).in(x.why.g); !ok {
			return item{}, false
		}
	}
	v := x.why.g.Explain(f)
	side := sideOf(&v, d)
	if side.Bypassed || len(side.Allowing) == 0 {
		return item{}, false
	}
	rule := side.Allowing[0].Rule
	return item{of: x.why.byKey[rule.Policy], kind: ruleItem, direction: d, rule: rule.Index}, true
}

// spellFlow returns a flow in words that mean it in every Graph of the same pods and
// blocks.
func spellFlow(f reach.Flow) spelled {
	text := func(e reach.Endpoint) string {
		if isOutside(e) {
			return e.Addrs().First().String()
		}
		return e.String()
	}
	return spelled{text(f.From), text(f.To), f.Port, f.Family}
}
