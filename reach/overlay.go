package reach

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// An overlay is what With changes in a Graph that Compile made, if only policies
// change, and only so that they need nothing new of what tells endpoints apart.
// It holds profiles of its own for the pods that these policies select; all else
// is that of the Graph below.
//
// Its rows hold endpoints, and peer classes of the Graph below where these will
// do. What is told of classes in general, and not of endpoints, comes from the
// same cluster compiled afresh, the first time that somebody asks.
type overlay struct {
	below   *Graph
	changed map[types.NamespacedName]*policy.Policy // nil for those that are gone
	pages   []*page                                 // the profiles of endpoints, for those pages in which some change
	steps   [][]step                                // of the profiles
	rows    []overlayRow
	lists   []memberSet // of endpoints, the peer lists that the Graph below does not know
	fresh   func() *Graph
}

const pageBits = 8

// A page is the profiles of some endpoints, by direction.
type page [1 << pageBits][2]int32

type overlayRow struct {
	classes []uint64 // a bit for each peer class of the Graph below
	lists   []memberSet
}

func (o *overlay) profile(id int32, d policy.Direction) int32 {
	if p := o.pages[id>>pageBits]; p != nil {
		return p[id&(1<<pageBits-1)][d]
	}
	e := &o.below.ends[id]
	if d == policy.Egress {
		return e.egress
	}
	return e.ingress
}

// row returns the row of a profile for the port with key k.
func (o *overlay) row(profile, k int32) int32 {
	steps := o.steps[profile]
	i, found := slices.BinarySearchFunc(steps, k, func(s step, k int32) int { return cmp.Compare(s.from, k) })
	if !found {
		i--
	}
	return steps[i].row
}

// holds reports whether a row holds an endpoint over the family of index fam.
func (o *overlay) holds(row, id int32, fam int) bool {
	r := &o.rows[row]
	if c := o.below.ends[id].class[fam]; r.classes[c>>6]>>(uint(c)&63)&1 != 0 {
		return true
	}
	for _, list := range r.lists {
		if list.has(id) {
			return true
		}
	}
	return false
}

// toldApart is that of the Graph. Two that are alike here are alike; of two that
// are not, a policy that is gone may be the only one that tells them apart.
func (o *overlay) toldApart(a, b int32) bool {
	x, y := o.below.ends[a], o.below.ends[b]
	x.host, y.host = 0, 0
	for _, d := range directions {
		if o.profile(a, d) != o.profile(b, d) {
			return o.fresh().toldApart(a, b)
		}
	}
	x.egress, x.ingress, y.egress, y.ingress = 0, 0, 0, 0
	if x != y || slices.ContainsFunc(o.lists, func(l memberSet) bool { return l.has(a) != l.has(b) }) {
		return o.fresh().toldApart(a, b)
	}
	return false
}

// most is how many policies an overlay changes. With more, the cluster is
// compiled afresh, so that the cost of an edit does not grow with those before.
const most = 64

// withPolicies returns the Graph of c, which edits have made of g.cluster, if an
// overlay can tell it from the Graph below g, and else nil.
func (g *Graph) withPolicies(c *policy.Cluster, edits []policy.Edit) *Graph {
	below, changed := g, make(map[types.NamespacedName]*policy.Policy)
	if g.over != nil {
		below = g.over.below
		for name, p := range g.over.changed {
			changed[name] = p
		}
	}
	if below.profile.NotEnforced {
		return nil
	}
	var names []types.NamespacedName
	for _, e := range edits {
		kind, name := e.Object()
		if kind == "" {
			continue
		}
		if kind != "NetworkPolicy" || name.Name == "" || !hasNamespace(c, name.Namespace) {
			return nil
		}
		changed[name] = nil
		names = append(names, name)
	}
	for _, np := range c.Policies {
		for _, name := range names {
			if np == nil || np.Name != name.Name || cmp.Or(np.Namespace, "default") != name.Namespace {
				continue
			}
			p, err := policy.New(np)
			if err != nil || c.Place(np, "").File != "" {
				return nil // there is more to say about it
			}
			changed[name] = p
		}
	}
	if len(changed) > most {
		return nil
	}
	b := overlayBuilder{co: below.co, o: &overlay{below: below, changed: changed, pages: make([]*page, len(below.ends)>>pageBits+1)}}
	if !b.build() {
		return nil
	}

	f := *below.facts
	f.cluster = c
	f.policies = b.policies()
	h := *below
	h.over, h.facts = b.o, &f
	fresh := sync.OnceValue(func() *Graph {
		g, err := below.profile.compile(c)
		if err != nil {
			panic("reach: what With took is refused: " + err.Error())
		}
		return g
	})
	b.o.fresh = fresh
	f.warnings = func() []policy.Warning { return fresh().warnings() }
	f.nodeGroups = func() nodeGroups { return fresh().services.nodes }
	f.relation = func() *relation { return fresh().relation() }
	return &h
}

