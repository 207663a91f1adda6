package policy_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/policy"
)

// TestSelectionIsItsPaths writes down what rules read and takes it up again.
func TestSelectionIsItsPaths(t *testing.T) {
	s := rules(t, `
allow if {
	input.identity.claims["[0"].x == 1
	input.identity.claims["{"] == 1
	input.identity.claims["\\a.b"] == 1
	input.parsed_path[1] == "a"
	input.parsed_path[3] == "a"
	input.attributes.request.http.headers["x.y"] == "a"
	count(input.consumer.labels) > 0
}`)
	selected := s.Selection(entrypoint)
	again, err := policy.NewSelection(selected.Paths())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(again.Paths()) != fmt.Sprint(selected.Paths()) {
		t.Errorf("%v became %v", selected.Paths(), again.Paths())
	}
	if missing := append(selected.Missing(again), again.Missing(selected)...); len(missing) > 0 {
		t.Errorf("%v is missing", missing)
	}
	var told []string
	for _, path := range selected.Missing(&policy.Selection{}) {
		told = append(told, path.String())
	}
	want := []string{
		`attributes.request.http.headers["x.y"]`, "consumer.labels", `identity.claims["[0"].x`, `identity.claims["\\a.b"]`, `identity.claims["{"]`, "parsed_path[1]", "parsed_path[3]",
	}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
	for _, one := range []struct {
		path policy.Path
		want bool
	}{
		{policy.Path{"consumer"}, true},
		{policy.Path{"consumer", "labels", "team"}, true},
		{policy.Path{"consumer", "name"}, false},
		{policy.Path{"parsed_path"}, true},
		{policy.Path{"identity", "claims", policy.Name("[0")}, true},
		{policy.Path{"identity", "claims", policy.Name("[0"), "y"}, false},
		{policy.Path{"time"}, false},
	} {
		if got := selected.Reads(one.path); got != one.want {
			t.Errorf("%s is read: %v", one.path, got)
		}
	}
	for _, bad := range []policy.Path{{"a", "[x"}, {"a", "[-1"}, {"a", "[1", "b"}, {"a", "[99999999999999999999"}} {
		if _, err := policy.NewSelection([]policy.Path{bad}); err == nil {
			t.Errorf("%q is a path", bad)
		}
	}
}

// TestOnlyThere tells that it matters whether something is there from reading it.
func TestOnlyThere(t *testing.T) {
	held, err := policy.NewSelection([]policy.Path{{"consumer", "{"}})
	if err != nil {
		t.Fatal(err)
	}
	name := rules(t, `allow if input.consumer.name == "a"`).Selection(entrypoint)
	if missing := name.Missing(held); len(missing) != 1 || missing[0].String() != "consumer.name" {
		t.Errorf("%v is missing", missing)
	}
	if missing := policy.Whole().Missing(held); len(missing) == 0 {
		t.Error("the whole is held by a part")
	}
}
