package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Example copies deploy/example into a folder of the test, so that the test may
// edit it while Postern runs on it.
func Example(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(Root(t), "deploy", "example"))); err != nil {
		t.Fatal(err)
	}
	// How fast the machine is must not decide: others may keep its cores busy.
	Edit(t, filepath.Join(dir, "postern.yaml"), "timeout: 20ms", "timeout: 10s")
	Edit(t, filepath.Join(dir, "postern.yaml"), "# burst: 2s ", "burst: 30m ")
	return dir
}

// Configured copies a file of deploy/ into dir, with each text of replace
// replaced, and returns its path. A text that isn't there fails the test: the
// file and the test have come apart.
func Configured(t testing.TB, dir, file string, replace map[string]string) string {
	t.Helper()
	content := Read(t, filepath.Join(Root(t), "deploy", file))
	pairs := make([]string, 0, 2*len(replace))
	for old, with := range replace {
		if !strings.Contains(content, old) {
			t.Fatalf("deploy/%s has no %q to replace", file, old)
		}
		pairs = append(pairs, old, with)
	}
	path := filepath.Join(dir, filepath.Base(file))
	Write(t, path, strings.NewReplacer(pairs...).Replace(content))
	return path
}

// Edit replaces a text in a file in one step, as an editor or a deployment
// does: written beside it, then renamed over it.
func Edit(t testing.TB, path, old, with string) {
	t.Helper()
	content := Read(t, path)
	if !strings.Contains(content, old) {
		t.Fatalf("%s has no %q to replace", path, old)
	}
	Write(t, path, strings.ReplaceAll(content, old, with))
}

// Read returns a file's text.
func Read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path) // #nosec G304 -- a test's own files
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Write puts a text into a file in one step.
func Write(t testing.TB, path, content string) {
	t.Helper()
	beside := path + ".new"
	if err := os.WriteFile(beside, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, path); err != nil {
		t.Fatal(err)
	}
}
