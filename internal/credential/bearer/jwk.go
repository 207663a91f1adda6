package bearer

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

// maxExponentSize bounds an RSA exponent, in bytes.
const maxExponentSize = 4

// publicKey is a key that was judged good to verify with.
type publicKey struct {
	kid string
	// alg is the only one that the key is for, if the issuer names one.
	alg string
	key any
}

// fits reports whether a token of that algorithm may be verified with the key.
func (k *publicKey) fits(alg string) bool {
	return (k.alg == "" || k.alg == alg) && suits(alg, k.key) == nil
}

// checkPublic refuses secrets and private parts (RFC 7518 sections 6.2.2, 6.3.2
// and 6.4, RFC 8037 section 2).
func checkPublic(members map[string]any) error {
	if members["kty"] == "oct" {
		return malformed("a secret stands in an issuer's key set")
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, present := members[private]; present {
			return malformed("private parts of a key stand in an issuer's key set")
		}
	}
	return nil
}

// parseKey judges one key. Its kid is there also beside an error.
func parseKey(members map[string]any) (publicKey, error) {
	k := publicKey{}
	var err error
	if k.kid, err = optionalString(members, "kid"); err != nil {
		return k, err
	}
	if err := checkPurpose(members); err != nil {
		return k, err
	}
	if k.alg, err = optionalString(members, "alg"); err != nil {
		return k, err
	}
	if k.key, err = parseMaterial(members); err != nil {
		return k, err
	}
	if k.alg != "" {
		return k, suits(k.alg, k.key)
	}
	return k, nil
}

// checkPurpose wants a key for verifying (RFC 7517 sections 4.2 and 4.3):
// Keycloak publishes one for encryption beside it.
func checkPurpose(members map[string]any) error {
	if use, present := members["use"]; present && use != "sig" {
		return malformed("its use is not sig")
	}
	ops, present := members["key_ops"]
	if list, isList := ops.([]any); present && (!isList || !slices.Contains(list, any("verify"))) {
		return malformed("its key_ops do not have verify")
	}
	return nil
}

// parseMaterial takes nothing but the parts that make a public key. What else
// stands there, certificates above all, is no ground to believe a key.
func parseMaterial(members map[string]any) (any, error) {
	material := map[string]any{"kty": members["kty"]}
	for _, name := range []string{"crv", "x", "y", "n", "e"} {
		value, err := optionalString(members, name)
		if err != nil {
			return nil, err
		}
		if value != "" {
			material[name] = value
		}
	}
	if err := checkEncoding(material); err != nil {
		return nil, err
	}
	text, err := json.Marshal(material)
	if err != nil {
		return nil, err
	}
	parsed, err := jwk.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("no public key that is known: %w", err)
	}
	var key any
	if err := jwk.Export(parsed, &key); err != nil {
		return nil, fmt.Errorf("no public key that is known: %w", err)
	}
	return key, sound(key)
}

func checkEncoding(material map[string]any) error {
	for _, name := range []string{"x", "y", "n", "e"} {
		if text, present := material[name].(string); present {
			b, err := decode(text)
			if err != nil {
				return within(name, err)
			}
			if name == "e" && len(b) > maxExponentSize {
				return malformed("RSA exponent is too long")
			}
		}
	}
	return nil
}

func optionalString(members map[string]any, name string) (string, error) {
	value, present := members[name]
	text, ok := value.(string)
	if present && !ok {
		return "", malformed(name + " is not a string")
	}
	return text, nil
}
