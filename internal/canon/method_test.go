package canon_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/canon"
)

func TestMethod(t *testing.T) {
	for _, raw := range []string{"GET", "get", "M-SEARCH", "UPDATEREDIRECTREF", "!#$%&'*+-.^_`|~09", strings.Repeat("A", 32)} {
		if err := canon.Method(raw); err != nil {
			t.Errorf("Method(%q) = %v", raw, err)
		}
	}
	for _, raw := range []string{"", " ", "GET ", "G ET", "GET\r\n", "GÉT", "A/B", "A(B)", "GET,POST", "A\x00", strings.Repeat("A", 33)} {
		if err := canon.Method(raw); err == nil {
			t.Errorf("Method(%q) is accepted", raw)
		}
	}
}

func TestHeaderName(t *testing.T) {
	for raw, want := range map[string]string{"x-api-key": "x-api-key", "X-API-Key": "x-api-key", "X_Under.Dot": "x_under.dot"} {
		if got, err := canon.HeaderName(raw); err != nil || got != want {
			t.Errorf("HeaderName(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"", ":path", "a b", "a:", "a\r", "x-\u212a", "é"} {
		if got, err := canon.HeaderName(raw); err == nil {
			t.Errorf("HeaderName(%q) = %q, want an error", raw, got)
		}
	}
}
