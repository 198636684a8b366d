package reach

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
	"k8s.io/apimachinery/pkg/types"
)

// Pods returns the pods and the workloads that stand for their pods, sorted by
// namespace, name and kind. Terminated pods are left out.
func (g *Graph) Pods() []Endpoint {
	list := make([]Endpoint, 0, len(g.pods))
	for i := range g.pods {
		if !g.pods[i].Terminated {
			list = append(list, Endpoint{g, int32(i)})
		}
	}
	return list
}

// Nodes returns the nodes, sorted by name.
func (g *Graph) Nodes() []Endpoint {
	list := make([]Endpoint, len(g.nodes))
	for i := range list {
		list[i] = Endpoint{g, g.first.node + int32(i)}
	}
	return list
}

// Select returns those of Pods whose namespace and labels the selectors pick.
// It looks at every pod.
func (g *Graph) Select(namespaces, pods selector.Selector) []Endpoint {
	var list []Endpoint
	picks := g.labels.picks(pods)
	for _, e := range g.Pods() {
		if picks(e.id) && namespaces.Matches(g.namespace(g.pods[e.id].Name.Namespace).Labels) {
			list = append(list, e)
		}
	}
	return list
}

// Outside returns one endpoint for each class of addresses outside the cluster
// that the policies tell apart, in address order. IPv4 and IPv6 are apart.
func (g *Graph) Outside() []Endpoint {
	var list []Endpoint
	sets := g.outside()
	for i, set := range sets {
		if !set.IsEmpty() {
			list = append(list, Endpoint{g, g.first.addr + int32(i)})
		}
	}
	first := func(e Endpoint) netip.Addr { return sets[e.id-g.first.addr].First() }
	slices.SortFunc(list, func(a, b Endpoint) int { return first(a).Compare(first(b)) })
	return list
}

// Addr returns the pod or the node that has address a, or else the endpoint
// that stands for a and for every other address outside the cluster that no
// policy tells apart from it. A pod or node of several addresses is returned as
// it is reached at a, which is not equal to the pod or node itself. It is an
// error if several pods have the address, if it is the ClusterIP of a Service,
// which no policy ever sees, or if a is not valid or has a zone.
func (g *Graph) Addr(a netip.Addr) (Endpoint, error) {
	a = a.Unmap()
	if !a.IsValid() || a.Zone() != "" {
		return Endpoint{}, fmt.Errorf("%q is not an address without zone", a)
	}
	switch ids := g.owners()[a]; len(ids) {
	case 0:
		if s, ok := g.services.clusterIPs[a]; ok {
			return Endpoint{}, fmt.Errorf("%s is the address of %s, which is no end of a flow; name what is behind it", a, g.serviceName(s))
		}
		return Endpoint{g, g.first.addr + g.outsideIndex(a)}, nil
	case 1:
		return Endpoint{g, ids[0]}, nil
	default:
		return Endpoint{}, fmt.Errorf("several endpoints have address %s: %s", a, g.list(ids))
	}
}

// MustLookup is like Lookup but panics where Lookup returns an error.
// It is for tests.
func (g *Graph) MustLookup(text string) Endpoint {
	e, err := g.Lookup(text)
	if err != nil {
		panic("reach: " + err.Error())
	}
	return e
}

// Lookup returns the endpoint that text names:
//
//	shop/web            the pod of this name, or the workload of this name
//	pod:shop/web        the pod
//	deploy:shop/web     the workload; also rs, sts, ds, job, cj, rc
//	replica:shop/web    another pod of the same workload
//	node:n1             the node
//	node-of:shop/web    the node that the pod runs on, known or not
//	203.0.113.9         the address, see Addr
//	node:*              a node of which nothing is known; no pod of the input runs on it
//	outside:*           an address outside the cluster of which nothing is known
//
// A text without prefix is an address or names a pod or a workload, never
// anything else. A workload stands for one of its pods, and its replica for
// another one. If the cluster holds the pods themselves, they must all be
// reached alike but for their own nodes; if they are on several, the node of the
// workload is one that is not known.
//
// A name that the cluster does not hold is an error that lists the nearest
// names, and an ambiguous one an error that lists the candidates.
func (g *Graph) Lookup(text string) (Endpoint, error) {
	id, err := g.lookup(text)
	if err != nil {
		return Endpoint{}, err
	}
	return Endpoint{g, id}, nil
}

