package assertion

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// key is a key that is published, and that can sign when it has its private
// half.
type key struct {
	// id is the thumbprint of the public half (RFC 7638), so that it needs no
	// configuration and two keys never share one.
	id      string
	jwk     jwk
	method  jwt.SigningMethod
	private crypto.PrivateKey
}

const wantPrivate = "expected a private key in PEM (PKCS #8, BEGIN PRIVATE KEY), EC P-256 or Ed25519"

// parseSigningKey reads a private key.
func parseSigningKey(text []byte) (key, error) {
	k, err := parseKey(text)
	if err == nil && k.private == nil {
		return key{}, errors.New(wantPrivate + ", got a public key")
	}
	return k, err
}

// parseKey reads one private or public key. Errors never repeat what is in the
// text.
func parseKey(text []byte) (key, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return key{}, errors.New(wantPrivate + ", got no PEM")
	case len(bytes.TrimSpace(rest)) > 0:
		return key{}, errors.New("expected one key, got more behind it")
	}
	switch block.Type {
	case "PRIVATE KEY":
		return parsePrivate(block.Bytes)
	case "PUBLIC KEY":
		return parsePublic(block.Bytes)
	case "EC PRIVATE KEY", "RSA PRIVATE KEY":
		return key{}, errors.New(wantPrivate + ", got BEGIN " + block.Type + ": `openssl pkcs8 -topk8 -nocrypt` converts an EC key")
	case "ENCRYPTED PRIVATE KEY":
		return key{}, errors.New(wantPrivate + ", got an encrypted key")
	}
	return key{}, errors.New(wantPrivate + ", got another kind of PEM block")
}

func parsePrivate(der []byte) (key, error) {
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return key{}, errors.New(wantPrivate + ", got one that can't be read")
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return key{}, fmt.Errorf("%s, got %s", wantPrivate, kindOf(private))
	}
	k, err := published(signer.Public())
	k.private = private
	return k, err
}

func parsePublic(der []byte) (key, error) {
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return key{}, errors.New("expected a public key, EC P-256 or Ed25519, got one that can't be read")
	}
	return published(public)
}

// published makes a key without its private half.
func published(public crypto.PublicKey) (key, error) {
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		if p.Curve == elliptic.P256() {
			public, err := ecJWK(p)
			return newKey(public, jwt.SigningMethodES256), err
		}
	case ed25519.PublicKey:
		return newKey(edJWK(p), jwt.SigningMethodEdDSA), nil
	}
	return key{}, fmt.Errorf("expected a key of the kind EC P-256 or Ed25519, got %s", kindOf(public))
}

func kindOf(k any) string {
	switch k := k.(type) {
	case *ecdsa.PublicKey:
		return "EC " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return "RSA"
	}
	return "another kind"
}
