package policy_test

import (
	"context"
	"maps"
	"net/netip"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

func TestMain(m *testing.M) {
	registerPanic()
	goleak.VerifyTestMain(m)
}

const entrypoint = "postern/authz/allow"

// example is deploy/example's directory of policies.
const example = "../../deploy/example/policies"

// files makes a file system of texts by path.
func files(texts map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for path, text := range texts {
		fs[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

// module is a policy of package postern.authz with these rules.
func module(rules string) map[string]string {
	return map[string]string{"authz.rego": "package postern.authz\n\nimport rego.v1\n\n" + rules}
}

// embedded compiles files with the usual entry point and a time that no slow
// machine exceeds.
func embedded(t testing.TB, texts map[string]string, change ...func(*policy.Options)) *policy.Snapshot {
	t.Helper()
	o := policy.Options{Embedded: files(texts), Entrypoints: []string{entrypoint}, Timeout: time.Minute}
	for _, c := range change {
		c(&o)
	}
	s, err := policy.Compile(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rules compiles a policy of these rules.
func rules(t testing.TB, text string, change ...func(*policy.Options)) *policy.Snapshot {
	t.Helper()
	return embedded(t, module(text), change...)
}

// question is GET /orders/7?x=1&x=2 by the consumer mobile.
func question() *gate.Question {
	consumer := &access.Consumer{
		Name: "mobile", DisplayName: "Mobile App", Environment: "prod", Enabled: true,
		Labels: map[string]string{"team": "mobile"}, Groups: []string{"premium"}, Roles: []string{"reader"},
		Attributes: map[string]any{"region": "kr", "tier": 3, "tags": []any{"a", "b"}},
	}
	credential := &access.Credential{ID: "mobile-key", Kind: access.KindAPIKey, Enabled: true, Scopes: []string{"orders:read"}}
	return &gate.Question{
		Request: &access.Request{
			Door: access.GRPC, ID: "1", Time: time.Date(2026, 11, 24, 9, 30, 0, 5e8, time.UTC),
			Method: "GET", Scheme: "https", Protocol: "HTTP/1.1",
			Host: "api.example.com", RawHost: "API.example.com:8443",
			Path: "/orders/7", RawPath: "/orders//7?x=1&x=2", Query: "x=1&x=2",
			Headers: access.Headers{
				{Name: "accept", Value: "*/*"}, {Name: "x-multi", Value: "a"}, {Name: "x-multi", Value: "b"},
				{Name: "x-request-id", Value: "r-1"},
			},
			Client:      netip.MustParseAddr("192.0.2.1"),
			Source:      access.Peer{Address: netip.MustParseAddrPort("192.0.2.1:4711"), Principal: "spiffe://example.com/edge"},
			Destination: access.Peer{Address: netip.MustParseAddrPort("192.0.2.2:8443"), Service: "orders", Labels: map[string]string{"zone": "a"}},
			Extensions:  map[string]string{"postern.route": "order"},
			Metadata: func() map[string]any {
				return map[string]any{"metadataContext": map[string]any{"filterMetadata": map[string]any{"a": "b"}}, "tlsSession": map[string]any{"sni": "api.example.com"}}
			},
		},
		Identity: &access.Identity{
			Consumer: consumer, Credential: credential,
			Claims: map[string]any{"sub": "u-1", "realm_access": map[string]any{"roles": []any{"reader"}}},
			Scopes: []string{"orders:read"}, Roles: []string{"reader"}, Groups: []string{"premium"}, Issuer: "shop",
		},
		Route: "order", Params: []access.Param{{Name: "id", Value: "7"}}, Entrypoint: entrypoint,
	}
}

// anonymousQuestion is the same request without a credential.
func anonymousQuestion() *gate.Question {
	q := question()
	q.Identity = access.AnonymousIdentity()
	return q
}

func decide(t testing.TB, s *policy.Snapshot, q *gate.Question) access.Decision {
	t.Helper()
	d, err := s.Decide(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func merged(all ...map[string]string) map[string]string {
	m := map[string]string{}
	for _, each := range all {
		maps.Copy(m, each)
	}
	return m
}
