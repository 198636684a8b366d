package reach

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/polreach/polreach/policy"
	"k8s.io/apimachinery/pkg/types"
)

// An overlay is what With changes in a Graph that Compile made, if nothing new is
// needed of what tells endpoints apart. It holds profiles of its own for the pods
// that are selected otherwise, or whose policies pick others as peers; all else is
// that of the Graph below.
//
// Its rows hold endpoints, and peer classes of the Graph below where these will
// do. Endpoints that other lists of peers hold than before have moved: they are
// still of their class in the rows below, since whoever has a policy with such a
// list has a profile of the overlay; in its rows they have bits of their own.
//
// What is told of classes in general, and not of endpoints, comes from the same
// cluster compiled afresh, the first time that somebody asks.
type overlay struct {
	below      *Graph
	loose      bool                                    // the Graph below has not the pods that it was compiled for
	policies   map[types.NamespacedName]*policy.Policy // those that have changed; nil for those that are gone
	pods       map[int32]bool                          // those with other labels, as far as selectors look at them, or ports
	namespaces map[int32]bool                          // those with other labels
	pages      []*page                                 // of the endpoints, for those pages in which some change
	steps      [][]step                                // of the profiles
	rows       []overlayRow
	lists      []memberSet // of endpoints, the peer lists that the Graph below does not know
}

const pageBits = 8

// A page is what changes of some endpoints.
type page [1 << pageBits]place

// A place is what changes of an endpoint.
type place struct {
	profiles [2]int32 // by direction
	seats    [2]int32 // by family, among those of the overlay; -1 if it has not moved
}

type overlayRow struct {
	classes []uint64 // a bit for each peer class of the Graph below
	seats   []uint64 // a bit for each seat of the overlay
	lists   []memberSet
}

func (o *overlay) profile(id int32, d policy.Direction) int32 {
	if p := o.pages[id>>pageBits]; p != nil {
		return p[id&(1<<pageBits-1)].profiles[d]
	}
	e := &o.below.ends[id]
	if d == policy.Egress {
		return e.egress
	}
	return e.ingress
}

// seats returns the seats of an endpoint by family, -1 if it has not moved.
func (o *overlay) seats(id int32) [2]int32 {
	if p := o.pages[id>>pageBits]; p != nil {
		return p[id&(1<<pageBits-1)].seats
	}
	return [2]int32{-1, -1}
}

// hasMoved reports whether an endpoint has moved. That of no overlay has not.
func (o *overlay) hasMoved(id int32) bool { return o != nil && o.seats(id)[0] >= 0 }

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
	bits, n := r.classes, o.below.ends[id].class[fam]
	if seat := o.seats(id)[fam]; seat >= 0 {
		bits, n = r.seats, seat
	}
	if bits[n>>6]>>(uint(n)&63)&1 != 0 {
		return true
	}
	for _, list := range r.lists {
		if list.has(id) {
			return true
		}
	}
	return false
}

// toldApartOver is toldApart if there is an overlay. Two that are alike in it are
// alike; of two that are not, a policy that is gone may be the only one that tells
// them apart.
func (g *Graph) toldApartOver(a, b int32) bool {
	o := g.over
	x, y := o.below.ends[a], o.below.ends[b]
	x.host, y.host = 0, 0
	x.egress, x.ingress, y.egress, y.ingress = 0, 0, 0, 0
	alike := x == y && o.seats(a) == o.seats(b)
	for _, d := range directions {
		alike = alike && o.profile(a, d) == o.profile(b, d)
	}
	if alike && !slices.ContainsFunc(o.lists, func(l memberSet) bool { return l.has(a) != l.has(b) }) {
		return false
	}
	return g.fresh().toldApart(a, b)
}

// isSplit reports whether policies tell apart the families of an endpoint.
func (g *Graph) isSplit(id int32) bool {
	split := g.ends[id].flags&isSplit != 0
	if split && g.over != nil || g.over.hasMoved(id) {
		return g.fresh().ends[id].flags&isSplit != 0
	}
	return split
}

// most is how much an overlay changes: policies, pods and namespaces. With more,
// the cluster is compiled afresh, so that the cost of an edit does not grow with
// those before.
const most = 64

