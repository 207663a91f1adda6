package cli_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"

	"github.com/postern-authz/postern/internal/cli"
)

func TestPolicyBuild(t *testing.T) {
	folder := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, _ := x509.MarshalPKCS8PrivateKey(key)
	public, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
	keep := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pemFile := keep("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := cli.Run(t.Context(), append([]string{"policy", "build"}, args...), nil, &out, &out)
		return code, out.String()
	}
	build := func(name string, more ...string) []byte {
		path := filepath.Join(folder, name)
		code, said := run(append([]string{"../../policies", "-o", path, "--revision", "v7"}, more...)...)
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, said)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	signing := []string{"--signing-key", "file:" + pemFile, "--key-id", "release", "--scope", "gate"}
	first := build("a.tar.gz", signing...)
	if !bytes.Equal(first, build("b.tar.gz", signing...)) {
		t.Error("the same input gives other bytes")
	}

	config := bundle.NewVerificationConfig(map[string]*keys.Config{"release": {
		Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), Algorithm: "RS256",
	}}, "", "gate", nil)
	read, err := bundle.NewReader(bytes.NewReader(first)).WithBundleVerificationConfig(config).Read()
	if err != nil {
		t.Fatalf("OPA's own reader: %v", err)
	}
	if read.Manifest.Revision != "v7" || len(read.Modules) == 0 {
		t.Errorf("revision %q, %d modules", read.Manifest.Revision, len(read.Modules))
	}
	for _, m := range read.Modules {
		if strings.HasSuffix(m.Path, "_test.rego") {
			t.Errorf("a test is in the bundle: %s", m.Path)
		}
	}

	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no rego":           {[]string{filepath.Dir(keep("bad/authz.rego", "package postern.authz\n\nallow if {\n"))}, 1, "authz.rego:"},
		"no entry point":    {[]string{filepath.Dir(keep("other/authz.rego", "package other\n\nallow := true\n"))}, 1, "no such rule"},
		"a refused call":    {[]string{filepath.Dir(keep("out/authz.rego", "package postern.authz\n\nallow := http.send({})\n"))}, 1, "authz.rego:3"},
		"a root too few":    {[]string{"../../policies", "--root", "elsewhere"}, 2, "refused"},
		"no key":            {[]string{"../../policies", "--signing-key", "file:/does/not/exist"}, 2, "signing-key"},
		"a bare secret":     {[]string{"../../policies", "--signing-key", "canary", "--signing-alg", "HS256"}, 2, "expected env:NAME"},
		"another's form":    {[]string{"../../policies", "--signing-key", "file:" + keep("long", strings.Repeat("canary", 100)), "--signing-alg", "RS256"}, 2, "can't be used"},
		"a word too many":   {[]string{"../../policies", "--key-id", "x"}, 2, "signing-key"},
		"no such algorithm": {[]string{"../../policies", "--signing-key", "file:" + pemFile, "--signing-alg", "none"}, 2, "expected RS256"},
		"nowhere to write":  {[]string{"../../policies", "-o", "/does/not/exist/b.tar.gz"}, 2, "no such file"},
	} {
		args := c.args
		if name != "nowhere to write" {
			args = append(args, "-o", filepath.Join(folder, "bad.tar.gz"))
		}
		if code, said := run(args...); code != c.code || !strings.Contains(said, c.says) || strings.Contains(said, "canary") && name != "x" {
			t.Errorf("%s: exit code %d\n%s", name, code, said)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "bad.tar.gz")); err == nil {
		t.Error("a bad bundle was written")
	}
}
