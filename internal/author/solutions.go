package author

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// bindings are the values of names. They are never changed.
type bindings map[ast.Var]*ast.Term

// known is the value of a name, nil where there is none.
func (b bindings) known(name ast.Var) ast.Value { return valueOf(b[name]) }

// solved are the values that a solution gives.
func solved(r topdown.QueryResult) func(ast.Var) ast.Value {
	return func(name ast.Var) ast.Value { return valueOf(r[name]) }
}

func (b bindings) with(more topdown.QueryResult) bindings {
	if len(more) == 0 {
		return b
	}
	all := maps.Clone(b)
	if all == nil {
		all = bindings{}
	}
	for name, value := range more {
		if value.IsGround() {
			all[name] = value
		}
	}
	return all
}

// solve evaluates one expression where names have these values.
func (s *search) solve(expr *ast.Expr, b bindings) (solutions []topdown.QueryResult, err error) {
	body := ast.Body{}
	ast.NewGenericVisitor(func(x any) bool {
		if name, isVar := x.(ast.Var); isVar && b[name] != nil {
			given := ast.Equality.Expr(ast.NewTerm(name), b[name])
			if !slices.ContainsFunc(body, func(e *ast.Expr) bool { return e.Equal(given) }) {
				body.Append(given)
			}
		}
		return false
	}).Walk(expr)
	body.Append(expr.Copy())
	return s.solveAll(body)
}

// solveAll evaluates a whole body.
func (s *search) solveAll(body ast.Body) (solutions []topdown.QueryResult, err error) {
	err = s.probe.Solve(s.ctx, body, askTime, nil, func(r topdown.QueryResult) error {
		if len(solutions) < mostSolutions {
			solutions = append(solutions, maps.Clone(r))
		}
		return nil
	})
	return solutions, err
}

func valueOf(term *ast.Term) ast.Value {
	if term == nil {
		return nil
	}
	return term.Value
}
