package rules

import (
	"fmt"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// FoundOf makes of two records what a Store finds. A revoked credential is a
// disabled one to whoever asks for it. The error is that of a record that no
// rule would have let in, such as a public key that can't be read.
func FoundOf(r *consumer.Record, c *consumer.CredentialRecord) (*consumer.Found, error) {
	owner, credential := r.Consumer, c.Credential
	credential.Enabled = credential.Enabled && c.RevokedAt.IsZero()
	found := &consumer.Found{
		Consumer: &owner, Credential: &credential,
		Algorithm: c.Algorithm, Algorithms: c.Algorithms, Secret: c.Secret, Password: c.Password,
	}
	if credential.Kind != access.KindJWT || c.PublicKey == "" {
		return found, nil
	}
	var err error
	if found.PublicKey, err = PublicKey(c.PublicKey, c.Algorithm); err != nil {
		return nil, fmt.Errorf("the public key of credential %s %w", c.ID, err)
	}
	return found, nil
}
