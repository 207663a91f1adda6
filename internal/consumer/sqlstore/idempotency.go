package sqlstore

import (
	"context"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// Remembered implements consumer.Reader.
func (r *reader) Remembered(ctx context.Context, key string) (*consumer.Remembered, error) {
	var (
		m               = consumer.Remembered{Key: key}
		sealed          []byte
		pepper, expires int64
	)
	found, err := r.one(ctx, []any{&m.Request, &sealed, &pepper, &expires},
		"SELECT request, sealed, pepper, expires_at FROM idempotency WHERE id = $1 AND expires_at > $2", key, micros(r.now))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &consumer.Outcome{Kind: "idempotency key", Name: key, Err: consumer.ErrNotFound}
	}
	plain, err := r.vault.open(answerPlace(key), pepper, sealed)
	if err != nil {
		return nil, err
	}
	m.Response, m.ExpiresAt = access.NewSecret(string(plain)), fromMicros(expires)
	return &m, nil
}

// Remember implements consumer.Writer. By itself it is no change: nobody
// follows it.
func (w *writer) Remember(ctx context.Context, m *consumer.Remembered) error {
	if _, err := w.exec(ctx, "DELETE FROM idempotency WHERE expires_at <= $1", micros(w.now)); err != nil {
		return err
	}
	sealed, err := w.vault.seal(answerPlace(m.Key), m.Response.Reveal())
	if err != nil {
		return err
	}
	n, err := w.exec(ctx, "INSERT INTO idempotency (id, request, sealed, pepper, expires_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		m.Key, m.Request, sealed, w.vault.newest().id, micros(m.ExpiresAt))
	return inserted(n, err, "idempotency key", m.Key)
}

func answerPlace(key string) string { return "answer\x00" + key }
