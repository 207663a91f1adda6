package author_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/author"
)

func TestDiff(t *testing.T) {
	before := strings.Repeat("same\n", 5) + "old\n" + strings.Repeat("more\n", 20) + "gone\nlast\n"
	after := strings.Repeat("same\n", 5) + "new\n" + strings.Repeat("more\n", 20) + "last\nadded\n"
	f := author.Formatted{File: "a.rego", Before: []byte(before), After: []byte(after)}
	want := "--- a.rego\n+++ a.rego\n" +
		"@@ -3,7 +3,7 @@\n same\n same\n same\n-old\n+new\n more\n more\n more\n" +
		"@@ -24,5 +24,5 @@\n more\n more\n more\n-gone\n last\n+added\n"
	if got := f.Diff(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	f.After = f.Before
	if got := f.Diff(); got != "" {
		t.Errorf("no change gives %q", got)
	}
}
