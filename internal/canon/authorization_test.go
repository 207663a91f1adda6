package canon_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

func TestAuthorization(t *testing.T) {
	for _, tt := range []struct {
		name          string
		lines         []string
		scheme, value string
		state         canon.CredentialState
	}{
		{"absent", nil, "", "", canon.Absent},
		{"bearer", []string{"Bearer a.b.c"}, "bearer", "a.b.c", canon.Present},
		{"other case", []string{"bEARER a.b.c"}, "bearer", "a.b.c", canon.Present},
		{"api key", []string{"ApiKey k"}, "apikey", "k", canon.Present},
		{"unknown scheme", []string{"Negotiate YQ=="}, "negotiate", "YQ==", canon.Present},
		{"scheme alone", []string{"Bearer"}, "bearer", "", canon.Present},
		{"scheme and space", []string{"Bearer "}, "bearer", "", canon.Present},
		{"two spaces", []string{"Bearer  x"}, "bearer", " x", canon.Present},
		{"trailing space", []string{"Bearer x "}, "bearer", "x ", canon.Present},
		{"space inside", []string{"Bearer x y"}, "bearer", "x y", canon.Present},
		{"tab", []string{"Bearer\tx"}, "bearer", "\tx", canon.Present},
		{"tab after space", []string{"Bearer \tx"}, "bearer", "\tx", canon.Present},
		{"unicode is no ascii", []string{"Api\u212aey k"}, "api\u212aey", "k", canon.Present},
		{"parameters", []string{`Digest username="u", realm="r",nonce="n"`}, "digest", `username="u", realm="r",nonce="n"`, canon.Present},
		{"comma in value", []string{"Bearer a,b"}, "bearer", "a,b", canon.Present},
		{"empty", []string{""}, "", "", canon.Empty},
		{"space", []string{" "}, "", "", canon.Empty},
		{"leading space", []string{" Bearer x"}, "", "", canon.Empty},
		{"two lines", []string{"Bearer x", "Bearer x"}, "", "", canon.Repeated},
		{"two kinds", []string{"Basic x", "Bearer y"}, "", "", canon.Repeated},
		{"an empty second", []string{"Bearer x", ""}, "", "", canon.Repeated},
		{"joined", []string{"Bearer x,Bearer y"}, "", "", canon.Repeated},
		{"joined behind a foreign scheme", []string{"Negotiate YQ==,Bearer y"}, "", "", canon.Repeated},
		{"joined behind quotes", []string{`Foo "a,Bearer y`}, "", "", canon.Repeated},
		{"joined behind a lone scheme", []string{"Foo,Bearer y"}, "", "", canon.Repeated},
		{"joined behind nothing", []string{",Bearer y"}, "", "", canon.Repeated},
		{"joined with a tab", []string{"Foo x,Bearer\ty"}, "", "", canon.Repeated},
	} {
		headers := access.Headers{{Name: "host", Value: "h"}}
		for _, line := range tt.lines {
			headers = append(headers, access.Header{Name: "authorization", Value: line})
		}
		scheme, value, state := canon.Authorization(headers)
		if scheme != tt.scheme || value != tt.value || state != tt.state {
			t.Errorf("%s: %q, %q, %v; want %q, %q, %v", tt.name, scheme, value, state, tt.scheme, tt.value, tt.state)
		}
	}
}

func TestAuthorizationIsNotCopied(t *testing.T) {
	headers := access.Headers{{Name: "authorization", Value: "Bearer " + strings.Repeat("a", 900)}}
	if got := testing.AllocsPerRun(100, func() { canon.Authorization(headers) }); got != 0 {
		t.Errorf("a bearer token costs %v allocations, want 0", got)
	}
}
