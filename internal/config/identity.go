package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/gate"
)

// identity makes the managed headers.
func (c *checker) identity(p *identityPart, a *authenticationPart) []gate.ManagedHeader {
	const field = "identity.headers"
	fields := p.Headers.Fields
	if fields == nil {
		fields, _ = gate.Preset(string(p.Headers.Preset))
	} else {
		c.fields(field, fields)
	}
	managed, err := gate.Manage(fields)
	if err != nil && !c.broken(field) {
		c.refuse(field, "%s", err)
	}
	c.unmanaged(managed, a)
	return managed
}

// fields checks a mapping of header to field. Two spellings that a program
// behind us might read as one are refused.
func (c *checker) fields(field string, fields map[string]string) {
	if len(fields) == 0 || len(fields) > maxItems {
		c.refuse(field, "expected 1 to %d headers", maxItems)
	}
	spelt := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		place := c.under(field, name)
		folded := fold(name)
		switch other := spelt[folded]; {
		case !headerForm.MatchString(name):
			c.refuse(place, "expected a header's name")
			continue
		case reserved(name):
			c.refuse(place, "has a meaning of its own and can't be managed")
		case other != "":
			c.refuse(place, "is the header %s in another spelling", other)
		}
		spelt[folded] = name
		if _, err := gate.Field(fields[name]); err != nil {
			c.refuse(place, "expected consumer.name, .display_name, .environment, .groups, .roles or .labels.NAME; credential.id or .kind; identity.scopes, .roles, .groups, .issuer or .claims.NAME; or anonymous")
		}
	}
}

// under is the field of a header; the document knows odd names in quotes.
func (c *checker) under(field, name string) string {
	if plainName := field + "." + name; c.doc.Has(plainName) {
		return plainName
	}
	return field
}

// unmanaged refuses a credential in a managed header: what the client sends
// there is never read.
func (c *checker) unmanaged(managed []gate.ManagedHeader, a *authenticationPart) {
	names := map[string]bool{}
	for _, h := range managed {
		names[fold(h.Name)] = true
	}
	check := func(field, header string) {
		if names[fold(header)] {
			c.refuse(field, "the header %s tells the upstream of the consumer; what a client sends in it is never read", strings.ToLower(header))
		}
	}
	for i, p := range a.APIKey.In {
		check(at("authentication.api_key.in", i), p.Header)
	}
	for i, p := range a.JWT.In {
		check(at("authentication.jwt.in", i), p.Header)
	}
}
