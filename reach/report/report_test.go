package report_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/polreach/polreach/reach/report"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small has two pods that are alike, one on a node and one not, a database that only
// they reach, and a pod without policies. All addresses are IPv4.
const small = `
apiVersion: v1
kind: Namespace
metadata: {name: ops}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {nodeName: n1}
status: {podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-2, namespace: shop, labels: {app: web}}
status: {podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {nodeName: n1}
status: {podIPs: [{ip: 10.0.0.3}]}
---
apiVersion: v1
kind: Pod
metadata: {name: scan, namespace: ops}
status: {podIPs: [{ip: 10.0.0.4}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{ipBlock: {cidr: 203.0.113.0/24}}]
    ports: [{port: 443}]
  egress:
  - to: [{podSelector: {matchLabels: {app: db}}}]
    ports: [{port: 5432}, {port: 53, protocol: UDP}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
`

// compile compiles a cluster that is written as YAML.
func compile(t testing.TB, text string) *reach.Graph {
	t.Helper()
	c, err := policy.Parse("cluster.yaml", strings.NewReader(text))
	require.NoError(t, err)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	return g
}

// changed is what small becomes: without the policy of db, with another port for web,
// and with another pod.
func changed(t testing.TB) *reach.Graph {
	t.Helper()
	text := strings.Replace(small, "port: 443", "port: 8443", 1)
	text, _, found := strings.Cut(text, "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db,")
	require.True(t, found)
	return compile(t, text+`---
apiVersion: v1
kind: Pod
metadata: {name: new, namespace: ops}
status: {podIPs: [{ip: 10.0.0.5}]}
`)
}

func write(t reachtest.TB, g *reach.Graph, opts report.Options, f report.Format) string {
	t.Helper()
	m, err := report.Of(g, opts)
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, m.Write(&b, f))
	return b.String()
}

