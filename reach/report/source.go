package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/reach"
)

// relationOf returns the relation of g, but for pairs of which no end is a pod of the
// namespaces, if there are any.
func relationOf(g *reach.Graph, namespaces []string) (*relation, error) {
	zones, err := zonesOf(namespaces, g.Pods())
	if err != nil {
		return nil, err
	}
	ends := endsOf(g)
	type atomKey struct {
		class reach.Class
		zone  int32
	}
	var atoms []atom
	numbers := make(map[atomKey]int32)
	of := make(map[reach.Class][]int32)
	for i := range ends {
		e := &ends[i]
		class, _ := g.ClassOf(e.Endpoint)
		k := atomKey{class, 0}
		if e.kind == Pods {
			k.zone = zones[e.namespace]
		}
		n, ok := numbers[k]
		if !ok {
			n = int32(len(atoms))
			numbers[k] = n
			atoms = append(atoms, atom{kind: e.kind, zone: k.zone})
			of[class] = append(of[class], n)
		}
		a := &atoms[n]
		a.members = append(a.members, int32(i))
	}
	all := len(namespaces) == 0
	for class, list := range of {
		some, every := workloadsIn(class)
		for _, n := range list {
			a := &atoms[n]
			for _, m := range a.members {
				e := &ends[m]
				e.other = !all && a.zone == 0
				e.replicas = every || some && isWorkload(g, e.Endpoint)
				a.pairs = a.pairs || e.replicas || len(a.members) > 1
			}
			a.pairs = a.pairs && !ends[a.members[0]].other
		}
	}
	values := newValues()
	rows := make([][]link, len(atoms))
	for e := range g.ClassEdges() {
		v := values.of(value{ports: e.Ports})
		for _, from := range of[e.From] {
			for _, to := range of[e.To] {
				if from == to && !atoms[from].pairs || !all && atoms[from].zone == 0 && atoms[to].zone == 0 {
					continue
				}
				rows[from] = append(rows[from], link{to, v})
			}
		}
	}
	for _, row := range rows {
		slices.SortFunc(row, func(a, b link) int { return cmp.Compare(a.to, b.to) })
	}
	r := join(ends, atoms, rows, values)
	r.names = namesOf(g.Pods())
	for i := range ends {
		r.outside = r.outside.Union(ends[i].addrs)
	}
	return r, nil
}

// endsOf returns the endpoints of g, but for addresses outside of a family that no
// pod has.
func endsOf(g *reach.Graph) []end {
	var ends []end
	pods := g.Pods()
	for _, e := range pods {
		ends = append(ends, end{Endpoint: e, text: e.String(), kind: Pods, namespace: e.Name().Namespace})
	}
	for _, e := range g.Nodes() {
		ends = append(ends, end{Endpoint: e, text: e.String(), kind: Nodes})
	}
	used := addrsOfPods(g, pods)
	for _, e := range g.Outside() {
		text := e.String()
		if addrs := addrsOf(text).Intersect(used); !addrs.IsEmpty() {
			ends = append(ends, end{Endpoint: e, text: text, kind: Outside, addrs: addrs})
		}
	}
	return ends
}

// addrsOfPods returns all addresses of the families that some pod has.
func addrsOfPods(g *reach.Graph, pods []reach.Endpoint) cidr.Set {
	var s cidr.Set
	for i, f := range [...]reach.Family{reach.IPv4, reach.IPv6} {
		reachesItself := func(e reach.Endpoint) bool { return !g.PortsOver(f, e, e).IsEmpty() } // over what it has
		if slices.ContainsFunc(pods, reachesItself) {
			s = s.Union(families[i])
		}
	}
	return s
}

// zonesOf numbers namespaces from 1. It is an error if one has none of the pods.
func zonesOf(namespaces []string, pods ...[]reach.Endpoint) (map[string]int32, error) {
	have := make(map[string]bool)
	for _, list := range pods {
		for _, e := range list {
			have[e.Name().Namespace] = true
		}
	}
	zones := make(map[string]int32, len(namespaces))
	var missing []string
	for i, ns := range namespaces {
		zones[ns] = int32(i + 1)
		if !have[ns] {
			missing = append(missing, strconv.Quote(ns))
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("no pods in namespace %s", strings.Join(missing, ", "))
	}
	return zones, nil
}

// workloadsIn reports whether some members of c are workloads, and whether all are.
func workloadsIn(c reach.Class) (some, every bool) {
	n := c.Len()
	replicas := reach.ClassEdge{From: c, To: c}.Pairs() - n*n + n
	return replicas > 0, replicas == n
}

func isWorkload(g *reach.Graph, e reach.Endpoint) bool {
	_, err := g.Lookup("replica:" + e.String())
	return err == nil
}
