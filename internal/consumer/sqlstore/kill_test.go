package sqlstore_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	randv2 "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

const (
	// writerVariable names a database: with it, this test program is the one that
	// writes and is killed.
	writerVariable = "POSTERN_TEST_WRITER"
	// roundsVariable is how often it is killed, instead of shortRounds.
	roundsVariable = "POSTERN_TEST_KILLS"
	shortRounds    = 10
)

// TestKilled kills a writer at a random moment, again and again, and looks for
// all that it had acknowledged.
func TestKilled(t *testing.T) {
	rounds := shortRounds
	if text := os.Getenv(roundsVariable); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("$%s: %v", roundsVariable, err)
		}
	}
	path := filepath.Join(t.TempDir(), "postern.db")
	acknowledged := 0
	for range rounds {
		acknowledged += len(killOne(t, path))
	}
	if acknowledged == 0 {
		t.Error("nothing was acknowledged in any round: the test shows nothing")
	}
	t.Logf("%d rounds, %d acknowledged writes", rounds, acknowledged)
}

// killOne returns the ids that were acknowledged. Each of them must be there,
// and the ledger must be whole.
func killOne(t *testing.T, path string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerVariable+"="+path)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var ids []string
	read := func() bool {
		if !lines.Scan() {
			return false
		}
		ids = append(ids, lines.Text())
		return true
	}
	if !read() {
		t.Fatal("the writer ended before it wrote")
	}
	time.AfterFunc(time.Duration(randv2.IntN(20_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
	for read() {
	}
	_ = cmd.Wait() // it was killed
	checkAll(t, path, ids)
	return ids
}

func checkAll(t *testing.T, path string, ids []string) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), options(sqlstore.SQLite, path))
	if err != nil {
		t.Fatalf("open after a kill: %v", err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, id := range ids {
		found, err := store.Find(t.Context(), consumertest.APIKey(id))
		if err != nil || found.Credential.ID != id {
			t.Errorf("an acknowledged key is gone: %v", err)
		}
	}
	var chain consumer.Chain
	err = store.View(t.Context(), func(r consumer.Reader) error {
		for {
			part, err := r.Audit(t.Context(), chain.Number, 1000, "")
			if err != nil || len(part) == 0 {
				return err
			}
			for _, a := range part {
				if err := chain.Check(a); err != nil {
					return err
				}
			}
		}
	})
	if head, headErr := store.Head(t.Context()); err != nil || headErr != nil || int64(head) != chain.Number {
		t.Errorf("the head is %d and the audit chain ends at %d (%v)", head, chain.Number, errors.Join(err, headErr))
	}
}

// writeUntilKilled prints the id of each key after it was acknowledged.
func writeUntilKilled(path string) int {
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, options(sqlstore.SQLite, path))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		id := rand.Text()
		_, err := store.Change(ctx, consumer.Author{Name: "writer"}, func(w consumer.Writer) error {
			return errors.Join(
				w.InsertConsumer(ctx, &consumer.Record{Consumer: access.Consumer{Name: id, Enabled: true}}),
				w.InsertCredential(ctx, &consumer.CredentialRecord{
					Credential: access.Credential{ID: id, Kind: access.KindAPIKey, Enabled: true}, Consumer: id, Reference: consumertest.APIKey(id),
				}),
				w.Note(ctx, &consumer.AuditRecord{Action: "create", Kind: "consumer", Target: id}),
			)
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(id)
	}
}
