package author

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/policy"
)

// answered keeps what would have made a rule answer, if that may be an allow.
func (s *search) answered(r *ast.Rule, result bindings, lacks []Lack) {
	value := result[resultName]
	if object, isObject := valueOf(value).(ast.Object); isObject {
		if allowed := object.Get(ast.InternedTerm("allowed")); allowed == nil || !allowed.Equal(ast.InternedTerm(true)) {
			s.follow(r, lacks)
			return
		}
	}
	if value != nil && policy.Obeyable(value.Value) != nil {
		return
	}
	if truth, isBool := valueOf(value).(ast.Boolean); isBool && !bool(truth) {
		return
	}
	s.keep(lacks)
}

// follow goes into the rules that say whether an answer's "allowed" is true.
func (s *search) follow(r *ast.Rule, lacks []Lack) {
	object, isObject := standsFor(r.Body, r.Head.Value).Value.(ast.Object)
	if !isObject {
		return
	}
	allowed := object.Get(ast.InternedTerm("allowed"))
	if allowed == nil {
		return
	}
	ref, asked := standsFor(r.Body, allowed).Value.(ast.Ref)
	if !asked || !ref.HasPrefix(ast.DefaultRootRef) || !ref.IsGround() {
		return
	}
	s.into(&frame{search: s, body: r.Body}, s.compiler.GetRulesExact(ref), nil, nil, lacks, 1, func(_ bindings, lacks []Lack) { s.keep(lacks) })
}

// assigned are the rules whose value an expression takes, beside where it goes.
func (s *search) assigned(expr *ast.Expr) ([]*ast.Rule, []*ast.Term) {
	for _, sides := range [][2]*ast.Term{{expr.Operand(0), expr.Operand(1)}, {expr.Operand(1), expr.Operand(0)}} {
		ref, asks := sides[0].Value.(ast.Ref)
		if !asks || !ref.HasPrefix(ast.DefaultRootRef) || !ref.IsGround() {
			continue
		}
		rules := s.compiler.GetRulesExact(ref)
		_, isVar := sides[1].Value.(ast.Var)
		_, isBool := sides[1].Value.(ast.Boolean)
		if len(rules) > 0 && (isVar || isBool) && rules[0].Head.Value != nil && len(rules[0].Head.Args) == 0 {
			return rules, []*ast.Term{sides[1]}
		}
	}
	return nil, nil
}

// producers tell of the rules that made the members of the sets which an
// expression looks at.
func (s *search) producers(f *frame, expr *ast.Expr) (all []string) {
	for _, operand := range expr.Operands() {
		name, isVar := operand.Value.(ast.Var)
		if !isVar {
			continue
		}
		call := callOf(s.compiler, f.body, name)
		if call == nil {
			continue
		}
		for _, argument := range call.Operands()[:len(call.Operands())-1] {
			ref, isReference := standsFor(f.body, argument).Value.(ast.Ref)
			if !isReference || !ref.HasPrefix(ast.DefaultRootRef) || !ref.IsGround() {
				continue
			}
			for _, r := range s.compiler.GetRulesExact(ref) {
				all = append(all, s.produced(r)...)
			}
		}
	}
	return all[:min(len(all), mostMisses)]
}

// produced tells what members a rule adds to a set.
func (s *search) produced(r *ast.Rule) (all []string) {
	if r.Head.Key == nil || r.Default {
		return nil
	}
	solutions, err := s.solveAll(r.Body)
	if err != nil {
		return nil
	}
	for _, solution := range solutions {
		member := r.Head.Key
		if name, isVar := member.Value.(ast.Var); isVar && solution[name] != nil {
			member = solution[name]
		}
		shown := plainText(member)
		if s.veil.covers(r.Body, r.Head.Key, solved(solution)) {
			shown = "(hidden)"
		}
		if text := fmt.Sprintf("line %d adds %s by %s", r.Location.Row, shown, sourceOfBody(r.Body)); member.IsGround() && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}
