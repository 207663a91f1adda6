package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/internal/gate"
)

// CheckOptions say which request to judge by which configuration.
type CheckOptions struct {
	ConfigPath string
	Env        func(string) (string, bool)
	Request    *access.Request
}

// plain decorates nothing: a single check is not measured.
type plain struct{}

func (plain) Authenticator(a gate.Authenticator) gate.Authenticator  { return a }
func (plain) Policy(p gate.Policy) gate.Policy                       { return p }
func (plain) Record(*access.Request, *access.Verdict, time.Duration) {}

// Check judges one request as Run would, by the same rules and without a cache,
// and tells the steps to the verdict. An error is about the configuration: what
// goes wrong with the request is a verdict.
func Check(ctx context.Context, o CheckOptions) (*access.Verdict, *access.Explanation, error) {
	c, err := config.Load(o.ConfigPath, o.Env)
	if err != nil {
		return nil, nil, err
	}
	store, err := lookInto(ctx, c.Consumers.Store)
	if err != nil {
		return nil, nil, err
	}
	defer store.close(quiet())
	next, err := buildOnce(ctx, c, store, o.Env)
	if err != nil {
		return nil, nil, err
	}
	defer next.closeUnless(nil)
	awaitKeys(ctx, next)
	g := gate.New(plain{}, time.Now, newDecisionID)
	g.Swap(next.rules)
	req := *o.Request
	req.Explain = &access.Explanation{}
	for _, issuer := range next.issuerReports() {
		req.Explain.Note("issuer", issuer.String())
	}
	verdict := g.Check(ctx, &req)
	return &verdict, req.Explain, nil
}

// Validate builds everything that Run would, short of listening and fetching
// keys. Its error names every problem that was found; what is only unwise it
// writes to Stderr.
func Validate(ctx context.Context, o Options) error {
	c, err := config.Load(o.ConfigPath, o.Env)
	if err != nil {
		return err
	}
	next, err := buildOnce(ctx, c, nil, o.Env)
	if err != nil {
		return err
	}
	next.closeUnless(nil)
	if o.Stderr != nil {
		for _, warning := range unwise(c.Policy) {
			_, _ = fmt.Fprintln(o.Stderr, "warning: "+warning) // nothing else depends on it
		}
	}
	return nil
}

// unwise is what a process begins with all the same.
func unwise(p config.Policy) (warnings []string) {
	if p.DryRun {
		warnings = append(warnings, "policy.dry_run lets through what policy denies")
	}
	if p.Shadow == nil {
		return warnings
	}
	if info, err := os.Stat(p.Shadow.Directory); err != nil || !info.IsDir() {
		warnings = append(warnings, "policy.shadow.directory: there is no folder "+p.Shadow.Directory+": no candidate is asked until there is")
	}
	return warnings
}

// lookInto opens a store to look into it, beside the process that serves from
// it. One that was not made yet is not made here: nobody is in it.
func lookInto(ctx context.Context, c *config.Store) (*ledger, error) {
	if c == nil {
		return nil, nil
	}
	if c.Driver == sqlstore.SQLite {
		if _, err := os.Stat(string(c.DSN.Reveal())); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	store, err := OpenStore(ctx, c, true, quiet())
	if err != nil {
		return nil, err
	}
	return &ledger{store: store}, nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func buildOnce(ctx context.Context, c *config.Config, store *ledger, env func(string) (string, bool)) (*built, error) {
	off, err := openCaches(config.Cache{}, time.Now)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(c, env, off, plain{}, quiet())
	if err != nil {
		return nil, err
	}
	b.ledger = store
	return b.build(ctx, c, nil)
}

// awaitKeys gives the issuers a moment to fetch their keys. Without them the
// verdict says so.
func awaitKeys(ctx context.Context, next *built) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for next.issuers.Ready() != nil && ctx.Err() == nil {
		pause(ctx, 20*time.Millisecond)
	}
}
