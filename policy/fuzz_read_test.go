package policy

import (
	"bytes"
	"io"

	"testing"

	"github.com/stretchr/testify/assert"
	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

var seeds = []string{
	"", "---\n...\n", "a: b: c\n", "a: [1\n", "a: \"x\n", "\ta: 1\n", "{{ x }}\n", "a: &a [*a]\n", "? [a]\n: 1\n",
	"a: 1\na: 2\n", "a: &x {b: 1}\nc: {<<: *x, b: 2}\n", "1: a\n\"1\": b\n", "a: 1 # x\u2028b: 2\n\u2029c: d: e\n",
	"%YAML 1.1\n---\na: 1\n", "{a: 1}\n{b: 2}\n", "<p>a</p>\n", "a: .nan\n", "a: !!int x\n", "a: 1\r\nb: 2\rc: d: e",
	"\ufeff# x\n\ufeff---\n", "a: |\n  x\n---\n", "# a\n\n\n  # b\n- # c\n\n  # d\n  a: # e\n\n# f\n",
	policyHead + "  podSelector: {}\n  ingress:\n  -\n  - ports: [{port: 0x50}]\n    from: [{ipBlock: {cidr: 10.0.0.1/8}}]\nstatus: {}\n",
	policyHead + "  PodSelector: {}\n  policyTypes: Ingress\n  ingress: [{ports: [{port: 1.5}]}]\n",
	podHead + "spec: {containers: [{ports: [{containerPort: 80, name: web}]}]}\n",
	"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: PodList, items: [{metadata: {name: a}}, 5]}]\n",
	"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n---\napiVersion: apps/v1\nkind: NetworkPolicy\n---\nkind: X\n",
	`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"a": 1}, "labels": {}}}`,
	`{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"}, "spec": {"ingress": [null, {"from": [{}]}]}}`,
	`{"apiVersion": "v1", "kind": "List", "items": [` + "\n" + `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"a": "b"}},
"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}},` + "\n" + `{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"},
"spec": {"podSelector": {"matchLabels": {"a": "b"}}, "ingress": [{"ports": [{"port": "x", "protocol": "TCP"}, {"port": 1, "endPort": 2}], "from": [{"podSelector": {}}]}]}}]}`,
	`{} {"a": [1, 2,` + "\n", `[{"a": "\ud800"}]`, everything,
}

// checkReading checks what holds whatever the input is.
func checkReading(t *testing.T, name string, text []byte) {
	c, err := Parse(name, bytes.NewReader(text))
	assert.NotEqual(t, c == nil, err == nil, "either a Cluster or an error")
	lines := 1 + bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r"))
	for i, e := range errorsOf(t, err) {
		if i == maxErrors {
			break
		}
		assert.Equal(t, name, e.File)
		assert.GreaterOrEqual(t, e.Line, 1, "%v", e)
		assert.LessOrEqual(t, e.Line, lines, "%v", e)
		assert.NotEmpty(t, e.Err.Error())
	}
	if err != nil {
		return
	}
	for _, w := range c.Warnings {
		assert.Equal(t, name, w.File)
		assert.True(t, 1 <= w.Line && w.Line <= lines, "%v", w)
		assert.NotEmpty(t, w.Code)
	}
	for _, np := range c.Policies {
		_, err := New(np)
		assert.NoError(t, err, "what is read is valid")
		assert.GreaterOrEqual(t, c.Place(np, "spec").Line, 1)
	}
	again, err := Parse(name, bytes.NewReader(text))
	assert.NoError(t, err)
	assert.Equal(t, objectsOf(c), objectsOf(again), "the same each time")
	assert.Equal(t, c.Warnings, again.Warnings)
}

// checkNothingLost checks that our way to split YAML finds every document that
// a parser of streams finds.
func checkNothingLost(t *testing.T, text []byte) {
	text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	want := 0
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		root, err := parseNodes(dec)
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
		if root.Tag != "!!null" {
			want++
		}
	}
	got := 0
	for _, d := range splitYAML(newFile("f.yaml", text)) {
		if d.parse() != nil {
			return
		}
		if d.root.kind != nullValue {
			got++
		}
	}
	assert.LessOrEqual(t, want, got)
}

func FuzzParseYAML(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkReading(t, "f.yaml", text)
		checkNothingLost(t, text)
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
		if j, err := toJSON([]byte(s), sigsyaml.YAMLToJSON); err == nil {
			f.Add(j)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkReading(t, "f.json", text) })
}
