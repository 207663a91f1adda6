package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/policy"
)

// TestConflictsNameBothLines: of what two files define, both places are told.
func TestConflictsNameBothLines(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"p/authz.rego":      "package postern.authz\n\nallow := true\n",
		"p/owners/data.yml": "# owners\nbills: [a]\ninvoices:\n  \"1\": a\n",
		"more.json":         "{\n  \"invoices\": {\n    \"2\": \"b\",\n    \"1\": \"b\"\n  }\n}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := policy.Compile(t.Context(), policy.Options{
		Directory: filepath.Join(dir, "p"), Entrypoints: []string{"postern/authz/allow"},
		Data: []policy.DataFiles{{Pattern: filepath.Join(dir, "more.json"), At: []string{"owners"}}},
	})
	want := filepath.Join(dir, "more.json") + ":4: data.owners.invoices.1 is defined here and in " + filepath.Join(dir, "p", "owners", "data.yml") + ":4;"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
