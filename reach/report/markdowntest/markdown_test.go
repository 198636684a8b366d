package markdowntest

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/report"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// tables returns the cells of all tables in Markdown, as a reader sees them, and the
// text of all else.
func tables(t *testing.T, source []byte) (all [][][]string, rest string) {
	t.Helper()
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	textOf := func(n ast.Node) string {
		var b strings.Builder
		require.NoError(t, ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			switch n := n.(type) {
			case *ast.Text:
				if entering {
					b.Write(n.Segment.Value(source))
				}
			case *ast.String:
				if entering {
					b.Write(n.Value)
				}
			}
			return ast.WalkContinue, nil
		}))
		return strings.TrimSpace(b.String())
	}
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		table, ok := n.(*east.Table)
		if !ok {
			rest += textOf(n) + "\n"
			continue
		}
		var rows [][]string
		for row := table.FirstChild(); row != nil; row = row.NextSibling() {
			var cells []string
			for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
				cells = append(cells, strings.ReplaceAll(textOf(cell), `\`, ""))
			}
			rows = append(rows, cells)
		}
		all = append(all, rows)
	}
	return all, rest
}

func compile(t *testing.T, dir string) *reach.Graph {
	t.Helper()
	c, err := policy.ParseFS(os.DirFS(dir), ".")
	require.NoError(t, err)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	return g
}

func written(t *testing.T, m *report.Matrix, form report.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, m.Write(&b, form))
	return b.Bytes()
}

// Each matrix of the clusters in testdata is one table in Markdown, of which all rows
// are whole. Where it is the table of all pairs, its cells are those of the CSV.
func TestTables(t *testing.T) {
	dirs, err := filepath.Glob("../../../testdata/*/manifests")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	same := 0
	for _, dir := range dirs {
		m, err := report.Of(compile(t, dir), report.Options{})
		require.NoError(t, err, dir)
		found, rest := tables(t, written(t, m, report.Markdown))
		require.Len(t, found, 1, dir)
		assert.NotContains(t, rest, "|", "%s: a row that is none", dir)
		for _, row := range found[0] {
			assert.Len(t, row, len(found[0][0]), dir)
		}
		rows, err := csv.NewReader(bytes.NewReader(written(t, m, report.CSV))).ReadAll()
		require.NoError(t, err, dir)
		if len(rows) != len(found[0]) || len(rows[0]) != len(found[0][0]) || len(rows) != len(m.Groups)+1 {
			continue // a list of what is open
		}
		same++
		for i := 1; i < len(rows); i++ {
			assert.Equal(t, rows[i][0], found[0][i][0], dir)
		}
	}
	assert.Positive(t, same)
}

// So is a difference, with a row for each change.
func TestDifference(t *testing.T) {
	const dir = "../../../examples/policydiff/testdata/"
	m, err := report.OfDiff(reach.Compare(compile(t, dir+"before"), compile(t, dir+"after")), report.Options{})
	require.NoError(t, err)
	found, rest := tables(t, written(t, m, report.Markdown))
	require.NotEmpty(t, found)
	assert.NotContains(t, rest, "|")
	names := ""
	for _, table := range found {
		for _, row := range table {
			assert.Len(t, row, len(table[0]))
			names += strings.Join(row, " ") + "\n"
		}
	}
	assert.Contains(t, names, "198.51.100.0/24")
	assert.Contains(t, names, "shop/db")
}
