package sqlstore

import (
	"context"
	"database/sql"

	"github.com/postern-authz/postern/internal/consumer"
)

const auditColumns = "number, sequence, at, author, address, action, kind, target, doc, previous, hash"

// Audit implements consumer.Reader.
func (r *reader) Audit(ctx context.Context, after int64, limit int, target string) ([]*consumer.AuditRecord, error) {
	l := list("SELECT " + auditColumns + " FROM audit")
	l.where("number > ?", after)
	if target != "" {
		l.where("target = ?", target)
	}
	l.page("number", limit)
	var all []*consumer.AuditRecord
	err := r.query(ctx, func(rows *sql.Rows) error {
		a, err := readAudit(rows)
		all = append(all, a)
		return err
	}, l.text.String(), l.args...)
	return all, err
}

// AuditEnd implements consumer.Reader.
func (r *reader) AuditEnd(ctx context.Context) (consumer.Chain, error) {
	var end consumer.Chain
	_, err := r.one(ctx, []any{&end.Number, &end.Hash}, "SELECT audit_number, audit_hash FROM head WHERE id = 1")
	return end, err
}

func readAudit(rows *sql.Rows) (*consumer.AuditRecord, error) {
	var (
		a    consumer.AuditRecord
		at   int64
		text []byte
		doc  auditDoc
	)
	err := rows.Scan(&a.Number, &a.Sequence, &at, &a.Author.Name, &a.Author.Address, &a.Action, &a.Kind, &a.Target, &text, &a.Previous, &a.Hash)
	if err != nil {
		return nil, err
	}
	if err := readDoc(text, &doc); err != nil {
		return nil, err
	}
	a.At, a.Before, a.After, a.Reason = fromMicros(at), doc.Before, doc.After, doc.Reason
	return &a, nil
}

// Note implements consumer.Writer.
func (w *writer) Note(ctx context.Context, a *consumer.AuditRecord) error {
	doc, err := writeDoc(auditDoc{a.Before, a.After, a.Reason})
	if err != nil {
		return err
	}
	a.Sequence, a.At, a.Author = w.sequence+1, w.stamp().CreatedAt, w.by
	w.chain.Append(a)
	w.wrote = true
	_, err = w.exec(ctx, "INSERT INTO audit ("+auditColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		a.Number, a.Sequence, micros(a.At), a.Author.Name, a.Author.Address, a.Action, a.Kind, a.Target, doc, a.Previous, a.Hash)
	return err
}
