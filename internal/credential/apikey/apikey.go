// Package apikey proves API keys: it finds the one key in a request, looks its
// digest up and says whose it is.
//
// A key is found by digest and never compared, so the time that takes says
// nothing about the keys there are. No key is kept, logged or put in an error.
package apikey

import (
	"context"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/proof"
	"github.com/postern-authz/postern/internal/gate"
)

// Location is a place where a key may stand: a header, the Authorization header
// under a scheme, or a query parameter.
type Location struct {
	// Header is a header's name, without case.
	Header string
	// Scheme is the scheme under which the key stands, without case; for the
	// Authorization header alone. Under Bearer only values of Postern's own key
	// form are keys.
	Scheme string
	// Query is a query parameter's name, with case; Header is empty then.
	Query string
}

// Config says which keys are believed.
type Config struct {
	// In are all places where a key may stand. One request carries one key, in
	// one of them.
	In []Location
	// Realm names the protected space to clients (RFC 9110 section 11.5).
	Realm string
	// Environments are the environments whose consumers are believed; none
	// means that all are.
	Environments []string
	// Prefix begins the keys that are made here. One of them whose checksum is
	// wrong is refused without looking it up; empty: every key is looked up.
	Prefix string
	// Yields reports that the header X-API-Key of a request is another kind's:
	// a signed request has its key's id there. The other places count as ever.
	// nil yields nothing.
	Yields func(access.Headers) bool
}

// Authenticator proves API keys.
type Authenticator struct {
	places       []place
	yields       func(access.Headers) bool
	challenge    string
	prefix       string
	environments []string
	scope        string
	store        consumer.Store
	cache        *cache.Cache[*access.Identity]
	now          func() time.Time
}

var _ gate.Authenticator = (*Authenticator)(nil)

// New makes an authenticator over a store. What it proves is remembered in the
// cache under the revision, so that nothing outlives the rules that it was
// proven by.
func New(config Config, store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) *Authenticator {
	return &Authenticator{
		places:       placesOf(config.In),
		yields:       config.Yields,
		challenge:    proof.Challenge("ApiKey", config.Realm),
		prefix:       config.Prefix,
		environments: config.Environments,
		scope:        scopeOf(revision, config.Environments),
		store:        store,
		cache:        c,
		now:          now,
	}
}

// Among implements gate.Neighbour: X-API-Key is yielded to signed requests only
// where those are believed.
func (a *Authenticator) Among(kinds []access.Kind) gate.Authenticator {
	if slices.Contains(kinds, access.KindSignature) {
		return a
	}
	alone := *a
	alone.yields = nil
	return &alone
}

// Kind implements gate.Authenticator.
func (*Authenticator) Kind() access.Kind { return access.KindAPIKey }

// Challenge implements gate.Authenticator. There is nothing to add for a client
// whose key was refused.
func (a *Authenticator) Challenge(bool) string { return a.challenge }

// Authenticate implements gate.Authenticator.
func (a *Authenticator) Authenticate(ctx context.Context, req *access.Request) (access.Proof, error) {
	key, at, err := a.find(req)
	if err != nil {
		return a.refuse(req, err)
	}
	identity, err := a.identify(ctx, key)
	if err != nil {
		return a.refuse(req, err)
	}
	if req.Explain.On() {
		req.Explain.Note("authenticate", "api_key: "+at.String()+" holds credential "+identity.Credential.ID+" of consumer "+identity.Consumer.Name)
	}
	return access.Proof{Identity: identity, From: at.location}, nil
}

// find returns the one key in a request and its place. All places are looked
// at: two keys are refused, even when they are equal.
func (a *Authenticator) find(req *access.Request) (key string, at *place, err error) {
	none := access.ErrNoCredential
	for i := range a.places {
		value, there, err := a.places[i].read(req)
		switch {
		case a.yields != nil && a.places[i].isShared() && a.yields(req.Headers):
			if there || err != nil {
				none = &access.LeftToOthers{Header: a.places[i].location.Header}
			}
			continue
		case err != nil:
			return "", nil, err
		case !there:
			continue
		case at != nil:
			return "", nil, access.Invalid("keys in " + at.String() + " and in " + a.places[i].String())
		}
		key, at = value, &a.places[i]
	}
	if at == nil {
		return "", nil, none
	}
	if why := malformed(key); why != "" {
		return "", nil, access.Invalid(at.String() + ": " + why)
	}
	return key, at, nil
}

// refuse passes an error on, with a note for those who ask why.
func (*Authenticator) refuse(req *access.Request, err error) (access.Proof, error) {
	return proof.Refuse(req, access.KindAPIKey, "no key in any of its places", err)
}
