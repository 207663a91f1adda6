package policy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/policy"
)

// problems compiles what can't be compiled.
func problems(t *testing.T, o policy.Options) []policy.Problem {
	t.Helper()
	if o.Entrypoints == nil {
		o.Entrypoints = []string{entrypoint}
	}
	s, err := policy.Compile(context.Background(), o)
	var e *policy.Error
	if !errors.As(err, &e) || s != nil {
		t.Fatalf("got %v, %v; want a *policy.Error", s, err)
	}
	return e.Problems
}

func says(problems []policy.Problem, want string) bool {
	return slices.ContainsFunc(problems, func(p policy.Problem) bool { return strings.Contains(p.String(), want) })
}

// Every problem is told at once, with its file and line.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"two files that can't be parsed": {
			map[string]string{"a.rego": "package a\n\nallow if {", "b.rego": "package b\n\nallow := ]"},
			[]string{"a.rego:3: rego_parse_error", "b.rego:3: rego_parse_error"},
		},
		"two rules that can't be compiled": {
			module("allow if nowhere\nother if elsewhere"),
			[]string{"authz.rego:5: rego_unsafe_var_error: var nowhere is unsafe", "authz.rego:6: rego_unsafe_var_error: var elsewhere is unsafe"},
		},
		"an unused import":     {module("import data.other\nallow := true"), []string{"authz.rego:5: rego_compile_error: import"}},
		"an unused variable":   {module("allow if { x := 1; true }"), []string{"authz.rego:5: rego_compile_error: assigned var x unused"}},
		"recursion":            {module("allow if other\nother if allow"), []string{"authz.rego:5: rego_recursion_error"}},
		"a type error":         {module(`allow if upper(1) == "A"`), []string{"authz.rego:5: rego_type_error"}},
		"a file cut in two":    {map[string]string{"authz.rego": "package postern.authz\n\nallow if { input.a =="}, []string{"authz.rego:3: rego_parse_error"}},
		"an empty file":        {map[string]string{"authz.rego": ""}, []string{"authz.rego"}},
		"data cut in two":      {merged(module("allow := true"), map[string]string{"data.json": `{"a": `}), []string{"data.json"}},
		"data that is no map":  {merged(module("allow := true"), map[string]string{"data.yaml": "[1]"}), []string{"data.yaml: document must be of type object"}},
		"data twice":           {merged(module("allow := true"), map[string]string{"a.json": `{"a": 1}`, "b.json": `{"a": 2}`}), []string{"b.json: data.a is defined here and in a.json"}},
		"data where a rule is": {merged(module("allow := true"), map[string]string{"postern/authz/data.json": `{"allow": true}`}), []string{"authz.rego:5: rego_compile_error"}},
	} {
		t.Run(name, func(t *testing.T) {
			found := problems(t, policy.Options{Embedded: files(c.files)})
			for _, want := range c.want {
				if !says(found, want) {
					t.Errorf("no problem says %q: %v", want, found)
				}
			}
		})
	}
}

func TestEntrypointProblems(t *testing.T) {
	texts := module("allow := true\nis_it(x) if x == 1")
	for entry, want := range map[string]string{
		"postern/authz/allowed": "there is no such rule (data.postern.authz.allowed)",
		"postern/authz":         "is a package",
		"postern":               "is a package",
		"postern/authz/is_it":   "authz.rego:6: ",
		"postern/authz/allow/x": "there is no such rule",
		"/postern/authz/allow":  "want a path to a rule",
		"":                      "want a path to a rule",
	} {
		found := problems(t, policy.Options{Embedded: files(texts), Entrypoints: []string{entry}})
		if len(found) != 1 || !says(found, want) {
			t.Errorf("%q: got %v, want %q", entry, found, want)
		}
	}
	found := problems(t, policy.Options{Embedded: files(texts), Entrypoints: []string{"a/b", entrypoint, "c/d"}})
	if len(found) != 2 || !says(found, `"a/b"`) || !says(found, `"c/d"`) {
		t.Errorf("got %v, want both entry points that are missing", found)
	}
	if found := problems(t, policy.Options{Embedded: files(texts), Entrypoints: []string{}}); !says(found, "no entry point") {
		t.Errorf("got %v", found)
	}
}

// What reaches out or rolls dice is refused, however it is called.
func TestRefusedBuiltins(t *testing.T) {
	for builtin, rule := range map[string]string{
		"http.send":              `allow if http.send({"method": "GET", "url": "http://127.0.0.1/"}).status_code == 200`,
		"net.lookup_ip_addr":     `allow if count(net.lookup_ip_addr("localhost")) > 0`,
		"opa.runtime":            `allow if opa.runtime().env.HOME`,
		"rand.intn":              `allow if rand.intn("x", 2) == 1`,
		"uuid.rfc4122":           `allow if uuid.rfc4122("x") != ""`,
		"io.jwt.encode_sign":     `allow if io.jwt.encode_sign({"alg": "HS256"}, {}, {"kty": "oct", "k": "AA"}) != ""`,
		"io.jwt.encode_sign_raw": `allow if io.jwt.encode_sign_raw("{}", "{}", "{}") != ""`,
	} {
		t.Run(builtin, func(t *testing.T) {
			found := problems(t, policy.Options{Embedded: files(module(rule))})
			if !says(found, "authz.rego:5: ") || !says(found, builtin) || !says(found, "policy.allowed_builtins") {
				t.Errorf("got %v", found)
			}
			rules(t, rule, func(o *policy.Options) { o.AllowedBuiltins = []string{builtin} })
		})
	}
}

