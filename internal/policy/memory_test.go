package policy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

// corpus are policies of many shapes, by name, for what must hold of any.
func corpus() map[string]map[string]string {
	return map[string]map[string]string{
		"a constant":         module("allow := true"),
		"method and role":    module("default allow := false\nallow if {\n\tinput.attributes.request.http.method == \"GET\"\n\t\"reader\" in input.identity.roles\n}"),
		"else":               module("allow if input.route.name == \"a\" else := input.identity.anonymous if input.consumer.labels.team == \"x\" else := false"),
		"an alias":           module("allow if {\n\th := input.attributes.request.http\n\th.method == \"GET\"\n\th.headers[\"x-a\"] == \"1\"\n}"),
		"aliases":            module("allow if {\n\tr := input.route\n\tr.name == \"a\"\n\tc := input.identity.claims\n\to := c.org\n\to.id == 1\n\tf(input.consumer)\n}\nf(c) if c.name == \"a\""),
		"a twice given name": module("allow if {\n\tx = input.consumer.labels\n\tx = input.consumer.attributes\n\tx.n == 1\n}\nallow if {\n\tcount([1 | y = input.route; y.name == \"a\"]) == 1\n\tcount([1 | y = input.identity; y.issuer == \"\"]) == 1\n}"),
		"is it there":        module("allow if {\n\tc := input.consumer\n\tnot c.name == \"a\"\n}"),
		"a header":           module("allow if {\n\th := input.attributes.request.http.headers\n\tobject.get(h, \"x-a\", \"b\") == object.get(h, [\"x-b\"], \"b\")\n}"),
		"no getter":          module("allow if other with object.get as f\nother if object.get(input.consumer, \"name\", \"\") == 1\nf(o, _, _) := count(o)"),
		"places":             module("allow if {\n\tinput.parsed_path[1] == \"a\"\n\tnot input.parsed_path[0] == \"b\"\n}\nallow if input.parsed_path[2]\nallow if input.identity.roles[0] == input.identity.claims.a[1]"),
		"an import":          module("import input.attributes.request.http\n\nallow if {\n\thttp.method == \"GET\"\n\thttp.headers[\"x-a\"] == \"1\"\n}"),
		"an unused value":    module("allow if {\n\t_ = input.route.params.id\n}"),
		"negation":           module("default allow := true\nallow := false if not input.consumer.labels.team"),
		"a function":         module("allow if ok(input.consumer)\nok(c) if c.name == \"a\"\nok(c) if c.attributes.n > 1"),
		"with":               module("allow if other with input.route.name as \"a\"\nother if {\n\tinput.route.name == \"a\"\n\tinput.consumer.name == \"a\"\n}"),
		"with an input":      module("allow if other with input as {\"route\": {\"name\": input.consumer.name}}\nother if input.route.name == \"a\""),
		"with data":          module("allow if other with data.x as input.identity.roles\nother if \"a\" in data.x"),
		"a replacement":      module("allow if f(input.consumer.name) with f as g\nf(_) := false\ng(x) if x == input.route.name"),
		"a comprehension":    module("allow if count([x | some x in input.identity.scopes; x == input.route.name]) > 0"),
		"every":              module("allow if {\n\tevery s in input.identity.scopes {\n\t\ts != input.route.name\n\t}\n}"),
		"a dynamic name":     module("allow if input[input.route.name].name == \"a\""),
		"a dynamic label":    module("allow if input.consumer.labels[input.route.name] == \"x\""),
		"object.get":         module("allow if object.get(input, [\"consumer\", \"name\"], \"\") == \"a\""),
		"all headers":        module("allow if {\n\tsome k, v in input.attributes.request.http.headers\n\tstartswith(k, \"x-\")\n\tv == \"1\"\n}"),
		"walk":               module("allow if walk(input.consumer, [[\"attributes\", \"n\"], 1])"),
		"a dynamic rule":     module("allow if roles[input.route.name][\"a\"]\nroles[input.consumer.name] contains r if some r in input.identity.roles"),
		"a whole package":    merged(module("allow if count(data.other) > 1"), map[string]string{"other.rego": "package other\n\nimport rego.v1\n\na if input.consumer.name == \"a\"\n\nb if input.route.name == \"b\"\n\nc := 1"}),
		"dynamic data":       merged(module("allow if data[input.route.name].x"), map[string]string{"a.rego": "package a\n\nimport rego.v1\n\nx if input.consumer.name == \"a\"", "data.json": `{"b": {"x": true}}`}),
		"an object":          module("allow := {\"allowed\": input.consumer.name == \"a\", \"headers\": {\"x-user\": input.consumer.name}}"),
		"claims":             module("allow if input.identity.claims.org.id == input.route.params.id\nallow if input.identity.claims.n == 1"),
		"all claims":         module("allow if {\n\tsome k, _ in input.identity.claims\n\tk == input.route.name\n}"),
		"a query":            module("allow if \"1\" in input.parsed_query.a"),
		"a path":             module("allow if input.parsed_path[0] == \"a\""),
		"an error":           module("allow if to_number(input.route.params.id) > 1"),
		"a conflict":         module("allow := true if input.route.name == \"a\"\nallow := false if input.consumer.name == \"a\""),
		"time":               module("allow if input.time > \"2026\""),
		"the clock":          module("allow if time.now_ns() > 0\nallow if input.route.name == \"a\""),
		"a partial head":     module("allow[k] := v if {\n\tk := \"allowed\"\n\tv := input.consumer.name == \"a\"\n}"),
		"a template":         module("allow if $\"{input.route.name}-{input.consumer.name}\" == \"a-a\""),
		"a default function": module("allow if f(input.route.name)\ndefault f(_) := false\nf(x) if x == input.consumer.name"),
		"the library":        libraryFiles(),
	}
}

