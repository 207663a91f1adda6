package basic_test

import (
	"context"
	"testing"

	"github.com/postern-authz/postern/internal/credential/basic"
)

func TestRememberedPairAllocatesNothing(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	for name, pair := range map[string][2]string{"good": {"good", secret}, "bad": {"good", "wrong"}} {
		req := login(pair[0], pair[1])
		ask := func() { _, _ = b.Authenticate(context.Background(), req) }
		ask()
		// Ristretto allocates once in 64 reads, which is none on average; the
		// race detector makes sync.Pool forget and so adds a few.
		if n := testing.AllocsPerRun(1000, ask); n >= 1 && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRemembered(b *testing.B) {
	a := setUp(b, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	req := login("good", secret)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNoCredential(b *testing.B) {
	a := setUp(b, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	req := request()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = a.Authenticate(context.Background(), req)
	}
}
