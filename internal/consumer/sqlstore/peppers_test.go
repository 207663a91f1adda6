package sqlstore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

func pepper(letter string) access.Secret { return access.NewSecret(strings.Repeat(letter, 32)) }

func with(o sqlstore.Options, letters ...string) sqlstore.Options {
	o.Peppers = nil
	for _, letter := range letters {
		o.Peppers = append(o.Peppers, pepper(letter))
	}
	return o
}

// fill writes the suite's records, and closes.
func fill(t *testing.T, o sqlstore.Options) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Change(t.Context(), consumer.Author{}, func(w consumer.Writer) error { return insert(t, w, consumertest.Records()) })
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func peppersAreRotated(t *testing.T, on opener) {
	o := on(t)
	fill(t, with(o, "a"))
	if _, err := sqlstore.Open(t.Context(), with(o, "b")); err == nil || !strings.Contains(err.Error(), "7 credentials are protected by the pepper") {
		t.Errorf("opened without the pepper of what is kept: %v", err)
	}
	store := open(t, with(o, "b", "a"))
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range consumertest.Records() {
		for _, c := range r.Credentials {
			found, err := store.Find(t.Context(), c.Reference)
			if err != nil || !found.Secret.Equal(c.Secret.Reveal()) || !found.Password.Equal(c.Password.Reveal()) {
				t.Errorf("%s is found under the old pepper: %v", c.ID, err)
			}
		}
	}
	waitRewritten(t, store)
	if after, err := store.Head(t.Context()); err != nil || after != head {
		t.Errorf("rewriting moved the head from %d to %d (%v)", head, after, err)
	}
	consumertest.Run(t, func(t *testing.T, records []consumertest.Record) consumer.Store {
		if records == nil {
			return open(t, on(t))
		}
		return open(t, with(o, "b")) // the old one is needed no more
	})
}

// waitRewritten waits until all is kept under the newest pepper.
func waitRewritten(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		uses, err := store.Peppers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(uses) == 2 && uses[0].Newest && uses[0].Credentials == 7 && uses[1].Credentials == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still kept under the old pepper: %+v", uses)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func defaultPepper(t *testing.T, on opener) {
	o := on(t)
	first := open(t, o)
	mustPut(t, first, "one")
	if !first.State().DefaultPepper || !first.State().Ready {
		t.Errorf("without a pepper the state is %+v", first.State())
	}
	mustFind(t, open(t, o), "one")
	configured := open(t, with(o, "a"))
	if configured.State().DefaultPepper {
		t.Error("a configured pepper is told as the default one")
	}
	mustFind(t, configured, "one")
	if _, err := put(t, configured, "ONE"); err == nil {
		t.Error("a consumer was made twice")
	}
	mustPut(t, configured, "two")
	if _, err := sqlstore.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not configured") {
		t.Errorf("opened without the configured pepper: %v", err)
	}
}

func TestShortPepperIsRefused(t *testing.T) {
	o := onSQLite(t)
	o.Peppers = []access.Secret{pepper("a"), access.NewSecret("canary-short")}
	_, err := sqlstore.Open(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "pepper 2: has 12 bytes") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

// TestOneKeyUnderTwoPeppers: what is kept under an old pepper is the same key.
func TestOneKeyUnderTwoPeppers(t *testing.T) {
	o := onSQLite(t)
	fill(t, with(o, "a"))
	store := open(t, with(o, "b", "a"))
	_, err := store.Change(t.Context(), consumer.Author{}, func(w consumer.Writer) error {
		return w.InsertCredential(t.Context(), &consumer.CredentialRecord{
			Credential: access.Credential{ID: "again", Kind: access.KindAPIKey}, Consumer: "other",
			Reference: consumertest.Records()[0].Credentials[0].Reference,
		})
	})
	if err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a key was inserted twice: %v", err)
	}
}

// TestNothingReadableOnDisk looks for secrets and key digests in the files.
func TestNothingReadableOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	fill(t, with(options(sqlstore.SQLite, path), "a"))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte("full-app")) {
		t.Fatal("the file does not hold what it should: the test shows nothing")
	}
	for _, r := range consumertest.Records() {
		for _, c := range r.Credentials {
			for what, secret := range map[string][]byte{"secret": c.Secret.Reveal(), "password": c.Password.Reveal(), "pepper": pepper("a").Reveal()} {
				if len(secret) > 0 && bytes.Contains(content, secret) {
					t.Errorf("the %s of %s can be read", what, c.ID)
				}
			}
			if c.Kind == access.KindAPIKey && bytes.Contains(content, []byte(c.Reference.Value)) {
				t.Errorf("the digest of the key %s can be read", c.ID)
			}
		}
	}
}

// TestSealedInAnothersPlace moves one credential's secret to another.
func TestSealedInAnothersPlace(t *testing.T) {
	o := onSQLite(t)
	fill(t, o)
	store := open(t, o)
	if err := store.Exec(t.Context(), "UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE id = 'full-hmac') WHERE id = 'full-sig'"); err != nil {
		t.Fatal(err)
	}
	if found, err := store.Find(t.Context(), consumertest.Records()[0].Credentials[5].Reference); err == nil {
		t.Errorf("found %v with another's secret", found)
	}
}

// TestDerivedKeys: instances of one store sign alike, for each purpose with a
// key of its own.
func TestDerivedKeys(t *testing.T) {
	o := onSQLite(t)
	derive := func(s *sqlstore.Store, purpose string) string {
		key, err := s.Derive(purpose)
		if err != nil || len(key) != 32 {
			t.Fatalf("%d bytes, %v", len(key), err)
		}
		return string(key)
	}
	first, second := open(t, o), open(t, o)
	if derive(first, "a") != derive(second, "a") || derive(first, "a") == derive(first, "b") {
		t.Error("instances differ, or purposes do not")
	}
	o.Peppers = []access.Secret{pepper("a")}
	if derive(open(t, o), "a") == derive(first, "a") {
		t.Error("another pepper made the same key")
	}
}
