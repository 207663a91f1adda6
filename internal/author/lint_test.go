package author_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/policy"
)

// findings are the lines and codes that a linter tells of these rules.
func findings(t *testing.T, rules string) (told []string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "authz.rego"), []byte("package postern.authz\n"+rules), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := author.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := source.Lint(t.Context(), policy.Options{Entrypoints: []string{entrypoint}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		told = append(told, fmt.Sprintf("%d %s", f.Line, f.Code))
	}
	return told
}

func TestLint(t *testing.T) {
	const sound = "default allow := false\nallow if \"a\" in input.identity.roles\n"
	const header = `input.attributes.request.http.headers`
	for name, test := range map[string]struct {
		rules string
		want  []string
	}{
		"sound":                    {sound, nil},
		"a default that allows":    {"default allow := true\nallow := false if input.route.name == \"a\"", []string{"2 always-allows"}},
		"a body that is true":      {"allow if {\n\ttrue\n}", []string{"2 always-allows"}},
		"a body of constants":      {"allow if {\n\t1 == 1\n}", []string{"2 always-allows"}},
		"no body":                  {"allow := true", []string{"2 always-allows"}},
		"a constant of a helper":   {"allow if input.route.name == open\nopen := \"a\"", nil},
		"false":                    {sound + "allow if {\n\tfalse\n}", []string{"5 never-holds"}},
		"1 == 2":                   {sound + "allow if {\n\tinput.route.name == \"a\"\n\t1 == 2\n}", []string{"6 never-holds"}},
		"a name in upper case":     {"allow if " + header + `["X-Tenant"] == "a"`, []string{"2 unknown-input"}},
		"of a name":                {"allow if {\n\th := " + header + "\n\th[\"X-Tenant\"] == \"a\"\n}", []string{"4 unknown-input"}},
		"got":                      {"allow if object.get(" + header + `, "X-Tenant", "") == "a"`, []string{"2 unknown-input"}},
		"in lower case":            {"allow if " + header + `["x-tenant"] == "a"`, nil},
		"who the client says":      {"allow if " + header + `["x-consumer-username"] == "a"`, []string{"2 client-header"}},
		"where the client says":    {"allow if " + header + `["x-forwarded-for"] == "a"`, []string{"2 client-header"}},
		"whence the client says":   {"allow if " + header + `["x-real-ip"] == "a"`, []string{"2 client-header"}},
		"arithmetic that denies":   {sound + "allow if not denied\ndenied if input.consumer.attributes.level - 1 > 3", []string{"5 deny-fails"}},
		"times":                    {sound + "allow if not denied\ndenied if input.consumer.attributes.level * 2 > 3", []string{"5 deny-fails"}},
		"arithmetic that is sound": {sound + "allow if not denied\ndenied if {\n\tis_number(input.consumer.attributes.level)\n\tinput.consumer.attributes.level - 1 > 3\n}", nil},
		"a no that fails":          {sound + "allow := false if to_number(input.parsed_query.a[0]) > 3", []string{"4 deny-fails"}},
		"silenced":                 {"# lint:ignore always-allows\nallow := true", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := findings(t, test.rules); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
