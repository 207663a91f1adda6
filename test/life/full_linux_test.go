package life

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// diskSize is small, so that it is full soon.
const diskSize = "4m"

// TestFullDisk: the API says that there is no room, checks go on, and once there
// is room again so does writing.
func TestFullDisk(t *testing.T) {
	disk := mount(t)
	i := start(t, folder(t, `{driver: sqlite, dsn: `+filepath.Join(disk, "postern.db")+`, pepper: "file:pepper"}`, "  keys: {max_credentials: 10000}\n", ""))
	i.consumer(t, "shop")
	keys := []key{i.key(t, "shop"), i.key(t, "shop"), i.key(t, "shop")}
	i.settles(t, keys[0], allowed)

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	i.saysFull(t)
	i.is(t, keys[0], allowed)      // it is remembered
	i.settles(t, keys[1], allowed) // it is read from the full disk
	i.is(t, key{ID: "unknown", Key: "no-such-key-0123456789abcdefghijklmnop"}, refused)
	if err := ready(i); err != nil {
		t.Errorf("readiness: %v", err)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	i.settles(t, i.key(t, "shop"), allowed)
	i.revoke(t, keys[2].ID, "10s")
	i.settles(t, keys[2], refused)
	i.must(t, http.MethodGet, "/v1/audit/verify", "", nil)
}

// saysFull writes until the answer is that there is no room: what was set aside
// before may take some.
func (i *instance) saysFull(t *testing.T) {
	t.Helper()
	for n := range 10_000 {
		status, content, err := i.call(t.Context(), http.MethodPost, "/v1/consumers/shop/keys", `{}`)
		switch {
		case err != nil:
			t.Fatal(err)
		case status == http.StatusInsufficientStorage && strings.Contains(string(content), `"store_full"`):
			t.Logf("507 after %d more keys: %s", n, content)
			return
		case status != http.StatusCreated:
			t.Fatalf("%d %s", status, content)
		}
	}
	t.Fatal("the disk is never full")
}

// fill takes all room that there is.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path) // #nosec G304 -- a file of the test
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// mount makes a file system of its own, in memory.
func mount(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+diskSize); err != nil {
		harness.Missing(t, "a disk that can be full needs the right to mount: run this test as root ("+err.Error()+")")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
