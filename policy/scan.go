package policy

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
)

// Most manifests are plain. Scanners read these fast, and give up on everything
// else: then the libraries read it, which decide what YAML and JSON mean. A
// scanner never refuses a text and never accepts one that the libraries refuse;
// where in doubt, it gives up.

// A scope is how much of a value a scanner keeps.
type scope uint8

const (
	nothing scope = iota // it is only checked
	places               // lists and objects, with where everything stands, but not what scalars say
	chosen               // what is read of it
	all
	anObject   // it is an object of a kind that its members will tell
	theObjects // it may be a list of such objects
)

// A wish is what a scanner should keep of a value.
type wish struct {
	scope
	shape *shape // of what is chosen
	kind  *kind  // of the object, if that is known
}

// of returns what to keep of the member called name, and the field that it is,
// if that is known.
func (w wish) of(name []byte) (wish, *shapeField) {
	switch w.scope {
	case chosen:
	case anObject:
		if string(name) == "items" {
			return wish{scope: theObjects}, nil
		}
		return wish{scope: all}, nil
	default:
		return w, nil
	}
	f := w.shape.field(name)
	switch {
	case f == nil || !f.read:
		return wish{scope: nothing}, f
	case f.within == nil:
		return wish{scope: all}, f
	}
	return wish{scope: chosen, shape: f.within}, f
}

// drops reports whether nothing is kept of a member that is f, not even its name.
func (w wish) drops(f *shapeField) bool {
	return w.scope == nothing || f != nil && !f.read
}

// forObject, forList and forItem return what to keep of a value if it turns out
// to be an object, a list, or if it is an element of such a list.
func (w wish) forObject() wish { return w.instead(theObjects, all) }
func (w wish) forList() wish   { return w.instead(anObject, all) }
func (w wish) forItem() wish   { return w.forList().instead(theObjects, anObject) }

// instead returns w, with the scope to if it had the scope from.
func (w wish) instead(from, to scope) wish {
	if w.scope == from {
		w.scope = to
	}
	return w
}

// wantsText reports whether what a scalar says is kept.
func (w wish) wantsText() bool { return w.scope > places }

// wishFor returns what to keep of an object of a kind.
func wishFor(apiVersion, name string) wish {
	if strings.HasSuffix(name, "List") {
		return wish{scope: anObject}
	}
	k, refused := lookUp(apiVersion, name)
	switch {
	case refused != nil:
		return wish{scope: all}
	case k == nil:
		return wish{scope: chosen, shape: &shape{}}
	}
	return wish{scope: chosen, shape: k.shape(), kind: k}
}

// An audience is given the items of a list instead of the list.
type audience struct {
	each   func(*value)
	piece  int                   // how much of the list to take at once, if it can be divided
	divide func(cuts []int) bool // hears the items that begin between the cuts; false if a scanner gives up
}

// cutsIn returns the places in text[at:end], about piece bytes apart, at which
// items seem to begin, the first at among them: behind each, but for the first,
// there is what item begins with, and in front of it newline.
func cutsIn(text []byte, at, end, piece int, newline, item string) []int {
	cuts := []int{at}
	for from := at + piece; from < end; {
		n := bytes.Index(text[from:end], []byte(newline+item))
		if n < 0 {
			break
		}
		cuts = append(cuts, from+n+len(newline))
		from += n + piece
	}
	return cuts
}

// A header is what the members of an object have told so far about its kind.
type header struct{ apiVersion, kind string }

// A grove is where scanners grow values. All of them die when it is cleared.
type grove struct {
	members  []member // of the objects that are not complete, the innermost last
	items    []value  // of the lists
	names    [][]byte // of their members
	allTrees pool[member]
	allLists pool[value]
	audience *audience // of the items of the document, if it is a list
	depth    int       // of the value that is read
	slots    [deepest + 2]value
	words    words
	wishes   map[header]wish
}

func (g *grove) clear() {
	g.members, g.items, g.names = g.members[:0], g.items[:0], g.names[:0]
	g.allTrees.release(mark{})
	g.allLists.release(mark{})
}

// wishFor is wishFor that remembers.
func (g *grove) wishFor(h header) wish {
	w, ok := g.wishes[h]
	if !ok {
		const enough = 1000 // kinds: no cluster has as many
		if g.wishes == nil || len(g.wishes) == enough {
			g.wishes = make(map[header]wish)
		}
		w = wishFor(h.apiVersion, h.kind)
		g.wishes[h] = w
	}
	return w
}

const deepest = 200 // a scanner gives up at values nested deeper; the limit itself is maxDepth

// slot returns a place for a value inside of the one that is read now. Another
// one beside it, or deeper, will use it again.
func (g *grove) slot(w wish) *value {
	v := &g.slots[g.depth+1]
	if w.scope != nothing {
		*v = value{}
	}
	return v
}

// areItems reports whether elements of the innermost list, of which w is kept,
// go to the audience.
func (g *grove) areItems(w wish) bool {
	return w.scope == anObject && g.depth == depthOfItems && g.audience != nil
}

const depthOfItems = 2 // of the list of them

