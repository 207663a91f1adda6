package author

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/open-policy-agent/opa/v1/format"

	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/strictyaml"
	"github.com/postern-authz/postern/internal/wholefile"
)

// Formatted is a module as it is and as OPA's format writes it.
type Formatted struct {
	File          string
	Before, After []byte
}

// Changed reports whether the two differ.
func (f *Formatted) Changed() bool { return !bytes.Equal(f.Before, f.After) }

// Write puts the formatted module in the file's place, whole: a reload that
// falls in between sees the one or the other.
func (f *Formatted) Write() error {
	info, err := os.Stat(f.File)
	if err != nil {
		return err
	}
	return wholefile.Replace(f.File, info.Mode().Perm(), func(w io.Writer) error {
		_, err := w.Write(f.After)
		return err
	})
}

// Format formats every module of a directory, tests too. Its error is a
// *policy.Error with all modules that can't be read; the others are formatted.
func Format(directory string) ([]Formatted, error) {
	var all []Formatted
	wrong := &policy.Error{}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != directory && strings.HasPrefix(entry.Name(), "."):
			return skipped(entry)
		case !entry.Type().IsRegular() || filepath.Ext(path) != ".rego":
			return nil
		}
		one, problems := formatFile(path)
		all, wrong.Problems = append(all, one), append(wrong.Problems, problems...)
		return nil
	})
	if err == nil && len(wrong.Problems) > 0 {
		err = wrong
	}
	return all, err
}

func skipped(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func formatFile(path string) (Formatted, []policy.Problem) {
	before, err := strictyaml.ReadFile(path, strictyaml.MaxSize)
	if err != nil {
		return Formatted{File: path}, []policy.Problem{{File: path, Text: err.Error()}}
	}
	after, err := format.Source(path, before)
	if err != nil {
		return Formatted{path, before, before}, policy.Explained("", err).Problems
	}
	return Formatted{path, before, after}, nil
}
