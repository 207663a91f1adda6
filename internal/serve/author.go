package serve

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// RulesOptions say whose rules to build for an author of policies.
type RulesOptions struct {
	ConfigPath string
	Env        func(string) (string, bool)
	// Directory holds the policy in place of the configuration's own; empty:
	// that one.
	Directory string
	// Timeout bounds an evaluation in place of the configuration's own; 0: that
	// one.
	Timeout time.Duration
}

// OpenRules are a configuration's rules, opened to be asked without a listener.
type OpenRules struct {
	Config *config.Config
	Gate   gate.Config
	Policy *policy.Snapshot
	built  *built
	store  *ledger
}

// NewOpenRules builds the rules that Run would serve, without a cache. They are
// closed by Close.
func NewOpenRules(ctx context.Context, o RulesOptions) (*OpenRules, error) {
	c, err := config.Load(o.ConfigPath, o.Env)
	if err != nil {
		return nil, err
	}
	if o.Directory != "" {
		c.Policy.Directory = o.Directory
	}
	if o.Timeout != 0 {
		c.Policy.Timeout = o.Timeout
	}
	store, err := lookInto(ctx, c.Consumers.Store)
	if err != nil {
		return nil, err
	}
	r, err := openRules(ctx, c, store, o)
	if err != nil {
		store.close(quiet())
		return nil, err
	}
	return r, nil
}

func openRules(ctx context.Context, c *config.Config, store *ledger, o RulesOptions) (*OpenRules, error) {
	off, err := openCaches(config.Cache{}, time.Now)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(c, o.Env, off, plain{}, quiet())
	if err != nil {
		return nil, err
	}
	b.ledger, b.unpinned = store, o.Directory != ""
	next, err := b.build(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	g := b.gateConfig(next)
	g.DryRun = false // an author asks what policy says
	kinds := b.kinds(next)
	if g.Authenticators, err = b.authenticators(next, kinds); err != nil {
		next.closeUnless(nil)
		return nil, err
	}
	g.CredentialHeaders = credentialHeaders(kinds)
	return &OpenRules{c, g, next.policy, next, store}, nil
}

// AwaitKeys gives the issuers a moment to fetch their keys.
func (r *OpenRules) AwaitKeys(ctx context.Context) { awaitKeys(ctx, r.built) }

// Close ends what was opened.
func (r *OpenRules) Close() {
	r.built.closeUnless(nil)
	r.store.close(quiet())
}
