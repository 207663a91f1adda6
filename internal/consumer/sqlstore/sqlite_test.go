package sqlstore_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// put writes a consumer with a key of the same name.
func put(t *testing.T, l consumer.Ledger, name string) (consumer.Sequence, error) {
	t.Helper()
	return l.Change(t.Context(), consumer.Author{Name: "test"}, func(w consumer.Writer) error {
		if err := w.InsertConsumer(t.Context(), &consumer.Record{Consumer: access.Consumer{Name: name, Enabled: true}}); err != nil {
			return err
		}
		return w.InsertCredential(t.Context(), &consumer.CredentialRecord{
			Credential: access.Credential{ID: name, Kind: access.KindAPIKey, Enabled: true}, Consumer: name, Reference: consumertest.APIKey(name),
		})
	})
}

func mustPut(t *testing.T, l consumer.Ledger, name string) consumer.Sequence {
	t.Helper()
	sequence, err := put(t, l, name)
	if err != nil {
		t.Fatal(err)
	}
	return sequence
}

func mustFind(t *testing.T, s consumer.Store, name string) {
	t.Helper()
	if _, err := s.Find(t.Context(), consumertest.APIKey(name)); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestSQLiteFilesAreTheirOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space?#%.db")
	mustPut(t, open(t, options(sqlstore.SQLite, path)), "one")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o; want 600", path+suffix, info.Mode().Perm())
		}
	}
}

func TestSQLiteRefusesMemory(t *testing.T) {
	for _, dsn := range []string{"", ":memory:", "file::memory:", "file:x?mode=memory"} {
		if _, err := sqlstore.Open(t.Context(), options(sqlstore.SQLite, dsn)); err == nil {
			t.Errorf("%q was opened", dsn)
		}
	}
}

func TestTwoProcessesOnOneFile(t *testing.T) {
	o := onSQLite(t)
	here, there := open(t, o), open(t, o)
	following := consumertest.StartFollowing(t, here, 0)
	following.WaitFor(t, 0)
	following.WaitFor(t, mustPut(t, there, "one"))
	if names := following.Names(); len(names) != 1 || names[0] != "one" {
		t.Errorf("what another process wrote is told as %q", names)
	}
	mustFind(t, here, "one")
}

func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	mustPut(t, open(t, options(sqlstore.SQLite, path)), "before")
	store := open(t, options(sqlstore.SQLite, "file:"+path+"?_pragma=max_page_count(60)"))
	written := []string{"before"}
	for {
		name := fmt.Sprintf("%s-%04d", strings.Repeat("x", 100), len(written))
		_, err := put(t, store, name)
		if err == nil && len(written) < 10_000 {
			written = append(written, name)
			continue
		}
		if !errors.Is(err, consumer.ErrFull) {
			t.Fatalf("after %d writes: %v; want ErrFull", len(written), err)
		}
		break
	}
	for _, name := range written {
		mustFind(t, store, name)
	}
	if _, err := store.Head(t.Context()); err != nil {
		t.Errorf("reading from a full store: %v", err)
	}
}

func TestLockedSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	store := open(t, options(sqlstore.SQLite, path))
	mustPut(t, store, "one")
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	mustFind(t, store, "one") // who writes keeps nobody from reading
	if _, err := put(t, store, "two"); !errors.Is(err, consumer.ErrUnavailable) {
		t.Errorf("a write to a locked store: %v; want ErrUnavailable", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	mustPut(t, store, "two")
}

// A file that was taken away or replaced takes no more writes: they would be
// acknowledged and lost. Nor does it answer, since others change what stands
// there now.
func TestAFileThatIsNotInItsPlaceIsNotWritten(t *testing.T) {
	o := onSQLite(t)
	path := string(o.DSN.Reveal())
	store := open(t, o)
	use := func() (read, write error) {
		_, read = store.Find(t.Context(), consumer.NameReference("a"))
		_, write = store.Change(t.Context(), consumer.Author{}, func(w consumer.Writer) error { return w.Note(t.Context(), &consumer.AuditRecord{}) })
		return read, write
	}
	if read, write := use(); !errors.Is(read, consumer.ErrNotFound) || write != nil {
		t.Fatalf("%v, %v", read, write)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	for _, replaced := range []bool{false, true} {
		if replaced {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if read, write := use(); !errors.Is(read, consumer.ErrUnavailable) || !errors.Is(write, consumer.ErrUnavailable) || store.State().Err == nil {
			t.Errorf("replaced %t: %v, %v", replaced, read, write)
		}
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if read, write := use(); !errors.Is(read, consumer.ErrNotFound) || write != nil || store.State().Err != nil {
		t.Errorf("put back: %v, %v", read, write)
	}
}

// TestNothingMoreIsSaidAfterChanges: where changes come all the time, the feed is
// never empty, and who follows it must learn all the same that it is not behind.
func TestNothingMoreIsSaidAfterChanges(t *testing.T) {
	store := open(t, onSQLite(t))
	upto := mustPut(t, store, "one")
	var told []consumer.Changes
	if _, err := store.CatchUp(t.Context(), 0, func(c consumer.Changes) { told = append(told, c) }); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || len(told[0].Consumers) != 1 || told[1].Upto != upto || told[1].All || len(told[1].Consumers) > 0 {
		t.Errorf("handed on %+v; want the change, and then nothing more up to %d", told, upto)
	}
}
