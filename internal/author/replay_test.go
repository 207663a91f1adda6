package author_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

var replayed = flag.Int("replay", 5_000, "decisions of the journal that is replayed")

// recorded is a journal of n questions, put to a policy.
func recorded(t testing.TB, s *policy.Snapshot, n int, whole bool, ask func(i int) *gate.Question) string {
	t.Helper()
	directory, counts := t.TempDir(), &journal.Counts{}
	j, err := journal.Open(journal.Config{Directory: directory, MaxFileSize: 256 << 20, MaxFiles: 100, Sample: 1, Whole: whole},
		journal.Deps{Logger: slog.New(slog.DiscardHandler), Counts: counts, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	p := j.Policy(s, s, nil, nil)
	for i := range n {
		for int64(i)-counts.Written.Load() > 4000 {
			runtime.Gosched()
			time.Sleep(time.Millisecond)
		}
		if _, err := p.Decide(context.Background(), ask(i)); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	if counts.Written.Load() != int64(n) {
		t.Fatalf("%d of %d decisions are written", counts.Written.Load(), n)
	}
	return directory
}

// traffic is a request of one of 200 consumers to one of 100 paths each, or
// nothing but different ones.
func traffic(different bool) func(i int) *gate.Question {
	methods := []string{"GET", "GET", "GET", "POST", "DELETE"}
	roles := [][]string{{"reader"}, {"reader"}, {"writer"}, {"admin"}, nil}
	return func(i int) *gate.Question {
		random := rand.New(rand.NewPCG(uint64(i), 7))
		who := random.IntN(200)
		what := who*25 + random.IntN(100)
		if different {
			what = i
		}
		path := fmt.Sprintf("/orders/%d", what)
		if what%50 == 0 {
			path = fmt.Sprintf("/admin/users/%d", what)
		}
		consumer := &access.Consumer{
			Name: fmt.Sprintf("app-%d", who), DisplayName: "An application", Environment: "prod",
			Labels: map[string]string{"team": "t", "custom_id": fmt.Sprint(who)}, Roles: roles[who%5], Groups: []string{"partners"},
			Attributes: map[string]any{"region": "kr", "tier": "gold"},
		}
		return &gate.Question{
			Request: &access.Request{
				Door: access.GRPC, ID: fmt.Sprintf("4f1c9a7e-0000-4000-8000-%012d", i), Time: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Millisecond),
				Method: methods[random.IntN(len(methods))], Scheme: "https", Protocol: "HTTP/2", Host: "api.example.com", RawHost: "api.example.com",
				Path: path, RawPath: path + "?page=2", Query: "page=2",
				Headers: access.Headers{
					{Name: "x-api-key", Value: "secret-of-" + consumer.Name}, {Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
					{Name: "accept", Value: "application/json"}, {Name: "accept-encoding", Value: "gzip, deflate, br"}, {Name: "x-request-id", Value: fmt.Sprint(i)},
					{Name: "x-forwarded-for", Value: "192.0.2.7"}, {Name: "x-forwarded-proto", Value: "https"},
				},
				Source: access.Peer{Address: netip.MustParseAddrPort("192.0.2.7:4000")}, Destination: access.Peer{Address: netip.MustParseAddrPort("10.0.0.1:8443")},
			},
			Identity: &access.Identity{
				Consumer: consumer, Credential: &access.Credential{ID: consumer.Name + "-key", Kind: access.KindAPIKey, Scopes: []string{"orders:read"}},
				Scopes: []string{"orders:read"}, Roles: consumer.Roles, Groups: consumer.Groups,
			},
			Route: "orders", Params: []access.Param{{Name: "id", Value: fmt.Sprint(what)}}, Entrypoint: entrypoint, DecisionID: fmt.Sprintf("%032x", i),
		}
	}
}

func library(t testing.TB) *policy.Snapshot {
	t.Helper()
	s, err := policy.Compile(context.Background(), policy.Options{Embedded: policies.FS, Entrypoints: []string{entrypoint}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// copyOfLibrary is the library as a directory, changed.
func copyOfLibrary(t testing.TB, change func(file, text string) string) string {
	t.Helper()
	directory := t.TempDir()
	files, err := filepath.Glob("../../policies/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasSuffix(name, "_test.rego") || filepath.Ext(name) != ".rego" && name != "data.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, name), []byte(change(name, string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

func replay(t testing.TB, journals []string, directory string, change ...func(*author.ReplayOptions)) *author.Replayed {
	t.Helper()
	files, err := journal.Paths(journals)
	if err != nil {
		t.Fatal(err)
	}
	o := author.ReplayOptions{
		Files: files, Directory: directory, Workers: runtime.GOMAXPROCS(0), Examples: 2,
		Compile: func(entrypoint string) (*policy.Snapshot, error) {
			return policy.Compile(context.Background(), policy.Options{Directory: directory, Entrypoints: []string{entrypoint}, Timeout: time.Minute})
		},
		Problem: func(p journal.Problem) { t.Error(p.String()) },
	}
	for _, change := range change {
		change(&o)
	}
	r, err := author.Replay(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// processorTime is what this process has taken of the processors.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestReplayTellsEveryFlip lets writers delete no more and readers read what
// administrators may, and counts.
func TestReplayTellsEveryFlip(t *testing.T) {
	changed := copyOfLibrary(t, func(name, text string) string {
		if name != "data.yaml" {
			return text
		}
		text = strings.ReplaceAll(text, "methods: [POST, PUT, PATCH, DELETE]", "methods: [POST, PUT, PATCH]")
		return strings.ReplaceAll(text, `{methods: [GET, HEAD], paths: ["/**"], except: ["/admin/**"]}`, `{methods: [GET, HEAD], paths: ["/**"]}`)
	})
	after, err := policy.Compile(t.Context(), policy.Options{Directory: changed, Entrypoints: []string{entrypoint}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	before := library(t)
	for _, different := range []bool{false, true} {
		ask := traffic(different)
		started := time.Now()
		directory := recorded(t, before, *replayed, true, ask)
		made := time.Since(started)
		if r := replay(t, []string{directory}, copyOfLibrary(t, func(_, text string) string { return text })); r.Flipped+r.Untold != 0 || r.Same != int64(*replayed) {
			t.Errorf("the same policy: %d differ, %d can't be told: %v", r.Flipped, r.Untold, r.Why)
		}
		started = time.Now()
		busy := processorTime(t)
		r := replay(t, []string{directory}, changed)
		t.Logf("%d decisions noted in %v, replayed in %v of %v processor time; %.1f %% were asked before", r.Decisions, made, time.Since(started), processorTime(t)-busy, 100*float64(r.Remembered)/float64(r.Decisions))

		want := map[string]int64{}
		for i := range min(*replayed, 20_000) {
			q := ask(i)
			was, _ := before.Decide(t.Context(), q)
			is, _ := after.Decide(t.Context(), q)
			if was.Allowed != is.Allowed {
				want[map[bool]string{true: "allowed → denied", false: "denied → allowed"}[was.Allowed]]++
			}
		}
		if *replayed > 20_000 {
			continue
		}
		for _, c := range r.Flips {
			if want[c.What] != c.Count {
				t.Errorf("%s: %d, want %d", c.What, c.Count, want[c.What])
			}
			delete(want, c.What)
		}
		if len(want) > 0 {
			t.Errorf("not told: %v", want)
		}
		sum := int64(0)
		for _, g := range r.Groups {
			sum += g.Count
			if g.Consumer == "" || g.Route != "orders" || g.Rule == "" || len(g.Examples) == 0 {
				t.Fatalf("%+v", g)
			}
		}
		if sum != r.Flipped {
			t.Errorf("%d flips are in groups, want %d", sum, r.Flipped)
		}
	}
}

const plain = `package postern.authz

default allow := false

allow if {
	input.attributes.request.http.method == "GET"
	"reader" in input.identity.roles
}
`

func writePolicy(t *testing.T, text string) string {
	t.Helper()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "authz.rego"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return directory
}

func compileAt(t *testing.T, directory string) *policy.Snapshot {
	t.Helper()
	s, err := policy.Compile(t.Context(), policy.Options{Directory: directory, Entrypoints: []string{entrypoint}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReplayTellsOneCauseOnce has questions of which no two are the same, and
// that differ for one cause each of two consumers: there are as many groups.
func TestReplayTellsOneCauseOnce(t *testing.T) {
	const n = 6000
	policyOf := func(role string) string {
		return writePolicy(t, `package postern.authz

default allow := false

allow if {
	input.attributes.request.http.method == "GET"
	startswith(input.attributes.request.http.path, "/orders/")
	has_role("`+role+`")
}

allow if {
	input.consumer.name == "app-7"
	input.attributes.request.http.method == "PUT"
}

has_role(role) if role in input.identity.roles
`)
	}
	ask := func(i int) *gate.Question {
		q := traffic(true)(i)
		q.Request.Method, q.Request.RawPath = "GET", fmt.Sprintf("/orders/%d", i)
		q.Identity.Consumer.Name = fmt.Sprintf("app-%d", i%3)
		q.Identity.Roles = [][]string{{"reader"}, {"reader"}, {"writer"}}[i%3]
		return q
	}
	directory := recorded(t, compileAt(t, policyOf("reader")), n, true, ask)
	r := replay(t, []string{directory}, policyOf("writer"))
	if r.Flipped != n || r.Remembered != 0 || len(r.Groups) != 3 {
		t.Fatalf("%d of %d differ, %d were asked before, %d groups", r.Flipped, n, r.Remembered, len(r.Groups))
	}
	for _, g := range r.Groups {
		want := "lacks role writer ("
		if g.Consumer == "app-2" {
			want = "postern.authz.allow ("
		}
		if g.Count != n/3 || !strings.HasPrefix(g.Rule, want) {
			t.Errorf("%+v, want %s", g, want)
		}
	}
	if first, last := ask(0).Request.Time, ask(n-1).Request.Time; !r.From.Equal(first) || !r.Until.Equal(last) {
		t.Errorf("from %v until %v, want %v until %v", r.From, r.Until, first, last)
	}
}

func TestReplayNeverGuesses(t *testing.T) {
	before := compileAt(t, writePolicy(t, plain))
	for name, one := range map[string]struct {
		whole bool
		rule  string
		want  string
	}{
		"not read then":  {false, `input.identity.scopes == []`, "input.identity.scopes is not held"},
		"not read there": {false, `count(input.consumer.labels) == 0`, "input.consumer.labels is not held"},
		"a place":        {false, `input.parsed_path[1] == "x"`, "input.parsed_path[1] is not held"},
		"redacted":       {true, `input.attributes.request.http.headers["x-api-key"] != ""`, "input.attributes.request.http.headers.x-api-key is redacted"},
		"redacted whole": {true, `some _, v in input.attributes.request.http.headers; v == "7"`, "input.attributes.request.http.headers.x-api-key is redacted"},
		"negated":        {false, `not input.identity.issuer`, "input.identity.issuer is not held"},
		"everything":     {false, `count(input) > 0`, "input.attributes.contextExtensions is not held"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := recorded(t, before, 5, one.whole, traffic(false))
			r := replay(t, []string{directory}, writePolicy(t, plain+"\nallow if {\n\t"+strings.ReplaceAll(one.rule, "; ", "\n\t")+"\n}\n"))
			if r.Untold != 5 || r.Same+r.Flipped != 0 || !slices.ContainsFunc(r.Why, func(c author.Count) bool { return c.What == one.want && c.Count == 5 }) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestReplayTellsOtherAnswers(t *testing.T) {
	before := compileAt(t, writePolicy(t, "package postern.authz\n\nallow := {\"allowed\": false, \"http_status\": 403, \"headers\": {\"x\": \"1\"}}\n"))
	directory := recorded(t, before, 5, true, traffic(false))
	for text, want := range map[string]string{
		`allow := {"allowed": false, "http_status": 403, "headers": {"x": "1"}}`: "",
		`allow := {"allowed": false, "http_status": 403, "headers": {"x": "2"}}`: "denied as before → denied with another answer",
		`allow := {"allowed": false, "http_status": 451, "headers": {"x": "1"}}`: "denied → denied 451",
		`allow := true`: "denied → allowed",
		"allow if input.x == 1\n\nallow := false if 1 == 2": "",
		`allow := {"allowed": "maybe"}`:                     "denied as before → denied with another answer",
	} {
		r := replay(t, []string{directory}, writePolicy(t, "package postern.authz\n\n"+text+"\n"))
		switch {
		case strings.HasPrefix(text, "allow if"):
			want = "denied as before → denied with another answer"
		case want == "" && r.Same == 5:
			continue
		}
		if len(r.Flips) != 1 || r.Flips[0] != (author.Count{What: want, Count: 5}) {
			t.Errorf("%s: %+v, want %s", text, r.Flips, want)
		}
	}
}

// TestReplayTests writes flips as tests, which fail with the new policy where
// they hold the old decisions, and pass where they hold its own.
func TestReplayTests(t *testing.T) {
	before := compileAt(t, writePolicy(t, plain))
	directory := recorded(t, before, 200, true, traffic(false))
	changed := strings.Replace(plain, `"GET"`, `"POST"`, 1) + "\nallow if {\n\ttime.now_ns() > 0\n\tinput.consumer.name == \"app-3\\\"\\n\"\n}\n"
	r := replay(t, []string{directory}, writePolicy(t, changed))
	for _, pinNew := range []bool{false, true} {
		text, n, err := r.Tests(7, pinNew)
		if err != nil || n != 7 {
			t.Fatalf("%d tests, %v", n, err)
		}
		for policyText, wantPass := range map[string]bool{plain: !pinNew, changed: pinNew} {
			where := writePolicy(t, policyText)
			if err := os.WriteFile(filepath.Join(where, "replay_test.rego"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			source, err := author.Open(where, nil)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			results, err := source.Test(t.Context(), author.TestOptions{})
			if err != nil || len(results) != 7 {
				t.Fatalf("%d results, %v\n%s", len(results), err, text)
			}
			for _, one := range results {
				if (one.Outcome == author.Pass) != wantPass || one.Outcome == author.Error {
					t.Errorf("pin new %v: %s is %s, %v\n%s", pinNew, one.Name, one.Outcome, one.Why, text)
				}
			}
			formatted, err := author.Format(where)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range formatted {
				if strings.HasSuffix(f.File, "_test.rego") && f.Changed() {
					t.Error("the tests are not formatted")
				}
			}
		}
	}
}
