package rollout_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/rollout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const entrypoint = "postern/authz/allow"

// log is one that many write.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// meter counts.
type meter struct {
	mu       sync.Mutex
	compared map[string]int
	dropped  int
}

func (m *meter) Compared(kind, code, route string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.compared == nil {
		m.compared = map[string]int{}
	}
	m.compared[kind+" "+code+" "+route]++
}

func (m *meter) Dropped() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropped++
}

func (m *meter) count(what string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if what == "dropped" {
		return m.dropped
	}
	return m.compared[what]
}

// rules compiles a policy of the rules that decide.
func rules(t testing.TB, text string) *policy.Snapshot {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "authz.rego"), []byte("package postern.authz\n\n"+text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return compile(t, policy.Options{Directory: dir})
}

func compile(t testing.TB, o policy.Options) *policy.Snapshot {
	t.Helper()
	o.Entrypoints = []string{entrypoint}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second // a slow machine must not decide
	}
	s, err := policy.Compile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// question is about a request to a path.
func question(path string) *gate.Question {
	return &gate.Question{
		Request: &access.Request{
			Door: access.GRPC, Method: "GET", Path: path, RawPath: path, Time: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Size: -1,
			Headers: access.Headers{{Name: "authorization", Value: "Bearer the-secret"}},
		},
		Identity: &access.Identity{Consumer: &access.Consumer{Name: "shop"}}, Route: "order", Entrypoint: entrypoint, DecisionID: "decision-7",
	}
}

// until waits for something that must come about, within a bound that no working
// machine needs.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func newShadow(t testing.TB, m *meter, l *log) *rollout.Shadow {
	t.Helper()
	s := rollout.NewShadow(rollout.ShadowOptions{Meter: m, Logger: l.logger(), Now: time.Now})
	t.Cleanup(s.Close)
	return s
}
