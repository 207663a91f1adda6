package telemetry

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// hanging is a writer whose reader has stopped reading.
type hanging struct {
	release chan struct{}
	mu      sync.Mutex
	got     bytes.Buffer
}

func (h *hanging) Write(p []byte) (int, error) {
	<-h.release
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got.Write(p)
}

// TestAHangingLogHoldsUpNothing: whoever logs goes on, what finds no room is
// counted, and closing gives up in time.
func TestAHangingLogHoldsUpNothing(t *testing.T) {
	to := &hanging{release: make(chan struct{})}
	w := newPatientWriter(to)
	for range 2 * logQueue {
		if n, err := w.Write([]byte("line\n")); n != 5 || err != nil {
			t.Fatal(n, err)
		}
	}
	if lost := w.dropped.Load(); lost < logQueue-1 || lost > logQueue {
		t.Errorf("%d lines were dropped, want those beyond %d", lost, logQueue)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := w.close(ctx); err == nil {
		t.Error("closing says that all was written")
	}
	close(to.release)
	if err := w.close(t.Context()); err != nil {
		t.Error(err)
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	if lines := strings.Count(to.got.String(), "line\n"); lines < logQueue || lines > logQueue+1 {
		t.Errorf("%d lines were written, want what waited", lines)
	}
}
