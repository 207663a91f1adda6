package strictyaml_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/internal/strictyaml"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("12345678"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := strictyaml.ReadFile(path, 8); err != nil || string(data) != "12345678" {
		t.Errorf("got %q, %v", data, err)
	}
	for name, tt := range map[string]struct {
		path  string
		limit int64
		want  string
	}{
		"too large": {path, 7, "is larger than 7 bytes"},
		"missing":   {filepath.Join(dir, "none"), 8, "can't be read: no such file or directory"},
		"a folder":  {dir, 8, "is not a regular file"},
	} {
		if _, err := strictyaml.ReadFile(tt.path, tt.limit); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
