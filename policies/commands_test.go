package policies_test

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

	"github.com/postern-authz/postern/internal/cli"
)

// TestCommands runs what README.md tells authors to run, in this folder. What needs
// a running Postern is in blocks marked runnable, which test/rollout_test.go runs.
func TestCommands(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	places := strings.NewReplacer(" policies/", " .", " main.tar.gz", " "+filepath.Join(t.TempDir(), "main.tar.gz"), "file:signing.pem", "file:"+signingKey(t))
	ran, elsewhere := 0, false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "```") {
			elsewhere = strings.Contains(line, "runnable")
		}
		words, isCommand := strings.CutPrefix(strings.TrimSpace(line), "$ postern ")
		if !isCommand || elsewhere {
			continue
		}
		ran++
		args := strings.Fields(places.Replace(words))
		var stdout, stderr bytes.Buffer
		if code := cli.Run(t.Context(), args, nil, &stdout, &stderr); code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", words, code, &stdout, &stderr)
		}
	}
	if ran == 0 {
		t.Error("README.md has no command")
	}
}

// signingKey is a file with a private key.
func signingKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	path := filepath.Join(t.TempDir(), "signing.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
