package serve_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/serve"
)

const opsToken = "ops-token-0123456789-0123456789"

// candidate makes a folder beside the policy in force, in which readers may not
// read, and configures it as its shadow.
func candidate(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(dir, "next"), os.DirFS(filepath.Join(dir, "policies"))); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "next/authz.rego", `"reader" in input.identity.roles`, `"nobody" in input.identity.roles`)
	edit(t, dir, "postern.yaml", "  directory: policies", "  state_directory: state\n  keep_revisions: 3\n  shadow: {directory: next}\n  directory: policies")
}

// withTokens configures the token that call shows.
func withTokens(t *testing.T, dir string) {
	t.Helper()
	write(t, dir, "ops-token", opsToken)
	edit(t, dir, "postern.yaml", "    # tokens:", "    tokens: [{name: ops, role: admin, token: \"file:ops-token\"}]\n    # tokens:")
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// call asks the admin API.
func (h *house) call(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, _ := http.NewRequest(method, "http://"+h.at.Admin.String()+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+opsToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil && resp.StatusCode != http.StatusNotFound {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func (h *house) metrics(t *testing.T) string {
	t.Helper()
	resp, err := http.Get("http://" + h.at.Admin.String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// candidateIs waits until there is a candidate, and returns its revision.
func (h *house) candidateIs(t *testing.T) (revision string) {
	t.Helper()
	until(t, "there is a candidate", func() bool {
		_, report := h.ready(t)
		if report.Policy != nil && report.Policy.Shadow != nil {
			revision = report.Policy.Shadow.Revision
		}
		return revision != ""
	})
	return revision
}

// restart ends it and begins again on the same folder.
func (h *house) restart(t *testing.T) *house {
	t.Helper()
	h.end(t)
	return startIn(t, h.dir)
}

// TestShadow: the candidate is asked, its flips are counted and told of, and the
// answers stay those of the policy in force.
func TestShadow(t *testing.T) {
	h := start(t, func(dir string) { candidate(t, dir) })
	next := h.candidateIs(t)
	until(t, "flips are counted", func() bool {
		if status, _ := h.ask(t); status != http.StatusOK {
			t.Fatalf("the answer is %d", status)
		}
		_, report := h.ready(t)
		return report.Policy.Shadow.Compared["allow_to_deny"] > 2
	})
	if text := h.metrics(t); !strings.Contains(text, `postern_policy_shadow_decisions_total{code="denied_by_policy",kind="allow_to_deny",`) || !strings.Contains(text, "postern_policy_shadow_ready 1") {
		t.Errorf("metrics:\n%s", text)
	}
	until(t, "a flip is told of", func() bool {
		return strings.Contains(h.log.String(), "the candidate policy decides otherwise") && strings.Contains(h.log.String(), next)
	})
	if strings.Contains(h.log.String(), mobileKey) {
		t.Error("the log holds a key")
	}

	// One that can't be compiled shows, and harms nothing.
	edit(t, h.dir, "next/authz.rego", "package postern.authz", "package postern.authz\n\nnonsense := undefined_function(1)")
	until(t, "the reason shows", func() bool {
		_, report := h.ready(t)
		return strings.Contains(report.Policy.Shadow.Error, "authz.rego:") && report.Policy.Shadow.Revision == ""
	})
	if status, _ := h.ask(t); status != http.StatusOK {
		t.Errorf("the answer is %d", status)
	}
	if code, report := h.ready(t); code != http.StatusOK || report.ReloadError != "" {
		t.Errorf("%d %+v", code, report)
	}
	edit(t, h.dir, "next/authz.rego", "\n\nnonsense := undefined_function(1)", "")
	if again := h.candidateIs(t); again != next {
		t.Errorf("the candidate is %s, and was %s", again, next)
	}
}

// TestCandidateThatComesLater: its folder need not be there at the start.
func TestCandidateThatComesLater(t *testing.T) {
	h := start(t, func(dir string) {
		edit(t, dir, "postern.yaml", "  directory: policies", "  shadow: {directory: later/next}\n  directory: policies")
	})
	until(t, "it is missed", func() bool {
		_, report := h.ready(t)
		return report.Policy.Shadow != nil && report.Policy.Shadow.Error != ""
	})
	if err := os.CopyFS(filepath.Join(h.dir, "later", "next"), os.DirFS(filepath.Join(h.dir, "policies"))); err != nil {
		t.Fatal(err)
	}
	h.candidateIs(t)
}

// TestPromote: the candidate is in force before the answer, after a restart, and
// until the files change; then they count.
func TestPromote(t *testing.T) {
	h := start(t, func(dir string) { withTokens(t, dir); candidate(t, dir) })
	next := h.candidateIs(t)
	_, before := h.ready(t)
	files := before.Policy.Revision
	if status, answer := h.call(t, "POST", "/v1/policy/promote", `{"revision":"`+files+`"}`); status != http.StatusConflict {
		t.Fatalf("another one than the candidate: %d %v", status, answer)
	}
	status, answer := h.call(t, "POST", "/v1/policy/promote", `{"revision":"`+next+`"}`)
	if status != http.StatusOK || answer["revision"] != next || answer["files_revision"] != files || answer["origin"] != "shadow" {
		t.Fatalf("%d %v", status, answer)
	}
	if status, code := h.ask(t); status != http.StatusForbidden || code != "denied_by_policy" {
		t.Errorf("right after the answer: %d %s", status, code)
	}
	if _, report := h.ready(t); report.Policy.Pinned == nil || report.Policy.Pinned.By != "ops" || report.Policy.Files != files || report.Revision == before.Revision {
		t.Errorf("readiness: %+v", report.Policy)
	}
	if status, answer := h.call(t, "POST", "/v1/policy/promote", ""); status != http.StatusOK {
		t.Errorf("again: %d %v", status, answer)
	}

	// Other files leave it in force, and so does a restart.
	edit(t, h.dir, "consumers/demo.yaml", "display_name: Mobile App", "display_name: Mobile Application")
	_, promoted := h.ready(t)
	until(t, "consumers are reloaded", func() bool { _, report := h.ready(t); return report.Revision != promoted.Revision })
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("after a reload: %d", status)
	}
	h = h.restart(t)
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("after a restart: %d", status)
	}

	// The files change: they count.
	edit(t, h.dir, "policies/authz.rego", "package postern.authz", "# edited\npackage postern.authz")
	until(t, "the files count again", func() bool { status, _ := h.ask(t); return status == http.StatusOK })
	until(t, "that is told", func() bool { return strings.Contains(h.log.String(), "the policy's files have changed") })
	edit(t, h.dir, "policies/authz.rego", "# edited\n", "")
	until(t, "they are what they were", func() bool { _, report := h.ready(t); return report.Policy.Revision == files })
	if status, _ := h.ask(t); status != http.StatusOK {
		t.Errorf("a pin that was released holds again: %d", status)
	}
	h = h.restart(t)
	if status, _ := h.ask(t); status != http.StatusOK {
		t.Errorf("a pin that was released holds after a restart: %d", status)
	}
}

// TestFilesCatchUp: when the promoted policy is put into the files, too, nothing
// is pinned any more, and nothing is said.
func TestFilesCatchUp(t *testing.T) {
	h := start(t, func(dir string) { withTokens(t, dir); candidate(t, dir) })
	next := h.candidateIs(t)
	if status, answer := h.call(t, "POST", "/v1/policy/promote", ""); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	edit(t, h.dir, "policies/authz.rego", `"reader" in input.identity.roles`, `"nobody" in input.identity.roles`)
	until(t, "nothing is pinned", func() bool {
		_, report := h.ready(t)
		return report.Policy.Pinned == nil && report.Policy.Revision == next
	})
	if strings.Contains(h.log.String(), "the policy's files have changed") {
		t.Error("a silent release is told of")
	}
	until(t, "the pin's file is gone", func() bool {
		_, err := os.Stat(filepath.Join(h.dir, "state", "pin.json"))
		return err != nil
	})
}

// TestRollback: to the one before, to one that is named, and to the files' own.
func TestRollback(t *testing.T) {
	h := start(t, func(dir string) { withTokens(t, dir); candidate(t, dir) })
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", ""); status != http.StatusConflict {
		t.Errorf("to nothing: %d %v", status, answer)
	}
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", `{"revision":"../../../etc/passwd"}`); status != http.StatusNotFound {
		t.Errorf("to what is not kept: %d %v", status, answer)
	}
	_, report := h.ready(t)
	good := report.Policy.Revision
	edit(t, h.dir, "policies/authz.rego", `"reader" in input.identity.roles`, `"nobody" in input.identity.roles`)
	until(t, "readers may no longer read", func() bool { status, _ := h.ask(t); return status == http.StatusForbidden })
	until(t, "both are kept", func() bool { return len(h.revisions(t)) == 2 })
	status, answer := h.call(t, "POST", "/v1/policy/rollback", "")
	if status != http.StatusOK || answer["revision"] != good || answer["origin"] != "kept" {
		t.Fatalf("%d %v", status, answer)
	}
	if status, _ := h.ask(t); status != http.StatusOK {
		t.Errorf("right after the answer: %d", status)
	}
	h = h.restart(t)
	if status, _ := h.ask(t); status != http.StatusOK {
		t.Errorf("after a restart: %d", status)
	}
	// What was rolled back from is passed by.
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", ""); status != http.StatusConflict {
		t.Fatalf("%d %v", status, answer)
	}
	// Back to what the files hold, by its name: no pin is needed.
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", fmt.Sprintf(`{"revision":%q}`, h.pinnedOver(t))); status != http.StatusOK || answer["pin"] != nil {
		t.Fatalf("%d %v", status, answer)
	}
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("back at the files: %d", status)
	}
	if status, _ := h.call(t, "POST", "/v1/policy/rollback", fmt.Sprintf(`{"revision":%q}`, good)); status != http.StatusOK {
		t.Errorf("to a named one: %d", status)
	}
	if status, _ := h.ask(t); status != http.StatusOK {
		t.Errorf("at the named one: %d", status)
	}
}

