package consumertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

func keepsSecrets(t *testing.T, l consumer.Ledger) {
	ctx := t.Context()
	consumers(t, l, "one")
	for i, c := range Records()[0].Credentials {
		change(t, l, func(w consumer.Writer) error {
			return w.InsertCredential(ctx, &consumer.CredentialRecord{
				Credential: access.Credential{ID: fmt.Sprint("c", i), Kind: c.Kind, Enabled: true}, Consumer: "one",
				Reference: c.Reference, Secret: c.Secret, Password: c.Password, Algorithm: c.Algorithm, Algorithms: c.Algorithms,
			})
		})
	}
	all := view(t, l, func(ctx context.Context, r consumer.Reader) ([]*consumer.CredentialRecord, error) {
		return r.Credentials(ctx, consumer.CredentialQuery{Consumer: "one", Page: consumer.Page{Limit: 100}})
	})
	for _, c := range append(all, credentialOf(t, l, "c1"), credentialOf(t, l, "c4")) {
		if !c.Secret.Empty() || !c.Password.Empty() || c.Kind == access.KindAPIKey && c.Reference.Value != "" {
			t.Errorf("a reader gives out what is secret of %s", c.ID)
		}
		if c.Kind != access.KindAPIKey && c.Reference.Value == "" {
			t.Errorf("a reader hides what is no secret of %s", c.ID)
		}
	}
	found, err := l.Find(ctx, Records()[0].Credentials[1].Reference)
	if err != nil || !found.Secret.Equal(Records()[0].Credentials[1].Secret.Reveal()) {
		t.Errorf("Find has another secret, or none: %v", err)
	}
}

