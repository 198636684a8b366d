package reach

import (
	"maps"
	"slices"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
)

// This file finds what an overlay does about pods that lists of peers hold which
// did not hold them before, or no longer hold.

// A mover is what the rules can know of pods that have moved, but for their
// addresses.
type mover struct {
	ns      int32
	label   int32             // the class of the labels, -1 if they have changed
	labels  map[string]string // if they have changed
	dialect int32
}

type moverKey struct{ ns, label, dialect, pod int32 } // pod is -1 if its labels are what they were

// A moverSeat is what the rules can know of an end that has moved, over a family.
type moverSeat struct {
	mover int32
	class int32 // of its address; -1 if it has none, or blocks do not see it
}

// compare drops from the overlay the pods and namespaces of which policies see
// nothing new, and finds the dialects of the others. It reports false if that needs
// a dialect that the Graph below does not know.
func (b *overlayBuilder) compare() bool {
	b.dialects = make(map[int32]int32)
	for i := range b.o.pods {
		if b.co.groupOf[i] < 0 {
			delete(b.o.pods, i)
			continue
		}
		d, ok := b.co.dialectOf(&b.h.pods[i])
		switch {
		case !ok:
			return false
		case d == b.co.dialect[i] && maps.Equal(b.h.pods[i].Labels, b.o.below.pods[i].Labels):
			delete(b.o.pods, i)
		default:
			b.dialects[i] = d
		}
	}
	for i := range b.o.namespaces {
		if maps.Equal(b.h.namespaces[i].Labels, b.o.below.namespaces[i].Labels) {
			delete(b.o.namespaces, i)
		}
	}
	return true
}

// dialectOf returns what a pod means by port names, if that is known.
func (co *compiler) dialectOf(p *policy.Pod) (int32, bool) {
	var meanings []portMeaning
	if len(p.Ports) > 0 {
		for name, it := range co.portNames.values {
			for _, number := range co.profile.resolve(nil, p, it) {
				meanings = append(meanings, portMeaning{int32(name), number})
			}
		}
	}
	for _, m := range meanings {
		if co.namedEgress && len(co.receivers[m]) == 0 {
			return 0, false
		}
	}
	d := slices.IndexFunc(co.dialects.values, func(known []portMeaning) bool { return slices.Equal(known, meanings) })
	return int32(d), d >= 0
}

// move finds the ends that have moved, and which rules hold other peers than
// before.
func (b *overlayBuilder) move() {
	co := b.co
	b.moverID, b.seatID, b.seatRows = make(map[moverKey]int32), make(map[moverSeat]int32), make(map[int32][]uint64)
	touched := make([]bool, len(co.peerLists.values)) // lists that may hold others than before
	named := false                                    // some pod means other numbers than before, and egress rules name ports
	for _, pod := range slices.Sorted(maps.Keys(b.o.pods)) {
		ns, labels := co.nsOf[pod], b.h.pods[pod].Labels
		class := selector.Class(co.labelClass(int(pod)))
		flips := make([]bool, len(co.podSelectors.values))
		for i, s := range co.podSelectors.values {
			flips[i] = s.Matches(labels) != co.labels.In(class, i)
		}
		moves := false
		for i, pl := range co.peerLists.values {
			for _, p := range pl.pods {
				if flips[p.pods] && (p.ns == ns || p.ns < 0 && (b.picksNamespace(p.namespaces, ns) || co.picksNamespace(p.namespaces, ns))) {
					touched[i], moves = true, true
				}
			}
		}
		if co.namedEgress && b.dialects[pod] != co.dialect[pod] {
			named, moves = true, true
		}
		if moves {
			b.moveTo(pod, moverKey{ns, -1, b.dialects[pod], pod})
		}
	}
	for _, ns := range slices.Sorted(maps.Keys(b.o.namespaces)) {
		moves := false
		for i, pl := range co.peerLists.values {
			for _, p := range pl.pods {
				if p.ns < 0 && b.picksNamespace(p.namespaces, ns) != co.picksNamespace(p.namespaces, ns) {
					touched[i], moves = true, true
				}
			}
		}
		if !moves {
			continue
		}
		for pod := range b.h.podsIn(b.h.namespaces[ns].Name) {
			switch {
			case co.groupOf[pod] < 0:
			case b.o.pods[pod]:
				b.moveTo(pod, moverKey{ns, -1, b.dialects[pod], pod})
			default:
				b.moveTo(pod, moverKey{ns, co.labelClass(int(pod)), co.dialect[pod], -1})
			}
		}
	}
	b.affected = make([]bool, len(co.halves.values))
	for i, rules := range co.halves.values {
		b.affected[i] = slices.ContainsFunc(rules, func(r rule) bool {
			return touched[r.peers] || named && slices.ContainsFunc(r.ports, func(it policy.PortItem) bool { return it.Name != "" })
		})
	}
}

