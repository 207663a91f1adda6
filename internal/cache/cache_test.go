package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errUnknown = errors.New("unknown key")

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// pass lets time pass on both readings of the clock.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// step moves the wall clock alone, as an administrator or NTP would. The first
// word of a time.Time with a monotonic reading holds the wall seconds above its
// 30 bits of nanoseconds.
func (c *clock) step(t *testing.T, d time.Duration) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	stepped := c.now
	wall := (*uint64)(unsafe.Pointer(&stepped))
	*wall = uint64(int64(*wall) + int64(d/time.Second)<<30)
	if stepped.Sub(c.now) != 0 || stepped.Round(0).Sub(c.now.Round(0)) != d {
		t.Fatal("time.Time is laid out otherwise: this test can't step its clock")
	}
	c.now = stepped
}

func options(now func() time.Time) cache.Options[int] {
	return cache.Options[int]{
		MaxMemory:    64 << 20,
		MaxNegatives: 1000,
		TTL:          time.Minute,
		NegativeTTL:  5 * time.Second,
		Negative:     func(err error) bool { return errors.Is(err, errUnknown) },
		Now:          now,
	}
}

func open(t testing.TB, o cache.Options[int]) *cache.Cache[int] {
	t.Helper()
	c, err := cache.New[int](o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// source is what a cache loads from; it counts.
type source struct {
	loads   atomic.Int64
	value   int
	expires time.Time
	err     error
}

func (s *source) load(context.Context) (cache.Loaded[int], error) {
	s.loads.Add(1)
	return cache.Loaded[int]{Value: s.value, Expires: s.expires}, s.err
}

// fetch fetches and checks what comes and whether it was loaded.
func fetch(t *testing.T, c *cache.Cache[int], key cache.Key, s *source, loaded bool) {
	t.Helper()
	before := s.loads.Load()
	v, err := c.Fetch(context.Background(), key, s.load)
	if !errors.Is(err, s.err) || err == nil && v != s.value {
		t.Fatalf("got %d, %v, want %d, %v", v, err, s.value, s.err)
	}
	if got := s.loads.Load() > before; got != loaded {
		t.Fatalf("loaded: %v, want %v", got, loaded)
	}
}

func TestValueIsSeenAtOnce(t *testing.T) {
	c := open(t, options(time.Now))
	for i := range 1000 {
		key := cache.Digest("key", fmt.Sprint(i))
		s := &source{value: i}
		fetch(t, c, key, s, true)
		if v, err, ok := c.Get(key); !ok || err != nil || v != i {
			t.Fatalf("Get right after Fetch: %d, %v, %v", v, err, ok)
		}
		fetch(t, c, key, s, false)
	}
}

// ownerOf is the owner of a value in these tests: "a" of 1, 11, 21…, "b" of 2,
// 12, 22… and so on; multiples of 10 are nobody's.
func ownerOf(v int) string {
	if v%10 == 0 {
		return ""
	}
	return string(rune('a' + (v%10+10)%10 - 1))
}

func owned(now func() time.Time) cache.Options[int] {
	o := options(now)
	o.Owner = ownerOf
	return o
}

func TestWhatAChangeEnds(t *testing.T) {
	tests := map[string]struct {
		owner  func(int) string
		forget func(*cache.Cache[int])
		ends   []string
	}{
		"its owner":           {ownerOf, func(c *cache.Cache[int]) { c.ForgetOwner("a") }, []string{"mine", "nobody's", "negative"}},
		"its owner, in case":  {ownerOf, func(c *cache.Cache[int]) { c.ForgetOwner("A") }, []string{"mine", "nobody's", "negative"}},
		"nobody":              {ownerOf, func(c *cache.Cache[int]) { c.ForgetOwner("") }, []string{"nobody's", "negative"}},
		"all":                 {ownerOf, (*cache.Cache[int]).ForgetAll, []string{"mine", "another's", "nobody's", "negative"}},
		"an owner, if none":   {nil, func(c *cache.Cache[int]) { c.ForgetOwner("a") }, []string{"negative"}},
		"everything, if none": {nil, (*cache.Cache[int]).ForgetAll, []string{"mine", "another's", "nobody's", "negative"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := options(time.Now)
			o.Owner = tt.owner
			c := open(t, o)
			sources := map[string]*source{"mine": {value: 1}, "another's": {value: 2}, "nobody's": {value: 10}, "negative": {err: errUnknown}}
			for what, s := range sources {
				fetch(t, c, cache.Digest(what), s, true)
				fetch(t, c, cache.Digest(what), s, false)
			}
			tt.forget(c)
			for what, s := range sources {
				ended := slices.Contains(tt.ends, what)
				if _, _, ok := c.Get(cache.Digest(what)); ok == ended {
					t.Errorf("%s: there %v, want %v", what, ok, !ended)
				}
				fetch(t, c, cache.Digest(what), s, ended)
				fetch(t, c, cache.Digest(what), s, false)
			}
		})
	}
}

func TestAKeyThatIsMadeAfterItsRefusal(t *testing.T) {
	c := open(t, owned(time.Now))
	s := &source{err: errUnknown}
	fetch(t, c, cache.Digest("new"), s, true)
	fetch(t, c, cache.Digest("new"), s, false)
	s.value, s.err = 1, nil
	c.ForgetOwner("a")
	fetch(t, c, cache.Digest("new"), s, true)
	fetch(t, c, cache.Digest("new"), s, false)
}

func TestEntriesEndByTheClock(t *testing.T) {
	for name, tt := range map[string]struct {
		life time.Duration // the value's own; 0: none
		err  error
		end  time.Duration
	}{
		"ttl":               {end: time.Minute},
		"expiry before ttl": {life: 10 * time.Second, end: 10 * time.Second},
		"expiry after ttl":  {life: time.Hour, end: time.Minute},
		"negative":          {err: errUnknown, end: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			c := open(t, options(clock.Now))
			key, s := cache.Digest(name), &source{value: 1, err: tt.err}
			if tt.life > 0 {
				s.expires = clock.Now().Add(tt.life)
			}
			fetch(t, c, key, s, true)
			clock.pass(tt.end - time.Nanosecond)
			fetch(t, c, key, s, false)
			clock.pass(time.Nanosecond)
			fetch(t, c, key, s, true)
		})
	}
}

func TestStepOfTheWallClock(t *testing.T) {
	for name, tt := range map[string]struct {
		step         time.Duration
		life         time.Duration
		reloadBefore bool // right after the step
		reloadAfter  bool // a TTL later
	}{
		"forward leaves the ttl":        {step: time.Hour, reloadAfter: true},
		"back does not prolong the ttl": {step: -time.Hour, reloadAfter: true},
		"forward reaches the expiry":    {step: 20 * time.Second, life: 10 * time.Second, reloadBefore: true, reloadAfter: true},
		"back: the ttl ends it":         {step: -time.Hour, life: 10 * time.Second, reloadAfter: true},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			c := open(t, options(clock.Now))
			key, s := cache.Digest(name), &source{value: 1}
			if tt.life > 0 {
				s.expires = clock.Now().Add(tt.life)
			}
			fetch(t, c, key, s, true)
			clock.step(t, tt.step)
			fetch(t, c, key, s, tt.reloadBefore)
			clock.pass(time.Minute)
			fetch(t, c, key, s, tt.reloadAfter)
		})
	}
}

