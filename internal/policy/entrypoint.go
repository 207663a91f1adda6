package policy

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// resultVar is what the query of an entry point binds its value to.
const resultVar = ast.Var("result")

// entrypoint is a rule that decides, ready to be asked.
type entrypoint struct {
	name  string
	query ast.Body
	// input is what its rules can read; none of it may be left out of the key
	// that its decisions are remembered under.
	input part
	// causes say why its decisions are not remembered, each with its place; none
	// when they are.
	causes []Unremembered
	// surprised says that an evaluation called what may answer differently each
	// time though none was found: nothing is remembered from then on.
	surprised atomic.Bool
	// keyed begins every key: the revision and the name.
	keyed []byte
	// fields are all that there may be in the input.
	fields *field
}

// prepare finds the rule that a path such as "postern/authz/allow" names.
func prepare(compiler *ast.Compiler, name string, fields *field) (*entrypoint, error) {
	ref, err := refOf(name)
	if err != nil {
		return nil, err
	}
	if err := isRule(compiler, ref, name); err != nil {
		return nil, err
	}
	query, err := compiler.QueryCompiler().Compile(ast.NewBody(ast.Equality.Expr(ast.VarTerm(string(resultVar)), ast.NewTerm(ref))))
	if err != nil {
		return nil, err
	}
	e := &entrypoint{name: name, query: query, fields: fields}
	e.study(surveyOf(compiler, ref))
	return e, nil
}

// of is the entry point in a revision, which its keys begin with.
func (e *entrypoint) of(revision string) *entrypoint {
	return &entrypoint{
		name: e.name, query: e.query, fields: e.fields, input: e.input, causes: e.causes,
		keyed: appendDelimited(appendDelimited(nil, revision), e.name),
	}
}

// study keeps what the rules read, and says whether what they answer is a
// function of it.
func (e *entrypoint) study(s *survey) {
	s.input.settle()
	e.input = selectParts(e.fields, &s.input)
	e.causes = causesOf(s, &e.input)
}

func appendDelimited(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func refOf(name string) (ast.Ref, error) {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, segment := range strings.Split(name, "/") {
		if segment == "" {
			return nil, fmt.Errorf("entry point %q: want a path to a rule, such as postern/authz/allow", name)
		}
		ref = append(ref, ast.StringTerm(segment))
	}
	return ref, nil
}

// isRule refuses a path that no rule has, that is a package, or a function.
func isRule(compiler *ast.Compiler, ref ast.Ref, name string) error {
	rules := compiler.GetRulesWithPrefix(ref)
	if len(rules) == 0 {
		return fmt.Errorf("entry point %q: there is no such rule (%s)", name, ref)
	}
	for _, module := range compiler.Modules {
		if module.Package.Path.HasPrefix(ref) {
			return fmt.Errorf("entry point %q: %s is a package, want a rule in it", name, ref)
		}
	}
	for _, rule := range rules {
		if len(rule.Head.Args) > 0 {
			return ast.NewError(ast.CompileErr, rule.Location, "entry point %q: %s is a function, want a rule", name, ref)
		}
	}
	return nil
}
