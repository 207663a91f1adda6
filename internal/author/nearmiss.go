package author

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/policy"
)

// The bounds of a search for near misses.
const (
	// mostLacks is how many expressions may fail in a near miss.
	mostLacks = 4
	// mostMisses is how many near misses of the same size are told.
	mostMisses = 5
	// mostSolutions is how many values one expression is tried with.
	mostSolutions = 100
	// deepest is how many rules deep the search goes.
	deepest = 12
	// searchTime bounds the search, askTime one evaluation in it.
	searchTime = 5 * time.Second
	askTime    = 500 * time.Millisecond
)

// frame is one evaluation of a rule's body: what its names stand for.
type frame struct {
	search *search
	body   ast.Body
	// names say where the arguments came from.
	names map[ast.Var]string
	// from are the references that the arguments were given as.
	from map[ast.Var]*ast.Term
}

// search looks for near misses of one question. Each rule that would allow is
// gone through as it would be evaluated; an expression that fails is counted
// as lacking and gone on after, up to a limit that grows until something is
// found.
type search struct {
	ctx      context.Context
	probe    *policy.Probe
	compiler *ast.Compiler
	veil     *veil
	limit    int
	deadline time.Time
	found    map[string]Miss
	// untrue are those that were tried and are none.
	untrue map[string]bool
}

// continuation is what follows once a body is gone through.
type continuation func(b bindings, lacks []Lack)

// nearMisses finds the smallest sets of failed expressions whose change allows,
// and after them those of which that can't be tried.
func nearMisses(ctx context.Context, probe *policy.Probe, compiler *ast.Compiler, rule ast.Ref) []Miss {
	sure, unsure := newSearch(ctx, probe, compiler).misses(ctx, rule)
	return slices.Concat(sure, unsure)
}

func newSearch(ctx context.Context, probe *policy.Probe, compiler *ast.Compiler) *search {
	return &search{
		ctx: ctx, probe: probe, compiler: compiler, deadline: time.Now().Add(searchTime),
		found: map[string]Miss{}, untrue: map[string]bool{},
	}
}

// misses are those that allow, as was tried, and those that can't be tried.
func (s *search) misses(ctx context.Context, rule ast.Ref) (sure, unsure []Miss) {
	entrypoint := entrypointOf(rule)
	for s.limit = 1; s.limit <= mostLacks && len(s.found) == 0 && !s.over(); s.limit++ {
		for _, r := range branches(policy.RulesOf(s.compiler, rule)) {
			if !r.Default && r.Head.Value != nil && allows(r) {
				s.rule(r, nil, &frame{search: s}, nil, 0, func(result bindings, lacks []Lack) { s.answered(r, result, lacks) })
			}
		}
		for key, miss := range s.found {
			switch s.try(ctx, entrypoint, miss) {
			case untrue:
				delete(s.found, key)
				s.untrue[key] = true
			case proven:
				sure = append(sure, miss)
			case untried:
				unsure = append(unsure, miss)
			}
		}
	}
	return ranked(sure), ranked(unsure)
}

// branches are rules with what follows each else. That an else is only reached
// when what stands before it fails is no part of a near miss.
func branches(rules []*ast.Rule) (all []*ast.Rule) {
	for _, r := range rules {
		for ; r != nil; r = r.Else {
			all = append(all, r)
		}
	}
	return all
}

// allows reports whether a rule may answer yes.
func allows(r *ast.Rule) bool {
	switch v := r.Head.Value.Value.(type) {
	case ast.Boolean:
		return bool(v)
	case ast.Object:
		allowed := v.Get(ast.InternedTerm("allowed"))
		return allowed != nil && !allowed.Equal(ast.InternedTerm(false))
	case ast.Var, ast.Ref:
		return true
	}
	return false
}

func (s *search) over() bool { return s.ctx.Err() != nil || time.Now().After(s.deadline) }

func (s *search) keep(lacks []Lack) {
	texts := make([]string, 0, len(lacks))
	for _, l := range lacks {
		if l.Text == "" || slices.Contains(texts, l.Text) {
			return
		}
		texts = append(texts, l.Text)
	}
	if len(lacks) == 0 {
		return
	}
	slices.Sort(texts)
	if key := strings.Join(texts, "\n"); s.found[key] == nil && !s.untrue[key] {
		s.found[key] = slices.Clone(lacks)
	}
}

// rule goes through a rule as it is called with these operands, the last of
// which may be where its value goes.
func (s *search) rule(r *ast.Rule, operands []*ast.Term, caller *frame, b bindings, depth int, done func(bindings, []Lack), lacks ...Lack) {
	if depth > deepest || r.Default {
		return
	}
	inner, known := &frame{search: s, body: r.Body, names: map[ast.Var]string{}, from: map[ast.Var]*ast.Term{}}, bindings{}
	for i, arg := range r.Head.Args {
		if i >= len(operands) {
			return
		}
		value := caller.value(operands[i], b)
		if name, isVar := arg.Value.(ast.Var); isVar {
			if from := caller.resolve(operands[i]); isRef(from) {
				inner.from[name] = from
			}
		}
		switch name, isVar := arg.Value.(ast.Var); {
		case isVar && value.IsGround():
			known[name], inner.names[name] = value, caller.describe(operands[i])
		case isVar:
			inner.names[name] = caller.describe(operands[i])
		case value.IsGround() && !arg.Equal(value):
			return
		}
	}
	s.body(inner, 0, known, lacks, depth, func(b bindings, lacks []Lack) {
		result := bindings{}
		if value := inner.value(r.Head.Value, b); value.IsGround() {
			result[resultName] = value
		}
		done(result, lacks)
	})
}

