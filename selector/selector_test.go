package selector_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/polreach/polreach/selector"
)

type (
	set  = map[string]string
	reqs = []metav1.LabelSelectorRequirement
)

func in(key string, values ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn, Values: values}
}

func notIn(key string, values ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpNotIn, Values: values}
}

func exists(key string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpExists}
}

func doesNotExist(key string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpDoesNotExist}
}

func mustNew(t require.TestingT, ls metav1.LabelSelector) selector.Selector {
	s, err := selector.New(ls)
	require.NoError(t, err)
	return s
}

func TestMatches(t *testing.T) {
	tests := []struct {
		why    string
		labels set
		exprs  reqs
		picks  []set
		leaves []set
	}{
		{
			why:   "SEM-040: without requirements it picks all, also what has no labels",
			picks: []set{nil, {}, {"a": "1"}, {"a": ""}},
		},
		{
			why:    "SEM-040: empty lists are no requirements either",
			labels: set{}, exprs: reqs{},
			picks: []set{nil, {"a": "1"}},
		},
		{
			why:    "SEM-041: every pair of matchLabels must be there",
			labels: set{"pod": "b", "pod2": "updated"},
			picks:  []set{{"pod": "b", "pod2": "updated"}, {"pod": "b", "pod2": "updated", "x": "y"}},
			leaves: []set{nil, {"pod": "b"}, {"pod2": "updated"}, {"pod": "b", "pod2": "old"}},
		},
		{
			why:    "SEM-041: values are compared as they are, with their case, whole",
			labels: set{"pod": "b"},
			leaves: []set{{"pod": "B"}, {"pod": "bb"}, {"pod": "b "}, {"Pod": "b"}, {"b": "pod"}},
		},
		{
			why:    "SEM-042: In needs the label and one of the values",
			exprs:  reqs{in("pod", "c", "b")},
			picks:  []set{{"pod": "b"}, {"pod": "c"}},
			leaves: []set{nil, {"pod": "a"}, {"pod": ""}, {"pod": "b,c"}, {"x": "b"}},
		},
		{
			why:    "SEM-043: NotIn leaves out the values but not an absent label",
			exprs:  reqs{notIn("ns-name", "nsc", "nsb")},
			picks:  []set{nil, {"ns-name": "nsa"}, {"ns-name": ""}, {"x": "nsc"}},
			leaves: []set{{"ns-name": "nsc"}, {"ns-name": "nsb"}},
		},
		{
			why:    "SEM-044: Exists asks for the label with any value, also the empty one",
			exprs:  reqs{exists("isolated")},
			picks:  []set{{"isolated": ""}, {"isolated": "x"}},
			leaves: []set{nil, {"x": "isolated"}},
		},
		{
			why:    "SEM-045: DoesNotExist asks for the label to be absent; empty is not absent",
			exprs:  reqs{doesNotExist("pod")},
			picks:  []set{nil, {"x": "pod"}},
			leaves: []set{{"pod": "a"}, {"pod": ""}},
		},
		{
			why:    "SEM-046: an empty value in matchLabels needs the label to be there",
			labels: set{"k": ""},
			picks:  []set{{"k": ""}},
			leaves: []set{nil, {}, {"k": "v"}},
		},
		{
			why:    "SEM-046: so does an empty value in In",
			exprs:  reqs{in("k", "", "v")},
			picks:  []set{{"k": ""}, {"k": "v"}},
			leaves: []set{nil, {"k": "w"}},
		},
		{
			why:    "SEM-046: NotIn with the empty value picks an absent label",
			exprs:  reqs{notIn("k", "")},
			picks:  []set{nil, {"k": "v"}},
			leaves: []set{{"k": ""}},
		},
		{
			why:    "SEM-047: Exists takes the absent label away from NotIn",
			exprs:  reqs{exists("a"), notIn("a", "1")},
			picks:  []set{{"a": "2"}, {"a": ""}},
			leaves: []set{nil, {"a": "1"}},
		},
		{
			why:    "SEM-047: requirements for one key add up, those of matchLabels too",
			labels: set{"a": "2"},
			exprs:  reqs{in("a", "1", "2", "3"), notIn("a", "3"), notIn("a", "1"), exists("a")},
			picks:  []set{{"a": "2"}},
			leaves: []set{nil, {"a": "1"}, {"a": "3"}},
		},
		{
			why:    "SEM-047: requirements for several keys add up",
			exprs:  reqs{in("b", "1"), doesNotExist("a"), notIn("c", "1")},
			picks:  []set{{"b": "1"}, {"b": "1", "c": "2"}},
			leaves: []set{nil, {"b": "1", "a": ""}, {"b": "1", "c": "1"}, {"c": "2"}},
		},
		{
			why:    "SEM-047: a repeated value counts once",
			exprs:  reqs{in("a", "1", "1"), in("a", "1")},
			picks:  []set{{"a": "1"}},
			leaves: []set{{"a": "2"}},
		},
		{
			why:    "SEM-047: DoesNotExist is stricter than NotIn",
			exprs:  reqs{doesNotExist("a"), notIn("a", "1")},
			picks:  []set{nil},
			leaves: []set{{"a": "1"}, {"a": "2"}},
		},
		{
			why:    "SEM-048: two lists without a common value are legal and pick nothing",
			exprs:  reqs{in("a", "1"), in("a", "2")},
			leaves: []set{nil, {"a": "1"}, {"a": "2"}},
		},
		{
			why:    "SEM-048: Exists with DoesNotExist is legal and picks nothing",
			exprs:  reqs{exists("a"), doesNotExist("a")},
			leaves: []set{nil, {"a": ""}, {"a": "1"}},
		},
		{
			why:    "SEM-050: a prefix is part of the key",
			labels: set{"example.com/app": "w"},
			picks:  []set{{"example.com/app": "w"}},
			leaves: []set{{"app": "w"}, {"example.org/app": "w"}},
		},
		{
			why:    "SEM-051: a label called name is a label, and no other property is looked at",
			labels: set{"name": "x-a"},
			picks:  []set{{"name": "x-a"}},
			leaves: []set{{"app": "x-a"}, {"metadata.name": "x-a"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			s := mustNew(t, metav1.LabelSelector{MatchLabels: tt.labels, MatchExpressions: tt.exprs})
			for _, l := range tt.picks {
				assert.True(t, s.Matches(l), "%q should pick %v", s, l)
			}
			for _, l := range tt.leaves {
				assert.False(t, s.Matches(l), "%q should leave out %v", s, l)
			}
		})
	}
}

// In each row, all selectors mean the same.
func TestNormalForm(t *testing.T) {
	type same []metav1.LabelSelector
	ls := func(labels set, exprs ...metav1.LabelSelectorRequirement) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: labels, MatchExpressions: exprs}
	}
	tests := []struct {
		why  string
		same same
		text string
		keys []string
	}{
		{"everything has no text", same{ls(nil), ls(set{})}, "", nil},
		{
			"a pair is a list of one",
			same{ls(set{"a": "1"}), ls(nil, in("a", "1")), ls(set{"a": "1"}, in("a", "1", "1"), exists("a"), notIn("a", "2"))},
			"a=1", []string{"a"},
		},
		{
			"values are sorted and not repeated",
			same{ls(nil, in("a", "2", "1")), ls(nil, in("a", "1", "2", "1")), ls(nil, in("a", "3", "2", "1"), notIn("a", "3"))},
			"a in (1,2)", []string{"a"},
		},
		{
			"refusals add up",
			same{ls(nil, notIn("a", "2", "1")), ls(nil, notIn("a", "1"), notIn("a", "2")), ls(nil, notIn("a", "2"), notIn("a", "1", "2"))},
			"a notin (1,2)", []string{"a"},
		},
		{"one refusal", same{ls(nil, notIn("a", "1")), ls(nil, notIn("a", "1", "1"))}, "a!=1", []string{"a"}},
		{"presence", same{ls(nil, exists("a")), ls(nil, exists("a"), exists("a"))}, "a", []string{"a"}},
		{
			"absence covers refusals",
			same{ls(nil, doesNotExist("a")), ls(nil, doesNotExist("a"), notIn("a", "1")), ls(nil, notIn("a", "1"), doesNotExist("a"))},
			"!a", []string{"a"},
		},
		{
			"presence with refusals needs two requirements",
			same{ls(nil, exists("a"), notIn("a", "2"), notIn("a", "1")), ls(nil, notIn("a", "1", "2"), exists("a"))},
			"a,a notin (1,2)", []string{"a"},
		},
		{
			"keys are sorted",
			same{ls(set{"b": "1", "a": "1"}, exists("c")), ls(nil, exists("c"), in("b", "1"), in("a", "1"))},
			"a=1,b=1,c", []string{"a", "b", "c"},
		},
		{"the empty value alone", same{ls(set{"a": ""}), ls(nil, in("a", ""))}, "a=", []string{"a"}},
		{"the empty value refused", same{ls(nil, notIn("a", ""))}, "a!=", []string{"a"}},
		{"the empty value in a list comes first", same{ls(nil, in("a", "x", ""))}, "a in (,x)", []string{"a"}},
		{
			"a contradiction is nothing, whichever key it is about and whatever else is asked",
			same{
				ls(nil, in("a", "1"), in("a", "2")),
				ls(nil, exists("b"), doesNotExist("b")),
				ls(nil, in("a", "1", "2"), notIn("a", "2"), notIn("a", "1")),
				ls(set{"a": "1", "c": "3"}, doesNotExist("a"), exists("d")),
				ls(nil, doesNotExist("none"), exists("none")),
			},
			"none,!none", nil,
		},
	}
	for i, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			first := mustNew(t, tt.same[0])
			for _, ls := range tt.same {
				s := mustNew(t, ls)
				assert.True(t, s.Equal(first))
				assert.Equal(t, tt.text, s.String())
				assert.Equal(t, tt.keys, slices.Collect(s.Keys()))
				assert.Equal(t, tt.text == "", s.IsEverything())
				assert.Equal(t, tt.text == "none,!none", s.IsNothing())
			}
			for j, other := range tests {
				assert.Equal(t, i == j, first.Equal(mustNew(t, other.same[0])), "row %q", other.why)
			}
		})
	}
}

