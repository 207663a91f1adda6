package config

import (
	"errors"
	"strings"

	"github.com/postern-authz/postern/internal/assertion"
)

const assertionField = "identity.assertion"

// assertion is nil where no identity is signed.
func (c *checker) assertion(p *assertionPart) *Assertion {
	const field = assertionField
	if !c.doc.Has(field) {
		return nil
	}
	signed := &Assertion{Header: p.Header, Config: assertion.Config{
		Key:      c.secret(field+".key", p.Key),
		TTL:      c.span(field+".ttl", p.TTL, assertion.MinTTL, assertion.MaxTTL),
		Issuer:   p.Issuer,
		Audience: p.Audience,
	}}
	if len(p.PreviousKeys) > assertion.MaxPreviousKeys {
		c.refuse(field+".previous_keys", "expected at most %d keys", assertion.MaxPreviousKeys)
		p.PreviousKeys = nil
	}
	for i, key := range p.PreviousKeys {
		signed.Config.PreviousKeys = append(signed.Config.PreviousKeys, c.secret(at(field+".previous_keys", i), key))
	}
	for _, text := range []struct{ key, value string }{{".issuer", p.Issuer}, {".audience", p.Audience}} {
		if c.doc.Has(field+text.key) && !plain(text.value) {
			c.refuse(field+text.key, "expected a text without control characters")
		}
	}
	c.checkAssertion(signed.Config)
	return signed
}

// checkAssertion tells what is wrong with the keys, each in its field.
func (c *checker) checkAssertion(config assertion.Config) {
	for _, err := range eachError(config.Check()) {
		var wrong *assertion.FieldError
		if errors.As(err, &wrong) && !c.broken(assertionField+"."+wrong.Field) {
			c.refuse(assertionField+"."+wrong.Field, "%s", wrong.Text)
		}
	}
}

// eachError takes joined errors apart.
func eachError(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, one := range joined.Unwrap() {
		list = append(list, eachError(one)...)
	}
	return list
}

// assertionHeader checks the header that an assertion stands in, against those
// that are managed already.
func (c *checker) assertionHeader(p *assertionPart, managed map[string]bool) {
	const field = assertionField + ".header"
	if !c.doc.Has(assertionField) {
		return
	}
	folded := fold(p.Header)
	own := strings.HasPrefix(folded, "x-postern-") && folded != "x-postern-code" && folded != "x-postern-status"
	switch {
	case !headerForm.MatchString(p.Header):
		c.refuse(field, "expected a header's name")
	case strings.ContainsAny(p.Header, "_."):
		c.refuse(field, "expected a header's name without '_' and '.', which programs read in two ways")
	case reserved(p.Header) && !own:
		c.refuse(field, "has a meaning of its own and can't be managed")
	case managed[folded]:
		c.refuse(field, "tells the upstream of something else already")
	default:
		managed[folded] = true
	}
}

// isReference reports that a text says where a value is, and is not the value.
func isReference(text string) bool {
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "file:")
}
