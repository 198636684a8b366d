package policy

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
	sigsyaml "sigs.k8s.io/yaml"
)

const byteOrderMark = "\uFEFF"

// splitYAML returns the documents of f that hold more than comments.
//
// A marker at the beginning of a line, "---" or "...", ends a document
// wherever it stands: no value of YAML can hold it there. So documents can be
// told apart before they are parsed, and a fault in one does not hide the
// others.
func splitYAML(f *file) []*document {
	var docs []*document
	d := &document{file: f}
	directive, found := false, false // what there is between d.at and the current line
	end := func(at int) {
		if d.end = at; found || directive {
			docs = append(docs, d)
		}
		d = &document{file: f, at: at, content: at}
		directive, found = false, false
	}
	for at, next := 0, 0; at < len(f.text); at = next {
		next = at + f.lengthOfLine(at)
		line := f.text[at:next]
		rest := line
		switch {
		case isMarker(line, "---"):
			if found || !directive {
				end(at)
			}
			directive = false
			rest = line[3:]
		case isMarker(line, "..."):
			rest = line[3:]
			if isBlank(rest) {
				end(next)
				continue
			}
			end(at)
		case !found && line[0] == '%':
			directive = true
			continue
		}
		if !found && !isBlank(rest) {
			found = true
			d.content = next - len(bytes.TrimLeft(rest, " \t"))
		}
	}
	end(len(f.text))
	return docs
}

// lengthOfLine returns the length of the line that begins at, with its end, as
// YAML 1.1 has it.
func (f *file) lengthOfLine(at int) int {
	text := f.text[at:]
	if f.usual {
		if n := bytes.IndexByte(text, '\n'); n >= 0 {
			return n + 1
		}
		return len(text)
	}
	for i, b := range text {
		switch rest := text[i:]; {
		case b == '\n', b == '\r' && !bytes.HasPrefix(rest, []byte("\r\n")):
			return i + 1
		case b == 0xC2 && bytes.HasPrefix(rest, []byte("\u0085")):
			return i + 2
		case b == 0xE2 && (bytes.HasPrefix(rest, []byte("\u2028")) || bytes.HasPrefix(rest, []byte("\u2029"))):
			return i + 3
		}
	}
	return len(text)
}

const yamlSpace = " \t\r\n\u0085\u2028\u2029"

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || len(bytes.TrimLeft(rest, yamlSpace)) < len(rest))
}

// isBlank reports whether line holds nothing but a comment.
func isBlank(line []byte) bool {
	line = bytes.TrimLeft(line, yamlSpace)
	return len(line) == 0 || line[0] == '#'
}

// parse sets d.root, or returns what prevents that.
func (d *document) parse() []finding {
	if d.isJSON {
		return d.faults
	}
	text := d.text()
	if at, what := badCharacter(text); what != "" {
		return d.fault(d.at+at, what)
	}
	if c := d.file.text[d.content:]; bytes.HasPrefix(c, []byte("<")) && !bytes.HasPrefix(c, []byte("<<")) {
		return d.fault(d.content, "this is HTML, not YAML: save the manifest itself, not the page that shows it")
	}
	if bytes.IndexByte(text, '&') >= 0 && bytes.IndexByte(text, '*') >= 0 {
		if f := d.bomb(); f != nil {
			return f
		}
	}
	json, err := toJSON(text, sigsyaml.YAMLToJSONStrict)
	if err != nil {
		return d.faultsOf(err)
	}
	if f := d.behind(json); f != nil {
		return f
	}
	r := newTreeReader(json)
	if d.root, err = r.next(); err != nil {
		return d.fault(d.content, err.Error())
	}
	d.json = json
	if r.odd {
		return d.repeated()
	}
	return nil
}

// fault returns a finding about the text at a place in the file.
func (d *document) fault(at int, what string) []finding {
	return []finding{{line: d.file.lineAt(at), text: what}}
}

// badCharacter returns the first place in text with something that YAML does
// not allow, and what that is.
func badCharacter(text []byte) (at int, what string) {
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			return at, fmt.Sprintf("byte %#02x is not UTF-8: save the file as UTF-8", text[at])
		case r == '\uFEFF' && (at == 0 || text[at-1] == '\n'):
			return at, "a byte order mark inside the text: it may only begin a file"
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r',
			r >= 0x7F && r < 0xA0 && r != 0x85, r == 0xFFFE, r == 0xFFFF:
			return at, fmt.Sprintf("control character %U is not allowed in YAML", r)
		}
		at += size
	}
	return 0, ""
}

// badUTF8 returns the first place in text that is not UTF-8.
func badUTF8(text []byte) (at int, bad bool) {
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at, true
		}
		at += size
	}
	return 0, false
}

// toJSON returns text in JSON. What sigs.k8s.io/yaml makes of it is what YAML
// means to Kubernetes.
func toJSON(text []byte, convert func([]byte) ([]byte, error)) (json []byte, err error) {
	err = guarded(func() (err error) {
		json, err = convert(text)
		return err
	})
	return json, err
}

