package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostileNames mean something to a format if they are not escaped.
var hostileNames = []string{
	`"><script>document.title='caught'</script>`, `a|b`, "two\nlines", `back\slash "quoted" \l\G`, "`tick` *star* _under_",
	`]]> --> <!-- &amp; &#65; #quot; #65;`, `end`, `%%{init: {}}%% %% rest`, "${x} {{x}} </style></title></svg>", "\u202eright to left", "a; b--c -.-> d==e", `subgraph`,
}

// hostile returns a Matrix with pods of hostile names. No API server admits them, and
// Compile neither.
func hostile(t *testing.T) *Matrix {
	t.Helper()
	var text strings.Builder
	for i := range hostileNames {
		fmt.Fprintf(&text, "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n%02d, \"<b>unknown</b>\": x}\nspec: {\"<i>x</i>\": {}}\n---\n", i)
		fmt.Fprintf(&text, "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: n%02d}\n", i)
		fmt.Fprintf(&text, "spec: {podSelector: {}, ingress: [{ports: [{port: %d}]}]}\n---\n", 1000+i)
	}
	c, err := policy.Parse("<i>file</i>.yaml", strings.NewReader(text.String()))
	require.NoError(t, err)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	m, err := Of(g, Options{})
	require.NoError(t, err)
	require.Len(t, m.Groups, len(hostileNames)+1)
	for i, name := range hostileNames {
		m.Groups[i].Name, m.Groups[i].local, m.Groups[i].Namespace = name+"/"+name, name, name
	}
	return m
}

func written(t *testing.T, m *Matrix, f Format) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, m.Write(&b, f))
	return b.String()
}

func textsOf(t *testing.T, document string) string {
	t.Helper()
	var b strings.Builder
	d := xml.NewDecoder(strings.NewReader(document))
	d.Entity = xml.HTMLEntity // of the prologue of Graphviz
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok {
			b.Write(text)
			b.WriteByte('\n')
		}
	}
}

// What is written by hand is read back by the packages of the standard library.
func TestHostileNamesAreEscaped(t *testing.T) {
	m := hostile(t)

	rows, err := csv.NewReader(strings.NewReader(written(t, m, CSV))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(m.Groups)+1)

	var data struct{ Groups []struct{ Name string } }
	require.NoError(t, json.Unmarshal([]byte(written(t, m, JSON)), &data))

	svg := textsOf(t, written(t, m, SVG))
	page := written(t, m, HTML)
	lines := strings.Split(written(t, m, Markdown), "\n")
	bare := regexp.MustCompile("(^|[^\\\\])(\\\\\\\\)*[|`*_<&\\[]")
	for i, name := range hostileNames {
		name += "/" + name
		assert.Equal(t, name, rows[i+1][0])
		assert.Equal(t, name, rows[0][i+1])
		assert.Equal(t, name, data.Groups[i].Name)
		assert.Contains(t, svg, shorten(oneLine(name), svgLetter))
		assert.Contains(t, page, html.EscapeString(oneLine(name)))
		if strings.ContainsAny(name, "<>") {
			assert.NotContains(t, page, name)
		}
	}
	for _, line := range lines[2:] {
		if line == "" || line[0] != '|' {
			break
		}
		assert.Len(t, bare.FindAllString(line, -1), strings.Count(lines[1], "|"), line)
	}
	for _, f := range []Format{HTML, SVG} {
		assert.NotContains(t, written(t, m, f), "<i>") // nor what warnings quote
	}
	assert.Equal(t, 1, strings.Count(page, "<script"))
}

// A page loads nothing and links nowhere, and a picture neither.
func TestPagesAreSelfContained(t *testing.T) {
	for _, f := range []Format{HTML, SVG} {
		text := strings.Replace(written(t, hostile(t), f), `xmlns="http://www.w3.org/2000/svg"`, "", 1)
		assert.NotRegexp(t, `https?:|url\(|@import|\bsrc=|\bhref=`, text)
	}
}

// run runs a program, and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), "%s", &errs)
	return out.String()
}

