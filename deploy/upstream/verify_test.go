package upstream_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postern-authz/postern/deploy/upstream"
	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/assertion"
	"github.com/postern-authz/postern/internal/cache"
)

const header = assertion.DefaultHeader

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newEC() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func newEd() crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)
}

func pemOf(key crypto.Signer) access.Secret {
	der := must(x509.MarshalPKCS8PrivateKey(key))
	return access.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// world is Postern's signer with its public listener, and an upstream that
// knows nothing but the listener's URL.
type world struct {
	t        *testing.T
	now      time.Time
	config   assertion.Config
	signer   atomic.Pointer[assertion.Signer]
	fetches  atomic.Int32
	broken   atomic.Bool
	keysURL  string
	upstream *httptest.Server
}

func newWorld(t *testing.T, key crypto.Signer) *world {
	w := &world{t: t, now: time.Now(), config: assertion.Config{
		Key: pemOf(key), TTL: time.Minute, Issuer: "postern", Audience: "orders",
	}}
	w.load()
	jwks := assertion.JWKSHandler(w.signer.Load)
	listener := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.fetches.Add(1); w.broken.Load() {
			http.Error(rw, "down", http.StatusServiceUnavailable)
			return
		}
		jwks.ServeHTTP(rw, r)
	}))
	t.Cleanup(listener.Close)
	w.keysURL = listener.URL + assertion.JWKSPath

	clock := func() time.Time { return w.now }
	v := &upstream.Verifier{
		KeysURL: w.keysURL, Header: header, Issuer: "postern", Audience: "orders", Client: http.DefaultClient, Now: clock,
	}
	w.upstream = httptest.NewServer(verified(v, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id := r.Context().Value(identityKey{}).(*upstream.Identity)
		_, _ = rw.Write([]byte(id.Subject + " " + id.Credential + " " + strings.Join(id.Roles, ",") + " " + id.DecisionID))
	})))
	t.Cleanup(w.upstream.Close)
	return w
}

// load makes a signer of the configuration, as a reload does.
func (w *world) load() {
	off := must(cache.New[string](cache.Options[string]{Now: time.Now}))
	w.signer.Store(must(assertion.New(w.config, assertion.Deps{
		Cache: off, Revision: "r1", Now: func() time.Time { return w.now }, NewID: rand.Text,
	})))
}

func (w *world) sign(method, host, path string) string {
	w.t.Helper()
	text, err := w.signer.Load().Sign(context.Background(), &access.Request{Method: method, Host: host, Path: path}, &access.Identity{
		Consumer: &access.Consumer{Name: "alice"}, Credential: &access.Credential{ID: "alice-key"}, Roles: []string{"reader"},
	}, "d1")
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// send asks the upstream and returns its status and body.
func (w *world) send(method, host, target string, assertions ...string) (int, string) {
	w.t.Helper()
	req := must(http.NewRequest(method, w.upstream.URL+target, nil))
	req.Host, req.Header[header] = host, assertions
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body := make([]byte, 1024)
	n, _ := resp.Body.Read(body)
	return resp.StatusCode, string(body[:n])
}

func TestUpstream(t *testing.T) {
	for name, key := range map[string]crypto.Signer{"ES256": newEC(), "EdDSA": newEd()} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, key)
			good := w.sign("GET", "api.example.com", "/orders/a b")
			for name, test := range map[string]struct{ method, host, target string }{
				"as it was asked":        {"GET", "api.example.com", "/orders/a%20b"},
				"with a query":           {"GET", "api.example.com", "/orders/a%20b?x=1"},
				"host with case, port":   {"GET", "API.example.com:8443", "/orders/a%20b"},
				"host with a last dot":   {"GET", "api.example.com.", "/orders/a%20b"},
				"encoded in another way": {"GET", "api.example.com", "/%6frders/a%20b"},
			} {
				if status, body := w.send(test.method, test.host, test.target, good); status != 200 || body != "alice alice-key reader d1" {
					t.Errorf("%s: %d %q", name, status, body)
				}
			}
			for name, test := range map[string]struct{ method, host, target string }{
				"another path":        {"GET", "api.example.com", "/orders/8"},
				"a path below":        {"GET", "api.example.com", "/orders/a%20b/items"},
				"a trailing slash":    {"GET", "api.example.com", "/orders/a%20b/"},
				"a path in two ways":  {"GET", "api.example.com", "//orders/a%20b"},
				"case of the path":    {"GET", "api.example.com", "/Orders/a%20b"},
				"another method":      {"DELETE", "api.example.com", "/orders/a%20b"},
				"HEAD is not GET":     {"HEAD", "api.example.com", "/orders/a%20b"},
				"another host":        {"GET", "admin.example.com", "/orders/a%20b"},
				"a host that ends so": {"GET", "eve.api.example.com", "/orders/a%20b"},
			} {
				if status, _ := w.send(test.method, test.host, test.target, good); status != 401 {
					t.Errorf("%s: %d", name, status)
				}
			}
			if w.fetches.Load() != 1 {
				t.Errorf("%d fetches of the keys, want 1", w.fetches.Load())
			}
		})
	}
}

