package reachtest

import (
	"maps"
	"slices"

	"github.com/polreach/polreach/policy"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// renamed is what is appended to the key of a label.
const renamed = "-renamed"

// relabelings returns the edits that rename a label of pods that some policy looks
// at: in the template of a workload, or of a pod. Pods with the same owner change
// together, as only their template makes them.
func relabelings(c *policy.Cluster) []alteration {
	keys := make(map[string]bool)
	for _, np := range byName(c.Policies) {
		p, err := policy.New(np)
		if err != nil {
			continue // the cluster does not compile
		}
		addPodKeys(keys, p)
	}
	var all []alteration
	var order []string
	together := make(map[string][]carrier)
	for _, cr := range carriers(c) {
		if together[cr.pods] == nil {
			order = append(order, cr.pods)
		}
		together[cr.pods] = append(together[cr.pods], cr)
	}
	for _, pods := range order {
		mentioned := make(map[string]bool)
		for _, cr := range together[pods] {
			for key := range cr.labels {
				if keys[key] {
					mentioned[key] = true
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(mentioned)) {
			a := alteration{name: pods + ": rename label " + key, key: key}
			for _, cr := range together[pods] {
				if _, ok := cr.labels[key]; !ok {
					continue
				}
				after := cr.copy()
				for _, labels := range cr.maps(after) {
					if value, ok := labels[key]; ok {
						delete(labels, key)
						labels[key+renamed] = value
					}
				}
				a.edits = append(a.edits, policy.Put(after))
				a.before, a.after = append(a.before, cr.Object), append(a.after, after)
			}
			all = append(all, a)
		}
	}
	return all
}

// addPodKeys adds the keys of labels of pods that a policy looks at.
func addPodKeys(keys map[string]bool, p *policy.Policy) {
	for key := range p.Pods.Keys() {
		keys[key] = true
	}
	for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
		for _, r := range p.Half(d).Rules {
			for _, peer := range r.Peers {
				if pods, ok := peer.(policy.Pods); ok {
					for key := range pods.Pods.Keys() {
						keys[key] = true
					}
				}
			}
		}
	}
}

// A carrier is an object that gives labels to pods.
type carrier struct {
	metav1.Object
	pods   string // whose they are: they change together
	labels map[string]string
	copy   func() metav1.Object
	maps   func(copy metav1.Object) []map[string]string // where a copy has the labels: on the pods, and in its selector
}

func carriers(c *policy.Cluster) []carrier {
	var all []carrier
	for _, o := range byName(c.Pods) {
		name := "Pod " + namespaceOf(o) + "/" + o.Name
		for _, ref := range o.OwnerReferences {
			name = "pods of " + ref.Kind + " " + namespaceOf(o) + "/" + ref.Name
		}
		all = append(all, carrier{o, name, o.Labels, func() metav1.Object { return o.DeepCopy() }, func(o metav1.Object) []map[string]string {
			return []map[string]string{o.GetLabels()}
		}})
	}
	add := func(kind string, o metav1.Object, copy func() metav1.Object, parts func(metav1.Object) (*corev1.PodTemplateSpec, *metav1.LabelSelector)) {
		t, _ := parts(o)
		if t == nil {
			return
		}
		all = append(all, carrier{o, kind + " " + namespaceOf(o) + "/" + o.GetName(), t.Labels, copy, func(o metav1.Object) []map[string]string {
			t, s := parts(o)
			list := []map[string]string{t.Labels}
			if s != nil {
				list = append(list, s.MatchLabels)
			}
			return list
		}})
	}
	for _, o := range byName(c.Deployments) {
		add("Deployment", o, func() metav1.Object { return o.DeepCopy() }, func(o metav1.Object) (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
			spec := &o.(*appsv1.Deployment).Spec
			return &spec.Template, spec.Selector
		})
	}
	for _, o := range byName(c.ReplicaSets) {
		add("ReplicaSet", o, func() metav1.Object { return o.DeepCopy() }, func(o metav1.Object) (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
			spec := &o.(*appsv1.ReplicaSet).Spec
			return &spec.Template, spec.Selector
		})
	}
	for _, o := range byName(c.StatefulSets) {
		add("StatefulSet", o, func() metav1.Object { return o.DeepCopy() }, func(o metav1.Object) (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
			spec := &o.(*appsv1.StatefulSet).Spec
			return &spec.Template, spec.Selector
		})
	}
	for _, o := range byName(c.DaemonSets) {
		add("DaemonSet", o, func() metav1.Object { return o.DeepCopy() }, func(o metav1.Object) (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
			spec := &o.(*appsv1.DaemonSet).Spec
			return &spec.Template, spec.Selector
		})
	}
	for _, o := range byName(c.Jobs) {
		add("Job", o, func() metav1.Object { return o.DeepCopy() }, func(o metav1.Object) (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
			spec := &o.(*batchv1.Job).Spec
			return &spec.Template, spec.Selector
		})
	}
	for _, o := range byName(c.CronJobs) {
		add("CronJob", o, func() metav1.Object { return o.DeepCopy() }, func(o metav1.Object) (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
			return &o.(*batchv1.CronJob).Spec.JobTemplate.Spec.Template, nil
		})
	}
	for _, o := range byName(c.ReplicationControllers) {
		add("ReplicationController", o, func() metav1.Object { return o.DeepCopy() }, func(o metav1.Object) (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
			spec := &o.(*corev1.ReplicationController).Spec
			return spec.Template, &metav1.LabelSelector{MatchLabels: spec.Selector}
		})
	}
	return all
}
