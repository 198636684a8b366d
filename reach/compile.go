package reach

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
	"k8s.io/apimachinery/pkg/types"
)

// Compile works out who can reach whom in c. It reports every faulty object,
// joined, each a [*policy.Error], and then returns no Graph. A Graph keeps the
// objects of c for [Graph.With]; queries of the Graph that Compile returns never
// look at them.
//
// The cost grows with the objects of c, with what the policies tell apart, and
// with the pairs of a policy and a class of pods that it selects. The rows of different rules take a bit
// for each class of peers: only where as many rules name different peers as there
// are classes does that grow with their square. So it does with port ranges of one
// pod that overlap, if each is for other peers.
func Compile(c *policy.Cluster) (*Graph, error) { return Profile{}.Compile(c) }

// Compile is like the function [Compile], for a plugin that behaves as p says.
// It is an error if a field of p has none of the values that are defined for it.
func (p Profile) Compile(c *policy.Cluster) (*Graph, error) {
	if p.SCTP > SCTPBypasses || p.NamedPorts > NamedPortsOfAllContainers ||
		p.Hairpin > HairpinPoliced || p.ServiceSNAT > SNATAlways {
		return nil, fmt.Errorf("the Profile makes a choice that there is not: %+v", p)
	}
	return p.compile(c.Clone())
}

// compile is Compile for a Cluster that nobody else changes.
func (p Profile) compile(c *policy.Cluster) (*Graph, error) {
	m, err := c.Model()
	if err != nil {
		return nil, err
	}
	if err := p.admit(m.Services); err != nil {
		return nil, err
	}
	co := newCompiler(c, p, m)
	co.readPolicies()
	co.sortLabels()
	co.resolvePortNames()
	co.sortAddrs()
	co.makeEnds()
	co.findMembers()
	co.mergeClasses()
	co.selectPods()
	co.makeProfiles()
	return co.graph(), nil
}

// A compiler finds the classes and rows of one Graph. Its steps run in the
// order of [Profile.Compile]; each fills the fields under its name. Small
// integers stand for all that repeats: an id is an index among the distinct
// values of its kind.
//
// A seat is what the rules can know of an end over one family when it is the
// peer. Seats that are in the same peer lists merge to a class.
type compiler struct {
	cluster *policy.Cluster
	profile Profile
	model   *policy.Model

	ids   table // of the interners
	tmp   table // of the rest
	lists arena[int32]
	key   []byte // scratch

	// readPolicies
	nsOf         []int32 // namespace of each pod
	podSelectors interner[selector.Selector]
	nsSelectors  interner[selector.Selector]
	singleBlocks interner[cidr.Set]
	blockLists   interner[int32]    // the union of each list of singleBlocks
	blocks       interner[cidr.Set] // the unions of the blocks of peer lists
	peerLists    interner[peerList]
	anyone       int32 // the list of policy.Anyone alone
	halves       interner[[]rule]
	portNames    interner[policy.PortItem] // only Protocol and Name count
	namedEgress  bool                      // some egress rule names a port
	policies     []compiledPolicy          // as in the model
	blockUses    []int                     // how many rules of policies use each of blocks
	ruleBytes    []byte                    // scratch of half
	ruleSpans    []ruleSpan                // likewise
	podsPeers    []podsPeer                // scratch of peerList
	blockIDs     []int32                   // likewise

	// sortLabels
	allLabels *labels
	labelMaps []map[string]string // the sets of allLabels
	labels    *selector.Partition // of labelMaps
	keys      map[string]bool     // of labels, that selectors of pods mention
	nsLabels  *selector.Partition // of the model's namespaces

	// resolvePortNames
	dialects interner[[]portMeaning] // what a pod means by port names
	dialect  []int32                 // of each pod

	// sortAddrs
	addrs *cidr.Partition
	spots interner[[]cidr.Class] // the address classes of an end over one family
	holds [][]int32              // the spots that each of blocks holds

	addrClasses []cidr.Class // scratch

	// makeEnds
	seats    []seat
	ends     []end // class holds seats until mergeClasses
	first    firstIDs
	staffed  []staffed
	ownNodes []int32 // the ends whose node is not known, ascending
	at       []ownedAddr

	// findMembers
	members []memberSet // the seats of each of peerLists, then the classes; empty for anyone

	// mergeClasses
	classes   int32
	receivers map[portMeaning][]int32 // the classes of the pods that mean a number by a name
	numbers   [][]uint16              // what some pod means by each name

	// selectPods
	groups   []group
	groupOf  []int32             // of each pod; -1 if no policy can select it
	speakers map[speaker][]int32 // the groups of a namespace that mean something by a port name
	selects  []bool              // whether each policy selects a pod

	// makeProfiles
	words                 int32    // of a row
	scratch               []uint64 // a row
	rowBytes              []byte   // the same
	sweeper               sweeper
	grants                []grant // scratch
	profileBytes, rowHash []byte  // likewise
	firstSteps            []int32 // of the profiles
	steps                 []step
	bits                  []uint64
	sameHash              []int32 // for each row, by number, another one whose content has its hash, or -1
}

