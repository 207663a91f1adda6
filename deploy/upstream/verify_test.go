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
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

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

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is Postern's signer with its public listener, and an upstream that
// knows nothing but the listener's URL. It lives in a bubble whose clock jumps.
type world struct {
	t       *testing.T
	config  assertion.Config
	signer  atomic.Pointer[assertion.Signer]
	fetches atomic.Int32
	keys    atomic.Pointer[http.HandlerFunc] // answers in place of Postern; nil: Postern does
	service http.Handler
}

// inWorld runs a test with an upstream that knows Postern's keys.
func inWorld(t *testing.T, key crypto.Signer, test func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, config: assertion.Config{Key: pemOf(key), TTL: time.Minute, Issuer: "postern", Audience: "orders"}}
		w.load()
		w.service = verified(w.verifier(upstream.Arrived), http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			id := r.Context().Value(identityKey{}).(*upstream.Identity)
			_, _ = rw.Write([]byte(id.Subject + " " + id.Credential + " " + strings.Join(id.Roles, ",") + " " + id.DecisionID))
		}))
		test(t, w)
	})
}

// verifier returns one that has asked for the keys, and ends with the test.
func (w *world) verifier(asked func(*http.Request) (method, host, path string)) *upstream.Verifier {
	v := must(upstream.New(w.t.Context(), upstream.Config{
		KeysURL: "http://postern" + assertion.JWKSPath, Header: header, Issuer: "postern", Audience: []string{"orders"}, Asked: asked, Transport: w,
	}))
	time.Sleep(time.Second)
	synctest.Wait()
	return v
}

// RoundTrip is Postern's public listener.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.fetches.Add(1)
	answer := httptest.NewRecorder()
	switch keys := w.keys.Load(); {
	case r.URL.Path != assertion.JWKSPath:
		w.t.Errorf("asked for %s", r.URL)
	case keys != nil:
		keys.ServeHTTP(answer, r)
	default:
		assertion.JWKSHandler(w.signer.Load).ServeHTTP(answer, r)
	}
	if answer.Code == http.StatusTeapot {
		return nil, errors.New("connection refused")
	}
	return answer.Result(), nil
}

// answer has the public listener answer so.
func (w *world) answer(h http.HandlerFunc) { w.keys.Store(&h) }

// wait lets the time pass within which README.md says that keys are known.
func (w *world) wait() {
	time.Sleep(15 * time.Second)
	synctest.Wait()
}

// load makes a signer of the configuration, as a reload does.
func (w *world) load() {
	off := must(cache.New[string](cache.Options[string]{Now: time.Now}))
	w.signer.Store(must(assertion.New(w.config, assertion.Deps{
		Cache: off, Revision: "r1", Now: time.Now, NewID: rand.Text,
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
	req := httptest.NewRequest(method, target, nil)
	req.Host, req.Header[header] = host, assertions
	answer := httptest.NewRecorder()
	w.service.ServeHTTP(answer, req)
	return answer.Code, answer.Body.String()
}

func TestUpstream(t *testing.T) {
	for name, key := range map[string]crypto.Signer{"ES256": newEC(), "EdDSA": newEd()} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, key, func(t *testing.T, w *world) {
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
		})
	}
}

// TestForged: what Postern did not sign, or not so, is refused.
func TestForged(t *testing.T) {
	key := newEC()
	inWorld(t, key, func(t *testing.T, w *world) { testForged(t, w, key) })
}

func testForged(t *testing.T, w *world, key crypto.Signer) {
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
	time.Sleep(59 * time.Second) // its times are whole seconds, as is the bubble's clock at its start
	if status, _ := w.send("GET", "h", "/a", good); status != 200 {
		t.Errorf("at the end of its life: %d", status)
	}
	time.Sleep(time.Second)
	if status, _ := w.send("GET", "h", "/a", good); status != 401 {
		t.Errorf("expired: %d", status)
	}
}

// TestRotation walks through a rotation as README.md describes it: no assertion
// is refused while it lives.
func TestRotation(t *testing.T) {
	first, second := newEC(), newEd()
	inWorld(t, first, func(t *testing.T, w *world) {
		signed := map[time.Time]string{}
		for step, change := range []func(){
			func() {},
			func() { w.config.PreviousKeys = []access.Secret{pemOf(second)} },
			func() { w.config.Key, w.config.PreviousKeys = pemOf(second), []access.Secret{pemOf(first)} },
			func() { w.config.PreviousKeys = nil },
		} {
			change()
			w.load()
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(4 * time.Second) {
				signed[time.Now()] = w.sign("GET", "h", "/a")
				for at, text := range signed {
					if time.Since(at) < w.config.TTL {
						w.expect(fmt.Sprintf("step %d: signed %v ago", step, time.Since(at)), 200, text)
					}
				}
			}
		}
	})
}

// TestStolenKey: an assertion by a key that was taken out is refused in time.
func TestStolenKey(t *testing.T) {
	inWorld(t, newEC(), func(t *testing.T, w *world) {
		w.expect("before", 200, w.sign("GET", "h", "/a"))
		stolen := w.signer.Load()
		w.config.Key = pemOf(newEd())
		w.load()
		w.expect("by a new key that was not published before", 401, w.sign("GET", "h", "/a"))
		w.wait()
		w.expect("by the new key", 200, w.sign("GET", "h", "/a"))
		w.signer.Store(stolen)
		w.expect("by the stolen key", 401, w.sign("GET", "h", "/a"))
	})
}

func (w *world) expect(what string, status int, text string) {
	w.t.Helper()
	if got, _ := w.send("GET", "h", "/a", text); got != status {
		w.t.Errorf("%s: %d, want %d", what, got, status)
	}
}

// TestNoFetchForRequests: tokens with made-up keys cause no fetch, and good ones
// don't wait, even while Postern does not answer.
func TestNoFetchForRequests(t *testing.T) {
	inWorld(t, newEC(), func(t *testing.T, w *world) {
		w.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		time.Sleep(11 * time.Second) // the second fetch hangs
		synctest.Wait()
		begin, fetches := time.Now(), w.fetches.Load()
		for range 50 {
			junk := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{})
			junk.Header["typ"], junk.Header["kid"] = assertion.Type, rand.Text()
			w.expect("junk", 401, must(junk.SignedString(newEd())))
			w.expect("good", 200, w.sign("GET", "h", "/a"))
		}
		synctest.Wait()
		if fetches != 2 || w.fetches.Load() != 2 || time.Since(begin) != 0 {
			t.Errorf("%d fetches before and %d after, in %v", fetches, w.fetches.Load(), time.Since(begin))
		}
	})
}

// TestStart: an upstream that is there before Postern refuses everything at
// once, and is ready soon after Postern is there.
func TestStart(t *testing.T) {
	inWorld(t, newEC(), func(t *testing.T, w *world) {
		w.answer(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) })
		v := w.verifier(upstream.Arrived)
		begin := time.Now()
		req := httptest.NewRequest("GET", "http://h/a", nil)
		req.Header.Set(header, w.sign("GET", "h", "/a"))
		if _, err := v.Verify(req); err == nil || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		soon, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if v.Ready(soon) == nil {
			t.Error("ready without keys")
		}
		w.keys.Store(nil)
		if err := v.Ready(t.Context()); err != nil || time.Since(begin) > 15*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if _, err := v.Verify(req); err != nil {
			t.Error(err)
		}
	})
	if _, err := upstream.New(t.Context(), upstream.Config{Header: header}); err == nil {
		t.Error("no URL, and no error")
	}
}

