package serve_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/serve"
)

// banning has the policy refuse who is in data.banned, which further data tells
// of.
func banning(t *testing.T, dir, further string) {
	t.Helper()
	withTokens(t, dir)
	edit(t, dir, "policies/authz.rego", `"reader" in input.identity.roles`, "not data.banned[input.consumer.name]\n\t\"reader\" in input.identity.roles")
	edit(t, dir, "postern.yaml", "  directory: policies", "  state_directory: state\n"+further+"  directory: policies")
}

const bannedFile = "  data: [{file: banned.json, at: banned}]\n"

// TestRollbackLosesNoData: a kept revision comes into force with the further data
// that it was read with, or not at all.
func TestRollbackLosesNoData(t *testing.T) {
	const banned = `{"mobile-app-prod-67a1b2c3": true}`
	bundle := func(t *testing.T, dir string) {
		if err := os.Mkdir(filepath.Join(dir, "lists"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "lists/.manifest", `{"roots": ["banned"]}`)
		write(t, dir, "lists/data.json", `{"banned": `+banned+`}`)
	}
	for name, c := range map[string]struct {
		further string
		make    func(t *testing.T, dir string)
		move    func(t *testing.T, dir string)
	}{
		"a file that becomes the policy's own": {
			bannedFile, func(t *testing.T, dir string) { write(t, dir, "banned.json", banned) },
			func(t *testing.T, dir string) {
				write(t, dir, "policies/banned.json", `{"banned": `+banned+`}`)
				edit(t, dir, "postern.yaml", bannedFile, "")
			},
		},
		"a file at the top that becomes the policy's own": {
			"  data: [{file: banned.json}]\n", func(t *testing.T, dir string) { write(t, dir, "banned.json", `{"banned": `+banned+`}`) },
			func(t *testing.T, dir string) {
				write(t, dir, "policies/banned.json", `{"banned": `+banned+`}`)
				edit(t, dir, "postern.yaml", "  data: [{file: banned.json}]\n", "")
			},
		},
		"a bundle that gets a module": {
			"  bundles: [{name: lists, file: lists, every: 100ms}]\n", bundle,
			func(t *testing.T, dir string) {
				write(t, dir, "lists/lists.rego", "package banned.lists\n\nexample := true")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(dir string) { banning(t, dir, c.further); c.make(t, dir) })
			if status, _ := h.ask(t); status != http.StatusForbidden {
				t.Fatalf("banned, and the answer is %d", status)
			}
			_, report := h.ready(t)
			until(t, "the first is kept", func() bool { return len(h.revisions(t)) == 1 })
			c.move(t, h.dir)
			until(t, "another is in force", func() bool {
				_, now := h.ready(t)
				return now.Policy.Revision != report.Policy.Revision && now.ReloadError == ""
			})
			until(t, "both are kept", func() bool { return len(h.revisions(t)) == 2 })
			status, answer := h.call(t, "POST", "/v1/policy/rollback", fmt.Sprintf(`{"revision":%q}`, report.Policy.Revision))
			if detail, _ := answer["detail"].(string); status != http.StatusConflict || !strings.Contains(detail, "data.banned") {
				t.Errorf("%d %v", status, answer)
			}
			if status, _ := h.ask(t); status != http.StatusForbidden {
				t.Errorf("banned, and after a rollback the answer is %d", status)
			}
		})
	}
}

// TestPinLosesNoData: under a pin, a reload that takes the further data away is
// refused, and so is a start.
func TestPinLosesNoData(t *testing.T) {
	h := start(t, func(dir string) {
		banning(t, dir, bannedFile)
		write(t, dir, "banned.json", `{"mobile-app-prod-67a1b2c3": true}`)
	})
	_, report := h.ready(t)
	until(t, "the first is kept", func() bool { return len(h.revisions(t)) == 1 })
	edit(t, h.dir, "policies/authz.rego", "package postern.authz", "# edited\npackage postern.authz")
	until(t, "both are kept", func() bool { return len(h.revisions(t)) == 2 })
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", fmt.Sprintf(`{"revision":%q}`, report.Policy.Revision)); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	edit(t, h.dir, "postern.yaml", bannedFile, "")
	until(t, "the reload is refused", func() bool {
		_, report := h.ready(t)
		return strings.Contains(report.ReloadError, "data.banned") && strings.Contains(report.ReloadError, "pin.json")
	})
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("banned, and the answer is %d", status)
	}
	h.end(t)
	err := serve.Validate(t.Context(), serve.Options{ConfigPath: filepath.Join(h.dir, "postern.yaml"), Env: func(string) (string, bool) { return "", false }})
	if err == nil || !strings.Contains(err.Error(), "pin.json") || !strings.Contains(err.Error(), "data.banned") {
		t.Errorf("a start says %v", err)
	}
}
