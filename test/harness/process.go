package harness

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a program that a test started.
type Process struct {
	name   string
	cmd    *exec.Cmd
	output *tail
	done   chan struct{}
	err    error
}

// Start runs cmd and returns once ready answers nil. The program is stopped
// when the test ends; what it printed is shown when the test failed.
func Start(t testing.TB, name string, cmd *exec.Cmd, ready func() error) *Process {
	t.Helper()
	p := &Process{name: name, cmd: cmd, output: &tail{limit: 64 << 10}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Stop(t)
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, p.output)
		}
	})
	WaitFor(t, name+" to be ready", func() error {
		if p.Exited() {
			t.Fatalf("%s ended before it was ready (%v):\n%s", name, p.err, p.output)
		}
		return ready()
	})
	return p
}

// Stop asks the program to end, waits, and kills it when it outstays Patience.
// Stopping twice is harmless.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	p.Wait(t)
}

// Signal sends a signal to a program that may have ended already.
func (p *Process) Signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal %s: %v", p.name, err)
	}
}

// Wait returns when the program has ended. One that doesn't within Patience is
// killed and fails the test.
func (p *Process) Wait(t testing.TB) {
	t.Helper()
	select {
	case <-p.done:
		return
	case <-time.After(Patience):
	}
	t.Errorf("%s did not stop within %s; it is killed", p.name, Patience)
	_ = p.cmd.Process.Kill() // it may have ended in this very moment
	<-p.done
}

// Exited reports whether the program has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Output returns the last of what the program printed on both streams.
func (p *Process) Output() string { return p.output.String() }

// WaitFor polls a condition until it answers nil, and fails the test with its
// last answer after Patience.
func WaitFor(t testing.TB, what string, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s: %v", Patience, what, err)
		}
		time.Sleep(pollEvery)
	}
}

// tail keeps the last bytes that were written to it.
type tail struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	limit int
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(p)
	if over := w.buf.Len() - w.limit; over > 0 {
		w.buf.Next(over)
	}
	return len(p), nil
}

// String returns what is kept.
func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
