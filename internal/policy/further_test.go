package policy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/internal/policy"
)

// TestFurtherPlaces: where further data stands is known, and what lacks there
// later is told.
func TestFurtherPlaces(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("policies/authz.rego", "package postern.authz\n\nallow := true")
	file("policies/own.json", `{"own": 1}`)
	bundle := func(name, manifest, data string) *policy.Bundle {
		b, err := policy.ReadBundle(name, bytes.NewReader(archived(t, map[string]string{"/.manifest": manifest, "/data.json": data})), policy.BundleOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	compile := func(data []policy.DataFiles, bundles ...*policy.Bundle) *policy.Snapshot {
		s, err := policy.Compile(t.Context(), policy.Options{
			Directory: filepath.Join(dir, "policies"), Data: data, Bundles: bundles, Entrypoints: []string{"postern/authz/allow"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	all := compile([]policy.DataFiles{
		{Pattern: file("a.json", `{"mallory": true}`), At: []string{"lists", "block/ed"}},
		{Pattern: file("b.json", `{"top": {"x": 1}, "other": 2}`)},
		{Pattern: filepath.Join(dir, "none", "*.json"), At: []string{"none"}},
	}, bundle("rooted", `{"roots": ["shop/orders", "shop/empty"]}`, `{"shop": {"orders": {}}}`))
	places := all.FurtherPlaces()
	if want := "[lists/block%2Fed other shop/empty shop/orders top]"; fmt.Sprint(places) != want {
		t.Errorf("the places are %v, want %v", places, want)
	}
	if lacking := all.Lacking(places); lacking != nil {
		t.Errorf("it lacks its own: %v", lacking)
	}
	if got := compile(nil, bundle("whole", `{}`, `{"whole": 1}`)).FurtherPlaces(); fmt.Sprint(got) != "[whole]" {
		t.Errorf("a bundle without roots stands at %v", got)
	}
	for _, c := range []struct {
		now  *policy.Snapshot
		want string
	}{
		{compile(nil), "[lists/block%2Fed other shop/empty shop/orders top]"},
		{compile([]policy.DataFiles{{Pattern: file("c.json", `{"block/ed": {}, "else": 1}`), At: []string{"lists"}}}), "[other shop/empty shop/orders top]"},
		{compile([]policy.DataFiles{{Pattern: file("d.json", `{"else": 1}`), At: []string{"lists"}}}), "[lists/block%2Fed other shop/empty shop/orders top]"},
		{compile(nil, bundle("new", `{"roots": ["shop/orders/eu"]}`, `{"shop": {"orders": {"eu": 1}}}`)), "[lists/block%2Fed other shop/empty shop/orders top]"},
	} {
		if got := fmt.Sprint(c.now.Lacking(places)); got != c.want {
			t.Errorf("it lacks %v, want %v", got, c.want)
		}
	}
}
