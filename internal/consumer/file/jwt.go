package file

import (
	"crypto"
	"crypto/elliptic"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// algorithm says what a JWT algorithm (RFC 7518 section 3.1, RFC 8037) is
// verified with: a secret of at least minSecret bytes, which is the hash's
// length (section 3.2), or a public key of a family.
type algorithm struct {
	minSecret int
	family    family
	curve     elliptic.Curve
}

type family string

const (
	familyRSA     family = "RSA"
	familyEC      family = "EC"
	familyEd25519 family = "Ed25519"
)

var algorithms = map[string]algorithm{
	"HS256": {minSecret: 32}, "HS384": {minSecret: 48}, "HS512": {minSecret: 64},
	"RS256": {family: familyRSA}, "RS384": {family: familyRSA}, "RS512": {family: familyRSA},
	"PS256": {family: familyRSA}, "PS384": {family: familyRSA}, "PS512": {family: familyRSA},
	"ES256": {family: familyEC, curve: elliptic.P256()},
	"ES384": {family: familyEC, curve: elliptic.P384()},
	"ES512": {family: familyEC, curve: elliptic.P521()},
	"EdDSA": {family: familyEd25519},
}

func (s source) jwt(c *credential, found *consumer.Found) (consumer.Reference, bool) {
	ref := consumer.Reference{Kind: access.KindJWT, Value: c.Key}
	named := s.claim("key", c.Key) && s.at("key").take("jwt\x00"+c.Key, "the same jwt key")
	if foreignReference(c.Key) {
		s.at("key").problem("is a name and no secret; expected the value of the claim itself")
		named = false
	}
	alg, ok := algorithms[c.Algorithm]
	switch {
	case !s.has("algorithm"):
		s.problem("lacks the key %q", "algorithm")
		return ref, false
	case !ok:
		s.at("algorithm").problem("expected HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA")
		return ref, false
	}
	found.Algorithm = c.Algorithm
	if alg.minSecret > 0 {
		found.Secret, ok = s.secret(c, alg)
	} else {
		found.PublicKey, ok = s.publicKey(c, alg)
	}
	return ref, named && ok
}

func (s source) secret(c *credential, alg algorithm) (access.Secret, bool) {
	if !s.has("secret") || s.has("public_key") || s.has("public_key_file") {
		s.problem("%s is verified with a secret; expected secret and no public key", c.Algorithm)
		return access.Secret{}, false
	}
	return s.at("secret").strong(c.Secret, c.Algorithm, alg.minSecret)
}

// strong reads a secret that is long enough for its use.
func (s source) strong(text, use string, least int) (access.Secret, bool) {
	value, ok := s.resolve(text)
	if !ok {
		return access.Secret{}, false
	}
	if len(value) < least {
		s.problem("is too short for %s; expected at least %d bytes", use, least)
		return access.Secret{}, false
	}
	return access.NewSecret(value), true
}

func (s source) publicKey(c *credential, alg algorithm) (crypto.PublicKey, bool) {
	inPlace, inFile := s.has("public_key"), s.has("public_key_file")
	if s.has("secret") || inPlace == inFile {
		s.problem("%s is verified with a public key; expected one of public_key and public_key_file, and no secret", c.Algorithm)
		return nil, false
	}
	where, text := s.at("public_key"), c.PublicKey.Text
	if inFile {
		where = s.at("public_key_file")
		data, err := s.read(s.beside(c.PublicKeyFile), maxSecretFile)
		if err != nil {
			where.problem("the file %s", err)
			return nil, false
		}
		text = string(data)
	}
	key, err := parseKey(text, c.PublicKey.JWK, c.Algorithm)
	if err == nil {
		err = alg.accepts(key)
	}
	if err != nil {
		where.problem("%s", err)
	}
	return key, err == nil
}