// The pod scan is open. The pods web get in from one block, and out to db, which lets
// them in on every port and gets out nowhere. The node reaches web-1 and db, which run
// on it, but not web-2.
func TestForms(t *testing.T) {
	g := compile(t, small)
	for _, tt := range []struct {
		why    string
		format report.Format
		opts   report.Options
		want   string
	}{
		{"a narrow table", report.Text, report.Options{}, `
from \ to                     | ops/scan | shop/db     | shop/web-* (2 pods) | node:n1 | outside except 203.0.113.0/24 | 203.0.113.0/24
ops/scan                      | .        | -           | -                   | all     | all                           | all
shop/db                       | -        | .           | -                   | -       | -                             | -
shop/web-* (2 pods)           | -        | 5432,53/UDP | -                   | -       | -                             | -
node:n1                       | all      | all         | -                   | .       | .                             | .
outside except 203.0.113.0/24 | all      | -           | -                   | .       | .                             | .
203.0.113.0/24                | all      | -           | 443                 | .       | .                             | .
# Not shown: a node always reaches the pods that run on it.
`},
		{"what is alike apart: the cell of the node and web-1 is about that pair", report.CSV, report.Options{Detail: report.Each}, `
from \ to,ops/scan,shop/db,shop/web-1,shop/web-2,node:n1,outside except 203.0.113.0/24,203.0.113.0/24
ops/scan,.,-,-,-,all,all,all
shop/db,-,.,-,-,-,-,-
shop/web-1,-,"5432,53/UDP",.,-,-,-,-
shop/web-2,-,"5432,53/UDP",-,.,-,-,-
node:n1,all,all,all,-,.,.,.
outside except 203.0.113.0/24,all,-,-,-,.,.,.
203.0.113.0/24,all,-,443,443,.,.,.
`},
		{"by namespaces, where only some pairs have ports", report.Markdown, report.Options{Detail: report.Namespaces}, `
| from \\ to | ops (1 pod) | shop (3 pods) | node:n1 | outside |
| --- | --- | --- | --- | --- |
| ops (1 pod) | . | - | all | all |
| shop (3 pods) | - | (5432,53/UDP) | - | - |
| node:n1 | all | - | . | . |
| outside | all | (443) | . | . |

(In brackets): open for some pairs only.

Not shown: a node always reaches the pods that run on it.
`},
		{"only one namespace: nothing is said about others among themselves, and addresses that are alike for it are one", report.Text, report.Options{Namespaces: []string{"ops"}}, `
from \ to          | ops/scan | shop/db and 2 more | node:n1 | outside
ops/scan           | .        | -                  | all     | all
shop/db and 2 more | -        | .                  | .       | .
node:n1            | all      | .                  | .       | .
outside            | all      | .                  | .       | .
# Only what goes to and from pods in ops.
`},
		{"cells with equal ports are one", report.JSON, report.Options{}, `
{"is": "matrix",
"detail": "alike",
"groups": [
{"name":"ops/scan","kind":"pods","namespace":"ops","members":["ops/scan"]},
{"name":"shop/db","kind":"pods","namespace":"shop","members":["shop/db"]},
{"name":"shop/web-* (2 pods)","kind":"pods","namespace":"shop","members":["shop/web-1","shop/web-2"]},
{"name":"node:n1","kind":"nodes","members":["node:n1"]},
{"name":"outside except 203.0.113.0/24","kind":"outside","members":["0.0.0.0/0 except 203.0.113.0/24"]},
{"name":"203.0.113.0/24","kind":"outside","members":["203.0.113.0/24"]}],
"cells": [
{"from":0,"to":[3,4,5],"ports":["all"]},
{"from":2,"to":[1],"ports":["5432/TCP","53/UDP"]},
{"from":3,"to":[0,1],"ports":["all"]},
{"from":3,"to":[2],"ownNode":true},
{"from":4,"to":[0],"ports":["all"]},
{"from":5,"to":[0],"ports":["all"]},
{"from":5,"to":[2],"ports":["443/TCP"]}],
"warnings": []}
`},
		{"an arrow for all of the outside; both ways in one", report.Mermaid, report.Options{}, `
flowchart LR
  subgraph c0["ops"]
    n0("scan")
  end
  subgraph c1["shop"]
    n1("db")
    n2("web-#42; (2 pods)")
  end
  subgraph c2["outside"]
    n4("outside except 203.0.113.0/24")
    n5("203.0.113.0/24")
    n9("everything outside"):::many
  end
  n3("node:n1")
  n0 <-->|"all"| n3
  n0 <-->|"all"| n9
  n2 -->|"5432,53/UDP"| n1
  n3 -->|"all"| n1
  n5 -->|"443"| n2
  notes["Not shown: a node always reaches the pods that run on it.<br>All else is closed."]
  classDef many stroke-dasharray:4 3
  classDef notes fill:none,stroke:none,text-align:left
  class notes notes
  classDef space fill:#8899aa22,stroke:#8899aa
  class c0,c1,c2 space
`},
		{"the same", report.DOT, report.Options{}, `
digraph reach {
  graph [rankdir=LR, bgcolor=white, fontname="Helvetica,Arial,sans-serif", fontsize=12, labeljust=l, ranksep=0.9, nodesep=0.18];
  node [shape=box, style="rounded,filled", color="#5b6b7b", fillcolor=white, fontname="Helvetica,Arial,sans-serif", fontsize=11, height=0.3, margin="0.12,0.05"];
  edge [color="#5b6b7b", fontcolor="#1f2933", fontname="Helvetica,Arial,sans-serif", fontsize=9, arrowsize=0.6];
  label="Not shown: a node always reaches the pods that run on it.\lAll else is closed.\l";
  subgraph cluster_0 {
    graph [label="ops", style="rounded,filled", color="#c3ccd5", fillcolor="#f1f4f7"];
    n0 [label="scan"];
  }
  subgraph cluster_1 {
    graph [label="shop", style="rounded,filled", color="#c3ccd5", fillcolor="#f1f4f7"];
    n1 [label="db"];
    n2 [label="web-* (2 pods)"];
  }
  subgraph cluster_2 {
    graph [label="outside", style="rounded,filled", color="#c3ccd5", fillcolor="#f1f4f7"];
    n4 [label="outside except 203.0.113.0/24"];
    n5 [label="203.0.113.0/24"];
    n9 [label="everything outside", style="rounded,dashed"];
  }
  n3 [label="node:n1"];
  n0 -> n3 [label="all", dir=both];
  n0 -> n9 [label="all", dir=both];
  n2 -> n1 [label="5432,53/UDP"];
  n3 -> n1 [label="all"];
  n5 -> n2 [label="443"];
}
`},
	} {
		t.Run(string(tt.format)+", "+tt.why, func(t *testing.T) {
			assert.Equal(t, strings.TrimPrefix(tt.want, "\n"), write(t, g, tt.opts, tt.format))
		})
	}
}

