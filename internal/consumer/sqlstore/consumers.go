package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
)

// consumerColumns are read by consumerRow, in this order.
const consumerColumns = "c.name, c.environment, c.enabled, c.plan, c.grant_id, c.doc, c.version, c.created_at, c.updated_at"

// consumerRow is a consumer as its columns hold it.
type consumerRow struct {
	record           consumer.Record
	doc              []byte
	created, updated int64
}

func (r *consumerRow) columns() []any {
	c := &r.record
	return []any{&c.Name, &c.Environment, &c.Enabled, &c.Plan, &c.Grant, &r.doc, &c.Version, &r.created, &r.updated}
}

func (r *consumerRow) read() (*consumer.Record, error) {
	var doc consumerDoc
	if err := readDoc(r.doc, &doc); err != nil {
		return nil, err
	}
	c := &r.record
	c.DisplayName, c.Labels, c.Groups, c.Roles = doc.DisplayName, doc.Labels, doc.Groups, doc.Roles
	c.Attributes, c.Constraints = doc.Attributes, readConstraints(doc.Constraints)
	plainNumbers(c.Attributes)
	c.CreatedAt, c.UpdatedAt = fromMicros(r.created), fromMicros(r.updated)
	return c, nil
}

func writeConsumerDoc(r *consumer.Record) (string, error) {
	return writeDoc(consumerDoc{
		DisplayName: r.DisplayName, Labels: r.Labels, Groups: r.Groups, Roles: r.Roles,
		Attributes: r.Attributes, Constraints: writeConstraints(r.Constraints),
	})
}

// Consumer implements consumer.Reader.
func (r *reader) Consumer(ctx context.Context, name string) (*consumer.Record, error) {
	var row consumerRow
	found, err := r.one(ctx, row.columns(), "SELECT "+consumerColumns+" FROM consumers c WHERE c.folded = $1", fold(name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &consumer.Outcome{Kind: "consumer", Name: name, Err: consumer.ErrNotFound}
	}
	return row.read()
}

// Consumers implements consumer.Reader.
func (r *reader) Consumers(ctx context.Context, q consumer.ConsumerQuery) ([]*consumer.Record, error) {
	l := list("SELECT " + consumerColumns + " FROM consumers c")
	l.where("c.folded > ?", fold(q.After))
	if q.Environment != "" {
		l.where("c.environment = ?", q.Environment)
	}
	if q.Plan != "" {
		l.where("c.plan <> '' AND lower(c.plan) = ?", fold(q.Plan))
	}
	if q.Prefix != "" {
		l.beginsWith("c.folded", fold(q.Prefix))
	}
	if name, value, valued := strings.Cut(q.Label, "="); valued {
		l.where("EXISTS (SELECT 1 FROM consumer_labels l WHERE l.name = ? AND l.value = ? AND l.consumer = c.folded)", name, value)
	} else if name != "" {
		l.where("EXISTS (SELECT 1 FROM consumer_labels l WHERE l.name = ? AND l.consumer = c.folded)", name)
	}
	l.page("c.folded", q.Limit)
	var all []*consumer.Record
	err := r.query(ctx, func(rows *sql.Rows) error {
		var row consumerRow
		if err := rows.Scan(row.columns()...); err != nil {
			return err
		}
		record, err := row.read()
		all = append(all, record)
		return err
	}, l.text.String(), l.args...)
	return all, err
}

// InsertConsumer implements consumer.Writer.
func (w *writer) InsertConsumer(ctx context.Context, r *consumer.Record) error {
	doc, err := writeConsumerDoc(r)
	if err != nil {
		return err
	}
	stamp := w.stamp()
	n, err := w.exec(ctx, `INSERT INTO consumers (folded, name, environment, enabled, plan, grant_id, doc, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
		fold(r.Name), r.Name, r.Environment, r.Enabled, r.Plan, r.Grant, doc, stamp.Version, micros(stamp.CreatedAt), micros(stamp.UpdatedAt))
	if err := inserted(n, err, "consumer", r.Name); err != nil {
		return err
	}
	r.Stamp = stamp
	w.touch(r.Name)
	return w.label(ctx, r)
}

// UpdateConsumer implements consumer.Writer. A name stays as it was made.
func (w *writer) UpdateConsumer(ctx context.Context, r *consumer.Record) error {
	doc, err := writeConsumerDoc(r)
	if err != nil {
		return err
	}
	var created int64
	stamp := w.stamp()
	found, err := w.one(ctx, []any{&r.Name, &stamp.Version, &created},
		`UPDATE consumers SET environment = $1, enabled = $2, plan = $3, grant_id = $4, doc = $5, updated_at = $6, version = version + 1
		WHERE folded = $7 AND (version = $8 OR $8 = 0) RETURNING name, version, created_at`,
		r.Environment, r.Enabled, r.Plan, r.Grant, doc, micros(stamp.UpdatedAt), fold(r.Name), r.Version)
	if err != nil {
		return err
	}
	if !found {
		return w.same(ctx, "consumers", "folded", "consumer", r.Name, fold(r.Name))
	}
	stamp.CreatedAt = fromMicros(created)
	r.Stamp = stamp
	w.touch(r.Name)
	return w.label(ctx, r)
}

// label writes a consumer's labels where it is found by them.
func (w *writer) label(ctx context.Context, r *consumer.Record) error {
	if r.Version > 1 {
		if _, err := w.exec(ctx, "DELETE FROM consumer_labels WHERE consumer = $1", fold(r.Name)); err != nil {
			return err
		}
	}
	for name, value := range r.Labels {
		_, err := w.exec(ctx, "INSERT INTO consumer_labels (name, value, consumer) VALUES ($1, $2, $3)", name, value, fold(r.Name))
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteConsumer implements consumer.Writer.
func (w *writer) DeleteConsumer(ctx context.Context, name string, version int64) error {
	var stored string
	found, err := w.one(ctx, []any{&stored},
		"SELECT name FROM consumers WHERE folded = $1 AND (version = $2 OR $2 = 0)", fold(name), version)
	if err != nil {
		return err
	}
	if !found {
		return w.same(ctx, "consumers", "folded", "consumer", name, fold(name))
	}
	for _, statement := range []string{
		"DELETE FROM credentials WHERE consumer = $1",
		"DELETE FROM consumer_labels WHERE consumer = $1",
		"DELETE FROM consumers WHERE folded = $1",
	} {
		if _, err := w.exec(ctx, statement, fold(name)); err != nil {
			return err
		}
	}
	w.touch(stored)
	w.deleted = true
	return nil
}
