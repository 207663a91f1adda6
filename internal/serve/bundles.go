package serve

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/postern-authz/postern/internal/bundles"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/telemetry"
)

// BundleReport is the state of one bundle.
type BundleReport struct {
	Name     string `json:"name"`
	Revision string `json:"revision,omitempty"`
	// LastActivation is when it came into force, absent: it is not; LastSuccess,
	// when it was last certain that nothing newer is there.
	LastActivation time.Time `json:"last_activation,omitzero"`
	LastSuccess    time.Time `json:"last_success,omitzero"`
	// FromDisk says that it was kept by an earlier run, and its server has not
	// been reached since: it may be stale.
	FromDisk bool `json:"from_disk,omitempty"`
	// Error is why the newest is not known or not in force.
	Error string `json:"error,omitempty"`
}

// newKeeper makes what follows bundles, for as long as the process lives. The
// state directory is that of the start.
func newKeeper(c config.Policy, logger *slog.Logger, now func() time.Time) *bundles.Keeper {
	deps := bundles.Deps{Logger: logger, Now: now, Spread: rand.Float64}
	if c.StateDirectory != "" {
		deps.Directory = filepath.Join(c.StateDirectory, "bundles")
	}
	return bundles.NewKeeper(deps)
}

func bundleConfigs(c config.Policy) []bundles.Config {
	all := make([]bundles.Config, len(c.Bundles))
	for i, b := range c.Bundles {
		all[i] = bundles.Config{
			Name: b.Name, URL: b.URL, File: b.File, Token: b.Token, CAFile: b.CAFile, Every: b.Every, MaxSize: b.MaxSize,
			Verification: (*bundles.Verification)(b.Verification),
		}
	}
	return all
}

// awaitBundles is how long a command waits for bundles to be fetched.
const awaitBundles = 15 * time.Second

// choose compiles the newest contents of all bundles that can be compiled
// together. compile's last success is the one that counts.
func (b *builder) choose(ctx context.Context, c config.Policy, compile func([]*policy.Bundle) (*policy.Snapshot, error)) (*policy.Snapshot, *bundles.Chosen, error) {
	if b.keeper == nil { // a command, for which Close has none to end
		return b.chooseOnce(ctx, c, compile)
	}
	set, err := b.keeper.Want(bundleConfigs(c))
	if err != nil {
		return nil, nil, err
	}
	return chooseFrom(set, compile)
}

func (b *builder) chooseOnce(ctx context.Context, c config.Policy, compile func([]*policy.Bundle) (*policy.Snapshot, error)) (*policy.Snapshot, *bundles.Chosen, error) {
	keeper := newKeeper(c, b.logger, b.now)
	defer keeper.Close()
	set, err := keeper.Want(bundleConfigs(c))
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, awaitBundles)
	defer cancel()
	if err := set.Await(ctx); err != nil {
		return nil, nil, err
	}
	snapshot, _, err := chooseFrom(set, compile)
	return snapshot, nil, err
}

func chooseFrom(set *bundles.Set, compile func([]*policy.Bundle) (*policy.Snapshot, error)) (snapshot *policy.Snapshot, chosen *bundles.Chosen, err error) {
	chosen, err = set.Choose(func(all []*policy.Bundle) error {
		next, err := compile(all)
		if err == nil {
			snapshot = next
		}
		return err
	})
	if err != nil && set.Remote() {
		err = &awaitedError{err}
	}
	return snapshot, chosen, err
}

// awaitedError is why there is no policy yet though there may be one soon: its
// bundles come over the network, and so may better ones.
type awaitedError struct{ error }

func (e *awaitedError) Unwrap() error { return e.error }

// awaits reports whether a process may begin without rules, closed, until its
// bundles are there: nothing else is wrong.
func awaits(errs ...error) bool {
	awaited := false
	for _, err := range errs {
		var one *awaitedError
		switch {
		case errors.As(err, &one):
			awaited = true
		case err != nil:
			return false
		}
	}
	return awaited
}

// lack is why what was configured last is not in force, or not all of it; nil:
// it is.
func (n *built) lack() error {
	switch {
	case n.awaited != nil:
		return n.awaited
	case n.chosen != nil:
		return n.chosen.Refused
	}
	return nil
}

// policyFiles are what the policy was read from.
func (n *built) policyFiles() []string {
	if n.source == nil {
		return nil
	}
	return n.source.Files()
}

// tellLack shows what is not in force, in /readyz and, once, in the log.
func (r *reloader) tellLack(next *built) {
	lack := next.lack()
	if lack == nil {
		r.lacked = ""
		return
	}
	r.status.failed(lack, r.builder.now())
	text := lack.Error()
	if text == r.lacked {
		return
	}
	r.lacked = text
	if next.awaited != nil {
		r.logger.Warn("no policy is in force yet, every request is refused", "error", text)
	} else {
		r.logger.Error("the newest bundles are not in force, the last good ones stay", "error", text, "revision", next.revision)
	}
}

// followBundles reloads whenever a bundle has another content, until ctx ends.
func (r *reloader) followBundles(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.builder.keeper.Changed():
			r.reload(ctx) // what is wrong is told
		}
	}
}

func bundleReports(k *bundles.Keeper) []BundleReport {
	var all []BundleReport
	for _, r := range k.Reports() {
		all = append(all, BundleReport{
			Name: r.Name, Revision: r.Revision, LastActivation: r.LastActivation, LastSuccess: r.LastSuccess, FromDisk: r.FromDisk, Error: r.Error,
		})
	}
	return all
}

// observeBundles exports their state.
func (s *server) observeBundles() error {
	keeper := s.reloader.builder.keeper
	return s.telemetry.ObserveBundles(func() []telemetry.BundleState {
		var all []telemetry.BundleState
		for _, r := range keeper.Reports() {
			all = append(all, telemetry.BundleState{
				Name: r.Name, SucceededAt: r.LastSuccess, ActivatedAt: r.LastActivation, Good: r.Error == "" && !r.LastActivation.IsZero(),
				Activations: r.Activations, Failures: r.Failures,
			})
		}
		return all
	})
}
