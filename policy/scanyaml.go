package policy

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A yamlScanner reads documents in the style in which programs and people write
// manifests: blocks, and collections in brackets on one line. It stands in a
// line that has more than a comment.
type yamlScanner struct {
	grove
	text      []byte
	end       int  // of the document
	exotic    bool // the document holds tabs or letters beyond ASCII
	line, eol int  // text[line:eol] is the current line
	indent    int  // of the current line; -1 behind the last one
	at        int  // in the current line
	commented bool // there was a comment above the current line
	ahead     lookahead
}

// A lookahead is a key that was read before it was known to be one.
type lookahead struct {
	at, behind int
	name       []byte
}

func (s *yamlScanner) guess(d *document) header {
	text := d.text()
	if !bytes.Contains(text, []byte("\nitems:")) {
		return header{}
	}
	top := func(name string) string {
		text := text
		if !bytes.HasPrefix(text, []byte(name)) {
			at := bytes.Index(text, []byte("\n"+name))
			if at < 0 {
				return ""
			}
			text = text[at+1:]
		}
		line, _, _ := bytes.Cut(text[len(name):], []byte("\n"))
		return string(bytes.Trim(line, " \"'"))
	}
	return header{top("apiVersion:"), top("kind:")}
}

func (s *yamlScanner) document(d *document, a *audience) *value {
	s.clear()
	s.ahead = lookahead{}
	text, at, end := d.file.text, d.at, d.end
	s.audience, s.text, s.end, s.depth, s.exotic = a, text, end, 0, false
	if doc := text[at:end]; !isPlainASCII(doc) {
		s.exotic = true
		if _, what := badCharacter(doc); what != "" {
			return nil
		}
		for _, odd := range []string{"\r", "\u0085", "\u2028", "\u2029", byteOrderMark} {
			if bytes.Contains(doc, []byte(odd)) {
				return nil
			}
		}
	}
	s.eol = at - 1
	if bytes.HasPrefix(text[at:end], []byte("---")) {
		s.line, s.at, s.eol = at, at+3, end
		if n := bytes.IndexByte(text[at:end], '\n'); n >= 0 {
			s.eol = at + n
		}
		if !s.restIsBlank() {
			return nil
		}
	}
	s.next()
	if s.indent != 0 || text[s.at] == '<' || isMarker(text[s.at:s.eol], "...") {
		return nil
	}
	v, ok := s.mapping(0, wish{scope: anObject})
	if !ok || s.indent != -1 {
		return nil
	}
	root := *v
	return &root
}

func (s *yamlScanner) itemsIn(d *document, at, end int, each func(*value)) bool {
	s.clear()
	s.ahead = lookahead{}
	s.audience, s.text, s.end, s.depth = &audience{each: each}, d.file.text, end, depthOfItems-1
	s.exotic = !isPlainASCII(s.text[at:end])
	s.goTo(at)
	_, ok := s.list(s.indent, wish{scope: theObjects})
	return ok && s.indent == -1
}

// goTo goes to the line that begins at.
func (s *yamlScanner) goTo(at int) {
	s.eol = at - 1
	s.next()
}

func (s *yamlScanner) again(at int) (_ *value, ok bool) {
	line, eol, indent, now, commented := s.line, s.eol, s.indent, s.at, s.commented
	defer func() { s.line, s.eol, s.indent, s.at, s.commented = line, eol, indent, now, commented }()
	s.line = bytes.LastIndexByte(s.text[:at], '\n') + 1
	s.at, s.eol = at, s.end
	if n := bytes.IndexByte(s.text[at:s.end], '\n'); n >= 0 {
		s.eol = at + n
	}
	read := func() (*value, bool) { return s.mapping(at-s.line, wish{scope: places}) }
	if s.text[at] == '{' {
		read = func() (*value, bool) { return s.flow(wish{scope: places}) }
	}
	v, ok := read()
	if !ok {
		return nil, false
	}
	root := *v
	return &root, true
}

func (s *yamlScanner) places(d *document, at int) (_ *value, ok bool) {
	s.text, s.end = d.file.text, d.end
	s.exotic = !isPlainASCII(s.text[:s.end])
	return s.again(at)
}

