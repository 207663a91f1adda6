package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/cli"
)

// written is a directory with these files.
func written(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Who is named with a configuration is who its records say.
func TestPolicyExplainTakesTheRecordOfAConsumer(t *testing.T) {
	dir := written(t, map[string]string{
		"postern.yaml": "policy: {directory: policies, timeout: 30s}\nconsumers: {files: [consumers.yaml]}\n" +
			"routes: [{name: all, match: {paths: [\"/{rest...}\"]}, authenticate: [api_key]}]\n",
		"consumers.yaml": "consumers:\n  - {name: shop, roles: [reader], groups: [staff], labels: {plan: gold}, environment: prod}\n" +
			"  - {name: gone, roles: [reader], enabled: false}\n",
		"policies/authz.rego": "package postern.authz\n\ndefault allow := false\n\nallow if {\n\t\"reader\" in input.identity.roles\n\t\"staff\" in input.identity.groups\n" +
			"\tinput.consumer.labels.plan == \"gold\"\n\tinput.consumer.environment == \"prod\"\n\tinput.parsed_path[0] == \"orders\"\n}\n\nallow if {\n\t\"writer\" in input.identity.roles\n\t\"reader\" in input.identity.roles\n}\n",
	})
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"the record":  {[]string{"--consumer", "shop", "--path", "/orders/1"}, 0, "allowed"},
		"one more":    {[]string{"--consumer", "shop", "--role", "writer", "--path", "/other"}, 0, "allowed"},
		"another one": {[]string{"--consumer", "shop", "--environment", "test", "--path", "/orders/1"}, 1, "consumer.environment is test, want prod"},
		"unknown":     {[]string{"--consumer", "nosuch", "--path", "/orders/1"}, 2, "no consumer nosuch"},
		"disabled":    {[]string{"--consumer", "gone", "--path", "/orders/1"}, 1, "consumer gone is disabled"},
	} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"policy", "explain", "-c", filepath.Join(dir, "postern.yaml")}, test.args...)
		code := cli.Run(t.Context(), args, nil, &stdout, &stderr)
		if said := stdout.String() + stderr.String(); code != test.code || !strings.Contains(said, test.want) {
			t.Errorf("%s: exit code %d, want %d with %q\n%s", name, code, test.code, test.want, said)
		}
	}
}
