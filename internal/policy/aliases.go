package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// aliases are the names that a rule gives to parts of the input, each with the
// reference that it stands for: after `h := input.attributes.request.http`,
// `h.method` reads the method alone.
type aliases map[ast.Var]ast.Ref

// aliasesOf finds the names of one branch of a rule, its nested bodies with it.
// A name that two expressions give is no alias: they compare.
func aliasesOf(rule *ast.Rule) aliases {
	found := aliases{}
	twice := ast.NewVarSet()
	ast.WalkExprs(&ast.Rule{Head: rule.Head, Body: rule.Body}, func(expr *ast.Expr) bool {
		if name, ref, naming := namingOf(expr); naming {
			if found[name] != nil {
				twice.Add(name)
			}
			found[name] = ref
		}
		return false
	})
	for name := range twice {
		delete(found, name)
	}
	return found
}

// namingOf takes apart an expression `name = reference` whose reference begins
// at the input or at another name.
func namingOf(expr *ast.Expr) (name ast.Var, ref ast.Ref, naming bool) {
	if expr.Negated || len(expr.With) > 0 || !expr.IsEquality() {
		return "", nil, false
	}
	for _, sides := range [][2]*ast.Term{{expr.Operand(0), expr.Operand(1)}, {expr.Operand(1), expr.Operand(0)}} {
		name, isVar := sides[0].Value.(ast.Var)
		ref, isRef := sides[1].Value.(ast.Ref)
		if isVar && isRef && constant(ref) && !ast.RootDocumentNames.Contains(sides[0]) {
			return name, ref, true
		}
	}
	return "", nil, false
}

func constant(ref ast.Ref) bool {
	_, named := ref[0].Value.(ast.Var)
	return named && !ref[0].Equal(ast.DefaultRootDocument) && !slices.ContainsFunc(ref[1:], func(term *ast.Term) bool {
		_, text := term.Value.(ast.String)
		return !text
	})
}

// full is a reference with the names that it begins with replaced, nil when it
// begins with none.
func (a aliases) full(ref ast.Ref) ast.Ref {
	replaced := false
	for range len(a) {
		name, isVar := ref[0].Value.(ast.Var)
		base := a[name]
		if !isVar || base == nil {
			break
		}
		ref, replaced = slices.Concat(base, ref[1:]), true
	}
	if !replaced {
		return nil
	}
	return ref
}
