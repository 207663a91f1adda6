package serve

import (
	"context"
	"log/slog"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
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
	next, err := buildOnce(ctx, o.ConfigPath, o.Env)
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
// keys. Its error names every problem that was found.
func Validate(ctx context.Context, o Options) error {
	next, err := buildOnce(ctx, o.ConfigPath, o.Env)
	if err != nil {
		return err
	}
	next.closeUnless(nil)
	return nil
}

func buildOnce(ctx context.Context, path string, env func(string) (string, bool)) (*built, error) {
	c, err := config.Load(path, env)
	if err != nil {
		return nil, err
	}
	off, err := openCaches(config.Cache{}, time.Now)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(c, env, off, plain{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
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
