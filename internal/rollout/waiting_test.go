package rollout_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/rollout"
)

// crowded opens revisions on a folder that has no room, until it is made.
func crowded(t *testing.T, l *log, failures *atomic.Int64) (r *rollout.Revisions, makeRoom func()) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "revisions", "a file where a folder must be")
	c := &clock{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	r, err := rollout.OpenRevisions(rollout.RevisionsOptions{
		Directory: dir, Keep: 20, Logger: l.logger(), Now: c.Now, Retry: time.Millisecond, Failed: func() { failures.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, func() {
		if err := os.Remove(filepath.Join(dir, "revisions")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTriesAgain: what could not be written is known as what was in force, told of
// once, and kept when there is room.
func TestTriesAgain(t *testing.T) {
	l, failures := &log{}, &atomic.Int64{}
	r, makeRoom := crowded(t, l, failures)
	defer r.Close()
	a, b := numbered(t, 1), numbered(t, 2)
	r.Note(a, "files", "")
	until(t, "that is told", func() bool { return strings.Contains(l.String(), "could not be kept") })
	r.Note(a, "files", "") // a reload of something else
	r.Note(b, "files", "")
	until(t, "both are counted", func() bool { return failures.Load() == 3 }) // with that of the start
	if before, ok := r.Before(b.Rules()); !ok || before.Revision != a.Rules() || len(r.List()) != 0 {
		t.Errorf("before it was %+v", before)
	}
	makeRoom()
	until(t, "both are kept", func() bool { return len(r.List()) == 2 })
	if got := names(r); got[0] != b.Rules() || got[1] != a.Rules() {
		t.Errorf("kept %v", got)
	}
	until(t, "that is told, too", func() bool { return strings.Count(l.String(), "is kept now") == 2 })
	if failures.Load() != 3 {
		t.Errorf("%d failures", failures.Load())
	}
}

// TestGivesUp: only so many wait; the others are told of, and not forgotten as
// what was in force.
func TestGivesUp(t *testing.T) {
	l, failures := &log{}, &atomic.Int64{}
	r, makeRoom := crowded(t, l, failures)
	defer r.Close()
	var all []*policy.Snapshot
	for i := range 6 {
		all = append(all, numbered(t, i))
		r.Note(all[i], "files", "")
	}
	if n := strings.Count(l.String(), "was given up"); n != 2 {
		t.Errorf("%d were given up:\n%s", n, l)
	}
	for _, from := range []int{5, 4, 3, 2} {
		r.Leave(all[from].Rules())
	}
	if before, ok := r.Before(all[2].Rules()); !ok || before.Revision != all[1].Rules() {
		t.Errorf("before it was %+v", before)
	}
	makeRoom()
	until(t, "those that waited are kept", func() bool { return len(r.List()) == 4 })
	if got := names(r); got[0] != all[5].Rules() || got[3] != all[2].Rules() {
		t.Errorf("kept %v", got)
	}
}