// next goes to the next line.
func (s *yamlScanner) next() {
	s.commented = false
	for s.eol < s.end {
		s.line = s.eol + 1
		at := s.line
		for at < s.end && s.text[at] == ' ' {
			at++
		}
		if at >= s.end {
			break
		}
		s.at, s.eol = at, at
		if s.text[at] == '\n' {
			continue
		}
		s.eol = s.end
		if n := bytes.IndexByte(s.text[at:s.end], '\n'); n >= 0 {
			s.eol = at + n
		}
		if s.text[at] == '#' {
			s.commented = true
			continue
		}
		s.indent = at - s.line
		return
	}
	s.at, s.eol, s.indent = s.end, s.end, -1
}

// restIsBlank reports whether nothing but spaces and a comment follows s.at.
func (s *yamlScanner) restIsBlank() bool {
	at := s.at
	for at < s.eol && s.text[at] == ' ' {
		at++
	}
	return at == s.eol || s.text[at] == '#' && at > s.at
}

// atDash reports whether an element of a block list begins at s.at.
func (s *yamlScanner) atDash() bool {
	return s.at < s.eol && s.text[s.at] == '-' && (s.at+1 == s.eol || s.text[s.at+1] == ' ')
}

// mapping reads the block mapping whose first key is at s.at, in column col.
func (s *yamlScanner) mapping(col int, w wish) (v *value, ok bool) {
	v = s.slot(w)
	if s.depth++; s.depth > deepest {
		return v, false
	}
	v.kind, v.at = objectValue, s.at
	object, skipped := s.openObject(), opening(len(s.names))
	ascending := true
	var last []byte
	var h header
	for {
		at := s.at
		name, isKey := s.key()
		if !isKey {
			return v, false
		}
		ascending = ascending && isBelow(last, name)
		last = name
		s.names = append(s.names, name)
		within, f := w.of(name)
		val, ok := s.valueOf(col, within)
		if !ok {
			return v, false
		}
		if !w.drops(f) {
			s.members = append(s.members, member{s.called(name, f), f, at, *val})
		}
		if w.scope == anObject && val.kind == textValue {
			w = s.learn(w, &h, name, val.text)
		}
		if s.indent != col {
			break
		}
	}
	s.depth--
	if s.indent > col {
		return v, false
	}
	if v.end = s.line; s.indent < 0 {
		v.end = s.end
	}
	v.members = s.closeObject(object)
	if ascending {
		s.names = s.names[:skipped]
		return v, true
	}
	slices.SortFunc(v.members, byName)
	return v, s.distinctSince(skipped)
}

// byName orders members as they are in the JSON that the libraries make of YAML.
func byName(a, b member) int { return strings.Compare(a.name, b.name) }

// learn returns what to keep of an object in which name says text, and of which
// h told the rest.
func (g *grove) learn(w wish, h *header, name []byte, text string) wish {
	switch string(name) {
	case "apiVersion":
		h.apiVersion = text
	case "kind":
		h.kind = text
	}
	if h.apiVersion == "" || h.kind == "" {
		return w
	}
	return g.wishFor(*h)
}

// key reads the key at s.at and goes behind its colon. It returns false if there
// is no key that is plainly a text.
func (s *yamlScanner) key() (name []byte, ok bool) {
	if s.at >= s.eol {
		return nil, false
	}
	if s.ahead.behind > 0 && s.ahead.at == s.at {
		s.at = s.ahead.behind
		return s.ahead.name, true
	}
	first := s.text[s.at]
	if first == '"' || first == '\'' {
		n := bytes.IndexByte(s.text[s.at+1:s.eol], first)
		if n < 0 {
			return nil, false
		}
		name = s.text[s.at+1 : s.at+1+n]
		behind := s.at + n + 2
		if bytes.IndexByte(name, '\\') >= 0 || len(name) > longestKey || behind >= s.eol || !s.colonAt(behind) {
			return nil, false
		}
		s.at = behind + 1
		return name, true
	}
	if !s.plainBegins() {
		return nil, false
	}
	for at := s.at; ; at++ {
		n := bytes.IndexByte(s.text[at:s.eol], ':')
		if n < 0 {
			return nil, false
		}
		if at += n; s.colonAt(at) {
			name = s.text[s.at:at]
			break
		}
	}
	if kind, ok := plainKind(name); !ok || kind != textValue || name[len(name)-1] == ' ' || len(name) > longestKey ||
		string(name) == "<<" || bytes.Contains(name, []byte(" #")) || s.exotic && bytes.IndexByte(name, '\t') >= 0 {
		return nil, false
	}
	s.at += len(name) + 1
	return name, true
}

