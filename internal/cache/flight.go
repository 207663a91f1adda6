package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/postern-authz/postern/internal/access"
)

// flightStripes is how many locks the flights are spread over.
const flightStripes = 64

// errUnfinished is the outcome of a load that gave none.
var errUnfinished = errors.New("cache: the load did not finish")

// ticket is a key and what the clock of changes said: what a load that begins
// then may answer for.
type ticket struct {
	key   Key
	clock uint64
}

// flight is one running load. Its outcome may be read once done is closed.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// flights are the running loads. A caller that comes after a change holds
// another ticket and so starts its own.
type flights[V any] struct {
	stripes [flightStripes]struct {
		sync.Mutex
		running map[ticket]*flight[V]
	}
}

// board returns the running flight, or a new one that the caller must fly.
func (f *flights[V]) board(t ticket) (fl *flight[V], pilot bool) {
	s := &f.stripes[t.key[11]%flightStripes]
	s.Lock()
	defer s.Unlock()
	if fl := s.running[t]; fl != nil {
		return fl, false
	}
	if s.running == nil {
		s.running = make(map[ticket]*flight[V])
	}
	fl = &flight[V]{done: make(chan struct{}), err: errUnfinished}
	s.running[t] = fl
	return fl, true
}

// land ends a flight: nobody boards it any more, and those who wait go on.
func (f *flights[V]) land(t ticket, fl *flight[V]) {
	s := &f.stripes[t.key[11]%flightStripes]
	s.Lock()
	delete(s.running, t)
	s.Unlock()
	close(fl.done)
}

// fly loads for everyone who asks for the same at the same time. A pilot that
// nothing can call away loads by itself; else the flight has a goroutine, which
// ends with the load.
func (c *Cache[V]) fly(ctx context.Context, t ticket, load func(context.Context) (Loaded[V], error)) (V, error) {
	f, pilot := c.flights.board(t)
	switch {
	case !pilot:
	case ctx.Done() == nil:
		c.carry(ctx, f, t, load)
	default:
		go c.carry(ctx, f, t, load)
	}
	return f.wait(ctx)
}

// carry fills a flight and lands it, whatever the load does. A panic there is an
// error to all who wait, with the place: on a goroutine of its own it would end
// the process.
func (c *Cache[V]) carry(ctx context.Context, f *flight[V], t ticket, load func(context.Context) (Loaded[V], error)) {
	defer c.flights.land(t, f)
	defer func() {
		if cause := recover(); cause != nil {
			f.err = fmt.Errorf("%w: %s\n%s", errUnfinished, access.PanicText(cause), debug.Stack())
		}
	}()
	// Another flight may have landed since the pilot looked.
	if e := c.find(t.key); e != nil {
		f.value, f.err = e.value, e.err
		return
	}
	loaded, err := c.load(ctx, load)
	c.remember(t, loaded, err)
	f.value, f.err = loaded.Value, err
}

// load runs for all who wait, so it doesn't end with the one who began it.
func (c *Cache[V]) load(ctx context.Context, load func(context.Context) (Loaded[V], error)) (Loaded[V], error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.options.LoadTimeout)
	defer cancel()
	return load(ctx)
}

func (f *flight[V]) wait(ctx context.Context) (v V, err error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return v, ctx.Err()
	}
}
