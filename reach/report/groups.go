package report

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/reach"
)

// A partition puts each end in a group.
type partition struct {
	of []int32 // by end
	n  int     // how many groups there are
}

// partitionBy returns the partition of the ends that have equal keys. The groups are
// in the order of kinds, the late ones behind others of their kind, and else in that
// of the first ends.
func partitionBy[K comparable](ends []end, key func(e *end) (_ K, late bool)) partition {
	p := partition{of: make([]int32, len(ends))}
	numbers := make(map[K]int32)
	for _, kind := range []Kind{Pods, Nodes, Outside} {
		for _, turn := range []bool{false, true} {
			for i := range ends {
				k, late := key(&ends[i])
				if ends[i].kind != kind || late != turn {
					continue
				}
				n, ok := numbers[k]
				if !ok {
					n = int32(len(numbers))
					numbers[k] = n
				}
				p.of[i] = n
			}
		}
	}
	p.n = len(numbers)
	return p
}

func (r *relation) each() partition {
	return partitionBy(r.ends, func(e *end) (*end, bool) { return e, e.other })
}

// alike returns the partition by sets, and if split, by namespaces. What is only at
// the other end of what is shown is not split.
func (r *relation) alike(split bool) partition {
	type key struct {
		set       int32
		namespace string
		other     bool
	}
	return partitionBy(r.ends, func(e *end) (key, bool) {
		k := key{set: e.set, other: e.other}
		if split && !e.other {
			k.namespace = e.namespace
		}
		return k, e.other
	})
}

// namespaces returns the partition by namespaces, the nodes and the outside. If that
// is more than limit, which is not 0, only the busiest namespaces are on their own,
// and the number of the others is returned.
func (r *relation) namespaces(limit int) (_ partition, folded int) {
	type key struct {
		kind      Kind
		namespace string
		other     bool
	}
	by := func(own func(namespace string) bool) partition {
		return partitionBy(r.ends, func(e *end) (key, bool) {
			if e.kind == Pods && !e.other && own(e.namespace) {
				return key{Pods, e.namespace, false}, false
			}
			return key{e.kind, "", e.other}, true
		})
	}
	p := by(func(string) bool { return true })
	if limit == 0 || p.n <= limit {
		return p, 0
	}
	folded = p.n - limit + 1
	busy := r.busiest()
	own := make(map[string]bool)
	for _, ns := range busy[:len(busy)-folded] {
		own[ns] = true
	}
	return by(func(ns string) bool { return own[ns] }), folded
}

// busiest returns the namespaces that are shown, first those whose ends have to do
// with the most sets.
func (r *relation) busiest() []string {
	degree := make([]int, len(r.sets))
	for k, row := range r.rows {
		degree[k] += len(row)
		for _, l := range row {
			degree[l.to]++
		}
	}
	type space struct {
		sets map[int32]bool
		sum  int
	}
	spaces := make(map[string]*space)
	var names []string
	for i := range r.ends {
		e := &r.ends[i]
		if e.kind != Pods || e.other {
			continue
		}
		s := spaces[e.namespace]
		if s == nil {
			s = &space{sets: make(map[int32]bool)}
			spaces[e.namespace] = s
			names = append(names, e.namespace)
		}
		if !s.sets[e.set] {
			s.sets[e.set] = true
			s.sum += degree[e.set]
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(spaces[b].sum, spaces[a].sum) })
	return names
}

// groups returns the groups of a partition.
func (r *relation) groups(p partition, detail Detail, folded int) []Group {
	list := make([]Group, p.n)
	members := make([][]int32, p.n)
	for i := range r.ends {
		e := &r.ends[i]
		n := p.of[i]
		g := &list[n]
		if len(g.Members) == 0 {
			g.Kind, g.Namespace, g.Only, g.other = e.kind, e.namespace, e.only, e.other
		}
		if g.Namespace != e.namespace {
			g.Namespace = ""
		}
		if g.Only != e.only {
			g.Only = ""
		}
		if e.replicas {
			g.replicas++
		}
		g.Members = append(g.Members, e.Endpoint)
		g.texts = append(g.texts, e.text)
		members[n] = append(members[n], int32(i))
	}
	nm := r.namer(p, detail, folded)
	for n := range list {
		nm.name(&list[n], members[n])
	}
	return list
}

