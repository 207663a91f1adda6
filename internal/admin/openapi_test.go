package admin_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// TestOpenAPITellsTheTruth validates the document, and then real answers
// against it.
func TestOpenAPITellsTheTruth(t *testing.T) {
	h, key, grant := furnished(t)
	served := h.must("GET", "/v1/openapi.json", "", func(r *http.Request) { r.Header.Del("Authorization") })
	doc, err := openapi3.NewLoader().LoadFromData([]byte(served.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: h.URL}}
	for _, schema := range doc.Components.Schemas { // what is not described is not answered
		if schema.Value.Type.Is("object") && len(schema.Value.Properties) > 0 {
			none := false
			schema.Value.AdditionalProperties.Has = &none
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v1/consumers", `{"name":"full","labels":{"a":"b"},"attributes":{"x":1},"constraints":{"methods":["GET"]}}`},
		{"GET", "/v1/consumers/full", ""},
		{"GET", "/v1/consumers?page_size=1", ""},
		{"PATCH", "/v1/consumers/full", `{"display_name":"x"}`},
		{"POST", "/v1/consumers/full/disable", "{}"},
		{"DELETE", "/v1/consumers/full", ""},
		{"POST", "/v1/consumers/app/keys", `{"expires_at":"2027-01-01T00:00:00Z"}`},
		{"GET", "/v1/keys/" + key, ""},
		{"GET", "/v1/credentials/app-jwt", ""},
		{"GET", "/v1/credentials?page_size=2", ""},
		{"POST", "/v1/keys/" + key + "/rotate", `{"grace":"1h"}`},
		{"POST", "/v1/keys/" + key + "/revoke", `{"reason":"x","wait":"1s"}`},
		{"GET", "/v1/applications/shop", ""},
		{"GET", "/v1/grants/" + grant, ""},
		{"POST", "/v1/applications/shop/grants", `{"api":"a","environment":"dev"}`},
		{"GET", "/v1/plans/gold", ""},
		{"POST", "/v1/import", `{"document":"x"}`},
		{"GET", "/v1/export", ""},
		{"GET", "/v1/instances", ""},
		{"GET", "/v1/audit", ""},
		{"GET", "/v1/audit/verify", ""},
		{"GET", "/v1/policy", ""},
		{"GET", "/v1/policy/revisions", ""},
		{"POST", "/v1/policy/promote", `{"revision":"b"}`},
		{"POST", "/v1/policy/promote", `{"revision":"z"}`},
		{"POST", "/v1/policy/rollback", "{}"},
		{"GET", "/v1/keys/nothing", ""},
		{"POST", "/v1/consumers", `{"name":"no name"}`},
	} {
		checkAgainst(t, router, h, c.method, c.path, c.body)
	}
}

func checkAgainst(t *testing.T, router routers.Router, h *house, method, path, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	route, params, err := router.FindRoute(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
	}}
	if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
		t.Errorf("%s %s: the request: %v", method, path, err)
	}
	got := h.do(method, path, body)
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: got.status, Header: got.header, Body: io.NopCloser(bytes.NewReader([]byte(got.body))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s: %d %s: %v", method, path, got.status, got.body, err)
	}
}
