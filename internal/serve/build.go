package serve

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/postern-authz/postern/internal/assertion"
	"github.com/postern-authz/postern/internal/bundles"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer/file"
	"github.com/postern-authz/postern/internal/consumer/password"
	"github.com/postern-authz/postern/internal/credential/basic"
	"github.com/postern-authz/postern/internal/credential/bearer"
	"github.com/postern-authz/postern/internal/credential/introspect"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/rollout"
)

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
	caches   *caches
	// ledger is nil where consumers are in files alone.
	ledger *ledger
	// verifier, hasher and nonces are one each for the whole process: what they
	// bound or remember is the process's.
	verifier *basic.Verifier
	hasher   *password.Hasher
	nonces   *signature.Memory
	// skew is the clock skew of the start. A higher one would believe signatures
	// again that were forgotten under it, so a raise waits for a restart.
	skew time.Duration
	// compilations are those of policies: the same one is under way once.
	compilations policy.Compilations
	// keeper follows bundles; nil: they are fetched for each build.
	keeper *bundles.Keeper
	// rollouts is nil where nothing is served; unpinned then says that what was
	// promoted does not count.
	rollouts *rollouts
	unpinned bool
	// journaled counts what the journal of decisions took; nil: none is kept.
	journaled *journal.Counts
}

// maxNonces is how many signed requests are remembered within their skew; each
// takes about 64 bytes. One key id may have four fifths of them.
const maxNonces = 1_000_000

// newBuilder makes a builder whose parts log to logger and are decorated by o.
func newBuilder(c *config.Config, env func(string) (string, bool), caches *caches, o observer, logger *slog.Logger) (*builder, error) {
	b := &builder{env: env, now: time.Now, logger: logger, observer: o, caches: caches}
	var errs [2]error
	b.verifier, errs[0] = basic.NewVerifier(c.Authentication.Basic.Verifier, rand.Reader)
	b.hasher, errs[1] = password.NewHasher(rand.Reader)
	b.nonces, b.skew = signature.NewMemory(maxNonces, b.now), skewOf(c)
	return b, errors.Join(errs[:]...)
}

// skewOf is the clock skew that a configuration asks for.
func skewOf(c *config.Config) time.Duration {
	return cmp.Or(c.Authentication.Signature.ClockSkew, signature.DefaultClockSkew)
}

// built is one revision of everything that can be reloaded.
type built struct {
	config    *config.Config
	consumers *file.Snapshot
	policy    *policy.Snapshot
	issuers   *bearer.Issuers
	// server is nil when no introspection is configured, signer when no identity
	// is signed.
	server *introspect.Server
	signer *assertion.Signer
	// journal is nil when no decisions are noted.
	journal  *journal.Journal
	rules    *gate.Rules
	revision string
	// chosen are the bundles that policy is made of, nil for a build that fetched
	// them itself. awaited is why there is no policy and there are no rules yet.
	chosen  *bundles.Chosen
	awaited error
	// source is what the policy's files and bundles hold. policy is another one
	// while pin holds; released is a pin that does no longer. by is who put policy
	// in force, empty where a change of files did.
	source        *policy.Snapshot
	pin, released *rollout.Pin
	// unread is why there is no source: pin's revision stands in for files that
	// could not be used at the start.
	unread error
	by     string
}

// build makes the rules of a configuration. Neighbours of last whose
// configuration is the same live on; last may be nil. The error names
// everything that is wrong with consumers and policy.
func (b *builder) build(ctx context.Context, c *config.Config, last *built) (*built, error) {
	next := &built{config: c}
	var errs [3]error
	next.consumers, errs[0] = file.Load(c.Consumers.Files, file.Options{Issuers: issuerNames(c), Env: b.env, Hasher: b.hasher})
	next.policy, next.chosen, errs[1] = b.compile(ctx, c, last)
	next.issuers, errs[2] = b.issuers(ctx, c, last)
	if errs[1] != nil && (last == nil || last.rules == nil) {
		errs[1] = b.standIn(ctx, next, errs[1])
	}
	if err := errors.Join(errs[:]...); err != nil {
		if b.keeper != nil && (last == nil || last.rules == nil) && awaits(errs[:]...) {
			next.awaited = err
			return next, nil
		}
		next.closeUnless(last)
		return nil, err
	}
	if err := b.obeyPin(ctx, next, last); err != nil {
		next.closeUnless(last)
		return nil, err
	}
	next.revision = revisionOf(c.Revision, next.consumers.Revision(), next.policy.Revision())
	if err := b.finish(next, last); err != nil {
		next.closeUnless(last)
		return nil, err
	}
	return next, nil
}