// A namer makes the names of groups.
type namer struct {
	r      *relation
	groups map[string]int32 // by namespace/name of a pod, its group; or -1 if there are several of the name
	detail Detail
	folded int
	total  map[Kind]int
}

func (r *relation) namer(p partition, detail Detail, folded int) namer {
	nm := namer{r: r, groups: make(map[string]int32), detail: detail, folded: folded, total: make(map[Kind]int)}
	for i := range r.ends {
		e := &r.ends[i]
		nm.total[e.kind]++
		if e.kind == Pods && detail != Namespaces {
			name := e.Name().String()
			if _, ok := nm.groups[name]; ok {
				nm.groups[name] = -1
			} else {
				nm.groups[name] = p.of[i]
			}
		}
	}
	return nm
}

// name sets the names of a group.
func (nm namer) name(g *Group, members []int32) {
	n := len(members)
	switch {
	case g.Kind == Outside:
		for _, m := range members {
			g.addrs = g.addrs.Union(nm.r.ends[m].addrs)
		}
		g.Name = addrsName(g.addrs, nm.r.outside)
	case g.Kind == Nodes && n > 1 && n == nm.total[Nodes]:
		g.Name = fmt.Sprintf("%d nodes", n)
	case g.Kind == Nodes:
		g.Name = andMore(g.texts[0], n-1)
	case nm.detail != Namespaces || n == 1 && g.other:
		g.Name = nm.pods(members)
	case g.Namespace != "" && !g.other:
		g.local = count(n, "pod")
		g.Name = fmt.Sprintf("%s (%s)", g.Namespace, g.local)
	case g.other:
		g.Name = fmt.Sprintf("%s in %s", count(n, "pod"), count(nm.spaces(members), "other namespace"))
	default:
		g.Name = fmt.Sprintf("%d other namespaces (%s)", nm.folded, count(n, "pod"))
	}
	if g.local == "" {
		switch g.Only {
		case Before:
			g.Name += " (removed)"
		case After:
			g.Name += " (added)"
		}
		g.local = g.Name
		if g.Namespace != "" {
			g.local = strings.Replace(g.Name, g.Namespace+"/", "", 1)
		}
	}
}

// pods returns a name for several pods. If there is a prefix that they have, and all
// that have it are among them, it stands for these: "shop/web-*".
func (nm namer) pods(members []int32) string {
	first, n := members[0], len(members)
	name, alike := nm.r.ends[first].text, 1
	if prefix, k := nm.prefix(first); k > 1 {
		name, alike = prefix+"*", k
	}
	if alike > 1 && alike == n {
		return fmt.Sprintf("%s (%s)", name, count(n, "pod"))
	}
	name = andMore(name, n-alike)
	if spaces := nm.spaces(members); spaces > 1 {
		name += fmt.Sprintf(" in %d namespaces", spaces)
	}
	return name
}

// prefix returns a prefix of the name of a pod, up to a hyphen, that no pod of its
// namespace in another group has, and that as many have as possible, and how many. It
// returns less than 2 if there is none.
func (nm namer) prefix(first int32) (best string, n int) {
	e := &nm.r.ends[first]
	text := e.Name().String()
	group, ok := nm.groups[text]
	if !ok || group < 0 || text != e.text {
		return "", 0 // its kind is in front, or it is an address
	}
	for at := len(e.namespace) + 1; ; at++ {
		next := strings.IndexByte(text[at:], '-')
		if next < 0 || n > 1 && isHash(text[at:at+next]) {
			return best, n
		}
		at += next
		if k := nm.having(text[:at+1], group); k > 1 && k >= n {
			best, n = text[:at+1], k
		}
	}
}

