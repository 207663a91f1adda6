package sqlstore

import (
	"context"
	"database/sql"

	"github.com/postern-authz/postern/internal/consumer"
)

const selectGrants = "SELECT g.id, a.name, g.api, g.environment, g.consumer, g.version, g.created_at, g.updated_at" +
	" FROM grants g JOIN applications a ON a.folded = g.application"

type grantRow struct {
	grant            consumer.Grant
	created, updated int64
}

func (r *grantRow) columns() []any {
	g := &r.grant
	return []any{&g.ID, &g.Application, &g.API, &g.Environment, &g.Consumer, &g.Version, &r.created, &r.updated}
}

func (r *grantRow) read() *consumer.Grant {
	r.grant.CreatedAt, r.grant.UpdatedAt = fromMicros(r.created), fromMicros(r.updated)
	return &r.grant
}

// Grant implements consumer.Reader.
func (r *reader) Grant(ctx context.Context, id string) (*consumer.Grant, error) {
	var row grantRow
	found, err := r.one(ctx, row.columns(), selectGrants+" WHERE g.id = $1", id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &consumer.Outcome{Kind: "grant", Name: id, Err: consumer.ErrNotFound}
	}
	return row.read(), nil
}

// Grants implements consumer.Reader.
func (r *reader) Grants(ctx context.Context, application string, p consumer.Page) ([]*consumer.Grant, error) {
	l := list(selectGrants)
	l.where("g.id > ?", p.After)
	if application != "" {
		l.where("g.application = ?", fold(application))
	}
	l.page("g.id", p.Limit)
	var all []*consumer.Grant
	err := r.query(ctx, func(rows *sql.Rows) error {
		var row grantRow
		if err := rows.Scan(row.columns()...); err != nil {
			return err
		}
		all = append(all, row.read())
		return nil
	}, l.text.String(), l.args...)
	return all, err
}

// InsertGrant implements consumer.Writer.
func (w *writer) InsertGrant(ctx context.Context, g *consumer.Grant) error {
	application, err := w.named(ctx, "applications", "application", g.Application)
	if err != nil {
		return err
	}
	stamp := w.stamp()
	n, err := w.exec(ctx, `INSERT INTO grants (id, application, api, environment, consumer, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		g.ID, fold(g.Application), g.API, g.Environment, g.Consumer, stamp.Version, micros(stamp.CreatedAt), micros(stamp.UpdatedAt))
	if err := inserted(n, err, "grant", g.ID); err != nil {
		return err
	}
	g.Application, g.Stamp, w.wrote = application.name, stamp, true
	return nil
}

// DeleteGrant implements consumer.Writer.
func (w *writer) DeleteGrant(ctx context.Context, id string, version int64) error {
	n, err := w.exec(ctx, "DELETE FROM grants WHERE id = $1 AND (version = $2 OR $2 = 0)", id, version)
	if err != nil {
		return err
	}
	if n == 0 {
		return w.same(ctx, "grants", "id", "grant", id, id)
	}
	w.wrote = true
	return nil
}
