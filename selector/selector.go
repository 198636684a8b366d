// Package selector decides which labels a Kubernetes label selector picks.
//
//   - A [Selector] is a metav1.LabelSelector in normal form; [New] makes one.
//   - A [Partition] sorts many label sets into the classes that many selectors
//     tell apart, so that each selector is evaluated once for each class.
package selector

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A Selector is a label selector in normal form: two selectors that pick the
// same label sets are Equal and print alike, however they were written.
// The zero Selector picks everything. Selectors are immutable, may be copied,
// and are safe for concurrent use.
type Selector struct {
	// constraints holds one constraint for each key, ascending by key. A label
	// set is picked if it satisfies all of them.
	constraints []constraint

	// nothing marks the selector that no label set satisfies. It then has no
	// constraints, whichever key the contradiction was about.
	nothing bool
}

// A constraint says what one label may be. It is the conjunction of all
// requirements for its key, and takes one of five forms:
//
//	                   absent  except  values
//	a in (x,y)         false   false   x y
//	a notin (x,y)      true    true    x y
//	a                  false   true    none
//	!a                 true    false   none
//	a, a notin (x,y)   false   true    x y
//
// Of the other three combinations, one would hold of every label set and one
// would need "absent or x"; requirements cannot say either. The third is the
// contradiction, which makes the whole selector pick nothing.
type constraint struct {
	key    string
	absent bool     // an object without the label satisfies it
	except bool     // values are those refused rather than those allowed
	values []string // ascending, without duplicates; nil if there are none
}

// New returns the selector that ls describes, or everything that is wrong with
// it. It takes a value, because what a nil selector means depends on the field
// it was left out of. It accepts what the API server accepts, which includes
// selectors that contradict themselves.
//
// The error is an [errors.Join] of *field.Error. Their fields are relative to
// ls, as in matchExpressions[0].values[1]. Those of matchLabels come first,
// ascending by key, then those of matchExpressions in order.
func New(ls metav1.LabelSelector) (Selector, error) {
	if err := validate(ls); err != nil {
		return Selector{}, err
	}
	if len(ls.MatchExpressions) == 0 {
		return ofLabels(ls.MatchLabels), nil
	}
	reqs := make([]metav1.LabelSelectorRequirement, 0, len(ls.MatchLabels)+len(ls.MatchExpressions))
	for k, v := range ls.MatchLabels {
		reqs = append(reqs, metav1.LabelSelectorRequirement{
			Key: k, Operator: metav1.LabelSelectorOpIn, Values: []string{v},
		})
	}
	reqs = append(reqs, ls.MatchExpressions...)
	slices.SortFunc(reqs, func(a, b metav1.LabelSelectorRequirement) int {
		return strings.Compare(a.Key, b.Key)
	})

	var s Selector
	for len(reqs) > 0 {
		n := 1
		for n < len(reqs) && reqs[n].Key == reqs[0].Key {
			n++
		}
		c := conjunction(reqs[:n])
		if !c.absent && !c.except && len(c.values) == 0 {
			return Selector{nothing: true}, nil
		}
		s.constraints = append(s.constraints, c)
		reqs = reqs[n:]
	}
	return s, nil
}

// ofLabels returns the selector that picks what has all of labels, which are
// valid.
func ofLabels(labels map[string]string) Selector {
	if len(labels) == 0 {
		return Selector{}
	}
	s := Selector{constraints: make([]constraint, 0, len(labels))}
	values := make([]string, 0, len(labels))
	for k, v := range labels {
		values = append(values, v)
		n := len(values)
		s.constraints = append(s.constraints, constraint{key: k, values: values[n-1 : n : n]})
	}
	slices.SortFunc(s.constraints, func(a, b constraint) int { return strings.Compare(a.key, b.key) })
	return s
}

