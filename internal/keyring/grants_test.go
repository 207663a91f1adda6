package keyring_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/keyring"
)

func TestGrantLife(t *testing.T) {
	h, ctx := open(t), t.Context()
	if _, _, err := h.CreateApplication(ctx, ops, "mobile", keyring.ApplicationChange{DisplayName: "Mobile"}); err != nil {
		t.Fatal(err)
	}
	granted, err := h.CreateGrant(ctx, ops, "mobile", keyring.NewGrant{API: "orders", Environment: "prod", Roles: []string{"reader"}, Scopes: []string{"orders:read"}})
	if err != nil {
		t.Fatal(err)
	}
	name := "mobile-prod-" + granted.ID
	if !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(granted.ID) || granted.Consumer.Name != name || granted.Grant.Consumer != name || granted.Consumer.Grant != granted.ID {
		t.Errorf("%+v, %+v", granted.Grant, granted.Consumer)
	}
	found, err := h.ledger.Find(ctx, rules.KeyReference(granted.Issued.Key))
	if err != nil || found.Consumer.Name != name || found.Consumer.Environment != "prod" || found.Credential.Scopes[0] != "orders:read" || !h.counts(t, granted.Issued.Key) {
		t.Errorf("its key finds %+v, %v", found, err)
	}
	for what, err := range map[string]error{
		"deleting its consumer":    second(h.DeleteConsumer(ctx, ops, name, 0)),
		"moving its consumer":      third(h.UpdateConsumer(ctx, ops, name, 0, func(c *rules.Consumer) error { c.Environment = "dev"; return nil })),
		"deleting the application": second(h.DeleteApplication(ctx, ops, "mobile", 0, false)),
	} {
		if !errors.Is(err, keyring.ErrState) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := h.DeleteGrant(ctx, ops, "other", granted.ID, 0); !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("as another application's: %v", err)
	}
	if _, err := h.DeleteGrant(ctx, ops, "Mobile", granted.ID, 0); err != nil {
		t.Fatal(err)
	}
	h.isGone(t, granted)
}

func (h *house) isGone(t *testing.T, granted *keyring.Granted) {
	t.Helper()
	_, err1 := h.ledger.Find(t.Context(), rules.KeyReference(granted.Issued.Key))
	_, err2 := h.Consumer(t.Context(), granted.Consumer.Name)
	_, err3 := h.Grant(t.Context(), "", granted.ID)
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, consumer.ErrNotFound) {
			t.Errorf("something stayed: %v", err)
		}
	}
}

func second[A any](_ A, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }

func TestDeletingAnApplicationWithItsGrants(t *testing.T) {
	h, ctx := open(t), t.Context()
	if _, _, err := h.CreateApplication(ctx, ops, "mobile", keyring.ApplicationChange{}); err != nil {
		t.Fatal(err)
	}
	var grants []*keyring.Granted
	for _, environment := range []string{"prod", "dev"} {
		granted, err := h.CreateGrant(ctx, ops, "mobile", keyring.NewGrant{API: "orders", Environment: environment})
		if err != nil {
			t.Fatal(err)
		}
		grants = append(grants, granted)
	}
	if _, err := h.DeleteApplication(ctx, ops, "mobile", 0, true); err != nil {
		t.Fatal(err)
	}
	for _, granted := range grants {
		h.isGone(t, granted)
	}
}

func TestGrantRefused(t *testing.T) {
	h, ctx := open(t), t.Context()
	if _, _, err := h.CreateApplication(ctx, ops, "mobile", keyring.ApplicationChange{}); err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]keyring.NewGrant{
		"no API":         {Environment: "prod"},
		"no environment": {API: "orders"},
		"a plan":         {API: "orders", Environment: "prod", Plan: "gold"},
		"a scope":        {API: "orders", Environment: "prod", Scopes: []string{"a b"}},
		"the past":       {API: "orders", Environment: "prod", ExpiresAt: start.Add(-time.Hour)},
	} {
		if _, err := h.CreateGrant(ctx, ops, "mobile", g); !errors.As(err, new(*keyring.Invalid)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.CreateGrant(ctx, ops, "other", keyring.NewGrant{API: "orders", Environment: "prod"}); !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("another application: %v", err)
	}
	if list, err := h.Consumers(ctx, consumer.ConsumerQuery{Page: consumer.Page{Limit: 10}}); err != nil || len(list) > 0 {
		t.Errorf("%d consumers stayed, %v", len(list), err)
	}
}

