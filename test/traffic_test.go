package test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// TestTraffic runs what policies/README.md says about yesterday's traffic, in a
// copy of deploy/example that keeps a journal. What reads the journal is asked
// until it is there: no request waits for it.
func TestTraffic(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		harness.Missing(t, "curl: install it from the system's packages")
	}
	dir := harness.Example(t)
	harness.Edit(t, filepath.Join(dir, "postern.yaml"), "  directory: policies", "  directory: policies\n  journal: {directory: journal}")
	postern := harness.StartPostern(t, dir)
	page := harness.Read(t, filepath.Join(harness.Root(t), "policies", "README.md"))
	blocks := runnable(strings.ReplaceAll(strings.ReplaceAll(page, "console runnable\n", "console\n"), "console runnable-with-journal\n", "console runnable\n"))
	if len(blocks) == 0 {
		t.Fatal("policies/README.md has no block marked runnable-with-journal")
	}
	for _, b := range blocks {
		for _, c := range b.commands() {
			c.text = strings.ReplaceAll(c.text, "127.0.0.1:9192", postern.HTTP)
			if strings.HasPrefix(c.text, "postern policy replay ") {
				harness.WaitFor(t, c.text, func() error { return c.try(t, dir, "") })
				continue
			}
			c.run(t, dir)
		}
	}
}
