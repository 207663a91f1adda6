package policy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/policy"
)

// folder is a directory of files by path.
type folder string

func newFolder(t testing.TB, texts map[string]string) folder {
	t.Helper()
	f := folder(t.TempDir())
	for path, text := range texts {
		f.write(t, path, text)
	}
	return f
}

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func (f folder) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// options are those of the policy in it, with data.
func (f folder) options(data ...policy.DataFiles) policy.Options {
	return policy.Options{Directory: f.path("policy"), Entrypoints: []string{entrypoint}, Timeout: time.Minute, Data: data}
}

func (f folder) at(pattern string, at ...string) policy.DataFiles {
	return policy.DataFiles{Pattern: f.path(pattern), At: at}
}

func compiled(t testing.TB, o policy.Options) *policy.Snapshot {
	t.Helper()
	s, err := policy.Compile(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// showing is a module whose answer says what is in data at a reference.
func showing(ref string) string {
	return "package postern.authz\n\nimport rego.v1\n\nallow := {\"allowed\": true, \"dynamic_metadata\": {\"data\": " + ref + "}}\n"
}

func answered(t testing.TB, s *policy.Snapshot) string {
	t.Helper()
	return fmt.Sprint(decide(t, s, question()).Metadata["data"])
}

// Data is read from files and patterns, JSON and YAML, at its place or at the
// top, and put together; hidden files are no part of it.
func TestDataFiles(t *testing.T) {
	f := newFolder(t, map[string]string{
		"policy/authz.rego": showing("[data.a, data.b, data.c.d, object.keys(data.users), data.own]"),
		"policy/data.yaml":  "own: 1",
		"top.json":          `{"a": 12345678901234567890.10, "c": {"d": {"e": "é"}}}`,
		"more.yml":          "b: 2026-01-01\nc: {f: 1}\n",
		"users/x.json":      `{"x": {}}`, "users/y.yaml": "y: {}", "users/.z.json": "{{{", "users/readme.md": "none",
	})
	if err := os.Symlink(f.path("users/x.json"), f.path("users/linked.json")); err != nil {
		t.Fatal(err)
	}
	o := f.options(f.at("top.json"), f.at("more.yml"), f.at("users/[xy].*", "users"), f.at("nowhere/*.json"), f.at("users/l*.json", "linked"))
	s := compiled(t, o)
	if got, want := answered(t, s), "[12345678901234567890.10 2026-01-01 map[e:é] [x y] 1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want := []string{f.path("top.json"), f.path("more.yml"), f.path("users/x.json"), f.path("users/y.yaml"), f.path("users/linked.json")}
	if got := s.Files(); !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}

func TestDataProblems(t *testing.T) {
	f := newFolder(t, map[string]string{
		"policy/authz.rego": showing("true"), "policy/data.json": `{"a": {"b": 1}}`,
		"cut.json": "{\n  \"a\": [1,\n", "comma.json": "{\"a\": 1,\n \"b\": 2,}", "twice.json": "{\"x\": [\n{\"a\": 1,\n \"a\": 2}]}",
		"cut.yaml": "a: [1,\nb: 2\n", "twice.yaml": "x:\n  a: 1\n  a: 2\n", "bomb.yaml": doubling(), "two.yaml": "a: 1\n--- \nb: 2\n", "deep.json": strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200),
		"list.json": "[1]", "same.json": `{"a": {"b": 2}}`, "rule.json": `{"postern": {"authz": {"allow": true}}}`, "inf.yaml": "a: .inf", "empty.json": "", "utf8.json": "{\"a\": \"\xff\"}",
		"key.yaml": "? [1]\n: 2\n", "huge.json": `{"a": 1e999999999999}`,
	})
	if err := errors.Join(os.Symlink("/dev/zero", f.path("zero.json")), syscall.Mkfifo(f.path("pipe.json"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"cut.json":     "cut.json:3: the file ends where a value is expected",
		"comma.json":   "comma.json:2: found '}', expected a member's name in quotes",
		"twice.json":   `twice.json:3: the member "a" stands twice; it is at line 2 already`,
		"cut.yaml":     "cut.yaml:",
		"twice.yaml":   `twice.yaml:3: the key "a" stands already at line 2`,
		"bomb.yaml":    "bomb.yaml:",
		"two.yaml":     "a second document",
		"deep.json":    "deep.json:1: nested deeper than 128",
		"list.json":    "list.json: document must be of type object",
		"same.json":    "same.json:1: data.a.b is defined here and in " + f.path("policy/data.json") + ":1",
		"rule.json":    f.path("policy/authz.rego") + ":5: rego_compile_error: conflicting rule for data path postern/authz/allow found; the data is in " + f.path("rule.json"),
		"inf.yaml":     "inf.yaml:1: a number that JSON has no form for",
		"empty.json":   "empty.json:1: the file ends where a value is expected",
		"utf8.json":    "utf8.json:1: a text that is not UTF-8",
		"key.yaml":     "key.yaml:1: a key that is a list or a mapping",
		"huge.json":    "huge.json:1: a number that is out of range",
		"zero.json":    "zero.json: this is no regular file",
		"p*.json":      "pipe.json: this is no regular file",
		"nowhere.json": "nowhere.json: no such file or directory",
		"policy":       "policy: this is no regular file",
		"[.json":       "syntax error in pattern",
	} {
		if found := problems(t, f.options(f.at(name))); !says(found, want) {
			t.Errorf("%s: got %v, want %q", name, found, want)
		}
	}
	found := problems(t, f.options(f.at("cut.json"), f.at("cut.yaml", "x"), f.at("comma.json")))
	if len(found) != 3 || found[2].Column != 9 {
		t.Errorf("got %v, want all three, the last at column 9", found)
	}
}

// What can't be read of a directory is an error: a rule that denies may be in it.
func TestLinkThatLeadsNowhere(t *testing.T) {
	f := newFolder(t, map[string]string{"policy/authz.rego": showing("1")})
	if err := os.Symlink(f.path("shared"), f.path("policy/shared")); err != nil {
		t.Fatal(err)
	}
	if found := problems(t, f.options()); !says(found, f.path("policy/shared")+": no such file or directory") {
		t.Errorf("got %v", found)
	}
	f.write(t, "shared/data.json", `{"x": 1}`)
	f.write(t, "policy/authz.rego", showing("data.shared.x"))
	if got := answered(t, compiled(t, f.options())); got != "1" {
		t.Errorf("got %s through the link", got)
	}
}

// All files together have a bound, and one that is YAML a lower one; neither is
// taken into memory to find out.
func TestDataBounds(t *testing.T) {
	f := newFolder(t, map[string]string{"policy/authz.rego": showing("1"), "a.json": "{}", "b.yaml": "", "c.json": ""})
	for name, size := range map[string]int64{"b.yaml": 65 << 20, "c.json": 1 << 30} {
		if err := os.Truncate(f.path(name), size); err != nil {
			t.Fatal(err)
		}
	}
	used := allocated(func() {
		found := problems(t, f.options(f.at("a.json"), f.at("b.yaml"), f.at("c.json")))
		if !says(found, "b.yaml: the file is larger than 64 MiB") || !says(found, "c.json: with this file there is more than 1 GiB of data") {
			t.Errorf("got %v", found)
		}
	})
	if used > 64<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
}

// doubling is YAML whose aliases double forty times.
func doubling() string {
	text := "a0: &a0 [1, 2]\n"
	for i := range 40 {
		text += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	return text
}

// What did not change is shared with the last snapshot, and what did is not.
func TestReuse(t *testing.T) {
	f := newFolder(t, map[string]string{
		"policy/authz.rego": showing("[data.kept.x, data.changed, data.dir]"), "policy/dir/data.json": "[1]",
		"kept.json": `{"x": [1, 2, 3]}`, "changed.yaml": "1",
	})
	o := f.options(f.at("kept.json", "kept"), f.at("changed.yaml", "changed"))
	first := compiled(t, o)
	next := func(change func(*policy.Options)) *policy.Snapshot {
		changed := o
		changed.Last = first
		change(&changed)
		return compiled(t, changed)
	}
	same := next(func(*policy.Options) {})
	if same.Revision() != first.Revision() || same.Compiler() != first.Compiler() || same.Data("kept") != first.Data("kept") {
		t.Error("nothing changed, and it is another snapshot")
	}
	f.write(t, "changed.yaml", "2") // of the same size
	data := next(func(*policy.Options) {})
	if got, want := answered(t, data), "[[1 2 3] 2 [1]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if data.Revision() == first.Revision() || data.Compiler() != first.Compiler() || data.Data("kept") != first.Data("kept") {
		t.Error("new data: want a new revision, the same program and the other data shared")
	}
	if got := answered(t, first); got != "[[1 2 3] 1 [1]]" {
		t.Errorf("the old snapshot now says %s", got)
	}
	if s := next(func(o *policy.Options) { o.AllowedBuiltins = []string{"rand.intn"} }); s.Compiler() == first.Compiler() {
		t.Error("other builtins, the same program")
	}
	if s := next(func(o *policy.Options) { o.Data[0].At = []string{"kept"}; o.Timeout = time.Hour }); s.Compiler() != first.Compiler() {
		t.Error("another timeout, another program")
	}
	f.write(t, "kept.json", `{"postern": {"authz": {"allow": 1}}}`)
	o.Data[0].At, o.Last = nil, first
	if found := problems(t, o); !says(found, "conflicting rule for data path postern/authz/allow found; the data is in "+f.path("kept.json")) {
		t.Errorf("got %v", found)
	}
	f.write(t, "kept.json", "1")
	f.write(t, "policy/authz.rego", showing("[data.kept, data.changed, data.dir]"))
	o.Data[0].At = []string{"kept"}
	if s := compiled(t, o); s.Compiler() == first.Compiler() || answered(t, s) != "[1 2 [1]]" {
		t.Errorf("new rules say %s", answered(t, s))
	}
}

// A file that keeps size and time of an older one is told from it until it is
// older than clocks are coarse.
func TestReuseOfCoarseTimes(t *testing.T) {
	f := newFolder(t, map[string]string{"policy/authz.rego": showing("data.x"), "x.json": "1"})
	o := f.options(f.at("x.json", "x"))
	at := time.Now().Add(-time.Hour)
	for n := range 3 {
		f.write(t, "x.json", fmt.Sprint(n))
		if err := os.Chtimes(f.path("x.json"), at, at); err != nil {
			t.Fatal(err)
		}
		o.Now = func() time.Time { return at.Add(time.Second) }
		if o.Last = compiled(t, o); answered(t, o.Last) != fmt.Sprint(n) {
			t.Errorf("%d: got %s", n, answered(t, o.Last))
		}
	}
}

// Reloads of a part of the data under traffic: each decision is of one
// revision, though all revisions share the rest.
func TestSharedDataUnderReloads(t *testing.T) {
	f := newFolder(t, map[string]string{
		"policy/authz.rego": "package postern.authz\n\nimport rego.v1\n\nallow := {\"allowed\": true, \"dynamic_metadata\": {\"here\": data.a.number, \"there\": data.b.number, \"shared\": shared}}\n\n" +
			"shared := count([name | some name, b in data.bindings; input.route.name; \"reader\" in b.roles])",
	})
	writeBindings(t, f.path("bindings.json"), 20, "acme")
	o := f.options(f.at("bindings.json", "bindings"), f.at("a.json", "a"), f.at("b.yaml", "b"))
	memory := memory(t)
	o.Memory = memory
	load := func(n int, last *policy.Snapshot) *numbered {
		f.write(t, "a.json", fmt.Sprintf(`{"number": %d}`, n))
		f.write(t, "b.yaml", fmt.Sprintf("number: %d", n))
		o.Last = last
		return &numbered{compiled(t, o), n}
	}
	var live atomic.Pointer[numbered]
	live.Store(load(0, nil))
	program := live.Load().Compiler()
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true
				default:
				}
				askShared(t, live.Load())
			}
		})
	}
	for n := 1; n <= reloads; n++ {
		live.Store(load(n-n%3/2, live.Load().Snapshot)) // every third brings what is there already
	}
	close(done)
	asking.Wait()
	if live.Load().Compiler() != program {
		t.Error("the rules were compiled again")
	}
}

