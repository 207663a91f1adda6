package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// FindTimeout is the bound on a look-up.
const FindTimeout = findTimeout

// Plan is how the database would answer Find.
func (s *Store) Plan(ctx context.Context, ref consumer.Reference) (string, error) {
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
	explain := "EXPLAIN QUERY PLAN "
	if s.options.Driver == Postgres {
		explain = "EXPLAIN "
	}
	var plan []string
	err = live.reading().query(ctx, func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(sql.NullString)
		}
		err = rows.Scan(values...)
		plan = append(plan, values[len(values)-1].(*sql.NullString).String)
		return err
	}, explain+query, args...)
	return strings.Join(plan, "\n"), err
}

// Exec runs a statement as an intruder would.
func (s *Store) Exec(ctx context.Context, query string) error {
	_, err := s.db.write.ExecContext(ctx, query)
	return err
}
