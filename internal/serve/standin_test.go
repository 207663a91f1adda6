package serve_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/serve"
)

// broken is no Rego.
const broken = "package postern.authz\n\nbroken := undefined_function(1)\n"

// refused runs Postern on a folder with which it must not begin.
func refused(t *testing.T, dir string) error {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := serve.Run(ctx, serve.Options{
		ConfigPath: filepath.Join(dir, "postern.yaml"), Stdout: io.Discard, Stderr: io.Discard,
		Env: func(string) (string, bool) { return "", false }, Version: "test",
		Ready: func(serve.Addresses) { stop() },
	})
	if err == nil {
		t.Fatal("it begins")
	}
	return err
}

// TestStartOnBrokenFiles: what was promoted outlasts a restart though the files
// can't be used, and is held to them once they can.
func TestStartOnBrokenFiles(t *testing.T) {
	h := start(t, func(dir string) { withTokens(t, dir); candidate(t, dir) })
	next := h.candidateIs(t)
	_, before := h.ready(t)
	files := before.Policy.Revision
	good, err := os.ReadFile(filepath.Join(h.dir, "policies", "authz.rego"))
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := h.call(t, "POST", "/v1/policy/promote", ""); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	h.end(t)
	write(t, h.dir, "policies/authz.rego", broken)

	h = startIn(t, h.dir)
	if status, code := h.ask(t); status != http.StatusForbidden || code != "denied_by_policy" {
		t.Errorf("what was promoted is not in force: %d %s", status, code)
	}
	for range 2 { // and after it was tried again
		code, report := h.ready(t)
		if code != http.StatusOK || report.Policy.Revision != next || report.Policy.Files != files || !strings.Contains(report.ReloadError, "authz.rego:3") {
			t.Errorf("%d %+v %+v", code, report, report.Policy)
		}
		until(t, "it is tried again", func() bool { return strings.Contains(h.log.String(), "reload failed") })
	}
	if log := h.log.String(); !strings.Contains(log, "the policy's files can't be used: what was promoted or rolled back to is in force") {
		t.Errorf("log:\n%s", log)
	}
	_, answer := h.call(t, "GET", "/v1/policy", "")
	if why, _ := answer["files_error"].(string); !strings.Contains(why, "authz.rego:3") || answer["revision"] != next {
		t.Errorf("%v", answer)
	}

	// They are what they were: the pin holds.
	write(t, h.dir, "policies/authz.rego", string(good))
	until(t, "they are read", func() bool { _, report := h.ready(t); return report.ReloadError == "" })
	_, answer = h.call(t, "GET", "/v1/policy", "")
	if answer["revision"] != next || answer["files_error"] != nil {
		t.Errorf("%v", answer)
	}
	h.end(t)

	// They are others: they count.
	write(t, h.dir, "policies/authz.rego", broken)
	h = startIn(t, h.dir)
	write(t, h.dir, "policies/authz.rego", "# edited\n"+string(good))
	until(t, "the files count again", func() bool { status, _ := h.ask(t); return status == http.StatusOK })
	h.end(t)

	// Nothing is pinned any more.
	write(t, h.dir, "policies/authz.rego", broken)
	if err := refused(t, h.dir); !strings.Contains(err.Error(), "authz.rego:3") {
		t.Error(err)
	}
}

// TestRollbackOnBrokenFiles: the files' own revision is kept as well, and can be
// put in force though the files can't be used.
func TestRollbackOnBrokenFiles(t *testing.T) {
	h := start(t, func(dir string) { withTokens(t, dir); candidate(t, dir) })
	h.candidateIs(t)
	_, before := h.ready(t)
	until(t, "it is kept", func() bool { return len(h.revisions(t)) == 1 })
	if status, answer := h.call(t, "POST", "/v1/policy/promote", ""); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	h.end(t)
	write(t, h.dir, "policies/authz.rego", broken)
	h = startIn(t, h.dir)
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", ""); status != http.StatusOK || answer["revision"] != before.Policy.Revision {
		t.Fatalf("%d %v", status, answer)
	}
	h = h.restart(t)
	if status, _ := h.ask(t); status != http.StatusOK {
		t.Errorf("%d", status)
	}
	// An archive that is broken as well leaves nothing to serve.
	h.end(t)
	write(t, h.dir, "state/revisions/"+before.Policy.Revision+".tar.gz", "not an archive")
	if err := refused(t, h.dir); !strings.Contains(err.Error(), "authz.rego:3") || !strings.Contains(err.Error(), "archive") {
		t.Error(err)
	}
}
