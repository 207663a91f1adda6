package clientcert_test

import (
	"context"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/clientcert"
)

// typical are the forms in which one certificate is told.
func typical(t testing.TB) map[string]*access.Request {
	certificate := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	return map[string]*access.Request{
		"certificate": certificate.shown(),
		"principal":   source("", mobile),
		"element":     forwarded("x-request-id: 1", "x-forwarded-client-cert: By=spiffe://example.com/edge;Hash="+certificate.fingerprint()+`;Subject="CN=app";URI=`+mobile),
		"field":       forwarded("x-request-id: 1", "client-cert: "+certificate.field()),
	}
}

func TestRememberedCertificateAllocatesNothing(t *testing.T) {
	b := setUp(t, clientcert.Config{Headers: everyHeader}, 1<<20)
	for name, req := range typical(t) {
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
	a := setUp(b, clientcert.Config{Headers: everyHeader}, 1<<20)
	for name, req := range typical(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNotRemembered(b *testing.B) {
	root := makeCertificate(b, plan{authority: true}, nil)
	req := makeCertificate(b, plan{uris: []string{mobile}}, root).shown()
	for name, config := range map[string]clientcert.Config{"gateway's word": {}, "CA file": {CAFile: caFile(b, root)}} {
		a := setUp(b, config, 0)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
