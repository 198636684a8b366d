package audit

import (
	"fmt"
	"maps"
	"slices"

	"github.com/polreach/polreach/policy"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// generatedLabels are the labels that controllers of Kubernetes add to pods, and
// whether their values are new with every change of the workload.
var generatedLabels = map[string]bool{
	"pod-template-hash":                        true,
	"controller-revision-hash":                 true,
	"pod-template-generation":                  true,
	"controller-uid":                           true,
	"batch.kubernetes.io/controller-uid":       true,
	"job-name":                                 false,
	"batch.kubernetes.io/job-name":             false,
	"batch.kubernetes.io/job-completion-index": false,
	"statefulset.kubernetes.io/pod-name":       false,
	"apps.kubernetes.io/pod-index":             false,
}

// requirements returns what a selector asks for, matchLabels first, by key.
func requirements(ls *metav1.LabelSelector) []metav1.LabelSelectorRequirement {
	var list []metav1.LabelSelectorRequirement
	for _, key := range slices.Sorted(maps.Keys(ls.MatchLabels)) {
		list = append(list, metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn, Values: []string{ls.MatchLabels[key]}})
	}
	return append(list, ls.MatchExpressions...)
}

// findLabels reports selectors of pods that ask for values of labels that controllers
// generate.
func (t *trapper) findLabels() {
	t.selectors(func(at selectorAt) {
		if at.ofNamespaces {
			return
		}
		var keys [2][]string // by whether they are volatile
		for _, r := range requirements(at.LabelSelector) {
			volatile, ok := generatedLabels[r.Key]
			i := 0
			if volatile {
				i = 1
			}
			if ok && len(r.Values) > 0 && !slices.Contains(keys[i], r.Key) {
				keys[i] = append(keys[i], r.Key)
			}
		}
		for i, check := range [...]string{"generated-label", "volatile-label"} {
			if len(keys[i]) == 0 {
				continue
			}
			f := t.s.about(at.of.object, at.field)
			f.Check = check
			f.Message = fmt.Sprintf("the selector asks for %s, which a controller generates", list(keys[i]))
			f.Suggestion = "make sure that the pods that are meant always get these values, or select by a label of their own"
			if check == "volatile-label" {
				f.Message += " anew when the workload changes"
				f.Suggestion = "select by a label of the pod template"
			}
			f.Proof.Text = t.picksText(at)
			t.report(f)
		}
	})
}

// findHostNetwork reports policies that select pods on the host network, those that
// select the same ones together.
func (t *trapper) findHostNetwork() {
	if t.s.profile.HostNetworkAsPods {
		return
	}
	onHost := make(map[string][]*subjectPod)
	for _, pod := range t.s.pods {
		if pod.HostNetwork {
			onHost[pod.Name.Namespace] = append(onHost[pod.Name.Namespace], pod)
		}
	}
	type key struct{ namespace, pods string }
	found := make(map[key]int)
	type selection struct {
		pods     []*subjectPod
		policies []*subjectPolicy
	}
	var all []selection
	for _, p := range t.s.policies {
		var pods []*subjectPod
		k := key{namespace: p.Name.Namespace}
		for _, pod := range onHost[p.Name.Namespace] {
			if p.Pods.Matches(pod.Labels) {
				pods = append(pods, pod)
				k.pods += pod.Name.Name + " "
			}
		}
		if len(pods) == 0 {
			continue
		}
		i, ok := found[k]
		if !ok {
			i = len(all)
			found[k] = i
			all = append(all, selection{pods: pods})
		}
		all[i].policies = append(all[i].policies, p)
	}
	for _, sel := range all {
		f := t.s.about(sel.policies[0].object, "spec.podSelector")
		f.Check = "host-network-selected"
		f.Message = fmt.Sprintf("the policy selects %s, and has no effect on %s: the host network is not isolated", whom(sel.pods), themOrIt(len(sel.pods)))
		if n := len(sel.policies) - 1; n > 0 {
			f.Message += fmt.Sprintf("; it is the same with %s of the namespace", count(n, "other policy"))
		}
		for _, p := range sel.policies[1:] {
			f.Related = append(f.Related, t.s.cluster.Place(p.object, "spec.podSelector"))
		}
		f.Related = fewPlaces(f.Related)
		f.Proof.Text = "on the host network: " + whom(sel.pods)
		f.Suggestion = "take the pods off the host network, or protect the nodes by other means"
		t.report(f)
	}
}

func themOrIt(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// findForeignSelectors reports podSelectors without namespaceSelector that pick no
// pod of the namespace, while pods of others have the labels.
func (t *trapper) findForeignSelectors() {
	known := make(map[string][]*subjectPod)
	t.selectors(func(at selectorAt) {
		own, ok := at.peer.(policy.Pods)
		if !ok || at.ofNamespaces || own.Namespace == "" || own.Pods.IsNothing() || len(t.held.by(own)) > 0 {
			return
		}
		for key := range generatedLabels {
			for _, r := range requirements(at.LabelSelector) {
				if r.Key == key {
					return // workloads of the namespace may get it
				}
			}
		}
		text := own.Pods.String()
		pods, ok := known[text]
		if !ok {
			for _, pod := range t.held.pods {
				if own.Pods.Matches(pod.Labels) {
					pods = append(pods, pod)
				}
			}
			known[text] = pods
		}
		if len(pods) == 0 {
			return
		}
		var namespaces []string
		for _, pod := range pods {
			if ns := pod.Name.Namespace; !slices.Contains(namespaces, ns) {
				namespaces = append(namespaces, ns)
			}
		}
		f := t.s.about(at.of.object, at.field)
		f.Check = "namespace-selector-missing"
		f.Message = fmt.Sprintf("the podSelector picks no pod: without a namespaceSelector it is about namespace %s, and the pods with these labels are in %s", own.Namespace, list(namespaces))
		f.Proof.Text = fmt.Sprintf("%q is satisfied by %s", own.Pods, whom(pods))
		f.Suggestion = fmt.Sprintf("add a namespaceSelector to the same item, such as kubernetes.io/metadata.name=%s", namespaces[0])
		t.report(f)
	})
}
