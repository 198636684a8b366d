package reach

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"

	"github.com/polreach/polreach/policy"
)

// This file turns rules into what queries read: profiles, steps and rows.

// makeProfiles lays out steps and rows, and gives every pod its profiles.
func (co *compiler) makeProfiles() {
	co.words = (co.classes + 63) / 64
	co.scratch = make([]uint64, co.words)
	all := make([]uint64, co.words)
	for i := range all {
		all[i] = math.MaxUint64
	}
	co.addProfile([]step{{0, co.row(all)}}) // unisolated
	if co.profile.NotEnforced {
		return
	}
	type pair [2]int32
	done := make([]pair, len(co.groups))
	for i := range co.groups {
		for _, d := range directions {
			done[i][d] = co.profileOf(&co.groups[i], d)
		}
	}
	set := func(e *end, pod int) {
		if g := co.groupOf[pod]; g >= 0 {
			e.egress, e.ingress = done[g][policy.Egress], done[g][policy.Ingress]
		}
	}
	replica := co.first.replica
	for i := range co.model.Pods {
		set(&co.ends[i], i)
		if isWorkload(&co.model.Pods[i]) {
			set(&co.ends[replica], i)
			replica++
		}
	}
	for i, s := range co.staffed {
		set(&co.ends[co.first.staffed+2*int32(i)], int(s.pods[0]))
		set(&co.ends[co.first.staffed+2*int32(i)+1], int(s.pods[0]))
	}
	for i, at := range co.at {
		e, owner := &co.ends[co.first.at+int32(i)], &co.ends[at.owner]
		e.egress, e.ingress = owner.egress, owner.ingress
	}
}

// addProfile returns the profile with the given steps.
func (co *compiler) addProfile(steps []step) int32 {
	b := co.key[:0]
	for _, s := range steps {
		b = appendInts(b, s.from, s.row)
	}
	co.key = b
	p, isNew := co.tmp.add(stepsKey, b, int32(len(co.firstSteps)))
	if isNew {
		co.firstSteps = append(co.firstSteps, int32(len(co.steps)))
		co.steps = append(co.steps, steps...)
	}
	return p
}

// findPorts fills in the classes of ports and the table of g, unless there are
// too many classes, or profiles that tell them apart.
func (g *Graph) findPorts() {
	n := len(g.profiles) - 1
	most := min(1<<8, (1<<14+16*len(g.steps))/n)
	first := []int32{0} // the first key of each class
	var merged []int32
	for p := range n {
		merged = merged[:0]
		own := g.stepsOf(int32(p))
		for i := 0; i < len(first) || len(own) > 0; {
			switch {
			case len(own) == 0 || i < len(first) && first[i] < own[0].from:
				merged = append(merged, first[i])
				i++
			case i < len(first) && first[i] == own[0].from:
				own = own[1:]
			default:
				merged = append(merged, own[0].from)
				own = own[1:]
			}
		}
		if len(merged) > most {
			return
		}
		if len(merged) > len(first) {
			first, merged = merged, first
		}
	}
	g.ports = portPages(first)
	if g.ports == nil {
		return
	}
	g.width = int32(len(first))
	g.table = make([]int32, 0, n*len(first))
	for p := range n {
		own := g.stepsOf(int32(p))
		for _, k := range first {
			for len(own) > 1 && own[1].from <= k {
				own = own[1:]
			}
			g.table = append(g.table, own[0].row)
		}
	}
}

// portPages returns the pages of the classes of ports with the given first keys,
// as port reads them, or nil if there are too many.
func portPages(first []int32) []uint8 {
	const size, blocks = 1 << 8, keyOther>>8 + 1
	pages := make([]uint8, (blocks+size-1)/size*size, 5<<10)
	class, whole := 0, -1 // of the last page: its class, if it has but one
	for b := range blocks {
		k := int32(b * size)
		if class+1 < len(first) && first[class+1] == k {
			class++
		}
		if class+1 < len(first) && first[class+1] < k+size || whole != class {
			page := len(pages) / size
			if page == size {
				return nil
			}
			pages[b] = uint8(page)
			whole = class
			for ; k < int32(b+1)*size; k++ {
				if class+1 < len(first) && first[class+1] == k {
					class, whole = class+1, -1
				}
				pages = append(pages, uint8(class))
			}
			continue
		}
		pages[b] = uint8(len(pages)/size - 1)
	}
	return pages
}

