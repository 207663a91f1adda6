// Package upstream verifies Postern's identity assertion in an upstream. Copy
// this file: it needs nothing but the JWKS URL, golang-jwt and jwx.
package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

// Identity is what an assertion says: who the consumer is (Subject), and which
// request it was made for.
type Identity struct {
	jwt.RegisteredClaims
	Credential, Method, Host, Path string
	Roles, Scopes, Groups          []string
	IdentityIssuer                 string `json:"identity_issuer"` // whose token it was; an ephemeral consumer's name is that issuer's alone
	DecisionID                     string `json:"decision_id"`
}

// Verifier verifies assertions. An empty Issuer or Audience is any. Asked tells
// what the client asked for, where the gateway rewrites requests; nil: what
// arrived. Everything else must be set.
type Verifier struct {
	KeysURL, Header, Issuer, Audience string

	Asked  func(*http.Request) (method, host, path string)
	Client *http.Client     // fetches the keys
	Now    func() time.Time // time.Now

	fetching sync.Mutex
	last     atomic.Pointer[keySet]
}

// Verify returns who the request is from. Where it can't, answer 401 and keep
// the error for the log.
func (v *Verifier) Verify(r *http.Request) (*Identity, error) {
	lines := r.Header.Values(v.Header)
	if len(lines) != 1 {
		return nil, errors.New("expected one line of " + v.Header)
	}
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{"ES256", "EdDSA"}), jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(), jwt.WithIssuer(v.Issuer), jwt.WithTimeFunc(v.Now)}
	if v.Audience != "" {
		options = append(options, jwt.WithAudience(v.Audience))
	}
	id, key := &Identity{}, func(t *jwt.Token) (any, error) { return v.key(r.Context(), t.Header) }
	if _, err := jwt.ParseWithClaims(lines[0], id, key, options...); err != nil {
		return nil, err
	}
	if method, host, path := v.asked(r); id.Subject == "" || id.Method != method || id.Host != host || id.Path != path {
		return nil, errors.New("the assertion is for another request")
	}
	return id, nil
}

func (v *Verifier) asked(r *http.Request) (method, host, path string) {
	if v.Asked != nil {
		return v.Asked(r)
	}
	host = strings.TrimSuffix(r.Host, ":"+(&url.URL{Host: r.Host}).Port())
	return r.Method, strings.TrimSuffix(strings.ToLower(host), "."), r.URL.Path
}

// keySet is what the last try to fetch left; it is never changed.
type keySet struct {
	jwk.Set
	tried time.Time
}

// key returns the key that a header names. A key that Postern took back is
// refused after five minutes; made-up ones cause one fetch in ten seconds, for
// which no good one waits.
func (v *Verifier) key(ctx context.Context, header map[string]any) (public any, err error) {
	kid, _ := header["kid"].(string)
	if v.due(kid) {
		v.fetching.Lock()
		if v.due(kid) { // still: nobody has fetched while we waited
			v.last.Store(v.fetch(ctx, v.last.Load()))
		}
		v.fetching.Unlock()
	}
	key, known := v.last.Load().LookupKeyID(kid)
	if !known || header["typ"] != "postern-identity+jwt" {
		return nil, errors.New("an unknown key, or another type of token")
	}
	err = jwk.Export(key, &public)
	return public, err
}

func (v *Verifier) due(kid string) bool {
	s := v.last.Load()
	return s == nil || v.Now().Sub(s.tried) > 5*time.Minute || !s.has(kid) && v.Now().Sub(s.tried) > 10*time.Second
}

func (s *keySet) has(kid string) bool {
	_, known := s.LookupKeyID(kid)
	return known
}

// fetch outlives its request, as others need the keys too. The last good ones
// count while there are no newer ones.
func (v *Verifier) fetch(ctx context.Context, last *keySet) *keySet {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	set, err := jwk.Fetch(ctx, v.KeysURL, jwk.WithHTTPClient(v.Client), jwk.WithMaxFetchBodySize(64<<10))
	switch {
	case err == nil && set.Len() > 0:
		return &keySet{set, v.Now()}
	case last != nil:
		return &keySet{last.Set, v.Now()}
	}
	return &keySet{jwk.NewSet(), v.Now()}
}
