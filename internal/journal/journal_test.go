package journal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const entrypoint = "postern/authz/allow"

const rules = `package postern.authz

default allow := false

allow if {
	input.attributes.request.http.method == "GET"
	"reader" in input.identity.roles
	input.parsed_path[0] == "orders"
	input.attributes.request.http.headers["x-tenant"] == "a"
}
`

func compiled(t testing.TB, module string) *policy.Snapshot {
	t.Helper()
	s, err := policy.Compile(context.Background(), policy.Options{
		Embedded: fstest.MapFS{"authz.rego": {Data: []byte(module)}}, Entrypoints: []string{entrypoint}, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func question(i int, change ...func(*gate.Question)) *gate.Question {
	q := &gate.Question{
		Request: &access.Request{
			Time: time.Date(2026, 11, 23, 12, 0, 0, i, time.UTC), Method: "GET", Scheme: "https", RawHost: "api.example.com", Host: "api.example.com",
			Path: "/orders/7", RawPath: "/orders/7?page=2", Query: "page=2", Protocol: "HTTP/1.1",
			Headers: access.Headers{{Name: "x-tenant", Value: "a"}, {Name: "user-agent", Value: "curl/8"}},
			Source:  access.Peer{Address: netip.MustParseAddrPort("192.0.2.7:1234")},
		},
		Identity: &access.Identity{
			Consumer:   &access.Consumer{Name: "mobile", Environment: "prod", Labels: map[string]string{"team": "m"}},
			Credential: &access.Credential{ID: "c-1", Kind: access.KindAPIKey}, Roles: []string{"reader"},
			Claims: map[string]any{"sub": "alice", "https://example.com/x.y": []any{"z", true, nil}},
		},
		Route: "orders", Params: []access.Param{{Name: "id", Value: "7"}}, Entrypoint: entrypoint, DecisionID: fmt.Sprintf("d-%d", i),
	}
	for _, c := range change {
		c(q)
	}
	return q
}

// kept opens a journal; its directory and counts come with it.
func kept(t testing.TB, change ...func(*journal.Config)) (*journal.Journal, string, *journal.Counts, *bytes.Buffer) {
	t.Helper()
	c := journal.Config{Directory: filepath.Join(t.TempDir(), "journal"), MaxFileSize: 1 << 30, MaxFiles: 10, Sample: 1, Whole: true}
	for _, change := range change {
		change(&c)
	}
	counts, log := &journal.Counts{}, &bytes.Buffer{}
	j, err := journal.Open(c, journal.Deps{Logger: slog.New(slog.NewTextHandler(log, nil)), Counts: counts, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j, c.Directory, counts, log
}

// read gives all records by id, and what is wrong.
func read(t testing.TB, paths ...string) (map[string]*journal.Record, []journal.Problem) {
	t.Helper()
	files, err := journal.Paths(paths)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	all, problems := map[string]*journal.Record{}, []journal.Problem{}
	err = journal.Read(t.Context(), files, journal.Reading{
		Workers: 2,
		Each: func(_ int, r *journal.Record) {
			mu.Lock()
			defer mu.Unlock()
			all[r.ID.String()] = r
		},
		Problem: func(p journal.Problem) { problems = append(problems, p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, problems
}

func TestRecord(t *testing.T) {
	s := compiled(t, rules)
	for _, whole := range []bool{true, false} {
		j, directory, counts, _ := kept(t, func(c *journal.Config) { c.Whole = whole })
		p := j.Policy(s, s, nil, nil)
		decisions := map[string]string{}
		for i, change := range []func(*gate.Question){
			func(*gate.Question) {},
			func(q *gate.Question) { q.Request.Method = "PUT" },
			func(q *gate.Question) { q.Identity = access.AnonymousIdentity() },
			func(q *gate.Question) { q.Request.Query = "%zz" }, // can't be parsed, and is not read
			func(q *gate.Question) { q.Request.Body, q.Request.Headers[0].Value = []byte(`{"a":1}`), "b" },
		} {
			q := question(i, change)
			d, err := p.Decide(t.Context(), q)
			decisions[q.DecisionID], _ = journal.OutcomeOf(&d, err)
		}
		j.Close()
		records, problems := read(t, directory)
		if len(records) != len(decisions) || len(problems) > 0 || counts.Written.Load() != int64(len(decisions)) {
			t.Fatalf("whole %v: %d records, problems %v", whole, len(records), problems)
		}
		for id, r := range records {
			if missing := s.Selection(entrypoint).Missing(r.Held); len(missing) > 0 {
				t.Errorf("whole %v: %s lacks %v", whole, id, missing)
			}
			d, err := s.DecideRecorded(t.Context(), entrypoint, journal.Term(journal.Project(nil, r.Input, s.Selection(entrypoint))), r.Time())
			got, _ := journal.OutcomeOf(&d, err)
			if got != decisions[id] || r.Outcome.String() != decisions[id] {
				t.Errorf("whole %v: %s is %s, was %s, recorded as %s", whole, id, got, decisions[id], r.Outcome)
			}
		}
		if records["d-4"].Omitted == nil {
			t.Error("a record does not say that it lacks the body")
		}
		for _, name := range []string{"", "key"} {
			info, err := os.Stat(filepath.Join(directory, name))
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%q is open to others: %v, %v", name, info.Mode(), err)
			}
		}
		files, _ := journal.Files(directory)
		if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", files[0], info.Mode(), err)
		}
	}
}

func TestSecretsNeverShow(t *testing.T) {
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl-canary"
	basic := base64.StdEncoding.EncodeToString([]byte("user:canary-password"))
	ownKey := "postern_default_" + strings.Repeat("k3Y", 20) + "x"
	canaries := []string{"canary", basic, jwt[:30], "Y2FuYXJ5", "k3Yk3Y"}
	s := compiled(t, strings.ReplaceAll(rules, `"reader" in input.identity.roles`, `some _, v in input.attributes.request.http.headers
	v != input.parsed_body.x`))
	for _, whole := range []bool{true, false} {
		j, directory, _, _ := kept(t, func(c *journal.Config) { c.Whole = whole })
		p := j.Policy(s, s, []string{"x-own-header"}, []string{"k"})
		for i, change := range []func(*access.Request){
			func(r *access.Request) { r.Headers = headers("x-api-key", "canary-1", "x-copy", "was canary-1 here") },
			func(r *access.Request) { r.Headers = headers("x-own-header", "canary-2") },
			func(r *access.Request) { r.Headers = headers("authorization", "Bearer "+jwt) },
			func(r *access.Request) { r.Headers = headers("x-odd", jwt, "x-odd", "canary?token=canary") },
			func(r *access.Request) {
				r.Headers = headers("authorization", "Basic "+basic, "x-note", "canary-password and "+basic)
			},
			func(r *access.Request) {
				r.Headers = headers("authorization", `Signature keyId="canary-key",signature="canary-signature"`, "signature", "sig1=:canary:", "x-note", "canary-signature canary-key")
			},
			func(r *access.Request) {
				r.Headers = headers("cookie", "session=canary-cookie; b=2", "referer", "https://x/?a=canary-cookie")
			},
			func(r *access.Request) {
				r.Headers = headers("x-forwarded-client-cert", "Hash=canary;Cert=\"canary-cert\"")
			},
			func(r *access.Request) { r.Source.Certificate = "canary-certificate" },
			func(r *access.Request) {
				r.Query = "k=canary-q1&api%5Fkey=canary-q2&access_token=canary-q3;sig=canary-q4&p=1"
				r.Query = strings.ReplaceAll(r.Query, ";", "&")
				r.RawPath = "/orders/7?" + r.Query
				r.Headers = headers("x-original-uri", r.RawPath, "referer", "https://x/y?k=canary-q1#access_token=canary-q3")
			},
			func(r *access.Request) {
				r.RawPath, r.Query = "/orders/7?k=c%61nary-enc", "k=c%61nary-enc"
				r.Headers = headers("x-note", "canary-enc")
			},
			func(r *access.Request) {
				r.Body, r.Headers = []byte(`{"x":{"password":"canary-body"}}`), headers("content-type", "application/json")
			},
			func(r *access.Request) {
				r.Query = "redirect_uri=https%3A%2F%2Fapp%2Fcb%3Faccess_token%3Dcanary-r1&next=%252Fa%253Fpwd%253Dcanary-r2"
				r.Path, r.RawPath = "/cb", "/cb?"+r.Query
				r.Headers = headers("referer", "https://x"+r.RawPath, "x-note", "canary-r1", "x-forwarded-uri", r.RawPath)
			},
			func(r *access.Request) {
				r.Path = "/login;token=canary-p1/x;jsessionid=canary-p2"
				r.RawPath, r.Query = r.Path, ""
				r.Headers = headers("x-note", "canary-p1 and canary-p2")
			},
			func(r *access.Request) {
				r.Headers = nil
				for i, name := range strings.Fields("X-Pwd X-Otp X-Auth X-Pass X-Pin X-Saml Ticket X-Sid X-Csrf X-Client-Cert-Pem X-Refresh X-Userpass xApiKey") {
					r.Headers = append(r.Headers, headers(name, fmt.Sprintf("canary-h%d", i))...)
				}
			},
			func(r *access.Request) {
				r.Headers = headers("forwarded", "for=1.2.3.4;secret=canary-f", "x-json", `{"a": {"password":"canary-j"}}`, "x-line", "https://u:canary@x/")
			},
			func(r *access.Request) {
				r.Query = url.QueryEscape(jwt) + "&" + ownKey
				r.Path, r.RawPath = "/x/"+ownKey+"/y", "/x/"+ownKey+"/y?"+r.Query
			},
			func(r *access.Request) {
				r.Metadata = func() map[string]any {
					return map[string]any{"metadataContext": map[string]any{"filterMetadata": map[string]any{"id_token": "canary-m"}}}
				}
			},
		} {
			q := question(i)
			change(q.Request)
			if _, err := p.Decide(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		j.Close()
		records, problems := read(t, directory)
		if len(records) != 18 || len(problems) > 0 {
			t.Fatalf("%d records, %v", len(records), problems)
		}
		files, _ := journal.Files(directory)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(text) {
				for _, canary := range canaries {
					if bytes.Contains(bytes.ToLower(line), []byte(strings.ToLower(canary))) {
						t.Errorf("whole %v: %q shows in %s", whole, canary, line)
					}
				}
			}
		}
		all, err := records["d-0"].Altered()
		if err != nil || !slices.ContainsFunc(all, func(a journal.Altered) bool {
			return a.How == "redacted" && a.Path.String() == "attributes.request.http.headers.x-api-key"
		}) {
			t.Errorf("a record does not name what is redacted: %v, %v", all, err)
		}
	}
}

// TestClientsWriteNoEnvelope has a client send words of the envelope as its key.
func TestClientsWriteNoEnvelope(t *testing.T) {
	s := compiled(t, rules)
	j, directory, _, _ := kept(t)
	q := question(0, func(q *gate.Question) {
		q.Request.Headers = append(q.Request.Headers, headers("x-api-key", "allowed", "x-token", "2026", "x-pin", "orders", "x-otp", "postern")...)
	})
	if _, err := j.Policy(s, s, nil, nil).Decide(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	j.Close()
	records, problems := read(t, directory)
	if r := records["d-0"]; len(problems) > 0 || r.Outcome.String() != journal.Allowed || !r.Time().Equal(q.Request.Time) || r.Route.String() != "orders" || r.Entrypoint.String() != entrypoint {
		t.Errorf("%+v, %v", r, problems)
	}
}

func headers(pairs ...string) (all access.Headers) {
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, access.Header{Name: strings.ToLower(pair[0]), Value: pair[1]})
	}
	return all
}

func TestHashAndOmit(t *testing.T) {
	s := compiled(t, rules)
	j, directory, _, _ := kept(t, func(c *journal.Config) {
		c.Hash = [][]string{{"consumer", "name"}, {"identity", "claims"}}
		c.Omit = [][]string{{"attributes", "source"}}
	})
	p := j.Policy(s, s, nil, nil)
	for i := range 2 {
		if _, err := p.Decide(t.Context(), question(i)); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	records, _ := read(t, directory)
	a, b := records["d-0"], records["d-1"]
	for _, word := range []string{"mobile", "alice", "192.0.2.7"} {
		if bytes.Contains(a.Input, []byte(word)) || a.Consumer.String() == word {
			t.Errorf("%s is there: %s", word, a.Input)
		}
	}
	if a.Consumer.String() != b.Consumer.String() || !strings.HasPrefix(a.Consumer.String(), "hmac:") || !bytes.Contains(a.Input, a.Consumer) {
		t.Errorf("the consumer is %s and %s", a.Consumer, b.Consumer)
	}
	all, err := a.Altered()
	var paths []string
	for _, one := range all {
		paths = append(paths, one.How+" "+one.Path.String())
	}
	want := []string{`hashed consumer.name`, `hashed identity.claims["https://example.com/x.y"]`, `hashed identity.claims.sub`, `omitted attributes.source`}
	slices.Sort(paths)
	slices.Sort(want)
	if err != nil || !slices.Equal(paths, want) {
		t.Errorf("the record names %v, %v", paths, err)
	}
}

func TestFilesRotateAndOldOnesGo(t *testing.T) {
	s := compiled(t, rules)
	j, directory, counts, _ := kept(t, func(c *journal.Config) { c.MaxFileSize, c.MaxFiles = 8<<10, 3 })
	other, err := journal.Open(journal.Config{Directory: directory, MaxFileSize: 1 << 20, MaxFiles: 3, Sample: 1}, journal.Deps{Logger: slog.New(slog.DiscardHandler), Counts: &journal.Counts{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	q := other.Policy(s, s, nil, nil)
	if _, err := q.Decide(t.Context(), question(100_000)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { files, _ := journal.Files(directory); return len(files) == 1 })
	p := j.Policy(s, s, nil, nil)
	for i := range 100 {
		if _, err := p.Decide(t.Context(), question(i)); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	files, _ := journal.Files(directory)
	if len(files) > 4 || len(files) < 3 || counts.Files.Load() < 5 {
		t.Errorf("%d of %d files are kept", len(files), counts.Files.Load())
	}
	records, problems := read(t, directory)
	if records["d-99"] == nil || records["d-0"] != nil || records["d-100000"] == nil || len(problems) > 0 {
		t.Errorf("%d records, %v", len(records), problems)
	}
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never held")
}

// TestDiskComesBack lets the directory go away and come back.
func TestDiskComesBack(t *testing.T) {
	s := compiled(t, rules)
	j, directory, counts, log := kept(t)
	p := j.Policy(s, s, nil, nil)
	if err := os.Rename(directory, directory+".away"); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := p.Decide(t.Context(), question(i)); err != nil {
			t.Fatal("a request failed for the journal:", err)
		}
	}
	eventually(t, func() bool { return counts.Failed.Load() == 100 })
	if err := os.Rename(directory+".away", directory); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Decide(t.Context(), question(7000)); err != nil {
		t.Fatal(err)
	}
	j.Close()
	records, problems := read(t, directory)
	if len(records) != 1 || records["d-7000"] == nil || len(problems) > 0 {
		t.Errorf("%d records, %v", len(records), problems)
	}
	if n := strings.Count(log.String(), "lost"); n < 1 || n > 4 {
		t.Errorf("it is logged %d times:\n%s", n, log)
	}
}

func TestTornAndMalformed(t *testing.T) {
	s := compiled(t, rules)
	j, directory, _, _ := kept(t)
	p := j.Policy(s, s, nil, nil)
	for i := range 3 {
		if _, err := p.Decide(t.Context(), question(i)); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	files, _ := journal.Files(directory)
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines = slices.Insert(lines, 3, []byte("nonsense\n"), []byte("{\"id\":1}\n"), []byte("\n"), append(bytes.Repeat([]byte("x"), 5<<20), '\n'))
	text = bytes.Join(lines, nil)
	torn := filepath.Join(t.TempDir(), "torn.jsonl")
	if err := os.WriteFile(torn, text[:len(text)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	records, problems := read(t, torn)
	var places []int
	for _, one := range problems {
		places = append(places, one.Line)
	}
	slices.Sort(places)
	if len(records) != 2 || !slices.Equal(places, []int{4, 5, 6, 7, 9}) {
		t.Errorf("%d records, problems %v", len(records), problems)
	}
}

func TestSample(t *testing.T) {
	s := compiled(t, rules)
	j, directory, _, _ := kept(t, func(c *journal.Config) { c.Sample = 0.25 })
	p := j.Policy(s, s, nil, nil)
	for i := range 1000 {
		if _, err := p.Decide(t.Context(), question(i)); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	if records, _ := read(t, directory); len(records) < 150 || len(records) > 350 {
		t.Errorf("%d of 1000 decisions are kept, want about 250", len(records))
	}
}

// failing answers nothing.
type failing struct{}

func (failing) Decide(context.Context, *gate.Question) (access.Decision, error) {
	return access.Decision{}, errors.New("it took longer\nstack")
}

func TestNothingWaits(t *testing.T) {
	s := compiled(t, rules)
	j, directory, counts, _ := kept(t)
	p := j.Policy(failing{}, s, nil, nil)
	var asked atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20_000 {
				_, _ = p.Decide(t.Context(), question(int(asked.Add(1))))
			}
		})
	}
	all.Wait()
	j.Close()
	_, _ = p.Decide(t.Context(), question(1)) // after the end it is dropped
	eventually(t, func() bool { return counts.Written.Load()+counts.Dropped.Load()+counts.Failed.Load() == 80_001 })
	records, problems := read(t, directory)
	if int64(len(records)) != counts.Written.Load() || len(problems) > 0 {
		t.Errorf("%d records, %d written, %v", len(records), counts.Written.Load(), problems)
	}
	for _, r := range records {
		if r.Outcome.String() != journal.Error || r.Failure.String() != "it took longer" || r.Status != 503 {
			t.Fatalf("%+v", r)
		}
	}
}

func BenchmarkNote(b *testing.B) {
	s := compiled(b, rules)
	for _, sample := range []float64{0, 1} {
		b.Run(fmt.Sprint("sample ", sample), func(b *testing.B) {
			j, _, counts, _ := kept(b, func(c *journal.Config) { c.Sample = sample })
			p := j.Policy(allowing{}, s, nil, nil)
			q := question(1)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = p.Decide(b.Context(), q)
			}
			b.StopTimer()
			j.Close()
			b.ReportMetric(float64(counts.Written.Load())/float64(b.N), "written/op")
		})
	}
}

type allowing struct{}

func (allowing) Decide(context.Context, *gate.Question) (access.Decision, error) {
	return access.Decision{Allowed: true}, nil
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"postern_journal\":1}\n{\"selection\":1,\"whole\":true}\n{\"selection\":1,\"id\":\"a\",\"time\":\"2026-11-23T12:00:00Z\",\"entrypoint\":\"a/b\",\"outcome\":\"allowed\",\"status\":200,\"redacted\":[[\"a\"]],\"input\":{\"a\":[1,{\"b\":null}]}}\n"))
	f.Add([]byte("{\"selection\":1,\"holds\":[[\"a\",\"[3\"],[\"b\",\"{\"]]}\n{\"selection\":1,\"id\":\"\\u0061\",\"time\":\"x\",\"entrypoint\":\"a\",\"outcome\":\"error\",\"input\":{ \"a\" : [ ] }}"))
	selected, err := policy.NewSelection([]policy.Path{{"a", "[1"}, {"b", "c"}, {"d", "{"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		records, _ := read(t, file)
		for _, r := range records {
			_, _ = r.Altered()
			_ = r.Time()
			if len(r.Input) == 0 {
				continue
			}
			_ = journal.Term(r.Input)
			_ = selected.Missing(r.Held)
			projected := journal.Project(nil, r.Input, selected)
			if again := journal.Project(nil, projected, selected); !bytes.Equal(again, projected) {
				t.Errorf("%s becomes %s and then %s", r.Input, projected, again)
			}
		}
	})
}
