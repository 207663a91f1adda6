package journal_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/journal"
)

// noted is the journal's text after one question.
func noted(t testing.TB, whole bool, change func(*gate.Question)) (text []byte, _ *journal.Record) {
	t.Helper()
	s := compiled(t, strings.ReplaceAll(rules, `"reader" in input.identity.roles`, "input.parsed_body != 1\ninput.attributes.metadataContext != 1"))
	j, directory, _, _ := kept(t, func(c *journal.Config) { c.Whole = whole })
	q := question(1, change)
	if _, err := j.Policy(allowing{}, s, nil, nil).Decide(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	j.Close()
	files, _ := journal.Files(directory)
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	records, problems := read(t, directory)
	if len(problems) > 0 || records["d-1"] == nil {
		t.Fatalf("%d records, %v", len(records), problems)
	}
	return text, records["d-1"]
}

func more(pairs ...string) func(*gate.Question) {
	return func(q *gate.Question) { q.Request.Headers = append(q.Request.Headers, headers(pairs...)...) }
}

func query(raw string) func(*gate.Question) {
	return func(q *gate.Question) { q.Request.Query, q.Request.RawPath = raw, "/orders/7?"+raw }
}

// TestCredentialsElsewhere says a credential once where it stands, and once
// where nobody would look for one.
func TestCredentialsElsewhere(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
	basic := base64.StdEncoding.EncodeToString([]byte("super:canary123"))
	url64 := base64.RawURLEncoding.EncodeToString([]byte("bob:canary??>>ÿÿ"))
	long := strings.Repeat("canary", 20)
	for name, one := range map[string]struct {
		secret string
		change func(*gate.Question)
	}{
		"token as a parameter's name":     {"c2lnbmF0dXJl", query(jwt)},
		"token as a member's name":        {"c2lnbmF0dXJl", body(`{"` + jwt + `":1}`)},
		"credential as a member's name":   {"canary", both(more("authorization", "Bearer canary"), body(`{"canary":{"canary":"canary"}}`))},
		"credential as a parameter":       {"canary", both(more("authorization", "Bearer canary"), query("canary"))},
		"parameter of a route":            {"canary", path("/reset/canary", "token", "canary")},
		"encoded parameter of a route":    {"can%61ry", path("/reset/can%61ry", "token", "canary")},
		"address in a parameter":          {"canary", query("next=https%3A%2F%2Fx%2Fcb%3Ftoken%3Dcanary")},
		"name and password in an address": {"canary", more("referer", "https://bob:canary@example.com/x")},
		"own scheme":                      {basic, more("x-origin", "Basic "+basic)},
		"list of parameters":              {"canary", query("api_key[]=canary&apikey%5B0%5D=canary")},
		"extension": {"canary", both(more("x-echo", "a canary"), func(q *gate.Question) {
			q.Request.Extensions = map[string]string{"api_token": "canary"}
		})},
		"extension with a scheme": {"canary", both(more("x-echo", "a canary"), func(q *gate.Question) {
			q.Request.Extensions = map[string]string{"token": "Opaque canary"}
		})},
		"metadata":                {"canary", both(more("x-echo", "a canary"), metadata("auth", "canary"))},
		"member of the body":      {"canary", body(`{"request":{"password":["canary"]},"x":"a canary"}`)},
		"password":                {"canary123", more("authorization", "Basic "+basic, "x-echo", "canary123")},
		"password, not padded":    {"canary123", more("authorization", "Basic "+strings.TrimRight(basic, "="), "x-echo", "canary123")},
		"password, other letters": {"canary", more("authorization", "Basic "+url64, "x-echo", "canary??>>ÿÿ")},
		"short one":               {`"abc"`, more("authorization", "Bearer abc", "x-echo", "abc")},
		"long one":                {"canary", more("x-api-key", long, "x-echo", "a"+long+"b")},
		"encoded one":             {"%2Fcanary", both(more("cookie", "s=a/canary"), query("x=a%2Fcanary"))},
		"encoded letter":          {"c%61nary", both(more("x-api-key", "canary"), query("x=c%61nary"))},
		"one within another":      {"canary", more("x-api-key", "canary", "x-token", "canary-canary", "x-echo", "canary-canarycanary")},
		"many":                    {"f00d", more("cookie", distinct(2000), "x-echo", "a f00d b")},
		"far too long":            {"canary", more("x-api-key", strings.Repeat("canary ", 20_000)+"!", "x-echo", "canary")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, whole := range []bool{true, false} {
				text, _ := noted(t, whole, one.change)
				if at := bytes.Index(text, []byte(one.secret)); at >= 0 {
					t.Errorf("whole %v: it shows: …%s…", whole, text[max(0, at-80):min(len(text), at+60)])
				}
			}
		})
	}
}

