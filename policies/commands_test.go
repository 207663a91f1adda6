package policies_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/cli"
)

// TestCommands runs what README.md tells authors to run, in this folder.
func TestCommands(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range strings.Lines(string(text)) {
		words, isCommand := strings.CutPrefix(strings.TrimSpace(line), "$ postern ")
		if !isCommand {
			continue
		}
		ran++
		args := strings.Fields(strings.Replace(words, " policies/", " .", 1))
		var stdout, stderr bytes.Buffer
		if code := cli.Run(t.Context(), args, nil, &stdout, &stderr); code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", words, code, &stdout, &stderr)
		}
	}
	if ran == 0 {
		t.Error("README.md has no command")
	}
}
