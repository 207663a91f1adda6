package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keyFile holds what fields are hashed with; keyLength is its length in bytes.
const (
	keyFile   = "key"
	keyLength = 32
)

// openKey reads the key, or makes it. Two processes that begin at once get the
// same.
func openKey(path string) ([]byte, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	raw := make([]byte, keyLength)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	beside, err := os.CreateTemp(filepath.Dir(path), ".key-*") // for its owner alone
	if err != nil {
		return nil, err
	}
	_, err = beside.WriteString(hex.EncodeToString(raw) + "\n")
	err = errors.Join(err, beside.Sync(), beside.Close())
	if err == nil {
		if err = os.Link(beside.Name(), path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err := errors.Join(err, os.Remove(beside.Name())); err != nil {
		return nil, err
	}
	return readKey(path)
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: expected a file that its owner alone can read (chmod 600)", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keyLength {
		return nil, fmt.Errorf("%s: expected %d hexadecimal digits; remove the file for a new key, under which hashed values are others", path, 2*keyLength)
	}
	return key, nil
}
