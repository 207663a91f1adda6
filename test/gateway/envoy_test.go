package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

func TestEnvoy(t *testing.T) {
	for _, v := range []struct {
		name    string
		replace map[string]string
	}{
		{"as shipped", nil},
		{"with joined headers", map[string]string{"encode_raw_headers: true": "encode_raw_headers: false"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			postern, upstream := harness.StartPostern(t, harness.Example(t)), harness.StartUpstream(t)
			envoy := harness.StartEnvoy(t, upstream.Address, []*harness.Postern{postern}, v.replace)
			envoy.WaitHealthy(t, postern)
			s := &suite{client: harness.NewClient(t, envoy.URL), upstream: upstream}
			s.runExchanges(t)
			s.runLegacy(t)
			s.runAliases(t, http.StatusOK)
			s.runEnvoyOnly(t)
			s.runAway(t, postern, http.StatusServiceUnavailable)
		})
	}
}

// runEnvoyOnly is what only the gRPC door can do.
func (s *suite) runEnvoyOnly(t *testing.T) {
	t.Run("a route named by Envoy", func(t *testing.T) {
		if answer := s.do(t, harness.Request{Target: "/status"}); answer.Status != http.StatusOK {
			t.Errorf("status %d, want 200: the route health allows nobody in", answer.Status)
		}
		if answer := s.do(t, harness.Request{Target: "/statuses"}); answer.Status != http.StatusUnauthorized {
			t.Errorf("status %d beside it, want 401", answer.Status)
		}
	})
	t.Run("a header removed by policy", func(t *testing.T) {
		answer := s.do(t, harness.Request{Target: "/legacy/x", Header: header("X-Api-Key", mobileKey, "X-Secret", "s")})
		if answer.Seen == nil || len(answer.Seen.Header["X-Secret"]) != 0 {
			t.Errorf("status %d, the upstream saw %+v", answer.Status, answer.Seen)
		}
	})
	t.Run("a denial keeps the policy's headers", func(t *testing.T) {
		answer := s.do(t, harness.Request{Method: "POST", Target: "/legacy/x", Header: header("X-Api-Key", mobileKey)})
		if got := answer.Header.Values("X-Why"); !slices.Equal(got, []string{"legacy"}) || answer.Body != "legacy: no" {
			t.Errorf("X-Why %q, body %q", got, answer.Body)
		}
	})
	t.Run("an absent header is absent", func(t *testing.T) {
		answer := s.do(t, harness.Request{Target: "/healthz", Header: forged()})
		if answer.Seen == nil {
			t.Fatalf("status %d", answer.Status)
		}
		if _, there := answer.Seen.Header["X-Consumer-Username"]; there {
			t.Error("the upstream saw an empty X-Consumer-Username, want none")
		}
	})
}

func TestEnvoyFault(t *testing.T) {
	postern, upstream := harness.StartPostern(t, harness.Example(t)), harness.StartUpstream(t)
	envoy := harness.StartEnvoy(t, upstream.Address, []*harness.Postern{postern}, map[string]string{
		"context_extensions: {postern.route: health}": "context_extensions: {postern.route: nowhere}",
		// Even a gateway set to open must stay closed on a fault of ours.
		"failure_mode_allow: false": "failure_mode_allow: true",
	})
	envoy.WaitHealthy(t, postern)
	s := &suite{client: harness.NewClient(t, envoy.URL), upstream: upstream}
	answer := s.do(t, harness.Request{Target: "/status"})
	if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("X-Postern-Code") != "fault" || upstream.Count() != 0 {
		t.Errorf("status %d, code %q, %d requests at the upstream; body: %s",
			answer.Status, answer.Header.Get("X-Postern-Code"), upstream.Count(), answer.Body)
	}
}

