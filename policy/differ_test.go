package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

// read reads a text with or without the scanners, and with these in small pieces.
func read(l Loader, name string, text []byte, slow bool) (*reading, *Cluster, error) {
	r := newReading(l)
	r.slow = slow
	r.piece = 100
	var in io.Reader = bytes.NewReader(text)
	if l.StrictCIDR {
		in = struct{ io.Reader }{in} // it cannot be read again
	}
	r.stream(name, in)
	c, err := r.result()
	return r, c, err
}

// checkSame checks that the scanners change nothing: neither objects nor their
// places, neither warnings nor errors. It returns the reading with scanners.
func checkSame(t *testing.T, name string, text []byte) *reading {
	t.Helper()
	for _, l := range []Loader{{}, {Namespace: "x", StrictCIDR: true, Accept: []string{"CiliumNetworkPolicy.cilium.io"}}} {
		r, fast, fastErr := read(l, name, text, false)
		_, slow, slowErr := read(l, name, text, true)
		if fastErr != nil || slowErr != nil {
			if !assert.Equal(t, told(slowErr), told(fastErr), "the errors of\n%s", text) {
				t.FailNow()
			}
			return r
		}
		same := assert.Equal(t, slow.Warnings, fast.Warnings)
		if !reflect.DeepEqual(objectsOf(slow), objectsOf(fast)) {
			same = assert.Equal(t, objectsOf(slow), objectsOf(fast))
		}
		if !reflect.DeepEqual(placesOf(slow), placesOf(fast)) {
			same = assert.Equal(t, placesOf(slow), placesOf(fast))
		}
		if !same {
			t.Fatalf("the difference is in\n%s", text)
		}
		if l.Namespace != "" {
			return r
		}
	}
	return nil
}

// told returns what errors tell.
func told(err error) []string {
	var all []string
	for _, e := range Errors(err) {
		all = append(all, fmt.Sprintf("%#v %s %v", e.Place, e.Type, e.Err))
	}
	return all
}

// placesOf returns where the objects of c stand.
func placesOf(c *Cluster) map[string]source {
	places := make(map[string]source)
	for obj, s := range c.sources {
		all := *s
		if s.text != nil {
			all.lines, all.text = s.text.lines(), nil
		}
		places[fmt.Sprintf("%d %T %s", s.order, obj, objectName(obj))] = all
	}
	return places
}

// corpus returns the manifests in testdata, and others.
func corpus(t testing.TB) map[string][]byte {
	all := make(map[string][]byte)
	require.NoError(t, filepath.WalkDir("../testdata", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && isManifest(e.Name()) {
			all[path], err = os.ReadFile(path)
		}
		return err
	}))
	var applied dump
	for _, o := range []metav1.Object{policyAt(1), serviceAt(1), namespaceAt(1)} {
		running := runningPodAt(1)
		o.SetManagedFields(running.ManagedFields)
		o.SetAnnotations(running.Annotations)
		o.GetAnnotations()["odd"] = "a<b>&c \u2028 \"d\"\n  e\n\n"
		o.SetLabels(map[string]string{"a": "1", "b": "true", "c": "", "d": "null", "e.f/g": "0x10", "h": "1.0"})
		applied.objects = append(applied.objects, o)
	}
	all["marker.yaml"] = []byte("a: b\n...    c:\n  d: e\n... f\n")
	all["flow.yaml"] = []byte(podHead + `spec:
  containers:
  - {name: a, image: nginx:1.27, command: [sh, -c, "a: b"], args: [--a=b, sleep 10, -v, a:b], resources: {limits: {cpu: 0.5, memory: 1Gi}}}
  - {name: b, env: [{name: A, value: $(B)}, {name: C, value: 'd'}], ports: [{containerPort: 80}, { containerPort: 81 }]}
  nodeName: a
`)
	for i, s := range seeds {
		all[fmt.Sprintf("seed-%d.yaml", i)] = []byte(s)
		all[fmt.Sprintf("seed-%d.json", i)] = []byte(s)
	}
	all["manifests.yaml"] = manifestsOf(3).yaml(t)
	all["manifests-list.yaml"] = manifestsOf(3).listYAML(t)
	all["manifests-list.json"] = manifestsOf(3).listJSON(t)
	all["manifests-applied.yaml"] = applied.yaml(t)
	all["manifests-applied.json"] = applied.listJSON(t)
	all["dump.yaml"] = kubectlDump(2).listYAML(t)
	all["dump.json"] = kubectlDump(2).listJSON(t)
	return all
}

