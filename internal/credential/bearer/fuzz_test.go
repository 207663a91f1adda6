package bearer

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
)

// FuzzAuthenticate asks with tokens that are anything: each is rejected, since
// nobody signed it, and none makes a fault or a panic.
func FuzzAuthenticate(f *testing.F) {
	a := demo(f)
	for _, seed := range [][3]string{
		{hsHead, mobile(""), "x"}, {rsHead, shop(""), ""}, {`{"alg":"none"}`, `{}`, ""}, {`{"alg":"ES256","kid":"e1"}`, shop(""), strings.Repeat("\x00", 64)},
		{`{"alg":"EdDSA"}`, `{"iss":"ed-key","exp":1800000000}`, strings.Repeat("x", 64)}, {`{"alg":"PS256"}`, `{"key":"ps-key","exp":1}`, strings.Repeat("x", 256)},
	} {
		f.Add(b64([]byte(seed[0]))+"."+b64([]byte(seed[1]))+"."+b64([]byte(seed[2])), seed[0], seed[1], []byte(seed[2]))
	}
	f.Fuzz(func(t *testing.T, raw, head, claims string, signature []byte) {
		for _, token := range []string{raw, b64([]byte(head)) + "." + b64([]byte(claims)) + "." + b64(signature)} {
			if _, err := ask(a, token); codeOf(err) != access.CodeInvalidCredential && codeOf(err) != access.CodeMissingCredential {
				t.Fatalf("answer %q (%v)", codeOf(err), err)
			}
		}
	})
}

// FuzzDecode: exactly one text decodes to the same bytes.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "YQ", "YR", "YWI", "YW\nI", "YQ==", "-_", "+/", "A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := decode(text)
		if again := base64.RawURLEncoding.EncodeToString(b); err == nil && again != text {
			t.Fatalf("%q decodes to what encodes to %q", text, again)
		}
	})
}

// FuzzKeySet: whatever an issuer publishes, what is taken of it is sound.
func FuzzKeySet(f *testing.F) {
	keys := keysOfRun()
	f.Add([]byte(oneKey("r1")))
	f.Add([]byte(jwks(jwkOf("e", &keys.ec256.PublicKey, `,"use":"sig"`), jwkOf("g", keys.ed.Public(), `,"key_ops":["verify"]`))))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := parseKeySet(data)
		if err != nil {
			return
		}
		for _, k := range set.keys {
			if err := sound(k.key); err != nil {
				t.Fatalf("taken: %v", err)
			}
		}
	})
}
