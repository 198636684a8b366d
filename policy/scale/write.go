package scale

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/policy"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// WriteYAML writes the namespaces, nodes, pods, Services and policies of c as
// people write manifests: one document for each, the fields in the order of the
// API, and nothing that is empty. It writes as it goes, and returns the first
// error of w.
func WriteYAML(w io.Writer, c *policy.Cluster) error {
	y := &yamlText{out: bufio.NewWriterSize(w, bufferSize)}
	p := newPrinter(y)
	first := true
	for obj := range objects(c) {
		if !first {
			y.out.WriteString("---\n")
		}
		first = false
		p.object(obj)
	}
	return y.flush()
}

// WriteJSON writes the same objects as WriteYAML, as one List in the form of
// kubectl get -o json.
func WriteJSON(w io.Writer, c *policy.Cluster) error {
	return writeList(&jsonText{out: bufio.NewWriterSize(w, bufferSize)}, objects(c))
}

// DumpYAML writes the pods of c as one List in the form of
// kubectl get pods -A -o yaml --show-managed-fields, about 8 KB for each: with
// all that the API server, the scheduler and the kubelet add to a pod. What c
// says of the pods stays as it is.
func DumpYAML(w io.Writer, c *policy.Cluster) error {
	return writeList(&yamlText{out: bufio.NewWriterSize(w, bufferSize)}, running(c))
}

// DumpJSON is DumpYAML with -o json, which makes about 20 KB of a pod.
func DumpJSON(w io.Writer, c *policy.Cluster) error {
	return writeList(&jsonText{out: bufio.NewWriterSize(w, bufferSize)}, running(c))
}

const bufferSize = 1 << 16

// objects yields the objects of c that are written.
func objects(c *policy.Cluster) iter.Seq[metav1.Object] {
	return func(yield func(metav1.Object) bool) {
		_ = all(c.Namespaces, yield) && all(c.Nodes, yield) && all(c.Pods, yield) && all(c.Services, yield) && all(c.Policies, yield)
	}
}

// all yields the objects of a list, and reports whether yield wants more.
func all[T metav1.Object](list []T, yield func(metav1.Object) bool) bool {
	for _, obj := range list {
		if !yield(obj) {
			return false
		}
	}
	return true
}

// running yields the pods of c as they run.
func running(c *policy.Cluster) iter.Seq[metav1.Object] {
	return func(yield func(metav1.Object) bool) {
		for i, pod := range c.Pods {
			if !yield(asRunning(pod, i)) {
				return
			}
		}
	}
}

// writeList writes a List as kubectl does.
func writeList(to text, list iter.Seq[metav1.Object]) error {
	p := newPrinter(to)
	p.kubectl = true
	to.openMap()
	to.key("apiVersion")
	to.text("v1")
	to.key("items")
	to.openList()
	for obj := range list {
		to.item()
		p.object(obj)
	}
	to.closeList()
	to.key("kind")
	to.text("List")
	to.key("metadata")
	to.openMap()
	to.key("resourceVersion")
	to.text("")
	to.closeMap()
	to.closeMap()
	return to.flush()
}

// A text is a document that is being written. Maps and lists that are opened
// are not empty.
type text interface {
	openMap()
	key(name string)
	closeMap()
	openList()
	item()
	closeList()
	text(s string)
	raw(s string) // a number, a boolean, null, {} or []
	flush() error
}

// A printer writes API objects.
type printer struct {
	to      text
	kubectl bool // fields in the order of their names, and what encoding/json does not leave out
	structs map[reflect.Type][]fieldPlan
}

// A fieldPlan is what the printer has to know of a field of a struct.
type fieldPlan struct {
	name      string
	index     []int
	omitEmpty bool
	omitZero  bool // of a struct
}

func newPrinter(to text) *printer {
	return &printer{to: to, structs: make(map[reflect.Type][]fieldPlan)}
}

// object writes an API object.
func (p *printer) object(obj metav1.Object) {
	apiVersion, kind := "v1", ""
	switch obj.(type) {
	case *corev1.Namespace:
		kind = "Namespace"
	case *corev1.Node:
		kind = "Node"
	case *corev1.Pod:
		kind = "Pod"
	case *corev1.Service:
		kind = "Service"
	case *networkingv1.NetworkPolicy:
		apiVersion, kind = "networking.k8s.io/v1", "NetworkPolicy"
	default:
		panic(fmt.Sprintf("scale: no way to write a %T", obj))
	}
	p.to.openMap()
	p.to.key("apiVersion")
	p.to.text(apiVersion)
	p.to.key("kind")
	p.to.text(kind)
	p.members(reflect.ValueOf(obj).Elem())
	p.to.closeMap()
}

