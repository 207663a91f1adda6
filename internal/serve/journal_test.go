package serve_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// noted are all bytes of a journal.
func noted(t *testing.T, dir string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// TestJournalFollowsReloads lets a reload move the journal and end it.
func TestJournalFollowsReloads(t *testing.T) {
	h := start(t, func(dir string) {
		edit(t, dir, "postern.yaml", "  directory: policies", "  journal: {directory: first}\n  directory: policies")
	})
	records := func(name string) int {
		return bytes.Count(noted(t, filepath.Join(h.dir, name)), []byte(`"outcome":"allowed"`))
	}
	h.ask(t)
	until(t, "the decision is in the journal", func() bool { return records("first") == 1 })

	edit(t, h.dir, "postern.yaml", "directory: first", "directory: second")
	until(t, "the journal moves", func() bool { h.ask(t); return records("second") > 0 })
	before := records("first")

	edit(t, h.dir, "postern.yaml", "journal: {directory: second}", "keep_revisions: 9")
	until(t, "the journal ends", func() bool {
		was := records("second")
		for range 5 {
			h.ask(t)
		}
		return was == records("second")
	})
	if records("first") != before {
		t.Error("the first journal goes on")
	}

	// One that can't be written is no reload; the last good rules stay.
	if err := os.WriteFile(filepath.Join(h.dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, h.dir, "postern.yaml", "keep_revisions: 9", "journal: {directory: file/journal}")
	until(t, "the reload fails", func() bool { _, r := h.ready(t); return r.ReloadError != "" })
	if status, _ := h.ask(t); status != http.StatusOK {
		t.Errorf("status %d", status)
	}

	resp, err := http.Get("http://" + h.at.Admin.String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !regexp.MustCompile(`(?m)^postern_policy_journal_written\S* [1-9]`).Match(text) || !bytes.Contains(text, []byte("postern_policy_journal_failed")) {
		t.Errorf("metrics lack the journal: %v", err)
	}
	if bytes.Contains(append(noted(t, filepath.Join(h.dir, "first")), noted(t, filepath.Join(h.dir, "second"))...), []byte(mobileKey)) {
		t.Error("the key is in the journal")
	}
}

// TestJournalIsWholeAfterADrain loses no decision that was answered.
func TestJournalIsWholeAfterADrain(t *testing.T) {
	h := start(t, func(dir string) {
		edit(t, dir, "postern.yaml", "  directory: policies", "  journal: {directory: journal}\n  directory: policies")
	})
	for range 200 {
		h.ask(t)
	}
	h.end(t)
	if n := bytes.Count(noted(t, filepath.Join(h.dir, "journal")), []byte(`"outcome":"allowed"`)); n != 200 {
		t.Errorf("%d of 200 decisions are in the journal", n)
	}
}
