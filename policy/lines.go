package policy

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// A file is a text under its name.
type file struct {
	name   string
	text   []byte
	first  int   // how many lines there are in front of the text
	usual  bool  // lines end with \n alone
	before []int // how many lines end before each block of the text
	gap    gap
}

// A gap is a place at which something was taken out of a text. The zero gap is
// none.
type gap struct{ at, lines int }

// lineBlock is the size of the blocks after which a file remembers how many
// lines there were.
const lineBlock = 1 << 10

func newFile(name string, text []byte) *file {
	f := newJSON(name, text)
	for _, end := range unusualEnds {
		f.usual = f.usual && !bytes.Contains(text, []byte(end))
	}
	return f
}

// newJSON is newFile for a text that will not be read as YAML.
func newJSON(name string, text []byte) *file {
	return &file{name: name, text: text, usual: bytes.IndexByte(text, '\r') < 0}
}

// unusualEnds are the ends of lines of YAML 1.1 that are none for editors.
var unusualEnds = []string{"\u0085", "\u2028", "\u2029"}

// beginsLine reports whether a line begins at.
func (f *file) beginsLine(at int) bool {
	if at == 0 {
		return true
	}
	end := f.text[at-1]
	return end == '\n' || end == '\r' && !bytes.HasPrefix(f.text[at:], []byte("\n"))
}

// ends returns how many lines end in text[from:to].
func (f *file) ends(from, to int) int {
	n := bytes.Count(f.text[from:to], []byte("\n"))
	if !f.usual {
		for at := from; at < to; at++ {
			if f.text[at] == '\r' && f.beginsLine(at+1) {
				n++
			}
		}
	}
	return n
}

// lineAt returns the number of the line that holds byte at.
func (f *file) lineAt(at int) int {
	if f.before == nil {
		f.before = make([]int, 1, len(f.text)/lineBlock+1)
	}
	block := at / lineBlock
	for i := len(f.before); i <= block; i++ {
		f.before = append(f.before, f.before[i-1]+f.ends((i-1)*lineBlock, i*lineBlock))
	}
	n := f.first + 1 + f.before[block] + f.ends(block*lineBlock, at)
	if at >= f.gap.at {
		n += f.gap.lines
	}
	return n
}

// lines returns the number of the last line. One behind the last end counts.
func (f *file) lines() int { return f.lineAt(len(f.text)) }

// line returns the text of line n.
func (f *file) line(n int) []byte {
	f.lines()
	n -= f.first
	block := max(0, sort.SearchInts(f.before, n-1)-1)
	at := block * lineBlock
	for line := f.before[block] + 1; line < n; {
		if at++; f.beginsLine(at) {
			line++
		}
	}
	end := at
	for end++; end < len(f.text) && !f.beginsLine(end); end++ {
	}
	return f.text[at:min(end, len(f.text))]
}

// A document is one document of a file.
type document struct {
	file    *file
	at, end int         // file.text[at:end] is the document; at begins a line
	content int         // where its value begins
	root    *value      // its value
	json    []byte      // what root is the tree of; nil if it is scanned YAML
	isJSON  bool        // json is the text of the file
	scanner scanner     // that root comes from: of its objects, it holds what is read
	items   *reading    // of the items of root, if they were read one by one
	before  *itemReader // of the items that were in the gap of the file
	offsets bool        // the values tell where they stand in the file
	faults  []finding   // of JSON, found when it was split

	// Of YAML, nodes know the lines. They are made when first asked for.
	asked   bool
	top     *yaml.Node
	nodeErr error // why there are none; it is about d.padded
	starts  []int // of the lines as YAML counts them; nil if that is how the file does
}

func (d *document) text() []byte { return d.file.text[d.at:d.end] }

// node returns the node of the root, or nil if the values tell where they stand
// and for YAML with faults.
func (d *document) node() *yaml.Node {
	if !d.asked && !d.offsets {
		d.asked = true
		d.top, d.nodeErr = parseNodes(yaml.NewDecoder(bytes.NewReader(d.padded())))
		d.starts = unusualStarts(d.text())
	}
	return d.top
}

// resolve returns what n stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// unusualStarts returns where the lines of text begin if YAML 1.1 ends lines
// in it where editors do not: at U+0085, U+2028 or U+2029.
func unusualStarts(text []byte) []int {
	if !slices.ContainsFunc(unusualEnds, func(end string) bool { return bytes.Contains(text, []byte(end)) }) {
		return nil
	}
	starts := []int{0}
	for i, r := range string(text) {
		switch r {
		case '\r':
			if bytes.HasPrefix(text[i+1:], []byte("\n")) {
				continue
			}
			starts = append(starts, i+1)
		case '\n':
			starts = append(starts, i+1)
		case '\u0085':
			starts = append(starts, i+2)
		case '\u2028', '\u2029':
			starts = append(starts, i+3)
		}
	}
	return starts
}

