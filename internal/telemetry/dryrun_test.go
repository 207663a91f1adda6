package telemetry

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// A denial that is not enforced has a line of its own, as one that is, though it
// is an allow and none of them is sampled.
func TestDryRunDenialsHaveTheirLine(t *testing.T) {
	now := time.Unix(1000, 0)
	tel, out := open(t, Options{Now: func() time.Time { return now }})
	waived := allowed("a-1")
	waived.DryRun = access.Reason{Code: access.CodeDeniedByPolicy, Detail: "the policy's result is undefined"}
	for range 5000 {
		tel.Recorder().Record(request(), waived, 0)
	}
	tel.Recorder().Record(request(), allowed("a-2"), 0)
	shutdown(t, tel)
	lines := 0
	for _, text := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if !strings.Contains(text, "decision_id") {
			continue
		}
		lines++
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]any{
			"level": "WARN", "msg": "request denied by policy and let through: dry run", "dry_run": true, "outcome": "allow",
			"code": "denied_by_policy", "detail": "the policy's result is undefined", "decision_id": "a-1", "status": 200.0,
		} {
			if line[name] != want {
				t.Fatalf("%s is %v, want %v", name, line[name], want)
			}
		}
	}
	if lines == 0 || lines > decisionsPerSecond {
		t.Errorf("%d lines were written", lines)
	}
	if strings.Contains(out.String(), "canary") {
		t.Error("a secret is in the log")
	}
}
