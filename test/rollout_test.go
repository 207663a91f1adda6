package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// TestRollout runs what policies/README.md says about trying a change, rolling it
// out and taking it back, in a copy of deploy/example. What only tells is asked until
// it says what is shown: the candidate keeps no request waiting.
func TestRollout(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		harness.Missing(t, "curl: install it from the system's packages")
	}
	dir := harness.Example(t)
	const token = "rollout-admin-token-0123456789"
	harness.Write(t, filepath.Join(dir, "token"), token)
	harness.Edit(t, filepath.Join(dir, "postern.yaml"), "    # tokens:", "    tokens: [{name: ops, role: admin, token: \"file:token\"}]\n    # tokens:")
	harness.Edit(t, filepath.Join(dir, "postern.yaml"), "  directory: policies", "  directory: policies\n  shadow: {directory: next, sample: 1}\n  state_directory: state\n  keep_revisions: 10")
	postern := harness.StartPostern(t, dir)
	t.Setenv("POSTERN_SERVER", "http://"+postern.Admin)
	t.Setenv("POSTERN_TOKEN", token)
	blocks := runnable(harness.Read(t, filepath.Join(harness.Root(t), "policies", "README.md")))
	if len(blocks) == 0 {
		t.Fatal("policies/README.md has no block marked runnable")
	}
	for _, b := range blocks {
		for _, c := range b.commands() {
			c.text = strings.ReplaceAll(c.text, "127.0.0.1:9192", postern.HTTP)
			if strings.HasPrefix(c.text, "curl ") {
				awaitCandidate(t, dir)
			}
			if c.text == "postern policy status" || c.text == "postern policy revisions" {
				harness.WaitFor(t, c.text, func() error { return says(t, dir, c) })
				continue
			}
			c.run(t, dir)
		}
	}
}

// awaitCandidate waits until what was copied is the candidate.
func awaitCandidate(t *testing.T, dir string) {
	t.Helper()
	harness.WaitFor(t, "the candidate", func() error { return says(t, dir, command{text: "postern policy status", prints: "candidate: …\n"}) })
}

// says runs a command and compares what it prints, but for the width of columns.
func says(t *testing.T, dir string, c command) error {
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), strings.Fields(c.text)[1:]...) // #nosec G204 -- the page's commands
	cmd.Dir, cmd.Env = dir, os.Environ()
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	if missing := missingLine(squeezed(string(output)), squeezed(c.prints)); missing != "" {
		return fmt.Errorf("%s\nwithout %q", output, missing)
	}
	return nil
}

func squeezed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n") + "\n"
}
