package reachtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/polreach/polreach/policy"
)

// A table is a table as it is written.
type table struct {
	name   string // in errors
	lines  []*line
	header *line
	rows   []*line
	names  map[string]*line // definitions of sets
	def    *cell            // of cells that are left out; nil if there is none
}

// A line is a line of a table.
type line struct {
	kind    lineKind
	number  int
	cells   []cell // of a header and a row; of a definition, its name and what it means
	comment string // with its #
}

type lineKind uint8

const (
	plainLine lineKind = iota // a comment, or nothing
	definitionLine
	headerLine
	rowLine
)

// A cell is a cell or a head.
type cell struct {
	text      string // without question mark; empty if left out or undecided
	marked    bool   // it has a question mark
	line, col int    // where it stands; where a cell is left out, the end of the row
}

// String returns the cell as it is written.
func (x cell) String() string {
	if x.marked {
		return x.text + "?"
	}
	return x.text
}

// isOpen reports whether nothing is asked.
func (x cell) isOpen() bool { return x.text == "." }

// ports returns the ports of a cell. It is an error if it has names of ports.
func (x cell) ports() (policy.PortSet, error) {
	if x.text == "-" || x.text == "" {
		return policy.PortSet{}, nil
	}
	return policy.ParsePortSet(x.text)
}

const mostCells = 1 << 20 // of a table, left out or not

func (tab *table) columns() int { return len(tab.header.cells) - 1 }

// at returns what the cell of a row in a column asks.
func (tab *table) at(row *line, column int) cell {
	x := row.cells[column+1]
	if x.text == "" && !x.marked && tab.def != nil {
		x.text = tab.def.text
	}
	return x
}

// meaning returns the text of the set of a head.
func (tab *table) meaning(head cell) string {
	if def := tab.names[head.text]; def != nil {
		return def.cells[1].text
	}
	return head.text
}

func (tab *table) errorf(line, col int, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", tab.name, line, col, fmt.Sprintf(format, args...))
}

// parseTable parses a table. It does not ask whether cells are left out without a
// default.
func parseTable(name, text string) (*table, error) {
	tab := &table{name: name, names: make(map[string]*line)}
	number := 0
	for raw := range strings.Lines(text) {
		number++
		if err := tab.parseLine(number, strings.TrimSuffix(raw, "\n")); err != nil {
			return nil, err
		}
	}
	isBlank := func(l *line) bool { return l.kind == plainLine && l.comment == "" }
	for len(tab.lines) > 0 && isBlank(tab.lines[0]) {
		tab.lines = tab.lines[1:]
	}
	for n := len(tab.lines); n > 0 && isBlank(tab.lines[n-1]); n-- {
		tab.lines = tab.lines[:n-1]
	}
	if tab.header == nil {
		return nil, fmt.Errorf(`%s is no table: its first row would name the columns, such as "from \ to | data/postgres | outside"`, name)
	}
	if len(tab.rows) == 0 {
		return nil, tab.errorf(tab.header.number, 1, `the table has no rows; the next line would be such as "shop/api | 5432"`)
	}
	return tab, tab.checkNames()
}

// parseLine parses a line without its end.
func (tab *table) parseLine(number int, raw string) error {
	body, comment, found := strings.Cut(raw, "#")
	l := &line{number: number}
	if found {
		l.comment = strings.TrimSpace("#" + comment)
	}
	tab.lines = append(tab.lines, l)
	name, value, isDefinition := strings.Cut(body, ":=")
	switch {
	case strings.TrimSpace(body) == "":
		return nil
	case isDefinition && !strings.Contains(name, "|"):
		l.kind = definitionLine
		l.cells = cutCells(number, 0, name, value, len(":="))
		return tab.define(l)
	}
	parts := strings.Split(body, "|")
	if len(parts) == 1 {
		return tab.errorf(number, column(body, 0), `%q has neither a bar nor ":="; write a row such as "shop/api | 5432", a name such as "db := data/postgres", or "#" before a comment`,
			strings.TrimSpace(body))
	}
	at := 0
	for _, p := range parts {
		l.cells = append(l.cells, cellOf(number, body, at, p))
		at += len(p) + 1
	}
	if tab.header == nil {
		l.kind = headerLine
		tab.header = l
		return tab.checkHeader(l)
	}
	l.kind = rowLine
	tab.rows = append(tab.rows, l)
	return tab.checkRow(l)
}

// cutCells returns the two cells of a definition.
func cutCells(number, at int, name, value string, between int) []cell {
	body := name + strings.Repeat(" ", between) + value
	return []cell{cellOf(number, body, at, name), cellOf(number, body, len(name)+between, value)}
}

