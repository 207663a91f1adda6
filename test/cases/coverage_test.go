package cases_test

import (
	"os"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/test/cases"
)

// unreachable are the codes that the example never gives: no route asks for a
// group, and only a flood of passwords is told to come back (test/gateway has
// one).
var unreachable = map[access.Code]bool{access.CodeAllowed: true, access.CodeMissingGroup: true, access.CodeTooManyFailures: true}

// TestCasesCoverTheExample fails when a consumer, a credential or a route is
// added to deploy/example that no case looks at, or a code is never given.
func TestCasesCoverTheExample(t *testing.T) {
	all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for i := range all {
		want := &all[i].Expect
		for _, word := range []string{"code " + want.Code, "route " + want.Route, "credential " + want.Credential, "consumer " + want.Consumer} {
			told[word] = true
		}
	}
	for _, code := range access.Codes() {
		if !told["code "+string(code)] && !unreachable[code] {
			t.Errorf("no case is refused with %s", code)
		}
	}
	for _, word := range example(t) {
		if !told[word] {
			t.Errorf("no case is allowed with %s", word)
		}
	}
}

// example lists what an allow can tell of: routes, and the consumers that are
// enabled, with their credentials.
func example(t *testing.T) []string {
	t.Helper()
	var config struct {
		Routes []struct{ Name string }
	}
	var declared struct {
		Consumers []struct {
			Name        string
			Enabled     *bool
			Credentials []struct{ ID string }
		}
	}
	read(t, "../../deploy/example/postern.yaml", &config)
	read(t, "../../deploy/example/consumers/demo.yaml", &declared)
	var words []string
	for _, r := range config.Routes {
		words = append(words, "route "+r.Name)
	}
	for _, c := range declared.Consumers {
		if c.Enabled != nil && !*c.Enabled {
			continue
		}
		words = append(words, "consumer "+c.Name)
		for _, credential := range c.Credentials {
			words = append(words, "credential "+credential.ID)
		}
	}
	if len(words) < 10 {
		t.Fatalf("the example was read as %q", words)
	}
	return words
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
