package assertion_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/assertion"
	"github.com/postern-authz/postern/internal/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func private(key any) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))}))
}

func public(key any) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key))}))
}

func ecKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(curve, rand.Reader))
}

func edKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)
}

// desk is a signer with a clock and counted signatures.
type desk struct {
	config assertion.Config
	cache  *cache.Cache[string]
	now    time.Time
	signed int
}

func newDesk(tb testing.TB, memory int64, key any) *desk {
	d := &desk{
		config: assertion.Config{Key: access.NewSecret(private(key)), TTL: time.Minute, Issuer: "postern", Audience: "orders"},
		now:    time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC),
	}
	d.cache = must(cache.New(cache.Options[string]{MaxMemory: memory, TTL: time.Hour, Now: func() time.Time { return d.now }}))
	tb.Cleanup(d.cache.Close)
	return d
}

func (d *desk) signer(tb testing.TB, revision string) *assertion.Signer {
	tb.Helper()
	s, err := assertion.New(d.config, assertion.Deps{
		Cache: d.cache, Revision: revision, Now: func() time.Time { return d.now },
		NewID: func() string { d.signed++; return fmt.Sprintf("j%d", d.signed) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func alice() *access.Identity {
	return &access.Identity{
		Consumer: &access.Consumer{Name: "alice"}, Credential: &access.Credential{ID: "alice-key"},
		Roles: []string{"reader"}, Scopes: []string{"orders:read", "orders:write"}, Groups: []string{"premium"},
	}
}

func order() *access.Request {
	return &access.Request{Method: "GET", Host: "api.example.com", Path: "/orders/é 7"}
}

// TestClaims reads an assertion with the key alone, by another reader than the
// one that wrote it.
func TestClaims(t *testing.T) {
	ec, ed := ecKey(elliptic.P256()), edKey()
	for name, test := range map[string]struct{ private, public any }{
		"ES256": {ec, &ec.PublicKey}, "EdDSA": {ed, ed.Public()},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, 0, test.private)
			text, err := d.signer(t, "r1").Sign(t.Context(), order(), alice(), "d1")
			if err != nil {
				t.Fatal(err)
			}
			claims := jwt.MapClaims{}
			token, err := jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return test.public, nil },
				jwt.WithValidMethods([]string{name}), jwt.WithTimeFunc(func() time.Time { return d.now }))
			if err != nil {
				t.Fatal(err)
			}
			if token.Header["typ"] != assertion.Type || token.Header["alg"] != name || len(token.Header) != 3 {
				t.Errorf("header %v", token.Header)
			}
			want := jwt.MapClaims{
				"iss": "postern", "sub": "alice", "aud": []any{"orders"}, "jti": "j1",
				"iat": float64(d.now.Unix()), "exp": float64(d.now.Unix() + 60),
				"credential": "alice-key", "roles": []any{"reader"}, "scopes": []any{"orders:read", "orders:write"}, "groups": []any{"premium"},
				"method": "GET", "host": "api.example.com", "path": "/orders/é 7", "decision_id": "d1",
			}
			if diff := cmp.Diff(want, claims); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReuse: for half of its life an assertion is reused, with the decision id
// that it was signed for; then it is signed anew.
func TestReuse(t *testing.T) {
	d := newDesk(t, 1<<20, edKey())
	s := d.signer(t, "r1")
	first := must(s.Sign(t.Context(), order(), alice(), "d1"))
	d.now = d.now.Add(30*time.Second - 1)
	if again := must(s.Sign(t.Context(), order(), alice(), "d2")); again != first || d.signed != 1 {
		t.Errorf("%d signatures within half of the life, want 1", d.signed)
	}
	d.now = d.now.Add(1)
	if later := must(s.Sign(t.Context(), order(), alice(), "d3")); later == first || d.signed != 2 {
		t.Errorf("%d signatures after half of the life, want 2", d.signed)
	}
}

// TestNeverReused changes one thing at a time that an assertion says.
func TestNeverReused(t *testing.T) {
	other := access.NewSecret(private(edKey()))
	for name, change := range map[string]func(*desk, *access.Request, *access.Identity, *string){
		"consumer":      func(_ *desk, _ *access.Request, id *access.Identity, _ *string) { id.Consumer.Name = "bob" },
		"credential":    func(_ *desk, _ *access.Request, id *access.Identity, _ *string) { id.Credential.ID = "other" },
		"no credential": func(_ *desk, _ *access.Request, id *access.Identity, _ *string) { id.Credential = nil },
		"a role more": func(_ *desk, _ *access.Request, id *access.Identity, _ *string) {
			id.Roles = append(id.Roles, "admin")
		},
		"a role less": func(_ *desk, _ *access.Request, id *access.Identity, _ *string) { id.Roles = nil },
		"scopes cut elsewhere": func(_ *desk, _ *access.Request, id *access.Identity, _ *string) {
			id.Scopes = []string{"orders:readorders", ":write"}
		},
		"a scope that becomes a role": func(_ *desk, _ *access.Request, id *access.Identity, _ *string) {
			id.Roles, id.Scopes = append(id.Roles, "orders:read"), id.Scopes[1:]
		},
		"identity issuer": func(_ *desk, _ *access.Request, id *access.Identity, _ *string) { id.Issuer = "another" },
		"groups":          func(_ *desk, _ *access.Request, id *access.Identity, _ *string) { id.Groups = []string{"gold"} },
		"method":          func(_ *desk, r *access.Request, _ *access.Identity, _ *string) { r.Method = "PUT" },
		"host":            func(_ *desk, r *access.Request, _ *access.Identity, _ *string) { r.Host = "example.com" },
		"path":            func(_ *desk, r *access.Request, _ *access.Identity, _ *string) { r.Path = "/orders/8" },
		"revision":        func(_ *desk, _ *access.Request, _ *access.Identity, revision *string) { *revision = "r2" },
		"key":             func(d *desk, _ *access.Request, _ *access.Identity, _ *string) { d.config.Key = other },
		"issuer":          func(d *desk, _ *access.Request, _ *access.Identity, _ *string) { d.config.Issuer = "other" },
		"audience":        func(d *desk, _ *access.Request, _ *access.Identity, _ *string) { d.config.Audience = "other" },
		"ttl":             func(d *desk, _ *access.Request, _ *access.Identity, _ *string) { d.config.TTL = time.Hour / 4 },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, 1<<20, edKey())
			must(d.signer(t, "r1").Sign(t.Context(), order(), alice(), "d1"))
			req, id, revision := order(), alice(), "r1"
			change(d, req, id, &revision)
			must(d.signer(t, revision).Sign(t.Context(), req, id, "d2"))
			if d.signed != 2 {
				t.Error("an assertion that says something else was reused")
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		d := newDesk(t, 1<<20, edKey())
		must(d.signer(t, "r1").Sign(t.Context(), order(), alice(), "d1"))
		must(d.signer(t, "r1").Sign(t.Context(), order(), alice(), "d2"))
		if d.signed != 1 {
			t.Error("a new signer of the same configuration signs anew")
		}
	})
}

func TestNobodyToVouchFor(t *testing.T) {
	s := newDesk(t, 0, edKey()).signer(t, "r1")
	if text, err := s.Sign(t.Context(), order(), access.AnonymousIdentity(), "d1"); err == nil || text != "" {
		t.Errorf("an anonymous identity was signed: %q", text)
	}
}

func TestManyAtOnce(t *testing.T) {
	d := newDesk(t, 1<<20, edKey())
	s := must(assertion.New(d.config, assertion.Deps{Cache: d.cache, Now: func() time.Time { return d.now }, NewID: func() string { return "j" }}))
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			req := order()
			req.Path = fmt.Sprintf("/orders/%d", i%4)
			text, err := s.Sign(context.Background(), req, alice(), "d")
			claims := assertion.Claims{}
			if _, _, bad := jwt.NewParser().ParseUnverified(text, &claims); err != nil || bad != nil || claims.Path != req.Path {
				t.Errorf("%v, %v, path %q for %q", err, bad, claims.Path, req.Path)
			}
		})
	}
	group.Wait()
}