// Db is open now. Web has another port, and new is there. What has no row or column
// has nothing in it.
func TestFormsOfDifferences(t *testing.T) {
	d := reach.Compare(compile(t, small), changed(t))
	for _, tt := range []struct {
		why    string
		format report.Format
		opts   report.Options
		want   string
	}{
		{"a list, as most pairs stay as they are", report.Text, report.Options{}, `
from                 to                   ports
all of these in ops  shop/db              +all
ops/new (added)      ops/scan             +all
ops/new (added)      node:n1              +all
ops/new (added)      outside              +all
ops/scan             ops/new (added)      +all
shop/db              all of these in ops  +all
shop/db              node:n1              +all
shop/db              outside              +all
node:n1              ops/new (added)      +all
outside              ops/new (added)      +all
outside              shop/db              +all
203.0.113.0/24       shop/web-* (2 pods)  +8443
203.0.113.0/24       shop/web-* (2 pods)  -443
# Added: ops/new.
# All else stays as it is.
`},
		{"words, as a spreadsheet would take signs for those of numbers", report.CSV, report.Options{}, `
from \ to,ops/new (added),ops/scan,shop/db,shop/web-* (2 pods),node:n1,outside except 203.0.113.0/24,203.0.113.0/24
ops/new (added),,opened all,opened all,,opened all,opened all,opened all
ops/scan,opened all,,opened all,,,,
shop/db,opened all,opened all,,,opened all,opened all,opened all
node:n1,opened all,,,,,,
outside except 203.0.113.0/24,opened all,,opened all,,,,
203.0.113.0/24,opened all,,opened all,opened 8443; closed 443,,,
`},
		{"by namespaces: of the pairs of shop and ops, those with db change; that of db and its node is left out", report.Markdown, report.Options{Detail: report.Namespaces}, `
| from | to | ports |
| --- | --- | --- |
| all of these pods | outside | (+all) |
| ops (2 pods) | ops (2 pods) | +all |
| ops (2 pods) | shop (3 pods) | (+all) |
| ops (2 pods) | node:n1 | (+all) |
| shop (3 pods) | ops (2 pods) | (+all) |
| node:n1 | ops (2 pods) | (+all) |
| outside | all of these pods | (+all) |
| outside | shop (3 pods) | (-443) |

(In brackets): for some pairs only.

Added: ops/new.

All else stays as it is.
`},
		{"one namespace and what it has to do with", report.Text, report.Options{Namespaces: []string{"shop"}}, `
from             to                   ports
shop/db          ops/new (added)      +all
shop/db          ops/scan             +all
shop/db          node:n1              +all
shop/db          outside              +all
ops/new (added)  shop/db              +all
ops/scan         shop/db              +all
outside          shop/db              +all
203.0.113.0/24   shop/web-* (2 pods)  +8443
203.0.113.0/24   shop/web-* (2 pods)  -443
# Only what goes to and from pods in shop.
# Added: ops/new.
# All else to and from these pods stays as it is.
`},
		{"only those cells in which something changes", report.JSON, report.Options{}, `
{"is": "difference",
"detail": "alike",
"groups": [
{"name":"ops/new (added)","kind":"pods","namespace":"ops","only":"after","members":["ops/new"]},
{"name":"ops/scan","kind":"pods","namespace":"ops","members":["ops/scan"]},
{"name":"shop/db","kind":"pods","namespace":"shop","members":["shop/db"]},
{"name":"shop/web-* (2 pods)","kind":"pods","namespace":"shop","members":["shop/web-1","shop/web-2"]},
{"name":"node:n1","kind":"nodes","members":["node:n1"]},
{"name":"outside except 203.0.113.0/24","kind":"outside","members":["0.0.0.0/0 except 203.0.113.0/24"]},
{"name":"203.0.113.0/24","kind":"outside","members":["203.0.113.0/24"]}],
"cells": [
{"from":0,"to":[1,2,4,5,6],"opened":["all"]},
{"from":1,"to":[0,2],"opened":["all"]},
{"from":2,"to":[0,1,4,5,6],"opened":["all"]},
{"from":4,"to":[0],"opened":["all"]},
{"from":5,"to":[0,2],"opened":["all"]},
{"from":6,"to":[0,2],"opened":["all"]},
{"from":6,"to":[3],"opened":["8443/TCP"],"closed":["443/TCP"]}],
"warnings": []}
`},
		{"what is opened in green, what is closed in red and dashed", report.Mermaid, report.Options{}, `
flowchart LR
  subgraph c0["ops"]
    n0("new (added)"):::after
    n1("scan")
    n9("all of these in ops"):::many
  end
  subgraph c1["shop"]
    n2("db")
    n3("web-#42; (2 pods)")
  end
  subgraph c2["outside"]
    n5("outside except 203.0.113.0/24")
    n6("203.0.113.0/24")
    n11("outside"):::many
  end
  n4("node:n1")
  n9 <-->|"+all"| n2
  n0 <-->|"+all"| n1
  n0 <-->|"+all"| n4
  n0 <-->|"+all"| n11
  n2 -->|"+all"| n4
  n2 <-->|"+all"| n11
  n6 -->|"+8443"| n3
  n6 -->|"-443"| n3
  notes["Added: ops/new.<br>All else stays as it is."]
  classDef many stroke-dasharray:4 3
  classDef notes fill:none,stroke:none,text-align:left
  class notes notes
  classDef after stroke:#2da44e,stroke-width:2px
  classDef before stroke:#e5534b,stroke-width:2px,stroke-dasharray:6 4
  linkStyle 0,1,2,3,4,5,6 stroke:#2da44e
  linkStyle 7 stroke:#e5534b,stroke-dasharray:6 4
  classDef space fill:#8899aa22,stroke:#8899aa
  class c0,c1,c2 space
`},
	} {
		t.Run(string(tt.format)+", "+tt.why, func(t *testing.T) {
			m, err := report.OfDiff(d, tt.opts)
			require.NoError(t, err)
			var b strings.Builder
			require.NoError(t, m.Write(&b, tt.format))
			assert.Equal(t, strings.TrimPrefix(tt.want, "\n"), b.String())
		})
	}
}