// cellOf returns the cell of a part of a line at an offset.
func cellOf(number int, body string, at int, part string) cell {
	return cell{text: strings.Join(strings.Fields(part), " "), line: number, col: column(body, at+len(part)-len(strings.TrimLeft(part, " \t")))}
}

// column returns the number of the column, from 1, of the first thing in body from
// an offset on.
func column(body string, at int) int {
	rest := body[at:]
	at += len(rest) - len(strings.TrimLeft(rest, " \t"))
	return utf8.RuneCountInString(body[:at]) + 1
}

// define adds a definition.
func (tab *table) define(l *line) error {
	name, value := &l.cells[0], &l.cells[1]
	fail := func(x *cell, format string, args ...any) error { return tab.errorf(x.line, x.col, format, args...) }
	switch {
	case strings.Contains(value.text, "|"):
		return fail(name, `%q is defined as what has a bar; write a row, or a set without bars`, name.text)
	case value.text == "":
		return fail(value, "%s := means nothing; write a set or, of default, a cell after it", name.text)
	case name.text == "default":
		if tab.def != nil {
			return fail(name, "a second default")
		}
		if err := value.parse(); err != nil {
			return fail(value, "%v", err)
		}
		if value.marked {
			return fail(value, "a default cannot be undecided; leave the line out")
		}
		tab.def = value
		return nil
	case !isName(name.text):
		return fail(name, "%q is no name; use letters, digits, _ and -, and no word of sets", name.text)
	case tab.names[name.text] != nil:
		return fail(name, "%s is defined in line %d already", name.text, tab.names[name.text].number)
	}
	tab.names[name.text] = l
	return nil
}

