package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/extauthz"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// library is a policy in the form that OPA-Envoy's pages teach, about books. Its
// words are its own.
const library = `package envoy.authz

import rego.v1

import input.attributes.request.http

default allow := false

allow if {
	fresh
	permitted
}

default checked := {"allowed": false, "http_status": 403, "body": "not yours", "headers": {"x-desk": "two"}}

checked := {"allowed": true, "headers": {"x-reader": claims.name, "x-shelves": ["a", "b"]}, "request_headers_to_remove": ["x-draft"],
	"response_headers_to_add": {"x-served-by": "desk"}, "dynamic_metadata": {"shelf": 7, "tags": ["new"]}} if {
	allow
}

checked := {"allowed": false, "http_status": 401, "body": "who are you?", "headers": {"www-authenticate": "Bearer"}, "dynamic_metadata": {"stranger": true}} if {
	not fresh
}

result["allowed"] := allow

result["headers"] := [{"x-one": "1"}, {"x-two": ["2", "3"]}]

result["http_status"] := 302 if not allow

result["body"] := "go there" if not allow

result["query_parameters_to_set"] := {"reader": claims.name} if allow

result["query_parameters_to_remove"] := ["draft"] if allow

fresh if {
	[valid, _, _] := verified
	valid
	seconds := time.now_ns() / 1000000000
	claims.nbf <= seconds
	seconds < claims.exp
}

claims := verified[2]

verified := io.jwt.decode_verify(encoded, {"secret": "demo-secret-of-at-least-thirty-two-bytes!"}) if {
	[_, encoded] := split(http.headers.authorization, " ")
}

permitted if {
	http.method == "GET"
	claims.role in {"reader", "librarian"}
	glob.match("/books/*", ["/"], http.path)
}

permitted if {
	http.method == "POST"
	claims.role == "librarian"
	input.parsed_path == ["books"]
	input.parsed_body.author != claims.name
}

default by_query := false

by_query if {
	input.parsed_path == ["books"]
	input.parsed_query.lang == ["en"]
	input.parsed_query.id == ["1", "2"]
}

default by_message := false

by_message if {
	not input.truncated_body
	input.parsed_body.shipTo == "Seoul"
	to_number(input.parsed_body.amount) < 100
}

default whole := false

whole if not input.truncated_body
`

// envoyGate judges as a deployment that took over from OPA-Envoy does: policy
// alone proves and decides.
func envoyGate(t *testing.T, entry string, dryRun bool) *extauthz.Server {
	t.Helper()
	s := embedded(t, map[string]string{"policy.rego": library}, described(t), func(o *policy.Options) {
		o.Entrypoints = nil
		for _, rule := range []string{"allow", "checked", "result", "by_query", "by_message", "whole"} {
			o.Entrypoints = append(o.Entrypoints, "envoy/authz/"+rule)
		}
	})
	rules, err := gate.NewRules(gate.Config{Policy: s, DryRun: dryRun, Default: gate.Route{Anonymous: true, Entrypoint: "envoy/authz/" + entry}})
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return question().Request.Time }
	g := gate.New(silent{}, now, func() string { return "d-1" })
	g.Swap(rules)
	return extauthz.New(g, extauthz.Options{Now: now})
}

type silent struct{}

func (silent) Record(*access.Request, *access.Verdict, time.Duration) {}

// told is what Envoy is told, without what Postern adds to every answer.
type told struct {
	Status   int // 200 is an allow
	Body     string
	Headers  []string // to the upstream on an allow, to the client on a denial
	Response []string
	Remove   []string
	Set, Cut []string
	Metadata string
}

func tell(t *testing.T, server *extauthz.Server, check *authv3.CheckRequest) told {
	t.Helper()
	answer, err := server.Check(t.Context(), check)
	if err != nil {
		t.Fatal(err)
	}
	got := told{Status: 200}
	if denied := answer.GetDeniedResponse(); denied != nil {
		got.Status, got.Body, got.Headers = int(denied.GetStatus().GetCode()), denied.GetBody(), lines(denied.GetHeaders())
	}
	if allowed := answer.GetOkResponse(); allowed != nil {
		got.Headers, got.Response = lines(allowed.GetHeaders()), lines(allowed.GetResponseHeadersToAdd())
		got.Remove = slices.DeleteFunc(slices.Clone(allowed.GetHeadersToRemove()), func(name string) bool { return strings.EqualFold(name, "x-decision-id") })
		for _, p := range allowed.GetQueryParametersToSet() {
			got.Set = append(got.Set, p.GetKey()+"="+p.GetValue())
		}
		got.Cut = allowed.GetQueryParametersToRemove()
	}
	if (got.Status == 200) != (answer.GetStatus().GetCode() == 0) {
		t.Errorf("the gRPC status is %d", answer.GetStatus().GetCode())
	}
	fields := answer.GetDynamicMetadata().GetFields()
	if fields["decision_id"].GetStringValue() != "d-1" {
		t.Error("the metadata has no decision_id")
	}
	delete(fields, "decision_id")
	if len(fields) > 0 {
		text, _ := answer.GetDynamicMetadata().MarshalJSON()
		got.Metadata = strings.ReplaceAll(strings.ReplaceAll(string(text), " ", ""), "\n", "")
	}
	slices.Sort(got.Headers)
	return got
}

func lines(options []*corev3.HeaderValueOption) (all []string) {
	for _, o := range options {
		name, value := o.GetHeader().GetKey(), o.GetHeader().GetValue()
		if raw := o.GetHeader().GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		switch strings.ToLower(name) {
		case "x-decision-id", "x-postern-code", "content-type":
			continue
		}
		all = append(all, strings.ToLower(name)+": "+value)
	}
	return all
}

