package bearer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/place"
	"github.com/postern-authz/postern/internal/credential/proof"
	"github.com/postern-authz/postern/internal/gate"
)

// Location is a place where a token may stand.
type Location = place.Location

// maxLeeway bounds how far clocks may be apart.
const maxLeeway = time.Minute

// Config says which tokens are believed.
type Config struct {
	// In are all places where a token may stand. One request carries one token,
	// in one of them.
	In []Location
	// Realm names the protected space to clients (RFC 9110 section 11.5).
	Realm string
	// Leeway is how far other clocks may be from ours, for exp, nbf, iat and
	// MaxLifetime; a minute at most counts.
	Leeway time.Duration
	// MaxLifetime is the longest that a token may live from now; 0: no limit.
	MaxLifetime time.Duration
	// SkipKeyForm leaves what has the form of an API key under a scheme of the
	// Authorization header to the API keys' authenticator.
	SkipKeyForm bool
	// SkipOpaque leaves what has not the form of a JWS to introspection, where
	// that is believed beside it.
	SkipOpaque bool
	// Environments are the environments whose consumers are believed; none
	// means that all are. An ephemeral consumer has no environment and is not
	// asked for one.
	Environments []string
}

// Authenticator proves tokens.
type Authenticator struct {
	config    Config
	places    place.List
	challenge string
	scope     string
	issuers   *Issuers
	store     consumer.Store
	cache     *cache.Cache[*access.Identity]
	now       func() time.Time
}

var _ gate.Authenticator = (*Authenticator)(nil)

// New makes an authenticator over issuers, which may be nil, and a store. What
// it proves is remembered in the cache under the revision and the issuers' keys
// of the moment, so that nothing outlives the rules or the key that it was
// proven by.
func New(config Config, issuers *Issuers, store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) *Authenticator {
	config.Leeway = min(max(config.Leeway, 0), maxLeeway)
	return &Authenticator{
		config:    config,
		places:    place.New(config.In, config.othersToken),
		challenge: proof.Challenge("Bearer", config.Realm),
		scope:     scopeOf(config, issuers, revision),
		issuers:   issuers,
		store:     store,
		cache:     c,
		now:       now,
	}
}

// othersToken says which values are another kind's: API keys in their own form,
// opaque tokens.
func (c Config) othersToken(at Location, value string) bool {
	return c.SkipKeyForm && at.UnderAuthorization() && consumer.LooksLikeKey(value) ||
		c.SkipOpaque && !place.LooksLikeJWS(value)
}

// scopeOf names all that an answer depends on beside the token and the keys.
func scopeOf(config Config, issuers *Issuers, revision string) string {
	parts := []string{revision, config.Leeway.String(), config.MaxLifetime.String(), fmt.Sprintf("%q", config.Environments)}
	if issuers != nil {
		for _, i := range issuers.list {
			parts = append(parts, fmt.Sprintf("%#v", i.config))
		}
	}
	scope := cache.Digest(parts...)
	return string(scope[:])
}

// Among implements gate.Neighbour: a token is left to API keys and to
// introspection only where those are believed.
func (a *Authenticator) Among(kinds []access.Kind) gate.Authenticator {
	here := *a
	here.config.SkipKeyForm = here.config.SkipKeyForm && slices.Contains(kinds, access.KindAPIKey)
	here.config.SkipOpaque = here.config.SkipOpaque && slices.Contains(kinds, access.KindIntrospection)
	here.places = place.New(here.config.In, here.config.othersToken)
	return &here
}

// Kind implements gate.Authenticator.
func (*Authenticator) Kind() access.Kind { return access.KindJWT }

// Challenge implements gate.Authenticator (RFC 6750 section 3).
func (a *Authenticator) Challenge(rejected bool) string {
	if rejected {
		return a.challenge + `, error="invalid_token"`
	}
	return a.challenge
}

// Authenticate implements gate.Authenticator.
func (a *Authenticator) Authenticate(ctx context.Context, req *access.Request) (access.Proof, error) {
	raw, at, err := a.places.Take(req)
	if err != nil {
		return a.refuse(req, err)
	}
	identity, err := a.identify(ctx, raw, req.Explain)
	if err != nil {
		return a.refuse(req, err)
	}
	if req.Explain.On() {
		req.Explain.Note("authenticate", "jwt: "+at.String()+" holds a token of consumer "+identity.Consumer.Name)
	}
	return access.Proof{Identity: identity, From: at.Location()}, nil
}

// identify says whose token it is, from memory where it can. Who asks why gets
// the whole story told anew.
func (a *Authenticator) identify(ctx context.Context, raw string, explain *access.Explanation) (*access.Identity, error) {
	if err := shapely(raw); err != nil {
		return nil, access.Invalid(err.Error())
	}
	if explain.On() {
		proven, err := a.prove(ctx, raw, explain)
		return proven.identity, settle(err)
	}
	// The keys are named before they are used: what a newer set proves is
	// remembered under the older name and found by nobody.
	name := cache.Digest("jwt", a.scope, a.issuers.keysPrint(), raw)
	if identity, err, ok := a.cache.Get(name); ok {
		return identity, err
	}
	return a.fetch(ctx, name, raw)
}

func (a *Authenticator) fetch(ctx context.Context, name cache.Key, raw string) (*access.Identity, error) {
	identity, err := a.cache.Fetch(ctx, name, func(ctx context.Context) (cache.Loaded[*access.Identity], error) {
		proven, err := a.prove(ctx, raw, nil)
		return cache.Loaded[*access.Identity]{
			Value:   proven.identity,
			Expires: proven.ends,
			Cost:    costOf(raw),
		}, err
	})
	return identity, settle(err)
}

// costOf guesses the bytes that an identity holds: its structs, the claims'
// text, and the maps and lists over it.
func costOf(raw string) int64 { return int64(1024 + 4*len(raw)) }

// refuse passes an error on, with a note for those who ask why.
func (*Authenticator) refuse(req *access.Request, err error) (access.Proof, error) {
	return proof.Refuse(req, access.KindJWT, "no token in any of its places", err)
}