// clusters are those that consumers must be able to show.
func clusters(t *testing.T) map[string]*Matrix {
	t.Helper()
	list := map[string]*Matrix{"hostile": hostile(t)}
	for name, s := range map[string]scale.Size{"none": {}, "12": {Pods: 12, Policies: 4}, "100": {Pods: 100, Policies: 20}, "1000": scale.M} {
		c := s.Cluster()
		g, err := reach.Compile(c)
		require.NoError(t, err)
		list[name], err = Of(g, Options{})
		require.NoError(t, err)
		if name != "100" {
			continue
		}
		edits := []policy.Edit{policy.Remove("Pod", c.Pods[0].Namespace, c.Pods[0].Name)}
		for _, p := range c.Policies {
			edits = append(edits, policy.Remove("NetworkPolicy", p.Namespace, p.Name))
		}
		h, err := g.With(edits...)
		require.NoError(t, err)
		list["difference"], err = OfDiff(reach.Compare(g, h), Options{})
		require.NoError(t, err)
	}
	var err error
	list["no difference"], err = OfDiff(&reach.Diff{}, Options{})
	require.NoError(t, err)
	return list
}

func TestGraphvizReadsDOT(t *testing.T) {
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("Graphviz is not installed: no program dot")
	}
	for name, m := range clusters(t) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "g.dot")
			require.NoError(t, os.WriteFile(file, []byte(written(t, m, DOT)), 0o666))
			text := textsOf(t, run(t, dot, "-Tsvg", file))
			text = strings.ReplaceAll(text, "\u00a0", " ")
			d := m.within(100).draw()
			for _, c := range append(d.clusters, cluster{vertices: d.loose}) {
				assert.Contains(t, text, oneLine(c.name))
				for _, v := range c.vertices {
					for _, line := range v.lines {
						assert.Contains(t, text, oneLine(line))
					}
				}
			}
		})
	}
}

