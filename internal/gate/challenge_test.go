package gate_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// bearerKind is a kind whose tokens come under Bearer.
type bearerKind struct{ fakeKind }

func (bearerKind) Challenge(rejected bool) string {
	if rejected {
		return `Bearer realm="api", error="invalid_token"`
	}
	return `Bearer realm="api"`
}

// TestKindsThatAskAlikeShareAChallenge: two kinds of token under Bearer make one
// line, which tells of a rejection by either.
func TestKindsThatAskAlikeShareAChallenge(t *testing.T) {
	const plain, told = `Bearer realm="api"`, `Bearer realm="api", error="invalid_token"`
	for name, c := range map[string]struct {
		jwt, opaque error
		want        string
	}{
		"no token":        {access.ErrNoCredential, access.ErrNoCredential, plain},
		"bad JWT":         {access.Invalid("x"), access.ErrNoCredential, told},
		"bad opaque":      {access.ErrNoCredential, access.Invalid("x"), told},
		"both refuse it":  {access.Invalid("x"), access.Invalid("x"), told},
		"one has expired": {access.ErrNoCredential, access.Expired("x"), told},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := []access.Kind{access.KindJWT, access.KindAPIKey, access.KindIntrospection}
			rules, err := gate.NewRules(gate.Config{
				Revision: "r1",
				Default:  gate.Route{Authenticate: gate.Authenticate{Kinds: kinds}, Entrypoint: "a/b"},
				Policy:   &fakePolicy{},
				Authenticators: []gate.Authenticator{
					bearerKind{fakeKind{kind: access.KindJWT, err: c.jwt}},
					fakeKind{kind: access.KindAPIKey, err: access.ErrNoCredential},
					bearerKind{fakeKind{kind: access.KindIntrospection, err: c.opaque}},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			g := gate.New(&recorder{}, time.Now, func() string { return "d1" })
			g.Swap(rules)
			v := g.Check(context.Background(), &access.Request{Method: "GET", Path: "/", Host: "a"})
			want := []access.Header{{Name: "WWW-Authenticate", Value: c.want}, {Name: "WWW-Authenticate", Value: "api_key"}}
			if diff := cmp.Diff(want, v.Client); diff != "" {
				t.Errorf("challenges differ (-want +got):\n%s", diff)
			}
		})
	}
}
