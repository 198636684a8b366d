package report

import (
	"bufio"
	"fmt"
	"html"
	"unicode/utf8"
)

// Sizes of the picture, in pixels. Text is in a font of which all characters are
// equally wide.
const (
	svgChar   = 6.7 // width of a character of a name
	svgSmall  = 6   // of one in a cell
	svgRow    = 20
	svgMargin = 16
	svgLetter = 44 // characters of a name
)

const svgStyle = `
text { font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1b1b1b; }
.title { font: bold 15px system-ui, sans-serif; }
.note { font: 12px system-ui, sans-serif; }
.cell { font-size: 10px; text-anchor: middle; }
.none { fill: #767b80; }
.back { fill: #fff; }
.grid { fill: none; stroke: #e3e6e9; }
.space { stroke: #8a929a; }
.ports { fill: #d6e6fa; }
.all { fill: #ffdcb0; }
.some { stroke: #1b1b1b; stroke-dasharray: 2 2; }
.opened { fill: #c9edcf; }
.closed { fill: #fbd5d1; }
.both { fill: #e6dcf5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e6e6; }
  .none { fill: #8b929a; }
  .back { fill: #17191c; }
  .grid { stroke: #2c3035; }
  .space { stroke: #767d85; }
  .ports { fill: #1c3d63; }
  .all { fill: #6b4310; }
  .some { stroke: #e6e6e6; }
  .opened { fill: #1d4a2a; }
  .closed { fill: #642a26; }
  .both { fill: #46356a; }
}
`

// writeSVG writes the table as a picture.
func (m *Matrix) writeSVG(w *bufio.Writer) error {
	rows, columns := m.heads()
	longest := utf8.RuneCountInString(corner)
	name := func(i int) string { return shorten(oneLine(m.Groups[i].Name), svgLetter) }
	for i := range m.Groups {
		longest = max(longest, utf8.RuneCountInString(name(i)))
	}
	most := 16 // characters in a cell
	if len(columns) > 20 {
		most = 9
	}
	heads := float64(longest)*svgChar + 12
	slant := heads * 0.71 // heads of columns stand at 45 degrees
	left, top := svgMargin+heads, svgMargin+28+slant
	xs := []float64{left} // where columns begin, and the last one ends
	for i, to := range columns {
		widest := 2
		for _, from := range rows {
			widest = max(widest, utf8.RuneCountInString(m.At(from, to).brief(most)))
		}
		xs = append(xs, xs[i]+float64(widest)*svgSmall+10)
	}
	right, bottom := xs[len(columns)], top+svgRow*float64(len(rows))
	title, how := m.title()
	notes := append([]string{how}, append(m.notes(), m.legend()...)...)
	width := max(right+slant, 620) + svgMargin
	height := bottom + 24 + 18*float64(len(notes)) + svgMargin

	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="title desc">`+"\n", width, height, width, height)
	fmt.Fprintf(w, "<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n<style>%s</style>\n", title, how, svgStyle)
	fmt.Fprintf(w, `<rect class="back" width="%.0f" height="%.0f"/>`+"\n", width, height)
	fmt.Fprintf(w, `<text class="title" x="%d" y="%d">%s</text>`+"\n", svgMargin, svgMargin+12, title)
	for i, from := range rows {
		fmt.Fprintf(w, `<text x="%.1f" y="%.1f" text-anchor="end"><title>%s</title>%s</text>`+"\n",
			left-8, top+svgRow*(float64(i)+0.5)+4, escapeHTML(m.Groups[from].Name), html.EscapeString(name(from)))
	}
	for i, to := range columns {
		fmt.Fprintf(w, `<text transform="translate(%.1f %.1f) rotate(-45)"><title>%s</title>%s</text>`+"\n",
			(xs[i]+xs[i+1])/2+3, top-8, escapeHTML(m.Groups[to].Name), html.EscapeString(name(to)))
	}
	for i, from := range rows {
		for j, to := range columns {
			m.writeSVGCell(w, m.At(from, to), most, xs[j], top+svgRow*float64(i), xs[j+1]-xs[j])
		}
	}
	border := func(heads []int, i int) string {
		if i == 0 || i == len(heads) || m.isApart(heads[i-1], heads[i]) {
			return "grid space"
		}
		return "grid"
	}
	for i := range len(rows) + 1 {
		y := top + svgRow*float64(i)
		fmt.Fprintf(w, `<path class="%s" d="M%.1f %.1fH%.1f"/>`+"\n", border(rows, i), left, y, right)
	}
	for i, x := range xs {
		fmt.Fprintf(w, `<path class="%s" d="M%.1f %.1fV%.1f"/>`+"\n", border(columns, i), x, top, bottom)
	}
	for i, note := range notes {
		fmt.Fprintf(w, `<text class="note" x="%d" y="%.1f">%s</text>`+"\n", svgMargin, bottom+28+18*float64(i), escapeHTML(note))
	}
	w.WriteString("</svg>\n")
	return nil
}

func (m *Matrix) writeSVGCell(w *bufio.Writer, c Cell, most int, x, y, width float64) {
	text := html.EscapeString(c.brief(most))
	class := c.class()
	if class == "" {
		fmt.Fprintf(w, `<text class="cell none" x="%.1f" y="%.1f">%s</text>`+"\n", x+width/2, y+14, text)
		return
	}
	fmt.Fprintf(w, `<g><title>%s</title><rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d"/><text class="cell" x="%.1f" y="%.1f">%s</text></g>`+"\n",
		escapeHTML(m.sentence(c)), class, x+1, y+1, width-2, svgRow-2, x+width/2, y+14, text)
}

// shorten returns s with no more than most characters.
func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
