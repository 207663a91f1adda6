package rules

import "crypto/elliptic"

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
