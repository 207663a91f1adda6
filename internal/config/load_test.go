package config_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/credential/basic"
	"github.com/postern-authz/postern/internal/credential/clientcert"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/gate"
)

// load reads a configuration from a folder of its own.
func load(t *testing.T, text string) (*config.Config, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "postern.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, env)
	return c, path, err
}

func env(name string) (string, bool) {
	value, ok := map[string]string{
		"COLLECTOR": "https://collector.example/?canary=1", "BAD": "canary",
		"DSN": "postgres://postern:canary@db/postern", "DSN_WORDS": "host=db password=canary", "PATH_OF_STORE": "canary/from-env.db",
		"PEPPER": "canary-pepper-of-thirty-two-bytes", "OLD_PEPPER": "canary-pepper-that-was-used-before",
		"TOKEN": "canary-token-0123456789", "TOKEN_2": "canary-token-9876543210", "SHORT": "canary-15-chars", "SPACED": "canary token 0123456789",
	}[name]
	return value, ok
}

func TestDefaultsNeedNoFile(t *testing.T) {
	got, err := config.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	kinds := []access.Kind{access.KindAPIKey, access.KindSignature, access.KindJWT, access.KindBasic, access.KindClientCertificate}
	want := &config.Config{
		Listen: config.Listen{
			GRPC:  config.Listener{Address: "127.0.0.1:9191"},
			HTTP:  config.Listener{Address: "127.0.0.1:9192", TrustedProxies: loopback},
			Admin: config.Listener{Address: "127.0.0.1:9193"},
			Drain: config.Drain{NotReady: 5 * time.Second, Timeout: 30 * time.Second},
		},
		Authentication: config.Authentication{
			Order: kinds, HideCredentials: true,
			APIKey:            config.APIKey{In: []config.Location{{Header: "X-API-Key"}, {Header: "Authorization", Scheme: "ApiKey"}, {Header: "Authorization", Scheme: "Bearer"}}},
			JWT:               config.JWT{In: []config.Location{{Header: "Authorization", Scheme: "Bearer"}}, Leeway: 30 * time.Second, Issuers: []config.Issuer{}},
			Basic:             config.Basic{Realm: "api", Verifier: basic.VerifierConfig{Wait: 100 * time.Millisecond, Burst: 2 * time.Second}},
			Signature:         signature.Config{Realm: "api", ClockSkew: 5 * time.Minute},
			ClientCertificate: clientcert.Config{Realm: "api", Unknown: clientcert.UnknownReject},
		},
		Consumers: config.Consumers{Keys: ordinaryKeys},
		Routes:    []gate.Route{},
		Default:   gate.Route{Authenticate: gate.Authenticate{Kinds: kinds}, Entrypoint: "postern/authz/allow"},
		Policy:    config.Policy{Timeout: 20 * time.Millisecond, Entrypoints: []string{"postern/authz/allow"}, Named: map[string]int{}, Lines: map[string]int{}, KeepRevisions: 10},
		Cache:     config.Cache{MaxMemory: 64 << 20, TTL: time.Minute, NegativeTTL: 5 * time.Second},
		Telemetry: config.Telemetry{LogLevel: "info", LogFormat: "json", AllowSample: 0.01},
	}
	compare(t, want, got)
	if !manages(got, "X-Consumer-Username") || !manages(got, "X-Anonymous-Consumer") {
		t.Errorf("managed headers: %v", got.Identity)
	}
}

// ordinaryKeys are what a file that says nothing of keys asks for.
var ordinaryKeys = config.Keys{Prefix: "postern", Grace: 30 * 24 * time.Hour, MaxCredentials: 100}

// compare leaves out what other tests look at.
func compare(t *testing.T, want, got *config.Config) {
	t.Helper()
	opts := cmp.Options{
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b gate.Pattern) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b access.Secret) bool { return a.Equal(b.Reveal()) }),
		cmpopts.IgnoreFields(basic.VerifierConfig{}, "Verify"),
		cmp.FilterPath(func(p cmp.Path) bool {
			switch p.String() {
			case "Identity", "Revision", "Files":
				return true
			}
			return false
		}, cmp.Ignore()),
		cmp.FilterValues(func(a, b []netip.Prefix) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
	}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func manages(c *config.Config, name string) bool {
	for _, h := range c.Identity {
		if h.Name == name {
			return true
		}
	}
	return false
}

