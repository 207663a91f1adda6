package apikey_test

import (
	"context"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/apikey"
)

// typical is a request with as many headers as a browser's, the key last.
func typical(key string) *access.Request {
	return headers(":authority: api.example.com", ":method: GET", ":path: /orders/42", ":scheme: https", "accept: */*",
		"accept-encoding: gzip", "accept-language: en", "cache-control: no-cache", "content-type: application/json",
		"user-agent: load/1", "x-forwarded-for: 203.0.113.9", "x-forwarded-proto: https", "x-request-id: 1", "traceparent: 00-1", "x-api-key: "+key)
}

func TestRememberedKeyAllocatesNothing(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere}, 1<<20)
	for name, req := range map[string]*access.Request{
		"header": typical(goodKey),
		"bearer": headers("authorization: Bearer " + ownKey),
		"query":  query("a=1&api_key=" + goodKey),
	} {
		ask := func() {
			if _, err := b.Authenticate(context.Background(), req); err != nil {
				t.Error(err)
			}
		}
		ask()
		// Ristretto allocates once in 64 reads, which is none on average; the
		// race detector makes sync.Pool forget and so adds a few.
		if n := testing.AllocsPerRun(1000, ask); n >= 1 && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRemembered(b *testing.B) {
	a := setUp(b, apikey.Config{In: everywhere}, 1<<20)
	req := typical(goodKey)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnknownRemembered(b *testing.B) {
	a := setUp(b, apikey.Config{In: everywhere}, 1<<20)
	req := typical(unknownKey)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = a.Authenticate(context.Background(), req)
	}
}

func BenchmarkNoKey(b *testing.B) {
	a := setUp(b, apikey.Config{In: everywhere}, 1<<20)
	req := typical(goodKey)
	req.Headers = req.Headers[:len(req.Headers)-1]
	b.ReportAllocs()
	for b.Loop() {
		_, _ = a.Authenticate(context.Background(), req)
	}
}