// pinnedOver is the revision that the files hold.
func (h *house) pinnedOver(t *testing.T) string {
	t.Helper()
	_, report := h.ready(t)
	return report.Policy.Files
}

// TestRollbacksGoOn: each goes a step further back, past what was rolled back
// from.
func TestRollbacksGoOn(t *testing.T) {
	h := start(t, func(dir string) { withTokens(t, dir); candidate(t, dir) })
	_, report := h.ready(t)
	revisions := []string{report.Policy.Revision}
	for _, text := range []string{"# one\n", "# two\n"} {
		last := revisions[len(revisions)-1]
		edit(t, h.dir, "policies/authz.rego", "package postern.authz", text+"package postern.authz")
		until(t, "it is in force and kept", func() bool {
			_, report = h.ready(t)
			return report.Policy.Revision != last && len(h.revisions(t)) > len(revisions)
		})
		revisions = append(revisions, report.Policy.Revision)
	}
	for i, want := range []string{revisions[1], revisions[0]} {
		if status, answer := h.call(t, "POST", "/v1/policy/rollback", ""); status != http.StatusOK || answer["revision"] != want {
			t.Fatalf("rollback %d: %d %v, want %s", i, status, answer, want)
		}
		if i == 0 {
			h = h.restart(t)
		}
	}
	left := 0
	for _, one := range h.revisions(t) {
		if kept, _ := one.(map[string]any); kept["rolled_back_at"] != nil {
			left++
		}
	}
	if left != 2 {
		t.Errorf("%d are marked: %v", left, h.revisions(t))
	}
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", ""); status != http.StatusConflict {
		t.Errorf("there is nothing further back: %d %v", status, answer)
	}
	// Who goes forward again leaves nothing behind as bad.
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", fmt.Sprintf(`{"revision":%q}`, revisions[2])); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", ""); status != http.StatusOK || answer["revision"] != revisions[0] {
		t.Errorf("%d %v", status, answer)
	}
}

