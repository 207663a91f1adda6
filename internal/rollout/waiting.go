package rollout

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

const (
	// maxNoted is how many revisions may wait to be written. Each holds its policy
	// in memory.
	maxNoted = 4
	// maxNames is how many are known by name alone, since they were given up.
	maxNames = 60
	// defaultRetry is how soon what could not be written is tried again.
	defaultRetry = 15 * time.Second
)

// noted is a revision that came into force.
type noted struct {
	revision string
	// policy is nil once it was given up.
	policy     *policy.Snapshot
	origin, by string
	at         time.Time
	// told: it was told of that it could not be written.
	told bool
}

// waiting are revisions that came into force and are not written yet, oldest
// first. Nobody who holds its lock waits for the disk.
type waiting struct {
	mu  sync.Mutex
	all []noted
	// newest came into force last.
	newest string
}

// add reports the revision that was given up for this one; empty: none. One that
// waits already waits once, since it came into force last.
func (w *waiting) add(n noted) (lost string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.all {
		if w.all[i].revision != n.revision {
			continue
		}
		if n.told = w.all[i].told; w.newest == n.revision {
			n.at = w.all[i].at // it was in force all along
		}
		w.all = slices.Delete(w.all, i, i+1)
		break
	}
	w.all, w.newest = append(w.all, n), n.revision
	if held := slices.IndexFunc(w.all, func(n noted) bool { return n.policy != nil }); w.held() > maxNoted {
		lost, w.all[held].policy = w.all[held].revision, nil
	}
	w.all = w.all[max(0, len(w.all)-maxNoted-maxNames):]
	return lost
}

func (w *waiting) held() (n int) {
	for i := range w.all {
		if w.all[i].policy != nil {
			n++
		}
	}
	return n
}

func (w *waiting) list() []noted {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// written takes one away that is on the disk now, unless it came into force anew.
func (w *waiting) written(done noted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = slices.DeleteFunc(w.all, func(n noted) bool { return n.revision == done.revision && n.at.Equal(done.at) })
}

// tell reports whether it has to be told that one could not be written: once.
func (w *waiting) tell(failed noted) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.all {
		if w.all[i].revision == failed.revision {
			first, w.all[i].told = !w.all[i].told, true
		}
	}
	return first
}

// Note keeps a revision that came into force, without waiting for the disk. What
// can't be written is tried again, for as long as not too many others wait.
func (r *Revisions) Note(p *policy.Snapshot, origin, by string) {
	if lost := r.waiting.add(noted{revision: p.Rules(), policy: p, origin: origin, by: by, at: r.options.Now()}); lost != "" {
		r.failed("a policy revision is not kept, since too many wait to be written", errGivenUp(lost))
	}
	select {
	case r.woken <- struct{}{}:
	default: // it will look anyway
	}
}

// errGivenUp names a revision that is lost.
type errGivenUp string

func (e errGivenUp) Error() string { return "the revision " + string(e) + " was given up" }

// write writes what is noted, until Close.
func (r *Revisions) write() {
	defer close(r.done)
	again := time.NewTicker(cmp.Or(r.options.Retry, defaultRetry))
	defer again.Stop()
	for {
		select {
		case <-r.woken:
		case <-again.C:
		case <-r.quit:
			r.writeWaiting()
			return
		}
		r.writeWaiting()
	}
}

// writeWaiting leaves what can't be written for the next time.
func (r *Revisions) writeWaiting() {
	for _, n := range r.waiting.list() {
		if n.policy == nil {
			continue
		}
		err := r.keep(n)
		switch {
		case err == nil:
			r.waiting.written(n)
			if n.told {
				r.options.Logger.Info("a policy revision that could not be kept is kept now", "policy", n.revision)
			}
		case r.waiting.tell(n):
			r.failed("a policy revision could not be kept; that is tried again", err)
		}
	}
}
