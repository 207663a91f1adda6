package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/consumer"
)

var (
	// scopeForm is scope-token of RFC 6749 section 3.3.
	scopeForm = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)
	// methodForm is a token of RFC 9110 section 5.6.2 without lower case.
	methodForm = regexp.MustCompile("^[A-Z0-9!#$%&'*+.^_`|~-]{1,32}$")
)

// What one record can carry: a text in bytes, a list or mapping in items, and
// attributes as JSON in bytes.
const (
	maxText       = 256
	maxItems      = 256
	maxAttributes = 64 << 10
)

const nameForm = "expected ASCII letters, digits, '.', '_' and '-', at most 128"

// Problem is what is wrong with one field.
type Problem struct {
	// Field is "scopes[0]" or "constraints.methods"; empty: the whole.
	Field, Text string
	// Weak: it is well written, but too weak a secret for its use.
	Weak bool
}

// Written says how a declaration was written down, where its values alone
// don't. The zero value is a declaration that has only values.
type Written struct {
	// Issuers are the names of the configured issuers; nil: any may be named.
	Issuers []string
	// Has reports whether a field was written, be it without a value. Nil: those
	// that have a value were. That a name, id or type was not written at all is
	// then for the decoder to tell.
	Has func(field string) bool
	// Unread are fields that were written and whose value could not be had, which
	// was told already.
	Unread []string
	// Files: a public key may also be in a file of its own. Its text comes in
	// PublicKey.
	Files bool
}

// reader collects what is wrong with one declaration.
type reader struct {
	Written
	has      func(field string) bool
	problems []Problem
}

func (r *reader) refuse(field, format string, args ...any) {
	r.problems = append(r.problems, Problem{Field: field, Text: fmt.Sprintf(format, args...)})
}

// readable reports whether a field's value can be looked at.
func (r *reader) readable(field string) bool { return !slices.Contains(r.Unread, field) }

func itemOf(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

func (r *reader) name(field, name string) {
	switch {
	case name == "":
		r.refuse(field, "is empty")
	case !consumer.ValidName(name):
		r.refuse(field, nameForm)
	}
}

// Text says what is wrong with a text that people read; nil: nothing.
func Text(field, value string) []Problem {
	r := &reader{}
	r.text(field, value)
	return r.problems
}

// text checks what may end in a header or a log.
func (r *reader) text(field, value string) {
	if len(value) > maxText || strings.ContainsFunc(value, unprintable) {
		r.refuse(field, "expected at most %d bytes, without control characters", maxText)
	}
}

func unprintable(c rune) bool { return unicode.IsControl(c) || c == utf8.RuneError }

// listed is an item of a list that is joined with commas in a header.
func listed(item string) bool {
	return item != "" && len(item) <= maxText && strings.TrimSpace(item) == item &&
		!strings.ContainsFunc(item, func(c rune) bool { return c == ',' || unprintable(c) })
}

func (r *reader) list(field string, items []string, good func(string) bool, expected string) {
	if len(items) > maxItems {
		r.refuse(field, "has %d items; expected at most %d", len(items), maxItems)
		return
	}
	for i, item := range items {
		if !good(item) {
			r.refuse(itemOf(field, i), "expected %s", expected)
		}
	}
}

// claim checks a required text that is compared with a token's.
func (r *reader) claim(field, value string) bool {
	switch {
	case !r.has(field):
		r.lacks(field)
		return false
	case value == "" || len(value) > maxText || strings.ContainsFunc(value, unprintable):
		r.refuse(field, "expected 1 to %d bytes, without control characters", maxText)
		return false
	}
	return true
}

func (r *reader) lacks(field string) { r.refuse("", "lacks the key %q", field) }

// ForeignReference tells the references to secrets of APISIX, Kong, shells and
// Vault, and our own in any case. Such a text is never a value: taken for one,
// it would be a secret that everybody can guess.
func ForeignReference(text string) bool {
	text = strings.ToLower(text)
	for _, prefix := range []string{"$env://", "$secret://", "${", "{vault://", "vault:", "env:", "file:"} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// resolved reports whether a field holds a value, not a reference to one.
func (r *reader) resolved(field, value string) bool {
	if ForeignReference(value) {
		r.refuse(field, "looks like a reference to a secret; expected the value")
		return false
	}
	return true
}
