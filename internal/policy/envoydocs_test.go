package policy_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/extauthz"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// envoyPage tells users of OPA-Envoy what is the same here and what is not.
const envoyPage = "../../deploy/opa-envoy/README.md"

// fromEnvoy reads a CheckRequest in protojson as the gRPC door does.
func fromEnvoy(t *testing.T, text, entry string) (*authv3.CheckRequest, *gate.Question) {
	t.Helper()
	check := &authv3.CheckRequest{}
	if err := protojson.Unmarshal([]byte(text), check); err != nil {
		t.Fatal(err)
	}
	request := extauthz.Read(check, extauthz.Options{Now: func() time.Time { return question().Request.Time }})
	return check, &gate.Question{Request: request, Identity: access.AnonymousIdentity(), Entrypoint: entry}
}

// people is a request as Envoy tells of it, whole.
const people = `{"attributes": {
	"source": {"address": {"socketAddress": {"address": "172.17.0.1", "portValue": 61402}}, "principal": "spiffe://example.com/web"},
	"destination": {"address": {"socketAddress": {"address": "172.17.0.6", "portValue": 8000}}, "service": "people", "labels": {"app": "people"}},
	"request": {"time": "2020-11-20T09:47:47.722473Z", "http": {
		"id": "13519049518330544501", "method": "POST", "host": "people.example.com:8000", "path": "/people/7?lang=en&id=1&id=2", "scheme": "http", "protocol": "HTTP/1.1",
		"headers": {":authority": "people.example.com:8000", ":method": "POST", ":path": "/people/7?lang=en&id=1&id=2", ":scheme": "http", "accept": "*/*", "content-length": "41", "content-type": "application/json", "x-request-id": "7bca5c86"},
		"body": "{\"firstname\":\"Charlie\",\"lastname\":\"Opa\"}  ", "size": "41"
	}},
	"contextExtensions": {"virtual_host": "people"},
	"metadataContext": {"filterMetadata": {"envoy.filters.http.jwt_authn": {"verified_jwt": {"email": "alice@example.com", "exp": 1569026124, "groups": ["a"]}}}},
	"tlsSession": {"sni": "people.example.com"}
}}`

// The input is what OPA-Envoy makes of a CheckRequest: the message in protojson
// and what was parsed of it. The time alone differs, and the page says so: it is
// Postern's own.
func TestEnvoyInput(t *testing.T) {
	echo := rules(t, `allow := {"allowed": true, "dynamic_metadata": {"input": input}}`)
	check, q := fromEnvoy(t, people, entrypoint)
	got, isObject := decide(t, echo, q).Metadata["input"].(map[string]any)
	if !isObject {
		t.Fatal("no input")
	}
	whole, err := protojson.Marshal(check)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(whole)))
	decoder.UseNumber()
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"parsed_path":      `["people", "7"]`,
		"parsed_query":     `{"lang": ["en"], "id": ["1", "2"]}`,
		"parsed_body":      `{"firstname": "Charlie", "lastname": "Opa"}`,
		"truncated_body":   `false`,
		"version":          `{"ext_authz": "v3", "encoding": "protojson"}`,
		"source_principal": `"spiffe://example.com/web"`,
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		want[name] = value
	}
	for _, own := range []string{"consumer", "credential", "identity", "route", "time"} {
		delete(got, own)
	}
	for _, input := range []map[string]any{got, want} {
		attributes, _ := input["attributes"].(map[string]any)
		request, _ := attributes["request"].(map[string]any)
		delete(request, "time")
	}
	// A number is equal however it is written.
	numbers := cmp.Transformer("number", func(n json.Number) float64 { f, _ := n.Float64(); return f })
	if diff := cmp.Diff(want, got, numbers); diff != "" {
		t.Error(diff)
	}
}

