package bundles

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/postern-authz/postern/internal/wholefile"
)

// shelf keeps the last bundle that was in force, in a folder of its own.
type shelf struct{ folder, file string }

// newShelf names the file after the URL: a bundle from elsewhere is another one,
// whatever it is called.
func newShelf(directory string, c *Config) *shelf {
	if directory == "" || c.URL == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(c.URL))
	return &shelf{filepath.Join(directory, c.Name), hex.EncodeToString(sum[:8]) + ".tar.gz"}
}

// read returns nil where nothing is kept.
func (s *shelf) read(most int64) ([]byte, error) {
	raw, err := bounded(filepath.Join(s.folder, s.file), most)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

// write replaces what is kept, so that at any moment the old or the new is
// there whole.
func (s *shelf) write(raw *parcel) error {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	err := wholefile.Replace(filepath.Join(s.folder, s.file), 0o600, func(w io.Writer) error {
		_, err := io.Copy(w, raw.reader())
		return err
	})
	if err != nil {
		return err
	}
	s.clear()
	return nil
}

// clear removes what a kill or another URL has left behind.
func (s *shelf) clear() {
	files, _ := os.ReadDir(s.folder)
	for _, f := range files {
		if f.Name() != s.file && (strings.HasSuffix(f.Name(), wholefile.Half) || strings.HasSuffix(f.Name(), ".tar.gz")) {
			_ = os.Remove(filepath.Join(s.folder, f.Name())) // the next write tries again
		}
	}
}
