package reachtest

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// Draw draws from a generator, and logs what it draws in a form to read: clusters,
// objects and their parts as YAML to paste into a file, edits as the objects that
// they put, and everything else as it prints.
func Draw[V any](t *rapid.T, g *rapid.Generator[V], label string) V {
	return rapid.Map(g, func(v V) printed[V] { return printed[V]{v} }).Draw(t, label).value
}

// A printed prints what it holds in the log of rapid.
type printed[V any] struct{ value V }

// GoString is what rapid logs.
func (p printed[V]) GoString() string {
	switch v := any(p.value).(type) {
	case *policy.Cluster:
		return "\n" + YAML(v)
	case []policy.Edit:
		return "\n" + yamlOfEdits(v)
	case metav1.Object:
		return "\n" + manifest(v)
	case metav1.LabelSelector, networkingv1.NetworkPolicyPeer, *networkingv1.IPBlock, []networkingv1.NetworkPolicyPort, map[string]string:
		text, err := yaml.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return "\n" + string(text)
	case fmt.Stringer:
		return v.String()
	}
	return fmt.Sprintf("%+v", p.value)
}

// YAML returns the objects of c as manifests that [policy.Parse] reads, in the
// order of the fields of [policy.Cluster]. Flows, such as those that an answer is
// wrong for, and what no manifest has are comments before them.
func YAML(c *policy.Cluster, flows ...reach.Flow) string {
	var b strings.Builder
	for _, f := range flows {
		fmt.Fprintf(&b, "# flow: %s\n", strings.ReplaceAll(f.String(), "\n", "\n# "))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Hosts)) {
		fmt.Fprintf(&b, "# host %s: %v\n", name, c.Hosts[name])
	}
	for o := range objectsOf(c) {
		b.WriteString(manifest(o))
	}
	return b.String()
}

// objectsOf returns the objects of c in their order.
func objectsOf(c *policy.Cluster) iter.Seq[metav1.Object] {
	return func(yield func(metav1.Object) bool) {
		_ = each(c.Namespaces, yield) && each(c.Nodes, yield) && each(c.Pods, yield) &&
			each(c.Deployments, yield) && each(c.ReplicaSets, yield) && each(c.StatefulSets, yield) && each(c.DaemonSets, yield) &&
			each(c.Jobs, yield) && each(c.CronJobs, yield) && each(c.ReplicationControllers, yield) &&
			each(c.Services, yield) && each(c.EndpointSlices, yield) && each(c.Endpoints, yield) &&
			each(c.ServiceCIDRs, yield) && each(c.Ingresses, yield) && each(c.Policies, yield)
	}
}

func each[O any, P interface {
	*O
	metav1.Object
}](objects []P, yield func(metav1.Object) bool) bool {
	for _, o := range objects {
		if o != nil && !yield(o) {
			return false
		}
	}
	return true
}

// groupVersions are the API groups of kinds, with their versions; those of the
// others are "v1".
var groupVersions = map[string]string{
	"Deployment":    "apps/v1",
	"ReplicaSet":    "apps/v1",
	"StatefulSet":   "apps/v1",
	"DaemonSet":     "apps/v1",
	"Job":           "batch/v1",
	"CronJob":       "batch/v1",
	"EndpointSlice": "discovery.k8s.io/v1",
	"ServiceCIDR":   "networking.k8s.io/v1",
	"Ingress":       "networking.k8s.io/v1",
	"NetworkPolicy": "networking.k8s.io/v1",
}

// manifest returns an object as a document of YAML.
func manifest(o metav1.Object) string {
	kind := kindOf(o)
	version := groupVersions[kind]
	if version == "" {
		version = "v1"
	}
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Sprintf("--- # %s: %v\n", kind, err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return fmt.Sprintf("--- # %s: %v\n", kind, err)
	}
	prune(fields)
	fields["apiVersion"], fields["kind"] = version, kind
	out, err := yaml.Marshal(fields)
	if err != nil {
		return fmt.Sprintf("--- # %s: %v\n", kind, err)
	}
	return "---\n" + string(out)
}

// prune takes away what Go writes for fields that are not set.
func prune(fields map[string]any) {
	for key, value := range fields {
		below, ok := value.(map[string]any)
		if ok {
			prune(below)
		}
		switch {
		case value == nil, key == "status" && ok && len(below) == 0, key == "resources" && ok && len(below) == 0,
			key == "strategy" && ok && len(below) == 0, key == "updateStrategy" && ok && len(below) == 0:
			delete(fields, key)
		}
		list, _ := value.([]any)
		for _, e := range list {
			if below, ok := e.(map[string]any); ok {
				prune(below)
			}
		}
	}
}

// yamlOfEdits returns what edits put, and says in comments what they do.
func yamlOfEdits(edits []policy.Edit) string {
	var b strings.Builder
	for _, e := range edits {
		if c, err := new(policy.Cluster).With(e); err == nil { // a put
			for o := range objectsOf(c) {
				b.WriteString(manifest(o))
			}
			continue
		}
		fmt.Fprintf(&b, "# %s", e)
		if labels, ok := labelsBy(e); ok {
			fmt.Fprintf(&b, ": %v", labels)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// labelsBy returns the labels that e gives an object, if it does.
func labelsBy(e policy.Edit) (map[string]string, bool) {
	kind, name := e.Object()
	for _, o := range []metav1.Object{
		&corev1.Namespace{}, &corev1.Node{}, &corev1.Pod{}, &corev1.Service{}, &corev1.ReplicationController{},
		&appsv1.Deployment{}, &appsv1.ReplicaSet{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{}, &batchv1.Job{}, &batchv1.CronJob{},
		&discoveryv1.EndpointSlice{}, &networkingv1.Ingress{}, &networkingv1.NetworkPolicy{},
	} {
		if kindOf(o) != kind {
			continue
		}
		o.SetNamespace(name.Namespace)
		o.SetName(name.Name)
		c, err := new(policy.Cluster).With(policy.Put(o), e)
		if err != nil {
			return nil, false
		}
		for o := range objectsOf(c) {
			return o.GetLabels(), true
		}
	}
	return nil, false
}
