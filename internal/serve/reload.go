package serve

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/assertion"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/gate"
)

// reloader keeps the gate's rules those of the newest good files. Configuration,
// consumers and policy become one revision together, or none of them does.
type reloader struct {
	path string
	// started is the configuration of the start, as the files had it.
	started  *config.Config
	builder  *builder
	gate     *gate.Gate
	status   *status
	reloaded func(part string, ok bool)
	logger   *slog.Logger

	// signer is the one in force, nil when no identity is signed.
	signer atomic.Pointer[assertion.Signer]
	// inForce is what was built last, for those who need not wait for a reload.
	inForce atomic.Pointer[built]
	// filesError is why the policy's files can't be used as they are now.
	filesError atomic.Pointer[error]
	// api takes its tokens anew; nil without one.
	api *admin.Server

	mu      sync.Mutex
	current *built
	// lacked is what was told last of bundles that are not in force.
	lacked string
}

// begin puts the first revision in force, or fails.
func (r *reloader) begin(ctx context.Context, c *config.Config) error {
	next, err := r.builder.build(ctx, c, nil)
	if err != nil {
		return err
	}
	r.put(next)
	r.tellForgetful(nil)
	return nil
}

// tellForgetful logs, once a policy, which entry points decide each request
// anew and why: it is a matter of speed that nothing else shows.
func (r *reloader) tellForgetful(last *built) {
	if r.current.policy == nil {
		return
	}
	if last != nil && last.policy != nil && last.policy.Revision() == r.current.policy.Revision() && reflect.DeepEqual(last.config.Policy, r.current.config.Policy) {
		return
	}
	reasons := r.current.policy.Forgetful()
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		r.logger.Info("decisions of an entry point are not remembered", "entrypoint", name, "why", reasons[name])
	}
}

// reload reads all files again and reports whether they are good. What is bad
// leaves the last good revision in force, and shows in /readyz, a metric and
// the log.
func (r *reloader) reload(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := r.read(ctx)
	if err == nil {
		r.noteFiles(next.lack())
	} else {
		r.noteFiles(err)
	}
	r.reloaded("rules", err == nil && next.lack() == nil)
	if err != nil {
		r.status.failed(err, r.builder.now())
		r.logger.Error("reload failed, the last good revision stays", "error", err.Error(), "revision", r.current.revision)
		return false
	}
	last := r.current
	r.put(next)
	last.closeUnless(next)
	if next.awaited != nil {
		return false
	}
	r.tellForgetful(last)
	if next.revision != last.revision {
		r.logger.Info("reloaded", "revision", next.revision, "was", last.revision, "consumers", next.consumers.Len())
	}
	if next.consumers.Len() == 0 && last.consumers.Len() > 0 {
		r.logger.Warn("no consumer is left: the patterns of consumers.files match nothing, or empty files")
	}
	r.takeTokens(next.config)
	if r.needsRestart(next.config) {
		r.logger.Warn("listen, consumers.store and keys, policy.state_directory and keep_revisions, cache, telemetry, the bounds of passwords or a higher clock_skew need a restart")
	}
	return true
}

func (r *reloader) read(ctx context.Context) (*built, error) {
	c, err := config.Load(r.path, r.builder.env)
	if err != nil {
		return nil, err
	}
	return r.builder.build(ctx, c, r.current)
}

func (r *reloader) put(next *built) {
	last := r.current
	r.current = next
	r.inForce.Store(next)
	r.signer.Store(next.signer) // its keys are there before anything is signed with them
	if next.awaited == nil {    // else the gate goes on without rules, closed
		r.gate.Swap(next.rules)
		r.status.loaded(next.revision, r.builder.now(), next)
		next.chosen.Activated()
		r.builder.rollouts.cameIntoForce(next)
	}
	r.tellUnread(next)
	r.tellLack(next)
	r.tellDryRun(next, last)
}

// takeTokens gives the admin API the tokens of a configuration that has some. One
// that has lost its last leaves those of before: the start's own is printed once.
func (r *reloader) takeTokens(c *config.Config) {
	if r.api == nil || len(c.Listen.AdminTokens) == 0 {
		return
	}
	if err := r.api.SetTokens(tokensOf(c)); err != nil {
		r.logger.Error("the admin API keeps its tokens", "error", err.Error())
	}
}

// needsRestart reports a change of what a reload leaves as it was at the start.
func (r *reloader) needsRestart(c *config.Config) bool {
	a, b := *r.started, *c
	if len(b.Listen.AdminTokens) > 0 && len(a.Listen.AdminTokens) > 0 {
		a.Listen.AdminTokens = b.Listen.AdminTokens // taken anew
	}
	return !reflect.DeepEqual(a.Listen, b.Listen) || !reflect.DeepEqual(a.Consumers.Store, b.Consumers.Store) || a.Consumers.Keys != b.Consumers.Keys || !reflect.DeepEqual(a.Cache, b.Cache) || !reflect.DeepEqual(a.Telemetry, b.Telemetry) ||
		a.Policy.StateDirectory != b.Policy.StateDirectory || a.Policy.KeepRevisions != b.Policy.KeepRevisions ||
		!reflect.DeepEqual(a.Authentication.Basic.Verifier, b.Authentication.Basic.Verifier) || skewOf(&b) > skewOf(&a)
}

// sources are what was read last: its changes lead to a reload.
func (r *reloader) sources() sources {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.current.config
	w := newWatched()
	for _, list := range [][]string{c.Files, r.current.consumers.Files(), r.current.policyFiles()} {
		for _, path := range list {
			w.file(path)
		}
	}
	for _, pattern := range c.Consumers.Files {
		w.pattern(pattern)
	}
	for _, data := range c.Policy.Data {
		w.pattern(data.Pattern)
	}
	if c.Policy.Directory != "" {
		w.tree(c.Policy.Directory)
	}
	return w.sources()
}

// watch reloads when files change and when told to, until ctx ends. Files that
// were bad are tried again, since the change that mends them may be missed. When
// told to, bundles are asked for too, however unchanged they look.
func (r *reloader) watch(ctx context.Context, told <-chan os.Signal) error {
	return watchFolders(ctx, r.logger, r.sources, told, retry, func(told bool) bool {
		if told {
			r.builder.keeper.Ask()
		}
		return r.reload(ctx)
	})
}

// retry is how soon files that were bad are read again without a sign of change.
const retry = 5 * time.Second

// close ends what the last revision holds.
func (r *reloader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		r.current.closeUnless(nil)
	}
	r.builder.keeper.Close()
}
