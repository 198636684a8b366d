package scale

import (
	"bufio"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// A yamlText is a text in YAML, in the block style of kubectl: lists are not
// indented.
type yamlText struct {
	out    *bufio.Writer
	levels []yamlLevel // of the maps and lists that are open
	inline bool        // the line so far is "- "; a key goes on here
	after  bool        // the line so far is a key and its colon
}

type yamlLevel struct {
	indent int
	list   bool
}

func (y *yamlText) top() *yamlLevel { return &y.levels[len(y.levels)-1] }

// startLine begins a line of the map or list that is open, unless one is begun.
func (y *yamlText) startLine() {
	if y.inline {
		y.inline = false
		return
	}
	for range y.top().indent {
		y.out.WriteByte(' ')
	}
}

func (y *yamlText) openMap() {
	indent := 0
	if len(y.levels) > 0 {
		indent = y.top().indent + 2
	}
	if y.after {
		y.out.WriteByte('\n')
		y.after = false
	}
	y.levels = append(y.levels, yamlLevel{indent: indent})
}

func (y *yamlText) openList() {
	indent := 0
	if len(y.levels) > 0 {
		indent = y.top().indent
		if y.top().list {
			indent += 2
		}
	}
	if y.after {
		y.out.WriteByte('\n')
		y.after = false
	}
	y.levels = append(y.levels, yamlLevel{indent: indent, list: true})
}

func (y *yamlText) close()     { y.levels = y.levels[:len(y.levels)-1] }
func (y *yamlText) closeMap()  { y.close() }
func (y *yamlText) closeList() { y.close() }

func (y *yamlText) key(name string) {
	y.startLine()
	y.scalar(name)
	y.out.WriteByte(':')
	y.after = true
}

func (y *yamlText) item() {
	y.startLine()
	y.out.WriteString("- ")
	y.inline = true
}

// space separates a scalar from what is before it on its line.
func (y *yamlText) space() {
	if y.after {
		y.out.WriteByte(' ')
	}
	y.after, y.inline = false, false
}

func (y *yamlText) raw(s string) {
	y.space()
	y.out.WriteString(s)
	y.out.WriteByte('\n')
}

func (y *yamlText) text(s string) {
	y.space()
	if strings.Contains(s, "\n") && isBlock(s) {
		y.block(s)
		return
	}
	y.scalar(s)
	y.out.WriteByte('\n')
}

// isBlock reports whether s can be written as a block scalar without an
// indication of its indentation.
func isBlock(s string) bool {
	if s[0] == ' ' || s[0] == '\n' || strings.HasSuffix(s, "\n\n") {
		return false
	}
	for _, r := range s {
		if r != '\n' && (r < ' ' || r > '~') {
			return false
		}
	}
	return true
}

// block writes s as a block scalar.
func (y *yamlText) block(s string) {
	s, ends := strings.CutSuffix(s, "\n")
	y.out.WriteByte('|')
	if !ends {
		y.out.WriteByte('-')
	}
	y.out.WriteByte('\n')
	for line := range strings.Lines(s) {
		if line != "\n" {
			for range y.top().indent + 2 {
				y.out.WriteByte(' ')
			}
		}
		y.out.WriteString(line)
	}
	y.out.WriteByte('\n')
}

// scalar writes s plain, if it means itself, or else in quotes.
func (y *yamlText) scalar(s string) {
	switch {
	case !isPrintable(s) || isOther(s):
		y.out.WriteString(strconv.QuoteToASCII(s))
	case !isPlain(s):
		y.out.WriteByte('\'')
		y.out.WriteString(strings.ReplaceAll(s, "'", "''"))
		y.out.WriteByte('\'')
	default:
		y.out.WriteString(s)
	}
}

// isPrintable reports whether s consists of printable ASCII.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isOther reports whether s without quotes might be no text: nothing, a boolean,
// a number or a time.
func isOther(s string) bool {
	if s == "" {
		return true
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<", ".nan", ".inf", "-.inf", "+.inf":
		return true
	}
	if strings.IndexByte("0123456789.+-", s[0]) < 0 {
		return false
	}
	number := strings.ReplaceAll(s, "_", "")
	_, notInt := strconv.ParseInt(number, 0, 64)
	_, notFloat := strconv.ParseFloat(number, 64)
	return !errors.Is(notInt, strconv.ErrSyntax) || !errors.Is(notFloat, strconv.ErrSyntax) ||
		strings.Contains(s, ":") && '0' <= s[0] && s[0] <= '9' || // a time of day, or a number to the base 60
		len(s) > 5 && s[4] == '-' && !strings.ContainsFunc(s[:4], isNoDigit)
}

func isNoDigit(r rune) bool { return r < '0' || r > '9' }

// isPlain reports whether a printable s that is not empty can stand in block
// style without quotes.
func isPlain(s string) bool {
	if strings.IndexByte(" #,[]{}&*!|>'\"%@`", s[0]) >= 0 || strings.HasSuffix(s, " ") || strings.HasSuffix(s, ":") {
		return false
	}
	if len(s) == 1 || s[1] == ' ' {
		if s[0] == '-' || s[0] == '?' {
			return false
		}
	}
	return !strings.Contains(s, ": ") && !strings.Contains(s, " #") && !strings.HasPrefix(s, "---")
}

func (y *yamlText) flush() error { return y.out.Flush() }

// A jsonText is a text in JSON, indented as kubectl does.
type jsonText struct {
	out   *bufio.Writer
	depth int
	begun bool // the map or list that is open has something in it
}

// line begins a line of the map or list that is open.
func (j *jsonText) line() {
	j.out.WriteByte('\n')
	for range j.depth {
		j.out.WriteString("    ")
	}
}

func (j *jsonText) open(c byte) {
	j.out.WriteByte(c)
	j.depth++
	j.begun = false
}

func (j *jsonText) close(c byte) {
	j.depth--
	if j.begun {
		j.line()
	}
	j.out.WriteByte(c)
	j.begun = true
	if j.depth == 0 {
		j.out.WriteByte('\n')
	}
}

// next begins what comes after a comma, if there is something before it.
func (j *jsonText) next() {
	if j.begun {
		j.out.WriteByte(',')
	}
	j.begun = true
	j.line()
}

func (j *jsonText) openMap()   { j.open('{') }
func (j *jsonText) closeMap()  { j.close('}') }
func (j *jsonText) openList()  { j.open('[') }
func (j *jsonText) closeList() { j.close(']') }
func (j *jsonText) item()      { j.next() }

func (j *jsonText) key(name string) {
	j.next()
	j.text(name)
	j.out.WriteString(": ")
}

func (j *jsonText) text(s string) {
	if isPrintable(s) && !strings.ContainsAny(s, "<>&") { // which kubectl escapes, as encoding/json does
		j.out.WriteString(strconv.Quote(s))
		return
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string is never an error
	}
	j.out.Write(quoted)
}

func (j *jsonText) raw(s string) { j.out.WriteString(s) }

func (j *jsonText) flush() error { return j.out.Flush() }
