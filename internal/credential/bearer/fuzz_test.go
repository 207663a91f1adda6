package bearer

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"reflect"
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

// FuzzDiscovery: whatever an issuer's metadata say, keys are fetched from an
// https address without a secret in it, and only if the metadata are its own.
func FuzzDiscovery(f *testing.F) {
	const issuer = "https://id.example.com/realms/shop"
	for _, seed := range []string{
		`{"issuer":"https://id.example.com/realms/shop","jwks_uri":"https://id.example.com/keys"}`,
		`{"issuer":"https://id.example.com/realms/shop/","jwks_uri":"https://id.example.com/keys"}`,
		`{"issuer":"https://id.example.com/realms/shop","jwks_uri":"http://169.254.169.254/latest"}`,
		`{"issuer":"https://id.example.com/realms/shop","jwks_uri":"file:///etc/passwd"}`,
		`{"issuer":"https://id.example.com/realms/shop","jwks_uri":"https://a:b@id.example.com/keys#x"}`,
		`{"issuer":"https://id.example.com/realms/shop","issuer":"https://eve.example","jwks_uri":"https://eve.example/keys"}`,
		`{"issuer":"https://id.example.com/realms/shop","jwks_uri":["https://id.example.com/keys"]}`,
		`<html>`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		address, err := discoverySource{issuer: issuer}.keysAt(text)
		if err != nil {
			if address != "" {
				t.Fatalf("%q beside an error: %v", address, err)
			}
			return
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
			t.Fatalf("keys are fetched from %q: %v", address, err)
		}
		var metadata map[string]any
		if err := json.Unmarshal(text, &metadata); err != nil || metadata["issuer"] != issuer || metadata["jwks_uri"] != address {
			t.Fatalf("%q is taken from what does not say it of the issuer: %q (%v)", address, text, err)
		}
	})
}

// FuzzKeyByName: of whatever set an issuer publishes, a token's header gets the
// one key of its kid that is for its algorithm, and without a kid the only one.
func FuzzKeyByName(f *testing.F) {
	keys := keysOfRun()
	set := []byte(jwks(jwkOf("e", &keys.ec256.PublicKey, `,"use":"sig"`), jwkOf("g", keys.ed.Public(), ``)))
	f.Add(set, "e", true, "ES256")
	f.Add(set, "g", true, "ES256")
	f.Add(set, "", false, "EdDSA")
	f.Add(set, "", true, "EdDSA")
	f.Add([]byte(oneKey("r1")), "r1", true, "PS256")
	f.Fuzz(func(t *testing.T, data []byte, kid string, hasKid bool, alg string) {
		set, err := parseKeySet(data)
		if err != nil {
			return
		}
		var fit []any
		for i := range set.keys {
			k := &set.keys[i]
			if k.fits(alg) && (!hasKid || kid != "" && k.kid == kid) {
				fit = append(fit, k.key)
			}
		}
		key, found := set.find(header{alg: alg, kid: kid, hasKid: hasKid})
		switch {
		case found != (len(fit) == 1):
			t.Fatalf("found %v, %d keys fit kid %q for %q", found, len(fit), kid, alg)
		case found && (!reflect.DeepEqual(key, fit[0]) || suits(alg, key) != nil):
			t.Fatalf("another key for kid %q and %q", kid, alg)
		case !found && key != nil:
			t.Fatal("a key beside the word that there is none")
		}
	})
}
