package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	sigsyaml "sigs.k8s.io/yaml"
)

// A manifest is an object to be read.
type manifest struct {
	doc              *document
	value            *value
	node             *yaml.Node // of value; nil for JSON, and while nobody asked
	at               string     // its path in the document, empty unless it is in a list
	apiVersion, kind string     // at first those of its list
}

// locate makes sure that the node is known, if there is one.
func (s *manifest) locate() {
	if s.node == nil && s.value == s.doc.root {
		s.node = s.doc.node()
	}
}

// lines returns a function from the names of members to their lines. For names
// that there are not, it returns the first line.
func (s *manifest) lines() func(name string) int {
	s.locate()
	top := s.doc.lineOf(s.value, s.node)
	lines := make(map[string]int)
	members(s.doc, s.value, s.node, func(m *member, line int, _ *yaml.Node) { lines[m.name] = line })
	return func(name string) int { return cmp.Or(lines[name], top) }
}

// name returns the kind and the name of s, as far as it tells them.
func (r *reading) name(s *manifest) string {
	meta := s.value.member("metadata")
	if meta == nil {
		meta = &value{}
	}
	name := meta.textOf("name")
	if prefix := meta.textOf("generateName"); name == "" && prefix != "" {
		name = prefix + "*"
	}
	ns := meta.textOf("namespace")
	if i := slices.Index(kindNames, s.kind); i >= 0 && kinds[i].global {
		ns = ""
	} else if i >= 0 && ns == "" {
		ns = r.Namespace
	}
	if ns != "" {
		name = ns + "/" + name
	}
	return strings.TrimSpace(s.kind + " " + name)
}

// object reads an object, or the objects of a list.
func (r *reading) object(s manifest) {
	if s.value.kind != objectValue {
		r.settle(s.doc, "", []finding{{
			field: s.at,
			text:  "want a Kubernetes object, have " + s.value.String(),
			line:  s.doc.lineOf(s.value, s.node),
		}})
		return
	}
	if fs := s.header(); len(fs) > 0 {
		r.settle(s.doc, "", fs)
		return
	}
	if r.list(s) {
		return
	}
	k, refused := lookUp(s.apiVersion, s.kind)
	full := qualified(s.kind, apiGroup(s.apiVersion))
	accepted := refused != nil && refused.accept && slices.Contains(r.Accept, full)
	switch {
	case accepted:
		r.settle(s.doc, r.name(&s), []finding{{
			field: "kind",
			code:  "accepted-kind",
			text:  "left out of the answers, although a " + s.kind + " changes what can reach what",
			line:  s.lines()("kind"),
		}})
		r.cluster.skip(full, 1)
	case refused != nil:
		r.refuse(s, refused)
	case k == nil:
		r.cluster.skip(full, 1)
	default:
		r.load(s, k)
	}
}

func (r *reading) refuse(s manifest, why *refusal) {
	r.settle(s.doc, r.name(&s), []finding{{
		field: why.field,
		typ:   field.ErrorTypeNotSupported,
		text:  why.text,
		line:  s.lines()(why.field),
	}})
}

