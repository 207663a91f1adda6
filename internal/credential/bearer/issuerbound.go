package bearer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/postern-authz/postern/internal/access"
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
	value, _ := at(t.claims.all, i.config.ConsumerClaim)
	name, ok := value.(string)
	if !ok || name == "" || len(name) > maxReference {
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
	return verify(t.header.alg, t.input, t.signature, key)
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
	roles, err1 := listAt(t.claims.all, b.issuer.config.Roles)
	groups, err2 := listAt(t.claims.all, b.issuer.config.Groups)
	scopes, err3 := scopesAt(t.claims.all, b.issuer.config.Scopes)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, err
		}
	}
	identity.Claims, identity.Issuer = t.claims.all, b.issuer.config.Name
	identity.Scopes = join(identity.Credential.Scopes, scopes)
	identity.Roles = join(identity.Consumer.Roles, roles)
	identity.Groups = join(identity.Consumer.Groups, groups)
	return identity, nil
}

// consumer returns whom the record ties to the claim's value, or an ephemeral
// consumer where those are wanted. A record always counts: a consumer that is
// disabled does not come back as an ephemeral one.
func (b *issuerBound) consumer(ctx context.Context) (*access.Identity, error) {
	found, err := b.lookUp(ctx, consumer.Reference{Kind: access.KindIssuer, Issuer: b.issuer.config.Name, Value: b.name})
	switch {
	case errors.Is(err, consumer.ErrNotFound) && b.issuer.config.UnknownConsumer == UnknownEphemeral:
		return b.ephemeral(ctx)
	case errors.Is(err, consumer.ErrNotFound):
		return nil, passing{access.Invalid(fmt.Sprintf("issuer %s: no consumer has the value %.80q", b.issuer.config.Name, b.name))}
	case err != nil:
		return nil, err
	}
	return &access.Identity{Consumer: found.Consumer, Credential: found.Credential}, b.judge(found)
}

// ephemeral makes a consumer of the claim's value. It can't take the name of a
// declared one: to the upstream the two would be the same.
func (b *issuerBound) ephemeral(ctx context.Context) (*access.Identity, error) {
	if !consumer.ValidName(b.name) {
		return nil, passing{access.Invalid(fmt.Sprintf("issuer %s: %.80q can't be a consumer's name", b.issuer.config.Name, b.name))}
	}
	_, err := b.lookUp(ctx, consumer.NameReference(b.name))
	switch {
	case err == nil:
		return nil, passing{access.Invalid(fmt.Sprintf("issuer %s: %.80q is the name of a declared consumer that the issuer has no credential for", b.issuer.config.Name, b.name))}
	case !errors.Is(err, consumer.ErrNotFound):
		return nil, err
	}
	return &access.Identity{
		Consumer:   &access.Consumer{Name: b.name, Enabled: true, Ephemeral: true},
		Credential: &access.Credential{Kind: access.KindIssuer, Enabled: true},
	}, nil
}

// join returns the members of both lists, each once, in a new list.
func join(a, b []string) []string {
	var out []string
	for _, list := range [][]string{a, b} {
		for _, s := range list {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}
