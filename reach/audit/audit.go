package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"k8s.io/apimachinery/pkg/types"
)

// A Finding is something about the policies of a cluster that a check has proved.
type Finding struct {
	Check    string   // the identifier of the check, such as "rule-shadowed"
	Severity Severity // that of the check

	Kind    string               // of the object that the finding is about, such as "NetworkPolicy"
	Name    types.NamespacedName // of the object
	Place   policy.Place         // of the object, or of the part of it that the finding is about
	Related []policy.Place       // what else the message is about, such as the rules that shadow this one

	Message    string // what is so, in a sentence
	Proof      Proof
	Suggestion string // what to do about it, in a sentence
}

// A Proof shows that a Finding holds.
type Proof struct {
	// Flow is a flow of the Graph that shows it. It is the zero Flow if the
	// finding is about a set, such as that of the pods that a selector picks.
	Flow reach.Flow

	// Text says what there is to see at the flow, or which set it is.
	Text string
}

// String returns the flow and the text, as far as there are both.
func (p Proof) String() string {
	switch {
	case p.Flow == reach.Flow{}:
		return p.Text
	case p.Text == "":
		return p.Flow.String()
	}
	return p.Flow.String() + ": " + p.Text
}

// String returns the finding in one line: where it is, how bad, and what is so.
func (f Finding) String() string {
	s := f.Severity.String() + ": " + f.Message + " [" + f.Check + "]"
	if at := f.Place.String(); at != "" {
		return at + ": " + s
	}
	return s
}

// A Severity tells how bad it is if a check finds something.
type Severity uint8

// The severities. A Note is what a reader may want to know, a Warning is most
// likely a mistake, and with an Error a policy does not do what it says.
const (
	Note Severity = iota
	Warning
	Error
)

// String returns "note", "warning" or "error", as SARIF calls its levels.
func (s Severity) String() string {
	switch s {
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return "note"
}

// A Check is a kind of finding.
type Check struct {
	ID       string // stable, for Run and for what suppresses findings
	Severity Severity
	Doc      string // what it finds, in a sentence
}

// An analysis finds what a group of checks is about, all in one go.
type analysis struct {
	group  string // its name in the documentation
	checks []Check

	// find reports findings in any order. Run fills in their severity, and
	// passes over those of checks that are not asked for.
	find func(s *subject, report func(Finding)) error
}

// analyses are all analyses, in the order of the documentation.
var analyses = []analysis{noEffect, isolation, halfOpen, plugins, exposure, traps}

// Checks returns all checks, by group, in the order of the package documentation.
func Checks() []Check {
	var all []Check
	for _, a := range analyses {
		all = append(all, a.checks...)
	}
	return all
}

// Run returns what checks find in the cluster of g, under its Profile, sorted by
// place. The checks are given by their identifiers; without any, Run makes all of
// them. It is an error if there is no such check. The same cluster has the same
// findings, whatever the order of its objects.
//
// To find what has no effect, Run tries policies and their items one at a time, unless
// one of a few likely flows shows that they decide something, and compares what they
// concern. The checks about plugins compile the cluster once for each choice of a
// Profile that can matter, and compare all. The others go through the pods, and the
// pairs of kinds of pods that rules name.
func Run(g *reach.Graph, checks ...string) ([]Finding, error) {
	wanted := make(map[string]bool)
	for _, id := range checks {
		if !slices.ContainsFunc(Checks(), func(c Check) bool { return c.ID == id }) {
			return nil, unknown(id)
		}
		wanted[id] = true
	}
	s, err := newSubject(g)
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, a := range analyses {
		severity := make(map[string]Severity)
		for _, c := range a.checks {
			if len(checks) == 0 || wanted[c.ID] {
				severity[c.ID] = c.Severity
			}
		}
		if len(severity) == 0 {
			continue
		}
		err := a.find(s, func(f Finding) {
			var ok bool
			if f.Severity, ok = severity[f.Check]; ok {
				all = append(all, f)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.group, err)
		}
	}
	slices.SortStableFunc(all, compareFindings)
	return all, nil
}

// unknown is the error about a check that there is not.
func unknown(id string) error {
	var ids []string
	for _, c := range Checks() {
		ids = append(ids, c.ID)
	}
	return fmt.Errorf("there is no check %q: there are %s", id, strings.Join(ids, ", "))
}

func compareFindings(a, b Finding) int {
	c := cmp.Or(comparePlaces(a.Place, b.Place), cmp.Compare(a.Check, b.Check), cmp.Compare(a.Message, b.Message))
	if c == 0 { // the text of a proof takes long if it is about addresses outside
		c = cmp.Compare(a.Proof.String(), b.Proof.String())
	}
	return c
}

// comparePlaces orders places as a reader goes through them.
func comparePlaces(a, b policy.Place) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Object, b.Object), compareFields(a.Field, b.Field))
}

// compareFields orders paths of fields with the indices in them as numbers.
func compareFields(a, b string) int {
	for {
		i := 0
		for i < len(a) && i < len(b) && a[i] == b[i] && !isDigit(a[i]) {
			i++
		}
		if a, b = a[i:], b[i:]; a == "" || b == "" || !isDigit(a[0]) || !isDigit(b[0]) {
			return cmp.Compare(a, b)
		}
		n, m := digits(a), digits(b)
		if c := cmp.Or(cmp.Compare(n, m), cmp.Compare(a[:n], b[:m])); c != 0 {
			return c
		}
		a, b = a[n:], b[m:]
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// digits returns how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}
