package policies_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/extauthz"
	"github.com/postern-authz/postern/internal/forwardauth"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

const entrypoint = "postern/authz/allow"

// compiled is a policy of package postern.authz with these rules.
func compiled(t *testing.T, rules string) *policy.Snapshot {
	t.Helper()
	files := fstest.MapFS{"authz.rego": {Data: []byte("package postern.authz\n\nimport rego.v1\n\n" + rules + "\n")}}
	s, err := policy.Compile(context.Background(), policy.Options{Embedded: files, Entrypoints: []string{entrypoint}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func schemaOf(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("schema", name))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestInputSchema holds the schema against the input that policy is really
// given of requests through every door: the schema names all of it, and nothing
// else.
func TestInputSchema(t *testing.T) {
	schema, echo := schemaOf(t, "input.jsonschema"), compiled(t, `allow := {"allowed": true, "dynamic_metadata": {"input": input}}`)
	seen := map[string]bool{}
	for _, q := range questions(t) {
		d, err := echo.Decide(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		input := d.Metadata["input"]
		if err := schema.Validate(input); err != nil {
			t.Errorf("%s %s: %v", q.Request.Method, q.Request.RawPath, err)
		}
		fieldsOf(input, "input", seen)
	}
	for _, name := range propertiesOf(t) {
		if !seen[name] {
			t.Errorf("the schema names %s, which no input had", name)
		}
	}
}

func fieldsOf(value any, at string, seen map[string]bool) {
	seen[at] = true
	if object, isObject := value.(map[string]any); isObject {
		for name, member := range object {
			fieldsOf(member, at+"."+name, seen)
		}
	}
}

// propertiesOf lists the fields that the schema names.
func propertiesOf(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("schema/input.jsonschema")
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(schema any, at string)
	walk = func(schema any, at string) {
		object, _ := schema.(map[string]any)
		properties, _ := object["properties"].(map[string]any)
		for name, below := range properties {
			names = append(names, at+"."+name)
			walk(below, at+"."+name)
		}
	}
	walk(root, "input")
	slices.Sort(names)
	return names
}

// questions are what the doors read, each asked with a credential and without.
func questions(t *testing.T) (all []*gate.Question) {
	t.Helper()
	requests := append(envoyRequests(t), forwarded(t)...)
	for _, request := range requests {
		if request.Malformed != "" {
			t.Fatalf("%s: %s", request.RawPath, request.Malformed)
		}
		for _, identity := range []*access.Identity{identity(), access.AnonymousIdentity()} {
			all = append(all, &gate.Question{
				Request: request, Identity: identity, Route: "order",
				Params: []access.Param{{Name: "id", Value: "7"}}, Entrypoint: entrypoint,
			})
		}
	}
	return all
}

func identity() *access.Identity {
	return &access.Identity{
		Consumer: &access.Consumer{
			Name: "mobile", DisplayName: "Mobile", Environment: "prod", Labels: map[string]string{"team": "mobile"},
			Groups: []string{"premium"}, Roles: []string{"reader"}, Attributes: map[string]any{"tier": 3, "regions": []any{"kr"}},
		},
		Credential: &access.Credential{ID: "mobile-key", Kind: access.KindAPIKey, Scopes: []string{"orders:read"}},
		Claims:     map[string]any{"sub": "u-1", "realm_access": map[string]any{"roles": []any{"reader"}}},
		Scopes:     []string{"orders:read"}, Roles: []string{"reader"}, Groups: []string{"premium"}, Issuer: "shop",
	}
}

func envoyRequests(t *testing.T) (all []*access.Request) {
	t.Helper()
	peer := func(address string) *authv3.AttributeContext_Peer {
		return &authv3.AttributeContext_Peer{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 4711},
			}}},
			Principal: "spiffe://example.com/edge", Certificate: "-----BEGIN%20CERTIFICATE-----", Service: "edge", Labels: map[string]string{"zone": "a"},
		}
	}
	filter, err := structpb.NewStruct(map[string]any{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	metadata := &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"envoy.filters.http.jwt_authn": filter}}
	full := func(http *authv3.AttributeContext_HttpRequest) *authv3.CheckRequest {
		return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source: peer("192.0.2.1"), Destination: peer("192.0.2.2"),
			Request:           &authv3.AttributeContext_Request{Http: http},
			ContextExtensions: map[string]string{"tier": "gold"},
			MetadataContext:   metadata, RouteMetadataContext: metadata,
			TlsSession: &authv3.AttributeContext_TLSSession{Sni: "api.example.com"},
		}}
	}
	headers := func(contentType string) map[string]string {
		return map[string]string{
			":method": "POST", ":path": "/orders/7?x=1&x=2", ":authority": "api.example.com", ":scheme": "https",
			"content-type": contentType, "accept": "*/*",
		}
	}
	http := func(contentType, body string, raw []byte) *authv3.AttributeContext_HttpRequest {
		return &authv3.AttributeContext_HttpRequest{
			Id: "1", Method: "POST", Path: "/orders/7?x=1&x=2", Host: "api.example.com", Scheme: "https", Protocol: "HTTP/2",
			Headers: headers(contentType), Size: int64(len(body) + len(raw)), Body: body, RawBody: raw,
		}
	}
	form := "multipart/form-data; boundary=b"
	partial := http("application/json", `{"a`, nil)
	partial.Headers["x-envoy-auth-partial-body"] = "true"
	for _, check := range []*authv3.CheckRequest{
		full(http("application/json", `{"a": [1, null]}`, nil)),
		full(http("application/json", "", []byte(`"text"`))),
		full(http("application/x-www-form-urlencoded", "a=1&a=2", nil)),
		full(http(form, "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n", nil)),
		full(http("text/plain", "text", nil)),
		full(partial),
		{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/", Host: "api.example.com", Headers: map[string]string{":method": "GET", ":path": "/", ":authority": "api.example.com"},
		}}}},
	} {
		all = append(all, extauthz.Read(check, extauthz.Options{Now: noon}))
	}
	return all
}

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// kept keeps the requests that it is asked about.
type kept struct{ requests []*access.Request }

