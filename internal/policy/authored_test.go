package policy_test

import (
	"strings"
	"testing"
	"time"
)

// What is told of rules names them as their authors do.
func TestHeldNamesRulesAsWritten(t *testing.T) {
	s := rules(t, "allow if inherited.a.b\ninherited[role][name] if {\n\tsome role in [\"a\"]\n\tsome name in [\"b\"]\n}")
	held := strings.Join(s.Held(t.Context(), question(), time.Minute), "\n")
	if !strings.Contains(held, "inherited[role][name]") || strings.Contains(held, "__local") {
		t.Errorf("got %s", held)
	}
}
