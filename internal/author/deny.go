package author

import (
	"regexp"

	"github.com/open-policy-agent/opa/v1/ast"
)

// denial are the names that rules which deny are given, where no rule negates
// them.
var denial = regexp.MustCompile(`^(deny|denied|denies|denials?|block|blocked|forbid|forbidden|reject|rejected|violations?)$`)

// fallible are builtins that are errors for some values of the right type, and
// those that tell beforehand; always is what to say where none does.
func fallible(builtin string) (guards []string, found bool) {
	guards, found = map[string][]string{
		"to_number":                      {"regex.match", "is_number"},
		"json.unmarshal":                 {"json.is_valid"},
		"yaml.unmarshal":                 {"yaml.is_valid"},
		"base64.decode":                  {"base64.is_valid"},
		"base64url.decode":               {"regex.match"},
		"hex.decode":                     {"regex.match"},
		"urlquery.decode":                {"regex.match"},
		"urlquery.decode_object":         {"regex.match"},
		"semver.compare":                 {"semver.is_valid"},
		"net.cidr_contains":              {"net.cidr_is_valid", "regex.match"},
		"net.cidr_intersects":            {"net.cidr_is_valid", "regex.match"},
		"net.cidr_expand":                {"net.cidr_is_valid"},
		"io.jwt.decode":                  nil,
		"io.jwt.decode_verify":           nil,
		"time.parse_ns":                  {"regex.match"},
		"time.parse_rfc3339_ns":          {"regex.match"},
		"time.parse_duration_ns":         {"regex.match"},
		"units.parse":                    {"regex.match"},
		"units.parse_bytes":              {"regex.match"},
		"crypto.x509.parse_certificates": nil,
		"div":                            {"neq", "gt"},
		"rem":                            {"neq", "gt"},
	}[builtin]
	return guards, found
}

// failingDenials tells of builtins in rules that deny whose error would end the
// decision: a fault here, and elsewhere a denial that is switched off.
func (l *lint) failingDenials() {
	seen := map[*ast.Rule]bool{}
	for rule := range l.reached {
		if denial.MatchString(lastName(rule)) {
			l.denies(rule, seen)
		}
		ast.WalkExprs(rule, func(expr *ast.Expr) bool {
			_, not := expr.Terms.(*ast.Not)
			if !not && !expr.Negated {
				return false
			}
			l.below(expr, seen)
			return false
		})
	}
}

func lastName(rule *ast.Rule) string {
	ref := rule.Ref().GroundPrefix()
	name, _ := ref[len(ref)-1].Value.(ast.String)
	return string(name)
}

// below goes on to the rules that a node refers to.
func (l *lint) below(node any, seen map[*ast.Rule]bool) {
	ast.WalkRefs(node, func(ref ast.Ref) bool {
		if ref[0].Equal(ast.DefaultRootDocument) {
			for _, rule := range l.snapshot.Compiler().GetRules(ref.ConstantPrefix()) {
				l.denies(rule, seen)
			}
		}
		return false
	})
}

func (l *lint) denies(rule *ast.Rule, seen map[*ast.Rule]bool) {
	if seen[rule] {
		return
	}
	seen[rule] = true
	ast.WalkBodies(rule, func(body ast.Body) bool {
		for i, expr := range body {
			l.mayFail(rule, body[:i], expr)
		}
		return false
	})
	l.below(rule, seen)
}

func (l *lint) mayFail(rule *ast.Rule, before ast.Body, expr *ast.Expr) {
	if !expr.IsCall() {
		return
	}
	name := expr.Operator().String()
	guards, found := fallible(name)
	if !found || allConstant(name, expr.Operands()) || guarded(before, expr, guards) {
		return
	}
	instead := "do without it"
	if len(guards) > 0 {
		instead = "test its operand before with " + guards[0] + ", and deny where that fails"
	}
	if name == "div" || name == "rem" {
		instead = "test before that the divisor is not 0, and deny where it is"
	}
	l.add(expr.Location, CodeDenyFails, name+" is an error for some values, and "+lastName(rule)+
		" is part of what denies: such a request is a fault (503) here, and a policy engine that takes errors for undefined would let it through", instead)
}

func allConstant(name string, operands []*ast.Term) bool {
	if name == "div" || name == "rem" {
		operands = operands[1:2]
	} else if n := len(ast.BuiltinMap[name].Decl.FuncArgs().Args); len(operands) > n {
		operands = operands[:n] // the last is what takes the result
	}
	for _, o := range operands {
		if !o.IsGround() || !isPlain(o.Value) {
			return false
		}
	}
	return true
}

func isPlain(v ast.Value) bool {
	_, isRef := v.(ast.Ref)
	return !isRef
}

// guarded reports whether an expression before tests one of the operands.
func guarded(before ast.Body, expr *ast.Expr, guards []string) bool {
	for _, earlier := range before {
		if !earlier.IsCall() {
			continue
		}
		for _, guard := range guards {
			if earlier.Operator().String() == guard && shareOperand(before, earlier, expr) {
				return true
			}
		}
	}
	return false
}

func shareOperand(body ast.Body, a, b *ast.Expr) bool {
	for _, x := range a.Operands() {
		for _, y := range b.Operands() {
			x, y := standsFor(body, x), standsFor(body, y)
			if _, scalar := x.Value.(ast.String); !scalar && x.Equal(y) {
				return true
			}
		}
	}
	return false
}

// standsFor is what a name of the compiler's own was given.
func standsFor(body ast.Body, term *ast.Term) *ast.Term {
	for _, expr := range body {
		if (expr.IsEquality() || expr.IsAssignment()) && expr.Operand(0).Equal(term) {
			return expr.Operand(1)
		}
	}
	return term
}
