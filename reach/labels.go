package reach

import (
	"encoding/binary"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
)

// labels are all labels of the pods, for [Graph.Select]. Pods with equal labels
// share them.
type labels struct {
	pairs [][2]string
	sets  [][]int32 // indices of pairs
	of    []int32   // the set of each pod
}

func newLabels(pods []policy.Pod) *labels {
	l := &labels{of: make([]int32, len(pods))}
	var sets interner[[]int32]
	pairs := make(map[[2]string]int32)
	var key []byte
	for i := range pods {
		set := make([]int32, 0, len(pods[i].Labels))
		for k, v := range pods[i].Labels {
			pair := [2]string{k, v}
			id, ok := pairs[pair]
			if !ok {
				id = int32(len(l.pairs))
				pairs[pair] = id
				l.pairs = append(l.pairs, pair)
			}
			set = append(set, id)
		}
		slices.Sort(set)
		key = key[:0]
		for _, id := range set {
			key = binary.AppendUvarint(key, uint64(id))
		}
		l.of[i] = sets.id(string(key), func() []int32 { return set })
	}
	l.sets = sets.values
	return l
}

// picks returns a func that reports whether s picks the i'th pod.
func (l *labels) picks(s selector.Selector) func(i int32) bool {
	picked := make([]bool, len(l.sets))
	for i, ids := range l.sets {
		picked[i] = s.Matches(l.set(ids))
	}
	return func(i int32) bool { return picked[l.of[i]] }
}

// set returns labels as a map.
func (l *labels) set(ids []int32) map[string]string {
	set := make(map[string]string, len(ids))
	for _, id := range ids {
		set[l.pairs[id][0]] = l.pairs[id][1]
	}
	return set
}