// header sets the apiVersion and the kind of s, or returns what is wrong with
// them.
func (s *manifest) header() []finding {
	var fs []finding
	fault := func(name string, typ field.ErrorType, text string) {
		at := name
		if s.at != "" {
			at = s.at + "." + name
		}
		fs = append(fs, finding{field: at, typ: typ, text: text, line: s.lines()(name)})
	}
	for _, h := range []struct {
		name string
		to   *string
	}{{"apiVersion", &s.apiVersion}, {"kind", &s.kind}} {
		m := s.value.member(h.name)
		switch {
		case m != nil && m.kind == textValue && m.text != "":
			*h.to = m.text
		case m != nil && m.kind != textValue && m.kind != nullValue:
			fault(h.name, field.ErrorTypeTypeInvalid, "want text, have "+m.String())
		case *h.to == "":
			fault(h.name, field.ErrorTypeRequired, h.name+" is not set: this is no Kubernetes object")
		}
	}
	if len(fs) == 0 && strings.ContainsFunc(s.kind, func(r rune) bool { return !isAlphanumeric(r) }) {
		fault("kind", field.ErrorTypeInvalid, quote(s.kind)+" is no kind: want letters and digits")
	}
	return fs
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// A listing is what a list says of its items.
type listing struct {
	item    manifest // an item, except its value
	strict  bool     // nothing else than a list has this kind
	refused *refusal
}

// listing returns what s says of its items. It returns false if s is no list.
func (s *manifest) listing() (l listing, ok bool) {
	kindOfItems, ok := strings.CutSuffix(s.kind, "List")
	if !ok {
		return l, false
	}
	l.item.doc = s.doc
	l.item.at = "items"
	if s.at != "" {
		l.item.at = s.at + ".items"
	}
	l.strict = kindOfItems == ""
	if l.strict && s.apiVersion != "v1" {
		l.refused = &refusal{field: "apiVersion", text: quote(s.apiVersion) + " has no List: want apiVersion: v1"}
	}
	if !l.strict {
		k, refused := lookUp(s.apiVersion, kindOfItems)
		if refused != nil && !refused.accept {
			l.refused = refused
		}
		l.strict = k != nil || refused != nil
		l.item.apiVersion, l.item.kind = s.apiVersion, kindOfItems
	}
	return l, true
}

// equals reports whether lists say the same of their items.
func (l listing) equals(other listing) bool {
	return l.item.apiVersion == other.item.apiVersion && l.item.kind == other.item.kind && l.strict == other.strict
}

// element returns the item at index i, which is v.
func (l listing) element(i int, v *value) manifest {
	item := l.item
	item.value = v
	item.at += "[" + strconv.Itoa(i) + "]"
	return item
}

// list reads the objects of a list. It returns false if s is something else.
func (r *reading) list(s manifest) bool {
	l, ok := s.listing()
	if !ok {
		return false
	}
	if l.refused != nil {
		r.refuse(s, l.refused)
		return true
	}
	items := s.value.member("items")
	switch {
	case !l.strict && (items == nil || items.kind != listValue):
		return false // just a name that ends in List
	case items == nil:
		items = &value{}
	}
	var fs []finding
	if l.strict {
		fs = s.strayFields()
	}
	if items.kind != listValue && items.kind != nullValue {
		fs = append(fs, finding{
			field: "items", typ: field.ErrorTypeTypeInvalid, line: s.lines()("items"),
			text: "want a list, have " + items.String(),
		})
	}
	r.settle(s.doc, r.name(&s), fs)

	if s.doc.items != nil && s.value == s.doc.root {
		r.join(s.doc.items)
		return true
	}
	s.locate()
	var nodes []*yaml.Node
	if s.node != nil {
		if e, ok := entriesOf(s.node)["items"]; ok && len(e.value.Content) == len(items.items) {
			nodes = e.value.Content
		}
	}
	for i := range items.items {
		item := l.element(i, &items.items[i])
		if nodes != nil {
			item.node = resolve(nodes[i])
		}
		r.object(item)
	}
	return true
}

// strayFields returns the fields that a list does not have. One of them may be
// meant to be the items.
func (s *manifest) strayFields() []finding {
	names := []string{"apiVersion", "items", "kind", "metadata"}
	line := s.lines()
	var fs []finding
	for i := range s.value.members {
		if name := s.value.members[i].name; !slices.Contains(names, name) {
			f := unknownField(name, names)
			f.field, f.line = name, line(name)
			fs = append(fs, f)
		}
	}
	return fs
}

// load reads an object of a kind that a Cluster holds.
func (r *reading) load(s manifest, k *kind) {
	obj := s.value.object
	made := obj != nil
	if !made {
		obj = k.make()
	}
	out := reflect.ValueOf(obj).Elem()
	dec := decoder{json: s.doc.json, strict: k.reads == nil, path: r.path}
	v := s.value
	if k.object == reflect.TypeFor[networkingv1.NetworkPolicy]() && v.member("status") != nil {
		dec.findings = append(dec.findings, finding{
			field: "status",
			code:  "status-ignored",
			text:  "a NetworkPolicy has no status any more, and what is here has no effect",
		})
		v = v.without("status")
	}
	if !made {
		dec.decode(v, out, k.shape())
		r.path = dec.path
	}
	out.FieldByName("TypeMeta").Set(reflect.ValueOf(metav1.TypeMeta{APIVersion: k.apiVersion, Kind: k.name}))
	switch {
	case k.global:
		obj.SetNamespace("")
	case obj.GetNamespace() == "":
		obj.SetNamespace(r.Namespace)
	}

	fs := dec.findings
	suspicious := false
	if !slices.ContainsFunc(fs, finding.isError) {
		// Of an object with faults in its types, parts are missing.
		r.report.inspect(obj, r.StrictCIDR)
		for _, e := range r.report.errs {
			fs = append(fs, finding{field: e.Field, typ: e.Type, err: e.Err})
		}
		suspicious = len(r.report.warnings) > 0
	}
	src := &source{file: s.doc.file.name}
	switch {
	case len(fs) > 0, s.doc.scanner == nil && (k.located || suspicious):
		s.locate()
		whole := s.value
		if s.doc.scanner != nil && (made || k.reads != nil) {
			if v, ok := s.doc.scanner.again(s.value.at); ok {
				whole = v
			}
		}
		index := indexOf(s.doc, r.types, k.object, whole, s.node)
		src.lines = index.lines
		if isPolicy := k.reads == nil; isPolicy {
			fs = append(fs, index.oddNumbers()...)
		}
		for i := range fs {
			index.place(&fs[i], s.doc.lineOf(s.value, s.node))
		}
	case k.located, suspicious:
		src.text = objectTextOf(s.doc, s.value, k.object)
	}
	src.line = s.doc.lineOf(s.value, s.node)
	if len(fs) > 0 {
		r.settle(s.doc, strings.TrimSpace(objectName(obj)), fs)
	}
	k.add(r.cluster, obj)
	r.sources = append(r.sources, origin{obj, src})
}

// settle reports what was found in one object, in the order of its lines.
func (r *reading) settle(d *document, object string, fs []finding) {
	slices.SortStableFunc(fs, func(a, b finding) int { return a.line - b.line })
	for _, f := range fs {
		at := Place{File: d.file.name, Line: f.line, Object: cmp.Or(f.object, object), Field: f.field}
		if !f.isError() {
			r.cluster.Warnings = append(r.cluster.Warnings, Warning{Place: at, Code: f.code, Text: f.text})
			continue
		}
		err := f.err
		if err == nil {
			err = errors.New(f.text)
		}
		if len(r.errs) < maxErrors { // else it is only counted
			if hint := d.hintAt(f.line); hint != "" {
				err = fmt.Errorf("%w (%s)", err, hint)
			}
		}
		r.fail(&Error{Place: at, Type: f.typ, Err: err})
	}
}

// attribute finds the objects that repeated names in a document belong to.
func (r *reading) attribute(d *document, fs []finding) {
	if fs[0].at == nil {
		return
	}
	root := d.root
	if root == nil {
		// Names are all that is needed of the document.
		if json, err := toJSON(d.text(), sigsyaml.YAMLToJSON); err == nil {
			root, _ = newTreeReader(json).next()
		}
	}
	if root == nil {
		root = &value{}
	}
	for i := range min(len(fs), maxErrors) {
		s, steps := innermost(root, fs[i].at.steps())
		fs[i].object, fs[i].field = r.name(&s), pathText(steps)
	}
}

// innermost returns the object in the list of objects v that steps lead into,
// and how they go on from there.
func innermost(v *value, steps []*fieldPath) (manifest, []*fieldPath) {
	s := manifest{value: v, kind: v.textOf("kind")}
	for strings.HasSuffix(s.kind, "List") && len(steps) > 1 && steps[0].name == "items" {
		items := s.value.member("items")
		if items == nil || len(items.items) <= steps[1].index {
			break
		}
		s.value = &items.items[steps[1].index]
		s.kind = cmp.Or(s.value.textOf("kind"), strings.TrimSuffix(s.kind, "List"))
		steps = steps[2:]
	}
	return s, steps
}

// hintAt returns what is probably wrong if something is wrong in a line, or "".
// It looks for what does not belong in YAML.
func (d *document) hintAt(line int) string {
	const most = 1000 // bytes; longer lines are made by programs
	if d.isJSON {
		return ""
	}
	text := d.file.line(line)
	switch {
	case len(text) > most:
		return ""
	case bytes.Contains(text, []byte("{{")):
		return "the line holds a template: render it first, as with helm template"
	case markup.Match(text):
		return "the line holds HTML: copy the manifest itself, not the source of a page that shows it"
	}
	return ""
}

// markup matches elements and entities of HTML, but not a <placeholder>.
var markup = regexp.MustCompile(`(?i)</?(a|b|body|br|code|div|em|font|head|html|i|li|p|pre|span|strong|table|td|tr|ul)(\s[^>]*)?/?>|<!doctype|&(#\d+|amp|gt|lt|nbsp|quot);`)
