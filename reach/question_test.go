package reach_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A question is a line of test data that asks and answers:
//
//	x/b -> x/a 80/TCP deny over IPv4 (policies, depends:SCTP) # why
//	x/b -> svc:x/s postgres some # why
//
// The first form is about a Flow, the second about a Connection. The file
// README.md of testdata describes both.
type question struct {
	From, To string // as Graph.Lookup reads them; To as Graph.Target does, if there is an Outcome
	Port     policy.Port
	PortText string // in place of Port if there is an Outcome, as Target.Port reads it
	Family   reach.Family
	Allow    bool
	Outcome  reach.Outcome // empty if the question is about a flow
	Marks    []string      // what the answer must carry; it may carry more
	Why      string
	Line     string // the line it was read from
}

// outcomeWords are the words that an outcome may be. Policies decide the first
// three.
var outcomeWords = []reach.Outcome{
	reach.All, reach.Some, reach.None, reach.Unknown, reach.OutsideSourceRanges, reach.NoLocalEndpoints,
	reach.NoEndpoints, reach.NoFamily, reach.NoServicePort, reach.NotExposed, reach.Gone,
}

// The words that a mark may be, beside "depends:" and a field of reach.Profile.
var markWords = []string{
	"policies", "self", "own-node", "not-subject", "no-common-family", "terminated", "not-enforced", "hairpin", // reasons
	"no-address", "unknown-node", "other-protocol", "generated-label", "hidden-by-own-node", // notes
}

// parseQuestion reads a line. It refuses what it does not know, so that a
// misspelled row cannot pass for one that holds.
func parseQuestion(line string) (question, error) {
	q := question{Line: line}
	bad := func(format string, args ...any) (question, error) {
		return question{}, fmt.Errorf("question %q: %s", line, fmt.Sprintf(format, args...))
	}

	text, why, _ := strings.Cut(line, " #")
	q.Why = strings.TrimSpace(why)

	text, marks, marked := strings.Cut(text, "(")
	if marked {
		marks, ok := strings.CutSuffix(strings.TrimSpace(marks), ")")
		if !ok {
			return bad("the marks must end with ')'")
		}
		for mark := range strings.SplitSeq(marks, ",") {
			mark = strings.TrimSpace(mark)
			if err := checkMark(mark); err != nil {
				return bad("%v", err)
			}
			q.Marks = append(q.Marks, mark)
		}
	}

	var err error
	words := strings.Fields(text)
	if len(words) == 7 && words[5] == "over" {
		if q.Family, err = parseFamily(words[6]); err != nil {
			return bad("%v", err)
		}
		words = words[:5]
	}
	if len(words) != 5 || words[1] != "->" {
		return bad("want FROM -> TO PORT VERDICT [over FAMILY] [(MARK, ...)] [# WHY]")
	}
	q.From, q.To = words[0], words[2]

	verdict := words[4]
	if slices.Contains(outcomeWords, reach.Outcome(verdict)) {
		q.PortText, q.Outcome = words[3], reach.Outcome(verdict)
		q.Allow = q.Outcome.Reachable()
		return q, nil
	}
	if q.Port, err = policy.ParsePort(words[3]); err != nil {
		return bad("%v", err)
	}
	switch verdict {
	case "allow":
		q.Allow = true
	case "deny":
	default:
		return bad("%q is neither allow nor deny nor an outcome", verdict)
	}
	return q, nil
}

func parseFamily(word string) (reach.Family, error) {
	switch word {
	case "IPv4":
		return reach.IPv4, nil
	case "IPv6":
		return reach.IPv6, nil
	}
	return 0, fmt.Errorf("%q is no address family", word)
}

// checkMark reports what is wrong with a mark.
func checkMark(mark string) error {
	if field, ok := strings.CutPrefix(mark, "depends:"); ok {
		if _, ok := reflect.TypeFor[reach.Profile]().FieldByName(field); !ok {
			return fmt.Errorf("reach.Profile has no field %q", field)
		}
		return nil
	}
	if !slices.Contains(markWords, mark) {
		return fmt.Errorf("unknown mark %q", mark)
	}
	return nil
}

