package bearer

import (
	"context"
	"sync"
	"time"
)

// Bounds of what unknown key ids can bring about: anyone can make them up.
const (
	askEvery   = 30 * time.Second
	patience   = 150 * time.Millisecond
	maxWaiting = 64
)

// asks lets tokens with an unknown kid bring a fetch about, at most one in
// askEvery, and wait for it a little.
type asks struct {
	// wake tells the issuer's loop to fetch now.
	wake chan struct{}
	now  func() time.Time

	mu      sync.Mutex
	running chan struct{} // closed when the fetch under way ends; nil: none
	asked   time.Time
	waiting int
}

func newAsks(now func() time.Time) asks { return asks{wake: make(chan struct{}, 1), now: now} }

// await returns when the fetch under way has ended, at the end of its patience,
// or at once when there is nothing to wait for.
func (a *asks) await(ctx context.Context) {
	done := a.join()
	if done == nil {
		return
	}
	defer a.leave()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// join returns the end of the fetch under way, which it may bring about.
func (a *asks) join() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == nil {
		now := a.now()
		if !a.asked.IsZero() && now.Sub(a.asked) < askEvery {
			return nil
		}
		a.asked, a.running = now, make(chan struct{})
		a.wake <- struct{}{} // begin empties it, so that there is room
	}
	if a.waiting == maxWaiting {
		return nil
	}
	a.waiting++
	return a.running
}

func (a *asks) leave() {
	a.mu.Lock()
	a.waiting--
	a.mu.Unlock()
}

// begin says that a fetch begins, whoever brought it about.
func (a *asks) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.wake:
	default:
	}
	if a.running == nil {
		a.running = make(chan struct{})
	}
}

// end says that it has ended.
func (a *asks) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.running)
	a.running = nil
}
