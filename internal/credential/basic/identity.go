package basic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
)

// retryAfter is when a client should come back that found the verifier full.
const retryAfter = time.Second

// scopeOf names all that an answer depends on beside username and password.
func scopeOf(revision string, environments []string) string {
	scope := cache.Digest(append([]string{revision}, environments...)...)
	return string(scope[:])
}

// identify says whose username and password they are, from memory where it
// can.
func (a *Authenticator) identify(ctx context.Context, username, password []byte) (*access.Identity, error) {
	name := a.verifier.name(a.scope, username, password)
	if identity, err, ok := a.cache.Get(name); ok {
		return identity, err
	}
	identity, err := a.fetch(ctx, name, string(username), string(password))
	if errors.Is(err, errBusy) {
		return nil, access.TooManyFailures(err.Error(), retryAfter)
	}
	return identity, err
}

// fetch remembers proofs, and rejections too, so that one bad pair repeated
// costs one verification. That the verifier was full is no rejection here: it
// says nothing about the pair, and must not be remembered.
func (a *Authenticator) fetch(ctx context.Context, name cache.Key, username, password string) (*access.Identity, error) {
	return a.cache.Fetch(ctx, name, func(ctx context.Context) (cache.Loaded[*access.Identity], error) {
		found, err := a.prove(ctx, username, []byte(password))
		if err != nil {
			return cache.Loaded[*access.Identity]{}, err
		}
		return cache.Loaded[*access.Identity]{
			Value:   found.Identity(),
			Expires: found.Credential.ExpiresAt,
			Cost:    found.Cost(),
		}, nil
	})
}

// prove verifies the password, and only then looks at what else there is to
// say: every username takes one verification, whether there is such a one or
// not, and whatever its state.
func (a *Authenticator) prove(ctx context.Context, username string, password []byte) (*consumer.Found, error) {
	if err := a.verifier.room(); err != nil {
		return nil, fmt.Errorf("before finding a username: %w", err)
	}
	found, err := a.store.Find(ctx, consumer.Reference{Kind: access.KindBasic, Value: username})
	unknown := errors.Is(err, consumer.ErrNotFound)
	if err != nil && !unknown {
		return nil, fmt.Errorf("finding a username: %w", err)
	}
	hash := a.decoy(username)
	if !unknown {
		hash = found.Password
		a.decoys.learn(hash)
	}
	same, err := a.verifier.verify(ctx, hash, password)
	switch {
	case err != nil:
		return nil, fmt.Errorf("verifying a password: %w", err)
	case unknown:
		return nil, access.Unknown("unknown username")
	case !same:
		return nil, access.Invalid("not the password of credential " + found.Credential.ID + " of consumer " + found.Consumer.Name)
	}
	if rejection := found.Judge(a.environments, a.now()); rejection != nil {
		return nil, rejection
	}
	return found, nil
}

// decoy is the hash that is verified for a username that there is not, the same
// each time, so that repeating the question tells nothing.
func (a *Authenticator) decoy(username string) access.Secret {
	sum := a.verifier.name("decoy", []byte(username), nil)
	return a.decoys.pick(sum[0])
}
