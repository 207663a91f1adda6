package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

func TestUnknownDriver(t *testing.T) {
	if _, err := sqlstore.Open(t.Context(), options("mysql", "x")); err == nil || !strings.Contains(err.Error(), "expected sqlite or postgres") {
		t.Errorf("got %v", err)
	}
}

// findIsOneIndexedRead holds Find to indexes alone: no table is read from
// end to end, nothing is sorted.
func findIsOneIndexedRead(t *testing.T, on opener) {
	o := on(t)
	o.Peppers = []access.Secret{pepper("a"), pepper("b"), pepper("c")}
	store := open(t, o)
	_, err := store.Change(t.Context(), consumer.Author{}, func(w consumer.Writer) error { return insert(t, w, consumertest.Records()) })
	if err != nil {
		t.Fatal(err)
	}
	if o.Driver == sqlstore.Postgres { // so few rows would be scanned without an index
		if err := store.Exec(t.Context(), "ALTER DATABASE "+database(o)+" SET enable_seqscan = off"); err != nil {
			t.Fatal(err)
		}
		store = open(t, o)
	}
	for _, ref := range []consumer.Reference{consumertest.APIKey("x"), {Kind: access.KindBasic, Value: "x"}, consumer.NameReference("x")} {
		plan, err := store.Explain(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		scans := strings.Contains(plan, "SCAN") || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP")
		byLookup := ref.Kind == consumer.ByName || strings.Contains(plan, "credentials_lookup")
		if scans || !byLookup {
			t.Errorf("%s is found by:\n%s", ref.Kind, plan)
		}
	}
}

func database(o sqlstore.Options) string {
	dsn := string(o.DSN.Reveal())
	name, _, _ := strings.Cut(dsn[strings.LastIndexByte(dsn, '/')+1:], "?")
	return name
}

func newerSchemaIsRefused(t *testing.T, on opener) {
	o := on(t)
	applied := map[string]string{sqlstore.SQLite: "1", sqlstore.Postgres: "true"}[o.Driver]
	if err := open(t, o).Exec(t.Context(), "INSERT INTO schema_migrations (version_id, is_applied) VALUES (99, "+applied+")"); err != nil {
		t.Fatal(err)
	}
	o.Lazy = true // a later start would not help
	_, err := sqlstore.Open(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "newer Postern") || !strings.Contains(err.Error(), "99") {
		t.Errorf("got %v; want a word about version 99", err)
	}
}

func manyStartAtOnce(t *testing.T, on opener) {
	o := on(t)
	stores := make([]*sqlstore.Store, 4)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			var err error
			if stores[i], err = sqlstore.Open(t.Context(), o); err != nil {
				t.Errorf("start %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i, store := range stores {
		if store == nil {
			t.FailNow()
		}
		t.Cleanup(func() { _ = store.Close() })
		name := fmt.Sprint("by-", i)
		mustPut(t, store, name)
		mustFind(t, stores[0], name) // all have one pepper
	}
}

// behindTheFeed follows from a sequence that is in the feed no more.
func behindTheFeed(t *testing.T, on opener) {
	o := on(t)
	o.KeepChanges = 10
	store := open(t, o)
	for i := range 15 {
		mustPut(t, store, fmt.Sprint("c", i))
	}
	for _, c := range []struct {
		after consumer.Sequence
		all   bool
	}{{0, true}, {4, true}, {5, false}, {15, false}, {99, true}} {
		following := consumertest.StartFollowing(t, store, c.after)
		following.Wait(t, "a hand-over", func() bool { return len(following.Changes()) > 0 })
		first := following.Changes()[0]
		if first.All != c.all || first.Upto != 15 || !c.all && len(first.Consumers) != int(15-c.after) {
			t.Errorf("after %d comes %+v; want all: %v", c.after, first, c.all)
		}
	}
}

func tamperedAuditIsFound(t *testing.T, on opener) {
	for name, tamper := range map[string]string{
		"changed":      "UPDATE audit SET target = 'other' WHERE number = 3",
		"dropped":      "DELETE FROM audit WHERE number = 3",
		"said earlier": "UPDATE audit SET at = at - 1 WHERE number = 3",
		"the last":     "DELETE FROM audit WHERE number = 5",
		"rechained":    "UPDATE audit SET hash = previous WHERE number = 3",
	} {
		store := open(t, on(t))
		for range 5 {
			note(t, store)
		}
		if err := checkChain(t, store); err != nil {
			t.Fatal(err)
		}
		if err := store.Exec(t.Context(), tamper); err != nil {
			t.Fatal(err)
		}
		if err := checkChain(t, store); !errors.Is(err, consumer.ErrChain) {
			t.Errorf("a record that was %s: %v; want ErrChain", name, err)
		}
	}
}

func note(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	_, err := store.Change(t.Context(), consumer.Author{Name: "test"}, func(w consumer.Writer) error {
		return w.Note(t.Context(), &consumer.AuditRecord{Action: "update", Kind: "plan", Target: "gold"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkChain(t *testing.T, store *sqlstore.Store) error {
	t.Helper()
	return store.View(t.Context(), func(r consumer.Reader) error {
		all, err := r.Audit(t.Context(), 0, 1000, "")
		if err != nil {
			return err
		}
		var chain consumer.Chain
		for _, a := range all {
			if err := chain.Check(a); err != nil {
				return err
			}
		}
		end, err := r.AuditEnd(t.Context())
		if err != nil {
			return err
		}
		return chain.Ends(end)
	})
}

func TestInstancesAge(t *testing.T) {
	o := onSQLite(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
	store := open(t, o)
	beat := func(id string) {
		t.Helper()
		if err := store.Beat(t.Context(), consumer.Instance{ID: id, StartedAt: now}); err != nil {
			t.Fatal(err)
		}
	}
	instances := func() []consumer.Instance {
		t.Helper()
		all, err := store.Instances(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	beat("old")
	now = now.Add(14 * time.Second)
	if all := instances(); len(all) != 1 || all[0].Age != 14*time.Second || !all[0].Live() {
		t.Errorf("after 14 seconds: %+v", all)
	}
	now = now.Add(time.Second)
	if all := instances(); all[0].Live() {
		t.Errorf("after three beats it is still live: %+v", all)
	}
	now = now.Add(time.Hour)
	beat("new")
	if all := instances(); len(all) != 1 || all[0].ID != "new" {
		t.Errorf("after an hour: %+v", all)
	}
}

func TestClosedStore(t *testing.T) {
	store, err := sqlstore.Open(t.Context(), onSQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	handed := make(chan struct{}, 100)
	go func() {
		done <- store.Follow(context.Background(), 0, func(consumer.Changes) { handed <- struct{}{} })
	}()
	<-handed
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("a follower of a closed store is told nothing")
	}
	if _, err := store.Find(t.Context(), consumertest.APIKey("x")); err == nil || errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("a closed store says %v", err)
	}
}
