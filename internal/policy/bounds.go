package policy

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// OPA asks a budget between expressions, not within most builtins. Those whose
// work can be far larger than what they are given are measured first, and
// refused where they can't end within the budget, or would make a text or a
// number that no decision needs. What `==` compares is measured, too; what `=`
// unifies is not.
const (
	maxText   = 1 << 20 // bytes of a text that is put together
	maxDigits = 1 << 12 // digits of a number, and bits of a shift
	// unit is about what a builtin takes for one piece of a value.
	unit = 100 * time.Nanosecond
	// unbudgeted are the units of an evaluation that has no budget of ours.
	unbudgeted = 1 << 22
)

// excessCode is the code of an error that refuses a call.
const excessCode = "eval_excess_error"

// boundOnce holds that OPA's table of builtins, which the process has one of, is
// changed once.
var boundOnce sync.Once

// BoundBuiltins puts measures before OPA's builtins, for all evaluations of the
// process. Compile does so; what evaluates policies without having compiled one
// here calls it before.
func BoundBuiltins() {
	boundOnce.Do(func() {
		registerCompared()
		boundComparisons()
		for name, measure := range measures() {
			original := topdown.GetBuiltin(name)
			if original == nil {
				continue
			}
			ast.BuiltinMap[name].CanSkipBctx = false // the budget is in it
			topdown.RegisterBuiltinFunc(name, func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
				m := meter{left: unitsLeft(bctx.Cancel)}
				if why := measure(&m, operands); why != "" || m.left < 0 {
					return excess(name, why, bctx)
				}
				return original(bctx, operands, iter)
			})
		}
	})
}

// unitsLeft is for how much work there is time.
func unitsLeft(c topdown.Cancel) int {
	b, ours := c.(*budget)
	if !ours {
		return unbudgeted
	}
	return max(int(b.left()/unit), 0)
}

// excess refuses a call. One that there is no time for has spent the budget.
func excess(name, why string, bctx topdown.BuiltinContext) error {
	if b, ours := bctx.Cancel.(*budget); ours && why == "" {
		b.Cancel()
	}
	if why == "" {
		why = "there is no time for a value of this size"
	}
	return topdown.Halt{Err: &topdown.Error{Code: excessCode, Message: name + ": " + why, Location: bctx.Location}}
}

// measure takes the work of a call from the meter, or says why it is refused.
type measure func(m *meter, operands []*ast.Term) string

func measures() map[string]measure {
	all := map[string]measure{}
	for _, of := range []struct {
		measure measure
		names   string
	}{
		{shift, "bits.lsh"},
		{digits, "mul"},
		{multiplying, "product"},
		{concatenation, "concat"},
		{formatting, "sprintf"},
		{replacement, "replace"},
		{replacements, "strings.replace_n"},
		{substitution, "regex.replace"},
		{splitting, "split indexof_n strings.split_n"},
		{matching, "regex.match regex.split regex.find_n regex.find_all_string_submatch_n regex.template_match regex.globs_match regex.is_valid"},
		{trimming, "trim trim_left trim_right"},
		{joining, "array.concat"},
		{across, "sum min max union intersection and or object.keys object.remove object.filter array.reverse array.slice"},
		{sorting, "sort net.cidr_merge"},
		{crossing, "net.cidr_contains_matches"},
		{subsets, "object.subset"},
		{patching, "json.patch json.filter json.remove"},
		{trees, "walk json.marshal json.marshal_with_options yaml.marshal internal.template_string internal.print object.union object.union_n array.flatten"},
		{quantity, "units.parse units.parse_bytes"},
		{reaching, "graph.reachable"},
		{paths, "graph.reachable_paths"},
		{reading, "json.unmarshal json.is_valid yaml.unmarshal yaml.is_valid"},
		{queries, "graphql.parse graphql.parse_and_verify graphql.parse_query graphql.parse_schema graphql.is_valid graphql.schema_is_valid"},
		{modules, "rego.parse_module"},
		{schema, "json.verify_schema"},
		{judging, "json.match_schema"},
		{rendering, "strings.render_template"},
	} {
		for _, name := range strings.Fields(of.names) {
			all[name] = of.measure
		}
	}
	return all
}

// meter is the work that there is time for, in units.
type meter struct{ left int }

