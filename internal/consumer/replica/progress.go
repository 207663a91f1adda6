package replica

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// progress is how far this process has come. What requests ask of it is read
// without a lock.
type progress struct {
	sequence atomic.Int64
	// begun: the ledger has been reached since the start.
	begun atomic.Bool
	// heard is when the ledger last said that there is nothing more, as the time
	// since the start, so that steps of the wall clock don't count.
	heard atomic.Int64

	mu sync.Mutex
	// moved is closed, and replaced, when the sequence moves.
	moved chan struct{}
	// failure is why nothing is followed; nil while it is.
	failure error
}

func newProgress() *progress { return &progress{moved: make(chan struct{})} }

// advance tells everybody who waits of a new sequence.
func (p *progress) advance(upto consumer.Sequence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = nil
	if p.sequence.Swap(int64(upto)) != int64(upto) {
		close(p.moved)
		p.moved = make(chan struct{})
	}
}

// hear notes that nothing was unknown at a time since the start.
func (p *progress) hear(at time.Duration) {
	p.heard.Store(int64(at))
	p.begun.Store(true)
}

func (p *progress) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = err
}

// next is closed when the sequence moves on from what it is.
func (p *progress) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moved
}

// State is what readiness and metrics want to know.
type State struct {
	// Begun: the ledger has been reached since the start. Before that no
	// instance should be sent requests.
	Begun    bool
	Sequence consumer.Sequence
	// Staleness is as Replica.Staleness has it.
	Staleness time.Duration
	// Failure is why nothing is followed; nil while it is, and while it is not
	// known.
	Failure error
	// DroppedUses counts uses of credentials that there was no room for.
	DroppedUses int64
}

// State returns the state now.
func (r *Replica) State() State {
	r.progress.mu.Lock()
	failure := r.progress.failure
	r.progress.mu.Unlock()
	return State{
		Begun: r.progress.begun.Load(), Sequence: r.Sequence(), Staleness: r.Staleness(),
		Failure: failure, DroppedUses: r.uses.dropped.Load(),
	}
}

// Sequence is the last change that this process has applied.
func (r *Replica) Sequence() consumer.Sequence {
	return consumer.Sequence(r.progress.sequence.Load())
}

// Staleness is the time since the ledger last said that there was no change
// beyond those that are applied; the longest there is before it first said so.
// It takes no lock.
func (r *Replica) Staleness() time.Duration {
	if !r.progress.begun.Load() {
		return math.MaxInt64
	}
	return r.options.Now().Sub(r.started) - time.Duration(r.progress.heard.Load())
}

// Applied waits until this process has applied a change. It fails when ctx ends
// first, or the Replica does.
func (r *Replica) Applied(ctx context.Context, upto consumer.Sequence) error {
	for {
		moved := r.progress.next()
		if r.Sequence() >= upto {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("waiting until change %d is applied: %w", upto, context.Cause(ctx))
		case <-r.ended:
			return fmt.Errorf("change %d is not applied: %w", upto, errEnded)
		}
	}
}
