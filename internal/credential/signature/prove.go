package signature

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // HMAC-SHA1 is sound; it is believed where a record names it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
)

const sha256Name = "hmac-sha256"

// hashOf returns the hash of an algorithm, nil for an unknown one.
func hashOf(algorithm string) func() hash.Hash {
	switch algorithm {
	case sha256Name:
		return sha256.New
	case "hmac-sha384":
		return sha512.New384
	case "hmac-sha512":
		return sha512.New
	case "hmac-sha1":
		return sha1.New
	}
	return nil
}

// prove finds the key and checks the signature with it. An unknown key takes as
// long as a known one whose signature is wrong.
func (a *Authenticator) prove(ctx context.Context, s *signed) (*consumer.Found, error) {
	found, err := a.store.Find(ctx, consumer.Reference{Kind: access.KindSignature, Value: s.keyID})
	switch {
	case errors.Is(err, consumer.ErrNotFound):
		_ = s.holds([]byte("a secret that nothing is signed with"))
		return nil, access.Unknown("unknown key id, whose SHA-256 begins with " + fingerprint(s.keyID))
	case err != nil:
		return nil, fmt.Errorf("finding a signing key: %w", err)
	case found.Secret.Empty():
		return nil, fmt.Errorf("credential %s of consumer %s has no secret", found.Credential.ID, found.Consumer.Name)
	}
	if held := s.holds(found.Secret.Reveal()); !held || !names(found, s.algorithm) {
		return nil, access.Invalid("the signature is not of credential " + found.Credential.ID + " of consumer " + found.Consumer.Name + " under an algorithm of it")
	}
	if rejection := found.Judge(a.config.Environments, a.now()); rejection != nil {
		return nil, rejection
	}
	return found, nil
}

// fingerprint tells a key id in logs. It is not written out: who sends an API
// key along with a signature has sent a secret.
func fingerprint(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:3])
}

// names reports that a credential believes an algorithm; one that names none
// believes HMAC-SHA256 alone.
func names(found *consumer.Found, algorithm string) bool {
	if len(found.Algorithms) == 0 {
		return algorithm == sha256Name
	}
	return slices.Contains(found.Algorithms, algorithm)
}

// holds reports that the signature was made with the secret.
func (s *signed) holds(secret []byte) bool {
	h := hashOf(s.algorithm)
	if h == nil {
		return false
	}
	mac := hmac.New(h, secret)
	_, _ = mac.Write([]byte(s.head)) // a hash never fails
	_, _ = mac.Write(s.body)
	return hmac.Equal(mac.Sum(nil), s.mac)
}

// spend lets a signature hold once. The name it is remembered by has no
// revision in it: newer rules don't make it hold again.
func (a *Authenticator) spend(ctx context.Context, s *signed) error {
	if slices.Contains(a.config.DangerouslyRepeatable, s.dialect) && s.dialect != Plain {
		return nil
	}
	name := cache.Digest(string(access.KindSignature), string(s.dialect), s.keyID, s.once)
	first, err := a.nonces.Once(ctx, s.keyID, name, s.until)
	switch {
	case errors.Is(err, ErrFull):
		return access.TooManyFailures("no further signature of this key can be remembered now, so none is believed", retryWhenFull)
	case err != nil:
		return fmt.Errorf("remembering a signature: %w", err)
	case !first:
		return access.Invalid("the " + string(s.dialect) + " signature held before, or its nonce was used")
	}
	return nil
}