// check asks g and compares its answers with q's.
func (q question) check(t testing.TB, g *reach.Graph) {
	t.Helper()
	if q.Outcome != "" {
		q.trace(t, g, netip.Addr{})
		return
	}
	from, err := g.Lookup(q.From)
	if !assert.NoError(t, err, q.Line) {
		return
	}
	to, err := g.Lookup(q.To)
	if !assert.NoError(t, err, q.Line) {
		return
	}
	f := reach.Flow{From: from, To: to, Port: q.Port, Family: q.Family}
	v := g.Explain(f)
	if got := g.Allows(f); got != q.Allow || v.Allowed != q.Allow {
		t.Errorf("%s\nAllows says %t, Explain says %t:\n%v", q.Line, got, v.Allowed, v)
		return
	}
	q.checkMarks(t, verdictMarks(v), v)
}

// trace asks g for a connection, and compares its answers with q's. The trace
// is false if they are wrong.
func (q question) trace(t testing.TB, g *reach.Graph, balancer netip.Addr) (_ reach.Trace, ok bool) {
	t.Helper()
	c, err := q.connection(g)
	if !assert.NoError(t, err, q.Line) {
		return reach.Trace{}, false
	}
	c.Balancer = balancer
	trace := g.Trace(c)
	if got := g.Reaches(c); got != q.Outcome || trace.Outcome != q.Outcome {
		t.Errorf("%s\nReaches says %s, Trace says %s:\n%v", q.Line, got, trace.Outcome, trace)
		return reach.Trace{}, false
	}
	q.checkMarks(t, traceMarks(trace), trace)
	return trace, true
}

// connection returns the connection that q asks about.
func (q question) connection(g *reach.Graph) (reach.Connection, error) {
	from, err := g.Lookup(q.From)
	if err != nil {
		return reach.Connection{}, err
	}
	to, err := g.Target(q.To)
	if err != nil {
		return reach.Connection{}, err
	}
	port, err := to.Port(q.PortText)
	if err != nil {
		return reach.Connection{}, err
	}
	return reach.Connection{From: from, To: to, Port: port, Family: q.Family}, nil
}

// checkMarks compares the marks of an answer with those of q.
func (q question) checkMarks(t testing.TB, carried []string, answer fmt.Stringer) {
	t.Helper()
	for _, mark := range q.Marks {
		if !slices.Contains(carried, mark) {
			t.Errorf("%s\nthe answer carries no mark %q, only %q:\n%v", q.Line, mark, carried, answer)
		}
	}
}

// traceMarks returns the reasons and notes of the paths of trace, and the fields
// that its outcome depends on.
func traceMarks(trace reach.Trace) []string {
	var marks []string
	for _, p := range trace.Paths {
		if p.Stop == "" {
			p.Verdict.DependsOn = nil
			marks = append(marks, verdictMarks(p.Verdict)...)
		}
	}
	for _, field := range trace.DependsOn {
		marks = append(marks, "depends:"+field)
	}
	return marks
}

// verdictMarks returns the marks that v carries.
func verdictMarks(v reach.Verdict) []string {
	marks := []string{string(v.Reason)}
	for _, note := range v.Notes {
		marks = append(marks, string(note))
	}
	for _, field := range v.DependsOn {
		marks = append(marks, "depends:"+field)
	}
	return marks
}