func libraryFiles() map[string]string {
	texts := map[string]string{}
	entries, _ := policies.FS.ReadDir(".")
	for _, entry := range entries {
		text, _ := policies.FS.ReadFile(entry.Name())
		texts[entry.Name()] = string(text)
	}
	return texts
}

// anyQuestion draws from few words, so that questions often agree in a part.
func anyQuestion() *rapid.Generator[*gate.Question] {
	word := rapid.SampledFrom([]string{"", "a", "b", "1", "2", "reader", "admin"})
	list := rapid.SliceOfN(word, 0, 3)
	value := rapid.OneOf(rapid.Map(word, func(s string) any { return s }), rapid.Map(rapid.IntRange(0, 2), func(n int) any { return n }),
		rapid.Just(any(nil)), rapid.Just(any(true)), rapid.Map(list, func(l []string) any { return l }), rapid.Just(any(1.0)))
	object := rapid.MapOfN(rapid.SampledFrom([]string{"a", "n", "id", "x"}), value, 0, 3)
	return rapid.Custom(func(t *rapid.T) *gate.Question {
		q := question()
		q.Request.Method = rapid.SampledFrom([]string{"GET", "PUT"}).Draw(t, "method")
		q.Request.Path = "/" + strings.Join(list.Draw(t, "path"), "/")
		q.Request.Query = rapid.SampledFrom([]string{"", "a=1", "a=2&a=1", "a=%zz"}).Draw(t, "query")
		q.Request.Headers = access.Headers{{Name: "x-a", Value: word.Draw(t, "x-a")}, {Name: "x-request-id", Value: word.Draw(t, "id")}}
		q.Route = word.Draw(t, "route")
		q.Params = []access.Param{{Name: "id", Value: word.Draw(t, "param")}}
		if rapid.Bool().Draw(t, "anonymous") {
			q.Identity = access.AnonymousIdentity()
			return q
		}
		c := q.Identity.Consumer
		c.Name, c.Labels = word.Draw(t, "name"), map[string]string{word.Draw(t, "label"): "x"}
		c.Attributes = object.Draw(t, "attributes")
		q.Identity.Roles, q.Identity.Scopes = list.Draw(t, "roles"), list.Draw(t, "scopes")
		q.Identity.Claims = object.Draw(t, "claims")
		if rapid.Bool().Draw(t, "org") {
			q.Identity.Claims = map[string]any{"org": object.Draw(t, "org's")}
		}
		return q
	})
}

func answer(s *policy.Snapshot, q *gate.Question) string {
	d, err := s.Decide(context.Background(), q)
	return fmt.Sprintf("%+v, %v", d, err)
}

// Remembered or not, given the whole input or only what the rules read, the
// answer is the same.
func TestMemoryAndSelectionChangeNoAnswer(t *testing.T) {
	for name, texts := range corpus() {
		t.Run(name, func(t *testing.T) {
			whole := embedded(t, texts).GiveEverything()
			lean := embedded(t, texts)
			remembering := embedded(t, texts, func(o *policy.Options) { o.Memory = memory(t) })
			rapid.Check(t, func(t *rapid.T) {
				q := anyQuestion().Draw(t, "question")
				want := answer(whole, q)
				if strings.Contains(want, "can't be parsed") {
					// The whole input holds a query that can't be read.
					return
				}
				for how, s := range map[string]*policy.Snapshot{"lean": lean, "first": remembering, "again": remembering} {
					if got := answer(s, q); got != want {
						t.Fatalf("%s: %s, want %s", how, got, want)
					}
				}
			})
		})
	}
}