// isHash reports whether a part of a name looks like what the controller of a
// Deployment makes up.
func isHash(part string) bool {
	return len(part) >= 5 && strings.Trim(part, "bcdfghjklmnpqrstvwxz2456789") == "" && strings.ContainsAny(part, "2456789")
}

// having returns how many pods have a prefix, if all of them are in one group, or else
// 0. There may be pods that are not shown.
func (nm namer) having(prefix string, group int32) int {
	i, _ := slices.BinarySearch(nm.r.names, prefix)
	n := 0
	for ; i < len(nm.r.names) && strings.HasPrefix(nm.r.names[i], prefix); i++ {
		if of, ok := nm.groups[nm.r.names[i]]; !ok || of != group {
			return 0
		}
		n++
	}
	return n
}

// namesOf returns the names of pods, each once, sorted as texts are.
func namesOf(lists ...[]reach.Endpoint) []string {
	var names []string
	for _, list := range lists {
		for _, e := range list {
			names = append(names, e.Name().String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// spaces returns how many namespaces ends are in.
func (nm namer) spaces(members []int32) int {
	seen := make(map[string]bool)
	for _, m := range members {
		if ns := nm.r.ends[m].namespace; ns != "" {
			seen[ns] = true
		}
	}
	return len(seen)
}

// andMore adds how many others there are to a name.
func andMore(name string, others int) string {
	if others > 0 {
		return fmt.Sprintf("%s and %d more", name, others)
	}
	return name
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// addrsOf returns the addresses in what cidr.Set.String returns.
func addrsOf(text string) cidr.Set {
	var s cidr.Set
	for _, b := range blocksOf(text) {
		part, err := cidr.Parse(b.block, b.except...)
		if err != nil {
			panic("report: the text of a set of addresses is not one: " + err.Error())
		}
		s = s.Union(part)
	}
	return s
}

// A block is a block of addresses with exceptions, as text.
type block struct {
	block  string
	except []string
}

// blocksOf returns the blocks in what cidr.Set.String returns.
func blocksOf(text string) []block {
	var list []block
	for part := range strings.SplitSeq(text, ", ") {
		b, except, ok := strings.Cut(part, " except ")
		next := block{block: b}
		if ok {
			next.except = strings.Split(except, " and ")
		}
		list = append(list, next)
	}
	return list
}

// mostText is how long the text of addresses may be before it is shortened.
const mostText = 36

// addrsName returns a short name for a set of addresses, of all that are shown.
func addrsName(s, all cidr.Set) string {
	if s.Equal(all) {
		return "outside"
	}
	name := shortAddrs(s)
	if isMost(s, all) {
		if rest := "outside except " + shortAddrs(all.Minus(s)); len(rest) < len(name) || len(name) > mostText {
			return rest
		}
	}
	return name
}

// shortAddrs returns the text of a set of addresses if it is short, and else how it
// begins.
func shortAddrs(s cidr.Set) string {
	text := s.String()
	if len(text) <= mostText {
		return text
	}
	blocks := blocksOf(text)
	name := blocks[0].block
	if e := blocks[0].except; len(e) > 0 {
		name += " except " + andMore(e[0], len(e)-1)
		if len(blocks) > 1 {
			name += ","
		}
	}
	return andMore(name, len(blocks)-1)
}

var families = [...]cidr.Set{cidr.Of(netip.MustParsePrefix("0.0.0.0/0")), cidr.Of(netip.MustParsePrefix("::/0"))}

// isMost reports whether s holds more than half of the addresses of each family that
// all has.
func isMost(s, all cidr.Set) bool {
	for _, family := range families {
		have, want := s.Intersect(family), all.Intersect(family)
		if !want.IsEmpty() && have.Size().Cmp(want.Minus(have).Size()) <= 0 {
			return false
		}
	}
	return true
}
