package reachtest

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
)

// UpdateTables is the environment variable that makes [Cluster.MatchesTableFile]
// write its file anew, if it is 1.
const UpdateTables = "REACHTEST_UPDATE_TABLES"

// MatchesTable asserts that what is open between sets is what a table says:
//
//	# The databases, and who may use them.
//	clients := pods shop.example.com/postgres-client=true
//	default := -
//
//	from \ to       | data/postgres | data/redis
//	clients         | 5432          | .          # see the table of the caches
//	data/backup     | 5432          |            # at night
//	data/postgres   | 5432          |            # the standby replicates
//	prometheus      | 9187          | 9121       # the exporters
//	*               | -             | .
//
//	prometheus := monitoring/prometheus
//
// A line with bars is a row; the first one names the columns. Connections come
// from the set at the head of a row and go to that at the head of a column, both
// written as in other assertions, but for Services. The set * is every pod, node
// and address that no other row, or column, names; others can be joined to it and
// taken away. A cell tells what is open from every endpoint of the one set to every
// one of the other:
//
//   - nothing
//     all           every port of every protocol
//     80,53/UDP     exactly these ports; see [policy.ParsePortSet]
//     http          the port that the destination declares under the name, and no other
//     .             whatever it is: not asked
//     what the line "default := ..." says, without which no cell is left out
//     ?  or  80?    undecided, or filled in and not reviewed: the table does not match
//
// Lines such as "name := set" give sets short names of letters, digits, _ and -.
// What comes after a # is a comment. Indents and the widths of columns are free.
//
// A table without rows or columns, or of which no cell is asked, does not match,
// nor does one with an empty set or a name that is used nowhere. If the members of
// a set differ, the cell does not match, whatever it says; but where it names a port,
// each destination may declare another number for it.
func (c *Cluster) MatchesTable(t TB, table string, why ...any) bool {
	t.Helper()
	return c.matches(t, "table", table, why)
}

// MatchesTableFile is MatchesTable with a table in a file.
//
// If the environment variable REACHTEST_UPDATE_TABLES is 1, it aligns the columns of
// the file, and fills in what is open where a cell is undecided or is left out
// without a default, with a question mark that whoever reviews it takes away. It
// changes no other cell, and fails in any case.
func (c *Cluster) MatchesTableFile(t TB, file string, why ...any) bool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		return c.fail(t, why, "the table cannot be read: %v", err)
	}
	switch v := os.Getenv(UpdateTables); v {
	case "", "0":
		return c.matches(t, file, string(data), why)
	case "1":
	default:
		return c.fail(t, why, "%s is %q; set it to 1 to write tables anew, or unset it", UpdateTables, v)
	}
	tab, err := parseTable(file, string(data))
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	filled, err := c.fill(tab)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	if text := tab.String(); text != string(data) {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			return c.fail(t, why, "the table cannot be written: %v", err)
		}
	}
	return c.fail(t, why, "%s is written anew, with %d cells to review, which have a question mark; now unset %s", file, filled, UpdateTables)
}

func (c *Cluster) matches(t TB, name, text string, why []any) bool {
	t.Helper()
	return c.assert(t, call{"table", name, text, ""}, func(c *Cluster) bool {
		t.Helper()
		return c.judgeTable(t, name, text, why)
	})
}

func (c *Cluster) judgeTable(t TB, name, text string, why []any) bool {
	t.Helper()
	tab, err := parseTable(name, text)
	if err == nil {
		err = tab.complete()
	}
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	from, to, err := c.axes(tab)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	var faults []fault
	asked := 0
	for i, row := range tab.rows {
		for j := range tab.columns() {
			want := tab.at(row, j)
			if want.isOpen() {
				continue
			}
			asked++
			f, err := c.cell(t, from[i], to[j], want)
			if err != nil {
				return c.fail(t, why, "%v", tab.errorf(want.line, want.col, "%v", err))
			}
			if f != nil && c.isMutant() {
				return c.fail(t, why, "%s does not match", name)
			}
			if f != nil {
				f.row, f.column = i, j
				faults = append(faults, *f)
			}
		}
	}
	if asked == 0 {
		return c.fail(t, why, "%s asks nothing: every cell is \".\"", name)
	}
	if len(faults) == 0 {
		return true
	}
	return c.fail(t, why, "%s: %d of the %d cells that are asked are not as they should be\n%s\n%s", name, len(faults), asked, tab.diff(faults), c.reasons(tab, faults))
}

// axes returns the sets of the rows and of the columns.
func (c *Cluster) axes(tab *table) (from, to []set, err error) {
	heads := make([]cell, len(tab.rows))
	for i, row := range tab.rows {
		heads[i] = row.cells[0]
	}
	if from, err = c.axis(tab, heads); err == nil {
		to, err = c.axis(tab, tab.header.cells[1:])
	}
	return from, to, err
}

func (c *Cluster) axis(tab *table, heads []cell) ([]set, error) {
	sets := make([]set, len(heads))
	rest := -1
	for i, h := range heads {
		text := tab.meaning(h)
		if terms, _ := cutTerms(text); slices.Contains(terms, "*") {
			if rest >= 0 {
				return nil, tab.errorf(h.line, h.col, `"*" stands at the head of %s already; write the sets out`, heads[rest].text)
			}
			rest = i
			continue
		}
		s, err := c.set(text)
		if err == nil && s.service != nil {
			err = fmt.Errorf("%q: a table is about endpoints; name those behind the Service", text)
		}
		if err != nil {
			return nil, tab.errorf(h.line, h.col, "%v", err)
		}
		sets[i] = s
	}
	if rest < 0 {
		return sets, nil
	}
	h := heads[rest]
	others, err := c.set("everything")
	for i := 0; i < len(sets) && err == nil; i++ {
		if i != rest {
			err = others.less(c.graph, sets[i])
		}
	}
	if err == nil && len(others.members) == 0 {
		err = fmt.Errorf("%q holds nothing: the others name everything", tab.meaning(h))
	}
	var s set
	if err == nil {
		s, err = c.parseSet(tab.meaning(h), others)
	}
	if err == nil && len(s.members) == 0 {
		err = fmt.Errorf("%q holds nothing", tab.meaning(h))
	}
	if err != nil {
		return nil, tab.errorf(h.line, h.col, "%v", err)
	}
	sets[rest] = s
	return sets, nil
}