// Questions that policy sees alike share a key, and no others do.
func TestKeysAreTheInput(t *testing.T) {
	seen := `{"allowed": true, "dynamic_metadata": {"a": input.consumer, "b": input.identity, "c": input.route, "d": input.parsed_path, "e": input.attributes.request.http.headers["x-a"]}}`
	s := rules(t, "default allow := {\"allowed\": true}\nallow := "+seen)
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyQuestion().Draw(t, "a"), anyQuestion().Draw(t, "b")
		alike := rapid.Bool().Draw(t, "alike")
		if alike {
			// Of one who asks again, what policy doesn't read is another.
			again := *a.Request
			again.ID, again.Time, again.Query = "2", again.Time.Add(time.Second), "z=1"
			b = &gate.Question{Request: &again, Identity: a.Identity, Route: a.Route, Params: a.Params, Entrypoint: a.Entrypoint}
		}
		ka, errA := s.Key(a)
		kb, errB := s.Key(b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if ka == kb && answer(s, a) != answer(s, b) {
			t.Fatal("two inputs share a key")
		}
		if alike && ka != kb {
			t.Fatal("one input has two keys")
		}
	})
}

// What the rules read is found by a walk of our own. It never finds less than
// OPA does, but for places in a list and what object.get takes, which OPA
// doesn't tell apart.
func TestSurveyFindsWhatOPAFinds(t *testing.T) {
	for name, texts := range corpus() {
		t.Run(name, func(t *testing.T) {
			s := embedded(t, texts)
			ours := s.Reads(entrypoint)
			theirs, err := s.Dependencies(entrypoint)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range theirs {
				if !slices.ContainsFunc(ours, func(p string) bool {
					p, _, _ = strings.Cut(p, "[")
					return path == p || strings.HasPrefix(path, p+".") || (name == "object.get" || name == "a header") && strings.HasPrefix(p, path+".")
				}) {
					t.Errorf("OPA finds %s, we find %v", path, ours)
				}
			}
		})
	}
}

func TestReads(t *testing.T) {
	for name, want := range map[string][]string{
		"a constant":      {},
		"method and role": {"input.attributes.request.http.method", "input.identity.roles"},
		"else":            {"input.consumer.labels.team", "input.identity.anonymous", "input.route.name"},
		"an alias":        {"input.attributes.request.http.headers.x-a", "input.attributes.request.http.method"},
		"aliases":         {"input.consumer", "input.identity.claims.org.id", "input.route.name"},
		"a header":        {"input.attributes.request.http.headers.x-a", "input.attributes.request.http.headers.x-b"},
		"no getter":       {"input.consumer"},
		"an import":       {"input.attributes.request.http.headers.x-a", "input.attributes.request.http.method"},
		"an unused value": {"input.route.params.id"},
		"with an input":   {"input"},
		"a dynamic name":  {"input"},
		"a dynamic rule":  {"input.consumer.name", "input.identity.roles", "input.route.name"},
		"dynamic data":    {"input.consumer.name", "input.route.name"},
		"a replacement":   {"input.consumer.name", "input.route.name"},
		"a path":          {"input.parsed_path[0]"},
	} {
		if got := embedded(t, corpus()[name]).Reads(entrypoint); !slices.Equal(got, want) {
			t.Errorf("%s: reads %v, want %v", name, got, want)
		}
	}
}

// What is not a function of a bounded part of the input is not remembered, and
// says why.
func TestForgetful(t *testing.T) {
	for rule, want := range map[string]string{
		`allow if input.identity.roles[_] == "a"`:                                                    "",
		`allow if input.attributes.request.http.headers["x-a"]`:                                      "",
		`allow if time.now_ns() > 0`:                                                                 "time.now_ns",
		"allow if g(1) with g as h\ng(x) := x\nh(_) := time.now_ns()":                                "time.now_ns",
		`allow if io.jwt.decode_verify("", {})[0]`:                                                   "io.jwt.decode_verify",
		`allow if crypto.x509.parse_and_verify_certificates(input.attributes.source.certificate)[0]`: "crypto.x509",
		`allow if input.time`:                                                                        "input.time",
		`allow if input.attributes.request`:                                                          "input.attributes.request.time",
		`allow if input.attributes.request.http`:                                                     "input.attributes.request.http.id",
		`allow if input.attributes.request.http.headers[_] == "a"`:                                   "the whole of input.attributes.request.http.headers",
		`allow if input.parsed_body.a`:                                                               "input.parsed_body",
		`allow if input.attributes.source.address`:                                                   "portValue",
		`allow if count(input) > 1`:                                                                  "all of input",
	} {
		reasons := rules(t, rule).Forgetful()
		if got := reasons[entrypoint]; want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: forgetful because %q, want %q", rule, got, want)
		}
	}
}

