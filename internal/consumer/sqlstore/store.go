package sqlstore

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// Store is a consumer.Ledger in a database.
type Store struct{ options Options }

var _ consumer.Ledger = (*Store)(nil)

// Open opens a database, makes or moves its schema, and checks that every
// credential's pepper is known.
func Open(context.Context, Options) (*Store, error) { return nil, consumer.ErrUnavailable }

// Find implements consumer.Store.
func (s *Store) Find(context.Context, consumer.Reference) (*consumer.Found, error) {
	return nil, consumer.ErrUnavailable
}

// View implements consumer.Ledger.
func (s *Store) View(context.Context, func(consumer.Reader) error) error {
	return consumer.ErrUnavailable
}

// Change implements consumer.Ledger.
func (s *Store) Change(context.Context, consumer.Author, func(consumer.Writer) error) (consumer.Sequence, error) {
	return 0, consumer.ErrUnavailable
}

// Follow implements consumer.Ledger.
func (s *Store) Follow(context.Context, consumer.Sequence, func(consumer.Changes)) error {
	return consumer.ErrUnavailable
}

// Head implements consumer.Ledger.
func (s *Store) Head(context.Context) (consumer.Sequence, error) { return 0, consumer.ErrUnavailable }

// Beat implements consumer.Ledger.
func (s *Store) Beat(context.Context, consumer.Instance) error { return consumer.ErrUnavailable }

// Leave implements consumer.Ledger.
func (s *Store) Leave(context.Context, string) error { return consumer.ErrUnavailable }

// Instances implements consumer.Ledger.
func (s *Store) Instances(context.Context) ([]consumer.Instance, error) {
	return nil, consumer.ErrUnavailable
}

// Used implements consumer.Ledger.
func (s *Store) Used(context.Context, map[string]time.Time) error { return consumer.ErrUnavailable }

// State says whether the store is ready.
func (s *Store) State() State { return State{} }

// Peppers counts the credentials under each pepper. It reads an index from end
// to end.
func (s *Store) Peppers(context.Context) ([]PepperUse, error) { return nil, consumer.ErrUnavailable }

// Close implements consumer.Ledger.
func (s *Store) Close() error { return nil }
