package life

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/replica"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/internal/credential/apikey"
	"github.com/postern-authz/postern/internal/keyring"
)

// TestMonth is the life of TestUser with the grace that there is by default, on
// the same parts and a clock that is moved.
func TestMonth(t *testing.T) {
	m, ops := openMonth(t), consumer.Author{Name: "ops"}
	if _, _, err := m.ring.CreateConsumer(t.Context(), ops, rules.Consumer{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	old, err := m.ring.CreateCredential(t.Context(), ops, "shop", rules.Credential{Kind: access.KindAPIKey})
	if err != nil {
		t.Fatal(err)
	}
	m.says(t, "the key", old.Key, access.CodeAllowed)
	next, err := m.ring.Rotate(t.Context(), ops, old.ID, keyring.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	const month = 30 * 24 * time.Hour
	for _, at := range []time.Duration{0, time.Minute, 15 * 24 * time.Hour, month - time.Second} {
		m.passed.Store(int64(at))
		m.says(t, "the new key after "+at.String(), next.Key, access.CodeAllowed)
		m.says(t, "the old key after "+at.String(), old.Key, access.CodeAllowed)
	}
	for _, at := range []time.Duration{month, month + time.Minute, 12 * month} {
		m.passed.Store(int64(at))
		m.says(t, "the old key after "+at.String(), old.Key, access.CodeExpiredCredential)
		m.says(t, "the new key after "+at.String(), next.Key, access.CodeAllowed)
	}
	if _, _, err := m.ring.Revoke(t.Context(), ops, next.ID, keyring.Revocation{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	m.says(t, "the revoked key", next.Key, access.CodeInvalidCredential)
	m.says(t, "the old key", old.Key, access.CodeExpiredCredential)
}

// month is what proves keys, over a store that is followed, with a clock.
type month struct {
	ring *keyring.Keyring
	keys *apikey.Authenticator
	// passed is the time since the beginning.
	passed atomic.Int64
}

func openMonth(t *testing.T) *month {
	t.Helper()
	m := &month{}
	begin := time.Now()
	now := func() time.Time { return begin.Add(time.Duration(m.passed.Load())) }
	store, err := sqlstore.Open(t.Context(), sqlstore.Options{
		Driver: sqlstore.SQLite, DSN: access.NewSecret(filepath.Join(t.TempDir(), "postern.db")), Now: now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	memory, err := cache.New(cache.Options[*access.Identity]{
		MaxMemory: 1 << 20, MaxNegatives: 100, TTL: time.Minute, NegativeTTL: 5 * time.Second, Now: now,
		Owner:    func(id *access.Identity) string { return id.Consumer.Name },
		Negative: func(err error) bool { return errors.As(err, new(*access.Rejection)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	follower := replica.Start(context.WithoutCancel(t.Context()), store, replica.Options{
		ID: "one", Name: "one", Version: "test", Forget: memory.ForgetOwner, ForgetAll: memory.ForgetAll,
		Now: now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() {
		follower.Close()
		memory.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if m.ring, err = keyring.New(store, keyring.Options{Applied: follower.Applied, Now: now, Random: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	m.keys = apikey.New(apikey.Config{In: []apikey.Location{{Header: "X-API-Key"}}, Realm: "api", Prefix: "postern"}, store, memory, "1", now)
	return m
}

// says holds the answer about a key to a code.
func (m *month) says(t *testing.T, what string, key access.Secret, want access.Code) {
	t.Helper()
	_, err := m.keys.Authenticate(t.Context(), &access.Request{Headers: access.Headers{{Name: "x-api-key", Value: string(key.Reveal())}}})
	got := access.CodeAllowed
	var rejection *access.Rejection
	if errors.As(err, &rejection) {
		got = rejection.Code
	} else if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}