func TestRefusedConfigurations(t *testing.T) {
	good := private(edKey())
	sec1 := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(ecKey(elliptic.P256())))}))
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	for name, test := range map[string]struct {
		change func(*assertion.Config)
		want   []string
	}{
		"no key": {func(c *assertion.Config) { c.Key = access.Secret{} }, []string{"key: expected a private key", "no PEM"}},
		"no PEM": {func(c *assertion.Config) { c.Key = access.NewSecret("canary") }, []string{"key: ", "no PEM"}},
		"public": {func(c *assertion.Config) { c.Key = access.NewSecret(public(edKey().Public())) }, []string{"key: ", "got a public key"}},
		"RSA":    {func(c *assertion.Config) { c.Key = access.NewSecret(private(rsaKey)) }, []string{"key: ", "EC P-256 or Ed25519, got RSA"}},
		"P-384":  {func(c *assertion.Config) { c.Key = access.NewSecret(private(ecKey(elliptic.P384()))) }, []string{"key: ", "got EC P-384"}},
		"SEC 1":  {func(c *assertion.Config) { c.Key = access.NewSecret(sec1) }, []string{"key: ", "BEGIN EC PRIVATE KEY", "openssl pkcs8"}},
		"encrypted": {func(c *assertion.Config) {
			c.Key = access.NewSecret(strings.ReplaceAll(good, "PRIVATE", "ENCRYPTED PRIVATE"))
		}, []string{"key: ", "encrypted"}},
		"a certificate": {func(c *assertion.Config) {
			c.Key = access.NewSecret(strings.ReplaceAll(good, "PRIVATE KEY", "CERTIFICATE"))
		}, []string{"key: ", "another kind of PEM"}},
		"two keys": {func(c *assertion.Config) { c.Key = access.NewSecret(good + private(edKey())) }, []string{"key: expected one key"}},
		"cut": {func(c *assertion.Config) {
			c.Key = access.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("canary")})))
		}, []string{"key: ", "can't be read"}},
		"the key as its own predecessor": {func(c *assertion.Config) { c.PreviousKeys = []access.Secret{c.Key} }, []string{"previous_keys[0]: this key stands above already"}},
		"previous RSA": {func(c *assertion.Config) {
			c.PreviousKeys = []access.Secret{access.NewSecret(public(&rsaKey.PublicKey))}
		}, []string{"previous_keys[0]: ", "got RSA"}},
		"too many": {func(c *assertion.Config) { c.PreviousKeys = make([]access.Secret, 9) }, []string{"previous_keys: expected at most 8"}},
		"everything at once": {func(c *assertion.Config) {
			*c = assertion.Config{PreviousKeys: make([]access.Secret, 2), TTL: time.Second}
		}, []string{"key: ", "previous_keys[0]: ", "previous_keys[1]: ", "ttl: expected 2s to 15m0s", "issuer: "}},
		"too long": {func(c *assertion.Config) { c.TTL = time.Hour }, []string{"ttl: "}},
	} {
		t.Run(name, func(t *testing.T) {
			c := assertion.Config{Key: access.NewSecret(good), TTL: time.Minute, Issuer: "postern"}
			if err := c.Check(); err != nil {
				t.Fatal(err)
			}
			test.change(&c)
			err := c.Check()
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			var field *assertion.FieldError
			if !errors.As(err, &field) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%q names no field, or tells of the key", err)
			}
			if _, err := assertion.New(c, assertion.Deps{}); err == nil {
				t.Error("New accepts what Check refuses")
			}
		})
	}
}

