package cache_test

import (
	"context"
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/cache"
)

// A million bad keys, every one another, among the traffic of good ones.
func TestFloodOfBadKeys(t *testing.T) {
	flood := 1_000_000
	if testing.Short() || raceEnabled {
		flood = 50_000
	}
	const good = 2_000
	o := options(time.Now)
	o.MaxMemory, o.MaxNegatives = 4<<20, 10_000
	c := open(t, o)
	ctx := context.Background()
	known := func(context.Context) (cache.Loaded[int], error) { return cache.Loaded[int]{Value: 1}, nil }
	bad := func(context.Context) (cache.Loaded[int], error) { return cache.Loaded[int]{}, errUnknown }
	for i := range good {
		if _, err := c.Fetch(ctx, numbered('g', i), known); err != nil {
			t.Fatal(err)
		}
	}
	before := heap()
	asked, hit := 0, 0
	for i := range flood {
		if _, err := c.Fetch(ctx, numbered('b', i), bad); err != errUnknown {
			t.Fatal(err)
		}
		if i%10 == 0 {
			asked++
			if _, _, ok := c.Get(numbered('g', i/10%good)); ok {
				hit++
			}
		}
	}
	if rate := float64(hit) / float64(asked); rate < 0.99 {
		t.Errorf("hit rate of good keys %.4f, want at least 0.99", rate)
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("grew by %d bytes", grown)
	}
	if s := c.Stats(); s.Bytes > o.MaxMemory {
		t.Errorf("%d bytes, more than %d", s.Bytes, o.MaxMemory)
	}
}

func TestValuesStayWithinTheirMemory(t *testing.T) {
	o := options(time.Now)
	o.MaxMemory = 1 << 20
	c := open(t, o)
	for i := range 20_000 {
		_, err := c.Fetch(context.Background(), numbered('v', i), func(context.Context) (cache.Loaded[int], error) {
			return cache.Loaded[int]{Value: i, Cost: 2048}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if s := c.Stats(); s.Bytes > o.MaxMemory {
			t.Fatalf("%d bytes, more than %d", s.Bytes, o.MaxMemory)
		}
	}
	if s := c.Stats(); s.Evictions == 0 || s.Bytes < o.MaxMemory/2 {
		t.Errorf("%+v: the bound was never reached", s)
	}
}

func numbered(kind byte, i int) cache.Key {
	b := [9]byte{kind}
	binary.BigEndian.PutUint64(b[1:], uint64(i))
	return cache.Digest(string(b[:]))
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
