package sariftest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// validate checks that a log is valid, and that the schema has judged all that is in
// it: the validator reads it into a form of its own, in which nothing may be missing.
func validate(t *testing.T, log []byte) *sarif.Report {
	t.Helper()
	report, err := sarif.FromBytes(log)
	require.NoError(t, err)
	for _, run := range report.Runs {
		// The defaults of the schema, for which the validator's form has empty values.
		run.Language, run.NewlineSequences = sarif.NewRun().Language, sarif.NewRun().NewlineSequences
		run.Tool.Driver.Language = sarif.NewToolComponent().Language
	}
	require.NoError(t, report.Validate())
	var again bytes.Buffer
	require.NoError(t, report.Write(&again))
	var wrote, read any
	require.NoError(t, json.Unmarshal(log, &wrote))
	require.NoError(t, json.Unmarshal(again.Bytes(), &read))
	checkIn(t, "", wrote, read)
	return report
}

// checkIn checks that all of a JSON value is in another one.
func checkIn(t *testing.T, path string, part, whole any) {
	switch part := part.(type) {
	case map[string]any:
		whole, ok := whole.(map[string]any)
		require.True(t, ok, path)
		for name, v := range part {
			checkIn(t, path+"/"+name, v, whole[name])
		}
	case []any:
		whole, ok := whole.([]any)
		require.True(t, ok, path)
		require.Len(t, whole, len(part), path)
		for i, v := range part {
			checkIn(t, fmt.Sprintf("%s/%d", path, i), v, whole[i])
		}
	default:
		require.Equal(t, part, whole, path)
	}
}

// clusters returns those in testdata, and one that was not read from files.
func clusters(t *testing.T) map[string]*policy.Cluster {
	all := map[string]*policy.Cluster{"scale": scale.S.Cluster()}
	dirs, err := filepath.Glob("../../../testdata/*/manifests")
	require.NoError(t, err)
	for _, dir := range dirs {
		c, err := policy.ParseFS(os.DirFS(filepath.Dir(dir)), "manifests")
		if err == nil {
			all[dir] = c
		}
	}
	require.Greater(t, len(all), 5)
	return all
}

func TestValid(t *testing.T) {
	for name, c := range clusters(t) {
		t.Run(name, func(t *testing.T) {
			g, err := reach.Compile(c)
			require.NoError(t, err)
			findings, err := audit.Run(g)
			require.NoError(t, err)
			require.NotEmpty(t, findings)
			var log bytes.Buffer
			require.NoError(t, audit.SARIF(&log, findings))
			report := validate(t, log.Bytes())
			require.Len(t, report.Runs, 1)
			assert.Len(t, report.Runs[0].Results, len(findings))

			prints := make(map[string]bool)
			for _, r := range report.Runs[0].Results {
				for _, p := range r.PartialFingerprints {
					assert.False(t, prints[p], "two findings with one fingerprint")
					prints[p] = true
				}
			}
		})
	}
}

func TestValidWithoutFindings(t *testing.T) {
	var log bytes.Buffer
	require.NoError(t, audit.SARIF(&log, nil))
	validate(t, log.Bytes())
}

// Names of files become references as RFC 3986 has them.
func TestURI(t *testing.T) {
	var log bytes.Buffer
	require.NoError(t, audit.SARIF(&log, []audit.Finding{
		{Check: audit.Checks()[0].ID, Message: "m", Place: policy.Place{File: "a b/c#d%.yaml", Line: 3, Object: "NetworkPolicy x/y"}},
		{Check: audit.Checks()[0].ID, Message: "m", Place: policy.Place{File: "a:b.yaml", Object: "NetworkPolicy x/y"}},
	}))
	results := validate(t, log.Bytes()).Runs[0].Results
	assert.Equal(t, "a%20b/c%23d%25.yaml", *results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI)
	assert.Equal(t, 3, *results[0].Locations[0].PhysicalLocation.Region.StartLine)
	assert.Equal(t, "./a:b.yaml", *results[1].Locations[0].PhysicalLocation.ArtifactLocation.URI)
	assert.Nil(t, results[1].Locations[0].PhysicalLocation.Region, "no line, no region")
}

// The checks would be worth nothing if the schema took everything.
func TestInvalid(t *testing.T) {
	report, err := sarif.FromString(`{"$schema": "x", "version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": null}]}`, sarif.WithStrictValidation())
	require.NoError(t, err)
	assert.Error(t, report.Validate(), "a driver needs a name")
}
