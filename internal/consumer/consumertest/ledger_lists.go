package consumertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// walk reads a list in pages of seven.
func walk[V any](t *testing.T, l consumer.Ledger, name func(V) string, read func(context.Context, consumer.Reader, consumer.Page) ([]V, error)) []string {
	t.Helper()
	var all []string
	page := consumer.Page{Limit: 7}
	for {
		part := view(t, l, func(ctx context.Context, r consumer.Reader) ([]V, error) { return read(ctx, r, page) })
		for _, v := range part {
			all = append(all, name(v))
		}
		if len(part) > page.Limit {
			t.Fatalf("a page of %d has %d", page.Limit, len(part))
		}
		if len(part) < page.Limit {
			return all
		}
		page.After = all[len(all)-1]
	}
}

func pages(t *testing.T, l consumer.Ledger) {
	want := append(names("B", 10), names("a", 11)...)
	consumers(t, l, want...)
	ctx := t.Context()
	change(t, l, func(w consumer.Writer) error {
		for _, name := range want {
			if err := errors.Join(w.InsertApplication(ctx, &consumer.Application{Name: name}), w.InsertPlan(ctx, &consumer.Plan{Name: name}),
				w.InsertGrant(ctx, &consumer.Grant{ID: name, Application: want[0], Consumer: name})); err != nil {
				return err
			}
		}
		return nil
	})
	byID := want
	byName := append(slices.Clone(want[10:]), want[:10]...) // in lower case a comes before b
	same(t, "consumers", byName, walk(t, l, func(r *consumer.Record) string { return r.Name }, func(ctx context.Context, r consumer.Reader, p consumer.Page) ([]*consumer.Record, error) {
		return r.Consumers(ctx, consumer.ConsumerQuery{Page: p})
	}))
	same(t, "credentials", byID, walk(t, l, func(c *consumer.CredentialRecord) string { return c.ID }, func(ctx context.Context, r consumer.Reader, p consumer.Page) ([]*consumer.CredentialRecord, error) {
		return r.Credentials(ctx, consumer.CredentialQuery{Page: p})
	}))
	same(t, "applications", byName, walk(t, l, func(a *consumer.Application) string { return a.Name }, func(ctx context.Context, r consumer.Reader, p consumer.Page) ([]*consumer.Application, error) {
		return r.Applications(ctx, p)
	}))
	same(t, "plans", byName, walk(t, l, func(p *consumer.Plan) string { return p.Name }, func(ctx context.Context, r consumer.Reader, p consumer.Page) ([]*consumer.Plan, error) {
		return r.Plans(ctx, p)
	}))
	same(t, "grants", byID, walk(t, l, func(g *consumer.Grant) string { return g.ID }, func(ctx context.Context, r consumer.Reader, p consumer.Page) ([]*consumer.Grant, error) {
		return r.Grants(ctx, want[0], p)
	}))
	if other := view(t, l, func(ctx context.Context, r consumer.Reader) ([]*consumer.Grant, error) {
		return r.Grants(ctx, want[1], consumer.Page{Limit: 10})
	}); len(other) != 0 {
		t.Errorf("an application without grants has %d", len(other))
	}
}

func selects(t *testing.T, l consumer.Ledger) {
	day := func(n int) time.Time { return time.Date(2030, 1, n, 0, 0, 0, 0, time.UTC) }
	ctx := t.Context()
	change(t, l, func(w consumer.Writer) error {
		for i, name := range []string{"Alpha", "alps", "beta"} {
			r := record(name)
			r.Environment, r.Plan = []string{"prod", "dev", "prod"}[i], []string{"Gold", "", "gold"}[i]
			r.Labels = map[string]string{"team": fmt.Sprint("t", i)}
			c := key(name, "k"+strconv.Itoa(i))
			c.Label, c.Prefix = "label-"+strconv.Itoa(i), "pk_"+[]string{"live", "live", "test"}[i]
			c.ExpiresAt = day(i + 1)
			if i == 1 {
				c.RevokedAt = day(1)
			}
			if err := errors.Join(w.InsertConsumer(ctx, r), w.InsertCredential(ctx, c)); err != nil {
				return err
			}
		}
		jwt := &consumer.CredentialRecord{Credential: access.Credential{ID: "k9", Kind: access.KindJWT}, Consumer: "beta", Reference: consumer.Reference{Kind: access.KindJWT, Value: "app"}}
		return w.InsertCredential(ctx, jwt)
	})
	for _, c := range []struct {
		query consumer.ConsumerQuery
		want  []string
	}{
		{consumer.ConsumerQuery{Environment: "prod"}, []string{"Alpha", "beta"}},
		{consumer.ConsumerQuery{Prefix: "aLp"}, []string{"Alpha", "alps"}},
		{consumer.ConsumerQuery{Prefix: "%"}, nil},
		{consumer.ConsumerQuery{Label: "team"}, []string{"Alpha", "alps", "beta"}},
		{consumer.ConsumerQuery{Label: "team=t1"}, []string{"alps"}},
		{consumer.ConsumerQuery{Label: "team="}, nil},
		{consumer.ConsumerQuery{Plan: "GOLD"}, []string{"Alpha", "beta"}},
		{consumer.ConsumerQuery{Prefix: "a", Environment: "dev", Label: "team=t1"}, []string{"alps"}},
	} {
		c.query.Limit = 100
		var got []string
		for _, r := range view(t, l, func(ctx context.Context, r consumer.Reader) ([]*consumer.Record, error) {
			return r.Consumers(ctx, c.query)
		}) {
			got = append(got, r.Name)
		}
		same(t, fmt.Sprintf("%+v", c.query), c.want, got)
	}
	selectsCredentials(t, l, day)
}

