package rules

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

// RSA moduli in bits: shorter ones are weak, longer ones a burden.
const (
	minRSA = 2048
	maxRSA = 8192
)

// PublicKey reads a public key from PEM or from a JWK's JSON, and checks that
// the algorithm verifies with it. Its errors say what is wrong with "it" and do
// not repeat the text, which may be a private key.
func PublicKey(text, algorithm string) (crypto.PublicKey, error) {
	key, err := parseKey(strings.TrimSpace(text), algorithm)
	if err != nil {
		return nil, err
	}
	if err := algorithms[algorithm].accepts(key); err != nil {
		return nil, err
	}
	return key, nil
}

func parseKey(text, algorithm string) (crypto.PublicKey, error) {
	if strings.HasPrefix(text, "{") {
		return parseJWK([]byte(text), algorithm)
	}
	return parsePEM([]byte(text))
}

func parsePEM(data []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("expected a public key in PEM, or a JWK")
	case len(bytes.TrimSpace(rest)) > 0 || !bytes.HasPrefix(data, []byte("-----BEGIN ")):
		return nil, errors.New("has something beside the key; expected one PEM block")
	case strings.Contains(block.Type, "PRIVATE"):
		return nil, errors.New("is a private key; expected the public one")
	}
	switch block.Type {
	case "PUBLIC KEY":
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			return key, nil
		}
	case "RSA PUBLIC KEY":
		if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
			return key, nil
		}
	default:
		return nil, errors.New("expected a PEM block of type PUBLIC KEY")
	}
	return nil, errors.New("the PEM block holds no public key that can be read")
}

func parseJWK(data []byte, algorithm string) (crypto.PublicKey, error) {
	key, err := jwk.ParseKey(data)
	if err != nil {
		return nil, errors.New("is not a JWK that can be read")
	}
	if private, err := jwk.IsPrivateKey(key); err != nil || private {
		return nil, errors.New("is a private or a secret key; expected a public one")
	}
	if alg, ok := key.Algorithm(); ok && alg.String() != algorithm {
		return nil, fmt.Errorf("the JWK's alg is not the credential's algorithm %s", algorithm)
	}
	if use, ok := key.KeyUsage(); ok && use != "sig" {
		return nil, errors.New("the JWK's use is not sig")
	}
	if ops, ok := key.KeyOps(); ok && !slices.Contains(ops, jwk.KeyOpVerify) {
		return nil, errors.New("the JWK's key_ops lack verify")
	}
	var raw any
	if err := jwk.Export(key, &raw); err != nil {
		return nil, errors.New("the JWK holds no public key that can be read")
	}
	return byValue(raw), nil
}

// byValue gives a key the form that crypto/x509 gives it.
func byValue(raw any) crypto.PublicKey {
	switch key := raw.(type) {
	case rsa.PublicKey:
		return &key
	case ecdsa.PublicKey:
		return &key
	}
	return raw
}

// accepts checks that the key is one that the algorithm verifies with, and a
// sound one.
func (a algorithm) accepts(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if a.family == familyRSA {
			return soundRSA(key)
		}
	case *ecdsa.PublicKey:
		if a.family == familyEC && key.Curve == a.curve {
			return nil // both readers refuse a point off its curve
		}
		if a.family == familyEC {
			return fmt.Errorf("is on another curve; expected %s", a.curve.Params().Name)
		}
	case ed25519.PublicKey:
		if a.family == familyEd25519 && len(key) == ed25519.PublicKeySize {
			return nil
		}
	}
	return fmt.Errorf("is not of the family that the algorithm needs; expected %s", a.family)
}

func soundRSA(key *rsa.PublicKey) error {
	switch bits := key.N.BitLen(); {
	case bits < minRSA || bits > maxRSA:
		return fmt.Errorf("is an RSA key of %d bits; expected %d to %d", bits, minRSA, maxRSA)
	case key.E < 3 || key.E%2 == 0:
		return errors.New("has an RSA exponent that proves nothing; expected an odd one of at least 3")
	}
	return nil
}
