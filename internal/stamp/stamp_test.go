package stamp_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"github.com/postern-authz/postern/internal/stamp"
)

func of(t *testing.T, path string) stamp.Stamp {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return stamp.Of(info)
}

// aged writes a file whose time of modification is long past.
func aged(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	age(t, path)
}

func age(t *testing.T, path string) {
	t.Helper()
	if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestUnchanged(t *testing.T) {
	later := time.Now().Add(time.Hour)
	path := filepath.Join(t.TempDir(), "file")
	aged(t, path, "one")
	first := of(t, path)
	if known := runtime.GOOS == "linux"; first.Unchanged(later, of(t, path)) != known {
		t.Errorf("a file that nobody touched: want unchanged %v", known)
	}
	if first.Unchanged(time.Now(), of(t, path)) {
		t.Error("a file that was read as soon as it was written is said to be unchanged: the next change may have its time")
	}
	for what, change := range map[string]func(){
		"a write in place": func() { aged(t, path, "two") },
		"another file in its place": func() {
			aged(t, path+".new", "two")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		before := of(t, path)
		// Clocks of file systems tick slowly: the change is repeated until it has a
		// time of its own.
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			change()
			if !before.Unchanged(later, of(t, path)) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s of the same size and time is never seen", what)
			}
		}
	}
}

func TestWithoutAnInode(t *testing.T) {
	files := fstest.MapFS{"file": {Data: []byte("one"), ModTime: time.Unix(1, 0)}}
	info, err := files.Stat("file")
	if err != nil {
		t.Fatal(err)
	}
	if s := stamp.Of(info); s.Unchanged(time.Now(), s) {
		t.Error("a file of which nothing certain is known is said to be unchanged")
	}
}
