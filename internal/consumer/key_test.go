package consumer_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// known is a key whose checksum was computed elsewhere: Python's zlib.crc32 of
// what stands before the last six characters, in base62.
const known = "postern_prod_0A1b2C3d4E5f" + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg" + "4X0XpK"

func TestLooksLikeKey(t *testing.T) {
	tests := []struct {
		name, value string
		want        bool
	}{
		{"known", known, true},
		{"one character changed", strings.Replace(known, "0A1b", "0A1c", 1), false},
		{"the checksum changed", known[:len(known)-1] + "0", false},
		{"other environment", strings.Replace(known, "prod", "test", 1), false},
		{"in upper case", strings.ToUpper(known), false},
		{"a character too many", known + "0", false},
		{"cut", known[:len(known)-1], false},
		{"white space", " " + known, false},
		{"the body alone", known[len("postern_prod_"):], false},
		{"empty", "", false},
		{"a JWT", "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0." + strings.Repeat("a", 43), false},
		{"long", strings.Repeat("a", 1<<20), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := consumer.LooksLikeKey(tt.value); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestMistyped(t *testing.T) {
	changed := strings.Replace(known, "0A1b", "0A1c", 1)
	for name, c := range map[string]struct {
		value, prefix string
		want          bool
	}{
		"good":                    {known, "postern", false},
		"a character changed":     {changed, "postern", true},
		"the checksum changed":    {known[:len(known)-1] + "0", "postern", true},
		"of another prefix":       {changed, "acme", false},
		"no prefix configured":    {changed, "", false},
		"cut":                     {changed[:len(changed)-1], "postern", false},
		"too long":                {changed + "0", "postern", false},
		"no base62":               {strings.Replace(changed, "0A1c", "0A-c", 1), "postern", false},
		"another form of the end": {"postern_prod_" + strings.Repeat("é", 30) + "a", "postern", false},
	} {
		if got := consumer.Mistyped(c.value, c.prefix); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNewKeyHasItsForm(t *testing.T) {
	for _, random := range []io.Reader{
		rand.Reader,
		bytes.NewReader(make([]byte, 41)),
		bytes.NewReader(bytes.Repeat([]byte{0xff}, 41)),
	} {
		key, err := consumer.NewKey("acme2", "pre-prod", random)
		if err != nil {
			t.Fatal(err)
		}
		text := string(key.Reveal())
		if !consumer.LooksLikeKey(text) || len(text) != len("acme2_pre-prod_")+61 {
			t.Errorf("%q is no key", text)
		}
	}
}

func TestNewKeyRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		prefix, environment string
		random              io.Reader
	}{
		"prefix with underscore":     {"a_b", "prod", rand.Reader},
		"prefix begins with a digit": {"1a", "prod", rand.Reader},
		"empty prefix":               {"", "prod", rand.Reader},
		"upper case":                 {"Acme", "prod", rand.Reader},
		"empty environment":          {"acme", "", rand.Reader},
		"environment with dot":       {"acme", "a.b", rand.Reader},
		"long prefix":                {strings.Repeat("a", 17), "prod", rand.Reader},
		"long environment":           {"acme", strings.Repeat("a", 33), rand.Reader},
		"too little randomness":      {"acme", "prod", strings.NewReader("0123456789")},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := consumer.NewKey(tt.prefix, tt.environment, tt.random); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestLooksLikeKeyDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { consumer.LooksLikeKey(known) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "mobile-app-prod-67a1b2c3": true, "A.b_c-9": true, strings.Repeat("a", 128): true,
		"": false, ".": false, "..": false, "a b": false, "a,b": false, "a/b": false, "a\n": false, "ü": false, strings.Repeat("a", 129): false,
	} {
		if got := consumer.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v", name, got)
		}
	}
}

func TestValidUsername(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "ns_app": true, "app@example.com": true, `a"b\c,d`: true, strings.Repeat("a", 256): true,
		"": false, "a:b": false, "a b": false, " a": false, "a\x00": false, "a\x7f": false, "ü": false, strings.Repeat("a", 257): false,
	} {
		if got := consumer.ValidUsername(name); got != want {
			t.Errorf("ValidUsername(%q) = %v", name, got)
		}
	}
}

func TestShowKey(t *testing.T) {
	for key, want := range map[string][3]string{
		known:                  {"0A1b2C3d4E5f", "postern_prod_0A1b2C3d4E5f", "0XpK"},
		known[:len(known)-1]:   {"", "", "X0Xp"},
		"a-foreign-key-012345": {"", "", "2345"},
		"abc":                  {"", "", "abc"},
	} {
		id, prefix, lastFour := consumer.ShowKey(access.NewSecret(key))
		if got := [3]string{id, prefix, lastFour}; got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}
