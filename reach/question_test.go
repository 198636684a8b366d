package reach_test

import (
	"fmt"
	"reflect"
	"slices"
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
//
// The file README.md of testdata describes the form.
type question struct {
	From, To string // as Graph.Lookup reads them
	Port     policy.Port
	Family   reach.Family
	Allow    bool
	Marks    []string // what the Verdict must carry; it may carry more
	Why      string
	Line     string // the line it was read from
}

// The words that a mark may be, beside "depends:" and a field of reach.Profile.
var markWords = []string{
	"policies", "self", "own-node", "not-subject", "no-common-family", "terminated", "not-enforced", // reasons
	"no-address", "unknown-node", "other-protocol", "generated-label", // notes
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

	words := strings.Fields(text)
	if len(words) == 7 && words[5] == "over" {
		switch words[6] {
		case "IPv4":
			q.Family = reach.IPv4
		case "IPv6":
			q.Family = reach.IPv6
		default:
			return bad("%q is no address family", words[6])
		}
		words = words[:5]
	}
	if len(words) != 5 || words[1] != "->" {
		return bad("want FROM -> TO PORT VERDICT [over FAMILY] [(MARK, ...)] [# WHY]")
	}
	q.From, q.To = words[0], words[2]

	var err error
	if q.Port, err = policy.ParsePort(words[3]); err != nil {
		return bad("%v", err)
	}
	switch words[4] {
	case "allow":
		q.Allow = true
	case "deny":
	default:
		return bad("%q is neither allow nor deny", words[4])
	}
	return q, nil
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
	carried := verdictMarks(v)
	for _, mark := range q.Marks {
		if !slices.Contains(carried, mark) {
			t.Errorf("%s\nthe verdict carries no mark %q, only %q:\n%v", q.Line, mark, carried, v)
		}
	}
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
	}
	for _, row := range bad {
		t.Run(row.line, func(t *testing.T) {
			_, err := parseQuestion(row.line)
			assert.ErrorContains(t, err, row.says, row.why)
		})
	}
}
