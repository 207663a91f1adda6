package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// A compilation's bounds. OPA's compiler heeds no context, and a few lines can
// keep its type checker for ever: such a compilation is left behind, and the same
// is not begun again while it goes on.
const (
	compileTimeout  = 30 * time.Second
	maxCompilations = 4
)

// Compilations are those of one process that are under way. Its zero value is
// ready.
type Compilations struct {
	group   singleflight.Group
	running atomic.Int32
}

// errManyCompilations is for a policy that has to wait for a mended one.
var errManyCompilations = errors.New("compiling has not begun: that of others that were here before has not ended; take them away and start anew")

// do compiles what a key names, or waits for who does already. It returns when
// ctx ends or the time is over, whatever the compiler does.
func (c *Compilations) do(ctx context.Context, key string, compile func() (*program, error)) (*program, error) {
	answer := c.group.DoChan(key, func() (any, error) {
		if c.running.Add(1) > maxCompilations {
			c.running.Add(-1)
			return (*program)(nil), errManyCompilations
		}
		defer c.running.Add(-1)
		return recovered(compile)
	})
	timer := time.NewTimer(compileTimeout)
	defer timer.Stop()
	select {
	case r := <-answer:
		p, _ := r.Val.(*program)
		return p, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, problem("compiling takes longer than %v: the types of some values may be too large, such as of lists that are put together from others again and again", compileTimeout)
	}
}

// recovered keeps a panic of the compiler from ending the process.
func recovered(compile func() (*program, error)) (p *program, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			p, err = nil, fmt.Errorf("the compiler failed: panic of type %T\n%s", cause, debug.Stack())
		}
	}()
	return compile()
}
