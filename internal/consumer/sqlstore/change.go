package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// maxNamed is how many consumers a change names in the feed. One that touches
// more, such as an import, touches all.
const maxNamed = 256

// View implements consumer.Ledger.
func (s *Store) View(ctx context.Context, read func(consumer.Reader) error) error {
	live, err := s.open()
	if err != nil {
		return err
	}
	return live.transaction(ctx, live.read, live.one, func(tx *sql.Tx) error {
		return read(live.reader(live.within(tx)))
	})
}

// Change implements consumer.Ledger.
func (s *Store) Change(ctx context.Context, by consumer.Author, write func(consumer.Writer) error) (consumer.Sequence, error) {
	live, err := s.open()
	if err != nil {
		return 0, err
	}
	var last consumer.Sequence
	err = live.transaction(ctx, live.write, nil, func(tx *sql.Tx) error {
		w := &writer{reader: live.reader(live.within(tx)), by: by, keep: s.options.KeepChanges}
		if err := w.begin(ctx); err != nil {
			return err
		}
		if err := write(w); err != nil {
			return err
		}
		last = w.sequence
		if w.wrote {
			last++
			return w.finish(ctx)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.bell.ring()
	return last, nil
}

// reader implements consumer.Reader.
type reader struct {
	session
	live  *live
	vault *vault
	now   time.Time
}

func (l *live) reader(on conn) *reader {
	return &reader{session{l.database, on}, l, l.vault, l.now()}
}

// writer implements consumer.Writer in a transaction.
type writer struct {
	*reader
	by consumer.Author
	// keep is Options.KeepChanges.
	keep int
	// sequence is the last one before this change, pruned the last that is not in
	// the feed any more, and chain the end of the audit chain.
	sequence, pruned consumer.Sequence
	chain            consumer.Chain
	// wrote: something was written that counts as a change.
	wrote   bool
	touched map[string]struct{}
	// deleted: not all that was touched is there still.
	deleted bool
}

var (
	_ consumer.Reader = (*reader)(nil)
	_ consumer.Writer = (*writer)(nil)
)

// begin reads the head, and holds it.
func (w *writer) begin(ctx context.Context) error {
	found, err := w.one(ctx, []any{&w.sequence, &w.pruned, &w.chain.Number, &w.chain.Hash},
		"SELECT sequence, pruned, audit_number, audit_hash FROM head WHERE id = 1"+w.hold)
	if err == nil && !found {
		err = fmt.Errorf("the store has lost its head row")
	}
	w.touched = map[string]struct{}{}
	return err
}

// touch notes a write to a consumer or to one of its credentials.
func (w *writer) touch(name string) {
	w.wrote = true
	w.touched[name] = struct{}{}
}

// finish moves the head and writes the feed.
func (w *writer) finish(ctx context.Context) error {
	next := w.sequence + 1
	if err := w.tell(ctx, next); err != nil {
		return err
	}
	if err := w.prune(ctx, next); err != nil {
		return err
	}
	_, err := w.exec(ctx, "UPDATE head SET sequence = $1, pruned = $2, audit_number = $3, audit_hash = $4 WHERE id = 1",
		next, w.pruned, w.chain.Number, w.chain.Hash)
	if err != nil || w.announce == "" {
		return err
	}
	_, err = w.exec(ctx, w.announce)
	return err
}

func (w *writer) tell(ctx context.Context, next consumer.Sequence) error {
	names := slices.Sorted(maps.Keys(w.touched))
	if len(names) > maxNamed {
		names = []string{""}
	}
	for _, name := range names {
		if _, err := w.exec(ctx, "INSERT INTO changes (sequence, consumer) VALUES ($1, $2)", next, name); err != nil {
			return err
		}
	}
	return nil
}

// prune takes what is beyond KeepChanges rows out of the feed, now and then.
func (w *writer) prune(ctx context.Context, next consumer.Sequence) error {
	if int64(next)%int64(max(1, w.keep/100)) != 0 {
		return nil
	}
	var upto consumer.Sequence
	found, err := w.one(ctx, []any{&upto},
		"SELECT sequence FROM changes ORDER BY sequence DESC, consumer DESC LIMIT 1 OFFSET $1", w.keep)
	if err != nil || !found {
		return err
	}
	if _, err := w.exec(ctx, "DELETE FROM changes WHERE sequence <= $1", upto); err != nil {
		return err
	}
	w.pruned = max(w.pruned, upto)
	return nil
}

// stamp is the stamp of a new record.
func (w *writer) stamp() consumer.Stamp {
	at := fromMicros(micros(w.now))
	return consumer.Stamp{Version: 1, CreatedAt: at, UpdatedAt: at}
}

// same reports a failed comparison of versions by what there is now.
func (w *writer) same(ctx context.Context, table, column, kind, name, key string) error {
	found, err := w.one(ctx, []any{new(int64)}, "SELECT version FROM "+table+" WHERE "+column+" = $1", key)
	switch {
	case err != nil:
		return err
	case found:
		return &consumer.Outcome{Kind: kind, Name: name, Err: consumer.ErrVersion}
	}
	return &consumer.Outcome{Kind: kind, Name: name, Err: consumer.ErrNotFound}
}

// inserted makes an outcome of an insert that met another row.
func inserted(n int64, err error, kind, name string) error {
	if err == nil && n == 0 {
		return &consumer.Outcome{Kind: kind, Name: name, Err: consumer.ErrExists}
	}
	return err
}
