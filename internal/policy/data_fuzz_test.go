package policy_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/postern-authz/postern/internal/policy"
)

// stricter are the rules that JSON data is held to beyond encoding/json's.
var stricter = []string{"stands twice", "not UTF-8", "half of a surrogate pair", "nested deeper", "out of range"}

// FuzzJSONData: what is read is what encoding/json and OPA make of it, and what
// is refused is refused by them or by a rule of ours.
func FuzzJSONData(f *testing.F) {
	for _, seed := range []string{
		`{"a": [1, -0, 1.50, 1e3, 10000000000000000000000001, "b\né\ud83d\ude00", true, false, null, {}, []]}`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `[1,]`, `{"a"}`, `01`, `-`, `1.`, `1e`, `1e9999999999`, ` 1 2`, "\"\x01\"", "\"\xff\"",
		`[[[[[[]]]]]]`, strings.Repeat("[", 200), `"\x"`, `"\u00g0"`, `tru`, ``, `{`, `{"a":1,`, "\xef\xbb\xbf{}", `"\"\\\/\b\f\n\r\t"`,
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"a":10}`, `"\u2028"`, `1E+2`, `-1`, `100`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := policy.ReadJSON(text)
		var x any
		wantErr := util.UnmarshalJSON(text, &x)
		if wantErr == nil && json.Valid(text) {
			var want ast.Value
			if want, wantErr = ast.InterfaceToValue(x); err == nil && wantErr == nil && want.Compare(got) != 0 {
				t.Fatalf("%q: read as %v, want %v", text, got, want)
			}
		}
		switch {
		case err == nil && !json.Valid(text):
			t.Fatalf("%q: accepted, though it is no JSON", text)
		case err == nil && wantErr != nil:
			t.Fatalf("%q: accepted, though OPA says %v", text, wantErr)
		case err != nil && wantErr == nil && json.Valid(text) && !refusedByRule(err):
			t.Fatalf("%q: refused: %v", text, err)
		case err == nil:
			writtenAsRead(t, got)
		}
	})
}

func refusedByRule(err error) bool {
	for _, rule := range stricter {
		if strings.Contains(err.Error(), rule) {
			return true
		}
	}
	return false
}

// writtenAsRead: what was read is written as JSON that is read as the same.
func writtenAsRead(t *testing.T, value ast.Value) {
	t.Helper()
	var text bytes.Buffer
	if err := policy.WriteJSON(&text, value); err != nil {
		t.Fatal(err)
	}
	again, err := policy.ReadJSON(text.Bytes())
	if err != nil || again.Compare(value) != 0 || !utf8.Valid(text.Bytes()) {
		t.Fatalf("written as %q, read as %v, %v; was %v", text.Bytes(), again, err, value)
	}
}

// FuzzYAMLData: whatever is in a file, it is read or refused with a word.
func FuzzYAMLData(f *testing.F) {
	for _, seed := range []string{
		"a: 1\nb: [x, 1.5, 0x1f, 0o17, .5, 1_000, +3, 2026-01-01, yes, true, ~, .inf]\n", "a: 1\na: 2", "a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}",
		"a: &a [1]\nb: &b [*a,*a]\nc: &c [*b,*b]", "--- 1\n--- 2", "? [a]\n: 1", "a: !!binary aGk=", "\t", "a: \"\\xff\"", "1: a\ntrue: b", "a: &a [*a]", "<<: 1", "<<: [{a: 1}, {b: 2}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		value, err := policy.ReadYAML(text)
		if (value == nil) == (err == nil) {
			t.Fatalf("%q: %v, %v", text, value, err)
		}
		if err == nil {
			writtenAsRead(t, value)
		}
	})
}
