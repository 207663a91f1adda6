package rollout_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/rollout"
)

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// clock moves by a minute each time it is read.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Minute)
	return c.at
}

func open(t testing.TB, dir string, keep int, l *log) *rollout.Revisions {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	if all, _ := os.ReadDir(filepath.Join(dir, "revisions")); len(all) > 0 {
		c.at = c.at.Add(24 * time.Hour)
	}
	r, err := rollout.OpenRevisions(rollout.RevisionsOptions{Directory: dir, Keep: keep, Logger: l.logger(), Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// numbered is a policy that differs from others by its number.
func numbered(t testing.TB, n int) *policy.Snapshot {
	return rules(t, fmt.Sprintf("default allow := false\n\nallow if input.route.name == \"order-%d\"", n))
}

func names(r *rollout.Revisions) (all []string) {
	for _, kept := range r.List() {
		all = append(all, kept.Revision)
	}
	return all
}

// TestKeeps: the last revisions are there after a restart, and decide as they
// did.
func TestKeeps(t *testing.T) {
	dir, l := t.TempDir(), &log{}
	r := open(t, dir, 3, l)
	var made []*policy.Snapshot
	for i := range 5 {
		made = append(made, numbered(t, i))
		r.Note(made[i], "files", "")
		until(t, "it is kept", func() bool { return len(names(r)) > 0 && names(r)[0] == made[i].Revision() })
	}
	r.Close()
	r = open(t, dir, 3, l)
	defer r.Close()
	want := []string{made[4].Revision(), made[3].Revision(), made[2].Revision()}
	if got := names(r); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("kept %v, want %v", got, want)
	}
	if before, ok := r.Before(want[0]); !ok || before.Revision != want[1] || before.Origin != "files" {
		t.Errorf("before it was %+v", before)
	}
	archives, _ := filepath.Glob(filepath.Join(dir, "revisions", "*"))
	if len(archives) != 6 {
		t.Errorf("files: %v", archives)
	}
	for i, revision := range want {
		again := again(t, r, revision)
		q := question("/")
		q.Route = fmt.Sprint("order-", 4-i)
		if d, err := again.Decide(t.Context(), q); err != nil || !d.Allowed || again.Revision() != revision {
			t.Errorf("%s decides %+v, %v", revision, d, err)
		}
	}
	if _, err := r.Read(made[0].Revision()); !errors.Is(err, rollout.ErrUnknown) {
		t.Errorf("an old one: %v", err)
	}
	if _, err := r.Read("../../pin"); !errors.Is(err, rollout.ErrUnknown) {
		t.Errorf("a path: %v", err)
	}
	if l.String() != "" {
		t.Errorf("logged: %s", l)
	}
}

func again(t *testing.T, r *rollout.Revisions, revision string) *policy.Snapshot {
	t.Helper()
	b, err := r.Read(revision)
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, policy.Options{Bundles: []*policy.Bundle{b}, Revision: revision})
}

// TestKeepsOrder: what comes into force again is the newest, and who restarts
// moves nothing.
func TestKeepsOrder(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 5, &log{})
	a, b, c := numbered(t, 1), numbered(t, 2), numbered(t, 3)
	note := func(p *policy.Snapshot, origin, by string) {
		before := fmt.Sprint(r.List())
		r.Note(p, origin, by)
		until(t, "it is noted", func() bool { return fmt.Sprint(r.List()) != before })
	}
	note(a, "files", "")
	note(b, "files", "")
	note(a, "kept", "ada")
	if got := r.List(); got[0].Revision != a.Revision() || got[0].By != "ada" || got[1].Revision != b.Revision() {
		t.Errorf("%+v", got)
	}
	if err := r.Keep(c, "shadow", "ada"); err != nil {
		t.Fatal(err)
	}
	if before, _ := r.Before(a.Revision()); before.Revision != b.Revision() {
		t.Errorf("before it was %s, which never was in force", before.Revision)
	}
	before := fmt.Sprint(r.List())
	r.Close()
	if r = open(t, dir, 5, &log{}); fmt.Sprint(r.List()) != before {
		t.Errorf("a restart makes %v of %s", r.List(), before)
	}
	r.Close()
}

