package assertion

import (
	"errors"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// What is taken where the configuration says nothing.
const (
	DefaultHeader = "X-Postern-Identity"
	DefaultIssuer = "postern"
	DefaultTTL    = time.Minute
)

// Bounds of a configuration. Half of the shortest life still outlasts the way
// to the upstream; the longest is short for a token that can't be called back.
const (
	MinTTL          = 2 * time.Second
	MaxTTL          = 15 * time.Minute
	MaxPreviousKeys = 8
)

// Config says how assertions are signed: the block identity.assertion.
type Config struct {
	// Key is the private key that signs, in PEM (PKCS #8): EC P-256 signs
	// ES256, Ed25519 signs EdDSA.
	Key access.Secret
	// PreviousKeys are published beside it and sign nothing: those that signed
	// until lately, and the next one ahead of its time. Each is a private key
	// as above, or a public key in PEM (PKIX).
	PreviousKeys []access.Secret
	// TTL is how long an assertion is good for.
	TTL time.Duration
	// Issuer is the claim iss; Audience is aud, left out when empty.
	Issuer   string
	Audience string
}

// FieldError is what is wrong with one field of a Config, named as in the
// configuration. Its text never holds anything of a key.
type FieldError struct{ Field, Text string }

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Text }

// Check reads the keys and returns everything that is wrong with c: nil, or
// *FieldError joined by errors.Join.
func (c Config) Check() error {
	_, err := c.keys()
	return errors.Join(err, c.checkClaims())
}

func (c Config) checkClaims() error {
	var errs []error
	if c.TTL < MinTTL || c.TTL > MaxTTL {
		errs = append(errs, &FieldError{"ttl", fmt.Sprintf("expected %s to %s", MinTTL, MaxTTL)})
	}
	if c.Issuer == "" {
		errs = append(errs, &FieldError{"issuer", "expected the name that assertions are issued under"})
	}
	return errors.Join(errs...)
}

// keys reads the signing key and then the previous ones. The same key twice is
// a rotation that did not happen.
func (c Config) keys() ([]key, error) {
	var errs []error
	signing, err := parseSigningKey(c.Key.Reveal())
	if err != nil {
		errs = append(errs, &FieldError{"key", err.Error()})
	}
	keys := []key{signing}
	if len(c.PreviousKeys) > MaxPreviousKeys {
		errs = append(errs, &FieldError{"previous_keys", fmt.Sprintf("expected at most %d keys", MaxPreviousKeys)})
		return nil, errors.Join(errs...)
	}
	for i := range c.PreviousKeys {
		previous, err := parseKey(c.PreviousKeys[i].Reveal())
		if err == nil && known(keys, previous.id) {
			err = errors.New("this key stands above already")
		}
		if err != nil {
			errs = append(errs, &FieldError{fmt.Sprintf("previous_keys[%d]", i), err.Error()})
			continue
		}
		keys = append(keys, previous)
	}
	return keys, errors.Join(errs...)
}

func known(keys []key, id string) bool {
	for _, k := range keys {
		if k.id == id {
			return true
		}
	}
	return false
}
