package replica

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxUses bounds the credentials whose last use waits to be written.
	maxUses = 100_000
	// usesAtOnce bounds one write of them, so that other writers get their turn.
	usesAtOnce = 1000
	// flushEvery is about how often they are written.
	flushEvery = 30 * time.Second
	// seenSlots is how many credentials can be known to have been noted.
	seenSlots = 1 << 14
)

// uses remembers when credentials were last used, to the minute. A use in a
// minute that is noted already takes no lock and allocates nothing.
type uses struct {
	seed maphash.Seed
	// seen holds what was noted last, by the hash of its id. Two ids of one slot
	// push each other out, which costs each the lock.
	seen []atomic.Pointer[use]

	mu sync.Mutex
	// young and old hold, by id, the minute of the last use that is not written
	// yet. When young is full it becomes the old one, whose own are dropped.
	young, old map[string]int64
	dropped    atomic.Int64
}

// use is a credential's use in a minute since 1970.
type use struct {
	id     string
	minute int64
}

func newUses() *uses {
	return &uses{
		seed: maphash.MakeSeed(), seen: make([]atomic.Pointer[use], seenSlots),
		young: map[string]int64{}, old: map[string]int64{},
	}
}

func (u *uses) touch(id string, minute int64) {
	slot := &u.seen[maphash.String(u.seed, id)%seenSlots]
	if last := slot.Load(); last != nil && last.minute >= minute && last.id == id {
		return
	}
	slot.Store(&use{id, minute})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.note(id, minute)
}

// note keeps the later of two uses.
func (u *uses) note(id string, minute int64) {
	u.young[id] = max(minute, u.young[id], u.old[id])
	delete(u.old, id)
	if len(u.young) >= maxUses/2 {
		u.dropped.Add(int64(len(u.old)))
		u.young, u.old = map[string]int64{}, u.young
	}
}

// take removes some, the old ones first.
func (u *uses) take() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := map[string]time.Time{}
	for _, from := range []map[string]int64{u.old, u.young} {
		for id, minute := range from {
			if len(taken) == usesAtOnce {
				return taken
			}
			taken[id] = time.Unix(minute*60, 0).UTC()
			delete(from, id)
		}
	}
	return taken
}

func (u *uses) putBack(taken map[string]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, at := range taken {
		u.note(id, at.Unix()/60)
	}
}

// Touch notes that a credential was used. It is written later, to the minute. It
// is made to be called for every request.
func (r *Replica) Touch(id string, at time.Time) { r.uses.touch(id, at.Unix()/60) }

// flushes writes uses until ctx ends.
func (r *Replica) flushes(ctx context.Context) {
	trouble := newTrouble(r.options.Logger, "when credentials were last used can't be written")
	for pause(ctx, r.spread(flushEvery)) {
		err := r.flush(ctx)
		if ctx.Err() == nil {
			trouble.note(err)
		}
	}
}

// flush writes what waits. What can't be written goes on waiting.
func (r *Replica) flush(ctx context.Context) error {
	for {
		taken := r.uses.take()
		if len(taken) == 0 {
			return nil
		}
		if err := r.write(ctx, taken); err != nil {
			r.uses.putBack(taken)
			return err
		}
	}
}

func (r *Replica) write(ctx context.Context, taken map[string]time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return r.ledger.Used(ctx, taken)
}