// browser returns the path of a browser without a window.
func browser(t *testing.T) string {
	t.Helper()
	if RaceDetector {
		t.Skip("the browser is another program")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no browser is installed: no program chromium, chromium-browser or google-chrome")
	return ""
}

// load returns the document that a browser makes of a page.
func load(t *testing.T, browser, name, page string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(file, []byte(page), 0o666))
	return run(t, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+filepath.Join(dir, "profile"), "--virtual-time-budget=60000", "--dump-dom",
		(&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String())
}

var result = regexp.MustCompile(`(?s)<pre id="result">(.*?)</pre>`)

// resultOf returns what a page has put into the element result.
func resultOf(t *testing.T, document string) string {
	t.Helper()
	found := result.FindStringSubmatch(document)
	require.NotNil(t, found, "%s", document)
	return html.UnescapeString(found[1])
}

func TestMermaidReadsMermaid(t *testing.T) {
	path := os.Getenv("POLREACH_MERMAID")
	if path == "" {
		t.Skip("Mermaid is not known: POLREACH_MERMAID is not the path of its mermaid.min.js")
	}
	chromium := browser(t)
	script, err := filepath.Abs(path)
	require.NoError(t, err)
	all := clusters(t)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	texts := make(map[string]string)
	for _, name := range names {
		texts[name] = written(t, all[name], Mermaid)
	}
	data, err := json.Marshal(texts)
	require.NoError(t, err)
	document := load(t, chromium, "mermaid.html", fmt.Sprintf(`<!DOCTYPE html><meta charset="utf-8"><title>safe</title><pre id="result"></pre>
<script src="%s"></script>
<script>
const texts = %s;
mermaid.initialize({startOnLoad: false});
(async () => {
  const out = {};
  for (const name of Object.keys(texts)) {
    try {
      const box = document.createElement("div");
      box.innerHTML = (await mermaid.render("g" + Object.keys(out).length, texts[name])).svg;
      out[name] = [...box.querySelectorAll(".nodeLabel, .edgeLabel")].map(e => e.innerText || e.textContent).join("\n");
    } catch (e) {
      out[name] = "failed: " + e;
    }
  }
  document.getElementById("result").textContent = JSON.stringify(out);
})();
</script>`, (&url.URL{Scheme: "file", Path: filepath.ToSlash(script)}).String(), data))
	assert.Contains(t, document, "<title>safe</title>")
	var shown map[string]string
	require.NoError(t, json.Unmarshal([]byte(resultOf(t, document)), &shown))
	for _, name := range names {
		assert.NotContains(t, shown[name], "failed", name)
		assert.Contains(t, shown[name], "All else", name)
	}
	for _, name := range hostileNames {
		assert.Contains(t, shown["hostile"], oneLine(name))
	}
}

func TestBrowserShowsSVG(t *testing.T) {
	document := load(t, browser(t), "m.svg", written(t, hostile(t), SVG))
	assert.NotContains(t, document, "parsererror")
	assert.Contains(t, document, "two lines")
}

// The script of the page runs under the policy of the page. It filters rows and
// columns, tells about the cell that the keyboard is on, and throws nothing.
func TestBrowserFilters(t *testing.T) {
	chromium := browser(t)
	page := written(t, hostile(t), HTML)
	document := load(t, chromium, "own.html", page)
	assert.Contains(t, document, "<title>Who reaches whom</title>")
	assert.Contains(t, document, `<form role="search">`, "the script shows the form")

	list := clusters(t)
	for _, name := range []string{"none", "difference", "no difference"} {
		document := load(t, chromium, "page.html", written(t, list[name], HTML))
		assert.Contains(t, document, `<form role="search">`, name)
	}

	// With a second script the policy has to go.
	policyOf := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	require.Regexp(t, policyOf, page)
	page = policyOf.ReplaceAllString(page, `<script>const errors = []; addEventListener("error", e => errors.push(e.message));</script>`)
	page = strings.Replace(page, "</body>", `<pre id="result"></pre><script>
const $ = s => document.querySelector(s), out = {};
const form = $("form"), count = () => $("#count").textContent, why = () => $("#why").textContent;
const change = (name, value) => {
  const e = form.elements[name];
  if (e.type === "checkbox") e.checked = value; else e.value = value;
  e.dispatchEvent(new Event("input", {bubbles: true}));
};
const key = (name, more) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true, ...more}));
const shown = list => [...list].filter(e => !e.hidden).length;
out.all = count();
out.hint = why();
out.stops = document.querySelectorAll(".matrix [tabindex='0']").length;
$(".matrix td[tabindex='0']").focus();
out.first = why();
key("ArrowRight");
out.right = why();
key("ArrowLeft"); key("ArrowLeft"); key("ArrowUp"); key("End");
out.end = why();
key("Home", {ctrlKey: true});
out.home = why();
change("from-space", "/outside");
out.outside = count() + ", " + shown($(".matrix tbody").rows);
change("from-space", "");
change("to-text", "TICK");
out.text = count() + ", " + (shown($(".matrix thead tr").cells) - 1) + ", " + (shown($(".matrix tbody tr").cells) - 1);
out.hidden = why();
out.stop = document.querySelectorAll(".matrix td[tabindex='0']:not([hidden])").length;
change("open", true);
out.open = count();
form.reset();
setTimeout(() => {
  out.reset = count();
  out.errors = errors;
  $("#result").textContent = JSON.stringify(out);
});
</script></body>`, 1)
	var out map[string]any
	require.NoError(t, json.Unmarshal([]byte(resultOf(t, load(t, chromium, "page.html", page))), &out))
	const hint = "Point at a cell, or go there with the arrow keys, to read about it here."
	full := func(i int) string { return oneLine(hostileNames[i] + "/" + hostileNames[i]) }
	isolated := func(from, to int) string {
		return fmt.Sprintf("egress of %s is isolated by nothingingress of %s is isolated by n%02d/p", full(from), full(to), to)
	}
	assert.Equal(t, map[string]any{
		"all":     "13 of 13 rows, 13 of 13 columns",
		"hint":    hint,
		"stops":   1.0, // of the tab key in the table
		"first":   full(0) + " → " + full(0) + ": not in question",
		"right":   full(0) + " → " + full(1) + ": 1001/TCP" + isolated(0, 1),
		"end":     full(0) + " → outside: allegress of " + full(0) + " is isolated by nothing",
		"home":    full(0) + " → " + full(0) + ": not in question",
		"outside": "1 of 13 rows, 13 of 13 columns, 1",
		"text":    "13 of 13 rows, 1 of 13 columns, 1, 1",
		"hidden":  hint, // the cell that it told about is not shown
		"stop":    1.0,
		"open":    "12 of 13 rows, 1 of 13 columns", // without the pod itself
		"reset":   "13 of 13 rows, 13 of 13 columns",
		"errors":  []any{},
	}, out)
}
