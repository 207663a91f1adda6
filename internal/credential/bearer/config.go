package bearer

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// What becomes of a token whose consumer no record declares.
const (
	// UnknownDeny rejects it. The empty value means the same.
	UnknownDeny = "deny"
	// UnknownEphemeral makes a consumer of it that has nothing but the name in
	// the claim and what else the token says.
	UnknownEphemeral = "ephemeral"
)

// Defaults of an issuer's times.
const (
	defaultRefresh  = time.Minute
	defaultTimeout  = 5 * time.Second
	defaultMaxStale = 24 * time.Hour
)

// IssuerConfig is one issuer whose tokens are believed.
type IssuerConfig struct {
	// Name is the issuer's name here, in records, logs and policy input.
	Name string
	// Issuer is what `iss` must be, to the byte.
	Issuer string
	// JWKSFile or JWKSURL is where the keys are; with neither they are
	// discovered from Issuer (OpenID Connect Discovery 1.0 section 4).
	JWKSFile, JWKSURL string
	// Algorithms are the only ones believed; none of them is symmetric.
	Algorithms []string
	// Audiences are those of which a token must name one, to the byte.
	Audiences []string
	// ConsumerClaim is the path of the claim that names the consumer.
	ConsumerClaim string
	// UnknownConsumer is UnknownDeny or UnknownEphemeral.
	UnknownConsumer string
	// Roles, Groups and Scopes are paths of claims, such as realm_access.roles.
	// A name on the way may hold dots itself.
	Roles, Groups, Scopes []string
	// Refresh is how often keys are fetched; 0 means a minute. A file is looked
	// at twice a second whatever stands here.
	Refresh time.Duration
	// Timeout bounds one fetch, discovery and slow bodies included; 0 means 5s.
	Timeout time.Duration
	// MaxStale is how long the last good keys serve while no fetch succeeds; 0
	// means 24h.
	MaxStale time.Duration
}

// Deps are what the issuers need of the program. Each may be left out.
type Deps struct {
	// Client fetches; its redirect policy, cookies and timeout are not used.
	// Left out: one that takes no proxy from the environment.
	Client *http.Client
	Logger *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Jitter yields numbers in [0, 1), so that instances don't fetch in step.
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

func (c IssuerConfig) withDefaults() IssuerConfig {
	for _, t := range []struct {
		set   *time.Duration
		usual time.Duration
	}{{&c.Refresh, defaultRefresh}, {&c.Timeout, defaultTimeout}, {&c.MaxStale, defaultMaxStale}} {
		if *t.set == 0 {
			*t.set = t.usual
		}
	}
	return c
}

// check returns everything that is wrong with the configuration.
func (c IssuerConfig) check() error {
	errs := []error{c.checkNames(), c.checkAlgorithms(), c.checkSource()}
	if c.Refresh < 0 || c.Timeout < 0 || c.MaxStale < 0 {
		errs = append(errs, errors.New("refresh, timeout and max_stale: expected no negative time"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("issuer %q: %w", c.Name, err)
	}
	return nil
}

func (c IssuerConfig) checkNames() error {
	switch {
	case c.Name == "":
		return errors.New("name: expected one")
	case c.Issuer == "":
		return errors.New("issuer: expected what the tokens' iss is")
	case len(c.Audiences) == 0:
		return errors.New("audiences: expected at least one; without, tokens for any other service would be believed")
	case c.ConsumerClaim == "":
		return errors.New("consumer_claim: expected the claim that names the consumer")
	case c.UnknownConsumer != "" && c.UnknownConsumer != UnknownDeny && c.UnknownConsumer != UnknownEphemeral:
		return fmt.Errorf("unknown_consumer: %q, expected %s or %s", c.UnknownConsumer, UnknownDeny, UnknownEphemeral)
	}
	return nil
}

func (c IssuerConfig) checkAlgorithms() error {
	if len(c.Algorithms) == 0 {
		return errors.New("algorithms: expected at least one")
	}
	for _, alg := range c.Algorithms {
		if methodOf(alg) == nil || symmetric(alg) {
			return fmt.Errorf("algorithms: %q, expected asymmetric ones such as RS256, PS256, ES256 or EdDSA", alg)
		}
	}
	return nil
}

func (c IssuerConfig) checkSource() error {
	switch {
	case c.JWKSFile != "" && c.JWKSURL != "":
		return errors.New("jwks_file and jwks_url: expected one of them")
	case c.JWKSFile != "":
		return nil
	case c.JWKSURL != "":
		return prefixed("jwks_url", checkURL(c.JWKSURL))
	}
	return prefixed("issuer", checkURL(c.Issuer))
}

func prefixed(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}

// checkURL wants an address to fetch from, without secrets in it.
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
