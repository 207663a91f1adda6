package author_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/author"
)

// TestExplainHidesWhatHasTheFormOfACredential sends credentials where nobody
// configured them.
func TestExplainHidesWhatHasTheFormOfACredential(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnLWNhbmFyeQ"
	key := "postern_default_" + strings.Repeat("k3Y", 18) + "x"
	c := court(t, "allow if input.attributes.request.http.headers[\"x-id\"] == \"a\"\n\nallow if input.attributes.request.http.headers[\"x-echo\"] == \"a\"\n\n"+
		"allow if input.attributes.request.http.headers[\"x-id\"] == input.identity.claims.other")
	for name, value := range map[string]string{
		"token": jwt, "token in text": "a " + jwt + " b", "spaced token": "ewogImFsZyI6ICJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnLWNhbmFyeQ",
		"scheme": "Bearer canary-123", "basic": "Basic c3VwZXI6Y2FuYXJ5", "key": key, "in a target": "/cb?access_token=canary-123",
	} {
		for _, header := range []string{"x-id", "x-echo"} {
			x, misses := explain(t, c, "GET", access.Headers{{Name: header, Value: value}, {Name: "x-note", Value: "plain"}}, &author.Identity{Consumer: "a", Claims: map[string]any{"other": "b"}})
			told := strings.Join(misses, "\n")
			for _, r := range x.Rules {
				told += "\n" + strings.Join(r.Saw, "\n")
			}
			for _, part := range []string{"eyJ", "ewog", "c2ln", "canary", "c3VwZXI", "k3Yk3Y"} {
				if strings.Contains(told, part) {
					t.Errorf("%s in %s: %q shows in %s", name, header, part, told)
				}
			}
			if !strings.Contains(told, "(hidden)") || !strings.Contains(told, "want a") {
				t.Errorf("%s in %s: got %s", name, header, told)
			}
		}
	}
}