// cover fills the overlay of h, which p has made of g. It returns nil if h needs
// none, and reports false if an overlay cannot tell h from the Graph below.
func (h *Graph) cover(g *Graph, o *overlay, p *patch) (*overlay, bool) {
	if len(p.policies)+len(p.pods)+len(p.namespaces) == 0 && p.shift == nil {
		return g.over, true
	}
	if o.below.profile.NotEnforced {
		return nil, false
	}
	maps.Copy(o.policies, p.policies)
	for i := range p.pods {
		o.pods[i] = true
	}
	for i := range p.namespaces {
		o.namespaces[i] = true
	}
	b := overlayBuilder{co: o.below.co, h: h, o: o}
	if !b.compare() {
		return nil, false
	}
	switch n := len(o.policies) + len(o.pods) + len(o.namespaces); {
	case n == 0 && !o.loose:
		return nil, true
	case n > most:
		return nil, false
	}
	o.pages = make([]*page, len(o.below.ends)>>pageBits+1)
	if !b.build() {
		return nil, false
	}
	h.policies = b.policies()
	return o, true
}

// An overlayBuilder makes an overlay. It reads the compiler of the Graph below,
// which many may do at once, and changes nothing in it.
type overlayBuilder struct {
	co *compiler
	h  *Graph // with the pods and namespaces after the edits
	o  *overlay

	// compare
	dialects map[int32]int32 // of the pods that have changed

	// move
	moverID  map[moverKey]int32
	movers   []mover
	seatID   map[moverSeat]int32
	seats    []moverSeat
	seatRows map[int32][]uint64 // the seats in each list of peers, as far as somebody has asked
	affected []bool             // halves that hold other peers than before

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
	type edited struct {
		changes  []change
		affected []int // policies that are the same, but pick others as peers
	}
	namespaces := make(map[string]*edited)
	in := func(ns string) *edited {
		if namespaces[ns] == nil {
			namespaces[ns] = new(edited)
		}
		return namespaces[ns]
	}
	for name, p := range b.o.policies {
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
		in(name.Namespace).changes = append(in(name.Namespace).changes, ch)
	}
	for block, n := range uses {
		if b.co.blockUses[block]+n <= 0 {
			return false
		}
	}
	if len(b.o.pods)+len(b.o.namespaces) > 0 {
		b.move()
		for i, p := range b.co.policies {
			if slices.ContainsFunc(p.halves[:], b.isAffected) {
				e := in(b.o.below.policies[i].Name.Namespace)
				e.affected = append(e.affected, i)
			}
		}
	}
	for pod := range b.o.pods {
		in(b.h.pods[pod].Name.Namespace)
	}
	for ns, e := range namespaces {
		b.namespace(ns, e.changes, e.affected)
	}
	return true
}

