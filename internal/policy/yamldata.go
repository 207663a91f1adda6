package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"
)

// maxRepeated bounds what aliases may add up to, in values.
const maxRepeated = 100_000

// yamlReader makes OPA's values of one YAML document. Numbers keep the digits
// that they are written with; dates are text, as with OPA.
type yamlReader struct {
	depth    int
	repeated int
	// aliased is how deep the reader stands in what an alias repeats.
	aliased int
}

// readYAML reads the one document of a text. Its error is a *misread.
func readYAML(text []byte) (ast.Value, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return ast.NullValue, nil
	case err != nil:
		return nil, misreadYAML(err)
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, &misread{line: more.Line, text: "a second document; expected one"}
	case !errors.Is(err, io.EOF):
		return nil, misreadYAML(err)
	}
	r := &yamlReader{}
	term, err := r.value(document.Content[0])
	if err != nil {
		return nil, err
	}
	return term.Value, nil
}

// yamlLine is how the parser names a line.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

func misreadYAML(err error) error {
	text, line := err.Error(), 0
	if found := yamlLine.FindStringSubmatch(text); found != nil {
		line, _ = strconv.Atoi(found[1]) // digits by its form
		text = strings.TrimPrefix(text, found[0])
	}
	return &misread{line: line, text: strings.TrimPrefix(text, "yaml: ")}
}

func wrongNode(n *yaml.Node, format string, args ...any) error {
	return &misread{line: n.Line, column: n.Column, text: fmt.Sprintf(format, args...)}
}

func (r *yamlReader) value(n *yaml.Node) (*ast.Term, error) {
	if r.aliased > 0 {
		if r.repeated++; r.repeated > maxRepeated {
			return nil, wrongNode(n, "aliases repeat more than %d values", maxRepeated)
		}
	}
	if r.depth == maxDataDepth {
		return nil, wrongNode(n, "nested deeper than %d", maxDataDepth)
	}
	r.depth++
	defer func() { r.depth-- }()
	switch n.Kind {
	case yaml.AliasNode:
		r.aliased++
		defer func() { r.aliased-- }()
		return r.value(n.Alias)
	case yaml.SequenceNode:
		return r.list(n)
	case yaml.MappingNode:
		return r.mapping(n)
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil, wrongNode(n, "expected a value")
}

func (r *yamlReader) list(n *yaml.Node) (*ast.Term, error) {
	items := make([]*ast.Term, len(n.Content))
	for i, item := range n.Content {
		var err error
		if items[i], err = r.value(item); err != nil {
			return nil, err
		}
	}
	return ast.ArrayTerm(items...), nil
}

// mapping reads keys and values; what `<<` brings in gives way to them.
func (r *yamlReader) mapping(n *yaml.Node) (*ast.Term, error) {
	lines := make(map[string]int, len(n.Content)/2)
	var pairs [][2]*ast.Term
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			merged = append(merged, value)
			continue
		}
		name, err := keyOf(key)
		if err != nil {
			return nil, err
		}
		if line, twice := lines[name]; twice {
			return nil, wrongNode(key, "the key %q stands already at line %d", name, line)
		}
		lines[name] = key.Line
		term, err := r.value(value)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{ast.StringTerm(name), term})
	}
	object, _ := objectOf(pairs)
	for _, value := range merged {
		var err error
		if object, err = r.merge(object, value); err != nil {
			return nil, err
		}
	}
	return ast.NewTerm(object), nil
}

// merge adds the keys that an object lacks of one mapping or a list of some.
func (r *yamlReader) merge(object ast.Object, n *yaml.Node) (ast.Object, error) {
	term, err := r.value(n)
	if err != nil {
		return nil, err
	}
	mappings := []*ast.Term{term}
	if list, isList := term.Value.(*ast.Array); isList {
		mappings = mappings[:0]
		list.Foreach(func(t *ast.Term) { mappings = append(mappings, t) })
	}
	for _, mapping := range mappings {
		more, isMapping := mapping.Value.(ast.Object)
		if !isMapping {
			return nil, wrongNode(n, "<< takes a mapping or a list of mappings")
		}
		// Neither is changed: what an alias repeats is shared.
		object, _ = more.MergeWith(object, func(_, own *ast.Term) (*ast.Term, bool) { return own, false })
	}
	return object, nil
}

// keyOf is the name that a key becomes in JSON.
func keyOf(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", wrongNode(n, "a key that is a list or a mapping; expected a name")
	}
	term, err := scalar(n)
	if err != nil {
		return "", err
	}
	switch value := term.Value.(type) {
	case ast.String:
		return string(value), nil
	case ast.Number, ast.Boolean:
		return value.String(), nil
	}
	return "", wrongNode(n, "a key that is null; expected a name")
}

var (
	jsonNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	plainNumber = regexp.MustCompile(`^[-+]?[0-9]+$`)
)

func scalar(n *yaml.Node) (*ast.Term, error) {
	switch n.ShortTag() {
	case "!!null":
		return ast.InternedNullTerm, nil
	case "!!bool":
		var truth bool
		if err := n.Decode(&truth); err != nil {
			return nil, wrongNode(n, "expected true or false")
		}
		return ast.InternedTerm(truth), nil
	case "!!int", "!!float":
		return numberOf(n)
	case "!!str", "!!timestamp":
		return ast.StringTerm(n.Value), nil
	}
	return nil, wrongNode(n, "a value of the type %s; expected text, a number, true, false or null", n.ShortTag())
}

// numberOf keeps a number's digits where JSON can write them.
func numberOf(n *yaml.Node) (*ast.Term, error) {
	text := n.Value
	if !jsonNumber.MatchString(text) {
		var err error
		if text, err = rewritten(n); err != nil {
			return nil, err
		}
	}
	term, err := numberTerm(text)
	if err != nil {
		return nil, wrongNode(n, "%s", err)
	}
	return term, nil
}

// rewritten is a number that JSON writes in another way: 0x1f, 0o17, +1, 1_000,
// .5, 1.
func rewritten(n *yaml.Node) (string, error) {
	var value any
	if err := n.Decode(&value); err != nil {
		return "", wrongNode(n, "a number that can't be read")
	}
	switch number := value.(type) {
	case int, int64, uint64:
		return fmt.Sprint(number), nil
	case float64:
		if plainNumber.MatchString(n.Value) {
			if whole, ok := new(big.Int).SetString(n.Value, 10); ok {
				return whole.String(), nil
			}
		}
		if !math.IsInf(number, 0) && !math.IsNaN(number) {
			return strconv.FormatFloat(number, 'g', -1, 64), nil
		}
	}
	return "", wrongNode(n, "a number that JSON has no form for")
}
