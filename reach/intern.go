package reach

import (
	"hash/maphash"
	"slices"
)

// A table finds a number by a kind and some bytes. It is a map without an
// allocation for each key. The zero table is empty.
type table struct {
	seed    maphash.Seed
	slots   []int32 // 1 + index in entries, by hash; a power of two of them, at most three quarters of them taken
	entries []tableEntry
	bytes   []byte // the keys, one after the other
}

type tableEntry struct {
	hash  uint32 // its lowest byte is the kind
	end   uint32 // of the key in bytes
	value int32
}

// A keyKind tells apart keys that mean different things.
type keyKind uint8

const (
	podSelectorKey keyKind = iota
	nsSelectorKey
	singleBlockKey
	blockListKey
	blockKey
	peerListKey
	halfKey
	portNameKey
	dialectKey
	spotKey
	spanKey

	pairKey
	trimmedKey
	nodeKey
	ownerKey
	seatKey
	groupKey
	placeKey
	unionKey
	profileKey
	stepsKey
	rowKey
)

// find returns the entry of a key and true, or the slot where it would go.
func (t *table) find(kind keyKind, key []byte) (hash uint32, slot int, found bool) {
	hash = uint32(maphash.Bytes(t.seed, key))<<8 | uint32(kind)
	mask := len(t.slots) - 1
	for slot = slotOf(hash) & mask; t.slots[slot] != 0; slot = (slot + 1) & mask {
		i := t.slots[slot] - 1
		if t.entries[i].hash == hash && string(t.key(i)) == string(key) {
			return hash, slot, true
		}
	}
	return hash, slot, false
}

// slotOf returns a number of whose lowest bits a slot is made.
func slotOf(hash uint32) int { return int(hash>>8 ^ hash<<8) }

func (t *table) key(i int32) []byte {
	begin := uint32(0)
	if i > 0 {
		begin = t.entries[i-1].end
	}
	return t.bytes[begin:t.entries[i].end]
}

// get returns the value of a key.
func (t *table) get(kind keyKind, key []byte) (value int32, ok bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	_, slot, ok := t.find(kind, key)
	if !ok {
		return 0, false
	}
	return t.entries[t.slots[slot]-1].value, true
}

// add returns the value of a key, which becomes value if the key is new. It
// keeps no reference to key.
func (t *table) add(kind keyKind, key []byte, value int32) (_ int32, isNew bool) {
	if 4*len(t.entries) >= 3*len(t.slots) {
		t.grow()
	}
	hash, slot, found := t.find(kind, key)
	if found {
		return t.entries[t.slots[slot]-1].value, false
	}
	t.bytes = append(t.bytes, key...)
	t.entries = append(t.entries, tableEntry{hash, uint32(len(t.bytes)), value})
	t.slots[slot] = int32(len(t.entries))
	return value, true
}

// set gives a key a value, whether it has one or not.
func (t *table) set(kind keyKind, key []byte, value int32) {
	if _, isNew := t.add(kind, key, value); !isNew {
		_, slot, _ := t.find(kind, key)
		t.entries[t.slots[slot]-1].value = value
	}
}

func (t *table) grow() {
	n := 2 * len(t.slots)
	if n == 0 {
		t.seed, n = maphash.MakeSeed(), 64
		t.bytes = make([]byte, 0, 8*n)
	}
	t.entries = slices.Grow(t.entries, 3*n/4-len(t.entries))
	t.slots = make([]int32, n)
	for i := range t.entries {
		slot := slotOf(t.entries[i].hash) & (n - 1)
		for t.slots[slot] != 0 {
			slot = (slot + 1) & (n - 1)
		}
		t.slots[slot] = int32(i) + 1
	}
}

// An interner numbers distinct values of one kind in the order in which they
// first come.
type interner[T any] struct {
	kind   keyKind
	values []T
}

// id returns the number of the value under key, which is v() if the key is new.
func (in *interner[T]) id(t *table, key []byte, v func() T) int32 {
	id, isNew := t.add(in.kind, key, int32(len(in.values)))
	if isNew {
		in.values = append(in.values, v())
	}
	return id
}

// An arena makes small slices that live as long as each other, many with one
// allocation.
type arena[T any] struct{ free []T }

// make returns a slice of length n.
func (a *arena[T]) make(n int) []T {
	if n > len(a.free) {
		a.free = make([]T, max(n, 64, min(2*cap(a.free), 1<<12)))
	}
	s := a.free[:n:n]
	a.free = a.free[n:]
	return s
}

func (a *arena[T]) clone(list []T) []T {
	if len(list) == 0 {
		return nil
	}
	s := a.make(len(list))
	copy(s, list)
	return s
}

// buckets are the numbers below some n, sorted by a small key.
type buckets struct {
	start []int32 // of each key in items
	items []int32
}

// newBuckets sorts the numbers below n by their keys, which are below keys.
// Those with a key below 0 are left out.
func newBuckets(keys, n int, key func(i int) int32) buckets {
	b := buckets{start: make([]int32, keys+1)}
	total := 0
	for i := range n {
		if k := key(i); k >= 0 {
			b.start[k]++
			total++
		}
	}
	sum := int32(0)
	for k, count := range b.start {
		sum += count
		b.start[k] = sum // where the last of its bucket ends
	}
	b.items = make([]int32, total)
	for i := n - 1; i >= 0; i-- {
		if k := key(i); k >= 0 {
			b.start[k]--
			b.items[b.start[k]] = int32(i)
		}
	}
	return b
}

// at returns the numbers with key k, ascending.
func (b buckets) at(k int32) []int32 { return b.items[b.start[k]:b.start[k+1]] }