// yamlLine returns the line of the file that is line n of d.padded for the YAML
// libraries.
func (d *document) yamlLine(n int) int {
	d.node()
	n = max(n-2, 0) // lines of d before it
	switch {
	case d.starts == nil:
		return min(d.file.lineAt(d.at)+n, d.file.lines())
	case n < len(d.starts):
		return d.file.lineAt(d.at + d.starts[n])
	}
	return d.file.lineAt(d.end)
}

// lineOf returns the line of v, whose node is n if it is known.
func (d *document) lineOf(v *value, n *yaml.Node) int {
	switch {
	case d.offsets:
		return d.file.lineAt(v.at)
	case n != nil:
		return d.yamlLine(n.Line)
	}
	return d.file.lineAt(d.content)
}

// An entry is a key of a mapping in YAML, and the value under it.
type entry struct{ key, value *yaml.Node }

// entriesOf returns the entries of n by the names that their keys have in JSON.
func entriesOf(n *yaml.Node) map[string]entry {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	entries := make(map[string]entry, len(n.Content)/2)
	eachEntry(n, func(name string, e entry, _ *yaml.Node) {
		if _, ok := entries[name]; !ok {
			entries[name] = e
		}
	})
	return entries
}

// eachEntry calls f for the entries of n in their order, those that it merges
// from other mappings included. For these, merge is the key of the merge, and
// nil for the others.
func eachEntry(n *yaml.Node, f func(name string, e entry, merge *yaml.Node)) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if key.Tag != "!!merge" {
			f(keyName(key), entry{key, resolve(val)}, nil)
			continue
		}
		from := []*yaml.Node{val}
		if resolve(val).Kind == yaml.SequenceNode {
			from = resolve(val).Content
		}
		for _, m := range from {
			if m = resolve(m); m.Kind == yaml.MappingNode {
				eachEntry(m, func(name string, e entry, _ *yaml.Node) { f(name, e, key) })
			}
		}
	}
}

// keyName returns the name that key n of a mapping has in JSON.
func keyName(n *yaml.Node) string {
	n = resolve(n)
	source := ""
	switch {
	case n.Kind != yaml.ScalarNode:
		return ""
	case n.Style&yaml.TaggedStyle != 0:
		source = n.Tag + " " + strconv.Quote(n.Value)
	case n.Style == 0 && mayBeOdd(n.Value):
		source = n.Value
	default:
		return n.Value
	}
	v, err := sigsyaml.YAMLToJSON([]byte("? " + source + "\n: 0\n"))
	if err != nil {
		return n.Value
	}
	tree, err := newTreeReader(v).next()
	if err != nil || len(tree.members) != 1 {
		return n.Value
	}
	return tree.members[0].name
}

// mayBeOdd reports whether YAML 1.1 may take plain s for something other than
// text.
func mayBeOdd(s string) bool {
	if s == "" || strings.IndexByte("0123456789+-.~", s[0]) >= 0 {
		return true
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return true
	}
	return false
}

// An index tells where the fields of one object stand.
type index struct {
	lines map[string]int       // by the path of the field
	odd   map[string]oddScalar // numbers and booleans that YAML spells otherwise than JSON
}

// An oddScalar is a value that was written in another way.
type oddScalar struct {
	written string
	value   *value
}

// place sets the line of f, a finding in the object that begins at line top,
// and completes its text.
func (x index) place(f *finding, top int) {
	if f.line == 0 {
		f.line = nearestLine(x.lines, f.field, top)
	}
	if f.have == nil {
		return
	}
	have, written := f.have.String(), f.have.text
	if odd, ok := x.odd[f.field]; ok {
		written = odd.written
		have = shorten(written) + ", which YAML reads as " + have
	}
	isText := f.text == "text"
	f.text = "want " + f.text + ", have " + have
	if isText && (f.have.kind == boolValue || f.have.kind == numberValue) {
		f.text += ": write " + quote(written) + " in quotes"
	}
}