func TestFastIsSlow(t *testing.T) {
	for name, text := range corpus(t) {
		t.Run(name, func(t *testing.T) { checkSame(t, name, text) })
	}
}

// Scalars that may not be what they look like, wherever they stand.
func TestFastIsSlowScalars(t *testing.T) {
	const head = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"
	scanned := 0
	for _, scalar := range strings.Fields(`
		a 1 0 -1 +1 -0 007 08 0x1F 0o7 0b1 1_0 _1 1. .5 1.5 1e3 1e 1e999 .e1 - -- --- -a -1a 1a 1:2 1:2:3 10.0.0.1 1.2.3 ::/0 :: :a
		.inf -.inf +.inf +-.inf --.inf .INF .Inf .iNF .nan .NaN .NAN +.nan inf nan Infinity 0x 0xg 1Gi 100m 0.5 5% 9223372036854775808
		18446744073709551616 123456789012345678 2026-01-31 2026-1-1 2026-01-31T09:30:00Z 2026-13-01 2026-a 12026-01-01
		true True TRUE false no No yes Y y n on off ON null Null NULL ~ ~a << <<a <a = =a + . .. ... .a / @a %a !a &a *a ? ?a ,a #a a#b
		a:b a: a:: "a" 'a' "a\\tb" "\\x41" "\\u00e9" "\\ud800" "\\q" 'a''b' '' "" [] {} [a] {a} [a,b] {a:b} | > |- {} [a {a ]a a] }a
		é 日本 \u00a0 a\u00a0 \ufeff \u0085 $(A) (a) a,b a@b a=b a;b`) {
		for _, form := range []string{
			head + "  labels:\n    a: %s\nspec: {}\n",
			head + "  annotations:\n    a: %s\n    b: c\nspec:\n  a: 1\n",
			head + "  labels:\n    %s: a\nspec: {}\nodd: 1\n",
			head + "  annotations:\n    %s: a\n",
			head + "  labels: {a: %s, b: c}\n",
			head + "  annotations: {a: %s}\nodd: [%[1]s]\n",
			head + "  labels:\n    a: %s\n      b\n",
			head + "spec:\n  containers:\n  - args:\n    - %s\n    - %[1]s # c\n    name: a\n  odd: %[1]s\n",
			policyHead + "  podSelector:\n    matchLabels:\n      a: b\n  ingress:\n  - ports:\n    - port: %s\n",
			policyHead + "  podSelector:\n    matchExpressions:\n    - key: a\n      operator: In\n      values:\n      - %s\n      -\n",
			"%s\n", "%s: a\n", "- %s\n", "apiVersion: v1\nkind: %s\nmetadata: {name: a}\n",
		} {
			scanned += checkSame(t, "f.yaml", fmt.Appendf(nil, form, scalar)).scanned
		}
	}
	assert.Greater(t, scanned, 500)
}

// Texts that the fast path has once read otherwise.
func TestFastIsSlowOnceOtherwise(t *testing.T) {
	long := `"` + strings.Repeat("a", 501) + `"`
	pod := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"
	for name, text := range map[string]string{
		"a long key in a list":            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec:\n  podSelector: {}\n  ingress:\n  - " + long + ":\n",
		"and without an end of line":      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec:\n  podSelector: {}\n  ingress:\n  - " + long + ":",
		"a key too long for YAML":         pod + "status:\n  x:\n  - \"" + strings.Repeat("a", 1100) + "\":\n",
		"JSON nested deep":                `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","foo":1},"status":` + strings.Repeat(`{"a":`, 199) + "1" + strings.Repeat("}", 200),
		"a binary number with a sign":     pod + "  labels: {x: 0b-1}\n",
		"the same as a key":               pod + "  labels: {0b-1: x}\n",
		"a longer one":                    pod + "  labels:\n    x: 0b+1001\n",
		"a text of one blank line":        pod + "  labels:\n    x: |\n          \nspec: {}\n",
		"and without what follows":        pod + "  labels:\n    x: |\n          \n",
		"and with the end of line":        pod + "  labels:\n    x: |+\n          \nspec: {}\n",
		"and without it":                  pod + "  labels:\n    x: |-\n          \nspec: {}\n",
		"the end of a document at first":  "...  x: 1\napiVersion: v1\nkind: ConfigMap\n",
		"infinity with signs, and a flaw": pod + "  labels: {x: ++.inf}\n  foo: 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			checkSame(t, "f.yaml", []byte(text))
			checkSame(t, "f.json", []byte(text))
		})
	}
}

