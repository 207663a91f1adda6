package bundles_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/bundles"
	"github.com/postern-authz/postern/internal/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// archive is a bundle with one rule that tells its revision.
func archive(t testing.TB, revision string, change ...func(*bundle.Bundle)) []byte {
	t.Helper()
	b := &bundle.Bundle{Data: map[string]any{"main": map[string]any{"revision": revision}}}
	b.Manifest.Init()
	b.Manifest.Revision = revision
	b.Manifest.Roots = &[]string{"main"}
	b.Modules = []bundle.ModuleFile{{URL: "/main/allow.rego", Path: "/main/allow.rego", Raw: []byte("package main\n\nallow := {\"allowed\": true}\n")}}
	for _, c := range change {
		c(b)
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).UseModulePath(true).DisableFormat(true).Write(*b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func module(text string) func(*bundle.Bundle) {
	return func(b *bundle.Bundle) { b.Modules[0].Raw = []byte(text) }
}

type keyPair struct{ private, public string }

func newKeys(t testing.TB) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}
}

// signed signs what the bundle is at that moment.
func (k keyPair) signed(t testing.TB, id string) func(*bundle.Bundle) {
	return func(b *bundle.Bundle) {
		if err := b.GenerateSignature(bundle.NewSigningConfig(k.private, "ES256", ""), id, true); err != nil {
			t.Fatal(err)
		}
	}
}

// server serves one bundle with an ETag, unless it is told to do otherwise.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	body  []byte
	other http.HandlerFunc
	// asked are the requests, sent those answered with a body.
	asked, sent int
	last        http.Header
}

func serve(t testing.TB, body []byte) *server {
	t.Helper()
	s := &server{body: body}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	body, other := s.body, s.other
	s.asked++
	s.last = r.Header.Clone()
	s.mu.Unlock()
	if other != nil {
		other(w, r)
		return
	}
	sum := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.mu.Lock()
	s.sent++
	s.mu.Unlock()
	_, _ = w.Write(body)
}

func (s *server) put(body []byte, other http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.other = body, other
}

func (s *server) counts() (asked, sent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.sent
}

// log collects all that is logged.
type log struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

type fixture struct {
	*bundles.Keeper
	log *log
}

func keep(t testing.TB, directory string) *fixture {
	t.Helper()
	l := &log{}
	f := &fixture{bundles.NewKeeper(bundles.Quick(bundles.Deps{
		Directory: directory, Now: time.Now, Spread: func() float64 { return 0 },
		Logger: slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})), l}
	t.Cleanup(f.Close)
	return f
}

// config asks once in an hour, so that a test says when.
func config(name, url string) bundles.Config {
	return bundles.Config{Name: name, URL: url + "/" + name + ".tar.gz", Every: time.Hour, MaxSize: 1 << 20}
}

func (f *fixture) want(t testing.TB, configs ...bundles.Config) *bundles.Set {
	t.Helper()
	set, err := f.Want(configs)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// ask has all bundles asked once more, and waits for it. The first to end may have
// begun before, as one that follows an activation.
func (f *fixture) ask(t testing.TB) {
	t.Helper()
	f.askOnce(t)
	f.askOnce(t)
}

func (f *fixture) askOnce(t testing.TB) {
	t.Helper()
	before := f.Reports()
	f.Ask()
	eventually(t, "every bundle is asked for again", func() bool {
		for i, r := range f.Reports() {
			if r.Polls <= before[i].Polls {
				return false
			}
		}
		return true
	})
}

// first waits for the first answer.
func (f *fixture) first(t testing.TB) {
	t.Helper()
	eventually(t, "the first answer", func() bool {
		for _, r := range f.Reports() {
			if r.Polls == 0 {
				return false
			}
		}
		return true
	})
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// compile puts in force what compiles, and gives the revisions.
func compile(t testing.TB, set *bundles.Set) (string, *bundles.Chosen, error) {
	t.Helper()
	chosen, err := set.Choose(func(all []*policy.Bundle) error {
		_, err := policy.Compile(t.Context(), policy.Options{Bundles: all, Entrypoints: []string{"main/allow"}})
		return err
	})
	if err != nil {
		return "", nil, err
	}
	chosen.Activated()
	var revisions []string
	for _, b := range chosen.Bundles {
		revisions = append(revisions, b.Revision)
	}
	return strings.Join(revisions, " "), chosen, nil
}

func inForce(t testing.TB, set *bundles.Set, want string) {
	t.Helper()
	got, _, err := compile(t, set)
	if err != nil || got != want {
		t.Fatalf("in force: %q, %v, want %q", got, err, want)
	}
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func secret(text string) access.Secret { return access.NewSecret(text) }
