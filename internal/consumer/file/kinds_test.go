package file_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/file"
	"github.com/postern-authz/postern/internal/consumer/password"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPasswordsAreHashedAndKeptNowhere(t *testing.T) {
	f := folder{"/c": head + "  - {id: k, type: basic, username: mobile, password: " + canary + "}\n" +
		"  - {id: j, type: basic, username: imported, password_hash: \"" + bcryptHash + "\"}\n"}
	o := f.options()
	o.Hasher = nil // the real one
	s, err := file.Load([]string{"/c"}, o)
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Find(t.Context(), consumer.Reference{Kind: access.KindBasic, Value: "mobile"})
	if err != nil {
		t.Fatal(err)
	}
	if text := string(found.Password.Reveal()); !strings.HasPrefix(text, "$argon2id$") || strings.Contains(text, canary) {
		t.Errorf("the hash is %s", text)
	}
	if ok, err := password.Verify(found.Password, []byte(canary)); err != nil || !ok {
		t.Errorf("the password does not verify: %v", err)
	}
	found, err = s.Find(t.Context(), consumer.Reference{Kind: access.KindBasic, Value: "imported"})
	if err != nil || !found.Password.Equal([]byte(bcryptHash)) {
		t.Errorf("the imported hash is another: %v", err)
	}
}

// The revision names what was declared; salts are no part of it.
func TestRevisionDoesNotDependOnSalts(t *testing.T) {
	f := folder{"/c": head + "  - {id: k, type: basic, username: u, password: env:KEY}\n"}
	o := f.options()
	var hashes []string
	var revisions []string
	for range 2 {
		s, err := file.Load([]string{"/c"}, o)
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.Find(t.Context(), consumer.Reference{Kind: access.KindBasic, Value: "u"})
		if err != nil {
			t.Fatal(err)
		}
		hashes, revisions = append(hashes, string(found.Password.Reveal())), append(revisions, s.Revision())
	}
	if hashes[0] == hashes[1] || revisions[0] != revisions[1] {
		t.Errorf("hashes %q, revisions %q", hashes, revisions)
	}
	o.Env = func(string) (string, bool) { return "another-password", true }
	if s, err := file.Load([]string{"/c"}, o); err != nil || s.Revision() == revisions[0] {
		t.Errorf("another password must be another revision: %v", err)
	}
}

func TestNothingIsHashedForFilesThatAreRefused(t *testing.T) {
	hasher := &countingHasher{}
	o := folder{"/c": head + "  - {id: k, type: basic, username: u, password: " + canary + "}\n  - {id: k, type: basic}\n"}.options()
	o.Hasher = hasher
	if _, err := file.Load([]string{"/c"}, o); err == nil || hasher.hashed.Load() != 0 {
		t.Errorf("%d hashed, %v", hasher.hashed.Load(), err)
	}
}

type brokenHasher struct{}

func (brokenHasher) Hash(string, string) (access.Secret, error) {
	return access.Secret{}, errors.New("no randomness")
}

func TestAHashThatFailsIsToldWithItsPlace(t *testing.T) {
	o := folder{"/c": head + "  - {id: k, type: basic, username: u, password: " + canary + "}\n"}.options()
	o.Hasher = brokenHasher{}
	_, err := file.Load([]string{"/c"}, o)
	if want := "/c:4: consumers[0].credentials[0].password: can't be hashed: no randomness"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// Every username that there is has a decoy of the same work.
func TestDecoys(t *testing.T) {
	var text strings.Builder
	text.WriteString(head)
	for i, field := range []string{
		"password: " + canary, "password: " + canary, `password_hash: "` + bcryptHash + `"`,
		`password_hash: "` + strings.Replace(bcryptHash, "$04$", "$05$", 1) + `"`, `password_hash: "` + bcryptHash + `"`,
		`password_hash: "$kong$id$` + strings.Repeat("0", 40) + `"`,
	} {
		fmt.Fprintf(&text, "  - {id: k%d, type: basic, username: u%d, %s}\n", i, i, field)
	}
	s, err := folder{"/c": text.String()}.load("/c")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, decoy := range s.Decoys() {
		got = append(got, string(decoy.Reveal()))
	}
	dots := strings.Repeat(".", 53)
	if want := []string{string(password.Dummy().Reveal()), "$2b$04$" + dots, "$2b$05$" + dots}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSignatureCredentials(t *testing.T) {
	for field, want := range map[string][]string{
		"":                          {"hmac-sha256"},
		", algorithms: [hmac-sha1]": {"hmac-sha1"},
		", algorithms: [hmac-sha512, hmac-sha384]": {"hmac-sha512", "hmac-sha384"},
	} {
		s, err := folder{"/c": head + "  - {id: k, type: signature, key_id: ns_app, secret: file:hmac" + field + "}\n", "/hmac": canary + "\n"}.load("/c")
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.Find(t.Context(), consumer.Reference{Kind: access.KindSignature, Value: "ns_app"})
		if err != nil || !slices.Equal(found.Algorithms, want) || !found.Secret.Equal([]byte(canary)) {
			t.Errorf("%q: found %+v, %v", field, found, err)
		}
	}
}

func TestCertificateNames(t *testing.T) {
	for field, want := range map[string]string{
		"uri_san: 'spiffe://example.com/mobile'":        "uri:spiffe://example.com/mobile",
		"uri_san: 'urn:uuid:4f1ad8a7'":                  "uri:urn:uuid:4f1ad8a7",
		"uri_san: 'https://example.com/A%20b?c'":        "uri:https://example.com/A%20b?c",
		"dns_san: Mobile.Example.com":                   "dns:mobile.example.com",
		"dns_san: _a.b-c.example":                       "dns:_a.b-c.example",
		`subject: "cn=Mobile App, O=Example\\, Ü"`:      `subject:CN=Mobile App,O=Example\, Ü`,
		`subject: "2.5.4.3=mobile"`:                     "subject:CN=mobile",
		`sha256: "` + strings.Repeat("aB", 32) + `"`:    "sha256:" + strings.Repeat("ab", 32),
		`sha256: "` + strings.Repeat("AB:", 31) + `AB"`: "sha256:" + strings.Repeat("ab", 32),
	} {
		s, err := folder{"/c": head + "  - {id: k, type: client_certificate, " + field + "}\n"}.load("/c")
		if err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		if found, err := s.Find(t.Context(), consumer.Reference{Kind: access.KindClientCertificate, Value: want}); err != nil || found.Credential.ID != "k" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
