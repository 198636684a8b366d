package report

import (
	"bufio"
	"fmt"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
)

// A drawing is a graph as it is drawn, the same for DOT and Mermaid.
type drawing struct {
	clusters []cluster // one for each namespace, and for the nodes and the outside
	loose    []vertex  // in none of these
	arrows   []line
	notes    []string
}

type cluster struct {
	name     string
	vertices []vertex
}

// A vertex is a spot.
type vertex struct {
	id    int
	lines []string
	many  bool // it stands for several groups
	only  Side
}

// A line is arrows between two vertices.
type line struct {
	from, to int
	text     string
	layer    int  // in Matrix.graphs
	both     bool // the same goes the other way
}

// arrowText is how many characters stand at an arrow.
const arrowText = 24

// mostArrows is how many arrows an eye can follow, and layouts can place.
const mostArrows = 150

// draw returns what is to be drawn of m. Unless it has been chosen, it collapses m until
// there are few enough arrows.
func (m *Matrix) draw() *drawing {
	for {
		graphs, arrows := m.graphs(), 0
		for _, g := range graphs {
			arrows += len(g.arrows)
		}
		next := m
		if arrows > mostArrows && len(m.Groups) >= 2*minLimit {
			next = m.within(len(m.Groups) / 2)
		}
		if next == m {
			return m.drawing(graphs)
		}
		m = next
	}
}

func (m *Matrix) drawing(graphs []*graph) *drawing {
	d := &drawing{notes: append(m.notes(), m.allElse())}
	spots := graphs[0].spots
	within := make([][]string, len(spots)) // what the groups of a spot can do among themselves
	used := make([]bool, len(spots))
	for layer, g := range graphs {
		lines := make(map[[2]int]int)
		for _, a := range g.arrows {
			used[a.from], used[a.to] = true, true
			text := g.text(a, func(s policy.PortSet) string { return brief(s, arrowText) })
			if a.from == a.to {
				within[a.from] = append(within[a.from], text)
				continue
			}
			if i, ok := lines[[2]int{a.to, a.from}]; ok && d.arrows[i].text == text {
				d.arrows[i].both = true
				continue
			}
			lines[[2]int{a.from, a.to}] = len(d.arrows)
			d.arrows = append(d.arrows, line{from: a.from, to: a.to, text: text, layer: layer})
		}
	}
	index := make(map[string]int)
	for i, s := range spots {
		v := vertex{id: i, lines: []string{s.name}, many: len(s.groups) > 1, only: m.Groups[s.groups[0]].Only}
		name := m.clusterOf(s)
		switch {
		case v.many && !used[i]:
			continue
		case v.many:
			v.only = ""
		case name != "":
			v.lines[0] = m.Groups[i].local
		}
		if within[i] != nil {
			v.lines = append(v.lines, "among themselves: "+strings.Join(within[i], " "))
		}
		if name == "" {
			d.loose = append(d.loose, v)
			continue
		}
		n, ok := index[name]
		if !ok {
			n = len(d.clusters)
			index[name] = n
			d.clusters = append(d.clusters, cluster{name: name})
		}
		d.clusters[n].vertices = append(d.clusters[n].vertices, v)
	}
	return d
}

// clusterOf returns the cluster that all groups of a spot are in, if they are not
// clusters themselves.
func (m *Matrix) clusterOf(s spot) string {
	of := func(i int) string {
		switch gr := &m.Groups[i]; {
		case gr.Kind == Outside && gr.Name != "outside":
			return "outside"
		case m.Detail != Namespaces && gr.Kind == Pods && !gr.other:
			return gr.Namespace
		}
		return ""
	}
	name := of(s.groups[0])
	if slices.ContainsFunc(s.groups, func(i int) bool { return of(i) != name }) {
		return ""
	}
	return name
}

func (m *Matrix) writeDOT(w *bufio.Writer) error {
	d := m.draw()
	w.WriteString(`digraph reach {
  graph [rankdir=LR, bgcolor=white, fontname="Helvetica,Arial,sans-serif", fontsize=12, labeljust=l, ranksep=0.9, nodesep=0.18];
  node [shape=box, style="rounded,filled", color="#5b6b7b", fillcolor=white, fontname="Helvetica,Arial,sans-serif", fontsize=11, height=0.3, margin="0.12,0.05"];
  edge [color="#5b6b7b", fontcolor="#1f2933", fontname="Helvetica,Arial,sans-serif", fontsize=9, arrowsize=0.6];
`)
	fmt.Fprintf(w, "  label=%s;\n", dotText(d.notes, `\l`))
	for i, c := range d.clusters {
		fmt.Fprintf(w, "  subgraph cluster_%d {\n    graph [label=%s, style=\"rounded,filled\", color=\"#c3ccd5\", fillcolor=\"#f1f4f7\"];\n", i, dotText([]string{c.name}, ""))
		for _, v := range c.vertices {
			w.WriteString("    ")
			v.writeDOT(w)
		}
		w.WriteString("  }\n")
	}
	for _, v := range d.loose {
		w.WriteString("  ")
		v.writeDOT(w)
	}
	for _, a := range d.arrows {
		style := ""
		if a.both {
			style = ", dir=both"
		}
		if m.isDiff() {
			style += [...]string{`, color="#1a7f37"`, `, color="#c62828", style=dashed`}[a.layer]
		}
		fmt.Fprintf(w, "  n%d -> n%d [label=%s%s];\n", a.from, a.to, dotText([]string{a.text}, ""), style)
	}
	w.WriteString("}\n")
	return nil
}

func (v vertex) writeDOT(w *bufio.Writer) {
	style := ""
	switch {
	case v.many:
		style = `, style="rounded,dashed"`
	case v.only == After:
		style = `, color="#1a7f37", penwidth=2`
	case v.only == Before:
		style = `, color="#c62828", style="rounded,filled,dashed", penwidth=2`
	}
	fmt.Fprintf(w, "n%d [label=%s%s];\n", v.id, dotText(v.lines, `\n`), style)
}

// dotText returns lines as a quoted string, each ended by a sequence unless it is the
// last one and that only separates.
func dotText(lines []string, end string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, l := range lines {
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(oneLine(l)))
		if i < len(lines)-1 || end == `\l` {
			b.WriteString(end)
		}
	}
	b.WriteByte('"')
	return b.String()
}