// isAffected reports whether a half of the compiler holds other peers than before.
func (b *overlayBuilder) isAffected(half int32) bool {
	return half >= 0 && len(b.affected) > 0 && b.affected[half]
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
	g := b.h
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

// namespace gives profiles to those pods of a namespace that have changed, or that
// a policy selects, or selected, which has changed or is affected.
func (b *overlayBuilder) namespace(ns string, changes []change, affected []int) {
	co := b.co
	lo, hi := b.o.below.policyRange(ns)
	isChanged := func(i int) bool { return slices.ContainsFunc(changes, func(c change) bool { return c.before == i }) }
	var same []int // the policies that have not changed
	for i := lo; i < hi; i++ {
		if !isChanged(i) {
			same = append(same, i)
		}
	}
	affected = slices.DeleteFunc(affected, isChanged)
	// Pods that all these policies select alike have the same profiles.
	type alike struct {
		label, dialect int32
		own            string // which of changes select them now
	}
	known := make(map[alike]*[2]int32) // nil if no change concerns them
	var ids []int32
	var own []byte
	for pod := range b.h.podsIn(ns) {
		if co.groupOf[pod] < 0 {
			continue
		}
		own = own[:0]
		for i, c := range changes {
			if c.after != nil && c.after.Pods.Matches(b.h.pods[pod].Labels) {
				own = append(own, byte(i))
			}
		}
		k := alike{co.labelClass(int(pod)), b.dialect(pod), string(own)}
		if b.o.pods[pod] {
			k.label = ^pod // nobody else's
		}
		profiles, ok := known[k]
		if !ok {
			profiles = b.profilesOf(pod, own, same, affected, changes)
			known[k] = profiles
		}
		if profiles == nil {
			continue
		}
		ids = b.h.appendOthers(append(ids[:0], pod), pod)
		for _, id := range ids {
			b.place(id).profiles = *profiles
		}
	}
}

// profilesOf returns the profiles of a pod that some changes select now, and some
// of the policies that stay the same. It returns nil if nothing concerns it.
func (b *overlayBuilder) profilesOf(pod int32, own []byte, same, affected []int, changes []change) *[2]int32 {
	co := b.co
	e := &b.o.below.ends[pod]
	profiles := [2]int32{policy.Egress: e.egress, policy.Ingress: e.ingress}
	before := profiles
	for _, d := range directions {
		concerned := b.o.pods[pod] ||
			slices.ContainsFunc(own, func(i byte) bool { return changes[i].halves[d] >= 0 }) ||
			slices.ContainsFunc(affected, func(i int) bool { return b.isAffected(co.policies[i].halves[d]) && co.selectsPod(i, pod) }) ||
			slices.ContainsFunc(changes, func(c change) bool {
				return c.before >= 0 && co.policies[c.before].halves[d] >= 0 && co.selectsPod(c.before, pod)
			})
		if !concerned {
			continue
		}
		var known, changed []int32
		for _, i := range same {
			if h := co.policies[i].halves[d]; h >= 0 && b.selects(i, pod) {
				known = append(known, h)
			}
		}
		for _, i := range own {
			if h := changes[i].halves[d]; h >= 0 {
				changed = append(changed, h)
			}
		}
		profiles[d] = b.profile(d, b.dialect(pod), known, changed)
	}
	if profiles == before {
		return nil
	}
	return &profiles
}

// selects reports whether the i'th policy of the Graph below selects a pod now.
func (b *overlayBuilder) selects(i int, pod int32) bool {
	if b.o.pods[pod] {
		return b.o.below.policies[i].Pods.Matches(b.h.pods[pod].Labels)
	}
	return b.co.selectsPod(i, pod)
}

// dialect returns the dialect of a pod now.
func (b *overlayBuilder) dialect(pod int32) int32 {
	if d, ok := b.dialects[pod]; ok {
		return d
	}
	return b.co.dialect[pod]
}

// place returns what changes of an endpoint, to be filled in.
func (b *overlayBuilder) place(id int32) *place {
	p := &b.o.pages[id>>pageBits]
	if *p == nil {
		*p = new(page)
		first := id >> pageBits << pageBits
		for i, e := range b.o.below.ends[first:min(int(first)+len(*p), len(b.o.below.ends))] {
			(*p)[i] = place{[2]int32{policy.Egress: e.egress, policy.Ingress: e.ingress}, [2]int32{-1, -1}}
		}
	}
	return &(*p)[id&(1<<pageBits-1)]
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
	row := overlayRow{classes: make([]uint64, b.co.words), seats: make([]uint64, (len(b.seats)+63)/64)}
	for _, a := range active {
		g := grants[a]
		if n := int(g.peers) - len(b.co.peerLists.values); n < 0 {
			b.co.addPeers(row.classes, g)
			b.addSeats(row.seats, g)
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
		speaks := false
		if seats := b.o.seats(id); seats[0] >= 0 {
			speaks = b.speaks(seats[0], g.means)
		} else {
			_, speaks = slices.BinarySearch(b.co.receivers[g.means], ends[id].class[0])
		}
		if speaks {
			ids = append(ids, id)
		}
	}
	return newMemberSet(ids, len(ends))
}

// policies returns the policies after the change.
func (b *overlayBuilder) policies() []*policy.Policy {
	list := append(make([]*policy.Policy, 0, len(b.o.below.policies)+len(b.o.policies)), b.o.below.policies...)
	for name := range b.o.policies {
		if i, ok := slices.BinarySearchFunc(list, name, comparePolicy); ok {
			list = slices.Delete(list, i, i+1)
		}
	}
	for name, p := range b.o.policies {
		if p != nil {
			i, _ := slices.BinarySearchFunc(list, name, comparePolicy)
			list = slices.Insert(list, i, p)
		}
	}
	return list
}
