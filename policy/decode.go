package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A finding is an error or a warning about an object that is being read.
type finding struct {
	field string
	typ   field.ErrorType // of an error
	code  string          // of a warning; empty for an error
	text  string          // if err is nil
	err   error
	line  int

	have   *value     // where the type is wrong: what there is instead of text
	at     *fieldPath // where a document is wrong: the field, from the root of the document
	object string     // found by at
}

func (f finding) isError() bool { return f.code == "" }

// A fieldPath leads to a value in an object: it is the last step to there. Its
// text is only needed for findings, which are rare: until then, a path can stay
// on the stack. Nil is the object itself.
type fieldPath struct {
	up    *fieldPath
	name  string // of a field, or a key of a map
	index int    // of an element
	step  step
}

// A step tells the parts of a path apart.
type step uint8

const (
	toField step = iota
	toKey
	toElement
)

// steps returns the parts of p, beginning at the top.
func (p *fieldPath) steps() []*fieldPath {
	var steps []*fieldPath
	for ; p != nil; p = p.up {
		steps = append(steps, p)
	}
	slices.Reverse(steps)
	return steps
}

// pathTo returns the path to a field of an object.
func pathTo(name string) *fieldPath { return &fieldPath{name: name} }

// field returns the path to a field of what is at p.
func (p *fieldPath) field(name string) *fieldPath { return &fieldPath{up: p, name: name} }

// element returns the path to the i'th element of the list at p.
func (p *fieldPath) element(i int) *fieldPath {
	return &fieldPath{up: p, index: i, step: toElement}
}

// String returns p in the notation of the API: "spec.ingress[0].from",
// "metadata.labels[app]".
func (p *fieldPath) String() string { return string(p.appendTo(nil)) }

func (p *fieldPath) appendTo(b []byte) []byte {
	if p == nil {
		return b
	}
	return p.appendStep(p.up.appendTo(b))
}

// appendStep appends the last part of p to the text of what is before it.
func (p *fieldPath) appendStep(b []byte) []byte {
	switch p.step {
	case toKey:
		return append(append(append(b, '['), p.name...), ']')
	case toElement:
		return append(strconv.AppendInt(append(b, '['), int64(p.index), 10), ']')
	}
	if len(b) > 0 {
		b = append(b, '.')
	}
	return append(b, p.name...)
}

// pathText is String for a path that stands in a list.
func pathText(steps []*fieldPath) string {
	var b []byte
	for _, p := range steps {
		b = p.appendStep(b)
	}
	return string(b)
}

// fields is a tree of the names of fields. The zero fields stands for
// everything.
type fields map[string]fields

// A decoder fills API objects from values, as the API server does: names count
// in every letter, a type is never changed into another.
type decoder struct {
	json     []byte // the text of the values; nil if it is not JSON
	strict   bool   // unknown fields are errors; otherwise warnings
	path     []fieldPath
	findings []finding
}

// A structType is what the decoder has to know of a struct.
type structType struct {
	index map[string][]int // of the field, by its name in JSON
	names []string         // sorted
}

// A typeTable keeps what was found out about types.
type typeTable map[reflect.Type]structType

// of returns what is to know of t, a struct.
func (types typeTable) of(t reflect.Type) structType {
	s, ok := types[t]
	if !ok {
		s.index = make(map[string][]int)
		s.add(t, nil)
		slices.Sort(s.names)
		types[t] = s
	}
	return s
}

// add adds the fields of t, which stands at the index at of the struct.
func (s *structType) add(t reflect.Type, at []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(at), i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			s.add(f.Type, index)
		} else if name != "" && name != "-" {
			s.index[name] = index
			s.names = append(s.names, name)
		}
	}
}

// A shape is what there is in a type that has fields of its own, or in what it
// points to or lists, and what is read of that.
type shape struct {
	slots []*shapeField // each at its hash, or behind it; a power of two, and some are nil
	names []string      // sorted
}

// field returns the field called name, or nil.
func (s *shape) field(name []byte) *shapeField {
	for i := nameHash(name); len(s.slots) > 0; i++ {
		if f := s.slots[i%uint64(len(s.slots))]; f == nil || f.name == string(name) {
			return f
		}
	}
	return nil
}

