package apikey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

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
	if consumer.Mistyped(key, a.prefix) {
		return nil, access.Invalid("the key's checksum is wrong: it was mistyped or made up")
	}
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
			Value:   found.Identity(),
			Expires: found.Credential.ExpiresAt,
			Cost:    found.Cost(),
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
	if rejection := found.Judge(a.environments, a.now()); rejection != nil {
		return nil, rejection
	}
	return found, nil
}
