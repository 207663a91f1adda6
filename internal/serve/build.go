package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/file"
	"github.com/postern-authz/postern/internal/credential/apikey"
	"github.com/postern-authz/postern/internal/credential/bearer"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

// realm names the protected space in every challenge (RFC 9110 section 11.5).
const realm = "api"

// observer decorates the gate's ports.
type observer interface {
	Authenticator(gate.Authenticator) gate.Authenticator
	Policy(gate.Policy) gate.Policy
}

// builder makes rules from a configuration. What it holds outlives reloads.
type builder struct {
	env      func(string) (string, bool)
	now      func() time.Time
	logger   *slog.Logger
	observer observer
	proofs   *cache.Cache[*access.Identity]
	memory   *cache.Cache[access.Decision]
}

// built is one revision of everything that can be reloaded.
type built struct {
	config    *config.Config
	consumers *file.Snapshot
	policy    *policy.Snapshot
	issuers   *bearer.Issuers
	rules     *gate.Rules
	revision  string
}

// build makes the rules of a configuration. Issuers of last whose
// configuration is the same live on; last may be nil. The error names
// everything that is wrong with consumers and policy.
func (b *builder) build(ctx context.Context, c *config.Config, last *built) (*built, error) {
	next := &built{config: c}
	var errs [2]error
	next.consumers, errs[0] = file.Load(c.Consumers.Files, file.Options{Issuers: issuerNames(c), Env: b.env})
	next.policy, errs[1] = b.compile(ctx, c.Policy)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	next.revision = revisionOf(c.Revision, next.consumers.Revision(), next.policy.Revision())
	var err error
	if next.issuers, err = b.issuers(ctx, c, last); err != nil {
		return nil, err
	}
	if next.rules, err = gate.NewRules(b.gateConfig(next)); err != nil {
		next.closeUnless(last)
		return nil, err
	}
	return next, nil
}

func (b *builder) gateConfig(next *built) gate.Config {
	c := next.config
	return gate.Config{
		Revision:          next.revision,
		Routes:            c.Routes,
		Default:           c.Default,
		Authenticators:    b.authenticators(next),
		Policy:            b.observer.Policy(next.policy),
		Managed:           c.Identity,
		CredentialHeaders: credentialHeaders(c.Authentication),
		Forward:           forwarded(c.Authentication),
	}
}

// authenticators makes them in the order in which a credential names the
// request's identity. A new kind gets its line here.
func (b *builder) authenticators(next *built) []gate.Authenticator {
	makers := map[access.Kind]func(*built) gate.Authenticator{
		access.KindAPIKey: b.apiKeys,
		access.KindJWT:    b.tokens,
	}
	var list []gate.Authenticator
	for _, kind := range next.config.Authentication.Order {
		list = append(list, b.observer.Authenticator(makers[kind](next)))
	}
	return list
}

func (b *builder) apiKeys(next *built) gate.Authenticator {
	c := next.config
	in := make([]apikey.Location, len(c.Authentication.APIKey.In))
	for i, l := range c.Authentication.APIKey.In {
		in[i] = apikey.Location(l)
	}
	return apikey.New(apikey.Config{
		In:           in,
		Realm:        realm,
		Environments: c.Consumers.Environments,
	}, next.store(), b.proofs, next.provenBy(), b.now)
}

func (b *builder) tokens(next *built) gate.Authenticator {
	c := next.config
	in := make([]bearer.Location, len(c.Authentication.JWT.In))
	for i, l := range c.Authentication.JWT.In {
		in[i] = bearer.Location{Header: l.Header, Scheme: l.Scheme}
	}
	return bearer.New(bearer.Config{
		In:           in,
		Realm:        realm,
		Leeway:       c.Authentication.JWT.Leeway,
		MaxLifetime:  c.Authentication.JWT.MaxLifetime,
		SkipKeyForm:  keysUnderBearer(c.Authentication),
		Environments: c.Consumers.Environments,
	}, next.issuers, next.store(), b.proofs, next.provenBy(), b.now)
}

func (n *built) store() consumer.Store { return n.consumers }

// provenBy names all that a proof depends on. Policy is no part of it: a new
// policy leaves what was proven as it is.
func (n *built) provenBy() string { return revisionOf(n.config.Revision, n.consumers.Revision()) }

// keysUnderBearer reports that values with the form of an API key under the
// Bearer scheme are the API keys' authenticator's.
func keysUnderBearer(a config.Authentication) bool {
	for _, l := range a.APIKey.In {
		if strings.EqualFold(l.Scheme, "Bearer") {
			return true
		}
	}
	return false
}

// credentialHeaders are the headers that may hold a credential, in lower case.
func credentialHeaders(a config.Authentication) []string {
	var names []string
	for _, list := range [][]config.Location{a.APIKey.In, a.JWT.In} {
		for _, l := range list {
			if l.Header != "" {
				names = append(names, strings.ToLower(l.Header))
			}
		}
	}
	return names
}

// forwarded are the kinds whose credentials reach the upstream.
func forwarded(a config.Authentication) []access.Kind {
	if a.HideCredentials {
		return nil
	}
	return a.Order
}

func (b *builder) compile(ctx context.Context, c config.Policy) (*policy.Snapshot, error) {
	return policy.Compile(ctx, policy.Options{
		Directory:       c.Directory,
		Embedded:        policies.FS,
		Entrypoints:     c.Entrypoints,
		Timeout:         c.Timeout,
		AllowedBuiltins: c.AllowedBuiltins,
		Memory:          b.memory,
		Now:             b.now,
	})
}

// issuers opens the key sets, or keeps those of last. They fetch for longer
// than a reload takes, so they end at Close and not with a context of it.
func (b *builder) issuers(ctx context.Context, c *config.Config, last *built) (*bearer.Issuers, error) {
	if last != nil && reflect.DeepEqual(last.config.Authentication.JWT.Issuers, c.Authentication.JWT.Issuers) {
		return last.issuers, nil
	}
	configs := make([]bearer.IssuerConfig, len(c.Authentication.JWT.Issuers))
	for i, issuer := range c.Authentication.JWT.Issuers {
		configs[i] = bearer.IssuerConfig{
			Name: issuer.Name, Issuer: issuer.Issuer, JWKSFile: issuer.JWKSFile, JWKSURL: issuer.JWKSURL,
			Algorithms: issuer.Algorithms, Audiences: issuer.Audiences,
			ConsumerClaim: issuer.ConsumerClaim, UnknownConsumer: issuer.UnknownConsumer,
			Roles: issuer.Roles, Groups: issuer.Groups, Scopes: issuer.Scopes, MaxStale: issuer.MaxStale,
		}
	}
	return bearer.OpenIssuers(context.WithoutCancel(ctx), configs, bearer.Deps{Logger: b.logger, Now: b.now})
}

// closeUnless ends what a build opened and other does not use.
func (n *built) closeUnless(other *built) {
	if other == nil || other.issuers != n.issuers {
		n.issuers.Close()
	}
}

func issuerNames(c *config.Config) []string {
	names := []string{} // none configured is not the same as any allowed
	for _, issuer := range c.Authentication.JWT.Issuers {
		names = append(names, issuer.Name)
	}
	return names
}

// revisionOf names configuration, consumers and policy together.
func revisionOf(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}
