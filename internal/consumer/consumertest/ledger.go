package consumertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// patience bounds every wait of the suite. It is far longer than any ledger
// needs, so that a slow machine fails no test.
const patience = time.Minute

// RunLedger checks the ledgers that open makes. Each of them is empty, and is
// closed by the test's clean-up.
func RunLedger(t *testing.T, open func(*testing.T) consumer.Ledger) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, consumer.Ledger)
	}{
		{"gives back what was written", givesBack},
		{"writes all of a change or nothing", allOrNothing},
		{"tells a lost update", lostUpdate},
		{"tells what there is not", nothingThere},
		{"has names once, whatever their case", namesOnce},
		{"has references once, whatever the consumer", referencesOnce},
		{"deletes a consumer with its credentials", deletesCascade},
		{"never undoes a revocation", staysRevoked},
		{"pages through lists", pages},
		{"lists by what is asked for", selects},
		{"keeps naughty texts as they are", keepsTexts},
		{"never gives out a secret but by Find", keepsSecrets},
		{"sees its own writes, and no others, in a view", seesOneState},
		{"chains its audit records", chainsAudit},
		{"remembers answers until they end", remembers},
		{"keeps a list of instances", listsInstances},
		{"notes uses, which are no changes", notesUses},
		{"counts changes", countsChanges},
		{"hands on each change in order", handsOn},
		{"hands on what many writers change, without a gap", handsOnAll},
		{"names all when too many are touched", namesAll},
		{"ends a following with its context", endsFollowing},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

var author = consumer.Author{Name: "suite", Address: "192.0.2.1"}

// change writes, and fails the test if that fails.
func change(t *testing.T, l consumer.Ledger, write func(consumer.Writer) error) consumer.Sequence {
	t.Helper()
	sequence, err := l.Change(t.Context(), author, write)
	if err != nil {
		t.Fatal(err)
	}
	return sequence
}

// view reads one thing, and fails the test if that fails.
func view[V any](t *testing.T, l consumer.Ledger, read func(context.Context, consumer.Reader) (V, error)) V {
	t.Helper()
	value, err := tryView(t, l, read)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func tryView[V any](t *testing.T, l consumer.Ledger, read func(context.Context, consumer.Reader) (V, error)) (value V, _ error) {
	t.Helper()
	err := l.View(t.Context(), func(r consumer.Reader) (err error) {
		value, err = read(t.Context(), r)
		return err
	})
	return value, err
}

func record(name string) *consumer.Record {
	return &consumer.Record{Consumer: access.Consumer{Name: name, Enabled: true}}
}

// key is an API key's credential, with an id and key of that name.
func key(owner, name string) *consumer.CredentialRecord {
	return &consumer.CredentialRecord{
		Credential: access.Credential{ID: name, Kind: access.KindAPIKey, Enabled: true},
		Consumer:   owner, Reference: APIKey(name), LastFour: "cdef",
	}
}

// consumers writes consumers with a key each, of the same name.
func consumers(t *testing.T, l consumer.Ledger, names ...string) {
	t.Helper()
	change(t, l, func(w consumer.Writer) error {
		for _, name := range names {
			if err := errors.Join(w.InsertConsumer(t.Context(), record(name)), w.InsertCredential(t.Context(), key(name, name))); err != nil {
				return err
			}
		}
		return nil
	})
}

// wantErr checks for a sentinel and the outcome that it is about.
func wantErr(t *testing.T, what string, err, sentinel error) {
	t.Helper()
	var outcome *consumer.Outcome
	if !errors.Is(err, sentinel) || !errors.As(err, &outcome) {
		t.Errorf("%s: got %v; want an outcome that is %v", what, err, sentinel)
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, comparers()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// names are "<prefix>-000" and so on.
func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%03d", prefix, i)
	}
	return all
}
