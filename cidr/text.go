package cidr

import (
	"iter"
	"net/netip"
	"strings"
)

// The prefixes of each family form a binary tree under one of these.
var roots = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/0"),
	netip.MustParsePrefix("::/0"),
}

// halves returns the two halves of p, which has more than one address.
func halves(p netip.Prefix) (low, high netip.Prefix) {
	low = netip.PrefixFrom(p.Addr(), p.Bits()+1)
	return low, netip.PrefixFrom(lastAddr(low).Next(), p.Bits()+1)
}

// Prefixes returns the fewest prefixes that make up s, in address order.
// A prefix of IPv6 that covers IPv4-mapped addresses says nothing about them.
func (s Set) Prefixes() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		for _, root := range roots {
			if !prefixes(root, s.runs, yield) {
				return
			}
		}
	}
}

// prefixes yields the fewest prefixes that make up the part of runs in p, until
// yield returns false.
func prefixes(p netip.Prefix, runs []run, yield func(netip.Prefix) bool) bool {
	all, ok := runOf(p)
	if !ok {
		return true
	}
	runs = within(runs, all)
	switch {
	case len(runs) == 0:
		return true
	case runs[0].holds(all):
		return yield(p)
	}
	low, high := halves(p)
	return prefixes(low, runs, yield) && prefixes(high, runs, yield)
}

// String returns s in the shortest form that lists blocks with exceptions:
// "10.0.0.0/8 except 10.1.0.0/16 and 10.3.0.0/16", "10.0.0.0/9, fd00::/8", and
// "none" for the empty set. An exception is one to the block before it only; a
// later block may lie inside it.
func (s Set) String() string {
	if s.IsEmpty() {
		return "none"
	}
	var items []*item
	for _, root := range roots {
		out, _ := plans(root, s.runs)
		items = out.marks.items(items)
	}
	var b strings.Builder
	for i, it := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(it.block.String())
		sep := " except "
		for _, e := range it.except {
			b.WriteString(sep)
			b.WriteString(e.String())
			sep = " and "
		}
	}
	return b.String()
}

// An item of the text of a Set is a block with its exceptions.
type item struct {
	block  netip.Prefix
	except []netip.Prefix
}

// The shortest text is found in the tree of prefixes. A mark on a node turns
// membership over for the addresses below it, up to the next marks: from out to
// in, which is a block of the text, or from in to out, which is an exception.
// For every node there is a cheapest choice of marks at or below it for each of
// the two ways in which the marks above can leave it.

// A plan is a choice of marks and what it costs.
type plan struct {
	cost  int64
	marks *marks // nil for none
}

// Among as many marks, those with fewer exceptions cost less.
const (
	blockCost     = 1 << 32
	exceptionCost = blockCost + 1
)

// marks is a list of marks in address order, outer before inner: one mark, or
// the marks of a then those of b.
type marks struct {
	prefix    netip.Prefix
	exception bool
	a, b      *marks
}

func blockAt(p netip.Prefix) plan { return plan{blockCost, &marks{prefix: p}} }

func exceptionAt(p netip.Prefix) plan { return plan{exceptionCost, &marks{prefix: p, exception: true}} }

// then returns the marks of x followed by those of y.
func (x plan) then(y plan) plan {
	list := &marks{a: x.marks, b: y.marks}
	switch {
	case x.marks == nil:
		list = y.marks
	case y.marks == nil:
		list = x.marks
	}
	return plan{x.cost + y.cost, list}
}

// or returns the cheaper of x and y, and x if they cost the same.
func (x plan) or(y plan) plan {
	if y.cost < x.cost {
		return y
	}
	return x
}

// plans returns the cheapest marks at or below p that make the part of runs in
// p, if the marks above leave p out, and if they leave it in.
func plans(p netip.Prefix, runs []run) (out, in plan) {
	all, ok := runOf(p)
	if !ok {
		return plan{}, plan{}
	}
	runs = within(runs, all)
	switch {
	case len(runs) == 0:
		return plan{}, exceptionAt(p)
	case runs[0].holds(all):
		return blockAt(p), plan{}
	}
	low, high := halves(p)
	lowOut, lowIn := plans(low, runs)
	highOut, highIn := plans(high, runs)
	out, in = lowOut.then(highOut), lowIn.then(highIn)
	return out.or(blockAt(p).then(in)), in.or(exceptionAt(p).then(out))
}

// items adds to items those that the marks in m stand for.
func (m *marks) items(items []*item) []*item {
	var open []*item // the items whose blocks are around the current mark, outer before inner
	var walk func(m *marks)
	walk = func(m *marks) {
		if m == nil {
			return
		}
		if !m.prefix.IsValid() {
			walk(m.a)
			walk(m.b)
			return
		}
		for len(open) > 0 && !open[len(open)-1].block.Overlaps(m.prefix) {
			open = open[:len(open)-1]
		}
		if m.exception {
			around := open[len(open)-1]
			around.except = append(around.except, m.prefix)
			return
		}
		it := &item{block: m.prefix}
		open = append(open, it)
		items = append(items, it)
	}
	walk(m)
	return items
}
