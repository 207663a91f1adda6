package config_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/config"
)

// TestExampleNamesEveryKey: the example says that it has every key, as it is or
// after a #.
func TestExampleNamesEveryKey(t *testing.T) {
	example, err := os.ReadFile("../../deploy/example/postern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	gatherKeys(schema, keys)
	if len(keys) < 50 || !keys["max_file_size"] {
		t.Fatalf("the schema has the keys %v", keys)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !regexp.MustCompile(`(?m)[\s{]` + regexp.QuoteMeta(key) + `:( |$)`).Match(example) {
			t.Errorf("deploy/example/postern.yaml has no %s", key)
		}
	}
}

// gatherKeys are the names of properties, however deep.
func gatherKeys(schema any, keys map[string]bool) {
	switch node := schema.(type) {
	case map[string]any:
		properties, _ := node["properties"].(map[string]any)
		for key := range properties {
			keys[key] = true
		}
		for _, below := range node {
			gatherKeys(below, keys)
		}
	case []any:
		for _, below := range node {
			gatherKeys(below, keys)
		}
	}
}
