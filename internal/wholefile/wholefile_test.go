package wholefile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/internal/wholefile"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	holds := func(want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
			t.Errorf("there are %v, %v", files, err)
		}
	}
	if err := wholefile.Replace(path, 0o600, text("one")); err != nil {
		t.Fatal(err)
	}
	holds("one")
	if err := wholefile.Replace(path, 0o644, text("two")); err != nil {
		t.Fatal(err)
	}
	holds("two")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	broken := errors.New("broken")
	err := wholefile.Replace(path, 0o600, func(w io.Writer) error { return errors.Join(text("half")(w), broken) })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	holds("two")
	if err := wholefile.Replace(filepath.Join(dir, "nowhere", "b"), 0o600, text("b")); err == nil {
		t.Error("a folder that is not there was written to")
	}
}
