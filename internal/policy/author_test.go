package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// author writes policies of every shape that OPA knows, of few words, so that
// they often look at what others look past. Each policy is of few shapes: one
// that reads everything somewhere would hide what is overlooked elsewhere.
type author struct {
	*rand.Rand
	names int
	// kinds are the kinds of conditions, forms those of terms.
	kinds, forms []int
}

const (
	conditionKinds = 32
	termForms      = 6
)

func newAuthor(r *rand.Rand) *author {
	return &author{Rand: r, kinds: r.Perm(conditionKinds)[:1+r.IntN(3)], forms: r.Perm(termForms)[:1+r.IntN(2)]}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func (a *author) name(prefix string) string {
	a.names++
	return fmt.Sprintf("%s%d", prefix, a.names)
}

func (a *author) literal() string {
	return pick(a.Rand, `"a"`, `"b"`, `"1"`, `"reader"`, `""`, "1", "2", "true", "null")
}

func (a *author) text() string { return pick(a.Rand, `"a"`, `"b"`, `"1"`, `"reader"`, `""`) }

func (a *author) key() string { return pick(a.Rand, "a", "n", "id", "x", "name", "b") }

// leaf is a constant reference to the input.
func (a *author) leaf() string {
	return pick(a.Rand, "input.route.name", "input.route.params.id", "input.consumer.name", "input.consumer.labels.a", "input.consumer.labels.b",
		"input.consumer.attributes.n", "input.consumer.attributes.a", "input.consumer.environment", "input.identity.claims.org.id", "input.identity.claims.org",
		"input.identity.claims.a", "input.identity.claims.a[0]", "input.identity.claims.n", "input.identity.anonymous", "input.parsed_path[0]", "input.parsed_path[1]",
		"input.parsed_path[2]", "input.parsed_query.a[0]", "input.parsed_query.b", "input.identity.roles[0]", "input.identity.issuer", "input.credential.kind",
		"input.attributes.request.http.method", `input.attributes.request.http.headers["x-a"]`, `input.attributes.request.http.headers["x-b"]`,
		"input.attributes.contextExtensions.a", "input.attributes.source.address.socketAddress.address", "input.no.such")
}

// object is a part of the input that holds others.
func (a *author) object() string {
	return pick(a.Rand, "input.route", "input.route.params", "input.consumer", "input.consumer.labels", "input.consumer.attributes", "input.identity",
		"input.identity.claims", "input.identity.claims.org", "input.attributes.request.http.headers", "input.attributes.contextExtensions", "input.parsed_query")
}

func (a *author) list() string {
	return pick(a.Rand, "input.identity.roles", "input.identity.scopes", "input.parsed_path", "input.consumer.groups", "input.identity.claims.a", "input.parsed_query.a")
}

// value is a term. What it needs before it goes to lines.
func (a *author) value(lines *[]string, depth int) string {
	switch pick(a.Rand, a.forms...) {
	case 0:
		name := a.name("v")
		*lines = append(*lines, name+" := "+a.object())
		return name + "." + a.key()
	case 1:
		return fmt.Sprintf("object.get(%s, %q, %s)", a.object(), a.key(), a.literal())
	case 2:
		return fmt.Sprintf("object.get(%s, [%q, %q], %s)", a.object(), a.key(), a.key(), a.literal())
	case 3:
		return a.object() + "[" + a.leaf() + "]"
	case 4:
		if depth > 0 {
			return fmt.Sprintf("got%d(%s)", a.IntN(depth), a.object())
		}
	}
	return a.leaf()
}

// condition adds a condition to lines. It may ask rules of a lower depth.
func (a *author) condition(lines *[]string, depth int) {
	say := func(format string, args ...any) { *lines = append(*lines, fmt.Sprintf(format, args...)) }
	v := func() string { return a.value(lines, depth) }
	if a.IntN(4) == 0 {
		say("%s == %s", v(), a.literal())
		return
	}
	kind := pick(a.Rand, a.kinds...)
	if depth == 0 && kind >= firstOfRules {
		kind = a.IntN(firstOfRules)
	}
	n := a.IntN(max(depth, 1))
	switch kind {
	case 0:
		say("%s != %s", v(), a.literal())
	case 1:
		say("not %s == %s", a.leaf(), a.literal())
	case 2:
		say("%s in %s", a.text(), a.list())
	case 3:
		x := a.name("x")
		say("some %s in %s", x, a.list())
		say("%s == %s", x, v())
	case 4:
		say("every e in %s { e != %s }", a.list(), a.leaf())
	case 5:
		say("count(%s) %s %d", pick(a.Rand,
			fmt.Sprintf("[y | some y in %s; y == %s]", a.list(), a.leaf()),
			fmt.Sprintf("{%s | %s == %s}", a.leaf(), a.leaf(), a.literal()),
			fmt.Sprintf("{k: w | some k, w in %s; w != %s}", a.object(), a.leaf())), pick(a.Rand, ">", "==", "<"), a.IntN(3))
	case 6:
		x, y := a.name("v"), a.name("v")
		say("%s := %s", x, a.object())
		say("%s := %s.%s", y, x, a.key())
		say("%s == %s", y, a.literal())
	case 7:
		x := a.name("v")
		say("%s = %s", x, a.leaf())
		say("%s = %s", x, a.leaf())
	case 8:
		say("input[%s].name == %s", pick(a.Rand, `"route"`, `"consumer"`, "input.route.name", `input.identity.claims.a`), a.literal())
	case 9:
		say("data.tables[%s]", a.leaf())
	case 10:
		say("is_%s(%s)", pick(a.Rand, "null", "object", "string", "array"), pick(a.Rand, "input.consumer", "input.credential", a.leaf(), a.object()))
	case 11:
		say("startswith(%s, %s)", a.leaf(), a.text())
	case 12:
		say("walk(%s, [_, %s])", a.object(), a.literal())
	case 13:
		say("$\"{%s}-{%s}\" == \"a-%s\"", a.leaf(), a.leaf(), pick(a.Rand, "a", "b", "1"))
	case 14:
		say("{%q: %s} = %s", pick(a.Rand, "id", "a", "n"), a.name("q"), pick(a.Rand, "input.route.params", "input.identity.claims", "input.consumer.attributes", "input.identity.claims.org"))
	case 15:
		if a.IntN(12) == 0 {
			say("time.now_ns() %% 2 == %d", a.IntN(2))
		}
		say("%s", a.leaf())
	case 16:
		say("ok%d", n)
	case 17:
		say("not ok%d", n)
	case 18:
		say("value%d == %s", n, a.literal())
	case 19, 20:
		say("%sholds%d(%s, %s)", pick(a.Rand, "", "not "), n, a.object(), a.leaf())
	case 21:
		say("%s in set%d", a.leaf(), n)
	case 22:
		say("map%d[%s] == %s", n, a.leaf(), a.literal())
	case 23:
		say("count(map%d) > 1", n)
	case 24:
		say("%s in looks with input.consumer.attributes as %s", a.text(), a.object())
	case 25:
		say("ok%d with %s as %s", n, pick(a.Rand, "input.route.name", "input.consumer.labels", "input.identity.roles", "input.route", "input.consumer.name"), pick(a.Rand, a.leaf(), a.object(), a.text()))
	case 26:
		say("ok%d with input as {\"route\": {\"name\": %s}, \"consumer\": %s}", n, a.leaf(), a.object())
	case 27:
		say("ok%d with data.tables as {%s: true}", n, a.text())
		say("ok%d with %s", n, pick(a.Rand, fmt.Sprintf("holds%d as holds%d", max(n-1, 0), n), "object.get as mine"))
	case 28:
		say("part%d.%s == %s", n, a.key(), a.literal())
	case 30:
		say("%s", pick(a.Rand, fmt.Sprintf("imported[%s]", a.leaf()), "imported.b == "+a.literal()))
	case 31:
		say("deep%d.a.%s == %s", n, pick(a.Rand, "b", "b."+a.key()), a.literal())
	case 29:
		say("got%d(%s) == got%d(%s)", n, a.object(), n, a.object())
	}
}

// firstOfRules is the first kind of condition that asks rules.
const firstOfRules = 16

func (a *author) body(depth int) string {
	var lines []string
	for range 1 + a.IntN(2) {
		a.condition(&lines, depth)
	}
	return "{\n\t" + strings.Join(lines, "\n\t") + "\n}"
}

// rules are one of each kind, which ask those of a lower depth.
func (a *author) rules(depth int) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	n := depth
	if a.IntN(2) == 0 {
		say("default ok%d := false", n)
	}
	say("ok%d if %s", n, a.body(depth))
	say("ok%d if %s", n, a.body(depth))
	say("value%d := %s if %s else := %s if %s else := %s", n, a.leaf(), a.body(depth), a.leaf(), a.body(depth), a.literal())
	say("holds%d(o, w) if o.%s == w", n, a.key())
	say("holds%d(o, w) if {\n\tw != %s\n\tobject.get(o, %q, 1) == %s\n}", n, a.literal(), a.key(), a.leaf())
	say("got%d(o) := o.%s if %s else := %s", n, a.key(), a.body(depth), a.leaf())
	say("part%d := %s if %s", n, a.object(), a.body(depth))
	say("deep%d[k] := %s if k := \"z\"", n, a.leaf()) // beside a rule with a longer name
	say("deep%d.a.b := %s if %s", n, pick(a.Rand, a.object(), a.leaf()), a.body(depth))
	say("set%d contains %s if %s", n, a.leaf(), a.body(depth))
	say("set%d contains s if {\n\tsome s in %s\n\ts != %s\n}", n, a.list(), a.leaf())
	say("map%d[k] := %s if {\n\tk := %s\n\t%s != %s\n}", n, a.leaf(), a.text(), a.leaf(), a.literal())
	return b.String()
}

