package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxDepth is how deep values may be nested. No API object comes near it.
// It is the limit of encoding/json as well.
const maxDepth = 10_000

// A valueKind is a type of JSON.
type valueKind uint8

const (
	nullValue valueKind = iota
	boolValue
	numberValue
	textValue
	listValue
	objectValue
)

// A value is a JSON value that remembers where it stands in its text.
// The zero value is null.
type value struct {
	kind    valueKind
	text    string        // of a text what it says, of a number or boolean its literal
	items   []value       // of a list
	members []member      // of an object, in the order of the text, repeated names included
	at, end int           // text[at:end] is the value
	object  metav1.Object // that was made of it; then most members are missing
}

// A member is a name in an object, and its value.
type member struct {
	name  string
	field *shapeField // that it is, if that is known
	at    int         // where the name begins
	value value
}

// member returns the value of the first member called name, or nil.
func (v *value) member(name string) *value {
	for i := range v.members {
		if v.members[i].name == name {
			return &v.members[i].value
		}
	}
	return nil
}

// textOf returns the text of the first member called name, or "" if it has
// none or is something else.
func (v *value) textOf(name string) string {
	if m := v.member(name); m != nil && m.kind == textValue {
		return m.text
	}
	return ""
}

// without returns v without the members called name.
func (v *value) without(name string) *value {
	w := *v
	w.members = slices.DeleteFunc(slices.Clone(v.members), func(m member) bool { return m.name == name })
	return &w
}

// String says what v is, in the words of error messages: "the boolean true".
func (v *value) String() string {
	switch v.kind {
	case nullValue:
		return "null"
	case boolValue:
		return "the boolean " + v.text
	case numberValue:
		return "the number " + shorten(v.text)
	case textValue:
		return "the text " + quote(v.text)
	case listValue:
		return "a list"
	case objectValue:
		return "an object"
	}
	panic("no kind of value: " + strconv.Itoa(int(v.kind)))
}

// shorten cuts what people wrote to a length that fits into a message.
func shorten(s string) string { return cut(s, 80) }

// cut returns s, or the beginning of about limit bytes if it is longer.
func cut(s string, limit int) string {
	for i := range s {
		if i >= limit {
			return s[:i] + "..."
		}
	}
	return s
}

func quote(s string) string { return strconv.Quote(shorten(s)) }

// A treeReader reads JSON values, one after another, from a text.
type treeReader struct {
	text     []byte
	dec      *json.Decoder
	at       int  // where the last token began
	repeated bool // the last value holds an object with two members of one name
	odd      bool // the last value holds a name that could be another YAML key than text
}

func newTreeReader(text []byte) *treeReader {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return &treeReader{text: text, dec: dec}
}

// next returns the next value, or io.EOF after the last. At any other error,
// r.at is the place of the fault.
func (r *treeReader) next() (*value, error) {
	r.repeated, r.odd = false, false
	tok, err := r.token()
	if err == io.EOF {
		return nil, err
	}
	v := new(value)
	if err == nil {
		err = r.read(v, tok, 1)
	}
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		r.at = len(bytes.TrimRight(r.text, " \t\r\n"))
		return nil, errors.New("the JSON ends too early: a value is not finished")
	}
	return nil, err
}

func (r *treeReader) token() (json.Token, error) {
	r.at = int(r.dec.InputOffset())
	for r.at < len(r.text) && bytes.IndexByte([]byte(" \t\r\n,:"), r.text[r.at]) >= 0 {
		r.at++
	}
	tok, err := r.dec.Token()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("not JSON: %w", err)
	}
	return tok, err
}

// read completes the value that begins with tok.
func (r *treeReader) read(v *value, tok json.Token, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("values are nested deeper than %d", maxDepth)
	}
	v.at = r.at
	var err error
	switch tok := tok.(type) {
	case nil:
		v.kind = nullValue
	case bool:
		v.kind, v.text = boolValue, strconv.FormatBool(tok)
	case json.Number:
		v.kind, v.text = numberValue, tok.String()
	case string:
		v.kind, v.text = textValue, tok
	case json.Delim:
		if tok == '[' {
			v.kind = listValue
			err = r.list(v, depth)
		} else {
			v.kind = objectValue
			err = r.object(v, depth)
		}
	}
	v.end = int(r.dec.InputOffset())
	return err
}

func (r *treeReader) list(v *value, depth int) error {
	for {
		tok, err := r.token()
		if err != nil || tok == json.Delim(']') {
			return err
		}
		v.items = append(v.items, value{})
		if err := r.read(&v.items[len(v.items)-1], tok, depth+1); err != nil {
			return err
		}
	}
}

func (r *treeReader) object(v *value, depth int) error {
	for {
		tok, err := r.token()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') {
			r.repeated = r.repeated || hasRepeated(v.members)
			return nil
		}
		name, _ := tok.(string) // the decoder lets nothing else pass here
		r.odd = r.odd || name == "true" || name == "false" || name != "" && strings.IndexByte("0123456789+-.", name[0]) >= 0
		v.members = append(v.members, member{name: name, at: r.at})
		tok, err = r.token()
		if err != nil {
			return err
		}
		if err := r.read(&v.members[len(v.members)-1].value, tok, depth+1); err != nil {
			return err
		}
	}
}

// hasRepeated reports whether two members have the same name.
func hasRepeated(members []member) bool {
	const few = 8 // up to here, comparing all pairs is faster than hashing
	if len(members) <= few {
		for i := range members {
			for j := range i {
				if members[i].name == members[j].name {
					return true
				}
			}
		}
		return false
	}
	seen := make(map[string]bool, len(members))
	for i := range members {
		seen[members[i].name] = true
	}
	return len(seen) < len(members)
}

// appendJSON appends v in JSON, as the standard library spells it.
func appendJSON(b []byte, v *value) []byte {
	switch v.kind {
	case nullValue:
		return append(b, "null"...)
	case boolValue, numberValue:
		return append(b, v.text...)
	case textValue:
		return appendText(b, v.text)
	case listValue:
		b = append(b, '[')
		for i := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, &v.items[i])
		}
		return append(b, ']')
	case objectValue:
		b = append(b, '{')
		for i := range v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, v.members[i].name), ':')
			b = appendJSON(b, &v.members[i].value)
		}
		return append(b, '}')
	}
	panic("no kind of value: " + strconv.Itoa(int(v.kind)))
}

func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // of a text, it cannot fail
	}
	return append(b, text...)
}