func TestParseQuestion(t *testing.T) {
	good := []struct {
		line string
		want question
		why  string
	}{
		{
			"x/b -> x/a 80/TCP deny",
			question{From: "x/b", To: "x/a", Port: policy.TCP.Port(80)},
			"the shortest form leaves everything else at its zero value",
		},
		{
			"2001:db8::9 -> replica:shop/web 53/udp allow over IPv6 (no-address,  depends:IPBlockSkipsPods)  # a reason # in full",
			question{
				From: "2001:db8::9", To: "replica:shop/web", Port: policy.UDP.Port(53), Family: reach.IPv6, Allow: true,
				Marks: []string{"no-address", "depends:IPBlockSkipsPods"}, Why: "a reason # in full",
			},
			"the longest form has every part",
		},
		{
			"x/web-#1 -> node:n1 ICMP allow (policies)",
			question{From: "x/web-#1", To: "node:n1", Port: policy.Port{Protocol: policy.ICMP}, Allow: true, Marks: []string{"policies"}},
			"a '#' inside a word begins no reason",
		},
		{
			"x/b -> svc:x/s dns/UDP some over IPv4 (depends:Hairpin) # why",
			question{
				From: "x/b", To: "svc:x/s", PortText: "dns/UDP", Family: reach.IPv4, Allow: true, Outcome: reach.Some,
				Marks: []string{"depends:Hairpin"}, Why: "why",
			},
			"with an outcome the port may have a name",
		},
		{
			"x/b -> x/a 80/TCP none",
			question{From: "x/b", To: "x/a", PortText: "80/TCP", Outcome: reach.None},
			"an outcome asks about a connection whatever its target is",
		},
		{
			"x/b -> svc:x/s 80 no-such-port",
			question{From: "x/b", To: "svc:x/s", PortText: "80", Outcome: reach.NoServicePort},
			"an outcome that no policy decides is none that allows",
		},
	}
	for _, row := range good {
		t.Run(row.line, func(t *testing.T) {
			got, err := parseQuestion(row.line)
			require.NoError(t, err, row.why)
			row.want.Line = row.line
			assert.Equal(t, row.want, got, row.why)
		})
	}

	bad := []struct{ line, says, why string }{
		{"", "want FROM", "an empty line asks nothing"},
		{"x/b x/a 80/TCP deny", "want FROM", "the arrow is missing"},
		{"x/b -> x/a 80/TCP", "want FROM", "the verdict is missing"},
		{"x/b -> x/a 80/TCP denied", "neither allow nor deny", "the verdict is misspelled"},
		{"x/b -> x/a 80/QUIC deny", "QUIC", "the protocol is unknown"},
		{"x/b -> x/a 80/TCP deny over IPX", "no address family", "the family is unknown"},
		{"x/b -> x/a 80/TCP deny over", "want FROM", "the family is missing"},
		{"x/b -> x/a 80/TCP deny (self", "must end with", "the marks are not closed"},
		{"x/b -> x/a 80/TCP deny (selfish)", "unknown mark", "the mark is misspelled"},
		{"x/b -> x/a 80/TCP deny ()", "unknown mark", "a list of marks without a mark says nothing"},
		{"x/b -> x/a 80/TCP deny (depends:Sctp)", "no field", "the field is misspelled"},
		{"x/b -> svc:x/s 80 no-port", "nor an outcome", "the outcome is misspelled"},
		{"x/b -> x/a http allow", "http", "a flow has a number for a port"},
	}
	for _, row := range bad {
		t.Run(row.line, func(t *testing.T) {
			_, err := parseQuestion(row.line)
			assert.ErrorContains(t, err, row.says, row.why)
		})
	}
}

// A wantPath is a line of test data that describes a path of a trace:
//
//	y/b 8080/TCP from node:n2 deny at node:n2 over IPv6 x3
//	no-local-endpoints at node:n2
//
// The file README.md of testdata describes the form. What is empty or zero is
// not compared.
type wantPath struct {
	Stop                 reach.Outcome
	To, Port, From       string // of Path.Ingress
	Allow                bool
	Node                 string // "-" for none
	Nodes                int
	Family               reach.Family
	EgressTo, EgressPort string
	Door                 string // "-" for none
	Says                 string // a part of Path.Missing
}

