package claims_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/claims"
)

func read(t testing.TB, text string) map[string]any {
	t.Helper()
	object, err := claims.ReadObject(text)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestClaimPaths(t *testing.T) {
	object := read(t, `{"a":{"b":{"c":1},"b.c":2},"a.b":{"c":3,"d":4},"https://x.test/roles":5,"e":"f"}`)
	for path, want := range map[string]string{
		"a.b.c": "3", "a.b.d": "4", "a.b": `{"c":3,"d":4}`, "https://x.test/roles": "5", "e": `"f"`,
		"": "", ".": "", "e.f": "", "a.": "", ".a": "", "a..b": "", "a.x": "",
	} {
		value, ok := claims.At(object, path)
		if got := encode(value); ok != (want != "") || ok && got != want {
			t.Errorf("at %q: %s (%v), want %s", path, got, ok, want)
		}
	}
}

func TestLists(t *testing.T) {
	object := read(t, `{"one":"a b","many":["c","a b"],"null":null,"mixed":["x",1],"object":{"x":[]}}`)
	for path, want := range map[string][2]string{
		"one": {"a b", "a,b"}, "many": {"c,a b", "c,a,b"}, "null": {"", ""}, "absent": {"", ""}, "object.x": {"", ""},
		"mixed": {"refused", "refused"}, "object": {"refused", "refused"},
	} {
		for i, get := range []func(map[string]any, []string) ([]string, error){claims.List, claims.Scopes} {
			list, err := get(object, []string{path})
			got := strings.Join(list, ",")
			if err != nil {
				got = "refused"
			}
			if got != want[i] {
				t.Errorf("%s (%d): %q, want %q", path, i, got, want[i])
			}
		}
	}
	if got := fmt.Sprint(claims.Join([]string{"a", "b", "a"}, []string{"b", "c"})); got != "[a b c]" {
		t.Errorf("joined: %s", got)
	}
}

func TestDates(t *testing.T) {
	for text, want := range map[string]string{
		`{"exp":1.5}`: "1970-01-01T00:00:01.5Z", `{"exp":253402300799}`: "9999-12-31T23:59:59Z", `{}`: "0001-01-01T00:00:00Z",
		`{"exp":"1"}`: "refused", `{"exp":null}`: "refused", `{"exp":-1}`: "refused", `{"exp":253402300800}`: "refused", `{"EXP":1}`: "0001-01-01T00:00:00Z",
	} {
		at, err := claims.Date(read(t, text), "exp")
		got := at.UTC().Format(time.RFC3339Nano)
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestAudience(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "[]", `{"aud":"a"}`: "[a]", `{"aud":["a","b"]}`: "[a b]", `{"aud":[]}`: "[]",
		`{"aud":null}`: "refused", `{"aud":["a",1]}`: "refused", `{"aud":{"a":1}}`: "refused",
	} {
		list, err := claims.Audience(read(t, text))
		got := fmt.Sprint(list)
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// FuzzReadObject holds the strict reader against encoding/json: what it takes,
// the other takes too, and to the same value.
func FuzzReadObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` {"a":[1,-0.5e3,true,false,null,"x\u0041\ud83d\ude00\n"]} `, `{"a":{"a":{}}}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`,
		`{"a":1e400}`, `{"a":01}`, `{"a":"` + "\x00" + `"}`, "{\"\xff\":1}", `{"a":` + strings.Repeat("[", 40), `{"a" 1}`, `{"a":1,}`, `{}{}`, `{"\u0000":"\/"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ours, err := claims.ReadObject(text)
		if err != nil {
			return
		}
		var theirs map[string]any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&theirs); err != nil {
			t.Fatalf("taken, but not by encoding/json: %v", err)
		}
		if encode(ours) != encode(theirs) {
			t.Fatalf("read as %s, by encoding/json as %s", encode(ours), encode(theirs))
		}
	})
}
