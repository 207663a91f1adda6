package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// A key's length in bytes, as contract and authenticator have it.
const (
	minKey = 16
	maxKey = 512
)

// KeyReference is what finds an API key.
func KeyReference(key access.Secret) consumer.Reference {
	digest := sha256.Sum256(key.Reveal())
	return consumer.Reference{Kind: access.KindAPIKey, Value: string(digest[:])}
}

func (r *reader) apiKey(c *Credential, p *Proof) {
	switch {
	case r.has("key") == r.has("key_sha256"):
		r.refuse("", "expected one of key and key_sha256")
	case r.has("key"):
		if r.readable("key") && r.isKey(string(c.Key.Reveal())) {
			p.Reference = KeyReference(c.Key)
		}
	default:
		digest, err := hex.DecodeString(c.KeySHA256)
		if err != nil || len(digest) != sha256.Size {
			r.refuse("key_sha256", "expected the SHA-256 of the key as 64 hex digits")
			return
		}
		p.Reference.Value = string(digest)
	}
}

func (r *reader) isKey(key string) bool {
	outside := strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' || c == ',' })
	if outside || len(key) < minKey || len(key) > maxKey {
		r.refuse("key", "expected %d to %d characters of visible ASCII without commas", minKey, maxKey)
		return false
	}
	return r.resolved("key", key)
}

func (r *reader) issuer(c *Credential, p *Proof) {
	named := r.claim("issuer", c.Issuer)
	if named && r.Issuers != nil && !slices.Contains(r.Issuers, c.Issuer) {
		r.refuse("issuer", "%q is not the name of a configured issuer", c.Issuer)
		named = false
	}
	if valued := r.claim("value", c.Value); named && valued {
		p.Reference.Issuer, p.Reference.Value = c.Issuer, c.Value
	}
}
