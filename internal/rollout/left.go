package rollout

import (
	"slices"
	"time"
)

// Leave notes that a revision was rolled back from: a rollback to the one before
// passes it by, until it comes into force again. What can't be written holds for
// this process alone, and is told of.
func (r *Revisions) Leave(revision string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left[revision] = r.options.Now()
	for i := range r.all {
		if r.all[i].Revision != revision {
			continue
		}
		r.all[i].RolledBackAt = r.left[revision]
		if err := r.writeEntry(r.all[i]); err != nil {
			r.failed("it could not be kept which policy revision was rolled back from", err)
		}
	}
}

// Left reports whether a kept revision was rolled back from since it came into
// force last.
func (r *Revisions) Left(revision string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, _ := r.find(revision)
	return !kept.RolledBackAt.IsZero()
}

// leftAt is when a revision that comes into force at a time was rolled back from
// since: it may be written later than it is left. The caller holds mu.
func (r *Revisions) leftAt(revision string, inForceAt time.Time) time.Time {
	at := r.left[revision]
	if !at.After(inForceAt) {
		delete(r.left, revision)
		return time.Time{}
	}
	return at
}

// Before is the revision to go back to from another one: what was in force before
// it, but for those that were rolled back from. It need not be kept: it may be
// that it could not be written.
func (r *Revisions) Before(revision string) (Revision, bool) {
	for _, one := range r.withWaiting() {
		if one.Revision != revision && !one.InForceAt.IsZero() && one.RolledBackAt.IsZero() {
			return one, true
		}
	}
	return Revision{}, false
}

// withWaiting are the revisions that are kept and those that wait to be, newest
// first.
func (r *Revisions) withWaiting() []Revision {
	noted := r.waiting.list()
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.all)
	for _, n := range noted {
		one := Revision{Revision: n.revision, InForceAt: n.at}
		if at := r.left[n.revision]; at.After(n.at) {
			one.RolledBackAt = at
		}
		switch i := slices.IndexFunc(all, func(kept Revision) bool { return kept.Revision == n.revision }); {
		case i < 0:
			all = append(all, one)
		case n.at.After(all[i].InForceAt) && r.all[0].Revision != n.revision:
			all[i].InForceAt, all[i].RolledBackAt = one.InForceAt, one.RolledBackAt
		}
	}
	sortRevisions(all)
	return all
}
