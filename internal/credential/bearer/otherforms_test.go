package bearer

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
)

// cookbookExample is a file of the JOSE Cookbook; see test/vectors/jose_cookbook.
type cookbookExample struct {
	// Input's key and alg are lists where there are several signatures.
	Input  struct{ Alg, Key any }
	Output cookbookOutput
}

// secret is the key of an example that is signed by HMAC.
func (e cookbookExample) secret(t *testing.T) []byte {
	t.Helper()
	members, _ := e.Input.Key.(map[string]any)
	_, key, err := keyOf(nil, members)
	secret, is := key.([]byte)
	if err != nil || !is {
		t.Fatalf("no secret: %v", err)
	}
	return secret
}

// cookbookOutput are the forms of one result: compact, json, json_flat.
type cookbookOutput map[string]json.RawMessage

// forms are the results as they would be sent.
func (o cookbookOutput) forms(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, text := range o {
		var line bytes.Buffer // a header's value has no line breaks
		if err := json.Compact(&line, text); err != nil {
			t.Fatal(err)
		}
		all[name] = line.String()
	}
	if _, there := o["compact"]; there {
		all["compact"] = o.compact(t)
	}
	return all
}

func (o cookbookOutput) compact(t *testing.T) (text string) {
	t.Helper()
	if err := json.Unmarshal(o["compact"], &text); err != nil {
		t.Fatal(err)
	}
	return text
}

// cookbook returns the files that match, which must be so many.
func cookbook(t *testing.T, want int, patterns ...string) (paths []string) {
	t.Helper()
	for _, pattern := range patterns {
		paths = append(paths, must(filepath.Glob("../../../test/vectors/jose_cookbook/"+pattern))...)
	}
	if len(paths) != want {
		t.Fatalf("%d files match %q, want %d", len(paths), patterns, want)
	}
	for i, path := range paths {
		paths[i] = must(filepath.Rel("../../../test/vectors/jose_cookbook", path))
	}
	return paths
}

// refuseWhole presents a token as a bearer token and wants it rejected: not
// believed, not passed over, not a fault.
func refuseWhole(t *testing.T, a *Authenticator, name, token string) {
	t.Helper()
	if _, err := ask(a, token); codeOf(err) != access.CodeInvalidCredential {
		t.Errorf("%s: answer %q (%v), want %s", name, codeOf(err), err, access.CodeInvalidCredential)
	}
}

// refuseEncrypted wants a JWE refused, and a JWS that has no fault but the
// JWE's header.
func refuseEncrypted(t *testing.T, a *Authenticator, name, jwe string) {
	t.Helper()
	refuseWhole(t, a, name, jwe)
	head, _, _ := strings.Cut(jwe, ".")
	input := head + "." + b64([]byte(mobile("")))
	signature := b64(must(methodOf("HS256").Sign(input, []byte(secret))))
	refuseWhole(t, a, name+", its header over signed claims", input+"."+signature)
}

func TestWycheproofEncryption(t *testing.T) {
	file := readJSON[struct {
		TestGroups []struct {
			Tests []struct {
				Comment, JWE string
			}
		}
	}](t, "wycheproof", "json_web_encryption_test.json")
	a, ran := demo(t), 0
	for _, g := range file.TestGroups {
		for _, c := range g.Tests {
			ran++
			if c.JWE == "" {
				t.Errorf("%s: there is no JWE", c.Comment)
			}
			refuseEncrypted(t, a, c.Comment, c.JWE)
		}
	}
	if ran != 139 {
		t.Errorf("%d cases ran, want 139", ran)
	}
}

func TestCookbookEncryption(t *testing.T) {
	a, ran := demo(t), 0
	refuse := func(path string, output cookbookOutput) {
		for form, jwe := range output.forms(t) {
			ran++
			refuseEncrypted(t, a, path+", "+form, jwe)
		}
	}
	for _, path := range cookbook(t, 14, "jwe/*.json", "curve25519/ecdh-es.json") {
		refuse(path, readJSON[cookbookExample](t, "jose_cookbook", path).Output)
	}
	const nested = "6.nesting_signatures_and_encryption.json"
	refuse(nested, readJSON[struct{ Encrypt cookbookExample }](t, "jose_cookbook", nested).Encrypt.Output)
	if ran != 40 {
		t.Errorf("%d forms ran, want 40", ran)
	}
}

// TestOtherSerialisations: a JWS as JSON, without its payload, or with a payload
// that is not encoded is refused, the latter two also under the key that signed them.
func TestOtherSerialisations(t *testing.T) {
	a, ran := demo(t), 0
	refuse := func(name, token, alg string, key any) {
		ran++
		refuseWhole(t, a, name, token)
		if verifyCompact(token, alg, key) == nil {
			t.Errorf("%s: its key verifies it", name)
		}
	}
	for _, path := range cookbook(t, 11, "jws/*.json", "curve25519/jws.json", "rfc7797/*.json") {
		example := readJSON[cookbookExample](t, "jose_cookbook", path)
		for form, token := range example.Output.forms(t) {
			if form == "compact" && !strings.Contains(path, "detached") && !strings.Contains(path, "b64_false") {
				continue // a known answer
			}
			var key any
			if form == "compact" {
				key = example.secret(t)
			}
			refuse(path+", "+form, token, "HS256", key)
		}
	}
	for _, v := range readJSON[[]rfcVector](t, "rfc", "rfc_jws_examples.json") {
		if v.Good != true {
			_, key, err := keyOf(nil, v.Key)
			if v.Key != nil && err != nil {
				t.Fatal(err)
			}
			refuse(v.ID, v.Token, v.Alg, key)
		}
	}
	if ran != 26 {
		t.Errorf("%d forms ran, want 26", ran)
	}
}