func seesOneState(t *testing.T, l consumer.Ledger) {
	consumers(t, l, "one")
	ctx := t.Context()
	err := l.View(ctx, func(r consumer.Reader) error {
		before, err := r.Consumer(ctx, "one")
		if err != nil {
			return err
		}
		update(t, l) //nolint:contextcheck // the test's own context is in both
		after, err := r.Consumer(ctx, "one")
		if err == nil && after.Version != before.Version {
			t.Errorf("a view saw version %d, then %d", before.Version, after.Version)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	change(t, l, func(w consumer.Writer) error {
		if err := errors.Join(w.InsertConsumer(ctx, record("two")), w.InsertCredential(ctx, key("two", "two"))); err != nil {
			return err
		}
		found, err := w.Find(ctx, APIKey("two"))
		if err != nil || found.Consumer.Name != "two" {
			t.Errorf("a writer does not find what it wrote: %v", err)
		}
		_, err = w.Credential(ctx, "two")
		return err
	})
}

func update(t *testing.T, l consumer.Ledger) {
	t.Helper()
	change(t, l, func(w consumer.Writer) error { return w.UpdateConsumer(t.Context(), record("one")) })
}

func auditOf(t *testing.T, l consumer.Ledger, target string) []*consumer.AuditRecord {
	t.Helper()
	return view(t, l, func(ctx context.Context, r consumer.Reader) ([]*consumer.AuditRecord, error) {
		return r.Audit(ctx, 0, 1000, target)
	})
}

func chainsAudit(t *testing.T, l consumer.Ledger) {
	ctx := t.Context()
	for i := range 20 {
		change(t, l, func(w consumer.Writer) error {
			note := func(n int) error {
				return w.Note(ctx, &consumer.AuditRecord{Action: "update", Kind: "plan", Target: fmt.Sprint("t", n%3), After: fmt.Sprintf(`{"n":%d}`, n)})
			}
			return errors.Join(note(2*i), note(2*i+1))
		})
	}
	all := auditOf(t, l, "")
	var chain consumer.Chain
	for i, a := range all {
		if err := chain.Check(a); err != nil {
			t.Fatal(err)
		}
		if a.Author != author || a.At.IsZero() || a.Sequence != consumer.Sequence(i/2+1) {
			t.Errorf("record %d is %+v", a.Number, a)
		}
	}
	if len(all) != 40 || chain.Number != 40 {
		t.Errorf("there are %d records up to number %d; want 40", len(all), chain.Number)
	}
	if of := auditOf(t, l, "t1"); len(of) != 13 || of[0].Target != "t1" {
		t.Errorf("t1 has %d records; want 13", len(of))
	}
	rest := view(t, l, func(ctx context.Context, r consumer.Reader) ([]*consumer.AuditRecord, error) {
		return r.Audit(ctx, 38, 1, "")
	})
	if len(rest) != 1 || rest[0].Number != 39 {
		t.Errorf("one record after 38 is %v", rest)
	}
}

func remembers(t *testing.T, l consumer.Ledger) {
	ctx := t.Context()
	answer := func(key string, ends time.Duration) *consumer.Remembered {
		return &consumer.Remembered{Key: key, Request: "r", Response: access.NewSecret("a key, shown once"), ExpiresAt: time.Now().Add(ends).UTC().Truncate(time.Second)}
	}
	want := answer("k", time.Hour)
	before := consumersHead(t, l)
	after := change(t, l, func(w consumer.Writer) error { return w.Remember(ctx, want) })
	if after != before {
		t.Errorf("to remember moved the sequence from %d to %d", before, after)
	}
	read := func(key string) (*consumer.Remembered, error) {
		return tryView(t, l, func(ctx context.Context, r consumer.Reader) (*consumer.Remembered, error) {
			return r.Remembered(ctx, key)
		})
	}
	got, err := read("k")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "remembered", want, got)
	_, err = l.Change(ctx, author, func(w consumer.Writer) error { return w.Remember(ctx, answer("k", time.Hour)) })
	wantErr(t, "the same key again", err, consumer.ErrExists)
	change(t, l, func(w consumer.Writer) error { return w.Remember(ctx, answer("old", -time.Hour)) })
	_, err = read("old")
	wantErr(t, "one that has ended", err, consumer.ErrNotFound)
	change(t, l, func(w consumer.Writer) error { return w.Remember(ctx, answer("old", time.Hour)) })
}

func listsInstances(t *testing.T, l consumer.Ledger) {
	ctx := t.Context()
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, i := range []consumer.Instance{
		{ID: "a", Name: "host-a", Version: "1", StartedAt: started},
		{ID: "b", Name: "host-b", Version: "1", StartedAt: started.Add(time.Second), Applied: 3},
		{ID: "a", Name: "host-a", Version: "1", StartedAt: started, Applied: 7},
	} {
		if err := l.Beat(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	all, err := l.Instances(ctx)
	if err != nil || len(all) != 2 {
		t.Fatalf("got %v, %v; want two instances", all, err)
	}
	a := all[0]
	if a.ID != "a" || a.Applied != 7 || !a.StartedAt.Equal(started) || a.Age < 0 || a.Age > patience || all[1].Name != "host-b" {
		t.Errorf("the instances are %+v", all)
	}
	if err := errors.Join(l.Leave(ctx, "a"), l.Leave(ctx, "never came")); err != nil {
		t.Fatal(err)
	}
	if all, err = l.Instances(ctx); err != nil || len(all) != 1 || all[0].ID != "b" {
		t.Errorf("after one left there are %v, %v", all, err)
	}
}

func notesUses(t *testing.T, l consumer.Ledger) {
	consumers(t, l, "one", "two", "three")
	before := consumersHead(t, l)
	noon := time.Date(2030, 5, 6, 12, 0, 0, 0, time.UTC)
	use := func(at map[string]time.Time) {
		t.Helper()
		if err := l.Used(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	use(map[string]time.Time{"one": noon.Add(90 * time.Second), "two": noon, "no such": noon, "' OR 1": noon})
	use(map[string]time.Time{"one": noon, "two": noon.Add(time.Hour)})
	use(nil)
	for id, want := range map[string]time.Time{"one": noon.Add(time.Minute), "two": noon.Add(time.Hour), "three": {}} {
		c := credentialOf(t, l, id)
		if !c.LastUsedAt.Equal(want) || c.Version != 1 {
			t.Errorf("%s was last used at %s, version %d; want %s and version 1", id, c.LastUsedAt, c.Version, want)
		}
	}
	if head := consumersHead(t, l); head != before {
		t.Errorf("uses moved the head from %d to %d", before, head)
	}
	c := credentialOf(t, l, "one")
	c.LastUsedAt = time.Time{}
	change(t, l, func(w consumer.Writer) error { return w.UpdateCredential(t.Context(), c) })
	if c = credentialOf(t, l, "one"); c.LastUsedAt.IsZero() || strings.TrimSpace(c.ID) == "" {
		t.Error("an update took away when it was last used")
	}
}
