package config

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"time"
)

const expectedName = "expected ASCII letters, digits, '.', '_' and '-', at most 128"

var (
	issuerName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	// algorithmForm is what an issuer may sign with: nothing symmetric, since
	// its key would have to be published (RFC 7518 section 3.1, RFC 8037).
	algorithmForm = regexp.MustCompile(`^((RS|PS|ES)(256|384|512)|EdDSA)$`)
)

func (c *checker) issuers(list []issuerPart) []Issuer {
	issuers := make([]Issuer, len(list))
	names, urls := map[string]int{}, map[string]int{}
	for i := range list {
		field := at("authentication.jwt.issuers", i)
		issuers[i] = c.issuer(field, &list[i])
		c.once(field+".name", names, list[i].Name)
		c.once(field+".issuer", urls, list[i].Issuer)
	}
	return issuers
}

// once notes a value that must be the only one of its kind.
func (c *checker) once(field string, seen map[string]int, value string) {
	first, taken := seen[value]
	if taken && value != "" {
		c.refuse(field, "stands already on line %d", first)
		return
	}
	seen[value] = c.doc.Line(field)
}

func (c *checker) issuer(field string, p *issuerPart) Issuer {
	if c.doc.Has(field+".name") && !issuerName.MatchString(p.Name) {
		c.refuse(field+".name", "%s", expectedName)
	}
	c.source(field, p)
	c.filled(field+".algorithms", p.Algorithms, algorithmForm.MatchString, "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA")
	c.filled(field+".audiences", p.Audiences, plain, "a text without control characters")
	c.claims(field, p.Roles, p.Groups, p.Scopes)
	return Issuer{
		Name: p.Name, Issuer: p.Issuer, JWKSFile: c.file(field+".jwks_file", p.JWKSFile), JWKSURL: p.JWKSURL,
		Algorithms: c.otherwise(field+".algorithms", p.Algorithms, "RS256", "ES256"), Audiences: p.Audiences,
		ConsumerClaim:   c.claim(field+".consumer_claim", p.ConsumerClaim, "azp"),
		UnknownConsumer: c.unknown(field+".unknown_consumer", p.UnknownConsumer),
		Roles:           p.Roles, Groups: p.Groups, Scopes: c.otherwise(field+".scopes", p.Scopes, "scope"),
		MaxStale: c.stale(field+".max_stale", time.Duration(p.MaxStale)),
	}
}

// claims checks the claims that hold what a consumer may do.
func (c *checker) claims(field string, roles, groups, scopes []string) {
	c.each(field+".roles", roles, plain, "a claim's name")
	c.each(field+".groups", groups, plain, "a claim's name")
	c.each(field+".scopes", scopes, plain, "a claim's name")
}

// source checks where the keys come from.
func (c *checker) source(field string, p *issuerPart) {
	switch {
	case c.doc.Has(field+".jwks_file") && c.doc.Has(field+".jwks_url"):
		c.refuse(field+".jwks_url", "expected one of jwks_file and jwks_url")
	case c.doc.Has(field + ".jwks_url"):
		c.reached(field+".jwks_url", p.JWKSURL, p.PlainHTTP, fetchedPlainly)
	case !c.doc.Has(field+".jwks_file") && c.doc.Has(field+".issuer"):
		c.reached(field+".issuer", p.Issuer, p.PlainHTTP, fetchedPlainly)
	case c.doc.Has(field+".issuer") && !plain(p.Issuer):
		c.refuse(field+".issuer", "expected what iss is in the issuer's tokens")
	}
}

const fetchedPlainly = "fetches keys over plain HTTP, where anybody in between can put in their own; expected https, or dangerously_fetch_over_plain_http: true beside it"

// reached checks a URL that Postern calls. Plain HTTP to another machine is
// refused, in the given words, unless it is accepted by name.
func (c *checker) reached(field, text string, plainHTTP bool, refusal string) {
	u, err := webURL(text)
	switch {
	case err != nil:
		c.refuse(field, "%s", err)
	case u.Scheme == "http" && !plainHTTP && !onThisMachine(u):
		c.refuse(field, "%s", refusal)
	}
}

// webURL reads an http or https URL; its errors do not repeat it.
func webURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("expected an https or http URL, without user and fragment")
	}
	return u, nil
}

func onThisMachine(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsLoopback() || u.Hostname() == "localhost"
}

func (c *checker) claim(field, text, usual string) string {
	switch {
	case !c.doc.Has(field):
		return usual
	case !plain(text):
		c.refuse(field, "expected a claim's name")
	}
	return text
}

func (c *checker) unknown(field, word string) string {
	switch {
	case !c.doc.Has(field):
		return "deny"
	case word != "deny" && word != "ephemeral":
		c.refuse(field, "expected deny or ephemeral")
	}
	return word
}

// otherwise is the list, or the default where none is written.
func (c *checker) otherwise(field string, list []string, usual ...string) []string {
	if !c.doc.Has(field) {
		return usual
	}
	return slices.Clone(list)
}

func (c *checker) stale(field string, span time.Duration) time.Duration {
	switch {
	case !c.doc.Has(field):
		return 24 * time.Hour
	case span < time.Second || span > 365*24*time.Hour:
		c.refuse(field, "expected %s to %s", time.Second, 365*24*time.Hour)
	}
	return span
}
