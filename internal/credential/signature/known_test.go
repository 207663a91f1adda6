package signature_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/signature"
)

// The signatures here are literals, made with `openssl dgst -hmac`. The request
// of john-key is the one in the documentation of APISIX's hmac-auth.
func TestKnownAnswers(t *testing.T) {
	get := func(method, path, date, line string) *access.Request {
		return &access.Request{Door: access.GRPC, Method: method, RawPath: path, RawHost: "h", Protocol: "HTTP/1.1", Headers: access.Headers{
			{Name: "date", Value: date}, {Name: "authorization", Value: line},
		}}
	}
	signedBody := post(`{"name": "world"}`, "date: "+startDate, "digest: SHA-256=78qzJuLwSpZ8HacsTdFCQJWxzPMOf8bYctRk2ySLpS8=",
		`authorization: Signature keyId="long",algorithm="hmac-sha512",headers="@request-target date digest",signature="BzFBCu8nRgeWcKvzSjdMn13CPKO5SLdsqDVEISlzIi6azdWoTa2M2UTHsFkz8TycjQ5bukwp5/XWoIaUCvzhJw=="`)
	for name, tt := range map[string]struct {
		req  *access.Request
		at   time.Time
		want string
	}{
		"apisix": {
			get("GET", "/get", "Fri, 06 Sep 2024 06:41:29 GMT", `Signature keyId="john-key",algorithm="hmac-sha256",headers="@request-target date",signature="j+feO3Wm5em0agp0A70FZErf6lrMDVs7zjQ9MxomPx0="`),
			time.Date(2024, 9, 6, 6, 41, 29, 0, time.UTC), "john",
		},
		"apisix, body and SHA-512": {signedBody, start, "long"},
		"kong": {
			get("GET", "/orders?id=1", startDate, `hmac username="good", algorithm="hmac-sha256", headers="date @request-target", signature="lOPQe0c6ZjK6+GJT5J3dcMs64U0gxrXzM3xAWsB5THY="`),
			start, "good",
		},
		"kong, request line": {
			get("GET", "/orders?id=1", startDate, `hmac username="good", algorithm="hmac-sha256", headers="date request-line", signature="UXNImsv+73qJfce2jVu+QKElcQwfcRKt9Omaxmb9F78="`),
			start, "good",
		},
		"plain": {
			post(`{"a":1}`, "x-api-key: good", "x-timestamp: "+startMs, "x-nonce: 6f1c", "x-signature: c599cdafe3f8b7df9263ae7c065e8a22f06aa32f0e4dd5419cc7509fd6852ee7"),
			start, "good",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, signature.Config{})
			b.clock.pass(tt.at.Sub(start))
			if got := b.ask(tt.req); got != tt.want {
				_, err := b.Authenticate(t.Context(), tt.req)
				t.Errorf("got %s (%s), want %s", got, fmt.Sprint(err), tt.want)
			}
		})
	}
}
