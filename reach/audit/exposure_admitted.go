package audit

import (
	"fmt"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// findAdmitted reports pods whose policies let in all pods of all other namespaces on
// some port. There must be two such namespaces at least.
func (x *exposer) findAdmitted() error {
	namespaces := 0
	for i := range x.s.model.Namespaces {
		if len(x.s.podsIn[x.s.model.Namespaces[i].Name]) > 0 {
			namespaces++
		}
	}
	if namespaces < 3 || x.s.profile.NotEnforced {
		return nil
	}
	// With policies for ingress alone, the ends that connect have no say.
	g, err := newGrounds(x.s, nil).only(policy.Ingress)
	if err != nil {
		return err
	}
	ends := g.Pods()
	callers := x.callers(g, ends)
	found := x.byRule(policy.Ingress)
	for _, pods := range x.isolatedIn(g, ends) {
		if flow, ports := x.admittedFrom(g, ends, callers, pods[0]); !ports.IsEmpty() {
			found.add(pods, [2]way{{flow, ports}})
		}
	}
	for _, o := range found.list {
		f := x.aboutOpened(o)
		f.Check = "every-namespace-admitted"
		f.Message = fmt.Sprintf("the policies of %s let in all pods of all other namespaces on %s", whom(o.pods), portText(o.ports))
		f.Proof = Proof{o.flow, "its ingress policies allow it, as from every pod of another namespace"}
		f.Suggestion = "name the namespaces that need it"
		x.report(f, o.pods)
	}
	return nil
}

// A caller is pods that no policy for ingress tells apart, by two of them that are of
// different namespaces, if there are such.
type caller struct{ first, other *subjectPod }

// callers returns the callers that there are in a Graph of the same pods.
func (x *exposer) callers(g *reach.Graph, ends []reach.Endpoint) []caller {
	index := make(map[reach.Class]int)
	var list []caller
	for _, pod := range x.held.pods {
		class, _ := g.ClassOf(ends[pod.index])
		i, ok := index[class]
		if !ok {
			index[class] = len(list)
			list = append(list, caller{first: pod})
		} else if c := &list[i]; c.other == nil && c.first.Name.Namespace != pod.Name.Namespace {
			c.other = pod
		}
	}
	return list
}

// isolatedIn returns the pods that are isolated for ingress, in groups that a Graph of
// the same pods does not tell apart either.
func (x *exposer) isolatedIn(g *reach.Graph, ends []reach.Endpoint) [][]*subjectPod {
	type key struct {
		kind  int
		class reach.Class
	}
	return grouped(x.held.pods, func(pod *subjectPod) (key, bool) {
		k := key{kind: x.kindOf[pod.index]}
		if !x.kinds[k.kind].isolated[policy.Ingress] {
			return k, false
		}
		k.class, _ = g.ClassOf(ends[pod.index])
		return k, true
	})
}

// admittedFrom returns the ports on which a pod lets in all pods of other namespaces,
// and a flow from one of these in the Graph of the subject: an allowed one, if the
// other ends allow some.
func (x *exposer) admittedFrom(g *reach.Graph, ends []reach.Endpoint, callers []caller, to *subjectPod) (reach.Flow, policy.PortSet) {
	ports := x.s.ruled(allPorts)
	var from []*subjectPod
	for _, c := range callers {
		pod := c.first
		if pod.Name.Namespace == to.Name.Namespace {
			if pod = c.other; pod == nil {
				continue
			}
		}
		if ports = ports.Intersect(g.Ports(ends[pod.index], ends[to.index])); ports.IsEmpty() {
			return reach.Flow{}, ports
		}
		from = append(from, pod)
	}
	f := reach.Flow{From: from[0].end, To: to.end, Port: onePort(ports, to.declared...)}
	for _, pod := range from {
		if other := (reach.Flow{From: pod.end, To: f.To, Port: f.Port}); x.s.g.Allows(other) {
			return other, ports
		}
	}
	return f, ports
}
