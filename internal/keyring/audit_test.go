package keyring_test

import (
	"context"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
)

// forger is a ledger whose audit records somebody has changed.
type forger struct {
	consumer.Ledger
	forge func([]*consumer.AuditRecord) []*consumer.AuditRecord
}

func (f forger) View(ctx context.Context, read func(consumer.Reader) error) error {
	return f.Ledger.View(ctx, func(r consumer.Reader) error { return read(forged{r, f.forge}) })
}

type forged struct {
	consumer.Reader
	forge func([]*consumer.AuditRecord) []*consumer.AuditRecord
}

func (f forged) Audit(ctx context.Context, after int64, limit int, target string) ([]*consumer.AuditRecord, error) {
	records, err := f.Reader.Audit(ctx, after, limit, target)
	return f.forge(records), err
}

func TestABrokenAuditChainIsToldWithItsPlace(t *testing.T) {
	h := open(t)
	for _, name := range []string{"a", "b", "c"} {
		h.app(t, name)
	}
	type records = []*consumer.AuditRecord
	for name, c := range map[string]struct {
		forge  func(records) records
		broken int64
	}{
		"whole":       {func(r records) records { return r }, 0},
		"changed":     {func(r records) records { r[1].After = "{}"; return r }, 2},
		"rehashed":    {func(r records) records { r[1].After = "{}"; r[1].Hash = r[1].Sum(); return r }, 3},
		"taken out":   {func(r records) records { return slices.Delete(r, 1, 2) }, 2},
		"put in":      {func(r records) records { return slices.Insert(r, 1, r[0]) }, 2},
		"by another":  {func(r records) records { r[2].Author.Name = "x"; return r }, 3},
		"cut off":     {func(r records) records { return r[:len(r)-1] }, 3},
		"all cut off": {func(r records) records { return nil }, 1},
		"first taken": {func(r records) records { return r[1:] }, 1},
	} {
		keys, err := keyring.New(forger{h.ledger, c.forge}, keyring.Options{Now: h.clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		v, err := keys.VerifyAudit(t.Context())
		if err != nil || v.Broken != c.broken || (v.Problem == "") != (c.broken == 0) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}
