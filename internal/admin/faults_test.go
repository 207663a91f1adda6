package admin_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/consumer"
)

// broken is a ledger that fails when it is told to.
type broken struct {
	consumer.Ledger
	err atomic.Pointer[error]
}

func (b *broken) fail(err error) { b.err.Store(&err) }

func (b *broken) View(ctx context.Context, read func(consumer.Reader) error) error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return b.Ledger.View(ctx, read)
}

func (b *broken) Change(ctx context.Context, by consumer.Author, write func(consumer.Writer) error) (consumer.Sequence, error) {
	if err := b.err.Load(); err != nil {
		return 0, *err
	}
	return b.Ledger.Change(ctx, by, write)
}

func TestStoreFaults(t *testing.T) {
	b := &broken{}
	h := openOn(t, func(l consumer.Ledger) consumer.Ledger {
		b.Ledger = l
		return b
	})
	b.fail(consumer.ErrFull)
	h.refused(507, "store_full", "POST", "/v1/consumers", `{"name":"app"}`)
	b.fail(consumer.ErrUnavailable)
	if got := h.refused(503, "unavailable", "GET", "/v1/consumers/app", ""); got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	h.refused(503, "unavailable", "POST", "/v1/consumers", `{"name":"app"}`, header("Idempotency-Key", "k"))
	b.fail(errors.New("open /var/lib/postern.db: inside story"))
	got := h.refused(500, "internal", "GET", "/v1/consumers/app", "")
	if strings.Contains(got.body, "inside story") || !strings.Contains(h.log.String(), "inside story") {
		t.Errorf("the client is told %s, the log %s", got.body, h.log.String())
	}
}

func TestPanicsAreAnswered(t *testing.T) {
	h := openOn(t, func(l consumer.Ledger) consumer.Ledger { return panicky{l} })
	h.refused(500, "internal", "GET", "/v1/consumers/app", "")
	if log := h.log.String(); strings.Contains(log, "a value with secrets") || !strings.Contains(log, "panicked") {
		t.Errorf("the log: %s", log)
	}
}

type panicky struct{ consumer.Ledger }

func (panicky) View(context.Context, func(consumer.Reader) error) error {
	panic("a value with secrets")
}

func TestWithoutImport(t *testing.T) {
	h := open(t, func(o *admin.Options) { o.Import = nil })
	h.refused(503, "unavailable", "POST", "/v1/import", `{"document":"x"}`)
	h.refused(503, "unavailable", "GET", "/v1/export", "")
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := admin.New(admin.Options{}); err == nil {
		t.Error("an API over nothing was made")
	}
	open(t, func(o *admin.Options) {
		o.PageKey = []byte("short")
		if _, err := admin.New(*o); err == nil {
			t.Error("a short page key was taken")
		}
		o.PageKey = make([]byte, 32)
		o.Random = nil
	})
}
