package admin_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tokens of the three roles.
const (
	viewerToken = "viewer-token-0123456789-0123456789-0123456789"
	editorToken = "editor-token-0123456789-0123456789-0123456789"
	adminToken  = "admin-token-0123456789-0123456789-01234567890"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// text is a log that many write.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// house is the admin API over a SQLite store, on a listener of its own.
type house struct {
	*httptest.Server
	t      testing.TB
	api    *admin.Server
	ledger consumer.Ledger
	clock  *clock
	log    *text
	client *http.Client
}

// open changes the options, and the ledger that the keyring sees, if asked.
func open(t testing.TB, change ...func(*admin.Options)) *house {
	return openOn(t, func(l consumer.Ledger) consumer.Ledger { return l }, change...)
}

func openOn(t testing.TB, wrap func(consumer.Ledger) consumer.Ledger, change ...func(*admin.Options)) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{now: start}, log: &text{}}
	logger := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store, err := sqlstore.Open(context.Background(), sqlstore.Options{
		Driver: sqlstore.SQLite, DSN: access.NewSecret(filepath.Join(t.TempDir(), "postern.db")),
		Now: h.clock.Now, Random: rand.Reader, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h.ledger = wrap(store)
	ring, err := keyring.New(h.ledger, keyring.Options{
		Now: h.clock.Now, Random: rand.Reader, MaxCredentials: 20,
		Declared: func(name string) bool { return strings.EqualFold(name, "declared") },
		Issuers:  func() []string { return []string{"shop"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := admin.Options{
		Keyring: ring, Hosts: []string{"postern.example"}, Import: documents{}, Policies: &rollouts{inForce: "a"}, Now: h.clock.Now, Random: rand.Reader, Logger: logger,
		Tokens: []admin.Token{
			admin.NewToken("vera", admin.RoleViewer, []byte(viewerToken)),
			admin.NewToken("edgar", admin.RoleEditor, []byte(editorToken)),
			admin.NewToken("ada", admin.RoleAdmin, []byte(adminToken)),
		},
	}
	for _, f := range change {
		f(&o)
	}
	if h.api, err = admin.New(o); err != nil {
		t.Fatal(err)
	}
	h.serve()
	return h
}

// serve listens for HTTP/1.1 and for HTTP/2 without TLS, as Postern does.
func (h *house) serve() {
	h.Server = httptest.NewUnstartedServer(h.api)
	h.Config.Protocols = &http.Protocols{}
	h.Config.Protocols.SetHTTP1(true)
	h.Config.Protocols.SetUnencryptedHTTP2(true)
	h.Start()
	transport := &http.Transport{}
	h.client = &http.Client{Transport: transport}
	h.t.Cleanup(func() {
		transport.CloseIdleConnections()
		h.Close()
	})
}

// documents is an importer whose answers are as dull as can be.
type documents struct{}

func (documents) Import(_ context.Context, _ *keyring.Keyring, _ consumer.Author, r *adminv1.ImportRequest) (*adminv1.ImportResponse, error) {
	done := !r.GetDryRun()
	return &adminv1.ImportResponse{Format: r.GetFormat(), Applied: &done, Entries: []*adminv1.ImportEntry{
		{Kind: "consumer", Name: "imported", Source: "line 1", Action: "create"},
	}}, nil
}

func (documents) Export(context.Context, *keyring.Keyring) (*adminv1.ExportResponse, error) {
	return &adminv1.ExportResponse{Document: "consumers: []\n"}, nil
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// field digs a value out of the JSON body: "receipt.sequence", "keys.0.id".
func (a answer) field(t testing.TB, path string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	for _, name := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			value = v[int(name[0]-'0')]
		default:
			return nil
		}
	}
	return value
}

// text is a field that must be a text.
func (a answer) text(t testing.TB, path string) string {
	t.Helper()
	s, ok := a.field(t, path).(string)
	if !ok || s == "" {
		t.Fatalf("%d %s: %s is no text", a.status, a.body, path)
	}
	return s
}

// with changes a request.
type with func(*http.Request)

func header(name, value string) with {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func token(value string) with {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+value) }
}

// do asks as an admin, with JSON if there is a body.
func (h *house) do(method, path, body string, change ...with) answer {
	h.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, h.URL+path, reader)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(r)
	}
	response, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(data)}
}

// must asks for something that has to work.
func (h *house) must(method, path, body string, change ...with) answer {
	h.t.Helper()
	a := h.do(method, path, body, change...)
	if a.status >= 300 {
		h.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// refused asks for something that has to fail so.
func (h *house) refused(status int, code, method, path, body string, change ...with) answer {
	h.t.Helper()
	a := h.do(method, path, body, change...)
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" || a.field(h.t, "code") != code {
		h.t.Errorf("%s %s %s: %d %s, expected %d with the code %s", method, path, body, a.status, a.body, status, code)
	}
	return a
}