// plan returns the fields of t in the order in which they are written. The
// embedded TypeMeta, which object writes, is not among them.
func (p *printer) plan(t reflect.Type) []fieldPlan {
	if plan, ok := p.structs[t]; ok {
		return plan
	}
	plan := p.fields(t, nil)
	if p.kubectl {
		slices.SortFunc(plan, func(a, b fieldPlan) int { return cmp.Compare(a.name, b.name) })
	}
	p.structs[t] = plan
	return plan
}

// fields returns the fields of t, which stands at the index at of a struct, in
// the order of the API.
func (p *printer) fields(t reflect.Type, at []int) []fieldPlan {
	var plan []fieldPlan
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		index := append(slices.Clone(at), i)
		switch {
		case name == "-" || f.Type == reflect.TypeFor[metav1.TypeMeta]():
		case f.Anonymous && name == "":
			plan = append(plan, p.fields(f.Type, index)...)
		default:
			omitZero := strings.Contains(options, "omitzero")
			plan = append(plan, fieldPlan{
				name: name, index: index,
				omitEmpty: omitZero || strings.Contains(options, "omitempty"),
				omitZero:  omitZero || !p.kubectl,
			})
		}
	}
	return plan
}

// left reports whether the field that f describes is left out.
func (f *fieldPlan) left(v reflect.Value) bool {
	if !f.omitEmpty {
		return false
	}
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	case reflect.Struct:
		return f.omitZero && v.IsZero()
	}
	return v.IsZero()
}

// members writes the fields of a struct.
func (p *printer) members(v reflect.Value) {
	plan := p.plan(v.Type())
	for i := range plan {
		if f := v.FieldByIndex(plan[i].index); !plan[i].left(f) {
			p.to.key(plan[i].name)
			p.value(f)
		}
	}
}

// value writes a value of an API object.
func (p *printer) value(v reflect.Value) {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			p.to.raw("null")
			return
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct && v.CanAddr() {
		switch special := v.Addr().Interface().(type) {
		case *metav1.Time:
			if special.IsZero() {
				p.to.raw("null")
			} else {
				p.to.text(special.UTC().Format("2006-01-02T15:04:05Z"))
			}
			return
		case *intstr.IntOrString:
			if special.Type == intstr.Int {
				p.to.raw(strconv.Itoa(int(special.IntVal)))
			} else {
				p.to.text(special.StrVal)
			}
			return
		case *metav1.FieldsV1:
			var tree any
			if err := json.Unmarshal(special.GetRawBytes(), &tree); err != nil {
				panic(fmt.Sprintf("scale: fieldsV1: %v", err))
			}
			p.value(reflect.ValueOf(tree))
			return
		}
	}
	switch v.Kind() {
	case reflect.String:
		p.to.text(v.String())
	case reflect.Bool:
		p.to.raw(strconv.FormatBool(v.Bool()))
	case reflect.Int32, reflect.Int64:
		p.to.raw(strconv.FormatInt(v.Int(), 10))
	case reflect.Slice:
		p.list(v)
	case reflect.Map:
		p.textMap(v)
	case reflect.Struct:
		if q, ok := v.Interface().(resource.Quantity); ok {
			p.to.text(q.String())
			return
		}
		if p.isEmpty(v) {
			p.to.raw("{}")
			return
		}
		p.to.openMap()
		p.members(v)
		p.to.closeMap()
	default:
		panic("scale: no way to write a " + v.Type().String())
	}
}

// isEmpty reports whether a struct has no field that is written.
func (p *printer) isEmpty(v reflect.Value) bool {
	plan := p.plan(v.Type())
	for i := range plan {
		if !plan[i].left(v.FieldByIndex(plan[i].index)) {
			return false
		}
	}
	return true
}

func (p *printer) list(v reflect.Value) {
	if v.Len() == 0 {
		p.to.raw("[]")
		return
	}
	p.to.openList()
	for i := range v.Len() {
		p.to.item()
		p.value(v.Index(i))
	}
	p.to.closeList()
}

// textMap writes a map, in the order of its keys.
func (p *printer) textMap(v reflect.Value) {
	if v.Len() == 0 {
		p.to.raw("{}")
		return
	}
	p.to.openMap()
	if m, ok := v.Interface().(map[string]string); ok {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			p.to.key(k)
			p.to.text(m[k])
		}
	} else {
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		for _, k := range keys {
			p.to.key(k.String())
			p.value(v.MapIndex(k))
		}
	}
	p.to.closeMap()
}
