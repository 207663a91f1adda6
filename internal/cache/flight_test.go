package cache_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/cache"
)

// held is a load that waits until it is let go.
type held struct {
	source
	begun, release chan struct{}
}

func newHeld(value int) *held {
	return &held{source: source{value: value}, begun: make(chan struct{}), release: make(chan struct{})}
}

func (h *held) load(ctx context.Context) (cache.Loaded[int], error) {
	close(h.begun)
	select {
	case <-h.release:
		return h.source.load(ctx)
	case <-ctx.Done():
		return cache.Loaded[int]{}, ctx.Err()
	}
}

// outcome is what a Fetch returned.
type outcome struct {
	v   int
	err error
}

func fetchAside(ctx context.Context, c *cache.Cache[int], key cache.Key, load func(context.Context) (cache.Loaded[int], error)) <-chan outcome {
	got := make(chan outcome, 1)
	go func() {
		v, err := c.Fetch(ctx, key, load)
		got <- outcome{v, err}
	}()
	return got
}

func TestOneLoadForMany(t *testing.T) {
	c := open(t, options(time.Now))
	for round := range 50 {
		key, s := cache.Digest(string(rune(round))), &source{value: round}
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				if v, err := c.Fetch(context.Background(), key, s.load); v != round || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		if n := s.loads.Load(); n != 1 {
			t.Fatalf("%d loads", n)
		}
	}
}

func TestFirstCallerLeavesOthersStay(t *testing.T) {
	c := open(t, options(time.Now))
	key, h := cache.Digest("a"), newHeld(7)
	ctx, cancel := context.WithCancel(context.Background())
	first := fetchAside(ctx, c, key, h.load)
	<-h.begun
	second := fetchAside(context.Background(), c, key, h.load)
	cancel()
	close(h.release)
	for _, got := range []outcome{<-first, <-second} {
		if got.v != 7 || got.err != nil {
			t.Errorf("got %+v", got)
		}
	}
}

func TestWaiterLeavesWithItsContext(t *testing.T) {
	c := open(t, options(time.Now))
	key, h := cache.Digest("a"), newHeld(7)
	first := fetchAside(context.Background(), c, key, h.load)
	<-h.begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Fetch(ctx, key, h.load); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(h.release)
	<-first
}

func TestLoadIsBounded(t *testing.T) {
	o := options(time.Now)
	o.LoadTimeout = time.Millisecond
	c := open(t, o)
	h := newHeld(7) // never let go
	if _, err := c.Fetch(context.Background(), cache.Digest("a"), h.load); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestFlightBeforeForgetServesNobodyAfter(t *testing.T) {
	c := open(t, options(time.Now))
	key, old := cache.Digest("a"), newHeld(1)
	before := fetchAside(context.Background(), c, key, old.load)
	<-old.begun
	c.Forget(key)
	fetch(t, c, key, &source{value: 2}, true)
	close(old.release)
	if got := <-before; got.v != 1 || got.err != nil {
		t.Fatalf("the one who asked before: %+v", got)
	}
	if v, _, ok := c.Get(key); !ok || v != 2 {
		t.Fatalf("got %d, %v: the older load came back", v, ok)
	}
}

func TestPanicOfALoadReleasesThoseWhoWait(t *testing.T) {
	c := open(t, options(time.Now))
	key := cache.Digest("a")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = c.Fetch(context.Background(), key, func(context.Context) (cache.Loaded[int], error) { panic("load") })
	}()
	fetch(t, c, key, &source{value: 1}, true)
}

// A writer sets a value and forgets, over and over, while readers fetch; no
// reader may see a value older than the newest one whose Forget had returned
// when it began to ask.
func TestNothingStaleAfterForget(t *testing.T) {
	c := open(t, options(time.Now))
	rounds := 20_000
	if testing.Short() || raceEnabled {
		rounds = 3_000
	}
	const keys = 4
	var current, forgotten [keys]atomic.Int64
	var stale, hits, asked atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	for r := range 8 {
		wg.Go(func() {
			for i := r; !done.Load(); i++ {
				k := i % keys
				least := forgotten[k].Load()
				v, err := c.Fetch(context.Background(), stressKey(k), func(context.Context) (cache.Loaded[int], error) {
					v := int(current[k].Load())
					runtime.Gosched() // let a Forget fall between the load and its keeping
					return cache.Loaded[int]{Value: v}, nil
				})
				if err != nil || int64(v) < least {
					stale.Add(1)
				}
				if _, _, ok := c.Get(stressKey(k)); ok {
					hits.Add(1)
				}
				asked.Add(1)
			}
		})
	}
	for i := range rounds {
		for asked.Load() < int64(4*i) {
			runtime.Gosched()
		}
		k := i % keys
		current[k].Add(1)
		if i%97 == 0 {
			c.ForgetAll()
		} else {
			c.Forget(stressKey(k))
		}
		forgotten[k].Store(current[k].Load())
	}
	done.Store(true)
	wg.Wait()
	if n := stale.Load(); n != 0 {
		t.Errorf("%d stale answers", n)
	}
	if hits.Load() == 0 {
		t.Error("the cache was never hit: this test shows nothing")
	}
}

func stressKey(k int) cache.Key { return cache.Digest("stress", string(rune('a'+k))) }

func TestCloseUnderTraffic(t *testing.T) {
	for range 20 {
		c := open(t, options(time.Now))
		var wg sync.WaitGroup
		for r := range 4 {
			wg.Go(func() {
				for i := range 500 {
					key := cache.Digest(string(rune(r)), string(rune(i%50)))
					if v, err := c.Fetch(context.Background(), key, (&source{value: 1}).load); v != 1 || err != nil {
						t.Errorf("got %d, %v", v, err)
					}
					c.Forget(key)
				}
			})
		}
		c.Close()
		wg.Wait()
	}
}
