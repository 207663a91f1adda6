package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
)

// Compared is the builtin that `==` becomes between values which rules may have
// made. OPA would unify them, piece by piece and on the stack: values share their
// parts, so that a few lines make ones of a billion pieces, and neither the budget
// nor anything else ends that. It answers what `==` does.
const Compared = "internal.postern.equal"

// mostCompared is how many pieces a comparison may take: about ten milliseconds.
const mostCompared = 1 << 17

// registerCompared makes it known to the compiler and to evaluations, once.
func registerCompared() {
	ast.RegisterBuiltin(&ast.Builtin{
		Name:        Compared,
		Decl:        types.NewFunction(types.Args(types.A, types.A), types.B),
		CanSkipBctx: true,
	})
	topdown.RegisterBuiltinFunc(Compared, func(_ topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		return iter(ast.InternedTerm(operands[0].Equal(operands[1])))
	})
}

// boundComparisons puts a measure before the builtins that compare. They have no
// budget, since to give them one takes longer than most comparisons.
func boundComparisons() {
	for name, measure := range map[string]measure{
		Compared: comparing, "equal": comparing, "neq": comparing, "lt": comparing, "lte": comparing, "gt": comparing, "gte": comparing,
		"internal.member_2": containing, "internal.member_3": containing,
	} {
		original := topdown.GetBuiltin(name)
		// What is looked for in a list stands before it.
		sought := len(ast.BuiltinMap[name].Decl.FuncArgs().Args) - 2
		topdown.RegisterBuiltinFunc(name, func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
			if composite(operands[sought].Value) && vast(measure, operands) {
				return excess(name, "", bctx)
			}
			return original(bctx, operands, iter)
		})
	}
}

func vast(measure measure, operands []*ast.Term) bool {
	m := meter{left: mostCompared}
	measure(&m, operands)
	return m.left < 0
}

// either takes what a comparison takes at most: it ends with the smaller of two.
func (m *meter) either(a, b ast.Value) {
	if !composite(a) || !composite(b) || ast.ValueName(a) != ast.ValueName(b) {
		return
	}
	for part := 1 << 10; ; part *= 4 { // neither is walked far beyond the other
		part = min(part, m.left)
		one, other := meter{left: part}, meter{left: part}
		one.tree(a)
		other.tree(b)
		if left := max(one.left, other.left); left >= 0 || part == m.left {
			m.left -= part - left
			return
		}
	}
}

func composite(v ast.Value) bool {
	switch v.(type) {
	case *ast.Array, ast.Object, ast.Set:
		return true
	}
	return false
}

func comparing(m *meter, operands []*ast.Term) string {
	m.either(operands[0].Value, operands[1].Value)
	return ""
}

// containing is for `x in list`: x is compared with each.
func containing(m *meter, operands []*ast.Term) string {
	sought, list := operands[len(operands)-2].Value, operands[len(operands)-1].Value
	each := func(item *ast.Term) bool { m.either(sought, item.Value); return m.left < 0 }
	switch list := list.(type) {
	case *ast.Array:
		list.Until(each)
	case ast.Set:
		m.tree(sought) // it is looked up by its digest
	case ast.Object:
		list.Until(func(_, item *ast.Term) bool { return each(item) })
	}
	return ""
}

// compareWithin replaces `==` by Compared where both sides may be values that
// rules made. Beside a constant or a part of the input a comparison is short.
// Below `not` it stays: a call is undefined there with an operand that is, where
// `==` is false.
func compareWithin(module *ast.Module) {
	equal := ast.Equal.Ref()
	ast.WalkExprs(module, func(expr *ast.Expr) bool {
		if !expr.Negated && expr.IsCall() && expr.Operator().Equal(equal) && len(expr.Operands()) == 2 && made(expr.Operand(0)) && made(expr.Operand(1)) {
			expr.SetOperator(ast.NewTerm(ast.MustParseRef(Compared)).SetLocation(expr.OperatorTerm().Location))
		}
		return false
	})
}

// made reports whether a term may be a large value that a rule has made.
func made(term *ast.Term) bool {
	switch v := term.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return false
	case ast.Ref:
		return !v[0].Equal(ast.InputRootDocument)
	case *ast.Array, ast.Object, ast.Set:
		return !v.IsGround()
	}
	return true
}