// Each reason has its place, and most say what to write instead.
func TestUnremembered(t *testing.T) {
	s := rules(t, "allow if {\n\ttime.now_ns() > 0\n\tok(input.attributes.request.http)\n}\nallow if input.attributes.request.http.headers[_] == \"a\"\nok(http) if {\n\thttp.method == \"GET\"\n}")
	got := s.Unremembered(entrypoint)
	want := []policy.Unremembered{
		{File: "authz.rego", Row: 6, Text: "it calls time.now_ns, which may answer differently each time"},
		{File: "authz.rego", Row: 7, Text: "it reads input.attributes.request.http.id, with all of what holds it, and that differs with nearly every request"},
		{File: "authz.rego", Row: 9, Text: "it reads the whole of input.attributes.request.http.headers, which differs with nearly every request"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i].Hint == "" {
			t.Errorf("%s: no hint", got[i])
		}
		got[i].Hint = ""
		if got[i] != want[i] {
			t.Errorf("got %s, want %s", got[i], want[i])
		}
	}
	if more := s.Unremembered("no/such"); more != nil {
		t.Errorf("got %v", more)
	}
}

// Every line that makes it so is told of, in order, however the rules are walked.
func TestUnrememberedTellsOfEveryLine(t *testing.T) {
	text := "allow if {\n\twalk(input, [_, \"x\"])\n}\nallow if f(input)\nallow if {\n\tg with input as {\"a\": input.attributes.request.http.id}\n}\n" +
		"allow if input.attributes.request.http.id == \"a\"\nallow if input.attributes.request.http.id == \"b\"\n" +
		"allow if time.now_ns() > 1\nallow if time.now_ns() > 2\nf(x) if x.a\ng if input.a"
	var first []policy.Unremembered
	for range 5 {
		got := rules(t, text).Unremembered(entrypoint)
		var rows []int
		for _, cause := range got {
			rows = append(rows, cause.Row)
		}
		if want := []int{6, 8, 10, 12, 13, 14, 15}; !slices.Equal(slices.Compact(rows), want) {
			t.Fatalf("lines %v, want %v: %v", rows, want, got)
		}
		for _, cause := range got[:2] {
			if !strings.Contains(cause.Text, "reads all of input") {
				t.Errorf("got %s", cause)
			}
		}
		if first == nil {
			first = got
		}
		if !slices.Equal(first, got) {
			t.Errorf("got %v, and before %v", got, first)
		}
	}
}

// OPA's own notes are the second check: what an evaluation called decides,
// whatever was found before.
func TestUnsteadyEvaluationsAreNotRemembered(t *testing.T) {
	at := time.Now()
	s := rules(t, "allow if time.now_ns() % 2 == 0", func(o *policy.Options) { o.Memory = memory(t) })
	s.Blind(func(node any) bool { ref, isRef := node.(ast.Ref); return isRef && ref.String() == "time.now_ns" })
	if len(s.Forgetful()) > 0 {
		t.Fatal("the survey was not blinded")
	}
	for i := range 4 {
		q := question()
		q.Request.Time = at.Truncate(time.Second).Add(time.Duration(i))
		if d := decide(t, s, q); d.Allowed != (i%2 == 0) {
			t.Errorf("question %d: got %v", i, d.Allowed)
		}
	}
}

