package reach

import (
	"github.com/polreach/polreach/policy"
	"slices"

	"github.com/polreach/polreach/selector"
)

// labels are all labels of the pods. Pods that follow one another and have equal
// labels share them.
type labels struct {
	pairs [][2]string
	sets  [][]int32           // indices of pairs, ascending
	of    []int32             // the set of each pod
	more  []map[string]string // further sets, of one pod each
}

// readLabels reads the labels of the pods, and each set as the map of the first
// pod that has it.
func (co *compiler) readLabels() {
	pods := co.model.Pods
	some := min(len(pods), 64)
	l := &labels{of: make([]int32, len(pods)), sets: make([][]int32, 0, some), pairs: make([][2]string, 0, 2*some)}
	co.labelMaps = make([]map[string]string, 0, some)
	var set []int32
	for i := range pods {
		// The pods of one workload follow one another.
		if i > 0 && sameLabels(pods[i].Labels, pods[i-1].Labels) {
			l.of[i] = l.of[i-1]
			continue
		}
		set = set[:0]
		for k, v := range pods[i].Labels {
			co.key = append(append(append(co.key[:0], k...), 0), v...)
			id, isNew := co.tmp.add(pairKey, co.key, int32(len(l.pairs)))
			if isNew {
				l.pairs = append(l.pairs, [2]string{k, v})
			}
			set = append(set, id)
		}
		slices.Sort(set)
		l.of[i] = int32(len(l.sets))
		l.sets = append(l.sets, co.lists.clone(set))
		co.labelMaps = append(co.labelMaps, pods[i].Labels)
	}
	co.allLabels = l
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
	picked := make([]bool, len(l.sets)+len(l.more))
	for i := range picked {
		picked[i] = s.Matches(l.set(int32(i)))
	}
	return func(i int32) bool { return picked[l.of[i]] }
}

// set returns the i'th set as a map.
func (l *labels) set(i int32) map[string]string {
	if n := int(i) - len(l.sets); n >= 0 {
		return l.more[n]
	}
	set := make(map[string]string, len(l.sets[i]))
	for _, id := range l.sets[i] {
		set[l.pairs[id][0]] = l.pairs[id][1]
	}
	return set
}

// shifted returns l for pods in their new order, without the sets of those that are
// gone. New pods get theirs from with.
func (l *labels) shifted(sh shift) *labels {
	n := &labels{l.pairs, l.sets, shifted(l.of, sh, func(int32) int32 { return 0 }), nil}
	for i, set := range n.of {
		if m := int(set) - len(l.sets); m >= 0 {
			n.of[i] = int32(len(l.sets) + len(n.more))
			n.more = append(n.more, l.more[m])
		}
	}
	return n
}

// with returns l but for some pods, which have other labels.
func (l *labels) with(pods map[int32]*policy.Pod) *labels {
	n := &labels{l.pairs, l.sets, slices.Clone(l.of), slices.Clone(l.more)}
	for i, p := range pods {
		if m := int(n.of[i]) - len(n.sets); m >= 0 {
			n.more[m] = p.Labels // nobody else has these
			continue
		}
		n.of[i] = int32(len(n.sets) + len(n.more))
		n.more = append(n.more, p.Labels)
	}
	return n
}