// oddNumbers returns warnings of the numbers that YAML spells in odd ways.
func (x index) oddNumbers() []finding {
	var fs []finding
	for _, at := range slices.Sorted(maps.Keys(x.odd)) {
		if odd := x.odd[at]; odd.value.kind == numberValue {
			fs = append(fs, finding{
				field: at,
				code:  "odd-number",
				text:  fmt.Sprintf("%s is read as %s", shorten(odd.written), shorten(odd.value.text)),
			})
		}
	}
	return fs
}

// An indexer makes an index.
type indexer struct {
	index
	doc   *document
	types typeTable
}

// indexOf returns the index of the object v of type t, whose node is n.
func indexOf(d *document, types typeTable, t reflect.Type, v *value, n *yaml.Node) index {
	x := indexer{index{make(map[string]int), make(map[string]oddScalar)}, d, types}
	if n != nil || d.offsets {
		x.walk("", t, v, n)
	}
	return x.index
}

// An objectText is a copy of the text of an object, in which the lines of its
// fields are found when somebody asks.
type objectText struct {
	once   sync.Once
	object reflect.Type
	file   file
	at     int // where in the file it begins
	isJSON bool
	found  map[string]int
}

// objectTextOf returns the text of the object v, of type t, that a scanner read in d.
func objectTextOf(d *document, v *value, t reflect.Type) *objectText {
	text := d.file.text
	begin := v.at
	if !d.isJSON {
		begin = bytes.LastIndexByte(text[:v.at], '\n') + 1
	}
	return &objectText{
		object: t,
		file:   file{text: bytes.Clone(text[begin:v.end]), first: d.file.lineAt(begin) - 1, usual: d.file.usual},
		at:     v.at - begin,
		isJSON: d.isJSON,
	}
}

// lines returns the lines of the fields.
func (o *objectText) lines() map[string]int {
	o.once.Do(func() {
		d := &document{file: &o.file, end: len(o.file.text), isJSON: o.isJSON, offsets: true}
		s := newTools().scannerFor(d)
		if v, ok := s.places(d, o.at); ok {
			o.found = indexOf(d, make(typeTable), o.object, v, nil).lines
		}
		o.file = file{}
	})
	return o.found
}

// walk adds what is inside v, which is of type t and stands at path. It looks
// only into types of the API that have fields or elements of their own.
func (x *indexer) walk(path string, t reflect.Type, v *value, n *yaml.Node) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice && v.kind == listValue:
		if n != nil && (n.Kind != yaml.SequenceNode || len(n.Content) != len(v.items)) {
			return
		}
		for i := range v.items {
			var item *yaml.Node
			if n != nil {
				item = n.Content[i]
			}
			x.add(path+"["+strconv.Itoa(i)+"]", x.doc.lineOf(&v.items[i], item), t.Elem(), &v.items[i], item)
		}
	case t.Kind() == reflect.Map && v.kind == objectValue:
		members(x.doc, v, n, func(m *member, line int, n *yaml.Node) {
			x.add(path+"["+m.name+"]", line, t.Elem(), &m.value, n)
		})
	case t.Kind() == reflect.Struct && v.kind == objectValue:
		fields := x.types.of(t)
		members(x.doc, v, n, func(m *member, line int, n *yaml.Node) {
			at := m.name
			if path != "" {
				at = path + "." + m.name
			}
			if index, ok := fields.index[m.name]; ok {
				x.add(at, line, t.FieldByIndex(index).Type, &m.value, n)
			} else {
				x.lines[at] = line
			}
		})
	case n != nil && n.Kind == yaml.ScalarNode && n.Value != v.text && (v.kind == numberValue || v.kind == boolValue):
		x.odd[path] = oddScalar{n.Value, v}
	}
}

func (x *indexer) add(path string, line int, t reflect.Type, v *value, n *yaml.Node) {
	x.lines[path] = line
	if n != nil {
		n = resolve(n)
	}
	x.walk(path, t, v, n)
}

// members calls f for each member of v whose line is known, with the node of its
// value.
func members(d *document, v *value, n *yaml.Node, f func(m *member, line int, n *yaml.Node)) {
	var entries map[string]entry
	if n != nil {
		entries = entriesOf(n)
	}
	for i := range v.members {
		m := &v.members[i]
		if e, ok := entries[m.name]; ok {
			f(m, d.yamlLine(e.key.Line), e.value)
		} else if d.offsets {
			f(m, d.file.lineAt(m.at), nil)
		}
	}
}

// nearestLine returns the line of the field, or that of the innermost field
// around it that lines has, or else top.
func nearestLine(lines map[string]int, field string, top int) int {
	for field != "" {
		if line, ok := lines[field]; ok {
			return line
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
	return top
}