func TestZeroSelectorPicksEverything(t *testing.T) {
	var s selector.Selector
	assert.True(t, s.IsEverything())
	assert.False(t, s.IsNothing())
	assert.True(t, s.Matches(nil))
	assert.True(t, s.Matches(set{"a": "1"}))
	assert.Empty(t, s.String())
	assert.Empty(t, slices.Collect(s.Keys()))
	assert.True(t, s.Equal(mustNew(t, metav1.LabelSelector{})))
}

func TestKeysCanStopEarly(t *testing.T) {
	for k := range mustNew(t, metav1.LabelSelector{MatchLabels: set{"a": "1", "b": "1"}}).Keys() {
		assert.Equal(t, "a", k)
		break
	}
}

func TestNewKeepsNothingOfItsArgument(t *testing.T) {
	ls := metav1.LabelSelector{
		MatchLabels:      set{"a": "1"},
		MatchExpressions: reqs{in("b", "2", "1"), notIn("c", "2", "1")},
	}
	s := mustNew(t, ls)
	assert.Equal(t, []string{"2", "1"}, ls.MatchExpressions[0].Values, "New must not sort its argument")
	assert.Equal(t, []string{"2", "1"}, ls.MatchExpressions[1].Values, "New must not sort its argument")
	ls.MatchLabels["a"] = "x"
	ls.MatchExpressions[0].Values[0] = "x"
	ls.MatchExpressions[1].Values[0] = "x"
	assert.Equal(t, "a=1,b in (1,2),c notin (1,2)", s.String())
}

