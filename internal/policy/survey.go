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
// constant names counts as reading the whole of what stands before it. (OPA's
// own dependencies package is sharper about aliases and had gaps before 1.22;
// a test holds that this one never finds less.)
type survey struct {
	compiler *ast.Compiler
	seen     map[*ast.Rule]bool
	input    reads
	// unsteady are the reachable builtins whose answers may change by themselves.
	unsteady []string
}

func surveyOf(compiler *ast.Compiler, entrypoint ast.Ref) *survey {
	s := &survey{compiler: compiler, seen: map[*ast.Rule]bool{}}
	s.reach(entrypoint)
	slices.Sort(s.unsteady)
	return s
}

// reach walks the rules that a reference to data may evaluate.
func (s *survey) reach(ref ast.Ref) {
	rules := s.compiler.GetRules(ref)
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

func (s *survey) everyRule() (rules []*ast.Rule) {
	for _, module := range s.compiler.Modules {
		rules = append(rules, module.Rules...)
	}
	return rules
}

// rule walks a rule and its else branches. The parts of a head's name are not
// among what OPA's visitor walks.
func (s *survey) rule(rule *ast.Rule) {
	for r := rule; r != nil; r = r.Else {
		for _, term := range r.Head.Reference {
			if _, name := term.Value.(ast.Var); !name {
				s.walk(term)
			}
		}
	}
	s.walk(rule)
}

func (s *survey) walk(node any) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			s.ref(x)
			return true
		case ast.Var:
			s.ref(ast.Ref{ast.NewTerm(x)})
		}
		return false
	}).Walk(node)
}

func (s *survey) ref(ref ast.Ref) {
	head := ref[0]
	switch {
	case head.Equal(ast.InputRootDocument):
		s.input.add(ref[1:])
	case head.Equal(ast.DefaultRootDocument):
		s.reach(ref.ConstantPrefix())
	default:
		s.builtin(ref.String())
	}
	if _, name := head.Value.(ast.Var); !name {
		s.walk(head)
	}
	for _, term := range ref[1:] {
		s.walk(term)
	}
}

func (s *survey) builtin(name string) {
	if unsteady(name) && !slices.Contains(s.unsteady, name) {
		s.unsteady = append(s.unsteady, name)
	}
}

// reads is a tree of the names that are read below a document.
type reads struct {
	// whole says that everything below counts as read.
	whole bool
	parts map[string]*reads
	// keys are the names of parts in order, once settled.
	keys []key
}

// everything is what reads a whole document.
func everything() *reads { return &reads{whole: true} }

// add notes that a path is read. It ends at the first part that is not a
// constant name: an index or a variable reads all that is there.
func (r *reads) add(path ast.Ref) {
	if r.whole {
		return
	}
	name, constant := first(path)
	if !constant {
		*r = reads{whole: true}
		return
	}
	if r.parts == nil {
		r.parts = map[string]*reads{}
	}
	part := r.parts[name]
	if part == nil {
		part = &reads{}
		r.parts[name] = part
	}
	part.add(path[1:]) //nolint:gosec // a path with a first name has a rest
}

// first is the constant name that a path begins with, if it does.
func first(path ast.Ref) (name string, constant bool) {
	if len(path) == 0 {
		return "", false
	}
	text, constant := path[0].Value.(ast.String)
	return string(text), constant
}

// at is what is read below a name, nil for nothing.
func (r *reads) at(name string) *reads {
	if r.whole {
		return r
	}
	return r.parts[name]
}

// settle puts the names in order.
func (r *reads) settle() {
	for name, part := range r.parts {
		r.keys = append(r.keys, newKey(name))
		part.settle()
	}
	slices.SortFunc(r.keys, key.compare)
}
