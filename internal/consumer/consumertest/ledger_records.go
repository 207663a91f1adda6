package consumertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

func givesBack(t *testing.T, l consumer.Ledger) {
	full := Records()[0]
	want := &consumer.Record{Consumer: full.Consumer, Plan: "gold", Grant: "00c0ffee"}
	credential := &consumer.CredentialRecord{
		Credential: full.Credentials[0].Credential, Consumer: "full", Label: "mobile app", Reference: full.Credentials[0].Reference,
		Prefix: "demo_prod_0123456789ab", LastFour: "cdef", Replaces: "before", ReplacedBy: "after",
		RevokedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), RevokedReason: "leaked",
	}
	signature := &consumer.CredentialRecord{
		Credential: full.Credentials[5].Credential, Consumer: "full", Reference: full.Credentials[5].Reference,
		Secret: full.Credentials[5].Secret, Algorithms: full.Credentials[5].Algorithms,
	}
	application := &consumer.Application{Name: "Shop", DisplayName: "Läden", Owner: "dev@example.com", Labels: map[string]string{"a": "b"}}
	grant := &consumer.Grant{ID: "00c0ffee", Application: "Shop", API: "orders", Environment: "prod", Consumer: "full"}
	plan := &consumer.Plan{
		Name: "gold", DisplayName: "Gold", Rates: []consumer.Rate{{Count: 100, Period: time.Minute, Burst: 20}},
		Quotas: []consumer.Quota{{Count: 1_000_000, Period: "month", Hard: true}},
	}
	ctx := t.Context()
	change(t, l, func(w consumer.Writer) error {
		return errors.Join(
			w.InsertPlan(ctx, plan), w.InsertApplication(ctx, application), w.InsertGrant(ctx, grant),
			w.InsertConsumer(ctx, want), w.InsertCredential(ctx, credential), w.InsertCredential(ctx, signature),
		)
	})
	if want.Version != 1 || want.CreatedAt.IsZero() || !want.CreatedAt.Equal(want.UpdatedAt) {
		t.Errorf("the stamp of an insert is %+v", want.Stamp)
	}
	credential.Reference.Value, signature.Secret = "", access.Secret{}
	same(t, "consumer", want, view(t, l, func(ctx context.Context, r consumer.Reader) (*consumer.Record, error) { return r.Consumer(ctx, "FULL") }))
	same(t, "key", credential, credentialOf(t, l, credential.ID))
	same(t, "signature", signature, credentialOf(t, l, signature.ID))
	same(t, "application", application, view(t, l, func(ctx context.Context, r consumer.Reader) (*consumer.Application, error) {
		return r.Application(ctx, "shop")
	}))
	same(t, "grant", grant, view(t, l, func(ctx context.Context, r consumer.Reader) (*consumer.Grant, error) { return r.Grant(ctx, grant.ID) }))
	same(t, "plan", plan, view(t, l, func(ctx context.Context, r consumer.Reader) (*consumer.Plan, error) { return r.Plan(ctx, "GOLD") }))
}

func credentialOf(t *testing.T, l consumer.Ledger, id string) *consumer.CredentialRecord {
	t.Helper()
	return view(t, l, func(ctx context.Context, r consumer.Reader) (*consumer.CredentialRecord, error) {
		return r.Credential(ctx, id)
	})
}

func allOrNothing(t *testing.T, l consumer.Ledger) {
	before, wrong := consumersHead(t, l), errors.New("something went wrong")
	_, err := l.Change(t.Context(), author, func(w consumer.Writer) error {
		return errors.Join(w.InsertConsumer(t.Context(), record("half")), w.Note(t.Context(), &consumer.AuditRecord{Action: "create"}), wrong)
	})
	if !errors.Is(err, wrong) {
		t.Errorf("got %v; want the writer's own error", err)
	}
	unknown(t, l, consumer.NameReference("half"))
	if head := consumersHead(t, l); head != before {
		t.Errorf("a change that failed moved the head from %d to %d", before, head)
	}
	if noted := auditOf(t, l, ""); len(noted) != 0 {
		t.Errorf("a change that failed left %d audit records", len(noted))
	}
}