func TestNewErrors(t *testing.T) {
	type fault struct {
		Type  field.ErrorType
		Field string
		Value any
	}
	const (
		invalid   = field.ErrorTypeInvalid
		required  = field.ErrorTypeRequired
		forbidden = field.ErrorTypeForbidden
	)
	long := strings.Repeat("x", 64)
	tests := []struct {
		why    string
		labels set
		exprs  reqs
		faults []fault
		text   []string // what the message must name
	}{
		{
			why:    "SEM-333: In needs a value",
			exprs:  reqs{in("a")},
			faults: []fault{{required, "matchExpressions[0].values", ""}},
			text:   []string{"operator In needs at least one value"},
		},
		{
			why:    "SEM-333: NotIn needs a value, and an empty list is none",
			exprs:  reqs{exists("a"), notIn("a", []string{}...)},
			faults: []fault{{required, "matchExpressions[1].values", ""}},
			text:   []string{"operator NotIn needs at least one value"},
		},
		{
			why: "SEM-334: Exists and DoesNotExist take no values, not even the empty one",
			exprs: reqs{
				{Key: "a", Operator: metav1.LabelSelectorOpExists, Values: []string{"b"}},
				{Key: "a", Operator: metav1.LabelSelectorOpDoesNotExist, Values: []string{""}},
			},
			faults: []fault{
				{forbidden, "matchExpressions[0].values", ""},
				{forbidden, "matchExpressions[1].values", ""},
			},
			text: []string{`operator Exists takes no values, but the first is "b"`, `operator DoesNotExist takes no values`},
		},
		{
			why: "SEM-335: operators are compared with their case, and those of other APIs are unknown",
			exprs: reqs{
				{Key: "a", Operator: "Gt", Values: []string{"1"}},
				{Key: "a", Operator: "in", Values: []string{"1"}},
				{Key: "a"},
			},
			faults: []fault{
				{invalid, "matchExpressions[0].operator", metav1.LabelSelectorOperator("Gt")},
				{invalid, "matchExpressions[1].operator", metav1.LabelSelectorOperator("in")},
				{invalid, "matchExpressions[2].operator", metav1.LabelSelectorOperator("")},
			},
			text: []string{`"Gt"`, `"in"`, "selector operator", "must be In, NotIn, Exists or DoesNotExist"},
		},
		{
			why:    "SEM-336: a bad key in matchLabels",
			labels: set{"a b": "c"},
			faults: []fault{{invalid, "matchLabels", "a b"}},
			text:   []string{`"a b"`},
		},
		{
			why:   "SEM-336: bad keys in expressions: empty, too long, bad ends, empty or bad prefix, two slashes",
			exprs: reqs{exists(""), exists(long), exists("-a"), exists("a_"), exists("/a"), exists("A.b/c"), exists("a/b/c"), exists("a/")},
			faults: []fault{
				{invalid, "matchExpressions[0].key", ""}, {invalid, "matchExpressions[0].key", ""},
				{invalid, "matchExpressions[1].key", long},
				{invalid, "matchExpressions[2].key", "-a"},
				{invalid, "matchExpressions[3].key", "a_"},
				{invalid, "matchExpressions[4].key", "/a"},
				{invalid, "matchExpressions[5].key", "A.b/c"},
				{invalid, "matchExpressions[6].key", "a/b/c"},
				{invalid, "matchExpressions[7].key", "a/"}, {invalid, "matchExpressions[7].key", "a/"},
			},
			text: []string{`"A.b/c"`, `"a/b/c"`},
		},
		{
			why:    "SEM-337: bad values in matchLabels name the label, since the path does not",
			labels: set{"b": "b c", "a": long},
			faults: []fault{{invalid, "matchLabels", long}, {invalid, "matchLabels", "b c"}},
			text:   []string{`value of label "a"`, `value of label "b"`, `"b c"`},
		},
		{
			why:    "SEM-337: bad values in expressions, whatever the operator",
			exprs:  reqs{in("a", "ok", "", "-"), notIn("a", "é")},
			faults: []fault{{invalid, "matchExpressions[0].values[2]", "-"}, {invalid, "matchExpressions[1].values[0]", "é"}},
			text:   []string{`"-"`, `"é"`},
		},
		{
			why:    "everything wrong is reported, in order",
			labels: set{"c d": "1", "a b": "e f", "ok": "1"},
			exprs:  reqs{in("x y"), {Key: "k", Operator: "Lt", Values: []string{"g h"}}},
			faults: []fault{
				{invalid, "matchLabels", "a b"},
				{invalid, "matchLabels", "e f"},
				{invalid, "matchLabels", "c d"},
				{invalid, "matchExpressions[0].key", "x y"},
				{required, "matchExpressions[0].values", ""},
				{invalid, "matchExpressions[1].operator", metav1.LabelSelectorOperator("Lt")},
				{invalid, "matchExpressions[1].values[0]", "g h"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			s, err := selector.New(metav1.LabelSelector{MatchLabels: tt.labels, MatchExpressions: tt.exprs})
			require.Error(t, err)
			assert.Equal(t, selector.Selector{}, s)
			var got []fault
			for _, e := range fieldErrors(t, err) {
				got = append(got, fault{e.Type, e.Field, e.BadValue})
			}
			assert.Equal(t, tt.faults, got)
			for _, text := range tt.text {
				assert.ErrorContains(t, err, text)
			}
		})
	}
}

// fieldErrors returns what New has joined.
func fieldErrors(t require.TestingT, err error) (errs []*field.Error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%T is not a joined error", err)
	for _, e := range joined.Unwrap() {
		fe, ok := e.(*field.Error)
		require.True(t, ok, "%T is not a field error", e)
		errs = append(errs, fe)
	}
	return errs
}

func TestNewAcceptsTheLimits(t *testing.T) {
	name := strings.Repeat("x", 63)
	prefix := strings.Repeat(strings.Repeat("y", 62)+".", 4) + "z"
	tests := []struct {
		why        string
		key, value string
	}{
		{"a name may have 63 characters", name, "v"},
		{"a value may have 63 characters", "k", name},
		{"a value may be empty", "k", ""},
		{"a prefix may have 253 characters of its own", prefix + "/" + name, "v"},
		{"the ends may be digits and capitals, the inside all of -_.", "9a-_.Z", "Z_.-a9"},
	}
	require.Len(t, prefix, 253)
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			s := mustNew(t, metav1.LabelSelector{MatchLabels: set{tt.key: tt.value}})
			assert.True(t, s.Matches(set{tt.key: tt.value}))
			assert.False(t, s.Matches(nil))
			_, err := selector.New(metav1.LabelSelector{MatchExpressions: reqs{notIn(tt.key+"x_", tt.value)}})
			assert.Error(t, err)
		})
	}
}

