package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// An Edit is a change of one object of a Cluster. [Put], [Remove] and [Relabel]
// make one; the zero Edit changes nothing.
type Edit struct {
	kind            string
	namespace, name string
	obj             metav1.Object // to be put
	relabels        bool
	labels          map[string]string
}

// Put returns the Edit that adds a copy of obj, or puts it in the place of the
// object of its kind, namespace and name. One whose name is still to be generated
// is always added. It panics if obj is not a pointer to an object of a kind that a
// Cluster holds.
func Put(obj metav1.Object) Edit {
	e := Edit{kind: kindOf(obj), namespace: namespaceOf(obj), name: obj.GetName()}
	e.obj = obj.(runtime.Object).DeepCopyObject().(metav1.Object)
	return e
}

// Remove returns the Edit that takes away the object of a kind, such as "Pod" or
// "NetworkPolicy". The namespace is empty for a kind that is in none, and empty
// means "default" for the others.
func Remove(kind, namespace, name string) Edit {
	return Edit{kind: kind, namespace: namespace, name: name}
}

// Relabel returns the Edit that gives an object other labels, in place of those
// that it has; see [Remove]. Those of the pods of a workload are in its template.
func Relabel(kind, namespace, name string, labels map[string]string) Edit {
	return Edit{kind: kind, namespace: namespace, name: name, relabels: true, labels: maps.Clone(labels)}
}

// Object returns the kind, the namespace and the name of what e changes. The kind
// is empty for the zero Edit, and the name if it is still to be generated.
func (e Edit) Object() (kind string, name types.NamespacedName) {
	return e.kind, types.NamespacedName{Namespace: e.namespace, Name: e.name}
}

// String returns the edit in words: "put NetworkPolicy shop/db".
func (e Edit) String() string {
	what := "remove"
	switch {
	case e.kind == "":
		return "no edit"
	case e.obj != nil:
		what = "put"
		return what + " " + objectName(e.obj)
	case e.relabels:
		what = "relabel"
	}
	name := e.name
	if e.namespace != "" {
		name = e.namespace + "/" + name
	}
	return what + " " + e.kind + " " + name
}

// With returns c after edits, one after the other. It shares the objects with c,
// which stays as it is; only a list in which something changes is copied. It is
// an error to remove or to relabel what is not there; all of these errors come
// joined, and then no Cluster.
func (c *Cluster) With(edits ...Edit) (*Cluster, error) {
	d := *c
	own := make(map[string]bool) // kinds whose lists are d's own
	var errs []error
	for _, e := range edits {
		if e.kind == "" {
			continue
		}
		i := slices.Index(kindNames, e.kind)
		if i < 0 {
			err := fmt.Errorf("%s: a Cluster holds no kind %s", e, quote(e.kind))
			if k := meant(e.kind); k != nil {
				err = fmt.Errorf("%w: did you mean %s?", err, k.name)
			}
			errs = append(errs, err)
			continue
		}
		k := &kinds[i]
		switch {
		case k.global:
			e.namespace = ""
		case e.namespace == "":
			e.namespace = metav1.NamespaceDefault
		}
		if !own[k.name] {
			own[k.name] = true
			k.copy(&d)
		}
		at := -1
		if e.name != "" {
			at = k.find(&d, e.namespace, e.name)
		}
		switch {
		case e.obj != nil && at >= 0:
			k.set(&d, at, e.obj)
		case e.obj != nil:
			k.add(&d, e.obj)
		case at < 0:
			errs = append(errs, fmt.Errorf("%s: the cluster has none%s", e, k.near(&d, e.namespace, e.name)))
		case e.relabels:
			k.relabel(&d, at, e.labels)
		default:
			k.set(&d, at, nil)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &d, nil
}

// near returns words that offer the object whose name is nearest to a name that
// is not there, or nothing.
func (k *kind) near(c *Cluster, namespace, name string) string {
	full := strings.TrimPrefix(namespace+"/"+name, "/")
	var names []string
	for obj := range k.objects(c) {
		names = append(names, strings.TrimPrefix(namespaceOf(obj)+"/"+obj.GetName(), "/"))
	}
	if hint := nearest(full, names); hint != "" {
		return ": did you mean " + hint + "?"
	}
	return ""
}

// Clone returns a copy of c with lists of its own, which share the objects.
func (c *Cluster) Clone() *Cluster {
	d := *c
	for i := range kinds {
		kinds[i].copy(&d)
	}
	d.Hosts = maps.Clone(c.Hosts)
	return &d
}
