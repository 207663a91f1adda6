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
}

// Cancel implements topdown.Cancel.
func (b *budget) Cancel() { b.spent.Store(true) }

// Cancelled implements topdown.Cancel. Once true it stays true.
func (b *budget) Cancelled() bool {
	if b.spent.Load() {
		return true
	}
	if b.now().Before(b.deadline) && b.ctx.Err() == nil {
		return false
	}
	b.spent.Store(true)
	return true
}
