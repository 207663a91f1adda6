package bearer

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// maxName bounds the claim that names a consumer, in bytes.
const maxName = 512

// claimant is whose a token says it is. Which of the two kinds it is, and which
// credential, is settled before any key is touched.
type claimant interface {
	fmt.Stringer
	// verify proves that the claimant's key signed the token.
	verify(ctx context.Context, t *token) error
	// identify says who a verified token stands for.
	identify(ctx context.Context, t *token) (*access.Identity, error)
}

// find settles whose a token says it is: with the `iss` of a configured issuer
// that issuer's and nothing else; otherwise a consumer's own.
func (a *Authenticator) find(ctx context.Context, t *token) (claimant, error) {
	if t.claims.hasIss {
		if i := a.issuers.find(t.claims.iss); i != nil {
			return a.issuerBound(i, t)
		}
	}
	return a.consumerBound(ctx, t)
}

// consumerBound finds the credential by `iss`, else by the claim `key`, else by
// the header's `kid`: the first of them that is there, found or not (the JWT
// plugins of Kong and APISIX know a credential by one of these).
func (a *Authenticator) consumerBound(ctx context.Context, t *token) (claimant, error) {
	key, hasKey := t.claims.all["key"]
	keyText, isText := key.(string)
	switch {
	case t.claims.hasIss:
		found, err := a.credential(ctx, "iss", t.claims.iss)
		if err == nil && isText {
			err = a.contradicts(ctx, found, keyText)
		}
		return &consumerBound{a, found}, err
	case hasKey && !isText:
		return nil, malformed("claim key is not a string")
	case hasKey:
		found, err := a.credential(ctx, "key", keyText)
		return &consumerBound{a, found}, err
	case t.header.hasKid:
		found, err := a.credential(ctx, "kid", t.header.kid)
		return &consumerBound{a, found}, err
	}
	return nil, malformed("token names no credential: it has no iss, key or kid")
}

// contradicts rejects a token whose `key` is another consumer's than its `iss`.
func (a *Authenticator) contradicts(ctx context.Context, found *consumer.Found, key string) error {
	other, err := a.credential(ctx, "key", key)
	switch {
	case isPassing(err):
		return nil // no credential's key, so it says nothing
	case err != nil:
		return err
	case other.Consumer.Name != found.Consumer.Name:
		return passing{access.Invalid("claims iss and key are credentials of two consumers")}
	}
	return nil
}

// credential asks the store for a consumer's JWT credential.
func (a *Authenticator) credential(ctx context.Context, from, value string) (*consumer.Found, error) {
	found, err := consumer.Lookup(ctx, a.store, consumer.Reference{Kind: access.KindJWT, Value: value})
	switch {
	case errors.Is(err, consumer.ErrNotFound):
		return nil, passing{access.Unknown(fmt.Sprintf("%s is %.80q, which is no issuer and no credential", from, value))}
	case err != nil:
		return nil, fmt.Errorf("finding a JWT credential: %w", err)
	}
	return found, nil
}
