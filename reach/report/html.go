package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

const (
	mostMembers = 100 // how many members of a group, and warnings, a page lists
	cellText    = 12  // characters in a cell
)

// writeHTML writes a page. Its policy lets no script run but its own, and nothing be
// loaded.
func (m *Matrix) writeHTML(w *bufio.Writer) error {
	title, how := m.title()
	sum := sha256.Sum256([]byte(pageScript))
	fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'">
<title>%s</title>
<style>
%s</style>
</head>
<body>
<main>
<h1>%s</h1>
<p>%s</p>
`, base64.StdEncoding.EncodeToString(sum[:]), title, pageStyle, title, how)
	if notes := m.notes(); len(notes) > 0 {
		w.WriteString("<ul>\n")
		for _, n := range notes {
			fmt.Fprintf(w, "<li>%s</li>\n", escapeHTML(n))
		}
		w.WriteString("</ul>\n")
	}
	if m.isDiff() {
		w.WriteString(`<p class="key"><span class="o">+80,53/UDP</span>opened, numbers alone are of TCP <span class="c">-80</span>closed <span class="b">+80 -81</span>both</p>`)
	} else {
		w.WriteString(`<p class="key"><span class="p">80,53/UDP</span>ports, numbers alone are of TCP <span class="a">all</span>every port <span>-</span>none <span>.</span>not in question</p>`)
	}
	w.WriteString("\n")
	m.writeFilter(w)
	m.writeGrid(w)
	none := "no port"
	if m.isDiff() {
		none = "no change"
	}
	fmt.Fprintf(w, `<p id="why" role="status" data-none="%s">%s</p>`+"\n", none, "Point at a cell, or go there with the arrow keys, to read about it here.")
	m.writeEnds(w)
	m.writeChanges(w)
	if warnings := m.warnings(); len(warnings) > 0 {
		w.WriteString("<h2>Warnings</h2>\n<ul>\n")
		for i, x := range warnings {
			if i == mostMembers {
				fmt.Fprintf(w, "<li>and %d more</li>\n", len(warnings)-i)
				break
			}
			fmt.Fprintf(w, "<li>%s</li>\n", escapeHTML(x.String()))
		}
		w.WriteString("</ul>\n")
	}
	fmt.Fprintf(w, "</main>\n<script>%s</script>\n</body>\n</html>\n", pageScript)
	return nil
}

func (m *Matrix) writeFilter(w *bufio.Writer) {
	w.WriteString("<form role=\"search\" hidden>\n")
	for _, side := range []string{"from", "to"} {
		fmt.Fprintf(w, `<fieldset><legend>%s</legend><select name="%s-space" aria-label="%s namespace"><option value="">everywhere</option>`, side, side, side)
		last := ""
		for i := range m.Groups {
			space := m.Groups[i].space()
			if space == last {
				continue
			}
			last = space
			fmt.Fprintf(w, `<option value="%s">%s</option>`, escapeHTML(space), escapeHTML(strings.TrimPrefix(space, "/")))
		}
		fmt.Fprintf(w, `</select><input type="search" name="%s-text" placeholder="name has" aria-label="%s name has"></fieldset>`+"\n", side, side)
	}
	w.WriteString(`<label><input type="checkbox" name="open"> only rows and columns with ports</label>
<button type="reset">Show all</button>
<output id="count"></output>
</form>
`)
}

func (m *Matrix) writeGrid(w *bufio.Writer) {
	rows, columns := m.heads()
	w.WriteString(`<div class="matrix" tabindex="0" role="region" aria-label="Matrix">
<table>
<caption>Ports from rows to columns</caption>
<colgroup>`)
	// With widths that are given, browsers need not look at every cell to find them.
	names := utf8.RuneCountInString(corner)
	for i := range m.Groups {
		names = max(names, utf8.RuneCountInString(m.Groups[i].Name))
	}
	fmt.Fprintf(w, `<col style="width:min(%dch,45vw)">`, min(names, 50)+3)
	for _, to := range columns {
		widest := 2
		for _, from := range rows {
			widest = max(widest, utf8.RuneCountInString(m.At(from, to).brief(cellText)))
		}
		fmt.Fprintf(w, `<col style="width:%dch">`, widest+1)
	}
	fmt.Fprintf(w, "</colgroup>\n<thead>\n<tr><th scope=\"col\">%s</th>", escapeHTML(corner))
	edge := func(heads []int, i int, class string) string {
		if i > 0 && m.isApart(heads[i-1], heads[i]) {
			return class
		}
		return ""
	}
	for i, to := range columns {
		fmt.Fprintf(w, `<th scope="col" data-end="%d"%s><span>%s</span></th>`, to, classes(edge(columns, i, "left")), m.Groups[to].htmlName())
	}
	w.WriteString("</tr>\n</thead>\n<tbody>\n")
	for i, from := range rows {
		fmt.Fprintf(w, `<tr data-end="%d"%s><th scope="row">%s</th>`, from, classes(edge(rows, i, "first")), m.Groups[from].htmlName())
		for j, to := range columns {
			c := m.At(from, to)
			class := c.class()
			if class != "" {
				class = class[:1]
			}
			w.WriteString("<td" + classes(class, edge(columns, j, "left")))
			text := c.brief(cellText)
			if full := c.sentence(); full != text && !c.isEmpty() {
				fmt.Fprintf(w, ` data-ports="%s"`, escapeHTML(full))
			}
			w.WriteString(">" + escapeHTML(text) + "</td>")
		}
		w.WriteString("</tr>\n")
	}
	w.WriteString("</tbody>\n</table>\n</div>\n")
}

// classes returns the attribute of those classes that are not empty.
func classes(list ...string) string {
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	if len(list) == 0 {
		return ""
	}
	return ` class="` + strings.Join(list, " ") + `"`
}

// htmlName returns the name, with the namespace dimmed.
func (g *Group) htmlName() string {
	if g.Namespace != "" && strings.HasPrefix(g.Name, g.Namespace+"/") {
		return `<span class="dim">` + escapeHTML(g.Namespace) + "/</span>" + escapeHTML(g.local)
	}
	return escapeHTML(g.Name)
}

// writeEnds lists the groups with their members, and which policies isolate them.
func (m *Matrix) writeEnds(w *bufio.Writer) {
	w.WriteString("<h2>Rows and columns</h2>\n<table class=\"ends\">\n<thead><tr><th scope=\"col\">name</th><th scope=\"col\">members</th>")
	isolation := m.Detail != Namespaces && !m.isDiff()
	if isolation {
		w.WriteString(`<th scope="col">egress isolated by</th><th scope="col">ingress isolated by</th>`)
	}
	w.WriteString("</tr></thead>\n<tbody>\n")
	for i := range m.Groups {
		g := &m.Groups[i]
		var members []string
		for n, text := range g.texts {
			if n == mostMembers {
				members = append(members, fmt.Sprintf("and %d more", len(g.texts)-n))
				break
			}
			members = append(members, text)
		}
		fmt.Fprintf(w, `<tr data-space="%s"><th scope="row">%s</th><td>%s</td>`, escapeHTML(g.space()), escapeHTML(g.Name), escapeHTML(strings.Join(members, ", ")))
		if isolation {
			egress, ingress := m.isolation(g)
			fmt.Fprintf(w, "<td>%s</td><td>%s</td>", escapeHTML(egress), escapeHTML(ingress))
		}
		w.WriteString("</tr>\n")
	}
	w.WriteString("</tbody>\n</table>\n")
}

// mostCauses is how many changes a page gives the causes of, which takes its time.
const mostCauses = 50

// writeChanges lists the changes of a difference with their causes.
func (m *Matrix) writeChanges(w *bufio.Writer) {
	if len(m.changes) == 0 {
		return
	}
	w.WriteString("<h2>Causes</h2>\n<ul>\n")
	for i, c := range m.changes {
		if i == mostCauses {
			fmt.Fprintf(w, "<li>and %d more changes</li>\n", len(m.changes)-i)
			break
		}
		causes := c.Causes()
		texts := make([]string, len(causes))
		for n, cause := range causes {
			texts[n] = cause.String()
		}
		fmt.Fprintf(w, "<li>%s: %s</li>\n", escapeHTML(c.String()), escapeHTML(strings.Join(texts, ", ")))
	}
	w.WriteString("</ul>\n")
}

// isolation tells by which policies the pods of a group are isolated.
func (m *Matrix) isolation(g *Group) (egress, ingress string) {
	if g.Kind != Pods {
		return "", ""
	}
	outside := m.graph.MustLookup("outside:*")
	port := policy.TCP.Port(1) // any would do
	seen := make(map[reach.Class]bool)
	var out, in []string
	for _, pod := range g.Members {
		if c, _ := m.graph.ClassOf(pod); seen[c] {
			continue
		} else {
			seen[c] = true
		}
		out = addNames(out, m.graph.Explain(reach.Flow{From: pod, To: outside, Port: port}).Egress.Isolating)
		in = addNames(in, m.graph.Explain(reach.Flow{From: outside, To: pod, Port: port}).Ingress.Isolating)
	}
	return strings.Join(out, "; or "), strings.Join(in, "; or ")
}

// addNames adds the names of policies, as one text, to list unless they are in it.
func addNames(list []string, policies []reach.PolicyRef) []string {
	names := make([]string, len(policies))
	for i, p := range policies {
		names[i] = p.Name.String()
	}
	text := strings.Join(names, ", ")
	if text == "" {
		text = "nothing"
	}
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

func escapeHTML(s string) string { return html.EscapeString(oneLine(s)) }
