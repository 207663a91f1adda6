package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// dropAfter is when an instance that is not heard of is dropped.
const dropAfter = time.Hour

// Beat implements consumer.Ledger.
func (s *Store) Beat(ctx context.Context, i consumer.Instance) error {
	live, err := s.open()
	if err != nil {
		return err
	}
	now, err := s.clock(ctx, live)
	if err != nil {
		return err
	}
	w := live.writing()
	if _, err := w.exec(ctx, `INSERT INTO instances (id, name, version, applied, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, applied = excluded.applied, seen_at = excluded.seen_at`,
		i.ID, i.Name, i.Version, i.Applied, micros(i.StartedAt), now); err != nil {
		return err
	}
	_, err = w.exec(ctx, "DELETE FROM instances WHERE seen_at < $1", now-dropAfter.Microseconds())
	return err
}

// Leave implements consumer.Ledger.
func (s *Store) Leave(ctx context.Context, id string) error {
	live, err := s.open()
	if err != nil {
		return err
	}
	_, err = live.writing().exec(ctx, "DELETE FROM instances WHERE id = $1", id)
	return err
}

// Instances implements consumer.Ledger, in the order in which they started.
func (s *Store) Instances(ctx context.Context) ([]consumer.Instance, error) {
	live, err := s.open()
	if err != nil {
		return nil, err
	}
	now, err := s.clock(ctx, live)
	if err != nil {
		return nil, err
	}
	var all []consumer.Instance
	err = live.reading().query(ctx, func(rows *sql.Rows) error {
		var i consumer.Instance
		var started, seen int64
		if err := rows.Scan(&i.ID, &i.Name, &i.Version, &i.Applied, &started, &seen); err != nil {
			return err
		}
		i.StartedAt, i.Age = fromMicros(started), time.Duration(max(0, now-seen))*time.Microsecond
		all = append(all, i)
		return nil
	}, "SELECT id, name, version, applied, started_at, seen_at FROM instances WHERE seen_at >= $1 ORDER BY started_at, id", now-dropAfter.Microseconds())
	return all, err
}

// clock is the one clock of all instances, in microseconds: that of the
// database, where it has one.
func (s *Store) clock(ctx context.Context, live *live) (int64, error) {
	if live.clock == "" {
		return micros(s.options.Now()), nil
	}
	var now int64
	_, err := live.reading().one(ctx, []any{&now}, live.clock)
	return now, err
}