func newCompiler(c *policy.Cluster, p Profile, m *policy.Model) *compiler {
	co := &compiler{cluster: c, profile: p, model: m}
	co.podSelectors.kind, co.nsSelectors.kind = podSelectorKey, nsSelectorKey
	co.singleBlocks.kind, co.blockLists.kind, co.blocks.kind = singleBlockKey, blockListKey, blockKey
	co.peerLists.kind, co.halves.kind = peerListKey, halfKey
	co.portNames.kind, co.dialects.kind, co.spots.kind = portNameKey, dialectKey, spotKey
	return co
}

// unisolated is the profile of an end that no policy isolates.
const unisolated = 0

type (
	compiledPolicy struct {
		ns, pods int32
		halves   [2]int32 // by direction; -1 if it does not isolate
	}
	rule struct {
		peers int32
		ports []policy.PortItem
	}
	peerList struct {
		anyone bool
		pods   []podsPeer
		blocks int32 // -1 for none
	}
	// podsPeer picks pods by label, of namespace ns or, if that is -1, of the
	// namespaces that selector namespaces picks.
	podsPeer    struct{ ns, namespaces, pods int32 }
	portMeaning struct {
		name   int32
		number uint16
	}
	speaker struct{ ns, name int32 }
	seat    struct {
		kind                     seatKind
		ns, label, dialect, spot int32
	}
	seatKind uint8

	// A group is the pods that the same policies select and that mean the same
	// by port names.
	group struct {
		ns, label, dialect int32
		halves             [2][]int32
	}
	firstIDs struct{ replica, staffed, node, ownNode, unknown, at, addr int32 } // of endpoints, by kind; pods start at 0

	// staffed is a workload some of whose pods the cluster holds itself. It has
	// two ends: itself and its replica. They stand for the pods as long as these
	// are reached alike.
	staffed struct {
		kind string
		name types.NamespacedName
		pods []int32 // those that have an address, if any has
	}

	// An ownedAddr is a pod or a node as it is reached at one of its addresses.
	ownedAddr struct {
		owner int32
		addr  netip.Addr
	}
)

const (
	podSeat seatKind = iota
	nodeSeat
	addrSeat
)

func (co *compiler) readPolicies() {
	co.nsOf = make([]int32, len(co.model.Pods))
	for i := range co.model.Pods {
		ns := co.model.Pods[i].Name.Namespace
		if i > 0 && ns == co.model.Pods[i-1].Name.Namespace {
			co.nsOf[i] = co.nsOf[i-1]
		} else {
			co.nsOf[i] = co.namespace(ns)
		}
	}
	co.anyone = co.peerList([]policy.Peer{policy.Anyone{}})
	co.policies = make([]compiledPolicy, len(co.model.Policies))
	for i, p := range co.model.Policies {
		cp := compiledPolicy{ns: co.namespace(p.Name.Namespace), pods: co.selectorID(&co.podSelectors, p.Pods)}
		for _, d := range directions {
			cp.halves[d] = -1
			if p.Half(d).Isolates {
				cp.halves[d] = co.half(p.Half(d).Rules, d)
			}
		}
		co.policies[i] = cp
	}
	co.blockUses = make([]int, len(co.blocks.values))
	for _, p := range co.policies {
		for _, h := range p.halves {
			if h >= 0 {
				co.countBlocks(co.halves.values[h], func(block int32) { co.blockUses[block]++ })
			}
		}
	}
}

// countBlocks calls count for the blocks of each of rules, as far as the
// compiler knows their lists of peers.
func (co *compiler) countBlocks(rules []rule, count func(block int32)) {
	for _, r := range rules {
		if int(r.peers) < len(co.peerLists.values) {
			if b := co.peerLists.values[r.peers].blocks; b >= 0 {
				count(b)
			}
		}
	}
}

// release lets go of what only the compiler itself needs. The rest is for With.
func (co *compiler) release() {
	co.cluster, co.labelMaps, co.seats, co.ends = nil, nil, nil, nil
	co.firstSteps, co.steps, co.bits, co.tmp, co.sameHash = nil, nil, nil, table{}, nil
	co.profileBytes, co.rowHash, co.lists = nil, nil, arena[int32]{}
	co.groups, co.selects, co.speakers, co.spots, co.holds = nil, nil, nil, interner[[]cidr.Class]{}, nil
	co.key, co.ruleBytes, co.ruleSpans, co.podsPeers, co.blockIDs = nil, nil, nil, nil, nil
	co.addrClasses = nil
	co.scratch, co.rowBytes, co.sweeper, co.grants = nil, nil, sweeper{}, nil
}

