package sqlstore

import (
	"context"

	"github.com/postern-authz/postern/internal/consumer"
)

// Exec runs a statement as an intruder would.
func (s *Store) Exec(ctx context.Context, query string) error {
	_, err := s.db.write.ExecContext(ctx, query)
	return err
}

// CatchUp reads the feed once.
func (s *Store) CatchUp(ctx context.Context, after consumer.Sequence, apply func(consumer.Changes)) (consumer.Sequence, error) {
	return s.catchUp(ctx, after, apply)
}
