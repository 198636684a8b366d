package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
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

// EditsTo returns the edits that make the objects of d of those of c, in the order of
// kinds and then of names: one for each that is not there, differs, or is gone. It
// passes over objects whose names are still to be generated, and Hosts. It looks at
// all objects; those that c and d share it does not compare.
func (c *Cluster) EditsTo(d *Cluster) []Edit {
	var edits []Edit
	for i := range kinds {
		k := &kinds[i]
		before := k.byName(c)
		var own []Edit
		for name, obj := range k.byName(d) {
			old := before[name]
			delete(before, name)
			if old == nil || old != obj && !reflect.DeepEqual(old, obj) {
				own = append(own, Put(obj))
			}
		}
		for _, obj := range before {
			own = append(own, Remove(k.name, namespaceOf(obj), obj.GetName()))
		}
		slices.SortFunc(own, func(a, b Edit) int {
			return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
		})
		edits = append(edits, own...)
	}
	return edits
}

// Object returns the object of a kind, namespace and name; see [Remove]. It looks
// through all of its kind.
func (c *Cluster) Object(kind string, name types.NamespacedName) (obj metav1.Object, ok bool) {
	i := slices.Index(kindNames, kind)
	if i < 0 {
		return nil, false
	}
	for obj := range kinds[i].objects(c) {
		if obj.GetName() == name.Name && (kinds[i].global || namespaceOf(obj) == cmp.Or(name.Namespace, metav1.NamespaceDefault)) {
			return obj, true
		}
	}
	return nil, false
}

// byName returns the objects of a kind in c that have a name.
func (k *kind) byName(c *Cluster) map[types.NamespacedName]metav1.Object {
	named := make(map[types.NamespacedName]metav1.Object)
	for obj := range k.objects(c) {
		if obj.GetName() == "" {
			continue
		}
		name := types.NamespacedName{Name: obj.GetName()}
		if !k.global {
			name.Namespace = namespaceOf(obj)
		}
		named[name] = obj
	}
	return named
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
