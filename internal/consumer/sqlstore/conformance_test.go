package sqlstore_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/test/harness"
)

// opener makes what a new, empty store is opened with.
type opener func(*testing.T) sqlstore.Options

// TestDialects holds both databases to the same.
func TestDialects(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { testDialect(t, onSQLite) })
	t.Run("postgres", func(t *testing.T) {
		server := harness.StartPostgres(t)
		testDialect(t, func(t *testing.T) sqlstore.Options { return onPostgres(t, server) })
	})
}

func testDialect(t *testing.T, on opener) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, opener)
	}{
		{"store conforms", storeConforms},
		{"ledger conforms", ledgerConforms},
		{"find is one indexed read", findIsOneIndexedRead},
		{"fill is as inserted", fillIsAsInserted},
		{"fill is all or nothing", fillIsAllOrNothing},
		{"newer schema is refused", newerSchemaIsRefused},
		{"many start at once", manyStartAtOnce},
		{"behind the feed", behindTheFeed},
		{"tampered audit is found", tamperedAuditIsFound},
		{"peppers are rotated", peppersAreRotated},
		{"default pepper", defaultPepper},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, on) })
	}
}

func onPostgres(t *testing.T, server *harness.Postgres) sqlstore.Options {
	return options(sqlstore.Postgres, server.DSN(server.Database(t), server.Address))
}

func onSQLite(t *testing.T) sqlstore.Options {
	return options(sqlstore.SQLite, filepath.Join(t.TempDir(), "postern.db"))
}

func options(driver, dsn string) sqlstore.Options {
	// How fast the machine is must not decide.
	return sqlstore.Options{Driver: driver, DSN: access.NewSecret(dsn), Now: time.Now, Random: rand.Reader, FindTimeout: harness.Patience}
}

func open(t *testing.T, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func storeConforms(t *testing.T, on opener) {
	consumertest.Run(t, func(t *testing.T, records []consumertest.Record) consumer.Store {
		store := open(t, on(t))
		_, err := store.Change(t.Context(), consumer.Author{Name: "test"}, func(w consumer.Writer) error { return insert(t, w, records) })
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

func insert(t *testing.T, w consumer.Writer, records []consumertest.Record) error {
	for _, r := range records {
		if err := w.InsertConsumer(t.Context(), &consumer.Record{Consumer: r.Consumer}); err != nil {
			return err
		}
		for _, c := range r.Credentials {
			if err := w.InsertCredential(t.Context(), credential(t, r.Consumer.Name, c)); err != nil {
				return err
			}
		}
	}
	return nil
}

func credential(t *testing.T, owner string, c consumertest.Credential) *consumer.CredentialRecord {
	record := &consumer.CredentialRecord{
		Credential: c.Credential, Consumer: owner, Reference: c.Reference,
		Algorithm: c.Algorithm, Algorithms: c.Algorithms, Secret: c.Secret, Password: c.Password,
	}
	if c.PublicKey != nil {
		der, err := x509.MarshalPKIXPublicKey(c.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		record.PublicKey = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	return record
}

func ledgerConforms(t *testing.T, on opener) {
	consumertest.RunLedger(t, func(t *testing.T) consumer.Ledger { return open(t, on(t)) })
}
