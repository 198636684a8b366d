package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
)

// A Format is a form in which a Matrix is written. All text is UTF-8, and of names what
// could mean something to the form is escaped.
type Format string

// The formats, and how many groups they show before they collapse what nobody has asked
// for in detail.
const (
	Text     Format = "text"     // a table of 60 groups or less; if that is wide, or a difference, a list of arrows
	Markdown Format = "markdown" // the same
	CSV      Format = "csv"      // a table, of 1000
	JSON     Format = "json"     // data, of any number; see Matrix.Write
	HTML     Format = "html"     // a page to look at and to filter that needs nothing else, of 200
	SVG      Format = "svg"      // a picture of the table, of 60
	DOT      Format = "dot"      // a graph for Graphviz, of 100, and of no more arrows than an eye can follow
	Mermaid  Format = "mermaid"  // the same for Mermaid
)

type form struct {
	format Format
	limit  int // how many groups it shows; 0 if there is no limit
	write  func(*Matrix, *bufio.Writer) error
}

var forms = [...]form{
	{Text, 60, (*Matrix).writeText},
	{Markdown, 60, (*Matrix).writeMarkdown},
	{CSV, 1000, (*Matrix).writeCSV},
	{JSON, 0, (*Matrix).writeJSON},
	{HTML, 200, (*Matrix).writeHTML},
	{SVG, 60, (*Matrix).writeSVG},
	{DOT, 100, (*Matrix).writeDOT},
	{Mermaid, 100, (*Matrix).writeMermaid},
}

// Formats returns the formats, in the order in which they are declared.
func Formats() []Format {
	list := make([]Format, len(forms))
	for i := range forms {
		list[i] = forms[i].format
	}
	return list
}

// Write writes m in a format: the same bytes for the same cluster and Options. It is
// an error if there is no such format, or what w returns.
//
// JSON is an object with these members. Later versions may add others, and those that
// are false or empty are left out.
//
//	is           "matrix" or "difference"
//	detail       "each", "alike" or "namespaces"
//	groups       what Matrix.Groups is, each an object with
//	  name, kind
//	  namespace
//	  only       "before" or "after", in a difference
//	  members    pods and nodes as [reach.Endpoint.String] has them, and sets of addresses
//	cells        those that have ports or an own node, by from, each an object with
//	  from       an index of groups
//	  to         a list of indices of groups, to all of which the rest applies
//	  ports      a list of "80/TCP", "8000-8080/TCP", "UDP", "other protocols" or "all"
//	  opened, closed   in place of ports, in a difference
//	  some, oneFamily, ownNode
//	warnings     those of the cluster, each an object with
//	  code, text
func (m *Matrix) Write(w io.Writer, f Format) error {
	i := slices.IndexFunc(forms[:], func(x form) bool { return x.format == f })
	if i < 0 {
		return fmt.Errorf("%q is no format: want one of %v", f, Formats())
	}
	b := bufio.NewWriter(w)
	if err := forms[i].write(m.within(forms[i].limit), b); err != nil {
		return err
	}
	return b.Flush()
}

// compact returns ports in the form of tables: numbers alone are TCP.
func compact(s policy.PortSet) string {
	return strings.ReplaceAll(strings.ReplaceAll(s.String(), "/TCP", ""), ", ", ",")
}

// text returns the cell in the form of tables.
func (c Cell) text() string { return c.write(compact) }

// brief returns the cell with as many of its ports as fit in some characters.
func (c Cell) brief(most int) string {
	return c.write(func(s policy.PortSet) string { return brief(s, most) })
}

func (c Cell) write(ports func(policy.PortSet) string) string {
	var text string
	switch {
	case c.diff:
		text = strings.Join(c.parts("+", "-", ports), " ")
	case c.Pairs == 0:
		return "."
	case c.Ports.IsEmpty():
		return "-"
	default:
		text = ports(c.Ports)
	}
	if c.Some {
		text = "(" + text + ")"
	}
	return text
}

// parts returns what a cell of a difference opens and closes.
func (c Cell) parts(opened, closed string, ports func(policy.PortSet) string) []string {
	var list []string
	if !c.Ports.IsEmpty() {
		list = append(list, opened+ports(c.Ports))
	}
	if !c.Closed.IsEmpty() {
		list = append(list, closed+ports(c.Closed))
	}
	return list
}

// brief is compact with the first ranges, at least one, that fit in some characters,
// and how many others there are.
func brief(s policy.PortSet, most int) string {
	text := compact(s)
	if len(text) <= most {
		return text
	}
	parts := strings.Split(text, ",")
	text = parts[0]
	for n, p := range parts[1:] {
		if len(text)+len(p)+len(",,+99") > most {
			return text + fmt.Sprintf(",+%d", len(parts)-1-n)
		}
		text += "," + p
	}
	return text
}

