package policy_test

import (
	"fmt"
	"strings"
)

// wide is data of lists and texts: no evaluation takes time to make them.
func wide() string {
	list := func(n int, format string, args ...any) string {
		return "[" + strings.TrimSuffix(strings.Repeat(fmt.Sprintf(format, args...)+",", n), ",") + "]"
	}
	ranges, names := make([]string, 4000), make([]string, 4000)
	for i := range ranges {
		ranges[i], names[i] = fmt.Sprintf(`"10.%d.%d.0/24"`, i/256, i%256), fmt.Sprintf(`"n%d": %d`, i, i)
	}
	const letters = 20_000
	return fmt.Sprintf(`{"letters": %q, "others": %q, "ones": %s, "ranges": [%s], "names": {%s}, "patch": %s, "copies": %s, "text": %q, "query": %q, "fields": %q, "module": %q, "huge": %s, "many": %s, "yaml": %q}`,
		strings.Repeat("a", letters), "ü"+strings.Repeat("b", letters)+"a", list(20_000, "1"), strings.Join(ranges, ","), strings.Join(names, ","),
		list(10_000, `{"op": "add", "path": "/0", "value": 1}`), list(40, `{"op": "copy", "from": "/a", "path": "/a/-"}`),
		list(300_000, "1"), "{"+strings.Repeat("a {b c} ", 20_000)+"}", "{"+strings.Repeat("a ", 20_000)+"}",
		"package a\n"+strings.Repeat("b contains x if some x in y\n", 4000), strings.Repeat("7", 4000), list(400_000, "1"), strings.Repeat("a: &a {b: *a}\n", 100_000))
}

// slowCalls are single calls that take far longer than what they are given
// takes to be read, if nobody looks before.
func slowCalls() map[string]string {
	calls := map[string]string{
		"trims":               `trim(data.letters, data.others) == "b"`,
		"a far part of lists": `object.subset(data.ones, array.concat(array.slice(data.ones, 0, 10000), [2]))`,
		"ranges by ranges":    `count(net.cidr_contains_matches(data.ranges, data.ranges)) == 1`,
		"merged ranges":       `count(net.cidr_merge(array.flatten([data.ranges | some i in numbers.range(1, 50)]))) == 1`,
		"replaced patterns":   `count(strings.replace_n({"a": data.letters}, data.letters)) == 1`,
		"replaced matches":    `count(regex.replace(data.letters, "a", data.letters)) == 1`,
		"a greedy match":      `count(regex.replace(data.letters, concat("", ["(", data.letters, ")*$"]), "b")) == 1`,
		"a long expression":   `regex.is_valid(concat("|", [data.letters | some i in numbers.range(1, 50)])); false`,
		"all matches":         `count(regex.find_all_string_submatch_n("(a|aa|aaa|aaaa)*b", data.letters, -1)) == 1`,
		"globs that meet":     `regex.globs_match(concat("", [concat("", ["a*" | some i in numbers.range(1, 300)]), "b"]), concat("", [concat("", ["a*" | some i in numbers.range(1, 300)]), "c"]))`,
		"a starry glob":       `glob.match("*a*a*a*a*a*a*a*a*a*a*a*a*b", [], substring(data.letters, 0, 200))`,
		"a starry glob, far":  `glob.match("a**a**a**a**a**a**a**b", ["/"], data.letters)`,
		"a template's range":  `count(strings.render_template("{{range 2000000000}}a{{end}}", {})) == 1`,
		"a template's number": `count(strings.render_template("{{range .n}}{{end}}", {"n": 2000000000})) == 1`,
		"a number in parts":   `count(strings.render_template("{{range 0x7fffffff}}{{end}}", {})) == 1`,
		"nested ranges":       `count(strings.render_template("{{range .r}}{{range $.r}}{{range $.r}}{{end}}{{end}}{{end}}", {"r": data.ones})) == 1`,
		"a template's calls":  `count(strings.render_template("{{define \"a\"}}{{template \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}", {})) == 1`,
		"a template's widths": `count(strings.render_template("{{printf \"%900000d%900000d\" 1 1}}", {})) == 1`,
		"a schema of itself":  `json.match_schema({"a": 1}, {"$ref": "#"}) == [true, []]; false`,
		"a schema in a text":  `json.match_schema("{\"c\": 1}", "{\"allOf\": [{\"$ref\": \"#/definitions/a\"}], \"definitions\": {\"a\": {\"\\u0024ref\": \"#/definitions/b\"}, \"b\": {\"$ref\": \"#/definitions/a\"}}}") == [true, []]; false`,
		"a schema by name":    `json.verify_schema({"$id": "http://a/b", "allOf": [{"$ref": "http://a/b"}]}) == [true, null]; false`,
		"a schema's patterns": `json.match_schema({"a": data.letters}, {"properties": {"a": {"type": "string", "pattern": concat("", ["(", substring(data.letters, 0, 5000), ")*$"])}}}) == [true, []]`,
		"a long product":      `product([data.huge | some i in numbers.range(1, 2000)]) == 1`,
		"a long sum":          `sum([x | some i in numbers.range(1, 20); some x in data.many]) == 1`,
		"sums":                `sum(data.many) + sum(data.many) + sum(data.many) + sum(data.many) == 1`,
		"copies in a patch":   `count(json.marshal(json.patch({"a": [[1]]}, [{"op": "copy", "from": "/a", "path": "/a/-"} | some i in numbers.range(1, 40)]))) == 1`,
		"a long patch":        `count(json.patch(data.ones, data.patch)) == 1`,
		"aliases":             "count(yaml.unmarshal(`a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n`)) == 1",
		"a long text read":    `count(json.unmarshal(data.text)) == 1`,
		"a long YAML":         `count(yaml.unmarshal(data.text)) == 1`,
		"YAML with names":     `yaml.is_valid(data.yaml); false`,
		"a long query":        `count(graphql.parse_query(data.query)) == 1`,
		"a schema's fields":   `graphql.is_valid(data.fields, "type Query { a: String }"); false`,
		"great exponents":     `x := json.unmarshal("1e99999999"); x + 1 < 1; floor(x) < 1; format_int(x, 2) == "1"`,
		"certificates":        `count(crypto.x509.parse_certificates(data.letters)) == 1`,
		"a long module":       `count(rego.parse_module("a", data.module)) == 1`,
		"kept names":          `count(json.filter(data.names, object.keys(data.names))) == 1`,
		"removed names":       `count(json.remove(data.names, object.keys(data.names))) == 1`,
		"a search in a list":  `some i in numbers.range(1, 1000); (1 + i) in data.many`,
	}
	for name, call := range calls {
		calls[name] = "allow if {\n\t" + call + "\n}\n"
	}
	calls["texts of templates"] = "allow if {\n\tx0 := \"0123456789\"\n" + doubled(60, "\tx%[1]d := $\"{x%[2]d}{x%[2]d}\"\n") + "\tcount(x59) == 0\n}"
	return calls
}

// allRunaways are all of them, by name.
func allRunaways() map[string]string {
	all := map[string]string{}
	for kind, some := range map[string]map[string]string{"never ends": runaways(), "refused": excesses(), "one call": slowCalls()} {
		for name, text := range some {
			all[fmt.Sprintf("%s: %s", kind, name)] = text
		}
	}
	return all
}
