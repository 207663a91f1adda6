package admin_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAskedTwiceIsMadeOnce(t *testing.T) {
	h, key, _ := furnished(t)
	for i, c := range []struct{ path, body, other string }{
		{"/v1/consumers", `{"name":"once"}`, `{"name":"twice"}`},
		{"/v1/consumers/app/keys", `{"label":"once"}`, `{"label":"twice"}`},
		{"/v1/consumers/app/credentials", `{"id":"once","type":"basic","username":"once","password":"a password that is long enough"}`, `{"id":"once","type":"basic","username":"once","password":"a password that is just as long"}`},
		{"/v1/keys/" + key + "/rotate", `{"grace":"1h"}`, `{"grace":"2h"}`},
		{"/v1/applications", `{"name":"once"}`, `{"name":"twice"}`},
		{"/v1/applications/shop/grants", `{"api":"a","environment":"dev"}`, `{"api":"b","environment":"dev"}`},
		{"/v1/plans", `{"name":"once"}`, `{"name":"twice"}`},
	} {
		with := header("Idempotency-Key", fmt.Sprintf("request-%d", i))
		first := h.must("POST", c.path, c.body, with)
		h.clock.pass(23 * time.Hour / 7)
		again := h.must("POST", c.path, c.body, with)
		if first.status != 201 || again.status != 201 || first.body != again.body || first.header.Get("ETag") != again.header.Get("ETag") {
			t.Errorf("%s: %d %s, then %d %s", c.path, first.status, first.body, again.status, again.body)
		}
		h.refused(409, "conflict", "POST", c.path, c.other, with)
	}
	if keys := h.must("GET", "/v1/keys?label=once", ""); strings.Count(keys.body, `"label":"once"`) != 1 {
		t.Errorf("more than one was made: %s", keys.body)
	}
}

func TestIdempotencyKeysAreTheTokens(t *testing.T) {
	h := open(t)
	h.must("POST", "/v1/consumers", `{"name":"app"}`)
	with := header("Idempotency-Key", "the-same")
	mine := h.must("POST", "/v1/consumers/app/keys", `{}`, with)
	theirs := h.must("POST", "/v1/consumers/app/keys", `{}`, with, token(editorToken))
	if mine.text(t, "key") == theirs.text(t, "key") {
		t.Error("one token's key is told to another")
	}
	h.refused(403, "permission_denied", "POST", "/v1/consumers/app/keys", `{}`, with, token(viewerToken))
	h.clock.pass(25 * time.Hour)
	if later := h.must("POST", "/v1/consumers/app/keys", `{}`, with); later.text(t, "key") == mine.text(t, "key") {
		t.Error("an answer is remembered for more than a day")
	}
	h.refused(400, "invalid_argument", "POST", "/v1/consumers/app/keys", `{}`, header("Idempotency-Key", "a b"))
	h.refused(400, "invalid_argument", "POST", "/v1/consumers/app/keys", `{}`, header("Idempotency-Key", ""))
	h.refused(400, "invalid_argument", "POST", "/v1/consumers/app/keys", `{}`, header("Idempotency-Key", strings.Repeat("x", 256)))
	h.refused(400, "invalid_argument", "POST", "/v1/consumers/app/keys", `{}`, with, header("Idempotency-Key", "another"))
}

// TestFailuresAreNotRemembered: what failed may be asked again.
func TestFailuresAreNotRemembered(t *testing.T) {
	h := open(t)
	with := header("Idempotency-Key", "again")
	h.refused(404, "not_found", "POST", "/v1/consumers/app/keys", `{}`, with)
	h.must("POST", "/v1/consumers", `{"name":"app"}`)
	h.must("POST", "/v1/consumers/app/keys", `{}`, with)
}

// TestTwinsAreMadeOnce asks the same many times at once.
func TestTwinsAreMadeOnce(t *testing.T) {
	h := open(t)
	h.must("POST", "/v1/consumers", `{"name":"app"}`)
	for _, c := range []struct{ path, body string }{{"/v1/consumers/app/keys", `{"label":"twin"}`}, {"/v1/consumers", `{"name":"twin"}`}} {
		const twins = 8
		answers := make([]answer, twins)
		var all sync.WaitGroup
		for i := range twins {
			all.Go(func() { answers[i] = h.do("POST", c.path, c.body, header("Idempotency-Key", "twins-of-"+c.path)) })
		}
		all.Wait()
		for _, a := range answers {
			if a.status != 201 || a.body != answers[0].body {
				t.Errorf("%d %s differs from %s", a.status, a.body, answers[0].body)
			}
		}
	}
	if keys := h.must("GET", "/v1/keys", ""); strings.Count(keys.body, `"label":"twin"`) != 1 {
		t.Errorf("more than one was made: %s", keys.body)
	}
}
