package serve

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer"
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

// candidacy is what keeps the candidate up to date.
func (s *server) candidacy() *candidacy {
	return &candidacy{rollouts: s.reloader.builder.rollouts, builder: s.reloader.builder, inForce: &s.reloader.inForce}
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

// with is what is in force, with another policy. Nothing is read from the disk.
func (b *builder) with(current *built, p *policy.Snapshot, pin *rollout.Pin) (*built, error) {
	next := *current
	next.policy, next.pin, next.released = p, pin, nil
	next.revision = revisionOf(next.config.Revision, next.consumers.Revision(), p.Revision())
	if err := b.finish(&next, current); err != nil {
		next.closeUnless(current)
		return nil, err
	}
	return &next, nil
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

// candidacy keeps the candidate that of the configuration in force and of its
// own files.
type candidacy struct {
	*rollouts
	builder *builder
	inForce *atomic.Pointer[built]
	last    *policy.Snapshot
	failure string
}

// load compiles the candidate and reports whether it is good. What is wrong with
// it shows in /readyz, a metric and the log, and changes nothing else.
func (c *candidacy) load(ctx context.Context) bool {
	current := c.inForce.Load()
	if current == nil || current.rules == nil || current.config.Policy.Shadow == nil {
		c.last, c.failure = nil, ""
		c.shadow.Fail(nil)
		return true
	}
	next, err := c.compile(ctx, current)
	if err != nil {
		c.refuse(err)
		return false
	}
	if c.last == nil || c.last.Rules() != next.Rules() || c.failure != "" {
		c.logger.Info("a candidate policy is asked beside the one in force", "candidate", next.Rules(), "policy", current.policy.Rules())
	}
	c.last, c.failure = next, ""
	c.beside.Store(besideOf(next, current))
	c.shadow.Set(next, current.config.Policy.Shadow.Sample, current.policy.Rules())
	return true
}

func (c *candidacy) refuse(err error) {
	if text := err.Error(); text != c.failure {
		c.failure = text
		c.logger.Error("the candidate policy can't be used and is not asked", "error", text)
	}
	c.shadow.Fail(err)
}

// compile makes the candidate as the policy in force is made, but of its own
// directory: with the same data files, and the same bundles where they stand
// beside a directory.
func (c *candidacy) compile(ctx context.Context, current *built) (*policy.Snapshot, error) {
	wanted := current.config.Policy
	o := c.builder.policyOptions(wanted)
	o.Directory, o.Memory, o.Last = wanted.Shadow.Directory, nil, c.last
	if wanted.Directory != "" && current.chosen != nil {
		o.Bundles = current.chosen.Bundles
	}
	return policy.Compile(ctx, o)
}

// sources are what the candidate was read from. A directory that is not there is
// waited for.
func (c *candidacy) sources() sources {
	current := c.inForce.Load()
	if current == nil || current.config.Policy.Shadow == nil {
		return sources{}
	}
	w, directory := newWatched(), current.config.Policy.Shadow.Directory
	if w.tree(directory); len(w.trees) == 0 {
		w.folder(existing(directory))
	}
	return w.sources()
}

// watch keeps the candidate up to date until ctx ends.
func (c *candidacy) watch(ctx context.Context) error {
	return watchFolders(ctx, c.logger, c.sources, c.poke, retry, func(bool) bool { return c.load(ctx) })
}

// Promote implements admin.Policies.
func (r *reloader) Promote(ctx context.Context, by consumer.Author, revision string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	revisions, err := r.keeps()
	if err != nil {
		return err
	}
	candidate := r.builder.rollouts.shadow.Candidate()
	switch {
	case candidate == nil:
		return &admin.Conflict{Detail: r.noCandidate()}
	case !r.builder.rollouts.beside.Load().holds(candidate, r.current):
		return &admin.Conflict{Detail: stillRead}
	case revision != "" && revision != candidate.Rules():
		return &admin.Conflict{Detail: fmt.Sprintf("the candidate is %s and not %.80q: nothing was promoted", candidate.Rules(), revision)}
	case candidate.Rules() == r.current.policy.Rules():
		return nil
	}
	if err := revisions.Keep(candidate, rollout.OfShadow, by.Name); err != nil {
		return r.unwritten(err)
	}
	return r.enforce(ctx, by, "promote", rollout.OfShadow, candidate.Rules())
}

// Rollback implements admin.Policies.
func (r *reloader) Rollback(ctx context.Context, by consumer.Author, revision string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	revisions, err := r.keeps()
	if err != nil {
		return err
	}
	if revision == "" {
		if revision, err = r.before(revisions); err != nil {
			return err
		}
	}
	switch {
	case revision == r.current.policy.Rules():
		return nil
	case !r.has(revision, revisions):
		return &consumer.Outcome{Kind: "policy revision", Name: revision, Err: consumer.ErrNotFound}
	}
	was, forward := r.current.policy.Rules(), revisions.Left(revision)
	if err := r.enforce(ctx, by, "rollback", rollout.Kept, revision); err != nil {
		return err
	}
	if !forward { // who goes back to what was left has nothing against what is left now
		revisions.Leave(was)
	}
	return nil
}

func (r *reloader) keeps() (*rollout.Revisions, error) {
	switch {
	case r.builder.rollouts == nil || r.builder.rollouts.revisions == nil:
		return nil, &admin.Conflict{Detail: "policy.state_directory is not configured, so that a restart would undo it: nothing was changed"}
	case r.current.rules == nil:
		return nil, &admin.Conflict{Detail: "no policy is in force yet"}
	}
	return r.builder.rollouts.revisions, nil
}

// stillRead is for a candidate of which there is none yet, or not that of now.
const stillRead = "the candidate is still being read"

func (r *reloader) noCandidate() string {
	if report := r.builder.rollouts.shadow.Report(); report.Error != "" {
		return "the candidate can't be used: " + report.Error
	}
	if r.current.config.Policy.Shadow == nil {
		return "there is no candidate: policy.shadow is not configured"
	}
	return stillRead
}

// unwritten is for what could not be made safe, so that nothing was changed.
func (r *reloader) unwritten(err error) error {
	r.builder.rollouts.failures.Add(1)
	r.logger.Error("a policy could not be promoted or rolled back to, since that could not be written", "error", err.Error())
	return &admin.Unwritten{Detail: "policy.state_directory can't be written, so that a restart would undo it: nothing was changed; the log says why"}
}

// enforce puts a kept revision in force: first on the disk, so that a restart
// obeys it, and then here. The revision of the files themselves needs no pin. The
// caller holds mu.
func (r *reloader) enforce(ctx context.Context, by consumer.Author, action, origin, revision string) error {
	ctx = context.WithoutCancel(ctx) // who hangs up leaves nothing half done
	last, revisions := r.current, r.builder.rollouts.revisions
	pin := &rollout.Pin{Revision: revision, Over: last.filesRevision(), Was: last.policy.Rules(), Origin: origin, By: by.Name, At: r.builder.now()}
	wanted := last.source
	if wanted != nil && pin.Over == revision {
		pin = nil
	} else {
		var err error
		if wanted, err = r.builder.compileKept(ctx, last.config.Policy, last.bundles(), revisions, revision, last); err != nil {
			return &admin.Conflict{Detail: "the revision can't be used: " + err.Error()}
		}
	}
	next, err := r.builder.with(last, wanted, pin)
	if err != nil {
		return err
	}
	next.by = by.Name
	if err := r.writePin(pin); err != nil {
		next.closeUnless(last)
		return r.unwritten(err)
	}
	r.put(next)
	last.closeUnless(next)
	r.tellForgetful(last)
	r.logger.Warn("policy: "+action, "by", by.Name, "address", by.Address, "policy", revision, "was", last.policy.Rules(), "revision", next.revision)
	r.audit(ctx, by, action, last.policy.Rules(), revision)
	return nil
}

func (r *reloader) writePin(pin *rollout.Pin) error {
	if pin == nil {
		return r.builder.rollouts.revisions.Release()
	}
	return r.builder.rollouts.revisions.SetPin(*pin)
}

// auditWithin bounds how long a store that is away holds up what is done already.
const auditWithin = 5 * time.Second

// audit writes the change into the store's audit chain, where there is a store,
// also when the caller has hung up meanwhile. One that is away is not waited for:
// the log has it.
func (r *reloader) audit(ctx context.Context, by consumer.Author, action, was, revision string) {
	if r.builder.ledger == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditWithin)
	defer cancel()
	_, err := r.builder.ledger.store.Change(ctx, by, func(w consumer.Writer) error {
		return w.Note(ctx, &consumer.AuditRecord{
			Action: action, Kind: "policy", Target: revision,
			Before: fmt.Sprintf(`{"revision":%q}`, was), After: fmt.Sprintf(`{"revision":%q}`, revision),
		})
	})
	if err != nil {
		r.logger.Error("a change of the policy in force is not in the audit chain", "action", action, "by", by.Name, "policy", revision, "error", err.Error())
	}
}
