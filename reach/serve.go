package reach

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// putServices puts Services and Ingress objects in the place of those that there
// are, and finds the backends of all Services that may have others than before. g
// is still being made.
func (g *Graph) putServices(p *patch) {
	if len(p.services)+len(p.pods)+len(p.ingresses) == 0 && p.shift == nil {
		return
	}
	s := *g.services
	before := s.clusterIPs
	g.services = &s
	s.putRoutes(p)
	s.list = slices.Clone(s.list)
	changed := make(map[types.NamespacedName]bool) // those that may have other backends
	if p.shift != nil {
		s.noteAddrs(g.pods, g.nodes)
		for f := range s.masks {
			s.masks[f] = slices.Clone(s.masks[f])
			for i := range s.masks[f] {
				s.masks[f][i] = p.shift.node(s.masks[f][i], &g.first)
			}
		}
		for i := range s.list {
			if !g.shiftBackends(&s.list[i], p.shift) {
				changed[s.list[i].Name] = true
			}
		}
	}
	for name, svc := range p.services {
		changed[name] = true
		i, found := s.find(name)
		if found {
			s.list = slices.Delete(s.list, int(i), int(i)+1)
		}
		if svc != nil {
			n := newService(svc)
			n.picked = g.picked(svc)
			s.list = slices.Insert(s.list, int(i), n)
		}
	}
	for id, pod := range p.pods {
		i, _ := s.find(types.NamespacedName{Namespace: pod.Name.Namespace})
		for ; int(i) < len(s.list) && s.list[i].Name.Namespace == pod.Name.Namespace; i++ {
			svc := &s.list[i]
			n, was := slices.BinarySearch(svc.picked, id)
			is := svc.HasSelector && svc.Selector.Matches(pod.Labels)
			if !was && !is {
				continue
			}
			changed[svc.Name] = true
			svc.picked = slices.Clone(svc.picked)
			if was {
				svc.picked = slices.Delete(svc.picked, n, n+1)
			}
			if is {
				svc.picked = slices.Insert(svc.picked, n, id)
			}
		}
	}
	if len(p.services) > 0 {
		s.clusterIPs = make(map[netip.Addr]int32)
		s.doors = make(map[netip.Addr][]doorRef)
		s.nodePorts = make(map[policy.Port][]doorRef)
		for i := range s.list {
			s.addDoors(int32(i))
		}
		if flipped := differ(before, s.clusterIPs); len(flipped) > 0 {
			// What lists of endpoints mean by these addresses is another thing.
			for i := range s.list {
				svc := &s.list[i]
				if slices.ContainsFunc(svc.Endpoints, func(e policy.ServiceEndpoint) bool { return flipped[e.Addr] }) {
					changed[svc.Name] = true
				}
			}
			g.outside = sync.OnceValue(g.findOutside)
			g.samples = sync.OnceValue(g.findSamples)
			g.roll = sync.OnceValue(g.findRoll)
		}
	}
	for name := range changed {
		if i, ok := s.find(name); ok {
			svc := &s.list[i]
			svc.ports, svc.backends = make([]backendList, len(svc.Ports)), backendList{}
			g.addPods(svc, svc.picked)
			g.addEndpoints(&s, svc)
		}
	}
	if len(s.list) > 0 && s.masks[0] == nil {
		g.groupNodes(&s)
	}
}

// shiftBackends numbers the backends of a Service as the pods are numbered now. It
// reports false if it does not, since there may be others.
func (g *Graph) shiftBackends(s *service, sh *shift) bool {
	picked := sh.shiftAll(s.picked)
	gone := len(picked) < len(s.picked)
	s.picked = picked
	if gone || len(s.Endpoints) > 0 {
		return false
	}
	shifted := make(map[*backend][]backend) // many ports share their pods
	shift := func(l *backendList) {
		if len(l.pods) == 0 {
			return
		}
		list, ok := shifted[&l.pods[0]]
		if !ok {
			list = slices.Clone(l.pods)
			for i := range list {
				b := &list[i]
				b.end = sh.after[b.end]
				b.host = g.ends[b.end].host
			}
			shifted[&l.pods[0]] = list
		}
		l.pods = list
	}
	s.ports = slices.Clone(s.ports)
	shift(&s.backends)
	for i := range s.ports {
		shift(&s.ports[i])
	}
	return true
}

// putRoutes puts Ingress objects in the place of those that there are.
func (s *services) putRoutes(p *patch) {
	if len(p.ingresses) == 0 {
		return
	}
	s.routes = slices.Clone(s.routes)
	for name, in := range p.ingresses {
		i, found := slices.BinarySearchFunc(s.routes, name, func(in *policy.IngressObject, name types.NamespacedName) int {
			return compareNames(in.Name, name)
		})
		if found {
			s.routes = slices.Delete(s.routes, i, i+1)
		}
		if in != nil {
			s.routes = slices.Insert(s.routes, i, in)
		}
	}
}

// picked returns the pods that the selector of a Service picks.
func (g *Graph) picked(s *policy.Service) []int32 {
	var list []int32
	if !s.HasSelector {
		return nil
	}
	picks := make(map[int32]bool) // by set of labels
	for pod := range g.podsIn(s.Name.Namespace) {
		set := g.labels.of[pod]
		is, ok := picks[set]
		if !ok {
			is = s.Selector.Matches(g.labels.set(set))
			picks[set] = is
		}
		if is {
			list = append(list, pod)
		}
	}
	return list
}

// differ returns the addresses that are in one of two maps only.
func differ(a, b map[netip.Addr]int32) map[netip.Addr]bool {
	in := make(map[netip.Addr]bool)
	for _, m := range [...][2]map[netip.Addr]int32{{a, b}, {b, a}} {
		for addr := range m[0] {
			if _, ok := m[1][addr]; !ok {
				in[addr] = true
			}
		}
	}
	return in
}
