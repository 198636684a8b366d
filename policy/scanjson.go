package policy

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"reflect"
	"unicode/utf8"
)

// A jsonScanner reads JSON. It gives up at everything that is not perfect, and
// at names that are spelled in an odd way.
type jsonScanner struct {
	grove
	text    []byte // in UTF-8
	at      int
	skipped [1 << 8]span                  // objects and lists, by the names of the members
	lists   map[*shapeField]reflect.Value // to put lists together in, empty
}

// A span is the place of a perfect value, and how deep it is nested.
type span struct{ at, end, depth int }

// begin sets the text to read, from a place in it.
func (s *jsonScanner) begin(text []byte, at int) {
	s.clear()
	s.text, s.at = text, at
	clear(s.skipped[:])
}

func (s *jsonScanner) guess(d *document) header {
	const near = 1 << 12
	text := d.text()
	head, tail := text[:min(near, len(text))], text[max(0, len(text)-near):]
	if n := bytes.IndexByte(head, '['); n >= 0 {
		head = head[:n]
	}
	value := func(text []byte) string {
		parts := bytes.SplitN(text, []byte(`"`), 3)
		if len(parts) < 3 {
			return ""
		}
		return string(parts[1])
	}
	top := func(name string) string {
		if n := bytes.Index(head, []byte(name)); n >= 0 {
			return value(head[n+len(name):])
		}
		if n := bytes.LastIndex(tail, []byte(name)); n >= 0 {
			return value(tail[n+len(name):])
		}
		return ""
	}
	return header{top(`"apiVersion"`), top(`"kind"`)}
}

func (s *jsonScanner) document(d *document, a *audience) *value {
	s.begin(d.file.text, d.at)
	s.audience, s.depth = a, 0
	if s.text[s.at] != '{' {
		return nil
	}
	v, ok := s.value(wish{scope: anObject})
	if !ok {
		return nil
	}
	root := *v
	return &root
}

func (s *jsonScanner) itemsIn(d *document, at, end int, each func(*value)) bool {
	if !utf8.Valid(d.file.text[at:end]) {
		return false
	}
	s.begin(d.file.text, at)
	s.audience, s.depth = &audience{each: each}, depthOfItems
	w := wish{scope: anObject}
	trees, lists := s.allTrees.mark(), s.allLists.mark()
	for s.at < end {
		item, ok := s.value(w)
		if !ok {
			return false
		}
		s.add(item, w)
		s.allTrees.release(trees)
		s.allLists.release(lists)
		if s.token() != ',' {
			return false
		}
		s.at++
		s.space()
	}
	return s.at == end
}

func (s *jsonScanner) again(at int) (_ *value, ok bool) {
	behind := s.at
	defer func() { s.at = behind }()
	s.at = at
	v, ok := s.value(wish{scope: places})
	if !ok {
		return nil, false
	}
	root := *v
	return &root, true
}

func (s *jsonScanner) places(d *document, at int) (_ *value, ok bool) {
	s.begin(d.file.text, at)
	return s.again(at)
}

// space goes to the next byte that is no space.
func (s *jsonScanner) space() { s.at = behindSpace(s.text, s.at) }

// behindSpace returns the first place from at that holds no space.
func behindSpace(text []byte, at int) int {
	for at < len(text) && text[at] <= ' ' {
		switch text[at] {
		case ' ', '\n', '\r', '\t':
			at++
		default:
			return at
		}
		const spaces = 0x2020202020202020
		for at+8 <= len(text) {
			if other := binary.LittleEndian.Uint64(text[at:]) ^ spaces; other != 0 {
				at += bits.TrailingZeros64(other) / 8
				break
			}
			at += 8
		}
	}
	return at
}

// token goes to the next byte that is no space and returns it, or 0 at the end.
func (s *jsonScanner) token() byte {
	s.space()
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// value reads the value at s.at.
func (s *jsonScanner) value(w wish) (v *value, ok bool) {
	at := s.at
	v = s.slot(w)
	if at == len(s.text) {
		return v, false
	}
	if w.scope == nothing {
		s.at, ok = s.skip(at)
		return v, ok
	}
	switch s.text[at] {
	case '{', '[':
		if s.depth++; s.depth > deepest {
			return v, false
		}
		if s.text[at] == '{' {
			v.kind, ok = objectValue, s.object(v, w.forObject())
		} else {
			v.kind, ok = listValue, s.list(v, w.forItem())
		}
		s.depth--
	case '"':
		var escaped bool
		v.kind = textValue
		if escaped, ok = s.quoted(); ok && w.wantsText() {
			v.text, ok = s.said(s.text[at:s.at], escaped)
		}
	case 't':
		v.kind, v.text, ok = boolValue, "true", s.word("true")
	case 'f':
		v.kind, v.text, ok = boolValue, "false", s.word("false")
	case 'n':
		v.kind, ok = nullValue, s.word("null")
	default:
		v.kind = numberValue
		s.at = behindNumber(s.text, at)
		if ok = s.at > 0; ok && w.wantsText() {
			v.text = s.words.get(s.text[at:s.at])
		}
	}
	v.at, v.end = at, s.at
	return v, ok
}

func (s *jsonScanner) word(word string) bool {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		return false
	}
	s.at += len(word)
	return true
}

