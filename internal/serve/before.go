package serve

import (
	"fmt"
	"slices"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/rollout"
)

// before is the revision that a rollback goes back to: from one that was promoted,
// that which was in force then; else the last but one. It goes nowhere else where
// that one is lost.
func (r *reloader) before(revisions *rollout.Revisions) (string, error) {
	was := ""
	if pin := r.current.pin; pin != nil && pin.Origin == rollout.OfShadow {
		was = pin.Was
	}
	if was == "" {
		before, found := revisions.Before(r.current.policy.Rules())
		if !found {
			return "", &admin.Conflict{Detail: "no revision was in force before this one, but for those that were rolled back from, as far as is known here; name one to put it in force"}
		}
		was = before.Revision
	}
	if !r.has(was, revisions) {
		return "", &admin.Conflict{Detail: fmt.Sprintf("the revision %s was in force before this one and is not kept, or not yet: nothing was changed; name one that is kept to put it in force", was)}
	}
	return was, nil
}

// has reports whether a revision can be put in force: it is kept, or the files'
// own.
func (r *reloader) has(revision string, revisions *rollout.Revisions) bool {
	return r.current.source != nil && revision == r.current.source.Rules() ||
		slices.ContainsFunc(revisions.List(), func(kept rollout.Revision) bool { return kept.Revision == revision })
}
