package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// inhabited returns the namespaces that there are: those that have an object, or in
// which there is something else than policies.
func (s *subject) inhabited() map[string]bool {
	there := make(map[string]bool)
	for _, ns := range s.cluster.Namespaces {
		if ns != nil {
			there[ns.Name] = true
		}
	}
	for i := range s.model.Pods {
		there[s.model.Pods[i].Name.Namespace] = true
	}
	for _, svc := range s.model.Services {
		there[svc.Name.Namespace] = true
	}
	for _, in := range s.model.Ingresses {
		there[in.Name.Namespace] = true
	}
	return there
}

// isInitial reports whether every cluster has a namespace of the name.
func isInitial(ns string) bool {
	return ns == metav1.NamespaceDefault || ns == metav1.NamespaceSystem || ns == metav1.NamespacePublic || ns == corev1.NamespaceNodeLease
}

// findNamespaces reports policies in namespaces that are not there, and selectors that
// ask for them.
func (t *trapper) findNamespaces() {
	there := t.s.inhabited()
	names := slices.Sorted(maps.Keys(there))
	t.findAbsent(there, names)
	labels := make(map[string]bool) // that namespaces have
	for i := range t.s.model.Namespaces {
		for key := range t.s.model.Namespaces[i].Labels {
			labels[key] = true
		}
	}
	onPods := slices.ContainsFunc(t.s.pods, func(pod *subjectPod) bool {
		_, ok := pod.Labels[corev1.LabelMetadataName]
		return ok
	})
	t.selectors(func(at selectorAt) {
		var absent, near []string
		var wrong metav1.LabelSelectorRequirement
		for _, r := range requirements(at.LabelSelector) {
			switch isName := r.Key == corev1.LabelMetadataName; {
			case !at.ofNamespaces:
				if isName && !onPods {
					wrong = r
				}
			case isName:
				for _, v := range r.Values {
					if !there[v] && !isInitial(v) && !slices.Contains(absent, v) {
						absent = append(absent, v)
						near = append(near, nearest(v, names)...)
					}
				}
			case wrong.Key == "" && !labels[r.Key] && (isNearName(r.Key) || namesNamespace(r, there)):
				wrong = r
			}
		}
		if len(absent) > 0 {
			f := t.s.about(at.of.object, at.field)
			f.Check = "namespace-name-unknown"
			f.Message = fmt.Sprintf("there is no namespace %s%s", list(absent), didYouMean(near))
			f.Proof.Text = "the namespaces are " + list(names)
			f.Suggestion = "correct the name, unless the namespace is still to come"
			t.report(f)
		}
		if wrong.Key == "" {
			return
		}
		f := t.s.about(at.of.object, at.field)
		f.Check = "namespace-key-misspelt"
		if at.ofNamespaces {
			f.Message = fmt.Sprintf("no namespace has the label %s: the one with the name is %s", wrong.Key, corev1.LabelMetadataName)
			f.Proof.Text = fmt.Sprintf("none of %s has it", count(len(t.s.model.Namespaces), "namespace"))
			f.Suggestion = "ask for " + corev1.LabelMetadataName
		} else {
			f.Message = fmt.Sprintf("the podSelector asks for %s, which is a label of namespaces and not of pods", wrong.Key)
			f.Proof.Text = fmt.Sprintf("none of %s has it", count(len(t.s.pods), "pod"))
			f.Suggestion = "ask for it in a namespaceSelector"
		}
		t.report(f)
	})
}

// findAbsent reports the policies of namespaces that are not there, by namespace.
func (t *trapper) findAbsent(there map[string]bool, names []string) {
	for i := range t.s.model.Namespaces {
		ns := t.s.model.Namespaces[i].Name
		policies := t.s.policiesIn[ns]
		if there[ns] || len(policies) == 0 {
			continue
		}
		f := t.s.about(policies[0].object, "metadata.namespace")
		f.Check = "namespace-absent"
		f.Message = fmt.Sprintf("there is nothing in namespace %s but %s, and no such Namespace%s", ns, count(len(policies), "policy"), didYouMean(nearest(ns, names)))
		for _, p := range policies[1:] {
			f.Related = append(f.Related, t.s.cluster.Place(p.object, "metadata.namespace"))
		}
		f.Related = fewPlaces(f.Related)
		f.Proof.Text = "the namespaces are " + list(names)
		f.Suggestion = "correct the namespace, or add the objects of it"
		t.report(f)
	}
}

// isNearName reports whether a key is nearly that of the label with the name of a
// namespace.
func isNearName(key string) bool {
	const most = 5
	return strings.HasSuffix(key, "metadata.name") || distance(key, corev1.LabelMetadataName) <= most
}

// namesNamespace reports whether a requirement has the name of a namespace as value.
func namesNamespace(r metav1.LabelSelectorRequirement, there map[string]bool) bool {
	return r.Operator == metav1.LabelSelectorOpIn && slices.ContainsFunc(r.Values, func(v string) bool { return there[v] })
}

// didYouMean asks about names, if there are any.
func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(names, " or ") + "?"
}

// nearest returns up to three of names that text may have meant, nearest first.
func nearest(text string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var all []candidate
	for _, n := range names {
		if d := distance(text, n); d <= max(2, len(text)/3) {
			all = append(all, candidate{n, d})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var list []string
	for _, c := range all[:min(3, len(all))] {
		list = append(list, c.name)
	}
	return list
}

// distance returns the number of bytes to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