// behindNumber returns the place behind the number that begins at, or 0 if there
// is none.
func behindNumber(text []byte, at int) int {
	digits := func() bool {
		begin := at
		for at < len(text) && '0' <= text[at] && text[at] <= '9' {
			at++
		}
		return at > begin
	}
	optional := func(a, b byte) bool {
		if at == len(text) || text[at] != a && text[at] != b {
			return false
		}
		at++
		return true
	}
	optional('-', '-')
	if !optional('0', '0') && !digits() {
		return 0
	}
	if optional('.', '.') && !digits() {
		return 0
	}
	if optional('e', 'E') {
		optional('+', '-')
		if !digits() {
			return 0
		}
	}
	return at
}

// quoted goes behind the text in quotes at s.at, and reports whether there are
// escapes in it.
func (s *jsonScanner) quoted() (escaped, ok bool) {
	s.at, escaped = behindQuoted(s.text, s.at)
	return escaped, s.at > 0
}

// behindQuoted returns the place behind the text in quotes that begins at, or 0
// if it is not perfect.
func behindQuoted(text []byte, at int) (end int, escaped bool) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for at++; at < len(text); {
		if at+8 <= len(text) {
			// The highest bit of each byte tells that it is below a space, or the
			// byte that is sought. Above a byte that is, it may be wrong.
			w := binary.LittleEndian.Uint64(text[at:])
			quote, slash := w^ones*'"', w^ones*'\\'
			found := ((w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash) & high
			if found == 0 {
				at += 8
				continue
			}
			at += bits.TrailingZeros64(found) / 8
		}
		switch c := text[at]; {
		case c == '"':
			return at + 1, escaped
		case c == '\\':
			escaped = true
			size := jsonEscape(text[at:])
			if size == 0 {
				return 0, false
			}
			at += size
		case c < ' ':
			return 0, false
		default:
			at++
		}
	}
	return 0, false
}

// jsonEscape returns the size of the escape sequence that text begins with, or
// 0 if it is none.
func jsonEscape(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		const size = len(`\u0000`)
		if len(text) < size {
			return 0
		}
		for _, c := range text[2:size] {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return 0
			}
		}
		return size
	}
	return 0
}

// skip returns the place behind the value at, or false if it is not perfect.
func (s *jsonScanner) skip(at int) (end int, ok bool) {
	text := s.text
	if at >= len(text) {
		return at, false
	}
	switch text[at] {
	case '"':
		end, _ = behindQuoted(text, at)
	case '{':
		return s.skipObject(at)
	case '[':
		return s.skipList(at)
	case 't', 'f', 'n':
		for _, word := range [...]string{"true", "false", "null"} {
			if bytes.HasPrefix(text[at:], []byte(word)) {
				end = at + len(word)
			}
		}
	default:
		end = behindNumber(text, at)
	}
	return end, end > 0
}

// skipMember is skip for the value of the member called name. What programs write
// repeats itself: often it is the same as that of a member before.
func (s *jsonScanner) skipMember(name []byte, at int) (end int, ok bool) {
	text := s.text
	if at >= len(text) || text[at] != '{' && text[at] != '[' {
		return s.skip(at)
	}
	last := &s.skipped[(nameHash(name)+uint64(s.depth))%uint64(len(s.skipped))]
	if end = at + last.end - last.at; last.depth == s.depth && end <= len(text) && last.end > 0 &&
		string(text[at:end]) == string(text[last.at:last.end]) {
		return end, true
	}
	if end, ok = s.skip(at); ok {
		*last = span{at, end, s.depth}
	}
	return end, ok
}

func (s *jsonScanner) skipList(at int) (end int, ok bool) {
	if s.depth++; s.depth > deepest {
		return at, false
	}
	text := s.text
	if at = behindSpace(text, at+1); at < len(text) && text[at] == ']' {
		s.depth--
		return at + 1, true
	}
	for {
		if at, ok = s.skip(at); !ok {
			return at, false
		}
		if at = behindSpace(text, at); at == len(text) {
			return at, false
		}
		switch text[at] {
		case ',':
			at = behindSpace(text, at+1)
			continue
		case ']':
			s.depth--
			return at + 1, true
		}
		return at, false
	}
}

