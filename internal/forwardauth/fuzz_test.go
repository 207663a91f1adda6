package forwardauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/forwardauth"
)

// checkReadable holds for every request that a door did not refuse.
func checkReadable(t *testing.T, req *access.Request) {
	t.Helper()
	if req.Malformed != "" {
		return
	}
	if !strings.HasPrefix(req.Path, "/") || strings.Contains(req.Path, "//") || strings.Contains(req.Path+"/", "/../") || !utf8.ValidString(req.Path) {
		t.Errorf("path %q of %q", req.Path, req.RawPath)
	}
	if host, err := canon.Host(req.Host); err != nil || host != req.Host {
		t.Errorf("host %q of %q", req.Host, req.RawHost)
	}
	if canon.Method(req.Method) != nil {
		t.Errorf("method %q", req.Method)
	}
	for _, h := range req.Headers {
		if lower, err := canon.HeaderName(h.Name); err != nil || lower != h.Name {
			t.Errorf("header name %q", h.Name)
		}
	}
}

func FuzzForwardedHeaders(f *testing.F) {
	for _, uri := range []string{"/a?x", "/a/../b", "/a%2fb", "//", "http://a.test/b", "", "*", "/\x80", "/..;/a", "/%25zz"} {
		f.Add("caddy", "GET", uri, "a.test", "http", "127.0.0.2, 1.2.3.4")
		f.Add("apisix", "PUT", uri, "[::1]:80", "", "junk")
		f.Add("nginx", "get", uri, "a.test.", "wss", ",")
	}
	c := &checker{}
	door := forwardauth.New(c, forwardauth.Options{Trusted: loopback()})
	f.Fuzz(func(t *testing.T, gateway, method, uri, host, proto, chain string) {
		r := httptest.NewRequest("GET", "/forward-auth/caddy", nil)
		if _, known := doors[gateway]; known && gateway != "envoy" {
			r.RequestURI = "/forward-auth/" + gateway
		}
		r.RemoteAddr = "127.0.0.1:4711"
		r.Header = http.Header{
			"X-Forwarded-Uri": {uri}, "X-Forwarded-Method": {method}, "X-Forwarded-Host": {host},
			"X-Forwarded-Proto": {proto}, "X-Forwarded-For": strings.Split(chain, ";"),
		}
		w := httptest.NewRecorder()
		c.asked = nil
		door.ServeHTTP(w, r)
		if c.asked == nil {
			t.Fatalf("not asked: %d", w.Code)
		}
		checkReadable(t, c.asked)
		if !c.asked.Client.IsValid() || c.asked.Client.Is4In6() {
			t.Errorf("client %v", c.asked.Client)
		}
	})
}

func FuzzPluginInput(f *testing.F) {
	f.Add(pluginInput)
	f.Add(`{"input":{"type":"http","request":{"method":"GET","host":"a.test","path":"/a","query":{"a":[true]}}}}`)
	f.Add(`{"input":[]}`)
	f.Add(`{"input":{"request":{"headers":{"a":["b"]}},"request":{}}}`)
	c := &checker{}
	door := forwardauth.New(c, forwardauth.Options{Trusted: loopback()})
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/v1/data/a/b", strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:4711"
		w := httptest.NewRecorder()
		c.asked = nil
		door.ServeHTTP(w, r)
		if w.Code != 200 || c.asked == nil {
			t.Fatalf("%d", w.Code)
		}
		checkReadable(t, c.asked)
	})
}
