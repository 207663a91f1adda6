package assertion

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
)

// Type is the header "typ" of an assertion, so that no other token can be taken
// for one, nor one for another (RFC 8725 section 3.11). Postern itself does not
// believe tokens of this type.
const Type = "postern-identity+jwt"

// Claims are what an assertion says.
type Claims struct {
	// Issuer, Audience, IssuedAt, ExpiresAt, ID (of the signature, not of the
	// request), and Subject: the consumer's name.
	jwt.RegisteredClaims
	// Credential is the id of the credential that proved the consumer; empty
	// for a consumer that an issuer's token alone names.
	Credential string `json:"credential,omitempty"`
	// IdentityIssuer is the configured name of the issuer whose token proved the
	// consumer; one of the same name under another issuer is another consumer,
	// where issuers make ephemeral ones.
	IdentityIssuer string   `json:"identity_issuer,omitempty"`
	Roles          []string `json:"roles,omitempty"`
	Scopes         []string `json:"scopes,omitempty"`
	Groups         []string `json:"groups,omitempty"`
	// Method, Host (lower case, no port) and Path (decoded once, no query) are
	// the request's, as policy saw them.
	Method string `json:"method"`
	Host   string `json:"host"`
	Path   string `json:"path"`
	// DecisionID is that of the decision which the assertion was signed for. A
	// reused assertion keeps it.
	DecisionID string `json:"decision_id"`
}

// Deps are what a signer is handed.
type Deps struct {
	// Cache holds assertions for reuse and outlives the signer; one that is off
	// has every request signed.
	Cache *cache.Cache[string]
	// Revision names the rules that the signer works under: what was signed
	// under others is not reused.
	Revision string
	Now      func() time.Time
	// NewID makes the ids of signatures.
	NewID func() string
}

// Signer signs assertions. It holds nothing that must be closed: new keys mean
// a new Signer over the same cache. It is used by many goroutines at once.
type Signer struct {
	Deps
	config Config
	key    key
	jwks   []byte
	ttl    string // as a part of digests
}

var _ gate.Signer = (*Signer)(nil)

// New checks the configuration and makes a signer.
func New(c Config, d Deps) (*Signer, error) {
	keys, err := c.keys()
	if err := errors.Join(err, c.checkClaims()); err != nil {
		return nil, err
	}
	return &Signer{Deps: d, config: c, key: keys[0], jwks: marshalSet(keys), ttl: c.TTL.String()}, nil
}

// JWKS returns the public keys as a JWK set, the one that signs first.
func (s *Signer) JWKS() []byte { return slices.Clone(s.jwks) }

// Sign implements gate.Signer. An assertion of the same content is reused until
// half of its life is over.
func (s *Signer) Sign(ctx context.Context, req *access.Request, id *access.Identity, decisionID string) (string, error) {
	if id.Anonymous() {
		return "", errors.New("there is nobody to vouch for")
	}
	digest := s.digest(req, id)
	if text, err, ok := s.Cache.Get(digest); ok {
		return text, err
	}
	return s.fetch(ctx, digest, s.claims(req, id, decisionID))
}

// fetch signs once for all who need the same at the same time.
func (s *Signer) fetch(ctx context.Context, digest cache.Key, claims *Claims) (string, error) {
	return s.Cache.Fetch(ctx, digest, func(context.Context) (cache.Loaded[string], error) {
		text, err := s.sign(claims)
		reuse := claims.IssuedAt.Add(s.config.TTL / 2)
		return cache.Loaded[string]{Value: text, Expires: reuse, Cost: int64(len(text))}, err
	})
}

// digest names all that an assertion says, but for when and in which decision
// it was signed. Lists are led by their lengths, so that no two run together.
func (s *Signer) digest(req *access.Request, id *access.Identity) cache.Key {
	var buffer [32]string // more roles, scopes and groups than that cost an allocation
	parts := append(buffer[:0],
		s.Revision, s.key.id, s.config.Issuer, s.config.Audience, s.ttl,
		id.Consumer.Name, credentialID(id), id.Issuer, req.Method, req.Host, req.Path)
	for _, list := range [...][]string{id.Roles, id.Scopes, id.Groups} {
		parts = append(append(parts, strconv.Itoa(len(list))), list...)
	}
	return cache.Digest(parts...)
}

func (s *Signer) claims(req *access.Request, id *access.Identity, decisionID string) *Claims {
	now := s.Now()
	c := &Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: s.config.Issuer, Subject: id.Consumer.Name, ID: s.NewID(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(s.config.TTL)),
		},
		Credential: credentialID(id), IdentityIssuer: id.Issuer, Roles: id.Roles, Scopes: id.Scopes, Groups: id.Groups,
		Method: req.Method, Host: req.Host, Path: req.Path, DecisionID: decisionID,
	}
	if s.config.Audience != "" {
		c.Audience = jwt.ClaimStrings{s.config.Audience}
	}
	return c
}

func credentialID(id *access.Identity) string {
	if id.Credential == nil {
		return ""
	}
	return id.Credential.ID
}

func (s *Signer) sign(claims *Claims) (string, error) {
	token := jwt.NewWithClaims(s.key.method, claims)
	token.Header["typ"], token.Header["kid"] = Type, s.key.id
	return token.SignedString(s.key.private)
}
