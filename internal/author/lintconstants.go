package author

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/policy"
)

// constants tells of entry points that allow whatever is asked, and of bodies
// that never hold.
func (l *lint) constants() {
	for rule := range l.reached {
		decides := len(rule.Head.Args) == 0 && l.decides(rule)
		for r := rule; r != nil; r = r.Else {
			dead := l.dead(r)
			switch {
			case dead || !decides || !alwaysAllows(r):
			case r.Default:
				l.add(r.Location, CodeAlwaysAllows, lastName(rule)+" allows where no rule holds: what nobody thought of is let in",
					"write `default "+lastName(rule)+" := false`, and a rule for what may be")
			case trueBody(r.Body):
				l.add(r.Location, CodeAlwaysAllows, lastName(rule)+" allows whatever is asked: nothing of the request is looked at",
					"look at who asks for what; for a route that is open to all, say so in the configuration")
			}
		}
	}
}

// decides reports whether a rule is an entry point's own.
func (l *lint) decides(rule *ast.Rule) bool {
	for _, entrypoint := range l.snapshot.Entrypoints() {
		if rule.Ref().GroundPrefix().Equal(refOf(entrypoint)) {
			return true
		}
	}
	return false
}

// dead tells of the first expression of a body that never holds.
func (l *lint) dead(r *ast.Rule) bool {
	for _, expr := range r.Body {
		if truth, constant := constantTruth(expr); constant && !truth && !expr.Generated {
			l.add(expr.Location, CodeNeverHolds, sourceOf(expr)+" never holds, and so this rule does not", "take the rule out, or write what is meant")
			return true
		}
	}
	return false
}

// alwaysAllows reports whether a rule's value is an allow, whatever was asked.
func alwaysAllows(r *ast.Rule) bool {
	if r.Head.Value == nil {
		return false
	}
	switch v := r.Head.Value.Value.(type) {
	case ast.Boolean:
		return bool(v)
	case ast.Object:
		allowed := v.Get(ast.InternedTerm("allowed"))
		return allowed != nil && allowed.Equal(ast.InternedTerm(true))
	}
	return false
}

func trueBody(body ast.Body) bool {
	for _, expr := range body {
		if truth, constant := constantTruth(expr); !constant || !truth {
			return false
		}
	}
	return true
}

// constantTruth is what an expression of constants alone says.
func constantTruth(expr *ast.Expr) (truth, constant bool) {
	if len(expr.With) > 0 {
		return false, false
	}
	if term, isTerm := expr.Terms.(*ast.Term); isTerm {
		if !isConstant(term) {
			return false, false
		}
		return term.Equal(ast.InternedTerm(false)) == expr.Negated, true
	}
	if !expr.IsCall() || len(expr.Operands()) != 2 || !isConstant(expr.Operand(0)) || !isConstant(expr.Operand(1)) {
		return false, false
	}
	order := expr.Operand(0).Value.Compare(expr.Operand(1).Value)
	switch expr.Operator().String() {
	case ast.Equality.Name, ast.Equal.Name, policy.Compared:
		truth = order == 0
	case ast.NotEqual.Name:
		truth = order != 0
	case ast.LessThan.Name:
		truth = order < 0
	case ast.LessThanEq.Name:
		truth = order <= 0
	case ast.GreaterThan.Name:
		truth = order > 0
	case ast.GreaterThanEq.Name:
		truth = order >= 0
	default:
		return false, false
	}
	return truth != expr.Negated, true
}