// add adds an element to the innermost list, of which w is kept.
func (g *grove) add(v *value, w wish) {
	switch {
	case w.scope == nothing:
	case g.areItems(w):
		item := *v
		g.audience.each(&item)
	default:
		g.items = append(g.items, *v)
	}
}

// An opening remembers how much a grove held when an object or a list began.
type opening int

// openObject and openList begin an object or a list, closeObject and closeList
// return what was added since.
func (g *grove) openObject() opening { return opening(len(g.members)) }
func (g *grove) openList() opening   { return opening(len(g.items)) }

func (g *grove) closeObject(o opening) []member {
	m := g.allTrees.keep(g.members[o:])
	g.members = g.members[:o]
	return m
}

func (g *grove) closeList(o opening) []value {
	v := g.allLists.keep(g.items[o:])
	g.items = g.items[:o]
	return v
}

// distinctSince reports whether the names since o are distinct, and drops them.
func (g *grove) distinctSince(o opening) bool {
	names := g.names[o:]
	defer func() { g.names = g.names[:o] }()
	slices.SortFunc(names, bytes.Compare)
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i-1], names[i]) {
			return false
		}
	}
	return true
}

// isBelow reports whether name comes behind last, or last is nil.
func isBelow(last, name []byte) bool {
	if a, b := firstLetters(last), firstLetters(name); a != b {
		return a < b
	}
	return last == nil || bytes.Compare(last, name) < 0
}

// firstLetters returns the first eight bytes of name, or zeros for those that
// it does not have, as a number: names that begin in other ways are in the order
// of these numbers.
func firstLetters(name []byte) uint64 {
	if cap(name) < 8 {
		var padded [8]byte
		copy(padded[:], name)
		return binary.BigEndian.Uint64(padded[:])
	}
	return binary.BigEndian.Uint64(name[:8]) &^ (^uint64(0) >> (8 * min(len(name), 8)))
}

// nameHash returns a hash of name.
func nameHash(name []byte) uint64 {
	tail := name[max(0, len(name)-8):]
	return (firstLetters(name) ^ firstLetters(tail)*3 + uint64(len(name))) * 0x9E3779B97F4A7C15 >> 32
}

// called returns the name of a member, which is the field f if that is not nil.
func (g *grove) called(name []byte, f *shapeField) string {
	if f != nil {
		return f.name
	}
	return g.words.get(name)
}

// A pool gives out memory, and takes back what it gave last.
type pool[T any] struct {
	blocks [][]T
	now    int // the block to take from
}

// A mark is how much a pool gave out.
type mark struct{ block, length int }

func (p *pool[T]) mark() mark {
	if len(p.blocks) == 0 {
		return mark{}
	}
	return mark{p.now, len(p.blocks[p.now])}
}

// release takes back what was given out since m.
func (p *pool[T]) release(m mark) {
	if len(p.blocks) == 0 {
		return
	}
	for ; p.now > m.block; p.now-- {
		p.blocks[p.now] = p.blocks[p.now][:0]
	}
	p.blocks[p.now] = p.blocks[p.now][:m.length]
}

// keep returns a copy of s.
func (p *pool[T]) keep(s []T) []T {
	const size = 256
	if len(s) == 0 {
		return nil
	}
	for len(p.blocks) == 0 || cap(p.blocks[p.now])-len(p.blocks[p.now]) < len(s) {
		if len(p.blocks) > 0 && p.now+1 < len(p.blocks) {
			p.now++
			continue
		}
		p.blocks = append(p.blocks, make([]T, 0, max(size, len(s))))
		p.now = len(p.blocks) - 1
	}
	b := append(p.blocks[p.now], s...)
	p.blocks[p.now] = b
	return b[len(b)-len(s) : len(b) : len(b)]
}

// words keeps texts that came lately, so that those that come often are
// allocated once.
type words struct {
	seed   maphash.Seed
	lately []string
}

// get returns b as a string.
func (w *words) get(b []byte) string {
	const slots, longest = 1 << 12, 64
	if len(b) == 0 || len(b) > longest {
		return string(b)
	}
	if w.lately == nil {
		w.seed, w.lately = maphash.MakeSeed(), make([]string, slots)
	}
	slot := &w.lately[maphash.Bytes(w.seed, b)%slots]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// isPlainASCII reports whether text holds nothing but printable ASCII and ends
// of lines.
func isPlainASCII(text []byte) bool {
	const ones, low = 0x0101010101010101, 0x7F7F7F7F7F7F7F7F
	for ; len(text) >= 8; text = text[8:] {
		// The highest bit of each byte tells: of big, that it is a space or more;
		// of del, that it is 0x7F; of end, that it is the end of a line.
		w := binary.LittleEndian.Uint64(text)
		big := w&low + ones*(0x80-' ')
		del := w&low + ones
		end := ^((w^ones*'\n')&low + low | (w ^ ones*'\n'))
		if (w|del|^(big|end))&^low != 0 {
			return false
		}
	}
	for _, b := range text {
		if b != '\n' && (b < ' ' || b > '~') {
			return false
		}
	}
	return true
}
