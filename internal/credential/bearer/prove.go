package bearer

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// proven is an identity and when it ends, by the wall clock.
type proven struct {
	identity *access.Identity
	ends     time.Time
}

// prove is the story of a token that is not remembered. The order matters: a
// token is called expired only when all else about it is good, and what was
// signed badly is never told how near it came.
func (a *Authenticator) prove(ctx context.Context, raw string, why *access.Explanation) (proven, error) {
	t, err := readToken(raw)
	if err != nil {
		return proven{}, rejected(err)
	}
	who, err := a.find(ctx, t)
	if err != nil {
		return proven{}, rejected(err)
	}
	if why.On() {
		why.Note("authenticate", "jwt: "+who.String())
	}
	if err := who.verify(ctx, t); err != nil {
		return proven{}, rejected(err)
	}
	if why.On() {
		why.Note("authenticate", "jwt: the signature is good, by "+t.header.alg)
	}
	identity, err := a.accept(ctx, who, t)
	return proven{identity, a.endOf(t, identity)}, rejected(err)
}

// accept judges a token that is signed well.
func (a *Authenticator) accept(ctx context.Context, who claimant, t *token) (*access.Identity, error) {
	now := a.now()
	if err := a.timely(&t.claims, now); err != nil {
		return nil, err
	}
	identity, err := who.identify(ctx, t)
	if err != nil {
		return nil, err
	}
	if !now.Before(t.claims.expires.Add(a.config.Leeway)) {
		return nil, access.Expired("token expired at " + t.claims.expires.UTC().Format(time.RFC3339))
	}
	return identity, nil
}

// timely rejects what will be good later, by itself: those are passing.
func (a *Authenticator) timely(c *claimSet, now time.Time) error {
	latest := now.Add(a.config.Leeway)
	switch {
	case c.notBefore.After(latest):
		return passing{access.Invalid("token is not valid yet, by nbf")}
	case c.issuedAt.After(latest):
		return passing{access.Invalid("token was issued in the future, by iat")}
	case a.config.MaxLifetime > 0 && c.expires.After(latest.Add(a.config.MaxLifetime)):
		return passing{access.Invalid("token lives longer than max_lifetime allows")}
	}
	return nil
}

// endOf is when an identity ends: with the token's life, leeway included, or
// the credential's, whichever is first.
func (a *Authenticator) endOf(t *token, identity *access.Identity) time.Time {
	ends := t.claims.expires.Add(a.config.Leeway)
	if identity != nil && !identity.Credential.ExpiresAt.IsZero() && identity.Credential.ExpiresAt.Before(ends) {
		return identity.Credential.ExpiresAt
	}
	return ends
}

// passing is a rejection that may be wrong a moment later with the same keys
// and configuration: a key or a record comes, a time comes. It hides that it is
// a rejection until it is past the cache, which remembers those.
type passing struct{ rejection *access.Rejection }

// Error implements error.
func (p passing) Error() string { return p.rejection.Error() }

func isPassing(err error) bool {
	var p passing
	return errors.As(err, &p)
}

// settle shows a passing rejection for what it is.
func settle(err error) error {
	var p passing
	if errors.As(err, &p) {
		return p.rejection
	}
	return err
}

// rejected turns what is wrong with a token's form into a rejection.
func rejected(err error) error {
	var m malformed
	if errors.As(err, &m) {
		return access.Invalid(m.Error())
	}
	return err
}