// distinct are words of four letters and more, and f00d.
func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a=%04x; ", i)
	}
	return b.String() + "f00d"
}

func both(a, b func(*gate.Question)) func(*gate.Question) {
	return func(q *gate.Question) { a(q); b(q) }
}

func body(text string) func(*gate.Question) {
	return func(q *gate.Question) {
		q.Request.Body = []byte(text)
		q.Request.Headers = append(q.Request.Headers, headers("content-type", "application/json")...)
	}
}

func path(raw, name, value string) func(*gate.Question) {
	return func(q *gate.Question) {
		q.Request.Path, q.Request.RawPath, q.Request.Query = strings.ReplaceAll(raw, "%61", "a"), raw, ""
		q.Params = []access.Param{{Name: name, Value: value}}
	}
}

func metadata(name string, value any) func(*gate.Question) {
	return func(q *gate.Question) {
		q.Request.Metadata = func() map[string]any {
			return map[string]any{"metadataContext": map[string]any{"filterMetadata": map[string]any{"a": map[string]any{name: value}}}}
		}
	}
}

// TestClientsTakeNothingElse has clients name as credentials what records stand
// on, and what tells who they are.
func TestClientsTakeNothingElse(t *testing.T) {
	for name, change := range map[string]func(*gate.Question){
		"words": more("x-api-key", "http", "x-token", "headers", "x-pin", "mobile", "x-otp", "request", "x-auth", "d-1", "cookie", "path contextExtensions address socketAddress"),
		"marks": more("cookie", "reda edac dact acte cted redac edact dacte acted redact edacte dacted redacte edacted redacted", "x-echo", strings.Repeat("redacted ", 1000)),
		"flood": more("cookie", distinct(5000)),
	} {
		text, r := noted(t, true, change)
		for _, want := range []string{`"http":{`, `"headers":{`, `"path":`, `"socketAddress":{"address":"192.0.2.7"`, `"consumer":"mobile"`} {
			if !bytes.Contains(text, []byte(want)) {
				t.Errorf("%s: %s is gone from %.2000s", name, want, text)
			}
		}
		if r.Consumer.String() != "mobile" || len(text) > 64<<10 {
			t.Errorf("%s: consumer %s, %d bytes", name, r.Consumer, len(text))
		}
	}
}

// TestDeepMetadata is kept so that it can be read.
func TestDeepMetadata(t *testing.T) {
	var deep any = "x"
	for range 500 {
		deep = []any{deep}
	}
	_, r := noted(t, true, metadata("a", deep))
	if !bytes.Contains(r.Redacted, []byte(`"filterMetadata"`)) {
		t.Errorf("the record does not say what it lacks: %s", r.Redacted)
	}
}

// TestRecordsCostTheirLength holds a flood of credentials to the price of as
// many bytes that are none.
func TestRecordsCostTheirLength(t *testing.T) {
	price := func(name string) time.Duration {
		best := time.Hour
		for range 3 {
			began := time.Now()
			noted(t, true, more(name, distinct(50_000), "x-long", strings.Repeat("abcdefgh", 64<<10)))
			best = min(best, time.Since(began))
		}
		return best
	}
	if plain, secret := price("x-note"), price("cookie"); secret > 20*plain {
		t.Errorf("a record takes %v with credentials, %v without", secret, plain)
	}
}

// FuzzCredentialElsewhere puts a key between anything.
func FuzzCredentialElsewhere(f *testing.F) {
	f.Add("was ", "k3Y", " here", uint8(0))
	f.Add("/a?x=%2", "-secret", "%25;token=", uint8(1))
	f.Add("https://u:", "p", "@h/", uint8(2))
	f.Add("zq9canary", "zq9canary", "zq9canary", uint8(3))
	s := compiled(f, rules)
	f.Fuzz(func(t *testing.T, before, middle, after string, where uint8) {
		// A letter of ours on each side: what a client writes within is its own.
		secret := "zq9canary" + strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' {
				return r
			}
			return -1
		}, middle)
		text := before + secret + after
		j, directory, _, _ := kept(t)
		q := question(1, more([]string{"x-api-key", "authorization"}[where%2], secret))
		switch where / 2 % 4 {
		case 0:
			more("x-note", text)(q)
		case 1:
			query(text)(q)
		case 2:
			q.Params = []access.Param{{Name: "id", Value: text}}
		case 3:
			q.Request.Path, q.Request.RawPath = "/"+text, "/"+text
		}
		if _, err := j.Policy(allowing{}, s, nil, nil).Decide(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		j.Close()
		files, _ := journal.Files(directory)
		for _, file := range files {
			if got, err := os.ReadFile(file); err != nil || bytes.Contains(got, []byte(secret)) {
				t.Errorf("%q shows in %s, %v", secret, got, err)
			}
		}
	})
}