func bookToken(t *testing.T, role, name string) string {
	t.Helper()
	at := question().Request.Time
	return signedToken(t, map[string]any{"role": role, "name": name, "nbf": at.Add(-time.Hour).Unix(), "exp": at.Add(time.Hour).Unix()})
}

// checkOf is a CheckRequest as Envoy makes one. Body is in protojson: "body" or
// "rawBody", with its name.
func checkOf(t *testing.T, method, path, headers, body string) *authv3.CheckRequest {
	t.Helper()
	text := fmt.Sprintf(`{"attributes": {"request": {"http": {"method": %q, "path": %q, "host": "books.example.com", "headers": {%s}%s}}}}`, method, path, headers, body)
	check := &authv3.CheckRequest{}
	if err := protojson.Unmarshal([]byte(text), check); err != nil {
		t.Fatal(err)
	}
	return check
}

// TestEnvoyDocumentationEndToEnd gives policies in the documented forms to the
// gRPC door, and looks at what Envoy is told.
func TestEnvoyDocumentationEndToEnd(t *testing.T) {
	reader := `"authorization": "Bearer ` + bookToken(t, "reader", "ann") + `"`
	librarian := `"authorization": "Bearer ` + bookToken(t, "librarian", "bo") + `"`
	old := `"authorization": "Bearer ` + signedToken(t, map[string]any{"role": "reader", "name": "ann", "nbf": 1, "exp": 2}) + `"`
	json := `, "content-type": "application/json"`
	grpc := `"content-type": "application/grpc"`
	message := func(body string) string { return `, "rawBody": "` + base64Of(body) + `"` }
	seoul := framed(numberField(2, 7) + textField(11, "Seoul"))
	standard := `{"code":"denied_by_policy","message":"Policy does not allow this request.","decision_id":"d-1"}`
	no := told{Status: 403, Body: standard}
	for name, c := range map[string]struct {
		entry, method, path, headers, body string
		want                               told
	}{
		"a boolean that allows":          {"allow", "GET", "/books/7", reader, "", told{Status: 200}},
		"a boolean that denies":          {"allow", "GET", "/desks/7", reader, "", no},
		"a token after its end":          {"allow", "GET", "/books/7", old, "", no},
		"no token":                       {"allow", "GET", "/books/7", "", "", no},
		"a body that allows":             {"allow", "POST", "/books", librarian + json, `, "body": "{\"author\": \"cy\"}"`, told{Status: 200}},
		"a body that denies":             {"allow", "POST", "/books", librarian + json, `, "body": "{\"author\": \"bo\"}"`, no},
		"a body as bytes":                {"allow", "POST", "/books", librarian + json, message(`{"author": "cy"}`), told{Status: 200}},
		"a body in part":                 {"allow", "POST", "/books", librarian + json + `, "content-length": "999"`, `, "body": "{\"author\": \"cy\"}"`, no},
		"a body that is no JSON":         {"allow", "POST", "/books", librarian + json, `, "body": "{"`, told{Status: 400, Body: `{"code":"malformed_request","message":"The request can't be read safely.","decision_id":"d-1"}`}},
		"a query":                        {"by_query", "GET", "/books?lang=en&id=1&id=2", "", "", told{Status: 200}},
		"another query":                  {"by_query", "GET", "/books?lang=en&id=2&id=1", "", "", no},
		"an object that allows":          {"checked", "GET", "/books/7", reader, "", told{Status: 200, Headers: []string{"x-reader: ann", "x-shelves: a", "x-shelves: b"}, Response: []string{"x-served-by: desk"}, Remove: []string{"x-draft"}, Metadata: `{"shelf":7,"tags":["new"]}`}},
		"an object that denies":          {"checked", "GET", "/desks", reader, "", told{Status: 403, Body: "not yours", Headers: []string{"x-desk: two"}}},
		"a status and metadata":          {"checked", "GET", "/books/7", old, "", told{Status: 401, Body: "who are you?", Headers: []string{"www-authenticate: Bearer"}, Metadata: `{"stranger":true}`}},
		"members of a result, an allow":  {"result", "GET", "/books/7", librarian, "", told{Status: 200, Headers: []string{"x-one: 1", "x-two: 2", "x-two: 3"}, Set: []string{"reader=bo"}, Cut: []string{"draft"}}},
		"members of a result, a denial":  {"result", "GET", "/desks", librarian, "", told{Status: 302, Body: "go there", Headers: []string{"x-one: 1", "x-two: 2", "x-two: 3"}}},
		"a message":                      {"by_message", "POST", place, grpc, message(seoul), told{Status: 200}},
		"another message":                {"by_message", "POST", place, grpc, message(framed(textField(11, "Busan"))), no},
		"a message to nobody known":      {"by_message", "POST", "/shop.v1.Nobody/Place", grpc, message(seoul), no},
		"a message in part":              {"whole", "POST", place, grpc, message(seoul[:8]), no},
		"a message that is none":         {"by_message", "POST", place, grpc, message(framed("\xff")), told{Status: 400, Body: `{"code":"malformed_request","message":"The request can't be read safely.","decision_id":"d-1"}`}},
		"a message that nothing asks of": {"by_query", "POST", place, grpc, message("\xff"), no},
	} {
		t.Run(name, func(t *testing.T) {
			check := checkOf(t, c.method, c.path, c.headers, c.body)
			if diff := cmp.Diff(c.want, tell(t, envoyGate(t, c.entry, false), check), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			dry := c.want
			if dry.Status != 200 && dry.Status != 400 { // as there, a dry run keeps the metadata of a denial and nothing else
				dry = told{Status: 200, Metadata: c.want.Metadata}
			}
			if diff := cmp.Diff(dry, tell(t, envoyGate(t, c.entry, true), check), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("on a dry run: %s", diff)
			}
		})
	}
}
