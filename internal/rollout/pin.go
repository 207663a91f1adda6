package rollout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-authz/postern/internal/wholefile"
)

// pinName is the pin's file.
const pinName = "pin.json"

// Pin keeps a revision in force although the policy's files hold another one. It
// holds as long as they do: when they change, they count again.
type Pin struct {
	// Revision is in force, over the one that the files hold.
	Revision string `json:"revision"`
	Over     string `json:"over"`
	// Was in force when the pin was set; empty: that is not known.
	Was string `json:"was,omitempty"`
	// Origin says where the revision came from: OfShadow or Kept.
	Origin string    `json:"origin"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// Holds reports whether the pin decides while the files hold a revision.
func (p *Pin) Holds(files string) bool {
	return p != nil && files == p.Over && files != p.Revision
}

func readPin(directory string) (*Pin, error) {
	path := filepath.Join(directory, pinName)
	var p Pin
	err := readJSON(path, &p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && (p.Revision == "" || p.Over == ""):
		err = errors.New("expected a revision, and the one that it is over")
	}
	if err != nil {
		return nil, fmt.Errorf("which policy was promoted can't be read from %s (remove it, and the policy's own files count): %w", path, err)
	}
	return &p, nil
}

// Pin is the one that was set last; nil: none. It is safe on nil.
func (r *Revisions) Pin() *Pin {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pin
}

// SetPin pins a revision that is kept. When it returns nil, the next start obeys
// it too; when it fails, the pin is as it was.
func (r *Revisions) SetPin(p Pin) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.find(p.Revision); !known {
		return fmt.Errorf("the revision %.80q %w", p.Revision, ErrUnknown)
	}
	path := filepath.Join(r.options.Directory, pinName)
	err := writeJSON(path, p)
	switch {
	case err == nil:
		r.pin = &p
		return nil
	case r.pin == nil:
		return errors.Join(err, removed(path))
	}
	return errors.Join(err, writeJSON(path, *r.pin))
}

// removed removes what need not be there.
func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Release takes the pin away. Where its file can't be removed, it stays.
func (r *Revisions) Release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := os.Remove(filepath.Join(r.options.Directory, pinName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.pin = nil
	if err != nil {
		return nil
	}
	return wholefile.SyncFolder(r.options.Directory)
}