func (g *Graph) lookup(text string) (int32, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		e, err := g.Addr(a)
		return e.id, err
	}
	if i := slices.Index(unknownNames[:], text); i >= 0 {
		return g.first.unknown + int32(i), nil
	}
	prefix, rest, ok := strings.Cut(text, ":")
	if !ok {
		return g.lookupPod(text, "")
	}
	switch prefix {
	case "node":
		if e, ok := g.node(rest); ok {
			return e, nil
		}
		return 0, g.unknown("node", "node:", rest)
	case "node-of":
		if isNodeText(rest) {
			return 0, fmt.Errorf("%s is not a pod, so it has no node", rest)
		}
		id, err := g.lookup(rest)
		if err != nil {
			return 0, err
		}
		return g.nodeUnder(id, rest)
	case "replica":
		if isNodeText(rest) || strings.HasPrefix(rest, "replica:") {
			return 0, fmt.Errorf("%s is not a workload, so it has no replica", rest)
		}
		id, err := g.lookup(rest)
		if err != nil {
			return 0, err
		}
		if e, ok := g.replica(Endpoint{g, id}); ok {
			return e.id, nil
		}
		return 0, fmt.Errorf("%s is not a workload, so it has no replica", rest)
	}
	if kind, ok := kindOf(prefix); ok {
		return g.lookupPod(rest, kind)
	}
	if prefix == "svc" {
		return 0, fmt.Errorf("%s is a Service, which is no end of a flow; name what is behind it", text)
	}
	return 0, fmt.Errorf("%q %w: want pod, deploy, rs, sts, ds, job, cj, rc, replica, node or node-of", prefix, errNoKind)
}

var errNoKind = errors.New("names no kind of endpoint")

func isNodeText(text string) bool {
	return strings.HasPrefix(text, "node:") || strings.HasPrefix(text, "node-of:")
}

// unknownNames are the names of the endpoints of which nothing is known.
var unknownNames = [...]string{"node:*", "outside:*"}

// shortKinds are the names of kinds in front of a colon, as kubectl has them.
var shortKinds = [...]struct{ short, kind string }{
	{"pod", "Pod"},
	{"deploy", "Deployment"},
	{"rs", "ReplicaSet"},
	{"sts", "StatefulSet"},
	{"ds", "DaemonSet"},
	{"job", "Job"},
	{"cj", "CronJob"},
	{"rc", "ReplicationController"},
}

func kindOf(short string) (string, bool) {
	for _, k := range shortKinds {
		if k.short == short {
			return k.kind, true
		}
	}
	return "", false
}

func shortOf(kind string) string {
	for _, k := range shortKinds {
		if k.kind == kind {
			return k.short
		}
	}
	panic("reach: unknown kind " + kind)
}

// lookupPod finds a pod or workload of the given kind, or of any if kind is
// empty.
func (g *Graph) lookupPod(text, kind string) (int32, error) {
	ns, name, ok := strings.Cut(text, "/")
	if !ok || ns == "" || name == "" {
		err := fmt.Errorf("%q is neither namespace/name nor an address", text)
		return 0, didYouMean(err, g.nearest("", text))
	}
	found := g.named(types.NamespacedName{Namespace: ns, Name: name}, kind)
	switch {
	case len(found) == 0:
		what, prefix := "pod or workload", ""
		if kind != "" {
			what, prefix = kind, shortOf(kind)+":"
		}
		return 0, g.unknown(what, prefix, text)
	case len(found) > 1:
		return 0, fmt.Errorf("%s is ambiguous: %s", text, g.list(found))
	}
	if kind, i := g.kind(found[0]); kind == staffedEnd {
		pods := g.staffed[i/2].pods
		for _, id := range pods[1:] {
			if g.toldApart(pods[0], id) {
				return 0, fmt.Errorf("the pods of %s are not reached alike; name one: %s", text, g.list(pods))
			}
		}
	}
	return found[0], nil
}

// named returns the pods and workloads of a name. A terminated pod counts only
// if nothing else has the name.
func (g *Graph) named(name types.NamespacedName, kind string) []int32 {
	var found, terminated []int32
	i, _ := slices.BinarySearchFunc(g.pods, name, func(p policy.Pod, name types.NamespacedName) int {
		return cmp.Or(cmp.Compare(p.Name.Namespace, name.Namespace), cmp.Compare(p.Name.Name, name.Name))
	})
	for ; i < len(g.pods) && g.pods[i].Name == name; i++ {
		switch {
		case kind != "" && kind != g.pods[i].Kind:
		case g.pods[i].Terminated:
			terminated = append(terminated, int32(i))
		default:
			found = append(found, int32(i))
		}
	}
	for _, i := range g.staffedByName()[name] {
		if kind == "" || kind == g.staffed[i].kind {
			found = append(found, g.first.staffed+2*i)
		}
	}
	if len(found) == 0 {
		return terminated
	}
	return found
}

// toldApart reports whether two pods may be reached, or may reach others,
// differently.
func (g *Graph) toldApart(a, b int32) bool {
	if g.over != nil {
		return g.toldApartOver(a, b)
	}
	x, y := g.ends[a], g.ends[b]
	x.host, y.host = 0, 0
	return x != y
}