// The demonstration's policies and the library are remembered.
func TestRemembered(t *testing.T) {
	demo, err := policy.Compile(context.Background(), policy.Options{Directory: example, Entrypoints: []string{entrypoint, "envoy/authz/allow"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*policy.Snapshot{"demo": demo, "library": embedded(t, libraryFiles())} {
		if reasons := s.Forgetful(); len(reasons) > 0 {
			t.Errorf("%s: %v", name, reasons)
		}
	}
}

// A remembered decision takes no evaluation: here the clock has run out.
func TestRememberedDecisionsAreNotEvaluated(t *testing.T) {
	step := time.Duration(0)
	at := time.Now()
	s := rules(t, `allow if input.route.name == "order"`, func(o *policy.Options) {
		o.Memory, o.Timeout = memory(t), time.Millisecond
		o.Now = func() time.Time { at = at.Add(step); return at }
	})
	first := decide(t, s, question())
	step = time.Hour
	later := question()
	later.Request.ID, later.Request.Time = "2", later.Request.Time.Add(time.Minute)
	if again := decide(t, s, later); !cmp.Equal(first, again) || !first.Allowed {
		t.Errorf("got %+v after %+v", again, first)
	}
	later.Route = "other"
	if _, err := s.Decide(context.Background(), later); err == nil {
		t.Error("another question was answered from memory")
	}
}

// Errors are never remembered, and neither do two revisions or entry points
// share what is.
func TestMemoryKeepsApart(t *testing.T) {
	shared := memory(t)
	remember := func(o *policy.Options) {
		o.Memory = shared
		o.Entrypoints = []string{entrypoint, "postern/authz/other"}
	}
	yes := rules(t, "allow := true\nother := false", remember)
	no := rules(t, "allow := false\nother := true", remember)
	q, other := question(), question()
	other.Entrypoint = "postern/authz/other"
	for range 2 {
		if !decide(t, yes, q).Allowed || decide(t, no, q).Allowed || decide(t, yes, other).Allowed || !decide(t, no, other).Allowed {
			t.Fatal("answers are mixed up")
		}
	}
	data := func(text string) *policy.Snapshot {
		return embedded(t, merged(module("allow := data.a"), map[string]string{"data.json": text}), func(o *policy.Options) { o.Memory = shared })
	}
	if !decide(t, data(`{"a": true}`), q).Allowed || decide(t, data(`{"a": false}`), q).Allowed {
		t.Error("data is no part of the key")
	}
	at, step := time.Now(), time.Hour
	recovering := rules(t, "allow := input.route.name == \"order\"", func(o *policy.Options) {
		o.Memory, o.Timeout = shared, time.Minute
		o.Now = func() time.Time { at = at.Add(step); return at }
	})
	if _, err := recovering.Decide(context.Background(), q); err == nil {
		t.Fatal("no error")
	}
	step = 0
	if !decide(t, recovering, q).Allowed {
		t.Error("the error was remembered")
	}
}

// A hit allocates nothing.
func TestRememberedAllocations(t *testing.T) {
	s := rules(t, "allow if {\n\tinput.attributes.request.http.method == \"GET\"\n\t\"reader\" in input.identity.roles\n\tinput.consumer.labels.team == \"mobile\"\n}",
		func(o *policy.Options) { o.Memory = memory(t) })
	q := question()
	decide(t, s, q)
	allocations := testing.AllocsPerRun(1000, func() { _, _ = s.Decide(context.Background(), q) })
	if allocations > 0 && !raceEnabled {
		t.Errorf("%v allocations for a remembered decision", allocations)
	}
}

// The members of one document may come from rules with names of several
// lengths: all of them are asked, so that all that they read is there.
func TestRulesOfSeveralLengths(t *testing.T) {
	for name, rules := range map[string]string{
		"a rule beside a member":    "allow := false if users.root.name == \"mobile-app\"\nusers[name] := {} if some name in [\"guest\"]\nusers.root := {\"name\": input.consumer.name}",
		"a set beside a member":     "allow := false if users.by.name[\"mobile-app\"]\nusers[name] := 1 if some name in [\"guest\"]\nusers.by.name contains input.consumer.name",
		"a rule beside two":         "allow := false if users.root.denied[\"mobile-app\"]\nusers[kind] := v if some kind, v in {\"a\": {\"x\": true}}\nusers.root.denied[name] := true if name := input.consumer.name",
		"a member that is a name":   "allow := false if { some k; users.root[k].name == \"mobile-app\" }\nusers[name] := {} if some name in [\"guest\"]\nusers.root.a := {\"name\": input.consumer.name}",
		"a rule with a longer name": "allow := false if users.root.name == \"mobile-app\"\nusers[x].z := 1 if some x in [\"guest\"]\nusers.root[k] := input.consumer.name if some k in [\"name\"]",
	} {
		t.Run(name, func(t *testing.T) {
			q := question()
			q.Identity.Consumer.Name = "mobile-app"
			if d := decide(t, embedded(t, module("default allow := true\n"+rules)), q); d.Allowed {
				t.Error("the rule that denies is not asked with what it reads")
			}
		})
	}
}
