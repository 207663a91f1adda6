package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/gate"
)

// identity makes the managed headers.
func (c *checker) identity(p *identityPart, a *authenticationPart) []gate.ManagedHeader {
	const field = "identity.headers"
	fields := map[string]string{} // a preset is everybody's, so it is copied
	if p.Headers.Fields == nil {
		preset, _ := gate.Preset(string(p.Headers.Preset))
		maps.Copy(fields, preset)
	} else {
		c.fields(field, p.Headers.Fields)
		maps.Copy(fields, p.Headers.Fields)
	}
	c.clientID(p.ClientIDHeader, fields)
	managed, err := gate.Manage(fields)
	if err != nil && !c.broken(field) {
		c.refuse(field, "%s", err)
	}
	names := foldedNames(managed)
	c.assertionHeader(&p.Assertion, names)
	c.unmanaged(names, a)
	return managed
}

// clientID adds the header that names a token's client.
func (c *checker) clientID(name string, fields map[string]string) {
	const field = "identity.client_id_header"
	if !c.doc.Has(field) || c.broken(field) {
		return
	}
	managed, _ := gate.Manage(fields) // an unknown field is told of elsewhere
	switch {
	case !headerForm.MatchString(name):
		c.refuse(field, "expected a header's name")
	case reserved(name):
		c.refuse(field, "has a meaning of its own and can't be managed")
	case foldedNames(managed)[fold(name)]:
		c.refuse(field, "tells the upstream of something else already")
	default:
		fields[name] = "identity.client_id"
	}
}

func foldedNames(managed []gate.ManagedHeader) map[string]bool {
	names := map[string]bool{}
	for _, h := range managed {
		names[fold(h.Name)] = true
	}
	return names
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
			c.refuse(place, "expected consumer.name, .display_name, .environment, .groups, .roles or .labels.NAME; credential.id or .kind; identity.scopes, .roles, .groups, .issuer, .client_id or .claims.NAME; or anonymous")
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
func (c *checker) unmanaged(names map[string]bool, a *authenticationPart) {
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
	if c.doc.Has(introspectionField) {
		for i, p := range a.Introspection.In {
			check(at(introspectionField+".in", i), p.Header)
		}
	}
	if a.reads(signature.Plain) {
		for _, header := range []string{"X-API-Key", "X-Timestamp", "X-Nonce", "X-Signature"} {
			check("authentication.signature.dialects", header)
		}
	}
	for i, header := range a.Signature.RequiredHeaders {
		check(at("authentication.signature.required_headers", i), header)
	}
}