// parseNodes returns the root of the next document of dec.
func parseNodes(dec *yaml.Decoder) (root *yaml.Node, err error) {
	err = guarded(func() error {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			return err
		}
		root = resolve(doc.Content[0])
		return nil
	})
	return root, err
}

// guarded calls f and makes an error of a panic: the YAML libraries are known
// to panic at comments in odd places.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return f()
}

// bomb returns a fault if the aliases of d stand for far more text than d has.
// The library limits how many values they may stand for, but not how large
// these may be.
func (d *document) bomb() []finding {
	root := d.node()
	if root == nil {
		// Without aliases the text is harmless, and its syntax is the same.
		err := d.nodeErr
		_, same := toJSON(bytes.ReplaceAll(d.padded(), []byte("*"), []byte("x")), sigsyaml.YAMLToJSON)
		if same != nil {
			if line, _ := cutLine(same.Error()); line > 0 {
				err = same
			}
		}
		return d.explain(err)
	}
	const free, factor = 1 << 20, 10
	if expandedSize(root, make(map[*yaml.Node]int)) > free+factor*len(d.text()) {
		return d.fault(d.content, "aliases repeat so much that the document would grow more than tenfold")
	}
	return nil
}

// expandedSize returns how much text n stands for. It keeps the sizes of
// nodes that aliases can repeat in sizes.
func expandedSize(n *yaml.Node, sizes map[*yaml.Node]int) int {
	if size, ok := sizes[n]; ok {
		return size
	}
	if n.Anchor != "" {
		sizes[n] = 0 // for an alias inside of n, which the library will refuse
	}
	size := len(n.Value) + 1
	if n.Kind == yaml.AliasNode {
		size = expandedSize(n.Alias, sizes)
	}
	for _, c := range n.Content {
		size = min(size+expandedSize(c, sizes), math.MaxInt/2)
	}
	if n.Anchor != "" {
		sizes[n] = size
	}
	return size
}

// behind returns a fault if something follows the value of d, which the
// library would leave out in silence.
//
// Where the value is a block that begins at the left margin, everything up to
// the next marker is inside of it. Plain text and null are no blocks: a comment
// ends them, and a directive makes a null of what stands before it.
func (d *document) behind(json []byte) []finding {
	c := d.file.text[d.content]
	margin := d.file.beginsLine(d.content)
	block := bytes.HasPrefix(json, []byte("{")) || bytes.HasPrefix(json, []byte("["))
	if block && margin && strings.IndexByte("{[&!*\"'|>%", c) < 0 {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(d.padded()))
	_, err := parseNodes(dec)
	if err == nil {
		_, err = parseNodes(dec)
	}
	switch err {
	case io.EOF:
		return nil
	case nil:
		return d.fault(d.content, "the document ends before its text does, and what follows would be lost: "+
			"a comment ends plain text, and a line that begins with % belongs before ---")
	}
	return d.explain(err)
}

// padded returns the text of d after an empty line: of the first line the
// libraries do not tell the number.
func (d *document) padded() []byte { return append([]byte("\n"), d.text()...) }

// faultsOf explains why toJSON refused d with err.
func (d *document) faultsOf(err error) []finding {
	if strings.Contains(err.Error(), " already set in map") {
		if fs := d.repeated(); len(fs) > 0 {
			return fs
		}
	}
	if _, again := toJSON(d.padded(), sigsyaml.YAMLToJSONStrict); again != nil {
		err = again
	}
	return d.explain(err)
}

// explain makes a finding of an error about d.padded.
func (d *document) explain(err error) []finding {
	line, what := d.lineIn(err)
	if line == 0 {
		line, what = d.blame(what)
	}
	text := d.file.line(line)
	if indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]; bytes.IndexByte(indent, '\t') >= 0 {
		what = "a tab indents this line: YAML takes only spaces"
	}
	if at := bytes.Index(d.text(), []byte("{{")); at >= 0 && !bytes.Contains(text, []byte("{{")) {
		what += fmt.Sprintf(" (line %d holds {{: if this is a template, render it first)", d.file.lineAt(d.at+at))
	}
	return []finding{{line: line, text: "not YAML: " + what}}
}

// lineIn takes the line from an error about d.padded; it is 0 if there is none.
// Scanners count from 1 and parsers from 0, and of a value without an end they
// name the end of the text, not where the value begins.
func (d *document) lineIn(err error) (line int, what string) {
	n, what := cutLine(err.Error())
	if n == 0 {
		return 0, what
	}
	switch what {
	case "could not find expected ':'", "found unexpected end of stream", "found unexpected document indicator":
		if d.node(); d.nodeErr != nil {
			if begin, same := cutLine(d.nodeErr.Error()); begin > 0 && same == what {
				n = begin
			}
		}
	case "did not find expected <document start>":
		what = "the document ends before this line: begin another one with ---, or mend the indentation"
		n++
	case "did not find expected node content", "did not find expected '-' indicator", "did not find expected key",
		"did not find expected ',' or ']'", "did not find expected ',' or '}'",
		"found undefined tag handle", "found incompatible YAML document",
		"found duplicate %YAML directive", "found duplicate %TAG directive":
		n++
	}
	// At the end of the text, the libraries are behind the last line.
	last := d.file.lineAt(d.at + len(bytes.TrimRight(d.text(), yamlSpace)))
	return min(d.yamlLine(n), last), what
}