// TestBadKeySets: what is no set of good keys verifies nothing, and does not
// replace the last good set.
func TestBadKeySets(t *testing.T) {
	inWorld(t, newEC(), testBadKeySets)
}

func testBadKeySets(t *testing.T, w *world) {
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.signer.Load().JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) string {
		changed := maps.Clone(set.Keys[0])
		changed[name] = value
		return string(must(json.Marshal(map[string]any{"keys": []any{changed}})))
	}
	text := func(body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(body)) }
	}
	for name, keys := range map[string]http.HandlerFunc{
		"nothing":       text(""),
		"no keys":       text(`{"keys":[]}`),
		"HTML":          text("<html>"),
		"off the curve": text(with("x", strings.Repeat("A", 43))),
		"short":         text(with("x", "AAAA")),
		"another curve": text(with("crv", "P-384")),
		"no base64":     text(with("y", "!")),
		"too large":     text(with("pad", strings.Repeat("x", 64<<10))),
		"an error":      func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, with("a", "b"), http.StatusBadGateway) },
		"elsewhere":     http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP,
		"nobody there":  func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) },
		"no end":        func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		w.keys.Store(nil)
		time.Sleep(30 * time.Second) // a fetch that hangs ends after five, and the next begins ten later
		w.answer(keys)
		fresh, before := w.verifier(upstream.Arrived), w.fetches.Load()
		time.Sleep(time.Minute)
		synctest.Wait()
		req := httptest.NewRequest("GET", "http://h/a", nil)
		req.Header.Set(header, w.sign("GET", "h", "/a"))
		if _, err := fresh.Verify(req); err == nil {
			t.Errorf("%s: verified", name)
		}
		if w.fetches.Load() == before {
			t.Errorf("%s: nobody asked again", name)
		}
		w.expect(name+": with the last good keys", 200, w.sign("GET", "h", "/a"))
	}

	w.keys.Store(nil)
	time.Sleep(30 * time.Second)
	w.answer(text(with("kty", "OKP")))
	w.wait()
	w.expect("with keys that can be read, and verify nothing", 401, w.sign("GET", "h", "/a"))
	w.config.Key = pemOf(newEd())
	w.load()
	w.keys.Store(nil)
	w.wait()
	w.expect("by a new key, after all that", 200, w.sign("GET", "h", "/a"))
}

// TestAsked: where the gateway rewrites the request, the upstream says what the
// client asked for.
func TestAsked(t *testing.T) {
	inWorld(t, newEd(), func(t *testing.T, w *world) {
		req := httptest.NewRequest("GET", "http://orders.internal/7", nil)
		req.Header.Set(header, w.sign("GET", "api.example.com", "/orders/7"))
		if _, err := w.verifier(upstream.Arrived).Verify(req); err == nil {
			t.Error("verified for a request that was rewritten")
		}
		v := w.verifier(func(r *http.Request) (string, string, string) {
			return r.Method, "api.example.com", "/orders" + r.URL.Path
		})
		if _, err := v.Verify(req); err != nil {
			t.Error(err)
		}
	})
}

// alike is a transport that answers everything alike.
type alike []byte

func (a alike) RoundTrip(*http.Request) (*http.Response, error) {
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
		v := upstream.Fetched(t.Context(), upstream.Config{KeysURL: "http://keys", Header: header, Asked: upstream.Arrived, Transport: alike(set)})
		if id, err := v.Verify(req); err == nil {
			t.Errorf("believed %+v", id)
		}
	})
}
