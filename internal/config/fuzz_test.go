package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/config"
)

func FuzzConfig(f *testing.F) {
	example, err := os.ReadFile("../../deploy/example/postern.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("routes: [{name: a, match: {hosts: ['*.x', '[::1]'], paths: ['/{a}/{b...}']}, authenticate: {all_of: [jwt]}}]"))
	f.Add([]byte("listen: {grpc: {address: 'unix:x', trusted_proxies: ['::/0']}, drain: {timeout: 1h}}\nidentity: {headers: {X-A: identity.claims.a.b}}"))
	f.Add([]byte("authentication: {jwt: {issuers: [{name: a, issuer: 'https://[::1]', audiences: [x]}]}}\ntelemetry: {otlp_endpoint: env:COLLECTOR}"))
	f.Add([]byte("consumers: {store: {driver: postgres, dsn: env:DSN, pepper: [env:PEPPER, file:x]}, max_staleness: 2s, keys: {grace: 30d}}\ndefault: {environments: [a]}"))
	f.Add([]byte("listen: {admin: {address: '[::]:1', tokens: [{name: a, role: admin, token: env:TOKEN}], hosts: [a.b]}}\nconsumers: {store: {driver: sqlite, dsn: 'file:'}}"))
	path := filepath.Join(f.TempDir(), "postern.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse(path, data, env)
		if (c == nil) == (err == nil) {
			t.Fatalf("got %v and %v", c, err)
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, path) {
					t.Fatalf("a problem without a place: %q", line)
				}
			}
			return
		}
		if !c.Listen.Guarded() {
			t.Fatalf("accepted, with an API for everybody: %+v", c.Listen)
		}
		if len(c.Policy.Entrypoints) == 0 || c.Listen.GRPC.Address == "" || c.Authentication.JWT.Leeway < 0 {
			t.Fatalf("accepted, but incomplete: %+v", c)
		}
		for i := range c.Routes {
			m := &c.Routes[i].Match
			if len(m.Hosts)+len(m.Methods)+len(m.Paths) == 0 || c.Routes[i].Entrypoint == "" {
				t.Fatalf("a route that matches everything, or that nothing decides on: %+v", c.Routes[i])
			}
		}
	})
}
