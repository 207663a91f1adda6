package file

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// source is a place in a file that is being read.
type source struct {
	*loader
	doc   *strictyaml.Document
	path  string
	field string
	// leaf is a place whose first problem says enough.
	leaf bool
}

// at is the place of one value under a key.
func (s source) at(key string) source {
	s.field += "." + key
	s.leaf = true
	return s
}

// item is the place of an item of the list that stands here.
func (s source) item(i int) source {
	s.field = fmt.Sprintf("%s[%d]", s.field, i)
	return s
}

// has reports whether a key was written.
func (s source) has(key string) bool { return s.doc.Has(s.field + "." + key) }

// problem notes what is wrong here. The text never repeats a value that may be
// a secret.
func (s source) problem(format string, args ...any) {
	p := s.doc.Problem(s.field, format, args...)
	if s.leaf && slices.ContainsFunc(s.problems, func(q strictyaml.Problem) bool { return q.File == p.File && q.Field == p.Field }) {
		return
	}
	s.refuse(p)
}

// place is where something stands, for the problem of whoever repeats it.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// take notes that a name, id or key is used here, unless it is in use already;
// `what` names it in the problem.
func (s source) take(key, what string) bool {
	if first, ok := s.taken[key]; ok {
		s.problem("%s stands already at %s", what, first)
		return false
	}
	s.taken[key] = place{s.path, s.doc.Line(s.field)}
	return true
}

// resolve returns the value that stands here, or the value that it refers to:
// `env:NAME`, or `file:PATH` relative to the file's folder. The problem of a
// reference that leads nowhere is noted; it is never used as a value.
func (s source) resolve(text string) (string, bool) {
	switch {
	case strings.HasPrefix(text, "env:"):
		return s.fromEnv(strings.TrimPrefix(text, "env:"))
	case strings.HasPrefix(text, "file:"):
		return s.fromFile(strings.TrimPrefix(text, "file:"))
	case rules.ForeignReference(text):
		s.problem("looks like another program's reference to a secret; expected env:NAME, file:PATH or the value")
		return "", false
	}
	return text, true
}

func (s source) fromEnv(name string) (string, bool) {
	value, ok := s.Env(name)
	if !ok || value == "" {
		s.problem("the environment variable that it refers to is not set")
		return "", false
	}
	s.count([]byte(value))
	return value, true
}

func (s source) fromFile(path string) (string, bool) {
	data, err := s.read(s.beside(path), maxSecretFile)
	if err != nil {
		s.problem("the file that it refers to %s", err)
		return "", false
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		s.problem("the file that it refers to is empty")
		return "", false
	}
	return value, true
}

func (s source) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(s.path), path)
}
