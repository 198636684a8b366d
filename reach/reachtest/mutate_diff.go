package reachtest

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Diff returns what the edit changes, as a unified diff of manifests. Of pods that
// change together it shows the first.
func (m Mutant) Diff() string {
	if len(m.before) == 0 {
		return ""
	}
	text := diff(yamlLines(m.before[0]), yamlLines(m.after[0]))
	if n := len(m.before) - 1; n > 0 {
		text += fmt.Sprintf("and the same in %d more\n", n)
	}
	return text
}

// yamlLines returns an object as the lines of YAML, without what no one writes.
func yamlLines(o metav1.Object) []string {
	if o == nil {
		return nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return []string{err.Error()}
	}
	delete(fields, "status")
	if meta, ok := fields["metadata"].(map[string]any); ok {
		delete(meta, "creationTimestamp")
		delete(meta, "managedFields")
	}
	dropNulls(fields)
	text, err := yaml.Marshal(fields)
	if err != nil {
		return []string{err.Error()}
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// dropNulls takes away fields that are null, as the creationTimestamp of a template is.
func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if value == nil {
				delete(v, key)
			}
			dropNulls(value)
		}
	case []any:
		for _, value := range v {
			dropNulls(value)
		}
	}
}

// diff returns a unified diff of two lists of lines, which is empty if they are
// equal.
func diff(a, b []string) string {
	const context = 3
	// same[i][j] is how many lines a[i:] and b[j:] have in common, in order.
	same := make([][]int, len(a)+1)
	for i := range same {
		same[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				same[i][j] = same[i+1][j+1] + 1
			} else {
				same[i][j] = max(same[i+1][j], same[i][j+1])
			}
		}
	}
	type line struct {
		sign byte
		text string
		a, b int // how many lines of each come before
	}
	var lines []line
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, line{' ', a[i], i, j})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && same[i+1][j] >= same[i][j+1]:
			lines = append(lines, line{'-', a[i], i, j})
			i++
		default:
			lines = append(lines, line{'+', b[j], i, j})
			j++
		}
	}
	var text strings.Builder
	for n := 0; n < len(lines); n++ {
		if lines[n].sign == ' ' {
			continue
		}
		first, last := max(0, n-context), n // of the hunk
		for m := n; m < len(lines) && m <= last+2*context; m++ {
			if lines[m].sign != ' ' {
				last = m
			}
		}
		end := min(len(lines), last+context+1)
		var count [2]int
		for _, l := range lines[first:end] {
			if l.sign != '+' {
				count[0]++
			}
			if l.sign != '-' {
				count[1]++
			}
		}
		// An empty side is named by the line before it.
		from, to := lines[first].a+min(1, count[0]), lines[first].b+min(1, count[1])
		fmt.Fprintf(&text, "@@ -%d,%d +%d,%d @@\n", from, count[0], to, count[1])
		for _, l := range lines[first:end] {
			fmt.Fprintf(&text, "%c%s\n", l.sign, l.text)
		}
		n = end - 1
	}
	return text.String()
}
