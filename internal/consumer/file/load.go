package file

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// maxFiles bounds what a pattern may match, maxProblems what is told of all
// files together, and maxSecretFile the size of a key or secret file in bytes.
const (
	maxFiles      = 4096
	maxProblems   = 1000
	maxSecretFile = 64 << 10
)

// Options say what the files may refer to.
type Options struct {
	// Issuers are the names of the configured issuers; a credential of another
	// one is an error. Nil allows any.
	Issuers []string
	// Env looks up environment variables for `env:NAME` references; nil knows
	// none.
	Env func(string) (string, bool)
	// Hasher hashes passwords that are written in plain text; nil is one that
	// remembers none of another Load.
	Hasher Hasher
	// ReadFile replaces the reading of files, of at most limit bytes.
	ReadFile func(path string, limit int64) ([]byte, error)
}

// Load reads all files that the patterns match, each an absolute path or a
// pattern of filepath.Glob. A pattern that matches nothing is no error, a plain
// path without a file is. The error is a strictyaml.Errors with the problems of
// all files.
func Load(patterns []string, o Options) (*Snapshot, error) {
	l, err := newLoader(o)
	if err != nil {
		return nil, err
	}
	for _, path := range l.expand(patterns) {
		l.load(path)
	}
	if len(l.problems) == 0 {
		l.hash()
	}
	if err := l.problems.Err(); err != nil {
		return nil, err
	}
	l.snapshot.revision = hex.EncodeToString(l.contents.Sum(nil)[:16])
	return l.snapshot, nil
}

// loader collects a snapshot, or the problems in the way of it.
type loader struct {
	Options
	snapshot *Snapshot
	problems strictyaml.Errors
	taken    map[string]place
	contents hash.Hash
	plain    []plain
}

func newLoader(o Options) (*loader, error) {
	if o.Hasher == nil {
		hasher, err := password.NewHasher(rand.Reader)
		if err != nil {
			return nil, err
		}
		o.Hasher = hasher
	}
	if o.ReadFile == nil {
		o.ReadFile = strictyaml.ReadFile
	}
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	return &loader{
		Options:  o,
		snapshot: &Snapshot{found: map[consumer.Reference]*consumer.Found{}},
		taken:    map[string]place{},
		contents: sha256.New(),
	}, nil
}

// expand lists the files, each once and in the order of their names.
func (l *loader) expand(patterns []string) []string {
	var paths []string
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, `*?[\`) {
			paths = append(paths, pattern)
			continue
		}
		matches, err := filepath.Glob(pattern)
		if err != nil {
			l.refuse(strictyaml.Problem{File: pattern, Text: "is not a pattern: " + err.Error()})
		}
		paths = append(paths, matches...)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	if len(paths) > maxFiles {
		l.refuse(strictyaml.Problem{File: paths[maxFiles], Text: fmt.Sprintf("is one of %d files; expected at most %d", len(paths), maxFiles)})
		return nil
	}
	return paths
}

// load reads one file. What it declares is checked even where the decoding
// found problems, so that all are told at once.
func (l *loader) load(path string) {
	data, err := l.read(path, strictyaml.MaxSize)
	if err != nil {
		l.refuse(strictyaml.Problem{File: path, Text: err.Error()})
		return
	}
	var declared document
	doc, problems := strictyaml.Decode(path, data, &declared)
	for _, p := range problems {
		l.refuse(p)
	}
	for i := range declared.Consumers {
		l.consumer(source{loader: l, doc: doc, path: path, field: fmt.Sprintf("consumers[%d]", i)}, &declared.Consumers[i])
	}
}

// read reads a file and makes it part of the revision.
func (l *loader) read(path string, limit int64) ([]byte, error) {
	data, err := l.ReadFile(path, limit)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(l.snapshot.files, path) {
		l.snapshot.files = append(l.snapshot.files, path)
	}
	l.count(data)
	return data, nil
}

// count makes something that was read part of the revision.
func (l *loader) count(data []byte) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(data)))
	l.contents.Write(length[:]) // a hash never fails to write
	l.contents.Write(data)
}

// refuse notes a problem, up to a bound that nobody reads to.
func (l *loader) refuse(p strictyaml.Problem) {
	if len(l.problems) < maxProblems {
		l.problems = append(l.problems, p)
	}
}
