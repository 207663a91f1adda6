package introspect

import (
	"sync"
	"time"
)

// Bounds of the breaker.
const (
	// maxFailures in a row open it.
	maxFailures = 5
	// openFor is how long it stays open before one call may try again.
	openFor = time.Second
)

// outcome is what a call says about the server's health.
type outcome uint8

const (
	// unknown says nothing: the caller went away.
	unknown outcome = iota
	// answered is a server that is there, whatever its answer is worth. An
	// answer that is no good hangs on the token, which anyone can make up, so
	// it must not stop the asking about others.
	answered
	failed
)

// breaker stops asking a server that does not answer, so that requests fail at
// once instead of waiting, and the server gets room to recover. It is small
// enough to be written here: a library's would read the clock by itself.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	// opened is when it opened last; zero: it is closed.
	opened  time.Time
	probing bool
}

// allow reports whether a call may be made; who was allowed must call done.
// While the breaker is open, one call at a time finds out whether the server is
// back.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened.IsZero() {
		return true
	}
	if b.probing || b.now().Sub(b.opened) < openFor {
		return false
	}
	b.probing = true
	return true
}

// done notes how a call ended. It reports whether the breaker changed.
func (b *breaker) done(o outcome) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch o {
	case answered:
		changed = !b.opened.IsZero()
		b.failures, b.opened = 0, time.Time{}
	case failed:
		b.failures++
		if b.failures >= maxFailures {
			changed = b.opened.IsZero()
			b.opened = b.now()
		}
	case unknown:
	}
	return changed
}

// open reports whether it is open.
func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.opened.IsZero()
}
