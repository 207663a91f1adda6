package telemetry

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// logQueue is how many lines may wait for a slow reader of the log; each is a
// few hundred bytes, and a few KiB at most.
const logQueue = 4096

// patientWriter hands lines to a writer on a goroutine of its own, so that a
// reader who stops reading, or a disk that hangs, holds up nothing: no request,
// no reload, no drain. Lines that find no room are dropped and counted.
type patientWriter struct {
	to      io.Writer
	queue   chan []byte
	dropped atomic.Int64
	quit    chan struct{}
	done    chan struct{}
	stop    sync.Once
}

func newPatientWriter(to io.Writer) *patientWriter {
	w := &patientWriter{to: to, queue: make(chan []byte, logQueue), quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes a line over and never fails: slog could do nothing about it.
func (w *patientWriter) Write(line []byte) (int, error) {
	select {
	case w.queue <- append([]byte(nil), line...):
	default:
		w.dropped.Add(1)
	}
	return len(line), nil
}

func (w *patientWriter) run() {
	defer close(w.done)
	for {
		select {
		case line := <-w.queue:
			_, _ = w.to.Write(line) // a log that can't be written has nowhere to say so
		case <-w.quit:
			w.drain()
			return
		}
	}
}

// drain writes what waits.
func (w *patientWriter) drain() {
	for {
		select {
		case line := <-w.queue:
			_, _ = w.to.Write(line)
		default:
			return
		}
	}
}

// close writes the lines that wait, or gives up when ctx ends: the goroutine
// then ends with the write that it hangs in, or with the process.
func (w *patientWriter) close(ctx context.Context) error {
	w.stop.Do(func() { close(w.quit) })
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return errors.New("telemetry: the log's reader does not read: lines are lost")
	}
}
