package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
)

// Problem is one thing that is wrong with a policy.
type Problem struct {
	// File is a path that can be opened; empty when no one file is to blame.
	File string
	// Line counts from 1; 0 when it is not known.
	Line int
	// Column counts bytes from 1; 0 when it is not known.
	Column int
	// Text is what OPA says, or what was expected.
	Text string
}

// String gives `file:line: text`.
func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Text
	case p.Line == 0:
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Error is every problem of a policy that can't be compiled.
type Error struct{ Problems []Problem }

// Error gives one problem a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func problem(format string, args ...any) *Error {
	return &Error{Problems: []Problem{{Text: fmt.Sprintf(format, args...)}}}
}

// explained turns OPA's errors into problems whose files stand under directory.
func explained(directory string, err error) *Error {
	e := &Error{}
	for _, cause := range flatten(err) {
		p := problemOf(cause)
		if p.File != "" && directory != "" {
			p.File = filepath.Join(directory, p.File)
		}
		e.Problems = append(e.Problems, p)
	}
	return e
}

func flatten(err error) []error {
	var parsing ast.Errors
	var loading loader.Errors
	switch {
	case errors.As(err, &loading):
		return loading
	case errors.As(err, &parsing):
		all := make([]error, len(parsing))
		for i := range parsing {
			all[i] = parsing[i]
		}
		return all
	}
	return []error{err}
}

func problemOf(err error) Problem {
	var parsing *ast.Error
	var reading *fs.PathError
	switch {
	case errors.As(err, &parsing) && parsing.Location != nil:
		return Problem{File: parsing.Location.File, Line: parsing.Location.Row, Column: parsing.Location.Col, Text: wordsOf(parsing)}
	case errors.As(err, &parsing):
		return Problem{Text: wordsOf(parsing)}
	case errors.As(err, &reading):
		return Problem{File: reading.Path, Text: reading.Err.Error()}
	}
	return Problem{Text: err.Error()}
}

// wordsOf are the compiler's, with the details that it gives on further lines.
func wordsOf(e *ast.Error) string {
	lines := []string{e.Code + ": " + e.Message}
	if e.Details != nil {
		lines = append(lines, e.Details.Lines()...)
	}
	return strings.Join(lines, "\n\t")
}