// revisions are those that are kept.
func (h *house) revisions(t *testing.T) []any {
	t.Helper()
	_, answer := h.call(t, "GET", "/v1/policy/revisions", "")
	list, _ := answer["revisions"].([]any)
	return list
}

// TestNothingOutlives: without a folder for it nothing is promoted, and a plain
// start has no API at all.
func TestNothingOutlives(t *testing.T) {
	h := start(t, func(dir string) {
		withTokens(t, dir)
		candidate(t, dir)
		edit(t, dir, "postern.yaml", "  state_directory: state\n", "")
	})
	h.candidateIs(t)
	for _, path := range []string{"/v1/policy/promote", "/v1/policy/rollback"} {
		status, answer := h.call(t, "POST", path, "")
		if detail, _ := answer["detail"].(string); status != http.StatusConflict || !strings.Contains(detail, "policy.state_directory") {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
	if status, answer := h.call(t, "GET", "/v1/policy", ""); status != http.StatusOK || answer["keeps_revisions"] != false {
		t.Errorf("%d %v", status, answer)
	}
}

// TestBrokenArchive: what was promoted and can't be read is no reason to serve
// something else.
func TestBrokenArchive(t *testing.T) {
	h := start(t, func(dir string) { withTokens(t, dir); candidate(t, dir) })
	next := h.candidateIs(t)
	if status, answer := h.call(t, "POST", "/v1/policy/promote", ""); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	h.end(t)
	write(t, h.dir, "state/revisions/"+next+".tar.gz", "not an archive")
	err := serve.Validate(t.Context(), serve.Options{ConfigPath: filepath.Join(h.dir, "postern.yaml"), Env: func(string) (string, bool) { return "", false }})
	if err == nil || !strings.Contains(err.Error(), "pin.json") || !strings.Contains(err.Error(), next) {
		t.Errorf("validated: %v", err)
	}
}

// TestPromotesAtOnce: promotions, rollbacks, edits and questions at once; in the
// end what is in force is what is told, and each answer is one revision's.
func TestPromotesAtOnce(t *testing.T) {
	h := start(t, func(dir string) { withTokens(t, dir); candidate(t, dir) })
	h.candidateIs(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 10 {
				path := []string{"/v1/policy/promote", "/v1/policy/rollback"}[i%2]
				if status, answer := h.call(t, "POST", path, ""); status != http.StatusOK && status != http.StatusConflict {
					t.Errorf("%s: %d %v", path, status, answer)
				}
				if status, _ := h.ask(t); status != http.StatusOK && status != http.StatusForbidden {
					t.Errorf("an answer is %d", status)
				}
			}
		})
	}
	for i := range 5 {
		write(t, h.dir, "policies/more.rego", fmt.Sprintf("package more\n\nnumber := %d\n", i))
	}
	all.Wait()
	_, report := h.ready(t)
	status, answer := h.call(t, "POST", "/v1/policy/promote", "")
	if status != http.StatusOK || answer["revision"] != report.Policy.Shadow.Revision {
		t.Errorf("%d %v", status, answer)
	}
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("the candidate is in force, and the answer is %d", status)
	}
}

