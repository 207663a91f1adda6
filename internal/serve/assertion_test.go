package serve_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-authz/postern/deploy/upstream"
)

// newSigningKey writes a key for assertions.
func newSigningKey(t *testing.T, path string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, path, "PRIVATE KEY", der)
}

// assertionFor is what the upstream of an allowed order would get.
func (h *house) assertionFor(t *testing.T) string {
	t.Helper()
	req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+h.at.HTTP.String()+"/forward-auth/traefik", nil)
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/orders/7", "X-Forwarded-Host": "api.example.com", "X-API-Key": mobileKey,
		"X-Postern-Identity": "forged",
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("X-Postern-Identity")
}

// TestUpstreamVerifiesTheSignedIdentity: an upstream that knows nothing but the
// JWKS URL believes the assertion for its own request, also after the key was
// changed, and for no other.
func TestUpstreamVerifiesTheSignedIdentity(t *testing.T) {
	h := start(t, func(dir string) {
		newSigningKey(t, filepath.Join(dir, "signing.pem"))
		edit(t, dir, "postern.yaml", "  headers: apisix ", "  assertion: {key: file:signing.pem, audience: orders}\n  headers: apisix ")
	})
	v, err := upstream.New(t.Context(), upstream.Config{
		KeysURL: "http://" + h.at.Admin.String() + "/.well-known/jwks.json", Header: "X-Postern-Identity", Issuer: "postern", Audience: []string{"orders"},
		Asked: upstream.Arrived,
	})
	if err != nil {
		t.Fatal(err)
	}
	soon, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := v.Ready(soon); err != nil {
		t.Fatal(err)
	}
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := v.Verify(r)
		if err != nil {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, id.Subject)
	})
	call := func(assertion, path string) (int, string) {
		req := httptest.NewRequest(http.MethodGet, "http://api.example.com"+path, nil)
		req.Header.Set("X-Postern-Identity", assertion)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	first := h.assertionFor(t)
	if status, who := call(first, "/orders/7"); status != 200 || who != "mobile-app-prod-67a1b2c3" {
		t.Fatalf("%d %s for %q", status, who, first)
	}
	if status, _ := call(first, "/orders/8"); status != 401 {
		t.Errorf("another path: %d", status)
	}

	newSigningKey(t, filepath.Join(h.dir, "next.pem"))
	edit(t, h.dir, "postern.yaml", "key: file:signing.pem", "key: file:next.pem, previous_keys: [file:signing.pem]")
	until(t, "the new key signs", func() bool { return h.assertionFor(t) != first })
	if status, _ := call(first, "/orders/7"); status != 200 {
		t.Errorf("an assertion of the previous key: %d", status)
	}
	resp, err := http.Get("http://" + h.at.Admin.String() + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var set struct{ Keys []struct{ Kid string } }
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil || len(set.Keys) != 2 || set.Keys[0].Kid == set.Keys[1].Kid {
		t.Errorf("the key set: %d %+v, %v", resp.StatusCode, set, err)
	}
}
