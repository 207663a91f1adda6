package file

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

// kinds are the kinds of credential with the fields that they know.
var kinds = map[string][]string{
	"api_key":            {"key", "key_sha256"},
	"jwt":                {"key", "algorithm", "secret", "public_key", "public_key_file"},
	"issuer":             {"issuer", "value"},
	"basic":              {"username", "password", "password_hash"},
	"signature":          {"key_id", "secret", "algorithms"},
	"client_certificate": {"uri_san", "dns_san", "subject", "sha256"},
}

// particular are the fields that not every kind knows.
var particular = []string{
	"key", "key_sha256", "algorithm", "secret", "public_key", "public_key_file", "issuer", "value",
	"username", "password", "password_hash", "key_id", "algorithms", "uri_san", "dns_san", "subject", "sha256",
}

// credential checks one credential and adds it to the snapshot.
func (s source) credential(owner *access.Consumer, c *credential) {
	s.at("id").name(c.ID, "credential")
	s.at("scopes").list(c.Scopes, scopeForm.MatchString, `a scope of printable ASCII without space, " and \`)
	found := &consumer.Found{
		Consumer: owner,
		Credential: &access.Credential{
			ID: c.ID, Kind: access.Kind(c.Type), Scopes: c.Scopes, ExpiresAt: c.ExpiresAt,
			Enabled:     c.Enabled || !s.has("enabled"),
			Constraints: s.constraints(&c.Constraints),
		},
	}
	if !s.knows(c.Type) {
		return
	}
	if ref, ok := s.proof(c, found); ok {
		s.snapshot.found[ref] = found
	}
}

// knows checks the type, and that no field of another type is here.
func (s source) knows(kind string) bool {
	fields, ok := kinds[kind]
	switch {
	case kind == "" && !s.has("type"): // told by the decoder
		return false
	case !ok:
		s.at("type").problem("expected api_key, jwt, issuer, basic, signature or client_certificate")
		return false
	}
	for _, field := range particular {
		if s.has(field) && !slices.Contains(fields, field) {
			s.at(field).problem("does not belong to a credential of type %s", kind)
		}
	}
	return true
}

// proof reads what finds and verifies a credential.
func (s source) proof(c *credential, found *consumer.Found) (consumer.Reference, bool) {
	switch access.Kind(c.Type) {
	case access.KindAPIKey:
		return s.apiKey(c)
	case access.KindJWT:
		return s.jwt(c, found)
	case access.KindBasic:
		return s.basic(c, found)
	case access.KindSignature:
		return s.signature(c, found)
	case access.KindClientCertificate:
		return s.certificate(c)
	default:
		return s.issuer(c)
	}
}

func (s source) apiKey(c *credential) (consumer.Reference, bool) {
	ref := consumer.Reference{Kind: access.KindAPIKey}
	switch {
	case s.has("key") == s.has("key_sha256"):
		s.problem("expected one of key and key_sha256")
		return ref, false
	case s.has("key"):
		key, ok := s.at("key").resolve(c.Key)
		if !ok || !s.at("key").isKey(key) {
			return ref, false
		}
		digest := sha256.Sum256([]byte(key))
		ref.Value = string(digest[:])
		return ref, s.at("key").take("key\x00"+ref.Value, "the same key")
	}
	digest, err := hex.DecodeString(c.KeySHA256)
	if err != nil || len(digest) != sha256.Size {
		s.at("key_sha256").problem("expected the SHA-256 of the key as 64 hex digits")
		return ref, false
	}
	ref.Value = string(digest)
	return ref, s.at("key_sha256").take("key\x00"+ref.Value, "the same key")
}

func (s source) isKey(key string) bool {
	outside := strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' })
	if outside || len(key) < minKey || len(key) > maxKey {
		s.problem("expected %d to %d characters of visible ASCII without commas", minKey, maxKey)
		return false
	}
	return true
}

func (s source) issuer(c *credential) (consumer.Reference, bool) {
	ref := consumer.Reference{Kind: access.KindIssuer, Issuer: c.Issuer, Value: c.Value}
	named := s.claim("issuer", c.Issuer)
	if named && s.Issuers != nil && !slices.Contains(s.Issuers, c.Issuer) {
		s.at("issuer").problem("%q is not the name of a configured issuer", c.Issuer)
		named = false
	}
	valued := s.claim("value", c.Value)
	return ref, named && valued && s.at("value").take("issuer\x00"+c.Issuer+"\x00"+c.Value, "the same value of the same issuer")
}

// claim checks a required text that is compared with a token's.
func (s source) claim(key, value string) bool {
	switch {
	case !s.has(key):
		s.problem("lacks the key %q", key)
		return false
	case value == "" || len(value) > maxText || strings.ContainsFunc(value, unprintable):
		s.at(key).problem("expected 1 to %d bytes, without control characters", maxText)
		return false
	}
	return true
}