// Long lists and streams are read in pieces, of which each may hold anything.
func TestFastIsSlowInPieces(t *testing.T) {
	items := []string{
		"apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n",
		"apiVersion: v1\n  kind: Pod\n  metadata:\n    name: B\n    labels:\n      a: b\n",
		"apiVersion: v1\n  kind: Pod\n  metadata:\n    name: c\n    annotations:\n      a: \"b\n- c\"\n",
		"apiVersion: v1\n  kind: Pod\n  metadata:\n    name: c\n    annotations:\n      a: |\n        - b\n\n        c\n",
		"kind: Pod\n", "a\n", "\n", "{}\n", "# x\n  apiVersion: v1\n# - y\n  kind: Namespace\n  metadata:\n    name: a\n  spek: 1\n",
		"apiVersion: v1\n  kind: PodList\n  items:\n  - metadata:\n      name: d\n  - b\n",
		"apiVersion: v1\n  kind: Pod\n  kind: Pod\n", "&a b\n", "- c\n",
	}
	rng := rand.New(rand.NewPCG(1, 2))
	read := 0
	for round := range 300 {
		var list, stream strings.Builder
		for range rng.IntN(40) {
			n := rng.IntN(len(items))
			if round%2 == 0 {
				n = rng.IntN(4) // nothing wrong but names
			}
			fmt.Fprintf(&list, "- %s", items[n])
			fmt.Fprintf(&stream, "%s\n  %s", []string{"---", "---\n...", "...", "---\n%YAML 1.1\n---"}[max(0, rng.IntN(12)-8)], items[n])
		}
		text := "apiVersion: v1\nitems:\n" + list.String() + "kind: List\n"
		read += checkSame(t, "f.yaml", []byte(text)).scanned
		checkSame(t, "f.yaml", []byte("items:\n"+list.String()+"apiVersion: v1\nkind: PodList\n"))
		checkSame(t, "f.yaml", []byte(stream.String()))
		if j, err := toJSON([]byte(text), sigsyaml.YAMLToJSON); err == nil {
			var indented bytes.Buffer
			require.NoError(t, json.Indent(&indented, j, "", "  "))
			checkSame(t, "f.json", j)
			read += checkSame(t, "f.json", indented.Bytes()).scanned
		}
	}
	assert.Greater(t, read, 100)
	many := strings.Repeat("- a\n", 700) + strings.Repeat("- apiVersion: v1\n  kind: Pod\n  metadata: {name: A}\n", 700)
	checkSame(t, "f.yaml", []byte("apiVersion: v1\nkind: List\nitems:\n"+many))
}

// Objects in a list in JSON are made without a tree of values, unless there is
// something to tell of them.
func TestFastIsSlowFilled(t *testing.T) {
	odd := []string{"null", "1", `"x"`, "true", "false", "[]", "{}", "[null]", `{"a": null}`, `{"a": "b", "a": "c"}`, "1.5", "1e2", "-0", "99999999999",
		`"\u0041"`, `"a\nb"`, `"2026-01-31T09:30:00Z"`, `[1, "a"]`, `[{}, {}]`, `["a", "b", "c"]`, "nul", "tru", `"`, `{"a" "b"}`, `["a" "b"]`}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, text := range [][]byte{manifestsOf(2).listJSON(t), corpus(t)["manifests-applied.json"]} {
		lines := strings.SplitAfter(string(text), "\n")
		for i, line := range lines {
			key, val, isPair := strings.Cut(line, `": `)
			if !isPair || rng.IntN(6) > 0 {
				continue
			}
			changed := slices.Clone(lines)
			with := odd[rng.IntN(len(odd))]
			comma := strings.TrimLeft(val[len(strings.TrimRight(val, ",\n")):], "\n")
			switch {
			case rng.IntN(8) == 0:
				changed[i] = key + `x": ` + val
			case strings.ContainsAny(val, "{["):
				changed[i] = key + `": ` + with + ",\n" + key + `_": ` + val
			default:
				changed[i] = key + `": ` + with + comma
			}
			checkSame(t, "f.json", []byte(strings.Join(changed, "")))
		}
	}
}