func TestPassedExpiryIsNotRemembered(t *testing.T) {
	c := open(t, options(time.Now))
	s := &source{value: 1, expires: time.Now().Add(-time.Second)}
	fetch(t, c, cache.Digest("a"), s, true)
	fetch(t, c, cache.Digest("a"), s, true)
}

func TestOtherErrorsAreNotRemembered(t *testing.T) {
	c := open(t, options(time.Now))
	s := &source{err: errors.New("store is down")}
	fetch(t, c, cache.Digest("a"), s, true)
	fetch(t, c, cache.Digest("a"), s, true)
	s.err = nil
	fetch(t, c, cache.Digest("a"), s, true)
	fetch(t, c, cache.Digest("a"), s, false)
}

func TestOffLoadsEveryTime(t *testing.T) {
	o := options(time.Now)
	o.MaxMemory = 0
	c := open(t, o)
	for _, s := range []*source{{value: 1}, {err: errUnknown}} {
		for range 3 {
			fetch(t, c, cache.Digest("a"), s, true)
		}
		if _, _, ok := c.Get(cache.Digest("a")); ok {
			t.Fatal("remembered something")
		}
		c.ForgetOwner("a")
		c.ForgetAll()
	}
	if got := c.Stats(); got != (cache.Stats{Misses: 6}) {
		t.Fatalf("stats: %+v", got)
	}
}

