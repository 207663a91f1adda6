package gateway

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// suite is one gateway with an upstream behind it.
type suite struct {
	client   *harness.Client
	upstream *harness.Upstream
	// firstChallenge says that the gateway keeps the first WWW-Authenticate line
	// of a 401 only, and not one a believed kind.
	firstChallenge bool
}

func (s *suite) do(t *testing.T, request harness.Request) *harness.Answer {
	t.Helper()
	answer, err := s.client.Do(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// runExchanges sends what every gateway must answer alike.
func (s *suite) runExchanges(t *testing.T) {
	for _, x := range exchanges(t) {
		t.Run(x.name, func(t *testing.T) {
			before := s.upstream.Count()
			answer := s.do(t, x.request)
			if answer.Status != x.status {
				t.Fatalf("status %d, want %d; body: %s", answer.Status, x.status, answer.Body)
			}
			if x.code == "" {
				checkUpstream(t, answer.Seen, x)
				return
			}
			s.checkDenial(t, answer, x)
			if reached := s.upstream.Count() - before; reached != 0 {
				t.Errorf("a denied request reached the upstream %d times", reached)
			}
		})
	}
}

func checkUpstream(t *testing.T, seen *harness.Seen, x exchange) {
	t.Helper()
	if seen == nil {
		t.Fatal("the request did not reach the upstream")
	}
	if want := methodOf(x.request); seen.Method != want || seen.Body != x.request.Body || seen.Target != x.request.Target {
		t.Errorf("the upstream saw %s %s with body %q, want %s %s with %q",
			seen.Method, seen.Target, seen.Body, want, x.request.Target, x.request.Body)
	}
	for _, name := range slices.Sorted(maps.Keys(x.upstream)) {
		if got := strings.Join(seen.Header[name], "|"); got != x.upstream[name] {
			t.Errorf("the upstream saw %s %q, want %q", name, got, x.upstream[name])
		}
	}
	decision := seen.Header["X-Decision-Id"]
	if len(decision) != 1 || decision[0] == "" || decision[0] == "forged" {
		t.Errorf("the upstream saw X-Decision-Id %q, want one of Postern's", decision)
	}
}

func (s *suite) checkDenial(t *testing.T, answer *harness.Answer, x exchange) {
	t.Helper()
	if answer.Seen != nil {
		t.Error("the upstream answered")
	}
	if got := answer.Header.Get("X-Postern-Code"); got != x.code {
		t.Errorf("X-Postern-Code %q, want %q", got, x.code)
	}
	decision := answer.Header.Get("X-Decision-Id")
	if decision == "" || !strings.Contains(answer.Body, `"`+decision+`"`) || !strings.Contains(answer.Body, `"`+x.code+`"`) {
		t.Errorf("body %s, want the code and the decision's id %q", answer.Body, decision)
	}
	if lines, want := answer.Header.Values("WWW-Authenticate"), s.challenges(x); x.status == http.StatusUnauthorized && len(lines) != want {
		t.Errorf("%d WWW-Authenticate lines, want %d: %q", len(lines), want, lines)
	}
}

// challenges is how many lines of a 401 reach the client: orders believe keys
// and tokens, other routes every kind of the example.
func (s *suite) challenges(x exchange) int {
	switch {
	case s.firstChallenge:
		return 1
	case strings.HasPrefix(x.request.Target, "/orders/"):
		return 2
	}
	return 5
}

func methodOf(r harness.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// runLegacy sends requests that an OPA-Envoy policy decides on.
func (s *suite) runLegacy(t *testing.T) {
	t.Run("an OPA-Envoy policy sets a header", func(t *testing.T) {
		answer := s.do(t, harness.Request{Target: "/legacy/report", Header: header("X-Api-Key", mobileKey, "X-Legacy-User", "forged")})
		if answer.Seen == nil {
			t.Fatalf("status %d: %s", answer.Status, answer.Body)
		}
		if got := answer.Seen.Header["X-Legacy-User"]; !slices.Equal(got, []string{mobile}) {
			t.Errorf("the upstream saw X-Legacy-User %q, want %q once", got, mobile)
		}
	})
	t.Run("an OPA-Envoy policy says no", func(t *testing.T) {
		answer := s.do(t, harness.Request{Method: "POST", Target: "/legacy/report", Header: header("X-Api-Key", mobileKey)})
		if answer.Status != http.StatusForbidden || answer.Header.Get("X-Postern-Code") != "denied_by_policy" {
			t.Errorf("status %d, code %q; body: %s", answer.Status, answer.Header.Get("X-Postern-Code"), answer.Body)
		}
	})
}

// runAliases sends other spellings of managed headers: they are refused, or they
// don't reach the upstream. Some gateways drop them before anyone sees them.
func (s *suite) runAliases(t *testing.T, status int) {
	for _, alias := range []string{"X_Consumer_Username", "x_consumer-username", "X-Credential_Identifier", "X.Consumer.Username"} {
		t.Run("alias "+alias, func(t *testing.T) {
			answer := s.do(t, harness.Request{Target: "/orders/42", Header: header("X-Api-Key", mobileKey, alias, "ops-console")})
			if answer.Status != status {
				t.Fatalf("status %d, want %d; body: %s", answer.Status, status, answer.Body)
			}
			if answer.Seen != nil && strings.Contains(answer.Body, "ops-console") {
				t.Errorf("the upstream saw %v", answer.Seen.Header)
			}
		})
	}
}

// runAway stops Postern: the gateway must be closed.
func (s *suite) runAway(t *testing.T, postern *harness.Postern, status int) {
	t.Run("Postern is away", func(t *testing.T) {
		postern.StopNow(t)
		before := s.upstream.Count()
		for _, target := range []string{"/orders/42", "/healthz"} {
			answer := s.do(t, harness.Request{Target: target, Header: forged("X-Api-Key", mobileKey)})
			if answer.Status != status {
				t.Errorf("%s: status %d, want %d; body: %s", target, answer.Status, status, answer.Body)
			}
		}
		if reached := s.upstream.Count() - before; reached != 0 {
			t.Errorf("%d requests reached the upstream", reached)
		}
	})
}
