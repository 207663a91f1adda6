package page

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplaceLeavesOtherParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "REPORT.md")
	for _, put := range []struct{ part, text, want string }{
		{"a", "one\n\n", title + "\n<!-- begin a -->\none\n<!-- end a -->\n"},
		{"b", "two", title + "\n<!-- begin a -->\none\n<!-- end a -->\n\n<!-- begin b -->\ntwo\n<!-- end b -->\n"},
		{"a", "three", title + "\n<!-- begin a -->\nthree\n<!-- end a -->\n\n<!-- begin b -->\ntwo\n<!-- end b -->\n"},
	} {
		if err := Replace(path, put.part, put.text); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != put.want {
			t.Errorf("after %q in %s:\n%s\nwant\n%s", put.text, put.part, got, put.want)
		}
	}
}

func TestPartWithoutEnd(t *testing.T) {
	if _, err := replace(title+"<!-- begin a -->\nx", "a", "y"); err == nil {
		t.Error("a part without an end was replaced")
	}
}
