package sqlstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/test/harness"
)

const (
	benchKeys  = 20_000
	benchBatch = 10_000
)

func BenchmarkStore(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		benchmarkStore(b, options(sqlstore.SQLite, filepath.Join(b.TempDir(), "postern.db")))
	})
	b.Run("postgres", func(b *testing.B) {
		server := harness.StartPostgres(b)
		benchmarkStore(b, options(sqlstore.Postgres, server.DSN(server.Database(b), server.Address)))
	})
}

func benchmarkStore(b *testing.B, o sqlstore.Options) {
	store, err := sqlstore.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	fillKeys(b, store, 0, benchKeys)
	b.Run("find", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := store.Find(b.Context(), consumertest.APIKey(benchName(i*7919%benchKeys))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("find none", func(b *testing.B) {
		for b.Loop() {
			if _, err := store.Find(b.Context(), consumertest.APIKey("nobody's")); !errors.Is(err, consumer.ErrNotFound) {
				b.Fatal(err)
			}
		}
	})
	next := benchKeys
	b.Run("insert in batches", func(b *testing.B) {
		for b.Loop() {
			fillKeys(b, store, next, benchBatch)
			next += benchBatch
		}
		b.ReportMetric(float64(b.N)*benchBatch/b.Elapsed().Seconds(), "keys/s")
	})
	b.Run("change", func(b *testing.B) {
		for b.Loop() {
			fillKeys(b, store, next, 1)
			next++
		}
	})
}

func benchName(i int) string { return fmt.Sprintf("bench-%09d", i) }

// fillKeys makes consumers with a key each, in one change.
func fillKeys(b *testing.B, store *sqlstore.Store, from, n int) {
	b.Helper()
	_, err := store.Change(b.Context(), consumer.Author{}, func(w consumer.Writer) error {
		for i := from; i < from+n; i++ {
			name := benchName(i)
			if err := w.InsertConsumer(b.Context(), &consumer.Record{Consumer: access.Consumer{Name: name, Enabled: true}}); err != nil {
				return err
			}
			c := &consumer.CredentialRecord{Credential: access.Credential{ID: name, Kind: access.KindAPIKey, Enabled: true}, Consumer: name, Reference: consumertest.APIKey(name)}
			if err := w.InsertCredential(b.Context(), c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
