package keyring_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/keyring"
)

func TestConsumerLife(t *testing.T) {
	h, ctx := open(t), t.Context()
	made, first, err := h.CreateConsumer(ctx, ops, rules.Consumer{
		Name: "Shop", Environment: "prod", Groups: []string{"premium"}, Attributes: map[string]any{"region": "kr"},
		Constraints: &rules.Constraints{Addresses: []string{"203.0.113.0/24"}, Methods: []string{"GET"}},
	})
	if err != nil || first < 1 || made.Version != 1 || !made.Enabled {
		t.Fatalf("%+v, %d, %v", made, first, err)
	}
	if _, _, err := h.CreateConsumer(ctx, ops, rules.Consumer{Name: "SHOP"}); !errors.Is(err, consumer.ErrExists) {
		t.Errorf("the same name in another case: %v", err)
	}
	rename := func(c *rules.Consumer) error {
		c.DisplayName = "Shop app"
		c.Name = "other"
		return nil
	}
	now, second, err := h.UpdateConsumer(ctx, ops, "shop", 1, rename)
	if err != nil || now.Version != 2 || now.DisplayName != "Shop app" || now.Name != "Shop" || second <= first {
		t.Fatalf("%+v, %d, %v", now, second, err)
	}
	if diff := cmp.Diff(made.Constraints, now.Constraints, cmp.Comparer(func(a, b *access.Constraints) bool {
		return a.Addresses[0] == b.Addresses[0] && cmp.Equal(a.Methods, b.Methods)
	})); diff != "" {
		t.Error(diff)
	}
	if again, third, err := h.UpdateConsumer(ctx, ops, "shop", 2, rename); err != nil || again.Version != 2 || third != second {
		t.Errorf("an update that changes nothing: version %d, sequence %d, %v", again.Version, third, err)
	}
	if _, _, err := h.UpdateConsumer(ctx, ops, "shop", 1, rename); !errors.Is(err, consumer.ErrVersion) {
		t.Errorf("a lost update: %v", err)
	}
	if off, _, err := h.DisableConsumer(ctx, ops, "shop", 0); err != nil || off.Enabled {
		t.Errorf("disabled: %+v, %v", off, err)
	}
	if on, _, err := h.EnableConsumer(ctx, ops, "shop", 0); err != nil || !on.Enabled {
		t.Errorf("enabled: %+v, %v", on, err)
	}
	key := h.key(t, "shop", rules.Credential{})
	if _, err := h.DeleteConsumer(ctx, ops, "shop", 1); !errors.Is(err, consumer.ErrVersion) {
		t.Errorf("deleting an old version: %v", err)
	}
	if _, err := h.DeleteConsumer(ctx, ops, "shop", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ledger.Find(ctx, rules.KeyReference(key.Key)); !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("its key: %v", err)
	}
	var actions []string
	for _, a := range audit(t, h) {
		actions = append(actions, a.Action+" "+a.Kind)
	}
	if want := []string{"create consumer", "update consumer", "disable consumer", "enable consumer", "create credential", "delete consumer"}; !cmp.Equal(actions, want) {
		t.Errorf("noted %q", actions)
	}
}

func audit(t *testing.T, h *house) []*consumer.AuditRecord {
	t.Helper()
	records, err := h.Audit(t.Context(), 0, 1000, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range records {
		for _, text := range []string{a.Before, a.After} {
			if text != "" && !json.Valid([]byte(text)) {
				t.Errorf("record %d has %q", a.Number, text)
			}
		}
		if a.Author != ops {
			t.Errorf("record %d is of %+v", a.Number, a.Author)
		}
	}
	return records
}

func TestEnvironmentStaysWithItsKeys(t *testing.T) {
	h := open(t)
	h.app(t, "a")
	move := func(c *rules.Consumer) error {
		c.Environment = "dev"
		return nil
	}
	if _, _, err := h.UpdateConsumer(t.Context(), ops, "a", 0, move); err != nil {
		t.Fatalf("without credentials: %v", err)
	}
	h.key(t, "a", rules.Credential{})
	move = func(c *rules.Consumer) error {
		c.Environment = "prod"
		return nil
	}
	if _, _, err := h.UpdateConsumer(t.Context(), ops, "a", 0, move); !errors.Is(err, keyring.ErrState) {
		t.Errorf("with credentials: %v", err)
	}
}

func TestInvalidNamesEveryField(t *testing.T) {
	h := open(t)
	_, _, err := h.CreateConsumer(t.Context(), ops, rules.Consumer{Name: "a b", Environment: "Prod", Roles: []string{"a,b"}, Plan: "gold"})
	var invalid *keyring.Invalid
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	var fields []string
	for _, p := range invalid.Problems {
		fields = append(fields, p.Field)
	}
	if want := []string{"name", "environment", "roles[0]", "plan"}; !cmp.Equal(fields, want) {
		t.Errorf("fields %q, want %q", fields, want)
	}
}

func TestWhatFilesDeclareIsNotChanged(t *testing.T) {
	h := open(t, func(o *keyring.Options) {
		o.Declared = func(name string) bool { return strings.EqualFold(name, "declared") }
	})
	h.app(t, "free")
	key := h.key(t, "free", rules.Credential{})
	ctx := context.Background()
	for name, do := range map[string]func() error{
		"create": func() error {
			_, _, err := h.CreateConsumer(ctx, ops, rules.Consumer{Name: "Declared"})
			return err
		},
		"update": func() error { _, _, err := h.UpdateConsumer(ctx, ops, "DECLARED", 0, nil); return err },
		"delete": func() error { _, err := h.DeleteConsumer(ctx, ops, "declared", 0); return err },
		"key": func() error {
			_, err := h.CreateCredential(ctx, ops, "declared", rules.Credential{Kind: access.KindAPIKey})
			return err
		},
	} {
		if err := do(); !errors.Is(err, keyring.ErrDeclared) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.Rotate(ctx, ops, key.ID, keyring.Rotation{}); err != nil {
		t.Errorf("another consumer's key: %v", err)
	}
}

func TestAnErrorOfAlsoUndoesAll(t *testing.T) {
	h := open(t)
	failed := errors.New("no")
	var seen any
	with := h.Also(func(_ context.Context, _ consumer.Writer, made any) error {
		seen = made
		return failed
	})
	if _, _, err := with.CreateConsumer(t.Context(), ops, rules.Consumer{Name: "a"}); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if r, ok := seen.(*consumer.Record); !ok || r.Name != "a" {
		t.Errorf("it was handed %+v", seen)
	}
	if _, err := h.Consumer(t.Context(), "a"); !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("the consumer is there: %v", err)
	}
}

func TestAChangeWaitsForThisProcess(t *testing.T) {
	var applied []consumer.Sequence
	h := open(t, func(o *keyring.Options) {
		o.Applied = func(_ context.Context, upto consumer.Sequence) error {
			applied = append(applied, upto)
			return nil
		}
	})
	_, upto, err := h.CreateConsumer(t.Context(), ops, rules.Consumer{Name: "a"})
	if err != nil || len(applied) != 1 || applied[0] != upto {
		t.Errorf("applied %v, sequence %d, %v", applied, upto, err)
	}
}
