package rollout_test

import (
	"testing"

	"github.com/postern-authz/postern/internal/rollout"
)

// TestLeave: what was rolled back from is passed by, also after a restart and when
// it is written only then, until it comes into force again.
func TestLeave(t *testing.T) {
	dir, l := t.TempDir(), &log{}
	r := open(t, dir, 5, l)
	a, b, c := numbered(t, 1), numbered(t, 2), numbered(t, 3)
	r.Note(a, "files", "")
	until(t, "it is kept", func() bool { return len(r.List()) == 1 })
	r.Note(b, "files", "")
	r.Note(c, "files", "") // it may wait to be written yet
	r.Leave(c.Rules())
	r.Note(b, rollout.Kept, "ops")
	r.Close()

	r = open(t, dir, 5, l)
	defer func() { r.Close() }()
	if !r.Left(c.Rules()) || r.Left(b.Rules()) || names(r)[0] != b.Rules() {
		t.Fatalf("%+v", r.List())
	}
	if before, ok := r.Before(b.Rules()); !ok || before.Revision != a.Rules() {
		t.Errorf("before it was %+v", before)
	}
	r.Leave(b.Rules())
	r.Note(a, rollout.Kept, "ops")
	until(t, "it is in force", func() bool { return names(r)[0] == a.Rules() })
	if before, ok := r.Before(a.Rules()); ok {
		t.Errorf("before it was %+v", before)
	}
	r.Note(c, rollout.Kept, "ops")
	until(t, "it is in force again", func() bool { return !r.Left(c.Rules()) })
	if before, ok := r.Before(c.Rules()); !ok || before.Revision != a.Rules() {
		t.Errorf("before it was %+v", before)
	}
	if l.String() != "" {
		t.Errorf("logged: %s", l)
	}
}
