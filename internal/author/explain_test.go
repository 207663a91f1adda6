package author_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

const entrypoint = "postern/authz/allow"

// court is a gate without a configuration over these rules; none: the library.
func court(t *testing.T, rules string) *author.Court {
	t.Helper()
	o := policy.Options{Embedded: policies.FS, Entrypoints: []string{entrypoint}, Timeout: time.Minute}
	if rules != "" {
		o.Directory = t.TempDir()
		if err := os.WriteFile(filepath.Join(o.Directory, "authz.rego"), []byte("package postern.authz\n\n"+rules), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compiled, err := policy.Compile(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	config, err := author.PlainConfig([]author.Route{{Name: "order", Paths: []string{"/orders/{id}"}}}, entrypoint)
	if err != nil {
		t.Fatal(err)
	}
	c, err := author.NewCourt(config, compiled, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// explain asks GET /orders/7 and returns why, with each near miss on a line.
func explain(t *testing.T, c *author.Court, method string, headers access.Headers, as *author.Identity) (*author.Explanation, []string) {
	t.Helper()
	req := &access.Request{
		Door: access.GRPC, Time: time.Now(), Method: method, Host: "a", RawHost: "a",
		Path: "/orders/7", RawPath: "/orders/7", Headers: headers,
	}
	_, q := c.Judge(t.Context(), req, as.Proven())
	if q == nil {
		t.Fatal("policy was not asked")
	}
	x, err := author.Explain(t.Context(), c.Policy(), q, "p", []string{"x-secret"})
	if err != nil {
		t.Fatal(err)
	}
	var misses []string
	for _, miss := range slices.Concat(x.NearMisses, x.Unsure) {
		var texts []string
		for _, lack := range miss {
			texts = append(texts, lack.Text)
		}
		misses = append(misses, strings.Join(texts, " + "))
	}
	return x, misses
}

func TestNearMisses(t *testing.T) {
	mobile := &author.Identity{Consumer: "mobile", Environment: "test", Roles: []string{"reader"}, Labels: map[string]string{"team": "a"}}
	tests := map[string]struct {
		rules string
		want  []string
	}{
		"a scope":             {`allow if "orders:write" in input.identity.scopes`, []string{"lacks scope orders:write"}},
		"a value":             {`allow if input.consumer.environment == "prod"`, []string{"consumer.environment is test, want prod"}},
		"a value on the left": {`allow if "prod" == input.consumer.environment`, []string{"consumer.environment is test, want prod"}},
		"not there":           {`allow if input.consumer.labels.plan == "gold"`, []string{"consumer.labels.plan is not there, want gold"}},
		"one of a set":        {`allow if input.attributes.request.http.method in {"PUT", "POST"}`, []string{"method is GET, want one of POST, PUT"}},
		"the smallest of two": {
			"allow if {\n\tinput.route.name == \"x\"\n\t\"a\" in input.identity.roles\n}\n\nallow if \"admin\" in input.identity.roles",
			[]string{"lacks role admin"},
		},
		"two at once": {
			"allow if {\n\tinput.consumer.environment == \"prod\"\n\t\"a\" in input.identity.scopes\n\tinput.route.name == \"order\"\n}",
			[]string{"consumer.environment is test, want prod + lacks scope a"},
		},
		"within a rule": {
			"allow if writer\n\nwriter if {\n\t\"reader\" in input.identity.roles\n\t\"writer\" in input.identity.roles\n}",
			[]string{"lacks role writer"},
		},
		"within a function": {"allow if has(\"b\")\n\nhas(scope) if scope in input.identity.scopes", []string{"lacks scope b"}},
		"what it iterates over": {
			"allow if {\n\tsome scope in input.identity.scopes\n\tscope == \"c\"\n}",
			[]string{"lacks scope c"},
		},
		"what must not hold": {
			"allow if not denied\n\ndenied if input.route.name == \"order\"",
			[]string{`denied holds by line 5, and must not: input.route.name == "order"`},
		},
		"every": {
			"allow if {\n\tevery s in [\"d\", \"e\"] {\n\t\ts in input.identity.scopes\n\t}\n}",
			[]string{"lacks scope d + lacks scope e"},
		},
		"an else": {
			"allow := false if input.route.name == \"x\"\n\nelse := true if \"f\" in input.identity.roles",
			[]string{"lacks role f"},
		},
		"nothing that was asked": {"allow if 1 == 2", nil},
		"an answer that is an object": {
			"allow := {\"allowed\": true} if \"g\" in input.identity.groups",
			[]string{"lacks group g"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if x, got := explain(t, court(t, test.rules), "GET", nil, mobile); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q\n%+v", got, test.want, x.Rules)
			}
		})
	}
}

// What a near miss says is lacking makes the difference once it is given.
func TestNearMissesAreTrue(t *testing.T) {
	library := court(t, "")
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for _, roles := range [][]string{nil, {"reader"}, {"stranger"}} {
			x, misses := explain(t, library, method, nil, &author.Identity{Consumer: "a", Roles: roles})
			tried := 0
			for _, miss := range misses {
				role, isRole := strings.CutPrefix(miss, "lacks role ")
				if !isRole || strings.Contains(miss, "+") {
					continue
				}
				tried++
				if with, _ := explain(t, library, method, nil, &author.Identity{Consumer: "a", Roles: append([]string{role}, roles...)}); !with.Allowed {
					t.Errorf("%s by %v: %q, but with it there is still no allow", method, roles, miss)
				}
			}
			if x.Allowed == (tried > 0) {
				t.Errorf("%s by %v: allowed %v, near misses %q", method, roles, x.Allowed, misses)
			}
		}
	}
}

// A near miss that is told as one was tried; what can't be tried stands apart.
func TestNearMissesAreTried(t *testing.T) {
	mobile := &author.Identity{Consumer: "mobile", Roles: []string{"reader"}}
	for name, test := range map[string]struct {
		rules        string
		sure, unsure int
	}{
		"another rule forbids it": {"default allow := false\nallow if {\n\t\"admin\" in input.identity.roles\n\tnot denied\n}\ndenied if \"admin\" in input.identity.roles", 0, 0},
		"an answer that can't be obeyed": {
			"allow := {\"allowed\": true, \"headers\": {\"bad header\": \"a\"}} if \"admin\" in input.identity.roles", 0, 0,
		},
		"tried":            {"allow if \"admin\" in input.identity.roles", 1, 0},
		"a value":          {"allow if input.consumer.labels.plan == \"gold\"", 1, 0},
		"a truth":          {"allow if input.identity.claims.mfa", 1, 0},
		"can't be tried":   {"allow if count(input.identity.roles) > 3", 0, 1},
		"not to be denied": {"allow if not denied\ndenied if \"reader\" in input.identity.roles", 0, 1},
		"an object's rule": {"allow := {\"allowed\": ok}\ndefault ok := false\nok if input.consumer.labels.plan == \"gold\"", 1, 0},
		"no default":       {"allow := {\"allowed\": ok}\nok if input.consumer.labels.plan == \"gold\"", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			x, misses := explain(t, court(t, test.rules), "GET", nil, mobile)
			if len(x.NearMisses) != test.sure || len(x.Unsure) != test.unsure {
				t.Errorf("%d tried and %d not, want %d and %d: %q", len(x.NearMisses), len(x.Unsure), test.sure, test.unsure, misses)
			}
		})
	}
}

// The values that calls gave are told, and who added to a set that is counted.
func TestExplainTellsWhatCallsGave(t *testing.T) {
	reader := &author.Identity{Consumer: "mobile", Roles: []string{"reader"}}
	for name, test := range map[string]struct{ rules, want string }{
		"a set that must be empty": {
			"allow if count(violations) == 0\nviolations contains \"no mfa\" if not input.identity.claims.mfa",
			`count(postern.authz.violations) is 1, want 0: line 4 adds "no mfa" by not input.identity.claims.mfa`,
		},
		"a count":      {"allow if count(input.identity.roles) > 3", "count(identity.roles) is 1"},
		"another case": {"allow if lower(input.route.name) == \"b\"", "lower(route.name) is order, want b"},
		"a function": {
			"allow if level(input.identity.roles[0]) >= 5\nlevel(r) := 1 if r == \"reader\"", "level(identity.roles[0]) is 1",
		},
		"a part": {"allow if over({\"most\": 9})\nover(wanted) if {\n\tn(wanted) > wanted.most\n}\nn(wanted) := count(input.identity.roles) if wanted.most", "n(wanted) is 1, wanted.most is 9"},
		"a name": {"allow if {\n\tn := count(input.identity.roles)\n\tn > 3\n}", "n > 3 (count(identity.roles) is 1)"},
	} {
		if _, misses := explain(t, court(t, test.rules), "GET", nil, reader); !strings.Contains(strings.Join(misses, "\n"), test.want) {
			t.Errorf("%s: got %q, want %q", name, misses, test.want)
		}
	}
}

// The compiler's own names mean nothing to an author.
func TestExplainTellsOfNoGeneratedNames(t *testing.T) {
	c := court(t, "allow if {\n\tsome k\n\tinput.route.params[k] == \"a-8\"\n}\nallow if {\n\tsome k, v in input.consumer.labels\n\tk == \"zzz\"\n\tv == input.consumer.attributes[k]\n}\n"+
		"allow if {\n\tinput.identity.roles[_] == \"none\"\n\tinput.consumer.attributes[input.route.name][_] == 1\n}\nallow if {\n\tsome part in input.parsed_path\n\tf(part)[_] == input.identity.groups[_]\n}\nf(x) := [upper(x)]\n"+
		"allow if {\n\t[_, x] := input.parsed_path\n\tnet.cidr_contains(ranges[x], input.attributes.source.address.socketAddress.address)\n}\nranges[x] := \"10.0.0.0/8\" if some x in [\"7\"]")
	x, misses := explain(t, c, "GET", nil, &author.Identity{Consumer: "a", Labels: map[string]string{"b": "c"}, Roles: []string{"r"}})
	told := strings.Join(misses, "\n")
	for _, r := range x.Rules {
		told += "\n" + r.Rule + " " + strings.Join(r.Saw, "\n")
	}
	if strings.Contains(told, "__local") || strings.Contains(told, "$") || strings.Contains(told, "want not there") {
		t.Errorf("got %s", told)
	}
}

func TestExplainHidesWhatCallsMakeOfCredentials(t *testing.T) {
	c := court(t, "allow if lower(input.attributes.request.http.headers.authorization) == \"z\"\n\nallow if upper(token) == \"Z\"\n\n"+
		"token := input.attributes.request.http.headers.authorization\n\nallow if count(bad) == 0\n\nbad contains lower(token)\n\nallow if made(\"x\") == \"q\"\n\nmade(_) := lower(token)\n\nallow if {\n\tx := lower(token)\n\tx == \"q\"\n}\n\n"+
		"allow if {\n\tsome part in split(token, \"a\")\n\tpart == \"q\"\n}\n\nallow if inner(token) == \"q\"\n\ninner(t) := y if {\n\ty := lower(t)\n\ty != \"a\"\n}")
	x, misses := explain(t, c, "GET", access.Headers{{Name: "authorization", Value: "CaNaRy-one"}}, &author.Identity{Consumer: "a"})
	told := strings.Join(misses, "\n")
	for _, r := range x.Rules {
		told += "\n" + strings.Join(r.Saw, "\n")
	}
	if strings.Contains(strings.ToLower(told), "canary") || !strings.Contains(told, "(hidden)") {
		t.Errorf("got %s", told)
	}
}

func TestExplainTellsWhatRulesSaw(t *testing.T) {
	c := court(t, "default allow := false\n\nallow if {\n\tinput.route.name == \"order\"\n\tinput.consumer.labels.team == \"b\"\n}")
	x, _ := explain(t, c, "GET", nil, &author.Identity{Consumer: "a", Labels: map[string]string{"team": "a"}})
	want := []author.Tried{
		{Rule: "postern.authz.allow", File: "p/authz.rego", Line: 3, Held: true, Default: true},
		{Rule: "postern.authz.allow", File: "p/authz.rego", Line: 5, Saw: []string{`line 7: input.consumer.labels.team == "b" failed: consumer.labels.team = a`}},
	}
	if !slices.EqualFunc(x.Rules, want, func(a, b author.Tried) bool {
		return a.Rule == b.Rule && a.File == b.File && a.Line == b.Line && a.Held == b.Held && a.Default == b.Default && slices.Equal(a.Saw, b.Saw)
	}) {
		t.Errorf("got %+v", x.Rules)
	}
}

func TestExplainHidesCredentials(t *testing.T) {
	c := court(t, "allow if {\n\th := input.attributes.request.http.headers\n\tsome name, value in h\n\tname == \"x\"\n\tvalue == \"y\"\n}\n\n"+
		"allow if input.attributes.request.http.headers.authorization == \"z\"\n\nallow if input.attributes.request.http.headers[\"x-secret\"] == \"z\"")
	long := "long-" + strings.Repeat("canary", 60)
	headers := access.Headers{{Name: "authorization", Value: "Bearer \"canary-1\\"}, {Name: "x-secret", Value: long}, {Name: "cookie", Value: strings.Repeat("é", 20) + "canary"}}
	x, misses := explain(t, c, "GET", headers, &author.Identity{Consumer: "a"})
	told := strings.Join(misses, "\n")
	for _, r := range x.Rules {
		told += "\n" + strings.Join(r.Saw, "\n")
	}
	if strings.Contains(told, "canary") {
		t.Errorf("a credential is shown: %s", told)
	}
	if !strings.Contains(told, "(hidden)") {
		t.Errorf("nothing was hidden, so nothing was tested: %s", told)
	}
}