// TestForged: what Postern did not sign, or not so, is refused.
func TestForged(t *testing.T) {
	key := newEC()
	w := newWorld(t, key)
	good := w.sign("GET", "h", "/a")
	if status, _ := w.send("GET", "h", "/a", good); status != 200 {
		t.Fatalf("the good one: %d", status)
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(good, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	// forge changes what the good one says and signs it.
	forge := func(method jwt.SigningMethod, key any, change func(h map[string]any, c jwt.MapClaims)) string {
		claims := jwt.MapClaims{}
		for name, value := range parsed.Claims.(jwt.MapClaims) {
			claims[name] = value
		}
		token := jwt.NewWithClaims(method, claims)
		token.Header["typ"], token.Header["kid"] = parsed.Header["typ"], parsed.Header["kid"]
		change(token.Header, claims)
		return must(token.SignedString(key))
	}
	nothing := func(map[string]any, jwt.MapClaims) {}
	if status, _ := w.send("GET", "h", "/a", forge(jwt.SigningMethodES256, key, nothing)); status != 200 {
		t.Fatalf("a forgery without a change by the true key: %d, so that the others prove nothing", status)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))})
	mine := func(change func(map[string]any, jwt.MapClaims)) string {
		return forge(jwt.SigningMethodES256, key, change)
	}
	parts := strings.Split(good, ".")
	for name, lines := range map[string][]string{
		"none there":              {},
		"empty":                   {""},
		"two lines":               {good, good},
		"no token":                {"alice"},
		"another key, same kid":   {forge(jwt.SigningMethodES256, newEC(), nothing)},
		"another kind, same kid":  {forge(jwt.SigningMethodEdDSA, newEd(), nothing)},
		"alg none":                {forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nothing)},
		"the public key as HMAC":  {forge(jwt.SigningMethodHS256, publicPEM, nothing)},
		"no signature":            {parts[0] + "." + parts[1] + "."},
		"an unknown kid":          {mine(func(h map[string]any, _ jwt.MapClaims) { h["kid"] = "other" })},
		"no kid":                  {mine(func(h map[string]any, _ jwt.MapClaims) { delete(h, "kid") })},
		"another type of token":   {mine(func(h map[string]any, _ jwt.MapClaims) { h["typ"] = "JWT" })},
		"another audience":        {mine(func(_ map[string]any, c jwt.MapClaims) { c["aud"] = "shop" })},
		"no audience":             {mine(func(_ map[string]any, c jwt.MapClaims) { delete(c, "aud") })},
		"another issuer":          {mine(func(_ map[string]any, c jwt.MapClaims) { c["iss"] = "shop" })},
		"no expiry":               {mine(func(_ map[string]any, c jwt.MapClaims) { delete(c, "exp") })},
		"nobody":                  {mine(func(_ map[string]any, c jwt.MapClaims) { delete(c, "sub") })},
		"no method":               {mine(func(_ map[string]any, c jwt.MapClaims) { delete(c, "method") })},
		"claims changed after it": {parts[0] + "." + strings.Split(mine(func(_ map[string]any, c jwt.MapClaims) { c["sub"] = "root" }), ".")[1] + "." + parts[2]},
	} {
		if status, _ := w.send("GET", "h", "/a", lines...); status != 401 {
			t.Errorf("%s: %d", name, status)
		}
	}
	w.now = w.now.Add(59 * time.Second)
	if status, _ := w.send("GET", "h", "/a", good); status != 200 {
		t.Errorf("at the end of its life: %d", status)
	}
	w.now = w.now.Add(time.Second)
	if status, _ := w.send("GET", "h", "/a", good); status != 401 {
		t.Errorf("expired: %d", status)
	}
}

// TestRotation walks through a rotation as README.md describes it.
func TestRotation(t *testing.T) {
	first, second := newEC(), newEd()
	w := newWorld(t, first)
	expect := func(what string, status int, text string) {
		t.Helper()
		if got, _ := w.send("GET", "h", "/a", text); got != status {
			t.Errorf("%s: %d, want %d", what, got, status)
		}
	}
	old := w.sign("GET", "h", "/a")
	expect("before", 200, old)

	w.config.Key, w.config.PreviousKeys = pemOf(second), []access.Secret{pemOf(first)}
	w.load()
	w.now = w.now.Add(11 * time.Second)
	expect("signed by the new key", 200, w.sign("GET", "h", "/a"))
	expect("signed by the old key, within its life", 200, old)

	w.config.PreviousKeys = nil
	w.load()
	w.broken.Store(true)
	w.now = w.now.Add(6 * time.Minute)
	expect("while Postern's keys can't be fetched", 200, w.sign("GET", "h", "/a"))

	w.broken.Store(false)
	w.now = w.now.Add(6 * time.Minute)
	expect("after the old key was taken back", 200, w.sign("GET", "h", "/a"))
	w.config.Key = pemOf(first)
	late := must(assertion.New(w.config, assertion.Deps{
		Cache: must(cache.New[string](cache.Options[string]{Now: time.Now})), Now: func() time.Time { return w.now }, NewID: rand.Text,
	}))
	text := must(late.Sign(t.Context(), &access.Request{Method: "GET", Host: "h", Path: "/a"}, &access.Identity{Consumer: &access.Consumer{Name: "eve"}}, "d"))
	expect("signed by a key that was taken back", 401, text)
}

