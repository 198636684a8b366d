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

// A fieldPath leads to a value in an object. Its text is only needed for findings,
// which are rare: until then, a path can stay on the stack. Nil is the object
// itself.
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
	types    typeTable
	json     []byte // the text of the values
	strict   bool   // unknown fields are errors; otherwise warnings
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

// wrong notes that v at p has the wrong type.
func (d *decoder) wrong(p *fieldPath, v *value, want string) {
	d.findings = append(d.findings, finding{
		field: p.String(),
		typ:   field.ErrorTypeTypeInvalid,
		text:  want,
		have:  v,
	})
}

// decode reads v into out. It looks only into what reads names, or into
// everything if reads is nil. As in encoding/json, null leaves out as it is.
func (d *decoder) decode(p *fieldPath, v *value, out reflect.Value, reads fields) {
	if v.kind == nullValue {
		return
	}
	if out.Kind() == reflect.Pointer {
		out.Set(reflect.New(out.Type().Elem()))
		out = out.Elem()
	}
	switch to := out.Addr().Interface().(type) {
	case *intstr.IntOrString:
		d.intOrString(p, v, to)
		return
	case *metav1.Time:
		if v.kind != textValue || json.Unmarshal(d.json[v.at:v.end], to) != nil {
			d.wrong(p, v, `a time such as "2026-01-31T09:30:00Z"`)
		}
		return
	case *metav1.FieldsV1:
		to.SetRawBytes(slices.Clone(d.json[v.at:v.end]))
		return
	}
	switch out.Kind() {
	case reflect.String:
		if v.kind != textValue {
			d.wrong(p, v, "text")
			return
		}
		out.SetString(v.text)
	case reflect.Bool:
		if v.kind != boolValue {
			d.wrong(p, v, "true or false")
			return
		}
		out.SetBool(v.text == "true")
	case reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(v.text, 10, out.Type().Bits())
		if v.kind != numberValue || err != nil {
			d.wrong(p, v, fmt.Sprintf("a whole number of %d bits", out.Type().Bits()))
			return
		}
		out.SetInt(n)
	case reflect.Slice:
		d.list(p, v, out, reads)
	case reflect.Map:
		d.textMap(p, v, out)
	case reflect.Struct:
		d.object(p, v, out, reads)
	default:
		panic("no way to decode a " + out.Type().String())
	}
}

func (d *decoder) intOrString(p *fieldPath, v *value, out *intstr.IntOrString) {
	switch v.kind {
	case textValue:
		*out = intstr.FromString(v.text)
	case numberValue:
		n, err := strconv.ParseInt(v.text, 10, 32)
		if err != nil {
			d.wrong(p, v, "a whole number of 32 bits, or a name")
			return
		}
		*out = intstr.FromInt32(int32(n))
	default:
		d.wrong(p, v, "a number or a name")
	}
}

func (d *decoder) list(p *fieldPath, v *value, out reflect.Value, reads fields) {
	if v.kind != listValue {
		d.wrong(p, v, "a list")
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(v.items), len(v.items)))
	for i := range v.items {
		at := &fieldPath{up: p, index: i, step: toElement}
		if v.items[i].kind == nullValue && out.Type().Elem().Kind() == reflect.Struct {
			d.findings = append(d.findings, finding{
				field: at.String(),
				code:  "null-element",
				text:  "null is an empty element here: it means the same as {}",
			})
		}
		d.decode(at, &v.items[i], out.Index(i), reads)
	}
}

// textMap reads a map from texts to texts, the only kind in what is read.
func (d *decoder) textMap(p *fieldPath, v *value, out reflect.Value) {
	if v.kind != objectValue {
		d.wrong(p, v, "an object")
		return
	}
	m := make(map[string]string, len(v.members))
	for i := range v.members {
		name, item := v.members[i].name, &v.members[i].value
		if item.kind != textValue && item.kind != nullValue {
			d.wrong(&fieldPath{up: p, name: name, step: toKey}, item, "text")
		}
		m[name] = item.text
	}
	out.Set(reflect.ValueOf(m))
}

func (d *decoder) object(p *fieldPath, v *value, out reflect.Value, reads fields) {
	if v.kind != objectValue {
		d.wrong(p, v, "an object")
		return
	}
	s := d.types.of(out.Type())
	for i := range v.members {
		m := &v.members[i]
		at := &fieldPath{up: p, name: m.name}
		index, known := s.index[m.name]
		within, read := reads[m.name]
		switch {
		case !known:
			d.unknown(at, s.names)
		case read || reads == nil:
			d.decode(at, &m.value, out.FieldByIndex(index), within)
		}
	}
}

// unknown notes that the field at p is none of those in names.
func (d *decoder) unknown(p *fieldPath, names []string) {
	f := unknownField(p.name, names)
	f.field = p.String()
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
