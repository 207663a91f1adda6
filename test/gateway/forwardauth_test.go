package gateway

import (
	"net/http"
	"slices"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

func TestNginx(t *testing.T) {
	postern, upstream := harness.StartPostern(t, harness.Example(t)), harness.StartUpstream(t)
	nginx := harness.StartNginx(t, upstream.Address, postern)
	// nginx 1.22 keeps one line of an answer's repeated header, newer ones all.
	s := &suite{client: harness.NewClient(t, nginx.URL), upstream: upstream}
	s.firstChallenge = len(s.do(t, harness.Request{Target: "/orders/42"}).Header.Values("WWW-Authenticate")) == 1
	s.runExchanges(t)
	s.runLegacy(t)
	s.runAliases(t, http.StatusOK)
	s.runAway(t, postern, http.StatusInternalServerError)
}

func TestCaddy(t *testing.T) {
	postern, upstream := harness.StartPostern(t, harness.Example(t)), harness.StartUpstream(t)
	caddy := harness.StartCaddy(t, upstream.Address, postern)
	s := &suite{client: harness.NewClient(t, caddy.URL), upstream: upstream}
	s.runExchanges(t)
	s.runLegacy(t)
	s.runAliases(t, http.StatusOK)
	s.runAway(t, postern, http.StatusBadGateway)
}

func TestHAProxy(t *testing.T) {
	postern, upstream := harness.StartPostern(t, harness.Example(t)), harness.StartUpstream(t)
	haproxy := harness.StartHAProxy(t, upstream.Address, postern, nil)
	s := &suite{client: harness.NewClient(t, haproxy.URL), upstream: upstream}
	s.runExchanges(t)
	s.runLegacy(t)
	s.runAliases(t, http.StatusBadRequest)
	t.Run("a Connection header that names an identity header", func(t *testing.T) {
		answer := s.do(t, harness.Request{Target: "/orders/42", Header: header("X-Api-Key", mobileKey, "Connection", "X-Consumer-Username")})
		if answer.Status != http.StatusBadRequest {
			t.Errorf("status %d, want 400", answer.Status)
		}
	})
	s.runAway(t, postern, http.StatusServiceUnavailable)
}

// A Lua action that fails lets the request go on: the configuration's last line
// must refuse it.
func TestHAProxyStaysClosedWhenItsScriptFails(t *testing.T) {
	postern, upstream := harness.StartPostern(t, harness.Example(t)), harness.StartUpstream(t)
	haproxy := harness.StartHAProxy(t, upstream.Address, postern, map[string]string{
		"local client = core.httpclient()": "local client = core.no_such_client()",
	})
	s := &suite{client: harness.NewClient(t, haproxy.URL), upstream: upstream}
	answer := s.do(t, harness.Request{Target: "/orders/42", Header: header("X-Api-Key", mobileKey)})
	if answer.Status != http.StatusServiceUnavailable || upstream.Count() != 0 {
		t.Errorf("status %d with %d requests at the upstream, want 503 with none", answer.Status, upstream.Count())
	}
}

func TestEnvoyHTTP(t *testing.T) {
	postern, upstream := harness.StartPostern(t, harness.Example(t)), harness.StartUpstream(t)
	envoy := harness.StartEnvoyHTTP(t, upstream.Address, postern)
	s := &suite{client: harness.NewClient(t, envoy.URL), upstream: upstream}
	s.runExchanges(t)
	s.runLegacy(t)
	s.runAliases(t, http.StatusBadRequest)
	t.Run("a denial keeps the policy's headers", func(t *testing.T) {
		answer := s.do(t, harness.Request{Method: "POST", Target: "/legacy/x", Header: header("X-Api-Key", mobileKey)})
		if got := answer.Header.Values("X-Why"); !slices.Equal(got, []string{"legacy"}) || answer.Body != "legacy: no" {
			t.Errorf("X-Why %q, body %q", got, answer.Body)
		}
	})
	s.runAway(t, postern, http.StatusServiceUnavailable)
}
