package author_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/author"
)

// read reads a file of cases.
func read(t *testing.T, text string) (*author.Cases, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gate_test.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return author.ReadCases(file)
}

func TestCasesRefused(t *testing.T) {
	for text, want := range map[string]string{
		"cases:\n- {name: a, request: {path: /}, expect: {status: 42}}":                                                          "gate_test.yaml:2: cases[0]: expect.status",
		"cases:\n- {name: a, request: {path: /}, expect: {status: 200, code: denied_by_policy}}":                                 "expect.code",
		"cases:\n- {name: a, request: {path: /, client: nobody}, expect: {status: 200}}":                                         "expected an IP address",
		"cases:\n- {name: a, request: {path: /, headers: [[a]]}, expect: {status: 200}}":                                         "headers: expected lines",
		"cases:\n- {name: a, request: {path: /}, expect: {status: 200}}\n- {name: a, request: {path: /}, expect: {status: 200}}": "gate_test.yaml:3: cases[1].name: stands twice",
		"cases:\n- {name: a, as: {roles: [b]}, request: {path: /}, expect: {status: 200}}":                                       "consumer",
		"cases:\n- {name: a, request: {path: /}}":                                                                                "expect",
		"cases:\n- {name: a, expect: {status: 200}}":                                                                             "request",
		"cases: []\nother: 1": "other",
	} {
		if _, err := read(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestCaseTellsEveryDifference holds that no field of what is expected is
// passed over.
func TestCaseTellsEveryDifference(t *testing.T) {
	c := court(t, `allow := {"allowed": true, "headers": {"x-a": "1"}} if input.route.name == "order"

allow := {"allowed": false, "http_status": 418, "body": "tea", "headers": {"x-b": "2"}} if input.route.name != "order"`)
	for expect, want := range map[string]string{
		"{status: 200, route: order, upstream: {X-A: '1'}}": "",
		"{status: 403}":                          "status: got 200 (allowed), want 403",
		"{status: 200, code: allowed, route: x}": "route: got order, want x",
		"{status: 200, upstream: {X-A: '2'}}":    `upstream: X-A: got ["1"], want "2"`,
		"{status: 200, client: {X-B: '2'}}":      `client: X-B: got [], want "2"`,
		"{status: 200, removed: [X-C]}":          "removed: X-C is not removed",
		"{status: 200, body: tea}":               "body: got , want tea",
	} {
		cases, err := read(t, "cases:\n- name: a\n  as: {consumer: a}\n  request: {path: /orders/1}\n  expect: "+expect)
		if err != nil {
			t.Fatal(err)
		}
		r := c.Try(t.Context(), &cases.Cases[0])
		if got := strings.Join(r.Why, "\n"); got != want || (r.Outcome == author.Pass) != (want == "") {
			t.Errorf("%s: %s, %q, want %q", expect, r.Outcome, got, want)
		}
	}
	cases, err := read(t, "cases:\n- {name: a, request: {path: /}, expect: {status: 418, body: tea, client: {X-B: '2'}}}")
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Try(t.Context(), &cases.Cases[0]); r.Outcome != author.Pass {
		t.Errorf("a denial: %q", r.Why)
	}
}
