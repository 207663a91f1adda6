package policy_test

import (
	"context"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/policy"
)

func memory(t testing.TB) *cache.Cache[access.Decision] {
	t.Helper()
	c, err := cache.New(cache.Options[access.Decision]{MaxMemory: 8 << 20, TTL: time.Minute, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct {
		name       string
		entrypoint string
		remember   bool
	}{
		{"authz/evaluated", entrypoint, false},
		{"authz/remembered", entrypoint, true},
		{"envoy/evaluated", "envoy/authz/allow", false},
		{"envoy/remembered", "envoy/authz/allow", true},
	} {
		b.Run(c.name, func(b *testing.B) {
			o := policy.Options{Directory: example, Entrypoints: []string{c.entrypoint}, Timeout: time.Minute}
			if c.remember {
				o.Memory = memory(b)
			}
			s, err := policy.Compile(context.Background(), o)
			if err != nil {
				b.Fatal(err)
			}
			q := question()
			q.Entrypoint = c.entrypoint
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Decide(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLibrary is the embedded library, evaluated for each question.
func BenchmarkLibrary(b *testing.B) {
	s := embedded(b, libraryFiles())
	q := question()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decide(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
}
