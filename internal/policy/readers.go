package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// What builtins take for a text that they read, in units a byte or a word.
const (
	graphQLByte = 25
	moduleByte  = 50
	schemaPiece = 50
)

// reading takes the pieces of a JSON or YAML document.
func reading(m *meter, operands []*ast.Term) string {
	m.document(textOf(operands[0]))
	return ""
}

func (m *meter) document(text string) {
	m.left -= len(text) / 8
	for _, mark := range []string{",", ":", "[", "{", "\n"} {
		m.left -= 2 * strings.Count(text, mark)
	}
}

// queries takes for GraphQL. Its checks compare each field with each other.
func queries(m *meter, operands []*ast.Term) string {
	for _, operand := range operands {
		text, isText := operand.Value.(ast.String)
		if !isText {
			m.tree(operand.Value)
			continue
		}
		words := len(strings.Fields(string(text)))
		m.left -= graphQLByte*len(text) + words*words
	}
	return ""
}

func modules(m *meter, operands []*ast.Term) string {
	m.left -= moduleByte * len(textOf(operands[1]))
	return ""
}

// replacements takes for each pattern one look through the text.
func replacements(m *meter, operands []*ast.Term) string {
	patterns, isObject := operands[0].Value.(ast.Object)
	if !isObject {
		return ""
	}
	s, bytes := textOf(operands[1]), 0
	patterns.Until(func(old, by *ast.Term) bool {
		m.left -= 1 + len(s)/64
		bytes += strings.Count(s, textOf(old)) * len(textOf(by))
		return m.left < 0 || bytes > maxText
	})
	return tooLong(bytes)
}

// substitution is of at most each byte, and each group brings at most the whole
// text once.
func substitution(m *meter, operands []*ast.Term) string {
	s, by := textOf(operands[0]), textOf(operands[2])
	matching(m, operands)
	return tooLong(len(s)*(1+strings.Count(by, "$")) + (len(s)+1)*len(by))
}

// trimming looks for each character in the others.
func trimming(m *meter, operands []*ast.Term) string {
	m.left -= len(textOf(operands[0])) * len(textOf(operands[1])) / 100
	return ""
}

// crossing compares each item of one list with each of the other.
func crossing(m *meter, operands []*ast.Term) string {
	m.left -= 5 * lengthOf(operands[0]) * lengthOf(operands[1])
	return ""
}

func lengthOf(term *ast.Term) int {
	switch v := term.Value.(type) {
	case *ast.Array:
		return v.Len()
	case ast.Set:
		return v.Len()
	case ast.Object:
		return v.Len()
	}
	return 1
}

// subsets takes a list for compared with each place in another.
func subsets(m *meter, operands []*ast.Term) string {
	trees(m, operands)
	m.left -= lengthOf(operands[0]) * lengthOf(operands[1]) / 4
	return ""
}

// patching takes the document for each step that may move all of it.
func patching(m *meter, operands []*ast.Term) string {
	trees(m, operands)
	m.left -= lengthOf(operands[1]) * (10 + lengthOf(operands[0])/4)
	return ""
}

// sorting is n times a few steps for each item.
func sorting(m *meter, operands []*ast.Term) string {
	trees(m, operands)
	m.left -= 20 * lengthOf(operands[0])
	return ""
}

// across takes every item of what is gone through once.
func across(m *meter, operands []*ast.Term) string {
	for _, operand := range operands {
		if n := lengthOf(operand); n > 1 {
			m.left -= 3 * n
		}
	}
	return ""
}

// multiplying adds up the digits of all factors.
func multiplying(m *meter, operands []*ast.Term) string {
	sum := 0
	add := func(item *ast.Term) bool {
		n, _ := item.Value.(ast.Number)
		sum += len(n)
		m.left--
		return sum > maxDigits
	}
	switch list := operands[0].Value.(type) {
	case *ast.Array:
		list.Until(add)
	case ast.Set:
		list.Until(add)
	}
	if sum > maxDigits {
		return "a number of more than 4096 digits"
	}
	return ""
}

// A loop over anything but a name below the values may be over a number that
// the template itself makes.
var (
	templateCall  = regexp.MustCompile(`\b(define|block|template)\b`)
	templateLoop  = regexp.MustCompile(`\brange\b`)
	templateGiven = regexp.MustCompile(`\brange\s+(\$\w+\s*(,\s*\$\w+\s*)?:?=\s*)?\$?(\.\w+)+\s*-?\}\}`)
)