// isName reports whether a definition can have the name.
func isName(s string) bool {
	switch s {
	case "", "-", "pods", "nodes", "outside", "everything", "and", "except", "in", "default":
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

const corner = `from \ to`

func (tab *table) checkHeader(l *line) error {
	if x := l.cells[0]; x.text != "" && x.text != corner {
		return tab.errorf(x.line, x.col, `the first row names the columns; write %q before the first bar, not %q`, corner, x.text)
	}
	l.cells[0].text = corner
	for i, x := range l.cells[1:] {
		if x.text == "" {
			return tab.errorf(x.line, x.col, "a column without a set; write one, or take the bar away")
		}
		if slices.ContainsFunc(l.cells[1:i+1], func(y cell) bool { return y.text == x.text }) {
			return tab.errorf(x.line, x.col, "a second column %s", x.text)
		}
	}
	return nil
}

func (tab *table) checkRow(l *line) error {
	head := l.cells[0]
	if head.text == "" {
		return tab.errorf(head.line, head.col, "a row without a set; write one before the first bar")
	}
	if n := tab.columns(); len(l.cells) > n+1 {
		x := l.cells[n+1]
		return tab.errorf(x.line, x.col, "a cell beyond the %d columns of line %d", n, tab.header.number)
	}
	if len(tab.rows)*tab.columns() > mostCells {
		return tab.errorf(l.number, 1, "the table has more than %d cells", mostCells)
	}
	last := l.cells[len(l.cells)-1]
	for i := 1; i < len(l.cells); i++ {
		if err := l.cells[i].parse(); err != nil {
			return tab.errorf(l.number, l.cells[i].col, "%v", err)
		}
	}
	for len(l.cells) <= tab.columns() {
		l.cells = append(l.cells, cell{line: last.line, col: last.col})
	}
	return nil
}

// parse brings the text of a cell in its form.
func (x *cell) parse() error {
	text := strings.ReplaceAll(strings.ReplaceAll(x.text, " ,", ","), ", ", ",")
	if rest, ok := strings.CutSuffix(text, "?"); ok {
		text, x.marked = strings.TrimSpace(rest), true
	}
	x.text = text
	switch text {
	case "", "-":
		return nil
	case ".":
		if x.marked {
			return errors.New(`a cell is "." if it is not asked, or "?" if it is undecided`)
		}
		return nil
	case "none":
		return errors.New(`for nothing, write "-"`)
	}
	for part := range strings.SplitSeq(text, ",") {
		if _, err := policy.ParsePortSet(part); err == nil && part != "none" || isPortName(part) {
			continue
		} else if err != nil {
			return fmt.Errorf(`%w; a cell is "-", "all", ports such as 80,53/UDP, the name of a port, or "."`, err)
		}
		return errors.New(`for nothing, write "-" alone`)
	}
	return nil
}

// isPortName reports whether a text may be the name of a port, with or without a
// protocol.
func isPortName(text string) bool {
	name, protocol, ok := strings.Cut(text, "/")
	if ok && !slices.ContainsFunc([]string{"TCP", "UDP", "SCTP"}, func(p string) bool { return len(p) == len(protocol) && strings.EqualFold(p, protocol) }) {
		return false
	}
	return name != "none" && name != "all" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		strings.ContainsAny(name, "abcdefghijklmnopqrstuvwxyz") && !strings.HasPrefix(name, "-") && !strings.HasSuffix(name, "-")
}

// checkNames refuses two rows of one set, and definitions that nobody uses.
func (tab *table) checkNames() error {
	used := make(map[string]bool)
	for _, x := range tab.header.cells[1:] {
		used[x.text] = true
	}
	rows := make(map[string]*line, len(tab.rows))
	for _, l := range tab.rows {
		head := l.cells[0]
		if before := rows[head.text]; before != nil {
			return tab.errorf(head.line, head.col, "a second row %s, as in line %d", head.text, before.number)
		}
		rows[head.text], used[head.text] = l, true
	}
	for _, l := range tab.lines {
		if l.kind != definitionLine {
			continue
		}
		if name := l.cells[0]; name.text != "default" && !used[name.text] {
			return tab.errorf(name.line, name.col, "no row or column is called %s", name.text)
		}
	}
	return nil
}

// complete returns an error if a cell is left out and there is no default.
func (tab *table) complete() error {
	if tab.def != nil {
		return nil
	}
	for _, l := range tab.rows {
		for j, x := range l.cells[1:] {
			if x.text == "" && !x.marked {
				return tab.errorf(x.line, x.col, `the cell of %s is left out; write it, such as "-" or ".", or give a default in a line such as "default := -"`,
					tab.header.cells[j+1].text)
			}
		}
	}
	return nil
}

// String writes the table with aligned columns. It parses to the same table.
func (tab *table) String() string {
	var widths []int // of columns
	measure(&widths, tab.header.cells)
	for _, l := range tab.rows {
		measure(&widths, l.cells)
	}
	var names int // the width of what is defined
	for _, l := range tab.lines {
		if l.kind == definitionLine {
			names = max(names, utf8.RuneCountInString(l.cells[0].text))
		}
	}
	bodies := make([]string, len(tab.lines))
	comments := 0 // where those of rows begin
	for i, l := range tab.lines {
		switch l.kind {
		case definitionLine:
			bodies[i] = pad(l.cells[0].text, names) + " := " + l.cells[1].String()
		case headerLine, rowLine:
			bodies[i] = rowText(widths, l.cells)
		}
		if l.kind >= headerLine {
			comments = max(comments, utf8.RuneCountInString(bodies[i]))
		}
	}
	var b strings.Builder
	for i, l := range tab.lines {
		text := bodies[i]
		switch {
		case l.comment == "":
		case l.kind >= headerLine:
			text = pad(text, comments) + " " + l.comment
		case l.kind == definitionLine:
			text += " " + l.comment
		default:
			text = l.comment
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

// measure makes columns wide enough.
func measure(widths *[]int, cells []cell) {
	for i, x := range cells {
		if i == len(*widths) {
			*widths = append(*widths, 0)
		}
		(*widths)[i] = max((*widths)[i], utf8.RuneCountInString(x.String()))
	}
}

func rowText(widths []int, cells []cell) string {
	parts := make([]string, len(cells))
	for i, x := range cells {
		parts[i] = pad(x.String(), widths[i])
	}
	return strings.TrimRight(strings.Join(parts, " | "), " ")
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// diff writes the rows that have faults, as they are and as they would be right,
// with what their heads mean.
func (tab *table) diff(faults []fault) string {
	var widths []int
	measure(&widths, tab.header.cells)
	var lines [][]cell
	var signs, comments []string
	heads := make(map[string]bool)
	for _, x := range tab.header.cells[1:] {
		heads[x.text] = true
	}
	for i := 0; i < len(faults); {
		row := tab.rows[faults[i].row]
		heads[row.cells[0].text] = true
		before, after := []cell{row.cells[0]}, []cell{row.cells[0]}
		for j := range tab.columns() {
			x := tab.at(row, j)
			before = append(before, x)
			if i < len(faults) && tab.rows[faults[i].row] == row && faults[i].column == j {
				x = cell{text: faults[i].text()}
				i++
			}
			after = append(after, x)
		}
		measure(&widths, before)
		measure(&widths, after)
		lines = append(lines, before, after)
		signs = append(signs, "- ", "+ ")
		comments = append(comments, row.comment, "")
	}
	var b strings.Builder
	for _, l := range tab.lines {
		if l.kind == definitionLine && heads[l.cells[0].text] {
			fmt.Fprintf(&b, "  %s := %s\n", l.cells[0].text, l.cells[1].text)
		}
	}
	b.WriteString("  " + rowText(widths, tab.header.cells))
	for i, cells := range lines {
		text := rowText(widths, cells)
		if comments[i] != "" {
			text += " " + comments[i]
		}
		b.WriteString("\n" + signs[i] + text)
	}
	return b.String()
}
