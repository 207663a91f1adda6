package config

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText and maxItems bound a text in bytes and a list in items.
const (
	maxText  = 512
	maxItems = 1024
)

var (
	// headerForm is a token of RFC 9110 section 5.6.2, which header names and
	// authentication schemes are.
	headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")
	// methodForm is the same without lower case.
	methodForm      = regexp.MustCompile("^[A-Z0-9!#$%&'*+.^_`|~-]{1,32}$")
	queryForm       = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)
	environmentForm = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	routeName       = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	builtinForm     = regexp.MustCompile(`^[a-z][a-z0-9_.]{0,63}$`)
	// scopeForm is scope-token of RFC 6749 section 3.3.
	scopeForm = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)
)

const expectedEnvironment = "lower-case letters, digits and -, at most 32"

// plain is a text that is there and has no control characters.
func plain(text string) bool {
	return text != "" && len(text) <= maxText &&
		!strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError })
}

// filled checks a list that, once it is written, must hold something: an empty
// one would stand for everything.
func (c *checker) filled(field string, list []string, good func(string) bool, expected string) {
	if list != nil && len(list) == 0 {
		c.refuse(field, "is empty; expected at least one, or no key")
	}
	c.each(field, list, good, expected)
}

func (c *checker) each(field string, list []string, good func(string) bool, expected string) {
	if len(list) > maxItems {
		c.refuse(field, "has %d items; expected at most %d", len(list), maxItems)
		return
	}
	for i, item := range list {
		if !good(item) {
			c.refuse(at(field, i), "expected %s", expected)
		}
	}
}

// fold is a header's name as the most careless program would compare it.
func fold(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}
