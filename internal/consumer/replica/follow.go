package replica

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

const (
	// askWithin bounds one question to the ledger.
	askWithin = consumer.BeatEvery
	// retryAfter is about how soon it is asked again after it failed.
	retryAfter = 500 * time.Millisecond
)

// follow keeps this process in step until ctx ends, whatever fails.
func (r *Replica) follow(ctx context.Context) {
	trouble := newTrouble(r.options.Logger, "changes of consumers can't be followed")
	for {
		err := r.begin(ctx)
		if err == nil {
			err = r.ledger.Follow(ctx, r.Sequence(), r.apply)
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the ledger stopped telling of changes")
		}
		trouble.note(err)
		r.progress.fail(err)
		pause(ctx, r.spread(retryAfter))
	}
}

// begin finds where to follow from. What was remembered before that point may
// have been changed without our hearing of it, so it is forgotten.
func (r *Replica) begin(ctx context.Context) error {
	if r.progress.begun.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	at := r.options.Now() // before the question: the answer is no newer
	head, err := r.ledger.Head(ctx)
	if err != nil {
		return err
	}
	r.options.ForgetAll()
	r.progress.advance(head)
	r.progress.hear(at.Sub(r.started))
	r.beatSoon()
	return nil
}

// apply forgets what a change touches and only then counts the change as
// applied: who waits for that finds nothing old here any more.
func (r *Replica) apply(c consumer.Changes) {
	at := r.options.Now()
	back := c.Upto < r.Sequence()
	if back {
		r.options.Logger.Warn("the ledger of consumers has gone back, as after a restore: everything is forgotten", "from", r.Sequence(), "to", c.Upto)
	}
	if c.All || back {
		r.options.ForgetAll()
	}
	for _, name := range c.Consumers {
		r.options.Forget(name)
	}
	r.progress.advance(c.Upto)
	if len(c.Consumers) == 0 && !c.All {
		r.progress.hear(at.Sub(r.started)) // nothing after this, as of now
		return
	}
	r.beatSoon()
}
