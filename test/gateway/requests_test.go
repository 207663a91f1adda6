package gateway

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postern-authz/postern/test/harness"
)

// The credentials of deploy/example/consumers/demo.yaml.
const (
	mobileKey  = "demo-mobile-key-0123456789abcdefghijklmnopqrstuv"
	acmeKey    = "demo-acme-key-0123456789abcdefghijklmnopqrstuvwx"
	opsKey     = "demo-ops-key-0123456789abcdefghijklmnopqrstuvwxyz"
	retiredKey = "demo-retired-key-0123456789abcdefghijklmnopqrst"
	mobile     = "mobile-app-prod-67a1b2c3"
)

// exchange is one request and what must come of it behind every gateway.
type exchange struct {
	name    string
	request harness.Request
	// status and code are what the client gets; code is empty on an allow.
	status int
	code   string
	// upstream are headers that the upstream sees, exactly; an empty value
	// stands for absent or empty.
	upstream map[string]string
}

// anonymousUpstream is what an upstream sees of nobody.
func anonymousUpstream() map[string]string {
	return map[string]string{
		"X-Consumer-Username": "", "X-Consumer-Id": "", "X-Consumer-Custom-Id": "", "X-Consumer-Groups": "",
		"X-Authenticated-Groups": "", "X-Credential-Identifier": "", "X-Anonymous-Consumer": "",
	}
}

// mobileUpstream is what an upstream sees of the mobile app.
func mobileUpstream(credential string) map[string]string {
	seen := anonymousUpstream()
	seen["X-Consumer-Username"] = mobile
	seen["X-Credential-Identifier"] = credential
	seen["X-Consumer-Custom-Id"] = "42"
	seen["X-Api-Key"] = ""
	seen["Authorization"] = ""
	return seen
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

func token(t *testing.T) string {
	t.Helper()
	claims := jwt.MapClaims{"key": "mobile-issuer", "exp": time.Now().Add(time.Hour).Unix()}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("demo-secret-of-at-least-thirty-two-bytes!"))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// forged are a client's own claims to be somebody.
func forged(pairs ...string) http.Header {
	h := header("X-Consumer-Username", "ops-console", "X-Consumer-Id", "1", "X-Consumer-Custom-Id", "7",
		"X-Consumer-Groups", "admins", "X-Authenticated-Groups", "admins", "X-Credential-Identifier", "ops-key",
		"X-Anonymous-Consumer", "false", "X-Decision-Id", "forged")
	h.Add("X-Consumer-Username", "twice")
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = []string{pairs[i+1]}
	}
	return h
}

// exchanges are what every gateway must make of the same requests.
func exchanges(t *testing.T) []exchange {
	t.Helper()
	return []exchange{
		{"a key is allowed", harness.Request{Target: "/orders/42?x=%20y", Header: header("X-Api-Key", mobileKey)},
			200, "", mobileUpstream("mobile-key")},
		{"a key under Authorization is allowed", harness.Request{Target: "/orders/42", Header: header("Authorization", "ApiKey "+mobileKey)},
			200, "", mobileUpstream("mobile-key")},
		{"a token is allowed", harness.Request{Target: "/anything", Header: header("Authorization", "Bearer "+token(t))},
			200, "", mobileUpstream("mobile-jwt")},
		{"a body passes", harness.Request{Method: "POST", Target: "/admin/jobs", Header: header("X-Api-Key", opsKey), Body: "hello"},
			200, "", map[string]string{"X-Consumer-Username": "ops-console", "X-Api-Key": ""}},
		{"nobody may see the health page", harness.Request{Target: "/healthz"}, 200, "", anonymousUpstream()},

		{"forged identity is replaced", harness.Request{Target: "/orders/42", Header: forged("X-Api-Key", mobileKey)},
			200, "", mobileUpstream("mobile-key")},
		{"forged identity of nobody is taken away", harness.Request{Target: "/healthz", Header: forged()},
			200, "", anonymousUpstream()},
		{"forged original requests are not believed", harness.Request{Target: "/admin/jobs", Header: header("X-Api-Key", mobileKey,
			"X-Forwarded-Uri", "/healthz", "X-Original-Uri", "/healthz", "X-Original-Url", "/healthz", "X-Rewrite-Url", "/healthz",
			"X-Forwarded-Method", "GET", "X-Original-Method", "GET", "X-Forwarded-Host", "evil.example")}, 403, "missing_role", nil},

		{"no credential", harness.Request{Target: "/orders/42"}, 401, "missing_credential", nil},
		{"an unknown key", harness.Request{Target: "/orders/42", Header: header("X-Api-Key", "demo-unknown-key-0123456789abcdefghijklmno")},
			401, "invalid_credential", nil},
		{"a disabled consumer", harness.Request{Target: "/orders/42", Header: header("X-Api-Key", retiredKey)},
			401, "invalid_credential", nil},
		{"a bad key where nobody is allowed", harness.Request{Target: "/healthz", Header: header("X-Api-Key", "demo-unknown-key-0123456789abcdefghijklmno")},
			401, "invalid_credential", nil},
		{"two places with a key", harness.Request{Target: "/orders/42", Header: header("X-Api-Key", mobileKey, "Authorization", "ApiKey "+mobileKey)},
			401, "invalid_credential", nil},
		{"two lines with a key", harness.Request{Target: "/orders/42", Header: header("X-Api-Key", mobileKey, "X-Api-Key", mobileKey)},
			401, "invalid_credential", nil},

		{"a missing role", harness.Request{Target: "/admin/jobs", Header: header("X-Api-Key", mobileKey)}, 403, "missing_role", nil},
		{"a missing scope", harness.Request{Target: "/orders/42", Header: header("X-Api-Key", opsKey)}, 403, "missing_scope", nil},
		{"a constraint", harness.Request{Method: "DELETE", Target: "/orders/42", Header: header("X-Api-Key", acmeKey)},
			403, "constraint_violated", nil},
		{"policy", harness.Request{Method: "DELETE", Target: "/orders/42", Header: header("X-Api-Key", mobileKey)},
			403, "denied_by_policy", nil},
		{"a path with dot segments is decided where it ends", harness.Request{Target: "/healthz/../admin/jobs", Header: header("X-Api-Key", mobileKey)},
			403, "missing_role", nil},
		{"a path twice encoded", harness.Request{Target: "/orders/%2541", Header: header("X-Api-Key", mobileKey)},
			400, "malformed_request", nil},
	}
}
