package cache_test

import (
	"context"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/cache"
)

func BenchmarkGet(b *testing.B) {
	c := open(b, owned(time.Now))
	key := cache.Digest("key")
	if _, err := c.Fetch(context.Background(), key, (&source{value: 1}).load); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, ok := c.Get(key); !ok {
				b.Error("missed")
				return
			}
		}
	})
}

func BenchmarkFetchNew(b *testing.B) {
	c := open(b, options(time.Now))
	load := (&source{value: 1}).load
	requests, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"for ever": context.Background(), "for a request": requests} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				_, _ = c.Fetch(ctx, numbered('n', i), load)
			}
		})
	}
}

func BenchmarkDigestKey(b *testing.B) {
	key := string(make([]byte, 32))
	b.ReportAllocs()
	for b.Loop() {
		cache.Digest("api_key", "0123456789abcdef", key)
	}
}

func BenchmarkDigestToken(b *testing.B) {
	token := string(make([]byte, 800))
	b.ReportAllocs()
	for b.Loop() {
		cache.Digest("jwt", "0123456789abcdef", token)
	}
}
