package replica

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// Options say who follows a ledger and what it does about a change. All but
// Name and Version must be there.
type Options struct {
	// ID is new at every start; Name and Version are for people. They are what
	// a receipt of a change shows.
	ID, Name, Version string
	// Forget drops what is remembered of a consumer, and all that rests on there
	// being no such record; ForgetAll drops everything. Neither may block for
	// long: nothing else is applied meanwhile.
	Forget    func(consumer string)
	ForgetAll func()
	Now       func() time.Time
	// Random spreads what many instances do at the same intervals.
	Random io.Reader
	Logger *slog.Logger
}

// Replica follows a ledger until it is closed. It is used by many goroutines at
// once.
type Replica struct {
	ledger   consumer.Ledger
	options  Options
	started  time.Time
	progress *progress
	uses     *uses
	// due asks for a beat; one that is asked for already is enough.
	due  chan struct{}
	stop context.CancelFunc
	// ended is closed when nothing is followed any more.
	ended <-chan struct{}
	work  sync.WaitGroup
}

// Start begins to follow a ledger, which need not be reachable yet. It ends with
// ctx; the owner closes it all the same.
func Start(ctx context.Context, ledger consumer.Ledger, o Options) *Replica {
	ctx, stop := context.WithCancel(ctx)
	r := &Replica{
		ledger: ledger, options: o, started: o.Now(),
		progress: newProgress(), uses: newUses(), due: make(chan struct{}, 1),
		stop: stop, ended: ctx.Done(),
	}
	r.work.Go(func() { r.follow(ctx) })
	r.work.Go(func() { r.beats(ctx) })
	r.work.Go(func() { r.flushes(ctx) })
	return r
}

// leaveWithin bounds what is still done when everything else has ended.
const leaveWithin = 5 * time.Second

// Close ends everything, hands on the last uses and takes this instance out of
// the list. The ledger stays open.
func (r *Replica) Close() {
	r.stop()
	r.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), leaveWithin)
	defer cancel()
	if err := r.flush(ctx); err != nil {
		r.options.Logger.Warn("when credentials were last used could not be written", "error", err.Error())
	}
	if err := r.ledger.Leave(ctx, r.options.ID); err != nil {
		r.options.Logger.Warn("this instance could not be taken out of the list", "error", err.Error())
	}
}

// spread makes a time up to a quarter longer or shorter.
func (r *Replica) spread(d time.Duration) time.Duration {
	var b [1]byte
	if _, err := io.ReadFull(r.options.Random, b[:]); err != nil {
		return d
	}
	return d*3/4 + d/2*time.Duration(b[0])/255
}

// pause waits and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
