package policy

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// sink takes the parts of an input. There are two: document builds what an
// evaluation reads, digest writes what a decision is remembered under. Both
// hear the same, so that the second leaves out nothing of the first.
type sink interface {
	// begin opens an object, end closes it and gives it its name.
	begin()
	end(k key)
	null(k key)
	flag(k key, v bool)
	text(k key, v string)
	texts(k key, v []string)
	number(k key, v int64)
	// value takes anything that JSON can say, and fails for anything else.
	value(k key, v any) error
}

// key is a name, with the term that stands for it.
type key struct {
	name string
	term *ast.Term
}

func newKey(name string) key { return key{name, ast.StringTerm(name)} }

func (k key) compare(other key) int { return strings.Compare(k.name, other.name) }

// document builds a part of the input as OPA's own values. A plain map would
// be converted anew at each evaluation.
type document struct {
	items [][2]*ast.Term
	open  []int
}

func newDocument() *document {
	return &document{items: make([][2]*ast.Term, 0, 24), open: make([]int, 0, 8)}
}

func (d *document) put(k key, v ast.Value) {
	d.items = append(d.items, [2]*ast.Term{k.term, ast.NewTerm(v)})
}

func (d *document) begin() { d.open = append(d.open, len(d.items)) }

func (d *document) end(k key) {
	last := len(d.open) - 1
	from := d.open[last]
	object := ast.NewObject(d.items[from:]...)
	d.open, d.items = d.open[:last], d.items[:from]
	d.put(k, object)
}

func (d *document) null(k key)            { d.put(k, ast.NullValue) }
func (d *document) flag(k key, v bool)    { d.put(k, ast.Boolean(v)) }
func (d *document) text(k key, v string)  { d.put(k, ast.String(v)) }
func (d *document) number(k key, v int64) { d.put(k, ast.MustInterfaceToValue(v)) }

func (d *document) texts(k key, v []string) {
	terms := make([]*ast.Term, len(v))
	for i := range v {
		terms[i] = ast.StringTerm(v[i])
	}
	d.put(k, ast.NewArray(terms...))
}

func (d *document) value(k key, v any) error {
	value, err := ast.InterfaceToValue(v)
	if err != nil {
		return err
	}
	d.put(k, value)
	return nil
}

// root is the one object that was built.
func (d *document) root() *ast.Term { return d.items[0][1] }
