package keyring_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/internal/keyring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	ops   = consumer.Author{Name: "ops", Address: "192.0.2.1"}
)

// canary stands wherever a secret might be told.
const canary = "canary-0123456789-0123456789-0123456789"

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

// house is a keyring over a ledger in a file of its own.
type house struct {
	*keyring.Keyring
	ledger consumer.Ledger
	clock  *clock
}

func open(t testing.TB, change ...func(*keyring.Options)) *house {
	t.Helper()
	h := &house{clock: &clock{now: start}}
	ledger, err := sqlstore.Open(context.Background(), sqlstore.Options{
		Driver: sqlstore.SQLite, DSN: access.NewSecret(filepath.Join(t.TempDir(), "postern.db")), Now: h.clock.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	h.ledger = ledger
	o := keyring.Options{Now: h.clock.Now, Random: rand.Reader}
	for _, f := range change {
		f(&o)
	}
	if h.Keyring, err = keyring.New(ledger, o); err != nil {
		t.Fatal(err)
	}
	return h
}

// app makes a consumer.
func (h *house) app(t testing.TB, name string) {
	t.Helper()
	if _, _, err := h.CreateConsumer(t.Context(), ops, rules.Consumer{Name: name, Environment: "prod"}); err != nil {
		t.Fatal(err)
	}
}

// key makes a key.
func (h *house) key(t testing.TB, owner string, c rules.Credential) *keyring.Issued {
	t.Helper()
	c.Kind = access.KindAPIKey
	issued, err := h.CreateCredential(t.Context(), ops, owner, c)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// counts reports whether a key is good now.
func (h *house) counts(t testing.TB, key access.Secret) bool {
	t.Helper()
	found, err := h.ledger.Find(t.Context(), rules.KeyReference(key))
	if err != nil {
		t.Fatal(err)
	}
	return found.Judge(nil, h.clock.Now()) == nil
}