// hasNamespace reports whether there is a Namespace of that name. Without one, a
// policy alone can make a namespace known.
func hasNamespace(c *policy.Cluster, name string) bool {
	for _, ns := range c.Namespaces {
		if ns != nil && ns.Name == name {
			return true
		}
	}
	return false
}

// An overlayBuilder makes an overlay. It reads the compiler of the Graph below,
// which many may do at once, and changes nothing in it.
type overlayBuilder struct {
	co *compiler
	o  *overlay

	halves   [][]rule         // what changed policies say of one direction
	index    map[string]int32 // of the lists of peers that the compiler does not know; they count on from its own
	rows     map[string]int32
	profiles map[string]int32
	sweeper  sweeper
	key      []byte
}

// A change is a policy that has changed.
type change struct {
	before int // its index among the policies below, or -1
	after  *policy.Policy
	halves [2]int32 // the indices of what it says now, by direction; -1 if it does not isolate
}

// build fills the overlay. It reports false if that needs a selector key, a
// block, a port name or a list with a block that the Graph below does not know,
// or leaves out a block that nothing else uses: then addresses, labels or ports
// are told apart otherwise.
func (b *overlayBuilder) build() bool {
	b.index, b.rows, b.profiles = make(map[string]int32), make(map[string]int32), make(map[string]int32)
	uses := make(map[int32]int) // of blocks, how many more or fewer
	perNamespace := make(map[string][]change)
	for name, p := range b.o.changed {
		ch := change{before: -1, after: p, halves: [2]int32{-1, -1}}
		i, ok := slices.BinarySearchFunc(b.o.below.policies, name, comparePolicy)
		if ok {
			ch.before = i
			for _, h := range b.co.policies[i].halves {
				if h >= 0 {
					b.co.countBlocks(b.co.halves.values[h], func(block int32) { uses[block]-- })
				}
			}
		}
		if p != nil {
			if !b.co.knowsKeys(p) {
				return false
			}
			for _, d := range directions {
				if !p.Half(d).Isolates {
					continue
				}
				rules, ok := b.rules(p.Half(d).Rules, d)
				if !ok {
					return false
				}
				b.co.countBlocks(rules, func(block int32) { uses[block]++ })
				ch.halves[d] = int32(len(b.halves))
				b.halves = append(b.halves, rules)
			}
		}
		perNamespace[name.Namespace] = append(perNamespace[name.Namespace], ch)
	}
	for block, n := range uses {
		if b.co.blockUses[block]+n <= 0 {
			return false
		}
	}
	for ns, changes := range perNamespace {
		b.namespace(ns, changes)
	}
	return true
}

func comparePolicy(p *policy.Policy, name types.NamespacedName) int {
	return cmp.Or(cmp.Compare(p.Name.Namespace, name.Namespace), cmp.Compare(p.Name.Name, name.Name))
}

// rules returns rules in the form of the compiler.
func (b *overlayBuilder) rules(list []policy.Rule, d policy.Direction) ([]rule, bool) {
	rules := make([]rule, len(list))
	for i, r := range list {
		peers, ok := b.peerList(r.Peers)
		if !ok {
			return nil, false
		}
		rules[i] = rule{peers, make([]policy.PortItem, len(r.Ports))}
		for j, it := range r.Ports {
			if b.co.profile.EndPortIgnored {
				it.Last = it.First
			}
			if it.Name != "" {
				if _, known := b.co.portName(it); !known || d == policy.Egress && !b.co.namedEgress {
					return nil, false
				}
			}
			rules[i].ports[j] = it
		}
	}
	return rules, true
}

