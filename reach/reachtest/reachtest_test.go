package reachtest_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
)

// A recorder is a test that keeps what is reported to it.
type recorder struct {
	log   string
	ended bool
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.log += fmt.Sprintf(format, args...) + "\n" }

func (r *recorder) FailNow() {
	r.ended = true
	runtime.Goexit()
}

// run returns what f reports.
func run(f func(t reachtest.TB)) *recorder {
	var r recorder
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(&r)
	}()
	<-done
	return &r
}

func shop(t reachtest.TB) *reachtest.Cluster {
	return reachtest.FS(t, os.DirFS("../../testdata/shop/manifests"))
}

func TestReaches(t *testing.T) {
	c := shop(t)
	assert.True(t, c.Reaches(t, "shop/api", "data/postgres", "5432"))
	r := run(func(t reachtest.TB) { c.Reaches(t, "shop/frontend", "data/postgres", "5432", "the pages need it") })
	assert.Contains(t, r.log, "the pages need it\nshop/frontend should reach data/postgres on 5432, but:")
	assert.False(t, r.ended)
}
