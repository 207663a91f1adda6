package gate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

func TestPatternMatches(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          []access.Param
		fits          bool
	}{
		{"/", "/", nil, true},
		{"/", "/a", nil, false},
		{"/healthz", "/healthz", nil, true},
		{"/healthz", "/healthz/", nil, true},
		{"/healthz/", "/healthz", nil, true},
		{"/healthz", "/Healthz", nil, false},
		{"/healthz", "/healthz/x", nil, false},
		{"/orders/{id}", "/orders/7", []access.Param{{Name: "id", Value: "7"}}, true},
		{"/orders/{id}", "/orders/7/", []access.Param{{Name: "id", Value: "7"}}, true},
		{"/orders/{id}", "/orders", nil, false},
		{"/orders/{id}", "/orders/", nil, false},
		{"/orders/{id}", "/orders/7/lines", nil, false},
		{"/files/{rest...}", "/files", []access.Param{{Name: "rest"}}, true},
		{"/files/{rest...}", "/files/", []access.Param{{Name: "rest"}}, true},
		{"/files/{rest...}", "/files/a/b", []access.Param{{Name: "rest", Value: "a/b"}}, true},
		{"/files/{rest...}", "/filesystem", nil, false},
		{"/{a}/x/{b}", "/1/x/2", []access.Param{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}, true},
		{"/{rest...}", "/", []access.Param{{Name: "rest"}}, true},
		{"/a b/ü", "/a b/ü", nil, true},
	}
	for _, test := range tests {
		p, err := gate.ParsePattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got, fits := p.Match(test.path, nil)
		if fits != test.fits {
			t.Errorf("%s on %s: %v", test.pattern, test.path, fits)
		} else if diff := cmp.Diff(test.want, got); fits && diff != "" {
			t.Errorf("%s on %s: %s", test.pattern, test.path, diff)
		}
	}
}

func TestPatternsRefused(t *testing.T) {
	for _, text := range []string{"", "a", "//", "/a//b", "/./a", "/..", "/{", "/}", "/{}", "/{...}", "/a{b}", "/{a}b", "/{a}/{a}", "/{rest...}/x", "/{a b}", "/{1}", "/{$}", "/a%20b", "/%2fa"} {
		if p, err := gate.ParsePattern(text); err == nil {
			t.Errorf("%q was read as %v", text, p)
		}
	}
}

// TestCoversMeansMatches: whatever a covered pattern matches, the covering one
// matches too.
func TestCoversMeansMatches(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		s := ""
		for i, n := 0, rapid.IntRange(0, 3).Draw(t, "segments"); i < n; i++ {
			s += "/" + rapid.SampledFrom([]string{"a", "b", "{x" + string(rune('0'+i)) + "}"}).Draw(t, "segment")
		}
		if rapid.Bool().Draw(t, "open") {
			return s + "/{rest...}"
		}
		if s == "" {
			return "/"
		}
		return s
	})
	path := rapid.StringMatching(`(/[abc]){0,4}/?`)
	rapid.Check(t, func(t *rapid.T) {
		p, _ := gate.ParsePattern(text.Draw(t, "p"))
		q, _ := gate.ParsePattern(text.Draw(t, "q"))
		canonical := path.Draw(t, "path")
		if canonical == "" {
			canonical = "/"
		}
		_, inQ := q.Match(canonical, nil)
		if _, inP := p.Match(canonical, nil); p.Covers(q) && inQ && !inP {
			t.Fatalf("%v covers %v, but %s fits the latter alone", p, q, canonical)
		}
	})
}

func TestMatchCovers(t *testing.T) {
	pattern := func(s string) []gate.Pattern {
		p, err := gate.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		return []gate.Pattern{p}
	}
	tests := []struct {
		name         string
		first, later gate.Match
		want         bool
	}{
		{"everything", gate.Match{}, gate.Match{Paths: pattern("/a")}, true},
		{"a wildcard host", gate.Match{Hosts: []string{"*.example.com"}}, gate.Match{Hosts: []string{"a.example.com", "*.b.example.com"}}, true},
		{"a wildcard host does not cover its own suffix", gate.Match{Hosts: []string{"*.example.com"}}, gate.Match{Hosts: []string{"example.com"}}, false},
		{"fewer methods", gate.Match{Methods: []string{"GET"}}, gate.Match{}, false},
		{"more methods", gate.Match{Methods: []string{"GET", "PUT"}}, gate.Match{Methods: []string{"PUT"}}, true},
		{"a narrower path", gate.Match{Paths: pattern("/a/{x}")}, gate.Match{Paths: pattern("/a/{rest...}")}, false},
	}
	for _, test := range tests {
		if got := test.first.Covers(&test.later); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