func TestExampleIsTheDefaultsAndItsRoutes(t *testing.T) {
	path, err := filepath.Abs("../../deploy/example/postern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(path)
	got, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := config.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	both := want.Default.Authenticate
	route := func(name string, paths ...string) gate.Route {
		r := gate.Route{Name: name, Authenticate: both, Entrypoint: "postern/authz/allow"}
		for _, p := range paths {
			pattern, err := gate.ParsePattern(p)
			if err != nil {
				t.Fatal(err)
			}
			r.Match.Paths = append(r.Match.Paths, pattern)
		}
		return r
	}
	health, admin, order, payments, legacy := route("health", "/healthz"), route("admin", "/admin/{rest...}"), route("order", "/orders/{id}"), route("payments", "/payments/{rest...}"), route("legacy", "/legacy/{rest...}")
	health.Anonymous = true
	admin.Require.Roles = []string{"admin"}
	order.Match.Methods, order.Match.Hosts, order.Require.Scopes = []string{"GET", "PUT", "DELETE"}, []string{"api.example.com"}, []string{"orders:read"}
	order.Authenticate.Kinds = []access.Kind{access.KindAPIKey, access.KindJWT}
	payments.Authenticate = gate.Authenticate{Kinds: order.Authenticate.Kinds, AllOf: true}
	legacy.Entrypoint = "envoy/authz/allow"
	want.Routes = []gate.Route{health, admin, order, payments, legacy}
	want.Consumers.Files = []string{filepath.Join(folder, "consumers", "*.yaml")}
	want.Consumers.Store = &config.Store{Driver: "sqlite", DSN: access.NewSecret(filepath.Join(folder, "postern.db"))}
	want.Policy.Directory = filepath.Join(folder, "policies")
	want.Policy.Entrypoints = []string{"postern/authz/allow", "envoy/authz/allow"}
	want.Policy.Named, want.Policy.Lines = got.Policy.Named, got.Policy.Lines // lines of a file that changes often
	want.Authentication.JWT.Issuers = []config.Issuer{{
		Name: "shop", Issuer: "https://id.example.com/realms/shop", JWKSFile: filepath.Join(folder, "jwks.json"),
		Algorithms: []string{"RS256", "ES256"}, Audiences: []string{"orders-api"},
		ConsumerClaim: "azp", UnknownConsumer: "deny", MaxStale: 24 * time.Hour,
		Roles: []string{"realm_access.roles", "resource_access.orders-api.roles"}, Groups: []string{"groups"}, Scopes: []string{"scope"},
	}}
	compare(t, want, got)
	if !reflect.DeepEqual(got.Files, []string{path}) || got.Revision == want.Revision || len(got.Revision) != 32 {
		t.Errorf("files %q, revision %q", got.Files, got.Revision)
	}
}

func TestEveryKeyIsHonoured(t *testing.T) {
	got, path, err := load(t, `
listen:
  grpc:
    address: unix:grpc.sock
    trusted_proxies: [0.0.0.0/0]
    dangerously_trust_any_proxy: true
    fault_response: error
    tls: {cert_file: c.pem, key_file: /k.pem, client_ca_file: ca.pem}
  http: {address: "[::1]:0", trusted_proxies: [10.1.2.3], tls: {cert_file: c.pem, key_file: k.pem}}
  admin: {address: "0.0.0.0:9000", tokens: [{name: ops, role: admin, token: env:TOKEN}, {name: eyes, role: viewer, token: env:TOKEN_2}], hosts: [postern.example.com]}
  drain: {not_ready: 0s, timeout: 1m}
consumers:
  files: [a.yaml, /b/*.yaml]
  environments: [prod, pre-prod]
  store: {driver: postgres, dsn: env:DSN, pepper: [env:PEPPER, env:OLD_PEPPER]}
  max_staleness: 1m
  keys: {prefix: pk, grace: 7d, max_credentials: 3}
authentication:
  order: [jwt, api_key]
  hide_credentials: false
  api_key: {in: [{query: api_key}, {header: X-Key}]}
  jwt:
    in: [{header: X-Token}]
    leeway: 1m
    max_lifetime: 24h
    issuers:
      - {name: a, issuer: "https://a", audiences: [x]}
      - {name: b, issuer: b, audiences: [x, y], jwks_url: "http://keycloak:8080/certs", dangerously_fetch_over_plain_http: true, algorithms: [EdDSA], consumer_claim: client_id, unknown_consumer: ephemeral, scopes: [scp], max_stale: 1h}
routes:
  - {name: r, match: {hosts: ["*.example.com"], methods: [PURGE]}, anonymous: deny, authenticate: {all_of: [api_key, jwt]}, require: {groups: [g]}, environments: [prod], max_staleness: 0s}
  - {name: s, match: {paths: [/s]}, authenticate: []}
default: {anonymous: allow, authenticate: [jwt], policy: a/b, environments: [pre-prod], max_staleness: 10s}
policy:
  directory: p
  entrypoint: c/d
  timeout: 1s
  allowed_builtins: [http.send]
  data: [{file: "d/*.json"}, {file: /e.yaml, at: f/g}]
  bundles:
    - {name: h, url: "http://b.example/h", dangerously_fetch_over_plain_http: true, token: env:COLLECTOR, ca_file: ca.pem, every: 1s, max_size: 1MiB, verification: {key: env:COLLECTOR, key_id: k, algorithm: ES256, scope: s}}
    - {name: i, file: i.tar.gz}
  state_directory: state
  keep_revisions: 3
  shadow: {directory: next, sample: 0.5}
  journal: {directory: j, max_file_size: 1MiB, max_files: 2, sample: 0.25, input: read, hash: [consumer.name], omit: [attributes.request.http.headers.x-a]}
  dry_run: true
  descriptors: d.pb
identity: {headers: {X-Client-ID: identity.claims.azp, X-Who: consumer.name}}
cache: {max_memory: 0, ttl: 1s, negative_ttl: 0s}
telemetry: {log_level: debug, log_format: text, otlp_endpoint: env:COLLECTOR, decision_log: {allow_sample: 1}}
`)
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(filepath.Dir(path), name) }
	jwtOnly := gate.Authenticate{Kinds: []access.Kind{access.KindJWT}}
	want := &config.Config{
		Listen: config.Listen{
			GRPC: config.Listener{
				Address: "unix:" + in("grpc.sock"), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")},
				TLS: &config.TLS{CertFile: in("c.pem"), KeyFile: "/k.pem", ClientCAFile: in("ca.pem")},
			},
			HTTP:  config.Listener{Address: "[::1]:0", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32")}, TLS: &config.TLS{CertFile: in("c.pem"), KeyFile: in("k.pem")}},
			Admin: config.Listener{Address: "0.0.0.0:9000"},
			AdminTokens: []config.AdminToken{
				{Name: "ops", Role: "admin", Token: access.NewSecret("canary-token-0123456789")},
				{Name: "eyes", Role: "viewer", Token: access.NewSecret("canary-token-9876543210")},
			},
			AdminHosts:   []string{"postern.example.com"},
			FaultAsError: true,
			Drain:        config.Drain{Timeout: time.Minute},
		},
		Consumers: config.Consumers{Files: []string{in("a.yaml"), "/b/*.yaml"}, Environments: []string{"prod", "pre-prod"},
			Store: &config.Store{Driver: "postgres", DSN: access.NewSecret("postgres://postern:canary@db/postern"), Peppers: []access.Secret{
				access.NewSecret("canary-pepper-of-thirty-two-bytes"), access.NewSecret("canary-pepper-that-was-used-before"),
			}},
			MaxStaleness: time.Minute,
			Keys:         config.Keys{Prefix: "pk", Grace: 7 * 24 * time.Hour, MaxCredentials: 3},
		},
		Authentication: config.Authentication{
			Order:  []access.Kind{access.KindJWT, access.KindAPIKey},
			APIKey: config.APIKey{In: []config.Location{{Query: "api_key"}, {Header: "X-Key"}}},
			JWT: config.JWT{
				In: []config.Location{{Header: "X-Token"}}, Leeway: time.Minute, MaxLifetime: 24 * time.Hour,
				Issuers: []config.Issuer{
					{Name: "a", Issuer: "https://a", Audiences: []string{"x"}, Algorithms: []string{"RS256", "ES256"}, ConsumerClaim: "azp", UnknownConsumer: "deny", Scopes: []string{"scope"}, MaxStale: 24 * time.Hour},
					{Name: "b", Issuer: "b", JWKSURL: "http://keycloak:8080/certs", Audiences: []string{"x", "y"}, Algorithms: []string{"EdDSA"}, ConsumerClaim: "client_id", UnknownConsumer: "ephemeral", Scopes: []string{"scp"}, MaxStale: time.Hour},
				},
			},
			Basic:             config.Basic{Realm: "api", Verifier: basic.VerifierConfig{Wait: 100 * time.Millisecond, Burst: 2 * time.Second}},
			Signature:         signature.Config{Realm: "api", ClockSkew: 5 * time.Minute, Environments: []string{"prod", "pre-prod"}},
			ClientCertificate: clientcert.Config{Realm: "api", Unknown: clientcert.UnknownReject, Environments: []string{"prod", "pre-prod"}},
		},
		Routes: []gate.Route{
			{
				Name: "r", Match: gate.Match{Hosts: []string{"*.example.com"}, Methods: []string{"PURGE"}},
				Authenticate: gate.Authenticate{Kinds: []access.Kind{access.KindJWT, access.KindAPIKey}, AllOf: true},
				Require:      gate.Require{Groups: []string{"g"}}, Entrypoint: "a/b", Environments: []string{"prod"},
			},
			{Name: "s", Match: gate.Match{Paths: []gate.Pattern{pattern(t, "/s")}}, Anonymous: true, Authenticate: gate.Authenticate{Kinds: []access.Kind{}}, Entrypoint: "a/b", Environments: []string{"pre-prod"}, MaxStaleness: 10 * time.Second},
		},
		Default: gate.Route{Anonymous: true, Authenticate: jwtOnly, Entrypoint: "a/b", Environments: []string{"pre-prod"}, MaxStaleness: 10 * time.Second},
		Policy: config.Policy{Directory: in("p"), Timeout: time.Second, AllowedBuiltins: []string{"http.send"}, Entrypoints: []string{"c/d", "a/b"}, Named: map[string]int{"c/d": 35, "a/b": 32},
			Lines: map[string]int{"policy.data[0].file": 38, "policy.data[1].file": 38, "policy.descriptors": 47},
			Data:  []config.PolicyData{{Pattern: in("d/*.json")}, {Pattern: "/e.yaml", At: []string{"f", "g"}}},
			Bundles: []config.Bundle{
				{
					Name: "h", URL: "http://b.example/h", Token: access.NewSecret("https://collector.example/?canary=1"), CAFile: in("ca.pem"), Every: time.Second, MaxSize: 1 << 20,
					Verification: &config.Verification{Key: access.NewSecret("https://collector.example/?canary=1"), KeyID: "k", Algorithm: "ES256", Scope: "s"},
				},
				{Name: "i", File: in("i.tar.gz"), Every: 30 * time.Second, MaxSize: 256 << 20},
			},
			StateDirectory: in("state"), KeepRevisions: 3, Shadow: &config.Shadow{Directory: in("next"), Sample: 0.5},
			Journal: &config.Journal{
				Directory: in("j"), MaxFileSize: 1 << 20, MaxFiles: 2, Sample: 0.25,
				Hash: [][]string{{"consumer", "name"}}, Omit: [][]string{{"attributes", "request", "http", "headers", "x-a"}},
			},
			DryRun: true, Descriptors: in("d.pb"),
		},
		Cache:     config.Cache{TTL: time.Second},
		Telemetry: config.Telemetry{LogLevel: "debug", LogFormat: "text", OTLPEndpoint: access.NewSecret("https://collector.example/?canary=1"), AllowSample: 1},
	}
	compare(t, want, got)
	for _, name := range []string{"X-Client-ID", "X-Who", "X-Consumer-Username", "X-Consumer-ID"} {
		if !manages(got, name) {
			t.Errorf("%s is not managed", name)
		}
	}
}

func pattern(t *testing.T, text string) gate.Pattern {
	t.Helper()
	p, err := gate.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReferredFilesAreNamedAndPartOfTheRevision(t *testing.T) {
	c, path, err := load(t, "telemetry: {otlp_endpoint: env:COLLECTOR}")
	if err != nil || len(c.Files) != 1 {
		t.Fatalf("%v, %v", c, err)
	}
	beside := filepath.Join(filepath.Dir(path), "endpoint")
	revisions := map[string]bool{}
	for _, value := range []string{"https://a", "https://b\n"} {
		if err := os.WriteFile(beside, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("telemetry: {otlp_endpoint: file:endpoint}"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path, nil)
		if err != nil || !c.Telemetry.OTLPEndpoint.Equal([]byte(strings.TrimSpace(value))) || !reflect.DeepEqual(c.Files, []string{path, beside}) {
			t.Fatalf("%+v, %v", c, err)
		}
		revisions[c.Revision] = true
	}
	if len(revisions) != 2 {
		t.Error("another value must be another revision")
	}
}

func TestAFileThatCantBeRead(t *testing.T) {
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "none.yaml"): "none.yaml: can't be read: no such file or directory",
		t.TempDir():                             ": is not a regular file",
	} {
		if _, err := config.Load(path, nil); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	}
}

func ExampleLoad() {
	c, err := config.Load("", nil)
	fmt.Println(c.Listen.GRPC.Address, c.Default.Anonymous, err)
	// Output: 127.0.0.1:9191 false <nil>
}