// ring has a pod in each of four namespaces. Each lets in the next one only, on a port
// of its own.
func ring(t testing.TB) *reach.Graph {
	t.Helper()
	var b strings.Builder
	for i, ns := range []string{"a", "b", "c", "d"} {
		fmt.Fprintf(&b, `
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: %[1]s}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: %[1]s}
spec:
  podSelector: {}
  ingress:
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[2]s}}}]
    ports: [{port: %[3]d}]
---`, ns, []string{"b", "c", "d", "a"}[i], 80+i)
	}
	return compile(t, b.String())
}

// What is more than a limit is collapsed as little as needed, and that is said.
func TestLimit(t *testing.T) {
	three := compile(t, `
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: a}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: b}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: c}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: d}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: d}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
`)
	for _, tt := range []struct {
		why  string
		g    *reach.Graph
		opts report.Options
		want string
	}{
		{"pods that are alike are one though they are in several namespaces", three, report.Options{Limit: 4}, `
from \ to                      | a/p and 2 more in 3 namespaces | d/p | outside
a/p and 2 more in 3 namespaces | all                            | -   | all
d/p                            | -                              | .   | -
outside                        | all                            | -   | .
`},
		{"there is no need", three, report.Options{Limit: 5}, `
from \ to | a/p | b/p | c/p | d/p | outside
a/p       | .   | all | all | -   | all
b/p       | all | .   | all | -   | all
c/p       | all | all | .   | -   | all
d/p       | -   | -   | -   | .   | -
outside   | all | all | all | -   | .
`},
		{"each namespace is one, and those are still too many; all are as busy, so the first two stay", ring(t), report.Options{Limit: 4}, `
from \ to                   | a (1 pod) | b (1 pod) | 2 other namespaces (2 pods) | outside
a (1 pod)                   | .         | -         | (83)                        | all
b (1 pod)                   | 80        | .         | -                           | all
2 other namespaces (2 pods) | -         | (81)      | (82)                        | all
outside                     | -         | -         | -                           | .
# Each namespace is one end; without that there would be 5 ends.
# The 2 namespaces that have to do with the fewest others are one end.
# (In brackets): open for some pairs only.
`},
		{"a detail that is asked for has no limit", ring(t), report.Options{Limit: 4, Detail: report.Namespaces}, `
from \ to | a (1 pod) | b (1 pod) | c (1 pod) | d (1 pod) | outside
a (1 pod) | .         | -         | -         | 83        | all
b (1 pod) | 80        | .         | -         | -         | all
c (1 pod) | -         | 81        | .         | -         | all
d (1 pod) | -         | -         | 82        | .         | all
outside   | -         | -         | -         | -         | .
`},
	} {
		assert.Equal(t, strings.TrimPrefix(tt.want, "\n"), write(t, tt.g, tt.opts, report.Text), tt.why)
	}
}