func TestApplicationAndPlan(t *testing.T) {
	h, ctx := open(t), t.Context()
	_, _, err := h.CreateApplication(ctx, ops, strings.Repeat("a", 65), keyring.ApplicationChange{Owner: "a\nb", Labels: map[string]string{"a b": ""}})
	var invalid *keyring.Invalid
	if !errors.As(err, &invalid) || len(invalid.Problems) != 3 {
		t.Errorf("got %v", err)
	}
	if _, _, err := h.CreateApplication(ctx, ops, "a", keyring.ApplicationChange{}); err != nil {
		t.Fatal(err)
	}
	a, _, err := h.UpdateApplication(ctx, ops, "A", 1, func(c *keyring.ApplicationChange) error { c.Owner = "team"; return nil })
	if err != nil || a.Owner != "team" || a.Version != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	_, _, err = h.CreatePlan(ctx, ops, "gold", keyring.PlanChange{Rates: []consumer.Rate{{Count: 0, Period: time.Second}}, Quotas: []consumer.Quota{{Count: 1, Period: "fortnight"}}})
	if !errors.As(err, &invalid) || invalid.Problems[0].Field != "rates[0].count" || invalid.Problems[1].Field != "quotas[0].period" {
		t.Errorf("got %v", err)
	}
	if _, _, err := h.CreatePlan(ctx, ops, "gold", keyring.PlanChange{Rates: []consumer.Rate{{Count: 5, Period: time.Second, Burst: 10}}, Quotas: []consumer.Quota{{Count: 9, Period: "month", Hard: true}}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.CreateConsumer(ctx, ops, rules.Consumer{Name: "c", Plan: "gold"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DeletePlan(ctx, ops, "gold", 0); !errors.Is(err, keyring.ErrState) {
		t.Errorf("a plan that somebody is on: %v", err)
	}
	p, _, err := h.UpdatePlan(ctx, ops, "gold", 0, func(c *keyring.PlanChange) error { c.Rates[0].Count = 7; return nil })
	if err != nil || p.Rates[0].Count != 7 || !p.Quotas[0].Hard {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := h.DeleteConsumer(ctx, ops, "c", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DeletePlan(ctx, ops, "gold", 0); err != nil {
		t.Error(err)
	}
}

func TestAuditChain(t *testing.T) {
	h, ctx := open(t), t.Context()
	for _, name := range []string{"a", "b", "c"} {
		h.app(t, name)
	}
	v, err := h.VerifyAudit(ctx)
	if records := audit(t, h); err != nil || v.Records != 3 || v.Broken != 0 || v.Head != records[2].Hash {
		t.Errorf("%+v, %v", v, err)
	}
	if of, err := h.Audit(ctx, 0, 10, "b"); err != nil || len(of) != 1 || of[0].Target != "b" {
		t.Errorf("of one: %+v, %v", of, err)
	}
}

func TestWarnings(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	soon := h.key(t, "a", rules.Credential{ID: "soon", ExpiresAt: start.Add(95 * 24 * time.Hour)})
	h.key(t, "a", rules.Credential{ID: "ended", ExpiresAt: start.Add(time.Hour)})
	h.key(t, "a", rules.Credential{ID: "idle", Key: access.NewSecret(canary)})
	if _, _, err := h.Revoke(ctx, ops, h.key(t, "a", rules.Credential{}).ID, keyring.Revocation{}); err != nil {
		t.Fatal(err)
	}
	h.clock.pass(90 * 24 * time.Hour)
	h.key(t, "a", rules.Credential{ID: "young"})
	if err := h.ledger.Used(ctx, map[string]time.Time{soon.ID: h.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	list, err := h.Warnings(ctx, keyring.WarningQuery{ExpiresWithin: 30 * 24 * time.Hour, UnusedFor: 60 * 24 * time.Hour, Page: consumer.Page{Limit: 10}})
	if err != nil || len(list) != 2 || list[0].ID != "idle" || !list[0].Unused || list[0].Expiring || list[1].ID != "soon" || list[1].Unused || !list[1].Expiring {
		t.Errorf("%d warnings %+v, %v", len(list), list, err)
	}
	page, err := h.Warnings(ctx, keyring.WarningQuery{ExpiresWithin: 30 * 24 * time.Hour, UnusedFor: 60 * 24 * time.Hour, Page: consumer.Page{After: "idle", Limit: 1}})
	if err != nil || len(page) != 1 || page[0].ID != "soon" {
		t.Errorf("after the first: %+v, %v", page, err)
	}
	if _, err := h.Warnings(ctx, keyring.WarningQuery{ExpiresWithin: -1}); !errors.As(err, new(*keyring.Invalid)) {
		t.Errorf("nonsense: %v", err)
	}
}
