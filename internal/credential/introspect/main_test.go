package introspect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/introspect"
)

// noProxy is where a proxy of the environment would be, and nothing listens.
const noProxy = "127.0.0.1:1"

func TestMain(m *testing.M) {
	// net/http reads it once, at the first use.
	if err := os.Setenv("HTTP_PROXY", "http://"+noProxy); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const (
	opaque   = "2YotnFZFEjr1zCsicMWpAA"
	clientID = "gate:way"
	secret   = "s3cr&t of the gateway"
)

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// clock stands at noon until it is moved.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return noon().Add(time.Duration(c.offset.Load())) }
func (c *clock) pass(step time.Duration) { c.offset.Add(int64(step)) }

// records is a store in memory.
type records struct {
	found map[consumer.Reference]*consumer.Found
	err   error
}

func (r *records) Find(_ context.Context, ref consumer.Reference) (*consumer.Found, error) {
	switch f := r.found[ref]; {
	case r.err != nil:
		return nil, r.err
	case f == nil:
		return nil, consumer.ErrNotFound
	default:
		return f, nil
	}
}

func demoRecords() *records {
	app := &access.Consumer{Name: "mobile-app", Enabled: true, Environment: "prod", Roles: []string{"reader"}, Groups: []string{"premium"}}
	r := &records{found: map[consumer.Reference]*consumer.Found{consumer.NameReference("mobile-app"): {Consumer: app}}}
	tie := func(value string, c *access.Consumer, change func(*access.Credential)) {
		credential := &access.Credential{ID: value + "-idp", Kind: access.KindIssuer, Enabled: true, Scopes: []string{"record:scope"}}
		change(credential)
		r.found[consumer.Reference{Kind: access.KindIssuer, Issuer: "idp", Value: value}] = &consumer.Found{Consumer: c, Credential: credential}
	}
	tie("mobile", app, func(*access.Credential) {})
	tie("off", app, func(c *access.Credential) { c.Enabled = false })
	tie("ended", app, func(c *access.Credential) { c.ExpiresAt = noon() })
	tie("ending", app, func(c *access.Credential) { c.ExpiresAt = noon().Add(10 * time.Second) })
	tie("retired", &access.Consumer{Name: "retired", Environment: "prod"}, func(*access.Credential) {})
	tie("partner", &access.Consumer{Name: "partner", Enabled: true, Environment: "dev"}, func(*access.Credential) {})
	return r
}

// stub is an introspection endpoint that does as it is told.
type stub struct {
	*httptest.Server
	asked atomic.Int64
	does  atomic.Pointer[http.HandlerFunc]
	// connections is how many there were, open how many there are.
	connections, open atomic.Int64
}

func (s *stub) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.open.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

func newStub(t testing.TB, does http.HandlerFunc) *stub {
	t.Helper()
	s := &stub{}
	s.do(does)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.does.Load())(w, r)
	}))
	s.Config.ConnState = s.count
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *stub) do(does http.HandlerFunc) { s.does.Store(&does) }

// says answers with JSON.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		_, _ = w.Write([]byte(text))
	}
}

// active is an answer about a good token, and more.
func active(more string) string {
	return fmt.Sprintf(`{"active":true,"client_id":"mobile","exp":%d%s}`, noon().Unix()+300, more)
}

// answers says what a status, and nothing else, says.
func answers(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// house is an authenticator with all that it stands on.
type house struct {
	*introspect.Authenticator
	server *introspect.Server
	stub   *stub
	store  *records
	cache  *cache.Cache[*access.Identity]
	clock  *clock
	log    *syncBuffer
	config introspect.Config
}

// settings are what a test may change before the house is built.
type settings struct {
	server introspect.ServerConfig
	config introspect.Config
	memory int64
}

func build(t testing.TB, does http.HandlerFunc, changes ...func(*settings)) *house {
	t.Helper()
	h := &house{stub: newStub(t, does), store: demoRecords(), clock: &clock{}, log: &syncBuffer{}}
	s := settings{
		server: introspect.ServerConfig{
			Name: "idp", URL: h.stub.URL + "/introspect", ClientID: clientID, ClientSecret: access.NewSecret(secret),
			Timeout: 10 * time.Second, // no test's good case hangs on the machine's speed
		},
		config: introspect.Config{
			In: []introspect.Location{{Header: "Authorization", Scheme: "Bearer"}}, Realm: "api", Leeway: 30 * time.Second, SkipKeyForm: true,
			Roles: []string{"realm_access.roles"}, Groups: []string{"groups"}, Scopes: []string{"scope"},
		},
	}
	for _, change := range changes {
		change(&s)
	}
	h.config = s.config
	var err error
	h.server, err = introspect.Open(s.server, introspect.Deps{Now: h.clock.now, Logger: slog.New(slog.NewTextHandler(h.log, nil)), Jitter: func() float64 { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.server.Close)
	h.cache = openCache(t, s.memory, h.clock.now)
	h.Authenticator = h.again(h.config, "r1")
	return h
}

// again is another authenticator over the same server, store and cache.
func (h *house) again(config introspect.Config, revision string) *introspect.Authenticator {
	return introspect.New(config, h.server, h.store, h.cache, revision, h.clock.now)
}

func remembering(s *settings) { s.memory = 1 << 20 }

// impatient is for servers that never answer.
func impatient(s *settings) { s.server.Timeout = 50 * time.Millisecond }

func openCache(t testing.TB, memory int64, now func() time.Time) *cache.Cache[*access.Identity] {
	t.Helper()
	c, err := cache.New(cache.Options[*access.Identity]{
		MaxMemory: memory, MaxNegatives: 1000, TTL: time.Minute, NegativeTTL: 5 * time.Second, Now: now,
		Negative: func(err error) bool { var r *access.Rejection; return errors.As(err, &r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func request(token string) *access.Request {
	return &access.Request{Headers: access.Headers{{Name: "host", Value: "api"}, {Name: "authorization", Value: "Bearer " + token}}}
}

func ask(a *introspect.Authenticator, token string) (access.Proof, error) {
	return a.Authenticate(context.Background(), request(token))
}

const (
	invalid = access.CodeInvalidCredential
	expired = access.CodeExpiredCredential
	missing = access.CodeMissingCredential
	fault   = access.CodeFault
)

// codeOf says how a token was answered: its rejection's code, "fault", or ""
// when it was proven.
func codeOf(err error) access.Code {
	var r *access.Rejection
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r):
		return r.Code
	case errors.Is(err, access.ErrNoCredential):
		return missing
	}
	return fault
}

func (h *house) want(t testing.TB, token string, want access.Code) {
	t.Helper()
	if _, err := ask(h.Authenticator, token); codeOf(err) != want {
		t.Errorf("answer %q (%v), want %q", codeOf(err), err, want)
	}
}

// eventually polls a condition that another goroutine brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in 10 s: %s", what)
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
