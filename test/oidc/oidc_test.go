// Package oidc runs Postern on a real OpenID Connect provider: keys found by
// discovery, changed under traffic, lost and found again.
package oidc

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// What the record of mobile-app adds to a token, and what the token must bring.
const (
	configuration = `
consumers: {files: [consumers.yaml]}
authentication:
  order: [jwt]
  jwt:
    issuers:
      - name: provider
        issuer: %s
        audiences: [orders-api]
        consumer_claim: client_id
routes:
  - name: orders
    match: {paths: ["/orders/{id}"]}
    require: {scopes: [orders:read]}
policy: {timeout: 10s}
identity:
  headers: {X-Consumer-Username: consumer.name, X-Client-ID: identity.client_id}
`
	records = `
consumers:
  - name: mobile-app-prod
    roles: [reader]
    credentials:
      - {id: mobile-oidc, type: issuer, issuer: provider, value: mobile-app}
`
)

// house is a provider, and a Postern that believes it.
type house struct {
	*provider
	postern *harness.Postern
	client  *harness.Client
}

func open(t *testing.T) *house {
	t.Helper()
	p := startProvider(t)
	dir := t.TempDir()
	harness.Write(t, filepath.Join(dir, "postern.yaml"), fmt.Sprintf(configuration, p.issuer))
	harness.Write(t, filepath.Join(dir, "consumers.yaml"), records)
	postern := harness.StartPostern(t, dir)
	return &house{p, postern, harness.NewClient(t, "http://"+postern.HTTP)}
}

// asking is what a gateway asks about a request with that token.
func asking(token string) harness.Request {
	return harness.Request{Target: "/forward-auth/traefik", Header: http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"api.example.com"}, "X-Forwarded-Uri": {"/orders/42"},
		"Authorization": {"Bearer " + token},
	}}
}

func (h *house) ask(t *testing.T, token string) *harness.Answer {
	t.Helper()
	answer, err := h.client.Do(t.Context(), asking(token))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (h *house) mustAllow(t *testing.T, what, token string) {
	t.Helper()
	if answer := h.ask(t, token); answer.Status != http.StatusOK {
		t.Errorf("%s: status %d, want 200: %s", what, answer.Status, answer.Body)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	h := open(t)
	t.Run("an access token proves the consumer", func(t *testing.T) {
		answer := h.ask(t, h.accessToken(t, "mobile-app", orders))
		if answer.Status != http.StatusOK {
			t.Fatalf("status %d: %s", answer.Status, answer.Body)
		}
		for name, want := range map[string]string{"X-Consumer-Username": "mobile-app-prod", "X-Client-Id": "mobile-app"} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s %q, want %q", name, got, want)
			}
		}
	})
	user := h.codeFlow(t)
	t.Run("so does one that a user gave the client", func(t *testing.T) { h.mustAllow(t, "code flow", user.Access) })
	for _, refused := range []struct{ name, token, code string }{
		{"for another audience", h.accessToken(t, "mobile-app", reports), "invalid_credential"},
		{"of a client without a record", h.accessToken(t, "stranger", orders), "invalid_credential"},
		{"an ID token", user.ID, "invalid_credential"},
		{"an opaque token", h.accessToken(t, "mobile-app", ""), "invalid_credential"},
		{"another's signature", swapSignature(t, h.accessToken(t, "mobile-app", orders), user.Access), "invalid_credential"},
	} {
		t.Run(refused.name, func(t *testing.T) {
			answer := h.ask(t, refused.token)
			if code := answer.Header.Get("X-Postern-Code"); answer.Status != http.StatusUnauthorized || code != refused.code {
				t.Errorf("status %d, code %q, want 401 and %q: %s", answer.Status, code, refused.code, answer.Body)
			}
		})
	}
}

// The provider signs with a new key while requests come in. Tokens of the old
// key, which stays published, never fail; tokens of the new one are believed
// without a restart, and then never fail either.
func TestRotationUnderTraffic(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.waitKeys(t, 1)
	old := h.accessToken(t, "mobile-app", orders)
	before := harness.StartTraffic(t, h.client, 2, func() harness.Request { return asking(old) })
	before.WaitTotal(t, 100)

	h.rotate(t)
	fresh := h.accessToken(t, "mobile-app", orders)
	harness.WaitFor(t, "a token of the new key to be believed", func() error {
		if answer := h.ask(t, fresh); answer.Status != http.StatusOK {
			return fmt.Errorf("status %d: %s", answer.Status, answer.Body)
		}
		return nil
	})
	h.waitKeys(t, 2)

	after := harness.StartTraffic(t, h.client, 2, func() harness.Request { return asking(fresh) })
	after.WaitTotal(t, 100)
	before.WaitTotal(t, before.Total()+100)
	for name, traffic := range map[string]*harness.Traffic{"old": before, "new": after} {
		if statuses := traffic.Stop(t); len(statuses) != 1 || statuses[http.StatusOK] == 0 {
			t.Errorf("tokens of the %s key: %v, want 200 alone", name, statuses)
		}
	}
}

// The provider goes away: what is known of it goes on being believed. It comes
// back with another key and without the old: that takes the old one's tokens.
func TestOutageAndReturn(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.waitKeys(t, 1)
	known, unseen := h.accessToken(t, "mobile-app", orders), h.accessToken(t, "mobile-app", orders)
	h.mustAllow(t, "before the outage", known)

	h.stop(t)
	h.lookForKeys(t)
	harness.WaitFor(t, "Postern to notice the outage", func() error {
		if state := h.keys(t); state.Error == "" {
			return fmt.Errorf("%+v", state)
		}
		return nil
	})
	h.mustAllow(t, "a token seen before, in the outage", known)
	h.mustAllow(t, "a token never seen, in the outage", unseen)
	if state := h.keys(t); !state.Ready || state.Keys != 1 {
		t.Errorf("%+v, want the key that was there, and ready", state)
	}

	h.restart(t)
	fresh := h.accessToken(t, "mobile-app", orders)
	harness.WaitFor(t, "a token of the returned provider to be believed", func() error {
		if answer := h.ask(t, fresh); answer.Status != http.StatusOK {
			return fmt.Errorf("status %d: %s", answer.Status, answer.Body)
		}
		return nil
	})
	if answer := h.ask(t, known); answer.Status != http.StatusUnauthorized {
		t.Errorf("a token whose key is no longer published: status %d, want 401", answer.Status)
	}
	if state := h.keys(t); state.Error != "" {
		t.Errorf("%+v, want no error after the return", state)
	}
}
