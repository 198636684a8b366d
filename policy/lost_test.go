package policy

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Nothing that looks like a document is lost without a word, however it is set
// apart from what stands before it.
func TestParseLosesNothing(t *testing.T) {
	const np = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {}\n"
	const ns = "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n"
	for _, tt := range []struct{ why, text string }{
		{"a directive after a marker", "---\n%YAML 1.1\n---\n" + np},
		{"a directive without a marker after it", "---\n%YAML 1.1\n" + np},
		{"a directive after a comment", ns + "---\n# c\n%YAML 1.1\n---\n" + np},
		{"a tag directive", "--- # x\n%TAG ! tag:x,2000:\n---\n" + np + "---\n" + ns},
		{"a comment ends a null", "null\n# x\n" + np},
		{"a comment ends a tilde", "~\n# Source: x\n" + np},
		{"a comment ends plain text", "some text\n# x\n" + np},
		{"a directive where it belongs", "%YAML 1.1\n---\n" + np},
		{"a null of its own", "null\n---\n" + np},
		{"a comment before everything", "# x\n" + np},
		{"a comment in the middle", strings.Replace(np, "metadata", "# x\nmetadata", 1)},
	} {
		t.Run(tt.why, func(t *testing.T) {
			c, err := Parse("f.yaml", strings.NewReader(tt.text))
			if err == nil {
				assert.Len(t, c.Policies, 1)
				return
			}
			require.NotEmpty(t, Errors(err))
			assert.Positive(t, Errors(err)[0].Line)
		})
	}
}

// The ending of a file's name counts in any case.
func TestParseFSEndings(t *testing.T) {
	c, err := ParseFS(fstest.MapFS{
		"a.YAML": {Data: []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")},
		"b.Yml":  {Data: []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n")},
		"c.JSON": {Data: []byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "c"}}`)},
	})
	require.NoError(t, err)
	assert.Len(t, c.Namespaces, 3)
}

// Kinds that change the answers are refused also where their names are
// misspelled, or where they hold other objects.
func TestParseRefusesRelatives(t *testing.T) {
	for kind, version := range map[string]string{
		"CiliumNetworkPolcy":    "cilium.io/v2",
		"NetworkPolicyy":        "example.com/v1",
		"MeshTrafficPermission": "kuma.io/v1alpha1",
		"AuthorizationPolicy":   "policy.linkerd.io/v1alpha1",
		"Template":              "template.openshift.io/v1",
	} {
		_, err := Parse("f.yaml", strings.NewReader("apiVersion: "+version+"\nkind: "+kind+"\n"))
		assert.ErrorContains(t, err, "Loader.Accept", kind)
	}
}

// Many repeated names, alone or far inside, cost no more than telling some.
func TestParseManyRepeats(t *testing.T) {
	for why, text := range map[string]string{
		"side by side": "{" + strings.Repeat(`"a":0,`, 100_000) + `"a":0}`,
		"deep inside":  strings.Repeat(`{"a":`, 9000) + "{" + strings.Repeat(`"a":0,`, 20_000) + `"a":0}` + strings.Repeat("}", 9000),
	} {
		_, err := Parse("f.json", strings.NewReader(text))
		assert.Len(t, Errors(err), maxErrors+1, why)
	}
}
