package report

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// Options choose what a Matrix shows. The zero Options show everything, in as much
// detail as the form holds.
type Options struct {
	// Namespaces are those whose pods are shown, with all that they reach and are
	// reached from. What goes on among others is left out. None means all. It is an
	// error if one has no pods.
	Namespaces []string

	Detail Detail

	// Limit is how many groups there may be if Detail is zero: at least 4, or 0 for as
	// many as a [Format] shows.
	Limit int
}

// A Detail tells what makes a group. The zero Detail is Alike, and Namespaces where that
// would be more than the limit; if these are still more, all but the busiest ones are
// one group.
type Detail string

// The details.
const (
	Each       Detail = "each"       // each pod, workload and node, and each class of addresses outside
	Alike      Detail = "alike"      // those in one namespace of which all cells are equal
	Namespaces Detail = "namespaces" // each namespace, the nodes, the outside
)

// A Kind is a kind of endpoints.
type Kind string

// The kinds.
const (
	Pods    Kind = "pods" // and workloads
	Nodes   Kind = "nodes"
	Outside Kind = "outside" // addresses outside the cluster
)

// A Group is endpoints that are shown as one, at least one.
type Group struct {
	Name      string // such as "shop/web-* (3 pods)", "outside"; it may be shortened
	Kind      Kind
	Namespace string // of all members; empty if they are not pods of one namespace
	Only      Side   // of a difference: where all members are, if they are not in both Graphs

	// Members are of the Graph, and of a difference of the second one, or if Only says
	// Before, of the first. There, an endpoint outside stands for some of its addresses.
	Members []reach.Endpoint

	texts    []string // of the members
	local    string   // the name below that of the namespace
	addrs    cidr.Set
	replicas int  // how many members are workloads
	other    bool // nothing is said about pairs of others
}

// A Side is one of the Graphs of a difference. The zero Side is both.
type Side string

// The sides.
const (
	Before Side = "before"
	After  Side = "after"
)

// A Cell is an ordered pair of groups.
type Cell struct {
	From, To int // in Matrix.Groups

	// Pairs is how many pairs of endpoints the cell is about: each of From with each
	// other one of To, and a workload with another pod of its own. It is 0 if there
	// are none, or none that policies could decide.
	Pairs int

	// Ports are open from From to To: for each pair, or if Some, for at least one. Of
	// a difference, they are opened, and Closed are closed.
	Ports, Closed policy.PortSet
	Some          bool

	// OneFamily tells, of a difference, that some of this is so over one address
	// family only.
	OneFamily bool

	// OwnNode tells that the cell leaves out pairs of a pod and the node that it runs
	// on, in which policies have no say; of a difference, all pairs of such two. A cell
	// that would have no other is about them.
	OwnNode bool

	diff bool
}

// A Matrix is who reaches whom, or a difference of that. Treat it as read-only; it is
// safe for concurrent use then. The zero Matrix is of no use.
type Matrix struct {
	Groups []Group // pods by namespace and name, then nodes, then the outside
	Detail Detail  // not zero

	source
	cells  func() cells
	folded int // how many namespaces are one group because there are too many
}

// A source is what a Matrix is made from.
type source struct {
	*relation
	own     []ownPair
	opts    Options
	graph   *reach.Graph   // nil for a difference
	changes []reach.Change // of a difference
}

func (s *source) isDiff() bool { return s.graph == nil }

// cells are those of a Matrix that have something in them.
type cells struct {
	rows   [][]entry // by the first group, ascending by the second
	values []value
}

// An entry is a cell that has ports, or fewer pairs than one would count.
type entry struct {
	to    int32
	value int32
	pairs int
	some  bool
	own   bool
	left  bool // some pairs are left out
}

