package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// findTries is how often a look-up is tried over a connection that turns out to
// be broken, within its time.
const findTries = 3

const (
	selectFound  = "SELECT k.lookup, k.pepper, k.sealed, " + credentialColumns + ", " + consumerColumns + fromCredentials
	findPublic   = selectFound + " WHERE k.lookup = $1"
	findConsumer = "SELECT " + consumerColumns + " FROM consumers c WHERE c.folded = $1"
)

// Find implements consumer.Store: one look-up in one index.
func (s *Store) Find(ctx context.Context, ref consumer.Reference) (*consumer.Found, error) {
	live, err := s.open()
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	for try := 1; ; try++ {
		found, err := s.findOnce(bounded, live, ref)
		switch {
		case err == nil || errors.Is(err, consumer.ErrNotFound):
			return found, err
		case ctx.Err() == nil && bounded.Err() != nil:
			return nil, fmt.Errorf("%w: it does not answer in time", consumer.ErrUnavailable)
		case bounded.Err() != nil || try == findTries || !errors.Is(err, consumer.ErrUnavailable):
			return nil, err
		}
		live.renew()
	}
}

func (s *Store) findOnce(ctx context.Context, live *live, ref consumer.Reference) (*consumer.Found, error) {
	if ref.Kind == consumer.ByName {
		return live.findConsumer(ctx, ref.Value)
	}
	found, old, err := live.findCredential(ctx, ref)
	if old != nil {
		s.rewriteLater(old)
	}
	return found, err
}

func (l *live) findConsumer(ctx context.Context, folded string) (*consumer.Found, error) {
	var row consumerRow
	there, err := l.reading().one(ctx, row.columns(), findConsumer, folded)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, consumer.ErrNotFound
	}
	record, err := row.read()
	if err != nil {
		return nil, err
	}
	return &consumer.Found{Consumer: &record.Consumer}, nil
}

// findCredential looks a credential up. Old is set when the credential is kept
// under a pepper that is not the newest.
func (l *live) findCredential(ctx context.Context, ref consumer.Reference) (_ *consumer.Found, old *rewrite, _ error) {
	var (
		k     kept
		row   credentialRow
		owner consumerRow
	)
	query := findPublic
	if ref.Kind == access.KindAPIKey {
		query = l.findKey
	}
	into := append([]any{&k.lookup, &k.pepper, &k.sealed}, row.columns()...)
	there, err := l.reading().one(ctx, append(into, owner.columns()...), query, anys(l.vault.lookups(ref))...)
	if err != nil {
		return nil, nil, err
	}
	if !there {
		return nil, nil, consumer.ErrNotFound
	}
	found, err := l.found(&owner, &row, k)
	if err != nil || k.pepper == 0 || k.pepper == l.vault.newest().id {
		return found, nil, err
	}
	row.record.Reference = ref
	return found, &rewrite{credential: &row.record, old: k}, nil
}

func (l *live) found(owner *consumerRow, row *credentialRow, k kept) (*consumer.Found, error) {
	record, err := owner.read()
	if err != nil {
		return nil, err
	}
	credential, err := row.read()
	if err != nil {
		return nil, err
	}
	if err := l.vault.unseal(credential, k); err != nil {
		return nil, err
	}
	return rules.FoundOf(record, credential)
}
