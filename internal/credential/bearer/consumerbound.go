package bearer

import (
	"context"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// consumerBound is a consumer that signs its own tokens.
type consumerBound struct {
	*Authenticator
	found *consumer.Found
}

// String implements claimant.
func (c *consumerBound) String() string {
	return "consumer-bound: credential " + c.found.Credential.ID + " of consumer " + c.found.Consumer.Name
}

// verify implements claimant. Its rejections hang on the record, so they are
// passing.
func (c *consumerBound) verify(_ context.Context, t *token) error {
	key := any(c.found.PublicKey)
	if symmetric(c.found.Algorithm) {
		key = c.found.Secret.Reveal()
	}
	if err := t.signedBy(c.found.Algorithm, key); err != nil {
		return passing{access.Invalid(err.Error())}
	}
	return nil
}

// identify implements claimant. Scopes, roles and groups come from the record
// alone: who signs its own tokens would give itself what it likes.
func (c *consumerBound) identify(_ context.Context, t *token) (*access.Identity, error) {
	if err := c.judge(c.found); err != nil {
		return nil, err
	}
	identity := c.found.Identity()
	identity.Claims = t.claims.all
	return identity, nil
}

// judge rejects what does not count now.
func (a *Authenticator) judge(found *consumer.Found) error {
	if rejection := found.Judge(a.config.Environments, a.now()); rejection != nil {
		return passing{rejection}
	}
	return nil
}