const longestKey = 500 // YAML has a limit of 1,024 characters

// colonAt reports whether the colon at, if it is one, ends a key.
func (s *yamlScanner) colonAt(at int) bool {
	return s.text[at] == ':' && (at+1 == s.eol || s.text[at+1] == ' ')
}

// plainBegins reports whether a plain scalar begins at s.at.
func (s *yamlScanner) plainBegins() bool {
	switch s.text[s.at] {
	case '-':
		return !s.atDash()
	case ':':
		return s.at+1 < s.eol && s.text[s.at+1] != ' '
	case '?', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ', '\t', '=':
		return false
	}
	return true
}

// plainKind returns the type of a plain scalar. It returns false if this takes
// more than a look, or if YAML spells it in another way than JSON.
func plainKind(b []byte) (kind valueKind, ok bool) {
	switch c := b[0]; {
	case '0' <= c && c <= '9', c == '+', c == '-', c == '.':
		if isWhole(b) {
			return numberValue, true
		}
		return textValue, isNoNumber(b)
	case c == '~':
		return nullValue, len(b) == 1
	case len(b) <= len("false") && mayBeOdd(string(b)):
		switch string(b) {
		case "true", "false":
			return boolValue, true
		case "null":
			return nullValue, true
		}
		return textValue, false
	}
	return textValue, true
}

// isWhole reports whether b is a number as JSON spells it, without a fraction.
func isWhole(b []byte) bool {
	digits := bytes.TrimPrefix(b, []byte("-"))
	const most = 18
	if len(digits) == 0 || len(digits) > most || digits[0] == '0' && len(b) > 1 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isNoNumber reports whether b, which begins like a number, is certainly
// neither that nor a date.
func isNoNumber(b []byte) bool {
	var digits, dots, dashes int
	for _, c := range b {
		switch c {
		case 'g', 'G', 'h', 'H', 'k', 'K', 'm', 'M', 's', 'S', 'u', 'w', 'W', '/', '=', '@':
			return true
		case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			digits++
		case '.':
			dots++
		case '-':
			dashes++
		}
	}
	if dots > 1 || dashes > 2 || bytes.HasPrefix(b, []byte("--")) || digits == 0 && len(b) != len("+.inf") && len(b) != len(".inf") {
		return true
	}
	if binary := bytes.TrimLeft(b, "+-"); len(binary) > 1 && binary[0] == '0' && binary[1] == 'b' {
		return false // the library takes a sign behind it
	}
	const year = len("2026-")
	if bytes.IndexByte(b, '_') >= 0 || len(b) >= year && b[year-1] == '-' {
		return false
	}
	_, notInt := strconv.ParseInt(string(b), 0, 64)
	_, notUint := strconv.ParseUint(string(b), 0, 64)
	_, notFloat := strconv.ParseFloat(strings.TrimPrefix(string(b), "."), 64)
	_, notFraction := strconv.ParseFloat(string(b), 64)
	return notInt != nil && notUint != nil && notFloat != nil && notFraction != nil && !isInfinite(b)
}

// isInfinite reports whether plain b may be infinity, or NaN.
func isInfinite(b []byte) bool {
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		b = b[1:]
	}
	return len(b) == len(".inf") && b[0] == '.' && (bytes.EqualFold(b, []byte(".inf")) || bytes.EqualFold(b, []byte(".nan")))
}

// valueOf reads the value of a key in column col, behind the colon.
func (s *yamlScanner) valueOf(col int, w wish) (v *value, ok bool) {
	for s.at < s.eol && s.text[s.at] == ' ' {
		s.at++
	}
	if !s.restIsBlank() && s.text[s.at] != '#' {
		return s.inline(col, w)
	}
	s.next()
	switch {
	case s.indent >= col && s.atDash():
		return s.list(s.indent, w)
	case s.indent > col:
		return s.mapping(s.indent, w.forObject())
	}
	v = s.slot(w)
	v.kind = nullValue
	return v, true
}

