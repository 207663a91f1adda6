package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// TestWhatOthersOwnIsAskedAtEachReload: a bundle whose roots alone grow, or a
// module that comes from another source alone, is refused by a reload as by a
// start.
func TestWhatOthersOwnIsAskedAtEachReload(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.rego"), []byte("package postern.authz\n\nallow := data.x.ok\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	claiming := func(roots ...string) []*policy.Bundle {
		return []*policy.Bundle{{Name: "main", Roots: roots, Modules: map[string][]byte{"x.rego": []byte("package x\n\nok := true\n")}}}
	}
	o := policy.Options{Directory: dir, Entrypoints: []string{entrypoint}, Bundles: claiming("x")}
	last, err := policy.Compile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Last, o.Bundles = last, claiming("x", "postern/authz")
	if _, err := policy.Compile(t.Context(), o); err == nil || !strings.Contains(err.Error(), `which is a root of bundle main`) {
		t.Errorf("a package of the directory below a root of the bundle: %v", err)
	}
}

// TestAChangeThatHidesItsTimeIsSeen: who writes in place may set back the time of
// modification, and the size is the same.
func TestAChangeThatHidesItsTimeIsSeen(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "owners.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"mobile": true}`)
	o := policy.Options{
		Embedded: files(module("allow if data.owners[input.consumer.name]")), Entrypoints: []string{entrypoint}, Timeout: time.Minute,
		Data: []policy.DataFiles{{Pattern: file, At: []string{"owners"}}},
	}
	last, err := policy.Compile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !decide(t, last, question()).Allowed {
		t.Fatal("an owner is denied")
	}
	write(`{"others": true}`)
	o.Last = last
	next, err := policy.Compile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if decide(t, next, question()).Allowed {
		t.Error("one who is no owner any more is allowed")
	}
}
