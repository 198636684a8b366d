package reach

import (
	"encoding/binary"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/selector"
)

// labels are all labels of the pods. Pods with equal labels share them.
type labels struct {
	pairs [][2]string
	sets  [][]int32 // indices of pairs
	of    []int32   // the set of each pod
}

// newLabels returns the labels of pods, and each set as the map of the first pod
// that has it.
func newLabels(pods []policy.Pod) (*labels, []map[string]string) {
	l := &labels{of: make([]int32, len(pods))}
	var maps []map[string]string
	const most = 1 << 12 // of large clusters, nobody knows
	ids := make(map[string]int32, min(len(pods), most))
	pairs := make(map[[2]string]int32, min(2*len(pods), most))
	var set []int32
	var key []byte
	for i := range pods {
		// The pods of one workload follow one another.
		if i > 0 && sameLabels(pods[i].Labels, pods[i-1].Labels) {
			l.of[i] = l.of[i-1]
			continue
		}
		set = set[:0]
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
			key = binary.LittleEndian.AppendUint32(key, uint32(id))
		}
		id, ok := ids[string(key)]
		if !ok {
			id = int32(len(l.sets))
			ids[string(key)] = id
			l.sets = append(l.sets, slices.Clone(set))
			maps = append(maps, pods[i].Labels)
		}
		l.of[i] = id
	}
	return l, maps
}

func sameLabels(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// picks returns a func that reports whether s picks the i'th pod.
func (l *labels) picks(s selector.Selector) func(i int32) bool {
	picked := make([]bool, len(l.sets))
	for i := range l.sets {
		picked[i] = s.Matches(l.set(int32(i)))
	}
	return func(i int32) bool { return picked[l.of[i]] }
}

// set returns the i'th set as a map.
func (l *labels) set(i int32) map[string]string {
	set := make(map[string]string, len(l.sets[i]))
	for _, id := range l.sets[i] {
		set[l.pairs[id][0]] = l.pairs[id][1]
	}
	return set
}
