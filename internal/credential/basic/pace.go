package basic

import (
	"sync"
	"time"
)

// pace bounds how much of the machine refused passwords may take over time: a
// flood of them would otherwise keep its cores, caches and memory as busy as
// the turns allow, which every other request feels. What is verified and right
// is not counted: it is remembered, and so it comes once.
//
// It is a bucket that leaks: each refused password fills it with the time that
// it took, the share empties it, and when it is full nothing is verified.
type pace struct {
	// share is how many cores refused passwords may take in the long run.
	share float64
	// burst is the work that they may take at once, such as when many users
	// mistype theirs.
	burst time.Duration

	mu sync.Mutex
	// due is when the bucket will be empty.
	due time.Time
}

// full reports that there is no room for another password now.
func (p *pace) full(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.due.After(now.Add(p.asLongAs(p.burst)))
}

// refused counts a password that took so long. Time by the wall is longer than
// work when the cores are busy, and then the pace is slower, as it should be.
func (p *pace) refused(now time.Time, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(p.asLongAs(took))
}

// asLongAs is how long the share takes to do an amount of work.
func (p *pace) asLongAs(work time.Duration) time.Duration {
	return time.Duration(float64(work) / p.share)
}
