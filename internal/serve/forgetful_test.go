package serve_test

import (
	"strings"
	"testing"
)

// TestTellsWhatIsNotRemembered: a policy that decides each request anew is told
// of when it comes into force, with the reason, and once.
func TestTellsWhatIsNotRemembered(t *testing.T) {
	const line = "decisions of an entry point are not remembered"
	h := start(t, nil)
	if strings.Contains(h.log.String(), line) {
		t.Fatalf("the example is told of: %s", h.log)
	}
	edit(t, h.dir, "policies/authz.rego", `"reader" in input.identity.roles`, `"reader" in input.identity.roles; time.now_ns() > 0`)
	until(t, "the reason is told", func() bool {
		return strings.Contains(h.log.String(), line) && strings.Contains(h.log.String(), "time.now_ns")
	})
	_, before := h.ready(t)
	edit(t, h.dir, "consumers/demo.yaml", "display_name: Mobile App", "display_name: Mobile Application")
	until(t, "consumers are reloaded", func() bool { _, report := h.ready(t); return report.Revision != before.Revision })
	if n := strings.Count(h.log.String(), line); n != 1 {
		t.Errorf("told %d times", n)
	}
}
