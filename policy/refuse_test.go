package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A misreading is an expected error: its place, its type and words of its text.
type misreading struct {
	line          int
	object, field string
	typ           field.ErrorType
	says          string
}

const wrongType = field.ErrorTypeTypeInvalid

// policyHead is the beginning of NetworkPolicy x/p, in four lines. What follows it
// begins on line 5, inside the spec.
const policyHead = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: x}
spec:
`

const podHead = `apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x}
`

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		why  string
		file string // f.yaml if empty
		text string
		load Loader
		want []misreading
	}{
		// Syntax of YAML: the line is that of the fault, in the whole file.
		{
			name: "value after a value",
			why:  "the fault is where the second colon is",
			text: "a: 1\nb: c: d\n",
			want: []misreading{{line: 2, says: "mapping values are not allowed"}},
		}, {
			name: "fault on the first line",
			why:  "the library leaves the line out when it is the first",
			text: "a: b: c\n",
			want: []misreading{{line: 1, says: "mapping values are not allowed"}},
		}, {
			name: "fault in a later document",
			why:  "lines count from the top of the file",
			text: "# nothing\n---\n# still nothing\n---\n\na: [1\nb: 2\n",
			want: []misreading{{line: 7, says: "did not find expected ',' or ']'"}},
		}, {
			name: "key without a colon",
			why:  "the key stands on line 2; the parser notices later",
			text: "a: 1\nb\nc: 3\n",
			want: []misreading{{line: 2, says: "could not find expected ':'"}},
		}, {
			name: "quote that is never closed",
			why:  "where it opens helps, where the file ends does not",
			text: "a: 1\nb: \"c\nd: 2\ne: 3\n",
			want: []misreading{{line: 2, says: "unexpected end of stream"}},
		}, {
			name: "quote that runs into the next document",
			why:  "documents are told apart first",
			text: "a: 1\nb: 'c\n---\nd: e: f\n",
			want: []misreading{{line: 2, says: "unexpected end of stream"}, {line: 4, says: "mapping values"}},
		}, {
			name: "wrong indentation",
			why:  "line 3 belongs to no block",
			text: "a:\n  - b\n c: 1\n",
			want: []misreading{{line: 3, says: "did not find expected key"}},
		}, {
			name: "list item beside keys",
			why:  "line 2 is a list in the middle of a mapping",
			text: "a: 1\n- b\n",
			want: []misreading{{line: 2, says: "did not find expected key"}},
		}, {
			name: "key beside list items",
			why:  "line 2 is a key in the middle of a list",
			text: "- a\nb: 1\n",
			want: []misreading{{line: 2, says: "did not find expected '-' indicator"}},
		}, {
			name: "brace that is never closed",
			why:  "the file ends too early, on its last line",
			text: "a: {b: 1\n",
			want: []misreading{{line: 1, says: "did not find expected ',' or '}'"}},
		}, {
			name: "tab as indentation",
			why:  "the library only says that something cannot start a token",
			text: "kind: x\nspec:\n\tpodSelector: {}\n",
			want: []misreading{{line: 3, says: "a tab indents this line"}},
		}, {
			name: "reserved sign",
			why:  "@ begins no value of YAML",
			text: "a: 1\nb: @c\n",
			want: []misreading{{line: 2, says: "cannot start any token"}},
		}, {
			name: "unknown escape",
			why:  "double quotes know few escapes",
			text: "a: 1\nb: \"\\q\"\n",
			want: []misreading{{line: 2, says: "unknown escape"}},
		}, {
			name: "unknown tag handle",
			why:  "!e! was never declared",
			text: "a: 1\nb: !e!x 2\n",
			want: []misreading{{line: 2, says: "undefined tag handle"}},
		}, {
			name: "fault beside an alias",
			why:  "sizes of aliases are looked at before, which must not blur the line",
			text: "a: &x 1\nb: *x\nc:\n  - d\n e: 2\n",
			want: []misreading{{line: 5, says: "did not find expected key"}},
		}, {
			name: "alias without anchor beside an anchor",
			why:  "the same for faults without a line",
			text: "a: &x 1\nb: *y\n",
			want: []misreading{{line: 2, says: "&y"}},
		}, {
			name: "alias without anchor",
			why:  "the library tells no line",
			text: "a: 1\nb: *missing\n",
			want: []misreading{{line: 2, says: "&missing"}},
		}, {
			name: "anchor inside itself",
			why:  "such a value has no end",
			text: "a: 1\nb: &x [*x]\n",
			want: []misreading{{line: 2, says: "contains itself"}},
		}, {
			name: "mapping as a key",
			why:  "JSON has only text for keys",
			text: "a: 1\n? [b]\n: 1\n",
			want: []misreading{{line: 1, says: "a key is not text"}},
		}, {
			name: "null as a key",
			why:  "~ is null in YAML",
			text: "a: 1\nb:\n  ~: 1\n",
			want: []misreading{{line: 3, says: "a key is not text"}},
		}, {
			name: "not a number",
			why:  "JSON has no NaN",
			text: "a: 1\nb: .nan\n",
			want: []misreading{{line: 2, says: "NaN"}},
		}, {
			name: "infinity",
			why:  "JSON has no infinity",
			text: "a: 1\nb: -.inf\n",
			want: []misreading{{line: 2, says: "infinity"}},
		}, {
			name: "tag that does not fit",
			why:  "foo is no number",
			text: "a: 1\nb: !!int foo\n",
			want: []misreading{{line: 2, says: "!!int"}},
		}, {
			name: "merge of a number",
			why:  "only mappings can be merged",
			text: "a: 1\n<<: 1\n",
			want: []misreading{{line: 2, says: "<<"}},
		}, {
			name: "second value after braces",
			why:  "the library would read the first and be silent about the second",
			text: "{kind: ConfigMap, apiVersion: v1}\n{kind: ConfigMap, apiVersion: v1}\n",
			want: []misreading{{line: 2, says: "document ends before this line"}},
		}, {
			name: "second block further to the left",
			why:  "the library would read the first and be silent about the second",
			text: "  kind: ConfigMap\n  apiVersion: v1\nmetadata: {}\n",
			want: []misreading{{line: 3, says: "document ends before this line"}},
		}, {
			name: "text after the end of a document",
			why:  "it would be lost",
			text: "kind: ConfigMap\napiVersion: v1\n... more\n",
			want: []misreading{{line: 3, says: "not YAML"}},
		}, {
			name: "YAML 1.2",
			why:  "the library reads 1.1, where y is true, and refuses the rest",
			text: "%YAML 1.2\n---\na: 1\n",
			want: []misreading{{line: 1, says: "incompatible"}},
		}, {
			name: "wide line ends count for YAML, not for editors",
			why:  "the second line of the file is the third of the document",
			text: "a: 1 # x\u2028b: 2\nc: d: e\n",
			want: []misreading{{line: 2, says: "mapping values"}},
		}, {
			name: "line ends of Windows and of old Macs",
			why:  "editors count both as one",
			text: "a: 1\r\nb: 2\rc: d: e\n",
			want: []misreading{{line: 3, says: "mapping values"}},
		},

		// What is not text, or not a manifest.
		{
			name: "UTF-16",
			why:  "some editors save it; YAML allows it, kubectl does not read it",
			text: "\xff\xfek\x00i\x00n\x00d\x00",
			want: []misreading{{line: 1, says: "UTF-16"}},
		}, {
			name: "UTF-16 without a mark",
			why:  "every other byte of ASCII is zero",
			text: "k\x00i\x00n\x00d\x00",
			want: []misreading{{line: 1, says: "UTF-16"}},
		}, {
			name: "not UTF-8",
			why:  "a byte of Latin-1",
			text: "a: 1\nb: caf\xe9\n",
			want: []misreading{{line: 2, says: "0xe9 is not UTF-8"}},
		}, {
			name: "zero byte",
			why:  "YAML has no control characters",
			text: "a: 1\nb: \x00\n",
			want: []misreading{{line: 2, says: "control character U+0000"}},
		}, {
			name: "byte order mark in the middle",
			why:  "two files put together; the mark would hide the marker behind it",
			text: "kind: ConfigMap\napiVersion: v1\n\ufeff---\nkind: ConfigMap\n",
			want: []misreading{{line: 3, says: "byte order mark"}},
		}, {
			name: "web page",
			why:  "a download that ended at a login page",
			text: "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
			want: []misreading{{line: 1, says: "this is HTML"}},
		}, {
			name: "markup in a key",
			why:  "copied from the source of a page that colors its listings",
			text: "<span class=\"pl-ent\">apiVersion</span>: v1\nkind: ConfigMap\n",
			want: []misreading{{line: 1, says: "this is HTML"}},
		}, {
			name: "markup in a policy",
			why:  "only some lines of a listing are broken",
			text: policyHead + "  podSelector: {}\n  <b>ingress</b>: []\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.<b>ingress</b>", typ: ErrorTypeUnknown, says: "HTML"}},
		}, {
			name: "entity in a value",
			why:  "& begins an anchor, whose name has no semicolon",
			text: policyHead + "  podSelector: {}\n  policyTypes: [&quot;Ingress&quot;]\n",
			want: []misreading{{line: 6, says: "HTML"}},
		}, {
			name: "template as a value",
			why:  "braces make a mapping with a mapping for a key",
			text: "kind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n",
			want: []misreading{{line: 3, says: "render it first"}},
		}, {
			name: "template between lines",
			why:  "the library notices only at the next line",
			text: "kind: ConfigMap\n{{- if .Values.on }}\nspec: 1\n{{- end }}\n",
			want: []misreading{{line: 2, says: "render it first"}},
		}, {
			name: "template in quotes",
			why:  "valid YAML, but no name",
			text: "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: \"{{ .Release.Name }}\"\n",
			want: []misreading{{line: 4, object: "Namespace {{ .Release.Name }}", field: "metadata.name", typ: invalid, says: "render it first"}},
		}, {
			name: "template further away",
			why:  "the parser trips elsewhere",
			text: "a: 'x\nb: {{ y }}\nc: 1\n",
			want: []misreading{{line: 1, says: "line 2 holds {{"}},
		}, {
			name: "text",
			why:  "a document has to be an object",
			text: "hello\n",
			want: []misreading{{line: 1, says: `want a Kubernetes object, have the text "hello"`}},
		}, {
			name: "list without a List",
			why:  "kubectl does not take it either",
			text: "\n- kind: ConfigMap\n  apiVersion: v1\n",
			want: []misreading{{line: 2, says: "want a Kubernetes object, have a list"}},
		},

		// Repeated names (SEM-004).
		{
			name: "repeated field",
			why:  "either of the two could be meant",
			text: policyHead + "  podSelector: {}\n  podSelector: {matchLabels: {a: b}}\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.podSelector", typ: duplicate, says: "already set on line 5"}},
		}, {
			name: "repeated field whose value begins on the next line",
			why:  "the library tells the line of the value",
			text: policyHead + "  podSelector: {}\n  podSelector:\n    matchLabels: {a: b}\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.podSelector", typ: duplicate, says: "already set on line 5"}},
		}, {
			name: "repeated label",
			why:  "a key of a map stands in brackets",
			text: policyHead + "  podSelector:\n    matchLabels:\n      app: a\n      app: b\n",
			want: []misreading{{line: 8, object: "NetworkPolicy x/p", field: "spec.podSelector.matchLabels[app]", typ: duplicate, says: "already set on line 7"}},
		}, {
			name: "repeated field of an item of a list",
			why:  "the error is about the item",
			text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n  metadata: {name: b}\n",
			want: []misreading{{line: 7, object: "Pod default/b", field: "metadata", typ: duplicate, says: "already set on line 6"}},
		}, {
			name: "merge and own key",
			why:  "sigs.k8s.io/yaml refuses in strict mode what a merge sets again",
			text: "apiVersion: v1\nkind: ConfigMap\nmetadata: &m\n  name: a\ndata:\n  <<: *m\n  name: b\n",
			want: []misreading{{line: 7, object: "ConfigMap a", field: "data.name", typ: duplicate, says: "already set on line 6"}},
		}, {
			name: "own key and merge",
			why:  "the other way round the merge is to blame",
			text: "apiVersion: v1\nkind: ConfigMap\nmetadata: &m\n  name: a\ndata:\n  name: b\n  <<: *m\n",
			want: []misreading{{line: 7, object: "ConfigMap a", field: "data.name", typ: duplicate, says: "by the merge <<"}},
		}, {
			name: "number and text as one key",
			why:  "1 and \"1\" are two keys of YAML and one of JSON, and which one wins would be left to chance",
			text: podHead + "spec:\n  nodeName: n\n  nodeSelector:\n    1: a\n    \"1\": b\n",
			want: []misreading{{line: 8, object: "Pod x/a", field: "spec.nodeSelector.1", typ: duplicate, says: "already set on line 7"}},
		}, {
			name: "boolean and text as one key",
			why:  "on is true in YAML 1.1",
			text: podHead + "spec:\n  nodeSelector:\n    on: a\n    \"true\": b\n",
			want: []misreading{{line: 7, object: "Pod x/a", field: "spec.nodeSelector.true", typ: duplicate, says: "already set on line 6"}},
		}, {
			name: "repeated name in JSON",
			why:  "encoding/json would take the last",
			file: "f.json",
			text: "{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n \"metadata\": {\"name\": \"a\",\n  \"name\": \"b\"}}",
			want: []misreading{{line: 3, object: "Pod default/a", field: "metadata.name", typ: duplicate, says: "already set on line 2"}},
		}, {
			name: "repeated name in a long object of JSON",
			why:  "more names than are compared one by one",
			file: "f.json",
			text: `{"apiVersion": "v1", "kind": "X", "a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "a": 2}`,
			want: []misreading{{line: 1, object: "X", field: "a", typ: duplicate, says: "already set on line 1"}},
		},

		// JSON.
		{
			name: "JSON that ends too early",
			why:  "a download was cut off",
			file: "f.json",
			text: "{\"apiVersion\": \"v1\",\n \"kind\": \"Pod\"\n\n",
			want: []misreading{{line: 2, says: "ends too early"}},
		}, {
			name: "JSON with a comma too many",
			why:  "a habit from other languages",
			file: "f.json",
			text: "{\"apiVersion\": \"v1\",\n \"kind\": \"ConfigMap\",\n}",
			want: []misreading{{line: 3, says: "not JSON"}},
		}, {
			name: "YAML in a file called JSON",
			why:  "the name is a promise",
			file: "f.json",
			text: "apiVersion: v1\n",
			want: []misreading{{line: 1, says: "not JSON"}},
		}, {
			name: "second value of JSON",
			why:  "a stream may hold several; lines count through",
			file: "f.json",
			text: "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\"}\n{\"apiVersion\": \"v1\",\n \"kind\": \"Pod\", \"metadata\": {\"name\": 5}}",
			want: []misreading{{line: 3, object: "Pod default/", field: "metadata.name", typ: wrongType, says: "want text, have the number 5"}},
		}, {
			name: "JSON without its name",
			why:  "text that is JSON is read as such: 80.0 is no whole number there",
			text: "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"},\n\"spec\": {\"containers\": [{\"ports\": [\n{\"containerPort\": 80.0}]}]}}",
			want: []misreading{{line: 3, object: "Pod default/a", field: "spec.containers[0].ports[0].containerPort", typ: wrongType, says: "whole number"}},
		}, {
			name: "JSON that is not UTF-8",
			why:  "encoding/json would replace the byte in silence",
			file: "f.json",
			text: "{\"apiVersion\": \"v1\",\n\"kind\": \"caf\xe9\"}",
			want: []misreading{{line: 2, says: "UTF-8"}},
		}, {
			name: "list of objects in JSON",
			why:  "a document has to be an object",
			file: "f.json",
			text: "\n[{\"apiVersion\": \"v1\", \"kind\": \"Pod\"}]",
			want: []misreading{{line: 2, says: "have a list"}},
		},

		// Kinds.
		{
			name: "no kind",
			why:  "kubectl refuses it as well",
			text: "apiVersion: v1\nmetadata: {name: a}\n",
			want: []misreading{{line: 1, field: "kind", typ: required, says: "kind is not set"}},
		}, {
			name: "no apiVersion",
			why:  "nobody knows which kind it is",
			text: "# a pod\nkind: Pod\nmetadata: {name: a}\n",
			want: []misreading{{line: 2, field: "apiVersion", typ: required, says: "apiVersion is not set"}},
		}, {
			name: "neither",
			why:  "a values.yaml of Helm in the folder",
			text: "replicas: 3\n",
			want: []misreading{
				{line: 1, field: "apiVersion", typ: required},
				{line: 1, field: "kind", typ: required},
			},
		}, {
			name: "kind is a number",
			why:  "it has to be text",
			text: "apiVersion: v1\nkind: 5\n",
			want: []misreading{{line: 2, field: "kind", typ: wrongType, says: "the number 5"}},
		}, {
			name: "former group of NetworkPolicy",
			why:  "SEM-001: no longer served",
			text: "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: p}\n",
			want: []misreading{{line: 1, object: "NetworkPolicy default/p", field: "apiVersion", typ: notSupported, says: `"extensions/v1beta1" has no NetworkPolicy: want apiVersion: networking.k8s.io/v1`}},
		}, {
			name: "former version of Deployment",
			why:  "not served since 1.16; passed over, its pods would be missing",
			text: "apiVersion: apps/v1beta2\nkind: Deployment\nmetadata: {name: d}\n",
			want: []misreading{{line: 1, field: "apiVersion", typ: notSupported, says: "want apiVersion: apps/v1"}},
		}, {
			name: "former version of CronJob",
			why:  "not served since 1.25",
			text: "kind: CronJob\napiVersion: batch/v1beta1\nmetadata: {name: d}\n",
			want: []misreading{{line: 2, field: "apiVersion", typ: notSupported, says: "want apiVersion: batch/v1"}},
		}, {
			name: "Deployment in the core group",
			why:  "there is none",
			text: "apiVersion: v1\nkind: Deployment\nmetadata: {name: d}\n",
			want: []misreading{{line: 1, field: "apiVersion", typ: notSupported, says: "want apiVersion: apps/v1"}},
		}, {
			name: "NetworkPolicy in apps",
			why:  "passed over, it would leave the pods open",
			text: "apiVersion: apps/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n",
			want: []misreading{{line: 1, field: "apiVersion", typ: notSupported, says: "want apiVersion: networking.k8s.io/v1"}},
		}, {
			name: "version forgotten",
			why:  "the group alone is no apiVersion",
			text: "apiVersion: networking.k8s.io\nkind: NetworkPolicy\nmetadata: {name: p}\n",
			want: []misreading{{line: 1, field: "apiVersion", typ: notSupported, says: "networking.k8s.io/v1"}},
		}, {
			name: "kind in lower case",
			why:  "SEM-001: names count in every letter",
			text: "apiVersion: networking.k8s.io/v1\nkind: networkpolicy\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: "did you mean NetworkPolicy"}},
		}, {
			name: "kind in the plural",
			why:  "SEM-001: the resource is called so, the kind is not",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicies\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: "did you mean NetworkPolicy"}},
		}, {
			name: "letter missing",
			why:  "a misspelled policy must not be passed over",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolcy\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: "did you mean NetworkPolicy"}},
		}, {
			name: "letters swapped",
			why:  "its pods would be missing",
			text: "apiVersion: apps/v1\nkind: Deploymnet\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: "did you mean Deployment of apps/v1"}},
		}, {
			name: "short kind in lower case",
			why:  "too short to guess at letters, but not at their case",
			text: "apiVersion: v1\nkind: pod\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: "did you mean Pod of v1"}},
		}, {
			name: "short kind in the plural",
			why:  "kubectl get pods teaches it",
			text: "apiVersion: v1\nkind: Pods\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: "did you mean Pod of v1"}},
		}, {
			name: "list of a misspelled kind",
			why:  "the items would be passed over",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolcyList\nitems: []\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: "did you mean NetworkPolicy"}},
		}, {
			name: "unknown kind beside NetworkPolicy",
			why:  "it could be a policy of the next release",
			text: "apiVersion: networking.k8s.io/v1\nkind: Firewall\nmetadata: {name: f}\n",
			want: []misreading{{line: 2, object: "Firewall f", field: "kind", typ: notSupported, says: `unknown kind "Firewall"`}},
		}, {
			name: "Cilium",
			why:  "it changes the answers",
			text: "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: x}\n",
			want: []misreading{{line: 2, object: "CiliumNetworkPolicy x/c", field: "kind", typ: notSupported, says: `"CiliumNetworkPolicy.cilium.io" in Loader.Accept`}},
		}, {
			name: "Calico has a NetworkPolicy of its own",
			why:  "the group tells it from ours",
			text: "apiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\nmetadata: {name: c}\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: `"NetworkPolicy.crd.projectcalico.org"`}},
		}, {
			name: "AdminNetworkPolicy",
			why:  "it goes before NetworkPolicies",
			text: "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: c}\n",
			want: []misreading{{line: 2, object: "AdminNetworkPolicy c", field: "kind", typ: notSupported, says: `"AdminNetworkPolicy.policy.networking.k8s.io"`}},
		}, {
			name: "some network policy of tomorrow",
			why:  "failing closed: its name says what it does",
			text: "apiVersion: example.org/v7\nkind: SuperNetworkPolicy\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: `"SuperNetworkPolicy.example.org"`}},
		}, {
			name: "Istio",
			why:  "an AuthorizationPolicy drops requests",
			text: "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: `"AuthorizationPolicy.security.istio.io"`}},
		}, {
			name: "egress firewall of OVN",
			why:  "its name ends otherwise",
			text: "apiVersion: k8s.ovn.org/v1\nkind: EgressFirewall\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported, says: `"EgressFirewall.k8s.ovn.org"`}},
		}, {
			name: "accepted is another one",
			why:  "kind and group both count",
			load: Loader{Accept: []string{"CiliumNetworkPolicy", "NetworkPolicy.cilium.io"}},
			text: "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n",
			want: []misreading{{line: 2, field: "kind", typ: notSupported}},
		}, {
			name: "Accept does not make a mistake right",
			why:  "it is for kinds that exist",
			load: Loader{Accept: []string{"NetworkPolicy.apps", "networkpolicy.networking.k8s.io"}},
			text: "apiVersion: apps/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n---\napiVersion: networking.k8s.io/v1\nkind: networkpolicy\n",
			want: []misreading{{line: 1, field: "apiVersion", typ: notSupported}, {line: 6, field: "kind", typ: notSupported}},
		},

		{
			name: "markup behind a kind",
			why:  "the kind would be unknown, and its objects passed over",
			text: "apiVersion: v1\nkind: Pod</span>\nmetadata: {name: a}\n",
			want: []misreading{{line: 2, field: "kind", typ: invalid, says: "HTML"}},
		},

		// Lists.
		{
			name: "item that is no object",
			why:  "the error tells which item",
			text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n-\n- 5\n",
			want: []misreading{{line: 6, field: "items[1]", says: "have null"}, {line: 7, field: "items[2]", says: "have the number 5"}},
		}, {
			name: "item without a kind",
			why:  "a plain List tells no kind for its items",
			text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  metadata: {name: a}\n",
			want: []misreading{{line: 4, field: "items[0].kind", typ: required}},
		}, {
			name: "misspelled items",
			why:  "all of them would vanish",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitem:\n- metadata: {name: p}\n",
			want: []misreading{{line: 3, object: "NetworkPolicyList", field: "item", typ: ErrorTypeUnknown, says: `did you mean "items"`}},
		}, {
			name: "misspelled items of policies that are not modeled",
			why:  "they would vanish without being accepted",
			text: "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicyList\nitem:\n- metadata: {name: p}\n",
			want: []misreading{{line: 3, object: "CiliumNetworkPolicyList", field: "item", typ: ErrorTypeUnknown}},
		}, {
			name: "items that are no list",
			why:  "a dash was forgotten",
			text: "apiVersion: v1\nkind: List\nitems:\n  kind: Pod\n",
			want: []misreading{{line: 3, object: "List", field: "items", typ: wrongType, says: "want a list, have an object"}},
		}, {
			name: "List of another version",
			why:  "only v1 has it",
			text: "apiVersion: v2\nkind: List\nitems: []\n",
			want: []misreading{{line: 1, object: "List", field: "apiVersion", typ: notSupported, says: "want apiVersion: v1"}},
		}, {
			name: "item of another kind than the list",
			why:  "its own kind counts",
			text: "apiVersion: v1\nkind: PodList\nitems:\n- kind: Job\n  metadata: {name: a}\n",
			want: []misreading{{line: 3 + 1, field: "apiVersion", typ: notSupported, says: "want apiVersion: batch/v1"}},
		}, {
			name: "list in a list",
			why:  "kubectl prints none, but they are legal; lines stay exact",
			text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n  - apiVersion: networking.k8s.io/v1\n    kind: NetworkPolicy\n    metadata: {name: p}\n    spec:\n      ingres: []\n",
			want: []misreading{{line: 11, object: "NetworkPolicy default/p", field: "spec.ingres", typ: ErrorTypeUnknown}},
		}, {
			name: "list in braces",
			why:  "lines come from the place of each field, not from its indentation",
			text: "{apiVersion: v1, kind: List, items: [\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},\n spec: {egres: []}}]}\n",
			want: []misreading{{line: 3, object: "NetworkPolicy default/p", field: "spec.egres", typ: ErrorTypeUnknown}},
		},

		// Fields of a policy.
		{
			name: "unknown field",
			why:  "SEM-003: without it the pod would be open",
			text: policyHead + "  podSelector: {}\n  egres: []\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.egres", typ: ErrorTypeUnknown, says: `unknown field "egres" (did you mean "egress"?)`}},
		}, {
			name: "field in another case",
			why:  "SEM-002: sigs.k8s.io/yaml would take it, the server does not",
			text: policyHead + "  PodSelector: {matchLabels: {pod: a}}\n",
			want: []misreading{{line: 5, object: "NetworkPolicy x/p", field: "spec.PodSelector", typ: ErrorTypeUnknown, says: `did you mean "podSelector"`}},
		}, {
			name: "field like no other",
			why:  "no guess is better than a wild one",
			text: policyHead + "  rules: []\n",
			want: []misreading{{line: 5, object: "NetworkPolicy x/p", field: "spec.rules", typ: ErrorTypeUnknown, says: `unknown field "rules"`}},
		}, {
			name: "field too far to the left",
			why:  "spec is empty, and podSelector is no field of the object",
			text: policyHead + "podSelector: {}\n",
			want: []misreading{{line: 5, object: "NetworkPolicy x/p", field: "podSelector", typ: ErrorTypeUnknown}},
		}, {
			name: "ports inside from",
			why:  "a peer has no ports",
			text: policyHead + "  ingress:\n  - from:\n    - podSelector: {}\n      ports: [{port: 80}]\n",
			want: []misreading{{line: 8, object: "NetworkPolicy x/p", field: "spec.ingress[0].from[0].ports", typ: ErrorTypeUnknown}},
		}, {
			name: "unknown field of the metadata",
			why:  "strict in every field",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n  namspace: x\n",
			want: []misreading{{line: 5, object: "NetworkPolicy default/p", field: "metadata.namspace", typ: ErrorTypeUnknown, says: `"namespace"`}},
		}, {
			name: "boolean for a namespace",
			why:  "SEM-005 example 1: y is true in YAML 1.1",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n  namespace: y\n",
			want: []misreading{{line: 5, object: "NetworkPolicy default/p", field: "metadata.namespace", typ: wrongType, says: `write "y" in quotes`}},
		}, {
			name: "number for a label",
			why:  "SEM-005 example 2",
			text: policyHead + "  podSelector:\n    matchLabels:\n      a: 1\n",
			want: []misreading{{line: 7, object: "NetworkPolicy x/p", field: "spec.podSelector.matchLabels[a]", typ: wrongType, says: `have the number 1: write "1" in quotes`}},
		}, {
			name: "boolean for a label",
			why:  "SEM-005 example 3",
			text: policyHead + "  podSelector:\n    matchLabels: {a: on}\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.podSelector.matchLabels[a]", typ: wrongType, says: `have on, which YAML reads as the boolean true: write "on" in quotes`}},
		}, {
			name: "version for a label",
			why:  "1.10 is the number 1.1, and quoting that would be wrong",
			text: policyHead + "  podSelector:\n    matchLabels: {version: 1.10}\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.podSelector.matchLabels[version]", typ: wrongType, says: `write "1.10" in quotes`}},
		}, {
			name: "text for a list",
			why:  "SEM-009",
			text: policyHead + "  policyTypes: Ingress\n",
			want: []misreading{{line: 5, object: "NetworkPolicy x/p", field: "spec.policyTypes", typ: wrongType, says: `want a list, have the text "Ingress"`}},
		}, {
			name: "object for a list",
			why:  "SEM-009: a dash was forgotten",
			text: policyHead + "  ingress:\n    from: []\n",
			want: []misreading{{line: 5, object: "NetworkPolicy x/p", field: "spec.ingress", typ: wrongType, says: "want a list, have an object"}},
		}, {
			name: "list for an object",
			why:  "a dash too many",
			text: policyHead + "  podSelector:\n  - matchLabels: {a: b}\n",
			want: []misreading{{line: 5, object: "NetworkPolicy x/p", field: "spec.podSelector", typ: wrongType, says: "want an object, have a list"}},
		}, {
			name: "text for an object",
			why:  "the selector language of kubectl is not that of the API",
			text: policyHead + "  podSelector: app=web\n",
			want: []misreading{{line: 5, object: "NetworkPolicy x/p", field: "spec.podSelector", typ: wrongType, says: `want an object, have the text "app=web"`}},
		}, {
			name: "labels as a list",
			why:  "key and value are no list",
			text: policyHead + "  podSelector:\n    matchLabels: [app, web]\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.podSelector.matchLabels", typ: wrongType, says: "want an object, have a list"}},
		}, {
			name: "fraction for a port",
			why:  "SEM-316",
			text: policyHead + "  ingress:\n  - ports:\n    - port: 80.5\n",
			want: []misreading{{line: 7, object: "NetworkPolicy x/p", field: "spec.ingress[0].ports[0].port", typ: wrongType, says: "have the number 80.5"}},
		}, {
			name: "number beyond 32 bits",
			why:  "SEM-316: it fails at decoding, before its range matters",
			text: policyHead + "  ingress:\n  - ports:\n    - port: 4294967376\n      endPort: 4294967376\n",
			want: []misreading{
				{line: 7, object: "NetworkPolicy x/p", field: "spec.ingress[0].ports[0].port", typ: wrongType, says: "32 bits"},
				{line: 8, object: "NetworkPolicy x/p", field: "spec.ingress[0].ports[0].endPort", typ: wrongType, says: "32 bits"},
			},
		}, {
			name: "boolean for a port",
			why:  "neither a number nor a name",
			text: policyHead + "  ingress:\n  - ports: [{port: yes}]\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.ingress[0].ports[0].port", typ: wrongType, says: "want a number or a name, have yes, which YAML reads as the boolean true"}},
		}, {
			name: "quoted endPort",
			why:  "only port takes text",
			text: policyHead + "  ingress:\n  - ports: [{port: 80, endPort: \"90\"}]\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.ingress[0].ports[0].endPort", typ: wrongType, says: `have the text "90"`}},
		}, {
			name: "no time",
			why:  "the metadata is typed as well",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n  creationTimestamp: yesterday\n",
			want: []misreading{{line: 5, object: "NetworkPolicy default/p", field: "metadata.creationTimestamp", typ: wrongType, says: "want a time"}},
		}, {
			name: "all at once, by line",
			why:  "nobody wants to run the tool once for each mistake",
			text: policyHead + "  policyTypes: Ingress\n  podSelector: {matchLabels: {a: 1}}\n  ingress:\n  - form: []\n    ports:\n    - port: 1.5\n",
			want: []misreading{
				{line: 5, object: "NetworkPolicy x/p", field: "spec.policyTypes", typ: wrongType},
				{line: 6, object: "NetworkPolicy x/p", field: "spec.podSelector.matchLabels[a]", typ: wrongType},
				{line: 8, object: "NetworkPolicy x/p", field: "spec.ingress[0].form", typ: ErrorTypeUnknown},
				{line: 10, object: "NetworkPolicy x/p", field: "spec.ingress[0].ports[0].port", typ: wrongType},
			},
		}, {
			name: "what the API server refuses",
			why:  "SEM-323: it has the line of its field",
			text: policyHead + "  ingress:\n  - from:\n    - ipBlock:\n        cidr: 10.0.0.1\n",
			want: []misreading{{line: 8, object: "NetworkPolicy x/p", field: "spec.ingress[0].from[0].ipBlock.cidr", typ: invalid, says: "valid CIDR"}},
		}, {
			name: "what the API server misses",
			why:  "SEM-322: a field that is not there has the line of the object around it",
			text: policyHead + "  ingress:\n  - from:\n    - podSelector: {}\n    - ipBlock:\n        except: []\n",
			want: []misreading{{line: 8, object: "NetworkPolicy x/p", field: "spec.ingress[0].from[1].ipBlock.cidr", typ: required}},
		}, {
			name: "null peer",
			why:  "SEM-006: it decodes to an empty peer, which is refused",
			text: policyHead + "  ingress:\n  - from:\n    -\n    - podSelector: {}\n",
			want: []misreading{{line: 7, object: "NetworkPolicy x/p", field: "spec.ingress[0].from[0]", typ: required, says: "specify a peer"}},
		}, {
			name: "no name",
			why:  "neither name nor generateName",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  namespace: x\nspec: {}\n",
			want: []misreading{{line: 3, field: "metadata.name", typ: required}},
		}, {
			name: "name still to be generated",
			why:  "SEM-012: errors call it by its prefix",
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {generateName: deny-}\nspec: {x: 1}\n",
			want: []misreading{{line: 4, object: "NetworkPolicy default/deny-*", field: "spec.x", typ: ErrorTypeUnknown}},
		}, {
			name: "fault behind an alias",
			why:  "the line is where the value is written",
			text: policyHead + "  podSelector: &s\n    matchLabels: {a: \"!\"}\n  ingress:\n  - from:\n    - podSelector: *s\n",
			want: []misreading{
				{line: 6, object: "NetworkPolicy x/p", field: "spec.podSelector.matchLabels", typ: invalid},
				{line: 6, object: "NetworkPolicy x/p", field: "spec.ingress[0].from[0].podSelector.matchLabels", typ: invalid},
			},
		}, {
			name: "fault behind a merge",
			why:  "the line is where the field is written",
			text: policyHead + "  podSelector: {}\n  ingress:\n  - ports:\n    - &web\n      port: 80\n      protocol: tcp\n    - <<: *web\n      endPort: 90\n",
			want: []misreading{
				{line: 10, object: "NetworkPolicy x/p", field: "spec.ingress[0].ports[0].protocol", typ: notSupported},
				{line: 10, object: "NetworkPolicy x/p", field: "spec.ingress[0].ports[1].protocol", typ: notSupported},
			},
		}, {
			name: "strict blocks",
			why:  "SEM-324: new API servers refuse host bits",
			load: Loader{StrictCIDR: true},
			text: policyHead + "  ingress:\n  - from: [{ipBlock: {cidr: 10.0.0.1/24}}]\n",
			want: []misreading{{line: 6, object: "NetworkPolicy x/p", field: "spec.ingress[0].from[0].ipBlock.cidr", typ: invalid, says: "beyond the prefix length"}},
		}, {
			name: "namespace of the loader",
			why:  "SEM-011: errors name the namespace that the object gets",
			load: Loader{Namespace: "team"},
			text: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {x: 1}\n",
			want: []misreading{{line: 4, object: "NetworkPolicy team/p", field: "spec.x", typ: ErrorTypeUnknown}},
		},

		// Other kinds: what is read has to be right.
		{
			name: "number for a label of a pod",
			why:  "SEM-005 holds for what selectors look at",
			text: "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    tier: 1\n",
			want: []misreading{{line: 6, object: "Pod default/a", field: "metadata.labels[tier]", typ: wrongType, says: `"1" in quotes`}},
		}, {
			name: "port of a container in quotes",
			why:  "containerPort takes no text",
			text: podHead + "spec:\n  containers:\n  - name: c\n    ports:\n    - containerPort: \"80\"\n",
			want: []misreading{{line: 8, object: "Pod x/a", field: "spec.containers[0].ports[0].containerPort", typ: wrongType}},
		}, {
			name: "what the API server refuses in a pod",
			why:  "SEM-338",
			text: podHead + "spec:\n  containers:\n  - name: c\n    image: i\n    ports:\n    - name: web\n",
			want: []misreading{{line: 9, object: "Pod x/a", field: "spec.containers[0].ports[0].containerPort", typ: required}},
		}, {
			name: "label in a template",
			why:  "a Deployment stands for its pods",
			text: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n    metadata:\n      labels:\n        app: yes\n",
			want: []misreading{{line: 8, object: "Deployment default/d", field: "spec.template.metadata.labels[app]", typ: wrongType, says: `"yes" in quotes`}},
		}, {
			name: "label in the template of a CronJob",
			why:  "it stands deeper than in the others",
			text: "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec:\n  jobTemplate:\n    spec:\n      template:\n        metadata: {labels: [a]}\n",
			want: []misreading{{line: 8, object: "CronJob default/c", field: "spec.jobTemplate.spec.template.metadata.labels", typ: wrongType}},
		}, {
			name: "address of a node",
			why:  "rules about blocks compare it",
			text: "apiVersion: v1\nkind: Node\nmetadata: {name: n1, namespace: ignored}\nstatus:\n  addresses:\n  - type: InternalIP\n    address: here\n",
			want: []misreading{{line: 7, object: "Node n1", field: "status.addresses[0].address", typ: invalid}},
		}, {
			name: "target port of a Service",
			why:  "a number or a name",
			text: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  ports:\n  - port: 80\n    targetPort: {}\n",
			want: []misreading{{line: 7, object: "Service default/s", field: "spec.ports[0].targetPort", typ: wrongType, says: "have an object"}},
		}, {
			name: "endpoints as text",
			why:  "a list is wanted",
			text: "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4\nendpoints: 10.0.0.1\nports: []\n",
			want: []misreading{{line: 5, object: "EndpointSlice default/s", field: "endpoints", typ: wrongType, says: "want a list"}},
		},

		{
			name: "what the API server refuses in a Service",
			why:  "each error has the line of its field, or of the one around it",
			text: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  type: ClusterIP\n  clusterIP: 10.96.0\n  ports:\n  - port: 80\n    nodePort: 30080\n  externalIPs:\n  - 203.0.113.9\n  - 127.0.0.1\n  externalTrafficPolicy: local\n",
			want: []misreading{
				{line: 6, object: "Service default/s", field: "spec.clusterIP", typ: invalid, says: `"10.96.0"`},
				{line: 9, object: "Service default/s", field: "spec.ports[0].nodePort", typ: forbidden, says: "NodePort and LoadBalancer"},
				{line: 12, object: "Service default/s", field: "spec.externalIPs[1]", typ: invalid, says: "loopback"},
				{line: 13, object: "Service default/s", field: "spec.externalTrafficPolicy", typ: notSupported, says: `"Local"`},
			},
		}, {
			name: "source ranges of a Service",
			why:  "they decide who gets in",
			text: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  type: LoadBalancer\n  ports: [{port: 80}]\n  loadBalancerSourceRanges:\n  - 203.0.113.0/24\n  - 203.0.113.9\n",
			want: []misreading{{line: 9, object: "Service default/s", field: "spec.loadBalancerSourceRanges[1]", typ: invalid, says: "valid CIDR"}},
		}, {
			name: "strict source ranges",
			why:  "SEM-324 holds for all blocks",
			load: Loader{StrictCIDR: true},
			text: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  type: LoadBalancer\n  ports: [{port: 80}]\n  loadBalancerSourceRanges: [203.0.113.9/24]\n",
			want: []misreading{{line: 7, object: "Service default/s", field: "spec.loadBalancerSourceRanges[0]", typ: invalid, says: "beyond the prefix length"}},
		}, {
			name: "address in Endpoints",
			why:  "they count as slices",
			text: "apiVersion: v1\nkind: Endpoints\nmetadata: {name: s}\nsubsets:\n- addresses:\n  - ip: db.example.com\n  ports: [{port: 80}]\n",
			want: []misreading{{line: 6, object: "Endpoints default/s", field: "subsets[0].addresses[0].ip", typ: invalid, says: `"db.example.com"`}},
		}, {
			name: "backend of an Ingress",
			why:  "where a request goes has to be clear",
			text: "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec:\n  rules:\n  - http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend:\n          service:\n            name: web\n",
			want: []misreading{{line: 10, object: "Ingress default/i", field: "spec.rules[0].http.paths[0].backend", typ: required, says: "a name or a number"}},
		}, {
			name: "range of Services",
			why:  "a ServiceCIDR is in no namespace",
			text: "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: c}\nspec:\n  cidrs:\n  - 10.96.0.0\n",
			want: []misreading{{line: 6, object: "ServiceCIDR c", field: "spec.cidrs[0]", typ: invalid, says: "valid CIDR"}},
		}, {
			name: "range of pods",
			why:  "rules about Services compare it",
			text: "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nspec:\n  podCIDR: 10.0.1.0\n",
			want: []misreading{{line: 5, object: "Node n1", field: "spec.podCIDR", typ: invalid, says: "valid CIDR"}},
		},

		// Several documents and files.
		{
			name: "errors of several documents",
			why:  "a fault in one does not hide the others, in source order",
			text: "a: b: c\n---\napiVersion: v1\nkind: pod\n---\n" + policyHead + "  x: 1\n...\n# end\n---\n5\n",
			want: []misreading{
				{line: 1, says: "mapping values"},
				{line: 4, field: "kind", typ: notSupported},
				{line: 10, object: "NetworkPolicy x/p", field: "spec.x", typ: ErrorTypeUnknown},
				{line: 14, says: "have the number 5"},
			},
		}, {
			name: "too large",
			why:  "refused before it is taken apart",
			load: Loader{MaxBytes: 10},
			text: "a: 1\nb: 2\nc: 3\n",
			want: []misreading{{says: "more than 10 bytes"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.NotEmpty(t, tt.why)
			if tt.file == "" {
				tt.file = "f.yaml"
			}
			c, err := tt.load.Parse(tt.file, strings.NewReader(tt.text))
			assert.Nil(t, c)
			got := errorsOf(t, err)
			require.Len(t, got, len(tt.want), "%v", err)
			for i, want := range tt.want {
				assert.Equal(t, tt.file, got[i].File)
				assert.Equal(t, want.line, got[i].Line, "line of %v\n%s", got[i], tt.why)
				if want.object != "" {
					assert.Equal(t, want.object, got[i].Object, "object of %v", got[i])
				}
				assert.Equal(t, want.field, got[i].Field, "field of %v", got[i])
				if want.typ != "" {
					assert.Equal(t, want.typ, got[i].Type, "type of %v", got[i])
				}
				assert.Contains(t, got[i].Err.Error(), want.says)
			}
		})
	}
}
