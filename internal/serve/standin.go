package serve

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-authz/postern/internal/policy"
)

// standIn puts the pinned revision in force where a start finds files of the
// policy that can't be used. Whether they still are what the pin is over can't be
// told: the files that count can't be read, and what somebody put in force on
// purpose is better than nothing. Its error is why there is no such revision.
func (b *builder) standIn(ctx context.Context, next *built, why error) error {
	if b.rollouts == nil {
		return why // a command tells of files
	}
	pin := b.rollouts.revisions.Pin()
	if pin == nil {
		return why
	}
	kept := b.rollouts.revisions
	pinned, _, err := b.choose(ctx, next.config.Policy, func(all []*policy.Bundle) (*policy.Snapshot, error) {
		return b.compileKept(ctx, next.config.Policy, all, kept, pin.Revision, nil)
	})
	if err != nil {
		return errors.Join(why, fmt.Errorf("policy: nor can what was promoted by %s be used: %w", pin.By, err))
	}
	next.policy, next.pin, next.unread = pinned, pin, why
	return nil
}

// filesRevision is what the policy's own files and bundles hold, or held when they
// could be used.
func (n *built) filesRevision() string {
	if n.source == nil {
		return n.pin.Over
	}
	return n.source.Rules()
}

// bundles are those that what is in force was made of or stands over.
func (n *built) bundles() []*policy.Bundle {
	if n.source == nil {
		return n.policy.Bundles()
	}
	return n.source.Bundles()
}

// tellUnread shows that the policy's files can't be used.
func (r *reloader) tellUnread(next *built) {
	if next.unread == nil {
		return
	}
	r.status.failed(next.unread, r.builder.now())
	r.filesError.Store(&next.unread)
	r.logger.Error("the policy's files can't be used: what was promoted or rolled back to is in force",
		"error", next.unread.Error(), "policy", next.pin.Revision, "by", next.pin.By)
}

// noteFiles notes what a reload found of the policy's files.
func (r *reloader) noteFiles(err error) {
	var wrong *policy.Error
	if errors.As(err, &wrong) {
		r.filesError.Store(&err)
		return
	}
	if err == nil {
		r.filesError.Store(nil)
	}
}

// filesFailure is why the policy's files can't be used as they are now; empty:
// they can.
func (r *reloader) filesFailure() string {
	if err := r.filesError.Load(); err != nil {
		return (*err).Error()
	}
	return ""
}