func TestMatchesDoesNotAllocate(t *testing.T) {
	s := mustNew(t, metav1.LabelSelector{
		MatchLabels:      set{"a": "1"},
		MatchExpressions: reqs{in("b", "1", "2", "3"), notIn("c", "1", "2"), exists("d"), doesNotExist("e")},
	})
	labels := set{"a": "1", "b": "3", "c": "3", "d": ""}
	matches := true
	assert.Zero(t, testing.AllocsPerRun(100, func() { matches = matches && s.Matches(labels) }))
	assert.True(t, matches)
}

// Small alphabets make absent keys, empty values, repeated keys and
// contradictions common. A key may be spelled like an operator of the -l flag.
var (
	keys   = []string{"a", "b", "in", "x.io/a"}
	values = []string{"", "1", "2", "in", "notin"}
)

func genLabels() *rapid.Generator[set] {
	return rapid.MapOfN(rapid.SampledFrom(keys), rapid.SampledFrom(append(values, "3")), 0, len(keys))
}

func genRequirement() *rapid.Generator[metav1.LabelSelectorRequirement] {
	return rapid.Custom(func(t *rapid.T) metav1.LabelSelectorRequirement {
		key := rapid.SampledFrom(keys).Draw(t, "key")
		list := rapid.SliceOfN(rapid.SampledFrom(values), 1, 4)
		switch rapid.IntRange(0, 3).Draw(t, "operator") {
		case 0:
			return in(key, list.Draw(t, "values")...)
		case 1:
			return notIn(key, list.Draw(t, "values")...)
		case 2:
			return exists(key)
		default:
			return doesNotExist(key)
		}
	})
}

