package reach_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAllowsDoesNotAllocate(t *testing.T) {
	g := shop(t)
	for _, fam := range families {
		for _, ends := range [][2]string{
			{"shop/api", "data/postgres"},
			{"shop/api", "shop/api"},
			{"shop/api", "replica:shop/api"},
			{"node-of:shop/api", "shop/api"},
			{"203.0.113.9", "shop/frontend"},
		} {
			f := reach.Flow{From: g.MustLookup(ends[0]), To: g.MustLookup(ends[1]), Port: policy.TCP.Port(5432), Family: fam}
			assert.Zero(t, testing.AllocsPerRun(100, func() { g.Allows(f) }), "%v", f)
		}
	}
}

// Allows is one call: what it spends its time in is inlined into it, on the
// path of two pods on different nodes. It is itself too large to be inlined
// into its callers.
func TestQueryPathIsInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, f := range []string{"key", "(*Graph).port", "(*Graph).rowAt", "(*Graph).bit", "(*Graph).egressPasses", "(*Graph).ingressPasses"} {
		assert.Contains(t, string(out), "can inline "+f+"\n")
	}
	calls := regexp.MustCompile(`(?m)^\./graph\.go:(\d+):\d+: inlining call to (.*)$`)
	first, last := linesOf(t, "graph.go", "Allows")
	inlined := make(map[string]int)
	for _, m := range calls.FindAllStringSubmatch(string(out), -1) {
		if line, err := strconv.Atoi(m[1]); err == nil && first <= line && line <= last {
			inlined[m[2]]++
		}
	}
	assert.Equal(t, map[string]int{"policy.Port.Valid": 1, "policy.Protocol.HasPorts": 1, "key": 1, "(*Graph).port": 1, "(*Graph).rowAt": 2, "(*Graph).bit": 2}, inlined)
}

// linesOf returns the first and the last line of a function in a file.
func linesOf(t *testing.T, file, name string) (first, last int) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, 0)
	require.NoError(t, err)
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
			return fset.Position(fn.Pos()).Line, fset.Position(fn.End()).Line
		}
	}
	t.Fatalf("%s has no function %s", file, name)
	return 0, 0
}

// A Graph answers many goroutines at once, also those that ask first for what
// it works out on demand. The race detector checks it.
func TestConcurrentQueries(t *testing.T) {
	g := shop(t)
	want := g.Explain(reach.Flow{From: g.MustLookup("shop/api"), To: g.MustLookup("data/postgres"), Port: policy.TCP.Port(5432)}).String()
	fresh := shop(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			f := reach.Flow{From: fresh.MustLookup("shop/api"), To: fresh.MustLookup("data/postgres"), Port: policy.TCP.Port(5432)}
			assert.True(t, fresh.Allows(f))
			assert.Equal(t, want, fresh.Explain(f).String())
			for e := range fresh.Edges() {
				assert.False(t, e.Ports.IsEmpty())
			}
			fresh.Warnings()
			fresh.Outside()
		})
	}
	wg.Wait()
}

// The mistakes of a programmer that panic are those that the docs name.
func TestPanics(t *testing.T) {
	g, other := shop(t), shop(t)
	api, db := g.MustLookup("shop/api"), g.MustLookup("data/postgres")
	port := policy.TCP.Port(5432)
	for _, tt := range []struct {
		why  string
		flow reach.Flow
	}{
		{"the zero Endpoint is in no Graph", reach.Flow{To: db, Port: port}},
		{"an Endpoint means nothing to another Graph", reach.Flow{From: other.MustLookup("shop/api"), To: db, Port: port}},
		{"the zero Port is no port", reach.Flow{From: api, To: db}},
		{"TCP has no port 0", reach.Flow{From: api, To: db, Port: policy.TCP.Port(0)}},
		{"ICMP has no ports", reach.Flow{From: api, To: db, Port: policy.ICMP.Port(8)}},
		{"there are two families", reach.Flow{From: api, To: db, Port: port, Family: 3}},
	} {
		assert.Panics(t, func() { g.Allows(tt.flow) }, tt.why)
		assert.Panics(t, func() { g.Explain(tt.flow) }, tt.why)
	}
	assert.Panics(t, func() { g.Ports(reach.Endpoint{}, db) })
	assert.Panics(t, func() { g.Ports(api, other.MustLookup("data/postgres")) })
	assert.Panics(t, func() { g.MustLookup("shop/nobody") })
}

// Queries of a compiled Graph do not look at the objects, which it keeps for With:
// changing them later changes no answer.
func TestQueriesDoNotLookAtObjects(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", Labels: map[string]string{"app": "p"}}}
	np := readPolicy(t, `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
spec:
  podSelector: {matchLabels: {app: p}}
  policyTypes: [Ingress]
`)
	g, err := reach.Compile(&policy.Cluster{Pods: []*corev1.Pod{pod}, Policies: np})
	require.NoError(t, err)
	outside := g.MustLookup("203.0.113.9")
	f := reach.Flow{From: outside, To: g.MustLookup("a/p"), Port: policy.TCP.Port(80)}
	before := g.Explain(f).String()
	pod.Labels["app"] = "q"
	np[0].Spec.PodSelector.MatchLabels["app"] = "r"
	np[0].Spec.PolicyTypes = nil
	assert.False(t, g.Allows(f))
	assert.Equal(t, before, g.Explain(f).String())
}

// No package of the library imports what it has no business with.
func TestImports(t *testing.T) {
	forbidden := []string{"os", "net", "net/http", "log", "log/slog", "testing", "pgregory.net/rapid", "unsafe"}
	allowed := map[string][]string{"reach/reachtest": {"testing", "pgregory.net/rapid", "os"}} // it is for tests alone, and reads and writes their files
	extra := map[string][]string{
		"reach":    {"sigs.k8s.io/yaml", "go.yaml.in/yaml/v3", "encoding/json"},
		"selector": {"sigs.k8s.io/yaml", "go.yaml.in/yaml/v3", "k8s.io/api/"},
		"cidr":     {"k8s.io/", "sigs.k8s.io/", "go.yaml.in/", "github.com/"},
	}
	for _, pkg := range []string{"cidr", "selector", "policy", "policy/scale", "reach", "reach/audit", "reach/generate", "reach/reachtest", "reach/report"} {
		files, err := filepath.Glob("../" + pkg + "/*.go")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			require.NoError(t, err)
			for _, spec := range f.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				if !slices.Contains(allowed[pkg], path) {
					assert.NotContains(t, forbidden, path, file)
				}
				assert.NotContains(t, path, "polreach/reach/reachtest", "%s imports what is for tests", file)
				assert.False(t, strings.HasPrefix(path, "k8s.io/client-go"), file)
				for _, prefix := range extra[pkg] {
					assert.False(t, strings.HasPrefix(path, prefix), "%s imports %s", file, path)
				}
			}
		}
	}
}
