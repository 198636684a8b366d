package reachtest

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/selector"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// A labelSolver finds labels that some selectors pick and others do not. Whether
// there are any is a satisfiability problem: each selector that must not pick them
// is a clause, of which one requirement must fail. So the search branches over
// these, which is exact. In theory it can take exponential time; hence the limit.
type labelSolver struct {
	parsed map[string][]*constraint // by the text of a selector
	left   int                      // steps of this search
}

// mostSteps is how many values of labels a search may look at. It takes seconds.
const mostSteps = 1 << 22

var errTooHard = errors.New("the search for labels that no policy selects was given up, " +
	"as too many policies select pods by several labels each: ask about fewer pods, such as those of one namespace")

// A constraint is what a selector asks of one label.
type constraint struct {
	key    string
	picks  selector.Selector // looks at the key only
	values []string          // those that it mentions
	known  map[labelValue]bool
}

// A labelValue is one that a label can have.
type labelValue struct {
	value  string
	absent bool
}

// allows reports whether a label may have a value.
func (c *constraint) allows(v labelValue) bool {
	is, ok := c.known[v]
	if !ok {
		labels := map[string]string{c.key: v.value}
		if v.absent {
			labels = nil
		}
		is = c.picks.Matches(labels)
		c.known[v] = is
	}
	return is
}

// split returns those of the values of a label that c allows, and the others.
func (ls *labelSolver) split(c *constraint, d domain) (allowed, refused []labelValue) {
	ls.left -= len(d[c.key])
	for _, v := range d[c.key] {
		if c.allows(v) {
			allowed = append(allowed, v)
		} else {
			refused = append(refused, v)
		}
	}
	return allowed, refused
}

// constraints returns what s, which picks something, asks of each label.
func (ls *labelSolver) constraints(s selector.Selector) ([]*constraint, error) {
	text := s.String()
	if known, ok := ls.parsed[text]; ok {
		return known, nil
	}
	parsed, err := labels.Parse(text) // a Selector prints what kubectl reads
	if err != nil {
		return nil, err
	}
	requirements, _ := parsed.Requirements()
	of := make(map[string]*metav1.LabelSelector)
	for _, r := range requirements {
		if of[r.Key()] == nil {
			of[r.Key()] = &metav1.LabelSelector{}
		}
		of[r.Key()].MatchExpressions = append(of[r.Key()].MatchExpressions,
			metav1.LabelSelectorRequirement{Key: r.Key(), Operator: labelOperators[r.Operator()], Values: r.ValuesUnsorted()})
	}
	var all []*constraint
	for _, key := range slices.Sorted(maps.Keys(of)) {
		c := &constraint{key: key, known: make(map[labelValue]bool)}
		if c.picks, err = selector.New(*of[key]); err != nil {
			return nil, err
		}
		for _, r := range of[key].MatchExpressions {
			c.values = append(c.values, r.Values...)
		}
		all = append(all, c)
	}
	if ls.parsed == nil {
		ls.parsed = make(map[string][]*constraint)
	}
	ls.parsed[text] = all
	return all, nil
}

// A domain is the values that each label can still have. A label that is not in it
// can have any.
type domain map[string][]labelValue

// find returns labels that all of picked pick and none of others does. It reports
// false if there are none. The names of namespaces that there are, if not nil, make
// them labels of another namespace.
func (ls *labelSolver) find(picked, others []selector.Selector, taken map[string]bool) (map[string]string, bool, error) {
	ls.left = mostSteps
	var must []*constraint
	var clauses [][]*constraint
	for _, s := range picked {
		if s.IsNothing() {
			return nil, false, nil
		}
		cs, err := ls.constraints(s)
		if err != nil {
			return nil, false, err
		}
		must = append(must, cs...)
	}
	for _, s := range others {
		if s.IsNothing() {
			continue
		}
		cs, err := ls.constraints(s)
		if err != nil {
			return nil, false, err
		}
		clauses = append(clauses, cs)
	}

	d := make(domain)
	mentioned := make(map[string][]string)
	if taken != nil {
		mentioned[corev1.LabelMetadataName] = nil
	}
	for _, c := range slices.Concat(append(clauses, must)...) {
		mentioned[c.key] = append(mentioned[c.key], c.values...)
	}
	for key, values := range mentioned {
		if taken != nil && key == corev1.LabelMetadataName {
			d[key] = choicesOf(values, taken)
		} else {
			d[key] = labelValuesOf(values)
		}
	}
	for _, c := range must {
		if d[c.key], _ = ls.split(c, d); len(d[c.key]) == 0 {
			return nil, false, nil
		}
	}
	found, err := ls.search(d, clauses)
	if found == nil || err != nil {
		return nil, false, err
	}
	set := make(map[string]string)
	for key, values := range found {
		if !values[0].absent {
			set[key] = values[0].value
		}
	}
	return set, true, nil
}

// labelValuesOf returns all values that a label can have, as far as those mentioned tell
// them apart: the plainest first.
func labelValuesOf(mentioned []string) []labelValue {
	values := []labelValue{{absent: true}}
	for _, v := range slices.Compact(slices.Sorted(slices.Values(mentioned))) {
		values = append(values, labelValue{value: v})
	}
	return append(values, labelValue{value: fresh("other", func(v string) bool { return slices.Contains(mentioned, v) })})
}

// choicesOf is labelValuesOf for the label that is the name of a namespace, which is none
// of those taken.
func choicesOf(mentioned []string, taken map[string]bool) []labelValue {
	values := []labelValue{{value: fresh("new", func(v string) bool { return taken[v] || slices.Contains(mentioned, v) })}}
	for _, v := range slices.Compact(slices.Sorted(slices.Values(mentioned))) {
		if !taken[v] && len(validation.IsDNS1123Label(v)) == 0 {
			values = append(values, labelValue{value: v})
		}
	}
	return values
}

// fresh returns a name that begins with prefix and is not taken.
func fresh(prefix string, taken func(string) bool) string {
	name := prefix
	for n := 2; taken(name); n++ {
		name = prefix + "-" + strconv.Itoa(n)
	}
	return name
}

// search narrows d until it holds only values that fail a constraint of each
// clause. It returns nil if there are none such.
func (ls *labelSolver) search(d domain, clauses [][]*constraint) (domain, error) {
	if ls.left < 0 {
		return nil, errTooHard
	}
	var open, best [][]*constraint // best holds the open clause with the fewest branches alone
	for _, clause := range clauses {
		var branches []*constraint
		met := false
		for _, c := range clause {
			allowed, refused := ls.split(c, d)
			met = met || len(allowed) == 0
			if len(refused) > 0 {
				branches = append(branches, c)
			}
		}
		switch {
		case met:
			continue
		case len(branches) == 0:
			return nil, nil
		case best == nil || len(branches) < len(best[0]):
			best = [][]*constraint{branches}
		}
		open = append(open, clause)
	}
	if best == nil {
		return d, nil
	}
	rest := maps.Clone(d)
	for _, c := range best[0] {
		allowed, refused := ls.split(c, rest)
		narrowed := maps.Clone(rest)
		narrowed[c.key] = refused
		if found, err := ls.search(narrowed, open); found != nil || err != nil {
			return found, err
		}
		rest[c.key] = allowed // what fails c has just been tried
	}
	return nil, nil
}

// labelText returns labels in words.
func labelText(set map[string]string) string {
	if len(set) == 0 {
		return "no labels"
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(set)) {
		parts = append(parts, key+"="+set[key])
	}
	return "labels [" + strings.Join(parts, ",") + "]"
}