func genSelector() *rapid.Generator[metav1.LabelSelector] {
	return rapid.Custom(func(t *rapid.T) metav1.LabelSelector {
		return metav1.LabelSelector{
			MatchLabels:      rapid.MapOfN(rapid.SampledFrom(keys), rapid.SampledFrom(values), 0, 2).Draw(t, "matchLabels"),
			MatchExpressions: rapid.SliceOfN(genRequirement(), 0, 4).Draw(t, "matchExpressions"),
		}
	})
}

// everyLabelSet returns all label sets over some keys and over values, with one
// value that no selector mentions.
func everyLabelSet(keys ...string) []set {
	sets := []set{{}}
	for _, k := range keys {
		for _, s := range sets {
			for _, v := range append(values, "other") {
				s := maps.Clone(s)
				s[k] = v
				sets = append(sets, s)
			}
		}
	}
	return sets
}

// both checks that a sample contained both answers.
type both struct{ yes, no int }

func (b *both) note(answer bool) {
	if answer {
		b.yes++
	} else {
		b.no++
	}
}

func (b *both) check(t *testing.T, what string) {
	assert.Positive(t, b.yes, "the sample has no case of: %s", what)
	assert.Positive(t, b.no, "the sample has no case against: %s", what)
}

// A selector picks what apimachinery's reading of the same object picks.
func TestMatchesIsApimachinerys(t *testing.T) {
	var seen both
	rapid.Check(t, func(t *rapid.T) {
		ls := genSelector().Draw(t, "selector")
		oracle, err := metav1.LabelSelectorAsSelector(&ls)
		require.NoError(t, err)
		s := mustNew(t, ls)
		for _, l := range rapid.SliceOfN(genLabels(), 1, 20).Draw(t, "labels") {
			want := oracle.Matches(labels.Set(l))
			require.Equal(t, want, s.Matches(l), "%q on %v", s, l)
			seen.note(want)
		}
	})
	seen.check(t, "picked")
}