func TestClosedCacheIsOff(t *testing.T) {
	c := open(t, options(time.Now))
	s := &source{value: 1}
	fetch(t, c, cache.Digest("a"), s, true)
	c.Close()
	c.Close()
	fetch(t, c, cache.Digest("a"), s, true)
	fetch(t, c, cache.Digest("a"), s, true)
	c.ForgetOwner("a")
}

// Two digests whose first eight bytes are one key to Ristretto.
func TestWholeDigestIsCompared(t *testing.T) {
	c := open(t, options(time.Now))
	mine, yours := cache.Digest("mine"), cache.Digest("mine")
	yours[31] ^= 1
	fetch(t, c, mine, &source{value: 1}, true)
	if _, _, ok := c.Get(yours); ok {
		t.Fatal("another digest was a hit")
	}
	fetch(t, c, yours, &source{value: 2}, true)
	if v, _, ok := c.Get(mine); ok && v != 1 {
		t.Fatalf("got %d", v)
	}
	fetch(t, c, yours, &source{value: 2}, false)
}

func TestDigestParts(t *testing.T) {
	seen := map[cache.Key][]string{}
	long := string(make([]byte, 3000))
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"", "ab"}, {"ab", ""}, {"b", "a"},
		{long}, {long, ""}, {"", long}, {long[:1000]}, {long[:1000], ""}, {"", long[:1000]},
		{"\x00\x00\x00\x00\x00\x00\x00\x00"},
	} {
		key := cache.Digest(parts...)
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q are one", parts, other)
		}
		seen[key] = parts
		if cache.Digest(parts...) != key {
			t.Errorf("%q: not the same twice", parts)
		}
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	c := open(t, options(time.Now))
	good, bad := cache.Digest("good"), cache.Digest("bad")
	fetch(t, c, good, &source{value: 1}, true)
	fetch(t, c, bad, &source{err: errUnknown}, true)
	ctx, load := context.Background(), (&source{}).load
	token := string(make([]byte, 1500))
	for name, f := range map[string]func(){
		"get":          func() { _, _, _ = c.Get(good) },
		"get negative": func() { _, _, _ = c.Get(bad) },
		"fetch":        func() { _, _ = c.Fetch(ctx, good, load) },
		"digest key":   func() { cache.Digest("api_key", "revision", token[:32]) },
		"digest token": func() { cache.Digest("jwt", "revision", token) },
	} {
		// Under the race detector sync.Pool, of which Ristretto makes use,
		// forgets things at random.
		if n := testing.AllocsPerRun(1000, f); n > 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*cache.Options[int]){
		"memory":       func(o *cache.Options[int]) { o.MaxMemory = -1 },
		"negatives":    func(o *cache.Options[int]) { o.MaxNegatives = -1 },
		"ttl":          func(o *cache.Options[int]) { o.TTL = 0 },
		"negative ttl": func(o *cache.Options[int]) { o.NegativeTTL = -1 },
		"load timeout": func(o *cache.Options[int]) { o.LoadTimeout = -1 },
		"clock":        func(o *cache.Options[int]) { o.Now = nil },
	} {
		o := options(time.Now)
		change(&o)
		if c, err := cache.New[int](o); err == nil {
			c.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestStatsCount(t *testing.T) {
	c := open(t, options(time.Now))
	good, bad := &source{value: 1}, &source{err: errUnknown}
	fetch(t, c, cache.Digest("good"), good, true)
	fetch(t, c, cache.Digest("bad"), bad, true)
	for range 3 {
		fetch(t, c, cache.Digest("good"), good, false)
		fetch(t, c, cache.Digest("bad"), bad, false)
	}
	got := c.Stats()
	if got.Bytes < 512 || got.Bytes > 1024 {
		t.Errorf("bytes: %d", got.Bytes)
	}
	got.Bytes = 0
	if want := (cache.Stats{Hits: 3, Negatives: 3, Misses: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
