package serve_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files of data are watched: a new one that a pattern matches counts, a change
// decides, and one that can't be read leaves the last good revision deciding.
func TestDataFilesAreWatched(t *testing.T) {
	write := func(dir, name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	h := start(t, func(dir string) {
		edit(t, dir, "postern.yaml", "policy:\n", "policy:\n  data: [{file: blocked.json, at: blocked}, {file: \"more/*.json\", at: more}]\n")
		write(dir, "blocked.json", `{"other": true}`)
		write(dir, "more/readme.txt", "none")
		edit(t, dir, "policies/authz.rego", "denied if {", "denied if data.blocked[input.consumer.name]\n\ndenied if data.more.all\n\ndenied if {")
	})
	is := func(want int) func() bool {
		return func() bool { status, _ := h.ask(t); return status == want }
	}
	until(t, "mobile is let through", is(http.StatusOK))
	write(h.dir, "blocked.json", `{"mobile-app-prod-67a1b2c3": true}`)
	until(t, "mobile is blocked", is(http.StatusForbidden))
	write(h.dir, "blocked.json", "{\n\"mobile-app-prod-67a1b2c3\": false,,}")
	until(t, "the file and line are told", func() bool {
		_, report := h.ready(t)
		return strings.Contains(report.ReloadError, "blocked.json:2: found ','")
	})
	if status, _ := h.ask(t); status != http.StatusForbidden {
		t.Errorf("got %d by data that can't be read", status)
	}
	write(h.dir, "blocked.json", `{}`)
	until(t, "mobile is let through again", is(http.StatusOK))
	write(h.dir, "more/all.json", `{"all": true}`)
	until(t, "a new file counts", is(http.StatusForbidden))
	if err := os.Remove(filepath.Join(h.dir, "more", "all.json")); err != nil {
		t.Fatal(err)
	}
	until(t, "a file that is gone does not", is(http.StatusOK))
}
