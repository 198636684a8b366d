package report

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// corner is the head of the column of heads.
const corner = `from \ to`

// mostWidth is how wide a table of text may be before a list stands in for it.
const mostWidth = 160

// heads returns the groups that have rows, and those that have columns: all, but of a
// difference only those with something in them.
func (m *Matrix) heads() (rows, columns []int) {
	isRow, isColumn := make([]bool, len(m.Groups)), make([]bool, len(m.Groups))
	if m.isDiff() {
		for c := range m.Cells() {
			if !c.isEmpty() {
				isRow[c.From], isColumn[c.To] = true, true
			}
		}
	}
	for i := range m.Groups {
		if isRow[i] || !m.isDiff() {
			rows = append(rows, i)
		}
		if isColumn[i] || !m.isDiff() {
			columns = append(columns, i)
		}
	}
	return rows, columns
}

// table returns the lines of m, of equally many cells, of which the first are heads.
func (m *Matrix) table(text func(Cell) string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		rows, columns := m.heads()
		head := []string{corner}
		for _, to := range columns {
			head = append(head, m.Groups[to].Name)
		}
		if !yield(head) {
			return
		}
		for _, from := range rows {
			line := []string{m.Groups[from].Name}
			for _, to := range columns {
				line = append(line, text(m.At(from, to)))
			}
			if !yield(line) {
				return
			}
		}
	}
}

// list returns the arrows of m as lines of three cells, of which the first are heads.
func (m *Matrix) list() [][]string {
	lines := [][]string{{"from", "to", "ports"}}
	for _, g := range m.graphs() {
		for _, a := range g.arrows {
			lines = append(lines, []string{g.spots[a.from].name, g.spots[a.to].name, g.text(a, compact)})
		}
	}
	return lines
}

// lines returns the table, unless it is wide or a difference, or else the list, and what
// separates columns.
func (m *Matrix) lines(bar string) (lines [][]string, gap string, notes []string) {
	notes = m.notes()
	if !m.isDiff() && len(m.Groups)*(len(bar)+1) <= mostWidth {
		lines = slices.Collect(m.table(Cell.text))
		if _, sum := measure(lines, len(bar)); sum <= mostWidth {
			return lines, bar, notes
		}
	}
	if lines = m.list(); len(lines) == 1 && m.isDiff() {
		return nil, "", notes // which say it
	}
	return lines, "  ", append(notes, m.allElse())
}

func (m *Matrix) writeText(w *bufio.Writer) error {
	lines, gap, notes := m.lines(" | ")
	widths, _ := measure(lines, len(gap))
	for _, line := range lines {
		for i, cell := range line {
			if i > 0 {
				w.WriteString(gap)
			}
			w.WriteString(oneLine(cell))
			if i < len(line)-1 {
				w.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(oneLine(cell))))
			}
		}
		w.WriteString("\n")
	}
	for _, n := range notes {
		fmt.Fprintf(w, "# %s\n", oneLine(n))
	}
	return nil
}

// allElse ends a list.
func (m *Matrix) allElse() string {
	subject, verb := "All else", "is closed"
	if len(m.opts.Namespaces) > 0 {
		subject += " to and from these pods"
	}
	if m.isDiff() {
		verb = "stays as it is"
	}
	return subject + " " + verb + "."
}

// measure returns the widths of columns, and of all of them with gaps.
func measure(lines [][]string, gap int) (widths []int, sum int) {
	for _, line := range lines {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(oneLine(cell)))
		}
	}
	for i, w := range widths {
		sum += w
		if i > 0 {
			sum += gap
		}
	}
	return widths, sum
}

func (m *Matrix) writeMarkdown(w *bufio.Writer) error {
	lines, _, notes := m.lines("")
	for i, line := range lines {
		for _, cell := range line {
			w.WriteString("| " + escapeMarkdown(cell) + " ")
		}
		w.WriteString("|\n")
		if i == 0 {
			w.WriteString(strings.Repeat("| --- ", len(line)) + "|\n")
		}
	}
	for _, n := range notes {
		fmt.Fprintf(w, "\n%s\n", escapeMarkdown(n))
	}
	return nil
}

// escapeMarkdown returns a text that Markdown shows as s, in a table too.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune("\\`*_[]<>&#|~$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// oneLine returns s with blanks in place of line breaks, and with marks in place of
// other characters that have no shape of their own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

func (m *Matrix) writeCSV(w *bufio.Writer) error {
	out := csv.NewWriter(w)
	text := Cell.text
	if m.isDiff() {
		text = func(c Cell) string { // spreadsheets would take signs for those of numbers
			text := strings.Join(c.parts("opened ", "closed ", compact), "; ")
			if c.Some {
				text = "(" + text + ")"
			}
			return text
		}
	}
	for line := range m.table(text) {
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