// class returns what the cell is as a class of CSS, or nothing if it has no ports.
func (c Cell) class() string {
	class := "ports"
	switch {
	case c.isEmpty():
		return ""
	case c.diff && c.Closed.IsEmpty():
		class = "opened"
	case c.diff && c.Ports.IsEmpty():
		class = "closed"
	case c.diff:
		class = "both"
	case c.Ports.Equal(everyPort):
		class = "all"
	}
	if c.Some {
		class += " some"
	}
	return class
}

func (c Cell) isEmpty() bool { return c.Ports.IsEmpty() && c.Closed.IsEmpty() }

var everyPort = policy.NewPortSet(policy.PortRange{}, policy.PortRange{Protocol: policy.TCP, First: 1, Last: 65535},
	policy.PortRange{Protocol: policy.UDP, First: 1, Last: 65535}, policy.PortRange{Protocol: policy.SCTP, First: 1, Last: 65535})

// sentence tells what a cell says.
func (m *Matrix) sentence(c Cell) string {
	return m.Groups[c.From].Name + " → " + m.Groups[c.To].Name + ": " + c.sentence()
}

func (c Cell) sentence() string {
	s := c.Ports.String()
	if c.diff {
		s = strings.Join(c.parts("opened ", "closed ", policy.PortSet.String), "; ")
	}
	if c.Some {
		s += ", for some pairs only"
	}
	if c.OneFamily {
		s += ", some of it over one address family only"
	}
	return s
}

// legend returns what the signs of tables mean.
func (m *Matrix) legend() []string {
	if m.isDiff() {
		return []string{"+ opened  - closed; numbers alone are TCP ports"}
	}
	return []string{"Numbers alone are TCP ports.  -  none  .  not in question"}
}

// title returns what m is about, and how to read it.
func (m *Matrix) title() (what, how string) {
	if m.isDiff() {
		return "What changes", "Rows newly connect to columns on the ports with +, and no longer on those with -."
	}
	return "Who reaches whom", "Rows connect to columns on the ports in the cells."
}

// space returns what the group stands with: its namespace, the nodes or the outside.
func (g *Group) space() string {
	switch {
	case g.Kind != Pods:
		return "/" + string(g.Kind)
	case g.other:
		return "/others"
	}
	return g.Namespace
}

// isApart reports whether a line belongs between two groups, for they stand elsewhere.
func (m *Matrix) isApart(i, j int) bool {
	a, b := &m.Groups[i], &m.Groups[j]
	if m.Detail == Namespaces {
		return a.Kind != b.Kind
	}
	return a.space() != b.space()
}

// mostNames is how many endpoints a note names.
const mostNames = 10

// notes returns what a reader must know of the groups and signs of m.
func (m *Matrix) notes() []string {
	var list []string
	if len(m.opts.Namespaces) > 0 {
		list = append(list, "Only what goes to and from pods in "+strings.Join(m.opts.Namespaces, ", ")+".")
	}
	if m.opts.Detail == "" && m.Detail == Namespaces {
		list = append(list, fmt.Sprintf("Each namespace is one end; without that there would be %d ends.", m.alike(true).n))
	}
	if m.folded > 0 {
		list = append(list, fmt.Sprintf("The %d namespaces that have to do with the fewest others are one end.", m.folded))
	}
	var some, own, family, changes bool
	for c := range m.Cells() {
		some, own, family, changes = some || c.Some, own || c.OwnNode, family || c.OneFamily, changes || !c.isEmpty()
	}
	if some && m.isDiff() {
		list = append(list, "(In brackets): for some pairs only.")
	} else if some {
		list = append(list, "(In brackets): open for some pairs only.")
	}
	if own && !m.isDiff() {
		list = append(list, "Not shown: a node always reaches the pods that run on it.")
	}
	if family {
		list = append(list, "Some of this is so over one address family only.")
	}
	for _, only := range [...]struct {
		side Side
		what string
	}{{After, "Added"}, {Before, "Removed"}} {
		var names []string
		for i := range m.ends {
			if m.ends[i].only == only.side {
				names = append(names, m.ends[i].text)
			}
		}
		if n := len(names) - mostNames; n > 1 {
			names = append(names[:mostNames], fmt.Sprintf("and %d more", n))
		}
		if names != nil {
			list = append(list, only.what+": "+strings.Join(names, ", ")+".")
		}
	}
	if m.isDiff() && !changes {
		list = append(list, "No flow is opened or closed.")
	}
	return list
}
