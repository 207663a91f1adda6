package policy

import (
	"regexp"

	"github.com/open-policy-agent/opa/v1/ast"
)

// given are the names that the compiler gives.
var given = regexp.MustCompile(`__local[0-9]+__`)

// Authored is a reference with the names that its author wrote in place of the
// compiler's own; `_` where the author gave none.
func Authored(compiler *ast.Compiler, ref ast.Ref) ast.Ref {
	var named ast.Ref
	for i, term := range ref {
		name, isVar := term.Value.(ast.Var)
		if !isVar || i == 0 && ast.RootDocumentNames.Contains(term) {
			continue
		}
		if named == nil {
			named = append(ast.Ref{}, ref...)
		}
		named[i] = ast.VarTerm(authoredName(compiler, name))
	}
	if named == nil {
		return ref
	}
	return named
}

func authoredName(compiler *ast.Compiler, name ast.Var) string {
	for range 8 { // a name may have been given anew by each stage
		before, renamed := compiler.RewrittenVars[name]
		if !renamed || before == name {
			break
		}
		name = before
	}
	if name.IsWildcard() || name.IsGenerated() || given.MatchString(string(name)) {
		return "_"
	}
	return string(name)
}

// AuthoredText is a text with the names that its author wrote in place of the
// compiler's own.
func AuthoredText(compiler *ast.Compiler, text string) string {
	return given.ReplaceAllStringFunc(text, func(name string) string { return authoredName(compiler, ast.Var(name)) })
}

// Obeyable is why what an entry point answers can't be done, such as a header
// that has no valid name.
func Obeyable(answer ast.Value) error {
	_, err := decisionOf(answer)
	return err
}
