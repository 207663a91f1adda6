package apikey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
)

// Lengths of a key in bytes. Nothing longer is ever digested.
const (
	minKey = 16
	maxKey = 512
)

// malformed says in words what a key is not, or "".
func malformed(key string) string {
	if len(key) < minKey || len(key) > maxKey {
		return fmt.Sprintf("%d bytes, expected %d to %d", len(key), minKey, maxKey)
	}
	for i := range len(key) {
		switch c := key[i]; {
		case c == ',':
			return "a comma, so two values joined"
		case c <= ' ' || c > '~':
			return "a byte that is not visible ASCII"
		}
	}
	return ""
}

// digest is SHA-256 of a key, which is what stores know it by.
type digest [sha256.Size]byte

func digestOf(key string) digest {
	var buffer [maxKey]byte
	return sha256.Sum256(buffer[:copy(buffer[:], key)])
}

// scopeOf names all that an answer depends on beside the key.
func scopeOf(revision string, environments []string) string {
	scope := cache.Digest(append([]string{revision}, environments...)...)
	return string(scope[:])
}

// identify says whose key it is, from memory where it can.
func (a *Authenticator) identify(ctx context.Context, key string) (*access.Identity, error) {
	sum := digestOf(key)
	name := cache.Digest(string(access.KindAPIKey), a.scope, string(sum[:]))
	if identity, err, ok := a.cache.Get(name); ok {
		return identity, err
	}
	return a.fetch(ctx, name, sum)
}

func (a *Authenticator) fetch(ctx context.Context, name cache.Key, sum digest) (*access.Identity, error) {
	return a.cache.Fetch(ctx, name, func(ctx context.Context) (cache.Loaded[*access.Identity], error) {
		found, err := a.look(ctx, sum)
		if err != nil {
			return cache.Loaded[*access.Identity]{}, err
		}
		return cache.Loaded[*access.Identity]{
			Value:   identityOf(found),
			Expires: found.Credential.ExpiresAt,
			Cost:    costOf(found),
		}, nil
	})
}

// look finds the credential and says whether it is worth anything now.
func (a *Authenticator) look(ctx context.Context, sum digest) (*consumer.Found, error) {
	found, err := a.store.Find(ctx, consumer.Reference{Kind: access.KindAPIKey, Value: string(sum[:])})
	switch {
	case errors.Is(err, consumer.ErrNotFound):
		return nil, access.Unknown("unknown key, whose SHA-256 begins with " + hex.EncodeToString(sum[:3]))
	case err != nil:
		return nil, fmt.Errorf("finding an API key: %w", err)
	}
	return found, a.judge(found)
}

// judge rejects what is disabled or ended. Only what is good in all else is
// called expired.
func (a *Authenticator) judge(found *consumer.Found) error {
	who, what := found.Consumer, found.Credential
	switch {
	case !who.Enabled:
		return access.Invalid("consumer " + who.Name + " is disabled")
	case !what.Enabled:
		return access.Invalid("credential " + what.ID + " of consumer " + who.Name + " is disabled")
	case len(a.environments) > 0 && !slices.Contains(a.environments, who.Environment):
		return access.Invalid(fmt.Sprintf("consumer %s is of environment %q, which is not believed here", who.Name, who.Environment))
	case what.Expired(a.now()):
		return access.Expired("credential " + what.ID + " of consumer " + who.Name + " expired at " + what.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return nil
}

func identityOf(found *consumer.Found) *access.Identity {
	return &access.Identity{
		Consumer:   found.Consumer,
		Credential: found.Credential,
		Scopes:     found.Credential.Scopes,
		Roles:      found.Consumer.Roles,
		Groups:     found.Consumer.Groups,
	}
}

// costOf guesses the bytes that an identity holds: the structs and, for each
// member of a list or map, a short string with its header.
func costOf(found *consumer.Found) int64 {
	who, what := found.Consumer, found.Credential
	members := len(who.Labels) + len(who.Attributes) + len(who.Groups) + len(who.Roles) + len(what.Scopes)
	return int64(512 + 64*members)
}
