package test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// served is the command that the reader of policies/first.md gives in a terminal
// of its own.
const served = "postern serve --config postern.yaml"

// TestFirstPolicy follows policies/first.md word for word, in an empty folder.
// The default addresses become free ones.
func TestFirstPolicy(t *testing.T) {
	for _, tool := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			harness.Missing(t, tool+": install it from the system's packages")
		}
	}
	folder := t.TempDir()
	addresses, exports := strings.NewReplacer(), ""
	ran := false
	for _, b := range runnable(harness.Read(t, filepath.Join(harness.Root(t), "policies", "first.md"))) {
		for _, c := range b.commands() {
			if c.text == served {
				// How fast the machine is must not decide.
				harness.Edit(t, filepath.Join(folder, "postern.yaml"), "policy:\n", "policy:\n  timeout: 10s\n")
				p := harness.StartPostern(t, folder)
				addresses = strings.NewReplacer("127.0.0.1:9192", p.HTTP)
				exports = "export POSTERN_SERVER=http://" + p.Admin + "\n"
				ran = true
				continue
			}
			c.text = addresses.Replace(c.text)
			if later.MatchString(c.text) {
				harness.WaitFor(t, c.text, func() error { return c.try(t, folder, exports) })
			} else if err := c.try(t, folder, exports); err != nil {
				t.Fatalf("line %d: %v", c.line, err)
			}
			if strings.HasPrefix(c.text, "export ") {
				exports += c.text + "\n"
			}
		}
	}
	if !ran {
		t.Errorf("the page does not say: %s", served)
	}
}

// later are commands whose answer may come a moment later: neither the journal
// nor the candidate keeps a request waiting. They change nothing.
var later = regexp.MustCompile(`^postern policy (status|explain next --journal) ?`)
