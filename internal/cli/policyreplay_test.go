package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/cli"
)

// TestReplayOfNothing has a journal without decisions, named twice: there is no
// span of time, and each file counts once.
func TestReplayOfNothing(t *testing.T) {
	directory := t.TempDir()
	for name, text := range map[string]string{
		"journal/decisions-1.jsonl": "{\"postern_journal\":1}\n",
		"policies/authz.rego":       "package postern.authz\n\ndefault allow := false\n",
	} {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	journal := filepath.Join(directory, "journal")
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), []string{"policy", "replay", "--journal", journal, "--journal", journal, "--policy", filepath.Join(directory, "policies")}, nil, &stdout, &stderr)
	out := stdout.String()
	if code != 2 || !strings.HasPrefix(out, "no decisions (files: 1)\n") || strings.Contains(out, "0001") {
		t.Errorf("exit code %d: %s%s", code, out, &stderr)
	}
}
