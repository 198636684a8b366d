package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
	sigsyaml "sigs.k8s.io/yaml"
)

// The line of a field is one that names it, in whatever form the manifest is.
func TestLinesNameTheirFields(t *testing.T) {
	checked := 0
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfN(rapid.Custom(drawPolicy), 1, 3).Draw(t, "policies")
		text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
		require.NoError(t, err)
		name := rapid.SampledFrom([]string{"f.yaml", "f.json"}).Draw(t, "name")
		if name == "f.json" {
			var v any
			require.NoError(t, json.Unmarshal(text, &v))
			text, err = json.MarshalIndent(v, "", rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent"))
			require.NoError(t, err)
		} else {
			text, err = sigsyaml.JSONToYAML(text)
			require.NoError(t, err)
		}
		// What lies between the lines moves them, and nothing else.
		var b strings.Builder
		for line := range strings.Lines(string(text)) {
			between := []string{"", "", "\n", "\r\n"}
			if name == "f.yaml" {
				between = append(between, "# comment\n", "      # comment\n", "#\u2028# comment\n")
			}
			b.WriteString(rapid.SampledFrom(between).Draw(t, "between"))
			b.WriteString(line)
		}
		read, err := Parse(name, strings.NewReader(b.String()))
		if err != nil {
			// A drawn port range may be upside down. Its error has to name it, too.
			for _, e := range joinedErrors(err) {
				checkLine(t, b.String(), e.Line, e.Field)
			}
			return
		}
		for _, np := range read.Policies {
			for field, line := range placesOf(read)[fmt.Sprintf("%d %T %s", read.sources[np].order, np, objectName(np))].lines {
				checkLine(t, b.String(), line, field)
				checked++
			}
		}
	})
	assert.Greater(t, checked, 1000)
}

// joinedErrors returns the errors that err joins.
func joinedErrors(err error) []*Error {
	var all []*Error
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		all = append(all, err.(*Error))
	}
	return all
}

func checkLine(t *rapid.T, text string, line int, field string) {
	got := strings.Split(text, "\n")[line-1]
	name := field[strings.LastIndexAny(field, ".[")+1:]
	if i := strings.LastIndex(field, "["); strings.HasSuffix(field, "]") {
		name = strings.TrimSuffix(field[i+1:], "]")
		if strings.Trim(name, "0123456789") == "" {
			return // an element has no name
		}
	}
	require.Contains(t, strings.ReplaceAll(got, `"`, ""), name+":", "line %d for %s of\n%s", line, field, text)
}

// The lines of a file are those that editors show.
func TestFileLines(t *testing.T) {
	long := strings.Repeat("0123456789\n", 300) + strings.Repeat("x", 5000) + "\r\n" + strings.Repeat("y\r", 900) + "\n\n" + strings.Repeat("z", 1023)
	for _, text := range []string{"", "a", "a\n", "a\r\nb\rc\n\nd", "\n\r\r\n", long, long + "\n", strings.Repeat("\u2028\n", 1000)} {
		f := newFile("f", []byte(text))
		want := regexp.MustCompile(`[^\r\n]*(\r\n|\r|\n|$)`).FindAllString(text, -1)
		if strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\r") {
			want = append(want, "")
		}
		at := 0
		for i, line := range want {
			assert.True(t, f.beginsLine(at))
			assert.Equal(t, line, string(f.line(i+1)), "line %d", i+1)
			for ; line != "" && at < len(text); line = line[1:] {
				assert.Equal(t, i+1, f.lineAt(at), "byte %d", at)
				at++
			}
		}
	}
}