// TestThumbprint is the example of RFC 8037, appendix A.3.
func TestThumbprint(t *testing.T) {
	x := must(jwt.NewParser().DecodeSegment("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
	c := newDesk(t, 0, edKey()).config
	c.PreviousKeys = []access.Secret{access.NewSecret(public(ed25519.PublicKey(x)))}
	s := must(assertion.New(c, assertion.Deps{}))
	if !strings.Contains(string(s.JWKS()), `"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"`) {
		t.Errorf("%s", s.JWKS())
	}
}

func TestJWKSHandler(t *testing.T) {
	ec, next := ecKey(elliptic.P256()), edKey()
	d := newDesk(t, 0, ec)
	d.config.PreviousKeys = []access.Secret{access.NewSecret(public(next.Public()))}
	var current *assertion.Signer
	handler := assertion.JWKSHandler(func() *assertion.Signer { return current })
	ask := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, assertion.JWKSPath, nil))
		return w
	}
	if w := ask("GET"); w.Code != http.StatusNotFound {
		t.Errorf("without a signer: %d", w.Code)
	}
	current = d.signer(t, "r1")
	if w := ask("POST"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	w := ask("GET")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/jwk-set+json" || w.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	members := [][]string{{"alg", "crv", "kid", "kty", "use", "x", "y"}, {"alg", "crv", "kid", "kty", "use", "x"}}
	for i, alg := range []string{"ES256", "EdDSA"} {
		var names []string
		for name := range set.Keys[i] {
			names = append(names, name)
		}
		slices.Sort(names)
		if diff := cmp.Diff(members[i], names); diff != "" || set.Keys[i]["alg"] != alg || set.Keys[i]["use"] != "sig" {
			t.Errorf("%v: %s", set.Keys[i], diff)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add(private(edKey()))
	f.Add(private(ecKey(elliptic.P256())))
	f.Add(public(edKey().Public()))
	f.Add("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := assertion.Config{Key: access.NewSecret(text), TTL: time.Minute, Issuer: "postern"}
		s, err := assertion.New(c, assertion.Deps{Cache: must(cache.New(cache.Options[string]{Now: time.Now})), Now: time.Now, NewID: func() string { return "j" }})
		if err != nil {
			return
		}
		if _, err := s.Sign(t.Context(), order(), alice(), "d1"); err != nil {
			t.Errorf("a key that was accepted does not sign: %v", err)
		}
	})
}

func TestReuseAllocatesNothing(t *testing.T) {
	d := newDesk(t, 1<<20, edKey())
	s, req, id := d.signer(t, "r1"), order(), alice()
	must(s.Sign(t.Context(), req, id, "d1"))
	ctx := t.Context()
	if n := testing.AllocsPerRun(200, func() { _, _ = s.Sign(ctx, req, id, "d2") }); n != 0 && !raceEnabled {
		t.Errorf("%v allocations a reuse", n)
	}
}

func BenchmarkSign(b *testing.B) {
	for name, key := range map[string]any{"ES256": ecKey(elliptic.P256()), "EdDSA": edKey()} {
		for mode, memory := range map[string]int64{"signed": 0, "reused": 1 << 20} {
			b.Run(name+"/"+mode, func(b *testing.B) {
				s, req, id := newDesk(b, memory, key).signer(b, "r1"), order(), alice()
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Sign(ctx, req, id, "d1"); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
