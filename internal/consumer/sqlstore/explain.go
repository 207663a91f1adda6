package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// Explain is the database's own word on how it answers Find for a reference, a
// line for each step: EXPLAIN QUERY PLAN of SQLite, EXPLAIN ANALYZE with buffers
// of PostgreSQL, which does the look-up.
func (s *Store) Explain(ctx context.Context, ref consumer.Reference) (string, error) {
	live, err := s.open()
	if err != nil {
		return "", err
	}
	query, args := findPublic, anys(live.vault.lookups(ref))
	switch ref.Kind {
	case consumer.ByName:
		query, args = findConsumer, []any{ref.Value}
	case access.KindAPIKey:
		query = live.findKey
	}
	var steps []string
	err = live.reading().query(ctx, func(rows *sql.Rows) error {
		step, err := lastColumn(rows)
		steps = append(steps, step)
		return err
	}, live.explain+query, args...)
	return strings.Join(steps, "\n"), err
}

// lastColumn is where both databases put the words.
func lastColumn(rows *sql.Rows) (string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.RawBytes)
	}
	if err := rows.Scan(values...); err != nil {
		return "", err
	}
	last, _ := values[len(values)-1].(*sql.RawBytes)
	return string(*last), nil
}
