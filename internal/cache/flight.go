package cache

import (
	"context"
	"errors"
	"sync"
)

// flightStripes is how many locks the flights are spread over.
const flightStripes = 64

// errUnfinished is what those who waited get when a load panicked.
var errUnfinished = errors.New("cache: the load that was waited for did not finish")

// flight is one running load. Its outcome may be read once done is closed.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// flights are the running loads by key and generation. A caller that comes
// after a Forget looks for another generation and so starts its own.
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

// fly loads for everyone who asks for the same at the same time.
func (c *Cache[V]) fly(ctx context.Context, t ticket, load func(context.Context) (Loaded[V], error)) (V, error) {
	f, pilot := c.flights.board(t)
	if !pilot {
		return f.wait(ctx)
	}
	defer c.flights.land(t, f)
	// Another flight may have landed since this caller looked.
	if e := c.find(t.key); e != nil {
		f.value, f.err = e.value, e.err
		return f.value, f.err
	}
	loaded, err := c.load(ctx, load)
	c.remember(t, loaded, err)
	f.value, f.err = loaded.Value, err
	return f.value, f.err
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