// A fault is a cell that differs from what is open.
type fault struct {
	row, column int
	want        cell
	found       []finding // ordered as the pairs are
	witness     pair
	bad         policy.PortSet // of witness; empty if the cell is only not reviewed
}

// A finding is what is open from some members of a row to some of a column.
type finding struct {
	open  policy.PortSet
	pairs []pair
	count int // of pairs, also those alike
}

// text returns what would be right in the cell.
func (f *fault) text() string {
	if len(f.found) > 1 {
		return "?" // the members differ
	}
	return portText(f.found[0].open)
}

// cell compares a cell with what is open. It returns nil if that is the same. With
// a t, it is an assertion.
func (c *Cluster) cell(t TB, from, to set, want cell) (*fault, error) {
	ports, err := want.ports()
	byName := err != nil
	f := &fault{want: want}
	c.looks().at(policy.Egress, from.members...)
	c.looks().at(policy.Ingress, to.members...)
	pairs := slices.Collect(c.between(from, to, byName))
	if t != nil {
		c.noteAll(t, pairs, true)
	}
	for _, q := range pairs {
		q.open = c.graph.Ports(q.from, q.to)
		if byName {
			if ports, err = portsOf(want.text, q.at.Target()); err != nil {
				return nil, err
			}
		}
		f.find(q, max(1, c.count(q.like)))
		bad := union(ports.Minus(q.open), q.open.Minus(ports))
		if !bad.IsEmpty() && f.bad.IsEmpty() {
			f.witness, f.bad = q, bad
		}
	}
	if f.bad.IsEmpty() && !want.marked {
		return nil, nil
	}
	return f, nil
}

func (f *fault) find(q pair, count int) {
	i := slices.IndexFunc(f.found, func(x finding) bool { return x.open.Equal(q.open) })
	if i < 0 {
		i = len(f.found)
		f.found = append(f.found, finding{open: q.open})
	}
	x := &f.found[i]
	x.count += count
	if len(x.pairs) < few {
		x.pairs = append(x.pairs, q)
	}
}

// reasons tells of the first faults what is open and why.
func (c *Cluster) reasons(tab *table, faults []fault) string {
	var texts []string
	for _, f := range faults[:min(few, len(faults))] {
		texts = append(texts, c.reason(tab, f))
	}
	return listed(texts, len(faults)-len(texts))
}

func (c *Cluster) reason(tab *table, f fault) string {
	undecided := f.want.text == ""
	where := tab.errorf(f.want.line, f.want.col, "%s to %s", tab.rows[f.row].cells[0].text, tab.header.cells[f.column+1].text).Error()
	var b strings.Builder
	switch {
	case len(f.found) > 1:
		fmt.Fprintf(&b, "%s: should be the same of all, %v, but they differ:", where, f.want)
		for _, x := range f.found {
			fmt.Fprintf(&b, "\n  %s of %s", portText(x.open), x.names())
		}
	case f.bad.IsEmpty() || undecided:
		fmt.Fprintf(&b, "%s: %v is not reviewed; what is open is %s", where, f.want, f.text())
	default:
		fmt.Fprintf(&b, "%s: should be %v, but is %s", where, f.want, f.text())
	}
	if !f.bad.IsEmpty() && !undecided {
		b.WriteString("\n" + c.witness(f.witness, f.bad))
	}
	return b.String()
}

func (x *finding) names() string {
	var list []string
	for _, q := range x.pairs {
		meant := q.meant()
		list = append(list, cmp.Or(meant[0], q.from.String())+" -> "+cmp.Or(meant[1], q.to.String()))
	}
	text := strings.Join(list, ", ")
	if more := x.count - len(list); more > 0 {
		text += " and " + morePairs(more)
	}
	return text
}

// fill writes into the cells that are undecided what is open, and returns how many
// cells are to be reviewed.
func (c *Cluster) fill(tab *table) (int, error) {
	from, to, err := c.axes(tab)
	if err != nil {
		return 0, err
	}
	n := 0
	for i, row := range tab.rows {
		for j := range tab.columns() {
			p := &row.cells[j+1]
			switch want := tab.at(row, j); {
			case want.text != "":
				if want.marked {
					n++
				}
				continue
			case !want.marked && tab.def != nil:
				continue
			}
			f, err := c.cell(nil, from[i], to[j], cell{text: "-", marked: true})
			if err != nil {
				return 0, tab.errorf(row.number, p.col, "%v", err)
			}
			p.text, p.marked = strings.TrimSuffix(f.text(), "?"), true
			n++
		}
	}
	return n, nil
}

// portText writes ports as briefly as a cell can.
func portText(s policy.PortSet) string {
	switch {
	case s.IsEmpty():
		return "-"
	case s.Equal(everyPort):
		return "all"
	}
	var parts []string
	for r := range s.Ranges() {
		parts = append(parts, strings.TrimSuffix(r.String(), "/TCP"))
	}
	return strings.Join(parts, ",")
}