// list reads the block list whose first dash is at s.at, in column col.
func (s *yamlScanner) list(col int, w wish) (v *value, ok bool) {
	v = s.slot(w)
	if s.depth++; s.depth > deepest {
		return v, false
	}
	v.kind, v.at = listValue, s.at
	list := s.openList()
	w = w.forItem()
	trees, lists := s.allTrees.mark(), s.allLists.mark()
	if s.areItems(w) && s.audience.divide != nil && col == s.at-s.line {
		cuts := cutsIn(s.text, s.line, s.end, s.audience.piece, "\n", strings.Repeat(" ", col)+"- ")
		if !s.audience.divide(cuts) {
			return v, false
		}
		if len(cuts) > 1 {
			s.goTo(cuts[len(cuts)-1])
		}
	}
	for {
		for s.at++; s.at < s.eol && s.text[s.at] == ' '; s.at++ {
		}
		item, ok := s.item(col, w)
		if !ok {
			return v, false
		}
		if s.add(item, w); len(s.items) == int(list) {
			s.allTrees.release(trees)
			s.allLists.release(lists)
		}
		if s.indent != col || !s.atDash() {
			break
		}
	}
	s.depth--
	if s.indent > col {
		return v, false
	}
	if w.scope != nothing {
		v.items = s.closeList(list)
	}
	return v, true
}

// item reads an element of a block list whose dashes are in column col.
func (s *yamlScanner) item(col int, w wish) (v *value, ok bool) {
	if s.at == s.eol || s.text[s.at] == '#' {
		dash := s.line + col
		s.next()
		switch {
		case s.indent > col && s.atDash():
			return s.list(s.indent, w.forList())
		case s.indent > col:
			return s.mapping(s.indent, w)
		}
		v = s.slot(w)
		v.kind, v.at = nullValue, dash
		return v, true
	}
	if s.atDash() {
		return s.list(s.at-s.line, w.forList())
	}
	at := s.at
	if name, isKey := s.key(); isKey {
		s.ahead = lookahead{at, s.at, name}
		s.at = at
		return s.mapping(at-s.line, w)
	}
	return s.inline(col, w)
}

// inline reads the value at s.at, which begins in the line of the dash or the key
// that is in column col, and goes to the next line.
func (s *yamlScanner) inline(col int, w wish) (v *value, ok bool) {
	at := s.at
	switch s.text[at] {
	case '"':
		v, ok = s.doubleQuoted(col, w)
	case '\'':
		v, ok = s.singleQuoted(col, w)
	case '|', '>':
		v, ok = s.blockText(col, w)
	case '[', '{':
		if v, ok = s.flow(w); ok {
			ok = s.restIsBlank()
			s.next()
		}
	default:
		if s.plainBegins() {
			v, ok = s.plain(col, w)
		}
	}
	if ok {
		v.at = at
	}
	return v, ok
}

// scalar completes the scalar v, which says b.
func (s *yamlScanner) scalar(v *value, kind valueKind, b []byte) {
	if v.kind = kind; kind != nullValue {
		v.text = s.words.get(b)
	}
}

// plain reads the plain scalar at s.at.
func (s *yamlScanner) plain(col int, w wish) (v *value, ok bool) {
	v = s.slot(w)
	v.at = s.at
	b, commented, ok := s.plainPart()
	if !ok {
		return v, false
	}
	s.next()
	if s.indent > col && !commented && !s.commented {
		begin, end := v.at, 0
		for s.indent > col && !commented && !s.commented {
			if b, commented, ok = s.plainPart(); !ok {
				return v, false
			}
			end = s.at + len(b)
			s.next()
		}
		v.kind = textValue
		if w.wantsText() {
			s.scalar(v, textValue, folded(s.text[begin:end], 0))
		}
		return v, true
	}
	if !w.wantsText() {
		v.kind = textValue
		return v, !isInfinite(b)
	}
	kind, ok := plainKind(b)
	if !ok {
		return v, false
	}
	s.scalar(v, kind, b)
	return v, true
}

// plainPart returns the part of a plain scalar that is in the current line, and
// whether a comment follows it.
func (s *yamlScanner) plainPart() (b []byte, commented, ok bool) {
	b = s.text[s.at:s.eol]
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], '#')
		if n < 0 {
			break
		}
		if i += n; i > 0 && b[i-1] == ' ' {
			b, commented = b[:i], true
			break
		}
	}
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], ':')
		if n < 0 {
			break
		}
		if i += n; i+1 == len(b) || b[i+1] == ' ' {
			return nil, false, false
		}
	}
	if s.exotic && bytes.IndexByte(b, '\t') >= 0 {
		return nil, false, false
	}
	return bytes.TrimRight(b, " "), commented, true
}

