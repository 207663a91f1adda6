package serve

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/rollout"
	"github.com/postern-authz/postern/policies"
)

// rollouts bring policies into force with care: a candidate beside the one in
// force, and the revisions that are kept. A nil rollouts, that of a command, has
// neither.
type rollouts struct {
	shadow *rollout.Shadow
	// revisions is nil where there is no policy.state_directory, which is that of
	// the start.
	revisions *rollout.Revisions
	failures  atomic.Int64
	// beside is what the candidate was made beside.
	beside atomic.Pointer[beside]
	// poke has the candidate compiled anew.
	poke   chan os.Signal
	logger *slog.Logger
}

// openRollouts opens those of a process that serves.
func openRollouts(c config.Policy, meter rollout.Meter, logger *slog.Logger) (*rollouts, error) {
	r := &rollouts{poke: make(chan os.Signal, 1), logger: logger}
	r.shadow = rollout.NewShadow(rollout.ShadowOptions{Meter: meter, Logger: logger, Now: time.Now})
	if c.StateDirectory == "" {
		return r, nil
	}
	var err error
	r.revisions, err = rollout.OpenRevisions(rollout.RevisionsOptions{
		Directory: c.StateDirectory, Keep: c.KeepRevisions, Failed: func() { r.failures.Add(1) }, Logger: logger, Now: time.Now,
	})
	return r, err
}

// openRollouts gives a builder those of this process.
func (s *server) openRollouts(b *builder) error {
	meter, err := s.telemetry.NewShadowMeter()
	if err != nil {
		return err
	}
	if b.rollouts, err = openRollouts(s.config.Policy, meter, s.logger); err != nil {
		b.rollouts.close()
	}
	return err
}

func (r *rollouts) close() {
	if r != nil {
		r.shadow.Close()
		r.revisions.Close()
	}
}

// kept are the revisions of a configuration; nil: none are kept. A command looks
// at them without writing.
func (b *builder) kept(c config.Policy) (*rollout.Revisions, error) {
	if b.rollouts != nil || c.StateDirectory == "" || b.unpinned {
		if b.rollouts == nil {
			return nil, nil
		}
		return b.rollouts.revisions, nil
	}
	return rollout.LookRevisions(rollout.RevisionsOptions{Directory: c.StateDirectory, Keep: c.KeepRevisions, Logger: b.logger, Now: b.now})
}

// obeyPin puts a revision that was promoted or rolled back to in the place of
// what the files hold, for as long as they hold what they held then. It is
// called with the files' policy as next's.
func (b *builder) obeyPin(ctx context.Context, next, last *built) error {
	if next.pin != nil {
		return nil // its revision stands in for files that can't be used
	}
	next.source = next.policy
	kept, err := b.kept(next.config.Policy)
	if err != nil {
		return err
	}
	pin := kept.Pin()
	switch {
	case pin == nil:
		return nil
	case !pin.Holds(next.source.Rules()):
		next.released = pin
		return nil
	}
	pinned, err := b.compileKept(ctx, next.config.Policy, next.source.Bundles(), kept, pin.Revision, last)
	if err != nil {
		return fmt.Errorf("policy: what was promoted by %s can't be used (remove pin.json in policy.state_directory, and the policy's own files count): %w", pin.By, err)
	}
	next.policy, next.pin = pinned, pin
	return nil
}

// compileKept makes a policy of its archive, over the further data of now, that
// of bundles too: what was taken from somebody since then stays taken.
func (b *builder) compileKept(ctx context.Context, c config.Policy, all []*policy.Bundle, kept *rollout.Revisions, revision string, last *built) (*policy.Snapshot, error) {
	archive, err := archiveOf(kept, revision, last)
	if err != nil {
		return nil, err
	}
	o := b.policyOptions(c)
	o.Directory, o.Embedded = "", nil
	o.Bundles, o.Revision = []*policy.Bundle{archive}, revision
	for _, other := range all {
		if other.Further() {
			o.Bundles = append(o.Bundles, other)
		}
	}
	if last != nil && last.pin != nil {
		o.Last = last.policy
	}
	compiled, err := policy.Compile(ctx, o)
	if err != nil {
		return nil, err
	}
	return compiled, whole(compiled, kept.Further(revision))
}

// archiveOf is the archive of a revision. One that is in force already is not
// read again: it may hold a lot of data.
func archiveOf(kept *rollout.Revisions, revision string, last *built) (*policy.Bundle, error) {
	if last != nil && last.pin != nil && last.pin.Revision == revision {
		return last.policy.Bundles()[0], nil
	}
	return kept.Read(revision)
}

// policyOptions are those of a configuration, without bundles.
func (b *builder) policyOptions(c config.Policy) policy.Options {
	return policy.Options{
		Directory:       c.Directory,
		Embedded:        policies.FS,
		Data:            dataFiles(c),
		Entrypoints:     c.Entrypoints,
		Timeout:         c.Timeout,
		AllowedBuiltins: c.AllowedBuiltins,
		Memory:          b.caches.decisions,
		Descriptors:     c.Descriptors,
		Compilations:    &b.compilations,
		Now:             b.now,
	}
}

// shadowed hands decisions to the candidate.
func (b *builder) shadowed(next *built, p gate.Policy) gate.Policy {
	if b.rollouts == nil {
		return p
	}
	return b.rollouts.shadow.Policy(p, next.policy.Rules())
}

// cameIntoForce keeps the policy that is in force now, lets go of a pin that
// holds no longer, and has the candidate compared with it.
func (r *rollouts) cameIntoForce(next *built) {
	if r == nil {
		return
	}
	if r.revisions != nil {
		r.note(next)
	}
	select {
	case r.poke <- syscall.SIGHUP:
	default: // it is due already
	}
}

func (r *rollouts) note(next *built) {
	if pin := next.pin; pin != nil {
		r.revisions.Note(next.policy, pin.Origin, pin.By)
		return
	}
	r.revisions.Note(next.policy, rollout.OfFiles, next.by)
	pin := next.released
	if pin == nil {
		return
	}
	if err := r.revisions.Release(); err != nil {
		r.failures.Add(1)
		r.logger.Error("the pin of a policy could not be removed: it holds again if the files become what they were", "error", err.Error())
	}
	if pin.Revision != next.policy.Rules() {
		r.logger.Warn("the policy's files have changed, and count again: what was promoted or rolled back to is no longer in force",
			"policy", next.policy.Rules(), "was", pin.Revision, "by", pin.By)
	}
}
