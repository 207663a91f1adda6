package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// seen is what policy sees at a reference.
func seen(t *testing.T, ref string, q *gate.Question) any {
	t.Helper()
	s := rules(t, `allow := {"allowed": true, "dynamic_metadata": {"seen": `+ref+`}}`)
	return decide(t, s, q).Metadata["seen"]
}

func fromJSON(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// normal makes numbers comparable.
func normal(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fromJSON(t, string(text))
}

// The whole input, as README.md of the library documents it.
func TestInput(t *testing.T) {
	want := fromJSON(t, `{
		"attributes": {
			"source": {"address": {"socketAddress": {"address": "192.0.2.1", "portValue": 4711}}, "principal": "spiffe://example.com/edge"},
			"destination": {"address": {"socketAddress": {"address": "192.0.2.2", "portValue": 8443}}, "service": "orders", "labels": {"zone": "a"}},
			"request": {
				"time": "2026-11-24T09:30:00.5Z",
				"http": {
					"id": "1", "method": "GET", "path": "/orders//7?x=1&x=2", "host": "API.example.com:8443", "scheme": "https", "protocol": "HTTP/1.1",
					"headers": {
						":authority": "API.example.com:8443", ":method": "GET", ":path": "/orders//7?x=1&x=2", ":scheme": "https",
						"accept": "*/*", "x-multi": "a,b", "x-request-id": "r-1"
					}
				}
			},
			"contextExtensions": {"postern.route": "order"},
			"metadataContext": {"filterMetadata": {"a": "b"}},
			"tlsSession": {"sni": "api.example.com"}
		},
		"version": {"ext_authz": "v3", "encoding": "protojson"},
		"parsed_path": ["orders", "7"],
		"parsed_query": {"x": ["1", "2"]},
		"parsed_body": null,
		"truncated_body": false,
		"source_principal": "spiffe://example.com/edge",
		"consumer": {
			"name": "mobile", "display_name": "Mobile App", "environment": "prod", "labels": {"team": "mobile"},
			"groups": ["premium"], "roles": ["reader"], "attributes": {"region": "kr", "tier": 3, "tags": ["a", "b"]}
		},
		"credential": {"id": "mobile-key", "kind": "api_key", "scopes": ["orders:read"]},
		"identity": {
			"anonymous": false, "claims": {"sub": "u-1", "realm_access": {"roles": ["reader"]}},
			"scopes": ["orders:read"], "roles": ["reader"], "groups": ["premium"], "issuer": "shop"
		},
		"route": {"name": "order", "path": "/orders/7", "params": {"id": "7"}},
		"time": "2026-11-24T09:30:00.5Z"
	}`)
	if diff := cmp.Diff(want, normal(t, seen(t, "input", question()))); diff != "" {
		t.Error(diff)
	}
}

func TestAnonymousInput(t *testing.T) {
	q := anonymousQuestion()
	q.Route, q.Params, q.Request.Path, q.Request.Time = "", nil, "/", q.Request.Time.In(time.FixedZone("", 3600))
	got := normal(t, seen(t, `[input.consumer, input.credential, input.identity, input.route, input.parsed_path, input.time]`, q))
	want := fromJSON(t, `[
		null, null,
		{"anonymous": true, "claims": {}, "scopes": [], "roles": [], "groups": [], "issuer": ""},
		{"name": "", "path": "/", "params": {}}, [""], "2026-11-24T09:30:00.5Z"
	]`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The request line is one, whatever the header lines claim.
func TestPseudoHeadersAreTheRequestLine(t *testing.T) {
	q := question()
	q.Request.Headers = append(q.Request.Headers, access.Header{Name: ":path", Value: "/other"}, access.Header{Name: ":method", Value: "PUT"})
	for _, ref := range []string{`input.attributes.request.http.headers[":path"]`, `input.attributes.request.http.headers[concat("", [":", "path"])]`} {
		if got := seen(t, ref, q); got != q.Request.RawPath {
			t.Errorf("%s is %v", ref, got)
		}
	}
}

func withBody(contentType, body string) *gate.Question {
	q := question()
	q.Request.Body = []byte(body)
	q.Request.Headers = access.Headers{{Name: "content-type", Value: contentType}}
	return q
}

const multipartBody = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" +
	"--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json\r\n\r\n{\"c\": 2}\r\n" +
	"--b\r\nContent-Disposition: attachment\r\n\r\nno name\r\n--b--\r\n"

func TestParsedBody(t *testing.T) {
	for name, c := range map[string]struct{ contentType, body, want string }{
		"json":          {"application/json; charset=utf-8", `{"a": [1, null]}`, `{"a": [1, null]}`},
		"a big number":  {"application/json", `12345678901234567890`, `12345678901234567890`},
		"form":          {"application/x-www-form-urlencoded", "a=1&a=2&b=%20", `{"a": ["1", "2"], "b": [" "]}`},
		"multipart":     {"multipart/form-data; boundary=b", multipartBody, `{"a": ["1", {"c": 2}]}`},
		"nothing":       {"application/json", "", `null`},
		"text":          {"text/plain", `{"a": 1}`, `null`},
		"grpc":          {"application/grpc", "\x00\x00\x00\x00\x00", `null`},
		"no type at it": {"", `{"a": 1}`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			q := withBody(c.contentType, c.body)
			for _, raw := range []bool{false, true} {
				q.Request.BodyRaw = raw
				if diff := cmp.Diff(fromJSON(t, c.want), normal(t, seen(t, "input.parsed_body", q))); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestTruncatedBody(t *testing.T) {
	told := withBody("application/json", `{"a":`)
	told.Request.BodyTruncated = true
	announced := withBody("application/json", `{"a":`)
	announced.Request.Headers = append(announced.Request.Headers, access.Header{Name: "content-length", Value: "100"})
	for _, q := range []*gate.Question{told, announced} {
		if got := seen(t, "[input.parsed_body, input.truncated_body]", q); !cmp.Equal(got, []any{nil, true}) {
			t.Errorf("got %v", got)
		}
	}
}

// A body in either form; raw bytes are in base64, as protojson has them.
func TestBodyAsItCame(t *testing.T) {
	q := withBody("text/plain", "abc")
	q.Request.Size = 3
	if got := seen(t, "[input.attributes.request.http.body, input.attributes.request.http.size]", q); !cmp.Equal(got, []any{"abc", "3"}) {
		t.Errorf("got %v", got)
	}
	q.Request.BodyRaw = true
	if got := seen(t, "input.attributes.request.http.rawBody", q); got != "YWJj" {
		t.Errorf("got %v", got)
	}
}

// What can't be read is a malformed request where policy reads it: left out, it
// would make a rule that denies undefined. Policies that don't read it don't mind.
func TestUnreadable(t *testing.T) {
	length := withBody("application/json", "{}")
	length.Request.Headers = append(length.Request.Headers, access.Header{Name: "content-length", Value: "2, 2"})
	query := question()
	query.Request.Query = "a=%zz"
	for name, q := range map[string]*gate.Question{
		"no JSON":                withBody("application/json", `{"a": `),
		"JSON and more":          withBody("application/json", `{} {}`),
		"no form":                withBody("application/x-www-form-urlencoded", "a=%zz"),
		"a semicolon":            withBody("application/x-www-form-urlencoded", "a=1;b=2"),
		"no multipart":           withBody("multipart/form-data; boundary=b", "--b\r\nbroken"),
		"no boundary":            withBody("multipart/form-data", multipartBody),
		"no JSON in a part":      withBody("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json\r\n\r\n{\r\n--b--\r\n"),
		"a number like no other": withBody("application/json", `{"n":1e1000000}`),
		"that number in a part":  withBody("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json\r\n\r\n{\"n\":1e1000000}\r\n--b--\r\n"),
		"no length":              length,
		"a query like no other":  query,
	} {
		t.Run(name, func(t *testing.T) {
			reader := rules(t, "default allow := false\nallow if not denied\ndenied if input.parsed_body.amount > 100\ndenied if input.parsed_query.amount")
			d, err := reader.Decide(context.Background(), q)
			var unreadable *access.Unreadable
			if d.Allowed || !errors.As(err, &unreadable) || unreadable.Detail == "" {
				t.Errorf("got %+v, %v; want that it can't be read", d, err)
			}
			if !decide(t, rules(t, `allow if input.route.name == "order"`), q).Allowed {
				t.Error("a policy that doesn't read it minds")
			}
		})
	}
}

// A consumer's attribute of a kind that JSON has no word for is a fault.
func TestInputThatCannotBeGiven(t *testing.T) {
	q := question()
	q.Identity.Consumer.Attributes = map[string]any{"x": make(chan int)}
	if _, err := rules(t, "allow if input.consumer.attributes.x").Decide(context.Background(), q); err == nil {
		t.Error("no error")
	}
}