// A cluster of thousands of pods is no more than a reader can take in.
func TestLargeClustersCollapse(t *testing.T) {
	m, err := report.Of(graph(t, scale.Size{Pods: 3_000, Policies: 600}), report.Options{})
	require.NoError(t, err)
	require.Equal(t, report.Alike, m.Detail, "the data has everything")
	require.Greater(t, len(m.Groups), 400)
	for f, most := range map[report.Format]int{ // lines
		report.Text: 300, report.Markdown: 300, report.HTML: 500, report.SVG: 60*60 + 500, report.DOT: 200, report.Mermaid: 200,
	} {
		var b strings.Builder
		require.NoError(t, m.Write(&b, f))
		assert.Less(t, strings.Count(b.String(), "\n"), most, f)
		assert.Contains(t, b.String(), fmt.Sprintf("there would be %d ends.", len(m.Groups)), f)
	}
}

func TestErrors(t *testing.T) {
	g := compile(t, small)
	d := reach.Compare(g, g)
	for _, tt := range []struct {
		opts report.Options
		want string
	}{
		{report.Options{Namespaces: []string{"shop", "nobody", ""}}, `no pods in namespace "nobody", ""`},
		{report.Options{Detail: "pods"}, `"pods" is no detail: want each, alike, namespaces or nothing`},
		{report.Options{Limit: 3}, "a limit of 3 groups: want at least 4, or 0"},
		{report.Options{Limit: -1}, "a limit of -1 groups: want at least 4, or 0"},
	} {
		_, err := report.Of(g, tt.opts)
		assert.EqualError(t, err, tt.want)
		_, err = report.OfDiff(d, tt.opts)
		assert.EqualError(t, err, tt.want)
	}
	m, err := report.Of(g, report.Options{})
	require.NoError(t, err)
	assert.EqualError(t, m.Write(io.Discard, "pdf"), `"pdf" is no format: want one of [text markdown csv json html svg dot mermaid]`)
	for _, f := range report.Formats() {
		assert.ErrorIs(t, m.Write(full{}, f), errFull, f)
	}
	assert.Panics(t, func() { m.At(0, len(m.Groups)) })
	assert.Panics(t, func() { m.At(-1, 0) })
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// A Matrix may be read and written by many at once. The race detector checks it.
func TestConcurrentUse(t *testing.T) {
	m, err := report.Of(graph(t, scale.M), report.Options{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for _, f := range append(report.Formats(), report.Formats()...) {
		wg.Go(func() {
			assert.NoError(t, m.Write(io.Discard, f))
			for range m.Cells() {
			}
		})
	}
	wg.Wait()
}

// Nothing is no picture, but no failure either.
func TestEmpty(t *testing.T) {
	g, err := reach.Compile(&policy.Cluster{})
	require.NoError(t, err)
	for _, f := range report.Formats() {
		m, err := report.Of(g, report.Options{})
		require.NoError(t, err)
		assert.NoError(t, m.Write(io.Discard, f))
		for _, d := range []*reach.Diff{{}, reach.Compare(g, g)} {
			m, err = report.OfDiff(d, report.Options{})
			require.NoError(t, err)
			assert.NoError(t, m.Write(io.Discard, f))
		}
	}
	assert.Equal(t, "# No flow is opened or closed.\n", func() string {
		m, err := report.OfDiff(&reach.Diff{}, report.Options{})
		require.NoError(t, err)
		var b strings.Builder
		require.NoError(t, m.Write(&b, report.Text))
		return b.String()
	}())
}