// peerList returns the number of a list of peers: that of the compiler, or one
// that counts on from these.
func (b *overlayBuilder) peerList(list []policy.Peer) (id int32, ok bool) {
	co, pl, known := b.co, peerList{blocks: -1}, true
	var blocks []int32
	for _, p := range list {
		switch p := p.(type) {
		case policy.Anyone:
			pl.anyone = true
		case policy.Block:
			b.key, _ = p.Addrs.AppendBinary(b.key[:0])
			block, found := co.ids.get(singleBlockKey, b.key)
			if !found {
				return 0, false
			}
			blocks = append(blocks, block)
		case policy.Pods:
			pp := podsPeer{ns: -1, namespaces: -1}
			var found bool
			b.key, _ = p.Pods.AppendText(b.key[:0])
			pp.pods, found = co.ids.get(podSelectorKey, b.key)
			known = known && found
			if p.Namespace != "" {
				pp.ns = co.namespace(p.Namespace)
			} else {
				b.key, _ = p.Namespaces.AppendText(b.key[:0])
				pp.namespaces, found = co.ids.get(nsSelectorKey, b.key)
				known = known && found
			}
			pl.pods = append(pl.pods, pp)
		}
	}
	if len(blocks) > 0 {
		if pl.blocks, ok = co.knownBlocks(blocks); !ok {
			return 0, false
		}
	}
	if known {
		pl.sort()
		b.key = pl.appendTo(b.key[:0])
		if id, ok := co.ids.get(peerListKey, b.key); ok {
			return id, true
		}
	}
	if pl.blocks >= 0 || pl.anyone {
		return 0, false
	}
	b.key = b.key[:0]
	for _, p := range list {
		text := p.String()
		b.key = append(binary.AppendUvarint(b.key, uint64(len(text))), text...)
	}
	id, ok = b.index[string(b.key)]
	if !ok {
		id = int32(len(co.peerLists.values) + len(b.o.lists))
		b.index[string(b.key)] = id
		b.o.lists = append(b.o.lists, b.members(list))
	}
	return id, true
}