// picksNamespace reports whether a selector picks a namespace.
func (co *compiler) picksNamespace(s, ns int32) bool {
	return co.nsLabels.In(co.nsLabels.Class(int(ns)), int(s))
}

// picksNamespace is that of the compiler with the labels of now.
func (b *overlayBuilder) picksNamespace(s, ns int32) bool {
	if b.o.namespaces[ns] {
		return b.co.nsSelectors.values[s].Matches(b.h.namespaces[ns].Labels)
	}
	return b.co.picksNamespace(s, ns)
}

// moveTo gives seats to all that is a pod which has moved.
func (b *overlayBuilder) moveTo(pod int32, k moverKey) {
	m, ok := b.moverID[k]
	if !ok {
		m = int32(len(b.movers))
		b.moverID[k] = m
		b.movers = append(b.movers, mover{k.ns, k.label, b.h.pods[pod].Labels, k.dialect})
	}
	addrs := b.h.pods[pod].Addrs
	for _, id := range b.h.appendOthers([]int32{pod}, pod) {
		e, p := &b.o.below.ends[id], b.place(id)
		own := addrs
		if e.flags&isAt != 0 {
			own = b.h.knownAddrs(id)
		}
		for f, fam := range families {
			if e.flags&fam.flag() == 0 {
				continue
			}
			s := moverSeat{m, -1}
			for _, a := range own {
				if familyOf(a) == fam && !b.co.profile.IPBlockSkipsPods {
					s.class = int32(b.co.addrs.Class(a))
				}
			}
			p.seats[f] = b.seat(s)
		}
		switch e.flags & hasBoth {
		case hasIPv4:
			p.seats[1] = p.seats[0]
		case hasIPv6:
			p.seats[0] = p.seats[1]
		}
	}
}

func (b *overlayBuilder) seat(s moverSeat) int32 {
	id, ok := b.seatID[s]
	if !ok {
		id = int32(len(b.seats))
		b.seatID[s] = id
		b.seats = append(b.seats, s)
	}
	return id
}

// addSeats adds to a row the seats of those to whom a grant applies, which is to
// peers that the compiler knows.
func (b *overlayBuilder) addSeats(row []uint64, g grant) {
	if len(b.seats) == 0 {
		return
	}
	in, ok := b.seatRows[g.peers]
	if !ok {
		in = make([]uint64, len(row))
		for i, s := range b.seats {
			if b.isIn(&b.co.peerLists.values[g.peers], s) {
				in[i>>6] |= 1 << (i & 63)
			}
		}
		b.seatRows[g.peers] = in
	}
	for i := range b.seats {
		if in[i>>6]>>(i&63)&1 != 0 && (!g.named || b.speaks(int32(i), g.means)) {
			row[i>>6] |= 1 << (i & 63)
		}
	}
}

// isIn reports whether a list of peers holds a seat.
func (b *overlayBuilder) isIn(pl *peerList, s moverSeat) bool {
	co, m := b.co, &b.movers[s.mover]
	if pl.anyone || pl.blocks >= 0 && s.class >= 0 && co.addrs.In(cidr.Class(s.class), int(pl.blocks)) {
		return true
	}
	for _, p := range pl.pods {
		switch {
		case p.ns >= 0 && p.ns != m.ns, p.ns < 0 && !b.picksNamespace(p.namespaces, m.ns):
		case m.label >= 0 && co.labels.In(selector.Class(m.label), int(p.pods)),
			m.label < 0 && co.podSelectors.values[p.pods].Matches(m.labels):
			return true
		}
	}
	return false
}

// speaks reports whether the pods of a seat mean a number by a name.
func (b *overlayBuilder) speaks(seat int32, means portMeaning) bool {
	return slices.Contains(b.co.dialects.values[b.movers[b.seats[seat].mover].dialect], means)
}