// policy is a module with the entry point and data.
func (a *author) policy() map[string]string {
	depth := 1 + a.IntN(2)
	var b strings.Builder
	b.WriteString("import data.tables as imported\n\nused if imported.b\n") // an import that nothing uses is an error
	for n := range depth {
		b.WriteString(a.rules(n))
	}
	b.WriteString("mine(o, _, _) := count(o)\nlooks contains v if some v in input.consumer.attributes\n")
	switch a.IntN(3) {
	case 0:
		fmt.Fprintf(&b, "default allow := false\nallow if %s\nallow if %s\n", a.body(depth), a.body(depth))
	case 1:
		fmt.Fprintf(&b, "allow if %s else := false if %s else if %s\n", a.body(depth), a.body(depth), a.body(depth))
	case 2:
		fmt.Fprintf(&b, "allow := {\"allowed\": %s, \"dynamic_metadata\": {\"a\": %s, \"b\": %s, \"c\": [v | some v in %s]}} if %s\n",
			pick(a.Rand, "true", "ok0", "input.identity.anonymous"), a.leaf(), pick(a.Rand, a.leaf(), a.object(), "value0"), a.list(), a.body(depth))
	}
	return merged(module(b.String()), map[string]string{
		"tables.rego": "package tables\n\nimport rego.v1\n\na if input.consumer.name == \"a\"\n\nb := input.route.params.id",
		"data.json":   `{"tables": {"1": true, "reader": true}}`,
	})
}
