package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// survey finds what an entry point can read: it walks every rule that can be
// reached, with its else branches, comprehensions and `with` replacements, and
// notes every reference to input, cut at its first variable part.
//
// It takes in too much rather than too little: whatever is not a reference with
// constant names counts as reading the whole of what stands before it, but for
// names given to parts of the input (aliases). OPA's own dependencies package
// finds nothing that this one doesn't: a test holds it to that, and a proof
// holds what is remembered by it to what is evaluated afresh.
type survey struct {
	compiler *ast.Compiler
	seen     map[*ast.Rule]bool
	input    reads
	// places are where parts of the input are read.
	places []placed
	// unsteady are the reachable builtins whose answers may change by
	// themselves, with each place that names one.
	unsteady []unsteadiness
	// aliases are the names of the rule that is walked.
	aliases aliases
	// at is the last place that was passed.
	at *ast.Location
	// getters says that object.get is OPA's own everywhere.
	getters bool
	// skip leaves out nodes. Only tests set it, to see that it is noticed.
	skip func(node any) bool
}

type unsteadiness struct {
	name string
	at   *ast.Location
}

// placed is one place that reads a part of the input, or with touched, that
// only looks whether it is there.
type placed struct {
	path    ast.Ref
	at      *ast.Location
	touched bool
}

func surveyOf(compiler *ast.Compiler, entrypoint ast.Ref) *survey {
	return surveyWithout(compiler, entrypoint, func(any) bool { return false })
}

func surveyWithout(compiler *ast.Compiler, entrypoint ast.Ref, skip func(any) bool) *survey {
	s := &survey{compiler: compiler, seen: map[*ast.Rule]bool{}, getters: !replaces(compiler, ast.ObjectGet.Name), skip: skip}
	s.reach(entrypoint)
	return s
}

// replaces reports whether any `with` puts something in a builtin's place, or
// the builtin in something's.
func replaces(compiler *ast.Compiler, builtin string) (found bool) {
	for _, module := range compiler.Modules {
		ast.WalkWiths(module, func(w *ast.With) bool {
			found = found || w.Target.Value.String() == builtin || w.Value.Value.String() == builtin
			return found
		})
	}
	return found
}

// reach walks the rules that a reference to data may evaluate.
func (s *survey) reach(ref ast.Ref) {
	rules := RulesOf(s.compiler, ref)
	if len(ref) == 1 {
		rules = s.everyRule()
	}
	for _, rule := range rules {
		if !s.seen[rule] {
			s.seen[rule] = true
			s.rule(rule)
		}
	}
}

