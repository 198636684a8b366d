package reachtest

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
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
	profile reach.Profile
	require bool
	files   fs.FS   // that the objects were read from, if known
	asked   *record // nil if nobody wants to know what is asked
	role    *role   // nil unless Mutate runs a suite on it

	model    func() (*policy.Model, error) // of the objects; made when it is needed
	declared func() policy.PortSet         // the ports that something in it mentions
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
	return loaded(t, c, fsys)
}

// Text reads manifests from a text in the test, YAML or JSON, and compiles them as
// FS does. A text that begins with a line such as "-- deploy/db.yaml --" is a txtar
// archive: such lines begin files, which errors then name.
func Text(t TB, text string) *Cluster {
	t.Helper()
	files, err := archive(text)
	if err != nil {
		fatal(t, "the manifests cannot be read:\n%v", err)
		return nil
	}
	if files != nil {
		return FS(t, files)
	}
	c, err := policy.Parse("manifests", strings.NewReader(text))
	if err != nil {
		fatal(t, "the manifests cannot be read:\n%v", err)
		return nil
	}
	return loaded(t, c, fstest.MapFS{"manifests": {Data: []byte(text)}})
}

// archive returns the files of a txtar archive, or nil if text is none: if
// anything but blank lines and comments comes before the first file. What would be
// lost in an archive is an error.
func archive(text string) (fstest.MapFS, error) {
	files := fstest.MapFS{}
	var file *fstest.MapFile
	number := 0
	for line := range strings.Lines(text) {
		number++
		mark, ok := strings.CutPrefix(strings.TrimRight(line, " \t\r\n"), "-- ")
		if name, isMark := strings.CutSuffix(mark, "--"); ok && isMark {
			name = strings.TrimSpace(name)
			switch _, twice := files[name]; {
			case twice:
				return nil, fmt.Errorf("line %d: a second file %s", number, name)
			case !fs.ValidPath(name) || name == ".":
				return nil, fmt.Errorf("line %d: %q is no name of a file; write one such as deploy/db.yaml", number, name)
			case !isManifest(name):
				return nil, fmt.Errorf("line %d: %s would not be read; the names of manifests end in .yaml, .yml or .json", number, name)
			}
			file = &fstest.MapFile{}
			files[name] = file
			continue
		}
		text, _, _ := strings.Cut(line, "#")
		switch {
		case file != nil:
			file.Data = append(file.Data, line...)
		case strings.TrimSpace(text) != "":
			return nil, nil
		}
	}
	if file == nil {
		return nil, nil
	}
	return files, nil
}

// isManifest reports whether a folder of manifests is read with the file.
func isManifest(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return false
		}
	}
	base := path.Base(name)
	switch strings.ToLower(path.Ext(base)) {
	case ".yaml", ".yml", ".json":
		return base != "kustomization.yaml" && base != "kustomization.yml"
	}
	return false
}

// Objects compiles a cluster. Faulty objects end the test. The objects must not
// change as long as the Cluster is in use.
func Objects(t TB, c *policy.Cluster) *Cluster {
	t.Helper()
	return loaded(t, c, nil)
}

// loaded compiles a cluster that was read from files, which may be nil.
func loaded(t TB, c *policy.Cluster, files fs.FS) *Cluster {
	t.Helper()
	n := compiled(t, c, reach.Profile{})
	if n != nil {
		n.files = files
		n.watchRun(t)
	}
	return n
}

func compiled(t TB, c *policy.Cluster, p reach.Profile) *Cluster {
	t.Helper()
	g, err := p.Compile(c)
	if err != nil {
		fatal(t, "the cluster cannot be compiled:\n%v", err)
		return nil
	}
	return &Cluster{objects: c, graph: g, profile: p, model: sync.OnceValues(c.Model), declared: declaredPorts(c)}
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
		n.require, n.files, n.asked = c.require, c.files, c.asked.of(n)
	}
	return n
}

// With returns the cluster after edits. What is wrong with these ends the test.
func (c *Cluster) With(t TB, edits ...policy.Edit) *Cluster {
	t.Helper()
	objects, err := c.objects.With(edits...)
	if err == nil {
		n := *c
		n.objects, n.model, n.declared, n.role = objects, sync.OnceValues(objects.Model), declaredPorts(objects), nil
		if n.graph, err = c.Graph().With(edits...); err == nil {
			n.asked = c.asked.of(&n)
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
func (c *Cluster) Graph() *reach.Graph {
	if c.isMutant() {
		return c.role.plain()
	}
	return c.graph
}

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