// parsePath reads a line.
func parsePath(line string) (wantPath, error) {
	var w wantPath
	bad := func(format string, args ...any) (wantPath, error) {
		return wantPath{}, fmt.Errorf("path %q: %s", line, fmt.Sprintf(format, args...))
	}

	text, says, remark := strings.Cut(line, " # says:")
	w.Says = strings.TrimSpace(says)
	if remark && w.Says == "" {
		return bad("says what?")
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return bad("it is empty")
	}
	switch stop := reach.Outcome(words[0]); {
	case slices.Contains(outcomeWords[3:], stop):
		w.Stop, words = stop, words[1:]
	case len(words) < 5 || words[2] != "from":
		return bad("want BACKEND PORT from SOURCE allow|deny [OPTION]... or STOP [OPTION]...")
	case words[4] != "allow" && words[4] != "deny":
		return bad("%q is neither allow nor deny", words[4])
	default:
		w.To, w.Port, w.From, w.Allow = words[0], words[1], words[3], words[4] == "allow"
		words = words[5:]
	}
	if remark && w.Stop != reach.Unknown {
		return bad("only a path that is unknown misses anything")
	}

	seen := map[string]bool{"to": w.Stop == "", "from": w.Stop == ""}
	for len(words) > 0 {
		option, n := words[0], 2
		switch {
		case option == "to" || option == "egress":
			n = 3
		case strings.HasPrefix(option, "x"):
			option, n = "x", 1
		}
		if seen[option] || len(words) < n {
			return bad("%q does not belong here, or lacks something", words[0])
		}
		seen[option] = true
		var err error
		switch option {
		case "to":
			w.To, w.Port = words[1], words[2]
		case "from":
			w.From = words[1]
		case "at":
			w.Node = words[1]
		case "over":
			w.Family, err = parseFamily(words[1])
		case "x":
			w.Nodes, err = strconv.Atoi(words[0][1:])
		case "egress":
			w.EgressTo, w.EgressPort = words[1], words[2]
		case "by":
			w.Door = words[1]
			if !slices.Contains(doorWords, w.Door) {
				err = fmt.Errorf("%q is no kind of door", w.Door)
			}
		default:
			err = fmt.Errorf("%q is no option", option)
		}
		if err != nil {
			return bad("%v", err)
		}
		words = words[n:]
	}
	for _, port := range []string{w.Port, w.EgressPort} {
		if _, err := policy.ParsePort(port); port != "" && err != nil {
			return bad("%v", err)
		}
	}
	return w, nil
}

// doorWords are the kinds of doors, and "-" for none.
var doorWords = []string{
	"-", string(reach.ClusterIP), string(reach.NodePort), string(reach.LoadBalancer), string(reach.ExternalIP),
	string(reach.Headless), string(reach.ExternalName),
}

// matches reports whether p is what w describes.
func (w wantPath) matches(g *reach.Graph, p reach.Path) bool {
	door := cmp.Or(string(p.Door.Kind), "-")
	return w.Stop == p.Stop &&
		(w.Stop != "" || w.Allow == p.Verdict.Allowed) &&
		isEnd(g, p.Ingress.To, w.To) && isPort(p.Ingress.Port, w.Port) && isEnd(g, p.Ingress.From, w.From) &&
		isEnd(g, p.Egress.To, w.EgressTo) && isPort(p.Egress.Port, w.EgressPort) &&
		isEnd(g, p.Node, w.Node) && (w.Nodes == 0 || w.Nodes == p.Nodes) &&
		(w.Family == 0 || w.Family == p.Family) &&
		(w.Door == "" || w.Door == door) &&
		strings.Contains(p.Missing, w.Says)
}

// isEnd reports whether e is the end that text names: as e prints it, or as
// Lookup reads it. The empty text names every end, and "-" the zero Endpoint.
func isEnd(g *reach.Graph, e reach.Endpoint, text string) bool {
	switch {
	case text == "":
		return true
	case text == "-" || e == reach.Endpoint{}:
		return text == "-" && e == reach.Endpoint{}
	case e.String() == text:
		return true
	}
	named, err := g.Lookup(text)
	return err == nil && named == e
}

// isPort reports whether p is the port that text names, as ParsePort reads it.
// The empty text names every port.
func isPort(p policy.Port, text string) bool {
	named, err := policy.ParsePort(text)
	return text == "" || err == nil && named == p
}

