package admin

import (
	"sync"
	"time"
)

// How many wrong tokens an address may show in a window before it is told to
// wait. A good token is answered all the same: tokens can't be guessed, the
// bound keeps a broken client from filling logs.
const (
	maxFailures   = 20
	failureWindow = time.Minute
	// maxAddresses bounds the memory that a flood from many addresses takes.
	maxAddresses = 4096
)

// throttle counts wrong tokens by client address.
type throttle struct {
	now func() time.Time

	mu       sync.Mutex
	failures map[string]*failures
}

type failures struct {
	count int
	until time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, failures: map[string]*failures{}}
}

// failed notes a wrong token. It returns how long the address should wait, 0
// while it has not failed too often.
func (t *throttle) failed(address string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	f := t.failures[address]
	if f == nil || !now.Before(f.until) {
		t.makeRoom(now)
		f = &failures{until: now.Add(failureWindow)}
		t.failures[address] = f
	}
	f.count++
	if f.count <= maxFailures {
		return 0
	}
	return f.until.Sub(now)
}

// makeRoom forgets windows that have ended and, if that is not enough, any
// other one.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.failures) < maxAddresses {
		return
	}
	for address, f := range t.failures {
		if !now.Before(f.until) {
			delete(t.failures, address)
		}
	}
	for address := range t.failures {
		if len(t.failures) < maxAddresses {
			return
		}
		delete(t.failures, address)
	}
}
