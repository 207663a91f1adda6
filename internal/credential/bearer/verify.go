package bearer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"

	"github.com/golang-jwt/jwt/v5"
)

// signedBy proves that key signed the JWS. alg is the one that the key is pinned
// to, which the header must name; a key of another kind, curve or length than
// alg wants is refused before it is used.
func (j *jws) signedBy(alg string, key any) error {
	if j.header.alg != alg {
		return malformed("alg is not the one that the key is pinned to")
	}
	method := methodOf(alg)
	if method == nil {
		return malformed("algorithm is none, or not known")
	}
	if err := suits(alg, key); err != nil {
		return err
	}
	if method.Verify(j.input, j.signature, key) != nil {
		return malformed("signature is not good")
	}
	return nil
}

// methodOf returns what verifies an algorithm of RFC 7518 section 3.1 or RFC
// 8037; nil for "none" in any spelling and for all that is not named here.
func methodOf(alg string) jwt.SigningMethod {
	switch alg {
	case "HS256":
		return jwt.SigningMethodHS256
	case "HS384":
		return jwt.SigningMethodHS384
	case "HS512":
		return jwt.SigningMethodHS512
	case "RS256":
		return jwt.SigningMethodRS256
	case "RS384":
		return jwt.SigningMethodRS384
	case "RS512":
		return jwt.SigningMethodRS512
	case "PS256":
		return strictPSS(jwt.SigningMethodPS256)
	case "PS384":
		return strictPSS(jwt.SigningMethodPS384)
	case "PS512":
		return strictPSS(jwt.SigningMethodPS512)
	case "ES256":
		return jwt.SigningMethodES256
	case "ES384":
		return jwt.SigningMethodES384
	case "ES512":
		return jwt.SigningMethodES512
	case "EdDSA":
		return jwt.SigningMethodEdDSA
	}
	return nil
}

// strictPSS verifies with a salt as long as the hash alone (RFC 7518 section
// 3.5); golang-jwt takes a salt of any length.
func strictPSS(m *jwt.SigningMethodRSAPSS) jwt.SigningMethod {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: m.SigningMethodRSA,
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	}
}

// suits says whether an algorithm may use a key, as the keeper of the key
// declared it: a public key is never a secret's bytes, nor one curve another.
func suits(alg string, key any) error {
	ok := false
	switch method := methodOf(alg).(type) {
	case *jwt.SigningMethodHMAC:
		// RFC 7518 section 3.2: a secret has at least the hash's length.
		secret, isSecret := key.([]byte)
		ok = isSecret && len(secret) >= method.Hash.Size()
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		public, isRSA := key.(*rsa.PublicKey)
		ok = isRSA && public != nil && usableRSA(public) == nil
	case *jwt.SigningMethodECDSA:
		public, isECDSA := key.(*ecdsa.PublicKey)
		ok = isECDSA && public != nil && public.Curve == curveOf(method)
	case *jwt.SigningMethodEd25519:
		public, isEd25519 := key.(ed25519.PublicKey)
		ok = isEd25519 && len(public) == ed25519.PublicKeySize
	}
	if !ok {
		return malformed("key is not one for " + alg)
	}
	return nil
}

func curveOf(method *jwt.SigningMethodECDSA) elliptic.Curve {
	switch method.CurveBits {
	case 256:
		return elliptic.P256()
	case 384:
		return elliptic.P384()
	}
	return elliptic.P521()
}

// symmetric reports whether whoever can verify an algorithm can sign with it.
func symmetric(alg string) bool {
	_, is := methodOf(alg).(*jwt.SigningMethodHMAC)
	return is
}
