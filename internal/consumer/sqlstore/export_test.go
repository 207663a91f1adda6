package sqlstore

import "context"

// Exec runs a statement as an intruder would.
func (s *Store) Exec(ctx context.Context, query string) error {
	_, err := s.db.write.ExecContext(ctx, query)
	return err
}
