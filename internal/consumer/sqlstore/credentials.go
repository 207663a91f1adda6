package sqlstore

import (
	"context"
	"database/sql"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// credentialColumns are read by credentialRow, in this order.
const credentialColumns = "c.name, k.id, k.kind, k.label, k.prefix, k.issuer, k.value, k.enabled, k.expires_at, " +
	"k.revoked_at, k.last_used_at, k.doc, k.version, k.created_at, k.updated_at"

const fromCredentials = " FROM credentials k JOIN consumers c ON c.folded = k.consumer"

// credentialRow is a credential as its columns hold it, but for what is kept
// under a pepper.
type credentialRow struct {
	record                                   consumer.CredentialRecord
	doc                                      []byte
	expires, revoked, used, created, updated int64
}

func (r *credentialRow) columns() []any {
	c := &r.record
	return []any{
		&c.Consumer, &c.ID, &c.Kind, &c.Label, &c.Prefix, &c.Reference.Issuer, &c.Reference.Value, &c.Enabled, &r.expires,
		&r.revoked, &r.used, &r.doc, &c.Version, &r.created, &r.updated,
	}
}

func (r *credentialRow) read() (*consumer.CredentialRecord, error) {
	var doc credentialDoc
	if err := readDoc(r.doc, &doc); err != nil {
		return nil, err
	}
	c := &r.record
	c.Reference.Kind = c.Kind
	c.Scopes, c.Constraints, c.LastFour = doc.Scopes, readConstraints(doc.Constraints), doc.LastFour
	c.Algorithm, c.Algorithms, c.PublicKey = doc.Algorithm, doc.Algorithms, doc.PublicKey
	c.Replaces, c.ReplacedBy, c.RevokedReason = doc.Replaces, doc.ReplacedBy, doc.RevokedReason
	c.ExpiresAt, c.RevokedAt, c.LastUsedAt = fromMicros(r.expires), fromMicros(r.revoked), fromMicros(r.used)
	c.CreatedAt, c.UpdatedAt = fromMicros(r.created), fromMicros(r.updated)
	return c, nil
}

func writeCredentialDoc(c *consumer.CredentialRecord) (string, error) {
	return writeDoc(credentialDoc{
		Scopes: c.Scopes, Constraints: writeConstraints(c.Constraints), LastFour: c.LastFour,
		Algorithm: c.Algorithm, Algorithms: c.Algorithms, PublicKey: c.PublicKey,
		Replaces: c.Replaces, ReplacedBy: c.ReplacedBy, RevokedReason: c.RevokedReason,
	})
}

// Credential implements consumer.Reader.
func (r *reader) Credential(ctx context.Context, id string) (*consumer.CredentialRecord, error) {
	var row credentialRow
	found, err := r.one(ctx, row.columns(), "SELECT "+credentialColumns+fromCredentials+" WHERE k.id = $1", id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &consumer.Outcome{Kind: "credential", Name: id, Err: consumer.ErrNotFound}
	}
	return row.read()
}

// Credentials implements consumer.Reader.
func (r *reader) Credentials(ctx context.Context, q consumer.CredentialQuery) ([]*consumer.CredentialRecord, error) {
	l := selectCredentials(q)
	var all []*consumer.CredentialRecord
	err := r.query(ctx, func(rows *sql.Rows) error {
		var row credentialRow
		if err := rows.Scan(row.columns()...); err != nil {
			return err
		}
		record, err := row.read()
		all = append(all, record)
		return err
	}, l.text.String(), l.args...)
	return all, err
}

func selectCredentials(q consumer.CredentialQuery) *listing {
	l := list("SELECT " + credentialColumns + fromCredentials)
	l.where("k.id > ?", q.After)
	if q.Consumer != "" {
		l.where("k.consumer = ?", fold(q.Consumer))
	}
	if q.Prefix != "" {
		l.where("k.prefix <> ''")
		l.beginsWith("k.prefix", q.Prefix)
	}
	if q.Label != "" {
		l.where("k.label <> '' AND k.label = ?", q.Label)
	}
	if q.Kind != "" {
		l.where("k.kind = ?", q.Kind)
	}
	if !q.ExpiresBefore.IsZero() {
		l.where("k.expires_at > 0 AND k.expires_at < ? AND k.revoked_at = 0", micros(q.ExpiresBefore))
	}
	if !q.UnusedSince.IsZero() {
		since := micros(q.UnusedSince)
		l.where("k.last_used_at <= ? AND k.created_at <= ? AND k.revoked_at = 0", since, since)
	}
	l.page("k.id", q.Limit)
	return l
}

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
		err = &consumer.Outcome{Kind: "reference", Name: shown(c), Err: consumer.ErrExists}
	}
	return err
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