// tree takes every piece of a value. Values share their parts, so that one that
// was made in no time may take for ever to be walked.
func (m *meter) tree(v ast.Value) {
	m.left--
	if m.left < 0 {
		return
	}
	switch v := v.(type) {
	case ast.String:
		m.left -= len(v) / 64
	case ast.Number:
		m.left -= len(v) / 64
	case *ast.Array:
		for i := 0; i < v.Len() && m.left >= 0; i++ {
			m.tree(v.Elem(i).Value)
		}
	case ast.Set:
		v.Until(func(item *ast.Term) bool { m.tree(item.Value); return m.left < 0 })
	case ast.Object:
		v.Until(func(name, item *ast.Term) bool { m.tree(name.Value); m.tree(item.Value); return m.left < 0 })
	}
}

func trees(m *meter, operands []*ast.Term) string {
	for _, operand := range operands {
		m.tree(operand.Value)
	}
	return ""
}

func textOf(term *ast.Term) string {
	s, _ := term.Value.(ast.String)
	return string(s)
}

func tooLong(bytes int) string {
	if bytes > maxText {
		return "a text of more than 1 MiB"
	}
	return ""
}

func shift(_ *meter, operands []*ast.Term) string {
	by, isNumber := operands[1].Value.(ast.Number)
	if n, small := by.Int64(); isNumber && (!small || n > maxDigits) {
		return "a shift by more than 4096 bits"
	}
	return digits(nil, operands)
}

func digits(_ *meter, operands []*ast.Term) string {
	for _, operand := range operands {
		if n, isNumber := operand.Value.(ast.Number); isNumber && len(n) > maxDigits {
			return "a number of more than 4096 digits"
		}
	}
	return ""
}

func concatenation(_ *meter, operands []*ast.Term) string {
	bytes, separator := 0, len(textOf(operands[0]))
	add := func(item *ast.Term) bool {
		bytes += separator + len(textOf(item))
		return bytes > maxText
	}
	switch list := operands[1].Value.(type) {
	case *ast.Array:
		list.Until(add)
	case ast.Set:
		list.Until(add)
	}
	return tooLong(bytes)
}

// formatting takes each verb for the widest and the longest that is there.
func formatting(m *meter, operands []*ast.Term) string {
	format, longest := textOf(operands[0]), 0
	if args, isArray := operands[1].Value.(*ast.Array); isArray {
		m.tree(args)
		args.Until(func(arg *ast.Term) bool {
			if n, isNumber := arg.Value.(ast.Number); isNumber {
				longest = max(longest, 4*len(n)) // %b
			}
			longest = max(longest, len(textOf(arg)))
			return m.left < 0
		})
	}
	return tooLong(len(format) + strings.Count(format, "%")*(widest(format)+longest))
}

// widest is the largest width or precision of a format: fmt takes no more than
// a million.
func widest(format string) int {
	if strings.Contains(format, "*") {
		return 1_000_000
	}
	most := 0
	for _, digits := range strings.FieldsFunc(format, func(c rune) bool { return c < '0' || c > '9' }) {
		n, err := strconv.Atoi(digits)
		if err != nil {
			n = 1_000_000
		}
		most = max(most, min(n, 1_000_000))
	}
	return most
}

func replacement(_ *meter, operands []*ast.Term) string {
	s, old, by := textOf(operands[0]), textOf(operands[1]), textOf(operands[2])
	return tooLong(strings.Count(s, old) * len(by))
}

func splitting(m *meter, operands []*ast.Term) string {
	m.left -= strings.Count(textOf(operands[0]), textOf(operands[1]))
	return ""
}

// matching takes a step for each byte of a text and each of the expression, of
// which a hundred pass in a unit, and one for each byte that may be compiled.
func matching(m *meter, operands []*ast.Term) string {
	m.left -= len(textOf(operands[0]))
	if len(operands) > 1 {
		m.left -= len(textOf(operands[0]))*len(textOf(operands[1]))/100 + len(textOf(operands[1]))
	}
	return ""
}

// joining takes the pieces of a list, not what is in them.
func joining(m *meter, operands []*ast.Term) string {
	for _, operand := range operands {
		if list, isArray := operand.Value.(*ast.Array); isArray {
			m.left -= list.Len()
		}
	}
	return ""
}

// quantity refuses exponents that no unit needs.
func quantity(_ *meter, operands []*ast.Term) string {
	_, exponent, _ := strings.Cut(strings.ToLower(textOf(operands[0])), "e")
	if strings.IndexFunc(exponent, func(c rune) bool { return c > '9' }) > 4 || len(exponent) > 4 && exponent[len(exponent)-1] <= '9' {
		return "an exponent of more than three digits"
	}
	return ""
}