// members returns the endpoints that peers pick, of which all are [policy.Pods].
func (b *overlayBuilder) members(list []policy.Peer) memberSet {
	g := b.o.below
	var ids []int32
	for _, peer := range list {
		p := peer.(policy.Pods)
		for i := range g.namespaces {
			ns := &g.namespaces[i]
			if p.Namespace != "" && p.Namespace != ns.Name || !p.Namespaces.Matches(ns.Labels) {
				continue
			}
			for pod := range g.podsIn(ns.Name) {
				if b.co.groupOf[pod] >= 0 && p.Pods.Matches(g.pods[pod].Labels) {
					ids = append(ids, pod)
				}
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, pod := range ids[:len(ids):len(ids)] {
		ids = g.appendOthers(ids, pod)
	}
	return newMemberSet(ids, len(g.ends))
}

// podsIn yields the pods of a namespace.
func (f *facts) podsIn(namespace string) func(func(int32) bool) {
	return func(yield func(int32) bool) {
		i, _ := slices.BinarySearchFunc(f.pods, namespace, func(p policy.Pod, ns string) int { return cmp.Compare(p.Name.Namespace, ns) })
		for ; i < len(f.pods) && f.pods[i].Name.Namespace == namespace; i++ {
			if !yield(int32(i)) {
				return
			}
		}
	}
}

// appendOthers appends the other endpoints that are what a pod is: its replica,
// the workload that it stands for, and the pod at each of its addresses.
func (f *facts) appendOthers(ids []int32, pod int32) []int32 {
	if n, ok := slices.BinarySearch(f.replicas, pod); ok {
		ids = append(ids, f.first.replica+int32(n))
	}
	for _, s := range f.staffedBy()[pod] {
		ids = append(ids, f.first.staffed+2*s, f.first.staffed+2*s+1)
	}
	n, _ := slices.BinarySearchFunc(f.at, pod, func(a ownedAddr, pod int32) int { return cmp.Compare(a.owner, pod) })
	for ; n < len(f.at) && f.at[n].owner == pod; n++ {
		ids = append(ids, f.first.at+int32(n))
	}
	return ids
}

// namespace gives profiles to the pods of a namespace that a policy selects, or
// selected, which has changed.
func (b *overlayBuilder) namespace(ns string, changes []change) {
	g, co := b.o.below, b.co
	lo, hi := g.policyRange(ns)
	isChanged := func(i int) bool { return slices.ContainsFunc(changes, func(c change) bool { return c.before == i }) }
	var same []int // the policies that have not changed
	for i := lo; i < hi; i++ {
		if !isChanged(i) {
			same = append(same, i)
		}
	}
	// Pods that all these policies select alike have the same profiles.
	type alike struct {
		label, dialect int32
		own            string // which of changes select them now
	}
	known := make(map[alike]*[2]int32) // nil if no change concerns them
	var ids []int32
	var own []byte
	for pod := range g.podsIn(ns) {
		if co.groupOf[pod] < 0 {
			continue
		}
		own = own[:0]
		for i, c := range changes {
			if c.after != nil && c.after.Pods.Matches(g.pods[pod].Labels) {
				own = append(own, byte(i))
			}
		}
		k := alike{co.labelClass(int(pod)), co.dialect[pod], string(own)}
		profiles, ok := known[k]
		if !ok {
			profiles = b.profilesOf(pod, own, same, changes)
			known[k] = profiles
		}
		if profiles == nil {
			continue
		}
		ids = g.appendOthers(append(ids[:0], pod), pod)
		for _, id := range ids {
			b.set(id, *profiles)
		}
	}
}

// profilesOf returns the profiles of a pod that some changes select now, and some
// of the policies that stay the same. It returns nil if no change concerns it.
func (b *overlayBuilder) profilesOf(pod int32, own []byte, same []int, changes []change) *[2]int32 {
	co := b.co
	if len(own) == 0 && !slices.ContainsFunc(changes, func(c change) bool { return c.before >= 0 && co.selectsPod(c.before, pod) }) {
		return nil
	}
	var profiles [2]int32
	for _, d := range directions {
		var known, changed []int32
		for _, i := range same {
			if h := co.policies[i].halves[d]; h >= 0 && co.selectsPod(i, pod) {
				known = append(known, h)
			}
		}
		for _, i := range own {
			if h := changes[i].halves[d]; h >= 0 {
				changed = append(changed, h)
			}
		}
		profiles[d] = b.profile(d, co.dialect[pod], known, changed)
	}
	return &profiles
}

func (b *overlayBuilder) set(id int32, profiles [2]int32) {
	p := &b.o.pages[id>>pageBits]
	if *p == nil {
		*p = new(page)
		first := id >> pageBits << pageBits
		for i, e := range b.o.below.ends[first:min(int(first)+len(*p), len(b.o.below.ends))] {
			(*p)[i] = [2]int32{policy.Egress: e.egress, policy.Ingress: e.ingress}
		}
	}
	(*p)[id&(1<<pageBits-1)] = profiles
}

// profile returns the profile that halves of policies make, those that the
// compiler knows and those that are new.
func (b *overlayBuilder) profile(d policy.Direction, dialect int32, known, own []int32) int32 {
	if len(known)+len(own) == 0 {
		return unisolated
	}
	for _, list := range [...][]int32{known, own} {
		slices.Sort(list)
	}
	known, own = slices.Compact(known), slices.Compact(own)
	key := append(b.key[:0], byte(d))
	if d == policy.Ingress {
		key = binary.AppendUvarint(key, uint64(dialect))
	}
	key = binary.AppendUvarint(key, uint64(len(known)))
	for _, h := range append(known, own...) {
		key = binary.AppendUvarint(key, uint64(h))
	}
	b.key = key
	if p, ok := b.profiles[string(key)]; ok {
		return p
	}
	text := string(key)
	var grants []grant
	for _, h := range known {
		grants = b.co.appendRules(grants, b.co.halves.values[h], d, dialect)
	}
	for _, h := range own {
		grants = b.co.appendRules(grants, b.halves[h], d, dialect)
	}
	steps := slices.Clone(b.sweeper.sweep(b.co.appendBypass(grants), b.union))
	p := ^int32(len(b.o.steps))
	b.o.steps = append(b.o.steps, steps)
	b.profiles[text] = p
	return p
}

// union returns the row of the peers of the active grants.
func (b *overlayBuilder) union(grants []grant, active []int) int32 {
	b.key = appendUnion(b.key[:0], grants, active)
	if row, ok := b.rows[string(b.key)]; ok {
		return row
	}
	text := string(b.key)
	row := overlayRow{classes: make([]uint64, b.co.words)}
	for _, a := range active {
		g := grants[a]
		if n := int(g.peers) - len(b.co.peerLists.values); n < 0 {
			b.co.addPeers(row.classes, g)
		} else {
			row.lists = append(row.lists, b.speakers(b.o.lists[n], g))
		}
	}
	id := int32(len(b.o.rows))
	b.rows[text] = id
	b.o.rows = append(b.o.rows, row)
	return id
}

// speakers returns those of the endpoints in list to whom a grant applies.
func (b *overlayBuilder) speakers(list memberSet, g grant) memberSet {
	if !g.named {
		return list
	}
	var ids []int32
	ends := b.o.below.ends
	for id := range list.all() {
		if _, ok := slices.BinarySearch(b.co.receivers[g.means], ends[id].class[0]); ok {
			ids = append(ids, id)
		}
	}
	return newMemberSet(ids, len(ends))
}

// policies returns the policies after the change.
func (b *overlayBuilder) policies() []*policy.Policy {
	list := append(make([]*policy.Policy, 0, len(b.o.below.policies)+len(b.o.changed)), b.o.below.policies...)
	for name := range b.o.changed {
		if i, ok := slices.BinarySearchFunc(list, name, comparePolicy); ok {
			list = slices.Delete(list, i, i+1)
		}
	}
	for name, p := range b.o.changed {
		if p != nil {
			i, _ := slices.BinarySearchFunc(list, name, comparePolicy)
			list = slices.Insert(list, i, p)
		}
	}
	return list
}