// A sought counts how often a text is read again. It may fail, or change.
type sought struct {
	*bytes.Reader
	again int
	fail  int // bytes before the end
	other string
}

func (s *sought) Read(b []byte) (int, error) {
	if s.fail > 0 && s.Len() <= s.fail {
		return 0, errors.New("out of paper")
	}
	return s.Reader.Read(b[:min(len(b), s.Len()-s.fail)])
}

func (s *sought) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		s.again++
		if s.other != "" {
			s.Reader = bytes.NewReader([]byte(s.other))
		}
	}
	return s.Reader.Seek(offset, whence)
}

// A long list in JSON is read once, and again if it is not what it seems.
func TestLongListIsReadOnce(t *testing.T) {
	good := string(kubectlDump(30).listJSON(t))
	for name, c := range map[string]struct {
		text  string
		in    sought
		again int
		err   string
	}{
		"plain":             {text: good},
		"behind a mark":     {text: byteOrderMark + good},
		"and two of them":   {text: good + good, again: 1},
		"no list":           {text: strings.Replace(good, `"kind": "List"`, `"kind": "Lisp"`, 1), again: 1, err: "unknown kind \"Lisp\""},
		"cut off":           {text: good[:len(good)-3], again: 1, err: "a value is not finished"},
		"not UTF-8":         {text: strings.Replace(good, "restartPolicy", "restart\xff", 1), again: 1, err: "not UTF-8"},
		"unknown field":     {text: strings.Replace(good, `"resourceVersion": ""`, `"resourceVersion": ""}, "itens": {`, 1), err: `unknown field "itens"`},
		"a read that fails": {text: good, in: sought{fail: 10_000}, err: "out of paper"},
		"another text":      {text: good[:len(good)-3], in: sought{other: strings.Repeat(" ", 4000) + good}, again: 1, err: "the input changed"},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.Reader = bytes.NewReader([]byte(c.text))
			r := newReading(Loader{})
			r.piece = 4000
			r.stream("f.json", &c.in)
			fast, err := r.result()
			assert.Equal(t, c.again, c.in.again)
			if c.err != "" {
				assert.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			_, slow, err := read(Loader{}, "f.json", []byte(c.text), true)
			require.NoError(t, err)
			assert.Equal(t, objectsOf(slow), objectsOf(fast))
			assert.Equal(t, placesOf(slow), placesOf(fast))
		})
	}
}

// Mutations of the corpus, which are mostly wrong.
func TestFastIsSlowMutated(t *testing.T) {
	const rounds = 8 // the fuzzer does the rest
	all := corpus(t)
	for name, text := range all {
		if len(text) > 20_000 {
			continue
		}
		rng := rand.New(rand.NewPCG(1, uint64(len(text))))
		for range rounds {
			mutated := text
			for range 1 + rng.IntN(3) {
				mutated = mutateText(rng, mutated)
			}
			checkSame(t, filepath.Base(name), mutated)
		}
	}
}

