package policy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// vast are rules with two equal values of a hundred million pieces each, which
// take no time to make.
const vast = `a0 := numbers.range(1, 100)
a1 := [x | some i in numbers.range(1, 100); x := a0]
a2 := [x | some i in numbers.range(1, 100); x := a1]
a3 := [x | some i in numbers.range(1, 100); x := a2]
b3 := [x | some i in numbers.range(1, 100); x := a2]
`

// A comparison without end ends with the budget: by itself it would fill the
// stack, and end the process.
func TestVastComparisonsEnd(t *testing.T) {
	for name, condition := range map[string]string{
		"equal":        "a3 == b3",
		"different":    "a3 != b3",
		"less":         "a3 < b3",
		"at most":      "a3 <= b3",
		"in a list":    "a3 in [b3]",
		"in an object": `a3 in {"a": b3}`,
		"by names":     "x := a3\n\ty := b3\n\tx == y",
		"as a term":    "z := a3 == b3\n\tz",
		"in objects":   `x := {"a": a3}` + "\n\t" + `x == {"a": b3}`,
		"in every":     "every x in [a3] { x == b3 }",
		"of functions": "same(a3, b3)",
	} {
		t.Run(name, func(t *testing.T) {
			text := "default allow := false\n" + vast + "same(x, y) if x == y\nused if same(1, 1)\nallow if {\n\t" + condition + "\n}"
			s := embedded(t, module(text), func(o *policy.Options) { o.Timeout = 20 * time.Millisecond })
			if d, err := s.Decide(context.Background(), question()); err == nil || d.Allowed {
				t.Errorf("got %+v, %v; want an error", d, err)
			}
		})
	}
}

// `==` answers between values of all types, made by rules or not, what it says.
func TestComparedIsEqual(t *testing.T) {
	values := []string{"null", "true", "1", "1.0", `"a"`, "[]", "[1]", "[1, [2]]", "[1, [2.0]]", "{1, 2}", "{2, 1}", "set()", "{}", `{"a": {"b": [1]}}`, `{"a": {"b": [2]}}`}
	var b strings.Builder
	b.WriteString("default allow := false\nself(x) := x\n") // of any type
	for i, v := range values {
		fmt.Fprintf(&b, "v%d := %s\n", i, v)
	}
	var conditions []string
	for i, one := range values {
		for j, other := range values {
			truth := "not "
			if one == other || one+other == "11.0" || one+other == "1.01" || one+other == "{1, 2}{2, 1}" || one+other == "{2, 1}{1, 2}" || strings.HasPrefix(one, "[1, [2") && strings.HasPrefix(other, "[1, [2") {
				truth = ""
			}
			conditions = append(conditions, fmt.Sprintf("%sself(v%d) == self(v%d)", truth, i, j))
		}
	}
	b.WriteString("allow if {\n\t" + strings.Join(conditions, "\n\t") + "\n}")
	if !decide(t, embedded(t, module(b.String()), func(o *policy.Options) { o.Timeout = time.Minute }), question()).Allowed {
		t.Error("a comparison answers otherwise")
	}
}

// What is undefined is equal to nothing, and a member is looked for in all.
func TestComparedUndefined(t *testing.T) {
	text := "default allow := false\nl := json.unmarshal(\"[1, 2, 3]\")\nm := json.unmarshal(\"{\\\"k\\\": 3}\")\nallow if {\n\tl[_] == m.k\n\tnot l[7] == m.k\n\tnot m.x == l[0]\n\tnot m.x == m.y\n}"
	if !decide(t, embedded(t, module(text)), question()).Allowed {
		t.Error("not allowed")
	}
}

// A module that doubles a list in each line is compiled soon: what its types
// would be is not taken apart.
func TestDoubledListsAreCompiled(t *testing.T) {
	var b strings.Builder
	b.WriteString("default allow := false\na0 := [input.route.name]\nb0 := [input.route.name]\n")
	for i := 1; i <= 24; i++ {
		fmt.Fprintf(&b, "a%[1]d := [a%[2]d, a%[2]d]\nb%[1]d := [b%[2]d, b%[2]d]\n", i, i-1)
	}
	b.WriteString("allow if a24 == b24")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := policy.Compile(ctx, policy.Options{Embedded: files(module(b.String())), Entrypoints: []string{entrypoint}}); err != nil {
		t.Error(err)
	}
}
