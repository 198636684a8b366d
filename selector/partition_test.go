package selector_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/polreach/polreach/selector"
)

func TestPartition(t *testing.T) {
	all := func() selector.Selector { return selector.Selector{} }
	sel := func(exprs ...metav1.LabelSelectorRequirement) selector.Selector {
		return mustNew(t, metav1.LabelSelector{MatchExpressions: exprs})
	}
	type selectors = []selector.Selector
	type classes = []selector.Class
	tests := []struct {
		why       string
		selectors selectors
		sets      []set
		class     classes   // of each label set
		picks     []classes // of each selector
	}{
		{why: "nothing at all has no classes"},
		{
			why:       "without label sets no selector picks a class",
			selectors: selectors{all(), sel(exists("a"))},
			picks:     []classes{nil, nil},
		},
		{
			why:   "without selectors nothing is told apart",
			sets:  []set{{"a": "1"}, nil, {"b": "2"}},
			class: classes{0, 0, 0},
		},
		{
			why:       "everything and nothing tell nothing apart",
			selectors: selectors{all(), sel(exists("a"), doesNotExist("a"))},
			sets:      []set{{"a": "1"}, nil},
			class:     classes{0, 0},
			picks:     []classes{{0}, nil},
		},
		{
			why:       "classes are numbered by their first label set",
			selectors: selectors{sel(in("a", "1")), sel(in("a", "2"))},
			sets:      []set{{"a": "2"}, {"a": "3"}, {"a": "1"}, {"a": "2"}, nil},
			class:     classes{0, 1, 2, 0, 1},
			picks:     []classes{{2}, {0}},
		},
		{
			why:       "labels and values that nobody mentions make no difference",
			selectors: selectors{sel(notIn("a", "1"), exists("a"))},
			sets:      []set{{"a": "2", "hash": "x"}, {"a": "3", "hash": "y"}, {"a": "1", "hash": "x"}},
			class:     classes{0, 0, 1},
			picks:     []classes{{0}},
		},
		{
			why:       "a mentioned value makes no difference if every selector treats it like another",
			selectors: selectors{sel(in("a", "1", "2")), sel(notIn("a", "1", "2"))},
			sets:      []set{{"a": "1"}, {"a": "2"}, {"a": "3"}, nil},
			class:     classes{0, 0, 1, 1},
			picks:     []classes{{0}, {1}},
		},
		{
			why:       "an empty value is neither an absent nor another one",
			selectors: selectors{sel(in("a", "")), sel(exists("a"))},
			sets:      []set{nil, {"a": ""}, {"a": "1"}},
			class:     classes{0, 1, 2},
			picks:     []classes{{1}, {1, 2}},
		},
		{
			why:       "a value counts with its own key only",
			selectors: selectors{sel(in("a", "1")), sel(in("b", "2"))},
			sets:      []set{{"a": "2"}, {"b": "1"}, {"a": "1", "b": "2"}},
			class:     classes{0, 0, 1},
			picks:     []classes{{1}, {1}},
		},
		{
			why:       "Equal selectors give equal answers under their own numbers",
			selectors: selectors{sel(in("a", "1")), sel(exists("b")), sel(in("a", "1", "1"))},
			sets:      []set{{"b": ""}, {"a": "1"}},
			class:     classes{0, 1},
			picks:     []classes{{1}, {0}, {1}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			p := selector.NewPartition(tt.selectors, tt.sets)
			n := 0
			for i, want := range tt.class {
				assert.Equal(t, want, p.Class(i), "class of %v", tt.sets[i])
				n = max(n, int(want)+1)
			}
			assert.Equal(t, n, p.Len())
			for i, want := range tt.picks {
				assert.Equal(t, want, slices.Collect(p.Classes(i)), "classes of %q", tt.selectors[i])
				for c := range selector.Class(n) {
					assert.Equal(t, slices.Contains(want, c), p.In(c, i), "class %d in %q", c, tt.selectors[i])
				}
			}
		})
	}
}

func TestZeroPartitionIsEmpty(t *testing.T) {
	var p selector.Partition
	assert.Zero(t, p.Len())
}

func TestPartitionPanicsOnForeignNumbers(t *testing.T) {
	p := selector.NewPartition(make([]selector.Selector, 1), []set{nil})
	require.True(t, p.In(0, 0))
	assert.Panics(t, func() { p.In(1, 0) }, "no such class, although there is a bit for it")
	assert.Panics(t, func() { p.In(-1, 0) })
	assert.Panics(t, func() { p.In(0, 1) })
	assert.Panics(t, func() { p.Classes(1) })
	assert.Panics(t, func() { p.Class(1) })
}

