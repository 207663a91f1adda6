package keyring

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// The outcomes that callers tell apart, beside those of package consumer. They
// come in a consumer.Outcome that says what they are about.
var (
	// ErrDeclared: files declare it, so it can't be changed here.
	ErrDeclared = errors.New("is declared in a file and can't be changed here")
	// ErrState: it is not in the state that this needs.
	ErrState = errors.New("is not in the state for that")
	// ErrTooMany: the consumer has as many credentials as it may.
	ErrTooMany = errors.New("has as many credentials as it may have")
	// ErrWeak is what an Invalid is when a secret is too weak for its use.
	ErrWeak = errors.New("the secret is too weak")
)

// Problem is what is wrong with one field of a request.
type Problem = rules.Problem

// Invalid says everything that is wrong with a request.
type Invalid struct {
	Problems []Problem
}

// Error implements error. It repeats no value.
func (i *Invalid) Error() string {
	lines := make([]string, len(i.Problems))
	for n, p := range i.Problems {
		lines[n] = strings.TrimPrefix(p.Field+": "+p.Text, ": ")
	}
	return strings.Join(lines, "\n")
}

// Is makes it ErrWeak when all that is wrong is a weak secret.
func (i *Invalid) Is(target error) bool {
	return target == ErrWeak && len(i.Problems) > 0 &&
		!slices.ContainsFunc(i.Problems, func(p Problem) bool { return !p.Weak })
}

// invalid is nil without problems.
func invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Invalid{Problems: problems}
}

// state is an ErrState in words that follow the name of what it is about.
type state string

// Error implements error.
func (s state) Error() string { return string(s) }

// Is makes it ErrState.
func (state) Is(target error) bool { return target == ErrState }

func outcome(kind, name string, err error) error {
	return &consumer.Outcome{Kind: kind, Name: name, Err: err}
}

func conflict(kind, name, format string, args ...any) error {
	return outcome(kind, name, state(fmt.Sprintf(format, args...)))
}