// quoted goes behind the quoted scalar that begins at s.at and ends in front of
// end, and to the next line. It is plain if there are neither escapes nor quotes
// in it.
func (s *yamlScanner) quoted(end int, plain bool, col int, w wish) (v *value, ok bool) {
	v = s.slot(w)
	quote, said := s.text[s.at], s.text[s.at+1:end-1]
	if end > s.eol {
		plain = false
		if !s.foldedBelow(s.text[s.eol:end], col) {
			return v, false
		}
		s.line = bytes.LastIndexByte(s.text[:end], '\n') + 1
		s.eol = s.end
		if n := bytes.IndexByte(s.text[end:s.end], '\n'); n >= 0 {
			s.eol = end + n
		}
	}
	if s.at = end; !s.restIsBlank() {
		return v, false
	}
	s.next()
	v.kind = textValue
	if w.wantsText() {
		if !plain {
			said = folded(said, quote)
		}
		s.scalar(v, textValue, said)
	}
	return v, true
}

// folded returns what a scalar says that is written as b, in quotes or in none if
// quote is 0. Ends of lines, and the spaces around them, make one space, or one
// new line less than they are.
func folded(b []byte, quote byte) []byte {
	said := make([]byte, 0, len(b))
	for len(b) > 0 {
		switch {
		case b[0] == ' ' || b[0] == '\n':
			rest := bytes.TrimLeft(b, " \n")
			space := b[:len(b)-len(rest)]
			b = rest
			switch ends := bytes.Count(space, []byte("\n")); ends {
			case 0:
				said = append(said, space...)
			case 1:
				said = append(said, ' ')
			default:
				said = append(said, bytes.Repeat([]byte("\n"), ends-1)...)
			}
		case b[0] == '\\' && quote == '"' && b[1] == '\n':
			rest := bytes.TrimLeft(b[2:], " \n")
			ends := bytes.Count(b[2:len(b)-len(rest)], []byte("\n"))
			said = append(said, bytes.Repeat([]byte("\n"), ends)...)
			b = rest
		case b[0] == '\\' && quote == '"':
			size, means := yamlEscape(b)
			said = append(said, means...)
			b = b[size:]
		case b[0] == '\'' && quote == '\'':
			said = append(said, '\'')
			b = b[2:]
		default:
			said = append(said, b[0])
			b = b[1:]
		}
	}
	return said
}

// foldedBelow reports whether each line in text but the first is empty or
// indented by more than col spaces.
func (s *yamlScanner) foldedBelow(text []byte, col int) bool {
	if s.exotic && bytes.IndexByte(text, '\t') >= 0 {
		return false
	}
	for line := range bytes.Lines(text[1:]) {
		rest := bytes.TrimLeft(line, " ")
		if indent := len(line) - len(rest); indent <= col && len(rest) > 0 && rest[0] != '\n' {
			return false
		}
	}
	return true
}

func (s *yamlScanner) singleQuoted(col int, w wish) (v *value, ok bool) {
	plain := true
	for at := s.at + 1; ; at += 2 {
		n := bytes.IndexByte(s.text[at:s.end], '\'')
		if n < 0 {
			return v, false
		}
		if at += n; at+1 == s.end || s.text[at+1] != '\'' {
			return s.quoted(at+1, plain, col, w)
		}
		plain = false
	}
}

func (s *yamlScanner) doubleQuoted(col int, w wish) (v *value, ok bool) {
	at := s.at + 1
	n := bytes.IndexByte(s.text[at:s.end], '"')
	if n < 0 {
		return v, false
	}
	escape := bytes.IndexByte(s.text[at:at+n], '\\')
	if escape < 0 {
		return s.quoted(at+n+1, true, col, w)
	}
	for at += escape; s.text[at] != '"'; at += n {
		size, _ := yamlEscape(s.text[at:s.end])
		if size == 0 {
			return v, false
		}
		at += size
		if n = bytes.IndexAny(s.text[at:s.end], `\"`); n < 0 {
			return v, false
		}
	}
	return s.quoted(at+1, false, col, w)
}

