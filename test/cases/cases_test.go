package cases_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/test/cases"
)

// enough is how many cases there must be at least: a file that is not read any
// more must not go unnoticed.
const enough = 540

func TestCasesLoad(t *testing.T) {
	all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < enough {
		t.Errorf("%d cases, fewer than %d", len(all), enough)
	}
	maker, err := cases.NewMaker("../keys", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		ready, err := maker.Make(&all[i].Request)
		if err != nil {
			t.Errorf("%s: %v", all[i].Name, err)
			continue
		}
		for _, line := range ready.Lines {
			if strings.Contains(line[1], "${") || strings.ContainsAny(line[1], "\r\n\x00") {
				t.Errorf("%s: %s can't be sent: %q", all[i].Name, line[0], line[1])
			}
		}
	}
}

func TestFilesFollowTheSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if err := schema.Validate(document(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if schema.Validate(map[string]any{"cases": []any{map[string]any{"name": "x"}}}) == nil {
		t.Error("the schema accepts a case without a request")
	}
}

// document reads YAML as the JSON that it stands for.
func document(t *testing.T, name string) any {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
	if err != nil {
		t.Fatal(err)
	}
	return value
}
