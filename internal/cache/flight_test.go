package cache_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
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
	if got := <-first; !errors.Is(got.err, context.Canceled) {
		t.Errorf("the one who left: %+v", got)
	}
	close(h.release)
	if got := <-second; got.v != 7 || got.err != nil {
		t.Errorf("the one who stayed: %+v", got)
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

func TestFlightBeforeAChangeServesNobodyAfter(t *testing.T) {
	c := open(t, owned(time.Now))
	key, old := cache.Digest("a"), newHeld(1)
	before := fetchAside(context.Background(), c, key, old.load)
	<-old.begun
	c.ForgetOwner("a")
	fetch(t, c, key, &source{value: 2}, true)
	close(old.release)
	if got := <-before; got.v != 1 || got.err != nil {
		t.Fatalf("the one who asked before: %+v", got)
	}
	if v, _, ok := c.Get(key); !ok || v != 2 {
		t.Fatalf("got %d, %v: the older load came back", v, ok)
	}
}

// The change is of another owner, so what the older load found still counts.
func TestFlightOfAnotherOwnerIsKept(t *testing.T) {
	c := open(t, owned(time.Now))
	key, old := cache.Digest("a"), newHeld(1)
	before := fetchAside(context.Background(), c, key, old.load)
	<-old.begun
	c.ForgetOwner("b")
	close(old.release)
	<-before
	fetch(t, c, key, &source{value: 1}, false)
}

func TestANegativeOfAFlightBeforeAChangeIsNotKept(t *testing.T) {
	c := open(t, owned(time.Now))
	key, old := cache.Digest("a"), newHeld(0)
	old.err = errUnknown
	before := fetchAside(context.Background(), c, key, old.load)
	<-old.begun
	c.ForgetOwner("b")
	close(old.release)
	if got := <-before; got.err != errUnknown {
		t.Fatalf("the one who asked before: %+v", got)
	}
	fetch(t, c, key, &source{value: 1}, true)
}

func TestPanicOfALoadIsAnErrorToAllWhoWait(t *testing.T) {
	leaving, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"inline": context.Background(), "aside": leaving} {
		c := open(t, options(time.Now))
		key := cache.Digest("a")
		_, err := c.Fetch(ctx, key, func(context.Context) (cache.Loaded[int], error) { panic("canary") })
		if err == nil || !strings.Contains(err.Error(), "flight_test.go") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want the place and not the value", name, err)
		}
		fetch(t, c, key, &source{value: 1}, true)
	}
}

// A writer changes what an owner's keys are worth and forgets the owner, over
// and over, while readers fetch; no reader may see a value older than the newest
// one whose forgetting had returned when it began to ask. Every second state is
// "unknown", so that negatives race too.
func TestNothingStaleAfterAChange(t *testing.T) {
	c := open(t, owned(time.Now))
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
				at, err := state(c.Fetch(context.Background(), stressKey(k), func(context.Context) (cache.Loaded[int], error) {
					now := current[k].Load()
					runtime.Gosched() // let a change fall between the load and its keeping
					if now%2 == 1 {
						return cache.Loaded[int]{}, unknownAt(now)
					}
					return cache.Loaded[int]{Value: int(now)*10 + k + 1}, nil
				}))
				if err != nil || at < least {
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
			c.ForgetOwner(ownerOf(k + 1))
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

// unknownAt is a negative that tells which state it is of.
type unknownAt int64

func (u unknownAt) Error() string { return "unknown" }

func (u unknownAt) Is(target error) bool { return target == errUnknown }

// state is the state that an answer tells of.
func state(v int, err error) (int64, error) {
	var unknown unknownAt
	if errors.As(err, &unknown) {
		return int64(unknown), nil
	}
	return int64(v / 10), err
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
					c.ForgetOwner("a")
				}
			})
		}
		c.Close()
		wg.Wait()
	}
}