// TestUnknownKeys: tokens with made-up keys fetch once in ten seconds, and good
// ones don't notice.
func TestUnknownKeys(t *testing.T) {
	w := newWorld(t, newEC())
	good := w.sign("GET", "h", "/a")
	w.send("GET", "h", "/a", good)
	junk := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{})
	junk.Header["typ"] = assertion.Type
	w.now = w.now.Add(11 * time.Second)
	for range 50 {
		junk.Header["kid"] = rand.Text()
		if status, _ := w.send("GET", "h", "/a", must(junk.SignedString(newEd()))); status != 401 {
			t.Errorf("junk: %d", status)
		}
	}
	if status, _ := w.send("GET", "h", "/a", good); status != 200 || w.fetches.Load() != 2 {
		t.Errorf("%d after %d fetches, want 200 after 2", status, w.fetches.Load())
	}
}

// TestKeySets: of what is fetched, only keys that can be used count.
func TestKeySets(t *testing.T) {
	key := newEC()
	w := newWorld(t, key)
	text := w.sign("GET", "h", "/a")
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.signer.Load().JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) string {
		changed := map[string]any{}
		for n, v := range set.Keys[0] {
			changed[n] = v
		}
		changed[name] = value
		return string(must(json.Marshal(map[string]any{"keys": []any{changed}})))
	}
	for name, body := range map[string]string{
		"nothing":            "",
		"no keys":            `{"keys":[]}`,
		"HTML":               "<html>",
		"off the curve":      with("x", strings.Repeat("A", 43)),
		"short":              with("x", "AAAA"),
		"another curve":      with("crv", "P-384"),
		"a kind that is not": with("kty", "OKP"),
		"no base64":          with("y", "!"),
		"too large":          with("pad", strings.Repeat("x", 1<<17)),
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(body)) }))
			defer server.Close()
			v := &upstream.Verifier{KeysURL: server.URL, Header: header, Client: http.DefaultClient, Now: time.Now}
			req := httptest.NewRequest("GET", "http://h/a", nil)
			req.Header.Set(header, text)
			if _, err := v.Verify(req); err == nil {
				t.Error("verified")
			}
			v = &upstream.Verifier{KeysURL: w.keysURL, Header: header, Client: http.DefaultClient, Now: time.Now}
			if _, err := v.Verify(req); err != nil {
				t.Errorf("with the true keys: %v", err)
			}
		})
	}
}

// TestAsked: where the gateway rewrites the request, the upstream says what the
// client asked for.
func TestAsked(t *testing.T) {
	w := newWorld(t, newEd())
	req := httptest.NewRequest("GET", "http://orders.internal/7", nil)
	req.Header.Set(header, w.sign("GET", "api.example.com", "/orders/7"))
	v := &upstream.Verifier{KeysURL: w.keysURL, Header: header, Client: http.DefaultClient, Now: time.Now}
	if _, err := v.Verify(req); err == nil {
		t.Error("verified for a request that was rewritten")
	}
	v.Asked = func(r *http.Request) (string, string, string) {
		return r.Method, "api.example.com", "/orders" + r.URL.Path
	}
	if _, err := v.Verify(req); err != nil {
		t.Error(err)
	}
}

// answer is a transport that answers everything alike.
type answer []byte

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, _ = w.Write(a)
	return w.Result(), nil
}

// FuzzHeader: nothing but what was signed is believed, whatever the header and
// the key set hold.
func FuzzHeader(f *testing.F) {
	key := newEd()
	signer := must(assertion.New(assertion.Config{Key: pemOf(key), TTL: time.Minute, Issuer: "postern"}, assertion.Deps{
		Cache: must(cache.New[string](cache.Options[string]{Now: time.Now})), Now: time.Now, NewID: rand.Text,
	}))
	good := must(signer.Sign(context.Background(), &access.Request{Method: "GET", Host: "h", Path: "/a"},
		&access.Identity{Consumer: &access.Consumer{Name: "alice"}}, "d1"))
	f.Add(good, signer.JWKS())
	f.Add("a.b.c", []byte(`{"keys":[{"kid":"a","kty":"EC","crv":"P-256","x":"","y":""}]}`))
	f.Fuzz(func(t *testing.T, text string, set []byte) {
		req := httptest.NewRequest("GET", "http://h/b", nil)
		req.Header[header] = []string{text}
		v := &upstream.Verifier{KeysURL: "http://keys", Header: header, Client: &http.Client{Transport: answer(set)}, Now: time.Now}
		if id, err := v.Verify(req); err == nil {
			t.Errorf("believed %+v", id)
		}
	})
}