func (g *Graph) node(name string) (int32, bool) {
	i, ok := slices.BinarySearchFunc(g.nodes, name, func(n policy.Node, name string) int { return cmp.Compare(n.Name, name) })
	return g.first.node + int32(i), ok
}

// nodeUnder returns the node that a pod runs on.
func (g *Graph) nodeUnder(id int32, text string) (int32, error) {
	id = g.owner(id)
	if id >= g.first.node {
		return 0, fmt.Errorf("%s is not a pod, so it has no node", text)
	}
	if n, unknown := slices.BinarySearch(g.ownNodes, id); unknown {
		return g.first.ownNode + int32(n), nil
	}
	return g.first.node + g.ends[id].host, nil
}

// replica returns another pod of the workload e, if e is one.
func (g *Graph) replica(e Endpoint) (Endpoint, bool) {
	id := g.owner(e.id)
	if kind, i := g.kind(id); kind == staffedEnd && i%2 == 0 {
		return Endpoint{g, id + 1}, true
	}
	n, ok := slices.BinarySearch(g.replicas, id)
	return Endpoint{g, g.first.replica + int32(n)}, ok
}

// nameOf returns the text of an endpoint.
func (g *Graph) nameOf(id int32) string {
	switch kind, i := g.kind(id); kind {
	case podEnd, staffedEnd:
		if kind == staffedEnd && i%2 == 1 {
			return "replica:" + g.nameOf(id-1)
		}
		name := g.objectName(id)
		if found := g.named(name, ""); len(found) > 1 || found[0] != id {
			return g.fullName(id)
		}
		return name.String()
	case replicaEnd:
		return "replica:" + g.nameOf(g.replicas[i])
	case nodeEnd:
		return "node:" + g.nodes[i].Name
	case unknownEnd:
		return unknownNames[i]
	case ownNodeEnd:
		return "node-of:" + g.nameOf(g.ownNodes[i])
	case atEnd:
		return g.at[i].addr.String()
	default:
		return g.classSet(i).String()
	}
}

func (g *Graph) list(ids []int32) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = g.fullName(g.owner(id))
	}
	const most = 10
	if n := len(names) - most; n > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", n))
	}
	return strings.Join(names, ", ")
}

// fullName returns the name of a pod or workload with its kind, and that of
// another endpoint as nameOf does.
func (g *Graph) fullName(id int32) string {
	switch kind, i := g.kind(id); {
	case kind == podEnd:
		return shortOf(g.pods[i].Kind) + ":" + g.pods[i].Name.String()
	case kind == staffedEnd && i%2 == 0:
		return shortOf(g.staffed[i/2].kind) + ":" + g.staffed[i/2].name.String()
	}
	return g.nameOf(id)
}

// unknown says that nothing has a name, and which names are near.
func (g *Graph) unknown(what, prefix, name string) error {
	near := g.nearest(prefix, name)
	if len(near) == 0 {
		return fmt.Errorf("the cluster has no %s %s, and no name like it", what, name)
	}
	return didYouMean(fmt.Errorf("the cluster has no %s %s", what, name), near)
}

// didYouMean adds names that are near to an error.
func didYouMean(err error, near []string) error {
	if len(near) == 0 {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
}

// nearest returns up to three names that text may have meant, nearest first.
func (g *Graph) nearest(prefix, text string) []string {
	type candidate struct {
		distance int
		name     string
	}
	var all []candidate
	most := max(2, len(text)/3)
	add := func(name string) {
		d := distance(text, name, most)
		if _, inside, ok := strings.Cut(name, "/"); ok && inside == text {
			d = 0 // only the namespace is missing
		}
		if d <= most {
			all = append(all, candidate{d, prefix + name})
		}
	}
	switch prefix {
	case "node:":
		for i := range g.nodes {
			add(g.nodes[i].Name)
		}
	case "svc:":
		for i := range g.services.list {
			add(g.services.list[i].Name.String())
		}
	case "host:":
		prefix = "" // a DNS name needs none
		for _, name := range g.names {
			add(name)
		}
	default:
		kind, _ := kindOf(strings.TrimSuffix(prefix, ":"))
		for i := range g.pods {
			if kind == "" || kind == g.pods[i].Kind {
				add(g.pods[i].Name.String())
			}
		}
		for i := range g.staffed {
			if kind == "" || kind == g.staffed[i].kind {
				add(g.staffed[i].name.String())
			}
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	all = slices.Compact(all)
	var names []string
	for _, c := range all[:min(3, len(all))] {
		names = append(names, c.name)
	}
	return names
}

// distance returns the number of bytes to insert, delete or replace to make b
// of a, or a number above most if it is above most.
func distance(a, b string, most int) int {
	if d := len(a) - len(b); d > most || -d > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least > most {
			return most + 1
		}
	}
	return row[len(b)]
}
