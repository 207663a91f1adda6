package sqlstore

import (
	"context"
	"database/sql"

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
