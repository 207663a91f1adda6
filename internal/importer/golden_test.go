package importer_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/importer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// canary begins every secret in the documents of testdata.
const canary = "s3cr3t"

// now is the time of every plan here.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// environment are the variables that the documents refer to.
var environment = map[string]string{
	"JWT_SECRET":    "s3cr3t-from-the-environment-of-32-bytes",
	"GLOBEX":        `{"key": "s3cr3t-globex-key-0123456789abcdef"}`,
	"DECK_DAVE_KEY": "s3cr3t-dave-key-0123456789abcdef01",
	"BATCH_KEY":     "s3cr3t-batch-key-0123456789abcdef0",
}

// vault are the secrets of a manager that the documents refer to.
var vault = map[string]string{
	"$secret://vault/1/vaulted/key": "s3cr3t-vaulted-key-0123456789abcdef",
}

func lookup(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := m[name]
		return value, ok
	}
}

func options() importer.Options {
	return importer.Options{Env: lookup(environment), Secrets: lookup(vault), Now: now}
}

// documents are the files of testdata, by format.
func documents(t testing.TB) map[string]importer.Format {
	t.Helper()
	files := map[string]importer.Format{}
	for _, format := range importer.Formats() {
		for _, pattern := range []string{"*.yaml", "*.json"} {
			paths, err := filepath.Glob(filepath.Join("testdata", string(format), pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range paths {
				if !strings.HasSuffix(path, ".plan.json") {
					files[path] = format
				}
			}
		}
	}
	if len(files) < 12 {
		t.Fatalf("found %d documents in testdata", len(files))
	}
	return files
}

func source(t testing.TB, path string) importer.Source {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return importer.Source{Name: filepath.Base(path), Data: data}
}

func read(t testing.TB, format importer.Format, path string) *importer.Plan {
	t.Helper()
	plan, err := importer.Read(format, []importer.Source{source(t, path)}, options())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestPlans(t *testing.T) {
	for path, format := range documents(t) {
		t.Run(path, func(t *testing.T) {
			plan := read(t, importer.Auto, path)
			if plan.Format != format && (format != importer.APISIX || plan.Format != importer.ADC) {
				t.Errorf("taken for %s", plan.Format)
			}
			plan = read(t, format, path)
			golden(t, strings.TrimSuffix(path, filepath.Ext(path))+".plan", shown(t, plan))
		})
	}
}

// shown is what is seen of a plan: the table and the JSON, and what comes over.
func shown(t *testing.T, plan *importer.Plan) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := plan.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(plan); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), canary) {
		t.Error("a secret is shown")
	}
	encoder.SetEscapeHTML(false)
	for _, part := range []any{plan.Consumers, plan.Plans} {
		if err := encoder.Encode(part); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("not as in %s (-update writes it anew):\n%s", path, diff)
	}
}

// TestTwice holds reading to being a function of the documents: the same ids
// and the same order, whatever the order of maps.
func TestTwice(t *testing.T) {
	for path, format := range documents(t) {
		first := read(t, format, path)
		for range 5 {
			if diff := cmp.Diff(first, read(t, format, path), cmp.Comparer(sameSecret)); diff != "" {
				t.Fatalf("%s makes two plans:\n%s", path, diff)
			}
		}
	}
}

func sameSecret(a, b access.Secret) bool { return a.Equal(b.Reveal()) }
