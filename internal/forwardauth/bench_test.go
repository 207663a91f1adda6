package forwardauth_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/forwardauth"
)

// silent is a writer that keeps nothing.
type silent struct {
	header http.Header
	status int
}

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) Write(p []byte) (int, error) { return len(p), nil }
func (s *silent) WriteHeader(status int)      { s.status = status }

type fixed struct{ verdict access.Verdict }

func (f *fixed) Check(context.Context, *access.Request) access.Verdict { return f.verdict }

func benchRequest(b testing.TB) *http.Request {
	b.Helper()
	r, err := http.NewRequest("GET", "/forward-auth/apisix", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RequestURI, r.RemoteAddr, r.Host = "/forward-auth/apisix", "127.0.0.1:4711", "api.example.com"
	for line := range strings.SplitSeq("X-Forwarded-Uri: /orders/7?x=1\nX-Forwarded-Method: GET\nX-Forwarded-Proto: https\nX-Forwarded-Host: api.example.com\n"+
		"X-Forwarded-For: 203.0.113.9\nX-Api-Key: demo-mobile-key-0123456789abcdefghijklmnopqrstuv\nUser-Agent: lua-resty-http/0.16.1", "\n") {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	return r
}

func BenchmarkAPISIX(b *testing.B) {
	door := forwardauth.New(&fixed{allowed()}, forwardauth.Options{Trusted: loopback()})
	r, w := benchRequest(b), &silent{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		door.ServeHTTP(w, r)
	}
	if w.status != 200 {
		b.Fatal(w.status)
	}
}

// The door's own work a request, beside net/http's: a request, its headers and
// their names, the answer and a value each of its headers.
func TestAllocationsOfAnAllow(t *testing.T) {
	door := forwardauth.New(&fixed{allowed()}, forwardauth.Options{Trusted: loopback()})
	r, w := benchRequest(t), &silent{header: http.Header{}}
	const most = 11
	if n := testing.AllocsPerRun(100, func() { clear(w.header); door.ServeHTTP(w, r) }); n > most {
		t.Errorf("%v allocations, more than %d", n, most)
	}
}
