package serve

import (
	"context"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/rollout"
)

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
