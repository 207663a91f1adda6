package proof_test

import (
	"errors"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/proof"
)

func TestChallenge(t *testing.T) {
	for realm, want := range map[string]string{
		"api":     `ApiKey realm="api"`,
		"":        `ApiKey realm=""`,
		`a "b"\c`: `ApiKey realm="a \"b\"\\c"`,
	} {
		if got := proof.Challenge("ApiKey", realm); got != want {
			t.Errorf("%q: %s, want %s", realm, got, want)
		}
	}
}

// What is refused goes on as it is, and only who asks is told why.
func TestRefuse(t *testing.T) {
	for _, tt := range []struct {
		err  error
		says string
	}{
		{access.ErrNoCredential, "api_key: no key"},
		{&access.LeftToOthers{Header: "x-api-key"}, "api_key: no key"},
		{access.Invalid("too short"), "api_key: rejected: too short"},
		{errors.New("the store is down"), "api_key: failed: the store is down"},
	} {
		asked := &access.Request{Explain: &access.Explanation{}}
		for _, req := range []*access.Request{{}, asked} {
			if found, err := proof.Refuse(req, access.KindAPIKey, "no key", tt.err); err != tt.err || found.Identity != nil {
				t.Errorf("%v became %v, %v", tt.err, found, err)
			}
		}
		if steps := asked.Explain.Steps; len(steps) != 1 || steps[0] != (access.Step{Stop: "authenticate", Text: tt.says}) {
			t.Errorf("told %v, want %s", steps, tt.says)
		}
	}
}