// mutateText returns a copy of text with one change.
func mutateText(rng *rand.Rand, text []byte) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	line := rng.IntN(len(lines))
	splice := func(at, end int, with string) []byte {
		return append(append(append([]byte{}, text[:at]...), with...), text[end:]...)
	}
	edit := func(f func(line string) string) []byte {
		changed := append([][]byte{}, lines...)
		changed[line] = []byte(f(string(lines[line])))
		return bytes.Join(changed, nil)
	}
	at := rng.IntN(len(text) + 1)
	key, val, isPair := strings.Cut(string(lines[line]), ": ")
	val = strings.TrimSuffix(val, "\n")
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	switch rng.IntN(14) {
	case 0:
		if at < len(text) {
			return splice(at, at+1, string([]byte{text[at] ^ 1<<rng.IntN(8)}))
		}
	case 1:
		other := rng.IntN(len(lines))
		changed := append([][]byte{}, lines...)
		changed[line], changed[other] = changed[other], changed[line]
		return bytes.Join(changed, nil)
	case 2:
		return edit(func(s string) string { return strings.Repeat(" ", 1+rng.IntN(3)) + s })
	case 3:
		return edit(func(s string) string { return strings.TrimPrefix(s, " ") })
	case 4:
		return edit(func(s string) string { return s + s })
	case 5:
		return edit(func(string) string { return "" })
	case 6:
		if isPair {
			return edit(func(string) string {
				return key + ": " + pick(`"`+val+`"`, "'"+val+"'", "&a "+val, "!!str "+val, "["+val+"]", "{a: "+val+"}", "|\n    "+val, ">-\n    "+val,
					val+" # c", val+"\n       more", `"`+val+"\n       more\"", "'"+val+"''s'", `"`+val+`\n\u0041"`, "- "+val, "*a", "null", "~", "0x50", "1.5", "yes", "") + "\n"
			})
		}
	case 7:
		return splice(at, at, pick("\t", "\r\n", byteOrderMark, "é", "\u0085", "\u2028", "#", " # c", ": ", "\n", "- ", "---\n", "\n---\n", "...\n", "\x00", "\"", "'", "\\", "{", "}", "[", "]", ",", "|", ">", "&a ", "*a", "%", "@", "`", "?", "~", "<<: ", "\ufffe", "{{", ":", "-", "\xff", "null", "true", "1"))
	case 8:
		return append([]byte{}, text[:at]...)
	case 9:
		return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	case 10:
		return edit(func(s string) string { return pick("# c\n", "    # c\n", "\n", "   \n", "  \t\n", "#c\n\n") + s })
	case 11:
		other := lines[rng.IntN(len(lines))]
		return edit(func(s string) string { return s + string(other) })
	case 12:
		if isPair {
			return edit(func(s string) string {
				return pick(strings.Replace(s, ": ", ":", 1), strings.Replace(s, ": ", " : ", 1), strings.Replace(s, ": ", ":   ", 1), strings.Replace(s, ": ", ":\n"+strings.Repeat(" ", rng.IntN(12)), 1),
					strings.Replace(s, key, `"`+strings.TrimSpace(key)+`"`, 1), strings.Replace(s, ": ", ": : ", 1), "? "+s, strings.Replace(s, "- ", "-\n      ", 1), strings.Replace(s, "- ", "-   ", 1), strings.Replace(s, "- ", "- - ", 1))
			})
		}
	case 13:
		return edit(func(s string) string { return strings.TrimSuffix(s, "\n") })
	}
	return text
}

func FuzzFastSlow(f *testing.F) {
	for _, text := range corpus(f) {
		if len(text) < 5000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkSame(t, "f.yaml", text)
		checkSame(t, "f.json", text)
	})
}

// Almost all of real input takes the fast path: the documentation of the package
// says how much.
func TestScannedShare(t *testing.T) {
	var scanned, all int
	for name, text := range corpus(t) {
		r, _, _ := read(Loader{}, name, text, false)
		switch {
		case strings.Contains(name, "/manifests/"):
			scanned += r.scanned
			all += r.scanned + r.parsed
		case name == "flow.yaml", strings.HasPrefix(name, "manifests"), strings.HasPrefix(name, "dump"):
			assert.Zero(t, r.parsed, name)
			assert.NotZero(t, r.scanned, name)
		}
	}
	t.Logf("%d of %d documents of the manifests in testdata", scanned, all)
	assert.Greater(t, scanned*100, all*98)
}

// CheckSame is checkSame for tests outside of the package. It returns how many
// documents scanners read, and how many the libraries.
func CheckSame(t *testing.T, name string, text []byte) (scanned, parsed int) {
	t.Helper()
	r := checkSame(t, name, text)
	return r.scanned, r.parsed
}
