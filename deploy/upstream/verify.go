// Package upstream verifies Postern's identity assertion in an upstream. Copy
// this file: it needs nothing but the JWKS URL, golang-jwt, jwx and its httprc.
package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/httprc/v3"
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

// Config needs KeysURL, Header and Asked, which tells what the client asked for:
// Arrived, unless the gateway rewrites requests. An empty Issuer is any; of
// Audience one must be there, if there are any. Transport fetches the keys; nil
// is http.DefaultTransport.
type Config struct {
	KeysURL, Header, Issuer string
	Audience                []string
	Asked                   func(*http.Request) (method, host, path string)
	Transport               http.RoundTripper
}

// Verifier verifies assertions. It fetches the keys every ten seconds, and never
// for a request: made-up keys cost nothing, and no request waits.
type Verifier struct {
	Config
	parser *jwt.Parser
	keys   *httprc.ResourceBase[jwk.Set]
}

// New returns a verifier whose goroutines end with ctx. Until it is Ready it
// refuses everything. Afterwards the last good keys count until there are newer
// ones. They come from that URL alone: redirects are not followed.
func New(ctx context.Context, c Config) (*Verifier, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256", "EdDSA"}), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithIssuer(c.Issuer), jwt.WithAudience(c.Audience...))
	client := httprc.WithHTTPClient(&http.Client{Transport: c.Transport, Timeout: 5 * time.Second, CheckRedirect: stay})
	keys, badURL := httprc.NewResource(c.KeysURL, httprc.TransformFunc[jwk.Set](readKeys), client,
		httprc.WithConstantInterval(10*time.Second), httprc.WithMinInterval(10*time.Second)) // the second: after a failure
	fetcher, err := httprc.NewClient(httprc.WithWorkers(1)).Start(ctx)
	if err := errors.Join(err, badURL); err != nil {
		return nil, err
	}
	return &Verifier{c, parser, keys}, fetcher.Add(ctx, keys, httprc.WithWaitReady(false))
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func readKeys(_ context.Context, answer *http.Response) (jwk.Set, error) {
	set, err := jwk.ParseReader(http.MaxBytesReader(nil, answer.Body, 64<<10))
	if err == nil && set.Len() == 0 {
		err = errors.New("a key set without keys")
	}
	return set, err
}

// Ready waits for the first keys, at most until ctx ends.
func (v *Verifier) Ready(ctx context.Context) error { return v.keys.Ready(ctx) }

// Verify returns who the request is from. Where it can't, answer 401 and keep
// the error for the log.
func (v *Verifier) Verify(r *http.Request) (*Identity, error) {
	id, lines := &Identity{}, r.Header.Values(v.Header)
	if len(lines) != 1 {
		return nil, errors.New("expected one line of " + v.Header)
	}
	if _, err := v.parser.ParseWithClaims(lines[0], id, v.key); err != nil {
		return nil, err
	}
	if method, host, path := v.Asked(r); id.Subject == "" || id.Method != method || id.Host != host || id.Path != path {
		return nil, errors.New("the assertion is for another request")
	}
	return id, nil
}

// key returns the key that a token names.
func (v *Verifier) key(t *jwt.Token) (public any, err error) {
	kid, _ := t.Header["kid"].(string)
	if set := v.keys.Resource(); set != nil && t.Header["typ"] == "postern-identity+jwt" {
		if key, known := set.LookupKeyID(kid); known {
			err = jwk.Export(key, &public)
			return public, err
		}
	}
	return nil, errors.New("an unknown key, or another type of token")
}

// Arrived is what a request asks for as it arrived.
func Arrived(r *http.Request) (method, host, path string) {
	host = strings.TrimSuffix(r.Host, ":"+(&url.URL{Host: r.Host}).Port())
	return r.Method, strings.TrimSuffix(strings.ToLower(host), "."), r.URL.Path
}
