package reach_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
)

// A truthTable is a cluster of testdata and what its truth.txt says of it.
type truthTable struct {
	name     string
	cluster  *policy.Cluster
	warnings []string // the codes of all warnings, sorted
	rows     []question
}

// TestTruthTables asks every row of every table. The evaluator that serves the
// property tests as oracle must know the answers too.
func TestTruthTables(t *testing.T) {
	for _, table := range readTruthTables(t) {
		t.Run(table.name, func(t *testing.T) {
			g, err := reach.Compile(table.cluster)
			require.NoError(t, err)
			assert.Equal(t, table.warnings, warningCodes(g), "the codes of the warnings:\n%v", g.Warnings())

			oracle := newNaive(table.cluster, reach.Profile{})
			for _, q := range table.rows {
				t.Run(q.title(), func(t *testing.T) {
					q.check(t, g)
					q.checkOracle(t, g, oracle, netip.Addr{})
				})
			}
		})
	}
}

// TestTruthTablesNoticeEveryPolicy breaks each policy of each cluster in two
// ways: without it, and with a rule that allows everything in its place. If
// that changes anything at all, a row must notice. So a table has rows for what
// each policy closes and for what it opens.
func TestTruthTablesNoticeEveryPolicy(t *testing.T) {
	noticed := 0
	for _, table := range readTruthTables(t) {
		t.Run(table.name, func(t *testing.T) {
			whole, err := reach.Compile(table.cluster)
			require.NoError(t, err)
			for i, np := range table.cluster.Policies {
				for _, change := range []struct {
					what     string
					policies []*networkingv1.NetworkPolicy
				}{
					{"removed", slices.Delete(slices.Clone(table.cluster.Policies), i, i+1)},
					{"opened", replaced(table.cluster.Policies, i, opened(t, np))},
				} {
					broken := *table.cluster
					broken.Policies = change.policies
					g, err := reach.Compile(&broken)
					require.NoError(t, err)
					if edgeTexts(g) == edgeTexts(whole) {
						continue
					}
					noticed++
					assert.True(t, slices.ContainsFunc(table.rows, func(q question) bool {
						return q.notices(t, g)
					}), "no row notices that %s/%s is %s", np.Namespace, np.Name, change.what)
				}
			}
		})
	}
	assert.Positive(t, noticed)
}

// notices reports whether g has another answer to q.
func (q question) notices(t *testing.T, g *reach.Graph) bool {
	t.Helper()
	if q.Outcome == "" {
		f := reach.Flow{From: g.MustLookup(q.From), To: g.MustLookup(q.To), Port: q.Port, Family: q.Family}
		return g.Allows(f) != q.Allow
	}
	c, err := q.connection(g)
	require.NoError(t, err, q.Line)
	return g.Reaches(c) != q.Outcome
}

// checkOracle compares the answer of oracle with q's.
func (q question) checkOracle(t *testing.T, g *reach.Graph, oracle *naive, balancer netip.Addr) {
	t.Helper()
	if q.Outcome == "" {
		assert.Equal(t, q.Allow, oracle.allows(q.From, q.To, q.Port, q.Family), "the oracle: %s", q.Line)
		return
	}
	c, err := q.connection(g)
	if !assert.NoError(t, err, q.Line) {
		return
	}
	// The oracle has no workloads whose pods are in the input.
	if oracle.knows(q.From) {
		got := oracle.trace(q.From, q.To, c.Port, q.Family, balancer)
		assert.Equal(t, q.Outcome, got.outcome, "the oracle: %s", q.Line)
	}
}

// title is short enough for the name of a subtest.
func (q question) title() string {
	port := q.PortText
	if q.Outcome == "" {
		port = q.Port.String()
	}
	title := fmt.Sprintf("%s to %s %s", q.From, q.To, port)
	switch q.Family {
	case reach.IPv4:
		title += " over IPv4"
	case reach.IPv6:
		title += " over IPv6"
	}
	return title
}

// readTruthTables reads all there are.
func readTruthTables(t *testing.T) []truthTable {
	t.Helper()
	files, err := filepath.Glob("../testdata/*/truth.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var tables []truthTable
	for _, file := range files {
		tables = append(tables, readTruthTable(t, file))
	}
	return tables
}

// readTruthTable reads the table in file and the manifests beside it. It
// refuses a row without a reason, the same question asked twice, and a table
// that has the same answer for everything.
func readTruthTable(t *testing.T, file string) truthTable {
	t.Helper()
	dir := filepath.Dir(file)
	table := truthTable{name: filepath.Base(dir)}

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	asked, answers := map[string]bool{}, map[bool]bool{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if codes, ok := strings.CutPrefix(line, "#! warnings:"); ok {
			require.Nil(t, table.warnings, "%s:%d: a second list of warnings", file, number)
			table.warnings = strings.Fields(codes)
			slices.Sort(table.warnings)
			continue
		}
		require.False(t, strings.HasPrefix(line, "#!"), "%s:%d: unknown directive", file, number)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		q, err := parseQuestion(line)
		require.NoError(t, err, "%s:%d", file, number)
		require.NotEmpty(t, q.Why, "%s:%d: a row needs a reason", file, number)
		require.False(t, asked[q.title()], "%s:%d: asked before", file, number)
		asked[q.title()] = true
		answers[q.Allow] = true
		table.rows = append(table.rows, q)
	}
	require.Len(t, answers, 2, "%s: a table must have rows that allow and rows that deny", file)

	table.cluster, err = policy.ParseFS(os.DirFS(dir), "manifests")
	require.NoError(t, err)
	require.NotEmpty(t, table.cluster.Policies)
	return table
}

// warningCodes returns the codes of g's warnings, each once, sorted.
func warningCodes(g *reach.Graph) []string {
	var codes []string
	for _, w := range g.Warnings() {
		codes = append(codes, w.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// opened returns a copy of np that allows everything in the directions that np
// isolates.
func opened(t *testing.T, np *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	t.Helper()
	p, err := policy.New(np)
	require.NoError(t, err)
	np = np.DeepCopy()
	if p.Half(policy.Ingress).Isolates {
		np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
	}
	if p.Half(policy.Egress).Isolates {
		np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
	}
	return np
}

// replaced returns a copy of list with e at index i.
func replaced[E any](list []E, i int, e E) []E {
	list = slices.Clone(list)
	list[i] = e
	return list
}

// edgeTexts writes down who reaches whom on which ports.
func edgeTexts(g *reach.Graph) string {
	var b strings.Builder
	for e := range g.Edges() {
		fmt.Fprintf(&b, "%v -> %v %v\n", e.From, e.To, e.Ports)
	}
	return b.String()
}
