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

// covers reports whether a term may be made of a credential. known gives the
// values of names, nil where there is none.
func (v *veil) covers(body ast.Body, term *ast.Term, known func(ast.Var) ast.Value) bool {
	if v == nil || len(v.secrets) == 0 {
		return false
	}
	u := unveiling{v, body, known, map[*ast.Rule]bool{}}
	return u.made(term, 0)
}

// unveiling is one look at what a term is made of.
type unveiling struct {
	*veil
	body  ast.Body
	known func(ast.Var) ast.Value
	seen  map[*ast.Rule]bool
}

func (v *unveiling) made(term *ast.Term, depth int) bool {
	if depth > deepest {
		return true
	}
	found := false
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			found = found || v.read(x, v.seen, depth)
		case ast.Var:
			name := ast.NewTerm(x)
			if value := v.known(x); value != nil {
				found = found || v.holds(value)
			}
			if from := standsFor(v.body, name); !found && !from.Equal(name) {
				found = v.made(from, depth+1)
			}
			if call := callOf(v.compiler, v.body, x); !found && call != nil {
				operands := call.Operands()
				found = v.read(call.Operator(), v.seen, depth)
				for _, o := range operands[:len(operands)-1] {
					found = found || v.made(o, depth+1)
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
	text := strings.ToLower(value.String())
	for _, secret := range v.secrets {
		if strings.Contains(text, strings.ToLower(secret)) {
			return true
		}
	}
	return false
}

// throughCall reports whether a name takes what a call gave, or a part of that.
func throughCall(compiler *ast.Compiler, body ast.Body, name ast.Var) bool {
	for range deepest {
		if callOf(compiler, body, name) != nil {
			return true
		}
		next := standsFor(body, ast.NewTerm(name))
		if ref, isRef := next.Value.(ast.Ref); isRef {
			next = ref[0]
		}
		from, isVar := next.Value.(ast.Var)
		if !isVar || from == name {
			return false
		}
		name = from
	}
	return true
}
