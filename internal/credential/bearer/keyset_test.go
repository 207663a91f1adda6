package bearer

import (
	"crypto/rsa"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func TestKeySets(t *testing.T) {
	keys := keysOfRun()
	one, two := jwkOf("a", &keys.rsa1.PublicKey, ""), jwkOf("b", &keys.rsa2.PublicKey, "")
	even := &rsa.PublicKey{N: new(big.Int).Lsh(keys.rsa1.N, 1), E: 65537}
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}
	huge.N.Add(huge.N, big.NewInt(1))
	for name, c := range map[string]struct {
		set  string
		keys int
		// says is part of why a key or the set was not taken.
		says string
	}{
		"one":                     {jwks(one), 1, ""},
		"two":                     {jwks(one, two), 2, ""},
		"all kinds":               {jwks(one, jwkOf("e", &keys.ec256.PublicKey, ""), jwkOf("f", &keys.ec384.PublicKey, ""), jwkOf("g", keys.ed.Public(), "")), 4, ""},
		"row 06 same kid":         {jwks(one, jwkOf("a", &keys.rsa2.PublicKey, "")), 0, "same kid"},
		"row 06 same kid, enc":    {jwks(one, jwkOf("a", &keys.rsa2.PublicKey, `,"use":"enc"`)), 0, "same kid"},
		"row 20 enc":              {jwks(one, jwkOf("b", &keys.rsa2.PublicKey, `,"use":"enc"`)), 1, "use is not sig"},
		"row 20 enc alg":          {jwks(one, jwkOf("b", &keys.rsa2.PublicKey, `,"alg":"RSA-OAEP"`)), 1, "not one for RSA-OAEP"},
		"row 20 key_ops":          {jwks(one, jwkOf("b", &keys.rsa2.PublicKey, `,"key_ops":["encrypt"]`)), 1, "key_ops"},
		"row 20 key_ops a string": {jwks(one, jwkOf("b", &keys.rsa2.PublicKey, `,"key_ops":"verify"`)), 1, "key_ops"},
		"row 20 1024 bits":        {jwks(one, jwkOf("b", &keys.weak.PublicKey, "")), 1, "1024"},
		"row 20 8193 bits":        {jwks(one, jwkOf("b", huge, "")), 1, "2048 to 8192"},
		"row 20 even":             {jwks(one, jwkOf("b", even, "")), 1, "even"},
		"row 20 e is 1":           {jwks(one, jwkOf("b", &rsa.PublicKey{N: keys.rsa2.N, E: 1}, "")), 1, "exponent"},
		"row 20 e is long":        {jwks(one, strings.Replace(two, `"e":"AQAB"`, `"e":"AQAAAAAAAQAB"`, 1)), 1, "exponent"},
		"row 20 off the curve":    {jwks(one, offCurve()), 1, ""},
		"row 20 other curve":      {jwks(one, strings.Replace(jwkOf("b", &keys.ec256.PublicKey, ""), "P-256", "P-384", 1)), 1, ""},
		"row 20 secp256k1":        {jwks(one, strings.Replace(jwkOf("b", &keys.ec256.PublicKey, ""), "P-256", "secp256k1", 1)), 1, ""},
		"row 20 other kty":        {jwks(one, strings.Replace(two, `"RSA"`, `"EC"`, 1)), 1, ""},
		"row 20 unknown kty":      {jwks(one, `{"kty":"AKP","kid":"b","pub":"AA"}`), 1, ""},
		"row 20 X25519":           {jwks(one, strings.Replace(jwkOf("b", keys.ed.Public(), ""), "Ed25519", "X25519", 1)), 1, ""},
		"row 20 alg of a curve":   {jwks(one, jwkOf("b", &keys.ec384.PublicKey, `,"alg":"ES256"`)), 1, "not one for ES256"},
		"row 20 padded n":         {jwks(one, strings.Replace(two, `","e"`, `=","e"`, 1)), 1, "base64url"},
		"row 20 kid a number":     {jwks(one, strings.Replace(two, `"kid":"b"`, `"kid":1`, 1)), 1, "kid is not a string"},
		"row 20 oct":              {jwks(one, `{"kty":"oct","k":"c2VjcmV0"}`), 0, "secret"},
		"row 20 private RSA":      {jwks(one, jwkOf("b", &keys.rsa2.PublicKey, `,"d":"AQ"`)), 0, "private"},
		"row 20 private, enc":     {jwks(one, jwkOf("b", &keys.rsa2.PublicKey, `,"d":"AQ","use":"enc"`)), 0, "private"},
		"row 20 private null":     {jwks(one, jwkOf("b", &keys.rsa2.PublicKey, `,"p":null`)), 0, "private"},
		"row 20 nothing left":     {jwks(jwkOf("b", &keys.weak.PublicKey, "")), 0, "no usable key"},
		"empty":                   {jwks(), 0, "no usable key"},
		"row 24 101 keys":         {jwks(strings.Split(strings.Repeat("{},", 100)+"{}", ",")...), 0, "at most 100"},
		"row 24 HTML":             {"<html>", 0, "not a JSON object"},
		"row 24 large":            {strings.Repeat(" ", maxSetSize) + jwks(one), 0, "1 MiB"},
		"keys twice":              {`{"keys":[],"keys":[` + one + `]}`, 0, "twice"},
		"keys an object":          {`{"keys":{}}`, 0, "list"},
		"a key is no object":      {jwks(one, `"b"`), 0, "not an object"},
		"not UTF-8":               {"{\"x\":\"\xff\",\"keys\":[" + one + "]}", 0, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := parseKeySet([]byte(c.set))
			if set == nil {
				set = &keySet{}
			}
			if said := fmt.Sprint(set.leftOut, err); len(set.keys) != c.keys || !strings.Contains(said, c.says) {
				t.Errorf("%d keys, said %s; want %d and %q", len(set.keys), said, c.keys, c.says)
			}
		})
	}
}

// offCurve is the point (0, 0), which is on no curve that is believed.
func offCurve() string {
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":"b","x":%q,"y":%q}`, b64(make([]byte, 32)), b64(make([]byte, 32)))
}

func TestFingerprintIgnoresOrderAndSeesChange(t *testing.T) {
	keys := keysOfRun()
	one, two := jwkOf("a", &keys.rsa1.PublicKey, ""), jwkOf("b", &keys.rsa2.PublicKey, "")
	printOf := func(set string) [32]byte { return must(parseKeySet([]byte(set))).print }
	if printOf(jwks(one, two)) != printOf(jwks(two, one)) {
		t.Error("the order of keys changes the fingerprint")
	}
	for name, other := range map[string]string{
		"a key less":   jwks(one),
		"another kid":  jwks(one, jwkOf("c", &keys.rsa2.PublicKey, "")),
		"another alg":  jwks(one, jwkOf("b", &keys.rsa2.PublicKey, `,"alg":"RS256"`)),
		"another key":  jwks(one, jwkOf("b", &keys.ec256.PublicKey, "")),
		"kids swapped": jwks(jwkOf("b", &keys.rsa1.PublicKey, ""), jwkOf("a", &keys.rsa2.PublicKey, "")),
	} {
		if printOf(jwks(one, two)) == printOf(other) {
			t.Errorf("%s: the same fingerprint", name)
		}
	}
}
