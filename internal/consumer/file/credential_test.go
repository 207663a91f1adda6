package file_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// canary stands wherever a secret might be told.
const canary = "canary-0123456789-0123456789-0123456789"

// bcryptHash is the hash of another password than the canary.
const bcryptHash = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"

func TestRefused(t *testing.T) {
	consumer := func(fields string) string { return "consumers:\n- {name: a, " + fields + "}" }
	credential := func(fields string) string { return head + "  - {id: k, " + fields + "}" }
	const c0 = "/c:4: consumers[0].credentials[0]"
	tests := []struct{ name, yaml, want string }{
		{"plan", consumer("plan: gold"), "/c:2: consumers[0].plan: is not supported by this version"},
		{"hours", consumer("constraints: {methods: [GET], hours: {from: 9}}"), "/c:2: consumers[0].constraints.hours: is not supported by this version"},
		{"referrers", consumer("constraints: {methods: [GET], referrers: [x]}"), "/c:2: consumers[0].constraints.referrers: is not supported by this version"},
		{"unknown constraint", consumer("constraints: {addreses: [10.0.0.1]}"), "/c:2: consumers[0].constraints: unknown key \"addreses\"; did you mean \"addresses\"?"},
		{"empty constraints", consumer("constraints: {}"), "/c:2: consumers[0].constraints: constrains nothing; leave the key out if that is meant"},
		{"empty addresses", consumer("constraints: {addresses: []}"), "/c:2: consumers[0].constraints.addresses: is empty, which would allow everything; leave the key out if that is meant"},
		{"methods without value", consumer("constraints: {methods: }"), "/c:2: consumers[0].constraints.methods: has no value; give it one or leave the key out"},
		{"method in lower case", consumer("constraints: {methods: [get]}"), "/c:2: consumers[0].constraints.methods[0]: expected a method in upper case"},
		{"enabled without value", consumer("enabled: "), "/c:2: consumers[0].enabled: has no value; give it one or leave the key out"},
		{"enabled as a word", consumer("enabled: off"), "/c:2: consumers[0].enabled: expected true or false, found a string"},
		{"environment", consumer("environment: Prod"), "/c:2: consumers[0].environment: expected lower-case letters, digits and -, at most 32"},
		{"group with comma", consumer(`groups: ["a,admin"]`), "/c:2: consumers[0].groups[0]: expected a text without commas and control characters"},
		{"role with line break", consumer(`roles: ["a\r\nX-Admin: 1"]`), "/c:2: consumers[0].roles[0]: expected a text without commas and control characters"},
		{"label with line break", consumer(`labels: {custom_id: "a\nb"}`), "/c:2: consumers[0].labels.custom_id: expected at most 256 bytes, without control characters"},
		{"label that is a number", consumer(`labels: {custom_id: 42}`), "/c:2: consumers[0].labels.custom_id: expected a string, found a number; put it in quotes"},
		{"name in other script", "consumers: [{name: äpp}]", "/c:1: consumers[0].name: expected ASCII letters, digits, '.', '_' and '-', at most 128"},
		{"name of dots", "consumers: [{name: ..}]", "/c:1: consumers[0].name: expected ASCII letters, digits, '.', '_' and '-', at most 128"},
		{"empty name", `consumers: [{name: ""}]`, "/c:1: consumers[0].name: is empty"},
		{"no consumers", "{}", `/c:1: lacks the key "consumers"`},

		{"unknown type", credential("type: apikey, key: " + canary), c0 + ".type: expected api_key, jwt, issuer, basic, signature or client_certificate"},
		{"no type", credential("key: " + canary), c0 + ": lacks the key \"type\""},
		{"no id", head + "  - {type: api_key, key: " + canary + "}", c0 + ": lacks the key \"id\""},
		{"field of another type", credential("type: api_key, key: " + canary + ", secret: " + canary), c0 + ".secret: does not belong to a credential of type api_key"},
		{"scope with space", credential("type: api_key, key: " + canary + ", scopes: [a b]"), c0 + ".scopes[0]: expected a scope of printable ASCII without space, \" and \\"},
		{"expiry as a date", credential("type: api_key, key: " + canary + ", expires_at: 2030-01-01"), c0 + ".expires_at: expected a time of RFC 3339, such as 2030-01-01T00:00:00Z"},
		{"empty credential constraints", credential("type: api_key, key: " + canary + ", constraints: {methods: []}"), c0 + ".constraints.methods: is empty, which would allow everything; leave the key out if that is meant"},

		{"no key", credential("type: api_key"), c0 + ": expected one of key and key_sha256"},
		{"key and digest", credential("type: api_key, key: " + canary + ", key_sha256: x"), c0 + ": expected one of key and key_sha256"},
		{"short key", credential("type: api_key, key: canary-01234567"), c0 + ".key: expected 16 to 512 characters of visible ASCII without commas"},
		{"long key", credential("type: api_key, key: canary" + strings.Repeat("x", 512)), c0 + ".key: expected 16 to 512 characters of visible ASCII without commas"},
		{"key with comma", credential(`type: api_key, key: "` + canary + `,x"`), c0 + ".key: expected 16 to 512 characters of visible ASCII without commas"},
		{"key with space", credential(`type: api_key, key: "` + canary + ` "`), c0 + ".key: expected 16 to 512 characters of visible ASCII without commas"},
		{"key not ASCII", credential(`type: api_key, key: "` + canary + `ü"`), c0 + ".key: expected 16 to 512 characters of visible ASCII without commas"},
		{"key as a list", credential("type: api_key, key: [" + canary + "]"), c0 + ".key: expected a string, found a list"},
		{"key that lost its colon", credential("type: api_key, " + canary), c0 + ": unknown key (of 39 bytes); known here: algorithm, algorithms, constraints, dns_san, enabled, expires_at, id, issuer, key, key_id, key_sha256, password, password_hash, public_key, public_key_file, scopes, secret, sha256, subject, type, uri_san, username, value\n" + c0 + ": expected one of key and key_sha256"},
		{"short digest", credential("type: api_key, key_sha256: abcd"), c0 + ".key_sha256: expected the SHA-256 of the key as 64 hex digits"},
		{"unset variable", credential("type: api_key, key: env:CANARY_NAME_OF_ENV"), c0 + ".key: the environment variable that it refers to is not set"},
		{"empty variable", credential("type: api_key, key: env:EMPTY"), c0 + ".key: the environment variable that it refers to is not set"},
		{"missing file", credential("type: api_key, key: file:canary-canary"), c0 + ".key: the file that it refers to file does not exist"},
		{"empty file", credential("type: api_key, key: file:empty"), c0 + ".key: the file that it refers to is empty"},
		{"reference in upper case", credential("type: api_key, key: ENV:CANARY_0123456789"), c0 + ".key: looks like another program's reference to a secret; expected env:NAME, file:PATH or the value"},
		{"APISIX reference", credential(`type: api_key, key: "$ENV://CANARY_0123456789"`), c0 + ".key: looks like another program's reference to a secret; expected env:NAME, file:PATH or the value"},
		{"shell reference", credential(`type: api_key, key: "${CANARY_0123456789}"`), c0 + ".key: looks like another program's reference to a secret; expected env:NAME, file:PATH or the value"},

		{"jwt without all", credential("type: jwt"), c0 + ": lacks the key \"key\"\n" + c0 + ": lacks the key \"algorithm\""},
		{"jwt without algorithm", credential("type: jwt, key: i, secret: " + canary), c0 + ": lacks the key \"algorithm\""},
		{"algorithm none", credential("type: jwt, key: i, algorithm: none"), c0 + ".algorithm: expected HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA"},
		{"algorithm in lower case", credential("type: jwt, key: i, algorithm: hs256, secret: " + canary), c0 + ".algorithm: expected HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA"},
		{"HMAC with a public key", credential("type: jwt, key: i, algorithm: HS256, public_key: " + canary), c0 + ": HS256 is verified with a secret; expected secret and no public key"},
		{"HMAC with both", credential("type: jwt, key: i, algorithm: HS256, secret: " + canary + ", public_key_file: x"), c0 + ": HS256 is verified with a secret; expected secret and no public key"},
		{"weak HS256", credential("type: jwt, key: i, algorithm: HS256, secret: " + canary[:31]), c0 + ".secret: is too short for HS256; expected at least 32 bytes"},
		{"weak HS512", credential("type: jwt, key: i, algorithm: HS512, secret: " + canary), c0 + ".secret: is too short for HS512; expected at least 64 bytes"},
		{"empty secret", credential(`type: jwt, key: i, algorithm: HS256, secret: ""`), c0 + ".secret: is too short for HS256; expected at least 32 bytes"},
		{"secret from an unset variable", credential("type: jwt, key: i, algorithm: HS256, secret: env:CANARY_NAME_OF_A_VARIABLE_THAT_IS_LONG"), c0 + ".secret: the environment variable that it refers to is not set"},
		{"RSA with a secret", credential("type: jwt, key: i, algorithm: RS256, secret: " + canary), c0 + ": RS256 is verified with a public key; expected one of public_key and public_key_file, and no secret"},
		{"missing key file", credential("type: jwt, key: i, algorithm: RS256, public_key_file: none.pem"), c0 + ".public_key_file: the file file does not exist"},
		{"no PEM", credential("type: jwt, key: i, algorithm: RS256, public_key: " + canary), c0 + ".public_key: expected a public key in PEM, or a JWK"},
		{"public key as a list", credential("type: jwt, key: i, algorithm: RS256, public_key: []"), c0 + ".public_key: expected a public key in PEM, or a JWK"},
		{"jwt key as a reference", credential("type: jwt, key: env:KEY, algorithm: HS256, secret: " + canary), c0 + ".key: is a name and no secret; expected the value of the claim itself"},

		{"issuer without all", credential("type: issuer"), c0 + ": lacks the key \"issuer\"\n" + c0 + ": lacks the key \"value\""},
		{"unknown issuer", credential("type: issuer, issuer: mall, value: x"), c0 + `.issuer: "mall" is not the name of a configured issuer`},
		{"empty value", credential(`type: issuer, issuer: shop, value: ""`), c0 + ".value: expected 1 to 256 bytes, without control characters"},

		{"basic without all", credential("type: basic"), c0 + ": lacks the key \"username\"\n" + c0 + ": expected one of password and password_hash"},
		{"password and hash", credential("type: basic, username: u, password: " + canary + ", password_hash: " + bcryptHash), c0 + ": expected one of password and password_hash"},
		{"empty username", credential(`type: basic, username: "", password: ` + canary), c0 + ".username: expected 1 to 256 characters of visible ASCII without colons"},
		{"username with colon", credential(`type: basic, username: "a:b", password: ` + canary), c0 + ".username: expected 1 to 256 characters of visible ASCII without colons"},
		{"username with space", credential(`type: basic, username: "a b", password: ` + canary), c0 + ".username: expected 1 to 256 characters of visible ASCII without colons"},
		{"username of another script", credential(`type: basic, username: ü, password: ` + canary), c0 + ".username: expected 1 to 256 characters of visible ASCII without colons"},
		{"username as a foreign reference", credential(`type: basic, username: "$ENV//canary", password_hash: ` + canary), c0 + ".password_hash: expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$"},
		{"username as a reference", credential(`type: basic, username: "${CANARY}", password: ` + canary), c0 + ".username: is a name and no secret; expected the username itself"},
		{"short password", credential("type: basic, username: u, password: canary1"), c0 + ".password: expected 8 to 512 bytes of text, without control characters"},
		{"empty password", credential(`type: basic, username: u, password: ""`), c0 + ".password: expected 8 to 512 bytes of text, without control characters"},
		{"long password", credential("type: basic, username: u, password: canary" + strings.Repeat("x", 512)), c0 + ".password: expected 8 to 512 bytes of text, without control characters"},
		{"password with a tab", credential(`type: basic, username: u, password: "canary\tcanary"`), c0 + ".password: expected 8 to 512 bytes of text, without control characters"},
		{"password that is a number", credential(`type: basic, username: u, password: 12345678`), c0 + ".password: expected a string, found a number; put it in quotes"},
		{"hash as a password", credential("type: basic, username: u, password: " + bcryptHash), c0 + ".password: is a password's hash; expected it as password_hash"},
		{"password from an unset variable", credential("type: basic, username: u, password: env:CANARY_NAME"), c0 + ".password: the environment variable that it refers to is not set"},
		{"password as a hash", credential("type: basic, username: u, password_hash: " + canary), c0 + ".password_hash: expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$"},
		{"hash that is a bomb", credential("type: basic, username: u, password_hash: \"$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA\""), c0 + ".password_hash: expected the parameter m to be 1 to 65536"},
		{"basic with a secret", credential("type: basic, username: u, password: " + canary + ", secret: " + canary), c0 + ".secret: does not belong to a credential of type basic"},

		{"signature without all", credential("type: signature"), c0 + ": lacks the key \"key_id\"\n" + c0 + ": lacks the key \"secret\""},
		{"weak signing secret", credential("type: signature, key_id: k, secret: " + canary[:31]), c0 + ".secret: is too short for a signing secret; expected at least 32 bytes"},
		{"weak signing secret of SHA-512", credential("type: signature, key_id: k, algorithms: [hmac-sha512], secret: " + canary[:31]), c0 + ".secret: is too short for a signing secret; expected at least 32 bytes"},
		{"signing secret from a foreign reference", credential(`type: signature, key_id: k, secret: "vault:canary/0123456789-0123456789-0123456789"`), c0 + ".secret: looks like another program's reference to a secret; expected env:NAME, file:PATH or the value"},
		{"key id with a quote", credential(`type: signature, key_id: 'a"b', secret: ` + canary), c0 + `.key_id: expected 1 to 256 characters of visible ASCII without ", comma and \`},
		{"key id as a reference", credential(`type: signature, key_id: env:KEY, secret: ` + canary), c0 + ".key_id: is a name and no secret; expected the id itself"},
		{"unknown signing algorithm", credential("type: signature, key_id: k, secret: " + canary + ", algorithms: [hmac-sha256, hmac-md5]"), c0 + ".algorithms[1]: expected hmac-sha256, hmac-sha384, hmac-sha512 or hmac-sha1"},
		{"signing algorithm in upper case", credential("type: signature, key_id: k, secret: " + canary + ", algorithms: [HMAC-SHA256]"), c0 + ".algorithms[0]: expected hmac-sha256, hmac-sha384, hmac-sha512 or hmac-sha1"},
		{"signing algorithm twice", credential("type: signature, key_id: k, secret: " + canary + ", algorithms: [hmac-sha256, hmac-sha256]"), c0 + ".algorithms[1]: stands already in the list"},
		{"no signing algorithm", credential("type: signature, key_id: k, secret: " + canary + ", algorithms: []"), c0 + ".algorithms: is empty; leave the key out for hmac-sha256"},
		{"a JWT's algorithm", credential("type: signature, key_id: k, secret: " + canary + ", algorithm: HS256"), c0 + ".algorithm: does not belong to a credential of type signature"},

		{"certificate without a name", credential("type: client_certificate"), c0 + ": expected one of uri_san, dns_san, subject and sha256"},
		{"certificate with two names", credential(`type: client_certificate, dns_san: a.example, subject: "CN=a"`), c0 + ": expected one of uri_san, dns_san, subject and sha256"},
	}
	// How each name is read is certname's to test.
	for field, want := range map[string]string{
		"uri_san: mobile":           "uri_san: the URI has no scheme, such as spiffe:",
		`uri_san: ""`:               "uri_san: the URI has 0 bytes, expected 1 to 2048",
		`uri_san: "spiffe://a/\0"`:  "uri_san: the URI has a byte that is not printable",
		"dns_san: '*.example.com'":  "dns_san: a DNS name with a wildcard names no single client; expected the name itself",
		"dns_san: a..b":             "dns_san: the DNS name is no list of labels of letters, digits, - and _",
		"subject: mobile":           "subject: the subject is no distinguished name such as CN=app,O=Example: an attribute has no known type",
		`subject: "CN=a\nO=b"`:      "subject: the subject has a byte that is not printable",
		"sha256: abcd":              "sha256: the fingerprint is not 64 hexadecimal digits of SHA-256",
		`sha256: "SHA256=00:11:22"`: "sha256: the fingerprint is not 64 hexadecimal digits of SHA-256",
	} {
		tests = append(tests, struct{ name, yaml, want string }{field, credential("type: client_certificate, " + field), c0 + "." + want})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := folder{"/c": tt.yaml, "/empty": "\n"}.load("/c")
			if s != nil || err == nil || err.Error() != tt.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, tt.want)
			}
			if err != nil && strings.Contains(strings.ToLower(err.Error()), "canary") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
}

func TestPublicKeys(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaOf := func(bits, e int) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: e}
	}
	private, err := x509.MarshalPKCS8PrivateKey(edPrivate)
	if err != nil {
		t.Fatal(err)
	}
	x := base64.RawURLEncoding.EncodeToString(edPublic)
	good := pemOf(t, edPublic)
	rsaJWK := `{"kty":"RSA","e":"AQAB","n":"` + base64.RawURLEncoding.EncodeToString(rsaOf(2048, 65537).N.Bytes()) + `"}`
	tests := []struct {
		name, algorithm string
		key             any // a text, or a mapping in JSON
		want            string
	}{
		{"EdDSA in PEM", "EdDSA", good, ""},
		{"EdDSA as JWK text", "EdDSA", `{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}`, ""},
		{"EdDSA as a mapping", "EdDSA", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig", "alg": "EdDSA"}, ""},
		{"ES256", "ES256", pemOf(t, ec.Public()), ""},
		{"RS256 of 2048 bits", "RS256", pemOf(t, rsaOf(2048, 65537)), ""},
		{"PS512 of 8192 bits", "PS512", pemOf(t, rsaOf(8192, 3)), ""},
		{"RSA as JWK", "RS256", rsaJWK, ""},
		{"PKCS #1", "RS256", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(rsaOf(2048, 65537))})), ""},

		{"RSA of 2047 bits", "RS256", pemOf(t, rsaOf(2047, 65537)), "is an RSA key of 2047 bits; expected 2048 to 8192"},
		{"RSA of 8193 bits", "RS256", pemOf(t, rsaOf(8193, 65537)), "is an RSA key of 8193 bits; expected 2048 to 8192"},
		{"e is 1", "RS256", pemOf(t, rsaOf(2048, 1)), "has an RSA exponent that proves nothing; expected an odd one of at least 3"},
		{"e is 1 in a JWK", "RS256", strings.Replace(rsaJWK, "AQAB", "AQ", 1), "is not a JWK that can be read"},
		{"other curve", "ES384", pemOf(t, ec.Public()), "is on another curve; expected P-384"},
		{"other family", "RS256", good, "is not of the family that the algorithm needs; expected RSA"},
		{"EC for EdDSA", "EdDSA", pemOf(t, ec.Public()), "is not of the family that the algorithm needs; expected Ed25519"},
		{"private key", "EdDSA", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), "is a private key; expected the public one"},
		{"private JWK", "EdDSA", fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"d":%q}`, x, base64.RawURLEncoding.EncodeToString(edPrivate.Seed())), "is a private or a secret key; expected a public one"},
		{"symmetric JWK", "RS256", `{"kty":"oct","k":"Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"}`, "is a private or a secret key; expected a public one"},
		{"off the curve", "ES256", `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`, "is not a JWK that can be read"},
		{"encryption JWK", "EdDSA", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": x, "use": "enc"}, "the JWK's use is not sig"},
		{"JWK that only signs", "EdDSA", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": x, "key_ops": []string{"sign"}}, "the JWK's key_ops lack verify"},
		{"JWK of another algorithm", "PS256", strings.Replace(rsaJWK, `"kty"`, `"alg":"RS256","kty"`, 1), "the JWK's alg is not the credential's algorithm PS256"},
		{"broken JWK", "RS256", `{"kty":"RSA"`, "is not a JWK that can be read"},
		{"two blocks", "EdDSA", good + good, "has something beside the key; expected one PEM block"},
		{"text before", "EdDSA", "x\n" + good, "has something beside the key; expected one PEM block"},
		{"certificate", "EdDSA", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "expected a PEM block of type PUBLIC KEY"},
		{"broken PEM", "EdDSA", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})), "the PEM block holds no public key that can be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, where := range []string{"public_key", "public_key_file"} {
				if where == "public_key_file" {
					if _, text := tt.key.(string); !text {
						continue
					}
				}
				err := loadKey(t, tt.algorithm, where, tt.key)
				got := ""
				if err != nil {
					got = err.Error()
				}
				want := tt.want
				if want != "" {
					want = "/c:1: consumers[0].credentials[0]." + where + ": " + want
				}
				if got != want {
					t.Errorf("%s:\n got %q\nwant %q", where, got, want)
				}
			}
		})
	}
}

func loadKey(t *testing.T, algorithm, where string, key any) error {
	t.Helper()
	f := folder{}
	if where == "public_key_file" {
		f["/key"], key = key.(string), "key"
	}
	data, err := json.Marshal(map[string]any{"consumers": []any{map[string]any{"name": "a", "credentials": []any{
		map[string]any{"id": "k", "type": "jwt", "key": "i", "algorithm": algorithm, where: key},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	f["/c"] = string(data)
	s, err := f.load("/c")
	if err != nil {
		return err
	}
	found, err := s.Find(t.Context(), consumer.Reference{Kind: access.KindJWT, Value: "i"})
	if err != nil || found.PublicKey == nil || found.Algorithm != algorithm || !found.Secret.Empty() {
		t.Errorf("found %+v, %v", found, err)
	}
	return nil
}
