package replica

import (
	"context"
	"errors"

	"github.com/postern-authz/postern/internal/consumer"
)

// Store finds credentials in files, and what is not there in a ledger. One Store
// is of one revision of the files.
type Store struct{ files, ledger consumer.Store }

var _ consumer.Store = (*Store)(nil)

// NewStore puts files before a ledger.
func NewStore(files, ledger consumer.Store) *Store { return &Store{files: files, ledger: ledger} }

// Find implements consumer.Store. A consumer of the ledger whose name the files
// declare too, in whatever case, is hidden with all its credentials: it could be
// taken for the declared one. What comes from the ledger is marked as stored.
func (s *Store) Find(ctx context.Context, ref consumer.Reference) (*consumer.Found, error) {
	found, err := s.files.Find(ctx, ref)
	if !errors.Is(err, consumer.ErrNotFound) {
		return found, err
	}
	if found, err = s.ledger.Find(ctx, ref); err != nil {
		return nil, err
	}
	switch _, err := s.files.Find(ctx, consumer.NameReference(found.Consumer.Name)); {
	case err == nil:
		return nil, consumer.ErrNotFound
	case !errors.Is(err, consumer.ErrNotFound):
		return nil, err
	}
	return stored(found), nil
}

// stored marks a copy: what was found is shared.
func stored(found *consumer.Found) *consumer.Found {
	marked, who := *found, *found.Consumer
	who.Stored, marked.Consumer = true, &who
	return &marked
}
