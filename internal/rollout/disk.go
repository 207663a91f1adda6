package rollout

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/postern-authz/postern/internal/wholefile"
)

// The files: each revision has an archive, and an entry that tells of it, which
// is written last and removed first.
const (
	folderName = "revisions"
	archiveEnd = ".tar.gz"
	entryEnd   = ".json"
	// maxEntry bounds an entry or a pin in bytes.
	maxEntry = 64 << 10
)

func (r *Revisions) folder() string { return filepath.Join(r.options.Directory, folderName) }

// safeName is what a file may be named after as it is: a digest.
var safeName = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// fileName is a revision's name as a file's. A revision may be named by others,
// and with anything.
func fileName(revision string) string {
	if safeName.MatchString(revision) {
		return revision
	}
	sum := sha256.Sum256([]byte(revision))
	return hex.EncodeToString(sum[:])
}

// prepare makes the folders and takes away what a sudden end left half done.
func (r *Revisions) prepare() error {
	if err := os.MkdirAll(r.folder(), 0o700); err != nil {
		return err
	}
	half, _ := filepath.Glob(filepath.Join(r.options.Directory, "*"+pinName+"*"+wholefile.Half)) // the pattern is good
	files, err := os.ReadDir(r.folder())
	for _, file := range files {
		name, isArchive := strings.CutSuffix(file.Name(), archiveEnd)
		_, noEntry := os.Lstat(filepath.Join(r.folder(), name+entryEnd))
		if strings.HasSuffix(file.Name(), wholefile.Half) || isArchive && errors.Is(noEntry, fs.ErrNotExist) {
			half = append(half, filepath.Join(r.folder(), file.Name()))
		}
	}
	for _, path := range half {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// readAll reads the entries. One that can't be read is told of and left alone.
func (r *Revisions) readAll() (all []Revision) {
	paths, _ := filepath.Glob(filepath.Join(r.folder(), "*"+entryEnd)) // the pattern is good
	for _, path := range paths {
		var kept Revision
		if err := readJSON(path, &kept); err != nil || fileName(kept.Revision)+entryEnd != filepath.Base(path) {
			r.options.Logger.Warn("a kept policy revision can't be read and is left alone", "file", path)
			continue
		}
		all = append(all, kept)
	}
	sortRevisions(all)
	return all
}

// archive writes a revision's archive.
func (r *Revisions) archive(n noted) (Revision, error) {
	digest := sha256.New()
	s := &sums{}
	err := replace(filepath.Join(r.folder(), fileName(n.policy.Rules())+archiveEnd), func(w io.Writer) error {
		s.Writer = io.MultiWriter(w, digest)
		return n.policy.WriteRules(s)
	})
	return Revision{
		Revision: n.policy.Rules(), Origin: n.origin, By: n.by, KeptAt: r.options.Now(), InForceAt: n.at,
		Size: s.size, SHA256: hex.EncodeToString(digest.Sum(nil)),
	}, err
}

func (r *Revisions) writeEntry(kept Revision) error {
	return writeJSON(filepath.Join(r.folder(), fileName(kept.Revision)+entryEnd), kept)
}

func (r *Revisions) readArchive(kept Revision) ([]byte, error) {
	file, err := os.Open(filepath.Join(r.folder(), fileName(kept.Revision)+archiveEnd))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(file, kept.Size+1))
	return content, errors.Join(err, file.Close())
}

func (r *Revisions) remove(revision string) error {
	path := filepath.Join(r.folder(), fileName(revision))
	return errors.Join(os.Remove(path+entryEnd), os.Remove(path+archiveEnd))
}

// replace puts a file in the place of another, for the owner alone.
func replace(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return wholefile.Replace(path, 0o600, write)
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return replace(path, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// readJSON reads a small file strictly.
func readJSON(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxEntry+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return parseJSON(text, into)
}

func parseJSON(text []byte, into any) error {
	if len(text) > maxEntry {
		return fmt.Errorf("has more than %d bytes", maxEntry)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("has something after its JSON object")
	}
	return nil
}
