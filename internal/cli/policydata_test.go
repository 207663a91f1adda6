package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/internal/cli"
)

// An author's commands take the data that the configuration names.
func TestPolicyCommandsTakeConfiguredData(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"postern.yaml": "policy: {directory: policies, timeout: 30s, data: [{file: friends.json, at: friends}]}\n" +
			"routes: [{name: all, match: {paths: [\"/{rest...}\"]}, anonymous: allow}]\n",
		"friends.json":             `{"paths": ["open"]}`,
		"policies/authz.rego":      "package postern.authz\n\ndefault allow := false\n\nallow if input.parsed_path[0] in data.friends.paths\n",
		"policies/authz_test.rego": "package postern.authz_test\n\nimport data.postern.authz\n\ntest_open if authz.allow with input as {\"parsed_path\": [\"open\"]}\n",
		"policies/gate_test.yaml":  "cases: [{name: open, request: {method: GET, path: /open}, expect: {status: 200}}, {name: closed, request: {method: GET, path: /closed}, expect: {status: 403}}]\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	policies, config := filepath.Join(dir, "policies"), filepath.Join(dir, "postern.yaml")
	for _, args := range [][]string{
		{"policy", "test", policies, "-c", config, "--coverage"},
		{"policy", "lint", policies, "-c", config, "--strict"},
		{"policy", "bench", policies, "-c", config, "--time", "1ms"},
	} {
		var stdout, stderr bytes.Buffer
		if code := cli.Run(t.Context(), args, nil, &stdout, &stderr); code != 0 {
			t.Errorf("%v: exit code %d\n%s%s", args, code, &stdout, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := cli.Run(t.Context(), []string{"policy", "test", policies}, nil, &stdout, &stderr); code != 1 {
		t.Errorf("without the configuration's data: exit code %d\n%s%s", code, &stdout, &stderr)
	}
}
