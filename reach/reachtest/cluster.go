package reachtest

import (
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// TB is what the assertions need of a test: *testing.T, *testing.B and *rapid.T
// have it, and whoever tests an assertion makes one of their own.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

// A Cluster is a compiled cluster to make assertions about. [FS], [Text] and
// [Objects] return one; the zero Cluster is of no use. It is immutable and safe for
// concurrent use.
type Cluster struct {
	objects *policy.Cluster
	graph   *reach.Graph
	require bool
	asked   *record // nil if nobody wants to know what was asked

	declared func() policy.PortSet // the ports that something in it mentions
}

// FS reads the manifests in files and folders of fsys, or all of it, as
// [policy.ParseFS] does, and compiles them. What is wrong with them ends the test,
// with the place of every fault.
func FS(t TB, fsys fs.FS, roots ...string) *Cluster {
	t.Helper()
	c, err := policy.ParseFS(fsys, roots...)
	if err != nil {
		fatal(t, "the manifests cannot be read:\n%v", err)
		return nil
	}
	return Objects(t, c)
}

// Text reads manifests from a text in the test, YAML or JSON, and compiles them as
// FS does. A text that begins with a line such as "-- deploy/db.yaml --" is a txtar
// archive: such lines begin files, which errors then name.
func Text(t TB, text string) *Cluster {
	t.Helper()
	if files, ok := archive(text); ok {
		return FS(t, files)
	}
	c, err := policy.Parse("manifests", strings.NewReader(text))
	if err != nil {
		fatal(t, "the manifests cannot be read:\n%v", err)
		return nil
	}
	return Objects(t, c)
}

// archive returns the files of a txtar archive. It reports false if text is none.
func archive(text string) (fstest.MapFS, bool) {
	files, name := fstest.MapFS{}, ""
	for line := range strings.Lines(text) {
		if mark, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "-- "); ok && strings.HasSuffix(mark, " --") {
			name = strings.TrimSpace(strings.TrimSuffix(mark, "--"))
			files[name] = &fstest.MapFile{}
			continue
		}
		switch {
		case name != "":
			files[name].Data = append(files[name].Data, line...)
		case strings.TrimSpace(line) != "":
			return nil, false
		}
	}
	return files, name != ""
}

// Objects compiles a cluster. Faulty objects end the test. The objects must not
// change as long as the Cluster is in use.
func Objects(t TB, c *policy.Cluster) *Cluster {
	t.Helper()
	return compiled(t, c, reach.Profile{})
}

func compiled(t TB, c *policy.Cluster, p reach.Profile) *Cluster {
	t.Helper()
	g, err := p.Compile(c)
	if err != nil {
		fatal(t, "the cluster cannot be compiled:\n%v", err)
		return nil
	}
	return &Cluster{objects: c, graph: g, asked: recorder(), declared: declaredPorts(c)}
}

// fatal ends a test.
func fatal(t TB, format string, args ...any) {
	t.Helper()
	t.Errorf("%s", fmt.Sprintf(format, args...))
	t.FailNow()
}

// Under returns the same cluster under a plugin that behaves as p says.
func (c *Cluster) Under(t TB, p reach.Profile) *Cluster {
	t.Helper()
	n := compiled(t, c.objects, p)
	if n != nil {
		n.require = c.require
	}
	return n
}

// With returns the cluster after edits. What is wrong with these ends the test.
func (c *Cluster) With(t TB, edits ...policy.Edit) *Cluster {
	t.Helper()
	objects, err := c.objects.With(edits...)
	if err == nil {
		n := *c
		n.objects = objects
		if n.graph, err = c.graph.With(edits...); err == nil {
			return &n
		}
	}
	fatal(t, "the edits cannot be made:\n%v", err)
	return nil
}

// Require returns c with assertions that end the test where they fail.
func (c *Cluster) Require() *Cluster {
	n := *c
	n.require = true
	return &n
}

// Graph returns the compiled cluster, for all that has no assertion.
func (c *Cluster) Graph() *reach.Graph { return c.graph }

// fail reports a failure, and ends the test if c requires it. It returns false.
func (c *Cluster) fail(t TB, why []any, format string, args ...any) bool {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	if len(why) > 0 {
		text = explained(why) + "\n" + text
	}
	t.Errorf("%s", text)
	if c.require {
		t.FailNow()
	}
	return false
}

// explained returns the words of the caller.
func explained(why []any) string {
	if format, ok := why[0].(string); ok && len(why) > 1 {
		return fmt.Sprintf(format, why[1:]...)
	}
	return fmt.Sprint(why...)
}