var directions = [...]policy.Direction{policy.Egress, policy.Ingress}

// namespace returns the index of a namespace of the model.
func (co *compiler) namespace(name string) int32 {
	i, _ := slices.BinarySearchFunc(co.model.Namespaces, name, func(ns policy.Namespace, name string) int {
		return cmp.Compare(ns.Name, name)
	})
	return int32(i)
}

func (co *compiler) selectorID(in *interner[selector.Selector], s selector.Selector) int32 {
	co.key, _ = s.AppendText(co.key[:0])
	return in.id(&co.ids, co.key, func() selector.Selector { return s })
}

// A ruleSpan is where the key of a rule stands in the scratch of half.
type ruleSpan struct{ begin, end, rule, peers int32 }

// half returns the id of a list of rules. Neither order nor repetition of
// rules matters.
func (co *compiler) half(rules []policy.Rule, d policy.Direction) int32 {
	b, spans := co.ruleBytes[:0], co.ruleSpans[:0]
	for i, r := range rules {
		span := ruleSpan{begin: int32(len(b)), rule: int32(i), peers: co.peerList(r.Peers)}
		b = binary.AppendVarint(b, int64(span.peers))
		for _, it := range r.Ports {
			if co.profile.EndPortIgnored {
				it.Last = it.First
			}
			b = append(b, byte(it.Protocol))
			b = binary.BigEndian.AppendUint16(b, it.First)
			b = binary.BigEndian.AppendUint16(b, it.Last)
			b = binary.AppendUvarint(b, uint64(len(it.Name)))
			b = append(b, it.Name...)
			if it.Name != "" {
				co.key = appendNameKey(co.key[:0], it)
				co.portNames.id(&co.ids, co.key, func() policy.PortItem { return it })
				co.namedEgress = co.namedEgress || d == policy.Egress
			}
		}
		span.end = int32(len(b))
		spans = append(spans, span)
	}
	co.ruleBytes, co.ruleSpans = b, spans
	slices.SortFunc(spans, func(x, y ruleSpan) int { return bytes.Compare(b[x.begin:x.end], b[y.begin:y.end]) })
	spans = slices.CompactFunc(spans, func(x, y ruleSpan) bool { return bytes.Equal(b[x.begin:x.end], b[y.begin:y.end]) })
	whole := co.key[:0]
	for _, s := range spans {
		whole = binary.AppendUvarint(whole, uint64(s.end-s.begin))
		whole = append(whole, b[s.begin:s.end]...)
	}
	co.key = whole
	return co.halves.id(&co.ids, whole, func() []rule {
		out := make([]rule, len(spans))
		for i, s := range spans {
			out[i] = rule{s.peers, co.portItems(rules[s.rule].Ports)}
		}
		return out
	})
}

// portItems returns the items of a rule as the profile takes them.
func (co *compiler) portItems(items []policy.PortItem) []policy.PortItem {
	if co.profile.EndPortIgnored {
		items = slices.Clone(items)
		for i := range items {
			items[i].Last = items[i].First
		}
	}
	return items
}

// appendNameKey appends the key of the port name of an item.
func appendNameKey(b []byte, it policy.PortItem) []byte {
	return append(append(b, byte(it.Protocol)), it.Name...)
}

// portName returns the number of the port name of an item, if some rule has it.
func (co *compiler) portName(it policy.PortItem) (id int32, ok bool) {
	var key [64]byte
	return co.ids.get(portNameKey, appendNameKey(key[:0], it))
}

// peerList returns the id of a list of peers.
func (co *compiler) peerList(list []policy.Peer) int32 {
	pl := peerList{blocks: -1, pods: co.podsPeers[:0]}
	blocks := co.blockIDs[:0]
	for _, p := range list {
		switch p := p.(type) {
		case policy.Anyone:
			pl.anyone = true
		case policy.Block:
			co.key, _ = p.Addrs.AppendBinary(co.key[:0])
			blocks = append(blocks, co.singleBlocks.id(&co.ids, co.key, func() cidr.Set { return p.Addrs }))
		case policy.Pods:
			pp := podsPeer{ns: -1, namespaces: -1, pods: co.selectorID(&co.podSelectors, p.Pods)}
			if p.Namespace != "" {
				pp.ns = co.namespace(p.Namespace)
			} else {
				pp.namespaces = co.selectorID(&co.nsSelectors, p.Namespaces)
			}
			pl.pods = append(pl.pods, pp)
		}
	}
	co.podsPeers, co.blockIDs = pl.pods, blocks
	if len(blocks) > 0 {
		pl.blocks = co.blockList(blocks)
	}
	pl.sort()
	co.key = pl.appendTo(co.key[:0])
	return co.peerLists.id(&co.ids, co.key, func() peerList {
		pl.pods = slices.Clone(pl.pods)
		return pl
	})
}

