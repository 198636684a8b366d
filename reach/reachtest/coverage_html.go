package reachtest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed coverage.html
var pageText string

var page = template.Must(template.New("coverage").Parse(pageText))

// WriteHTML writes the report as one page that needs nothing else: the manifests,
// with the lines marked on which items stand that are covered and that are not.
// Policies that are not from a file, or one that can no longer be read, are shown as
// YAML.
func (cov *Coverage) WriteHTML(w io.Writer) error { return cov.snapshot().writeHTML(w) }

// A pageFile is a file as the page shows it.
type pageFile struct {
	ID    string
	Name  string
	Lines []pageLine
	Sum   [3]int
}

// A pageLine is a line with what is covered of it.
type pageLine struct {
	ID     string
	Number int
	Text   string
	Class  string // empty if no item is there
	Mark   string
	Title  string // of each item that begins there
}

type pageFault struct{ Link, Text string }

var (
	classes = [...]string{"not", "shared", "covered"}
	marks   = [...]string{"✗", "~", "✓"}
)

func (s snapshot) writeHTML(w io.Writer) error {
	var data struct {
		Rows          []pageRow
		Files         []pageFile
		Faults        [2][]pageFault // by Level
		Levels, Marks []string
	}
	for l := range marks {
		data.Levels, data.Marks = append(data.Levels, Level(l).String()), append(data.Marks, marks[l])
	}
	for k, n := range s.tally {
		data.Rows = append(data.Rows, pageRow{Kind(k).String(), n})
	}
	data.Rows = append(data.Rows, pageRow{"all", s.sum()})
	for i, f := range s.files {
		file := pageFile{ID: fmt.Sprintf("f%d", i+1), Name: f.name, Lines: f.mark()}
		if at := f.policies[0].place.File; strings.HasPrefix(at, f.name) {
			file.Name = at // with a number, if there are several
		}
		for n := range file.Lines {
			file.Lines[n].ID = fmt.Sprintf("%sl%d", file.ID, n+1)
		}
		for _, p := range f.policies {
			for _, it := range p.items {
				file.Sum[it.Level]++
			}
			for level := range data.Faults {
				for _, it := range p.faults(Level(level)) {
					data.Faults[level] = append(data.Faults[level], pageFault{fmt.Sprintf("#%sl%d", file.ID, max(it.line, 1)), it.text})
				}
			}
		}
		data.Files = append(data.Files, file)
	}
	return page.Execute(w, data)
}

type pageRow struct {
	Name string
	N    [3]int
}

// mark returns the lines of the file. An item marks the line that it begins on and
// those that are part of it, but for other items in it. On a line where several
// begin, the least covered counts.
func (f coveredFile) mark() []pageLine {
	texts := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(f.text), "\r\n", "\n"), "\n"), "\n")
	lines := make([]pageLine, len(texts))
	levels := make([]int, len(texts))
	for i, text := range texts {
		lines[i] = pageLine{Number: i + 1, Text: text}
		levels[i] = -1
	}
	begins := make([]bool, len(texts))
	for _, p := range f.policies {
		for n, it := range p.items { // rules come before what they consist of
			at := p.lines[n] - 1
			if at < 0 || at >= len(texts) {
				continue
			}
			if it.Kind != Isolation {
				for i := at + 1; i < extent(texts, at); i++ {
					if !begins[i] {
						levels[i] = int(it.Level)
					}
				}
			}
			if !begins[at] || int(it.Level) < levels[at] {
				levels[at] = int(it.Level)
			}
			begins[at] = true
			what := it.Place.Field
			if it.Kind == Isolation {
				what = fmt.Sprintf("isolation for %v", it.Direction)
			}
			lines[at].Title += fmt.Sprintf("%s: %v\n", what, it.Level)
		}
	}
	for i := range lines {
		lines[i].Title = strings.TrimSuffix(lines[i].Title, "\n")
		if levels[i] >= 0 && !isBlank(texts[i]) {
			lines[i].Class, lines[i].Mark = classes[levels[i]], marks[levels[i]]
		}
	}
	return lines
}

// extent returns the line behind what begins on a line: the next one that is not
// further to the right, but for the bracket that closes it.
func extent(texts []string, at int) int {
	depth := indent(texts[at])
	end := at + 1
	for i := end; i < len(texts); i++ {
		if isBlank(texts[i]) {
			continue
		}
		if d := indent(texts[i]); d <= depth {
			if d == depth && slices.Contains([]string{"}", "]"}, strings.TrimSpace(texts[i])[:1]) {
				end = i + 1
			}
			break
		}
		end = i + 1
	}
	return end
}

func indent(text string) int { return len(text) - len(strings.TrimLeft(text, " \t")) }

// isBlank reports whether a line says nothing.
func isBlank(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || text[0] == '#'
}
