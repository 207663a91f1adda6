package access

import (
	"net/netip"
	"slices"
	"time"
)

// Consumer is an application that calls APIs; never an end user.
type Consumer struct {
	Name        string
	DisplayName string
	Labels      map[string]string
	Groups      []string
	Roles       []string
	Attributes  map[string]any
	Environment string
	Enabled     bool
	// Ephemeral is a consumer that no record declares: an issuer's token names
	// it, and it has nothing but what the token says.
	Ephemeral bool
	// Stored is a consumer that a store which changes by itself told of, not
	// files: what is known of it is as old as what was last heard of that store.
	Stored      bool
	Constraints *Constraints
}

// Kind is a kind of credential, named as in configuration and policy input.
type Kind string

// The kinds of credential. Issuer is the record that ties a consumer to a
// value in an issuer's tokens or in an introspection server's answers; such a
// token is proven by the JWT or the introspection authenticator.
const (
	KindAPIKey            Kind = "api_key"
	KindJWT               Kind = "jwt"
	KindIssuer            Kind = "issuer"
	KindBasic             Kind = "basic"
	KindSignature         Kind = "signature"
	KindClientCertificate Kind = "client_certificate"
	KindIntrospection     Kind = "introspection"
)

// Credential is what proves a consumer, without its secret.
type Credential struct {
	ID      string
	Kind    Kind
	Enabled bool
	Scopes  []string
	// ExpiresAt is by the wall clock; zero means never.
	ExpiresAt   time.Time
	Constraints *Constraints
}

// Expired reports whether the credential's life has ended at now.
func (c *Credential) Expired(now time.Time) bool {
	return !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt)
}

// Constraints say what a consumer or credential may be used under. Each list
// that is not empty must hold; nil constraints hold always.
type Constraints struct {
	// Addresses are the networks that the client's address must be in.
	Addresses []netip.Prefix
	// Methods are exact, in upper case; GET does not include HEAD.
	Methods []string
}

// Violation returns which constraint a request does not satisfy, in words for
// a log, or "" when all hold.
func (c *Constraints) Violation(method string, client netip.Addr) string {
	switch {
	case c == nil:
		return ""
	case len(c.Methods) > 0 && !slices.Contains(c.Methods, method):
		return "method " + method + " is not among the allowed methods"
	case len(c.Addresses) > 0 && !within(c.Addresses, client):
		return "client address " + client.String() + " is not within the allowed networks"
	}
	return ""
}

func within(nets []netip.Prefix, addr netip.Addr) bool {
	for _, n := range nets {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