// A policy is edited while requests come in: none of them fails, the edit takes
// effect, a broken one does not and is reported, and the way back works.
func TestEnvoyPolicyReloadUnderTraffic(t *testing.T) {
	postern, upstream := harness.StartPostern(t, harness.Example(t)), harness.StartUpstream(t)
	envoy := harness.StartEnvoy(t, upstream.Address, []*harness.Postern{postern}, nil)
	envoy.WaitHealthy(t, postern)
	s := &suite{client: harness.NewClient(t, envoy.URL), upstream: upstream}
	order := func() harness.Request {
		return harness.Request{Target: "/orders/42", Header: header("X-Api-Key", mobileKey)}
	}
	traffic := harness.StartTraffic(t, s.client, 4, order)
	traffic.WaitTotal(t, 200)

	policy := filepath.Join(postern.Dir, "policies", "authz.rego")
	rule := `input.attributes.request.http.method in {"GET", "HEAD"}`
	harness.Edit(t, policy, rule, `input.attributes.request.http.method in {"HEAD"}`)
	s.waitStatus(t, order(), http.StatusForbidden)
	harness.Edit(t, policy, `in {"HEAD"}`, `in {"HEAD"`)
	harness.WaitFor(t, "the broken policy to be reported", func() error { return reports(postern, "authz.rego") })
	traffic.WaitTotal(t, traffic.Total()+200)
	s.waitStatus(t, order(), http.StatusForbidden) // the last good one still decides
	harness.Edit(t, policy, `in {"HEAD"`, `in {"GET", "HEAD"}`)
	s.waitStatus(t, order(), http.StatusOK)

	for status, n := range traffic.Stop(t) {
		if status != http.StatusOK && status != http.StatusForbidden {
			t.Errorf("%d requests ended with %d", n, status)
		}
	}
}

// reports tells whether what Postern printed names a file.
func reports(p *harness.Postern, file string) error {
	if strings.Contains(p.Output(), file) {
		return nil
	}
	return errors.New("its log does not name the file")
}

func (s *suite) waitStatus(t *testing.T, request harness.Request, status int) {
	t.Helper()
	harness.WaitFor(t, fmt.Sprintf("status %d", status), func() error {
		answer, err := s.client.Do(t.Context(), request)
		if err == nil && answer.Status != status {
			err = fmt.Errorf("status %d", answer.Status)
		}
		return err
	})
}

// Two instances are restarted one after the other under traffic: no request
// may notice.
func TestEnvoyRestartUnderTraffic(t *testing.T) {
	const requests = 20_000
	upstream := harness.StartUpstream(t)
	instances := []*harness.Postern{
		harness.StartPostern(t, harness.Example(t)), harness.StartPostern(t, harness.Example(t)),
	}
	envoy := harness.StartEnvoy(t, upstream.Address, instances, nil)
	envoy.WaitHealthy(t, instances...)
	traffic := harness.StartTraffic(t, harness.NewClient(t, envoy.URL), 8, func() harness.Request {
		return harness.Request{Target: "/orders/42", Header: header("X-Api-Key", mobileKey)}
	})
	for _, instance := range instances {
		traffic.WaitTotal(t, traffic.Total()+requests/10)
		instance.Signal(t, syscall.SIGTERM)
		instance.Wait(t)
		traffic.WaitTotal(t, traffic.Total()+requests/10)
		instance.Restart(t)
		envoy.WaitHealthy(t, instance)
	}
	traffic.WaitTotal(t, requests)
	statuses := traffic.Stop(t)
	t.Logf("statuses: %v", statuses)
	if statuses[http.StatusOK] < requests || len(statuses) != 1 {
		t.Errorf("statuses %v, want at least %d times 200 and nothing else", statuses, requests)
	}
}

func TestEnvoyValidates(t *testing.T) {
	envoy := harness.Tool(t, "envoy", "ENVOY")
	files, err := filepath.Glob(filepath.Join(harness.Root(t), "deploy", "envoy", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			// #nosec G204 -- a tool of this test
			output, err := exec.CommandContext(t.Context(), envoy, "--mode", "validate", "-c", file, "-l", "error").CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}