func TestRefusedBuiltinsThroughWith(t *testing.T) {
	for name, rule := range map[string]string{
		"as a replacement":         "allow if f(1) with count as http.send\nf(x) if count({\"url\": x})",
		"replaced":                 "allow if f with http.send as g\nf := true\ng(_) := {}",
		"for a function":           "allow if f(1) with f as http.send\nf(x) := x",
		"in a comprehension":       `allow if count([x | x := http.send({})]) > 0`,
		"in an else branch":        "allow if { input.a } else := x if { x := rand.intn(\"a\", 2) == 1 }",
		"in a rule nobody reaches": "allow := true\nother := opa.runtime()",
		"by an imported name":      "import data.postern.other\nallow if other.now with time.now_ns as opa.runtime",
	} {
		t.Run(name, func(t *testing.T) {
			texts := merged(module(rule), map[string]string{"other.rego": "package postern.other\n\nimport rego.v1\n\nnow := time.now_ns()"})
			problems(t, policy.Options{Embedded: files(texts)})
		})
	}
}

func TestUnknownAllowedBuiltin(t *testing.T) {
	found := problems(t, policy.Options{Embedded: files(module("allow := true")), AllowedBuiltins: []string{"http.sent", "count", "x"}})
	if len(found) != 2 || !says(found, `"http.sent"`) {
		t.Errorf("got %v", found)
	}
}

// A directory is read without its tests, hidden files and files of other
// kinds.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range module("allow if data.sub.list.good == input.route.name") {
		write(path, text)
	}
	write("sub/list/data.yaml", "good: order")
	write("authz_test.rego", "package broken {{{")
	write("authz_test.yaml", "cases: not data")
	write(".hidden.rego", "package broken {{{")
	write("..data/authz.rego", "package broken {{{")
	write("README.md", "no policy")
	write("old.rego~", "package broken {{{")
	o := policy.Options{Directory: dir, Entrypoints: []string{entrypoint}}
	s, err := policy.Compile(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !decide(t, s, question()).Allowed {
		t.Error("not allowed by the data")
	}
	write("is.rego", "package postern.is\n\nimport rego.v1\n\nit(x) if x == 1")
	function := problems(t, policy.Options{Directory: dir, Entrypoints: []string{"postern/is/it"}})
	if len(function) != 1 || function[0].File != filepath.Join(dir, "is.rego") || function[0].Line != 5 {
		t.Errorf("got %v, want it at is.rego:5", function)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if s, err := policy.Compile(ended, o); !errors.Is(err, context.Canceled) || s != nil {
		t.Errorf("got %v, %v after the context's end", s, err)
	}
	write("sub/broken.rego", "package broken\n\n{{{")
	found := problems(t, o)
	if path := filepath.Join(dir, "sub", "broken.rego"); len(found) == 0 || found[0].File != path || found[0].Line != 3 {
		t.Errorf("got %v, want it at %s:3", found, path)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero.json")); err != nil {
		t.Fatal(err)
	}
	if found := problems(t, o); !says(found, filepath.Join(dir, "zero.json")+": this is no regular file") {
		t.Errorf("got %v", found)
	}
	if found := problems(t, policy.Options{}); !says(found, "there is no policy") {
		t.Errorf("got %v", found)
	}
	found = problems(t, policy.Options{Directory: filepath.Join(dir, "nowhere")})
	if !says(found, "no such file or directory") {
		t.Errorf("got %v", found)
	}
}

func TestRevision(t *testing.T) {
	base := merged(module("allow := data.a"), map[string]string{"data.json": `{"a": true}`})
	revision := func(change map[string]string) string {
		return embedded(t, merged(base, change)).Revision()
	}
	first := revision(nil)
	if len(first) != 32 || first != revision(nil) {
		t.Errorf("revision %q is not stable", first)
	}
	seen := map[string]string{first: "the base"}
	for name, change := range map[string]map[string]string{
		"a module":        module("allow := data.a\n# changed"),
		"data":            {"data.json": `{"a": false}`},
		"another module":  {"b.rego": "package b"},
		"a renamed file":  {"b2.rego": "package b"},
		"more data":       {"x/data.yaml": "a: 1"},
		"data of a type":  {"x/data.yaml": `a: "1"`},
		"data in a place": {"y/data.yaml": "a: 1"},
	} {
		r := revision(change)
		if other, known := seen[r]; known {
			t.Errorf("%s has the revision of %s", name, other)
		}
		seen[r] = name
	}
	if r := revision(map[string]string{"a_test.rego": "package a_test"}); r != first {
		t.Error("a test changed the revision")
	}
}