// The text of a selector, read back by apimachinery, picks the same.
func TestStringReadsBack(t *testing.T) {
	var seen both
	rapid.Check(t, func(t *rapid.T) {
		s := mustNew(t, genSelector().Draw(t, "selector"))
		back, err := labels.Parse(s.String())
		require.NoError(t, err, "%q", s)
		for _, l := range rapid.SliceOfN(genLabels(), 1, 20).Draw(t, "labels") {
			require.Equal(t, s.Matches(l), back.Matches(labels.Set(l)), "%q on %v", s, l)
			seen.note(s.Matches(l))
		}
	})
	seen.check(t, "picked")
}

// Two selectors are Equal, and print alike, exactly when they pick the same out
// of all label sets.
func TestEqualIsMeaning(t *testing.T) {
	space := everyLabelSet("a", "b")
	var equal, everything, nothing both
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.Custom(func(t *rapid.T) metav1.LabelSelector {
			ls := genSelector().Draw(t, "selector")
			keep := map[string]bool{"a": true, "b": rapid.Bool().Draw(t, "two keys")}
			maps.DeleteFunc(ls.MatchLabels, func(k, _ string) bool { return !keep[k] })
			ls.MatchExpressions = slices.DeleteFunc(ls.MatchExpressions,
				func(r metav1.LabelSelectorRequirement) bool { return !keep[r.Key] })
			return ls
		})
		r, s := mustNew(t, gen.Draw(t, "r")), mustNew(t, gen.Draw(t, "s"))
		same, picked := true, 0
		for _, l := range space {
			same = same && r.Matches(l) == s.Matches(l)
			if r.Matches(l) {
				picked++
			}
		}
		require.Equal(t, same, r.Equal(s), "%q, %q", r, s)
		require.Equal(t, same, s.Equal(r), "%q, %q", r, s)
		require.Equal(t, same, r.String() == s.String(), "%q, %q", r, s)
		require.Equal(t, picked == len(space), r.IsEverything(), "%q", r)
		require.Equal(t, picked == 0, r.IsNothing(), "%q", r)
		equal.note(same)
		everything.note(r.IsEverything())
		nothing.note(r.IsNothing())
	})
	equal.check(t, "equal")
	everything.check(t, "everything")
	nothing.check(t, "nothing")
}

