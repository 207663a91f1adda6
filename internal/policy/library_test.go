package policy_test

import (
	"context"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

// The embedded library, as README.md of policies describes its defaults.
func TestLibrary(t *testing.T) {
	s, err := policy.Compile(context.Background(), policy.Options{Embedded: policies.FS, Entrypoints: []string{entrypoint}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		roles        []string
		method, path string
		want         bool
	}{
		{nil, "GET", "/orders/7", false},
		{[]string{"stranger"}, "GET", "/orders/7", false},
		{[]string{"reader"}, "GET", "/orders/7", true},
		{[]string{"reader"}, "HEAD", "/", true},
		{[]string{"reader"}, "POST", "/orders", false},
		{[]string{"reader"}, "GET", "/admin", false},
		{[]string{"reader"}, "GET", "/admin/users", false},
		{[]string{"writer"}, "GET", "/orders/7", true},
		{[]string{"writer"}, "POST", "/orders", true},
		{[]string{"writer"}, "DELETE", "/admin/users", false},
		{[]string{"admin"}, "DELETE", "/admin/users", true},
		{[]string{"stranger", "admin"}, "OPTIONS", "/", true},
	} {
		q := question()
		q.Identity.Roles, q.Request.Method, q.Request.Path = c.roles, c.method, c.path
		if d := decide(t, s, q); d.Allowed != c.want || d.Detail != "" {
			t.Errorf("%v %s %s: got %+v, want %v", c.roles, c.method, c.path, d, c.want)
		}
	}
	for path, want := range map[string]bool{"/healthz": true, "/orders": false} {
		q := question()
		q.Identity, q.Request.Path = access.AnonymousIdentity(), path
		if d := decide(t, s, q); d.Allowed != want {
			t.Errorf("anonymous %s: got %+v", path, d)
		}
	}
}
