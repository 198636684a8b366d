package reachtest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/selector"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// A labelSolver finds labels if there are any, which is compared with trying all of
// a small world.
func TestLabelSolverIsExact(t *testing.T) {
	all := []map[string]string{{}}
	for _, key := range []string{"a", "b", "c"} {
		for _, labels := range slices.Clone(all) {
			for _, value := range []string{"", "x", "y", "other"} {
				with := maps.Clone(labels)
				with[key] = value
				all = append(all, with)
			}
		}
	}
	requirements := []string{"a", "!a", "a=x", "a!=x", "b", "!b", "b=", "b in (x,y)", "c", "!c", "c=y", "c notin (x,y)"}
	draw := func(t *rapid.T, most int) []selector.Selector {
		var list []selector.Selector
		for range rapid.IntRange(0, most).Draw(t, "how many") {
			words := rapid.SliceOfN(rapid.SampledFrom(requirements), 1, 3).Draw(t, "selector")
			s, err := parseSelector(strings.Join(words, ","))
			require.NoError(t, err)
			list = append(list, s)
		}
		return list
	}
	var solver labelSolver
	var found, none int
	rapid.Check(t, func(t *rapid.T) {
		picked, others := draw(t, 2), draw(t, 12)
		does := func(labels map[string]string) bool {
			for _, s := range picked {
				if !s.Matches(labels) {
					return false
				}
			}
			return !slices.ContainsFunc(others, func(s selector.Selector) bool { return s.Matches(labels) })
		}
		labels, ok, err := solver.find(picked, others, nil)
		require.NoError(t, err)
		assert.Equal(t, slices.ContainsFunc(all, does), ok)
		if ok {
			found++
			assert.True(t, does(labels), "%v", labels)
		} else {
			none++
		}
	})
	assert.Greater(t, found, 20)
	assert.Greater(t, none, 20)
}

// Without a, neither c nor its absence is free; so it takes a, and no b.
func TestLabelSolverGoesBack(t *testing.T) {
	var others []selector.Selector
	for _, text := range []string{"a,b", "!a,c", "!a,!c"} {
		s, err := parseSelector(text)
		require.NoError(t, err)
		others = append(others, s)
	}
	labels, ok, err := new(labelSolver).find(nil, others, nil)
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, map[string]string{"a": "other"}, labels)
}

func TestLabelSolverNamesNamespaces(t *testing.T) {
	const name = corev1.LabelMetadataName
	taken := map[string]bool{"shop": true, "new": true}
	for _, test := range []struct {
		text, want string // empty if there is none
	}{
		{"", "new-2"},
		{"team=a", "new-2"},
		{name + "=lab", "lab"},
		{name + "!=new-2", "new-3"},
		{name + "=shop", ""},
		{name + " in (shop,Lab,l_b,)", ""},
		{"!" + name, ""},
	} {
		s, err := parseSelector(test.text)
		require.NoError(t, err)
		labels, ok, err := new(labelSolver).find([]selector.Selector{s}, nil, taken)
		require.NoError(t, err)
		assert.Equal(t, test.want != "", ok, test.text)
		assert.Equal(t, test.want, labels[name], test.text)
	}
}
