package reach

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// facts are what a Graph knows of its endpoints and policies in readable form,
// to explain and to name them.
type facts struct {
	cluster    *policy.Cluster // for With and Cluster
	co         *compiler       // likewise
	profile    Profile
	pods       []policy.Pod // Labels and Generated hold only the keys that selectors mention
	nodes      []policy.Node
	namespaces []policy.Namespace // Labels likewise
	policies   []*policy.Policy
	partition  *cidr.Partition
	warnings   func() []policy.Warning

	first    firstIDs
	replicas []int32 // the pod that each replica copies
	staffed  []staffed
	ownNodes []int32 // the end whose node each node is of which nothing else is known
	at       []ownedAddr

	services *services
	hosts    map[string][]netip.Addr // of DNS names
	names    []string                // of hosts, sorted
	labels   *labels

	fresh         func() *Graph // the same, compiled; nil if With has not made the Graph without that
	nodeGroups    func() nodeGroups
	words         int32 // of a row
	relation      func() *relation
	roll          func() *roll             // of the ends, to compare what With makes
	staffedBy     func() map[int32][]int32 // the staffed workloads for which a pod speaks
	staffedByName func() map[types.NamespacedName][]int32
	owners        func() map[netip.Addr][]int32 // which pods and nodes have an address
	outside       func() []cidr.Set             // by endpoint: the class less the addresses of pods and nodes
	samples       func() []netip.Addr           // an address of each of outside
}

func (co *compiler) graph() *Graph {
	m := co.model
	f := &facts{
		cluster:    co.cluster,
		profile:    co.profile,
		pods:       m.Pods,
		nodes:      m.Nodes,
		namespaces: m.Namespaces,
		policies:   m.Policies,
		partition:  co.addrs,
		first:      co.first,
		staffed:    co.staffed,
		ownNodes:   co.ownNodes,
		at:         co.at,
		hosts:      m.Hosts,
		names:      slices.Sorted(maps.Keys(m.Hosts)),
	}
	f.labels = co.allLabels
	co.trimLabels()
	for i := range f.pods {
		if isWorkload(&f.pods[i]) {
			f.replicas = append(f.replicas, int32(i))
		}
	}
	f.lookAgain()
	f.words = co.words
	g := &Graph{ends: co.ends, profiles: append(co.firstSteps, int32(len(co.steps))), steps: co.steps, bits: co.bits, facts: f}
	g.findPorts()
	f.relation = sync.OnceValue(g.findRelation)
	f.roll = sync.OnceValue(g.findRoll)
	f.services = g.findServices(m, co.labelMaps)
	warnings := slices.Concat(m.Warnings, co.warnings(), g.serviceWarnings(m))
	slices.SortStableFunc(warnings, func(a, b policy.Warning) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Object, b.Object), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Code, b.Code))
	})
	f.warnings = func() []policy.Warning { return warnings }
	f.nodeGroups = func() nodeGroups { return f.services.nodes }
	co.release()
	f.co = co
	return g
}

// trimLabels replaces the labels of the model, which are those of the API
// objects, by copies of what selectors mention. Pods that share these share a
// copy.
func (co *compiler) trimLabels() {
	co.keys = make(map[string]bool)
	for _, s := range co.podSelectors.values {
		for k := range s.Keys() {
			co.keys[k] = true
		}
	}
	l := co.allLabels
	mentioned := make([]bool, len(l.pairs))
	for i, pair := range l.pairs {
		mentioned[i] = co.keys[pair[0]]
	}
	var trimmed []map[string]string
	of := make([]int32, len(l.sets)) // the copy for each set
	for i, set := range l.sets {
		key := co.key[:0]
		for _, pair := range set {
			if mentioned[pair] {
				key = appendInts(key, pair)
			}
		}
		co.key = key
		id, isNew := co.tmp.add(trimmedKey, key, int32(len(trimmed)))
		if isNew {
			labels := make(map[string]string, len(key)/4)
			for _, pair := range set {
				if mentioned[pair] {
					labels[l.pairs[pair][0]] = l.pairs[pair][1]
				}
			}
			trimmed = append(trimmed, labels)
		}
		of[i] = id
	}
	for i := range co.model.Pods {
		p := &co.model.Pods[i]
		p.Generated = slices.DeleteFunc(p.Generated, func(key string) bool { return !co.keys[key] })
		p.Labels = trimmed[of[l.of[i]]]
	}
	for i := range co.model.Namespaces {
		co.model.Namespaces[i].Labels = maps.Clone(co.model.Namespaces[i].Labels)
	}
}

func (f *facts) findStaffed() map[types.NamespacedName][]int32 {
	byName := make(map[types.NamespacedName][]int32)
	for i, s := range f.staffed {
		byName[s.name] = append(byName[s.name], int32(i))
	}
	return byName
}

func (f *facts) findStaffedBy() map[int32][]int32 {
	by := make(map[int32][]int32)
	for i, s := range f.staffed {
		by[s.pods[0]] = append(by[s.pods[0]], int32(i))
	}
	return by
}

