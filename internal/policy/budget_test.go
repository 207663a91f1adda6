package policy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/policy"
)

// runaways never end by themselves, or need far more time than they get.
func runaways() map[string]string {
	return map[string]string{
		"nested loops":      "allow if {\n\tsome a in r\n\tsome b in r\n\tsome c in r\n\tsome d in r\n\ta + b + c + d < 0\n}\nr := numbers.range(1, 1000)",
		"a huge range":      "allow if count(numbers.range(1, 1000000000000)) == 1",
		"a huge step range": "allow if count(numbers.range_step(1, 1000000000000, 2)) == 1",
		"a comprehension":   "allow if count({x | some i in r; some j in r; some k in r; x := [i, j, k]}) == 0\nr := numbers.range(1, 10000)",
		"walks":             "allow if count([x | some a in r; some b in r; walk(d, [p, v]); x := [a, b, p, v]]) == 0\nr := numbers.range(1, 10000)\nd := {\"a\": [i | some i in numbers.range(1, 1000)]}",
		"every":             "allow if {\n\tevery a in r {\n\t\tevery b in r {\n\t\t\tevery c in r {\n\t\t\t\ta + b + c > 0\n\t\t\t}\n\t\t}\n\t}\n}\nr := numbers.range(1, 10000)",
		"a bomb of lists":   "allow if {\n" + listBomb(60) + "\tcount(x59) == 0\n}",
		"cidr expansion":    `allow if count(net.cidr_expand("0.0.0.0/0")) == 0`,
		"deep functions":    "allow if count([y | some x in r; y := f(x)]) == 0\nf(x) := g(x) if x > 0\ng(x) := count([z | some z in r; z < x])\nr := numbers.range(1, 100000)",
		"shared lists told": "allow if {\n" + shared() + "\tcount(json.marshal(x9)) == 0\n}",
		"shared lists put":  "allow if {\n" + shared() + "\tcount(sprintf(\"%v\", [x9])) == 0\n}",
		"shared lists seen": "allow if {\n" + shared() + "\twalk(x9, [[a, b, c], 12345])\n}",
		"paths of a graph":  "allow if {\n\tg := {n: [m | some m in numbers.range(1, 24); m != n] | some n in numbers.range(1, 24)}\n\tcount(graph.reachable_paths(g, [1])) == 0\n}",
		"a layered graph":   "allow if {\n\tg := {n: [m | some m in numbers.range(1, 400); floor(m / 10) == floor(n / 10) + 1] | some n in numbers.range(1, 400)}\n\tcount(graph.reachable(g, [1])) == 0\n}",
		"joined lists":      "allow if {\n\tx0 := [1, 2, 3]\n" + doubled(60, "\tx%[1]d := array.concat(x%[2]d, x%[2]d)\n") + "\tcount(x59) == 0\n}",
		"many wide texts":   "allow if count([x | some i in numbers.range(1, 2000); some j in numbers.range(1, 2000); x := sprintf(\"%100000d\", [i + j])]) == 0",
		"regular ones":      `allow if count([x | some i in numbers.range(1, 100000000); x := regex.match("^(a+)+$", sprintf("%d", [i]))]) == 0`,
	}
}

// excesses are refused before they begin.
func excesses() map[string]string {
	return map[string]string{
		"a bomb of text":        "allow if {\n" + bomb(60) + "\tcount(x59) == 0\n}",
		"a shift":               "allow if bits.lsh(1, 100000000000) > 0",
		"a shift by far":        "allow if bits.lsh(1, 1000000000000000000000000) > 0",
		"shifts":                "allow if bits.lsh(bits.lsh(bits.lsh(bits.lsh(bits.lsh(1, 65536), 65536), 65536), 65536), 65536) == 0",
		"products":              "allow if {\n\tx0 := 1e300\n" + doubled(40, "\tx%[1]d := x%[2]d * x%[2]d\n") + "\tx39 > 0\n}",
		"a wide text":           `allow if count(sprintf("%1000000d%1000000d", [1, 1])) == 0`,
		"a text as wide":        `allow if count(sprintf("%*d%*d", [1000000, 1, 1000000, 1])) == 0`,
		"a long text put often": "allow if {\n" + bomb(14) + "\tcount(sprintf(\"%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s\", [x13])) == 0\n}",
		"replacements":          "allow if {\n\tx := concat(\"\", [\"a\" | some i in numbers.range(1, 1000)])\n\ty := replace(x, \"a\", x)\n\tcount(replace(y, \"a\", x)) == 0\n}",
		"an exponent":           `allow if units.parse_bytes("1e999999") > 0`,
	}
}

