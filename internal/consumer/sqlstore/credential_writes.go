package sqlstore

import (
	"context"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// InsertCredential implements consumer.Writer.
func (w *writer) InsertCredential(ctx context.Context, c *consumer.CredentialRecord) error {
	owner, err := w.owner(ctx, c.Consumer)
	if err != nil {
		return err
	}
	// Under one pepper alone the index tells a reference that is taken.
	if len(w.vault.lookups(c.Reference)) > 1 {
		if err := w.free(ctx, c); err != nil {
			return err
		}
	}
	kept, err := w.vault.keep(c)
	if err != nil {
		return err
	}
	doc, err := writeCredentialDoc(c)
	if err != nil {
		return err
	}
	stamp := w.stamp()
	n, err := w.exec(ctx, `INSERT INTO credentials (id, consumer, kind, label, prefix, issuer, value, lookup, pepper, sealed, enabled,
			expires_at, revoked_at, last_used_at, doc, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT DO NOTHING`,
		c.ID, fold(owner), string(c.Kind), c.Label, c.Prefix, c.Reference.Issuer, shown(c), kept.lookup, kept.pepper, kept.sealed, c.Enabled,
		micros(c.ExpiresAt), micros(c.RevokedAt), micros(c.LastUsedAt), doc, stamp.Version, micros(stamp.CreatedAt), micros(stamp.UpdatedAt))
	if err == nil && n == 0 {
		err = w.free(ctx, c)
	}
	if err := inserted(n, err, "credential", c.ID); err != nil {
		return err
	}
	c.Consumer, c.Stamp = owner, stamp
	w.touch(owner)
	return nil
}

// owner is the name of a consumer as it was made.
func (w *writer) owner(ctx context.Context, name string) (string, error) {
	if _, here := w.touched[name]; here && !w.deleted {
		return name, nil
	}
	var stored string
	found, err := w.one(ctx, []any{&stored}, "SELECT name FROM consumers WHERE folded = $1", fold(name))
	if err == nil && !found {
		err = &consumer.Outcome{Kind: "consumer", Name: name, Err: consumer.ErrNotFound}
	}
	return stored, err
}

// free reports a reference that another credential has, under any pepper.
func (w *writer) free(ctx context.Context, c *consumer.CredentialRecord) error {
	lookups := w.vault.lookups(c.Reference)
	var id string
	found, err := w.one(ctx, []any{&id}, "SELECT k.id FROM credentials k WHERE k.lookup IN ("+places(len(lookups))+")", anys(lookups)...)
	if err == nil && found {
		err = taken(c)
	}
	return err
}

// taken says so of a reference, by what of it may be shown.
func taken(c *consumer.CredentialRecord) error {
	if c.Reference.Kind == access.KindAPIKey {
		return &consumer.Outcome{Kind: "key", Err: consumer.ErrExists}
	}
	return &consumer.Outcome{Kind: "reference", Name: shown(c), Err: consumer.ErrExists}
}

// shown is the part of a reference that may be read: that of an API key comes
// from the key alone, so it may not.
func shown(c *consumer.CredentialRecord) string {
	if c.Reference.Kind == access.KindAPIKey {
		return ""
	}
	return c.Reference.Value
}

// UpdateCredential implements consumer.Writer. Nothing undoes a revocation.
func (w *writer) UpdateCredential(ctx context.Context, c *consumer.CredentialRecord) error {
	doc, err := writeCredentialDoc(c)
	if err != nil {
		return err
	}
	stamp := w.stamp()
	var owner string
	var created int64
	found, err := w.one(ctx, []any{&owner, &stamp.Version, &created},
		`UPDATE credentials SET label = $1, prefix = $2, enabled = $3, expires_at = $4, doc = $5, updated_at = $6, version = version + 1,
			revoked_at = CASE WHEN revoked_at > 0 THEN revoked_at ELSE $7 END
		WHERE id = $8 AND (version = $9 OR $9 = 0) RETURNING consumer, version, created_at`,
		c.Label, c.Prefix, c.Enabled, micros(c.ExpiresAt), doc, micros(stamp.UpdatedAt), micros(c.RevokedAt), c.ID, c.Version)
	if err != nil {
		return err
	}
	if !found {
		return w.same(ctx, "credentials", "id", "credential", c.ID, c.ID)
	}
	stamp.CreatedAt = fromMicros(created)
	c.Stamp = stamp
	return w.touchOwner(ctx, owner)
}

// DeleteCredential implements consumer.Writer.
func (w *writer) DeleteCredential(ctx context.Context, id string, version int64) error {
	var owner string
	found, err := w.one(ctx, []any{&owner},
		"DELETE FROM credentials WHERE id = $1 AND (version = $2 OR $2 = 0) RETURNING consumer", id, version)
	if err != nil {
		return err
	}
	if !found {
		return w.same(ctx, "credentials", "id", "credential", id, id)
	}
	return w.touchOwner(ctx, owner)
}

func (w *writer) touchOwner(ctx context.Context, folded string) error {
	name, err := w.owner(ctx, folded)
	if err == nil {
		w.touch(name)
	}
	return err
}