// A grant allows the ports with keys from first to last to the peers of a
// list. If named, only to those that mean its number by its name.
type grant struct {
	first, last int32
	peers       int32
	means       portMeaning
	named       bool
}

func (a grant) compare(b grant) int {
	named := func(g grant) int32 {
		if g.named {
			return 1 + g.means.name
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.peers, b.peers), cmp.Compare(named(a), named(b)), cmp.Compare(a.means.number, b.means.number))
}

// profileOf returns the profile of the pods of a group in one direction.
func (co *compiler) profileOf(g *group, d policy.Direction) int32 {
	halves := g.halves[d]
	if len(halves) == 0 {
		return unisolated
	}
	slices.Sort(halves)
	halves = slices.Compact(halves)
	b := append(co.key[:0], byte(d))
	if d == policy.Ingress {
		b = binary.AppendUvarint(b, uint64(g.dialect))
	}
	for _, h := range halves {
		b = binary.AppendUvarint(b, uint64(h))
	}
	co.key = b
	p, ok := co.tmp.get(profileKey, b)
	if !ok {
		co.profileBytes = append(co.profileBytes[:0], b...)
		grants := co.grants[:0]
		for _, h := range halves {
			grants = co.appendRules(grants, co.halves.values[h], d, g.dialect)
		}
		co.grants = co.appendBypass(grants)
		p = co.addProfile(co.sweeper.sweep(co.grants, co.union))
		co.tmp.add(profileKey, co.profileBytes, p)
	}
	return p
}

// appendRules appends what rules grant, to pods of a dialect.
func (co *compiler) appendRules(grants []grant, rules []rule, d policy.Direction, dialect int32) []grant {
	for _, r := range rules {
		for _, it := range r.ports {
			grants = co.appendGrants(grants, r.peers, it, d, dialect)
		}
	}
	return grants
}

// appendBypass appends what no rule is needed for.
func (co *compiler) appendBypass(grants []grant) []grant {
	if co.profile.SCTP == SCTPBypasses {
		grants = append(grants, grant{first: 2 << 16, last: keyOther - 1, peers: co.anyone})
	}
	return grants
}

// appendGrants appends what one port item grants to the peers of its rule.
func (co *compiler) appendGrants(grants []grant, peers int32, it policy.PortItem, d policy.Direction, dialect int32) []grant {
	if co.profile.SCTP == SCTPDropped {
		switch it.Protocol {
		case policy.SCTP:
			return grants
		case 0:
			return append(grants,
				grant{first: 0, last: 2<<16 - 1, peers: peers},
				grant{first: keyOther, last: keyOther, peers: peers})
		}
	}
	switch {
	case it.Protocol == 0:
		return append(grants, grant{first: 0, last: keyOther, peers: peers})
	case it.Name == "":
		first, last := key(it.Protocol.Port(it.First)), key(it.Protocol.Port(it.Last))
		if it.First == 0 {
			last = key(it.Protocol.Port(math.MaxUint16))
		}
		return append(grants, grant{first: first, last: last, peers: peers})
	}
	name, _ := co.portName(it)
	if d == policy.Ingress {
		for _, m := range co.dialects.values[dialect] {
			if m.name == name {
				k := key(it.Protocol.Port(m.number))
				grants = append(grants, grant{first: k, last: k, peers: peers})
			}
		}
		return grants
	}
	for _, number := range co.numbers[name] {
		k := key(it.Protocol.Port(number))
		grants = append(grants, grant{first: k, last: k, peers: peers, means: portMeaning{name, number}, named: true})
	}
	return grants
}

// A sweeper is the scratch of sweep. The zero sweeper is ready for use.
type sweeper struct {
	events []event
	steps  []step
	open   []int // how many grants with the same peers are active, by the first of them
	active []int // the first ones, ascending
}

