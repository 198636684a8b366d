package audit

import "fmt"

// whom returns the names of pods, those of one workload together.
func whom(pods []*subjectPod) string {
	count := make(map[objectKey]int)
	for _, pod := range pods {
		count[pod.workload()]++
	}
	var words []string
	for _, pod := range pods {
		w := pod.workload()
		switch n := count[w]; n {
		case 0: // named with the first of them
		case 1:
			words = append(words, pod.end.String())
		default:
			words = append(words, fmt.Sprintf("%d pods of %s %v", n, w.kind, w.name))
			count[w] = 0
		}
	}
	return list(words)
}