func TestExcessesAreRefused(t *testing.T) {
	for name, text := range excesses() {
		t.Run(name, func(t *testing.T) {
			d, err := rules(t, text).Decide(context.Background(), question())
			if err == nil || !strings.Contains(err.Error(), "eval_excess_error") || d.Allowed {
				t.Errorf("got %+v, %v; want it refused", d, err)
			}
		})
	}
}

// What a policy may well do is not refused.
func TestUsualWorkIsDone(t *testing.T) {
	for _, rule := range []string{
		`allow if bits.lsh(1, 64) == 18446744073709551616`,
		`allow if count(sprintf("%08d %s %v", [7, "a", input.consumer])) > 10`,
		`allow if concat("/", split("/a/b/c", "/")) == "/a/b/c"`,
		`allow if regex.match("^/orders/[0-9]+$", "/orders/7")`,
		`allow if units.parse_bytes("1e3") == 1000` + "\n" + `allow if units.parse("10Ei") > 1`,
		`allow if units.parse_bytes("10E") > 1`,
		`allow if graph.reachable({"a": ["b"], "b": []}, {"a"}) == {"a", "b"}`,
		`allow if graph.reachable_paths({"a": ["b"], "b": []}, {"a"}) == {["a", "b"]}`,
		`allow if replace("a-b", "-", "_") == "a_b"`,
		`allow if json.unmarshal(json.marshal(input.consumer)).name == "mobile"`,
		`allow if 123456789012345678901234567890 * 10 == 1234567890123456789012345678900`,
		`allow if json.unmarshal("{\"a\": [1, 2, {\"b\": true}]}").a[2].b`,
		`allow if yaml.unmarshal("a: [1, 2]").a == [1, 2]`,
		`allow if regex.replace("a-b_c", "[-_](.)", ".$1") == "a.b.c"`,
		`allow if strings.replace_n({"<": "&lt;", ">": "&gt;"}, "<a>") == "&lt;a&gt;"`,
		`allow if regex.find_all_string_submatch_n("([a-z])([0-9])", "a1b2", -1) == [["a1", "a", "1"], ["b2", "b", "2"]]`,
		`allow if trim("/orders/", "/") == "orders"`,
		`allow if strings.render_template("{{range .names}}{{.}};{{end}}", {"names": ["a", "b"]}) == "a;b;"`,
		`allow if strings.render_template("{{range $i, $n := .order.names}}{{$i}}{{$n}}{{end}}", {"order": {"names": ["a", "b"]}}) == "0a1b"`,
		`allow if json.match_schema({"a": {"n": 1}}, {"definitions": {"n": {"properties": {"n": {"type": "number"}}}}, "properties": {"a": {"$ref": "#/definitions/n"}}}) == [true, []]`,
		`allow if json.match_schema("{\"a\": \"x\"}", "{\"properties\": {\"a\": {\"type\": \"string\", \"pattern\": \"^[a-z]+$\"}, \"$ref\": {\"type\": \"string\"}}}") == [true, []]`,
		`allow if graphql.is_valid("query { orders(first: 10) { id total items { name price } } }", "type Query { orders(first: Int): [Order] } type Order { id: ID total: Int items: [Item] } type Item { name: String price: Int }")`,
		`allow if json.patch({"a": 1}, [{"op": "add", "path": "/b", "value": 2}]) == {"a": 1, "b": 2}`,
		`allow if json.filter({"a": 1, "b": 2}, ["a"]) == {"a": 1}`,
		`allow if object.subset({"a": [1, 2, 3]}, {"a": [2, 3]})`,
		`allow if net.cidr_merge(["10.0.0.0/25", "10.0.0.128/25"]) == {"10.0.0.0/24"}`,
		`allow if count(net.cidr_contains_matches(["10.0.0.0/8", "192.168.0.0/16"], ["10.1.2.3", "192.168.1.1"])) == 2`,
		`allow if product([2, 3, 4]) == 24`,
		`allow if sum([x | some x in numbers.range(1, 100)]) == 5050`,
		`allow if count(rego.parse_module("a.rego", "package a\nb := 1").rules) == 1`,
		`allow if count([x | walk(input.consumer, [_, x])]) > 5`,
	} {
		// Little of the machine's time is enough for it.
		if !decide(t, rules(t, rule, func(o *policy.Options) { o.Timeout = time.Second }), question()).Allowed {
			t.Errorf("%s: not allowed", rule)
		}
	}
}