// add adds a field.
func (s *shape) add(f *shapeField) {
	i := nameHash([]byte(f.name))
	for s.slots[i%uint64(len(s.slots))] != nil {
		i++
	}
	s.slots[i%uint64(len(s.slots))] = f
}

// A shapeField is a field of a shape.
type shapeField struct {
	name   string
	index  []int
	read   bool
	within *shape // of what is in it, if that has fields
}

// shapeOf returns the shape of t, of which reads is read, or nil if t has no
// fields of its own.
func shapeOf(types typeTable, t reflect.Type, reads fields) *shape {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch {
	case t.Kind() != reflect.Struct, t == reflect.TypeFor[intstr.IntOrString](),
		t == reflect.TypeFor[metav1.Time](), t == reflect.TypeFor[metav1.FieldsV1]():
		return nil
	}
	s := types.of(t)
	size := 4
	for size < 4*len(s.names) {
		size *= 2
	}
	all := &shape{make([]*shapeField, size), s.names}
	for name, index := range s.index {
		within, read := reads[name]
		f := &shapeField{name: name, index: index, read: read || reads == nil}
		if f.read {
			f.within = shapeOf(types, t.FieldByIndex(index).Type, within)
		}
		all.add(f)
	}
	return all
}

// enter and leave keep track of where the decoder is.
func (d *decoder) enter(step fieldPath) { d.path = append(d.path, step) }
func (d *decoder) leave()               { d.path = d.path[:len(d.path)-1] }

// place returns where the decoder is, in the notation of fieldPath.
func (d *decoder) place() string {
	steps := make([]*fieldPath, len(d.path))
	for i := range d.path {
		steps[i] = &d.path[i]
	}
	return pathText(steps)
}

// wrong notes that v has the wrong type.
func (d *decoder) wrong(v *value, want string) {
	d.findings = append(d.findings, finding{
		field: d.place(),
		typ:   field.ErrorTypeTypeInvalid,
		text:  want,
		have:  v,
	})
}

// text returns v in JSON.
func (d *decoder) text(v *value) []byte {
	if d.json != nil {
		return d.json[v.at:v.end]
	}
	return appendJSON(nil, v)
}

// decode reads v into out, of which s is the shape. As in encoding/json, null
// leaves out as it is.
func (d *decoder) decode(v *value, out reflect.Value, s *shape) {
	if v.kind == nullValue {
		return
	}
	if out.Kind() == reflect.Pointer {
		out.Set(reflect.New(out.Type().Elem()))
		out = out.Elem()
	}
	switch out.Kind() {
	case reflect.String:
		if v.kind != textValue {
			d.wrong(v, "text")
			return
		}
		out.SetString(v.text)
	case reflect.Bool:
		if v.kind != boolValue {
			d.wrong(v, "true or false")
			return
		}
		out.SetBool(v.text == "true")
	case reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(v.text, 10, out.Type().Bits())
		if v.kind != numberValue || err != nil {
			d.wrong(v, fmt.Sprintf("a whole number of %d bits", out.Type().Bits()))
			return
		}
		out.SetInt(n)
	case reflect.Slice:
		d.list(v, out, s)
	case reflect.Map:
		d.textMap(v, out)
	case reflect.Struct:
		if s == nil {
			d.special(v, out.Addr().Interface())
		} else {
			d.object(v, out, s)
		}
	default:
		panic("no way to decode a " + out.Type().String())
	}
}

// special reads v into a struct that is no object in JSON.
func (d *decoder) special(v *value, out any) {
	switch to := out.(type) {
	case *intstr.IntOrString:
		d.intOrString(v, to)
	case *metav1.Time:
		if v.kind != textValue || json.Unmarshal(d.text(v), to) != nil {
			d.wrong(v, `a time such as "2026-01-31T09:30:00Z"`)
		}
	case *metav1.FieldsV1:
		to.SetRawBytes(slices.Clone(d.text(v)))
	default:
		panic(fmt.Sprintf("no way to decode a %T", out))
	}
}