// finish opens the neighbours and makes the rules over them.
func (b *builder) finish(next, last *built) (err error) {
	if next.server, err = b.introspection(next.config, last); err != nil {
		return err
	}
	if next.signer, err = b.sign(next); err != nil {
		return err
	}
	if next.journal, err = b.openJournal(next, last); err != nil {
		return err
	}
	kinds := b.kinds(next)
	authenticators, err := b.authenticators(next, kinds)
	if err != nil {
		return err
	}
	g := b.gateConfig(next)
	g.Authenticators, g.CredentialHeaders = authenticators, credentialHeaders(kinds)
	next.rules, err = gate.NewRules(g)
	return err
}

func (b *builder) gateConfig(next *built) gate.Config {
	c := next.config
	g := gate.Config{
		Revision:  next.revision,
		Routes:    c.Routes,
		Default:   c.Default,
		Policy:    b.shadowed(next, b.observer.Policy(b.journaling(next, next.policy))),
		DryRun:    c.Policy.DryRun,
		Managed:   c.Identity,
		Forward:   forwarded(c.Authentication),
		Staleness: b.ledger.staleness(),
	}
	if next.signer != nil {
		g.Assertion = gate.Assertion{Header: c.Assertion.Header, Signer: next.signer}
	}
	return g
}

// sign makes the signer of identities, nil when none is configured.
func (b *builder) sign(next *built) (*assertion.Signer, error) {
	if next.config.Assertion == nil {
		return nil, nil
	}
	return assertion.New(next.config.Assertion.Config, assertion.Deps{
		Cache: b.caches.assertions, Revision: next.provenBy(), Now: b.now, NewID: newDecisionID,
	})
}

// introspection opens the server that tells of opaque tokens, or keeps last's.
func (b *builder) introspection(c *config.Config, last *built) (*introspect.Server, error) {
	wanted := c.Authentication.Introspection
	if wanted == nil {
		return nil, nil
	}
	if last != nil && last.server != nil && reflect.DeepEqual(last.config.Authentication.Introspection.Server, wanted.Server) {
		return last.server, nil
	}
	return introspect.Open(wanted.Server, introspect.Deps{Logger: b.logger, Now: b.now})
}

// compile makes the policy; what did not change of last's is used again.
func (b *builder) compile(ctx context.Context, c *config.Config, last *built) (*policy.Snapshot, *bundles.Chosen, error) {
	o := b.policyOptions(c.Policy)
	o.Named = func(entrypoint string) (file string, line int) {
		if line = c.Policy.Named[entrypoint]; line > 0 {
			file = c.Files[0]
		}
		return file, line
	}
	if last != nil {
		o.Last = last.source
	}
	return b.choose(ctx, c.Policy, func(all []*policy.Bundle) (*policy.Snapshot, error) {
		o.Bundles = all
		s, err := policy.Compile(ctx, o)
		return s, blame(c, err)
	})
}

// dataFiles are the further files of data that a configuration names.
func dataFiles(c config.Policy) []policy.DataFiles {
	all := make([]policy.DataFiles, len(c.Data))
	for i, data := range c.Data {
		all[i] = policy.DataFiles(data)
	}
	return all
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
	if other == nil || other.server != n.server {
		n.server.Close()
	}
	if other == nil || other.journal != n.journal {
		n.journal.Close()
	}
}

// issuerNames are the issuers that consumers' credentials may name.
func issuerNames(c *config.Config) []string {
	names := []string{} // none configured is not the same as any allowed
	for _, issuer := range c.Authentication.JWT.Issuers {
		names = append(names, issuer.Name)
	}
	if server := c.Authentication.Introspection; server != nil {
		names = append(names, server.Server.Name)
	}
	return names
}

// provenBy names all that a proof depends on. Policy is no part of it: a new
// policy leaves what was proven as it is.
func (n *built) provenBy() string { return revisionOf(n.config.Revision, n.consumers.Revision()) }

// revisionOf names its parts together, in 128 bits: proofs are remembered under
// it, so that two must not share one by chance or by design.
func revisionOf(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