// A key is listed exactly when changing that label alone can change the answer.
func TestKeysAreThoseThatMatter(t *testing.T) {
	space := everyLabelSet("a", "b")
	var seen both
	rapid.Check(t, func(t *rapid.T) {
		ls := genSelector().Draw(t, "selector")
		maps.DeleteFunc(ls.MatchLabels, func(k, _ string) bool { return k != "a" && k != "b" })
		ls.MatchExpressions = slices.DeleteFunc(ls.MatchExpressions,
			func(r metav1.LabelSelectorRequirement) bool { return r.Key != "a" && r.Key != "b" })
		s := mustNew(t, ls)
		var want []string
		for _, k := range []string{"a", "b"} {
			matters := slices.ContainsFunc(space, func(l set) bool {
				without := maps.Clone(l)
				delete(without, k)
				return s.Matches(l) != s.Matches(without)
			})
			if matters {
				want = append(want, k)
			}
			seen.note(matters)
		}
		require.Equal(t, want, slices.Collect(s.Keys()), "%q", s)
	})
	seen.check(t, "a key that matters")
}

// The order of requirements and of values makes no difference.
func TestOrderMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ls := genSelector().Draw(t, "selector")
		shuffled := metav1.LabelSelector{
			MatchLabels:      ls.MatchLabels,
			MatchExpressions: rapid.Permutation(ls.MatchExpressions).Draw(t, "matchExpressions"),
		}
		for i, r := range shuffled.MatchExpressions {
			if len(r.Values) > 0 {
				shuffled.MatchExpressions[i].Values = rapid.Permutation(r.Values).Draw(t, "values")
			}
		}
		require.Equal(t, mustNew(t, ls), mustNew(t, shuffled))
	})
}

// New objects to the same values in the same places as the API server, and says
// so in the same words every time.
func TestNewObjectsLikeTheAPIServer(t *testing.T) {
	faultyKey := rapid.SampledFrom([]string{"a", "b", "", "a b", "x/y/z", "/", "X.io/a", strings.Repeat("k", 64)})
	faultyValue := rapid.SampledFrom([]string{"", "1", "2", "-", "a b", "é", "\x00", strings.Repeat("v", 64)})
	operator := rapid.SampledFrom([]metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "in", ""})
	gen := rapid.Custom(func(t *rapid.T) metav1.LabelSelector {
		ls := metav1.LabelSelector{MatchLabels: rapid.MapOfN(faultyKey, faultyValue, 0, 3).Draw(t, "matchLabels")}
		for range rapid.IntRange(0, 2).Draw(t, "expressions") {
			ls.MatchExpressions = append(ls.MatchExpressions, metav1.LabelSelectorRequirement{
				Key:      faultyKey.Draw(t, "key"),
				Operator: operator.Draw(t, "operator"),
				Values:   rapid.SliceOfN(faultyValue, 0, 2).Draw(t, "values"),
			})
		}
		return ls
	})
	var accepted both
	rapid.Check(t, func(t *rapid.T) {
		ls := gen.Draw(t, "selector")
		_, err := selector.New(ls)
		want := validation.ValidateLabelSelector(&ls, validation.LabelSelectorValidationOptions{}, nil)
		require.ElementsMatch(t, places(want), places(fieldErrors(t, err)))
		for range 3 {
			_, again := selector.New(ls)
			require.Equal(t, fmt.Sprint(err), fmt.Sprint(again))
		}
		accepted.note(err == nil)
	})
	accepted.check(t, "accepted")
}

