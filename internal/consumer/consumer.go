// Package consumer holds consumers and their credentials as records, and the
// contract of every place that keeps them. The conformance suite in
// consumertest runs on each of those places.
package consumer

import (
	"context"
	"crypto"
	"errors"

	"github.com/postern-authz/postern/internal/access"
)

// ErrNotFound is a store's word that no credential has that reference. It is
// the only error that may be remembered as "unknown"; any other is a fault of
// the store.
var ErrNotFound = errors.New("no such credential")

// Reference is what a request shows of a credential, enough to find it.
type Reference struct {
	Kind access.Kind
	// Issuer is the configured issuer's name, for access.KindIssuer alone: the
	// same value under two issuers is two credentials.
	Issuer string
	// Value is, by kind: an API key's SHA-256 digest as raw bytes; a JWT
	// credential's key; an issuer credential's value; a basic credential's
	// username; a signature credential's key id; of a client certificate
	// "uri:", "dns:" or "subject:" and the name, or "sha256:" and the
	// fingerprint in lower-case hexadecimal digits.
	Value string
}

// Found is a credential with its consumer and what verifies it. It is shared
// and never changed.
type Found struct {
	Consumer   *access.Consumer
	Credential *access.Credential
	// Algorithm, with Secret or PublicKey, verifies a JWT credential's tokens.
	Algorithm string
	Secret    access.Secret
	PublicKey crypto.PublicKey
	// Password is a basic credential's hash, in a form that package password
	// knows.
	Password access.Secret
	// Algorithms, with Secret, verify a signature credential's requests.
	Algorithms []string
}

// Store finds credentials. Disabled and expired ones are found too: what they
// are worth is for the authenticator to say. It is called by many goroutines
// at once.
type Store interface {
	Find(ctx context.Context, ref Reference) (*Found, error)
}
