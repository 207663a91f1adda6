package introspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/claims"
	"github.com/postern-authz/postern/internal/consumer"
)

// proven is an identity, when it ends by the wall clock (zero: it does not),
// and what it costs to remember.
type proven struct {
	identity *access.Identity
	ends     time.Time
	cost     int64
}

// prove is the story of a token that is not remembered. A rejection is the
// answer to what was asked and may be remembered, whatever it is for: or else
// who has a token that is good for nothing could make us ask without end. All
// other errors are faults.
func (a *Authenticator) prove(ctx context.Context, token string) (proven, error) {
	text, err := a.server.ask(ctx, token)
	if err != nil {
		return proven{}, err
	}
	said, err := readAnswer(text)
	if err != nil {
		return proven{}, fmt.Errorf("introspection server %q: the answer: %w", a.server.Name(), err)
	}
	identity, err := a.accept(ctx, &said)
	if err != nil {
		return proven{}, err
	}
	// Guessed: the structs, the text, and the maps and lists over it.
	return proven{identity, a.endOf(&said, identity), int64(1024 + 4*len(text))}, nil
}

// accept judges an answer. Only what is good in all else is called expired.
func (a *Authenticator) accept(ctx context.Context, said *answer) (*access.Identity, error) {
	if err := a.believe(said); err != nil {
		return nil, err
	}
	identity, err := a.identityOf(ctx, said)
	if err != nil {
		return nil, err
	}
	if !said.expires.IsZero() && !a.now().Before(said.expires.Add(a.config.Leeway)) {
		return nil, access.Expired("token expired at " + said.expires.UTC().Format(time.RFC3339))
	}
	return identity, nil
}

// believe rejects a token that is not meant to be shown here, or not now.
func (a *Authenticator) believe(said *answer) error {
	latest := a.now().Add(a.config.Leeway)
	switch {
	case !said.active:
		return access.Invalid("token is not active, says introspection server " + a.server.Name())
	case !said.isOneOf(a.config.TokenTypes):
		return access.Invalid("token is of a type that is not believed, by token_type or typ")
	case len(a.config.Audiences) > 0 && !said.forOneOf(a.config.Audiences):
		return access.Invalid("aud has none of the expected audiences")
	case said.notBefore.After(latest):
		return access.Invalid("token is not valid yet, by nbf")
	case said.issuedAt.After(latest):
		return access.Invalid("token was issued in the future, by iat")
	}
	return nil
}

// identityOf says who the token stands for. What the record gives and what the
// answer gives are joined.
func (a *Authenticator) identityOf(ctx context.Context, said *answer) (*access.Identity, error) {
	found, err := a.consumer(ctx, said)
	if err != nil {
		return nil, err
	}
	roles, err1 := claims.List(said.all, a.config.Roles)
	groups, err2 := claims.List(said.all, a.config.Groups)
	scopes, err3 := claims.Scopes(said.all, a.config.Scopes)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, access.Invalid(err.Error())
		}
	}
	return &access.Identity{
		Consumer:   found.Consumer,
		Credential: found.Credential,
		Claims:     said.all,
		Issuer:     a.server.Name(),
		Scopes:     claims.Join(found.Credential.Scopes, scopes),
		Roles:      claims.Join(found.Consumer.Roles, roles),
		Groups:     claims.Join(found.Consumer.Groups, groups),
	}, nil
}

func (a *Authenticator) consumer(ctx context.Context, said *answer) (*consumer.Found, error) {
	value, _ := claims.At(said.all, a.config.ConsumerClaim)
	name, ok := value.(string)
	if !ok {
		return nil, access.Invalid("claim " + a.config.ConsumerClaim + " does not name a consumer")
	}
	found, err := consumer.OfIssuer(ctx, a.store, a.server.Name(), name, a.config.UnknownConsumer == UnknownEphemeral)
	switch {
	case errors.Is(err, consumer.ErrNotFound):
		return nil, access.Unknown(err.Error())
	case err != nil:
		return nil, fmt.Errorf("finding an issuer's credential: %w", err)
	}
	if rejection := found.Judge(a.config.Environments, a.now()); rejection != nil {
		return nil, rejection
	}
	return found, nil
}

// endOf is when an identity ends: with the token's life as the server says it,
// the credential's, or the longest that an answer counts, whichever is first. A
// token that is past its exp within the leeway is asked about every time.
func (a *Authenticator) endOf(said *answer, identity *access.Identity) time.Time {
	ends := earlier(said.expires, identity.Credential.ExpiresAt)
	if a.config.TTL > 0 {
		ends = earlier(ends, a.now().Add(a.config.TTL))
	}
	return ends
}

// earlier returns the earlier of two times; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
