package policies_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/config"
)

// TestBundlesExample loads the configuration that README.md gives for bundles.
func TestBundlesExample(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Bundles\n")
	if !found {
		t.Fatal("README.md has no section on bundles")
	}
	_, section, _ = strings.Cut(section, "```yaml\n")
	example, _, _ := strings.Cut(section, "```")
	folder := t.TempDir()
	for name, content := range map[string]string{"postern.yaml": example, "bundles-token": "t", "signing.pub": "k"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(folder, "postern.yaml"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	all := c.Policy.Bundles
	if len(all) != 2 || all[0].Verification == nil || all[0].Token.Empty() || all[1].File != filepath.Join(folder, "bindings") {
		t.Errorf("bundles %+v", all)
	}
}
