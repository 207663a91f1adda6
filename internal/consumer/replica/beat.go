package replica

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// beatGap is the least time between two beats. Each is a write, and those who
// wait for a receipt don't notice it.
const beatGap = 20 * time.Millisecond

var errEnded = errors.New("this instance follows the ledger no more")

// beats tells the ledger that this instance lives and what it has applied: at
// its intervals, and at once after something was applied.
func (r *Replica) beats(ctx context.Context) {
	trouble := newTrouble(r.options.Logger, "this instance can't tell that it lives")
	tick := time.NewTicker(consumer.BeatEvery)
	defer tick.Stop()
	for {
		err := r.beat(ctx)
		if ctx.Err() == nil {
			trouble.note(err)
		}
		if !pause(ctx, beatGap) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.due:
		}
	}
}

func (r *Replica) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return r.ledger.Beat(ctx, consumer.Instance{
		ID: r.options.ID, Name: r.options.Name, Version: r.options.Version,
		Applied: r.Sequence(), StartedAt: r.started,
	})
}

func (r *Replica) beatSoon() {
	select {
	case r.due <- struct{}{}:
	default: // it is due already, and will tell the newest
	}
}
