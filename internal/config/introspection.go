package config

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/introspect"
)

const introspectionField = "authentication.introspection"

// introspection is nil where no server is configured.
func (c *checker) introspection(a *authenticationPart, environments []string) *Introspection {
	const field = introspectionField
	if !c.doc.Has(field) {
		if a.believes(access.KindIntrospection) {
			c.refuse("authentication.order", "believes introspection, but %s names no server", field)
		}
		return nil
	}
	p := &a.Introspection
	in := tokenPlaces(p.In)
	c.places(field+".in", in, a)
	c.parted(field+".in", keyPlaces(a), in)
	c.introspectionNames(p, a)
	return &Introspection{Server: c.introspectionServer(p), Answer: introspect.Config{
		In: places(in), Realm: realm, SkipKeyForm: keysUnderBearer(a), TakesJWT: p.TakesJWT,
		Audiences: p.Audiences, TokenTypes: p.TokenTypes,
		ConsumerClaim:   c.claim(field+".consumer_claim", p.ConsumerClaim, "client_id"),
		UnknownConsumer: c.unknown(field+".unknown_consumer", p.UnknownConsumer),
		Roles:           p.Roles, Groups: p.Groups, Scopes: c.otherwise(field+".scopes", p.Scopes, "scope"),
		Leeway:       time.Duration(a.JWT.Leeway),
		TTL:          c.spanIfThere(field+".ttl", p.TTL, time.Second, 24*time.Hour),
		Environments: environments,
	}}
}

func (c *checker) introspectionServer(p *introspectionPart) introspect.ServerConfig {
	const field = introspectionField
	switch byURL, byIssuer := c.doc.Has(field+".url"), c.doc.Has(field+".issuer"); {
	case byURL && byIssuer:
		c.refuse(field+".issuer", "expected one of url and issuer")
	case byURL:
		c.reached(field+".url", p.URL, p.PlainHTTP, askedPlainly)
	case byIssuer:
		c.reached(field+".issuer", p.Issuer, p.PlainHTTP, askedPlainly)
	default:
		c.refuse(field, "expected url or issuer: where tokens are asked about")
	}
	return introspect.ServerConfig{
		Name: p.Name, URL: p.URL, Issuer: p.Issuer, ClientID: p.ClientID,
		ClientSecret: c.secret(field+".client_secret", p.ClientSecret),
		ClientAuth:   string(p.ClientAuth), TokenTypeHint: p.TokenTypeHint,
		Timeout: c.spanIfThere(field+".timeout", p.Timeout, time.Millisecond, 10*time.Second),
	}
}

const askedPlainly = "sends tokens and the client's secret over plain HTTP, where anybody in between can read them and answer; expected https, or dangerously_ask_over_plain_http: true beside it"

// introspectionNames checks the texts. A server's name is that of an issuer in
// consumers' credentials, so no issuer may have it too.
func (c *checker) introspectionNames(p *introspectionPart, a *authenticationPart) {
	const field = introspectionField
	if c.doc.Has(field+".name") && !issuerName.MatchString(p.Name) {
		c.refuse(field+".name", "%s", expectedName)
	}
	for i := range a.JWT.Issuers {
		if p.Name != "" && a.JWT.Issuers[i].Name == p.Name {
			c.refuse(field+".name", "is the name of the issuer on line %d too", c.doc.Line(at("authentication.jwt.issuers", i)+".name"))
		}
	}
	if c.doc.Has(field+".client_id") && !plain(p.ClientID) {
		c.refuse(field+".client_id", "expected a text without control characters")
	}
	if c.doc.Has(field+".token_type_hint") && !headerForm.MatchString(p.TokenTypeHint) {
		c.refuse(field+".token_type_hint", "expected a word such as access_token or refresh_token")
	}
	c.filled(field+".audiences", p.Audiences, plain, "a text without control characters")
	c.filled(field+".token_types", p.TokenTypes, plain, "a type of token such as Bearer")
	c.claims(field, p.Roles, p.Groups, p.Scopes)
}

// secret is what a field refers to. A secret itself must not stand in this
// file, which is copied and shown.
func (c *checker) secret(field, text string) access.Secret {
	switch {
	case !c.doc.Has(field) || c.broken(field):
		return access.Secret{}
	case !isReference(text):
		c.refuse(field, "expected env:NAME or file:PATH, where the secret is")
		return access.Secret{}
	}
	return access.NewSecret(c.resolve(field, text))
}

func places(in []Location) []introspect.Location {
	list := make([]introspect.Location, len(in))
	for i, l := range in {
		list[i] = introspect.Location{Header: l.Header, Scheme: l.Scheme}
	}
	return list
}
