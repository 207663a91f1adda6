package cache_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/cache"
)

// remembered is an entry of the naive cache that ours is compared with.
type remembered struct {
	v          int
	err        error
	until, end time.Time
}

// model is a map, a clock and the source of values. Room is never short here,
// so ours must remember whatever the map does.
type model struct {
	clock   *clock
	cache   *cache.Cache[int]
	entries map[int]remembered
}

var errDown = errors.New("store is down")

func (m *model) get(k int) (remembered, bool) {
	e, ok := m.entries[k]
	now := m.clock.Now()
	ok = ok && now.Before(e.until) && (e.end.IsZero() || now.Before(e.end))
	return e, ok
}

func (m *model) fetch(t *rapid.T) {
	k := rapid.IntRange(0, 4).Draw(t, "key")
	want := remembered{v: rapid.IntRange(0, 1000).Draw(t, "value"), until: m.clock.Now().Add(time.Minute)}
	want.err = rapid.SampledFrom([]error{nil, nil, errUnknown, errDown}).Draw(t, "error")
	if life := rapid.IntRange(0, 90).Draw(t, "life"); life > 0 && want.err == nil {
		want.end = m.clock.Now().Add(time.Duration(life) * time.Second)
	}
	if want.err != nil {
		want.v, want.until = 0, m.clock.Now().Add(5*time.Second)
	}
	source := want
	if e, ok := m.get(k); ok {
		want = e
	} else if want.err != errDown {
		m.entries[k] = want
	}
	v, err := m.cache.Fetch(context.Background(), modelKey(k), func(context.Context) (cache.Loaded[int], error) {
		return cache.Loaded[int]{Value: source.v, Expires: source.end}, source.err
	})
	if v != want.v || err != want.err {
		t.Fatalf("key %d: got %d, %v, want %d, %v", k, v, err, want.v, want.err)
	}
}

func (m *model) look(t *rapid.T) {
	k := rapid.IntRange(0, 4).Draw(t, "key")
	e, want := m.get(k)
	if v, err, ok := m.cache.Get(modelKey(k)); ok != want || ok && (v != e.v || err != e.err) {
		t.Fatalf("key %d: got %d, %v, %v, want %d, %v, %v", k, v, err, ok, e.v, e.err, want)
	}
}

// forget may end values of other owners in ours, so the owners of this test are
// of different stripes.
func (m *model) forget(t *rapid.T) {
	owner := rapid.SampledFrom([]string{"a", "B", "c", "nobody-else"}).Draw(t, "owner")
	m.cache.ForgetOwner(owner)
	for k, e := range m.entries {
		if theirs := ownerOf(e.v); e.err != nil || theirs == "" || strings.EqualFold(theirs, owner) {
			delete(m.entries, k)
		}
	}
}

func (m *model) forgetAll(*rapid.T) {
	m.cache.ForgetAll()
	clear(m.entries)
}

func (m *model) pass(t *rapid.T) {
	m.clock.pass(time.Duration(rapid.IntRange(1, 70).Draw(t, "seconds")) * time.Second)
}

func modelKey(k int) cache.Key {
	return cache.Key{0: byte(k + 1), 8: byte(k + 1), 16: byte(k + 1)}
}

func TestLikeANaiveMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := newClock()
		o := owned(clock.Now)
		o.MaxMemory = 1 << 20
		c, err := cache.New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		m := &model{clock: clock, cache: c, entries: map[int]remembered{}}
		t.Repeat(map[string]func(*rapid.T){
			"fetch": m.fetch, "look": m.look, "forget": m.forget, "forget all": m.forgetAll, "pass": m.pass,
		})
	})
}