// checkPaths compares the paths of trace with lines: each line must match one
// path, and each path one line.
func checkPaths(t testing.TB, g *reach.Graph, trace reach.Trace, lines []string) {
	t.Helper()
	lineOf := make([]string, len(trace.Paths))
	for _, line := range lines {
		w, err := parsePath(line)
		if !assert.NoError(t, err) {
			continue
		}
		matched := 0
		for i, p := range trace.Paths {
			if !w.matches(g, p) {
				continue
			}
			matched++
			if lineOf[i] != "" {
				t.Errorf("a path matches both %q and %q\n%s", lineOf[i], line, pathTexts(trace))
			}
			lineOf[i] = line
		}
		if matched != 1 {
			t.Errorf("%d paths match %q\n%s", matched, line, pathTexts(trace))
		}
	}
	if slices.Contains(lineOf, "") {
		t.Errorf("a path of %v matches no line\n%s", trace.Connection, pathTexts(trace))
	}
}

// pathTexts writes down what the lines of test data can say of each path.
func pathTexts(trace reach.Trace) string {
	var b strings.Builder
	for _, p := range trace.Paths {
		fmt.Fprintf(&b, "  %v %v from %v allowed %t stop %q at %v over %v x%d egress %v %v by %s says: %s\n",
			p.Ingress.To, p.Ingress.Port, p.Ingress.From, p.Verdict.Allowed, p.Stop, p.Node, p.Family, p.Nodes,
			p.Egress.To, p.Egress.Port, p.Door.Kind, p.Missing)
	}
	return b.String()
}

func TestParsePath(t *testing.T) {
	good := []struct {
		line string
		want wantPath
		why  string
	}{
		{
			"y/a 8080/TCP from x/b allow",
			wantPath{To: "y/a", Port: "8080/TCP", From: "x/b", Allow: true},
			"the shortest form compares what the policies of the backend see",
		},
		{
			"y/b 80 from node:* deny at node:* over IPv6 x3 egress node:n2 30080/TCP by NodePort",
			wantPath{
				To: "y/b", Port: "80", From: "node:*", Node: "node:*", Nodes: 3, Family: reach.IPv6,
				EgressTo: "node:n2", EgressPort: "30080/TCP", Door: "NodePort",
			},
			"the longest form has every part",
		},
		{"no-endpoints", wantPath{Stop: reach.NoEndpoints}, "a path that ends need not tell where"},
		{
			"unknown from x/b to y/a 80/TCP at - by - # says: the node of y/a",
			wantPath{Stop: reach.Unknown, From: "x/b", To: "y/a", Port: "80/TCP", Node: "-", Door: "-", Says: "the node of y/a"},
			"but can, and the options come in any order",
		},
	}
	for _, row := range good {
		got, err := parsePath(row.line)
		require.NoError(t, err, row.why)
		assert.Equal(t, row.want, got, row.why)
	}

	bad := []struct{ line, says, why string }{
		{"", "empty", "an empty line describes nothing"},
		{"y/a 80/TCP x/b allow", "want BACKEND", "the source is missing"},
		{"y/a 80/TCP from x/b all", "neither allow", "a single path is allowed or denied"},
		{"all", "want BACKEND", "nor does it end with a summary"},
		{"y/a 80/QUIC from x/b allow", "QUIC", "the protocol is unknown"},
		{"y/a 80/TCP from x/b allow near node:n1", "no option", "the option is misspelled"},
		{"y/a 80/TCP from x/b allow at", "lacks", "the node is missing"},
		{"y/a 80/TCP from x/b allow to y/b 80/TCP", "belong", "the backend is there twice"},
		{"unknown at node:n1 at node:n2", "belong", "the node is there twice"},
		{"y/a 80/TCP from x/b allow over IPX", "family", "the family is unknown"},
		{"y/a 80/TCP from x/b allow xx", "invalid syntax", "the count is no number"},
		{"y/a 80/TCP from x/b allow by Nodeport", "no kind", "the door is misspelled"},
		{"no-endpoints # says: x", "unknown", "only what is unknown tells what is missing"},
		{"unknown # says:", "what", "an empty text says nothing"},
	}
	for _, row := range bad {
		_, err := parsePath(row.line)
		assert.ErrorContains(t, err, row.says, "%s: %s", row.why, row.line)
	}
}
