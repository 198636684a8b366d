package selector

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
)

// A Partition sorts label sets into classes: two label sets share a class
// exactly when every selector given to [NewPartition] picks both or neither.
// It is immutable and safe for concurrent use. The zero Partition has no label
// sets, no selectors and no classes.
type Partition struct {
	class []Class // of each label set
	len   int     // number of classes
	row   []int32 // of each selector; Equal selectors share one
	picks matrix  // row by class
}

// A Class is a class of a Partition, from 0 up to its Len. Classes are numbered
// in the order of the first label set of each.
type Class int

// NewPartition sorts sets into the classes that selectors tell apart.
// It keeps no reference to the maps.
//
// Label sets that differ only in what no selector mentions count as one, and so
// do Equal selectors. The g groups of label sets and s selectors that remain
// take memory for g times s bits, and time that grows at worst with g times s.
func NewPartition(selectors []Selector, sets []map[string]string) *Partition {
	p := &Partition{
		class: make([]Class, len(sets)),
		row:   make([]int32, len(selectors)),
	}
	distinct := make([]Selector, 0, len(selectors))
	var texts interner
	var buf []byte
	for i, s := range selectors {
		buf = s.appendTo(buf[:0])
		row, isNew := texts.intern(buf)
		if isNew {
			distinct = append(distinct, s)
		}
		p.row[i] = row
	}

	x := newIndex(distinct)
	groups := make([]int32, len(sets))
	for i, labels := range sets {
		groups[i] = x.add(labels)
	}
	rows, inverted := x.evaluate(distinct)
	blocks := refine(rows, x.len())

	// A block gets its class when the first of its label sets comes along.
	classes := make([]Class, x.len())
	for b := range classes {
		classes[b] = -1
	}
	for i, g := range groups {
		b := blocks[g]
		if classes[b] < 0 {
			classes[b] = Class(p.len)
			p.len++
		}
		p.class[i] = classes[b]
	}

	p.picks = newMatrix(len(distinct), p.len)
	for r := range distinct {
		picks := p.picks.row(r)
		for g := range rows.row(r).all() {
			picks.add(int(classes[blocks[g]]))
		}
		if inverted[r] {
			picks.complement(p.len)
		}
	}
	return p
}

// Len returns the number of classes, which is 0 if there are no label sets.
func (p *Partition) Len() int { return p.len }

// Class returns the class of the i'th label set. It panics if there is no such
// set.
func (p *Partition) Class(i int) Class { return p.class[i] }

// In reports whether the i'th selector picks the label sets of c. It takes
// constant time. It panics if there is no such class or no such selector.
func (p *Partition) In(c Class, i int) bool {
	if uint(c) >= uint(p.len) {
		panic("selector: class of another partition")
	}
	return p.picks.row(int(p.row[i])).has(int(c))
}

// Classes returns the classes that the i'th selector picks, ascending.
// It panics if there is no such selector.
func (p *Partition) Classes(i int) iter.Seq[Class] {
	row := p.picks.row(int(p.row[i]))
	return func(yield func(Class) bool) {
		for c := range row.all() {
			if !yield(Class(c)) {
				return
			}
		}
	}
}

// An index finds the groups of label sets with a given label. A group is a set
// of label sets that have the same terms.
type index struct {
	// A term is something that a selector can ask of one label: to be there, or
	// to be there with a certain value. Only what some selector mentions has a
	// number, so that no group depends on anything else.
	keys map[string]*keyTerms

	groups interner // keyed by terms
	terms  []int32  // scratch space for the terms of one label set
	buf    []byte   // scratch space for the same, encoded

	chains   []chain // by term
	postings []posting
}

type keyTerms struct {
	term   int32       // that the label is there
	values []valueTerm // that it has a certain value, as long as they are few
	more   map[string]int32
}

type valueTerm struct {
	value string
	term  int32
}

const few = 8 // values that are found faster one by one than in a map

// value returns the term that the label has value v.
func (k *keyTerms) value(v string) (term int32, mentioned bool) {
	for i := range k.values {
		if k.values[i].value == v {
			return k.values[i].term, true
		}
	}
	term, mentioned = k.more[v]
	return term, mentioned
}

func (k *keyTerms) add(v string, term int32) {
	switch {
	case len(k.values) < few:
		k.values = append(k.values, valueTerm{v, term})
	case k.more == nil:
		k.more = map[string]int32{v: term}
	default:
		k.more[v] = term
	}
}

// A chain lists the groups that have a term. The links of all chains share one
// slice, which takes fewer allocations than a slice for each term.
type chain struct {
	head   int32 // in postings
	length int32
	packed bitset // the same groups, if the chain is long
}

type posting struct {
	group int32
	next  int32 // in postings; of no meaning in the last link of a chain
}

// newIndex returns an empty index for the terms that selectors mention.
func newIndex(selectors []Selector) *index {
	x := &index{keys: map[string]*keyTerms{}}
	newTerm := func() int32 {
		x.chains = append(x.chains, chain{})
		return int32(len(x.chains) - 1)
	}
	for _, s := range selectors {
		for _, c := range s.constraints {
			key, known := x.keys[c.key]
			if !known {
				key = &keyTerms{term: newTerm()}
				x.keys[c.key] = key
			}
			for _, v := range c.values {
				if _, known := key.value(v); !known {
					key.add(v, newTerm())
				}
			}
		}
	}
	return x
}