// sort brings the peers into the order of their ids, each once.
func (pl *peerList) sort() {
	slices.SortFunc(pl.pods, func(a, b podsPeer) int {
		return cmp.Or(cmp.Compare(a.ns, b.ns), cmp.Compare(a.namespaces, b.namespaces), cmp.Compare(a.pods, b.pods))
	})
	pl.pods = slices.Compact(pl.pods)
}

// appendTo appends the key of pl.
func (pl *peerList) appendTo(b []byte) []byte {
	b = binary.AppendVarint(b, int64(pl.blocks))
	if pl.anyone {
		b = append(b, 'a')
	}
	for _, p := range pl.pods {
		for _, n := range [...]int32{p.ns, p.namespaces, p.pods} {
			b = binary.AppendVarint(b, int64(n))
		}
	}
	return b
}

// blocksKey sorts blocks and appends their key.
func blocksKey(b []byte, blocks []int32) (_ []byte, sorted []int32) {
	slices.Sort(blocks)
	blocks = slices.Compact(blocks)
	for _, id := range blocks {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return b, blocks
}

// knownBlocks returns the id of the union of single blocks, if there is one.
func (co *compiler) knownBlocks(blocks []int32) (id int32, ok bool) {
	key, _ := blocksKey(nil, blocks)
	if list, ok := co.ids.get(blockListKey, key); ok {
		return co.blockLists.values[list], true
	}
	return 0, false
}

// blockList returns the id of the union of single blocks, of which there is one
// at least.
func (co *compiler) blockList(blocks []int32) int32 {
	b, blocks := blocksKey(co.key[:0], blocks)
	co.key = b
	list := co.blockLists.id(&co.ids, b, func() int32 {
		sets := make([]cidr.Set, len(blocks))
		for i, id := range blocks {
			sets[i] = co.singleBlocks.values[id]
		}
		union := unionOf(sets)
		key, _ := union.AppendBinary(nil)
		return co.blocks.id(&co.ids, key, func() cidr.Set { return union })
	})
	return co.blockLists.values[list]
}

// unionOf returns the union of sets, of which there is one at least. It joins
// neighbors again and again, so that each address run is copied only
// logarithmically often.
func unionOf(sets []cidr.Set) cidr.Set {
	for len(sets) > 1 {
		half := sets[:0:0]
		for i := 0; i < len(sets); i += 2 {
			u := sets[i]
			if i+1 < len(sets) {
				u = u.Union(sets[i+1])
			}
			half = append(half, u)
		}
		sets = half
	}
	return sets[0]
}

func (co *compiler) sortLabels() {
	co.readLabels()
	co.labels = selector.NewPartition(co.podSelectors.values, co.labelMaps)
	sets := make([]map[string]string, len(co.model.Namespaces))
	for i := range co.model.Namespaces {
		sets[i] = co.model.Namespaces[i].Labels
	}
	co.nsLabels = selector.NewPartition(co.nsSelectors.values, sets)
}

// labelClass returns the class of the labels of the i'th pod.
func (co *compiler) labelClass(i int) int32 {
	return int32(co.labels.Class(int(co.allLabels.of[i])))
}

// selectsPod reports whether the i'th policy selects a pod of its namespace.
func (co *compiler) selectsPod(i int, pod int32) bool {
	return co.labels.In(selector.Class(co.labelClass(int(pod))), int(co.policies[i].pods))
}

// knowsKeys reports whether all labels of pods that a policy asks for are among
// those that other policies ask for.
func (co *compiler) knowsKeys(p *policy.Policy) bool {
	knows := func(s selector.Selector) bool {
		for key := range s.Keys() {
			if !co.keys[key] {
				return false
			}
		}
		return true
	}
	if !knows(p.Pods) {
		return false
	}
	for _, d := range directions {
		for _, r := range p.Half(d).Rules {
			for _, peer := range r.Peers {
				if pods, ok := peer.(policy.Pods); ok && !knows(pods.Pods) {
					return false
				}
			}
		}
	}
	return true
}

// resolvePortNames finds what each pod means by the port names that rules use.
func (co *compiler) resolvePortNames() {
	co.dialects.id(&co.ids, nil, func() []portMeaning { return nil })
	co.dialect = make([]int32, len(co.model.Pods))
	if len(co.portNames.values) == 0 {
		return
	}
	var names []int32
	var numbers []uint16
	var meanings []portMeaning
	for i := range co.model.Pods {
		names = names[:0]
		for _, p := range co.model.Pods[i].Ports {
			if name, ok := co.portName(policy.PortItem{Protocol: p.Port.Protocol, Name: p.Name}); ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		meanings = meanings[:0]
		for _, name := range slices.Compact(names) {
			numbers = co.profile.resolve(numbers[:0], &co.model.Pods[i], co.portNames.values[name])
			for _, number := range numbers {
				meanings = append(meanings, portMeaning{name, number})
			}
		}
		if len(meanings) == 0 {
			continue
		}
		b := co.key[:0]
		for _, m := range meanings {
			b = binary.AppendUvarint(b, uint64(m.name))
			b = binary.BigEndian.AppendUint16(b, m.number)
		}
		co.key = b
		co.dialect[i] = co.dialects.id(&co.ids, b, func() []portMeaning { return slices.Clone(meanings) })
	}
}

// sortAddrs sorts the addresses and notes which blocks hold which classes. It
// tells apart what the source ranges of Services tell apart, too, so that they
// treat the addresses of an endpoint outside alike.
func (co *compiler) sortAddrs() {
	sets := co.blocks.values[:len(co.blocks.values):len(co.blocks.values)]
	for _, s := range co.model.Services {
		for i, restricts := range s.HasRanges {
			if restricts {
				sets = append(sets, s.SourceRanges[i])
			}
		}
	}
	co.addrs = cidr.NewPartition(sets...)
	co.holds = make([][]int32, len(co.blocks.values))
	for c := range cidr.Class(co.addrs.Len()) {
		co.spot([]cidr.Class{c})
	}
}

// spot returns the id of the address classes of an end. Those of one class
// have the number of the class.
func (co *compiler) spot(classes []cidr.Class) int32 {
	switch {
	case len(classes) == 0:
		return -1
	case len(classes) == 1 && len(co.spots.values) >= co.addrs.Len():
		return int32(classes[0])
	}
	slices.Sort(classes)
	classes = slices.Compact(classes)
	b := co.key[:0]
	for _, c := range classes {
		b = binary.AppendUvarint(b, uint64(c))
	}
	co.key = b
	return co.spots.id(&co.ids, b, func() []cidr.Class {
		id, classes := int32(len(co.spots.values)), slices.Clone(classes)
		for _, c := range classes {
			for i := range co.addrs.Sets(c) {
				if i >= len(co.holds) {
					break // the source ranges of Services are no concern of peers
				}
				if n := len(co.holds[i]); n == 0 || co.holds[i][n-1] != id {
					co.holds[i] = append(co.holds[i], id)
				}
			}
		}
		return classes
	})
}

func isWorkload(p *policy.Pod) bool { return p.Kind != "Pod" }

// isNode reports whether p counts as the node that it runs on.
func (p Profile) isNode(pod *policy.Pod) bool { return pod.HostNetwork && !p.HostNetworkAsPods }

func (co *compiler) makeEnds() {
	pods, nodes := co.model.Pods, co.model.Nodes
	for i := range nodes {
		co.key = append(co.key[:0], nodes[i].Name...)
		co.tmp.add(nodeKey, co.key, int32(i))
	}
	// Hosts: the nodes, then one for each pod and replica whose node is not
	// known, then one for each endpoint outside.
	unknown := int32(len(nodes))
	n, at := co.countEnds()
	co.ends, co.at = make([]end, 0, n), make([]ownedAddr, 0, at)
	hostOf := func(p *policy.Pod) int32 {
		co.key = append(co.key[:0], p.Node...)
		if h, ok := co.tmp.get(nodeKey, co.key); ok {
			return h
		}
		unknown++
		return unknown - 1
	}
	for i := range pods {
		co.ends = append(co.ends, co.podEnd(i, hostOf(&pods[i]), pods[i].Addrs...))
	}
	co.first.replica = int32(len(co.ends))
	for i := range pods {
		if isWorkload(&pods[i]) {
			co.ends = append(co.ends, co.podEnd(i, hostOf(&pods[i]), pods[i].Addrs...))
		}
	}
	co.first.staffed = int32(len(co.ends))
	co.findStaffed()
	for _, s := range co.staffed {
		// Of the pods that it has, and of one more.
		co.ends = append(co.ends, co.podEnd(int(s.pods[0]), co.commonHost(s.pods, &unknown), pods[s.pods[0]].Addrs...))
		co.ends = append(co.ends, co.podEnd(int(s.pods[0]), unknown, pods[s.pods[0]].Addrs...))
		unknown++
	}
	co.first.node = int32(len(co.ends))
	for i := range nodes {
		co.ends = append(co.ends, co.nodeEnd(int32(i), nodes[i].Addrs...))
	}
	co.first.ownNode = int32(len(co.ends))
	for id := range co.first.node {
		if host := co.ends[id].host; host >= int32(len(nodes)) {
			co.ownNodes = append(co.ownNodes, id)
			co.ends = append(co.ends, co.nodeEnd(host))
		}
	}
	co.first.unknown = int32(len(co.ends))
	for _, flags := range [...]flags{isNode, 0} {
		e := end{host: unknown, flags: flags}
		co.place(&e, seat{kind: nodeSeat}, nil, true)
		co.ends = append(co.ends, e)
		unknown++
	}
	co.first.at = int32(len(co.ends))
	for i := range pods {
		if len(pods[i].Addrs) > 1 && !pods[i].Terminated {
			for _, a := range pods[i].Addrs {
				co.addAt(int32(i), a, co.podEnd(i, co.ends[i].host, a))
			}
		}
	}
	for i := range nodes {
		if len(nodes[i].Addrs) > 1 {
			for _, a := range nodes[i].Addrs {
				co.addAt(co.first.node+int32(i), a, co.nodeEnd(int32(i), a))
			}
		}
	}
	co.first.addr = int32(len(co.ends))
	for c := range int32(co.addrs.Len()) {
		s := co.seat(seat{kind: addrSeat, spot: c})
		for _, fam := range families {
			co.ends = append(co.ends, end{class: [2]int32{s, s}, host: unknown, flags: fam.flag()})
			unknown++
		}
	}
}

// countEnds returns about how many ends there will be, and how many of them are
// one of several addresses.
func (co *compiler) countEnds() (n, at int) {
	n = len(co.model.Pods) + len(co.model.Nodes) + 2*co.addrs.Len() + 2
	last := policy.Owner{}
	for i := range co.model.Nodes {
		if n := len(co.model.Nodes[i].Addrs); n > 1 {
			at += n
		}
	}
	for i := range co.model.Pods {
		p := &co.model.Pods[i]
		if len(p.Addrs) > 1 {
			at += len(p.Addrs)
		}
		switch {
		case p.Node == "":
			n += 2 // a node that is not known, perhaps a replica
		case p.Owner != last:
			n += 4 // a workload and its replica, and the nodes of both
		}
		last = p.Owner
	}
	return n + at, at
}

// findStaffed finds the workloads with pods of their own. A pod that is just
// starting, and has no address, does not speak for those that have one.
func (co *compiler) findStaffed() {
	last, id := policy.Owner{}, int32(-1) // of the pod before: the pods of a workload mostly follow one another
	namespace := ""
	for i := range co.model.Pods {
		p := &co.model.Pods[i]
		if p.Owner.Kind == "" || p.Terminated {
			continue
		}
		if p.Owner != last || p.Name.Namespace != namespace {
			last, namespace = p.Owner, p.Name.Namespace
			b := append(append(co.key[:0], namespace...), 0)
			b = append(append(b, last.Kind...), 0)
			co.key = append(b, last.Name...)
			var isNew bool
			if id, isNew = co.tmp.add(ownerKey, co.key, int32(len(co.staffed))); isNew {
				name := types.NamespacedName{Namespace: namespace, Name: last.Name}
				co.staffed = append(co.staffed, staffed{kind: last.Kind, name: name})
			}
		}
		s := &co.staffed[id]
		switch starting := len(p.Addrs) == 0; {
		case len(s.pods) == 0 || starting == (len(co.model.Pods[s.pods[0]].Addrs) == 0):
			s.pods = append(s.pods, int32(i))
		case !starting:
			s.pods = []int32{int32(i)}
		}
	}
}

// commonHost returns the host of pods, or an unknown one if they are on
// several.
func (co *compiler) commonHost(pods []int32, unknown *int32) int32 {
	host := co.ends[pods[0]].host
	for _, p := range pods {
		if co.ends[p].host != host {
			*unknown++
			return *unknown - 1
		}
	}
	return host
}

// addAt adds the end that an owner of several addresses is at one of them.
func (co *compiler) addAt(owner int32, a netip.Addr, e end) {
	e.flags |= isAt
	co.at = append(co.at, ownedAddr{owner, a})
	co.ends = append(co.ends, e)
}

// nodeEnd returns the end for the node with number host.
func (co *compiler) nodeEnd(host int32, addrs ...netip.Addr) end {
	e := end{host: host, flags: isNode}
	co.place(&e, seat{kind: nodeSeat}, addrs, co.profile.IPBlockSkipsNodes)
	return e
}

// podEnd returns the end for the i'th pod.
func (co *compiler) podEnd(i int, host int32, addrs ...netip.Addr) end {
	p := &co.model.Pods[i]
	e := end{host: host}
	switch {
	case p.Terminated:
		return e // it has no family, so nothing can reach it
	case co.profile.isNode(p):
		e.flags |= isNode
		co.place(&e, seat{kind: nodeSeat}, addrs, co.profile.IPBlockSkipsNodes)
	default:
		if co.profile.EgressToOwnNodeAllowed {
			e.flags |= ownNodeOK
		}
		s := seat{kind: podSeat, ns: co.nsOf[i], label: co.labelClass(i)}
		if co.namedEgress {
			s.dialect = co.dialect[i]
		}
		co.place(&e, s, addrs, co.profile.IPBlockSkipsPods)
	}
	return e
}

// place sets families and seats of e, which has the given addresses. An end
// without known addresses may have any, and no block matches it.
func (co *compiler) place(e *end, s seat, addrs []netip.Addr, hidden bool) {
	for _, a := range addrs {
		e.flags |= familyOf(a).flag()
	}
	if len(addrs) == 0 {
		e.flags |= hasBoth
	}
	for f, fam := range families {
		if e.flags&fam.flag() == 0 {
			continue
		}
		s.spot = -1
		if !hidden {
			classes := co.addrClasses[:0]
			for _, a := range addrs {
				if familyOf(a) == fam {
					classes = append(classes, co.addrs.Class(a))
				}
			}
			co.addrClasses = classes
			s.spot = co.spot(classes)
		}
		e.class[f] = co.seat(s)
	}
	switch e.flags & hasBoth {
	case hasIPv4:
		e.class[1] = e.class[0]
	case hasIPv6:
		e.class[0] = e.class[1]
	}
}

func familyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

func (co *compiler) seat(s seat) int32 {
	b := append(co.key[:0], byte(s.kind))
	co.key = appendInts(b, s.ns, s.label, s.dialect, s.spot)
	id, isNew := co.tmp.add(seatKey, co.key, int32(len(co.seats)))
	if isNew {
		co.seats = append(co.seats, s)
	}
	return id
}

func appendInts(b []byte, ints ...int32) []byte {
	for _, n := range ints {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// findMembers finds the seats that each list of peers picks.
func (co *compiler) findMembers() {
	byPod := func(of func(seat) int32) func(int) int32 {
		return func(i int) int32 {
			if co.seats[i].kind != podSeat {
				return -1
			}
			return of(co.seats[i])
		}
	}
	inNamespace := newBuckets(len(co.model.Namespaces), len(co.seats), byPod(func(s seat) int32 { return s.ns }))
	withLabels := newBuckets(co.labels.Len(), len(co.seats), byPod(func(s seat) int32 { return s.label }))
	onSpot := newBuckets(len(co.spots.values), len(co.seats), func(i int) int32 { return co.seats[i].spot })
	withNSLabels := make([][]int32, co.nsLabels.Len())
	for ns := range co.model.Namespaces {
		c := co.nsLabels.Class(ns)
		withNSLabels[c] = append(withNSLabels[c], int32(ns))
	}

	co.members = make([]memberSet, len(co.peerLists.values))
	var list, from []int32
	for i, pl := range co.peerLists.values {
		if pl.anyone {
			continue
		}
		list = list[:0]
		for _, p := range pl.pods {
			isFrom := func(ns int32) bool { return ns == p.ns }
			from = append(from[:0], p.ns)
			if p.ns < 0 {
				isFrom = func(ns int32) bool { return co.nsLabels.In(co.nsLabels.Class(int(ns)), int(p.namespaces)) }
				from = from[:0]
				for c := range co.nsLabels.Classes(int(p.namespaces)) {
					from = append(from, withNSLabels[c]...)
				}
			}
			// Go the shorter way: through the namespaces or through the labels.
			byNamespace, byLabel := 0, 0
			for _, ns := range from {
				byNamespace += len(inNamespace.at(ns))
			}
			for c := range co.labels.Classes(int(p.pods)) {
				if byLabel += 1 + len(withLabels.at(int32(c))); byLabel > byNamespace {
					break
				}
			}
			if byNamespace <= byLabel {
				for _, ns := range from {
					for _, s := range inNamespace.at(ns) {
						if co.labels.In(selector.Class(co.seats[s].label), int(p.pods)) {
							list = append(list, s)
						}
					}
				}
				continue
			}
			for c := range co.labels.Classes(int(p.pods)) {
				for _, s := range withLabels.at(int32(c)) {
					if isFrom(co.seats[s].ns) {
						list = append(list, s)
					}
				}
			}
		}
		if pl.blocks >= 0 {
			for _, spot := range co.holds[pl.blocks] {
				list = append(list, onSpot.at(spot)...)
			}
		}
		co.members[i] = co.newMembers(list, len(co.seats))
	}
}

// mergeClasses gives one class to all seats that the same lists of peers hold
// and that mean the same by port names, and translates ends and members.
func (co *compiler) mergeClasses() {
	class := make([]int32, len(co.seats))
	var size []int32
	ofDialect := make([]int32, len(co.dialects.values)) // 1 + the class
	for i, s := range co.seats {
		if ofDialect[s.dialect] == 0 {
			size = append(size, 0)
			ofDialect[s.dialect] = int32(len(size))
		}
		class[i] = ofDialect[s.dialect] - 1
		size[class[i]]++
	}

	// Split every class that a list holds in part.
	var hits, moved []int32 // by class
	var touched []int32
	for _, set := range co.members {
		hits = slices.Grow(hits[:0], len(size))[:len(size)]
		moved = slices.Grow(moved[:0], len(size))[:len(size)]
		for s := range set.all() {
			c := class[s]
			if hits[c] == 0 {
				touched = append(touched, c)
			}
			hits[c]++
		}
		for _, c := range touched {
			moved[c] = c
			if hits[c] < size[c] {
				moved[c] = int32(len(size))
				size[c] -= hits[c]
				size = append(size, hits[c])
			}
			hits[c] = 0
		}
		touched = touched[:0]
		for s := range set.all() {
			class[s] = moved[class[s]]
		}
	}
	co.classes = int32(len(size))

	for i := range co.ends {
		e := &co.ends[i]
		e.class[0], e.class[1] = class[e.class[0]], class[e.class[1]]
		if e.class[0] != e.class[1] {
			e.flags |= isSplit
		}
	}
	var list []int32
	for i, set := range co.members {
		list = list[:0]
		for s := range set.all() {
			list = append(list, class[s])
		}
		co.members[i] = co.newMembers(list, len(size))
	}
	co.receivers = make(map[portMeaning][]int32)
	if co.namedEgress {
		done := make([]bool, len(size))
		for i, s := range co.seats {
			if c := class[i]; !done[c] {
				done[c] = true
				for _, m := range co.dialects.values[s.dialect] {
					co.receivers[m] = append(co.receivers[m], c)
				}
			}
		}
		co.numbers = make([][]uint16, len(co.portNames.values))
		for m, list := range co.receivers {
			slices.Sort(list)
			co.numbers[m.name] = append(co.numbers[m.name], m.number)
		}
		for _, numbers := range co.numbers {
			slices.Sort(numbers)
		}
	}
}

// add adds a half. It drops repeated ones now and then: many policies may say
// the same.
func (g *group) add(d policy.Direction, half int32, lists *arena[int32]) {
	list := g.halves[d]
	if list == nil {
		list = lists.make(4)[:0]
	}
	list = append(list, half)
	if n := len(list); n >= 64 && n&(n-1) == 0 {
		slices.Sort(list)
		list = slices.Compact(list)
	}
	g.halves[d] = list
}

// selectPods finds which policies select which pods.
func (co *compiler) selectPods() {
	co.groupOf = make([]int32, len(co.model.Pods))
	for i := range co.model.Pods {
		p := &co.model.Pods[i]
		if p.Terminated || co.profile.isNode(p) {
			co.groupOf[i] = -1
			continue
		}
		g := group{ns: co.nsOf[i], label: co.labelClass(i), dialect: co.dialect[i]}
		co.key = appendInts(co.key[:0], g.ns, g.label, g.dialect)
		id, isNew := co.tmp.add(groupKey, co.key, int32(len(co.groups)))
		if isNew {
			co.groups = append(co.groups, g)
		}
		co.groupOf[i] = id
	}
	co.speakers = make(map[speaker][]int32)
	for id, g := range co.groups {
		for i, m := range co.dialects.values[g.dialect] {
			if i == 0 || m.name != co.dialects.values[g.dialect][i-1].name {
				k := speaker{g.ns, m.name}
				co.speakers[k] = append(co.speakers[k], int32(id))
			}
		}
	}
	inNamespace := newBuckets(len(co.model.Namespaces), len(co.groups), func(i int) int32 { return co.groups[i].ns })
	places := int32(0)
	at := newBuckets(len(co.groups), len(co.groups), func(i int) int32 {
		co.key = appendInts(co.key[:0], co.groups[i].ns, co.groups[i].label)
		place, isNew := co.tmp.add(placeKey, co.key, places)
		if isNew {
			places++
		}
		return place
	})

	co.selects = make([]bool, len(co.policies))
	for i, p := range co.policies {
		add := func(id int32) {
			co.selects[i] = true
			for _, d := range directions {
				if p.halves[d] >= 0 {
					co.groups[id].add(d, p.halves[d], &co.lists)
				}
			}
		}
		// Go the shorter way: through the namespace or through the labels.
		byLabel := 0
		for range co.labels.Classes(int(p.pods)) {
			if byLabel++; byLabel > len(inNamespace.at(p.ns)) {
				break
			}
		}
		if len(inNamespace.at(p.ns)) <= byLabel {
			for _, id := range inNamespace.at(p.ns) {
				if co.labels.In(selector.Class(co.groups[id].label), int(p.pods)) {
					add(id)
				}
			}
			continue
		}
		for c := range co.labels.Classes(int(p.pods)) {
			co.key = appendInts(co.key[:0], p.ns, int32(c))
			if place, ok := co.tmp.get(placeKey, co.key); ok {
				for _, id := range at.at(place) {
					add(id)
				}
			}
		}
	}
}
