package sqlstore

import (
	"context"
	"database/sql"

	"github.com/postern-authz/postern/internal/consumer"
)

const namedColumns = "name, doc, version, created_at, updated_at"

// namedRow is a row of applications or plans, which differ in doc alone.
type namedRow struct {
	name             string
	doc              []byte
	stamp            consumer.Stamp
	created, updated int64
}

func (r *namedRow) columns() []any {
	return []any{&r.name, &r.doc, &r.stamp.Version, &r.created, &r.updated}
}

func (r *namedRow) read(doc any) error {
	r.stamp.CreatedAt, r.stamp.UpdatedAt = fromMicros(r.created), fromMicros(r.updated)
	return readDoc(r.doc, doc)
}

func (r *namedRow) application() (*consumer.Application, error) {
	var doc applicationDoc
	if err := r.read(&doc); err != nil {
		return nil, err
	}
	return &consumer.Application{Name: r.name, DisplayName: doc.DisplayName, Owner: doc.Owner, Labels: doc.Labels, Stamp: r.stamp}, nil
}

// Application implements consumer.Reader.
func (r *reader) Application(ctx context.Context, name string) (*consumer.Application, error) {
	row, err := r.named(ctx, "applications", "application", name)
	if err != nil {
		return nil, err
	}
	return row.application()
}

// Applications implements consumer.Reader.
func (r *reader) Applications(ctx context.Context, p consumer.Page) ([]*consumer.Application, error) {
	var all []*consumer.Application
	err := r.listNamed(ctx, "applications", p, func(row *namedRow) error {
		a, err := row.application()
		all = append(all, a)
		return err
	})
	return all, err
}

// InsertApplication implements consumer.Writer.
func (w *writer) InsertApplication(ctx context.Context, a *consumer.Application) error {
	return w.insertNamed(ctx, "applications", "application", a.Name, applicationDoc{a.DisplayName, a.Owner, a.Labels}, &a.Stamp)
}

// UpdateApplication implements consumer.Writer.
func (w *writer) UpdateApplication(ctx context.Context, a *consumer.Application) error {
	return w.updateNamed(ctx, "applications", "application", &a.Name, applicationDoc{a.DisplayName, a.Owner, a.Labels}, &a.Stamp)
}

// DeleteApplication implements consumer.Writer.
func (w *writer) DeleteApplication(ctx context.Context, name string, version int64) error {
	return w.deleteNamed(ctx, "applications", "application", name, version)
}

func (r *reader) named(ctx context.Context, table, kind, name string) (*namedRow, error) {
	var row namedRow
	found, err := r.one(ctx, row.columns(), "SELECT "+namedColumns+" FROM "+table+" WHERE folded = $1", fold(name))
	if err == nil && !found {
		err = &consumer.Outcome{Kind: kind, Name: name, Err: consumer.ErrNotFound}
	}
	return &row, err
}

func (r *reader) listNamed(ctx context.Context, table string, p consumer.Page, each func(*namedRow) error) error {
	l := list("SELECT " + namedColumns + " FROM " + table)
	l.where("folded > ?", fold(p.After))
	l.page("folded", p.Limit)
	return r.query(ctx, func(rows *sql.Rows) error {
		var row namedRow
		if err := rows.Scan(row.columns()...); err != nil {
			return err
		}
		return each(&row)
	}, l.text.String(), l.args...)
}

func (w *writer) insertNamed(ctx context.Context, table, kind, name string, doc any, stamp *consumer.Stamp) error {
	text, err := writeDoc(doc)
	if err != nil {
		return err
	}
	made := w.stamp()
	n, err := w.exec(ctx, "INSERT INTO "+table+" (folded, "+namedColumns+") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
		fold(name), name, text, made.Version, micros(made.CreatedAt), micros(made.UpdatedAt))
	if err := inserted(n, err, kind, name); err != nil {
		return err
	}
	*stamp, w.wrote = made, true
	return nil
}

func (w *writer) updateNamed(ctx context.Context, table, kind string, name *string, doc any, stamp *consumer.Stamp) error {
	text, err := writeDoc(doc)
	if err != nil {
		return err
	}
	made := w.stamp()
	var created int64
	found, err := w.one(ctx, []any{name, &made.Version, &created},
		"UPDATE "+table+" SET doc = $1, updated_at = $2, version = version + 1 WHERE folded = $3 AND (version = $4 OR $4 = 0) RETURNING name, version, created_at",
		text, micros(made.UpdatedAt), fold(*name), stamp.Version)
	if err != nil {
		return err
	}
	if !found {
		return w.same(ctx, table, "folded", kind, *name, fold(*name))
	}
	made.CreatedAt = fromMicros(created)
	*stamp, w.wrote = made, true
	return nil
}

func (w *writer) deleteNamed(ctx context.Context, table, kind, name string, version int64) error {
	n, err := w.exec(ctx, "DELETE FROM "+table+" WHERE folded = $1 AND (version = $2 OR $2 = 0)", fold(name), version)
	if err != nil {
		return err
	}
	if n == 0 {
		return w.same(ctx, table, "folded", kind, name, fold(name))
	}
	w.wrote = true
	return nil
}
