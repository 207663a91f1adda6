package policy_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/policy"
)

// deep is JSON with so many objects in one another.
func deep(levels int) string {
	return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
}

// TestDepthCountsFromTheTop: what runs can be written as an archive and read back,
// so that the levels that data stands below count.
func TestDepthCountsFromTheTop(t *testing.T) {
	const tooDeep = "nested deeper than 128, with the "
	for levels, good := range map[int]bool{118: true, 119: false} {
		t.Run(fmt.Sprint(levels, " levels"), func(t *testing.T) {
			in := newFolder(t, map[string]string{
				"policy/authz.rego": showing("1"), "policy/s/s/s/s/s/s/s/s/s/s/d.json": deep(levels),
			})
			at := newFolder(t, map[string]string{"policy/authz.rego": showing("1"), "d.json": deep(levels)})
			for what, o := range map[string]policy.Options{
				"in folders": in.options(),
				"placed":     at.options(at.at("d.json", strings.Split("s.s.s.s.s.s.s.s.s.s", ".")...)),
			} {
				if !good {
					if found := problems(t, o); !says(found, tooDeep) {
						t.Errorf("%s: got %v", what, found)
					}
					continue
				}
				var archive bytes.Buffer
				if err := compiled(t, o).WriteBundle(&archive); err != nil {
					t.Fatal(err)
				}
				if _, err := policy.ReadBundle("", &archive, policy.BundleOptions{}); err != nil {
					t.Errorf("%s: it can't be read back: %v", what, err)
				}
			}
			packed := archived(t, map[string]string{"s/s/s/s/s/s/s/s/s/s/data.json": deep(levels)})
			if _, err := policy.ReadBundle("main", bytes.NewReader(packed), policy.BundleOptions{}); (err == nil) != good || !good && !strings.Contains(err.Error(), tooDeep) {
				t.Errorf("in a bundle: %v", err)
			}
		})
	}
}

// TestDepthCountsWhereAFileIsPlacedAnew: what was read once is not read again, but
// looked at.
func TestDepthCountsWhereAFileIsPlacedAnew(t *testing.T) {
	f := newFolder(t, map[string]string{"policy/authz.rego": showing("1"), "d.json": deep(127)})
	last := compiled(t, f.options(f.at("d.json", "x")))
	o := f.options(f.at("d.json", "x", "y"))
	o.Last = last
	if found := problems(t, o); !says(found, "nested deeper than 128, with the 2 levels that it stands below") {
		t.Errorf("got %v", found)
	}
}

// TestFoldersOfABundleAreBounded: they are levels too, whatever stands in them.
func TestFoldersOfABundleAreBounded(t *testing.T) {
	for levels, good := range map[int]bool{100: true, 130: false, 1000: false} {
		packed := archived(t, map[string]string{strings.Repeat("s/", levels) + "data.json": "{}"})
		if _, err := policy.ReadBundle("main", bytes.NewReader(packed), policy.BundleOptions{}); (err == nil) != good {
			t.Errorf("%d folders in one another: %v", levels, err)
		}
	}
}