// shared makes a list of a billion pieces, which share all that they are.
func shared() string {
	return "\tr := numbers.range(1, 100)\n\tx0 := [1, 2, 3, 4]\n\tx1 := [x0 | some i in r]\n\tx2 := [x1 | some i in r]\n\tx3 := [x2 | some i in r]\n\tx9 := [x3 | some i in r]\n"
}

// bomb doubles a text in every line, listBomb a list.
func bomb(lines int) string {
	return "\tx0 := \"0123456789\"\n" + doubled(lines, "\tx%[1]d := concat(\"\", [x%[2]d, x%[2]d])\n")
}

func listBomb(lines int) string {
	return "\tx0 := [0, 1, 2, 3]\n" + doubled(lines, "\tx%[1]d := array.concat(x%[2]d, x%[2]d)\n")
}

func doubled(lines int, line string) string {
	var b strings.Builder
	for i := 1; i < lines; i++ {
		fmt.Fprintf(&b, line, i, i-1)
	}
	return b.String()
}

// An evaluation that runs away is ended with an error, and the next question
// is answered.
func TestRunawaysEnd(t *testing.T) {
	for name, text := range runaways() {
		t.Run(name, func(t *testing.T) {
			s := rules(t, text, func(o *policy.Options) { o.Timeout = 20 * time.Millisecond })
			start := time.Now()
			d, err := s.Decide(context.Background(), question())
			if err == nil || !strings.Contains(err.Error(), "longer than 20ms") || d.Allowed {
				t.Errorf("got %+v, %v; want it ended", d, err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// The budget is by the clock that was given: no machine is too fast or slow.
func TestTimeoutByTheClock(t *testing.T) {
	at := time.Now()
	clock := func() time.Time { at = at.Add(time.Millisecond); return at }
	text := "allow if count([x | some x in numbers.range(1, 100000); x > 0]) > 0"
	patient := rules(t, text, func(o *policy.Options) { o.Now, o.Timeout = clock, 24*time.Hour })
	if !decide(t, patient, question()).Allowed {
		t.Error("not allowed in a day")
	}
	hasty := rules(t, text, func(o *policy.Options) { o.Now, o.Timeout = clock, 50*time.Millisecond })
	if _, err := hasty.Decide(context.Background(), question()); err == nil {
		t.Error("allowed after the budget")
	}
}

// A caller that goes away ends its evaluation.
func TestCancellation(t *testing.T) {
	s := rules(t, runaways()["nested loops"], func(o *policy.Options) { o.Timeout = time.Hour })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Decide(ctx, question()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	gone, leave := context.WithCancel(context.Background())
	leave()
	if _, err := rules(t, "allow := true").Decide(gone, question()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// registerPanic adds a builtin that panics with what it was given.
func registerPanic() {
	b := &ast.Builtin{Name: "test.panic", Decl: types.NewFunction(types.Args(types.A), types.B)}
	ast.RegisterBuiltin(b)
	topdown.RegisterBuiltinFunc(b.Name, func(_ topdown.BuiltinContext, terms []*ast.Term, _ func(*ast.Term) error) error {
		panic(terms[0].String())
	})
}

// A panic is an error of this one question, and doesn't tell its value.
func TestPanic(t *testing.T) {
	s := rules(t, "allow if input.route.name == \"other\"\nallow if test.panic(input.credential.id)")
	for range 2 {
		d, err := s.Decide(context.Background(), question())
		if err == nil || !strings.Contains(err.Error(), "panic of type string") || d.Allowed {
			t.Fatalf("got %+v, %v", d, err)
		}
		if strings.Contains(err.Error(), "mobile-key") {
			t.Error("the panic's value is told")
		}
	}
	q := question()
	q.Route, q.Request.Explain = "other", &access.Explanation{}
	if d := decide(t, s, q); !d.Allowed {
		t.Error("not allowed after a panic")
	}
}
