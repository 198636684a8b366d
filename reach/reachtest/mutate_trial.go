package reachtest

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// A trial is a test that ends at the first failure.
type trial struct {
	mu     sync.Mutex
	bad    bool
	helped bool   // some assertion was made
	words  bool   // keep the text
	text   string // of the failure
	by     string // the goroutine that runs it
}

// Helper is what assertions call first.
func (t *trial) Helper() {
	t.mu.Lock()
	t.helped = true
	t.mu.Unlock()
}

// Errorf fails the test. It ends it, too, if the test itself calls it, and not
// another goroutine for which the test may wait.
func (t *trial) Errorf(format string, args ...any) {
	t.mu.Lock()
	if t.words && !t.bad {
		t.text = strings.TrimSuffix(fmt.Sprintf(format, args...), "\n")
	}
	t.bad = true
	t.mu.Unlock()
	if goroutine() == t.by {
		runtime.Goexit()
	}
}

func (t *trial) FailNow() {
	t.mu.Lock()
	t.bad = true
	t.mu.Unlock()
	runtime.Goexit()
}

func (t *trial) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bad
}

// run runs a test to its end. A panic is a failure.
func (t *trial) run(test func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended := false
		defer func() {
			p := recover()
			t.mu.Lock()
			defer t.mu.Unlock()
			switch {
			case ended || t.bad:
				return
			case p != nil:
				t.text = fmt.Sprintf("panic: %v", p)
			default:
				t.text = "the suite has ended its goroutine"
			}
			t.bad = true
		}()
		t.by = goroutine()
		test()
		ended = true
	}()
	<-done
}

// goroutine returns the number of the goroutine that calls it.
func goroutine() string {
	var b [64]byte
	fields := bytes.Fields(b[:runtime.Stack(b[:], false)])
	return string(fields[1]) // "goroutine 7 [running]:"
}