// conjunction combines valid requirements for one key.
func conjunction(reqs []metav1.LabelSelectorRequirement) constraint {
	c := constraint{key: reqs[0].Key, absent: true, except: true}
	// The refused values are merged in one go at the end: a union for each
	// requirement would take quadratic time.
	var refused []string
	for _, r := range reqs {
		switch r.Operator {
		case metav1.LabelSelectorOpIn:
			values := sorted(slices.Clone(r.Values))
			if !c.except {
				values = slices.DeleteFunc(values, func(v string) bool { return !contains(c.values, v) })
			}
			c.absent, c.except, c.values = false, false, values
		case metav1.LabelSelectorOpNotIn:
			refused = append(refused, r.Values...)
		case metav1.LabelSelectorOpExists:
			c.absent = false
		case metav1.LabelSelectorOpDoesNotExist:
			c.except, c.values = false, nil
		default:
			panic(fmt.Sprintf("selector: operator %q passed validation", r.Operator))
		}
	}
	refused = sorted(refused)
	if c.except {
		c.values = refused
	} else {
		c.values = slices.DeleteFunc(c.values, func(v string) bool { return contains(refused, v) })
	}
	return c
}

// sorted sorts values in place and drops duplicates.
func sorted(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

// contains reports whether values, which are ascending, hold v.
func contains(values []string, v string) bool {
	_, found := slices.BinarySearch(values, v)
	return found
}

// validate returns what the API server would object to.
func validate(ls metav1.LabelSelector) error {
	if isValid(ls) {
		return nil
	}
	var errs []error
	invalid := func(path *field.Path, value string, problems []string) {
		for _, p := range problems {
			errs = append(errs, field.Invalid(path, value, p))
		}
	}

	labels := field.NewPath("matchLabels")
	for _, k := range slices.Sorted(maps.Keys(ls.MatchLabels)) {
		v := ls.MatchLabels[k]
		invalid(labels, k, content.IsLabelKey(k))
		for _, p := range content.IsLabelValue(v) {
			// The path does not tell which label the value belongs to.
			errs = append(errs, field.Invalid(labels, v, fmt.Sprintf("value of label %q: %s", k, p)))
		}
	}

	for i, r := range ls.MatchExpressions {
		path := field.NewPath("matchExpressions").Index(i)
		invalid(path.Child("key"), r.Key, content.IsLabelKey(r.Key))
		switch r.Operator {
		case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
			if len(r.Values) == 0 {
				errs = append(errs, field.Required(path.Child("values"),
					fmt.Sprintf("operator %s needs at least one value", r.Operator)))
			}
		case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				errs = append(errs, field.Forbidden(path.Child("values"),
					fmt.Sprintf("operator %s takes no values, but the first is %q", r.Operator, r.Values[0])))
			}
		default:
			errs = append(errs, field.Invalid(path.Child("operator"), r.Operator,
				"unknown selector operator, must be In, NotIn, Exists or DoesNotExist"))
		}
		for j, v := range r.Values {
			invalid(path.Child("values").Index(j), v, content.IsLabelValue(v))
		}
	}
	return errors.Join(errs...)
}

