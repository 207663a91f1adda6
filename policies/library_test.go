package policies_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
)

// TestRego runs the library's own tests as `opa test` does, and wants every
// expression of the library covered.
func TestRego(t *testing.T) {
	modules, store, err := tester.Load([]string{"."}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	txn := storage.NewTransactionOrDie(ctx, store)
	defer store.Abort(ctx, txn)
	coverage := cover.New()
	results, err := tester.NewRunner().SetModules(modules).SetStore(store).SetCoverageQueryTracer(coverage).
		RaiseBuiltinErrors(true).RunTests(ctx, txn)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for result := range results {
		ran++
		if !result.Pass() {
			t.Errorf("%s", result)
		}
	}
	if ran == 0 {
		t.Error("no test ran")
	}
	wantCovered(t, coverage.Report(modules))
}

func wantCovered(t *testing.T, report cover.Report) {
	t.Helper()
	for name, file := range report.Files {
		for _, gap := range file.NotCovered {
			t.Errorf("%s:%d-%d is not covered", name, gap.Start.Row, gap.End.Row)
		}
	}
	if report.Coverage < 100 {
		t.Errorf("%v %% are covered, want 100", report.Coverage)
	}
}

// TestFormat wants every module as `opa fmt` writes it, and strictly compiled.
func TestFormat(t *testing.T) {
	names, err := filepath.Glob("*.rego")
	if err != nil || len(names) == 0 {
		t.Fatalf("no modules: %v", err)
	}
	parsed := map[string]*ast.Module{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		formatted, err := format.Source(name, text)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, formatted) {
			t.Errorf("%s is not as `opa fmt` writes it", name)
		}
		parsed[name] = ast.MustParseModule(string(text))
	}
	compiler := ast.NewCompiler().WithStrict(true)
	if compiler.Compile(parsed); compiler.Failed() {
		t.Error(compiler.Errors)
	}
}
