package policy

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// A compilation that never ends is left behind: neither who asked for it nor who
// asks again waits for it, and what is mended is compiled beside it.
func TestEndlessCompilation(t *testing.T) {
	var c Compilations
	end, begun := make(chan struct{}), atomic.Int32{}
	defer close(end)
	endless := func() (*program, error) {
		begun.Add(1)
		<-end
		return nil, nil
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := c.do(ctx, "endless", endless); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		cancel()
	}
	if n := begun.Load(); n != 1 {
		t.Errorf("begun %d times", n)
	}
	want := &program{}
	if got, err := c.do(t.Context(), "mended", func() (*program, error) { return want, nil }); got != want || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	for _, key := range []string{"a", "b", "c"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, _ = c.do(ctx, key, func() (*program, error) { <-end; return nil, nil })
		cancel()
	}
	if _, err := c.do(t.Context(), "one too many", func() (*program, error) { return want, nil }); !errors.Is(err, errManyCompilations) {
		t.Errorf("got %v", err)
	}
}

func TestPanickingCompiler(t *testing.T) {
	if p, err := new(Compilations).do(t.Context(), "a", func() (*program, error) { panic("x") }); p != nil || err == nil {
		t.Errorf("got %v, %v", p, err)
	}
}