func (d *decoder) intOrString(v *value, out *intstr.IntOrString) {
	switch v.kind {
	case textValue:
		*out = intstr.FromString(v.text)
	case numberValue:
		n, err := strconv.ParseInt(v.text, 10, 32)
		if err != nil {
			d.wrong(v, "a whole number of 32 bits, or a name")
			return
		}
		*out = intstr.FromInt32(int32(n))
	default:
		d.wrong(v, "a number or a name")
	}
}

func (d *decoder) list(v *value, out reflect.Value, s *shape) {
	if v.kind != listValue {
		d.wrong(v, "a list")
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(v.items), len(v.items)))
	for i := range v.items {
		d.enter(fieldPath{index: i, step: toElement})
		if v.items[i].kind == nullValue && out.Type().Elem().Kind() == reflect.Struct {
			d.findings = append(d.findings, finding{
				field: d.place(),
				code:  "null-element",
				text:  "null is an empty element here: it means the same as {}",
			})
		}
		d.decode(&v.items[i], out.Index(i), s)
		d.leave()
	}
}

// textMap reads a map from texts to texts, the only kind in what is read.
func (d *decoder) textMap(v *value, out reflect.Value) {
	if v.kind != objectValue {
		d.wrong(v, "an object")
		return
	}
	m := make(map[string]string, len(v.members))
	for i := range v.members {
		name, item := v.members[i].name, &v.members[i].value
		if item.kind != textValue && item.kind != nullValue {
			d.enter(fieldPath{name: name, step: toKey})
			d.wrong(item, "text")
			d.leave()
		}
		m[name] = item.text
	}
	out.Set(reflect.ValueOf(m))
}

func (d *decoder) object(v *value, out reflect.Value, s *shape) {
	if v.kind != objectValue {
		d.wrong(v, "an object")
		return
	}
	for i := range v.members {
		m := &v.members[i]
		f := m.field
		if f == nil {
			f = s.field([]byte(m.name))
		}
		if f != nil && !f.read {
			continue
		}
		d.enter(fieldPath{name: m.name})
		if f != nil {
			to := out
			for _, i := range f.index {
				to = to.Field(i)
			}
			d.decode(&m.value, to, f.within)
		} else {
			d.unknown(m.name, s.names)
		}
		d.leave()
	}
}

// unknown notes that a field called name is none of those in names.
func (d *decoder) unknown(name string, names []string) {
	f := unknownField(name, names)
	f.field = d.place()
	if !d.strict {
		f.typ, f.code = "", "unknown-field"
	}
	d.findings = append(d.findings, f)
}

// unknownField returns the error that a field is none of those in names.
func unknownField(name string, names []string) finding {
	text := "unknown field " + quote(name)
	if hint := nearest(name, names); hint != "" {
		text += fmt.Sprintf(" (did you mean %q?)", hint)
	}
	return finding{typ: ErrorTypeUnknown, text: text}
}

// nearest returns the first of names that s is probably a misspelling of, or
// "" if there is none.
func nearest(s string, names []string) string {
	for _, name := range names {
		if strings.EqualFold(s, name) {
			return name
		}
	}
	const most = 2 // letters wrong
	best, hint := most+1, ""
	for _, name := range names {
		// In short names two wrong letters leave too little to go by.
		limit := min(most, (len(name)-1)/3)
		if abs := max(len(s)-len(name), len(name)-len(s)); abs > limit {
			continue
		}
		if n := distance(s, name); n <= limit && n < best {
			best, hint = n, name
		}
	}
	return hint
}

// distance returns how many letters of a have to be inserted, deleted or
// replaced, or swapped with the next one, to get b.
func distance(a, b string) int {
	var rows [3][]int // the distances of a[:i-1], a[:i] and a[:i+1] from each b[:j]
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range len(a) {
		before, row, next := rows[0], rows[1], rows[2]
		next[0] = i + 1
		for j := range len(b) {
			replaced := row[j]
			if a[i] != b[j] {
				replaced++
			}
			next[j+1] = min(replaced, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		rows = [3][]int{row, next, before}
	}
	return rows[1][len(b)]
}