// places returns the kind, place and value of each error.
func places(errs []*field.Error) []string {
	out := make([]string, 0, len(errs))
	for _, e := range errs {
		out = append(out, fmt.Sprintf("%s %s %q", e.Type, e.Field, e.BadValue))
	}
	return out
}

// New accepts what the API server accepts, and then picks what apimachinery
// picks.
func FuzzNew(f *testing.F) {
	for _, seed := range []string{
		`{}`,
		`{"matchLabels":{"a":"1"}}`,
		`{"matchExpressions":[{"key":"a","operator":"In","values":["1",""]},{"key":"a","operator":"NotIn","values":["1"]}]}`,
		`{"matchExpressions":[{"key":"x.io/a","operator":"Exists"},{"key":"b","operator":"DoesNotExist"}]}`,
		`{"matchExpressions":[{"key":"a b","operator":"Gt","values":["1"]}]}`,
	} {
		f.Add([]byte(seed), "a", "1")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		var ls metav1.LabelSelector
		if json.Unmarshal(data, &ls) != nil {
			return
		}
		s, err := selector.New(ls)
		want := validation.ValidateLabelSelector(&ls, validation.LabelSelectorValidationOptions{}, nil)
		require.ElementsMatch(t, places(want), places(fieldErrors(t, err)))
		if err != nil {
			return
		}
		oracle, err := metav1.LabelSelectorAsSelector(&ls)
		require.NoError(t, err)
		back, err := labels.Parse(s.String())
		require.NoError(t, err)
		for _, l := range labelSetsNear(ls, set{key: value}) {
			require.Equal(t, oracle.Matches(labels.Set(l)), s.Matches(l), "%q on %v", s, l)
			require.Equal(t, s.Matches(l), back.Matches(labels.Set(l)), "%q on %v", s, l)
		}
	})
}

// labelSetsNear returns label sets that ls is likely to pick, and label sets
// one label away from them.
func labelSetsNear(ls metav1.LabelSelector, extra set) []set {
	base := set{}
	for _, r := range ls.MatchExpressions {
		if r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpExists {
			base[r.Key] = strings.Join(r.Values[:min(1, len(r.Values))], "")
		}
	}
	maps.Copy(base, ls.MatchLabels)
	sets := []set{nil, extra, base}
	vary := func(key string, values ...string) {
		without := maps.Clone(base)
		delete(without, key)
		sets = append(sets, without)
		for _, v := range append(values, "", "other") {
			with := maps.Clone(base)
			with[key] = v
			sets = append(sets, with)
		}
	}
	for k, v := range extra {
		vary(k, v)
	}
	for _, r := range ls.MatchExpressions {
		vary(r.Key, r.Values...)
	}
	for k, v := range ls.MatchLabels {
		vary(k, v)
	}
	return sets
}

// ValidKey and ValidValue accept what the API server accepts.
func TestPropertyValid(t *testing.T) {
	keys, values := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("ab9-.A_é")), 0, 6, -1),
			rapid.Map(rapid.SampledFrom([]int{62, 63, 64, 252, 253, 254}), func(n int) string { return strings.Repeat("a.", n)[:n] }),
		)
		s := strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "parts"), "/")
		if got, faults := selector.ValidKey(s), content.IsLabelKey(s); got != (len(faults) == 0) {
			t.Fatalf("ValidKey(%q) is %v, the API server says %v", s, got, faults)
		}
		if got, faults := selector.ValidValue(s), content.IsLabelValue(s); got != (len(faults) == 0) {
			t.Fatalf("ValidValue(%q) is %v, the API server says %v", s, got, faults)
		}
		if selector.ValidKey(s) {
			keys++
		}
		if selector.ValidValue(s) {
			values++
		}
	})
	assert.Positive(t, keys)
	assert.Positive(t, values)
}
