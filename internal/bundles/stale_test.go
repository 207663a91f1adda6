package bundles_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/bundles"
)

// aged writes a file in one step, with a time of modification that is long past:
// reproducible archives all have the same.
func aged(t *testing.T, path string, text []byte) {
	t.Helper()
	write(t, path+".new", text)
	if err := os.Chtimes(path+".new", time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestAnotherArchiveOfTheSameSizeAndTime is seen, and so is a file of a folder.
func TestAnotherArchiveOfTheSameSizeAndTime(t *testing.T) {
	folder := t.TempDir()
	packed, open := filepath.Join(folder, "main.tar.gz"), filepath.Join(folder, "open")
	one, two := archive(t, "one"), archive(t, "two")
	if len(one) != len(two) {
		t.Fatalf("%d and %d bytes: the test needs archives of one size", len(one), len(two))
	}
	aged(t, packed, one)
	write(t, filepath.Join(open, "side", "side.rego"), []byte("package side\n\nx := 1\n"))
	manifest := filepath.Join(open, ".manifest")
	aged(t, manifest, []byte(`{"revision": "s1", "roots": ["side"]}`))
	f := keep(t, folder)
	set := f.want(t, bundles.Config{Name: "main", File: packed, Every: time.Millisecond, MaxSize: 1 << 20},
		bundles.Config{Name: "side", File: open, Every: time.Millisecond, MaxSize: 1 << 20})
	inForce(t, set, "one s1")
	f.ask(t)
	aged(t, packed, two)
	aged(t, manifest, []byte(`{"revision": "s2", "roots": ["side"]}`))
	eventually(t, "both are followed", func() bool { got, _, _ := compile(t, set); return got == "two s2" })
}
