package report

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

func (m *Matrix) writeMermaid(w *bufio.Writer) error {
	d := m.draw()
	w.WriteString("flowchart LR\n")
	for i, c := range d.clusters {
		fmt.Fprintf(w, "  subgraph c%d[%s]\n", i, mermaidText(c.name))
		for _, v := range c.vertices {
			w.WriteString("    ")
			v.writeMermaid(w)
		}
		w.WriteString("  end\n")
	}
	for _, v := range d.loose {
		w.WriteString("  ")
		v.writeMermaid(w)
	}
	var layers [2][]string // the numbers of their arrows
	for i, a := range d.arrows {
		arrow := "-->"
		if a.both {
			arrow = "<-->"
		}
		layers[a.layer] = append(layers[a.layer], strconv.Itoa(i))
		fmt.Fprintf(w, "  n%d %s|%s| n%d\n", a.from, arrow, mermaidText(a.text), a.to)
	}
	fmt.Fprintf(w, "  notes[%s]\n", mermaidText(d.notes...))
	w.WriteString("  classDef many stroke-dasharray:4 3\n  classDef notes fill:none,stroke:none,text-align:left\n  class notes notes\n")
	if m.isDiff() {
		w.WriteString("  classDef after stroke:#2da44e,stroke-width:2px\n  classDef before stroke:#e5534b,stroke-width:2px,stroke-dasharray:6 4\n")
	}
	for layer, numbers := range layers {
		if m.isDiff() && numbers != nil {
			fmt.Fprintf(w, "  linkStyle %s %s\n", strings.Join(numbers, ","), [...]string{"stroke:#2da44e", "stroke:#e5534b,stroke-dasharray:6 4"}[layer])
		}
	}
	if len(d.clusters) > 0 {
		names := make([]string, len(d.clusters))
		for i := range names {
			names[i] = fmt.Sprintf("c%d", i)
		}
		fmt.Fprintf(w, "  classDef space fill:#8899aa22,stroke:#8899aa\n  class %s space\n", strings.Join(names, ","))
	}
	return nil
}

func (v vertex) writeMermaid(w *bufio.Writer) {
	class := ""
	switch {
	case v.many:
		class = ":::many"
	case v.only != "":
		class = ":::" + string(v.only)
	}
	fmt.Fprintf(w, "n%d(%s)%s\n", v.id, mermaidText(v.lines...), class)
}

// mermaidText returns lines as a quoted string. What could mean something to Mermaid
// or HTML is written by its number.
func mermaidText(lines ...string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, l := range lines {
		if i > 0 {
			b.WriteString("<br>")
		}
		for _, r := range oneLine(l) {
			if r > '~' || strings.ContainsRune("\"#&<>`\\%{}[]|;*_~$@", r) {
				fmt.Fprintf(&b, "#%d;", r)
			} else {
				b.WriteRune(r)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}
