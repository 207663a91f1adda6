package author

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/policy"
)

// veil hides what calls make of a request's credentials: in another form they
// would not be known again in what is told.
type veil struct {
	input    *ast.Term
	compiler *ast.Compiler
	secrets  []string
}

// covers reports whether a term may be made of a credential.
func (v *veil) covers(body ast.Body, term *ast.Term) bool {
	if v == nil || len(v.secrets) == 0 {
		return false
	}
	return v.made(body, term, map[*ast.Rule]bool{}, 0)
}

func (v *veil) made(body ast.Body, term *ast.Term, seen map[*ast.Rule]bool, depth int) bool {
	if depth > deepest {
		return true
	}
	found := false
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			found = found || v.read(x, seen, depth)
		case ast.Var:
			name := ast.NewTerm(x)
			if from := standsFor(body, name); !found && !from.Equal(name) {
				found = v.made(body, from, seen, depth+1)
			}
			if call := callOf(body, x); !found && call != nil {
				operands := call.Operands()
				found = v.read(call.Operator(), seen, depth)
				for _, o := range operands[:len(operands)-1] {
					found = found || v.made(body, o, seen, depth+1)
				}
			}
		}
		return found
	}).Walk(term)
	return found
}

// read reports whether what a reference reads, by itself or in rules, holds a
// credential.
func (v *veil) read(ref ast.Ref, seen map[*ast.Rule]bool, depth int) (found bool) {
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		value, err := v.input.Value.Find(ref.ConstantPrefix()[1:])
		return err == nil && v.holds(value)
	case ref[0].Equal(ast.DefaultRootDocument):
		for _, rule := range policy.RulesOf(v.compiler, ref.ConstantPrefix()) {
			if seen[rule] {
				continue
			}
			seen[rule] = true
			ast.WalkRefs(rule, func(inner ast.Ref) bool {
				found = found || depth > deepest || v.read(inner, seen, depth+1)
				return found
			})
		}
	}
	return found
}

func (v *veil) holds(value ast.Value) bool {
	text := value.String()
	for _, secret := range v.secrets {
		if strings.Contains(text, secret) {
			return true
		}
	}
	return false
}
