package author

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/policy"
)

// Lack is one expression that failed, and whose change a near miss needs.
type Lack struct {
	// Text says so in words, such as `lacks scope orders:write`.
	Text string `json:"text"`
	File string `json:"file"`
	Line int    `json:"line"`

	// identity says that the lack is the consumer's, not the request's.
	identity bool
	// collection lacks what value is given once the rest is known.
	collection string
	members    *ast.Term
	value      ast.Var
	owner      *frame
	// change is what would mend it, nil where that can't be made in the input.
	change *change
}

// Miss is a smallest set of failed expressions.
type Miss []Lack

// ranked are what the consumer lacks first, for that is what is mostly given.
func ranked(all []Miss) []Miss {
	slices.SortFunc(all, func(a, b Miss) int {
		return cmp.Or(len(a)-len(b), b.own()-a.own(), strings.Compare(a.String(), b.String()))
	})
	return all[:min(len(all), mostMisses)]
}

// String gives its texts.
func (m Miss) String() string {
	texts := make([]string, len(m))
	for i := range m {
		texts[i] = m[i].Text
	}
	slices.Sort(texts)
	return strings.Join(texts, "\n")
}

func (m Miss) own() (n int) {
	for _, l := range m {
		if l.identity {
			n++
		}
	}
	return n
}

// forbidden is for what must not hold and does: it names the rule by which.
func (s *search) forbidden(f *frame, expr *ast.Expr) Lack {
	lack := f.lackOf(expr)
	text := strings.TrimSpace(strings.TrimPrefix(sourceOf(expr), "not "))
	lack.Text = text + " holds, and must not"
	rules, operands := s.called(expr)
	if len(operands) > 0 {
		return lack
	}
	for _, r := range rules {
		if solutions, err := s.solveAll(r.Body); err == nil && len(solutions) > 0 && !r.Default {
			lack.Text = fmt.Sprintf("%s holds by line %d, and must not: %s", text, r.Location.Row, sourceOfBody(r.Body))
			return lack
		}
	}
	return lack
}

// generator reports that an expression takes each member of what the consumer
// has: of a list of the identity, or of a set that a rule makes. The consumer
// may lack the one that would have served.
func (f *frame) generator(expr *ast.Expr, b bindings) (name ast.Var, collection string, _ bool) {
	if !expr.IsEquality() || expr.Negated {
		return "", "", false
	}
	name, isVar := expr.Operand(0).Value.(ast.Var)
	ref, isRef := expr.Operand(1).Value.(ast.Ref)
	if !isVar || !isRef || len(ref) < 2 || b[name] != nil {
		return "", "", false
	}
	index, isIndex := ref[len(ref)-1].Value.(ast.Var)
	whole := ref[:len(ref)-1]
	if !isIndex || b[index] != nil || !whole.IsGround() {
		return "", "", false
	}
	if !f.search.made(whole) && !whole.HasPrefix(ast.MustParseRef("input.identity")) && !whole.HasPrefix(ast.MustParseRef("input.consumer")) {
		return "", "", false
	}
	return name, f.search.describeRef(whole), true
}

// settle names what a collection lacks, once it is known. What stays unknown
// could be anything, which tells nothing.
func (f *frame) settle(b bindings, lacks []Lack) ([]Lack, bool) {
	settled := slices.Clone(lacks)
	for i := range settled {
		l := &settled[i]
		if l.owner != f || l.Text != "" {
			continue
		}
		value := b[l.value]
		if value == nil {
			return nil, false
		}
		l.Text = "lacks " + singular(l.collection) + " " + plainText(value)
		l.change = f.joining(l.members, value)
	}
	return settled, true
}

func (f *frame) lackOf(expr *ast.Expr) Lack {
	l := Lack{}
	if expr.Location != nil {
		l.File, l.Line = expr.Location.File, expr.Location.Row
	}
	return l
}

// value is what a term stands for, itself if that is not known.
func (f *frame) value(term *ast.Term, b bindings) *ast.Term {
	if name, isVar := term.Value.(ast.Var); isVar && b[name] != nil {
		return b[name]
	}
	return term
}

// membersOf is the collection whose members a generator takes.
func membersOf(expr *ast.Expr) *ast.Term {
	ref, _ := expr.Operand(1).Value.(ast.Ref)
	return ast.NewTerm(ref[:len(ref)-1])
}

// mending is the change of the input that would make an expression hold, nil
// where there is no saying.
func (s *search) mending(f *frame, expr *ast.Expr, b bindings) *change {
	if expr.Negated || len(expr.With) > 0 {
		return nil
	}
	if !expr.IsCall() {
		return f.setting(termOf(expr), ast.InternedTerm(true))
	}
	operands := expr.Operands()
	switch expr.Operator().String() {
	case ast.Member.Name:
		member, collection := s.known(f, operands[0], b), s.known(f, operands[1], b)
		if f.inputRef(operands[0]) == nil || f.inputRef(operands[1]) != nil {
			return f.joining(operands[1], member)
		}
		var first *ast.Term
		if collection != nil {
			each(collection, func(_, v *ast.Term) {
				if first == nil {
					first = v
				}
			})
		}
		return f.setting(operands[0], first)
	case ast.Equality.Name, ast.Equal.Name, ast.Assign.Name, policy.Compared:
		for _, sides := range [][2]*ast.Term{{operands[0], operands[1]}, {operands[1], operands[0]}} {
			if c := f.setting(sides[0], s.known(f, sides[1], b)); c != nil {
				return c
			}
		}
	}
	return nil
}

// known is the value that a term has, nil when it has none.
func (s *search) known(f *frame, term *ast.Term, b bindings) *ast.Term {
	term = f.value(term, b)
	if _, isVar := term.Value.(ast.Var); isVar {
		term = standsFor(f.body, term)
	}
	if _, isVar := term.Value.(ast.Var); isVar {
		return nil
	}
	if term.IsGround() && !isRef(term) {
		return term
	}
	got := ast.Var("seen")
	solutions, err := s.solve(ast.Equality.Expr(ast.NewTerm(got), term), b)
	if err != nil || len(solutions) == 0 {
		return nil
	}
	return solutions[0][got]
}
