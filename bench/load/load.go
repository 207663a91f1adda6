// Package load asks an authorization server many questions and measures what
// the answers cost it. Only answers that are what they should be count: one
// that is not ends the run.
package load

import (
	"context"
	"sync"
	"sync/atomic"
)

// Connections and InFlight are how a busy gateway asks: a few connections, and
// on each as many questions at once.
const (
	Connections = 4
	InFlight    = 16
)

// drive calls ask n times with the numbers from 0, by Connections × InFlight
// workers. It returns the first error, and ends early for it.
func drive(ctx context.Context, n int, ask func(ctx context.Context, worker, i int) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for worker := range Connections * InFlight {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := ask(ctx, worker, i); err != nil {
					fail(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}
