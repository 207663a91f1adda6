package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/internal/journal"
)

func TestPathsAreThereOnce(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{"decisions-1.jsonl", "decisions-2.jsonl"} {
		if err := os.WriteFile(filepath.Join(directory, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(directory, link); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(directory, "decisions-1.jsonl")
	files, err := journal.Paths([]string{first, directory, directory + "/.", link, first})
	if err != nil || len(files) != 2 || files[0] != first {
		t.Errorf("%v, %v", files, err)
	}
}