func (k *kept) Check(_ context.Context, r *access.Request) access.Verdict {
	k.requests = append(k.requests, r)
	return access.Allow()
}

// forwarded are the same request through every HTTP door.
func forwarded(t *testing.T) []*access.Request {
	t.Helper()
	var door kept
	trusted := canon.NewTrusted([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	handler := forwardauth.New(&door, forwardauth.Options{Trusted: trusted, Now: noon})
	gateways := []string{"apisix", "caddy", "envoy", "haproxy", "nginx", "traefik"}
	for _, gateway := range gateways {
		target := "/forward-auth/" + gateway
		if gateway == "envoy" {
			target += "/orders/7?x=1"
		}
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Host, r.RemoteAddr = "api.example.com", "192.0.2.9:4711"
		for name, value := range map[string]string{
			"X-Forwarded-Uri": "/orders/7?x=1", "X-Forwarded-Method": "GET", "X-Forwarded-Host": "api.example.com", "X-Forwarded-Proto": "https",
			"X-Forwarded-For": "203.0.113.9", "X-Original-Uri": "/orders/7?x=1", "X-Original-Method": "GET", "X-Original-Host": "api.example.com",
		} {
			r.Header.Set(name, value)
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	if len(door.requests) != len(gateways) || len(gateways) != len(forwardauth.Dialects()) {
		t.Fatalf("%d of %d doors asked", len(door.requests), len(forwardauth.Dialects()))
	}
	return door.requests
}

// TestResultSchema holds the schema of results against what is obeyed.
func TestResultSchema(t *testing.T) {
	schema := schemaOf(t, "result.jsonschema")
	for answer, obeyed := range map[string]bool{
		`true`:                         true,
		`false`:                        true,
		`null`:                         false,
		`1`:                            false,
		`"yes"`:                        false,
		`[true]`:                       false,
		`{}`:                           false,
		`{"allowed": "true"}`:          false,
		`{"allowed": true}`:            true,
		`{"allowed": true, "more": 1}`: true,
		`{"allowed": true, "headers": {"x-a": "b", "x-c": ["d", "e"]}}`:        true,
		`{"allowed": true, "headers": [{"x-a": "b"}, {"x-a": ["c"]}]}`:         true,
		`{"allowed": true, "headers": ["x-a"]}`:                                false,
		`{"allowed": true, "headers": {"x-a": 1}}`:                             false,
		`{"allowed": true, "headers": {"x a": "b"}}`:                           false,
		`{"allowed": true, "headers": {"x-a": "b\nc: d"}}`:                     false,
		`{"allowed": true, "response_headers_to_add": {"x-a": "b"}}`:           true,
		`{"allowed": true, "response_headers_to_add": "x-a"}`:                  false,
		`{"allowed": true, "request_headers_to_remove": ["x-a"]}`:              true,
		`{"allowed": true, "request_headers_to_remove": ["x a"]}`:              false,
		`{"allowed": true, "request_headers_to_remove": "x-a"}`:                false,
		`{"allowed": true, "query_parameters_to_set": {"a": "b", "c": ["d"]}}`: true,
		`{"allowed": true, "query_parameters_to_set": [{"a": "b"}]}`:           false,
		`{"allowed": true, "query_parameters_to_remove": ["a"]}`:               true,
		`{"allowed": true, "query_parameters_to_remove": [1]}`:                 false,
		`{"allowed": true, "http_status": 200}`:                                true,
		`{"allowed": false, "http_status": 302, "headers": {"location": "/"}}`: true,
		`{"allowed": false, "http_status": 200}`:                               false,
		`{"allowed": false, "http_status": 600}`:                               false,
		`{"allowed": false, "http_status": "403"}`:                             false,
		`{"allowed": false, "http_status": 403.5}`:                             false,
		`{"allowed": false, "body": "no"}`:                                     true,
		`{"allowed": false, "body": {"why": "no"}}`:                            false,
		`{"allowed": true, "dynamic_metadata": {"a": [1, {"b": null}]}}`:       true,
		`{"allowed": true, "dynamic_metadata": ["a"]}`:                         false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
		if err != nil {
			t.Fatal(err)
		}
		if valid := schema.Validate(value) == nil; valid != obeyed {
			t.Errorf("%s: the schema says %v, want %v", answer, valid, obeyed)
		}
		d, err := compiled(t, "allow := "+answer).Decide(context.Background(), questions(t)[0])
		if got := err == nil && d.Detail == ""; got != obeyed {
			t.Errorf("%s: obeyed: %v (%+v, %v), want %v", answer, got, d, err, obeyed)
		}
	}
}

// check compiles modules as `opa check --strict --schema schema` does.
func check(t *testing.T, texts map[string][]byte) error {
	t.Helper()
	schemas, err := loader.Schemas("schema")
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]*ast.Module{}
	for name, text := range texts {
		module, err := ast.ParseModuleWithOpts(name, string(text), ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			t.Fatal(err)
		}
		modules[name] = module
	}
	compiler := ast.NewCompiler().WithStrict(true).WithSchemas(schemas).WithUseTypeCheckAnnotations(true)
	if compiler.Compile(modules); compiler.Failed() {
		return compiler.Errors
	}
	return nil
}

// TestChecked checks the library against the schema of input, to which each of
// its modules owes itself by an annotation with a title and a description.
func TestChecked(t *testing.T) {
	names, err := filepath.Glob("*.rego")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string][]byte{}
	for _, name := range names {
		if texts[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		for _, wanted := range []string{"# METADATA\n# title: ", "\n# description: |\n#   ", "\n# schemas:\n#   - input: schema.input\npackage "} {
			if !bytes.Contains(texts[name], []byte(wanted)) {
				t.Errorf("%s has no %q", name, wanted)
			}
		}
	}
	if err := check(t, texts); err != nil {
		t.Error(err)
	}
}

// A slip of the pen is told, so that the schema is of use.
func TestCheckedSlips(t *testing.T) {
	const head = "# METADATA\n# schemas:\n#   - input: schema.input\npackage postern.authz\n\nimport rego.v1\n\n"
	for expression, told := range map[string]bool{
		`input.consumer.name == "mobile"`:                                      false,
		`input.consumer.labels.team == "mobile"`:                               false,
		`input.consumer.attributes.regions[_] == "kr"`:                         false,
		`input.attributes.request.http.headers["x-a"] == "b"`:                  false,
		`input.parsed_path[0] == "orders"`:                                     false,
		`input.parsed_query.lang[0] == "en"`:                                   false,
		`input.parsed_body.name == "x"`:                                        false,
		`input.attributes.metadataContext.filterMetadata["a"].b == 1`:          false,
		`input.identity.claims.realm_access.roles[_] == "reader"`:              false,
		`"a" in input.identity.roles`:                                          false,
		`input.attributes.source.address.socketAddress.portValue == 4711`:      false,
		`input.consumr.name == "mobile"`:                                       true,
		`input.consumer.nmae == "mobile"`:                                      true,
		`input.identity.role == "reader"`:                                      true,
		`input.attributes.request.http.header["x-a"] == "b"`:                   true,
		`input.attributes.source.address.SocketAddress.address == "192.0.2.1"`: true,
		`input.parsed_path.orders`:                                             true,
		`startswith(input.parsed_path, "orders")`:                              true,
		`input.identity.anonymous`:                                             false,
		// OPA knows no type for an object or null: the price of the slips above.
		`input.consumer == null`:       true,
		`not input.credential`:         false,
		`input.route.params.id == "7"`: false,
		`input.route.parms.id == "7"`:  true,
	} {
		err := check(t, map[string][]byte{"authz.rego": []byte(head + "allow if " + expression + "\n")})
		if (err != nil) != told {
			t.Errorf("%s: got %v, want an error: %v", expression, err, told)
		}
	}
}