func (s *jsonScanner) skipObject(at int) (end int, ok bool) {
	text := s.text
	if at = behindSpace(text, at+1); at < len(text) && text[at] == '}' {
		return at + 1, true
	}
	if s.depth++; s.depth > deepest {
		return at, false
	}
	skipped, ascending := opening(len(s.names)), true
	var last []byte
	for {
		if at == len(text) || text[at] != '"' {
			return at, false
		}
		end, escaped := behindQuoted(text, at)
		if end == 0 {
			return at, false
		}
		name := text[at+1 : end-1]
		if escaped && isOddName(name) {
			return at, false
		}
		ascending = ascending && isBelow(last, name)
		last = name
		s.names = append(s.names, name)
		if at = behindSpace(text, end); at == len(text) || text[at] != ':' {
			return at, false
		}
		if at, ok = s.skipMember(name, behindSpace(text, at+1)); !ok {
			return at, false
		}
		if at = behindSpace(text, at); at == len(text) {
			return at, false
		}
		switch text[at] {
		case ',':
			at = behindSpace(text, at+1)
			continue
		case '}':
			s.depth--
			if ascending {
				s.names = s.names[:skipped]
				return at + 1, true
			}
			return at + 1, s.distinctSince(skipped)
		}
		return at, false
	}
}

// isOddName reports whether name may have another spelling.
func isOddName(name []byte) bool {
	return bytes.Contains(name, []byte(`\u`)) || bytes.Contains(name, []byte(`\/`))
}

// said returns what a text in quotes says.
func (s *jsonScanner) said(quoted []byte, escaped bool) (text string, ok bool) {
	if !escaped {
		return s.words.get(quoted[1 : len(quoted)-1]), true
	}
	return unquoted(quoted)
}

// unquoted returns what a text with escapes says.
func unquoted(quoted []byte) (text string, ok bool) {
	err := json.Unmarshal(quoted, &text)
	return text, err == nil
}

func (s *jsonScanner) list(v *value, w wish) bool {
	list := s.openList()
	trees, lists := s.allTrees.mark(), s.allLists.mark()
	s.at++
	if s.token() == ']' {
		s.at++
		return true
	}
	if s.areItems(w) && s.audience.divide != nil {
		line := bytes.LastIndexByte(s.text[:s.at], '\n')
		if line < 0 || len(bytes.TrimLeft(s.text[line+1:s.at], " ")) > 0 {
			line = s.at // everything is on one line
		}
		cuts := cutsIn(s.text, s.at, len(s.text), s.audience.piece, string(s.text[line:s.at]), "{")
		if line == s.at {
			cuts = cuts[:1]
		}
		if !s.audience.divide(cuts) {
			return false
		}
		s.at = cuts[len(cuts)-1]
	}
	for {
		s.space()
		item, ok := s.value(w)
		if !ok {
			return false
		}
		if s.add(item, w); len(s.items) == int(list) {
			s.allTrees.release(trees)
			s.allLists.release(lists)
		}
		switch s.token() {
		case ',':
			s.at++
			continue
		case ']':
			s.at++
			if w.scope != nothing {
				v.items = s.closeList(list)
			}
			return true
		}
		return false
	}
}

func (s *jsonScanner) object(v *value, w wish) bool {
	object, skipped := s.openObject(), opening(len(s.names))
	s.at++
	if s.token() == '}' {
		s.at++
		return true
	}
	ascending := true
	var last []byte
	var h header
	tried := s.audience == nil || s.depth != depthOfItems+1
	for {
		if s.token() != '"' {
			return false
		}
		nameAt := s.at
		escaped, ok := s.quoted()
		if !ok {
			return false
		}
		quoted := s.text[nameAt:s.at]
		name := quoted[1 : len(quoted)-1]
		if escaped && isOddName(name) {
			return false
		}
		ascending = ascending && isBelow(last, name)
		last = name
		s.names = append(s.names, name)
		if s.token() != ':' {
			return false
		}
		s.at++
		s.space()
		if within, f := w.of(name); w.drops(f) {
			if s.at, ok = s.skipMember(name, s.at); !ok {
				return false
			}
		} else {
			val, ok := s.value(within)
			if !ok {
				return false
			}
			m := member{field: f, at: nameAt, value: *val}
			if f != nil {
				m.name = f.name
			} else if m.name, ok = s.said(quoted, escaped); !ok {
				return false
			}
			s.members = append(s.members, m)
			if w.scope == anObject && val.kind == textValue {
				w = s.learn(w, &h, name, val.text)
			}
		}
		switch s.token() {
		case ',':
			s.at++
			if w.kind != nil && !tried && len(s.members) == int(object)+2 { // apiVersion and kind
				tried = true
				if s.fill(v, w.kind, skipped, last, ascending) {
					v.members = s.closeObject(object)
					return true
				}
			}
			continue
		case '}':
			s.at++
			v.members = s.closeObject(object)
			if ascending {
				s.names = s.names[:skipped]
				return true
			}
			return s.distinctSince(skipped)
		}
		return false
	}
}