func TestClassesCanStopEarly(t *testing.T) {
	picked := mustNew(t, metav1.LabelSelector{MatchExpressions: reqs{exists("a")}})
	one := mustNew(t, metav1.LabelSelector{MatchLabels: set{"a": "1"}})
	p := selector.NewPartition([]selector.Selector{picked, one}, []set{{"a": "1"}, {"a": "2"}})
	require.Equal(t, 2, p.Len())
	for c := range p.Classes(0) {
		assert.Equal(t, selector.Class(0), c)
		break
	}
}

// checkPartition compares p with Matches on every pair.
func checkPartition(t require.TestingT, p *selector.Partition, selectors []selector.Selector, sets []set) {
	rows := map[string]selector.Class{}
	for i, l := range sets {
		row := make([]byte, len(selectors))
		for j, s := range selectors {
			picked := s.Matches(l)
			require.Equal(t, picked, p.In(p.Class(i), j), "%q on %v", s, l)
			if picked {
				row[j] = 1
			}
		}
		if _, known := rows[string(row)]; !known {
			rows[string(row)] = selector.Class(len(rows))
		}
		require.Equal(t, rows[string(row)], p.Class(i), "class of %v", l)
	}
	require.Equal(t, len(rows), p.Len())
	for j, s := range selectors {
		var want []selector.Class
		for c := range selector.Class(p.Len()) {
			if p.In(c, j) {
				want = append(want, c)
			}
		}
		require.Equal(t, want, slices.Collect(p.Classes(j)), "classes of %q", s)
	}
}

func genSelectors(t *rapid.T) []selector.Selector {
	var out []selector.Selector
	for _, ls := range rapid.SliceOfN(genSelector(), 0, 8).Draw(t, "selectors") {
		out = append(out, mustNew(t, ls))
	}
	return out
}

// Two label sets share a class exactly when each selector picks both or
// neither, and classes are numbered by their first label set.
func TestPartitionIsThatOfMatches(t *testing.T) {
	var shared both
	rapid.Check(t, func(t *rapid.T) {
		selectors := genSelectors(t)
		sets := rapid.SliceOfN(genLabels(), 0, 80).Draw(t, "sets")
		p := selector.NewPartition(selectors, sets)
		checkPartition(t, p, selectors, sets)
		for i := range sets {
			shared.note(p.Class(i) == p.Class(0))
		}
	})
	shared.check(t, "sharing a class")
}

// Realistic label sets take more than one word of bits, which the small
// alphabets above do not.
func TestPartitionOfManyLabelSets(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	sets := pods(rnd, 2_000)
	selectors := policies(t, rnd, 300, sets)
	p := selector.NewPartition(selectors, sets)
	require.Greater(t, p.Len(), 2*64)
	checkPartition(t, p, selectors, sets)
}

// The order of label sets and of selectors makes no difference to who shares a
// class with whom.
func TestPartitionIgnoresOrder(t *testing.T) {
	var shared both
	rapid.Check(t, func(t *rapid.T) {
		selectors := genSelectors(t)
		sets := rapid.SliceOfN(genLabels(), 1, 30).Draw(t, "sets")
		p := selector.NewPartition(selectors, sets)

		numbers := make([]int, len(sets))
		for i := range numbers {
			numbers[i] = i
		}
		numbers = rapid.Permutation(numbers).Draw(t, "order of sets")
		shuffled := make([]set, len(sets))
		for i, n := range numbers {
			shuffled[i] = sets[n]
		}
		if len(selectors) > 0 {
			selectors = rapid.Permutation(selectors).Draw(t, "order of selectors")
		}
		q := selector.NewPartition(selectors, shuffled)

		require.Equal(t, p.Len(), q.Len())
		for i := range numbers {
			for j := range numbers {
				together := p.Class(numbers[i]) == p.Class(numbers[j])
				require.Equal(t, together, q.Class(i) == q.Class(j), "%v, %v", shuffled[i], shuffled[j])
				shared.note(together)
			}
		}
	})
	shared.check(t, "sharing a class")
}

func TestPartitionQueriesDoNotAllocate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	sets := pods(rnd, 100)
	selectors := policies(t, rnd, 10, sets)
	p := selector.NewPartition(selectors, sets)
	picked := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		for i := range selectors {
			if p.In(p.Class(7), i) {
				picked++
			}
			for range p.Classes(i) {
				picked++
			}
		}
	}))
	assert.Positive(t, picked)
}
