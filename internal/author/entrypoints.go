package author

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Entrypoints are the rules that the policy itself says it is asked by, with the
// annotation `entrypoint: true` that OPA's tools know, and usual where there is
// such a rule. Usual alone, where there is none of both.
func (s *Source) Entrypoints(usual string) []string {
	found := map[string]bool{}
	for _, m := range s.loaded.Modules {
		if isTest(m.Name) {
			continue
		}
		for _, rule := range m.Parsed.Rules {
			if path := pathOf(rule); path != "" && (path == usual || isEntrypoint(rule, m.Parsed.Annotations)) {
				found[path] = true
			}
		}
	}
	if len(found) == 0 {
		return []string{usual}
	}
	return slices.Sorted(maps.Keys(found))
}

// isEntrypoint reports whether an annotation of a module says so of a rule. One
// of a package names nothing that a gate can ask.
func isEntrypoint(rule *ast.Rule, all []*ast.Annotations) bool {
	return slices.ContainsFunc(all, func(a *ast.Annotations) bool {
		return a.Entrypoint && a.Scope == "document" && rule.Ref().GroundPrefix().Equal(a.GetTargetPath())
	})
}

// pathOf is a rule's name as entry points are named, "" for functions.
func pathOf(rule *ast.Rule) string {
	if len(rule.Head.Args) > 0 {
		return ""
	}
	var path []string
	for _, term := range rule.Ref().GroundPrefix()[1:] {
		name, isText := term.Value.(ast.String)
		if !isText {
			return ""
		}
		path = append(path, string(name))
	}
	return strings.Join(path, "/")
}