// rendering takes a template for what it would be if each of its loops were
// within all others and over the largest thing there is.
func rendering(m *meter, operands []*ast.Term) string {
	text := textOf(operands[0])
	if templateCall.MatchString(text) {
		return "templates that call templates"
	}
	if len(templateLoop.FindAllString(text, -1)) != len(templateGiven.FindAllString(text, -1)) {
		return "a loop over what is no named part of the values"
	}
	m.tree(operands[1].Value)
	if m.left < 0 {
		return ""
	}
	most, _ := largest(operands[1].Value)
	turns := 1.0
	for range templateLoop.FindAllString(text, -1) {
		turns *= float64(max(most, 1))
	}
	// Any of its parts may print all that is given.
	each := len(text) + strings.Count(text, "{{")*len(operands[1].Value.String())
	if strings.Contains(text, "printf") {
		each += strings.Count(text, "%") * widest(text)
	}
	if turns*float64(each) > maxText {
		return "a text of more than 1 MiB"
	}
	m.left -= int(turns) * (2 + strings.Count(text, "{{"))
	return ""
}

// largest is the largest number or length, and the longest text, of a value.
func largest(v ast.Value) (most, longest int) {
	ast.NewGenericVisitor(func(node any) bool {
		switch x := node.(type) {
		case ast.String:
			longest = max(longest, len(x))
		case ast.Number:
			n, isInt := x.Int()
			if !isInt {
				n = 1 << 31
			}
			most, longest = max(most, n), max(longest, len(x))
		case *ast.Array:
			most = max(most, x.Len())
		case ast.Object:
			most = max(most, x.Len())
		case ast.Set:
			most = max(most, x.Len())
		}
		return false
	}).Walk(v)
	return most, longest
}

// schema takes what a schema is with its references followed.
func schema(m *meter, operands []*ast.Term) string {
	walk := schemaWalk{meter: m}
	return walk.whole(operands[0])
}

// judging takes besides what each choice of the schema may cost the document.
func judging(m *meter, operands []*ast.Term) string {
	walk := schemaWalk{meter: m}
	if why := walk.whole(operands[1]); why != "" {
		return why
	}
	m.document(textOf(operands[0]))
	before := m.left
	m.tree(operands[0].Value)
	pieces := max(before-m.left, 1) * (walk.choices + 1)
	_, longest := largest(operands[0].Value)
	m.left -= pieces + walk.patterns*longest/100
	return ""
}

// schemaWalk goes through a schema as if every reference were replaced by what
// it refers to.
type schemaWalk struct {
	*meter
	root              ast.Value
	choices, patterns int
}

func (w *schemaWalk) whole(schema *ast.Term) string {
	w.root = schema.Value
	if text := textOf(schema); text != "" {
		w.document(text)
		var decoded any
		if w.left < 0 || util.UnmarshalJSON([]byte(text), &decoded) != nil {
			return "" // the builtin itself says what is wrong with it
		}
		value, err := ast.InterfaceToValue(decoded)
		if err != nil {
			return ""
		}
		w.root = value
	}
	return w.step(w.root, nil)
}

// step refuses what leads back to itself: OPA's validator follows it for ever,
// until the process is out of stack.
func (w *schemaWalk) step(v ast.Value, within []string) (why string) {
	w.left -= schemaPiece
	if w.left < 0 {
		return ""
	}
	each := func(item *ast.Term) bool { why = w.step(item.Value, within); return why != "" || w.left < 0 }
	switch v := v.(type) {
	case *ast.Array:
		w.choices += v.Len()
		v.Until(each)
	case ast.Object:
		v.Until(func(name, item *ast.Term) bool {
			if text := textOf(name); text == "pattern" || text == "patternProperties" {
				w.patterns += len(item.Value.String())
			}
			if reference, isText := item.Value.(ast.String); isText && textOf(name) == "$ref" {
				why = w.follow(string(reference), within)
				return why != ""
			}
			return each(item)
		})
	}
	return why
}

func (w *schemaWalk) follow(reference string, within []string) string {
	path, local := strings.CutPrefix(reference, "#")
	if !local || path != "" && path[0] != '/' {
		return "a reference of a schema other than #/…"
	}
	if slices.Contains(within, path) {
		return "a schema that refers to itself"
	}
	found := w.root
	for _, name := range strings.Split(path, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		if found = memberOf(found, name); found == nil {
			return "" // the builtin says so itself
		}
	}
	return w.step(found, append(slices.Clone(within), path))
}

func memberOf(v ast.Value, name string) ast.Value {
	switch v := v.(type) {
	case ast.Object:
		return member(v, name)
	case *ast.Array:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < v.Len() {
			return v.Elem(i).Value
		}
	}
	return nil
}
