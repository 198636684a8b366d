package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const before, after = "testdata/before", "testdata/after"

func policydiff(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, &out, &err)
	return status, out.String(), err.String()
}

// The example opens the database to a block, and by the type of its Service to
// everyone: the node of the pod hides clients from its policy. It closes the egress of
// all pods but that of web to the database.
func TestComment(t *testing.T) {
	status, stdout, _ := policydiff(before, after)
	assert.Equal(t, broken, status)
	assert.Equal(t, `## Network policies: 3 opened, 2 closed

The rule that nothing new gets in from outside is **broken**.

### Opened

| from | to | ports | because of |
| --- | --- | --- | --- |
| 198.51.100.0/24 | shop/db | 5432/TCP | NetworkPolicy shop/db changed (shop.yaml:62) |

### Let in by Services

| from outside | through | to |
| --- | --- | --- |
| 0.0.0.0/0 except 10.96.0.10/32, some only because the pod's own node hides them | NodePort with a TCP port still to be assigned of svc:shop/db | shop/db 5432/TCP |
| 0.0.0.0/0 except 10.96.0.10/32, some only because the pod's own node hides them | LoadBalancer 5432/TCP of svc:shop/db | shop/db 5432/TCP |

### Closed

| from | to | ports | because of |
| --- | --- | --- | --- |
| pods in shop | shop/web | 8080/TCP | NetworkPolicy shop/default-deny added (shop.yaml:78) |
| pods in shop | outside | all | NetworkPolicy shop/default-deny added (shop.yaml:78) |
`, stdout)
}

func TestRules(t *testing.T) {
	for _, tt := range []struct {
		why            string
		args           []string
		status         int
		stdout, stderr string // parts
	}{
		{"nothing has changed", []string{before, before}, holds, "All answers are the same.", ""},
		{"not even if any change is forbidden", []string{"-fail", "any", before, before}, holds, "holds", ""},
		{"a block that comes in is new from outside", []string{before, after}, broken, "198.51.100.0/24", ""},
		{"the way back takes it away again", []string{after, before}, holds, "The rule that nothing new gets in from outside holds.", ""},
		{"but opens egress", []string{"-fail", "opened", after, before}, broken, "default-deny removed", ""},
		{"any change is one", []string{"-fail", "any", after, before}, broken, "", ""},
		{"without a rule nothing is broken", []string{"-fail", "never", before, after}, holds, "3 opened", ""},
		{"where nothing enforces policies only the Service is new", []string{"-plugin", "flannel", before, after}, broken, "0 closed", ""},
		{"other forms are those of reports", []string{"-o", "csv", before, after}, broken, "shop/db", ""},
		{"a form must be one", []string{"-o", "pdf", before, after}, noAnswer, "", "mermaid"},
		{"a rule must be one", []string{"-fail", "sometimes", before, after}, noAnswer, "", "usage"},
		{"a plugin must be known", []string{"-plugin", "calcio", before, after}, noAnswer, "", "usage"},
		{"two folders are compared", []string{before}, noAnswer, "", "usage"},
		{"both must be there", []string{before, "testdata/nowhere"}, noAnswer, "", "testdata/nowhere"},
		{"flags must be known", []string{"-rule", "any", before, after}, noAnswer, "", "-rule"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			status, stdout, stderr := policydiff(tt.args...)
			assert.Equal(t, tt.status, status, "%s%s", stdout, stderr)
			assert.Contains(t, stdout, tt.stdout)
			assert.Contains(t, stderr, tt.stderr)
			if tt.status == noAnswer {
				assert.Empty(t, stdout)
			}
		})
	}
}

// A faulty manifest on either side is no answer, and all faults are told.
func TestFaultyManifests(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(before, "shop.yaml"))
	require.NoError(t, err)
	bad := strings.Replace(string(text), "podSelector:", "podSelectors:", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(bad), 0o600))
	status, stdout, stderr := policydiff(dir, dir)
	assert.Equal(t, noAnswer, status)
	assert.Empty(t, stdout)
	assert.Equal(t, 2, strings.Count(stderr, "unknown field"), stderr)
}

// A name from a manifest cannot make a table of its own.
func TestEscape(t *testing.T) {
	assert.Equal(t, `a\|b &lt;i> \*\_ c`, escape("a|b <i> *_\nc"))
	assert.Equal(t, `a\\\|b\\.yaml &amp;lt;`, escape(`a\|b\.yaml &lt;`))
}
