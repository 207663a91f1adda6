package serve

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestOnlyWhatIsReadLeadsToAReload: a log or a database that lies beside the
// configuration is written to all the time.
func TestOnlyWhatIsReadLeadsToAReload(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree := filepath.Join(dir, "policies")
	if err := os.Mkdir(tree, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"read.yaml", "beside.log", "policies/any.rego"} {
		write(name, "first")
	}
	var loads atomic.Int64
	seen := sources{
		folders: []string{dir, tree}, trees: map[string]bool{tree: true},
		files: map[string]bool{filepath.Join(dir, "read.yaml"): true},
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	leads := func(what string, change func()) {
		t.Helper()
		last := loads.Load()
		change()
		for end := time.Now().Add(20 * time.Second); loads.Load() == last; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: no load", what)
			}
		}
		time.Sleep(2 * settle) // what else the same change leads to
	}
	leads("the start", func() {
		go func() {
			ended <- watchFolders(ctx, slog.New(slog.DiscardHandler), func() sources { return seen }, nil, time.Hour, func(bool) bool { loads.Add(1); return true })
		}()
	})
	before := loads.Load()
	for range 10 {
		write("beside.log", "more")
		time.Sleep(2 * settle)
	}
	if after := loads.Load(); after != before {
		t.Errorf("%d loads, and %d after writes beside", before, after)
	}
	for _, name := range []string{"read.yaml", "policies/any.rego", "new.yaml"} {
		leads(name, func() { write(name, "second") })
	}
	leads("a renamed file", func() {
		if err := os.Rename(filepath.Join(dir, "beside.log"), filepath.Join(dir, "read.yaml")); err != nil {
			t.Fatal(err)
		}
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
