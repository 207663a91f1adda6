package cli_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"

	"github.com/postern-authz/postern/internal/cli"
	"github.com/postern-authz/postern/internal/policy"
)

// TestStarterIsChecked checks what `policy init` writes as `opa check --strict
// --schema schema .` does, and wants it remembered: an author's first policy
// shall not be a slow one.
func TestStarterIsChecked(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "policies")
	var stderr bytes.Buffer
	if code := cli.Run(t.Context(), []string{"policy", "init", directory}, nil, &bytes.Buffer{}, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	schemas, err := loader.Schemas(filepath.Join(directory, "schema"))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := loader.NewFileLoader().WithProcessAnnotation(true).Filtered([]string{directory}, nil)
	if err != nil {
		t.Fatal(err)
	}
	compiler := ast.NewCompiler().WithStrict(true).WithSchemas(schemas).WithUseTypeCheckAnnotations(true)
	if compiler.Compile(loaded.ParsedModules()); compiler.Failed() {
		t.Error(compiler.Errors)
	}
	s, err := policy.Compile(context.Background(), policy.Options{Directory: directory, Entrypoints: []string{"postern/authz/allow"}})
	if err != nil {
		t.Fatal(err)
	}
	if why := s.Forgetful(); len(why) > 0 {
		t.Error(why)
	}
}
