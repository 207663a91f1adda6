package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
)

func TestExplain(t *testing.T) {
	s := rules(t, "default allow := false\n\nallow if {\n\tinput.route.name == \"other\"\n}\n\nallow if {\n\tinput.route.name == \"order\"\n\tnot denied\n}\n\ndenied if input.time == \"\"")
	q := question()
	q.Request.Explain = &access.Explanation{}
	if !decide(t, s, q).Allowed {
		t.Fatal("not allowed")
	}
	var told []string
	for _, step := range q.Request.Explain.Steps {
		if step.Stop != "policy" {
			t.Errorf("noted at %q", step.Stop)
		}
		told = append(told, step.Text)
	}
	for _, want := range []string{
		"postern/authz/allow at revision " + s.Revision() + ": allowed",
		"it reads input.time",
		"authz.rego:7: allow did not hold",
		"authz.rego:11: allow held",
		"authz.rego:16: denied did not hold",
	} {
		if !slices.ContainsFunc(told, func(text string) bool { return strings.Contains(text, want) }) {
			t.Errorf("nothing says %q:\n%s", want, strings.Join(told, "\n"))
		}
	}
}

// Denials and errors are told too.
func TestExplainOutcomes(t *testing.T) {
	for rule, want := range map[string]string{
		"allow := false": ": not allowed",
		"allow := 1":     ": not allowed: the policy's result is of type number",
		"allow if to_number(input.route.name) > 1": ": error: authz.rego:5: eval_builtin_error",
	} {
		q := question()
		q.Request.Explain = &access.Explanation{}
		_, _ = rules(t, rule).Decide(t.Context(), q)
		if len(q.Request.Explain.Steps) == 0 || !strings.Contains(q.Request.Explain.Steps[0].Text, want) {
			t.Errorf("%s: got %v", rule, q.Request.Explain.Steps)
		}
	}
}