func consumersHead(t *testing.T, l consumer.Ledger) consumer.Sequence {
	t.Helper()
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// versioned are the writes that carry a version, for one of each thing.
func versioned(version int64) map[string]func(context.Context, consumer.Writer) error {
	stamp := consumer.Stamp{Version: version}
	return map[string]func(context.Context, consumer.Writer) error{
		"update consumer": func(ctx context.Context, w consumer.Writer) error {
			r := record("one")
			r.Stamp = stamp
			return w.UpdateConsumer(ctx, r)
		},
		"update credential": func(ctx context.Context, w consumer.Writer) error {
			c := key("one", "one")
			c.Stamp = stamp
			return w.UpdateCredential(ctx, c)
		},
		"update application": func(ctx context.Context, w consumer.Writer) error {
			return w.UpdateApplication(ctx, &consumer.Application{Name: "one", Stamp: stamp})
		},
		"update plan": func(ctx context.Context, w consumer.Writer) error {
			return w.UpdatePlan(ctx, &consumer.Plan{Name: "one", Stamp: stamp})
		},
		"delete credential":  func(ctx context.Context, w consumer.Writer) error { return w.DeleteCredential(ctx, "one", version) },
		"delete consumer":    func(ctx context.Context, w consumer.Writer) error { return w.DeleteConsumer(ctx, "one", version) },
		"delete grant":       func(ctx context.Context, w consumer.Writer) error { return w.DeleteGrant(ctx, "one", version) },
		"delete application": func(ctx context.Context, w consumer.Writer) error { return w.DeleteApplication(ctx, "one", version) },
		"delete plan":        func(ctx context.Context, w consumer.Writer) error { return w.DeletePlan(ctx, "one", version) },
	}
}

// oneOfEach writes one of each thing, called "one".
func oneOfEach(t *testing.T, l consumer.Ledger) {
	t.Helper()
	consumers(t, l, "one")
	ctx := t.Context()
	change(t, l, func(w consumer.Writer) error {
		return errors.Join(w.InsertApplication(ctx, &consumer.Application{Name: "one"}), w.InsertPlan(ctx, &consumer.Plan{Name: "one"}),
			w.InsertGrant(ctx, &consumer.Grant{ID: "one", Application: "one", Consumer: "one"}))
	})
}

func lostUpdate(t *testing.T, l consumer.Ledger) {
	oneOfEach(t, l)
	for name, write := range versioned(7) {
		_, err := l.Change(t.Context(), author, func(w consumer.Writer) error { return write(t.Context(), w) })
		wantErr(t, name+" from a version that is not the last", err, consumer.ErrVersion)
	}
	first := view(t, l, func(ctx context.Context, r consumer.Reader) (*consumer.Record, error) { return r.Consumer(ctx, "one") })
	second := *first
	first.DisplayName, second.DisplayName = "first", "second"
	change(t, l, func(w consumer.Writer) error { return w.UpdateConsumer(t.Context(), first) })
	if first.Version != 2 {
		t.Errorf("an update left version %d; want 2", first.Version)
	}
	_, err := l.Change(t.Context(), author, func(w consumer.Writer) error { return w.UpdateConsumer(t.Context(), &second) })
	wantErr(t, "the second update from one version", err, consumer.ErrVersion)
	second.Version = 0
	change(t, l, func(w consumer.Writer) error { return w.UpdateConsumer(t.Context(), &second) })
	if second.Version != 3 {
		t.Errorf("an update from any version left version %d; want 3", second.Version)
	}
}

func nothingThere(t *testing.T, l consumer.Ledger) {
	for name, write := range versioned(0) {
		_, err := l.Change(t.Context(), author, func(w consumer.Writer) error { return write(t.Context(), w) })
		wantErr(t, name+" of none", err, consumer.ErrNotFound)
	}
	for name, read := range map[string]func(context.Context, consumer.Reader) (any, error){
		"consumer":    func(ctx context.Context, r consumer.Reader) (any, error) { return r.Consumer(ctx, "one\x00") },
		"credential":  func(ctx context.Context, r consumer.Reader) (any, error) { return r.Credential(ctx, "\xff") },
		"application": func(ctx context.Context, r consumer.Reader) (any, error) { return r.Application(ctx, "' OR 1=1 --") },
		"grant":       func(ctx context.Context, r consumer.Reader) (any, error) { return r.Grant(ctx, "%") },
		"plan":        func(ctx context.Context, r consumer.Reader) (any, error) { return r.Plan(ctx, "") },
		"remembered":  func(ctx context.Context, r consumer.Reader) (any, error) { return r.Remembered(ctx, "one") },
	} {
		_, err := tryView(t, l, read)
		wantErr(t, name, err, consumer.ErrNotFound)
	}
	_, err := l.Change(t.Context(), author, func(w consumer.Writer) error { return w.InsertCredential(t.Context(), key("nobody", "x")) })
	wantErr(t, "a credential of no consumer", err, consumer.ErrNotFound)
	_, err = l.Change(t.Context(), author, func(w consumer.Writer) error {
		return w.InsertGrant(t.Context(), &consumer.Grant{ID: "x", Application: "none"})
	})
	wantErr(t, "a grant of no application", err, consumer.ErrNotFound)
}

// namesOnce also checks that a writer may go on after a name was taken.
func namesOnce(t *testing.T, l consumer.Ledger) {
	oneOfEach(t, l)
	ctx := t.Context()
	change(t, l, func(w consumer.Writer) error {
		wantErr(t, "consumer", w.InsertConsumer(ctx, record("ONE")), consumer.ErrExists)
		wantErr(t, "application", w.InsertApplication(ctx, &consumer.Application{Name: "One"}), consumer.ErrExists)
		wantErr(t, "plan", w.InsertPlan(ctx, &consumer.Plan{Name: "onE"}), consumer.ErrExists)
		wantErr(t, "grant", w.InsertGrant(ctx, &consumer.Grant{ID: "one", Application: "one"}), consumer.ErrExists)
		taken := key("one", "one")
		taken.Reference = APIKey("another")
		wantErr(t, "credential", w.InsertCredential(ctx, taken), consumer.ErrExists)
		return w.InsertConsumer(ctx, record("two"))
	})
	if _, err := l.Find(ctx, consumer.NameReference("two")); err != nil {
		t.Errorf("what was written after a name was taken: %v", err)
	}
}

func referencesOnce(t *testing.T, l consumer.Ledger) {
	consumers(t, l, "one", "two")
	ctx := t.Context()
	for _, c := range Records()[0].Credentials {
		change(t, l, func(w consumer.Writer) error {
			first := &consumer.CredentialRecord{Credential: c.Credential, Consumer: "one", Reference: c.Reference}
			second := &consumer.CredentialRecord{Credential: c.Credential, Consumer: "two", Reference: c.Reference}
			second.ID += "-again"
			if err := w.InsertCredential(ctx, first); err != nil {
				return err
			}
			wantErr(t, c.ID, w.InsertCredential(ctx, second), consumer.ErrExists)
			return nil
		})
	}
}

func deletesCascade(t *testing.T, l consumer.Ledger) {
	consumers(t, l, "One", "two")
	change(t, l, func(w consumer.Writer) error { return w.DeleteConsumer(t.Context(), "one", 1) })
	unknown(t, l, APIKey("One"))
	unknown(t, l, consumer.NameReference("one"))
	if _, err := l.Find(t.Context(), APIKey("two")); err != nil {
		t.Errorf("another's key: %v", err)
	}
	consumers(t, l, "One") // name, id and reference are free again
	change(t, l, func(w consumer.Writer) error { return w.DeleteCredential(t.Context(), "One", 0) })
	unknown(t, l, APIKey("One"))
}

func staysRevoked(t *testing.T, l consumer.Ledger) {
	consumers(t, l, "one")
	c := credentialOf(t, l, "one")
	c.RevokedAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	change(t, l, func(w consumer.Writer) error { return w.UpdateCredential(t.Context(), c) })
	revoked := c.RevokedAt
	c.RevokedAt, c.Enabled, c.Label = time.Time{}, true, "again"
	change(t, l, func(w consumer.Writer) error { return w.UpdateCredential(t.Context(), c) })
	if got := credentialOf(t, l, "one"); !got.RevokedAt.Equal(revoked) || got.Label != "again" {
		t.Errorf("an update left it revoked at %s with label %q", got.RevokedAt, got.Label)
	}
	found, err := l.Find(t.Context(), APIKey("one"))
	if err != nil || found.Credential.Enabled {
		t.Errorf("a revoked key is found as %+v, %v; want one that is not enabled", found, err)
	}
}
