package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

const (
	// lookEvery is how often a follower looks, whether or not it was woken.
	lookEvery = 900 * time.Millisecond
	// retryEvery is the pause after the ledger could not be reached.
	retryEvery = 200 * time.Millisecond
	// maxFeed is how many rows of the feed are read at once.
	maxFeed = 1000
)

// Follow implements consumer.Ledger. It returns the reason why ctx or the store
// ended.
func (s *Store) Follow(ctx context.Context, after consumer.Sequence, apply func(consumer.Changes)) error {
	s.watching.Do(func() { s.running.Go(func() { s.db.watch(s.background, s.bell.ring) }) })
	for {
		heard := s.bell.heard()
		pause := lookEvery
		upto, err := s.catchUp(ctx, after, apply)
		after = upto
		if err != nil {
			pause = retryEvery
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.background.Done():
			return s.background.Err()
		case <-heard:
		case <-time.After(pause):
		}
	}
}

// catchUp hands on all changes after a sequence, and at least one Changes. It
// returns the last sequence that it handed on.
func (s *Store) catchUp(ctx context.Context, after consumer.Sequence, apply func(consumer.Changes)) (consumer.Sequence, error) {
	live, err := s.open()
	if err != nil {
		return after, err
	}
	for {
		changes, more, err := live.changes(ctx, after)
		if err != nil {
			return after, err
		}
		apply(changes)
		after = changes.Upto
		if more {
			continue
		}
		if changes.All || len(changes.Consumers) > 0 {
			apply(consumer.Changes{Upto: after}) // nothing more as of the reading, however many come
		}
		return after, nil
	}
}

// The feed after a sequence, with the head as it was at the same moment: one
// statement sees one state.
const selectFeed = `SELECT h.sequence, h.pruned, f.sequence, f.consumer FROM head h LEFT JOIN
	(SELECT sequence, consumer FROM changes WHERE sequence > $1 ORDER BY sequence, consumer LIMIT $2) f ON h.id = 1
	ORDER BY f.sequence, f.consumer`

// changes reads the next part of the feed. There is more when it did not reach
// the head.
func (l *live) changes(ctx context.Context, after consumer.Sequence) (_ consumer.Changes, more bool, _ error) {
	var (
		head, pruned consumer.Sequence
		rows         []feedRow
	)
	bounded, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	err := l.reading().query(bounded, func(r *sql.Rows) error {
		var sequence sql.NullInt64
		var name sql.NullString
		if err := r.Scan(&head, &pruned, &sequence, &name); err != nil {
			return err
		}
		if sequence.Valid {
			rows = append(rows, feedRow{consumer.Sequence(sequence.Int64), name.String})
		}
		return nil
	}, selectFeed, after, maxFeed)
	if err != nil {
		return consumer.Changes{}, false, err
	}
	// A head before what was seen is that of a database that was put back.
	if after < pruned || after > head {
		return consumer.Changes{Upto: head, All: true}, false, nil
	}
	upto := head
	if len(rows) == maxFeed { // the last change may be cut short
		upto = rows[maxFeed-1].sequence - 1
	}
	return gather(rows, upto), upto < head, nil
}

type feedRow struct {
	sequence consumer.Sequence
	name     string
}

func gather(rows []feedRow, upto consumer.Sequence) consumer.Changes {
	changes := consumer.Changes{Upto: upto}
	seen := map[string]bool{}
	for _, row := range rows {
		switch {
		case row.sequence > upto || seen[row.name]:
		case row.name == "":
			changes.All = true
		default:
			seen[row.name] = true
			changes.Consumers = append(changes.Consumers, row.name)
		}
	}
	return changes
}

// Head implements consumer.Ledger.
func (s *Store) Head(ctx context.Context) (consumer.Sequence, error) {
	live, err := s.open()
	if err != nil {
		return 0, err
	}
	var head consumer.Sequence
	_, err = live.reading().one(ctx, []any{&head}, "SELECT sequence FROM head WHERE id = 1")
	return head, err
}
