package bearer

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRow24Fetch: a server that lies, drips, grows, bombs or sends elsewhere.
func TestRow24Fetch(t *testing.T) {
	var inward atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inward.Add(1) }))
	defer inside.Close()
	done := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "good") })
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, _ *http.Request) { zipped(w, []byte("good")) })
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) { zipped(w, make([]byte, 8<<20)) })
	mux.HandleFunc("/grow", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxSetSize+1)) })
	mux.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
		for {
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "good")
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
	})
	mux.HandleFunc("/500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/206", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) })
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good", http.StatusFound) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/inward", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) })
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(done)
	client := fetchingClient(nil)
	defer client.CloseIdleConnections()

	for path, says := range map[string]string{
		"/good": "", "/gzip": "", "/here": "",
		"/bomb": "1 MiB", "/grow": "1 MiB", "/drip": "deadline", "/cut": "EOF", "/headers": "header",
		"/500": "status 500", "/206": "status 206", "/round": "redirects", "/inward": "another scheme or host",
	} {
		t.Run(path, func(t *testing.T) {
			limit := 2 * time.Minute // no working machine needs it
			if path == "/drip" {
				limit = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			body, err := fetch(ctx, client, server.URL+path)
			switch {
			case says == "" && (err != nil || string(body) != "good"):
				t.Errorf("got %q, %v", body, err)
			case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
				t.Errorf("got %d bytes, %v; want %q", len(body), err, says)
			}
		})
	}
	if n := inward.Load(); n != 0 {
		t.Errorf("the server within was asked %d times", n)
	}
}

func zipped(w http.ResponseWriter, body []byte) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(b.Bytes())
}

func TestDiscovery(t *testing.T) {
	metadata := ""
	mux := http.NewServeMux()
	mux.HandleFunc("/realms/shop/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, metadata) })
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, oneKey("r1")) })
	server := httptest.NewServer(mux)
	defer server.Close()
	issuer := server.URL + "/realms/shop"
	for name, c := range map[string]struct{ metadata, says string }{
		"good":              {fmt.Sprintf(`{"issuer":%q,"jwks_uri":"%s/keys"}`, issuer, server.URL), ""},
		"row 25 slash":      {fmt.Sprintf(`{"issuer":"%s/","jwks_uri":"%s/keys"}`, issuer, server.URL), "to the byte"},
		"row 25 other":      {fmt.Sprintf(`{"issuer":"https://evil.test","jwks_uri":"%s/keys"}`, server.URL), "to the byte"},
		"row 25 no issuer":  {fmt.Sprintf(`{"jwks_uri":"%s/keys"}`, server.URL), "to the byte"},
		"row 25 twice":      {fmt.Sprintf(`{"issuer":%q,"issuer":%q,"jwks_uri":"%s/keys"}`, issuer, issuer, server.URL), "twice"},
		"no jwks_uri":       {fmt.Sprintf(`{"issuer":%q}`, issuer), "jwks_uri"},
		"jwks_uri a file":   {fmt.Sprintf(`{"issuer":%q,"jwks_uri":"file:///etc/passwd"}`, issuer), "jwks_uri"},
		"jwks_uri a number": {fmt.Sprintf(`{"issuer":%q,"jwks_uri":1}`, issuer), "jwks_uri"},
		"HTML":              {"<html>", "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			metadata = c.metadata
			client := fetchingClient(nil)
			defer client.CloseIdleConnections()
			body, err := discoverySource{client, issuer}.read(t.Context())
			switch {
			case c.says == "" && (err != nil || string(body) != oneKey("r1")):
				t.Errorf("got %q, %v", body, err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %q, %v; want %q", body, err, c.says)
			}
		})
	}
	if _, err := (discoverySource{issuer: "https://x.test"}).keysAt([]byte(`{"issuer":"https://x.test","jwks_uri":"http://x.test/keys"}`)); err == nil {
		t.Error("jwks_uri gives up TLS and is followed")
	}
}

// TestDiscoveredIssuer goes the whole way, from the metadata to a proven token.
func TestDiscoveredIssuer(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%s/keys"}`, server.URL, server.URL)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, oneKey("r1")) })
	config := shopConfig("")
	config.Issuer = server.URL
	issuers := open(t, []IssuerConfig{config}, Deps{Now: noon})
	eventually(t, "the issuer is ready", func() bool { return issuers.Ready() == nil })
	a := New(demoConfig(), issuers, demoRecords(), openCache(t, 0, noon), "r1", noon)
	if _, err := ask(a, rs(rsHead, strings.Replace(shop(""), shopIss, server.URL, 1))); err != nil {
		t.Error(err)
	}
}