// An event is that grants begin, or are over.
type event struct {
	at    int32
	first int // of the grants with these peers
	more  int // grants with these peers from here on
}

// sweep returns the steps of a profile with the given grants, until the next
// sweep. The union of the peers of some of them is a row; no two of these have
// the same peers.
func (sw *sweeper) sweep(grants []grant, union func(grants []grant, active []int) int32) []step {
	slices.SortFunc(grants, grant.compare)
	events := sw.events[:0]
	first := 0
	for i, g := range grants {
		if g.compare(grants[first]) != 0 {
			first = i
		}
		events = append(events, event{g.first, first, 1}, event{g.last + 1, first, -1})
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	steps := append(sw.steps[:0], step{0, union(nil, nil)})
	open := append(sw.open[:0], make([]int, len(grants))...)
	active := sw.active[:0]
	for i := 0; i < len(events); {
		at, changed := events[i].at, false
		for ; i < len(events) && events[i].at == at; i++ {
			e := events[i]
			open[e.first] += e.more
			j, isActive := slices.BinarySearch(active, e.first)
			switch {
			case open[e.first] > 0 && !isActive:
				active, changed = slices.Insert(active, j, e.first), true
			case open[e.first] <= 0 && isActive:
				active, changed = slices.Delete(active, j, j+1), true
			}
		}
		if !changed {
			continue
		}
		if at > keyOther {
			break
		}
		row := union(grants, active)
		last := &steps[len(steps)-1]
		switch {
		case last.from == at:
			last.row = row
		case last.row != row:
			steps = append(steps, step{at, row})
		}
	}
	sw.events, sw.steps, sw.open, sw.active = events, steps, open, active
	return steps
}

// appendUnion appends a key of the peers of the active grants to b, which is
// empty. Instead of a long one it is a hash for which nobody can find two.
func appendUnion(b []byte, grants []grant, active []int) []byte {
	for _, a := range active {
		g := grants[a]
		b = binary.AppendUvarint(b, uint64(g.peers))
		if g.named {
			b = binary.AppendUvarint(append(b, 1), uint64(g.means.name))
			b = binary.BigEndian.AppendUint16(b, g.means.number)
		} else {
			b = append(b, 0)
		}
	}
	if len(b) > 2*sha256.Size {
		sum := sha256.Sum256(b)
		b = append(b[:0], sum[:]...)
	}
	return b
}

// union returns the row of the peers of the active grants.
func (co *compiler) union(grants []grant, active []int) int32 {
	co.key = appendUnion(co.key[:0], grants, active)
	row, ok := co.tmp.get(unionKey, co.key)
	if !ok {
		clear(co.scratch)
		for _, a := range active {
			co.addPeers(co.scratch, grants[a])
		}
		row = co.row(co.scratch)
		co.tmp.add(unionKey, co.key, row)
	}
	return row
}

// addPeers adds the peers of a grant to those in a row.
func (co *compiler) addPeers(bits []uint64, g grant) {
	members := co.members[g.peers]
	switch anyone := co.peerLists.values[g.peers].anyone; {
	case anyone && !g.named:
		for i := range bits {
			bits[i] = math.MaxUint64
		}
	case anyone:
		setAll(bits, co.receivers[g.means])
	case g.named:
		members.both(co.receivers[g.means], func(c int32) bool {
			setAll(bits, []int32{c})
			return true
		})
	default:
		members.addTo(bits)
	}
}

// row returns the index of the row with the given content.
func (co *compiler) row(content []uint64) int32 {
	b := co.rowBytes[:0]
	for _, w := range content {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	co.rowBytes = b
	b = binary.LittleEndian.AppendUint64(co.rowHash[:0], maphash.Bytes(co.tmp.seed, b))
	row := int32(len(co.bits))
	last, isNew := co.tmp.add(rowKey, b, row)
	if !isNew {
		for r := last; r >= 0; r = co.sameHash[r/co.words] {
			if slices.Equal(co.bits[r:r+co.words], content) {
				return r
			}
		}
		co.tmp.set(rowKey, b, row)
	} else {
		last = -1
	}
	co.bits = append(co.bits, content...)
	co.sameHash = append(co.sameHash, last)
	return row
}