// documented are policies in the forms of OPA-Envoy's documentation, each an
// entry point of its own.
const documented = `package envoy.authz

import rego.v1

import input.attributes.request.http

default by_path := false

by_path if input.parsed_path == ["people", "7"]

default by_query := false

by_query if {
	input.parsed_query.lang == ["en"]
	input.parsed_query.id == ["1", "2"]
}

default by_body := false

by_body if {
	not input.truncated_body
	input.parsed_body.firstname == "Charlie"
	input.parsed_body.lastname == "Opa"
}

default by_version := false

by_version if input.version == {"ext_authz": "v3", "encoding": "protojson"}

default by_address := false

by_address if {
	input.attributes.source.address.socketAddress.address == "172.17.0.1"
	input.attributes.source.address.socketAddress.portValue == 61402
	input.attributes.destination.address.socketAddress.portValue == 8000
}

default by_metadata := false

by_metadata if {
	token := input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].verified_jwt
	token.email == "alice@example.com"
	token.exp == 1569026124
}

default by_principal := false

by_principal if {
	input.source_principal == "spiffe://example.com/web"
	input.attributes.source.principal == input.source_principal
}

default by_extension := false

by_extension if input.attributes.contextExtensions.virtual_host == "people"

default by_header := false

by_header if {
	http.headers["x-request-id"] == "7bca5c86"
	http.headers[":authority"] == http.host
	glob.match("/people/*", ["/"], split(http.path, "?")[0])
}

default by_role := false

by_role if {
	some role in {"alice": ["guest"], "bob": ["admin"]}[user]
	some permission in {"guest": [["GET", "/people"]], "admin": [["GET", "/people"], ["POST", "/people"]]}[role]
	permission == [http.method, concat("/", ["", input.parsed_path[0]])]
}

user := name if {
	[_, encoded] := split(http.headers.authorization, " ")
	[name, _] := split(base64.decode(encoded), ":")
}

# An answer made member by member; what is undefined is left out.
answer.allowed := by_role

answer.headers["x-ext-auth-allow"] := "yes" if by_role

answer.headers.location := "https://login.example.com/" if not by_role

answer.http_status := status

answer.body := "Authentication failed" if status == 302

answer.response_headers_to_add["x-served"] := "yes" if by_role

answer.request_headers_to_remove := ["one-auth-header", "another-auth-header"]

answer.query_parameters_to_set := {"user": user} if by_role

answer.query_parameters_to_remove := ["token"] if by_role

answer.dynamic_metadata := {"user": user} if by_role

status := 200 if by_role

else := 302

cookies := {"allowed": true, "response_headers_to_add": [{"set-cookie": "a=1"}, {"set-cookie": ["b=2", "c=3"]}]}
`

func documentedSnapshot(t *testing.T) *policy.Snapshot {
	t.Helper()
	return embedded(t, map[string]string{"policy.rego": documented}, func(o *policy.Options) {
		o.Entrypoints = nil
		for _, rule := range []string{"path", "query", "body", "version", "address", "metadata", "principal", "extension", "header", "role"} {
			o.Entrypoints = append(o.Entrypoints, "envoy/authz/by_"+rule)
		}
		o.Entrypoints = append(o.Entrypoints, "envoy/authz/answer", "envoy/authz/cookies")
	})
}

func TestDocumentedPolicies(t *testing.T) {
	s := documentedSnapshot(t)
	for rule, spoilt := range map[string][2]string{
		"path":      {`"/people/7?`, `"/people?`},
		"query":     {`id=1&id=2", "scheme`, `id=2&id=1", "scheme`},
		"body":      {`Opa\"}  "`, `Opa\"}"`}, // shorter than announced
		"version":   {},
		"address":   {"61402", "61403"},
		"metadata":  {"1569026124", "1569026125"},
		"principal": {"spiffe://example.com/web", "spiffe://example.com/other"},
		"extension": {`"virtual_host": "people"`, `"virtual_host": "orders"`},
		"header":    {"7bca5c86", "7bca5c87"},
	} {
		entry := "envoy/authz/by_" + rule
		if _, q := fromEnvoy(t, people, entry); !decide(t, s, q).Allowed {
			t.Errorf("%s: denied", rule)
		}
		other := strings.ReplaceAll(people, spoilt[0], spoilt[1])
		if spoilt[0] == "" {
			continue
		}
		if _, q := fromEnvoy(t, other, entry); other == people || decide(t, s, q).Allowed {
			t.Errorf("%s: allowed without what it asks for", rule)
		}
	}
}

