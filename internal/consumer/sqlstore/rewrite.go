package sqlstore

import (
	"context"

	"github.com/postern-authz/postern/internal/consumer"
)

// maxRewrites bounds the credentials that wait to be kept under the newest
// pepper. One that finds no room is met again at its next look-up.
const maxRewrites = 256

// rewrite is a credential that was found under an old pepper.
type rewrite struct {
	credential *consumer.CredentialRecord
	old        kept
}

// rewriteLater never waits: it is called on a request's way.
func (s *Store) rewriteLater(r *rewrite) {
	select {
	case s.rewrites <- *r:
	default:
	}
}

// rewriteAll keeps what was found under the newest pepper, until the store is
// closed. It is no change: the credential is worth what it was.
func (s *Store) rewriteAll() {
	for {
		select {
		case <-s.background.Done():
			return
		case r := <-s.rewrites:
			if err := s.rewrite(s.background, r); err != nil && s.background.Err() == nil {
				s.options.Logger.Warn("a credential stays under an old pepper for now", "credential", r.credential.ID, "error", err.Error())
			}
		}
	}
}

func (s *Store) rewrite(ctx context.Context, r rewrite) error {
	live, err := s.open()
	if err != nil {
		return err
	}
	k, err := live.vault.keep(r.credential)
	if err != nil {
		return err
	}
	_, err = live.writing().exec(ctx,
		"UPDATE credentials SET lookup = $1, pepper = $2, sealed = $3 WHERE id = $4 AND lookup = $5 AND pepper = $6",
		k.lookup, k.pepper, k.sealed, r.credential.ID, r.old.lookup, r.old.pepper)
	return err
}