// isValid reports at a glance whether validate has nothing to say.
func isValid(ls metav1.LabelSelector) bool {
	for k, v := range ls.MatchLabels {
		if !ValidKey(k) || !ValidValue(v) {
			return false
		}
	}
	for _, r := range ls.MatchExpressions {
		if !ValidKey(r.Key) || slices.ContainsFunc(r.Values, func(v string) bool { return !ValidValue(v) }) {
			return false
		}
		switch r.Operator {
		case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
			if len(r.Values) == 0 {
				return false
			}
		case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// Matches reports whether s picks an object with the given labels.
// It does not allocate.
func (s Selector) Matches(labels map[string]string) bool {
	if s.nothing {
		return false
	}
	for i := range s.constraints {
		c := &s.constraints[i]
		v, present := labels[c.key]
		ok := c.absent
		if present {
			ok = contains(c.values, v) != c.except
		}
		if !ok {
			return false
		}
	}
	return true
}

// IsEverything reports whether s picks every label set.
func (s Selector) IsEverything() bool { return len(s.constraints) == 0 && !s.nothing }

// IsNothing reports whether no label set at all can satisfy s.
func (s Selector) IsNothing() bool { return s.nothing }

// Equal reports whether s and t pick the same label sets.
func (s Selector) Equal(t Selector) bool {
	return s.nothing == t.nothing && slices.EqualFunc(s.constraints, t.constraints, constraint.equal)
}

func (c constraint) equal(d constraint) bool {
	return c.key == d.key && c.absent == d.absent && c.except == d.except && slices.Equal(c.values, d.values)
}

// Keys returns the label keys that s looks at, ascending: those whose value or
// absence can make a difference. A selector that picks nothing looks at none.
func (s Selector) Keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, c := range s.constraints {
			if !yield(c.key) {
				return
			}
		}
	}
}

// AppendText appends String to b. It returns no error.
func (s Selector) AppendText(b []byte) ([]byte, error) { return s.appendTo(b), nil }

// String returns s in the syntax of kubectl's -l flag. It is empty for a
// selector that picks everything, and "none,!none" for one that picks nothing,
// since the syntax has no word for that.
func (s Selector) String() string { return string(s.appendTo(nil)) }

// appendTo appends the text of s to b. It is the same for two selectors only if
// they are Equal: keys and values are valid, so that none holds punctuation.
func (s Selector) appendTo(b []byte) []byte {
	if s.nothing {
		return append(b, "none,!none"...)
	}
	for i := range s.constraints {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.constraints[i].appendTo(b)
	}
	return b
}

func (c *constraint) appendTo(b []byte) []byte {
	if len(c.values) == 0 {
		if c.absent {
			b = append(b, '!')
		}
		return append(b, c.key...)
	}
	if c.except && !c.absent {
		b = append(b, c.key...)
		b = append(b, ',')
	}
	b = append(b, c.key...)
	if len(c.values) == 1 {
		if c.except {
			b = append(b, '!')
		}
		b = append(b, '=')
		return append(b, c.values[0]...)
	}
	if c.except {
		b = append(b, " notin ("...)
	} else {
		b = append(b, " in ("...)
	}
	for i, v := range c.values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ')')
}

// ValidKey reports whether s can be the key of a label: a name of at most 63
// letters, digits, dashes, underscores and dots that begins and ends with a
// letter or digit, and before it perhaps a DNS name and a slash. It is what the
// API server says with a regular expression.
func ValidKey(s string) bool {
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		if !validPrefix(s[:i]) {
			return false
		}
		s = s[i+1:]
	}
	return s != "" && ValidValue(s)
}

// ValidValue reports whether s can be the value of a label: a name as in
// [ValidKey], or empty.
func ValidValue(s string) bool {
	if s == "" {
		return true
	}
	all := inner // no branch for each byte: which kind comes next cannot be predicted
	for i := range len(s) {
		all &= kinds[s[i]]
	}
	return all != 0 && kinds[s[0]]&kinds[s[len(s)-1]]&edge != 0 && len(s) <= 63
}

// The kinds of bytes in names. Letters and digits are of both.
const (
	inner uint8 = 1 << iota
	edge
)

var kinds = func() (kinds [256]uint8) {
	for c := range kinds {
		switch {
		case isAlphanumeric(byte(c)):
			kinds[c] = inner | edge
		case c == '-' || c == '_' || c == '.':
			kinds[c] = inner
		}
	}
	return kinds
}()

// validPrefix reports whether s is a DNS name as RFC 1123 has it, in lower case.
func validPrefix(s string) bool {
	start := true // s[i-1] does not belong to a label
	for i := range len(s) {
		switch c := s[i]; {
		case isAlphanumeric(c) && (c < 'A' || c > 'Z'):
			start = false
		case start, i == len(s)-1, c != '-' && c != '.', c == '.' && s[i-1] == '-':
			return false
		default:
			start = c == '.'
		}
	}
	return s != "" && len(s) <= 253
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
