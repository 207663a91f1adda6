package policy

import (
	"context"
	"sync/atomic"
	"time"
)

// budget ends an evaluation that has run for too long or that nobody waits for
// any more. OPA asks it before each expression and within its longest loops,
// always from the goroutine that evaluates; reading the clock there costs less
// than a timer or a goroutine a decision, and leaves nothing behind.
type budget struct {
	ctx      context.Context
	now      func() time.Time
	deadline time.Time
	spent    atomic.Bool
	// last is when the clock was read, and spare how often it is not read now.
	last  time.Time
	spare int
}

// Reading the clock is most of what the budget costs: a tenth of an evaluation.
// While expressions are brisk it is read at every fourth.
const (
	spared = 3
	brisk  = 20 * time.Microsecond
)

// Cancel implements topdown.Cancel.
func (b *budget) Cancel() { b.spent.Store(true) }

// Cancelled implements topdown.Cancel. Once true it stays true.
func (b *budget) Cancelled() bool {
	if b.spent.Load() {
		return true
	}
	if b.spare > 0 {
		b.spare--
		return false
	}
	now := b.now()
	if !now.Before(b.deadline) || b.ctx.Err() != nil {
		b.spent.Store(true)
		return true
	}
	if now.Sub(b.last) < brisk {
		b.spare = spared
	}
	b.last = now
	return false
}

// left is how much time there is. The clock is read again after what asks: it is
// about to take some of it.
func (b *budget) left() time.Duration {
	b.spare = 0
	return b.deadline.Sub(b.now())
}
