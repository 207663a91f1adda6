package signature_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/credential/signature"
)

// BenchmarkProof is the whole proof of an APISIX request but for the memory of
// nonces, which BenchmarkOnce measures.
func BenchmarkProof(b *testing.B) {
	a := setUp(b, signature.Config{DangerouslyRepeatable: []signature.Dialect{signature.APISIX}})
	req := apisix("good")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOnce remembers nonces whose ends are spread over ten minutes, as
// those of clients with other clocks.
func BenchmarkOnce(b *testing.B) {
	c := &clock{from: start}
	m := signature.NewMemory(1<<30, c.Now)
	var key [32]byte
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		binary.LittleEndian.PutUint64(key[:], i)
		if _, err := m.Once(context.Background(), "good", key, start.Add(time.Duration(i%600)*time.Second)); err != nil {
			b.Fatal(err)
		}
	}
}
