// Package wholefile puts files in place whole or not at all.
package wholefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Half ends the names of files that are still being written, which begin with a
// dot; a sudden end may leave one.
const Half = ".tmp"

// Replace puts what is written in the place of a file, with a mode. A full disk,
// an error of write or a sudden end leaves the file that was there; when Replace
// returns nil, a loss of power leaves the new one.
func Replace(path string, mode fs.FileMode, write func(io.Writer) error) error {
	half, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*"+Half)
	if err != nil {
		return err
	}
	err = write(half)
	if err == nil {
		err = errors.Join(half.Chmod(mode), half.Sync())
	}
	if err = errors.Join(err, half.Close()); err == nil {
		err = os.Rename(half.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(half.Name()))
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes what was renamed or removed in a folder safe against a loss of
// power.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
