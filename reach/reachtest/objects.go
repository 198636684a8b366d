package reachtest

import (
	"slices"

	"github.com/polreach/polreach/policy"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A workload is an object that makes pods.
type workload struct {
	metav1.ObjectMeta
	object   metav1.Object
	template *corev1.PodTemplateSpec
}

// workloadsOf returns the workloads of c.
func workloadsOf(c *policy.Cluster) []workload {
	var all []workload
	for _, w := range there(c.Deployments) {
		all = append(all, workload{w.ObjectMeta, w, &w.Spec.Template})
	}
	for _, w := range there(c.ReplicaSets) {
		all = append(all, workload{w.ObjectMeta, w, &w.Spec.Template})
	}
	for _, w := range there(c.StatefulSets) {
		all = append(all, workload{w.ObjectMeta, w, &w.Spec.Template})
	}
	for _, w := range there(c.DaemonSets) {
		all = append(all, workload{w.ObjectMeta, w, &w.Spec.Template})
	}
	for _, w := range there(c.Jobs) {
		all = append(all, workload{w.ObjectMeta, w, &w.Spec.Template})
	}
	for _, w := range there(c.CronJobs) {
		all = append(all, workload{w.ObjectMeta, w, &w.Spec.JobTemplate.Spec.Template})
	}
	for _, w := range there(c.ReplicationControllers) {
		if w.Spec.Template != nil {
			all = append(all, workload{w.ObjectMeta, w, w.Spec.Template})
		}
	}
	return all
}

// there returns the objects that are not nil.
func there[O any](objects []*O) []*O {
	return slices.DeleteFunc(slices.Clone(objects), func(o *O) bool { return o == nil })
}
