package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func shop(t testing.TB) *reach.Graph {
	t.Helper()
	c, err := policy.ParseFS(os.DirFS("../../testdata/shop"), "manifests")
	require.NoError(t, err)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	return g
}

func TestChecksAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	var documented []string
	text := strings.ReplaceAll(string(doc), "\n//     ", " ")
	for _, line := range regexp.MustCompile(`(?m)^//   - ([a-z, -]+):`).FindAllStringSubmatch(text, -1) {
		documented = append(documented, strings.Split(line[1], ", ")...)
	}
	var ids []string
	for _, c := range audit.Checks() {
		ids = append(ids, c.ID)
		assert.NotEmpty(t, c.Doc, c.ID)
	}
	assert.ElementsMatch(t, ids, documented)
}

func TestUnknownCheck(t *testing.T) {
	_, err := audit.Run(shop(t), "pod-unselected", "pod-unselcted")
	require.Error(t, err)
	assert.Contains(t, err.Error(), `"pod-unselcted"`, "what is wrong")
	assert.Contains(t, err.Error(), "pod-half-isolated", "what there is")
}

func TestSelection(t *testing.T) {
	g := shop(t)
	all, err := audit.Run(g)
	require.NoError(t, err)
	var apart []audit.Finding
	for _, c := range audit.Checks() {
		some, err := audit.Run(g, c.ID)
		require.NoError(t, err)
		for _, f := range some {
			assert.Equal(t, c.ID, f.Check)
			assert.Equal(t, c.Severity, f.Severity)
		}
		apart = append(apart, some...)
	}
	assert.ElementsMatch(t, all, apart, "each check finds the same alone")
}

// A badWriter takes some bytes and no more.
type badWriter struct{ left int }

var errFull = errors.New("full")

func (w *badWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWritersReturnErrors(t *testing.T) {
	findings, err := audit.Run(shop(t))
	require.NoError(t, err)
	require.NotEmpty(t, findings)
	assert.ErrorIs(t, audit.Text(&badWriter{10}, findings), errFull)
	assert.ErrorIs(t, audit.JSON(&badWriter{10}, findings), errFull)
	assert.ErrorIs(t, audit.SARIF(&badWriter{10}, findings), errFull)
	assert.Error(t, audit.SARIF(&bytes.Buffer{}, []audit.Finding{{Check: "home-made"}}), "SARIF has no rule for it")
}

func TestNothingFound(t *testing.T) {
	var text, list, sarif bytes.Buffer
	require.NoError(t, audit.Text(&text, nil))
	require.NoError(t, audit.JSON(&list, nil))
	require.NoError(t, audit.SARIF(&sarif, nil))
	assert.Empty(t, text.String())
	assert.Equal(t, "[]\n", list.String())
	var log struct {
		Runs []struct {
			Results []any
			Tool    struct{ Driver struct{ Rules []any } }
		}
	}
	require.NoError(t, json.Unmarshal(sarif.Bytes(), &log))
	assert.NotNil(t, log.Runs[0].Results, "an empty list, and not null")
	assert.Len(t, log.Runs[0].Tool.Driver.Rules, len(audit.Checks()), "the rules are there all the same")
}

func TestEmptyCluster(t *testing.T) {
	g, err := reach.Compile(&policy.Cluster{})
	require.NoError(t, err)
	findings, err := audit.Run(g)
	require.NoError(t, err)
	assert.Empty(t, findings)
}
