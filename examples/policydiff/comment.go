package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/reach"
)

// most is how many changes of a kind a comment lists.
const most = 50

var meanings = map[string]string{
	"outside": "nothing new gets in from outside",
	"opened":  "nothing opens",
	"any":     "no answer changes",
}

// comment writes what has changed as Markdown.
func comment(w io.Writer, d *reach.Diff, in []door, rule string, status int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## Network policies: %d opened, %d closed\n\n", len(d.Opened)+len(in), len(d.Closed))
	if meaning := meanings[rule]; meaning != "" {
		verdict := "holds"
		if status == broken {
			verdict = "is **broken**"
		}
		fmt.Fprintf(&b, "The rule that %s %s.\n\n", meaning, verdict)
	}
	changes(&b, "Opened", d.Opened)
	doors(&b, in)
	changes(&b, "Closed", d.Closed)
	ends(&b, "Added", d.Added)
	ends(&b, "Removed", d.Removed)
	if d.IsEmpty() && len(in) == 0 {
		b.WriteString("All answers are the same.\n\n")
	}
	_, err := io.WriteString(w, strings.TrimSuffix(b.String(), "\n"))
	return err
}

func changes(b *strings.Builder, title string, list []reach.Change) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "### %s\n\n| from | to | ports | because of |\n| --- | --- | --- | --- |\n", title)
	for _, c := range list[:min(most, len(list))] {
		ports := c.Ports.String()
		if c.Family != reach.AnyFamily {
			ports += " over " + c.Family.String()
		}
		if c.OwnNode {
			ports += ", on one node"
		}
		var causes []string
		for _, cause := range c.Causes() {
			causes = append(causes, cause.String())
		}
		row(b, c.From.String(), c.To.String(), ports, strings.Join(causes, ", "))
	}
	more(b, len(list))
}

func doors(b *strings.Builder, list []door) {
	if len(list) == 0 {
		return
	}
	b.WriteString("### Let in by Services\n\n| from outside | through | to |\n| --- | --- | --- |\n")
	for _, in := range list[:min(most, len(list))] {
		clients := short(in.clients)
		if in.missing != "" {
			clients += ", perhaps: it is not known " + in.missing
		} else if in.exposure.OwnNode {
			clients += ", some only because the pod's own node hides them"
		}
		row(b, clients, in.exposure.Door.String(), fmt.Sprintf("%v %v", in.exposure.Pod, in.exposure.Port))
	}
	more(b, len(list))
}

func ends(b *strings.Builder, title string, list []reach.Endpoint) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "### %s\n\n", title)
	for _, e := range list[:min(most, len(list))] {
		fmt.Fprintf(b, "- %s\n", escape(e.String()))
	}
	more(b, len(list))
}

func row(b *strings.Builder, cells ...string) {
	for _, cell := range cells {
		b.WriteString("| " + escape(cell) + " ")
	}
	b.WriteString("|\n")
}

// more says how many of a list are left out.
func more(b *strings.Builder, n int) {
	b.WriteString("\n")
	if n > most {
		fmt.Fprintf(b, "%d more are left out.\n\n", n-most)
	}
}

// short returns a set of addresses in a few words.
func short(s cidr.Set) string {
	text := s.String()
	if n := strings.LastIndex(text[:min(80, len(text))], " "); len(text) > 80 && n > 0 {
		return text[:n] + " ..."
	}
	return text
}

// escape returns text without meaning to Markdown.
var escape = strings.NewReplacer("\\", "\\\\", "&", "&amp;", "|", "\\|", "<", "&lt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "\n", " ", "\r", " ").Replace