// add returns the group of a label set.
func (x *index) add(labels map[string]string) int32 {
	x.terms = x.terms[:0]
	for k, v := range labels {
		key, mentioned := x.keys[k]
		if !mentioned {
			continue
		}
		x.terms = append(x.terms, key.term)
		if t, mentioned := key.value(v); mentioned {
			x.terms = append(x.terms, t)
		}
	}
	slices.Sort(x.terms)
	x.buf = x.buf[:0]
	for _, t := range x.terms {
		x.buf = binary.NativeEndian.AppendUint32(x.buf, uint32(t))
	}
	group, isNew := x.groups.intern(x.buf)
	if isNew {
		for _, t := range x.terms {
			c := &x.chains[t]
			x.postings = append(x.postings, posting{group, c.head})
			c.head = int32(len(x.postings) - 1)
			c.length++
		}
	}
	return group
}

// len returns the number of groups.
func (x *index) len() int { return len(x.groups) }

// evaluate returns which groups each selector picks. A row that would hold more
// than half of the groups is inverted: it holds those left out.
func (x *index) evaluate(selectors []Selector) (rows matrix, inverted []bool) {
	rows = newMatrix(len(selectors), x.len())
	inverted = make([]bool, len(selectors))
	x.pack(rows.stride)
	asked := make(bitset, rows.stride)
	for i, s := range selectors {
		if s.nothing {
			continue
		}
		row := rows.row(i)
		row.complement(x.len()) // all of them, before any constraint
		for _, c := range s.constraints {
			key := x.keys[c.key]
			// Of the five forms, three ask about the label being there.
			if c.absent != c.except {
				clear(asked)
				x.unite(asked, key.term)
				row.keep(asked, !c.absent)
			}
			if len(c.values) > 0 {
				clear(asked)
				for _, v := range c.values {
					term, _ := key.value(v)
					x.unite(asked, term)
				}
				row.keep(asked, !c.except)
			}
		}
		if 2*row.len() > x.len() {
			row.complement(x.len())
			inverted[i] = true
		}
	}
	return rows, inverted
}

// pack gives each chain that is longer than a bitset of that many words such a
// bitset. All of them together are no larger than the chains.
func (x *index) pack(words int) {
	for t := range x.chains {
		c := &x.chains[t]
		if int(c.length) > max(words, 64) {
			packed := make(bitset, words)
			x.unite(packed, int32(t))
			c.packed = packed
		}
	}
}

// unite adds to b the groups that have the term.
func (x *index) unite(b bitset, term int32) {
	c := &x.chains[term]
	for i, w := range c.packed {
		b[i] |= w
	}
	if c.packed == nil {
		for i, n := c.head, c.length; n > 0; i, n = x.postings[i].next, n-1 {
			b.add(int(x.postings[i].group))
		}
	}
}

// refine sorts n columns of m into blocks: two columns share a block exactly
// when they are the same. It returns the block of each column, below n.
//
// It starts with one block and splits, row by row, each block that the row cuts
// in two.
func refine(m matrix, n int) []int32 {
	blocks := make([]int32, n)
	type block struct {
		size   int32
		inside int32 // columns that are in the current row
		rest   int32 // block that they move to, or 0 if they stay
	}
	all := make([]block, 1, n+1)
	all[0].size = int32(n)
	var cut []int32 // blocks with columns in the current row

	for r := range m.height {
		row := m.row(r)
		for c := range row.all() {
			b := blocks[c]
			if all[b].inside == 0 {
				cut = append(cut, b)
			}
			all[b].inside++
		}
		for _, b := range cut {
			if inside := all[b].inside; inside < all[b].size {
				all[b].size -= inside
				all[b].rest = int32(len(all))
				all = append(all, block{size: inside})
			}
		}
		for c := range row.all() {
			if rest := all[blocks[c]].rest; rest != 0 {
				blocks[c] = rest
			}
		}
		for _, b := range cut {
			all[b].inside, all[b].rest = 0, 0
		}
		cut = cut[:0]
	}
	return blocks
}

// An interner numbers byte strings from 0 on, in the order they come.
type interner map[string]int32

func (in *interner) intern(b []byte) (number int32, isNew bool) {
	if number, ok := (*in)[string(b)]; ok {
		return number, false
	}
	if *in == nil {
		*in = interner{}
	}
	number = int32(len(*in))
	(*in)[string(b)] = number
	return number, true
}

// A matrix is a list of bitsets of one size.
type matrix struct {
	words  bitset
	stride int // words in a row
	height int
}

func newMatrix(height, width int) matrix {
	stride := (width + 63) / 64
	return matrix{make(bitset, height*stride), stride, height}
}

func (m matrix) row(i int) bitset { return m.words[i*m.stride : (i+1)*m.stride] }

// A bitset is a set of small numbers.
type bitset []uint64

func (b bitset) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }
func (b bitset) add(i int)      { b[i/64] |= 1 << (i % 64) }

// complement makes b the numbers below n that it did not hold. All that it held
// must be below n, which must use up its last word.
func (b bitset) complement(n int) {
	for i := range b {
		b[i] = ^b[i]
	}
	if n%64 != 0 {
		b[n/64] &= 1<<(n%64) - 1
	}
}

// keep removes from b all numbers but those that are in c, if inside is true,
// or all but those that are not.
func (b bitset) keep(c bitset, inside bool) {
	for i, w := range c {
		if !inside {
			w = ^w
		}
		b[i] &= w
	}
}

func (b bitset) len() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// all returns the numbers in b, ascending.
func (b bitset) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range b {
			for ; w != 0; w &= w - 1 {
				if !yield(64*i + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}
