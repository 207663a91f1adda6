package policy_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// Policies in the styles that OPA-Envoy's documentation teaches: imported
// request, tokens checked in Rego, basic credentials, decisions built member by
// member, bodies and queries. They run unchanged.
const envoyPolicy = `package envoy.authz

import rego.v1

import input.attributes.request.http as http_request

default allow := false

allow if {
	token.valid
	action_allowed
}

token := {"valid": valid, "payload": payload} if {
	[_, encoded] := split(http_request.headers.authorization, " ")
	[valid, _, payload] := io.jwt.decode_verify(encoded, {"secret": "demo-secret-of-at-least-thirty-two-bytes!"})
}

action_allowed if {
	http_request.method == "GET"
	token.payload.role == "guest"
	glob.match("/people*", [], http_request.path)
}

action_allowed if {
	http_request.method == "POST"
	token.payload.role == "admin"
	lower(input.parsed_body.firstname) != base64url.decode(token.payload.sub)
}

user := name if {
	[scheme, encoded] := split(http_request.headers.authorization, " ")
	scheme == "Basic"
	[name, _] := split(base64.decode(encoded), ":")
}

default basic := false

basic if {
	user == "alice"
	http_request.method == "GET"
	input.parsed_path == ["people", "7"]
	input.parsed_query.lang == ["en"]
	input.attributes.source.address.socketAddress.address == "192.0.2.1"
}

result["allowed"] := basic

result["headers"] := {"x-ext-auth-allow": "yes", "x-user": user} if basic

result["http_status"] := 301 if not basic

result["body"] := "Unauthorized Request" if not basic

result["response_headers_to_add"] := {"x-foo": "bar"} if basic

result["request_headers_to_remove"] := ["one-auth-header", "another-auth-header"]

result["dynamic_metadata"] := {"foo": "bar"}
`

func envoyQuestion(entry, method, path, authorization string) *gate.Question {
	q := question()
	q.Entrypoint = entry
	q.Request.Method, q.Request.RawPath, q.Request.Path = method, path, path
	q.Request.Headers = access.Headers{{Name: "authorization", Value: authorization}, {Name: "content-type", Value: "application/json"}}
	return q
}

func bearer(t *testing.T, role string) string {
	t.Helper()
	claims := map[string]any{"role": role, "sub": base64.RawURLEncoding.EncodeToString([]byte("alice")), "exp": question().Request.Time.Add(time.Hour).Unix()}
	return "Bearer " + signedToken(t, claims)
}

func signedToken(t *testing.T, claims map[string]any) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims)).SignedString([]byte("demo-secret-of-at-least-thirty-two-bytes!"))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func envoySnapshot(t *testing.T) *policy.Snapshot {
	t.Helper()
	return embedded(t, map[string]string{"policy.rego": envoyPolicy}, func(o *policy.Options) {
		o.Entrypoints = []string{"envoy/authz/allow", "envoy/authz/result"}
	})
}

func TestEnvoyTokens(t *testing.T) {
	s := envoySnapshot(t)
	const entry = "envoy/authz/allow"
	create := func(name, role string) *gate.Question {
		q := envoyQuestion(entry, "POST", "/people", bearer(t, role))
		q.Request.Body = []byte(`{"firstname": "` + name + `"}`)
		return q
	}
	late := envoyQuestion(entry, "GET", "/people", bearer(t, "guest"))
	late.Request.Time = late.Request.Time.Add(2 * time.Hour)
	for name, c := range map[string]struct {
		q    *gate.Question
		want bool
	}{
		"a guest reads":           {envoyQuestion(entry, "GET", "/people", bearer(t, "guest")), true},
		"after the token's end":   {late, false},
		"a guest elsewhere":       {envoyQuestion(entry, "GET", "/other", bearer(t, "guest")), false},
		"a guest creates":         {create("bob", "guest"), false},
		"an admin creates":        {create("bob", "admin"), true},
		"an admin creates itself": {create("Alice", "admin"), false},
		"no token":                {question0(entry), false},
	} {
		if d := decide(t, s, c.q); d.Allowed != c.want {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}

// question0 carries no header at all.
func question0(entry string) *gate.Question {
	q := question()
	q.Entrypoint, q.Request.Headers = entry, nil
	return q
}

func TestEnvoyResultByMembers(t *testing.T) {
	s := envoySnapshot(t)
	const entry = "envoy/authz/result"
	ask := func(name string) *gate.Question {
		q := envoyQuestion(entry, "GET", "/people/7", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":password")))
		q.Request.Query = "lang=en"
		return q
	}
	metadata := map[string]any{"foo": "bar"}
	want := access.Decision{
		Allowed: true, RemoveHeaders: []string{"one-auth-header", "another-auth-header"}, Metadata: metadata,
		Headers:         []access.Header{{Name: "x-ext-auth-allow", Value: "yes"}, {Name: "x-user", Value: "alice"}},
		ResponseHeaders: []access.Header{{Name: "x-foo", Value: "bar"}},
	}
	if diff := cmp.Diff(want, decide(t, s, ask("alice"))); diff != "" {
		t.Error(diff)
	}
	want = access.Decision{Status: 301, Body: "Unauthorized Request", HasBody: true, Metadata: metadata}
	if diff := cmp.Diff(want, decide(t, s, ask("bob"))); diff != "" {
		t.Error(diff)
	}
}

// One snapshot answers many at once.
func TestManyAtOnce(t *testing.T) {
	remembering := embedded(t, libraryFiles(), func(o *policy.Options) { o.Memory = memory(t) })
	evaluating := embedded(t, libraryFiles())
	for _, path := range []string{"/a", "/b", "/admin/x", "/healthz"} {
		for range 8 {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				q := question()
				q.Request.Path = path
				for range 50 {
					for _, s := range []*policy.Snapshot{remembering, evaluating} {
						if d := decide(t, s, q); d.Allowed != (path != "/admin/x") {
							t.Errorf("%s: %+v", path, d)
						}
					}
				}
			})
		}
	}
}