func selectsCredentials(t *testing.T, l consumer.Ledger, day func(int) time.Time) {
	for _, c := range []struct {
		query consumer.CredentialQuery
		want  []string
	}{
		{consumer.CredentialQuery{Consumer: "ALPHA"}, []string{"k0"}},
		{consumer.CredentialQuery{Prefix: "pk_live"}, []string{"k0", "k1"}},
		{consumer.CredentialQuery{Prefix: "pk_"}, []string{"k0", "k1", "k2"}},
		{consumer.CredentialQuery{Prefix: "pk%"}, nil},
		{consumer.CredentialQuery{Label: "label-2"}, []string{"k2"}},
		{consumer.CredentialQuery{Kind: "jwt"}, []string{"k9"}},
		{consumer.CredentialQuery{ExpiresBefore: day(3)}, []string{"k0"}},
		{consumer.CredentialQuery{ExpiresBefore: day(4)}, []string{"k0", "k2"}},
		{consumer.CredentialQuery{UnusedSince: day(1)}, []string{"k0", "k2", "k9"}},
		{consumer.CredentialQuery{UnusedSince: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)}, nil},
	} {
		c.query.Limit = 100
		var got []string
		for _, r := range view(t, l, func(ctx context.Context, r consumer.Reader) ([]*consumer.CredentialRecord, error) {
			return r.Credentials(ctx, c.query)
		}) {
			got = append(got, r.ID)
		}
		same(t, fmt.Sprintf("%+v", c.query), c.want, got)
	}
}

// naughty are texts that stores have stumbled over.
var naughty = []string{
	`'; DROP TABLE consumers; --`, `" OR ""="`, `\'; SELECT 1`, `%_[a]*?`, `$1 ?1 :name @p {{x}} ${x}`, `NULL`, `true`, `1e400`, `-0`, ` lead and trail `,
	"tab\tand\nline\r\n", "zero\u0000inside", "\u200b\u202e\ufeff", "Z̶͎̾a̸l̵g̶o", "İıſK", "田中さん", "👩‍👩‍👧‍👦", `<script>&amp;</script>`, `../../etc/passwd`, `{"a":1}`, `a\u0000b`,
}

func keepsTexts(t *testing.T, l consumer.Ledger) {
	ctx := t.Context()
	for i, text := range naughty {
		r := record(fmt.Sprintf("n%02d", i))
		r.DisplayName, r.Groups, r.Roles = text, []string{text}, []string{text, "x"}
		r.Attributes = map[string]any{text: []any{text, 1, 1.5, nil, map[string]any{"deep": text}}}
		c := key(r.Name, r.Name)
		c.RevokedReason, c.Scopes = text, []string{text}
		p := &consumer.Plan{Name: r.Name, DisplayName: text}
		a := &consumer.Application{Name: r.Name, DisplayName: text, Owner: text, Labels: map[string]string{"l": text}}
		note := &consumer.AuditRecord{Action: "create", Kind: "consumer", Target: r.Name, Before: text, After: text, Reason: text}
		change(t, l, func(w consumer.Writer) error {
			return errors.Join(w.InsertConsumer(ctx, r), w.InsertCredential(ctx, c), w.InsertPlan(ctx, p), w.InsertApplication(ctx, a), w.Note(ctx, note))
		})
		c.Reference.Value = ""
		same(t, "consumer", r, view(t, l, func(ctx context.Context, v consumer.Reader) (*consumer.Record, error) { return v.Consumer(ctx, r.Name) }))
		same(t, "credential", c, credentialOf(t, l, c.ID))
		same(t, "plan", p, view(t, l, func(ctx context.Context, v consumer.Reader) (*consumer.Plan, error) { return v.Plan(ctx, r.Name) }))
		same(t, "application", a, view(t, l, func(ctx context.Context, v consumer.Reader) (*consumer.Application, error) {
			return v.Application(ctx, r.Name)
		}))
		same(t, "audit", []*consumer.AuditRecord{note}, auditOf(t, l, r.Name))
	}
}
