package access

// Identity is what was proven about a request. It is shared between requests
// once it is cached: nobody changes it after it was made.
type Identity struct {
	// Consumer is nil for the anonymous identity.
	Consumer *Consumer
	// Credential names the proof; nil for the anonymous identity.
	Credential *Credential
	// Claims are the token's claims as JSON values; nil without a token.
	Claims map[string]any
	// Scopes, Roles and Groups join the record's and the token's.
	Scopes []string
	Roles  []string
	Groups []string
	// Issuer is the configured name of the token's issuer; empty when it was
	// no issuer's token.
	Issuer string
}

var anonymous = &Identity{}

// AnonymousIdentity returns the one identity of all requests that carry no
// credential.
func AnonymousIdentity() *Identity { return anonymous }

// Anonymous reports that nothing was proven.
func (i *Identity) Anonymous() bool { return i == nil || i.Consumer == nil }

// Proof is an authenticator's word that a credential in the request is good.
type Proof struct {
	Identity *Identity
	// From is where in the request the credential stood, so that it can be
	// kept from the upstream.
	From Location
	// Beside are further headers that are parts of the proof, in lower case, and
	// are kept from the upstream with it.
	Beside []string
}

// Location is a place in a request that holds a credential. One of the two is
// set; the header's name is in lower case.
type Location struct {
	Header string
	Query  string
}