// TestPin: it is there after a restart, is kept when others are forgotten, and
// goes when it is released.
func TestPin(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 2, &log{})
	a, b := numbered(t, 1), numbered(t, 2)
	pin := rollout.Pin{Revision: b.Revision(), Over: a.Revision(), By: "ada", At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	if err := r.SetPin(pin); !errors.Is(err, rollout.ErrUnknown) || r.Pin() != nil {
		t.Errorf("what is not kept was pinned: %v", err)
	}
	if err := errors.Join(r.Keep(b, "shadow", "ada"), r.SetPin(pin)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r = open(t, dir, 2, &log{})
	if got := r.Pin(); got == nil || *got != pin || !got.Holds(a.Revision()) || got.Holds(b.Revision()) || got.Holds("other") {
		t.Errorf("pinned %+v", got)
	}
	for i := range 5 {
		if err := r.Keep(numbered(t, 10+i), "files", ""); err != nil {
			t.Fatal(err)
		}
	}
	if again(t, r, b.Revision()).Revision() != b.Revision() {
		t.Error("the pinned one is gone")
	}
	if err := errors.Join(r.Release(), r.Release()); err != nil || r.Pin() != nil {
		t.Error(err)
	}
	r.Close()
	r = open(t, dir, 2, &log{})
	defer r.Close()
	if r.Pin() != nil {
		t.Error("a released pin is back")
	}
}

// TestBrokenPin: what was promoted is unknown, so nothing else may serve.
func TestBrokenPin(t *testing.T) {
	for _, text := range []string{"", "{}", `{"revision":"a"}`, `{"revision":"a","over":"b","by":"c","at":"yesterday"}`, `{"revision":"a","over":"b"}x`, `{"revision":"a","over":"b","extra":1}`, "null"} {
		dir := t.TempDir()
		write(t, dir, "pin.json", text)
		if _, err := rollout.OpenRevisions(rollout.RevisionsOptions{Directory: dir, Keep: 2, Logger: (&log{}).logger(), Now: time.Now}); err == nil || !strings.Contains(err.Error(), "pin.json") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestBrokenFiles: what others did to the folder is told of, and harms nothing
// else.
func TestBrokenFiles(t *testing.T) {
	dir, l := t.TempDir(), &log{}
	r := open(t, dir, 5, l)
	a, b := numbered(t, 1), numbered(t, 2)
	if err := errors.Join(r.Keep(a, "files", ""), r.Keep(b, "files", "")); err != nil {
		t.Fatal(err)
	}
	r.Close()
	folder := filepath.Join(dir, "revisions")
	archive := filepath.Join(folder, a.Revision()+".tar.gz")
	content, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, a.Revision()+".tar.gz", string(content[:len(content)-1]))
	write(t, folder, "0123456789abcdef.json", `{"revision":"another"}`)
	write(t, folder, "fedcba9876543210.json", `{"revision":`)
	write(t, folder, "half.tar.gz.1.tmp", "half")
	write(t, folder, "00000000.tar.gz", "without an entry")
	r = open(t, dir, 5, l)
	defer r.Close()
	if len(r.List()) != 2 {
		t.Errorf("%+v", r.List())
	}
	if _, err := r.Read(a.Revision()); err == nil || !strings.Contains(err.Error(), "not as it was written") {
		t.Errorf("a changed archive: %v", err)
	}
	again(t, r, b.Revision())
	for _, gone := range []string{"half.tar.gz.1.tmp", "00000000.tar.gz"} {
		if _, err := os.Lstat(filepath.Join(folder, gone)); err == nil {
			t.Errorf("%s is still there", gone)
		}
	}
	if n := strings.Count(l.String(), "left alone"); n != 2 {
		t.Errorf("%d are told of:\n%s", n, l)
	}
}

// TestNoRoom: a folder that can't be written is told of and counted, and what is
// kept stays as it was.
func TestNoRoom(t *testing.T) {
	dir, l, failures := t.TempDir(), &log{}, make(chan struct{}, 10)
	write(t, dir, "revisions", "a file where a folder must be")
	r, err := rollout.OpenRevisions(rollout.RevisionsOptions{Directory: dir, Keep: 2, Logger: l.logger(), Now: time.Now, Failed: func() { failures <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	<-failures // at the start
	a := numbered(t, 1)
	r.Note(a, "files", "")
	<-failures
	if err := r.Keep(a, "files", ""); err == nil {
		t.Error("it was kept nowhere")
	}
	r.Close()
	if !strings.Contains(l.String(), "could not be kept") {
		t.Errorf("logged: %s", l)
	}
}

// TestSecrets: policies may hold secrets, so that nobody else may read them.
func TestSecrets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	r := open(t, dir, 2, &log{})
	defer r.Close()
	a := numbered(t, 1)
	if err := errors.Join(r.Keep(a, "files", ""), r.SetPin(rollout.Pin{Revision: a.Revision(), Over: "b"})); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "revisions": 0o700, "pin.json": 0o600, "revisions/" + a.Revision() + ".tar.gz": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// FuzzPin: whatever stands in the file, it is a whole pin or an error.
func FuzzPin(f *testing.F) {
	f.Add([]byte(`{"revision":"a","over":"b","by":"ada","at":"2026-11-24T12:00:00Z"}`))
	f.Add([]byte(`{"revision":"a"}`))
	f.Add(bytes.Repeat([]byte(" "), 70_000))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		write(t, dir, "pin.json", string(text))
		r, err := rollout.LookRevisions(rollout.RevisionsOptions{Directory: dir, Logger: (&log{}).logger()})
		if err == nil && (r.Pin() == nil || r.Pin().Revision == "" || r.Pin().Over == "") {
			t.Errorf("%q is the pin %+v", text, r.Pin())
		}
	})
}

// TestFurther: what further data a revision was read with is remembered, also
// when it goes before the rules do.
func TestFurther(t *testing.T) {
	dir, rego, data := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, rego, "authz.rego", "package postern.authz\n\nallow := true")
	write(t, data, "banned.json", "{}")
	with := compile(t, policy.Options{Directory: rego, Data: []policy.DataFiles{{Pattern: filepath.Join(data, "banned.json"), At: []string{"banned"}}}})
	r := open(t, dir, 5, &log{})
	if err := r.Keep(with, "files", ""); err != nil {
		t.Fatal(err)
	}
	without := again(t, r, with.Rules())
	if without.Rules() != with.Rules() {
		t.Fatal("further data is a part of the rules")
	}
	r.Note(without, "files", "")
	until(t, "it came into force", func() bool { return !r.List()[0].InForceAt.IsZero() })
	r.Close()
	r = open(t, dir, 5, &log{})
	defer r.Close()
	if got := r.Further(with.Rules()); fmt.Sprint(got) != "[banned]" {
		t.Errorf("it was read with %v", got)
	}
	if got := r.Further("another"); got != nil {
		t.Errorf("what is not kept was read with %v", got)
	}
}
