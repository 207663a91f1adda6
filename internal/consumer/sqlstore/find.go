package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

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
	bounded, cancel := context.WithTimeout(ctx, s.options.FindTimeout)
	defer cancel()
	for try := 1; ; try++ {
		found, old, err := live.reader(live.finds).find(bounded, ref)
		if old != nil {
			s.rewriteLater(old)
		}
		switch {
		case err == nil || errors.Is(err, consumer.ErrNotFound):
			return found, err
		case ctx.Err() == nil && bounded.Err() != nil:
			return nil, fmt.Errorf("%w: it does not answer in time", consumer.ErrUnavailable)
		case bounded.Err() != nil || try == live.tries || !errors.Is(err, consumer.ErrUnavailable):
			return nil, err
		}
		live.renew()
	}
}

// Find implements consumer.Reader.
func (r *reader) Find(ctx context.Context, ref consumer.Reference) (*consumer.Found, error) {
	found, _, err := r.find(ctx, ref)
	return found, err
}

// find looks up once. Old is set when a credential is kept under a pepper that
// is not the newest.
func (r *reader) find(ctx context.Context, ref consumer.Reference) (_ *consumer.Found, old *rewrite, _ error) {
	switch {
	case ref.Kind == consumer.ByName:
		found, err := r.findConsumer(ctx, ref.Value)
		return found, nil, err
	case ref.Kind == access.KindAPIKey && ref.Issuer != "": // no key has an issuer, and its HMAC covers none
		return nil, nil, consumer.ErrNotFound
	}
	return r.findCredential(ctx, ref)
}

func (r *reader) findConsumer(ctx context.Context, folded string) (*consumer.Found, error) {
	var row consumerRow
	there, err := r.one(ctx, row.columns(), findConsumer, folded)
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

func (r *reader) findCredential(ctx context.Context, ref consumer.Reference) (_ *consumer.Found, old *rewrite, _ error) {
	var (
		k     kept
		row   credentialRow
		owner consumerRow
	)
	query := findPublic
	if ref.Kind == access.KindAPIKey {
		query = r.live.findKey
	}
	into := append([]any{&k.lookup, &k.pepper, &k.sealed}, row.columns()...)
	there, err := r.one(ctx, append(into, owner.columns()...), query, anys(r.vault.lookups(ref))...)
	if err != nil {
		return nil, nil, err
	}
	if !there {
		return nil, nil, consumer.ErrNotFound
	}
	found, err := r.found(&owner, &row, k)
	if err != nil || k.pepper == 0 || k.pepper == r.vault.newest().id {
		return found, nil, err
	}
	row.record.Reference = ref
	return found, &rewrite{credential: &row.record, old: k}, nil
}

func (r *reader) found(owner *consumerRow, row *credentialRow, k kept) (*consumer.Found, error) {
	record, err := owner.read()
	if err != nil {
		return nil, err
	}
	credential, err := row.read()
	if err != nil {
		return nil, err
	}
	if err := r.vault.unseal(credential, k); err != nil {
		return nil, err
	}
	return rules.FoundOf(record, credential)
}