// resultName is where a rule's value is handed back.
const resultName = ast.Var("result")

// body goes through a body from its i-th expression on.
func (s *search) body(f *frame, i int, b bindings, lacks []Lack, depth int, done continuation) {
	switch {
	case len(lacks) > s.limit || s.over() || len(s.found) > 10*mostMisses:
		return
	case i == len(f.body):
		if settled, ok := f.settle(b, lacks); ok {
			done(b, settled)
		}
		return
	}
	expr := f.body[i]
	next := func(b bindings, lacks []Lack) { s.body(f, i+1, b, lacks, depth, done) }
	solutions, err := s.solve(expr, b)
	for _, solution := range solutions {
		next(b.with(solution), lacks)
	}
	if len(lacks) == s.limit {
		return
	}
	if len(solutions) == 0 && err == nil && expr.Negated {
		next(b, append(slices.Clip(lacks), s.forbidden(f, expr)))
		return
	}
	if name, collection, from := f.generator(expr, b); from {
		lack := f.lackOf(expr)
		lack.collection, lack.value, lack.owner, lack.identity = collection, name, f, true
		lack.members = membersOf(expr)
		next(b, append(slices.Clip(lacks), lack))
		return
	}
	if len(solutions) == 0 || err != nil {
		s.failed(f, expr, b, lacks, depth, next)
	}
}

// failed goes into an expression that failed, or counts it as lacking.
func (s *search) failed(f *frame, expr *ast.Expr, b bindings, lacks []Lack, depth int, next continuation) {
	if every, isEvery := expr.Terms.(*ast.Every); isEvery {
		s.every(f, every, b, lacks, depth, next)
		return
	}
	if rules, operands := s.called(expr); len(rules) > 0 && !expr.Negated && len(expr.With) == 0 {
		s.into(f, rules, operands, b, lacks, depth, next)
		return
	}
	lack := f.lackOf(expr)
	lack.Text, lack.identity = s.words(f, expr, b)
	lack.change = s.mending(f, expr, b)
	if members := s.producers(f, expr); lack.Text != "" && len(members) > 0 {
		lack.Text += ": " + strings.Join(members, "; ")
	}
	next(b, append(slices.Clip(lacks), lack))
}

// into goes through each rule that could have made the expression hold.
func (s *search) into(f *frame, rules []*ast.Rule, operands []*ast.Term, b bindings, lacks []Lack, depth int, next continuation) {
	for _, r := range branches(rules) {
		s.rule(r, operands, f, b, depth+1, func(result bindings, lacks []Lack) {
			with := b
			if value := result[resultName]; value != nil && len(operands) > len(r.Head.Args) {
				out := operands[len(operands)-1]
				name, isVar := out.Value.(ast.Var)
				switch {
				case isVar && b[name] == nil:
					with = b.with(topdown.QueryResult{name: value})
				case !f.value(out, b).Equal(value):
					return
				}
			} else if value != nil && value.Equal(ast.InternedTerm(false)) {
				return
			}
			next(with, lacks)
		}, lacks...)
	}
}

// called are the rules that an expression asks: a function's, or those of a
// reference that stands alone.
func (s *search) called(expr *ast.Expr) ([]*ast.Rule, []*ast.Term) {
	switch terms := expr.Terms.(type) {
	case *ast.Term:
		if ref, isRef := terms.Value.(ast.Ref); isRef && ref.HasPrefix(ast.DefaultRootRef) && ref.IsGround() {
			return s.compiler.GetRulesExact(ref), nil
		}
	case []*ast.Term:
		if expr.IsEquality() {
			return s.assigned(expr)
		}
		if ref := expr.Operator(); ref.HasPrefix(ast.DefaultRootRef) {
			return s.compiler.GetRulesExact(ref), expr.Operands()
		}
	}
	return nil, nil
}

// every goes through the body for each member that there is.
func (s *search) every(f *frame, every *ast.Every, b bindings, lacks []Lack, depth int, next continuation) {
	domain := f.value(every.Domain, b)
	if !domain.IsGround() || depth > deepest {
		return
	}
	var members []bindings
	key, _ := every.Key.Value.(ast.Var)
	value, _ := every.Value.Value.(ast.Var)
	each(domain, func(k, v *ast.Term) {
		members = append(members, b.with(topdown.QueryResult{key: k, value: v}))
	})
	inner := &frame{search: s, body: every.Body, names: f.names, from: f.from}
	var from func(j int, lacks []Lack)
	from = func(j int, lacks []Lack) {
		if j == len(members) {
			next(b, lacks)
			return
		}
		s.body(inner, 0, members[j], lacks, depth+1, func(_ bindings, lacks []Lack) { from(j+1, lacks) })
	}
	from(0, lacks)
}

func each(collection *ast.Term, do func(k, v *ast.Term)) {
	switch c := collection.Value.(type) {
	case *ast.Array:
		for i := range c.Len() {
			do(ast.IntNumberTerm(i), c.Elem(i))
		}
	case ast.Set:
		c.Foreach(func(v *ast.Term) { do(v, v) })
	case ast.Object:
		c.Foreach(do)
	}
}
