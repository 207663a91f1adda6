package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/consumer"
)

var ops = consumer.Author{Name: "ops", Address: "127.0.0.1"}

// still opens a server on files, by path, that does nothing by itself: the test
// says when it reloads, and when the candidate is read.
func still(t *testing.T, files map[string]string) (s *server, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		put(t, dir, name, text)
	}
	s, err := open(t.Context(), Options{
		ConfigPath: filepath.Join(dir, "postern.yaml"), GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Stdout: io.Discard, Stderr: &bytes.Buffer{}, Env: func(string) (string, bool) { return "", false }, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close(context.Background()) })
	return s, dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	allows  = "package postern.authz\n\nallow := true\n"
	refuses = "package postern.authz\n\nallow := false\n"
)

// TestHangingUpEscapesNoAudit: what was promoted is in the audit chain, also when
// its caller has gone.
func TestHangingUpEscapesNoAudit(t *testing.T) {
	s, _ := still(t, map[string]string{
		"postern.yaml":        "policy: {directory: policies, state_directory: state, shadow: {directory: next}}\nconsumers: {store: {driver: sqlite, dsn: postern.db}}\n",
		"policies/authz.rego": allows,
		"next/authz.rego":     refuses,
	})
	if !s.candidacy().load(t.Context()) {
		t.Fatal("there is no candidate")
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if err := s.reloader.Promote(gone, ops, ""); err != nil {
		t.Fatal(err)
	}
	var noted []string
	if err := s.ledger.store.View(t.Context(), func(r consumer.Reader) error {
		all, err := r.Audit(t.Context(), 0, 10, "")
		for _, record := range all {
			noted = append(noted, record.Action+" "+record.Target)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := "promote " + s.reloader.current.policy.Rules(); strings.Join(noted, ", ") != want {
		t.Errorf("noted %q, want %q", noted, want)
	}
}

// TestPromoteTakesNothingStale: a candidate that was read beside other bundles,
// or for another configuration, is no longer what would be promoted.
func TestPromoteTakesNothingStale(t *testing.T) {
	const settings = "policy: {directory: policies, state_directory: state, shadow: {directory: next}, bundles: [{name: lists, file: lists, every: 100ms}]}\n"
	for name, change := range map[string]func(t *testing.T, dir string){
		"a bundle with rules": func(t *testing.T, dir string) {
			put(t, dir, "lists/lists.rego", "package lists\n\nblocked := {\"mallory\", \"eve\"}\n")
		},
		"a bundle that gets data": func(t *testing.T, dir string) { put(t, dir, "lists/data.json", `{"lists": {"more": ["eve"]}}`) },
		"another directory": func(t *testing.T, dir string) {
			put(t, dir, "postern.yaml", strings.Replace(settings, "directory: next", "directory: policies", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := still(t, map[string]string{
				"postern.yaml": settings, "policies/authz.rego": allows, "next/authz.rego": refuses,
				"lists/.manifest": `{"roots": ["lists"]}`, "lists/lists.rego": "package lists\n\nblocked := {\"mallory\"}\n",
			})
			if !s.candidacy().load(t.Context()) {
				t.Fatal("there is no candidate")
			}
			before := s.reloader.current
			change(t, dir)
			for end := time.Now().Add(20 * time.Second); s.reloader.current.revision == before.revision; time.Sleep(5 * time.Millisecond) {
				if s.reloader.reload(t.Context()); time.Now().After(end) {
					t.Fatal("it never was reloaded")
				}
			}
			inForce := s.reloader.current.policy.Rules()
			var conflict *admin.Conflict
			if err := s.reloader.Promote(t.Context(), ops, ""); !errors.As(err, &conflict) || conflict.Detail != "the candidate is still being read" {
				t.Errorf("promoted: %v", err)
			}
			if s.reloader.current.policy.Rules() != inForce || s.reloader.current.pin != nil {
				t.Error("something else is in force")
			}
			if !s.candidacy().load(t.Context()) {
				t.Fatal("there is no candidate")
			}
			if err := s.reloader.Promote(t.Context(), ops, ""); err != nil {
				t.Errorf("the candidate of now: %v", err)
			}
		})
	}
}

// TestRollbackGoesWhereItShould: what was in force before a promotion could not be
// kept. Then a rollback goes to it in the files, or nowhere.
func TestRollbackGoesWhereItShould(t *testing.T) {
	s, dir := still(t, map[string]string{
		"postern.yaml":        "policy: {directory: policies, state_directory: state, shadow: {directory: next}}\n",
		"policies/authz.rego": "# E\n" + allows, "next/authz.rego": refuses,
	})
	r, revisions := s.reloader, s.reloader.builder.rollouts.revisions
	kept := func(n int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); len(revisions.List()) != n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d are kept, want %d", len(revisions.List()), n)
			}
		}
	}
	kept(1)
	first := r.current.policy.Rules()
	fill, empty := filepath.Join(dir, "state", "revisions"), filepath.Join(dir, "state", "aside")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(fill, empty)
	put(t, dir, "state/revisions", "no room")
	put(t, dir, "policies/authz.rego", "# F\n"+allows)
	if !r.reload(t.Context()) || r.current.policy.Rules() == first {
		t.Fatal("the files do not count")
	}
	second := r.current.policy.Rules()
	var conflict *admin.Conflict
	put(t, dir, "policies/authz.rego", "# G\n"+allows)
	if !r.reload(t.Context()) || r.current.policy.Rules() == second {
		t.Fatal("the files do not count")
	}
	third := r.current.policy.Rules()
	if err := r.Rollback(t.Context(), ops, ""); !errors.As(err, &conflict) || !strings.Contains(conflict.Detail, second) || r.current.policy.Rules() != third {
		t.Errorf("rolled back to %s: %v", r.current.policy.Rules(), err)
	}

	// What is promoted can't be written, either: it has to be there before.
	if !s.candidacy().load(t.Context()) {
		t.Fatal("there is no candidate")
	}
	var unwritten *admin.Unwritten
	if err := r.Promote(t.Context(), ops, ""); !errors.As(err, &unwritten) {
		t.Errorf("promoted: %v", err)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	move(empty, fill)
	if err := r.Promote(t.Context(), ops, ""); err != nil {
		t.Fatal(err)
	}
	if pin := r.current.pin; pin == nil || pin.Was != third {
		t.Fatalf("pinned %+v", pin)
	}
	if err := r.Rollback(t.Context(), ops, ""); err != nil || r.current.policy.Rules() != third || r.current.pin != nil {
		t.Errorf("rolled back to %s: %v", r.current.policy.Rules(), err)
	}
}
