package bearer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/claims"
	"github.com/postern-authz/postern/internal/consumer"
)

// issuerBound is a consumer whose tokens an issuer signs.
type issuerBound struct {
	*Authenticator
	issuer *issuer
	// name is the consumer claim's value.
	name string
}

// issuerBound settles which credential a token of an issuer's claims: the one
// of that issuer and the consumer claim's value. The same value under another
// issuer is another credential.
func (a *Authenticator) issuerBound(i *issuer, t *token) (claimant, error) {
	value, _ := claims.At(t.claims.all, i.config.ConsumerClaim)
	name, ok := value.(string)
	if !ok || name == "" || len(name) > maxName {
		return nil, malformed("claim " + i.config.ConsumerClaim + " does not name a consumer")
	}
	return &issuerBound{a, i, name}, nil
}

// String implements claimant.
func (b *issuerBound) String() string {
	return fmt.Sprintf("issuer-bound: issuer %s, %s is %.80q", b.issuer.config.Name, b.issuer.config.ConsumerClaim, b.name)
}

// verify implements claimant. A bad signature stays bad under the same keys, so
// that rejection may be remembered.
func (b *issuerBound) verify(ctx context.Context, t *token) error {
	if !slices.Contains(b.issuer.config.Algorithms, t.header.alg) {
		return malformed("alg is not among those that the issuer is pinned to")
	}
	key, err := b.key(ctx, t.header)
	if err != nil {
		return err
	}
	return t.signedBy(t.header.alg, key)
}

// key returns the issuer's key for a header. A kid that is not known may be of
// a key that has just come: it is looked for once, for a moment.
func (b *issuerBound) key(ctx context.Context, h header) (any, error) {
	set, err := b.issuer.keys(b.now())
	if err != nil {
		return nil, err
	}
	key, ok := set.find(h)
	if !ok && h.kid != "" && !set.knows(h.kid) {
		b.issuer.asks.await(ctx)
		if set, err = b.issuer.keys(b.now()); err != nil {
			return nil, err
		}
		key, ok = set.find(h)
	}
	if !ok {
		return nil, passing{access.Invalid(fmt.Sprintf("issuer %s has not exactly one key for alg %s and kid %.80q", b.issuer.config.Name, h.alg, h.kid))}
	}
	return key, nil
}

// identify implements claimant. What the record gives and what the token gives
// are joined.
func (b *issuerBound) identify(ctx context.Context, t *token) (*access.Identity, error) {
	if !t.claims.forOneOf(b.issuer.config.Audiences) {
		return nil, malformed("claim aud has none of the expected audiences")
	}
	identity, err := b.consumer(ctx)
	if err != nil {
		return nil, err
	}
	roles, err1 := claims.List(t.claims.all, b.issuer.config.Roles)
	groups, err2 := claims.List(t.claims.all, b.issuer.config.Groups)
	scopes, err3 := claims.Scopes(t.claims.all, b.issuer.config.Scopes)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, err
		}
	}
	identity.Claims, identity.Issuer = t.claims.all, b.issuer.config.Name
	identity.Scopes = claims.Join(identity.Credential.Scopes, scopes)
	identity.Roles = claims.Join(identity.Consumer.Roles, roles)
	identity.Groups = claims.Join(identity.Consumer.Groups, groups)
	return identity, nil
}

// consumer returns whom the record ties to the claim's value, or an ephemeral
// consumer where those are wanted.
func (b *issuerBound) consumer(ctx context.Context) (*access.Identity, error) {
	config := &b.issuer.config
	found, err := consumer.OfIssuer(ctx, b.store, config.Name, b.name, config.UnknownConsumer == UnknownEphemeral)
	switch {
	case errors.Is(err, consumer.ErrNotFound):
		return nil, passing{access.Unknown(err.Error())}
	case err != nil:
		return nil, fmt.Errorf("finding an issuer's credential: %w", err)
	}
	return &access.Identity{Consumer: found.Consumer, Credential: found.Credential}, b.judge(found)
}
