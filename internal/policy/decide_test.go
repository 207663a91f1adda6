package policy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

func TestExamplePolicies(t *testing.T) {
	s, err := policy.Compile(context.Background(), policy.Options{Directory: example, Entrypoints: []string{entrypoint, "envoy/authz/allow"}})
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*gate.Question)) *gate.Question {
		q := question()
		change(q)
		return q
	}
	legacy := func(method string) *gate.Question {
		return with(func(q *gate.Question) {
			q.Entrypoint, q.Route = "envoy/authz/allow", "legacy"
			q.Request.Path, q.Request.Method = "/legacy/x", method
		})
	}
	for name, c := range map[string]struct {
		q    *gate.Question
		want access.Decision
	}{
		"a reader reads":         {question(), access.Decision{Allowed: true}},
		"a reader doesn't write": {with(func(q *gate.Question) { q.Request.Method = "PUT" }), access.Decision{}},
		"the scope writes": {with(func(q *gate.Question) {
			q.Request.Method, q.Identity.Scopes = "PUT", []string{"orders:write"}
		}), access.Decision{Allowed: true}},
		"another's order": {with(func(q *gate.Question) { q.Identity.Consumer.Labels["order_prefix"] = "9" }), access.Decision{}},
		"health":          {with(func(q *gate.Question) { q.Identity, q.Route = access.AnonymousIdentity(), "health" }), access.Decision{Allowed: true}},
		"anonymous":       {anonymousQuestion(), access.Decision{}},
		"admin": {with(func(q *gate.Question) {
			q.Request.Method, q.Identity.Roles = "DELETE", []string{"admin"}
		}), access.Decision{Allowed: true}},
		"envoy allows": {legacy("GET"), access.Decision{
			Allowed: true, Headers: []access.Header{{Name: "x-legacy-user", Value: "mobile"}}, RemoveHeaders: []string{"x-secret"},
		}},
		"envoy denies": {legacy("POST"), access.Decision{
			Status: 403, Body: "legacy: no", HasBody: true, Headers: []access.Header{{Name: "x-why", Value: "legacy"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, decide(t, s, c.q)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A result that is no answer denies, and says so for the log (OPA hands it
// back as it is).
func TestNoAnswerDenies(t *testing.T) {
	for rule, detail := range map[string]string{
		`allow if input.nothing`:            "undefined",
		`allow := "yes"`:                    "of type string",
		`allow := "true"`:                   "of type string",
		`allow := 1`:                        "of type number",
		`allow := null`:                     "of type null",
		`allow := [true]`:                   "of type array",
		`allow contains true`:               "of type set",
		`allow := {"allowed": "true"}`:      "no boolean `allowed`",
		`allow := {"allow": true}`:          "no boolean `allowed`",
		`allow := {}`:                       "no boolean `allowed`",
		`allow.other := true`:               "no boolean `allowed`",
		`allow := {"allowed": {"a": true}}`: "no boolean `allowed`",
	} {
		t.Run(rule, func(t *testing.T) {
			d := decide(t, rules(t, rule), question())
			if d.Allowed || !strings.Contains(d.Detail, detail) {
				t.Errorf("got %+v, want a denial that says %q", d, detail)
			}
		})
	}
}

// A plain no carries no detail, so that telemetry can tell the two apart.
func TestPlainNoHasNoDetail(t *testing.T) {
	if d := decide(t, rules(t, `allow := false`), question()); d.Allowed || d.Detail != "" {
		t.Errorf("got %+v", d)
	}
}

// What can't be obeyed or didn't come to an end is an error, which the gate
// makes a fault.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct{ rules, want string }{
		"conflict": {"allow := true if input.route\nallow := false if input.identity", "eval_conflict_error"},
		"a builtin's error": {
			`allow if to_number(input.route.name)`, "eval_builtin_error: to_number",
		},
		"a builtin's error in a rule that denies": {
			"default allow := false\nallow if not denied\ndenied if to_number(input.route.name) > 5", "eval_builtin_error: to_number",
		},
		"a builtin's error in a comprehension": {
			`allow if count([x | x := json.unmarshal(input.route.name)]) == 0`, "eval_builtin_error: json.unmarshal",
		},
		"status 200 with a denial": {`allow := {"allowed": false, "http_status": 200}`, "a success"},
		"status 204 with a denial": {`allow := {"allowed": false, "http_status": 204}`, "a success"},
		"status 100":               {`allow := {"allowed": false, "http_status": 100}`, "from 200 to 599"},
		"status 600":               {`allow := {"allowed": false, "http_status": 600}`, "from 200 to 599"},
		"a fraction of a status":   {`allow := {"allowed": false, "http_status": 403.5}`, "from 200 to 599"},
		"a status in words":        {`allow := {"allowed": false, "http_status": "403"}`, "from 200 to 599"},
		"headers in a string":      {`allow := {"allowed": true, "headers": "x: y"}`, "headers: want an object"},
		"a header of numbers":      {`allow := {"allowed": true, "headers": {"x": 1}}`, "want a string or a list of strings"},
		"a header of lists":        {`allow := {"allowed": true, "headers": {"x": [["y"]]}}`, "want strings, have array"},
		"a list of strings":        {`allow := {"allowed": true, "headers": ["x"]}`, "want a list of objects"},
		"lists in lists":           {`allow := {"allowed": true, "headers": [[{"x": "y"}]]}`, "want a list of objects"},
		"a number as a name":       {`allow := {"allowed": true, "headers": {1: "y"}}`, "want strings as names"},
		"a line break in a value":  {`allow := {"allowed": true, "headers": {"x": "a\r\nb: c"}}`, "control characters"},
		"a NUL in a value":         {`allow := {"allowed": true, "response_headers_to_add": {"x": "a\u0000"}}`, "control characters"},
		"a space in a name":        {`allow := {"allowed": true, "headers": {"x y": "z"}}`, "no header name"},
		"an empty name":            {`allow := {"allowed": true, "request_headers_to_remove": [""]}`, "no header name"},
		"a name to remove":         {`allow := {"allowed": true, "request_headers_to_remove": "x"}`, "want a string or a list"},
		"a number to remove":       {`allow := {"allowed": true, "query_parameters_to_remove": [1]}`, "want strings"},
		"query in a list":          {`allow := {"allowed": true, "query_parameters_to_set": [{"x": "y"}]}`, "want an object, have array"},
		"a body of numbers":        {`allow := {"allowed": false, "body": 1}`, "want a string"},
		"metadata beyond numbers":  {`allow := {"allowed": true, "dynamic_metadata": {"x": [1e400]}}`, "holds a number"},
		"metadata in a list":       {`allow := {"allowed": true, "dynamic_metadata": []}`, "want an object"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := rules(t, c.rules).Decide(context.Background(), question())
			if err == nil || !strings.Contains(err.Error(), c.want) || d.Allowed {
				t.Errorf("got %+v, %v; want an error that says %q", d, err, c.want)
			}
		})
	}
}

// A builtin's message may repeat what it was given.
func TestErrorsKeepSecrets(t *testing.T) {
	const canary = "canary-8c1f"
	for _, rule := range []string{
		`allow if to_number(input.attributes.request.http.headers.authorization)`,
		`allow if json.unmarshal(input.attributes.request.http.headers.authorization)`,
		`allow if base64.decode(input.attributes.request.http.headers.authorization)`,
		`allow if time.parse_rfc3339_ns(input.attributes.request.http.headers.authorization)`,
		`allow if units.parse(input.attributes.request.http.headers.authorization)`,
		`allow if regex.match(concat("", ["(", input.attributes.request.http.headers.authorization]), "x")`,
		`allow := {"allowed": true, "headers": {"x": concat("\n", ["a", input.attributes.request.http.headers.authorization])}}`,
	} {
		q := question()
		q.Request.Headers = append(q.Request.Headers, access.Header{Name: "authorization", Value: canary})
		q.Request.Explain = &access.Explanation{}
		_, err := rules(t, rule).Decide(context.Background(), q)
		if err == nil {
			t.Errorf("%s: no error", rule)
			continue
		}
		told := err.Error()
		for _, step := range q.Request.Explain.Steps {
			told += step.Text
		}
		if strings.Contains(told, canary) {
			t.Errorf("%s: the error repeats the value: %s", rule, told)
		}
	}
}

func TestUnknownEntrypointIsAnError(t *testing.T) {
	q := question()
	q.Entrypoint = "postern/authz/other"
	if _, err := rules(t, `allow := true`).Decide(context.Background(), q); err == nil {
		t.Error("no error")
	}
}

// Results as OPA-Envoy documents them.
func TestResults(t *testing.T) {
	for name, c := range map[string]struct {
		rules string
		want  access.Decision
	}{
		"an object that allows": {`allow := {"allowed": true}`, access.Decision{Allowed: true}},
		"lists of values": {
			`allow := {"allowed": true, "headers": {"x-a": ["1", "2"]}}`,
			access.Decision{Allowed: true, Headers: []access.Header{{Name: "x-a", Value: "1"}, {Name: "x-a", Value: "2"}}},
		},
		"lists of objects": {
			`allow := {"allowed": true, "response_headers_to_add": [{"x-a": "1"}, {"x-a": ["2"]}]}`,
			access.Decision{Allowed: true, ResponseHeaders: []access.Header{{Name: "x-a", Value: "1"}, {Name: "x-a", Value: "2"}}},
		},
		"the request changed": {
			`allow := {"allowed": true, "request_headers_to_remove": {"X-One"}, "query_parameters_to_set": {"a": "b&c", "d": ["e", "f"]}, "query_parameters_to_remove": ["g"]}`,
			access.Decision{
				Allowed: true, RemoveHeaders: []string{"x-one"}, RemoveQuery: []string{"g"},
				SetQuery: []access.Param{{Name: "a", Value: "b&c"}, {Name: "d", Value: "e"}, {Name: "d", Value: "f"}},
			},
		},
		"metadata": {
			`allow := {"allowed": true, "dynamic_metadata": {"a": {"b": [true, "c"]}}}`,
			access.Decision{Allowed: true, Metadata: map[string]any{"a": map[string]any{"b": []any{true, "c"}}}},
		},
		"a redirect": {
			`allow := {"allowed": false, "http_status": 302, "headers": {"Location": "https://id.example.com/"}, "body": ""}`,
			access.Decision{Status: 302, HasBody: true, Headers: []access.Header{{Name: "Location", Value: "https://id.example.com/"}}},
		},
		"sets of objects": {
			`allow := {"allowed": true, "headers": {{"x-a": {"1"}}}}`,
			access.Decision{Allowed: true, Headers: []access.Header{{Name: "x-a", Value: "1"}}},
		},
		"what is for a denial, with an allow": {
			`allow := {"allowed": true, "http_status": "200", "body": {"a": 1}}`,
			access.Decision{Allowed: true},
		},
		"what is for an allow, with a denial": {
			`allow := {"allowed": false, "response_headers_to_add": 1, "request_headers_to_remove": 1, "query_parameters_to_set": 1, "query_parameters_to_remove": 1}`,
			access.Decision{},
		},
		"partial rules of an object": {
			"allow.allowed if input.route.name == \"order\"\nallow.headers[\"x-route\"] := input.route.name",
			access.Decision{Allowed: true, Headers: []access.Header{{Name: "x-route", Value: "order"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, decide(t, rules(t, c.rules), question())); diff != "" {
				t.Error(diff)
			}
		})
	}
}
