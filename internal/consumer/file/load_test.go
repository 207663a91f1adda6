package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/file"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// folder is files by path, read as Load reads a disk.
type folder map[string]string

func (f folder) options() file.Options {
	return file.Options{
		Issuers: []string{"shop"},
		Env: func(name string) (string, bool) {
			value, ok := map[string]string{"KEY": "canary-from-env-0123456789", "EMPTY": ""}[name]
			return value, ok
		},
		Hasher: &countingHasher{},
		ReadFile: func(path string, limit int64) ([]byte, error) {
			text, ok := f[path]
			if !ok {
				return nil, fs.ErrNotExist
			}
			if int64(len(text)) > limit {
				return nil, errors.New("is too large")
			}
			return []byte(text), nil
		},
	}
}

// countingHasher makes hashes at no cost, each another than the last, as salts
// make them.
type countingHasher struct{ hashed atomic.Int64 }

func (h *countingHasher) Hash(owner, _ string) (access.Secret, error) {
	return access.NewSecret(fmt.Sprintf("hash %d of %s", h.hashed.Add(1), owner)), nil
}

func (f folder) load(paths ...string) (*file.Snapshot, error) { return file.Load(paths, f.options()) }

func TestExampleLoads(t *testing.T) {
	folder, err := filepath.Abs("../../../deploy/example/consumers")
	if err != nil {
		t.Fatal(err)
	}
	s, err := file.Load([]string{filepath.Join(folder, "*.yaml")}, file.Options{Issuers: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Len() != 4 || len(s.Files()) != 1 || len(s.Revision()) != 32 {
		t.Errorf("%d consumers of %q, revision %q", s.Len(), s.Files(), s.Revision())
	}
	for key, want := range map[string]string{
		"demo-mobile-key-0123456789abcdefghijklmnopqrstuv":  "mobile-app-prod-67a1b2c3",
		"demo-acme-key-0123456789abcdefghijklmnopqrstuvwx":  "partner-acme",
		"demo-ops-key-0123456789abcdefghijklmnopqrstuvwxyz": "ops-console",
		"demo-retired-key-0123456789abcdefghijklmnopqrst":   "retired-app",
	} {
		found, err := s.Find(t.Context(), consumertest.APIKey(key))
		if err != nil || found.Consumer.Name != want || found.Consumer.Enabled == (want == "retired-app") {
			t.Errorf("%s: found %+v, %v", want, found, err)
		}
	}
}

const head = "consumers:\n- name: a\n  credentials:\n"

func TestConsumersAreFoundByName(t *testing.T) {
	s, err := folder{"/a.yaml": "consumers: [{name: Mobile}]"}.load("/a.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Find(t.Context(), consumer.NameReference("mobile"))
	if err != nil || found.Consumer.Name != "Mobile" || found.Credential != nil {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestSecretsMayBeReferences(t *testing.T) {
	secret := strings.Repeat("s", 32)
	f := folder{
		"/etc/c.yaml":         head + "  - {id: k, type: api_key, key: env:KEY}\n  - {id: j, type: jwt, key: app, algorithm: HS256, secret: file:secrets/hmac}\n",
		"/etc/secrets/hmac":   secret + "\n",
		"/etc/unrelated.yaml": "x",
	}
	s, err := f.load("/etc/c.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(t.Context(), consumertest.APIKey("canary-from-env-0123456789")); err != nil {
		t.Errorf("the key from the environment: %v", err)
	}
	found, err := s.Find(t.Context(), consumer.Reference{Kind: access.KindJWT, Value: "app"})
	if err != nil || !found.Secret.Equal([]byte(secret)) {
		t.Errorf("the secret from the file is another: %v", err)
	}
	if got := s.Files(); len(got) != 2 || got[1] != "/etc/secrets/hmac" {
		t.Errorf("files: %q", got)
	}
	f["/etc/secrets/hmac"] = strings.Repeat("t", 32)
	again, err := f.load("/etc/c.yaml")
	if err != nil || again.Revision() == s.Revision() {
		t.Errorf("another secret must be another revision: %v", err)
	}
}

func TestRevisionNamesTheContents(t *testing.T) {
	a := folder{"/a/c.yaml": head + "  - {id: k, type: issuer, issuer: shop, value: x}\n", "/b/c.yaml": head + "  - {id: k, type: issuer, issuer: shop, value: x}\n"}
	first, err1 := a.load("/a/c.yaml")
	second, err2 := a.load("/b/c.yaml")
	if err1 != nil || err2 != nil || first.Revision() != second.Revision() {
		t.Errorf("the same contents elsewhere: %v, %v", err1, err2)
	}
	a["/b/c.yaml"] += "# a comment\n"
	if third, err := a.load("/b/c.yaml"); err != nil || third.Revision() == first.Revision() {
		t.Errorf("other contents: %v", err)
	}
}

func TestPatterns(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b.yaml", "consumers: [{name: b}]")
	write("a.yaml", "consumers: [{name: a}]")
	write("c.txt", "not read")
	s, err := file.Load([]string{filepath.Join(dir, "*.yaml"), filepath.Join(dir, "a.yaml"), filepath.Join(dir, "none-*.yaml")}, file.Options{})
	if err != nil || s.Len() != 2 || filepath.Base(s.Files()[0]) != "a.yaml" {
		t.Fatalf("got %+v, %v", s, err)
	}
	if s, err := file.Load(nil, file.Options{}); err != nil || s.Len() != 0 {
		t.Errorf("no pattern: %v, %v", s, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		filepath.Join(dir, "missing.yaml"): "missing.yaml: can't be read: no such file or directory",
		filepath.Join(dir, "[.yaml"):       "is not a pattern",
		filepath.Join(dir, "d.yaml"):       "d.yaml: is not a regular file",
	} {
		if _, err := file.Load([]string{pattern}, file.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", pattern, err)
		}
	}
}

func TestProblemsOfAllFilesAtOnce(t *testing.T) {
	_, err := folder{
		"/b.yaml": "consumers:\n- name: b b\n",
		"/a.yaml": "consumers:\n- nam: a\n",
	}.load("/b.yaml", "/a.yaml", "/none.yaml")
	want := `/a.yaml:2: consumers[0]: unknown key "nam"; did you mean "name"?
/a.yaml:2: consumers[0]: lacks the key "name"
/b.yaml:2: consumers[0].name: expected ASCII letters, digits, '.', '_' and '-', at most 128
/none.yaml: file does not exist`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if _, ok := errors.AsType[strictyaml.Errors](err); !ok {
		t.Errorf("the error is a %T", err)
	}
}

func TestDuplicatesNameBothPlaces(t *testing.T) {
	credential := func(name, fields string) string {
		return fmt.Sprintf("consumers:\n- name: %s\n  credentials:\n  - {%s}\n", name, fields)
	}
	for name, tt := range map[string]struct{ first, second, want string }{
		"names":                  {"consumers: [{name: x}]", "consumers: [{name: x}]", `/2:1: consumers[0].name: the consumer "x" stands already at /1:1`},
		"names but for case":     {"consumers: [{name: x}]", "consumers: [{name: X}]", `/2:1: consumers[0].name: the consumer "X" stands already at /1:1`},
		"credential ids":         {credential("a", `id: k, type: issuer, issuer: shop, value: v`), credential("b", `id: k, type: issuer, issuer: shop, value: w`), `/2:4: consumers[0].credentials[0].id: the credential "k" stands already at /1:4`},
		"keys":                   {credential("a", `id: k, type: api_key, key: canary-0123456789`), credential("b", `id: l, type: api_key, key: canary-0123456789`), `/2:4: consumers[0].credentials[0].key: the same key stands already at /1:4`},
		"a key and its digest":   {credential("a", `id: k, type: api_key, key: canary-0123456789`), credential("b", `id: l, type: api_key, key_sha256: "14a2d55a1196d0f318f7b226b99e36b8ecce3ce82c274dc865cda044ed4489ff"`), `/2:4: consumers[0].credentials[0].key_sha256: the same key stands already at /1:4`},
		"jwt keys":               {credential("a", `id: k, type: jwt, key: i, algorithm: HS256, secret: canary-0123456789-0123456789-0123456789`), credential("b", `id: l, type: jwt, key: i, algorithm: HS256, secret: canary-0123456789-0123456789-0123456789`), `/2:4: consumers[0].credentials[0].key: the same jwt key stands already at /1:4`},
		"usernames":              {credential("a", `id: k, type: basic, username: u, password: canary-0123456789`), credential("b", `id: l, type: basic, username: u, password: canary-9876543210`), `/2:4: consumers[0].credentials[0].username: the same username stands already at /1:4`},
		"usernames but for case": {credential("a", `id: k, type: basic, username: u, password: canary-0123456789`), credential("b", `id: l, type: basic, username: U, password: canary-9876543210`), `/2:4: consumers[0].credentials[0].username: the same username stands already at /1:4`},
		"key ids":                {credential("a", `id: k, type: signature, key_id: i, secret: canary-0123456789-0123456789-0123456789`), credential("b", `id: l, type: signature, key_id: i, secret: other-0123456789-0123456789-0123456789`), `/2:4: consumers[0].credentials[0].key_id: the same key id stands already at /1:4`},
		"certificate names":      {credential("a", `id: k, type: client_certificate, dns_san: A.example`), credential("b", `id: l, type: client_certificate, dns_san: a.example`), `/2:4: consumers[0].credentials[0].dns_san: the same certificate name stands already at /1:4`},
		"fingerprints":           {credential("a", `id: k, type: client_certificate, sha256: "`+strings.Repeat("AB", 32)+`"`), credential("b", `id: l, type: client_certificate, sha256: "`+strings.Repeat("ab:", 31)+`ab"`), `/2:4: consumers[0].credentials[0].sha256: the same certificate name stands already at /1:4`},
		"values of one issuer":   {credential("a", `id: k, type: issuer, issuer: shop, value: v`), credential("b", `id: l, type: issuer, issuer: shop, value: v`), `/2:4: consumers[0].credentials[0].value: the same value of the same issuer stands already at /1:4`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := folder{"/1": tt.first, "/2": tt.second}.load("/1", "/2")
			if err == nil || err.Error() != tt.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, tt.want)
			}
		})
	}
}
