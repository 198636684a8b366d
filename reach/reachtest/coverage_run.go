package reachtest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/polreach/polreach/policy"
)

// theRun is the run of this test binary, or nil if POLREACH_COVER is not set. It is
// the only state that this package keeps, since tests that know nothing of each
// other share a report.
var theRun = sync.OnceValue(func() *run {
	folder := os.Getenv("POLREACH_COVER")
	if folder == "" {
		return nil
	}
	r := &run{folder: folder, name: binaryName(), open: make(map[TB]bool), written: -1}
	r.coverage.run = r
	return r
})

// A run covers all tests of a binary. Nothing tells a package that the last test has
// ended, so it writes the reports whenever no test is open and they would say
// something new.
type run struct {
	folder, name string
	coverage     Coverage

	mu      sync.Mutex
	open    map[TB]bool // tests that have not ended
	written int         // the changes that the reports tell of
}

// binaryName returns a name for the reports: the path of the package under test,
// with dots for the slashes.
func binaryName() string {
	name := filepath.Base(os.Args[0])
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "" {
		name = info.Path
	}
	return strings.ReplaceAll(strings.TrimSuffix(name, ".test"), "/", ".")
}

// watchRun makes the run, if there is one, cover the policies of c.
func (c *Cluster) watchRun(t TB) {
	if r := theRun(); r != nil {
		c.asked = c.asked.watch(c, r.coverage.watch(c, func(at policy.Place) bool { return at.File != "" }))
		r.coverage.until(t)
	}
}

// until makes sure that the reports of the run are written when t has ended, if t
// can tell.
func (cov *Coverage) until(t TB) {
	r := cov.run
	ends, ok := t.(interface{ Cleanup(func()) })
	if r == nil || !ok || !reflect.ValueOf(t).Comparable() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[t] {
		return
	}
	r.open[t] = true
	ends.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, t)
		if len(r.open) > 0 {
			return
		}
		if err := r.write(); err != nil {
			t.Errorf("the coverage of policies cannot be written: %v", err)
		}
	})
}

// write writes the reports, if they would say something new.
func (r *run) write() error {
	r.coverage.mu.Lock()
	changes := r.coverage.changes
	r.coverage.mu.Unlock()
	if changes == r.written {
		return nil
	}
	if err := os.MkdirAll(r.folder, 0o777); err != nil {
		return err
	}
	s := r.coverage.snapshot()
	at := filepath.Join(r.folder, r.name)
	err := errors.Join(
		writeFile(at+".txt", func(w io.Writer) error { _, err := io.WriteString(w, s.String()); return err }),
		writeFile(at+".html", s.writeHTML),
	)
	if err == nil {
		r.written = changes
	}
	return err
}

// writeFile writes a file so that it is there as a whole or not at all.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