// TestPromoteOverABundle: a bundle that changes counts again, like files.
func TestPromoteOverABundle(t *testing.T) {
	h := start(t, func(dir string) {
		withTokens(t, dir)
		candidate(t, dir)
		edit(t, dir, "postern.yaml", "  directory: policies ", "  bundles: [{name: main, file: policies, every: 100ms}] ")
	})
	next := h.candidateIs(t)
	if status, answer := h.call(t, "POST", "/v1/policy/promote", fmt.Sprintf(`{"revision":%q}`, next)); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("promoted: %d", status)
	}
	h = h.restart(t)
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("after a restart: %d", status)
	}
	edit(t, h.dir, "policies/authz.rego", "package postern.authz", "# edited\npackage postern.authz")
	until(t, "the bundle counts again", func() bool { status, _ := h.ask(t); return status == http.StatusOK })
	if status, answer := h.call(t, "POST", "/v1/policy/rollback", fmt.Sprintf(`{"revision":%q}`, next)); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("rolled back: %d", status)
	}
}

// TestDataUnderAPin: further data goes on changing under rules that were
// promoted, also after a restart, and releases nothing.
func TestDataUnderAPin(t *testing.T) {
	h := start(t, func(dir string) {
		candidate(t, dir)
		withTokens(t, dir)
		edit(t, dir, "next/authz.rego", `"nobody" in input.identity.roles`, "not data.banned[input.consumer.name]\n\t\"reader\" in input.identity.roles")
		write(t, dir, "banned.json", "{}")
		edit(t, dir, "postern.yaml", "  directory: policies", "  data: [{file: banned.json, at: banned}]\n  directory: policies")
	})
	answers := func(status int) {
		t.Helper()
		until(t, fmt.Sprintf("the answer is %d", status), func() bool { got, _ := h.ask(t); return got == status })
	}
	pinned := func() string {
		t.Helper()
		_, report := h.ready(t)
		if report.Policy.Pinned == nil {
			t.Fatal("the pin is gone")
		}
		return report.Policy.Revision
	}
	next := h.candidateIs(t)
	if status, answer := h.call(t, http.MethodPost, "/v1/policy/promote", `{"revision":"`+next+`"}`); status != http.StatusOK {
		t.Fatal(status, answer)
	}
	answers(http.StatusOK)
	write(t, h.dir, "banned.json", `{"mobile-app-prod-67a1b2c3": true}`)
	answers(http.StatusForbidden)
	h = h.restart(t)
	answers(http.StatusForbidden)
	write(t, h.dir, "banned.json", `{"another": true}`)
	answers(http.StatusOK)
	if got := pinned(); got != next {
		t.Errorf("the policy in force is %s, want %s", got, next)
	}
}
