package policies_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

// remembering compiles the library over a memory of its own.
func remembering(t *testing.T) (*policy.Snapshot, *cache.Cache[access.Decision]) {
	t.Helper()
	memory, err := cache.New[access.Decision](cache.Options[access.Decision]{MaxMemory: 1 << 20, TTL: time.Hour, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(memory.Close)
	s, err := policy.Compile(context.Background(), policy.Options{
		Embedded: policies.FS, Memory: memory, Timeout: time.Minute,
		Entrypoints: []string{entrypoint, "postern/context/allow", "postern/rates/allow", "postern/timed/allow"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, memory
}

// TestOnlyTimeIsForgotten: that there are conditions on the clock costs none but
// the entry point that knows them.
func TestOnlyTimeIsForgotten(t *testing.T) {
	s, _ := remembering(t)
	reasons := s.Forgetful()
	if len(reasons) != 1 || !strings.Contains(reasons["postern/timed/allow"], "time.now_ns") {
		t.Errorf("got %v, want postern/timed/allow alone, for time.now_ns", reasons)
	}
}

// TestRemembered asks twice, the second time with another address, token, time,
// header and query, and wants the second answer from memory where the entry
// point reads none of them.
func TestRemembered(t *testing.T) {
	address := func(q *gate.Question) { q.Request.Source.Address = netip.MustParseAddrPort("198.51.100.9:1") }
	token := func(q *gate.Question) { q.Identity.Claims = map[string]any{"sub": "u-2", "jti": "2"} }
	rest := func(q *gate.Question) {
		q.Request.ID, q.Request.Time, q.Request.Query = "2", noon().Add(time.Hour), "x=2"
		q.Request.Headers = access.Headers{{Name: "x-request-id", Value: "2"}}
		q.Request.Body = []byte("text")
	}
	method := func(q *gate.Question) { q.Request.Method = "PUT" }
	path := func(q *gate.Question) { q.Request.Path = "/orders/8" }
	roles := func(q *gate.Question) { q.Identity.Roles = []string{"writer"} }
	for _, c := range []struct {
		name, entrypoint string
		change           func(*gate.Question)
		remembered       bool
	}{
		{"address", entrypoint, address, true},
		{"token", entrypoint, token, true},
		{"the rest", entrypoint, rest, true},
		{"method", entrypoint, method, false},
		{"path", entrypoint, path, false},
		{"roles", entrypoint, roles, false},
		{"address with context", "postern/context/allow", address, false},
		{"token with context", "postern/context/allow", token, false},
		{"the rest with context", "postern/context/allow", rest, true},
		{"address with rates", "postern/rates/allow", address, true},
		{"token with rates", "postern/rates/allow", token, true},
		{"the rest with rates", "postern/rates/allow", rest, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, memory := remembering(t)
			ask := func(change func(*gate.Question)) {
				q := &gate.Question{
					Request: &access.Request{
						Time: noon(), Method: "GET", Path: "/orders/7", RawPath: "/orders/7", ID: "1",
						Source: access.Peer{Address: netip.MustParseAddrPort("192.0.2.1:1")},
					},
					Identity: identity(), Entrypoint: c.entrypoint,
				}
				change(q)
				if d, err := s.Decide(context.Background(), q); err != nil || d.Detail != "" {
					t.Fatalf("%+v, %v", d, err)
				}
			}
			same := func(*gate.Question) {}
			// A memory takes a value some time after it was loaded.
			for deadline := time.Now().Add(10 * time.Second); memory.Stats().Hits == 0; {
				if ask(same); time.Now().After(deadline) {
					t.Fatal("the same question is never answered from memory")
				}
			}
			before := memory.Stats().Hits
			ask(c.change)
			if got := memory.Stats().Hits > before; got != c.remembered {
				t.Errorf("answered from memory: %v, want %v", got, c.remembered)
			}
		})
	}
}