// RulesOf are the rules that a reference with constant names may evaluate, in
// order of their place: those below it, and all on the way to it, since the
// members of one document may come from rules of several lengths
// (`users[name] := …` beside `users.root := …`).
func RulesOf(compiler *ast.Compiler, ref ast.Ref) (rules []*ast.Rule) {
	node := compiler.RuleTree
	for _, term := range ref {
		if node = node.Child(term.Value); node == nil {
			break
		}
		rules = append(rules, node.Values...)
	}
	if node != nil {
		for _, child := range node.Children {
			child.DepthFirst(func(n *ast.TreeNode) bool {
				rules = append(rules, n.Values...)
				return false
			})
		}
	}
	slices.SortFunc(rules, func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
	return rules
}

func (s *survey) everyRule() (rules []*ast.Rule) {
	for _, module := range s.compiler.Modules {
		rules = append(rules, module.Rules...)
	}
	return rules
}

// rule walks a rule and its else branches. Names are one branch's own.
func (s *survey) rule(rule *ast.Rule) {
	outer, at := s.aliases, s.at
	for r := rule; r != nil; r = r.Else {
		if r != rule && s.skip(r) {
			continue
		}
		s.aliases, s.at = aliasesOf(r), r.Location
		s.head(r.Head)
		s.walk(r.Body)
	}
	s.aliases, s.at = outer, at
}

// head walks a rule's head. The parts of its name are not among what OPA's
// visitor walks.
func (s *survey) head(head *ast.Head) {
	if s.skip(head) {
		return
	}
	for _, term := range head.Reference {
		if _, name := term.Value.(ast.Var); !name {
			s.walk(term)
		}
	}
	s.walk(head)
}

func (s *survey) walk(node any) { ast.NewGenericVisitor(s.visit).Walk(node) }

// visit notes a node and says whether what is below it has been seen to.
func (s *survey) visit(node any) bool {
	if s.skip(node) {
		return true
	}
	switch x := node.(type) {
	case *ast.Expr:
		s.pass(x.Location)
		return s.named(x) || s.got(x)
	case *ast.Term:
		s.pass(x.Location)
	case ast.Ref:
		s.ref(x)
		return true
	case ast.Var:
		s.ref(ast.Ref{ast.NewTerm(x)})
	}
	return false
}

func (s *survey) pass(at *ast.Location) {
	if at != nil && at.File != "" {
		s.at = at
	}
}

func (s *survey) ref(ref ast.Ref) {
	s.note(ref)
	head := ref[0]
	if _, name := head.Value.(ast.Var); !name {
		s.walk(head)
	}
	for _, term := range ref[1:] {
		s.walk(term)
	}
}

func (s *survey) note(ref ast.Ref) {
	head := ref[0]
	switch {
	case head.Equal(ast.InputRootDocument):
		s.input.read(ref[1:], s.at)
		s.places = append(s.places, placed{path: ref[1:], at: s.at})
	case head.Equal(ast.DefaultRootDocument):
		s.reach(ref.ConstantPrefix())
	default:
		if full := s.aliases.full(ref); full != nil {
			s.note(full)
		}
		s.builtin(ref.String())
	}
}

func (s *survey) builtin(name string) {
	if unsteady(name) {
		s.unsteady = append(s.unsteady, unsteadiness{name, s.at})
	}
}

// named sees to an expression that gives a part of the input a name: by itself
// it only reads whether the part is there.
func (s *survey) named(expr *ast.Expr) bool {
	name, ref, naming := namingOf(expr)
	if !naming || s.aliases[name] == nil {
		return false
	}
	if full := s.aliases.full(ref); full != nil {
		ref = full
	}
	if ref[0].Equal(ast.InputRootDocument) {
		s.input.touch(ref[1:], s.at)
		s.places = append(s.places, placed{path: ref[1:], at: s.at, touched: true})
	}
	return true
}

// got sees to object.get of a part of the input with a constant key, which
// reads what a reference would.
func (s *survey) got(expr *ast.Expr) bool {
	if !s.getters || len(expr.With) > 0 || !expr.IsCall() || expr.Operator().String() != ast.ObjectGet.Name {
		return false
	}
	from, isRef := refTo(expr.Operand(0))
	path := constantPathOf(expr.Operand(1))
	if !isRef || len(path) == 0 {
		return false
	}
	s.ref(slices.Concat(from, path))
	for _, operand := range expr.Operands()[2:] {
		s.walk(operand)
	}
	return true
}

func refTo(term *ast.Term) (ref ast.Ref, ok bool) {
	switch v := term.Value.(type) {
	case ast.Ref:
		return v, v[0].Equal(ast.InputRootDocument)
	case ast.Var:
		return ast.Ref{term}, true
	}
	return nil, false
}

// constantPathOf is a key, or a list of keys, of texts alone.
func constantPathOf(key *ast.Term) (path ast.Ref) {
	switch v := key.Value.(type) {
	case ast.String:
		return ast.Ref{key}
	case *ast.Array:
		for i := range v.Len() {
			if _, text := v.Elem(i).Value.(ast.String); !text {
				return nil
			}
			path = append(path, v.Elem(i))
		}
	}
	return path
}