func askShared(t *testing.T, s *numbered) {
	d, err := s.Decide(context.Background(), question())
	if err != nil {
		t.Error(err)
		return
	}
	if got, want := fmt.Sprint(d.Metadata), fmt.Sprintf("map[here:%d shared:21 there:%d]", s.number, s.number); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func bundleOf(name string, roots []string, modules map[string]string, data ast.Value) *policy.Bundle {
	b := &policy.Bundle{Name: name, Roots: roots, Modules: map[string][]byte{}, Data: data}
	for path, text := range modules {
		b.Modules[path] = []byte(text)
	}
	return b
}

func value(text string) ast.Value { return ast.MustParseTerm(text).Value }

// Bundles decide alone where there is no directory, else beside it.
func TestBundles(t *testing.T) {
	b := bundleOf("shop", []string{"postern/authz", "shop"}, map[string]string{"allow.rego": showing("[data.shop.open, data.local]")}, value(`{"shop": {"open": true}}`))
	f := newFolder(t, map[string]string{"policy/data.json": `{"local": 1}`, "more.json": `{"local": 2}`})
	o := f.options()
	o.Bundles = []*policy.Bundle{b}
	if got := answered(t, compiled(t, o)); got != "[true 1]" {
		t.Errorf("with a directory: %s", got)
	}
	o.Directory, o.Embedded = "", files(map[string]string{"broken.rego": "{{{"})
	o.Data = []policy.DataFiles{f.at("more.json")}
	s := compiled(t, o)
	if got := answered(t, s); got != "[true 2]" {
		t.Errorf("alone with data: %s", got)
	}
	o.Last = s
	if again := compiled(t, o); again.Revision() != s.Revision() || again.Compiler() != s.Compiler() {
		t.Error("the same bundle is another policy")
	}
	o.Revision = "known"
	named := compiled(t, o)
	if named.Rules() != "known" || named.Revision() == "known" || named.Revision() == s.Revision() {
		t.Errorf("rules %q of revision %q", named.Rules(), named.Revision())
	}
	o.Data = nil
	if got := compiled(t, o).Revision(); got != "known" {
		t.Errorf("revision %q", got)
	}
}

// Rules are the same whatever the further data is, and are written without it.
func TestRules(t *testing.T) {
	f := newFolder(t, map[string]string{
		"policy/authz.rego": showing("[data.own, data.further.n, data.shop.n]"), "policy/data.json": `{"own": 1}`, "more.json": `{"n": 2}`,
	})
	o := f.options(f.at("more.json", "further"))
	of := func(n string) []*policy.Bundle {
		return []*policy.Bundle{bundleOf("shop", []string{"shop"}, nil, value(`{"shop": {"n": `+n+`}}`))}
	}
	o.Bundles = of("3")
	first := compiled(t, o)
	var archive bytes.Buffer
	if err := first.WriteRules(&archive); err != nil {
		t.Fatal(err)
	}
	kept, err := policy.ReadBundle("", bytes.NewReader(archive.Bytes()), policy.BundleOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if kept.Revision != first.Rules() || kept.Data.Compare(value(`{"own": 1}`)) != 0 {
		t.Errorf("kept %v of %q", kept.Data, kept.Revision)
	}

	f.write(t, "more.json", `{"n": 20}`)
	o.Bundles, o.Last = of("30"), first
	second := compiled(t, o)
	if second.Rules() != first.Rules() || second.Revision() == first.Revision() {
		t.Errorf("rules %q and %q of revisions %q and %q", first.Rules(), second.Rules(), first.Revision(), second.Revision())
	}
	o.Directory, o.Revision, o.Bundles = "", kept.Revision, append([]*policy.Bundle{kept}, of("30")...)
	if got := answered(t, compiled(t, o)); got != "[1 20 30]" {
		t.Errorf("kept rules over the data of now: %s", got)
	}
}

func TestBundleProblems(t *testing.T) {
	f := newFolder(t, map[string]string{"policy/authz.rego": showing("true"), "policy/shop/data.json": `{"local": 1}`})
	module := map[string]string{"a.rego": "package a"}
	for name, c := range map[string]struct {
		bundles []*policy.Bundle
		want    string
	}{
		"roots that overlap": {[]*policy.Bundle{bundleOf("x", []string{"a"}, module, nil), bundleOf("y", []string{"a/b"}, nil, nil)}, `bundle y: its root "a/b" overlaps the root "a" of bundle x`},
		"two without roots":  {[]*policy.Bundle{bundleOf("x", []string{""}, module, nil), bundleOf("y", []string{""}, nil, nil)}, "overlaps"},
		"a shared package":   {[]*policy.Bundle{bundleOf("x", []string{""}, map[string]string{"b.rego": "package postern.authz\n\nx := 1"}, nil)}, "bundle x/b.rego:1: the package postern.authz is in " + f.path("policy/authz.rego") + ", too"},
		"rules in its roots": {[]*policy.Bundle{bundleOf("x", []string{"postern"}, nil, nil)}, f.path("policy/authz.rego") + `:1: the package postern.authz is below "postern", which is a root of bundle x`},
		"data in its roots":  {[]*policy.Bundle{bundleOf("x", []string{"shop"}, nil, nil)}, f.path("policy/shop/data.json") + `: it defines data below "shop", which is a root of bundle x`},
		"shared data":        {[]*policy.Bundle{bundleOf("x", []string{""}, nil, value(`{"shop": {"local": 2}}`))}, "bundle x: data.shop.local is defined here and in " + f.path("policy/shop/data.json")},
		"a broken module":    {[]*policy.Bundle{bundleOf("x", []string{"a"}, map[string]string{"b/c.rego": "package a\n\nx if {"}, nil)}, "bundle x/b/c.rego:3: rego_parse_error"},
		"a rule over data":   {[]*policy.Bundle{bundleOf("x", []string{""}, nil, value(`{"postern": {"authz": {"allow": 1}}}`))}, "the data is in bundle x"},
	} {
		o := f.options()
		o.Bundles = c.bundles
		if found := problems(t, o); !says(found, c.want) {
			t.Errorf("%s: got %v, want %q", name, found, c.want)
		}
	}
}

// A snapshot written as a bundle is read back as the same policy, with the same
// names of files in its errors.
func TestWriteBundle(t *testing.T) {
	f := newFolder(t, map[string]string{
		"policy/authz.rego": showing("[data.n, data.t, data.list, 1 / input.parsed_query.x[0]]"), "policy/sub/help.rego": "package sub\n\nhelp := 1",
		"policy/authz_test.rego": "package broken {{{",
		"data.json":              `{"n": 12345678901234567890.123, "t": "\u0000<é\u2028>", "list": [{}, [], null, true, {"a": 1}]}`,
	})
	first := compiled(t, f.options(f.at("data.json")))
	var archive bytes.Buffer
	if err := first.WriteBundle(&archive); err != nil {
		t.Fatal(err)
	}
	b, err := policy.ReadBundle("", bytes.NewReader(archive.Bytes()), policy.BundleOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(b.Modules)); !slices.Equal(got, []string{"authz.rego", "sub/help.rego"}) || b.Revision != first.Revision() {
		t.Errorf("modules %v of revision %q", got, b.Revision)
	}
	second := compiled(t, policy.Options{Bundles: []*policy.Bundle{b}, Revision: b.Revision, Entrypoints: []string{entrypoint}, Last: first, Timeout: time.Minute})
	if second.Revision() != first.Revision() || second.Data("").Compare(first.Data("")) != 0 {
		t.Errorf("read back as %v", second.Data(""))
	}
	_, one := first.Decide(context.Background(), question())
	_, other := second.Decide(context.Background(), question())
	if one == nil || other == nil || one.Error() != other.Error() || !strings.HasPrefix(one.Error(), "authz.rego:5: ") {
		t.Errorf("errors %v and %v", one, other)
	}
}

func TestReadBundleRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"no archive":        {[]byte("hello"), "this is no .tar.gz"},
		"broken data":       {archived(t, map[string]string{"/x/data.json": "{\n{"}), "x/data.json:2: "},
		"broken rules":      {archived(t, map[string]string{"/x.rego": "package x\n\ny if {"}), "rego_parse_error"},
		"data out of roots": {archived(t, map[string]string{"/.manifest": `{"roots": ["a/b"]}`, "/a/data.json": `{"b": 1, "c": 2}`}), "its data has a/c, which is in none of its roots"},
		"rules out of them": {archived(t, map[string]string{"/.manifest": `{"roots": ["a"]}`, "/x.rego": "package x"}), "do not permit"},
		"a delta":           {archived(t, map[string]string{"/patch.json": `{"data": [{"op": "upsert", "path": "/a", "value": 1}]}`}), "delta bundle"},
		"compiled rules":    {archived(t, map[string]string{"/policy.wasm": "\x00asm"}), "compiled rules"},
		"too large":         {archived(t, map[string]string{"/data.json": `{"a": "` + strings.Repeat("a", 5000) + `"}`}), "larger than is allowed"},
		"too large at all":  {archived(t, map[string]string{"/a/data.json": strings.Repeat(" ", 4000) + "{}", "/b/data.json": strings.Repeat(" ", 4000) + "{}", "/c/data.json": strings.Repeat(" ", 4000) + "{}", "/d/data.json": strings.Repeat(" ", 4000) + "{}", "/e/data.json": strings.Repeat(" ", 4000) + "{}"}), "larger than is allowed"},
	} {
		b, err := policy.ReadBundle("shop", bytes.NewReader(c.archive), policy.BundleOptions{MaxFileSize: 4096})
		if b != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "bundle shop: ") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
