package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