func TestDocumentedAnswers(t *testing.T) {
	s := documentedSnapshot(t)
	ask := func(entry, name, method string) access.Decision {
		q := envoyQuestion("envoy/authz/"+entry, method, "/people", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":password")))
		return decide(t, s, q)
	}
	for _, c := range []struct {
		user, method string
		want         bool
	}{{"alice", "GET", true}, {"alice", "POST", false}, {"bob", "POST", true}, {"carol", "GET", false}} {
		if got := ask("by_role", c.user, c.method).Allowed; got != c.want {
			t.Errorf("%s %s: %v", c.user, c.method, got)
		}
	}
	want := access.Decision{
		Allowed: true, RemoveHeaders: []string{"one-auth-header", "another-auth-header"},
		Headers:         []access.Header{{Name: "x-ext-auth-allow", Value: "yes"}},
		ResponseHeaders: []access.Header{{Name: "x-served", Value: "yes"}},
		SetQuery:        []access.Param{{Name: "user", Value: "bob"}}, RemoveQuery: []string{"token"},
		Metadata: map[string]any{"user": "bob"},
	}
	if diff := cmp.Diff(want, ask("answer", "bob", "POST")); diff != "" {
		t.Error(diff)
	}
	want = access.Decision{
		Status: 302, Body: "Authentication failed", HasBody: true,
		Headers: []access.Header{{Name: "location", Value: "https://login.example.com/"}},
	}
	if diff := cmp.Diff(want, ask("answer", "alice", "POST")); diff != "" {
		t.Error(diff)
	}
	want = access.Decision{Allowed: true, ResponseHeaders: []access.Header{
		{Name: "set-cookie", Value: "a=1"}, {Name: "set-cookie", Value: "b=2"}, {Name: "set-cookie", Value: "c=3"},
	}}
	if diff := cmp.Diff(want, ask("cookies", "alice", "GET")); diff != "" {
		t.Error(diff)
	}
}

// What the page says is other than with OPA-Envoy.
func TestEnvoyDifferences(t *testing.T) {
	s := rules(t, `allow if { input.parsed_path == ["a", "b"]; input.attributes.request.http.path == "/x/..//a/%62" }`)
	_, q := fromEnvoy(t, `{"attributes": {"request": {"http": {"method": "GET", "path": "/x/..//a/%62", "host": "a.test"}}}}`, entrypoint)
	if !decide(t, s, q).Allowed {
		t.Error("parsed_path is not the canonical path beside the raw one")
	}
	_, q = fromEnvoy(t, `{"attributes": {"request": {"http": {"method": "GET", "path": "/a%2Fb", "host": "a.test"}}}}`, entrypoint)
	if q.Request.Malformed == "" {
		t.Error("an encoded slash comes as far as policy")
	}
	form := strings.ReplaceAll(strings.ReplaceAll(people, "application/json", "application/x-www-form-urlencoded"), `{\"firstname\":\"Charlie\",\"lastname\":\"Opa\"}  `, "a=1&a=2")
	_, q = fromEnvoy(t, form, entrypoint)
	if d := decide(t, rules(t, "allow if input.truncated_body\n\nallow if input.parsed_body"), q); !d.Allowed {
		t.Error("a form that is shorter than announced is not told")
	}
	unknown := rules(t, `allow := {"allowed": false, "status_code": 401}`)
	if d := decide(t, unknown, question()); d.Status != 0 || d.Allowed {
		t.Errorf("status_code: %+v", d)
	}
}

// TestEnvoyPage wants every field of the input, every member of a result and
// every setting that OPA-Envoy has on the page.
func TestEnvoyPage(t *testing.T) {
	text, err := os.ReadFile(envoyPage)
	if err != nil {
		t.Fatal(err)
	}
	names := append(envoyFields(policy.InputNames()), "allowed", "headers", "response_headers_to_add", "request_headers_to_remove",
		"query_parameters_to_set", "query_parameters_to_remove", "http_status", "body", "dynamic_metadata")
	names = append(names, "addr", "path", "query", "dry-run", "proto-descriptor", "skip-request-body-parse", "grpc-max-recv-msg-size", "grpc-max-send-msg-size",
		"enable-reflection", "enable-performance-metrics", "grpc-request-duration-seconds-buckets")
	for _, name := range names {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("the page does not speak of `%s`", name)
		}
	}
}

// envoyFields are the names that OPA-Envoy has too.
func envoyFields(all []string) (names []string) {
	for _, name := range all {
		first, _, _ := strings.Cut(name, ".")
		switch first {
		case "consumer", "credential", "identity", "route", "time":
			continue
		}
		names = append(names, strings.Replace(name, "attributes.destination.", "attributes.source.", 1))
	}
	return names
}
