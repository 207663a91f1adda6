package file

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/strictyaml"
)

var (
	environmentForm = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	// scopeForm is scope-token of RFC 6749 section 3.3.
	scopeForm = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)
	// methodForm is a token of RFC 9110 section 5.6.2 without lower case.
	methodForm = regexp.MustCompile("^[A-Z0-9!#$%&'*+.^_`|~-]{1,32}$")
)

// maxText and maxItems bound what one consumer can carry: a text in bytes, a
// list or mapping in items.
const (
	maxText  = 256
	maxItems = 256
)

// consumer checks one consumer and adds its credentials to the snapshot.
func (l *loader) consumer(s source, r *record) {
	l.snapshot.consumers++
	s.at("name").name(r.Name, "consumer")
	if s.has("environment") && !environmentForm.MatchString(r.Environment) {
		s.at("environment").problem("expected lower-case letters, digits and -, at most 32")
	}
	s.at("display_name").text(r.DisplayName)
	s.labels(r.Labels)
	s.at("groups").list(r.Groups, listed, "a text without commas and control characters")
	s.at("roles").list(r.Roles, listed, "a text without commas and control characters")
	owner := &access.Consumer{
		Name: r.Name, DisplayName: r.DisplayName, Environment: r.Environment,
		Enabled: r.Enabled || !s.has("enabled"),
		Labels:  r.Labels, Groups: r.Groups, Roles: r.Roles, Attributes: r.Attributes,
		Constraints: s.constraints(&r.Constraints),
	}
	s.snapshot.found[consumer.NameReference(r.Name)] = &consumer.Found{Consumer: owner}
	for i := range r.Credentials {
		place := s.at("credentials").item(i)
		place.leaf = false
		place.credential(owner, &r.Credentials[i])
	}
}

// name checks a name or id, which is one of its kind in all files. Two that
// differ in case alone would be one to somebody, so they are refused too.
func (s source) name(name, kind string) {
	switch {
	case name == "": // told by the decoder, unless it is written
		if s.doc.Has(s.field) {
			s.problem("is empty")
		}
	case !consumer.ValidName(name):
		s.problem("expected ASCII letters, digits, '.', '_' and '-', at most 128")
	default:
		s.take(kind+"\x00"+strings.ToLower(name), fmt.Sprintf("the %s %q", kind, name))
	}
}

func (s source) labels(labels map[string]string) {
	s = s.at("labels")
	if len(labels) > maxItems {
		s.problem("has %d labels; expected at most %d", len(labels), maxItems)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if !consumer.ValidName(key) {
			s.problem("a label's name has ASCII letters, digits, '.', '_' and '-', at most 128")
			continue
		}
		s.at(key).text(labels[key])
	}
}

// text checks what may end in a header or a log.
func (s source) text(value string) {
	if len(value) > maxText || strings.ContainsFunc(value, unprintable) {
		s.problem("expected at most %d bytes, without control characters", maxText)
	}
}

func unprintable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

// listed is an item of a list that is joined with commas in a header.
func listed(item string) bool {
	return item != "" && len(item) <= maxText && strings.TrimSpace(item) == item &&
		!strings.ContainsFunc(item, func(r rune) bool { return r == ',' || unprintable(r) })
}

func (s source) list(items []string, good func(string) bool, expected string) {
	if len(items) > maxItems {
		s.problem("has %d items; expected at most %d", len(items), maxItems)
	}
	for i, item := range items {
		if !good(item) {
			s.item(i).problem("expected %s", expected)
		}
	}
}

// constraints are nil when there are none. What is written and empty was meant
// to constrain, so it is refused.
func (s source) constraints(c *constraints) *access.Constraints {
	if !s.has("constraints") {
		return nil
	}
	s = s.at("constraints")
	if !s.has("addresses") && !s.has("methods") {
		s.problem("constrains nothing; leave the key out if that is meant")
	}
	s.at("addresses").filled(c.Addresses == nil, len(c.Addresses))
	s.at("methods").filled(c.Methods == nil, len(c.Methods))
	s.at("methods").list(c.Methods, methodForm.MatchString, "a method in upper case")
	return &access.Constraints{Addresses: strictyaml.Prefixes(c.Addresses), Methods: c.Methods}
}

// filled checks the number of items of a list that is empty or too long only
// by mistake.
func (s source) filled(absent bool, items int) {
	switch {
	case !absent && items == 0:
		s.problem("is empty, which would allow everything; leave the key out if that is meant")
	case items > maxItems:
		s.problem("has %d items; expected at most %d", items, maxItems)
	}
}
