package introspect

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

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

// Authenticator proves opaque tokens.
type Authenticator struct {
	config    Config
	places    place.List
	challenge string
	scope     string
	server    *Server
	store     consumer.Store
	cache     *cache.Cache[*access.Identity]
	now       func() time.Time
}

var _ gate.Authenticator = (*Authenticator)(nil)

// New makes an authenticator over a server and a store. What it proves, and
// what it rejects, is remembered in the cache under the revision and the
// configuration. A token's life ends the memory of it, and so do the cache's
// own times: Options.Negative must be true for rejections alone.
func New(config Config, server *Server, store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) *Authenticator {
	config = config.withDefaults()
	return &Authenticator{
		config:    config,
		places:    place.New(config.In, config.othersToken),
		challenge: proof.Challenge("Bearer", config.Realm),
		scope:     scopeOf(config, server.config, revision),
		server:    server,
		store:     store,
		cache:     c,
		now:       now,
	}
}

// othersToken says which values are another kind's: API keys in their own form,
// and JWTs.
func (c Config) othersToken(at Location, value string) bool {
	return c.SkipKeyForm && at.UnderAuthorization() && consumer.LooksLikeKey(value) ||
		!c.TakesJWT && place.LooksLikeJWS(value)
}

// scopeOf names all that an answer depends on beside the token. Our secret at
// the server is no part of it, and can't be printed.
func scopeOf(config Config, server ServerConfig, revision string) string {
	scope := cache.Digest(revision, fmt.Sprintf("%#v", config), fmt.Sprintf("%#v", server))
	return string(scope[:])
}

// Among implements gate.Neighbour: a token is left to JWTs and to API keys only
// where those are believed.
func (a *Authenticator) Among(kinds []access.Kind) gate.Authenticator {
	here := *a
	here.config.SkipKeyForm = here.config.SkipKeyForm && slices.Contains(kinds, access.KindAPIKey)
	here.config.TakesJWT = here.config.TakesJWT || !slices.Contains(kinds, access.KindJWT)
	here.places = place.New(here.config.In, here.config.othersToken)
	return &here
}

// Kind implements gate.Authenticator.
func (*Authenticator) Kind() access.Kind { return access.KindIntrospection }

// Challenge implements gate.Authenticator (RFC 6750 section 3).
func (a *Authenticator) Challenge(rejected bool) string {
	if rejected {
		return a.challenge + `, error="invalid_token"`
	}
	return a.challenge
}

// Authenticate implements gate.Authenticator.
func (a *Authenticator) Authenticate(ctx context.Context, req *access.Request) (access.Proof, error) {
	token, at, err := a.places.Take(req)
	if err != nil {
		return a.refuse(req, err)
	}
	identity, err := a.identify(ctx, token, req.Explain)
	if err != nil {
		return a.refuse(req, err)
	}
	if req.Explain.On() {
		req.Explain.Note("authenticate", "introspection: "+at.String()+" holds a token of consumer "+identity.Consumer.Name)
	}
	return access.Proof{Identity: identity, From: at.Location()}, nil
}

// identify says whose token it is, from memory where it can. Who asks why gets
// an answer of this moment.
func (a *Authenticator) identify(ctx context.Context, token string, explain *access.Explanation) (*access.Identity, error) {
	if why := malformed(token); why != "" {
		return nil, access.Invalid(why)
	}
	if explain.On() {
		p, err := a.prove(ctx, token)
		return p.identity, err
	}
	name := cache.Digest(string(access.KindIntrospection), a.scope, token)
	if identity, err, ok := a.cache.Get(name); ok {
		return identity, err
	}
	return a.fetch(ctx, name, token)
}

func (a *Authenticator) fetch(ctx context.Context, name cache.Key, token string) (*access.Identity, error) {
	return a.cache.Fetch(ctx, name, func(ctx context.Context) (cache.Loaded[*access.Identity], error) {
		p, err := a.prove(ctx, token)
		return cache.Loaded[*access.Identity]{Value: p.identity, Expires: p.ends, Cost: p.cost}, err
	})
}

// malformed says in words what a token is not (RFC 6749 appendix A.12), or "".
func malformed(token string) string {
	if len(token) > maxToken {
		return "token is longer than 16 KiB"
	}
	for i := range len(token) {
		switch c := token[i]; {
		case c == ',':
			return "token holds a comma, so it is two values joined"
		case c <= ' ' || c > '~':
			return "token holds a byte that is not visible ASCII"
		}
	}
	return ""
}

// refuse passes an error on, with a note for those who ask why.
func (*Authenticator) refuse(req *access.Request, err error) (access.Proof, error) {
	return proof.Refuse(req, access.KindIntrospection, "no opaque token in any of its places", err)
}
