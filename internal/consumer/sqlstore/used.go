package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// Used implements consumer.Ledger: one statement for all.
func (s *Store) Used(ctx context.Context, at map[string]time.Time) error {
	live, err := s.open()
	if err != nil || len(at) == 0 {
		return err
	}
	minutes := make(map[string]int64, len(at))
	for id, used := range at {
		minutes[id] = micros(used.Truncate(time.Minute))
	}
	text, err := json.Marshal(minutes)
	if err != nil {
		return fmt.Errorf("write last uses as JSON: %w", err)
	}
	return live.transaction(ctx, live.write, nil, func(tx *sql.Tx) error {
		w := session{live.database, tx}
		// Held so that no change waits for a row of ours while we wait for its.
		if _, err := w.one(ctx, []any{new(int64)}, "SELECT id FROM head WHERE id = 1"+live.hold); err != nil {
			return err
		}
		_, err := w.exec(ctx, live.used, string(text))
		return err
	})
}
