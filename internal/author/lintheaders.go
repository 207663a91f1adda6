package author

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// headers tells of headers that are read by a name that is never there, or that
// says what only the client says.
func (l *lint) headers() {
	claimed := spokenFor()
	for rule := range l.reached {
		for r := rule; r != nil; r = r.Else {
			headersOf(r, func(name string, at *ast.Location) {
				folded := access.FoldName(name)
				switch instead := claimed[folded]; {
				case name != strings.ToLower(name):
					l.add(at, CodeUnknownInput, "the header "+name+" is never there: names of headers are in lower case", `write "`+strings.ToLower(name)+`"`)
				case instead != "":
					l.add(at, CodeClientHeader, "the header "+name+" may be the client's own, which can say anything in it", "decide on "+instead)
				}
			})
		}
	}
}

// spokenFor are headers that clients send as if somebody else had, and what
// says the same truly.
func spokenFor() map[string]string {
	const address, identity = "input.attributes.source.address", "input.consumer and input.identity"
	all := map[string]string{
		"x-forwarded-for": address, "x-real-ip": address, "forwarded": address, "true-client-ip": address,
		"cf-connecting-ip": address, "x-client-ip": address, "x-envoy-external-address": address,
		"x-forwarded-client-cert": "input.source_principal",
	}
	for _, preset := range []string{"apisix", "kong"} {
		headers, _ := gate.Preset(preset)
		for name := range headers {
			all[access.FoldName(name)] = identity
		}
	}
	return all
}

// headersOf finds the headers that a rule reads by constant names.
func headersOf(rule *ast.Rule, found func(name string, at *ast.Location)) {
	prefix := ast.MustParseRef("input.attributes.request.http.headers")
	read := func(ref ast.Ref, at *ast.Location) {
		full := ref
		for range deepest {
			from, isRef := standsFor(rule.Body, full[0]).Value.(ast.Ref)
			if !isRef || from.Equal(full) {
				break
			}
			full = slices.Concat(from, full[1:])
		}
		if !full.HasPrefix(prefix) || len(full) <= len(prefix) {
			return
		}
		if name, isText := full[len(prefix)].Value.(ast.String); isText && !strings.HasPrefix(string(name), ":") {
			found(string(name), at)
		}
	}
	whole := &ast.Rule{Head: rule.Head, Body: rule.Body}
	ast.WalkTerms(whole, func(term *ast.Term) bool {
		if ref, isRef := term.Value.(ast.Ref); isRef {
			read(ref, term.Location)
		}
		return false
	})
	ast.WalkExprs(whole, func(expr *ast.Expr) bool {
		if !expr.IsCall() || expr.Operator().String() != ast.ObjectGet.Name {
			return false
		}
		key := expr.Operand(1)
		path := ast.Ref{key}
		if list, isList := key.Value.(*ast.Array); isList {
			path = elementsOf(list)
		}
		switch from := standsFor(rule.Body, expr.Operand(0)).Value.(type) {
		case ast.Ref:
			read(slices.Concat(from, path), expr.Location)
		case ast.Var:
			read(slices.Concat(ast.Ref{ast.NewTerm(from)}, path), expr.Location)
		}
		return false
	})
}