// yamlEscape returns the size of the escape sequence that text begins with, and
// what it stands for. The size is 0 if it is none, or a rare one.
func yamlEscape(text []byte) (size int, means string) {
	if len(text) < 2 {
		return 0, ""
	}
	switch text[1] {
	case '"':
		return 2, `"`
	case '\\':
		return 2, `\`
	case 'n':
		return 2, "\n"
	case 't':
		return 2, "\t"
	case 'r':
		return 2, "\r"
	case ' ':
		return 2, " "
	case '0':
		return 2, "\x00"
	case 'a':
		return 2, "\a"
	case 'b':
		return 2, "\b"
	case 'e':
		return 2, "\x1B"
	case 'f':
		return 2, "\f"
	case 'v':
		return 2, "\v"
	case 'N':
		return 2, "\u0085"
	case '_':
		return 2, "\u00A0"
	case 'L':
		return 2, "\u2028"
	case 'P':
		return 2, "\u2029"
	case '\n':
		return 2, ""
	case 'x', 'u', 'U':
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
		if len(text) < 2+digits {
			return 0, ""
		}
		n, err := strconv.ParseUint(string(text[2:2+digits]), 16, 32)
		if err != nil || !utf8.ValidRune(rune(n)) || n > utf8.MaxRune {
			return 0, ""
		}
		return 2 + digits, string(rune(n))
	}
	return 0, ""
}

// blockText reads the literal or folded text whose | or > is at s.at.
func (s *yamlScanner) blockText(col int, w wish) (v *value, ok bool) {
	v = s.slot(w)
	literal := s.text[s.at] == '|'
	chomp, indent := byte(0), 0
	for s.at++; s.at < s.eol; s.at++ {
		switch c := s.text[s.at]; {
		case (c == '-' || c == '+') && chomp == 0:
			chomp = c
			continue
		case '1' <= c && c <= '9' && indent == 0:
			indent = col + int(c-'0')
			continue
		}
		break
	}
	if !s.restIsBlank() {
		return v, false
	}
	begin, most := s.eol+1, 0
	at := begin
lines:
	for at < s.end {
		line := at
		for at < s.end && s.text[at] == ' ' {
			at++
		}
		spaces := at - line
		switch {
		case at == s.end:
			break lines
		case s.text[at] == '\n':
			most = max(most, spaces)
			at++
			continue
		case indent == 0:
			if s.text[at] == '\t' || most > spaces {
				return v, false
			}
			indent = max(spaces, col+1)
		}
		if spaces < indent {
			at = line
			break
		}
		n := bytes.IndexByte(s.text[at:s.end], '\n')
		if n < 0 {
			at = s.end
			break
		}
		at += n + 1
	}
	if indent == 0 && most > 0 {
		return v, false
	}
	v.kind = textValue
	if w.wantsText() {
		if !literal || at == begin || s.text[at-1] != '\n' {
			return v, false
		}
		v.text = literalText(s.text[begin:at], indent, chomp)
	}
	s.eol = at - 1
	if at >= s.end {
		s.eol = s.end
	}
	s.next()
	return v, true
}

// literalText returns the literal text in lines, without their indent.
func literalText(lines []byte, indent int, chomp byte) string {
	said := make([]byte, 0, len(lines))
	for line := range bytes.Lines(lines) {
		if len(line)-1 <= indent {
			line = line[len(line)-1:]
		} else {
			line = line[indent:]
		}
		said = append(said, line...)
	}
	if chomp != '+' {
		said = bytes.TrimRight(said, "\n")
		if chomp != '-' && len(said) > 0 {
			said = append(said, '\n')
		}
	}
	return string(said)
}

// flow reads the list or object in brackets that begins at s.at, if it ends in
// the same line and there is nothing odd in it, and goes behind it.
func (s *yamlScanner) flow(w wish) (v *value, ok bool) {
	if s.text[s.at] == '[' {
		return s.flowList(w.forItem())
	}
	return s.flowObject(w.forObject())
}

// flowToken goes to the next token of a flow collection and returns its first
// byte, or 0 at the end of the line and where a comment may begin.
func (s *yamlScanner) flowToken() byte {
	for s.at < s.eol && s.text[s.at] == ' ' {
		s.at++
	}
	if s.at == s.eol || s.text[s.at] == '#' {
		return 0
	}
	return s.text[s.at]
}

func (s *yamlScanner) flowList(w wish) (v *value, ok bool) {
	v = s.slot(w)
	v.kind, v.at = listValue, s.at
	list := s.openList()
	s.at++
	if s.depth++; s.depth > deepest {
		return v, false
	}
	defer func() { s.depth-- }()
	if s.flowToken() == ']' {
		s.at++
		return v, true
	}
	for {
		item, ok := s.flowValue(w)
		if !ok {
			return v, false
		}
		s.add(item, w)
		switch s.flowToken() {
		case ',':
			s.at++
			continue
		case ']':
			s.at++
			if w.scope != nothing {
				v.items = s.closeList(list)
			}
			return v, true
		}
		return v, false
	}
}

func (s *yamlScanner) flowObject(w wish) (v *value, ok bool) {
	v = s.slot(w)
	v.kind, v.at = objectValue, s.at
	object, skipped := s.openObject(), opening(len(s.names))
	s.at++
	if s.depth++; s.depth > deepest {
		return v, false
	}
	defer func() { s.depth-- }()
	if s.flowToken() == '}' {
		s.at++
		v.end = s.at
		return v, true
	}
	var h header
	for {
		s.flowToken()
		at := s.at
		name, quoted, ok := s.flowScalar()
		if !ok || len(name) > longestKey || s.at >= s.eol || !s.colonAt(s.at) {
			return v, false
		}
		if !quoted {
			if kind, ok := plainKind(name); !ok || kind != textValue {
				return v, false
			}
		}
		s.at++
		s.names = append(s.names, name)
		within, f := w.of(name)
		val, ok := s.flowValue(within)
		if !ok {
			return v, false
		}
		if !w.drops(f) {
			s.members = append(s.members, member{s.called(name, f), f, at, *val})
		}
		if w.scope == anObject && val.kind == textValue {
			w = s.learn(w, &h, name, val.text)
		}
		switch s.flowToken() {
		case ',':
			s.at++
			continue
		case '}':
			s.at++
			v.end = s.at
			v.members = s.closeObject(object)
			slices.SortFunc(v.members, byName)
			return v, s.distinctSince(skipped)
		}
		return v, false
	}
}

func (s *yamlScanner) flowValue(w wish) (v *value, ok bool) {
	v = s.slot(w)
	switch s.flowToken() {
	case '[':
		return s.flow(w.forList())
	case '{':
		return s.flow(w)
	}
	v.at = s.at
	b, quoted, ok := s.flowScalar()
	if !ok || s.at < s.eol && s.text[s.at] == ':' {
		return v, false
	}
	if !w.wantsText() {
		v.kind = textValue
		return v, quoted || !isInfinite(b)
	}
	kind := textValue
	if !quoted {
		if kind, ok = plainKind(b); !ok {
			return v, false
		}
	}
	s.scalar(v, kind, b)
	return v, true
}

// flowScalar reads the scalar at s.at in a flow collection.
func (s *yamlScanner) flowScalar() (b []byte, quoted, ok bool) {
	if s.at == s.eol {
		return nil, false, false
	}
	begin := s.at
	if quote := s.text[s.at]; quote == '"' || quote == '\'' {
		n := bytes.IndexByte(s.text[begin+1:s.eol], quote)
		if n < 0 {
			return nil, false, false
		}
		b = s.text[begin+1 : begin+1+n]
		s.at = begin + n + 2
		again := s.at < s.eol && s.text[s.at] == quote
		return b, true, !again && bytes.IndexByte(b, '\\') < 0
	}
	for s.at < s.eol {
		c := s.text[s.at]
		inside := s.at+1 < s.eol && isFlowLetter(s.text[s.at+1]) // of a scalar, if it is there at all
		if !isFlowLetter(c) && (c != ' ' && c != ':' || !inside) {
			break
		}
		s.at++
	}
	b = s.text[begin:s.at]
	if len(b) == 0 || !isFlowLetter(b[0]) || strings.IndexByte("=+@%;)", b[0]) >= 0 || b[0] == '-' && (len(b) == 1 || b[1] == ' ') {
		return nil, false, false
	}
	end := s.at == s.eol || strings.IndexByte(" ,]}:", s.text[s.at]) >= 0
	return b, false, end
}

// isFlowLetter reports whether c is nothing but a letter of a plain scalar, in
// whatever collection. Some may not begin one.
func isFlowLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_./$(=+@%;)", c) >= 0
}