// cutLine takes the line from the front of a message of a YAML library. It is
// 0 if there is none.
func cutLine(msg string) (line int, what string) {
	msg = strings.TrimPrefix(msg, "yaml: ")
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		number, what, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			return line, what
		}
	}
	return 0, msg
}

// blame finds the line of a fault for which the libraries tell none, and
// better words for it.
func (d *document) blame(msg string) (line int, what string) {
	_, name, _ := strings.Cut(msg, "'")
	name, _, _ = strings.Cut(name, "'")
	what = msg
	is := func(*yaml.Node) bool { return false }
	switch {
	case strings.HasPrefix(msg, "unknown anchor "):
		if at := bytes.Index(d.text(), []byte("*"+name)); at >= 0 {
			return d.file.lineAt(d.at + at), "there is no anchor &" + shorten(name) + " above"
		}
	case strings.Contains(msg, "contains itself"):
		is = func(n *yaml.Node) bool { return n.Anchor == name }
	case strings.Contains(msg, "map key"):
		what = "a key is not text"
		is = func(n *yaml.Node) bool {
			for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
				if k := resolve(n.Content[i]); k.Kind != yaml.ScalarNode || k.Tag == "!!null" {
					return true
				}
			}
			return false
		}
	case strings.HasPrefix(msg, "json: unsupported value"):
		what = "infinity and NaN are not allowed"
		is = func(n *yaml.Node) bool {
			s := strings.ToLower(strings.TrimLeft(n.Value, "+-"))
			return n.Tag == "!!float" && (s == ".inf" || s == ".nan")
		}
	case strings.HasPrefix(msg, "cannot decode "), strings.Contains(msg, "!!binary"):
		is = func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Style&yaml.TaggedStyle != 0 }
	case strings.HasPrefix(msg, "map merge"):
		what = "<< wants a mapping, or a list of mappings"
		is = func(n *yaml.Node) bool { return n.Tag == "!!merge" }
	}
	if n := find(d.node(), is); n != nil {
		return d.yamlLine(n.Line), what
	}
	return d.file.lineAt(d.content), shorten(what)
}

// find returns the first of n and the nodes in it that is wanted, or nil.
func find(n *yaml.Node, wanted func(*yaml.Node) bool) *yaml.Node {
	if n == nil || wanted(n) {
		return n
	}
	for _, c := range n.Content {
		if found := find(c, wanted); found != nil {
			return found
		}
	}
	return nil
}

// repeated returns the names that an object of d has twice.
func (d *document) repeated() []finding {
	var fs []finding
	if d.isJSON {
		d.repeatedNames(&fs, nil, d.root)
	} else if n := d.node(); n != nil {
		d.repeatedKeys(&fs, nil, n)
	}
	return fs
}

func (d *document) repeatedNames(fs *[]finding, p *fieldPath, v *value) {
	for i := range v.items {
		d.repeatedNames(fs, &fieldPath{up: p, index: i, step: toElement}, &v.items[i])
	}
	seen := make(map[string]int)
	for i := range v.members {
		m := &v.members[i]
		at := p.child(m.name)
		line := d.file.lineAt(m.at)
		if first, ok := seen[m.name]; ok {
			*fs = append(*fs, repeatedAt(at, line, first, ""))
		} else {
			seen[m.name] = line
		}
		d.repeatedNames(fs, at, &m.value)
	}
}

func (d *document) repeatedKeys(fs *[]finding, p *fieldPath, n *yaml.Node) {
	switch n.Kind {
	case yaml.SequenceNode:
		for i, c := range n.Content {
			d.repeatedKeys(fs, &fieldPath{up: p, index: i, step: toElement}, c)
		}
	case yaml.MappingNode:
		seen := make(map[string]int)
		eachEntry(n, func(name string, e entry, merge *yaml.Node) {
			key, by := e.key, ""
			if merge != nil {
				key, by = merge, " by the merge <<"
			}
			line := d.yamlLine(key.Line)
			if first, ok := seen[name]; ok {
				*fs = append(*fs, repeatedAt(p.child(name), line, first, by))
			} else {
				seen[name] = line
			}
		})
		for i := 0; i+1 < len(n.Content); i += 2 {
			d.repeatedKeys(fs, p.child(keyName(n.Content[i])), n.Content[i+1])
		}
	}
}

func repeatedAt(p *fieldPath, line, first int, by string) finding {
	return finding{
		at:   p,
		typ:  field.ErrorTypeDuplicate,
		text: fmt.Sprintf("%s is already set on line %d, and is set again%s", quote(p.name), first, by),
		line: line,
	}
}

// child returns the path of the member called name of the object at p, which
// is a map where the API has maps.
func (p *fieldPath) child(name string) *fieldPath {
	c := &fieldPath{up: p, name: name}
	if p != nil && (p.name == "labels" || p.name == "matchLabels" || p.name == "annotations") {
		c.step = toKey
	}
	return c
}
