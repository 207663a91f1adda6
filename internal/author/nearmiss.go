package author

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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

// frame is one evaluation of a rule's body: what its names stand for.
type frame struct {
	search *search
	body   ast.Body
	// names say where the arguments came from.
	names map[ast.Var]string
	// from are the references that the arguments were given as.
	from map[ast.Var]*ast.Term
}

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

func valueOf(term *ast.Term) ast.Value {
	if term == nil {
		return nil
	}
	return term.Value
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
