package assertion

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/golang-jwt/jwt/v5"
)

// jwk is a public key as published (RFC 7517, RFC 8037 for OKP). The order of
// the first four members is that of a thumbprint.
type jwk struct {
	Curve string `json:"crv"`
	Type  string `json:"kty"`
	X     string `json:"x"`
	Y     string `json:"y,omitempty"`
	ID    string `json:"kid,omitempty"`
	Use   string `json:"use,omitempty"`
	Alg   string `json:"alg,omitempty"`
}

func ecJWK(p *ecdsa.PublicKey) (jwk, error) {
	point, err := p.Bytes() // 4, x, y: 32 bytes each
	if err != nil {
		return jwk{}, fmt.Errorf("EC key: %w", err)
	}
	return jwk{Type: "EC", Curve: "P-256", X: encode(point[1:33]), Y: encode(point[33:])}, nil
}

func edJWK(p ed25519.PublicKey) jwk {
	return jwk{Type: "OKP", Curve: "Ed25519", X: encode(p)}
}

// newKey names a key by its thumbprint: the digest of its required members in
// the order of their names, without white space (RFC 7638 section 3).
func newKey(public jwk, method jwt.SigningMethod) key {
	text, _ := json.Marshal(public)
	sum := sha256.Sum256(text)
	public.ID, public.Use, public.Alg = encode(sum[:]), "sig", method.Alg()
	return key{id: public.ID, jwk: public, method: method}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshalSet(keys []key) []byte {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.jwk)
	}
	text, _ := json.Marshal(set) // strings alone: can't fail
	return text
}

// JWKSPath is where upstreams look for the public keys.
const JWKSPath = "/.well-known/jwks.json"

// jwksMaxAge is how long upstreams may keep the set, in seconds; a key must be
// published for that long before it signs.
const jwksMaxAge = 300

// JWKSHandler serves the public keys of the signer in force; without one, 404.
// It is public: the keys are, and nothing else is told.
func JWKSHandler(current func() *Signer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := current()
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		case s == nil:
			http.NotFound(w, r)
		default:
			w.Header().Set("Content-Type", "application/jwk-set+json")
			w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", jwksMaxAge))
			_, _ = w.Write(s.jwks) // the client has gone
		}
	})
}
