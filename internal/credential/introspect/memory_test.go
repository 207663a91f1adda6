package introspect_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// remembered waits until a token is answered without asking: the cache takes an
// entry a moment after it is put.
func (h *house) remembered(t testing.TB, token string) {
	t.Helper()
	eventually(t, "the token is remembered", func() bool {
		before := h.stub.asked.Load()
		_, _ = ask(h.Authenticator, token)
		return h.stub.asked.Load() == before
	})
}

// TestRevokedTokenEndsWithTheLifeOfItsAnswer: exp, TTL, credential's end and
// the cache's TTL each end it, the first of them.
func TestRevokedTokenEndsWithTheLifeOfItsAnswer(t *testing.T) {
	const cacheTTL = time.Minute
	for name, c := range map[string]struct {
		answer string
		ttl    time.Duration
		life   time.Duration
	}{
		"exp":            {fmt.Sprintf(`{"active":true,"client_id":"mobile","exp":%d}`, noon().Unix()+20), 0, 20 * time.Second},
		"cache's ttl":    {active(""), 0, cacheTTL},
		"no exp":         {`{"active":true,"client_id":"mobile"}`, 0, cacheTTL},
		"own ttl":        {active(""), 10 * time.Second, 10 * time.Second},
		"own ttl, exp":   {fmt.Sprintf(`{"active":true,"client_id":"mobile","exp":%d}`, noon().Unix()+5), 10 * time.Second, 5 * time.Second},
		"credential end": {`{"active":true,"client_id":"ending"}`, 0, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t, says(c.answer), remembering, func(s *settings) { s.config.TTL = c.ttl })
			h.want(t, opaque, "")
			h.remembered(t, opaque)
			h.stub.do(says(`{"active":false}`))
			h.clock.pass(c.life - time.Nanosecond)
			h.want(t, opaque, "")
			h.clock.pass(time.Nanosecond)
			h.want(t, opaque, invalid)
		})
	}
}

// TestRejectionIsRememberedForAWhile, whatever it is for.
func TestRejectionIsRememberedForAWhile(t *testing.T) {
	for name, answer := range map[string]string{
		"not active": `{"active":false}`, "unknown consumer": `{"active":true,"client_id":"new"}`, "refresh token": active(`,"typ":"Refresh"`),
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t, says(answer), remembering)
			h.want(t, opaque, invalid)
			h.stub.do(says(active("")))
			h.clock.pass(5*time.Second - time.Nanosecond)
			h.want(t, opaque, invalid)
			if n := h.stub.asked.Load(); n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
			h.clock.pass(time.Nanosecond)
			h.want(t, opaque, "")
		})
	}
}

// TestMemoryIsOfOneConfiguration: what was proven under one revision or
// configuration says nothing under another.
func TestMemoryIsOfOneConfiguration(t *testing.T) {
	h := build(t, says(active("")), remembering)
	h.want(t, opaque, "")
	h.remembered(t, opaque)
	asked := h.stub.asked.Load()
	if _, err := ask(h.again(h.config, "r2"), opaque); err != nil || h.stub.asked.Load() != asked+1 {
		t.Errorf("another revision: %v, asked %d times", err, h.stub.asked.Load()-asked)
	}
	config := h.config
	config.Audiences = []string{"orders"}
	if _, err := ask(h.again(config, "r1"), opaque); codeOf(err) != invalid {
		t.Errorf("another configuration under the same revision: %v", err)
	}
}

// TestManyAtOnceAskOnce: one call answers all who come with the same token.
func TestManyAtOnceAskOnce(t *testing.T) {
	release := make(chan struct{})
	h := build(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		says(active(""))(w, r)
	}, remembering)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() { h.want(t, opaque, "") })
	}
	eventually(t, "the server is asked", func() bool { return h.stub.asked.Load() == 1 })
	close(release)
	all.Wait()
	if n := h.stub.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

func TestRememberedTokenAllocatesNothing(t *testing.T) {
	for name, answer := range map[string]string{"proven": active(""), "rejected": `{"active":false}`} {
		h := build(t, says(answer), remembering)
		req := request(opaque)
		once := func() { _, _ = h.Authenticate(context.Background(), req) }
		eventually(t, name+" is remembered without allocation", func() bool { return testing.AllocsPerRun(100, once) < 1 })
	}
}

// BenchmarkCachedHit is a token that was proven before.
func BenchmarkCachedHit(b *testing.B) {
	h := build(b, says(active(`,"scope":"openid orders:read"`)), remembering)
	h.remembered(b, opaque)
	req := request(opaque)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Authenticate(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMiss is a token that the server, on the same machine, is asked about.
func BenchmarkMiss(b *testing.B) {
	h := build(b, says(active(`,"scope":"openid orders:read"`)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ask(h.Authenticator, opaque); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzAnswer: whatever a server says, a token is proven only by an answer that
// says plainly, and once, that it is active.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		active(""), `{"active":false}`, `{"active":true,"active":false}`, `{"active":"true"}`, `{"Active":true}`, `{"active":true,"client_id":"mobile","exp":1e400}`,
		`{"active":true,"client_id":"mobile","aud":[null],"nbf":-1,"typ":null}`, "", "null", `{"active":true,"client_id":{"a":[[[]]]}}`, "{\"active\":true,\"\xff\":1}",
	} {
		f.Add(seed)
	}
	h := build(f, says(""))
	f.Fuzz(func(t *testing.T, text string) {
		h.stub.do(says(text))
		proof, err := ask(h.Authenticator, opaque)
		switch codeOf(err) {
		case "":
			if proof.Identity.Claims["active"] != true || proof.Identity.Consumer.Name == "" {
				t.Fatalf("proven: %+v", proof.Identity)
			}
		case access.CodeInvalidCredential, access.CodeExpiredCredential, access.CodeFault:
		default:
			t.Fatalf("answer %v", err)
		}
	})
}
