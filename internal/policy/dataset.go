package policy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/stamp"
)

// maxDataBytes bounds all files of data together, and maxYAMLBytes each that is
// YAML, which takes a lot more memory to read.
const (
	maxDataBytes = 1 << 30
	maxYAMLBytes = 64 << 20
)

// DataFiles are files of data, JSON or YAML, beside those in the directory.
type DataFiles struct {
	// Pattern is an absolute path, or a pattern of filepath.Glob. A path without
	// a file is an error; a pattern may match nothing.
	Pattern string
	// At is where the content stands below data; none: at the top, where it must
	// be an object.
	At []string
}

// dataset is data from one file or bundle. It is never changed, so that
// snapshots share it.
type dataset struct {
	name   string // a path that can be opened, for problems
	at     []string
	value  ast.Value
	digest [sha256.Size]byte
	// further says that it is no part of the rules: it may change without them.
	further bool
	// info is of the file when it was read, at readAt; nil for bundles.
	info   fs.FileInfo
	readAt time.Time
}

// sameFile reports whether a file is certainly as it was, by what the file
// system says alone.
func (d *dataset) sameFile(info fs.FileInfo) bool {
	return stamp.Of(d.info).Unchanged(d.readAt, stamp.Of(info))
}

// readDataset completes next, a file of data of at most so many bytes. What last
// has of a file that is as it was is used again: by the file system's word, else
// by its digest.
func readDataset(open func() (fs.File, error), next, last *dataset, most int64) (*dataset, error) {
	file, err := open()
	if err != nil {
		return nil, cannotRead(err)
	}
	defer func() { _ = file.Close() }() // only read
	if next.info, err = file.Stat(); err != nil {
		return nil, cannotRead(err)
	}
	if err := next.bounded(most); err != nil {
		return nil, err
	}
	same, err := next.sameAs(last, file)
	switch {
	case err != nil:
		return nil, cannotRead(err)
	case same:
		next.value, next.digest = last.value, last.digest
		return next, nil
	}
	if err := next.read(file, most); err != nil {
		return nil, err
	}
	return next, nil
}

// sameAs reports whether a file has what last has of it, and leaves it at its
// beginning. One that only looks changed, as most do, is not taken into memory
// to find out.
func (d *dataset) sameAs(last *dataset, file fs.File) (bool, error) {
	content, again := file.(io.ReadSeeker)
	switch {
	case last == nil || last.info.Size() != d.info.Size():
		return false, nil
	case last.sameFile(d.info):
		d.readAt = last.readAt
		return true, nil
	case !again:
		return false, nil
	}
	digest, err := digestOf(content)
	if err != nil || digest == last.digest {
		return err == nil, err
	}
	_, err = content.Seek(0, io.SeekStart)
	return false, err
}

// bounded refuses what should not be read at all.
func (d *dataset) bounded(most int64) error {
	switch {
	case !d.info.Mode().IsRegular():
		return errors.New("this is no regular file")
	case d.info.Size() > most:
		return errors.New("with this file there is more than 1 GiB of data")
	case filepath.Ext(d.name) != ".json" && d.info.Size() > maxYAMLBytes:
		return errLargeYAML
	}
	return nil
}

// errLargeYAML is for YAML that would take too much memory.
var errLargeYAML = errors.New("the file is larger than 64 MiB; data of that size is read from JSON")

// read reads a file from its beginning. What is digested is what is parsed,
// though somebody writes to it meanwhile.
func (d *dataset) read(file io.Reader, most int64) error {
	text, err := readAtMost(file, d.info.Size(), most)
	if err != nil {
		return cannotRead(err)
	}
	d.digest = sha256.Sum256(text)
	d.value, err = readData(d.name, text)
	return err
}

// readAtMost reads what has about a size, without growing there.
func readAtMost(r io.Reader, size, most int64) ([]byte, error) {
	text := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := text.ReadFrom(io.LimitReader(r, most+1)); err != nil {
		return nil, err
	}
	if int64(text.Len()) > most {
		return nil, fmt.Errorf("the file is larger than %d MiB", most>>20)
	}
	return text.Bytes(), nil
}

func digestOf(r io.Reader) (digest [sha256.Size]byte, err error) {
	sum := sha256.New()
	if _, err = io.Copy(sum, io.LimitReader(r, maxDataBytes+1)); err == nil {
		sum.Sum(digest[:0])
	}
	return digest, err
}

// readData reads a text of data by its name. Its error may be a *misread.
func readData(name string, text []byte) (ast.Value, error) {
	if filepath.Ext(name) == ".json" {
		return readJSON(text)
	}
	if len(text) > maxYAMLBytes {
		return nil, errLargeYAML
	}
	return readYAML(text)
}

// cannotRead says why a file can't be read, without naming it.
func cannotRead(err error) error {
	var reading *fs.PathError
	if errors.As(err, &reading) {
		return reading.Err
	}
	return err
}

// problemIn is what is wrong with a file.
func problemIn(file string, err error) Problem {
	var wrong *misread
	if errors.As(err, &wrong) {
		return Problem{File: file, Line: wrong.line, Column: wrong.column, Text: wrong.text}
	}
	return Problem{File: file, Text: err.Error()}
}

// matches lists the files of a pattern. Hidden files are left out of patterns,
// as they are of a directory.
func (d DataFiles) matches() ([]string, error) {
	if !strings.ContainsAny(d.Pattern, `*?[\`) {
		return []string{d.Pattern}, nil
	}
	all, err := filepath.Glob(d.Pattern)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") })
	if len(all) > maxFiles {
		return nil, fmt.Errorf("the pattern matches more than %d files", maxFiles)
	}
	return all, nil
}