// Of returns who reaches whom in g. It is an error if opts name what is not there.
//
// Its cost is about twice that of [reach.Graph.ClassEdges], and grows with the number of
// pods besides; what asks for cells the first time, with that of cells.
func Of(g *reach.Graph, opts Options) (*Matrix, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	r, err := relationOf(g, opts.Namespaces)
	if err != nil {
		return nil, err
	}
	s := source{relation: r, own: r.ownPairs(g), opts: opts, graph: g}
	return s.matrix(opts.Limit), nil
}

func (opts Options) check() error {
	switch opts.Detail {
	case "", Each, Alike, Namespaces:
	default:
		return fmt.Errorf("%q is no detail: want each, alike, namespaces or nothing", opts.Detail)
	}
	if opts.Limit != 0 && opts.Limit < minLimit {
		return fmt.Errorf("a limit of %d groups: want at least %d, or 0", opts.Limit, minLimit)
	}
	return nil
}

// minLimit is one group for pods that are shown, other pods, nodes and the outside.
const minLimit = 4

// matrix returns the Matrix of no more groups than limit, unless their detail is given
// or limit is 0.
func (s source) matrix(limit int) *Matrix {
	m := &Matrix{source: s, Detail: s.opts.Detail}
	if m.Detail != "" {
		limit = 0
	}
	fits := func(p partition) bool { return limit == 0 || p.n <= limit }
	var p partition
	switch m.Detail {
	case Each:
		p = s.each()
	case "", Alike:
		m.Detail = Alike
		if p = s.alike(true); fits(p) {
			break
		}
		if p = s.alike(false); fits(p) {
			break
		}
		fallthrough
	case Namespaces:
		m.Detail = Namespaces
		p, m.folded = s.namespaces(limit)
	}
	m.Groups = s.groups(p, m.Detail, m.folded)
	m.cells = sync.OnceValue(func() cells { return m.tally(p) })
	return m
}

// within returns m, or if it has more groups than limit and nobody has asked for them,
// a Matrix that has not.
func (m *Matrix) within(limit int) *Matrix {
	if m.opts.Detail != "" || m.opts.Limit != 0 || limit == 0 || len(m.Groups) <= limit {
		return m
	}
	return m.matrix(limit)
}

// Cells returns the cells that have ports, or an own node and are of no difference, by
// From and then To.
func (m *Matrix) Cells() iter.Seq[Cell] {
	return func(yield func(Cell) bool) {
		for from, row := range m.cells().rows {
			for _, e := range row {
				if m.isShown(e) && !yield(m.cell(from, e)) {
					return
				}
			}
		}
	}
}

func (m *Matrix) isShown(e entry) bool { return e.value != 0 || e.own && !m.isDiff() }

// At returns the cell of two groups. It panics if there is no such group.
func (m *Matrix) At(from, to int) Cell {
	row := m.cells().rows[from]
	i, ok := slices.BinarySearchFunc(row, int32(to), func(e entry, to int32) int { return cmp.Compare(e.to, to) })
	if ok {
		return m.cell(from, row[i])
	}
	return Cell{From: from, To: to, Pairs: m.pairs(from, to), diff: m.isDiff()}
}

func (m *Matrix) cell(from int, e entry) Cell {
	v := m.cells().values[e.value]
	return Cell{From: from, To: int(e.to), Pairs: e.pairs, Ports: v.ports, Closed: v.closed, Some: e.some,
		OneFamily: v.oneFamily, OwnNode: e.own, diff: m.isDiff()}
}

// pairs returns how many pairs of two groups there are that policies could decide.
func (m *Matrix) pairs(from, to int) int {
	a, b := &m.Groups[from], &m.Groups[to]
	switch {
	case a.Kind != Pods && b.Kind != Pods, a.other && b.other:
		return 0
	case from == to:
		n := len(a.Members)
		return n*n - n + a.replicas
	}
	return len(a.Members) * len(b.Members)
}

func (m *Matrix) warnings() []policy.Warning {
	if m.isDiff() {
		return nil
	}
	return m.graph.Warnings()
}