func (f *facts) findOwners() map[netip.Addr][]int32 {
	owners := make(map[netip.Addr][]int32)
	for i := range f.nodes {
		if len(f.nodes[i].Addrs) == 1 {
			a := f.nodes[i].Addrs[0]
			owners[a] = append(owners[a], f.first.node+int32(i))
		}
	}
	for i, at := range f.at {
		if at.owner >= f.first.node {
			owners[at.addr] = append(owners[at.addr], f.first.at+int32(i))
		}
	}
	// A pod on the host network shares the addresses of its node.
	shares := func(pod int32, a netip.Addr) bool {
		return f.pods[pod].HostNetwork && len(owners[a]) > 0 && f.owner(owners[a][0]) >= f.first.node
	}
	for i := range f.pods {
		if p := &f.pods[i]; len(p.Addrs) == 1 && !p.Terminated && !shares(int32(i), p.Addrs[0]) {
			owners[p.Addrs[0]] = append(owners[p.Addrs[0]], int32(i))
		}
	}
	for i, at := range f.at {
		if at.owner < f.first.node && !shares(at.owner, at.addr) {
			owners[at.addr] = append(owners[at.addr], f.first.at+int32(i))
		}
	}
	return owners
}

func (f *facts) findOutside() []cidr.Set {
	sets := make([]cidr.Set, 2*f.partition.Len())
	inside := make([][]netip.Prefix, len(sets))
	add := func(a netip.Addr) {
		i := f.outsideIndex(a)
		inside[i] = append(inside[i], netip.PrefixFrom(a, a.BitLen()))
	}
	for a := range f.owners() {
		add(a)
	}
	for a := range f.services.clusterIPs {
		add(a)
	}
	for i := range sets {
		sets[i] = f.classSet(int32(i)).Minus(cidr.Of(inside[i]...))
	}
	return sets
}

// outsideIndex returns the index of a among the endpoints outside.
func (f *facts) outsideIndex(a netip.Addr) int32 {
	return 2*int32(f.partition.Class(a)) + int32(familyOf(a).index())
}

func (f *facts) findSamples() []netip.Addr {
	samples := make([]netip.Addr, 2*f.partition.Len())
	for i := range samples {
		samples[i] = f.outside()[i].First()
	}
	return samples
}

// classSet returns the addresses that the i'th endpoint outside shares with
// those that no policy tells apart from it, inside the cluster or not.
func (f *facts) classSet(i int32) cidr.Set {
	return f.partition.Addrs(cidr.Class(i / 2)).Intersect(everything[i%2])
}

// kind tells which kind of endpoint id is, and its index among those.
func (f *facts) kind(id int32) (endKind, int32) {
	switch {
	case id >= f.first.addr:
		return outsideEnd, id - f.first.addr
	case id >= f.first.at:
		return atEnd, id - f.first.at
	case id >= f.first.unknown:
		return unknownEnd, id - f.first.unknown
	case id >= f.first.ownNode:
		return ownNodeEnd, id - f.first.ownNode
	case id >= f.first.node:
		return nodeEnd, id - f.first.node
	case id >= f.first.staffed:
		return staffedEnd, id - f.first.staffed
	case id >= f.first.replica:
		return replicaEnd, id - f.first.replica
	}
	return podEnd, id
}

type endKind uint8

const (
	podEnd endKind = iota
	replicaEnd
	staffedEnd // its index is twice that in staffed, and one more for the replica
	nodeEnd
	ownNodeEnd
	unknownEnd // a node, then an address outside, of which nothing is known
	atEnd
	outsideEnd
)

// owner returns the pod or node that id is, if it is one of its addresses, and
// else id.
func (f *facts) owner(id int32) int32 {
	if kind, i := f.kind(id); kind == atEnd {
		return f.at[i].owner
	}
	return id
}

// pod returns the pod that id is, or nil.
func (f *facts) pod(id int32) *policy.Pod {
	switch kind, i := f.kind(f.owner(id)); kind {
	case podEnd:
		return &f.pods[i]
	case replicaEnd:
		return &f.pods[f.replicas[i]]
	case staffedEnd:
		return &f.pods[f.staffed[i/2].pods[0]]
	}
	return nil
}

func (f *facts) objectName(id int32) types.NamespacedName {
	switch kind, i := f.kind(f.owner(id)); kind {
	case podEnd, replicaEnd:
		return f.pod(id).Name
	case staffedEnd:
		return f.staffed[i/2].name
	case nodeEnd:
		return types.NamespacedName{Name: f.nodes[i].Name}
	}
	return types.NamespacedName{}
}

func (f *facts) addrsOf(id int32) cidr.Set {
	if kind, i := f.kind(id); kind == outsideEnd {
		return f.outside()[i]
	}
	addrs := f.knownAddrs(id)
	prefixes := make([]netip.Prefix, len(addrs))
	for i, a := range addrs {
		prefixes[i] = netip.PrefixFrom(a, a.BitLen())
	}
	return cidr.Of(prefixes...)
}

// hasAddrs reports whether an address of an endpoint is known. It is for those
// of the cluster, and true outside.
func (f *facts) hasAddrs(id int32) bool {
	if pod := f.pod(id); pod != nil {
		return len(pod.Addrs) > 0
	}
	return true
}

// namespace returns the namespace of the given name, which exists.
func (f *facts) namespace(name string) *policy.Namespace {
	i, _ := slices.BinarySearchFunc(f.namespaces, name, func(ns policy.Namespace, name string) int {
		return cmp.Compare(ns.Name, name)
	})
	return &f.namespaces[i]
}

// policiesIn returns the policies of a namespace.
func (f *facts) policiesIn(namespace string) []*policy.Policy {
	lo, hi := f.policyRange(namespace)
	return f.policies[lo:hi]
}

// policyRange returns where the policies of a namespace begin and end.
func (f *facts) policyRange(namespace string) (lo, hi int) {
	at := func(p *policy.Policy, name string) int { return cmp.Compare(p.Name.Namespace, name) }
	lo, _ = slices.BinarySearchFunc(f.policies, namespace, at)
	hi = lo
	for hi < len(f.policies) && f.policies[hi].Name.Namespace == namespace {
		hi++
	}
	return lo, hi
}
