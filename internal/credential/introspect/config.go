package introspect

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/place"
)

// How we prove ourselves to the server (RFC 6749 section 2.3.1; the names are
// those of OpenID Connect Core 1.0 section 9).
const (
	// BasicAuth is the Basic scheme. The empty value means the same.
	BasicAuth = "client_secret_basic"
	// PostAuth is id and secret in the body.
	PostAuth = "client_secret_post"
)

// What becomes of a token whose consumer no record declares.
const (
	// UnknownDeny rejects it. The empty value means the same.
	UnknownDeny = "deny"
	// UnknownEphemeral makes a consumer of it that has nothing but the name in
	// the claim and what else the answer says.
	UnknownEphemeral = "ephemeral"
)

const (
	defaultClaim   = "client_id"
	defaultType    = "Bearer"
	defaultTimeout = 150 * time.Millisecond
	// maxTimeout is more than any gateway waits for us.
	maxTimeout = 10 * time.Second
	// maxLeeway bounds how far clocks may be apart.
	maxLeeway = time.Minute
)

// Location is a place where a token may stand.
type Location = place.Location

// ServerConfig says how a server is asked. A Server lives on across reloads
// that leave it as it is.
type ServerConfig struct {
	// Name is the server's name here: in logs, in policy input, and as the
	// issuer in consumers' `issuer` credentials.
	Name string
	// URL is the introspection endpoint. Without it the endpoint is discovered
	// from Issuer, when it is first needed (OpenID Connect Discovery 1.0).
	URL, Issuer string
	// ClientID and ClientSecret are our own credentials there.
	ClientID     string
	ClientSecret access.Secret
	// ClientAuth is BasicAuth or PostAuth.
	ClientAuth string
	// TokenTypeHint is sent with every token (RFC 7662 section 2.1), such as
	// refresh_token where a server looks for offline tokens under it alone;
	// empty: none is sent.
	TokenTypeHint string
	// Timeout bounds the whole of one answer: waiting for a place, connecting,
	// a second attempt, a body that drips. 0 means 150ms, so that Postern can
	// still answer within the 200ms that Envoy waits by default.
	Timeout time.Duration
}

// Config says what is believed of the answers.
type Config struct {
	// In are all places where a token may stand. One request carries one token,
	// in one of them.
	In []Location
	// Realm names the protected space to clients (RFC 9110 section 11.5).
	Realm string
	// SkipKeyForm leaves what has the form of an API key under a scheme of the
	// Authorization header to the API keys' authenticator.
	SkipKeyForm bool
	// TakesJWT has tokens introspected that have the form of a JWS, too, where
	// JWTs are believed beside them. Without it those are left to the JWTs'
	// authenticator.
	TakesJWT bool
	// Audiences are those of which an answer must name one, to the byte; none:
	// `aud` is not looked at.
	Audiences []string
	// TokenTypes are the kinds of token that are believed, by the answer's
	// `token_type` (RFC 6749 section 7.1) and by Keycloak's claim `typ`, where
	// they are there; without case. Empty means Bearer alone: Keycloak calls
	// its refresh tokens Refresh, its offline tokens Offline and its ID tokens
	// ID, and none of those was made to be shown to an API.
	TokenTypes []string
	// ConsumerClaim is the path of the claim that names the consumer; empty
	// means client_id.
	ConsumerClaim string
	// UnknownConsumer is UnknownDeny or UnknownEphemeral.
	UnknownConsumer string
	// Roles, Groups and Scopes are paths of claims, such as realm_access.roles.
	// A name on the way may hold dots itself.
	Roles, Groups, Scopes []string
	// Leeway is how far the server's clock may be from ours, for exp, nbf and
	// iat; a minute at most counts.
	Leeway time.Duration
	// TTL is how long an answer counts at most, so how long a token that was
	// revoked at the server is still believed; 0: as long as the cache keeps
	// it.
	TTL time.Duration
	// Environments are the environments whose consumers are believed; none
	// means that all are. An ephemeral consumer has no environment and is not
	// asked for one.
	Environments []string
}

// Deps are what a server needs of the program. Each may be left out.
type Deps struct {
	// Client lends its transport; its redirect policy, cookies and timeout are
	// not used. Left out: one that takes no proxy from the environment.
	Client *http.Client
	Logger *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Jitter yields numbers in [0, 1), so that instances don't try again in
	// step.
	Jitter func() float64
}

func (d Deps) withDefaults() Deps {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Jitter == nil {
		d.Jitter = rand.Float64
	}
	return d
}

func (c Config) withDefaults() Config {
	c.Leeway = min(max(c.Leeway, 0), maxLeeway)
	if c.ConsumerClaim == "" {
		c.ConsumerClaim = defaultClaim
	}
	if len(c.TokenTypes) == 0 {
		c.TokenTypes = []string{defaultType}
	}
	return c
}

// Check returns everything that is wrong with the configuration.
func (c ServerConfig) Check() error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name: expected one"))
	}
	if c.ClientID == "" || c.ClientSecret.Empty() {
		errs = append(errs, errors.New("client_id and client_secret: expected both; a server answers only to whom it knows"))
	}
	if c.ClientAuth != "" && c.ClientAuth != BasicAuth && c.ClientAuth != PostAuth {
		errs = append(errs, fmt.Errorf("client_auth: %q, expected %s or %s", c.ClientAuth, BasicAuth, PostAuth))
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		errs = append(errs, fmt.Errorf("timeout: %v, expected 0 to %v", c.Timeout, maxTimeout))
	}
	if err := errors.Join(append(errs, c.checkSource())...); err != nil {
		return fmt.Errorf("introspection server %q: %w", c.Name, err)
	}
	return nil
}

func (c ServerConfig) checkSource() error {
	field, address := "url", c.URL
	switch {
	case c.URL != "" && c.Issuer != "":
		return errors.New("url and issuer: expected one of them")
	case c.URL == "":
		field, address = "issuer", c.Issuer
	}
	if err := checkURL(address); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// Check returns everything that is wrong with the configuration.
func (c Config) Check() error {
	var errs []error
	if len(c.In) == 0 {
		errs = append(errs, errors.New("in: expected at least one place"))
	}
	if c.UnknownConsumer != "" && c.UnknownConsumer != UnknownDeny && c.UnknownConsumer != UnknownEphemeral {
		errs = append(errs, fmt.Errorf("unknown_consumer: %q, expected %s or %s", c.UnknownConsumer, UnknownDeny, UnknownEphemeral))
	}
	if c.TTL < 0 || c.Leeway < 0 {
		errs = append(errs, errors.New("ttl and leeway: expected no negative time"))
	}
	return errors.Join(errs...)
}

// checkURL wants an address to ask at, without secrets in it.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("expected an https or http URL")
	case u.User != nil || u.Fragment != "":
		return errors.New("expected a URL without user, password and fragment")
	}
	return nil
}
